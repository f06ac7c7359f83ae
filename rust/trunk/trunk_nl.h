/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/trunk.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_TRUNK_GEN_H
#define _LINUX_TRUNK_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/trunk.h>

/* Common nested types */
extern const struct nla_policy trunk_auto_join_nl_policy[TRUNK_A_AUTO_JOIN_PRIORITY + 1];
extern const struct nla_policy trunk_bucket_nl_policy[TRUNK_A_BUCKET_TX_BYTES + 1];
extern const struct nla_policy trunk_claim_nl_policy[TRUNK_A_CLAIM_PEER_PORT + 1];
extern const struct nla_policy trunk_compared_nl_policy[TRUNK_A_COMPARED_PEER_ARRIVED + 1];
extern const struct nla_policy trunk_peer_nl_policy[TRUNK_A_PEER_ADDRESS + 1];
extern const struct nla_policy trunk_port_nl_policy[TRUNK_A_PORT_COMPARED + 1];

int trunk_nl_trunk_get_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_trunk_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int trunk_nl_trunk_set_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int trunk_nl_port_set_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_failback_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_table_get_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_table_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int trunk_nl_table_set_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_stats_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int trunk_nl_stats_reset_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_history_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int trunk_nl_claim_add_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_claim_del_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_claim_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int trunk_nl_missing_add_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_missing_del_doit(struct sk_buff *skb, struct genl_info *info);
int trunk_nl_missing_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);

enum {
	TRUNK_NLGRP_EVENTS,
};

extern struct genl_family trunk_nl_family;

#endif /* _LINUX_TRUNK_GEN_H */
