/*
 * The nearest name: Damerau's distance in its simple form (insert, delete, replace, swap two
 * neighbours), letters alike in either case. Three rows are enough, on the stack; longer names are
 * nobody's slip of the finger.
 */
#include "suggest.h"

#include <stdbool.h>
#include <string.h>

#define NAME_BYTES_MAX 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Neither is longer than NAME_BYTES_MAX. */
static size_t edits_between(const char *a, const char *b)
{
	size_t rows[3][NAME_BYTES_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t b_length = strlen(b);

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *free_row = before;

		before = above;
		above = row;
		row = free_row;
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			row[j] = least(above[j - 1] + !same, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b_length];
}

const char *suggest_nearest(const char *name, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t nearest_edits = NAME_BYTES_MAX + 1;
	size_t name_length = strlen(name);

	if (name_length > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(candidates[i]);
		size_t allowed = length / 3 > 1 ? length / 3 : 1;
		size_t edits;

		/* It takes as many edits at least as one is longer than the other. */
		if (length > NAME_BYTES_MAX || length > name_length + allowed ||
			name_length > length + allowed)
			continue;
		edits = edits_between(name, candidates[i]);
		/* Fewer than both are long: something of the name must be left in it. */
		if (edits <= allowed && edits < length && edits < name_length &&
			edits < nearest_edits) {
			nearest = candidates[i];
			nearest_edits = edits;
		}
	}
	return nearest;
}
