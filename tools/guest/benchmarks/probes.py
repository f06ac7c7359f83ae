#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Measures 64 links that are tested each millisecond or two: rounds missed, and the CPU time.

    trunk0 ═╤═ eth1 ══════ sw1 ═╤═ trunk0    tests on all links, and replies; the far end only
            ╘═  …           …  ═╛            replies

Both ends are in one guest. Its only processor takes a nanosecond of the guest's time for an instruction,
and does the work of two hosts; a present processor executes two to four instructions per nanosecond. So
beside a program that never rests, the bar is at 2 ms: at 1 ms, that program and the kernel's thread for
received frames each get half of the time, and the probes need more. The processor has no instructions
that clear or copy any number of bytes, since each byte would count as one. The program measures how
much time it gets.
"""

import mmap
import sys

import genl
from failover import in_child
from lab import *

LINKS = 64
CASES = [  # interval in ms, seconds, whether the program runs, whether no round may be missed
    (1, 60, False, False),
    (1, 10, True, False),
    (2, 60, True, True),
    (10, 10, True, True),
]


class Busy:
    """A program that counts as fast as it can."""

    def __enter__(self):
        self.turns = mmap.mmap(-1, 8)
        self.pid = os.fork()
        if self.pid == 0:
            turns = 0
            while True:
                for _ in range(1_000):
                    pass
                turns += 1
                self.turns[:] = turns.to_bytes(8, "little")
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def speed(self, seconds):
        """Returns the turns per second."""
        before, start = int.from_bytes(self.turns, "little"), time.monotonic()
        time.sleep(seconds)
        return (int.from_bytes(self.turns, "little") - before) / (time.monotonic() - start)


class Links:
    """Two trunks in two namespaces, joined by cables."""

    def __init__(self, links=LINKS):
        self.near, self.far = Netns(), Netns()
        with self.near:
            netlink = Rtnetlink()
            netlink.add("trunk0", KIND)
            for n in range(1, links + 1):
                netlink.add(f"eth{n}", "veth", peer=f"sw{n}", netns=self.far)
                netlink.master(f"eth{n}", "trunk0")
            self.control = genl.Control()
        with self.far:
            netlink = Rtnetlink()
            netlink.add("trunk0", KIND)
            for n in range(1, links + 1):
                netlink.master(f"sw{n}", "trunk0")
            genl.Control().set(interval=60_000_000)
            bring_up("trunk0")
        time.sleep(0.5)  # until all its ports are up

    def tested(self, ms, seconds, busy):
        """Returns the rounds due, done, and missed on one of the links, and the speed of the program."""
        self.control.set(interval=ms * 1_000, reply_timeout=ms * 1_000, misses=255)
        with self.near:
            one = {"port": {"ifindex": socket.if_nametoindex("eth1")}}
            Rtnetlink().up("trunk0")
        time.sleep(0.2)  # the ports come up one by one
        before, start = self.control.client.do("port-get", one)["port"], time.monotonic()
        left = busy.speed(seconds) if busy else time.sleep(seconds)
        now, after = time.monotonic(), self.control.client.do("port-get", one)["port"]
        done, missed = (after[name] - before[name] for name in ("rounds", "rounds-missed"))
        expect(after.get("probed"), "the peer was not found")
        return round((now - start) * 1_000 / ms), done, missed, left


def measured(ms, seconds, with_program, strict):
    row = {"name": f"{LINKS} links each {ms} ms, for {seconds} s" + ", while a program never rests" * with_program,
           "unit": "rounds", "command": "make bench-probes"}  # fmt: skip
    if with_program:
        with Busy() as busy:
            alone = busy.speed(2)
            links = Links()
            row["due"], row["done"], row["missed"], left = links.tested(ms, seconds, busy)
            row["cpu_share"] = round(1 - left / alone, 3)
    else:
        row["due"], row["done"], row["missed"], _ = Links().tested(ms, seconds, None)
    row["left_out"] = max(0, row["due"] - row["done"] - 1)
    if strict:
        row["ok"] = row["missed"] == 0 and row["left_out"] == 0
    return row


def main():
    load()
    print(f"{'':56}{'due':>8}{'missed':>8}{'left out':>10}{'CPU':>8}")
    rows = []
    for case in CASES:
        row = in_child(measured, *case)
        share = f"{row['cpu_share']:.1%}" if "cpu_share" in row else ""
        verdict = "" if "ok" not in row else "  ok" if row["ok"] else "  MISSED: none may be"
        print(f"{row['name']:56}{row['due']:8}{row['missed']:8}{row['left_out']:10}{share:>8}{verdict}", flush=True)
        rows.append(row)
    leave(rows)
    return 0 if all(row.get("ok", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
