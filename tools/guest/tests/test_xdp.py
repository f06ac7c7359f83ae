# SPDX-License-Identifier: GPL-2.0
"""XDP: the trunk's program runs on every port, and frames that programs send to the trunk leave by the table."""

from bpf import *
from genl import Control, Raw
from lab import *
from test_join import netdevsim

NETDEV_DEV_GET, DEV_IFINDEX, DEV_XDP_FEATURES = 1, 1, 3
BASIC, REDIRECTS, NDO_XMIT, RX_SG, NDO_XMIT_SG = 1, 2, 4, 32, 64
ALL = BASIC | REDIRECTS | NDO_XMIT | RX_SG | NDO_XMIT_SG  # the features of a veth whose peer takes frames


def features(dev):
    """Returns the XDP features of a device by the netlink family netdev (enum netdev_xdp_act)."""
    answer = Raw("netdev").ask(NETDEV_DEV_GET, attribute(DEV_IFINDEX, socket.if_nametoindex(dev)))
    value = dict(attributes(answer.messages[0]))[DEV_XDP_FEATURES]
    return int.from_bytes(value, "little")


class Ports:
    """A star whose ports also take frames that programs send: for that a veth's peer must have a program.
    Frames for the trunk come in by any cable."""

    def __init__(self, ports=3, **parameters):
        program(verdict(PASS))  # skips where there is no BPF
        self.star = star = Star(ports, **parameters)
        self.passes = program(verdict(PASS))
        with star.switch:
            for far in star.far:
                equal(attach(far, self.passes), "", f"a program for {far}")
            self.senders = [Sender(far) for far in star.far]
        with star.server:
            bring_up("trunk0")
            self.mac = Rtnetlink().look("trunk0")[1][IFLA_ADDRESS]
            self.tap = Tap("trunk0")

    def plugged(self, port):
        """Waits until the far end of a cable can send: the kernel drops its frames until it has noted the carrier."""
        with self.star.switch:
            eventually(lambda: running(self.star.far[port]), "the far end can send")

    def come(self, number=5):
        """Sends so many frames for the trunk by each cable. Returns how many of them it receives."""
        for port, sender in enumerate(self.senders):
            for n in range(number):
                sender.send(frame(self.mac, mac(port), n))
        return len(self.senders) * number

    def received(self, wanted):
        got = []

        def all_there():
            got.extend(self.tap.take())
            return len(got) >= wanted

        eventually(all_there, f"the trunk receives {wanted} frames")
        equal(len(got), wanted, "frames received")

    def see(self, counter, each, wanted_by_trunk, ports=None):
        """Sends five frames by each cable. Checks that the programs of the ports get them, and so many reach the trunk."""
        ports = ports or self.star.ports
        with self.star.server:
            before = counter.seen(ports)
            self.come()
            eventually(lambda: [n - b for n, b in zip(counter.seen(ports), before)] == each, f"{ports} see {each}")
        self.received(wanted_by_trunk)


def seen(ports, counter):
    with ports.star.server:
        return counter.seen(ports.star.ports)


def test_the_program_of_a_trunk_runs_on_every_port():
    """
    trunk0 ─┬─ eth1 ── sw1    set, replaced and taken away over rtnetlink; as a BPF link,
            ├─ eth2 ── sw2    which is updated and closed. Nothing of them is left
            └─ eth3 ── sw3
    """
    ports = Ports()
    dropped, passed = Counter(), Counter()
    drops, passes = program(dropped.then(DROP)), program(passed.then(PASS))
    numbers = [identity(drops), identity(passes)]
    with ports.star.server:
        equal(attach("trunk0", drops), "", "set")
        equal(attached("trunk0"), numbers[0], "the trunk's program")
        equal(attached("eth1"), None, "a program of the port's own")
    ports.see(dropped, [5, 5, 5], 0)
    with ports.star.server:
        equal(attach("trunk0", passes), "", "replaced")
    ports.see(passed, [5, 5, 5], 15)
    equal(seen(ports, dropped), [5, 5, 5], "what the first has seen")
    with ports.star.server:
        equal(attach("trunk0"), "", "taken away")
        equal(attached("trunk0"), None, "the trunk's program")
    ports.see(passed, [0, 0, 0], 15)

    with ports.star.server:
        held = attach_link("trunk0", drops)
    ports.see(dropped, [5, 5, 5], 0)
    update_link(held, passes)
    ports.see(passed, [5, 5, 5], 15)
    with ports.star.server:
        equal(attach("trunk0", drops), "Can't replace active BPF XDP link", "replaced beside a link")
    os.close(held)
    with ports.star.server:
        eventually(lambda: attached("trunk0") is None, "the link is gone")
    ports.see(passed, [0, 0, 0], 15)

    with ports.star.server:
        equal(attach("trunk0", drops), "", "set once more")
        os.close(drops)
        os.close(passes)
        expect(is_loaded(numbers[0]), "the program is gone that the trunk has")
        ip("link del trunk0")
    for number in numbers:
        eventually(lambda: not is_loaded(number), "nobody refers to the programs any more")


def test_a_port_that_refuses_leaves_all_as_they_were():
    """
    trunk0 ─┬─ eth1 ── sw1
            ├─ eth2 ── sw2 (MTU 9000)    a program that does not know frames in pieces
            └─ eth3 ── sw3
    """
    ports = Ports()
    counter, other = Counter(), Counter()
    passes = program(counter.then(PASS), HAS_FRAGS)
    drops = program(other.then(DROP))
    number = identity(drops)
    with ports.star.server:
        equal(attach("trunk0", passes), "", "the first")
    with ports.star.switch:
        Rtnetlink().set("sw2", IFLA_MTU, struct.pack("I", 9000))
    with ports.star.server:
        expect("Peer MTU is too large" in attach("trunk0", drops), "not refused as the port refuses it")
        equal(attached("trunk0"), identity(passes), "the trunk's program")
    ports.see(counter, [5, 5, 5], 15)
    equal(seen(ports, other), [0, 0, 0], "what the refused one has seen")
    os.close(drops)
    eventually(lambda: not is_loaded(number), "nobody refers to what was refused")
    # There is no program to return to, so no port has one afterwards.
    with ports.star.server:
        equal(attach("trunk0"), "", "taken away")
        drops = program(other.then(DROP))
        expect("Peer MTU is too large" in attach("trunk0", drops), "not refused as the port refuses it")
        equal(attached("trunk0"), None, "the trunk's program")
    ports.see(other, [0, 0, 0], 15)


def test_ports_that_join_and_leave():
    """
    trunk0 ─┬─ eth1 ── sw1
            ├─ eth2 ── sw2
            ├ ─ eth3 ─ sw3    leaves, joins again, has a program of its own
            └ ─ dummy1        cannot run any
    """
    ports = Ports()
    counter, own = Counter(), Counter()
    passes, drops = program(counter.then(PASS)), program(own.then(DROP))
    with ports.star.server:
        ip("link add dummy1 type dummy\nlink set dummy1 master trunk0")
        equal(attach("trunk0", passes), "trunk: the driver of dummy1 does not run XDP programs", "with dummy1")
        ip("link set dummy1 nomaster\nlink set dummy1 down")
        equal(attach("trunk0", passes), "", "without it")
        equal(refused("ip link set dummy1 master trunk0"), "trunk: the driver of dummy1 does not run XDP programs.", "dummy1")
        equal(link("dummy1")["operstate"], "DOWN", "dummy1 afterwards")

        ip("link set eth3 nomaster\nlink set eth3 up")
        tap = Tap("eth3")
    ports.see(counter, [5, 5, 0], 10)
    eventually(lambda: len(tap.take()) > 0, "eth3 receives for itself")

    with ports.star.server:
        equal(attach("eth3", drops), "", "a program of its own")
        ip("link set eth3 down")
        equal(refused("ip link set eth3 master trunk0"), "trunk: eth3 has an XDP program of its own.", "eth3")
        equal(attach("eth3"), "", "without it")
        ip("link set eth3 master trunk0")
        equal(attach("eth3", drops), "Cannot attach when an upper device already has a program", "below the trunk's")
    ports.plugged(2)
    ports.see(counter, [5, 5, 5], 15)

    with ports.star.server:
        equal(attach("trunk0"), "", "taken away")
        equal(attach("eth3", drops), "", "a program of its own, as a port")
        equal(attach("trunk0", passes), "trunk: eth3 has an XDP program of its own", "beside it")
        expect(features("trunk0") == ALL, "a program of a port's own takes nothing from the trunk")
        equal(attach("eth3"), "", "without it")
        equal(attach("trunk0", passes), "", "then")
        # The port is deleted, not released: the trunk's program ends on the others.
        ip("link del eth3\nlink del trunk0")
        ip("link set eth1 up")
        ports.plugged(0)
        before = counter.seen(["eth1"])
        tap = Tap("eth1")
        ports.senders[0].send(frame(mac(1), mac(2)))
        eventually(lambda: tap.take(), "eth1 receives")
        equal(counter.seen(["eth1"]), before, "what the program sees of eth1, a port no more")


class Uplink:
    """A third device of the server, whose program sends the frames that it receives to the trunk:
    out0 ── in0 ⇒ trunk0."""

    def __init__(self, star, by_map=False):
        self.star = star
        with star.switch:
            Rtnetlink().add("out0", "veth", peer="in0", netns=star.server)
            Rtnetlink().up("out0")
        with star.server:
            index = socket.if_nametoindex("trunk0")
            if by_map:
                self.devmap = Map(MAP_DEVMAP, 4, 1)
                self.devmap.set(0, index)
            code = redirect_by(self.devmap) if by_map else redirect(index)
            equal(attach("in0", program(code)), "", "a program for in0")
            Rtnetlink().up("in0")
        with star.switch:
            eventually(lambda: running("out0"), "out0 can send")
            self.sender = Sender("out0")

    def where(self, frames, number=number_of):
        frames = list(frames)
        for data in frames:
            self.sender.send(data)
        taken = self.star.taps.take(len(frames))
        where = {number(data): index for index, data in taken}
        equal((len(taken), len(where)), (len(frames), len(frames)), "frames that arrived, and different ones")
        return where


def by_bucket(control):
    return [bucket["tx-packets"] for bucket in control.table()]


@cases("dmac", "smac", "smac-dmac", alike=True)
def test_what_is_redirected_to_the_trunk_leaves_by_the_table(selector):
    """
    server                          switch
    in0 ⇒ trunk0 ─┬─ eth1 ─────────── sw1
     │            ├─ eth2 ─────────── sw2   1,000 numbered frames: where each must arrive is
     │            └─ eth3 ─────────── sw3   known, and all are counted
     └────────────────────────────── out0
    """
    ports = Ports(3, selector=SELECTORS.index(selector))
    table = ports.star.map(5, selector)
    uplink = Uplink(ports.star, by_map=selector == "smac")
    random = seeded()
    frames, wanted, buckets = [], {}, [0] * 32
    for n in range(count(1_000)):
        pair = mac(random.randrange(1 << 40)), mac(random.randrange(1 << 40), 0x06)
        frames.append(frame(*pair, n))
        bucket = INDEX[selector](*pair) % 32
        wanted[n] = table[bucket]
        buckets[bucket] += 1
    with ports.star.server:
        control = Control()
        before, sent = counters("trunk0"), by_bucket(control)
        equal(uplink.where(frames), wanted, "cable of each frame")
        after = moved(before, counters("trunk0"))
        equal((after["tx_packets"], after["tx_bytes"]), (len(frames), 60 * len(frames)), "what the trunk has sent")
        equal([n - o for n, o in zip(by_bucket(control), sent)], buckets, "frames of each bucket")


def ipv4(n, fragment=0, protocol=17, host=1):
    """Returns a datagram of flow `n`."""
    header = struct.pack("!BBHHHBBHBBBBI", 0x45, 0, 46, n, fragment, 64, protocol, 0, 198, 18, 0, host, 0xC6120101)
    return b"\x08\0" + header + struct.pack("!HHHH", 1024 + n, 9, 26, 0)


def ipv6(n, label=0):
    header = struct.pack("!IHBB", 6 << 28 | label, 26, 17, 64)
    return b"\x86\xdd" + header + bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack("!HHHH", 1024 + n, 9, 26, 0)


@trodden
def test_a_flow_leaves_by_the_same_port_as_frames_of_the_stack():
    """
    in0 ⇒ trunk0 ─┬─ eth1 ── sw1    128 flows of each kind, each once through the trunk's queue,
                  ├─  …       …     and once from a program; some have a hash of the trunk, and
                  └─ eth4 ── sw4    some that of the kernel's dissector
    """
    ports = Ports(4, selector=SELECTORS.index("flow"))
    star = ports.star
    uplink = Uplink(star)
    kinds = {
        "UDP over IPv4": ipv4,
        "SCTP over IPv4": lambda n: ipv4(n, protocol=132),
        "with a tag": lambda n: b"\x81\0\0\7" + ipv4(n),
        "fragments": lambda n: ipv4(n, fragment=0x2000, host=n),
        "ICMP": lambda n: ipv4(n, protocol=1, host=n),
        "UDP over IPv6": ipv6,
        "IPv6 with a label": lambda n: ipv6(0, label=n + 1),
        "Profinet": lambda n: b"\x88\x92" + bytes(40),
    }
    for kind, packet in kinds.items():
        with star.switch:
            star.taps = Taps(star.far, type=0x8892 if kind == "Profinet" else 0x86DD if "IPv6" in kind else 0x0800)
        to = lambda n: n if kind == "Profinet" else 1
        frames = [mac(to(n)) + mac(2) + packet(n) + struct.pack("!16xH", n) for n in range(128)]
        flow = lambda data: int.from_bytes(data[-2:], "big")
        star.send(frames)
        by_stack = {flow(data): index for index, data in star.taps.take(len(frames))}
        equal(len(set(by_stack.values())), 4, f"cables in use, {kind}")
        equal(uplink.where(frames, flow), by_stack, f"cable of each flow, {kind}")


@trodden
def test_a_port_that_fails_loses_no_redirected_frame():
    """
    in0 ⇒ trunk0 ─┬─ eth1 ── sw1 ✂
                  ├─ eth2 ── sw2    then, all are pulled: dropped, and counted
                  └─ eth3 ── sw3
    """
    ports = Ports()
    star = ports.star
    uplink = Uplink(star)
    frames = [frame(mac(n), mac(1), n) for n in range(32)]
    before = uplink.where(frames)
    star.pull(0)
    after = uplink.where(frames)
    expect(0 not in after.values(), "frames by the cable that is pulled")
    stay = {n: index for n, index in before.items() if index}
    equal({n: after[n] for n in stay}, stay, "frames of the ports that work")
    star.pull(1)
    star.pull(2)
    with star.server:
        start = counters("trunk0")
        for data in frames:
            uplink.sender.send(data)
        eventually(lambda: moved(start, counters("trunk0")) == {"tx_dropped": 32}, "32 frames are dropped and counted")
    for index in range(3):
        star.plug(index)
    equal(uplink.where(frames), before, "with all cables back")


def test_one_that_takes_nothing_holds_up_no_other():
    """
    in0 ⇒ trunk0 ─┬─ eth1 ── sw1 (MTU 200)    its device drops the frames, which are too long
                  ├─ eth2 ── sw2
                  └─ eth3 ── sw3
    """
    ports = Ports()
    star = ports.star
    uplink = Uplink(star)
    short = [frame(mac(n), mac(1), n) for n in range(32)]
    before = uplink.where(short)
    with star.switch:
        Rtnetlink().set("sw1", IFLA_MTU, struct.pack("I", 200))
    with star.server:
        control = Control()
        counted, sent = counters("trunk0"), by_bucket(control)
    long = [frame(mac(n), mac(1), n, 500) for n in range(32)]
    for data in long:
        uplink.sender.send(data)
    wanted = {n: index for n, index in before.items() if index}
    equal(numbers(star.taps.take(len(wanted))), wanted, "frames that the other ports carry")
    with star.server:
        after = moved(counted, counters("trunk0"))
        equal((after["tx_packets"], after["tx_bytes"]), (len(wanted), 500 * len(wanted)), "what the trunk has sent")
        equal([n - o for n, o in zip(by_bucket(control), sent)], [int(n in wanted) for n in range(32)], "frames of each bucket")


@trodden
def test_what_a_trunk_can_do_is_what_all_ports_can():
    """
    trunk0 ─┬─ eth1 ── sw1
            ├─ eth2 ── sw2    without a program at sw2, eth2 takes no frames from programs
            └ ─ dummy1        has no XDP
    """
    ports = Ports(2)
    with ports.star.server:
        equal(features("trunk0"), ALL, "with both ports")
    with ports.star.switch:
        equal(attach("sw2"), "", "without a program")
    with ports.star.server:
        equal(features("eth2"), ALL & ~(NDO_XMIT | NDO_XMIT_SG), "what eth2 can do")
        equal(features("trunk0"), ALL & ~(NDO_XMIT | NDO_XMIT_SG), "what the trunk can do")
        ip("link set eth2 nomaster")
        equal(features("trunk0"), ALL, "with eth1 alone")
        ip("link add dummy1 type dummy\nlink set dummy1 master trunk0")
        equal(features("trunk0"), features("dummy1"), "with dummy1")
        ip("link set dummy1 nomaster\nlink set eth1 nomaster")
        equal(features("trunk0"), 0, "without ports")
        # The program may be attached first.
        counter = Counter()
        equal(attach("trunk0", program(counter.then(PASS))), "", "without ports")
        ip("link set eth1 down\nlink set eth1 master trunk0")
        eventually(lambda: carrier("trunk0"), "the trunk has carrier")
        ports.plugged(0)
        ports.senders[0].send(frame(ports.mac, mac(1)))
        eventually(lambda: counter.seen(["eth1"]) == [1], "the program sees what eth1 receives")


def test_ports_with_a_lock_of_their_own():
    """
    trunk0 ─┬─ eni1np1    netdevsim: joins before the program, or after it; refuses a program; with
            └─ eni1np2    another one refuses an MTU; is unplugged while it runs one
    """
    load()
    ip(f"link add trunk0 type {KIND}")
    passes, drops = program(verdict(PASS), HAS_FRAGS), program(verdict(DROP))
    number = identity(drops)
    with netdevsim() as (one, other):
        ip(f"link set {one} master trunk0")
        equal(attach("trunk0", passes), "", "set")
        ip(f"link set {other} master trunk0")
        equal(features("trunk0"), BASIC, "what the trunk can do")
        run("ip link set trunk0 mtu 5000")
        expect("MTU too large" in attach("trunk0", drops), "not refused as the port refuses it")
        equal(attached("trunk0"), identity(passes), "the trunk's program")
        run("ip link set trunk0 mtu 1500")
        equal(attach("trunk0", drops), "", "replaced")
        refused("ip link set trunk0 mtu 5000")
        equal({name: link(name)["mtu"] for name in ("trunk0", one, other)}, dict.fromkeys(("trunk0", one, other), 1500), "MTU")
        os.close(drops)
    eventually(lambda: not Control().ports(), "the ports are gone")
    equal(attached("trunk0"), number, "the trunk's program")
    ip("link del trunk0")
    eventually(lambda: not is_loaded(number), "nobody refers to the program any more")


@trodden
def test_what_is_sent_back_leaves_by_the_port_it_came_by():
    """
    trunk0 ─┬─ eth1 ── sw1    XDP_TX, whatever the table says
            ├─ eth2 ── sw2
            └─ eth3 ── sw3
    """
    ports = Ports()
    with ports.star.server:
        equal(attach("trunk0", program(verdict(TX))), "", "set")
    for port, sender in enumerate(ports.senders):
        for n in range(32):
            sender.send(frame(mac(n), mac(1), 32 * port + n))
    back = numbers(ports.star.taps.take(96))
    equal(back, {n: n // 32 for n in range(96)}, "cable of each frame")


def test_sockets_in_copy_mode():
    """
    AF_XDP ═ trunk0 ─┬─ eth1 ── sw1    a generic program gives it frames of all ports; frames
                     ├─ eth2 ── sw2    that it sends leave by the table
                     └─ eth3 ── sw3
    """
    ports = Ports()
    table = ports.star.map()
    with ports.star.server:
        try:
            XdpSocket("trunk0", XDP_ZEROCOPY)
            raise Failed("zero-copy is not refused")
        except OSError as error:
            equal(error.errno, errno.EOPNOTSUPP, "zero-copy")
        xdp = XdpSocket("trunk0")
        sockets = Map(MAP_XSKMAP, 4, 1)
        sockets.set(0, xdp.socket.fileno())
        equal(attach("trunk0", program(redirect_to_socket(sockets)), GENERIC), "", "set")
    number, got = ports.come(), []
    eventually(lambda: got.extend(xdp.take()) or len(got) >= number, "all frames reach the socket")
    wanted = [frame(ports.mac, mac(port), n) for port in range(3) for n in range(5)]
    equal(sorted(got), sorted(wanted), "frames that came")
    ports.received(0)
    xdp.send(frame(mac(n), mac(1), n) for n in range(32))
    equal(numbers(ports.star.taps.take(32)), dict(enumerate(table)), "cable of each frame")


def test_programs_and_ports_change_in_traffic():
    """
    flood ── sw1 ── eth1 ─┬─ trunk0 ⇐ in0 ── out0 ── flood
             sw2 ── eth2 ─┘    programs come and go, and a port
    """
    ports = Ports(2)
    uplink = Uplink(ports.star)
    counter = Counter()
    programs = [program(counter.then(what)) for what in (PASS, DROP, TX)]
    # Queues are short, and frames of the trunk may come back, so frames are not counted.
    with ports.star.switch, Background(flooding("sw1")), Background(flooding("out0")), ports.star.server:
        for n in range(count(40)):
            equal(attach("trunk0", programs[n % 3]), "", "set")
            if n == 0:
                eventually(lambda: counter.seen(["eth1"])[0], "the program sees frames")
            if n % 4 == 3:
                Rtnetlink().master("eth2", None)
            elif n % 4 == 0 and n:
                Rtnetlink().up("eth2", False)
                Rtnetlink().master("eth2", "trunk0")
            if n % 5 == 4:
                equal(attach("trunk0"), "", "taken away")
    with ports.star.server:
        equal(attach("trunk0"), "", "taken away")
