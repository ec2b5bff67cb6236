/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_FABRIC_H
#define DVMI_HW_FABRIC_H

#include "hw/domains.h"
#include "hw/evq.h"
#include "hw/topology.h"

#include <stdbool.h>

/*
 * The DVM fabric: broadcast TLBIs (Non-Syncs) and the Sync of a DSB, from the PE that issues them
 * through the DVM node of its socket to every target and back (docs/model-hardware.md has each rule
 * with its formula and source). All times are absolute picoseconds.
 *
 * One fabric belongs to one simulation. It posts its messages to the event queue it was made with;
 * the engine hands every event with dvmi_fabric_owns(ev->kind) to dvmi_fabric_message(). A CPU
 * that was told DVMI_FABRIC_BLOCKED has no pending action; the fabric sets one (dvmi_evq_cpu_set)
 * for the instant at which it may go on.
 */
struct dvmi_fabric;

enum dvmi_fabric_result {
	DVMI_FABRIC_DONE,    /* accepted, or nothing to wait for */
	DVMI_FABRIC_BLOCKED, /* the CPU waits until the event queue runs it again */
};

/* Returns 0, -DVM_ENOMEM or -DVM_ELIMIT (dvmi_topology_init). @hw is copied, @q is borrowed. */
int dvmi_fabric_new(const struct dvmi_hw *hw, struct dvmi_evq *q, struct dvmi_fabric **fabric);
/* The same with @extra targets that are no CPUs (SMMUs), snooped last by the first socket's node. */
int dvmi_fabric_new_with(const struct dvmi_hw *hw, uint32_t extra, struct dvmi_evq *q,
			 struct dvmi_fabric **fabric);
void dvmi_fabric_free(struct dvmi_fabric *f);

const struct dvmi_topology *dvmi_fabric_topology(const struct dvmi_fabric *f);
const struct dvmi_domains *dvmi_fabric_domains(const struct dvmi_fabric *f);

/*
 * @cpu executes a broadcast TLBI at @now_ps. DVMI_FABRIC_DONE: it is issued, the CPU goes on at
 * *@free_ps, and @tag comes back in the delivery notices. DVMI_FABRIC_BLOCKED: post_depth
 * Non-Syncs are without Comp; nothing was issued, call again when the CPU runs. Or -DVM_ENOMEM.
 */
int dvmi_fabric_tlbi(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		     uint64_t *free_ps);

/*
 * The same for a TLBI that names a TLBI domain (FEAT_TLBID), below dvmi_fabric_domains()->count, or
 * DVMI_NO_DOMAIN. Only units with CPUs of the domain are snooped, and only sockets that have some
 * take part, beside the requester's, whose node orders all its requests. Targets that are no CPUs
 * are in no domain.
 */
#define DVMI_NO_DOMAIN UINT32_MAX
int dvmi_fabric_tlbi_in(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
			uint32_t domain, uint64_t *free_ps);

/*
 * @cpu executes a DSB that must complete broadcast TLBIs. When all of them named domains and the
 * part's tlbid.sync says so, its Sync goes to those domains only. DVMI_FABRIC_DONE: none is pending (and
 * idle_sync is off). DVMI_FABRIC_BLOCKED: when the CPU runs again, its Sync round is complete.
 * Or -DVM_ENOMEM.
 */
int dvmi_fabric_sync(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps);

/* True when @cpu has issued broadcast TLBIs that no Sync has completed. */
bool dvmi_fabric_pending(const struct dvmi_fabric *f, uint32_t cpu);

/*
 * From now on the requests of @cpu snoop the units of @members only, a set of CPUs (borrowed; NULL:
 * all units): HiSilicon's LSUDVMBM_EL2. CPUs of other units lose nothing to them.
 */
void dvmi_fabric_filter(struct dvmi_fabric *f, uint32_t cpu, const uint64_t *members);

static inline bool dvmi_fabric_owns(uint32_t kind)
{
	return kind >= DVMI_EV_FABRIC_ARRIVE && kind <= DVMI_EV_FABRIC_LAST;
}

/* Handle one of the fabric's own events. Returns 0 or -DVM_ENOMEM. */
int dvmi_fabric_message(struct dvmi_fabric *f, const struct dvmi_event *ev);

/*
 * A Non-Sync on its way to the CPUs [first_cpu, end_cpu) of one socket, told once per socket that
 * takes part, when the socket's node begins to distribute it: at the time of the event being handled, and before
 * any of the delivery times. The record is valid during the callback, which must not call
 * dvmi_fabric_tlbi() or dvmi_fabric_sync().
 */
struct dvmi_delivery {
	uint64_t tag;
	uint64_t start_ps;	    /* the node begins */
	uint64_t first_ps, last_ps; /* the first and last time at which it takes effect */
	uint32_t from;		    /* the CPU that issued it */
	uint32_t first_cpu, end_cpu;
	uint32_t reach_first, reach_end; /* of these, the CPUs it acts on */
	uint32_t left;	      /* sockets still to be told */
	uint32_t skip, first; /* private: the target not snooped, the first one that may be */
};

typedef void (*dvmi_delivery_fn)(void *arg, const struct dvmi_fabric *f,
				 const struct dvmi_delivery *d);
void dvmi_fabric_on_delivery(struct dvmi_fabric *f, dvmi_delivery_fn fn, void *arg);

/*
 * When the Non-Sync takes effect at @cpu, in [reach_first, reach_end): the arrival of the second snoop
 * part. CPUs that are not snooped (the requester's own unit, a filtered cluster) see it when the
 * node has accepted it, start_ps + node_op_ps. Always before the Sync that completes it answers.
 */
uint64_t dvmi_fabric_delivery_ps(const struct dvmi_fabric *f, const struct dvmi_delivery *d,
				 uint32_t cpu);

/*
 * A CPU that is idle (WFI, parked) loses no work to snoops, and idle clusters may be filtered.
 * All CPUs start idle. Call it when the CPU acts, before anything else it does.
 */
void dvmi_fabric_set_idle(struct dvmi_fabric *f, uint32_t cpu, bool idle);

/*
 * Work that @cpu has lost to snoops since the beginning: each Non-Sync costs a running CPU
 * bystander_op_ps and each Sync bystander_sync_ps, counted when the node begins to distribute it.
 * Never decreases; the engine settles the difference when the CPU next acts. A CPU blocked in the
 * fabric has no work to lose.
 */
uint64_t dvmi_fabric_lost_ps(const struct dvmi_fabric *f, uint32_t cpu);

#define DVMI_FABRIC_HIST 48
struct dvmi_fabric_stats {
	uint64_t ops, syncs;	/* requests made by PEs */
	uint64_t forwards;	/* requests passed on to another socket's node */
	uint64_t snoops;	/* targets snooped, each in two parts */
	uint64_t spared;	/* targets a filter answered for */
	uint64_t retries;	/* requests that found the node's entries taken */
	uint64_t issue_blocks;	/* TLBIs that waited for post_depth */
	uint64_t sync_waits;	/* Syncs that found a target's Sync slot taken */
	uint64_t node_busy_ps;	/* summed over nodes */
	uint64_t queue_wait_ps; /* from arrival at a node until it begins, summed */
	uint64_t queue_wait_max_ps;
	/* [0]: no wait; [i]: 2^(i-1) <= wait < 2^i nanoseconds, the last open; [1] has < 2 ns */
	uint64_t queue_wait_hist[DVMI_FABRIC_HIST];
};

void dvmi_fabric_get_stats(const struct dvmi_fabric *f, struct dvmi_fabric_stats *stats);

/* Heap bytes held now. */
size_t dvmi_fabric_bytes(const struct dvmi_fabric *f);

#endif
