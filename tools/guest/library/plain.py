# SPDX-License-Identifier: GPL-2.0
"""Networks without a trunk at the far end, and the aggregates that are compared there: a trunk, a bond, a team."""

from lab import *

BOND, XOR, TEAM = "bonding active-backup", "bonding balance-xor", "team activebackup"


def aggregate(kind, ports, spare=True, dev="agg0", settings="", waits=True):
    """Makes an aggregate of these ports, the last a spare if that is wanted, and waits until it has carrier. `kind` is
    trunk, or one of the above."""
    for port in ports:
        ip(f"link set {port} down")
    if kind == "trunk":
        if not loaded():
            load()
        words = " ".join(f"port {port} prio {1 + (spare and port == ports[-1])}" for port in ports)
        run(f"trunkctl add {dev} {settings} {words}")
    elif kind == TEAM:
        team(dev, {port: {"prio": len(ports) - n} for n, port in enumerate(ports)}, "activebackup", {"name": "ethtool"})
    else:
        ip(f"link add {dev} type bond mode {kind.removeprefix('bonding ')} miimon 20")
        for port in ports:
            ip(f"link set {port} master {dev}")
        if kind == BOND:
            ip(f"link set {dev} type bond primary {ports[0]} primary_reselect always")
    for port in ports:
        ip(f"link set {port} up")
    ip(f"link set {dev} up")
    if waits:
        bring_up(dev)


def team(dev, ports, runner, watch):
    """Starts teamd, which makes a team of these ports, {name: settings}. Returns the process."""
    config = {"device": dev, "runner": {"name": runner}, "link_watch": watch, "ports": ports}
    process = subprocess.Popen(["teamd", "-p", f"/run/{dev}.{next(iter(ports))}.{os.getpid()}.pid", "-c", json.dumps(config)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    eventually(lambda: all(links()[port].get("master") == dev for port in ports), "teamd has made its device")
    return process


def cable(one, dev, other, end, up=True):
    """Lays a cable from a device of one namespace to one of another."""
    with one:
        Rtnetlink().add(dev, "veth", peer=end, netns=other)
    if up:
        for netns, name in (one, dev), (other, end):
            with netns:
                Rtnetlink().up(name)


def bridge(netns, ports, dev="br0", words="mcast_snooping 0"):
    """Makes a bridge of these ports."""
    with netns:
        ip(f"link add {dev} type bridge forward_delay 0 {words}")
        for port in ports:
            ip(f"link set {port} master {dev}\nlink set {port} up")
        ip(f"link set {dev} up")


def ping(target, count=5):
    """Returns how many answers come."""
    done = attempt(f"ping -n -q -c {count} -i 0.2 -W 1 {target}")
    found = re.search(r"(\d+) received", done.stdout)
    return int(found[1]) if found else 0


def answers(target, count=5):
    """Waits until so many in a row are answered: what is to be learned first takes its time on a slow machine."""
    eventually(lambda: ping(target, count) == count, f"{count} answers of {target}")


def fdb(netns, bridge, address):
    """Returns the ports at which the bridge has learned this address."""
    with netns:
        entries = json.loads(run(f"bridge -j fdb show br {bridge}"))
    return [entry["ifname"] for entry in entries if unmac(entry["mac"]) == address and "master" in entry]


def copies(taken, numbers):
    """Returns how often each of these numbers is among frames taken: {times: how many}."""
    seen = [number_of(data) for data in taken]
    times = [seen.count(n) for n in numbers]
    return {t: times.count(t) for t in sorted(set(times))}


class Plain:
    """A plain switch.

    server                        switch                   client
    agg0 ─┬─ eth1 ────────────── sw1 ─┐
          └─ eth2 (spare) ────── sw2 ─┴─ br0 ── p0 ─────── c0
    192.0.2.1, 2001:db8::1                                 192.0.2.2, 2001:db8::2
    """

    def __init__(self, kind="trunk", spare=True, switch="mcast_snooping 0", settings="", ports=2, first_down=False):
        self.kind = kind
        self.server, self.switch, self.client = Netns(ipv6=True), Netns(ipv6=True), Netns(ipv6=True)
        self.ports = [f"eth{n}" for n in range(1, ports + 1)]
        self.far = [f"sw{n}" for n in range(1, ports + 1)]
        for port, far in zip(self.ports, self.far):
            cable(self.server, port, self.switch, far, up=False)
        cable(self.switch, "p0", self.client, "c0")
        bridge(self.switch, [*self.far, "p0"], words=switch)
        if first_down:
            with self.switch:
                ip("link set sw1 down")
        with self.server:
            aggregate(kind, self.ports, spare, settings=settings)
            self.mac = address("agg0")
        with self.client:
            self.client_mac = address("c0")
        with self.switch:
            for far in self.far[first_down:]:
                eventually(lambda: forwards(far), f"br0 forwards by {far}")
            eventually(lambda: forwards("p0"), "br0 forwards by p0")

    def addressed(self, dev="agg0"):
        """Gives both ends addresses."""
        for netns, name, last in (self.server, dev, 1), (self.client, "c0", 2):
            with netns:
                ip(f"address add 192.0.2.{last}/24 dev {name}\naddress add 2001:db8::{last}/64 dev {name} nodad")

    def machine(self, ipv6=True):
        """Puts a bridge above the aggregate, and a virtual machine there: v1 ── v0 ── br1 ── agg0."""
        self.vm = Netns(ipv6=ipv6)
        cable(self.server, "v0", self.vm, "v1")
        bridge(self.server, ["v0", "agg0"], dev="br1")
        with self.server:
            for dev in "v0", "agg0":
                eventually(lambda: forwards(dev), f"br1 forwards by {dev}")
        with self.vm:
            self.vm_mac = address("v1")
            ip("address add 192.0.2.3/24 dev v1")
            self.from_vm, self.to_vm = Sender("v1"), Tap("v1")

    def pull(self, port, plug=False):
        """Pulls the cable of a port, or plugs it in. The aggregate has changed over afterwards."""
        far = port.replace("eth", "sw")
        with self.switch:
            Rtnetlink().up(far, plug)
        with self.server:
            eventually(lambda: carrier(port) == plug, f"{port} notices")
            if self.kind == "trunk":
                eventually(lambda: (port_of(port)["state"] == "act") == plug, f"the trunk notices {port}")
        if plug:
            with self.switch:
                eventually(lambda: forwards(far), f"br0 forwards by {far}")
        time.sleep(1)

    def far_end(self):
        """Returns what the trunk takes the far end for, and why."""
        with self.server:
            return far_end()


def far_end(dev="agg0"):
    """Returns what a trunk takes its far end for, and why."""
    got = json.loads(run(f"trunkctl -j show {dev}"))[0]
    return got["far_end_is"], got["far_end_reason"]


def port_of(name):
    """Returns a port as trunkctl shows it."""
    return next(port for port in json.loads(run("trunkctl -j port show")) if port["ifname"] == name)


class Parallel:
    """Two aggregates with a plain switch in each link.

    a                             middle                   b
    agg0 ─┬─ eth1 ─────────────── a1 ─ w1 ─ b1 ─────────── eth1 ─┬─ agg0
          ├─ eth2 ─────────────── a2 ─ w2 ─ b2 ─────────── eth2 ─┤
          └─ eth3 ─────────────── a3 ─ w3 ─ b3 ─────────── eth3 ─┘
    192.0.2.1, 2001:db8::a                                 192.0.2.2, 2001:db8::b
    """

    def __init__(self, kind, count=3, settings=""):
        self.ends, self.middle = {"a": Netns(ipv6=True), "b": Netns(ipv6=True)}, Netns(ipv6=True)
        self.ports = [f"eth{n}" for n in range(1, count + 1)]
        for n in range(1, count + 1):
            for end, netns in self.ends.items():
                cable(netns, f"eth{n}", self.middle, f"{end}{n}", up=False)
            bridge(self.middle, [f"a{n}", f"b{n}"], dev=f"w{n}")
        self.mac = {}
        for last, (end, netns) in enumerate(self.ends.items(), 1):
            with netns:
                aggregate(kind, self.ports, spare=False, settings=settings)
                self.mac[end] = address("agg0")
                ip(f"address add 192.0.2.{last}/24 dev agg0\naddress add 2001:db8::{end}/64 dev agg0 nodad")
