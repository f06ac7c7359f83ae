# SPDX-License-Identifier: GPL-2.0
"""A trunk whose other end is not a trunk: what works, and what is lost.

    server                       far end                          station
    trunk0 ─┬─ eth1 ══ cable ══ sw1 ─┬─ agg0: a bond, a team, Open vSwitch, a plain bridge ─ c1
            ├─ …                …   ─┤
            └─ eth4 ══ cable ══ sw4 ─┘

The results must be those of Documentation/networking/trunk-interop.rst, whose table has a row for each
test.
"""

import contextlib
import tempfile

import failover
from hosts import *

DOCUMENT = "/tests/trunk-interop.rst"
FLOWS = 32
PARTS = {FLOWS: "all", FLOWS * 3 // 4: "3/4", FLOWS // 2: "1/2", FLOWS // 4: "1/4", 0: "none"}
COLUMNS = ("to", "from", "broadcast to", "broadcast from", "moves", "pulled", "lost", "silent")
STREAM = 600  # the least frames of a stream during which a cable is pulled


def documented():
    """Returns the rows of the table: far end → column → text."""
    with open(DOCUMENT) as file:
        lines = file.read().splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("far end") and "broadcast to" in line)
    rows = {}
    for line in lines[head + 2 :]:
        if line.startswith("=="):
            return rows
        name, *cells = re.split(r"  +", line.strip())
        rows[name] = dict(zip(COLUMNS, cells, strict=True))


def bond(words):
    return failover.bond(f"{words} miimon 100")


def team(runner):
    return failover.team(runner, failover.CARRIER)


def ovs(words, members=failover.PORTS, active=4):
    """Returns a function that makes an Open vSwitch with a bond of so many links."""

    def make(end):
        if attempt("modprobe openvswitch").returncode:
            raise Skipped("this kernel has no openvswitch")
        home = tempfile.mkdtemp()
        os.environ["OVS_RUNDIR"] = home
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        run(f"ovsdb-tool create {home}/conf.db /usr/share/openvswitch/vswitch.ovsschema")
        subprocess.Popen(["ovsdb-server", f"{home}/conf.db", f"--remote=punix:{home}/db.sock"], **quiet)
        eventually(lambda: os.path.exists(f"{home}/db.sock"), "ovsdb-server listens")
        run("ovs-vsctl --no-wait init")
        subprocess.Popen(["ovs-vswitchd", f"unix:{home}/db.sock", "--pidfile"], **quiet)
        ports = [f"{end}{n}" for n in range(1, members + 1)]
        run(f"ovs-vsctl add-br agg0 -- add-bond agg0 bond0 {' '.join(ports)} {words}")
        for port in ports:
            Rtnetlink().up(port)
        # Otherwise the first link that came up is active. The trunk sends broadcast by another link if it can.
        choose = f"ovs-appctl bond/set-active-member bond0 {end}{active}"
        eventually(lambda: not attempt(choose).returncode, f"{end}{active} is active")

    return make


@contextlib.contextmanager
def counting_moves(net):
    """Returns how often the far end has seen the trunk's address move, as a list of one number."""
    moves = [0]
    with net.far:
        if net.name.startswith("Open vSwitch"):

            def moved_so_far():
                found = re.search(r"moved MAC entries\s*:\s*(\d+)", run("ovs-appctl fdb/stats-show agg0"))
                return int(found[1])

            before = moved_so_far()
            yield moves
            moves[0] = moved_so_far() - before
            return
        monitor = subprocess.Popen(["bridge", "monitor", "fdb"], stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(monitor.stdout.fileno(), False)
        said = bytearray()

        def told():
            said.extend(monitor.stdout.read() or b"")
            return said.decode().splitlines()

        def listens(marker):
            """Returns whether the monitor has printed this entry, and so all before it."""
            run(f"bridge fdb replace {marker} dev c0 master static")
            return any(line.startswith(marker) for line in told())

        eventually(lambda: listens(show(mac(1, 0x0E))), "the monitor listens")
        yield moves
        eventually(lambda: listens(show(mac(2, 0x0E))), "the monitor has told all")
        moves[0] = sum(line.startswith(show(net.mac)) for line in told())
        monitor.kill()
        monitor.wait()


class Far:
    """The topology, with that far end."""

    def __init__(self, name, make, priorities=(1, 1, 1, 1), **settings):
        self.name = name
        self.panel, self.far, self.behind = Panel(), Netns(), Netns()
        self.server = Host(self.panel, "eth", priorities, **settings)
        cables = range(1, len(priorities) + 1)
        for n in cables:
            self.panel.lead(self.far, f"sw{n}")
            self.panel.join(f"eth{n}", f"sw{n}")
        with self.far:
            make("sw")
            # The station: behind a port of a switch, or what is above the aggregate.
            self.is_switch = "plain" in name or "Open vSwitch" in name
            Rtnetlink().up("agg0")
            if self.is_switch:
                Rtnetlink().add("c0", "veth", peer="c1", netns=self.behind)
                Rtnetlink().up("c0")
                if "plain" in name:
                    Rtnetlink().master("c0", "agg0")
                else:
                    run("ovs-vsctl add-port agg0 c0")
            for n in cables:
                Rtnetlink().up(f"sw{n}")
        with self.behind if self.is_switch else self.far:
            self.station = "c1" if self.is_switch else "agg0"
            Rtnetlink().up(self.station)
            self.sender, self.at_station = Sender(self.station), Taps([self.station])
        # With selector smac the server sends all its own frames by the second link.
        column = self.server.control.column("home")
        with self.server.netns:
            ip(f"link set trunk0 address {show(mac(column.index('eth2') if 'eth2' in column else 1))}")
        self.server.up()
        with self.server.netns:
            self.mac = unmac(link("trunk0")["address"])
            self.at_server = Taps(["trunk0"])
        if "ARP" in name:
            for netns, dev, last in (self.server.netns, "trunk0", 1), (self.far, "agg0", 2):
                with netns:
                    ip(f"address add 192.0.2.{last}/24 dev {dev}")
        self.stations = [mac(n, 0x06) for n in range(FLOWS)]
        self.wave, self.wrong = 0, []

    def pass_through(self, send, taps, frames):
        """Sends frames with numbers, each twice. Returns how many arrived, if those came once and in order:
        "all", "3/4", …"""
        self.wave += 1
        for tap in taps.taps:
            tap.take()
        with on_one_cpu():
            for turn in 0, 1:
                for n, (dst, src) in enumerate(frames):
                    with contextlib.suppress(OSError):  # there is no port for it
                        send(frame(dst, src, self.wave << 16 | n << 1 | turn))
        seen = [number_of(data) & 0xFFFF for _, data in taps.take(0) if number_of(data) >> 16 == self.wave]
        for n in range(len(frames)):
            own = [number & 1 for number in seen if number >> 1 == n]
            if own not in ([], [0, 1]):
                return f"{len(own)} copies" if own == sorted(own) else "out of order"
        return PARTS.get(len(seen) // 2, f"{len(seen) // 2} of {FLOWS}")

    def to(self):
        return self.pass_through(self.server.trunk.send, self.at_station, [(to, self.mac) for to in self.stations])

    def back(self):
        return self.pass_through(self.sender.send, self.at_server, [(self.mac, src) for src in self.stations])

    def copies(self, send, taps, sources):
        """Returns how many copies of a broadcast from each of these arrive: "1", or "0 or 1"."""
        self.wave += 1
        for tap in taps.taps:
            tap.take()
        for n, src in enumerate(sources):
            with contextlib.suppress(OSError):
                send(frame(BROADCAST, src, self.wave << 16 | n))
        seen = [number_of(data) for _, data in taps.take(0)]
        return " or ".join(map(str, sorted({seen.count(self.wave << 16 | n) for n in range(len(sources))})))

    def lost_by(self, change):
        """Sends a frame each millisecond each way until all of them arrive again. Returns how many frames a
        change costs: (to, from)."""
        self.wave += 1
        taps = (self.at_station, self.at_server)
        for each in taps:
            each.take(0)
        sent, arrived = mmap.mmap(-1, 4), [set(), set()]

        def stream(stop):
            n = 0
            while n < STREAM or not stop() and n < 1 << 16:
                for send, dst, src in (
                    (self.server.trunk.send, self.stations[n % FLOWS], self.mac),
                    (self.sender.send, self.mac, self.stations[n % FLOWS]),
                ):
                    with contextlib.suppress(OSError):  # there is no port for it
                        send(frame(dst, src, self.wave << 16 | n))
                n += 1
                time.sleep(0.001)
            struct.pack_into("I", sent, 0, n)

        def look(take):
            for numbers, each in zip(arrived, taps):
                numbers.update(number & 0xFFFF for _, data in take(each) if (number := number_of(data)) >> 16 == self.wave)

        def over():
            look(lambda each: each.taken())
            last = [max(numbers, default=0) for numbers in arrived]
            return min(last) >= STREAM - 1 and all(
                set(range(end - 2 * FLOWS + 1, end + 1)) <= numbers for end, numbers in zip(last, arrived))  # fmt: skip

        with Background(stream):
            time.sleep(0.1)
            change()
            eventually(over, "frames of all flows arrive again, each of them")
        look(lambda each: each.take(0))
        number, = struct.unpack_from("I", sent)
        return tuple(number - len(numbers) for numbers in arrived)

    def introduce(self):
        """Sends a frame from each end, so that switches know where they are."""
        for src in self.stations:
            with contextlib.suppress(OSError):
                self.sender.send(frame(BROADCAST, src))
        self.server.trunk.send(frame(BROADCAST, self.mac))

    def found(self, what):
        self.introduce()
        if what == "to":
            return self.to()
        if what == "from":
            return self.back()
        if what == "broadcast to":
            return self.copies(self.server.trunk.send, self.at_station, [self.mac])
        if what == "broadcast from":
            return self.copies(self.sender.send, self.at_server, self.stations)
        if what == "moves":
            if not self.is_switch:
                return "\\-"
            with counting_moves(self) as moves:
                self.to()
            return "many" if moves[0] > 3 else str(moves[0])
        # The number of flows that a broken link costs depends on the far end's choice of links.
        return ", ".join(part if part in ("all", "none") else "part" for part in (self.to(), self.back()))

    def settled(self, what, wanted):
        """Waits until that is found twice in a row. If it is not, records what is found instead."""
        last = []

        def reached():
            last[:] = [self.found(what), self.found(what)]
            return last == [wanted] * 2

        try:
            eventually(reached, "")
        except Failed:
            self.wrong.append(f"{what} is {last[-1]}, not {wanted}")


ALL = {"far_end": "aggregate"}
FAR = {
    "bonding balance-xor, far-end auto": (bond("mode balance-xor"), {}),
    "bonding balance-xor, layer2": (bond("mode balance-xor xmit_hash_policy layer2"), ALL),
    "bonding balance-xor, layer2+3": (bond("mode balance-xor xmit_hash_policy layer2+3"), ALL),
    "bonding balance-xor, ARP monitor": (
        failover.bond("mode balance-xor arp_interval 100 arp_ip_target 192.0.2.1"),
        ALL,
    ),
    "bonding 802.3ad": (bond("mode 802.3ad lacp_rate fast"), ALL),
    "bonding active-backup": (bond("mode active-backup"), ALL),
    "team loadbalance": (team("loadbalance"), ALL),
    "team lacp": (team("lacp"), ALL),
    "Open vSwitch balance-slb": (ovs("bond_mode=balance-slb"), ALL),
    "Open vSwitch active-backup": (ovs("bond_mode=active-backup"), ALL),
    "Open vSwitch active-backup, bond-primary": (
        ovs("bond_mode=active-backup other_config:bond-primary=sw1", members=2, active=1),
        {"priorities": (1, 2)},
    ),
    "plain switch": (failover.bridge, {}),
    "plain switch, selector smac": (failover.bridge, {"selector": "smac"}),
    "plain switch, one working port": (failover.bridge, {"priorities": (1, 2, 3, 4)}),
}  # fmt: skip


@trodden
@cases(*FAR, alike=True)
def test_what_works_with_a_far_end_that_is_no_trunk(name):
    """
    trunk0 ═ four cables ═ agg0    unicast, broadcast, both ways; a cable is pulled; a cable loses all and
                                   keeps its carrier, which neither end notices
    """
    row = documented()[name]
    make, settings = FAR[name]
    net = Far(name, make, **settings)
    net.server.rounds(20)  # what is to begin by itself has begun by then
    for what in COLUMNS[:5]:
        net.settled(what, row[what])
    # The first port: its failure costs frames.
    if row["lost"] == "\\-":  # the loss does not end
        net.panel.pull("eth1")
    else:
        lost = net.lost_by(lambda: net.panel.pull("eth1"))
        note(f"lost to and from: {lost}")
        most = tuple(int(cell) for cell in row["lost"].split(", "))
        # Where the clock goes on while a processor gets no time, there is no limit.
        if MOMENT == 0 and any(found > allowed for found, allowed in zip(lost, most)):
            net.wrong.append(f"lost are {lost}, more than {most}")
    eventually(lambda: net.server.states()["eth1"] == "no-carrier", "the trunk notices")
    net.settled("pulled", row["pulled"])
    net.panel.plug("eth1")
    eventually(lambda: set(net.server.states().values()) == {"act"}, "all ports are back")
    net.settled("to", row["to"])
    net.settled("from", row["from"])
    net.panel.lose("eth1")
    net.server.rounds(5)
    net.settled("silent", row["silent"])
    equal(set(net.server.states().values()), {"act"}, "what the trunk knows of a silent loss")
    equal(net.wrong, [], "where the document is wrong")


@trodden
def test_a_switch_learns_a_failover_from_what_the_trunk_announces():
    """
    trunk0 (192.0.2.1) ═ a cable, and spares ═ agg0    a plain switch that receives no other frames
    """
    net = Far("plain switch", failover.bridge, priorities=(1, 2, 3, 4), probe="off")
    with net.server.netns:
        ip("address add 192.0.2.1/24 dev trunk0")
    net.introduce()

    def place():
        with net.far:
            return [e["ifname"] for e in json.loads(run("bridge -j fdb show br agg0")) if e["mac"] == show(net.mac)]

    eventually(lambda: place() == ["sw1"], "the switch knows the address")
    with net.server.netns:
        said = attempt("trunkctl doctor").stdout
    equal("far end" in said, False, f"own frames that come back show that it is a switch: {said}")
    net.panel.pull("eth1")
    eventually(lambda: place() == ["sw2"], "the switch has the address at the spare")


@repeats
def test_machines_at_a_plain_switch_by_selector_smac():
    """
    v1 ─ br1 ─ trunk0 (smac) ═ four cables ═ agg0    to a plain switch: what virtual machines send does not
    come back to them, be it broadcast or unicast that the switch floods
    """
    net, machines = Far("plain switch", failover.bridge, selector="smac"), Netns()
    with net.server.netns:
        netlink = Rtnetlink()
        netlink.add("br1", "bridge")
        netlink.add("v0", "veth", peer="v1", netns=machines)
        for dev in "v0", "trunk0":
            netlink.master(dev, "br1")
            netlink.up(dev)
        netlink.up("br1")
    with machines:
        Rtnetlink().up("v1")
        sender, taps = Sender("v1"), Taps(["v1"])
        eventually(lambda: running("v1"), "the machines can send")
    net.at_station.take(0)
    for dst in BROADCAST, mac(0x99):
        for n, src in enumerate(net.stations):
            sender.send(frame(dst, src, n))
        equal(len(net.at_station.take(FLOWS)), FLOWS, "frames that went out")
        back = [number_of(data) for _, data in taps.take(0)]
        equal(back, [], f"frames to {show(dst)} that came back")


@trodden
def test_the_doctor_says_so():
    """
    trunk0 ═ four cables ═ agg0 (bond)    the far end answers no probes: the doctor notes that, and gives advice
    """
    net = Far("bonding", bond("mode balance-xor"))
    net.server.rounds(55)
    with net.server.netns:
        done = attempt("trunkctl doctor")
    equal(done.returncode, 0, f"exit status, with {done.stdout}")
    expect("note: trunk0: nobody answers its probes" in done.stdout, f"what it says: {done.stdout}")
    expect("make the other end a trunk, or trunkctl set trunk0 probe off" in done.stdout, f"what it says: {done.stdout}")
    net.server.set(probe="off")
    with net.server.netns:
        said = attempt("trunkctl doctor").stdout
        equal("its probes" in said, False, "it says so once its advice is taken")
        expect("trunkctl set trunk0 far-end aggregate if it is an aggregate" in said, f"of the far end: {said}")
        expect("4 ports in use lead to a switch" in said, f"of several ports to a switch: {said}")
    # Broadcasts that come back show that the peer is a switch, and not a bond.
    net.introduce()
    net.at_server.take(0)
    with net.server.netns:
        said = attempt("trunkctl doctor").stdout
        expect("and none of its own came back, as with an aggregate" in said, f"once the bond has sent: {said}")
        run("trunkctl set trunk0 far-end aggregate")
        equal("switch" in attempt("trunkctl doctor").stdout, False, "it says so once its advice is taken")
