/* SPDX-License-Identifier: MIT */
/* dvmsim strategy: names and paths, a newcomer's own file, errors with place and cure. */
#include "check_main.h"

#include "run_command.h"

#define VALID DVMSIM_SOURCE_DIR "/tests/program/valid/"
#define INVALID DVMSIM_SOURCE_DIR "/tests/program/invalid/"

/* line of shell, exit status, what stdout and stderr hold */
static const struct {
	const char *line;
	int status;
	const char *out, *err;
} lines[] = {
	{ "dvmsim strategy list", 0, "active-cpu-v2  ", "" },
	{ "dvmsim strategy list -j", 0, "{\"name\":\"null\",", "" },
	{ "dvmsim strategy show always-broadcast", 0, "dsb ishst\n", "" },
	{ "dvmsim strategy show active-cpu-v2", 0, "word      mm.active_cpu = 4294967295\n", "" },
	{ "dvmsim strategy show -j null", 0, "\"schema\":\"dvmsim.strategy/1\"", "" },
	{ "dvmsim strategy show --source null", 0, "# SPDX-License-Identifier: MIT\n", "" },
	{ "dvmsim strategy show " VALID "spin.strategy", 0, "ld.acq r, gate", "" },
	{ "cd " VALID " && dvmsim strategy show spin.strategy", 0, "ld.acq r, gate", "" },
	{ "dvmsim strategy lint", 0, "recheck-own: ok", "" },
	{ "dvmsim strategy lint null " VALID "spin.strategy", 0, "spin.strategy: ok", "" },
	{ "dvmsim strategy lint " INVALID "unknown-hook.strategy", 2, "",
	  "unknown-hook.strategy:2:4: unknown hook 'flsh'; did you mean 'flush'?" },
	/* The good ones are still looked at after a bad one. */
	{ "dvmsim strategy lint " INVALID "no-ret.strategy null", 2, "null: ok", "no-ret.strategy:3:2:" },
	{ "dvmsim strategy lint -j null", 0, "\"ok\":true,\"instructions\":1}]}\n", "" },
	{ "dvmsim strategy lint -j " INVALID "unknown-hook.strategy", 2,
	  "\"ok\":false,\"error\":{\"line\":2,\"column\":4,\"text\":\"unknown hook", "" },
	{ "dvmsim strategy show cpumask-ipi:T=7", 0, "strategy  cpumask-ipi-T7\n", "" },
	{ "dvmsim strategy show " DVMSIM_SOURCE_DIR "/models/strategies/cpumask-ipi.strategy:T=7", 0,
	  "strategy  cpumask-ipi-T7\n", "" },
	{ "dvmsim strategy show cpumask-ipi:X=7", 2, "", "has no parameter 'X'; it has T" },
	{ "dvmsim strategy show cpumsk-ipi:T=7", 2, "", "did you mean 'cpumask-ipi'?" },
	/* Past the threshold a broadcast: T = 1 never interrupts. */
	{ "dvmsim strategy cost cpumask-ipi:T=8", 0, " LI |\n", "" },
	{ "dvmsim strategy cost -m neoverse-n1-128 cpumask-ipi:T=1", 0, "| cpumask-ipi-T1 | 16 | 0 | 0 |",
	  "" },
	{ "dvmsim strategy cost null", 0, "| null | 0 | 0 | 0 | 0 | 0 | stale | stale | stale |", "" },
	{ "dvmsim strategy cost -m nothing-there", 2, "", "nothing-there" },
	{ "dvmsim strategy show rechek", 2, "", "did you mean 'recheck'?" },
	{ "dvmsim strategy show what-is-this-name", 2, "", "'dvmsim strategy list'" },
	{ "dvmsim strategy show ./nothing.strategy", 2, "", "nothing.strategy" },
	{ "dvmsim strategy show /", 2, "", "/" },
	{ "DVMSIM_DATA=/nonexistent; export DVMSIM_DATA; dvmsim strategy list", 2, "",
	  "set DVMSIM_DATA" },
};

START_TEST(command_prints_and_ends_as_documented)
{
	struct run run = run_shell("%s", lines[_i].line);

	ck_assert_msg(run.status == lines[_i].status, "%s: %d %s", lines[_i].line, run.status,
		      run.err);
	ck_assert_msg(strstr(run.out, lines[_i].out) != NULL, "%s", run.out);
	ck_assert_msg(strstr(run.err, lines[_i].err) != NULL, "%s", run.err);
	if (!lines[_i].out[0])
		ck_assert_str_eq(run.out, "");
	if (!lines[_i].err[0])
		ck_assert_str_eq(run.err, "");
	run_free(&run);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "command");

	tcase_add_loop_test(tc, command_prints_and_ends_as_documented, 0,
			    (int)(sizeof(lines) / sizeof(lines[0])));
}

CHECK_MAIN("program_command", add_cases)
