/*
 * UTF-8 into characters that may be drawn, and numbers into few columns. Its rule: whatever the
 * bytes are, what comes out is printable and its width is known. It must not trust the bytes to be
 * UTF-8, nor look further than their end.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <wctype.h>

#define NO_CHARACTER L'?'

/* How many bytes follow the first, and its own bits; -1: no first byte. */
static int begin_sequence(unsigned char first, uint32_t *bits)
{
	static const struct {
		unsigned char mask, value;
	} kinds[] = {{0x80, 0x00}, {0xe0, 0xc0}, {0xf0, 0xe0}, {0xf8, 0xf0}};

	for (int more = 0; more < 4; more++)
		if ((first & kinds[more].mask) == kinds[more].value) {
			*bits = first & (unsigned char)~kinds[more].mask;
			return more;
		}
	return -1;
}

/* One sequence; a broken one counts as one byte, 0xfffd. */
static uint32_t decode(const char **text)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *byte = (const unsigned char *)*text;
	uint32_t bits = 0;
	int more = begin_sequence(*byte, &bits);

	*text += 1;
	if (more <= 0)
		return more == 0 ? bits : 0xfffd;
	for (int i = 1; i <= more; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0xfffd;
		bits = bits << 6 | (byte[i] & 0x3f);
	}
	if (bits < least[more] || bits > 0x10ffff || (bits >= 0xd800 && bits < 0xe000))
		return 0xfffd;
	*text += more;
	return bits;
}

/* A mark that has no width, or that turns the direction of what follows. */
static bool invisible(uint32_t point)
{
	return point >= 0x80 && (iswcntrl((wint_t)point) == 0) && wcwidth((wchar_t)point) == 0;
}

wchar_t text_next(const char **text, bool ascii, int *columns)
{
	*columns = 1;
	while (**text) {
		uint32_t point = decode(text);

		if (point >= 0x20 && point < 0x7f)
			return (wchar_t)point;
		if (point < 0x80 || ascii)
			return NO_CHARACTER;
		if (invisible(point))
			continue;
		*columns = wcwidth((wchar_t)point);
		if (*columns == 1 || *columns == 2)
			return (wchar_t)point;
		*columns = 1;
		return NO_CHARACTER;
	}
	*columns = 0;
	return L'\0';
}

int text_columns(const char *text, bool ascii)
{
	int total = 0, columns;

	while (text_next(&text, ascii, &columns) != L'\0')
		total += columns;
	return total;
}

static size_t encode(char out[4], uint32_t point)
{
	static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
	int more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;

	for (int i = more; i > 0; i--) {
		out[i] = (char)(0x80 | (point & 0x3f));
		point >>= 6;
	}
	out[0] = (char)(first[more] | point);
	return (size_t)more + 1;
}

void text_clean(char *out, size_t bytes, const char *text, bool ascii)
{
	size_t used = 0;
	wchar_t next;
	int columns;

	while ((next = text_next(&text, ascii, &columns)) != L'\0') {
		char sequence[4];
		size_t length = encode(sequence, (uint32_t)next);

		if (used + length >= bytes)
			break;
		memcpy(out + used, sequence, length);
		used += length;
	}
	out[used] = '\0';
}

void text_format_seconds(char text[TEXT_NUMBER_BYTES], double seconds)
{
	int64_t whole;

	if (!(seconds >= 0) || seconds > 1e12) {
		snprintf(text, TEXT_NUMBER_BYTES, "-");
		return;
	}
	whole = (int64_t)seconds;
	if (seconds < 9.95)
		snprintf(text, TEXT_NUMBER_BYTES, "%.1fs", seconds);
	else if (whole < 60)
		snprintf(text, TEXT_NUMBER_BYTES, "%ds", (int)whole);
	else if (whole < 3600)
		snprintf(text, TEXT_NUMBER_BYTES, "%dm%02d", (int)(whole / 60), (int)(whole % 60));
	else if (whole < 86400)
		snprintf(text, TEXT_NUMBER_BYTES, "%dh%02d", (int)(whole / 3600),
			(int)(whole / 60 % 60));
	else
		snprintf(text, TEXT_NUMBER_BYTES, "%lldd%02dh", (long long)(whole / 86400),
			(int)(whole / 3600 % 24));
}

void text_format_bytes(char text[TEXT_NUMBER_BYTES], int64_t bytes)
{
	static const char units[] = "KMGTP";
	double amount = (double)bytes;
	int unit = -1;

	if (bytes < 0) {
		snprintf(text, TEXT_NUMBER_BYTES, "-");
		return;
	}
	while (amount >= 999.5 && unit + 1 < (int)sizeof(units) - 1) {
		amount /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, TEXT_NUMBER_BYTES, "%d", (int)bytes);
	else
		snprintf(text, TEXT_NUMBER_BYTES, "%.*f%c", amount < 9.95 ? 1 : 0, amount,
			units[unit]);
}

void text_format_count(char text[TEXT_NUMBER_BYTES], int64_t count)
{
	if (count < 0)
		snprintf(text, TEXT_NUMBER_BYTES, "-");
	else if (count < 10000000)
		snprintf(text, TEXT_NUMBER_BYTES, "%d", (int)count);
	else if (count < 10000000000)
		snprintf(text, TEXT_NUMBER_BYTES, "%.1fM", (double)count / 1e6);
	else
		snprintf(text, TEXT_NUMBER_BYTES, "%.3gG", (double)count / 1e9);
}

void text_format_rate(char text[TEXT_NUMBER_BYTES], double per_second)
{
	if (!(per_second >= 0))
		snprintf(text, TEXT_NUMBER_BYTES, "-");
	else
		snprintf(
			text, TEXT_NUMBER_BYTES, per_second < 999.95 ? "%.1f" : "%.4g", per_second);
}
