/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SCHED_WORLD_H
#define DVMSIM_TESTS_SCHED_WORLD_H

#include "kernel/sched.h"

/*
 * Machines for the scheduler's tests: spans of threads, cluster, last-level cache, node, system.
 * Times of the rules are round numbers, so that expected values can be worked out by hand.
 */
static inline struct dvmi_sched_rules sched_rules(uint32_t smt, uint32_t cluster, uint32_t llc,
						  uint32_t node, uint32_t cpus)
{
	return (struct dvmi_sched_rules){
		.cpus = cpus,
		.span = { smt, cluster, llc, node, (cpus + node - 1) / node * node },
		.preempt = DVMI_PREEMPT_FULL,
		.run_to_parity = true,
		.numa_balancing = false,
		.tick_ns = 1000000,
		.base_slice_ns = 3000000,
		.quantum_ns = 1000000,
		.migration_cost_ns = 500000,
		.min_interval_ns = 1000000,
		.busy_factor = 16,
		.imbalance_pct = 117,
		.smt_imbalance_pct = 110,
		.nr_migrate = 32,
		.numa_scan_ns = 1000000000,
		.balance_cpu_ns = 10,
	};
}

#define MS UINT64_C(1000000000) /* in ps */
#define US UINT64_C(1000000)

#endif
