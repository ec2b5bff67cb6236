/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "base/mem.h"
#include "study/stat.h"

#include <math.h>

/* The change at one place of the box; false where one of the two has no value. */
static bool change_at(const struct dvm_study *s, size_t site, size_t metric,
		      const struct dvmi_run *run, const struct dvmi_run *base, double *pct)
{
	double x = dvmi_metric_value(s, site, metric, run);
	double b = dvmi_metric_value(s, site, metric, base);
	struct dvmi_mean change;

	if (isnan(x) || isnan(b) || !dvmi_stat_change(&x, &b, 1, &change))
		return false;
	*pct = change.mean;
	return true;
}

/* A change below 0.005 %, which no table would show, is none. */
static int sign(double pct)
{
	return (pct >= 0.005) - (pct <= -0.005);
}

static void take_point(struct dvmi_spread *out, const struct dvmi_point *p, double pct,
		       double base_pct)
{
	/* Vanishing is not turning: a gain that becomes nothing hurts nobody. */
	bool turns = sign(pct) != 0 && sign(pct) != sign(base_pct);

	struct dvm_ranges *r = &out->ranges;

	if (pct < r->lo_pct) {
		r->lo_pct = pct;
		r->lo_at = p->at;
	}
	if (pct > r->hi_pct) {
		r->hi_pct = pct;
		r->hi_at = p->at;
	}
	r->holds = r->holds && !turns;
	r->turns += turns;
	out->points[r->runs++] = (struct dvm_point){ p->at, p->nsets == 1, pct, turns };
}

static int spread_of(const struct dvm_study *s, size_t cell, size_t metric, struct dvmi_spread *out)
{
	size_t site = cell / s->nstrategies, strategy = cell % s->nstrategies;
	const struct dvmi_box *box = &s->boxes[site];
	const struct dvmi_run *base = dvmi_cell_run(s, site * s->nstrategies + s->baseline, 0);
	struct dvm_ranges *r = &out->ranges;
	double base_pct, pct;

	if (strategy == s->baseline ||
	    !change_at(s, site, metric, dvmi_cell_run(s, cell, 0), base, &base_pct))
		return 0;
	*r = (struct dvm_ranges){ .examined = true, .params = box->nparams, .varied = box->varied,
				  .inert = box->inert,
				  .lo_pct = base_pct, .hi_pct = base_pct, .lo_at = "", .hi_at = "",
				  .holds = true };
	if (!box->npoints)
		return 0;
	out->points = dvmi_calloc(box->npoints, sizeof(*out->points));
	if (!out->points)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < box->npoints; i++) {
		const struct dvmi_point *p = &box->points[i];
		const struct dvmi_run *run = &p->runs[strategy];

		if (run->done && run->status == DVM_RUN_STALE && !r->stale_at)
			r->stale_at = p->at;
		if (change_at(s, site, metric, run, &p->runs[s->baseline], &pct))
			take_point(out, p, pct, base_pct);
	}
	return 0;
}

int dvmi_spreads_make(struct dvm_study *s)
{
	size_t cells = dvmi_study_cells(s), primary;

	if (!s->boxes)
		return 0;
	for (size_t site = 0; site < dvmi_study_sites(s); site++) {
		dvmi_metric_count(s, site, &primary);
		if (primary > s->spread_stride)
			s->spread_stride = primary;
	}
	s->spreads = dvmi_calloc(cells * s->spread_stride, sizeof(*s->spreads));
	if (!s->spreads)
		return -DVM_ENOMEM;
	for (size_t cell = 0; cell < cells; cell++) {
		dvmi_metric_count(s, cell / s->nstrategies, &primary);
		for (size_t m = 0; m < primary; m++)
			if (spread_of(s, cell, m, &s->spreads[cell * s->spread_stride + m]))
				return -DVM_ENOMEM;
	}
	return 0;
}

void dvmi_spreads_free(struct dvm_study *s)
{
	for (size_t i = 0; s->spreads && i < dvmi_study_cells(s) * s->spread_stride; i++)
		dvmi_free(s->spreads[i].points);
	dvmi_free(s->spreads);
	s->spreads = NULL;
}
