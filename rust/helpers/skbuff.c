// SPDX-License-Identifier: GPL-2.0

#include <linux/skbuff.h>

bool netdev_helper_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

__u32 netdev_helper_skb_get_hash(struct sk_buff *skb)
{
	return skb_get_hash(skb);
}

struct sk_buff *netdev_helper_skb_share_check(struct sk_buff *skb, gfp_t pri)
{
	return skb_share_check(skb, pri);
}
