/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_CLI_H
#define DVMSIM_TOOLS_CLI_H

#include <dvmsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/*
 * One table per command says what it is called, what it takes and what it prints. Help, man pages
 * and shell completion are all made from it, so they can not disagree.
 */

/* Exit statuses, the same for every command. */
enum {
	CLI_OK = 0,      /* done, and every condition holds */
	CLI_FAILED = 1,  /* done, and a check failed */
	CLI_USAGE = 2,   /* bad input or usage; nothing was written */
	CLI_PARTIAL = 3, /* not finished: interrupted, or a budget was spent */
};

struct cli_option {
	const char *name; /* long name, without dashes */
	char letter;      /* short name, or 0 */
	const char *arg;  /* name of its argument in the help (FILE, N, LIST), or NULL for a flag */
	const char *help; /* one sentence */
	bool many;        /* may be given more than once */
};

/* The words after the command, parsed: options by their index in the table, then operands. */
struct cli_args {
	const struct cli_command *command;
	const char ***values; /* values[i] = NULL-terminated list of what option i was given */
	const char **operands;
	size_t count; /* of operands */
};

struct cli_command {
	const char *name;     /* "compare", or "model show" for a command with verbs */
	const char *operands; /* how operands appear in the usage line, "" for none */
	const char *summary;  /* one line, no full stop */
	const char *details;  /* paragraphs for the man page, separated by blank lines */
	const char *examples; /* lines of shell, or NULL */
	const struct cli_option *options; /* ends with a name of NULL */
	size_t min_operands, max_operands;
	int (*run)(const struct cli_args *args);
};

/* The value of option @name (the last one given), or NULL. A flag that was given yields "". */
const char *cli_value(const struct cli_args *args, const char *name);
/* All values of option @name; a NULL-terminated list, empty when it was not given. */
const char **cli_values(const struct cli_args *args, const char *name);
static inline bool cli_flag(const struct cli_args *args, const char *name)
{
	return cli_value(args, name) != NULL;
}

/* Parse an option's number within bounds; prints the error and returns false when it is none. */
bool cli_number(const struct cli_args *args, const char *name, unsigned long long min,
		unsigned long long max, unsigned long long *value);

/* "dvmsim: message" on stderr; each returns the exit status to use. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_fail(const struct dvm_error *err);

/*
 * Print words of @text within 80 columns and end the line; the first line begins at @column, further
 * lines are indented by @indent.
 */
void cli_wrap(FILE *out, const char *text, int column, int indent);

/* A limit in seconds (0: none) on work that asks it now and then. */
struct cli_clock {
	struct timespec start;
	double limit;
};

void cli_clock_start(struct cli_clock *clock);
double cli_clock_seconds(const struct cli_clock *clock);
/* For 'stop' callbacks: @arg is the clock; not 0 when the limit has passed. */
int cli_clock_expired(void *arg);

/* Write @text to --output FILE (atomically) or to stdout; returns an exit status. */
int cli_write(const char *path, const char *text, size_t size);

/* Write @text as a JSON string. What the library hands out is ASCII; a path may be anything. */
void cli_json_string(FILE *out, const char *text);

/* Where the models, strategies and traces that ship are found: DVMSIM_DATA, the install, the tree. */
const char *cli_data_dir(void);

struct dvm_strategy;
/* A path, or the name of a strategy that ships, into @s (dvm_strategy_free()). An exit status. */
int cli_load_strategy(const char *name, struct dvm_strategy **s);
/* Names of the strategies that ship, sorted; NULL-terminated. Returns an exit status. */
int cli_strategy_names(char ***names, size_t *count);
void cli_free_names(char **names, size_t count);

extern const struct cli_command *const cli_commands[]; /* ends with NULL */

/* What the commands that share a first word ("model list", "model show") are about. */
struct cli_family {
	const char *name;
	const char *summary; /* one line, no full stop */
};
extern const struct cli_family cli_families[]; /* ends with a name of NULL */
/* Whether @cmd is a verb of the family @name of @len bytes. */
bool cli_in_family(const struct cli_command *cmd, const char *name, size_t len);

/* Parse argv[1]... and run the command; argv[0] is its last word. Returns the exit status. */
int cli_run(const struct cli_command *cmd, int argc, char **argv);

void cli_help(FILE *out);
void cli_help_family(FILE *out, const struct cli_family *family);
void cli_help_command(FILE *out, const struct cli_command *cmd);
/* "-o, --output=FILE": how help, man pages and tests write an option; returns @text. */
char *cli_option_form(const struct cli_option *option, char *text, size_t size);

#endif
