// SPDX-License-Identifier: GPL-2.0

#include <linux/skbuff.h>

struct sk_buff *netdev_helper_alloc_skb(unsigned int size, gfp_t priority)
{
	return alloc_skb(size, priority);
}

void netdev_helper_skb_reserve(struct sk_buff *skb, int len)
{
	skb_reserve(skb, len);
}

void netdev_helper_skb_reset_mac_header(struct sk_buff *skb)
{
	skb_reset_mac_header(skb);
}

void netdev_helper_skb_set_network_header(struct sk_buff *skb, const int offset)
{
	skb_set_network_header(skb, offset);
}

void netdev_helper_skb_get(struct sk_buff *skb)
{
	skb_get(skb);
}

void netdev_helper_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

bool netdev_helper_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

__u32 netdev_helper_skb_get_hash(struct sk_buff *skb)
{
	return skb_get_hash(skb);
}
