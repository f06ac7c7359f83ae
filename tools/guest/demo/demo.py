#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Shows two trunks at work: traffic through three links and a spare, and a link that fails in three ways."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

import lab
import topology

STREAM_TYPE = 0x88B7  # not that of the tests, which find the table with their frames
TICK = 0.001  # seconds between two frames to the same half of the flows
INTERVAL = 10_000  # of probes, in µs
PORTS = 4
BUCKETS = 32
MS = 1_000_000  # in ns

COLOURED = sys.stdout.isatty() or "lab.color=1" in lab.read("/proc/cmdline")
COLOURS = (36, 33, 32, 35)


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOURED else str(text)


def say(text=""):
    print(text, flush=True)


def draw(broken=None, how="───────────"):
    rows = []
    for n in range(PORTS):
        left, right = ("trunk0 ─┬─", "        ├─", "        ├─", "        └─")[n], ("─┬─ trunk0", "─┤", "─┤", "─┘ spare")[n]
        cable = how if n == broken else "───────────"
        cable = paint(f"eth{n + 1} {cable} sw{n + 1}", 31 if n == broken else COLOURS[n])
        rows.append(f"  {left} {cable} {right}")
    say(paint("  server                        switch", 1))
    say("\n".join(rows))


def show(pair, table):
    say("  table   " + "".join(paint(port + 1, COLOURS[port]) for port in table))


def buckets(pair):
    """Returns the number of the port, from 0, that carries each bucket of the server."""
    return [pair.server.ports.index(port) for port in pair.server.control.column()]


# The stream: a flow is a destination address; there are two for each bucket. Every second frame belongs
# to a bucket of the port that will fail. A frame carries its number and the time when it was sent.


def flow_address(flow):
    return lab.mac(0xDE000000 + flow)


def stream(source, victims, others):
    def go(stop):
        sender = lab.Sender("trunk0")
        number, due = 0, time.monotonic()
        while not stop():
            tick = number // 2
            for flow in (victims[tick % len(victims)], others[tick % len(others)]):
                body = struct.pack("!HIHQ", STREAM_TYPE, number, flow, time.monotonic_ns())
                sender.flood([(flow_address(flow) + source + body).ljust(60, b"\0")])
                number += 1
            due = max(due + TICK, time.monotonic() - 0.1)
            time.sleep(max(0, due - time.monotonic()))

    return go


class Receiver(lab.Tap):
    """A tap of the stream."""

    def __init__(self, dev):
        super().__init__(dev, type=STREAM_TYPE)

    def frames(self):
        """Returns (number, flow, time when it was sent) of each frame since the last call."""
        return [struct.unpack_from("!IHQ", data, 14) for data in self.take()]


class Failure:
    """A way for a link to fail, and its effects."""

    def __init__(self, name, picture, begin, end):
        self.name, self.picture, self.begin, self.end = name, picture, begin, end

    def happen(self, pair, victim, table):
        """Makes the port fail, repairs it two seconds later, and waits two seconds more."""
        host, port = pair.server, pair.server.ports[victim]
        self.failed = time.monotonic_ns()
        self.begin(pair.panel, port, pair.far[port])
        self.failover = self.wait(host, port, "failover")
        draw(victim, self.picture)
        self.away = buckets(pair)
        show(pair, self.away)
        spare = host.ports.index(self.failover["other-name"]) if "other-name" in self.failover else None
        time.sleep(2)
        # The reason may be known later than the failure; its event comes once it lasts.
        self.reason = [e["reason"] for e in self.told(host, port) if e["kind"] == "port-state"][-1]
        self.noticed = self.since_the_last_reply(pair, port)
        self.mended = time.monotonic_ns()
        self.end(pair.panel, port, pair.far[port])
        self.failback = self.wait(host, port, "failback")
        time.sleep(2)
        self.over = time.monotonic_ns()
        home = self.failback.get("buckets") == self.failover["buckets"] == table.count(victim)
        exact = all(now == (spare if home == victim else home) for now, home in zip(self.away, table))
        self.exact = home and exact and buckets(pair) == table

    def told(self, host, port):
        """Returns the events of a port since the failure."""
        return [e for e in host.control.history() if e.get("port-name") == port and e["time"] > self.failed]

    def wait(self, host, port, kind):
        def event():
            return next((e for e in self.told(host, port) if e["kind"] == kind), None)

        lab.eventually(event, f"{port}: {kind}")
        return event()

    def since_the_last_reply(self, pair, port):
        """Returns the ns from the last reply until the failure was noticed, or None if the server saw that the
        carrier was lost: then the switch may have missed replies, but nobody waited for it.
        Both ends test a link that fails one way, and both miss replies. Either of them may notice it
        first. If the switch does, it informs the server; then its own last reply counts."""
        if self.failover["reason"] == "no-carrier":
            return None
        if "detection-ns" in self.failover:
            return self.failover["detection-ns"]
        first = next((e for e in self.told(pair.switch, pair.far[port]) if "detection-ns" in e), None)
        return first and self.failover["time"] - first["time"] + first["detection-ns"]

    def judge(self, seen, sent, table, victim):
        """Counts the lost frames. `seen`: number → (link, flow, time sent) of the frames that arrived; `sent`:
        the number of frames."""
        moments = {number: came for number, (_, _, came) in seen.items()}
        since = min((n for n, t in moments.items() if t >= self.failed - 50 * MS), default=0)
        until = max((n for n, t in moments.items() if t < self.over), default=sent)
        self.total = until - since
        self.lost = sum(number not in seen for number in range(since, until))
        # Frames with even numbers are for the link that fails: the longest time between two that arrived.
        even = sorted(t for number, t in moments.items() if since <= number < until and number % 2 == 0)
        self.gap = max(later - earlier for earlier, later in zip(even, even[1:]) if earlier < self.mended)
        self.moved = {flow for number, (link, flow, _) in seen.items()
                      if since <= number < until and table[flow % BUCKETS] not in (victim, link)}  # fmt: skip


FAILURES = [
    Failure("the cable is pulled", "───  ✂  ───",
            lambda panel, near, far: panel.pull(near), lambda panel, near, far: panel.plug(near)),
    Failure("all frames are lost, both ways; carrier stays", "─── ░░░ ───",
            lambda panel, near, far: panel.lose(near), lambda panel, near, far: panel.heal(near)),
    Failure("frames to the switch are lost, those from it are not", "─── ◄── ───",
            lambda panel, near, far: panel.spoil(far, loss=1), lambda panel, near, far: panel.spoil(far)),
]  # fmt: skip


def main():
    started = time.monotonic()
    pair = topology.hosts(interval=INTERVAL, reply_timeout=INTERVAL, misses=3, hits=3)
    server, switch = pair.hosts
    say("Two trunks of three links and a spare, on " + os.uname().release + ", tested every 10 ms:")
    draw()
    table = buckets(pair)
    with server.netns:
        source = lab.address("trunk0")
    with switch.netns:
        listener = lab.iperf3_server()
        victim = table[lab.low(lab.address("trunk0")) % BUCKETS]  # the port that ping and iperf3 use
        receivers = [Receiver(far) for far in switch.ports]
    flows = range(2 * BUCKETS)
    own = [flow for flow in flows if table[flow % BUCKETS] == victim]
    others = [flow for flow in flows if table[flow % BUCKETS] != victim]

    with server.netns:
        lab.attempt("ping -n -q -c 1 192.0.2.2")  # resolves the address
        ping = subprocess.Popen(["ping", "-n", "-q", "-i", "0.02", "192.0.2.2"], stdout=subprocess.PIPE, text=True)
        iperf3 = subprocess.Popen(["iperf3", "-J", "-c", "192.0.2.2", "-t", "17", "-b", "20M"], stdout=subprocess.PIPE, text=True)
        running = lab.Background(stream(source, own, others))
        running.__enter__()

    try:
        say("\nA ping, an iperf3 and a stream of 2,000 numbered frames a second run through it:")
        show(pair, table)
        time.sleep(1)
        for failure in FAILURES:
            say(f"\neth{victim + 1}: {failure.name}.")
            failure.happen(pair, victim, table)
        report = json.loads(iperf3.communicate()[0])
        ping.send_signal(2)
        sent, answered = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.communicate()[0]).groups())
    finally:
        # If something fails, nothing keeps the demo from its end.
        running.__exit__()
        for process in ping, iperf3, listener:
            process.kill()
    seen = {number: (link, flow, when) for link, tap in enumerate(receivers) for number, flow, when in tap.frames()}
    for failure in FAILURES:
        failure.judge(seen, max(seen) + 1, table, victim)
    tcp = report["end"].get("sum_sent", {"bits_per_second": 0, "retransmits": 0})

    def row(what, figure):
        say(f"  {what:31}" + "".join(f"{figure(failure):>15}" for failure in FAILURES))

    def ms(time):
        return lambda failure: "at once" if time(failure) is None else f"{time(failure) / MS:.2f} ms"

    say("\n" + paint("Summary", 1) + f"  {'':24}{'pulled':>15}{'silent':>15}{'one way':>15}")
    row("reason", lambda f: f.reason)
    row("noticed, since the last reply", ms(lambda f: f.noticed))
    row("switched over, after that", ms(lambda f: f.failover["switch-ns"]))
    row("longest gap in its flows", ms(lambda f: f.gap))
    row("back, after the repair", ms(lambda f: f.failback["time"] - f.mended))
    row("who stood in", lambda f: f.failover.get("other-name", "all others"))
    row("frames lost", lambda f: f"{f.lost} of {f.total}")
    row("flows moved on healthy ports", lambda f: f"{len(f.moved)} of {len(others)}")
    say(f"  pings lost {sent - answered} of {sent}; iperf3 {tcp['bits_per_second'] / 1e6:.0f} of 20 Mbit/s, {tcp['retransmits']} retransmits")
    if "error" in report:
        say(f"  iperf3: {report['error']}")
    say(f"  the demo took {time.monotonic() - started:.0f} s")
    good = all(failure.exact and not failure.moved for failure in FAILURES) and "error" not in report
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
