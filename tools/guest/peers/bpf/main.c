// SPDX-License-Identifier: GPL-2.0
/* Runs the one test it is linked with: TEST is its function. */
#define _GNU_SOURCE
#include "test_progs.h"

static const char *subtest;
static bool subtest_ok, all_ok = true;

static void end_subtest(void)
{
	if (subtest)
		printf("%s: %s\n", subtest_ok ? "PASS" : "FAIL", subtest);
	fflush(stdout);
}

bool test__start_subtest(const char *name)
{
	end_subtest();
	subtest = name;
	subtest_ok = true;
	return true;
}

bool holds(bool condition, const char *text)
{
	if (!condition) {
		printf("not so: %s (last error: %s)\n", text, strerror(errno));
		subtest_ok = all_ok = false;
	}
	return condition;
}

int run_command(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	return system(command);
}

/* A token is the descriptor, plus one, of the namespace to return to. */
struct nstoken *open_netns(const char *name)
{
	char path[256];
	int from, to;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	from = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	to = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0 || to < 0 || setns(to, CLONE_NEWNET)) {
		close(from);
		close(to);
		return NULL;
	}
	close(to);
	return (struct nstoken *)(long)(from + 1);
}

void close_netns(struct nstoken *token)
{
	int from = (int)(long)token - 1;

	if (!token)
		return;
	holds(setns(from, CLONE_NEWNET) == 0, "back to the namespace of before");
	close(from);
}

void TEST(void);

int main(void)
{
	TEST();
	end_subtest();
	return all_ok ? 0 : 1;
}
