/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("dvmsim: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_USAGE;
}

int cli_fail(const struct dvm_error *err)
{
	char text[1024];

	dvm_error_format(err, text, sizeof(text));
	fprintf(stderr, "dvmsim: %s\n", text);
	return err->code == DVM_EUNSAFE ? CLI_FAILED :
	       err->code == DVM_EBUDGET ? CLI_PARTIAL : CLI_USAGE;
}

static size_t option_index(const struct cli_command *cmd, const char *name)
{
	size_t i = 0;

	while (cmd->options[i].name && strcmp(cmd->options[i].name, name) != 0)
		i++;
	return i;
}

const char **cli_values(const struct cli_args *args, const char *name)
{
	return args->values[option_index(args->command, name)];
}

const char *cli_value(const struct cli_args *args, const char *name)
{
	const char **list = cli_values(args, name), *last = NULL;

	while (*list)
		last = *list++;
	return last;
}

bool cli_number(const struct cli_args *args, const char *name, unsigned long long min,
		unsigned long long max, unsigned long long *value)
{
	const char *text = cli_value(args, name);
	unsigned long long n;
	char *end;

	if (!text)
		return true;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || n < min || n > max) {
		cli_usage("--%s: '%s' is not a whole number from %llu to %llu", name, text, min,
			  max);
		return false;
	}
	*value = n;
	return true;
}

int cli_write(const char *path, const char *text, size_t size)
{
	struct stat st;
	char tmp[4096];
	FILE *f;
	int fd;

	if (!path || !strcmp(path, "-")) {
		if (fwrite(text, 1, size, stdout) != size || fflush(stdout))
			return cli_usage("standard output: %s", strerror(errno));
		return CLI_OK;
	}
	/* A device or pipe is written in place; a regular file appears whole or not at all. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		f = fopen(path, "w");
		if (!f || fwrite(text, 1, size, f) != size || fclose(f))
			return cli_usage("%s: %s", path, strerror(errno));
		return CLI_OK;
	}
	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return cli_usage("%s: name too long", path);
	fd = mkstemp(tmp);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return cli_usage("%s: %s", path, strerror(errno));
	if (fwrite(text, 1, size, f) != size || fflush(f) || fchmod(fd, 0644) || fclose(f) ||
	    rename(tmp, path)) {
		unlink(tmp);
		return cli_usage("%s: %s", path, strerror(errno));
	}
	return CLI_OK;
}

const char *cli_data_dir(void)
{
	static const char *const candidates[] = { DVMSIM_SOURCE_DIR, DVMSIM_INSTALL_DATA };
	const char *env = getenv("DVMSIM_DATA");

	if (env && *env)
		return env;
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		char probe[4096];

		snprintf(probe, sizeof(probe), "%s/models/hw", candidates[i]);
		if (!access(probe, R_OK))
			return candidates[i];
	}
	return DVMSIM_INSTALL_DATA;
}

static void print_command_help(FILE *out, const struct cli_command *cmd)
{
	fprintf(out, "Usage: dvmsim %s [OPTION]...%s%s\n%s.\n\n", cmd->name,
		cmd->operands[0] ? " " : "", cmd->operands, cmd->summary);
	for (const struct cli_option *o = cmd->options; o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : " ",
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->arg ? "=" : "", o->arg ? o->arg : "");
		fprintf(out, "  %-30s %s\n", left, o->help);
	}
	fprintf(out, "  %-30s %s\n", "    --help", "Print this help.");
	if (cmd->examples)
		fprintf(out, "\nExamples:\n%s\n", cmd->examples);
}

static void print_help(FILE *out)
{
	fputs("Usage: dvmsim COMMAND [OPTION]... [ARGUMENT]...\n"
	      "Simulate and compare arm64 TLB maintenance strategies.\n\nCommands:\n", out);
	for (size_t i = 0; cli_commands[i]; i++)
		fprintf(out, "  %-18s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
	fputs("\n'dvmsim COMMAND --help' says what one command takes; 'dvmsim --version' the version."
	      "\nExit status: 0 done, 1 a check failed, 2 bad input or usage, 3 not finished.\n", out);
}

/* Collect the words of one command into @args; returns -1, or the exit status to stop with. */
static int parse(const struct cli_command *cmd, int argc, char **argv, struct cli_args *args)
{
	struct option longs[64];
	char shorts[128] = "+:";
	size_t n = 0, s = 2, used[64] = { 0 };
	int c, index;

	for (; cmd->options[n].name; n++) {
		longs[n] = (struct option){ cmd->options[n].name, cmd->options[n].arg != NULL, NULL,
					    256 + (int)n };
		if (cmd->options[n].letter) {
			shorts[s++] = cmd->options[n].letter;
			if (cmd->options[n].arg)
				shorts[s++] = ':';
		}
		args->values[n] = calloc((size_t)argc + 1, sizeof(char *));
		if (!args->values[n])
			return cli_usage("out of memory");
	}
	shorts[s] = '\0';
	shorts[0] = '-'; /* operands may stand anywhere */
	longs[n] = (struct option){ "help", 0, NULL, 255 };
	longs[n + 1] = (struct option){ 0 };
	args->values[n] = calloc(1, sizeof(char *));
	args->operands = calloc((size_t)argc + 1, sizeof(char *));
	if (!args->values[n] || !args->operands)
		return cli_usage("out of memory");
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, &index)) != -1) {
		size_t i = n;

		if (c == 1) {
			args->operands[args->count++] = optarg;
			continue;
		}
		if (c == 255) {
			print_command_help(stdout, cmd);
			return CLI_OK;
		}
		if (c == '?' || c == ':')
			return cli_usage("%s: %s '%s'; see 'dvmsim %s --help'", cmd->name,
					 c == '?' ? "unknown option" : "missing argument of",
					 argv[optind - 1], cmd->name);
		if (c >= 256)
			i = (size_t)c - 256;
		else
			for (i = 0; i < n && cmd->options[i].letter != c; i++)
				;
		args->values[i][used[i]++] = optarg ? optarg : "";
	}
	while (optind < argc)
		args->operands[args->count++] = argv[optind++];
	if (args->count < cmd->min_operands || args->count > cmd->max_operands)
		return cli_usage("usage: dvmsim %s [OPTION]... %s; see 'dvmsim %s --help'",
				 cmd->name, cmd->operands, cmd->name);
	return -1;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	const char **values[65] = { 0 };
	struct cli_args args = { .command = cmd, .values = values };
	int status = parse(cmd, argc, argv, &args);

	if (status < 0)
		status = cmd->run(&args);
	for (size_t i = 0; i < 65; i++)
		free((void *)values[i]);
	free((void *)args.operands);
	return status;
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

static int unknown(int argc, char **argv)
{
	size_t len = strlen(argv[1]);
	bool family = false;

	for (size_t i = 0; cli_commands[i]; i++) {
		const char *name = cli_commands[i]->name;

		if (strncmp(name, argv[1], len) != 0 || name[len] != ' ')
			continue;
		if (!family)
			fprintf(stderr, "dvmsim: %s: %s; it has:\n", argv[1],
				argc > 2 ? "unknown verb" : "a verb is missing");
		family = true;
		fprintf(stderr, "  dvmsim %-18s %s\n", name, cli_commands[i]->summary);
	}
	return family ? CLI_USAGE : cli_usage("unknown command '%s'; see 'dvmsim --help'", argv[1]);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("dvmsim %s\n", dvm_version());
		return CLI_OK;
	}
	for (size_t i = 0; cli_commands[i]; i++) {
		int words = match(cli_commands[i]->name, argc, argv);

		if (words)
			return run(cli_commands[i], argc - words, argv + words);
	}
	return unknown(argc, argv);
}
