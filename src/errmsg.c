/*
 * Reasons in words. errno survives, so that a caller can both print the reason and choose an exit
 * status by the number.
 */
#include "errmsg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int errmsg_set(struct errmsg *err, const char *format, ...)
{
	int saved = errno;
	va_list arguments;

	if (err) {
		va_start(arguments, format);
		vsnprintf(err->text, sizeof(err->text), format, arguments);
		va_end(arguments);
	}
	errno = saved;
	return -1;
}

int errmsg_errno(struct errmsg *err, const char *format, ...)
{
	int saved = errno;
	va_list arguments;
	size_t length;

	if (err) {
		va_start(arguments, format);
		vsnprintf(err->text, sizeof(err->text), format, arguments);
		va_end(arguments);
		length = strlen(err->text);
		snprintf(err->text + length, sizeof(err->text) - length, ": %s", strerror(saved));
	}
	errno = saved;
	return -1;
}
