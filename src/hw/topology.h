/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TOPOLOGY_H
#define DVMI_HW_TOPOLOGY_H

#include "model/params.h"

/* CPUs are numbered from the inside out: the threads of core 0 first, then those of core 1, ... */
struct dvmi_topology {
	uint32_t cpus, cores, clusters, dies, sockets; /* totals of the machine */
	uint32_t core_cpus, cluster_cpus, die_cpus, socket_cpus;
};

/* How far apart two CPUs are; each step is a row of the line-transfer costs. */
enum dvmi_distance {
	DVMI_SAME_CORE,
	DVMI_SAME_CLUSTER,
	DVMI_SAME_DIE,
	DVMI_SAME_SOCKET,
	DVMI_OTHER_SOCKET,
};

#define DVMI_TOPOLOGY_CPUS_MAX 4096u

/* Returns 0, or -DVM_ELIMIT when the machine is empty or has more than DVMI_TOPOLOGY_CPUS_MAX CPUs.
 */
int dvmi_topology_init(struct dvmi_topology *topo, const struct dvmi_hw *hw);

static inline uint32_t dvmi_cpu_core(const struct dvmi_topology *topo, uint32_t cpu)
{
	return cpu / topo->core_cpus;
}

static inline uint32_t dvmi_cpu_cluster(const struct dvmi_topology *topo, uint32_t cpu)
{
	return cpu / topo->cluster_cpus;
}

static inline uint32_t dvmi_cpu_die(const struct dvmi_topology *topo, uint32_t cpu)
{
	return cpu / topo->die_cpus;
}

static inline uint32_t dvmi_cpu_socket(const struct dvmi_topology *topo, uint32_t cpu)
{
	return cpu / topo->socket_cpus;
}

enum dvmi_distance dvmi_distance(const struct dvmi_topology *topo, uint32_t a, uint32_t b);

#endif
