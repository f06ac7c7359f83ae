#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A trunk of four links between two hosts, to look at and to play with.

    server                     switch                     client
    trunk0 ─┬─ eth1 ───────── sw1 ─┐
            ├─ eth2 ───────── sw2 ─┼─ br0 ─ sw0 ───────── client0
            ├─ eth3 ───────── sw3 ─┤
            └─ eth4 ───────── sw4 ─┘

Three network namespaces; the switch is a plain Linux bridge, which knows nothing of trunks.
"""

import lab

HOW = """
    ip netns exec server ping 192.0.2.2                   traffic
    ip netns exec client iperf3 -s -D                     …
    ip netns exec server iperf3 -c 192.0.2.2
    ip -n switch link set sw2 down                        pulls a cable; `up` plugs it back
    ip -n server -s link show dev eth2                    what a port carries
    ip netns exec server ethtool -S trunk0                what the trunk counts
    ip netns exec server ethtool trunk0
    poweroff -f                                           leaves
"""


def build(**parameters):
    """Sets it all up, with addresses; the namespaces stay."""
    star = lab.Star(4, bridge=True, ipv6=True, names=("server", "switch", "client"), **parameters)
    for namespace, dev, last in ((star.server, "trunk0", 1), (star.client, "client0", 2)):
        with namespace:
            lab.ip(f"""address add 192.0.2.{last}/24 dev {dev}
                       address add 2001:db8::{last}/64 dev {dev} nodad""")
    return star


if __name__ == "__main__":
    build()
    print(__doc__.partition("\n\n")[2] + HOW, flush=True)
