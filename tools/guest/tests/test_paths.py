# SPDX-License-Identifier: GPL-2.0
"""Links that lose one kind of frames and carry all others."""

from hosts import *

VLAN, MTU = 7, 4000


class Lossy(Pair):
    """Two working links and a spare. All devices have an MTU of 4,000 bytes. With `vlan`, both ends receive frames of VLAN 7:
    a relay cannot pass these."""

    def __init__(self, priorities=(1, 1, 2), start=True, vlan=True, **settings):
        super().__init__(priorities, start=False, **SETTINGS | settings)
        with self.panel.netns:
            for name in links():
                attempt(f"ip link set {name} mtu {MTU}")
        for host in self.hosts:
            with host.netns:
                ip(f"link set trunk0 mtu {MTU}")
                if vlan:
                    ip(f"link add link trunk0 name vlan{VLAN} type vlan id {VLAN}")
        self.relays = contextlib.ExitStack()
        if start:
            self.start()

    def eat(self, kind, port):
        """Has the cable of a port of the server lose a kind of frames. Returns the reasons at both ends."""
        far = self.far[port]
        if kind == "source":
            with self.server.netns:
                own = address("trunk0")
            self.panel.part(port)
            change = lambda data: [] if data[6:12] == own else [data]
            self.relays.enter_context(Background(relaying(self.panel, port, far, change, type=None)))
            return "path-source", "peer-sby"
        with self.panel.netns:
            if kind == "mtu":
                ip(f"link set {port} mtu 1500\nlink set {far} mtu 1500")
            else:
                ip(f"link set {links()[port]['master']} type bridge vlan_filtering 1")
        return f"path-{kind}", f"path-{kind}"

    def mend(self, kind, port):
        far = self.far[port]
        if kind == "source":
            self.relays.close()
            self.panel.join(port, far)
            return
        with self.panel.netns:
            if kind == "mtu":
                ip(f"link set {port} mtu {MTU}\nlink set {far} mtu {MTU}")
            else:
                ip(f"link set {links()[port]['master']} type bridge vlan_filtering 0")

    def passes(self, kind):
        """Checks that each end receives what the other sends of that kind."""
        size, dev = (MTU, "trunk0") if kind == "mtu" else (60, f"vlan{VLAN}" if kind == "vlan" else "trunk0")
        for host in self.hosts:
            with host.netns:
                ip(f"link set {dev} up")
                eventually(lambda: running(dev), f"{dev} is up")
        for one, other in (self.server, self.switch), (self.switch, self.server):
            with one.netns:
                sender, source = Sender(dev), address("trunk0")
            with other.netns:
                tap = Taps([dev])
            for bucket in range(32):
                sender.send(frame(mac(bucket), source if kind == "source" else mac(1), bucket, size))
            equal(sorted(numbers(tap.take(32))), list(range(32)), f"frames that came to {other.ports[0][:-1]}")


def findings(host):
    with host.netns:
        found = json.loads(attempt("trunkctl -j doctor").stdout)
    return {(it["check"], it["port"]): it["text"] for it in found if it["check"].startswith("path-")}


@cases("source", "mtu", "vlan")
def test_a_link_that_loses_a_kind_of_frames_is_out_of_use(kind):
    """
    trunk0 ─┬─ eth1 ───────── sw1 ─┬─ trunk0    the second cable loses what has the server's address as
            ├─ eth2 ─ [lossy] sw2 ─┤            source, or is as large as the MTU, or is of VLAN 7
            └─ eth3 ───────── sw3 ─┘ spare
    """
    pair = Lossy(vlan=kind == "vlan")
    reasons = pair.eat(kind, "eth2")
    # One end may learn it from the other first.
    fails(pair, "eth2", *(reason if reason == "peer-sby" else f"{reason} after peer-sby" for reason in reasons))
    pair.passes(kind)
    port = pair.server.control.port("eth2")
    equal({name: value for name, value in port.items() if name.startswith("loses-")},
          {f"loses-{kind}": [VLAN] if kind == "vlan" else True}, "what is lost")  # fmt: skip
    (check, at), = {found for found in findings(pair.server)}
    equal((check, at), (reasons[0], "eth2"), "what doctor finds")
    expect("another link carries them" in findings(pair.server)[check, at], "doctor says that others carry them")
    pair.mend(kind, "eth2")
    returns(pair, "eth2")
    equal(findings(pair.server), {}, "what doctor finds")


@cases("source", "mtu", "vlan")
def test_a_link_that_loses_a_kind_of_frames_from_the_start(kind):
    """
    trunk0 ─┬─ eth1 ───────── sw1 ─┬─ trunk0
            └─ eth2 ─ [lossy] sw2 ─┘
    """
    pair = Lossy((1, 1), start=False, vlan=kind == "vlan")
    with pair.server.netns:
        ip("link set trunk0 address 02:00:00:00:00:77")
    here, there = pair.eat(kind, "eth2")
    for host in pair.hosts:
        host.up()
    pair.until(pair.server, {"eth2": here})
    pair.until(pair.switch, {"sw2": there})
    pair.passes(kind)


@cases("source", "mtu", "vlan")
def test_what_no_link_carries_puts_none_out_of_use(kind):
    """
    trunk0 ─┬─ eth1 ─ [lossy] sw1 ─┬─ trunk0    both lose it: both are used, for what they carry
            └─ eth2 ─ [lossy] sw2 ─┘
    """
    pair = Lossy((1, 1), vlan=kind == "vlan")
    for port in pair.server.ports:
        reason, _ = pair.eat(kind, port)
    if kind == "vlan":
        # The peer may have no use for the VLAN.
        rounds(*pair.hosts, more=150)
    else:
        loses = lambda: set(findings(pair.server)) == {(reason, port) for port in pair.server.ports}
        eventually(loses, "doctor names both links")
        expect(all("no other link carries them" in text for text in findings(pair.server).values()), "and says that none does")
    equal({host.states()[port] for host in pair.hosts for port in host.ports}, {"act"}, "states")
    # The others are mended: this one is out of use.
    pair.mend(kind, "eth1")
    if kind != "source":
        pair.until(pair.server, {"eth2": reason})
        pair.passes(kind)


def test_a_vlan_without_its_tag_has_not_come_through():
    """
    trunk0 ─┬─ eth1 ───────────── sw1 ─┬─ trunk0    the second cable takes the tag of VLAN 7 away
            └─ eth2 ─ [access port] sw2 ─┘
    """
    pair = Lossy((1, 1))
    with pair.panel.netns:
        cable = links()["sw2"]["master"]
        ip(f"link set {cable} type bridge vlan_filtering 1")
        for words in f"eth2 vid {VLAN}", f"sw2 vid {VLAN} untagged":
            run(f"bridge vlan add dev {words}")
    pair.until(pair.server, {"eth2": "path-vlan"})
    expect(counted(pair.switch, "sw2", "probes-refused"), "what has lost its tag is refused")


def counted(host, port, name):
    return host.control.statistics(port)[name]


def test_tests_resemble_data():
    """
    trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0    a test in some is from the trunk's address, as long as the MTU,
            └─ eth2 ── sw2 ─┘            or in a VLAN; each says so
    """
    pair = Lossy((1, 1))
    with pair.server.netns:
        own = address("trunk0")
    with pair.switch.netns:
        tap = Tap("sw1", type=None)
    seen, counted = {}, set()

    def all_kinds():
        for data in tap.take():
            kind, = struct.unpack_from("!H", data, 12)
            if kind == 0x8100:  # kept beside the data
                continue
            if kind == probe.TYPE and probe.read(data)["kind"] == probe.TEST:
                tlvs = probe.read(data)["tlvs"]
                seen.setdefault(tlvs[10:18], []).append(data)
                counted.update({tlvs[18:]} - {b""})
        return len(seen) == 4 and counted

    eventually(all_kinds, lambda: f"tests of all kinds; there are {list(seen)}")
    path = lambda kind, vlan=0: struct.pack("!HHHH", 2, 4, kind, vlan)
    equal({tlvs[:4] for tlvs in counted}, {struct.pack("!HH", 3, 16)}, "what follows")
    expect(all(0 < struct.unpack("!2Q", tlvs[4:])[n] < 10_000 for tlvs in counted for n in range(2)), "frames that are counted")
    equal(set(seen), {b"", path(1), path(2), path(3, VLAN)}, "kinds")
    equal({data[6:12] == own for data in seen[path(1)]}, {True}, "source of those from the trunk's address")
    equal({data[6:12] == own for tlv in seen for data in seen[tlv] if tlv != path(1)}, {False}, "source of others")
    equal({len(data) for data in seen[path(2)]}, {MTU + 14}, "bytes of those as long as the MTU")
    equal({len(data) for tlv in seen for data in seen[tlv] if tlv != path(2)} - {60, 80, 88, 108, 116}, set(), "bytes of others")
    # Replies do not.
    with pair.server.netns:
        tap = Tap("eth1", type=probe.TYPE)
    pair.server.rounds(more=20)
    replies = [data for data in tap.take() if probe.read(data)["kind"] == probe.REPLY]
    equal({(len(data) < 100, len(probe.read(data)["tlvs"])) for data in replies}, {(True, 10)}, "replies")


def test_an_idle_spare_does_not_send_from_the_trunks_address():
    """
    trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0    probes to an address that switches may forward: one of them would
            └─ eth2 ── sw2 ─┘ spare      take the trunk for behind the spare
    """
    pair = Lossy((1, 2), **{"probe-address": bytes.fromhex("01005e000099")})
    with pair.server.netns:
        own = address("trunk0")
        taps = Taps(["eth1", "eth2"], outgoing=True, type=probe.TYPE)
    seen = []

    def enough():
        seen.extend(taps.taken())
        return sum(data[6:12] == own for _, data in seen) >= 3

    eventually(enough, "tests from the trunk's address")
    equal({port for port, data in seen if data[6:12] == own}, {0}, "ports by which they leave")


def test_a_trunk_on_vlans_of_a_trunk():
    """
    trunk1 ── vlan7 ── trunk0 ═══ trunk0 ── vlan7 ── trunk1    probes of the trunk above are not for the one below
    """
    pair = Lossy((1, 1))
    for host in pair.hosts:
        with host.netns:
            run(f"trunkctl add trunk1 port vlan{VLAN} --down")
            ip(f"link set vlan{VLAN} up\nlink set trunk1 up")
    for host in pair.hosts:
        with host.netns:
            upper = Control("trunk1")
            eventually(lambda: "probed" in upper.port(f"vlan{VLAN}"), "the trunk above has found its peer")
            equal(upper.port(f"vlan{VLAN}")["state"], "act", "state of its port")
    quiet(pair)


def test_what_both_ends_have_counted_is_compared():
    """
    trunk0 ─┬─ eth1 ────────────── sw1 ─┬─ trunk0    the second cable loses three of ten frames to the switch,
            └─ eth2 ─ [30 % lost] ─ sw2 ┘            of whatever kind: it works, and both ends say so
    """
    pair = Pair((1, 1), **SETTINGS | {"misses": 30})
    server, switch = pair.hosts
    pair.panel.spoil("sw2", loss=0.3)

    def found(host):
        for bucket in range(32):
            server.trunk.send(frame(mac(bucket), mac(1), bucket))
        with host.netns:
            said = json.loads(attempt("trunkctl -j doctor").stdout)
        return {(it["port"], it["text"].split(" have ")[0]) for it in said if it["check"] == "losses"}

    for host, port, way in (server, "eth2", "to its peer"), (switch, "sw2", "from its peer"):
        eventually(lambda: any(at == port and f"frames {way}" in text for at, text in found(host)), f"{port} is found")
        equal({at for at, _ in found(host)}, {port}, "ports that are found")
        with host.netns:
            shown = {it["ifname"]: it["compared"] for it in json.loads(run("trunkctl -j port show"))}
        for name, it in shown.items():
            expect(name == port or it["sent"] <= it["arrived"] and it["peer_sent"] <= it["peer_arrived"], f"lost on {name}: {it}")
        equal(set(host.states().values()), {"act"}, "states")
    # What is known goes with the port.
    with server.netns:
        ip("link set eth2 nomaster\nlink set eth2 down")
        left = time.monotonic_ns()
        ip("link set eth2 master trunk0\nlink set eth2 up")
        shown = server.control.port("eth2").get("compared", {"time": 0})
        expect(shown["time"] <= time.monotonic_ns() - left, f"a port that joins is compared: {shown}")
