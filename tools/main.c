/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * A file opened while standard output or error is closed would take its place and be overwritten
 * by messages. Opened for reading only, a write to them fails as it should.
 */
static void hold_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", O_RDONLY);
	}
}

/* How many words of argv the command's name takes: "model show" takes two. 0: no match. */
static int match(const char *name, int argc, char **argv)
{
	const char *space = strchr(name, ' ');
	size_t first = space ? (size_t)(space - name) : strlen(name);

	if (strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return argc > 2 && !strcmp(argv[2], space + 1) ? 2 : 0;
}

static const struct cli_family *family_of(const char *word)
{
	const struct cli_family *f = cli_families;

	while (f->name && strcmp(f->name, word) != 0)
		f++;
	return f->name ? f : NULL;
}

/* Offer the verbs of @family, or with "" the first words of all commands. */
static int unknown(const char *family, const char *word)
{
	const char *words[128] = { 0 }, *near;
	size_t n = 0, len = strlen(family);
	char first[32];

	for (size_t i = 0; cli_commands[i] && n < 120; i++) {
		const struct cli_command *cmd = cli_commands[i];

		if (len ? cli_in_family(cmd, family, len) : !strchr(cmd->name, ' '))
			words[n++] = cmd->name + (len ? len + 1 : 0);
	}
	for (const struct cli_family *f = cli_families; !len && f->name; f++)
		words[n++] = f->name;
	snprintf(first, sizeof(first), "%s%s", family, len ? " " : "");
	near = dvm_suggest(word, words);
	if (near)
		return cli_usage("'%s%s' is not a command; did you mean 'dvmsim %s%s'?", first,
				 word, first, near);
	return cli_usage("'%s%s' is not a command; see 'dvmsim %s--help'", first, word, first);
}

static int run_family(const struct cli_family *family, int argc, char **argv)
{
	if (argc < 3)
		return cli_usage("%s: a verb is missing; see 'dvmsim %s --help'", family->name,
				 family->name);
	if (strcmp(argv[2], "--help") != 0)
		return unknown(family->name, argv[2]);
	cli_help_family(stdout, family);
	return CLI_OK;
}

static int run(int argc, char **argv)
{
	const struct cli_family *family;

	if (argc < 2) {
		cli_help(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    (argc == 2 && !strcmp(argv[1], "help"))) {
		cli_help(stdout);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("dvmsim %s\n", dvm_version());
		return CLI_OK;
	}
	for (size_t i = 0; cli_commands[i]; i++) {
		int words = match(cli_commands[i]->name, argc, argv);

		if (words)
			return cli_run(cli_commands[i], argc - words, argv + words);
	}
	family = family_of(argv[1]);
	return family ? run_family(family, argc, argv) : unknown("", argv[1]);
}

/* "dvmsim help model show" is "dvmsim model show --help". */
static int run_help(int argc, char **argv)
{
	char help[] = "--help", *words[5] = { argv[0] };
	int n = 1;

	for (int i = 2; i < argc && n < 3; i++)
		words[n++] = argv[i];
	words[n++] = help;
	return run(n, words);
}

int main(int argc, char **argv)
{
	int status;

	hold_standard_streams();
	status = argc > 2 && !strcmp(argv[1], "help") ? run_help(argc, argv) : run(argc, argv);
	/* What a command printed counts as done only when it was written. */
	if ((fflush(stdout) || ferror(stdout)) && status != CLI_USAGE)
		status = cli_usage("standard output: %s", strerror(errno));
	return status;
}
