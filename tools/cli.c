/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Messages are one line each, whatever bytes a file name or an operand has. */
static void say(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static void say(const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	fprintf(stderr, "dvmsim: %s\n", text);
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

int cli_fail(const struct dvm_error *err)
{
	char text[1024];

	dvm_error_format(err, text, sizeof(text));
	cli_usage("%s", text);
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

void cli_clock_start(struct cli_clock *clock)
{
	clock_gettime(CLOCK_MONOTONIC, &clock->start);
}

double cli_clock_seconds(const struct cli_clock *clock)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - clock->start.tv_sec) +
	       (double)(now.tv_nsec - clock->start.tv_nsec) * 1e-9;
}

int cli_clock_expired(void *arg)
{
	const struct cli_clock *clock = arg;

	return clock->limit > 0 && cli_clock_seconds(clock) > clock->limit;
}

int cli_write(const char *path, const char *text, size_t size)
{
	struct stat st;
	char tmp[PATH_MAX];
	mode_t mask;
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
	mask = umask(0);
	umask(mask);
	fd = mkstemp(tmp);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return cli_usage("%s: %s", path, strerror(errno));
	if (fwrite(text, 1, size, f) != size || fflush(f) || fchmod(fd, 0666 & ~mask) ||
	    fclose(f) || rename(tmp, path)) {
		cli_usage("%s: %s", path, strerror(errno));
		unlink(tmp);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static bool has_models(const char *dir)
{
	char probe[PATH_MAX];

	return snprintf(probe, sizeof(probe), "%s/models/strategies", dir) < (int)sizeof(probe) &&
	       !access(probe, R_OK);
}

/* PREFIX/share/dvmsim of an installed PREFIX/bin/dvmsim, wherever the prefix was moved to. */
static const char *data_beside_program(void)
{
	static char dir[PATH_MAX + sizeof("/" DVMSIM_DATA_FROM_BIN)];
	ssize_t len = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (len <= 0)
		return "";
	dir[len] = '\0';
	slash = strrchr(dir, '/');
	strcpy(slash ? slash : dir, "/" DVMSIM_DATA_FROM_BIN);
	return dir;
}

const char *cli_data_dir(void)
{
	const char *candidates[] = { data_beside_program(), DVMSIM_SOURCE_DIR };
	const char *env = getenv("DVMSIM_DATA");

	if (env && *env)
		return env;
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		if (has_models(candidates[i]))
			return candidates[i];
	}
	return DVMSIM_INSTALL_DATA;
}

enum {
	OPTIONS_MAX = 64,
	VALUE_HELP = 255,
	VALUE_FIRST = 256, /* of the table's options, as getopt_long() reports them */
};

/* One sentence on the option that getopt_long() refused with @c. */
static int bad_option(const struct cli_command *cmd, int c, const char *word)
{
	const char *names[OPTIONS_MAX + 2] = { 0 }, *near;
	char name[64];
	size_t n = 0;

	for (; cmd->options[n].name; n++)
		names[n] = cmd->options[n].name;
	names[n] = "help";
	if (c == ':' && optopt >= VALUE_FIRST)
		return cli_usage("%s: option '--%s' needs an argument", cmd->name,
				 names[optopt - VALUE_FIRST]);
	if (c == ':')
		return cli_usage("%s: option '-%c' needs an argument", cmd->name, optopt);
	if (optopt >= VALUE_HELP)
		return cli_usage("%s: option '%.*s' takes no argument", cmd->name,
				 (int)strcspn(word, "="), word);
	if (optopt)
		return cli_usage("%s: unknown option '-%c'; see 'dvmsim %s --help'", cmd->name,
				 optopt, cmd->name);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = dvm_suggest(name, names);
	if (near)
		return cli_usage("%s: unknown option '--%s'; did you mean '--%s'?", cmd->name, name,
				 near);
	return cli_usage("%s: unknown option '--%s'; see 'dvmsim %s --help'", cmd->name, name,
			 cmd->name);
}

/* Translate the table for getopt_long(), and make room for as many values as there are words. */
static bool prepare(const struct cli_command *cmd, int argc, struct cli_args *args,
		    struct option *longs, char *shorts)
{
	size_t n = 0;

	*shorts++ = '-'; /* operands may stand anywhere */
	*shorts++ = ':';
	for (; cmd->options[n].name; n++) {
		longs[n] = (struct option){ cmd->options[n].name, cmd->options[n].arg != NULL, NULL,
					    VALUE_FIRST + (int)n };
		if (cmd->options[n].letter) {
			*shorts++ = cmd->options[n].letter;
			if (cmd->options[n].arg)
				*shorts++ = ':';
		}
		args->values[n] = calloc((size_t)argc + 1, sizeof(char *));
		if (!args->values[n])
			return false;
	}
	*shorts = '\0';
	longs[n] = (struct option){ "help", 0, NULL, VALUE_HELP };
	longs[n + 1] = (struct option){ 0 };
	args->values[n] = calloc(1, sizeof(char *));
	args->operands = calloc((size_t)argc + 1, sizeof(char *));
	return args->values[n] && args->operands;
}

/* Collect the words of one command into @args; returns -1, or the exit status to stop with. */
static int parse(const struct cli_command *cmd, int argc, char **argv, struct cli_args *args)
{
	struct option longs[OPTIONS_MAX];
	char shorts[2 * OPTIONS_MAX + 3];
	size_t used[OPTIONS_MAX] = { 0 }, i;
	int c;

	if (!prepare(cmd, argc, args, longs, shorts))
		return cli_usage("out of memory");
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 1) {
			args->operands[args->count++] = optarg;
			continue;
		}
		if (c == VALUE_HELP) {
			cli_help_command(stdout, cmd);
			return CLI_OK;
		}
		if (c == '?' || c == ':')
			return bad_option(cmd, c, argv[optind - 1]);
		for (i = 0; c < VALUE_FIRST && cmd->options[i].letter != c; i++)
			;
		if (c >= VALUE_FIRST)
			i = (size_t)(c - VALUE_FIRST);
		args->values[i][used[i]++] = optarg ? optarg : "";
	}
	while (optind < argc)
		args->operands[args->count++] = argv[optind++];
	if (args->count < cmd->min_operands)
		return cli_usage("%s: %s is missing; see 'dvmsim %s --help'", cmd->name,
				 cmd->operands, cmd->name);
	if (args->count > cmd->max_operands)
		return cli_usage("%s: unexpected '%s'; see 'dvmsim %s --help'", cmd->name,
				 args->operands[cmd->max_operands], cmd->name);
	return -1;
}

int cli_run(const struct cli_command *cmd, int argc, char **argv)
{
	const char **values[OPTIONS_MAX] = { 0 };
	struct cli_args args = { .command = cmd, .values = values };
	int status = parse(cmd, argc, argv, &args);

	if (status < 0)
		status = cmd->run(&args);
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		free((void *)values[i]);
	free((void *)args.operands);
	return status;
}
