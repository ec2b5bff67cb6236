/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "study.h"

#include <dvmsim/model.h>
#include <dvmsim/strategy.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 65536

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void catch_signals(void)
{
	/* Once: a second interrupt has its usual effect. */
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct progress {
	bool shown, running;
	double begin;
} progress;

static int on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	double spent = seconds() - p->begin, left;

	if (interrupted)
		return 1;
	if (!p->shown || !total || spent < 0.5)
		return 0;
	left = done ? spent * (double)(total - done) / (double)done : 0;
	fprintf(stderr, "\r\033[K%3.0f %%", (double)done / (double)total * 100);
	if (done)
		fprintf(stderr, ", about %.0f s left", left);
	fflush(stderr);
	p->running = true;
	return 0;
}

static void end_progress(void)
{
	if (progress.running)
		fputs("\r\033[K", stderr);
	progress.running = false;
}

static bool has_option(const struct cli_args *args, const char *name)
{
	for (const struct cli_option *o = args->command->options; o->name; o++)
		if (!strcmp(o->name, name))
			return true;
	return false;
}

static bool number(const struct cli_args *args, const char *name, unsigned long long min,
		   unsigned long long max, unsigned long long *value)
{
	return !has_option(args, name) || cli_number(args, name, min, max, value);
}

static int read_sensitivity(const struct cli_args *args, int *sensitivity)
{
	static const char *const words[] = { "signs", "off", "all" };
	const char *word = has_option(args, "sensitivity") ? cli_value(args, "sensitivity") : NULL;

	if (!word)
		return CLI_OK;
	for (int i = 0; i < 3; i++) {
		if (!strcmp(word, words[i])) {
			*sensitivity = i;
			return CLI_OK;
		}
	}
	return cli_usage("--sensitivity: '%s' is not signs, off or all", word);
}

static int read_schedule(const struct cli_args *args, unsigned *schedule)
{
	const char *word = has_option(args, "schedule") ? cli_value(args, "schedule") : NULL;

	*schedule = DVM_SIM_SIMULATED;
	if (word && !strcmp(word, "recorded"))
		*schedule = DVM_SIM_RECORDED;
	else if (word && strcmp(word, "simulated") != 0)
		return cli_usage("--schedule: '%s' is not simulated or recorded", word);
	return CLI_OK;
}

/* --offline CPU@MS */
static int read_offline(const struct cli_args *args, struct dvm_study_options *o)
{
	const char *word = has_option(args, "offline") ? cli_value(args, "offline") : NULL;
	unsigned cpu, ms;
	char rest;

	if (!word)
		return CLI_OK;
	if (sscanf(word, "%5u@%6u%c", &cpu, &ms, &rest) != 2 || !ms)
		return cli_usage("--offline: '%s' is not CPU@MS, a CPU and milliseconds from the start",
				 word);
	o->offline_cpu = cpu;
	o->offline_ps = ms * UINT64_C(1000000000);
	return CLI_OK;
}

int cli_study_options(const struct cli_args *args, struct dvm_study_options *options)
{
	unsigned long long seeds = 0, seed = 0, copies = 0, threads = 0, budget = 0, hz = 0, cpus;
	int status;

	/* Seeds below 2^53: every reader of the result's JSON keeps them exact. */
	if (!number(args, "seeds", 1, 1000, &seeds) ||
	    !number(args, "seed", 1, 1ull << 53, &seed) ||
	    !number(args, "copies", 1, 65536, &copies) ||
	    !number(args, "threads", 1, 64, &threads) ||
	    !number(args, "migrate", 1, 1000000, &hz) ||
	    !number(args, "cpus", 1, CPUS_MAX, &cpus) || /* of the models: change_model() */
	    !number(args, "budget", 1, 1ull << 53, &budget))
		return CLI_USAGE;
	*options = (struct dvm_study_options){
		.size = sizeof(*options),
		.seeds = (unsigned)seeds,
		.first_seed = seed,
		.copies = (unsigned)copies,
		.forced_migrations_hz = hz,
		.threads = (unsigned)threads,
		.budget = budget,
		.progress = on_progress,
		.progress_arg = &progress,
	};
	status = read_schedule(args, &options->schedule);
	if (!status)
		status = read_offline(args, options);
	return status ? status : read_sensitivity(args, &options->sensitivity);
}

/* The values that --set and --cpus give a part (paths with a dot) or a kernel configuration. */
/* One round of --set: how many were refused, and why the first of them. */
static int set_all(const char *const *list, enum dvm_model_kind kind, struct dvm_model *model,
		   size_t *refused, struct dvm_error *first)
{
	*refused = 0;
	for (; list && *list; list++) {
		const char *eq = strchr(*list, '=');
		struct dvm_error err;
		char path[128];

		if (!eq || eq - *list >= (int)sizeof(path))
			return cli_usage("--set: '%s' is not PARAMETER=VALUE", *list);
		snprintf(path, sizeof(path), "%.*s", (int)(eq - *list), *list);
		if ((strchr(path, '.') != NULL) != (kind == DVM_MODEL_HW))
			continue;
		if (dvm_model_set_text(model, path, eq + 1, &err) && !(*refused)++)
			*first = err;
	}
	return CLI_OK;
}

static int change_model(const struct cli_args *args, enum dvm_model_kind kind,
			struct dvm_model *model)
{
	const char *const *list = has_option(args, "set") ? cli_values(args, "set") : NULL;
	size_t refused = SIZE_MAX, before;
	unsigned long long cpus = 0;
	struct dvm_error err;
	int status;

	/* In whatever order they are given: what contradicts the rest now may fit after the others. */
	do {
		before = refused;
		status = set_all(list, kind, model, &refused, &err);
	} while (!status && refused && refused < before);
	if (status || refused)
		return status ? status : cli_fail(&err);
	if (!number(args, "cpus", 1, CPUS_MAX, &cpus))
		return CLI_USAGE;
	if (cpus && kind == DVM_MODEL_HW && dvm_model_set_cpus(model, cpus, &err))
		return cli_fail(&err);
	return CLI_OK;
}

static int add_model(const struct cli_args *args, struct dvm_study *study,
		     enum dvm_model_kind kind, const char *name)
{
	struct dvm_model *model;
	struct dvm_error err;
	char dir[4096];
	int status;

	snprintf(dir, sizeof(dir), "%s/models", cli_data_dir());
	if (dvm_model_find(kind, name, dir, &model, &err))
		return cli_fail(&err);
	status = change_model(args, kind, model);
	if (status) {
		dvm_model_free(model);
		return status;
	}
	return dvm_study_take_model(study, model, &err) ? cli_fail(&err) : CLI_OK;
}

static int add_hw(const struct cli_args *args, struct dvm_study *study, const char *name)
{
	return add_model(args, study, DVM_MODEL_HW, name);
}

static int add_kernel(const struct cli_args *args, struct dvm_study *study, const char *name)
{
	return add_model(args, study, DVM_MODEL_KERNEL, name);
}

static int add_strategy(struct dvm_study *study, const char *name, const char *baseline)
{
	struct dvm_strategy *strategy;
	struct dvm_error err;
	int status = cli_load_strategy(name, &strategy);

	if (status)
		return status;
	if (baseline && !strcmp(dvm_strategy_name(strategy), baseline)) {
		dvm_strategy_free(strategy);
		return CLI_OK;
	}
	return dvm_study_take_strategy(study, strategy, &err) ? cli_fail(&err) : CLI_OK;
}

/* No such trace: name the one in @dir that was meant, if it was a name and not a path. */
static int unknown_trace(const char *name, const char *dir, const struct dvm_error *err)
{
	const char *names[64] = { NULL }, *found;
	char text[64][64];
	struct dirent *entry;
	size_t n = 0;
	DIR *d = strchr(name, '/') ? NULL : opendir(dir);

	if (!d)
		return cli_fail(err);
	while (n < 63 && (entry = readdir(d))) {
		const char *end = strstr(entry->d_name, ".dvt");

		if (!end || end[4] || end - entry->d_name > 63)
			continue;
		snprintf(text[n], sizeof(text[n]), "%.*s", (int)(end - entry->d_name),
			 entry->d_name);
		names[n] = text[n];
		n++;
	}
	closedir(d);
	found = dvm_suggest(name, names);
	return found ? cli_usage("no trace '%s'; did you mean '%s'?", name, found) : cli_fail(err);
}

static int add_trace(const struct cli_args *args, struct dvm_study *study, const char *name)
{
	struct dvm_error err;
	char dir[4096];

	(void)args;
	snprintf(dir, sizeof(dir), "%s/traces", cli_data_dir());
	if (!dvm_study_add_trace(study, name, dir, &err))
		return CLI_OK;
	return err.code == DVM_ENOENT ? unknown_trace(name, dir, &err) : cli_fail(&err);
}

static int add_workload(const struct cli_args *args, struct dvm_study *study, const char *spec)
{
	struct dvm_error err;

	(void)args;
	return dvm_study_add_workload(study, spec, &err) ? cli_fail(&err) : CLI_OK;
}

/* Names given by option, or else the defaults. */
static int add_all(const struct cli_args *args, const char *option, const char *const *defaults,
		   int (*add)(const struct cli_args *args, struct dvm_study *study,
			      const char *name), struct dvm_study *study)
{
	const char *const *list = cli_values(args, option);
	int status = CLI_OK;

	if (!*list && defaults)
		list = defaults;
	for (; *list && !status; list++)
		status = add(args, study, *list);
	return status;
}

static int add_strategies(const struct cli_args *args, const char *const *defaults,
			  const char *baseline, struct dvm_study *study)
{
	const char *const *list = cli_values(args, "strategy");
	int status = CLI_OK;

	if (!*list)
		list = defaults;
	for (; *list && !status; list++)
		status = add_strategy(study, *list, baseline);
	return status;
}

int cli_study_fill(const struct cli_args *args, const struct cli_study_defaults *defaults,
		   const char *baseline, struct dvm_study *study)
{
	int status;

	if (!*cli_values(args, "trace") && !*cli_values(args, "workload"))
		return cli_usage("%s: what is to run? Give --trace or --workload; 'dvmsim workload "
				 "list' names the generators", args->command->name);
	status = add_strategies(args, defaults->strategies, baseline, study);
	if (!status)
		status = add_all(args, "model", defaults->models, add_hw, study);
	if (!status)
		status = add_all(args, "kernel", defaults->kernels, add_kernel, study);
	if (!status)
		status = add_all(args, "trace", NULL, add_trace, study);
	return status ? status : add_all(args, "workload", NULL, add_workload, study);
}

int cli_study_run(struct dvm_study *study)
{
	struct dvm_error err;
	int ret;

	catch_signals();
	progress = (struct progress){ .shown = isatty(STDERR_FILENO) == 1, .begin = seconds() };
	ret = dvm_study_run(study, &err);
	end_progress();
	if (ret && interrupted) {
		cli_usage("interrupted; nothing was written");
		return CLI_PARTIAL;
	}
	return ret ? cli_fail(&err) : CLI_OK;
}

int cli_study_status(const struct dvm_study *study)
{
	int status = CLI_OK;
	struct dvm_cell c;

	for (size_t i = 0; !dvm_study_cell(study, i, &c); i++) {
		if (c.status == DVM_RUN_OK || c.status == DVM_RUN_IMPOSSIBLE)
			continue;
		cli_usage("%s, %s, %s: %s", c.strategy, c.workload, c.hw, c.message);
		status = c.status == DVM_RUN_STALE ? CLI_FAILED :
			 status == CLI_OK ? CLI_PARTIAL : status;
	}
	return status;
}
