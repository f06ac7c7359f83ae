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

/* Common nested types */
const struct nla_policy trunk_bucket_nl_policy[TRUNK_A_BUCKET_TX_BYTES + 1] = {
	[TRUNK_A_BUCKET_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_bucket_index_range),
	[TRUNK_A_BUCKET_HOME] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_BUCKET_PORT] = { .type = NLA_U32, },
	[TRUNK_A_BUCKET_USER_SET] = { .type = NLA_FLAG, },
	[TRUNK_A_BUCKET_TX_PACKETS] = { .type = NLA_UINT, },
	[TRUNK_A_BUCKET_TX_BYTES] = { .type = NLA_UINT, },
};

const struct nla_policy trunk_port_nl_policy[TRUNK_A_PORT_HELD_BACK + 1] = {
	[TRUNK_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_PORT_IFNAME] = { .type = NLA_NUL_STRING, },
	[TRUNK_A_PORT_ID] = { .type = NLA_U32, },
	[TRUNK_A_PORT_PRIORITY] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_port_priority_range),
	[TRUNK_A_PORT_WEIGHT] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_port_weight_range),
	[TRUNK_A_PORT_SHARE] = { .type = NLA_U32, },
	[TRUNK_A_PORT_ENABLED] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_PORT_STATE] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_PORT_REASON] = NLA_POLICY_MAX(NLA_U32, 3),
	[TRUNK_A_PORT_SINCE] = { .type = NLA_UINT, },
	[TRUNK_A_PORT_HOMES] = { .type = NLA_U32, },
	[TRUNK_A_PORT_BUCKETS] = { .type = NLA_U32, },
	[TRUNK_A_PORT_STANDS_IN_FOR] = { .type = NLA_U32, },
	[TRUNK_A_PORT_STAND_IN] = { .type = NLA_U32, },
	[TRUNK_A_PORT_HELD_BACK] = { .type = NLA_FLAG, },
};

/* TRUNK_CMD_TRUNK_GET - do */
static const struct nla_policy trunk_trunk_get_nl_policy[TRUNK_A_IFINDEX + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* TRUNK_CMD_TRUNK_SET - do */
static const struct nla_policy trunk_trunk_set_nl_policy[TRUNK_A_RX_GROUP + 1] = {
	[TRUNK_A_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[TRUNK_A_BITS] = NLA_POLICY_MAX(NLA_U32, 16),
	[TRUNK_A_SELECTOR] = NLA_POLICY_MAX(NLA_U32, 3),
	[TRUNK_A_ROLE] = NLA_POLICY_MAX(NLA_U32, 1),
	[TRUNK_A_FAILBACK] = NLA_POLICY_MAX(NLA_U32, 2),
	[TRUNK_A_FAILBACK_DELAY] = NLA_POLICY_FULL_RANGE(NLA_U32, &trunk_a_failback_delay_range),
	[TRUNK_A_RX_GROUP] = NLA_POLICY_MAX(NLA_U32, 2),
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
		.maxattr	= TRUNK_A_RX_GROUP,
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
