/* Addresses: what each spelling means, which are refused and how, and that they come back. */
#include <string.h>

#include "address.h"
#include "errmsg.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEN(x)       x x x x x x x x x x
#define LABEL_63     TEN("abcdef") "abc"
#define PATH_107     "/" TEN("0123456789") "abcdef"

static const struct {
	const char *text;
	struct {
		enum address_kind kind;
		const char *host;
		int port;
		const char *path;
	} parts;
	const char *formatted; /* NULL: as text */
} read_cases[] = {
	{"localhost:80", {ADDRESS_HOST, "localhost", 80, NULL}, NULL},
	{"127.0.0.1:8080", {ADDRESS_HOST, "127.0.0.1", 8080, NULL}, NULL},
	{"0.0.0.0:0", {ADDRESS_HOST, "0.0.0.0", 0, NULL}, NULL},
	{"255.255.255.255:65535", {ADDRESS_HOST, "255.255.255.255", 65535, NULL}, NULL},
	{"www.example.com:443", {ADDRESS_HOST, "www.example.com", 443, NULL}, NULL},
	{"www.example.com.:443", {ADDRESS_HOST, "www.example.com.", 443, NULL}, NULL},
	{"my_host-1:1", {ADDRESS_HOST, "my_host-1", 1, NULL}, NULL},
	{"1host:1", {ADDRESS_HOST, "1host", 1, NULL}, NULL},
	{"1.2.3.x:1", {ADDRESS_HOST, "1.2.3.x", 1, NULL}, NULL},
	{LABEL_63 ":1", {ADDRESS_HOST, LABEL_63, 1, NULL}, NULL},
	{LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN("abcdef") "a:1",
		{ADDRESS_HOST, LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN("abcdef") "a", 1, NULL},
		NULL},
	{"h:00080", {ADDRESS_HOST, "h", 80, NULL}, "h:80"},
	{"unix:80", {ADDRESS_UNIX, NULL, 0, "80"}, NULL},
	{"UNIX:80", {ADDRESS_HOST, "UNIX", 80, NULL}, NULL},
	{"[::1]:80", {ADDRESS_HOST, "::1", 80, NULL}, NULL},
	{"[::]:0", {ADDRESS_HOST, "::", 0, NULL}, NULL},
	{"[0:0:0:0:0:0:0:1]:80", {ADDRESS_HOST, "::1", 80, NULL}, "[::1]:80"},
	{"[2001:DB8::A]:80", {ADDRESS_HOST, "2001:db8::a", 80, NULL}, "[2001:db8::a]:80"},
	{"[::ffff:1.2.3.4]:80", {ADDRESS_HOST, "::ffff:1.2.3.4", 80, NULL}, NULL},
	{"[fe80::1%eth0]:80", {ADDRESS_HOST, "fe80::1%eth0", 80, NULL}, NULL},
	{"[fe80::1%2]:80", {ADDRESS_HOST, "fe80::1%2", 80, NULL}, NULL},
	{"[fe80:0::1%eth0.7]:80", {ADDRESS_HOST, "fe80::1%eth0.7", 80, NULL},
		"[fe80::1%eth0.7]:80"},
	{":80", {ADDRESS_ANY, NULL, 80, NULL}, NULL},
	{":0", {ADDRESS_ANY, NULL, 0, NULL}, NULL},
	{":65535", {ADDRESS_ANY, NULL, 65535, NULL}, NULL},
	{"unix:/run/app.sock", {ADDRESS_UNIX, NULL, 0, "/run/app.sock"}, NULL},
	{"unix:app.sock", {ADDRESS_UNIX, NULL, 0, "app.sock"}, NULL},
	{"unix:./@app", {ADDRESS_UNIX, NULL, 0, "./@app"}, NULL},
	{"unix:/a b:c]%{x}", {ADDRESS_UNIX, NULL, 0, "/a b:c]%{x}"}, NULL},
	{"unix:" PATH_107, {ADDRESS_UNIX, NULL, 0, PATH_107}, NULL},
	{"unix:@app", {ADDRESS_ABSTRACT, NULL, 0, "app"}, NULL},
	{"unix:@@", {ADDRESS_ABSTRACT, NULL, 0, "@"}, NULL},
	{"unix:@app/", {ADDRESS_ABSTRACT, NULL, 0, "app/"}, NULL},
	{"unix:@" PATH_107, {ADDRESS_ABSTRACT, NULL, 0, PATH_107}, NULL},
};

START_TEST(addresses_are_read)
{
	const char *text = read_cases[_i].text;
	const char *formatted = read_cases[_i].formatted ? read_cases[_i].formatted : text;
	struct address address, again;
	struct errmsg err = {""};
	char *back;

	ck_assert_msg(address_parse(&address, text, &err) == 0, "%s: %s", text, err.text);
	ck_assert_int_eq(address.kind, read_cases[_i].parts.kind);
	ck_assert_int_eq(address.port, read_cases[_i].parts.port);
	ck_assert_pstr_eq(address.host, read_cases[_i].parts.host);
	ck_assert_pstr_eq(address.path, read_cases[_i].parts.path);
	back = address_format(&address);
	ck_assert_str_eq(back, formatted);
	ck_assert_int_eq(address_parse(&again, back, NULL), 0);
	ck_assert(address_equal(&address, &again));
	free(back);
	address_free(&again);
	address_free(&address);
	ck_assert_int_eq(address.kind, ADDRESS_NONE);
	address_free(&address);
}
END_TEST

static const struct {
	const char *text, *reason;
} refused[] = {
	{"", "the address is empty"},
	{"80", "for a port alone write :80"},
	{"localhost", "the port is missing"},
	{"/run/app.sock", "write unix:/run/app.sock"},
	{"/run/a:b", "write unix:/run/a:b"},
	{"@app", "write unix:@app"},
	{"unix:", "unix: needs a path"},
	{"unix:@", "unix: needs a path"},
	{"unix:/run/", "is a folder"},
	{"unix:/", "is a folder"},
	{"unix:" PATH_107 "x", "107 bytes at most, not 108"},
	{"unix:@" PATH_107 "x", "107 bytes at most, not 108"},
	{":", "\"\" is not a port"},
	{":x", "\"x\" is not a port"},
	{":http", "\"http\" is not a port"},
	{":-1", "is not a port"},
	{":+1", "is not a port"},
	{": 80", "is not a port"},
	{":80 ", "is not a port"},
	{":0x50", "is not a port"},
	{":65536", "above 65535"},
	{":99999999999999999999999999", "above 65535"},
	{":4294967376", "above 65535"},
	{"h:", "\"\" is not a port"},
	{"h:65536", "above 65535"},
	{"h:80:", "in brackets"},
	{"::1:80", "in brackets"},
	{"::1", "in brackets"},
	{"::", "in brackets"},
	{"fe80::1%eth0:80", "in brackets"},
	{"*:80", "as in :8080"},
	{"a b:80", "is not the name or address of a host"},
	{" h:80", "is not the name"},
	{"h/x:80", "is not the name"},
	{"a..b:80", "is not the name"},
	{".a:80", "is not the name"},
	{"h;x:80", "is not the name"},
	{"http://h:80", "in brackets"},
	{"gr\xc3\xbc\xc3\x9f:80", "is not the name"},
	{LABEL_63 "x:80", "is not the name"},
	{LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 ":1", "too long"},
	{"256.0.0.1:80", "is not an IPv4 address"},
	{"1.2.3:80", "is not an IPv4 address"},
	{"1.2.3.4.5:80", "is not an IPv4 address"},
	{"1:80", "is not an IPv4 address"},
	{"a.1:80", "is not an IPv4 address"},
	{"[::1]", "the port is missing"},
	{"[::1]80", "the port is missing"},
	{"[::1]:", "\"\" is not a port"},
	{"[::1]:x", "is not a port"},
	{"[::1]:65536", "above 65535"},
	{"[::1:80", "the ] is missing"},
	{"[", "the ] is missing"},
	{"[]:80", "no IPv6 address"},
	{"[127.0.0.1]:80", "no IPv6 address"},
	{"[localhost]:80", "no IPv6 address"},
	{"[::1::2]:80", "no IPv6 address"},
	{"[:::]:80", "no IPv6 address"},
	{"[12345::]:80", "no IPv6 address"},
	{"[ ::1]:80", "no IPv6 address"},
	{"[::1%]:80", "no IPv6 address"},
	{"[::1%a b]:80", "no IPv6 address"},
	{"[%eth0]:80", "no IPv6 address"},
	{"[[::1]]:80", "no IPv6 address"},
	{"[" TEN(TEN("1234:")) "]:80", "no IPv6 address"},
	{"[::1%" TEN(TEN("12345")) "]:80", "no IPv6 address"},
};

START_TEST(addresses_are_refused)
{
	struct address address = {ADDRESS_ANY, NULL, 4711, NULL};
	struct errmsg err = {""};

	ck_assert_msg(address_parse(&address, refused[_i].text, &err) == -1, "%s accepted",
		refused[_i].text);
	ck_assert_msg(strstr(err.text, refused[_i].reason), "%s: %s", refused[_i].text, err.text);
	ck_assert_int_eq(address.kind, ADDRESS_ANY);
	ck_assert_int_eq(address.port, 4711);
	ck_assert_ptr_null(address.host);
	ck_assert_int_eq(address_parse(&address, refused[_i].text, NULL), -1);
}
END_TEST

START_TEST(equal)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{":80", ":80", true},
		{":80", ":81", false},
		{":80", "0.0.0.0:80", false},
		{"[::]:80", ":80", false},
		{"h:80", "h:80", true},
		{"h:80", "H:80", true},
		{"h:80", "h:81", false},
		{"h:80", "i:80", false},
		{"[::1]:80", "[0::1]:80", true},
		{"[::1]:80", "[::2]:80", false},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/A", false},
		{"unix:a", "unix:@a", false},
		{"unix:@a", "unix:@a", true},
		{"unix:@a", "unix:@A", false},
		{"unix:a", "a:80", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address a, b, none = {0};

		ck_assert_int_eq(address_parse(&a, cases[i].a, NULL), 0);
		ck_assert_int_eq(address_parse(&b, cases[i].b, NULL), 0);
		ck_assert_msg(
			address_equal(&a, &b) == cases[i].equal, "%s %s", cases[i].a, cases[i].b);
		ck_assert_int_eq(address_equal(&b, &a), cases[i].equal);
		ck_assert(address_equal(&a, &a));
		ck_assert(!address_equal(&a, &none));
		address_free(&a);
		address_free(&b);
	}
}
END_TEST

START_TEST(none_is_empty_text)
{
	struct address none = {0};
	char *text = address_format(&none);

	ck_assert_str_eq(text, "");
	ck_assert(address_equal(&none, &none));
	free(text);
}
END_TEST

/* A random address of every kind, as text. */
static void random_text(char text[256], uint64_t *state)
{
	static const char letters[] = "abcxyzABC-_019";
	unsigned port = (unsigned)test_random_below(state, 65536);
	char name[16] = "n";

	for (size_t i = test_random_below(state, 13); i > 0; i--)
		name[i] = letters[test_random_below(state, 14)];
	switch (test_random_below(state, 6)) {
	case 0: snprintf(text, 256, ":%u", port); break;
	case 1: snprintf(text, 256, "%s.example:%u", name, port); break;
	case 2:
		snprintf(text, 256, "%u.%u.%u.%u:%u", port & 255, port >> 8, (port * 7) & 255,
			(port * 13) & 255, port);
		break;
	case 3:
		snprintf(text, 256, "[%x:%x::%x]:%u", port, 65535 - port,
			(unsigned)test_random_below(state, 65536), port);
		break;
	case 4: snprintf(text, 256, "unix:/run/%s", name); break;
	default: snprintf(text, 256, "unix:@%s", name);
	}
}

START_TEST(random_addresses_come_back)
{
	uint64_t state = test_seed();

	for (int i = 0; i < 20000; i++) {
		struct address address, again;
		struct errmsg err = {""};
		char text[256], *back;

		random_text(text, &state);
		ck_assert_msg(address_parse(&address, text, &err) == 0, "%s: %s", text, err.text);
		back = address_format(&address);
		ck_assert_msg(address_parse(&again, back, &err) == 0, "%s: %s", back, err.text);
		ck_assert_msg(address_equal(&address, &again), "%s, %s", text, back);
		free(back);
		address_free(&address);
		address_free(&again);
	}
}
END_TEST

/* Noise is refused or read; what was read comes back. */
START_TEST(random_noise_is_survived)
{
	static const char letters[] = "[]::::%@/.*ax019 unix:";
	uint64_t state = test_seed();

	for (int i = 0; i < 100000; i++) {
		struct address address, again;
		char text[16] = "", *back;

		for (size_t j = test_random_below(&state, sizeof(text)); j > 0; j--)
			text[j - 1] = letters[test_random_below(&state, sizeof(letters) - 1)];
		if (address_parse(&address, text, NULL) < 0)
			continue;
		back = address_format(&address);
		ck_assert_msg(address_parse(&again, back, NULL) == 0, "\"%s\" \"%s\"", text, back);
		ck_assert(address_equal(&address, &again));
		free(back);
		address_free(&address);
		address_free(&again);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("address");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, addresses_are_read, 0, (int)COUNT(read_cases));
	tcase_add_loop_test(tcase, addresses_are_refused, 0, (int)COUNT(refused));
	tcase_add_test(tcase, equal);
	tcase_add_test(tcase, none_is_empty_text);
	tcase_add_test(tcase, random_addresses_come_back);
	tcase_add_test(tcase, random_noise_is_survived);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
