// SPDX-License-Identifier: GPL-2.0

#include <linux/hrtimer.h>

void netdev_helper_hrtimer_set_expires(struct hrtimer *timer, ktime_t time)
{
	hrtimer_set_expires(timer, time);
}
