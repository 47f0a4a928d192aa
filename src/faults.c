/*
 * The list of what is wrong with a configuration. A fault goes to its place as it is found, since
 * the checks of whole sections find late what belongs to early lines. Formats only; whether the
 * list is printed or logged is the caller's business.
 */
#include "faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static bool same_file(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Behind everything of the same file up to this line; a file not seen yet comes last. */
static size_t find_place(const struct faults *faults, const char *file, int line)
{
	size_t place = faults->count;

	for (size_t i = 0; i < faults->count; i++) {
		if (!same_file(faults->fault[i].file, file))
			continue;
		if (faults->fault[i].line > line)
			return i;
		place = i + 1;
	}
	return place;
}

static void insert(struct faults *faults, const struct fault *fault)
{
	size_t place = find_place(faults, fault->file, fault->line);

	faults->fault = memory_resize(faults->fault, faults->count + 1, sizeof(*faults->fault));
	memmove(&faults->fault[place + 1], &faults->fault[place],
		(faults->count - place) * sizeof(*faults->fault));
	faults->fault[place] = *fault;
	faults->count++;
	if (!fault->warning)
		faults->errors++;
}

/* "FILE:LINE: [SECTION] KEY: ", without the parts that are not known. */
static char *format_place(const struct fault *fault, const char *section, const char *key)
{
	char line[16] = "";
	bool subject = section || key;

	if (fault->line > 0)
		snprintf(line, sizeof(line), ":%d", fault->line);
	return memory_format("%s%s%s%s%s%s%s%s%s", fault->file ? fault->file : "", line,
		fault->file ? ": " : "", section ? "[" : "", section ? section : "",
		section ? "]" : "", section && key ? " " : "", key ? key : "", subject ? ": " : "");
}

static void add(struct faults *faults, struct fault *fault, const char *section, const char *key,
	const char *format, va_list arguments)
{
	char *place = format_place(fault, section, key);
	char *what = memory_format_list(format, arguments);

	fault->text = memory_format("%s%s%s", place, fault->warning ? "warning: " : "", what);
	free(what);
	free(place);
	insert(faults, fault);
}

void faults_add(struct faults *faults, const char *file, int line, const char *section,
	const char *key, const char *format, ...)
{
	struct fault fault = {.file = memory_copy_string(file), .line = line};
	va_list arguments;

	va_start(arguments, format);
	add(faults, &fault, section, key, format, arguments);
	va_end(arguments);
}

void faults_warn(struct faults *faults, const char *file, int line, const char *section,
	const char *key, const char *format, ...)
{
	struct fault fault = {.file = memory_copy_string(file), .line = line, .warning = true};
	va_list arguments;

	va_start(arguments, format);
	add(faults, &fault, section, key, format, arguments);
	va_end(arguments);
}

void faults_free(struct faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		free(faults->fault[i].text);
		free(faults->fault[i].file);
	}
	free(faults->fault);
	*faults = (struct faults){0};
}
