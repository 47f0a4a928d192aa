/*
 * Progress in words and as a bar. On a terminal it is one line whatever the number of pools, cut to
 * the width as it is now, so that a window of any size shows it properly.
 */
#include "client_progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"

#define BAR_CELLS   30
#define COLUMNS_MIN 20
#define LINE_BYTES  512

struct client_progress_pool {
	char *name; /* owned */
	int done, total, starting;
};

void client_progress_init(struct client_progress *progress, FILE *out, const char *done_word)
{
	struct winsize window = {0};

	*progress = (struct client_progress){.out = out, .done_word = done_word};
	if (!isatty(fileno(out)))
		return;
	progress->columns = 80;
	if (ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_col >= COLUMNS_MIN)
		progress->columns = window.ws_col;
}

static struct client_progress_pool *find_pool(struct client_progress *progress, const char *name)
{
	struct client_progress_pool *pool;

	for (size_t i = 0; i < progress->pools; i++)
		if (strcmp(progress->pool[i].name, name) == 0)
			return &progress->pool[i];
	progress->pool =
		memory_resize(progress->pool, progress->pools + 1, sizeof(*progress->pool));
	pool = &progress->pool[progress->pools++];
	*pool = (struct client_progress_pool){.name = memory_copy_string(name), .total = -1};
	return pool;
}

static int number_of(const json_t *event, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(event, key));

	return number < 0 ? 0 : number > 1000000 ? 1000000 : (int)number;
}

static int format_numbers(char *text, size_t size, const struct client_progress *progress,
	const struct client_progress_pool *pool)
{
	int length =
		snprintf(text, size, "%d of %d %s", pool->done, pool->total, progress->done_word);

	if (pool->starting > 0 && length > 0 && (size_t)length < size)
		length += snprintf(
			text + length, size - (size_t)length, ", %d starting", pool->starting);
	return length;
}

static void draw_bar(struct client_progress *progress)
{
	struct client_progress_pool sum = {0};
	char numbers[LINE_BYTES], label[64], bar[BAR_CELLS + 1];
	int cells, full;

	for (size_t i = 0; i < progress->pools; i++) {
		sum.done += progress->pool[i].done;
		sum.total += progress->pool[i].total;
		sum.starting += progress->pool[i].starting;
	}
	format_numbers(numbers, sizeof(numbers), progress, &sum);
	if (progress->pools == 1)
		snprintf(label, sizeof(label), "%s", progress->pool[0].name);
	else
		snprintf(label, sizeof(label), "%zu pools", progress->pools);
	cells = progress->columns - 1 - (int)(strlen(label) + strlen(numbers) + strlen(": [] "));
	cells = cells > BAR_CELLS ? BAR_CELLS : cells;
	if (cells < 1) {
		fprintf(progress->out, "\r%.*s\033[K", progress->columns - 1, numbers);
	} else {
		full = sum.total > 0 ? (int)((long)cells * sum.done / sum.total) : cells;
		full = full > cells ? cells : full;
		memset(bar, '#', (size_t)full);
		memset(bar + full, '.', (size_t)(cells - full));
		bar[cells] = '\0';
		fprintf(progress->out, "\r%s: [%s] %s\033[K", label, bar, numbers);
	}
	progress->drawn = true;
}

void client_progress_show(struct client_progress *progress, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "pool"));
	struct client_progress_pool *pool = find_pool(progress, name ? name : "all");
	struct client_progress_pool now = {.name = pool->name,
		.done = number_of(event, "done"),
		.total = number_of(event, "total"),
		.starting = number_of(event, "starting")};
	char numbers[LINE_BYTES];

	if (now.done == pool->done && now.total == pool->total && now.starting == pool->starting)
		return;
	*pool = now;
	if (progress->columns > 0) {
		draw_bar(progress);
	} else {
		format_numbers(numbers, sizeof(numbers), progress, pool);
		fprintf(progress->out, "%s: %s\n", pool->name, numbers);
	}
	fflush(progress->out);
}

void client_progress_end(struct client_progress *progress)
{
	if (progress->drawn)
		fputc('\n', progress->out);
	progress->drawn = false;
	fflush(progress->out);
}

void client_progress_free(struct client_progress *progress)
{
	for (size_t i = 0; i < progress->pools; i++)
		free(progress->pool[i].name);
	free(progress->pool);
	progress->pool = NULL;
	progress->pools = 0;
}
