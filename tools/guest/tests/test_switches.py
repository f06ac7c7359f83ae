# SPDX-License-Identifier: GPL-2.0
"""A server and its switches. Each frame takes the links of the tables and arrives once, and the server never
moves. After a failure, all hosts that have a path left are reached.

The layouts are samples/topologies/one-switch.sh and two-switches.sh, which have drawings.
"""

import collections

from lab import *
from layouts import *
from test_trunkctl import Teller

LAYOUTS = ["one-switch", "two-switches"]
FIRST = 0xFFFFFFFF  # number of frames by which bridges learn addresses


def everybody_is_known(layout, senders):
    """Sends a broadcast from each client and from the server, so that all bridges know where they are."""
    with layout.netns["server"]:
        tap = Tap("trunk0")
    senders["server"].send(frame(BROADCAST, layout.server.address, FIRST))
    for address, client in layout.homes.items():
        senders[client].send(frame(BROADCAST, address, FIRST))
    got = []
    eventually(lambda: got.extend(tap.take()) or len(got) >= len(layout.homes), "all broadcasts come")
    equal(sorted(data[6:12] for data in got), sorted(layout.homes), "who sent the broadcasts that the server takes")


def senders_of(layout):
    """Returns a sender for the server's trunk and for each client."""
    senders = {}
    for name, dev in [("server", "trunk0")] + [(client, "eth0") for client in CLIENTS]:
        with layout.netns[name]:
            senders[name] = Sender(dev)
    return senders


def seen_at(taps, count):
    """Waits until `count` frames came in all. Returns number of the frame → ends of cables where it came in, and
    the order at each end."""
    seen, total, end = collections.defaultdict(list), 0, None
    order = {place: [] for place in taps}
    while True:
        new = 0
        for place, tap in taps.items():
            for number in filter(FIRST.__ne__, map(number_of, tap.take())):
                seen[number].append(place)
                order[place].append(number)
                new += 1
        total += new
        now = time.monotonic()
        if new:
            end = None
        elif end is None:
            end = now + (0.2 if total >= count else 10)
        elif now > end:
            return seen, order
        time.sleep(0.02)


@repeats
@cases(*LAYOUTS, "one-switch, STP", "two-switches, STP", alike=True)
def test_each_frame_takes_the_links_of_its_addresses(case):
    """
    64 clients ─ … ─ switch ═ server    source and destination decide by which links a frame goes, both
                                        ways and between clients; all receive a broadcast once; no
                                        frame is anywhere else, and those of a pair stay in order
    """
    script, _, stp = case.partition(", ")
    with Layout(script, **({"STP": 1} if stp else {})) as layout:
        server, senders = layout.server.address, senders_of(layout)
        everybody_is_known(layout, senders)
        random, wanted, frames = seeded(), {}, []
        addresses = list(layout.homes)

        def add(dst, src):
            wanted[len(frames)] = layout.way(dst, src)
            sender = "server" if src == server else layout.homes[src]
            frames.append((sender, frame(dst, src, len(frames)), (dst, src)))

        for turn in range(count(4)):
            for client in addresses:
                add(server, client)
                add(client, server)
                other = random.choice([a for a in addresses if layout.homes[a] != layout.homes[client]])
                add(other, client)
        for client in addresses:
            add(BROADCAST, client)
        for turn in range(count(20, 4)):
            add(BROADCAST, server)

        # Earlier frames are not counted.
        time.sleep(0.2)
        taps = layout.taps()
        stations = {name: station_tap(layout, name) for name in senders}
        with on_one_cpu():
            for sender, data, _ in frames:
                senders[sender].send(data)
        seen, order = seen_at(taps, sum(map(len, wanted.values())))
        for number, (sender, _, (dst, src)) in enumerate(frames):
            got = sorted(seen.pop(number, []))
            equal(got, sorted(wanted[number]), f"where frame {number} of {sender}, {show(src)} to {show(dst)}, came in")
        equal(dict(seen), {}, "frames that nobody sent")

        pairs = {number: pair for number, (_, _, pair) in enumerate(frames)}
        for place, numbers in order.items():
            last = {}
            for number in numbers:
                expect(last.get(pairs[number], -1) < number, f"{number} came after {last.get(pairs[number])} at {place}")
                last[pairs[number]] = number

        # What the stations themselves take.
        took = {name: collections.Counter(map(number_of, tap.take())) for name, tap in stations.items()}
        for number, (sender, _, (dst, src)) in enumerate(frames):
            for name in stations:
                mine = name == "server" and dst == server or layout.homes.get(dst) == name
                want = int(mine or dst == BROADCAST and name != sender)
                equal(took[name][number], want, f"copies of frame {number} of {sender} that {name} takes")
        used = {place for ends in wanted.values() for place in ends}
        equal(set(taps), used, "every cable was used, both ways")


def station_tap(layout, name):
    with layout.netns[name]:
        return Tap("trunk0" if name == "server" else "eth0")


def moves(layout, fdbs):
    """Returns for each switch the devices at which it has found the server's address since the last call."""
    found = collections.defaultdict(list)
    for name, fdb in fdbs.items():
        with layout.netns[name]:
            for kind, index, address in fdb.take():
                if kind == RTM_NEWNEIGH and address == layout.server.address:
                    found[name].append(socket.if_indextoname(index))
    return found


@trodden
@cases("pinned", "not pinned", alike=True)
def test_a_server_on_two_switches_does_not_move(case):
    """
    switch-a ─ isl ─ switch-b    each sees the server's frames come by its trunk, and by the other
        ╚═ server ═╝             switch; its address table reports no move. Without `trunkctl pin`
                                 it does
    """
    pinned = case == "pinned"
    # No link must fail, however late an answer is.
    with Layout("two-switches", PIN="1" if pinned else "", SETTINGS=SETTINGS.replace("misses 3", "misses 30")) as layout:
        server, senders = layout.server.address, senders_of(layout)
        everybody_is_known(layout, senders)
        isl = {}
        for name in layout.switches:
            with layout.netns[name]:
                isl[name] = Taps(["isl1", "isl2"])
        fdbs = {name: Fdb(layout.netns[name]) for name in layout.switches}
        clients = list(layout.homes)
        came = dict.fromkeys(isl, 0)
        found = collections.defaultdict(list)
        end, sent = time.monotonic() + (count(60, 2, on_stock=0.1) if pinned else 2), 0

        def over():
            """Sends frames. Returns whether the time is over, enough frames of the server were seen on isl and,
            if it is to move, all moves were reported."""
            nonlocal sent
            for client in clients:
                senders["server"].send(frame(client, server, sent))
                senders[layout.homes[client]].send(frame(server, client, sent + 1))
                sent += 2
            senders["server"].send(frame(BROADCAST, server, sent))
            time.sleep(0.05)
            for name, taps in isl.items():
                came[name] += sum(data[6:12] == server for tap in taps.taps for data in tap.take())
            for name, devs in moves(layout, fdbs).items():
                found[name] += devs
            moved = pinned or all({"isl", "trunk0"} <= set(found[name]) for name in isl)
            return time.monotonic() > end and min(came.values()) > 10 and moved

        eventually(over, lambda: f"the server is seen on isl, and moves unless it is pinned: {came}, {dict(found)}")
        for name in layout.switches:
            note(f"{sent} frames; {name} told {len(found[name])} moves of the server")
        if pinned:
            expect(not any(found.values()), f"moves of the server: {dict(found)}")
            expect(not any(fdb.lost for fdb in fdbs.values()), "not all was told")


# What is pinned


# As in trunk-pin@.service: the user nobody with one capability.
RIGHTS = """setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set -all,+net_admin
    --inh-caps -all,+net_admin --ambient-caps -all,+net_admin""".split()


class Pin(Teller):
    """Runs `trunkctl pin`, and reads its output."""

    def __init__(self, netns, words=""):
        with netns:
            super().__init__(f"pin {words}", RIGHTS)
        self.heard = 0

    def told(self):
        """Returns the output since the last call: "pin ADDRESS trunk0" …"""
        new = self.look()[self.heard :]
        self.heard += len(new)
        return [f"{line['event']} {line['address']} {line['trunk']}" for line in new]

    def tells(self, *wanted):
        got = []
        eventually(lambda: got.extend(self.told()) or len(got) >= len(wanted), f"it tells {wanted}")
        equal(sorted(got), sorted(wanted), "what it tells")


@repeats
def test_what_is_pinned_follows_the_links():
    """
    bridge ─ trunk0 ═ server    pinned while a link leads there: silent links, carrier, the trunk down,
                                another address, the trunk made again or out of the bridge; for
                                all VLANs, also after a flush; nothing is left at the end
    """
    with Layout("one-switch") as layout:
        switch, server = layout.netns["switch"], show(layout.server.address)
        at = lambda address: [e for e in layout.bridge("switch", "fdb show dev trunk0") if e["mac"] == address]
        sticky = lambda address: bool(at(address)) and all("sticky" in entry["flags"] for entry in at(address))
        pin = Pin(switch)
        pin.tells(f"pin {server} trunk0")
        expect(sticky(server), f"not pinned: {at(server)}")

        ports = [("server", f"eth{n}") for n in range(1, 5)] + [("switch", f"sw{n}") for n in range(1, 5)]
        for part in ports[:3], ports:
            spoil(layout, ports if part is ports else ports[:3], loss=1)
            if part is ports:
                pin.tells(f"unpin {server} trunk0")
                equal(at(server), [], "entries while all links are silent")
            else:
                eventually(lambda: len(layout.switches["switch"].acts()) == 1, "one link is left")
                equal(pin.told(), [], "what is told while one link is left")
            spoil(layout, ports)
            eventually(lambda: len(layout.switches["switch"].acts()) == 4, "all links are back")
        pin.tells(f"pin {server} trunk0")

        with switch:
            ip("\n".join(f"link set sw{n} down" for n in range(1, 5)))
            pin.tells(f"unpin {server} trunk0")
            ip("\n".join(f"link set sw{n} up" for n in range(1, 5)))
            pin.tells(f"pin {server} trunk0")
            run("bridge fdb flush dev br0")
            eventually(lambda: sticky(server), "pinned again after a flush")
            if attempt("ip link set br0 type bridge vlan_filtering 1").returncode:
                note("this kernel's bridges know no VLANs")
            else:
                run("bridge vlan add vid 7 dev trunk0")
                eventually(lambda: {e.get("vlan") for e in at(server)} >= {1, 7}, "pinned on the VLANs 1 and 7")
                expect(sticky(server), f"not all are sticky: {at(server)}")
            equal(pin.told(), [], "what is told of flushes and VLANs")
            ip("link set trunk0 nomaster")
            pin.tells(f"unpin {server} trunk0")
            ip("link set trunk0 master br0")
            pin.tells(f"pin {server} trunk0")
        with layout.netns["server"]:
            ip("link set trunk0 address 02:00:00:00:00:99")
        pin.tells(f"unpin {server} trunk0", "pin 02:00:00:00:00:99 trunk0")
        with switch:
            ip("link del trunk0")
            pin.tells("unpin 02:00:00:00:00:99 trunk0")
            run("trunkctl add trunk0 role switch port sw1 port sw2")
            ip("""link set trunk0 up
                  link set trunk0 master br0""")
        pin.tells("pin 02:00:00:00:00:99 trunk0")
        pin.end()
        equal(pin.process.returncode, 0, "exit status")
        pin.tells("unpin 02:00:00:00:00:99 trunk0")
        equal(at("02:00:00:00:00:99"), [], "entries at the end")

        behind = Pin(switch, "trunk0 address 02:00:00:00:00:77")
        behind.tells("pin 02:00:00:00:00:77 trunk0", "pin 02:00:00:00:00:99 trunk0")
        with switch:
            equal(attempt("trunkctl pin trunk0 trunk1 address 02:00:00:00:00:77").returncode, 1, "two trunks and an address")
        behind.end()


# Failures


@repeats
@cases(*LAYOUTS, alike=True)
def test_who_has_a_path_left_is_answered(script):
    """
    client ─ … ─ switch ═ server    TCP connections and datagrams both ways, while each link, all links
                                    of a switch, a switch, the cables between and pairs fail, by
                                    carrier or silently: only hosts without a path are cut off
    """
    with Layout(script) as layout, Failing(layout) as world:
        if layout.two:
            apart = by_other_switch(layout, world.own)
            expect(0 < len(apart) < len(CLIENTS), f"clients that depend on isl: {apart}")
            way = lambda client: layout.way(world.own[client], layout.server.address)
            cables = {dev for client in apart for _, dev in way(client) if dev.startswith("isl")}
            equal(cables, {"isl1", "isl2"}, "cables between the switches that are used")
        all_of_them = list(failures(world))
        # One failure of each kind is enough where all takes ten times as long.
        for what, change, cut in all_of_them[:: 4 if SLOW else 1]:
            note(str(world.fails(what, change, cut)))
