// SPDX-License-Identifier: GPL-2.0

#include <linux/rcupdate.h>

void netdev_helper_rcu_read_lock_bh(void)
{
	rcu_read_lock_bh();
}

void netdev_helper_rcu_read_unlock_bh(void)
{
	rcu_read_unlock_bh();
}

bool netdev_helper_rcu_read_lock_any_held(void)
{
	return rcu_read_lock_any_held();
}
