/*
 * Options whose value is a number of some kind, or is kept as one: bounds, units, words for them.
 */
#include "option_kind.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "memory.h"
#include "settings.h"
#include "signal_name.h"
#include "suggest.h"

static char *format_number(const struct option *option, int64_t number)
{
	char text[VALUE_TEXT_BYTES];

	if (option->type == OPTION_MODE)
		return memory_format("%04" PRIo64, (uint64_t)number);
	if (option->type == OPTION_DURATION)
		value_format_duration(text, number);
	else if (option->type == OPTION_SIZE)
		value_format_size(text, number);
	else
		snprintf(text, sizeof(text), "%" PRId64, number);
	return memory_copy_string(text);
}

static bool *set_marker(const struct option *option, void *section)
{
	return (bool *)((char *)section + option->set_offset);
}

static int refuse_bound(const struct option *option, int64_t number, struct errmsg *err)
{
	bool low = number < option->min;
	char *bound = format_number(option, low ? option->min : option->max);

	errmsg_set(err, "must be at %s %s", low ? "least" : "most", bound);
	free(bound);
	return -1;
}

/* Takes a number that was read, if it is in its bounds. */
static int store_number(const struct option_target *target, int64_t number, struct errmsg *err)
{
	const struct option *option = target->option;
	bool bounded = option->min != 0 || option->max != 0;

	if (bounded && (number < option->min || number > option->max))
		return refuse_bound(option, number, err);
	*(int64_t *)option_field(option, target->section) = number;
	if (option->set_offset)
		*set_marker(option, target->section) = true;
	return 0;
}

static int set_int(const struct option_target *target, const char *text, struct errmsg *err)
{
	int64_t number;

	if (value_parse_int(&number, text, err) < 0)
		return -1;
	return store_number(target, number, err);
}

static int set_duration(const struct option_target *target, const char *text, struct errmsg *err)
{
	int64_t duration;

	if (value_parse_duration(&duration, text, err) < 0)
		return -1;
	if (duration == DURATION_INFINITE && !(target->option->flags & OPTION_INFINITE))
		return errmsg_set(err, "cannot be infinity");
	return store_number(target, duration, err);
}

static int set_size(const struct option_target *target, const char *text, struct errmsg *err)
{
	int64_t size;

	if (value_parse_size(&size, text, err) < 0)
		return -1;
	return store_number(target, size, err);
}

static int set_mode(const struct option_target *target, const char *text, struct errmsg *err)
{
	mode_t mode;

	if (value_parse_mode(&mode, text, err) < 0)
		return -1;
	return store_number(target, (int64_t)mode, err);
}

static bool number_given(const struct option *option, const void *section)
{
	if (option->set_offset)
		return *set_marker(option, (void *)section);
	return *(const int64_t *)option_const_field(option, section) != SETTING_UNSET;
}

static char *format_given_number(const struct option *option, const void *section)
{
	if (!number_given(option, section))
		return NULL;
	return format_number(option, *(const int64_t *)option_const_field(option, section));
}

static bool equal_number(const struct option *option, const void *a, const void *b)
{
	bool given = number_given(option, a);

	if (given != number_given(option, b))
		return false;
	return !given || *(const int64_t *)option_const_field(option, a) ==
				 *(const int64_t *)option_const_field(option, b);
}

static void release_number(const struct option *option, void *section)
{
	*(int64_t *)option_field(option, section) = option->set_offset ? 0 : SETTING_UNSET;
	if (option->set_offset)
		*set_marker(option, section) = false;
}

static int set_bool(const struct option_target *target, const char *text, struct errmsg *err)
{
	return value_parse_bool(option_field(target->option, target->section), text, err);
}

static char *format_bool(const struct option *option, const void *section)
{
	return memory_copy_string(
		*(const bool *)option_const_field(option, section) ? "yes" : "no");
}

static bool equal_bool(const struct option *option, const void *a, const void *b)
{
	return *(const bool *)option_const_field(option, a) ==
	       *(const bool *)option_const_field(option, b);
}

static void release_bool(const struct option *option, void *section)
{
	*(bool *)option_field(option, section) = false;
}

static int set_enum(const struct option_target *target, const char *text, struct errmsg *err)
{
	const struct option_name *name = option_find_name(target->option->names, text);

	if (!name)
		return option_refuse_name(target->option->names, false, text, err);
	*(int *)option_field(target->option, target->section) = name->value;
	return 0;
}

static char *format_enum(const struct option *option, const void *section)
{
	int value = *(const int *)option_const_field(option, section);

	for (const struct option_name *name = option->names; name->name; name++)
		if (name->value == value)
			return memory_copy_string(name->name);
	return NULL;
}

static int refuse_signal(const char *text, struct errmsg *err)
{
	const char *names[SIGNAL_NAMES_MAX];
	const char *nearest = suggest_nearest(text, names, signal_names(names));

	return errmsg_set(err, "\"%.80s\" is not a signal%s%s%s", text,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int set_signal(const struct option_target *target, const char *text, struct errmsg *err)
{
	int number = signal_number(text);

	if (number <= 0)
		return refuse_signal(text, err);
	*(int *)option_field(target->option, target->section) = number;
	return 0;
}

static char *format_signal(const struct option *option, const void *section)
{
	int number = *(const int *)option_const_field(option, section);

	return number ? memory_copy_string(signal_name(number)) : NULL;
}

static bool equal_plain_int(const struct option *option, const void *a, const void *b)
{
	return *(const int *)option_const_field(option, a) ==
	       *(const int *)option_const_field(option, b);
}

static void release_plain_int(const struct option *option, void *section)
{
	*(int *)option_field(option, section) = 0;
}

/* The bit of an option's resource in limit_set. */
static uint64_t limit_bit(const struct option *option)
{
	size_t resource =
		(option->offset - offsetof(struct pool_settings, limits)) / sizeof(struct rlimit);

	return UINT64_C(1) << resource;
}

static int set_limit(const struct option_target *target, const char *text, struct errmsg *err)
{
	struct pool_settings *pool = target->section;

	if (value_parse_limit(option_field(target->option, pool), text, err) < 0)
		return -1;
	pool->limit_set |= limit_bit(target->option);
	return 0;
}

static bool limit_given(const struct option *option, const void *section)
{
	return ((const struct pool_settings *)section)->limit_set & limit_bit(option);
}

static char *format_limit(const struct option *option, const void *section)
{
	char text[VALUE_TEXT_BYTES];

	if (!limit_given(option, section))
		return NULL;
	value_format_limit(text, option_const_field(option, section));
	return memory_copy_string(text);
}

static bool equal_limit(const struct option *option, const void *a, const void *b)
{
	const struct rlimit *left = option_const_field(option, a),
			    *right = option_const_field(option, b);

	if (limit_given(option, a) != limit_given(option, b))
		return false;
	return !limit_given(option, a) ||
	       (left->rlim_cur == right->rlim_cur && left->rlim_max == right->rlim_max);
}

static void release_limit(const struct option *option, void *section)
{
	((struct pool_settings *)section)->limit_set &= ~limit_bit(option);
}

static int set_amount(const struct option_target *target, const char *text, struct errmsg *err)
{
	const struct option *option = target->option;
	struct amount amount;

	if (value_parse_amount(&amount, text, err) < 0)
		return -1;
	if (option->max != 0 && (amount.number < option->min || amount.number > option->max))
		return refuse_bound(option, amount.number, err);
	*(struct amount *)option_field(option, target->section) = amount;
	return 0;
}

static char *format_amount(const struct option *option, const void *section)
{
	const struct amount *amount = option_const_field(option, section);

	return memory_format("%d%s", amount->number, amount->percent ? "%" : "");
}

static bool equal_amount(const struct option *option, const void *a, const void *b)
{
	const struct amount *left = option_const_field(option, a),
			    *right = option_const_field(option, b);

	return left->number == right->number && left->percent == right->percent;
}

static void release_amount(const struct option *option, void *section)
{
	*(struct amount *)option_field(option, section) = (struct amount){0};
}

static int set_cpus(const struct option_target *target, const char *text, struct errmsg *err)
{
	unsigned char **at = option_field(target->option, target->section);
	unsigned char *mask = memory_alloc(CPU_AFFINITY_BYTES);

	if (value_parse_cpus(mask, CPU_AFFINITY_BYTES, text, err) < 0) {
		free(mask);
		return -1;
	}
	free(*at);
	*at = mask;
	return 0;
}

static bool has_cpu(const unsigned char *mask, int cpu)
{
	cpu_set_t set;

	memcpy(&set, mask, sizeof(set));
	return CPU_ISSET((size_t)cpu, &set);
}

static void release_cpus(const struct option *option, void *section)
{
	unsigned char **at = option_field(option, section);

	free(*at);
	*at = NULL;
}

/* "0-3,6" */
static char *format_cpus(const struct option *option, const void *section)
{
	const unsigned char *mask = *(unsigned char *const *)option_const_field(option, section);
	char *text = NULL;
	size_t bytes;
	FILE *out;

	_Static_assert(sizeof(cpu_set_t) == CPU_AFFINITY_BYTES, "the mask is a cpu_set_t");
	if (!mask)
		return NULL;
	out = open_memstream(&text, &bytes);
	if (!out)
		return NULL;
	for (int cpu = 0, end; cpu < CPU_SETSIZE; cpu = end + 1) {
		for (end = cpu; end < CPU_SETSIZE && has_cpu(mask, end);)
			end++;
		if (end == cpu)
			continue;
		fprintf(out, "%s%d", ftell(out) > 0 ? "," : "", cpu);
		if (end > cpu + 1)
			fprintf(out, "-%d", end - 1);
	}
	fclose(out);
	return text;
}

static bool equal_cpus(const struct option *option, const void *a, const void *b)
{
	const unsigned char *left = *(unsigned char *const *)option_const_field(option, a);
	const unsigned char *right = *(unsigned char *const *)option_const_field(option, b);

	return left && right ? memcmp(left, right, CPU_AFFINITY_BYTES) == 0 : left == right;
}

const struct option_kind option_kind_int = {
	set_int, format_given_number, equal_number, release_number};
const struct option_kind option_kind_duration = {
	set_duration, format_given_number, equal_number, release_number};
const struct option_kind option_kind_size = {
	set_size, format_given_number, equal_number, release_number};
const struct option_kind option_kind_mode = {
	set_mode, format_given_number, equal_number, release_number};
const struct option_kind option_kind_bool = {set_bool, format_bool, equal_bool, release_bool};
const struct option_kind option_kind_enum = {
	set_enum, format_enum, equal_plain_int, release_plain_int};
const struct option_kind option_kind_signal = {
	set_signal, format_signal, equal_plain_int, release_plain_int};
const struct option_kind option_kind_limit = {set_limit, format_limit, equal_limit, release_limit};
const struct option_kind option_kind_amount = {
	set_amount, format_amount, equal_amount, release_amount};
const struct option_kind option_kind_cpus = {set_cpus, format_cpus, equal_cpus, release_cpus};
