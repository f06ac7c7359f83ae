# SPDX-License-Identifier: GPL-2.0
"""Devices that join by themselves: which ones, when, and what is reported for those that cannot."""

import contextlib
import errno

import genl
from genl import Control, Events
from lab import *

NETDEVSIM = "/sys/bus/netdevsim"


class Recruiter:
    """A trunk with a rule, its events, and a device that the rule does not match."""

    def __init__(self, dev="trunk0", **rule):
        if not loaded():
            load()
        ip(f"link add {dev} type {KIND}")
        self.dev, self.events, self.log = dev, Events(), KernelLog()
        self.control = Control(dev)
        self.said = []
        if rule:
            self.rule(**rule)

    def rule(self, **rule):
        self.control.set(auto_join=genl.dashed(rule))

    def ports(self):
        return sorted(self.control.ports())

    def has(self, *names):
        """Waits until the trunk has these ports, and no others."""
        eventually(lambda: set(names) <= set(self.control.ports()), f"{names} are ports of {self.dev}")
        equal(self.ports(), sorted(names), f"ports of {self.dev}")

    def refuses(self, name, text, error=errno.EBUSY):
        """Waits until the log has the reason why a device does not join; the event has the error."""
        line = f"{self.dev}: {name} does not join: {text}"

        def heard():
            self.said += self.log.lines()
            return any(line in said for said in self.said)

        eventually(heard, f"the log says {line!r}; it says {self.said}")
        event = self.events.until(
            lambda e: e["kind"] == "join-refused" and e["port-name"] == name, f"{name} is refused"
        )
        equal((event["port"], event["error"]), (socket.if_nametoindex(name), error), "who, and why, in the event")
        self.said = []

    def settled(self, name):
        """Waits until all devices so far were handled: one of that name, which comes later, was."""
        ip(f"link add {name} type dummy")
        eventually(lambda: name in self.control.ports(), f"{name} is a port")
        ip(f"link del {name}")


def dummies(*names):
    ip("\n".join(f"link add {name} type dummy" for name in names))


@contextlib.contextmanager
def netdevsim(ports=2, queues=4):
    """Makes a card with several ports of several queues, and loads its driver. Returns the names of the ports."""
    if attempt("modprobe netdevsim").returncode:
        raise Skipped("no netdevsim")
    # Its devices belong to the namespace of the process that makes them.
    before = set(links())
    write(f"{NETDEVSIM}/new_device", f"7 {ports} {queues}")
    try:
        eventually(lambda: len(set(links()) - before) >= ports, "the card is there")
        yield sorted(set(links()) - before)
    finally:
        if os.path.exists(f"{NETDEVSIM}/devices/netdevsim7"):
            write(f"{NETDEVSIM}/del_device", "7")
        attempt("rmmod netdevsim")


# Which


def test_a_name_that_fits():
    """
    trunk0 (name enp*)    enp1 joins, eth1 does not
    """
    trunk = Recruiter(name="enp*")
    dummies("eth1", "enp1", "enp22")
    trunk.has("enp1", "enp22")
    expect("master" not in link("eth1"), "eth1 has a master")
    trunk.events.until(lambda e: e["kind"] == "join" and e["port-name"] == "enp22", "enp22 joined")
    equal(trunk.control.port("enp1")["priority"], 1, "priority")
    expect(link("enp1")["address"] == link("trunk0")["address"], "the port has another address")


def test_a_name_given_later():
    """
    eth1 ──► enp1    as udev does, which names devices once they are there
    """
    trunk = Recruiter(name="enp?")
    dummies("eth1", "eth2")
    ip("link set eth1 name enp1\nlink set eth2 name enp10")
    trunk.has("enp1")
    # A port that gets a name outside the rule stays a port.
    ip("link set enp1 down name eth1")
    equal(trunk.ports(), ["eth1"], "ports")


def test_an_alternative_name_that_fits():
    """
    trunk0 (name enp*)    eth1, also enp1, joins when the rule is set; eth2, also enp2, when it is renamed
    """
    trunk = Recruiter()
    dummies("eth1", "eth2", "eth3")
    for name, altnames in ("eth1", "wlan1 enp1 a1"), ("eth2", "b2 " + "enp2" + "x" * 123), ("eth3", "wlan3"):
        for altname in altnames.split():
            run(f"ip link property add dev {name} altname {altname}")
    ip("link set eth2 name wlan2")
    trunk.rule(name="enp*" + "x" * 10)
    trunk.has("wlan2")
    ip("link set wlan2 nomaster")
    trunk.rule(name="enp*")
    trunk.has("eth1", "wlan2")
    # The kernel tells nobody of one that is added later: it counts at the next look.
    run("ip link property add dev eth3 altname enp3")
    ip("link set eth3 name wlan4")
    trunk.has("eth1", "wlan2", "wlan4")


@trodden
@cases("driver", "bus", "driver and bus", "driver of others", "bus of others", "address", "all", alike=True)
def test_what_a_card_is(what):
    """
    a card of two ports with four queues each, made in one go
    """
    load()
    rule = {
        "driver": {"driver": "netdevsim"},
        "bus": {"bus": "netdevsim"},
        "driver and bus": {"driver": "netdevsim", "bus": "netdevsim"},
        "driver of others": {"driver": "netdevsi"},
        "bus of others": {"driver": "netdevsim", "bus": "pci"},
        "address": {"address": bytes.fromhex("525400")},
        "all": {"name": "*", "driver": "netdevsim", "bus": "netdevsim", "address": bytes.fromhex("525400000001")},
    }[what]
    trunk = Recruiter(**rule)
    dummies("dummy1")
    with netdevsim() as names:
        # These devices have an address that can be chosen.
        write(f"{NETDEVSIM}/devices/netdevsim7/new_port", "8 52:54:00:00:00:01")
        new = lambda: set(links()) - {*names, "dummy1", "lo", "trunk0"}
        eventually(new, "a third port is there")
        third, = new()
        if "others" in what:
            equal(trunk.ports(), [], "ports")
        elif what in ("address", "all"):
            trunk.has(third)
        else:
            trunk.has(*names, third)
            if "bus" in rule:
                equal({link(name)["parentbus"] for name in names}, {"netdevsim"}, "bus as ip has it")
        expect("master" not in link("dummy1"), "dummy1 has a master")


@trodden
def test_only_nics_are_meant():
    """
    trunk0 (name *)    no loopback, tunnel, bridge, bond, VLAN, macvlan, other trunk; a dummy
                       and both ends of a veth
    """
    trunk = Recruiter(name="*")
    dummies("dummy1")
    trunk.has("dummy1")
    ip(f"""link add br0 type bridge
           link add trunk1 type {KIND}
           link add link trunk0 name vlan7 type vlan id 7
           link add veth1 type veth peer name veth2
           link set veth1 down""")
    attempt("ip link add bond9 type bond")
    run("modprobe tun")
    run("ip tuntap add tun1 mode tun")
    trunk.settled("last")
    trunk.has("dummy1", "veth1", "veth2")
    others = ["lo", "br0", "trunk1", "vlan7", "tun1"] + ["bond9"] * bool(link("bond9"))
    equal([name for name in others if "master" in link(name)], [], "devices with a master")
    kinds = [event["kind"] for event in trunk.control.history()]
    expect("join-refused" not in kinds, f"something was refused: {kinds}")
    ip("link del veth1")


def test_those_that_are_there_already():
    """
    dummy1, dummy2    exist before the rule
    """
    trunk = Recruiter()
    dummies("dummy1", "dummy2", "other1")
    ip("link set dummy2 up")
    trunk.rule(name="dummy*", priority=3)
    trunk.has("dummy1")
    trunk.refuses("dummy2", "trunk: the device is up; set it down first")
    equal(trunk.control.port("dummy1")["priority"], 3, "priority")
    # An equal rule changes nothing; with another one, devices are looked for again.
    ip("link set dummy2 down")
    trunk.rule(name="dummy*", priority=3)
    trunk.settled("dummy3")
    equal(trunk.ports(), ["dummy1"], "ports")
    trunk.rule(name="dummy*", priority=2)
    trunk.has("dummy1", "dummy2")
    equal({name: port["priority"] for name, port in trunk.control.ports().items()}, {"dummy1": 3, "dummy2": 2}, "priorities")


@trodden
def test_a_rule_that_is_forgotten():
    """
    trunk0 (name dummy*, then none)
    """
    trunk = Recruiter(name="dummy*")
    equal(trunk.control.get()["auto-join"], {"name": "dummy*", "priority": 1}, "the rule")
    trunk.events.until(lambda e: e["kind"] == "config", "the rule was set")
    dummies("dummy1")
    trunk.has("dummy1")
    trunk.rule()
    expect("auto-join" not in trunk.control.get(), "there is a rule")
    dummies("dummy2")
    Recruiter("trunk1", name="last").settled("last")
    equal(trunk.ports(), ["dummy1"], "ports")


# Whether


@trodden
def test_a_port_released_by_hand_stays_out():
    """
    trunk0 (name dummy*)    dummy1 is released, and joins when it is made again, or renamed
    """
    trunk = Recruiter(name="dummy*")
    dummies("dummy1", "dummy2")
    trunk.has("dummy1", "dummy2")
    ip("link set dummy1 nomaster")
    trunk.settled("dummy3")
    trunk.has("dummy2")
    ip("link del dummy1")
    dummies("dummy1")
    trunk.has("dummy1", "dummy2")
    ip("link set dummy2 nomaster\nlink set dummy2 name other\nlink set other name dummy3")
    trunk.has("dummy1", "dummy3")


def test_a_new_name_is_for_rules_about_names():
    """
    trunk0 (driver netdevsim)    trunk1 (name enp*): a NIC that trunk0 has released gets such a name
    """
    first, second = Recruiter(driver="netdevsim"), Recruiter("trunk1", name="enp*", priority=2)
    with netdevsim(2) as (one, other):
        first.has(one, other)
        ip(f"link set {one} nomaster\nlink set {one} name enp9")
        second.has("enp9")
        equal(first.ports(), [other], "ports of trunk0")


@trodden
def test_what_cannot_join_is_told():
    """
    trunk0 (mtu 65535) ─── dummy1    with the text that `ip link set … master` gets
    """
    trunk = Recruiter(name="new*")
    run("modprobe tun")
    # The device cannot have so large an MTU.
    ip("link set trunk0 mtu 65535")
    run("ip tuntap add new1 mode tap")
    trunk.refuses("new1", "trunk: the port does not take the trunk's MTU", errno.EINVAL)
    equal(refused("ip link set new1 master trunk0"), "trunk: the port does not take the trunk's MTU.", "words by hand")
    ip("link set trunk0 mtu 1500")

    dummies("other2", "other3", "other4", "other5")
    ip("""link add br0 type bridge
          link set other2 master br0
          link set other3 up
          link add macvlan1 link other4 type macvlan""")
    for n, words in (
        (2, "trunk: the device has another master"),
        (3, "trunk: the device is up; set it down first"),
        (4, "trunk: another device, such as a macvlan, receives for this one"),
    ):
        ip(f"link set other{n} name new{n}")
        trunk.refuses(f"new{n}", words)
    equal(trunk.ports(), [], "ports")
    # A device that cannot join does not prevent others.
    ip("link set other5 name new5")
    trunk.has("new5")


@trodden
def test_the_65th_is_refused():
    """
    trunk0 ─┬─ dummy1
            ├─   …
            └─ dummy64        dummy65
    """
    trunk = Recruiter(name="dummy*")
    names = [f"dummy{n}" for n in range(1, 66)]
    dummies(*names)
    trunk.has(*names[:64])
    trunk.refuses("dummy65", "trunk: a trunk has at most 64 ports", errno.ENOSPC)


@trodden
def test_the_first_of_two_trunks_has_it():
    """
    trunk0 (name dummy1*)    trunk1 (name dummy*)    without trunk0, trunk1 gets all
    """
    first, second = Recruiter(name="dummy1*"), Recruiter("trunk1", name="dummy*", priority=2)
    dummies("dummy1", "dummy2", "dummy10")
    first.has("dummy1", "dummy10")
    second.has("dummy2")
    ip("link del trunk0")
    dummies("dummy11")
    second.has("dummy2", "dummy11")
    # Only devices that appear from now on: released ones stay out.
    equal({port["priority"] for port in second.control.ports().values()}, {2}, "priorities")


@trodden
def test_other_namespaces_have_their_own():
    """
    here: trunk0 (name dummy*)    there: dummy1, until it moves here
    """
    trunk = Recruiter(name="dummy*")
    there = Netns()
    with there:
        dummies("dummy1", "dummy2")
        other = Recruiter("trunk1")
        with open("/proc/self/fd/%d" % there.outer[-1]) as here:
            ip(f"link set dummy2 netns /proc/{os.getpid()}/fd/{here.fileno()}")
    trunk.has("dummy2")
    with there:
        expect("master" not in link("dummy1"), "dummy1 has a master there")
        equal(other.ports(), [], "ports there")


@trodden
@cases("server", "spare")
def test_a_joining_port_takes_no_more_than_its_share(role):
    """
    trunk0 ─┬─ eth1 ── sw1
            ├─ eth2 ── sw2    eth3 appears: as a working port it takes its share and no more,
            └ ─ eth3 ── sw3   as a spare nothing; when it goes, its buckets go elsewhere
    """
    star = Star(2)
    before = star.map()
    with star.server:
        control = Control()
        control.set(auto_join={"name": "eth*", "priority": 1 if role == "server" else 2})
    with star.switch:
        netlink = Rtnetlink()
        netlink.add("sw3", "veth", peer="eth3", netns=star.server)
        netlink.up("sw3")
        star.far.append("sw3")
        star.ports.append("eth3")
        star.taps = Taps(star.far)
    eventually(lambda: control.ports().get("eth3", {}).get("state") == "act", "eth3 is a port, and act")
    after = star.map()
    for bucket, (old, new) in enumerate(zip(before, after)):
        expect(new in (old, 2), f"bucket {bucket} moved from {old} to {new}")
    fair(after, range(3 if role == "server" else 2))
    if role == "spare":
        moved = [e for e in control.history() if e["kind"] == "join" and e["buckets"]]
        equal(len(moved), 2, "joins that moved buckets")
    with star.switch:
        ip("link del sw3")
        star.far.pop(), star.ports.pop()
        star.taps = Taps(star.far)
    again = star.map()
    fair(again, range(2))
    for bucket, (old, new) in enumerate(zip(after, again)):
        expect(old in (new, 2), f"bucket {bucket} moved from {old} to {new}")


# Missing ports


def test_a_missing_port_joins_with_its_settings():
    """
    trunk0 ─┬─ dummy1
            └─ dummy2, missing    joins once it is there, though somebody brings it up at once
    """
    trunk = Recruiter()
    control = trunk.control
    control.await_port("dummy2", priority=3, weight=7, enabled=0)
    control.await_port("dummy1")
    equal(control.missing(), {"dummy2": (3, 7, 0), "dummy1": (1, 1, 1)}, "missing ports")
    dummies("dummy1", "dummy3")
    ip("link add dummy2 up type dummy")
    trunk.has("dummy1", "dummy2")
    port = control.port("dummy2")
    equal((port["priority"], port["weight"], port["enabled"]), (3, 7, 0), "settings of dummy2")
    equal(control.missing(), {}, "missing ports, once they are there")
    expect("UP" in link("dummy2")["flags"], "dummy2 is down")
    # One that leaves is not missing: it stays out.
    ip("link set dummy1 nomaster\nlink set dummy1 up\nlink set dummy1 down name other")
    Recruiter("trunk1", name="last").settled("last")
    equal(trunk.ports(), ["dummy2"], "ports")


def test_a_missing_port_may_get_its_name_in_any_way():
    """
    eth1 ──► dummy1    eth2, also dummy2    eth3, also dummy3, which it gets before the trunk asks
    """
    long = "dummy2-" + "x" * 120
    trunk = Recruiter(name="enp*", priority=5)
    for name in "dummy1", long, "dummy3", "enp4":
        trunk.control.await_port(name, priority=2)
    # Settings of a missing port can be changed, and it can be forgotten.
    trunk.control.await_port("dummy1", priority=4)
    trunk.control.forget_port("dummy3")
    equal(list(trunk.control.missing()), ["dummy1", long, "enp4"], "missing ports")
    dummies("eth1", "eth2", "eth3", "enp4")
    ip("link set eth1 name dummy1")
    for n, name in (2, long), (3, "dummy3"):
        run(f"ip link property add dev eth{n} altname {name}")
    ip("link set eth2 up\nlink set eth3 up")  # the kernel does not tell of alternative names
    trunk.has("dummy1", "eth2", "enp4")
    trunk.control.await_port("dummy3")
    trunk.has("dummy1", "eth2", "eth3", "enp4")
    equal({name: port["priority"] for name, port in trunk.control.ports().items()},
          {"dummy1": 4, "eth2": 2, "eth3": 1, "enp4": 2}, "priorities")  # fmt: skip
    equal(trunk.control.missing(), {}, "missing ports")


def test_a_missing_port_that_joins_by_hand_or_cannot_join():
    """
    dummy1    ip link set dummy1 master trunk0
    dummy2    has a macvlan: it stays up, and missing
    """
    trunk = Recruiter()
    dummies("other1", "other2")
    ip("link add macvlan1 link other2 type macvlan\nlink set other2 up")
    trunk.control.await_port("dummy1", priority=2, weight=0)
    trunk.control.await_port("dummy2", priority=2)
    ip("link set other1 name dummy1\nlink set dummy1 master trunk0")
    trunk.has("dummy1")
    equal((trunk.control.port("dummy1")["priority"], trunk.control.port("dummy1")["weight"]), (2, 0), "settings of dummy1")
    ip("link set other2 name dummy2")
    trunk.refuses("dummy2", "trunk: another device, such as a macvlan, receives for this one")
    equal(list(trunk.control.missing()), ["dummy2"], "missing ports")
    # It was set up again, and does not try because of that.
    trunk.control.await_port("last")
    trunk.settled("last")
    expect("UP" in link("dummy2")["flags"], "dummy2 was left down")
    equal([e["kind"] for e in trunk.control.history()].count("join-refused"), 1, "refusals")
    # It goes with its trunk.
    ip("link del trunk0\nlink del macvlan1\nlink set dummy2 down name other2\nlink set other2 name dummy2")
    Recruiter("trunk1", name="last").settled("last")
    expect("master" not in link("dummy2"), "dummy2 has a master")


def test_missing_ports_that_cannot_be():
    """
    trunk0 ─── dummy1
    """
    trunk = Recruiter()
    dummies("dummy1")
    ip("link set dummy1 master trunk0")
    raw, mine = genl.Raw(), genl.u32(1, socket.if_nametoindex("trunk0"))
    port = lambda *parts: mine + genl.nest(11, *parts)
    add, remove = 21, 22
    for command, body, number, text in (
        (add, mine, errno.EINVAL, "port: which port is not said"),
        (add, port(), errno.EINVAL, "port.ifname: which port is not said"),
        (add, port(attribute(2, "a b")), errno.EINVAL, "port.ifname: it is empty, or has a space in it"),
        (add, port(attribute(2, "")), errno.EINVAL, "port.ifname: it is empty, or has a space in it"),
        (add, port(attribute(2, "x" * 128)), errno.EINVAL, None),
        (add, port(attribute(2, "eth1"), genl.u32(1, 3)), errno.EINVAL, "port.ifindex: this is not to be set"),
        (add, port(attribute(2, "eth1"), genl.u32(4, 0)), errno.ERANGE, None),
        (add, port(attribute(2, "dummy1")), errno.EEXIST, "port.ifname: it is a port of the trunk already"),
        (remove, port(attribute(2, "eth1")), errno.ENOENT, "port.ifname: it is not missing there"),
        (remove, port(attribute(2, "eth1"), genl.u32(4, 1)), errno.EINVAL, "port.priority: this is not to be set"),
    ):
        answer = raw.ask(command, body)
        equal(answer.error, number, f"{answer}, where {text!r} is to come")
        expect(text is None or answer.text == text, f"{answer}, where {text!r} is to come")
    names = [f"missing{n}" for n in range(64)]
    for name in names:
        trunk.control.await_port(name)
    answer = raw.ask(add, port(attribute(2, "one-more")))
    equal((answer.error, answer.text), (errno.ENOSPC, "port: a trunk has at most 64 missing ports"), "the 65th")
    equal(list(trunk.control.missing()), names, "missing ports")
    trunk.control.await_port("missing5", priority=9)
    equal(trunk.control.missing()["missing5"], (9, 1, 1), "a change when there are 64")


# When


def test_a_driver_that_is_reloaded():
    """
    rmmod netdevsim, modprobe netdevsim    again and again: the ports go and come
    """
    trunk = Recruiter(driver="netdevsim", priority=2)
    for _ in range(count(10, least=3)):
        with netdevsim(ports=3) as names:
            trunk.has(*names)
        eventually(lambda: trunk.ports() == [], "the ports are gone")


def test_it_waits_for_nobody_else():
    """
    trunk0 (name dummy*)    while another process holds RTNL: nothing hangs, and then it joins
    """
    trunk = Recruiter(name="dummy*")
    dummies("dummy1")
    with RtnlHeld():
        time.sleep(0.1)
    trunk.has("dummy1")


@cases("trunk", "module", "device", "rule")
def test_what_waits_when_something_goes(what):
    """
    trunk0 (name dummy*)    devices that appear while the trunk, the module, the rule or they
                            themselves go
    """
    for _ in range(count(10, least=3)):
        genl.lib.ynl.GenlProtocol.genl_family_name_to_id = {}  # its number differs after each load
        trunk = Recruiter(name="dummy*")
        trunk.events.client.sock.close()
        dummies("dummy1", "dummy2", "dummy3")
        if what == "trunk":
            ip("link del trunk0")
        elif what == "module":
            unload()
        elif what == "device":
            ip("link del dummy1\nlink del dummy2")
            trunk.has("dummy3")
            ip("link del trunk0")
        else:
            trunk.rule()
            ip("link del trunk0")
        for name in links():
            if name.startswith("dummy"):
                expect("master" not in link(name), f"{name} has a master")
                ip(f"link del {name}")


def test_a_storm():
    """
    here: trunk0, trunk1 (name storm*)    two processes make devices, name them and delete them;
                                          a third sets rules
    """
    takes_time()
    trunks = [Recruiter(name="storm*"), Recruiter("trunk1", name="s*m?", priority=2)]
    for trunk in trunks:
        trunk.events.client.sock.close()  # there will be too many
        Rtnetlink().up(trunk.dev)

    def making(prefix):
        def go(stop):
            netlink = Rtnetlink()
            while not stop():
                for n in range(4):
                    netlink.add(f"{prefix}{n}", "dummy")
                for n in range(4):
                    with contextlib.suppress(OSError):
                        rename(netlink, f"{prefix}{n}", f"storm{prefix}{n}")
                for n in range(4):
                    for name in (f"{prefix}{n}", f"storm{prefix}{n}"):
                        with contextlib.suppress(OSError):
                            netlink.delete(name)

        return go

    seen, end = set(), time.monotonic() + (10 if SLOW else 4)

    def over():
        """Sets rules. Returns whether the time is over, and a device has joined and left."""
        trunks[0].rule()
        trunks[0].rule(name="storm*")
        time.sleep(0.05)
        seen.update(event["kind"] for trunk in trunks for event in trunk.control.history())
        return time.monotonic() > end and {"join", "leave"} <= seen

    with Background(making("a"), cpu=0), Background(making("b"), cpu=1):
        eventually(over, "somebody joins and leaves")
    for trunk in trunks:
        eventually(lambda: trunk.ports() == [], "nothing is left")
    dummies("storm1")
    trunks[0].has("storm1")


def rename(netlink, name, new):
    body = struct.pack("BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0)
    netlink.ask(RTM_NEWLINK, 0, body + attribute(IFLA_IFNAME, new))


# Requests


@trodden
def test_requests_that_make_no_sense():
    """
    trunk-set    refused as a whole, with the reason and the attribute
    """
    trunk = Recruiter(name="dummy*")
    client = trunk.control.client
    raw = genl.Raw()
    attrs = {name: attr.value for name, attr in client.attr_sets["trunk"].attrs.items()}
    inner = {name: attr.value for name, attr in client.attr_sets["auto-join"].attrs.items()}
    before = trunk.control.get()

    def ask(*parts):
        body = genl.u32(attrs["ifindex"], trunk.control.index) + genl.u32(attrs["bits"], 7)
        return raw.ask(client.ops["trunk-set"].req_value, body + genl.nest(attrs["auto-join"], *parts))

    def odd(name):
        return f"auto-join.{name}: it is empty, or has a space in it"

    for parts, error, text in (
        ([attribute(inner["name"], "")], errno.EINVAL, odd("name")),
        ([attribute(inner["name"], "a b")], errno.EINVAL, odd("name")),
        ([attribute(inner["driver"], "")], errno.EINVAL, odd("driver")),
        ([attribute(inner["bus"], "\n")], errno.EINVAL, odd("bus")),
        ([attribute(inner["address"], b"")], errno.EINVAL, odd("address")),
        ([genl.u32(inner["priority"], 2)], errno.EINVAL, "auto-join.priority: of which devices is not said"),
        ([attribute(inner["name"], "x" * 128)], errno.EINVAL, None),
        ([attribute(inner["driver"], "x" * 32)], errno.EINVAL, None),
        ([attribute(inner["address"], bytes(7))], errno.ERANGE, None),
        ([attribute(inner["name"], "a"), genl.u32(inner["priority"], 0)], errno.ERANGE, None),
        ([attribute(inner["name"], "a"), genl.u32(inner["priority"], 65536)], errno.ERANGE, None),
        ([genl.u32(6, 1)], errno.EINVAL, None),
    ):
        answer = ask(*parts)
        equal(answer.error, error, f"error of {parts}: {answer}")
        expect(text is None or answer.text == text, f"words of {parts}: {answer}")
        expect(answer.offset is not None, f"{parts}: where is not said: {answer}")
        equal(trunk.control.get(), before, f"settings after {parts}")
    longest = [attribute(inner["name"], "n" * 127), attribute(inner["driver"], "x" * 31)]
    equal(ask(*longest).error, 0, "the longest names")


@trodden
def test_only_the_administrator_sets_a_rule():
    """
    trunk-set as another user    EPERM, and the rule is as it was
    """
    trunk = Recruiter(name="dummy*")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            Control().set(auto_join={"name": "*"})
            os.write(writing, b"allowed")
        except Exception as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    said = os.read(reading, 4096).decode()
    expect("not permitted" in said, f"not refused: {said}")
    equal(trunk.control.get()["auto-join"]["name"], "dummy*", "the rule")


@contextlib.contextmanager
def counting(function):
    """Returns a function that returns how often a function of the kernel was called so far."""
    with kprobe(function):
        yield lambda: sum(int(line.split()[1]) for line in read(f"{TRACING}/kprobe_profile").splitlines())


def test_what_a_namespace_does_is_no_work_in_others():
    """
    here: trunk0 (auto-join lab*, a claim)    there: 100 devices appear. The driver does not look at
                                              them, since no rule is there; here it looks at each
    """
    devices = 100
    recruiter = Recruiter()
    recruiter.control.set(probe="off")
    dummies("dummy0")
    ip("link set dummy0 master trunk0\nlink set trunk0 up")
    there = Netns()

    def asked(where, prefix):
        """Returns the number of questions about devices that appear in a namespace."""
        with where:
            netlink = Rtnetlink()
            before = calls()
            for n in range(devices):
                netlink.add(f"{prefix}{n}", "dummy")
            return calls() - before

    with counting("netdev_master_upper_dev_get") as calls:
        before = asked(there, "before")
        recruiter.rule(name="lab*")
        now, here = asked(there, "now"), asked(contextlib.nullcontext(), "here")
    expect(here - before >= devices, f"{here} questions where there is a rule, {before} where there is none")
    expect(now - before < devices // 2, f"{now} questions once there is a rule elsewhere, {before} before")
    # Claims end with their socket, and matching devices join, after trunks elsewhere have come and gone.
    holder = genl.Holder()
    holder.claim(socket.if_nametoindex("dummy0"), 7)
    recruiter.settled("lab1")
    with there:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, genl.NETLINK_GENERIC).close()
    equal(len(recruiter.control.claims()), 1, "claims")
    holder.close()
    eventually(lambda: recruiter.control.claims() == [], "the claim has ended with its socket")
    recruiter.rule()
    dummies("lab2", "lab3")
    recruiter.rule(name="lab3")
    recruiter.has("dummy0", "lab3")
