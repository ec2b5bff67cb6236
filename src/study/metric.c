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

/* What the CPUs were busy with that a strategy can change, and the work itself. */
static double cpu_time(const struct dvm_stats *st)
{
	return ps(st->run_ps + st->flush_ps + st->switch_ps + st->bystander_ps + st->refill_ps);
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
	{ "elapsed", elapsed },	    { "cpu time", cpu_time },	    { "flush mean", flush_mean },
	{ "flush p99", flush_p99 }, { "dsb mean", dsb_mean },	    { "dsb p99", dsb_p99 },
	{ "bystander", bystander }, { "switch hooks", bookkeeping }, { "refill", refill },
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

/*
 * Work that mostly waits (for a client, a timer) is done at the rate of the waits, whatever a flush
 * costs: then the CPU time it takes is judged too.
 */
static bool mostly_idle(const struct dvm_stats *st)
{
	return ps(st->idle_ps) > ps(st->elapsed_ps) * ps(st->cpus_used) / 2;
}

size_t dvmi_metric_count(const struct dvm_study *s, size_t site, size_t *primary)
{
	const struct dvmi_run *run = naming_run(s, site);

	*primary = run && run->nwork ? run->nwork : 1;
	if (run && mostly_idle(&run->stats))
		++*primary;
	return run ? run->nwork + FIXED : FIXED;
}

/* After work kinds the CPU time comes first, so that the primary metrics are the first ones. */
static size_t fixed_index(size_t metric, size_t nwork)
{
	size_t i = metric - nwork;

	return nwork && i < 2 ? 1 - i : i;
}

struct dvmi_metric_def dvmi_metric_def(const struct dvm_study *s, size_t site, size_t metric)
{
	const struct dvmi_run *run = naming_run(s, site);
	size_t nwork = run ? run->nwork : 0;

	if (metric < nwork)
		return (struct dvmi_metric_def){ run->work[metric].name, "/s", true };
	return (struct dvmi_metric_def){ fixed[fixed_index(metric, nwork)].name, "ps", false };
}

double dvmi_metric_value(const struct dvm_study *s, size_t site, size_t metric,
			 const struct dvmi_run *run)
{
	const struct dvmi_run *names = naming_run(s, site);
	size_t nwork = names ? names->nwork : 0;

	if (!run->done || run->status != DVM_RUN_OK)
		return NAN;
	if (metric >= nwork)
		return fixed[fixed_index(metric, nwork)].value(&run->stats);
	for (size_t i = 0; i < run->nwork; i++)
		if (!strcmp(run->work[i].name, names->work[metric].name))
			return run->work[i].per_second;
	return NAN;
}
