# SPDX-License-Identifier: GPL-2.0
"""Loading, parameters, unloading."""

from lab import *


@trodden
def test_defaults():
    """
    insmod trunk.ko    32 buckets, by destination address
    """
    star = Star(2)
    table = star.map(6)
    equal(table[:32], table[32:], "the sixth bit of the address")
    fair(table[:32], range(2))
    equal(len(set(star.map(5, "smac"))), 1, "ports used for a single destination")


@trodden
@cases("bits=17", "bits=4294967296", "bits=-1", "bits=five", "selector=4", "selector=dmac")
def test_a_bad_parameter_is_refused(assignment):
    """
    insmod trunk.ko bits=17    does not load, and the kernel log says why
    """
    name, value = assignment.split("=")
    log = KernelLog()
    refused(f"insmod {MODULES}/trunk.ko {assignment}")
    expect(not loaded(), "the module is loaded")
    lines = [line for line in log.lines() if name in line and value in line]
    expect(lines, f"nothing in the kernel log names {name} and {value}")
    note(lines[0])
    refused(f"ip link add trunk0 type {KIND}")


def test_loads_and_unloads_again_and_again():
    """
    insmod, ip link add, rmmod    again and again, while the last trunk exists
    """
    for bits in range(count(10, least=3)):
        load(bits=bits)
        ip(f"""link add trunk0 type {KIND}
               link add dummy1 type dummy
               link set dummy1 master trunk0
               link set trunk0 up""")
        unload()
        expect(link("trunk0") is None, "a trunk without its driver")
        expect("master" not in link("dummy1"), "the port still has a master")
        ip("link del dummy1")


def test_rmmod_removes_trunks_under_traffic():
    """
    here                   there
    trunk0 ─┬─ eth1        trunk0 ─┬─ dummy1    floods on both, and rmmod
            └─ eth2                └─ dummy2
    """
    star = Star(2)
    there = Netns()
    with there:
        ip(f"""link add trunk0 type {KIND}
               link add dummy1 type dummy
               link add dummy2 type dummy
               link set dummy1 master trunk0
               link set dummy2 master trunk0""")
        bring_up("trunk0")
    with star.server, Background(flooding("trunk0"), cpu=0):
        with there, Background(flooding("trunk0"), cpu=1):
            with star.switch, Background(flooding("sw1"), cpu=1):
                time.sleep(0.3)
                unload()
    for namespace, ports in ((star.server, ["eth1", "eth2"]), (there, ["dummy1", "dummy2"])):
        with namespace:
            expect(link("trunk0") is None, "a trunk without its driver")
            for port in ports:
                expect("master" not in link(port), f"{port} still has a master")
                ip(f"link del {port}")


def test_a_trunk_in_use_by_others_goes_too():
    """
    vlan7 ── trunk0 ─── dummy1    br0 ── trunk1    rmmod takes the VLAN with it
    """
    load()
    ip(f"""link add trunk0 type {KIND}
           link add trunk1 type {KIND}
           link add dummy1 type dummy
           link set dummy1 master trunk0
           link set trunk0 up
           link add link trunk0 name vlan7 type vlan id 7
           link add br0 type bridge
           link set trunk1 master br0""")
    unload()
    equal([name for name in ("trunk0", "trunk1", "vlan7") if link(name)], [], "devices left")
    ip("link del dummy1\nlink del br0")


def test_a_namespace_that_goes_takes_its_trunks_along():
    """
    there: trunk0 ─┬─ eth1 ── sw1    `ip netns del`, with traffic
                   └─ eth2 ── sw2
    """
    load()
    ip("netns add there")
    ip(f"-n there link add trunk0 type {KIND}")
    for n in (1, 2):
        ip(f"link add sw{n} type veth peer name eth{n} netns there")
        ip(f"link set sw{n} up")
        ip(f"-n there link set eth{n} master trunk0")
    ip("-n there link set trunk0 up")
    with Background(flooding("sw1"), cpu=0), Background(flooding("sw2"), cpu=1):
        time.sleep(0.2)
        ip("netns del there")
        eventually(lambda: link("sw1") is None and link("sw2") is None, "the links are gone with it")
    unload()


def test_a_hundred_trunks():
    """
    trunk0 … trunk99, two dummies each
    """
    load()
    lines = []
    for n in range(count(100)):
        lines.append(f"link add trunk{n} type {KIND}")
        for port in (2 * n, 2 * n + 1):
            lines += [f"link add dummy{port} type dummy", f"link set dummy{port} master trunk{n}"]
        lines.append(f"link set trunk{n} up")
    ip("\n".join(lines) + "\n")
    equal(len([entry for entry in links().values() if "master" in entry]), 2 * count(100), "ports")
    unload()
    equal(len([entry for entry in links().values() if "master" in entry]), 0, "ports")
