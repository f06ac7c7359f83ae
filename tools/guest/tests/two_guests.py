# SPDX-License-Identifier: GPL-2.0
"""Two machines with virtio NICs between them: a server with a trunk, and a switch.

    server                           switch
    trunk0 ─┬─ eth0  ═ virtio-net ═  eth0
            ├─ eth1  ═ virtio-net ═  eth1
            ├─ eth2  ═ virtio-net ═  eth2
            └─ eth3  ═ virtio-net ═  eth3

Both run all tests, each its part of them. A frame carries the port that the server has predicted for it;
the switch sees the cable by which it came.
"""

import contextlib

import genl
import hosts
from genl import Control
from lab import *

NICS = [f"eth{n}" for n in range(4)]
# A machine may stand still for some rounds while the other goes on.
SETTINGS = hosts.SETTINGS | {"misses": 20}
BARRIERS = 16  # of each test, so that both agree on its end, also if it fails on one side


class Machine(Runner):
    """This guest, and the runner outside that pulls cables."""

    def __init__(self, role):
        super().__init__()
        self.role, self.passed = role, 0

    def barrier(self):
        self.passed += 1
        self.ask(f"barrier {self.name}/{self.passed}")

    def cable(self, index, state):
        self.ask(f"link net{index} {state}")

    def lose(self, index, ways):
        """Loses frames of a NIC: "both", "in", "out" or "none"."""
        self.ask(f"lose net{index} {ways}")

    def part(self, name, test):
        """Returns this side's part of a test, as a test of its own."""

        def run():
            self.name, self.passed = name, 0
            try:
                prepare()
                self.barrier()
                test(self)
            finally:
                for index in range(len(NICS)):
                    self.lose(index, "none")
                while self.passed < BARRIERS:
                    self.barrier()
                clean()

        return run


def clean():
    """Removes everything that a test left. The NICs are down afterwards."""
    if loaded():
        unload()
    if link("br0"):
        ip("link del br0")
    for nic in NICS:
        ip(f"link set {nic} promisc off down")
        ip(f"address flush dev {nic}")


def prepare():
    clean()
    for scope in ("all", "default"):
        write(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", 1)


def collect(role, words):
    machine = Machine(role)
    tests = [(name, function) for name, function in globals().items() if name.startswith("test_")]
    tests = [(f"two_guests.{name.removeprefix('test_')}", function) for name, function in tests]
    return [
        Test(name, machine.part(name, function))
        for name, function in tests
        if not words or any(word in name for word in words)
    ]


# The server


def trunk(settings=None):
    load()
    ip(f"link add trunk0 type {KIND}")
    if settings:  # before there are links that are tested with other settings
        genl.lib.ynl.GenlProtocol.genl_family_name_to_id.clear()  # that of an earlier module
        Control().set(**settings)
    for nic in NICS:
        ip(f"link set {nic} master trunk0")
    bring_up("trunk0")
    for nic in NICS:
        eventually(lambda: carrier(nic), f"{nic} has carrier")


def observed(buckets=32):
    """Returns the table, by the frames that leave by each NIC."""
    taps = Taps(NICS, outgoing=True)
    sender = Sender("trunk0")
    for bucket in range(buckets):
        sender.send(frame(mac(bucket), mac(1), bucket))
    where = numbers(taps.take(buckets))
    expect(len(where) == buckets, f"{buckets - len(where)} of {buckets} frames left by no port")
    return [where[bucket] for bucket in range(buckets)]


def predicted(table, number, address):
    """Returns a frame that carries the index of its cable."""
    data = bytearray(frame(address, mac(1), number))
    data[18] = table[low(address) % len(table)]
    return bytes(data)


def send_predicted(table, frames):
    random = seeded()
    sender = Sender("trunk0")
    addresses = [mac(random.randrange(1 << 40)) for _ in range(256)]
    with on_one_cpu():
        for number in range(frames):
            sender.send(predicted(table, number, random.choice(addresses)))


# The switch


def listen():
    """Brings all NICs up, and returns taps on them."""
    for nic in NICS:
        ip(f"link set {nic} promisc on up")
    for nic in NICS:
        eventually(lambda: carrier(nic), f"{nic} has carrier")
    return Taps(NICS)


def expect_predicted(taps, frames):
    """Checks that all frames came, each by the cable that it carries, in order on each cable."""
    taken = taps.take(frames)
    equal(len(taken), frames, "frames that arrived")
    last = {}
    for index, data in taken:
        number = number_of(data)
        equal(index, data[18], f"cable of frame {number}")
        expect(last.get(index, -1) < number, f"frame {number} came after {last.get(index)} on cable {index}")
        last[index] = number
    equal(len(numbers(taken)), frames, "different frames")


def bridge():
    """Makes a plain Linux bridge over the four NICs."""
    ip("link add br0 type bridge mcast_snooping 0")
    for nic in NICS:
        ip(f"link set {nic} master br0 up")
    ip("link set br0 up")
    for nic in NICS:
        # The kernel notifies the bridge of a carrier up to a second late (linkwatch).
        eventually(lambda: read(f"/sys/class/net/{nic}/brport/state") == "3", f"br0 forwards by {nic}")


# The tests


def test_every_frame_comes_by_the_predicted_cable(machine):
    """10,000 frames to 256 addresses"""
    frames = count(10_000)
    if machine.role == "switch":
        taps = listen()
        machine.barrier()
        machine.barrier()  # the table is known
        taps.take(0)
        machine.barrier()
        expect_predicted(taps, frames)
    else:
        machine.barrier()
        trunk()
        table = observed()
        fair(table, range(4))
        machine.barrier()
        machine.barrier()
        send_predicted(table, frames)


def test_a_pulled_cable_moves_only_its_own_buckets(machine):
    """The cable of eth1 is pulled, 4,000 frames go by the other three; then it is back, and 4,000 go by all four."""
    frames = count(4_000)
    if machine.role == "switch":
        taps = listen()
        machine.barrier()
        for _ in range(2):
            machine.barrier()  # the table is known
            taps.take(0)
            machine.barrier()
            expect_predicted(taps, frames)
            machine.barrier()
    else:
        machine.barrier()
        trunk()
        home = observed()
        machine.cable(1, "down")
        eventually(lambda: 1 not in observed(), "eth1 has no buckets")
        away = observed()
        for bucket, port in enumerate(home):
            expect(away[bucket] == port or port == 1, f"bucket {bucket} moved from {port} to {away[bucket]}")
        fair([away[bucket] for bucket, port in enumerate(home) if port == 1], [0, 2, 3])
        machine.barrier()
        machine.barrier()
        send_predicted(away, frames)
        machine.barrier()
        machine.cable(1, "up")
        eventually(lambda: observed() == home, "eth1 has its buckets back")
        machine.barrier()
        machine.barrier()
        send_predicted(home, frames)
        machine.barrier()


def test_a_pulled_cable_while_somebody_holds_rtnl(machine):
    """No part of the kernel that needs RTNL can run; the trunk switches over all the same."""
    if machine.role == "switch":
        listen()
        machine.barrier()
        return
    machine.barrier()
    trunk()
    home = observed()
    expect(2 in home, "eth2 has no buckets")
    with RtnlHeld():
        held = subprocess.Popen(["ip", "link", "set", "lo", "up"])
        machine.cable(2, "down")
        eventually(lambda: 2 not in observed(), "eth2 has no buckets")
        equal(held.poll(), None, "the end of a command that needs RTNL")
    equal(held.wait(), 0, "the end of a command that needs RTNL")
    machine.cable(2, "up")
    eventually(lambda: observed() == home, "eth2 has its buckets back")


def test_a_plugged_cable_while_somebody_holds_rtnl(machine):
    """A NIC that has its carrier again drops all frames until the kernel activates it, which takes RTNL.
    Until then it is not used."""
    frames = count(4_000)
    if machine.role == "switch":
        taps = listen()
        machine.barrier()
        machine.barrier()  # the table is known
        taps.take(0)
        machine.barrier()
        machine.barrier()
        equal(sorted(numbers(taps.take(frames))), list(range(frames)), "frames that came by some cable")
        machine.barrier()
        return
    machine.barrier()
    trunk()
    home = observed()
    machine.barrier()
    machine.barrier()
    machine.cable(2, "down")
    eventually(lambda: link("eth2")["operstate"] == "DOWN", "the kernel knows that eth2 is down")
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(RtnlHeld())
        except Skipped:
            pass  # where no process can hold it, it takes as long as the kernel needs
        machine.cable(2, "up")
        sender = Sender("trunk0")
        for n in range(frames):
            sender.send(frame(mac(n % 256), mac(1), n))
            time.sleep(1 / frames)
    machine.barrier()
    machine.barrier()
    eventually(lambda: observed() == home, "eth2 has its buckets back")


def test_all_nics_have_the_trunks_address(machine):
    """Their filters accept it: unicast frames arrive by each of the four."""
    if machine.role == "switch":
        listen()
        machine.barrier()
        for step in range(2):
            machine.barrier()
            # The server's first address, then the one that it sets below.
            to = unmac("52:54:00:01:00:01") if step == 0 else mac(0x5555)
            for index, nic in enumerate(NICS):
                Sender(nic).send(frame(to, mac(9), index))
            machine.barrier()
    else:
        own = {nic: link(nic)["address"] for nic in NICS}
        machine.barrier()
        trunk()
        equal(own["eth0"], "52:54:00:01:00:01", "address of eth0")
        for step in range(2):
            if step == 1:
                ip(f"link set trunk0 address {show(mac(0x5555))}")
            devs = ["trunk0"] + NICS
            want = own["eth0"] if step == 0 else show(mac(0x5555))
            equal({dev: link(dev)["address"] for dev in devs}, dict.fromkeys(devs, want), "addresses")
            taps = Taps(["trunk0"])
            machine.barrier()
            machine.barrier()
            equal(sorted(numbers(taps.take(4))), [0, 1, 2, 3], "cables that unicast came by")
        ip("link del trunk0")
        equal({nic: link(nic)["address"] for nic in NICS}, own, "addresses afterwards")


def test_ping_across_a_bridge(machine):
    """IPv4 and IPv6, whose neighbour discovery is multicast, while a cable is pulled and plugged."""
    server = machine.role == "server"
    machine.barrier()
    dev = "trunk0" if server else "br0"
    trunk() if server else bridge()
    for scope in ("all", dev):
        write(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", 0)
    last = 1 if server else 2
    ip(f"""address add 192.0.2.{last}/24 dev {dev}
           address add 2001:db8::{last}/64 dev {dev} nodad""")
    machine.barrier()
    for target in (f"192.0.2.{3 - last}", f"2001:db8::{3 - last}"):
        attempt(f"ping -n -q -c 3 -W 5 {target}")  # resolves the address
        done = attempt(f"ping -n -q -c 20 -i 0.05 -W 30 {target}")
        expect(" 20 received" in done.stdout, f"ping {target}: {done.stdout}")
    machine.barrier()
    if server:
        table = observed()
        victim = table[low(unmac("52:54:00:02:00:01")) % 32]  # what carries frames to br0
        running = subprocess.Popen(["ping", "-n", "-q", "-i", "0.05", "192.0.2.2"], stdout=subprocess.PIPE, text=True)
        machine.cable(victim, "down")
        eventually(lambda: victim not in observed(), "the pulled port has no buckets")
        before = attempt("ping -n -q -c 20 -i 0.05 -W 30 192.0.2.2")
        expect(" 20 received" in before.stdout, f"ping after the cable was pulled: {before.stdout}")
        machine.cable(victim, "up")
        eventually(lambda: observed() == table, "the port has its buckets back")
        running.send_signal(signal.SIGINT)
        note(running.communicate()[0].strip().splitlines()[-2])
    machine.barrier()


def test_broadcast_is_received_once_and_own_frames_never(machine):
    """The bridge sends 100 broadcasts by all cables, and the server's own 100 back by three."""
    if machine.role == "switch":
        bridge()
        machine.barrier()
        machine.barrier()
        sender = Sender("br0")
        source = address("br0")
        with on_one_cpu():
            for number in range(100):
                sender.send(frame(BROADCAST, source, number))
        machine.barrier()
        machine.barrier()
    else:
        machine.barrier()
        trunk()
        taps = Taps(["trunk0"])
        own = address("trunk0")
        machine.barrier()
        machine.barrier()
        equal([number_of(data) for _, data in taps.take(100)], list(range(100)), "broadcasts at the trunk")
        before = ethtool_statistics("trunk0")
        sender = Sender("trunk0")
        for number in range(100):
            sender.send(frame(BROADCAST, own, number))
        eventually(
            lambda: moved(before, ethtool_statistics("trunk0")).get("rx_own_source") == 300,
            "all 300 copies are counted as own",
        )
        equal(taps.take(0), [], "own frames at the trunk")
        machine.barrier()


# Trunks at both ends: three working links, and eth3 for a spare


def tested(machine):
    """Makes a trunk. Returns its control, once all its links are proven."""
    trunk(SETTINGS)
    control = Control()
    control.port_set("eth3", priority=2)
    eventually(lambda: all(port.get("probed") for port in control.ports().values()), "all peers are found")
    states(control, {})
    machine.barrier()
    return control


def states(control, wanted, also=lambda ports: True):
    """Waits until the states of ports match `wanted` (port → pattern), all others are act, and also(ports)
    holds in the same dump."""
    wanted = dict.fromkeys(NICS, "act") | wanted
    ports = {}

    def got():
        return {name: "act" if port["state"] == "act" else port["reason"] for name, port in ports.items()}

    def reached():
        nonlocal ports
        ports = control.ports()
        return all(re.fullmatch(wanted[name], state) for name, state in got().items()) and also(ports)

    eventually(reached, lambda: f"the ports are {wanted}; they are {got()}, {ports}")


def test_links_fail_between_machines(machine):
    """eth1 loses its carrier, falls silent, hears nothing, is not heard: the spare steps in at both ends"""
    control = tested(machine)
    server = machine.role == "server"
    silent = "(probe-timeout|peer-sby)"
    deaf, mute = "(one-way-tx|probe-timeout)", "(one-way-rx|peer-sby|probe-timeout)"
    for fail, mend, at_server, at_switch in (
        (lambda: machine.cable(1, "down"), lambda: machine.cable(1, "up"), "no-carrier", "no-carrier"),
        (lambda: machine.lose(1, "both"), lambda: machine.lose(1, "none"), silent, silent),
        (lambda: machine.lose(1, "in"), lambda: machine.lose(1, "none"), deaf, mute),
        (lambda: machine.lose(1, "out"), lambda: machine.lose(1, "none"), mute, deaf),
    ):
        if server:
            fail()
        states(control, {"eth1": at_server if server else at_switch}, lambda ports: ports["eth1"]["buckets"] == 0
               and ports["eth3"].get("stands-in-for") == ports["eth1"]["ifindex"])  # fmt: skip
        machine.barrier()
        if server:
            mend()
        states(control, {}, lambda ports: ports["eth3"]["buckets"] == 0)
        machine.barrier()


def test_silence_while_somebody_holds_rtnl(machine):
    """eth1 falls silent. No part of the kernels that needs RTNL can run, but the trunks switch over."""
    control = tested(machine)
    before = control.history()[-1]["seq"]
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(RtnlHeld())
        except Skipped:
            machine.barrier()
            machine.barrier()
            raise
        machine.barrier()
        if machine.role == "server":
            machine.lose(1, "both")
        eventually(lambda: 1 not in observed(), "eth1 has no buckets")
        switched = time.monotonic_ns()
        machine.barrier()
    over = [event for event in control.history() if event["kind"] == "failover" and event["seq"] > before]
    equal([event["port-name"] for event in over], ["eth1"], "ports that failed")
    expect(over[0]["time"] < switched, f"it switched only when RTNL was free: {over}")
    if machine.role == "server":
        machine.lose(1, "none")
    states(control, {})


def test_the_peers_module_goes_and_comes(machine):
    """After a goodbye the other end goes by carrier. Without one, the peer has died, and another one comes."""
    control = tested(machine)
    if machine.role == "switch":
        unload()
        machine.barrier()  # the goodbye was heard
        tested(machine)
        machine.barrier()  # all is silent
        unload()
        machine.barrier()
        trunk(SETTINGS)
        machine.barrier()
        return
    eventually(lambda: not any(port.get("probed") for port in control.ports().values()), "all go by carrier")
    states(control, {nic: "act|no-carrier" for nic in NICS})
    kinds = [event["kind"] for event in control.history()]
    kinds = kinds[kinds.index("peer-bye") :]  # before that, one of the machines may have stood still
    equal((kinds.count("peer-bye"), kinds.count("peer-lost")), (4, 0), "goodbyes")
    machine.barrier()
    eventually(lambda: all(port.get("probed") for port in control.ports().values()), "all peers are found")
    states(control, {})
    machine.barrier()
    before = control.port("eth0")["peer"]["system"]
    for index in range(4):
        machine.lose(index, "both")
    states(control, dict.fromkeys(NICS, "peer-silent|no-carrier|probe-timeout"))
    machine.barrier()
    machine.barrier()  # the switch has no trunk now
    for index in range(4):
        machine.lose(index, "none")
    machine.barrier()  # it has another one
    states(control, {})
    expect(control.port("eth0")["peer"]["system"] != before, "the system is the one of before")
    equal([event["reason"] for event in control.history() if event.get("reason") == "peer-mismatch"], [], "mismatches")
