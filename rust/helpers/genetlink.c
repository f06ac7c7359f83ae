// SPDX-License-Identifier: GPL-2.0

#include <net/genetlink.h>

struct net *netdev_helper_genl_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

const struct genl_info *netdev_helper_genl_info_dump(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}

void netdev_helper_genl_dump_check_consistent(struct netlink_callback *cb, void *user_hdr)
{
	genl_dump_check_consistent(cb, user_hdr);
}

struct sk_buff *netdev_helper_genlmsg_new(size_t payload, gfp_t flags)
{
	return genlmsg_new(payload, flags);
}

void netdev_helper_genlmsg_end(struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
}

void netdev_helper_genlmsg_cancel(struct sk_buff *skb, void *hdr)
{
	genlmsg_cancel(skb, hdr);
}

int netdev_helper_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

int netdev_helper_genlmsg_unicast(struct net *net, struct sk_buff *skb, u32 portid)
{
	return genlmsg_unicast(net, skb, portid);
}

int netdev_helper_genlmsg_multicast_netns(const struct genl_family *family, struct net *net,
					  struct sk_buff *skb, u32 portid, unsigned int group,
					  gfp_t flags)
{
	return genlmsg_multicast_netns(family, net, skb, portid, group, flags);
}

int netdev_helper_genl_has_listeners(const struct genl_family *family, struct net *net,
				     unsigned int group)
{
	return genl_has_listeners(family, net, group);
}
