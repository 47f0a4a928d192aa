/*
 * The folder of a test and what is in it; control groups, which are folders too. Rule: a name
 * without a leading slash is in the test's folder. Must not follow symbolic links when removing.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness_inside.h"

#define PATHS_IN_FLIGHT  64
#define TEXT_BYTES_MAX   (4u << 20)
#define CONFIG_BYTES_MAX 32768

static char folder[PATH_MAX / 4];

/* --- the folder --- */

void folder_make(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/preforkd-test-XXXXXX", base && *base ? base : "/tmp");
	ck_assert_msg(mkdtemp(folder) != NULL, "mkdtemp: %s", strerror(errno));
	ck_assert_int_eq(chmod(folder, 0755), 0); /* workers of other users pass through it */
}

void folder_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0 && errno == EISDIR)
			folder_remove(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

const char *test_folder(void)
{
	return folder;
}

static const char *absolute(const char *name)
{
	static char path[PATHS_IN_FLIGHT][PATH_MAX];
	static int next;
	char *into = path[next++ % PATHS_IN_FLIGHT];

	if (name[0] == '/')
		snprintf(into, PATH_MAX, "%s", name);
	else
		snprintf(into, PATH_MAX, "%s/%s", folder, name);
	return into;
}

const char *path_of(const char *format, ...)
{
	char name[PATH_MAX / 2];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	return absolute(name);
}

/* A program of the build: named by the environment, or found from where this test program is. */
static void find_program(char path[PATH_MAX], const char *variable, const char *relative)
{
	const char *given = getenv(variable);
	char self[PATH_MAX / 2];
	ssize_t length;

	if (given && realpath(given, path))
		return;
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length > 0 ? length : 0] = '\0';
	*(strrchr(self, '/') ? strrchr(self, '/') : self) = '\0';
	snprintf(path, PATH_MAX, "%s/%s", given ? "" : self, given ? given : relative);
}

const char *worker_program(void)
{
	static char path[PATH_MAX];

	if (!path[0])
		find_program(path, "TESTWORKER", "testworker");
	return path;
}

const char *preforkd_program(void)
{
	static char found[PATH_MAX], path[PATH_MAX];

	if (!path[0]) {
		find_program(found, "PREFORKD", "../../preforkd");
		if (!realpath(found, path))
			memcpy(path, found, sizeof(path));
	}
	return path;
}

/* --- files --- */

static void write_whole(const char *name, const char *text)
{
	FILE *file = fopen(absolute(name), "we");

	ck_assert_msg(file != NULL, "%s: %s", name, strerror(errno));
	ck_assert(fputs(text, file) >= 0);
	ck_assert_int_eq(fclose(file), 0);
}

void file_write(const char *name, const char *format, ...)
{
	char text[CONFIG_BYTES_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	write_whole(name, text);
}

bool file_exists(const char *name)
{
	struct stat st;

	return lstat(absolute(name), &st) == 0;
}

off_t file_size(const char *name)
{
	struct stat st;

	return lstat(absolute(name), &st) == 0 ? st.st_size : -1;
}

const char *file_text(const char *name)
{
	static char text[TEXT_BYTES_MAX];
	int fd = open(absolute(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t length = 0;
	ssize_t got;

	while (fd >= 0 && length < sizeof(text) - 1 &&
		(got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	if (fd >= 0)
		close(fd);
	text[length] = '\0';
	return text;
}

bool file_has(const char *name, const char *part)
{
	return strstr(file_text(name), part) != NULL;
}

int file_count(const char *name, const char *part)
{
	int count = 0;

	for (const char *at = file_text(name); (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

const char *file_value(const char *name, const char *start)
{
	static char value[PATHS_IN_FLIGHT][PATH_MAX];
	static int next;
	const char *line = file_text(name);

	while (strncmp(line, start, strlen(start)) != 0) {
		line = strchr(line, '\n');
		if (!line)
			return NULL;
		line++;
	}
	line += strlen(start);
	char *into = value[next++ % PATHS_IN_FLIGHT];

	snprintf(into, PATH_MAX, "%.*s", (int)strcspn(line, "\n"), line);
	return into;
}

long file_number(const char *name)
{
	return strtol(file_text(name), NULL, 10);
}

static void append(char *to, const char *from, size_t length)
{
	size_t used = strlen(to);

	ck_assert_uint_lt(used + length, CONFIG_BYTES_MAX);
	memcpy(to + used, from, length);
	to[used + length] = '\0';
}

void config(const char *format, ...)
{
	char text[CONFIG_BYTES_MAX], whole[CONFIG_BYTES_MAX] = "[preforkd]\nruntime_dir = ";
	const char *at = text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	append(whole, absolute("run\n"), strlen(absolute("run\n")));
	while (*at) {
		bool is_worker = strncmp(at, "@worker@", 8) == 0;
		bool is_folder = strncmp(at, "@dir@", 5) == 0;
		const char *from = is_worker ? worker_program() : is_folder ? folder : at;

		append(whole, from, is_worker || is_folder ? strlen(from) : 1);
		at += is_worker ? 8 : is_folder ? 5 : 1;
	}
	/* as an editor does: a supervisor that reads meanwhile sees the old or the new */
	write_whole("app.ini.new", whole);
	ck_assert_int_eq(rename(absolute("app.ini.new"), absolute("app.ini")), 0);
}

/* --- control groups --- */

/* With the file that shows, in version 2, that the controller may be used here. */
static const struct {
	const char *name, *file;
} controllers[] = {{"pids", "pids.max"}, {"freezer", "cgroup.freeze"}, {"memory", "memory.max"}};
#define CONTROLLERS (int)(sizeof(controllers) / sizeof(controllers[0]))

static bool is_version_2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static void cgroup_path(char path[PATH_MAX], const char *controller)
{
	const char *name = strrchr(folder, '/') + 1;

	if (is_version_2())
		snprintf(path, PATH_MAX, "/sys/fs/cgroup/%s", name);
	else
		snprintf(path, PATH_MAX, "/sys/fs/cgroup/%s/%s", controller, name);
}

static bool has_controller(const char *group, const char *controller)
{
	char path[PATH_MAX + 32];

	for (int i = 0; i < CONTROLLERS; i++) {
		snprintf(path, sizeof(path), "%s/%s", group, controllers[i].file);
		if (strcmp(controllers[i].name, controller) == 0)
			return !is_version_2() || access(path, F_OK) == 0;
	}
	return false;
}

const char *cgroup_make(const char *controller)
{
	static char path[PATH_MAX];

	cgroup_path(path, controller);
	if (mkdir(path, 0755) < 0)
		return NULL;
	if (has_controller(path, controller))
		return path;
	rmdir(path);
	return NULL;
}

bool cgroup_freeze(const char *group, bool frozen)
{
	return is_version_2() ? cgroup_set(group, "cgroup.freeze", "%d", frozen)
			      : cgroup_set(group, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

bool cgroup_set(const char *group, const char *file, const char *format, ...)
{
	char path[PATH_MAX], text[64];
	va_list arguments;
	int fd;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool done = write(fd, text, (size_t)length) == length;

	close(fd);
	return done;
}

void cgroups_remove(void)
{
	char path[PATH_MAX];

	for (int i = 0; i < CONTROLLERS; i++) {
		cgroup_path(path, controllers[i].name);
		for (int tries = 0; tries < 100 && rmdir(path) < 0 && errno == EBUSY; tries++)
			nap_ms(10);
	}
}

void cgroups_thaw(void)
{
	char path[PATH_MAX];

	cgroup_path(path, "freezer");
	cgroup_freeze(path, false);
}
