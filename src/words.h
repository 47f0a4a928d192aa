#ifndef PREFORKD_WORDS_H
#define PREFORKD_WORDS_H
/*
 * A list of words: the command line of a worker, a list of names. Splitting follows sh(1)'s quoting
 * ('...', "...", backslash) and nothing else of sh: no variables, no globs, no operators. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

struct errmsg;

struct words {
	size_t count;
	/* count strings and a NULL behind them, as execv(3) wants; NULL if none; owned */
	char **word;
};

/* Splits text. 0, or -1 with the reason (unbalanced quote, lone backslash at the end). On failure
 * *words is empty. */
int words_split(struct words *words, const char *text, struct errmsg *err);
/* Splits at blanks only; quotes mean nothing. */
int words_split_blanks(struct words *words, const char *text, struct errmsg *err);
/* Appends a copy of one word. */
void words_add(struct words *words, const char *word);
/* The words as one string that words_split() splits the same way again. malloced. */
char *words_join(const struct words *words);
/* One word, quoted only where sh needs it. malloced. */
char *words_quote(const char *word);
bool words_equal(const struct words *a, const struct words *b);
void words_free(struct words *words);

/* What %{pool}, %{slot} and %{name} stand for. */
struct expansion {
	const char *name;
	const char *pool;
	int slot; /* negative: %{slot} is left as it stands; so are the others when NULL */
};
/* Replaces %{pool}, %{slot}, %{name} and %%. malloced, or NULL with the reason when something else
 * follows a percent sign. */
char *words_expand(const char *text, const struct expansion *expansion, struct errmsg *err);

#endif
