/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface between ip(8) and a plugin. iproute2 installs no header for it; the layout below is
 * that of all versions from 6.1 to 7.1. ip looks for the symbol KIND_link_util in DIR/link_KIND.so,
 * where DIR is $IP_LIB_DIR or the directory that ip was built with.
 */

#ifndef IPROUTE2_H
#define IPROUTE2_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/rtnetlink.h>

struct link_util {
	struct link_util *next;		/* ip's own list of kinds */
	const char *id;			/* the kind */
	int maxattr;			/* of IFLA_INFO_DATA, for print_opt */
	/* Words after "type KIND", as attributes into IFLA_INFO_DATA; not 0 ends ip. */
	int (*parse_opt)(struct link_util *kind, int argc, char **argv, struct nlmsghdr *message);
	/* The device's IFLA_INFO_DATA; data is NULL where it has none. */
	void (*print_opt)(struct link_util *kind, FILE *out, struct rtattr *data[]);
	/* Its IFLA_INFO_XSTATS; called after print_opt if show_stats is set. */
	void (*print_xstats)(struct link_util *kind, FILE *out, struct rtattr *xstats);
	void (*print_help)(struct link_util *kind, int argc, char **argv, FILE *out);
	int (*parse_ifla_xstats)(struct link_util *kind, int argc, char **argv);
	int (*print_ifla_xstats)(struct nlmsghdr *message, void *out);
};

/* A kind of ip's own, whose last two functions it exports: whoever has the layout finds them there. */
extern struct link_util bond_link_util;
extern int bond_parse_xstats(struct link_util *kind, int argc, char **argv);
extern int bond_print_xstats(struct nlmsghdr *message, void *out);

extern int show_stats;			/* how often -s was given */

int addattr_l(struct nlmsghdr *message, int size, int type, const void *payload, int len);
struct rtattr *addattr_nest(struct nlmsghdr *message, int size, int type);
int addattr_nest_end(struct nlmsghdr *message, struct rtattr *nest);

bool is_json_context(void);
struct json_writer *get_json_writer(void);
void jsonw_name(struct json_writer *json, const char *name);
void jsonw_start_object(struct json_writer *json);
void jsonw_end_object(struct json_writer *json);
void jsonw_null_field(struct json_writer *json, const char *name);
void jsonw_bool_field(struct json_writer *json, const char *name, bool value);
void jsonw_uint_field(struct json_writer *json, const char *name, unsigned int value);
void jsonw_string_field(struct json_writer *json, const char *name, const char *value);

#endif
