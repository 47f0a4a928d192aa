/*
 * What the types of options have in common: the field of an option, and words with a meaning.
 */
#include "option_kind.h"

#include <stdio.h>
#include <string.h>

#include "errmsg.h"
#include "suggest.h"

#define NAMES_MAX 16

void *option_field(const struct option *option, void *section)
{
	return (char *)section + option->offset;
}

const void *option_const_field(const struct option *option, const void *section)
{
	return (const char *)section + option->offset;
}

const struct option_name *option_find_name(const struct option_name *names, const char *text)
{
	for (; names && names->name; names++)
		if (strcmp(names->name, text) == 0)
			return names;
	return NULL;
}

int option_refuse_name(
	const struct option_name *names, bool or_path, const char *text, struct errmsg *err)
{
	const char *candidates[NAMES_MAX], *nearest;
	char list[512] = "";
	size_t count = 0, length = 0;

	for (; names[count].name && *names[count].name && count < NAMES_MAX; count++) {
		candidates[count] = names[count].name;
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
			count ? ", " : "", names[count].name);
	}
	if (or_path || names[count].name)
		snprintf(list + length, sizeof(list) - length, ", a path such as ./%.80s", text);
	nearest = suggest_nearest(text, candidates, count);
	return errmsg_set(err, "\"%.80s\" is none of %s%s%s%s", text, list,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}
