/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_EVQ_H
#define DVMI_HW_EVQ_H

#include <stddef.h>
#include <stdint.h>

/*
 * What happens next. Two sources share one total order:
 *  - each CPU has at most one pending action (a winner tree; ties: the lower CPU number first);
 *  - messages, any number (ties: the lower prio first, then the order of posting).
 * At one instant every message comes before every CPU action, so a CPU that acts at t sees all
 * that arrived at t.
 */
enum dvmi_event_kind {
	DVMI_EV_CPU, /* .who acts */
	DVMI_EV_FABRIC_ARRIVE,
	DVMI_EV_FABRIC_START,
	DVMI_EV_FABRIC_DONE,
	DVMI_EV_FABRIC_COMP,
	DVMI_EV_FABRIC_LAST = DVMI_EV_FABRIC_COMP,
	DVMI_EV_USER, /* this and above: the engine's own messages */
};

struct dvmi_event {
	uint64_t time_ps;
	uint32_t kind; /* enum dvmi_event_kind, or DVMI_EV_USER + n */
	uint32_t who;  /* the CPU, or what the sender of the message put there */
	uint64_t data;
};

#define DVMI_NEVER UINT64_MAX

struct dvmi_message;

/*
 * A node of the winner tree: the earliest action among the CPUs below it, and the earliest time at
 * which what one of them does can reach another CPU.
 */
struct dvmi_evq_node {
	uint64_t time_ps, reach_ps;
	uint32_t cpu;
};

struct dvmi_evq {
	struct dvmi_evq_node *tree; /* node 1 is the root, i has 2i and 2i+1, leaves from .leaves */
	uint32_t cpus, leaves;
	uint32_t taken; /* CPU whose action was taken and not replaced yet, UINT32_MAX */
	struct dvmi_message *heap;
	size_t messages, capacity;
	uint64_t seq;
};

/* Returns 0 or -DVM_ENOMEM. No CPU has an action pending. */
int dvmi_evq_init(struct dvmi_evq *q, uint32_t cpus);
void dvmi_evq_fini(struct dvmi_evq *q);

/* CPU @cpu acts at @time_ps (DVMI_NEVER: not until told otherwise); replaces what was pending. */
void dvmi_evq_cpu_set(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps);
/*
 * The same, with a promise: nothing it does from then on, and nothing that follows from it, is felt
 * by another CPU before @reach_ps (dvmi_evq_cpu_set(): before @time_ps).
 */
void dvmi_evq_cpu_set_reach(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps, uint64_t reach_ps);
/*
 * For the CPU that acts: before this time it feels nothing but what has happened already, so that it
 * may run ahead until then. A message may be felt at once.
 */
uint64_t dvmi_evq_felt_ps(const struct dvmi_evq *q, uint32_t cpu);
static inline uint64_t dvmi_evq_cpu_get(const struct dvmi_evq *q, uint32_t cpu)
{
	return cpu == q->taken ? DVMI_NEVER : q->tree[q->leaves + cpu].time_ps;
}

/* Post a message. @prio orders messages of one instant. Returns 0 or -DVM_ENOMEM. */
int dvmi_evq_post(struct dvmi_evq *q, uint64_t time_ps, uint32_t prio, uint32_t kind, uint32_t who,
		  uint64_t data);

/*
 * Take the next event: 1, or 0 when nothing is pending. A CPU's action is no longer pending once
 * taken.
 */
int dvmi_evq_pop(struct dvmi_evq *q, struct dvmi_event *ev);

/* When the next event, or the next message, is due; DVMI_NEVER when there is none. */
uint64_t dvmi_evq_next_ps(struct dvmi_evq *q);
uint64_t dvmi_evq_next_message_ps(const struct dvmi_evq *q);

/* Heap bytes held now. */
size_t dvmi_evq_bytes(const struct dvmi_evq *q);

#endif
