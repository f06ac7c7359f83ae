# SPDX-License-Identifier: GPL-2.0
"""One MAC address and one MTU on the trunk and all its ports."""

from lab import *

MINE = "02:00:5e:00:53:01"
OTHER = "02:00:5e:00:53:02"


def three_dummies():
    """
    trunk0 ─┬─ dummy1    each with an address of its own
            ├─ dummy2
            └─ dummy3
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add dummy3 type dummy""")
    return ["dummy1", "dummy2", "dummy3"]


def addresses(devs):
    return {dev: link(dev)["address"] for dev in devs}


def enslave(ports):
    ip("\n".join(f"link set {port} master trunk0" for port in ports) + "\n")


def test_the_first_ports_address_is_everybodys():
    """
    trunk0 ─┬─ dummy1  ◄ its address
            ├─ dummy2
            └─ dummy3
    """
    ports = three_dummies()
    own = addresses(ports)
    enslave(ports)
    first = own["dummy1"]
    equal(addresses(["trunk0"] + ports), dict.fromkeys(["trunk0"] + ports, first), "addresses")
    for port in ports:
        equal(link(port).get("permaddr", own[port]) in (own[port], None), True, f"permanent address of {port}")
    # In another order than they came, the first of them among those that stay.
    for n, port in enumerate(("dummy2", "dummy1", "dummy3")):
        ip(f"link set {port} nomaster")
        equal(link(port)["address"], own[port], f"address of {port} once released")
        rest = [other for other in ports if link(other).get("master") == "trunk0"]
        equal(set(addresses(rest).values()) | {link("trunk0")["address"]}, {link("trunk0")["address"]}, "addresses left")


@cases("set", "born with")
def test_an_address_set_before_wins(how):
    """
    trunk0 (02:00:5e:00:53:01) ─┬─ dummy1
                                └─ dummy2
    """
    ports = three_dummies()
    own = addresses(ports)
    if how == "set":
        ip(f"link set trunk0 address {MINE}")
    else:
        ip("link del trunk0")
        ip(f"link add trunk0 address {MINE} type {KIND}")
    enslave(ports)
    equal(addresses(["trunk0"] + ports), dict.fromkeys(["trunk0"] + ports, MINE), "addresses")
    ip("link del trunk0")
    equal(addresses(ports), own, "addresses after the trunk is gone")


def test_a_change_while_up_reaches_all_ports():
    """
    trunk0 (up, in use) ─┬─ eth1 ── sw1    ip link set trunk0 address …
                         ├─ eth2 ── sw2
                         └─ eth3 ── sw3
    """
    star = Star(3)
    table = star.map()
    with star.server:
        devs = ["trunk0"] + star.ports
        ip(f"link set trunk0 address {MINE}")
        equal(addresses(devs), dict.fromkeys(devs, MINE), "addresses")
        on_trunk = Taps(["trunk0"])
    with star.switch:
        Sender("sw2").send(frame(unmac(MINE), mac(9), 1))
    equal(len(on_trunk.take(1)), 1, "frames to the new address")
    equal(star.map(), table, "the table")


def test_a_change_one_port_refuses_changes_nothing():
    """
    trunk0 (up) ─┬─ dummy1
                 ├─ macvlan1 ─ lower    refuses the address that `lower` has itself
                 └─ dummy2
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add lower address {OTHER} type dummy
           link set lower up
           link add macvlan1 link lower type macvlan
           link set dummy1 master trunk0
           link set macvlan1 master trunk0
           link set dummy2 master trunk0
           link set trunk0 up""")
    devs = ["trunk0", "dummy1", "macvlan1", "dummy2"]
    before = addresses(devs)
    equal(len(set(before.values())), 1, "addresses in use")
    refused(f"ip link set trunk0 address {OTHER}")
    equal(addresses(devs), before, "addresses")
    refused("ip link set trunk0 address 01:00:5e:00:00:01")
    equal(addresses(devs), before, "addresses")


def test_the_mtu_is_pushed_to_ports_and_restored():
    """
    trunk0 ─┬─ dummy1
            ├─ dummy2 (mtu 9000)
            └─ dummy3
    """
    ports = three_dummies()
    ip("link set dummy2 mtu 9000")
    enslave(ports)

    def mtus():
        return {dev: link(dev)["mtu"] for dev in ["trunk0"] + ports}

    def all_have(mtu):
        equal(mtus(), dict.fromkeys(mtus(), mtu), "MTUs")

    all_have(1500)
    ip("link set trunk0 mtu 4000")
    all_have(4000)
    ip("link set trunk0 up")
    ip("link set trunk0 mtu 1400")
    all_have(1400)
    ip("link set dummy2 nomaster")
    equal(link("dummy2")["mtu"], 9000, "MTU of the port once released")


def test_an_mtu_one_port_refuses_changes_nothing():
    """
    trunk0 ─┬─ dummy1
            ├─ vlan1 ─ lower (mtu 2000)    refuses more than that
            └─ dummy2
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add lower mtu 2000 type dummy
           link set lower up
           link add link lower name vlan1 type vlan id 1
           link set dummy1 master trunk0
           link set vlan1 master trunk0
           link set dummy2 master trunk0
           link set trunk0 up""")
    devs = ["trunk0", "dummy1", "vlan1", "dummy2"]
    ip("link set trunk0 mtu 1800")
    equal([link(dev)["mtu"] for dev in devs], [1800] * 4, "MTUs")
    refused("ip link set trunk0 mtu 2500")
    equal([link(dev)["mtu"] for dev in devs], [1800] * 4, "MTUs after the refusal")


@cases(67, 65536)
def test_an_mtu_out_of_range_is_refused(mtu):
    """
    trunk0 ─── dummy1
    """
    three_dummies()
    enslave(["dummy1"])
    text = refused(f"ip link set trunk0 mtu {mtu}")
    expect("mtu" in text.lower(), f"words of the refusal: {text}")
    equal((link("trunk0")["mtu"], link("dummy1")["mtu"]), (1500, 1500), "MTUs")


def test_ports_have_no_ipv6_address():
    """
    trunk0 (fe80::…) ─┬─ eth1 ── sw1    the ports are ends of cables, not hosts
                      └─ eth2 ── sw2
    """
    star = Star(2, ipv6=True)
    with star.server:
        eventually(lambda: "fe80::" in run("ip -6 address show dev trunk0"), "the trunk has an address")
        for port in star.ports:
            equal(run(f"ip -6 address show dev {port}"), "", f"IPv6 addresses of {port}")
        ip("link set eth2 nomaster\nlink set eth2 up")
        eventually(lambda: "fe80::" in run("ip -6 address show dev eth2"), "a released port is a host again")
