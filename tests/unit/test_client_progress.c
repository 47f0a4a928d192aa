/* Progress in lines, and as a bar on a terminal of any width. */
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client_progress.h"
#include "test_main.h"

static void show(
	struct client_progress *progress, const char *pool, int done, int total, int starting)
{
	json_t *event = json_pack("{s:s,s:i,s:i,s:i}", "pool", pool, "done", done, "total", total,
		"starting", starting);

	client_progress_show(progress, event);
	json_decref(event);
}

START_TEST(in_lines)
{
	struct client_progress progress;
	char text[1024] = "";
	int end[2];
	json_t *nothing = json_object();

	ck_assert_int_eq(pipe(end), 0);
	client_progress_init(&progress, fdopen(end[1], "w"), "replaced");
	show(&progress, "web", 0, 12, 1);
	show(&progress, "web", 0, 12, 1);
	show(&progress, "web", 3, 12, 0);
	show(&progress, "api", 1, 2, 2);
	show(&progress, "web", 12, 12, 0);
	show(&progress, "odd", -5, 2000000000, -1);
	client_progress_show(&progress, nothing);
	client_progress_end(&progress);
	ck_assert_int_gt(read(end[0], text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "web: 0 of 12 replaced, 1 starting\n"
			       "web: 3 of 12 replaced\n"
			       "api: 1 of 2 replaced, 2 starting\n"
			       "web: 12 of 12 replaced\n"
			       "odd: 0 of 1000000 replaced\n"
			       "all: 0 of 0 replaced\n");
	fclose(progress.out);
	client_progress_free(&progress);
	json_decref(nothing);
	close(end[0]);
}
END_TEST

/* What a terminal of that width shows of one event more; the line must not reach its last column.
 */
static void check_bar(int columns, const char *wanted)
{
	struct winsize window = {.ws_row = 24, .ws_col = (unsigned short)columns};
	struct client_progress progress;
	char text[1024] = "", *end;
	int terminal, program;

	ck_assert_int_eq(openpty(&terminal, &program, NULL, NULL, &window), 0);
	client_progress_init(&progress, fdopen(program, "w"), "replaced");
	show(&progress, "web", 3, 12, 1);
	ck_assert_int_gt(read(terminal, text, sizeof(text) - 1), 0);
	end = strstr(text, "\033[K");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	ck_assert_int_eq(text[0], '\r');
	ck_assert_uint_lt(strlen(text + 1), (size_t)columns);
	if (wanted)
		ck_assert_str_eq(text + 1, wanted);
	memset(text, 0, sizeof(text));
	client_progress_end(&progress);
	client_progress_end(&progress);
	ck_assert_int_gt(read(terminal, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "\r\n");
	fclose(progress.out);
	client_progress_free(&progress);
	close(terminal);
}

START_TEST(as_a_bar)
{
	check_bar(80, "web: [#######.......................] 3 of 12 replaced, 1 starting");
	check_bar(45, "web: [##......] 3 of 12 replaced, 1 starting");
	check_bar(38, "web: [.] 3 of 12 replaced, 1 starting");
	check_bar(37, "3 of 12 replaced, 1 starting");
	check_bar(20, "3 of 12 replaced, 1");
	for (int columns = 20; columns < 200; columns++)
		check_bar(columns, NULL);
}
END_TEST

START_TEST(of_several_pools)
{
	struct winsize window = {.ws_row = 24, .ws_col = 80};
	struct client_progress progress;
	char text[1024] = "";
	size_t length = 0;
	ssize_t got = 1;
	int terminal, program;

	ck_assert_int_eq(openpty(&terminal, &program, NULL, NULL, &window), 0);
	client_progress_init(&progress, fdopen(program, "w"), "replaced");
	show(&progress, "web", 3, 10, 1);
	show(&progress, "api", 2, 10, 1);
	/* It may come in parts. */
	for (; got > 0 && !strstr(text, "2 starting"); length += (size_t)got)
		got = read(terminal, text + length, sizeof(text) - 1 - length);
	ck_assert_ptr_nonnull(strstr(
		text, "\r2 pools: [#######.......................] 5 of 20 replaced, 2 starting"));
	fclose(progress.out);
	client_progress_free(&progress);
	close(terminal);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_progress");
	TCase *tcase = tcase_create("client_progress");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, in_lines);
	tcase_add_test(tcase, as_a_bar);
	tcase_add_test(tcase, of_several_pools);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
