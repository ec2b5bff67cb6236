/* SPDX-License-Identifier: MIT */
#include "random_run.h"

#include "random_trace.h"

#include "sim/engine.h"

#include <dvmsim/model.h>
#include <dvmsim/sim.h>
#include <dvmsim/strategy.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char about[300];

const char *random_run_about(void)
{
	return about;
}

struct text {
	char *at, *end;
};

__attribute__((format(printf, 2, 3)))
static void say(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->at, (size_t)(t->end - t->at), format, ap);
	va_end(ap);
	if (n < 0 || n >= t->end - t->at)
		abort();
	t->at += n;
}

static void must(int ret, const struct dvm_error *err)
{
	char text[1000] = "";

	if (!ret)
		return;
	dvm_error_format(err, text, sizeof(text));
	fprintf(stderr, "random_run: %s: %s\n", about, text);
	abort();
}

/* ---- the part ---- */

static const char *const kernels[] = {
	"linux-6.6", "linux-6.6-kpti", "linux-6.6-repeat-old", "linux-6.12", "linux-7.1",
	"linux-7.1-kpti", "linux-7.1-guest", "linux-7.1-preempt-rt", "linux-7.2", "linux-7.2-guest",
};

static const char *const strategies[] = {
	"active-cpu-v1", "active-cpu-v2", "active-cpu-skip-unused", "active-cpu-preempt-disable",
	"always-broadcast", "always-broadcast", "cpumask-ipi", "cpumask-ipi", "ipi-always",
	"nr-active-v2", "recheck", "recheck-optimistic", "restartable", "stale-mask-v1",
	"tlb-modes", "null", "selftest-no-post", "selftest-leaf-after-free",
};

/* Those that fail: what they leave behind must be found at the same use. */
static const char *const unsafe[] = { "null", "selftest-no-post", "selftest-no-pre",
				      "active-cpu-v2-plain-load", "stale-mask-v1" };

#define PICK(rng, table) (table[dvmi_rng_below(rng, sizeof(table) / sizeof(table[0]))])

/* Each of these is set to 0, or scaled, in some runs; all are picoseconds. */
static const char *const costs[] = {
	"dvm.request_ps", "dvm.snoop_ps", "dvm.snoop_part_ps", "dvm.target_op_ps",
	"dvm.target_sync_ps", "dvm.bystander_op_ps", "dvm.bystander_sync_ps", "dvm.node_op_ps",
	"dvm.comp_ps", "ipi.send_ps", "ipi.deliver_ps", "ipi.handle_ps", "kernel.flush_call_ps",
	"kernel.context_switch_ps", "kernel.mm_switch_ps", "tlb.l2_hit_ps", "tlb.walk_step_ps",
	"barrier.dsb_ish_ps", "tlbi.issue_broadcast_ps", "kernel.fork_ps", "kernel.exec_ps",
	"kernel.exit_ps", "kernel.fault_ps",
};

static void set(struct dvm_model *m, const char *path, uint64_t value)
{
	struct dvm_error err;

	must(dvm_model_set(m, path, value, &err), &err);
}

/*
 * Times of whole nanoseconds, like the access: much happens at the same instant. A slow clock makes
 * an access long beside what else happens.
 */
static void random_costs(struct dvm_model *hw, struct dvmi_rng *rng)
{
	static const uint64_t clocks_khz[] = { 1000000, 1000000, 500000, 200000, 100000 };
	bool small = dvmi_rng_below(rng, 3) != 0;

	set(hw, "clock.core_khz", PICK(rng, clocks_khz));
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		if (!dvmi_rng_below(rng, 12))
			set(hw, costs[i], 0);
		else if (small || !dvmi_rng_below(rng, 4))
			set(hw, costs[i], 1000 * dvmi_rng_below(rng, 300));
	}
}

/*
 * One way from CPU to CPU is much shorter than the others, so that how far a CPU may run ahead hangs
 * on it alone.
 */
static void one_short_way(struct dvm_model *hw, struct dvmi_rng *rng)
{
	static const char *const ways[] = { "dvm.request_ps", "ipi.deliver_ps",
					    "kernel.flush_call_ps", "kernel.context_switch_ps",
					    "kernel.mm_switch_ps" };
	size_t n = sizeof(ways) / sizeof(ways[0]), way = dvmi_rng_below(rng, n);

	set(hw, "ipi.send_ps", 1000 * dvmi_rng_below(rng, 10));
	for (size_t i = 0; i < n; i++)
		set(hw, ways[i], 1000 * (i == way ? dvmi_rng_below(rng, 20) :
						    200 + dvmi_rng_below(rng, 400)));
	if (dvmi_rng_below(rng, 2))
		set(hw, "barrier.dsb_ish_ps", 1000 * dvmi_rng_below(rng, 5));
}

static unsigned random_shape(struct dvm_model *hw, struct dvmi_rng *rng)
{
	uint64_t sockets = dvmi_rng_below(rng, 4) ? 1 : 2, dies = dvmi_rng_below(rng, 4) ? 1 : 2;
	uint64_t clusters = 1 + dvmi_rng_below(rng, 3), cores = 1 + dvmi_rng_below(rng, 3);
	uint64_t threads = 1;

	set(hw, "topology.sockets", sockets);
	set(hw, "topology.dies", dies);
	set(hw, "topology.clusters", clusters);
	set(hw, "topology.cores", cores);
	/* The plain oracle has room for 64 CPUs. */
	if (sockets * dies * clusters * cores <= 32)
		threads += dvmi_rng_below(rng, 2);
	set(hw, "topology.threads", threads);
	return (unsigned)(sockets * dies * clusters * cores * threads);
}

static void random_tlbs(struct dvm_model *hw, struct dvmi_rng *rng)
{
	set(hw, "tlb.l1i_entries", 2 + dvmi_rng_below(rng, 6));
	set(hw, "tlb.l1d_entries", 2 + dvmi_rng_below(rng, 6));
	set(hw, "tlb.l1i_ways", 0);
	set(hw, "tlb.l1d_ways", 0);
	set(hw, "tlb.l2_entries", 32u << dvmi_rng_below(rng, 3));
	set(hw, "tlb.l2_ways", 4);
	set(hw, "tlb.walk_cache_entries", dvmi_rng_below(rng, 8));
	set(hw, "tlb.stage2_entries", dvmi_rng_below(rng, 8));
	set(hw, "tlb.smt", dvmi_rng_below(rng, 2));
	set(hw, "feature.cnp", dvmi_rng_below(rng, 3) != 0);
	set(hw, "feature.asid_bits", dvmi_rng_below(rng, 2) ? 8 : 16);
	set(hw, "feature.range_tlbi", dvmi_rng_below(rng, 2));
	set(hw, "feature.ttl", dvmi_rng_below(rng, 2));
	set(hw, "dvm.early_comp", !dvmi_rng_below(rng, 4));
	set(hw, "dvm.idle_sync", !dvmi_rng_below(rng, 4));
	set(hw, "dvm.node_entries", 1 + dvmi_rng_below(rng, 16));
	set(hw, "tlbi.post_depth", 1 + dvmi_rng_below(rng, 16));
	if (!dvmi_rng_below(rng, 3))
		set(hw, "erratum.repeat_tlbi", 1);
}

/* ---- the outcome ---- */

static void observe(void *arg, const struct dvm_sim_event *e)
{
	const uint64_t words[] = { e->time_ps, e->took_ps, e->pages, e->kind, e->mm, e->parent,
				   e->task, e->cpu, e->cpus, e->first, e->from_cpu, e->waker,
				   e->waker_cpu, e->op, e->tlbi };
	uint64_t *hash = arg;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		*hash = (*hash ^ words[i]) * UINT64_C(0x100000001b3);
}

static void say_stats(struct text *t, struct dvm_stats s, bool events, bool failed)
{
	/* Nothing but 64-bit numbers: one a word. */
	uint64_t words[sizeof(s) / sizeof(uint64_t)];

	if (!events)
		s.events = 0;
	/* Counted when the node begins, or one by one. */
	if (failed && !events)
		s.dvm_snoops = 0;
	/* After a failure other CPUs may be ahead, by accesses. */
	if (failed)
		s.run_ps = s.tlb_refills = s.tlb_accesses = s.tlb_l1_misses = s.tlb_l2_misses = 0;
	memcpy(words, &s, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		say(t, "%" PRIu64 "%s", words[i], i % 8 == 7 ? "\n" : " ");
	say(t, "\n");
}

static void say_outcome(struct text *t, const struct dvm_sim *sim, bool events, bool failed)
{
	struct dvm_step step;
	struct dvm_work work;

	say_stats(t, *dvm_sim_stats(sim), events, failed);
	/* One access made at another time shows here, if nowhere else. */
	for (unsigned n = 0; n < sim->cpus_used && !failed; n++)
		say(t, "%" PRIx64 " ", sim->cpus[n].starts_ps);
	say(t, "\n");
	for (size_t i = 0; !dvm_sim_work(sim, i, &work); i++)
		say(t, "work %" PRIu64 " %.17g\n", work.count, work.per_second);
	for (size_t i = 0; !dvm_sim_step(sim, i, &step); i++)
		say(t, "%" PRIu64 ":%" PRIu64 " ", step.count, step.total_ps);
	say(t, "\n");
}

/* ---- one run ---- */

static struct dvm_trace *workload(struct dvmi_rng *rng, unsigned cpus, bool race)
{
	struct random_trace_size size = { .cpus = 1 + (unsigned)dvmi_rng_below(rng, cpus),
					  .mms = 1 + (unsigned)dvmi_rng_below(rng, 8),
					  .steps = 100 + (unsigned)dvmi_rng_below(rng, 500),
					  .accesses = dvmi_rng_below(rng, 3) != 0,
					  .steady = dvmi_rng_below(rng, 2) };
	struct dvm_trace *trace;
	struct dvm_error err;

	if (size.steady && dvmi_rng_below(rng, 2))
		size.mms = 1;
	if (race) {
		size = (struct random_trace_size){ .cpus = cpus < 4 ? cpus : 4, .mms = 1,
						   .steps = 80, .accesses = true, .steady = true };
		return random_trace(rng, &size);
	}
	/* More address spaces than 8-bit ASIDs, so that generations roll over. */
	if (!dvmi_rng_below(rng, 6))
		size.mms = 150;
	trace = random_trace(rng, &size);
	must(dvm_trace_validate(trace, &err), &err);
	snprintf(about + strlen(about), sizeof(about) - strlen(about),
		 ", workload of %u CPUs and %u address spaces, %s accesses", size.cpus, size.mms,
		 size.accesses ? "with" : "without");
	return trace;
}

static void run(struct dvm_sim_options *o, bool events, char text[RANDOM_RUN_TEXT])
{
	struct text t = { text, text + RANDOM_RUN_TEXT };
	uint64_t told = UINT64_C(0xcbf29ce484222325);
	struct dvm_sim *sim = NULL;
	struct dvm_error err = { 0 };
	char message[1000] = "";
	int ret;

	o->observer = observe;
	o->observer_arg = &told;
	ret = dvm_sim_new(o, &sim, &err);
	if (!ret)
		ret = dvm_sim_run(sim, &err);
	if (ret)
		dvm_error_format(&err, message, sizeof(message));
	say(&t, "%d %s\ntold %" PRIx64 "\n", ret, message, told);
	if (sim)
		say_outcome(&t, sim, events, ret != 0);
	dvm_sim_free(sim);
}

void random_run(uint64_t seed, bool strict, bool events, char text[RANDOM_RUN_TEXT])
{
	/* Interrupts without end can keep all tasks from their work. A plainer fabric needs more. */
	struct dvm_sim_options o = { .size = sizeof(o), .seed = seed, .strict_order = strict,
				     .max_events = events ? 300000 : 1500000 };
	const char *kernel, *name;
	struct dvm_model *hw, *k;
	struct dvm_strategy *strategy;
	struct dvm_error err;
	struct dvmi_rng rng;
	char path[500];
	unsigned cpus;
	bool race;

	dvmi_rng_init(&rng, seed, 77);
	kernel = PICK(&rng, kernels);
	race = !dvmi_rng_below(&rng, 4);
	name = race ? PICK(&rng, unsafe) : PICK(&rng, strategies);
	snprintf(about, sizeof(about), "seed %" PRIu64 ": kernel %s, strategy %s", seed, kernel,
		 name);
	must(dvm_model_find(DVM_MODEL_HW, "teaching-4", DVMSIM_SOURCE_DIR "/models", &hw, &err),
	     &err);
	must(dvm_model_find(DVM_MODEL_KERNEL, kernel, DVMSIM_SOURCE_DIR "/models", &k, &err), &err);
	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	must(dvm_strategy_load(path, &strategy, &err), &err);
	cpus = random_shape(hw, &rng);
	random_tlbs(hw, &rng);
	random_costs(hw, &rng);
	if (dvmi_rng_below(&rng, 2))
		one_short_way(hw, &rng);
	o.hw = hw;
	o.kernel = k;
	o.strategy = strategy;
	o.trace = workload(&rng, cpus < 8 ? cpus : 8, race);
	o.copies = dvmi_rng_below(&rng, 3) ? 1 : 0;
	if (dvmi_rng_below(&rng, 2)) {
		o.schedule = DVM_SIM_SIMULATED;
		if (!dvmi_rng_below(&rng, 4))
			o.forced_migrations_hz = 1000 + dvmi_rng_below(&rng, 20000);
	}
	snprintf(about + strlen(about), sizeof(about) - strlen(about), ", schedule %s",
		 o.schedule == DVM_SIM_SIMULATED ? "simulated" : "recorded");
	run(&o, events, text);
	dvm_trace_free((struct dvm_trace *)(uintptr_t)o.trace);
	dvm_strategy_free(strategy);
	dvm_model_free(k);
	dvm_model_free(hw);
}
