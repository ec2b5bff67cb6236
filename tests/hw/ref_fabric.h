/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_HW_REF_FABRIC_H
#define DVMSIM_TESTS_HW_REF_FABRIC_H

#include "hw/fabric.h"

/*
 * The rules of the fabric again, one event per snoop part and per response, in one sorted list:
 * slow, and easy to check by eye. The fast engine must agree with it to the picosecond.
 */
struct ref;

typedef void (*ref_deliver_fn)(void *arg, uint64_t tag, uint32_t cpu, uint64_t time_ps);

struct ref *ref_new(const struct dvmi_hw *hw, ref_deliver_fn deliver, void *arg);
void ref_free(struct ref *r);

/* CPU @cpu acts at @time_ps. */
void ref_cpu_at(struct ref *r, uint32_t cpu, uint64_t time_ps);
/* Run until a CPU acts: true, or false when nothing is left. */
bool ref_next(struct ref *r, uint32_t *cpu, uint64_t *now_ps);

/* As their namesakes in hw/fabric.h. */
int ref_tlbi(struct ref *r, uint32_t cpu, uint64_t now_ps, uint64_t tag, uint64_t *free_ps);
int ref_tlbi_in(struct ref *r, uint32_t cpu, uint64_t now_ps, uint64_t tag, uint32_t domain,
		uint64_t *free_ps);
int ref_sync(struct ref *r, uint32_t cpu, uint64_t now_ps);
void ref_set_idle(struct ref *r, uint32_t cpu, bool idle);
uint64_t ref_lost_ps(const struct ref *r, uint32_t cpu);
const struct dvmi_fabric_stats *ref_stats(const struct ref *r);

/* Post events to @q instead of an own list; whoever pops one hands it over. Before anything else. */
void ref_use_queue(struct ref *r, struct dvmi_evq *q);
void ref_message(struct ref *r, const struct dvmi_event *message);
bool ref_pending(const struct ref *r, uint32_t cpu);
const struct dvmi_topology *ref_topology(const struct ref *r);
/* How many TLBI domains there are, and in which one a CPU is. */
uint32_t ref_domains(const struct ref *r);
uint32_t ref_domain_of(const struct ref *r, uint32_t cpu);

#endif
