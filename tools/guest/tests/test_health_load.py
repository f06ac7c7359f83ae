# SPDX-License-Identifier: GPL-2.0
"""Tested links on a busy machine: another process holds RTNL, there are many ports, or traffic."""

import subprocess

from hosts import *


@cases("silence", "the next claim")
def test_while_somebody_holds_rtnl(what):
    """
    trunk0 ─┬─ eth1 ── [relay] ── sw1 ─┬─ trunk0    nothing in the kernel that needs RTNL can run;
            ├─ eth2 ───────────── sw2 ─┤            the relay falls silent, and the spare stands
            └─ eth3 ───────────── sw3 ─┘ spare      in at both ends all the same
    """
    pair = Pair(start=False, misses=255)  # since the relay may be slow
    server, switch = pair.hosts
    holder = None
    with Relay(pair.panel, "eth1", "sw1") as relay:
        pair.start()
        if what == "the next claim":
            with server.netns:
                holder = genl.Holder()
            holder.claim(server.index["eth1"], 7)
        with switch.netns:
            taps = Taps(switch.ports)
        bucket = server.control.column().index("eth1")
        number = 0

        def by():
            """Sends a frame of a bucket of eth1, or with the claim's mark. Returns the links by which frames came since."""
            nonlocal number
            number += 1
            sender.send(frame(mac(bucket), mac(1), number))
            return {port for port, tap in zip(switch.ports, taps.taps) if tap.take()}

        with server.netns:
            sender = Sender("trunk0", mark=7 if holder else 0)
        eventually(lambda: by() == {"sw1"}, "frames go by eth1")
        for host in pair.hosts:
            host.set(misses=SETTINGS["misses"])
        with RtnlHeld():
            with server.netns:
                held = subprocess.Popen(["ip", "link", "set", "lo", "up"])
            relay.stop()
            stopped = time.monotonic_ns()
            if holder:  # eth3 stands in for eth1, so no spare is left for the claim
                eventually(lambda: by() == {"sw2"} or by() == {"sw3"}, "frames of the claim go by another link")
            else:
                eventually(lambda: by() == {"sw3"}, "frames of eth1 go by eth3")
            equal(held.poll(), None, "the end of a command that needs RTNL")
            released = time.monotonic_ns()
        equal(held.wait(), 0, "the end of a command that needs RTNL")
        for host, port in (server, "eth1"), (switch, "sw1"):
            eventually(lambda: host.stand_ins() == {host.ports[2]: port}, "the spare stands in")
            over = next(e for e in host.control.history() if e["kind"] == "failover")
            expect(host is switch or over["time"] < released, f"it switched only when RTNL was free: {over}")
            note(f"{port}: switched {(over['time'] - stopped) / 1e6:.1f} ms after the silence began")


@trodden
def test_64_ports_under_load():
    """
    trunk0 ═╤═ eth1 ══════ sw1 ═╤═ trunk0    all 64 tested (16 on debug), while both CPUs are kept
            ╘═  …           …  ═╛            busy with frames and with an endless loop: no link becomes
                                             sby. The benchmark (probes.py) tests them at 1 ms
    """
    takes_time()
    load()
    with Netns() as server:
        switch, ports, interval = Netns(), 16 if SLOW else 64, 4 * INTERVAL
        netlink = Rtnetlink()
        netlink.add("trunk0", KIND)
        for n in range(1, ports + 1):
            netlink.add(f"eth{n}", "veth", peer=f"sw{n}", netns=switch)
            netlink.master(f"eth{n}", "trunk0")
        control, events = Control(), Events()
        with switch:
            netlink = Rtnetlink()
            netlink.add("trunk0", KIND)
            for n in range(1, ports + 1):
                netlink.master(f"sw{n}", "trunk0")
            other = Control()
        for one in control, other:
            # The machine may give a processor of the guest no time for a second or two.
            one.set(interval=interval, reply_timeout=interval, misses=8, hits=2)
        for netns in switch, server:
            with netns:
                bring_up("trunk0")
        eventually(lambda: all(port.get("probed") for port in control.ports().values()), "all peers are found")

        def spinning(stop):
            while not stop():
                pass

        before = control.ports()
        with Background(flooding("trunk0"), cpu=0), Background(spinning, cpu=1):
            least = count(50, least=10)
            eventually(lambda: all(port["rounds"] >= before[name]["rounds"] + least
                                   for name, port in control.ports().items()), f"{least} rounds more")  # fmt: skip
        after = control.ports()
        equal({port["state"] for port in after.values()}, {"act"}, "states")
        equal({e["kind"] for _, _, e in events.look()} - {"config", "peer-found", "port-state"}, set(), "kinds of events")
        equal([e for _, _, e in events.seen if e.get("new-state") == "sby"], [], "ports that became sby")
        missed = [port["rounds-missed"] - before[name]["rounds-missed"] for name, port in after.items()]
        note(f"{sum(missed)} rounds missed of {sum(after[name]['rounds'] - before[name]['rounds'] for name in after)}")
