// SPDX-License-Identifier: GPL-2.0
/*
 * Where the kernel's compiler has the fields that rust/kernel uses. The names are
 * those that layout.rs compares with what bindgen has made of the same headers.
 */

#include <linux/kbuild.h>

#include "bindings_helper.h"

void netdev_layout(void);

void netdev_layout(void)
{
	DEFINE(NET_DEVICE_SIZE, sizeof(struct net_device));
	OFFSET(NET_DEVICE_PRIV, net_device, priv);
	OFFSET(NET_DEVICE_NETDEV_OPS, net_device, netdev_ops);
	OFFSET(NET_DEVICE_STATE, net_device, state);
	OFFSET(NET_DEVICE_FLAGS, net_device, flags);
	OFFSET(NET_DEVICE_MTU, net_device, mtu);
	OFFSET(NET_DEVICE_REAL_NUM_TX_QUEUES, net_device, real_num_tx_queues);
	OFFSET(NET_DEVICE_RX_HANDLER_DATA, net_device, rx_handler_data);
	OFFSET(NET_DEVICE_REG_STATE, net_device, reg_state);
	OFFSET(NET_DEVICE_DEV_ADDR, net_device, dev_addr);
	OFFSET(NET_DEVICE_ADJ_LIST, net_device, adj_list);
	OFFSET(NET_DEVICE_RTNL_LINK_OPS, net_device, rtnl_link_ops);
	OFFSET(NET_DEVICE_PRIV_DESTRUCTOR, net_device, priv_destructor);
	OFFSET(NET_DEVICE_TSTATS, net_device, tstats);

	DEFINE(SK_BUFF_SIZE, sizeof(struct sk_buff));
	OFFSET(SK_BUFF_DEV, sk_buff, dev);
	OFFSET(SK_BUFF_LEN, sk_buff, len);
	OFFSET(SK_BUFF_DATA_LEN, sk_buff, data_len);
	OFFSET(SK_BUFF_QUEUE_MAPPING, sk_buff, queue_mapping);
	OFFSET(SK_BUFF_PROTOCOL, sk_buff, protocol);
	OFFSET(SK_BUFF_PRIORITY, sk_buff, priority);
	OFFSET(SK_BUFF_MARK, sk_buff, mark);
	OFFSET(SK_BUFF_DATA, sk_buff, data);
	OFFSET(SK_BUFF_USERS, sk_buff, users);

	DEFINE(NET_DEVICE_OPS_SIZE, sizeof(struct net_device_ops));
	OFFSET(NET_DEVICE_OPS_START_XMIT, net_device_ops, ndo_start_xmit);
	OFFSET(NET_DEVICE_OPS_XDP_XMIT, net_device_ops, ndo_xdp_xmit);
	DEFINE(ETHTOOL_OPS_SIZE, sizeof(struct ethtool_ops));
	DEFINE(RTNL_LINK_OPS_SIZE, sizeof(struct rtnl_link_ops));
	DEFINE(GENL_FAMILY_SIZE, sizeof(struct genl_family));
	DEFINE(GENL_INFO_SIZE, sizeof(struct genl_info));
	DEFINE(NETLINK_EXT_ACK_SIZE, sizeof(struct netlink_ext_ack));
	DEFINE(NETLINK_CALLBACK_SIZE, sizeof(struct netlink_callback));
	DEFINE(DELAYED_WORK_SIZE, sizeof(struct delayed_work));
	DEFINE(HRTIMER_SIZE, sizeof(struct hrtimer));
	DEFINE(NOTIFIER_BLOCK_SIZE, sizeof(struct notifier_block));
	DEFINE(XDP_FRAME_SIZE, sizeof(struct xdp_frame));
	OFFSET(XDP_FRAME_LEN, xdp_frame, len);
	OFFSET(NET_COOKIE, net, net_cookie);
	OFFSET(NET_DEV_BY_INDEX, net, dev_by_index);
	OFFSET(DEVICE_PARENT, device, parent);
	OFFSET(DEVICE_DRIVER, device, driver);
}
