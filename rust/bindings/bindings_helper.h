/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel headers the netdev crate needs and the kernel crate's own bindings
 * leave out. What is taken from them is listed in bindgen_parameters.
 */

/* Declares an enum that later headers only name. */
#include <linux/hrtimer_types.h>

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/net.h>
#include <linux/netpoll.h>
#include <linux/pkt_sched.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/flow_dissector.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/xdp.h>

/* Macros that bindgen cannot evaluate; the prefix is cut off afterwards. */
const netdev_features_t NETDEV_CONST_HELPER_MASTER_UPPER_DEV_VLAN_FEATURES =
	MASTER_UPPER_DEV_VLAN_FEATURES;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_LRO = NETIF_F_LRO;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_HW_VLAN_CTAG_FILTER =
	NETIF_F_HW_VLAN_CTAG_FILTER;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_HW_VLAN_CTAG_TX = NETIF_F_HW_VLAN_CTAG_TX;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_HW_VLAN_STAG_FILTER =
	NETIF_F_HW_VLAN_STAG_FILTER;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_HW_VLAN_STAG_TX = NETIF_F_HW_VLAN_STAG_TX;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_VLAN_CHALLENGED = NETIF_F_VLAN_CHALLENGED;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_GSO_ENCAP_ALL = NETIF_F_GSO_ENCAP_ALL;
const gfp_t NETDEV_CONST_HELPER_GFP_ATOMIC = GFP_ATOMIC;
const gfp_t NETDEV_CONST_HELPER_GFP_KERNEL = GFP_KERNEL;
const unsigned int NETDEV_CONST_HELPER_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL =
	FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL;
const xa_mark_t NETDEV_CONST_HELPER_XA_PRESENT = XA_PRESENT;
