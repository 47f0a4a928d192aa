#ifndef PREFORKD_STATUS_TEXT_H
#define PREFORKD_STATUS_TEXT_H
/* The status document as tables for people. Floor 0. */
#include <jansson.h>

/* The whole text, ending in a newline; malloced, NULL: no memory. columns: the width that lines of
 * workers are cut to; 0: not cut. What lacks in the document, or has another type than it should,
 * is shown as "-" or left out. */
char *status_text_render(const json_t *document, int columns);

#endif
