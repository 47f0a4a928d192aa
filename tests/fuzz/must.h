#ifndef PREFORKD_TESTS_FUZZ_MUST_H
#define PREFORKD_TESTS_FUZZ_MUST_H
/* What every fuzz target has: its one function, and a way to say what must hold. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* A refusal says why, within its bounds. What it cites is the input: any byte may be in it. */
static inline void must_be_reason(const struct errmsg *err)
{
	size_t length = strnlen(err->text, sizeof(err->text));

	must(length > 0 && length < sizeof(err->text));
}

/* The input as a string, on the heap and no byte longer than it is; owned by the caller. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
