/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>

/*
 * The time of one flush against the closed forms of docs/model-hardware.md, through the whole
 * engine. N = snooped targets. All parameters are the part's; none is repeated here.
 */

static uint64_t snoop_all(const struct dvmi_hw *hw)
{
	return 2 * hw->dvm_snoop_part_ps * (dvmi_hw_cores(hw) - 1);
}

static uint64_t round_op(const struct dvmi_hw *hw)
{
	return hw->dvm_request_ps + hw->dvm_node_op_ps + snoop_all(hw) + hw->dvm_snoop_ps +
	       hw->dvm_target_op_ps + hw->dvm_response_ps + hw->dvm_comp_ps;
}

static uint64_t round_sync(const struct dvmi_hw *hw)
{
	return hw->dvm_request_ps + hw->dvm_node_sync_ps + snoop_all(hw) + hw->dvm_snoop_ps +
	       hw->dvm_target_sync_ps + hw->dvm_response_ps + hw->dvm_comp_ps;
}

/* Before the TLBI: the call, the DSB ST that drains the PTE store, the load of the ASID. */
static uint64_t before_tlbi(const struct dvmi_hw *hw)
{
	uint64_t drain = hw->barrier_store_drain_ps;
	uint64_t call = hw->kernel_flush_call_ps;

	return (call > drain ? call : drain) + hw->barrier_dsb_st_ps + hw->line_local_ps;
}

static void one_flush(struct run *r, const char *strategy, uint64_t pages, uint8_t cause)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, pages, cause), RUN(0, 1, 1000) };

	run_strategy(r, strategy);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
	ck_assert_uint_eq(r->stats->flushes, 1);
}

START_TEST(broadcast_flush_costs_its_two_rounds)
{
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	hw = run_params(&r);
	ck_assert_uint_eq(hw->dvm_early_comp, 0);
	ck_assert_uint_eq(r.stats->flush.max_ps, before_tlbi(hw) + hw->tlbi_issue_broadcast_ps +
			  round_op(hw) + round_sync(hw) + hw->barrier_dsb_ish_ps);
	ck_assert_uint_eq(r.stats->dvm_nonsyncs, 1);
	ck_assert_uint_eq(r.stats->dvm_syncs, 1);
	run_fini(&r);
}
END_TEST

/* Serial issue: each operation waits for the Comp of the one before. */
START_TEST(serial_operations_cost_a_round_each)
{
	uint64_t one, ten;
	struct run r;

	run_init(&r);
	run_set(&r, "tlbi.post_depth", 1);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	one = r.stats->flush.max_ps;
	run_fini(&r);
	run_init(&r);
	run_set(&r, "tlbi.post_depth", 1);
	one_flush(&r, BROADCAST, 10, DVM_TRACE_OP_MPROTECT);
	ten = r.stats->flush.max_ps;
	if (!run_params(&r)->feature_range_tlbi)
		ck_assert_uint_eq(ten - one, 9 * (run_params(&r)->tlbi_issue_broadcast_ps +
						  round_op(run_params(&r))));
	ck_assert_uint_eq(run_params(&r)->feature_range_tlbi, 0);
	run_fini(&r);
}
END_TEST

START_TEST(local_flush_is_linear_in_operations)
{
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	one_flush(&r, LOCAL, (uint64_t)_i, DVM_TRACE_OP_MPROTECT);
	hw = run_params(&r);
	ck_assert_uint_eq(r.stats->flush.max_ps, before_tlbi(hw) +
			  (uint64_t)_i * hw->tlbi_issue_local_ps + hw->barrier_dsb_nsh_ps);
	ck_assert_uint_eq(r.stats->dvm_nonsyncs + r.stats->dvm_syncs, 0);
	run_fini(&r);
}
END_TEST

/* KPTI: two operations for each user operand, one DSB. */
START_TEST(kpti_doubles_operations_not_barriers)
{
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "kpti", 1);
	one_flush(&r, BROADCAST, 3, DVM_TRACE_OP_MPROTECT);
	ck_assert_uint_eq(r.stats->dvm_nonsyncs, 6);
	ck_assert_uint_eq(r.stats->dvm_syncs, 1);
	run_fini(&r);
}
END_TEST

/*
 * workaround form, strategy -> operations and Syncs of a 3-page flush. New: one more TLBI and DSB
 * per broadcast sync. Old: TLBI; DSB ISH; TLBI for each, local ones too (commit a8f78680ee6b).
 */
static const struct {
	uint64_t form;
	const char *strategy;
	uint64_t broadcasts, locals, syncs;
} repeats[] = {
	{ DVMI_REPEAT_NONE, BROADCAST, 3, 0, 1 }, { DVMI_REPEAT_NEW, BROADCAST, 4, 0, 2 },
	{ DVMI_REPEAT_NEW, LOCAL, 0, 3, 0 },      { DVMI_REPEAT_OLD, BROADCAST, 6, 0, 4 },
	{ DVMI_REPEAT_OLD, LOCAL, 0, 6, 0 },
};

START_TEST(erratum_workaround_repeats_what_its_form_says)
{
	struct run r;

	run_init(&r);
	run_set(&r, "erratum.repeat_tlbi", 1);
	run_set_kernel(&r, "repeat_tlbi", repeats[_i].form);
	one_flush(&r, repeats[_i].strategy, 3, DVM_TRACE_OP_MPROTECT);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, repeats[_i].broadcasts);
	ck_assert_uint_eq(r.stats->tlbi_local, repeats[_i].locals);
	ck_assert_uint_eq(r.stats->dvm_syncs, repeats[_i].syncs);
	run_fini(&r);
}
END_TEST

START_TEST(workaround_is_idle_on_parts_without_the_erratum)
{
	struct run r;

	run_init(&r);
	run_set(&r, "erratum.repeat_tlbi", 0);
	run_set_kernel(&r, "repeat_tlbi", DVMI_REPEAT_NEW);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	ck_assert_uint_eq(r.stats->dvm_syncs, 1);
	run_fini(&r);
}
END_TEST

/* HCR_EL2.FB broadcasts the guest's local TLBI; BSU = IS makes its DSB NSH wait for the round. */
START_TEST(guest_with_fb_pays_a_broadcast_for_a_local_flush)
{
	uint64_t local, broadcast;
	struct run r;

	run_init(&r);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	broadcast = r.stats->flush.max_ps;
	run_fini(&r);
	run_init(&r);
	run_set_kernel(&r, "vm", DVMI_VM_GUEST);
	run_set_kernel(&r, "vm_fb", 1);
	run_set_kernel(&r, "vm_bsu", DVMI_BSU_IS);
	one_flush(&r, LOCAL, 1, DVM_TRACE_OP_MPROTECT);
	local = r.stats->flush.max_ps;
	ck_assert_uint_eq(local, broadcast);
	ck_assert_uint_eq(r.stats->tlbi_local, 0);
	run_fini(&r);
}
END_TEST

/* RO -> RW: local since 6.19 whatever the strategy does elsewhere (commit cb1fa2e99955). */
START_TEST(upgrade_fault_is_local_since_6_19)
{
	struct run r;

	for (unsigned fix = 0; fix < 2; fix++) {
		struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1),
			FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_FAULT_WP_REUSE), RUN(0, 1, 10) };

		run_init(&r);
		run_set_kernel(&r, "spurious_local", fix);
		run_shipped(&r, "always-broadcast");
		run_trace(&r, 1, t, COUNT(t));
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		ck_assert_uint_eq(r.stats->flushes_local, fix);
		ck_assert_uint_eq(r.stats->flushes_broadcast, 1 - fix);
		run_fini(&r);
	}
}
END_TEST

/* A lone CPU that computes loses bystander_op + bystander_sync per flush of another. */
START_TEST(bystander_loses_what_the_part_says_per_flush)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
					{ .kind = DVM_TRACE_MM_NEW, .cpu = 1, .mm = 2,
					  .flags = DVM_TRACE_F_INITIAL },
					{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 2, .mm = 2,
					  .flags = DVM_TRACE_F_INITIAL },
					ON(1, 2), RUN(1, 2, 100000), MARK(1, 2) };
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	hw = run_params(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_gt(hw->dvm_bystander_sync_ps, 0);
	ck_assert_uint_eq(r.stats->bystander_ps, hw->dvm_bystander_op_ps + hw->dvm_bystander_sync_ps);
	run_fini(&r);
}
END_TEST

/*
 * migrate_disable() and its kin: the part says what each costs, the kernel which of it there is.
 * Before 6.18 migrate_disable() and migrate_enable() are function calls; preempt_disable() is
 * nothing where the kernel keeps no counter, and lazy, full and rt preemption always keep one.
 */
#define MIGRATE "strategy m\non flush:\n dsb ishst\n asid\n migrate_disable\n tlbi is\n sync ish\n" \
		" migrate_enable\n ret\n"
#define PREEMPT "strategy p\non flush:\n dsb ishst\n asid\n preempt_disable\n tlbi is\n sync ish\n" \
		" preempt_enable\n ret\n"

static const struct {
	const char *strategy;
	uint64_t migrate_inline, preempt, preempt_count, cost_ps;
} protections[] = {
	{ MIGRATE, 1, DVMI_PREEMPT_LAZY, 1, 7000 + 3000 },
	{ MIGRATE, 0, DVMI_PREEMPT_LAZY, 1, 7000 + 3000 + 2 * 1100 },
	{ MIGRATE, 1, DVMI_PREEMPT_NONE, 0, 7000 + 3000 },
	{ PREEMPT, 1, DVMI_PREEMPT_NONE, 0, 0 },
	{ PREEMPT, 1, DVMI_PREEMPT_VOLUNTARY, 0, 0 },
	{ PREEMPT, 1, DVMI_PREEMPT_VOLUNTARY, 1, 2300 + 1700 },
	{ PREEMPT, 0, DVMI_PREEMPT_LAZY, 1, 2300 + 1700 },
	{ PREEMPT, 1, DVMI_PREEMPT_FULL, 1, 2300 + 1700 },
	{ PREEMPT, 1, DVMI_PREEMPT_RT, 1, 2300 + 1700 },
};

START_TEST(protection_costs_what_part_and_kernel_say)
{
	uint64_t bare;
	struct run r;

	run_init(&r);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	bare = r.stats->flush.max_ps;
	run_fini(&r);
	run_init(&r);
	run_set(&r, "kernel.migrate_disable_ps", 7000);
	run_set(&r, "kernel.migrate_enable_ps", 3000);
	run_set(&r, "kernel.migrate_call_ps", 1100);
	run_set(&r, "kernel.preempt_disable_ps", 2300);
	run_set(&r, "kernel.preempt_enable_ps", 1700);
	run_set_kernel(&r, "migrate_inline", protections[_i].migrate_inline);
	run_set_kernel(&r, "preempt", protections[_i].preempt);
	run_set_kernel(&r, "preempt_count", protections[_i].preempt_count);
	one_flush(&r, protections[_i].strategy, 1, DVM_TRACE_OP_MPROTECT);
	ck_assert_uint_eq(r.stats->flush.max_ps, bare + protections[_i].cost_ps);
	run_fini(&r);
}
END_TEST

/* The first wait as it is; the next ones count an eighth; a CPU knows its own only. */
START_TEST(dvm_load_is_the_moving_average_of_own_syncs)
{
	const struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), FLUSH_MM(0, 1),
					      RUN(0, 1, 1000), FLUSH_MM(0, 1), RUN(0, 1, 10) };
	uint64_t first;
	char text[512];
	struct run r;

	run_init(&r);
	one_flush(&r, BROADCAST, 1, DVM_TRACE_OP_MPROTECT);
	first = r.stats->dsb.max_ps;
	ck_assert_uint_gt(first, 1000);
	run_fini(&r);
	/* The second flush is local if the load is what the first one's wait was, and only then. */
	for (unsigned off = 0; off < 2; off++) {
		snprintf(text, sizeof(text),
			 "strategy t\non flush:\n bifnot env.dvm_load, wide\n bne env.dvm_load, %llu,"
			 " wide\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\nwide:\n dsb ishst\n"
			 " asid\n tlbi is\n sync ish\n ret\n",
			 (unsigned long long)(first / 1000 + off));
		run_init(&r);
		run_strategy(&r, text);
		run_trace(&r, 1, t, COUNT(t));
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		ck_assert_uint_eq(r.stats->flushes_local, 1 - off);
		run_fini(&r);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "cost");

	tcase_add_test(tc, broadcast_flush_costs_its_two_rounds);
	tcase_add_test(tc, serial_operations_cost_a_round_each);
	tcase_add_loop_test(tc, local_flush_is_linear_in_operations, 1, 5);
	tcase_add_test(tc, kpti_doubles_operations_not_barriers);
	tcase_add_loop_test(tc, erratum_workaround_repeats_what_its_form_says, 0, COUNT(repeats));
	tcase_add_test(tc, workaround_is_idle_on_parts_without_the_erratum);
	tcase_add_test(tc, guest_with_fb_pays_a_broadcast_for_a_local_flush);
	tcase_add_loop_test(tc, protection_costs_what_part_and_kernel_say, 0,
			    COUNT(protections));
	tcase_add_test(tc, upgrade_fault_is_local_since_6_19);
	tcase_add_test(tc, dvm_load_is_the_moving_average_of_own_syncs);
	tcase_add_test(tc, bystander_loses_what_the_part_says_per_flush);
}

CHECK_MAIN("sim cost", add_cases)
