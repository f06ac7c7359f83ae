// SPDX-License-Identifier: GPL-2.0

#include <linux/bpf.h>

void netdev_helper_bpf_prog_inc(struct bpf_prog *prog)
{
	bpf_prog_inc(prog);
}

void netdev_helper_bpf_prog_put(struct bpf_prog *prog)
{
	bpf_prog_put(prog);
}
