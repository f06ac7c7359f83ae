/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/trunk.yaml */
/* YNL-GEN uapi header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _UAPI_LINUX_TRUNK_H
#define _UAPI_LINUX_TRUNK_H

#define TRUNK_FAMILY_NAME	"trunk"
#define TRUNK_FAMILY_VERSION	1

/**
 * enum trunk_selector - What selects the bucket of a frame, and so its port.
 * @TRUNK_SELECTOR_DMAC: the low bits of the destination MAC address
 * @TRUNK_SELECTOR_SMAC: the low bits of the source MAC address
 * @TRUNK_SELECTOR_SMAC_DMAC: the low bits of both, by exclusive or
 * @TRUNK_SELECTOR_FLOW: the hash of the flow, over addresses and ports of
 *   upper layers
 */
enum trunk_selector {
	TRUNK_SELECTOR_DMAC,
	TRUNK_SELECTOR_SMAC,
	TRUNK_SELECTOR_SMAC_DMAC,
	TRUNK_SELECTOR_FLOW,
};

/**
 * enum trunk_role - Shorthand for a selector and a far end.
 * @TRUNK_ROLE_SERVER: selector dmac, far-end auto
 * @TRUNK_ROLE_SWITCH: selector smac, far-end auto
 */
enum trunk_role {
	TRUNK_ROLE_SERVER,
	TRUNK_ROLE_SWITCH,
};

/**
 * enum trunk_failback - When a working port that is act again takes its
 *   buckets back.
 * @TRUNK_FAILBACK_IMMEDIATE: at once
 * @TRUNK_FAILBACK_DELAY: when it has been act for failback-delay
 * @TRUNK_FAILBACK_MANUAL: on operation failback
 */
enum trunk_failback {
	TRUNK_FAILBACK_IMMEDIATE,
	TRUNK_FAILBACK_DELAY,
	TRUNK_FAILBACK_MANUAL,
};

/**
 * enum trunk_far_end - What the ports lead to.
 * @TRUNK_FAR_END_AUTO: a trunk where one answers, else a switch
 * @TRUNK_FAR_END_TRUNK: a trunk, which sends a group by any link
 * @TRUNK_FAR_END_SWITCH: a switch that does not know of the trunk
 * @TRUNK_FAR_END_AGGREGATE: a static aggregate, which sends any frame by any
 *   link
 */
enum trunk_far_end {
	TRUNK_FAR_END_AUTO,
	TRUNK_FAR_END_TRUNK,
	TRUNK_FAR_END_SWITCH,
	TRUNK_FAR_END_AGGREGATE,
};

/**
 * enum trunk_far_end_reason - Why the ports lead to what they do.
 * @TRUNK_FAR_END_REASON_SET: the user has set it
 * @TRUNK_FAR_END_REASON_ANSWERS: a trunk answers
 * @TRUNK_FAR_END_REASON_SEVERAL: a trunk answers, and other ports lead
 *   elsewhere
 * @TRUNK_FAR_END_REASON_NO_ANSWER: no trunk answers
 * @TRUNK_FAR_END_REASON_SHARED: probes of one link reach several ports
 * @TRUNK_FAR_END_REASON_ONE_COPY: of each broadcast one copy comes
 */
enum trunk_far_end_reason {
	TRUNK_FAR_END_REASON_SET,
	TRUNK_FAR_END_REASON_ANSWERS,
	TRUNK_FAR_END_REASON_SEVERAL,
	TRUNK_FAR_END_REASON_NO_ANSWER,
	TRUNK_FAR_END_REASON_SHARED,
	TRUNK_FAR_END_REASON_ONE_COPY,
};

/**
 * enum trunk_probe_mode - Whether links are tested, beyond their carrier.
 * @TRUNK_PROBE_MODE_AUTO: by carrier until the peer has answered once, then by
 *   probes
 * @TRUNK_PROBE_MODE_REQUIRED: a port is used only if the peer answers
 * @TRUNK_PROBE_MODE_OFF: by carrier alone
 */
enum trunk_probe_mode {
	TRUNK_PROBE_MODE_AUTO,
	TRUNK_PROBE_MODE_REQUIRED,
	TRUNK_PROBE_MODE_OFF,
};

/**
 * enum trunk_peers - Whether all ports lead to one trunk.
 * @TRUNK_PEERS_ONE: all lead to one trunk; a port that leads elsewhere is not
 *   used
 * @TRUNK_PEERS_SEVERAL: they lead to several, as those of a server between two
 *   switches do
 */
enum trunk_peers {
	TRUNK_PEERS_ONE,
	TRUNK_PEERS_SEVERAL,
};

/**
 * enum trunk_redundancy - Redundancy of the ports.
 * @TRUNK_REDUNDANCY_NONE: fewer than two ports are act; the next failure ends
 *   traffic, if it has not ended
 * @TRUNK_REDUNDANCY_DEGRADED: a port is not act, or not enabled, but at least
 *   two are
 * @TRUNK_REDUNDANCY_FULL: two ports or more, all of them act
 */
enum trunk_redundancy {
	TRUNK_REDUNDANCY_NONE,
	TRUNK_REDUNDANCY_DEGRADED,
	TRUNK_REDUNDANCY_FULL,
};

/**
 * enum trunk_state - The state of a port's link.
 * @TRUNK_STATE_SBY: the link is not usable
 * @TRUNK_STATE_ACT: the link is usable in both directions
 */
enum trunk_state {
	TRUNK_STATE_SBY,
	TRUNK_STATE_ACT,
};

/**
 * enum trunk_reason - Why a port is sby.
 * @TRUNK_REASON_NONE: the port is act
 * @TRUNK_REASON_ADMIN_DOWN: the port is down
 * @TRUNK_REASON_NO_CARRIER: there is no signal on the link
 * @TRUNK_REASON_DISABLED: the user has disabled the port
 * @TRUNK_REASON_PROBE_TIMEOUT: the peer does not answer
 * @TRUNK_REASON_ONE_WAY_RX: only receives; the peer does not hear this end
 * @TRUNK_REASON_ONE_WAY_TX: only transmits; this end does not hear the peer
 * @TRUNK_REASON_PEER_SILENT: all ports fell silent together, so the peer died
 * @TRUNK_REASON_PEER_MISMATCH: the port leads to another trunk or system than
 *   the others, or back to this one
 * @TRUNK_REASON_HELD_DOWN: the link works again, but failed too often lately
 * @TRUNK_REASON_PEER_SBY: the link works, but the peer does not use it
 * @TRUNK_REASON_PATH_SOURCE: the link loses frames from the trunk's own
 *   address, which another link carries
 * @TRUNK_REASON_PATH_MTU: the link loses frames as long as the MTU, which
 *   another link carries
 * @TRUNK_REASON_PATH_VLAN: the link loses frames of a VLAN, which another link
 *   carries
 */
enum trunk_reason {
	TRUNK_REASON_NONE,
	TRUNK_REASON_ADMIN_DOWN,
	TRUNK_REASON_NO_CARRIER,
	TRUNK_REASON_DISABLED,
	TRUNK_REASON_PROBE_TIMEOUT,
	TRUNK_REASON_ONE_WAY_RX,
	TRUNK_REASON_ONE_WAY_TX,
	TRUNK_REASON_PEER_SILENT,
	TRUNK_REASON_PEER_MISMATCH,
	TRUNK_REASON_HELD_DOWN,
	TRUNK_REASON_PEER_SBY,
	TRUNK_REASON_PATH_SOURCE,
	TRUNK_REASON_PATH_MTU,
	TRUNK_REASON_PATH_VLAN,
};

/**
 * enum trunk_event_kind - What happened.
 * @TRUNK_EVENT_KIND_PORT_STATE: a link changed between act and sby, or is sby
 *   for another reason than reported
 * @TRUNK_EVENT_KIND_FAILOVER: the buckets of a port moved because it became
 *   sby
 * @TRUNK_EVENT_KIND_FAILBACK: buckets moved back to a port because it is act
 *   again
 * @TRUNK_EVENT_KIND_TABLE: the user changed the table
 * @TRUNK_EVENT_KIND_CONFIG: a setting of the trunk or of a port changed, or a
 *   share that follows the link speed
 * @TRUNK_EVENT_KIND_JOIN: a device became a port
 * @TRUNK_EVENT_KIND_LEAVE: a device stopped being a port
 * @TRUNK_EVENT_KIND_PEER_FOUND: the peer answered a probe for the first time;
 *   answers are required from now on
 * @TRUNK_EVENT_KIND_PEER_BYE: the peer said goodbye; the port goes by carrier
 *   again
 * @TRUNK_EVENT_KIND_PEER_LOST: all ports fell silent together while their
 *   carrier stayed
 * @TRUNK_EVENT_KIND_PEER_DIFFERS: the peer has another priority for the link,
 *   so may choose another spare
 * @TRUNK_EVENT_KIND_CLAIM: a process claimed a link
 * @TRUNK_EVENT_KIND_RELEASE: a claim ended
 * @TRUNK_EVENT_KIND_CLAIM_MOVED: a claim has another link now, or none
 * @TRUNK_EVENT_KIND_JOIN_REFUSED: a device that auto-join asks for cannot
 *   become a port
 * @TRUNK_EVENT_KIND_LATE: replies on a link have begun to come too late; the
 *   port stays act
 * @TRUNK_EVENT_KIND_IN_TIME: replies on a link come in time again
 */
enum trunk_event_kind {
	TRUNK_EVENT_KIND_PORT_STATE,
	TRUNK_EVENT_KIND_FAILOVER,
	TRUNK_EVENT_KIND_FAILBACK,
	TRUNK_EVENT_KIND_TABLE,
	TRUNK_EVENT_KIND_CONFIG,
	TRUNK_EVENT_KIND_JOIN,
	TRUNK_EVENT_KIND_LEAVE,
	TRUNK_EVENT_KIND_PEER_FOUND,
	TRUNK_EVENT_KIND_PEER_BYE,
	TRUNK_EVENT_KIND_PEER_LOST,
	TRUNK_EVENT_KIND_PEER_DIFFERS,
	TRUNK_EVENT_KIND_CLAIM,
	TRUNK_EVENT_KIND_RELEASE,
	TRUNK_EVENT_KIND_CLAIM_MOVED,
	TRUNK_EVENT_KIND_JOIN_REFUSED,
	TRUNK_EVENT_KIND_LATE,
	TRUNK_EVENT_KIND_IN_TIME,
};

enum {
	TRUNK_A_IFINDEX = 1,
	TRUNK_A_IFNAME,
	TRUNK_A_BITS,
	TRUNK_A_SELECTOR,
	TRUNK_A_ROLE,
	TRUNK_A_FAILBACK,
	TRUNK_A_FAILBACK_DELAY,
	TRUNK_A_FAR_END,
	TRUNK_A_REDUNDANCY,
	TRUNK_A_TABLE_AUTO,
	TRUNK_A_PORT,
	TRUNK_A_BUCKET,
	TRUNK_A_STATISTICS,
	TRUNK_A_EVENT,
	TRUNK_A_PROBE,
	TRUNK_A_INTERVAL,
	TRUNK_A_REPLY_TIMEOUT,
	TRUNK_A_MISSES,
	TRUNK_A_HITS,
	TRUNK_A_HOLD_DOWN,
	TRUNK_A_PEERS,
	TRUNK_A_PROBE_ETHERTYPE,
	TRUNK_A_PROBE_ADDRESS,
	TRUNK_A_KEY,
	TRUNK_A_KEYED,
	TRUNK_A_SYSTEM,
	TRUNK_A_CLAIM,
	TRUNK_A_AUTO_JOIN,
	TRUNK_A_FAR_END_IS,
	TRUNK_A_FAR_END_REASON,
	TRUNK_A_MIN_LINKS,
	TRUNK_A_ADDRESS,

	__TRUNK_A_MAX,
	TRUNK_A_MAX = (__TRUNK_A_MAX - 1)
};

enum {
	TRUNK_A_PORT_IFINDEX = 1,
	TRUNK_A_PORT_IFNAME,
	TRUNK_A_PORT_ID,
	TRUNK_A_PORT_PRIORITY,
	TRUNK_A_PORT_WEIGHT,
	TRUNK_A_PORT_SHARE,
	TRUNK_A_PORT_ENABLED,
	TRUNK_A_PORT_STATE,
	TRUNK_A_PORT_REASON,
	TRUNK_A_PORT_SINCE,
	TRUNK_A_PORT_HOMES,
	TRUNK_A_PORT_BUCKETS,
	TRUNK_A_PORT_STANDS_IN_FOR,
	TRUNK_A_PORT_STAND_IN,
	TRUNK_A_PORT_HELD_BACK,
	TRUNK_A_PORT_IN_USE,
	TRUNK_A_PORT_CLAIMS,
	TRUNK_A_PORT_PROBED,
	TRUNK_A_PORT_PEER,
	TRUNK_A_PORT_ROUNDS,
	TRUNK_A_PORT_ROUNDS_MISSED,
	TRUNK_A_PORT_ROUND_TRIP_LAST,
	TRUNK_A_PORT_ROUND_TRIP_MIN,
	TRUNK_A_PORT_ROUND_TRIP_AVG,
	TRUNK_A_PORT_ROUND_TRIP_LATE,
	TRUNK_A_PORT_LATE,
	TRUNK_A_PORT_LOSES_SOURCE,
	TRUNK_A_PORT_LOSES_MTU,
	TRUNK_A_PORT_LOSES_VLAN,
	TRUNK_A_PORT_COMPARED,

	__TRUNK_A_PORT_MAX,
	TRUNK_A_PORT_MAX = (__TRUNK_A_PORT_MAX - 1)
};

enum {
	TRUNK_A_COMPARED_TIME = 1,
	TRUNK_A_COMPARED_SENT,
	TRUNK_A_COMPARED_ARRIVED,
	TRUNK_A_COMPARED_PEER_SENT,
	TRUNK_A_COMPARED_PEER_ARRIVED,

	__TRUNK_A_COMPARED_MAX,
	TRUNK_A_COMPARED_MAX = (__TRUNK_A_COMPARED_MAX - 1)
};

enum {
	TRUNK_A_BUCKET_INDEX = 1,
	TRUNK_A_BUCKET_HOME,
	TRUNK_A_BUCKET_PORT,
	TRUNK_A_BUCKET_USER_SET,
	TRUNK_A_BUCKET_TX_PACKETS,
	TRUNK_A_BUCKET_TX_BYTES,

	__TRUNK_A_BUCKET_MAX,
	TRUNK_A_BUCKET_MAX = (__TRUNK_A_BUCKET_MAX - 1)
};

enum {
	TRUNK_A_STATISTICS_RX_PACKETS = 1,
	TRUNK_A_STATISTICS_RX_BYTES,
	TRUNK_A_STATISTICS_TX_PACKETS,
	TRUNK_A_STATISTICS_TX_BYTES,
	TRUNK_A_STATISTICS_RX_DROPPED,
	TRUNK_A_STATISTICS_TX_DROPPED,
	TRUNK_A_STATISTICS_TX_NO_PORT,
	TRUNK_A_STATISTICS_RX_OWN_SOURCE,
	TRUNK_A_STATISTICS_RX_MULTICAST_FILTERED,
	TRUNK_A_STATISTICS_PORT_UP,
	TRUNK_A_STATISTICS_PORT_DOWN,
	TRUNK_A_STATISTICS_FAILOVERS,
	TRUNK_A_STATISTICS_FAILBACKS,
	TRUNK_A_STATISTICS_BUCKETS_MOVED,
	TRUNK_A_STATISTICS_EVENTS_LOST,
	TRUNK_A_STATISTICS_PROBES_SENT,
	TRUNK_A_STATISTICS_PROBES_RECEIVED,
	TRUNK_A_STATISTICS_REPLIES_SENT,
	TRUNK_A_STATISTICS_REPLIES_RECEIVED,
	TRUNK_A_STATISTICS_REPLIES_LATE,
	TRUNK_A_STATISTICS_PROBES_LIMITED,
	TRUNK_A_STATISTICS_TLVS_UNKNOWN,
	TRUNK_A_STATISTICS_PROBES_REFUSED,
	TRUNK_A_STATISTICS_RX_UNICAST_FILTERED,
	TRUNK_A_STATISTICS_PORT_LATE,

	__TRUNK_A_STATISTICS_MAX,
	TRUNK_A_STATISTICS_MAX = (__TRUNK_A_STATISTICS_MAX - 1)
};

enum {
	TRUNK_A_PEER_SYSTEM = 1,
	TRUNK_A_PEER_TRUNK,
	TRUNK_A_PEER_PORT,
	TRUNK_A_PEER_PRIORITY,
	TRUNK_A_PEER_USABLE,
	TRUNK_A_PEER_IN_USE,
	TRUNK_A_PEER_INTERVAL,
	TRUNK_A_PEER_HEARD,
	TRUNK_A_PEER_ADDRESS,

	__TRUNK_A_PEER_MAX,
	TRUNK_A_PEER_MAX = (__TRUNK_A_PEER_MAX - 1)
};

enum {
	TRUNK_A_CLAIM_MARK = 1,
	TRUNK_A_CLAIM_PORT,
	TRUNK_A_CLAIM_LINK,
	TRUNK_A_CLAIM_OLD_LINK,
	TRUNK_A_CLAIM_REASON,
	TRUNK_A_CLAIM_NAME,
	TRUNK_A_CLAIM_HOLDER,
	TRUNK_A_CLAIM_PEER_PORT,

	__TRUNK_A_CLAIM_MAX,
	TRUNK_A_CLAIM_MAX = (__TRUNK_A_CLAIM_MAX - 1)
};

enum {
	TRUNK_A_AUTO_JOIN_NAME = 1,
	TRUNK_A_AUTO_JOIN_DRIVER,
	TRUNK_A_AUTO_JOIN_BUS,
	TRUNK_A_AUTO_JOIN_ADDRESS,
	TRUNK_A_AUTO_JOIN_PRIORITY,

	__TRUNK_A_AUTO_JOIN_MAX,
	TRUNK_A_AUTO_JOIN_MAX = (__TRUNK_A_AUTO_JOIN_MAX - 1)
};

enum {
	TRUNK_A_EVENT_SEQ = 1,
	TRUNK_A_EVENT_TIME,
	TRUNK_A_EVENT_KIND,
	TRUNK_A_EVENT_PORT,
	TRUNK_A_EVENT_PORT_NAME,
	TRUNK_A_EVENT_OTHER,
	TRUNK_A_EVENT_OTHER_NAME,
	TRUNK_A_EVENT_OLD_STATE,
	TRUNK_A_EVENT_NEW_STATE,
	TRUNK_A_EVENT_REASON,
	TRUNK_A_EVENT_BUCKETS,
	TRUNK_A_EVENT_DETECTION_NS,
	TRUNK_A_EVENT_SWITCH_NS,
	TRUNK_A_EVENT_MARK,
	TRUNK_A_EVENT_ERROR,

	__TRUNK_A_EVENT_MAX,
	TRUNK_A_EVENT_MAX = (__TRUNK_A_EVENT_MAX - 1)
};

enum {
	TRUNK_CMD_TRUNK_GET = 1,
	TRUNK_CMD_TRUNK_SET,
	TRUNK_CMD_PORT_GET,
	TRUNK_CMD_PORT_SET,
	TRUNK_CMD_FAILBACK,
	TRUNK_CMD_TABLE_GET,
	TRUNK_CMD_TABLE_SET,
	TRUNK_CMD_STATS_GET,
	TRUNK_CMD_STATS_RESET,
	TRUNK_CMD_HISTORY_GET,
	TRUNK_CMD_CLAIM_ADD,
	TRUNK_CMD_CLAIM_DEL,
	TRUNK_CMD_CLAIM_GET,
	TRUNK_CMD_PORT_NTF,
	TRUNK_CMD_FAILOVER_NTF,
	TRUNK_CMD_FAILBACK_NTF,
	TRUNK_CMD_TABLE_NTF,
	TRUNK_CMD_PEER_NTF,
	TRUNK_CMD_CLAIM_NTF,
	TRUNK_CMD_CONFIG_NTF,
	TRUNK_CMD_MISSING_ADD,
	TRUNK_CMD_MISSING_DEL,
	TRUNK_CMD_MISSING_GET,

	__TRUNK_CMD_MAX,
	TRUNK_CMD_MAX = (__TRUNK_CMD_MAX - 1)
};

#define TRUNK_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_TRUNK_H */
