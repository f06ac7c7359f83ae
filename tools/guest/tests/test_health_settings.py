# SPDX-License-Identifier: GPL-2.0
"""The effects of settings of tested links. test_netlink tests their ranges."""

from hosts import *


@repeats
def test_a_link_that_fails_again_is_held_down_longer_each_time():
    """
    trunk0 ─┬─ eth1 ── ⚡ ── sw1 ─┬─ trunk0    no hold-down for the first failure, a second for the
            ├─ eth2 ─────── sw2 ─┤            next within a minute, then two, but at most the limit
            └─ eth3 ─────── sw3 ─┘ spare
    """
    pair = Pair()
    for host in pair.hosts:
        host.set(hold_down=3_000)
    named = False
    for least in 0, 1_000, 2_000, 3_000:
        pair.panel.lose("eth1")
        for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
            pair.until(host, {port: "probe-timeout"})
        pair.panel.heal("eth1")
        if least:
            for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
                # On a slow machine it may be over by now: how long it took is looked at below.
                pair.until(host, {port: "held-down|peer-sby|act"})
        for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
            pair.until(host)
            told = accounted(host, f"{port} sby probe-timeout", f"{port} act", f"{port} fail(over|back) .*",
                             f"{port} fail(over|back) .*", maybe=[f"{port} sby held-down"])  # fmt: skip
            named |= f"{port} sby held-down" in told
            fell, rose = [e["time"] for e in host.control.history() if "sby" in (e.get("old-state"), e.get("new-state"))
                          and e["old-state"] != e["new-state"]][-2:]  # fmt: skip
            expect(rose - fell >= least * 1_000_000, f"{least} ms of hold-down took {(rose - fell) / 1e6:.0f} ms")
    # Where rounds take long, it is over before it would be reported.
    expect(named or SLOW, "no event says held-down")
    # A link that is held down returns as soon as the limit does not allow it any more.
    for host in pair.hosts:
        host.set(hold_down=3_600_000)
    pair.panel.lose("eth1")
    pair.until(pair.server, {"eth1": "probe-timeout"})
    pair.panel.heal("eth1")
    pair.until(pair.server, {"eth1": "held-down|peer-sby"})  # for 8 s
    for host in pair.hosts:
        host.set(hold_down=0)
    rounds(*pair.hosts, more=2)
    for host in pair.hosts:
        expect("held-down" not in host.states().values(), "held down though it may not be any more")
        pair.until(host)
    pair.panel.lose("eth1")
    for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
        pair.until(host, {port: "probe-timeout"})
    pair.panel.heal("eth1")
    seen = set()
    eventually(lambda: (seen.update(pair.server.states().values()), pair.server.states()["eth1"] == "act")[1], "eth1 is act")
    expect("held-down" not in seen, "held down with a limit of 0")


@repeats
@cases("auto", "off")
def test_a_carrier_that_blinks_is_held_down_without_a_peer(mode):
    """
    192.0.2.1
    trunk0 ─┬─ eth1 ─ ⚡ ─ sw1 ─┬─ br0    a cable that blinks, at a far end that is no trunk: after the
            └─ eth2 ───── sw2 ─┘        second time it is left alone, longer each time
    """
    star = Star(ports=2, bridge=True)
    with star.server:
        ip("address add 192.0.2.1/24 dev trunk0")
        control = Control("trunk0")
        control.set(hold_down=60_000, probe=mode)
        announced = Taps(star.ports, outgoing=True, type=0x0806)
    begun, last = time.monotonic(), control.history()[-1]["seq"]
    for _ in range(10):
        star.pull(0)
        eventually(lambda: control.port("eth1")["reason"] == "no-carrier", "eth1 has no carrier")
        star.plug(0)
        eventually(lambda: control.port("eth1")["reason"] != "no-carrier", "eth1 has carrier")
    told = [short(event) for event in control.history() if event["seq"] > last]
    equal(control.port("eth1")["reason"], "held-down", "reason")
    if MOMENT == 0:
        # The first time at once, and then after a second and two.
        expect(told.count("eth1 act") <= 3, f"it came back {told.count('eth1 act')} times: {told}")
    # Four announcements at once, and one each second.
    count = sum(data[28:32] == data[38:42] for _, data in announced.taken())
    expect(count <= 5 + time.monotonic() - begun, f"{count} announcements")
    # Whoever brings a port down and up again wants it used.
    control.set(hold_down=0)
    eventually(lambda: control.port("eth1")["state"] == "act", "eth1 is act")
    control.set(hold_down=60_000)
    with star.server:
        for _ in range(3):
            Rtnetlink().up("eth2", False)
            bring_up("eth2")
    eventually(lambda: control.port("eth2")["state"] == "act", "eth2 is act")


@trodden
def test_both_ends_are_told_of_priorities_that_differ():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0
            ├─ eth2 (2) ─ (3) sw2 ─┤
            └─ eth3 (3) ─ (2) sw3 ─┘
    """
    pair = Pair((1, 2, 3), (1, 3, 2))
    for host in pair.hosts:
        # At the start, before the test listened.
        differing = {e.get("port-name") for e in host.control.history() if e["kind"] == "peer-differs"}
        equal(differing, set(host.ports[1:]), "ports that differ")
    quiet(pair)
    pair.switch.set_port("sw2", priority=2)
    pair.switch.set_port("sw3", priority=3)
    quiet(pair)
    for host, port in zip(pair.hosts, ("eth3", "sw3")):
        equal(host.control.port(port)["peer"]["priority"], 3, "priority at the peer")
    pair.server.set_port("eth3", priority=7)
    for host, port in (pair.server, "eth3"), (pair.switch, "sw3"):
        accounted(host, f"{port} peer-differs")
    quiet(pair)


def received(pair):
    """Sends a broadcast into each of three ports of the server. Returns how many of them its trunk receives."""
    with pair.server.netns:
        tap, own = Tap("trunk0"), address("trunk0")
    for n, port in enumerate(pair.server.ports):
        sender = pair.panel.sender(port)
        sender.send(frame(BROADCAST, mac(9), n))
        sender.send(frame(own, mac(9), 100 + n))  # is received in any case, after the other
    got = []

    def all_there():
        got.extend(map(number_of, tap.take()))
        return {100, 101, 102} <= set(got)

    eventually(all_there, "frames to the trunk's own address")
    return len(got) - 3


@trodden
def test_broadcast_is_taken_from_all_once_all_peers_are_proven():
    """
    trunk0 ◄─┬─ eth1 ◄── sw1 ─┬─ trunk0    far-end auto: a peer that is a trunk sends one copy, so
             ├─ eth2 ◄── sw2 ─┤            all ports accept broadcasts; another peer, or one that
             └─ eth3 ◄── sw3 ─┘            is not known yet, may send a copy by each link
    """
    pair = Pair((1, 1, 1))
    server, switch = pair.hosts
    equal(received(pair), 3, "broadcasts with all peers proven")
    server.set(far_end="switch")
    equal(received(pair), 1, "broadcasts with far-end switch")
    server.set(far_end="auto")
    equal(received(pair), 3, "broadcasts with far-end auto")
    # A silent port is not in use, so it does not count.
    pair.panel.lose("eth2")
    pair.until(server, {"eth2": "probe-timeout"})
    eventually(lambda: received(pair) == 2, "broadcasts by the other two")
    pair.panel.heal("eth2")
    for host in pair.hosts:
        pair.until(host)
    equal(received(pair), 3, "broadcasts with all peers proven")
    switch.down()
    eventually(lambda: not server.probed(), "the peer says goodbye")
    with switch.netns:
        for port in switch.ports:
            Rtnetlink().up(port)
    equal(received(pair), 1, "broadcasts with no peer proven")
    switch.up()
    for host in pair.hosts:
        eventually(lambda: host.probed() == set(host.ports), "all peers are found")
        pair.until(host)
    equal(received(pair), 3, "broadcasts with all peers proven again")
    # Behind a plain switch there may be other hosts.
    for host in pair.hosts:
        host.set(probe_address=b"\x01\x80\xc2\0\0\x0e" if host is switch else mac(0x77))
    eventually(lambda: received(pair) == 1, "with a unicast address, all links may lead to one switch")


@trodden
def test_a_broadcast_of_the_peer_comes_once():
    """
    trunk0 ◄─┬─ eth1 ◄── sw1 ─┬─ trunk0    100 broadcasts of each end into its trunk, while links
             ├─ eth2 ◄── sw2 ─┤            fail and recover: none comes twice
             └─ eth3 ◄── sw3 ─┘
    """
    pair = Pair((1, 1, 2))
    for one, other in (pair.server, pair.switch), (pair.switch, pair.server):
        with other.netns:
            tap = Taps([other.dev])
        with one.netns:
            own = address(one.dev)
        taken = []
        for n in range(100):
            one.trunk.send(frame(BROADCAST, own, n))
            if n == 30:
                taken += tap.take(31)  # none is on the way as the link fails
                pair.panel.lose("eth1")
            if n == 60:
                for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
                    pair.until(host, {port: "probe-timeout"})
        got = numbers(taken + tap.take(39))  # each number once
        expect(set(range(31)) | set(range(61, 100)) <= set(got), f"broadcasts that came: {sorted(got)}")
        pair.panel.heal("eth1")
        for host in pair.hosts:
            pair.until(host)


def test_the_fastest_and_the_slowest():
    """
    trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0    an interval of 1 ms, and one of 60 s, which is cut short
            └─ eth2 ── sw2 ─┘            by a new setting
    """
    pair = Pair((1, 1))
    server = pair.server
    server.set(interval=60_000_000, reply_timeout=60_000_000)
    before = server.control.port("eth1")["rounds"]
    pair.switch.rounds(20)
    expect(server.control.port("eth1")["rounds"] <= before + 2, "rounds within a minute")
    sent = counters_of(server)["probes-sent"]
    server.set(interval=1_000, reply_timeout=1_000, misses=255)
    server.rounds(20)
    # An emulated guest may answer late, but then the replies are counted.
    in_time = {name: "act" for name in server.ports if MOMENT == 0 or not server.control.statistics(name)["replies-late"]}
    expect(in_time.items() <= server.states().items(), f"states: {server.states()}")
    expect(counters_of(server)["probes-sent"] >= sent + 20, "probes are missing")
    server.set(interval=INTERVAL, reply_timeout=INTERVAL)
    for host in pair.hosts:
        pair.until(host)
        host.forget_told()
    quiet(pair)


def counters_of(host):
    return host.control.statistics(host.ports[0])


@cases("silence", "nobody answers", "a cable is pulled", "a port is disabled")
def test_the_carrier_follows_the_number_of_ports_that_are_act(what):
    """
    trunk0.5 ── trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0    below min-links the trunk has no carrier, and neither has
                        └─ eth2 ── sw2 ─┘            the VLAN; its route is not used. No frame leaves
    """
    pair = Pair((1, 1))
    server, switch = pair.hosts
    with server.netns:
        ip("link add link trunk0 name trunk0.5 type vlan id 5\nlink set trunk0.5 up\naddress add 192.0.2.1/24 dev trunk0.5")
        received = Tap("trunk0")

    def has(on):
        def so():
            with server.netns:
                route = json.loads(run("ip -j route show dev trunk0.5"))
                dead = [entry for entry in route if "linkdown" in entry["flags"]]
                return (bool(running("trunk0")), bool(running("trunk0.5")), not dead) == (on, on, on)

        eventually(so, f"trunk0, its VLAN and the route have carrier: {on}")

    with switch.netns:
        arrived = Tap("trunk0")
    has(True)
    match what:
        case "silence":
            least, harm, heal = 1, lambda: pair.panel.lose("eth1", "eth2"), lambda: pair.panel.heal("eth1", "eth2")
        case "nobody answers":
            # Its carrier stays, and a trunk that is down answers nobody.
            server.set(probe="required")
            least, harm, heal = 1, lambda: [switch.down(), ups(switch)], switch.up
        case "a cable is pulled":
            least, harm, heal = 2, lambda: pair.panel.pull("eth1"), lambda: pair.panel.plug("eth1")
        case _:
            least, harm, heal = 2, lambda: server.set_port("eth1", enabled=0), lambda: server.set_port("eth1", enabled=1)
    server.set(min_links=least)
    for n in 0, 10:
        harm()
        has(False)
        with server.netns:
            done = attempt("trunkctl doctor")
        expect(f"ports are act, and min-links is {least};" in done.stdout, f"doctor says {done.stdout}")
        # A user who wants it so has what can be had.
        server.set(min_links=0)
        has(True)
        server.set(min_links=least)
        has(False)
        server.trunk.send(frame(mac(2), mac(1), n))
        heal()
        has(True)
        for host in pair.hosts:
            pair.until(host)
        server.trunk.send(frame(mac(2), mac(1), n + 1))
        got = []
        eventually(lambda: (got.extend(map(number_of, arrived.take())), n + 1 in got)[1], "a frame once there is carrier")
        equal(got, [n + 1], "frames that left")
    # More than there are
    server.set(min_links=3)
    has(False)
    switch.trunk.send(frame(mac(1), mac(2), 20))
    eventually(lambda: 20 in map(number_of, received.take()), "frames are received meanwhile")
    switch_has = lambda: set(switch.states().values()) == {"act"}
    expect(switch_has(), "the peer goes on using the links")


def ups(host):
    """Brings the ports of a host up, whose trunk is down."""
    with host.netns:
        for port in host.ports:
            Rtnetlink().up(port)
