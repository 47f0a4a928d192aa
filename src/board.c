/*
 * One line of the scoreboard as bytes. Rule: a line is 64 bytes that a stranger may have written;
 * every field is read by its place and length alone, nothing is searched for, nothing ends at a
 * NUL. Must not touch a file: scoreboard.c does.
 */
#include "board.h"

#include <string.h>

const struct board_run board_own_run[BOARD_OWN_RUNS] = {
	{BOARD_RETIRE_AT, BOARD_JOBS_AT - BOARD_RETIRE_AT},
	{BOARD_NOTE_AT - 1, 1},
	{BOARD_LINE_BYTES - 1, 1},
};

static const struct board_run worker_run[] = {
	{BOARD_STATE_AT, BOARD_RETIRE_AT - BOARD_STATE_AT},
	{BOARD_JOBS_AT, BOARD_JOBS_BYTES},
	{BOARD_NOTE_AT, BOARD_NOTE_BYTES},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum board_state read_state(char byte)
{
	if (byte == '.')
		return BOARD_NOTHING;
	if (byte == '_')
		return BOARD_IDLE;
	return byte >= 0x21 && byte <= 0x7e ? BOARD_BUSY : BOARD_NOISE;
}

/* Digits, then nothing but blanks to the end of the field. */
static bool read_jobs(uint64_t *jobs, const char field[BOARD_JOBS_BYTES])
{
	uint64_t value = 0;
	int i = 0;

	for (; i < BOARD_JOBS_BYTES && field[i] >= '0' && field[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(field[i] - '0');
	if (i == 0)
		return false;
	for (; i < BOARD_JOBS_BYTES; i++)
		if (field[i] != ' ')
			return false;
	*jobs = value;
	return true;
}

void board_line_read(struct board_line *out, const char line[BOARD_LINE_BYTES])
{
	out->state_byte = line[BOARD_STATE_AT];
	out->state = read_state(out->state_byte);
	out->jobs = 0;
	out->jobs_known = read_jobs(&out->jobs, line + BOARD_JOBS_AT);
}

void board_note_read(char note[BOARD_NOTE_BYTES + 1], const char line[BOARD_LINE_BYTES])
{
	int length = BOARD_NOTE_BYTES;

	memcpy(note, line + BOARD_NOTE_AT, BOARD_NOTE_BYTES);
	while (length > 0 && note[length - 1] == ' ')
		length--;
	note[length] = '\0';
	for (int i = 0; i < length; i++)
		if (note[i] < 0x20 || note[i] > 0x7e)
			note[i] = '?';
}

static bool runs_differ(const struct board_run *runs, size_t count, const char *a, const char *b)
{
	/* So it is nearly always, of a thousand lines at every look. */
	if (memcmp(a, b, BOARD_LINE_BYTES) == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (memcmp(a + runs[i].at, b + runs[i].at, (size_t)runs[i].bytes) != 0)
			return true;
	return false;
}

bool board_worker_bytes_differ(const char a[BOARD_LINE_BYTES], const char b[BOARD_LINE_BYTES])
{
	return runs_differ(worker_run, COUNT(worker_run), a, b);
}

bool board_own_bytes_differ(const char a[BOARD_LINE_BYTES], const char b[BOARD_LINE_BYTES])
{
	return runs_differ(board_own_run, BOARD_OWN_RUNS, a, b);
}

void board_own_bytes_copy(char to[BOARD_LINE_BYTES], const char from[BOARD_LINE_BYTES])
{
	for (int i = 0; i < BOARD_OWN_RUNS; i++)
		memcpy(to + board_own_run[i].at, from + board_own_run[i].at,
			(size_t)board_own_run[i].bytes);
}

void board_line_write_empty(char line[BOARD_LINE_BYTES])
{
	memset(line, ' ', BOARD_LINE_BYTES);
	line[BOARD_STATE_AT] = '.';
	line[BOARD_LINE_BYTES - 1] = '\n';
}

void board_line_write_worker(char line[BOARD_LINE_BYTES], pid_t pid)
{
	char digits[BOARD_PID_BYTES];
	int count = 0;

	board_line_write_empty(line);
	for (; pid > 0 && count < BOARD_PID_BYTES; pid /= 10)
		digits[count++] = (char)('0' + pid % 10);
	for (int i = 0; i < count; i++)
		line[BOARD_PID_AT + i] = digits[count - 1 - i];
}
