# SPDX-License-Identifier: GPL-2.0
"""Probes on the wire: what is sent, what is accepted, and what happens with all that is wrong."""

import probe
from hosts import *

KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
GROUP = bytes.fromhex("0180c2000077")
LATER = 8  # rounds, of which four times as many forget a test


def on_cable(panel, port, tests):
    """Returns the next so many tests that a port sends."""
    tap, got = panel.tap(port), []

    def enough():
        got.extend(data for data in tap.take() if probe.read(data)["kind"] == probe.TEST)
        return len(got) >= tests

    eventually(enough, f"{tests} tests by {port}")
    return got


SO_TIMESTAMPNS = 35


def stamped(tap):
    """Yields (time in seconds, frame) of the frames that a tap takes next."""
    tap.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    while True:
        try:
            data, extra, _, origin = tap.socket.recvmsg(65536, 64)
        except BlockingIOError:
            return
        if tap.wanted(origin):
            seconds, ns = struct.unpack("qq", extra[0][2])
            yield seconds + ns / 1e9, data


@contextlib.contextmanager
def in_step(pair):
    """The block changes one end, then the other. On a slow machine, more rounds may pass in between than may
    be missed. After the second change, at most the rounds under way are missed, and rounds whose answer
    comes late."""

    def missed():
        return [port["rounds-missed"] - counted(host, name, "replies-late")
                for host in pair.hosts for name, port in host.control.ports().items()]  # fmt: skip

    def none_missed():
        before = missed()
        rounds(*pair.hosts, more=2)
        return missed() == before

    for host in pair.hosts:
        host.set(misses=255)
    yield
    changed = missed()
    eventually(none_missed, "two rounds without a miss")
    grown = [now - before for before, now in zip(changed, missed())]
    expect(max(grown) < SETTINGS["misses"], f"rounds missed after both ends have changed: {grown}")
    for host in pair.hosts:
        host.set(misses=SETTINGS["misses"])


def counted(host, port, name):
    return host.control.statistics(port)[name]


# What is sent


@trodden
@cases("without a key", "with a key")
def test_probes_are_as_documented(key):
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0    every field of a test and of its reply; `paths` has the tests
            └─ eth2 ──────── sw2 ─┘            that resemble data
    """
    key = KEY if key == "with a key" else b""
    pair = Pair((1, 3), key=key)
    server, switch = pair.hosts
    systems = {host: host.control.get()["system"] for host in pair.hosts}
    expect(systems[server] != systems[switch], "both are the same system")
    sent, answered = pair.panel.tap("eth2"), pair.panel.tap("sw2")
    frames, prompt, replies = [], set(), {}

    def enough():
        frames.extend(data for data in stamped(sent) if probe.read(data[1])["kind"] == probe.TEST)
        # Before other tests, the guest may have stood still, so that no port was heard.
        late = 1.5 * INTERVAL / 1e6
        prompt.update(data for (before, _), (now, data) in zip(frames, frames[1:]) if now - before < late)
        replies.update({f["echo"]: (f, data) for data in answered.take() if (f := probe.read(data))["kind"] == probe.REPLY})
        return len(prompt) >= 3 and len(replies) >= 2

    eventually(enough, "three tests, each in time after another, and two replies")
    tests = [data for _, data in frames]
    numbers, of_rounds, nonces = [], [], set()
    with server.netns:
        trunk = unmac(link("trunk0")["address"])
    for data in tests:
        f = probe.read(data)
        numbers.append(f["sequence"])
        nonces.add(f["nonce"])
        if len(f["tlvs"]) > 10:
            continue
        of_rounds.append(f["sequence"])
        equal((data[:6], data[12:14]), (probe.NEAREST_BRIDGE, b"\x88\xb5"), "destination and type")
        expect(data[6:12] != trunk, "it comes from the trunk's address, not from the port's")
        want = {"magic": 0x544B, "version": 1, "length": 74 if key else 66, "port": 1, "system": systems[server],
                "trunk": server.control.index, "priority": 3, "reserved": 0, "interval": INTERVAL, "tlvs": bytes([0, 1, 0, 6]) + trunk,
                "flags": probe.USABLE | (probe.TAGGED if key else 0)}  # fmt: skip
        equal({name: f[name] for name in want}, want, "fields of a test")
        expect(f["heard"] == 3 or data not in prompt and f["heard"] < 3, f"ports heard: {f['heard']:#x}")
        if key:
            equal(f["tag"], probe.siphash(KEY, f["signed"]), "tag")
        if f["nonce"] in replies:
            r = replies[f["nonce"]][0]
            equal((r["sequence"], r["port"], r["system"], r["trunk"]),
                  (f["sequence"], 1, systems[switch], switch.control.index), "fields of a reply")  # fmt: skip
            if key:
                equal(r["tag"], probe.siphash(KEY, r["signed"]), "tag of a reply")
    equal(of_rounds, sorted(of_rounds), "sequence of tests of rounds")
    # A test that resembles data may leave after the next test of a round, so it may be missing at either end.
    least, most = min(numbers), max(numbers)
    equal(len(numbers), len(set(numbers)), "different sequence numbers")
    expect(set(range(least, most + 1)) - set(numbers) <= {least + 1, most - 1}, f"sequence numbers {numbers}")
    equal(len(nonces), len(tests), "different nonces")
    flags = probe.read(on_cable(pair.panel, "eth1", 1)[0])["flags"]
    equal(flags & ~probe.TAGGED, probe.USABLE | probe.IN_USE, "flags on a working port")
    with server.netns:
        ip("link set eth2 nomaster")
        equal({data[6:12] for data in tests} - {trunk}, {unmac(link("eth2")["address"])}, "the address they came from is the port's own")


def address_of(host):
    with host.netns:
        return link(host.dev)["address"]


@trodden
def test_both_ends_know_each_others_view():
    """
    trunk0 ─┬─ eth1 ──────── sw1 ─┬─ trunk0    the link table: each end knows of its peer what
            ├─ eth2 ──────── sw2 ─┤            the peer knows of itself
            └─ eth3 ──────── sw3 ─┘ spare
    """
    pair = Pair((1, 1, 2), crossed=[2, 1, 3])
    for host, other, far in (pair.server, pair.switch, pair.far), (pair.switch, pair.server, {v: k for k, v in pair.far.items()}):
        host.rounds(LATER)
        theirs, system = other.control.ports(), other.control.get()["system"]
        for name, port in host.control.ports().items():
            peer, there = port["peer"], theirs[far[name]]
            heard = peer.pop("heard")
            expect(0 < heard < time.monotonic_ns(), f"heard {heard}")
            want = {"system": system, "trunk": other.control.index, "port": there["id"], "priority": there["priority"],
                    "interval": INTERVAL, "usable": True, "address": address_of(other)} | ({"in-use": True} if there.get("in-use") else {})  # fmt: skip
            equal(peer, want, f"peer of {name}")
            expect(port["rounds"] >= LATER and MOMENT <= port["round-trip-min"] <= port["round-trip-avg"], f"{name}: {port}")
            expect(port["round-trip-min"] <= port["round-trip-last"], f"{name}: {port}")
            expect(port["probed"] and port["claims"] == 0, f"{name}: {port}")
        for port in host.ports:
            for name in "probes-sent", "probes-received", "replies-sent", "replies-received":
                eventually(lambda: counted(host, port, name) >= LATER, lambda: f"{name} of {port}: {host.control.statistics(port)}")
            got = host.control.statistics(port)
            for name in "probes-limited", "tlvs-unknown", "probes-refused":
                equal(got[name], 0, f"{name} of {port}")
    with pair.switch.netns:
        ip("link set trunk0 address 02:00:00:00:00:99")
    told = lambda: {port["peer"]["address"] for port in pair.server.control.ports().values()}
    eventually(lambda: told() == {"02:00:00:00:00:99"}, "another address of the peer is told")


@trodden
def test_probes_stay_on_the_port():
    """
    trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0 ─ br0 ─ tap1    no probe on a trunk, nor in a bridge above; LLDP,
            └─ eth2 ── sw2 ─┘                         which goes to the same address, comes to the trunk,
                                                      and passes a bridge whose mask says so
    """
    pair = Pair((1, 1))
    server, switch = pair.hosts
    with switch.netns:
        ip("""link add br0 type bridge mcast_snooping 0 group_fwd_mask 16384
              link add end0 type veth peer name end1
              link set end0 master br0
              link set trunk0 master br0
              link set br0 up
              link set end0 up
              link set end1 up""")
        on_port = Tap("sw1", type=probe.TYPE)
        elsewhere = [Tap(dev, type=probe.TYPE) for dev in ("trunk0", "br0", "end1")]
        lldp = [Tap(dev, type=0x88CC) for dev in ("sw1", "trunk0", "end1")]
    with server.netns:
        elsewhere.append(Tap("trunk0", type=probe.TYPE))
        sender = Sender("eth1")
    switch.rounds(LATER)
    expect(len(on_port.take()) >= LATER, "no probes on the port")
    for tap in elsewhere:
        equal(tap.take(), [], f"probes on {tap.dev}")
    data = probe.NEAREST_BRIDGE + mac(5) + b"\x88\xcc" + bytes(46)
    sender.send(data)
    for tap in lldp:
        got = []
        eventually(lambda: got.extend(tap.take()) or got, f"LLDP comes to {tap.dev}")
        equal(got, [data], f"LLDP at {tap.dev}")
    quiet(pair)


def test_nothing_is_sent_while_nothing_is_in_use():
    """
    trunk0 (down) ─┬─ eth1    no probe is sent, and none answered; after `up` they are
                   └─ eth2
    """
    pair = Pair((1, 1))
    server, switch = pair.hosts
    server.down()
    with server.netns:
        for port in server.ports:  # the ports may have been brought down with it
            Rtnetlink().up(port)
    tap = pair.panel.tap("eth1")
    eventually(lambda: not switch.probed(), "the goodbye is heard")
    tap.take()
    before = server.control.port("eth1")["rounds"]
    switch.rounds(LATER)
    equal(tap.take(), [], "probes and replies")
    equal(server.control.port("eth1")["rounds"], before, "rounds")
    server.up()
    for host in pair.hosts:
        eventually(lambda: host.probed() == set(host.ports), "all peers are found")


@trodden
@cases("another type", "a unicast address", "another group", alike=True)
def test_type_and_address_can_be_set(what):
    """
    trunk0 ─┬─ eth1 ── [plain switch] ── sw1 ─┬─ trunk0    a switch does not forward probes to the
            └─ eth2 ── [plain switch] ── sw2 ─┘            nearest bridge, and does those to others
    """
    pair = Pair((1, 1), start=False)
    for port, far in pair.far.items():
        pair.panel.join(port, far, groups=what == "another type")
    for host in pair.hosts:
        host.up()
    if what != "another type":
        quiet(*pair.hosts)
        equal([host.probed() for host in pair.hosts], [set(), set()], "ports that have a peer")
    else:
        for host in pair.hosts:
            accounted(host, *(f"{port} peer-found" for port in host.ports))
    addresses = {}
    for host in pair.hosts:
        with host.netns:
            addresses[host] = address("trunk0")
    type = 0x9007 if what == "another type" else probe.TYPE
    with in_step(pair):
        for host, other in pair.hosts, pair.hosts[::-1]:
            to = {"another type": probe.NEAREST_BRIDGE, "a unicast address": addresses[other],
                  "another group": GROUP}[what]  # fmt: skip
            host.set(probe_ethertype=type, probe_address=to)
            got = host.control.get()
            equal((got["probe-ethertype"], unmac(got["probe-address"])), (type, to), "settings")
    for host in pair.hosts:
        eventually(lambda: host.probed() == set(host.ports), "all peers are found")
        pair.until(host)
        if what != "another type":
            accounted(host, *(f"{port} peer-found" for port in host.ports))
    tap = pair.panel.tap("eth1", type=type)
    pair.server.rounds(2)
    frames = tap.take()
    expect(frames, "no probes of that type")
    to = {"another type": probe.NEAREST_BRIDGE, "a unicast address": addresses[pair.switch], "another group": GROUP}[what]
    equal({data[:6] for data in frames}, {to}, "where they go")
    quiet(pair)
    carries(pair)


# A peer that is not this driver


def answering(panel, ports, key=None, **fields):
    """Returns a function for a Background. It answers the tests of these ports, as the documentation says."""

    def go(stop):
        taps = {port: panel.tap(port) for port in ports}
        senders = {port: panel.sender(port) for port in ports}
        while not stop():
            select.select([tap.socket for tap in taps.values()], [], [], 0.05)
            for n, (port, tap) in enumerate(taps.items()):
                for data in tap.take():
                    f = probe.read(data)
                    if f["kind"] == probe.TEST:
                        answer = {"kind": probe.REPLY, "sequence": f["sequence"], "echo": f["nonce"], "port": n}
                        senders[port].send(probe.write(key=key, **(answer | fields)))

    return go


@trodden
def test_a_peer_of_another_make():
    """
    trunk0 ── eth1 ── [replies by hand]    additions of a later version are skipped; a malformed
                                           reply, or one of another version, is refused; another
                                           magic is another protocol
    """
    panel = Panel()
    server = Host(panel, "eth", [1])
    server.up()
    unknown = [(0x7001, b"something"), (0x7002, b"")]
    good = {
        "as documented": {},
        "with TLVs": {"tlvs": unknown},
        "with its address": {"tlvs": [(1, bytes.fromhex("020000000042"))]},
        "with flags to come": {"flags": 0x7F},
        "with something in the reserved field": {"reserved": 0xFFFF},
        "with a tag that nobody asked for": {"key": KEY},
    }
    bad = {
        "of another version": {"version": 2},
        "of another kind": {"kind": 4},
        "too short": {"length": 55},
        "longer than the frame": {"length": 200},
        "with a TLV over the end": {"tlvs": unknown, "length": 56 + 12},
        "from a port beyond the last": {"port": 64},
        "to another number": {"sequence": 0xDEAD},
        "to another nonce": {"echo": 0xDEAD},
        "with a tag shorter than a tag": {"flags": probe.TAGGED, "length": 60},
    }
    foreign = {"of another magic": {"magic": 0x544C}}
    with server.netns:
        on_port = Tap("eth1", delivered=True, type=probe.TYPE)
    for what, fields in (good | bad | foreign).items():
        server.set(probe="off")  # to forget the last peer
        server.set(probe="auto")
        before = server.control.statistics("eth1")
        with Background(answering(panel, ["eth1"], **fields)):
            if what in good:
                eventually(lambda: server.probed(), f"a reply {what} is taken")
                peer = server.control.port("eth1")["peer"]
                equal((peer["system"], peer["trunk"], peer["interval"]), (0x5EED, 7, 100_000), "peer")
                equal(peer.get("address"), "02:00:00:00:00:42" if what == "with its address" else None, "address")
            elif what in foreign:
                passed = []
                eventually(lambda: passed.extend(on_port.take()) or len(passed) >= 2, f"what is {what} is left to others")
                equal({probe.read(data)["magic"] for data in passed}, {0x544C}, "magic of what is left to others")
                equal(server.probed(), set(), f"ports with a peer after a reply {what}")
            else:
                refused = before["probes-refused"] + 2
                eventually(lambda: counted(server, "eth1", "probes-refused") >= refused, f"a reply {what} is refused")
                equal(server.probed(), set(), f"ports with a peer after a reply {what}")
        grown = moved(before, server.control.statistics("eth1"))
        if what in foreign:
            expect("probes-refused" not in grown and "replies-received" not in grown, f"{what}: {grown}")
        elif what in good:
            expect("probes-refused" not in grown and grown["replies-received"] >= 1, f"{what}: {grown}")
            expect(grown.get("tlvs-unknown", 0) >= 2 if what == "with TLVs" else "tlvs-unknown" not in grown, f"{what}: {grown}")
        else:
            expect("replies-received" not in grown and grown.get("probes-refused", 0) >= 2, f"{what}: {grown}")


@trodden
def test_no_more_replies_than_2000_a_second():
    """
    trunk0 ── eth1 ◄── 3,000 tests as fast as can be    each is answered or counted as too many
    """
    panel = Panel()
    server = Host(panel, "eth", [1])
    server.up()
    tests = 3_000
    tap, sender = panel.tap("eth1"), panel.sender("eth1")
    start = time.monotonic()
    for n in range(tests):
        sender.send(probe.write(sequence=n, nonce=n + 1))
    eventually(lambda: counted(server, "eth1", "probes-received") == tests, "all tests came")
    limited = counted(server, "eth1", "probes-limited")
    most = 33 + 2_000 * (time.monotonic() - start)
    replies = [data for data in tap.take() if probe.read(data)["kind"] == probe.REPLY]
    equal(len(replies) + limited, tests, "answered, and not answered")
    equal(len(replies), counted(server, "eth1", "replies-sent"), "replies")
    expect(len(replies) <= most, f"{len(replies)} replies, where {most:.0f} are the most")
    expect(limited > 0 or GUEST != "uml", "none was too many")  # elsewhere they may come too slowly
    equal(server.probed(), set(), "ports with a peer")  # a test that echoes nothing proves no link


# Frames that were changed on the way


@trodden
def test_duplicated():
    """
    trunk0 ═╤═ eth1 ══════════ sw1 ═╤═ trunk0    each frame comes twice, both ways, on all links
            ╘═  …               …  ═╛
    """
    pair = Pair()
    for port in pair.server.ports + pair.switch.ports:
        pair.panel.spoil(port, duplicate=1)
    quiet(pair, more=15)
    for host in pair.hosts:
        equal(host.states(), dict.fromkeys(host.ports, "act"), "states")
        expect(counted(host, host.ports[0], "probes-refused") >= 10, "second replies are not counted as refused")


@repeats
def test_reordered():
    """
    trunk0 ─┬─ eth1 ─ ⤨ ─ sw1 ─┬─ trunk0    half of all frames are late by a fifth of an interval,
            └─  …         …   ─┘            so come after others
    """
    pair = Pair()
    for port in pair.server.ports + pair.switch.ports:
        pair.panel.spoil(port, delay=INTERVAL / 5e6, reorder=0.5)
    quiet(pair, more=20)
    for host in pair.hosts:
        equal(host.states(), dict.fromkeys(host.ports, "act"), "states")


def flipping():
    """Returns a function that changes one bit of a probe, each time the next one."""
    at = 0

    def change(data):
        nonlocal at
        length = probe.read(data)["length"]
        byte, bit = divmod(at, 8)
        at = (at + 1) % (8 * length)
        changed = bytearray(data)
        changed[14 + byte] ^= 1 << bit
        return [bytes(changed)]

    return change


@trodden
def test_corrupted_all_the_time():
    """
    trunk0 ─┬─ eth1 ── ⚡ ── sw1 ─┬─ trunk0    one bit of each probe is wrong: with a key it is no
            ├─ eth2 ─────── sw2 ─┤            probe at all
            └─ eth3 ─────── sw3 ─┘ spare
    """
    pair = Pair(key=KEY)
    pair.panel.lose("eth1")
    with Background(relaying(pair.panel, "eth1", "sw1", flipping())):
        fails(pair, "eth1", "probe-timeout", "probe-timeout")
        # Where the wrong bit is in the header, the frame is no probe to anybody.
        eventually(lambda: counted(pair.server, "eth1", "probes-refused") >= 5, "corrupted probes are counted")
    pair.panel.heal("eth1")
    returns(pair, "eth1")


@trodden
def test_corrupted_copies_beside_what_is_sound():
    """
    trunk0 ─┬─ eth1 ─── ⚡ ── sw1 ─┬─ trunk0    each probe comes as it is, and once more with a bit
            │      └───────┘     │            wrong; and some of all frames are corrupted
            └─ eth2 ─────── sw2 ─┘
    """
    pair = Pair((1, 1), key=KEY, misses=12)
    with Background(relaying(pair.panel, "eth1", "sw1", flipping())):
        quiet(pair, more=15)
    for port in pair.server.ports + pair.switch.ports:
        pair.panel.spoil(port, corrupt=0.1)
    quiet(pair, more=20)
    for host in pair.hosts:
        equal(host.states(), dict.fromkeys(host.ports, "act"), "states")
        expect(counted(host, host.ports[0], "probes-refused") >= 10, "corrupted probes are not counted")


@trodden
@cases("before", "from the start", alike=True)
def test_priority_tags_on_the_way(what):
    """
    trunk0 ─┬─ eth1 ── + ── sw1 ─┬─ trunk0    what lies between puts a tag on each frame that says its priority,
            └─ eth2 ── + ── sw2 ─┘            and no VLAN: probes stay what they are
    """
    pair = Pair((1, 1), start=what == "before")
    tag = b"\x81\0\xc0\0"
    with contextlib.ExitStack() as stack:
        for one, other in zip(pair.server.ports, pair.switch.ports):
            pair.panel.part(one)
            stack.enter_context(Background(relaying(pair.panel, one, other, lambda data: [data[:12] + tag + data[12:]])))
        if what == "before":
            rounds(*pair.hosts, more=20)
        else:
            pair.start()
        for host in pair.hosts:
            eventually(lambda: host.states() == dict.fromkeys(host.ports, "act") and host.probed() == set(host.ports), "all are proven")


@trodden
def test_a_probe_in_a_vlan_is_none():
    """
    trunk0 ─┬─ eth1 ── + ── sw1 ─┬─ trunk0    with the tag of a VLAN, a probe is for somebody else
            └─ eth2 ─────── sw2 ─┘
    """
    pair = Pair((1, 1))
    pair.panel.part("eth1")
    tag = b"\x81\0\xc0\x07"
    with Background(relaying(pair.panel, "eth1", "sw1", lambda data: [data[:12] + tag + data[12:]])):
        for host in pair.hosts:
            want = dict(zip(host.ports, ("probe-timeout", "act")))
            eventually(lambda: host.states() == want, "the first link fails")


def injecting(panel, frames):
    """Returns a function for a Background. It puts frames onto cables, (port, frame), over and over; each
    frame once in four intervals."""

    def go(stop):
        senders = {port: panel.sender(port) for port, _ in frames}
        while not stop():
            for port, data in frames:
                senders[port].send(data)
                time.sleep(4 * INTERVAL / 1e6 / len(frames))
                if stop():
                    return

    return go


@trodden
@cases("without a key", "with a key", alike=True)
def test_replayed(key):
    """
    trunk0 ─┬─ eth1 ──  ✗ ── sw1 ─┬─ trunk0    recorded tests, replies and goodbyes are sent again:
            ├─ eth2 ──────── sw2 ─┤            a working link stays usable, and a dead one
            └─ eth3 ──────── sw3 ─┘ spare      stays unusable
    """
    pair = Pair(key=KEY if key == "with a key" else b"")
    server, switch = pair.hosts
    taps = pair.panel.tap("eth1"), pair.panel.tap("sw1")
    server.rounds(4)
    for host in pair.hosts:  # and a goodbye each way
        host.down()
        for other in pair.hosts:
            eventually(lambda: other is host or not other.probed(), "the goodbye is heard")
        host.up()
        for other in pair.hosts:
            eventually(lambda: other.probed() == set(other.ports), "all peers are found")
    recorded = [("sw1", data) for data in taps[0].take()] + [("eth1", data) for data in taps[1].take()]
    kinds = {(port, probe.read(data)["kind"]) for port, data in recorded}
    equal(kinds, {(port, kind) for port in ("sw1", "eth1") for kind in (probe.TEST, probe.REPLY, probe.BYE)}, "recorded")
    for host in pair.hosts:
        host.rounds(4 * LATER + 1)
        pair.until(host)
        host.forget_told()
    with Background(injecting(pair.panel, recorded)):
        quiet(pair, more=12)
        pair.panel.lose("eth1")
        # Both ends receive frames, so an end may find that only it is not heard, or, while the machine
        # stands still between two frames, that only the other one is not.
        fails(pair, "eth1", *["one-way-rx|one-way-tx|probe-timeout after peer-sby"] * 2)
        quiet(pair, more=12)
    pair.panel.heal("eth1")
    returns(pair, "eth1")


@repeats
def test_forged_by_one_who_knows_all_but_the_nonces():
    """
    trunk0 ─┬─ eth1 ──  ✗ ── sw1 ─┬─ trunk0    tests that call the link unusable, replies and
            ├─ eth2 ──────── sw2 ─┤            goodbyes in the peer's name, with numbers that are
            └─ eth3 ──────── sw3 ─┘ spare      right and nonces that are not
    """
    pair = Pair()
    random = seeded()
    forged = []
    for target, source in (("eth1", "sw1"), ("sw1", "eth1")):
        original = on_cable(pair.panel, source, 1)[0]
        f = probe.read(original)
        for kind in (probe.TEST, probe.REPLY, probe.BYE):
            for ahead in range(8):
                changes = {"kind": kind, "sequence": f["sequence"] + 4 * ahead, "nonce": random.getrandbits(64), "flags": 0,
                           "priority": 9, "echo": random.getrandbits(64)}  # fmt: skip
                forged.append((target, probe.sent_again(original, **changes)))
    random.shuffle(forged)
    with Background(injecting(pair.panel, forged)):
        quiet(pair, more=12)
        for host in pair.hosts:
            equal(host.control.port(host.ports[0])["peer"]["priority"], 1, "priority that the peer is said to have")
        pair.panel.lose("eth1")
        fails(pair, "eth1", *["one-way-rx|probe-timeout after peer-sby"] * 2)
        quiet(pair, more=12)
    expect(counted(pair.server, "eth1", "probes-refused") > 10, "forged replies are not counted")


@trodden
def test_forged_by_one_who_sees_all_but_has_no_key():
    """
    trunk0 ─┬─ eth1 ── ☠ ── sw1 ─┬─ trunk0    every probe is answered at once with the reply that it
            ├─ eth2 ─────── sw2 ─┤            asks for, a goodbye, and a test that calls the link
            └─ eth3 ─────── sw3 ─┘ spare      unusable; untagged, or with another key's tag
    """
    pair = Pair(key=KEY)
    panel = pair.panel
    other_key = KEY[::-1]

    def lying(stop):
        ways = [(panel.tap(port), panel.sender(port)) for port in ("eth1", "sw1")]
        peers = [probe.read(on_cable(panel, pair.far.get(port, "eth1"), 1)[0]) for port in ("eth1", "sw1")]
        while not stop():
            select.select([tap.socket for tap, _ in ways], [], [], 0.05)
            for (tap, sender), peer in zip(ways, peers):
                for data in tap.take():
                    f = probe.read(data)
                    if f["kind"] != probe.TEST:
                        continue
                    lie = {name: peer[name] for name in ("system", "trunk", "port", "priority", "interval")}
                    lie |= {"echo": f["nonce"], "sequence": f["sequence"], "nonce": 1, "flags": 0}
                    for kind in probe.REPLY, probe.BYE, probe.TEST:
                        for key in None, other_key:
                            sender.send(probe.write(kind=kind, key=key, **lie))

    with Background(lying):
        quiet(pair, more=8)
        pair.panel.lose("eth1")
        fails(pair, "eth1", "probe-timeout", "probe-timeout")
    expect(counted(pair.server, "eth1", "probes-refused") > 10, "forged probes are not counted")
    pair.panel.heal("eth1")
    returns(pair, "eth1")


# Keys


def test_a_key_at_both_ends_or_at_one():
    """
    trunk0 (key) ─┬─ eth1 ──────── sw1 ─┬─ trunk0 (no key, another key, the same key)
                  ├─ eth2 ──────── sw2 ─┤
                  └─ eth3 ──────── sw3 ─┘
    """
    pair = Pair()
    server, switch = pair.hosts
    with in_step(pair):
        for host in pair.hosts:
            host.set(key=KEY)
    quiet(pair)
    for host in pair.hosts:
        got = host.control.get()
        expect(got.get("keyed") and "key" not in got, f"settings: {got}")
    for key in b"", KEY[::-1]:
        switch.set(key=key)
        for host in pair.hosts:
            eventually(lambda: "act" not in host.states().values(), "no port is act")
        eventually(lambda: set(server.states().values()) <= {"peer-silent", "probe-timeout"}, "the server hears nobody")
        # The switch without a key accepts probes of the server, which accepts none of the switch.
        wanted = {"peer-silent", "probe-timeout", "one-way-rx"} if not key else {"peer-silent", "probe-timeout"}
        eventually(lambda: set(switch.states().values()) <= wanted, f"the switch says why: {wanted}")
        # There is no better port, so all are used.
        equal(server.carriers(), {"eth1", "eth2"}, "ports in use")
        carries(pair)
        switch.set(key=KEY)
        for host in pair.hosts:
            pair.until(host)
            host.forget_told()
    quiet(pair)
    with in_step(pair):
        for host in pair.hosts:
            host.set(key=b"")
            expect("keyed" not in host.control.get(), "keyed without a key")
    quiet(pair)


# Links that are poor


@trodden
def test_a_third_of_all_frames_lost():
    """
    trunk0 ─┬─ eth1 ─ ⚡ ─ sw1 ─┬─ trunk0    every other round is missed, on all links, at random:
            ├─ eth2 ─ ⚡ ─ sw2 ─┤            with enough misses allowed nothing happens
            └─ eth3 ─ ⚡ ─ sw3 ─┘ spare
    """
    pair = Pair(misses=24)
    for port in pair.server.ports + pair.switch.ports:
        pair.panel.spoil(port, loss=0.3)
    quiet(pair, more=40)
    for host in pair.hosts:
        ports = host.control.ports()
        equal({port["state"] for port in ports.values()}, {"act"}, "states")
        for name, port in ports.items():
            expect(port["rounds-missed"] > 0, f"no round was missed on {name}")


@repeats
def test_a_third_of_all_frames_lost_on_a_link_that_may_miss_three():
    """
    trunk0 ─┬─ eth1 ─ ⚡ ─ sw1 ─┬─ trunk0    the link goes to and fro; the others stay out of it,
            ├─ eth2 ─────── sw2 ─┤           and it is held down longer each time
            └─ eth3 ─────── sw3 ─┘ spare
    """
    pair = Pair(misses=3, hold_down=60_000)
    for end in pair.panel.ends("eth1"):
        pair.panel.spoil(end, loss=0.3)
    for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
        eventually(lambda: host.states()[port] == "held-down", f"{port} is held down")
    reasons = "(probe-timeout|one-way-rx|one-way-tx|peer-sby|held-down)"
    for host, port in (pair.server, "eth1"), (pair.switch, "sw1"):
        spare = host.ports[-1]
        lines = host.told()
        fine = rf"{port} (act|sby {reasons}|failover {spare} {reasons}|failback {spare})"
        equal([line for line in lines if not re.fullmatch(fine, line)], [], "other events")
        states = [line.split()[1] for line in lines if re.match(rf"{port} (act|sby)", line)]
        states = [state for state, before in zip(states, [None, *states]) if state != before]  # it may still be sby
        equal(states, ["sby", "act"] * (len(states) // 2) + ["sby"] * (len(states) % 2), "states one after the other")
        equal({name: state for name, state in host.states().items() if name != port},
              dict.fromkeys(set(host.ports) - {port}, "act"), "states of the others")  # fmt: skip
    pair.panel.heal("eth1")
    for host in pair.hosts:  # longer than the hold-down
        pair.until(host)
    carries(pair)
