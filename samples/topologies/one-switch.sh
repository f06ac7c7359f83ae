#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A server with four links to one switch, as namespaces of this machine: `one-switch.sh up`, then
# look around, then `one-switch.sh down`. It needs root, the module trunk and trunkctl.
#
#      server                            switch
#                                                        ┌─ c1 ── client1  192.0.2.11
#      trunk0 ─┬─ eth1 ═══════════ sw1 ─┬─ trunk0 ─ br0 ─┼─ c2 ── client2  192.0.2.12
#   192.0.2.1  ├─ eth2 ═══════════ sw2 ─┤ role           ├─ hub ── client3  192.0.2.13
#   role       ├─ eth3 ═══════════ sw3 ─┤ switch         └─ sub ── client4  192.0.2.14
#   server     └─ eth4 ═══════════ sw4 ─┘
#
# client3 is behind a hub, a bridge that learns nothing, and client4 behind another switch.
#
# On real machines, leave out the namespaces and cables: run the lines with `-n server` on the server,
# and those with `-n switch` on the switch.
#
# SETTINGS="interval 10ms"   more settings for both trunks
# STP=1                      the bridge runs the spanning tree protocol, with a short delay
# IDLE=1                     clients and server have no addresses, so that nothing is sent
set -e

clients="client1 client2 client3 client4"

# A cable between a device of one namespace and a device of another.
cable() {
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
}

up() {
	for name in server switch hub sub $clients; do
		ip netns add "$name"
		ip -n "$name" link set lo up
		if [ "$IDLE" ]; then
			ip netns exec "$name" sh -c 'for all in all default; do
				echo 1 > /proc/sys/net/ipv6/conf/$all/disable_ipv6
			done'
		fi
	done

	# The server: one interface of four links.
	for n in 1 2 3 4; do
		cable server eth$n switch sw$n
	done
	trunkctl -n server add trunk0 role server $SETTINGS port eth1 port eth2 port eth3 port eth4
	ip -n server link set trunk0 up

	# The switch: the other end of the trunk is a port of its bridge, as the clients are.
	trunkctl -n switch add trunk0 role switch $SETTINGS port sw1 port sw2 port sw3 port sw4
	make_bridge switch
	ip -n switch link set trunk0 master br0 up
	cable switch c1 client1 eth0
	cable switch c2 client2 eth0
	cable switch c3 hub up0
	cable switch c4 sub up0
	for port in c1 c2 c3 c4; do
		ip -n switch link set $port master br0 up
	done

	# Behind it, a hub and another switch.
	for name in hub sub; do
		ip -n $name link add br0 type bridge mcast_snooping 0
		ip -n $name link set up0 master br0 up
	done
	ip -n hub link set br0 type bridge ageing_time 0
	cable hub c3 client3 eth0
	cable sub c4 client4 eth0
	ip -n hub link set c3 master br0 up
	ip -n sub link set c4 master br0 up
	ip -n hub link set br0 up
	ip -n sub link set br0 up
	addresses
}

# A bridge of a switch.
make_bridge() {
	ip -n "$1" link add br0 type bridge mcast_snooping 0
	if [ "$STP" ]; then
		# In hundredths of a second, the least there is.
		ip -n "$1" link set br0 type bridge stp_state 1 forward_delay 200 hello_time 100 max_age 600
	fi
	ip -n "$1" link set br0 up
}

addresses() {
	for name in $clients; do
		ip -n "$name" link set eth0 up
		[ "$IDLE" ] || ip -n "$name" address add "192.0.2.1${name#client}/24" dev eth0
	done
	[ "$IDLE" ] || ip -n server address add 192.0.2.1/24 dev trunk0
}

down() {
	for name in server switch hub sub $clients; do
		ip netns del "$name" 2> /dev/null || true
	done
}

case $1 in
up | down) "$1" ;;
*)
	echo "usage: $0 up|down" >&2
	exit 1
	;;
esac
