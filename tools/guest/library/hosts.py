# SPDX-License-Identifier: GPL-2.0
"""Hosts with a trunk each, cabled port to port, and faults of their cables.

    server                       panel                       switch
    trunk0 ─┬─ eth1 ─────── eth1 ═══ sw1 ─────── sw1 ─┬─ trunk0
            ├─ eth2 ─────── eth2 ═══ sw2 ─────── sw2 ─┤
            └─ …                                       …

The cables pass through a namespace between the hosts, the panel. Its devices have the names of the
ports that they lead to. In the panel a bridge joins two cables and forwards all frames. There frames to
a port can be lost, delayed and changed, and frames of a test added, while both ends have carrier.
"""

import re

import genl
import probe
from genl import Control, Events, dashed
from lab import *

# Fast enough for a test, and slow enough for emulated guests: their clocks go on while their
# processors wait for the machine, so some answers in a row may be late. In µs.
INTERVAL = {"debug": 300_000, "stock": 100_000}.get(GUEST, 30_000)
SETTINGS = {"interval": INTERVAL, "reply-timeout": INTERVAL, "misses": 3 if MOMENT == 0 else 8, "hits": 2, "hold-down": 0}

IFLA_BR_AGEING_TIME, IFLA_BR_GROUP_FWD_MASK, IFLA_BR_MCAST_SNOOPING = 4, 9, 23


class Panel:
    """The namespace in which cables end and are joined. All ports have different names."""

    def __init__(self, name=None):
        self.netns, self.joined, self.names = Netns(name), {}, 0

    def lead(self, netns, port):
        """Makes a port in that namespace, with a cable to the panel."""
        with self.netns:
            netlink = Rtnetlink()
            netlink.add(port, "veth", peer=port, netns=netns)
            netlink.netem(port)  # changes no frame yet
            netlink.up(port)

    def join(self, one, other, groups=True):
        """Joins two cables. They leave the cables that they were joined to. Without `groups`, frames to
        the nearest bridge are not forwarded, as a plain switch does not."""
        with self.netns:
            netlink, name = Rtnetlink(), f"cable{self.names}"
            self.names += 1
            wire = attribute(IFLA_BR_AGEING_TIME, 0) + attribute(IFLA_BR_MCAST_SNOOPING, b"\0")
            wire += attribute(IFLA_BR_GROUP_FWD_MASK, struct.pack("H", groups << 0xE))
            netlink.add(name, "bridge", data=wire)
            netlink.up(name)
            with netlink.at_once():
                for port in one, other:
                    netlink.master(port, name)
                    self.joined.pop(self.joined.pop(port, None), None)
        self.joined[one], self.joined[other] = other, one

    def swap(self, one, other):
        """Swaps two cables in one request."""
        with self.netns:
            netlink = Rtnetlink()
            bridges = [netlink.look(port)[1][IFLA_MASTER] for port in (one, other)]
            with netlink.at_once():
                for port, bridge in zip((other, one), bridges):
                    netlink.set(port, IFLA_MASTER, bridge)
        ends = self.joined[one], self.joined[other]
        for port, end in zip((other, one), ends):
            self.joined[port], self.joined[end] = end, port

    def ends(self, port):
        """Returns a port and the one that it is joined to."""
        return [port, self.joined[port]] if port in self.joined else [port]

    def part(self, port):
        """Separates two cables. Both ends keep their carrier."""
        with self.netns:
            for end in self.ends(port):
                Rtnetlink().master(end, None)
        self.joined.pop(self.joined.pop(port, None), None)

    def pull(self, port, both=True):
        """Takes the carrier of the port and, with `both`, of the other end."""
        with self.netns:
            netlink = Rtnetlink()
            with netlink.at_once():
                for end in self.ends(port) if both else [port]:
                    netlink.up(end, False)

    def plug(self, port):
        with self.netns:
            for end in self.ends(port):
                Rtnetlink().up(end)

    def spoil(self, *ports, **how):
        """Loses or changes frames to these ports, as Rtnetlink.netem() does, with one request for all."""
        with self.netns:
            netlink = Rtnetlink()
            with netlink.at_once():
                for port in ports:
                    netlink.netem(port, **how)

    def lose(self, *ports):
        """Loses all frames on these cables, both ways."""
        self.spoil(*(end for port in ports for end in self.ends(port)), loss=1)

    def heal(self, *ports):
        self.spoil(*(end for port in ports for end in self.ends(port)))

    def sender(self, port):
        """Returns a sender of frames to this port, which are not lost or changed."""
        with self.netns:
            return Sender(port, past_queue=True)

    def tap(self, port, type=probe.TYPE):
        """Returns a tap of the frames that this port sends."""
        with self.netns:
            return Tap(port, type=type)


def relaying(panel, one, other, change=lambda data: [data], type=probe.TYPE):
    """Returns a function for a Background. It passes frames of that type between two ports, both ways.
    change() returns the list of frames to pass on for a frame."""

    def go(stop):
        ways = [(panel.tap(a, type), panel.sender(b)) for a, b in ((one, other), (other, one))]
        while not stop():
            select.select([tap.socket for tap, _ in ways], [], [], 0.05)
            for tap, sender in ways:
                for data in tap.take():
                    for changed in change(data):
                        sender.send(changed)

    return go


class Relay:
    """While the block runs, a process is the cable between two ports. It can be stopped while another
    process holds RTNL, so that no device can be changed. Then no frame passes."""

    def __init__(self, panel, one, other):
        panel.part(one)
        self.process = Background(relaying(panel, one, other, type=None))

    def __enter__(self):
        self.process.__enter__()
        return self

    def stop(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def __exit__(self, *error):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.__exit__(*error)


class Host:
    """A namespace with a trunk.

    `priorities`: one for each port. The names of ports are `prefix` and a number from 1.
    """

    def __init__(self, panel, prefix, priorities, name=None, ipv6=False, dev="trunk0", netns=None, **settings):
        if not loaded():
            load()
        self.netns = netns or Netns(name, ipv6)
        self.ports = [f"{prefix}{n}" for n in range(1, len(priorities) + 1)]
        for port in self.ports:
            panel.lead(self.netns, port)
        self.dev, self.priorities, self.settings = dev, list(priorities), SETTINGS | dashed(settings)
        self.make()

    def make(self):
        """Makes the trunk, with its ports and settings. It is down."""
        with self.netns:
            netlink = Rtnetlink()
            netlink.add(self.dev, KIND)
            self.control, self.events = Control(self.dev), Events()
            self.heard, self.pending = 0, []
            for port in self.ports:
                netlink.up(port, False)
                netlink.master(port, self.dev)
        self.index = {name: port["ifindex"] for name, port in self.control.ports().items()}
        self.name = {index: name for name, index in self.index.items()}
        for port, priority in zip(self.ports, self.priorities):
            if priority != 1:
                self.set_port(port, priority=priority)
        self.set(**self.settings)

    def delete(self):
        with self.netns:
            Rtnetlink().delete(self.dev)

    def set(self, **settings):
        self.control.set(**settings)

    def set_port(self, port, **settings):
        self.control.client.do("port-set", {"port": {"ifindex": self.index[port]} | dashed(settings)})

    def up(self):
        with self.netns:
            bring_up(self.dev)
            self.trunk = Sender(self.dev)
        eventually(lambda: not {"no-carrier", "admin-down"} & set(self.states().values()), "all ports are up")
        self.all_told()
        self.pending = [line for line in self.told() if not re.fullmatch(r"\S+ (join|act)", line)]

    def down(self):
        with self.netns:
            Rtnetlink().up(self.dev, False)

    def states(self):
        """Returns for each port "act" or the reason why it is not."""
        ports = self.control.ports()
        return {name: "act" if port["state"] == "act" else port["reason"] for name, port in ports.items()}

    def probed(self):
        return {name for name, port in self.control.ports().items() if port.get("probed")}

    def in_use(self):
        """Returns the ports that serve buckets or a claim."""
        return {name for name, port in self.control.ports().items() if port.get("in-use")}

    def carriers(self):
        """Returns the ports that carry buckets."""
        return {name for name, port in self.control.ports().items() if port["buckets"]}

    def stand_ins(self):
        """Returns a dictionary: spare → the working port for which it stands in."""
        ports = self.control.ports().items()
        return {name: self.name[port["stands-in-for"]] for name, port in ports if "stands-in-for" in port}

    def rounds(self, more):
        """Waits until each port with carrier has had so many more rounds."""
        rounds(self, more=more)

    def all_told(self):
        """Waits until the events so far have been received: they come later than states can be seen."""
        last = self.control.history()[-1]["seq"]
        own = lambda: [event["seq"] for _, message, event in self.events.look() if message["ifindex"] == self.control.index]
        eventually(lambda: last in own(), f"event {last} has come")

    def forget_told(self):
        """Discards the events so far."""
        self.all_told()
        self.told()

    def told(self):
        """Returns the events since the last call, as short() has them, without changes of settings."""
        told = self.events.look()[self.heard :]
        self.heard += len(told)
        own = [short(event) for _, message, event in told if message["ifindex"] == self.control.index]
        pending, self.pending = self.pending, []
        return pending + list(filter(None, own))


def rounds(*hosts, more):
    """Waits until each port with carrier, of all these hosts, has had so many more rounds."""
    def over():
        return {(host, name): port["rounds"] for host in hosts for name, port in host.control.ports().items()
                if port["reason"] not in ("no-carrier", "admin-down")}  # fmt: skip

    ends = {port: number + more for port, number in over().items()}

    def enough():
        now = over()
        return all(now.get(port, end) >= end for port, end in ends.items())

    eventually(enough, f"{more} rounds more")


def short(event):
    """Returns an event as a line: "eth1 sby probe-timeout", "eth1 failover eth3 probe-timeout", "eth1 act",
    "eth1 failback eth3", "eth1 peer-found", "peer-lost" …; a change of settings as an empty one."""
    kind, port = event["kind"], event.get("port-name", "")
    if kind == "config":
        return ""
    words = [port, kind]
    if kind == "port-state":
        words = [port, event["new-state"]]
    if kind in ("failover", "failback", "claim-moved"):
        words.append(event.get("other-name", "-"))
    if event.get("reason", "none") != "none":
        words.append(event["reason"])
    return " ".join(filter(None, words))


def accounted(host, *wanted, maybe=()):
    """Waits until the host has reported these events since it was last asked, in any order. Each pattern
    matches one event; each of `maybe`, any number. Fails if there is any other event: the caller has
    waited long enough for that."""
    seen, left, who = [], list(wanted), host.ports[0][:-1]

    def all_there():
        new = host.told()
        seen.extend(new)
        for text in new:
            fits = next((pattern for pattern in left if re.fullmatch(pattern, text)), None)
            if fits:
                left.remove(fits)
            elif not any(re.fullmatch(pattern, text) for pattern in maybe):
                raise Failed(f"{who} reported {text!r}; wanted: {list(wanted)}; so far: {seen}")
        return not left

    eventually(all_there, f"{who} reports all of {list(wanted)}")
    return seen


class Pair:
    """A server and a switch. Cable n leads from eth n to sw n, or to the n-th of `crossed`."""

    def __init__(self, priorities=(1, 1, 2), switch_priorities=None, crossed=None, start=True, ipv6=False,
                 names=(None, None, None), switch_settings=None, **settings):  # fmt: skip
        server, switch, panel = names
        self.panel = Panel(panel)
        self.server = Host(self.panel, "eth", priorities, server, ipv6, **settings)
        self.switch = Host(self.panel, "sw", switch_priorities or priorities, switch, ipv6,
                           **(settings | (switch_settings or {})))
        self.hosts = [self.server, self.switch]
        order = crossed or range(1, len(priorities) + 1)
        self.far = {f"eth{n}": f"sw{m}" for n, m in enumerate(order, 1)}
        for port, far in self.far.items():
            self.panel.join(port, far)
        if start:
            self.start()

    def start(self):
        """Brings both trunks up, and waits until all links are proven."""
        for host in self.hosts:
            host.up()
        for host in self.hosts:
            eventually(lambda: host.probed() == set(host.ports), "all peers are found")
            self.until(host)
            accounted(host, *(f"{port} peer-found" for port in host.ports), maybe=[r"\S+ peer-differs"])

    def until(self, host, others=None):
        """Waits until the states of a host's ports match `others` (port → pattern), and all the others are act."""
        wanted = dict.fromkeys(host.ports, "act") | (others or {})
        last = None

        def reached():
            nonlocal last
            last = host.states()
            return all(re.fullmatch(wanted[port], state) for port, state in last.items())

        eventually(reached, lambda: f"the ports are {wanted}; they are {last}")


# What tests expect of a pair


def fails(pair, port, at_server, at_switch):
    """Waits until the link of this port has failed, and the spare, the last port, stands in. Each end has
    the reason as given. "X after Y": the reason may have been Y at first."""
    for host, name, reason in (pair.server, port, at_server), (pair.switch, pair.far[port], at_switch):
        last, _, first = reason.partition(" after ")
        pair.until(host, {name: last})
        reasons = f"({last}|{first or last})"
        told = accounted(host, f"{name} sby {reasons}", f"{name} failover {host.ports[-1]} {reasons}",
                         maybe=[f"{name} sby ({last})"])
        said = [line.split()[2] for line in told if line.startswith(f"{name} sby ")]
        equal(len(said), len(set(said)), f"reasons reported once each, {said}")
        # A reason that is known later is reported once it lasts; but not that nobody answers.
        if not re.search(r"probe-timeout|peer-sby", last):
            if not re.fullmatch(last, said[-1]):
                accounted(host, f"{name} sby {last}")
        elif "|" in last:
            host.rounds(more=2 * (max(SETTINGS["misses"], SETTINGS["hits"]) + 1) + 1)
            accounted(host, maybe=[f"{name} sby ({last})"])
        equal(host.stand_ins(), {host.ports[-1]: name}, "stand-ins")
    quiet(pair)
    carries(pair)


def returns(pair, port):
    """Waits until the link works again, and its port has its buckets at both ends."""
    for host, name in (pair.server, port), (pair.switch, pair.far[port]):
        pair.until(host)
        accounted(host, f"{name} act", f"{name} failback {host.ports[-1]}")
        equal(host.stand_ins(), {}, "stand-ins")
    quiet(pair)
    carries(pair)


def quiet(*hosts, more=5):
    """Checks that the hosts report no event for so many more rounds."""
    hosts = hosts[0].hosts if isinstance(hosts[0], Pair) else hosts
    rounds(*hosts, more=more)
    for host in hosts:
        accounted(host)


def carries(pair):
    """Checks that each trunk receives what the other one sends."""
    for one, other in (pair.server, pair.switch), (pair.switch, pair.server):
        with other.netns:
            tap = Taps([other.dev])
        for bucket in range(32):
            one.trunk.send(frame(mac(bucket), mac(1), bucket))
        equal(sorted(numbers(tap.take(32))), list(range(32)), f"frames that came to {other.ports[0][:-1]}")
