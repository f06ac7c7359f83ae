# SPDX-License-Identifier: GPL-2.0
"""Whoever lives behind the trunk is announced once frames take another way, and so is the trunk when its port is
found elsewhere."""

import collections
import itertools

import hosts
from lab import *
from plain import *

RARP = 0x8035


def announced(taken):
    """Returns the stations that are announced in frames: {(address, VLAN or None): how often}."""
    found = collections.Counter()
    for data in taken:
        vlan = None
        if data[12:14] == b"\x81\0":
            vlan, data = struct.unpack("!H", data[14:16])[0] & 0xFFF, data[:12] + data[16:]
        if data[12:14] == struct.pack("!H", RARP):
            equal((data[:6], data[6:12], data[14:42]),
                  (BROADCAST, data[6:12], bytes.fromhex("0001080006040003") + 2 * (data[6:12] + bytes(4))), "a request")  # fmt: skip
            found[data[6:12], vlan] += 1
    return dict(found)


class Two:
    """Two plain switches with a cable between.

    server                     switch, other
    agg0 ─┬─ eth1 ──────────── sw1 ─ br0
          └─ eth2 (spare) ──── sw2 ─ br2 ─┘ isl
                                     └─ p0 ── c0 client
    """

    def __init__(self, kind="trunk"):
        self.net = Plain(kind)
        self.other = Netns(ipv6=True)
        net, other = self.net, self.other
        with net.switch:
            ip(f"link set sw2 down\nlink set sw2 nomaster\nlink set sw2 netns {other.path}")
        cable(net.switch, "isl", other, "isl")
        bridge(other, ["sw2", "isl"], dev="br2")
        # The client is at the second switch, so that this one has to know.
        with net.switch:
            ip(f"link set p0 nomaster\nlink set p0 down\nlink set p0 netns {other.path}\nlink set isl master br0")
        with other:
            ip("link set p0 master br2\nlink set p0 up")
            for dev in "sw2", "isl", "p0":
                eventually(lambda: forwards(dev), f"br2 forwards by {dev}")
        with net.switch:
            eventually(lambda: forwards("isl"), "br0 forwards by isl")

    def fails(self):
        """The first link fails, and the trunk has changed over."""
        with self.net.switch:
            ip("link set sw1 down")
        with self.net.server:
            eventually(lambda: not carrier("eth1"), "eth1 notices")


@trodden
@cases("bridge", "bridge over a VLAN", "macvlan", "macvlan of a VLAN", "bridge over a macvlan", alike=True)
def test_silent_stations_are_reached_by_the_new_way(what):
    """
    station ── … ── agg0 ─┬─ eth1 ─ ✗ ─ sw1 ─ br0 ─┐    what is sent to a station that says nothing arrives
                          └─ eth2 ───── sw2 ─ br2 ─┴─ client    again after the first link has failed
    """
    two = Two()
    net, vlan = two.net, 7 if "VLAN" in what else None
    with net.server:
        lower = "agg0"
        if vlan:
            ip(f"link add link agg0 name agg0.{vlan} type vlan id {vlan}\nlink set agg0.{vlan} up")
            lower = f"agg0.{vlan}"
        if what == "bridge over a macvlan":
            ip("link add link agg0 name mv type macvlan mode passthru\nlink set mv up")
            lower = "mv"
    station = Netns()
    if what.startswith("bridge"):
        cable(net.server, "v0", station, "v1")
        bridge(net.server, ["v0", lower], dev="br1")
        with net.server:
            for dev in "v0", lower:
                eventually(lambda: forwards(dev), f"br1 forwards by {dev}")
    else:
        with net.server:
            ip(f"link add link {lower} name v1 type macvlan mode bridge\nlink set v1 netns {station.path}")
        with station:
            ip("link set v1 up")
    with station:
        its = address("v1")
        tap = Tap("v1")
        speaker = Sender("v1")
    with net.client:
        if vlan:
            ip(f"link add link c0 name c0.{vlan} type vlan id {vlan}\nlink set c0.{vlan} up")
        sender = Sender(f"c0.{vlan}" if vlan else "c0")
    # It is known to all by one frame, and says nothing from then on.
    speaker.send(frame(BROADCAST, its))
    sent = itertools.count()

    def arrives():
        number = next(sent)
        sender.send(frame(its, net.client_mac, number))
        time.sleep(0.05)
        return number in map(number_of, tap.take())

    eventually(arrives, "frames arrive by the first link")
    with two.other:
        equal(fdb(two.other, "br2", its), ["isl"], "where br2 has the station")
    two.fails()
    eventually(arrives, "frames arrive by the second link")
    note(f"after the failure frame {next(sent)} arrives")
    equal(fdb(two.other, "br2", its), ["sw2"], "where br2 has the station")


@repeats
def test_what_is_announced_and_what_is_not():
    """
    v0, v2 ── br1 (filters VLANs) ── agg0 ─┬─ eth1 ─ ✗    the stations at other ports of the bridge, each with the tag
                                           └─ eth2        of its frames; no address of the host's own, none that is
                                                          found by the trunk, none by a port that does not forward
    """
    net = Plain()
    with net.server:
        for name in "v0", "v2":
            ip(f"link add {name} type dummy\nlink set {name} up")
    bridge(net.server, ["v0", "v2", "agg0"], dev="br1", words="mcast_snooping 0 vlan_filtering 1")
    with net.server:
        for dev in "v0", "v2", "agg0":
            eventually(lambda: forwards(dev), f"br1 forwards by {dev}")
        for dev, vlans in ("v0", "1 7 8 9 10-13"), ("v2", "1 7"), ("agg0", "7 8 10-12"):
            for vlan in vlans.split():
                run(f"bridge vlan add dev {dev} vid {vlan}")
        run("bridge vlan add dev agg0 vid 8 untagged")
        for number, vlan, dev in (1, 1, "v0"), (2, 7, "v0"), (3, 8, "v0"), (4, 9, "v0"), (5, 7, "v2"), (6, 11, "v0"), (7, 13, "v0"):
            run(f"bridge fdb add {show(mac(number))} dev {dev} master static vlan {vlan}")
        run(f"bridge fdb add {show(mac(8))} dev agg0 master static vlan 7")
        run(f"bridge fdb add {show(mac(9))} dev v0 master permanent vlan 7")
        want = {(mac(1), None), (mac(2), 7), (mac(3), None), (mac(5), 7), (mac(6), 11)}
        tap = Tap("eth2", outgoing=True, type=None)
        net.pull("eth1")
        seen = tap.take()
        eventually(lambda: seen.extend(tap.take()) or set(announced(seen)) == want, f"{want} are announced")
        # Once when the frames change over, and again a second later.
        eventually(lambda: seen.extend(tap.take()) or set(announced(seen).values()) == {2}, "each once more")
        equal(set(announced(seen)), want, "announced")
        # While the bridge does not forward by the trunk, nobody is reached by it.
        ip("link set agg0 nomaster\nlink set br1 type bridge stp_state 1 forward_delay 3000\nlink set agg0 master br1")
        run("bridge vlan add dev agg0 vid 7")
        back = Tap("eth1", outgoing=True, type=None)
        net.pull("eth1", plug=True)
        time.sleep(3)
        expect("state listening" in run("bridge link show dev agg0"), "the bridge does not forward yet")
        equal(announced(back.take()), {}, "announced by a port that does not forward")


@trodden
@cases("one", "several")
def test_a_trunk_at_the_far_end_has_no_use_for_it(peers):
    """
    station ── trunk0 ─┬─ eth1 ─ ✗ ─ sw1 ─┬─ trunk0    the peer finds the station at its trunk as before. Trunks of
                       └─ eth2 ───── sw2 ─┘            several switches do not know of each other: they are told
    """
    pair = hosts.Pair((1, 2))
    pair.server.set(peers=peers)
    pair.until(pair.server)
    with pair.server.netns:
        ip("address add 192.0.2.1/24 dev trunk0\nlink add link trunk0 name mv type macvlan mode bridge\nlink set mv up")
        its = address("mv")
        tap, seen = Tap("eth2", outgoing=True, type=None), []
    pair.panel.pull("eth1")

    def is_over():
        seen.extend(tap.take())
        return any(data[12:14] == b"\x08\x06" for data in seen) and (peers == "one" or (its, None) in announced(seen))

    eventually(is_over, "the trunk announces where it is now")
    time.sleep(1)
    seen.extend(tap.take())
    equal(set(announced(seen)), {(its, None)} if peers == "several" else set(), "stations that are announced")


@repeats
def test_many_stations_are_announced_little_by_little():
    """
    br1 (2,000 stations) ── agg0 ─┬─ eth1 ─ ✗    each station is announced: the queue of a port takes them all
                                  └─ eth2
    """
    net = Plain()
    with net.server:
        ip("link add v0 type dummy\nlink set v0 up")
    bridge(net.server, ["v0", "agg0"], dev="br1")
    with net.server:
        eventually(lambda: forwards("agg0"), "br1 forwards by agg0")
        write("/tmp/stations", "".join(f"fdb add {show(mac(n))} dev v0 master static\n" for n in range(2000)))
        run("bridge -batch /tmp/stations")
        tap = Tap("eth2", outgoing=True, type=RARP)
        net.pull("eth1")
        seen = set()
        eventually(lambda: seen.update(data[6:12] for data in tap.take()) or len(seen) == 2000, "2,000 are announced")


def stacked(ports):
    """
    agg1 ─┬─ agg0 ─┬─ eth1
          │        └─ eth2 (spare)
          └─ eth3 (spare)
    """
    aggregate("trunk", ports[:2])
    ip("link set agg0 down")
    aggregate("trunk", ["agg0", ports[2]], dev="agg1", waits=False)
    for dev in "agg0", *ports:
        ip(f"link set {dev} up")
    bring_up("agg1")


@trodden
def test_what_a_port_announces_is_passed_on():
    """
    agg1 ─┬─ agg0 ─┬─ eth1 ─ ✗ ─ sw1    the lower trunk takes another way: the addresses and the groups of
          │        └─ eth2 ───── sw2    the upper one, and the stations behind it, are announced by it
          └─ eth3 ────────────── sw3
    """
    server, switch = Netns(ipv6=True), Netns(ipv6=True)
    for n in 1, 2, 3:
        cable(server, f"eth{n}", switch, f"sw{n}", up=False)
    bridge(switch, ["sw1", "sw2", "sw3"])
    with server:
        stacked(["eth1", "eth2", "eth3"])
        ip("address add 192.0.2.1/24 dev agg1\naddress add 2001:db8::1/64 dev agg1 nodad")
        ip("link add link agg1 name mv type macvlan mode bridge\nlink set mv up")
        its = address("mv")
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          struct.pack("4s4si", socket.inet_aton("239.1.2.3"), bytes(4), socket.if_nametoindex("agg1")))  # fmt: skip
        tap = Tap("eth2", outgoing=True, type=None)
    with switch:
        ip("link set sw1 down")
    found = set()

    def all_found():
        for data in tap.take():
            kind = data[12:14]
            if kind == b"\x08\x06" and data[28:32] == data[38:42] == socket.inet_aton("192.0.2.1"):
                found.add("ARP")
            elif kind == b"\x08\0" and data[23] == 2:
                found.add("IGMP")
            elif kind == b"\x86\xdd" and data[54] == 136:
                found.add("advertisement")
            elif data[:6] == bytes.fromhex("333300000016"):
                found.add("MLD")
            elif (its, None) in announced([data]):
                found.add("station")
        return found == {"ARP", "IGMP", "advertisement", "MLD", "station"}

    with server:
        eventually(all_found, f"all is announced: {found}")
