/*
 * The same facts as on the screen, as lines of text. Its rule: nothing is cut, but what others
 * wrote is cleaned, since it may still end up on a terminal.
 */
#include "plain.h"

#include <string.h>

#include "model.h"
#include "text.h"

#define CLEAN_BYTES 1024

static void print_head(FILE *out, const struct top_model *model, bool ascii)
{
	char clean[CLEAN_BYTES], number[TEXT_NUMBER_BYTES];

	text_clean(clean, sizeof(clean), model->name, ascii);
	text_format_seconds(number, model->uptime);
	fprintf(out, "%s: pid %d, up %s", clean, model->pid, number);
	text_clean(clean, sizeof(clean), model->phase, ascii);
	fprintf(out, ", %s", clean);
	if (model->loop_lag >= 0)
		fprintf(out, ", loop lag %.1f ms", model->loop_lag * 1000);
	if (strcmp(model->reload, "none") != 0 && model->reload[0]) {
		text_clean(clean, sizeof(clean), model->reload, ascii);
		fprintf(out, ", reload %s", clean);
	}
	if (model->reload_reason[0]) {
		text_clean(clean, sizeof(clean), model->reload_reason, ascii);
		fprintf(out, ": %s", clean);
	}
	fputc('\n', out);
}

static void print_counts(FILE *out, const struct top_pool *pool)
{
	const struct {
		int count;
		const char *word;
	} counts[] = {{pool->busy, "busy"}, {pool->idle, "idle"}, {pool->unknown, "unknown"},
		{pool->starting, "starting"}, {pool->retiring, "retiring"}};
	const char *before = ": ";

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].count == 0)
			continue;
		fprintf(out, "%s%d %s", before, counts[i].count, counts[i].word);
		before = ", ";
	}
}

static void print_socket(FILE *out, const struct top_socket *socket, bool ascii)
{
	char name[CLEAN_BYTES], address[CLEAN_BYTES];
	char waiting[TEXT_NUMBER_BYTES], most[TEXT_NUMBER_BYTES], limit[TEXT_NUMBER_BYTES];

	text_clean(name, sizeof(name), socket->name, ascii);
	text_clean(address, sizeof(address), socket->address, ascii);
	text_format_count(waiting, socket->waiting);
	text_format_count(most, socket->waiting_max);
	text_format_count(limit, socket->limit);
	fprintf(out, "  queue %s %s: %s waiting", name, address, waiting);
	if (socket->waiting_max >= 0)
		fprintf(out, ", %s at most", most);
	if (socket->limit >= 0)
		fprintf(out, ", room for %s", limit);
	fputc('\n', out);
}

static void print_pool_lines(FILE *out, const struct top_pool *pool, bool ascii)
{
	char clean[CLEAN_BYTES], number[TEXT_NUMBER_BYTES];

	if (pool->decision[0]) {
		text_clean(clean, sizeof(clean), pool->decision, ascii);
		text_format_seconds(number, pool->decided);
		fprintf(out, "  last decision, %s ago: %s\n", number, clean);
	}
	if (pool->backoff_remaining > 0) {
		text_format_seconds(number, pool->backoff_remaining);
		text_clean(clean, sizeof(clean), pool->backoff_last, ascii);
		fprintf(out, "  back-off: %lld failures in a row, next start in %s%s%s\n",
			(long long)pool->backoff_failures, number, clean[0] ? ": " : "", clean);
	}
	if (pool->rolling)
		fprintf(out, "  rolling: %d of %d replaced, %d starting, %d failed\n",
			pool->replaced, pool->roll_total, pool->roll_starting, pool->roll_failures);
	for (size_t i = 0; i < pool->sockets; i++)
		print_socket(out, &pool->socket[i], ascii);
}

static void print_worker(FILE *out, const struct top_worker *worker, bool ascii)
{
	char note[CLEAN_BYTES];
	char since[TEXT_NUMBER_BYTES], age[TEXT_NUMBER_BYTES], jobs[TEXT_NUMBER_BYTES];
	char memory[TEXT_NUMBER_BYTES], cpu[TEXT_NUMBER_BYTES];

	text_format_seconds(since, worker->since);
	text_format_seconds(age, worker->age);
	text_format_count(jobs, worker->jobs);
	text_format_bytes(memory, worker->resident);
	text_format_seconds(cpu, worker->cpu);
	text_clean(note, sizeof(note), worker->note, ascii);
	fprintf(out, "%6d %8d %4d %-8s %7s %7s %9s %7s %7s%s%s\n", worker->slot, worker->pid,
		worker->generation, top_state_name(worker->state), since, age, jobs, memory, cpu,
		note[0] ? " " : "", note);
}

static void print_pool(FILE *out, const struct top_pool *pool, bool ascii)
{
	char clean[CLEAN_BYTES], number[TEXT_NUMBER_BYTES];

	text_clean(clean, sizeof(clean), pool->name, ascii);
	fprintf(out, "\npool %s: %d of %d workers", clean, pool->live, pool->max_workers);
	print_counts(out, pool);
	if (pool->jobs >= 0) {
		text_format_count(number, pool->jobs);
		fprintf(out, "; %s jobs", number);
	}
	if (pool->jobs_per_second >= 0) {
		text_format_rate(number, pool->jobs_per_second);
		fprintf(out, ", %s a second", number);
	}
	fprintf(out, "%s\n", pool->drained ? "; drained" : "");
	print_pool_lines(out, pool, ascii);
	if (pool->workers > 0)
		fprintf(out, "%6s %8s %4s %-8s %7s %7s %9s %7s %7s %s\n", "SLOT", "PID", "GEN",
			"STATE", "SINCE", "AGE", "JOBS", "MEMORY", "CPU", "NOTE");
	for (size_t i = 0; i < pool->workers; i++)
		print_worker(out, &pool->worker[i], ascii);
}

void plain_print(FILE *out, const struct top_model *model, bool ascii)
{
	print_head(out, model, ascii);
	for (size_t i = 0; i < model->pools; i++)
		print_pool(out, &model->pool[i], ascii);
}
