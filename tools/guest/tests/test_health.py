# SPDX-License-Identifier: GPL-2.0
"""Tested links: for each kind of failure, both ends do what they should, and nothing else."""

from hosts import *


def detected(host, port):
    """Checks that the failover event of a silent failure has a time of at least the rounds that had to be missed."""
    event = next(e for e in reversed(host.control.history()) if e["kind"] == "failover")
    equal(event["port-name"], port, "port of the failover")
    least = (SETTINGS["misses"] - 1) * INTERVAL * 1000
    expect(event.get("detection-ns", 0) > least, f"detected within {event.get('detection-ns')} ns, before {least}")
    expect(event["switch-ns"] >= MOMENT, f"times of {event}")
    note(f"detected in {event['detection-ns'] / 1e6:.1f} ms, switched in {event['switch-ns'] / 1e3:.1f} µs")


# One link


@cases("both ends", "the server", "the switch", alike=True)
def test_carrier_loss(at):
    """
    trunk0 ─┬─ eth1 ──  ✂ ── sw1 ─┬─ trunk0    the cable is pulled; or one end alone loses its
            ├─ eth2 ──────── sw2 ─┤            carrier, and the other the answers
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.pull("sw1" if at == "the switch" else "eth1", both=at == "both ends")
    fails(pair, "eth1", "probe-timeout" if at == "the switch" else "no-carrier",
          "probe-timeout" if at == "the server" else "no-carrier")  # fmt: skip
    pair.panel.plug("eth1")
    returns(pair, "eth1")


def test_a_link_that_blinks():
    """
    trunk0 ─┬─ eth1 ── ✂ ── sw1 ─┬─ trunk0    a port is down for less than a round, so no probe is
            ├─ eth2 ─────── sw2 ─┤            missed: the link has to prove itself again in any case,
            └─ eth3 ─────── sw3 ─┘ spare      and returns once, when both ends find it usable
    """
    pair = Pair(interval=1_000_000, hits=2)
    before = pair.server.control.ports()["eth1"]["rounds"]
    with pair.server.netns:
        ip("""link set eth1 down
              link set eth1 up""")
    pair.until(pair.server)
    accounted(pair.server, "eth1 sby (admin-down)", "eth1 failover eth3 (admin-down)", "eth1 act", "eth1 failback eth3")
    rounds = pair.server.control.ports()["eth1"]["rounds"] - before
    expect(rounds >= 2, f"it was taken back after {rounds} rounds")
    pair.until(pair.switch)


def test_silence():
    """
    trunk0 ─┬─ eth1 ──  ✗ ── sw1 ─┬─ trunk0    all frames are lost, both ways; carrier stays
            ├─ eth2 ──────── sw2 ─┤
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.lose("eth1")
    fails(pair, "eth1", "probe-timeout", "probe-timeout")
    detected(pair.server, "eth1")
    detected(pair.switch, "sw1")
    pair.panel.heal("eth1")
    returns(pair, "eth1")


# A port may have another reason at first. That depends on the end that notices first, and on the time that
# it takes here to replug a cable.

# An end that still hears the other one may learn from it that it does not use the link any more. So the end
# that notices first decides the first reason of the other. The deaf end learns by its other links, with the
# next of the peer's rounds, that it is heard.


@trodden
def test_silence_from_the_server_to_the_switch():
    """
    trunk0 ─┬─ eth1 ─✗─► ─── sw1 ─┬─ trunk0    the server hears and is not heard
            ├─ eth2 ──────── sw2 ─┤
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.spoil("sw1", loss=1)
    fails(pair, "eth1", "one-way-rx after peer-sby|probe-timeout", "one-way-tx after probe-timeout")
    pair.panel.heal("eth1")
    returns(pair, "eth1")


@repeats
def test_silence_from_the_switch_to_the_server():
    """
    trunk0 ─┬─ eth1 ─── ◄─✗─ sw1 ─┬─ trunk0    the server is heard and does not hear
            ├─ eth2 ──────── sw2 ─┤
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.spoil("eth1", loss=1)
    fails(pair, "eth1", "one-way-tx after probe-timeout", "one-way-rx after peer-sby|probe-timeout")
    pair.panel.heal("eth1")
    returns(pair, "eth1")


@trodden
def test_a_spare_that_fails_while_idle():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0    spares are tested as well; one that has failed
            ├─ eth2 ──────── sw2 ─┤            does not step in
            └─ eth3 ──  ✗ ── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.lose("eth3")
    for host, spare in (pair.server, "eth3"), (pair.switch, "sw3"):
        pair.until(host, {spare: "probe-timeout"})
        accounted(host, f"{spare} sby probe-timeout")
        equal(host.control.get()["redundancy"], "degraded", "redundancy")
    quiet(pair)
    pair.panel.lose("eth1")
    for host, port, spare in (pair.server, "eth1", "eth3"), (pair.switch, "sw1", "sw3"):
        pair.until(host, {port: "probe-timeout", spare: "probe-timeout"})
        accounted(host, f"{port} sby probe-timeout", f"{port} failover {host.ports[1]} probe-timeout")
        equal(host.control.get()["redundancy"], "none", "redundancy")
    carries(pair)
    quiet(pair)


@trodden
def test_ports_disabled_at_one_end():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0    the server takes eth1 out of use: the switch does
            ├─ eth2 ──────── sw2 ─┤            not use it either, though the link works
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair()
    pair.server.set_port("eth1", enabled=0)
    fails(pair, "eth1", "disabled", "peer-sby")
    pair.server.set_port("eth1", enabled=1)
    returns(pair, "eth1")


# The wrong cable


@trodden
@cases("trunk", "system", alike=True)
def test_a_port_cabled_to_another(what):
    """
    trunk0 ─┬─ eth1 ───┐     sw1 ─┬─ trunk0    eth1 is plugged into another trunk of the same
            ├─ eth2 ───┼──── sw2 ─┤            system, or of another
            └─ eth3 ───┼──── sw3 ─┘ spare
                       └───── x1 ─── trunk1
    """
    pair = Pair()
    other = Host(pair.panel, "x", [1], dev="trunk1", netns=pair.switch.netns if what == "trunk" else None)
    other.up()
    other.told()
    pair.panel.join("eth1", "x1")
    fails(pair, "eth1", "peer-mismatch after probe-timeout", "probe-timeout")
    peer = pair.server.control.port("eth1")["peer"]
    theirs, ours = (host.control.get()["system"] for host in (other, pair.switch))
    equal(peer["system"], theirs, "system of the peer")
    expect((theirs == ours) == (what == "trunk"), f"systems {theirs:#x} and {ours:#x}")
    # The server proves the link, and does not use it. It is the only port, so it is used as a last resort.
    pair.until(other, {"x1": "peer-sby"})
    accounted(other, "x1 peer-found", "x1 sby peer-sby")
    equal(other.in_use(), {"x1"}, "ports in use")
    pair.panel.join("eth1", "sw1")
    returns(pair, "eth1")
    pair.until(other, {"x1": "probe-timeout"})


@trodden
def test_peers_may_be_several():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─── trunk0    a server between two switches: with
            ├─ eth2 ─────── new1 ─── trunk0    `peers several` both are right; with `one`,
            └─ eth3 ─────── new2 ───┘          the one with more ports
    """
    panel = Panel()
    server = Host(panel, "eth", [1, 1, 1], peers="several")
    switch, new = Host(panel, "sw", [1]), Host(panel, "new", [1, 1])
    for one, other in ("eth1", "sw1"), ("eth2", "new1"), ("eth3", "new2"):
        panel.join(one, other)
    for host in server, switch, new:
        host.up()
    for host in server, switch, new:
        eventually(lambda: host.probed() == set(host.ports), "all peers are found")
        accounted(host, *(f"{port} peer-found" for port in host.ports))
    quiet(server, switch, new)
    equal(server.states(), dict.fromkeys(server.ports, "act"), "states")
    server.set(peers="one")
    eventually(lambda: server.states() == {"eth1": "peer-mismatch", "eth2": "act", "eth3": "act"}, "eth1 leads elsewhere")
    accounted(server, "eth1 sby peer-mismatch", "eth1 failover - peer-mismatch")
    server.set(peers="several")
    eventually(lambda: set(server.states().values()) == {"act"}, "eth1 is act")
    accounted(server, "eth1 act", "eth1 failback -")
    quiet(server)


@trodden
def test_two_ports_of_one_trunk_cabled_together():
    """
    trunk0 ─┬─ eth1 ──┐    sw1 ─┬─ trunk0    what eth1 sends comes back by eth2
            ├─ eth2 ──┘    sw2 ─┤
            ├─ eth3 ────── sw3 ─┤ spare
            └─ eth4 ────── sw4 ─┘ spare
    """
    pair = Pair((1, 1, 2, 2))
    pair.panel.join("eth1", "eth2")
    for host, last in (pair.server, "peer-mismatch"), (pair.switch, "probe-timeout"):
        prefix = host.ports[0][:-1]
        pair.until(host, {f"{prefix}1": last, f"{prefix}2": last})
        reason = "(peer-mismatch|probe-timeout)"
        told = accounted(host, f"{prefix}1 sby {reason}", f"{prefix}2 sby {reason}",
                         f"{prefix}1 failover {prefix}[34] {reason}", f"{prefix}2 failover {prefix}[34] {reason}",
                         maybe=[f"{prefix}[12] sby peer-mismatch"])  # fmt: skip
        said = [line for line in told if " sby " in line]
        equal(len(said), len(set(said)), f"reasons told once each, {said}")
        # For a port that failed before it was joined to the other, this reason is reported once it lasts.
        if host is pair.server:
            accounted(host, *(line for n in "12" if (line := f"{prefix}{n} sby {last}") not in told))
        equal(set(host.stand_ins()), {f"{prefix}3", f"{prefix}4"}, "stand-ins")
    quiet(pair)
    carries(pair)
    pair.panel.join("eth1", "sw1")
    pair.panel.join("eth2", "sw2")
    for host in pair.hosts:
        prefix = host.ports[0][:-1]
        pair.until(host)
        accounted(host, f"{prefix}1 act", f"{prefix}2 act", *[f"{prefix}[12] failback {prefix}[34]"] * 2)
    quiet(pair)


@trodden
def test_cables_crossed_within_a_trunk():
    """
    trunk0 ─┬─ eth1 ──┐ ┌─── sw1 ─┬─ trunk0    the cables are swapped: both lead
            ├─ eth2 ──┼─┘┌── sw2 ─┤            to the right trunk, so nothing happens
            └─ eth3 ──┼──┼── sw3 ─┘
                      └──┘
    """
    pair = Pair((1, 1, 1))
    pair.panel.swap("sw1", "sw2")
    quiet(pair)
    ports = pair.server.control.ports()
    equal({name: port["peer"]["port"] for name, port in ports.items()}, {"eth1": 1, "eth2": 0, "eth3": 2}, "peers")
    carries(pair)


# The peer as a whole


def silent(pair, host):
    """Waits until all ports of a host have fallen silent. If a round came in between, one of them was
    noticed before the others."""
    pair.until(host, dict.fromkeys(host.ports, "peer-silent"))
    maybe = [r"\w+ fail(over|back) .*"]
    told = accounted(host, *(f"{port} sby (peer-silent|probe-timeout)" for port in host.ports), "peer-lost",
                     maybe=[*maybe, r"\w+ sby peer-silent"])  # fmt: skip
    # For a port that was noticed before, the reason peer-silent is reported once it lasts.
    later = [f"{port} sby peer-silent" for port in host.ports if f"{port} sby peer-silent" not in told]
    accounted(host, *later, maybe=maybe)
    equal(host.control.get()["redundancy"], "none", "redundancy")
    with host.netns:
        expect(carrier(host.dev), "no carrier")


@trodden
def test_a_peer_that_dies_and_comes_back_as_another():
    """
    trunk0 ─┬─ eth1 ──  ✗ ── sw1 ─┬─ trunk0 ✗    the switch dies with carrier on all ports; what
            ├─ eth2 ──  ✗ ── sw2 ─┤              comes back has another identity, as a system has
            └─ eth3 ──  ✗ ── sw3 ─┘ spare        that was started again
    """
    pair = Pair()
    pair.server.rounds(1)
    pair.panel.lose(*pair.server.ports)
    silent(pair, pair.server)
    # Only the carrier decides now: the working ports are in use as before.
    equal(pair.server.carriers(), {"eth1", "eth2"}, "ports in use")
    quiet(pair.server)
    switch = Host(pair.panel, "new", (1, 1, 2))
    switch.up()
    for n in "123":
        pair.panel.join(f"eth{n}", f"new{n}")
    pair.panel.heal(*pair.server.ports)
    pair.until(pair.server)
    accounted(pair.server, "eth1 act", "eth2 act", "eth3 act",
              maybe=[r"\w+ fail(over|back) .*", r"eth\d peer-found"])  # fmt: skip
    equal({port["peer"]["system"] for port in pair.server.control.ports().values()}, {switch.control.get()["system"]}, "systems")
    pair.switch = pair.hosts[1] = switch
    pair.until(switch)
    accounted(switch, "new1 peer-found", "new2 peer-found", "new3 peer-found",
              maybe=[r"new\d (act|sby .*)", r"new\d fail(over|back) .*"])  # fmt: skip
    quiet(pair)
    carries(pair)


@trodden
def test_a_peer_that_falls_silent_and_goes_on():
    """
    trunk0 ─┬─ eth1 ──  ✗ ── sw1 ─┬─ trunk0    all at once, and back; each end finds that the
            ├─ eth2 ──  ✗ ── sw2 ─┤            other one has died
            └─ eth3 ──  ✗ ── sw3 ─┘ spare
    """
    pair = Pair()
    pair.panel.lose(*pair.server.ports)
    for host in pair.hosts:
        silent(pair, host)
    quiet(pair)
    pair.panel.heal(*pair.server.ports)
    for host in pair.hosts:
        pair.until(host)
        accounted(host, *(f"{port} act" for port in host.ports), maybe=[r"\w+ fail(over|back) .*"])
        equal(host.stand_ins(), {}, "stand-ins")
    quiet(pair)
    carries(pair)


@cases("deleted", "set down", alike=True)
def test_a_peer_that_says_goodbye(how):
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0 ✗    the switch's trunk goes, and says so: from now on
            ├─ eth2 ──────── sw2 ─┤              the server's ports go by carrier, as before. Then
            └─ eth3 ──────── sw3 ─┘ spare        the switch's trunk is back
    """
    pair = Pair()
    server, switch = pair.hosts
    if how == "deleted":
        switch.delete()
    else:
        switch.down()
    eventually(lambda: not server.probed(), "all go by carrier")
    accounted(server, *(f"{port} peer-bye" for port in server.ports))
    quiet(server)
    equal(server.states(), dict.fromkeys(server.ports, "act"), "states")
    expect("peer" not in server.control.port("eth1"), "a peer of old")
    if how == "deleted":
        switch.make()
    switch.up()
    for host in pair.hosts:
        eventually(lambda: host.probed() == set(host.ports), "all peers are found")
        pair.until(host)
    accounted(server, *(f"{port} peer-found" for port in server.ports))
    accounted(switch, *(f"{port} peer-found" for port in switch.ports), maybe=[r"sw\d (act|leave|sby .*)"])
    quiet(pair)
    carries(pair)


@trodden
@cases("auto", "required", "off")
def test_a_peer_without_trunk(mode):
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┐        a plain bridge, which answers nothing: ports go by
            ├─ eth2 ──────── sw2 ─┼ br0    carrier, unless an answer is required; then, as a last
            └─ eth3 ──────── sw3 ─┘        resort, all the same
    """
    panel = Panel()
    server, switch = Host(panel, "eth", (1, 1, 2), probe=mode), Netns()
    for n in "123":
        panel.lead(switch, f"sw{n}")
        panel.join(f"eth{n}", f"sw{n}")
    with switch:
        ip("link add br0 type bridge mcast_snooping 0\nlink set br0 up")
        for n in "123":
            ip(f"link set sw{n} master br0\nlink set sw{n} up")
    probes = panel.tap("eth1")
    server.up()
    if mode == "off":
        time.sleep(3 * INTERVAL / 1e6)
        equal(probes.take(), [], "probes")
    else:
        server.rounds(5)
        expect(len(probes.take()) >= 5, "probes are missing")
        port = server.control.port("eth1")
        expect(port["rounds-missed"] >= 4 and "peer" not in port and "round-trip-last" not in port, f"eth1: {port}")
    state = "probe-timeout" if mode == "required" else "act"
    eventually(lambda: server.states() == dict.fromkeys(server.ports, state), f"all are {state}")
    equal(server.carriers(), {"eth1", "eth2"}, "ports in use")
    with server.netns:
        expect(carrier("trunk0"), "no carrier")
        taps = Taps(server.ports, outgoing=True)
    for n in range(32):
        server.trunk.send(frame(mac(n), mac(1), n))
    equal(set(numbers(taps.take(32)).values()), {0, 1}, "ports of frames")
    server.all_told()
    equal(set(server.told()), {f"{port} sby probe-timeout" for port in server.ports} if mode == "required" else set(), "what was told")


@trodden
def test_probes_required_of_a_peer_that_answers():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0    `probe required`: no port is used before the peer has
            └─ eth2 ──────── sw2 ─┘            answered; one that is silent from the start never is
    """
    pair = Pair((1, 1), start=False, probe="required")
    pair.panel.lose("eth2")
    pair.server.up()
    pair.server.rounds(3)
    equal(pair.server.states(), {"eth1": "probe-timeout", "eth2": "probe-timeout"}, "states without a peer")
    pair.switch.up()
    for host, silent_port in (pair.server, "eth2"), (pair.switch, "sw2"):
        pair.until(host, {silent_port: "probe-timeout"})
    pair.panel.heal("eth2")
    for host in pair.hosts:
        pair.until(host)
    # With probe auto the peer is unknown again, until it answers.
    pair.server.set(probe="auto")
    eventually(lambda: pair.server.probed() == {"eth1", "eth2"}, "the peers are found")
    for host in pair.hosts:
        host.forget_told()
    quiet(pair)
