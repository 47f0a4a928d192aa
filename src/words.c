/*
 * Words split, quoted and expanded. The splitter is one walk over the text that appends to the word
 * at hand; a word exists as soon as something of it, be it an empty pair of quotes, was seen. No
 * shell is involved, and nothing of the text is looked up anywhere but in struct expansion.
 */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "memory.h"

/* A string that grows; text is NULL until something was added. */
struct growing {
	char *text;
	size_t length, size;
};

static void grow_bytes(struct growing *growing, const char *bytes, size_t length)
{
	if (!growing->text || growing->length + length + 1 > growing->size) {
		growing->size = 2 * (growing->length + length) + 16;
		growing->text = memory_resize(growing->text, growing->size, 1);
	}
	memcpy(growing->text + growing->length, bytes, length);
	growing->length += length;
	growing->text[growing->length] = '\0';
}

static void grow_text(struct growing *growing, const char *text)
{
	grow_bytes(growing, text, strlen(text));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Takes the string over. */
static void add_owned(struct words *words, char *word)
{
	words->word = memory_resize(words->word, words->count + 2, sizeof(*words->word));
	words->word[words->count++] = word;
	words->word[words->count] = NULL;
}

void words_add(struct words *words, const char *word)
{
	add_owned(words, memory_copy_string(word));
}

/* Ends the word at hand, if there is one. */
static void end_word(struct words *words, struct growing *word)
{
	if (word->text)
		add_owned(words, word->text);
	*word = (struct growing){0};
}

/* The text behind the opening single quote; returns what follows the closing one, or NULL. */
static const char *take_single_quoted(struct growing *word, const char *text)
{
	size_t length = strcspn(text, "'");

	grow_bytes(word, text, length);
	return text[length] ? text + length + 1 : NULL;
}

/* A backslash at *text and the byte behind it; a newline between the two words is joined. */
static const char *take_escaped(struct growing *word, const char *text)
{
	if (!text[1])
		return NULL;
	if (text[1] != '\n')
		grow_bytes(word, text + 1, 1);
	return text + 2;
}

/* Likewise for double quotes, where a backslash means something before few bytes only. */
static const char *take_double_quoted(struct growing *word, const char *text)
{
	grow_bytes(word, "", 0);
	while (text && *text && *text != '"') {
		if (*text == '\\' && text[1] && strchr("$`\"\\\n", text[1]))
			text = take_escaped(word, text);
		else
			grow_bytes(word, text++, 1);
	}
	return text && *text ? text + 1 : NULL;
}

/* One step of words_split(): what follows, or NULL with the reason. */
static const char *split_step(
	struct words *words, struct growing *word, const char *text, struct errmsg *err)
{
	const char *rest;

	if (is_blank(*text)) {
		end_word(words, word);
		return text + 1;
	}
	switch (*text) {
	case '\'': rest = take_single_quoted(word, text + 1); break;
	case '"': rest = take_double_quoted(word, text + 1); break;
	case '\\': rest = take_escaped(word, text); break;
	default: grow_bytes(word, text, 1); return text + 1;
	}
	if (!rest && *text == '\\')
		errmsg_set(err, "a lone backslash at the end");
	else if (!rest)
		errmsg_set(err, "unbalanced quote %c", *text);
	return rest;
}

int words_split(struct words *words, const char *text, struct errmsg *err)
{
	struct growing word = {0};

	*words = (struct words){0};
	while (text && *text)
		text = split_step(words, &word, text, err);
	if (!text) {
		free(word.text);
		words_free(words);
		return -1;
	}
	end_word(words, &word);
	return 0;
}

int words_split_blanks(struct words *words, const char *text, struct errmsg *err)
{
	struct growing word = {0};

	(void)err; /* nothing can be wrong with it; one shape for both ways to split */
	*words = (struct words){0};
	for (; *text; text++) {
		if (is_blank(*text))
			end_word(words, &word);
		else
			grow_bytes(&word, text, 1);
	}
	end_word(words, &word);
	return 0;
}

/* Does sh(1) take the word as it stands? Control characters need no quotes there, but would not be
 * seen, or would be trimmed, without. */
static bool is_plain(const char *word)
{
	if (!*word || *word == '#' || *word == '~' || strcmp(word, "{") == 0 ||
		strcmp(word, "}") == 0)
		return false;
	/* Braces are plain, so that %{slot} stays readable, unless bash would expand them. */
	if (strchr(word, '{') && (strchr(word, ',') || strstr(word, "..")))
		return false;
	for (; *word; word++)
		if ((unsigned char)*word <= ' ' || strchr("|&;<>()$`\\\"'*?[]!^\177", *word))
			return false;
	return true;
}

static void grow_quoted(struct growing *out, const char *word)
{
	if (is_plain(word)) {
		grow_text(out, word);
		return;
	}
	grow_text(out, "'");
	for (; *word; word++) {
		if (*word == '\'')
			grow_text(out, "'\\''");
		else
			grow_bytes(out, word, 1);
	}
	grow_text(out, "'");
}

char *words_quote(const char *word)
{
	struct growing out = {0};

	grow_quoted(&out, word);
	return out.text;
}

char *words_join(const struct words *words)
{
	struct growing out = {0};

	grow_text(&out, "");
	for (size_t i = 0; i < words->count; i++) {
		if (i > 0)
			grow_text(&out, " ");
		grow_quoted(&out, words->word[i]);
	}
	return out.text;
}

bool words_equal(const struct words *a, const struct words *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->word[i], b->word[i]) != 0)
			return false;
	return true;
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
	free(words->word);
	*words = (struct words){0};
}

/* What follows a percent sign, at text: its value goes out, and the length of it in text comes
 * back; 0 when it means nothing. A value that is not known leaves everything as it stands. */
static size_t grow_expanded(
	struct growing *out, const char *text, const struct expansion *expansion)
{
	char slot[16];
	const struct {
		const char *name;
		const char *value;
	} known[] = {
		{"{name}", expansion->name},
		{"{pool}", expansion->pool},
		{"{slot}", expansion->slot < 0 ? NULL : slot},
		{"%", "%"},
	};

	snprintf(slot, sizeof(slot), "%d", expansion->slot);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t length = strlen(known[i].name);

		if (strncmp(text, known[i].name, length) != 0)
			continue;
		if (known[i].value)
			grow_text(out, known[i].value);
		else
			grow_bytes(out, text - 1, length + 1);
		return length;
	}
	return 0;
}

char *words_expand(const char *text, const struct expansion *expansion, struct errmsg *err)
{
	struct growing out = {0};

	grow_text(&out, "");
	while (*text) {
		size_t plain = strcspn(text, "%");
		size_t length;

		grow_bytes(&out, text, plain);
		text += plain;
		if (!*text)
			break;
		length = grow_expanded(&out, text + 1, expansion);
		if (!length) {
			errmsg_set(err,
				"\"%.20s\" is none of %%{name}, %%{pool}, %%{slot} and %%%%", text);
			free(out.text);
			return NULL;
		}
		text += length + 1;
	}
	return out.text;
}
