/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a BPF test of the kernel needs to run by itself. The kernel's runner is built with all of the
 * tests, and with the BTF of a kernel. Each subtest prints "PASS: NAME" or "FAIL: NAME".
 */
#ifndef TEST_PROGS_H
#define TEST_PROGS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the subtest before, and begins this one; all are wanted. */
bool test__start_subtest(const char *name);
/* Whether it holds; if not, the subtest fails and `text` says why. */
bool holds(bool condition, const char *text);
/* Runs a shell command; how it ended. */
int run_command(const char *format, ...);

struct nstoken;
struct nstoken *open_netns(const char *name);
void close_netns(struct nstoken *token);

#define PRINT_FAIL(...) (printf(__VA_ARGS__), holds(false, "see above"))

#define ASSERT_EQ(got, want, text) holds((got) == (want), text)
#define ASSERT_NEQ(got, unwanted, text) holds((got) != (unwanted), text)
#define ASSERT_LT(got, limit, text) holds((got) < (limit), text)
#define ASSERT_LE(got, limit, text) holds((got) <= (limit), text)
#define ASSERT_GT(got, limit, text) holds((got) > (limit), text)
#define ASSERT_GE(got, limit, text) holds((got) >= (limit), text)
#define ASSERT_OK(result, text) holds((result) == 0, text)
#define ASSERT_OK_PTR(pointer, text) holds(libbpf_get_error(pointer) == 0, text)
#define ASSERT_ERR_PTR(pointer, text) holds(libbpf_get_error(pointer) != 0, text)

#define SYS(otherwise, ...) ({ if (!ASSERT_OK(run_command(__VA_ARGS__), #__VA_ARGS__)) goto otherwise; })
#define SYS_NOFAIL(...) ((void)run_command(__VA_ARGS__))

#endif
