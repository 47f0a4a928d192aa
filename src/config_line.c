/*
 * The grammar of one line. Quotes are understood here just far enough to find the comment and the
 * end; what they mean to a command line is words.c's. Nothing here knows a section or key by name.
 */
#include "config_line.h"

#include <stdbool.h>
#include <string.h>

#include "errmsg.h"
#include "memory.h"
#include "words.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

/* Cuts the blanks at the end of the text that ends at `end`. */
static void trim_end(const char *text, char *end)
{
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
}

static int check_bytes(const char *text, size_t length, struct errmsg *err)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\0')
			return errmsg_set(err, "there is a NUL byte in the line");
		if ((byte < ' ' && byte != '\t') || byte == 0x7f)
			return errmsg_set(
				err, "there is a control character (0x%02x) in the line", byte);
	}
	return 0;
}

/* A walk over a value, byte by byte. */
struct scan {
	char quote;    /* the open quote, or 0 */
	bool escaped;  /* a backslash stands right before */
	size_t length; /* bytes that are no quoting */
};

/* Takes one byte in. Is it part of the quoting, not of the value? Before most bytes a backslash in
 * double quotes is one of its own, as in sh. */
static bool scan_byte(struct scan *scan, char c)
{
	if (scan->escaped) {
		scan->escaped = false;
		scan->length += scan->quote && !strchr("$`\"\\", c) ? 2 : 1;
		return false;
	}
	if (c == '\\' && scan->quote != '\'') {
		scan->escaped = true;
		return true;
	}
	if (scan->quote ? c == scan->quote : c == '\'' || c == '"') {
		scan->quote = scan->quote ? 0 : c;
		return true;
	}
	scan->length++;
	return false;
}

/* Where the value ends: at a comment or at the end of the line, without the blanks before it, but
 * with those that are quoted. NULL with the reason. */
static char *find_end(char *value, struct errmsg *err)
{
	struct scan scan = {0};
	bool after_blank = true;
	size_t length = 0;
	char *end = value;

	for (char *at = value; *at; at++) {
		bool bare = !scan.quote && !scan.escaped;

		if (*at == ';' && after_blank && bare)
			break;
		after_blank = is_blank(*at) && bare;
		scan_byte(&scan, *at);
		if (!after_blank) {
			end = at + 1;
			length = scan.length;
		}
	}
	if (scan.quote)
		errmsg_set(err, "unbalanced %c", scan.quote);
	else if (scan.escaped)
		errmsg_set(err, "a lone backslash at the end");
	else if (length > CONFIG_VALUE_MAX_BYTES)
		errmsg_set(err, "the value is longer than %d bytes", CONFIG_VALUE_MAX_BYTES);
	else
		return end;
	return NULL;
}

/* text is behind the opening bracket. */
static int parse_section(struct config_line *line, char *text, struct errmsg *err)
{
	char *end = strchr(text, ']');
	char *rest;

	line->kind = CONFIG_LINE_SECTION;
	if (!end)
		return errmsg_set(err, "the section's header lacks its ]");
	rest = skip_blanks(end + 1);
	line->name = skip_blanks(text);
	trim_end(line->name, end);
	if (*rest && *rest != ';' && *rest != '#')
		return errmsg_set(err, "\"%.40s\" behind the section's header", rest);
	return *line->name ? 0 : errmsg_set(err, "the section has no name");
}

static int parse_key(struct config_line *line, char *text, struct errmsg *err)
{
	char *equals = strchr(text, '=');
	char *value, *end;

	if (!equals)
		return errmsg_set(
			err, "\"%.40s\" is no section, no key = value and no comment", text);
	line->kind = CONFIG_LINE_KEY;
	trim_end(text, equals);
	if (!*text)
		return errmsg_set(err, "there is no key before the =");
	line->name = text;
	value = skip_blanks(equals + 1);
	end = find_end(value, err);
	if (!end)
		return -1;
	line->value = value;
	*end = '\0';
	return 0;
}

int config_line_parse(struct config_line *line, char *text, size_t length, struct errmsg *err)
{
	*line = (struct config_line){.kind = CONFIG_LINE_NOTHING};
	if (length > 0 && text[length - 1] == '\r')
		text[--length] = '\0';
	if (check_bytes(text, length, err) < 0)
		return -1;
	text = skip_blanks(text);
	if (!*text || *text == ';' || *text == '#')
		return 0;
	if (*text == '[')
		return parse_section(line, text + 1, err);
	return parse_key(line, text, err);
}

char *config_value_unquote(const char *value)
{
	char *plain = memory_alloc(strlen(value) + 1);
	char *out = plain;
	struct scan scan = {0};

	for (; *value; value++) {
		bool kept = scan.escaped && scan.quote && !strchr("$`\"\\", *value);

		if (kept)
			*out++ = '\\';
		if (!scan_byte(&scan, *value))
			*out++ = *value;
	}
	return plain;
}

char *config_value_quote(const char *value)
{
	size_t length = strlen(value);

	if (length == 0 || strpbrk(value, "'\"\\;") || is_blank(value[0]) ||
		is_blank(value[length - 1]))
		return words_quote(value);
	return memory_copy_string(value);
}
