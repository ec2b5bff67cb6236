/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "env.h"

/*
 * Errata and kernel eras: each work-around acts on the operations that its commit names, on the parts
 * that have the erratum, from the version on that has it. Old form of the repeated TLBI: every TLBI
 * becomes TLBI; DSB ISH; TLBI, and nothing is deferred. New form (a8f78680ee6b, 7.0): one more TLBI and
 * DSB ISH per broadcast sync, kernel ranges and batches included, local completion and NOSYNC not.
 */

enum { PAGES = 8 };

enum what { USER, KERNEL, LOCAL_FIXUP, BATCH, AGING, WHATS };

static void do_one(struct run *r, enum what what)
{
	static const uint8_t ops[WHATS] = {
		DVM_TRACE_OP_MADVISE, DVM_TRACE_OP_KERNEL_MAP, DVM_TRACE_OP_FAULT_SPURIOUS,
		DVM_TRACE_OP_RECLAIM, DVM_TRACE_OP_YOUNG_CLEAR,
	};
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), ENV_HAS(1, 0, 2 * PAGES, 0), ON(0, 1), RUN(0, 1, 10),
		ENV_OP(0, 1, what == KERNEL ? 0 : 1, ops[what], 0, what == LOCAL_FIXUP ? 1 : PAGES, 0),
		ENV_END(0, 1, what == KERNEL ? 0 : 1, ops[what]),
	};

	run_set_kernel(r, "mglru", 0);
	run_strategy(r, ENV_KERNEL);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s", r->err.text);
}

/* Operations, local and broadcast, and Syncs: without erratum, old form, new form. */
static const struct {
	enum what what;
	struct {
		unsigned broadcast, local, syncs;
	} want[3];
} repeats[] = {
	{ USER, { { 8, 0, 1 }, { 16, 0, 8 + 1 }, { 8 + 1, 0, 2 } } },
	{ KERNEL, { { 8, 0, 1 }, { 16, 0, 8 + 1 }, { 8 + 1, 0, 2 } } },
	{ LOCAL_FIXUP, { { 0, 1, 0 }, { 0, 2, 0 }, { 0, 1, 0 } } },
	{ BATCH, { { 8, 0, 1 }, { 16, 0, 16 }, { 8 + 1, 0, 2 } } },
	{ AGING, { { 8, 0, 0 }, { 16, 0, 8 }, { 8, 0, 0 } } },
};

START_TEST(repeated_tlbi_acts_on_what_its_form_says)
{
	for (unsigned form = DVMI_REPEAT_NONE; form <= DVMI_REPEAT_NEW; form++) {
		struct run r;

		run_init(&r);
		run_set(&r, "erratum.repeat_tlbi", 1);
		run_set_kernel(&r, "repeat_tlbi", form);
		do_one(&r, repeats[_i].what);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, repeats[_i].want[form].broadcast);
		ck_assert_uint_eq(r.stats->tlbi_local, repeats[_i].want[form].local);
		ck_assert_uint_eq(r.stats->dvm_syncs, repeats[_i].want[form].syncs);
		run_fini(&r);
	}
}
END_TEST

/* A kernel with either form, on a part that is on no list: as without, batches included. */
START_TEST(repeated_tlbi_needs_a_part_of_the_lists)
{
	for (unsigned form = DVMI_REPEAT_OLD; form <= DVMI_REPEAT_NEW; form++) {
		struct run r;

		run_init(&r);
		run_set(&r, "erratum.repeat_tlbi", 0);
		run_set_kernel(&r, "repeat_tlbi", form);
		do_one(&r, repeats[_i].what);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, repeats[_i].want[0].broadcast);
		ck_assert_uint_eq(r.stats->tlbi_local, repeats[_i].want[0].local);
		ck_assert_uint_eq(r.stats->dvm_syncs, repeats[_i].want[0].syncs);
		run_fini(&r);
	}
}
END_TEST

/*
 * Who is on the lists of cfd391e74134 and before: Neoverse N1, V1, V2, the Cortex-X1 and A78 of Snapdragon
 * 888; 4193714 is C1-Pro's, which no part here is.
 */
static const struct {
	const char *part;
	unsigned repeat;
} listed[] = {
	{ "neoverse-n1-80", 1 },   { "neoverse-n1-128", 1 },  { "neoverse-v1-64", 1 },
	{ "neoverse-v2-96", 1 },   { "snapdragon-888", 1 },   { "phytium-ftc862-8", 0 },
	{ "thunderx2-2s", 0 },	   { "ampere-emag-32", 0 },
};

START_TEST(parts_have_the_errata_of_the_lists)
{
	struct run r;

	run_init(&r);
	run_hw(&r, listed[_i].part);
	ck_assert_uint_eq(run_params(&r)->erratum_repeat_tlbi, listed[_i].repeat);
	ck_assert_uint_eq(run_params(&r)->erratum_sme_dvmsync, 0);
	run_fini(&r);
}
END_TEST

/* ---- 4193714, C1-Pro ---- */

/* A thread in user mode with SME, whose memory kswapd unmaps, and what the batch does about it. */
static void reclaim_from(struct run *r, uint64_t part, uint64_t form, uint16_t sme)
{
	const struct dvm_trace_record t[] = {
		MM(1),
		{ .kind = DVM_TRACE_TASK_NEW, .task = 1, .mm = 1,
		  .flags = (uint16_t)(DVM_TRACE_F_INITIAL | sme) },
		{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .flags = DVM_TRACE_F_INITIAL },
		ENV_HAS(1, 0, PAGES, 0), ON(1, 1), { .kind = DVM_TRACE_SWITCH, .cpu = 0, .task = 2 },
		RUN(1, 1, 1000000), RUN(0, 2, 1000),
		ENV_OP(0, 2, 1, DVM_TRACE_OP_RECLAIM, 0, PAGES, 0),
		ENV_END(0, 2, 1, DVM_TRACE_OP_RECLAIM),
	};

	run_init(r);
	run_set(r, "erratum.sme_dvmsync", part);
	run_set_kernel(r, "sme_batch", form);
	run_strategy(r, ENV_KERNEL);
	run_trace(r, 2, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
}

/* Older form: a DSB ISH in each add, which notes the mm's mask; newer: who uses SME is asked once. */
static const struct {
	uint64_t part, form;
	uint16_t sme;
	unsigned syncs, interrupts;
} sme_rows[] = {
	{ 1, DVMI_SME_BATCH_MASK, DVM_TRACE_F_SME, PAGES, 1 },
	{ 1, DVMI_SME_BATCH_ACTIVE, DVM_TRACE_F_SME, 1, 1 },
	{ 1, DVMI_SME_BATCH_ACTIVE, 0, 1, 0 },
	{ 0, DVMI_SME_BATCH_MASK, DVM_TRACE_F_SME, 1, 0 },
};

START_TEST(sme_work_around_in_a_batch_follows_its_form)
{
	struct run r;

	reclaim_from(&r, sme_rows[_i].part, sme_rows[_i].form, sme_rows[_i].sme);
	ck_assert_uint_eq(r.stats->sme_interrupts, sme_rows[_i].interrupts);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, PAGES);
	ck_assert_uint_eq(r.stats->dvm_syncs, sme_rows[_i].syncs);
	run_fini(&r);
}
END_TEST

/* ---- NOBROADCAST ---- */

static const struct {
	uint8_t op;
	uint64_t spurious_local;
	unsigned broadcast, local;
} fixups[] = {
	{ DVM_TRACE_OP_FAULT_SPURIOUS, 0, 0, 0 }, /* flush_tlb_fix_spurious_fault() was empty */
	{ DVM_TRACE_OP_FAULT_SPURIOUS, 1, 0, 1 },
	{ DVM_TRACE_OP_FAULT_WP_REUSE, 0, 1, 0 },
	{ DVM_TRACE_OP_FAULT_WP_REUSE, 1, 0, 1 },
};

START_TEST(fix_ups_are_local_since_6_19)
{
	const struct dvm_trace_record fix[] = {
		MM(1), TASK(1), ENV_HAS(1, 0, 4, DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED), ON(0, 1),
		ENV_OP(0, 1, 1, DVM_TRACE_OP_MKCLEAN, 0, 4, 0),
		ENV_END(0, 1, 1, DVM_TRACE_OP_MKCLEAN),
		ENV_OP(0, 1, 1, fixups[_i].op, 0, 1, 0), ENV_END(0, 1, 1, fixups[_i].op),
	};
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "spurious_local", fixups[_i].spurious_local);
	run_shipped(&r, "always-broadcast");
	run_trace(&r, 1, fix, COUNT(fix));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	/* Four pages were made clean first, each with a flush of its own. */
	ck_assert_uint_eq(r.stats->flushes_broadcast, 4 + fixups[_i].broadcast);
	ck_assert_uint_eq(r.stats->flushes_local, fixups[_i].local);
	run_fini(&r);
}
END_TEST

/* ---- what ships ---- */

/*
 * The timeline: spurious_local 6.19 (cb1fa2e99955); deferred batches 6.6; contpte 6.9; range loop
 * downwards 6.9 (e2768b798a19); inline migrate_disable 6.18 (378b7708194f); none and voluntary gone
 * in 7.0 (7dadeaa6e851); walk caches of unshared tables May 2026 (c2ff4764e03e); SME work-around April
 * 2026 (0baba94a9779); 4118414 family 7.2 (cfd391e74134).
 */
static const struct {
	const char *kernel;
	uint64_t version, batch, contpte, ascending, inlined, fixup_local, lazy, sme, unshared, repeat;
} eras[] = {
	{ "linux-6.1", 601, 0, 0, 1, 0, 0, 0, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-6.6", 606, 1, 0, 1, 0, 0, 0, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-6.12", 612, 1, 1, 0, 0, 0, 0, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-6.18", 618, 1, 1, 0, 1, 0, 0, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-6.19", 619, 1, 1, 0, 1, 1, 0, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-7.0", 700, 1, 1, 0, 1, 1, 1, 0, 0, DVMI_REPEAT_NONE },
	{ "linux-7.1", 701, 1, 1, 0, 1, 1, 1, 1, 1, DVMI_REPEAT_NONE },
	{ "linux-7.2", 702, 1, 1, 0, 1, 1, 1, 1, 1, DVMI_REPEAT_NEW },
};

START_TEST(shipped_kernels_follow_the_timeline)
{
	const struct dvmi_kernel_cfg *k;
	struct run r;

	run_init(&r);
	run_kernel(&r, eras[_i].kernel);
	k = dvmi_model_kernel(r.kernel);
	ck_assert_uint_eq(k->version, eras[_i].version);
	ck_assert_uint_eq(k->deferred_batch, eras[_i].batch);
	ck_assert_uint_eq(k->contpte, eras[_i].contpte);
	ck_assert_uint_eq(k->range_ascending, eras[_i].ascending);
	ck_assert_uint_eq(k->migrate_inline, eras[_i].inlined);
	ck_assert_uint_eq(k->spurious_local, eras[_i].fixup_local);
	ck_assert_uint_eq(k->preempt >= DVMI_PREEMPT_LAZY, eras[_i].lazy);
	ck_assert_uint_eq(k->sme_workaround, eras[_i].sme);
	ck_assert_uint_eq(k->unshared_walk, eras[_i].unshared);
	ck_assert_uint_eq(k->repeat_tlbi, eras[_i].repeat);
	run_fini(&r);
}
END_TEST

/* The same in action: what each of these kernels does on a part that has the erratum. */
START_TEST(a_kernel_flushes_as_its_era)
{
	struct run r;
	unsigned again = eras[_i].repeat == DVMI_REPEAT_NEW;

	run_init(&r);
	run_set(&r, "erratum.repeat_tlbi", 1);
	run_kernel(&r, eras[_i].kernel);
	do_one(&r, BATCH);
	ck_assert_uint_eq(r.stats->dvm_syncs, (eras[_i].batch ? 1u : PAGES) + again);
	run_fini(&r);
	run_init(&r);
	run_kernel(&r, eras[_i].kernel);
	do_one(&r, LOCAL_FIXUP);
	ck_assert_uint_eq(r.stats->tlbi_local, eras[_i].fixup_local);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, 0);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "env errata");

	tcase_add_loop_test(tc, repeated_tlbi_acts_on_what_its_form_says, 0, COUNT(repeats));
	tcase_add_loop_test(tc, repeated_tlbi_needs_a_part_of_the_lists, 0, COUNT(repeats));
	tcase_add_loop_test(tc, parts_have_the_errata_of_the_lists, 0, COUNT(listed));
	tcase_add_loop_test(tc, sme_work_around_in_a_batch_follows_its_form, 0, COUNT(sme_rows));
	tcase_add_loop_test(tc, fix_ups_are_local_since_6_19, 0, COUNT(fixups));
	tcase_add_loop_test(tc, shipped_kernels_follow_the_timeline, 0, COUNT(eras));
	tcase_add_loop_test(tc, a_kernel_flushes_as_its_era, 0, COUNT(eras));
}

CHECK_MAIN("sim env errata", add_cases)
