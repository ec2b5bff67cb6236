/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include <math.h>
#include <string.h>

static double ps(uint64_t value)
{
	return (double)value;
}

static double elapsed(const struct dvm_stats *st)
{
	return ps(st->elapsed_ps);
}

static double latency_mean(const struct dvm_latency *l)
{
	return l->count ? ps(l->total_ps) / (double)l->count : NAN;
}

static double flush_mean(const struct dvm_stats *st)
{
	return latency_mean(&st->flush);
}

static double flush_p99(const struct dvm_stats *st)
{
	return st->flush.count ? ps(st->flush.p99_ps) : NAN;
}

static double dsb_mean(const struct dvm_stats *st)
{
	return latency_mean(&st->dsb);
}

static double dsb_p99(const struct dvm_stats *st)
{
	return st->dsb.count ? ps(st->dsb.p99_ps) : NAN;
}

static double bystander(const struct dvm_stats *st)
{
	return ps(st->bystander_ps);
}

static double bookkeeping(const struct dvm_stats *st)
{
	return ps(st->switch_ps);
}

static double refill(const struct dvm_stats *st)
{
	return ps(st->refill_ps);
}

/* All of them are times, and less is better. */
static const struct {
	const char *name;
	double (*value)(const struct dvm_stats *st);
} fixed[] = {
	{ "elapsed", elapsed },	    { "flush mean", flush_mean },   { "flush p99", flush_p99 },
	{ "dsb mean", dsb_mean },   { "dsb p99", dsb_p99 },	    { "bystander", bystander },
	{ "switch hooks", bookkeeping }, { "refill", refill },
};
#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

/* The run that names the site's work kinds. */
static const struct dvmi_run *naming_run(const struct dvm_study *s, size_t site)
{
	const struct dvmi_run *run = NULL;

	for (size_t i = 0; i < s->nstrategies; i++) {
		run = dvmi_cell_run(s, site * s->nstrategies + i, 0);
		if (run->done && run->status == DVM_RUN_OK)
			return run;
	}
	return NULL;
}

size_t dvmi_metric_count(const struct dvm_study *s, size_t site, size_t *primary)
{
	const struct dvmi_run *run = naming_run(s, site);

	*primary = run && run->nwork ? run->nwork : 1;
	return run ? run->nwork + FIXED : FIXED;
}

struct dvmi_metric_def dvmi_metric_def(const struct dvm_study *s, size_t site, size_t metric)
{
	const struct dvmi_run *run = naming_run(s, site);
	size_t nwork = run ? run->nwork : 0;

	if (metric < nwork)
		return (struct dvmi_metric_def){ run->work[metric].name, "/s", true };
	return (struct dvmi_metric_def){ fixed[metric - nwork].name, "ps", false };
}

double dvmi_metric_value(const struct dvm_study *s, size_t site, size_t metric,
			 const struct dvmi_run *run)
{
	const struct dvmi_run *names = naming_run(s, site);
	size_t nwork = names ? names->nwork : 0;

	if (!run->done || run->status != DVM_RUN_OK)
		return NAN;
	if (metric >= nwork)
		return fixed[metric - nwork].value(&run->stats);
	for (size_t i = 0; i < run->nwork; i++)
		if (!strcmp(run->work[i].name, names->work[metric].name))
			return run->work[i].per_second;
	return NAN;
}
