// SPDX-License-Identifier: GPL-2.0

#include <linux/skbuff.h>

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
