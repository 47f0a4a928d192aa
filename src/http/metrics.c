/*
 * The status document in Prometheus's text format. What is exported is a table; a value that is
 * null or missing gives no sample, and a metric without samples gives no header. Names keep
 * Prometheus's rules: preforkd_ first, base units, _total for counters. Must not compute what the
 * supervisor does not know.
 */
#include "metrics.h"
#include "document.h"

#include <string.h>

struct metric {
	const char *name, *type, *help, *path;
	const char *label; /* one more, ready to print, or NULL */
};

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Of the supervisor */
static const struct metric of_supervisor[] = {
	{"preforkd_uptime_seconds", "gauge", "Age of the supervisor.", "uptime", NULL},
	{"preforkd_last_reload_timestamp_seconds", "gauge",
		"When the last reload or restart ended.", "reload.at", NULL},
	{"preforkd_last_reload_duration_seconds", "gauge", "How long the last reload took.",
		"reload.duration", NULL},
	{"preforkd_loop_lag_max_seconds", "gauge", "Longest turn of the supervisor's loop of late.",
		"loop_lag_max", NULL},
	{"preforkd_open_fds", "gauge", "Descriptors that the supervisor has open.",
		"descriptors.open", NULL},
	{"preforkd_max_fds", "gauge", "Descriptors that the supervisor may have open.",
		"descriptors.limit", NULL},
	{"preforkd_log_lines_lost_total", "counter", "Log lines that could not be written.",
		"log_lines_lost", NULL},
};

#define WORKERS "preforkd_workers", "gauge", "Workers by state."
#define EXITS   "preforkd_exits_total", "counter", "Workers that ended, by reason."
#define RECYCLED                                                                                   \
	"preforkd_recycled_total", "counter", "Workers retired for their jobs, age or memory."

/* Of each pool. Those of one name stand together */
static const struct metric of_pool[] = {
	{WORKERS, "starting", "state=\"starting\""},
	{WORKERS, "unknown", "state=\"unknown\""},
	{WORKERS, "idle", "state=\"idle\""},
	{WORKERS, "busy", "state=\"busy\""},
	{WORKERS, "retiring", "state=\"retiring\""},
	{"preforkd_max_workers", "gauge", "The most workers there may be now.", "max_workers",
		NULL},
	{"preforkd_configured_max_workers", "gauge", "The most workers by the configuration.",
		"configured_max_workers", NULL},
	{"preforkd_min_spare_workers", "gauge", "Fewer spare workers than this: more are started.",
		"min_spare_workers", NULL},
	{"preforkd_max_spare_workers", "gauge", "More idle workers than this: some are retired.",
		"max_spare_workers", NULL},
	{"preforkd_drained", "gauge", "1 while the pool is kept empty.", "drained", NULL},
	{"preforkd_generation", "gauge", "Generation of the workers that are started now.",
		"generation", NULL},
	{"preforkd_jobs_total", "counter", "Jobs done, as counted by the workers.", "jobs", NULL},
	{"preforkd_starts_total", "counter", "Workers started.", "starts", NULL},
	{EXITS, "exits.asked", "reason=\"asked\""},
	{EXITS, "exits.voluntary", "reason=\"voluntary\""},
	{EXITS, "exits.failed", "reason=\"failed\""},
	{EXITS, "exits.killed", "reason=\"killed\""},
	{RECYCLED, "recycled.jobs", "reason=\"jobs\""},
	{RECYCLED, "recycled.age", "reason=\"age\""},
	{RECYCLED, "recycled.memory", "reason=\"memory\""},
	{"preforkd_limit_hits_total", "counter",
		"Times that more workers were needed than allowed.", "limit_hits", NULL},
	{"preforkd_backoff_failures", "gauge", "Failed starts in a row.", "backoff.failures", NULL},
	{"preforkd_backoff_remaining_seconds", "gauge", "Time until a start is tried again.",
		"backoff.remaining", NULL},
	{"preforkd_roll_workers", "gauge", "Workers that the roll under way replaces.",
		"roll.total", NULL},
	{"preforkd_roll_replaced_workers", "gauge", "Workers that it has replaced so far.",
		"roll.replaced", NULL},
};

/* Of each socket of a pool */
static const struct metric of_socket[] = {
	{"preforkd_socket_waiting_connections", "gauge", "Connections that wait to be accepted.",
		"waiting", NULL},
	{"preforkd_socket_waiting_connections_max", "gauge", "The most that ever waited.",
		"waiting_max", NULL},
	{"preforkd_socket_backlog_limit", "gauge", "The most that can wait.", "limit", NULL},
};

static const struct metric histograms[] = {
	{"preforkd_start_to_ready_seconds", "histogram",
		"From a worker's start until it was ready.", "start_to_ready", NULL},
	{"preforkd_demand_to_start_seconds", "histogram",
		"From the demand for a worker until it was started.", "demand_to_start", NULL},
};

/* Once before the first sample of a name. */
static void print_header(struct text *text, const struct metric *metric, const char **last)
{
	if (*last && strcmp(*last, metric->name) == 0)
		return;
	*last = metric->name;
	text_print(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
		metric->type);
}

static void print_label_value(struct text *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			text_add(text, "\\n", 2);
		else if (*value == '"' || *value == '\\')
			text_print(text, "\\%c", *value);
		else
			text_add(text, value, 1);
	}
}

static void print_label(struct text *text, const char *name, const char *value)
{
	text_print(text, "%s=\"", name);
	print_label_value(text, value);
	text_add(text, "\"", 1);
}

static bool has_value(const json_t *value)
{
	return json_is_number(value) || json_is_boolean(value);
}

static void print_value(struct text *text, const json_t *value)
{
	if (json_is_integer(value))
		text_print(text, " %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else if (json_is_real(value))
		text_print(text, " %.15g\n", json_real_value(value));
	else
		text_print(text, " %d\n", json_is_true(value));
}

static void print_pool_sample(
	struct text *text, const struct metric *metric, json_t *pool, const char **last)
{
	json_t *value = document_find(pool, metric->path);

	if (!has_value(value))
		return;
	print_header(text, metric, last);
	text_print(text, "%s{", metric->name);
	print_label(text, "pool", document_string(pool, "name"));
	text_print(text, "%s%s}", metric->label ? "," : "", metric->label ? metric->label : "");
	print_value(text, value);
}

static void print_socket_samples(
	struct text *text, const struct metric *metric, json_t *pool, const char **last)
{
	json_t *socket, *value;
	size_t i;

	json_array_foreach(json_object_get(pool, "sockets"), i, socket)
	{
		value = json_object_get(socket, metric->path);
		if (!has_value(value))
			continue;
		print_header(text, metric, last);
		text_print(text, "%s{", metric->name);
		print_label(text, "pool", document_string(pool, "name"));
		text_add(text, ",", 1);
		print_label(text, "socket", document_string(socket, "name"));
		text_add(text, "}", 1);
		print_value(text, value);
	}
}

static void print_series(struct text *text, const char *name, const char *part, json_t *pool)
{
	text_print(text, "%s_%s{", name, part);
	print_label(text, "pool", document_string(pool, "name"));
}

/* The document's counts are of each bucket alone; Prometheus's hold all that are below, too. */
static void print_histogram(
	struct text *text, const struct metric *metric, json_t *pool, const char **last)
{
	json_t *histogram = json_object_get(pool, metric->path);
	json_t *bounds = json_object_get(histogram, "bounds");
	json_t *counts = json_object_get(histogram, "counts"), *count;
	json_int_t total = 0;
	size_t i;

	if (json_array_size(counts) != json_array_size(bounds) + 1)
		return;
	print_header(text, metric, last);
	json_array_foreach(counts, i, count)
	{
		total += json_integer_value(count);
		print_series(text, metric->name, "bucket", pool);
		if (i < json_array_size(bounds))
			text_print(
				text, ",le=\"%g\"}", json_number_value(json_array_get(bounds, i)));
		else
			text_print(text, ",le=\"+Inf\"}");
		text_print(text, " %" JSON_INTEGER_FORMAT "\n", total);
	}
	print_series(text, metric->name, "sum", pool);
	text_print(text, "} %.15g\n", document_number(histogram, "sum"));
	print_series(text, metric->name, "count", pool);
	text_print(text, "} %" JSON_INTEGER_FORMAT "\n", total);
}

/* What all workers of a pool hold in memory; pages that they share count for each. */
static void print_resident(
	struct text *text, const struct metric *metric, json_t *pool, const char **last)
{
	json_t *worker;
	double sum = 0;
	size_t i;

	json_array_foreach(json_object_get(pool, "workers"), i, worker) sum +=
		document_number(worker, "resident");
	print_header(text, metric, last);
	text_print(text, "%s{", metric->name);
	print_label(text, "pool", document_string(pool, "name"));
	text_print(text, "} %.15g\n", sum);
}

/* How long the slowest job under way has taken: what hangs is seen before it is killed. */
static void print_longest_job(
	struct text *text, const struct metric *metric, json_t *pool, const char **last)
{
	json_t *worker;
	double longest = 0, since;
	size_t i;

	json_array_foreach(json_object_get(pool, "workers"), i, worker)
	{
		since = document_number(worker, "since");
		if (strcmp(document_string(worker, "state"), "busy") == 0 && since > longest)
			longest = since;
	}
	print_header(text, metric, last);
	text_print(text, "%s{", metric->name);
	print_label(text, "pool", document_string(pool, "name"));
	text_print(text, "} %.15g\n", longest);
}

typedef void print_metric(
	struct text *text, const struct metric *metric, json_t *pool, const char **last);

static const struct metric resident = {"preforkd_workers_resident_bytes", "gauge",
	"Resident memory of all workers, shared pages counted for each.", NULL, NULL};
static const struct metric longest_job = {"preforkd_longest_job_seconds", "gauge",
	"How long the oldest job under way has taken.", NULL, NULL};

static void print_for_pools(struct text *text, const struct metric *metrics, size_t count,
	json_t *pools, print_metric *print)
{
	const char *last = NULL;
	json_t *pool;
	size_t index;

	for (size_t i = 0; i < count; i++)
		json_array_foreach(pools, index, pool) print(text, &metrics[i], pool, &last);
}

static void print_info(struct text *text, json_t *document)
{
	text_print(text, "# HELP preforkd_info The supervisor, by its labels.\n"
			 "# TYPE preforkd_info gauge\npreforkd_info{");
	print_label(text, "name", document_string(document, "name"));
	text_add(text, ",", 1);
	print_label(text, "version", document_string(document, "version"));
	text_add(text, ",", 1);
	print_label(text, "config", document_string(document, "config"));
	text_print(text, "} 1\n");
	text_print(text,
		"# HELP preforkd_running 1 unless it is starting or stopping.\n"
		"# TYPE preforkd_running gauge\npreforkd_running %d\n",
		strcmp(document_string(document, "phase"), "running") == 0);
}

static void print_reload(struct text *text, json_t *document)
{
	json_t *reload = json_object_get(document, "reload");
	const char *state = document_string(reload, "state");

	text_print(text,
		"# HELP preforkd_last_reload_failed 1 when the last reload was given up.\n"
		"# TYPE preforkd_last_reload_failed gauge\n"
		"preforkd_last_reload_failed %d\n"
		"# HELP preforkd_reloading 1 while a reload is under way.\n"
		"# TYPE preforkd_reloading gauge\npreforkd_reloading %d\n",
		strcmp(state, "failed") == 0, strcmp(state, "rolling") == 0);
}

void metrics_print(json_t *document, struct text *text)
{
	json_t *pools = json_object_get(document, "pools");
	const char *last = NULL;

	print_info(text, document);
	print_reload(text, document);
	for (size_t i = 0; i < LENGTH_OF(of_supervisor); i++) {
		json_t *value = document_find(document, of_supervisor[i].path);

		if (!has_value(value))
			continue;
		print_header(text, &of_supervisor[i], &last);
		text_print(text, "%s", of_supervisor[i].name);
		print_value(text, value);
	}
	print_for_pools(text, of_pool, LENGTH_OF(of_pool), pools, print_pool_sample);
	print_for_pools(text, &resident, 1, pools, print_resident);
	print_for_pools(text, &longest_job, 1, pools, print_longest_job);
	print_for_pools(text, of_socket, LENGTH_OF(of_socket), pools, print_socket_samples);
	print_for_pools(text, histograms, LENGTH_OF(histograms), pools, print_histogram);
}
