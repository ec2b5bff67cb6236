/* SPDX-License-Identifier: MIT */
/* The closed forms of docs/model-hardware.md, "The DVM fabric". */
#include "rig.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#include <string.h>

static uint64_t max2(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* All parts of one distribution to @n targets. */
static uint64_t parts(const struct dvmi_hw *hw, uint64_t n)
{
	return 2 * hw->dvm_snoop_part_ps * n;
}

static uint64_t hops(const struct dvmi_hw *hw)
{
	return hw->dvm_request_ps + hw->dvm_snoop_ps + hw->dvm_response_ps + hw->dvm_comp_ps;
}

/* R_op = request + node_op + 2 part N + snoop + target_op + response + comp */
static uint64_t r_op(const struct dvmi_hw *hw, uint64_t n)
{
	return hops(hw) + hw->dvm_node_op_ps + parts(hw, n) + hw->dvm_target_op_ps;
}

static uint64_t r_sync(const struct dvmi_hw *hw, uint64_t n)
{
	return hops(hw) + hw->dvm_node_sync_ps + parts(hw, n) + hw->dvm_target_sync_ps;
}

/* t_IS = max(issue, node_op + 2 part N, target_op, (issue + R_op) / depth), times depth. */
static uint64_t depth_t_is(const struct dvmi_hw *hw, uint64_t n)
{
	uint64_t t = max2(hw->tlbi_issue_broadcast_ps, hw->dvm_node_op_ps + parts(hw, n));

	t = max2(t, hw->dvm_target_op_ps) * hw->tlbi_post_depth;
	return max2(t, hw->tlbi_issue_broadcast_ps + r_op(hw, n));
}

/* ---- one issuer ---- */

static const unsigned sizes[] = {2, 3, 8, 9, 10, 11, 64, 128, 1024};

START_TEST(one_tlbi_and_dsb_take_issue_r_op_r_sync)
{
	unsigned cores = sizes[_i];
	struct dvmi_hw hw = test_machine(1, 1, 1, cores, 1);
	uint64_t expect = hw.tlbi_issue_broadcast_ps + r_op(&hw, cores - 1) +
			  r_sync(&hw, cores - 1) + hw.barrier_dsb_ish_ps;
	struct rig rig;

	rig_init(&rig, &hw);
	/* Whoever asks: the requester's own core is left out, the others make N. */
	ck_assert_uint_eq(rig_flush(&rig, 0, 1, 1000), 1000 + expect);
	ck_assert_uint_eq(rig_flush(&rig, cores - 1, 1, 1000000000), 1000000000 + expect);
	ck_assert_uint_eq(rig_flush(&rig, cores / 2, 1, 2000000000), 2000000000 + expect);
	rig_fini(&rig);
}
END_TEST

/* At the edge: one picosecond earlier the requester still waits. */
START_TEST(comp_releases_the_dsb_at_r_sync_and_not_before)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	uint64_t t, now, due = hw.tlbi_issue_broadcast_ps + r_op(&hw, 7) + r_sync(&hw, 7);
	struct dvmi_event ev;
	struct rig rig;

	rig_init(&rig, &hw);
	ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 3, 0, 0, &t), DVMI_FABRIC_DONE);
	ck_assert(dvmi_fabric_pending(rig.f, 3));
	ck_assert_int_eq(dvmi_fabric_sync(rig.f, 3, t), DVMI_FABRIC_BLOCKED);
	while (dvmi_evq_next_ps(&rig.q) < due) {
		ck_assert_int_eq(dvmi_evq_pop(&rig.q, &ev), 1);
		ck_assert_int_eq(dvmi_fabric_message(rig.f, &ev), 0);
	}
	ck_assert_uint_eq(dvmi_evq_cpu_get(&rig.q, 3), DVMI_NEVER);
	ck_assert(dvmi_fabric_pending(rig.f, 3));
	ck_assert_uint_eq(rig_next(&rig, &now), 3);
	ck_assert_uint_eq(now, due);
	ck_assert(!dvmi_fabric_pending(rig.f, 3));
	/* Nothing is pending now: a second DSB has no Sync round. */
	ck_assert_int_eq(dvmi_fabric_sync(rig.f, 3, now), DVMI_FABRIC_DONE);
	rig_fini(&rig);
}
END_TEST

/* issue, part, target_op, depth: each term of t_IS is the greatest once, and at equality */
static const struct {
	uint64_t issue, part, target_op, depth;
} pipes[] = {
	{60000, 503, 6007, 16}, /* the core */
	{11003, 503, 6007, 1},	/* serial: issue + R_op */
	{11003, 503, 6007, 2},	{11003, 503, 6007, 3},
	{1000, 50, 1000, 5},	{1000, 5000, 6007, 16}, /* the node */
	{1000, 5000, 6007, 2},	{1000, 5, 50000, 16},	/* the targets */
	{0, 0, 0, 1},		{2027 + 7 * 1006, 503, 0, 64},
};

START_TEST(tlbis_are_paced_by_core_node_target_or_depth)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	uint64_t now = 0, begin[200];
	unsigned depth = (unsigned)pipes[_i].depth, n = 0;
	struct rig rig;

	hw.tlbi_issue_broadcast_ps = pipes[_i].issue;
	hw.dvm_snoop_part_ps = pipes[_i].part;
	hw.dvm_target_op_ps = pipes[_i].target_op;
	hw.tlbi_post_depth = depth;
	rig_init(&rig, &hw);
	dvmi_evq_cpu_set(&rig.q, 0, 0);
	while (n < 200) {
		uint64_t t;

		ck_assert_uint_eq(rig_next(&rig, &now), 0);
		if (dvmi_fabric_tlbi(rig.f, 0, now, n, &t) == DVMI_FABRIC_DONE) {
			begin[n++] = now;
			dvmi_evq_cpu_set(&rig.q, 0, t);
		}
	}
	/* In steady state @depth TLBIs take depth * t_IS. */
	ck_assert_uint_eq(begin[199] - begin[199 - depth], depth_t_is(&hw, 7));
	rig_fini(&rig);
}
END_TEST

/* n TLBIs, paced; the last one's R_op; the Sync round; the DSB's own cost. */
START_TEST(batch_is_n_times_t_is_plus_one_round)
{
	unsigned n = 1u << _i;
	struct dvmi_hw hw = test_machine(1, 1, 1, 80, 1);
	uint64_t occupied = hw.dvm_node_op_ps + parts(&hw, 79);
	struct rig rig;

	hw.tlbi_post_depth = 4096;
	rig_init(&rig, &hw);
	ck_assert_uint_gt(occupied, hw.tlbi_issue_broadcast_ps);
	ck_assert_uint_eq(rig_flush(&rig, 17, n, 0),
			  hw.tlbi_issue_broadcast_ps + (n - 1) * occupied + r_op(&hw, 79) +
				  r_sync(&hw, 79) + hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/* Depth-bound: n - 1 TLBIs in groups of post_depth, each group issue + R_op. */
START_TEST(batch_under_a_shallow_queue_is_paced_by_r_op)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 8, 1);
	unsigned depth = 1 + (unsigned)_i, groups = 5;
	uint64_t group = hw.tlbi_issue_broadcast_ps + r_op(&hw, 15);
	struct rig rig;

	hw.tlbi_post_depth = depth;
	rig_init(&rig, &hw);
	ck_assert_uint_eq(depth_t_is(&hw, 15), group);
	ck_assert_uint_eq(rig_flush(&rig, 9, 1 + groups * depth, 0),
			  (groups + 1) * group + r_sync(&hw, 15) + hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/*
 * Erratum form: TLBI, DSB ISH, TLBI, DSB ISH. The engine executes the second pair; it costs one
 * more of each.
 */
START_TEST(repeated_tlbi_costs_one_more_op_and_round)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 8, 1);
	uint64_t once = hw.tlbi_issue_broadcast_ps + r_op(&hw, 15) + r_sync(&hw, 15) +
			hw.barrier_dsb_ish_ps;
	struct rig rig;

	rig_init(&rig, &hw);
	ck_assert_uint_eq(rig_flush(&rig, 5, 1, rig_flush(&rig, 5, 1, 0)), 2 * once);
	rig_fini(&rig);
}
END_TEST

/* Comp at acceptance: the Sync follows at once and passes no Non-Sync on the way. */
START_TEST(early_comp_leaves_only_the_sync_to_wait_for)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	uint64_t op_done, sync_begin;
	struct rig rig;

	hw.dvm_early_comp = 1;
	/* The Sync queues behind the Non-Sync in the node, and drains it at the last target. */
	sync_begin =
		hw.tlbi_issue_broadcast_ps + hw.dvm_request_ps + hw.dvm_node_op_ps + parts(&hw, 7);
	op_done = sync_begin + hw.dvm_snoop_ps + hw.dvm_target_op_ps;
	rig_init(&rig, &hw);
	ck_assert_uint_eq(
		rig_flush(&rig, 0, 1, 0),
		max2(op_done, sync_begin + hw.dvm_node_sync_ps + parts(&hw, 7) + hw.dvm_snoop_ps) +
			hw.dvm_target_sync_ps + hw.dvm_response_ps + hw.dvm_comp_ps +
			hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

START_TEST(early_comp_releases_the_next_tlbi_after_request_and_comp)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	uint64_t t, now;
	struct rig rig;

	hw.dvm_early_comp = 1;
	hw.tlbi_post_depth = 1;
	rig_init(&rig, &hw);
	ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 0, 0, 0, &t), DVMI_FABRIC_DONE);
	ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 0, t, 0, &t), DVMI_FABRIC_BLOCKED);
	ck_assert_uint_eq(rig_next(&rig, &now), 0);
	ck_assert_uint_eq(now, hw.tlbi_issue_broadcast_ps + hw.dvm_request_ps + hw.dvm_comp_ps);
	rig_fini(&rig);
}
END_TEST

START_TEST(dsb_without_tlbi_sends_a_sync_only_if_the_part_does)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 4, 1);
	struct rig rig;

	hw.dvm_idle_sync = (uint64_t)_i;
	rig_init(&rig, &hw);
	ck_assert_uint_eq(rig_flush(&rig, 0, 0, 0),
			  (_i ? r_sync(&hw, 7) : 0) + hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/* ---- topology ---- */

static const struct {
	uint64_t dies, clusters, cores, threads, unit, targets;
} shapes[] = {
	{1, 1, 1, 1, DVMI_SNOOP_CORE, 0},    {1, 4, 4, 1, DVMI_SNOOP_CORE, 15},
	{1, 4, 4, 4, DVMI_SNOOP_CORE, 15}, /* threads share a target */
	{1, 4, 4, 1, DVMI_SNOOP_CLUSTER, 3}, {1, 4, 4, 2, DVMI_SNOOP_CLUSTER, 3},
	{1, 1, 4, 2, DVMI_SNOOP_CLUSTER, 0}, {2, 2, 2, 1, DVMI_SNOOP_CORE, 7},
};

/* @far: the requester is on the second die; the last target is, unless it is the only other. */
START_TEST(targets_are_cores_or_clusters_without_the_own)
{
	struct dvmi_hw hw = test_machine(1, shapes[_i].dies, shapes[_i].clusters, shapes[_i].cores,
					 shapes[_i].threads);
	uint64_t n = shapes[_i].targets, last = shapes[_i].dies > 1 ? hw.dvm_die_link_ps : 0;
	uint64_t rounds;
	struct rig rig;

	hw.dvm_snoop_unit = shapes[_i].unit;
	/* With nobody to snoop, the node itself is all there is. */
	rounds = n ? r_op(&hw, n) + r_sync(&hw, n)
		   : 2 * (hw.dvm_request_ps + hw.dvm_comp_ps) + hw.dvm_node_op_ps +
				 hw.dvm_node_sync_ps;
	rounds += hw.tlbi_issue_broadcast_ps + hw.barrier_dsb_ish_ps;
	rig_init(&rig, &hw);
	/* From the node's own die: the far targets are a crossing away, both ways. */
	ck_assert_uint_eq(rig_flush(&rig, 0, 1, 0), rounds + 4 * last);
	/* From the far die: the request and Comp cross as well. */
	ck_assert_uint_eq(rig_flush(&rig, rig.cpus - 1, 1, 1000000000),
			  1000000000 + rounds + 8 * last);
	rig_fini(&rig);
}
END_TEST

/*
 * The home node passes the request on before it distributes it; the other node distributes it in
 * its turn and returns one answer.
 */
static uint64_t two_sockets(const struct dvmi_hw *hw, uint64_t node_ps, uint64_t target_ps,
			    uint64_t n)
{
	uint64_t at_target = hw->dvm_snoop_ps + target_ps + hw->dvm_response_ps;

	return hw->dvm_request_ps + node_ps +
	       max2(parts(hw, n - 1) + at_target,
		    2 * hw->dvm_socket_link_ps + node_ps + parts(hw, n) + at_target) +
	       hw->dvm_comp_ps;
}

START_TEST(other_sockets_add_two_link_crossings_and_their_node)
{
	struct dvmi_hw hw = test_machine(2 + (uint64_t)_i, 1, 2, 8, 1);
	uint64_t link = (uint64_t)_i * 1000; /* with 0 the home node is the last to answer */
	struct rig rig;

	hw.dvm_socket_link_ps = link * 100;
	rig_init(&rig, &hw);
	ck_assert_uint_eq(rig_flush(&rig, rig.cpus - 1, 1, 0),
			  hw.tlbi_issue_broadcast_ps +
				  two_sockets(&hw, hw.dvm_node_op_ps, hw.dvm_target_op_ps, 16) +
				  two_sockets(&hw, hw.dvm_node_sync_ps, hw.dvm_target_sync_ps, 16) +
				  hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/* ---- several issuers ---- */

/*
 * k issuers of n TLBIs and a DSB each: in steady state a flush of each takes max(unloaded, k * s),
 * exactly where the node's queue is always or never empty. Between, where a Non-Sync may come
 * behind another's Sync while the node idles later, it is more, but not than unloaded + (k - 1) s:
 *   s = n * (node_op + 2 part N) + max(node_sync + 2 part N, snoop + target_sync + response)
 * The last term is a target's time for a Sync: it has one at a time, and the node serves in order.
 */
static uint64_t service(const struct dvmi_hw *hw, uint64_t n, unsigned ops)
{
	return ops * (hw->dvm_node_op_ps + parts(hw, n)) +
	       max2(hw->dvm_node_sync_ps + parts(hw, n),
		    hw->dvm_snoop_ps + hw->dvm_target_sync_ps + hw->dvm_response_ps);
}

/* From one end of CPU 0's flushes to another, @rounds later, with @k issuers. */
static uint64_t loaded(const struct dvmi_hw *hw, unsigned k, unsigned ops, unsigned rounds)
{
	uint64_t now = 0, mark = 0;
	struct flusher fl[128];
	struct rig rig;

	rig_init(&rig, hw);
	for (uint32_t c = 0; c < k; c++) {
		fl[c] = (struct flusher){.ops = ops};
		dvmi_evq_cpu_set(&rig.q, c, c * 1000);
	}
	while (fl[0].flushes < 2 * rounds) {
		uint32_t c = rig_next(&rig, &now);

		if (!flusher_step(&rig, &fl[c], c, now))
			continue;
		dvmi_evq_cpu_set(&rig.q, c, fl[c].end_ps);
		if (c == 0 && fl[0].flushes == rounds)
			mark = fl[0].end_ps;
	}
	rig_fini(&rig);
	return fl[0].end_ps - mark;
}

/* cores, issuers, TLBIs per flush, target_sync; knee: between the two regimes */
static const struct {
	unsigned cores, issuers, ops;
	uint64_t sync;
	bool knee;
} loads[] = {
	/* the unloaded time is the longer */
	{8, 1, 1, 90011, false},
	{32, 1, 16, 0, false},
	/* the node is the bottleneck */
	{64, 2, 1, 0, false},
	{64, 5, 1, 0, false},
	{64, 64, 1, 10000, false},
	{128, 100, 16, 0, false},
	/* the Sync slot is, and there is nothing else */
	{8, 2, 0, 90011, false},
	{8, 3, 0, 90011, false},
	{8, 8, 0, 90011, false},
	{80, 80, 0, 900011, false},
	/* both */
	{32, 4, 1, 9001, false},
	{32, 31, 2, 9001, false},
	{80, 79, 1, 90011, false},
	{80, 40, 4, 90011, false},
	{80, 80, 1, 900011, false},
	{128, 64, 1, 700001, false},
	/* in between */
	{8, 2, 1, 90011, true},
	{8, 7, 1, 90011, true},
	{8, 8, 1, 90011, true},
};

START_TEST(k_issuers_take_the_unloaded_time_or_k_times_s)
{
	unsigned k = loads[_i].issuers, ops = loads[_i].ops, rounds = 30;
	struct dvmi_hw hw = test_machine(1, 1, 1, loads[_i].cores, 1);
	uint64_t n = loads[_i].cores - 1, unloaded, paced, s, t;

	hw.dvm_target_sync_ps = loads[_i].sync;
	hw.tlbi_post_depth = 64;
	hw.dvm_idle_sync = 1;
	paced = max2(hw.tlbi_issue_broadcast_ps, hw.dvm_node_op_ps + parts(&hw, n));
	unloaded = r_sync(&hw, n) + hw.barrier_dsb_ish_ps;
	if (ops)
		unloaded += hw.tlbi_issue_broadcast_ps + (ops - 1) * paced + r_op(&hw, n);
	s = service(&hw, n, ops);
	t = loaded(&hw, k, ops, rounds);
	if (!loads[_i].knee) {
		ck_assert_uint_eq(t, rounds * max2(unloaded, k * s));
		return;
	}
	ck_assert_uint_ge(t, rounds * max2(unloaded, k * s));
	ck_assert_uint_le(t, rounds * (unloaded + (k - 1) * s));
}
END_TEST

/* One entry: the node works on one request at a time, from acceptance to the last answer. */
START_TEST(node_entries_limit_requests_at_work)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 8, 1);
	uint64_t now, t, work;
	struct dvmi_fabric_stats stats;
	struct rig rig;

	hw.dvm_node_entries = 1;
	work = r_op(&hw, 7) - hw.dvm_request_ps - hw.dvm_comp_ps;
	rig_init(&rig, &hw);
	for (uint32_t c = 0; c < 3; c++)
		ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, c, 0, 0, &t), DVMI_FABRIC_DONE);
	for (uint32_t c = 0; c < 3; c++)
		ck_assert_int_eq(dvmi_fabric_sync(rig.f, c, t), DVMI_FABRIC_BLOCKED);
	/* Non-Syncs one after the other; the first Sync has arrived by then: its own work follows.
	 */
	for (uint32_t c = 0; c < 1; c++)
		ck_assert_uint_eq(rig_next(&rig, &now), c);
	ck_assert_uint_eq(now,
			  t + hw.dvm_request_ps + 3 * work + r_sync(&hw, 7) - hw.dvm_request_ps);
	dvmi_fabric_get_stats(rig.f, &stats);
	ck_assert_uint_ge(stats.retries, 3);
	rig_fini(&rig);
}
END_TEST

/* Arrival order, and at one instant the lower CPU first. */
START_TEST(requests_queue_in_arrival_order)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 4, 1);
	uint64_t occupied = hw.dvm_node_op_ps + parts(&hw, 3), t, now;
	struct dvmi_fabric_stats stats;
	struct rig rig;

	hw.tlbi_post_depth = 1;
	hw.dvm_target_op_ps = 0; /* never behind the node */
	rig_init(&rig, &hw);
	for (uint32_t c = 4; c-- > 0;) {
		ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, c, 0, 0, &t), DVMI_FABRIC_DONE);
		/* Blocked: woken by the Comp. */
		ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, c, t, 0, &t), DVMI_FABRIC_BLOCKED);
	}
	for (uint32_t c = 0; c < 4; c++) {
		ck_assert_uint_eq(rig_next(&rig, &now), c);
		ck_assert_uint_eq(now, hw.tlbi_issue_broadcast_ps + r_op(&hw, 3) + c * occupied);
	}
	dvmi_fabric_get_stats(rig.f, &stats);
	ck_assert_uint_eq(stats.queue_wait_ps, (1 + 2 + 3) * occupied);
	ck_assert_uint_eq(stats.queue_wait_max_ps, 3 * occupied);
	ck_assert_uint_eq(stats.queue_wait_hist[0], 1);
	ck_assert_uint_eq(stats.issue_blocks, 4);
	ck_assert_uint_eq(stats.ops, 4);
	ck_assert_uint_eq(stats.snoops, 12);
	ck_assert_uint_eq(stats.node_busy_ps, 4 * occupied);
	rig_fini(&rig);
}
END_TEST

/* ---- filters, deliveries, bystanders ---- */

START_TEST(filter_answers_for_clusters_that_sleep_as_a_whole)
{
	struct dvmi_hw hw = test_machine(1, 1, 8, 4, 1);
	struct dvmi_fabric_stats stats;
	struct rig rig;

	hw.dvm_filter = (uint64_t)_i;
	rig_init(&rig, &hw);
	/* Clusters 1 ... 5 sleep; in cluster 6 one CPU is awake. */
	for (uint32_t c = 4; c < 27; c++)
		dvmi_fabric_set_idle(rig.f, c, true);
	ck_assert_uint_eq(rig_flush(&rig, 0, 1, 0),
			  hw.tlbi_issue_broadcast_ps + r_op(&hw, _i ? 11 : 31) +
				  r_sync(&hw, _i ? 11 : 31) + hw.barrier_dsb_ish_ps);
	dvmi_fabric_get_stats(rig.f, &stats);
	ck_assert_uint_eq(stats.spared, _i ? 2 * 20 : 0);
	/* Awake again: snooped again. */
	dvmi_fabric_set_idle(rig.f, 8, false);
	ck_assert_uint_eq(rig_flush(&rig, 0, 1, 1000000000) - 1000000000,
			  hw.tlbi_issue_broadcast_ps + r_op(&hw, _i ? 15 : 31) +
				  r_sync(&hw, _i ? 15 : 31) + hw.barrier_dsb_ish_ps);
	rig_fini(&rig);
}
END_TEST

/* ---- TLBI domains (FEAT_TLBID) ---- */

/*
 * A TLBI of one domain with d units to snoop, and its DSB: everything as with d targets, where the
 * Sync goes to the domain only; else the Sync asks all N.
 */
static const struct {
	unsigned sockets, clusters, unit, nis; /* clusters of 4 cores, per socket */
	unsigned from, domain;
	unsigned targets; /* d */
} directed[] = {
	{1, 4, DVMI_TLBID_CLUSTER, 8, 0, 0, 3},	/* the own cluster, without the own core */
	{1, 4, DVMI_TLBID_CLUSTER, 8, 0, 3, 4},
	{1, 4, DVMI_TLBID_CLUSTER, 8, 9, 0, 4},
	{1, 4, DVMI_TLBID_CORE, 8, 5, 5, 0},	/* nobody but the requester */
	{1, 4, DVMI_TLBID_CORE, 8, 5, 6, 1},
	{1, 4, DVMI_TLBID_SOCKET, 8, 5, 0, 15}, /* everybody: as an undirected one */
	{1, 4, DVMI_TLBID_CLUSTER, 1, 5, 0, 15}, /* one number: all clusters share it */
	{1, 4, DVMI_TLBID_CLUSTER, 2, 0, 2, 4},	/* 3 numbers for 4 clusters: 2 + 1 + 1 */
	{1, 4, DVMI_TLBID_CLUSTER, 2, 0, 0, 7},
	{1, 16, DVMI_TLBID_CLUSTER, 8, 63, 3, 4},
};

START_TEST(tlbi_of_a_domain_of_d_targets_takes_the_time_of_d_targets)
{
	struct dvmi_hw hw = test_machine(1, 1, directed[_i].clusters, 4, 1);
	uint64_t all = directed[_i].clusters * 4 - 1, d = directed[_i].targets;

	hw.tlbid_nis = directed[_i].nis;
	hw.tlbid_unit = directed[_i].unit;
	for (unsigned sync = 0; sync < 2; sync++) {
		uint64_t expect = hw.tlbi_issue_broadcast_ps, t, now, until = 1000;
		uint32_t from = directed[_i].from;
		struct dvmi_fabric_stats st;
		struct rig rig;

		hw.tlbid_sync = sync ? DVMI_TLBID_SYNC_DOMAINS : DVMI_TLBID_SYNC_ALL;
		/* Nobody to ask: the node answers by itself. */
		expect += d ? r_op(&hw, d) : hw.dvm_request_ps + hw.dvm_node_op_ps + hw.dvm_comp_ps;
		expect += sync && !d ? hw.dvm_request_ps + hw.dvm_node_sync_ps + hw.dvm_comp_ps
				     : r_sync(&hw, sync ? d : all);
		rig_init(&rig, &hw);
		/* Twice, with an undirected one between: neither leaves anything behind. */
		for (unsigned k = 0; k < 2; k++) {
			ck_assert_int_eq(dvmi_fabric_tlbi_in(rig.f, from, until, 0,
							     directed[_i].domain, &t),
					 DVMI_FABRIC_DONE);
			ck_assert_int_eq(dvmi_fabric_sync(rig.f, from, t), DVMI_FABRIC_BLOCKED);
			ck_assert_uint_eq(rig_next(&rig, &now), from);
			ck_assert_uint_eq(now, until + expect);
			dvmi_fabric_get_stats(rig.f, &st);
			ck_assert_uint_eq(st.snoops, (k + 1) * (d + (sync ? d : all)) + k * 2 * all);
			until = rig_flush(&rig, from, 1, now + 1000000);
			ck_assert_uint_eq(until, now + 1000000 + hw.tlbi_issue_broadcast_ps +
							 r_op(&hw, all) + r_sync(&hw, all) +
							 hw.barrier_dsb_ish_ps);
			until += 1000000;
		}
		rig_fini(&rig);
	}
}
END_TEST

/* On two sockets: the other one takes part only if the domain is there. */
START_TEST(domains_keep_requests_off_sockets_they_have_nobody_on)
{
	static const unsigned domain[] = {0, 1, 2}, forwards[] = {0, 0, 2};
	struct dvmi_hw hw = test_machine(2, 1, 2, 4, 1);
	uint64_t expect = hw.tlbi_issue_broadcast_ps, t, now, n = _i ? 4 : 3;
	struct dvmi_fabric_stats st;
	struct rig rig;

	hw.tlbid_nis = 4;
	hw.tlbid_unit = DVMI_TLBID_CLUSTER;
	hw.tlbid_sync = DVMI_TLBID_SYNC_DOMAINS;
	/* The home node passes it on once it has taken it up: two crossings, and that node's time. */
	expect += r_op(&hw, n) + r_sync(&hw, n);
	if (_i == 2)
		expect += 4 * hw.dvm_socket_link_ps + hw.dvm_node_op_ps + hw.dvm_node_sync_ps;
	rig_init(&rig, &hw);
	ck_assert_int_eq(dvmi_fabric_tlbi_in(rig.f, 0, 0, 0, domain[_i], &t), DVMI_FABRIC_DONE);
	ck_assert_int_eq(dvmi_fabric_sync(rig.f, 0, t), DVMI_FABRIC_BLOCKED);
	ck_assert_uint_eq(rig_next(&rig, &now), 0);
	ck_assert_uint_eq(now, expect);
	dvmi_fabric_get_stats(rig.f, &st);
	ck_assert_uint_eq(st.forwards, forwards[_i]);
	/* Only the domain's CPUs lost anything, the requester's core nothing. */
	for (uint32_t c = 0; c < 16; c++)
		ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, c),
				  c && c / 4 == domain[_i]
					  ? hw.dvm_bystander_op_ps + hw.dvm_bystander_sync_ps : 0);
	rig_fini(&rig);
}
END_TEST

/* Two domains: the Sync asks both; one TLBI without a domain among them: it asks all. */
START_TEST(sync_asks_the_domains_of_all_pending_tlbis)
{
	struct dvmi_hw hw = test_machine(1, 1, 4, 4, 1);
	uint64_t t = 0, now;
	struct dvmi_fabric_stats st;
	struct rig rig;

	hw.tlbid_nis = 4;
	hw.tlbid_unit = DVMI_TLBID_CLUSTER;
	hw.tlbid_sync = DVMI_TLBID_SYNC_DOMAINS;
	rig_init(&rig, &hw);
	ck_assert_int_eq(dvmi_fabric_tlbi_in(rig.f, 0, t, 0, 1, &t), DVMI_FABRIC_DONE);
	ck_assert_int_eq(dvmi_fabric_tlbi_in(rig.f, 0, t, 0, 3, &t), DVMI_FABRIC_DONE);
	if (_i)
		ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 0, t, 0, &t), DVMI_FABRIC_DONE);
	ck_assert_int_eq(dvmi_fabric_sync(rig.f, 0, t), DVMI_FABRIC_BLOCKED);
	ck_assert_uint_eq(rig_next(&rig, &now), 0);
	dvmi_fabric_get_stats(rig.f, &st);
	ck_assert_uint_eq(st.snoops, _i ? 4 + 4 + 15 + 15 : 4 + 4 + 8);
	rig_fini(&rig);
}
END_TEST

struct notes {
	unsigned count;
	uint64_t at[64];
	struct dvmi_delivery last;
};

static void note(void *arg, const struct dvmi_fabric *f, const struct dvmi_delivery *d)
{
	struct notes *notes = arg;

	notes->count++;
	notes->last = *d;
	for (uint32_t c = d->first_cpu; c < d->end_cpu; c++)
		notes->at[c] = dvmi_fabric_delivery_ps(f, d, c);
}

/* Second part to target i (of those snooped) arrives node_op + 2 part (i + 1) + snoop later. */
START_TEST(delivery_is_the_arrival_of_the_second_part)
{
	struct dvmi_hw hw = test_machine(1, 2, 2, 4, 1);
	uint64_t base = 5000 + hw.tlbi_issue_broadcast_ps + hw.dvm_request_ps, i = 0, accepted;
	struct notes notes = {0};
	uint64_t t, now;
	struct rig rig;

	hw.dvm_filter = DVMI_FILTER_IDLE_CLUSTER;
	rig_init(&rig, &hw);
	dvmi_fabric_on_delivery(rig.f, note, &notes);
	for (uint32_t c = 8; c < 12; c++)
		dvmi_fabric_set_idle(rig.f, c, true);
	ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 5, 5000, 0x1234, &t), DVMI_FABRIC_DONE);
	ck_assert_uint_eq(rig_next(&rig, &now), UINT32_MAX);
	accepted = base + hw.dvm_node_op_ps;
	ck_assert_uint_eq(notes.count, 1);
	ck_assert_uint_eq(notes.last.tag, 0x1234);
	ck_assert_uint_eq(notes.last.from, 5);
	ck_assert_uint_eq(notes.last.start_ps, base);
	for (uint32_t c = 0; c < 16; c++) {
		if (c == 5 || (c >= 8 && c < 12)) {
			ck_assert_uint_eq(notes.at[c], accepted);
			continue;
		}
		ck_assert_uint_eq(notes.at[c], accepted + parts(&hw, ++i) + hw.dvm_snoop_ps +
						       (c >= 8 ? hw.dvm_die_link_ps : 0));
		ck_assert_uint_le(notes.at[c], notes.last.last_ps);
	}
	rig_fini(&rig);
}
END_TEST

/*
 * A running CPU loses bystander_op per Non-Sync and bystander_sync per Sync; the requester's core,
 * an idle CPU, and a CPU that waits for its own Comp lose nothing.
 */
START_TEST(running_bystanders_lose_work)
{
	struct dvmi_hw hw = test_machine(1, 1, 2, 2, 2);
	uint64_t lost = 3 * hw.dvm_bystander_op_ps + hw.dvm_bystander_sync_ps, now;
	struct rig rig;

	rig_init(&rig, &hw);
	dvmi_fabric_set_idle(rig.f, 7, true);
	/* CPU 6 waits for room to post: no work to lose. */
	rig_flush(&rig, 0, 3, 0);
	for (uint32_t c = 0; c < 8; c++)
		ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, c), c < 2 || c == 7 ? 0 : lost);
	dvmi_fabric_set_idle(rig.f, 7, false);
	dvmi_fabric_set_idle(rig.f, 2, true);
	rig_flush(&rig, 0, 3, 1000000000);
	ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, 7), lost);
	ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, 2), lost);
	ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, 3), 2 * lost);
	/* Two that flush at once: each waits while the other's Sync comes by. */
	dvmi_evq_cpu_set(&rig.q, 4, 2000000000);
	dvmi_evq_cpu_set(&rig.q, 6, 2000000000);
	{
		struct flusher a = {.ops = 1}, b = {.ops = 1};
		uint64_t before = dvmi_fabric_lost_ps(rig.f, 4);

		for (unsigned ends = 0; ends < 2;) {
			uint32_t c = rig_next(&rig, &now);

			ends += flusher_step(&rig, c == 4 ? &a : &b, c, now);
		}
		ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, 4), before);
		ck_assert_uint_eq(dvmi_fabric_lost_ps(rig.f, 3),
				  2 * lost + 2 * hw.dvm_bystander_op_ps +
					  2 * hw.dvm_bystander_sync_ps);
	}
	rig_fini(&rig);
}
END_TEST

/* ---- memory ---- */

/* Every allocation fails once; after the failed call the same call can be made again. */
START_TEST(failed_allocations_are_reported_and_harmless)
{
	struct dvmi_hw hw = test_machine(2, 1, 2, 4, 1);
	struct dvmi_fabric *f = NULL;
	unsigned long n = 1;
	struct dvmi_evq q;
	uint64_t t = 0, now;
	struct rig rig;
	int ret;

	ck_assert_int_eq(dvmi_evq_init(&q, 16), 0);
	do {
		dvmi_mem_fail_at(n++);
		ret = dvmi_fabric_new(&hw, &q, &f);
		ck_assert(ret == 0 || (ret == -DVM_ENOMEM && !f));
	} while (ret);
	dvmi_mem_fail_at(0);
	ck_assert_uint_gt(n, 8);
	dvmi_fabric_free(f);
	dvmi_fabric_free(NULL);
	dvmi_evq_fini(&q);

	rig_init(&rig, &hw);
	for (n = 1; n <= 3; n++) {
		dvmi_mem_fail_at(n);
		ret = dvmi_fabric_tlbi(rig.f, 0, 0, 0, &t);
		dvmi_mem_fail_at(0);
		ck_assert_int_eq(ret, -DVM_ENOMEM);
		ck_assert(!dvmi_fabric_pending(rig.f, 0));
		/* What the attempt did get stays: let the next one ask for everything again. */
		rig_fini(&rig);
		rig_init(&rig, &hw);
	}
	ck_assert_int_eq(dvmi_fabric_tlbi(rig.f, 0, 0, 0, &t), DVMI_FABRIC_DONE);
	ck_assert_int_eq(dvmi_fabric_sync(rig.f, 0, t), DVMI_FABRIC_BLOCKED);
	ck_assert_uint_eq(rig_next(&rig, &now), 0);
	rig_fini(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "one issuer");

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))
	tcase_add_loop_test(tc, one_tlbi_and_dsb_take_issue_r_op_r_sync, 0, ROWS(sizes));
	tcase_add_test(tc, comp_releases_the_dsb_at_r_sync_and_not_before);
	tcase_add_loop_test(tc, tlbis_are_paced_by_core_node_target_or_depth, 0, ROWS(pipes));
	tcase_add_loop_test(tc, batch_is_n_times_t_is_plus_one_round, 0, 9);
	tcase_add_loop_test(tc, batch_under_a_shallow_queue_is_paced_by_r_op, 0, 4);
	tcase_add_test(tc, repeated_tlbi_costs_one_more_op_and_round);
	tcase_add_test(tc, early_comp_leaves_only_the_sync_to_wait_for);
	tcase_add_test(tc, early_comp_releases_the_next_tlbi_after_request_and_comp);
	tcase_add_loop_test(tc, dsb_without_tlbi_sends_a_sync_only_if_the_part_does, 0, 2);
	tc = check_case(suite, "topology");
	tcase_add_loop_test(tc, targets_are_cores_or_clusters_without_the_own, 0, ROWS(shapes));
	tcase_add_loop_test(tc, other_sockets_add_two_link_crossings_and_their_node, 0, 3);
	tc = check_case(suite, "load");
	tcase_add_loop_test(tc, k_issuers_take_the_unloaded_time_or_k_times_s, 0, ROWS(loads));
	tcase_add_test(tc, node_entries_limit_requests_at_work);
	tcase_add_test(tc, requests_queue_in_arrival_order);
	tc = check_case(suite, "filters and bystanders");
	tcase_add_loop_test(tc, filter_answers_for_clusters_that_sleep_as_a_whole, 0, 2);
	tcase_add_test(tc, delivery_is_the_arrival_of_the_second_part);
	tcase_add_test(tc, running_bystanders_lose_work);
	tc = check_case(suite, "domains");
	tcase_add_loop_test(tc, tlbi_of_a_domain_of_d_targets_takes_the_time_of_d_targets, 0,
			    ROWS(directed));
	tcase_add_loop_test(tc, domains_keep_requests_off_sockets_they_have_nobody_on, 0, 3);
	tcase_add_loop_test(tc, sync_asks_the_domains_of_all_pending_tlbis, 0, 2);
	tc = check_case(suite, "memory");
	tcase_add_test(tc, failed_allocations_are_reported_and_harmless);
}

CHECK_MAIN("hw_fabric", add_cases)
