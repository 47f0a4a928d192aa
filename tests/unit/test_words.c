/*
 * Words split, quoted and expanded: tables after what sh(1) does, and random words of any bytes
 * that must survive being joined and split.
 */
#include <string.h>

#include "errmsg.h"
#include "memory.h"
#include "test_main.h"
#include "words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    8

static const struct {
	const char *text;
	const char *words[WORDS_MAX]; /* NULL-ended */
} split_cases[] = {
	{"", {NULL}},
	{" \t\n ", {NULL}},
	{"\\\n", {NULL}},
	{"a", {"a"}},
	{" a  b\tc\nd ", {"a", "b", "c", "d"}},
	{"''", {""}},
	{"\"\"", {""}},
	{"a '' b", {"a", "", "b"}},
	{"''\"\"''", {""}},
	{"'' \"\"", {"", ""}},
	{"'a b'", {"a b"}},
	{"a'b c'd", {"ab cd"}},
	{"a\"b c\"d", {"ab cd"}},
	{"'a\"b'", {"a\"b"}},
	{"\"a'b\"", {"a'b"}},
	{"'a\\b'", {"a\\b"}},
	{"'a\\'b", {"a\\b"}},
	{"a\\ b", {"a b"}},
	{"\\'", {"'"}},
	{"\\\"", {"\""}},
	{"\\\\", {"\\"}},
	{"\\a", {"a"}},
	{"\\n", {"n"}},
	{"a\\\nb", {"ab"}},
	{"a \\\n b", {"a", "b"}},
	{"\"a\\\nb\"", {"ab"}},
	{"'a\\\nb'", {"a\\\nb"}},
	{"\"\\$\\`\\\"\\\\\"", {"$`\"\\"}},
	{"\"\\a\\n\\'\"", {"\\a\\n\\'"}},
	{"'it'\\''s'", {"it's"}},
	{"$HOME `x` $(y) ${z}", {"$HOME", "`x`", "$(y)", "${z}"}},
	{"*.c ? [a]", {"*.c", "?", "[a]"}},
	{"a;b | c && d", {"a;b", "|", "c", "&&", "d"}},
	{"a>b 2>&1 <c", {"a>b", "2>&1", "<c"}},
	{"# no comment", {"#", "no", "comment"}},
	{"~ ~root a#b", {"~", "~root", "a#b"}},
	{"{a,b} !x", {"{a,b}", "!x"}},
	{"A=b c", {"A=b", "c"}},
	{"a\rb\vc\fd", {"a\rb\vc\fd"}},
	{"gr\xc3\xbc\xc3\x9f \xff\xfe", {"gr\xc3\xbc\xc3\x9f", "\xff\xfe"}},
	{"%{slot} %%", {"%{slot}", "%%"}},
	{"sh -c 'exec \"$0\" \"$@\"' x", {"sh", "-c", "exec \"$0\" \"$@\"", "x"}},
};

static void expect_words(const struct words *words, const char *const *expected, const char *text)
{
	size_t count = 0;

	while (count < WORDS_MAX && expected[count])
		count++;
	ck_assert_msg(words->count == count, "\"%s\": %zu words", text, words->count);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(strcmp(words->word[i], expected[i]) == 0,
			"\"%s\": word %zu is \"%s\"", text, i, words->word[i]);
	if (count > 0)
		ck_assert_ptr_null(words->word[count]);
	else
		ck_assert_ptr_null(words->word);
}

START_TEST(split_as_sh)
{
	struct words words = {7, NULL}; /* whatever was there before */
	struct errmsg err = {""};

	ck_assert_msg(words_split(&words, split_cases[_i].text, &err) == 0, "\"%s\": %s",
		split_cases[_i].text, err.text);
	expect_words(&words, split_cases[_i].words, split_cases[_i].text);
	words_free(&words);
	ck_assert_uint_eq(words.count, 0);
	words_free(&words);
}
END_TEST

START_TEST(split_refuses)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"'", "unbalanced quote '"},
		{"a '", "unbalanced quote '"},
		{"'a", "unbalanced quote '"},
		{"a'b'c'", "unbalanced quote '"},
		{"\"", "unbalanced quote \""},
		{"a \"b", "unbalanced quote \""},
		{"\"a\\\"", "unbalanced quote \""},
		{"\"\\", "unbalanced quote \""},
		{"\"'", "unbalanced quote \""},
		{"'\"", "unbalanced quote '"},
		{"\\", "lone backslash"},
		{"a b\\", "lone backslash"},
		{"a \\\\\\", "lone backslash"},
		{"one two three 'four", "unbalanced quote '"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct words words = {7, NULL};
		struct errmsg err = {""};

		ck_assert_msg(words_split(&words, cases[i].text, &err) == -1, "%s", cases[i].text);
		ck_assert_msg(strstr(err.text, cases[i].word), "%s: %s", cases[i].text, err.text);
		ck_assert_uint_eq(words.count, 0);
		ck_assert_ptr_null(words.word);
	}
}
END_TEST

START_TEST(split_at_blanks)
{
	static const struct {
		const char *text;
		const char *words[WORDS_MAX];
	} cases[] = {
		{"", {NULL}},
		{" \t ", {NULL}},
		{"a", {"a"}},
		{" web  admin\tx ", {"web", "admin", "x"}},
		{"'a b'", {"'a", "b'"}},
		{"\\ \"", {"\\", "\""}},
		{"a,b;c", {"a,b;c"}},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct words words = {7, NULL};

		ck_assert_int_eq(words_split_blanks(&words, cases[i].text, NULL), 0);
		expect_words(&words, cases[i].words, cases[i].text);
		words_free(&words);
	}
}
END_TEST

START_TEST(quote_where_needed)
{
	static const struct {
		const char *word, *quoted;
	} cases[] = {
		{"", "''"},
		{"a", "a"},
		{"/usr/bin/perl", "/usr/bin/perl"},
		{"-x", "-x"},
		{"A=b", "A=b"},
		{"a:b,c@d+e.f_g-h%i", "a:b,c@d+e.f_g-h%i"},
		{"%{slot}", "%{slot}"},
		{"x-%{pool}.log", "x-%{pool}.log"},
		{"a b", "'a b'"},
		{"a\tb", "'a\tb'"},
		{"a\nb", "'a\nb'"},
		{"a\rb", "'a\rb'"},
		{"\001", "'\001'"},
		{"\177", "'\177'"},
		{"it's", "'it'\\''s'"},
		{"'", "''\\'''"},
		{"\"", "'\"'"},
		{"\\", "'\\'"},
		{"$x", "'$x'"},
		{"`x`", "'`x`'"},
		{"a;b", "'a;b'"},
		{"a|b", "'a|b'"},
		{"a&b", "'a&b'"},
		{"(a)", "'(a)'"},
		{"<a>", "'<a>'"},
		{"*", "'*'"},
		{"a?", "'a?'"},
		{"[a]", "'[a]'"},
		{"!a", "'!a'"},
		{"a^b", "'a^b'"},
		{"#a", "'#a'"},
		{"a#b", "a#b"},
		{"~a", "'~a'"},
		{"a~b", "a~b"},
		{"{", "'{'"},
		{"}", "'}'"},
		{"{a,b}", "'{a,b}'"},
		{"{1..3}", "'{1..3}'"},
		{"{a}", "{a}"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xff", "\xff"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *quoted = words_quote(cases[i].word);

		ck_assert_str_eq(quoted, cases[i].quoted);
		free(quoted);
	}
}
END_TEST

START_TEST(join_and_equal)
{
	struct words words = {0}, other = {0};
	char *text = words_join(&words);

	ck_assert_str_eq(text, "");
	free(text);
	ck_assert(words_equal(&words, &other));
	words_add(&words, "a b");
	ck_assert(!words_equal(&words, &other));
	words_add(&words, "");
	words_add(&words, "c");
	text = words_join(&words);
	ck_assert_str_eq(text, "'a b' '' c");
	ck_assert_int_eq(words_split(&other, text, NULL), 0);
	ck_assert(words_equal(&words, &other));
	free(other.word[2]);
	other.word[2] = memory_copy_string("d");
	ck_assert(!words_equal(&words, &other));
	ck_assert_ptr_null(words.word[3]);
	free(text);
	words_free(&words);
	words_free(&other);
}
END_TEST

/* Bytes that mean something somewhere come up often. */
static char *random_word(uint64_t *state)
{
	static const char special[] = "'\"\\ \t\n$`;|&<>()*?[]{}!^~#%=,.";
	size_t length = test_random_below(state, 12);
	char *word = memory_alloc(length + 1);

	for (size_t i = 0; i < length; i++)
		word[i] = test_random_below(state, 2)
				  ? special[test_random_below(state, sizeof(special) - 1)]
				  : (char)(1 + test_random_below(state, 255));
	return word;
}

START_TEST(random_words_come_back)
{
	uint64_t state = test_seed();

	for (int i = 0; i < 20000; i++) {
		struct words words = {0}, back;
		struct errmsg err = {""};
		char *text;

		for (uint64_t n = test_random_below(&state, 6); n > 0; n--) {
			char *word = random_word(&state);

			words_add(&words, word);
			free(word);
		}
		text = words_join(&words);
		ck_assert_msg(words_split(&back, text, &err) == 0, "%s: %s", text, err.text);
		ck_assert_msg(words_equal(&words, &back), "%s", text);
		free(text);
		words_free(&words);
		words_free(&back);
	}
}
END_TEST

/* Noise is split or refused, and what was split comes back from its joined form. */
START_TEST(random_noise_is_survived)
{
	uint64_t state = test_seed();

	for (int i = 0; i < 20000; i++) {
		struct words words, back;
		char *noise = random_word(&state), *joined;

		if (words_split(&words, noise, NULL) == 0) {
			joined = words_join(&words);
			ck_assert_int_eq(words_split(&back, joined, NULL), 0);
			ck_assert_msg(words_equal(&words, &back), "%s", noise);
			free(joined);
			words_free(&words);
			words_free(&back);
		}
		free(noise);
	}
}
END_TEST

START_TEST(many_and_long_words)
{
	static char text[65536];
	struct words words;

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'x';
	ck_assert_int_eq(words_split(&words, text, NULL), 0);
	ck_assert_uint_eq(words.count, 32768);
	words_free(&words);
	memset(text, 'x', sizeof(text) - 1);
	ck_assert_int_eq(words_split(&words, text, NULL), 0);
	ck_assert_uint_eq(words.count, 1);
	ck_assert_uint_eq(strlen(words.word[0]), sizeof(text) - 1);
	words_free(&words);
}
END_TEST

static const struct expansion web_3 = {.name = "app", .pool = "web", .slot = 3};

START_TEST(expand)
{
	static const struct {
		const char *text, *expanded;
	} cases[] = {
		{"", ""},
		{"plain", "plain"},
		{"%{pool}", "web"},
		{"%{slot}", "3"},
		{"%{name}", "app"},
		{"%%", "%"},
		{"%%%%", "%%"},
		{"%%{slot}", "%{slot}"},
		{"%%%{slot}", "%3"},
		{"%{slot}%{slot}", "33"},
		{"/var/log/%{name}/%{pool}-%{slot}.log", "/var/log/app/web-3.log"},
		{"100%%", "100%"},
		{"{pool} $slot", "{pool} $slot"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		char *text = words_expand(cases[i].text, &web_3, &err);

		ck_assert_msg(text != NULL, "%s: %s", cases[i].text, err.text);
		ck_assert_str_eq(text, cases[i].expanded);
		free(text);
	}
}
END_TEST

START_TEST(expand_leaves_unknown_values)
{
	const struct expansion no_slot = {.name = "app", .pool = "web", .slot = -1};
	const struct expansion nothing = {.slot = -1};
	char *text = words_expand("%{name}/%{pool}/%{slot}/%%", &no_slot, NULL);

	ck_assert_str_eq(text, "app/web/%{slot}/%");
	free(text);
	text = words_expand("%{name}%{pool}%{slot}", &nothing, NULL);
	ck_assert_str_eq(text, "%{name}%{pool}%{slot}");
	free(text);
}
END_TEST

/* A value is put in as it is: what looks like an expansion in it is none. */
START_TEST(expand_once_only)
{
	const struct expansion odd = {.name = "%{pool}", .pool = "%%", .slot = 2147483647};
	char *text = words_expand("%{name} %{pool} %{slot}", &odd, NULL);

	ck_assert_str_eq(text, "%{pool} %% 2147483647");
	free(text);
}
END_TEST

START_TEST(expand_refuses)
{
	static const char *const cases[] = {"%", "a%", "%d", "%{", "%{}", "%{slot", "%{slots}",
		"%{Slot}", "%{ slot}", "%{host}", "%slot", "%%%", "ok %{pool} %x"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};

		ck_assert_msg(!words_expand(cases[i], &web_3, &err), "%s", cases[i]);
		ck_assert_msg(strstr(err.text, "%{slot}"), "%s: %s", cases[i], err.text);
		ck_assert_ptr_null(words_expand(cases[i], &web_3, NULL));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, split_as_sh, 0, (int)COUNT(split_cases));
	tcase_add_test(tcase, split_refuses);
	tcase_add_test(tcase, split_at_blanks);
	tcase_add_test(tcase, quote_where_needed);
	tcase_add_test(tcase, join_and_equal);
	tcase_add_test(tcase, random_words_come_back);
	tcase_add_test(tcase, random_noise_is_survived);
	tcase_add_test(tcase, many_and_long_words);
	tcase_add_test(tcase, expand);
	tcase_add_test(tcase, expand_leaves_unknown_values);
	tcase_add_test(tcase, expand_once_only);
	tcase_add_test(tcase, expand_refuses);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
