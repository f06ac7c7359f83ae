# SPDX-License-Identifier: GPL-2.0
"""One MAC address and one MTU on the trunk and all its ports."""

from lab import *

MINE = "02:00:5e:00:53:01"
OTHER = "02:00:5e:00:53:02"


def three_dummies():
    """
    trunk0 ─┬─ dummy1    each with an address of its own
            ├─ dummy2
            └─ dummy3
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add dummy3 type dummy""")
    return ["dummy1", "dummy2", "dummy3"]


def addresses(devs):
    return {dev: link(dev)["address"] for dev in devs}


def enslave(ports):
    ip("\n".join(f"link set {port} master trunk0" for port in ports) + "\n")


def test_the_first_ports_address_is_everybodys():
    """
    trunk0 ─┬─ dummy1  ◄ its address
            ├─ dummy2
            └─ dummy3
    """
    ports = three_dummies()
    own = addresses(ports)
    enslave(ports)
    first = own["dummy1"]
    equal(addresses(["trunk0"] + ports), dict.fromkeys(["trunk0"] + ports, first), "addresses")
    for port in ports:
        equal(link(port).get("permaddr", own[port]) in (own[port], None), True, f"permanent address of {port}")
    # In another order than they joined; the first one stays longer than some.
    for n, port in enumerate(("dummy2", "dummy1", "dummy3")):
        ip(f"link set {port} nomaster")
        equal(link(port)["address"], own[port], f"address of {port} once released")
        rest = [other for other in ports if link(other).get("master") == "trunk0"]
        equal(set(addresses(rest).values()) | {link("trunk0")["address"]}, {link("trunk0")["address"]}, "addresses left")


@trodden
@cases("set", "born with")
def test_an_address_set_before_wins(how):
    """
    trunk0 (02:00:5e:00:53:01) ─┬─ dummy1
                                └─ dummy2
    """
    ports = three_dummies()
    own = addresses(ports)
    if how == "set":
        ip(f"link set trunk0 address {MINE}")
    else:
        ip("link del trunk0")
        ip(f"link add trunk0 address {MINE} type {KIND}")
    enslave(ports)
    equal(addresses(["trunk0"] + ports), dict.fromkeys(["trunk0"] + ports, MINE), "addresses")
    ip("link del trunk0")
    equal(addresses(ports), own, "addresses after the trunk is gone")


@trodden
def test_a_change_while_up_reaches_all_ports():
    """
    trunk0 (up, in use) ─┬─ eth1 ── sw1    ip link set trunk0 address …
                         ├─ eth2 ── sw2
                         └─ eth3 ── sw3
    """
    star = Star(3)
    table = star.map()
    with star.server:
        devs = ["trunk0"] + star.ports
        ip(f"link set trunk0 address {MINE}")
        equal(addresses(devs), dict.fromkeys(devs, MINE), "addresses")
        on_trunk = Taps(["trunk0"])
    with star.switch:
        Sender("sw2").send(frame(unmac(MINE), mac(9), 1))
    equal(len(on_trunk.take(1)), 1, "frames to the new address")
    equal(star.map(), table, "the table")


def test_a_change_one_port_refuses_changes_nothing():
    """
    trunk0 (up) ─┬─ dummy1
                 ├─ macvlan1 ─ lower    refuses the address that `lower` has itself
                 └─ dummy2
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add lower address {OTHER} type dummy
           link set lower up
           link add macvlan1 link lower type macvlan
           link set dummy1 master trunk0
           link set macvlan1 master trunk0
           link set dummy2 master trunk0
           link set trunk0 up""")
    devs = ["trunk0", "dummy1", "macvlan1", "dummy2"]
    before = addresses(devs)
    equal(len(set(before.values())), 1, "addresses in use")
    refused(f"ip link set trunk0 address {OTHER}")
    equal(addresses(devs), before, "addresses")
    refused("ip link set trunk0 address 01:00:5e:00:00:01")
    equal(addresses(devs), before, "addresses")


@trodden
def test_addresses_that_no_trunk_is_born_with():
    """
    ip link add trunk0 address … type trunk    a group address, zero, or one that is too short
    """
    load()
    station = "address: a group address, or all zeroes, is not an address of a device."
    for address, words in (("01:00:5e:00:00:01", station), ("00:00:00:00:00:00", station),
                           ("02:00:5e:00:53", "address: a MAC address has 6 bytes.")):  # fmt: skip
        equal(refused(f"ip link add trunk0 address {address} type {KIND}"), words, f"words of the refusal of {address}")
        equal(link("trunk0"), None, "the trunk")


@trodden
def test_a_port_whose_address_somebody_changes_goes_on_receiving():
    """
    trunk0 ─┬─ eth1 ─── sw1    eth1 gets an address of its own, and later that of the trunk again: all along, what
            └─ eth2 ─── sw2    is sent to the trunk by eth1 is for the host
    """
    star = Star(2)
    with star.server:
        own, theirs = address("trunk0"), mac(0xE1)
        ip("address add 192.0.2.1/24 dev trunk0")
        host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        host.bind(("192.0.2.1", 9))
        host.setblocking(False)
    with star.switch:
        sender = Sender("sw1")

    def arrives(what, to):
        """Ten datagrams to the trunk come in by eth1."""
        sent = [datagram(to, mac(9), n) for n in range(10)]
        for each in sent:
            sender.send(each)
        got = []

        def all_there():
            with contextlib.suppress(BlockingIOError):
                while data := host.recv(100):
                    got.append(data)
            return len(got) >= 10

        eventually(all_there, f"ten datagrams {what}")
        equal(len(got), 10, f"datagrams {what}")

    def listens():
        """Returns the addresses that eth1 receives for beside its own."""
        with star.server:
            return [unmac(entry["mac"]) for entry in json.loads(run("bridge -j fdb show dev eth1")) if not unmac(entry["mac"])[0] & 1]

    arrives("before", own)
    for round in "first", "second":
        with star.server:
            ip(f"link set eth1 address {show(theirs)}")
            equal((link("eth1")["address"], link("eth2")["address"]), (show(theirs), show(own)), "addresses")
        equal(listens(), [own], "addresses that eth1 receives for beside its own")
        arrives(f"after the {round} change", own)
        with star.server:
            ip(f"link set eth1 address {show(own)}")
        equal(listens(), [], "addresses that eth1 receives for beside its own")
        arrives(f"after the {round} return", own)
    # The trunk gets another address: all ports follow.
    new = mac(0xE2)
    with star.server:
        ip(f"link set eth1 address {show(theirs)}\nlink set trunk0 address {show(new)}")
        equal((link("eth1")["address"], link("eth2")["address"]), (show(new), show(new)), "addresses")
    equal(listens(), [], "addresses that eth1 receives for beside its own")
    arrives("to the new address", new)
    with star.server:
        before = link("eth1")
        ip("link set eth1 nomaster")
        expect(link("eth1")["address"] not in (show(new), show(theirs)), "eth1 has the address of before it joined")
        equal(before["master"], "trunk0", "master of eth1 before")


def datagram(dst, src, number):
    """Returns a frame with a UDP datagram from 192.0.2.2 to port 9 of 192.0.2.1."""
    data = bytearray(udp(dst, src, number, number))
    data[26:34] = socket.inet_aton("192.0.2.2") + socket.inet_aton("192.0.2.1")
    data[24:26] = data[40:42] = bytes(2)  # UDP without a checksum
    total = sum(struct.unpack("!10H", data[14:34]))
    total = (total & 0xFFFF) + (total >> 16)
    data[24:26] = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
    return bytes(data)


PROBES = 0x88B5


def promiscuity(dev):
    return link(dev)["promiscuity"]


def test_a_port_that_keeps_its_address_while_it_is_up():
    """
    server                                        switch
    trunk0 ─┬─ l2tp1 ═ (a tunnel over a veth) ═ l2tp1    a tunnel that takes another address only
            └─ eth1 ──────────────────────────── sw1     when it is down
    """
    star = Star(1)
    for namespace, dev, last, other in ((star.server, "under", 1, 2), (star.switch, "below", 2, 1)):
        with namespace:
            if last == 1:
                ip(f"link add under type veth peer name below netns {star.switch.path}")
            ip(f"address add 192.0.2.{last}/24 dev {dev}\nlink set {dev} up")
            done = attempt(f"ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap udp local 192.0.2.{last} "
                           f"remote 192.0.2.{other} udp_sport 5000 udp_dport 5000")  # fmt: skip
            if done.returncode:
                raise Skipped(f"no tunnels: {done.stderr.strip()}")
            run("ip l2tp add session name l2tp1 tunnel_id 1 session_id 1 peer_session_id 1")
    with star.switch:
        ip("link set l2tp1 up")
        far = Sender("l2tp1")
    with star.server:
        own = link("l2tp1")["address"]
        ip("link set l2tp1 master trunk0")
        equal(link("l2tp1")["address"], link("trunk0")["address"], "address of the port as it joins")
        heard = {}
        for type in TEST_TYPE, PROBES:
            heard[type] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            heard[type].bind(("trunk0", type))
            heard[type].settimeout(30)

        def received(to, type=TEST_TYPE):
            """Sends a frame to this address into the port. Returns as what the trunk receives it."""
            far.send(unmac(to) + mac(9) + struct.pack("!H", type) + bytes(46))
            return heard[type].recvfrom(100)[1][2]

        kept = link("l2tp1")["address"]
        for address in (MINE, OTHER):
            ip(f"link set trunk0 address {address}")
            equal(addresses(["trunk0", "eth1", "l2tp1"]), {"trunk0": address, "eth1": address, "l2tp1": kept}, "addresses")
            equal((promiscuity("l2tp1"), promiscuity("eth1")), (1, 0), "promiscuity")
            equal(received(address), socket.PACKET_HOST, "frames to the trunk are its own")
            equal(received(address, PROBES), socket.PACKET_HOST, "and of other protocols under the type of probes")
        for type in TEST_TYPE, PROBES:
            equal(received("02:00:5e:00:53:77", type), socket.PACKET_OTHERHOST, "frames to others are not")
        ip(f"link set trunk0 address {kept}")
        equal(promiscuity("l2tp1"), 0, "promiscuity with the address it has")
        ip(f"link set trunk0 address {MINE}")
        ip("link set l2tp1 nomaster")
        equal((promiscuity("l2tp1"), link("l2tp1")["address"]), (0, own), "promiscuity and address of the released port")


@trodden
def test_a_port_that_never_takes_another_address():
    """
    trunk0 ─┬─ dummy1
            └─ ifb1    has no way to change its address
    """
    three_dummies()
    enslave(["dummy1"])
    if attempt("ip link add ifb1 type ifb").returncode:
        raise Skipped("no ifb")
    own = link("ifb1")["address"]
    enslave(["ifb1"])
    equal((link("ifb1")["address"], promiscuity("ifb1")), (own, 1), "address and promiscuity")
    ip(f"link set trunk0 address {MINE}")
    equal((link("ifb1")["address"], promiscuity("ifb1")), (own, 1), "after another change")
    ip("link set trunk0 promisc on")
    equal(promiscuity("ifb1"), 2, "promiscuity of the port of a promiscuous trunk")
    ip("link del trunk0")
    equal((link("ifb1")["address"], promiscuity("ifb1")), (own, 0), "when the trunk is gone")


def test_the_mtu_is_pushed_to_ports_and_restored():
    """
    trunk0 ─┬─ dummy1
            ├─ dummy2 (mtu 9000)
            └─ dummy3
    """
    ports = three_dummies()
    ip("link set dummy2 mtu 9000")
    enslave(ports)

    def mtus():
        return {dev: link(dev)["mtu"] for dev in ["trunk0"] + ports}

    def all_have(mtu):
        equal(mtus(), dict.fromkeys(mtus(), mtu), "MTUs")

    all_have(1500)
    ip("link set trunk0 mtu 4000")
    all_have(4000)
    ip("link set trunk0 up")
    ip("link set trunk0 mtu 1400")
    all_have(1400)
    ip("link set dummy2 nomaster")
    equal(link("dummy2")["mtu"], 9000, "MTU of the port once released")


@trodden
def test_an_mtu_one_port_refuses_changes_nothing():
    """
    trunk0 ─┬─ dummy1
            ├─ vlan1 ─ lower (mtu 2000)    refuses more than that
            └─ dummy2
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add lower mtu 2000 type dummy
           link set lower up
           link add link lower name vlan1 type vlan id 1
           link set dummy1 master trunk0
           link set vlan1 master trunk0
           link set dummy2 master trunk0
           link set trunk0 up""")
    devs = ["trunk0", "dummy1", "vlan1", "dummy2"]
    ip("link set trunk0 mtu 1800")
    equal([link(dev)["mtu"] for dev in devs], [1800] * 4, "MTUs")
    refused("ip link set trunk0 mtu 2500")
    equal([link(dev)["mtu"] for dev in devs], [1800] * 4, "MTUs after the refusal")


@trodden
def test_a_port_keeps_the_mtu_of_the_trunk():
    """
    trunk0 ─┬─ dummy1 ◄ ip link set dummy1 mtu 1400    frames of the trunk would not fit any more
            └─ dummy2
    """
    three_dummies()
    enslave(["dummy1", "dummy2"])
    for mtu in (1400, 9000):
        refused(f"ip link set dummy1 mtu {mtu}")
    equal({link(dev)["mtu"] for dev in ("trunk0", "dummy1", "dummy2")}, {1500}, "MTUs")
    ip("link set trunk0 mtu 2000")
    equal(link("dummy1")["mtu"], 2000, "MTU, as the trunk says")
    ip("link set dummy1 nomaster\nlink set dummy1 mtu 1400")


@trodden
@cases(67, 65536)
def test_an_mtu_out_of_range_is_refused(mtu):
    """
    trunk0 ─── dummy1
    """
    three_dummies()
    enslave(["dummy1"])
    text = refused(f"ip link set trunk0 mtu {mtu}")
    expect("mtu" in text.lower(), f"words of the refusal: {text}")
    equal((link("trunk0")["mtu"], link("dummy1")["mtu"]), (1500, 1500), "MTUs")


@trodden
def test_ports_have_no_ipv6_address():
    """
    trunk0 (fe80::…) ─┬─ eth1 ── sw1    the ports are ends of cables, not hosts
                      └─ eth2 ── sw2
    """
    star = Star(2, ipv6=True)
    with star.server:
        eventually(lambda: "fe80::" in run("ip -6 address show dev trunk0"), "the trunk has an address")
        for port in star.ports:
            equal(run(f"ip -6 address show dev {port}"), "", f"IPv6 addresses of {port}")
        ip("link set eth2 nomaster\nlink set eth2 up")
        eventually(lambda: "fe80::" in run("ip -6 address show dev eth2"), "a released port is a host again")
