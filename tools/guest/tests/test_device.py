# SPDX-License-Identifier: GPL-2.0
"""ip, ethtool and sysfs describe a trunk correctly."""

import genl
from lab import *


def test_counters_are_exact():
    """
    server                     switch
    trunk0 ─┬─ eth1 ───────── sw1    out: 1,000 frames of 60…1,059 bytes from each of two
            └─ eth2 ───────── sw2    CPUs; in: 500 frames of 60…559 bytes by each link
    """
    star = Star(2)
    each = count(1_000)
    with star.server:
        own = address("trunk0")
        before = counters("trunk0")
        on_trunk = Taps(["trunk0"])

    def sending(cpu):
        def go(_):
            sender = Sender("trunk0")
            for n in range(each):
                sender.send(frame(mac(n), mac(cpu), n, size=60 + n))

        return go

    with star.server, Background(sending(0), cpu=0), Background(sending(1), cpu=1):
        pass
    equal(len(star.taps.take(2 * each)), 2 * each, "frames that arrived")
    with star.switch:
        for far in star.far:
            sender = Sender(far)
            for n in range(each // 2):
                sender.send(frame(own, mac(9), n, size=60 + n))
    equal(len(on_trunk.take(each)), each, "frames received")
    with star.server:
        equal(
            moved(before, counters("trunk0")),
            {
                "tx_packets": 2 * each,
                "tx_bytes": 2 * sum(60 + n for n in range(each)),
                "rx_packets": each,
                "rx_bytes": 2 * sum(60 + n for n in range(each // 2)),
            },
            "counters",
        )


def test_carrier_follows_the_ports():
    """
    trunk0 ─┬─ eth1 ─  ✂ ── sw1    carrier as long as one port has it
            └─ eth2 ─  ✂ ── sw2
    """
    star = Star(2)

    def has(expected):
        with star.server:
            eventually(lambda: carrier("trunk0") == expected, f"carrier is {expected}")

    has(True)
    star.pull(0)
    has(True)
    star.pull(1)
    has(False)
    star.plug(0)
    has(True)
    with star.server:
        ip("link set eth1 nomaster")
        has(False)
        ip("link set eth1 down\nlink set eth1 master trunk0")
        has(True)
        equal(link("trunk0")["operstate"], "UP", "operstate")


@trodden
def test_ethtool_tells_driver_speed_and_statistics():
    """
    trunk0 ─┬─ eth1 ── sw1    a veth has 10,000 Mb/s
            ├─  …       …
            └─ eth4 ── sw4
    """
    star = Star(4)
    with star.server:
        equal(ethtool_field("trunk0", "driver", "-i"), "trunk", "driver")
        equal(ethtool_field("trunk0", "Speed"), "40000Mb/s", "speed")
        equal(ethtool_field("trunk0", "Duplex"), "Full", "duplex")
        equal(ethtool_field("trunk0", "Link detected"), "yes", "link")
        names = set(ethtool_statistics("trunk0"))
        wanted = {"tx_no_port", "failovers", "failbacks", "buckets_moved", "port_up", "port_down", "rx_own_source", "rx_multicast_filtered"}
        equal(wanted - names, set(), "statistics missing")
        equal(ethtool_statistics("trunk0")["port_down"], 0, "port_down")
    star.pull(2)
    with star.server:
        eventually(lambda: ethtool_field("trunk0", "Speed") == "30000Mb/s", "the speed of three ports")
        equal(ethtool_statistics("trunk0")["port_down"], 1, "port_down")
    for port in (0, 1, 3):
        star.pull(port)
    with star.server:
        eventually(lambda: ethtool_field("trunk0", "Link detected") == "no", "no link")
        eventually(lambda: "Unknown" in ethtool_field("trunk0", "Speed"), "no speed")


def test_the_speed_is_that_of_ports_in_use():
    """
    trunk0 ─┬─ eth1 ─ ✂ ─ sw1    10,000 Mb/s for each port that carries frames
            ├─ eth2 ───── sw2
            └─ eth3 ───── sw3 spare
    """
    star = Star(3)
    with star.server:
        control = genl.Control()
        control.port_set("eth3", priority=2)
        equal(ethtool_field("trunk0", "Speed"), "20000Mb/s", "speed of two and a spare")
        control.port_set("eth2", enabled=0)
        equal(ethtool_field("trunk0", "Speed"), "20000Mb/s", "speed with the spare in eth2's place")
    star.pull(0)
    with star.server:
        eventually(lambda: ethtool_field("trunk0", "Speed") == "10000Mb/s", "the speed of the spare alone")


def test_memory_is_that_of_who_makes_the_trunk():
    """
    a memory cgroup ── trunk0 with 65,536 buckets: counters of 16 bytes, for each CPU
    """
    attempt("mount -t cgroup2 none /sys/fs/cgroup")
    if "memory" not in attempt("cat /sys/fs/cgroup/cgroup.controllers").stdout:
        raise Skipped("no memory cgroups")
    load()
    group = "/sys/fs/cgroup/container"
    write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    os.mkdir(group)
    try:
        used = lambda: int(read(f"{group}/memory.current"))
        join = lambda: write(f"{group}/cgroup.procs", "0")
        within = lambda command: subprocess.run(command.split(), check=True, preexec_fn=join)
        within(f"ip link add trunk0 type {KIND}")
        before = used()
        within("trunkctl set trunk0 bits 16")
        expect(used() - before > 16 * 65_536 * os.cpu_count(), f"{used() - before} bytes are accounted for")
        ip("link del trunk0")
    finally:
        os.rmdir(group)


@trodden
def test_upper_and_lower_links_show():
    """
    trunk0 ─┬─ dummy1    /sys/class/net/trunk0/lower_dummy1, …/dummy1/master, ip -d link
            └─ dummy2
    """
    ip("netns add sight")
    sysfs = "ip netns exec sight"
    load()
    try:
        run(f"ip -n sight link add trunk0 type {KIND}")
        for port in ("dummy1", "dummy2"):
            run(f"ip -n sight link add {port} type dummy")
            run(f"ip -n sight link set {port} master trunk0")
            equal(run(f"{sysfs} readlink /sys/class/net/{port}/master").strip(), "../trunk0", "master")
        shown = set(run(f"{sysfs} ls /sys/class/net/trunk0").split())
        equal({"lower_dummy1", "lower_dummy2"} - shown, set(), "lower links missing")
        details = json.loads(run("ip -n sight -d -j link show"))
        details = {entry["ifname"]: entry for entry in details if entry}
        equal(details["trunk0"]["linkinfo"]["info_kind"], "trunk", "kind")
        equal(details["dummy1"]["linkinfo"]["info_slave_kind"], "trunk", "kind of the master")
        run("ip -n sight link set dummy1 nomaster")
        shown = set(run(f"{sysfs} ls /sys/class/net/trunk0").split())
        expect("lower_dummy1" not in shown and "lower_dummy2" in shown, f"lower links: {shown}")
        expect("master" not in json.loads(run("ip -n sight -j link show dev dummy1"))[0], "a released port has a master")
    finally:
        run("ip netns del sight")


def test_what_the_trunk_listens_to_its_ports_listen_to():
    """
    trunk0 (promiscuous, all multicast, 33:33:00:00:00:99) ─┬─ dummy1
                                                            ├─ dummy2
                                                            └─ dummy3    joins later
    """
    load()
    ports = ["dummy1", "dummy2", "dummy3"]
    ip(f"""link add trunk0 type {KIND}
           link add dummy1 type dummy
           link add dummy2 type dummy
           link add dummy3 type dummy
           link set dummy1 master trunk0
           link set dummy2 master trunk0
           link set trunk0 up
           link set trunk0 promisc on
           link set trunk0 allmulticast on""")
    ip("maddress add 33:33:00:00:00:99 dev trunk0")  # which would end a batch without a message
    ip("link set dummy3 master trunk0")

    def hears(port):
        entry = link(port)
        return entry["promiscuity"], entry["allmulti"], "33:33:00:00:00:99" in run(f"ip maddress show dev {port}")

    equal({port: hears(port) for port in ports}, dict.fromkeys(ports, (1, 1, True)), "what ports listen to")
    ip("link set dummy1 nomaster")
    equal(hears("dummy1"), (0, 0, False), "what a released port listens to")
    ip("link set trunk0 promisc off\nlink set trunk0 allmulticast off")
    ip("maddress del 33:33:00:00:00:99 dev trunk0")
    equal(hears("dummy2"), (0, 0, False), "what ports listen to afterwards")
    ip("link set trunk0 promisc on\nlink set trunk0 allmulticast on\nlink del trunk0")
    for port in ports:
        equal(hears(port), (0, 0, False), f"what {port} listens to without a trunk")


@trodden
def test_udev_is_told_that_it_is_a_trunk():
    """
    trunk0    DEVTYPE=trunk, by which udev and networkd recognize trunks
    """
    ip("netns add sight")
    load()
    try:
        run(f"ip -n sight link add trunk0 type {KIND}")
        told = run("ip netns exec sight cat /sys/class/net/trunk0/uevent").splitlines()
        expect(f"DEVTYPE={KIND}" in told, f"udev is told {told}")
    finally:
        run("ip netns del sight")


def test_a_trunk_does_not_change_namespaces():
    """
    here │ there       the ports would stay behind
    trunk0 ─┼─►
    """
    load()
    there = Netns()
    ip(f"link add trunk0 type {KIND}")
    refused(f"ip link set trunk0 netns {there.path}")
    expect(link("trunk0"), "the trunk is gone")


def test_a_port_that_changes_namespaces_leaves_the_trunk():
    """
    here              │ there
    trunk0 ─┬─ eth1   │
            └─ eth2 ──┼─► eth2
    """
    star = Star(2)
    there = Netns()
    with star.server:
        own = link("eth1")["address"]
        ip(f"link set eth2 netns {there.path}")
        expect(link("eth2") is None, "the port is still here")
    with there:
        expect("master" not in link("eth2") and link("eth2")["address"] != own, "the port still belongs to the trunk")
    with star.switch:
        star.taps = Taps(["sw1"])
    equal(set(star.map()), {0}, "ports in use")


@trodden
def test_devices_are_independent():
    """
    trunk0 ─┬─ dummy1    trunk1 ─┬─ dummy3    what happens to one trunk does not
            └─ dummy2            └─ dummy4    affect the other
    """
    load()
    for trunk, ports in (("trunk0", ("dummy1", "dummy2")), ("trunk1", ("dummy3", "dummy4"))):
        ip(f"link add {trunk} type {KIND}")
        for port in ports:
            ip(f"link add {port} type dummy\nlink set {port} master {trunk}")
        bring_up(trunk)
    taps = Taps(["dummy1", "dummy2", "dummy3", "dummy4"], outgoing=True)
    for trunk in ("trunk0", "trunk1"):
        sender = Sender(trunk)
        for n in range(64):
            sender.send(frame(mac(n), mac(1), n))
        own = {0, 1} if trunk == "trunk0" else {2, 3}
        equal({index for index, _ in taps.take(64)}, own, f"ports used by {trunk}")
    ip("link del trunk1")
    Sender("trunk0").send(frame(mac(1), mac(1), 1))
    equal(len(taps.take(1)), 1, "frames of the trunk that is left")
