#ifndef PREFORKD_OPTIONS_H
#define PREFORKD_OPTIONS_H
/*
 * The one table of options: it drives parsing, defaults, range errors, proposals, freeing,
 * `preforkd config`, the reload's comparison, and the check that manual and sample name the same
 * keys. A new option is one line in options.c, one in the manual, one test. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct errmsg;

enum option_section { SECTION_PREFORKD, SECTION_SOCKET, SECTION_POOL };

enum option_type {
	OPTION_STRING,
	OPTION_INT, /* int64_t */
	OPTION_BOOL,
	OPTION_DURATION, /* int64_t, milliseconds */
	OPTION_SIZE,     /* int64_t, bytes */
	OPTION_MODE,     /* int64_t */
	OPTION_ENUM,     /* int, index into names */
	OPTION_SIGNAL,   /* int */
	OPTION_PATH,     /* char *, absolute by the file's folder */
	OPTION_COMMAND,  /* struct words, sh's quoting */
	OPTION_LIST,     /* struct words, separated by blanks */
	OPTION_STDIO,    /* struct stdio_setting */
	OPTION_LIMIT,    /* struct rlimit in limits[], a bit in limit_set */
	OPTION_AMOUNT,   /* struct amount */
	OPTION_CPUS,     /* unsigned char * */
	OPTION_ADDRESS,  /* struct address */
};

/* When a change of the key takes effect at reload. */
enum option_effect {
	EFFECT_RESTART, /* only at the next start of the supervisor */
	EFFECT_RUNNING, /* in place, nothing is restarted */
	EFFECT_WORKERS, /* the pool's workers are replaced */
	EFFECT_SOCKET,  /* the socket is bound anew */
};

/* A word with a meaning. OPTION_ENUM: one of them must be given. OPTION_PATH: they are no paths.
 * OPTION_STDIO: what is allowed; "log" is the word, "append:" takes a path or name behind it, and
 * "" is any other path. */
struct option_name {
	const char *name;
	int value;
};

struct option {
	enum option_section section;
	const char *key;
	enum option_type type;
	size_t offset;     /* of the field in the section's struct */
	size_t set_offset; /* of the bool that says an integer was given; 0: SETTING_UNSET does */
	const char *fallback;            /* the default as text, parsed like a value; NULL: none */
	int64_t min, max;                /* bounds of numbers; both 0: none but the type's */
	const struct option_name *names; /* ended by a NULL name; see there */
	enum option_effect effect;
	unsigned flags;
	const char *help; /* one line */
};
#define OPTION_REPEATS     1u /* may be given more than once; the values add up */
#define OPTION_LATER       2u /* known, but not in this version: a clear error */
#define OPTION_INFINITE    4u /* a duration that may be "infinity" */
#define OPTION_PERCENT     8u /* %{pool} and the like are replaced in it */
#define OPTION_REQUIRED    16u
#define OPTION_ASSIGNMENTS 32u /* every word is NAME=value */
#define OPTION_DISSOLVES   64u /* what it brings in is in the settings: it is not printed */

extern const struct option options[];
extern const size_t option_count;

/* By section and key; NULL: unknown. Its number, option - options, is its index. */
const struct option *option_find(enum option_section section, const char *key);
/* "preforkd", "socket:", "pool:": how the section is written. */
const char *option_section_name(enum option_section section);

/* Parses text into the field of `section_struct`; one that repeats is added to. folder: for
 * relative paths. 0, or -1 with the reason and the field untouched. OPTION_COMMAND takes sh's
 * quoting; all others take the text as it is. */
int option_set(const struct option *option, void *section_struct, const char *text,
	const char *folder, struct errmsg *err);
/* Sets every option of the section to its default. The struct holds values, or nothing but zeros.
 */
void options_set_defaults(enum option_section section, void *section_struct);
/* The value as text that option_set() reads back the same; malloced; NULL: has no value. */
char *option_format(const struct option *option, const void *section_struct);
/* An absolute path as it is, another one behind the folder, "//" and "/./" made "/". percent: the
 * folder's percent signs are doubled, since the whole will be expanded. malloced. */
char *option_make_path(const char *text, const char *folder, bool percent);
bool option_equal(const struct option *option, const void *a, const void *b);
bool option_is_default(const struct option *option, const void *section_struct);
void options_free(enum option_section section, void *section_struct);

#endif
