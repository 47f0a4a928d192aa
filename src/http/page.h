#ifndef PREFORKD_HTTP_PAGE_H
#define PREFORKD_HTTP_PAGE_H
/*
 * The page as one document, and the Content-Security-Policy that lets nothing run or be loaded but
 * its own script and style. Made from page/ by embed-page when the program is built.
 */
#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_length;
extern const char page_policy[];

#endif
