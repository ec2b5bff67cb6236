/* SPDX-License-Identifier: MIT */
/* The command tables, and what is made of them: help, man pages, completion; standard streams. */
#include "check_main.h"
#include "cli.h"
#include "run_command.h"

#include <ctype.h>
#include <unistd.h>

static bool family_exists(const char *name, size_t len)
{
	for (const struct cli_family *f = cli_families; f->name; f++) {
		if (strlen(f->name) == len && !strncmp(f->name, name, len))
			return true;
	}
	return false;
}

START_TEST(tables_follow_the_rules)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		const char *space = strchr(cmd->name, ' ');
		bool letters[256] = { false };

		ck_assert_msg(!space || family_exists(cmd->name, (size_t)(space - cmd->name)),
			      "%s: its family is not in cli_families", cmd->name);
		ck_assert_msg(cmd->summary[0] && cmd->summary[strlen(cmd->summary) - 1] != '.',
			      "%s: a summary has no full stop", cmd->name);
		ck_assert_msg(cmd->details && cmd->details[0], "%s: no details", cmd->name);
		ck_assert_msg(cmd->examples && cmd->examples[0], "%s: no examples", cmd->name);
		for (const struct cli_option *o = cmd->options; o->name; o++) {
			size_t len = strlen(o->help);

			for (const char *c = o->name; *c; c++)
				ck_assert_msg(islower((unsigned char)*c) || isdigit((unsigned char)*c)
					      || *c == '-', "%s --%s", cmd->name, o->name);
			ck_assert_msg(len > 1 && o->help[len - 1] == '.',
				      "%s --%s: the help is one sentence", cmd->name, o->name);
			ck_assert_msg(!o->letter || !letters[(unsigned char)o->letter],
				      "%s: -%c twice", cmd->name, o->letter);
			letters[(unsigned char)o->letter] = true;
			/* The same letter means the same everywhere. */
			ck_assert_msg((o->letter == 'j') == !strcmp(o->name, "json"),
				      "%s: -j is --json", cmd->name);
			ck_assert_msg((o->letter == 'o') == !strcmp(o->name, "output"),
				      "%s: -o is --output", cmd->name);
		}
	}
}
END_TEST

static void assert_narrow(const char *text, const char *what)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		ck_assert_msg(strcspn(line, "\n") <= 80, "%s: wider than 80: %.*s", what,
			      (int)strcspn(line, "\n"), line);
}

START_TEST(help_lists_every_command)
{
	struct run all = run_shell("dvmsim --help");

	ck_assert_int_eq(all.status, 0);
	ck_assert_str_eq(all.err, "");
	assert_narrow(all.out, "--help");
	for (size_t i = 0; cli_commands[i]; i++) {
		char item[128];

		snprintf(item, sizeof(item), "\n  %s ", cli_commands[i]->name);
		ck_assert_msg(strstr(all.out, item) != NULL, "%s", cli_commands[i]->name);
	}
	run_free(&all);
}
END_TEST

START_TEST(a_family_lists_its_verbs)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const char *name = cli_commands[i]->name;
		char item[128];
		struct run run;

		if (!strchr(name, ' '))
			continue;
		run = run_shell("dvmsim %.*s --help", (int)strcspn(name, " "), name);
		snprintf(item, sizeof(item), "\n  %s ", name);
		ck_assert_int_eq(run.status, 0);
		ck_assert_msg(strstr(run.out, item) != NULL, "%s", name);
		run_free(&run);
	}
}
END_TEST

START_TEST(help_of_a_command_lists_every_option)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		struct run run = run_shell("dvmsim %s --help", cmd->name);
		struct run same = run_shell("dvmsim help %s", cmd->name);

		ck_assert_int_eq(run.status, 0);
		ck_assert_str_eq(run.err, "");
		ck_assert_str_eq(run.out, same.out);
		assert_narrow(run.out, cmd->name);
		for (const struct cli_option *o = cmd->options; o->name; o++) {
			char form[80], item[128];

			snprintf(item, sizeof(item), " %s",
				 cli_option_form(o, form, sizeof(form)));
			ck_assert_msg(strstr(run.out, item) != NULL, "%s: no '%s'", cmd->name, item);
		}
		run_free(&run);
		run_free(&same);
	}
}
END_TEST

START_TEST(man_page_of_a_command_lists_every_option)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		/* "\-" is how roff writes a minus sign. */
		struct run run = run_shell("name='%s'; sed 's/\\\\-/-/g' "
					   "\"%s/generated/man/dvmsim-$(echo $name | tr ' ' -).1\"",
					   cmd->name, DVMSIM_BINARY_DIR);

		ck_assert_msg(run.status == 0, "%s: %s", cmd->name, run.err);
		for (const struct cli_option *o = cmd->options; o->name; o++) {
			char form[80], item[128];

			snprintf(item, sizeof(item), "\n.B %s\n",
				 cli_option_form(o, form, sizeof(form)));
			ck_assert_msg(strstr(run.out, item) != NULL, "%s: no %s", cmd->name, item);
		}
		run_free(&run);
	}
}
END_TEST

/* What the shell offers for @words, the last of which is being typed; one word a line. */
static struct run complete(const char *words)
{
	return run_shell("PATH=$(dirname '" DVMSIM_BIN "'):$PATH bash -c '. \"$1\" && COMP_WORDS=(dvmsim %s) && "
			 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _dvmsim && "
			 "printf \"%%s\\n\" \"\" \"${COMPREPLY[@]}\"' - '%s/generated/dvmsim.bash'",
			 words, DVMSIM_BINARY_DIR);
}

static void assert_offered(const struct run *run, const char *words, const char *expected)
{
	char line[128];

	snprintf(line, sizeof(line), "\n%s\n", expected);
	ck_assert_msg(strstr(run->out, line) != NULL, "completing '%s' does not offer %s: %s%s",
		      words, expected, run->out, run->err);
}

START_TEST(completion_offers_every_command)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const char *name = cli_commands[i]->name, *verb = strchr(name, ' ');
		char words[64];
		struct run run;

		snprintf(words, sizeof(words), "%.*s \"\"", verb ? (int)(verb - name) : 0, name);
		run = complete(words);
		assert_offered(&run, words, verb ? verb + 1 : name);
		run_free(&run);
	}
}
END_TEST

START_TEST(completion_offers_every_option)
{
	for (size_t i = 0; cli_commands[i]; i++) {
		const struct cli_command *cmd = cli_commands[i];
		char words[64];
		struct run run;

		snprintf(words, sizeof(words), "%s x -", cmd->name);
		run = complete(words);
		for (const struct cli_option *o = cmd->options; o->name; o++) {
			char option[80];

			snprintf(option, sizeof(option), "--%s%s", o->name, o->arg ? "=" : "");
			assert_offered(&run, words, option);
			if (o->letter) {
				snprintf(option, sizeof(option), "-%c", o->letter);
				assert_offered(&run, words, option);
			}
		}
		run_free(&run);
	}
}
END_TEST

/* What is typed -> one of the names that ship, and one that must not be offered there. */
static const struct {
	const char *words, *offered, *other;
} names[] = {
	{ "model show n", "neoverse-n1-80", "teaching-4" },
	{ "model diff teaching-4 \"\"", "linux-6.12", NULL },
	{ "strategy show \"\"", "always-broadcast", "teaching-4" },
	{ "strategy show act", "active-cpu-v1", "always-broadcast" },
	{ "compare --model = \"\"", "teaching-4", "linux-6.12" },
	{ "compare -w fork --kernel =", "linux-6.12", "teaching-4" },
	{ "compare -s rech", "recheck", "null" },
	{ "compare -w \"\"", "fork", "null" },
};

START_TEST(completion_offers_names_that_ship)
{
	struct run run = complete(names[_i].words);
	char line[64];

	assert_offered(&run, names[_i].words, names[_i].offered);
	snprintf(line, sizeof(line), "\n%s\n", names[_i].other ? names[_i].other : "-");
	ck_assert_msg(!strstr(run.out, line), "'%s' offers %s", names[_i].words, names[_i].other);
	run_free(&run);
}
END_TEST

/* A shell line -> its exit status: what was asked for is on stdout, or the command failed. */
static const struct {
	const char *line;
	int status;
	const char *err;
} streams[] = {
	{ "dvmsim --version", 0, "" },
	{ "dvmsim --version >/dev/full", 2, "dvmsim: standard output: No space left on device\n" },
	{ "dvmsim --help >/dev/full", 2, "dvmsim: standard output: No space left on device\n" },
	{ "dvmsim --version >&-", 2, "dvmsim: standard output: Bad file descriptor\n" },
	{ "dvmsim --version 2>&-", 0, "" },
	{ "dvmsim nothing 2>&-", 2, "" },
	{ "dvmsim --version <&-", 0, "" },
	/* A reader that leaves is no error worth a message. */
	{ "{ sleep 0.1; dvmsim --help; echo $? >&2; } | :", 0, "141\n" },
	/* Where the signal is ignored, the failed write is seen. */
	{ "(trap '' PIPE; sleep 0.1; dvmsim --help; echo $? >&2) | :", 0,
	  "dvmsim: standard output: Broken pipe\n2\n" },
};

START_TEST(a_failed_write_is_a_failure)
{
	struct run run = run_shell("%s", streams[_i].line);

	ck_assert_msg(run.status == streams[_i].status, "%s: exit %d (%s)", streams[_i].line,
		      run.status, run.err);
	ck_assert_str_eq(run.err, streams[_i].err);
	run_free(&run);
}
END_TEST

/*
 * --output, here of cli_write() itself: the file is whole or as it was, and nothing is left beside
 * it. Each path is in a fresh directory that holds "old" with the text "old".
 */
static const struct {
	const char *path, *setup;
	int status;
	const char *then; /* shell condition on what is left */
} outputs[] = {
	{ "new", ":", CLI_OK, "test \"$(cat new)\" = text && test \"$(ls -A)\" = \"new\nold\"" },
	{ "old", ":", CLI_OK, "test \"$(cat old)\" = text && test \"$(ls -A)\" = old" },
	{ "none/new", ":", CLI_USAGE, "test \"$(ls -A)\" = old && test \"$(cat old)\" = old" },
	{ "old/new", ":", CLI_USAGE, "test \"$(ls -A)\" = old && test \"$(cat old)\" = old" },
	{ "dir", "mkdir -p dir/full", CLI_USAGE, "test \"$(ls -A)\" = \"dir\nold\"" },
	{ "", ":", CLI_USAGE, "test \"$(ls -A)\" = old" },
	{ "/dev/full", ":", CLI_USAGE, "test -c /dev/full" },
	{ "/dev/null", ":", CLI_OK, "test -c /dev/null" },
	{ "pipe", "mkfifo pipe; cat pipe >got &", CLI_OK,
	  "wait; sleep 0.1; test -p pipe && test \"$(cat got)\" = text" },
};

START_TEST(output_is_whole_or_absent)
{
	char dir[] = "/tmp/dvmsim-out-XXXXXX";
	struct run run;
	int status;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	run = run_shell("echo old >old; %s", outputs[_i].setup);
	run_free(&run);
	status = cli_write(outputs[_i].path, "text\n", 5);
	ck_assert_int_eq(status, outputs[_i].status);
	run = run_shell("%s", outputs[_i].then);
	ck_assert_msg(run.status == 0, "%s: not so: %s", outputs[_i].path, outputs[_i].then);
	run_free(&run);
	run = run_shell("rm -r %s", dir);
	run_free(&run);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "command line");

	tcase_add_test(tc, tables_follow_the_rules);
	tcase_add_test(tc, help_lists_every_command);
	tcase_add_test(tc, a_family_lists_its_verbs);
	tcase_add_test(tc, help_of_a_command_lists_every_option);
	tcase_add_test(tc, man_page_of_a_command_lists_every_option);
	tcase_add_test(tc, completion_offers_every_command);
	tcase_add_test(tc, completion_offers_every_option);
	tcase_add_loop_test(tc, completion_offers_names_that_ship, 0,
			    sizeof(names) / sizeof(names[0]));
	tcase_add_loop_test(tc, a_failed_write_is_a_failure, 0,
			    sizeof(streams) / sizeof(streams[0]));
	tcase_add_loop_test(tc, output_is_whole_or_absent, 0,
			    sizeof(outputs) / sizeof(outputs[0]));
}

CHECK_MAIN("cli", add_cases)
