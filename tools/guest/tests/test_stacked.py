# SPDX-License-Identifier: GPL-2.0
"""Ports that stand on other devices: VLANs, macvlans, aggregates."""

from lab import *
from plain import *


def follows(vlan):
    """Waits until a VLAN is up, which the kernel does later, once the device below is up."""
    eventually(lambda: "UP" in link(vlan)["flags"], f"{vlan} is up")


@trodden
@cases("NIC", "VLAN", "macvlan", "VLAN of a macvlan", "bond", "trunk", alike=True)
def test_the_link_of_the_lowest_device_counts(what):
    """
    agg0 ─┬─ eth1 = VLAN 5 of nic    the NIC loses its carrier while somebody holds RTNL, so the kernel does not
          └─ eth2 (spare)            pass that on: the next frame takes the other port all the same
    """
    server, switch = Netns(), Netns()
    stands = what != "NIC"
    with server:
        ip(f"link add {'nic' if stands else 'eth1'} type dummy")
        nic = "nic" if stands else "eth1"
        if what == "VLAN":
            ip("link add link nic name eth1 type vlan id 5\nlink set nic up")
        elif what == "macvlan":
            ip("link add link nic name eth1 type macvlan mode bridge\nlink set nic up")
        elif what == "VLAN of a macvlan":
            ip("link add link nic name mv type macvlan mode bridge\nlink add link mv name eth1 type vlan id 5\nlink set nic up\nlink set mv up")
        if "VLAN" in what:
            follows("eth1")
        elif what == "bond":
            ip("link add eth1 type bond mode active-backup miimon 1000\nlink set nic master eth1\nlink set nic up")
        elif what == "trunk":
            load()
            ip(f"link add eth1 type {KIND}\nlink set nic master eth1\nlink set nic up")
    cable(server, "eth2", switch, "sw2", up=False)
    with switch:
        ip("link set sw2 up")
    with server:
        aggregate("trunk", ["eth1", "eth2"], settings="probe off")
        eventually(lambda: port_of("eth1")["state"] == "act" and carrier("eth2"), "both have carrier")
        ip("link add other type dummy\nlink set other up")
        sender, spare = Sender("agg0"), Tap("eth2", outgoing=True)
        for _ in range(3):
            sender.send(frame(mac(8), mac(1), 1))
            equal(spare.take(), [], "frames by the spare, while the NIC works")
            # After one carrier the kernel waits a second before it looks at another.
            ip(f"link set other carrier off\nlink set {nic} carrier off")
            with RtnlHeld():
                for n in range(10, 20):
                    sender.send(frame(mac(8), mac(1), n))
                equal([number_of(data) for data in spare.take()], list(range(10, 20)), "frames by the spare")
            ip(f"link set other carrier on\nlink set {nic} carrier on")
            eventually(lambda: port_of("eth1")["state"] == "act", "eth1 works again")


def test_a_carrier_that_blinks_below_a_port_comes_back():
    """
    agg0 ─── eth1 = VLAN 5 of nic    a frame finds the NIC without carrier, which is back before the kernel passes
                                     on that it was lost: the port is used again
    """
    with Netns():
        load()
        ip("link add nic type dummy\nlink add link nic name eth1 type vlan id 5\nlink set nic up")
        follows("eth1")
        aggregate("trunk", ["eth1"], spare=False, settings="probe off")
        sender = Sender("agg0")
        for _ in range(5):
            ip("link set nic carrier off")
            sender.send(frame(mac(8), mac(1)))
            ip("link set nic carrier on")
            eventually(lambda: carrier("agg0") and port_of("eth1")["state"] == "act", "it is used again")


def test_a_port_that_becomes_a_stack_later():
    """
    agg0 ─┬─ eth1 = bond, without a port at first    the links below it count as soon as there are some
          └─ eth2 (spare)
    """
    with Netns():
        load()
        ip("link add nic type dummy\nlink add eth1 type bond mode active-backup miimon 1000\nlink add eth2 type dummy")
        aggregate("trunk", ["eth1", "eth2"], settings="probe off")
        ip("link set nic master eth1\nlink set nic up")
        eventually(lambda: port_of("eth1")["state"] == "act", "eth1 works")
        sender, spare = Sender("agg0"), Tap("eth2", outgoing=True)
        ip("link add other type dummy\nlink set other up\nlink set other carrier off\nlink set nic carrier off")
        with RtnlHeld():
            sender.send(frame(mac(8), mac(1), 1))
            equal([number_of(data) for data in spare.take()], [1], "frames by the spare")
