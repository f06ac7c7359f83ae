# SPDX-License-Identifier: GPL-2.0
"""A server and one switch or two, as samples/topologies makes them, and their cables."""

import collections
import os

import genl
from lab import *

SAMPLES = "/samples/topologies"
RTM_NEWNEIGH, RTM_DELNEIGH, RTMGRP_NEIGH, NDA_LLADDR, AF_BRIDGE = 28, 29, 4, 2, 7
# The default, so that usual times are measured; but replies may come later. In µs.
INTERVAL = 400_000 if SLOW else 100_000
SETTINGS = f"interval {INTERVAL}us reply-timeout {INTERVAL}us misses 3 hits 2 hold-down off"
CLIENTS = [f"client{n}" for n in range(1, 5)]


class Existing(Netns):
    """A namespace that `ip netns` knows."""

    def __init__(self, name):
        self.path = f"/run/netns/{name}"
        self.fd, self.outer = os.open(self.path, os.O_RDONLY), []


class End:
    """A trunk: its table and its ports."""

    def __init__(self, netns, dev, selector):
        self.netns, self.dev, self.selector = netns, dev, selector
        with netns:
            self.control, self.address = genl.Control(dev), address(dev)
        self.read()

    def read(self):
        self.table = self.control.column()

    def port(self, dst, src):
        """Returns the port by which a frame leaves."""
        return self.table[INDEX[self.selector](dst, src) % len(self.table)]

    def acts(self):
        return {name for name, port in self.control.ports().items() if port["state"] == "act"}


class Layout:
    """A layout that a script of samples/topologies makes, `one-switch` or `two-switches`, while the block
    runs.

    Each of the four clients has several addresses: `homes`, address → name of the client.
    """

    def __init__(self, script, addresses=16, **environment):
        if not loaded():
            load()
        self.script, self.two = f"{SAMPLES}/{script}.sh", script == "two-switches"
        self.pins = environment.get("PIN") != ""
        self.environment = {"IDLE": 1, "SETTINGS": SETTINGS} | environment
        # An odd factor, so that all low bits occur.
        self.homes = {mac(0xC11E0000 + 37 * n): CLIENTS[n % 4] for n in range(4 * addresses)}

    def __enter__(self):
        self.do("up")
        try:
            self.find()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.do("down")

    def do(self, what):
        words = [f"{name}='{value}'" for name, value in self.environment.items()]
        run(["sh", "-c", " ".join([*words, "sh", self.script, what])])

    def find(self):
        switches = ["switch-a", "switch-b"] if self.two else ["switch"]
        self.netns = {name: Existing(name) for name in ["server", "hub", "sub", *switches, *CLIENTS]}
        self.server = End(self.netns["server"], "trunk0", "dmac")
        self.switches = {name: End(self.netns[name], "trunk0", "smac") for name in switches}
        self.isl = {name: End(self.netns[name], "isl", "smac-dmac") for name in switches} if self.two else {}
        # The switch and its port that each client leads to, and the bridge in between.
        at = {"client1": "c1", "client2": "c2", "client3": "c3", "client4": "c4"}
        self.at = {client: (switches[0 if not self.two or client < "client3" else 1], port) for client, port in at.items()}
        self.between = {"client2" if self.two else "client3": "hub", "client4": "sub"}
        # The switch, and its port, that each port of the server leads to.
        self.far = {port: (switches[0 if not self.two or port < "eth3" else 1], port.replace("eth", "sw"))
                    for port in self.server.table}  # fmt: skip
        self.settle()

    def ends(self):
        return [self.server, *self.switches.values(), *self.isl.values()]

    def settle(self):
        """Waits until all links are tested and in use, and all ports of bridges forward."""
        for end in self.ends():
            fine = lambda: all(port.get("probed") and port["state"] == "act" for port in end.control.ports().values())
            eventually(fine, f"all links of {end.dev} work")
            eventually(lambda: len(set(end.control.column())) == len(end.control.ports()), "all carry buckets")
            end.read()
        for name in ["hub", "sub", *self.switches]:
            forwards = lambda: all(port["state"] == "forwarding" for port in self.bridge(name, "link"))
            with self.netns[name]:
                eventually(forwards, f"all ports of {name} forward")
        if self.two and self.pins:
            for name in self.switches:
                eventually(lambda: self.pinned(name), f"{name} has the server pinned")
        self.other_way = {name: other for name in self.switches for other in self.switches if other != name}

    def bridge(self, name, words):
        with self.netns[name]:
            return json.loads(run(f"bridge -j {words}"))

    def pinned(self, name):
        """Returns whether the server's address is pinned to the trunk of that switch."""
        entries = self.bridge(name, "fdb show dev trunk0")
        mine = [entry for entry in entries if unmac(entry["mac"]) == self.server.address]
        return bool(mine) and all("sticky" in entry.get("flags", []) for entry in mine)

    # The end of a cable is (namespace, device), where a frame comes in.

    def taps(self):
        """Returns a tap for each end of each cable."""
        found = {}
        for name, netns in self.netns.items():
            with netns:
                for dev in links():
                    if dev not in ("lo", "br0", "trunk0", "isl"):
                        found[name, dev] = Tap(dev)
        return found

    def access(self, client, inward):
        """Returns the ends on the way between a client and its switch: to the switch, or from it."""
        switch, port = self.at[client]
        between = self.between.get(client)
        if inward:
            return ([(between, port)] if between else []) + [(switch, port)]
        return ([(between, "up0")] if between else []) + [(client, "eth0")]

    def across(self, switch, dst, src):
        """Returns the other switch, and its end of the cable that a frame takes there."""
        other = self.other_way[switch]
        return other, (other, self.isl[switch].port(dst, src))

    def way(self, dst, src):
        """Returns the ends at which a frame comes in, from a client or the server to one of them or to all.
        It goes by the tables; the bridges must know all addresses."""
        if src == self.server.address:
            switch, port = self.far[self.server.port(dst, src)]
            ends = [(switch, port)]
            if dst == BROADCAST:
                return ends + self.flood(switch, "trunk0", dst, src)
        else:
            client = self.homes[src]
            switch, _ = self.at[client]
            ends = self.access(client, True)
            if dst == BROADCAST:
                return ends + self.flood(switch, client, dst, src)
            if dst == self.server.address:
                return ends + [self.to_server(switch, dst, src)]
        client = self.homes[dst]
        if self.at[client][0] != switch:
            switch, end = self.across(switch, dst, src)
            ends.append(end)
        return ends + self.access(client, False)

    def to_server(self, switch, dst, src):
        return "server", self.switches[switch].port(dst, src).replace("sw", "eth")

    def flood(self, switch, source, dst, src):
        """Returns the ends to which a switch floods a broadcast from its trunk0, its isl, or a client."""
        ends = []
        for client in CLIENTS:
            if self.at[client][0] == switch and client != source:
                ends += self.access(client, False)
        if source != "trunk0":
            ends.append(self.to_server(switch, dst, src))
        if self.two and source != "isl":
            other, end = self.across(switch, dst, src)
            ends += [end] + self.flood(other, "isl", dst, src)
        return ends


class Fdb:
    """The notifications about address tables of bridges, from now on."""

    def __init__(self, netns):
        with netns:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            self.socket.bind((0, RTMGRP_NEIGH))
        self.socket.setblocking(False)
        self.lost = False  # there was no room for all notifications

    def take(self):
        """Returns (kind of message, interface index, address) of each notification since the last call."""
        got = []
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                return got
            except OSError:
                self.lost = True
                continue
            while data:
                length, kind = struct.unpack_from("IH", data)
                family, index = struct.unpack_from("Bxxxi", data, 16)
                if family == AF_BRIDGE and kind in (RTM_NEWNEIGH, RTM_DELNEIGH):
                    got.append((kind, index, dict(attributes(data[28:length])).get(NDA_LLADDR)))
                data = data[(length + 3) & ~3 :]


def spoil(layout, places, **how):
    for name, dev in places:
        with layout.netns[name]:
            Rtnetlink().netem(dev, **how)


# Failures

TCP_PORT, ECHO_PORT, EVERY = 7007, 7008, 0.01


def serving(stop):
    """A function for a Background at a client. It echoes TCP and datagrams."""
    listener = socket.create_server(("", TCP_PORT))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("", ECHO_PORT))
    open_ones = [listener, datagrams]
    while not stop():
        for one in select.select(open_ones, [], [], 0.1)[0]:
            if one is listener:
                open_ones.append(listener.accept()[0])
            elif one is datagrams:
                data, origin = one.recvfrom(64)
                one.sendto(data, origin)
            else:
                try:
                    data = one.recv(4096)
                    one.sendall(data)
                except ConnectionError:  # the other end is done
                    data = b""
                if not data:
                    open_ones.remove(one)


class Traffic:
    """TCP connections from the server to each client, which are never idle, and a stream of datagrams. The
    clients echo all. It runs in a process of its own. When asked on a pipe, it answers how long ago each
    flow had its last answer, and its longest gap since the question before."""

    CONNECTIONS = 3

    def __init__(self, layout, hosts):
        self.hosts = hosts
        self.asked, self.asking = os.pipe()
        self.answers, self.answer = os.pipe()
        with layout.netns["server"]:
            self.background = Background(self.go)
            self.background.__enter__()

    def go(self, stop):
        flows, last, gaps = {}, {}, {}
        for host in self.hosts:
            for n in range(self.CONNECTIONS):
                connection = socket.create_connection((host, TCP_PORT), timeout=60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.send(b"0" * 8)
                connection.setblocking(False)
                flows[connection] = (host, f"tcp {n}")
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            datagrams.connect((host, ECHO_PORT))
            datagrams.setblocking(False)
            flows[datagrams] = (host, "udp")
        now = time.monotonic()
        for flow in flows.values():
            last[flow], gaps[flow] = now, 0.0
        waiting, due, number = {}, now, 0
        while not stop():
            ready = select.select([*flows, self.asked], [], [], EVERY)[0]
            now = time.monotonic()
            for one in ready:
                if one == self.asked:
                    os.read(self.asked, 1)
                    report = {"|".join(flow): [now - last[flow], max(gaps[flow], now - last[flow])] for flow in last}
                    data = json.dumps(report).encode()
                    os.write(self.answer, struct.pack("I", len(data)) + data)
                    gaps = dict.fromkeys(gaps, 0.0)
                    continue
                flow = flows[one]
                try:
                    data = one.recv(4096)
                except OSError:
                    continue
                expect(data or flow[1] == "udp", f"{flow} was closed")
                gaps[flow] = max(gaps[flow], now - last[flow])
                last[flow] = now
                if flow[1] != "udp":
                    waiting[one] = data
            if now >= due:
                due, number = now + EVERY, number + 1
                for one, flow in flows.items():
                    try:
                        if flow[1] == "udp":
                            one.send(struct.pack("I", number))
                        elif one in waiting:
                            one.send(waiting.pop(one))
                    except OSError:
                        pass

    def look(self):
        """Returns host → flow → (seconds since its last answer, longest gap since the last call)."""
        os.write(self.asking, b"?")
        length, = struct.unpack("I", self.read(4))
        found = collections.defaultdict(dict)
        for name, times in json.loads(self.read(length)).items():
            host, flow = name.split("|")
            found[host][flow] = times
        return found

    def read(self, length):
        data = b""
        while len(data) < length:
            expect(select.select([self.answers], [], [], 60)[0], "the traffic has ended")
            data += os.read(self.answers, length - len(data))
        return data

    def end(self):
        self.background.__exit__()


class Gaps(collections.namedtuple("Gaps", "what cut failed mended")):
    """The longest times without an answer, in ms, of datagrams ("udp") and TCP. `failed`: after the failure,
    of the clients that were not cut off. `mended`: after the repair, of all."""

    def __str__(self):
        times = "".join(f"{gaps[kind]:8}" for gaps in (self.failed, self.mended) for kind in ("udp", "tcp"))
        return f"{self.what:34}{times}   {', '.join(self.cut) or '-'}"


class Failing:
    """A layout with traffic between the server and each client, in which things fail."""

    def __init__(self, layout):
        self.layout = layout
        self.host = {client: f"192.0.2.1{client[-1]}" for client in CLIENTS}
        own = {}
        for client, bucket in zip(CLIENTS, (0, 2, 1, 3)):
            # Each has another link to the server. Of two switches, those that the server reaches by
            # the other one have an even and an odd bucket: one for each cable in between.
            own[client] = mac(0xAC000000 + bucket)
            with layout.netns[client]:
                ip(f"""link set eth0 down
                       link set eth0 address {show(own[client])}
                       link set eth0 up
                       address add {self.host[client]}/24 dev eth0
                       neighbor replace 192.0.2.1 lladdr {show(layout.server.address)} dev eth0""")
        with layout.netns["server"]:
            ip("address add 192.0.2.1/24 dev trunk0")
            for client in CLIENTS:
                ip(f"neighbor replace {self.host[client]} lladdr {show(own[client])} dev trunk0")
        layout.homes.update({address: client for client, address in own.items()})
        self.own, self.servers = own, []
        for client in CLIENTS:
            with layout.netns[client]:
                self.servers.append(Background(serving))
                self.servers[-1].__enter__()
                sockets = "/proc/thread-self/net/tcp"
                eventually(lambda: f":{TCP_PORT:04X} " in read(sockets), f"{client} listens")
        self.traffic = Traffic(layout, list(self.host.values()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.traffic.end()
        # The last first: it has got the pipes of those before it.
        for server in reversed(self.servers):
            server.__exit__()

    def alive(self, clients, what, silent={}):
        """Waits until all flows of these clients have new answers. Returns the longest gaps of datagrams and
        of TCP, in ms. `silent`: client → flow → seconds that it was silent before, which do not count."""
        longest = {"udp": 0, "tcp": 0}

        def all_answered():
            flows = self.traffic.look()
            fine = True
            for client in clients:
                for name, (since, gap) in flows[self.host[client]].items():
                    kind = name.split()[0]
                    gap -= silent.get(client, {}).get(name, 0)
                    longest[kind] = max(longest[kind], round(gap * 1000))
                    fine &= since < (3 if SLOW else 0.5)
            return fine

        time.sleep(0.1)
        eventually(all_answered, what)
        return longest

    def carrier(self, *cables):
        return lambda on: self.each(cables, lambda netlink, name, dev: netlink.up(dev, on))

    def silence(self, *cables):
        return lambda on: self.each(cables, lambda netlink, name, dev: netlink.netem(dev, loss=0 if on else 1), both=True)

    def each(self, cables, change, both=False):
        for cable in cables:
            for name, dev in self.cable(cable) if both else self.cable(cable)[-1:]:
                with self.layout.netns[name]:
                    change(Rtnetlink(), name, dev)

    def cable(self, name):
        if name.startswith("isl"):
            return [("switch-a", name), ("switch-b", name)]
        if name.startswith("eth"):
            return [("server", name), self.layout.far[name]]
        switch = next(switch for client, (switch, port) in self.layout.at.items() if port == name)
        return [(switch, name)]

    def fails(self, what, change, cut=()):
        """Breaks something with `change(False)`, and repairs it with `change(True)`. Fails unless the
        clients `cut`, and no others, are cut off meanwhile. Returns the gaps."""
        others = [client for client in CLIENTS if client not in cut]
        self.alive(CLIENTS, f"all is well before {what}")
        change(False)
        lost = self.alive(others, f"{what}: who has a path left is answered")
        rounds = 3 * INTERVAL / 1e6
        time.sleep(4 * rounds)  # longer than silence goes unnoticed
        for kind, gap in self.alive(others, f"{what}: who has a path left is answered").items():
            lost[kind] = max(lost[kind], gap)
        flows = self.traffic.look()
        silent = {client: {flow: since for flow, (since, _) in flows[self.host[client]].items()} for client in cut}
        for client in cut:
            for flow, since in silent[client].items():
                expect(since > rounds, f"{what}: {flow} of {client} should be cut off, was answered {since:.3f} s ago")
        change(True)
        back = self.alive(CLIENTS, f"{what}, mended: all are answered", silent)
        for end in self.layout.ends():
            eventually(lambda: end.acts() == set(end.control.ports()), f"{what}, mended: all links of {end.dev} are back")
        for name in self.layout.switches if self.layout.two else ():
            eventually(lambda: self.layout.pinned(name), f"{what}, mended: the server is pinned at {name}")
        return Gaps(what, cut, lost, back)


def by_other_switch(layout, clients):
    """Returns the clients to which the server's frames go by the switch that they are not at."""
    cut = []
    for client in CLIENTS:
        dst = clients[client]
        if layout.far[layout.server.port(dst, layout.server.address)][0] != layout.at[client][0]:
            cut.append(client)
    return cut


def failures(world):
    """Yields the failures of a layout: name, function that causes it, and the clients that it cuts off."""
    layout, carrier, silence = world.layout, world.carrier, world.silence
    links = sorted(layout.far)
    for link in links:
        yield f"{link}: no carrier", carrier(link), ()
        yield f"{link}: silent", silence(link), ()
    yield "eth1, eth3: no carrier", carrier("eth1", "eth3"), ()
    if not layout.two:
        yield "eth1, eth2, eth3: silent", silence("eth1", "eth2", "eth3"), ()
        return
    for name in layout.switches:
        own = [link for link in links if layout.far[link][0] == name]
        yield f"{name} to the server: no carrier", carrier(*own), ()
        yield f"{name} to the server: silent", silence(*own), ()
        clients = [client for client in CLIENTS if layout.at[client][0] == name]
        ports = [layout.at[client][1] for client in clients]
        yield f"{name} is off", carrier(*own, "isl1", "isl2", *ports), clients
    yield "isl1: no carrier", carrier("isl1"), ()
    yield "isl1: silent", silence("isl1"), ()
    yield "isl2: silent", silence("isl2"), ()
    yield "eth1, isl1: silent", silence("eth1", "isl1"), ()
    yield "eth1, eth2, isl2: silent", silence("eth1", "eth2", "isl2"), ()
    apart = by_other_switch(layout, world.own)
    yield "isl1, isl2: no carrier", carrier("isl1", "isl2"), apart
    yield "isl1, isl2: silent", silence("isl1", "isl2"), apart
