#ifndef PREFORKD_HTTP_METRICS_H
#define PREFORKD_HTTP_METRICS_H
/*
 * The status document as Prometheus reads it (text format 0.0.4). Pure.
 */
#include "blob.h"

#include <jansson.h>

void metrics_print(json_t *document, struct text *text);

#endif
