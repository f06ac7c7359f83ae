# SPDX-License-Identifier: GPL-2.0
"""A trunk in role switch as a port of a Linux bridge, which is the switch's address table.

    server                              switch                        clients
    trunk0 ─┬─ eth1 ══ cable ══ sw1 ─┬─ trunk0 ─┐
            ├─  …                …   ┤          ├─ br0 ─┬─ p1 ────── c1
            └─ eth4 ══ cable ══ sw4 ─┘          ┘       └─ …         …

To the bridge the trunk is one port: it does not notice what happens to a cable.
"""

import contextlib

from hosts import *

GROUP = bytes.fromhex("0180c2000000")
LLC = 4  # the protocol, for the kernel, of frames with a length instead of a type, as BPDUs


class Switched(Pair):
    """The topology of this file. `behind`: what is between the bridge and the clients. `bridge`: options."""

    def __init__(self, behind="ports", bridge="mcast_snooping 0", links=4, clients=4, ipv6=False):
        super().__init__((1,) * links, start=False, ipv6=ipv6, role="server", switch_settings={"role": "switch"})
        self.clients = Netns(ipv6=ipv6)
        with self.switch.netns:
            ip("link add br0 type bridge")
            if "vlan_filtering" in bridge and attempt("ip link set br0 type bridge vlan_filtering 1").returncode:
                raise Skipped("bridges of this kernel do not filter VLANs")
            if "mcast_snooping 1" in bridge and "mcast_snooping" not in link("br0")["linkinfo"]["info_data"]:
                raise Skipped("bridges of this kernel do not snoop")
            ip(f"link set br0 type bridge {bridge}\nlink set br0 up\nlink set trunk0 master br0")
        self.devs = [f"c{n}" for n in range(1, clients + 1)]
        lead = self.lead
        if behind == "ports":
            for dev in self.devs:
                lead(self.switch.netns, "p" + dev[1:], "br0", self.clients, dev)
        else:
            # One hub, or two switches with half of the clients each.
            options = "ageing_time 0" if behind == "a hub" else ""
            parts = [self.devs] if behind == "a hub" else [self.devs[::2], self.devs[1::2]]
            for n, devs in enumerate(parts, 1):
                between = Netns()
                with between:
                    ip(f"link add between type bridge mcast_snooping 0 {options}\nlink set between up")
                lead(self.switch.netns, f"p{n}", "br0", between, "up", "between")
                for dev in devs:
                    lead(between, "to" + dev, "between", self.clients, dev)
        self.start()
        with self.server.netns:
            self.mac = unmac(link("trunk0")["address"])
            self.at_server = Taps(["trunk0"])
            self.up = Taps(self.server.ports)
        with self.switch.netns:
            self.at_switch = Taps(["trunk0"])
            self.down = Taps(self.switch.ports)
        with self.clients:
            self.at_clients = Taps(self.devs)
            self.senders = [Sender(dev) for dev in self.devs]
        # The server is known to all bridges.
        self.server.trunk.send(frame(BROADCAST, self.mac))
        equal(len(self.at_clients.take(clients)), clients, "copies of the server's first frame at the clients")
        self.forget()

    @staticmethod
    def lead(netns, dev, master, other, peer, peers_master=None):
        """A cable from a bridge to somewhere else."""
        with netns:
            netlink = Rtnetlink()
            netlink.add(dev, "veth", peer=peer, netns=other)
            netlink.master(dev, master)
            netlink.up(dev)
        with other:
            netlink = Rtnetlink()
            if peers_master:
                netlink.master(peer, peers_master)
            netlink.up(peer)

    def forget(self):
        """Discards what the taps have taken so far."""
        for taps in self.at_server, self.up, self.at_switch, self.down, self.at_clients:
            for tap in taps.taps:
                tap.take()

    def predict_down(self, dst):
        """Returns the index of the cable by which a frame to that address leaves the server."""
        return self.server.ports.index(self.server.control.column()[low(dst) % 32])

    def tables(self):
        """Returns (up, down): bucket → index of the cable."""
        return tuple([host.ports.index(port) for port in host.control.column()] for host in (self.switch, self.server))


@trodden
@cases("ports", "a hub", "switches", alike=True)
def test_each_frame_takes_the_link_that_its_addresses_name(behind):
    """
    server                      switch
    trunk0 ═ four cables ═ trunk0 ─ br0 ─┬─ p1 … p4 ──────────── c1 … c4   64 clients, 16 behind each;
                                         ├─ p1 ─ hub ─────────── c1 … c4   directly, behind a hub,
                                         └─ p1, p2 ─ switches ── c1 … c4   or behind two switches

    A frame to the server goes by the low bits of its source, the client's address; a frame back by those of
    its destination. Frames stay in order; broadcasts come once.
    """
    net, random = Switched(behind), seeded()
    up, down = net.tables()
    fair(up, range(4))
    fair(down, range(4))
    clients = [mac(random.randrange(1 << 32)) for _ in range(64)]
    home = {client: n % 4 for n, client in enumerate(clients)}  # the device it is behind
    each = count(8, 2)

    def order():
        """Yields (client, number of the frame): frames of a client in order, clients in any order."""
        turns = [client for client in clients for _ in range(each)]
        random.shuffle(turns)
        sent = dict.fromkeys(clients, 0)
        for client in turns:
            yield client, clients.index(client) << 8 | sent[client]
            sent[client] += 1

    def in_order(taken, what):
        last = {}
        for _, data in taken:
            number = number_of(data)
            equal(number & 255, last.get(number >> 8, -1) + 1, f"{what}, the next of client {number >> 8}")
            last[number >> 8] = number & 255

    total = 64 * each
    # Up: to the server.
    with on_one_cpu():
        for client, number in order():
            net.senders[home[client]].send(frame(net.mac, client, number))
    where = numbers(net.up.take(total))
    equal(where, {n: up[low(clients[n >> 8]) % 32] for n in where}, "cables of frames to the server")
    taken = net.at_server.take(total)
    equal(len(taken), total, "frames to the server")
    in_order(taken, "frames to the server")
    net.forget()
    # Down: from the server. A hub sends frames everywhere, a switch only to the client.
    with on_one_cpu():
        for client, number in order():
            net.server.trunk.send(frame(client, net.mac, number))
    where = numbers(net.down.take(total))
    equal(where, {n: down[low(clients[n >> 8]) % 32] for n in where}, "cables of frames from the server")
    copies = 4 if behind == "a hub" else 1
    taken = net.at_clients.take(total * copies)
    for dev in range(4):
        own = [entry for entry in taken if entry[0] == dev]
        wanted = [n for n in where if copies == 4 or home[clients[n >> 8]] == dev]
        equal(sorted(number_of(data) for _, data in own), sorted(wanted), f"frames to c{dev + 1}")
        in_order(own, f"frames to c{dev + 1}")
    net.forget()
    # Broadcasts of clients: the server and each other client receive them once.
    for number, client in enumerate(clients):
        net.senders[home[client]].send(frame(BROADCAST, client, number))
    equal(numbers(net.up.take(64)), {n: up[low(c) % 32] for n, c in enumerate(clients)}, "cables of broadcasts")
    equal(sorted(numbers(net.at_server.take(64))), list(range(64)), "broadcasts at the server")
    seen = [(dev, number_of(data)) for dev, data in net.at_clients.take(3 * 64)]
    equal(sorted(seen), sorted((dev, n) for n, c in enumerate(clients) for dev in range(4) if dev != home[c]),
          "broadcasts at clients")
    net.forget()
    # Broadcasts of the server.
    for number in range(20):
        net.server.trunk.send(frame(BROADCAST, net.mac, number))
    equal(numbers(net.down.take(20)), dict.fromkeys(range(20), down[0xFFFF % 32]), "cables of the server's broadcasts")
    seen = [(dev, number_of(data)) for dev, data in net.at_clients.take(80)]
    equal(sorted(seen), [(dev, n) for dev in range(4) for n in range(20)], "the server's broadcasts at clients")


def test_stations_stay_where_the_bridge_has_learned_them():
    """
    server                                   switch
    br0 (64 hosts) ─ trunk0 ═ four cables ═ trunk0 ─ br0 ── c1    by any cable that a frame comes, and after
                                                                  any failure, no station moves
    """
    net = Switched(clients=1)
    stations = [mac(n, 0x06) for n in range(64)]
    with net.switch.netns:
        monitor = subprocess.Popen(["bridge", "monitor", "fdb"], stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(monitor.stdout.fileno(), False)
    said = bytearray()

    def heard():
        said.extend(monitor.stdout.read() or b"")
        return said.decode().splitlines()

    try:
        # It has joined its group once it reports a member.
        def listening():
            net.senders[0].send(frame(BROADCAST, mac(os.urandom(1)[0], 0x0A)))
            return heard()

        eventually(listening, "the monitor tells of a station")
        net.forget()

        def traffic():
            """Each station to the client and back."""
            for n, station in enumerate(stations):
                net.server.trunk.send(frame(mac(7), station, n))
            equal(len(numbers(net.at_clients.take(64))), 64, "frames to the client")
            for n, station in enumerate(stations):
                net.senders[0].send(frame(station, mac(7), n))
            equal(len(numbers(net.at_server.take(64))), 64, "frames to the stations")
            net.forget()

        def anyhow():
            """Sends by all cables, as a far end with another choice of cables does."""
            for index, far in enumerate(net.switch.ports):
                sender = net.panel.sender(far)
                for n, station in enumerate(stations):
                    sender.send(frame(mac(7), station, index << 8 | n))
            equal(len(numbers(net.at_clients.take(256))), 256, "frames to the client by all cables")
            net.forget()

        net.senders[0].send(frame(BROADCAST, mac(7)))
        equal(len(net.at_server.take(1)), 1, "the client's first frame at the server")
        net.forget()
        traffic()
        anyhow()
        net.panel.pull("eth1")
        net.until(net.switch, {"sw1": "no-carrier"})
        net.until(net.server, {"eth1": "no-carrier"})
        traffic()
        net.panel.plug("eth1")
        net.panel.lose("eth2")
        for host, port in (net.server, "eth2"), (net.switch, "sw2"):
            net.until(host, {port: "probe-timeout"})
        traffic()
        net.panel.heal("eth2")
        with net.switch.netns:
            table = json.loads(run("bridge -j fdb show"))
        for station in stations:
            devs = [entry["ifname"] for entry in table if entry["mac"] == show(station)]
            equal(devs, ["trunk0"], f"devices that {show(station)} is known at")
    finally:
        monitor.kill()
        monitor.wait()
    about = [line for line in heard() if line.split()[0] != "Deleted" and line.split()[0] in map(show, stations)]
    equal(sorted(line.split()[0] for line in about), sorted(map(show, stations)), "stations the monitor has told of")
    expect(all("dev trunk0" in line for line in about), f"learned elsewhere: {about}")


# VLANs


@trodden
def test_vlans_are_kept_apart_and_take_the_same_links():
    """
    server                                     switch (vlan_filtering)
    trunk0.10, trunk0.20                               ┌─ p1 (pvid 10) ── c1
    trunk0 (untagged: 30) ═ four cables ═ trunk0 ─ br0 ┼─ p2 (pvid 20) ── c2
                                                       └─ p3 (pvid 30) ── c3
    """
    net = Switched(bridge="mcast_snooping 0 vlan_filtering 1 vlan_default_pvid 0", clients=0)
    with net.switch.netns:
        for n in 1, 2, 3:
            net.lead(net.switch.netns, f"p{n}", "br0", net.clients, f"c{n}")
            ip_bridge(f"vlan add vid {n}0 dev p{n} pvid untagged")
            ip_bridge(f"vlan add vid {n}0 dev trunk0" + " pvid untagged" * (n == 3))
    with net.server.netns:
        ip("""link add link trunk0 name trunk0.10 up type vlan id 10
              link add link trunk0 name trunk0.20 up type vlan id 20""")
        devs = ["trunk0.10", "trunk0.20", "trunk0"]
        at_server, senders = Taps(devs), [Sender(dev) for dev in devs]
    with net.clients:
        at_clients, clients = Taps(["c1", "c2", "c3"]), [Sender(f"c{n}") for n in (1, 2, 3)]
    up, down = net.tables()

    def ours(taken):
        """Returns the frames of the VLAN's device, among those that a tap on the trunk below takes as well."""
        return {number_of(data): dev for dev, data in taken if dev < 2} | {
            number_of(data): dev for dev, data in taken if dev == 2 and number_of(data) >> 8 == 2}

    # The same 64 addresses in each VLAN, up and down. A tap sees no tags, so the frame has its VLAN.
    addresses = [mac(n * 37) for n in range(64)]
    for vlan in range(3):
        for n, client in enumerate(addresses):
            clients[vlan].send(frame(net.mac, client, vlan << 8 | n))
    where = numbers(net.up.take(192))
    equal(where, {v << 8 | n: up[low(a) % 32] for v in range(3) for n, a in enumerate(addresses)}, "cables, up")
    # trunk0 itself receives all frames: those with a tag before its VLANs do.
    got = ours(at_server.take(192 + 128))
    equal(got, {v << 8 | n: v for v in range(3) for n in range(64)}, "VLANs that frames came to")
    net.forget()
    for vlan in range(3):
        for n, client in enumerate(addresses):
            senders[vlan].send(frame(client, net.mac, vlan << 8 | n))
    where = numbers(net.down.take(192))
    equal(where, {v << 8 | n: down[low(a) % 32] for v in range(3) for n, a in enumerate(addresses)}, "cables, down")
    got = numbers(at_clients.take(192))
    equal(got, {v << 8 | n: v for v in range(3) for n in range(64)}, "clients that frames came to")
    # A VLAN of which the trunk is not a member.
    with net.switch.netns:
        ip_bridge("vlan add vid 40 dev p1 pvid untagged")
    clients[0].send(frame(net.mac, mac(1), 1))
    clients[2].send(frame(net.mac, mac(1), 2))
    equal(list(numbers(net.up.take(1))), [2], "frames of VLANs that the trunk is in, and is not in")


@repeats
def test_a_vlan_comes_and_goes_under_traffic():
    """
    trunk0.10, trunk0.20 ═ four cables ═ trunk0 ─ br0 ┬─ p1 (pvid 10) ── c1    the trunk leaves VLAN 20 and
                                                      └─ p2 (pvid 20) ── c2    rejoins; 10 loses no frame
    """
    net = Switched(bridge="mcast_snooping 0 vlan_filtering 1 vlan_default_pvid 0", clients=0)
    for n in 1, 2:
        net.lead(net.switch.netns, f"p{n}", "br0", net.clients, f"c{n}")
        with net.switch.netns:
            ip_bridge(f"vlan add vid {n}0 dev p{n} pvid untagged")
            ip_bridge(f"vlan add vid {n}0 dev trunk0")
    with net.server.netns:
        ip("""link add link trunk0 name trunk0.10 up type vlan id 10
              link add link trunk0 name trunk0.20 up type vlan id 20""")
        at_server = [Tap("trunk0.10"), Tap("trunk0.20")]
    sent = mmap.mmap(-1, 8)

    def traffic(stop):
        with net.clients:
            clients, number = [Sender("c1"), Sender("c2")], 0
            while not stop():
                for vlan, client in enumerate(clients):
                    client.send(frame(net.mac, mac(number % 64), number << 1 | vlan))
                number += 1
                sent[:] = number.to_bytes(8, "little")
                time.sleep(0.002)

    got = [[], []]

    def more(vlan, least=20):
        before = len(got[vlan])

        def enough():
            for n, tap in enumerate(at_server):
                got[n] += [number_of(data) for data in tap.take()]
            return len(got[vlan]) >= before + least

        return enough

    with Background(traffic):
        for _ in range(count(5, 2)):
            eventually(more(1), "VLAN 20 comes through")
            with net.switch.netns:
                ip_bridge("vlan del vid 20 dev trunk0")
            more(0)()
            gone = len(got[1])
            eventually(more(0), "VLAN 10 comes through")
            equal(len(got[1]), gone, "frames of VLAN 20 while the trunk is not in it")
            with net.switch.netns:
                ip_bridge("vlan add vid 20 dev trunk0")
    total = int.from_bytes(sent[:], "little")
    eventually(lambda: more(0)() or len(got[0]) == total, "the last frame of VLAN 10 came")
    equal(sorted(got[0]), [n << 1 for n in range(total)], "frames of VLAN 10")
    expect(all(n & 1 for n in got[1]) and len(set(got[1])) == len(got[1]), "frames of VLAN 20 are its own, once")


def ip_bridge(words):
    return run("bridge " + words)


# Spanning tree


FAST = "stp_state 1 forward_delay 200 hello_time 100 max_age 600"  # in 10 ms: the least it takes


def spanning(dev="br0"):
    """Returns root, own id and root port of a bridge."""
    return link(dev)["linkinfo"]["info_data"]


def states(*devs):
    """Returns the states of bridge ports: forwarding, blocking, …"""
    return {dev: json.loads(ip_bridge(f"-j link show dev {dev}"))[0]["state"] for dev in devs}


@repeats
def test_bpdus_cross_the_trunk_once():
    """
    server (STP)                          switch (STP)
    br0 ─ trunk0 ═ eth1 … ═ four cables ═ trunk0 ─ br0    both agree on the root; if the cable that the root's
                                                          BPDUs go by fails, they go by another, and no
                                                          port of a bridge changes its state
    """
    net = Switched(bridge="mcast_snooping 0 " + FAST, clients=0)
    with net.server.netns:
        ip(f"""link add br0 type bridge mcast_snooping 0 {FAST} priority 4096
               link set br0 up
               link set trunk0 master br0""")
        root = spanning()["bridge_id"]
        mine = unmac(link("trunk0")["address"])
        sent = Tap("trunk0", outgoing=True, type=LLC)
    with net.switch.netns:
        def agreed():
            return spanning()["root_id"] == root and states("trunk0") == {"trunk0": "forwarding"}

        eventually(agreed, "the switch has found the root by its trunk, and uses it")
        equal(spanning()["root_port"], 1, "the root port of the switch")
        # Its ports have an index; the trunk is the first.
        got, cables = Tap("trunk0", type=LLC), Taps(net.switch.ports, type=LLC)
    with net.server.netns:
        eventually(lambda: states("trunk0") == {"trunk0": "forwarding"}, "the root uses its trunk")
    sent.take()
    got.take()
    cables.take(0)

    def bpdus(number, cable):
        """So many more are received, by that cable: each that the root has sent, once; but for one on
        its way as this began."""
        seen, left = [], []

        def received():
            seen.extend(got.take())
            left.extend(sent.take())
            return len(seen) >= number and abs(len(seen) - len(left)) <= 1

        eventually(received, lambda: f"{number} BPDUs are received as they are sent; {len(seen)} were, of {len(left)}")
        taken = cables.take(len(seen))
        equal({index for index, _ in taken}, {cable}, "cables of BPDUs")
        expect(all(data[:6] == GROUP and data[6:12] == mine for _, data in taken), "BPDUs of the root")

    cable = net.predict_down(GROUP)
    bpdus(3, cable)
    # It falls silent: the trunk notices that, the bridges do not.
    port = net.server.ports[cable]
    net.panel.lose(port)
    net.until(net.server, {port: "probe-timeout"})
    net.until(net.switch, {net.far[port]: "probe-timeout"})
    # Frames before the failure was noticed are lost.
    for each in sent, got, *cables.taps:
        each.take()
    other = net.predict_down(GROUP)
    expect(other != cable, "another port has the bucket")
    bpdus(3, other)
    with net.switch.netns:
        expect(agreed(), "the tree is as it was")


@repeats
def test_a_loop_of_two_trunks_is_cut():
    """
    server (STP)                      switch (STP)
          ┌─ trunk0 ═ two cables ═ trunk0 ─┐           one of the four ports blocks; when both cables of the
    s1 ─ br0                               br0 ─ p1    trunk in use are pulled, the other takes over; when
          └─ trunk1 ═ two cables ═ trunk1 ─┘           they are back, it blocks again
    """
    panel = Panel()
    server, switch = Netns(), Netns()
    ends = {}
    for netns, prefixes, priority in (server, "ab", 4096), (switch, "xy", 8192):
        with netns:
            ip(f"link add br0 type bridge mcast_snooping 0 {FAST} priority {priority}\nlink set br0 up")
        for dev, prefix in zip(("trunk0", "trunk1"), prefixes):
            ends[prefix] = Host(panel, prefix, (1, 1), dev=dev, netns=netns, role="switch")
            with netns:
                ip(f"link set {dev} master br0")
                # Otherwise the cost follows the speed that the trunk had when its first port came up.
                ip_bridge(f"link set dev {dev} cost 4")
    for one, other in "ax", "by":
        for n in 1, 2:
            panel.join(f"{one}{n}", f"{other}{n}")
    clients = Netns()
    for netns, port, dev in (server, "s1", "h1"), (switch, "p1", "c1"):
        Switched.lead(netns, port, "br0", clients, dev)
        with netns:
            ip_bridge(f"link set dev {port} cost 100")
    for host in ends.values():
        host.up()
    with clients:
        sender, taps = Sender("h1"), Taps(["h1", "c1"])

    def ports():
        """Returns the states of the four ports, in order: the server's, then the switch's."""
        found = []
        for netns in server, switch:
            with netns:
                found += states("trunk0", "trunk1").values()
        return found

    def settled(*wanted):
        last = []

        def reached():
            last[:] = ports()
            return last == list(wanted)

        eventually(reached, lambda: f"the ports are {wanted}; they are {last}")

    def once():
        """Checks that a broadcast arrives once, and does not come back."""
        taps.take(0)
        for n in range(20):
            sender.send(frame(BROADCAST, mac(1), n))
        equal(numbers(taps.take(20)), dict.fromkeys(range(20), 1), "broadcasts at h1 (0) and c1 (1)")

    forward, block = "forwarding", "blocking"
    settled(forward, forward, forward, block)
    once()
    for n in 1, 2:
        panel.pull(f"a{n}")
    settled("disabled", forward, "disabled", forward)
    once()
    for n in 1, 2:
        panel.plug(f"a{n}")
    settled(forward, forward, forward, block)
    once()
    # If one cable of the trunk in use fails, the bridges do not notice.
    panel.pull("a1")
    eventually(lambda: ends["x"].states()["x1"] == ends["a"].states()["a1"] == "no-carrier", "the trunk has noticed")
    equal(ports(), [forward, forward, forward, block], "states with one cable less")
    once()


# Multicast


GROUPS = {"IGMP": ("239.1.2.3", "01005e010203"), "MLD": ("ff15::102:304", "333301020304")}
SNOOP = ("mcast_snooping 1 mcast_query_response_interval 100 mcast_query_interval 300 "
         "mcast_startup_query_interval 100 mcast_igmp_version 2")  # in 10 ms  # fmt: skip


@contextlib.contextmanager
def member(netns, group):
    """Makes a host a member of a group, by its trunk."""
    with netns:
        index = socket.if_nametoindex("trunk0")
        if ":" in group:
            one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            value = socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", index)
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, value)
        else:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            value = socket.inet_aton(group) + bytes(4) + struct.pack("I", index)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, value)
    try:
        yield
    finally:
        one.close()


def datagram(group):
    """Returns a UDP datagram to that group, from the EtherType on."""
    data = struct.pack("!HHHH", 9, 9, 8 + 18, 0) + bytes(18)
    if ":" in group:
        head = struct.pack("!IHBB", 6 << 28, len(data), 17, 8)
        ends = [socket.inet_pton(socket.AF_INET6, address) for address in ("2001:db8::7", group)]
        return b"\x86\xdd" + head + b"".join(ends) + data
    # A bridge that snoops checks only the checksum of this header.
    head = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 8, 17, 0))
    head += socket.inet_aton("10.0.0.7") + socket.inet_aton(group)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", head, 10, ~(total + (total >> 16)) & 0xFFFF)
    return b"\x08\0" + bytes(head) + data


def members(bridge, group):
    """Returns the ports of a bridge of this namespace where members of a group are."""
    for entry in json.loads(ip_bridge("-j mdb show") or "[]"):
        found = [e["port"] for e in entry.get("mdb", ()) if e["dev"] == bridge and e["grp"] == group]
        if found:
            return found
    return []


@repeats
@cases("IGMP", "MLD", alike=True)
def test_multicast_goes_to_members_alone(protocol):
    """
    server (member)              switch (snooping)           (snooping, querier)
    trunk0 ═ four cables ═ trunk0 ─ br0 ─┬─ p1 ─ c1
                                         ├─ p2 ─ c2
                                         └─ pq ────────────── up ─ br1
    """
    net = Switched(bridge=SNOOP, clients=2, ipv6=protocol == "MLD")
    group, address_of_group = GROUPS[protocol]
    querier = Netns(ipv6=protocol == "MLD")
    with querier:
        ip(f"link add br1 type bridge {SNOOP} mcast_querier 1\nlink set br1 up")
        if protocol == "MLD":
            ip("address add fe80::9/64 dev br1 nodad")
    net.lead(net.switch.netns, "pq", "br0", querier, "up", "br1")
    with net.server.netns:
        ip("address add 192.0.2.1/24 dev trunk0")
        if protocol == "MLD":
            ip("address add fe80::1/64 dev trunk0 nodad")
    to_group, last = bytes.fromhex(address_of_group), mac(0xEE)
    taps = []
    for netns, devs in (net.server.netns, ["trunk0"]), (net.server.netns, net.server.ports), (net.clients, net.devs):
        with netns:
            taps.append(Taps(devs, type=0x86DD if ":" in group else 0x0800))

    def sent(clients):
        """Datagrams to the group from c1, a frame from each of these addresses: what is seen of them at the
        server's trunk, on the cables, and at clients: (index of the device, source) of each."""
        for each in taps:
            each.take(0)
        for client in clients:
            net.senders[0].send(to_group + client + datagram(group))
        # A later frame, to the server itself, has come, so these have come or are lost.
        net.senders[0].send(net.mac + last + datagram(group))
        seen = [[] for _ in taps]

        def over():
            seen[0].extend(taps[0].take(0))
            return any(data[6:12] == last for _, data in seen[0])

        eventually(over, "the last frame has come")
        for each, tap in zip(seen, taps):
            each += tap.take(0)
        return [[(index, data[6:12]) for index, data in each if data[:6] == to_group] for each in seen]

    def joined():
        """Returns the ports where the switch and the querier know members."""
        with net.switch.netns:
            near = members("br0", group)
        with querier:
            return near, members("br1", group)

    def delivered():
        at_server, _, at_clients = sent([mac(n) for n in range(16)])
        return len(at_server), len(at_clients)

    with member(net.server.netns, group):
        eventually(lambda: joined() == (["trunk0"], ["up"]), "the switch and the querier know of the member")
        eventually(lambda: delivered() == (16, 0), "what goes to the group goes to its member alone")
        up, _ = net.tables()
        _, cables, _ = sent([mac(n) for n in range(64)])
        equal(sorted(cables), sorted((up[n % 32], mac(n)) for n in range(64)), "cables of multicast")
        # A failure: the member has another way, and reports it itself.
        port = net.server.ports[net.predict_down(to_group)]
        with net.switch.netns:
            ip_bridge(f"mdb del dev br0 port trunk0 grp {group}")
        net.panel.pull(port)
        net.until(net.server, {port: "no-carrier"})
        eventually(lambda: joined()[0] == ["trunk0"], "the switch knows of the member again")
        eventually(lambda: delivered() == (16, 0), "what goes to the group goes to its member alone")
        net.panel.plug(port)
        net.until(net.server)
        equal(delivered(), (16, 0), "after the cable is back: at the server, at other clients")
    eventually(lambda: joined()[0] == [], "the switch has forgotten the member")
    equal(delivered(), (0, 0), "what goes to a group without members: at the server, at clients")


@trodden
def test_entries_made_by_hand_reach_the_ports():
    """
    switch
    br0 ─┬─ trunk0 ─┬─ sw1    fdb and mdb entries of the bridge lead to the trunk; addresses that the trunk is
         └─ p1      └─  …     to receive, to the filters of its ports
    """
    net = Switched(bridge="mcast_snooping 1 vlan_filtering 1", clients=2)
    ports = net.switch.ports

    def filters(dev):
        return {entry["mac"] for entry in json.loads(ip_bridge(f"-j fdb show dev {dev}")) if "self" in entry["flags"]}

    with net.switch.netns:
        ip_bridge("mdb add dev br0 port trunk0 grp 01:00:5e:07:07:07 permanent")
        ip_bridge(f"fdb add {show(mac(0x77))} dev trunk0 master static")
    to_group, to_host = bytes.fromhex("01005e070707"), mac(0x77)
    for n, dst in enumerate((to_group, to_host)):
        net.senders[0].send(frame(dst, mac(5), n))
    # The server's trunk receives both: its ports are cables.
    equal(sorted(numbers(net.up.take(2))), [0, 1], "frames that leave by the trunk")
    equal(net.at_clients.take(0), [], "frames at other clients")

    with net.switch.netns:
        before = {port: filters(port) for port in ports}
        for address_ in (show(mac(0x78)), "01:00:5e:07:07:08"):
            ip_bridge(f"fdb add {address_} dev trunk0 self permanent")
            for port in ports:
                eventually(lambda: filters(port) - before[port] == {address_}, f"{port} receives for {address_}")
            ip_bridge(f"fdb del {address_} dev trunk0 self")
            eventually(lambda: {port: filters(port) for port in ports} == before, "it is taken back")
        # A bridge that knows where all addresses are makes the trunk receive only for some.
        for port in "p1", "p2":
            ip_bridge(f"link set dev {port} learning off flood off")
        equal(link("trunk0")["promiscuity"], 0, "promiscuity of the trunk")  # a veth is so for any address more
        before = {port: filters(port) for port in ports}
        ip_bridge(f"fdb add {show(mac(0x79))} dev p1 master static vlan 1")
        for port in ports:
            eventually(lambda: show(mac(0x79)) in filters(port), f"{port} receives for the station at p1")
        net.server.trunk.send(frame(mac(0x79), net.mac, 9))
        equal(numbers(net.at_clients.take(1)), {9: 0}, "a frame to it")
        ip_bridge(f"fdb del {show(mac(0x79))} dev p1 master vlan 1")
        eventually(lambda: {port: filters(port) for port in ports} == before, "addresses are those of before")
        ip_bridge("link set dev p1 learning on flood on")
        equal(link("trunk0")["promiscuity"], 1, "promiscuity of the trunk once the bridge learns at p1 again")


@trodden
def test_what_the_bridge_wants_to_receive_its_ports_do():
    """
    br0 ─ trunk0 ─┬─ sw1    promiscuous and all-multicast once each, as long as the trunk is in the bridge;
                  └─  …     a port that joins meanwhile, and one that leaves, too
    """
    net = Switched(clients=1)
    ports = net.switch.ports

    def modes():
        return {port: (link(port)["promiscuity"], link(port)["allmulti"]) for port in ports}

    with net.switch.netns:
        equal(modes(), dict.fromkeys(ports, (1, 1)), "promiscuous, all-multicast in the bridge")
        ip("link set sw4 nomaster")
        equal(modes(), dict.fromkeys(ports, (1, 1)) | {"sw4": (0, 0)}, "once sw4 has left the trunk")
        ip("link set sw4 master trunk0")
        equal(modes(), dict.fromkeys(ports, (1, 1)), "once it is back")
        ip("link set trunk0 promisc on")
        equal(modes(), dict.fromkeys(ports, (1, 1)), "the trunk itself is promiscuous, too: it asks its ports once")
        ip("link set trunk0 nomaster")
        equal(modes(), dict.fromkeys(ports, (1, 0)), "out of the bridge")
        ip("link set trunk0 promisc off")
        equal(modes(), dict.fromkeys(ports, (0, 0)), "nobody asks any more")
        ip("link set trunk0 master br0")
        ip("link del br0")
        equal(modes(), dict.fromkeys(ports, (0, 0)), "once the bridge is gone")


@repeats
def test_settings_of_a_bridge_port_hold_for_the_trunk():
    """
    server                                           isolated: frames pass between an isolated port and one that
    trunk0 ═ four cables ═ trunk0 ─ br0 ─┬─ p1 ─ c1  is not; without flood and mcast_flood, frames to unknown
                                         └─ p2 ─ c2  addresses do not leave by the trunk; disabled, none do
    """
    net = Switched(clients=2)

    def passes(which, dst, wanted):
        """Does a frame of that client come out of a cable? What is wanted says how long to wait."""
        net.forget()
        net.senders[which].send(frame(dst, mac(which + 1), which))
        return len(net.up.take(int(wanted))) == 1

    def equal_all(what, *frames):
        equal([passes(*each) for each in frames], [wanted for *_, wanted in frames], what)

    with net.switch.netns:
        shown, = json.loads(ip_bridge("-j -d link show dev trunk0"))
    equal((shown["master"], shown["state"]), ("br0", "forwarding"), "what `bridge link` shows of the trunk")
    unknown, group = mac(0x666), bytes.fromhex("01005e0a0a0a")
    for setting, allowed in (
        ("isolated on", (True, True)), ("isolated off", (True, True)),
        ("flood off", (False, True)), ("flood on", (True, True)),
        ("mcast_flood off", (True, False)), ("mcast_flood on", (True, True)),
    ):  # fmt: skip
        with net.switch.netns:
            ip_bridge(f"link set dev trunk0 {setting}")
            ip_bridge(f"link set dev p1 isolated {'on' if setting == 'isolated on' else 'off'}")
        known = setting != "isolated on"  # of c1; c2 is not isolated
        equal_all(f"{setting}: c1 to the server, c2 to the server, to an unknown address and to a group",
                  (0, net.mac, known), (1, net.mac, True), (1, unknown, allowed[0]), (1, group, allowed[1]))
    with net.switch.netns:
        ip_bridge("link set dev trunk0 state 0")
    equal_all("a frame while the port is disabled", (1, net.mac, False))
    with net.switch.netns:
        ip_bridge("link set dev trunk0 state 3")
    equal_all("a frame when it is forwarding again", (1, net.mac, True))
