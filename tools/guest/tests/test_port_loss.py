# SPDX-License-Identifier: GPL-2.0
"""A lost port moves only its own buckets; when it returns, exactly those come back."""

import itertools
from collections import Counter

import genl
from lab import *


class Stream:
    """Sends frames with numbers to 256 addresses through a trunk, and knows the cable for each.

    While `gone` is None a frame goes by the table. A frame of a bucket of the port that has gone goes by any
    other port, but all frames of the bucket by the same one.
    """

    def __init__(self, star, table):
        self.star, self.table, self.gone, self.number = star, table, None, 0
        self.frames, self.events, self.moved = [], {}, {}
        self.random = seeded()
        self.to = [mac(self.random.randrange(1 << 35) << 5 | n % 32) for n in range(256)]  # to every bucket

    def send(self, count):
        for _ in range(count):
            to = self.random.choice(self.to)
            self.star.trunk.send(frame(to, mac(1), self.number))
            self.frames.append((low(to) % len(self.table), self.gone))
            self.number += 1

    def check(self):
        """Checks that all frames have arrived where they must. Returns bucket → stand-in of buckets that moved."""
        where = numbers(self.star.taps.take(self.number))
        lost = [number for number in range(self.number) if number not in where]
        expect(not lost, f"{len(lost)} of {self.number} frames lost: {lost[:10]}")
        moved = {}
        for number, (bucket, gone) in enumerate(self.frames):
            want = self.table[bucket]
            if want == gone:
                want = moved.setdefault((bucket, gone), where[number])
                expect(want != gone, f"frame {number} left by the lost port {gone}")
            equal(where[number], want, f"cable of frame {number} of bucket {bucket}, while {gone} is gone")
        return moved


@cases("cable", "admin", "released")
def test_moves_only_its_own_buckets_frame_by_frame(way):
    """
    server                      switch
    trunk0 ─┬─ eth1 ────────── sw1    10,000 frames; after 3,000 the second cable is
            ├─ eth2 ───  ✂  ── sw2    pulled (or the port brought down, or released),
            ├─ eth3 ────────── sw3    after 7,000 it is back
            └─ eth4 ────────── sw4
    """
    star = Star(4)
    table = star.map()
    with star.server:
        before = ethtool_statistics("trunk0")
    stream = Stream(star, table)

    stream.send(count(3_000))
    stream.gone = 1
    if way == "cable":
        star.pull(1)
    else:
        with star.server:
            ip("link set eth2 down" if way == "admin" else "link set eth2 nomaster")
    stream.send(count(4_000))
    moved = stream.check()
    own = {bucket for bucket, port in enumerate(table) if port == 1}
    equal({bucket for bucket, _ in moved}, own, "buckets that moved")
    fair(list(moved.values()), [0, 2, 3])

    if way == "cable":
        star.plug(1)
    else:
        with star.server:
            ip("link set eth2 up" if way == "admin" else "link set eth2 down\nlink set eth2 master trunk0")
    if way == "released":  # it comes back as a new port: with a fair share, not with its old buckets
        fair(star.map(), range(4))
        return
    eventually(lambda: star.map() == table, "the port has its buckets back")
    stream = Stream(star, table)
    stream.send(count(3_000))
    equal(stream.check(), {}, "buckets elsewhere than at home")
    with star.server:
        counted = moved_counters(before)
    equal((counted.get("failovers"), counted.get("failbacks")), (1, 1), "failovers and failbacks")
    expect(counted["port_down"] == 1 and counted["port_up"] == 1, f"port events: {counted}")
    expect(counted["buckets_moved"] >= len(own), f"buckets moved: {counted}")


def moved_counters(before):
    return moved(before, ethtool_statistics("trunk0"))


@trodden
def test_ports_lost_one_after_the_other_until_one_is_left():
    """
    trunk0 ─┬─ eth1 ─  ✂ 1st ─ sw1    and back in another order:
            ├─ eth2 ────────── sw2    with all of them the table is
            ├─ eth3 ─  ✂ 3rd ─ sw3    what it was
            └─ eth4 ─  ✂ 2nd ─ sw4
    """
    star = Star(4)
    home = star.map()
    alive = {0, 1, 2, 3}
    for port in (0, 3, 2):
        star.pull(port)
        alive.discard(port)
        check_homes(star.map(), home, alive)
    for port in (3, 0, 2):
        star.plug(port)
        alive.add(port)
        eventually(lambda: port in star.map(), f"port {port} has buckets again")
        check_homes(star.map(), home, alive)
    equal(star.map(), home, "the table with all ports back")


def check_homes(table, home, alive):
    """Checks that buckets of ports alive are at home, and the others spread evenly over the ports alive."""
    strays = []
    for bucket, port in enumerate(home):
        if port in alive:
            equal(table[bucket], port, f"port of bucket {bucket}, with {alive} alive")
        else:
            strays.append(table[bucket])
    expect(set(table) <= alive, f"buckets on lost ports: {shares(table)}, alive {alive}")


def test_the_very_next_frame_takes_another_port():
    """
    trunk0 ─┬─ dummy1    Carrier of dummies goes and comes in quick succession: for those
            └─ dummy2    the kernel holds the notification back, for up to a second. The
                         frame that follows at once must not wait for it.
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link set dummy1 master trunk0
           link set dummy2 master trunk0""")
    bring_up("trunk0")
    taps = Taps(["dummy1", "dummy2"], outgoing=True)
    trunk, number = Sender("trunk0"), 0
    for _ in range(count(20)):
        ip("link set dummy1 carrier off")
        for bucket in range(32):
            trunk.send(frame(mac(bucket), mac(1), number + bucket))
        where = numbers(taps.take(32))
        equal(where, {number + bucket: 1 for bucket in range(32)}, "port of each frame")
        number += 32
        ip("link set dummy1 carrier on")


def test_pulled_and_plugged_under_traffic_from_both_cpus():
    """
    server                           switch
    CPU 0 ┐          ┌─ eth1 ─  ✂ ── sw1    floods from two CPUs while the cable is pulled
          ├─ trunk0 ─┤                      and plugged ten times: every frame is given to one
    CPU 1 ┘          └─ eth2 ─────── sw2    port, and none to eth1 while it has no carrier

    Frames are lost as in any network: the far end ceases to take frames some time before eth1 loses its
    carrier, and begins again some time after eth1 has it.
    """
    star = Star(2)
    with star.server:
        out = Taps(star.ports, outgoing=True)

    def flood(cpu):
        def go(stop):
            sender, number = Sender("trunk0"), cpu << 24
            while not stop():
                sender.flood(frame(mac(n), mac(cpu), n) for n in range(number, number + 64))
                number += 64
                time.sleep(0.001)

        return go

    def of(cpu, taken):
        return sorted(number for number in taken if number >> 24 == cpu)

    lost = 0
    for _ in range(count(10)):
        with star.server, Background(flood(0), cpu=0), Background(flood(1), cpu=1):
            eth1 = out.taps[0]
            eventually(lambda: select.select([eth1.socket], [], [], 0)[0], "traffic on eth1")
            star.pull(0)
            first = eth1.take()
            Sender("trunk0").flood(frame(mac(n), mac(2), 2 << 24 | n) for n in range(64))
            late = eth1.take()
            star.plug(0)
        # A frame of a flood may have had its port already, and been given to it afterwards.
        by_cpu = Counter(number_of(data) >> 24 for data in late)
        expect(by_cpu[0] <= 1 and by_cpu[1] <= 1 and not by_cpu[2], f"given to eth1 without carrier: {by_cpu}")
        given = numbers([(0, data) for data in first + late] + out.take(0))
        arrived = numbers(star.taps.take(0))
        note(f"{len(given) - len(arrived)} of {len(given)} frames were on the cable as it was cut")
        lost += len(given) - len(arrived)
        for cpu in range(3):
            ours = of(cpu, given)
            expected = list(range(cpu << 24, (cpu << 24) + len(ours)))
            equal(ours, expected, f"frames of flood {cpu} given to ports")
            by_way = [[number in arrived for number in ours if given[number] == way] for way in range(2)]
            expect(all(by_way[1]), "frames lost that were given to eth2")
            # The frames around the cut.
            outages = [fine for fine, _ in itertools.groupby(by_way[0])].count(False)
            expect(outages <= 1, f"frames of flood {cpu} were lost {outages} times")
        equal(len(of(2, given)), 64, "frames given to ports without eth1")
    with star.server:
        equal(genl.Control().statistics()["tx-no-port"], 0, "frames without a port")
        # What eth1 refuses as it is cut, since there is no far end, counts as dropped.
        dropped = counters("trunk0")["tx_dropped"]
        expect(dropped <= lost, f"{dropped} frames dropped, {lost} lost")


def test_a_port_deleted_under_traffic():
    """
    trunk0 ─┬─ eth1 ── sw1     flood, meanwhile `ip link del eth2`,
            ├─ eth2    ✗       and the far end of eth3 deleted
            ├─ eth3 ── sw3 ✗
            └─ eth4 ── sw4
    """
    star = Star(4)
    with star.server, Background(flooding("trunk0"), cpu=0), Background(flooding("trunk0"), cpu=1):
        time.sleep(0.2)
        ip("link del eth2")
        with star.switch:
            ip("link del sw3")
        time.sleep(0.2)
    with star.server:
        expect(link("eth2") is None and link("eth3") is None, "the ports are still there")
        equal(sorted(lowers("trunk0")), ["eth1", "eth4"], "ports left")
    with star.switch:
        star.taps = Taps(["sw1", "sw4"])
    fair(star.map(), [0, 1])


def test_a_trunk_deleted_under_traffic():
    """
    trunk0 ✗ ─┬─ eth1 ◄── sw1    floods out and in, meanwhile `ip link del trunk0`;
              └─ eth2 ◄── sw2    the ports are themselves again
    """
    star = Star(2, up=False)
    with star.server:
        ip("link set trunk0 up")
        with Background(flooding("trunk0"), cpu=0):
            with star.switch, Background(flooding("sw1"), cpu=1), Background(flooding("sw2"), cpu=0):
                time.sleep(0.3)
                with star.server:
                    ip("link del trunk0")
        equal(set(links()), {"lo", "eth1", "eth2"}, "devices left")
        expect(address("eth1") != address("eth2"), "both have the trunk's address still")
        for port in star.ports:
            expect("master" not in link(port) and "UP" not in link(port)["flags"], f"{port} is still a port")


def lowers(dev):
    return [name for name, entry in links().items() if entry.get("master") == dev]


def test_no_port_left_drops_and_counts():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1    frames into nothing are counted, and the trunk has no
            └─ eth2 ─  ✂ ── sw2    carrier; then one cable is back, and carries all
    """
    star = Star(2)
    star.map()
    with star.server:
        before = counters("trunk0")
    star.pull(0)
    star.pull(1)
    with star.server:
        star.trunk.flood(frame(mac(n), mac(1), n) for n in range(100))
        eventually(lambda: not carrier("trunk0"), "the trunk has no carrier")
        star.trunk.flood(frame(mac(n), mac(1), n) for n in range(100))
        equal(moved(before, counters("trunk0")), {"tx_dropped": 200}, "what the trunk counts")
    star.plug(1)
    with star.server:
        bring_up("trunk0")
    equal(star.taps.take(0), [], "late frames")
    equal(set(star.map()), {1}, "ports in use")


@trodden
def test_frames_without_a_port_are_the_drivers_to_count():
    """
    trunk0 ─┬─ dummy1  ✂    The trunk loses its carrier some time after the last port.
            └─ dummy2  ✂    After that the kernel drops frames, before that the driver:
                            repeated until the driver has dropped one.
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link set dummy1 master trunk0
           link set dummy2 master trunk0""")
    bring_up("trunk0")
    trunk = Sender("trunk0")
    sent = 0

    def by_driver():
        nonlocal sent
        ip("link set dummy1 carrier off\nlink set dummy2 carrier off")
        trunk.flood(frame(mac(n), mac(1)) for n in range(32))
        sent += 32
        ip("link set dummy1 carrier on\nlink set dummy2 carrier on")
        bring_up("trunk0")
        return ethtool_statistics("trunk0")["tx_no_port"]

    eventually(by_driver, "tx_no_port counts")
    total = counters("trunk0")
    equal(total["tx_dropped"], sent, "frames dropped")
    equal(total["tx_packets"], 0, "frames sent")
    expect(ethtool_statistics("trunk0")["tx_no_port"] <= sent, "more frames without a port than were sent")


@trodden
def test_a_trunk_without_ports_drops_and_counts():
    """
    trunk0    no port has ever joined, or the last has left
    """
    load()
    ip(f"link add trunk0 type {KIND}\nlink set trunk0 up")
    expect(not carrier("trunk0"), "carrier without ports")
    before = counters("trunk0")
    Sender("trunk0").flood(frame(mac(n), mac(1), n) for n in range(10))
    equal(counters("trunk0")["tx_dropped"] - before["tx_dropped"], 10, "frames dropped")
    ip("""link add dummy1 type dummy
          link set dummy1 master trunk0""")
    bring_up("trunk0")
    ip("link set dummy1 nomaster")
    eventually(lambda: not carrier("trunk0"), "the trunk has no carrier")


@trodden
def test_a_port_without_cable_joins_and_waits():
    """
    trunk0 ─┬─ eth1 ──────── sw1
            └─ eth2 ─  ✂ ── sw2    no cable as it joins: no buckets until there is
    """
    star = Star(1)
    with star.switch:
        ip(f"link add sw2 type veth peer name eth2 netns {star.server.path}")
    with star.server:
        ip("link set eth2 master trunk0")
    equal(set(star.map()), {0}, "ports in use")
    with star.switch:
        ip("link set sw2 up")
        star.taps = Taps(["sw1", "sw2"])
    eventually(lambda: set(star.map()) == {0, 1}, "the second port has buckets")
    fair(star.map(), [0, 1])


def test_another_reason_of_a_port_that_is_lost_is_told():
    """
    trunk0 ─┬─ eth1 ─ ✂ ─ sw1    brought down, its cable pulled, brought up; then down again
            └─ eth2 ───── sw2
    """
    star = Star(2)
    with star.server:
        events = genl.Events()
        told = lambda reason: events.until(
            lambda e: e["kind"] == "port-state" and (e["port-name"], e["reason"]) == ("eth1", reason), f"eth1 sby ({reason})"
        )
        ip("link set eth1 down")
        told("admin-down")
    star.pull(0)
    with star.server:
        ip("link set eth1 up")
        event = told("no-carrier")
        equal((event["old-state"], event["new-state"]), ("sby", "sby"), "states in the event")
        equal(genl.Control().port("eth1")["reason"], "no-carrier", "reason of the port")
        events.seen.clear()
        ip("link set eth1 down")
        told("admin-down")


def test_the_trunk_down_and_up_again():
    """
    trunk0 ─┬─ eth1 ── sw1    ip link set trunk0 down … up
            ├─  …       …
            └─ eth4 ── sw4
    """
    star = Star(4)
    table = star.map()
    with star.server:
        ip("link set trunk0 down")
        expect(star.trunk.flood([frame(mac(1), mac(2))]) == 0, "a trunk that is down takes frames")
        bring_up("trunk0")
        for port in star.ports:
            expect(carrier(port), f"{port} has no carrier")
    eventually(lambda: star.map() == table, "the table is what it was")
