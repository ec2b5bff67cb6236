/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

/* A list of runs of cells, dearest first, so that the last thread does not end long after the rest. */
struct item {
	size_t cell, seed;
	uint64_t cost;
};

struct batch {
	struct dvm_study *study;
	struct item *items;
	struct dvm_error *errors; /* one per item: threads do not share */
};

int dvmi_study_tick(void *arg)
{
	struct dvm_study *s = arg;
	uint64_t done = atomic_load(&s->done);

	if (!s->options.progress)
		return 0;
	return s->options.progress(s->options.progress_arg, done, s->total > done ? s->total : done);
}

static int batch_tick(void *arg)
{
	return dvmi_study_tick(((struct batch *)arg)->study);
}

static int batch_job(void *arg, size_t i)
{
	struct batch *b = arg;
	struct dvm_study *s = b->study;
	const struct item *item = &b->items[i];
	size_t site = item->cell / s->nstrategies;
	struct dvmi_job job = {
		.trace = s->workloads[dvmi_site_workload(s, site)].traces[item->seed],
		.hw = s->hw[dvmi_site_hw(s, site)],
		.kernel = s->kernels[dvmi_site_kernel(s, site)],
		.strategy = s->strategies[item->cell % s->nstrategies],
		.seed = s->options.first_seed + item->seed,
		.keep_steps = item->seed == 0,
	};
	int ret = dvmi_run_one(s, &job, dvmi_cell_run(s, item->cell, item->seed), &b->errors[i]);

	atomic_fetch_add(&s->done, item->cost);
	return ret;
}

static int dearest_first(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	if (x->cell != y->cell)
		return x->cell < y->cell ? -1 : 1;
	return (x->seed > y->seed) - (x->seed < y->seed);
}

/* Runs the items; takes them. */
static int run_items(struct dvm_study *s, struct item *items, size_t count, struct dvm_error *err)
{
	struct batch b = { .study = s, .items = items };
	int ret = -DVM_ENOMEM;

	b.errors = count ? dvmi_calloc(count, sizeof(*b.errors)) : NULL;
	if (!count || b.errors) {
		if (count)
			qsort(items, count, sizeof(*items), dearest_first);
		ret = dvmi_pool_run(s->options.threads, count, batch_job, batch_tick, &b);
	}
	if (ret == -DVM_ENOMEM)
		dvmi_error_nomem(err);
	for (size_t i = 0; ret && b.errors && i < count && ret != -DVM_ENOMEM; i++) {
		if (b.errors[i].code != -ret)
			continue;
		if (err)
			*err = b.errors[i];
		goto out;
	}
	if (ret == -DVM_EBUDGET)
		dvmi_error(err, DVM_EBUDGET, "study", "stopped before all cells had run");
out:
	dvmi_free(b.errors);
	dvmi_free(items);
	return ret;
}

/* A guess, before anything ran: records times the copies that fill the part. */
static uint64_t guess_cost(const struct dvm_study *s, size_t cell)
{
	size_t site = cell / s->nstrategies, count;
	const struct dvm_trace *trace = s->workloads[dvmi_site_workload(s, site)].traces[0];
	struct dvm_param p = { .size = sizeof(p) };
	static const char *const dims[] = { "topology.sockets", "topology.dies", "topology.clusters",
					    "topology.cores", "topology.threads" };
	uint64_t cpus = 1, copies;

	for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++)
		if (!dvm_model_param_find(s->hw[dvmi_site_hw(s, site)], dims[i], &p, NULL))
			cpus *= p.value;
	copies = s->options.copies ? s->options.copies : cpus / dvm_trace_get_env(trace)->ncpus;
	dvm_trace_records(trace, &count);
	return count * (copies ? copies : 1) + 1;
}

static struct item *new_items(const struct dvm_study *s, size_t per_cell)
{
	return dvmi_calloc(dvmi_study_cells(s) * per_cell, sizeof(struct item));
}

static int run_first_seed(struct dvm_study *s, struct dvm_error *err)
{
	struct item *items = new_items(s, 1);
	size_t n = dvmi_study_cells(s);

	if (!items)
		return dvmi_error_nomem(err);
	for (size_t i = 0; i < n; i++) {
		items[i] = (struct item){ .cell = i, .cost = guess_cost(s, i) };
		s->total += items[i].cost;
	}
	/* The rest is a multiple of the first round: seeds, and the box's points. */
	s->total *= s->options.seeds + (s->options.sensitivity == DVM_SENSITIVITY_OFF ? 0u : 20u);
	return run_items(s, items, n, err);
}

static bool cell_random(const struct dvm_study *s, size_t cell)
{
	return dvmi_cell_run(s, cell, 0)->random ||
	       s->workloads[dvmi_site_workload(s, cell / s->nstrategies)].random;
}

static int run_other_seeds(struct dvm_study *s, struct dvm_error *err)
{
	struct item *items = new_items(s, s->options.seeds);
	size_t n = 0;

	if (!items)
		return dvmi_error_nomem(err);
	for (size_t cell = 0; cell < dvmi_study_cells(s); cell++) {
		const struct dvmi_run *first = dvmi_cell_run(s, cell, 0);

		for (size_t seed = 1; seed < s->options.seeds; seed++)
			if (cell_random(s, cell) && first->status == DVM_RUN_OK)
				items[n++] = (struct item){ cell, seed, first->stats.events + 1 };
	}
	return run_items(s, items, n, err);
}

/* What is left to do is known once the first round has said how many events a run takes. */
static int set_total(struct dvm_study *s)
{
	uint64_t *events = dvmi_calloc(dvmi_study_sites(s), sizeof(*events)), left = 0;

	if (!events)
		return -DVM_ENOMEM;
	for (size_t cell = 0; cell < dvmi_study_cells(s); cell++) {
		const struct dvmi_run *first = dvmi_cell_run(s, cell, 0);
		uint64_t cost = first->stats.events + 1;

		events[cell / s->nstrategies] += cost;
		if (cell_random(s, cell) && first->status == DVM_RUN_OK)
			left += cost * (s->options.seeds - 1);
	}
	left += dvmi_boxes_cost(s, events);
	s->total = atomic_load(&s->done) + left;
	dvmi_free(events);
	return 0;
}

static int find_baseline(struct dvm_study *s, struct dvm_error *err)
{
	if (!s->nworkloads || !s->nhw || !s->nkernels || !s->nstrategies)
		return dvmi_error(err, DVM_EINVAL, "study",
				  "it needs a workload, a part, a kernel and a strategy at least");
	if (!s->options.baseline)
		return 0;
	for (size_t i = 0; i < s->nstrategies; i++) {
		if (!strcmp(dvm_strategy_name(s->strategies[i]), s->options.baseline)) {
			s->baseline = i;
			return 0;
		}
	}
	return dvmi_error(err, DVM_EINVAL, "study", "baseline \"%s\" is none of its strategies",
			  s->options.baseline);
}

/* When no cell can run, what was asked for is wrong, and the first cell says why. */
static int some_cell_ran(const struct dvm_study *s, struct dvm_error *err)
{
	for (size_t cell = 0; cell < dvmi_study_cells(s); cell++)
		if (dvmi_cell_run(s, cell, 0)->status != DVM_RUN_IMPOSSIBLE)
			return 0;
	return dvmi_error(err, DVM_EINVAL, s->workloads[0].label, "%s",
			  dvmi_cell_run(s, 0, 0)->message);
}

int dvm_study_run(struct dvm_study *s, struct dvm_error *err)
{
	int ret = s->runs ? dvmi_error(err, DVM_EINVAL, "study", "it has run already") :
			    find_baseline(s, err);

	if (ret)
		return ret;
	s->runs = dvmi_calloc(dvmi_study_cells(s) * s->options.seeds, sizeof(*s->runs));
	if (!s->runs)
		return dvmi_error_nomem(err);
	ret = run_first_seed(s, err);
	if (!ret)
		ret = some_cell_ran(s, err);
	if (!ret && set_total(s))
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = run_other_seeds(s, err);
	if (!ret && s->options.sensitivity != DVM_SENSITIVITY_OFF)
		ret = dvmi_boxes_run(s, err);
	if (!ret && dvmi_spreads_make(s))
		ret = dvmi_error_nomem(err);
	s->ran = !ret;
	return ret;
}
