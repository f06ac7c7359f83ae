// SPDX-License-Identifier: GPL-2.0

#include <net/netlink.h>

void *netdev_helper_nla_data(const struct nlattr *nla)
{
	return nla_data(nla);
}

int netdev_helper_nla_len(const struct nlattr *nla)
{
	return nla_len(nla);
}

struct nlattr *netdev_helper_nla_nest_start(struct sk_buff *skb, int attrtype)
{
	return nla_nest_start(skb, attrtype);
}

int netdev_helper_nla_nest_end_safe(struct sk_buff *skb, struct nlattr *start)
{
	return nla_nest_end_safe(skb, start);
}

void netdev_helper_nla_nest_cancel(struct sk_buff *skb, struct nlattr *start)
{
	nla_nest_cancel(skb, start);
}

void netdev_helper_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}
