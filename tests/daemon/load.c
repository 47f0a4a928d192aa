/* Starts counting clients and reads what they write. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static const char *client_program(void)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s", worker_program());
	snprintf(strrchr(path, '/'), 32, "/counting_client");
	return path;
}

static struct load name_it(void)
{
	static int count;
	struct load load;

	snprintf(load.file, sizeof(load.file), "load%d", count++);
	return load;
}

static struct load start(const char *how, const char *where, const char *path, int number)
{
	struct load load = name_it();
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", number);
	load.pid = program_start("client", NULL,
		(const char *[]){client_program(), how, where, path, path_of("%s", load.file),
			digits, NULL});
	/* Then it is ready for TERM, too. */
	WAIT_FOR(file_exists(load.file));
	return load;
}

struct load load_closed(const char *where, const char *path, int at_a_time)
{
	return start("closed", where, path, at_a_time);
}

struct load load_open(const char *where, const char *path, int per_second)
{
	return start("open", where, path, per_second);
}

struct counts load_counts(const struct load *load)
{
	struct counts counts = {0};

	sscanf(file_text(load->file), "%ld %ld %ld %ld %ld %ld", &counts.answered, &counts.refused,
		&counts.reset, &counts.silent, &counts.slowest_ms, &counts.error);
	return counts;
}

void load_await(const struct load *load, int more)
{
	long aim = load_counts(load).answered + more;

	WAIT_FOR(load_counts(load).answered >= aim);
}

static void end(const struct load *load)
{
	int64_t until = now_ms() + slow_ms(60000);
	int status = -1;

	kill(load->pid, SIGTERM);
	while (status < 0 && now_ms() < until)
		status = program_wait(load->pid);
	ck_assert_int_eq(status, 0);
}

long load_end_without_loss(const struct load *load)
{
	struct counts counts;

	end(load);
	counts = load_counts(load);
	ck_assert_msg(counts.refused + counts.reset + counts.silent == 0,
		"%ld answered, %ld refused, %ld reset, %ld silent, the last one: %s",
		counts.answered, counts.refused, counts.reset, counts.silent,
		strerror((int)counts.error));
	ck_assert_int_gt(counts.answered, 0);
	return counts.answered;
}

const char *load_port(int port)
{
	static char digits[4][16];
	static int next;
	char *into = digits[next++ % 4];

	snprintf(into, sizeof(digits[0]), "%d", port);
	return into;
}

struct load watch_start(const char *pool)
{
	struct load watch = name_it();

	watch.pid = program_start("watch", NULL,
		(const char *[]){client_program(), "watch", path_of("run/%s.scoreboard", pool),
			path_of("%s", watch.file), NULL});
	WAIT_FOR(watch_sights(&watch).samples > 0);
	return watch;
}

struct sights watch_sights(const struct load *watch)
{
	struct sights sights = {0};

	sscanf(file_text(watch->file), "%ld %ld %ld %ld", &sights.samples, &sights.min_serving,
		&sights.max_present, &sights.max_leaving);
	return sights;
}

struct sights watch_end(const struct load *watch)
{
	end(watch);
	return watch_sights(watch);
}
