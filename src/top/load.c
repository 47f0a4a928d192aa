/*
 * The load of each worker, from two models that follow each other. Its rule: processor time comes
 * in ticks of 10 ms, so it is measured over a second at least, however often one looks. Pure.
 */
#include "model.h"

#define MEASURE_SECONDS 1.0

/* Workers come in the order of their slots, so the same one is near the same place. */
static const struct top_worker *same_worker(
	const struct top_pool *before, const struct top_worker *worker, size_t *place)
{
	while (*place < before->workers && before->worker[*place].slot < worker->slot)
		++*place;
	if (*place == before->workers || before->worker[*place].slot != worker->slot ||
		before->worker[*place].pid != worker->pid)
		return NULL;
	return &before->worker[*place];
}

static void follow_worker(struct top_worker *worker, const struct top_worker *before)
{
	double seconds = worker->age - before->load_age;

	if (worker->cpu < 0 || before->load_cpu < 0 || before->load_age < 0)
		return;
	if (seconds < MEASURE_SECONDS) {
		worker->load = before->load;
		worker->load_cpu = before->load_cpu;
		worker->load_age = before->load_age;
		return;
	}
	worker->load = (worker->cpu - before->load_cpu) / seconds;
	if (worker->load < 0)
		worker->load = 0;
}

void model_follow(struct top_model *model, const struct top_model *before)
{
	for (size_t i = 0; before && i < model->pools; i++) {
		struct top_pool *pool = &model->pool[i];
		const struct top_pool *same = model_pool(before, pool->name);
		size_t place = 0;

		for (size_t k = 0; same && k < pool->workers; k++) {
			const struct top_worker *worker =
				same_worker(same, &pool->worker[k], &place);

			if (worker)
				follow_worker(&pool->worker[k], worker);
		}
	}
}
