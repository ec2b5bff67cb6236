/* SPDX-License-Identifier: MIT */
/* Whom a request snoops: the units of its TLBI domain, those the filters leave, or all. */
#include "hw/fabric_impl.h"

#include <string.h>

/* ---- TLBI domains ---- */

void fabric_add_domain(const struct dvmi_fabric *f, uint64_t *set, uint32_t domain)
{
	uint32_t first, end;

	dvmi_domain_cpus(&f->domains, domain, &first, &end);
	for (uint32_t u = first / f->unit_cpus; u <= (end - 1) / f->unit_cpus; u++)
		dvmi_bitmap_set(set + (size_t)(u / f->socket_units) * f->socket_words,
				u % f->socket_units);
}

/* Does request @op snoop anybody of @socket? */
bool fabric_takes_part(const struct dvmi_fabric *f, uint32_t op, uint32_t socket)
{
	const uint64_t *set;

	if (!f->ops[op].directed)
		return true;
	set = set_of(f, op, socket);
	for (uint32_t w = 0; w < f->socket_words; w++)
		if (set[w])
			return true;
	return false;
}

/* Whom the request is for: its domain's units, or those of all that its Sync completes. */
void fabric_direct(struct dvmi_fabric *f, uint32_t i, uint32_t domain)
{
	struct op *op = &f->ops[i];
	const struct cpu *c = &f->cpus[op->cpu];
	uint32_t home = dvmi_cpu_socket(&f->topo, op->cpu);

	if (!f->set_words || (op->sync ? !c->pending || c->pending_all ||
				       f->hw.tlbid_sync == DVMI_TLBID_SYNC_ALL
				     : domain == DVMI_NO_DOMAIN))
		return;
	op->directed = 1;
	op->domain = domain;
	if (op->sync) {
		memcpy(set_of(f, i, 0), pending_set(f, op->cpu), f->set_words * sizeof(uint64_t));
	} else {
		memset(set_of(f, i, 0), 0, f->set_words * sizeof(uint64_t));
		fabric_add_domain(f, set_of(f, i, 0), domain);
	}
	op->parts_left = 0;
	for (uint32_t n = 0; n < f->topo.sockets; n++)
		op->parts_left = (uint16_t)(op->parts_left +
					    (n == home || fabric_takes_part(f, i, n)));
}

/* The CPUs of the socket that are in the request's domain. */
void fabric_reach(const struct dvmi_fabric *f, const struct op *op, struct dvmi_delivery *d)
{
	uint32_t first, end;

	d->reach_first = d->first_cpu;
	d->reach_end = d->end_cpu;
	if (op->domain == DVMI_NO_DOMAIN)
		return;
	dvmi_domain_cpus(&f->domains, op->domain, &first, &end);
	if (first > d->reach_first)
		d->reach_first = first < d->end_cpu ? first : d->end_cpu;
	if (end < d->reach_end)
		d->reach_end = end > d->reach_first ? end : d->reach_first;
}

/* ---- the filter ---- */

void fabric_spare_cluster(struct dvmi_fabric *f, uint32_t cluster, bool spared)
{
	uint32_t per = f->topo.cluster_cpus / f->unit_cpus, first = cluster * per;

	dvmi_targets_spare(&f->nodes[first / f->socket_units].targets, first % f->socket_units, per,
			   spared);
}

void dvmi_fabric_set_idle(struct dvmi_fabric *f, uint32_t cpu, bool idle)
{
	uint32_t cluster = dvmi_cpu_cluster(&f->topo, cpu), *running = &f->cluster_running[cluster];
	bool filter = f->hw.dvm_filter == DVMI_FILTER_IDLE_CLUSTER;

	if (f->cpus[cpu].idle == idle)
		return;
	fabric_cpu_state(f, cpu, f->cpus[cpu].wait, idle);
	if (idle && --*running == 0 && filter)
		fabric_spare_cluster(f, cluster, true);
	if (!idle && (*running)++ == 0 && filter)
		fabric_spare_cluster(f, cluster, false);
}

void dvmi_fabric_filter(struct dvmi_fabric *f, uint32_t cpu, const uint64_t *members)
{
	f->cpus[cpu].members = members;
}

/* Leave out the units of node @n that @members does not name, and take them in again. */
void fabric_hide(struct dvmi_fabric *f, uint32_t n, const uint64_t *members)
{
	struct dvmi_targets *t = &f->nodes[n].targets;

	for (uint32_t u = 0; members && u < f->socket_units; u++) {
		f->hidden[u] = !t->spared[u] && !is_member(f, members, n * f->socket_units + u);
		if (f->hidden[u])
			dvmi_targets_spare(t, u, 1, true);
	}
}

void fabric_unhide(struct dvmi_fabric *f, uint32_t n, const uint64_t *members)
{
	for (uint32_t u = 0; members && u < f->socket_units; u++)
		if (f->hidden[u])
			dvmi_targets_spare(&f->nodes[n].targets, u, 1, false);
}
