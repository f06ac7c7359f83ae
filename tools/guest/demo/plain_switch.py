#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Shows a server at a plain switch, with a trunk and then with a bond: what each client sees while links fail."""

import collections
import contextlib
import itertools
import mmap
import socket
import struct
import sys
import time

import lab
import plain
from hosts import Panel

DRAWING = """\
  vm (silent) ─ v0 ─┐         ┌─ eth1 ─────── sw1 ─┐         ┌─ client1   to the server, and from it
                    br1 ─ agg0┼─ eth2 ─────── sw2 ─┤         ├─ client2   to the virtual machine
  server ───────────┘         └─ eth3 ─────── sw3 ─┴─ switch ┴─ client3   to the group 239.1.2.3
                                 (spare)            snoops, with a querier"""

KINDS = ("trunk", plain.BOND)
TICK = 0.005  # seconds between two datagrams of a stream
CALM = 2  # seconds before and after each failure
GROUP = "239.1.2.3"
SO_RCVBUFFORCE = 33
SWITCH = ("mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 100 mcast_startup_query_interval 100 "
          "mcast_membership_interval 60000")  # fmt: skip


def say(text=""):
    print(text, flush=True)


class Stream:
    """Numbered datagrams from a host to an address, and what arrives of them."""

    ports = itertools.count(2000)

    def __init__(self, name, source, address, target, group=None):
        self.name, self.port = name, next(self.ports)
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.address = address
        with target:
            self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
            self.socket.bind(("::" if self.family == socket.AF_INET6 else "0.0.0.0", self.port))
            self.socket.setblocking(False)
            if group:
                member = struct.pack("4s4si", socket.inet_aton(address), bytes(4), socket.if_nametoindex(group))
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.next = mmap.mmap(-1, 4)  # shared with the sender
        with source:
            self.sender = lab.Background(self.go)
            self.sender.__enter__()
        self.arrived = []

    def go(self, stop):
        sender = socket.socket(self.family, socket.SOCK_DGRAM)
        sender.setblocking(False)
        number, due = 0, time.monotonic()
        while not stop():
            with contextlib.suppress(OSError):  # is lost, as one that is lost on the way
                sender.sendto(struct.pack("!IQ", number, time.monotonic_ns()), (self.address, self.port))
            number += 1
            struct.pack_into("!I", self.next, 0, number)
            due = max(due + TICK, time.monotonic() - 0.1)
            time.sleep(max(0, due - time.monotonic()))

    def take(self):
        """Takes what has arrived. Returns whether something has in the last two tenths of a second."""
        with contextlib.suppress(BlockingIOError):
            while data := self.socket.recv(100):
                self.arrived.append(struct.unpack("!IQ", data))
        return bool(self.arrived) and time.monotonic_ns() - self.arrived[-1][1] < 200_000_000

    def sent(self):
        """Returns the number of the next datagram."""
        return struct.unpack_from("!I", self.next)[0]

    def between(self, first, end):
        """Returns of the datagrams from number `first` on and before `end`: how many there are, how many are lost,
        how many came twice, and for how long all were lost at most, in ms."""
        seen = collections.Counter(number for number, _ in self.arrived)
        lost = row = longest = 0
        for number in range(first, end):
            row = 0 if number in seen else row + 1
            lost, longest = lost + bool(row), max(longest, row)
        twice = sum(seen[number] > 1 for number in range(first, end))
        return {"of": end - first, "lost": lost, "twice": twice, "gap": longest * TICK * 1000}

    def end(self):
        self.sender.__exit__()
        self.socket.close()


class World:
    """The topology, with an aggregate of that kind."""

    def __init__(self, kind):
        self.kind, self.panel = kind, Panel()
        self.server, self.switch = lab.Netns(ipv6=True), lab.Netns()
        self.vm, self.clients = lab.Netns(), [lab.Netns(ipv6=True) for _ in range(3)]
        ports = ["eth1", "eth2", "eth3"]
        for n, port in enumerate(ports, 1):
            self.panel.lead(self.server, port)
            self.panel.lead(self.switch, f"sw{n}")
            self.panel.join(port, f"sw{n}", groups=False)
        for n, client in enumerate(self.clients, 1):
            plain.cable(self.switch, f"p{n}", client, "c0")
        plain.bridge(self.switch, ["sw1", "sw2", "sw3", "p1", "p2", "p3"], words=SWITCH)
        plain.cable(self.server, "v0", self.vm, "v1")
        with self.server:
            plain.aggregate(kind, ports)
        plain.bridge(self.server, ["v0", "agg0"], dev="br1", words="mcast_snooping 1")
        self.forward()
        for netns, dev, last in ((self.server, "br1", 1), (self.vm, "v1", 9), *((c, "c0", 10 + n) for n, c in enumerate(self.clients, 1))):
            with netns:
                lab.ip(f"address add 192.0.2.{last}/24 dev {dev}")
                if netns is not self.vm:
                    lab.ip(f"address add 2001:db8::{last}/64 dev {dev} nodad")
        one, two, three = self.clients
        with self.vm:
            lab.attempt("ping -n -q -c 1 192.0.2.12")  # all it ever says
        self.streams = [
            Stream("to the server", one, "192.0.2.1", self.server),
            Stream("to the server, IPv6", one, "2001:db8::1", self.server),
            Stream("from the server", self.server, "192.0.2.11", one),
            Stream("to the silent machine", two, "192.0.2.9", self.vm),
            Stream("to a group", three, GROUP, self.server, group="br1"),
        ]
        with three:
            lab.ip("route add 239.0.0.0/8 dev c0")
        self.flow("all streams arrive")

    def forward(self):
        """Waits until the bridges forward by all ports."""
        for netns, ports in (self.switch, [f"sw{n}" for n in (1, 2, 3)] + [f"p{n}" for n in (1, 2, 3)]), (self.server, ["v0", "agg0"]):
            with netns:
                for port in ports:
                    lab.eventually(lambda: lab.forwards(port), f"{port} forwards")

    def flow(self, what, patient=True):
        """Waits until all streams arrive, or for ten seconds."""
        give_up = time.monotonic() + 10
        done = lambda: all([stream.take() for stream in self.streams]) or not patient and time.monotonic() > give_up
        lab.eventually(done, what)

    def happens(self, change):
        """Changes links, and returns what each stream saw from then on."""
        first = [stream.sent() for stream in self.streams]
        change(self.panel)
        time.sleep(CALM)
        self.flow("all streams arrive again", patient=False)
        end = [stream.sent() for stream in self.streams]
        time.sleep(0.3)  # what is on the way arrives
        self.flow("all streams arrive again", patient=False)
        return {stream.name: stream.between(a, b) for stream, a, b in zip(self.streams, first, end)}

    def end(self):
        for stream in reversed(self.streams):
            stream.end()
        for netns in (self.server, self.switch, self.vm, *self.clients, self.panel.netns):
            netns.delete()


def pull(*ports, both=True):
    return lambda panel: [panel.pull(port, both=both) for port in ports]


def plug(*ports):
    def go(panel):
        for port in ports:
            panel.plug(port)

    return go


STEPS = [
    ("eth1: its carrier is lost, not that of sw1", pull("eth1", both=False)),
    ("eth1 is back", plug("eth1")),
    ("eth2 is pulled", pull("eth2")),
    ("eth2 is back", plug("eth2")),
    ("eth1 and eth2 are pulled", pull("eth1", "eth2")),
    ("both are back", plug("eth1", "eth2")),
]


def cell(figures):
    text = f"{figures['lost']} of {figures['of']}"
    if figures["lost"]:
        text += f", {figures['gap']:.0f} ms"
    return text + (f", {figures['twice']} twice" if figures["twice"] else "")


def main():
    started = time.monotonic()
    say(DRAWING)
    say(f"\nEach stream has a datagram every {TICK * 1000:.0f} ms. The virtual machine says nothing after the first second.")
    found = {}
    for kind in KINDS:
        world = World(kind)
        for what, change in STEPS:
            found[kind, what] = world.happens(change)
            say(f"  {time.monotonic() - started:4.0f} s  {kind}: {what}")
        world.end()
    say(f"\n{'lost, and for how long at most':44}" + "".join(f"{kind:28}" for kind in KINDS))
    for what, _ in STEPS:
        say(what)
        for name in found[KINDS[0], what]:
            say(f"  {name:42}" + "".join(f"{cell(found[kind, what][name]):28}" for kind in KINDS))
    say(f"\nThe demo took {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
