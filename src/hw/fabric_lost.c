/* SPDX-License-Identifier: MIT */
/* Work lost by running CPUs to the snoops of others. */
#include "hw/fabric_impl.h"

static struct node *node_of(struct dvmi_fabric *f, uint32_t cpu)
{
	return &f->nodes[dvmi_cpu_socket(&f->topo, cpu)];
}

void fabric_cpu_state(struct dvmi_fabric *f, uint32_t cpu, enum wait wait, bool idle)
{
	struct cpu *c = &f->cpus[cpu];
	bool ran = cpu_runs(c);

	c->wait = (uint8_t)wait;
	c->idle = idle;
	if (ran && !cpu_runs(c))
		c->lost_ps += node_of(f, cpu)->lost_ps - c->base_ps;
	else if (!ran && cpu_runs(c))
		c->base_ps = node_of(f, cpu)->lost_ps;
}

uint64_t dvmi_fabric_lost_ps(const struct dvmi_fabric *f, uint32_t cpu)
{
	const struct cpu *c = &f->cpus[cpu];
	uint64_t total = f->nodes[dvmi_cpu_socket(&f->topo, cpu)].lost_ps;

	return c->lost_ps + (cpu_runs(c) ? total - c->base_ps : 0);
}

/* Every running CPU of the socket loses @lost_ps, except the requester's own core (@from). */
void fabric_charge(struct dvmi_fabric *f, uint32_t node, uint32_t from, bool home, uint64_t lost_ps)
{
	uint32_t first = from - from % f->topo.core_cpus;

	f->nodes[node].lost_ps += lost_ps;
	if (!home)
		return;
	for (uint32_t i = first; i < first + f->topo.core_cpus; i++)
		if (cpu_runs(&f->cpus[i]))
			f->cpus[i].base_ps += lost_ps;
}

/* The same for a request to some units only. */
void fabric_charge_some(struct dvmi_fabric *f, uint32_t node, uint32_t from, const uint64_t *chosen,
			uint64_t lost_ps)
{
	for (uint32_t u = 0; u < f->socket_units; u++) {
		uint32_t first = (node * f->socket_units + u) * f->unit_cpus;

		if (!dvmi_bitmap_test(chosen, u) || f->nodes[node].targets.spared[u])
			continue;
		for (uint32_t i = first; i < first + f->unit_cpus; i++)
			if (cpu_runs(&f->cpus[i]) &&
			    dvmi_cpu_core(&f->topo, i) != dvmi_cpu_core(&f->topo, from))
				f->cpus[i].lost_ps += lost_ps;
	}
}

/* CPUs of units that the request's members leave out lose no work to it. */
void fabric_compensate(struct dvmi_fabric *f, uint32_t n, const struct op *op, uint64_t lost_ps)
{
	uint32_t first = op->cpu - op->cpu % f->topo.core_cpus;

	for (uint32_t c = n * f->topo.socket_cpus; c < (n + 1) * f->topo.socket_cpus; c++)
		if (!is_member(f, op->members, c / f->unit_cpus) && cpu_runs(&f->cpus[c]) &&
		    (c < first || c >= first + f->topo.core_cpus))
			f->cpus[c].base_ps += lost_ps;
}
