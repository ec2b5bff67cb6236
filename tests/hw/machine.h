/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_HW_MACHINE_H
#define DVMSIM_TESTS_HW_MACHINE_H

#include "model/params.h"

/*
 * A machine whose costs are different powers or odd numbers, so that a term left out, or counted
 * twice, shows in every sum. Tests change what they need.
 */
static inline struct dvmi_hw test_machine(uint64_t sockets, uint64_t dies, uint64_t clusters,
					  uint64_t cores, uint64_t threads)
{
	return (struct dvmi_hw){
		.topology_sockets = sockets,
		.topology_dies = dies,
		.topology_clusters = clusters,
		.topology_cores = cores,
		.topology_threads = threads,
		.tlbi_issue_broadcast_ps = 11003,
		.tlbi_issue_local_ps = 5001,
		.tlbi_post_depth = 16,
		.dvm_request_ps = 20011,
		.dvm_snoop_ps = 15013,
		.dvm_response_ps = 14017,
		.dvm_comp_ps = 19019,
		.dvm_node_op_ps = 2027,
		.dvm_node_sync_ps = 3041,
		.dvm_snoop_part_ps = 503,
		.dvm_target_op_ps = 6007,
		.dvm_target_sync_ps = 90011,
		.dvm_bystander_op_ps = 1009,
		.dvm_bystander_sync_ps = 10007,
		.dvm_node_entries = 4096,
		.dvm_die_link_ps = 7001,
		.dvm_socket_link_ps = 150001,
		.barrier_dsb_nsh_ps = 40009,
		.barrier_dsb_ish_ps = 12007,
		.barrier_dsb_st_ps = 8009,
		.barrier_store_drain_ps = 30011,
		.barrier_dmb_ps = 4001,
		.barrier_isb_ps = 9001,
		.line_local_ps = 1201,
		.line_cluster_ps = 20201,
		.line_die_ps = 40401,
		.line_socket_ps = 80801,
		.line_remote_ps = 160001,
		.line_atomic_ps = 5501,
		.ipi_send_ps = 300007,
		.ipi_slope_ps = 70001,
		.ipi_deliver_ps = 900007,
		.ipi_handle_ps = 400009,
	};
}

#endif
