#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a trunk costs: instructions a packet, beside bonding, in one run.

In a guest whose clock is the instruction counter (-icount shift=0), what pktgen takes for nanoseconds
are instructions. Each figure is the least of three passes, for what interrupts a pass only adds to it;
one before them warms caches and allocators up. Ratios have two digits: from run to run they differ in
the third.

    pktgen ─► trunk0 | bond0 ─┬─ dummy1        pktgen, as if received, ─► dummy1 ─► trunk0 | bond0
                              ├─  …
                              └─ dummy4
"""

import json
import re
import sys
import time

import lab

COUNT = 20_000
PORTS = [f"dummy{n}" for n in range(1, 5)]
PKTGEN = f"pktgen: count {COUNT}, pkt_size 60, clone_skb 0, dst_mac_count 32"
BAR, AIM = 1.0, 0.8
MEMORY_BAR, MEMORY_AIM = 1.5, 1.0
DEVICES = 20


def pktgen(dev, mode):
    """Instructions a packet, sent to or received by this device."""
    thread = "/proc/net/pktgen/kpktgend_0"
    lab.write(thread, "rem_device_all\n")
    lab.write(thread, f"add_device {dev}\n")
    for line in (
        f"count {COUNT}", "pkt_size 60", "clone_skb 0", "delay 0", f"xmit_mode {mode}", "dst 198.18.0.2",
        # Addresses of other hosts: what is received, the stack above drops at once.
        "dst_mac 02:00:00:00:00:00", "dst_mac_count 32", "src_mac 02:00:00:00:01:00",
    ):  # fmt: skip
        lab.write(f"/proc/net/pktgen/{dev}", line + "\n")
    took = []
    for _ in range(4):
        lab.write("/proc/net/pktgen/pgctrl", "start\n")
        text = open(f"/proc/net/pktgen/{dev}").read()
        found = re.search(r"Result: OK: (\d+)\(c\d+\+d\d+\) usec, (\d+) \(", text)
        lab.expect(found and int(found[2]) == COUNT, f"pktgen on {dev}: {text}")
        took.append(int(found[1]))
    lab.write(thread, "rem_device_all\n")
    return min(took[1:]) * 1000 / COUNT


def measure(device, kind):
    """(transmit, receive) through a device of this kind above the four ports."""
    lab.ip(f"link add {device} type {kind}")
    for port in PORTS:
        lab.ip(f"link add {port} type dummy\nlink set {port} master {device}")
    lab.bring_up(device)
    result = pktgen(device, "start_xmit"), pktgen(PORTS[0], "netif_receive")
    carried = lab.counters(device)
    # Bonding counts what its ports do, and dummies do not count what they receive.
    for way in ("tx_packets", "rx_packets") if kind == lab.KIND else ("tx_packets",):
        lab.expect(carried[way] >= 2 * COUNT, f"{device} has not carried all: {carried}")
    lab.ip("\n".join(f"link del {dev}" for dev in [device] + PORTS) + "\n")
    return result


def bare():
    lab.ip(f"link add {PORTS[0]} type dummy")
    lab.bring_up(PORTS[0])
    result = pktgen(PORTS[0], "start_xmit"), pktgen(PORTS[0], "netif_receive")
    lab.ip(f"link del {PORTS[0]}")
    return result


def memory(*kinds):
    """Octets that a device of each kind with four ports takes, the ports' own left out."""
    netlink = lab.Rtnetlink()
    ports = [[f"{kind}port{n}" for n in range(len(PORTS) * DEVICES)] for kind in kinds]
    for port in sum(ports, []):
        netlink.add(port, "dummy")

    def free():
        """Once what was in use has been given back, which RCU puts off."""
        now = 0
        for _ in range(10):
            time.sleep(1)
            lab.write("/proc/sys/vm/drop_caches", "3")
            last, now = now, int(re.search(r"MemFree: +(\d+) kB", open("/proc/meminfo").read())[1]) * 1024
            if now == last:
                break
        return now

    taken = []
    for kind, own in zip(kinds, ports):
        before = free()
        for n in range(DEVICES):
            netlink.add(f"{kind}above{n}", kind)
            for port in own[n::DEVICES]:
                netlink.master(port, f"{kind}above{n}")
        # Nothing is given back before both are measured, lest the other take what is left over.
        taken.append((before - free()) / DEVICES)
    return taken


def main():
    lab.run("modprobe pktgen")
    lab.run("modprobe bonding max_bonds=0")
    port = bare()
    bond = {policy: measure("above0", f"bond mode balance-xor miimon 100 xmit_hash_policy {policy}") for policy in ("layer2", "layer3+4")}
    trunk = {}
    for number, selector in enumerate(lab.SELECTORS):
        lab.load(selector=number)
        trunk[selector] = measure("above0", lab.KIND)
        lab.unload()

    lab.load()
    bond_memory, trunk_memory = memory("bond", lab.KIND)

    rows = []
    for way, name in enumerate(("transmit", "receive")):
        for selector in lab.SELECTORS:
            policy = "layer3+4" if selector == "flow" else "layer2"
            ours, peer = trunk[selector][way] - port[way], bond[policy][way] - port[way]
            ratio = ours / peer
            # The default carries the bar; the others are for the record.
            bar, aim = (BAR, AIM) if selector == "dmac" else (None, None)
            rows.append({
                "name": f"{name}, {selector} against bonding balance-xor {policy}",
                "ours": round(ours, 1), "peer": round(peer, 1), "ratio": round(ratio, 3),
                "unit": "instructions a packet, added to the bare port's",
                "command": f"make bench ({PKTGEN}, xmit_mode {('start_xmit', 'netif_receive')[way]})",
                "bar": bar, "aim": aim, "ok": bar is None or round(ratio, 2) <= bar,
            })  # fmt: skip

    ratio = trunk_memory / bond_memory
    rows.append({
        "name": "memory, against bonding", "ours": round(trunk_memory), "peer": round(bond_memory), "ratio": round(ratio, 3),
        "unit": f"octets a device with {len(PORTS)} ports and 32 buckets", "command": "make bench (MemFree)",
        "bar": MEMORY_BAR, "aim": MEMORY_AIM, "ok": ratio <= MEMORY_BAR,
    })  # fmt: skip

    print(f"instructions a packet: {'':24} transmit   receive")
    print(f"{'bare port':48}{port[0]:8.0f}  {port[1]:8.0f}")
    for policy, (sent, received) in bond.items():
        print(f"{'bonding balance-xor ' + policy:48}{sent:8.0f}  {received:8.0f}")
    for selector, (sent, received) in trunk.items():
        print(f"{'trunk ' + selector:48}{sent:8.0f}  {received:8.0f}")
    print()
    for row in rows:
        verdict = "" if row["bar"] is None else f"  {'ok' if row['ok'] else 'MISSED'}: at most {row['bar']}, aim {row['aim']}"
        print(f"{row['name']:56}{row['ours']:7.0f} / {row['peer']:5.0f} = {row['ratio']:.2f}{verdict}")
    print("BENCH-JSON-BEGIN")
    print(json.dumps(rows, indent=1))
    print("BENCH-JSON-END", flush=True)
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
