/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_STUDY_H
#define DVMSIM_STUDY_H

#include <dvmsim/error.h>
#include <dvmsim/sim.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_study - every strategy on every workload, part and kernel configuration.
 *
 * Fill it (dvm_study_add_*, dvm_study_take_*), run it once, read the results, print them with
 * dvm_report_*. One thread per study; dvm_study_run() starts threads of its own.
 */
struct dvm_study;

/**
 * enum dvm_sensitivity - whether the answer is recomputed over the ranges of estimated parameters.
 * @DVM_SENSITIVITY_SIGNS: corners of the box, and the strongest single parameters as far as the
 *                         budget goes
 * @DVM_SENSITIVITY_OFF:   not at all; reports say so
 * @DVM_SENSITIVITY_ALL:   every parameter, whatever it costs
 */
enum dvm_sensitivity {
	DVM_SENSITIVITY_SIGNS,
	DVM_SENSITIVITY_OFF,
	DVM_SENSITIVITY_ALL,
};

/**
 * struct dvm_study_options - how to run a study.
 * @size:         sizeof(struct dvm_study_options)
 * @seeds:        runs of a cell in which something is random; 0 means 5, at most 1000. A cell in
 *                which nothing is random runs once.
 * @first_seed:   the seeds are @first_seed, @first_seed + 1, ...; 0 means 1
 * @copies:       as in struct dvm_sim_options
 * @schedule:     as in struct dvm_sim_options, as are the next three
 * @max_events:   as in struct dvm_sim_options
 * @sensitivity:  enum dvm_sensitivity
 * @budget:       events that the single-parameter runs of one workload on one part may cost
 *                (DVM_SENSITIVITY_SIGNS); 0 means 20 million
 * @baseline:     name of the strategy the others are compared with; NULL: the first one. Copied.
 * @threads:      runs at a time; 0: one per CPU of the host. Results do not depend on it.
 * @progress:     called from dvm_study_run()'s thread, now and then, with work done and in all, in
 *                arbitrary units (@total may still grow); a return other than 0 stops the study. May
 *                be NULL.
 * @progress_arg: handed to @progress
 * @observer:     told of the events of every run, which then take one thread; NULL for none
 * @observer_arg: passed to it
 */
struct dvm_study_options {
	size_t size;
	unsigned seeds;
	uint64_t first_seed;
	unsigned copies;
	unsigned schedule;
	unsigned offline_cpu;
	uint64_t offline_ps;
	uint64_t forced_migrations_hz;
	uint64_t max_events;
	int sensitivity;
	uint64_t budget;
	const char *baseline;
	unsigned threads;
	int (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
	dvm_sim_observer observer;
	void *observer_arg;
};

/**
 * dvm_study_new() - an empty study.
 * @options: NULL for the defaults
 * @study:   out, freed with dvm_study_free()
 *
 * Return: 0, -DVM_EINVAL or -DVM_ENOMEM.
 */
DVM_API int dvm_study_new(const struct dvm_study_options *options, struct dvm_study **study,
			  struct dvm_error *err);

/** dvm_study_free() - with everything the study owns; NULL is allowed. */
DVM_API void dvm_study_free(struct dvm_study *study);

/**
 * dvm_study_take_model() - add a hardware model or a kernel configuration.
 *
 * @model belongs to the study from here on, also when the call fails. So it is with the other two.
 *
 * Return: 0, -DVM_EINVAL (one of that name is there already) or -DVM_ENOMEM.
 */
DVM_API int dvm_study_take_model(struct dvm_study *study, struct dvm_model *model,
				 struct dvm_error *err);

/** dvm_study_take_strategy() - add a strategy; as dvm_study_take_model(). */
DVM_API int dvm_study_take_strategy(struct dvm_study *study, struct dvm_strategy *strategy,
				    struct dvm_error *err);

/**
 * dvm_study_take_trace() - add a workload that is a trace; as dvm_study_take_model().
 * @name: how reports call it and a repetition finds it; copied
 */
DVM_API int dvm_study_take_trace(struct dvm_study *study, const char *name,
				 struct dvm_trace *trace, struct dvm_error *err);

/**
 * dvm_study_add_trace() - load a trace and add it.
 * @name: a path (it has a slash or ends in ".dvt"), or a name looked for as @dir/NAME.dvt
 * @dir:  the traces folder
 *
 * Return: 0, -DVM_EINVAL (there already), or as dvm_trace_load().
 */
DVM_API int dvm_study_add_trace(struct dvm_study *study, const char *name, const char *dir,
				struct dvm_error *err);

/**
 * dvm_study_add_workload() - add a generator: "NAME" or "NAME:param=value,...".
 *
 * Each seed generates its own trace; when all of them are equal, nothing is random.
 *
 * Return: 0, -DVM_EINVAL (there already), or as dvm_workload_generate().
 */
DVM_API int dvm_study_add_workload(struct dvm_study *study, const char *spec,
				   struct dvm_error *err);

/**
 * dvm_study_from_json() - the study that a result came from.
 * @text:    a document that dvm_report_json() wrote; its manifest says what to run
 * @size:    bytes at @text
 * @name:    stands for the file in messages
 * @dir:     the traces folder, as in dvm_study_add_trace()
 * @options: only threads and progress are used; may be NULL
 * @study:   out
 *
 * Running it and printing it again gives the same bytes with the same version of the library.
 *
 * Return: 0; -DVM_EFORMAT (not such a document); -DVM_EINVAL (a trace or a strategy is not the one
 * the result was made with); or as the functions above.
 */
DVM_API int dvm_study_from_json(const char *text, size_t size, const char *name, const char *dir,
				const struct dvm_study_options *options, struct dvm_study **study,
				struct dvm_error *err);

/**
 * dvm_study_run() - run every cell.
 *
 * A strategy that the oracle finds stale, and a workload that does not fit on a part, make their
 * cells say so; they do not fail the study.
 *
 * Return: 0; -DVM_EINVAL (an axis is empty, no such baseline, or no cell can run at all);
 * -DVM_EBUDGET when stopped through @progress; -DVM_ENOMEM; -DVM_EFORMAT (a workload that waits for
 * itself).
 */
DVM_API int dvm_study_run(struct dvm_study *study, struct dvm_error *err);

/** enum dvm_run_status - how a cell ended. */
enum dvm_run_status {
	DVM_RUN_OK,
	DVM_RUN_STALE,      /* the oracle saw a stale translation used: no number means anything */
	DVM_RUN_IMPOSSIBLE, /* the workload does not fit on the part */
	DVM_RUN_UNFINISHED, /* the event budget was spent */
};

/** enum dvm_verdict - what a metric's change against the baseline amounts to. */
enum dvm_verdict {
	DVM_VERDICT_NONE,      /* there is nothing to compare: the cell or its baseline did not run, or
				* there is no such event in one of them */
	DVM_VERDICT_BASELINE,
	DVM_VERDICT_IMPROVED,  /* the 95 % interval lies on the good side of 0 */
	DVM_VERDICT_REGRESSED, /* on the bad side */
	DVM_VERDICT_UNDECIDED, /* it includes or touches 0 */
	DVM_VERDICT_UNCHANGED, /* every run gave exactly the baseline's value */
};

/** dvm_verdict_name() - "improved", ...; NULL beyond the last. */
DVM_API const char *dvm_verdict_name(unsigned verdict);

/** dvm_run_status_name() - "ok", "stale", "impossible", "unfinished"; NULL beyond the last. */
DVM_API const char *dvm_run_status_name(unsigned status);

/**
 * struct dvm_cell - one strategy on one workload, part and kernel. Strings belong to the study.
 * @workload, @hw, @kernel, @strategy: names; the indices count in order of addition
 * @status:  enum dvm_run_status
 * @message: what the oracle or the simulator said when @status is not DVM_RUN_OK, else NULL
 * @baseline: whether it is the baseline's cell
 * @random:  whether anything in it depends on the seed
 * @n:       runs
 * @metrics: metrics it has; the first @primary of them are what the workload is judged by
 * @stats:   of the run with the first seed; NULL when nothing ran
 * @steps:   lines of the strategy, likewise; their count is @nsteps
 * @work:    what the workload counts, likewise; their number is @nwork
 */
struct dvm_cell {
	const char *workload, *hw, *kernel, *strategy;
	size_t workload_index, hw_index, kernel_index, strategy_index;
	int status;
	const char *message;
	bool baseline, random;
	unsigned n;
	size_t metrics, primary;
	const struct dvm_stats *stats;
	const struct dvm_step *steps;
	size_t nsteps;
	const struct dvm_work *work;
	size_t nwork;
};

/**
 * struct dvm_ranges - how a change moves over the ranges of the estimated parameters.
 * @examined: whether it was looked at
 * @params:   parameters with a range, of the part and of the kernel
 * @inert:    of these, those that changed not a bit of a run with one copy of the workload
 * @varied:   of these, those varied one at a time as the study runs; the others moved together
 * @runs:     points looked at (beside the one of the models as they are)
 * @lo_pct, @hi_pct: least and greatest change seen, the models as they are included
 * @lo_at, @hi_at: where, e.g. "dvm.node_sync_ps=3500000"; "" for the models as they are
 * @holds:    whether the change has the opposite sign nowhere; changes below 0.005 % have no sign
 * @turns:    points at which it has not
 * @stale_at: first point at which the oracle fired, or NULL
 */
struct dvm_ranges {
	bool examined;
	size_t params, inert, varied, runs;
	double lo_pct, hi_pct;
	const char *lo_at, *hi_at;
	bool holds;
	size_t turns;
	const char *stale_at;
};

/**
 * struct dvm_metric - one metric of one cell.
 * @name:   "forks", "requests p99", "elapsed", "flush p99", ...
 * @unit:   "/s", "ps" or ""
 * @higher_is_better: its direction
 * @n:      runs it was seen in; 0: no value
 * @mean:   over the runs
 * @ci95:   half of the 95 % interval of the mean; 0 when n is 1
 * @change_pct: mean over the seeds of the change against the baseline with the same seed, percent
 * @change_ci95: half of its 95 % interval; 0 when n is 1
 * @verdict: enum dvm_verdict; with NONE and BASELINE the change is 0
 * @ranges: of primary metrics; otherwise not examined
 * @unstable: a latency of work units that came faster than they were done, in some run: no value
 */
struct dvm_metric {
	const char *name, *unit;
	bool higher_is_better;
	unsigned n;
	double mean, ci95;
	double change_pct, change_ci95;
	int verdict;
	struct dvm_ranges ranges;
	bool unstable;
};

/** dvm_study_cell_count() - cells; 0 before dvm_study_run() succeeded. */
DVM_API size_t dvm_study_cell_count(const struct dvm_study *study);

/** dvm_study_cell() - cell @index; 0, or -DVM_ENOENT past the last. Workload varies slowest, then
 * part, kernel, strategy. */
DVM_API int dvm_study_cell(const struct dvm_study *study, size_t index, struct dvm_cell *cell);

/** dvm_study_metric() - metric @metric of cell @cell; 0 or -DVM_ENOENT. */
DVM_API int dvm_study_metric(const struct dvm_study *study, size_t cell, size_t metric,
			     struct dvm_metric *out);

/**
 * struct dvm_point - the change of a primary metric at one point of the box.
 * @at:     "barrier.dsb_nsh_ps=200000", or what was moved together, "all estimates high"; owned by
 *          the study
 * @single: one parameter was moved, alone
 * @change_pct: the change against the baseline, run with the same parameters and the first seed
 * @turns:  it has a sign, and not that of the change with the models as they are
 */
struct dvm_point {
	const char *at;
	bool single;
	double change_pct;
	bool turns;
};

/** dvm_study_point() - the @index-th point that was looked at; 0 or -DVM_ENOENT past the last. */
DVM_API int dvm_study_point(const struct dvm_study *study, size_t cell, size_t metric,
			    size_t index, struct dvm_point *point);

#ifdef __cplusplus
}
#endif
#endif
