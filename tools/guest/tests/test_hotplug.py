# SPDX-License-Identifier: GPL-2.0
"""Real cards are plugged in and out while the trunk carries frames: they join by themselves.

    trunk0 ─┬─ veth0 ──────────── far0    always there
            ├─ eth… ═ wire0 ═══ wire0     of cards that come and go; the far ends stay, in a
            └─ eth… ═ wire1 ═══ wire1     namespace of their own
"""

import contextlib

from genl import Control
from lab import *

VIRTIO = "virtio-net-pci"
IPV4 = 0x0800


def nics():
    """Returns the NICs of the first namespace that are on a bus, by name."""
    return {name for name in os.listdir("/sys/class/net") if os.path.exists(f"/sys/class/net/{name}/device/driver")}


def functions():
    return set(os.listdir("/sys/bus/pci/devices"))


def needs(*drivers):
    """Loads drivers, which udev would do for a card."""
    for driver in drivers:
        if attempt(f"modprobe {driver}").returncode:
            raise Skipped(f"this kernel has no {driver}")


def own_address(name):
    """Returns the permanent address of a device, also while it is a port."""
    shown = link(name)
    return unmac(shown.get("permaddr", shown["address"]))


def by_queue(name):
    """Returns the number of frames that each transmit queue of a device got."""
    shown = json.loads(run(f"/usr/sbin/tc -j -s qdisc show dev {name}"))
    return {entry["parent"]: entry["packets"] for entry in shown if "parent" in entry}


class Rack:
    """A trunk in the first namespace, slots for cards, and the other end of their wires."""

    def __init__(self):
        self.runner, self.used = Runner(), set()
        self.here, self.there = FirstNetns(), Netns()
        self.far = []

    def set_up(self, wires, rule):
        load()
        for wire in range(wires):
            new, = self.plug(7 - wire, VIRTIO, wire)
            self.far.append(f"wire{wire}")
            with self.here:
                ip(f"link set {new} netns {self.there.path} name {self.far[-1]}")
            with self.there:
                ip(f"link set {self.far[-1]} promisc on up")
        with self.here:
            ip(f"link add trunk0 type {KIND}\nlink add veth0 type veth peer name far0")
            ip(f"link set far0 netns {self.there.path}\nlink set veth0 master trunk0")
            with self.there:
                ip("link set far0 up")
            bring_up("trunk0")
            self.control = Control()
            self.control.set(auto_join=rule)

    def plug(self, slot, model, *wires):
        """Plugs in a card with a NIC for each wire. Returns the names of the NICs, once they are there."""
        before = nics()
        self.runner.ask(f"plug slot{slot} {model} {' '.join(f'wire{wire}' for wire in wires)}")
        self.used.add(slot)
        eventually(lambda: len(nics() - before) == len(wires), f"a card is seen in slot {slot}")
        return sorted(nics() - before)

    def unplug(self, slot):
        self.runner.ask(f"unplug slot{slot}")
        self.used.discard(slot)

    def has(self, *names):
        """Waits until the trunk has veth0 and these ports, all of them act."""

        def there():
            return {name for name, port in self.control.ports().items() if port["state"] == "act"} == {"veth0", *names}

        eventually(there, f"{names} are ports, and act")

    def clear(self):
        for slot in sorted(self.used):
            self.unplug(slot)
        with self.here:
            for dev in ("trunk0", "veth0"):
                if link(dev):
                    ip(f"link del {dev}")


@contextlib.contextmanager
def racked(wires, **rule):
    before = functions()
    rack = Rack()
    try:
        rack.set_up(wires, rule)
        yield rack
    finally:
        rack.clear()
    eventually(lambda: functions() == before and not nics(), "nothing is left of the cards")


def paced(bucket, last):
    """Returns a function for a Background. It sends frames of one bucket with numbers, a thousand a second or
    fewer, and writes the number of frames to `last`."""

    def go(stop):
        sender, number = Sender("trunk0"), 0
        while not stop():
            sender.send(frame(mac(bucket), mac(1), number))
            number += 1
            time.sleep(0.001)
        os.write(last, struct.pack("I", number))

    return go


def test_cards_come_and_go_a_hundred_times_under_traffic():
    """
    slot 0: a card of one NIC, slot 1: a card of three    each time all four join, and carry frames;
    and of the frames by veth0, not one is lost
    """
    rounds = count(100, least=25)
    with racked(4, driver="virtio_net", name="eth*") as rack:
        control = rack.control
        with rack.there:
            tap, fars = Tap("far0"), Taps(rack.far)
        # veth0 always has one bucket; the others are dealt.
        control.table_set({5: "veth0"})
        reading, writing = os.pipe()
        everything = [frame(mac(n), mac(2), n) for n in range(32) if n != 5]
        seen, numbers = 0, []

        def own():
            numbers.extend(number_of(data) for data in tap.take() if data[:12] == mac(5) + mac(1))

        with rack.here, Background(paced(5, writing), cpu=0):
            sender = Sender("trunk0")
            for _ in range(rounds):
                names = rack.plug(0, VIRTIO, 0) + rack.plug(1, VIRTIO, 1, 2, 3)
                rack.has(*names)
                table = control.column()
                equal(table[5], "veth0", "the port of bucket 5")
                fair(table[:5] + table[6:], ["veth0", *names])
                sender.flood(everything)
                # A frame on a wire comes to no other one.
                got = fars.take(sum(table[number_of(data)] in names for data in everything))
                equal(len(got), len([n for n in range(32) if table[n] in names]), "frames by the cards")
                seen += len(got)
                for slot in (0, 1):
                    rack.unplug(slot)
                eventually(lambda: list(control.ports()) == ["veth0"], "the cards are ports no more")
                own()
        sent, = struct.unpack("I", os.read(reading, 4))
        eventually(lambda: own() or len(numbers) >= sent, "the last frame by veth0 has come")
        equal(numbers, list(range(sent)), "frames by veth0")
        expect(sent > 20 * rounds, f"only {sent} frames in {rounds} rounds")
        kinds = [event["kind"] for event in control.history()]
        expect("join-refused" not in kinds, "a card was refused")
        note(f"{4 * rounds} joins, {seen} frames by the cards, {sent} by veth0")


@cases("vmxnet3", "igb", alike=True)
def test_a_card_of_several_ports_with_several_queues(model):
    """
    slot 3: a card of two ports, with a queue for each processor    both join; what a port is to carry is
    spread over its queues, each flow in order
    """
    needs(model)
    with racked(2, driver=model) as rack:
        with rack.there:
            fars = Taps(rack.far, type=IPV4)
        names = rack.plug(3, model, 0, 1)
        rack.has(*names)
        with rack.here:
            table, sender = rack.control.column(), Sender("trunk0")
            wire = {name: own_address(name)[-1] for name in names}
            before = {name: by_queue(name) for name in names}
            # Each with a hash of its own: of four hashes, all may be of one queue.
            flows = [(n, 4 * n + flow) for n in range(32) for flow in range(4) if table[n] in names]
            for turn in range(3):
                for n, flow in flows:
                    sender.send(udp(mac(n), mac(2), flow, turn))
        seen = {}
        for index, data in fars.take(3 * len(flows)):
            n, flow = low(data[:6]), int.from_bytes(data[34:36], "big") - 1024
            seen.setdefault((n, flow, index), []).append(int.from_bytes(data[42:46], "big"))
        equal(seen, {(n, flow, wire[table[n]]): [0, 1, 2] for n, flow in flows}, "turns of each flow, by wire")
        with rack.here:
            for name in names:
                after = by_queue(name)
                queues = len([entry for entry in os.listdir(f"/sys/class/net/{name}/queues") if entry[:2] == "tx"])
                equal(queues, os.cpu_count(), f"queues of {name}")
                equal(len(moved(before[name], after)), queues, f"queues of {name} that were used, of {after}")
        rack.unplug(3)
        rack.has()


def test_a_function_that_may_not_change_its_address():
    """
    slot 4: a card and a virtual function of it, whose address the card's owner has set: it joins by
    itself, keeps that, and receives for the trunk's address beside it
    """
    needs("igb", "igbvf")
    with racked(1, driver="igbvf") as rack:
        owner, = rack.plug(4, "igb", 0)
        card = f"/sys/class/net/{owner}/device"
        with rack.here:
            Rtnetlink().up(owner)
            eventually(lambda: carrier(owner), "the card has a link")
            if not os.path.exists(f"{card}/sriov_drivers_autoprobe"):
                raise Skipped("this kernel makes no functions of cards")
            write(f"{card}/sriov_drivers_autoprobe", 0)
            write(f"{card}/sriov_numvfs", 1)
            try:
                run(f"ip link set {owner} vf 0 mac 02:00:5e:00:53:04")
                before = nics()
                write(f"{card}/sriov_drivers_autoprobe", 1)
                write("/sys/bus/pci/drivers/igbvf/bind", os.path.basename(os.readlink(f"{card}/virtfn0")))
                eventually(lambda: nics() - before, "the function is a device")
                name, = nics() - before
                # It does not work well: the emulated card returns to it the frames that it sends.
                eventually(lambda: name in rack.control.ports(), "it is a port")
                equal(address(name), unmac("02:00:5e:00:53:04"), "its address")
                expect(not any(e["kind"] == "join-refused" for e in rack.control.history()), "it was refused")
            finally:
                write(f"{card}/sriov_numvfs", 0)
        rack.has()


@cases("driver", "bus", "address", "another driver", "another address")
def test_what_a_card_is(what):
    """
    slot 2: two NICs on one card, matched by driver, bus or address
    """
    rule = {
        "driver": {"driver": "virtio_net", "priority": 2},
        "bus": {"bus": "virtio", "driver": "virtio_net"},
        "address": {"address": bytes.fromhex("525400030200")},
        "another driver": {"driver": "igb", "name": "*"},
        "another address": {"address": bytes.fromhex("5254000303")},
    }[what]
    with racked(2, **rule) as rack:
        first, second = rack.plug(2, VIRTIO, 0, 1)
        with rack.here:
            own = {name: own_address(name) for name in (first, second)}
        first, second = sorted(own, key=own.get)
        if what.startswith("another"):
            # It would have joined before one that comes later.
            rack.control.set(auto_join={"name": "last"})
            with rack.here:
                ip("link add last type dummy")
            rack.has("last")
            with rack.here:
                ip("link del last")
        elif what == "address":
            rack.has(first)
        else:
            rack.has(first, second)
        if what == "driver":
            equal({rack.control.port(name)["priority"] for name in (first, second)}, {2}, "priorities")
            expect(set(rack.control.column()) == {"veth0"}, "a spare carries frames")


def test_a_driver_that_lets_go_and_takes_again():
    """
    slot 4: a NIC whose driver is unbound and bound again: the new device joins
    """
    drivers = "/sys/bus/virtio/drivers/virtio_net"
    with racked(1, driver="virtio_net") as rack:
        name, = rack.plug(4, VIRTIO, 0)
        for _ in range(count(5, least=2)):
            rack.has(name)
            device = os.path.basename(os.readlink(f"/sys/class/net/{name}/device"))
            write(f"{drivers}/unbind", device)
            rack.has()
            write(f"{drivers}/bind", device)
            eventually(nics, "the NIC is back")
            name, = nics()


def test_what_is_there_at_boot():
    """
    slot 5: a NIC that is there before the trunk is
    """
    runner, before = Runner(), functions()
    runner.ask(f"plug slot5 {VIRTIO} wire0")
    try:
        eventually(nics, "a card is seen")
        name, = nics()
        load()
        with FirstNetns():
            ip(f"link add trunk0 type {KIND}")
            control = Control()
            control.set(auto_join={"driver": "virtio_net"})
            eventually(lambda: list(control.ports()) == [name], "it has joined")
            unload()
            expect("master" not in link(name), "it has a master")
    finally:
        runner.ask("unplug slot5")
    eventually(lambda: functions() == before, "nothing is left of the card")


def test_a_card_that_filters_by_vlan():
    """
    vlan7 ── trunk0 ── slot 6: a NIC that receives only the VLANs that its driver has set
    """
    with racked(1, driver="virtio_net") as rack:
        name, = rack.plug(6, VIRTIO, 0)
        rack.has(name)
        with rack.here:
            ip("link add link trunk0 name vlan7 type vlan id 7\nlink set vlan7 up")
            to, on_card, on_vlan = address("trunk0"), Tap(name, type=None), Taps(["vlan7"])
        with rack.there:
            sender = Sender(rack.far[0])
        for vid in (9, 7):
            tagged = frame(to, mac(9), vid)
            sender.send(tagged[:12] + struct.pack("!HH", 0x8100, vid) + tagged[12:])
        equal([number_of(data) for _, data in on_vlan.take(1)], [7], "frames of the VLAN above")
        seen = [data for data in on_card.take() if data[:12] == to + mac(9)]
        equal(len(seen), 1, "frames that the card lets pass")
