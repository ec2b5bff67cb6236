/* SPDX-License-Identifier: MIT */
/* dvmsim run: one cell, everything about it. */
#include "explain.h"
#include "study.h"

#include <dvmsim/report.h>

#include <stdlib.h>
#include <string.h>

static const char *const models[] = { "phytium-ftc862-8", NULL };
static const char *const kernels[] = { "linux-7.1", NULL };
static const struct cli_study_defaults defaults = { NULL, models, kernels };

static size_t given(const struct cli_args *args, const char *option)
{
	const char **list = cli_values(args, option);
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static int check_one_each(const struct cli_args *args)
{
	static const char *const axes[] = { "strategy", "model", "kernel" };

	for (size_t i = 0; i < 3; i++)
		if (given(args, axes[i]) > 1)
			return cli_usage("run: one --%s; 'dvmsim compare' takes several", axes[i]);
	if (given(args, "trace") + given(args, "workload") > 1)
		return cli_usage("run: one --trace or --workload; 'dvmsim compare' takes several");
	if (!given(args, "strategy"))
		return cli_usage("run: which strategy? Give --strategy; 'dvmsim strategy list' names "
				 "those that ship");
	return CLI_OK;
}

static int print(const struct cli_args *args, const struct dvm_study *study)
{
	struct dvm_error err;
	char *text;
	int status, ret = cli_flag(args, "json") ? dvm_report_json(study, &text, &err) :
						   dvm_report_run_text(study, &text, &err);

	if (ret)
		return cli_fail(&err);
	status = cli_write(cli_value(args, "output"), text, strlen(text));
	dvm_free(text);
	return status;
}

/* --explain MM or --explain all: *@x is set when it was given. */
static int begin_explain(const struct cli_args *args, struct explain **x)
{
	const char *word = cli_value(args, "explain");
	unsigned long long mm = 0;

	*x = NULL;
	if (!word)
		return CLI_OK;
	if (cli_flag(args, "json"))
		return cli_usage("run: --explain prints text; leave out --json");
	if (strcmp(word, "all") != 0 && !cli_number(args, "explain", 1, UINT32_MAX - 1, &mm))
		return CLI_USAGE;
	*x = explain_new((uint32_t)mm);
	return *x ? CLI_OK : cli_usage("out of memory");
}

static int print_explanation(const struct cli_args *args, struct explain *x)
{
	char *text = explain_text(x);
	int status;

	if (!text)
		return cli_usage("out of memory");
	status = *text ? cli_write(cli_value(args, "output"), text, strlen(text)) :
			 cli_usage("run: no address space %s; '--explain all' lists them",
				   cli_value(args, "explain"));
	free(text);
	return status;
}

static int run_run(const struct cli_args *args)
{
	struct dvm_study_options options;
	struct explain *explain = NULL;
	struct dvm_study *study;
	struct dvm_error err;
	int status = cli_study_options(args, &options), written;

	if (!status)
		status = check_one_each(args);
	if (!status)
		status = begin_explain(args, &explain);
	if (status)
		return status;
	if (explain) {
		options.observer = explain_event;
		options.observer_arg = explain;
	}
	options.seeds = 1;
	options.threads = 1;
	options.sensitivity = DVM_SENSITIVITY_OFF;
	if (dvm_study_new(&options, &study, &err)) {
		explain_free(explain);
		return cli_fail(&err);
	}
	status = cli_study_fill(args, &defaults, NULL, study);
	if (!status)
		status = cli_study_run(study);
	if (!status) {
		written = explain ? print_explanation(args, explain) : print(args, study);
		status = written ? written : cli_study_status(study);
	}
	dvm_study_free(study);
	explain_free(explain);
	return status;
}

static const struct cli_option run_options[] = {
	{ "strategy", 's', "STRATEGY", "The strategy: a name or a file.", false },
	{ "trace", 't', "TRACE", "A recorded workload: a name or a .dvt file.", false },
	{ "workload", 'w', "SPEC", "A generated workload: NAME or NAME:param=value,...", false },
	{ "model", 'm', "MODEL", "The part: a name or a file (default phytium-ftc862-8).", false },
	{ "kernel", 'k', "KERNEL", "The kernel configuration: a name or a file (default linux-7.1).",
	  false },
	{ "set", 0, "PARAMETER=VALUE", "Change a value of the part (dvm.comp_ps=2000) or of the kernel "
				       "configuration (preempt=rt).", true },
	{ "cpus", 0, "N", "CPUs of the part: as many clusters as make them.", false },
	{ "copies", 'c', "N", "Copies of the workload at once (default: as many as fit).", false },
	{ "schedule", 0, "WHO", "Who places tasks: simulated (a scheduler, the default) or "
				"recorded (the trace).", false },
	{ "migrate", 0, "HZ", "So often a second a busy CPU sends its task elsewhere (an experiment).",
	  false },
	{ "offline", 0, "CPU@MS", "CPU that goes offline, so many milliseconds after the start.", false },
	{ "seed", 0, "N", "The seed (default 1).", false },
	{ "explain", 'e', "MM", "Tell the life of address space MM instead; 'all': a line for each.",
	  false },
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ "output", 'o', "FILE", "Write there; the file appears whole or not at all.", false },
	{ 0 },
};

const struct cli_command cmd_run = {
	.name = "run",
	.operands = "",
	.summary = "Run one strategy on one workload, with every statistic",
	.details =
		"Prints throughput, what became of the flushes, the distribution of their times, where "
		"the CPUs' time went, and the time spent in each line of the strategy. The JSON is "
		"that of 'dvmsim compare' with one cell.\n\n"
		"An oracle watches the run: when a CPU uses a translation after a flush of it has "
		"completed, the run stops, a line on standard error with the word \"stale\" "
		"says where, and the exit status is 1.\n\n"
		"--explain tells what became of one address space: which CPUs installed it and why (where "
		"its task ran before, who woke it), when it stopped being one of a single CPU, and how each "
		"flush was carried out. Numbers are those of the trace; those of copy K come after K "
		"times as many.",
	.examples = "  dvmsim run --strategy recheck --workload fork\n"
		    "  dvmsim run -s null -w fork     # is caught: it never flushes\n"
		    "  dvmsim run -s active-cpu-v2 -t redis --copies 1 --explain 4",
	.options = run_options,
	.max_operands = 0,
	.run = run_run,
};
