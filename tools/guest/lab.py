# SPDX-License-Identifier: GPL-2.0
"""What the guest tests are written with: namespaces, links, numbered frames and taps.

A test is a function whose name says the behaviour and whose docstring draws the topology. It runs
in a process and a network namespace of its own, so whatever it makes goes away with it.
"""

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

KIND = "trunk"
MODULES = "/modules"
SELECTORS = ("dmac", "smac", "smac-dmac", "flow")  # in the order of the module parameter
TEST_TYPE = 0x88B6  # EtherType "local experimental 2": nobody but the tests uses it
BROADCAST = b"\xff" * 6


class Failed(Exception):
    """The behaviour under test is not there."""


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
    """A diagnostic line of the test."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def eventually(condition, what, limit=60):
    """Waits until condition() holds; the limit is for the hung, not a measurement."""
    end = time.monotonic() + limit
    while not condition():
        expect(time.monotonic() < end, f"never happened: {what}")
        time.sleep(0.02)


def cases(*values):
    """Runs the test once for each value, which becomes its argument and part of its name."""

    def mark(function):
        function.cases = values
        return function

    return mark


# Commands


def attempt(command, stdin=None):
    """Runs a command; says how it ended and what it printed to either side."""
    words = command.split() if isinstance(command, str) else command
    return subprocess.run(words, input=stdin, capture_output=True, text=True, errors="replace")


def run(command, stdin=None):
    """Runs a command that must succeed, for its output."""
    done = attempt(command, stdin)
    text = command if isinstance(command, str) else " ".join(command)
    expect(done.returncode == 0, f"{text}: {done.stderr.strip() or done.stdout.strip()} ({done.returncode})")
    return done.stdout


def ip(lines):
    """Runs ip with these arguments; of many lines, each is a command, up to the first that fails."""
    if "\n" in lines:
        return run("ip -batch -", "\n".join(map(str.strip, lines.strip().splitlines())) + "\n")
    return run("ip " + lines)


def refused(command):
    """Runs a command that must be refused, for the words of the refusal."""
    done = attempt(command)
    expect(done.returncode != 0, f"not refused: {command}")
    text = done.stderr.strip()
    return re.sub(r"^(Error: |RTNETLINK answers: )", "", text.splitlines()[0]) if text else ""


def link(dev, words="-d"):
    """What `ip link show` knows of a device, as a dictionary; None if there is no such device."""
    done = attempt(f"ip -j {words} link show dev {dev}")
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def links(words=""):
    """All devices of the namespace by name."""
    return {entry["ifname"]: entry for entry in json.loads(run(f"ip -j {words} link show")) if "ifname" in entry}


def address(dev):
    return unmac(link(dev)["address"])


def carrier(dev):
    return "LOWER_UP" in link(dev)["flags"]


def counters(dev):
    """Standard counters of a device (struct rtnl_link_stats64), flat: rx_packets, tx_dropped, …"""
    stats = link(dev, "-s")["stats64"]
    return {f"{way}_{name}": value for way in ("rx", "tx") for name, value in stats[way].items()}


def ethtool_statistics(dev):
    pairs = re.findall(r"^\s+(\w+): (\d+)$", run(f"ethtool -S {dev}"), re.M)
    return {name: int(value) for name, value in pairs}


def ethtool_field(dev, name, option=""):
    found = re.search(rf"^\s*{name}: (.*)$", run(f"ethtool {option} {dev}"), re.M)
    return found and found[1]


def moved(before, after):
    """What changed between two dictionaries of counters."""
    return {name: after[name] - before[name] for name in after if after[name] != before.get(name, 0)}


# The module


def loaded(module=KIND):
    return os.path.isdir(f"/sys/module/{module}")


def load(module=KIND, **parameters):
    """insmod, as a user would, with parameters by name."""
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
        """New lines since the last call."""
        new = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return new
            except BrokenPipeError:  # the ring has overwritten some: go on with what is left
                continue
            new.append(record.partition(";")[2].splitlines()[0])


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
            ip("link set lo up")
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
        """Lets go of it: the kernel takes it and its devices away, in its own time."""
        os.close(self.fd)


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, value):
    with open(path, "w") as file:
        file.write(str(value))


# Frames


def mac(number, kind=0x02):
    """A locally administered address that ends in this number."""
    return bytes([kind]) + number.to_bytes(5, "big")


def unmac(text):
    return bytes.fromhex(text.replace(":", ""))


def show(address):
    return address.hex(":")


def frame(dst, src, number=0, size=60):
    """An Ethernet frame of the tests' own type, numbered."""
    return struct.pack("!6s6sHI", dst, src, TEST_TYPE, number).ljust(size, b"\0")


def number_of(data):
    return struct.unpack_from("!I", data, 14)[0]


def udp(dst, src, flow, number=0):
    """A UDP/IPv4 datagram, numbered; `flow` picks its source port."""
    data = struct.pack("!I", number).ljust(18, b"\0")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
    return dst + src + b"\x08\0" + header + struct.pack("!HHHH", 1024 + flow, 9, 8 + len(data), 0) + data


class Sender:
    """A raw socket on a device of the current namespace: what is sent is the whole frame."""

    def __init__(self, dev):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((dev, 0))
        self.send = self.socket.send

    def flood(self, frames):
        """Sends each; a device that goes away, or has no room, is no error here."""
        sent = 0
        for data in frames:
            try:
                self.send(data)
                sent += 1
            except OSError:
                pass
        return sent


SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_RCVBUFFORCE = 33
PACKET_OUTGOING, ETH_P_ALL = 4, 3


class Tap:
    """Every test frame that reaches a device, in order; to miss one is a failure of the test.

    It sees what is on the wire, before a bridge or a trunk above takes it. `delivered`: only what is
    left to the device itself. `outgoing`: what leaves by it instead. `type`: another EtherType.
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
        """Whether a frame from this address of the socket's family is meant."""
        return origin[1] == self.type and (self.way is None or origin[2] == self.way)

    def take(self):
        """The frames that came since the last call."""
        got = []
        while True:
            try:
                data, origin = self.socket.recvfrom(65536)
            except BlockingIOError:
                break
            except OSError:  # said once, when the device goes down; the tap goes on when it is up
                continue
            if self.wanted(origin):
                got.append(data)
        statistics = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        drops = struct.unpack("II", statistics)[1]
        expect(drops == 0, f"the tap on {self.dev} missed {drops} frames")
        return got


class Taps:
    """Taps on several devices: frames come with the index of the device they were seen on."""

    def __init__(self, devs, **how):
        self.taps = [Tap(dev, **how) for dev in devs]

    def take(self, count):
        """`count` frames as (device index, frame), a device's own in order; one more or one less
        than that is left to the caller to find."""
        got = []
        end = None
        while True:
            new = [(index, data) for index, tap in enumerate(self.taps) for data in tap.take()]
            got += new
            if new:
                end = None
            # Nothing is on the way any more once both CPUs were idle for a moment. A frame too many
            # would come with its fellows, so there is no long wait for those.
            elif end is None:
                end = time.monotonic() + (0.05 if len(got) >= count else 10)
            elif time.monotonic() > end:
                return got
            select.select([tap.socket for tap in self.taps], [], [], 0.02)


def numbers(taken):
    """Of frames taken: number of the frame → index of the device; each number only once."""
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
    knows nothing of trunks, and has a client namespace behind it:  br0 ─ sw0 ─ client0.
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
            ip("\n".join(
                f"link add {far} type veth peer name {port} netns {self.server.path}\nlink set {far} up"
                for port, far in zip(self.ports, self.far)
            ))
        with self.server:
            ip(f"link add trunk0 type {KIND}")
            for port in self.ports:
                ip(f"link set {port} master trunk0")
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
                self.taps = Taps(self.far)

    def send(self, frames):
        for data in frames:
            self.trunk.send(data)

    def where(self, frames):
        """Sends numbered frames through the trunk; number of each → index of the port it left by."""
        frames = list(frames)
        self.send(frames)
        where = numbers(self.taps.take(len(frames)))
        lost = [n for n in map(number_of, frames) if n not in where]
        expect(not lost, f"{len(lost)} of {len(frames)} frames lost, the first is {lost[:1]}")
        expect(len(where) == len(frames), "frames appeared that were never sent")
        return where

    def map(self, bits=5, selector="dmac"):
        """The table as seen from outside, by one frame a bucket: bucket → index of its port."""
        where = self.where(frame(*pair_for(selector, bucket), bucket) for bucket in range(1 << bits))
        return [where[bucket] for bucket in range(1 << bits)]

    def pull(self, index):
        """Pulls the cable of a port."""
        with self.switch:
            ip(f"link set {self.far[index]} down")

    def plug(self, index):
        """Plugs it back, and waits until the port sees it."""
        with self.switch:
            ip(f"link set {self.far[index]} up")
        with self.server:
            eventually(lambda: carrier(self.ports[index]), f"{self.ports[index]} has carrier")


def bring_up(dev):
    """Sets a device up and waits until it can send: after its carrier comes, a work item under RTNL
    opens its queue; the last command takes RTNL only to wait for that."""
    ip(f"link set {dev} up")
    eventually(lambda: carrier(dev), f"{dev} has carrier")
    ip(f"link set {dev} up")


# What a test predicts a frame's bucket from, apart from the driver: the low bits of MAC addresses.

INDEX = {
    "dmac": lambda dst, src: low(dst),
    "smac": lambda dst, src: low(src),
    "smac-dmac": lambda dst, src: low(dst) ^ low(src),
}


def low(address):
    return int.from_bytes(address[4:], "big")


def pair_for(selector, bucket):
    """A destination and a source whose frames belong into this bucket."""
    fixed = mac(0xA5A50000)
    if selector == "smac":
        return fixed, mac(0xBB000000 + bucket)
    return mac(0xAA000000 + bucket), fixed


def shares(table):
    """Port → how many buckets it has."""
    return {port: table.count(port) for port in sorted(set(table))}


def fair(table, ports):
    """Each of these ports has its share of the table within one bucket, others have nothing."""
    share = len(table) / len(ports)
    got = shares(table)
    expect(set(got) <= set(ports), f"buckets on ports that should have none: {got}, allowed {ports}")
    for port in ports:
        expect(abs(got.get(port, 0) - share) < 1, f"port {port} has {got.get(port, 0)} of {len(table)} buckets: {got}")


def seeded(seed=None):
    """Random numbers that can be had again: SEED=… in the environment or on the kernel command line."""
    if seed is None:
        found = re.search(r"\blab\.seed=(\d+)", read("/proc/cmdline"))
        seed = int(os.environ.get("SEED") or (found[1] if found else random.randrange(1 << 32)))
    note(f"seed {seed}")
    return random.Random(seed)


# Processes that make traffic


class Background:
    """A function in a process of its own, in the current namespace, until the block ends.

    The function gets a callable that says whether to stop.
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
                # The pipe reads as ended when the parent closes it, or dies.
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
    """A Background function: sends to a device of this namespace for as long as it is there, and
    again when it comes back."""
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
            sender.socket.close()

    return go


class RtnlHeld:
    """While the block runs, somebody else holds RTNL, the lock of all of the kernel's network
    configuration.

    A process asks for ethtool's feature names of lo, which the kernel copies to it with RTNL taken;
    but the page they go to is missing, and the one to supply it (userfaultfd) never does.
    """

    SYS_USERFAULTFD, UFFDIO_API, UFFDIO_REGISTER, MODE_MISSING = 323, 0xC018AA3F, 0xC020AA00, 1
    SIOCETHTOOL, ETHTOOL_GSTRINGS, ETH_SS_FEATURES = 0x8946, 0x1B, 4

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        fault = libc.syscall(self.SYS_USERFAULTFD, os.O_CLOEXEC)
        if fault < 0:
            raise Skipped("this kernel has no userfaultfd")
        os.close(fault)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.ask(libc)
            finally:
                os._exit(1)
        try:
            eventually(lambda: "userfault" in read(f"/proc/{self.pid}/wchan"), "RTNL is held")
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
            fcntl.ioctl(any_socket, self.SIOCETHTOOL, bytearray(struct.pack("16sQQQ", b"lo", request, 0, 0)))

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


# rtnetlink without a process for each request, for tests of a thousand steps

RTM_NEWLINK, RTM_DELLINK = 16, 17
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_NET_NS_FD, IFLA_CARRIER, IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 28, 33, 1, 2, 1
IFF_UP = 1


def attribute(type, value):
    if isinstance(value, int):
        value = struct.pack("I", value)
    if isinstance(value, str):
        value = value.encode() + b"\0"
    return struct.pack("HH", 4 + len(value), type) + value + bytes(-len(value) % 4)


class Rtnetlink:
    """Link requests in the namespace it was made in. A refusal is an OSError."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def request(self, type, flags, name, attributes=b"", up=None):
        change = (0 if up is None else IFF_UP)
        body = struct.pack("BxHiII", 0, 0, 0, IFF_UP if up else 0, change) + attribute(IFLA_IFNAME, name) + attributes
        head = struct.pack("IHHII", 16 + len(body), type, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0)
        self.socket.send(head + body)
        error = struct.unpack_from("i", self.socket.recv(65536), 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))

    def add(self, name, kind, peer=None, lower=None):
        info = attribute(IFLA_INFO_KIND, kind)
        if peer:
            data = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, peer)
            info += attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, data))
        extra = attribute(IFLA_LINK, socket.if_nametoindex(lower)) if lower else b""
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, extra + attribute(IFLA_LINKINFO, info))

    def delete(self, name):
        self.request(RTM_DELLINK, 0, name)

    def master(self, name, master):
        index = socket.if_nametoindex(master) if master else 0
        self.request(RTM_NEWLINK, 0, name, attribute(IFLA_MASTER, index))

    def up(self, name, up=True):
        self.request(RTM_NEWLINK, 0, name, up=up)

    def set(self, name, type, value):
        self.request(RTM_NEWLINK, 0, name, attribute(type, value))
