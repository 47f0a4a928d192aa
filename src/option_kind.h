#ifndef PREFORKD_OPTION_KIND_H
#define PREFORKD_OPTION_KIND_H
/*
 * What can be done with one value of a type: the seam between the table of options (options.c) and
 * the types (option_number.c, option_text.c). Nothing else includes it. Floor 0.
 */
#include <stdbool.h>

#include "options.h"

struct errmsg;

/* Where a value goes to. */
struct option_target {
	const struct option *option;
	void *section;
	const char *folder; /* of relative paths; NULL: they are refused */
};

struct option_kind {
	/* 0, or -1 with the reason and the field untouched. */
	int (*set)(const struct option_target *target, const char *text, struct errmsg *err);
	/* The text that set() reads back, malloced; NULL: has no value. */
	char *(*format)(const struct option *option, const void *section);
	bool (*equal)(const struct option *option, const void *a, const void *b);
	/* Frees the value; the field then says that there is none. */
	void (*release)(const struct option *option, void *section);
};

/* Numbers and what is kept as such. */
extern const struct option_kind option_kind_int, option_kind_bool, option_kind_duration,
	option_kind_size, option_kind_mode, option_kind_enum, option_kind_signal, option_kind_limit,
	option_kind_amount, option_kind_cpus;
/* Texts. */
extern const struct option_kind option_kind_string, option_kind_path, option_kind_command,
	option_kind_list, option_kind_stdio, option_kind_address;

void *option_field(const struct option *option, void *section);
const void *option_const_field(const struct option *option, const void *section);

/* The name that is the text, or NULL. */
const struct option_name *option_find_name(const struct option_name *names, const char *text);
/* The refusal of a text that is none of the names, with a proposal. Always -1. */
int option_refuse_name(
	const struct option_name *names, bool or_path, const char *text, struct errmsg *err);

#endif
