# SPDX-License-Identifier: GPL-2.0
"""Transmit: each frame leaves by the port of its bucket, in order."""

import bpf
from lab import *
from plain import aggregate, cable


@cases("dmac", "smac", "smac-dmac", alike=True)
def test_every_frame_leaves_by_the_table(selector):
    """
    server                       switch
    trunk0 ─┬─ eth1 ─────────── sw1  ┐
            ├─ eth2 ─────────── sw2  │ 10,000 numbered frames to 256 addresses from 256
            ├─ eth3 ─────────── sw3  │ addresses: where each must arrive is known
            └─ eth4 ─────────── sw4  ┘
    """
    star = Star(4, selector=SELECTORS.index(selector))
    table = star.map(5, selector)
    fair(table, range(4))

    random = seeded()
    to = [mac(random.randrange(1 << 40)) for _ in range(256)]
    by = [mac(random.randrange(1 << 40), 0x06) for _ in range(256)]
    frames, predicted = [], {}
    for number in range(10_000 if selector == "dmac" else count(10_000)):
        pair = to[number % 256], random.choice(by)
        frames.append(frame(*pair, number))
        predicted[number] = table[INDEX[selector](*pair) % 32]
    random.shuffle(frames)

    star.send(frames)
    sent = [number_of(data) for data in frames]
    taken = star.taps.take(len(frames))
    equal(len(taken), len(sent), "frames that arrived")
    equal(numbers(taken), predicted, "cable of each frame")
    for port in range(4):
        arrived = [number_of(data) for index, data in taken if index == port]
        equal(arrived, [n for n in sent if predicted[n] == port], f"order on cable {port}")


def test_every_frame_of_a_flow_leaves_by_the_port_of_its_first():
    """
    server                       switch
    trunk0 ─┬─ eth1 ─────────── sw1  ┐ 256 UDP flows between one pair of MAC addresses,
            ├─ eth2 ─────────── sw2  │ 10,000 datagrams
            ├─ eth3 ─────────── sw3  │
            └─ eth4 ─────────── sw4  ┘
    """
    star = Star(4, selector=SELECTORS.index("flow"))
    random = seeded()
    with star.switch:
        taps = Taps(star.far, type=0x0800)
    flows = list(range(256)) + [random.randrange(256) for _ in range(count(9_744))]
    star.send(udp(mac(1), mac(2), flow, number) for number, flow in enumerate(flows))
    taken = taps.take(len(flows))
    equal(len(taken), len(flows), "datagrams that arrived")
    where = {int.from_bytes(data[42:46], "big"): index for index, data in taken}
    first = {flow: where[flow] for flow in range(256)}
    equal(where, {number: first[flow] for number, flow in enumerate(flows)}, "cable of each datagram")
    # 256 flows into 32 buckets: a cable without flows is no accident.
    equal(set(first.values()), set(range(4)), "cables in use")


# Frames that do not begin as IP: what follows the addresses. Only the last have flows that the kernel's dissector finds.
NOT_IP = {
    "Profinet": lambda n: b"\x88\x92",
    "Profinet with a tag": lambda n: b"\x81\0\xc0\7\x88\x92",
    "LLC": lambda n: b"\0\x26\x42\x42\3",
    "ARP": lambda n: b"\x08\x06\0\1\x08\0\6\4\0\1",
    "IP in PPPoE": lambda n: b"\x88\x64\x11\0\0\1\0\x30\0\x21" + udp(b"", b"", n)[2:],
}


def marked(head, number):
    """Returns a frame that begins like that. It ends with a number, by which spread() knows it again."""
    return head.ljust(60, b"\0") + b"flow" + struct.pack("!H", number)


def spread(taps, send, frames):
    """Sends marked frames, and returns how many leave by each cable. Sends them again: each leaves by the cable that
    it left by before."""
    ways = []
    for _ in range(2):
        for data in frames:
            send(data)
        got = []  # A device also sends frames of its own.
        eventually(lambda: (got.extend((data[-2:], index) for index, data in taps.taken() if data[-6:-2] == b"flow"),
                            len(got) >= len(frames))[1], lambda: f"{len(frames)} frames arrive; there are {len(got)}")  # fmt: skip
        ways.append(dict(got))
        equal((len(got), len(ways[-1])), (len(frames), len(frames)), "frames that arrived, and different ones")
    equal(ways[1], ways[0], "cables of the same frames, again")
    return [list(ways[0].values()).count(index) for index in range(len(taps.taps))]


@cases(*NOT_IP, "Profinet, a trunk of several queues")
def test_flow_spreads_what_is_not_ip(what):
    """
    server                       switch
    trunk0 ─┬─ eth1 ─────────── sw1    frames to 256 stations by selector flow, and with PPPoE 256 flows
            ├─  …                …     to one. A trunk of several queues has the kernel choose one by a hash,
            └─ eth4 ─────────── sw4    which all these frames share
    """
    load()
    server, switch = Netns(), Netns()
    ports, far = ([f"{name}{n}" for n in range(1, 5)] for name in ("eth", "sw"))
    for port, end in zip(ports, far):
        cable(server, port, switch, end)
    with switch:
        taps = Taps(far, type=None)
    with server:
        ip(f"link add trunk0 {'numtxqueues 4 ' if 'queues' in what else ''}type trunk")
        run("trunkctl set trunk0 selector flow probe off")
        for port in ports:
            ip(f"link set {port} down\nlink set {port} master trunk0")
        bring_up("trunk0")
        for port in ports:
            eventually(lambda: running(port), f"{port} is known to have carrier")
        sender = Sender("trunk0")
    head = NOT_IP[what.split(",")[0]]
    stations = [1] * 256 if "PPPoE" in what else range(256)
    got = spread(taps, sender.send, [marked(mac(to) + mac(1, 6) + head(n), n) for n, to in enumerate(stations)])
    # By chance, a cable has fewer than 16 of them once in 10^14 times.
    expect(min(got) >= 16, f"frames by cable: {got}")


@cases("UDP", "ICMP", "Profinet", "hashes of sockets")
def test_two_trunks_one_above_the_other_choose_by_different_bits(what):
    """
    high ─┬─ low1 ─┬─ eth1 ── sw1    all three by selector flow: each of the four cables gets its share,
          │        └─ eth2 ── sw2    also of frames that have their hash from a socket
          └─ low2 ─┬─ eth3 ── sw3
                   └─ eth4 ── sw4
    """
    server, switch = Netns(), Netns()
    far = [f"sw{n}" for n in range(1, 5)]
    for n in range(1, 5):
        cable(server, f"eth{n}", switch, f"sw{n}")
    with switch:
        taps = Taps(far, type=None)
    with server:
        settings = "selector flow probe off"
        aggregate("trunk", ["eth1", "eth2"], spare=False, dev="low1", settings=settings)
        aggregate("trunk", ["eth3", "eth4"], spare=False, dev="low2", settings=settings)
        aggregate("trunk", ["low1", "low2"], spare=False, dev="high", settings=settings)
        sender = Sender("high")
    head = lambda n: mac(1) + mac(1, 6)
    match what:
        case "ICMP":
            # As in a datagram of this source, but of ICMP
            data = udp(b"", b"", 0)[2:]
            packet = lambda n: head(n) + b"\x08\0" + data[:9] + b"\1\0\0" + struct.pack("!I", 0x0A000000 + n) + data[16:]
        case "Profinet":
            packet = lambda n: mac(n) + mac(1, 6) + b"\x88\x92"
        case _:
            packet = lambda n: udp(mac(1), mac(1, 6), n)
    frames = [marked(packet(n), n) for n in range(256)]
    chance = seeded()
    hashes = {data: chance.getrandbits(31) for data in frames}

    def send(data):
        if what != "hashes of sockets":
            return sender.send(data)
        with server:
            link = bpf.set_hash_at_egress("high", hashes[data])
        sender.send(data)
        os.close(link)

    got = spread(taps, send, frames)
    expect(min(got) >= 16, f"frames by cable: {got}")


def test_two_cpus_keep_the_order_of_each_pair():
    """
    server                       switch
    CPU 0 ┐                ┌─── sw1
          ├─ trunk0 ─ eth… ┼─── sw2    each CPU sends 4,000 frames between its own
    CPU 1 ┘                ├─── sw3    pairs of addresses, both at the same time
                           └─── sw4
    """
    star = Star(4)
    per_cpu = count(4_000)
    random = seeded()

    def sending(cpu):
        pairs = [(mac(random.randrange(1 << 40)), mac(cpu << 8 | n)) for n in range(32)]
        frames = [frame(*random.choice(pairs), cpu << 24 | n) for n in range(per_cpu)]

        def go(_):
            sender = Sender("trunk0")
            for data in frames:
                sender.send(data)

        return go

    with star.server, Background(sending(0), cpu=0), Background(sending(1), cpu=1):
        pass
    taken = star.taps.take(2 * per_cpu)
    equal(len(taken), 2 * per_cpu, "frames that arrived")
    last, cable = {}, {}
    for index, data in taken:
        pair, number = data[:12], number_of(data)
        expect(last.get(pair, -1) < number, f"frame {number} came after {last.get(pair)}")
        equal(cable.setdefault(pair, index), index, "cable of a pair")
        last[pair] = number


@trodden
@cases("3 ports", "1 port", "2 ports", "5 ports", alike=True)
def test_shares_are_equal_within_one_bucket(ports):
    """
    trunk0 ─┬─ eth1 ── sw1    one frame for each bucket, with 1, 2, 32
            ├─  …       …     and 256 buckets
            └─ ethN ── swN
    """
    ports = int(ports.split()[0])
    for bits in (0, 1, 5, 8):
        star = Star(ports, bits=bits)
        table = star.map(bits)
        fair(table, range(ports))
        equal(star.map(bits), table, "the same frames once more")
        # Addresses that differ only above the table's bits have the same bucket.
        again = star.where(frame(mac(bucket + (7 << bits)), mac(1), bucket) for bucket in range(1 << bits))
        equal([again[bucket] for bucket in range(1 << bits)], table, "higher bits of the address")
        unload()


def test_sixteen_bits_use_all_sixteen():
    """
    trunk0 ─┬─ eth1 ── sw1    65,536 buckets; of these, 2,048 with nothing but
            ├─  …       …     zeros in the low five bits, which the default of
            └─ eth4 ── sw4    32 buckets would all send by one port
    """
    star = Star(4, bits=16)
    numbers = range(0, 1 << 16, 32 * (2_048 // count(2_048)))
    first = star.where(frame(mac(number), mac(1), number) for number in numbers)
    expect(len(set(first.values())) > 1, "all by one port, as if the table had 32 buckets")
    again = star.where(frame(mac(number, 0x06), mac(2), number) for number in numbers)
    equal(again, first, "the same buckets once more")


@trodden
def test_a_joining_port_takes_no_more_than_its_share():
    """
    trunk0 ─┬─ eth1 ── sw1
            ├─ eth2 ── sw2
            ├─ eth3 ── sw3
            └ ─ ─ ─ ─  sw4    released, and then joining again
    """
    star = Star(4)
    whole = star.map()
    with star.server:
        ip("link set eth4 nomaster")
    three = star.map()
    fair(three, range(3))
    for bucket, (before, after) in enumerate(zip(whole, three)):
        expect(before in (after, 3), f"bucket {bucket} moved from {before} to {after} as port 3 left")
    with star.server:
        ip("link set eth4 down\nlink set eth4 master trunk0")
    four = star.map()
    fair(four, range(4))
    for bucket, (before, after) in enumerate(zip(three, four)):
        expect(after in (before, 3), f"bucket {bucket} moved from {before} to {after} as port 3 joined")


@trodden
@cases("dmac trunk", "dmac aggregate", "dmac auto", "smac auto", "smac-dmac switch")
def test_broadcast_and_multicast(what):
    """
    trunk0 ─┬─ eth1 ── sw1    ff:ff:ff:ff:ff:ff, 33:33:… and 01:00:5e:…: one copy of each, by the port of its
            ├─  …       …     bucket, but to a switch by one port; by smac, that of the trunk's own frames
            └─ eth4 ── sw4
    """
    selector, far_end = what.split()
    star = Star(4)
    with star.server:
        run(f"trunkctl set trunk0 selector {selector} far-end {far_end}")
        ip("link set trunk0 address 02:00:00:00:00:02")
    table = star.map(selector=selector)
    groups = [BROADCAST] + [bytes.fromhex(prefix) + bytes([n]) for prefix in ("3333000000", "01005e0000") for n in range(64)]
    where = star.where(frame(group, mac(1), number) for number, group in enumerate(groups))
    if far_end in ("trunk", "aggregate"):
        want = {number: table[low(group) % 32] for number, group in enumerate(groups)}
    else:
        want = dict.fromkeys(range(len(groups)), table[2] if selector == "smac" else 0)
    equal(where, want, "cable of each frame")
