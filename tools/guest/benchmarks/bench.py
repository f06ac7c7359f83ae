#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Measures what a trunk costs in instructions per packet, beside bonding and the floor, in one run.

The clock of the guest is the instruction counter (-icount shift=0), so the nanoseconds of pktgen are
instructions. Each figure is the least of three passes, since interrupts only add to it. A pass before
them warms up caches and allocators. Frames are not shared with pktgen, as those of a NIC are not: a
receive handler would copy a shared frame first.

    pktgen ─► above0 ─┬─ dummy1        pktgen, as if received, ─► dummy1 ─► above0
                      ├─  …
                      └─ dummy4

above0 is a trunk, a bond, or the floor: a device in C that hands frames down and up, and does nothing
else (tools/lab/floor). The cost of a device is what it adds to a bare dummy1. There are two ratios of
trunk to bonding: of the cost, and of the cost above the floor's.
"""

import collections
import os
import re
import sys
import time

import bpf
import lab

COUNT, WARM_UP = 40_000, 5_000  # packets of a pass, and of the first one
PORTS = [f"dummy{n}" for n in range(1, 5)]
WARM, DEVICES = 5, 50  # devices of each kind that are made before memory is measured, and meanwhile
BOND = "bond mode balance-xor miimon 100 xmit_hash_policy"
PEER = {selector: "layer3+4" if selector == "flow" else "layer2" for selector in lab.SELECTORS}

# The way of a frame: how pktgen sends it, the number of transmit queues of each port, whether the frame is
# for the host itself, and whether it has a flow hash already, as frames of TCP sockets have. A program at
# the device's egress sets the hash.
Way = collections.namedtuple("Way", "mode queues host hashed", defaults=(1, False, False))
WAYS = {
    "transmit": Way("start_xmit"),
    "transmit, 4 queues": Way("start_xmit", queues=4),
    "transmit, hash set": Way("queue_xmit", hashed=True),
    "transmit, hash set, 4 queues": Way("queue_xmit", queues=4, hashed=True),
    "receive": Way("netif_receive", host=True),
    "receive, for others": Way("netif_receive"),
}

# (way, selector) → the most that a trunk may add: its ratio to what bonding adds, and the ratio of both
# above the floor. Rows without a bar are for the record.
BARS = {
    ("transmit", "dmac"): (0.80, 0.35),
    ("transmit", "flow"): (0.85, None),
    ("transmit, 4 queues", "flow"): (1.0, None),
    ("transmit, hash set", "flow"): (0.85, None),
    ("transmit, hash set, 4 queues", "flow"): (1.0, None),
    ("receive", "dmac"): (0.96, 0.85),
    ("receive, for others", "dmac"): (0.96, 0.85),
}
SHOWN = {"transmit": lab.SELECTORS, "receive": lab.SELECTORS, "receive, for others": ("dmac",)}
MEMORY_BAR = 0.6


def pktgen(dev, way, to):
    """Returns the instructions per packet that this device sends or receives. `to`: the host's address."""
    thread, device = "/proc/net/pktgen/kpktgend_0", f"/proc/net/pktgen/{dev}"
    lab.write(thread, "rem_device_all\n")
    lab.write(thread, f"add_device {dev}\n")
    lines = [*settings(way), "delay 0", "dst 198.18.0.2", "src_mac 02:00:00:00:01:00"]
    if way.host:
        lines.append(f"dst_mac {lab.show(to)}")
    else:
        # Addresses of other hosts: the stack drops such received frames at once.
        lines += ["dst_mac 02:00:00:00:00:00", "dst_mac_count 32"]
    for line in lines:
        lab.write(device, line + "\n")
    took = []
    for count in WARM_UP, COUNT, COUNT, COUNT:
        lab.write(device, f"count {count}\n")
        lab.write("/proc/net/pktgen/pgctrl", "start\n")
        text = open(device).read()
        found = re.search(r"Result: OK: (\d+)\(c\d+\+d\d+\) usec, (\d+) \(", text)
        lab.expect(found and int(found[2]) == count, f"pktgen on {dev}: {text}")
        took.append(int(found[1]))
    lab.write(thread, "rem_device_all\n")
    return min(took[1:]) * 1000 / COUNT


def settings(way):
    return ["pkt_size 60", "clone_skb 0", "flag !SHARED", f"xmit_mode {way.mode}"]


def command(name):
    """Returns the command of a row, and what it does."""
    way = WAYS[name]
    words = [f"count {COUNT}", *settings(way), "dst_mac that of the host" if way.host else "dst_mac_count 32"]
    words += [f"ports with numtxqueues {way.queues}"] * (way.queues > 1) + ["bpf_set_hash at egress"] * way.hashed
    return f"make bench (pktgen: {', '.join(words)})"


def measure(kind, way):
    """Returns the instructions per packet for this way through a device of this kind above the four ports;
    without a kind, through the bare first port. The floor has one port."""
    ports = PORTS if kind and kind != "floor" else PORTS[:1]
    above = "above0" if kind else ports[0]
    if kind:
        lab.ip(f"link add {above} type {kind}")
    for port in ports:
        lab.ip(f"link add {port} numtxqueues {way.queues} type dummy")
        if kind:
            lab.ip(f"link set {port} master {above}")
        if kind == "floor":
            lab.ip(f"link set {port} up")
    lab.bring_up(above)
    program = bpf.set_hash_at_egress(above, 0x5EED) if way.hashed else None
    receives = way.mode == "netif_receive"
    result = pktgen(ports[0] if receives else above, way, lab.address(above))
    carried = lab.counters(above)["rx_packets" if receives else "tx_packets"]
    # Bonding counts what its ports do, and dummies do not count what they receive; the floor counts nothing.
    if kind == lab.KIND or kind and kind != "floor" and not receives:
        lab.expect(carried >= COUNT, f"{above} has not carried all: {carried}")
    if program is not None:
        os.close(program)
    lab.ip("\n".join(f"link del {dev}" for dev in {above, *ports}) + "\n")
    return result


def memory(*kinds):
    """Returns the bytes that a device of each kind with four ports takes, without the ports."""
    netlink = lab.Rtnetlink()
    every = range(WARM + DEVICES)
    ports = {(kind, n): [f"{kind}{n}port{m}" for m in range(len(PORTS))] for kind in kinds for n in every}
    for port in sum(ports.values(), []):
        netlink.add(port, "dummy")

    def make(kind, numbers):
        for n in numbers:
            netlink.add(f"{kind}above{n}", kind)
            for port in ports[kind, n]:
                netlink.master(port, f"{kind}above{n}")

    def free():
        """Waits until RCU has freed what is not in use any more. Returns the free bytes."""
        now = 0
        for _ in range(10):
            time.sleep(1)
            lab.write("/proc/sys/vm/drop_caches", "3")
            last, now = now, int(re.search(r"MemFree: +(\d+) kB", open("/proc/meminfo").read())[1]) * 1024
            if now == last:
                break
        return now

    # The first devices of a kind also take what all of them share.
    for kind in kinds:
        make(kind, every[:WARM])
    taken = []
    for kind in kinds:
        before = free()
        make(kind, every[WARM:])
        # Nothing is freed before both are measured: the second one would use that memory.
        taken.append((before - free()) / DEVICES)
    for dev in [f"{kind}above{n}" for kind, n in ports] + sum(ports.values(), []):
        netlink.delete(dev)
    return taken


def compared(name, selector, ours, peer, floor):
    """Returns a row of the report."""
    ratio, above = ours / peer, (ours - floor) / (peer - floor)
    bar, above_bar = BARS.get((name, selector), (None, None))
    return {
        "name": f"{name}, {selector} against bonding balance-xor {PEER[selector]}",
        "floor": round(floor, 1), "ours": round(ours, 1), "peer": round(peer, 1),
        "ratio": round(ratio, 3), "above_floor": round(above, 3),
        "unit": "instructions a packet, added to the bare port's", "command": command(name),
        "bar": bar, "above_floor_bar": above_bar, "ok": meets(ratio, bar) and meets(above, above_bar),
    }  # fmt: skip


def meets(ratio, bar):
    """Returns whether a ratio meets its bar. Ratios have two digits: runs differ in the third."""
    return bar is None or round(ratio, 2) <= bar


def in_markdown(rows):
    """Yields the lines of the README's table."""
    yield "| | floor | bonding | trunk | trunk / bonding | bar | above the floor | bar |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        name = row["name"].replace(" against bonding balance-xor ", ", beside ").replace(" against bonding", " with four ports, KiB")
        cells = [row[side] for side in ("floor", "peer", "ours")]
        if row["unit"].startswith("bytes"):
            cells = [n and n / 1024 for n in cells]
        cells = ["" if n is None else f"{n:.0f}" for n in cells]
        for ratio, bar in ("ratio", "bar"), ("above_floor", "above_floor_bar"):
            cells.append("" if row[ratio] is None else f"{row[ratio]:.2f} ×")
            cells.append("" if row[bar] is None else f"≤ {row[bar]:.2f} ×" + " MISSED" * (not meets(row[ratio], row[bar])))
        yield f"| {name} | {' | '.join(cells)} |"


def main():
    print("what a device adds to a bare port, in instructions per packet:\n", flush=True)
    lab.run("modprobe bonding max_bonds=0")
    lab.load()
    # First: other measurements would leave memory partly used.
    bond_memory, trunk_memory = memory("bond", lab.KIND)
    lab.unload()

    lab.run("modprobe pktgen")
    lab.load("floor")
    port = {name: measure(None, way) for name, way in WAYS.items()}

    def added(kind, selector=None):
        """Returns what a device of this kind adds, for each way that the report has for this selector."""
        names = [name for name in WAYS if selector is None or selector in SHOWN.get(name, ("dmac", "flow"))]
        return {name: measure(kind, WAYS[name]) - port[name] for name in names}

    floor = added("floor")
    bond = {policy: added(f"{BOND} {policy}") for policy in ("layer2", "layer3+4")}
    trunk = {}
    for number, selector in enumerate(lab.SELECTORS):
        lab.load(selector=number)
        trunk[selector] = added(lab.KIND, selector)
        lab.unload()
    rows = [compared(name, selector, trunk[selector][name], bond[PEER[selector]][name], floor[name])
            for name in WAYS for selector in SHOWN.get(name, ("dmac", "flow"))]  # fmt: skip

    ratio = trunk_memory / bond_memory
    rows.append({
        "name": "memory, against bonding", "floor": None, "ours": round(trunk_memory), "peer": round(bond_memory),
        "ratio": round(ratio, 3), "above_floor": None,
        "unit": f"bytes a device with {len(PORTS)} ports and 32 buckets", "command": "make bench (MemFree)",
        "bar": MEMORY_BAR, "above_floor_bar": None, "ok": meets(ratio, MEMORY_BAR),
    })  # fmt: skip

    for line in in_markdown(rows):
        print(line)
    print("\nthe bare port: " + "; ".join(f"{name} {count:.0f}" for name, count in port.items()))
    lab.leave(rows)
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
