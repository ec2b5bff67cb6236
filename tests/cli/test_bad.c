/* SPDX-License-Identifier: MIT */
/* Bad usage: exit 2, one line on stderr that names the cure, nothing on stdout, nothing written. */
#include "check_main.h"
#include "cli.h"
#include "run_command.h"

#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_refused(struct run *run, const char *what, const char *says)
{
	size_t lines = 0;

	for (const char *c = run->err; *c; c++)
		lines += *c == '\n';
	ck_assert_msg(run->status == 2, "dvmsim %s: exit %d, not 2 (%s)", what, run->status,
		      run->err);
	ck_assert_msg(!run->out[0], "dvmsim %s: printed: %s", what, run->out);
	ck_assert_msg(lines == 1, "dvmsim %s: %zu lines, not 1: %s", what, lines, run->err);
	ck_assert_msg(!strncmp(run->err, "dvmsim: ", 8), "dvmsim %s: %s", what, run->err);
	ck_assert_msg(strstr(run->err, says) != NULL, "dvmsim %s: does not say '%s' but: %s", what,
		      says, run->err);
	run_free(run);
}

START_TEST(bad_words_are_refused_in_one_line)
{
	FILE *f = fopen(DVMSIM_SOURCE_DIR "/tests/cli/bad.txt", "r");
	char line[1024], tmp[] = "/tmp/dvmsim-cli-XXXXXX";
	size_t rows = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(mkdtemp(tmp));
	while (fgets(line, sizeof(line), f)) {
		char *says = line + strcspn(line, "\t\n");
		struct run run;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		ck_assert_msg(*says == '\t', "bad.txt: no tab in: %s", line);
		*says++ = '\0';
		says += strspn(says, "\t");
		says[strcspn(says, "\n")] = '\0';
		run = run_shell("TMP=%s DATA='%s'; dvmsim %s", tmp, DVMSIM_SOURCE_DIR, line);
		assert_refused(&run, line, says);
		rows++;
	}
	fclose(f);
	ck_assert_uint_gt(rows, 0);
	/* rmdir() fails when something was left behind. */
	ck_assert_int_eq(rmdir(tmp), 0);
}
END_TEST

/* @count words that name nothing. */
static char *operands(size_t count, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, " /no/such/thing");
	return text;
}

START_TEST(every_command_refuses_what_it_does_not_take)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		char words[1024], what[1200];
		struct run run;

		operands(cmd->min_operands, words, sizeof(words));
		snprintf(what, sizeof(what), "%s --no-such-option%s", cmd->name, words);
		run = run_shell("dvmsim %s", what);
		assert_refused(&run, what, "--no-such-option");
		if (cmd->max_operands < 8) {
			operands(cmd->max_operands + 1, words, sizeof(words));
			snprintf(what, sizeof(what), "%s %s", cmd->name, words);
			run = run_shell("dvmsim %s", what);
			assert_refused(&run, what, "unexpected '/no/such/thing'");
		}
		if (cmd->min_operands > 0) {
			run = run_shell("dvmsim %s", cmd->name);
			assert_refused(&run, cmd->name, "is missing");
		}
	}
}
END_TEST

START_TEST(every_option_refuses_a_wrong_form)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];

		for (const struct cli_option *o = cmd->options; o->name; o++) {
			char what[256];
			struct run run;

			snprintf(what, sizeof(what), "%s --%s%s", cmd->name, o->name,
				 o->arg ? "" : "=1");
			run = run_shell("dvmsim %s", what);
			assert_refused(&run, what,
				       o->arg ? "needs an argument" : "takes no argument");
		}
	}
}
END_TEST

/* An option that takes a whole number (N in the help) refuses all that is none. */
static const char *const no_numbers[] = { "", "x", "-1", "1.5", "1e3", "0x", "99999999999999999999",
					  "1 ", "+-1" };

START_TEST(a_number_is_a_number)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];

		for (const struct cli_option *o = cmd->options; o->name; o++) {
			char words[256], what[512];
			struct run run;

			if (!o->arg || strcmp(o->arg, "N") != 0)
				continue;
			snprintf(what, sizeof(what), "%s --%s='%s'%s", cmd->name, o->name,
				 no_numbers[_i],
				 operands(cmd->min_operands, words, sizeof(words)));
			run = run_shell("dvmsim %s", what);
			assert_refused(&run, what, o->name);
		}
	}
}
END_TEST

START_TEST(a_message_is_one_line_whatever_it_quotes)
{
	struct run run = run_shell("dvmsim \"$(printf 'a\\nb\\033[2J')\"");

	ck_assert_str_eq(run.err, "dvmsim: 'a?b?[2J' is not a command; see 'dvmsim --help'\n");
	assert_refused(&run, "a\\nb", "a?b");
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "bad usage");

	tcase_add_test(tc, bad_words_are_refused_in_one_line);
	tcase_add_test(tc, every_command_refuses_what_it_does_not_take);
	tcase_add_test(tc, every_option_refuses_a_wrong_form);
	tcase_add_loop_test(tc, a_number_is_a_number, 0,
			    sizeof(no_numbers) / sizeof(no_numbers[0]));
	tcase_add_test(tc, a_message_is_one_line_whatever_it_quotes);
}

CHECK_MAIN("cli_bad", add_cases)
