# SPDX-License-Identifier: GPL-2.0
"""trunkctl from end to end: what its commands do to trunks, what they print, and how they fail."""

import contextlib

import genl
from genl import Control
from hosts import INTERVAL, Pair
from lab import *
from test_netlink import become_nobody, in_process
from terminal import PLAIN, Terminal
from test_netlink_storm import BATCH, EVENTS, Storm, listeners

IS_ABOUT_A_PROGRAM = True


def links_only(ports=3):
    """
    server      switch
    eth1 ────── sw1    the module is loaded, but there is no trunk
     …           …
    """
    star = Star(ports, up=False)
    with star.server:
        run("trunkctl del trunk0")
    return star


def told(command, stdin=None):
    """Runs trunkctl. Returns its status, standard output and standard error."""
    done = attempt(f"trunkctl {command}", stdin)
    return done.returncode, done.stdout, done.stderr


def shown(command):
    """Returns the JSON that trunkctl prints."""
    return json.loads(run(f"trunkctl -j {command}"))


def no(command, status, words, stdin=None):
    """Checks that trunkctl fails with this status and exactly this text, and changes nothing."""
    before = everything()
    got, out, err = told(command, stdin)
    equal((got, out), (status, ""), f"status and output of `{command}` ({err.strip()})")
    equal(err, f"Error: {words}.\n", f"words of `{command}`")
    equal(everything(), before, f"what `{command}` changed")


def everything():
    """Returns all that ip and the netlink family report of this namespace, without counters."""
    volatile = {"stats", "stats64", "flags", "operstate"}  # the last of these come with a carrier, in their own time
    found = {
        f"{name} {key}": value for name, entry in links("-d").items() for key, value in entry.items() if key not in volatile
    }
    client = genl.client()
    for trunk in client.dump("trunk-get", {}):
        mine = {"ifindex": trunk["ifindex"]}
        found |= {f"{trunk['ifname']} {key}": value for key, value in trunk.items()}
        ports = [m["port"] for m in client.dump("port-get", mine)]
        found |= {port["ifname"]: {name: value for name, value in port.items() if not is_of_probes(name)} for port in ports}
        found |= {("bucket", b["index"]): b for m in client.dump("table-get", mine) for b in m["bucket"]}
    return found


def is_of_probes(name):
    """Returns whether each probe changes this attribute of a port."""
    return name.startswith("round") or name == "peer"


# Trunks are made, changed and deleted


def test_a_trunk_in_one_line():
    """
    trunkctl add trunk0 bits 6 … port eth1 port eth2 weight 3 port eth3 prio 2
    """
    star = links_only()
    with star.server:
        equal(told("add trunk0 bits 6 selector flow failback delay 2000 far-end aggregate"
                   " port eth1 port eth2 weight 3 port eth3 prio 2"), (0, "", ""), "what it says")  # fmt: skip
        control = Control()
        got = control.get()
        equal([got[name] for name in ("bits", "selector", "failback", "failback-delay", "far-end")],
              [6, "flow", "delay", 2000, "aggregate"], "settings")  # fmt: skip
        ports = control.ports()
        equal({name: (port["priority"], port["weight"]) for name, port in ports.items()},
              {"eth1": (1, 1), "eth2": (1, 3), "eth3": (2, 1)}, "priority and weight")  # fmt: skip
        bring_up("trunk0")
        eventually(lambda: shown("show trunk0")[0]["redundancy"] == "full", "all ports are act")
        equal(told("del trunk0"), (0, "", ""), "what it says")
        equal([name for name, entry in links().items() if "master" in entry], [], "ports left")
        equal(shown("show"), [], "trunks left")


@cases("port lo", "port nosuch", "bits 17", "port eth1", "port eth3 prio 0", "name")
def test_a_trunk_that_cannot_be_is_not_made(why):
    """
    trunkctl add trunk0 port eth1 port eth2 …    the last step fails: all steps are undone
    """
    star = links_only()
    with star.server:
        match why:
            case "port lo":
                ip("link set lo down")
                no("add trunk0 port eth1 port eth2 port lo", 2, "trunk: a loopback device cannot be a port")
            case "port nosuch":
                no("add trunk0 port eth1 port nosuch", 1, 'there is no device "nosuch"')
            case "bits 17":
                no("add trunk0 bits 17 port eth1", 2, "trunk: bits: 17 is out of range 0..16")
            case "port eth1":
                ip("link set eth2 up")
                no("add trunk0 port eth1 prio 2 port eth2", 1, "eth2 is up: set it down first, or give --down")
            case "port eth3 prio 0":
                no("add trunk0 port eth1 port eth3 prio 0", 2, "trunk: port.priority: 0 is out of range 1..65535")
            case "name":
                got, out, err = told("add eth1 port eth2")
                equal((got, out, link("eth2").get("master")), (1, "", None), "status, output, master")
                equal(err, "Error: there is a device eth1 already.\n", "words")


def test_settings_of_a_trunk():
    """
    trunkctl set trunk0 …    one, or many, or none if one of them is wrong
    """
    star = Star(2)
    with star.server:
        control = Control()
        for words, name, value in (
            ("bits 3", "bits", 3), ("selector flow", "selector", "flow"), ("role switch", "selector", "smac"),
            ("failback manual", "failback", "manual"), ("failback delay 70", "failback-delay", 70),
            ("far-end switch", "far-end", "switch"), ("min-links 2", "min-links", 2), ("role server", "role", "server"),
            ("probe required", "probe", "required"), ("interval 20ms", "interval", 20_000),
            ("reply-timeout 1500us", "reply-timeout", 1500), ("misses 2", "misses", 2), ("hits 9", "hits", 9),
            ("hold-down off", "hold-down", 0), ("hold-down 2s", "hold-down", 2000), ("peers several", "peers", "several"),
            ("probe-ethertype 0x88b6", "probe-ethertype", 0x88B6), ("probe-address 02:00:00:00:00:01", "probe-address", "02:00:00:00:00:01"),
            ("key 000102030405060708090a0b0c0d0e0f", "keyed", True), ("probe off", "probe", "off"),
        ):  # fmt: skip
            equal(told(f"set trunk0 {words}"), (0, "", ""), f"what `set {words}` says")
            equal(control.get()[name], value, name)
        equal(told("set dev trunk0 bits 4 selector smac-dmac failback immediate far-end auto"), (0, "", ""), "set of all")
        got = control.get()
        equal([got[name] for name in ("bits", "selector", "failback", "far-end")], [4, "smac-dmac", "immediate", "auto"], "all")

        secret = "0f0e0d0c0b0a09080706050403020100"
        with open("/tmp/key", "w") as file:
            file.write(secret + "\n")
        equal(told("set trunk0 key none"), (0, "", ""), "what `set key none` says")
        expect("keyed" not in control.get() and "keyed" not in run("trunkctl show"), "there still is a key")
        equal(told("set trunk0 key-file /tmp/key"), (0, "", ""), "what `set key-file` says")
        expect("keyed" in control.get() and " keyed " in run("trunkctl show"), "there is no key")
        for command in "-d show", "-j show", "save", "-j save":
            shows = run(f"trunkctl {command}")
            expect(secret not in shows, f"`{command}` shows the key: {shows}")

        no("set trunk0 interval 100us", 2, "trunk: interval: 100us is out of range 1ms..60s")
        no("set trunk0 hold-down 3601s", 2, "trunk: hold-down: 3601s is out of range 0s..3600s")
        no("set trunk0 probe-ethertype 0x1", 2, "trunk: probe-ethertype: 0x0001 is out of range 0x0600..0xffff")
        no("set trunk0 min-links 65", 2, "trunk: min-links: 65 is out of range 0..64")
        no("set trunk0 misses 0", 2, "trunk: misses: 0 is out of range 1..255")
        no("set trunk0 interval fast", 1, 'interval: "fast" is not a time, as 500us, 10ms or 2s')
        no("set trunk0 key-file /dev/null", 1, "key-file: /dev/null does not have 32 hexadecimal digits")
        no("set trunk0 failback manual bits 17", 2, "trunk: bits: 17 is out of range 0..16")
        no("set trunk0 failback delay 86400001", 2, "trunk: failback-delay: 86400001 is out of range 0..86400000")
        no("set trunk0 role switch selector flow", 1, "role sets selector and far-end: name one or the other")
        no("set trunk0 bits six", 1, 'bits: "six" is not a number')
        no("set trunk0 selector mac", 1, 'selector: "mac" is none of dmac, smac, smac-dmac, flow')
        no("set trunk0 colour red", 1, '"colour" is not understood')
        no("set trunk1 bits 3", 1, 'there is no device "trunk1"')
        no("set eth1 bits 3", 1, '"eth1" is not a trunk')


def test_ports():
    """
    trunkctl port show, set, add, del
    """
    star = Star(3)
    with star.server:
        control = Control()
        for words, name, value in (("prio 3", "priority", 3), ("weight auto", "weight", 0), ("weight 5", "weight", 5),
                                   ("disable", "enabled", 0), ("enable", "enabled", 1)):  # fmt: skip
            equal(told(f"port set eth3 {words}"), (0, "", ""), f"what `port set {words}` says")
            equal(control.port("eth3")[name], value, name)
        equal(told("port del eth3"), (0, "", ""), "what `port del` says")
        equal(sorted(control.ports()), ["eth1", "eth2"], "ports")
        ip("link set eth3 down")
        equal(told("port add eth3 dev trunk0 prio 2 weight 2"), (0, "", ""), "what `port add` says")
        eventually(lambda: control.port("eth3")["state"] == "act", "eth3 is act")
        equal((control.port("eth3")["priority"], control.port("eth3")["weight"]), (2, 2), "settings of eth3")

        star.pull(0)
        eventually(lambda: control.port("eth1")["state"] == "sby", "eth1 is sby")
        rows = [line.split() for line in run("trunkctl port show").splitlines()]
        equal(rows[0], "PORT PRIO WEIGHT STATE REASON PEER IN-USE STANDS-IN-FOR RTT MISSED SINCE TRUNK".split(), "columns")
        equal([row[:9] for row in rows[1:]], [
            ["eth1", "1", "1", "sby", "no-carrier", "-", "no", "-", "-"],
            ["eth2", "1", "1", "act", "-", "-", "yes", "-", "-"],
            ["eth3", "2", "2", "act", "-", "-", "yes", "eth1", "-"],
        ], "rows")  # fmt: skip
        got = {port["ifname"]: port for port in shown("port show dev trunk0")}
        equal((got["eth3"]["stands_in_for"], got["eth1"]["state"], got["eth1"]["reason"]), ("eth1", "sby", "no-carrier"), "JSON")
        star.plug(0)

        no("port set eth1 prio 0", 2, "trunk: port.priority: 0 is out of range 1..65535")
        no("port set eth1 weight 65536", 2, "trunk: port.weight: 65536 is out of range 0..65535")
        no("port set trunk0 prio 2", 1, '"trunk0" is not a port of a trunk')
        no("port set nosuch prio 2", 1, 'there is no device "nosuch"')
        ip("link add dummy1 type dummy\nlink set dummy1 up")
        no("port add dummy1 dev trunk0", 1, "dummy1 is up: set it down first, or give --down")
        no("port add dummy1 dev trunk0 prio 70000 --down", 2, "trunk: port.priority: 70000 is out of range 1..65535")
        equal(told("port add dummy1 dev trunk0 --down"), (0, "", ""), "what `port add --down` says")
        expect("dummy1" in control.ports(), "dummy1 is no port")
        equal(told("port del dummy1"), (0, "", ""), "what `port del` says")
        ip("link set dummy1 up")
        equal(told("add --down trunk1 port dummy1"), (0, "", ""), "what `add --down` says")
        equal(told("del trunk1"), (0, "", ""), "what `del` says")
        no("port add dummy1 dev trunk0 prio 70000", 2, "trunk: port.priority: 70000 is out of range 1..65535")


def test_the_table():
    """
    trunkctl table show, set, reset; failback
    """
    star = Star(3)
    with star.server:
        control = Control()
        run("trunkctl set trunk0 bits 3 failback manual")
        run("trunkctl port set eth3 prio 2")
        equal(told("table set trunk0 0-3 eth1 4 eth2 5 auto"), (0, "", ""), "what `table set` says")
        equal(control.column()[:5], ["eth1"] * 4 + ["eth2"], "the table")
        equal([bucket.get("user-set") for bucket in control.table()], [True] * 5 + [None] * 3, "which are marked")
        equal([(b["index"], b["home"], b["port"]) for b in shown("table show trunk0")[0]["buckets"][:5]],
              [(n, "eth1" if n < 4 else "eth2", "eth1" if n < 4 else "eth2") for n in range(5)], "JSON")  # fmt: skip
        text = run("trunkctl table show trunk0")
        expect(re.search(r"^ +0 +A\*A\*A\*A\*B\*", text, re.M), text)
        coloured = run("trunkctl --color=always table show trunk0")
        equal(re.sub(r"\x1b\[[0-9;]*m", "", coloured), text, "the same with colours")
        expect(coloured != text, "no colours")

        star.pull(0)
        eventually(lambda: control.port("eth1")["state"] == "sby", "eth1 is sby")
        text = run("trunkctl table show trunk0")
        expect(re.search(r"^ +0 +(C['*]+){4}B\*", text, re.M), text)
        expect("stands in for eth1" in text, text)
        star.plug(0)
        eventually(lambda: control.port("eth1").get("held-back"), "eth1 is held back")
        equal(told("failback trunk0 port eth1"), (0, "", ""), "what `failback` says")
        equal(control.column()[:4], ["eth1"] * 4, "the table after failback")
        equal(told("failback trunk0"), (0, "", ""), "what `failback` says")

        no("table set trunk0 8 eth1", 2, "trunk: bucket.index: 8 is out of range 0..7")
        no("table set trunk0 0 eth3", 2, "trunk: bucket.home: a spare is nobody's home; set its priority to 1 first")
        no("table set trunk0 0 nosuch", 1, 'there is no device "nosuch"')
        equal(told("table reset trunk0"), (0, "", ""), "what `table reset` says")
        equal({bucket.get("user-set") for bucket in control.table()}, {None}, "which are marked")


# Output


def test_what_is_shown_is_so():
    """
    trunkctl -j show, port show, table show, stats, history    the same as by the kernel's client
    """
    star = Star(3)
    star.map()
    with star.server:
        # Ports count their probes, too.
        run("trunkctl set trunk0 probe off")
        control = Control()
        got, = shown("show trunk0")
        want = {name.replace("-", "_"): value for name, value in control.get().items()}
        want["system"] = f"{want['system']:016x}"
        equal({name: got.get(name) for name in want}, want, "trunk0")
        equal((got["ports"], got["act"]), (3, 3), "ports, and those that are act")
        for mine in shown("port show"):
            kernels = control.port(mine["ifname"])
            for name in "priority", "weight", "state", "homes", "buckets":
                equal(mine[name], kernels[name], f"{name} of {mine['ifname']}")
        equal([bucket["port"] for bucket in shown("table show trunk0")[0]["buckets"]], control.column(), "the table")
        got, = shown("stats trunk0")
        want = {name.replace("-", "_"): value for name, value in control.statistics().items()}
        equal(got["statistics"], want, "counters of trunk0")
        want = {name: control.statistics(name)["tx-packets"] for name in star.ports}
        equal({port["ifname"]: port["statistics"]["tx_packets"] for port in got["ports"]}, want, "frames of the ports")
        equal([event["seq"] for event in shown("history trunk0")], [event["seq"] for event in control.history()], "history")
        no("stats trunk0 reset --prometheus", 1, "reset prints nothing, so it cannot have --prometheus")
        equal(told("stats trunk0 reset")[0], 0, "status")
        equal(shown("stats trunk0")[0]["statistics"]["tx_packets"], 0, "frames after reset")

        text = run("trunkctl stats --prometheus")
        found = dict(re.findall(r"^(\w+)\{master=\"trunk0\"\} (\d+)$", text, re.M))
        equal((found["node_trunk_ports"], found["node_trunk_active"]), ("3", "3"), "ports")
        equal(int(found["node_trunk_buckets_moved_total"]), control.statistics()["buckets-moved"], "buckets moved")
        for name in set(re.findall(r"^(\w+)\{", text, re.M)):
            expect(f"# HELP {name} " in text and f"# TYPE {name} " in text, f"nothing says what {name} is")

    # In another namespace, by the path of a descriptor of the caller.
    got = subprocess.run(["trunkctl", "-n", f"/proc/self/fd/{star.server.fd}", "-br", "show"], pass_fds=[star.server.fd],
                         capture_output=True, text=True)  # fmt: skip
    expect(got.stdout.startswith("trunk0"), f"-n: {got}")
    equal(shown("show"), [], "trunks here")
    no("-n nowhere show", 1, told("-n nowhere show")[2].removeprefix("Error: ").removesuffix(".\n"))


def test_what_is_shown_can_be_set():
    """
    trunkctl -d -o show trunk0    its words can be set, up to those of the state
    """
    star = Star(2)
    with star.server:
        def words(command, end):
            """Returns the words that set a trunk or port."""
            line, = run(f"trunkctl -o {command}").splitlines()
            return line.split(": ", 2)[2].partition(f" {end} ")[0]

        for settings in ("role switch failback delay 2000 hold-down off interval 1500us reply-timeout 200us",
                         "selector flow far-end switch probe off peers several auto-join name zz* driver e1000 prio 2"):  # fmt: skip
            run(f"trunkctl set trunk0 {settings}")
            run("trunkctl port set eth2 prio 3 weight 7 disable")
            saved = run("trunkctl save")
            shown = words("-d show trunk0", "redundancy"), words("port show eth2", "state").removeprefix("dev trunk0 ")
            run("trunkctl set trunk0 bits 3 role server failback manual probe required peers one interval 2s hits 7 hold-down 7s auto-join none")
            run("trunkctl port set eth2 prio 1 weight auto enable")
            run(f"trunkctl set trunk0 {shown[0]}")
            run(f"trunkctl port set eth2 {shown[1]}")
            equal(run("trunkctl save"), saved, f"what is saved, once {shown} is set")


def test_what_is_named_alone_is_shown():
    """
    trunkctl port, table, history    of all trunks
    """
    star = Star(2)
    with star.server:
        run("trunkctl set trunk0 probe off")  # each would count
        run("trunkctl add trunk1 bits 2")
        for short, long in ("", "show"), ("port", "port show"), ("table", "table show"):
            equal(run(f"trunkctl -t {short}"), run(f"trunkctl -t {long}"), f"what `{short}` says")
        equal([table["ifname"] for table in shown("table")], ["trunk0", "trunk1"], "tables")
        equal(re.findall(r"^(\w+): \d+ buckets", run("trunkctl table"), re.M), ["trunk0", "trunk1"], "tables as text")
        events = shown("history")
        equal([event["monotonic"] for event in events], sorted(event["monotonic"] for event in events), "order of events")
        each = [(dev, event["seq"]) for dev in ("trunk0", "trunk1") for event in Control(dev).history()]
        equal(sorted((event["trunk"], event["seq"]) for event in events), each, "events")
        equal(run("trunkctl -t history").splitlines()[-1], run("trunkctl -t history trunk1").splitlines()[-1], "the last event")


def test_colours():
    """
    trunkctl show    on a terminal, without NO_COLOR and TERM=dumb; not in JSON
    """
    star = Star(2)
    with star.server:
        for command in ("show", "-br show", "port show", "table show", "-s -d show", "stats", "history", "save", "doctor",
                        "show --config", "claim show"):  # fmt: skip
            done = attempt(f"trunkctl --color=always -j {command}")
            expect("\x1b" not in done.stdout, f"colours in JSON of `{command}`: {done.stdout}")
            expect(isinstance(json.loads(done.stdout), list), f"`-j {command}` is no array: {done.stdout}")
        expect("\x1b" in run("trunkctl --color=always show") and "\x1b" not in run("trunkctl show"), "colours in a pipe")
        watcher = Monitor("--color=always")
        star.pull(0)
        watcher.until(lambda event: event["event"] == "failover", "a failover")  # it is read as JSON
        watcher.end()

        for options, environment, coloured in (
            ("", {}, True), ("--color=never", {}, False), ("", {"NO_COLOR": "1"}, False), ("", {"NO_COLOR": ""}, True),
            ("", {"TERM": "dumb"}, False), ("--color=always", {"NO_COLOR": "1"}, True), ("-j", {}, False),
        ):  # fmt: skip
            terminal = Terminal(f"trunkctl {options} show", columns=200, environment=environment)
            equal(terminal.end(), 0, "status")
            styles = {style for row in terminal.screen.cells for character, style in row if character != " "}
            equal(styles != {PLAIN}, coloured, f"colours with {options!r} and {environment}")
            expect(terminal.shows("trunk0"), f"shows no trunk: {terminal.lines()}")


def test_names_are_completed():
    """
    bash: trunkctl port set et<Tab>
    """
    star = Star(2)
    script = """
        eval "$(trunkctl completion bash)"
        COMP_WORDS=(trunkctl "$@") COMP_CWORD=$#
        _trunkctl
        echo "${COMPREPLY[*]}"
    """
    with star.server:
        def completed(*words):
            return run(["bash", "-c", script, "bash", *words]).split()

        equal(completed("port", "set", "et"), ["eth1", "eth2"], "ports")
        equal(completed("set", ""), ["dev", "trunk0"], "trunks")
        equal(completed("set", "trunk0", "sel"), ["selector"], "settings")
        equal(completed("set", "trunk0", "selector", "s"), ["smac", "smac-dmac"], "selectors")
        run("trunkctl add trunk1")
        equal(completed("del", "tr"), ["trunk0", "trunk1"], "trunks, once there is another")


def test_doctor():
    """
    trunkctl doctor    what is wrong, and the command that helps
    """
    star = Star(3)
    with star.server:
        run("trunkctl port set eth3 prio 2")
        # The other end is not a trunk: its probes would have shown it by now.
        run("trunkctl set trunk0 probe off far-end aggregate")
        equal(told("doctor"), (0, "", ""), "what it says of a healthy trunk")
        run("trunkctl port set eth2 disable")
        status, out, err = told("doctor")
        equal((status, err), (1, ""), "status")
        line, = [line for line in out.splitlines() if "eth2" in line]
        advice = line.partition("; ")[2]
        run(advice)
        equal(told("doctor"), (0, "", ""), "what it says once its advice is taken")
        star.pull(0)
        eventually(lambda: Control().port("eth1")["state"] == "sby", "eth1 is sby")
        findings = shown("doctor") if told("doctor")[0] == 0 else json.loads(attempt("trunkctl -j doctor").stdout)
        expect(any(f["check"] == "no-carrier" and f.get("port") == "eth1" for f in findings), findings)
        run("ip link set trunk0 down")
        expect("ip link set trunk0 up" in told("doctor")[1], told("doctor"))
        # All frames go to one address
        star.plug(0)
        bring_up("trunk0")
        sender = Sender("trunk0")
        for n in range(2_000):
            sender.send(frame(mac(7), mac(n), n))
        expect("trunkctl set trunk0 selector flow" in told("doctor")[1], told("doctor"))
        sender.socket.close()
        star.trunk.socket.close()
        run("trunkctl del trunk0")
        equal(told("doctor"), (1, "there is no trunk; trunkctl add trunk0 port NAME port NAME\n", ""), "without a trunk")
        finding, = json.loads(attempt("trunkctl -j doctor").stdout)
        run(finding["advice"].replace("NAME", "eth1", 1).replace("NAME", "eth2"))
        bring_up("trunk0")
        eventually(lambda: shown("show")[0]["redundancy"] == "full", "the trunk of its advice works")


def test_doctor_of_links():
    """
    trunkctl doctor    what probes have found out about links and peers
    """
    pair = Pair((1, 1, 2))
    with pair.server.netns:
        def checks():
            return {(f["check"], f.get("port")) for f in json.loads(attempt("trunkctl -j doctor").stdout)}

        equal(told("doctor"), (0, "", ""), "what it says of healthy links")
        pair.panel.spoil("eth1", loss=1)
        pair.until(pair.server, {"eth1": "one-way-tx"})
        equal(checks(), {("one-way", "eth1"), ("no-free-spare", None)}, "found when eth1 hears nothing")
        pair.panel.spoil("eth1")
        pair.panel.spoil("sw1", loss=1)
        pair.until(pair.server, {"eth1": "one-way-rx"})
        expect(("one-way", "eth1") in checks(), f"found when sw1 hears nothing: {checks()}")
        pair.panel.spoil("sw1")
        pair.until(pair.server)
        with pair.switch.netns:
            run("trunkctl port set sw3 prio 4")
        eventually(lambda: checks() == {("priorities", "eth3")}, f"found when sw3 has another priority: {checks()}")
        advice = told("doctor")[1].strip().partition("; ")[2]
        run(advice)
        equal(told("doctor"), (0, "", ""), "what it says once its advice is taken")


def test_doctor_of_cables():
    """
    trunkctl doctor    cables that lead elsewhere, are slow, or fail again and again
    """
    pair = Pair((1, 1, 2))

    def everywhere(command):
        for host in pair.hosts:
            with host.netns:
                run(command(host))

    with pair.server.netns:
        def found(check, port=None):
            """Returns the text and the advice of a finding about a port."""
            all_of_it = json.loads(attempt("trunkctl -j doctor").stdout)
            return next(((f["text"], f["advice"]) for f in all_of_it if (f["check"], f.get("port")) == (check, port)), None)

        everywhere(lambda host: f"trunkctl port set {host.ports[2]} prio 1")
        want = "note: trunk0: it has no spare: the other ports share the buckets of a port that fails; trunkctl port set NAME prio 2\n"
        eventually(lambda: told("doctor") == (0, want, ""), "no more is said of a trunk without spare than that")
        everywhere(lambda host: f"trunkctl port set {host.ports[2]} prio 2")
        eventually(lambda: told("doctor") == (0, "", ""), "nothing is said of it with one")

        # Two ports cabled to each other
        pair.panel.join("eth1", "eth2")
        pair.until(pair.server, {"eth1": "peer-mismatch", "eth2": "peer-mismatch"})
        text, advice = found("peer-mismatch", "eth1")
        want = "it leads elsewhere than the other ports, or back to this system", "check where its cable goes"
        equal((text, advice), want, "what it says of eth1")
        for port in "eth1", "eth2":
            pair.panel.join(port, pair.far[port])
        for host in pair.hosts:
            pair.until(host)

        # Replies that come too late
        pair.panel.spoil("eth2", delay=1.5 * INTERVAL / 1e6)
        eventually(lambda: found("late", "eth2"), "replies are found to be late")
        text, advice = found("late", "eth2")
        expect(re.fullmatch(rf"replies come after \S+ms, later than the reply-timeout, {INTERVAL // 1000}ms: .*", text), text)
        expect(re.fullmatch(r"trunkctl set trunk0 reply-timeout \S+ms interval \S+ms", advice), advice)
        everywhere(lambda host: advice)
        for host in pair.hosts:
            pair.until(host)
        pair.panel.spoil("eth2")

        # A cable with a loose connection
        for _ in range(3):
            pair.panel.pull("eth1")
            pair.until(pair.server, {"eth1": "no-carrier"})
            pair.panel.plug("eth1")
            pair.until(pair.server)
        text, advice = found("flapping", "eth1")
        expect(re.fullmatch(r"its link failed \d+ times in the last 10 minutes", text), text)
        equal(advice, "check cable and transceivers; trunkctl history trunk0", "advice")


def test_addresses_and_routes_left_on_a_port():
    """
    trunk0 192.0.2.1 ─┬─ eth1 192.0.2.1    whoever makes the trunk is told, and so is whoever asks the doctor
                      └─ eth2
    """
    star = links_only()
    with star.server:
        ip("address add 192.0.2.1/24 dev eth1\nlink set eth1 up")
        warning = (
            "trunk0: eth1: it still has 192.0.2.1/24: hosts of that network are sent to by it, and answer to the trunk; "
            "ip address flush dev eth1, and give the trunk the address"
        )
        equal(told("apply -", "trunk trunk0\nport eth1\nport eth2 prio 2\n"), (0, "", f"Warning: {warning}.\n"), "what `apply` says")
        bring_up("trunk0")
        expect(warning in told("doctor")[1].splitlines(), told("doctor"))
        ip("route add 198.51.100.0/24 dev eth1\nroute add default dev eth1")
        route = "a route still leads by it: default, 198.51.100.0/24; ip route flush dev eth1, and set the route by the trunk"
        expect(f"trunk0: eth1: {route}" in told("doctor")[1].splitlines(), told("doctor"))
        found = {(f["check"], f["port"]) for f in json.loads(attempt("trunkctl -j doctor").stdout) if f.get("port") == "eth1"}
        expect({("address", "eth1"), ("route", "eth1")} <= found, f"findings: {found}")
        # Its advice helps.
        run("ip route flush dev eth1")
        run("ip address flush dev eth1")
        expect("eth1: it still" not in told("doctor")[1] and "a route" not in told("doctor")[1], told("doctor"))

        # By other commands.
        run("trunkctl del trunk0")
        ip("address add 192.0.2.1/24 dev eth1\nlink set eth1 down")
        equal(told("add trunk0 port eth1"), (0, "", f"Warning: {warning}.\n"), "what `add` says")
        ip("address flush dev eth1\naddress add 192.0.2.2/24 dev eth2\nlink set eth2 down")
        status, out, err = told("port add eth2 dev trunk0")
        equal((status, out, err.startswith("Warning: trunk0: eth2: it still has 192.0.2.2/24: ")), (0, "", True), err)


def test_weights_of_which_some_are_auto():
    """
    trunkctl port set eth1 weight auto    beside a port of weight 1, it gets nearly all buckets
    """
    star = Star(3)
    with star.server:
        run("trunkctl port set eth3 prio 2")
        status, out, err = told("port set eth1 weight auto")
        counts = int(re.search(r"which counts as (\d+) by its speed", err)[1])
        equal((status, out, err), (0, "", f"Warning: trunk0: eth1: its weight is auto, which counts as {counts} by its speed, that of"
              " eth2 is 1; use auto for all working ports, or for none: trunkctl port set eth2 weight auto.\n"), "what it says")  # fmt: skip
        expect(counts > 1 and Control().port("eth1")["homes"] >= 29, "eth1 has no more than its half")
        found = {f["check"]: f for f in json.loads(attempt("trunkctl -j doctor").stdout)}
        # Where speeds are known, it is their shares that do not fit.
        equal(len({"weights", "mixed-weights"} & set(found)), 1, f"what the doctor says: {found}")
        # A spare has no share.
        equal(told("port set eth2 weight auto"), (0, "", ""), "what it says once its advice is taken")
        equal(told("port set eth3 weight 7"), (0, "", ""), "what it says of a spare")
        expect("which counts as" in told("port set eth3 prio 1")[2], "nothing is said of a working port")
        run("trunkctl del trunk0")
        ip("link set eth1 down\nlink set eth2 down")
        expect("which counts as" in told("add trunk0 port eth1 weight auto port eth2")[2], "`add` says nothing")


def test_claims():
    """
    trunkctl claim trunk0 port eth1 mark 7    the link that it gets, and each change
    """
    pair = Pair((1, 1, 2))
    with pair.server.netns:
        claim = Teller("claim trunk0 port eth1 mark 7 name metering")
        claim.until(lambda line: line["event"] == "claim", "it has a link")
        mine = {"trunk": "trunk0", "mark": 7, "port": "eth1", "link": "eth1", "peer_port": 0, "name": "metering"}
        first = claim.lines[0]
        equal({name: first[name] for name in mine}, mine, "the claim")
        equal(shown("claim show"), [mine | {"holder": first["holder"]}], "claims")
        equal(shown("port show eth1")[0]["claims"], 1, "claims of eth1")
        no("claim trunk0 port eth2 mark 7", 2, "trunk: claim.mark: 7 is claimed already")
        no("claim trunk0 port lo mark 8", 1, '"lo" is not a port of a trunk')

        pair.panel.lose("eth1")
        # The only spare carries the buckets of eth1.
        claim.until(lambda line: line.get("old_link") == "eth1" and line["link"] is None, "it has none")
        pair.panel.heal("eth1")
        claim.until(lambda line: line.get("old_link", "") is None and line["link"] == "eth1", "it is back")
        pair.until(pair.server)

        # Standard output is that of the command, and so is the status.
        for command, want in ("exit 3", 3), ("kill -KILL $$", 128 + 9), ("trunkctl -j claim show", 0):
            got = subprocess.run(["trunkctl", "claim", "trunk0", "port", "eth2", "mark", "8", "--", "sh", "-c", command],
                                 capture_output=True, text=True)  # fmt: skip
            equal(got.returncode, want, f"status of `{command}`")
            expect(got.stderr.startswith("trunk0: mark 8 port eth2 link eth2 peer-port 1 "), got.stderr)
            equal([c["mark"] for c in shown("claim show")], [7], f"claims after `{command}`")
        equal(sorted(c["mark"] for c in json.loads(got.stdout)), [7, 8], "claims while the command ran")
        status, out, err = told("claim trunk0 port eth2 mark 8 -- /no/such")
        equal((status, out), (1, ""), "status and output without a command")
        expect(err.endswith("Error: /no/such: No such file or directory (os error 2).\n"), err)
        running = subprocess.Popen(["trunkctl", "claim", "trunk0", "port", "eth2", "mark", "8", "--", "sleep", "1000"],
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        eventually(lambda: len(shown("claim show")) == 2, "the command runs")
        running.terminate()
        equal(running.wait(), 128 + 15, "status once both were asked to end")

        claim.process.kill()
        eventually(lambda: shown("claim show") == [], "the claim ends with its holder")
        claim = Teller("claim trunk0 port eth1 mark 7")
        claim.until(lambda line: line["event"] == "claim", "it has a link")
        run("trunkctl del trunk0")
        equal(claim.process.wait(), 1, "status once the trunk is gone")
        equal(claim.process.stderr.read(), b'Error: there is no device "trunk0".\n', "words")


# Configuration


def test_devices_that_join_by_themselves():
    """
    trunkctl add trunk0 auto-join name eth* prio 2    eth1 and eth2 come by themselves
    """
    star = links_only(2)
    with star.server:
        equal(told("add trunk0 auto-join name eth* prio 2"), (0, "", ""), "what it says")
        ports = lambda: {port["ifname"]: port["priority"] for port in shown("port show dev trunk0")}
        eventually(lambda: ports() == {"eth1": 2, "eth2": 2}, "eth1 and eth2 are spares")
        rule = {"name": "eth*", "driver": None, "bus": None, "address": None, "priority": 2}
        equal(shown("show trunk0")[0]["auto_join"], rule, "the rule in JSON")
        expect(" auto-join name eth* prio 2 " in run("trunkctl show trunk0"), "the rule is not shown")
        no("set trunk0 auto-join", 1, "auto-join: name, driver, bus or address is missing, or none")
        no("set trunk0 auto-join prio 3", 1, "auto-join: name, driver, bus or address is missing, or none")
        no(f"set trunk0 auto-join name {'x' * 128} bits 6", 1, "auto-join name: more than 127 bytes")
        no("set trunk0 auto-join address 5", 1, 'address: "5" is not the beginning of a MAC address')

        # A port that joined by the rule stays, though it is not named.
        saved = run("trunkctl save")
        expect(" auto-join name eth* prio 2\n" in saved, f"the rule is not saved: {saved}")
        lines = [line for line in saved.splitlines() if not line.startswith("port eth2")]
        equal(told("diff -", "\n".join(lines)), (0, "", ""), "differences without eth2")
        run("trunkctl del trunk0")
        equal(told("apply -", "\n".join(lines)), (0, "", ""), "what `apply` says")
        eventually(lambda: ports() == {"eth1": 2, "eth2": 2}, "both are there again")

        ip("link add other type dummy\nlink set other up\nlink set other name eth3")
        eventually(lambda: "eth3 does not join: Device or resource busy; " in run("trunkctl history trunk0"), "eth3 is refused")
        equal(told("set trunk0 auto-join none"), (0, "", ""), "what it says")
        equal(shown("show trunk0")[0]["auto_join"], None, "the rule, when there is none")
        address = "auto-join address 52:54:00 driver virtio_net bus virtio"
        run(f"trunkctl set trunk0 {address}")
        expect("auto-join driver virtio_net bus virtio address 52:54:00" in run("trunkctl show trunk0"), "not as it was set")


def test_saved_configuration_is_applied_and_then_there_is_nothing_to_do():
    """
    save, change, diff, apply, diff; and apply where there is no trunk
    """
    star = Star(3)
    with star.server:
        run("trunkctl set trunk0 bits 4 selector smac failback delay 3000 far-end switch min-links 1 probe required interval 20ms")
        run("trunkctl port set eth3 prio 2 weight auto")
        run("trunkctl port set eth2 weight 7")
        run("trunkctl table set trunk0 2-4 eth2")
        run("trunkctl add trunk1 selector flow")
        saved = run("trunkctl save")
        equal(told("diff -", saved), (0, "", ""), "differences to what was just saved")
        seq = Control().history()[-1]["seq"]
        equal(told("apply -", saved), (0, "", ""), "what `apply` says")
        equal(Control().history()[-1]["seq"], seq, "number of the last event, after nothing was to be done")
        equal(json.loads(run("trunkctl save -j")), configured(), "configuration as JSON")
        equal(run("trunkctl show --config -j"), run("trunkctl save -j"), "what either command prints")

        for change in (
            "set trunk0 bits 5", "set trunk0 interval 10ms hits 9", "set trunk0 probe off", "set trunk0 min-links 3", "set trunk0 auto-join name zz*", "set trunk0 role switch", "port set eth1 disable", "port set eth3 prio 1", "table reset trunk0",
            "table set trunk0 9 eth1", "port del eth2", "del trunk1", "del trunk0",
        ):  # fmt: skip
            run(f"trunkctl {change}")
            status, out, err = told("diff -", saved)
            equal((status, err), (1, ""), f"status of `diff` after `{change}`")
            expect(out, f"no difference after `{change}`")
            status, dry, err = told("apply -c -", saved)
            equal((status, dry, err), (0, out, ""), f"a dry run after `{change}`")
            status, again, err = told("-j diff -", saved)
            equal((status, json.loads(again)), (1, out.splitlines()), "the same as JSON, since the dry run was none")
            equal(told("apply -", saved)[0], 0, f"status of `apply` after `{change}`")
            equal(told("diff -", saved), (0, "", ""), f"differences, after `{change}` and `apply`")
            equal(by_trunk(run("trunkctl save")), by_trunk(saved), f"what is saved, after `{change}` and `apply`")


SETTINGS = ("bits selector failback far-end min-links probe interval reply-timeout misses hits hold-down peers"
            " probe-ethertype probe-address").split()  # fmt: skip


def configured():
    """Returns the settings of each trunk by the kernel's own client, with the keys of JSON."""
    found = []
    for trunk in genl.client().dump("trunk-get", {}):
        control = Control(trunk["ifname"])
        ports = sorted(control.ports().values(), key=lambda port: port["id"])
        delay = {"failback_delay": trunk["failback-delay"]} if trunk["failback"] == "delay" else {}
        runs = []
        for bucket, home in zip(control.table(), control.column("home")):
            index = bucket["index"]
            if not bucket.get("user-set"):
                continue
            if runs and (runs[-1]["last"], runs[-1]["port"]) == (index - 1, home):
                runs[-1]["last"] = index
            else:
                runs.append({"first": index, "last": index, "port": home})
        found.append(
            {"ifname": trunk["ifname"], "mtu": link(trunk["ifname"])["mtu"], "auto_join": None, "keyed": "keyed" in trunk, "table": runs}
            | {name.replace("-", "_"): trunk[name] for name in SETTINGS} | delay
            | {"ports": [{name: port[name] for name in ("ifname", "priority", "weight")}
                         | {"enabled": bool(port["enabled"])} for port in ports]}
        )  # fmt: skip
    return found


def by_trunk(saved):
    """Returns the parts of a saved text, one for each trunk, in the order of interface indices."""
    return sorted(re.split(r"^(?=trunk )", saved, flags=re.M))


@cases("set by the user", "of a port that left", "of the first port")
def test_a_saved_configuration_keeps_address_and_mtu(which):
    """
    ip link set trunk0 address … mtu 9000    save, del, apply: both are there again, at the ports too
    """
    star = Star(3)
    with star.server:
        match which:
            case "set by the user":
                ip("link set trunk0 address 02:00:00:00:12:34 mtu 9000")
            case "of a port that left":
                ip("link set eth1 nomaster\nlink set trunk0 mtu 1400")
        was = link("trunk0")
        saved = run("trunkctl save")
        named = re.findall(r"trunk0 (?:address (\S+) )?mtu (\d+) bits", saved)
        equal(named, [("" if "first" in which else was["address"], str(was["mtu"]))], f"what is saved: {saved}")
        equal(told("diff -", saved), (0, "", ""), "differences to what was just saved")
        equal(json.loads(run("trunkctl -j save"))[0].get("address"), named[0][0] or None, "address in JSON")
        run("trunkctl del trunk0")
        equal(told("apply -", saved), (0, "", ""), "what `apply` says")
        now = link("trunk0")
        equal((now["address"], now["mtu"]), (was["address"], was["mtu"]), "address and MTU")
        equal({link(name)["mtu"] for name in Control().ports()}, {was["mtu"]}, "MTUs of the ports")
        equal(run("trunkctl save"), saved, "what is saved then")
        equal(told("diff -", saved), (0, "", ""), "differences then")

        ip("link set trunk0 mtu 1300" + "\nlink set trunk0 address 02:00:00:00:00:99" * ("first" not in which))
        status, out, err = told("diff -", saved)
        address = "" if "first" in which else f"address {was['address']} "
        equal((status, out.partition("  #")[0]), (1, f"# ip link set trunk0 {address}mtu {was['mtu']}"), "differences, after a change")
        # What fails is undone, the address too.
        changed = run("trunkctl save"), link("trunk0")["address"], link("trunk0")["mtu"]
        ip("link set lo down")
        wrong = f"trunk trunk0 address 02:00:00:00:00:77 mtu 9000\nport eth2\nport eth3\nport lo\n"
        equal(told("apply -", wrong)[0], 2, "status of `apply` of something wrong")
        equal((link("trunk0")["address"], link("trunk0")["mtu"]), changed[1:], "address and MTU after that")
        equal(told("apply -", saved)[0], 0, "status of `apply`")
        now = link("trunk0")
        equal((now["address"], now["mtu"]), (was["address"], was["mtu"]), "address and MTU at last")
        for words in "mtu 67", "address 01:00:00:00:00:00":
            equal(told(f"add trunk1 {words}")[0], 2, f"status with {words}")
            equal(link("trunk1"), None, f"trunk1, with {words}")
        no("add trunk1 mtu many", 1, 'mtu: "many" is not a number')


def test_a_configuration_that_fails_changes_nothing():
    """
    apply: the last of many steps is refused; all steps are undone
    """
    star = Star(3)
    with star.server:
        ip("link set lo down")
        saved = run("trunkctl save")
        wrong = saved.replace("bits 5", "bits 7").replace("port eth1 prio 1", "port eth1 prio 4") + "trunk trunk1 bits 3\nport lo prio 1\n"
        settings = lambda: (run("trunkctl save"), {name: entry.get("master") for name, entry in links().items()})  # noqa: E731
        before = settings()
        status, out, err = told("apply -", wrong)
        equal((status, err), (2, "Error: trunk: a loopback device cannot be a port.\n"), "status and words")
        equal(settings(), before, "configuration after a failed `apply`")
        for text, number in (("trunk trunk0 bits six\n", 1), (saved + "colour red\n", saved.count("\n") + 1)):
            status, out, err = told("apply -", text)
            equal((status, out), (1, ""), f"status of {text!r}")
            expect(f"{number}" in err, f"no number of the line in {err!r}")
        equal(settings(), before, "configuration after a wrong file")


def test_a_port_that_is_missing_joins_when_its_device_appears():
    """
    trunkctl apply    of a saved configuration, when the cards of two of its ports are not there
    """
    star = Star(4)
    with star.server:
        run("trunkctl port set eth2 prio 2 weight 5 disable")
        run("trunkctl port set eth3 prio 3")
        run("trunkctl table set trunk0 0-3 eth1 5 eth4")
        saved = run("trunkctl save")
        run("trunkctl del trunk0")
        ip("link del eth2\nlink del eth4")
        gone = "".join(f'Warning: trunk0: there is no device "eth{n}"; it joins when it appears.\n' for n in (2, 4))
        status, steps, err = told("diff -", saved)
        equal((status, err), (1, gone), "what `diff` says before")
        equal(told("apply -c -", saved), (3, steps, gone), "what a dry run says")
        equal(told("apply -", saved), (3, "", gone), "what `apply` says")
        control = Control()
        equal(sorted(control.ports()), ["eth1", "eth3"], "ports")
        equal(control.missing(), {"eth2": (2, 5, 0), "eth4": (1, 1, 1)}, "missing ports")
        bring_up("trunk0")
        eventually(lambda: carrier("trunk0"), "it works")

        # Now there is nothing to do.
        seq = control.history()[-1]["seq"]
        equal(told("apply -", saved), (3, "", gone), "what `apply` says again")
        equal(told("-j diff -", saved), (3, "[]\n", gone), "what `diff` says then")
        equal(control.history()[-1]["seq"], seq, "number of the last event")
        lines = lambda text: sorted(line for line in text.splitlines() if line.startswith("port"))  # noqa: E731
        equal(lines(run("trunkctl save")), lines(saved), "ports that are saved")
        equal(shown("show trunk0")[0]["missing"], ["eth2", "eth4"], "missing ports in JSON")
        expect(" missing eth2,eth4\n" in run("trunkctl show trunk0"), "missing ports are not shown")
        told_of = {f["port"] for f in json.loads(attempt("trunkctl -j doctor").stdout) if f["check"] == "missing"}
        equal(told_of, {"eth2", "eth4"}, "ports that the doctor misses")

        # They come, and somebody brings one up at once.
        for n in 2, 4:
            with star.switch:
                attempt(f"ip link del sw{n}")
                Rtnetlink().add(f"sw{n}", "veth", peer=f"eth{n}", netns=star.server)
                Rtnetlink().up(f"sw{n}")
        attempt("ip link set eth2 up")
        eventually(lambda: len(control.ports()) == 4, "they join")
        equal(control.missing(), {}, "missing ports")
        port = control.port("eth2")
        equal((port["priority"], port["weight"], port["enabled"]), (2, 5, 0), "settings of eth2")
        # Homes are what remains to be set.
        status, steps, err = told("diff -", saved)
        equal((status, err), (1, ""), "what `diff` says now")
        expect(all(line.startswith("table ") for line in steps.splitlines()), f"steps: {steps}")
        equal(told("apply -", saved), (0, "", ""), "what `apply` says")
        equal(told("diff -", saved), (0, "", ""), "what `diff` says at last")


def test_missing_ports_by_hand():
    """
    trunkctl port add dummy1 dev trunk0 --later    and other commands about what is not there
    """
    star = Star(2)
    with star.server:
        control = Control()
        no("port add dummy1 dev trunk0", 1, 'there is no device "dummy1"')
        no("port add a/b dev trunk0 --later", 1, '"a/b" cannot be the name of a device')
        no("port del dummy1", 1, 'there is no device "dummy1"')
        equal(told("port add dummy1 dev trunk0 prio 2 --later"), (0, "", ""), "what it says")
        equal(told("port add dummy2 dev trunk0 --later"), (0, "", ""), "what it says")
        equal(told("port add dummy1 dev trunk0 prio 3 --later"), (0, "", ""), "what it says of a change")
        equal(control.missing(), {"dummy1": (3, 1, 1), "dummy2": (1, 1, 1)}, "missing ports")
        equal(told("port del dummy2"), (0, "", ""), "what `port del` says")
        ip("link add dummy5 type dummy")
        equal(told("port add dummy5 dev trunk0"), (0, "", ""), "what it says of another one")
        equal(told("port del dummy5"), (0, "", ""), "what `port del` says of that")
        no("port add dummy1 dev trunk0 prio 0 --later", 2, "trunk: port.priority: 0 is out of range 1..65535")
        # What fails leaves them as they were.
        ip("link set lo down")
        saved = run("trunkctl save")
        status, out, err = told("apply -", "trunk trunk0\nport eth1\nport dummy3\nport lo\n")
        equal((status, err), (2, "Error: trunk: a loopback device cannot be a port.\n"), "status and words")
        equal(run("trunkctl save"), saved, "configuration after a failed `apply`")
        # A text that does not name it, even with a rule, forgets it.
        status, out, err = told("apply -", "trunk trunk0 auto-join name zz*\nport eth1\nport eth2\n")
        equal((status, out, err, control.missing()), (0, "", "", {}), "status, output and missing ports")
        ip("link add dummy4 type dummy")
        equal(told("port add dummy4 dev trunk0 prio 2 --later"), (0, "", ""), "what it says of a device that is there")
        equal(control.port("dummy4")["priority"], 2, "priority")


ALT = "enp1s0f0np0-" + "x" * 115  # as long as can be


@cases("enp1s0", ALT)
def test_alternative_names(alt):
    """
    eth1, also enp1s0, and trunk0, also uplink    whatever takes a name takes that
    """
    star = links_only()
    with star.server:
        run(f"ip link property add dev eth1 altname {alt}")
        ip("link set eth1 up")
        no(f"add {'x' * 128}", 1, f'"{"x" * 128}" cannot be the name of a device')
        no(f"add {'x' * 16}", 1, f'"{"x" * 16}" cannot be the name of a device')
        no(f"add {alt} port eth2", 1, f"there is a device {alt} already")
        no("port del nosuch", 1, 'there is no device "nosuch"')
        ip("link set eth1 down")
        equal(told(f"add trunk0 port {alt} port eth2"), (0, "", ""), "what `add` says")
        run("ip link property add dev trunk0 altname uplink")
        control = Control()
        expect(run("trunkctl save uplink").startswith("trunk trunk0 ") and "\nport eth1 " in run("trunkctl save"), "what is saved")
        text = f"trunk uplink\nport {alt} prio 1\nport eth2\ntable 3 {alt}\n"
        equal(told("diff -", text), (1, "table set trunk0 3 eth1\n", ""), "what `diff` says")
        for n in range(2):
            seq = control.history()[-1]["seq"]
            equal(told("apply -", text), (0, "", ""), "what `apply` says")
        equal(control.history()[-1]["seq"], seq, "number of the last event, after nothing was to be done")
        equal(control.column("home")[3], "eth1", "home of bucket 3")
        no("apply -", 1, "eth1 is named twice", f"trunk trunk0\nport eth1\nport {alt}\n")
        for command in (f"port set {alt} prio 1 weight 2", f"port show {alt}", "set uplink bits 4", "port show dev uplink",
                        f"table set uplink 0 {alt}", "table show uplink", f"failback uplink port {alt}", f"failback {alt}",
                        "stats uplink", "history uplink", f"claim uplink port {alt} mark 7 -- true", "claim show uplink",
                        f"port del {alt}", f"port add {alt} dev uplink", "save uplink"):  # fmt: skip
            status, out, err = told(command)
            equal((status, "Error" in err), (0, False), f"status of `{command}`, and an error: {err}")
        expect(told("doctor uplink")[2] == "", "the doctor has an error")
        equal(sorted(control.ports()), ["eth1", "eth2"], "ports")
        for word in alt[:5], "upl":
            found = run(f"trunkctl __complete port {'show' if word != 'upl' else 'show dev'} {word}").split()
            equal(found, [alt if word != "upl" else "uplink"], f"completion of {word}")
        expect(alt not in run(["trunkctl", "__complete", "port", "show", ""]), "alternative names beside names")

        # After a change of naming, what was the name is an alternative one.
        saved = run("trunkctl save")
        run("trunkctl del trunk0")
        ip("link set eth2 name lan2")
        run("ip link property add dev lan2 altname eth2")
        equal(told("apply -", saved), (0, "", ""), "what `apply` says with new names")
        equal(told("diff -", saved), (0, "", ""), "what `diff` says then")
        equal(sorted(Control().ports()), ["eth1", "lan2"], "ports")


def test_a_batch_ends_with_the_first_that_fails():
    """
    trunkctl -batch -    with -force, it goes on
    """
    star = Star(2)
    commands = "set trunk0 bits 3\n# a comment\n\nset trunk0 bits 99\nset trunk0 selector flow\n"
    with star.server:
        control = Control()
        status, _, err = told("-batch -", commands)
        equal(status, 1, "status")
        want = "Error: trunk: bits: 99 is out of range 0..16.\nCommand failed -:4\n"
        equal(err, want, "words")
        with open("/tmp/commands", "w") as file:
            file.write(commands)
        equal(told("-batch /tmp/commands"), (1, "", want.replace("-:4", "/tmp/commands:4")), "of a file")
        equal((control.get()["bits"], control.get()["selector"]), (3, "dmac"), "settings")
        status, _, err = told("-force -batch -", commands)
        equal(status, 1, "status")
        equal(control.get()["selector"], "flow", "selector, with -force")
        equal(told("-batch -", "set trunk0 bits 4\nset trunk0 bits 5\n"), (0, "", ""), "a batch that succeeds")


# Permissions, and what does not exist


def test_without_privilege_without_module():
    """
    the user nobody may look; without the module, trunkctl says what is missing
    """
    star = Star(2)
    with star.server:
        run("trunkctl set trunk0 bits 4")

        refusal = 2, "", "Error: trunk: Operation not permitted.\n"

        def nobody():
            become_nobody()
            expect("trunk0" in run("trunkctl") and "eth1" in run("trunkctl port show"), "nobody sees no trunk")
            for command in ("set trunk0 bits 3", "port set eth1 prio 2", "table reset trunk0", "table set trunk0 0 eth1",
                            "failback trunk0", "stats trunk0 reset", "add trunk1", "del trunk0", "port del eth1",
                            "claim trunk0 port eth1 mark 7", "apply -"):  # fmt: skip
                got = told(command, "trunk trunk0 bits 3\nport eth1\nport eth2\n")
                equal(got, refusal, f"what `{command}` says")
            status, out, err = told("table set trunk0 0-65535 eth1")
            equal((status, out), (2, ""), "status of a message that is too long")
            words = r"Error: a message of \d{7} bytes is more than the socket may hold: net.core.wmem_max is the limit without CAP_NET_ADMIN."
            expect(re.fullmatch(words + "\n", err), f"words of a message that is too long: {err}")

        before, limit = everything(), "/proc/sys/net/core/wmem_max"
        with FirstNetns():
            most = read(limit)
            write(limit, 212_992)
        in_process(nobody)
        with FirstNetns():
            write(limit, most)
        equal(everything(), before, "what nobody changed")

        def pinning():
            become_nobody()
            equal(told("pin trunk0 address 02:00:00:00:00:07"), refusal, "what `pin` says")

        ip("link add br0 type bridge\nlink set br0 up\nlink set trunk0 master br0")
        eventually(lambda: link("trunk0")["linkinfo"]["info_slave_data"]["state"] == "forwarding", "the bridge may be told addresses")
        in_process(pinning)
        watcher = Monitor(user=65534)
        run("trunkctl set trunk0 bits 5")
        watcher.until(lambda event: event["event"] == "config", "a change of settings, to nobody")
        watcher.end()
        star.trunk.socket.close()
        unload()
        for command in "show", "port show", "stats", "save", "monitor":
            status, out, err = told(command)
            equal((status, out), (2, ""), f"status of `{command}` ({err.strip()})")
            equal(err, "Error: Family 'trunk' not found: is the trunk module loaded?\n", f"words of `{command}`")
        equal(told("doctor"), (1, "the trunk module is not loaded; modprobe trunk\n", ""), "what `doctor` says")


# Events


class Teller:
    """A command of trunkctl that keeps running, and its output so far, as JSON."""

    def __init__(self, command, launcher=(), user=None):
        words = [*launcher, "trunkctl", "-j", *command.split()]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=user)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.lines, self.partial = [], b""

    def listens(self):
        """Returns whether one of its sockets is in a multicast group."""
        own, files = set(), f"/proc/{self.process.pid}/fd"
        for fd in os.listdir(files):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                own.add(os.readlink(f"{files}/{fd}"))
        rows = [line.split() for line in read("/proc/net/netlink").splitlines()[1:]]
        return any(int(row[3], 16) and f"socket:[{row[9]}]" in own for row in rows)

    def look(self):
        try:
            while more := os.read(self.process.stdout.fileno(), 1 << 16):
                self.partial += more
        except BlockingIOError:
            pass
        *lines, self.partial = self.partial.split(b"\n")
        self.lines += map(json.loads, lines)
        return self.lines

    def until(self, condition, what):
        eventually(lambda: any(map(condition, self.look())), f"it tells: {what}")

    def end(self):
        self.process.terminate()
        self.process.wait()


class Monitor(Teller):
    def __init__(self, words="", user=None):
        super().__init__(f"monitor {words}", user=user)
        eventually(self.listens, "it listens")


def test_monitor_tells_events_as_they_happen():
    """
    trunkctl -j monitor    an object a line; with words, only what they name
    """
    star = Star(2)
    with star.server:
        control = Control()
        # The joins may yet have to be told.
        before = control.history()[-1]["seq"]
        all_of_it, ports = Monitor(), Monitor("port dev trunk0")
        run("trunkctl set trunk0 bits 3")
        star.pull(0)
        all_of_it.until(lambda e: e["event"] == "failover", "failover")
        ports.until(lambda e: e.get("new_state") == "sby" or e.get("state") == "sby", "eth1 is sby")
        star.plug(0)
        all_of_it.until(lambda e: e["event"] == "failback", "failback")
        run("trunkctl add trunk1")
        history = control.history()
        all_of_it.until(lambda e: e.get("seq") == history[-1]["seq"], "the last event")
        equal([e["event"] for e in all_of_it.lines], [e["kind"] for e in history[-len(all_of_it.lines) :]], "events")
        equal({e["event"] for e in ports.look() if e["seq"] > before}, {"port-state"}, "events of ports")
        for line in all_of_it.lines:
            expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"]), f"time of {line}")
        for monitor in all_of_it, ports:
            monitor.end()


def test_monitor_tells_of_a_loss_and_how_things_are():
    """
    trunk0 ── events ──► trunkctl monitor ──► a pipe that is not read meanwhile
    """
    star = Star(2)
    with star.server:
        control, monitor = Control(), Monitor()
        storm = Storm(control)
        for _ in range(EVENTS // BATCH):
            if any(listeners()):
                break
            storm.batch(BATCH)
        monitor.until(lambda e: e["event"] == "resync", "how things are")
        lost = [n for n, line in enumerate(monitor.lines) if line["event"] == "lost"]
        expect(lost, "no loss was told")
        for n in lost:
            equal(monitor.lines[n + 1]["event"], "resync", "what follows a loss")
        resync = [line for line in monitor.lines if line["event"] == "resync"][-1]
        equal([trunk["ifname"] for trunk in resync["trunks"]], ["trunk0"], "trunks in the resync")
        equal([port["ifname"] for port in resync["ports"]], ["eth1", "eth2"], "ports in the resync")
        numbers = [line["seq"] for line in monitor.lines if "seq" in line]
        equal(numbers, sorted(set(numbers)), "numbers in order")
        # Once it has read what its socket held, it prints all events.
        since = set()

        def tells():
            run(f"trunkctl set trunk0 bits {3 + len(since) % 2}")
            since.add(control.history()[-1]["seq"])
            return any(line.get("seq") in since for line in monitor.look())

        eventually(tells, "it tells of the next event")
        monitor.end()
