/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "vm.h"

#include <dvmsim/error.h>

#include <stdio.h>
#include <string.h>

/*
 * Virtual machines on a host (docs/model.md, "Virtual machines"): teaching-4 has four CPUs. Machines
 * of one vCPU more than that share them.
 */

#define MS UINT64_C(1000000000)
#define NS UINT64_C(1000)

static const struct dvmi_vcpu *vcpu(const struct run *r, unsigned n)
{
	return &r->sim->host->vcpus[n];
}

/* ---- CPU time ---- */

static const struct dvm_trace_record busy[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 20000000), IDLE(0),
};

START_TEST(two_vcpus_on_a_cpu_get_half_each_and_steal_the_other_half)
{
	struct run r;

	vm_init(&r, 8, 1, true);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, busy, COUNT(busy));
	run_go(&r, 8, 1);
	ck_assert_int_eq(r.ret, 0);
	for (unsigned n = 0; n < 8; n++) {
		uint64_t run = vcpu(&r, n)->spent_ps[DVMI_VCPU_RUNS];
		uint64_t steal = vcpu(&r, n)->spent_ps[DVMI_VCPU_READY];

		/* Each has 20 ms of work, and waits while the other has its; the one that is done
		   first has not seen the other's last slice: 3 x 0.7 ms, up to the next tick. */
		ck_assert_uint_ge(run, 20 * MS);
		ck_assert_uint_le(run, 20 * MS + 20 * MS / 100);
		ck_assert_uint_ge(steal, 20 * MS - 5 * MS);
		ck_assert_uint_le(steal, 20 * MS + MS);
	}
	run_fini(&r);
}
END_TEST

START_TEST(a_vcpu_with_a_cpu_of_its_own_steals_nothing)
{
	struct run r;

	vm_init(&r, 4, 1, true);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, busy, COUNT(busy));
	run_go(&r, 4, 1);
	ck_assert_int_eq(r.ret, 0);
	/* But for the wake-up that brings each. */
	for (unsigned n = 0; n < 4; n++)
		ck_assert_uint_le(vcpu(&r, n)->spent_ps[DVMI_VCPU_READY], MS / 10);
	ck_assert_uint_eq(r.stats->vm_moves, 0);
	run_fini(&r);
}
END_TEST

START_TEST(a_vcpus_states_are_all_of_its_time)
{
	struct run r;
	uint64_t all = 0;

	vm_init(&r, 3, 2, false);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, busy, COUNT(busy));
	run_go(&r, 6, 1);
	ck_assert_int_eq(r.ret, 0);
	for (unsigned n = 0; n < 6; n++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < DVMI_VCPU_STATES; i++)
			sum += vcpu(&r, n)->spent_ps[i];
		ck_assert_uint_eq(sum, vcpu(&r, n)->since_ps);
		ck_assert_uint_eq(sum, vcpu(&r, 0)->since_ps);
		all += sum;
	}
	ck_assert_uint_eq(all, r.stats->vcpu_run_ps + r.stats->vcpu_host_ps +
			       r.stats->vcpu_steal_ps + r.stats->vcpu_blocked_ps);
	run_fini(&r);
}
END_TEST

/* ---- what exits cost ---- */

static const struct dvm_trace_record sleeper[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
	IDLE(0), { .kind = DVM_TRACE_SLEEP, .amount = 100000 }, ON(0, 1), RUN(0, 1, 1000),
	IDLE(0), { .kind = DVM_TRACE_SLEEP, .amount = 100000 }, ON(0, 1), RUN(0, 1, 1000),
	IDLE(0),
};

/* Without the sleeps: what it takes to begin and to end. */
static const struct dvm_trace_record awake[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 3000), IDLE(0),
};

struct costed {
	uint64_t exits, host_ps, elapsed_ps;
};

static struct costed sleeping(const char *path, uint64_t ns, bool sleeps)
{
	struct costed got;
	struct run r;

	vm_init(&r, 1, 1, true);
	run_set_kernel(&r, path, ns);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, sleeps ? sleeper : awake, sleeps ? COUNT(sleeper) : COUNT(awake));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	got = (struct costed){ r.stats->vm_exits, r.stats->vcpu_host_ps, r.stats->elapsed_ps };
	run_fini(&r);
	return got;
}

/* How often a sleep pays each: in the host's time, in the time that its task waits. */
static const struct {
	const char *path;
	unsigned host, waits;
} costs[] = {
	{ "vm_exit_ns", 1, 0 },   /* when the sleep begins */
	{ "vm_entry_ns", 1, 1 },
	{ "vm_load_ns", 1, 1 },
	{ "vm_put_ns", 0, 0 },    /* blocked by then; and the sleep is long */
	{ "vm_inject_ns", 0, 1 }, /* the timer's interrupt, in the guest */
};

START_TEST(each_wfi_costs_an_exit_a_load_and_an_entry)
{
	const char *path = costs[_i].path;
	struct costed cheap = sleeping(path, 0, true), dear = sleeping(path, 1000, true);
	struct costed cheap0 = sleeping(path, 0, false), dear0 = sleeping(path, 1000, false);

	ck_assert_uint_eq(dear.exits - dear0.exits, 2);
	ck_assert_uint_eq(dear.host_ps - cheap.host_ps,
			  dear0.host_ps - cheap0.host_ps + 2 * costs[_i].host * 1000 * NS);
	ck_assert_uint_eq(dear.elapsed_ps - cheap.elapsed_ps,
			  dear0.elapsed_ps - cheap0.elapsed_ps + 2 * costs[_i].waits * 1000 * NS);
}
END_TEST

/* ---- vcpu_load ---- */

START_TEST(vcpu_load_flushes_when_another_vcpu_of_the_machine_ran_there_last)
{
	struct run apart, together;

	/* Two vCPUs on each CPU: of different machines, of one. */
	vm_init(&apart, 8, 1, true);
	run_strategy(&apart, BROADCAST);
	run_trace(&apart, 1, busy, COUNT(busy));
	run_go(&apart, 8, 1);
	ck_assert_uint_gt(apart.stats->vm_switches, 4 * 5);
	ck_assert_uint_eq(apart.stats->vm_load_flushes, 0);
	vm_init(&together, 1, 8, true);
	run_strategy(&together, BROADCAST);
	run_trace(&together, 1, busy, COUNT(busy));
	run_go(&together, 8, 1);
	/* Each switch is to the other vCPU, but those from idle and to idle; tasks that the guest
	   moves make a CPU idle more than once, and its vCPU comes back without a flush. */
	ck_assert_uint_gt(together.stats->vm_load_flushes, 4 * 3);
	ck_assert_uint_lt(together.stats->vm_load_flushes, together.stats->vm_switches - 4);
	run_fini(&apart);
	run_fini(&together);
}
END_TEST

/* ---- flushes ---- */

static const struct dvm_trace_record flusher[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 2000),
	FLUSH_MM(0, 1), RUN(0, 1, 2000), FLUSH_MM(0, 1), RUN(0, 1, 2000),
	FLUSH_MM(0, 1), RUN(0, 1, 2000), FLUSH_MM(0, 1), RUN(0, 1, 2000), IDLE(0),
};

static void flushing(struct run *r, const char *strategy, bool fb)
{
	vm_init(r, 1, 1, true);
	if (!fb)
		vm_local_only(r);
	run_strategy(r, strategy);
	run_trace(r, 1, flusher, COUNT(flusher));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
}

START_TEST(under_fb_a_local_tlbi_costs_what_a_broadcast_costs)
{
	struct run local, broadcast, off;

	flushing(&local, LOCAL, true);
	flushing(&broadcast, BROADCAST, true);
	flushing(&off, LOCAL, false);
	ck_assert_uint_eq(local.stats->flush.total_ps, broadcast.stats->flush.total_ps);
	ck_assert_uint_eq(local.stats->tlbi_broadcast, 4);
	ck_assert_uint_lt(off.stats->flush.total_ps, local.stats->flush.total_ps / 2);
	ck_assert_uint_eq(off.stats->tlbi_broadcast, 0);
	run_fini(&local);
	run_fini(&broadcast);
	run_fini(&off);
}
END_TEST

/* The guest's own code repeats where it means to broadcast, and not where FB makes it so. */
START_TEST(a_guest_elides_the_repeat_on_its_local_path_though_fb_broadcasts_it)
{
	static const struct {
		const char *strategy;
		unsigned repeat, tlbis;
	} rows[] = {
		{ LOCAL, DVMI_REPEAT_NEW, 4 },
		{ BROADCAST, DVMI_REPEAT_NEW, 8 },
		{ BROADCAST, DVMI_REPEAT_NONE, 4 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct run r;

		vm_init(&r, 1, 1, true);
		run_set(&r, "erratum.repeat_tlbi", 1);
		run_set_kernel(&r, "repeat_tlbi", rows[i].repeat);
		run_strategy(&r, rows[i].strategy);
		run_trace(&r, 1, flusher, COUNT(flusher));
		run_go(&r, 1, 1);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, rows[i].tlbis);
		run_fini(&r);
	}
}
END_TEST

/* One flush after the other, without work in between. */
static const struct dvm_trace_record saturating[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1),
	FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1),
	FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1),
	FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1),
	FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), FLUSH_MM(0, 1), IDLE(0),
};

static uint64_t saturate(unsigned machines, uint64_t *service_ps)
{
	struct dvmi_fabric_stats f;
	struct run r;
	uint64_t mean;

	vm_init(&r, machines, 1, true);
	/* The node is slow, so that three machines can make it busy; and all begin together. */
	run_set(&r, "dvm.node_op_ps", 20000000);
	run_set(&r, "dvm.node_sync_ps", 20000000);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, saturating, COUNT(saturating));
	run_go(&r, machines, 1);
	ck_assert_int_eq(r.ret, 0);
	dvmi_fabric_get_stats(r.sim->fabric, &f);
	*service_ps = f.node_busy_ps / r.stats->flushes;
	mean = r.stats->flush.total_ps / r.stats->flush.count;
	run_fini(&r);
	return mean;
}

START_TEST(machines_that_saturate_the_dvm_node_slow_one_another)
{
	uint64_t s, alone = saturate(1, &s), together = saturate(4, &s);

	/* max(unloaded, k * s), but while they begin (within 1 ms) and end. */
	ck_assert_uint_ge(together, 4 * s * 6 / 10);
	ck_assert_uint_le(together, 4 * s + s / 10);
	ck_assert_uint_gt(together, 2 * alone);
}
END_TEST

/* All CPUs but the sender's; with the filter, those of its machine. */
START_TEST(a_broadcast_snoops_all_cpus_or_those_of_its_machine)
{
	uint64_t all[2], snoops[2];

	for (unsigned filter = 0; filter < 2; filter++) {
		struct run r;

		vm_init(&r, 2, 2, true);
		run_set_kernel(&r, "vm_filter", filter ? DVMI_VM_FILTER_ALLOWED :
						  DVMI_VM_FILTER_NONE);
		run_strategy(&r, BROADCAST);
		run_trace(&r, 1, flusher, COUNT(flusher));
		run_go(&r, 2, 1);
		ck_assert_int_eq(r.ret, 0);
		snoops[filter] = r.stats->dvm_snoops / (r.stats->dvm_nonsyncs + r.stats->dvm_syncs);
		all[filter] = r.stats->dvm_snoops;
		run_fini(&r);
	}
	ck_assert_uint_eq(snoops[0], 3);
	ck_assert_uint_eq(snoops[1], 1);
	ck_assert_uint_eq(all[0], 3 * all[1]);
}
END_TEST

/* Longer than the time in which copies begin, so that all of them run while others flush. */
static const struct dvm_trace_record steady[] = {
	MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1100000), FLUSH_MM(0, 1), RUN(0, 1, 1000000),
	FLUSH_MM(0, 1), RUN(0, 1, 1000000), FLUSH_MM(0, 1), RUN(0, 1, 1000000), FLUSH_MM(0, 1),
	RUN(0, 1, 1000000), IDLE(0),
};

/* Work that machines lose to one another's flushes, and to interrupts. */
static uint64_t lost_to_neighbours(unsigned filter, uint64_t *most, uint64_t *elapsed)
{
	struct run r;
	uint64_t lost;

	vm_init(&r, 4, 1, true);
	run_set(&r, "dvm.bystander_op_ps", 100000);
	run_set(&r, "dvm.bystander_sync_ps", 300000);
	run_set_kernel(&r, "vm_filter", filter);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, steady, COUNT(steady));
	run_go(&r, 4, 1);
	ck_assert_int_eq(r.ret, 0);
	/* Each flush is one operation and one Sync, to three others. */
	*most = r.stats->flushes * 3 * 400000;
	*elapsed = r.stats->elapsed_ps;
	lost = r.stats->bystander_ps;
	run_fini(&r);
	return lost;
}

START_TEST(machines_lose_work_to_their_neighbours_flushes_unless_filtered)
{
	uint64_t most, noisy, quiet;
	uint64_t lost = lost_to_neighbours(DVMI_VM_FILTER_NONE, &most, &noisy);

	uint64_t rest = lost_to_neighbours(DVMI_VM_FILTER_ALLOWED, &most, &quiet);

	/* The rest is interrupts. */
	ck_assert_uint_gt(lost, rest + most / 2);
	ck_assert_uint_le(lost, rest + most);
	ck_assert_uint_gt(noisy, quiet);
	ck_assert_uint_eq(lost_to_neighbours(DVMI_VM_FILTER_RAN, &most, &quiet), rest);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "machines");

	tcase_add_test(tc, two_vcpus_on_a_cpu_get_half_each_and_steal_the_other_half);
	tcase_add_test(tc, a_vcpu_with_a_cpu_of_its_own_steals_nothing);
	tcase_add_test(tc, a_vcpus_states_are_all_of_its_time);
	tcase_add_loop_test(tc, each_wfi_costs_an_exit_a_load_and_an_entry, 0, COUNT(costs));
	tcase_add_test(tc, vcpu_load_flushes_when_another_vcpu_of_the_machine_ran_there_last);
	tcase_add_test(tc, under_fb_a_local_tlbi_costs_what_a_broadcast_costs);
	tcase_add_test(tc, a_guest_elides_the_repeat_on_its_local_path_though_fb_broadcasts_it);
	tcase_add_test(tc, machines_that_saturate_the_dvm_node_slow_one_another);
	tcase_add_test(tc, machines_lose_work_to_their_neighbours_flushes_unless_filtered);
	tcase_add_test(tc, a_broadcast_snoops_all_cpus_or_those_of_its_machine);
}

CHECK_MAIN("sim vm", add_cases)
