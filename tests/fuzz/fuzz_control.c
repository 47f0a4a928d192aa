/*
 * Any bytes, in pieces of any size, as requests of the control socket: read into lines, split into
 * words, looked up in the table of verbs. What comes out keeps its bounds, means the same however
 * the bytes were cut, and is read back the same from its own words.
 *
 * The first byte says how long the pieces are.
 */
#include "control_line.h"
#include "control_verbs.h"

#include <signal.h>

#include "must.h"
#include "settings.h"

static void check_reason(const struct errmsg *err)
{
	must(err->text[0] && strlen(err->text) < sizeof(err->text));
	for (const char *c = err->text; *c; c++)
		must(*c >= 0x20 && *c <= 0x7e);
}

static void check_command(const struct control_command *command, int words)
{
	const struct control_verb_info *info = control_verb_info(command->verb);

	must((unsigned)command->verb < VERB_COUNT);
	must(words >= info->least_words && words <= info->most_words);
	must(!command->pool || strlen(command->pool) <= SECTION_NAME_MAX);
	must(command->slot >= -1 && command->slot <= 1000000);
	must(command->signal_number >= 0 && command->signal_number < _NSIG);
	must(command->number >= (command->scale == SCALE_BY ? -1000000 : 0) &&
		command->number <= 1000000);
	must(command->verb != VERB_SIGNAL || command->signal_number > 0);
	must(command->slot < 0 || command->pool);
}

static void check_words(char **word, int words)
{
	struct control_command command;
	struct errmsg err;

	must(words >= 1 && words <= CONTROL_WORDS_MAX && !word[words]);
	for (int i = 0; i < words; i++) {
		must(word[i][0] != '\0');
		for (const char *c = word[i]; *c; c++)
			must(*c > 0x20 && *c <= 0x7e);
	}
	if (control_verb_parse(&command, word, words, &err) < 0)
		check_reason(&err);
	else
		check_command(&command, words);
}

/* The bytes of a line, on the heap with the one byte behind them that is promised. */
static void check_line(const char *bytes, size_t length)
{
	char *text = malloc(length + 1), *word[CONTROL_WORDS_MAX + 1];
	struct errmsg err;
	int words;

	must(text && length < CONTROL_LINE_MAX);
	memcpy(text, bytes, length);
	words = control_line_split(text, length, word, &err);
	if (words < 0)
		check_reason(&err);
	else
		check_words(word, words);
	free(text);
}

/* As the socket's reader does it; returns a number that stands for the lines that came out. */
static uint64_t read_in_pieces(const uint8_t *data, size_t size, size_t piece, bool check)
{
	struct control_line *line = calloc(1, sizeof(*line));
	char text[CONTROL_LINE_MAX];
	size_t length, room;
	uint64_t sum = 0;

	must(line != NULL);
	while (size > 0 && !control_line_overflown(line)) {
		room = sizeof(line->bytes) - line->length;
		piece = piece < room ? piece : room;
		piece = piece < size ? piece : size;
		memcpy(line->bytes + line->length, data, piece);
		line->length += piece;
		data += piece;
		size -= piece;
		while (control_line_take(line, text, &length)) {
			for (size_t i = 0; i < length; i++)
				sum = sum * 31 + (unsigned char)text[i];
			sum = sum * 31 + 1000;
			if (check)
				check_line(text, length);
		}
		piece = piece ? piece : 1;
	}
	must(line->length <= CONTROL_LINE_MAX);
	free(line);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (size < 2)
		return 0;
	piece = data[0] ? data[0] : CONTROL_LINE_MAX;
	must(read_in_pieces(data + 1, size - 1, piece, true) ==
		read_in_pieces(data + 1, size - 1, 1, false));
	return 0;
}
