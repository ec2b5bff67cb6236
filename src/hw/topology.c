/* SPDX-License-Identifier: MIT */
#include "hw/topology.h"

#include <dvmsim/error.h>

int dvmi_topology_init(struct dvmi_topology *topo, const struct dvmi_hw *hw)
{
	const uint64_t parts[] = {hw->topology_threads, hw->topology_cores, hw->topology_clusters,
				  hw->topology_dies, hw->topology_sockets};
	uint32_t cpus[5];
	uint64_t n = 1;

	for (int i = 0; i < 5; i++) {
		if (!parts[i] || parts[i] > DVMI_TOPOLOGY_CPUS_MAX ||
		    n * parts[i] > DVMI_TOPOLOGY_CPUS_MAX)
			return -DVM_ELIMIT;
		n *= parts[i];
		cpus[i] = (uint32_t)n;
	}
	*topo = (struct dvmi_topology){
		.cpus = cpus[4],
		.cores = cpus[4] / cpus[0],
		.clusters = cpus[4] / cpus[1],
		.dies = cpus[4] / cpus[2],
		.sockets = cpus[4] / cpus[3],
		.core_cpus = cpus[0],
		.cluster_cpus = cpus[1],
		.die_cpus = cpus[2],
		.socket_cpus = cpus[3],
	};
	return 0;
}

enum dvmi_distance dvmi_distance(const struct dvmi_topology *topo, uint32_t a, uint32_t b)
{
	if (dvmi_cpu_core(topo, a) == dvmi_cpu_core(topo, b))
		return DVMI_SAME_CORE;
	if (dvmi_cpu_cluster(topo, a) == dvmi_cpu_cluster(topo, b))
		return DVMI_SAME_CLUSTER;
	if (dvmi_cpu_die(topo, a) == dvmi_cpu_die(topo, b))
		return DVMI_SAME_DIE;
	if (dvmi_cpu_socket(topo, a) == dvmi_cpu_socket(topo, b))
		return DVMI_SAME_SOCKET;
	return DVMI_OTHER_SOCKET;
}
