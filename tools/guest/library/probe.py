# SPDX-License-Identifier: GPL-2.0
"""Probes as bytes, as Documentation/networking/trunk-probe.rst has them; apart from the driver."""

import struct

from lab import mac

TYPE = 0x88B5
NEAREST_BRIDGE = bytes.fromhex("0180c200000e")
TEST, REPLY, BYE = 1, 2, 3
USABLE, IN_USE, HELD, TAGGED = 1, 2, 4, 0x80

BODY = struct.Struct("!HBBHBBQIHHIIQQQ")
NAMES = "magic version kind length flags port system trunk priority reserved interval sequence nonce echo heard".split()
USUAL = dict(magic=0x544B, version=1, kind=TEST, flags=USABLE | IN_USE, port=0, system=0x5EED, trunk=7, priority=1,
             reserved=0, interval=100_000, sequence=1, nonce=0, echo=0, heard=0)  # fmt: skip


def write(to=NEAREST_BRIDGE, source=mac(0xB0B), type=TYPE, tlvs=(), key=None, length=None, **fields):
    """Returns a frame with a probe. Fields that are not given have the values of USUAL. `tlvs`: pairs of type
    and value."""
    values = USUAL | fields
    rest = b"".join(struct.pack("!HH", kind, len(value)) + value for kind, value in tlvs)
    if key:
        values["flags"] |= TAGGED
    values["length"] = BODY.size + len(rest) + (8 if key else 0) if length is None else length
    data = BODY.pack(*(values[name] for name in NAMES)) + rest
    if key:
        data += struct.pack("!Q", siphash(key, data))
    return (to + source + struct.pack("!H", type) + data).ljust(60, b"\0")


def read(frame):
    """The fields of the probe in a frame; `tag` is there if it has one, `tlvs` are bytes."""
    fields = dict(zip(NAMES, BODY.unpack_from(frame, 14)))
    data = frame[14 : 14 + fields["length"]]
    if fields["flags"] & TAGGED:
        fields["signed"], fields["tag"] = data[:-8], int.from_bytes(data[-8:], "big")
        data = data[:-8]
    return fields | {"tlvs": data[BODY.size :]}


def sent_again(frame, **changes):
    """Returns a copy of a probe with other values in some fields. A tag does not match them."""
    fields = dict(zip(NAMES, BODY.unpack_from(frame, 14))) | changes
    return frame[:14] + BODY.pack(*(fields[name] for name in NAMES)) + frame[14 + BODY.size :]


def siphash(key, data):
    """Returns the SipHash-2-4 (Aumasson and Bernstein) of data, with 64 bits."""
    most = (1 << 64) - 1
    turn = lambda x, n: (x << n | x >> 64 - n) & most
    k0, k1 = struct.unpack("<QQ", key)
    a, b, c, d = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def mix(times):
        nonlocal a, b, c, d
        for _ in range(times):
            a, c = a + b & most, c + d & most
            b, d = turn(b, 13) ^ a, turn(d, 16) ^ c
            a, c = turn(a, 32) + d & most, c + b & most
            d, b = turn(d, 21) ^ a, turn(b, 17) ^ c
            c = turn(c, 32)

    end = len(data) // 8 * 8
    last = data[end:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    for word, in struct.iter_unpack("<Q", data[:end] + last):
        d ^= word
        mix(2)
        a ^= word
    c ^= 0xFF
    mix(4)
    return a ^ b ^ c ^ d
