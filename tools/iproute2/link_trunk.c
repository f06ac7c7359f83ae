// SPDX-License-Identifier: GPL-2.0
/*
 * link_trunk.so: a plugin by which ip(8) knows the settings of trunks, with the words of trunkctl(8);
 * and link_trunk_slave.so, a link to it, by which ip knows those of their ports:
 *
 *	ip link add trunk0 type trunk bits 6 selector flow
 *	ip link set trunk0 type trunk interval 10ms
 *	ip [-j] -d link show trunk0
 *	ip link set eth1 type trunk_slave prio 2 weight auto
 *	ip [-j] -d link show eth1
 *
 * Settings go to the kernel as IFLA_INFO_DATA, with the attributes of the netlink operation
 * trunk-set. They come from it as IFLA_INFO_XSTATS, with the attributes of trunk-get. Clients that
 * decode INFO_DATA by a list of kinds, as YNL's do, would fail at the whole message of another kind.
 * Settings of ports are INFO_SLAVE_DATA both ways, with the attributes in the nest of port-set.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_link.h>

#include <linux/trunk.h>
#include "iproute2.h"

/* Bytes that a request may have; more than all settings together take. */
#define REQUEST_SIZE 1024
#define KEY_SIZE 16

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum form {
	NUMBER,
	WORD,		/* the number of one of `words` */
	TIME,		/* in microseconds */
	LONG_TIME,	/* in milliseconds; 0 is off */
	FAILBACK,	/* WORD, and for one of them a time */
	ETHERTYPE,
	ADDRESS,
	SECRET,
	SECRET_FILE,
	RULE,
	SYSTEM,
	FLAG,
	WEIGHT,		/* NUMBER; 0 is auto */
	SWITCH,		/* one of two words, without a value */
};

/* In the order in which trunkctl shows them. */
static const struct setting {
	const char *name;
	enum form form;
	unsigned short type;	/* 0: no attribute of the kernel, so not shown */
	bool state;		/* can be shown but not set */
	uint32_t min, max;
	const char *words[16];	/* by number, the last is NULL */
	const char *key;	/* its name in JSON, if that is another */
} settings[] = {
	{ "bits", NUMBER, TRUNK_A_BITS, .max = 16 },
	{ "selector", WORD, TRUNK_A_SELECTOR, .words = { "dmac", "smac", "smac-dmac", "flow" } },
	{ "role", WORD, TRUNK_A_ROLE, .words = { "server", "switch" } },
	{ "failback", FAILBACK, TRUNK_A_FAILBACK, .words = { "immediate", "delay", "manual" } },
	{ "far-end", WORD, TRUNK_A_FAR_END, .words = { "auto", "trunk", "switch", "aggregate" } },
	{ "min-links", NUMBER, TRUNK_A_MIN_LINKS, .max = 64 },
	{ "probe", WORD, TRUNK_A_PROBE, .words = { "auto", "required", "off" } },
	{ "interval", TIME, TRUNK_A_INTERVAL, .min = 1000, .max = 60000000 },
	{ "reply-timeout", TIME, TRUNK_A_REPLY_TIMEOUT, .min = 100, .max = 60000000 },
	{ "misses", NUMBER, TRUNK_A_MISSES, .min = 1, .max = 255 },
	{ "hits", NUMBER, TRUNK_A_HITS, .min = 1, .max = 255 },
	{ "hold-down", LONG_TIME, TRUNK_A_HOLD_DOWN, .max = 3600000 },
	{ "peers", WORD, TRUNK_A_PEERS, .words = { "one", "several" } },
	{ "probe-ethertype", ETHERTYPE, TRUNK_A_PROBE_ETHERTYPE, .min = 1536, .max = 65535 },
	{ "probe-address", ADDRESS, .type = TRUNK_A_PROBE_ADDRESS },
	{ "auto-join", RULE, .type = TRUNK_A_AUTO_JOIN },
	{ "key", SECRET, .type = TRUNK_A_KEY },
	{ "key-file", SECRET_FILE, .type = 0 },
	{ "keyed", FLAG, TRUNK_A_KEYED, .state = true },
	{ "system", SYSTEM, TRUNK_A_SYSTEM, .state = true },
	{ "redundancy", WORD, TRUNK_A_REDUNDANCY, .state = true,
	  .words = { "none", "degraded", "full" } },
	{ "far-end-is", WORD, TRUNK_A_FAR_END_IS, .state = true,
	  .words = { "auto", "trunk", "switch", "aggregate" } },
	{ "far-end-reason", WORD, TRUNK_A_FAR_END_REASON, .state = true,
	  .words = { "set", "answers", "several", "no-answer", "shared",
		     "one-copy" } },
};

/* Of ports. */
static const struct setting port_settings[] = {
	{ "prio", .form = NUMBER, .type = TRUNK_A_PORT_PRIORITY, .min = 1, .max = 65535, .key = "priority" },
	{ "weight", .form = WEIGHT, .type = TRUNK_A_PORT_WEIGHT, .max = 65535 },
	{ "enable", .form = SWITCH, .type = TRUNK_A_PORT_ENABLED, .words = { "disable", "enable" },
	  .key = "enabled" },
	{ "state", .form = WORD, .type = TRUNK_A_PORT_STATE, .state = true, .words = { "sby", "act" } },
	{ "reason", .form = WORD, .type = TRUNK_A_PORT_REASON, .state = true,
	  .words = { "none", "admin-down", "no-carrier", "disabled", "probe-timeout", "one-way-rx",
		     "one-way-tx", "peer-silent", "peer-mismatch", "held-down", "peer-sby",
		     "path-source", "path-mtu", "path-vlan" } },
};

#define MAX_DELAY 86400000	/* of failback, in milliseconds */

/* --- words into attributes ------------------------------------------------------------------- */

/* The words that are left, and the request that is made of them. */
struct words {
	int count;
	char **next;
	struct nlmsghdr *message;
	int role, selector, far_end;	/* depend on each other, not in the request yet; -1: not given */
};

/* Prints an error. Returns -1. */
static int __attribute__((format(printf, 1, 2))) refuse(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("Error: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs(".\n", stderr);
	va_end(arguments);
	return -1;
}

static const char *take(struct words *words, const char *name)
{
	if (words->count == 0) {
		refuse("%s: a value is missing", name);
		return NULL;
	}
	words->count--;
	return *words->next++;
}

static bool skip(struct words *words, const char *word)
{
	if (words->count == 0 || strcmp(*words->next, word))
		return false;
	words->count--;
	words->next++;
	return true;
}

static int add(struct words *words, int type, const void *payload, size_t len)
{
	return addattr_l(words->message, REQUEST_SIZE, type, payload, (int)len);
}

static int add_number(struct words *words, int type, uint32_t number)
{
	return add(words, type, &number, sizeof(number));
}

/* Reads digits of that base at the beginning of a word. Returns their end, or the word itself if there
 * are none or the number is too large. */
static const char *digits(const char *word, int base, uint64_t *number)
{
	char *end;

	if (!strchr("0123456789abcdefABCDEF", word[0]) || !word[0])
		return word;
	errno = 0;
	*number = strtoull(word, &end, base);
	return errno ? word : end;
}

static int within(const char *name, uint64_t number, uint64_t min, uint64_t max)
{
	if (number < min || number > max)
		return refuse("%s: %llu is out of range %llu..%llu", name, (unsigned long long)number,
			      (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int read_number(const char *name, const char *word, bool hex, uint64_t *number)
{
	const char *start = word, *end;
	int base = 10;

	if (hex && !strncmp(word, "0x", 2)) {
		start += 2;
		base = 16;
	}
	end = digits(start, base, number);
	if (end == start || *end)
		return refuse("%s: \"%s\" is not a number", name, word);
	return 0;
}

/* Reads a time in microseconds: 500us, 10ms, 2s, or milliseconds without a unit. */
static int read_time(const char *name, const char *word, uint64_t *time)
{
	static const struct {
		const char *name;
		uint64_t microseconds;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "", 1000 } };
	const char *unit = digits(word, 10, time);

	for (size_t i = 0; i < COUNT(units) && unit != word; i++) {
		if (strcmp(unit, units[i].name))
			continue;
		if (__builtin_mul_overflow(*time, units[i].microseconds, time))
			return refuse("%s: %s is too long", name, word);
		return 0;
	}
	return refuse("%s: \"%s\" is not a time, as 500us, 10ms or 2s", name, word);
}

static int read_milliseconds(const char *name, const char *word, uint64_t *time)
{
	if (read_time(name, word, time))
		return -1;
	if (*time % 1000)
		return refuse("%s: %s is not in whole milliseconds", name, word);
	*time /= 1000;
	return 0;
}

static int read_word(const struct setting *setting, const char *word, uint32_t *number)
{
	char known[80] = "";

	for (uint32_t i = 0; i < COUNT(setting->words) && setting->words[i]; i++) {
		if (!strcmp(setting->words[i], word)) {
			*number = i;
			return 0;
		}
		if (i)
			strncat(known, ", ", sizeof(known) - strlen(known) - 1);
		strncat(known, setting->words[i], sizeof(known) - strlen(known) - 1);
	}
	return refuse("%s: \"%s\" is none of %s", setting->name, word, known);
}

static int hex_digit(char c)
{
	const char *all = "0123456789abcdef", *found;

	if (c >= 'A' && c <= 'F')
		c += 'a' - 'A';
	found = c ? strchr(all, c) : NULL;
	return found ? (int)(found - all) : -1;
}

/* Reads pairs of hexadecimal digits, with `between` between pairs unless that is 0. Returns the number of
 * bytes, or -1 if the word is something else or there is no room. */
static int read_bytes(const char *word, char between, uint8_t *bytes, int room)
{
	int count = 0;

	while (*word) {
		int high = hex_digit(word[0]);
		int low = high < 0 ? -1 : hex_digit(word[1]);

		if (low < 0 || count == room)
			return -1;
		bytes[count++] = (uint8_t)(high << 4 | low);
		word += 2;
		if (between && *word && *word++ != between)
			return -1;
	}
	return count;
}

static int add_secret(struct words *words, const char *word, const char *from)
{
	uint8_t bytes[KEY_SIZE] = { 0 };

	if (!from && !strcmp(word, "none"))
		return add(words, TRUNK_A_KEY, bytes, 0);
	/* The error does not repeat the word: it may be nearly the key. */
	if (read_bytes(word, 0, bytes, KEY_SIZE) != KEY_SIZE)
		return from ? refuse("key-file: %s does not have 32 hexadecimal digits", from) :
			      refuse("key: it is not 32 hexadecimal digits");
	return add(words, TRUNK_A_KEY, bytes, sizeof(bytes));
}

static int add_secret_of(struct words *words, const char *file)
{
	FILE *stream = fopen(file, "re");
	char text[64], word[64] = "";

	if (!stream)
		return refuse("key-file: %s: %s", file, strerror(errno));
	if (fgets(text, sizeof(text), stream))
		sscanf(text, "%63s", word);
	fclose(stream);
	return add_secret(words, word, file);
}

static int add_rule(struct words *words)
{
	static const struct {
		const char *name;
		int type;
		size_t max;
	} texts[] = {
		{ "name", TRUNK_A_AUTO_JOIN_NAME, 127 },
		{ "driver", TRUNK_A_AUTO_JOIN_DRIVER, 31 },
		{ "bus", TRUNK_A_AUTO_JOIN_BUS, 31 },
	};
	struct rtattr *nest = addattr_nest(words->message, REQUEST_SIZE, TRUNK_A_AUTO_JOIN | NLA_F_NESTED);
	bool none = skip(words, "none"), what = none;
	size_t i;

	while (!none) {
		uint8_t bytes[6];
		const char *word;
		uint64_t number;
		int count;

		for (i = 0; i < COUNT(texts) && !skip(words, texts[i].name); i++)
			;
		if (i < COUNT(texts)) {
			word = take(words, "auto-join");
			if (!word)
				return -1;
			if (strlen(word) > texts[i].max)
				return refuse("auto-join %s: more than %zu bytes", texts[i].name, texts[i].max);
			add(words, texts[i].type, word, strlen(word) + 1);
		} else if (skip(words, "address")) {
			word = take(words, "auto-join address");
			if (!word)
				return -1;
			count = read_bytes(word, ':', bytes, sizeof(bytes));
			if (count <= 0)
				return refuse("auto-join address: \"%s\" is not the beginning of a MAC address",
					      word);
			add(words, TRUNK_A_AUTO_JOIN_ADDRESS, bytes, count);
		} else if (skip(words, "prio") || skip(words, "priority")) {
			word = take(words, "auto-join prio");
			if (!word || read_number("auto-join prio", word, false, &number) ||
			    within("auto-join prio", number, 1, 65535))
				return -1;
			add_number(words, TRUNK_A_AUTO_JOIN_PRIORITY, number);
			continue;
		} else {
			break;
		}
		what = true;
	}
	if (!what)
		return refuse("auto-join: name, driver, bus or address is missing, or none");
	addattr_nest_end(words->message, nest);
	return 0;
}

/* What is shown can be set: a role may be named with what it sets. */
static int add_together(struct words *words)
{
	if (words->role >= 0) {
		int selector = words->role == TRUNK_ROLE_SWITCH ? TRUNK_SELECTOR_SMAC : TRUNK_SELECTOR_DMAC;

		if ((words->selector >= 0 && words->selector != selector) ||
		    (words->far_end >= 0 && words->far_end != TRUNK_FAR_END_AUTO))
			return refuse("role sets selector and far-end: name one or the other");
		return add_number(words, TRUNK_A_ROLE, words->role);
	}
	if (words->selector >= 0 && add_number(words, TRUNK_A_SELECTOR, words->selector))
		return -1;
	return words->far_end >= 0 ? add_number(words, TRUNK_A_FAR_END, words->far_end) : 0;
}

/* Returns which word that begins a setting it is, from 1 on; 0 for none. */
static int is_word(const struct setting *setting, const char *word)
{
	if (setting->form == SWITCH)
		return !strcmp(word, setting->words[0]) ? 1 : !strcmp(word, setting->words[1]) ? 2 : 0;
	return !strcmp(word, setting->name) || (setting->key && !strcmp(word, setting->key));
}

static int add_setting(const struct setting *setting, struct words *words)
{
	const char *word, *name = setting->name;
	uint8_t bytes[6];
	uint64_t number;
	uint32_t value;
	int *together;

	if (setting->form == RULE)
		return add_rule(words);
	if (setting->form == SWITCH)
		return add_number(words, setting->type, is_word(setting, words->next[-1]) - 1);
	word = take(words, name);
	if (!word)
		return -1;
	switch (setting->form) {
	case WORD:
	case FAILBACK:
		if (read_word(setting, word, &value))
			return -1;
		together = setting->type == TRUNK_A_ROLE ? &words->role :
			   setting->type == TRUNK_A_SELECTOR ? &words->selector :
			   setting->type == TRUNK_A_FAR_END ? &words->far_end : NULL;
		if (together) {
			*together = value;
			return 0;
		}
		if (add_number(words, setting->type, value))
			return -1;
		if (setting->form == WORD || value != TRUNK_FAILBACK_DELAY)
			return 0;
		word = take(words, "failback delay");
		if (!word || read_milliseconds("failback delay", word, &number) ||
		    within("failback delay", number, 0, MAX_DELAY))
			return -1;
		return add_number(words, TRUNK_A_FAILBACK_DELAY, number);
	case TIME:
		if (read_time(name, word, &number))
			return -1;
		/* In the unit of words. */
		if (number < setting->min || number > setting->max)
			return refuse("%s: %s is out of range %s..%s", name, word,
				      setting->min == 1000 ? "1ms" : "100us", "60s");
		return add_number(words, setting->type, number);
	case WEIGHT:
		number = 0;
		if (strcmp(word, "auto") && read_number(name, word, false, &number))
			return -1;
		break;
	case LONG_TIME:
		number = 0;
		if (strcmp(word, "off") && read_milliseconds(name, word, &number))
			return -1;
		break;
	case NUMBER:
	case ETHERTYPE:
		if (read_number(name, word, setting->form == ETHERTYPE, &number))
			return -1;
		break;
	case ADDRESS:
		if (read_bytes(word, ':', bytes, sizeof(bytes)) != sizeof(bytes))
			return refuse("%s: \"%s\" is not a MAC address", name, word);
		return add(words, setting->type, bytes, sizeof(bytes));
	case SECRET:
		return add_secret(words, word, NULL);
	default:
		return add_secret_of(words, word);
	}
	return within(name, number, setting->min, setting->max) ? -1 :
	       add_number(words, setting->type, number);
}

static void help(struct link_util *kind, int argc, char **argv, FILE *out)
{
	(void)kind, (void)argc, (void)argv;
	fputs("Usage: ... trunk [ bits M ] [ selector SELECTOR | role ROLE ]\n"
	      "\t\t[ failback { immediate | delay TIME | manual } ]\n"
	      "\t\t[ far-end { auto | trunk | switch | aggregate } ] [ min-links N ]\n"
	      "\t\t[ probe { auto | required | off } ]\n"
	      "\t\t[ interval TIME ] [ reply-timeout TIME ]\n"
	      "\t\t[ misses N ] [ hits N ] [ hold-down { TIME | off } ]\n"
	      "\t\t[ peers { one | several } ]\n"
	      "\t\t[ probe-ethertype NUMBER ] [ probe-address MAC ]\n"
	      "\t\t[ auto-join { RULE | none } ]\n"
	      "\t\t[ key { HEX | none } ] [ key-file FILE ]\n"
	      "\n"
	      "Where: M := 0..16; a table has 2^M buckets\n"
	      "       SELECTOR := { dmac | smac | smac-dmac | flow }\n"
	      "       ROLE := { server | switch }\n"
	      "       TIME := NUMBER[us|ms|s]; milliseconds if there is no unit\n"
	      "       RULE := [ name PATTERN ] [ driver NAME ] [ bus NAME ]\n"
	      "               [ address MAC-PREFIX ] [ prio N ]\n"
	      "\n"
	      "trunkctl(8) says what they mean.\n", out);
}

static void help_of_ports(struct link_util *kind, int argc, char **argv, FILE *out)
{
	(void)kind, (void)argc, (void)argv;
	fputs("Usage: ... trunk_slave [ prio N ] [ weight { N | auto } ] [ { enable | disable } ]\n"
	      "\n"
	      "trunkctl(8) says what they mean.\n", out);
}

/* Reads words of a table with `count` settings of `what`. */
static int parse_all(struct link_util *kind, struct words *words, const struct setting *all, size_t count,
		     const char *what)
{
	uint64_t named = 0;	/* by type */

	_Static_assert(TRUNK_A_MAX < 64, "types are bits of a word");
	while (words->count) {
		const char *word = take(words, "");
		unsigned int bit;
		size_t i;

		if (!strcmp(word, "help")) {
			kind->print_help(kind, words->count, words->next, stdout);
			return -1;
		}
		for (i = 0; i < count; i++)
			if (!all[i].state && is_word(&all[i], word))
				break;
		if (i == count)
			return refuse("\"%s\" is no setting of a %s; \"ip link help %s\" lists them",
				      word, what, kind->id);
		/* `key` and `key-file` set the same attribute. */
		bit = all[i].form == SECRET_FILE ? TRUNK_A_KEY : all[i].type;
		if (named & UINT64_C(1) << bit)
			return refuse("%s is named twice", all[i].form == SECRET_FILE ? "key" : word);
		named |= UINT64_C(1) << bit;
		if (add_setting(&all[i], words))
			return -1;
	}
	return 0;
}

static int parse(struct link_util *kind, int argc, char **argv, struct nlmsghdr *message)
{
	struct words words = { argc, argv, message, -1, -1, -1 };

	return parse_all(kind, &words, settings, COUNT(settings), "trunk") ? -1 : add_together(&words);
}

static int parse_port(struct link_util *kind, int argc, char **argv, struct nlmsghdr *message)
{
	struct words words = { argc, argv, message, -1, -1, -1 };

	return parse_all(kind, &words, port_settings, COUNT(port_settings), "port");
}

/* --- attributes into words ------------------------------------------------------------------- */

/* Returns the last attribute of that type, which is the one that counts. */
static const struct rtattr *find(const struct rtattr *nest, int type)
{
	const struct rtattr *found = NULL, *attr = RTA_DATA(nest);
	int len = RTA_PAYLOAD(nest);

	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if ((attr->rta_type & NLA_TYPE_MASK) == type)
			found = attr;
	return found;
}

/* Returns a number of 32 or 64 bits; 0 if it has another size. */
static uint64_t number_of(const struct rtattr *attr)
{
	uint64_t wide = 0;
	uint32_t number = 0;

	if (attr && RTA_PAYLOAD(attr) == sizeof(wide)) {
		memcpy(&wide, RTA_DATA(attr), sizeof(wide));
		return wide;
	}
	if (attr && RTA_PAYLOAD(attr) == sizeof(number))
		memcpy(&number, RTA_DATA(attr), sizeof(number));
	return number;
}

/* Writes bytes as `02:00:00`, six at most. */
static void write_bytes(const struct rtattr *attr, char *text)
{
	const uint8_t *bytes = RTA_DATA(attr);
	size_t count = RTA_PAYLOAD(attr) > 6 ? 6 : RTA_PAYLOAD(attr);

	text[0] = 0;
	for (size_t i = 0; i < count; i++)
		text += sprintf(text, "%s%02x", i ? ":" : "", bytes[i]);
}

/* Writes a time without loss, in the largest unit that fits. */
static void write_time(uint64_t microseconds, char *text)
{
	if (microseconds % 1000000 == 0)
		sprintf(text, "%llus", (unsigned long long)microseconds / 1000000);
	else if (microseconds % 1000 == 0)
		sprintf(text, "%llums", (unsigned long long)microseconds / 1000);
	else
		sprintf(text, "%lluus", (unsigned long long)microseconds);
}

static const char *text_of(const struct rtattr *attr)
{
	const char *text = RTA_DATA(attr);

	return RTA_PAYLOAD(attr) && !text[RTA_PAYLOAD(attr) - 1] ? text : "";
}

static void print_rule(const struct rtattr *nest, struct json_writer *json, FILE *out)
{
	static const struct {
		const char *name;
		int type;
	} parts[] = {
		{ "name", TRUNK_A_AUTO_JOIN_NAME },
		{ "driver", TRUNK_A_AUTO_JOIN_DRIVER },
		{ "bus", TRUNK_A_AUTO_JOIN_BUS },
		{ "address", TRUNK_A_AUTO_JOIN_ADDRESS },
	};
	unsigned int priority = number_of(find(nest, TRUNK_A_AUTO_JOIN_PRIORITY));
	char bytes[20];

	for (size_t i = 0; i < COUNT(parts); i++) {
		const struct rtattr *attr = find(nest, parts[i].type);
		const char *text;

		if (!attr)
			continue;
		if (parts[i].type == TRUNK_A_AUTO_JOIN_ADDRESS) {
			write_bytes(attr, bytes);
			text = bytes;
		} else {
			text = text_of(attr);
		}
		if (json)
			jsonw_string_field(json, parts[i].name, text);
		else
			fprintf(out, "%s %s ", parts[i].name, text);
	}
	if (json)
		jsonw_uint_field(json, "priority", priority);
	else if (priority != 1)
		fprintf(out, "prio %u ", priority);
}

/* `all` has the other attributes, for a setting that has two. */
static void print_setting(const struct setting *setting, const struct rtattr *attr,
			  const struct rtattr *all, struct json_writer *json, FILE *out)
{
	const char *name = setting->key ? setting->key : setting->name;
	uint64_t number = number_of(attr);
	char key[24], text[40];
	size_t i;

	for (i = 0; name[i] && i < sizeof(key) - 1; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[i] = 0;

	if (setting->form == FLAG) {
		if (json)
			jsonw_bool_field(json, key, attr);
		else if (attr)
			fprintf(out, "%s ", setting->name);
		return;
	}
	if (!attr) {
		if (json)
			jsonw_null_field(json, key);
		return;
	}
	if (setting->form == RULE) {
		if (json) {
			jsonw_name(json, key);
			jsonw_start_object(json);
		} else {
			fprintf(out, "%s ", setting->name);
		}
		print_rule(attr, json, out);
		if (json)
			jsonw_end_object(json);
		return;
	}
	switch (setting->form) {
	case SWITCH:
		if (json)
			jsonw_bool_field(json, key, number);
		else
			fprintf(out, "%s ", setting->words[number != 0]);
		return;
	case WORD:
	case FAILBACK:
		if (number < COUNT(setting->words) && setting->words[number])
			strcpy(text, setting->words[number]);
		else
			sprintf(text, "%llu", (unsigned long long)number);
		break;
	case ADDRESS:
		write_bytes(attr, text);
		break;
	case SYSTEM:
		sprintf(text, "%016llx", (unsigned long long)number);
		break;
	default:
		if (json) {
			jsonw_uint_field(json, key, number);
			return;
		}
		if (setting->form == WEIGHT && !number)
			strcpy(text, "auto");
		else if (setting->form == TIME)
			write_time(number, text);
		else if (setting->form == LONG_TIME && !number)
			strcpy(text, "off");
		else if (setting->form == LONG_TIME)
			write_time(number * 1000, text);
		else
			sprintf(text, setting->form == ETHERTYPE ? "%#06llx" : "%llu",
				(unsigned long long)number);
	}
	if (json)
		jsonw_string_field(json, key, text);
	else
		fprintf(out, "%s %s ", setting->name, text);
	if (setting->form != FAILBACK)
		return;
	number = number_of(find(all, TRUNK_A_FAILBACK_DELAY));
	if (json)
		jsonw_uint_field(json, "failback_delay", number);
	else if (!strcmp(text, "delay"))
		fprintf(out, "%llu ", (unsigned long long)number);
}

static int show_stats_asked;

/* The settings come as statistics, which ip passes to print() only if show_stats is set. This sets it
 * before ip looks; print() restores it. */
static void print_none(struct link_util *kind, FILE *out, struct rtattr *data[])
{
	(void)kind, (void)out, (void)data;
	show_stats_asked = show_stats;
	show_stats = 1;
}

static void print(struct link_util *kind, FILE *out, struct rtattr *all)
{
	struct json_writer *json = is_json_context() ? get_json_writer() : NULL;

	(void)kind;
	show_stats = show_stats_asked;
	for (size_t i = 0; i < COUNT(settings); i++)
		if (settings[i].type && settings[i].type != TRUNK_A_KEY)
			print_setting(&settings[i], find(all, settings[i].type), all, json, out);
}

/* `data` is NULL if there are none, as in a message about a port that is just joining. */
static void print_port(struct link_util *kind, FILE *out, struct rtattr *data[])
{
	struct json_writer *json = is_json_context() ? get_json_writer() : NULL;

	(void)kind;
	for (size_t i = 0; data && i < COUNT(port_settings); i++)
		if (data[port_settings[i].type])
			print_setting(&port_settings[i], data[port_settings[i].type], NULL, json, out);
}

struct link_util trunk_link_util = {
	.id = "trunk",
	.parse_opt = parse,
	.print_opt = print_none,
	.print_xstats = print,
	.print_help = help,
};

struct link_util trunk_slave_link_util = {
	.id = "trunk_slave",
	.maxattr = TRUNK_A_PORT_MAX,
	.parse_opt = parse_port,
	.print_opt = print_port,
	.print_help = help_of_ports,
};

/* Leaves the functions out if this ip has another layout than the plugin was built for. */
static void __attribute__((constructor)) check_layout(void)
{
	const struct link_util *bond = &bond_link_util;

	if (!strcmp(bond->id, "bond") && bond->maxattr > 0 &&
	    bond->parse_ifla_xstats == bond_parse_xstats && bond->print_ifla_xstats == bond_print_xstats)
		return;
	fputs("link_trunk.so: not made for this version of ip; trunkctl(8) shows and sets\n", stderr);
	memset(&trunk_link_util, 0, sizeof(trunk_link_util));
	trunk_link_util.id = "trunk";
	memset(&trunk_slave_link_util, 0, sizeof(trunk_slave_link_util));
	trunk_slave_link_util.id = "trunk_slave";
}
