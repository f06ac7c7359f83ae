# SPDX-License-Identifier: GPL-2.0
"""Settings of trunks in rtnetlink messages, which disturb no other client there."""

import errno

import genl
from genl import Control
from lab import *

# Attributes of the family's set `trunk` and of `auto-join`, see include/uapi/linux/trunk.h.
IFINDEX, IFNAME, BITS, SELECTOR, ROLE, FAILBACK, INTERVAL, REPLY_TIMEOUT = 1, 2, 3, 4, 5, 6, 16, 17
PROBE_ADDRESS, KEY, AUTO_JOIN, AUTO_JOIN_NAME, AUTO_JOIN_PRIORITY = 23, 24, 28, 1, 5
TRUNK_GET, IFLA_INFO_XSTATS = 1, 3


def fresh():
    if not loaded():
        load()
    return Rtnetlink()


def set_link(netlink, name, data):
    """Sends what `ip link set NAME type trunk …` sends."""
    info = attribute(IFLA_INFO_KIND, KIND) + attribute(IFLA_INFO_DATA, data)
    netlink.set(name, IFLA_LINKINFO, info)


def refusal(request, *arguments, **named):
    """Returns the error with which a request fails."""
    try:
        request(*arguments, **named)
    except OSError as error:
        return error
    raise Failed(f"it was not refused: {arguments}")


def test_a_trunk_begins_with_the_settings_it_is_made_with():
    """
    trunk0    made with settings
    trunk1    is refused, and not made
    """
    netlink = fresh()
    rule = attribute(AUTO_JOIN_NAME, "lab*") + attribute(AUTO_JOIN_PRIORITY, 2)
    netlink.add("trunk0", KIND, data=attribute(BITS, 3) + attribute(SELECTOR, 3) + attribute(AUTO_JOIN, rule))
    got = Control().get()
    equal((got["bits"], got["selector"], got["auto-join"]), (3, "flow", {"name": "lab*", "priority": 2}), "settings")

    set_link(netlink, "trunk0", attribute(INTERVAL, 10_000) + attribute(KEY, bytes(16)))
    got = Control().get()
    equal((got["bits"], got["interval"], got["keyed"]), (3, 10_000, True), "settings after a change")
    set_link(netlink, "trunk0", b"")
    equal(Control().get(), got, "settings after no change")

    # Refusals by the policy and by the driver; a valid setting beside them is not applied either.
    for data, want in [
        (attribute(BITS, 17), errno.ERANGE),
        (attribute(SELECTOR, 4), errno.ERANGE),
        (attribute(PROBE_ADDRESS, bytes(5)), errno.ERANGE),
        (attribute(IFINDEX, 1), errno.EINVAL),
        (attribute(AUTO_JOIN, attribute(AUTO_JOIN_PRIORITY, 2)), errno.EINVAL),
        (attribute(BITS, 4) + attribute(REPLY_TIMEOUT, 50_000_000), errno.EINVAL),
        (attribute(ROLE, 1) + attribute(SELECTOR, 0), errno.EINVAL),
    ]:
        equal(refusal(netlink.add, "trunk1", KIND, data=data).errno, want, f"refusal of {data.hex()}")
        equal(link("trunk1"), None, "the device that was refused")
        equal(refusal(set_link, netlink, "trunk0", data).errno, want, f"refusal of {data.hex()} for trunk0")
    # What rtnetlink accepts: numbers that are too long, and unknown conditions.
    long = struct.pack("Q", 2)
    for data, words in [
        (attribute(BITS, long), "bits: a number has 4 bytes"),
        (attribute(AUTO_JOIN, rule[:12] + attribute(AUTO_JOIN_PRIORITY, long)), "auto-join.priority: a number has 4 bytes"),
        (attribute(AUTO_JOIN, rule + attribute(6, 1)), "auto-join.: this is not to be set"),
        (attribute(AUTO_JOIN, attribute(6, 1)), "auto-join.: this is not to be set"),
    ]:
        for error in refusal(netlink.add, "trunk1", KIND, data=data), refusal(set_link, netlink, "trunk0", data):
            equal((error.errno, error.strerror), (errno.EINVAL, words), f"refusal of {data.hex()}")
    equal(Control().get(), got, "settings after refusals")


def test_settings_of_a_port_are_checked():
    """
    trunk0 ── dummy1    IFLA_INFO_SLAVE_DATA has the attributes in the nest of port-set
    """
    netlink = fresh()
    netlink.add("trunk0", KIND)
    netlink.add("dummy1", "dummy")
    netlink.master("dummy1", "trunk0")
    control = Control()
    prio, weight, enabled, ifindex, state = 4, 5, 7, 1, 8

    def set_port(data):
        netlink.set("dummy1", IFLA_LINKINFO, attribute(IFLA_INFO_SLAVE_KIND, KIND) + attribute(IFLA_INFO_SLAVE_DATA, data))

    def got():
        return [control.port("dummy1")[name] for name in ("priority", "weight", "enabled")]

    set_port(attribute(prio, 5) + attribute(weight, 0) + attribute(enabled, 0))
    equal(got(), [5, 0, 0], "settings")
    data = dict(attributes(dict(attributes(netlink.look("dummy1")[1][IFLA_LINKINFO]))[IFLA_INFO_SLAVE_DATA]))
    equal([struct.unpack("I", data[kind])[0] for kind in (prio, weight, enabled)], [5, 0, 0], "settings in a link message")
    for data, number, words in [
        (attribute(prio, 0), errno.ERANGE, None),
        (attribute(weight, 65536), errno.ERANGE, None),
        (attribute(ifindex, 1) + attribute(prio, 2), errno.EINVAL, "port.ifindex: this is not to be set"),
        (attribute(prio, 2) + attribute(state, 1), errno.EINVAL, "port.state: this is not to be set"),
        (attribute(prio, 2) + attribute(weight, struct.pack("Q", 2)), errno.EINVAL, "port.weight: a number has 4 bytes"),
    ]:
        error = refusal(set_port, data)
        equal(error.errno, number, f"refusal of {data.hex()}: {error}")
        expect(words is None or error.strerror == words, f"words of the refusal: {error}")
        equal(got(), [5, 0, 0], "settings after a refusal")
    set_port(b"")
    equal(got(), [5, 0, 0], "settings after no change")


def test_master_and_up_in_one_request():
    """
    ip link set eth1 master trunk0 up    is refused, since up comes first; without up it joins, and is up
    """
    fresh()
    ip(f"link add trunk0 type {KIND}\nlink add eth1 type dummy")
    equal(refused("ip link set eth1 master trunk0 up"), "trunk: the device is up; set it down first.", "words")
    expect("UP" in link("eth1")["flags"] and "master" not in link("eth1"), link("eth1"))
    ip("link set eth1 master trunk0 down")
    entry = link("eth1")
    equal((entry["master"], "UP" in entry["flags"]), ("trunk0", True), "master, and whether it is up")


def test_other_clients_of_rtnetlink_read_on():
    """
    trunk0, trunk1, trunk2    with all sorts of settings
    """
    netlink = fresh()
    rule = attribute(AUTO_JOIN_NAME, "lab*") + attribute(AUTO_JOIN_PRIORITY, 7)
    netlink.add("trunk0", KIND)
    netlink.add("trunk1", KIND, data=attribute(BITS, 0) + attribute(KEY, bytes(16)) + attribute(AUTO_JOIN, rule))
    netlink.add("trunk2", KIND, data=attribute(ROLE, 1) + attribute(FAILBACK, 1))
    netlink.add("dummy0", "dummy")
    netlink.master("dummy0", "trunk2")

    # The kernel's own client, which fails at kinds that it does not have: of masters, too, such as VRF.
    netlink.master("dummy0", None)
    ynl = genl.lib.YnlFamily(f"{os.path.dirname(genl.SPEC)}/rt-link.yaml", schema="")
    infos = {m["ifname"]: m.get("linkinfo") for m in ynl.dump("getlink", {})}
    equal({name: info["kind"] for name, info in infos.items() if name.startswith("trunk")},
          dict.fromkeys(("trunk0", "trunk1", "trunk2"), KIND), "trunks in a dump of links")
    equal(ynl.do("getlink", {"ifname": "trunk1"})["linkinfo"]["kind"], KIND, "a trunk asked for")

    # The settings have the form of the family's answers.
    for name in "trunk0", "trunk1", "trunk2":
        data = dict(attributes(dict(attributes(netlink.look(name)[1][IFLA_LINKINFO]))[IFLA_INFO_XSTATS]))
        told = genl.Raw().ask(TRUNK_GET, attribute(IFINDEX, socket.if_nametoindex(name))).messages[0]
        raw = dict(attributes(told))
        equal(data, {kind: value for kind, value in raw.items() if kind not in (IFINDEX, IFNAME)}, f"attributes of {name}")
