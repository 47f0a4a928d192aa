/*
 * Allocations that cannot be refused, and the reserve that they are made of when there is nothing
 * else. The reserve is the process's, as the heap is. Only what is asked for here may use it.
 */
#include "memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_BYTES (1 << 20) /* a mapping of its own, which free(3) gives back */

static void *reserve;

static bool give_reserve(void)
{
	const bool given = reserve != NULL;

	free(reserve);
	reserve = NULL;
	return given;
}

bool memory_ready(void)
{
	if (!reserve)
		reserve = malloc(RESERVE_BYTES);
	return reserve != NULL;
}

void memory_release_reserve(void)
{
	give_reserve();
}

static void __attribute__((noreturn)) give_up(void)
{
	static const char message[] = "preforkd: out of memory\n";

	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(70);
	_exit(70);
}

void *memory_alloc(size_t bytes)
{
	void *block;

	while (!(block = calloc(1, bytes ? bytes : 1)))
		if (!give_reserve())
			give_up();
	return block;
}

void *memory_resize(void *block, size_t count, size_t bytes)
{
	void *resized;
	size_t all;

	if (__builtin_mul_overflow(count ? count : 1, bytes, &all))
		give_up();
	while (!(resized = realloc(block, all)))
		if (!give_reserve())
			give_up();
	return resized;
}

char *memory_copy_string(const char *text)
{
	char *copy;

	if (!text)
		return NULL;
	while (!(copy = strdup(text)))
		if (!give_reserve())
			give_up();
	return copy;
}

char *memory_format_list(const char *format, va_list arguments)
{
	char *text = NULL;
	va_list once;
	int length;

	do {
		va_copy(once, arguments);
		length = vasprintf(&text, format, once);
		va_end(once);
		if (length < 0 && !give_reserve())
			give_up();
	} while (length < 0);
	return text;
}

char *memory_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = memory_format_list(format, arguments);
	va_end(arguments);
	return text;
}
