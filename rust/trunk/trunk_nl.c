// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/trunk.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "trunk_nl.h"

#include <uapi/linux/trunk.h>

/* Integer value ranges */
static const struct netlink_range_validation trunk_a_failback_delay_range = {
	.max	= 86400000ULL,
};

static const struct netlink_range_validation trunk_a_interval_range = {
	.min	= 1000ULL,
	.max	= 60000000ULL,
};

static const struct netlink_range_validation trunk_a_reply_timeout_range = {
	.min	= 100ULL,
	.max	= 60000000ULL,
};

static const struct netlink_range_validation trunk_a_hold_down_range = {
	.max	= 3600000ULL,
};

static const struct netlink_range_validation trunk_a_probe_ethertype_range = {
	.min	= 1536ULL,
	.max	= 65535ULL,
};

static const struct netlink_range_validation trunk_a_port_priority_range = {
	.min	= 1ULL,
	.max	= 65535ULL,
};

static const struct netlink_range_validation trunk_a_port_weight_range = {
	.max	= 65535ULL,
};

static const struct netlink_range_validation trunk_a_bucket_index_range = {
	.max	= 65535ULL,
};

static const struct netlink_range_validation trunk_a_auto_join_priority_range = {
	.min	= 1ULL,
	.max	= 65535ULL,
};

/* Common nested types */
const struct nla_policy trunk_auto_join_nl_policy[TRUNK_A_AUTO_JOIN_PRIORITY + 1] = {
	[TRUNK_A_AUTO_JOIN_NAME] = { .type = NLA_NUL_STRING, .len = 127, },
	[TRUNK_A_AUTO_JOIN_DRIVER] = { .type = NLA_NUL_STRING, .len = 31, },
	[TRUNK_A_AUTO_JOIN_BUS] = { .type = NLA_NUL_STRING, .len = 31, },
	[TRUNK_A_AUTO_JOIN_ADDRESS] = NLA_POLICY_MAX_LEN(6),
	[TRUNK_A_AUTO_JOIN_PRIORITY] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_auto_join_priority_range),
};

const struct nla_policy trunk_bucket_nl_policy[TRUNK_A_BUCKET_TX_BYTES + 1] = {
	[TRUNK_A_BUCKET_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_bucket_index_range),
	[TRUNK_A_BUCKET_HOME] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_BUCKET_PORT] = { .type = NLA_U32, },
	[TRUNK_A_BUCKET_USER_SET] = { .type = NLA_FLAG, },
	[TRUNK_A_BUCKET_TX_PACKETS] = { .type = NLA_UINT, },
	[TRUNK_A_BUCKET_TX_BYTES] = { .type = NLA_UINT, },
};

const struct nla_policy trunk_claim_nl_policy[TRUNK_A_CLAIM_PEER_PORT + 1] = {
	[TRUNK_A_CLAIM_MARK] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_CLAIM_PORT] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_CLAIM_LINK] = { .type = NLA_U32, },
	[TRUNK_A_CLAIM_OLD_LINK] = { .type = NLA_U32, },
	[TRUNK_A_CLAIM_REASON] = NLA_POLICY_MAX(NLA_U32, 13),
	[TRUNK_A_CLAIM_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[TRUNK_A_CLAIM_HOLDER] = { .type = NLA_U32, },
	[TRUNK_A_CLAIM_PEER_PORT] = { .type = NLA_U32, },
};

const struct nla_policy trunk_compared_nl_policy[TRUNK_A_COMPARED_PEER_ARRIVED + 1] = {
	[TRUNK_A_COMPARED_TIME] = { .type = NLA_UINT, },
	[TRUNK_A_COMPARED_SENT] = { .type = NLA_UINT, },
	[TRUNK_A_COMPARED_ARRIVED] = { .type = NLA_UINT, },
	[TRUNK_A_COMPARED_PEER_SENT] = { .type = NLA_UINT, },
	[TRUNK_A_COMPARED_PEER_ARRIVED] = { .type = NLA_UINT, },
};

const struct nla_policy trunk_peer_nl_policy[TRUNK_A_PEER_ADDRESS + 1] = {
	[TRUNK_A_PEER_SYSTEM] = { .type = NLA_UINT, },
	[TRUNK_A_PEER_TRUNK] = { .type = NLA_U32, },
	[TRUNK_A_PEER_PORT] = { .type = NLA_U32, },
	[TRUNK_A_PEER_PRIORITY] = { .type = NLA_U32, },
	[TRUNK_A_PEER_USABLE] = { .type = NLA_FLAG, },
	[TRUNK_A_PEER_IN_USE] = { .type = NLA_FLAG, },
	[TRUNK_A_PEER_INTERVAL] = { .type = NLA_U32, },
	[TRUNK_A_PEER_HEARD] = { .type = NLA_UINT, },
	[TRUNK_A_PEER_ADDRESS] = NLA_POLICY_EXACT_LEN(6),
};

const struct nla_policy trunk_port_nl_policy[TRUNK_A_PORT_COMPARED + 1] = {
	[TRUNK_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_PORT_IFNAME] = { .type = NLA_NUL_STRING, .len = 127, },
	[TRUNK_A_PORT_ID] = { .type = NLA_U32, },
	[TRUNK_A_PORT_PRIORITY] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_port_priority_range),
	[TRUNK_A_PORT_WEIGHT] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_port_weight_range),
	[TRUNK_A_PORT_SHARE] = { .type = NLA_U32, },
	[TRUNK_A_PORT_ENABLED] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_PORT_STATE] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_PORT_REASON] = NLA_POLICY_MAX(NLA_U32, 13),
	[TRUNK_A_PORT_SINCE] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_HOMES] = { .type = NLA_U32, },
	[TRUNK_A_PORT_BUCKETS] = { .type = NLA_U32, },
	[TRUNK_A_PORT_STANDS_IN_FOR] = { .type = NLA_U32, },
	[TRUNK_A_PORT_STAND_IN] = { .type = NLA_U32, },
	[TRUNK_A_PORT_HELD_BACK] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_IN_USE] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_CLAIMS] = { .type = NLA_U32, },
	[TRUNK_A_PORT_PROBED] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_PEER] = NLA_POLICY_NESTED(trunk_peer_nl_policy),
	[TRUNK_A_PORT_ROUNDS] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_ROUNDS_MISSED] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_ROUND_TRIP_LAST] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_ROUND_TRIP_MIN] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_ROUND_TRIP_AVG] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_ROUND_TRIP_LATE] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_LATE] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_LOSES_SOURCE] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_LOSES_MTU] = { .type = NLA_FLAG, },
	[TRUNK_A_PORT_LOSES_VLAN] = { .type = NLA_U32, },
	[TRUNK_A_PORT_COMPARED] = NLA_POLICY_NESTED(trunk_compared_nl_policy),
};

/* TRUNK_CMD_TRUNK_GET - do */
static const struct nla_policy trunk_trunk_get_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_TRUNK_SET - do */
static const struct nla_policy trunk_trunk_set_nl_policy[TRUNK_A_MIN_LINKS + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_BITS] = NLA_POLICY_MAX(NLA_U32, 16),
	[TRUNK_A_SELECTOR] = NLA_POLICY_MAX(NLA_U32, 3),
	[TRUNK_A_ROLE] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_FAILBACK] = NLA_POLICY_MAX(NLA_U32, 2),
	[TRUNK_A_FAILBACK_DELAY] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_failback_delay_range),
	[TRUNK_A_FAR_END] = NLA_POLICY_MAX(NLA_U32, 3),
	[TRUNK_A_PROBE] = NLA_POLICY_MAX(NLA_U32, 2),
	[TRUNK_A_INTERVAL] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_interval_range),
	[TRUNK_A_REPLY_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_reply_timeout_range),
	[TRUNK_A_MISSES] = NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[TRUNK_A_HITS] = NLA_POLICY_RANGE(NLA_U32, 1, 255),
	[TRUNK_A_HOLD_DOWN] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_hold_down_range),
	[TRUNK_A_PEERS] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_PROBE_ETHERTYPE] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_probe_ethertype_range),
	[TRUNK_A_PROBE_ADDRESS] = NLA_POLICY_EXACT_LEN(6),
	[TRUNK_A_KEY] = NLA_POLICY_MAX_LEN(16),
	[TRUNK_A_AUTO_JOIN] = NLA_POLICY_NESTED(trunk_auto_join_nl_policy),
	[TRUNK_A_MIN_LINKS] = NLA_POLICY_MAX(NLA_U32, 64),
};

/* TRUNK_CMD_PORT_GET - do */
static const struct nla_policy trunk_port_get_do_nl_policy[TRUNK_A_PORT + 1] = {
	[TRUNK_A_PORT] = NLA_POLICY_NESTED(trunk_port_nl_policy),
};

/* TRUNK_CMD_PORT_GET - dump */
static const struct nla_policy trunk_port_get_dump_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_PORT_SET - do */
static const struct nla_policy trunk_port_set_nl_policy[TRUNK_A_PORT + 1] = {
	[TRUNK_A_PORT] = NLA_POLICY_NESTED(trunk_port_nl_policy),
};

/* TRUNK_CMD_FAILBACK - do */
static const struct nla_policy trunk_failback_nl_policy[TRUNK_A_PORT + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_PORT] = NLA_POLICY_NESTED(trunk_port_nl_policy),
};

/* TRUNK_CMD_TABLE_GET - do */
static const struct nla_policy trunk_table_get_do_nl_policy[TRUNK_A_BUCKET + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_BUCKET] = NLA_POLICY_NESTED(trunk_bucket_nl_policy),
};

/* TRUNK_CMD_TABLE_GET - dump */
static const struct nla_policy trunk_table_get_dump_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_TABLE_SET - do */
static const struct nla_policy trunk_table_set_nl_policy[TRUNK_A_BUCKET + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_TABLE_AUTO] = { .type = NLA_FLAG, },
	[TRUNK_A_BUCKET] = NLA_POLICY_NESTED(trunk_bucket_nl_policy),
};

/* TRUNK_CMD_STATS_GET - do */
static const struct nla_policy trunk_stats_get_do_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_STATS_GET - dump */
static const struct nla_policy trunk_stats_get_dump_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_STATS_RESET - do */
static const struct nla_policy trunk_stats_reset_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_HISTORY_GET - dump */
static const struct nla_policy trunk_history_get_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_CLAIM_ADD - do */
static const struct nla_policy trunk_claim_add_nl_policy[TRUNK_A_CLAIM + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_CLAIM] = NLA_POLICY_NESTED(trunk_claim_nl_policy),
};

/* TRUNK_CMD_CLAIM_DEL - do */
static const struct nla_policy trunk_claim_del_nl_policy[TRUNK_A_CLAIM + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_CLAIM] = NLA_POLICY_NESTED(trunk_claim_nl_policy),
};

/* TRUNK_CMD_CLAIM_GET - dump */
static const struct nla_policy trunk_claim_get_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_MISSING_ADD - do */
static const struct nla_policy trunk_missing_add_nl_policy[TRUNK_A_PORT + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_PORT] = NLA_POLICY_NESTED(trunk_port_nl_policy),
};

/* TRUNK_CMD_MISSING_DEL - do */
static const struct nla_policy trunk_missing_del_nl_policy[TRUNK_A_PORT + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_PORT] = NLA_POLICY_NESTED(trunk_port_nl_policy),
};

/* TRUNK_CMD_MISSING_GET - dump */
static const struct nla_policy trunk_missing_get_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Ops table for trunk */
static const struct genl_split_ops trunk_nl_ops[] = {
	{
		.cmd		= TRUNK_CMD_TRUNK_GET,
		.doit		= trunk_nl_trunk_get_doit,
		.policy		= trunk_trunk_get_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= TRUNK_CMD_TRUNK_GET,
		.dumpit	= trunk_nl_trunk_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_TRUNK_SET,
		.doit		= trunk_nl_trunk_set_doit,
		.policy		= trunk_trunk_set_nl_policy,
		.maxattr	= TRUNK_A_MIN_LINKS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_PORT_GET,
		.doit		= trunk_nl_port_get_doit,
		.policy		= trunk_port_get_do_nl_policy,
		.maxattr	= TRUNK_A_PORT,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_PORT_GET,
		.dumpit		= trunk_nl_port_get_dumpit,
		.policy		= trunk_port_get_dump_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_PORT_SET,
		.doit		= trunk_nl_port_set_doit,
		.policy		= trunk_port_set_nl_policy,
		.maxattr	= TRUNK_A_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_FAILBACK,
		.doit		= trunk_nl_failback_doit,
		.policy		= trunk_failback_nl_policy,
		.maxattr	= TRUNK_A_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_TABLE_GET,
		.doit		= trunk_nl_table_get_doit,
		.policy		= trunk_table_get_do_nl_policy,
		.maxattr	= TRUNK_A_BUCKET,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_TABLE_GET,
		.dumpit		= trunk_nl_table_get_dumpit,
		.policy		= trunk_table_get_dump_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_TABLE_SET,
		.doit		= trunk_nl_table_set_doit,
		.policy		= trunk_table_set_nl_policy,
		.maxattr	= TRUNK_A_BUCKET,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_STATS_GET,
		.doit		= trunk_nl_stats_get_doit,
		.policy		= trunk_stats_get_do_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_STATS_GET,
		.dumpit		= trunk_nl_stats_get_dumpit,
		.policy		= trunk_stats_get_dump_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_STATS_RESET,
		.doit		= trunk_nl_stats_reset_doit,
		.policy		= trunk_stats_reset_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_HISTORY_GET,
		.dumpit		= trunk_nl_history_get_dumpit,
		.policy		= trunk_history_get_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_CLAIM_ADD,
		.doit		= trunk_nl_claim_add_doit,
		.policy		= trunk_claim_add_nl_policy,
		.maxattr	= TRUNK_A_CLAIM,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_CLAIM_DEL,
		.doit		= trunk_nl_claim_del_doit,
		.policy		= trunk_claim_del_nl_policy,
		.maxattr	= TRUNK_A_CLAIM,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_CLAIM_GET,
		.dumpit		= trunk_nl_claim_get_dumpit,
		.policy		= trunk_claim_get_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= TRUNK_CMD_MISSING_ADD,
		.doit		= trunk_nl_missing_add_doit,
		.policy		= trunk_missing_add_nl_policy,
		.maxattr	= TRUNK_A_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_MISSING_DEL,
		.doit		= trunk_nl_missing_del_doit,
		.policy		= trunk_missing_del_nl_policy,
		.maxattr	= TRUNK_A_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= TRUNK_CMD_MISSING_GET,
		.dumpit		= trunk_nl_missing_get_dumpit,
		.policy		= trunk_missing_get_nl_policy,
		.maxattr	= TRUNK_A_IFINDEX,
		.flags		= GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group trunk_nl_mcgrps[] = {
	[TRUNK_NLGRP_EVENTS] = { "events", },
};

struct genl_family trunk_nl_family __ro_after_init = {
	.name		= TRUNK_FAMILY_NAME,
	.version	= TRUNK_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= trunk_nl_ops,
	.n_split_ops	= ARRAY_SIZE(trunk_nl_ops),
	.mcgrps		= trunk_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(trunk_nl_mcgrps),
};
