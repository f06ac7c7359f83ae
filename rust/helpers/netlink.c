// SPDX-License-Identifier: GPL-2.0

#include <net/netlink.h>

void *netdev_helper_nla_data(const struct nlattr *nla)
{
	return nla_data(nla);
}

int netdev_helper_nla_len(const struct nlattr *nla)
{
	return nla_len(nla);
}
