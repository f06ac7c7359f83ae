#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How soon frames arrive again after a link has failed, beside bonding and team, in one guest.

    10,000 frames a second ─► agg0 ─┬─ eth1 ═══ sw1 ─┬─ agg0
                                    ├─ …         …   ┤
                                    └─ eth4 ═══ sw4 ─┘

agg0 is a trunk, a bond, a team, or at the far end a plain bridge. All frames go by one link. This link
loses its carrier at both ends, or all frames both ways with carrier up. It fails ten times, each time at
another time within the interval of its monitor. The time without frames is counted in frames: those that
were sent and did not arrive. A veth that is set down loses frames for some milliseconds before its peer
loses the carrier, above any kind of device.

The guest's only processor takes a nanosecond of the guest's time for an instruction, and none while it
has nothing to do. So the figures do not depend on what else this machine does.
"""

import json
import statistics
import sys

import genl
import hosts
import plain
from lab import *

RATE = 10_000  # frames a second
TRIALS = 10
PORTS = 4
BUDGET_MS = 45  # silence, at an interval of 10 ms and 3 misses
SECONDS = 1.5  # how long a stream lasts


# What is compared: functions that make an end


def trunk(**settings):
    def make(end):
        ip(f"link add agg0 type {KIND}")
        enslave(end)
        control = genl.Control("agg0")
        control.port_set(f"{end}4", priority=2)
        control.set(hold_down=0, **settings)

    return make


def bond(words):
    def make(end):
        ip(f"link add agg0 type bond {words}")
        enslave(end)

    return make


def team(runner, watch):
    def make(end):
        ports = {f"{end}{n}": {} for n in range(1, PORTS + 1)}
        ip("".join(f"link set {port} down\n" for port in ports))
        DAEMONS.append(plain.team("agg0", ports, runner, watch))

    return make


def bridge(end):
    """Makes a plain switch with an address."""
    ip("link add agg0 type bridge mcast_snooping 0 forward_delay 0")
    enslave(end)


def enslave(end):
    for n in range(1, PORTS + 1):
        ip(f"link set {end}{n} down\nlink set {end}{n} master agg0")


ARP = "mode active-backup arp_interval 100 arp_ip_target 192.0.2.2"
FAST, USUAL = trunk(interval=10_000, reply_timeout=10_000, misses=3), trunk()

CARRIER = {"name": "ethtool"}
PING = {"name": "arp_ping", "interval": 100, "missed_max": 3, "source_host": "192.0.2.1", "target_host": "192.0.2.2"}
DAEMONS = []

# name, this end, the other end, failures that are not tried and why
BLIND = {"silence": "not noticed"}
HELD = "trunk, interval 10 ms, RTNL held for a second"
COMPARED = [
    ("trunk, interval 10 ms, misses 3", FAST, FAST, {}),
    (HELD, FAST, FAST, {"carrier": "is lost under RTNL"}),
    ("trunk by default: interval 100 ms, misses 3", USUAL, USUAL, {}),
    ("bonding balance-xor, miimon 100", *[bond("mode balance-xor miimon 100")] * 2, BLIND),
    ("bonding active-backup, miimon 100", bond("mode active-backup miimon 100"), bridge, BLIND),
    ("bonding active-backup, ARP monitor 100", bond(ARP), bridge, {}),
    ("team loadbalance, link watch ethtool", *[team("loadbalance", CARRIER)] * 2, BLIND),
    ("team activebackup, link watch ethtool", team("activebackup", CARRIER), bridge, BLIND),
    ("team activebackup, ARP ping 100", team("activebackup", PING), bridge, {}),
]  # fmt: skip


class Setup:
    """Both ends, cabled, up, and with addresses, and a stream from one to the other."""

    def __init__(self, near, far):
        self.panel, self.near, self.far = hosts.Panel(), Netns(), Netns()
        for n in range(1, PORTS + 1):
            for netns, end in (self.near, "eth"), (self.far, "sw"):
                self.panel.lead(netns, f"{end}{n}")
            self.panel.join(f"eth{n}", f"sw{n}")
        for netns, make, end, last in (self.far, far, "sw", 2), (self.near, near, "eth", 1):
            with netns:
                make(end)
                ip(f"address add 192.0.2.{last}/24 dev agg0\nlink set agg0 up")
                for n in range(1, PORTS + 1):
                    ip(f"link set {end}{n} up")
                eventually(lambda: carrier("agg0"), "the aggregate has carrier")
        with self.far:
            self.to = address("agg0")
            self.tap = Tap("agg0")
        with self.near:
            self.sender = Sender("agg0")
        time.sleep(1)

    def stream(self, stop):
        """A function for a Background: sends frames with numbers, by the clock, for SECONDS."""
        start, number, data = time.monotonic(), 0, bytearray(frame(self.to, mac(1)))
        while number < SECONDS * RATE:
            early = start + number / RATE - time.monotonic()
            if early > 0:
                time.sleep(early)
            struct.pack_into("!I", data, 14, number)
            try:
                self.sender.send(data)
            except OSError:
                pass  # there is no port for it
            number += 1

    def carrying(self):
        """Returns the port by which the frames leave."""
        with self.near:
            before = {f"eth{n}": counters(f"eth{n}")["tx_packets"] for n in range(1, PORTS + 1)}
            time.sleep(0.1)
            grown = {port: counters(port)["tx_packets"] - n for port, n in before.items()}
        return max(grown, key=grown.get)

    def fail(self, port, failure):
        if failure == "carrier":
            self.panel.pull(port)
        else:
            self.panel.lose(port)

    def mend(self, port, failure):
        if failure == "carrier":
            self.panel.plug(port)
        else:
            self.panel.heal(port)


def rtnl_held(setup):
    """Holds RTNL for a second in another process. Fails unless the trunk switches over meanwhile."""
    with RtnlHeld():
        start = time.monotonic_ns()
        time.sleep(1)
        end = time.monotonic_ns()
    with setup.near:
        over = next(e for e in reversed(genl.Control("agg0").history()) if e["kind"] == "failover")
    expect(start < over["time"] < end, f"not while RTNL was held: {over}")


def trial(setup, failure, phase, held):
    """Returns how many frames a failure costs."""
    with Background(setup.stream):
        time.sleep(0.2 + phase)
        port = setup.carrying()
        setup.fail(port, failure)
        if held:
            rtnl_held(setup)
    seen = {number_of(data) for data in setup.tap.take()}
    setup.mend(port, failure)
    time.sleep(1.5)
    setup.tap.take()
    expect(0 in seen and SECONDS * RATE - 1 in seen, "frames arrive at first and again at the end")
    return round(SECONDS * RATE) - len(seen)


def measured(name, near, far, untried):
    rows, setup = [], None
    for failure in "carrier", "silence":
        row = {"name": name, "failure": failure, "unit": "frames lost of 10,000 a second, and as ms", "command": "make bench-failover", "trials": TRIALS}
        rows.append(row)
        if failure in untried:
            row["note"] = untried[failure]
            continue
        setup = setup or Setup(near, far)
        lost = sorted(trial(setup, failure, n * 0.0103, name == HELD) for n in range(TRIALS))
        row["lost"] = {"min": lost[0], "median": round(statistics.median(lost)), "max": lost[-1]}
        row["ms"] = {which: frames * 1000 / RATE for which, frames in row["lost"].items()}
        if near is FAST and failure == "silence":
            row |= {"bar_ms": BUDGET_MS, "ok": row["ms"]["max"] <= BUDGET_MS}
    for daemon in DAEMONS:
        daemon.kill()
    return rows


def in_child(function, *arguments):
    """Calls a function in a process of its own, so that its namespaces end with it. Returns its result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(function(*arguments)).encode())
            os._exit(0)
        except BaseException as error:
            print(f"{brief(arguments)}: {error!r}", flush=True)
            os._exit(1)
    os.close(writing)
    text = b""
    while more := os.read(reading, 65536):
        text += more
    os.close(reading)
    expect(os.waitpid(pid, 0)[1] == 0, f"{brief(arguments)} was not measured")
    return json.loads(text)


def main():
    load()
    for module in "bonding", "team_mode_loadbalance", "team_mode_activebackup":
        run(f"modprobe {module}")
    print(f"ms in which frames were lost, median (least to most) of {TRIALS} failures; frames, ten times as many\n")
    print(f"{'':50}{'carrier lost':^26}{'silence, carrier up':^26}")
    rows = []
    for compared in COMPARED:
        new = in_child(measured, *compared)
        cells = [f"{ms['median']:.1f} ({ms['min']:.1f} to {ms['max']:.1f})" if (ms := row.get("ms")) else row["note"] for row in new]
        print(f"{compared[0]:50}" + "".join(f"{cell:^26}" for cell in cells), flush=True)
        rows += new
    for row in rows:
        if "ok" in row:
            verdict = "ok" if row["ok"] else "MISSED"
            print(f"\n{row['name']}, {row['failure']}: {row['ms']['max']} ms at most, {verdict}: the bar is {row['bar_ms']} ms")
    leave(rows)
    return 0 if all(row.get("ok", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
