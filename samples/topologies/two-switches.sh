#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A server whose trunk spans two switches, as namespaces of this machine: `two-switches.sh up`, then
# look around, then `two-switches.sh down`. It needs root, the module trunk and trunkctl.
#
#      server                            switch-a
#      trunk0 ─┬─ eth1 ═══════════ sw1 ─┬─ trunk0 ─ br0 ─┬─ c1 ── client1  192.0.2.11
#   192.0.2.1  ├─ eth2 ═══════════ sw2 ─┘          │      └─ hub ── client2  192.0.2.12
#   role       │                                   isl
#   server,    │                                   ║ ║  two cables, a trunk as well
#   peers      │                         switch-b  isl
#   several    ├─ eth3 ═══════════ sw3 ─┬─ trunk0 ─ br0 ─┬─ c3 ── client3  192.0.2.13
#              └─ eth4 ═══════════ sw4 ─┘                 └─ sub ── client4  192.0.2.14
#
# client2 is behind a hub, a bridge that learns nothing, and client4 behind another switch.
#
# Some of the server's frames reach a switch through the other one, over isl. That is no move of the
# server, so `trunkctl pin` keeps its address at trunk0 of each switch while trunk0 leads to it.
#
# On real machines, leave out the namespaces and cables: run the lines with a machine's name on that
# machine. trunk-pin@trunk0.service of samples/systemd runs `trunkctl pin`.
#
# SETTINGS="interval 10ms"   more settings for all trunks
# STP=1                      the bridges run the spanning tree protocol, with a short delay
# IDLE=1                     clients and server have no addresses, so that nothing is sent
# PIN=                       pins nothing; then watch `bridge -n switch-a monitor fdb`
set -e

clients="client1 client2 client3 client4"
switches="switch-a switch-b"

# A cable between a device of one namespace and a device of another.
cable() {
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
}

up() {
	for name in server $switches hub sub $clients; do
		ip netns add "$name"
		ip -n "$name" link set lo up
		if [ "$IDLE" ]; then
			ip netns exec "$name" sh -c 'for all in all default; do
				echo 1 > /proc/sys/net/ipv6/conf/$all/disable_ipv6
			done'
		fi
	done

	# The server: one interface of four links, which lead to two peers.
	cable server eth1 switch-a sw1
	cable server eth2 switch-a sw2
	cable server eth3 switch-b sw3
	cable server eth4 switch-b sw4
	trunkctl -n server add trunk0 role server peers several $SETTINGS \
		port eth1 port eth2 port eth3 port eth4
	ip -n server link set trunk0 up

	# The switches: a trunk to the server, and one to the other switch.
	cable switch-a isl1 switch-b isl1
	cable switch-a isl2 switch-b isl2
	trunkctl -n switch-a add trunk0 role switch $SETTINGS port sw1 port sw2
	trunkctl -n switch-b add trunk0 role switch $SETTINGS port sw3 port sw4
	for name in $switches; do
		trunkctl -n "$name" add isl selector smac-dmac $SETTINGS port isl1 port isl2
		make_bridge "$name"
		ip -n "$name" link set trunk0 master br0 up
		ip -n "$name" link set isl master br0 up
		if [ "${PIN-1}" ]; then
			trunkctl -n "$name" pin trunk0 > "/run/pin-$name.log" 2>&1 &
			echo $! > "/run/pin-$name.pid"
		fi
	done

	# Clients: two of their own, one behind a hub, one behind another switch.
	cable switch-a c1 client1 eth0
	cable switch-a c2 hub up0
	cable switch-b c3 client3 eth0
	cable switch-b c4 sub up0
	ip -n switch-a link set c1 master br0 up
	ip -n switch-a link set c2 master br0 up
	ip -n switch-b link set c3 master br0 up
	ip -n switch-b link set c4 master br0 up
	for name in hub sub; do
		ip -n $name link add br0 type bridge mcast_snooping 0
		ip -n $name link set up0 master br0 up
	done
	ip -n hub link set br0 type bridge ageing_time 0
	cable hub c2 client2 eth0
	cable sub c4 client4 eth0
	ip -n hub link set c2 master br0 up
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
	for name in $switches; do
		if [ -e "/run/pin-$name.pid" ]; then
			kill "$(cat "/run/pin-$name.pid")" 2> /dev/null || true
			rm "/run/pin-$name.pid"
		fi
	done
	for name in server $switches hub sub $clients; do
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
