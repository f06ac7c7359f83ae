# SPDX-License-Identifier: GPL-2.0
"""Transmit: each frame leaves by the port of its bucket, in order."""

from lab import *


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
