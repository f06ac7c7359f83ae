// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel, as functions that Rust can call.
 * One file per kernel header; each helper does what the function of its name
 * does, and nothing else.
 */

#include "etherdevice.c"
#include "netdevice.c"
#include "netlink.c"
#include "skbuff.c"
