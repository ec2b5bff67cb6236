/* SPDX-License-Identifier: MIT */
/* dvmsim model: names and paths, exit statuses, what goes to which stream. */
#include "check_main.h"

#include "run_command.h"

#define DATA "cd " DVMSIM_SOURCE_DIR "/tests/model && "

/* line of shell, exit status, what stdout and stderr hold */
static const struct {
	const char *line;
	int status;
	const char *out, *err;
} lines[] = {
	{ "dvmsim model list", 0, "phytium-ftc862-8         calibrated", "" },
	{ "dvmsim model list", 0, "linux-7.2                estimated", "" },
	{ "dvmsim model list -j", 0, "\"schema\": \"dvmsim.model-list/1\"", "" },
	{ "dvmsim model show teaching-4", 0, "dvm.target_sync_ps               110000 ps ", "" },
	{ "dvmsim model show neoverse-n1-128", 0, "neoverse-n1-80.json", "" },
	{ "dvmsim model show linux-7.1-kpti", 0, "kpti                               true", "" },
	{ "dvmsim model show -j linux-7.1", 0, "\"schema\": \"dvmsim.kernel/1\"", "" },
	{ DATA "dvmsim model show valid/child.json", 0, "dvm.request_ps                        7 ps",
	  "" },
	{ DATA "dvmsim model show valid/child.json", 0, "full-hw.json", "" },
	{ "dvmsim model show neoverse-n1-8O", 2, "", "did you mean \"neoverse-n1-80\"?" },
	{ "dvmsim model show ./nothing.json", 2, "", "nothing.json" },
	{ "f=$(mktemp --suffix=.json); dvmsim model show linux-7.1 -j >$f; dvmsim model show $f; rm $f", 0,
	  "linux-7.1", "" },
	{ DATA "dvmsim model lint valid/*.json", 0, "", "" },
	{ DATA "dvmsim model lint lint/four-mistakes.json", 1, "/params/dvm/comp_ps: must be", "" },
	{ DATA "dvmsim model lint -j lint/four-mistakes.json", 1, "\"schema\": \"dvmsim.lint/1\"",
	  "" },
	{ DATA "dvmsim model lint nothing.json lint/renamed.json", 2, "/name: the name is",
	  "nothing.json" },
	{ "dvmsim model diff teaching-4 teaching-4", 0, "+++ teaching-4", "" },
	{ "dvmsim model diff linux-7.1 linux-7.2", 1, "+ repeat_tlbi                         new", "" },
	{ "dvmsim model diff -j linux-7.1 linux-7.2", 1, "\"path\": \"repeat_tlbi\"", "" },
	{ "dvmsim model diff linux-7.1 teaching-4", 2, "", "kernel configuration" },
	{ "dvmsim model schema kernel", 0, "\"title\": \"dvmsim kernel configuration\"", "" },
	{ "dvmsim model schema software", 2, "", "neither hw nor kernel" },
	{ "DVMSIM_DATA=/nonexistent; export DVMSIM_DATA; dvmsim model list", 2, "", "/nonexistent" },
};

START_TEST(command_prints_and_ends_as_documented)
{
	struct run run = run_shell("%s", lines[_i].line);

	ck_assert_msg(run.status == lines[_i].status, "%s: %d %s", lines[_i].line, run.status,
		      run.err);
	ck_assert_msg(strstr(run.out, lines[_i].out) != NULL, "%s: %s", lines[_i].line, run.out);
	ck_assert_msg(strstr(run.err, lines[_i].err) != NULL, "%s: %s", lines[_i].line, run.err);
	if (!lines[_i].err[0])
		ck_assert_str_eq(run.err, "");
	if (lines[_i].status == 2 && !lines[_i].out[0])
		ck_assert_str_eq(run.out, "");
	run_free(&run);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "model command");

	tcase_add_loop_test(tc, command_prints_and_ends_as_documented, 0,
			    (int)(sizeof(lines) / sizeof(lines[0])));
}

CHECK_MAIN("model command", add_cases)
