/* SPDX-License-Identifier: MIT */
/* dvmsim compare */
#include "study.h"

#include <dvmsim/report.h>
#include <dvmsim/strategy.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASELINE "always-broadcast"
#define RESULT_MAX (256u << 20) /* bytes of a result that is to be repeated */

static const char *const strategies[] = { BASELINE, "active-cpu-v2", "active-cpu-v2-plain-load",
					  "recheck", NULL };
static const char *const models[] = { "phytium-ftc862-8", NULL };
static const char *const kernels[] = { "linux-7.1", NULL };
static const struct cli_study_defaults defaults = { strategies, models, kernels };

static int print(const struct cli_args *args, const struct dvm_study *study)
{
	struct dvm_report_options options = { sizeof(options), !cli_flag(args, "no-details") };
	struct dvm_error err;
	char *text;
	int status, ret = cli_flag(args, "json") ? dvm_report_json(study, &text, &err) :
						   dvm_report_text(study, &options, &text, &err);

	if (ret)
		return cli_fail(&err);
	status = cli_write(cli_value(args, "output"), text, strlen(text));
	dvm_free(text);
	return status;
}

/* The baseline comes first in every table, so it is loaded first. */
static int new_study(const struct cli_args *args, struct dvm_study **study)
{
	const char *baseline = cli_value(args, "baseline");
	struct dvm_study_options options;
	struct dvm_strategy *strategy;
	struct dvm_error err;
	int status = cli_study_options(args, &options);

	if (!status)
		status = cli_load_strategy(baseline ? baseline : BASELINE, &strategy);
	if (status)
		return status;
	options.baseline = dvm_strategy_name(strategy);
	if (dvm_study_new(&options, study, &err)) {
		dvm_strategy_free(strategy);
		return cli_fail(&err);
	}
	if (dvm_study_take_strategy(*study, strategy, &err))
		status = cli_fail(&err);
	else
		status = cli_study_fill(args, &defaults, dvm_strategy_name(strategy), *study);
	if (status)
		dvm_study_free(*study);
	return status;
}

static int compare(const struct cli_args *args)
{
	struct dvm_study *study;
	int status = new_study(args, &study), written;

	if (status)
		return status;
	status = cli_study_run(study);
	if (!status) {
		written = print(args, study);
		status = written ? written : cli_study_status(study);
	}
	dvm_study_free(study);
	return status;
}

/* ---- --repeat ---- */

static int load(const char *path, char **text, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *data = NULL, *bigger;
	size_t len = 0, capacity = 0;

	if (!f)
		return cli_usage("%s: %s", path, strerror(errno));
	while (len < RESULT_MAX && !feof(f) && !ferror(f)) {
		if (len == capacity) {
			capacity = capacity ? 2 * capacity : 65536;
			bigger = realloc(data, capacity);
			if (!bigger)
				break;
			data = bigger;
		}
		len += fread(data + len, 1, capacity - len, f);
	}
	if (!feof(f) || !data) {
		int error = ferror(f) ? errno : 0;

		fclose(f);
		free(data);
		return cli_usage("%s: %s", path, error ? strerror(error) :
				 "too long for a result, or memory ran out");
	}
	fclose(f);
	*text = data;
	*size = len;
	return CLI_OK;
}

/* What was read and what was written now must be the same bytes; says where they part. */
static int check_same(const char *path, const char *was, size_t size, const char *now)
{
	size_t line = 1, i = 0;

	if (strlen(now) == size && !memcmp(was, now, size))
		return CLI_OK;
	for (; i < size && now[i] && was[i] == now[i]; i++)
		line += was[i] == '\n';
	cli_usage("%s: the repetition differs from line %zu on; was it made by another version, or "
		  "changed?", path, line);
	return CLI_FAILED;
}

static int repeat_study(const struct cli_args *args, const char *path, const char *was, size_t size)
{
	struct dvm_study_options options;
	struct dvm_study *study;
	struct dvm_error err;
	char dir[4096], *now;
	int status = cli_study_options(args, &options);

	if (status)
		return status;
	snprintf(dir, sizeof(dir), "%s/traces", cli_data_dir());
	if (dvm_study_from_json(was, size, path, dir, &options, &study, &err))
		return cli_fail(&err);
	status = cli_study_run(study);
	if (!status && dvm_report_json(study, &now, &err)) {
		status = cli_fail(&err);
	} else if (!status) {
		status = cli_write(cli_value(args, "output"), now, strlen(now));
		if (!status)
			status = check_same(path, was, size, now);
		dvm_free(now);
	}
	dvm_study_free(study);
	return status;
}

static int repeat(const struct cli_args *args, const char *path)
{
	static const char *const fixed[] = { "workload", "trace", "strategy", "model", "kernel",
					     "baseline", "seeds", "seed", "copies", "schedule",
					     "migrate", "offline", "sensitivity", "budget",
					     "set", "cpus" };
	size_t size = 0;
	char *was = NULL;
	int status;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (cli_value(args, fixed[i]))
			return cli_usage("compare: --repeat takes everything from %s; leave out --%s",
					 path, fixed[i]);
	status = load(path, &was, &size);
	if (status)
		return status;
	status = repeat_study(args, path, was, size);
	free(was);
	return status;
}

static int run_compare(const struct cli_args *args)
{
	const char *path = cli_value(args, "repeat");

	return path ? repeat(args, path) : compare(args);
}

static const struct cli_option options[] = {
	{ "trace", 't', "TRACE", "A recorded workload: a name or a .dvt file.", true },
	{ "workload", 'w', "SPEC", "A generated workload: NAME or NAME:param=value,...", true },
	{ "strategy", 's', "STRATEGY", "A strategy: a name or a file.", true },
	{ "model", 'm', "MODEL", "A part: a name or a file (default phytium-ftc862-8).", true },
	{ "kernel", 'k', "KERNEL", "A kernel configuration: a name or a file (default linux-7.1).",
	  true },
	{ "set", 0, "PARAMETER=VALUE", "Change a value of the part (dvm.comp_ps=2000) or of the kernel "
				       "configuration (preempt=rt).", true },
	{ "cpus", 0, "N", "CPUs of the part: as many clusters as make them.", false },
	{ "baseline", 'b', "STRATEGY", "What the others are compared with (default " BASELINE ").",
	  false },
	{ "seeds", 'n', "N", "Runs of a cell in which something is random (default 5).", false },
	{ "seed", 0, "N", "The first seed (default 1).", false },
	{ "copies", 'c', "N", "Copies of the workload at once (default: as many as fit).", false },
	{ "schedule", 0, "WHO", "Who places tasks: simulated (a scheduler, the default) or "
				"recorded (the trace).", false },
	{ "migrate", 0, "HZ", "So often a second a busy CPU sends its task elsewhere (an experiment).",
	  false },
	{ "offline", 0, "CPU@MS", "CPU that goes offline, so many milliseconds after the start.", false },
	{ "sensitivity", 0, "WHICH",
	  "Recompute over the ranges of estimates: signs (default), off, or all.", false },
	{ "budget", 0, "N", "Events that single parameters may cost with signs (default 20000000).",
	  false },
	{ "threads", 'T', "N", "Runs at a time (default: one per CPU); changes no result.", false },
	{ "no-details", 0, NULL, "Leave out where the time went.", false },
	{ "json", 'j', NULL, "Print one JSON document, with all that is needed to repeat it.", false },
	{ "output", 'o', "FILE", "Write there; the file appears whole or not at all.", false },
	{ "repeat", 0, "FILE", "Run again what FILE, printed with -j, was made from.", false },
	{ 0 },
};

const struct cli_command cmd_compare = {
	.name = "compare",
	.operands = "",
	.summary = "Compare strategies on workloads, parts and kernels",
	.details =
		"Runs every strategy on every workload, part and kernel configuration given, and "
		"prints one table per part and kernel: the baseline's value, and each strategy's "
		"change against it, marked (I) improved, (R) regressed, (?) where the sign depends "
		"on an estimated parameter, unmarked where the 95 % interval includes zero. Runs are "
		"paired by seed; a cell in which nothing is random runs once and says so.\n\n"
		"Below each change stand its least and its greatest value when the estimated "
		"parameters of part and kernel move over their ranges. A strategy that used a stale "
		"translation is shown as STALE, without a number.\n\n"
		"docs/compare.md explains every column, and how to repeat a result byte for byte.\n\n"
		"Exit status 1: a strategy was stale, or --repeat gave another result.",
	.examples = "  dvmsim compare --workload tlb-shootdown\n"
		    "  dvmsim compare -w fork:forks=2 -m generic-64 --cpus 8 --set preempt=rt -n 2\n"
		    "  dvmsim compare -w mmap:loops=50 -w fork:forks=20 -s recheck -j -o result.json\n"
		    "  dvmsim compare --repeat result.json > again.json",
	.options = options,
	.max_operands = 0,
	.run = run_compare,
};
