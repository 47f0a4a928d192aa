/*
 * The rules between keys, a configuration and its faults each.
 */
#include "test_main.h"

#include "config_world.h"

#define POOL   "[pool:p]\ncommand=x\n" /* lines 1 and 2 */
#define SOCKET "[socket:s]\nlisten=:80\n"

static const struct {
	const char *text, *faults;
} cases[] = {
	{POOL, ""},
	{"", "t: the file is empty: there is no [pool:NAME]\n"},
	{"# a comment\n[socket:s]\nlisten=:80\n", "t: there is no [pool:NAME]\n"
						  "t:2: [socket:s]: warning: no pool uses it\n"},
	{"nonsense\n", "t:1: \"nonsense\" is no section, no key = value and no comment\n"},
	{"[pool:p]\n", "t:1: [pool:p] command: is missing\n"},
	{"[pool:p]\ncommand = '' x\n", "t:2: [pool:p] command: the program's name is empty\n"},
	/* names */
	{POOL "[preforkd]\nname=a/b\n",
		"t:4: [preforkd] name: \"a/b\" cannot be a folder's name\n"},
	{POOL "[preforkd]\nname=..\n", "t:4: [preforkd] name: \"..\" cannot be a folder's name\n"},
	{POOL "[preforkd]\nname=my shop\n", ""},
	{POOL "[preforkd]\nname=123456789 123456789 123456789 123456789 123456789 123456789 "
	      "12345\n",
		"t:4: [preforkd] name: is longer than 64 bytes\n"},
	/* sizes */
	{POOL "max_workers=5\nmin_spare_workers=5\nmax_spare_workers=5\nstart_workers=5\n", ""},
	{POOL "min_spare_workers=11\n",
		"t:3: [pool:p] min_spare_workers: is more than max_workers (10)\n"},
	{POOL "min_spare_workers=0\n",
		"t:3: [pool:p] min_spare_workers: 0 (workers on demand) needs sockets, or a socket "
		"as stdin\n"},
	{POOL "min_spare_workers=0\nsockets=s\n" SOCKET, ""},
	{POOL "min_spare_workers=0\nstdin=socket:s\n" SOCKET, ""},
	{POOL "min_spare_workers=0\nsockets=s\ngrow_on_backlog=no\n" SOCKET,
		"t:5: [pool:p] grow_on_backlog: min_spare_workers 0 (workers on demand) needs "
		"grow_on_backlog\n"},
	{POOL "min_spare_workers=1\nsockets=s\ngrow_on_backlog=no\n" SOCKET, ""},
	{POOL "min_spare_workers=1\ngrow_on_backlog=no\n",
		"t:4: [pool:p] grow_on_backlog: warning: has no effect without sockets\n"},
	{POOL "grow_on_backlog=no\n",
		"t:3: [pool:p] grow_on_backlog: warning: has no effect without "
		"min_spare_workers\n"},
	{POOL "min_spare_workers=3\nmax_spare_workers=2\nstart_workers=11\n",
		"t:4: [pool:p] max_spare_workers: is less than min_spare_workers (3)\n"
		"t:5: [pool:p] start_workers: is more than max_workers (10)\n"},
	{POOL "min_spare_workers=3\nmax_spare_workers=20\n", ""},
	{POOL "start_workers=3\nidle_timeout=1\nmax_spawn_step=1\nmax_spare_workers=1\n",
		"t:3: [pool:p] start_workers: warning: has no effect without min_spare_workers\n"
		"t:4: [pool:p] idle_timeout: warning: has no effect without min_spare_workers\n"
		"t:5: [pool:p] max_spawn_step: warning: has no effect without min_spare_workers\n"
		"t:6: [pool:p] max_spare_workers: warning: has no effect without "
		"min_spare_workers\n"},
	{POOL "idle_timeout=10s\n", ""},
	/* times */
	{POOL "err_respawn_interval=31\n",
		"t:3: [pool:p] err_respawn_interval: err_respawn_interval is more than "
		"err_respawn_max (30s)\n"},
	{POOL "err_respawn_max=500ms\n",
		"t:3: [pool:p] err_respawn_max: err_respawn_interval is more than err_respawn_max "
		"(500ms)\n"},
	{POOL "err_respawn_interval=0\nerr_respawn_max=0\n", ""},
	{POOL "min_uptime=60s\nready=alive\n",
		"t:3: [pool:p] min_uptime: no worker lives for min_uptime (1m) before "
		"start_timeout ends it\n"},
	{POOL "start_timeout=1\n",
		"t:3: [pool:p] start_timeout: warning: a worker without a scoreboard does not "
		"live for min_uptime (1s) before start_timeout ends it\n"},
	{POOL "start_timeout=1\nready=scoreboard\n", ""},
	{POOL "min_uptime=infinity\n", ""},
	{POOL "timeout_signal=ABRT\n",
		"t:3: [pool:p] timeout_signal: warning: has no effect without timeout or "
		"request_timeout\n"},
	{POOL "timeout_signal=ABRT\nrequest_timeout=3\n", ""},
	/* readiness */
	{POOL "ready=notify\nsockets=s\n" SOCKET, ""},
	{POOL "ready=alive\n", ""},
	{POOL "ready=alive\nsockets=s\n" SOCKET,
		"t:3: [pool:p] ready: warning: a reload cannot know whether a worker serves its "
		"sockets, only that it lives\n"},
	{POOL "ready=alive\nstdin=socket:s\n" SOCKET,
		"t:3: [pool:p] ready: warning: a reload cannot know whether a worker serves its "
		"sockets, only that it lives\n"},
	{POOL "ready=auto\nsockets=s\n" SOCKET, ""},
	/* recycling */
	{POOL "max_requests_jitter=5\nmax_lifetime_jitter=5\n",
		"t:3: [pool:p] max_requests_jitter: warning: has no effect without max_requests\n"
		"t:4: [pool:p] max_lifetime_jitter: warning: has no effect without max_lifetime\n"},
	{POOL "max_requests=1\nmax_requests_jitter=5\nmax_lifetime=1\nmax_lifetime_jitter=5\n"
	      "max_memory=1G\n",
		""},
	{POOL "max_requests_jitter=0\n", ""},
	{POOL "surge=0\n", "t:3: [pool:p] surge: must be at least 1\n"},
	/* sockets of pools */
	{POOL "sockets=s\n" SOCKET, ""},
	{POOL "stdin=socket:s\n" SOCKET, ""},
	{POOL "sockets=web\nstdin=socket:q\n[socket:wbe]\nlisten=:80\n",
		"t:3: [pool:p] sockets: there is no [socket:web]; did you mean wbe?\n"
		"t:4: [pool:p] stdin: there is no [socket:q]\n"
		"t:5: [socket:wbe]: warning: no pool uses it\n"},
	{POOL "sockets=s s s\n" SOCKET, "t:3: [pool:p] sockets: s is named twice\n"
					"t:3: [pool:p] sockets: s is named twice\n"},
	/* environment */
	{POOL "environment=PREFORKDX=1 LISTEN_PORT=80\n", ""},
	{POOL "environment=PREFORKD_SLOT=7 A=b LISTEN_FDS=3\n",
		"t:3: [pool:p] environment: PREFORKD_SLOT is set by preforkd itself\n"
		"t:3: [pool:p] environment: LISTEN_FDS is set by preforkd itself\n"},
	/* scoreboards */
	{POOL "scoreboard_file=/a//b\n[pool:q]\ncommand=x\nscoreboard_file=/a/./b\n",
		"t:6: [pool:q] scoreboard_file: is that of [pool:p] too\n"},
	/* sockets */
	{"[socket:s]\n" POOL "sockets=s\n", "t:1: [socket:s] listen: is missing\n"},
	{POOL SOCKET, "t:3: [socket:s]: warning: no pool uses it\n"},
	{POOL "sockets=s\n" SOCKET "mode=0600\nuser=root\n",
		"t:6: [socket:s] mode: warning: has no effect but on unix:PATH\n"
		"t:7: [socket:s] user: warning: has no effect but on unix:PATH\n"},
	{POOL "sockets=s\n" SOCKET "mode=0660\ntype=dgram\nbacklog=3\nnodelay=yes\n",
		"t:8: [socket:s] backlog: warning: has no effect on dgram\n"
		"t:9: [socket:s] nodelay: warning: has no effect but on TCP\n"},
	{POOL "sockets=s\n[socket:s]\nlisten=unix:x\nv6only=yes\ndefer_accept=yes\n",
		"t:6: [socket:s] v6only: warning: has no effect on a unix socket\n"
		"t:7: [socket:s] defer_accept: warning: has no effect but on TCP\n"},
	{POOL "sockets=s\n" SOCKET "type=seqpacket\n",
		"t:6: [socket:s] type: seqpacket needs a unix socket\n"},
};

START_TEST(test_case)
{
	check_faults(cases[_i].text, cases[_i].faults);
}
END_TEST

/* Two addresses, each with more keys of its section behind it. */
static const struct {
	const char *first, *second;
	const char *verdict; /* NULL: fine */
} pairs[] = {
	{":80", ":80", "is the same as"},
	{":80", ":81", NULL},
	{":0", ":0", NULL},
	{":80", "127.0.0.1:80", "overlaps"},
	{"127.0.0.1:80", ":80", "overlaps"},
	{"127.0.0.1:80", "127.0.0.2:80", NULL},
	{"0.0.0.0:80", "127.0.0.2:80", "overlaps"},
	{"0.0.0.0:80", "[::1]:80", NULL},
	{"[::]:80", "[::1]:80", "overlaps"},
	{"[::]:80", "127.0.0.1:80", "overlaps"},
	{"[::]:80\nv6only=yes", "0.0.0.0:80", NULL},
	{"[::]:80", "0.0.0.0:80", "overlaps"},
	{":80", "localhost:80", "overlaps"},
	{"localhost:80", "127.0.0.1:80", NULL},
	{":80", ":80\ntype=dgram", NULL},
	{":80\nreuse_port=yes", ":80", "is the same as"},
	{":80\nreuse_port=yes", ":80\nreuse_port=yes", NULL},
	{"unix:x", "unix:./x", "is the same as"},
	{"unix:x", "unix:x\ntype=dgram", "is the same as"},
	{"unix:@x", "unix:x", NULL},
	{"unix:@x", "unix:@x", "is the same as"},
};

START_TEST(test_overlap)
{
	char text[512], expected[128] = "";
	int line = 6;

	for (const char *at = pairs[_i].first; *at; at++)
		line += *at == '\n';
	snprintf(text, sizeof(text),
		POOL "sockets=a b\n[socket:a]\nlisten=%s\n[socket:b]\nlisten=%s\n", pairs[_i].first,
		pairs[_i].second);
	if (pairs[_i].verdict)
		snprintf(expected, sizeof(expected),
			"t:%d: [socket:b] listen: %s that of [socket:a]\n", line + 1,
			pairs[_i].verdict);
	check_faults(text, expected);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings_check");
	TCase *tests = tcase_create("settings_check");

	tcase_add_loop_test(tests, test_case, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tests, test_overlap, 0, sizeof(pairs) / sizeof(pairs[0]));
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
