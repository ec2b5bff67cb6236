/* SPDX-License-Identifier: MIT */
/* dvmsim study */
#define _GNU_SOURCE
#include "cli.h"
#include "store.h"

#include <dvmsim/campaign.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

struct run {
	struct store *store;
	struct cli_clock clock;
	size_t begun; /* sites that were done when the first one had to be run */
	bool shown, running;
};

static char *lookup(void *arg, const char *key)
{
	struct run *r = arg;

	return r->store ? store_lookup(r->store, key) : NULL;
}

static int keep(void *arg, const char *key, const char *result)
{
	struct run *r = arg;

	return r->store ? store_keep(r->store, key, result) : 0;
}

static int progress(void *arg, size_t done, size_t sites)
{
	struct run *r = arg;
	double spent = cli_clock_seconds(&r->clock);

	if (interrupted)
		return 1;
	if (!r->shown || spent < 0.5)
		return 0;
	fprintf(stderr, "\r\033[K%zu of %zu sites", done, sites);
	if (done)
		fprintf(stderr, ", about %.0f s left",
			spent / (double)done * (double)(sites - done));
	fflush(stderr);
	r->running = true;
	return 0;
}

static int print(const struct cli_args *args, const struct dvm_campaign *c)
{
	int format = cli_flag(args, "json") ? DVM_CAMPAIGN_JSON :
		     cli_flag(args, "csv") ? DVM_CAMPAIGN_CSV :
		     cli_flag(args, "markdown") ? DVM_CAMPAIGN_MARKDOWN : DVM_CAMPAIGN_TEXT;
	struct dvm_error err;
	char *text;
	int status;

	if (dvm_campaign_print(c, format, &text, &err))
		return cli_fail(&err);
	status = cli_write(cli_value(args, "output"), text, strlen(text));
	dvm_free(text);
	return status;
}

/* A name is one of those that ship. */
static const char *find_file(const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	if (strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".json")))
		return name;
	snprintf(buf, size, "%s/models/studies/%s.json", cli_data_dir(), name);
	return buf;
}

static int open_store(const struct cli_args *args, struct run *r)
{
	const char *path = cli_value(args, "store");
	struct dvm_error err;
	size_t kept;

	if (!path)
		return CLI_OK;
	if (store_open(path, &r->store, &kept, &err))
		return cli_fail(&err);
	if (kept)
		fprintf(stderr, "dvmsim: %s holds %zu results of this program\n", path, kept);
	return CLI_OK;
}

static int run(const struct cli_args *args, struct dvm_campaign *c, struct run *r)
{
	/* Once: a second interrupt has its usual effect. */
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	struct dvm_error err;
	int ret, status;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r->shown = isatty(2);
	cli_clock_start(&r->clock);
	ret = dvm_campaign_run(c, &err);
	if (r->running)
		fputs("\r\033[K", stderr);
	if (ret == -DVM_EBUDGET) {
		cli_fail(&err);
		fprintf(stderr, r->store ? "dvmsim: what is finished is kept in %s; run the same "
			"command again to go on\n" : "dvmsim: give --store FILE to keep what is "
			"finished\n", cli_value(args, "store"));
		status = print(args, c);
		return status ? status : CLI_PARTIAL;
	}
	return ret ? cli_fail(&err) : print(args, c);
}

static int run_study(const struct cli_args *args)
{
	char dir[3][4096], path[4160];
	struct run r = { 0 };
	struct dvm_campaign_options options = {
		.size = sizeof(options), .models = dir[0], .strategies = dir[1], .traces = dir[2],
		.question = cli_value(args, "question"), .lookup = lookup, .keep = keep,
		.progress = progress, .arg = &r,
	};
	unsigned long long threads = 0;
	struct dvm_campaign *c;
	struct dvm_error err;
	int status;

	if (cli_flag(args, "json") + cli_flag(args, "csv") + cli_flag(args, "markdown") > 1)
		return cli_usage("study: choose one of --json, --csv and --markdown");
	if (!cli_number(args, "threads", 1, 64, &threads))
		return CLI_USAGE;
	options.threads = (unsigned)threads;
	options.commands = cli_flag(args, "commands");
	snprintf(dir[0], sizeof(dir[0]), "%s/models", cli_data_dir());
	snprintf(dir[1], sizeof(dir[1]), "%s/models/strategies", cli_data_dir());
	snprintf(dir[2], sizeof(dir[2]), "%s/traces", cli_data_dir());
	if (dvm_campaign_load(find_file(args->operands[0], path, sizeof(path)), &options, &c, &err))
		return cli_fail(&err);
	status = open_store(args, &r);
	if (!status)
		status = run(args, c, &r);
	store_close(r.store);
	dvm_campaign_free(c);
	return status;
}

static const struct cli_option options[] = {
	{ "question", 'q', "NAME", "Only this question of the file.", false },
	{ "store", 's', "FILE",
	  "Keep every finished result there; the same command then goes on where it was stopped.",
	  false },
	{ "threads", 'T', "N", "Sites at a time (default: one per CPU); changes no result.", false },
	{ "commands", 0, NULL, "Print below each table the commands that repeat its sites, one by one.",
	  false },
	{ "markdown", 0, NULL, "Print Markdown instead of text for a terminal.", false },
	{ "csv", 0, NULL, "Print a line per site, strategy and metric.", false },
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ "output", 'o', "FILE", "Write there; the file appears whole or not at all.", false },
	{ 0 },
};

const struct cli_command cmd_study = {
	.name = "study",
	.operands = "STUDY",
	.summary = "Answer the questions of a study file",
	.details =
		"A study file (JSON, docs/study.md) holds questions: each a grid of workloads, parts, "
		"kernels, environments, CPU counts or values of one parameter, on every point of which "
		"its strategies are compared as 'dvmsim compare' does. STUDY is a file, or the name of "
		"one that ships: review-thread, dvm-sizing, published, regressions, vm.\n\n"
		"The answer begins with each question's answer in a few sentences, with the command that "
		"repeats one of its cells; then who wins and who loses by preemption model, native and "
		"VM, part, CPUs and workload; all losses; the strategies, with what the checker says of "
		"each; what is fitted and what is estimated of each part; then one table per question. "
		"Where the sign of a change turns within the range of an estimate it is undecided, and a "
		"line below the table says which parameter turns it, and between which values.\n\n"
		"With --store a study can be interrupted (or killed) and resumed.\n\n"
		"Exit status 3: interrupted; what is finished was printed.",
	.examples = "  dvmsim study vm -q erratum-in-a-guest --store vm.db\n"
		    "  dvmsim study models/studies/dvm-sizing.json -q outstanding --csv -o sizing.csv\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_study,
};
