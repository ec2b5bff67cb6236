/* SPDX-License-Identifier: MIT */
/* dvmsim strategy list|show|lint */
#include "cli.h"

#include <dvmsim/strategy.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".strategy"

static void directory(char *path, size_t size)
{
	snprintf(path, size, "%s/models/strategies", cli_data_dir());
}

static bool has_suffix(const char *name)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	return len > suffix && !strcmp(name + len - suffix, SUFFIX);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void cli_free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int cli_strategy_names(char ***names, size_t *count)
{
	char path[4096], **list = calloc(1, sizeof(*list)), **bigger;
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	directory(path, sizeof(path));
	dir = opendir(path);
	while (list && dir && (e = readdir(dir))) {
		if (!has_suffix(e->d_name))
			continue;
		bigger = realloc(list, (n + 2) * sizeof(*list));
		if (bigger) {
			list = bigger;
			list[n] = strdup(e->d_name);
		}
		if (!bigger || !list[n]) {
			cli_free_names(list, n);
			list = NULL;
			break;
		}
		list[n][strlen(list[n]) - strlen(SUFFIX)] = '\0';
		list[++n] = NULL;
	}
	if (dir)
		closedir(dir);
	if (!list)
		return cli_usage("out of memory");
	if (!dir) {
		cli_free_names(list, n);
		return cli_usage("%s: no strategies are installed here; set DVMSIM_DATA", path);
	}
	qsort(list, n, sizeof(*list), by_name);
	*names = list;
	*count = n;
	return CLI_OK;
}

/* Fill @err for a name that is not among those that ship. */
static void unknown_name(const char *name, struct dvm_error *err)
{
	const char *found;
	char **names;
	size_t count;

	*err = (struct dvm_error){ .code = DVM_ENOENT, .record = UINT64_MAX };
	if (cli_strategy_names(&names, &count)) {
		snprintf(err->text, sizeof(err->text), "no strategy '%s'", name);
		return;
	}
	found = dvm_suggest(name, (const char *const *)names);
	if (found)
		snprintf(err->text, sizeof(err->text), "no strategy '%s'; did you mean '%s'?", name,
			 found);
	else
		snprintf(err->text, sizeof(err->text), "no strategy '%s'; 'dvmsim strategy list' "
			 "names those that ship, and a file is given by a path with a slash or the "
			 "suffix " SUFFIX, name);
	cli_free_names(names, count);
}

/* A path, or the name of a strategy that ships; either with :NAME=NUMBER,... */
static int try_load(const char *name, struct dvm_strategy **s, struct dvm_error *err)
{
	char path[4096], dir[3072], plain[256];
	int len;
	FILE *f;

	directory(dir, sizeof(dir));
	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(name, ":"), name);
	if (strchr(name, '/') || has_suffix(plain))
		return dvm_strategy_find(name, dir, s, err);
	len = snprintf(path, sizeof(path), "%s/%s" SUFFIX, dir, plain);
	f = len < (int)sizeof(path) ? fopen(path, "r") : NULL;
	if (!f) {
		unknown_name(plain, err);
		return -DVM_ENOENT;
	}
	fclose(f);
	return dvm_strategy_find(name, dir, s, err);
}

int cli_load_strategy(const char *name, struct dvm_strategy **s)
{
	struct dvm_error err;

	return try_load(name, s, &err) ? cli_fail(&err) : CLI_OK;
}

static void json_member(FILE *out, const char *key, const char *value)
{
	fprintf(out, "\"%s\":", key);
	cli_json_string(out, value);
}

/* Begin a document in memory; finish() prints it. */
static FILE *begin(char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		cli_usage("out of memory");
	return out;
}

static int finish(FILE *out, char **text, const size_t *size, const char *path, int status)
{
	if (fclose(out) && status == CLI_OK)
		status = cli_usage("out of memory");
	if (status == CLI_OK)
		status = cli_write(path, *text, *size);
	free(*text);
	return status;
}

static int list_one(FILE *out, const char *name, bool as_json, bool first)
{
	struct dvm_strategy *s;
	int status = cli_load_strategy(name, &s);

	if (status != CLI_OK)
		return status;
	if (as_json) {
		fprintf(out, "%s{", first ? "" : ",");
		json_member(out, "name", name);
		fputc(',', out);
		json_member(out, "summary", dvm_strategy_summary(s));
		fprintf(out, ",\"hash\":\"%016" PRIx64 "\"}", dvm_strategy_hash(s));
	} else {
		fprintf(out, "%-28s %s\n", name, dvm_strategy_summary(s));
	}
	dvm_strategy_free(s);
	return CLI_OK;
}

static int run_list(const struct cli_args *args)
{
	bool as_json = cli_flag(args, "json");
	char **names, *text;
	size_t count, size;
	int status = cli_strategy_names(&names, &count);
	FILE *out;

	if (status != CLI_OK)
		return status;
	out = begin(&text, &size);
	if (!out) {
		cli_free_names(names, count);
		return CLI_USAGE;
	}
	if (as_json)
		fputs("{\"schema\":\"dvmsim.strategies/1\",\"strategies\":[", out);
	for (size_t i = 0; i < count && status == CLI_OK; i++)
		status = list_one(out, names[i], as_json, !i);
	if (as_json)
		fputs("]}\n", out);
	cli_free_names(names, count);
	return finish(out, &text, &size, NULL, status);
}

static void show_json_words(FILE *out, const struct dvm_strategy *s)
{
	for (size_t i = 0; i < dvm_strategy_words(s); i++) {
		struct dvm_strategy_word w;

		dvm_strategy_get_word(s, i, &w);
		fprintf(out, "%s{", i ? "," : "");
		json_member(out, "name", w.name);
		/* A string: readers of JSON round numbers above 2^53. */
		fprintf(out, ",\"mask\":%s,\"init\":\"%" PRIu64 "\"}", w.mask ? "true" : "false",
			w.init);
	}
}

static int show_json(FILE *out, const struct dvm_strategy *s)
{
	fputs("{\"schema\":\"dvmsim.strategy/1\",", out);
	json_member(out, "name", dvm_strategy_name(s));
	fputc(',', out);
	json_member(out, "summary", dvm_strategy_summary(s));
	fputc(',', out);
	json_member(out, "source", dvm_strategy_source(s));
	fprintf(out, ",\"hash\":\"%016" PRIx64 "\",\"words\":[", dvm_strategy_hash(s));
	show_json_words(out, s);
	fputs("],\"instructions\":[", out);
	for (size_t i = 0; i < dvm_strategy_lines(s); i++) {
		struct dvm_strategy_line l;

		if (dvm_strategy_get_line(s, i, &l))
			return cli_usage("out of memory");
		fprintf(out, "%s{\"index\":%zu,\"line\":%u,", i ? "," : "", i, l.line);
		json_member(out, "hook", l.hook);
		fputc(',', out);
		json_member(out, "text", l.text);
		fprintf(out, ",\"effect\":%s", l.pure ? "false" : "true");
		if (l.target >= 0)
			fprintf(out, ",\"target\":%d", l.target);
		fputc('}', out);
	}
	fputs("]}\n", out);
	return CLI_OK;
}

static void show_header(FILE *out, const struct dvm_strategy *s)
{
	const char *source = dvm_strategy_source(s);

	fprintf(out, "strategy  %s\nsummary   %s\n", dvm_strategy_name(s),
		dvm_strategy_summary(s));
	while (*source) {
		size_t len = strcspn(source, "\n");

		fprintf(out, "source    %.*s\n", (int)len, source);
		source += len + (source[len] == '\n');
	}
	fprintf(out, "hash      %016" PRIx64 "\n", dvm_strategy_hash(s));
	for (size_t i = 0; i < dvm_strategy_words(s); i++) {
		struct dvm_strategy_word w;

		dvm_strategy_get_word(s, i, &w);
		if (w.mask)
			fprintf(out, "mask      %s = %s\n", w.name, w.init ? "all" : "none");
		else
			fprintf(out, "word      %s = %" PRIu64 "\n", w.name, w.init);
	}
}

static int show_text(FILE *out, const struct dvm_strategy *s)
{
	char hook[64] = "";

	show_header(out, s);
	for (size_t i = 0; i < dvm_strategy_lines(s); i++) {
		struct dvm_strategy_line l;

		if (dvm_strategy_get_line(s, i, &l))
			return cli_usage("out of memory");
		if (strcmp(hook, l.hook) != 0)
			fprintf(out, "\non %s\nstep line\n", l.hook);
		snprintf(hook, sizeof(hook), "%s", l.hook);
		if (l.label[0])
			fprintf(out, "%*s%s:\n", 10, "", l.label);
		/* A dot marks what costs time or orders something; the rest only computes. */
		fprintf(out, "%4zu %4u %c    %s\n", i, l.line, l.pure ? ' ' : '.', l.text);
	}
	return CLI_OK;
}

static int run_show(const struct cli_args *args)
{
	struct dvm_strategy *s;
	char *text;
	size_t size;
	int status = cli_load_strategy(args->operands[0], &s);
	FILE *out;

	if (status != CLI_OK)
		return status;
	if (cli_flag(args, "source")) {
		status = cli_write(NULL, dvm_strategy_text(s), strlen(dvm_strategy_text(s)));
		dvm_strategy_free(s);
		return status;
	}
	out = begin(&text, &size);
	if (out) {
		status = cli_flag(args, "json") ? show_json(out, s) : show_text(out, s);
		status = finish(out, &text, &size, NULL, status);
	} else {
		status = CLI_USAGE;
	}
	dvm_strategy_free(s);
	return status;
}

/* One strategy of a lint: true when it is well formed. */
static bool lint_one(FILE *out, const char *name, bool as_json, bool first)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	bool ok = !try_load(name, &s, &err);

	if (as_json) {
		fprintf(out, "%s{", first ? "" : ",");
		json_member(out, "name", name);
		fprintf(out, ",\"ok\":%s", ok ? "true" : "false");
		if (ok) {
			fprintf(out, ",\"instructions\":%zu", dvm_strategy_lines(s));
		} else {
			fprintf(out, ",\"error\":{\"line\":%u,\"column\":%u,", err.line,
				err.column);
			json_member(out, "text", err.text);
			fputc('}', out);
		}
		fputc('}', out);
	} else if (ok) {
		fprintf(out, "%s: ok, %zu instructions\n", name, dvm_strategy_lines(s));
	} else {
		cli_fail(&err);
	}
	dvm_strategy_free(s);
	return ok;
}

static int run_lint(const struct cli_args *args)
{
	bool as_json = cli_flag(args, "json"), ok = true;
	size_t count = args->count, size;
	char **names = NULL, *text;
	int status = CLI_OK;
	FILE *out;

	if (!args->count)
		status = cli_strategy_names(&names, &count);
	if (status != CLI_OK)
		return status;
	out = begin(&text, &size);
	if (out) {
		if (as_json)
			fputs("{\"schema\":\"dvmsim.lint/1\",\"strategies\":[", out);
		for (size_t i = 0; i < count; i++)
			ok &= lint_one(out, names ? names[i] : args->operands[i], as_json, !i);
		if (as_json)
			fputs("]}\n", out);
		status = finish(out, &text, &size, NULL, CLI_OK);
	} else {
		status = CLI_USAGE;
	}
	if (names)
		cli_free_names(names, count);
	return status == CLI_OK && !ok ? CLI_USAGE : status;
}

static const struct cli_option list_options[] = {
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ 0 },
};

static const struct cli_option show_options[] = {
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ "source", 's', NULL, "Print the text as it was written, comments included.", false },
	{ 0 },
};

static const struct cli_option lint_options[] = {
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ 0 },
};

const struct cli_command cmd_strategy_list = {
	.name = "strategy list",
	.operands = "",
	.summary = "List the strategies that ship",
	.details = "Prints the name and the summary of each strategy in models/strategies.",
	.examples = "  dvmsim strategy list",
	.options = list_options,
	.max_operands = 0,
	.run = run_list,
};

const struct cli_command cmd_strategy_show = {
	.name = "strategy show",
	.operands = "STRATEGY",
	.summary = "Show one strategy: where it is from, what it keeps, its steps",
	.details = "STRATEGY is the name of one that ships, or a path: something with a slash or "
		   "the suffix .strategy.\n\n"
		   "Each instruction is printed with its step number, which reports of time per "
		   "step use, and its line in the text. A dot marks the instructions that access "
		   "memory, order something or touch a TLB; the others only compute and branch.",
	.examples = "  dvmsim strategy show active-cpu-v2\n"
		    "  dvmsim strategy show --source recheck > mine.strategy",
	.options = show_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_show,
};

const struct cli_command cmd_strategy_lint = {
	.name = "strategy lint",
	.operands = "[STRATEGY]...",
	.summary = "Check that strategies can be read and are well formed",
	.details = "Checks the strategies given, by name or path, or else all that ship. An error "
		   "names file, line, column and a cure; see docs/strategy-author.md. This is not "
		   "a proof that a strategy is safe.\n\n"
		   "Exit status 2 says that at least one has an error.",
	.examples = "  dvmsim strategy lint mine.strategy",
	.options = lint_options,
	.max_operands = 1000,
	.run = run_lint,
};
