#ifndef PREFORKD_CONFIG_LINE_H
#define PREFORKD_CONFIG_LINE_H
/*
 * One line of a configuration file, taken apart: a section's header, `key = value`, or nothing. A
 * value may use sh's quoting; " ;" outside quotes begins a comment. Floor 0.
 */
#include <stddef.h>

struct errmsg;

#define CONFIG_VALUE_MAX_BYTES 65536 /* without its quoting */

enum config_line_kind { CONFIG_LINE_NOTHING, CONFIG_LINE_SECTION, CONFIG_LINE_KEY };

struct config_line {
	enum config_line_kind kind;
	char *name;  /* the section's or the key's; into the text that was given */
	char *value; /* of a key: without the comment, its quotes as written; likewise */
};

/* Takes text (length bytes and a NUL behind them, without the newline) apart in place. 0, or -1
 * with the reason. */
int config_line_parse(struct config_line *line, char *text, size_t length, struct errmsg *err);

/* The value without its quoting, blanks as they are. The quotes are known to be balanced. malloced.
 */
char *config_value_unquote(const char *value);
/* The value, quoted where it must be so that config_value_unquote() gives it back. malloced. */
char *config_value_quote(const char *value);

#endif
