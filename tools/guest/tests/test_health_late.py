# SPDX-License-Identifier: GPL-2.0
"""Links on which answers come late: full queues, long ways. They are alive."""

from hosts import *

# The default deadline of answers. Many rounds may be missed, since a busy machine may stand still for longer than a
# queue delays frames: `a_full_queue_is_no_dead_link` of the core has the defaults.
SETTINGS = {"interval": 100_000, "reply-timeout": 10_000, "misses": 8, "hits": 3, "hold-down": 60_000}
SHAPE = "netem rate 20mbit limit 330"  # 200 ms of frames of 1,500 bytes


class Busy:
    """TCP connections from 192.0.2.1 to 192.0.2.2, while the block runs."""

    def __init__(self, server, switch, words):
        self.server, self.switch, self.words = server, switch, words

    def __enter__(self):
        with self.switch.netns:
            self.listener = iperf3_server()
        with self.server.netns:
            command = f"iperf3 -c 192.0.2.2 -P 8 -t 1000 {self.words}"
            self.sender = subprocess.Popen(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __exit__(self, *error):
        for process in self.sender, self.listener:
            process.kill()
            process.wait()


@repeats
@cases("both ways", "one way, at the port", "in bursts")
def test_a_full_link_is_late_and_not_dead(what):
    """
    trunk0 ═ two links of 20 Mbit/s, each with a long queue ═ trunk0    TCP fills both: no port is taken out
                                                                        of use, and both ends say what is wrong
    """
    pair = Pair((1, 1), **SETTINGS)
    server, switch = pair.hosts
    for last, host in enumerate(pair.hosts, 1):
        host.control.set(selector="flow")
        with host.netns:
            ip(f"address add 192.0.2.{last}/24 dev trunk0")
            run("ethtool -K trunk0 tso off gso off")
    shaped = [(server.netns, server.ports)] if "port" in what else [(pair.panel.netns, server.ports + switch.ports)]
    for netns, ports in shaped:
        with netns:
            for port in ports:
                run(f"/usr/sbin/tc qdisc replace dev {port} root {SHAPE}")
    before = {host: host.control.history()[-1]["seq"] for host in pair.hosts}

    def told(host):
        return [short(event) for event in host.control.history() if event["seq"] > before[host]]

    def late(host):
        return {name for name, port in host.control.ports().items() if "late" in port}

    words = {"both ways": "--bidir", "in bursts": "-b 1600K"}.get(what, "")
    with Busy(server, switch, words):
        rounds(*pair.hosts, more=50)
        # The queue of a port of its own host is not filled by TCP, but kept short (TCP small queues).
        if what == "both ways":
            eventually(lambda: all(counted(server, name, "port-late") for name in server.ports), "both links are late")
            rounds(*pair.hosts, more=20)
            with server.netns:
                advised = lambda: "late" in [found["check"] for found in json.loads(attempt("trunkctl -j doctor").stdout)]
                eventually(advised, "doctor says so")
                shown = {port["ifname"]: port["late"] for port in json.loads(run("trunkctl -j port show"))}
                equal(set(shown), set(server.ports), "ports that are shown")
    for host in pair.hosts:
        eventually(lambda: not late(host), "all links answer in time again")
        lines = told(host)
        fine = re.compile(r"\S+ (late|in-time)")
        equal([line for line in lines if line and not fine.fullmatch(line)], [], "other events than of lateness")
        for name, port in host.control.ports().items():
            count = counted(host, name, "port-late")
            equal((lines.count(f"{name} late"), lines.count(f"{name} in-time")), (count, count), f"events of {name}")
        with host.netns:
            total = ethtool_statistics("trunk0")["port_late"]
        equal(total, sum(line.endswith(" late") for line in lines), "port_late of the trunk")


def counted(host, port, name):
    return host.control.statistics(port)[name]


@repeats
def test_a_long_way_is_late_and_not_dead():
    """
    trunk0 ─┬─ eth1 ─ ⧗ ─ sw1 ─┬─ trunk0    replies come, but too late: the port is act, and says by
            ├─ eth2 ────── sw2 ─┤            how much; if the link fails, that is noticed as on any other
            └─ eth3 ────── sw3 ─┘ spare
    """
    pair = Pair()
    ends = [(pair.server, "eth1"), (pair.switch, "sw1")]
    pair.panel.spoil("sw1", delay=1.5 * INTERVAL / 1e6)
    for host, name in ends:
        accounted(host, f"{name} late")
        port = host.control.port(name)
        expect(port["state"] == "act" and "late" in port, f"late: {port}")
        expect(port["round-trip-late"] >= 1.5 * INTERVAL * 1000, f"late by: {port}")
        eventually(lambda: counted(host, name, "replies-late") >= 3, "late replies are counted")
    quiet(pair)
    carries(pair)
    pair.panel.lose("eth1")
    fails(pair, "eth1", *["probe-timeout after one-way-.x|peer-sby"] * 2)
    expect(not any("late" in host.control.port(name) for host, name in ends), "a dead link is late")
    pair.panel.heal("eth1")
    for host, name in ends:
        pair.until(host)
        accounted(host, f"{name} act", f"{name} failback {host.ports[-1]}", maybe=[f"{name} (late|in-time)"])
    eventually(lambda: not any("late" in host.control.port(name) for host, name in ends), "in time again")
