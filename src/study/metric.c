/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <stddef.h>
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

static double worst(const struct dvm_section *of)
{
	return of->length.count ? ps(of->length.max_ps) : NAN;
}

static double no_preemption_max(const struct dvm_stats *st)
{
	return worst(&st->no_preemption);
}

static double no_preemption_p99(const struct dvm_stats *st)
{
	return st->no_preemption.length.count ? ps(st->no_preemption.length.p99_ps) : NAN;
}

static double no_interrupts_max(const struct dvm_stats *st)
{
	return worst(&st->no_interrupts);
}

/* All of them are times, and less is better. */
static const struct {
	const char *name;
	double (*value)(const struct dvm_stats *st);
} fixed[] = {
	{ "elapsed", elapsed },	    { "cpu time", cpu_time },	    { "flush mean", flush_mean },
	{ "flush p99", flush_p99 }, { "dsb mean", dsb_mean },	    { "dsb p99", dsb_p99 },
	{ "bystander", bystander }, { "switch hooks", bookkeeping }, { "refill", refill },
	{ "unpreemptible max", no_preemption_max },
	{ "unpreemptible p99", no_preemption_p99 },
	{ "interrupts off max", no_interrupts_max },
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

/* ---- which metric has which number ---- */

/* Of a kind of work units, in this order; the first one is primary. */
static const struct {
	const char *suffix;
	size_t offset;
} quantiles[] = {
	{ "p99", offsetof(struct dvm_unit_latency, p99_ps) },
	{ "p50", offsetof(struct dvm_unit_latency, p50_ps) },
	{ "p99.9", offsetof(struct dvm_unit_latency, p999_ps) },
	{ "max", offsetof(struct dvm_unit_latency, max_ps) },
};
_Static_assert(sizeof(quantiles) / sizeof(quantiles[0]) == DVMI_UNIT_METRICS, "their names fit");

/*
 * In this order: throughputs of all work; the p99 of kinds that are work units; the fixed ones, the CPU
 * time first, if there is work; the other quantiles. So that the primary metrics are the first ones.
 */
struct place {
	enum { WORK, UNITS, FIXED_TIME } group;
	size_t work, index; /* which work; which quantile or fixed metric */
};

static size_t count_units(const struct dvmi_run *run)
{
	size_t n = 0;

	for (size_t i = 0; run && i < run->nwork; i++)
		n += run->work[i].latency.units != 0;
	return n;
}

/* Number @n of those that are work units. */
static size_t nth_units(const struct dvmi_run *run, size_t n)
{
	size_t i = 0;

	while (!run->work[i].latency.units || n--)
		i++;
	return i;
}

static struct place place_of(const struct dvmi_run *names, size_t metric)
{
	size_t nwork = names ? names->nwork : 0, nunits = count_units(names);

	if (metric < nwork)
		return (struct place){ WORK, metric, 0 };
	metric -= nwork;
	if (metric < nunits)
		return (struct place){ UNITS, nth_units(names, metric), 0 };
	metric -= nunits;
	if (metric < FIXED)
		return (struct place){ FIXED_TIME, 0, nwork && metric < 2 ? 1 - metric : metric };
	metric -= FIXED;
	return (struct place){ UNITS, nth_units(names, metric / (DVMI_UNIT_METRICS - 1)),
			       1 + metric % (DVMI_UNIT_METRICS - 1) };
}

size_t dvmi_metric_count(const struct dvm_study *s, size_t site, size_t *primary)
{
	const struct dvmi_run *run = naming_run(s, site);
	size_t nunits = count_units(run);

	*primary = run && run->nwork ? run->nwork + nunits : 1;
	if (run && mostly_idle(&run->stats))
		++*primary;
	return (run ? run->nwork : 0) + FIXED + DVMI_UNIT_METRICS * nunits;
}

int dvmi_metric_names(struct dvmi_run *run)
{
	run->unit_names = dvmi_calloc(run->nwork + 1, sizeof(*run->unit_names));
	if (!run->unit_names)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < run->nwork; i++) {
		for (size_t q = 0; q < DVMI_UNIT_METRICS && run->work[i].latency.units; q++) {
			struct dvmi_buf b = { 0 };

			dvmi_buf_printf(&b, "%s %s", run->work[i].name, quantiles[q].suffix);
			if (dvmi_buf_take(&b, &run->unit_names[i][q]))
				return -DVM_ENOMEM;
		}
	}
	return 0;
}

struct dvmi_metric_def dvmi_metric_def(const struct dvm_study *s, size_t site, size_t metric)
{
	const struct dvmi_run *run = naming_run(s, site);
	struct place p = place_of(run, metric);

	if (p.group == WORK)
		return (struct dvmi_metric_def){ run->work[p.work].name, "/s", true };
	if (p.group == UNITS)
		return (struct dvmi_metric_def){ run->unit_names[p.work][p.index], "ps", false };
	return (struct dvmi_metric_def){ fixed[p.index].name, "ps", false };
}

/* The work of @run that is called as the naming run's. */
static const struct dvm_work *same_work(const struct dvmi_run *names, size_t work,
					const struct dvmi_run *run)
{
	for (size_t i = 0; i < run->nwork; i++)
		if (!strcmp(run->work[i].name, names->work[work].name))
			return &run->work[i];
	return NULL;
}

double dvmi_metric_value(const struct dvm_study *s, size_t site, size_t metric,
			 const struct dvmi_run *run)
{
	const struct dvmi_run *names = naming_run(s, site);
	struct place p = place_of(names, metric);
	const struct dvm_work *w;

	if (!run->done || run->status != DVM_RUN_OK)
		return NAN;
	if (p.group == FIXED_TIME)
		return fixed[p.index].value(&run->stats);
	w = same_work(names, p.work, run);
	if (!w)
		return NAN;
	if (p.group == WORK)
		return w->per_second;
	if (!w->latency.units || w->latency.unstable)
		return NAN;
	return ps(*(const uint64_t *)((const char *)&w->latency + quantiles[p.index].offset));
}

bool dvmi_metric_unstable(const struct dvm_study *s, size_t site, size_t metric,
			  const struct dvmi_run *run)
{
	const struct dvmi_run *names = naming_run(s, site);
	struct place p = place_of(names, metric);
	const struct dvm_work *w;

	if (p.group != UNITS || !run->done || run->status != DVM_RUN_OK)
		return false;
	w = same_work(names, p.work, run);
	return w && w->latency.unstable;
}
