/*
 * Any text as a command line: it is split or refused with a reason; words joined again split the
 * same, each by itself and all together; splitting at blanks alone loses no other byte; expanding
 * knows its four names only.
 */
#include "words.h"

#include "must.h"

/* No word holds more than the text gave, and there are no more words than it has room for. */
static void check_bounds(const struct words *words, const char *text)
{
	size_t length = strlen(text), total = 0;

	must(words->count <= length && (words->count > 0) == (words->word != NULL));
	must(!words->word || !words->word[words->count]);
	for (size_t i = 0; i < words->count; i++)
		total += strlen(words->word[i]);
	must(total <= length);
}

static void check_quoted(const char *word)
{
	char *quoted = words_quote(word);
	struct words words;

	must(words_split(&words, quoted, NULL) == 0);
	must(words.count == 1 && strcmp(words.word[0], word) == 0);
	must(strlen(quoted) <= 4 * strlen(word) + 2);
	words_free(&words);
	free(quoted);
}

static void check_joined(const struct words *words)
{
	char *joined = words_join(words), *again;
	struct words copy;

	must(words_split(&copy, joined, NULL) == 0);
	must(words_equal(words, &copy));
	again = words_join(&copy);
	must(strcmp(joined, again) == 0);
	free(again);
	free(joined);
	words_free(&copy);
	for (size_t i = 0; i < words->count; i++)
		check_quoted(words->word[i]);
}

static void check_split(const char *text)
{
	struct words words;
	struct errmsg err = {""};

	if (words_split(&words, text, &err) < 0) {
		must_be_reason(&err);
		must(words.count == 0 && !words.word && strpbrk(text, "'\"\\"));
		return;
	}
	check_bounds(&words, text);
	check_joined(&words);
	words_free(&words);
}

/* The words one behind the other are the text without its blanks. */
static void check_split_at_blanks(const char *text)
{
	struct words words;

	must(words_split_blanks(&words, text, NULL) == 0);
	check_bounds(&words, text);
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.word[i];

		text += strspn(text, " \t\n");
		must(*word && !word[strcspn(word, " \t\n")]);
		must(strncmp(text, word, strlen(word)) == 0);
		text += strlen(word);
	}
	must(!text[strspn(text, " \t\n")]);
	words_free(&words);
}

static size_t count_percents(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '%';
	return count;
}

/* Values as long as their names put in nothing: what is not expanded is a percent sign less. */
static void check_expanded(const char *text)
{
	static const struct expansion known = {
		.name = "=name==", .pool = "=pool==", .slot = 7654321};
	static const struct expansion unknown = {.slot = -1};
	struct errmsg err = {""};
	char *expanded = words_expand(text, &known, &err),
	     *left = words_expand(text, &unknown, NULL);

	must((expanded == NULL) == (left == NULL));
	if (!expanded) {
		must_be_reason(&err);
		must(strchr(text, '%'));
	} else {
		must(strlen(expanded) == strlen(left) && strlen(left) <= strlen(text));
		must(strlen(text) - strlen(left) <= count_percents(text) / 2);
		must(strchr(text, '%') || strcmp(expanded, text) == 0);
	}
	free(expanded);
	free(left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);

	check_split(text);
	check_split_at_blanks(text);
	check_expanded(text);
	free(text);
	return 0;
}
