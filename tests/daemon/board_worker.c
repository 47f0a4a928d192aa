/*
 * A worker for tests of the scoreboard: it uses its line in some particular way, or does harm to
 * the whole file as fast as it can. Harm ends when DIR/rest is there; then it is idle and waits.
 * TERM ends it at any time.
 *
 *	board_worker seek FILE TIMES	writes its note by lseek(2) and write(2), reads it back, and
 *					appends "kept" or "disturbed" to the file
 *	board_worker die-busy DIR	dies at once, busy, with a job done; a byte more in DIR/died
 *	board_worker noise DIR		random bytes at random places
 *	board_worker claim DIR STATES	one of the states into all lines, and R into all marks
 *	board_worker victim DIR PID	that pid into all lines, busy
 *	board_worker resize DIR		shorter, longer, empty
 *	board_worker modes DIR		random modes
 *	board_worker names DIR		the name removed, or led to a link, a FIFO, a folder,
 *another file
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORGOTTEN_SEC 300
#define LINE          64
#define NOTE_AT       25
#define NOTE_BYTES    38
#define LINES_MAX     16 /* as many are harmed */

static int fd;
static long long offset;
static unsigned seed;

static void put(long long at, const char *text, size_t length)
{
	if (pwrite(fd, text, length, at) < 0)
		_exit(1);
}

/* Again and again, since others may still write into this line, too. */
static void rest_for_ever(void)
{
	for (;;) {
		put(offset, "_", 1);
		usleep(20000);
	}
}

static bool told_to_rest(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/rest", dir);
	return access(path, F_OK) == 0;
}

static void append(const char *path, const char *text)
{
	int out = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (out < 0 || write(out, text, strlen(text)) < 0)
		_exit(1);
	close(out);
}

/* --- its own line --- */

static void seek(const char *file, int times)
{
	char note[NOTE_BYTES + 1], read_back[NOTE_BYTES];
	const char *result = "kept\n";

	for (int i = 0; i < times; i++) {
		snprintf(note, sizeof(note), "%-38lld", offset * 1000 + i);
		if (lseek(fd, offset + NOTE_AT, SEEK_SET) < 0 ||
			write(fd, note, NOTE_BYTES) != NOTE_BYTES ||
			pread(fd, read_back, NOTE_BYTES, offset + NOTE_AT) != NOTE_BYTES ||
			memcmp(note, read_back, NOTE_BYTES) != 0)
			result = "disturbed\n";
	}
	append(file, result);
}

static void die_busy(const char *dir)
{
	char path[PATH_MAX];

	if (told_to_rest(dir))
		return;
	snprintf(path, sizeof(path), "%s/died", dir);
	append(path, "x");
	put(offset + 12, "1           ", 12);
	put(offset, "A", 1);
	raise(SIGKILL);
}

/* --- harm --- */

static void harm_by_noise(const char *argument)
{
	char noise[3 * LINE];

	(void)argument;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)rand_r(&seed);
	put(rand_r(&seed) % (LINES_MAX * LINE - (int)sizeof(noise)), noise,
		1 + (size_t)rand_r(&seed) % sizeof(noise));
}

static void harm_by_claim(const char *states)
{
	const char *state = &states[(size_t)rand_r(&seed) % strlen(states)];

	for (int line = 0; line < LINES_MAX; line++) {
		put(line * LINE, state, 1);
		put(line * LINE + 2, "R", 1);
	}
}

static void harm_by_victim(const char *pid)
{
	char text[16];

	snprintf(text, sizeof(text), "A  %-8s", pid);
	for (int line = 0; line < LINES_MAX; line++)
		put(line * LINE, text, 11);
}

static void harm_by_size(const char *argument)
{
	(void)argument;
	if (ftruncate(fd, rand_r(&seed) % 3 ? rand_r(&seed) % (2 * LINES_MAX * LINE) : 0) < 0)
		_exit(1);
	harm_by_noise(NULL);
}

/* Some of it is refused where the file or the folder is another's. */
static void harm_by_mode(const char *argument)
{
	(void)argument;
	if (fchmod(fd, (mode_t)rand_r(&seed) & 07777) < 0 && errno != EPERM)
		_exit(1);
}

static void harm_by_name(const char *argument)
{
	const char *name = getenv("PREFORKD_SCOREBOARD");
	char other[PATH_MAX + 16];
	int result = 0, made;

	(void)argument;
	snprintf(other, sizeof(other), "%s.%d", name, (int)getpid());
	switch (rand_r(&seed) % 6) {
	case 0: result |= unlink(name); break;
	case 1: result |= unlink(name) | symlink("/etc/passwd", name); break;
	case 2: result |= unlink(name) | mkfifo(name, 0666); break;
	case 3: result |= rename(name, other); break;
	case 4: result |= unlink(name) | mkdir(name, 0777); break;
	case 5:
		made = open(other, O_WRONLY | O_CREAT, 0666);
		if (made >= 0)
			close(made);
		result |= rename(other, name);
		break;
	}
	/* a folder is in everybody's way, and a feat of no use any more */
	if (result < 0)
		rmdir(name);
}

static void harm(const char *dir, void (*once)(const char *argument), const char *argument)
{
	while (!told_to_rest(dir)) {
		for (int i = 0; i < 50; i++)
			once(argument);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *mode;
		void (*once)(const char *argument);
	} kinds[] = {
		{"noise", harm_by_noise},
		{"claim", harm_by_claim},
		{"victim", harm_by_victim},
		{"resize", harm_by_size},
		{"modes", harm_by_mode},
		{"names", harm_by_name},
	};
	const char *mode = argc > 2 ? argv[1] : "", *last = argc > 3 ? argv[3] : "1";

	alarm(FORGOTTEN_SEC);
	fd = atoi(getenv("PREFORKD_SCOREBOARD_FD"));
	offset = atoll(getenv("PREFORKD_SCOREBOARD_OFFSET"));
	seed = (unsigned)getpid();
	if (strcmp(mode, "seek") == 0)
		seek(argv[2], atoi(last));
	if (strcmp(mode, "die-busy") == 0)
		die_busy(argv[2]);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(mode, kinds[i].mode) == 0)
			harm(argv[2], kinds[i].once, last);
	}
	rest_for_ever();
}
