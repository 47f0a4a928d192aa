/*
 * Allocations that cannot be refused. With Linux's overcommit they fail in practice only under a
 * hard address-space limit, where nothing sensible can go on.
 */
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must_have(void *block)
{
	static const char message[] = "preforkd: out of memory\n";

	if (block)
		return block;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(70);
	_exit(70);
}

void *memory_alloc(size_t bytes)
{
	return must_have(calloc(1, bytes ? bytes : 1));
}

void *memory_resize(void *block, size_t count, size_t bytes)
{
	return must_have(reallocarray(block, count ? count : 1, bytes));
}

char *memory_copy_string(const char *text)
{
	return text ? must_have(strdup(text)) : NULL;
}

char *memory_format(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return must_have(text);
}
