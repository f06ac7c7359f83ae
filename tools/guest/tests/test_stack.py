# SPDX-License-Identifier: GPL-2.0
"""Traffic of programs, and trunks below other devices of the kernel."""

import errno

from lab import *


def addressed(star, server_dev="trunk0", client_dev="client0"):
    """Adds IPv4 and IPv6 addresses at both ends, without detection of duplicates."""
    for namespace, dev, last in ((star.server, server_dev, 1), (star.client, client_dev, 2)):
        with namespace:
            ip(f"""address add 192.0.2.{last}/24 dev {dev}
                   address add 2001:db8::{last}/64 dev {dev} nodad""")


def ping(target, count=20):
    """Pings, and returns the number of answers."""
    done = attempt(f"ping -n -q -c {count} -i 0.02 -W 30 {target}")
    found = re.search(r"(\d+) received", done.stdout)
    expect(found, f"ping {target}: {done.stdout}{done.stderr}")
    return int(found[1])


def both_ways(star):
    for namespace, last in ((star.server, 2), (star.client, 1)):
        with namespace:
            for target in (f"192.0.2.{last}", f"2001:db8::{last}"):
                attempt(f"ping -n -q -c 1 -W 5 {target}")  # resolves the address
                equal(ping(target), 20, f"answers of {target}")


@trodden
@cases("dmac", "smac", "smac-dmac", "flow", alike=True)
def test_ping_through_a_plain_bridge(selector):
    """
    server                     switch (plain bridge)     client
    trunk0 ─┬─ eth1 ───────── sw1 ─┐
            ├─  …              …   ├─ br0 ─ sw0 ─────── client0
            └─ eth4 ───────── sw4 ─┘
    """
    star = Star(4, bridge=True, ipv6=True, selector=SELECTORS.index(selector))
    addressed(star)
    both_ways(star)


@trodden
def test_iperf3_both_ways():
    """
    server ═ trunk0 ═ four links ═ br0 ═ client    TCP and UDP, IPv4 and IPv6, a cable pulled
    """
    star = Star(4, bridge=True, ipv6=True, selector=SELECTORS.index("flow"))
    star.taps = None  # they would keep all frames, and are not read here
    addressed(star)
    with star.client:
        listeners = [iperf3_server(), iperf3_server(5202)]
    try:
        with star.server:
            for options in ("-n 4M", "-n 4M -R", "-6 -n 2M -P 4", "-u -b 2M -n 500K"):
                target = "2001:db8::2" if "-6" in options else "192.0.2.2"

                def result():
                    return attempt(f"iperf3 -J -c {target} {options}")

                done = result()
                for _ in range(60):  # the server may not listen yet, or be busy with the last client
                    if done.returncode == 0:
                        break
                    time.sleep(0.5)
                    done = result()
                equal(done.returncode, 0, f"iperf3 {options}: {done.stdout[-300:]}")
                end = json.loads(done.stdout)["end"]
                total = end.get("sum_received") or end["sum"]
                expect(total["bytes"] > 0, f"iperf3 {options} received nothing")
                note(f"iperf3 {options}: {total['bits_per_second'] / 1e6:.0f} Mbit/s")
        with star.server:
            running = subprocess.Popen(
                ["iperf3", "-J", "-c", "192.0.2.2", "-p", "5202", "-t", "4", "-b", "20M"], stdout=subprocess.PIPE, text=True
            )
        for port in (0, 1, 2):
            time.sleep(0.5)
            star.pull(port)
        report = json.loads(running.communicate()[0])
        expect("error" not in report, f"iperf3 while three cables are pulled: {report.get('error')}")
        note(f"iperf3, three cables pulled: {report['end']['sum_sent']['retransmits']} retransmits")
    finally:
        for listener in listeners:
            listener.kill()


def test_below_a_bridge():
    """
    server                                            client
    host0 ── br1 ── trunk0 ═ four links ═ br0 ────── client0
    """
    star = Star(4, bridge=True, ipv6=True)
    # The switch must not send frames back by another link: the addresses of hosts behind br1 are not the
    # trunk's, so br1 would find its own hosts at the switch. So its links are isolated.
    with star.switch:
        ip("\n".join(f"link set {far} type bridge_slave isolated on" for far in star.far))
    host = Netns(ipv6=True)
    with star.server:
        ip(f"""link add br1 type bridge
               link add port0 type veth peer name host0 netns {host.path}
               link set port0 master br1 up
               link set trunk0 master br1
               link set br1 up""")
    with host:
        ip("link set host0 up\naddress add 192.0.2.3/24 dev host0\naddress add 2001:db8::3/64 dev host0 nodad")
    addressed(star, server_dev="br1")
    both_ways(star)
    with host:
        for target in ("192.0.2.2", "2001:db8::2"):
            attempt(f"ping -n -q -c 1 -W 5 {target}")
            equal(ping(target), 20, f"answers of {target}")


@trodden
def test_below_a_vlan():
    """
    server                                            client
    vlan7 ── trunk0 ═ four links ═ br0 ── client0 ── vlan7
    """
    star = Star(4, bridge=True, ipv6=True)
    for namespace, dev in ((star.server, "trunk0"), (star.client, "client0")):
        with namespace:
            ip(f"link add link {dev} name vlan7 type vlan id 7\nlink set vlan7 up")
    addressed(star, "vlan7", "vlan7")
    both_ways(star)
    with star.server:
        ip("link set eth1 nomaster")
        ip("link del vlan7")


@cases("bond", "trunk", "claim")
def test_the_sender_learns_of_a_full_queue(way):
    """
    sender ── trunk0 | bond0 ─┬─ dummy1    each port has room for three frames, and sends none: the sender
                              └─ dummy2    gets an error for all others, those of a claim too
    """
    from genl import Control, Holder

    ports, used, mark = ["dummy1", "dummy2"], ["dummy1", "dummy2"], 0
    if way != "bond":
        load()
        name, kind = "trunk0", KIND
    elif attempt("modprobe bonding max_bonds=0").returncode:
        raise Skipped("no bonding")
    else:
        name, kind = "bond0", "bond mode balance-xor miimon 100"
    with Netns():
        netlink = Rtnetlink()
        ip(f"link add {name} type {kind}")
        for port in ports:
            netlink.add(port, "dummy")
            netlink.master(port, name)
        bring_up(name)
        if name == "trunk0":
            control = Control()
            control.set(probe="off")  # probes would take room
        if way == "claim":
            used, mark = ["dummy2"], 7
            holder = Holder()
            holder.claim(socket.if_nametoindex("dummy2"), mark)
        for port in ports:
            netlink.netem(port, delay=200, limit=3)
        sender = Sender(name, mark=mark)
        before, told = counters(name), 0
        for n in range(2_000):
            try:
                sender.send(frame(mac(n % 32), mac(1), n))
            except OSError as error:
                equal(errno.errorcode[error.errno], "ENOBUFS", "error")
                told += 1
        taken = 3 * len(used)
        queued = {port: json.loads(run(f"/usr/sbin/tc -s -j qdisc show dev {port}"))[0]["qlen"] for port in ports}
        equal(queued, {port: 3 if port in used else 0 for port in ports}, "frames in the queues")
        equal(told, 2_000 - taken, "frames that the sender was told of")
        if name == "trunk0":
            counted = {"tx_packets": taken, "tx_bytes": 60 * taken, "tx_dropped": told}
            equal(moved(before, counters(name)), counted, "what the trunk counts")
            buckets = [(bucket["tx-packets"], bucket["tx-bytes"]) for bucket in control.table()]
            in_buckets = (0, 0) if way == "claim" else (taken, 60 * taken)
            equal(tuple(map(sum, zip(*buckets))), in_buckets, "what its buckets count")
            equal(ethtool_statistics(name)["tx_no_port"], 0, "frames that no port could carry")


def test_above_a_trunk():
    """
    server                                              switch
    trunk1 ─┬─ trunk0 ═ four links ──────────────────── sw1…sw4
            └─ eth5 ─────────────────────────────────── sw5
    """
    star = Star(4)
    with star.switch:
        ip(f"link add sw5 type veth peer name eth5 netns {star.server.path}\nlink set sw5 up")
        star.ports.append("eth5")
        star.far.append("sw5")
        star.taps = Taps(star.far)
    with star.server:
        ip(f"""link set trunk0 down
               link add trunk1 type {KIND}
               link set trunk0 master trunk1
               link set eth5 master trunk1""")
        bring_up("trunk1")
        star.trunk = Sender("trunk1")
        equal(len({address(dev) for dev in ["trunk0", "trunk1"] + star.ports}), 1, "addresses in use")
    table = star.map()
    equal(table.count(4), 16, "buckets of the single link")
    star.pull(4)
    table = star.map()
    expect(4 not in table, "the dead link is in use")


@trodden
def test_multicast_snooping_and_neighbours():
    """
    server ═ trunk0 ═ four links ═ br0 (snooping) ═ client    IPv6 neighbour discovery is multicast
    """
    star = Star(4, bridge=True, ipv6=True)
    with star.switch:
        ip("link set br0 type bridge mcast_snooping 1")
    addressed(star)
    for namespace, dev, target in ((star.server, "trunk0", "2001:db8::2"), (star.client, "client0", "2001:db8::1")):
        with namespace:
            ip(f"neighbour flush dev {dev}")
            attempt(f"ping -n -q -c 1 -W 5 {target}")
            equal(ping(target), 20, f"answers of {target}")
