/*
 * The model of a document, the minute's history, the load between two models, keys and the order
 * of rows: tables, broken documents, random ones.
 */
#include <math.h>

#include "history.h"
#include "top_world.h"
#include "view.h"

static const struct {
	const char *text, *reason;
} broken_cases[] = {
	{"", "no JSON"},
	{"nonsense", "no JSON"},
	{"{\"pools\":[", "no JSON"},
	{"{\"pools\":[]} {}", "no JSON"},
	{"[]", "no status"},
	{"17", "no JSON"},
	{"{}", "no status"},
	{"{\"pools\":{}}", "no status"},
	{"{\"pools\":null}", "no status"},
	{"{\"ok\":false,\"error\":\"no pool is called x\"}", "no pool is called x"},
	{"{\"ok\":true,\"message\":\"done\"}", "no status"},
	{"{\"name\":\"\xff\",\"pools\":[]}", "no JSON"},
};

START_TEST(what_is_no_status_has_a_reason)
{
	struct errmsg err = {""};

	ck_assert_ptr_null(model_parse(broken_cases[_i].text, strlen(broken_cases[_i].text), &err));
	ck_assert_msg(strstr(err.text, broken_cases[_i].reason), "%s", err.text);
}
END_TEST

START_TEST(a_whole_document_is_understood)
{
	struct top_model *model = world_model(world_status(2, 16, 40));
	const struct top_pool *pool = model_pool(model, "pool1");

	ck_assert_str_eq(model->name, "app");
	ck_assert_int_eq(model->pid, 4711);
	ck_assert_str_eq(model->reload, "failed");
	ck_assert_double_eq_tol(model->reload_ago, 999.5, 0.01);
	ck_assert_int_eq((int)model->descriptors, 57);
	ck_assert_uint_eq(model->pools, 2);
	ck_assert_ptr_nonnull(pool);
	ck_assert_ptr_null(model_pool(model, "pool2"));
	ck_assert_int_eq(pool->max_workers, 40);
	ck_assert(pool->rolling);
	ck_assert_int_eq(pool->roll_total, 12);
	ck_assert_int_eq((int)pool->socket[0].waiting_max, 17);
	ck_assert_uint_eq(pool->workers, 16);
	ck_assert_int_eq(pool->worker[1].state, TOP_BUSY);
	ck_assert_int_eq(pool->worker[1].letter, 'W');
	ck_assert_str_eq(pool->worker[1].note, "GET /");
	model_free(model);
}
END_TEST

/* Whatever stands where something else was expected. */
static json_t *random_value(uint64_t *random)
{
	switch (test_random_below(random, 10)) {
	case 0: return json_null();
	case 1: return json_true();
	case 2: return json_integer((json_int_t)test_random(random));
	case 3: return json_real(-1e308);
	case 4: return json_real(1e308);
	case 5: return json_array();
	case 6: return json_object();
	case 7: return json_string("\x1b[2J");
	case 8: return json_integer(-1);
	default: return json_string("");
	}
}

/* Puts random values in random places of a document. */
static void spoil(json_t *value, uint64_t *random)
{
	const char *key;
	json_t *member;
	size_t index;
	void *next;

	json_object_foreach_safe(value, next, key, member)
	{
		if (test_random_below(random, 12) == 0 && strcmp(key, "pools") != 0)
			json_object_set_new(value, key, random_value(random));
		else
			spoil(member, random);
	}
	json_array_foreach(value, index, member) if (test_random_below(random, 30) == 0)
		json_array_set_new(value, index, random_value(random));
	else spoil(member, random);
}

START_TEST(a_spoilt_document_gives_a_model)
{
	uint64_t random = test_seed();

	for (int round = 0; round < 2000; round++) {
		json_t *document = world_status(2, 6, 8);
		struct top_model *model;

		spoil(document, &random);
		model = world_model(document);
		for (size_t i = 0; i < model->pools; i++) {
			const struct top_pool *pool = &model->pool[i];

			ck_assert_ptr_nonnull(pool->name);
			ck_assert_int_ge(pool->max_workers, 0);
			for (size_t k = 0; k < pool->workers; k++) {
				ck_assert_ptr_nonnull(pool->worker[k].note);
				ck_assert_int_ge(pool->worker[k].slot, 0);
				ck_assert_int_lt(pool->worker[k].state, TOP_STATE_COUNT);
				ck_assert(pool->worker[k].letter > ' ');
			}
		}
		model_free(model);
	}
}
END_TEST

/* One worker's model at an age with so much processor time. */
static struct top_model *aged(double age, double cpu, int pid)
{
	struct top_model *model = world_model(world_status(1, 3, 4));
	struct top_worker *worker = &model->pool[0].worker[1];

	worker->age = worker->load_age = age;
	worker->cpu = worker->load_cpu = cpu;
	worker->pid = pid;
	return model;
}

START_TEST(load_is_measured_over_a_second)
{
	static const struct {
		double age, cpu;
		int pid;
		double load;
	} steps[] = {{10, 1, 7, -1}, {10.5, 1.3, 7, -1}, {11, 1.5, 7, 0.5}, {11.2, 1.7, 7, 0.5},
		{12, 1.5, 7, 0}, {13, 2.5, 7, 1}, {0.5, 0.1, 8, -1}, {1.5, 0.35, 8, 0.25}};
	struct top_model *before = NULL;

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct top_model *model = aged(steps[i].age, steps[i].cpu, steps[i].pid);

		model_follow(model, before);
		ck_assert_double_eq_tol(model->pool[0].worker[1].load, steps[i].load, 1e-9);
		model_free(before);
		before = model;
	}
	model_free(before);
}
END_TEST

static void remember(struct history *history, int64_t at_ms, int busy, double rate)
{
	struct top_model *model = world_model(world_status(1, 0, 4));

	model->pool[0].busy = busy;
	model->pool[0].jobs_per_second = rate;
	history_add(history, model, at_ms, 3);
	model_free(model);
}

START_TEST(a_minute_is_remembered)
{
	struct history history = {NULL, 0};
	double value[HISTORY_SECONDS];
	const struct history_track *track;

	ck_assert_ptr_null(history_find(&history, "pool0"));
	remember(&history, 100000, 1, 10);
	remember(&history, 100400, 5, 11);
	remember(&history, 100900, 2, 12);
	remember(&history, 102000, 3, 13); /* 101 is held */
	remember(&history, 110000, 4, 14); /* 103 to 109 are not known */
	track = history_find(&history, "pool0");
	ck_assert_double_eq_tol(history_spread(track, HISTORY_BUSY, 110000, value, 60), 5, 1e-9);
	ck_assert_double_eq_tol(value[59], 4, 1e-9);
	ck_assert_double_eq_tol(value[58], -1, 1e-9);
	ck_assert_double_eq_tol(value[56], -1, 1e-9);
	ck_assert_double_eq_tol(value[51], 3, 1e-9);
	ck_assert_double_eq_tol(value[50], 3, 1e-9);
	ck_assert_double_eq_tol(value[49], 5, 1e-9);
	ck_assert_double_eq_tol(value[48], -1, 1e-9);
	ck_assert_double_eq_tol(history_spread(track, HISTORY_JOBS, 110000, value, 6), 14, 1e-9);
	ck_assert_double_eq_tol(value[5], 14, 1e-9);
	ck_assert_double_eq_tol(value[4], 12, 1e-9);
	ck_assert_double_eq_tol(value[3], -1, 1e-9);
	/* It moves on without news, until all is forgotten */
	ck_assert_double_eq_tol(history_spread(track, HISTORY_BUSY, 169000, value, 60), 4, 1e-9);
	ck_assert_double_eq_tol(history_spread(track, HISTORY_BUSY, 171000, value, 60), 0, 1e-9);
	remember(&history, 500000, 0, 0);
	track = history_find(&history, "pool0");
	ck_assert_double_eq_tol(history_spread(track, HISTORY_BUSY, 500000, value, 60), 0, 1e-9);
	ck_assert_double_eq_tol(value[50], -1, 1e-9);
	history_fini(&history);
}
END_TEST

START_TEST(pools_that_went_are_forgotten)
{
	struct history history = {NULL, 0};
	struct top_model *many = world_model(world_status(5, 0, 1));
	struct top_model *none = world_model(world_status(0, 0, 1));

	history_add(&history, many, 1000, 1);
	ck_assert_uint_eq(history.tracks, 5);
	history_add(&history, none, 60000, 1);
	ck_assert_uint_eq(history.tracks, 5);
	history_add(&history, none, 61000, 1);
	ck_assert_uint_eq(history.tracks, 0);
	history_fini(&history);
	model_free(many);
	model_free(none);
}
END_TEST

START_TEST(rows_are_in_order_whatever_the_column)
{
	struct top_model *model = world_model(world_status(1, 200, 200));
	struct view view = {.sort = (enum view_column)_i};

	for (int reverse = 0; reverse < 2; reverse++) {
		const struct top_worker **row, **again;
		size_t count, same;

		view.reverse = reverse;
		row = view_rows(&view, &model->pool[0], &count);
		again = view_rows(&view, &model->pool[0], &same);
		ck_assert_uint_eq(count, 200);
		ck_assert_int_eq(memcmp(row, again, count * sizeof(*row)), 0);
		if (_i == VIEW_SLOT)
			ck_assert_int_eq(row[0]->slot, reverse ? 199 : 0);
		if (_i == VIEW_RESIDENT)
			ck_assert_int_eq(row[0]->slot, reverse ? 199 : 0);
		if (_i == VIEW_STATE)
			ck_assert_int_eq(row[0]->state, reverse ? TOP_KILLED : TOP_BUSY);
		if (_i == VIEW_NOTE) {
			ck_assert_str_ne(row[0]->note, "");
			ck_assert_str_eq(row[199]->note, "");
		}
		free(row);
		free(again);
	}
	model_free(model);
}
END_TEST

START_TEST(what_is_not_known_comes_last)
{
	struct top_model *model = world_model(world_status(1, 8, 8));
	struct view view = {.sort = VIEW_JOBS};

	model->pool[0].worker[4].jobs = -1;
	for (int reverse = 0; reverse < 2; reverse++) {
		const struct top_worker **row;
		size_t count;

		view.reverse = reverse;
		row = view_rows(&view, &model->pool[0], &count);
		ck_assert_int_eq(row[7]->slot, 4);
		free(row);
	}
	model_free(model);
}
END_TEST

START_TEST(keys_do_what_they_say)
{
	struct top_model *model = world_model(world_status(3, 80, 80));
	struct view view = {.page_rows = 10, .all_rows = 80};

	ck_assert_str_eq(view_pool(&view, model)->name, "pool0");
	ck_assert(view_key(&view, '\t', model));
	ck_assert_str_eq(view_pool(&view, model)->name, "pool1");
	ck_assert(view_key(&view, VIEW_KEY_LEFT, model));
	ck_assert(view_key(&view, VIEW_KEY_BACK_TAB, model));
	ck_assert_str_eq(view_pool(&view, model)->name, "pool2");
	ck_assert(view_key(&view, VIEW_KEY_RIGHT, model));
	ck_assert_str_eq(view_pool(&view, model)->name, "pool0");
	view_key(&view, VIEW_KEY_UP, model);
	ck_assert_int_eq(view.scroll, 0);
	view_key(&view, VIEW_KEY_DOWN, model);
	view_key(&view, VIEW_KEY_PAGE_DOWN, model);
	ck_assert_int_eq(view.scroll, 10);
	view_key(&view, VIEW_KEY_END, model);
	view_key(&view, VIEW_KEY_DOWN, model);
	ck_assert_int_eq(view.scroll, 70);
	view_key(&view, VIEW_KEY_PAGE_UP, model);
	ck_assert_int_eq(view.scroll, 61);
	view_key(&view, 'j', model);
	ck_assert_int_eq(view.sort, VIEW_JOBS);
	ck_assert(view.reverse);
	ck_assert_int_eq(view.scroll, 0);
	view_key(&view, 'j', model);
	ck_assert(!view.reverse);
	view_key(&view, 'r', model);
	ck_assert(view.reverse);
	view_key(&view, 'b', model);
	ck_assert_int_eq(view.filter, VIEW_BUSY);
	view_key(&view, 'd', model);
	ck_assert_int_eq(view.filter, VIEW_IDLE);
	view_key(&view, 'd', model);
	ck_assert_int_eq(view.filter, VIEW_ALL);
	view_key(&view, ' ', model);
	ck_assert(view.paused);
	view_key(&view, '?', model);
	ck_assert(view.help);
	view_key(&view, '?', model);
	ck_assert(!view.help);
	ck_assert(!view_key(&view, 'z', model));
	ck_assert(!view_key(&view, 1, model));
	ck_assert(!view.quit);
	view_key(&view, 'q', model);
	ck_assert(view.quit);
	view_fini(&view);
	model_free(model);
}
END_TEST

/* No column's key is another's, nor that of something else. */
START_TEST(no_key_means_two_things)
{
	static const char keys[] = {
#define X(symbol, key, heading, help, width) key,
		VIEW_COLUMNS(X)
#undef X
			'b',
		'd', 'r', 'q', 'h', '?', ' ', '\0'};

	for (size_t i = 0; keys[i]; i++)
		ck_assert_ptr_null(strchr(keys + i + 1, keys[i]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("top: model");
	TCase *tests = tcase_create("model");

	tcase_add_loop_test(tests, what_is_no_status_has_a_reason, 0, COUNT(broken_cases));
	tcase_add_test(tests, a_whole_document_is_understood);
	tcase_add_test(tests, a_spoilt_document_gives_a_model);
	tcase_add_test(tests, load_is_measured_over_a_second);
	tcase_add_test(tests, a_minute_is_remembered);
	tcase_add_test(tests, pools_that_went_are_forgotten);
	tcase_add_loop_test(tests, rows_are_in_order_whatever_the_column, 0, VIEW_COLUMN_COUNT);
	tcase_add_test(tests, what_is_not_known_comes_last);
	tcase_add_test(tests, keys_do_what_they_say);
	tcase_add_test(tests, no_key_means_two_things);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
