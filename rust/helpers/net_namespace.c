// SPDX-License-Identifier: GPL-2.0

#include <net/net_namespace.h>

struct net *netdev_helper_maybe_get_net(struct net *net)
{
	return maybe_get_net(net);
}

void netdev_helper_put_net(struct net *net)
{
	put_net(net);
}
