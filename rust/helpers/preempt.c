// SPDX-License-Identifier: GPL-2.0

#include <linux/preempt.h>

bool netdev_helper_in_softirq(void)
{
	return in_softirq();
}
