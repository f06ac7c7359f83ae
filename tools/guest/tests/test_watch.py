# SPDX-License-Identifier: GPL-2.0
"""trunkctl watch, the live screen, on a terminal."""

import signal

from lab import *
from terminal import Terminal

IS_ABOUT_A_PROGRAM = True
WATCH = "trunkctl watch trunk0"


def star_with_spare():
    star = Star(3)
    with star.server:
        run("trunkctl port set eth3 prio 2")
    return star


def watched(star, **how):
    """Returns the screen of a trunk, once it is drawn."""
    with star.server:
        terminal = Terminal(WATCH, **how)
    eventually(lambda: terminal.shows("^q quit"), "the screen is drawn")
    return terminal


def cells(screen, text):
    """Returns how often a text occurs in the map of the buckets."""
    return sum(line.count(text) for line in screen.lines() if line.startswith("      "))


def test_the_screen_follows_what_happens():
    """
    trunk0 ─┬─ eth1  ✂    its row, the spare's, the map and the events change, by themselves
            ├─ eth2
            └─ eth3       spare
    """
    star = star_with_spare()
    screen = watched(star)
    screen.comes_to_show(r"^redundancy full  ports 3 act 3")
    screen.comes_to_show(r"^B eth2 +1 act ")
    expect(not screen.shows("failover"), screen.lines())
    star.pull(1)
    eventually(lambda: screen.shows(r"^B eth2 +1 sby +no-carrier +no "), "the port is sby")
    screen.comes_to_show(r"^C eth3 +2 act +- +yes +eth2 +0 +16 ")
    screen.comes_to_show(r"^ +0 .*C'")
    screen.comes_to_show(r"^\d\d:\d\d:\d\d\.\d{3} failover of eth2 to eth3 \(.*16 buckets")
    star.plug(1)
    eventually(lambda: screen.shows("failback to eth2 from eth3"), "the port has its buckets back")
    with star.server:
        sender = Sender("trunk0")
        with Background(lambda stop: [sender.flood([frame(mac(0xAA), mac(0xBB))] * 100) for _ in iter(stop, True)]):
            eventually(lambda: screen.shows(r"^[AB] eth.* yes - +\d+ +\d+ +[1-9]\S* +\S+ +\S+ +\S+$"), "there are rates")
    screen.type("q")
    equal(screen.end(), 0, "status")


def test_the_screen_takes_another_size():
    """
    80×24  →  132×40  →  40×10
    """
    star = star_with_spare()
    screen = watched(star)
    for rows, columns in (40, 132), (10, 40), (24, 80):
        screen.resize(rows, columns)
        eventually(lambda: screen.lines()[-1].startswith("q quit"), f"it is drawn in {columns}x{rows}")
        eventually(lambda: screen.lines()[0].startswith("trunk0"), "the first line is that of the trunk")
        if rows >= 24:
            screen.comes_to_show(f"^Events ─.{{{columns - 8}}}$")
    screen.type("q")
    equal(screen.end(), 0, "status")


def test_as_many_buckets_as_there_can_be():
    """
    bits 16    shares of the table, in no more room than a small one takes
    """
    star = star_with_spare()
    screen = watched(star)
    with star.server:
        run("trunkctl set trunk0 bits 16")
    eventually(lambda: screen.shows("^Buckets 65536 in shares: a cell is 512 "), "the table is shown")
    eventually(lambda: cells(screen, "A") == 64, "the cells of eth1 are 64")
    star.pull(0)
    eventually(lambda: screen.shows("^A eth1 +1 sby +no-carrier +no +- +32768 +0 "), "the port is sby")
    eventually(lambda: cells(screen, "C'") == 64, "the cells of the spare are 64")
    screen.type("q")
    equal(screen.end(), 0, "status")


@cases("q", "Esc", "Ctrl-C", "SIGINT", "SIGTERM", "SIGHUP")
def test_the_terminal_is_left_as_it_was(way):
    """
    q, Esc, Ctrl-C, or a signal: the main screen, the cursor and the modes are back
    """
    star = star_with_spare()
    screen = watched(star)
    expect(screen.screen.other is not None, "it draws on the main screen")
    if way.startswith("SIG"):
        number = getattr(signal, way)
        screen.kill(number)
        equal(screen.end(), -number, "status")
    else:
        screen.type({"q": "q", "Esc": "\x1b", "Ctrl-C": "\x03"}[way])
        equal(screen.end(), 0, "status")


def test_trunks_are_chosen():
    """
    trunk0  trunk1    Tab goes from one to the other; a trunk that is made meanwhile appears
    """
    star = star_with_spare()
    with star.server:
        screen = Terminal("trunkctl watch")
        eventually(lambda: screen.shows(r"^trunk0 +20\d\d-"), "the only trunk is shown")
        run("trunkctl add trunk1 bits 3 selector flow")
        eventually(lambda: screen.shows("^trunk0 trunk1 "), "the other is there")
        screen.comes_to_show("^bits 5 ")
        screen.type("\t")
        eventually(lambda: screen.shows("^bits 3 selector flow "), "the other is shown")
        run("trunkctl del trunk1")
        eventually(lambda: screen.shows("^bits 5 "), "the first is shown once the other has gone")
        run("trunkctl del trunk0")
        eventually(lambda: screen.shows("There is no trunk"), "there is none to be shown")
        screen.type("q")
        equal(screen.end(), 0, "status")


def test_a_trunk_that_goes_and_comes_back():
    """
    ip link del trunk0, rmmod, insmod, ip link add trunk0: the screen says so, and goes on
    """
    star = star_with_spare()
    screen = watched(star)
    with star.server:
        ip("link del trunk0")
        eventually(lambda: screen.shows('Error: there is no device "trunk0"'), "it says what is missing")
        unload()
        load()
        ip(f"link add trunk0 type {KIND}")
        eventually(lambda: screen.shows("ports 0 act 0"), "the new trunk is shown")
        eventually(lambda: not screen.shows("Error"), "nothing is missing")
        # Events of the new module arrive.
        ip("link set eth1 master trunk0")
        eventually(lambda: screen.shows("eth1 joined"), "the port is there")
    screen.type("q")
    equal(screen.end(), 0, "status")


def test_a_loss_of_events_is_told():
    """
    the stopped screen loses events; then it reports the loss, and shows the present state
    """
    star = star_with_spare()
    # For users other than root the kernel queues no more than this limit, which all namespaces share.
    limit = "nsenter -t 1 -n sysctl -n net.core.rmem_max"
    usual = run(limit).strip()
    run(f"{limit}=16384")
    try:
        screen = watched(star, user=65534)
    finally:
        run(f"{limit}={usual}")
    screen.kill(signal.SIGSTOP)
    lines = [f"port set eth2 prio {1 + turn % 2}" for turn in range(300)]
    with star.server:
        run("trunkctl -batch -", "\n".join([*lines, "port set eth2 prio 7"]) + "\n")
    screen.kill(signal.SIGCONT)
    eventually(lambda: screen.shows("^q quit.* events were lost; everything was read again"), "the loss is told")
    eventually(lambda: screen.shows("^B eth2 +7 "), "how things are is shown")
    screen.type("q")
    equal(screen.end(), 0, "status")


def test_no_color():
    """
    NO_COLOR=1    letters alone tell ports apart
    """
    star = star_with_spare()
    for environment, want in ({}, True), ({"NO_COLOR": "1"}, False):
        screen = watched(star, environment=environment)
        styles = {style for row in screen.screen.cells for _, style in row}
        colored = any((style.color, style.ground) != (None, None) for style in styles)
        equal(colored, want, f"colours with {environment}")
        screen.comes_to_show("^ +0 +[AB] ")
        screen.type("q")
        equal(screen.end(), 0, "status")


def test_what_cannot_be_watched():
    """
    no terminal, no such trunk, no trunk at all: an error, and nothing is drawn
    """
    star = star_with_spare()
    with star.server:
        done = attempt(WATCH)
        equal((done.returncode, done.stderr), (1, "Error: watch needs a terminal; monitor does without.\n"), "a pipe")
        for dev, said in ("trunk9", 'there is no device "trunk9"'), ("eth1", '"eth1" is not a trunk'):
            screen = Terminal(f"trunkctl watch {dev}")
            equal(screen.end(), 1, "status")
            equal(screen.lines()[0], f"Error: {said}.", "the only line")
        screen = Terminal("trunkctl -n no-such-namespace watch")
        equal(screen.end(), 1, "status")
        screen.comes_to_show("no-such-namespace")


def test_another_namespace():
    """
    trunkctl -n /proc/…    from outside
    """
    star = star_with_spare()
    screen = Terminal(f"trunkctl -n {star.server.path} watch")
    eventually(lambda: screen.shows("^A eth1 "), "the ports are shown")
    star.pull(0)
    eventually(lambda: screen.shows("failover of eth1 to eth3"), "the failover is shown")
    screen.type("q")
    equal(screen.end(), 0, "status")
