#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Two hosts with a trunk each, for experiments.

    server                      panel                      switch
    trunk0 ─┬─ eth1 ─────── eth1 ═══ sw1 ─────── sw1 ─┬─ trunk0
            ├─ eth2 ─────── eth2 ═══ sw2 ─────── sw2 ─┤
            ├─ eth3 ─────── eth3 ═══ sw3 ─────── sw3 ─┤
            └─ eth4 ─────── eth4 ═══ sw4 ─────── sw4 ─┘ spares

Three network namespaces. The cables pass through the panel, where they can be cut and made to lose frames.
"""

import lab
from hosts import Pair

HOW = """
    ip netns exec server ping 192.0.2.2                          traffic
    ip netns exec switch iperf3 -s -D                            …
    ip netns exec server iperf3 -c 192.0.2.2
    ip netns exec server trunkctl port show                      links, their peers and round trips
    ip netns exec server trunkctl watch trunk0                   all of it, as it happens
    ip -n panel link set eth2 down                               cuts a cable; `up` repairs it
    tc -n panel qdisc replace dev sw2 root netem loss 100%       silence from eth2 to sw2, with carrier;
    tc -n panel qdisc del dev sw2 root                           ends that
    ip netns exec server trunkctl history trunk0                 what happened, and why
    poweroff -f                                                  leaves
"""


def build(**parameters):
    """Makes a trunk of four links to a plain bridge and a client behind it, with addresses. The namespaces
    remain when the process ends."""
    star = lab.Star(4, bridge=True, ipv6=True, names=("server", "switch", "client"), **parameters)
    for namespace, dev, last in ((star.server, "trunk0", 1), (star.client, "client0", 2)):
        addressed(namespace, dev, last)
    return star


def hosts(**settings):
    """Makes two trunks of three links and a spare, with addresses, and all links proven. The namespaces
    remain when the process ends."""
    pair = Pair((1, 1, 1, 2), names=("server", "switch", "panel"), ipv6=True, **settings)
    for last, host in enumerate(pair.hosts, 1):
        addressed(host.netns, "trunk0", last)
    return pair


def addressed(namespace, dev, last):
    with namespace:
        lab.ip(f"""address add 192.0.2.{last}/24 dev {dev}
                   address add 2001:db8::{last}/64 dev {dev} nodad""")


if __name__ == "__main__":
    hosts()
    print(__doc__.partition("\n\n")[2] + HOW, flush=True)
