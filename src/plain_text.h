#ifndef PREFORKD_PLAIN_TEXT_H
#define PREFORKD_PLAIN_TEXT_H
/* Text of others that is to be shown on a terminal. Floor 0. */
#include <stddef.h>

/* Replaces whatever might move a cursor or change a terminal (control characters, also those of
 * ISO 8859-1 in UTF-8, and bytes that are no UTF-8 text) by '?', in place. Returns text. */
char *plain_text_clean(char *text);
/* How many columns it takes, at one for each character. */
size_t plain_text_columns(const char *text);

#endif
