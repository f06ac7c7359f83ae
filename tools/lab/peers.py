#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the kernel's own tests of bonding and team, each on a bond or team first and then on trunks.

peers.py [NAME…]: only tests whose name contains one of the words. PEERS=stock or debug: only in that
guest.

The tests are not part of this project: the guest gets them from the kernel source. Stand-ins for ip,
teamd and others (tools/guest/peers) make trunks where a test asks for a bond or a team. The results are
in build/peers: results.json, and table.rst, which Documentation must have. Both keep the results of
earlier runs for tests that do not run now. The output of a test that is worse is in build/log.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import guest
import initramfs

KINDS = ["stock", "debug"]
DOCUMENT = guest.TOP / "Documentation/networking/trunk-peers.rst"
TESTS = "tools/testing/selftests"
RUNNER = guest.TOP / "tools/guest/peers/bpf"
# Parts of the kernel source: the tests, what they include, and the netlink client they use.
PARTS = [f"{TESTS}/{part}" for part in (
    "kselftest", "net/lib", "net/lib.sh", "net/in_netns.sh", "net/rtnetlink.sh", "net/vlan_hw_filter.sh",
    "net/forwarding/*.sh", "drivers/net/*.py", "drivers/net/lib", "drivers/net/bonding", "drivers/net/team",
)] + ["tools/net/ynl/pyynl", "Documentation/netlink"]  # fmt: skip
# Programs that other guests do not have. Those of busybox have too few options.
PROGRAMS = """teamnl teamdctl awk kill modprobe grep sed find xargs date mktemp timeout sleep tail cut sort tee stat seq
    readlink realpath dirname basename pgrep pkill sysctl mount umount nsenter unshare""".split()
MODULES = """team_mode_broadcast team_mode_random vrf ip_gre ip6_gre nlmon netconsole sch_ingress cls_flower
    cls_matchall act_gact act_mirred act_vlan""".split()


def stage(tree, to):
    source = tree / "source"
    for part in PARTS:
        for found in source.glob(part):
            target = to / "kernel" / found.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, target)
    packages = guest.named("peers")
    compile_bpf(source / TESTS, packages, to / "kernel" / TESTS)
    initramfs.stage_modules(tree, to, initramfs.MODULES + MODULES)
    initramfs.copy_all([Path(shutil.which(p)) for p in PROGRAMS], to)
    stage_unpacked(packages, to)
    # tcpdump becomes another user before it opens its file, which belongs to root.
    (to / "etc").mkdir(exist_ok=True)
    (to / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\ntcpdump:x:0:0::/:/bin/false\n")


def compile_bpf(tests, packages, to):
    """Compiles the kernel's smallest XDP program, which its other tests use (net/lib/xdp_dummy.bpf.o), and its
    test of XDP on bonds as a program (bpf/prog_tests/xdp_bonding). That one is linked with a runner of this
    project: the kernel's runner contains hundreds of tests."""
    include, libraries = packages / "usr/include", packages / "usr/lib/x86_64-linux-gnu"

    def clang(program, to):
        subprocess.run(["clang-19", "-target", "bpf", "-O2", "-g", "-D__x86_64__", f"-I{include}",
                        "-I/usr/include/x86_64-linux-gnu", "-c", program, "-o", to], check=True)

    clang(tests / "net/lib/xdp_dummy.bpf.c", to / "net/lib/xdp_dummy.bpf.o")
    program = to / "bpf/prog_tests/xdp_bonding"
    program.parent.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        for name in "xdp_dummy", "xdp_tx", "xdp_redirect_multi_kern":
            clang(tests / f"bpf/progs/{name}.c", f"{made}/{name}.o")
            with open(f"{made}/{name}.skel.h", "w") as f:
                subprocess.run([packages / "usr/sbin/bpftool", "gen", "skeleton", f"{made}/{name}.o", "name", name],
                               env={**os.environ, "LD_LIBRARY_PATH": str(libraries)}, stdout=f, check=True)
        subprocess.run(["gcc-14", "-O1", f"-I{RUNNER}", f"-I{made}", f"-I{include}", "-idirafter",
                        tests.parent.parent / "include", "-DTEST=serial_test_xdp_bonding", RUNNER / "main.c",
                        tests / "bpf/prog_tests/xdp_bonding.c", f"-L{libraries}", "-lbpf", "-lelf", "-lz",
                        f"-Wl,-rpath-link={libraries}", "-o", program], check=True)


def stage_unpacked(packages, to):
    """Copies programs of unpacked packages, and libraries of the root that they need."""
    shutil.copytree(packages / "usr", to / "usr", symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("doc", "man", "lintian", "include", "*.a"))
    programs = [f for f in packages.glob("usr/*bin/*") if os.access(f, os.X_OK)]
    for library in initramfs.libraries(programs, LD_LIBRARY_PATH=str(packages / "usr/lib/x86_64-linux-gnu")):
        if packages not in library.parents:
            initramfs.copy(library, to)


def run(kind, words):
    """Runs the tests for this guest, and prints their output. Returns the status and the rows of results."""
    tree = guest.named("tree", kind)
    made_from = [Path("/var/lib/dpkg/status"), Path(__file__), Path(initramfs.__file__), guest.LAB / "peers.packages",
                 *sorted(RUNNER.iterdir())]
    more = initramfs.cached(tree.parent, f"peers-{tree.name}", made_from, lambda to: stage(tree, to))
    # The tests wait a lot, and have time limits. In this guest a nanosecond passes with each instruction,
    # and the clock skips idle time: a busy machine changes nothing, and waiting takes no time.
    status, rows = guest.with_result(guest.Guest(
        kind, ["python3", "/tests/peers/run.py", *words], name=f"peers-{kind}", checks="",
        arguments="tsc=reliable clocksource=tsc", options=["-smp", "1", "-icount", "shift=0,sleep=off"],
        more=more))
    return status if rows is not None else 1, rows or []


def table(rows):
    """Returns a table with a line for each test and each reason, in reStructuredText."""
    tests = {}
    for row in rows:
        tests.setdefault((row["test"], row["reason"]), []).append(row)
    cells = [("test", "reference", "trunk", "", "why it cannot apply")]
    for (test, reason), found in tests.items():
        run = [row for row in found if row["reference"]]
        passed = lambda side: f"{sum(row[side] == 'ok' for row in run)} of {len(run)}" if run else "not run"
        worst = next(v for v in ("worse", "n/a", "better", "equal") if any(row["verdict"] == v for row in found))
        cells.append((test, passed("reference"), passed("ours"), worst, reason))
    widths = [max(map(len, column)) for column in zip(*cells)]
    widths[-1] = 119 - sum(widths[:-1]) - 2 * len(widths[:-1])
    rule = "  ".join("=" * width for width in widths)
    lines = [rule]
    for number, row in enumerate(cells):
        # In further lines of a row, the first columns are empty.
        for why in textwrap.wrap(row[-1], widths[-1], break_on_hyphens=False) or [""]:
            lines.append("  ".join(cell.ljust(width) for cell, width in zip((*row[:-1], why), widths)).rstrip())
            row = [""] * len(row)
        lines += [] if number else [rule]
    return "\n".join([*lines, rule]) + "\n"


def main(*words):
    rows, bad = [], 0
    kinds = os.environ.get("PEERS", "").split() or KINDS
    whole = not words and kinds == KINDS
    for kind in kinds:
        status, found = run(kind, words)
        rows += found
        bad |= status
    count = lambda *verdicts: sum(row["verdict"] in verdicts for row in rows)
    said = f"{count('equal', 'better')} equal or better, {count('worse')} worse, {count('n/a')} not applicable"
    bad |= not rows or count("worse") > 0

    # With the results of earlier runs for tests that did not run now.
    out = guest.TOP / "build/peers/results.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    ran = {row["test"] for row in rows}
    earlier = json.loads(out.read_text()) if out.exists() and not whole else []
    results = sorted([*rows, *(row for row in earlier if row["test"] not in ran)], key=lambda row: row["test"])
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    made = table(results)
    (out.parent / "table.rst").write_text(made)
    print(made + said)
    if whole and f"\n\n{made}" not in DOCUMENT.read_text():
        print(f"{DOCUMENT.relative_to(guest.TOP)} has another table than build/peers/table.rst")
        bad = 1
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
