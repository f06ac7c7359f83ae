#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A trunk at work: real traffic through four links, a cable pulled, and plugged back."""

import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

import lab
import topology

STREAM_TYPE = 0x88B7  # not the tests' own, so that the map can be looked at meanwhile
TICK = 0.001  # seconds between two frames to the same half of the flows
PORTS = 4
BUCKETS = 32

COLOURED = sys.stdout.isatty() or "lab.color=1" in lab.read("/proc/cmdline")
COLOURS = (36, 33, 32, 35)
SO_TIMESTAMPNS = 35


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOURED else str(text)


def say(text=""):
    print(text, flush=True)


def draw(pulled=None):
    rows = []
    for n in range(PORTS):
        left = ("trunk0 ─┬─", "        ├─", "        ├─", "        └─")[n]
        right = ("─┐", "─┼─ br0 ─ sw0 ───── client0", "─┤", "─┘")[n]
        cable = "───  ✂  ───" if n == pulled else "───────────"
        cable = paint(f"eth{n + 1} {cable} sw{n + 1}", 31 if n == pulled else COLOURS[n])
        rows.append(f"  {left} {cable} {right}")
    say(paint("  server                     switch              client", 1))
    say("\n".join(rows))


def show(star, table, before=None):
    """The bucket map as a row of port numbers, and what each port has carried since."""
    say("  table   " + "".join(paint(port + 1, COLOURS[port]) for port in table))
    with star.server:
        now = [lab.counters(port)["tx_packets"] for port in star.ports]
    for n, port in enumerate(star.ports):
        sent = now[n] - (before[n] if before else 0)
        line = f"{port}   {table.count(n):3} buckets   {sent:8} frames sent"
        say("          " + paint(line, COLOURS[n]))
    return now


# The stream: flows are destination addresses, two for each bucket. One frame in two belongs to a
# bucket of the port that will be pulled. Each carries its number and when it was sent.


def flow_address(flow):
    return lab.mac(0xDE000000 + flow)


def learn(star):
    """The client speaks once as each of the flows' addresses, so that the switch knows them."""
    with star.client:
        sender = lab.Sender("client0")
        for flow in range(2 * BUCKETS):
            sender.send(lab.frame(lab.BROADCAST, flow_address(flow), flow))


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
    """A tap that knows when each frame came."""

    def __init__(self, dev):
        super().__init__(dev, type=STREAM_TYPE)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def take(self):
        got = []
        while True:
            try:
                data, ancillary, _, origin = self.socket.recvmsg(64, 64)
            except BlockingIOError:
                return got
            except OSError:
                continue
            if not self.wanted(origin):
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            number, flow, sent = struct.unpack_from("!IHQ", data, 14)
            got.append((number, flow, sent, seconds * 1_000_000_000 + nanoseconds))


def judge(by_link, at_client, table, victim):
    """What the switch's links and the client have seen of the stream, as a dictionary."""
    seen = {}  # number → (link, flow, sent, came)
    for link, frames in enumerate(by_link):
        for number, flow, sent, came in frames:
            seen[number] = (link, flow, sent, came)
    total = max(seen) + 1
    lost = set(range(total)) - {number for number, *_ in at_client}
    moved, own = set(), set()
    for link, flow, _, _ in seen.values():
        home = table[flow % BUCKETS]
        if home == victim:
            own.add(flow)
        elif link != home:
            moved.add(flow)
    # Even numbers are those for the cable that was pulled. Around the pull: the last that came by it,
    # and the first that came by another.
    even = [number for number in sorted(seen) if number % 2 == 0]
    for last, first in zip(even, even[1:]):
        if seen[last][0] == victim and seen[first][0] != victim:
            break
    else:
        raise lab.Failed("the stream never changed cables")
    # The frame after the last was the first that needed another cable; if it is lost, its fellow of
    # the same tick was sent just after it.
    needed = last + 2 if last + 2 in seen else last + 3
    usual = statistics.median(came - sent for _, _, sent, came in seen.values())
    return {
        "total": total,
        "lost": len(lost),
        # A frame on a cable as it is cut is nobody's to save.
        "cut": len([number for number in lost if number % 2 == 0 and last - 16 < number < first]),
        "moved": moved,
        "own": own,
        "switch": max(0, seen[first][3] - seen[needed][2] - usual),
    }


def main():
    started = time.monotonic()
    star = topology.build()
    say("A trunk of four links, on " + os.uname().release + ":")
    draw()
    with star.server:
        source = lab.address("trunk0")
    with star.client:
        client = lab.address("client0")
        listener = subprocess.Popen(["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at_client = Receiver("client0")
    with star.switch:
        receivers = [Receiver(far) for far in star.far]
    learn(star)
    table = star.map()
    victim = table[lab.low(client) % BUCKETS]  # the port that ping and iperf3 use
    flows = range(2 * BUCKETS)
    own = [flow for flow in flows if table[flow % BUCKETS] == victim]
    others = [flow for flow in flows if table[flow % BUCKETS] != victim]

    with star.server:
        lab.attempt("ping -n -q -c 1 192.0.2.2")  # resolves the address
        ping = subprocess.Popen(["ping", "-n", "-q", "-i", "0.02", "192.0.2.2"], stdout=subprocess.PIPE, text=True)
        iperf3 = subprocess.Popen(
            ["iperf3", "-J", "-c", "192.0.2.2", "-t", "10", "-b", "50M"], stdout=subprocess.PIPE, text=True
        )
        running = lab.Background(stream(source, own, others))
        running.__enter__()

    say("\nA ping, an iperf3 and a stream of 2,000 numbered frames a second run through it:")
    time.sleep(2.5)
    before = show(star, star.map())

    say(f"\nThe cable of eth{victim + 1} is pulled. All of them used it.")
    draw(pulled=victim)
    star.pull(victim)
    away = star.map()
    time.sleep(2.5)
    before = show(star, away, before)

    say("\nIt is plugged back.")
    star.plug(victim)
    lab.eventually(lambda: star.map() == table, "the port has its buckets back")
    time.sleep(2.5)
    show(star, star.map(), before)

    report = json.loads(iperf3.communicate()[0])
    running.__exit__()
    ping.send_signal(2)
    sent, answered = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", ping.communicate()[0]).groups())
    listener.kill()
    end = judge([tap.take() for tap in receivers], at_client.take(), table, victim)
    strays = sum(1 for bucket, port in enumerate(away) if table[bucket] not in (port, victim))
    spread = len({away[flow % BUCKETS] for flow in own})
    tcp = report["end"].get("sum_sent", {"bits_per_second": 0, "retransmits": 0})

    def line(what, figure):
        say(f"  {what:31}{figure}")

    say("\n" + paint("Summary", 1))
    line("frames lost", f"{end['lost']} of {end['total']}" + (f", {end['cut']} on the cable as it was cut" if end["cut"] else ""))
    line("pings lost", f"{sent - answered} of {sent}")
    line("flows moved on healthy ports", f"{len(end['moved'])} of {len(others)}, {strays} buckets")
    line("flows of the pulled cable", f"{len(end['own'])}, spread over {spread} other ports, and back")
    line("time to switch", f"{end['switch'] / 1e6:.2f} ms, from sending the first frame that needed another port")
    line("", "until it came by that, less what a frame usually takes")
    line("iperf3", f"{tcp['bits_per_second'] / 1e6:.0f} of 50 Mbit/s, {tcp['retransmits']} retransmits")
    line("the demo took", f"{time.monotonic() - started:.0f} s")
    good = end["lost"] == end["cut"] and not end["moved"] and strays == 0 and "error" not in report
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
