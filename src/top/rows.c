/*
 * The rows of the table: which workers, in which order. Its rule: the order is complete (the slot
 * decides among equals), so that rows never dance. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model.h"
#include "view.h"

static int compare(double a, double b)
{
	return (a > b) - (a < b);
}

/* What a column sorts by; negative: not known. */
static double number_of(const struct top_worker *worker, enum view_column column)
{
	switch (column) {
	case VIEW_SLOT: return worker->slot;
	case VIEW_PID: return worker->pid;
	case VIEW_GENERATION: return worker->generation;
	case VIEW_STATE: return worker->state;
	case VIEW_SINCE: return worker->since;
	case VIEW_AGE: return worker->age;
	case VIEW_JOBS: return (double)worker->jobs;
	case VIEW_RESIDENT: return (double)worker->resident;
	case VIEW_CPU: return worker->cpu;
	case VIEW_LOAD: return worker->load;
	case VIEW_NOTE: return worker->note[0] ? 0 : -1;
	case VIEW_COLUMN_COUNT: break;
	}
	return 0;
}

static int compare_rows(const void *one, const void *other, void *context)
{
	const struct top_worker *a = *(const struct top_worker *const *)one;
	const struct top_worker *b = *(const struct top_worker *const *)other;
	const struct view *view = context;
	double number_a = number_of(a, view->sort), number_b = number_of(b, view->sort);
	int order;

	if ((number_a < 0) != (number_b < 0))
		return number_a < 0 ? 1 : -1;
	order = compare(number_a, number_b);
	if (view->sort == VIEW_NOTE)
		order = strcmp(a->note, b->note);
	if (order != 0)
		return view->reverse ? -order : order;
	order = compare(a->slot, b->slot);
	return order ? order : compare(a->pid, b->pid);
}

static bool passes(const struct top_worker *worker, enum view_filter filter)
{
	switch (filter) {
	case VIEW_ALL: return true;
	case VIEW_BUSY: return worker->state == TOP_BUSY;
	case VIEW_IDLE: return worker->state == TOP_IDLE;
	}
	return true;
}

const struct top_worker **view_rows(
	const struct view *view, const struct top_pool *pool, size_t *count)
{
	const struct top_worker **row = memory_alloc((pool ? pool->workers : 0) * sizeof(*row));
	struct view order = *view;

	*count = 0;
	for (size_t i = 0; pool && i < pool->workers; i++)
		if (passes(&pool->worker[i], view->filter))
			row[(*count)++] = &pool->worker[i];
	qsort_r(row, *count, sizeof(*row), compare_rows, &order);
	return row;
}
