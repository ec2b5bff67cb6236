/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

/*
 * How long preemption and interrupts are off around TLBIs (docs/model.md, "Worst-case latency"). All
 * workloads run alone on a CPU, so that nothing else can move a time.
 */

static void one_flush(struct run *r, enum dvmi_preempt preempt, uint64_t pages, uint8_t cause)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, pages, cause), RUN(0, 1, 1000) };

	run_set_kernel(r, "preempt", preempt);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
	ck_assert_uint_eq(r->stats->flushes, 1);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * active-cpu-preempt-disable, local: from the end of preempt_disable, load, DSB ISH (behind the
 * page-table store), load, load of the ASID, n TLBIs, DSB NSH. 511 is the longest list of single
 * operations: MAX_DVM_OPS is PTRS_PER_PTE, and a longer one becomes a flush of the ASID.
 */
START_TEST(preempt_disable_holds_for_the_list_and_its_dsb)
{
	static const uint64_t lists[] = { 1, 20, 511 };
	const uint64_t n = lists[_i];
	const struct dvm_section *of;
	const struct dvmi_hw *hw;
	uint64_t begin, load;
	struct run r;

	run_init(&r);
	run_shipped(&r, "active-cpu-preempt-disable");
	one_flush(&r, DVMI_PREEMPT_FULL, n, DVM_TRACE_OP_MUNMAP);
	hw = run_params(&r);
	ck_assert_uint_eq(hw->feature_range_tlbi | hw->dvm_idle_sync, 0);
	begin = hw->kernel_flush_call_ps + hw->kernel_preempt_disable_ps;
	load = begin + hw->line_local_ps;
	of = &r.stats->no_preemption;
	ck_assert_uint_eq(of->length.count, 1);
	ck_assert_uint_eq(of->length.max_ps,
			  later(load, hw->barrier_store_drain_ps) - begin +
			  hw->barrier_dsb_ish_ps + 2 * hw->line_local_ps +
			  n * hw->tlbi_issue_local_ps + hw->barrier_dsb_nsh_ps);
	ck_assert_uint_eq(of->tlbis, n);
	ck_assert_uint_eq(of->cause, DVM_SECTION_PREEMPT);
	ck_assert_str_eq(of->hook, "flush");
	ck_assert_uint_gt(of->line, 0);
	ck_assert_uint_eq(of->record, 4);
	ck_assert_uint_eq(of->op, DVM_TRACE_OP_MUNMAP);
	ck_assert_uint_eq(r.stats->no_interrupts.length.count, 0);
	run_fini(&r);
}
END_TEST

/* The same list with migrate_disable, where kernel code can be preempted: nobody waits for it. */
START_TEST(migrate_disable_keeps_nobody_out)
{
	struct run r;

	run_init(&r);
	run_shipped(&r, "active-cpu-v2");
	one_flush(&r, (enum dvmi_preempt)_i, 511, DVM_TRACE_OP_MUNMAP);
	ck_assert_uint_eq(r.stats->tlbi_local, 511);
	ck_assert_uint_eq(r.stats->no_preemption.length.count, 0);
	ck_assert_uint_eq(r.stats->no_preemption.length.max_ps, 0);
	run_fini(&r);
}
END_TEST

/*
 * Which models take preemption away from a flush, by its caller: NONE and VOLUNTARY preempt no kernel
 * code; COW faults flush under the page-table lock, which spins everywhere but on RT
 * (mm/memory.c wp_page_copy(), kernel/locking/spinlock_rt.c).
 */
static const struct {
	enum dvmi_preempt preempt;
	uint8_t cause;
	bool off;
	unsigned why;
} callers[] = {
	{ DVMI_PREEMPT_NONE, DVM_TRACE_OP_MUNMAP, true, DVM_SECTION_KERNEL },
	{ DVMI_PREEMPT_VOLUNTARY, DVM_TRACE_OP_MUNMAP, true, DVM_SECTION_KERNEL },
	{ DVMI_PREEMPT_LAZY, DVM_TRACE_OP_MUNMAP, false, 0 },
	{ DVMI_PREEMPT_FULL, DVM_TRACE_OP_MUNMAP, false, 0 },
	{ DVMI_PREEMPT_RT, DVM_TRACE_OP_MUNMAP, false, 0 },
	{ DVMI_PREEMPT_NONE, DVM_TRACE_OP_FAULT_COW, true, DVM_SECTION_KERNEL },
	{ DVMI_PREEMPT_LAZY, DVM_TRACE_OP_FAULT_COW, true, DVM_SECTION_LOCK },
	{ DVMI_PREEMPT_FULL, DVM_TRACE_OP_FAULT_COW, true, DVM_SECTION_LOCK },
	{ DVMI_PREEMPT_RT, DVM_TRACE_OP_FAULT_COW, false, 0 },
};

START_TEST(the_caller_and_the_model_say_whether_a_flush_can_be_preempted)
{
	const struct dvm_section *of;
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	one_flush(&r, callers[_i].preempt, 3, callers[_i].cause);
	of = &r.stats->no_preemption;
	ck_assert_uint_eq(of->length.count, callers[_i].off);
	if (callers[_i].off) {
		ck_assert_uint_eq(of->length.max_ps, r.stats->flush.max_ps);
		ck_assert_uint_eq(of->cause, callers[_i].why);
		ck_assert_uint_eq(of->line, 0);
		ck_assert_uint_eq(of->tlbis, 3);
	}
	run_fini(&r);
}
END_TEST

/* One inside the other is one; without a TLBI and its DSB it is none. */
static const struct {
	const char *body;
	unsigned preempt, irqs; /* how many */
	uint64_t tlbis;
} nests[] = {
	{ " preempt_disable\n asid\n preempt_enable\n tlbi local\n dsb nsh\n ret\n", 0, 0, 0 },
	{ " preempt_disable\n irq_disable\n asid\n tlbi local\n irq_enable\n dsb nsh\n"
	  " preempt_enable\n ret\n", 1, 1, 2 },
	{ " preempt_disable\n asid\n tlbi local\n preempt_disable\n tlbi local\n preempt_enable\n"
	  " dsb nsh\n preempt_enable\n ret\n", 1, 0, 4 },
	{ " irq_disable\n asid\n tlbi local\n dsb nsh\n irq_enable\n preempt_disable\n tlbi local\n"
	  " dsb nsh\n preempt_enable\n ret\n", 2, 1, 2 },
	/* A DSB that waits for broadcasts is time, whoever issued them. */
	{ " asid\n tlbi is\n preempt_disable\n dsb ish\n preempt_enable\n ret\n", 1, 0, 0 },
};

START_TEST(nested_sections_are_one)
{
	char text[512];
	struct run r;

	snprintf(text, sizeof(text), "strategy t\non flush:\n%s", nests[_i].body);
	run_init(&r);
	run_strategy(&r, text);
	one_flush(&r, DVMI_PREEMPT_FULL, 2, DVM_TRACE_OP_MUNMAP);
	ck_assert_uint_eq(r.stats->no_preemption.length.count, nests[_i].preempt);
	ck_assert_uint_eq(r.stats->no_interrupts.length.count, nests[_i].irqs);
	ck_assert_uint_eq(r.stats->no_preemption.tlbis, nests[_i].tlbis);
	run_fini(&r);
}
END_TEST

/*
 * An IPI: its sender can not be preempted from the first interrupt to the last answer
 * (on_each_cpu_cond_mask()); its target takes no interrupts while it handles it.
 */
START_TEST(an_ipi_holds_its_sender_and_its_target)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, 2, DVM_TRACE_OP_MUNMAP), RUN(0, 1, 1000) };
	const struct dvmi_hw *hw;
	uint64_t handler;
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "preempt", DVMI_PREEMPT_FULL);
	run_strategy(&r, "strategy t\non flush:\n asid\n mask.none m\n mask.set m, 1\n ipi m\n"
			 " tlbi local\n dsb nsh\n ret\non ipi:\n tlbi local\n dsb nsh\n ret\n");
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	hw = run_params(&r);
	handler = hw->ipi_handle_ps + 2 * hw->tlbi_issue_local_ps + hw->barrier_dsb_nsh_ps;
	ck_assert_uint_eq(r.stats->no_interrupts.length.count, 1);
	ck_assert_uint_eq(r.stats->no_interrupts.length.max_ps, handler);
	ck_assert_uint_eq(r.stats->no_interrupts.cause, DVM_SECTION_HOOK);
	ck_assert_uint_eq(r.stats->no_interrupts.cpu, 1);
	ck_assert_str_eq(r.stats->no_interrupts.hook, "ipi");
	ck_assert_uint_eq(r.stats->no_preemption.length.count, 2);
	ck_assert_uint_eq(r.stats->no_preemption.length.max_ps,
			  hw->ipi_send_ps + hw->ipi_deliver_ps + handler);
	ck_assert_uint_eq(r.stats->no_preemption.cause, DVM_SECTION_IPI);
	ck_assert_uint_eq(r.stats->no_preemption.line, 6);
	run_fini(&r);
}
END_TEST

/* The scheduler's hooks run with interrupts off, in every model. */
START_TEST(a_flush_at_a_switch_holds_interrupts_off)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000) };
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "preempt", (uint64_t)_i);
	run_strategy(&r, "strategy t\non switch-in:\n asid\n tlbi local asid\n dsb nsh\n ret\n"
			 "on flush:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n");
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	hw = run_params(&r);
	ck_assert_uint_eq(r.stats->no_interrupts.length.count, 1);
	ck_assert_uint_ge(r.stats->no_interrupts.length.max_ps,
			  hw->tlbi_issue_local_ps + hw->barrier_dsb_nsh_ps);
	ck_assert_uint_eq(r.stats->no_interrupts.length.max_ps, r.stats->switch_ps);
	ck_assert_uint_eq(r.stats->no_interrupts.cause, DVM_SECTION_HOOK);
	ck_assert_uint_eq(r.stats->no_interrupts.record, UINT64_MAX);
	ck_assert_str_eq(r.stats->no_interrupts.hook, "switch-in");
	run_fini(&r);
}
END_TEST

START_TEST(every_cause_has_a_name)
{
	for (unsigned i = 0; i < DVM_SECTION_CAUSES; i++)
		ck_assert_ptr_nonnull(dvm_section_cause_name(i));
	ck_assert_ptr_null(dvm_section_cause_name(DVM_SECTION_CAUSES));
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "sections");

	tcase_add_loop_test(tc, preempt_disable_holds_for_the_list_and_its_dsb, 0, 3);
	tcase_add_loop_test(tc, migrate_disable_keeps_nobody_out, DVMI_PREEMPT_LAZY,
			    DVMI_PREEMPT_RT + 1);
	tcase_add_loop_test(tc, the_caller_and_the_model_say_whether_a_flush_can_be_preempted, 0,
			    COUNT(callers));
	tcase_add_loop_test(tc, nested_sections_are_one, 0, COUNT(nests));
	tcase_add_test(tc, an_ipi_holds_its_sender_and_its_target);
	tcase_add_loop_test(tc, a_flush_at_a_switch_holds_interrupts_off, DVMI_PREEMPT_NONE,
			    DVMI_PREEMPT_RT + 1);
	tcase_add_test(tc, every_cause_has_a_name);
}

CHECK_MAIN("sim_section", add_cases)
