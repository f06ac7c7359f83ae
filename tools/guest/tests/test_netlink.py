# SPDX-License-Identifier: GPL-2.0
"""The netlink family, by the kernel's own client: its answers, its events, and what it refuses."""

import errno

import genl
from genl import Control, Events, Holder
from hosts import *

SPEC = genl.SPEC


def networked(ports=3, **how):
    """Returns a star and the control of its trunk."""
    star = Star(ports, **how)
    with star.server:
        return star, Control()


# Everything in the spec exists


def test_every_operation_does_and_dumps():
    """
    trunk0 ─┬─ eth1 ── sw1    all operations of the spec, each in every mode it has; the
            ├─ eth2 ── sw2    replies contain all that the spec lists, except what does
            └─ eth3 ── sw3    not apply
    """
    star, control = networked(3)
    client, mine = control.client, control.mine
    called = set()

    def do(name, request):
        called.add((name, "do"))
        return client.do(name, request)

    def dump(name, request=()):
        called.add((name, "dump"))
        return client.dump(name, dict(request))

    with star.server:
        index = {name: socket.if_nametoindex(name) for name in star.ports}
    trunk = {"ifindex": control.index, "ifname": "trunk0"}
    settings = {
        "bits": 5, "selector": "dmac", "role": "server", "failback": "immediate", "failback-delay": 0,
        "far-end": "auto", "redundancy": "full", "probe": "auto", "interval": 100_000, "reply-timeout": 10_000, "misses": 3,
        "hits": 3, "hold-down": 0, "peers": "one", "probe-ethertype": 0x88B5, "probe-address": "01:80:c2:00:00:0e",
        "far-end-is": "switch", "far-end-reason": "no-answer", "min-links": 0,
    }  # fmt: skip
    got = do("trunk-get", mine)
    equal(dump("trunk-get"), [got], "trunk-get of all")
    expect(got.pop("system") > 0, "no system")
    equal(got, trunk | settings, "trunk-get")

    one = do("port-get", {"port": {"ifindex": index["eth2"]}})
    equal({**one, "port": None}, {**trunk, "port": None}, "the trunk in port-get")
    since = one["port"].pop("since")
    expect(0 < since < time.monotonic_ns(), f"since {since}")
    eventually(lambda: control.port("eth2")["rounds-missed"] > 0, "rounds are missed, for nobody answers")
    expect(one["port"].pop("rounds") >= one["port"].pop("rounds-missed"), "more rounds missed than there were")
    buckets = one["port"].pop("buckets")
    expect(buckets in (10, 11) and one["port"].pop("homes") == buckets, f"buckets of {one}")
    equal(
        one["port"],
        {"ifindex": index["eth2"], "ifname": "eth2", "id": 1, "priority": 1, "weight": 1, "share": 1, "enabled": 1,
         "state": "act", "reason": "none", "in-use": True, "claims": 0},
        "port-get",
    )  # fmt: skip
    for request in {}, mine:
        equal([m["port"]["ifname"] for m in dump("port-get", request)], star.ports, f"ports by {request}")

    one = do("table-get", mine | {"bucket": [{"index": 7}]})
    equal(one, trunk | {"bucket": [control.table()[7]]}, "table-get")
    called.add(("table-get", "dump"))
    equal([bucket["index"] for bucket in control.table()], list(range(32)), "buckets")
    equal(control.table()[7].keys(), {"index", "home", "port", "tx-packets", "tx-bytes"}, "what a bucket says")

    whole = do("stats-get", mine)
    statistics = client.attr_sets["statistics"].attrs
    of_ports = {name for name, attr in statistics.items() if attr.yaml["doc"].startswith("Of a port")}
    equal(set(whole["statistics"]), set(statistics) - of_ports, "what the statistics of a trunk are")
    both = dump("stats-get", mine)
    equal([m.get("port", {}).get("ifname") for m in both], [None] + star.ports, "what stats-get dumps")
    equal({m["ifindex"] for m in both}, {control.index}, "the trunk of each")
    of_trunks = {name for name, attr in statistics.items() if attr.yaml["doc"].startswith("Of a trunk")}
    equal(set(both[1]["statistics"]), set(statistics) - of_trunks, "what the statistics of a port are")
    equal(len(dump("stats-get")), 4, "statistics of all")

    control.port_set("eth3", priority=2)
    called.add(("port-set", "do"))
    do("trunk-set", mine | {"failback": "manual"})
    do("failback", mine)
    do("table-set", mine | {"bucket": [{"index": 3, "home": index["eth2"]}]})
    do("stats-reset", mine)
    mark = {"mark": 7, "port": index["eth1"]}
    claim = do("claim-add", mine | {"claim": [mark | {"name": "me"}]})
    expect(claim["claim"][0].pop("holder") > 0, "a claim without holder")
    equal(claim, trunk | {"claim": [mark | {"name": "me", "link": index["eth1"]}]}, "claim-add")
    equal([c["mark"] for m in dump("claim-get", mine) for c in m["claim"]], [7], "claim-get")
    equal(len(dump("claim-get")), 1, "claim-get of all")
    do("claim-del", mine | {"claim": [{"mark": 7}]})
    do("missing-add", mine | {"port": {"ifname": "eth9", "priority": 3}})
    missing = trunk | {"port": {"ifname": "eth9", "priority": 3, "weight": 1, "enabled": 1}}
    for request in {}, mine:
        equal(dump("missing-get", request), [missing], f"missing-get by {request}")
    do("missing-del", mine | {"port": {"ifname": "eth9"}})
    kinds = [event["kind"] for m in dump("history-get", mine) for event in m["event"]]
    equal(kinds[-5:], ["config", "config", "table", "claim", "release"], "the end of the history")
    for m in dump("history-get"):
        equal((m["ifindex"], m["ifname"]), (control.index, "trunk0"), "the trunk of an event")
    modes = {(name, mode) for name, op in client.ops.items() for mode in ("do", "dump") if mode in op.yaml}
    equal(called, modes, "operations called, and those of the spec")


@trodden
def test_every_event_is_told():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1 ─┬─ trunk0    events of each kind and reason: a listener receives
            ├─ eth2 ─────── sw2 ─┤            them, and the history has the same
            └─ eth3 ─────── sw3 ─┘ spare
    """
    pair = Pair(priorities=(1, 1, 1), hold_down=8_000)
    server, switch, panel = pair.server, pair.switch, pair.panel
    control, index = server.control, server.index
    with server.netns:
        events = Events()

    def port(event):
        return event.get("port-name")

    def until(kind, **parts):
        """Waits for the first event of this kind with these attributes."""
        parts = {name.replace("_", "-"): value for name, value in parts.items()} | {"kind": kind}
        return events.until(lambda e: parts.items() <= e.items(), f"{parts}")

    for host in pair.hosts:
        host.set_port(host.ports[2], priority=2)
    config = until("config")
    equal((port(config), config["port"]), ("eth3", index["eth3"]), "port of the event")
    has = control.port("eth1")["buckets"]
    equal(has, 16, "buckets of eth1")

    panel.pull("eth1")
    down = until("port-state")
    equal(
        (port(down), down["old-state"], down["new-state"], down["reason"]), ("eth1", "act", "sby", "no-carrier"), "event"
    )
    over = until("failover")
    equal((port(over), over["other-name"], over["other"]), ("eth1", "eth3", index["eth3"]), "who failed, who took over")
    equal((over["buckets"], over["reason"]), (has, "no-carrier"), "buckets and reason of the failover")
    expect(over["switch-ns"] >= MOMENT and "detection-ns" not in over, f"times of {over}")
    expect(over["time"] >= down["time"], "a failover before the failure")

    panel.plug("eth1")
    up = until("port-state", new_state="act")
    equal((port(up), up["old-state"], up["reason"]), ("eth1", "sby", "none"), "event")
    back = until("failback")
    equal((port(back), back["other-name"], back["buckets"]), ("eth1", "eth3", has), "who came back, who gave back")

    # Events of probes. The second failure of eth1 within a minute holds it down.
    panel.lose("eth1")
    silent = until("failover", reason="probe-timeout")
    expect(silent["detection-ns"] > (SETTINGS["misses"] - 1) * INTERVAL * 1000, f"times of {silent}")
    panel.heal("eth1")
    held = server.states
    told = lambda **part: any(part.items() <= event.items() for _, _, event in events.look())
    for _ in range(4):  # each time for twice as long, until it lasts long enough to be reported
        eventually(lambda: told(reason="held-down") or held()["eth1"] == "act", "eth1 is held down, or back")
        if told(reason="held-down"):
            break
        panel.lose("eth1")
        eventually(lambda: held()["eth1"] == "probe-timeout", "eth1 is silent again")
        panel.heal("eth1")
    until("port-state", reason="held-down")
    for host in pair.hosts:
        pair.until(host)
        host.set(hold_down=0)
    panel.spoil("sw1", loss=1)
    until("port-state", reason="one-way-rx")
    panel.heal("eth1")
    pair.until(server)
    panel.spoil("eth1", loss=1)
    until("port-state", reason="one-way-tx")
    panel.heal("eth1")
    pair.until(server)
    panel.join("eth1", "eth2")
    until("port-state", reason="peer-mismatch")
    panel.join("eth1", "sw1")
    panel.join("eth2", "sw2")
    for host in pair.hosts:
        pair.until(host)
    switch.set_port("sw2", enabled=0)
    until("port-state", reason="peer-sby")
    switch.set_port("sw2", enabled=1)
    pair.until(server)
    for _ in range(4):  # until the cables are lost so fast that it looks as if the peer had died
        panel.lose(*server.ports)
        eventually(lambda: "act" not in server.states().values(), "all links are silent")
        server.all_told()
        panel.heal(*server.ports)
        for host in pair.hosts:
            pair.until(host)
        if told(kind="peer-lost"):
            break
    until("peer-lost")
    until("port-state", reason="peer-silent")
    switch.set_port("sw2", priority=5)
    until("peer-differs", port_name="eth2")
    switch.set_port("sw2", priority=1)

    # Replies that come too late
    panel.spoil("sw1", delay=1.5 * INTERVAL / 1e6)
    until("late", port_name="eth1")
    panel.heal("eth1")
    until("in-time", port_name="eth1")

    # Claims
    with server.netns:
        holder = Holder()
    holder.claim(index["eth1"], 7, name="me")
    equal(port(until("claim")), "eth1", "port that was claimed")
    server.set_port("eth3", priority=1)  # as for a working port
    server.set_port("eth3", priority=2)
    panel.pull("eth2")  # takes eth3, the only one
    until("failover", port_name="eth2", reason="no-carrier")
    panel.plug("eth2")
    pair.until(server)
    server.set_port("eth1", enabled=0)
    until("port-state", reason="disabled")
    moved_claim = until("claim-moved")
    equal(port(moved_claim), "eth1", "port that the claim wants")
    server.set_port("eth1", enabled=1)
    until("claim-moved", other_name="eth1")
    holder.close()
    equal(port(until("release")), "eth1", "port that was released")

    # The user
    with server.netns:
        ip("link set eth2 down")
    until("port-state", reason="admin-down")
    with server.netns:
        ip("link set eth2 up")
    pair.until(server)
    control.table_set({5: "eth1"})
    until("table")
    control.set(failback="manual", selector="flow")
    with server.netns:
        ip("link set eth2 nomaster")
        left = until("leave")
        equal((port(left), left["port"]), ("eth2", index["eth2"]), "who left")
        ip("link set eth2 down\nlink set eth2 master trunk0")
        joined = until("join")
        equal((port(joined), joined["port"]), ("eth2", index["eth2"]), "who joined")
    pair.until(server)
    control.set(auto_join={"name": "odd*"})
    with server.netns:
        ip("link add other1 type dummy\nlink set other1 up\nlink set other1 name odd1")
        refused = until("join-refused")
        equal((refused["port"], refused["error"]), (socket.if_nametoindex("odd1"), errno.EBUSY), "who was refused, and why")
    switch.down()
    until("peer-bye")
    switch.up()
    until("peer-found", port_name="eth1")

    history = control.history()
    eventually(lambda: events.look()[-1][2]["seq"] >= history[-1]["seq"], "all is told")
    told = {
        "port-state": "port-ntf", "join": "port-ntf", "leave": "port-ntf", "failover": "failover-ntf",
        "failback": "failback-ntf", "table": "table-ntf", "config": "config-ntf", "peer-found": "peer-ntf",
        "peer-bye": "peer-ntf", "peer-lost": "peer-ntf", "peer-differs": "peer-ntf", "claim": "claim-ntf",
        "release": "claim-ntf", "claim-moved": "claim-ntf", "join-refused": "port-ntf", "late": "port-ntf",
        "in-time": "port-ntf",
    }  # fmt: skip
    names = {name for name, op in control.client.msgs.items() if op.is_async}
    equal({name for name, _, _ in events.seen}, names, "notifications, and those of the spec")
    equal({e["kind"] for _, _, e in events.seen}, set(control.client.consts["event-kind"].entries), "kinds of events")
    reasons = {e["reason"] for _, _, e in events.seen if "reason" in e}
    # The tests of paths see the events of links that lose one kind of frames.
    lossy = {"path-source", "path-mtu", "path-vlan"}
    equal(reasons, set(control.client.consts["reason"].entries) - lossy, "reasons")
    for name, message, event in events.seen:
        equal(told[event["kind"]], name, f"notification of {event}")
        equal((message["ifindex"], message["ifname"]), (control.index, "trunk0"), "the trunk of the event")
        equal(event.get("mark"), 7 if name == "claim-ntf" else None, f"the claim's mark in {message}")
    known = {e["seq"]: e for e in control.history()}
    both = [(e, known[e["seq"]]) for _, _, e in events.seen if e["seq"] in known]
    expect(len(both) > 30, f"only {len(both)} events in the history")
    for event, again in both:
        equal(event, again, "what was told, and the history")
    settings = [message for name, message, event in events.seen if name == "config-ntf" and "port" not in event]
    # What the trunk has found out since then is not a setting.
    found = {"redundancy", "far-end-is", "far-end-reason"}
    now = {name: value for name, value in control.get().items() if name not in found}
    equal({name: settings[-1].get(name) for name in now}, now, "settings in the notification")


@trodden
def test_the_client_as_a_program():
    """
    cli.py --spec trunk.yaml …    what a user would type
    """
    star, control = networked(2)

    def cli(*words):
        return attempt(["python3", f"{genl.YNL}/cli.py", "--no-schema", "--output-json", "--spec", SPEC, *words])

    with star.server:
        done = cli("--dump", "trunk-get")
        equal((done.returncode, done.stderr), (0, ""), "status and complaints")
        equal(json.loads(done.stdout), [control.get()], "trunk-get")
        done = cli("--do", "trunk-set", "--json", json.dumps(control.mine | {"bits": 17}))
        equal(done.returncode, 1, "status of a refusal")
        expect("out of range" in done.stdout and ".bits" in done.stdout, f"words of a refusal: {done.stdout}")
        done = cli("--policy", "--do", "trunk-set")
        equal(json.loads(done.stdout)["bits"], {"type": "u32", "min-value": 0, "max-value": 16}, "policy of bits")


# The policy of an attribute, by its spec. For strings and flags there is nothing to check.


def policy(family, names, attributes):
    found = {}
    for name in attributes:
        spec = family.attr_sets[names][name].yaml
        checks, kind = spec.get("checks", {}), spec["type"]
        if kind == "nest":
            inner = spec["nested-attributes"]
            found[name] = {"type": "nested", "policy": policy(family, inner, family.attr_sets[inner])}
        elif kind in ("u32", "uint"):
            most = (1 << (32 if kind == "u32" else 64)) - 1
            if "enum" in spec:
                most = len(family.consts[spec["enum"]].entries) - 1
            found[name] = {"type": kind, "min-value": checks.get("min", 0), "max-value": checks.get("max", most)}
        else:
            length = {}
            if "exact-len" in checks:
                length = {"min-length": checks["exact-len"], "max-length": checks["exact-len"]}
            elif kind == "string" and "max-len" in checks:  # the kernel does not report it for binary attributes
                length = {"max-length": checks["max-len"]}
            found[name] = {"type": {"string": "nul-string"}.get(kind, kind)} | length
    return found


@trodden
def test_the_kernels_policy_is_the_specs():
    """
    nlctrl getpolicy    for each operation: which attributes it takes, of what type and range
    """
    load()
    client = genl.client()
    for name, op in client.ops.items():
        for mode in ("do", "dump"):
            kernels = client.get_policy(name, mode)
            wanted = op.yaml.get(mode, {}).get("request", {}).get("attributes")
            if wanted is None:
                expect(kernels is None or not len(kernels), f"{name} {mode} takes {kernels}")
                continue
            expect(kernels is not None, f"{name} {mode} has no policy")
            equal(kernels.to_dict(), policy(client, op.attr_set.name, wanted), f"policy of {name} {mode}")


def test_the_family_comes_and_goes_with_the_module():
    """
    insmod, rmmod under a listener, insmod
    """
    star, control = networked(1)
    with star.server:
        events = Events()
    star.trunk.socket.close()
    unload()
    refused_by(lambda: control.get(), errno.ENOENT)
    with star.server:
        load()
        ip(f"link add trunk0 type {KIND}")
        genl.lib.ynl.GenlProtocol.genl_family_name_to_id.clear()  # the number may have changed
        Control().set(bits=3)
        equal(Control().get()["bits"], 3, "bits")
    equal(events.look(), events.look(), "events of a listener of old")


# What is refused


# The kernel's texts for a value that does not pass the policy
RANGE, SIZE = "integer out of range", "binary attribute size out of range"
REJECTED, INVALID = "Unsupported attribute", "Attribute failed policy validation"


def refused_by(request, number):
    """Returns the extended answer of a refusal, decoded."""
    try:
        request()
    except genl.lib.NlError as error:
        equal(errno.errorcode.get(error.error), errno.errorcode[number], f"error ({error})")
        return error.nl_msg.extack or {}
    raise Failed("not refused")


def state(control):
    """Returns the state, without what changes by itself."""
    passing = {"rounds", "rounds-missed", "peer"}
    return (
        control.get(),
        {name: {what: value for what, value in port.items() if what not in passing} for name, port in control.ports().items()},
        control.claims(),
        control.table(),
        [event["seq"] for event in control.history()][-1:],
    )


def refuses(control, name, request, number, words, at):
    """Checks that a request is refused with this errno, exactly this text, and `at` for the wrong attribute."""
    before = state(control)
    text = refused_by(lambda: control.client.do(name, request), number)
    what = f"{name} {request}: {text}"
    equal(text.get("msg", ""), words, f"words of the refusal of {name} {request}")
    named = text.get("bad-attr") or text.get("miss-type")
    missing = text.get("miss-nest") is not None and text["miss-type"]
    if isinstance(named, int):  # in a nest, whose attributes have only numbers in the client
        nest = at.split(".")[1]
        named = f".{nest}." + control.client.attr_sets[nest].attrs_by_val[missing].name
    equal(f".{named}".replace("..", "."), at, f"the attribute that {what} names")
    equal(state(control), before, f"state after {what}")


@trodden
def test_refusals_name_the_attribute_and_the_reason():
    """
    trunk0 ─┬─ eth1    trunk1 ─── dummy1    dummy2    all kinds of invalid requests; none of them
            ├─ eth2                                   changes anything
            └─ eth3 spare
    """
    star, control = networked(3)
    control.port_set("eth3", priority=2)
    with star.server:
        ip(f"""link add trunk1 type {KIND}
               link add dummy1 type dummy
               link add dummy2 type dummy
               link set dummy1 master trunk1""")
        index = {name: number for number, name in socket.if_nameindex()}
        other = Control("trunk1")
    mine = control.mine

    def no(name, request, number, words, at):
        refuses(control, name, request, number, words, at)

    # Which trunk
    for name in ("trunk-get", "trunk-set", "stats-get", "stats-reset", "table-get", "table-set", "failback", "claim-add", "claim-del",
                 "missing-add", "missing-del"):  # fmt: skip
        more = {"bits": 3} if name == "trunk-set" else {"bucket": [{"index": 0}]} if "table" in name else {}
        if "claim" in name:
            more = {"claim": [{"mark": 7} | ({"port": index["eth1"]} if name == "claim-add" else {})]}
        if "missing" in name:
            more = {"port": {"ifname": "eth9"}}
        no(name, more, errno.EINVAL, "ifindex: which trunk is not said", ".ifindex")
        no(name, more | {"ifindex": 9999}, errno.ENODEV, "ifindex: there is no device of index 9999", ".ifindex")
        no(name, more | {"ifindex": 0}, errno.ERANGE, RANGE, ".ifindex")
        no(name, more | {"ifindex": 1}, errno.EINVAL, "ifindex: lo is not a trunk", ".ifindex")
    for name in ("port-get", "table-get", "stats-get", "history-get", "claim-get", "missing-get"):
        for number, number_of_error, words in ((9999, errno.ENODEV, "ifindex: there is no device of index 9999"),
                                               (index["eth1"], errno.EINVAL, "ifindex: eth1 is not a trunk")):  # fmt: skip
            text = refused_by(lambda: control.client.dump(name, {"ifindex": number}), number_of_error)
            equal(text.get("msg", ""), words, f"words of the refusal of a dump of {name}")

    # Which port
    for name in ("port-get", "port-set"):
        more = {"priority": 2} if name == "port-set" else {}
        no(name, {}, errno.EINVAL, "port: which port is not said", ".port")
        no(name, {"port": more}, errno.EINVAL, "port.ifindex: which port is not said", ".port.ifindex")
        no(name, {"port": more | {"ifindex": 9999}}, errno.ENODEV, "port.ifindex: there is no device of index 9999", ".port.ifindex")
        for dev in "dummy2", "trunk0":
            no(name, {"port": more | {"ifindex": index[dev]}}, errno.EINVAL, f"port.ifindex: {dev} is not a port of a trunk", ".port.ifindex")
    no("failback", mine | {"port": {"ifindex": index["dummy1"]}}, errno.EINVAL, "ifindex: the port is one of trunk1", ".ifindex")
    no("failback", {"port": {"ifindex": index["dummy2"]}}, errno.EINVAL, "port.ifindex: dummy2 is not a port of a trunk", ".port.ifindex")
    no("failback", {"port": {"ifindex": index["eth1"], "weight": 2}}, errno.EINVAL, "port.weight: this is not to be set", ".port.weight")

    # Settings of a trunk
    for name, value in (
        ("bits", 17), ("bits", 1 << 31), ("failback-delay", 86_400_001), ("interval", 999), ("interval", 60_000_001),
        ("reply-timeout", 99), ("reply-timeout", 60_000_001), ("misses", 0), ("misses", 256), ("hits", 0), ("hits", 256),
        ("hold-down", 3_600_001), ("probe-ethertype", 1_535), ("probe-ethertype", 65_536), ("min-links", 65),
    ):  # fmt: skip
        no("trunk-set", mine | {name: value}, errno.ERANGE, RANGE, f".{name}")
    for name in ("selector", "role", "failback", "far-end", "probe", "peers"):
        beyond = len(control.client.consts[control.client.attr_sets["trunk"][name]["enum"]].entries)
        no("trunk-set", mine | {"bits": 3, name: beyond}, errno.ERANGE, RANGE, f".{name}")
    role = "role: sets selector and far-end, so is not combined with these"
    no("trunk-set", mine | {"bits": 3, "role": "switch", "selector": "flow"}, errno.EINVAL, role, ".role")
    no("trunk-set", mine | {"bits": 3, "role": "switch", "far-end": "switch"}, errno.EINVAL, role, ".role")
    # A reply-timeout is no longer than the interval, also if only one of them is new.
    for asked, timeout, interval in (({"reply-timeout": 100_001}, 100_001, 100_000), ({"interval": 9_999}, 10_000, 9_999),
                                     ({"reply-timeout": 5_001, "interval": 5_000}, 5_001, 5_000)):  # fmt: skip
        no("trunk-set", mine | {"misses": 5} | asked, errno.EINVAL,
           f"reply-timeout: {timeout} us is longer than the interval, {interval} us", f".{next(iter(asked))}")  # fmt: skip
    no("trunk-set", mine | {"misses": 5, "key": bytes(15)}, errno.EINVAL, "key: it has 16 bytes, or for no key none", ".key")
    no("trunk-set", mine | {"misses": 5, "key": bytes(17)}, errno.ERANGE, SIZE, ".key")
    for types, owner in (((0x0800,), "IPv4"), ((0x0806,), "ARP"), ((0x86DD,), "IPv6"), ((0x8100,), "VLAN tags"),
                         ((0x8809,), "LACP"), ((0x8847, 0x8848), "MPLS"), ((0x888E,), "port authentication"),
                         ((0x88A8,), "service VLAN tags"), ((0x88CC,), "LLDP")):  # fmt: skip
        for type in types:
            words = f"probe-ethertype: {type:#06x} is the type of {owner}"
            no("trunk-set", mine | {"misses": 5, "probe-ethertype": type}, errno.EINVAL, words, ".probe-ethertype")
    for address in bytes(6), b"\xff" * 6:
        words = "probe-address: neither a station nor a group of some is that"
        no("trunk-set", mine | {"misses": 5, "probe-address": address}, errno.EINVAL, words, ".probe-address")
    no("trunk-set", mine | {"misses": 5, "probe-address": bytes(5)}, errno.ERANGE, SIZE, ".probe-address")
    for name, value in (("redundancy", "full"), ("system", 7), ("keyed", True)):
        no("trunk-set", mine | {"bits": 3, name: value}, errno.EINVAL, REJECTED, f".{name}")

    # Settings of a port
    eth1 = {"ifindex": index["eth1"]}
    for name, value in (("priority", 0), ("priority", 65_536), ("weight", 65_536), ("enabled", 2)):
        no("port-set", {"port": eth1 | {"weight": 3} | {name: value}}, errno.ERANGE, RANGE, f".port.{name}")
    for name, value in (("state", "act"), ("homes", 3), ("id", 3), ("ifname", "eth1"), ("since", 7), ("share", 2),
                        ("held-back", True), ("stand-in", 1), ("in-use", True), ("claims", 1), ("probed", True), ("rounds", 1),
                        ("round-trip-min", 1), ("peer", {"port": 3})):  # fmt: skip
        no("port-set", {"port": eth1 | {"weight": 3, name: value}}, errno.EINVAL, f"port.{name}: this is not to be set", f".port.{name}")

    # The table
    def table(*buckets, **more):
        return mine | {"bucket": list(buckets)} | more

    home = {"home": index["eth1"]}
    good = {"index": 0, **home}
    which = "bucket.index: which bucket is not said"
    beyond = "bucket.index: 32 is out of range 0..31"
    no("table-get", mine, errno.EINVAL, "bucket: which bucket is not said", ".bucket")
    no("table-get", table({}), errno.EINVAL, which, ".bucket.index")
    no("table-get", table({"index": 32}), errno.ERANGE, beyond, ".bucket.index")
    no("table-set", table(good, home), errno.EINVAL, which, ".bucket.index")
    no("table-set", table(good, {"index": 32, **home}), errno.ERANGE, beyond, ".bucket.index")
    no("table-set", table(good, {"index": 65_536, **home}), errno.ERANGE, RANGE, ".bucket.index")
    no("table-set", table(good, {"index": 1, "home": 0}), errno.ERANGE, RANGE, ".bucket.home")
    for number in 9999, index["dummy1"]:
        no("table-set", table(good, {"index": 1, "home": number}), errno.ENODEV,
           f"bucket.home: no port of the trunk has index {number}", ".bucket.home")  # fmt: skip
    no("table-set", table(good, {"index": 1, "home": index["eth3"]}), errno.EINVAL,
       "bucket.home: a spare is nobody's home; set its priority to 1 first", ".bucket.home")  # fmt: skip
    no("table-set", table(good, {"index": 1, **home, "port": 3}), errno.EINVAL, "bucket.port: this is not to be set", ".bucket.port")
    no("table-set", mine, errno.EINVAL, "bucket: neither a bucket nor table-auto is given", ".bucket")

    equal(other.get()["bits"], 5, "bits of the other trunk")
    control.client.do("table-set", table(good))


# Who may


def in_process(function):
    """Runs a function in a process of its own, which may drop privileges. Fails if the function fails."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        why = b""
        try:
            function()
        except BaseException as error:
            why = f"{error!r}".encode()[:4000] or b"?"
        os.write(writing, why)
        os._exit(0)
    os.close(writing)
    why = b""
    while more := os.read(reading, 4096):
        why += more
    os.close(reading)
    os.waitpid(pid, 0)
    expect(not why, why.decode())


def become_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def writes(control, port):
    """Returns a request for each operation that changes something. A repeated request changes nothing more."""
    return {
        "trunk-set": control.mine | {"failback": "manual"},
        "port-set": {"port": {"ifindex": port, "weight": 2}},
        "failback": control.mine,
        "table-set": control.mine | {"table-auto": True},
        "stats-reset": control.mine,
        "claim-add": control.mine | {"claim": [{"port": port, "mark": 7}]},
        "claim-del": control.mine | {"claim": [{"mark": 7}]},
        "missing-add": control.mine | {"port": {"ifname": "eth9"}},
        "missing-del": control.mine | {"port": {"ifname": "eth9"}},
    }


@trodden
def test_all_may_read_and_listen_but_not_change():
    """
    nobody ──? trunk0
    """
    star, control = networked(2)
    eth1 = control.port("eth1")["ifindex"]
    before = state(control)
    ready, go = os.pipe(), os.pipe()

    def nobody():
        become_nobody()
        own = Control()
        events = Events()
        equal(state(own), before, "what nobody sees")
        own.client.do("table-get", own.mine | {"bucket": [{"index": 0}]})
        own.client.do("port-get", {"port": {"ifindex": eth1}})
        own.client.do("stats-get", own.mine)
        own.statistics()
        requests = writes(own, eth1)
        privileged = {name for name, op in own.client.ops.items() if "uns-admin-perm" in op.yaml.get("flags", [])}
        equal(set(requests), privileged, "operations tried, and those of the spec that ask for a privilege")
        for name, request in requests.items():
            refused_by(lambda: own.client.do(name, request), errno.EPERM)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        events.until(lambda event: event["kind"] == "config", "somebody else changes a setting")

    def somebody(_):
        os.read(ready[0], 1)
        equal(state(control), before, "state")
        for name, request in writes(control, eth1).items():
            control.client.do(name, request)
        os.write(go[1], b"x")

    with star.server, Background(somebody):
        in_process(nobody)
    expect(state(control) != before, "nothing has changed")


@trodden
def test_root_of_a_user_namespace_rules_its_own_trunks_only():
    """
    trunk0 of ours ◄─ ✂ ─ root of a user namespace ─► trunk0 of its own
    """
    star, control = networked(2)
    eth1 = control.port("eth1")["ifindex"]
    if not os.path.exists("/proc/self/ns/user"):
        raise Skipped("this kernel has no user namespaces")

    def stranger(flags):
        os.unshare(os.CLONE_NEWUSER | flags)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", "0 0 1")
        write("/proc/self/gid_map", "0 0 1")

    def foreign():
        own = Control()  # an older socket has no more rights than a new one
        stranger(0)
        for own in own, Control():
            for name, request in writes(own, eth1).items():
                refused_by(lambda: own.client.do(name, request), errno.EPERM)

    def native():
        stranger(os.CLONE_NEWNET)
        ip(f"""link add trunk0 type {KIND}
               link add dummy1 type dummy
               link set dummy1 master trunk0""")
        own = Control()
        for name, request in writes(own, socket.if_nametoindex("dummy1")).items():
            own.client.do(name, request)
        equal(own.get()["failback"], "manual", "failback")

    before = state(control)
    with star.server:
        attempt("modprobe dummy")
        in_process(foreign)
        in_process(native)
    equal(state(control), before, "state of a trunk that is not theirs")


@trodden
def test_trunks_of_another_namespace_are_out_of_reach():
    """
    here: trunk0    there: trunk9    neither can be seen or changed from the other namespace, which gets no events of it
    """
    star, here = networked(2)
    there = Netns()
    with there:
        ip(f"""link add trunk9 index 4711 type {KIND}
               link add dummy1 index 4712 type dummy
               link set dummy1 master trunk9
               link set trunk9 up""")
        other, heard_there = Control("trunk9"), Events()
    with star.server:
        heard_here = Events()
    equal([m["ifname"] for m in here.client.dump("trunk-get", {})], ["trunk0"], "trunks here")
    equal([m["ifname"] for m in other.client.dump("trunk-get", {})], ["trunk9"], "trunks there")
    other.client.do("claim-add", other.mine | {"claim": [{"port": 4712, "mark": 9}]})
    equal((len(other.claims()), here.client.dump("claim-get", {})), (1, []), "claims there and here")
    equal({m["ifname"] for m in other.client.dump("port-get", {})}, {"trunk9"}, "trunks with ports there")
    before = state(other)
    for name, request in writes(other, 4712).items():
        refused_by(lambda: here.client.do(name, request), errno.ENODEV)
    home = here.mine | {"bucket": [{"index": 0, "home": 4712}]}
    refused_by(lambda: here.client.do("table-set", home), errno.ENODEV)
    equal(state(other), before, "state there")
    other.set(bits=3)
    heard_there.until(lambda event: event["kind"] == "config", "bits of trunk9")
    here.set(bits=4)
    heard_here.until(lambda event: event["kind"] == "config", "bits of trunk0")
    equal({m["ifname"] for _, m, _ in heard_here.seen}, {"trunk0"}, "heard here")
    equal({m["ifname"] for _, m, _ in heard_there.seen}, {"trunk9"}, "heard there")


# What has happened


@trodden
def test_the_history_is_in_order_and_keeps_256():
    """
    trunk0    300 changes of a setting; the first of them, and what was before, are forgotten
    """
    star, control = networked(1)
    first = control.history()
    equal([event["kind"] for event in first[:2]], ["config", "join"], "what happened first")
    equal([event["seq"] for event in first], list(range(1, len(first) + 1)), "numbers")
    for n in range(300):
        control.set(failback_delay=n + 1)
    history = control.history()
    last = first[-1]["seq"] + 300
    equal([event["seq"] for event in history], list(range(last - 255, last + 1)), "numbers of 256 events")
    equal({event["kind"] for event in history}, {"config"}, "kinds")
    times = [event["time"] for event in history]
    equal(times, sorted(times), "times in order")
    expect(first[-1]["time"] <= times[0] and times[-1] <= time.monotonic_ns(), "times are those of now")
    # A setting that already has its value is no change.
    control.set(failback_delay=300)
    equal(control.history()[-1]["seq"], last, "number of the last event")


@trodden
def test_reset_counters_begin_at_zero_and_others_go_on():
    """
    trunk0 ─┬─ eth1 ── sw1
            └─ eth2 ── sw2
    """
    star, control = networked(2)
    control.set(probe="off")  # ports count probes too
    control.client.do("stats-reset", control.mine)
    star.map()
    with star.server:
        before, ethtool = counters("trunk0"), ethtool_statistics("trunk0")
    got = control.statistics()
    equal((got["tx-packets"], got["tx-bytes"]), (32, 32 * 60), "frames and bytes")
    equal(sum(control.statistics(port)["tx-packets"] for port in star.ports), 32, "frames of the ports")
    equal(control.column("tx-packets"), [1] * 32, "frames of each bucket")
    control.client.do("stats-reset", control.mine)
    for port in None, "eth1", "eth2":
        equal(set(control.statistics(port).values()), {0}, f"counters of {port or 'the trunk'}")
    equal(set(control.column("tx-packets") + control.column("tx-bytes")), {0}, "counters of the buckets")
    with star.server:
        equal(counters("trunk0"), before, "what rtnetlink counts")
        equal(ethtool_statistics("trunk0"), ethtool, "what ethtool counts")
    star.map()
    equal(control.statistics()["tx-packets"], 32, "frames since")
    equal(control.column("tx-packets"), [1] * 32, "frames of each bucket since")
    with star.server:
        equal(counters("trunk0")["tx_packets"], 64, "frames in all")


def test_bucket_counters_are_exact_over_cpus():
    """
    CPU 0 ┐            each bucket's frames and bytes, sent from both at the same
          ├─ trunk0    time, are counted to the last
    CPU 1 ┘
    """
    star, control = networked(4)
    control.set(probe="off")  # ports count probes too
    control.client.do("stats-reset", control.mine)
    each = count(5_000)
    random = seeded()
    frames = [[frame(mac(random.randrange(1 << 40)), mac(cpu), n, size=60 + n % 1_000) for n in range(each)] for cpu in (0, 1)]

    def sending(cpu):
        def go(_):
            sender = Sender("trunk0")
            for data in frames[cpu]:
                sender.send(data)

        return go

    with star.server, Background(sending(0), cpu=0), Background(sending(1), cpu=1):
        pass
    packets, octets = [0] * 32, [0] * 32
    for data in frames[0] + frames[1]:
        packets[low(data[:6]) % 32] += 1
        octets[low(data[:6]) % 32] += len(data)
    equal(control.column("tx-packets"), packets, "frames of each bucket")
    equal(control.column("tx-bytes"), octets, "bytes of each bucket")
    got = control.statistics()
    equal((got["tx-packets"], got["tx-bytes"]), (sum(packets), sum(octets)), "frames and bytes of the trunk")
    carried = {}
    for port, n in zip(control.column(), packets):
        carried[port] = carried.get(port, 0) + n
    equal({port: control.statistics(port)["tx-packets"] for port in star.ports}, carried, "frames of each port")
    control.set(bits=6)
    equal(control.column("tx-packets"), [0] * 64, "frames of each bucket of a new table")
