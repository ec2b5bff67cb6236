/* SPDX-License-Identifier: MIT */
#include "hw/rig.h"

#include <dvmsim/model.h>

/*
 * The models that ship reproduce the published measurements they are fitted to: by the closed forms
 * of docs/provenance.md, and by the simulated hardware, which must agree with the forms. Tolerances
 * are the residuals of the published fits. N is the number of snooped targets: every core of the
 * socket but the issuer's.
 */
static struct dvm_model *model;

static const struct dvmi_hw *load(const char *name)
{
	ck_assert_int_eq(dvm_model_find(DVM_MODEL_HW, name, DVMSIM_SOURCE_DIR "/models", &model,
					NULL), 0);
	return dvmi_model_hw(model);
}

static void unload(void)
{
	dvm_model_free(model);
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t spread(const struct dvmi_hw *hw)
{
	return 2 * hw->dvm_snoop_part_ps * (dvmi_hw_cores(hw) / hw->topology_sockets - 1);
}

/*
 * What another socket adds: the link there and back, its node's time, and the two parts to the one
 * core that the issuer's socket leaves out.
 */
static uint64_t remote(const struct dvmi_hw *hw, uint64_t node_ps)
{
	if (hw->topology_sockets == 1)
		return 0;
	return 2 * hw->dvm_socket_link_ps + node_ps + 2 * hw->dvm_snoop_part_ps;
}

static uint64_t round_op(const struct dvmi_hw *hw)
{
	return hw->dvm_request_ps + hw->dvm_node_op_ps + spread(hw) + hw->dvm_snoop_ps +
	       hw->dvm_target_op_ps + hw->dvm_response_ps + hw->dvm_comp_ps +
	       remote(hw, hw->dvm_node_op_ps);
}

static uint64_t round_sync(const struct dvmi_hw *hw)
{
	return hw->dvm_request_ps + hw->dvm_node_sync_ps + spread(hw) + hw->dvm_snoop_ps +
	       hw->dvm_target_sync_ps + hw->dvm_response_ps + hw->dvm_comp_ps +
	       remote(hw, hw->dvm_node_sync_ps);
}

static uint64_t per_op(const struct dvmi_hw *hw)
{
	uint64_t whole = hw->tlbi_issue_broadcast_ps + round_op(hw);

	return max(max(max(hw->tlbi_issue_broadcast_ps, hw->dvm_node_op_ps + spread(hw)),
		       hw->dvm_target_op_ps), whole / hw->tlbi_post_depth);
}

/*
 * One issuer, @n operations and a DSB ISH: the Sync waits for the last operation's Comp. The
 * simulated hardware takes exactly as long.
 */
static uint64_t lone(const struct dvmi_hw *hw, uint64_t n)
{
	uint64_t form = hw->tlbi_issue_broadcast_ps + (n - 1) * per_op(hw) + round_op(hw) +
			round_sync(hw) + hw->barrier_dsb_ish_ps;
	struct rig rig;

	rig_init(&rig, hw);
	ck_assert_uint_eq(rig_flush(&rig, 0, (unsigned)n, 0), form);
	rig_fini(&rig);
	return form;
}

/* One operation and its Sync where each Sync waits for the one before: the most they can take. */
static uint64_t service(const struct dvmi_hw *hw)
{
	return hw->dvm_node_op_ps + spread(hw) +
	       max(hw->dvm_node_sync_ps + spread(hw),
		   2 * hw->dvm_snoop_part_ps + hw->dvm_snoop_ps + hw->dvm_target_sync_ps +
			   hw->dvm_response_ps);
}

/* The same as simulated: @k issuers, time from one flush of CPU 0 to the next, in steady state. */
static uint64_t loaded(const struct dvmi_hw *hw, unsigned k)
{
	enum { ROUNDS = 100 };
	struct flusher fl[64] = { 0 };
	uint64_t now = 0, mark = 0;
	struct rig rig;

	rig_init(&rig, hw);
	for (uint32_t c = 0; c < k; c++) {
		fl[c].ops = 1;
		dvmi_evq_cpu_set(&rig.q, c, c * 1000);
	}
	while (fl[0].flushes < 2 * ROUNDS) {
		uint32_t cpu = rig_next(&rig, &now);

		if (!flusher_step(&rig, &fl[cpu], cpu, now))
			continue;
		if (!cpu && fl[0].flushes == ROUNDS)
			mark = fl[0].end_ps;
		dvmi_evq_cpu_set(&rig.q, cpu, fl[cpu].end_ps);
	}
	rig_fini(&rig);
	ck_assert_uint_le((fl[0].end_ps - mark) / ROUNDS, max(lone(hw, 1), k * service(hw)));
	return (fl[0].end_ps - mark) / ROUNDS;
}

static void near(uint64_t ps, uint64_t expected_ps, uint64_t tolerance_ps)
{
	uint64_t off = ps > expected_ps ? ps - expected_ps : expected_ps - ps;

	ck_assert_msg(off <= tolerance_ps, "%llu ps, published %llu ps", (unsigned long long)ps,
		      (unsigned long long)expected_ps);
}

/* C1: slots of two TLBIs; ns for VAE1IS + DSB ISH, for VAE1 + DSB NSH. kylin-lmbench@dae24cac,
 * tlbi-ab-nvhe.txt. Residual 206 ns; the timer's tick is 20 ns. */
static const struct {
	uint64_t slots, broadcast_ns, local_ns;
} c1[] = {
	{ 256, 6460, 2600 }, { 512, 12660, 5160 }, { 1024, 24100, 10280 }, { 2048, 47580, 20520 },
};

START_TEST(ftc862_tlbi_and_dsb)
{
	const struct dvmi_hw *hw = load("phytium-ftc862-8");

	near(lone(hw, 2 * c1[_i].slots), c1[_i].broadcast_ns * 1000, 206000);
	near(hw->barrier_dsb_nsh_ps + 2 * c1[_i].slots * hw->tlbi_issue_local_ps,
	     c1[_i].local_ns * 1000, 20000);
	/* Neither the node nor the number outstanding slows the measured stream. */
	ck_assert_uint_eq(per_op(hw), hw->tlbi_issue_broadcast_ps);
	unload();
}
END_TEST

/* C2: pages; ns for mprotect, for munmap. Same source, op-sweep-n80/nvhe.txt. KPTI: two TLBIs per
 * page, from 512 pages on two in all. Fitted within 5 %. */
static const struct {
	uint64_t pages, mprotect_ns, munmap_ns;
} c2[] = {
	{ 64, 5100, 16600 },	    { 128, 7800, 30600 },	{ 256, 13300, 51900 },
	{ 486, 22600, 96700 },	    { 512, 13100, 91700 },	{ 1024, 23500, 178200 },
	{ 2048, 44700, 352700 },    { 8192, 170200, 1401900 }, { 16384, 335600, 2806600 },
};

START_TEST(ftc862_mprotect_and_munmap)
{
	const struct dvmi_hw *hw = load("phytium-ftc862-8");
	uint64_t pages = c2[_i].pages;
	uint64_t call = hw->kernel_syscall_ps + hw->kernel_flush_call_ps + hw->barrier_dsb_st_ps;
	uint64_t flush = lone(hw, pages < 512 ? 2 * pages : 2);

	near(call + hw->kernel_mprotect_ps + pages * hw->kernel_pte_ps + flush,
	     c2[_i].mprotect_ns * 1000, c2[_i].mprotect_ns * 50);
	/* Dirty file pages: one flush per page-table page, of 512 pages. */
	near(call + hw->kernel_munmap_ps + pages * hw->kernel_zap_page_ps +
	     flush * max(pages / 512, 1), c2[_i].munmap_ns * 1000, c2[_i].munmap_ns * 50);
	unload();
}
END_TEST

/* C10: lmbench on board N90, same core: kylin-lmbench@dae24cac, lmbench-N10-4config-all-metrics. */
START_TEST(ftc862_kernel_costs)
{
	const struct dvmi_hw *hw = load("phytium-ftc862-8");

	ck_assert_uint_eq(hw->kernel_syscall_ps, 102900);
	ck_assert_uint_eq(hw->kernel_fault_ps, 254700);
	ck_assert_uint_eq(hw->kernel_context_switch_ps + hw->kernel_mm_switch_ps, 2380000);
	unload();
}
END_TEST

/* C3: pages, ns per __flush_tlb_range(); 504c7588-97e5-e014-fca0-c5511ae0d256@huawei.com.
 * Residual 70 ns. */
static const struct {
	uint64_t pages, ns;
} c3[] = {
	{ 1, 1457 },  { 2, 1911 },  { 3, 2382 },   { 4, 2827 },	  { 5, 3282 },
	{ 6, 3763 },  { 7, 4295 },  { 8, 4716 },   { 9, 5186 },	  { 10, 5618 },
	{ 16, 8427 }, { 32, 15938 }, { 64, 30890 }, { 128, 60802 }, { 256, 120826 },
};

START_TEST(huawei_a_flush_tlb_range)
{
	const struct dvmi_hw *hw = load("huawei-a");

	near(hw->kernel_flush_call_ps + hw->barrier_dsb_st_ps + lone(hw, c3[_i].pages),
	     c3[_i].ns * 1000, 70000);
	unload();
}
END_TEST

/* C4: 748 cycles per ptep_clear_flush(), 95 % = 710 of them in the DSB that ends it;
 * 20220707125242.425242-5-21cnbao@gmail.com. Rounded to a cycle. */
START_TEST(snapdragon_888_ptep_clear_flush)
{
	const struct dvmi_hw *hw = load("snapdragon-888");
	uint64_t cycle = 1000000000 / hw->clock_core_khz;

	near(lone(hw, 1) - hw->tlbi_issue_broadcast_ps,
	     710 * UINT64_C(1000000000) / hw->clock_core_khz, cycle);
	near(hw->kernel_flush_call_ps + hw->barrier_store_drain_ps + hw->barrier_dsb_st_ps +
	     lone(hw, 1),
	     748 * UINT64_C(1000000000) / hw->clock_core_khz, cycle);
	unload();
}
END_TEST

/* C5: dirty_log "next", 512 faults per vCPU, two flushes of one operation and a DSB each;
 * 20221112081714.2169495-1-ricarkol@google.com: 3.34 ms at 1 vCPU (1.85 without the flushes),
 * 5.78 ms at 8, 41.75 ms at 64. The fit was made at 1 and 64; at 8, where a fault's other work still
 * shows, it is too low by a fifth. */
START_TEST(ampereone_stage2_flushes)
{
	static const uint64_t ms64 = UINT64_C(41750000000), ms8 = UINT64_C(5780000000);
	const struct dvmi_hw *hw = load("ampereone-152");

	near(2 * lone(hw, 1), UINT64_C(1490000000) / 512, 20000);
	near(64 * 2 * service(hw), ms64 / 512, ms64 / 512 / 100);
	near(2 * loaded(hw, 64), ms64 / 512, ms64 / 512 / 50);
	near(2 * loaded(hw, 8), ms8 / 512, ms8 / 512 / 5);
	unload();
}
END_TEST

/* C6: 32 processes, 10,000 loops of two flushes, 2.1696 s;
 * 20200223192520.20808-4-aarcange@redhat.com. Two per loop is an assumption, hence "to a factor of
 * 2" in the model; given it, the form is exact to 1 %. Simulated, each target sits out its own Sync,
 * one in 32. */
START_TEST(emag_32_issuers)
{
	const struct dvmi_hw *hw = load("ampere-emag-32");

	near(20000 * 32 * service(hw), UINT64_C(2169600000000), UINT64_C(21696000000));
	near(20000 * loaded(hw, 32), UINT64_C(2169600000000),
	     UINT64_C(2169600000000) / 32);
	unload();
}
END_TEST

/* C8: 1149.48 / 860.24 = 1.34 and 1110.45 / 860.24 = 1.29;
 * 6e59905d-3e5b-bbd5-d192-9f18a0a152f5@jp.fujitsu.com. The noise is one mprotect() loop. */
START_TEST(thunderx2_bystander)
{
	const struct dvmi_hw *hw = load("thunderx2-2s");
	uint64_t loop = hw->kernel_syscall_ps + hw->kernel_mprotect_ps + hw->kernel_pte_ps +
			hw->kernel_flush_call_ps + hw->barrier_dsb_st_ps + lone(hw, 1);
	uint64_t left = loop - hw->dvm_bystander_op_ps - hw->dvm_bystander_sync_ps;

	ck_assert_uint_ge(loop * 1000 / left, 1290);
	ck_assert_uint_le(loop * 1000 / left, 1340);
	/* A bystander can not lose more than the time a target is busy. */
	ck_assert_uint_le(hw->dvm_bystander_op_ps + hw->dvm_bystander_sync_ps, service(hw));
	unload();
}
END_TEST

/* docs/model-author.md works these out. */
START_TEST(teaching_model_has_round_sums)
{
	const struct dvmi_hw *hw = load("teaching-4");

	ck_assert_uint_eq(round_op(hw), 400000);
	ck_assert_uint_eq(round_sync(hw), 500000);
	ck_assert_uint_eq(lone(hw, 1), 1000000);
	ck_assert_uint_eq(lone(hw, 11), 1400000);
	unload();
}
END_TEST

/* docs/provenance.md#unknown-split: DSB ISH after one TLBI is the middle of 0.3 to 1.5 us. */
START_TEST(generic_part_is_the_middle_of_the_box)
{
	const struct dvmi_hw *hw = load("generic-64");

	ck_assert_uint_eq(lone(hw, 1) - hw->tlbi_issue_broadcast_ps, (300000 + 1500000) / 2);
	unload();
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "calibration");

	tcase_add_loop_test(tc, ftc862_tlbi_and_dsb, 0, COUNT(c1));
	tcase_add_loop_test(tc, ftc862_mprotect_and_munmap, 0, COUNT(c2));
	tcase_add_test(tc, ftc862_kernel_costs);
	tcase_add_loop_test(tc, huawei_a_flush_tlb_range, 0, COUNT(c3));
	tcase_add_test(tc, snapdragon_888_ptep_clear_flush);
	tcase_add_test(tc, ampereone_stage2_flushes);
	tcase_add_test(tc, emag_32_issuers);
	tcase_add_test(tc, thunderx2_bystander);
	tcase_add_test(tc, teaching_model_has_round_sums);
	tcase_add_test(tc, generic_part_is_the_middle_of_the_box);
}

CHECK_MAIN("calibration", add_cases)
