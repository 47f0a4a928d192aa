/* Drives preforkd-faulty through the page that it shares with the test. */
#include "fault_world.h"

#include <sys/mman.h>

static struct fault_page *page;

struct fault_page *faults(void)
{
	int fd;

	if (page)
		return page;
	fd = open(path_of("faults"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, sizeof(*page)), 0);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	close(fd);
	return page;
}

long faults_off(void)
{
	atomic_store(&faults()->on, 0);
	page->first = page->last = page->nth = 0;
	return atomic_load(&page->counted);
}

static void on(void)
{
	page->counted = page->struck = page->reached = 0;
	page->struck_call[0] = '\0';
	atomic_store(&page->on, 1);
}

void faults_fail(const char *call, long first, long last, int error)
{
	faults_off();
	snprintf(page->call, sizeof(page->call), "%s", call);
	page->first = first;
	page->last = last;
	page->error = error;
	on();
}

void faults_stop_at(const char *point, long nth)
{
	faults_off();
	snprintf(page->point, sizeof(page->point), "%s", point);
	page->nth = nth;
	on();
}

void faults_await_stop(void)
{
	WAIT_FOR(process_state(daemon_pid()) == 'T');
}

const char *faults_struck(void)
{
	static char text[128];

	if (page->struck == 0)
		return "no call failed";
	snprintf(text, sizeof(text), "%s from %#lx failed", page->struck_call,
		(unsigned long)page->struck_at);
	return text;
}

int faulty_config(const char *more)
{
	static int port;

	if (!port)
		port = free_port();
	config("log_level = debug\n%s[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n"
	       "[socket:local]\nlisten = unix:@dir@/s\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\nstdout = log\ncommand = %s\n"
	       "[pool:near]\n" QUICK "max_workers = %d\nsockets = local\ncommand = %s\n",
		more, port, WEB_WORKERS, hello_program(), NEAR_WORKERS, hello_program());
	return port;
}

static void share_page(void)
{
	setenv(FAULT_VARIABLE, path_of("faults"), 1);
}

void faulty_launch(void)
{
	static const char *const none[] = {NULL};

	faults();
	daemon_start_as(share_page, none);
}

bool is_full(void)
{
	return serving() == WEB_WORKERS && present() == WEB_WORKERS &&
	       serving_of("near") == NEAR_WORKERS && present_of("near") == NEAR_WORKERS;
}

int faulty_start(void)
{
	int port = faulty_config("");

	faulty_launch();
	WAIT_FOR(is_full() && log_has("ready: the first"));
	return port;
}

void faulty_rise(void)
{
	file_write("log", "%s", "");
	faulty_launch();
	WAIT_FOR(log_has("ready: the first"));
}

void expect_full(int others)
{
	WAIT_FOR(is_full() && process_family() == 1 + ALL_WORKERS + others && is_full());
}

void faulty_stop(void)
{
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	WAIT_FOR(process_family() == 0);
	ck_assert(!file_exists("s"));
	ck_assert(!file_exists("run/state"));
}

int faults_main(Suite *suite)
{
	setenv("PREFORKD", worker_beside("../faults/preforkd-faulty"), 1);
	return harness_main(suite);
}
