# SPDX-License-Identifier: GPL-2.0
"""What the demos show."""

from lab import *

IS_ABOUT_A_PROGRAM = True


def shown(command):
    """Returns what a demo prints. It leaves namespaces behind, so /run is a file system of its own."""
    return run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs /run && exec python3 {command}"])


def row(text, name):
    """Returns the cells of a row of a table."""
    line = next((line for line in text.splitlines() if line.strip().startswith(name)), "")
    return re.split(r"  +", line.strip())[1:]


def test_two_trunks():
    text = shown("/tests/demo.py")
    equal(text.count("─── ◄── ───"), 1, "drawings of the link that fails one way")
    equal(row(text, "reason"), ["no-carrier", "probe-timeout", "one-way-rx"], "reasons")
    noticed = row(text, "noticed, since the last reply")
    expect(re.fullmatch(r"at once \S+ ms \S+ ms", " ".join(noticed)), f"noticed: {noticed}")
    equal(row(text, "who stood in"), ["eth4"] * 3, "who stood in")
    for lost in row(text, "frames lost"):
        number, total = map(int, lost.split(" of "))
        expect(number < total / 2, f"frames lost: {lost}")
    for moved in row(text, "flows moved"):
        expect(re.fullmatch(r"0 of [1-9]\d*", moved), f"flows moved: {moved}")


def test_two_switches():
    text = shown("/tests/switches.py two-switches")
    equal(row(text, "switch-b is off")[-1], "client3, client4", "who is cut off")
    expect("No connection was lost" in text, text)


def test_plain_switch():
    text = shown("/tests/plain_switch.py")
    steps = re.split(r"(?m)^(?=\S.*(?:of sw1|back|pulled)$)", text)[1:]
    equal(len(steps), 6, "failures and returns")
    for step in steps:
        for name in "to the server", "to the server, IPv6", "from the server", "to the silent machine", "to a group":
            lost, of = map(int, re.match(r"(\d+) of (\d+)", row(step, f"{name}  ")[0]).groups())
            expect(lost < of / 2, f"a trunk loses {lost} of {of}: {name}, {step.splitlines()[0]}")
    trunk, bond = (int(cell.split()[0]) for cell in row(steps[0], "to the silent machine"))
    expect(trunk < bond, f"lost on the way to the silent machine: {trunk}, and {bond} by bonding")
