#ifndef PREFORKD_TOP_PLAIN_H
#define PREFORKD_TOP_PLAIN_H
/*
 * A model as plain lines, for a file, a pipe or a mail.
 */
#include <stdbool.h>
#include <stdio.h>

struct top_model;

void plain_print(FILE *out, const struct top_model *model, bool ascii);

#endif
