# SPDX-License-Identifier: GPL-2.0
"""Neighbours and switches are notified when frames take another way."""

import contextlib

from hosts import *

ARP, IPV4, IGMP = 0x0806, 0x0800, 2
IPV6, ICMPV6, ADVERTISEMENT, OVERRIDE = 0x86DD, 58, 136, 0x20
ALL_ROUTERS, ALL_MLD_ROUTERS = bytes.fromhex("01005e000016"), bytes.fromhex("333300000016")
GROUP, GROUP6 = "239.1.2.3", "ff15::1:2:3"
ADDRESS, ADDRESS6 = "192.0.2.1", "2001:db8::1"


def gratuitous(address):
    """Returns a check for ARP messages without a request: they ask about the sender's own address."""
    return lambda data: data[12:14] == struct.pack("!H", ARP) and data[28:32] == data[38:42] == address


def report(data):
    """Returns whether a frame is an IGMPv3 report with the group."""
    return data[:6] == ALL_ROUTERS and data[14 + 9] == IGMP and socket.inet_aton(GROUP) in data


def advertisement(data):
    """Returns whether a frame is an IPv6 neighbour advertisement of the address that overrides old entries."""
    return (data[12:14] == struct.pack("!H", IPV6) and data[14 + 6] == ICMPV6 and data[54] == ADVERTISEMENT
            and data[58] & OVERRIDE and data[62:78] == socket.inet_pton(socket.AF_INET6, ADDRESS6))  # fmt: skip


def report6(data):
    """Returns whether a frame is an MLDv2 report with the group."""
    return data[:6] == ALL_MLD_ROUTERS and socket.inet_pton(socket.AF_INET6, GROUP6) in data


@cases("silence", "a pulled cable", alike=True)
def test_neighbours_and_switches_are_told_of_the_way(how):
    """
    192.0.2.1, in 239.1.2.3, and with IPv6       the link fails, and later works again: each time
    trunk0 ─┬─ eth1 ─  ✗ ─ sw1 ─┬─ trunk0        ARP and neighbour advertisements say where the address
            └─ eth2 ────── sw2 ─┘ spare          is now, IGMP and MLD which groups are listened to
    """
    pair = Pair((1, 2), ipv6=True)
    server, panel = pair.server, pair.panel
    with server.netns:
        ip(f"address add {ADDRESS}/24 dev trunk0\naddress add {ADDRESS6}/64 dev trunk0 nodad")
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          struct.pack("4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex("trunk0")))  # fmt: skip
        member6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        member6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP6)
                           + struct.pack("i", socket.if_nametoindex("trunk0")))  # fmt: skip
    taps = {port: panel.tap(port, type=None) for port in server.ports}
    checks = gratuitous(socket.inet_aton(ADDRESS)), report, advertisement, report6

    def told(port):
        """Waits until that port has sent all of them."""
        left = set(checks)

        def all_there():
            for data in taps[port].take():
                left.difference_update([check for check in checks if check(data)])
            return not left

        eventually(all_there, f"{port} sends advertisements and reports of both protocols")

    for tap in taps.values():
        tap.take()
    (panel.lose if how == "silence" else panel.pull)("eth1")
    eventually(lambda: server.stand_ins() == {"eth2": "eth1"}, "the spare stands in")
    told("eth2")
    for tap in taps.values():
        tap.take()
    (panel.heal if how == "silence" else panel.plug)("eth1")
    eventually(lambda: not server.stand_ins(), "the link is back")
    told("eth1")
    member.close()
    member6.close()


@contextlib.contextmanager
def lower_states():
    """A function that returns what watchers of lower devices were told since it was called last: (the
    device, by its address in the kernel; whether its link is up; whether the trunk sends by it)."""
    with kprobe("netdev_lower_state_changed", "dev=$arg1 up=+0($arg2):b1@0/8 tx=+0($arg2):b1@1/8"):
        seen = 0

        def told():
            nonlocal seen
            lines = re.findall(r" dev=(\S+) up=(\d) tx=(\d)", read(f"{TRACING}/trace"))
            new, seen = lines[seen:], len(lines)
            return [(dev, up == "1", tx == "1") for dev, up, tx in new]

        yield told


def test_watchers_of_ports_learn_by_which_the_trunk_sends():
    """
    trunk0 ─┬─ eth1 ─  ✗ ─ sw1 ─┬─ trunk0    the cable of eth1 loses all, and eth1 keeps its carrier: its
            └─ eth2 ────── sw2 ─┘ spare      link is up, and the trunk does not send by it. Any event of
                                             eth1 says the same
    """
    pair = Pair((1, 2))
    server, panel = pair.server, pair.panel
    with lower_states() as told:

        def on_an_event():
            """What is told when eth1 gets an alias, which changes neither its link nor the table."""
            told()
            with server.netns:
                ip("link set eth1 alias an-alias")
            return told()

        found = []
        eventually(lambda: found.append(on_an_event()) or len(found[-1]) == 1, "nothing else happens")
        [(eth1, *state)] = found[-1]
        equal(state, [True, True], "eth1 at first: up, sends")

        def of_eth1(told):
            return {tuple(state) for dev, *state in told if dev == eth1}

        panel.lose("eth1")
        eventually(lambda: (True, False) in of_eth1(told()), "that the trunk does not send by eth1 any more is told")
        equal(of_eth1(on_an_event()), {(True, False)}, "eth1 while it fails in silence: up, sends")
        panel.heal("eth1")
        eventually(lambda: (True, True) in of_eth1(told()), "that the trunk sends by eth1 again is told")
        panel.pull("eth1")
        eventually(lambda: (False, False) in of_eth1(told()), "that eth1 is down is told")
