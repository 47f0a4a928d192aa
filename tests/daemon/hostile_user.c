/*
 * Another user of the machine who means no good. Goes on until it is killed; an alarm ends it when
 * its test forgot it.
 *
 *	swap DIR NAME VICTIM	the name is, in turn and as fast as can be, a link of each kind to
 *the victim, a FIFO, a folder, a file, nothing folder DIR NAME TARGET	the folder is exchanged with
 *a link to the target, and back connect PATH RESULT	tries to connect; writes to the result when
 *it once could lock PATH RESULT	tries to lock the file for ever; writes to the result when
 *it has it flood PATH		datagrams of all kinds
 *	stop			STOP to all that it may send it to
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FORGOTTEN_SEC 300

static void succeeded(const char *result)
{
	int fd = open(result, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, "succeeded\n", 10) != 10)
		_exit(90);
	close(fd);
}

static void enter(const char *folder)
{
	if (chdir(folder) != 0)
		_exit(91);
}

static void make(const char *name, const char *victim, unsigned kind)
{
	int fd = -1;

	switch (kind % 6) {
	case 0: fd = symlink(victim, name); break;
	case 1: fd = link(victim, name); break;
	case 2: fd = mkfifo(name, 0666); break;
	case 3: fd = mkdir(name, 0777); break;
	case 4:
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		close(fd);
		break;
	}
	(void)fd; /* whatever worked */
}

static void swap(const char *folder, const char *name, const char *victim)
{
	enter(folder);
	for (unsigned i = 0;; i++) {
		make("next", victim, i);
		if (rename("next", name) != 0) {
			unlink(name);
			rmdir(name);
			rename("next", name);
		}
		if (i % 6 == 5)
			unlink(name);
	}
}

static void swap_folder(const char *folder, const char *name, const char *target)
{
	enter(folder);
	unlink("link");
	if (symlink(target, "link") != 0)
		_exit(92);
	for (;;)
		renameat2(AT_FDCWD, "link", AT_FDCWD, name, RENAME_EXCHANGE);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		_exit(93);
	strcpy(address.sun_path, path);
	return address;
}

static void try_to_connect(const char *path, const char *result)
{
	struct sockaddr_un address = address_of(path);

	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			succeeded(result);
		close(fd);
	}
}

static void try_to_lock(const char *path, const char *result)
{
	for (;;) {
		int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_EX) == 0) {
			succeeded(result);
			pause();
		}
		close(fd);
	}
}

static void flood(const char *path)
{
	static const char *const words[] = {"READY=1", "STOPPING=1", "MAINPID=1\nREADY=1",
		"WATCHDOG=trigger", "STATUS=\xff\x01", "\n\n=\n", ""};
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 0;; i++) {
		const char *text = words[i % (sizeof(words) / sizeof(words[0]))];

		sendto(fd, text, strlen(text), MSG_DONTWAIT, (struct sockaddr *)&address,
			sizeof(address));
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	alarm(FORGOTTEN_SEC);
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "swap") == 0 && argc == 5)
		swap(argv[2], argv[3], argv[4]);
	if (strcmp(what, "folder") == 0 && argc == 5)
		swap_folder(argv[2], argv[3], argv[4]);
	if (strcmp(what, "connect") == 0 && argc == 4)
		try_to_connect(argv[2], argv[3]);
	if (strcmp(what, "lock") == 0 && argc == 4)
		try_to_lock(argv[2], argv[3]);
	if (strcmp(what, "flood") == 0 && argc == 3)
		flood(argv[2]);
	while (strcmp(what, "stop") == 0)
		kill(-1, SIGSTOP);
	return 99;
}
