# SPDX-License-Identifier: GPL-2.0
"""Devices above a trunk work, and its ports do what they need."""

import errno
import hashlib

import genl
from lab import *
from test_join import netdevsim


def asks(target, answers=1):
    """Pings until as many answers have come."""
    eventually(lambda: f" {answers} received" in attempt(f"ping -n -q -c {answers} -i 0.02 -W 1 {target}").stdout, f"{target} answers")


def features(dev):
    """Returns offload → whether it is on. Not from JSON, which needs a kernel with ethtool's netlink."""
    return {name: on == "on" for name, on in re.findall(r"^\s*([\w-]+): (on|off)", run(f"ethtool -k {dev}"), re.M)}


def test_macvlan_ipvlan_and_vrf():
    """
    server                                                       client
    mac0, ipvl0, then red (VRF) ── trunk0 ═ two links ═ br0 ──── client0
    """
    star = Star(2, bridge=True)
    there = Netns()
    with star.client:
        ip("address add 192.0.2.2/24 dev client0")
    with star.server:
        for name, kind, last in (("mac0", "macvlan mode bridge", 3), ("ipvl0", "ipvlan mode l2", 4)):
            if attempt(f"ip link add link trunk0 name {name} type {kind}").returncode:
                note(f"no {kind}")
                continue
            # Another namespace, as for a container.
            ip(f"link set {name} netns {there.path}")
            with there:
                ip(f"address add 192.0.2.{last}/24 dev {name}\nlink set {name} up")
                asks("192.0.2.2")
            with star.client:
                asks(f"192.0.2.{last}")
            with there:
                ip(f"link del {name}")
        if attempt("ip link add red type vrf table 10").returncode:
            return note("no vrf")
        # It takes no frames of VLANs, which each port must if VLANs are above the trunk.
        equal(refused("ip link set red master trunk0"), "trunk: the device takes no frames of VLANs.", "words")
        ip("link set red up\nlink set trunk0 master red\naddress add 192.0.2.1/24 dev trunk0")
    with star.client:
        asks("192.0.2.1")


def sent_whole(star, source, target, data):
    """Checks that a TCP connection transfers all data, in segments of any size."""
    with star.client:
        listener = socket.create_server((target, 0))
    with star.server:
        sender = socket.create_connection(listener.getsockname(), source_address=(source, 0))
    receiver, _ = listener.accept()
    pid = os.fork()
    if pid == 0:
        sender.sendall(data)
        os._exit(0)
    sender.close()
    digest = hashlib.sha256()
    while part := receiver.recv(1 << 16):
        digest.update(part)
    os.waitpid(pid, 0)
    equal(digest.digest(), hashlib.sha256(data).digest(), "what arrived")


@trodden
def test_what_a_port_cannot_do_is_done_for_it():
    """
    server                                                      client
    vlan7 ── trunk0 ═╤═ eth1 (no offloads at all) ═ br0 ─────── client0 ── vlan7
                     └─ eth2 (by default)
    """
    star = Star(2, bridge=True)
    for namespace, dev, last in ((star.server, "trunk0", 1), (star.client, "client0", 2)):
        with namespace:
            ip(f"link add link {dev} name vlan7 type vlan id 7\nlink set vlan7 up")
            ip(f"address add 192.0.2.{last}/24 dev {dev}\naddress add 198.51.100.{last}/24 dev vlan7")
    with star.server:
        attempt("ethtool -K eth1 tx off sg off tso off gso off tx-vlan-offload off")
        trunk = features("trunk0")
        for name in ("tx-checksumming", "scatter-gather", "tcp-segmentation-offload", "tx-vlan-offload", "rx-vlan-filter"):
            expect(trunk[name], f"{name} of the trunk is off")
        expect(not trunk["large-receive-offload"], "a trunk merges what it receives")
        expect(features("vlan7")["scatter-gather"], "the VLAN has no scatter-gather")
    data = bytes(range(256)) * count(2048, least=256)
    for port, other in ((0, 1), (1, 0)):
        star.pull(other)
        with star.server:
            asks("192.0.2.2")
            before = counters(star.ports[port])["tx_packets"]
        sent_whole(star, "192.0.2.1", "192.0.2.2", data)
        sent_whole(star, "198.51.100.1", "198.51.100.2", data)
        with star.server:
            frames = counters(star.ports[port])["tx_packets"] - before
        # The port without offloads gets frames of the size of its MTU, the other one large segments.
        expect((frames >= 2 * len(data) / 1500) == (port == 0), f"{frames} frames by {star.ports[port]}")
        star.plug(other)


@trodden
def test_limits_of_segmentation_are_those_of_the_ports():
    """
    trunk0 ─┬─ eth1 ── sw1     a veth takes segments of 512 KiB, a dummy of 64
            └─ dummy1
    """
    star = Star(1)
    with star.server:
        most = link("eth1")["tso_max_size"]
        ip("link add dummy1 type dummy")
        least = link("dummy1")["tso_max_size"]
        expect(least < most, f"both take segments of {most}")
        equal(link("trunk0")["tso_max_size"], most, "largest segment")
        ip("link set dummy1 master trunk0")
        equal(link("trunk0")["tso_max_size"], least, "largest segment with the dummy")
        ip("link set dummy1 nomaster")
        equal(link("trunk0")["tso_max_size"], most, "largest segment without it")


@trodden
def test_ports_do_not_merge_what_they_receive():
    """
    trunk0 ─── bond1 (LRO on)    what is merged could not be forwarded
    """
    load()
    if attempt("ip link add bond1 type bond").returncode:
        raise Skipped("no bonding")

    def merges():
        return features("bond1")["large-receive-offload"]

    attempt("ethtool -K bond1 lro on")
    expect(merges(), "the device never merges")
    ip(f"link add trunk0 type {KIND}\nlink set bond1 master trunk0")
    expect(not merges(), "the port merges")


def test_trunks_on_trunks_as_high_as_may_be():
    """
    dummy1 ── trunk1 ── trunk2 ── …    the kernel stacks eight devices; a frame passes all of them
    """
    load()
    ip("link add dummy1 type dummy")
    lower = "dummy1"
    for n in range(1, 16):
        ip(f"link add trunk{n} type {KIND}")
        done = attempt(f"ip link set {lower} master trunk{n}")
        if done.returncode:
            expect("trunk: the port cannot be linked to the trunk" in done.stderr, f"words: {done.stderr}")
            break
        lower = f"trunk{n}"
    expect(4 < n < 15, f"{n} trunks")
    bring_up(lower)
    taps = Taps(["dummy1"], outgoing=True)
    Sender(lower).send(frame(mac(1), mac(2), 3))
    equal([number_of(data) for _, data in taps.take(1)], [3], "frames")
    ip(f"link set {lower} address 02:00:5e:00:53:01\nlink set {lower} mtu 1400")
    equal((link("dummy1")["address"], link("dummy1")["mtu"]), ("02:00:5e:00:53:01", 1400), "address and MTU")
    unload()
    expect("master" not in link("dummy1"), "a master")


@trodden
def test_names_change_and_nothing_else():
    """
    trunk0 ► uplink ─┬─ eth1 ► left ── sw1    while all are up
                     └─ eth2
    """
    star = Star(2)
    table = star.map()
    with star.server:
        for old, new in (("eth1", "left"), ("trunk0", "uplink")):
            if attempt(f"ip link set {old} name {new}").returncode:  # kernels before 6.2
                raise Skipped("a device that is up keeps its name")
        equal(sorted(name for name, entry in links().items() if entry.get("master") == "uplink"), ["eth2", "left"], "ports")
        from genl import Control

        equal(set(Control("uplink").ports()), {"left", "eth2"}, "ports over netlink")
    equal(star.map(), table, "the table")
    star.pull(0)
    equal(set(star.map()), {1}, "ports in use")


def test_the_driver_of_a_port_is_unloaded():
    """
    trunk0 ─┬─ macvlan1 ── lower    rmmod macvlan, while frames leave by it
            └─ dummy1
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add lower type dummy
           link add dummy1 type dummy
           link set lower up
           link add macvlan1 link lower type macvlan
           link set macvlan1 master trunk0
           link set dummy1 master trunk0""")
    if "macvlan" not in {line.split()[0] for line in read("/proc/modules").splitlines()}:
        raise Skipped("macvlan is built into this kernel")
    bring_up("trunk0")
    with Background(flooding("trunk0"), cpu=1):
        eventually(lambda: counters("macvlan1")["tx_packets"], "the port carries frames")
        run("rmmod macvlan")
    expect(link("macvlan1") is None, "the port is still there")
    equal(address("trunk0"), address("dummy1"), "the address")
    taps = Taps(["dummy1"], outgoing=True)
    Sender("trunk0").send(frame(mac(1), mac(2), 3))
    equal(len(taps.take(1)), 1, "frames by the port that is left")


IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, TUNSETIFF = 2, 0x1000, 0x100, 0x400454CA


def tap(name, flags=0):
    """A device whose other end is this file."""
    attempt("modprobe tun")
    if not os.path.exists("/dev/net/tun"):
        raise Skipped("no tun driver")
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | flags))
    return file


class Console:
    """netconsole on a device, and its messages at the other ends of the cables."""

    def __init__(self, ends, dev="trunk0"):
        if attempt("modprobe netconsole").returncode:
            raise Skipped("no netconsole")
        run("rmmod netconsole")
        self.ends, self.dev, self.said = ends, dev, 0

    def start(self):
        run(["modprobe", "netconsole", f"netconsole=6665@192.0.2.1/{self.dev},6666@192.0.2.2/{show(mac(0))}"])

    def say(self, by, words=1):
        """Checks that each message comes once, by this port."""
        wanted = {f"{self.dev}-says-{self.said + n}." for n in range(words)}
        self.said += words
        for text in sorted(wanted):
            write("/dev/kmsg", f"<2>{text}\n")
        heard = []

        def all_there():
            for name, file in self.ends.items():
                try:
                    while data := os.read(file, 2048):
                        heard.extend((text, name) for text in wanted if text.encode() in data)
                except BlockingIOError:
                    pass
            return {text for text, _ in heard} == wanted

        eventually(all_there, f"{words} messages come")
        equal(sorted(heard), sorted((text, by) for text in wanted), "messages")


TUNSETLINK, ARPHRD_ETHER, ARPHRD_PPP = 0x400454CD, 1, 512


def test_a_port_stays_an_ethernet_device():
    """
    trunk0 ─── tap1    may not become a device without Ethernet headers while it is a port
    """
    load()
    file = tap("tap1")
    ip(f"link add trunk0 type {KIND}\nlink set tap1 master trunk0\nlink set tap1 down")
    try:
        fcntl.ioctl(file, TUNSETLINK, ARPHRD_PPP)
        expect(False, "a port has become another type of device")
    except OSError as error:
        equal(error.errno, errno.EBUSY, "errno")
    ip("link set tap1 nomaster\nlink set tap1 down")
    fcntl.ioctl(file, TUNSETLINK, ARPHRD_PPP)
    fcntl.ioctl(file, TUNSETLINK, ARPHRD_ETHER)


def test_the_console_over_the_network():
    """
    netconsole ── trunk0 ─┬─ tap1    its messages are sent with interrupts disabled, at any moment: by
                          ├─ tap2    the table; and when that port fails, or goes, by another, as other
                          └─ tap3    frames. A veth takes no such frames, so cannot join
    """
    from genl import Control

    load()
    console = Console({name: tap(name) for name in ("tap1", "tap2", "tap3")})
    ip(f"""link add trunk0 type {KIND}
           link set tap1 master trunk0
           link set tap2 master trunk0
           address add 192.0.2.1/24 dev trunk0""")
    bring_up("trunk0")
    own = Control().column()[0]
    other, = {"tap1", "tap2"} - {own}
    try:
        console.start()
        console.say(own, words=20)
        ip("link add veth1 type veth peer name veth2")
        equal(refused("ip link set veth1 master trunk0"), "trunk: netpoll cannot send by the port, as by the trunk.", "words")
        ip(f"link set {own} carrier off")
        console.say(other)
        ip(f"link set tap3 master trunk0\nlink set {other} nomaster")
        eventually(lambda: carrier("tap3"), "the third port has carrier")
        console.say("tap3")
        # Without netconsole the trunk works as before, and with it again.
        run("rmmod netconsole")
        Sender("trunk0").send(frame(mac(0), mac(1), 1))
        ip("link set veth1 master trunk0\nlink set veth1 nomaster")
        console.start()
        console.say("tap3")
        ip("link del trunk0")
        expect("master" not in link("tap3"), "a master")
    finally:
        attempt("rmmod netconsole")


def test_the_console_by_a_device_that_joins():
    """netconsole ── tap1    It speaks by the device until that is a port; not if the trunk refuses it."""
    load()
    console = Console({"tap1": tap("tap1")}, "tap1")
    ip(f"link add trunk0 type {KIND}")
    bring_up("tap1")
    config = "/sys/kernel/config"
    target = f"{config}/netconsole/cmdline0"
    attempt(f"mount -t configfs none {config}")
    try:
        console.start()
        os.mkdir(target)  # shows the one of the command line
        console.say("tap1")
        refused("ip link set tap1 master trunk0")  # for it is up
        console.say("tap1")
        ip("link set tap1 down")
        equal(read(f"{target}/enabled"), "1", "is it enabled")
        ip("link set tap1 master trunk0")
        equal(read(f"{target}/enabled"), "0", "is it enabled")
    finally:
        attempt(f"rmdir {target}")
        attempt("rmmod netconsole")
        attempt(f"umount {config}")


@trodden
def test_the_queue_a_frame_came_by_is_the_ports_to_know():
    """
    server                                                                 switch
    tap1 (4 queues) ── br1 ── trunk0 (numtxqueues 8) ── eth1 (4 queues) ── sw1
    """
    from genl import Control

    star = Star(0, up=False)
    with star.server:
        queues = [tap("tap1", IFF_MULTI_QUEUE) for _ in range(4)]
        ip(f"""link del trunk0
               link add trunk0 numtxqueues 8 type {KIND}
               link add eth1 numtxqueues 4 numrxqueues 4 type veth peer name sw1 netns {star.switch.path}
               link add br1 type bridge
               link set tap1 master br1
               link set tap1 up
               link set br1 up
               link set eth1 master trunk0""")
        with star.switch:
            ip("link set sw1 up")
        run("/usr/sbin/tc qdisc replace dev eth1 root handle 1: mq")
        Control().set(probe="off")
        ip("link set trunk0 master br1")
        bring_up("trunk0")

        def carried():
            """Returns the number of frames by each queue of the port."""
            shown = json.loads(run("/usr/sbin/tc -s -j qdisc show dev eth1"))
            return [entry["packets"] for entry in sorted((e for e in shown if "parent" in e), key=lambda e: e["parent"])]

        def forwards():
            os.write(queues[0], frame(BROADCAST, mac(9)))
            return sum(carried()) > 0

        eventually(forwards, "the bridge forwards")
        before = carried()
        for index, queue in enumerate(queues):
            for n in range(10 + index):
                os.write(queue, frame(mac(99), mac(9), n))
        eventually(lambda: sum(carried()) >= sum(before) + 46, "all frames")
        more = [now - then for now, then in zip(carried(), before)]
        # The bridge sometimes sends frames of its own.
        expect(all(10 + n <= got <= 12 + n for n, got in enumerate(more)), f"frames by each queue: {more}")


EOPNOTSUPP = 95


def test_frames_that_are_shared_are_refused():
    """
    pktgen (a frame sent several times) ──✗ trunk0    a trunk writes into frames, and so may its ports
    """
    load()
    if attempt("modprobe pktgen").returncode:
        raise Skipped("no pktgen")
    ip(f"link add trunk0 type {KIND}\nlink add dummy1 type dummy\nlink set dummy1 master trunk0")
    bring_up("trunk0")
    thread = "/proc/net/pktgen/kpktgend_0"
    try:
        write(thread, "add_device trunk0\n")
        write("/proc/net/pktgen/trunk0", "clone_skb 1\n")
        expect(False, "a trunk takes shared frames")
    except OSError as error:
        equal(error.errno, EOPNOTSUPP, "errno")
    finally:
        write(thread, "rem_device_all\n")


SIOCSHWTSTAMP, HWTSTAMP_TX_ON = 0x89B0, 1


@trodden
def test_time_stamps_are_those_of_software():
    """
    trunk0 ─┬─ dummy1    two ports have two clocks
            └─ dummy2
    """
    load()
    ip(f"link add trunk0 type {KIND}\nlink add dummy1 type dummy\nlink set dummy1 master trunk0")
    said = run("ethtool -T trunk0")
    expect("software-receive" in said and "hardware-transmit" not in said, said)
    config = ctypes.create_string_buffer(struct.pack("iii", 0, HWTSTAMP_TX_ON, 0))
    request = struct.pack("16sQ16x", b"trunk0", ctypes.addressof(config))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSHWTSTAMP, bytearray(request))
        expect(False, "a trunk sets the clock of one of its ports")
    except OSError as error:
        equal(error.errno, EOPNOTSUPP, "errno")


def filtered(ports):
    """Returns the VLANs that each port of the netdevsim receives."""
    found = {}
    for port in ports:
        number = link(port)["phys_port_name"].removeprefix("p")
        text = read(f"/sys/kernel/debug/netdevsim/netdevsim7/ports/{int(number) - 1}/vlan")
        found[port] = {int(vid) for vid in re.findall(r"(\d+)$", text, re.M)} - {0}
    return found


@trodden
def test_ports_receive_the_vlans_above():
    """
    vlan7, vlan8 ── trunk0 ─┬─ eth1    hardware that filters by VLAN gets each VLAN; a port that joins
                            ├─ eth2    later gets all; if one port has no memory for a VLAN, no port
                            └─ eth3    receives it
    """
    with netdevsim(ports=3) as ports:
        first, second, third = ports
        load()
        ip(f"link add trunk0 type {KIND}\nlink set {first} master trunk0\nlink set {second} master trunk0")
        bring_up("trunk0")

        def add(vid):
            return attempt(f"ip link add link trunk0 name vlan{vid} type vlan id {vid}").returncode == 0

        def every(vids, devs):
            equal(filtered(devs), {dev: vids for dev in devs}, "VLANs")

        expect(add(7), "a VLAN above the trunk")
        every({7}, (first, second))
        ip(f"link set {third} master trunk0")
        every({7}, ports)
        expect(add(8), "another")
        every({7, 8}, ports)
        ip(f"link del vlan7\nlink set {first} nomaster")
        every({8}, (second, third))
        every(set(), (first,))
        ip(f"link set {first} down\nlink set {first} master trunk0")
        # Each allocation of the request fails once.
        failed = 0
        if os.path.exists("/proc/self/fail-nth"):
            for setting, value in ("ignore-gfp-wait", "N"), ("verbose", "0"):
                write(f"/sys/kernel/debug/failslab/{setting}", value)
            netlink, lower = Rtnetlink(), attribute(IFLA_LINK, socket.if_nametoindex("trunk0"))
            info = attribute(IFLA_INFO_KIND, "vlan") + attribute(IFLA_INFO_DATA, attribute(1, struct.pack("H", 9)))
            for nth in range(1, 100):
                write("/proc/thread-self/fail-nth", nth)
                try:
                    netlink.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "vlan9", lower + attribute(IFLA_LINKINFO, info))
                except OSError:
                    failed += 1
                    every({8}, ports)
                finally:
                    left = read("/proc/thread-self/fail-nth")
                    write("/proc/thread-self/fail-nth", 0)
                if link("vlan9"):
                    every({8, 9}, ports)
                    ip("link del vlan9")
                if left != "0":
                    break
            note(f"{failed} refused for want of memory")
            expect(failed > 2, "no allocation failed")
        every({8}, ports)
        ip("link del trunk0")
        every(set(), ports)


def test_devices_with_a_lock_of_their_own():
    """
    trunk0 ─┬─ netdevsim 1    drivers for which the kernel locks each device, beside RTNL: all kinds of
            └─ netdevsim 2    changes of a port, without a deadlock
    """
    with netdevsim(ports=2) as ports:
        load()
        ip(f"link add trunk0 type {KIND}")
        for port in ports:
            ip(f"link set {port} master trunk0")
        bring_up("trunk0")
        own = Netns()
        first, second = ports
        ip("link add link trunk0 name vlan7 type vlan id 7\nlink set vlan7 up")
        for line in (
            "link set trunk0 address 02:00:5e:00:53:01", "link set trunk0 mtu 1400", "link set trunk0 promisc on",
            "link set trunk0 allmulticast on", f"link set {first} down", f"link set {first} up",
            f"link set {first} name renamed", f"link set renamed name {first}", "link set trunk0 down", "link set trunk0 up",
        ):  # fmt: skip
            ip(line)
        refused(f"ip link set {first} mtu 1300")
        for feature in ("tso", "lro", "gro", "tx"):
            for way in ("off", "on"):
                attempt(f"ethtool -K {first} {feature} {way}")
                attempt(f"ethtool -K trunk0 {feature} {way}")
        expect(not features(first)["large-receive-offload"], "a port merges")
        equal({link(dev)["address"] for dev in ports}, {"02:00:5e:00:53:01"}, "addresses")
        equal({link(dev)["promiscuity"] for dev in ports}, {1}, "promiscuity")
        ip(f"link set {first} nomaster\nlink set {first} down\nlink set {first} master trunk0")
        # The device goes to another namespace while it is a port, which ends that; and is deleted while it is one.
        ip(f"link set {first} netns {own.path}")
        with own:
            expect("master" not in link(first), "a port elsewhere")
            equal((link(first)["mtu"], link(first)["promiscuity"]), (1500, 0), "MTU and promiscuity of a port that has left")
        write("/sys/bus/netdevsim/del_device", "7")
        eventually(lambda: link(second) is None, "the card is gone")
        expect(not carrier("trunk0"), "carrier without ports")


RTMGRP_LINK = 1


class Links:
    """The rtnetlink messages about links from now on, in order: (name, whether it runs)."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, RTMGRP_LINK))
        self.socket.setblocking(False)
        self.said = []

    def look(self):
        while True:
            try:
                data = self.socket.recv(1 << 17)
            except BlockingIOError:
                return self.said
            for kind, body in genl.messages(data):
                if kind == RTM_NEWLINK:
                    name = dict(attributes(body[16:]))[IFLA_IFNAME].rstrip(b"\0").decode()
                    self.said.append((name, bool(struct.unpack_from("I", body, 8)[0] & IFF_RUNNING)))

    def failed(self):
        """Returns the devices that do not run any more, in the order of the first message about that."""
        return list(dict.fromkeys(name for name, runs in self.look() if not runs))


@cases("a trunk", "a trunk, min-links", "a bond")
def test_the_stack_hears_at_once_that_the_carrier_is_lost(what):
    """
    server                                 switch
    up0.10 ── up0 ─┬─ eth1 ─────────────── sw1     the last cable of four is pulled, or with min-links 4 the
                   ├─  …                    …      first, after `late` has lost its carrier, of which the
                   └─ eth4 ─────────────── sw4     kernel does not tell before a second has passed since
    first, late (dummies)                          `first` lost its own. It tells of up0 and up0.10 before it
                                                   tells of `late`
    """
    star = Star(4)
    with star.server:
        netlink = Rtnetlink()
        if what == "a bond":
            ip("link del trunk0")
            if attempt("ip link add up0 type bond mode balance-xor miimon 10").returncode:
                raise Skipped("no bonding")
            ip("\n".join(f"link set {port} down\nlink set {port} master up0" for port in star.ports))
        else:
            ip("link set trunk0 down\nlink set trunk0 name up0")
            if "min-links" in what:
                genl.Control("up0").set(min_links=4)
        ip("""link add link up0 name up0.10 type vlan id 10
              link add first type dummy
              link add late type dummy""")
        ours = "up0", "up0.10", "first", "late"
        for dev in ours:
            netlink.up(dev)

    def attempted():
        """Makes devices fail, and returns their order. On a slow machine, more than a second may pass before the
        cables are pulled."""
        with star.switch:
            for far in star.far:
                Rtnetlink().up(far)
        with star.server:
            for dev in "first", "late":
                netlink.set(dev, IFLA_CARRIER, b"\1")
            for dev in ours:
                eventually(lambda: running(dev), f"{dev} runs")
            links = Links()
            netlink.set("first", IFLA_CARRIER, b"\0")
            eventually(lambda: "first" in links.failed(), "the first has lost its carrier")
            netlink.set("late", IFLA_CARRIER, b"\0")
        with star.switch:
            panel = Rtnetlink()
            with panel.at_once():
                for far in star.far[:1] if "min-links" in what else star.far:
                    panel.up(far, False)
        with star.server:
            eventually(lambda: {"up0", "up0.10", "late"} <= set(links.failed()), lambda: f"all are told of: {links.said}")
        return [name for name in links.failed() if name in ours]

    orders = []
    while ["first", "up0", "up0.10", "late"] not in orders:
        orders.append(attempted())
        expect(len(orders) < 10, f"never in time: {orders}")
