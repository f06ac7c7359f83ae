# SPDX-License-Identifier: GPL-2.0
"""Frames follow the settings made by netlink, and none is lost or sent twice during a change."""

import contextlib
import errno

import genl
from genl import Control
from lab import *
from test_netlink import in_process, refused_by


def networked(ports=4, **how):
    """Returns a star and the control of its trunk."""
    star = Star(ports, **how)
    with star.server:
        return star, Control()


def observed(star, control, selector="dmac"):
    """Returns the table by frames, as names of ports. Checks that the driver reports the same table."""
    bits = control.get()["bits"]
    seen = [star.ports[index] for index in star.map(bits, selector)]
    equal(control.column(), seen, "the table, told and seen")
    return seen


def changed(before, after):
    return {bucket for bucket, (old, new) in enumerate(zip(before, after)) if old != new}


def of(port, table):
    return {bucket for bucket, carrier in enumerate(table) if carrier == port}


@trodden
@cases("dmac", "smac", "smac-dmac", alike=True)
def test_bits_and_selector(selector):
    """
    trunk0 ─┬─ eth1 ── sw1    the bucket of each frame, with 1 to 256 buckets, is as
            ├─  …       …     predicted from its addresses
            └─ eth4 ── sw4
    """
    star, control = networked()
    for bits in (0, 1, 8, 5):
        control.set(bits=bits, selector=selector)
        got = control.get()
        equal((got["bits"], got["selector"]), (bits, selector), "settings")
        table = observed(star, control, selector)
        equal(len(table), 1 << bits, "buckets")
        fair(table, star.ports)


def test_the_largest_table():
    """
    trunk0 ─┬─ eth1 ── sw1    65,536 buckets, and back to one
            └─ eth2 ── sw2
    """
    star, control = networked(2)
    control.set(bits=16)
    equal({name: port["buckets"] for name, port in control.ports().items()}, {"eth1": 1 << 15, "eth2": 1 << 15}, "buckets")
    index = {port["ifindex"]: name for name, port in control.ports().items()}
    with star.server:
        raw = genl.Raw()
    request = genl.u32(control.client.attr_sets["trunk"]["ifindex"].value, control.index)
    answer = raw.dump(control.client.ops["table-get"].req_value, request)
    bucket = control.client.attr_sets["trunk"]["bucket"].value
    nests = [nest for m in answer.messages for kind, nest in genl.attributes(m) if kind == bucket]
    # Each text begins with its number.
    equal([struct.unpack_from("I", nest, 4)[0] for nest in nests], list(range(1 << 16)), "numbers of the buckets")

    def told(n):
        return index[control.client.do("table-get", control.mine | {"bucket": [{"index": n}]})["bucket"][0]["port"]]

    sample = range(0, 1 << 16, 1 << 10)
    where = star.where(frame(mac(n), mac(1), n) for n in sample)
    equal({n: told(n) for n in sample}, {n: star.ports[where[n]] for n in sample}, "ports of frames")
    control.set(bits=0)
    equal(len(set(observed(star, control))), 1, "ports of one bucket")


@trodden
def test_flow_uses_all_ports_for_one_pair_of_addresses():
    """
    trunk0 ─┬─ eth1 ── sw1    256 flows from one address to another: by one port, and with
            ├─  …       …     selector flow by all; the frames of a flow by one
            └─ eth4 ── sw4
    """
    star, control = networked()
    with star.switch:
        taps = Taps(star.far, type=0x0800)

    def ports():
        star.send(udp(mac(1), mac(2), flow, flow) for flow in range(256))
        taken = taps.take(256)
        equal(len(taken), 256, "datagrams that arrived")
        return {int.from_bytes(data[42:46], "big"): index for index, data in taken}

    equal(len(set(ports().values())), 1, "ports in use")
    control.set(selector="flow")
    first = ports()
    equal(set(first.values()), {0, 1, 2, 3}, "ports in use")
    equal(ports(), first, "the same flows once more")


@trodden
def test_a_role_is_a_selector_and_a_receive_rule():
    """
    trunk0    role server: dmac, role switch: smac; with another selector it has none
    """
    star, control = networked(2)
    for role, selector in (("switch", "smac"), ("server", "dmac")):
        control.set(role=role)
        got = control.get()
        equal((got["role"], got["selector"], got["far-end"]), (role, selector, "auto"), "settings")
        observed(star, control, selector)
    control.set(far_end="switch")
    expect("role" not in control.get(), "a role with another far end than its own")
    control.set(role="server")
    control.set(selector="flow")
    expect("role" not in control.get(), "a role with another selector than its own")


@trodden
def test_broadcast_is_taken_from_one_port_or_from_all():
    """
    server                      switch (plain bridge)       client
    trunk0 ─┬─ eth1 ◄────────── sw1 ─┐
            ├─ eth2 ◄────────── sw2 ─┼─ br0 ─ sw0 ───────── client0
            └─ eth3 ◄────────── sw3 ─┘          20 broadcasts, three copies of each
    """
    star, control = networked(3, bridge=True)
    with star.server:
        on_trunk = Taps(["trunk0"])
    with star.client:
        client = Sender("client0")

    def comes():
        client.send(frame(BROADCAST, mac(9), 99))
        return on_trunk.taps[0].take()

    eventually(comes, "broadcasts come through")
    on_trunk.take(0)
    for rule, copies in (("aggregate", 3), ("switch", 1), ("trunk", 3), ("auto", 1)):
        control.set(far_end=rule)
        equal(control.get()["far-end"], rule, "far-end")
        for n in range(20):
            client.send(frame(BROADCAST, mac(9), n))
        came = [number_of(data) for _, data in on_trunk.take(20 * copies)]
        equal(sorted(came), sorted(list(range(20)) * copies), f"broadcasts with far-end {rule}")
    control.client.do("stats-reset", control.mine)
    client.send(frame(BROADCAST, mac(9), 1))
    eventually(lambda: control.statistics()["rx-multicast-filtered"] == 2, "two copies are counted as filtered")


@trodden
def test_a_spare_takes_over_exactly_a_failed_ports_buckets():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1
            ├─ eth2 ─────── sw2
            ├─ eth3 ─────── sw3    priority 3
            └─ eth4 ─────── sw4    priority 2: first to stand in
    """
    star, control = networked()
    table = observed(star, control)
    control.port_set("eth4", priority=3)
    equal(changed(table, observed(star, control)), of("eth4", table), "buckets moved as eth4 becomes a spare")
    control.port_set("eth4", priority=2)
    control.port_set("eth3", priority=3)
    home = observed(star, control)
    fair(home, ["eth1", "eth2"])

    star.pull(0)
    away = observed(star, control)
    equal(away, ["eth4" if port == "eth1" else port for port in home], "the table without eth1")
    equal(control.column("home"), home, "homes without eth1")
    ports = control.ports()
    equal(ports["eth1"]["stand-in"], ports["eth4"]["ifindex"], "stand-in of eth1")
    equal(ports["eth4"]["stands-in-for"], ports["eth1"]["ifindex"], "whom eth4 stands in for")
    equal((ports["eth1"]["state"], ports["eth1"]["reason"], ports["eth1"]["buckets"], ports["eth1"]["homes"]),
          ("sby", "no-carrier", 0, 16), "eth1")  # fmt: skip
    equal(control.get()["redundancy"], "degraded", "redundancy")

    star.pull(1)
    equal(observed(star, control), ["eth4" if port == "eth1" else "eth3" for port in home], "without eth1 and eth2")
    star.pull(3)
    equal(set(observed(star, control)), {"eth3"}, "ports in use when one is left")
    equal(control.get()["redundancy"], "none", "redundancy")
    for port in (3, 1, 0):
        star.plug(port)
        eventually(lambda: control.ports()[star.ports[port]]["state"] == "act", f"{star.ports[port]} is act")
    eventually(lambda: control.column() == home, "all is as it was")
    equal(observed(star, control), home, "the table, with all ports back")
    equal(control.get()["redundancy"], "full", "redundancy")
    got = control.statistics()
    expect(got["failovers"] >= 2 and got["failbacks"] >= 2, f"failovers and failbacks: {got}")


@trodden
def test_shares_follow_the_weights():
    """
    trunk0 ─┬─ eth1    weight 1
            ├─ eth2    weight 2
            ├─ eth3    weight 5
            └─ eth4    weight 0: by speed
    """
    star, control = networked()
    table = observed(star, control)
    control.port_set("eth3", weight=5)
    after = observed(star, control)
    gained = changed(table, after)
    equal({after[bucket] for bucket in gained}, {"eth3"}, "ports that gained buckets")
    control.port_set("eth2", weight=2)
    control.port_set("eth4", weight=0)
    ports = control.ports()
    equal({name: port["weight"] for name, port in ports.items()}, {"eth1": 1, "eth2": 2, "eth3": 5, "eth4": 0}, "weights")
    total = sum(port["share"] for port in ports.values())
    table = observed(star, control)
    for name, port in ports.items():
        equal(port["share"] if port["weight"] else None, port["weight"] or None, f"share of {name}")
        due = 32 * port["share"] / total
        expect(abs(table.count(name) - due) < 1, f"{name} has {table.count(name)} of 32 buckets, its share is {due}")
        equal(port["homes"], table.count(name), f"homes of {name}")
    for name in star.ports:
        control.port_set(name, weight=0)
    fair(observed(star, control), star.ports)  # all of one speed


class Traffic:
    """Sends frames with numbers through a trunk from both CPUs, while the block runs. Checks at its end that
    each has arrived once."""

    def __init__(self, star):
        self.star, self.stack = star, contextlib.ExitStack()
        self.sent = mmap.mmap(-1, mmap.PAGESIZE)  # the number of frames that each of two processes has sent

    def sending(self, cpu):
        def go(stop):
            sender, number = Sender("trunk0"), 0
            while not stop():
                for _ in range(32):
                    sender.send(frame(mac(number * 7 & 0xFFFF), mac(cpu), cpu << 28 | number))
                    number += 1
                struct.pack_into("I", self.sent, 4 * cpu, number)
                time.sleep(0.001)  # a grace period that waits for a busy processor takes ten times as long

        return go

    def __enter__(self):
        with self.star.server:
            for cpu in (0, 1):
                self.stack.enter_context(Background(self.sending(cpu), cpu))
        eventually(lambda: all(struct.unpack_from("2I", self.sent)), "both are sending")

    def __exit__(self, kind, *_):
        self.stack.close()
        if kind:
            return
        sent = {cpu << 28 | n for cpu, number in enumerate(struct.unpack_from("2I", self.sent)) for n in range(number)}
        note(f"{len(sent)} frames")
        arrived = numbers(self.star.taps.take(len(sent))).keys()
        expect(sent, "no frame was sent")
        lost = sorted(sent - arrived)
        expect(not lost, f"{len(lost)} of {len(sent)} frames lost, the first is {lost[:1]}")
        equal(len(arrived), len(sent), "frames that arrived")


@cases("all at random", "bits and selector", "table", "priority and weight", alike=True)
def test_no_frame_is_lost_by_a_change(what):
    """
    CPU 0 ┐          ┌─ eth1 ── sw1
          ├─ trunk0 ─┼─  …       …     1,000 changes while frames flow from both CPUs: all of
    CPU 1 ┘          └─ eth4 ── sw4    them arrive, none of them twice
    """
    star, control = networked()
    random = seeded()
    index = [control.port(name)["ifindex"] for name in star.ports]

    def geometry():
        # Small tables are the usual ones, and large ones take long to make.
        request = {"bits": random.randrange(16 if random.random() < 0.02 else 9)}
        if random.random() < 0.5:
            request["selector"] = random.choice(SELECTORS)
        control.client.do("trunk-set", control.mine | request)

    def table():
        buckets = [{"index": n} | ({"home": random.choice(working)} if random.random() < 0.8 else {})
                   for n in random.sample(range(size), min(random.choice([1, 2, 4, 32]), size))]  # fmt: skip
        more = {"table-auto": True} if random.random() < 0.2 else {}
        control.client.do("table-set", control.mine | more | {"bucket": buckets})

    def rank():
        # The last port stays in use.
        setting = random.choice([{"priority": random.randrange(1, 4)}, {"weight": random.randrange(9)}, {"enabled": 0}, {"enabled": 1}])
        control.client.do("port-set", {"port": {"ifindex": random.choice(index[:3]), **setting}})

    def rule():
        control.client.do("trunk-set", control.mine | {"far-end": random.choice(["auto", "trunk", "switch", "aggregate"])})

    size, working = 32, index
    if what == "all at random":
        size, working = 1, index[3:]
    steps = {"bits and selector": [geometry], "table": [table], "priority and weight": [rank]}
    steps = steps.get(what) or [geometry, table, rank, rule]
    with Traffic(star):
        for _ in range(count(1_000)):
            random.choice(steps)()
    history = control.history()
    expect(history[-1]["seq"] > count(1_000) / 2, f"only {history[-1]['seq']} events")


@trodden
def test_a_port_is_drained_without_loss():
    """
    trunk0 ─┬─ eth1    disabled and enabled again while frames flow from both CPUs: its buckets,
            ├─ eth2    and no others, go elsewhere and come back
            └─ eth3
    """
    star, control = networked(3)
    table = observed(star, control)
    with Traffic(star):
        for _ in range(count(20, least=2)):
            control.port_set("eth1", enabled=0)
            away = control.column()
            equal(changed(table, away), of("eth1", table), "buckets that moved")
            port = control.port("eth1")
            equal((port["enabled"], port["state"], port["reason"], port["buckets"]), (0, "sby", "disabled", 0), "eth1")
            equal(control.get()["redundancy"], "degraded", "redundancy")
            control.port_set("eth1", enabled=1)
            eventually(lambda: control.column() == table, "eth1 has its buckets back")
    equal(observed(star, control), table, "the table")


@trodden
def test_with_all_ports_disabled_nothing_is_sent():
    """
    trunk0 ─┬─ eth1    disabled, both: no carrier; one enabled: it carries all
            └─ eth2
    """
    star, control = networked(2)
    for port in star.ports:
        control.port_set(port, enabled=0)
    with star.server:
        eventually(lambda: not carrier("trunk0"), "the trunk has no carrier")
    equal(set(control.column()), {None}, "ports in use")
    equal(control.get()["redundancy"], "none", "redundancy")
    control.port_set("eth2", enabled=1)
    with star.server:
        bring_up("trunk0")
    equal(set(observed(star, control)), {"eth2"}, "ports in use")


@trodden
@cases("with a spare", "without")
def test_failback_waits_for_the_user(spare):
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1    back, but held back until the user asks: for that port,
            ├─ eth2 ─  ✂ ── sw2    or for all
            ├─ eth3 ─────── sw3    spares, or working
            └─ eth4 ─────── sw4
    """
    star, control = networked()
    if spare == "with a spare":
        control.port_set("eth3", priority=2)
        control.port_set("eth4", priority=2)
    home = observed(star, control)
    control.set(failback="manual")
    star.pull(0)
    star.pull(1)
    away = observed(star, control)
    star.plug(0)
    star.plug(1)
    for port in "eth1", "eth2":
        eventually(lambda: control.port(port)["state"] == "act", f"{port} is act")
        expect(control.port(port).get("held-back"), f"{port} is not held back")
    equal(observed(star, control), away, "the table before failback")
    control.failback("eth2")
    expect(not control.port("eth2").get("held-back"), "eth2 is held back still")
    expect(control.port("eth1").get("held-back"), "eth1 is not held back any more")
    equal(changed(away, observed(star, control)), of("eth2", home), "buckets moved by failback of eth2")
    control.failback()
    equal(observed(star, control), home, "the table after failback")
    control.failback()
    equal(observed(star, control), home, "the table after a failback of nothing")


@trodden
def test_failback_waits_for_its_delay():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1    held back for a day; then the delay is made short
            ├─ eth2 ─────── sw2
            └─ eth3 ─────── sw3    spare
    """
    star, control = networked(3)
    control.port_set("eth3", priority=2)
    home = observed(star, control)
    control.set(failback="delay", failback_delay=86_400_000)
    star.pull(0)
    away = observed(star, control)
    equal(changed(home, away), of("eth1", home), "buckets moved")
    star.plug(0)
    eventually(lambda: control.port("eth1")["state"] == "act", "eth1 is act")
    expect(control.port("eth1").get("held-back"), "eth1 is not held back")
    equal(observed(star, control), away, "the table before failback")
    control.set(failback_delay=10)
    eventually(lambda: control.column() == home, "eth1 has its buckets back")
    equal(observed(star, control), home, "the table")
    # A short delay from the start, and a policy that is changed meanwhile.
    for policy in "delay", "immediate":
        control.set(failback="delay", failback_delay=10 if policy == "delay" else 86_400_000)
        star.pull(0)
        equal(observed(star, control), away, "the table without eth1")
        star.plug(0)
        eventually(lambda: control.port("eth1")["state"] == "act", "eth1 is act")
        control.set(failback=policy)
        eventually(lambda: control.column() == home, "eth1 has its buckets back")


@trodden
def test_homes_set_by_the_user():
    """
    trunk0 ─┬─ eth1 ── sw1    all of 0…15 to eth1, single buckets elsewhere; they survive the
            ├─ eth2 ── sw2    failure of their home, and a port that joins
            └─ eth3 ── sw3
    """
    star, control = networked(3)
    wanted = {n: "eth1" for n in range(16)} | {20: "eth3"}
    control.table_set(wanted)
    table = observed(star, control)
    equal({n: table[n] for n in wanted}, wanted, "buckets set")
    equal(control.column("user-set"), [True if n in wanted else None for n in range(32)], "which are marked")
    fair([port for n, port in enumerate(table) if n not in wanted], star.ports)

    control.table_set({5: None, 6: "eth2"})
    del wanted[5]
    wanted[6] = "eth2"
    table = observed(star, control)
    equal({n: table[n] for n in wanted}, wanted, "buckets set")
    equal(control.table()[5].get("user-set"), None, "mark of a bucket back to automatic")

    star.pull(0)
    away = observed(star, control)
    equal(changed(table, away), of("eth1", table), "buckets moved as eth1 fails")
    star.plug(0)
    eventually(lambda: control.column() == table, "all is as it was")
    with star.server:
        ip("link set eth2 nomaster")
    equal({n: control.column()[n] for n in wanted if wanted[n] != "eth2"},
          {n: port for n, port in wanted.items() if port != "eth2"}, "buckets set to ports that are there")  # fmt: skip
    with star.server:
        ip("link set eth2 down\nlink set eth2 master trunk0")
        eventually(lambda: control.port("eth2")["state"] == "act", "eth2 is act")

    control.table_set({31: "eth3"}, auto=True)
    equal(control.column("user-set"), [None] * 31 + [True], "which are marked, after table-auto and one more")
    control.client.do("table-set", control.mine | {"table-auto": True})
    equal(set(control.column("user-set")), {None}, "which are marked, after table-auto")
    fair(observed(star, control), star.ports)


@trodden
def test_a_whole_table_in_one_request():
    """
    trunk0 ─┬─ eth1    4,096 buckets, each with a home by the user, dumped in several messages
            └─ eth2
    """
    star, control = networked(2)
    random = seeded()
    control.set(bits=12)
    wanted = {n: random.choice(star.ports) for n in range(4_096)}
    control.client.sock.setsockopt(socket.SOL_SOCKET, 32, 1 << 20)  # SO_SNDBUFFORCE
    control.table_set(wanted)
    equal(control.column(), list(wanted.values()), "the table")
    star.where(frame(mac(n), mac(1), n) for n in range(0, 4_096, 64))


def test_the_shortest_interval_in_a_namespace_of_a_user():
    """
    user namespace ── network namespace: trunk0    10 ms at least; for the machine's root, 1 ms
    """
    load()
    if not os.path.exists("/proc/self/ns/user"):
        raise Skipped("this kernel has no user namespaces")

    def asks():
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        Rtnetlink().add("trunk0", KIND)
        control = Control()
        for interval in 1_000, 9_999:
            text = refused_by(lambda: control.set(interval=interval, reply_timeout=1_000), errno.EPERM)
            equal(text["msg"], "interval: less than 10000 us only in namespaces of the machine's root", "words")
        control.set(interval=10_000)
        equal(control.get()["interval"], 10_000, "interval")

    in_process(asks)
    ip(f"link add trunk0 type {KIND}")
    control = Control()
    control.set(interval=1_000, reply_timeout=1_000)
    equal(control.get()["interval"], 1_000, "interval")
