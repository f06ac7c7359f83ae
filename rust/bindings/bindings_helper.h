/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel headers the netdev crate needs and the kernel crate's own bindings
 * leave out. What is taken from them is listed in bindgen_parameters.
 */

/* Declares an enum that later headers only name. */
#include <linux/hrtimer_types.h>

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/rtnetlink.h>

/* Macros that bindgen cannot evaluate; the prefix is cut off afterwards. */
const netdev_features_t NETDEV_CONST_HELPER_MASTER_UPPER_DEV_VLAN_FEATURES =
	MASTER_UPPER_DEV_VLAN_FEATURES;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_GSO_SOFTWARE = NETIF_F_GSO_SOFTWARE;
const netdev_features_t NETDEV_CONST_HELPER_NETIF_F_GSO_ENCAP_ALL = NETIF_F_GSO_ENCAP_ALL;
const gfp_t NETDEV_CONST_HELPER_GFP_ATOMIC = GFP_ATOMIC;
