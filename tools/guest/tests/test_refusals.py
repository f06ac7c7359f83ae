# SPDX-License-Identifier: GPL-2.0
"""What is not possible is refused with a text that says why, and nothing is half done."""

from lab import *

VOLATILE = {"stats", "stats64", "ifindex"}


def state():
    """Returns all that `ip -d link` prints of all devices of this namespace, without counters."""
    return {
        name: {key: value for key, value in entry.items() if key not in VOLATILE} for name, entry in links("-d").items()
    }


def refuses(command, words):
    """Checks that a command is refused with exactly this text, and that nothing has changed."""
    before = state()
    text = refused(command)
    after = state()
    for name in before:
        changed = {key: (before[name].get(key), value) for key, value in after[name].items() if before[name].get(key) != value}
        equal(changed, {}, f"what `{command}` changed of {name}")
    equal(text, words, f"words of `{command}`")


def trunk():
    load()
    ip(f"link add trunk0 type {KIND}")


@trodden
def test_a_port_that_is_up():
    """
    trunk0    dummy1 (up)
    """
    trunk()
    ip("link add dummy1 type dummy\nlink set dummy1 up")
    refuses("ip link set dummy1 master trunk0", "trunk: the device is up; set it down first.")
    ip("link set dummy1 down\nlink set dummy1 master trunk0")


@trodden
def test_loopback():
    """
    trunk0    lo
    """
    trunk()
    ip("link set lo down")
    refuses("ip link set lo master trunk0", "trunk: a loopback device cannot be a port.")


@trodden
def test_a_device_that_is_not_ethernet():
    """
    trunk0    tun1 (layer 3)
    """
    trunk()
    attempt("modprobe tun")
    if not os.path.exists("/dev/net/tun"):
        raise Skipped("no tun driver")
    run("ip tuntap add tun1 mode tun")
    refuses("ip link set tun1 master trunk0", "trunk: only an Ethernet device can be a port.")
    run("ip tuntap add tap1 mode tap")
    ip("link set tap1 master trunk0")


@trodden
def test_itself():
    """
    trunk0 ─── trunk0
    """
    trunk()
    refuses("ip link set trunk0 master trunk0", "trunk: a trunk cannot be a port of itself.")


def test_a_loop_of_trunks():
    """
    trunk0 ─── trunk1 ─── trunk2 ─── trunk0
    """
    trunk()
    ip(f"""link add trunk1 type {KIND}
           link add trunk2 type {KIND}
           link set trunk1 master trunk0
           link set trunk2 master trunk1""")
    ip("link set trunk0 down")
    refuses("ip link set trunk0 master trunk2", "trunk: the device is stacked on this trunk, so cannot be its port.")


def test_a_stack_of_too_many_trunks():
    """
    trunk0 ─── trunk1 ─── trunk2 ─── …    the kernel limits the stack of devices
    """
    trunk()
    ip("\n".join(f"link add trunk{n} type {KIND}" for n in range(1, 10)))
    words, n = "", 0
    while not words and n < 9:
        done = attempt(f"ip link set trunk{n} master trunk{n + 1}")
        words, n = done.stderr, n + 1
        Rtnetlink().up(f"trunk{n}", False)
    equal(words.splitlines()[:1], ["Error: trunk: the port cannot be linked to the trunk."], f"words of the refusal of the {n}th")
    expect("master" not in link(f"trunk{n - 1}"), "it has a master")


@trodden
def test_a_device_in_use_by_another_driver():
    """
    trunk0    dummy1 ─── macvlan1    uses the receive handler of dummy1
    """
    trunk()
    ip("""link add dummy1 type dummy
          link add macvlan1 link dummy1 type macvlan""")
    refuses("ip link set dummy1 master trunk0", "trunk: another device, such as a macvlan, receives for this one.")


def test_a_port_of_one_trunk_moves_to_another_whole():
    """
    trunk0 ─── dummy1 ──► trunk1    `ip` releases it from the first, then it joins the second
    """
    trunk()
    ip(f"""link add trunk1 type {KIND}
           link add dummy1 type dummy""")
    own = link("dummy1")["address"]
    ip("link set dummy1 master trunk0")
    # The first trunk has brought it up, and brings it down as it releases it.
    ip("link set dummy1 master trunk1")
    equal(link("dummy1")["master"], "trunk1", "master")
    ip("link set dummy1 nomaster")
    equal(link("dummy1")["address"], own, "address")


@trodden
def test_the_65th_port():
    """
    trunk0 ─┬─ dummy1
            ├─   …
            └─ dummy64        dummy65
    """
    trunk()
    ip("\n".join(f"link add dummy{n} type dummy" for n in range(1, 66)) + "\n")
    ip("\n".join(f"link set dummy{n} master trunk0" for n in range(1, 65)) + "\n")
    refuses("ip link set dummy65 master trunk0", "trunk: a trunk has at most 64 ports.")
    bring_up("trunk0")
    taps = Taps([f"dummy{n}" for n in range(1, 65)], outgoing=True)
    sender = Sender("trunk0")
    for n in range(64):
        sender.send(frame(mac(n), mac(1), n))
    equal(len(taps.take(64)), 64, "frames sent by 64 ports")
    ip("link set dummy7 nomaster\nlink set dummy65 master trunk0")
    ip("link del trunk0")


def test_a_port_that_cannot_take_the_address():
    """
    trunk0 ─┬─ dummy1                the address of the trunk is that of `lower`, so
            └─ macvlan1 ── lower     macvlan1 cannot have it
    """
    trunk()
    ip("""link add dummy1 address 02:00:5e:00:53:02 type dummy
          link add lower address 02:00:5e:00:53:02 type dummy
          link add macvlan1 link lower type macvlan
          link set dummy1 master trunk0""")
    refuses("ip link set macvlan1 master trunk0", "trunk: the port does not take the trunk's MAC address.")


def test_a_port_that_cannot_take_the_mtu():
    """
    trunk0 (mtu 9000) ─┬─ dummy1
                       └─ vlan1 ── lower (mtu 1500)
    """
    trunk()
    ip("""link set trunk0 mtu 9000
          link add dummy1 type dummy
          link add lower type dummy
          link add link lower name vlan1 type vlan id 1
          link set dummy1 master trunk0""")
    refuses("ip link set vlan1 master trunk0", "trunk: the port does not take the trunk's MTU.")


def test_a_port_that_cannot_be_opened():
    """
    trunk0 ─┬─ dummy1
            └─ vlan1 ── lower (down)    a VLAN cannot come up on a device that is down
    """
    trunk()
    ip("""link add dummy1 type dummy
          link add lower type dummy
          link add link lower name vlan1 type vlan id 1
          link set dummy1 master trunk0""")
    refuses("ip link set vlan1 master trunk0", "trunk: the port cannot be set up.")


@trodden
def test_a_device_that_is_no_port_is_not_released():
    """
    trunk0    dummy1
    """
    trunk()
    ip("link add dummy1 type dummy")
    ip("link set dummy1 nomaster")
    expect("master" not in link("dummy1"), "a master from nowhere")
