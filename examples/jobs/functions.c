/*
 * The functions that clients can call by name: one's own go here. Rule: what comes from a client is
 * looked at before it is used. cascade() calls another function here, request() has any worker do
 * it.
 */
#include "functions.h"

#include <prefork.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

static json_t *failed(const char **problem, const char *why)
{
	*problem = why;
	return NULL;
}

/* --- one function calls another; both take the reference of args --- */

static json_t *cascade(const char *name, json_t *args, const char **problem)
{
	job_function function = function_find(name);
	json_t *result = function ? function(args, problem) : failed(problem, "no such function");

	json_decref(args);
	return result;
}

/* By any worker of JOBS_SERVERS; by this one itself when it is the only one. */
static json_t *request(const char *name, json_t *args, const char **problem)
{
	const char *servers = getenv("JOBS_SERVERS");
	json_t *result;

	if (!servers || !getenv("PREFORKD_SCOREBOARD"))
		return cascade(name, args, problem);
	prefork_state('>');
	result = wire_request(servers, name, args, problem);
	prefork_state('W');
	return result;
}

/* --- functions --- */

static json_t *echo(json_t *args, const char **problem)
{
	(void)problem;
	return json_incref(args);
}

static json_t *nothing(json_t *args, const char **problem)
{
	(void)args;
	(void)problem;
	return json_null();
}

static json_t *add(json_t *args, const char **problem)
{
	json_int_t sum = 0;
	json_t *number;
	size_t i;

	if (!json_is_array(args))
		return failed(problem, "not an array");
	json_array_foreach(
		args, i, number) if (!json_is_integer(number) ||
				     __builtin_add_overflow(sum, json_integer_value(number),
					     &sum)) return failed(problem,
		"not whole numbers, or too large");
	return json_integer(sum);
}

static json_t *square(json_t *args, const char **problem)
{
	json_int_t number = json_integer_value(args), result;

	if (!json_is_integer(args) || __builtin_mul_overflow(number, number, &result))
		return failed(problem, "not a whole number, or too large");
	return json_integer(result);
}

typedef json_t *(*caller)(const char *name, json_t *args, const char **problem);

static json_t *sum_by(caller call, json_t *numbers, const char **problem)
{
	json_t *squares = json_array(), *number, *one;
	size_t i;

	json_array_foreach(numbers, i, number)
	{
		one = call("square", json_incref(number), problem);
		if (!one || json_array_append_new(squares, one) < 0) {
			json_decref(squares);
			return NULL;
		}
	}
	return call("add", squares, problem);
}

static json_t *sum_of_squares(json_t *args, const char **problem)
{
	return sum_by(cascade, args, problem);
}

static json_t *sum_of_squares_by_others(json_t *args, const char **problem)
{
	return sum_by(request, args, problem);
}

static json_t *sleep_for(json_t *args, const char **problem)
{
	double seconds = json_number_value(args);
	struct timespec time;

	if (!json_is_number(args) || !(seconds >= 0 && seconds < 1e6))
		return failed(problem, "not a number of seconds");
	time.tv_sec = (time_t)seconds;
	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL);
	return json_incref(args);
}

/* Who answers. */
static json_t *who(json_t *args, const char **problem)
{
	const char *name = getenv("PREFORKD_NAME"), *generation = getenv("PREFORKD_GENERATION");

	(void)args;
	(void)problem;
	return json_pack("{s:s, s:i, s:i}", "name", name ? name : "", "generation",
		generation ? atoi(generation) : 0, "pid", (int)getpid());
}

static bool write_new(const char *path_template, char *path, const char *text, size_t length)
{
	int fd = mkstemp(strcpy(path, path_template));
	bool done = fd >= 0 && write(fd, text, length) == (ssize_t)length;

	if (fd >= 0 && close(fd) < 0)
		done = false;
	return done;
}

/* Keeps a text as a new file in JOBS_FOLDER, and returns its name. */
static json_t *keep(json_t *args, const char **problem)
{
	const char *folder = getenv("JOBS_FOLDER");
	char pattern[4096], path[4096];

	if (!folder || !json_is_string(args))
		return failed(problem, folder ? "not a text" : "JOBS_FOLDER is not set");
	if (snprintf(pattern, sizeof(pattern), "%s/job-XXXXXX", folder) >= (int)sizeof(pattern))
		return failed(problem, "JOBS_FOLDER is too long");
	if (!write_new(pattern, path, json_string_value(args), json_string_length(args)))
		return failed(problem, "cannot write into JOBS_FOLDER");
	return json_string(strrchr(path, '/') + 1);
}

static const struct {
	const char *name;
	job_function function;
} functions[] = {
	{"add", add},
	{"echo", echo},
	{"keep", keep},
	{"nothing", nothing},
	{"sleep", sleep_for},
	{"square", square},
	{"sum_of_squares", sum_of_squares},
	{"sum_of_squares_by_others", sum_of_squares_by_others},
	{"who", who},
};

job_function function_find(const char *name)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strcmp(functions[i].name, name) == 0)
			return functions[i].function;
	return NULL;
}
