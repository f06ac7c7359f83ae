# SPDX-License-Identifier: GPL-2.0
"""Receive: which frames the trunk takes from its ports, which stay with the port, which are dropped."""

from genl import Control
from lab import *

IP_MULTICAST_ALL = 49
LLDP = bytes.fromhex("0180c200000e")


def listening(star):
    """Taps on the trunk and on each port, and raw senders at the far ends."""
    with star.server:
        star.on_trunk, star.mac = Taps(["trunk0"]), address("trunk0")
    with star.switch:
        star.from_far = [Sender(far) for far in star.far]
    return star


@trodden
def test_unicast_is_taken_from_any_port():
    """
    server                      switch
    trunk0 ─┬─ eth1 ◄────────── sw1    1,000 frames to the trunk's address from each
            ├─  …         …      …     link: all of them arrive at the trunk, in order
            └─ eth4 ◄────────── sw4
    """
    star = listening(Star(4))
    each = count(1_000)
    with on_one_cpu():
        for link, sender in enumerate(star.from_far):
            for n in range(each):
                sender.send(frame(star.mac, mac(9), link << 16 | n))
    taken = star.on_trunk.take(4 * each)
    numbers = [number_of(data) for _, data in taken]
    equal(numbers, [link << 16 | n for link in range(4) for n in range(each)], "frames in order")
    with star.server:
        got = counters("trunk0")
        equal(got["rx_packets"], 4 * each, "rx_packets")
        equal(got["rx_bytes"], 4 * each * 60, "rx_bytes")
        equal(got["rx_dropped"], 0, "rx_dropped")


def test_broadcast_is_received_once():
    """
    server                      switch (plain bridge)       client
    trunk0 ─┬─ eth1 ◄────────── sw1 ─┐
            ├─ eth2 ◄────────── sw2 ─┤                      100 broadcasts and 100
            ├─ eth3 ◄────────── sw3 ─┼─ br0 ─ sw0 ───────── client0    multicasts: the bridge
            └─ eth4 ◄────────── sw4 ─┘                      sends four copies of each
    """
    star = listening(Star(4, bridge=True))
    with star.client:
        client = Sender("client0")
    with star.server:
        before, special = counters("trunk0"), ethtool_statistics("trunk0")
    with on_one_cpu():
        for n in range(200):
            client.send(frame(BROADCAST if n < 100 else bytes.fromhex("01005e000005"), mac(9), n))
    taken = star.on_trunk.take(200)
    equal([number_of(data) for _, data in taken], list(range(200)), "frames at the trunk")
    with star.server:
        got = moved(before, counters("trunk0"))
        equal(got["rx_packets"], 200, "rx_packets")
        equal(got["rx_multicast"], 100, "rx_multicast")
        filtered = moved(special, ethtool_statistics("trunk0"))
        equal(filtered.get("rx_multicast_filtered"), 600, "rx_multicast_filtered")
    # The port that accepts broadcasts has gone, so another one does.
    for port in (0, 1, 2):
        star.pull(port)
        # The far end knows as soon as it sees the carrier; the driver changes the elected port after a
        # notification.
        def once():
            star.on_trunk.take(0)
            client.send(frame(BROADCAST, mac(9), 1))
            return len(star.on_trunk.take(1)) == 1

        eventually(once, "broadcasts are received")
        with on_one_cpu():
            for n in range(50):
                client.send(frame(BROADCAST, mac(9), n))
        equal([number_of(data) for _, data in star.on_trunk.take(50)], list(range(50)), "frames at the trunk")


def test_own_frames_flooded_back_are_dropped_and_counted():
    """
    server                       switch (plain bridge)
    trunk0 ─┬─ eth1 ──────────► sw1 ─┐
            ├─ eth2 ◄────────── sw2 ─┤ a broadcast of the trunk's comes back by the
            ├─ eth3 ◄────────── sw3 ─┼─ br0     three other links
            └─ eth4 ◄────────── sw4 ─┘
    """
    star = listening(Star(4, bridge=True))
    with star.server:
        before, special = counters("trunk0"), ethtool_statistics("trunk0")
    for n in range(100):
        star.trunk.send(frame(BROADCAST, star.mac, n))
    equal(star.on_trunk.take(0), [], "own frames at the trunk")
    with star.server:
        eventually(
            lambda: moved(special, ethtool_statistics("trunk0")).get("rx_own_source") == 300,
            "all 300 copies are counted as own",
        )
        equal(moved(before, counters("trunk0")).get("rx_packets", 0), 0, "rx_packets")


PROBES = 0x88B5


@cases("the trunk", "everybody", "a group", "the nearest bridge")
def test_frames_of_others_under_the_type_of_probes(to):
    """
    server                      switch
    trunk0 ─┬─ eth1 ◄────────── sw1 ◄─ 0x88b5, not a probe: the trunk receives it as any frame, short
            └─ eth2 ◄────────── sw2    or long, and a group's once
    """
    star = listening(Star(2))
    with star.server:
        on_trunk = Tap("trunk0", delivered=True, type=PROBES)
        on_port = [Tap(port, delivered=True, type=PROBES) for port in star.ports]
        before = [Control().statistics(port) for port in star.ports]
    dst = {"the trunk": star.mac, "everybody": BROADCAST, "a group": mac(5, 0x03), "the nearest bridge": LLDP}[to]
    sent = [[dst + mac(9) + struct.pack("!H", PROBES) + data + bytes([link]) for data in (b"not a probe".ljust(60), b"short", b"")]
            for link in range(2)]  # fmt: skip
    # Frames that come after them, by any link.
    last = [star.mac + mac(9) + struct.pack("!H", PROBES) + b"the last" + bytes([link]) for link in range(2)]
    for sender, frames, after in zip(star.from_far, sent, last):
        for data in frames + [after]:
            sender.send(data)
    got = []
    eventually(lambda: got.extend(on_trunk.take()) or set(last) <= set(got), lambda: f"they reach the trunk: {got}")
    # Frames to a group only from the port that accepts them, but those of a link from any in use.
    wanted = [sent[0] + sent[1]] if to in ("the trunk", "the nearest bridge") else sent
    expect(sorted(data for data in got if data not in last) in map(sorted, wanted), f"at the trunk: {got}")
    if to == "the nearest bridge":
        for tap, frames, after in zip(on_port, sent, last):
            at_port = []
            eventually(lambda: at_port.extend(tap.take()) or after in at_port, lambda: f"they reach {tap.dev}: {at_port}")
            equal(at_port, frames + [after], f"at {tap.dev}")
    with star.server:
        for port, old in zip(star.ports, before):
            grown = moved(old, Control().statistics(port))
            expect("probes-refused" not in grown and "probes-received" not in grown, f"probes on {port}: {grown}")


@trodden
@cases(*(f"01:80:c2:00:00:{last:02x}" for last in (0x01, 0x02, 0x03, 0x0D, 0x0E, 0x0F)), alike=True)
def test_link_local_is_for_the_port_and_from_one_in_use_for_the_trunk(group):
    """
    server                       switch
    trunk0 ─┬─ eth1 ◄─────────── sw1        LACP, 802.1X, LLDP are about one cable. As with a bond and a
            ├─ eth2 ◄─────────── sw2        team, sockets on its port get them, and so do those on the
            └─ eth3 ◄─ (spare) ─ sw3        trunk, if the port is in use; a socket on all devices gets one.
                                            What the trunk has sent itself stays with the port
    """
    star = listening(Star(3))
    with star.server:
        control = Control()
        control.client.do("port-set", {"port": {"ifindex": socket.if_nametoindex("eth3"), "priority": 2}})
        eventually(lambda: not control.port("eth3").get("in-use"), "eth3 is a spare")
        on_port, on_trunk = Taps(star.ports, delivered=True), Tap("trunk0", delivered=True)
        anywhere = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(TEST_TYPE))
        anywhere.setblocking(False)
    for source, numbers in (mac(9), range(10)), (star.mac, range(10, 20)):
        for n in numbers:
            for link, sender in enumerate(star.from_far):
                sender.send(frame(unmac(group), source, 100 * link + n))
    at_port = sorted((link, number_of(data)) for link, data in on_port.take(60))
    equal(at_port, [(link, 100 * link + n) for link in range(3) for n in range(20)], "frames at the ports")
    wanted = [100 * link + n for link in range(2) for n in range(10)]
    for tap, where in (on_trunk, "what sockets on the trunk get"), (star.on_trunk.taps[0], "what captures on the trunk see"):
        equal(sorted(map(number_of, tap.take())), wanted, where)
    seen = []
    with contextlib.suppress(BlockingIOError):
        while True:
            seen.append(anywhere.recvfrom(100)[1][0])
    expected = {"trunk0": 20, "eth1": 10, "eth2": 10, "eth3": 20}
    equal({dev: seen.count(dev) for dev in set(seen)}, expected, "what a socket on all devices gets")


@trodden
@cases("no mask", "group_fwd_mask", alike=True)
def test_link_local_frames_and_a_bridge_above(mask):
    """
    end1 ── end0 ─ br0 ─ trunk0 ─┬─ eth1 ◄── sw1    a bridge keeps LLDP for its own host, unless its mask
                                 └─ eth2 ◄── sw2    says otherwise, and never finds its own address there
    """
    star = listening(Star(2))
    forwarded = mask != "no mask"
    with star.server:
        ip(f"""link add br0 type bridge mcast_snooping 0 forward_delay 0 group_fwd_mask {0x4000 * forwarded}
               link add end0 type veth peer name end1
               link set end0 master br0
               link set trunk0 master br0
               link set br0 up
               link set end0 up
               link set end1 up""")
        for dev in "trunk0", "end0":
            eventually(lambda: forwards(dev), f"br0 forwards by {dev}")
        on_port, on_trunk, behind = Tap("eth2", delivered=True), Tap("trunk0", delivered=True), Tap("end1")
        log = KernelLog()
    star.from_far[1].send(frame(LLDP, star.mac, 1))  # as from a switch that floods it
    for n in 2, 3:
        star.from_far[1].send(frame(LLDP, mac(9), n))
    star.from_far[1].send(frame(mac(0x77), mac(9), 4))  # to a station that nobody knows
    got = []
    eventually(lambda: (got.extend(map(number_of, behind.take())), 4 in got)[1], "a frame behind the bridge")
    equal(got, [2, 3, 4] if forwarded else [4], "frames behind the bridge")
    at = [[number_of(data) for data in tap.take()] for tap in (on_port, on_trunk)]
    equal(at, [[1], []] if forwarded else [[1, 2, 3], [2, 3]], "at the port and at the trunk")
    equal([line for line in log.lines() if "own address" in line], [], "complaints of the bridge")


@trodden
@cases("01:80:c2:00:00:00", "01:80:c2:00:00:08", alike=True)
def test_bpdus_are_for_the_trunk(group):
    """
    server                      switch
    trunk0 ─┬─ eth1 ◄────────── sw1         spanning tree, of customers' and of providers' bridges: it
            └─ eth2 ◄────────── sw2         knows one link, the trunk, and receives each frame once.
                                            A socket on a port receives it too
    """
    star = listening(Star(2))
    with star.server:
        on_port, before = Taps(star.ports, delivered=True), ethtool_statistics("trunk0")
    with on_one_cpu():
        for n in range(10):
            for sender in star.from_far:
                sender.send(frame(unmac(group), mac(9), n))
    equal([number_of(data) for _, data in star.on_trunk.take(10)], list(range(10)), "frames at the trunk")
    equal(len(on_port.take(20)), 20, "frames at the ports")
    for n in range(10):
        star.from_far[0].send(frame(unmac(group), star.mac, n))
    with star.server:
        eventually(lambda: moved(before, ethtool_statistics("trunk0")).get("rx_own_source") == 10, "its own are dropped")
        equal(moved(before, ethtool_statistics("trunk0")).get("rx_multicast_filtered"), 10, "rx_multicast_filtered")
    equal(star.on_trunk.take(0), [], "its own at the trunk")


@trodden
def test_a_port_can_be_listened_to():
    """
    tcpdump on eth1
    trunk0 ─┬─ eth1 ◄────────── sw1    a capture on the port has what the trunk receives, and
            └─ eth2 ─────────── sw2    the trunk loses nothing
    """
    star = listening(Star(2))
    with star.server:
        on_port = Taps(["eth1"])
    for n in range(100):
        star.from_far[0].send(frame(star.mac, mac(9), n))
    equal(len(on_port.take(100)), 100, "frames at the port")
    equal(len(star.on_trunk.take(100)), 100, "frames at the trunk")


@trodden
def test_a_released_port_is_its_own_master_again():
    """
    trunk0 ─── eth1        eth2 ◄── sw2    frames to eth2 no longer reach the trunk
    """
    star = listening(Star(2))
    with star.server:
        ip("link set eth2 nomaster")
        ip("link set eth2 up")
        on_port = Taps(["eth2"])
    star.from_far[1].flood(frame(star.mac, mac(9), n) for n in range(10))
    eventually(lambda: len(on_port.take(1)) > 0 or star.from_far[1].flood([frame(star.mac, mac(9))]) == 0, "a frame")
    equal(star.on_trunk.take(0), [], "frames at the trunk")


def test_what_a_port_loops_back_is_heard_by_who_listens_there():
    """
    server
    trunk0 ─── eth1 192.0.2.1    a member of a group on the port itself sends to the group, and receives the
                                 copy. It came by no link, so the trunk does not count it
    """
    group, star = "239.1.2.3", listening(Star(1))
    with star.server:
        bring_up("lo")
        ip("address add 192.0.2.1/24 dev eth1")
        before = counters("trunk0"), ethtool_statistics("trunk0")
        member = socket.inet_aton(group) + socket.inet_aton("192.0.2.1")
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard.bind((group, 4242))
        heard.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        heard.settimeout(10)
        said = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        said.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.1"))
        for n in range(10):
            said.sendto(bytes([n]), (group, 4242))
        equal([heard.recv(10)[0] for _ in range(10)], list(range(10)), "what is heard")
        equal((counters("trunk0"), ethtool_statistics("trunk0")), before, "what the trunk has counted")
