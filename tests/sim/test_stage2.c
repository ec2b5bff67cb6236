/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "sim/stage2.h"

/* A guest's second stage: what its TLB misses cost, with accesses and without, and that it acts. */

static void guest(struct run *r, uint64_t block, uint64_t entries)
{
	run_init(r);
	run_set_kernel(r, "vm", DVMI_VM_GUEST);
	if (block) {
		run_set_kernel(r, "vm_stage2_block_bytes", block);
		run_set_kernel(r, "vm_stage2", 1);
	}
	run_set(r, "tlb.stage2_entries", entries);
	run_set(r, "tlb.walk_cache_entries", 0);
	run_strategy(r, BROADCAST);
}

#define PAGES 8

/* Each of PAGES pages once, then all of them once more. */
static void go_exact(struct run *r)
{
	const struct dvm_trace_record begin[] = { MM(1), TASK(1), ON(0, 1) };
	const struct dvm_trace_record run = { .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1,
					      .amount = 2 * PAGES };
	uint64_t accesses[2 * PAGES];

	for (uint64_t i = 0; i < 2 * PAGES; i++)
		accesses[i] = (i % PAGES) << 40;
	run_trace(r, 1, begin, COUNT(begin));
	ck_assert_int_eq(dvm_trace_append_accesses(r->trace, accesses, COUNT(accesses), &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, &run, 1, &r->err), 0);
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
}

/* KVM's 40 bits of IPA, 4 KiB pages: stage 2 begins at level 1; stage 1 has 4 levels. */
static const struct {
	uint64_t block, n2;
} blocks[] = { { 0, 0 }, { 4096, 3 }, { 2u << 20, 2 }, { 1u << 30, 1 } };

START_TEST(a_miss_in_a_guest_costs_a_nested_walk)
{
	uint64_t n2 = blocks[_i].n2, reads = (4 + 1) * (n2 + 1) - 1, l1;
	const struct dvmi_hw *hw;
	struct run r;

	guest(&r, blocks[_i].block, 0);
	hw = run_params(&r);
	go_exact(&r);
	l1 = r.stats->tlb_l1_misses;
	ck_assert_uint_eq(r.stats->tlb_l2_misses, PAGES);
	ck_assert_uint_eq(r.stats->run_ps, 2 * PAGES * (1000000000 / hw->clock_core_khz) +
						   l1 * hw->tlb_l2_hit_ps +
						   PAGES * reads * hw->tlb_walk_step_ps);
	run_fini(&r);
}
END_TEST

/* Leaves of 1 GiB over 1 GiB of guest: one entry serves everything after its first use. */
START_TEST(stage_2_entries_spare_a_guest_the_second_stage)
{
	const struct dvmi_hw *hw;
	struct run r;

	guest(&r, 1u << 30, 1);
	run_set_kernel(&r, "vm_memory_mib", 1024);
	hw = run_params(&r);
	go_exact(&r);
	ck_assert_uint_eq(r.stats->run_ps, 2 * PAGES * (1000000000 / hw->clock_core_khz) +
						   r.stats->tlb_l1_misses * hw->tlb_l2_hit_ps +
						   (PAGES * 4 + 1) * hw->tlb_walk_step_ps);
	run_fini(&r);
}
END_TEST

/*
 * Working sets: 64 pages in runs of 16. Leaves L: one per run, or per page when leaves are pages. A
 * cache of E entries misses (L - E) / L of the translations, each n2 reads more than native.
 */
static const struct {
	uint64_t block, entries, leaves, n2;
} sets[] = {
	{ 2u << 20, 64, 4, 2 }, { 2u << 20, 1, 4, 2 }, { 2u << 20, 0, 4, 2 }, { 4096, 16, 64, 3 },
	{ 4096, 64, 64, 3 },	{ 1u << 30, 2, 4, 1 },
};

START_TEST(refills_in_a_guest_cost_what_the_stage_2_cache_leaves)
{
	const struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 20000) };
	uint64_t l = sets[_i].leaves, e = sets[_i].entries, missing = l > e ? l - e : 0, rounds;
	const struct dvmi_hw *hw;
	struct run r;

	guest(&r, sets[_i].block, e);
	run_trace(&r, 1, t, COUNT(t));
	hw = run_params(&r);
	rounds = (64 + hw->tlb_walkers - 1) / hw->tlb_walkers;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_refills, 64);
	ck_assert_uint_eq(r.stats->refill_ps,
			  rounds * (hw->tlb_walk_step_ps +
				    hw->tlb_walk_step_ps * sets[_i].n2 * missing / l));
	run_fini(&r);
}
END_TEST

START_TEST(native_refills_read_one_descriptor)
{
	struct dvmi_hw hw = { .tlb_walk_step_ps = 7 };

	ck_assert_uint_eq(dvmi_sim_refill_ps(&hw, NULL, NULL, 64), 7);
}
END_TEST

/* A small guest has no more leaves than its memory: 64 MiB in 2-MiB leaves are 32. */
START_TEST(there_are_no_more_leaves_than_memory)
{
	struct dvmi_hw hw = { .tlb_walk_step_ps = 1000, .tlb_stage2_entries = 24 };
	struct dvmi_kernel_cfg cfg = { .page_bytes = 4096, .vm_stage2_page_bytes = 4096,
				       .vm_stage2_block_bytes = 2u << 20, .vm_ipa_bits = 40,
				       .vm_memory_mib = 64, .vm_run_bytes = 4096 };
	struct dvmi_stage2 s;

	ck_assert_int_eq(dvmi_sim_stage2(&cfg, &s, NULL), 0);
	ck_assert_uint_eq(dvmi_sim_refill_ps(&hw, &cfg, &s, 512), 1000 + 1000 * 2 * 8 / 32);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "stage 2");

	tcase_add_loop_test(tc, a_miss_in_a_guest_costs_a_nested_walk, 0, (int)COUNT(blocks));
	tcase_add_test(tc, stage_2_entries_spare_a_guest_the_second_stage);
	tcase_add_loop_test(tc, refills_in_a_guest_cost_what_the_stage_2_cache_leaves, 0,
			    (int)COUNT(sets));
	tcase_add_test(tc, native_refills_read_one_descriptor);
	tcase_add_test(tc, there_are_no_more_leaves_than_memory);
}

CHECK_MAIN("sim_stage2", add_cases)
