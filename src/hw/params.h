/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_PARAMS_H
#define DVMI_HW_PARAMS_H

/* Until the model room is there, the parameters this room reads. */
#if __has_include("model/params.h")
#include "model/params.h"
#else
#include <stdint.h>
struct dvmi_hw {
	uint64_t topology_sockets, topology_dies, topology_clusters, topology_cores;
	uint64_t topology_threads;
	uint64_t tlbi_issue_broadcast_ps, tlbi_issue_local_ps, tlbi_post_depth;
	uint64_t dvm_request_ps, dvm_snoop_ps, dvm_response_ps, dvm_comp_ps, dvm_node_op_ps;
	uint64_t dvm_node_sync_ps, dvm_snoop_part_ps, dvm_target_op_ps, dvm_target_sync_ps;
	uint64_t dvm_bystander_op_ps, dvm_bystander_sync_ps, dvm_node_entries, dvm_early_comp;
	uint64_t dvm_idle_sync, dvm_snoop_unit, dvm_filter, dvm_die_link_ps, dvm_socket_link_ps;
	uint64_t barrier_dsb_nsh_ps, barrier_dsb_ish_ps, barrier_dsb_st_ps;
	uint64_t barrier_store_drain_ps, barrier_dmb_ps, barrier_isb_ps;
	uint64_t line_local_ps, line_cluster_ps, line_die_ps, line_socket_ps, line_remote_ps;
	uint64_t line_atomic_ps, ipi_send_ps, ipi_slope_ps, ipi_deliver_ps, ipi_handle_ps;
};
enum dvmi_snoop_unit { DVMI_SNOOP_CORE, DVMI_SNOOP_CLUSTER };
enum dvmi_filter { DVMI_FILTER_NONE, DVMI_FILTER_IDLE_CLUSTER };
#endif

#endif
