/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include "base/bitmap.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "program/parse.h"
#include "program/strategy.h"

#include <dvmsim/model.h>
#include <dvmsim/strategy.h>

#include <inttypes.h>

#include <stdio.h>

/* A run from its options to its statistics. */

#define MAX_EVENTS (UINT64_C(1) << 40)

/* docs/model.md#working-sets: estimates, for workloads that carry no accesses. */
#define WORKING_SET_PAGES 64
#define WORKING_SET_PERIOD_PS UINT64_C(10000000)

/* Flushes of kernel ranges, and batches that the strategy leaves to the kernel. */
static const char kernel_flush_text[] =
	"strategy kernel-range\n"
	"on flush:\n"
	"	dsb ishst\n"
	"	asid\n"
	"	tlbi is\n"
	"	sync ish\n"
	"	isb\n"
	"	ret\n";
static const char kernel_batch_text[] =
	"strategy kernel-batch\n"
	"on flush:\n"
	"	ret\n"
	"on batch-flush:\n"
	"	sync ish\n"
	"	ret\n";

/* local_flush_tlb_all(), after a rollover. */
static const char kernel_flush_all_text[] =
	"strategy kernel-flush-all\n"
	"on flush:\n"
	"	ret\n"
	"on switch-in:\n"
	"	dsb nshst\n"
	"	tlbi local all\n"
	"	dsb nsh\n"
	"	isb\n"
	"	ret\n";

unsigned dvm_sim_cpus_needed(const struct dvm_trace *trace)
{
	return dvm_trace_get_env(trace)->ncpus;
}

/* ---- setting up ---- */

static int check_options(const struct dvm_sim_options *o, struct dvm_error *err)
{
	if (o->size < sizeof(*o) || !o->hw || !o->kernel || !o->strategy || !o->trace)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "size, hw, kernel, strategy and trace must be given");
	if (!dvmi_model_hw(o->hw))
		return dvmi_error(err, DVM_EINVAL, "simulation", "hw is no hardware model");
	if (!dvmi_model_kernel(o->kernel))
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "kernel is no kernel configuration");
	if (o->schedule > DVM_SIM_SIMULATED)
		return dvmi_error(err, DVM_EINVAL, "simulation", "there is no schedule %u",
				  o->schedule);
	if (o->schedule == DVM_SIM_RECORDED && (o->forced_migrations_hz || o->offline_ps))
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "forced migrations and a CPU that goes offline need the simulated"
				  " schedule");
	if (o->forced_migrations_hz > 1000000)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "at most 1000000 forced migrations a second");
	return 0;
}

static void set_rules(struct dvm_sim *s)
{
	const struct dvmi_hw *hw = s->hw;
	const struct dvmi_kernel_cfg *k = s->cfg;

	s->rules = (struct dvmi_flush_rules){
		.page_shift = (unsigned)__builtin_ctzll(k->page_bytes),
		.range = hw->feature_range_tlbi && k->range_tlbi,
		.ascending = k->range_ascending,
		.ttl = hw->feature_ttl,
		.kpti = k->kpti,
		.lpa2 = k->lpa2,
		.max_dvm_ops = k->max_dvm_ops,
		.range_limit_pages = k->range_limit_pages,
	};
	s->repeat_new = hw->erratum_repeat_tlbi && k->repeat_tlbi == DVMI_REPEAT_NEW;
	s->repeat_old = hw->erratum_repeat_tlbi && k->repeat_tlbi == DVMI_REPEAT_OLD;
	s->kinsn_ps = hw->clock_cpi_milli * UINT64_C(1000000000) / hw->clock_core_khz;
}

/* Every CPU's own records, in order: their numbers, CPU after CPU. */
static int set_streams(struct dvm_sim *s, size_t count, struct dvm_error *err)
{
	uint32_t n = s->env->ncpus;
	size_t *at = dvmi_calloc((size_t)n + 1, sizeof(*at));

	if (!at || count > UINT32_MAX) {
		dvmi_free(at);
		return at ? dvmi_error(err, DVM_ELIMIT, "simulation", "too many records") :
			    dvmi_error_nomem(err);
	}
	s->streams = dvmi_calloc(count, sizeof(*s->streams));
	if (!s->streams) {
		dvmi_free(at);
		return dvmi_error_nomem(err);
	}
	for (size_t i = 0; i < count; i++)
		at[s->records[i].cpu + 1]++;
	for (uint32_t c = 0; c < n; c++)
		at[c + 1] += at[c];
	for (unsigned k = 0; k < s->copies; k++) {
		for (uint32_t c = 0; c < n; c++) {
			struct dvmi_cpu *cpu = &s->cpus[k * n + c];

			cpu->stream = s->streams + at[c];
			cpu->count = (uint32_t)(at[c + 1] - at[c]);
		}
	}
	for (size_t i = 0; i < count; i++)
		s->streams[at[s->records[i].cpu]++] = (uint32_t)i;
	dvmi_free(at);
	return 0;
}

/* The order of each task's stints on CPUs is the trace's, whoever could run it sooner. */
static int set_stints(struct dvm_sim *s, size_t count, struct dvm_error *err)
{
	uint32_t *so_far = dvmi_calloc((size_t)s->ids.tasks + 1, sizeof(*so_far));

	s->stints = dvmi_calloc(count, sizeof(*s->stints));
	if (!so_far || !s->stints) {
		dvmi_free(so_far);
		return dvmi_error_nomem(err);
	}
	for (size_t i = 0; i < count; i++)
		if (s->records[i].kind == DVM_TRACE_SWITCH)
			s->stints[i] = so_far[s->records[i].task]++;
	dvmi_free(so_far);
	return 0;
}

static int set_tables(struct dvm_sim *s)
{
	s->tasks = dvmi_calloc(s->tasks_count, sizeof(*s->tasks));
	s->wakes = dvmi_calloc((size_t)s->copies * s->ids.wakes + 1, sizeof(*s->wakes));
	s->work = dvmi_calloc((size_t)s->copies * s->env->nmarks, sizeof(*s->work));
	s->mm_ran = dvmi_calloc(s->mms_count, sizeof(*s->mm_ran));
	s->steps = dvmi_calloc(s->program->insns_count, sizeof(*s->steps));
	s->step_text = dvmi_calloc(s->program->insns_count, sizeof(*s->step_text));
	if (!s->tasks || !s->wakes || !s->work || !s->mm_ran || !s->steps || !s->step_text)
		return -DVM_ENOMEM;
	for (uint32_t t = 0; t < s->tasks_count; t++)
		s->tasks[t].on_cpu = s->tasks[t].last_cpu = s->tasks[t].waiters = DVMI_NONE32;
	for (size_t w = 0; w <= (size_t)s->copies * s->ids.wakes; w++)
		s->wakes[w].waiters = DVMI_NONE32;
	return 0;
}

/* SMMUs that take part in broadcasts, when the kernel lets them. */
static uint32_t smmus(const struct dvm_sim *s)
{
	return s->cfg->smmu == DVMI_SMMU_BTM ? (uint32_t)s->hw->smmu_units : 0;
}

static int set_machine(struct dvm_sim *s)
{
	struct dvmi_workset_rules rules = { .pages = WORKING_SET_PAGES,
					    .period_ps = WORKING_SET_PERIOD_PS,
					    .sharers = dvmi_tlb_sharers(s->hw, s->cfg) };
	struct dvmi_words_size words = { .kernels = s->guests_count,
					 .cpus = s->guests->cpus_count, .mms = s->mms_count,
					 .tasks = s->tasks_count };
	int ret;

	rules.capacity = dvmi_tlb_share_of(s->hw, s->cfg, s->hw->tlb_l2_entries, s->hw->tlb_l2_ways);
	if (s->options.working_set_pages)
		rules.pages = s->options.working_set_pages;
	s->refill_ps = dvmi_sim_refill_ps(s->hw, s->cfg, s->cfg->vm_stage2 ? &s->stage2 : NULL,
					  rules.pages);
	s->slot_base = s->cfg->vm_count ? s->cpus_count : 0;
	ret = dvmi_evq_init(&s->evq, s->cfg->vm_count ? s->cpus_count + s->cpus_used :
							s->cpus_count);
	if (!ret)
		ret = dvmi_fabric_new_with(s->hw, smmus(s), &s->evq, &s->fabric);
	if (!ret)
		ret = dvmi_core_init(&s->core, s->hw, s->fabric);
	if (!ret)
		ret = dvmi_ipi_init(&s->ipi, s->hw, s->cpus_count);
	if (!ret)
		ret = dvmi_sim_domains_init(s);
	words.domains = s->domains_count;
	if (!ret)
		ret = dvmi_words_init(&s->words, s->program, dvmi_fabric_topology(s->fabric),
				      &words);
	if (!ret)
		ret = dvmi_oracle_new(s->cpus_used > s->cpus_count ? s->cpus_used :
									s->cpus_count, s->mms_count, &s->oracle);
	if (!ret)
		dvmi_oracle_share(s->oracle, dvmi_tlb_sharers(s->hw, s->cfg));
	if (!ret)
		ret = dvmi_workset_new(s->cpus_count, s->mms_count, &rules, &s->workset);
	return ret;
}

static int set_access(struct dvm_sim *s, struct dvm_error *err)
{
	size_t accesses;
	int ret;

	s->accesses = dvm_trace_accesses(s->options.trace, &accesses);
	if (!accesses)
		return 0;
	s->access_ps = UINT64_C(1000000000) / s->hw->clock_core_khz;
	s->reach_ps = dvmi_reach_ps(s->hw);
	ret = dvmi_tlbs_new(s->hw, s->cfg, s->fabric, s->cfg->vm_count ? s->cpus_count : s->cpus_used,
			    &s->guests->asids, &s->tlbs, err);
	for (unsigned n = 0; n < s->guests_count && s->cfg->vm_count && !ret; n++)
		if (dvmi_tlbs_vm(s->tlbs, s->guests[n].vmid, &s->guests[n].asids))
			ret = dvmi_error_nomem(err);
	return ret;
}

/* A hook that would never run must not pass in silence. */
static int check_hooks(const struct dvm_sim *s, struct dvm_error *err)
{
	if (s->program->hooks[DVMI_HOOK_TICK] >= 0 && !s->simulated &&
	    !s->options.without_ticks)
		return dvmi_error_at(err, DVM_EINVAL, s->program->name,
				     s->program->hook_lines[DVMI_HOOK_TICK], 0,
				     "a recorded schedule has no ticks; run a strategy with 'on tick'"
				     " with '--schedule simulated'");
	return 0;
}

static int set_programs(struct dvm_sim *s, struct dvm_error *err)
{
	struct dvm_strategy_line line;
	int ret = dvmi_program_parse(kernel_flush_text, sizeof(kernel_flush_text) - 1, "kernel",
				     &s->kernel_flush, err);

	if (!ret)
		ret = dvmi_program_parse(kernel_batch_text, sizeof(kernel_batch_text) - 1,
					 "kernel", &s->kernel_batch, err);
	if (!ret)
		ret = dvmi_program_parse(kernel_flush_all_text, sizeof(kernel_flush_all_text) - 1,
					 "kernel", &s->kernel_flush_all, err);
	for (unsigned i = 0; i < s->program->insns_count && !ret; i++) {
		ret = dvm_strategy_get_line(s->options.strategy, i, &line);
		if (!ret)
			snprintf(s->step_text[i], sizeof(s->step_text[i]), "%.*s",
				 (int)sizeof(s->step_text[i]) - 1, line.text);
	}
	return ret;
}

static int set_up(struct dvm_sim *s, struct dvm_error *err)
{
	size_t count;
	int ret;

	s->hw = dvmi_model_hw(s->options.hw);
	s->cfg = dvmi_model_kernel(s->options.kernel);
	s->program = dvmi_strategy_program(s->options.strategy);
	s->records = dvm_trace_records(s->options.trace, &count);
	s->env = dvm_trace_get_env(s->options.trace);
	s->ids = dvm_trace_get_ids(s->options.trace);
	s->simulated = s->options.schedule == DVM_SIM_SIMULATED;
	set_rules(s);
	ret = s->cfg->vm_stage2 ? dvmi_sim_stage2(s->cfg, &s->stage2, err) : 0;
	if (!ret)
		ret = dvmi_guests_init(s, err);
	if (ret)
		return ret;
	ret = set_tables(s);
	if (!ret)
		ret = set_machine(s);
	if (!ret)
		ret = dvmi_cpus_init(s);
	if (ret)
		return ret == -DVM_ENOMEM ? dvmi_error_nomem(err) :
		       dvmi_error(err, -ret, dvm_model_name(s->options.hw),
				  "the part can not be simulated: %s", dvm_strerror(ret));
	ret = dvmi_sim_asids_init(s, err);
	if (!ret)
		ret = s->simulated ? dvmi_sim_schedule_init(s, err) : set_streams(s, count, err);
	if (!ret && !s->simulated)
		ret = set_stints(s, count, err);
	if (!ret)
		ret = dvmi_queues_init(s, err);
	if (!ret && dvmi_queues_start(s))
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = dvmi_devices_init(s) ? dvmi_error_nomem(err) : 0;
	if (!ret)
		ret = dvmi_operations_init(s, count, err);
	if (!ret)
		ret = dvmi_host_init(s, err);
	if (!ret)
		ret = set_access(s, err);
	if (!ret)
		ret = check_hooks(s, err);
	if (!ret)
		ret = set_programs(s, err);
	return ret;
}

int dvm_sim_new(const struct dvm_sim_options *options, struct dvm_sim **sim, struct dvm_error *err)
{
	struct dvm_sim *s;
	int ret = check_options(options, err);

	if (ret)
		return ret;
	s = dvmi_zalloc(sizeof(*s));
	if (!s)
		return dvmi_error_nomem(err);
	s->options = *options;
	ret = set_up(s, err);
	if (ret) {
		dvm_sim_free(s);
		return ret;
	}
	*sim = s;
	return 0;
}

void dvm_sim_free(struct dvm_sim *s)
{
	if (!s)
		return;
	dvmi_tlbs_free(s->tlbs);
	dvmi_workset_free(s->workset);
	dvmi_oracle_free(s->oracle);
	if (s->words.program)
		dvmi_words_fini(&s->words);
	dvmi_ipi_fini(&s->ipi);
	dvmi_sim_asids_fini(s);
	dvmi_operations_fini(s);
	dvmi_devices_fini(s);
	dvmi_sim_schedule_fini(s);
	dvmi_host_fini(s);
	dvmi_free(s->guests);
	dvmi_free(s->domain_of);
	dvmi_queues_fini(s);
	dvmi_quarantine_fini(s);
	dvmi_free(s->tick_masks);
	dvmi_core_fini(&s->core);
	dvmi_fabric_free(s->fabric);
	dvmi_evq_fini(&s->evq);
	dvmi_program_free(s->kernel_flush);
	dvmi_program_free(s->kernel_batch);
	dvmi_program_free(s->kernel_flush_all);
	for (unsigned n = 0; s->cpus && n < s->cpus_used; n++)
		dvmi_free(s->cpus[n].interrupts);
	dvmi_free(s->cpus);
	dvmi_free(s->tasks);
	dvmi_free(s->wakes);
	dvmi_free(s->streams);
	dvmi_free(s->stints);
	dvmi_free(s->mask_storage);
	dvmi_free(s->work);
	dvmi_free(s->mm_ran);
	dvmi_free(s->steps);
	dvmi_free(s->step_text);
	dvmi_free(s);
}

/* ---- running ---- */

void dvmi_observe(const struct dvm_sim *s, struct dvm_sim_event event)
{
	if (!s->options.observer)
		return;
	event.cpus = dvmi_oracle_cpus_of(s->oracle, event.mm);
	s->options.observer(s->options.observer_arg, &event);
}

static void collect(struct dvm_sim *s)
{
	struct dvm_stats *st = &s->stats;
	struct dvmi_fabric_stats f;

	dvmi_fabric_get_stats(s->fabric, &f);
	st->cpus = s->cpus_count;
	st->copies = s->copies;
	st->cpus_used = 0;
	for (unsigned n = 0; n < s->cpus_used; n++)
		st->cpus_used += s->simulated ? s->cpus[n].used : s->cpus[n].count != 0;
	st->dvm_nonsyncs = f.ops;
	st->dvm_syncs = f.syncs;
	st->dvm_snoops = f.snoops;
	st->mms_one_cpu = 0;
	for (uint32_t mm = 1; mm < s->mms_count; mm++)
		st->mms_one_cpu += dvmi_oracle_cpus_of(s->oracle, mm) == 1;
	if (s->tlbs) {
		struct dvmi_tlbs_totals t;

		dvmi_tlbs_totals(s->tlbs, &t);
		st->tlb_accesses = t.accesses;
		st->tlb_l1_misses = t.l1_misses;
		st->tlb_l2_misses = st->tlb_refills = t.l2_misses;
	}
	dvmi_latency_summary(&s->flush_latency, &st->flush);
	dvmi_latency_summary(&s->dsb_latency, &st->dsb);
	dvmi_latency_summary(&s->wake_latency, &st->wake_latency);
	dvmi_sections_summary(s, st);
	dvmi_units_summary(s);
	if (s->host)
		dvmi_host_collect(s);
}

static int run_events(struct dvm_sim *s, struct dvm_error *err)
{
	uint64_t budget = s->options.max_events ? s->options.max_events : MAX_EVENTS;
	struct dvmi_event ev;
	int ret = 0;

	while (!ret && dvmi_evq_pop(&s->evq, &ev)) {
		bool goes_on = ev.kind == DVMI_EV_CPU && ev.who >= s->slot_base &&
			       s->cpus[ev.who - s->slot_base].accesses_left;

		/* How often a run of accesses is interrupted must not show. */
		if (!goes_on && s->stats.events++ == budget) {
			s->stats.elapsed_ps = ev.time_ps;
			return dvmi_error(err, DVM_EBUDGET, "simulation",
					  "the budget of %" PRIu64 " events is spent", budget);
		}
		/* A tick that finds nothing to do is no part of the workload; nor is the host. */
		if (ev.kind < DVMI_EV_TICK && !(ev.kind == DVMI_EV_CPU && ev.who < s->slot_base))
			s->stats.elapsed_ps = ev.time_ps;
		if (dvmi_fabric_owns(ev.kind))
			ret = dvmi_fabric_message(s->fabric, &ev);
		else if (ev.kind >= DVMI_EV_USER)
			ret = s->host ? dvmi_host_message(s, &ev) : dvmi_dispatch_message(s, &ev);
		else if (ev.who < s->slot_base)
			ret = dvmi_host_act(s, ev.who, ev.time_ps);
		else if (s->host)
			ret = dvmi_host_vcpu_act(s, &s->cpus[ev.who - s->slot_base], ev.time_ps);
		else
			ret = dvmi_cpu_act(s, &s->cpus[ev.who], ev.time_ps);
	}
	if (!ret)
		ret = s->simulated ? dvmi_dispatch_stuck(s, err) : dvmi_cpu_stuck(s, err);
	return ret;
}

int dvm_sim_run(struct dvm_sim *s, struct dvm_error *err)
{
	struct dvm_error local = { 0 };
	int ret;

	s->err = &local;
	ret = run_events(s, &local);
	s->err = NULL;
	if (!ret && (dvmi_oracle_failed(s->oracle) ||
		     (s->tlbs && dvmi_tlbs_failed(s->tlbs))))
		ret = -DVM_ENOMEM;
	if (ret == -DVM_ENOMEM)
		dvmi_error_nomem(&local);
	if (ret && err)
		*err = local;
	collect(s);
	return ret;
}

/* ---- results ---- */

bool dvm_sim_is_random(const struct dvm_sim *s)
{
	/* Copies begin at random times; moves of vCPUs are drawn. */
	return s->copies > 1 || s->cfg->vm_move_hz;
}

const struct dvm_stats *dvm_sim_stats(const struct dvm_sim *s)
{
	return &s->stats;
}

const char *dvm_sim_reason_name(unsigned reason)
{
	if (reason >= DVM_SIM_REASONS)
		return NULL;
	return reason == DVM_SIM_RECORDED_PLACE ? "recorded" : dvmi_sched_reason_names[reason - 1];
}

int dvm_sim_work(const struct dvm_sim *s, size_t index, struct dvm_work *work)
{
	struct dvm_work w = { 0 };

	if (index >= s->env->nmarks)
		return -DVM_ENOENT;
	w.name = dvm_trace_mark_name(s->options.trace, (uint32_t)index);
	for (unsigned k = 0; k < s->copies; k++) {
		const struct dvmi_work *done = &s->work[(size_t)k * s->env->nmarks + index];
		uint64_t start = s->cpus[dvmi_copy_cpu(s, k, 0)].start_ps;

		w.count += done->count;
		if (done->last_ps > start)
			w.per_second += (double)done->count * 1e12 / (double)(done->last_ps - start);
	}
	w.latency = s->queues.marks[index].latency;
	if (w.latency.units && w.latency.window_ps) {
		w.count = w.latency.units;
		w.per_second = (double)w.latency.count * 1e12 / (double)w.latency.window_ps;
	}
	*work = w;
	return 0;
}

int dvm_sim_step(const struct dvm_sim *s, size_t index, struct dvm_step *step)
{
	const struct dvmi_program *p = s->program;
	int hook = -1;

	if (index >= p->insns_count)
		return -DVM_ENOENT;
	/* The hook that begins nearest before the instruction. */
	for (int h = 0; h < DVMI_HOOKS; h++)
		if (p->hooks[h] >= 0 && (size_t)p->hooks[h] <= index &&
		    (hook < 0 || p->hooks[h] > p->hooks[hook]))
			hook = h;
	*step = (struct dvm_step){ .hook = hook < 0 ? "" : dvmi_hook_names[hook],
				   .line = p->insns[index].line,
				   .text = s->step_text[index],
				   .count = s->steps[index].count,
				   .total_ps = s->steps[index].total_ps };
	return 0;
}
