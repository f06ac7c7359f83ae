// SPDX-License-Identifier: GPL-2.0

#include <net/xdp.h>

unsigned int netdev_helper_xdp_get_frame_len(const struct xdp_frame *xdpf)
{
	return xdp_get_frame_len(xdpf);
}

bool netdev_helper_xdp_frame_has_frags(const struct xdp_frame *frame)
{
	return xdp_frame_has_frags(frame);
}
