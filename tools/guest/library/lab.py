# SPDX-License-Identifier: GPL-2.0
"""The library of the guest tests: namespaces, links, numbered frames and taps.

A test is a function whose name says the behaviour and whose docstring draws the topology. It runs
in a process and a network namespace of its own, so all that it makes ends with it.
"""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

KIND = "trunk"
MODULES = "/modules"
SELECTORS = ("dmac", "smac", "smac-dmac", "flow")  # in the order of the module parameter
TEST_TYPE = 0x88B6  # EtherType "local experimental 2", which only the tests use
BROADCAST = b"\xff" * 6


class Failed(Exception):
    """The test has failed."""


class Skipped(Exception):
    """The guest lacks what the test needs."""


def expect(condition, text):
    if not condition:
        raise Failed(text)


def equal(got, want, what):
    if got == want:
        return
    if isinstance(got, dict) and isinstance(want, dict):  # only what differs
        same = {key for key in got if key in want and got[key] == want[key]}
        got, want = ({key: value for key, value in side.items() if key not in same} for side in (got, want))
    raise Failed(f"{what}: got {brief(got)}, want {brief(want)}")


def brief(value):
    text = repr(value)
    return text if len(text) < 400 else text[:400] + "…"


def note(text):
    """Prints text as diagnostic lines of the test."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def leave(result):
    """Prints the result of a benchmark as JSON in one line, from which tools/lab/guest.py takes it."""
    print("RESULT-JSON " + json.dumps(result), flush=True)


def eventually(condition, what):
    """Waits until condition() holds, for two minutes at most: the limit is for tests that hang, and
    measures nothing. `what`: the text of the failure, or a function that returns it."""
    end = time.monotonic() + HUNG
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"never happened: {what() if callable(what) else what}")
        time.sleep(0.02)


HUNG = 120  # seconds


with open("/proc/cmdline") as file:
    COMMAND_LINE = file.read()


def said(name):
    """Returns the value of lab.NAME= on the kernel command line, or None."""
    found = re.search(rf"\blab\.{name}=(\S+)", COMMAND_LINE)
    return found and found[1]


def repeats(test):
    """Marks a test whose paths through the driver other tests take too, and of which other kernels
    show nothing more. It runs in the uml guest, and where it is asked for by name."""
    test.repeats = True
    return test


def cases(*values, alike=False):
    """Runs the test once for each value, which becomes its argument and part of its name. `alike`: the
    cases all take the same paths through the driver, so the first is enough outside the uml guest."""

    def mark(function):
        function.cases, function.alike = values, alike
        return function

    return mark


def trodden(test):
    """Marks a test whose paths through the driver other tests take too. It does not run in the debug
    guest, which checks the locks and the memory of each path."""
    test.trodden = True
    return test


def takes_time():
    """Skips a test that needs programs which never rest, where the clock stands still beside them."""
    if MOMENT == 0:
        raise Skipped("the clock of this guest stands still while anybody works")


GUEST = said("guest")  # stock, debug or uml
SLOW = os.path.exists("/proc/lockdep_stats")
# The least time that any work takes, in ns. It is 0 where the clock stands still while a process works.
MOMENT = 0 if "time-travel" in COMMAND_LINE else 1


def count(number, least=1, on_stock=1):
    """Returns how often a test repeats what it does: `number`; in a guest whose kernel has checks, and
    takes ten times as long, a tenth of that. `on_stock`: the part of it for the stock guest, if the uml
    guest does all."""
    return max(int(number * (0.1 if SLOW else on_stock if GUEST == "stock" else 1)), least)


# Commands


def attempt(command, stdin=None):
    """Runs a command. Returns its status and its output, as subprocess.run() does."""
    words = command.split() if isinstance(command, str) else command
    return subprocess.run(words, input=stdin, capture_output=True, text=True, errors="replace")


def run(command, stdin=None):
    """Runs a command that must succeed. Returns its output."""
    done = attempt(command, stdin)
    text = command if isinstance(command, str) else " ".join(command)
    expect(done.returncode == 0, f"{text}: {done.stderr.strip() or done.stdout.strip()} ({done.returncode})")
    return done.stdout


def ip(lines):
    """Runs ip with the arguments of each line, up to the first that fails.

    Lines that are PLAIN become requests to the kernel without ip, in a hundredth of the time.
    """
    netlink, others = Rtnetlink(), []
    for line in filter(None, map(str.strip, lines.splitlines())):
        if plain := PLAIN.fullmatch(line):
            batch(others)
            if netlink.does(*plain.groups()):
                continue
        others.append(line)
    batch(others)


# link add NAME type KIND, link del NAME, link set NAME …
PLAIN = re.compile(r"link (?:(add) (\S+) type (\w+)|(del) (\S+)|set (\S+) (up|down|nomaster|master (\S+)|carrier (on|off)))")


def batch(lines):
    """Runs ip with lines of arguments, and empties the list."""
    if len(lines) == 1:
        run("ip " + lines[0])
    elif lines:
        run("ip -batch -", "\n".join(lines) + "\n")
    lines.clear()


def refused(command):
    """Runs a command that must be refused. Returns the text of the refusal."""
    done = attempt(command)
    expect(done.returncode != 0, f"not refused: {command}")
    text = done.stderr.strip()
    return re.sub(r"^(Error: |RTNETLINK answers: )", "", text.splitlines()[0]) if text else ""


def link(dev, words="-d"):
    """Returns what `ip link show` prints of a device, as a dictionary; None if there is no such device."""
    done = attempt(f"ip -j {words} link show dev {dev}")
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def links(words=""):
    """Returns all devices of the namespace by name."""
    return {entry["ifname"]: entry for entry in json.loads(run(f"ip -j {words} link show")) if "ifname" in entry}


def address(dev):
    return Rtnetlink().look(dev)[1][IFLA_ADDRESS]


def carrier(dev):
    return bool(Rtnetlink().look(dev)[0] & IFF_LOWER_UP)


def running(dev):
    """Returns whether a device has carrier, and the devices above it have been notified of that."""
    flags = Rtnetlink().look(dev)[0]
    return flags & IFF_RUNNING and flags & IFF_LOWER_UP


def forwards(dev):
    """Returns whether the bridge above a port forwards by it."""
    info = dict(attributes(Rtnetlink().look(dev)[1][IFLA_LINKINFO]))
    return dict(attributes(info[IFLA_INFO_SLAVE_DATA]))[IFLA_BRPORT_STATE] == b"\3"


def counters(dev):
    """Returns the standard counters of a device (struct rtnl_link_stats64): rx_packets, tx_dropped, …"""
    names = "rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped rx_multicast tx_collisions"
    return dict(zip(names.split(), struct.unpack_from("10Q", Rtnetlink().look(dev)[1][IFLA_STATS64])))


def ethtool_statistics(dev):
    pairs = re.findall(r"^\s+(\w+): (\d+)$", run(f"ethtool -S {dev}"), re.M)
    return {name: int(value) for name, value in pairs}


def ethtool_field(dev, name, option=""):
    found = re.search(rf"^\s*{name}: (.*)$", run(f"ethtool {option} {dev}"), re.M)
    return found and found[1]


def moved(before, after):
    """Returns by how much counters differ between two dictionaries; without those that are equal."""
    return {name: after[name] - before[name] for name in after if after[name] != before.get(name, 0)}


# The module


def loaded(module=KIND):
    return os.path.isdir(f"/sys/module/{module}")


def load(module=KIND, **parameters):
    """Loads the module by insmod, with parameters by name."""
    words = [f"{name}={value}" for name, value in parameters.items()]
    return run(["insmod", f"{MODULES}/{module}.ko", *words])


def unload(module=KIND):
    run(f"rmmod {module}")


# Kernel log

COMPLAINTS = re.compile(
    r"WARNING:|BUG:|KASAN|UBSAN|possible circular|possible recursive|suspicious RCU|INFO: rcu"
    r"|unregister_netdevice: waiting|refcount_t:|leaked|Oops|Call Trace|panicked"
)


class KernelLog:
    """The kernel's messages from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        """Returns the lines since the last call."""
        new = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return new
            except BrokenPipeError:  # the kernel has overwritten some lines
                continue
            new.append(record.partition(";")[2].splitlines()[0])


# The runner outside


class Runner:
    """The program outside that started this guest (tools/lab/guest.py), and does what the guest cannot."""

    def __init__(self):
        self.line = open("/dev/ttyS1", "r+b", buffering=0)

    def ask(self, words):
        """Makes a request, in the words of tools/lab/guest.py, and waits until it is done."""
        self.line.write(words.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self.line.read(1)
        expect(answer.startswith(b"ok"), f"{words}: {answer.decode().strip()}")


# Namespaces


class Netns:
    """A network namespace. `with namespace:` runs what follows inside it.

    Without a name it lives as long as this process; with one it stays, as `ip netns` has it.
    """

    def __init__(self, name=None, ipv6=False):
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if name:
            ip(f"netns add {name}")
            self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        else:
            os.unshare(os.CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            os.setns(here, os.CLONE_NEWNET)
        os.close(here)
        self.outer = []
        # What `ip link set … netns` takes.
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        with self:
            Rtnetlink().up("lo")
            if not ipv6:  # neighbour discovery would be noise where frames are counted
                for scope in ("all", "default"):
                    write(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", 1)

    def __enter__(self):
        self.outer.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        os.setns(self.fd, os.CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        os.setns(self.outer[-1], os.CLONE_NEWNET)
        os.close(self.outer.pop())

    def delete(self):
        """Gives the namespace up. The kernel removes it and its devices some time later."""
        os.close(self.fd)


class FirstNetns(Netns):
    """The namespace in which hardware appears."""

    def __init__(self):
        self.path = "/proc/1/ns/net"
        self.fd, self.outer = os.open(self.path, os.O_RDONLY), []


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


TRACING = "/sys/kernel/tracing"


@contextlib.contextmanager
def kprobe(function, arguments=""):
    """While the block runs, the kernel traces calls of one of its functions, with these arguments as
    Documentation/trace/kprobetrace.rst writes them."""
    attempt(f"mount -t tracefs tracefs {TRACING}")
    try:
        write(f"{TRACING}/kprobe_events", f"p:lab/{function} {function} {arguments}")
    except OSError:
        raise Skipped("no kprobes")
    write(f"{TRACING}/events/lab/{function}/enable", 1)
    try:
        yield
    finally:
        write(f"{TRACING}/events/lab/{function}/enable", 0)
        write(f"{TRACING}/kprobe_events", "")


# Frames


def mac(number, kind=0x02):
    """Returns a locally administered address that ends in this number."""
    return bytes([kind]) + number.to_bytes(5, "big")


def unmac(text):
    return bytes.fromhex(text.replace(":", ""))


def show(address):
    return address.hex(":")


def frame(dst, src, number=0, size=60):
    """Returns an Ethernet frame of the tests' own type, with a number."""
    return struct.pack("!6s6sHI", dst, src, TEST_TYPE, number).ljust(size, b"\0")


def number_of(data):
    return struct.unpack_from("!I", data, 14)[0]


def udp(dst, src, flow, number=0):
    """Returns a frame with a UDP/IPv4 datagram and a number. `flow` chooses its source port."""
    data = struct.pack("!I", number).ljust(18, b"\0")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
    return dst + src + b"\x08\0" + header + struct.pack("!HHHH", 1024 + flow, 9, 8 + len(data), 0) + data


class Sender:
    """A raw socket on a device of the current namespace, which sends whole frames.

    `past_queue`: frames do not pass the queueing discipline of the device. `mark`: SO_MARK.
    """

    def __init__(self, dev, past_queue=False, mark=0):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if past_queue:
            self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        if mark:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        self.socket.bind((dev, 0))
        self.send = self.socket.send

    def flood(self, frames):
        """Sends frames, and returns how many. A device that has gone, or has no room, is no error."""
        sent = 0
        for data in frames:
            try:
                self.send(data)
                sent += 1
            except OSError:
                pass
        return sent


SOL_PACKET, PACKET_STATISTICS, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING = 263, 6, 20, 23
SO_RCVBUFFORCE = 33
PACKET_OUTGOING, ETH_P_ALL = 4, 3


class Tap:
    """Takes every test frame that a device receives, in order. It fails if it has missed one.

    It gets frames before a bridge or a trunk above the device takes them. `delivered`: only frames that
    are left to the device itself. `outgoing`: frames that the device sends, instead. `type`: another
    EtherType, or None for any.
    """

    def __init__(self, dev, outgoing=False, delivered=False, type=TEST_TYPE):
        self.dev, self.type = dev, type
        self.way = PACKET_OUTGOING if outgoing else None
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, not outgoing)
        self.socket.bind((dev, type if delivered else ETH_P_ALL))
        self.socket.setblocking(False)

    def wanted(self, origin):
        """Returns whether the tap is for a frame that came from this socket address."""
        return self.type in (None, origin[1]) and (self.way is None or origin[2] == self.way)

    def take(self):
        """Returns the frames since the last call."""
        got = []
        while True:
            try:
                data, origin = self.socket.recvfrom(65536)
            except BlockingIOError:
                break
            except OSError:  # reported once, when the device goes down; the tap works on when it is up
                continue
            if self.wanted(origin):
                got.append(data)
        statistics = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        drops = struct.unpack("II", statistics)[1]
        expect(drops == 0, f"the tap on {self.dev} missed {drops} frames")
        return got


class Taps:
    """Taps on several devices. A frame comes with the index of its device in the list."""

    def __init__(self, devs, **how):
        self.taps = [Tap(dev, **how) for dev in devs]

    def taken(self):
        """Returns the frames since the last call as (index of the device, frame), in order for each device."""
        return [(index, data) for index, tap in enumerate(self.taps) for data in tap.take()]

    def take(self, count):
        """Waits for `count` frames, and returns them like taken(). There may be more of them or fewer:
        the caller checks that."""
        got = []
        end = None
        while True:
            new = self.taken()
            got += new
            if new:
                end = None
            # No frame is on its way any more once each CPU has run this process. A frame too many would
            # come together with the others, so it takes no long wait to find it.
            elif end is None:
                end = time.monotonic() + (0.05 if len(got) >= count else 10)
            elif time.monotonic() > end:
                every_cpu()
                if not (late := self.taken()):
                    return got
                got, end = got + late, None
            select.select([tap.socket for tap in self.taps], [], [], 0.02)


@contextlib.contextmanager
def on_one_cpu():
    """The block runs on one CPU. Each CPU has a queue of received frames, so frames that a process sends
    keep their order only if it does not change CPUs."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def every_cpu():
    """Waits until each CPU has run this process: the machine may have given one of them no time, while
    the clock went on."""
    usual = os.sched_getaffinity(0)
    for cpu in usual:
        os.sched_setaffinity(0, {cpu})
    os.sched_setaffinity(0, usual)


def numbers(taken):
    """Returns a dictionary of frames taken: number of the frame → index of the device. Fails if a number
    came twice."""
    where = {}
    for index, data in taken:
        number = number_of(data)
        expect(number not in where, f"frame {number} was seen twice: by {where.get(number)} and by {index}")
        where[number] = index
    return where


# Topologies


class Star:
    """server                         switch
    trunk0 ─┬─ eth1 ─────────────── sw1
            ├─ eth2 ─────────────── sw2
            └─ …                     …

    Two namespaces and a link for each port. `bridge`: the switch is a plain Linux bridge br0, which
    knows nothing of trunks, with a client's namespace behind it: br0 ─ sw0 ─ client0.
    """

    def __init__(self, ports=4, bridge=False, ipv6=False, up=True, names=("", "", ""), **parameters):
        if not loaded():
            load(**parameters)
        else:
            expect(not parameters, "the module is loaded already, with other parameters")
        server, switch, client = (name or None for name in names)
        self.server, self.switch = Netns(server, ipv6), Netns(switch)
        self.ports = [f"eth{n}" for n in range(1, ports + 1)]
        self.far = [f"sw{n}" for n in range(1, ports + 1)]
        with self.switch:
            netlink = Rtnetlink()
            for port, far in zip(self.ports, self.far):
                netlink.add(far, "veth", peer=port, netns=self.server)
                netlink.up(far)
        with self.server:
            netlink = Rtnetlink()
            # Tests pull cables more often than a link may fail.
            netlink.add("trunk0", KIND, data=attribute(TRUNK_A_HOLD_DOWN, 0))
            for port in self.ports:
                netlink.master(port, "trunk0")
        if bridge:
            self.client = Netns(client, ipv6)
            with self.switch:
                ip("\n".join(
                    ["link add br0 type bridge mcast_snooping 0",
                     f"link add sw0 type veth peer name client0 netns {self.client.path}"]
                    + [f"link set {dev} master br0 up" for dev in ["sw0"] + self.far]
                    + ["link set br0 up"]
                ))
            with self.client:
                ip("link set client0 up")
        if up:
            with self.server:
                bring_up("trunk0")
                self.trunk = Sender("trunk0")
            with self.switch:
                for far in self.far:
                    bring_up(far)
                self.taps = Taps(self.far)
                # The kernel notifies a bridge of the carrier of its port up to a second late (linkwatch).
                for dev in ["sw0"] + self.far if bridge else ():
                    eventually(lambda: forwards(dev), f"br0 forwards by {dev}")
            with self.server:
                for port in self.ports:
                    eventually(lambda: running(port), f"{port} is known to have carrier")

    def send(self, frames):
        with on_one_cpu():
            for data in frames:
                self.trunk.send(data)

    def where(self, frames):
        """Sends numbered frames through the trunk. Returns number of the frame → index of its port."""
        frames = list(frames)
        self.send(frames)
        where = numbers(self.taps.take(len(frames)))
        lost = [n for n in map(number_of, frames) if n not in where]
        expect(not lost, f"{len(lost)} of {len(frames)} frames lost, the first is {lost[:1]}")
        expect(len(where) == len(frames), "frames appeared that were never sent")
        return where

    def map(self, bits=5, selector="dmac"):
        """Finds the table by a frame for each bucket. Returns the index of the port of each bucket."""
        where = self.where(frame(*pair_for(selector, bucket), bucket) for bucket in range(1 << bits))
        return [where[bucket] for bucket in range(1 << bits)]

    def pull(self, index):
        """Pulls the cable of a port."""
        with self.switch:
            Rtnetlink().up(self.far[index], False)

    def plug(self, index):
        """Plugs the cable of a port again, and waits until the port has carrier."""
        with self.switch:
            Rtnetlink().up(self.far[index])
        with self.server:
            eventually(lambda: carrier(self.ports[index]), f"{self.ports[index]} has carrier")


def iperf3_server(port=5201):
    """Starts a server of iperf3 in this namespace and waits until it listens. Returns the process. It serves one
    client after the other, and the next one may lose its connection when the last one's test ends."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["iperf3", "-s", "-p", str(port)], **quiet)
    sockets = [f"/proc/thread-self/net/{kind}" for kind in ("tcp", "tcp6")]
    eventually(lambda: any(f":{port:04X} " in read(path) for path in sockets), "iperf3 listens")
    return server


def bring_up(dev):
    """Brings a device up and waits until it can send. Once it has carrier, a work item opens its queue
    under RTNL; the last request takes RTNL, so it waits for that."""
    netlink = Rtnetlink()
    netlink.up(dev)
    eventually(lambda: carrier(dev), f"{dev} has carrier")
    netlink.up(dev)


# The tests predict the bucket of a frame without the driver: from the low bits of MAC addresses.

INDEX = {
    "dmac": lambda dst, src: low(dst),
    "smac": lambda dst, src: low(src),
    "smac-dmac": lambda dst, src: low(dst) ^ low(src),
}


def low(address):
    return int.from_bytes(address[4:], "big")


def pair_for(selector, bucket):
    """Returns a destination and a source whose frames belong in this bucket."""
    fixed = mac(0xA5A50000)
    if selector == "smac":
        return fixed, mac(0xBB000000 + bucket)
    return mac(0xAA000000 + bucket), fixed


def shares(table):
    """Returns a dictionary: port → number of its buckets."""
    return {port: table.count(port) for port in sorted(set(table))}


def fair(table, ports):
    """Fails unless each of these ports has its share of the table, within one bucket, and others have none."""
    share = len(table) / len(ports)
    got = shares(table)
    expect(set(got) <= set(ports), f"buckets on ports that should have none: {got}, allowed {ports}")
    for port in ports:
        expect(abs(got.get(port, 0) - share) < 1, f"port {port} has {got.get(port, 0)} of {len(table)} buckets: {got}")


class Test(NamedTuple):
    """A test to run. `seed`: its own, if it is not that of the others."""

    name: str
    function: Callable
    arguments: tuple = ()
    seed: int | None = None


TEST = ""  # the name of the test that is running
SEED = int(said("seed") or random.randrange(1 << 32))


def seeded():
    """Returns random numbers that depend on the guest, the test and the seed, and on nothing else."""
    note(f"SEED={SEED}")
    return random.Random(f"{GUEST} {TEST} {SEED}")


# Processes that make traffic


class Background:
    """Runs a function in a process of its own, in the current namespace, until the block ends.

    The function's argument is a callable that returns whether to stop.
    """

    def __init__(self, function, cpu=None):
        self.function, self.cpu = function, cpu

    def __enter__(self):
        self.read, self.write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(self.write)
                if self.cpu is not None:
                    os.sched_setaffinity(0, {self.cpu % os.cpu_count()})
                # The pipe ends when the parent closes it, or dies.
                self.function(lambda: bool(select.select([self.read], [], [], 0)[0]))
                status = 0
            except BaseException as error:
                note(f"background: {error!r}")
            finally:
                os._exit(status)
        os.close(self.read)
        return self

    def __exit__(self, *_):
        os.close(self.write)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        expect(status == 0, f"background process ended with {status}")


def flooding(dev, frames=None):
    """Returns a function for a Background. It sends to a device of this namespace while there is one of
    that name. It sleeps between bursts: it does not matter how much traffic there is."""
    frames = frames or [frame(mac(n), mac(0xF00D)) for n in range(64)]

    def go(stop):
        while not stop():
            try:
                sender = Sender(dev)
            except OSError:
                time.sleep(0.005)
                continue
            while not stop():
                if sender.flood(frames) == 0:
                    break
                time.sleep(0.02 if SLOW else 0.002)
            sender.socket.close()

    return go


class RtnlHeld:
    """While the block runs, another process holds RTNL, the lock of all of the kernel's network
    configuration.

    The process asks for ethtool's feature names of lo. The kernel copies them to a page of the process
    while it holds RTNL. That page is missing, and the process, which is to supply it (userfaultfd),
    never does.
    """

    SYS_USERFAULTFD, UFFDIO_API, UFFDIO_REGISTER, MODE_MISSING = 323, 0xC018AA3F, 0xC020AA00, 1
    SIOCETHTOOL, ETHTOOL_GSTRINGS, ETH_SS_FEATURES = 0x8946, 0x1B, 4

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        fault = libc.syscall(self.SYS_USERFAULTFD, os.O_CLOEXEC)
        if fault < 0:
            raise Skipped("this kernel has no userfaultfd")
        os.close(fault)
        reading, self.about_to = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.ask(libc)
            finally:
                os._exit(1)
        os.close(self.about_to)
        try:
            expect(os.read(reading, 1), "the process that was to hold RTNL is dead")
            os.close(reading)
            # It sleeps, and not for RTNL: that would be an uninterruptible sleep.
            eventually(lambda: read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()[0] == "S", "RTNL is held")
        except BaseException:
            self.__exit__()
            raise
        return self

    def ask(self, libc):
        pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        request = start + mmap.PAGESIZE - 12
        pages[mmap.PAGESIZE - 12 : mmap.PAGESIZE] = struct.pack("III", self.ETHTOOL_GSTRINGS, self.ETH_SS_FEATURES, 0)
        fault = libc.syscall(self.SYS_USERFAULTFD, os.O_CLOEXEC)
        fcntl.ioctl(fault, self.UFFDIO_API, bytearray(struct.pack("QQQ", 0xAA, 0, 0)))
        missing = struct.pack("QQQQ", start + mmap.PAGESIZE, mmap.PAGESIZE, self.MODE_MISSING, 0)
        fcntl.ioctl(fault, self.UFFDIO_REGISTER, bytearray(missing))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            os.write(self.about_to, b"!")
            fcntl.ioctl(any_socket, self.SIOCETHTOOL, bytearray(struct.pack("16sQQQ", b"lo", request, 0, 0)))

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


# rtnetlink without a program for each request, which takes long to start

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR = 2
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NLMSGERR_ATTR_MSG = 270, 10, 11, 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_STATS64 = 1, 3, 4, 5, 10, 18, 23
TRUNK_A_HOLD_DOWN = 20
IFLA_NET_NS_FD, IFLA_CARRIER, IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 28, 33, 1, 2, 1
IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_STATE = 4, 5, 1
IFF_UP, IFF_RUNNING, IFF_LOWER_UP = 1, 0x40, 1 << 16
RTM_NEWQDISC, TC_H_ROOT, TCA_KIND, TCA_OPTIONS = 36, 0xFFFFFFFF, 1, 2
NLM_F_REPLACE = 0x100
TCA_NETEM_REORDER, TCA_NETEM_CORRUPT, TCA_NETEM_LATENCY64 = 3, 4, 10


def attribute(type, value):
    if isinstance(value, int):
        value = struct.pack("I", value)
    if isinstance(value, str):
        value = value.encode() + b"\0"
    return struct.pack("HH", 4 + len(value), type) + value + bytes(-len(value) % 4)


def attributes(data):
    """Returns (type, payload) of each attribute in a part of a message."""
    found = []
    while len(data) >= 4:
        length, type = struct.unpack_from("HH", data)
        expect(4 <= length <= len(data), f"an attribute of {length} bytes where {len(data)} are left")
        found.append((type & 0x3FFF, data[4:length]))
        data = data[(length + 3) & ~3 :]
    return found


class Rtnetlink:
    """Makes link requests in the namespace that was current when it was created. A refusal is an OSError."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        for option in NETLINK_CAP_ACK, NETLINK_EXT_ACK:
            self.socket.setsockopt(SOL_NETLINK, option, 1)
        self.waiting = None

    def request(self, type, flags, name, attributes=b"", up=None):
        change = (0 if up is None else IFF_UP)
        body = struct.pack("BxHiII", 0, 0, 0, IFF_UP if up else 0, change) + attribute(IFLA_IFNAME, name) + attributes
        self.ask(type, flags, body)

    def ask(self, type, flags, body):
        message = struct.pack("IHHII", 16 + len(body), type, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body
        if self.waiting is None:
            self.send([message])
        else:
            self.waiting.append(message)

    @contextlib.contextmanager
    def at_once(self):
        """Sends the requests of the block together at its end, so that no other process runs between them."""
        self.waiting = messages = []
        try:
            yield
        finally:
            self.waiting = None
        if messages:
            self.send(messages)

    def send(self, messages):
        self.socket.send(b"".join(messages))
        for answer in [self.socket.recv(65536) for _ in messages]:
            error = struct.unpack_from("i", answer, 16)[0]
            if error:
                text = dict(attributes(answer[36:])).get(NLMSGERR_ATTR_MSG)
                raise OSError(-error, text.rstrip(b"\0").decode() if text else os.strerror(-error))

    def look(self, name):
        """Returns the flags and attributes of a device."""
        body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name)
        self.socket.send(struct.pack("IHHII", 16 + len(body), RTM_GETLINK, NLM_F_REQUEST, 1, 0) + body)
        data = self.socket.recv(1 << 17)
        if struct.unpack_from("H", data, 4)[0] == NLMSG_ERROR:
            error = struct.unpack_from("i", data, 16)[0]
            raise OSError(-error, os.strerror(-error))
        return struct.unpack_from("I", data, 24)[0], dict(attributes(data[32:]))

    def add(self, name, kind, peer=None, netns=None, lower=None, data=b""):
        """Makes a device. `peer`: name of the other end of a veth, in namespace `netns` if one is given.
        `data`: attributes of the kind."""
        info = attribute(IFLA_INFO_KIND, kind)
        if data:
            info += attribute(IFLA_INFO_DATA, data)
        if peer:
            data = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, peer)
            if netns:
                data += attribute(IFLA_NET_NS_FD, netns.fd)
            info += attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, data))
        extra = attribute(IFLA_LINK, socket.if_nametoindex(lower)) if lower else b""
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, extra + attribute(IFLA_LINKINFO, info))

    def does(self, add, new, kind, delete, gone, name, what, master, carrier):
        """Does what a PLAIN line of ip does. Returns false if that fails: ip then says why."""
        try:
            if add:
                self.add(new, kind)
            elif delete:
                self.delete(gone)
            elif carrier:
                self.set(name, IFLA_CARRIER, bytes([carrier == "on"]))
            elif what in ("up", "down"):
                self.up(name, what == "up")
            else:
                self.master(name, master)
        except OSError:
            return False
        return True

    def delete(self, name):
        self.request(RTM_DELLINK, 0, name)

    def master(self, name, master):
        index = socket.if_nametoindex(master) if master else 0
        self.request(RTM_NEWLINK, 0, name, attribute(IFLA_MASTER, index))

    def up(self, name, up=True):
        self.request(RTM_NEWLINK, 0, name, up=up)

    def set(self, name, type, value):
        self.request(RTM_NEWLINK, 0, name, attribute(type, value))

    def netem(self, name, loss=0, duplicate=0, corrupt=0, reorder=0, delay=0, limit=1 << 20):
        """Loses, duplicates, corrupts or delays a part (0 to 1) of the frames that a device sends; the
        delay is in seconds. `reorder`: the part that is not delayed. `limit`: the frames it has room for.
        Without arguments no frame is changed. The discipline stays: a change of it is quick, while
        another one in its place takes a grace period."""
        part = lambda p: round(p * 0xFFFFFFFF)
        options = struct.pack("6I", 0, limit, part(loss), 1 if reorder else 0, part(duplicate), 0)
        options += attribute(TCA_NETEM_LATENCY64, struct.pack("q", round(delay * 1e9)))
        for type, value in ((TCA_NETEM_CORRUPT, corrupt), (TCA_NETEM_REORDER, reorder)):
            options += attribute(type, struct.pack("II", part(value), 0))
        body = struct.pack("BxxxiIII", 0, socket.if_nametoindex(name), 0, TC_H_ROOT, 0)
        body += attribute(TCA_KIND, "netem") + attribute(TCA_OPTIONS, options)
        self.ask(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body)
