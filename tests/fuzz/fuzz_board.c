/*
 * Any bytes as a line of the scoreboard: nothing is read beyond it, and what is read keeps its
 * bounds. The first 64 bytes are one line, the next 64 another to compare with.
 */
#include "board.h"

#include "must.h"

/* A line of its own on the heap, so that a byte too many is seen. */
static char *copy_line(const uint8_t *data, size_t size, size_t from)
{
	char *line = malloc(BOARD_LINE_BYTES);

	must(line != NULL);
	board_line_write_empty(line);
	if (size > from)
		memcpy(line, data + from,
			size - from < BOARD_LINE_BYTES ? size - from : BOARD_LINE_BYTES);
	return line;
}

static void check_reading(const char *line)
{
	char note[BOARD_NOTE_BYTES + 1];
	struct board_line said;

	board_line_read(&said, line);
	must(said.state <= BOARD_NOISE && said.state_byte == line[0]);
	must(said.jobs <= 999999999999u && (said.jobs_known || said.jobs == 0));
	board_note_read(note, line);
	must(strlen(note) <= BOARD_NOTE_BYTES);
	for (const char *c = note; *c; c++)
		must(*c >= 0x20 && *c <= 0x7e);
}

static void check_comparing(const char *a, char *b)
{
	bool own = board_own_bytes_differ(a, b);
	bool workers = board_worker_bytes_differ(a, b);

	must((memcmp(a, b, BOARD_LINE_BYTES) != 0) == (own || workers));
	board_own_bytes_copy(b, a);
	must(!board_own_bytes_differ(a, b) && board_worker_bytes_differ(a, b) == workers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *a = copy_line(data, size, 0);
	char *b = copy_line(data, size, BOARD_LINE_BYTES);

	check_reading(a);
	check_reading(b);
	check_comparing(a, b);
	free(a);
	free(b);
	return 0;
}
