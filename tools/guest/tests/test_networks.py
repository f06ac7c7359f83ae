# SPDX-License-Identifier: GPL-2.0
"""A server with two links in networks as people have them, with a trunk and with what else there is.

    server                       switch                    client
    agg0 ─┬─ eth1 ══ cable ══ sw1 ─┬─ br0 ── p0 ══ cable ══ c0
          └─ eth2 ══ cable ══ sw2 ─┘

Each figure is taken three times: at first, after the first link has failed, and after it is back. The results must be
those of Documentation/networking/trunk-interop.rst, and a trunk must not be worse than the best of the others.
"""

import contextlib

from lab import *
from plain import *

DOCUMENT = "/tests/trunk-interop.rst"
COLUMNS = ("unicast", "broadcast", "back", "group", "ARP", "ND")
GROUP, NUMBER = "239.1.2.3", 20
BOTH = "trunk, both work"
KINDS = ("trunk", BOTH, BOND, TEAM, XOR)
QUERIER = "mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 100 mcast_startup_query_interval 100"
NETWORKS = {
    "a switch": "mcast_snooping 0",
    "one that floods": "mcast_snooping 0",
    "one that forgets": "mcast_snooping 0 ageing_time 1",
    "one that snoops": QUERIER,
    "one that forwards link-local frames": "mcast_snooping 0 group_fwd_mask 0xfff8",
    "one that tags with VLAN ID 0": "mcast_snooping 0",
    "a bridge above, and a machine": "mcast_snooping 0",
}


def documented():
    """Returns the rows of the table: (network, aggregate) → column → text."""
    with open(DOCUMENT) as file:
        lines = file.read().splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("network") and "unicast" in line)
    rows, network = {}, None
    for line in lines[head + 2 :]:
        if line.startswith("=="):
            return rows
        name, kind, *cells = re.split(r"  +", line.strip())
        network = network if name == "\\" else name
        rows[network, kind] = dict(zip(COLUMNS, cells, strict=True))


class World:
    def __init__(self, network, kind, stack):
        net = self.net = Plain(kind.split(",")[0], spare=kind not in (BOTH, XOR), switch=NETWORKS[network])
        if "floods" in network:
            with net.switch:
                for port in net.far:
                    run(f"bridge link set dev {port} learning off")
                ip("link set br0 type bridge fdb_flush")
        if "tags" in network:
            self.tags(stack)
        self.home, self.dev, self.target = net.server, "agg0", net.mac
        self.pause = 1 if "tags" in network else 0.2  # a process passes frames on
        if "machine" in network:
            net.machine()
            self.home, self.dev, self.target = net.vm, "v1", net.vm_mac
            for netns, name, last in (net.vm, "v1", 1), (net.client, "c0", 2):
                with netns:
                    ip(f"address flush dev {name}\naddress add 192.0.2.{last}/24 dev {name}\naddress add 2001:db8::{last}/64 dev {name} nodad")
        else:
            net.addressed()
        with self.home:
            self.sender, self.tap = Sender(self.dev), Tap(self.dev)
            self.member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.member.bind((GROUP, 9))
            self.member.setblocking(False)
            self.member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                   struct.pack("4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex(self.dev)))  # fmt: skip
        with net.client:
            ip("route add 239.0.0.0/8 dev c0")
            run("ethtool -K c0 tx off")  # a process cannot add checksums
            self.client, self.speaker = Sender("c0"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if "snoops" in network:
            time.sleep(5)  # a querier has to ask, and reports have to come

    def tags(self, stack):
        """A process becomes the cable of each port. It puts a tag with VLAN ID 0 on what comes to the server."""
        net, middle = self.net, Netns()
        for port, far in zip(net.ports, net.far):
            with net.switch:
                ip(f"link set {far} down\nlink set {far} nomaster\nlink set {far} name wire\nlink set wire netns {middle.path}")
            with middle:
                ip(f"link set wire name to-{port}\nlink set to-{port} up")
            cable(middle, f"to-{far}", net.switch, far)
            with net.switch:
                ip(f"link set {far} master br0")
                eventually(lambda: forwards(far), f"br0 forwards by {far}")
            with middle:
                stack.enter_context(Background(tagging(f"to-{port}", f"to-{far}")))
        plain = net.pull

        def pull(port, plug=False):
            far = port.replace("eth", "sw")
            with middle:
                Rtnetlink().up(f"to-{port}", plug)
                Rtnetlink().up(f"to-{far}", plug)
            plain(port, plug)

        net.pull = pull

    def figures(self):
        """Returns what is seen now, a text for each column."""
        time.sleep(3)  # a trunk hears a port that was in use a little longer
        self.hello()
        self.tap.take()
        numbers = range(NUMBER)
        for n in numbers:
            self.client.send(frame(self.target, self.net.client_mac, n))
        time.sleep(self.pause)
        unicast = copies(self.tap.take(), numbers)
        for n in numbers:
            self.client.send(frame(BROADCAST, self.net.client_mac, n))
        time.sleep(self.pause)
        broadcast = copies(self.tap.take(), numbers)
        # As a machine behind the aggregate, or as the host itself.
        for n in numbers:
            self.sender.send(frame(BROADCAST, self.target, n))
        time.sleep(self.pause)
        back = copies(self.tap.take(), numbers)
        for n in numbers:
            self.speaker.sendto(b"hello", (GROUP, 9))
            time.sleep(0.002)
        time.sleep(self.pause)
        group = 0
        with contextlib.suppress(BlockingIOError):
            while self.member.recv(100):
                group += 1
        for netns, dev in (self.home, self.dev), (self.net.client, "c0"):
            with netns:
                ip(f"neighbour flush dev {dev}")
        with self.net.client:
            found = [answered(target) for target in ("192.0.2.1", "2001:db8::1")]
        return dict(zip(COLUMNS, (text(unicast), text(broadcast), text(back), str(group), *map(str, found)), strict=True))

    def hello(self):
        """The switch learns where all are."""
        self.sender.send(frame(BROADCAST, self.target))
        self.client.send(frame(BROADCAST, self.net.client_mac))
        time.sleep(self.pause)


def tagging(near, far):
    """Returns a function for a Background: it passes frames between two devices, with a tag in one direction."""

    def go(stop):
        ways = [(Tap(one, type=None), Sender(other, past_queue=True), tag)
                for one, other, tag in ((near, far, b""), (far, near, b"\x81\0\xc0\0"))]  # fmt: skip
        while not stop():
            select.select([tap.socket for tap, *_ in ways], [], [], 0.05)
            for tap, sender, tag in ways:
                with contextlib.suppress(OSError):  # the device is down
                    for data in tap.take():
                        sender.send(data[:12] + tag + data[12:])

    return go


def answered(target):
    """Returns how many of three pings are answered, the most of a few times."""
    best = 0
    for _ in range(4):
        best = max(best, ping(target, 3))
        if best == 3:
            break
    return best


def text(found):
    """Returns how many copies there are of each frame."""
    return " or ".join(map(str, found))


def worth(column, cell):
    """Returns how good a cell is: less is better."""
    figures = [int(number) for number in cell.replace(" or ", " ").split()]
    ideal = {"back": 0, "group": NUMBER, "ARP": 3, "ND": 3}.get(column, 1)
    return max(abs(number - ideal) for number in figures)


def fits(figures, cell):
    """Returns whether the figures of three times are those of a cell, which may name several for each time."""
    times = cell.split(", ")
    times = times * 3 if len(times) == 1 else times
    return all(set(figure.split(" or ")) <= set(time.split(" or ")) for figure, time in zip(figures, times, strict=True))


@repeats
@cases(*NETWORKS)
def test_network(network):
    found = {}
    for kind in KINDS:
        with contextlib.ExitStack() as stack:
            world = World(network, kind, stack)
            phases = [world.figures()]
            for plug in False, True:
                world.net.pull("eth1", plug)
                phases.append(world.figures())
            found[kind] = phases
    # A switch that forgets sends unicast by both links, and only the switch can help.
    for kind, others, columns in ("trunk", (BOND, TEAM, XOR), COLUMNS), (BOTH, (XOR,), COLUMNS[1:]):
        for column in columns:
            for n, phase in enumerate(found[kind]):
                best = min(worth(column, found[other][n][column]) for other in others)
                expect(worth(column, phase[column]) <= best, f"{kind} is worse in {column}: {found}")
    for kind, phases in found.items():
        for column, cell in documented()[network, kind].items():
            figures = [phase[column] for phase in phases]
            expect(fits(figures, cell), f"{kind}, {column}: {figures}; the table has {cell}")
