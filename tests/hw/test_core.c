/* SPDX-License-Identifier: MIT */
/* What each barrier waits for, row by row of the table in hw/core.h; IPIs; topology. */
#include "rig.h"

#include "hw/ipi.h"

#include <dvmsim/error.h>

/* What is outstanding when the barrier begins, at time 0 */
enum { STORE = 1, LOAD = 2, LOCAL = 4, BROADCAST = 8 };

#define LOAD_DONE 70001u

/* Time at which the round of one broadcast TLBI issued at -issue, and its Sync, is over. */
static uint64_t round_ps(const struct dvmi_hw *hw, uint64_t n)
{
	uint64_t hops =
		hw->dvm_request_ps + hw->dvm_snoop_ps + hw->dvm_response_ps + hw->dvm_comp_ps;

	return 2 * hops + hw->dvm_node_op_ps + hw->dvm_node_sync_ps +
	       4 * hw->dvm_snoop_part_ps * n + hw->dvm_target_op_ps + hw->dvm_target_sync_ps;
}

/* waits: which of the outstanding kinds; cost: 0 dsb_st, 1 dsb_nsh, 2 dsb_ish */
static const struct {
	enum dvmi_dsb_type type;
	enum dvmi_dsb_domain domain;
	int waits, cost;
} rows[] = {
	{DVMI_DSB_ST, DVMI_DSB_NSH, STORE, 0},
	{DVMI_DSB_ST, DVMI_DSB_ISH, STORE, 0},
	{DVMI_DSB_ST, DVMI_DSB_OSH, STORE, 0},
	{DVMI_DSB_ST, DVMI_DSB_SY, STORE, 0},
	{DVMI_DSB_LD, DVMI_DSB_NSH, LOAD, 0},
	{DVMI_DSB_LD, DVMI_DSB_ISH, LOAD, 0},
	{DVMI_DSB_LD, DVMI_DSB_OSH, LOAD, 0},
	{DVMI_DSB_LD, DVMI_DSB_SY, LOAD, 0},
	{DVMI_DSB_ALL, DVMI_DSB_NSH, STORE | LOAD | LOCAL, 1},
	{DVMI_DSB_ALL, DVMI_DSB_ISH, STORE | LOAD | LOCAL | BROADCAST, 2},
	{DVMI_DSB_ALL, DVMI_DSB_OSH, STORE | LOAD | LOCAL | BROADCAST, 2},
	{DVMI_DSB_ALL, DVMI_DSB_SY, STORE | LOAD | LOCAL | BROADCAST, 2},
};

static uint64_t expected(const struct dvmi_hw *hw, int row, int outstanding)
{
	int waits = rows[row].waits & outstanding;
	uint64_t t = 0;

	if (waits & STORE)
		t = hw->barrier_store_drain_ps;
	if (waits & LOAD && t < LOAD_DONE)
		t = LOAD_DONE;
	if (rows[row].cost == 0)
		return t + hw->barrier_dsb_st_ps;
	if (rows[row].cost == 1)
		return t + hw->barrier_dsb_nsh_ps;
	if (waits & LOCAL)
		t += hw->barrier_dsb_nsh_ps;
	if (waits & BROADCAST && t < round_ps(hw, 7))
		t = round_ps(hw, 7);
	return t + hw->barrier_dsb_ish_ps;
}

/* The DSB's end, whether it waits for a Sync or not. */
static uint64_t dsb(struct rig *rig, int row, uint64_t now)
{
	uint64_t done = 0;
	int ret = dvmi_core_dsb(&rig->core, 0, now, rows[row].type, rows[row].domain, &done);

	ck_assert_int_ge(ret, 0);
	if (ret == DVMI_FABRIC_DONE)
		return done;
	ck_assert_uint_eq(rig_next(rig, &now), 0);
	return dvmi_core_dsb_end(&rig->core, 0, now);
}

/* Every barrier with every set of things outstanding. */
START_TEST(dsb_waits_for_what_its_type_and_domain_say)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	int row = _i / 16, outstanding = _i % 16;
	uint64_t t;
	struct rig rig;

	hw.tlbi_issue_broadcast_ps = hw.tlbi_issue_local_ps = 0;
	rig_init(&rig, &hw);
	if (outstanding & STORE)
		dvmi_core_store(&rig.core, 0, 0);
	if (outstanding & LOAD)
		dvmi_core_load_until(&rig.core, 0, LOAD_DONE);
	if (outstanding & LOCAL)
		ck_assert_uint_eq(dvmi_core_tlbi_local(&rig.core, 0, 0), 0);
	if (outstanding & BROADCAST)
		ck_assert_int_eq(dvmi_core_tlbi_broadcast(&rig.core, 0, 0, 0, &t), 0);
	ck_assert_uint_eq(dsb(&rig, row, 0), expected(&hw, row, outstanding));
	/* Only a full DSB of the inner shareable domain or wider completes a broadcast TLBI. */
	ck_assert_int_eq(dvmi_fabric_pending(rig.f, 0),
			 (outstanding & BROADCAST) && !(rows[row].waits & BROADCAST));
	rig_fini(&rig);
}
END_TEST

/* Remaining drain: at the instant the store is visible, and one picosecond before. */
START_TEST(dsb_st_waits_for_the_rest_of_the_drain)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 2, 1);
	uint64_t drained = 5000 + hw.barrier_store_drain_ps;
	struct rig rig;

	rig_init(&rig, &hw);
	dvmi_core_store(&rig.core, 0, 5000);
	ck_assert_uint_eq(dsb(&rig, 0, 6000), drained + hw.barrier_dsb_st_ps);
	ck_assert_uint_eq(dsb(&rig, 0, drained - 1), drained + hw.barrier_dsb_st_ps);
	ck_assert_uint_eq(dsb(&rig, 0, drained), drained + hw.barrier_dsb_st_ps);
	ck_assert_uint_eq(dsb(&rig, 0, drained + 1), drained + 1 + hw.barrier_dsb_st_ps);
	/* Another CPU's stores are not ours. */
	dvmi_core_store(&rig.core, 1, 900000);
	ck_assert_uint_eq(dsb(&rig, 0, 900000), 900000 + hw.barrier_dsb_st_ps);
	/* The slowest store counts, not the last. */
	dvmi_core_store_until(&rig.core, 0, 2000000);
	dvmi_core_store_until(&rig.core, 0, 1500000);
	ck_assert_uint_eq(dsb(&rig, 0, 1000000), 2000000 + hw.barrier_dsb_st_ps);
	rig_fini(&rig);
}
END_TEST

/* TLBI; other work, a DSB ISHST and a DSB NSH; a DSB ISH much later completes it. */
START_TEST(later_dsb_completes_tlbis_that_had_none)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	uint64_t sync =
		round_ps(&hw, 7) -
		(hw.dvm_request_ps + hw.dvm_snoop_ps + hw.dvm_response_ps + hw.dvm_comp_ps) -
		hw.dvm_node_op_ps - 14 * hw.dvm_snoop_part_ps - hw.dvm_target_op_ps;
	uint64_t t, later = 100000000;
	struct rig rig;

	rig_init(&rig, &hw);
	ck_assert_int_eq(dvmi_core_tlbi_broadcast(&rig.core, 0, 0, 0, &t), 0);
	ck_assert_int_eq(dvmi_core_tlbi_broadcast(&rig.core, 0, t, 0, &t), 0);
	dsb(&rig, 1, t);
	dsb(&rig, 8, t);
	ck_assert(dvmi_fabric_pending(rig.f, 0));
	dvmi_evq_cpu_set(&rig.q, 0, later);
	ck_assert_uint_eq(rig_next(&rig, &t), 0);
	/* Both have had their Comp: one Sync round for both, at once. */
	ck_assert_uint_eq(dsb(&rig, 9, later), later + sync + hw.barrier_dsb_ish_ps);
	ck_assert(!dvmi_fabric_pending(rig.f, 0));
	ck_assert_uint_eq(dsb(&rig, 9, later + 1000000), later + 1000000 + hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/* T_local(n) = n t_local + T_nsh: the fit of calibration set C1 has this form. */
START_TEST(local_flush_is_n_issues_and_a_dsb_nsh)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 8, 1);
	uint64_t t = 1000;
	struct rig rig;

	rig_init(&rig, &hw);
	for (int i = 0; i < _i; i++)
		t = dvmi_core_tlbi_local(&rig.core, 0, t);
	ck_assert_uint_eq(dsb(&rig, 8, t),
			  1000 + (uint64_t)_i * hw.tlbi_issue_local_ps + hw.barrier_dsb_nsh_ps);
	rig_fini(&rig);
}
END_TEST

START_TEST(dmb_and_isb_cost_their_own_and_wait_for_nothing)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 2, 1);
	struct rig rig;

	rig_init(&rig, &hw);
	dvmi_core_store(&rig.core, 0, 0);
	ck_assert_uint_eq(dvmi_core_dmb(&rig.core, 7), 7 + hw.barrier_dmb_ps);
	ck_assert_uint_eq(dvmi_core_isb(&rig.core, 7), 7 + hw.barrier_isb_ps);
	rig_fini(&rig);
}
END_TEST

/* ---- IPIs ---- */

/*
 * send + (n - 1) slope, then deliver, then handle: with idle targets the last one to be sent to is
 * the last to acknowledge.
 */
START_TEST(ipi_takes_send_slope_deliver_handle)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 16, 1);
	uint32_t targets[15], n = (uint32_t)_i;
	struct dvmi_ipi_times times;
	struct dvmi_ipi ipi;
	uint64_t at[15];

	ck_assert_int_eq(dvmi_ipi_init(&ipi, &hw, 16), 0);
	for (uint32_t i = 0; i < 15; i++)
		targets[i] = 15 - i;
	times = dvmi_ipi_send(&ipi, 500, targets, n, at);
	ck_assert_uint_eq(times.sent_ps,
			  500 + (n ? hw.ipi_send_ps + (n - 1) * hw.ipi_slope_ps : 0));
	ck_assert_uint_eq(times.done_ps,
			  times.sent_ps + (n ? hw.ipi_deliver_ps + hw.ipi_handle_ps : 0));
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_uint_eq(at[i],
				  500 + hw.ipi_send_ps + i * hw.ipi_slope_ps + hw.ipi_deliver_ps);
		ck_assert_uint_eq(ipi.lost_ps[15 - i], hw.ipi_handle_ps);
	}
	ck_assert_uint_eq(ipi.lost_ps[0], 0);
	dvmi_ipi_fini(&ipi);
}
END_TEST

START_TEST(handlers_of_one_cpu_run_one_after_the_other)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 4, 1);
	uint32_t target = 3;
	uint64_t first = hw.ipi_send_ps + hw.ipi_deliver_ps + hw.ipi_handle_ps;
	struct dvmi_ipi ipi;

	ck_assert_int_eq(dvmi_ipi_init(&ipi, &hw, 4), 0);
	ck_assert_uint_eq(dvmi_ipi_send(&ipi, 0, &target, 1, NULL).done_ps, first);
	ck_assert_uint_eq(dvmi_ipi_send(&ipi, 1, &target, 1, NULL).done_ps,
			  first + hw.ipi_handle_ps);
	ck_assert_uint_eq(dvmi_ipi_send(&ipi, 2 * first, &target, 1, NULL).done_ps, 3 * first);
	ck_assert_uint_eq(ipi.lost_ps[3], 3 * hw.ipi_handle_ps);
	dvmi_ipi_fini(&ipi);
}
END_TEST

/* ---- topology ---- */

/* 2 sockets of 2 dies of 3 clusters of 2 cores of 2 threads: 48 CPUs */
static const struct {
	uint32_t a, b;
	enum dvmi_distance distance;
} pairs[] = {
	{0, 0, DVMI_SAME_CORE},	     {0, 1, DVMI_SAME_CORE},	 {0, 2, DVMI_SAME_CLUSTER},
	{0, 3, DVMI_SAME_CLUSTER},   {0, 4, DVMI_SAME_DIE},	 {11, 0, DVMI_SAME_DIE},
	{0, 12, DVMI_SAME_SOCKET},   {23, 11, DVMI_SAME_SOCKET}, {0, 24, DVMI_OTHER_SOCKET},
	{47, 23, DVMI_OTHER_SOCKET}, {47, 46, DVMI_SAME_CORE},	 {36, 35, DVMI_SAME_SOCKET},
};

START_TEST(distance_is_the_smallest_common_part)
{
	struct dvmi_hw hw = test_machine(2, 2, 3, 2, 2);
	struct dvmi_topology topo;

	ck_assert_int_eq(dvmi_topology_init(&topo, &hw), 0);
	ck_assert_uint_eq(topo.cpus, 48);
	ck_assert_uint_eq(topo.cores, 24);
	ck_assert_uint_eq(topo.clusters, 12);
	ck_assert_uint_eq(topo.dies, 4);
	ck_assert_uint_eq(topo.sockets, 2);
	ck_assert_int_eq(dvmi_distance(&topo, pairs[_i].a, pairs[_i].b), pairs[_i].distance);
	ck_assert_int_eq(dvmi_distance(&topo, pairs[_i].b, pairs[_i].a), pairs[_i].distance);
}
END_TEST

START_TEST(machine_of_no_or_too_many_cpus_is_refused)
{
	struct dvmi_hw none = test_machine(1, 1, 0, 4, 1), most = test_machine(16, 16, 16, 1, 1);
	struct dvmi_hw many = test_machine(16, 16, 17, 1, 1);
	struct dvmi_hw wrap = test_machine(1, 1, UINT64_MAX / 2 + 1, 4, 1);
	struct dvmi_fabric *f = NULL;
	struct dvmi_topology topo;

	ck_assert_int_eq(dvmi_topology_init(&topo, &none), -DVM_ELIMIT);
	ck_assert_int_eq(dvmi_topology_init(&topo, &many), -DVM_ELIMIT);
	ck_assert_int_eq(dvmi_topology_init(&topo, &wrap), -DVM_ELIMIT);
	ck_assert_int_eq(dvmi_topology_init(&topo, &most), 0);
	ck_assert_uint_eq(topo.cpus, DVMI_TOPOLOGY_CPUS_MAX);
	ck_assert_int_eq(dvmi_fabric_new(&many, NULL, &f), -DVM_ELIMIT);
	ck_assert_ptr_null(f);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "barriers");

	tcase_add_loop_test(tc, dsb_waits_for_what_its_type_and_domain_say, 0,
			    16 * (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, dsb_st_waits_for_the_rest_of_the_drain);
	tcase_add_test(tc, later_dsb_completes_tlbis_that_had_none);
	tcase_add_loop_test(tc, local_flush_is_n_issues_and_a_dsb_nsh, 0, 5);
	tcase_add_test(tc, dmb_and_isb_cost_their_own_and_wait_for_nothing);
	tc = check_case(suite, "ipi");
	tcase_add_loop_test(tc, ipi_takes_send_slope_deliver_handle, 0, 16);
	tcase_add_test(tc, handlers_of_one_cpu_run_one_after_the_other);
	tc = check_case(suite, "topology");
	tcase_add_loop_test(tc, distance_is_the_smallest_common_part, 0,
			    (int)(sizeof(pairs) / sizeof(pairs[0])));
	tcase_add_test(tc, machine_of_no_or_too_many_cpus_is_refused);
}

CHECK_MAIN("hw_core", add_cases)
