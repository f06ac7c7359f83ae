// SPDX-License-Identifier: GPL-2.0

#include <linux/etherdevice.h>

void netdev_helper_eth_hw_addr_random(struct net_device *dev)
{
	eth_hw_addr_random(dev);
}
