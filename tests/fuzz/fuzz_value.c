/*
 * Any text as a value of every kind: what is accepted keeps its bounds and is written as a text
 * that reads back to the same; what is refused leaves the value as it was and says why. A list of
 * processors sets the bits that a slow and plain reading finds, and none beyond the mask.
 */
#include "value.h"

#include <ctype.h>
#include <stdio.h>

#include "must.h"

#define UNTOUCHED  (-4711)
#define MASK_BYTES 128

static void check_duration(const char *text)
{
	int64_t value = UNTOUCHED, again = UNTOUCHED;
	char written[VALUE_TEXT_BYTES];
	struct errmsg err = {""};

	if (value_parse_duration(&value, text, &err) < 0) {
		must_be_reason(&err);
		must(value == UNTOUCHED);
		return;
	}
	must(value == DURATION_INFINITE || (value >= 0 && value <= DURATION_MAX));
	must(value > 0 || !text[strcspn(text, "123456789")]);
	value_format_duration(written, value);
	must(value_parse_duration(&again, written, NULL) == 0 && again == value);
}

static void check_size(const char *text)
{
	int64_t value = UNTOUCHED, again = UNTOUCHED;
	char written[VALUE_TEXT_BYTES];
	struct errmsg err = {""};

	if (value_parse_size(&value, text, &err) < 0) {
		must_be_reason(&err);
		must(value == UNTOUCHED);
		return;
	}
	must(value >= 0);
	value_format_size(written, value);
	must(value_parse_size(&again, written, NULL) == 0 && again == value);
}

static void check_int(const char *text)
{
	int64_t value = UNTOUCHED, again = UNTOUCHED;
	char written[VALUE_TEXT_BYTES];
	struct errmsg err = {""};

	if (value_parse_int(&value, text, &err) < 0) {
		must_be_reason(&err);
		must(value == UNTOUCHED);
		return;
	}
	must(value == 0 || (value < 0) == (text[0] == '-'));
	snprintf(written, sizeof(written), "%lld", (long long)value);
	must(value_parse_int(&again, written, NULL) == 0 && again == value);
}

static void check_small_ones(const char *text)
{
	struct amount amount = {UNTOUCHED, false};
	struct errmsg err = {""};
	mode_t mode = 010000;
	bool yes = false, no = true;
	int result = value_parse_bool(&yes, text, &err);

	must(result == value_parse_bool(&no, text, &err) && (result < 0) == (yes != no));
	must(result == 0 || (no && !yes));
	if (value_parse_mode(&mode, text, &err) < 0)
		must_be_reason(&err);
	else
		must(mode <= 07777);
	must(mode != 010000 || err.text[0]);
	if (value_parse_amount(&amount, text, &err) < 0)
		must(amount.number == UNTOUCHED && !amount.percent);
	else
		must(amount.number >= 0 && amount.percent == (strchr(text, '%') != NULL));
}

static void check_limit(const char *text)
{
	struct rlimit limit = {4711, 4711}, again;
	char written[VALUE_TEXT_BYTES];
	struct errmsg err = {""};

	if (value_parse_limit(&limit, text, &err) < 0) {
		must_be_reason(&err);
		must(limit.rlim_cur == 4711 && limit.rlim_max == 4711);
		return;
	}
	must(limit.rlim_cur <= limit.rlim_max);
	value_format_limit(written, &limit);
	must(value_parse_limit(&again, written, NULL) == 0);
	must(again.rlim_cur == limit.rlim_cur && again.rlim_max == limit.rlim_max);
}

static bool has_cpu(const unsigned char *mask, size_t cpu)
{
	unsigned long word;

	memcpy(&word, mask + cpu / (8 * sizeof(word)) * sizeof(word), sizeof(word));
	return word >> cpu % (8 * sizeof(word)) & 1;
}

/* Of a list that was accepted: is the processor in one of its ranges? */
static bool lists_cpu(const char *text, unsigned long cpu)
{
	while (*text) {
		unsigned long first, last, step = 1;
		char *end;

		if (!isdigit((unsigned char)*text)) {
			text++;
			continue;
		}
		first = last = strtoul(text, &end, 10);
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (*end == ':')
			step = strtoul(end + 1, &end, 10);
		if (cpu >= first && cpu <= last && (cpu - first) % step == 0)
			return true;
		text = end;
	}
	return false;
}

/* As cpu_set_t, and as a mask of one long, where most lists do not fit. */
static void check_cpus(const char *text, size_t mask_bytes)
{
	unsigned char *mask = calloc(1, mask_bytes);
	struct errmsg err = {""};
	size_t count = 0;

	must(mask != NULL);
	if (value_parse_cpus(mask, mask_bytes, text, &err) < 0) {
		must_be_reason(&err);
		for (size_t i = 0; i < mask_bytes; i++)
			must(mask[i] == 0);
	} else {
		for (size_t cpu = 0; cpu < 8 * mask_bytes; cpu++) {
			must(has_cpu(mask, cpu) == lists_cpu(text, cpu));
			count += has_cpu(mask, cpu);
		}
		must(count > 0);
	}
	free(mask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);

	check_duration(text);
	check_size(text);
	check_int(text);
	check_small_ones(text);
	check_limit(text);
	check_cpus(text, sizeof(unsigned long));
	check_cpus(text, size % 8 ? sizeof(unsigned long) : MASK_BYTES);
	free(text);
	return 0;
}
