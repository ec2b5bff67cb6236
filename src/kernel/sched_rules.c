/* SPDX-License-Identifier: MIT */
#include "kernel/sched.h"

/* get_update_sysctl_factor(): 1 + log2 of the CPUs, of 8 at most. */
static uint64_t slice_factor(uint32_t cpus)
{
	return cpus >= 8 ? 4 : cpus >= 4 ? 3 : cpus >= 2 ? 2 : 1;
}

/*
 * Domains as firmware describes the machine (hw/topology.h numbers CPUs from the inside out). A
 * level that a wider one swallows shrinks to it, and is then left out.
 */
static void spans(struct dvmi_sched_rules *rules, const struct dvmi_hw *hw, uint32_t *all)
{
	uint32_t core = (uint32_t)hw->topology_threads;
	uint32_t cluster = core * (uint32_t)hw->topology_cores;
	uint32_t die = cluster * (uint32_t)hw->topology_clusters;
	uint32_t socket = die * (uint32_t)hw->topology_dies;
	const uint32_t caches[] = { core, cluster, die, socket };
	uint32_t llc = caches[hw->topology_llc];
	uint32_t node = hw->topology_node == DVMI_NODE_DIE ? die : socket;

	*all = socket * (uint32_t)hw->topology_sockets;
	rules->span[DVMI_SCHED_SMT] = core;
	rules->span[DVMI_SCHED_CLUSTER] = cluster < llc ? cluster : llc;
	rules->span[DVMI_SCHED_LLC] = llc;
	rules->span[DVMI_SCHED_NODE] = node > llc ? node : llc;
	rules->span[DVMI_SCHED_SYSTEM] = *all;
}

void dvmi_sched_rules_get(struct dvmi_sched_rules *rules, const struct dvmi_hw *hw,
			  const struct dvmi_kernel_cfg *cfg, uint32_t cpus)
{
	uint32_t all;

	*rules = (struct dvmi_sched_rules){
		.preempt = (enum dvmi_preempt)cfg->preempt,
		.run_to_parity = cfg->sched_run_to_parity,
		.delay_dequeue = cfg->sched_delay_dequeue,
		.numa_balancing = cfg->sched_numa_balancing,
		.tick_ns = UINT64_C(1000000000) / cfg->sched_tick_hz,
		.quantum_ns = cfg->sched_base_slice_ns,
		.migration_cost_ns = cfg->sched_migration_cost_ns,
		.min_interval_ns = cfg->sched_min_interval_us * 1000,
		.busy_factor = (uint32_t)cfg->sched_busy_factor,
		.imbalance_pct = (uint32_t)cfg->sched_imbalance_pct,
		.smt_imbalance_pct = (uint32_t)cfg->sched_smt_imbalance_pct,
		.nr_migrate = (uint32_t)cfg->sched_nr_migrate,
		.numa_scan_ns = cfg->sched_numa_scan_ms * 1000000,
		.balance_cpu_ns = hw->kernel_scan_cpu_ps / 1000,
	};
	spans(rules, hw, &all);
	rules->cpus = cpus && cpus < all ? cpus : all;
	rules->base_slice_ns = cfg->sched_base_slice_ns * slice_factor(rules->cpus);
}

void dvmi_sched_rules_flat(struct dvmi_sched_rules *rules, const struct dvmi_kernel_cfg *cfg,
			   uint32_t cpus)
{
	rules->span[DVMI_SCHED_SMT] = rules->span[DVMI_SCHED_CLUSTER] = 1;
	rules->span[DVMI_SCHED_LLC] = rules->span[DVMI_SCHED_NODE] = cpus;
	rules->span[DVMI_SCHED_SYSTEM] = rules->cpus = cpus;
	rules->base_slice_ns = cfg->sched_base_slice_ns * slice_factor(cpus);
}
