/*
 * preforkd-top: the live view of a running supervisor, by its control socket. Options, and which of
 * the two ways to show it. It must not know how anything is drawn.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "errmsg.h"
#include "link.h"
#include "live.h"
#include "model.h"
#include "plain.h"

#define ANSWER_TIMEOUT_MS 5000

static const char usage_text[] = "usage: preforkd-top --socket PATH [--pool POOL] [--interval "
				 "SECONDS] [-n COUNT] [--ascii]\n";

static const char help_text[] =
	"\n"
	"Shows what a running preforkd does. On a terminal it goes on until q is pressed; h "
	"explains.\n"
	"\n"
	"  -s, --socket PATH       the supervisor's control socket\n"
	"  -p, --pool POOL         this pool only\n"
	"  -i, --interval SECONDS  look so often at least (0.5)\n"
	"  -n, --count COUNT       print plain text so many times and end; 0: for ever. Without a\n"
	"                          terminal this is the way anyway, once\n"
	"      --ascii             no characters beyond ASCII\n"
	"  -h, --help              this text\n"
	"  -V, --version           the version\n";

struct arguments {
	const char *socket, *pool;
	int interval_ms;
	long count; /* -1: not given */
	bool ascii;
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "preforkd-top: %s%s\n%s", what, value, usage_text);
	return EX_USAGE;
}

static bool is_pool_name(const char *name)
{
	return name[0] && strlen(name) <= 32 &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_.-")] == '\0';
}

static int parse_interval(struct arguments *arguments, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.05 && seconds <= 3600))
		return usage_error("an interval is 0.05 to 3600 seconds, not ", text);
	arguments->interval_ms = (int)(seconds * 1000);
	return -1;
}

static int parse_count(struct arguments *arguments, const char *text)
{
	char *end;

	arguments->count = strtol(text, &end, 10);
	if (end == text || *end || arguments->count < 0)
		return usage_error("a count is 0 or more, not ", text);
	return -1;
}

static int parse_pool(struct arguments *arguments, const char *text)
{
	if (!is_pool_name(text))
		return usage_error("no pool can have the name ", text);
	arguments->pool = text;
	return -1;
}

/* What to exit with, or -1: go on. */
static int parse_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 's': arguments->socket = optarg; return -1;
	case 'p': return parse_pool(arguments, optarg);
	case 'i': return parse_interval(arguments, optarg);
	case 'n': return parse_count(arguments, optarg);
	case 'a': arguments->ascii = true; return -1;
	case 'h': printf("%s%s", usage_text, help_text); return EX_OK;
	case 'V': puts("preforkd-top " PACKAGE_VERSION); return EX_OK;
	default: fputs(usage_text, stderr); return EX_USAGE;
	}
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
		{"pool", required_argument, NULL, 'p'}, {"interval", required_argument, NULL, 'i'},
		{"count", required_argument, NULL, 'n'}, {"ascii", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	int option, status;

	while ((option = getopt_long(argc, argv, "s:p:i:n:hV", options, NULL)) >= 0) {
		status = parse_option(arguments, option);
		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return usage_error("too much: ", argv[optind]);
	if (!arguments->socket)
		return usage_error("--socket is missing", "");
	return -1;
}

static int fail(const struct errmsg *err, int status)
{
	fprintf(stderr, "preforkd-top: %s\n", err->text);
	return status;
}

/* What to exit with when asking failed. */
static int ask(struct link *link, struct errmsg *err)
{
	if (link_ask(link, err) == 0)
		return EX_OK;
	return errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE;
}

/* Asks once and waits for the answer. NULL with the reason and what to exit with. */
static struct top_model *get_model(struct link *link, int *status, struct errmsg *err)
{
	*status = ask(link, err);
	if (*status != EX_OK)
		return NULL;
	*status = EX_UNAVAILABLE;
	if (link_wait(link, ANSWER_TIMEOUT_MS, err) != LINK_ANSWERED)
		return NULL;
	return model_parse(link->text, link->bytes, err);
}

static void sleep_ms(int ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
}

static int print_plainly(struct link *link, const struct arguments *arguments)
{
	long count = arguments->count < 0 ? 1 : arguments->count;
	struct errmsg err;
	int status;

	for (long i = 0; count == 0 || i < count; i++) {
		struct top_model *model;

		if (i > 0)
			sleep_ms(arguments->interval_ms);
		model = get_model(link, &status, &err);
		if (!model)
			return fail(&err, status);
		if (i > 0)
			putchar('\n');
		plain_print(stdout, model, arguments->ascii);
		model_free(model);
		if (fflush(stdout) != 0) {
			perror("preforkd-top: standard output");
			return EX_IOERR;
		}
	}
	return EX_OK;
}

static int watch(struct link *link, const struct arguments *arguments)
{
	const char *no_color = getenv("NO_COLOR");
	struct live_settings settings = {
		link, arguments->interval_ms, arguments->ascii, !no_color || !*no_color};
	struct errmsg err;
	int status = ask(link, &err);

	return status == EX_OK ? live_run(&settings) : fail(&err, status);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.interval_ms = 500, .count = -1};
	struct link link;
	int status = parse_arguments(&arguments, argc, argv);

	if (status >= 0)
		return status;
	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		arguments.ascii = true;
	link_init(&link, arguments.socket, arguments.pool);
	if (arguments.count >= 0 || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		status = print_plainly(&link, &arguments);
	else
		status = watch(&link, &arguments);
	link_fini(&link);
	return status;
}
