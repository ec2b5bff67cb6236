/* SPDX-License-Identifier: MIT */
/* dvmsim trace info|cat|validate|import */
#include "cli.h"
#include "import.h"

#include <dvmsim/trace.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_TEXT_BYTES ((size_t)1 << 31)

static int read_text(const char *path, struct dvm_trace **trace)
{
	struct dvm_error err = { 0 };
	size_t size = 0, capacity = 1 << 16, n;
	char *text = malloc(capacity), *bigger;
	FILE *f = fopen(path, "rb");
	int status = CLI_OK;

	while (text && f && (n = fread(text + size, 1, capacity - size, f)) > 0) {
		size += n;
		if (size < capacity)
			continue;
		bigger = capacity < MAX_TEXT_BYTES ? realloc(text, capacity *= 2) : NULL;
		if (!bigger)
			free(text);
		text = bigger;
	}
	if (!f || !text || ferror(f))
		status = cli_usage("%s: can not be read", path);
	else if (dvm_trace_parse_text(path, text, size, trace, &err))
		status = cli_fail(&err);
	if (f)
		fclose(f);
	free(text);
	return status;
}

/* @name where it is a file or looks like a path; else the trace that ships under this name. */
static const char *find_trace(const char *name, char *path, size_t size)
{
	struct stat st;

	if (strpbrk(name, "/.") || !*name || !stat(name, &st) ||
	    snprintf(path, size, "%s/traces/%s.dvt", cli_data_dir(), name) >= (int)size ||
	    stat(path, &st))
		return name;
	return path;
}

/* Binary or text, by its first byte. A damaged binary trace is read up to the damage: CLI_PARTIAL. */
static int load(const char *name, struct dvm_trace **trace)
{
	struct dvm_error err = { 0 };
	char shipped[4096];
	const char *path = find_trace(name, shipped, sizeof(shipped));
	FILE *f = fopen(path, "rb");
	int first = f ? fgetc(f) : EOF, ret;

	if (f)
		fclose(f);
	if (first == 'd')
		return read_text(path, trace);
	ret = dvm_trace_load(path, DVM_TRACE_LOAD_SALVAGE, trace, &err);
	if (!ret)
		return CLI_OK;
	cli_fail(&err);
	return ret == -DVM_ETRUNC ? CLI_PARTIAL : CLI_USAGE;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static const struct cli_option cat_options[] = {
	{ "output", 'o', "FILE", "Write to FILE instead of standard output.", false },
	{ 0 },
};

static int run_cat(const struct cli_args *args)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *trace = NULL;
	char *text;
	size_t size;
	int status = load(args->operands[0], &trace), written;

	if (!trace)
		return status;
	if (dvm_trace_print_text(trace, &text, &size, &err)) {
		status = cli_fail(&err);
	} else {
		written = cli_write(cli_value(args, "output"), text, size);
		dvm_trace_text_free(text);
		status = written ? written : status;
	}
	dvm_trace_free(trace);
	return status;
}

static const struct cli_option no_options[] = { { 0 } };

static int run_validate(const struct cli_args *args)
{
	int worst = CLI_OK;

	for (size_t i = 0; i < args->count; i++) {
		struct dvm_error err = { 0 };
		struct dvm_trace *trace = NULL;
		int status = load(args->operands[i], &trace);

		if (trace && dvm_trace_validate(trace, &err)) {
			printf("%s: record %" PRIu64 ": %s\n", args->operands[i], err.record,
			       err.text);
			status = CLI_FAILED;
		} else if (!status) {
			printf("%s: valid\n", args->operands[i]);
		}
		dvm_trace_free(trace);
		if (status > worst)
			worst = status;
	}
	return worst;
}

static void print_counts(FILE *f, const char *title, const uint64_t *counts, unsigned n,
			 const char *(*name)(unsigned))
{
	const char *sep = " ";

	fprintf(f, "%-22s", title);
	for (unsigned i = 0; i < n; i++)
		if (counts[i]) {
			fprintf(f, "%s%s %" PRIu64, sep, name(i), counts[i]);
			sep = ", ";
		}
	fputc('\n', f);
}

static void print_info(FILE *f, const struct dvm_trace *t, const struct dvm_trace_info *info)
{
	const struct dvm_trace_env *env = dvm_trace_get_env(t);

	fprintf(f, "%s\n", dvm_trace_header(t));
	fprintf(f, "content                0x%016" PRIx64 "\n", dvm_trace_hash(t));
	fprintf(f, "records                %" PRIu64 ", accesses %" PRIu64 ", CPUs %u\n",
		info->records, info->accesses, env->ncpus);
	fprintf(f, "source time            %.6f s\n",
		(double)(info->last_ns - info->first_ns) / 1e9);
	fprintf(f, "work                   %" PRIu64 " instructions, %" PRIu64 " ns; asleep %"
		PRIu64 " ns\n", info->run_insns, info->run_ns, info->sleep_ns);
	fprintf(f, "tasks                  %" PRIu64 " (%" PRIu64 " threads, %" PRIu64
		" kernel), mms %" PRIu64 "\n", info->tasks, info->threads, info->kthreads,
		info->mms);
	fprintf(f, "switches               %" PRIu64 ", migrations %" PRIu64 ", wake-ups %" PRIu64
		" (%" PRIu64 " inferred)\n", info->switches, info->migrations, info->wakes,
		info->inferred_wakes);
	print_counts(f, "records by kind", info->kinds, DVM_TRACE_KINDS, dvm_trace_kind_name);
	print_counts(f, "flushes by request", info->requests, DVM_TRACE_REQUESTS,
		     dvm_trace_request_name);
	print_counts(f, "flushes by cause", info->causes, DVM_TRACE_OPS, dvm_trace_op_name);
	fprintf(f, "flushes of user mms    %" PRIu64 ", pages %" PRIu64 ", foreign %" PRIu64 "\n",
		info->flushes, info->flushed_pages, info->foreign);
	fprintf(f, "of mms on one CPU      %.1f %% so far (%.1f %% from that CPU), %.1f %% ever\n",
		share(info->one_cpu_so_far, info->flushes),
		share(info->own_cpu_so_far, info->flushes),
		share(info->one_cpu_ever, info->flushes));
	for (uint32_t i = 0; i < env->nmarks; i++)
		fprintf(f, "mark %-17s %" PRIu64 "\n", dvm_trace_mark_name(t, i), info->marks[i]);
}

static void json_counts(FILE *f, const char *key, const uint64_t *counts, unsigned n,
			const char *(*name)(unsigned))
{
	const char *sep = "";

	fprintf(f, "  \"%s\": {", key);
	for (unsigned i = 0; i < n; i++)
		if (counts[i]) {
			fprintf(f, "%s \"%s\": %" PRIu64, sep, name(i), counts[i]);
			sep = ",";
		}
	fputs(" },\n", f);
}

static void print_json(FILE *f, const struct dvm_trace *t, const struct dvm_trace_info *info)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "records", info->records }, { "accesses", info->accesses },
		{ "tasks", info->tasks }, { "threads", info->threads },
		{ "kthreads", info->kthreads }, { "mms", info->mms },
		{ "switches", info->switches }, { "migrations", info->migrations },
		{ "wakes", info->wakes }, { "inferred_wakes", info->inferred_wakes },
		{ "flushes", info->flushes }, { "flushed_pages", info->flushed_pages },
		{ "flushes_foreign", info->foreign },
		{ "flushes_one_cpu_so_far", info->one_cpu_so_far },
		{ "flushes_own_cpu_so_far", info->own_cpu_so_far },
		{ "flushes_one_cpu_ever", info->one_cpu_ever },
		{ "run_insns", info->run_insns }, { "run_ns", info->run_ns },
		{ "sleep_ns", info->sleep_ns }, { "first_ns", info->first_ns },
		{ "last_ns", info->last_ns },
	};
	const char *sep = "";

	fprintf(f, "{\n  \"schema\": \"dvmsim.trace-info/1\",\n  \"content\": \"0x%016" PRIx64
		"\",\n  \"header\": %s,\n", dvm_trace_hash(t), dvm_trace_header(t));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		fprintf(f, "  \"%s\": %" PRIu64 ",\n", numbers[i].key, numbers[i].value);
	json_counts(f, "kinds", info->kinds, DVM_TRACE_KINDS, dvm_trace_kind_name);
	json_counts(f, "requests", info->requests, DVM_TRACE_REQUESTS, dvm_trace_request_name);
	json_counts(f, "causes", info->causes, DVM_TRACE_OPS, dvm_trace_op_name);
	fputs("  \"marks\": {", f);
	for (uint32_t i = 0; i < dvm_trace_get_env(t)->nmarks; i++, sep = ",")
		fprintf(f, "%s \"%s\": %" PRIu64, sep, dvm_trace_mark_name(t, i), info->marks[i]);
	fputs(" }\n}\n", f);
}

/* The causes of at least a twentieth of the flushes, most frequent first. */
static void print_causes(FILE *f, const struct dvm_trace_info *info)
{
	uint64_t all = 0, left[DVM_TRACE_OPS];
	const char *sep = "";

	for (unsigned i = 0; i < DVM_TRACE_OPS; i++)
		all += left[i] = info->causes[i];
	for (;;) {
		unsigned most = 0;

		for (unsigned i = 1; i < DVM_TRACE_OPS; i++)
			if (left[i] > left[most])
				most = i;
		if (!left[most] || left[most] * 20 < all)
			break;
		fprintf(f, "%s%s %.0f %%", sep, dvm_trace_op_name(most), share(left[most], all));
		left[most] = 0;
		sep = ", ";
	}
}

static void print_row(FILE *f, const char *path, const struct dvm_trace_info *info)
{
	const char *name = strrchr(path, '/');

	fprintf(f, "| %s | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64
		" | %" PRIu64 " | ", name ? name + 1 : path, info->tasks, info->mms,
		info->requests[DVM_TRACE_REQ_PAGE], info->requests[DVM_TRACE_REQ_RANGE],
		info->requests[DVM_TRACE_REQ_ASID], info->foreign);
	print_causes(f, info);
	fprintf(f, " | %.1f %% | %.1f %% | %" PRIu64 " | %" PRIu64 " | %.2f s | %.0f M |\n",
		share(info->one_cpu_so_far, info->flushes),
		share(info->one_cpu_ever, info->flushes), info->migrations, info->accesses,
		(double)(info->last_ns - info->first_ns) / 1e9, (double)info->run_insns / 1e6);
}

static const struct cli_option info_options[] = {
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ "markdown", 0, NULL, "Print one table row per trace, as in traces/README.md.", false },
	{ 0 },
};

static int print_one(const struct cli_args *args, const char *path)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_trace_info *info = malloc(sizeof(*info));
	int status = load(path, &trace);

	if (!info)
		status = cli_usage("out of memory");
	else if (trace && dvm_trace_get_info(trace, info, &err))
		status = cli_fail(&err);
	else if (trace && cli_flag(args, "json"))
		print_json(stdout, trace, info);
	else if (trace && cli_flag(args, "markdown"))
		print_row(stdout, path, info);
	else if (trace)
		print_info(stdout, trace, info);
	dvm_trace_free(trace);
	free(info);
	return status;
}

static int run_info(const struct cli_args *args)
{
	int worst = CLI_OK;

	if (cli_flag(args, "json") && args->count > 1)
		return cli_usage("trace info: --json takes one trace");
	if (cli_flag(args, "markdown"))
		puts("| trace | tasks | mms | page | range | asid | foreign | causes | one CPU so far "
		     "| one CPU ever | migrations | accesses | source time | instructions |\n"
		     "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < args->count; i++) {
		int status = print_one(args, args->operands[i]);

		if (status > worst)
			worst = status;
	}
	return worst;
}

static const struct cli_option import_options_table[] = {
	{ "from", 'f', "FORMAT", "What the input is: plugin (a stream of tools/capture/plugin.c), "
	  "trace-cmd (a trace.dat), ftrace (text of 'perf script' or of the trace file of tracefs), "
	  "lackey (valgrind's), accesses (8-byte words, docs/capture.md) or text.", false },
	{ "output", 'o', "FILE", "The trace to write (required).", false },
	{ "hooks", 0, "FILE", "plugin: the hooks file the plugin was given (required).", false },
	{ "from-mark", 0, "N", "plugin, trace-cmd, ftrace: begin at mark N (calls of sethostname, from "
	  "1).", false },
	{ "to-mark", 0, "N", "plugin, trace-cmd, ftrace: end at mark N.", false },
	{ "work", 0, "NAME=EVENT", "trace-cmd, ftrace: count EVENT ('event' or 'system:event') as work "
	  "mark NAME.", true },
	{ "mark", 0, "NAME", "plugin: keep this work mark; without it, all that occur: forks, execs, "
	  "munmaps, mprotects, madvises, redis_batches, and what a workload counts itself "
	  "(tools/capture/workload.c).", true },
	{ "window", 0, "TEXT", "Name of the window, for the header.", false },
	{ "kernel", 0, "TEXT", "Kernel version, for the header.", false },
	{ "machine", 0, "TEXT", "Machine, for the header.", false },
	{ "command", 0, "TEXT", "The workload's command, for the header.", false },
	{ "recipe", 0, "TEXT", "Where to read how the capture was made, for the header.", false },
	{ 0 },
};

static int import_kind(const char *from, const char *path, const struct import_options *opt,
		       struct dvm_trace **trace, struct dvm_error *err)
{
	if (!strcmp(from, "plugin"))
		return import_plugin(path, opt, stderr, trace, err);
	if (!strcmp(from, "trace-cmd"))
		return import_ftrace(path, false, opt, stderr, trace, err);
	if (!strcmp(from, "ftrace"))
		return import_ftrace(path, true, opt, stderr, trace, err);
	if (!strcmp(from, "lackey"))
		return import_lackey(path, opt, stderr, trace, err);
	return import_accesses(path, opt, stderr, trace, err);
}

static int import_from(const struct cli_args *args, const char *from, unsigned long long first,
		       unsigned long long last, struct dvm_trace **trace)
{
	static const char *const kinds[] = { "plugin", "trace-cmd", "ftrace", "lackey", "accesses" };
	struct import_options opt = {
		.hooks = cli_value(args, "hooks"), .kernel = cli_value(args, "kernel"),
		.machine = cli_value(args, "machine"), .command = cli_value(args, "command"),
		.window = cli_value(args, "window"), .from = first, .to = last,
		.marks = (const char *const *)cli_values(args, "mark"),
		.works = (const char *const *)cli_values(args, "work"),
		.recipe = cli_value(args, "recipe"),
	};
	struct dvm_error err = { 0 };
	size_t i = 0;
	int ret;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[i], from))
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return cli_usage("trace import: --from '%s': is none of plugin, trace-cmd, ftrace, lackey, "
				 "accesses, text", from);
	if (i == 0 && !opt.hooks)
		return cli_usage("trace import: --from plugin needs --hooks FILE");
	ret = import_kind(from, args->operands[0], &opt, trace, &err);
	return ret < 0 ? cli_fail(&err) : ret ? CLI_PARTIAL : CLI_OK;
}

static int run_import(const struct cli_args *args)
{
	const char *from = cli_value(args, "from"), *output = cli_value(args, "output");
	unsigned long long first = 0, last = 0;
	struct dvm_error err = { 0 };
	struct dvm_trace *trace = NULL;
	int status;

	if (!cli_number(args, "from-mark", 1, 1000000, &first) ||
	    !cli_number(args, "to-mark", 1, 1000000, &last))
		return CLI_USAGE;
	if (!from || !output)
		return cli_usage("trace import: --from and --output are required");
	if (!strcmp(from, "text"))
		status = read_text(args->operands[0], &trace);
	else
		status = import_from(args, from, first, last, &trace);
	if (trace && dvm_trace_validate(trace, &err)) {
		fprintf(stderr, "dvmsim: the result is not a valid trace: record %" PRIu64 ": %s\n",
			err.record, err.text);
		status = CLI_FAILED;
	}
	if (trace && dvm_trace_save(trace, output, &err))
		status = cli_fail(&err);
	dvm_trace_free(trace);
	return status;
}

const struct cli_command cmd_trace_info = {
	.name = "trace info",
	.operands = "TRACE...",
	.summary = "Say what a trace holds and where it comes from",
	.details = "Prints the header, counts of records, flushes by request and cause, and the share "
		   "of flushes whose mm had run on one CPU only.\n\nTRACE is a binary or a text "
		   "trace. Of a damaged file, what precedes the damage is counted, and the exit "
		   "status is 3.",
	.examples = "  dvmsim trace info fork\n"
		    "  dvmsim trace info --markdown traces/*.dvt",
	.options = info_options,
	.min_operands = 1,
	.max_operands = 1000,
	.run = run_info,
};

const struct cli_command cmd_trace_cat = {
	.name = "trace cat",
	.operands = "TRACE",
	.summary = "Print a trace as text",
	.details = "The text form can be edited and turned back into a binary trace with 'dvmsim trace "
		   "import --from text'; the two hold exactly the same. Of a damaged file, what "
		   "precedes the damage is printed, and the exit status is 3.",
	.examples = "  dvmsim trace cat redis | head -60",
	.options = cat_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_cat,
};

const struct cli_command cmd_trace_validate = {
	.name = "trace validate",
	.operands = "TRACE...",
	.summary = "Check that the records of a trace fit together",
	.details = "Prints one line per trace: valid, or the first record that does not fit and why. "
		   "Exit status 1 when one is not valid.",
	.examples = "  dvmsim trace validate traces/*.dvt",
	.options = no_options,
	.min_operands = 1,
	.max_operands = 1000,
	.run = run_validate,
};

const struct cli_command cmd_trace_import = {
	.name = "trace import",
	.operands = "INPUT",
	.summary = "Make a trace from a capture or from text",
	.details = "Reads INPUT, writes a binary trace and prints on standard error what became of the "
		   "TLBIs. The exit status is 1 when the result is not valid.\n\nA damaged trace.dat is "
		   "used up to the damage, with exit status 3. docs/capture.md takes you from your own "
		   "arm64 server to a comparison, and specifies the words of --from accesses.\n\nHow the traces that "
		   "ship were captured and imported is in traces/README.md; "
		   "tools/capture/recapture does both again.",
	.examples = "  dvmsim trace cat -o a.txt traces/redis.dvt\n"
		    "  dvmsim trace import --from text -o a.dvt a.txt",
	.options = import_options_table,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_import,
};
