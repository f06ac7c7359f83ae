# SPDX-License-Identifier: GPL-2.0
"""Answers and events while things change, and events of ports that are new."""

import contextlib

import genl
from genl import Control
from lab import *
from test_netlink_settings import networked, observed, of


@contextlib.contextmanager
def meanwhile(netns, act):
    """Calls act() again and again in another process in `netns`, while the block runs."""
    pid = os.fork()
    if pid == 0:
        try:
            with netns:
                act()
        finally:
            os._exit(1)
    try:
        yield
        equal(os.waitpid(pid, os.WNOHANG)[0], 0, "the process that changes things ended by itself")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_table_that_changes_while_it_is_dumped_is_marked():
    """
    trunk0 ─┬─ eth1    all buckets move to and fro; a dump with parts of two tables is
            └─ eth2    marked as interrupted
    """
    takes_time()
    star, control = networked(2)
    control.set(bits=8)

    def to_and_fro():
        with star.server:
            there = Control()
            while True:
                for port in "eth1", "eth2":
                    there.table_set({n: port for n in range(256)})

    control.table_set({n: "eth1" for n in range(256)})
    with star.server:
        raw = genl.Raw()
    command = control.client.ops["table-get"].req_value
    sets = control.client.attr_sets
    bucket, port = sets["trunk"]["bucket"].value, sets["bucket"]["port"].value
    request = genl.u32(sets["trunk"]["ifindex"].value, control.index)
    mixed = marked = 0
    with meanwhile(star.server, to_and_fro):
        for _ in range(count(300)):
            answer = raw.dump(command, request)
            nests = [nest for m in answer.messages for kind, nest in genl.attributes(m) if kind == bucket]
            equal(len(nests), 256, "buckets")
            ports = {value for nest in nests for kind, value in genl.attributes(nest) if kind == port}
            mixed += len(ports) > 1
            marked += answer.interrupted
            expect(len(ports) == 1 or answer.interrupted, "a dump of two tables is not marked")
    note(f"{mixed} mixed, {marked} marked")


def test_a_port_that_is_just_coming_or_going_is_told_of_whole_or_not_at_all():
    """
    trunk0 ─┬─ eth1    65,536 buckets, so that it takes a while
            ├─ eth2    joins, leaves, joins…
            └─ eth3
    """
    takes_time()
    star, control = networked(3)
    control.set(bits=16)

    def come_and_go():
        while True:
            ip("link set eth2 nomaster")
            ip("link set eth2 master trunk0")

    with meanwhile(star.server, come_and_go):
        for _ in range(count(300)):
            for answer in control.client.dump("port-get", control.mine):
                expect({"state", "homes", "ifname"} <= set(answer["port"]), f"a port without its state: {answer}")
            for answer in control.client.dump("stats-get", control.mine):
                expect("tx-packets" in answer["statistics"], f"no counters: {answer}")


@trodden
def test_a_first_carrier_is_no_failback():
    """
    trunk0 ─┬─ eth1 ─────── sw1
            └─ eth2 ─  ✂ ── sw2    joins without a carrier, and gets one; loses it, and gets it again
    """
    star, control = networked(2)
    with star.server:
        ip("link set eth2 nomaster")
    star.pull(1)
    with star.server:
        ip("link set eth2 master trunk0")
    before = control.statistics()
    star.plug(1)
    eventually(lambda: "eth2" in control.column(), "eth2 carries its buckets")
    equal(control.statistics()["failbacks"], before["failbacks"], "failbacks")
    equal([e["kind"] for e in control.history() if e["kind"] in ("failover", "failback")], [], "events of buckets that moved")
    star.pull(1)
    eventually(lambda: "eth2" not in control.column(), "eth2 carries nothing")
    star.plug(1)
    eventually(lambda: "eth2" in control.column(), "eth2 carries its buckets")
    kinds = [e["kind"] for e in control.history() if e["kind"] in ("failover", "failback")]
    equal(kinds, ["failover", "failback"], "events of buckets that moved")


@trodden
def test_after_a_failure_of_all_nobody_is_held_back():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1    the switch restarts; the user need not be asked
            └─ eth2 ─  ✂ ── sw2
    """
    star, control = networked(2)
    control.set(failback="manual")
    home = observed(star, control)
    for cable in range(2):
        star.pull(cable)
    eventually(lambda: set(control.column()) == {None}, "nothing is carried")
    for cable in range(2):
        star.plug(cable)
    eventually(lambda: control.column() == home, "all have their buckets back")
    star.pull(0)
    eventually(lambda: set(control.column()) == {"eth2"}, "eth2 carries all")
    star.plug(0)
    eventually(lambda: control.port("eth1").get("held-back"), "eth1 is held back")


@trodden
def test_who_is_held_back_for_nothing_lets_go_of_its_stand_in():
    """
    trunk0 ─┬─ eth1    held back, and then without buckets
            ├─ eth2
            └─ eth3    stood in for it; is free, and stands in for eth2
    """
    star, control = networked(3)
    control.port_set("eth3", priority=2)
    control.set(failback="manual")
    star.pull(0)
    eventually(lambda: "eth3" in control.column(), "eth3 stands in for eth1")
    star.plug(0)
    eventually(lambda: control.port("eth1").get("held-back"), "eth1 is held back")
    control.table_set({n: "eth2" for n in range(32)})
    equal(control.port("eth1").get("held-back"), None, "is eth1 held back")
    equal(control.port("eth3").get("stands-in-for"), None, "who eth3 stands in for")
    star.pull(1)
    eventually(lambda: set(control.column()) == {"eth3"}, "eth3 stands in for eth2")
    equal(of("eth3", observed(star, control)), set(range(32)), "buckets of eth3")
