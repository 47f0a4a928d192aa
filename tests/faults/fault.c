/*
 * Decides for each call that is wrapped (faulty_calls.c, fault_points.c) whether it fails, and
 * whether the process stops there. Must not call anything that is wrapped itself, once the page is
 * open.
 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fault_page *page;
static pid_t owner;

static __attribute__((constructor)) void open_page(int argc, char **argv)
{
	const char *path = getenv(FAULT_VARIABLE);
	int fd;

	if (!path || (argc > 1 && strncmp(argv[1], "--check-state", 13) == 0))
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		abort();
	owner = getpid();
}

/* A child between fork and exec has all this too, and a shared one even our memory. */
static bool is_on(void)
{
	return page && atomic_load(&page->on) && getpid() == owner;
}

static bool is_meant(const char *name, enum fault_kind kind)
{
	return strcmp(page->call, name) == 0 ||
	       strcmp(page->call, kind == FAULT_SYSTEM ? "system" : "memory") == 0;
}

void fault_point(const char *name)
{
	if (is_on() && page->nth && strcmp(page->point, name) == 0 &&
		atomic_fetch_add(&page->reached, 1) + 1 == page->nth)
		raise(SIGSTOP);
}

bool fault_strikes(const char *name, enum fault_kind kind, int error, const void *from)
{
	extern const char __executable_start;
	long number;

	if (!is_on())
		return false;
	fault_point(name);
	if (!is_meant(name, kind))
		return false;
	number = atomic_fetch_add(&page->counted, 1) + 1;
	if (page->first == 0 || number < page->first || number > page->last)
		return false;
	atomic_fetch_add(&page->struck, 1);
	snprintf(page->struck_call, sizeof(page->struck_call), "%s", name);
	page->struck_at = (uintptr_t)from - (uintptr_t)&__executable_start;
	errno = page->error ? page->error : error;
	return true;
}

const char *fault_head(void)
{
	return is_on() ? page->head : "";
}
