/* SPDX-License-Identifier: MIT */
/*
 * The box of estimated parameters around a model. Looked at are, for every site and strategy, with
 * the first seed:
 *
 * - four corners: everything low, everything high, and the two in which broadcast and local costs
 *   pull in opposite directions, which are the worst and the best a local strategy can meet;
 * - each group of parameters ("dvm", "line", ...) low and high;
 * - each single parameter low and high, group after group, those groups first that moved the result
 *   most, as far as the budget goes. A group that moved nothing, to the last bit, is left out: its
 *   parameters are not used by the run.
 */
#include "study/study.h"

#include "base/error.h"
#include "base/mem.h"
#include "study/pool.h"

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

static bool same_group(const struct dvmi_ranged *a, const struct dvmi_ranged *b)
{
	size_t n = strcspn(a->path, ".");

	return a->kernel == b->kernel && !strncmp(a->path, b->path, n) &&
	       strcspn(b->path, ".") == n;
}

static int collect(struct dvmi_box *box, const struct dvm_model *model, bool kernel,
		   size_t *capacity)
{
	struct dvm_param p = { .size = sizeof(p) };

	for (size_t i = 0; i < dvm_model_param_count(model); i++) {
		struct dvmi_ranged r = { .kernel = kernel };
		size_t j;

		if (dvm_model_param(model, i, &p) || !p.ranged || p.lo == p.hi)
			continue;
		if (dvmi_grow((void **)&box->params, capacity, box->nparams + 1, sizeof(r)))
			return -DVM_ENOMEM;
		r.path = dvmi_strdup(p.path);
		if (!r.path)
			return -DVM_ENOMEM;
		r.lo = p.lo;
		r.hi = p.hi;
		for (j = 0; j < box->nparams && !same_group(&box->params[j], &r); j++)
			;
		r.group = j < box->nparams ? box->params[j].group : (unsigned)box->groups++;
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

/* A new point with nothing set; its name is "@fmt" of @what. */
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
typedef int (*chooser)(const struct dvmi_ranged *p, size_t arg);

static int all_low(const struct dvmi_ranged *p, size_t arg)
{
	(void)p;
	(void)arg;
	return 0;
}

static int all_high(const struct dvmi_ranged *p, size_t arg)
{
	(void)p;
	(void)arg;
	return 1;
}

static int against_local(const struct dvmi_ranged *p, size_t arg)
{
	(void)arg;
	return is_broadcast_cost(p) ? 0 : is_local_cost(p) ? 1 : -1;
}

static int against_broadcast(const struct dvmi_ranged *p, size_t arg)
{
	int side = against_local(p, arg);

	return side < 0 ? side : !side;
}

static int group_low(const struct dvmi_ranged *p, size_t group)
{
	return p->group == group ? 0 : -1;
}

static int group_high(const struct dvmi_ranged *p, size_t group)
{
	return p->group == group ? 1 : -1;
}

static int add_chosen(struct dvm_study *s, struct dvmi_box *box, const char *name, chooser choose,
		      size_t arg)
{
	struct dvmi_point *p = add_point(s, box, name);

	if (!p)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < box->nparams; i++) {
		int side = choose(&box->params[i], arg);

		if (side >= 0)
			p->sets[p->nsets++] = (struct dvmi_set){ i, side == 1 };
	}
	return 0;
}

static int add_single(struct dvm_study *s, struct dvmi_box *box, size_t param, bool high)
{
	const struct dvmi_ranged *r = &box->params[param];
	struct dvmi_point *p;
	char name[160];

	snprintf(name, sizeof(name), "%s=%" PRIu64, r->path, high ? r->hi : r->lo);
	p = add_point(s, box, name);
	if (!p)
		return -DVM_ENOMEM;
	p->sets[p->nsets++] = (struct dvmi_set){ param, high };
	return 0;
}

static size_t group_size(const struct dvmi_box *box, size_t group)
{
	size_t n = 0;

	for (size_t i = 0; i < box->nparams; i++)
		n += box->params[i].group == group;
	return n;
}

static int add_group(struct dvm_study *s, struct dvmi_box *box, size_t group)
{
	const struct dvmi_ranged *first = box->params;
	char low[160], high[160];
	int n, ret;

	while (first->group != group)
		first++;
	if (group_size(box, group) == 1) {
		ret = add_single(s, box, (size_t)(first - box->params), false);
		return ret ? ret : add_single(s, box, (size_t)(first - box->params), true);
	}
	n = (int)strcspn(first->path, ".");
	if (first->kernel)
		snprintf(low, sizeof(low), "all estimates of the kernel configuration low");
	else
		snprintf(low, sizeof(low), "all of %.*s low", n, first->path);
	snprintf(high, sizeof(high), "%.*shigh", (int)strlen(low) - 3, low);
	ret = add_chosen(s, box, low, group_low, group);
	return ret ? ret : add_chosen(s, box, high, group_high, group);
}

static int add_first_points(struct dvm_study *s, struct dvmi_box *box)
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
		ret = add_chosen(s, box, corners[i].name, corners[i].choose, 0);
	for (size_t g = 0; g < box->groups && !ret; g++)
		ret = add_group(s, box, g);
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
		};

		ret = dvmi_run_one(s, &job, &p->runs[v->strategy], &t->errors[i]);
	} else if (ret != -DVM_ENOMEM) {
		ret = 0; /* these values contradict each other: no such part; the run is not done */
	}
	dvm_model_free(hw);
	dvm_model_free(kernel);
	atomic_fetch_add(&s->done,
			 dvmi_cell_run(s, v->site * s->nstrategies + v->strategy, 0)->stats.events + 1);
	return ret;
}

static int tour_tick(void *arg)
{
	return dvmi_study_tick(((struct tour *)arg)->study);
}

/* Run all points of all boxes from number from[site] on, for the strategies that run at all. */
static int run_points(struct dvm_study *s, const size_t *from, struct dvm_error *err)
{
	struct tour t = { .study = s };
	size_t n = 0, max = 0;
	int ret = -DVM_ENOMEM;

	for (size_t site = 0; site < dvmi_study_sites(s); site++)
		max += (s->boxes[site].npoints - from[site]) * s->nstrategies;
	if (!max)
		return 0;
	t.visits = dvmi_calloc(max, sizeof(*t.visits));
	t.errors = dvmi_calloc(max, sizeof(*t.errors));
	for (size_t site = 0; t.visits && site < dvmi_study_sites(s); site++)
		for (size_t p = from[site]; p < s->boxes[site].npoints; p++)
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
	dvmi_free(t.visits);
	dvmi_free(t.errors);
	return ret;
}

/* How far a point moved the primary metrics, in percent of them; 0 only when not a bit changed. */
static double influence(const struct dvm_study *s, size_t site, const struct dvmi_point *p)
{
	size_t primary, metrics = dvmi_metric_count(s, site, &primary);
	double most = 0;

	(void)metrics;
	for (size_t i = 0; i < s->nstrategies; i++) {
		const struct dvmi_run *base = dvmi_cell_run(s, site * s->nstrategies + i, 0);

		for (size_t m = 0; m < primary && p->runs[i].done; m++) {
			double a = dvmi_metric_value(s, site, m, base);
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
	size_t group;
	double influence;
};

static int most_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->influence != y->influence)
		return x->influence < y->influence ? 1 : -1;
	return (x->group > y->group) - (x->group < y->group);
}

static uint64_t site_events(const struct dvm_study *s, size_t site)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < s->nstrategies; i++)
		sum += dvmi_cell_run(s, site * s->nstrategies + i, 0)->stats.events;
	return sum;
}

/* Single parameters, group by group. Points 4 + 2g and 4 + 2g + 1 are group g low and high. */
static int add_singles(struct dvm_study *s, size_t site)
{
	struct dvmi_box *box = &s->boxes[site];
	struct ranked *order = box->groups ? dvmi_calloc(box->groups, sizeof(*order)) : NULL;
	uint64_t cost = 2 * site_events(s, site), left = s->options.budget;
	int ret = 0;

	if (box->groups && !order)
		return -DVM_ENOMEM;
	for (size_t g = 0; g < box->groups; g++)
		order[g] = (struct ranked){ g, fmax(influence(s, site, &box->points[4 + 2 * g]),
						    influence(s, site, &box->points[5 + 2 * g])) };
	if (box->groups)
		qsort(order, box->groups, sizeof(*order), most_first);
	for (size_t i = 0; i < box->groups && !ret; i++) {
		size_t size = group_size(box, order[i].group);

		if (size == 1)
			box->varied++;
		else if (order[i].influence == 0)
			box->inert += size;
		if (size == 1 || order[i].influence == 0)
			continue;
		for (size_t p = 0; p < box->nparams && !ret; p++) {
			if (box->params[p].group != order[i].group)
				continue;
			if (s->options.sensitivity != DVM_SENSITIVITY_ALL && left < cost)
				continue;
			left -= left < cost ? left : cost;
			ret = add_single(s, box, p, false);
			if (!ret)
				ret = add_single(s, box, p, true);
			box->varied++;
		}
	}
	dvmi_free(order);
	return ret;
}

int dvmi_boxes_run(struct dvm_study *s, struct dvm_error *err)
{
	size_t *from = dvmi_calloc(dvmi_study_sites(s), sizeof(*from));
	int ret = from ? 0 : -DVM_ENOMEM;

	s->boxes = dvmi_calloc(dvmi_study_sites(s), sizeof(*s->boxes));
	if (!s->boxes)
		ret = -DVM_ENOMEM;
	for (size_t site = 0; site < dvmi_study_sites(s) && !ret; site++) {
		struct dvmi_box *box = &s->boxes[site];
		size_t capacity = 0;

		ret = collect(box, s->hw[dvmi_site_hw(s, site)], false, &capacity);
		if (!ret)
			ret = collect(box, s->kernels[dvmi_site_kernel(s, site)], true, &capacity);
		if (!ret)
			ret = add_first_points(s, box);
	}
	if (!ret)
		ret = run_points(s, from, err);
	else
		dvmi_error_nomem(err);
	if (ret)
		goto out;
	for (size_t site = 0; site < dvmi_study_sites(s) && !ret; site++) {
		from[site] = s->boxes[site].npoints;
		ret = add_singles(s, site);
	}
	ret = ret ? dvmi_error_nomem(err) : run_points(s, from, err);
out:
	dvmi_free(from);
	return ret;
}

static size_t ranged_count(const struct dvm_model *model)
{
	struct dvm_param p = { .size = sizeof(p) };
	size_t n = 0;

	for (size_t i = 0; i < dvm_model_param_count(model); i++)
		n += !dvm_model_param(model, i, &p) && p.ranged;
	return n;
}

uint64_t dvmi_boxes_cost(const struct dvm_study *s, const uint64_t *events)
{
	uint64_t cost = 0;

	if (s->options.sensitivity == DVM_SENSITIVITY_OFF)
		return 0;
	for (size_t site = 0; site < dvmi_study_sites(s); site++) {
		uint64_t n = ranged_count(s->hw[dvmi_site_hw(s, site)]) +
			     ranged_count(s->kernels[dvmi_site_kernel(s, site)]);
		uint64_t singles = 2 * n * events[site] / 2; /* about half of them are used */

		if (s->options.sensitivity == DVM_SENSITIVITY_SIGNS && singles > s->options.budget)
			singles = s->options.budget;
		if (n)
			cost += 20 * events[site] + singles;
	}
	return cost;
}
