/* SPDX-License-Identifier: MIT */
/* dvmsim workload list|show|cat */
#include "cli.h"

#include <dvmsim/trace.h>
#include <dvmsim/workload.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int run_list(const struct cli_args *args)
{
	const struct dvm_workload_info *w;

	(void)args;
	for (size_t i = 0; (w = dvm_workload_get(i)); i++)
		printf("%-16s %s\n", w->name, w->summary);
	return CLI_OK;
}

static int unknown(const char *name)
{
	const struct dvm_workload_info *w;
	const char *names[64] = { NULL }, *found;

	for (size_t i = 0; i < 63 && (w = dvm_workload_get(i)); i++)
		names[i] = w->name;
	found = dvm_suggest(name, names);
	if (found)
		return cli_usage("no workload '%s'; did you mean '%s'?", name, found);
	return cli_usage("no workload '%s'; 'dvmsim workload list' names them", name);
}

static int run_show(const struct cli_args *args)
{
	const char *name = args->operands[0];
	const struct dvm_workload_info *w;
	size_t i = 0;

	while ((w = dvm_workload_get(i)) && strcmp(w->name, name) != 0)
		i++;
	if (!w)
		return unknown(name);
	printf("%s: %s\n\n", w->name, w->summary);
	cli_wrap(stdout, w->details, 0, 0);
	printf("\nParameters (--workload %s:NAME=VALUE,...)\n", w->name);
	for (const struct dvm_workload_param *p = w->params; p->name; p++)
		printf("  %-14s default %" PRIu64 "%s%s, %" PRIu64 " to %" PRIu64 "\n"
		       "  %-14s %s\n", p->name, p->value, *p->unit ? " " : "", p->unit, p->min,
		       p->max, "", p->help);
	return CLI_OK;
}

static const struct cli_option no_options[] = {
	{ 0 },
};

static const struct cli_option cat_options[] = {
	{ "seed", 0, "N", "The seed (default 1).", false },
	{ "output", 'o', "FILE", "Write to FILE instead of standard output.", false },
	{ 0 },
};

static int run_cat(const struct cli_args *args)
{
	unsigned long long seed = 1;
	struct dvm_error err = { 0 };
	struct dvm_trace *trace = NULL;
	char *text;
	size_t size;
	int status;

	if (cli_value(args, "seed") && !cli_number(args, "seed", 1, 1ull << 53, &seed))
		return CLI_USAGE;
	if (dvm_workload_generate(args->operands[0], seed, &trace, &err))
		return cli_fail(&err);
	if (dvm_trace_print_text(trace, &text, &size, &err)) {
		status = cli_fail(&err);
	} else {
		status = cli_write(cli_value(args, "output"), text, size);
		dvm_trace_text_free(text);
	}
	dvm_trace_free(trace);
	return status;
}

const struct cli_command cmd_workload_list = {
	.name = "workload list",
	.operands = "",
	.summary = "List the generated workloads",
	.details = "A generator makes a trace from a few parameters; 'dvmsim workload show' explains "
		   "one step by step.",
	.examples = "  dvmsim workload list",
	.options = no_options,
	.max_operands = 0,
	.run = run_list,
};

const struct cli_command cmd_workload_show = {
	.name = "workload show",
	.operands = "WORKLOAD",
	.summary = "Show what a generated workload does, and its parameters",
	.details = "Prints the steps, and each parameter with its default and bounds.",
	.examples = "  dvmsim workload show redis",
	.options = no_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_show,
};

const struct cli_command cmd_workload_cat = {
	.name = "workload cat",
	.operands = "WORKLOAD[:NAME=VALUE,...]",
	.summary = "Print the records of a generated workload as text",
	.details = "What 'dvmsim run --workload' replays: the text form of a trace. It can be edited, and "
		   "turned into a trace with 'dvmsim trace import --from text'.",
	.examples = "  dvmsim workload cat mmap:loops=2,pages=1",
	.options = cat_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_cat,
};
