// SPDX-License-Identifier: GPL-2.0

#include <linux/netpoll.h>

bool netdev_helper_netpoll_tx_running(struct net_device *dev)
{
	return netpoll_tx_running(dev);
}
