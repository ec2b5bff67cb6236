/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_FABRIC_IMPL_H
#define DVMI_HW_FABRIC_IMPL_H

#include "base/bitmap.h"
#include "hw/fabric.h"
#include "hw/targets.h"

enum wait { WAIT_NONE, WAIT_SLOT, WAIT_OPS, WAIT_SYNC };

/* A request, from issue to Comp. Its place in each node's queue is in f->place. */
struct op {
	uint64_t tag;
	const uint64_t *members; /* CPUs whose units are snooped; NULL: all */
	uint64_t resp_ps;    /* latest response known so far, at the home node */
	uint32_t cpu;	     /* the requester; of a free op: the next free one */
	uint16_t parts_left; /* sockets that have not begun to distribute it */
	uint32_t domain;     /* of a TLBI, or DVMI_NO_DOMAIN */
	uint8_t sync;
	uint8_t directed; /* to the units in its set only */
	uint8_t refs;	  /* DONE and COMP to come */
};

struct place {
	uint64_t arrive_ps;
	uint32_t next;
};

struct fifo {
	uint32_t head, tail;
};

struct node {
	uint64_t free_ps; /* the distributor is busy until then */
	uint64_t lost_ps; /* work lost so far by a CPU of this socket that always ran */
	uint64_t entries; /* own requests accepted and not answered */
	struct fifo ready, retry;
	struct dvmi_targets targets; /* the socket's units */
	bool start_posted;
};

struct cpu {
	uint64_t lost_ps; /* lost up to the last change of state */
	uint64_t base_ps; /* the node's lost_ps then; running CPUs only */
	uint32_t outstanding, pending;
	const uint64_t *members;
	uint8_t wait, idle;
	uint8_t pending_all; /* a pending TLBI named no domain */
};

struct dvmi_fabric {
	struct dvmi_hw hw;
	struct dvmi_topology topo;
	struct dvmi_domains domains;
	struct dvmi_evq *q;
	dvmi_delivery_fn deliver;
	void *arg;
	struct node *nodes;
	struct cpu *cpus;
	uint32_t *cluster_running; /* CPUs of a cluster that are not idle */
	uint32_t unit_cpus, socket_units, extra;
	uint64_t sync_slot_ps; /* a target's time for a Sync, there and back */
	struct op *ops;
	struct place *place; /* [op * sockets + node] */
	/* With FEAT_TLBID: sets of units, one bitmap per socket; of each request, and of the
	 * TLBIs that each CPU has pending. */
	uint64_t *sets, *pending_sets;
	uint32_t set_words, socket_words; /* 0: without */
	size_t op_capacity, place_capacity, set_capacity;
	uint32_t op_count, op_free;
	uint8_t *hidden; /* by a request's members: units of the socket at hand */
	struct dvmi_fabric_stats stats;
};

static inline uint64_t *set_of(const struct dvmi_fabric *f, uint32_t op, uint32_t socket)
{
	return f->sets + (size_t)op * f->set_words + (size_t)socket * f->socket_words;
}

static inline uint64_t *pending_set(const struct dvmi_fabric *f, uint32_t cpu)
{
	return f->pending_sets + (size_t)cpu * f->set_words;
}

static inline bool is_member(const struct dvmi_fabric *f, const uint64_t *members, uint32_t unit)
{
	for (uint32_t c = unit * f->unit_cpus; c < (unit + 1) * f->unit_cpus; c++)
		if (dvmi_bitmap_test(members, c))
			return true;
	return false;
}

static inline bool cpu_runs(const struct cpu *c)
{
	return !c->idle && c->wait == WAIT_NONE;
}

/* fabric_reach.c. Whom a request snoops. */
void fabric_add_domain(const struct dvmi_fabric *f, uint64_t *set, uint32_t domain);
bool fabric_takes_part(const struct dvmi_fabric *f, uint32_t op, uint32_t socket);
void fabric_direct(struct dvmi_fabric *f, uint32_t i, uint32_t domain);
void fabric_reach(const struct dvmi_fabric *f, const struct op *op, struct dvmi_delivery *d);
void fabric_spare_cluster(struct dvmi_fabric *f, uint32_t cluster, bool spared);
void fabric_hide(struct dvmi_fabric *f, uint32_t n, const uint64_t *members);
void fabric_unhide(struct dvmi_fabric *f, uint32_t n, const uint64_t *members);

/* fabric_lost.c. What a running CPU loses to it. */
void fabric_cpu_state(struct dvmi_fabric *f, uint32_t cpu, enum wait wait, bool idle);
void fabric_charge(struct dvmi_fabric *f, uint32_t node, uint32_t from, bool home,
		   uint64_t lost_ps);
void fabric_charge_some(struct dvmi_fabric *f, uint32_t node, uint32_t from, const uint64_t *chosen,
			uint64_t lost_ps);
void fabric_compensate(struct dvmi_fabric *f, uint32_t n, const struct op *op, uint64_t lost_ps);
#endif
