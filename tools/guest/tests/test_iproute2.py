# SPDX-License-Identifier: GPL-2.0
"""ip(8) with its plugin for trunks sets and shows the words of trunkctl; and ip without the plugin."""

from lab import *

IS_ABOUT_A_PROGRAM = True

PLUGIN = "/usr/lib/x86_64-linux-gnu/ip/link_trunk.so"
ALL = """bits 6 failback delay 2000 far-end switch min-links 2 probe required interval 10ms reply-timeout 1500us misses 1
    hits 255 hold-down 60s peers several probe-ethertype 0x88b7 probe-address 02:00:00:00:00:01
    auto-join name lab* driver ixgbe bus pci address 52:54:00 prio 2"""
SELECTOR = "selector smac-dmac"  # comes after bits in what is shown


def ready():
    if not os.path.exists(PLUGIN):
        raise Skipped("the plugin is not built")
    if not loaded():
        load()


def data(dev="trunk0"):
    """Returns the settings of a trunk in `ip -j -d link show`."""
    info = link(dev)["linkinfo"]
    equal(info["info_kind"], KIND, "kind")
    return info["info_xstats"]


def test_all_settings_go_there_and_back():
    """
    trunk0    made with every setting, shown by ip and by trunkctl
    trunk1    with defaults
    """
    ready()
    run(f"ip link add trunk0 type trunk {ALL} {SELECTOR} key 000102030405060708090a0b0c0d0e0f")
    run("ip link add trunk1 type trunk")

    text = " ".join(run("ip -d link show trunk0").split())
    for words in f"trunk {ALL}".replace(" failback", f" {SELECTOR} failback").split():
        expect(words in text.split(), f"{words} is in {text}")
    wanted = " ".join(f"bits 6 {SELECTOR} {ALL.split('bits 6')[1]}".split())
    expect(f" trunk {wanted} keyed system " in text, f"the order in {text}")
    expect("redundancy none" in text, text)

    # Names and values are those of trunkctl.
    for dev in "trunk0", "trunk1":
        theirs, = (t for t in json.loads(run("trunkctl -j show")) if t["ifname"] == dev)
        ours = data(dev)
        equal(ours, {key: theirs[key] for key in ours}, f"{dev} as ip has it, beside trunkctl")
        rest = {"ifindex", "ifname", "ports", "act", "missing", "up", "carrier", "mtu", "address", "buckets"}
        equal(set(theirs) - set(ours) - rest, set(), "what ip does not have")

    # The shown settings of one can be set for the other.
    shown = " ".join(run("ip -d link show trunk0").split())
    words = re.search(r" trunk (bits .*) keyed ", shown)[1]
    run(f"ip link set trunk1 type trunk {words}")
    run("ip link set trunk0 type trunk key none")
    equal({k: v for k, v in data("trunk1").items()}, data("trunk0"), "a trunk with another's settings")

    run("ip link set trunk0 type trunk hold-down off auto-join none failback immediate selector smac role switch "
        "far-end auto interval 250 "
        "reply-timeout 1 probe-ethertype 34997 probe-address 01:80:C2:00:00:0e")
    got = data()
    equal([got[key] for key in ("hold_down", "auto_join", "failback", "role", "selector", "interval", "probe_ethertype",
                                "probe_address")],
          [0, None, "immediate", "switch", "smac", 250_000, 34997, "01:80:c2:00:00:0e"], "settings after a change")

    write("/tmp/key", "  000102030405060708090a0b0c0d0e0f\n")
    run("ip link set trunk0 type trunk key-file /tmp/key")
    equal(data()["keyed"], True, "a key from a file")


def test_what_is_shown_beside_settings_stays_as_it_is():
    """
    trunk0, dummy0    shown with and without statistics
    """
    ready()
    ip("link add trunk0 type trunk\nlink add dummy0 type dummy\nlink add trunk1 type trunk")
    details = run("ip -d link show")
    expect("RX:" not in details, f"statistics that nobody asked for: {details}")
    equal(details.count(" bits 5 "), 2, "trunks with details")
    expect("RX:" not in run("ip -d -o link show"), "statistics on one line")
    both = run("ip -s -d link show")
    equal((both.count("RX:"), both.count(" bits 5 ")), (run("ip -s link show").count("RX:"), 2), "statistics and details")
    expect(" bits " not in run("ip link show"), "details that nobody asked for")
    equal(data()["bits"], 5, "JSON")
    expect("stats64" not in json.loads(run("ip -j -d link show trunk0"))[0], "statistics in JSON")


def test_refusals_name_the_setting_and_change_nothing():
    """
    trunk0    exists; trunk1 is not made
    """
    ready()
    ip("link add trunk0 type trunk")
    before = data()
    for words, want in [
        ("bits", "bits: a value is missing"),
        ("bits six", 'bits: "six" is not a number'),
        ("bits -1", 'bits: "-1" is not a number'),
        ("bits 17", "bits: 17 is out of range 0..16"),
        ("bits 5 bits 6", "bits is named twice"),
        ("key none key-file /dev/null", "key is named twice"),
        ("key secret", "key: it is not 32 hexadecimal digits"),
        ("key-file /dev/null", "key-file: /dev/null does not have 32 hexadecimal digits"),
        ("key-file /no/such/file", "key-file: /no/such/file: No such file or directory"),
        ("colour red", '"colour" is no setting of a trunk; "ip link help trunk" lists them'),
        ("redundancy full", '"redundancy" is no setting of a trunk; "ip link help trunk" lists them'),
        ("selector mac", 'selector: "mac" is none of dmac, smac, smac-dmac, flow'),
        ("probe on", 'probe: "on" is none of auto, required, off'),
        ("failback delay", "failback delay: a value is missing"),
        ("failback delay 86400001", "failback delay: 86400001 is out of range 0..86400000"),
        ("interval fast", 'interval: "fast" is not a time, as 500us, 10ms or 2s'),
        ("interval 10m", 'interval: "10m" is not a time, as 500us, 10ms or 2s'),
        ("interval 18446744073709551615s", "interval: 18446744073709551615s is too long"),
        ("interval 2h", 'interval: "2h" is not a time, as 500us, 10ms or 2s'),
        ("interval 500us", "interval: 500us is out of range 1ms..60s"),
        ("reply-timeout 61s", "reply-timeout: 61s is out of range 100us..60s"),
        ("hold-down 100us", "hold-down: 100us is not in whole milliseconds"),
        ("min-links 65", "min-links: 65 is out of range 0..64"),
        ("probe-ethertype 0x05ff", "probe-ethertype: 1535 is out of range 1536..65535"),
        ("probe-address 1:2", 'probe-address: "1:2" is not a MAC address'),
        ("auto-join", "auto-join: name, driver, bus or address is missing, or none"),
        ("auto-join prio 2", "auto-join: name, driver, bus or address is missing, or none"),
        (f"auto-join name {'x' * 128}", "auto-join name: more than 127 bytes"),
        ("auto-join address 52:5", 'auto-join address: "52:5" is not the beginning of a MAC address'),
        ("auto-join name a prio 0", "auto-join prio: 0 is out of range 1..65535"),
        ("role server far-end aggregate", "role sets selector and far-end: name one or the other"),
        ("selector flow far-end auto role switch", "role sets selector and far-end: name one or the other"),
        # Only the kernel checks these.
        ("reply-timeout 200ms", "reply-timeout: 200000 us is longer than the interval, 100000 us"),
        ("bits 6 probe-ethertype 0x0800", "probe-ethertype: 0x0800 is the type of IPv4"),
        ("bits 6 probe-address ff:ff:ff:ff:ff:ff", "probe-address: neither a station nor a group of some is that"),
    ]:
        for command in f"ip link add trunk1 type trunk {words}", f"ip link set trunk0 type trunk {words}":
            done = attempt(command)
            expect(done.returncode != 0, f"{command} was not refused")
            equal((done.stdout, done.stderr), ("", f"Error: {want}.\n"), command)
    equal(data(), before, "settings after refusals")
    equal(link("trunk1"), None, "the trunk that was refused")


def test_help_names_every_setting():
    """No device at all."""
    ready()
    for command in "ip link help trunk", "ip link add type trunk help":
        done = attempt(command)
        text = done.stdout + done.stderr
        for word in [word for word in f"{ALL} selector role key key-file".split() if re.fullmatch(r"[a-z][a-z-]+", word)]:
            if word not in ("lab", "ixgbe", "pci"):
                expect(word in text, f"{word} is not in {text}")


def test_settings_of_ports():
    """
    trunk0 ─┬─ dummy1    ip link set dummy1 type trunk_slave …; ip -d link show dummy1
            └─ dummy2
    """
    ready()
    ip("link add trunk0 type trunk\nlink add dummy1 type dummy\nlink add dummy2 type dummy")
    for name in "dummy1", "dummy2":
        ip(f"link set {name} master trunk0")

    def ports():
        """Returns what ip and trunkctl have of each port."""
        theirs = {port["ifname"]: port for port in json.loads(run("trunkctl -j port show"))}
        ours = {name: link(name)["linkinfo"] for name in theirs}
        for name, info in ours.items():
            equal(info["info_slave_kind"], KIND, f"kind of {name}")
            data = info["info_slave_data"]
            equal(data, {key: theirs[name][key] for key in data}, f"{name} as ip has it, beside trunkctl")
        return {name: info["info_slave_data"] for name, info in ours.items()}

    equal(set(ports()["dummy1"]), {"priority", "weight", "enabled", "state", "reason"}, "what ip shows")
    run("ip link set dummy1 type trunk_slave prio 3 weight auto disable")
    got = ports()
    equal([got["dummy1"][key] for key in ("priority", "weight", "enabled", "reason")], [3, 0, False, "disabled"], "dummy1")
    equal([got["dummy2"][key] for key in ("priority", "weight", "enabled")], [1, 1, True], "dummy2")
    # The words that are shown can be set.
    text = " ".join(run("ip -d link show dummy1").split())
    words = re.search(r" trunk_slave (prio .*) state sby reason disabled ", text)[1]
    equal(words, "prio 3 weight auto disable", "words")
    run(f"ip link set dummy2 type trunk_slave {words}")
    equal(ports()["dummy2"], got["dummy1"], "a port with another's settings")
    run("ip link set dummy2 type trunk_slave enable priority 1")
    equal([ports()["dummy2"][key] for key in ("priority", "weight", "enabled")], [1, 0, True], "dummy2 after a change")

    before = ports()
    for words, want in [
        ("prio", "prio: a value is missing"),
        ("prio 0", "prio: 0 is out of range 1..65535"),
        ("weight 65536", "weight: 65536 is out of range 0..65535"),
        ("weight heavy", 'weight: "heavy" is not a number'),
        ("enable disable", "disable is named twice"),
        ("state act", '"state" is no setting of a port; "ip link help trunk_slave" lists them'),
        ("bits 3", '"bits" is no setting of a port; "ip link help trunk_slave" lists them'),
    ]:
        done = attempt(f"ip link set dummy1 type trunk_slave {words}")
        equal((done.returncode != 0, done.stdout, done.stderr), (True, "", f"Error: {want}.\n"), words)
    equal(ports(), before, "settings after refusals")
    done = attempt("ip link help trunk_slave")
    for word in "prio", "weight", "enable", "disable":
        expect(word in done.stdout + done.stderr, f"{word} is not in {done}")
    # rtnetlink sets what a port has before it becomes one.
    ip("link set dummy1 nomaster")
    expect(attempt("ip link set dummy1 master trunk0 type trunk_slave prio 2").returncode != 0, "it is set for no port")


def test_all_works_without_the_plugin():
    """
    trunk0 ── dummy0    ip does not know what a trunk is
    """
    ready()
    os.environ["IP_LIB_DIR"] = "/no/such/place"
    run("ip link add trunk0 type trunk")
    ip("link add dummy0 type dummy")
    run("ip link set dummy0 master trunk0 type trunk_slave")
    run("trunkctl set trunk0 bits 6 selector flow")
    equal(json.loads(run("ip -j -d link show trunk0"))[0]["linkinfo"], {"info_kind": KIND}, "what ip knows of it")
    expect("trunk_slave" in run("ip -d link show dummy0"), "the port")
    expect("RX:" not in run("ip -d link show"), "statistics that nobody asked for")
    done = attempt("ip link set trunk0 type trunk bits 7")
    expect(done.returncode != 0 and "Garbage" in done.stderr, f"words for a plugin: {done}")
    equal(json.loads(run("trunkctl -j show"))[0]["bits"], 6, "bits")
    run("ip link del trunk0")
