/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_RUN_COMMAND_H
#define DVMSIM_TESTS_RUN_COMMAND_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* What a shell line printed and how it ended; run_free() it. */
struct run {
	int status; /* exit status, or 128 + signal as the shell says it */
	char *out, *err;
};

static inline char *run_read(FILE *f)
{
	size_t len = 0, room = 1 << 16;
	char *text = malloc(room);

	rewind(f);
	while (text) {
		size_t n = fread(text + len, 1, room - len - 1, f);

		len += n;
		if (!n)
			break;
		if (room - len < 2)
			text = realloc(text, room *= 2);
	}
	if (!text)
		abort();
	text[len] = '\0';
	fclose(f);
	return text;
}

/* Run a line of shell; "dvmsim" in it is the command that was built. */
static inline struct run run_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline struct run run_shell(const char *fmt, ...)
{
	FILE *out = tmpfile(), *err = tmpfile();
	char line[8192], command[9000];
	struct run run;
	va_list ap;
	int status;

	if (!out || !err)
		abort();
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "dvmsim() { '%s' \"$@\"; }\n{ %s\n} >&%d 2>&%d </dev/null",
		 DVMSIM_BIN, line, fileno(out), fileno(err));
	status = system(command);
	run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	run.out = run_read(out);
	run.err = run_read(err);
	return run;
}

static inline void run_free(struct run *run)
{
	free(run->out);
	free(run->err);
}

#endif
