/* SPDX-License-Identifier: MIT */
#include <dvmsim/report.h>

#include "base/json.h"
#include "base/mem.h"
#include "report/text.h"
#include "study/study.h"

#include <stddef.h>

/* ---- Results ---- */

static void write_points(struct dvmi_jw *w, const struct dvm_study *s, size_t cell, size_t metric)
{
	struct dvm_point p;

	dvmi_jw_array(w, "points");
	for (size_t i = 0; !dvm_study_point(s, cell, metric, i, &p); i++) {
		dvmi_jw_object_line(w, NULL);
		dvmi_jw_string(w, "at", p.at);
		dvmi_jw_double(w, "change_pct", p.change_pct);
		dvmi_jw_bool(w, "turns", p.turns);
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
}

static void write_ranges(struct dvmi_jw *w, const struct dvm_study *s, size_t cell, size_t metric,
			 const struct dvm_ranges *r)
{
	if (!r->examined) {
		dvmi_jw_null(w, "sensitivity");
		return;
	}
	dvmi_jw_object(w, "sensitivity");
	dvmi_jw_bool(w, "sign_holds", r->holds);
	dvmi_jw_u64(w, "ranged_params", r->params);
	dvmi_jw_u64(w, "inert", r->inert);
	dvmi_jw_u64(w, "varied_alone", r->varied);
	dvmi_jw_double(w, "min_change_pct", r->lo_pct);
	dvmi_jw_string(w, "min_at", r->lo_at);
	dvmi_jw_double(w, "max_change_pct", r->hi_pct);
	dvmi_jw_string(w, "max_at", r->hi_at);
	if (r->stale_at)
		dvmi_jw_string(w, "stale_at", r->stale_at);
	else
		dvmi_jw_null(w, "stale_at");
	write_points(w, s, cell, metric);
	dvmi_jw_end_object(w);
}

static void write_names(struct dvmi_jw *w, const struct dvm_study *s, const struct dvm_cell *c)
{
	dvmi_jw_string(w, "workload", c->workload);
	dvmi_jw_string(w, "model", c->hw);
	dvmi_jw_string(w, "model_status",
		       dvm_model_status_name(s->hw[c->hw_index]));
	dvmi_jw_string(w, "kernel", c->kernel);
	dvmi_jw_string(w, "strategy", c->strategy);
}

static void write_metric(struct dvmi_jw *w, const struct dvm_study *s, size_t cell,
			 const struct dvm_cell *c, size_t metric)
{
	struct dvm_metric m;
	bool compared;

	dvm_study_metric(s, cell, metric, &m);
	compared = m.verdict != DVM_VERDICT_NONE && m.verdict != DVM_VERDICT_BASELINE;
	dvmi_jw_object(w, NULL);
	write_names(w, s, c);
	dvmi_jw_string(w, "metric", m.name);
	dvmi_jw_string(w, "unit", m.unit);
	dvmi_jw_string(w, "better", m.higher_is_better ? "higher" : "lower");
	dvmi_jw_bool(w, "primary", metric < c->primary);
	dvmi_jw_string(w, "status", dvm_run_status_name((unsigned)c->status));
	dvmi_jw_bool(w, "deterministic", !c->random);
	dvmi_jw_u64(w, "n", m.n);
	if (m.n) {
		dvmi_jw_double(w, "mean", m.mean);
		dvmi_jw_double(w, "ci95", m.ci95);
	} else {
		dvmi_jw_null(w, "mean");
		dvmi_jw_null(w, "ci95");
	}
	if (compared) {
		dvmi_jw_double(w, "change_pct", m.change_pct);
		dvmi_jw_double(w, "change_ci95", m.change_ci95);
	} else {
		dvmi_jw_null(w, "change_pct");
		dvmi_jw_null(w, "change_ci95");
	}
	dvmi_jw_string(w, "verdict", dvm_verdict_name((unsigned)m.verdict));
	dvmi_jw_bool(w, "unstable", m.unstable);
	write_ranges(w, s, cell, metric, &m.ranges);
	dvmi_jw_end_object(w);
}

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
#define C(field) { #field, offsetof(struct dvm_stats, field) }
	C(elapsed_ps), C(cpus), C(cpus_used), C(copies), C(run_ps), C(idle_ps), C(flush_ps),
	C(switch_ps), C(bystander_ps), C(refill_ps), C(flushes), C(flushes_local), C(flushes_one_cpu),
	C(flushes_broadcast), C(flushes_both), C(flushes_ipi), C(flushes_none), C(flushes_kernel),
	C(tlbi_local), C(tlbi_broadcast), C(dvm_nonsyncs), C(dvm_syncs), C(dvm_snoops), C(switches),
	C(mm_switches), C(migrations), C(tlb_refills), C(tlb_accesses), C(tlb_l1_misses),
	C(tlb_l2_misses), C(mms), C(mms_one_cpu), C(events), C(asid_slow_paths),
	C(asid_rollovers), C(asid_flushes), C(notifier_calls), C(notifier_ps), C(sme_interrupts),
	C(wakeups), C(reschedules), C(preemptions),
	C(preemptions_flush), C(migrations_flush), C(restarts), C(migrate_slow), C(lock_waits),
	C(ticks), C(interrupt_ps), C(quarantined), C(quarantine_pages),
	C(vms), C(vcpus), C(vm_exits), C(vm_switches), C(vm_moves),
	C(vm_load_flushes), C(vm_interrupts), C(vm_interrupts_waited), C(vcpu_run_ps), C(vcpu_host_ps),
	C(vcpu_steal_ps), C(vcpu_blocked_ps),
#undef C
};

static void write_latency(struct dvmi_jw *w, const char *key, const struct dvm_latency *l)
{
	dvmi_jw_object_line(w, key);
	dvmi_jw_u64(w, "count", l->count);
	dvmi_jw_u64(w, "total_ps", l->total_ps);
	dvmi_jw_u64(w, "p50_ps", l->p50_ps);
	dvmi_jw_u64(w, "p99_ps", l->p99_ps);
	dvmi_jw_u64(w, "max_ps", l->max_ps);
	dvmi_jw_end_object(w);
}

static void write_section(struct dvmi_jw *w, const char *key, const struct dvm_section *of)
{
	dvmi_jw_object(w, key);
	write_latency(w, "length", &of->length);
	if (of->length.count) {
		dvmi_jw_object_line(w, "longest");
		dvmi_jw_string(w, "cause", dvm_section_cause_name(of->cause));
		dvmi_jw_string(w, "hook", of->hook);
		dvmi_jw_u64(w, "line", of->line);
		dvmi_jw_u64(w, "tlbis", of->tlbis);
		dvmi_jw_u64(w, "end_ps", of->end_ps);
		dvmi_jw_u64(w, "cpu", of->cpu);
		dvmi_jw_u64(w, "mm", of->mm);
		dvmi_jw_u64(w, "op", of->op);
		if (of->record == UINT64_MAX)
			dvmi_jw_null(w, "record");
		else
			dvmi_jw_u64(w, "record", of->record);
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_object(w);
}

/* By enum dvm_sim_reason, those that occurred. */
static void write_reasons(struct dvmi_jw *w, const char *key, const uint64_t *counts)
{
	dvmi_jw_object_line(w, key);
	for (unsigned i = 0; i < DVM_SIM_REASONS; i++)
		if (counts[i])
			dvmi_jw_u64(w, dvm_sim_reason_name(i), counts[i]);
	dvmi_jw_end_object(w);
}

static void write_stats(struct dvmi_jw *w, const struct dvm_stats *stats)
{
	dvmi_jw_object(w, "stats");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		dvmi_jw_u64(w, counters[i].name,
			    *(const uint64_t *)((const char *)stats + counters[i].offset));
	write_latency(w, "flush", &stats->flush);
	write_latency(w, "dsb", &stats->dsb);
	write_latency(w, "wake_latency", &stats->wake_latency);
	write_section(w, "no_preemption", &stats->no_preemption);
	write_section(w, "no_interrupts", &stats->no_interrupts);
	write_reasons(w, "moves", stats->moves);
	write_reasons(w, "lost", stats->lost);
	dvmi_jw_end_object(w);
}

static void write_steps(struct dvmi_jw *w, const struct dvm_cell *c)
{
	dvmi_jw_array(w, "steps");
	for (size_t i = 0; i < c->nsteps; i++) {
		dvmi_jw_object_line(w, NULL);
		dvmi_jw_string(w, "hook", c->steps[i].hook);
		dvmi_jw_u64(w, "line", c->steps[i].line);
		dvmi_jw_string(w, "text", c->steps[i].text);
		dvmi_jw_u64(w, "count", c->steps[i].count);
		dvmi_jw_u64(w, "total_ps", c->steps[i].total_ps);
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
}

/* Latencies of work units; none where they would mean nothing. */
static void write_units(struct dvmi_jw *w, const struct dvm_cell *c)
{
	dvmi_jw_array(w, "units");
	for (size_t i = 0; i < c->nwork; i++) {
		const struct dvm_unit_latency *l = &c->work[i].latency;

		if (!l->units)
			continue;
		dvmi_jw_object(w, NULL);
		dvmi_jw_string(w, "name", c->work[i].name);
		dvmi_jw_u64(w, "units", l->units);
		dvmi_jw_u64(w, "count", l->count);
		dvmi_jw_u64(w, "window_ps", l->window_ps);
		dvmi_jw_u64(w, "backlog", l->backlog);
		dvmi_jw_bool(w, "unstable", l->unstable);
		if (!l->unstable) {
			dvmi_jw_u64(w, "total_ps", l->total_ps);
			dvmi_jw_u64(w, "p50_ps", l->p50_ps);
			dvmi_jw_u64(w, "p99_ps", l->p99_ps);
			dvmi_jw_u64(w, "p999_ps", l->p999_ps);
			dvmi_jw_u64(w, "max_ps", l->max_ps);
		}
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
}

static void write_run(struct dvmi_jw *w, const struct dvm_study *s, const struct dvm_cell *c)
{
	dvmi_jw_object(w, NULL);
	write_names(w, s, c);
	dvmi_jw_string(w, "status", dvm_run_status_name((unsigned)c->status));
	if (c->message)
		dvmi_jw_string(w, "message", c->message);
	else
		dvmi_jw_null(w, "message");
	dvmi_jw_u64(w, "seed", s->options.first_seed);
	if (c->stats)
		write_stats(w, c->stats);
	else
		dvmi_jw_null(w, "stats");
	write_units(w, c);
	write_steps(w, c);
	dvmi_jw_end_object(w);
}

static void write_results(struct dvmi_jw *w, const struct dvm_study *s)
{
	struct dvm_cell c;

	dvmi_jw_array(w, "cells");
	for (size_t cell = 0; !dvm_study_cell(s, cell, &c); cell++)
		for (size_t m = 0; m < c.metrics; m++)
			write_metric(w, s, cell, &c, m);
	dvmi_jw_end_array(w);
	dvmi_jw_array(w, "runs");
	for (size_t cell = 0; !dvm_study_cell(s, cell, &c); cell++)
		write_run(w, s, &c);
	dvmi_jw_end_array(w);
}

/* ---- Manifest: what dvm_study_from_json() reads ---- */

static void write_options(struct dvmi_jw *w, const struct dvm_study *s)
{
	static const char *const words[] = { "signs", "off", "all" };
	static const char *const schedules[] = { "recorded", "simulated" };

	dvmi_jw_object(w, "options");
	dvmi_jw_u64(w, "seeds", s->options.seeds);
	dvmi_jw_u64(w, "first_seed", s->options.first_seed);
	dvmi_jw_u64(w, "copies", s->options.copies);
	dvmi_jw_string(w, "schedule", schedules[s->options.schedule]);
	dvmi_jw_u64(w, "forced_migrations_hz", s->options.forced_migrations_hz);
	dvmi_jw_u64(w, "offline_cpu", s->options.offline_cpu);
	dvmi_jw_u64(w, "offline_ps", s->options.offline_ps);
	dvmi_jw_u64(w, "max_events", s->options.max_events);
	dvmi_jw_string(w, "sensitivity", words[s->options.sensitivity]);
	dvmi_jw_u64(w, "sensitivity_budget", s->options.budget);
	dvmi_jw_end_object(w);
}

static int write_model(struct dvmi_jw *w, const struct dvm_model *model)
{
	uint64_t hash;
	char *text;
	int ret = dvm_model_hash(model, &hash);

	if (!ret)
		ret = dvm_model_to_json(model, &text);
	if (ret)
		return ret;
	dvmi_jw_object(w, NULL);
	dvmi_jw_hex(w, "hash", hash);
	dvmi_jw_raw(w, "model", text);
	dvmi_jw_end_object(w);
	dvm_free(text);
	return 0;
}

static int write_models(struct dvmi_jw *w, const char *key, struct dvm_model *const *models,
			size_t count)
{
	int ret = 0;

	dvmi_jw_array(w, key);
	for (size_t i = 0; i < count && !ret; i++)
		ret = write_model(w, models[i]);
	dvmi_jw_end_array(w);
	return ret;
}

static void write_strategies(struct dvmi_jw *w, const struct dvm_study *s)
{
	dvmi_jw_array(w, "strategies");
	for (size_t i = 0; i < s->nstrategies; i++) {
		dvmi_jw_object(w, NULL);
		dvmi_jw_string(w, "name", dvm_strategy_name(s->strategies[i]));
		dvmi_jw_hex(w, "hash", dvm_strategy_hash(s->strategies[i]));
		dvmi_jw_string(w, "text", dvm_strategy_text(s->strategies[i]));
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
}

static void write_workloads(struct dvmi_jw *w, const struct dvm_study *s)
{
	dvmi_jw_array(w, "workloads");
	for (size_t i = 0; i < s->nworkloads; i++) {
		const struct dvmi_workload *wl = &s->workloads[i];

		dvmi_jw_object(w, NULL);
		dvmi_jw_string(w, wl->generated ? "generator" : "trace", wl->source);
		dvmi_jw_hex(w, "hash", dvm_trace_hash(wl->traces[0]));
		dvmi_jw_raw(w, "header", dvm_trace_header(wl->traces[0]));
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
}

static int write_manifest(struct dvmi_jw *w, const struct dvm_study *s)
{
	int ret;

	dvmi_jw_object(w, "manifest");
	dvmi_jw_string(w, "version", dvm_version());
	dvmi_jw_string(w, "baseline", dvm_strategy_name(s->strategies[s->baseline]));
	write_options(w, s);
	write_workloads(w, s);
	write_strategies(w, s);
	ret = write_models(w, "kernels", s->kernels, s->nkernels);
	if (!ret)
		ret = write_models(w, "hardware", s->hw, s->nhw);
	dvmi_jw_end_object(w);
	return ret;
}

int dvm_report_json(const struct dvm_study *s, char **text, struct dvm_error *err)
{
	struct dvmi_jw w = { .first = true };
	int ret;

	if (!dvm_study_cell_count(s))
		return dvmi_error(err, DVM_EINVAL, "report", "the study has not run");
	dvmi_jw_object(&w, NULL);
	dvmi_jw_string(&w, "schema", "dvmsim.compare/1");
	write_results(&w, s);
	ret = dvmi_report_safety_json(&w, s);
	if (!ret)
		ret = write_manifest(&w, s);
	dvmi_jw_end_object(&w);
	if (!ret)
		ret = dvmi_jw_take(&w, text);
	else
		dvmi_jw_fini(&w);
	return ret ? dvmi_error_nomem(err) : 0;
}
