/*
 * The lock says whether a supervisor is there; while we hold it, none can start. Only a folder of
 * ours is looked into.
 */
#include "client_orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "client_arguments.h"
#include "client_place.h"
#include "errmsg.h"
#include "leavers.h"
#include "orphans.h"
#include "runtime_dir.h"
#include "safe_file.h"
#include "state.h"
#include "state_file.h"

#define LOCK_MODE 0600

static int open_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat folder;

	if (fd < 0)
		return -1;
	if (fstat(fd, &folder) == 0 && folder.st_uid == geteuid() && (folder.st_mode & 022) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The lock's descriptor; -1: somebody holds it. A supervisor that died has left the file, one that
 * could not start has removed it. */
static int lock(int dir_fd)
{
	struct safe_file_holder holder;
	struct errmsg err;

	return safe_file_open_locked(dir_fd, RUNTIME_DIR_LOCK, LOCK_MODE, &holder, &err);
}

static void unlock(int dir_fd, int lock_fd)
{
	safe_file_remove(dir_fd, RUNTIME_DIR_LOCK, lock_fd);
	close(lock_fd);
}

/* Files of sockets and scoreboards that nobody serves any more. */
static void remove_files(const struct state *state)
{
	struct stat file;

	for (size_t i = 0; i < state->socket_count; i++) {
		const struct state_socket *socket = &state->socket[i];

		if (socket->path && lstat(socket->path, &file) == 0 && file.st_dev == socket->dev &&
			file.st_ino == socket->ino)
			unlink(socket->path);
	}
	for (size_t i = 0; i < state->pool_count; i++) {
		const char *notify = state->pool[i].notify_address;

		if (lstat(state->pool[i].board_path, &file) == 0 && S_ISREG(file.st_mode))
			unlink(state->pool[i].board_path);
		if (notify && notify[0] == '/' && lstat(notify, &file) == 0 &&
			S_ISSOCK(file.st_mode))
			unlink(notify);
	}
}

static void set_signal(struct state *state, int signal_number)
{
	for (size_t i = 0; i < state->pool_count; i++)
		for (size_t j = 0; j < state->pool[i].worker_count; j++)
			state->pool[i].worker[j].stop_signal = signal_number;
}

static bool end_in(
	int dir_fd, const char *path, const struct client_arguments *arguments, int signal_number)
{
	struct leavers leavers = {0};
	struct state *state;
	struct errmsg err;
	size_t count;

	orphans_find(&state, dir_fd, path, &err);
	if (!state && err.text[0])
		fprintf(stderr, "preforkd: %s\n", err.text);
	if (!state)
		return false;
	if (signal_number)
		set_signal(state, signal_number);
	orphans_end(&leavers, state, "asked to, and it has no supervisor");
	count = leavers.count;
	leavers_wait(&leavers, NULL);
	leavers_free(&leavers);
	remove_files(state);
	state_file_remove(dir_fd);
	printf(arguments->options.json
			? "{\"ok\":true,\"message\":\"no supervisor; %zu workers that the one "
			  "with pid %ld left behind were ended\"}\n"
			: "no supervisor; %zu workers that the one with pid %ld left behind were "
			  "ended\n",
		count, (long)state->pid);
	state_free(state);
	return true;
}

bool client_orphans_end(const struct client_places *places,
	const struct client_arguments *arguments, int signal_number, int *status)
{
	bool ended = false;

	for (int i = 0; i < places->folders && !ended; i++) {
		int dir_fd = open_folder(places->folder[i]);
		int lock_fd = dir_fd >= 0 ? lock(dir_fd) : -1;

		if (lock_fd >= 0)
			ended = end_in(dir_fd, places->folder[i], arguments, signal_number);
		if (lock_fd >= 0)
			unlock(dir_fd, lock_fd);
		if (dir_fd >= 0)
			close(dir_fd);
	}
	*status = EX_OK;
	return ended;
}
