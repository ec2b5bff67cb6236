/* SPDX-License-Identifier: MIT */
/*
 * The box of estimated parameters around a model. Every site is looked at with the first seed:
 *
 * - First with one copy of the workload, which is cheap: each parameter low and high, alone. That
 *   ranks them, and shows which of them a run does not use at all: not a bit changes.
 * - Then as the study runs it. Four corners: everything low, everything high, and the two in which
 *   broadcast and local costs pull in opposite directions, the worst and the best a local strategy
 *   can meet. Each parameter low and high, alone, the strongest first, as far as the budget goes. All
 *   that were not varied alone, the unused included, together low and together high: a parameter
 *   that only acts where copies meet is among them.
 *
 * Where the study itself runs one copy, the first part is all there is to know of single parameters.
 */
#include "study/study.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"
#include "model/params.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static bool is_one_of(const char *path, const char *const list[])
{
	for (size_t i = 0; list[i]; i++)
		if (starts(path, list[i]))
			return true;
	return false;
}

/* What a broadcast costs whoever waits for it, or is hit by it. */
static bool is_broadcast_cost(const struct dvmi_ranged *p)
{
	static const char *const list[] = { "dvm.", "tlbi.issue_broadcast_ps", "barrier.dsb_ish_ps",
					    NULL };
	size_t len = strlen(p->path);

	return !p->kernel && len > 3 && !strcmp(p->path + len - 3, "_ps") &&
	       is_one_of(p->path, list);
}

/* What a strategy pays to avoid broadcasts. */
static bool is_local_cost(const struct dvmi_ranged *p)
{
	static const char *const list[] = {
		"tlbi.issue_local_ps", "barrier.dsb_nsh_ps", "barrier.dsb_st_ps", "barrier.dmb_ps",
		"barrier.store_drain_ps", "line.", "ipi.", "kernel.migrate_", "kernel.preempt_", NULL
	};

	return !p->kernel && is_one_of(p->path, list);
}

/* The part and the kernel of one site. */
struct pair {
	const struct dvmi_hw *hw;
	const struct dvmi_kernel_cfg *kernel;
};

static struct pair pair_of(const struct dvm_study *s, size_t site)
{
	return (struct pair){ dvmi_model_hw(s->hw[dvmi_site_hw(s, site)]),
			      dvmi_model_kernel(s->kernels[dvmi_site_kernel(s, site)]) };
}

/* Parameter @i of @model has a range, and something reads it here. */
static bool is_ranged(const struct dvm_model *model, size_t i, const struct pair *pair,
		      struct dvm_param *p)
{
	static const char *const of_smmu[] = { "smmu.", "sva_pins", NULL };
	static const char *const of_sme[] = { "sme_batch", NULL };
	static const char *const of_threads[] = { "tlb.smt", "feature.cnp", "cnp", NULL };
	static const char *const of_stage2[] = { "tlb.stage2_", "vm_stage2_", "vm_memory_mib",
						 "vm_run_bytes", NULL };
	static const char *const of_host[] = { "vm_exit_ns", "vm_entry_ns", "vm_load_ns",
					       "vm_put_ns", "vm_inject_ns", NULL };

	if (dvm_model_param(model, i, p) || !p->ranged || p->lo == p->hi)
		return false;
	if (pair->kernel->smmu == DVMI_SMMU_NONE && is_one_of(p->path, of_smmu))
		return false;
	if (is_one_of(p->path, of_host))
		return pair->kernel->vm_count;
	if (!pair->kernel->vm_stage2 && is_one_of(p->path, of_stage2))
		return false;
	if (pair->hw->topology_threads == 1 && is_one_of(p->path, of_threads))
		return false;
	return pair->hw->erratum_sme_dvmsync || !is_one_of(p->path, of_sme);
}

static int collect(struct dvmi_box *box, const struct dvm_model *model, bool kernel,
		   const struct pair *pair, size_t *capacity)
{
	struct dvm_param p = { .size = sizeof(p) };

	for (size_t i = 0; i < dvm_model_param_count(model); i++) {
		struct dvmi_ranged r = { .kernel = kernel };

		if (!is_ranged(model, i, pair, &p))
			continue;
		if (dvmi_grow((void **)&box->params, capacity, box->nparams + 1, sizeof(r)))
			return -DVM_ENOMEM;
		r.path = dvmi_strdup(p.path);
		if (!r.path)
			return -DVM_ENOMEM;
		r.lo = p.lo;
		r.hi = p.hi;
		box->params[box->nparams++] = r;
	}
	return 0;
}

static void point_fini(struct dvmi_point *p, size_t strategies)
{
	for (size_t i = 0; p->runs && i < strategies; i++)
		dvmi_run_fini(&p->runs[i]);
	dvmi_free(p->runs);
	dvmi_free(p->sets);
	dvmi_free(p->at);
}

void dvmi_boxes_free(struct dvm_study *s)
{
	for (size_t i = 0; s->boxes && i < dvmi_study_sites(s); i++) {
		struct dvmi_box *box = &s->boxes[i];

		for (size_t j = 0; j < box->nparams; j++)
			dvmi_free(box->params[j].path);
		for (size_t j = 0; j < box->npoints; j++)
			point_fini(&box->points[j], s->nstrategies);
		dvmi_free(box->params);
		dvmi_free(box->points);
	}
	dvmi_free(s->boxes);
	s->boxes = NULL;
}

/* A new point with nothing set. */
static struct dvmi_point *add_point(struct dvm_study *s, struct dvmi_box *box, const char *name)
{
	struct dvmi_point *p;

	if (dvmi_grow((void **)&box->points, &box->capacity, box->npoints + 1, sizeof(*p)))
		return NULL;
	p = &box->points[box->npoints];
	*p = (struct dvmi_point){
		.at = dvmi_strdup(name),
		.sets = dvmi_calloc(box->nparams, sizeof(*p->sets)),
		.runs = dvmi_calloc(s->nstrategies, sizeof(*p->runs)),
	};
	box->npoints++;
	return p->at && p->sets && p->runs ? p : NULL;
}

/* -1: leave it, 0: low, 1: high. */
typedef int (*chooser)(const struct dvmi_ranged *p);

static int all_low(const struct dvmi_ranged *p)
{
	(void)p;
	return 0;
}

static int all_high(const struct dvmi_ranged *p)
{
	(void)p;
	return 1;
}

static int against_local(const struct dvmi_ranged *p)
{
	return is_broadcast_cost(p) ? 0 : is_local_cost(p) ? 1 : -1;
}

static int against_broadcast(const struct dvmi_ranged *p)
{
	int side = against_local(p);

	return side < 0 ? side : !side;
}

static int rest_low(const struct dvmi_ranged *p)
{
	return p->varied ? -1 : 0;
}

static int rest_high(const struct dvmi_ranged *p)
{
	return p->varied ? -1 : 1;
}

static int add_chosen(struct dvm_study *s, struct dvmi_box *box, const char *name, chooser choose)
{
	struct dvmi_point *p = add_point(s, box, name);

	if (!p)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < box->nparams; i++) {
		int side = choose(&box->params[i]);

		if (side >= 0)
			p->sets[p->nsets++] = (struct dvmi_set){ i, side == 1 };
	}
	return 0;
}

static int add_single(struct dvm_study *s, struct dvmi_box *box, size_t param, bool high,
		      unsigned copies)
{
	const struct dvmi_ranged *r = &box->params[param];
	struct dvmi_point *p;
	char name[160];

	snprintf(name, sizeof(name), "%s=%" PRIu64, r->path, high ? r->hi : r->lo);
	p = add_point(s, box, name);
	if (!p)
		return -DVM_ENOMEM;
	p->copies = copies;
	p->sets[p->nsets++] = (struct dvmi_set){ param, high };
	return 0;
}

static int add_corners(struct dvm_study *s, struct dvmi_box *box)
{
	static const struct {
		const char *name;
		chooser choose;
	} corners[] = {
		{ "all estimates low", all_low },
		{ "all estimates high", all_high },
		{ "broadcasts cheap, local costs high", against_local },
		{ "broadcasts dear, local costs low", against_broadcast },
	};
	int ret = 0;

	for (size_t i = 0; i < 4 && !ret && box->nparams; i++)
		ret = add_chosen(s, box, corners[i].name, corners[i].choose);
	return ret;
}

/* Point 0 is the model as it is; then each parameter low and high. */
static int add_screen(struct dvm_study *s, struct dvmi_box *box)
{
	struct dvmi_point *base = box->nparams ? add_point(s, box, "") : NULL;
	int ret = 0;

	if (!box->nparams)
		return 0;
	if (!base)
		return -DVM_ENOMEM;
	base->copies = 1;
	for (size_t i = 0; i < box->nparams && !ret; i++) {
		ret = add_single(s, box, i, false, 1);
		if (!ret)
			ret = add_single(s, box, i, true, 1);
	}
	return ret;
}

/* ---- Running points ---- */

struct visit {
	size_t site, point, strategy;
};

struct tour {
	struct dvm_study *study;
	struct visit *visits;
	struct dvm_error *errors;
};

static int move(const struct dvmi_box *box, const struct dvmi_point *p, bool kernel,
		const struct dvm_model *base, struct dvm_model **moved)
{
	int ret = dvm_model_clone(base, moved);

	for (size_t i = 0; i < p->nsets && !ret; i++) {
		const struct dvmi_ranged *r = &box->params[p->sets[i].param];

		if (r->kernel == kernel)
			ret = dvm_model_set(*moved, r->path, p->sets[i].high ? r->hi : r->lo, NULL);
	}
	return ret;
}

/* For progress: events of the whole study's run, or its share of one copy. */
static uint64_t visit_cost(const struct dvm_study *s, size_t cell, const struct dvmi_point *p)
{
	const struct dvm_stats *stats = &dvmi_cell_run(s, cell, 0)->stats;

	return stats->events / (p->copies && stats->copies ? stats->copies : 1) + 1;
}

static int visit_point(void *arg, size_t i)
{
	struct tour *t = arg;
	struct dvm_study *s = t->study;
	const struct visit *v = &t->visits[i];
	struct dvmi_box *box = &s->boxes[v->site];
	struct dvmi_point *p = &box->points[v->point];
	struct dvm_model *hw = NULL, *kernel = NULL;
	int ret = move(box, p, false, s->hw[dvmi_site_hw(s, v->site)], &hw);

	if (!ret)
		ret = move(box, p, true, s->kernels[dvmi_site_kernel(s, v->site)], &kernel);
	if (!ret) {
		struct dvmi_job job = {
			.trace = s->workloads[dvmi_site_workload(s, v->site)].traces[0],
			.hw = hw,
			.kernel = kernel,
			.strategy = s->strategies[v->strategy],
			.seed = s->options.first_seed,
			.copies = p->copies,
		};

		ret = dvmi_run_one(s, &job, &p->runs[v->strategy], &t->errors[i]);
	} else if (ret != -DVM_ENOMEM) {
		ret = 0; /* these values contradict each other: no such part; the run is not done */
	}
	dvm_model_free(hw);
	dvm_model_free(kernel);
	atomic_fetch_add(&s->done, visit_cost(s, v->site * s->nstrategies + v->strategy, p));
	return ret;
}

static int tour_tick(void *arg)
{
	return dvmi_study_tick(((struct tour *)arg)->study);
}

/* Run all points of all boxes that have not run, for the strategies that run at all. */
static int run_points(struct dvm_study *s, struct dvm_error *err)
{
	struct tour t = { .study = s };
	size_t n = 0, max = 0;
	int ret = -DVM_ENOMEM;

	for (size_t site = 0; site < dvmi_study_sites(s); site++)
		max += (s->boxes[site].npoints - s->boxes[site].ran) * s->nstrategies;
	if (!max)
		return 0;
	t.visits = dvmi_calloc(max, sizeof(*t.visits));
	t.errors = dvmi_calloc(max, sizeof(*t.errors));
	for (size_t site = 0; t.visits && site < dvmi_study_sites(s); site++)
		for (size_t p = s->boxes[site].ran; p < s->boxes[site].npoints; p++)
			for (size_t i = 0; i < s->nstrategies; i++)
				if (dvmi_cell_run(s, site * s->nstrategies + i, 0)->status ==
				    DVM_RUN_OK)
					t.visits[n++] = (struct visit){ site, p, i };
	if (t.visits && t.errors)
		ret = dvmi_pool_run(s->options.threads, n, visit_point, tour_tick, &t);
	if (ret == -DVM_ENOMEM)
		dvmi_error_nomem(err);
	else if (ret)
		dvmi_error(err, -ret, "study", "stopped while looking at the ranges of estimates");
	for (size_t i = 0; ret && ret != -DVM_ENOMEM && i < n; i++) {
		if (t.errors[i].code != -ret)
			continue;
		if (err)
			*err = t.errors[i];
		break;
	}
	for (size_t site = 0; site < dvmi_study_sites(s); site++)
		s->boxes[site].ran = s->boxes[site].npoints;
	dvmi_free(t.visits);
	dvmi_free(t.errors);
	return ret;
}

/* How far a point moved the primary metrics, in percent of them; 0 only when not a bit changed. */
static double influence(const struct dvm_study *s, size_t site, const struct dvmi_point *base,
			const struct dvmi_point *p)
{
	double most = 0;
	size_t primary;

	dvmi_metric_count(s, site, &primary);
	for (size_t i = 0; i < s->nstrategies; i++) {
		for (size_t m = 0; m < primary && p->runs[i].done; m++) {
			double a = dvmi_metric_value(s, site, m, &base->runs[i]);
			double b = dvmi_metric_value(s, site, m, &p->runs[i]);

			if (isnan(a) != isnan(b))
				return INFINITY;
			if (!isnan(a) && a != b)
				most = fmax(most, a != 0 ? fabs((b - a) / a) * 100 : INFINITY);
		}
	}
	return most;
}

struct ranked {
	size_t param;
	double influence;
};

static int most_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->influence != y->influence)
		return x->influence < y->influence ? 1 : -1;
	return (x->param > y->param) - (x->param < y->param);
}

static uint64_t site_events(const struct dvm_study *s, size_t site)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < s->nstrategies; i++)
		sum += dvmi_cell_run(s, site * s->nstrategies + i, 0)->stats.events;
	return sum;
}

/* Which single parameters to vary as the study runs: marks them. */
static int choose_singles(struct dvm_study *s, size_t site)
{
	struct dvmi_box *box = &s->boxes[site];
	struct ranked *order = dvmi_calloc(box->nparams, sizeof(*order));
	uint64_t cost = 2 * site_events(s, site), left = s->options.budget;
	bool all = s->options.sensitivity == DVM_SENSITIVITY_ALL;

	if (!order)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < box->nparams; i++) {
		double low = influence(s, site, &box->points[0], &box->points[1 + 2 * i]);
		double high = influence(s, site, &box->points[0], &box->points[2 + 2 * i]);

		order[i] = (struct ranked){ i, fmax(low, high) };
		box->inert += order[i].influence == 0;
	}
	qsort(order, box->nparams, sizeof(*order), most_first);
	for (size_t i = 0; i < box->nparams; i++) {
		/* However dear a run is, the four strongest are worth it. */
		if (!all && (order[i].influence == 0 || (i >= 4 && left < cost)))
			break;
		left -= left < cost ? left : cost;
		box->params[order[i].param].varied = true;
		box->varied++;
	}
	dvmi_free(order);
	return 0;
}

static void drop_points(const struct dvm_study *s, struct dvmi_box *box)
{
	for (size_t i = 0; i < box->npoints; i++)
		point_fini(&box->points[i], s->nstrategies);
	box->npoints = box->ran = 0;
}

/* The points of the second part, in place of the first, where the study runs more than one copy. */
static int add_points(struct dvm_study *s, size_t site)
{
	struct dvmi_box *box = &s->boxes[site];
	bool one_copy = true;
	int ret = box->nparams ? choose_singles(s, site) : 0;

	for (size_t i = 0; i < s->nstrategies; i++)
		if (dvmi_cell_run(s, site * s->nstrategies + i, 0)->stats.copies > 1)
			one_copy = false;
	if (ret || !box->nparams)
		return ret;
	if (one_copy) {
		point_fini(&box->points[0], s->nstrategies);
		memmove(box->points, box->points + 1, (--box->npoints) * sizeof(*box->points));
		box->ran = box->npoints;
		box->varied = box->nparams;
		return add_corners(s, box);
	}
	drop_points(s, box);
	ret = add_corners(s, box);
	for (size_t i = 0; i < box->nparams && !ret; i++) {
		if (!box->params[i].varied)
			continue;
		ret = add_single(s, box, i, false, 0);
		if (!ret)
			ret = add_single(s, box, i, true, 0);
	}
	if (!ret && box->varied < box->nparams)
		ret = add_chosen(s, box, "all other estimates low", rest_low);
	if (!ret && box->varied < box->nparams)
		ret = add_chosen(s, box, "all other estimates high", rest_high);
	return ret;
}

int dvmi_boxes_run(struct dvm_study *s, struct dvm_error *err)
{
	int ret = 0;

	s->boxes = dvmi_calloc(dvmi_study_sites(s), sizeof(*s->boxes));
	if (!s->boxes)
		return dvmi_error_nomem(err);
	for (size_t site = 0; site < dvmi_study_sites(s) && !ret; site++) {
		struct dvmi_box *box = &s->boxes[site];
		struct pair pair = pair_of(s, site);
		size_t capacity = 0;

		ret = collect(box, s->hw[dvmi_site_hw(s, site)], false, &pair, &capacity);
		if (!ret)
			ret = collect(box, s->kernels[dvmi_site_kernel(s, site)], true, &pair, &capacity);
		if (!ret)
			ret = add_screen(s, box);
	}
	if (ret)
		return dvmi_error_nomem(err);
	ret = run_points(s, err);
	if (ret)
		return ret;
	for (size_t site = 0; site < dvmi_study_sites(s) && !ret; site++)
		ret = add_points(s, site);
	return ret ? dvmi_error_nomem(err) : run_points(s, err);
}

static size_t ranged_count(const struct dvm_model *model, const struct pair *pair)
{
	struct dvm_param p = { .size = sizeof(p) };
	size_t n = 0;

	for (size_t i = 0; i < dvm_model_param_count(model); i++)
		n += is_ranged(model, i, pair, &p);
	return n;
}

uint64_t dvmi_boxes_cost(const struct dvm_study *s, const uint64_t *events)
{
	uint64_t cost = 0;

	if (s->options.sensitivity == DVM_SENSITIVITY_OFF)
		return 0;
	for (size_t site = 0; site < dvmi_study_sites(s); site++) {
		struct pair pair = pair_of(s, site);
		uint64_t n = ranged_count(s->hw[dvmi_site_hw(s, site)], &pair) +
			     ranged_count(s->kernels[dvmi_site_kernel(s, site)], &pair);
		uint64_t copies = dvmi_cell_run(s, site * s->nstrategies, 0)->stats.copies;
		uint64_t singles = n * events[site]; /* about half of them are used */

		if (s->options.sensitivity == DVM_SENSITIVITY_SIGNS && singles > s->options.budget)
			singles = s->options.budget;
		if (n && copies > 1)
			cost += 2 * n * events[site] / copies + 6 * events[site] + singles;
		else if (n)
			cost += (2 * n + 4) * events[site];
	}
	return cost;
}
