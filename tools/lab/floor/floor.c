// SPDX-License-Identifier: GPL-2.0
/*
 * The floor of the benchmarks: a device above one port that does the least work. It hands frames
 * down to the port and up from it, and counts nothing.
 *
 *	ip link add floor0 type floor
 *	ip link set dummy1 master floor0
 */

#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/rtnetlink.h>

struct floor {
	struct net_device __rcu *port;
};

static netdev_tx_t floor_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct floor *floor = netdev_priv(dev);
	struct net_device *port = rcu_dereference_bh(floor->port);

	if (unlikely(!port)) {
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}

	skb->dev = port;
	return dev_queue_xmit(skb);
}

static rx_handler_result_t floor_hand_up(struct sk_buff *skb)
{
	skb->dev = rcu_dereference(skb->dev->rx_handler_data);
	return RX_HANDLER_ANOTHER;
}

/* A function of its own, so that the usual case saves no registers. */
static noinline rx_handler_result_t floor_handle_shared(struct sk_buff **pskb)
{
	*pskb = skb_share_check(*pskb, GFP_ATOMIC);
	return *pskb ? floor_hand_up(*pskb) : RX_HANDLER_CONSUMED;
}

static rx_handler_result_t floor_handle_frame(struct sk_buff **pskb)
{
	if (unlikely(skb_shared(*pskb)))
		return floor_handle_shared(pskb);

	return floor_hand_up(*pskb);
}

static int floor_add_port(struct net_device *dev, struct net_device *port,
			  struct netlink_ext_ack *extack)
{
	struct floor *floor = netdev_priv(dev);
	int err;

	if (rtnl_dereference(floor->port)) {
		NL_SET_ERR_MSG(extack, "A floor has one port");
		return -EBUSY;
	}

	err = netdev_rx_handler_register(port, floor_handle_frame, dev);
	if (err)
		return err;

	err = netdev_master_upper_dev_link(port, dev, NULL, NULL, extack);
	if (err) {
		netdev_rx_handler_unregister(port);
		return err;
	}

	/* With the address of the port, the filters of the port need no change. */
	eth_hw_addr_inherit(dev, port);
	rcu_assign_pointer(floor->port, port);
	return 0;
}

static int floor_del_port(struct net_device *dev, struct net_device *port)
{
	struct floor *floor = netdev_priv(dev);

	RCU_INIT_POINTER(floor->port, NULL);
	netdev_upper_dev_unlink(port, dev);
	/* Waits for frames on their way, down as well as up. */
	netdev_rx_handler_unregister(port);
	return 0;
}

static void floor_uninit(struct net_device *dev)
{
	struct floor *floor = netdev_priv(dev);
	struct net_device *port = rtnl_dereference(floor->port);

	if (port)
		floor_del_port(dev, port);
}

static const struct net_device_ops floor_netdev_ops = {
	.ndo_uninit = floor_uninit,
	.ndo_start_xmit = floor_start_xmit,
	.ndo_add_slave = floor_add_port,
	.ndo_del_slave = floor_del_port,
};

static void floor_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &floor_netdev_ops;
	dev->needs_free_netdev = true;
	dev->lltx = true;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~(IFF_TX_SKB_SHARING | IFF_XMIT_DST_RELEASE);
	eth_hw_addr_random(dev);
}

static struct rtnl_link_ops floor_link_ops = {
	.kind = "floor",
	.priv_size = sizeof(struct floor),
	.setup = floor_setup,
};

/* A port that goes away is released first. */
static int floor_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *port = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER &&
	    rcu_access_pointer(port->rx_handler) == floor_handle_frame)
		floor_del_port(rtnl_dereference(port->rx_handler_data), port);
	return NOTIFY_DONE;
}

static struct notifier_block floor_notifier = {
	.notifier_call = floor_netdev_event,
};

static int __init floor_init(void)
{
	int err = register_netdevice_notifier(&floor_notifier);

	if (err)
		return err;

	err = rtnl_link_register(&floor_link_ops);
	if (err)
		unregister_netdevice_notifier(&floor_notifier);
	return err;
}

static void __exit floor_exit(void)
{
	rtnl_link_unregister(&floor_link_ops);
	unregister_netdevice_notifier(&floor_notifier);
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("The floor of the benchmarks of trunk");
MODULE_ALIAS_RTNL_LINK("floor");
MODULE_LICENSE("GPL");
