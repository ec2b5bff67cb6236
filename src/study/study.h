/* SPDX-License-Identifier: MIT */
#ifndef DVMI_STUDY_STUDY_H
#define DVMI_STUDY_STUDY_H

#include <dvmsim/model.h>
#include <dvmsim/sim.h>
#include <dvmsim/strategy.h>
#include <dvmsim/study.h>
#include <dvmsim/trace.h>
#include <dvmsim/workload.h>

#include <stdatomic.h>

/* The simulator as the study sees it, so that a test can put a known one in its place. */
struct dvmi_engine {
	int (*new)(const struct dvm_sim_options *options, struct dvm_sim **sim,
		   struct dvm_error *err);
	void (*free)(struct dvm_sim *sim);
	int (*run)(struct dvm_sim *sim, struct dvm_error *err);
	bool (*is_random)(const struct dvm_sim *sim);
	const struct dvm_stats *(*stats)(const struct dvm_sim *sim);
	int (*work)(const struct dvm_sim *sim, size_t index, struct dvm_work *work);
	int (*step)(const struct dvm_sim *sim, size_t index, struct dvm_step *step);
};

extern const struct dvmi_engine dvmi_engine_sim;

#define DVMI_UNIT_METRICS 4 /* quantiles of the latency of a kind of work units */

/* What one simulation gave. All strings are its own. */
struct dvmi_run {
	bool done;
	int status; /* enum dvm_run_status */
	char *message;
	bool random;
	struct dvm_stats stats;
	struct dvm_work *work;
	size_t nwork;
	char *(*unit_names)[DVMI_UNIT_METRICS]; /* of each work, where it is one of work units */
	struct dvm_step *steps; /* kept where wanted */
	size_t nsteps;
};

struct dvmi_workload {
	char *source; /* the generator's spec, or the trace's name or path */
	char *label;  /* what reports call it */
	bool generated, random;
	struct dvm_trace **traces; /* one per seed; all the same one unless random */
};

/* One parameter that has a range; @kernel says which of the two models it belongs to. */
struct dvmi_ranged {
	char *path;
	bool kernel;
	uint64_t lo, hi;
	bool varied; /* alone, as the study runs */
};

struct dvmi_set {
	size_t param; /* index into the site's ranged parameters */
	bool high;
};

/* One point of the box: some parameters at an end of their ranges, all strategies run there. */
struct dvmi_point {
	char *at;
	struct dvmi_set *sets;
	size_t nsets;
	unsigned copies; /* 1: of the first part, ranges.c; 0: as the study runs */
	struct dvmi_run *runs; /* by strategy */
};

/* The box of one workload on one part and kernel. */
struct dvmi_box {
	struct dvmi_ranged *params;
	size_t nparams, varied, inert;
	struct dvmi_point *points;
	size_t npoints, capacity, ran;
};

/* Where a primary metric of a cell ended over the box; built once all points have run. */
struct dvmi_spread {
	struct dvm_ranges ranges;
	struct dvm_point *points; /* ranges.runs of them */
};

struct dvm_study {
	struct dvm_study_options options; /* defaults filled in; .baseline is owned */
	const struct dvmi_engine *engine;
	struct dvmi_workload *workloads;
	struct dvm_model **hw, **kernels;
	struct dvm_strategy **strategies;
	size_t nworkloads, nhw, nkernels, nstrategies;
	size_t cap_workloads, cap_hw, cap_kernels, cap_strategies;
	size_t baseline;

	bool ran;
	struct dvmi_run *runs; /* [cell * seeds + seed] */
	struct dvmi_box *boxes; /* by site */
	struct dvmi_spread *spreads; /* [cell * spread_stride + metric] */
	size_t spread_stride;

	_Atomic uint64_t done; /* for progress */
	uint64_t total;
};

/* A site is a workload on a part and a kernel; a cell is a strategy on a site. */
static inline size_t dvmi_study_sites(const struct dvm_study *s)
{
	return s->nworkloads * s->nhw * s->nkernels;
}

static inline size_t dvmi_study_cells(const struct dvm_study *s)
{
	return dvmi_study_sites(s) * s->nstrategies;
}

static inline size_t dvmi_site_workload(const struct dvm_study *s, size_t site)
{
	return site / s->nkernels / s->nhw;
}

static inline size_t dvmi_site_hw(const struct dvm_study *s, size_t site)
{
	return site / s->nkernels % s->nhw;
}

static inline size_t dvmi_site_kernel(const struct dvm_study *s, size_t site)
{
	return site % s->nkernels;
}

static inline struct dvmi_run *dvmi_cell_run(const struct dvm_study *s, size_t cell, size_t seed)
{
	return &s->runs[cell * s->options.seeds + seed];
}

/* run.c: one simulation into @run. Only errors that end the whole study are returned. */
struct dvmi_job {
	const struct dvm_trace *trace;
	const struct dvm_model *hw, *kernel;
	const struct dvm_strategy *strategy;
	uint64_t seed;
	unsigned copies; /* 0: as the study says */
	bool keep_steps;
};
int dvmi_run_one(const struct dvm_study *s, const struct dvmi_job *job, struct dvmi_run *run,
		 struct dvm_error *err);
void dvmi_run_fini(struct dvmi_run *run);

/*
 * metric.c: the metrics of a site. The first ones are the work kinds of its first run that ended
 * well, with the p99 of those that are work units, or the elapsed time when the workload counts
 * nothing, and the CPU time when its CPUs are mostly idle; these are the primary ones.
 */
struct dvmi_metric_def {
	const char *name, *unit;
	bool higher_is_better;
};
/* Names for @run's own metrics. */
int dvmi_metric_names(struct dvmi_run *run);
size_t dvmi_metric_count(const struct dvm_study *s, size_t site, size_t *primary);
struct dvmi_metric_def dvmi_metric_def(const struct dvm_study *s, size_t site, size_t metric);
/* NAN when the run has no such value. */
double dvmi_metric_value(const struct dvm_study *s, size_t site, size_t metric,
			 const struct dvmi_run *run);
/* It is a latency, and has none because the work units came faster than they were done. */
bool dvmi_metric_unstable(const struct dvm_study *s, size_t site, size_t metric,
			  const struct dvmi_run *run);

/* cells.c: run everything; runs.c of the phases share it. */
int dvmi_study_tick(void *arg);

/* ranges.c: the boxes. */
int dvmi_boxes_run(struct dvm_study *s, struct dvm_error *err);
void dvmi_boxes_free(struct dvm_study *s);
/* Work the boxes will take, in events, from what the base runs took; for progress only. */
uint64_t dvmi_boxes_cost(const struct dvm_study *s, const uint64_t *site_events);
/* spread.c: what the boxes say, for every primary metric. */
int dvmi_spreads_make(struct dvm_study *s);
void dvmi_spreads_free(struct dvm_study *s);

#endif
