# SPDX-License-Identifier: GPL-2.0
"""BPF programs for XDP, written as instructions, and AF_XDP sockets. The numbers are those of
include/uapi/linux/bpf.h and include/uapi/linux/if_xdp.h."""

import ctypes
import errno
import mmap
import os
import socket
import struct

from lab import NLM_F_ACK, NLM_F_REQUEST, RTM_NEWLINK, Failed, Skipped, attribute, attributes, link

SYS_BPF = 321
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, PROG_GET_FD_BY_ID, OBJ_GET_INFO = 0, 1, 2, 5, 13, 15
LINK_CREATE, LINK_UPDATE = 28, 29
MAP_ARRAY, MAP_DEVMAP, MAP_XSKMAP = 2, 14, 17
PROG_TYPE_XDP, BPF_XDP, HAS_FRAGS = 6, 37, 1 << 5
PROG_TYPE_SCHED_CLS, BPF_TCX_EGRESS = 3, 47
DROP, PASS, TX = 1, 2, 3
IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS = 43, 1, 3
GENERIC, NATIVE = 1 << 1, 1 << 2
SOL_NETLINK, CAP_ACK, EXT_ACK, EXTACK_MSG = 270, 10, 11, 1

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    """Makes the system call bpf(2). A refusal is an OSError."""
    attributes = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = libc.syscall(SYS_BPF, command, attributes, 128)
    if result < 0:
        error = ctypes.get_errno()
        if error == errno.ENOSYS:
            raise Skipped("this kernel has no bpf(2)")
        raise OSError(error, os.strerror(error))
    return result


# Programs. Registers: r0 is the result, r1 the context at first, r10 the end of the stack.


def op(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def number(dst, imm):
    return op(0xB7, dst, imm=imm)


def address(dst, fd):
    """Returns code that loads the map of that descriptor."""
    return op(0x18, dst, 1, imm=fd) + op(0)


def field(dst, offset):
    """Returns code that loads a field of the context, struct xdp_md."""
    return op(0x61, dst, 1, offset)


def call(helper):
    return op(0x85, imm=helper)


END = op(0x95)
INGRESS_IFINDEX, RX_QUEUE = 12, 16
MAP_LOOKUP_ELEM, REDIRECT, SET_HASH, REDIRECT_MAP = 1, 23, 48, 51


def program(code, flags=0, type=PROG_TYPE_XDP):
    """Loads a program, and returns its descriptor."""
    code += END
    buffer, license = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(4096)
    head = struct.pack("IIQQIIQII", type, len(code) // 8, ctypes.addressof(buffer), ctypes.addressof(license),
                       1, len(log), ctypes.addressof(log), 0, flags)  # fmt: skip
    try:
        return bpf(PROG_LOAD, head)
    except OSError as error:
        raise Failed(f"{error}: {log.value.decode()}") from None


def verdict(what):
    return number(0, what)


def redirect(ifindex):
    return number(1, ifindex) + number(2, 0) + call(REDIRECT)


def redirect_by(devmap):
    """Returns code that redirects to the device of the map's entry 0."""
    return address(1, devmap.fd) + number(2, 0) + number(3, 0) + call(REDIRECT_MAP)


def redirect_to_socket(xskmap):
    """Returns code that redirects to the socket of the queue; without one the frame passes."""
    return field(2, RX_QUEUE) + address(1, xskmap.fd) + number(3, PASS) + call(REDIRECT_MAP)


class Map:
    """A map of numbers, of four bytes or eight."""

    def __init__(self, kind, size, entries):
        self.size = size
        self.fd = bpf(MAP_CREATE, struct.pack("IIII", kind, 4, size, entries))

    def set(self, key, value):
        pair = ctypes.c_uint32(key), ctypes.c_uint64(value)
        bpf(MAP_UPDATE, struct.pack("IxxxxQQQ", self.fd, *map(ctypes.addressof, pair), 0))

    def get(self, key):
        pair = ctypes.c_uint32(key), ctypes.c_uint64()
        bpf(MAP_LOOKUP, struct.pack("IxxxxQQQ", self.fd, *map(ctypes.addressof, pair), 0))
        return pair[1].value


class Counter(Map):
    """Counts the frames that programs get, by the index of the device that received them."""

    def __init__(self):
        super().__init__(MAP_ARRAY, 8, 1024)

    def then(self, what):
        """Returns code that counts a frame and returns this verdict."""
        return b"".join((
            field(2, INGRESS_IFINDEX), op(0x63, 10, 2, -4),  # the key, on the stack
            op(0xBF, 2, 10), op(0x07, 2, imm=-4), address(1, self.fd), call(MAP_LOOKUP_ELEM),
            op(0x15, 0, off=2), number(1, 1), op(0xDB, 0, 1),  # if there is such an entry, one more
            verdict(what),
        ))  # fmt: skip

    def seen(self, devs):
        """Returns how many frames each of these devices of the current namespace has received."""
        return [self.get(socket.if_nametoindex(dev)) for dev in devs]


def identity(fd):
    """Returns the number of a program."""
    info = ctypes.create_string_buffer(8)
    bpf(OBJ_GET_INFO, struct.pack("IIQ", fd, len(info), ctypes.addressof(info)))
    return struct.unpack("II", info)[1]


def is_loaded(number):
    """Returns whether there is a program of that number: it has a reference still."""
    try:
        os.close(bpf(PROG_GET_FD_BY_ID, struct.pack("I", number)))
    except FileNotFoundError:
        return False
    return True


# Devices of the current namespace and their programs


def attach(dev, fd=-1, mode=NATIVE):
    """Attaches a program in place of another one; without `fd`, detaches it. Returns "" or the text of the
    refusal."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        for option in CAP_ACK, EXT_ACK:
            netlink.setsockopt(SOL_NETLINK, option, 1)
        inner = attribute(IFLA_XDP_FD, struct.pack("i", fd)) + attribute(IFLA_XDP_FLAGS, mode)
        body = struct.pack("BxHiII", 0, 0, socket.if_nametoindex(dev), 0, 0) + attribute(IFLA_XDP | 0x8000, inner)
        netlink.send(struct.pack("IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        answer = netlink.recv(65536)
    error, words = struct.unpack_from("i", answer, 16)[0], dict(attributes(answer[36:])) if len(answer) > 36 else {}
    if not error:
        return ""
    return words.get(EXTACK_MSG, os.strerror(-error).encode()).rstrip(b"\0").decode()


def attached(dev):
    """Returns the number of a device's program, or None."""
    found = link(dev, "-d").get("xdp")
    return found and found["prog"]["id"]


def attach_link(dev, fd):
    """Attaches a program to a device by a BPF link, and returns the descriptor of the link."""
    return bpf(LINK_CREATE, struct.pack("IIII", fd, socket.if_nametoindex(dev), BPF_XDP, NATIVE))


def set_hash_at_egress(dev, value):
    """Gives each frame that a device sends this flow hash. Returns the descriptor of the BPF link: close it
    to end that."""
    fd = program(number(2, value) + call(SET_HASH) + number(0, 0), type=PROG_TYPE_SCHED_CLS)
    link = bpf(LINK_CREATE, struct.pack("IIII", fd, socket.if_nametoindex(dev), BPF_TCX_EGRESS, 0))
    os.close(fd)
    return link


def update_link(link, fd):
    bpf(LINK_UPDATE, struct.pack("IIII", link, fd, 0, 0))


# AF_XDP

AF_XDP, SOL_XDP, XDP_COPY, XDP_ZEROCOPY = 44, 283, 1 << 1, 1 << 2
MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 1, 2, 3, 4, 5, 6
RINGS = ((RX_RING, 0), (TX_RING, 0x80000000), (FILL_RING, 0x100000000), (COMPLETION_RING, 0x180000000))
SLOTS, CHUNK = 64, 4096


class Ring:
    def __init__(self, fd, offset, places):
        self.producer, self.consumer, self.desc, _ = places
        self.memory = mmap.mmap(fd, self.desc + SLOTS * 16, offset=offset)

    def get(self, at):
        return struct.unpack_from("I", self.memory, at)[0]

    def set(self, at, value):
        struct.pack_into("I", self.memory, at, value)


class XdpSocket:
    """An AF_XDP socket. The first half of its memory is for frames that it receives, the second for those
    that it sends."""

    def __init__(self, dev, flags=XDP_COPY, queue=0):
        try:
            self.socket = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        except OSError:
            raise Skipped("this kernel has no AF_XDP") from None
        self.memory = mmap.mmap(-1, 2 * SLOTS * CHUNK)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.option(UMEM_REG, struct.pack("QQIIII", start, len(self.memory), CHUNK, 0, 0, 0))
        for ring, _ in RINGS:
            self.option(ring, struct.pack("I", SLOTS))
        places = struct.unpack("16Q", self.socket.getsockopt(SOL_XDP, MMAP_OFFSETS, 128))
        self.rx, self.tx, self.fill, self.done = (
            Ring(self.socket.fileno(), offset, places[4 * n : 4 * n + 4]) for n, (_, offset) in enumerate(RINGS)
        )
        for slot in range(SLOTS):
            struct.pack_into("Q", self.fill.memory, self.fill.desc + 8 * slot, slot * CHUNK)
        self.fill.set(self.fill.producer, SLOTS)
        where = struct.pack("HHIII", AF_XDP, flags, socket.if_nametoindex(dev), queue, 0)
        if libc.bind(self.socket.fileno(), where, len(where)):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def option(self, name, value):
        self.socket.setsockopt(SOL_XDP, name, value)

    def take(self):
        """Returns received frames. In all there can be as many as slots."""
        got = []
        for n in range(self.rx.get(self.rx.consumer), self.rx.get(self.rx.producer)):
            start, length, _ = struct.unpack_from("QII", self.rx.memory, self.rx.desc + 16 * (n % SLOTS))
            got.append(self.memory[start : start + length])
            self.rx.set(self.rx.consumer, n + 1)
        return got

    def send(self, frames):
        """Sends frames. In all there can be as many as slots."""
        for frame in frames:
            n = self.tx.get(self.tx.producer)
            start = (SLOTS + n) * CHUNK
            self.memory[start : start + len(frame)] = frame
            struct.pack_into("QII", self.tx.memory, self.tx.desc + 16 * n, start, len(frame), 0)
            self.tx.set(self.tx.producer, n + 1)
        while self.tx.get(self.tx.consumer) != self.tx.get(self.tx.producer):
            try:
                self.socket.send(b"", socket.MSG_DONTWAIT)
            except (BlockingIOError, OSError) as error:
                if error.errno not in (errno.EAGAIN, errno.EBUSY, errno.ENOBUFS):
                    raise
