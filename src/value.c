/*
 * Values as users write them. Everything is read digit by digit: no strtod(3), whose result hangs
 * on the locale, and no strtol(3), which skips blanks and takes signs where none belong. The whole
 * text must be the value, and a number that does not fit is refused, never cut.
 */
#include "value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "errmsg.h"

#define FRACTION_DIGITS_MAX 9 /* times a day in milliseconds, this still fits 64 bits */

/* How a number could not be read. */
enum scan { SCAN_OK, SCAN_NONE, SCAN_OVERFLOW };

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first: formatting takes the first one that divides the value. */
static const struct unit duration_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000}};
static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1},
	{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits at *text and moves *text behind them, also when they are too many. */
static enum scan scan_number(uint64_t *out, const char **text, unsigned base)
{
	uint64_t number = 0;
	enum scan result = SCAN_NONE;

	for (; is_digit(**text) && (unsigned)(**text - '0') < base; (*text)++) {
		if (result == SCAN_NONE)
			result = SCAN_OK;
		if (__builtin_mul_overflow(number, base, &number) ||
			__builtin_add_overflow(number, (unsigned)(**text - '0'), &number))
			result = SCAN_OVERFLOW;
	}
	if (result == SCAN_OK)
		*out = number;
	return result;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* The refusal that names the trouble: nothing there, a minus sign, or no `what` at all. */
static int refuse(const char *text, const char *what, struct errmsg *err)
{
	if (!*text)
		return errmsg_set(err, "the value is empty, it should be %s", what);
	if (text[0] == '-' && (is_digit(text[1]) || text[1] == '.'))
		return errmsg_set(err, "\"%.80s\" is negative, it should be %s", text, what);
	return errmsg_set(err, "\"%.80s\" is not %s", text, what);
}

static int refuse_large(const char *text, struct errmsg *err)
{
	return errmsg_set(err, "\"%.80s\" is too large", text);
}

/* ".25" as thousand-millionths; *text goes behind it. What is finer still counts only as *more. */
static bool scan_fraction(uint64_t *billionths, bool *more, const char **text)
{
	int digits = 0;

	*billionths = 0;
	*more = false;
	if (**text != '.')
		return true;
	for ((*text)++; is_digit(**text); (*text)++, digits++) {
		if (digits < FRACTION_DIGITS_MAX)
			*billionths = *billionths * 10 + (uint64_t)(**text - '0');
		else if (**text != '0')
			*more = true;
	}
	for (int i = digits; i < FRACTION_DIGITS_MAX; i++)
		*billionths *= 10;
	return digits > 0;
}

/* Rounded to the nearest millisecond; but what is not zero must not become zero, which means "off"
 * to many options. */
int value_parse_duration(int64_t *out_ms, const char *text, struct errmsg *err)
{
	static const char what[] = "a duration such as 500ms, 10s, 5m, 2h, 1d";
	const char *rest = text;
	const struct unit *unit;
	uint64_t whole = 0, billionths, total;
	enum scan scanned;
	bool more;

	if (strcasecmp(text, "infinity") == 0) {
		*out_ms = DURATION_INFINITE;
		return 0;
	}
	scanned = scan_number(&whole, &rest, 10);
	if (!scan_fraction(&billionths, &more, &rest) || rest == text)
		return refuse(text, what, err);
	unit = find_unit(duration_units, COUNT(duration_units), rest);
	if (!unit)
		return refuse(text, what, err);
	if (scanned == SCAN_OVERFLOW || whole > (uint64_t)(DURATION_MAX / unit->factor))
		return refuse_large(text, err);
	total = whole * (uint64_t)unit->factor +
		(billionths * (uint64_t)unit->factor + 500000000) / 1000000000;
	if (total > (uint64_t)DURATION_MAX)
		return refuse_large(text, err);
	if (total == 0 && (billionths > 0 || more))
		return errmsg_set(err, "\"%.80s\" is shorter than 1ms", text);
	*out_ms = (int64_t)total;
	return 0;
}

/* A number with K, M or G behind it, at most `max`; the whole of text. */
static int parse_scaled(
	uint64_t *out, const char *text, uint64_t max, const char *what, struct errmsg *err)
{
	const char *rest = text;
	const struct unit *unit;
	uint64_t number = 0;
	enum scan scanned = scan_number(&number, &rest, 10);

	if (scanned == SCAN_NONE)
		return refuse(text, what, err);
	unit = find_unit(size_units, COUNT(size_units), rest);
	if (!unit)
		return refuse(text, what, err);
	if (scanned == SCAN_OVERFLOW || number > max / (uint64_t)unit->factor)
		return refuse_large(text, err);
	*out = number * (uint64_t)unit->factor;
	return 0;
}

int value_parse_size(int64_t *out_bytes, const char *text, struct errmsg *err)
{
	uint64_t bytes = 0;

	if (parse_scaled(&bytes, text, INT64_MAX, "a size such as 65536, 64K, 256M, 2G", err) < 0)
		return -1;
	*out_bytes = (int64_t)bytes;
	return 0;
}

int value_parse_int(int64_t *out, const char *text, struct errmsg *err)
{
	bool negative = text[0] == '-';
	const char *digits = text + (negative || text[0] == '+');
	const char *rest = digits;
	uint64_t number = 0;
	enum scan scanned = scan_number(&number, &rest, 10);

	if (scanned == SCAN_NONE || *rest)
		return *text ? errmsg_set(err, "\"%.80s\" is not a whole number", text)
			     : errmsg_set(err, "the value is empty, it should be a whole number");
	if (scanned == SCAN_OVERFLOW || number > (uint64_t)INT64_MAX + negative)
		return errmsg_set(err, "\"%.80s\" is too %s", text, negative ? "small" : "large");
	/* Through -(n - 1) - 1, so that the least number does not overflow on its way. */
	*out = negative && number ? -(int64_t)(number - 1) - 1 : (int64_t)number;
	return 0;
}

int value_parse_bool(bool *out, const char *text, struct errmsg *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"yes", true}, {"no", false}, {"true", true}, {"false", false}, {"on", true},
		{"off", false}, {"1", true}, {"0", false}};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			*out = words[i].value;
			return 0;
		}
	}
	return refuse(text, "yes or no", err);
}

int value_parse_mode(mode_t *out, const char *text, struct errmsg *err)
{
	const char *rest = text;
	uint64_t number = 0;
	enum scan scanned = scan_number(&number, &rest, 8);

	if (scanned == SCAN_NONE || *rest)
		return refuse(text, "an octal mode such as 0660", err);
	if (scanned == SCAN_OVERFLOW || number > 07777)
		return errmsg_set(err, "\"%.80s\" is more than 07777", text);
	*out = (mode_t)number;
	return 0;
}

int value_parse_amount(struct amount *out, const char *text, struct errmsg *err)
{
	const char *rest = text;
	uint64_t number = 0;
	enum scan scanned = scan_number(&number, &rest, 10);
	bool percent = *rest == '%';

	if (scanned == SCAN_NONE || rest[percent])
		return refuse(text, "a number such as 2 or a percentage such as 25%", err);
	if (scanned == SCAN_OVERFLOW || number > INT_MAX)
		return refuse_large(text, err);
	*out = (struct amount){.number = (int)number, .percent = percent};
	return 0;
}

static int parse_rlim(rlim_t *out, const char *text, struct errmsg *err)
{
	uint64_t number = 0;

	if (strcasecmp(text, "infinity") == 0) {
		*out = RLIM_INFINITY;
		return 0;
	}
	if (parse_scaled(&number, text, (uint64_t)RLIM_INFINITY - 1,
		    "a limit such as 1024, 64K or infinity", err) < 0)
		return -1;
	*out = (rlim_t)number;
	return 0;
}

int value_parse_limit(struct rlimit *out, const char *text, struct errmsg *err)
{
	const char *colon = strchr(text, ':');
	struct rlimit limit;
	char soft[VALUE_TEXT_BYTES];
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!colon) {
		if (parse_rlim(&limit.rlim_cur, text, err) < 0)
			return -1;
		limit.rlim_max = limit.rlim_cur;
		*out = limit;
		return 0;
	}
	if (length >= sizeof(soft))
		return refuse(text, "a limit such as 1024:infinity", err);
	memcpy(soft, text, length);
	soft[length] = '\0';
	if (parse_rlim(&limit.rlim_cur, soft, err) < 0 ||
		parse_rlim(&limit.rlim_max, colon + 1, err) < 0)
		return -1;
	if (limit.rlim_cur > limit.rlim_max)
		return errmsg_set(err, "\"%.80s\": the soft limit is above the hard one", text);
	*out = limit;
	return 0;
}

static const char cpu_list[] = "a list of processors such as 0-3,6";

/* A cpu_set_t is made of longs, so where a processor's bit lies hangs on the byte order; memcpy(3)
 * because the mask may be aligned like bytes. */
static void set_cpu(unsigned char *mask, uint64_t cpu)
{
	size_t bits = sizeof(unsigned long) * CHAR_BIT;
	unsigned char *place = mask + cpu / bits * sizeof(unsigned long);
	unsigned long word;

	memcpy(&word, place, sizeof(word));
	word |= 1ul << cpu % bits;
	memcpy(place, &word, sizeof(word));
}

struct cpu_range {
	uint64_t first, last;
	uint32_t step; /* so that adding it to a processor's number does not wrap around */
};

/* "3", "0-3" or "0-31:2" at *text. */
static enum scan scan_cpu_range(struct cpu_range *range, const char **text)
{
	enum scan scanned = scan_number(&range->first, text, 10);
	uint64_t step = 0;

	range->last = range->first;
	range->step = 1;
	if (scanned != SCAN_OK || **text != '-')
		return scanned;
	(*text)++;
	scanned = scan_number(&range->last, text, 10);
	if (scanned != SCAN_OK || **text != ':')
		return scanned;
	(*text)++;
	scanned = scan_number(&step, text, 10);
	range->step = step < UINT32_MAX ? (uint32_t)step : UINT32_MAX;
	return scanned;
}

/* Blanks, and one comma among them, which wants something behind it. */
static bool skip_separator(const char **text)
{
	*text += strspn(*text, " \t");
	if (**text != ',')
		return true;
	(*text)++;
	*text += strspn(*text, " \t");
	return **text != '\0';
}

/* Sets the bits, or, without a mask, only looks whether the text is right. */
static int walk_cpus(unsigned char *mask, uint64_t count, const char *text, struct errmsg *err)
{
	const char *rest = text + strspn(text, " \t");

	while (*rest) {
		struct cpu_range range = {0};
		enum scan scanned = scan_cpu_range(&range, &rest);

		if (scanned == SCAN_OVERFLOW || range.last >= count)
			return errmsg_set(err, "\"%.80s\": processors are numbered 0 to %" PRIu64,
				text, count - 1);
		if (scanned == SCAN_NONE || range.first > range.last || range.step == 0 ||
			(*rest && !strchr(" \t,", *rest)) || !skip_separator(&rest))
			return refuse(text, cpu_list, err);
		for (uint64_t cpu = range.first; mask && cpu <= range.last; cpu += range.step)
			set_cpu(mask, cpu);
	}
	return 0;
}

int value_parse_cpus(unsigned char *mask, size_t mask_bytes, const char *text, struct errmsg *err)
{
	uint64_t count = mask_bytes / sizeof(unsigned long) * sizeof(unsigned long) * CHAR_BIT;

	if (!text[strspn(text, " \t")])
		return refuse("", cpu_list, err);
	if (walk_cpus(NULL, count, text, err) < 0)
		return -1;
	return walk_cpus(mask, count, text, err);
}

static void format_scaled(char text[VALUE_TEXT_BYTES], uint64_t value, const struct unit *unit)
{
	while (value % (uint64_t)unit->factor)
		unit++;
	if (value == 0)
		snprintf(text, VALUE_TEXT_BYTES, "0");
	else
		snprintf(text, VALUE_TEXT_BYTES, "%" PRIu64 "%s", value / (uint64_t)unit->factor,
			unit->name);
}

void value_format_duration(char text[VALUE_TEXT_BYTES], int64_t duration_ms)
{
	if (duration_ms == DURATION_INFINITE)
		snprintf(text, VALUE_TEXT_BYTES, "infinity");
	else
		format_scaled(text, (uint64_t)duration_ms, duration_units);
}

void value_format_size(char text[VALUE_TEXT_BYTES], int64_t bytes)
{
	format_scaled(text, (uint64_t)bytes, size_units);
}

static void format_rlim(char text[VALUE_TEXT_BYTES], rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		snprintf(text, VALUE_TEXT_BYTES, "infinity");
	else
		format_scaled(text, limit, size_units);
}

void value_format_limit(char text[VALUE_TEXT_BYTES], const struct rlimit *limit)
{
	char soft[VALUE_TEXT_BYTES], hard[VALUE_TEXT_BYTES];

	format_rlim(soft, limit->rlim_cur);
	format_rlim(hard, limit->rlim_max);
	if (limit->rlim_cur == limit->rlim_max)
		snprintf(text, VALUE_TEXT_BYTES, "%s", soft);
	else
		snprintf(text, VALUE_TEXT_BYTES, "%.24s:%.24s", soft, hard);
}
