// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>
#include <net/netdev_lock.h>
#include <net/sch_generic.h>

struct net *netdev_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

void netdev_helper_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void netdev_helper_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

void netdev_helper_dev_sw_netstats_rx_add(struct net_device *dev, unsigned int len)
{
	dev_sw_netstats_rx_add(dev, len);
}

void netdev_helper_dev_sw_netstats_tx_add(struct net_device *dev, unsigned int packets,
					  unsigned int len)
{
	dev_sw_netstats_tx_add(dev, packets, len);
}

void netdev_helper_netdev_lockdep_set_classes(struct net_device *dev)
{
	netdev_lockdep_set_classes(dev);
}

bool netdev_helper_qdisc_tx_is_noop(const struct net_device *dev)
{
	return qdisc_tx_is_noop(dev);
}

void netdev_helper_netif_addr_lock_bh(struct net_device *dev)
{
	netif_addr_lock_bh(dev);
}

void netdev_helper_netif_addr_unlock_bh(struct net_device *dev)
{
	netif_addr_unlock_bh(dev);
}

void netdev_helper_netdev_lock_ops(struct net_device *dev)
{
	netdev_lock_ops(dev);
}

void netdev_helper_netdev_unlock_ops(struct net_device *dev)
{
	netdev_unlock_ops(dev);
}
