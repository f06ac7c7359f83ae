// SPDX-License-Identifier: GPL-2.0

#include <linux/user_namespace.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

bool netdev_helper_net_is_of_init_user_ns(const struct net *net)
{
	return net->user_ns == &init_user_ns;
}

struct net *netdev_helper_maybe_get_net(struct net *net)
{
	return maybe_get_net(net);
}

void netdev_helper_put_net(struct net *net)
{
	put_net(net);
}

void *netdev_helper_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}
