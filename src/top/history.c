/*
 * A ring of sixty seconds for each pool. Its rule: a second nobody looked at is not known, and is
 * not drawn as zero. Pure: time comes in.
 */
#include "history.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model.h"

static int place(int64_t second)
{
	return (int)(((second % HISTORY_SECONDS) + HISTORY_SECONDS) % HISTORY_SECONDS);
}

static void set_second(struct history_track *track, int64_t second, double busy, double jobs)
{
	track->value[HISTORY_BUSY][place(second)] = busy;
	track->value[HISTORY_JOBS][place(second)] = jobs;
}

static struct history_track *track_of(struct history *history, const char *pool, int64_t second)
{
	struct history_track *track;

	for (size_t i = 0; i < history->tracks; i++)
		if (strcmp(history->track[i].pool, pool) == 0)
			return &history->track[i];
	history->track =
		memory_resize(history->track, history->tracks + 1, sizeof(*history->track));
	track = &history->track[history->tracks++];
	track->pool = memory_copy_string(pool);
	track->last_second = second - HISTORY_SECONDS;
	for (int i = 0; i < HISTORY_SECONDS; i++)
		set_second(track, i, -1, -1);
	return track;
}

static void add_pool(
	struct history_track *track, const struct top_pool *pool, int64_t second, int hold_seconds)
{
	double *busy = &track->value[HISTORY_BUSY][place(second)];
	bool held = second - track->last_second <= hold_seconds;

	if (track->last_second == second) {
		if (*busy < pool->busy)
			*busy = pool->busy;
		track->value[HISTORY_JOBS][place(second)] = pool->jobs_per_second;
		return;
	}
	if (second - track->last_second > HISTORY_SECONDS || second < track->last_second)
		track->last_second = second - HISTORY_SECONDS;
	for (int64_t gap = track->last_second + 1; gap < second; gap++)
		set_second(track, gap, held ? pool->busy : -1, held ? pool->jobs_per_second : -1);
	set_second(track, second, pool->busy, pool->jobs_per_second);
	track->last_second = second;
}

static void forget(struct history *history, int64_t second)
{
	size_t kept = 0;

	for (size_t i = 0; i < history->tracks; i++) {
		if (second - history->track[i].last_second < HISTORY_SECONDS)
			history->track[kept++] = history->track[i];
		else
			free(history->track[i].pool);
	}
	history->tracks = kept;
}

void history_add(
	struct history *history, const struct top_model *model, int64_t now_ms, int hold_seconds)
{
	int64_t second = now_ms / 1000;

	for (size_t i = 0; i < model->pools; i++)
		add_pool(track_of(history, model->pool[i].name, second), &model->pool[i], second,
			hold_seconds);
	forget(history, second);
}

void history_fini(struct history *history)
{
	for (size_t i = 0; i < history->tracks; i++)
		free(history->track[i].pool);
	free(history->track);
	*history = (struct history){NULL, 0};
}

const struct history_track *history_find(const struct history *history, const char *pool)
{
	for (size_t i = 0; i < history->tracks; i++)
		if (strcmp(history->track[i].pool, pool) == 0)
			return &history->track[i];
	return NULL;
}

double history_spread(const struct history_track *track, enum history_kind kind, int64_t now_ms,
	double *out, int cells)
{
	int64_t first = now_ms / 1000 - HISTORY_SECONDS + 1;
	int step = HISTORY_SECONDS / cells;
	double most = 0;

	for (int i = 0; i < cells; i++)
		out[i] = -1;
	for (int i = 0; track && i < HISTORY_SECONDS; i++) {
		int64_t second = first + i;
		double value = track->value[kind][place(second)];

		if (second > track->last_second || second <= track->last_second - HISTORY_SECONDS)
			continue;
		if (value > out[i / step])
			out[i / step] = value;
		if (value > most)
			most = value;
	}
	return most;
}
