/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "hw/core.h"
#include "hw/fabric.h"
#include "machine.h"

#include <stdio.h>

/* One issuer: broadcast TLBIs, then a DSB ISH. Returns when the DSB is over. */
static uint64_t flush(struct dvmi_core *core, struct dvmi_evq *q, uint32_t cpu, unsigned ops,
		      uint64_t now)
{
	struct dvmi_event ev;
	unsigned issued = 0;
	uint64_t done;

	dvmi_evq_cpu_set(q, cpu, now);
	for (bool dsb = false; dvmi_evq_pop(q, &ev);) {
		if (dvmi_fabric_owns(ev.kind)) {
			ck_assert_int_eq(dvmi_fabric_message(core->fabric, &ev), 0);
		} else if (issued < ops) {
			if (dvmi_core_tlbi_broadcast(core, cpu, ev.time_ps, 0, &done) ==
			    DVMI_FABRIC_DONE) {
				issued++;
				dvmi_evq_cpu_set(q, cpu, done);
			}
		} else if (!dsb) {
			dsb = true;
			if (dvmi_core_dsb(core, cpu, ev.time_ps, DVMI_DSB_ALL, DVMI_DSB_ISH,
					  &done) == DVMI_FABRIC_DONE)
				return done;
		} else {
			return dvmi_core_dsb_end(core, cpu, ev.time_ps);
		}
	}
	ck_abort_msg("the flush did not end");
	return 0;
}

static const struct {
	unsigned cores, ops;
} single[] = {{2, 1}, {8, 1}, {8, 3}, {80, 1}, {80, 16}};

/* n ops pipelined at the issue rate, then the last one's R_op, then R_sync, then the DSB's own. */
START_TEST(one_issuer_is_issue_then_round_then_sync)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, single[_i].cores, 1);
	uint64_t n = single[_i].cores - 1, parts = 2 * hw.dvm_snoop_part_ps * n;
	uint64_t hops = hw.dvm_request_ps + hw.dvm_snoop_ps + hw.dvm_response_ps + hw.dvm_comp_ps;
	uint64_t r_op, r_sync, step;
	struct dvmi_fabric *f;
	struct dvmi_core core;
	struct dvmi_evq q;

	r_op = hops + hw.dvm_node_op_ps + parts + hw.dvm_target_op_ps;
	r_sync = hops + hw.dvm_node_sync_ps + parts + hw.dvm_target_sync_ps;
	step = hw.dvm_node_op_ps + parts;
	if (step < hw.tlbi_issue_broadcast_ps)
		step = hw.tlbi_issue_broadcast_ps;
	ck_assert_int_eq(dvmi_evq_init(&q, single[_i].cores), 0);
	ck_assert_int_eq(dvmi_fabric_new(&hw, &q, &f), 0);
	ck_assert_int_eq(dvmi_core_init(&core, &hw, f), 0);
	ck_assert_uint_eq(flush(&core, &q, 0, single[_i].ops, 1000),
			  1000 + hw.tlbi_issue_broadcast_ps + (single[_i].ops - 1) * step + r_op +
				  r_sync + hw.barrier_dsb_ish_ps);
	dvmi_core_fini(&core);
	dvmi_fabric_free(f);
	dvmi_evq_fini(&q);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "fabric");

	tcase_add_loop_test(tc, one_issuer_is_issue_then_round_then_sync, 0,
			    sizeof(single) / sizeof(single[0]));
}

CHECK_MAIN("hw_fabric", add_cases)
