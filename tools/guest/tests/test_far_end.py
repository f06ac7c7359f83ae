# SPDX-License-Identifier: GPL-2.0
"""What lies at the far end: trunks, plain switches that flood, snoop or forget, and aggregates.

The same is asked of bonds and teams in the same place, where they can do it.
"""

from lab import *
from plain import *


@trodden
@cases("trunk", "trunk, the switch filters", "trunk, both work", "trunk, two hosts", "trunk, probe off",
       "trunk, peers several", BOND, TEAM, alike=True)  # fmt: skip
def test_a_switch_that_passes_on_link_local_frames(what):
    """
    agg0 ─┬─ eth1 ── sw1 ─┬─ br0 ── client    br0 floods 01:80:c2:00:00:0e, as many a switch without
          └─ eth2 ── sw2 ─┘                   LLDP does: each port hears the probes of the other
    """
    kind = what.split(",")[0]
    mask = 0 if "filters" in what else 0x4000
    net = Plain(kind, spare="both" not in what, switch=f"mcast_snooping 0 group_fwd_mask {mask}")
    if "two hosts" in what:
        other = Netns(ipv6=True)
        for n in 1, 2:
            cable(other, f"eth{n}", net.switch, f"o{n}", up=False)
            with net.switch:
                ip(f"link set o{n} master br0\nlink set o{n} up")
        with other:
            aggregate("trunk", ["eth1", "eth2"])
    with net.server:
        for words in "probe off", "peers several":
            if words in what:
                run(f"trunkctl set agg0 {words}")
    net.addressed()
    if kind == "trunk":
        probes = mask and "probe off" not in what
        why = "shared" if probes else "no-answer"
        eventually(lambda: net.far_end() == ("switch", why), f"the far end is a switch: {why}")
    time.sleep(3)
    with net.client:
        answers("192.0.2.1")
    with net.server:
        expect(carrier("agg0"), "the aggregate has carrier")
        if kind == "trunk" and probes:
            expect("forwards probes, or are cabled together" in attempt("trunkctl doctor").stdout, "doctor says so")


@repeats
@cases("probe-address", "probe off", "defaults", "far-end trunk", XOR)
def test_two_trunks_with_a_switch_in_each_link(how):
    """
    agg0 ═ three links, a plain switch in each ═ agg0    neighbours are found by IPv6 and by ARP, at
                                                         first, and after a link has failed and returned
    """
    settings = how if how in ("probe off", "far-end trunk") else ""
    net = Parallel(XOR if how == XOR else "trunk", settings=settings)
    if how == "probe-address":
        for end, other in ("a", "b"), ("b", "a"):
            with net.ends[end]:
                run(f"trunkctl set agg0 probe-address {show(net.mac[other])}")
        with net.ends["a"]:
            eventually(lambda: all(port_of(port)["peer"] for port in net.ports), "all ports have a peer")
    time.sleep(2)

    with net.ends["b"]:
        ip("\n".join(f"address add 2001:db8::b{n}/64 dev agg0 nodad" for n in range(1, 9)))
    addresses = ["192.0.2.2", *(f"2001:db8::b{n}" for n in range(1, 9))]
    with net.ends["a"]:
        for each in addresses:
            answers(each, 2)
    # Both ends lose the carrier, as with a cable between them.
    for up in False, True:
        with net.middle:
            Rtnetlink().up("a1", up)
        time.sleep(2)
        for netns in net.ends.values():
            with netns:
                ip("neighbour flush dev agg0")
        with net.ends["a"]:
            for each in addresses if up else ():
                answers(each, 2)
    with net.ends["b"]:
        ip("neighbour flush dev agg0")
        answers("192.0.2.1", 2)


@repeats
@cases("2 defaults", "2 probe off", "2 selector flow probe off", "4 selector smac-dmac probe off")
def test_two_trunks_port_to_port_without_probes(what):
    """
    agg0 ═ links, port to port ═ agg0    without probes neither knows that the other is a trunk: they find
                                         each other by ARP all the same
    """
    number, settings = what.split(" ", 1)
    ends = {"a": Netns(), "b": Netns()}
    ports = [f"eth{n}" for n in range(1, int(number) + 1)]
    for port in ports:
        cable(ends["a"], port, ends["b"], port, up=False)
    for last, netns in enumerate(ends.values(), 1):
        with netns:
            aggregate("trunk", ports, spare=False, settings="" if settings == "defaults" else settings, waits=False)
            ip(f"address add 192.0.2.{last}/24 dev agg0")
    for netns in ends.values():
        with netns:
            bring_up("agg0")
    time.sleep(1)
    for netns, last in (ends["a"], 2), (ends["b"], 1):
        for each in ends.values():
            with each:
                ip("neighbour flush dev agg0")
        with netns:
            answers(f"192.0.2.{last}", 3)
            want = ("trunk", "answers") if settings == "defaults" else ("switch", "no-answer")
            eventually(lambda: far_end() == want, f"the far end is {want}")


@trodden
@cases("trunk", "trunk, the switch learns", BOND, TEAM, alike=True)
def test_flooded_unicast_is_taken_once(what):
    """
    agg0 ─┬─ eth1 ◄── sw1 ─┬─ br0 ◄── client    br0 has forgotten where the server is, and floods what
          └─ eth2 ◄── sw2 ─┘                    is sent to it: one copy of each arrives
    """
    kind = what.split(",")[0]
    net = Plain(kind)
    if "learns" not in what:
        with net.switch:
            run("bridge link set dev sw1 learning off")
            run("bridge link set dev sw2 learning off")
            ip("link set br0 type bridge fdb_flush")
    with net.server:
        tap = Tap("agg0")
        Sender("agg0").send(frame(BROADCAST, net.mac))
    with net.client:
        sender = Sender("c0")
    time.sleep(2)  # a port that was in use at first is heard a little longer
    tap.take()
    with net.server:
        before = ethtool_statistics("agg0") if kind == "trunk" else {}
    for n in range(100):
        sender.send(frame(net.mac, net.client_mac, n))
    time.sleep(1)
    equal(copies(tap.take(), range(100)), {1: 100}, "copies of each frame")
    if kind == "trunk":
        with net.server:
            filtered = moved(before, ethtool_statistics("agg0")).get("rx_unicast_filtered", 0)
        equal(filtered, 0 if "learns" in what else 100, "rx_unicast_filtered")
    net.addressed()
    with net.client:
        said = attempt("ping -n -c 3 -i 0.2 -W 1 192.0.2.1").stdout
    equal(said.count("DUP!"), 0, "answers that ping has twice")


@trodden
@cases("trunk", "trunk, both work", "trunk, both work, smac", BOND, TEAM, alike=True)
def test_a_machine_above_stays_where_it_is(what):
    """
    v1 ── br1 ── agg0 ─┬─ eth1 ── sw1 ─┬─ br0 ── client    the machine sends to somebody whom nobody has
                       └─ eth2 ── sw2 ─┘                   heard of: br0 floods that, br1 does not hear it
    """
    kind, *rest = what.split(", ")
    net = Plain(kind, spare="both work" not in rest, settings="selector smac" if "smac" in rest else "")
    net.machine()
    nobody = mac(0x99)
    with net.client:
        sender, heard = Sender("c0"), Tap("c0")
    net.from_vm.send(frame(BROADCAST, net.vm_mac, 1))
    time.sleep(1)
    equal(fdb(net.server, "br1", net.vm_mac), ["v0"], "where br1 has the machine, at first")
    with net.server:
        back = Tap("agg0")
    for n in range(100):
        net.from_vm.send(frame(nobody, net.vm_mac, 1000 + n))
    time.sleep(0.05)  # for the machine may say something else later, and that heals it
    equal(copies(back.take(), range(1000, 1100)), {0: 100}, "copies that come back")
    equal(fdb(net.server, "br1", net.vm_mac), ["v0"], "where br1 has the machine")
    equal(copies(heard.take(), range(1000, 1100)), {1: 100}, "frames that went out")
    # What is sent to the machine just then. The client speaks last, as an answer would.
    net.to_vm.take()
    for n in range(50):
        net.from_vm.send(frame(nobody, net.vm_mac, 2000 + n))
        sender.send(frame(net.vm_mac, net.client_mac, 3000 + n))
        time.sleep(0.01)
    time.sleep(1)
    equal(copies(net.to_vm.take(), range(3000, 3050)), {1: 50}, "frames to the machine")


@repeats
@cases("trunk, no failure", "trunk, failback", "trunk, slow link at boot",
       f"{BOND}, failback", f"{TEAM}, failback", f"{BOND}, slow link at boot")  # fmt: skip
def test_groups_go_by_the_port_that_takes_them(what):
    """
    v1 ── br1 ── agg0 ─┬─ eth1 ─ ⚡ ─ sw1 ─┬─ br0    the first link fails and returns, or comes late: what
                       └─ eth2 ───── sw2 ─┘        the machine tells all does not come back by the spare
    """
    kind, how = what.split(", ")
    net = Plain(kind, first_down="boot" in how)
    net.machine()
    if how == "failback":
        net.pull("eth1")
    if how != "no failure":
        net.pull("eth1", plug=True)
    time.sleep(2)
    with net.server:
        back = Tap("agg0")
        by = Taps(["eth1", "eth2"], outgoing=True)
    net.to_vm.take()
    for n in range(100):
        net.from_vm.send(frame(BROADCAST, net.vm_mac, n))
    time.sleep(1)
    equal([index for index, _ in by.taken()], [0] * 100, "the way out")
    equal(copies(back.take(), range(100)), {0: 100}, "copies that come back")
    equal(fdb(net.server, "br1", net.vm_mac), ["v0"], "where br1 has the machine")


@trodden
def test_a_failback_costs_no_frame():
    """
    agg0 ─┬─ eth1 ◄─ ⚡ ─ sw1 ─┬─ br0 ◄── client    eth1 returns: br0 goes on sending by sw2 until it has
          └─ eth2 ◄──── sw2 ─┘                    learned of that
    """
    net = Plain()
    net.addressed()
    net.pull("eth1")
    with net.client:
        answers("192.0.2.1", 2)
        sender = Sender("c0")
    with net.server:
        tap = Tap("agg0")
    with net.switch:
        Rtnetlink().up("sw1")
    sent = 0
    while fdb(net.switch, "br0", net.mac) != ["sw1"] or sent < 3000:
        for sent in range(sent, sent + 1000):
            sender.send(frame(net.mac, net.client_mac, sent))
            time.sleep(0.001)
        sent += 1
    with net.server:
        eventually(lambda: carrier("eth1"), "eth1 has carrier")
    equal(copies(tap.take(), range(sent)), {1: sent}, "copies of each frame")


@trodden
@cases("both work, dmac, address 0", "four work, dmac", "both work, smac, address 0", "both work, smac, address 1",
       "both work, flow, address 1", "spare, no failure", "spare, failback", f"{BOND}, failback", f"{TEAM}, failback",
       alike=True)  # fmt: skip
def test_a_switch_that_snoops(what):
    """
    agg0 ─┬─ eth1 ── sw1 ─┬─ br0 (snooping, querier) ── client    the switch sends a group only where it
          └─ eth2 ── sw2 ─┘                                       heard a report: there it is taken
    """
    first, *rest = what.split(", ")
    selectors = [f"selector {word}" for word in rest if word in ("smac", "flow")]
    kind = first if first in (BOND, TEAM) else "trunk"
    net = Plain(kind, "work" not in first, settings=" ".join(selectors), ports=4 if "four" in first else 2)
    with net.server:
        if "address" in what:
            ip(f"link set agg0 address 02:00:00:00:00:0{what[-1]}")
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ip("address add 192.0.2.1/24 dev agg0")
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          struct.pack("4s4si", socket.inet_aton("239.1.2.3"), bytes(4), socket.if_nametoindex("agg0")))  # fmt: skip
        ip("address del 192.0.2.1/24 dev agg0")
    net.addressed()
    with net.switch:
        ip("link set br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_interval 300"
           " mcast_startup_query_interval 100 mcast_query_response_interval 100 mcast_membership_interval 3000")  # fmt: skip
    time.sleep(12)
    if "failback" in what:
        net.pull("eth1")
        time.sleep(3)
        net.pull("eth1", plug=True)
        time.sleep(12)
    group, source = "239.1.2.3", "192.0.2.2"
    with net.client:
        ip("neighbour flush dev c0")
        answers("2001:db8::1", 3)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
    with net.server:
        tap = Tap("agg0", type=0x0800)

    def all_come():
        tap.take()
        for n in range(50):
            sender.sendto(b"datagram %d" % n, (group, 9))
        time.sleep(1)
        return sum(packet[:6] == bytes.fromhex("01005e010203") for packet in tap.take()) == 50

    eventually(all_come, "50 datagrams of the group")


@repeats
@cases("a switch then", "a switch then, with a machine above", "a trunk then")
def test_an_aggregate_is_found(what):
    """
    agg0 ─┬─ eth1 ────────── sw1 ─┬─ agg0 ── br0 ── client    a bond sends one copy of a broadcast, by any
          ├─ eth2 ────────── sw2 ─┤                           link. The trunk finds that out, and takes all
          └─ eth3 (spare) ── sw3 ─┘                           of them. What was a bond may be a switch later
    """
    net = Plain(ports=3)
    with net.switch:
        for far in net.far:
            ip(f"link set {far} nomaster")
        aggregate(XOR, net.far, spare=False)
        ip("link set agg0 master br0")
        eventually(lambda: forwards("agg0"), "br0 forwards by agg0")
    if "machine" in what:
        net.machine()
    equal(net.far_end(), ("switch", "no-answer"), "the far end, before anything has come")
    with net.server:
        tap = Tap("agg0")
    with net.client:
        sender = Sender("c0")

    def counted():
        """Returns how many broadcasts of 32 stations come, and how often."""
        tap.take()
        for n in range(32):
            sender.send(frame(BROADCAST, mac(0x100 + n), n))
        time.sleep(0.5)
        return copies(tap.take(), range(32))

    expect(set(counted()) == {0, 1}, "at first, some come")
    eventually(lambda: counted() == {1: 32}, "all broadcasts come")
    equal(net.far_end(), ("aggregate", "one-copy"), "the far end")
    with net.server:
        expect("taken for an aggregate" in attempt("trunkctl doctor").stdout, "doctor says so")
        back = Tap("agg0")
    if what == "a trunk then":
        with net.switch:
            ip("link del agg0")
            aggregate("trunk", net.far, spare=True)
        eventually(lambda: net.far_end() == ("trunk", "answers"), "the far end is a trunk")
        return
    with net.switch:
        ip("link del agg0")
        for far in net.far:
            ip(f"link set {far} master br0 up")
            eventually(lambda: forwards(far), f"br0 forwards by {far}")
    with net.server:
        eventually(lambda: all(carrier(port) for port in net.ports), "all ports have carrier")
    if "machine" in what:
        back.take()
        for n in range(32):
            net.from_vm.send(frame(BROADCAST, net.vm_mac, 100 + n))
        time.sleep(0.5)
        equal(copies(back.take(), range(100, 132)), {0: 32}, "copies that come back")
        equal(fdb(net.server, "br1", net.vm_mac), ["v0"], "where br1 has the machine")
    eventually(lambda: counted() == {1: 32}, "all broadcasts come, once")
    equal(net.far_end(), ("switch", "no-answer"), "the far end")


def cells_of(far_end):
    """Returns what the table of trunk.rst says of a port in use that is elected, another in use, an idle spare and one
    that has failed: whether groups leave by it, and what is accepted from it."""
    if far_end == "switch":
        elected, in_use, idle = ({"leave", "group", "to the trunk", "to others"}, {"to the trunk", "to others"}, set())
        return elected, in_use, idle, idle
    takes = {"group", "to the trunk", "to others"}
    return takes | {"leave"}, takes | {"leave"}, takes, takes


@cases("trunk", "switch", "aggregate", "auto")
def test_each_cell_of_the_table(far_end):
    """
    trunk0 ─┬─ eth1 ◄──► sw1 in use, elected     what leaves by each kind of port, and what is accepted from it:
            ├─ eth2 ◄──► sw2 in use              groups, unicast to the trunk and to others, and own frames that
            ├─ eth3 ◄──► sw3 idle spare          come back
            └─ eth4 ◄──► sw4 has failed
    """
    star = Star(4)
    with star.server:
        for words in "eth3 prio 2", "eth4 prio 3", "eth4 disable":
            run(f"trunkctl port set {words}")
        run(f"trunkctl set trunk0 far-end {far_end}")
        own, tap = address("trunk0"), Tap("trunk0")
    time.sleep(2)  # those that were in use are heard a little longer
    with star.switch:
        senders = [Sender(far) for far in star.far]
    table, machine, other = star.map(), mac(0x55), mac(0x66)
    equal(set(table), {0, 1}, "ports that carry buckets")
    frames = {"group": (BROADCAST, other), "to the trunk": (own, other), "to others": (machine, other),
              "own group": (BROADCAST, own), "own unicast": (other, own)}  # fmt: skip
    # Groups that belong to buckets of both ports in use.
    groups = [bytes.fromhex("01005e0000") + bytes([n]) for n in range(32)]
    left = set(star.where(frame(group, own, n) for n, group in enumerate(groups)).values())
    found = []
    for index, sender in enumerate(senders):
        tap.take()
        for number, pair in enumerate(frames.values()):
            sender.send(frame(*pair, number))
        time.sleep(0.1)
        came = [number_of(data) for data in tap.take()]
        equal(len(came), len(set(came)), "frames come once")
        found.append({what for number, what in enumerate(frames) if number in came} | ({"leave"} if index in left else set()))
    equal(found, list(cells_of("switch" if far_end == "auto" else far_end)), "what each port does")


@trodden
@cases("trunk", BOND, TEAM, alike=True)
def test_link_local_frames_reach_the_aggregate(kind):
    """
    agg0 ─┬─ eth1 ◄── sw1    LLDP's and 802.1X's groups: sockets on both ports hear them, and sockets on the
          └─ eth2 ◄── sw2    aggregate those of the port in use
    """
    net = Plain(kind)
    with net.server:
        on = {dev: Tap(dev, delivered=True) for dev in ("agg0", "eth1", "eth2")}
    for link, far in enumerate(net.far):
        with net.switch:
            for n, group in enumerate(("0180c200000e", "0180c2000003")):
                Sender(far).send(frame(bytes.fromhex(group), mac(9), 10 * link + n))
    got = {dev: [] for dev in on}

    def all_there():
        for dev, tap in on.items():
            got[dev] += map(number_of, tap.take())
        return 11 in got["eth2"]

    eventually(all_there, "the last frame has come")
    equal(got, {"agg0": [0, 1], "eth1": [0, 1], "eth2": [10, 11]}, "frames heard")


@repeats
@cases("trunk", BOND, TEAM)
def test_lldpd_knows_the_neighbour_of_each_port_and_of_the_aggregate(kind):
    """
    lldpd                         lldpd    Debian's, told to use the ports and the aggregate, finds a
    agg0 ─┬─ eth1 ─────────────── sw1      neighbour at each
          └─ eth2 (spare) ─────── sw2
    """
    server, switch = Netns(), Netns()
    for n in 1, 2:
        cable(server, f"eth{n}", switch, f"sw{n}")
    os.makedirs("/run/lldpd", exist_ok=True)
    with server:
        aggregate(kind, ["eth1", "eth2"])

    def heard():
        done = attempt("lldpcli -u /run/server.sock -f json0 show neighbors")
        got = json.loads(done.stdout or "{}")
        return {entry["name"] for part in got.get("lldp", []) for entry in part.get("interface", [])}

    def all_heard():
        """Runs both daemons for up to 20 s. Some runs send one frame and then no more, whatever the aggregate is."""
        with contextlib.ExitStack() as stack:
            for netns, daemon, devices in (server, "server", "eth1,eth2,agg0"), (switch, "switch", "sw1,sw2"):
                with netns:
                    process = subprocess.Popen(["lldpd", "-d", "-u", f"/run/{daemon}.sock", "-I", devices],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
                    stack.callback(process.wait)
                    stack.callback(process.terminate)
            until = time.monotonic() + 20
            while heard() != {"eth1", "eth2", "agg0"} and time.monotonic() < until:
                attempt("lldpcli -u /run/switch.sock update")  # sends at once
                time.sleep(1)
            return heard() == {"eth1", "eth2", "agg0"}

    eventually(all_heard, "neighbours are heard by each port and by the aggregate")
