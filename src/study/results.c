/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "study/stat.h"

#include <math.h>

static const char *const verdicts[] = { "none",	     "baseline",  "improved",
					"regressed", "undecided", "unchanged" };
static const char *const statuses[] = { "ok", "stale", "impossible", "unfinished" };

const char *dvm_verdict_name(unsigned verdict)
{
	return verdict < sizeof(verdicts) / sizeof(verdicts[0]) ? verdicts[verdict] : NULL;
}

const char *dvm_run_status_name(unsigned status)
{
	return status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status] : NULL;
}

size_t dvm_study_cell_count(const struct dvm_study *s)
{
	return s->ran ? dvmi_study_cells(s) : 0;
}

/* One run that failed spoils the cell: the first of them speaks for it. */
static const struct dvmi_run *telling_run(const struct dvm_study *s, size_t cell, unsigned *n)
{
	const struct dvmi_run *telling = dvmi_cell_run(s, cell, 0);

	*n = 0;
	for (size_t seed = 0; seed < s->options.seeds; seed++) {
		const struct dvmi_run *run = dvmi_cell_run(s, cell, seed);

		*n += run->done;
		if (run->done && telling->status == DVM_RUN_OK)
			telling = run;
	}
	return telling;
}

int dvm_study_cell(const struct dvm_study *s, size_t index, struct dvm_cell *cell)
{
	size_t site = index / s->nstrategies;
	const struct dvmi_run *first, *telling;

	if (index >= dvm_study_cell_count(s))
		return -DVM_ENOENT;
	first = dvmi_cell_run(s, index, 0);
	*cell = (struct dvm_cell){
		.workload_index = dvmi_site_workload(s, site),
		.hw_index = dvmi_site_hw(s, site),
		.kernel_index = dvmi_site_kernel(s, site),
		.strategy_index = index % s->nstrategies,
		.stats = first->status == DVM_RUN_IMPOSSIBLE ? NULL : &first->stats,
		.steps = first->steps,
		.nsteps = first->nsteps,
		.work = first->work,
		.nwork = first->nwork,
	};
	telling = telling_run(s, index, &cell->n);
	cell->workload = s->workloads[cell->workload_index].label;
	cell->hw = dvm_model_name(s->hw[cell->hw_index]);
	cell->kernel = dvm_model_name(s->kernels[cell->kernel_index]);
	cell->strategy = dvm_strategy_name(s->strategies[cell->strategy_index]);
	cell->status = telling->status;
	cell->message = telling->message;
	cell->baseline = cell->strategy_index == s->baseline;
	cell->random = first->random || s->workloads[cell->workload_index].random;
	cell->metrics = dvmi_metric_count(s, site, &cell->primary);
	return 0;
}

/* The values of the seeds that ran; 0 when one of them has none. */
static size_t gather(const struct dvm_study *s, size_t cell, size_t metric, double *x)
{
	size_t n = 0;

	for (size_t seed = 0; seed < s->options.seeds; seed++) {
		const struct dvmi_run *run = dvmi_cell_run(s, cell, seed);

		if (!run->done)
			continue;
		x[n] = dvmi_metric_value(s, cell / s->nstrategies, metric, run);
		if (isnan(x[n]))
			return 0;
		n++;
	}
	return n;
}

int dvm_study_metric(const struct dvm_study *s, size_t cell, size_t metric, struct dvm_metric *out)
{
	double x[1000], base[1000]; /* as many as there may be seeds */
	struct dvmi_metric_def def;
	struct dvmi_mean m, change;
	struct dvm_cell c;
	size_t n, nbase;

	if (dvm_study_cell(s, cell, &c) || metric >= c.metrics)
		return -DVM_ENOENT;
	def = dvmi_metric_def(s, cell / s->nstrategies, metric);
	*out = (struct dvm_metric){ .name = def.name, .unit = def.unit,
				    .higher_is_better = def.higher_is_better };
	if (c.status == DVM_RUN_OK && metric < c.primary && s->spreads)
		out->ranges = s->spreads[cell * s->spread_stride + metric].ranges;
	for (size_t seed = 0; seed < s->options.seeds; seed++)
		out->unstable |= dvmi_metric_unstable(s, cell / s->nstrategies, metric,
						      dvmi_cell_run(s, cell, seed));
	n = gather(s, cell, metric, x);
	if (!n || c.status != DVM_RUN_OK)
		return 0;
	m = dvmi_stat_mean(x, n);
	out->n = (unsigned)n;
	out->mean = m.mean;
	out->ci95 = m.ci95;
	if (c.baseline) {
		out->verdict = DVM_VERDICT_BASELINE;
		return 0;
	}
	nbase = gather(s, cell - c.strategy_index + s->baseline, metric, base);
	if (nbase != n || !dvmi_stat_change(x, base, n, &change))
		return 0;
	out->change_pct = change.mean;
	out->change_ci95 = change.ci95;
	out->verdict = dvmi_stat_verdict(x, base, n, def.higher_is_better);
	return 0;
}

int dvm_study_point(const struct dvm_study *s, size_t cell, size_t metric, size_t index,
		    struct dvm_point *point)
{
	const struct dvmi_spread *spread;
	struct dvm_cell c;

	if (dvm_study_cell(s, cell, &c) || !s->spreads || metric >= c.primary)
		return -DVM_ENOENT;
	spread = &s->spreads[cell * s->spread_stride + metric];
	if (index >= spread->ranges.runs)
		return -DVM_ENOENT;
	*point = spread->points[index];
	return 0;
}
