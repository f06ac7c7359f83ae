// SPDX-License-Identifier: GPL-2.0

#include <linux/netlink.h>
#include <net/sock.h>

struct sock *netdev_helper_NETLINK_CB_sk(struct sk_buff *skb)
{
	return NETLINK_CB(skb).sk;
}

u32 netdev_helper_NETLINK_CB_portid(struct sk_buff *skb)
{
	return NETLINK_CB(skb).portid;
}

bool netdev_helper_sock_flag(const struct sock *sk, enum sock_flags flag)
{
	return sock_flag(sk, flag);
}

void netdev_helper_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

struct net *netdev_helper_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

void netdev_helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}
