/*
 * The table of options as text, for scripts/check-options: a line each,
 * SECTION<tab>KEY<tab>DEFAULT<tab>EFFECT<tab>FLAGS<tab>HELP, "-" where there is none.
 */
#include <stdio.h>

#include "options.h"

static const char *effect_name(enum option_effect effect)
{
	switch (effect) {
	case EFFECT_RESTART: return "restart";
	case EFFECT_RUNNING: return "running";
	case EFFECT_WORKERS: return "workers";
	case EFFECT_SOCKET: return "socket";
	}
	return "-";
}

int main(void)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];

		printf("%s\t%s\t%s\t%s\t%s%s%s%s%s\t%s\n", option_section_name(option->section),
			option->key, option->fallback ? option->fallback : "-",
			effect_name(option->effect), option->flags ? "" : "-",
			option->flags & OPTION_REPEATS ? "repeats " : "",
			option->flags & OPTION_LATER ? "later " : "",
			option->flags & OPTION_REQUIRED ? "required " : "",
			option->flags & OPTION_PERCENT ? "percent " : "", option->help);
	}
	return 0;
}
