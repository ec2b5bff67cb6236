/* SPDX-License-Identifier: MIT */
#include "kernel/sched.h"

void dvmi_sched_rules_get(struct dvmi_sched_rules *rules, const struct dvmi_hw *hw,
			  const struct dvmi_kernel_cfg *cfg, uint32_t cpus)
{
	uint32_t core = (uint32_t)hw->topology_threads;
	uint32_t cluster = core * (uint32_t)hw->topology_cores;
	uint32_t die = cluster * (uint32_t)hw->topology_clusters;
	uint32_t socket = die * (uint32_t)hw->topology_dies;
	uint32_t all = socket * (uint32_t)hw->topology_sockets;

	*rules = (struct dvmi_sched_rules){
		.cpus = cpus && cpus < all ? cpus : all,
		.span = { core, cluster, die, socket, all },
		.preempt = (enum dvmi_preempt)cfg->preempt,
		.delay_dequeue = cfg->version >= 612,
		.run_to_parity = true,
		.numa_balancing = true,
		.tick_ns = 4000000,
		.base_slice_ns = 2800000,
		.migration_cost_ns = 500000,
		.min_interval_ns = 1000000,
		.busy_factor = 16,
		.imbalance_pct = 117,
		.smt_imbalance_pct = 110,
		.nr_migrate = 32,
		.numa_scan_ns = 1000000000,
		.balance_cpu_ns = 50,
	};
}
