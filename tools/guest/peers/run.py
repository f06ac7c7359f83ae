#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the kernel's own tests of bonding and team: first as they are, then with trunks in place of
bonds and teams. Prints a line for each test, each result as a comment, and leaves all results at the end.
"""

import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import lab  # noqa: E402

TESTS = "/kernel/tools/testing/selftests"
LIMIT = 900  # seconds until a test counts as hung: no measurement
RANK = {"fail": 0, "skip": 1, "xfail": 1, "ok": 2}

# Checks beside those of a test. A result is reported only if one fails.
SILENT, REMOVED, KIND = OURS = ("the kernel has nothing to report", "the module can be removed",
                                "the device is of the kind that is asked for")  # fmt: skip
CONFIGFS = "/sys/kernel/config"
MADE = "/run/peers/made"  # the stand-ins make this file when they make a trunk

# name: its file below TESTS. only: a part of it. needs: modules. aggregate: the kind of the device that it
# is to test. settings: further settings of the trunks.
Test = namedtuple("Test", "name arguments only needs aggregate settings", defaults=("", "", "", "", ""))

BONDING, TEAM, FORWARDING = "drivers/net/bonding", "drivers/net/team", "net/forwarding"
SUITE = [
    Test(f"{BONDING}/bond-arp-interval-causes-panic.sh"),
    Test(f"{BONDING}/bond-break-lacpdu-tx.sh"),
    Test(f"{BONDING}/bond-eth-type-change.sh"),
    Test(f"{BONDING}/bond-lladdr-target.sh"),
    Test(f"{BONDING}/bond_ipsec_offload.sh"),
    Test(f"{BONDING}/bond_lacp_prio.sh"),
    Test(f"{BONDING}/bond_lacp_strict.sh"),
    Test(f"{BONDING}/bond_macvlan_ipvlan.sh"),
    Test(f"{BONDING}/bond_options.sh", only="prio"),
    Test(f"{BONDING}/bond_options.sh", only="arp_validate"),
    Test(f"{BONDING}/bond_options.sh", only="num_grat_arp"),
    Test(f"{BONDING}/bond_options.sh", only="fail_over_mac"),
    Test(f"{BONDING}/bond_options.sh", only="vlan_over_bond"),
    Test(f"{BONDING}/bond_passive_lacp.sh"),
    Test(f"{BONDING}/bond_stacked_header_parse.sh"),
    Test(f"{BONDING}/bond_vlan_real_dev.sh"),
    Test(f"{BONDING}/dev_addr_lists.sh"),
    Test(f"{BONDING}/mode-1-recovery-updelay.sh"),
    Test(f"{BONDING}/mode-2-recovery-updelay.sh"),
    Test(f"{BONDING}/netcons_over_bonding.sh", needs="netdevsim netconsole"),
    Test(f"{TEAM}/decoupled_enablement.sh"),
    Test(f"{TEAM}/dev_addr_lists.sh"),
    Test(f"{TEAM}/non_ether_header_ops.sh"),
    Test(f"{TEAM}/options.sh"),
    Test(f"{TEAM}/propagation.sh", needs="netdevsim"),
    Test(f"{TEAM}/refleak.sh"),
    Test(f"{TEAM}/teamd_activebackup.sh"),
    Test(f"{TEAM}/transmit_failover.sh"),
    Test(f"{FORWARDING}/router_bridge_lag.sh"),
    Test(f"{FORWARDING}/router_bridge_1d_lag.sh"),
    Test(f"{FORWARDING}/mirror_gre_bridge_1q_lag.sh"),
    Test(f"{FORWARDING}/mirror_gre_lag_lacp.sh"),
    Test("net/vlan_hw_filter.sh"),
    Test("net/rtnetlink.sh", "-t kci_test_team_bridge_macvlan", needs="team"),
    Test("drivers/net/ping.py", aggregate="bond"),
    Test("drivers/net/stats.py", aggregate="bond"),
    Test("drivers/net/shaper.py", aggregate="bond"),
    Test("bpf/prog_tests/xdp_bonding.c", settings="probe off"),  # it counts frames
    Test("bpf/test_xsk.sh"),
    Test("net/netfilter/nft_tproxy_tcp.sh"),
    Test("net/netfilter/nft_tproxy_udp.sh"),
    Test("net/mptcp/simult_flows.sh"),
]

LACP = "802.3ad: a trunk does not speak LACP; its probes test the links"
MONITOR = "ARP monitor: a trunk tests its peer with probes, not with ARP or ND"
OWN = "counts a bond's own frames that come back: a trunk drops those, since a switch floods them"
BOTH_WAYS = "a port of a trunk is in use in both directions or in none"

# What does not apply to a trunk, and why: a test or a part, by name, which is not run; or results of a
# test, which are not counted.
NOT_APPLICABLE = {
    "bond-break-lacpdu-tx.sh": LACP,
    "bond-eth-type-change.sh: *": "needs the flags MASTER and SLAVE of the bond: a team has neither, and"
                                  " a bond refuses a port with MASTER",
    "bond_lacp_prio.sh": LACP,
    "bond_lacp_strict.sh": LACP,
    "bond_passive_lacp.sh": LACP,
    "mirror_gre_lag_lacp.sh": LACP,
    "dev_addr_lists.sh: bonding LACPDU *": LACP,
    "bond_ipsec_offload.sh": "IPsec offload, which bonding has only in active-backup: a trunk has none",
    "bond_options.sh arp_validate": MONITOR,
    "bond_options.sh vlan_over_bond": MONITOR,
    "bond_options.sh num_grat_arp": "the number of announcements of a failover cannot be set for a trunk",
    "bond_options.sh: prio (* primary_reselect 0)": "a better spare that returns does not replace one that stands in",
    "bond_options.sh: *fail_over_mac [12]*": "a trunk has one address, and all its ports have it: fail_over_mac 0",
    "bond_options.sh: bond fail_over_mac follow *": "a trunk has one address, and all its ports have it: fail_over_mac 0",
    "decoupled_enablement.sh: TX *": "a trunk whose only port is disabled has no carrier, so neighbours are"
                                     " forgotten: asked again, they answer after the test's half second",
    "decoupled_enablement.sh: RX *": BOTH_WAYS,
    "transmit_failover.sh: *": "expects the frames of one flow on both ports: a trunk keeps a flow in order, on one",
    "options.sh: Set + Get 'mode' *": "a team's modes: a trunk has selectors and priorities, set while it is up",
    "options.sh: Set + Get '[nm]*_[pr]e*' *": "the number of announcements of a change cannot be set for a trunk",
    "options.sh: Set + Get '[rt]x_enabled' *": BOTH_WAYS,
    "options.sh: Set + Get 'user_linkup*' *": "for a daemon that watches links: a trunk watches them itself",
    "options.sh: Set + Get 'queue_id' *": "a team selects a port by queue number: a trunk has claims for that",
    "options.sh: *implicit*": BOTH_WAYS,
    "xdp_bonding.c: xdp_bonding_roundrobin": OWN,
    "xdp_bonding.c: xdp_bonding_activebackup": OWN,
    "xdp_bonding.c: xdp_bonding_xor_*": OWN,
    "xdp_bonding.c: xdp_bonding_xmit_policy_compat": "a hash without XDP in bonding: a trunk has XDP with all its"
                                                     " selectors",
    "stats.py: *procfs_downup_hammer": "sets the number of queues of a NIC: a bond's and a trunk's cannot be set",
    "test_xsk.sh": "for sockets on two veths, or on one NIC in loopback: it accepts no other device",
    "nft_tproxy_*.sh": "for proxies: no bond or team is involved",
    "simult_flows.sh": "for MPTCP over two links: no bond or team is involved",
}


def parts(test, ours):
    """Returns the environment of a test."""
    shims = [f"{HERE}/bin"] if ours else []
    return {
        "PATH": ":".join([*shims, f"{HERE}/both", "/usr/sbin", "/usr/bin"]),
        "HOME": "/root", "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1",
        "REQUIRE_MZ": "no", "WAIT_TIME": "1",
        "TRUNK_SETTINGS": test.settings,
        **({"TESTS": test.only} if test.only else {}),
    }  # fmt: skip


def ip(words):
    return subprocess.run(["ip", *words.split()], capture_output=True, text=True).stdout


def links():
    return {link["ifname"] for link in json.loads(ip("-j link"))}


class Clean:
    """Removes at its end what a test left: processes, namespaces, devices, the module."""

    def __enter__(self):
        self.before = links()

    def __exit__(self, *_):
        for command in ("teamd", "tcpdump", "socat", "iperf3"):
            subprocess.run(["pkill", "-9", "-x", command])
        ip("-all netns delete")
        for name in links() - self.before:
            ip(f"link delete {name}")
        subprocess.run(["rmmod", "trunk"], capture_output=True)


def aggregate(kind, ours):
    """Makes a bond or a trunk of two ports, cabled to another one in another namespace. Returns variables for
    tests that need a device and the addresses of both ends."""
    # The stand-in for ip in PATH makes trunks of the bonds.
    script = f"""
        ip netns add peer
        for i in 0 1; do ip link add p$i type veth peer name q$i netns peer; done
        ip link add lag0 type {kind} mode balance-xor miimon 100
        ip -n peer link add lag1 type {kind} mode balance-xor miimon 100
        for i in 0 1; do
            ip link set p$i master lag0
            ip -n peer link set q$i master lag1
        done
        ip link set lag0 up
        ip -n peer link set lag1 up
        ip addr add 192.0.2.1/24 dev lag0
        ip -n peer addr add 192.0.2.2/24 dev lag1
        ip addr add 2001:db8::1/64 dev lag0 nodad
        ip -n peer addr add 2001:db8::2/64 dev lag1 nodad
    """
    subprocess.run(["bash", "-ec", script], env=parts(Test(""), ours), check=True)
    return dict(NETIF="lag0", LOCAL_V4="192.0.2.1", REMOTE_V4="192.0.2.2", LOCAL_V6="2001:db8::1",
                REMOTE_V6="2001:db8::2", REMOTE_TYPE="netns", REMOTE_ARGS="peer")  # fmt: skip


def lines(test, ours):
    """Runs a test. Returns its status and the lines that it printed."""
    environment = parts(test, ours)
    if test.aggregate:
        environment |= aggregate(test.aggregate, ours)
    path, suffix = os.path.splitext(f"{TESTS}/{test.name}")
    program = {".py": ["python3"], ".sh": ["bash"], ".c": []}[suffix]
    file = f"./{os.path.basename(path)}{'' if suffix == '.c' else suffix}"
    process = subprocess.Popen(
        [*program, file, *test.arguments.split()],
        cwd=os.path.dirname(path), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(LIMIT)
    said = process.stdout.read().decode(errors="replace")
    status = process.wait()
    signal.alarm(0)
    return status, said.splitlines()


def results(status, said):
    """Returns {part: result} from the output of a test. Part "" is the whole test, if it has no parts."""
    found = {}

    def add(name, result):
        name, number = re.sub(r"\s+", " ", name).strip(), 2
        unique = name
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found[unique] = result

    for line in said:
        if m := re.match(r"TEST: (.*?)\s*\[\s*(OK|FAIL|SKIP|XFAIL)\s*\]", line):
            add(m[1], m[2].lower())
        elif m := re.match(r"(not ok|ok) \d+ (?:\S+\.py\.)?([^#]+?)\s*(?:# (SKIP|XFAIL).*)?$", line):
            add(m[2], (m[3] or ("ok" if m[1] == "ok" else "fail")).lower())
        elif m := re.match(r"(PASS|FAIL): (.+)", line):
            add(m[2], "ok" if m[1] == "PASS" else "fail")
    whole = {0: "ok", 4: "skip", 2: "xfail"}.get(status, "fail")
    if not found or (whole == "fail" and "fail" not in found.values()):
        found[""] = whole
    return found


def one(test, ours, log):
    """Returns the results of a test, and lines that explain failures."""
    log.lines()
    if os.path.exists(MADE):
        os.remove(MADE)
    with Clean():
        status, said = lines(test, ours)
    found = results(status, said)
    if os.path.exists(MADE) != ours and set(found.values()) != {"skip"}:
        found[KIND] = "fail"
    kernel = log.lines()
    if any(lab.COMPLAINTS.search(line) for line in kernel):
        found[SILENT] = "fail"
        said += ["kernel: " + line for line in kernel]
    if ours and lab.loaded():
        found[REMOVED] = "fail"
    return found, said


def why_not(test, part):
    """Returns why a result does not apply to a trunk, or None. Part "" is the whole test."""
    name = os.path.basename(test.name) + (f" {test.only}" if test.only and not part else "")
    for pattern, reason in NOT_APPLICABLE.items():
        if fnmatch.fnmatchcase(f"{name}: {part}" if part else name, pattern):
            return reason
    return None


def missing(test):
    lacks = [m for m in test.needs.split() if subprocess.run(["/usr/sbin/modprobe", "-nq", m]).returncode]
    return f"this kernel has no {' and no '.join(lacks)}" if lacks else None


def verdict(reference, ours, reason):
    if reason:
        return "n/a"
    left, right = RANK[reference], RANK[ours]
    return "better" if right > left else "equal" if right == left else "worse"


def main(words):
    debug = bool(lab.SLOW)
    log, rows = lab.KernelLog(), []
    chosen = [test for word in words for test in SUITE if word in f"{test.name} {test.only}"] if words else SUITE
    for test in chosen:
        name, started = os.path.basename(test.name), time.monotonic()
        if debug != ("netdevsim" in test.needs):
            continue  # the debug guest, which is slower, runs only what Debian's kernel lacks
        if reason := why_not(test, "") or missing(test):
            rows.append(row(test, "", "", "", "n/a", reason))
            continue
        for module in test.needs.split():  # some tests expect them to be loaded, and netconsole's configuration to be mounted
            subprocess.run(["/usr/sbin/modprobe", module])
        if "netconsole" in test.needs and not os.path.ismount(CONFIGFS):
            subprocess.run(["mount", "-t", "configfs", "none", CONFIGFS])
        before = len(rows)
        reference, said_by_reference = one(test, False, log)
        subprocess.run(["insmod", "/modules/trunk.ko"], check=True)
        ours, said = one(test, True, log)
        for part in dict.fromkeys([*reference, *ours]):
            left, right = (side.get(part, "ok" if part in OURS else "fail") for side in (reference, ours))
            reason = why_not(test, part)
            rows.append(row(test, part, left, right, verdict(left, right, reason), reason))
        mine = rows[before:]
        if any(r["verdict"] == "worse" or r["reference"] == "fail" for r in mine) or os.environ.get("VERBOSE"):
            lab.note("\n".join(["reference:", *said_by_reference[-150:], "ours:", *said[-150:]]))
        print(f"{name} {test.only}: {time.monotonic() - started:.0f} s of the guest's", flush=True)
    lab.leave(rows)
    return 0


def row(test, part, reference, ours, verdict, reason):
    """Returns a result as a row, and prints it: as a comment, unless it is worse or the reference fails."""
    whole = " ".join(filter(None, [test.name.removeprefix("drivers/net/"), test.only]))
    line = f"{f'{whole}: {part}' if part else whole:76} {reference or '-':6} {ours or '-':6} {verdict}"
    print("" if verdict == "worse" or reference == "fail" else "# ", line, f" ({reason})" if reason else "", sep="",
          flush=True)
    return dict(test=whole, part=part, reference=reference, ours=ours, verdict=verdict, reason=reason or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
