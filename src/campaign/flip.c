/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/mem.h"
#include "study/stat.h"
#include "study/study.h"

#include <math.h>
#include <string.h>

/*
 * Where a sign turns: the parameter that turns it alone, and, for a number, between which two values.
 * When none does alone, the corner of the box that does is named.
 */
#define HALVINGS 6

struct flip {
	const struct dvm_study *study;
	size_t strategy, metric;
	const char *path;
	bool kernel;
};

static int sign_of(double pct)
{
	return (pct >= 0.005) - (pct <= -0.005);
}

static int run_one(const struct flip *f, const struct dvm_model *hw,
		   const struct dvm_model *kernel, size_t strategy, struct dvmi_run *run)
{
	const struct dvm_study *s = f->study;
	struct dvmi_job job = { .trace = s->workloads[0].traces[0], .hw = hw, .kernel = kernel,
				.strategy = s->strategies[strategy],
				.seed = s->options.first_seed };

	return dvmi_run_one(s, &job, run, NULL);
}

/* The sign of the change with the parameter at @value; 0 as well where it can not be had. */
static int sign_at(const struct flip *f, uint64_t value, int *sign)
{
	const struct dvm_study *s = f->study;
	struct dvm_model *moved = NULL;
	struct dvmi_run run = { 0 }, base = { 0 };
	struct dvmi_mean change;
	int ret = dvm_model_clone(f->kernel ? s->kernels[0] : s->hw[0], &moved);

	*sign = 0;
	if (ret)
		return ret;
	if (!dvm_model_set(moved, f->path, value, NULL)) {
		const struct dvm_model *hw = f->kernel ? s->hw[0] : moved;
		const struct dvm_model *kernel = f->kernel ? moved : s->kernels[0];

		ret = run_one(f, hw, kernel, f->strategy, &run);
		if (!ret)
			ret = run_one(f, hw, kernel, s->baseline, &base);
		if (!ret) {
			double x = dvmi_metric_value(s, 0, f->metric, &run);
			double b = dvmi_metric_value(s, 0, f->metric, &base);

			if (!isnan(x) && !isnan(b) && dvmi_stat_change(&x, &b, 1, &change))
				*sign = sign_of(change.mean);
		}
	}
	dvmi_run_fini(&run);
	dvmi_run_fini(&base);
	dvm_model_free(moved);
	return ret == -DVM_ENOMEM ? ret : 0;
}

/* @from has the sign of the models as they are, @to has not. */
static int halve(const struct flip *f, int sign, uint64_t from, uint64_t to,
		 struct dvmi_outcome *o)
{
	for (unsigned i = 0; i < HALVINGS; i++) {
		uint64_t middle = from < to ? from + (to - from) / 2 : to + (from - to) / 2;
		int there, ret;

		if (middle == from || middle == to)
			break;
		ret = sign_at(f, middle, &there);
		if (ret)
			return ret;
		if (there == -sign)
			to = middle;
		else
			from = middle;
	}
	o->flip_from = from;
	o->flip_to = to;
	return 0;
}

/* "dvm.request_ps=200" of the box into path and value; false for a corner. */
static bool split(struct flip *f, const char *at, char *path, size_t size, uint64_t *end,
		  struct dvm_param *param)
{
	const char *eq = strchr(at, '=');

	if (!eq || (size_t)(eq - at) >= size)
		return false;
	memcpy(path, at, (size_t)(eq - at));
	path[eq - at] = '\0';
	*end = 0;
	for (const char *d = eq + 1; *d >= '0' && *d <= '9'; d++)
		*end = *end * 10 + (uint64_t)(*d - '0');
	f->path = path;
	f->kernel = dvm_model_param_find(f->study->hw[0], path, param, NULL) != 0;
	return !f->kernel || !dvm_model_param_find(f->study->kernels[0], path, param, NULL);
}

int dvmi_flip_find(const struct dvm_study *s, size_t cell, size_t metric, struct dvmi_outcome *o)
{
	struct flip f = { .study = s, .strategy = cell % s->nstrategies, .metric = metric };
	struct dvm_param param = { .size = sizeof(param) };
	struct dvm_point point, corner = { .at = NULL }, found = { .at = NULL };
	char path[128];
	uint64_t end = 0;

	for (size_t i = 0; !dvm_study_point(s, cell, metric, i, &point); i++) {
		if (!point.turns)
			continue;
		if (point.single && !found.at)
			found = point;
		else if (!point.single && !corner.at)
			corner = point;
	}
	if (!found.at && !corner.at)
		return 0;
	o->flip_single = found.at && split(&f, found.at, path, sizeof(path), &end, &param);
	o->flip_at = dvmi_strdup(o->flip_single ? path : found.at ? found.at : corner.at);
	if (!o->flip_at)
		return -DVM_ENOMEM;
	if (!o->flip_single)
		return 0;
	o->flip_from = param.value;
	o->flip_to = end;
	if (param.type != DVM_PARAM_INT)
		return 0;
	/* The change's own sign is that of the metric, not of the improvement. */
	return halve(&f, sign_of(o->higher_is_better ? o->change_pct : -o->change_pct), param.value,
		     end, o);
}
