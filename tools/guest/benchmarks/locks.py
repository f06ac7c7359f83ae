#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How long a trunk keeps interrupts and bottom halves off while a port fails and returns, and while the
number of buckets changes.

    trunk0 ═╤═ eth1 ══════ sw1 ═╤═ trunk0    eth1 loses its carrier, or all frames both ways; the
            ╘═  …           …  ═╛            last port is the spare

The kernel is Debian's own, and has no tracer for this. So there are probes (kprobe events) at the functions
of the kernel that the module imports, and at those of its locks that switch interrupts or bottom halves. For
each call by the module, or by the kernel's helpers for Rust, they record whether interrupts and bottom
halves were on before it and after it. Each case runs twice: first with probes at all functions, then with
probes only at those where such a time begins or ends. The shorter of both times counts. The report has:

- interrupts off: the longest time from the return of a function that switched interrupts off to the call of
  the function that switched them on, and how many functions the driver called meanwhile. The bar for both
  is 0. The probes do not see interrupts that are switched off and on between two calls.
- bottom halves off, process: the longest such time of bottom halves, outside softirqs.
- bottom halves off, timer: the longest run of a timer of the driver, which is a softirq. The timer sends
  tests, and finds silent links.

The guest's only processor takes a nanosecond of the guest's time for an instruction. A probe takes 1,250
instructions. So a time is 1.25 µs too long, and 1.25 µs more for each probe within it.
"""

import re
import struct
import sys
import time

from failover import in_child
from lab import *
from probes import Links

INTERVAL = 20_000  # of probes, in µs
CASES = [(ports, bits) for bits in (5, 16) for ports in (4, 64)]
TRACING = "/sys/kernel/tracing"
IF = 0x200  # in the flags of the processor: interrupts are on
LOCKS = re.compile(r"_raw_(spin|read|write)_\w*lock_(irq|bh)\w*$|__local_bh_(disable|enable)_ip$")
USUAL = {"_raw_spin_lock_irq_disable", "_raw_spin_unlock_irq_enable", "_raw_spin_lock_irqsave", "_raw_spin_unlock_irqrestore",
         "_raw_spin_lock_bh", "_raw_spin_unlock_bh", "__local_bh_enable_ip"}  # fmt: skip


def imported(path):
    """Yields the names that a module imports."""
    with open(path, "rb") as file:
        data = file.read()
    start, = struct.unpack_from("Q", data, 40)
    size, count = struct.unpack_from("HH", data, 58)
    sections = [struct.unpack_from("IIQQQQIIQQ", data, start + n * size) for n in range(count)]
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind != 2:  # no table of symbols
            continue
        for at in range(offset, offset + length, 24):
            name, _, _, section, _, _ = struct.unpack_from("IBBHQQ", data, at)
            if name and section == 0:
                begin = sections[link][4] + name
                yield data[begin : data.index(b"\0", begin)].decode()


class Probes:
    """Probes at functions, for the calls that the module makes."""

    def __init__(self):
        run(f"mount -t tracefs tracefs {TRACING}")
        names, code, helpers = set(), [], []
        with open("/proc/kallsyms") as file:
            for line in file:
                address, kind, name, *module = line.split()
                if kind not in "tTwW":
                    continue
                if module == [f"[{KIND}]"]:
                    code.append(int(address, 16))
                elif not module:
                    names.add(name)
                    if name.startswith("rust_helper_"):
                        helpers.append(int(address, 16))
        self.callers = [(min(code), (max(code) | 0xFFF) + 1), (min(helpers), max(helpers) + 0x100)]
        locks = set(filter(LOCKS.match, names))
        with open(f"{TRACING}/available_filter_functions") as file:
            names &= {line.strip() for line in file}
        wanted = names & (locks | set(imported(f"{MODULES}/{KIND}.ko")))
        self.calls = {}  # the name of its events → a function
        for number, name in enumerate(sorted(wanted)):
            event = f"f{number}"
            # The kernel runs the last probe first; the probe of the return replaces the caller's address.
            if all(map(self.add, (f"r:returns/{event} {name} flags=%flags:x64",
                                  f"p:calls/{event} {name} ret=$stack0:x64 flags=%flags:x64"))):  # fmt: skip
                self.calls[event] = name
                self.filter(f"calls/{event}", "ret")
                self.filter(f"returns/{event}", "__probe_ret_ip")
        expect(USUAL <= set(self.calls.values()), f"the kernel allows no probe at {USUAL - set(self.calls.values())}")
        write(f"{TRACING}/trace_clock", "x86-tsc")
        write(f"{TRACING}/buffer_size_kb", 65536)

    @staticmethod
    def add(line):
        """Adds a probe. Returns false if the kernel refuses it, as where two functions have one name."""
        file = os.open(f"{TRACING}/kprobe_events", os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, line.encode() + b"\n")
            return True
        except OSError:
            return False
        finally:
            os.close(file)

    def filter(self, event, field):
        """Limits an event to calls by the module."""
        ranges = (f"({field} >= {start:#x} && {field} < {end:#x})" for start, end in self.callers)
        write(f"{TRACING}/events/{event}/filter", " || ".join(ranges))

    def record(self, events, scenario):
        """What happens at these functions during the scenario: a Recording."""
        for event in events:
            for group in "calls", "returns":
                write(f"{TRACING}/events/{group}/{event}/enable", 1)
        for event in "entry", "exit":
            write(f"{TRACING}/events/timer/hrtimer_expire_{event}/enable", 1)
        write(f"{TRACING}/trace", "")
        write(f"{TRACING}/tracing_on", 1)
        scenario()
        write(f"{TRACING}/tracing_on", 0)
        write(f"{TRACING}/events/enable", 0)
        lost = re.search(r"^overrun: (\d+)", read(f"{TRACING}/per_cpu/cpu0/stats"), re.M)
        expect(lost and lost[1] == "0", f"events were lost: {lost and lost[1]}")
        with open(f"{TRACING}/trace") as file:
            return Recording(file, self.calls)


LINE = re.compile(r".*-(\d+) +\[\d+\] +(\S)(\S)(\S)\S* +(\d+): (\w+): (.*)")


class Recording:
    """What the module called, taken apart.

    `called_off`: how many functions with interrupts off; `switching`: the events at the begin and the end
    of times in which interrupts or bottom halves were off; `off`: the longest of these times, of
    "interrupts", "process" and "timer", in ns.
    """

    def __init__(self, lines, calls):
        self.called_off, self.switching = 0, set()
        self.off = {"interrupts": 0, "process": 0, "timer": 0}
        self.begins, self.stacks = {}, {}
        timers = {}
        for found in filter(None, map(LINE.match, lines)):
            pid, flags, _, softirq, when, event, text = found.groups()
            when = int(when)
            if event == "hrtimer_expire_entry":
                if f"[{KIND}]" in text:
                    timers[text.split()[0]] = when
            elif event == "hrtimer_expire_exit":
                if text in timers:
                    self.longest("timer", when - timers.pop(text))
            elif event in calls:
                context = "softirq" if softirq != "." else pid
                on = {"interrupts": bool(int(text.rpartition("=")[2], 16) & IF)}
                if context != "softirq":
                    on["process"] = flags not in "bD"
                stack = self.stacks.setdefault(context, [])
                if "ret=" in text:
                    stack.append((event, when, on))
                    self.called_off += not on["interrupts"]
                    called, before = when, on
                elif event in (entry[0] for entry in stack):
                    while stack[-1][0] != event:
                        stack.pop()
                    _, called, before = stack.pop()
                else:
                    continue
                for what in on:
                    self.seen(event, context, what, called, before[what], when, on[what])

    def seen(self, event, context, what, called, before, when, now):
        """Before the function was called, this was on or not, and is now on or not: a time begins as
        the function returns that switched it off, and ends as the one is called that switches it on.
        Where the module switched it off itself (local_bh_disable() in C), it begins with the next call."""
        if not now:
            self.begins.setdefault((what, context), (when, event))
        elif begin := self.begins.pop((what, context), None):
            if not before:
                self.longest(what, called - begin[0])
                self.switching |= {event, begin[1]}

    def longest(self, what, took):
        self.off[what] = max(self.off[what], took)


class Scenario:
    """Two trunks, of which eth1 of one fails and returns."""

    def __init__(self, ports, bits):
        self.links, self.bits = Links(ports), bits
        self.control = self.links.control
        self.control.port_set(f"eth{ports}", priority=2)
        self.control.set(bits=bits, interval=INTERVAL, reply_timeout=INTERVAL, misses=3, hits=2, hold_down=0)
        with self.links.near:
            self.near = Rtnetlink()
            self.near.netem("eth1")  # loses no frame yet
            bring_up("trunk0")
        with self.links.far:
            self.far = Rtnetlink()
            self.far.netem("sw1")
        eventually(lambda: all(port.get("probed") and port["state"] == "act" for port in self.control.ports().values()),
                   "all links work")  # fmt: skip

    def told(self, kind):
        """Waits for a new event of this kind."""
        eventually(lambda: any(e["kind"] == kind and e["seq"] > self.known for e in self.control.history()), kind)

    def fail(self, how):
        self.known = self.control.history()[-1]["seq"]
        how(True)
        self.told("failover")
        how(False)
        self.told("failback")

    def lose_carrier(self):
        def pulled(yes):
            with self.links.far:
                self.far.up("sw1", not yes)

        self.fail(pulled)

    def fall_silent(self):
        def lost(yes):
            for netns, netlink, dev in (self.links.near, self.near, "eth1"), (self.links.far, self.far, "sw1"):
                with netns:
                    netlink.netem(dev, loss=int(yes))

        self.fail(lost)

    def change_bits(self):
        self.control.set(bits=self.bits - 1)
        self.control.set(bits=self.bits)


def measured(ports, bits, probes):
    """Returns the rows of a case."""
    scenario, rows = Scenario(ports, bits), []
    for name, act in (("carrier lost", scenario.lose_carrier), ("silence", scenario.fall_silent),
                      ("change of bits", scenario.change_bits)):  # fmt: skip
        every = probes.record(probes.calls, act)
        again = probes.record(every.switching, act)
        # A time that differs between both runs is longer by something else than the work.
        off = {what: min(took, again.off[what]) for what, took in every.off.items()}
        rows.append({
            "name": f"{ports} ports, {1 << bits:,} buckets: {name}",
            "interrupts_off": off["interrupts"], "called_meanwhile": every.called_off,
            "bottom_halves_off": {"process": off["process"], "timer": off["timer"]},
            "switched_by": sorted(probes.calls[event] for event in every.switching),
            "unit": "ns of a processor that takes one for an instruction", "command": "make bench-locks",
            "bar": 0, "ok": off["interrupts"] == 0 and every.called_off == 0,
        })  # fmt: skip
    return rows


def main():
    load()
    probes = Probes()
    print(f"longest time off, µs, as seen from {len(probes.calls)} functions that the driver calls:\n")
    print("| | interrupts | bottom halves, process | bottom halves, timer |")
    print("|---|---|---|---|")
    rows = []
    for case in CASES:
        for row in in_child(measured, *case, probes):
            times = [f"{ns / 1000:.1f}" for ns in (row["interrupts_off"], *row["bottom_halves_off"].values())]
            times[0] += " MISSED" * (not row["ok"])
            print(f"| {row['name']} | {' | '.join(times)} |", flush=True)
            rows.append(row)
    leave(rows)
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
