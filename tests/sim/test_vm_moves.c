/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "vm.h"

#include <dvmsim/error.h>

#include <stdio.h>
#include <string.h>

/*
 * vCPUs that move, and vCPUs that others wait for: what the oracle finds, what an IPI waits for, what
 * is refused; and invariants of the host on random machines.
 */

#define MS UINT64_C(1000000000)

/* ---- what a moved vCPU leaves behind ---- */

#define STINT(n) RUN(0, n, 20000), FLUSH_MM(0, n)
#define STINTS(n) STINT(n), STINT(n), STINT(n), STINT(n), STINT(n), STINT(n), STINT(n), STINT(n)

/* A task that runs and flushes, for longer than it takes its vCPU to be moved away and back. */
static const struct dvm_trace_record flusher[] = {
	MM(1), TASK(1), ON(0, 1), STINTS(1), STINTS(1), STINTS(1), STINTS(1), STINTS(1), STINTS(1),
	STINTS(1), STINTS(1), STINTS(1), STINTS(1), STINTS(1), STINTS(1), STINTS(1), IDLE(0),
};

static const struct stale {
	const char *name, *strategy;
	bool fb, fnb, pinned;
	unsigned move_hz;
	int ret;
} stales[] = {
	{ "FB off, floating, local", LOCAL, false, false, false, 20000, -DVM_EUNSAFE },
	{ "FB off, floating, broadcast", BROADCAST, false, false, false, 20000, 0 },
	{ "FB off, pinned, local", LOCAL, false, false, true, 0, 0 },
	{ "FB off, floating where nothing moves it, local", LOCAL, false, false, false, 0, 0 },
	{ "FB on, floating, local", LOCAL, true, false, false, 20000, 0 },
	{ "FnB, floating, broadcasts act locally", BROADCAST, false, true, false, 20000, 0 },
	{ "FnB, floating, local", LOCAL, false, true, false, 20000, 0 },
};

START_TEST(a_local_flush_misses_what_a_moved_vcpu_left_behind_unless_fb)
{
	const struct stale *c = &stales[_i];
	struct run r;

	vm_init(&r, 1, 1, c->pinned);
	if (!c->fb)
		vm_local_only(&r);
	run_set_kernel(&r, "vm_fnb", c->fnb);
	run_set_kernel(&r, "vm_move_hz", c->move_hz);
	run_strategy(&r, c->strategy);
	run_trace(&r, 1, flusher, COUNT(flusher));
	run_go(&r, 1, 1);
	ck_assert_msg(r.ret == c->ret, "%s: %d", c->name, r.ret);
	ck_assert_msg(!c->move_hz == !r.stats->vm_moves, "%s: %u moves", c->name,
		      (unsigned)r.stats->vm_moves);
	/* With FnB each move is followed by a flush, and so is the first load. */
	if (c->fnb)
		ck_assert_uint_eq(r.stats->vm_load_flushes, r.stats->vm_moves + 1);
	else
		ck_assert_uint_eq(r.stats->vm_load_flushes, 0);
	if (c->fnb)
		ck_assert_uint_eq(r.stats->tlbi_broadcast, 0);
	run_fini(&r);
}
END_TEST

/* Not only where the address space was installed: wherever its vCPU has been. */
START_TEST(each_cpu_where_a_vcpu_was_may_hold_its_translations)
{
	unsigned most = 0;

	for (unsigned seed = 1; seed <= 8; seed++) {
		struct dvm_error err = { 0 };
		unsigned cpus = 0;
		struct run r;

		vm_init(&r, 1, 1, false);
		vm_local_only(&r);
		run_set_kernel(&r, "vm_move_hz", 20000);
		run_strategy(&r, LOCAL);
		run_trace(&r, 1, flusher, COUNT(flusher));
		run_go(&r, 1, seed);
		ck_assert_int_eq(r.ret, -DVM_EUNSAFE);
		for (unsigned p = 0; p < r.sim->cpus_count; p++)
			cpus += dvmi_oracle_use(r.sim->oracle, p, 1, &err) != 0;
		most = cpus > most ? cpus : most;
		run_fini(&r);
	}
	ck_assert_uint_ge(most, 2);
}
END_TEST

#define PAGES 4
#define ROUNDS 150

/* The same on exact TLBs, of whose entries each has its machine's VMID. */
static int go_exact(unsigned machines, bool fb, uint64_t *misses)
{
	const struct dvm_trace_record begin[] = { MM(1), TASK(1), ON(0, 1) };
	const struct dvm_trace_record round[] = {
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .amount = PAGES },
		STINT(1),
	};
	uint64_t accesses[PAGES];
	struct run r;
	int ret;

	for (uint64_t i = 0; i < PAGES; i++)
		accesses[i] = i << 40;
	vm_init(&r, machines, 1, false);
	if (!fb)
		vm_local_only(&r);
	run_set_kernel(&r, "vm_move_hz", 20000);
	run_strategy(&r, LOCAL);
	run_trace(&r, 1, begin, COUNT(begin));
	ck_assert_int_eq(dvm_trace_append_accesses(r.trace, accesses, PAGES, &r.err), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		ck_assert_int_eq(dvm_trace_append(r.trace, round, COUNT(round), &r.err), 0);
	run_go(&r, machines, 1);
	ret = r.ret;
	*misses = r.stats->tlb_l2_misses;
	run_fini(&r);
	return ret;
}

START_TEST(exact_tlbs_find_what_a_moved_vcpu_left_behind)
{
	uint64_t misses;

	ck_assert_int_eq(go_exact(1, false, &misses), -DVM_EUNSAFE);
	ck_assert_int_eq(go_exact(1, true, &misses), 0);
	ck_assert_uint_eq(misses, ROUNDS * PAGES);
	/* Another machine's flushes take none of its translations, and the other way round. */
	ck_assert_int_eq(go_exact(6, true, &misses), 0);
	ck_assert_uint_eq(misses, 6 * ROUNDS * PAGES);
}
END_TEST

/* ---- interrupts of vCPUs that do not run ---- */

/* Two threads of one address space; the first flushes. */
static const struct dvm_trace_record pair[] = {
	MM(1), TASK(1),
	{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .mm = 1,
	  .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD },
	ON(0, 1), { .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 2, .mm = 1 },
	RUN(0, 1, 3000000), RUN(1, 2, 30000000),
	FLUSH_MM(0, 1), RUN(0, 1, 1000000), FLUSH_MM(0, 1), RUN(0, 1, 1000000),
	FLUSH_MM(0, 1), RUN(0, 1, 1000000), FLUSH_MM(0, 1), RUN(0, 1, 1000000),
	FLUSH_MM(0, 1), RUN(0, 1, 1000000), FLUSH_MM(0, 1), RUN(0, 1, 1000000),
	IDLE(0), IDLE(1),
};

static uint64_t longest_flush(unsigned machines, const char *strategy, bool fb)
{
	uint64_t max;
	struct run r;

	/* Machines of two vCPUs on four CPUs: two have a CPU for each, four do not. */
	vm_init(&r, machines, 2, true);
	if (!fb)
		vm_local_only(&r);
	run_shipped(&r, strategy);
	run_trace(&r, 2, pair, COUNT(pair));
	run_go(&r, machines, 1);
	ck_assert_int_eq(r.ret, 0);
	max = r.stats->flush.max_ps;
	run_fini(&r);
	return max;
}

START_TEST(an_ipi_to_a_descheduled_vcpu_waits_for_its_slice)
{
	/* A slice on four CPUs is 3 x 0.7 ms. The flusher may itself be switched out in a flush. */
	ck_assert_uint_lt(longest_flush(2, "ipi-always", false), MS / 20);
	ck_assert_uint_gt(longest_flush(4, "ipi-always", false), 2 * MS);
	/* The handler's TLBIs are broadcasts then; it is no faster for that. */
	ck_assert_uint_gt(longest_flush(4, "ipi-always", true), 2 * MS);
}
END_TEST

START_TEST(under_fb_each_handler_of_an_ipi_broadcasts)
{
	struct run on, off;

	vm_init(&off, 1, 2, true);
	vm_local_only(&off);
	run_shipped(&off, "ipi-always");
	run_trace(&off, 2, pair, COUNT(pair));
	run_go(&off, 1, 1);
	vm_init(&on, 1, 2, true);
	run_shipped(&on, "ipi-always");
	run_trace(&on, 2, pair, COUNT(pair));
	run_go(&on, 1, 1);
	ck_assert_int_eq(on.ret, 0);
	ck_assert_int_eq(off.ret, 0);
	ck_assert_uint_eq(on.stats->flushes_ipi, 6);
	ck_assert_uint_eq(off.stats->tlbi_broadcast, 0);
	ck_assert_uint_eq(on.stats->tlbi_broadcast, off.stats->tlbi_local);
	/* Its own and the other's: a Sync each, one after the other. */
	ck_assert_uint_gt(on.stats->flush.total_ps, off.stats->flush.total_ps);
	run_fini(&on);
	run_fini(&off);
}
END_TEST

/* ---- refusals ---- */

static void set_recorded(struct run *r)
{
	r->options.schedule = DVM_SIM_RECORDED;
}

static void set_offline(struct run *r)
{
	r->options.offline_ps = 1;
}

static void set_sme(struct run *r)
{
	run_set(r, "erratum.sme_dvmsync", 1);
}

static void set_fnb(struct run *r)
{
	vm_local_only(r);
	run_set_kernel(r, "vm_fnb", 1);
}

static void set_one(struct run *r)
{
	run_set_kernel(r, "vm_vcpus", 1);
}

static const struct {
	void (*set)(struct run *r);
	unsigned copies;
	const char *says;
} refusals[] = {
	{ set_recorded, 1, "need '--schedule simulated'" },
	{ set_offline, 1, "no CPU goes offline" },
	{ set_sme, 1, "4193714" },
	{ set_fnb, 1, "set vm_vcpus to 1" },
	{ set_one, 1, "a virtual machine has 1" },
	{ NULL, 3, "do not fit" },
};

START_TEST(what_is_not_simulated_is_refused)
{
	struct dvm_error err = { 0 };
	struct dvm_sim *sim = NULL;
	char text[1024];
	struct run r;

	vm_init(&r, 2, 2, true);
	if (refusals[_i].set)
		refusals[_i].set(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, pair, COUNT(pair));
	r.options.size = sizeof(r.options);
	r.options.hw = r.hw;
	r.options.kernel = r.kernel;
	r.options.strategy = r.strategy;
	r.options.trace = r.trace;
	r.options.copies = refusals[_i].copies;
	ck_assert_int_lt(dvm_sim_new(&r.options, &sim, &err), 0);
	dvm_error_format(&err, text, sizeof(text));
	ck_assert_msg(strstr(text, refusals[_i].says), "%s", text);
	run_fini(&r);
}
END_TEST

/* ---- random machines ---- */

struct watched {
	struct run *run;
	unsigned seen;
};

/* A vCPU is on one CPU at most, a CPU has one vCPU at most, and the scheduler agrees. */
static void watch(void *arg, const struct dvm_sim_event *ev)
{
	struct watched *w = arg;
	const struct dvm_sim *s = w->run->sim;
	unsigned on[64] = { 0 };
	const char *broken;

	(void)ev;
	if (!s || !s->host)
		return;
	w->seen++;
	broken = dvmi_sched_check(&s->host->sched);
	ck_assert_msg(!broken, "%s", broken);
	for (unsigned p = 0; p < s->cpus_count; p++)
		if (s->host->pcpus[p].vcpu != DVMI_NONE32)
			ck_assert_uint_eq(on[s->host->pcpus[p].vcpu]++, 0);
	for (unsigned n = 0; n < s->cpus_used; n++) {
		const struct dvmi_vcpu *v = &s->host->vcpus[n];

		if (v->state == DVMI_VCPU_RUNS)
			ck_assert_uint_eq(s->host->pcpus[s->cpus[n].pcpu].vcpu, n);
		else if (v->state != DVMI_VCPU_HOST)
			ck_assert_uint_eq(on[n], 0);
		/* Only who runs acts. */
		if (v->state != DVMI_VCPU_RUNS)
			ck_assert_uint_eq(dvmi_evq_cpu_get(&s->evq, dvmi_slot(s, &s->cpus[n])),
					  DVMI_NEVER);
	}
}

static void random_machines(unsigned seed, struct dvm_stats *stats, bool *unsafe)
{
	static const char *const strategies[] = { "always-broadcast", "active-cpu-v2", "ipi-always",
						  "cpumask-ipi", "recheck", "active-cpu-v1" };
	static const char *const workloads[] = { "tlb-shootdown:cpus=2,loops=2", "fork:forks=2",
						 "mmap:loops=5,pages=1", "exec-storm:loops=2" };
	struct watched w;
	struct dvmi_rng rng;
	struct run r;
	unsigned machines, vcpus;

	dvmi_rng_init(&rng, seed, 77);
	machines = 1 + (unsigned)dvmi_rng_below(&rng, 4);
	vcpus = 2 + (unsigned)dvmi_rng_below(&rng, 3);
	vm_init(&r, machines, vcpus, dvmi_rng_below(&rng, 2));
	if (dvmi_rng_below(&rng, 2))
		vm_local_only(&r);
	if (dvmi_rng_below(&rng, 2))
		run_set_kernel(&r, "vm_move_hz", 5000);
	run_set_kernel(&r, "vm_filter", dvmi_rng_below(&rng, 3));
	run_set_kernel(&r, "preempt", DVMI_PREEMPT_LAZY + dvmi_rng_below(&rng, 3));
	if (dvmi_rng_below(&rng, 4) == 0)
		r.options.forced_migrations_hz = 3000;
	run_shipped(&r, strategies[dvmi_rng_below(&rng, COUNT(strategies))]);
	run_workload(&r, workloads[dvmi_rng_below(&rng, COUNT(workloads) - 1)]);
	w = (struct watched){ &r, 0 };
	r.options.observer = watch;
	r.options.observer_arg = &w;
	run_go(&r, 0, seed);
	*unsafe = r.ret == -DVM_EUNSAFE;
	ck_assert_msg(!r.ret || *unsafe, "seed %u: %d", seed, r.ret);
	ck_assert_uint_gt(w.seen, 0);
	for (unsigned n = 0; n < r.sim->cpus_used; n++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < DVMI_VCPU_STATES; i++)
			sum += r.sim->host->vcpus[n].spent_ps[i];
		ck_assert_uint_eq(sum, r.sim->host->vcpus[n].since_ps);
	}
	*stats = *r.stats;
	run_fini(&r);
}

START_TEST(random_machines_keep_the_hosts_invariants_and_repeat)
{
	unsigned waited = 0, moved = 0;

	for (unsigned seed = 1; seed <= 40; seed++) {
		struct dvm_stats a, b;
		bool unsafe[2];

		random_machines(seed, &a, &unsafe[0]);
		random_machines(seed, &b, &unsafe[1]);
		ck_assert_int_eq(unsafe[0], unsafe[1]);
		ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
		waited += a.vm_interrupts_waited != 0;
		moved += a.vm_moves != 0;
	}
	ck_assert_uint_gt(waited, 20);
	ck_assert_uint_gt(moved, 10);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "moves");

	tcase_add_loop_test(tc, a_local_flush_misses_what_a_moved_vcpu_left_behind_unless_fb, 0,
			    COUNT(stales));
	tcase_add_test(tc, each_cpu_where_a_vcpu_was_may_hold_its_translations);
	tcase_add_test(tc, exact_tlbs_find_what_a_moved_vcpu_left_behind);
	tcase_add_test(tc, an_ipi_to_a_descheduled_vcpu_waits_for_its_slice);
	tcase_add_test(tc, under_fb_each_handler_of_an_ipi_broadcasts);
	tcase_add_loop_test(tc, what_is_not_simulated_is_refused, 0, COUNT(refusals));
	tcase_add_test(tc, random_machines_keep_the_hosts_invariants_and_repeat);
}

CHECK_MAIN("sim vm moves", add_cases)
