// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel, as functions that Rust can call.
 * One file per kernel header; each helper does what the function of its name
 * does, and nothing else.
 */

#include "bpf.c"
#include "etherdevice.c"
#include "genetlink.c"
#include "hrtimer.c"
#include "if_vlan.c"
#include "net_namespace.c"
#include "netdevice.c"
#include "netlink.c"
#include "netpoll.c"
#include "preempt.c"
#include "rcupdate.c"
#include "siphash.c"
#include "skbuff.c"
#include "sock.c"
#include "spinlock.c"
#include "string.c"
#include "workqueue.c"
#include "xdp.c"
