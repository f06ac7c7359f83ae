# SPDX-License-Identifier: GPL-2.0
"""A thousand steps in random order, under traffic."""

import contextlib

from lab import *

STEPS = 1_000
TRUNKS = [f"trunk{n}" for n in range(3)]
LINKS = 6


class Walk:
    """The steps of the walk. Most of them may be refused: what counts is the state afterwards."""

    def __init__(self, random):
        self.random = random
        self.netlink = Rtnetlink()
        self.there = None
        self.done, self.no = {}, {}
        self.weighted = [
            (self.add_trunk, 6), (self.delete_trunk, 3), (self.add_link, 10), (self.delete_link, 4),
            (self.add_dummy, 3), (self.enslave, 24), (self.release, 10), (self.trunk_updown, 12),
            (self.port_updown, 10), (self.cable, 10), (self.dummy_carrier, 3), (self.address, 3), (self.mtu, 3),
            (self.vlan, 2), (self.move_away, 1), (self.namespace_gone, 1), (self.reload, 1),
        ]  # fmt: skip

    def steps(self, count):
        """Returns as many steps of each kind as its weight, in random order."""
        deck = [action for action, weight in self.weighted for _ in range(weight)]
        deck *= -(-count // len(deck))
        self.random.shuffle(deck)
        return deck[:count]

    def step(self, action):
        name = action.__name__
        try:
            action()
            self.done[name] = self.done.get(name, 0) + 1
        except OSError:
            self.no[name] = self.no.get(name, 0) + 1

    def trunk(self):
        return self.random.choice(TRUNKS)

    def cable_end(self, near="eth"):
        return f"{near}{self.random.randrange(LINKS)}"

    def dummy(self):
        return f"dummy{self.random.randrange(3)}"

    def port(self):
        """Makes a device: mostly a veth, or a dummy, sometimes a trunk."""
        return self.random.choices([self.cable_end, self.dummy, self.trunk], [8, 3, 1])[0]()

    def add_trunk(self):
        self.netlink.add(self.trunk(), KIND)

    def delete_trunk(self):
        self.netlink.delete(self.trunk())

    def add_link(self):
        n = self.random.randrange(LINKS)
        self.netlink.add(f"sw{n}", "veth", peer=f"eth{n}")
        self.netlink.up(f"sw{n}")

    def delete_link(self):
        self.netlink.delete(self.cable_end(self.random.choice(["eth", "sw"])))

    def add_dummy(self):
        self.netlink.add(self.dummy(), "dummy")

    def enslave(self):
        port = self.port()
        if self.random.random() < 0.8:
            self.netlink.up(port, False)
        self.netlink.master(port, self.trunk())

    def release(self):
        self.netlink.master(self.port(), None)

    def trunk_updown(self):
        self.netlink.up(self.trunk(), self.random.random() < 0.7)

    def port_updown(self):
        self.netlink.up(self.port(), self.random.random() < 0.7)

    def cable(self):
        self.netlink.up(self.cable_end("sw"), self.random.random() < 0.6)

    def dummy_carrier(self):
        self.netlink.set(self.dummy(), IFLA_CARRIER, bytes([self.random.random() < 0.6]))

    def address(self):
        device = self.random.choice([self.trunk, self.port])()
        self.netlink.set(device, IFLA_ADDRESS, mac(self.random.randrange(1 << 40)))

    def mtu(self):
        self.netlink.set(self.trunk(), IFLA_MTU, self.random.choice([68, 1280, 1500, 9000, 65535]))

    def vlan(self):
        info = attribute(IFLA_INFO_KIND, "vlan") + attribute(IFLA_INFO_DATA, attribute(1, struct.pack("H", 7)))
        lower = attribute(IFLA_LINK, socket.if_nametoindex(self.trunk()))
        self.netlink.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "vlan7", lower + attribute(IFLA_LINKINFO, info))
        with contextlib.suppress(OSError):  # the trunk may be down
            self.netlink.up("vlan7")

    def move_away(self):
        """Moves a port or a trunk to another namespace."""
        self.there = self.there or Netns()
        names = [name for _, name in socket.if_nameindex() if name != "lo"]
        self.netlink.set(self.random.choice(names or ["lo"]), IFLA_NET_NS_FD, self.there.fd)

    def namespace_gone(self):
        """Makes a trunk of the devices in the other namespace, and deletes the namespace."""
        there, self.there = self.there or Netns(), None
        with there:
            netlink = Rtnetlink()
            netlink.add("trunk0", KIND)
            netlink.up("trunk0")
            for name in [name for _, name in socket.if_nameindex() if name not in ("lo", "trunk0")]:
                try:
                    netlink.up(name, False)
                    netlink.master(name, "trunk0")
                except OSError:
                    pass
            netlink.socket.close()
        there.delete()

    def reload(self):
        unload()
        load(bits=self.random.randrange(9), selector=self.random.randrange(4))


def test_a_thousand_random_steps_under_traffic():
    """
    trunk0…2 over any of:   eth0…5 ── sw0…5      floods through every trunk and into
                            dummy0…2, trunk0…2   every cable, from both CPUs, all the time
    """
    takes_time()
    load()
    random = seeded()
    walk = Walk(random)
    with contextlib.ExitStack() as traffic:
        for n, dev in enumerate(TRUNKS + ["sw0", "sw1", "sw2"]):
            traffic.enter_context(Background(flooding(dev), cpu=n))
        os.nice(-10)  # so that the steps get their part of the two processors
        for step, action in enumerate(walk.steps(STEPS)):
            walk.step(action)
            if step % 100 == 99:
                note(f"{step + 1} steps")
    note(f"done {walk.done}")
    note(f"refused {walk.no}")
    expect(set(walk.done) >= {action.__name__ for action, _ in walk.weighted}, "a kind of step never succeeded")

    # To delete a device takes until it has no references: with a leaked one this never ends.
    if walk.there:
        walk.there.delete()
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    random.shuffle(names)
    for name in names:
        if link(name, ""):
            run(f"ip link del {name}")
    equal([name for _, name in socket.if_nameindex()], ["lo"], "devices left")
    equal(read("/sys/module/trunk/refcnt"), "0", "references to the module")
    unload()
