/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "sim/engine.h"

#include <string.h>

/* Each environment beyond the CPUs acts: SMMU with notifier, SMMU in broadcasts, SME's work-around. */

enum { NONE, NOTIFIER, BTM };

/* One process, bound to a device, that flushes @pages pages of its own. */
static void run_bound(struct run *r, unsigned smmu, const char *strategy, uint64_t pages)
{
	struct dvm_trace_record records[] = {
		MM(1), TASK(1), ON(0, 1),
		{ .kind = DVM_TRACE_OP_BEGIN, .task = 1, .mm = 1, .op = DVM_TRACE_OP_SVA_BIND,
		  .flags = DVM_TRACE_F_SIMULATED },
		{ .kind = DVM_TRACE_OP_END, .task = 1, .mm = 1, .op = DVM_TRACE_OP_SVA_BIND },
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
		RUN(0, 1, 1000), MARK(0, 1),
	};

	records[5].amount = pages;
	run_init(r);
	run_set_kernel(r, "smmu", smmu);
	if (strategy[0] == 's')
		run_strategy(r, strategy);
	else
		run_shipped(r, strategy);
	run_trace(r, 1, records, COUNT(records));
	run_go(r, 1, 1);
}

#define NOTIFYING "strategy n\non flush:\n dsb ishst\n asid\n tlbi is\n notify\n sync ish\n ret\n"

/*
 * arm-smmu-v3: one command per page and a CMD_SYNC; from one table's worth of pages (512) on one for
 * the ASID. (n + 1) * command + n * tlbi + sync, with nobody else in the queue.
 */
static const struct {
	uint64_t pages, commands;
} notified[] = { { 1, 1 }, { 32, 32 }, { 511, 511 }, { 512, 1 } };

START_TEST(the_notifier_takes_its_queue_and_sync)
{
	const struct dvmi_hw *hw;
	struct run r;
	uint64_t n = notified[_i].commands;

	run_bound(&r, NOTIFIER, NOTIFYING, notified[_i].pages);
	hw = run_params(&r);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->notifier_calls, 1);
	ck_assert_uint_eq(r.stats->notifier_ps, (n + 1) * hw->smmu_command_ps +
			  n * hw->smmu_tlbi_ps + hw->smmu_sync_ps);
	run_fini(&r);
}
END_TEST

START_TEST(without_an_smmu_it_takes_nothing)
{
	struct run r;

	run_bound(&r, NONE, NOTIFYING, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->notifier_calls, 0);
	run_fini(&r);
}
END_TEST

/* With range commands (RIL): 511 pages are 3 of them, as for range TLBIs. */
START_TEST(range_commands_make_fewer)
{
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	run_set(&r, "smmu.range", 1);
	run_set_kernel(&r, "smmu", NOTIFIER);
	run_strategy(&r, NOTIFYING);
	run_workload(&r, "sva:processes=1,bound=1,loops=1,change=511,pages=512,work_ns=0");
	run_go(&r, 1, 1);
	hw = run_params(&r);
	ck_assert_uint_eq(r.stats->notifier_calls, 1);
	ck_assert_uint_eq(r.stats->notifier_ps,
			  4 * hw->smmu_command_ps + 3 * hw->smmu_tlbi_ps + hw->smmu_sync_ps);
	run_fini(&r);
}
END_TEST

/* R10: neither broadcast nor notifier reached the SMMU. */
static const struct {
	unsigned smmu;
	const char *strategy;
	bool stale;
} reach[] = {
	{ NOTIFIER, NOTIFYING, false },
	{ NOTIFIER, BROADCAST, true },	/* private ASIDs: a broadcast does not count */
	{ BTM, BROADCAST, false },
	{ BTM, LOCAL, true },
	{ BTM, "active-cpu-v2", true }, /* local, as the mm ran on one CPU only */
	{ BTM, "active-cpu-v2-btm", false },
	{ NOTIFIER, "active-cpu-v2", false },
	{ NONE, LOCAL, false },
};

START_TEST(a_device_that_a_flush_did_not_reach_is_caught)
{
	struct run r;

	run_bound(&r, reach[_i].smmu, reach[_i].strategy, 1);
	ck_assert_int_eq(r.ret, reach[_i].stale ? -DVM_EUNSAFE : 0);
	if (reach[_i].stale)
		ck_assert_str_eq(r.err.where, "stale");
	run_fini(&r);
}
END_TEST

/* An SMMU that listens is one more target: each DVM operation snoops it, too. */
START_TEST(a_listening_smmu_is_one_more_target)
{
	struct run with, without;

	run_bound(&with, BTM, BROADCAST, 1);
	run_bound(&without, NONE, BROADCAST, 1);
	ck_assert_uint_eq(with.stats->dvm_nonsyncs, without.stats->dvm_nonsyncs);
	ck_assert_uint_eq(with.stats->dvm_snoops,
			  without.stats->dvm_snoops + with.stats->dvm_nonsyncs + with.stats->dvm_syncs);
	ck_assert_uint_gt(with.stats->flush_ps, without.stats->flush_ps);
	run_fini(&with);
	run_fini(&without);
}
END_TEST

/* The SMMU uses the CPU's ASID in BTM, and where the kernel says so: it is pinned. */
START_TEST(binding_pins_the_asid_where_the_smmu_uses_it)
{
	static const struct {
		unsigned smmu, pins, pinned;
	} rows[] = { { BTM, 0, 1 }, { NOTIFIER, 0, 0 }, { NOTIFIER, 1, 1 }, { NONE, 1, 0 } };
	struct dvm_trace_record records[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 10),
		{ .kind = DVM_TRACE_OP_BEGIN, .task = 1, .mm = 1, .op = DVM_TRACE_OP_SVA_BIND,
		  .flags = DVM_TRACE_F_SIMULATED },
		{ .kind = DVM_TRACE_OP_END, .task = 1, .mm = 1, .op = DVM_TRACE_OP_SVA_BIND },
	};
	struct run r;

	for (size_t i = 0; i < COUNT(rows); i++) {
		run_init(&r);
		run_set_kernel(&r, "smmu", rows[i].smmu);
		run_set_kernel(&r, "sva_pins", rows[i].pins);
		run_strategy(&r, BROADCAST);
		run_trace(&r, 1, records, COUNT(records));
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		ck_assert_uint_eq(r.sim->guests->asids.pinned, rows[i].pinned);
		run_fini(&r);
	}
}
END_TEST

START_TEST(notified_calls_queue_behind_one_another)
{
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "smmu", NOTIFIER);
	run_strategy(&r, NOTIFYING);
	run_workload(&r, "sva:processes=4,bound=4,loops=20,work_ns=0");
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->notifier_calls, 80);
	/* 32 commands each: alone they would take exactly this. */
	ck_assert_uint_gt(r.stats->notifier_ps, 80 * (33 * run_params(&r)->smmu_command_ps +
			  32 * run_params(&r)->smmu_tlbi_ps + run_params(&r)->smmu_sync_ps));
	run_fini(&r);
}
END_TEST

/* ---- SME ---- */

/* Two threads of one process: one flushes while the other is in user mode. */
static void run_sme(struct run *r, bool part, bool kernel, unsigned sme, const char *strategy)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1),
		{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .mm = 1,
		  .flags = (uint16_t)(DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD | sme) },
		ON(0, 1),
		{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 2, .mm = 1 },
		RUN(1, 2, 1000000), RUN(0, 1, 100000), FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
		MARK(0, 1),
	};

	run_init(r);
	run_set(r, "erratum.sme_dvmsync", part);
	run_set_kernel(r, "sme_workaround", kernel);
	run_strategy(r, strategy);
	run_trace(r, 2, records, COUNT(records));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
}

/* kernel.md 1.2, 5: only on the part that has it, only with the work-around, only SME in user mode. */
static const struct {
	bool part, kernel;
	unsigned sme;
	unsigned interrupts;
} smes[] = {
	{ true, true, DVM_TRACE_F_SME, 1 }, { false, true, DVM_TRACE_F_SME, 0 },
	{ true, false, DVM_TRACE_F_SME, 0 }, { true, true, 0, 0 },
};

START_TEST(sme_work_around_interrupts_only_where_it_applies)
{
	struct run r, plain;
	const struct dvmi_hw *hw;

	run_sme(&r, smes[_i].part, smes[_i].kernel, smes[_i].sme, BROADCAST);
	run_sme(&plain, false, false, smes[_i].sme, BROADCAST);
	hw = run_params(&r);
	ck_assert_uint_eq(r.stats->sme_interrupts, smes[_i].interrupts);
	ck_assert_uint_eq(r.stats->flush_ps, plain.stats->flush_ps + smes[_i].interrupts *
			  (hw->ipi_send_ps + hw->ipi_deliver_ps + hw->ipi_handle_ps));
	run_fini(&r);
	run_fini(&plain);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "environment");

	tcase_add_loop_test(tc, the_notifier_takes_its_queue_and_sync, 0, COUNT(notified));
	tcase_add_test(tc, without_an_smmu_it_takes_nothing);
	tcase_add_test(tc, range_commands_make_fewer);
	tcase_add_loop_test(tc, a_device_that_a_flush_did_not_reach_is_caught, 0, COUNT(reach));
	tcase_add_test(tc, a_listening_smmu_is_one_more_target);
	tcase_add_test(tc, binding_pins_the_asid_where_the_smmu_uses_it);
	tcase_add_test(tc, notified_calls_queue_behind_one_another);
	tcase_add_loop_test(tc, sme_work_around_interrupts_only_where_it_applies, 0, COUNT(smes));
}

CHECK_MAIN("sim environment", add_cases)
