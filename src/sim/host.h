/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_HOST_H
#define DVMI_SIM_HOST_H

#include "sim/engine.h"

/*
 * The host: vCPUs are its threads, and its scheduler (another kernel/sched.h) says which physical CPU
 * runs which vCPU when. A vCPU that does not run does nothing; interrupts wait for it, or wake it.
 * What is where: docs/model.md#virtual-machines.
 *
 * Each physical CPU has an action in the event queue beside that of each vCPU: steps of the host on
 * it, handlers of interrupts on top of its vCPU, and what the fabric wakes it for. While a vCPU is in
 * the guest, that last one is passed on to it.
 */
enum dvmi_vcpu_state {
	DVMI_VCPU_BLOCKED, /* in WFI */
	DVMI_VCPU_READY,   /* waits for a physical CPU: steal */
	DVMI_VCPU_HOST,    /* the host works on its behalf: exit, switch, vcpu_load, entry */
	DVMI_VCPU_RUNS,
	DVMI_VCPU_STATES
};

/* An interrupt that waits for its vCPU: the event as it came. */
struct dvmi_virq {
	struct dvmi_event ev;
};

struct dvmi_vcpu {
	struct dvmi_virq *pending;
	size_t pending_count, pending_capacity;
	uint64_t since_ps, spent_ps[DVMI_VCPU_STATES];
	uint64_t left_ps;   /* of what it was doing; DVMI_NEVER: it waits for others */
	uint64_t resume_ps; /* they let it go on while it did not run; DVMI_NEVER: not */
	uint32_t last_pcpu; /* DVMI_NONE32: it has not run */
	bool boots;         /* off until its copy begins */
	bool forced;        /* on its way to where vm_move_hz sends it */
	uint8_t state;      /* enum dvmi_vcpu_state */
};

enum dvmi_pcpu_step {
	DVMI_PCPU_IDLE,
	DVMI_PCPU_GUEST,
	DVMI_PCPU_HANDLER,  /* an interrupt's, on top of its vCPU */
	DVMI_PCPU_EXIT,     /* from the guest; then the scheduler picks */
	DVMI_PCPU_SWITCH,   /* vcpu_put and __switch_to; then its DSB */
	DVMI_PCPU_DSB,
	DVMI_PCPU_LOAD,     /* vcpu_load; then entry */
};

struct dvmi_pcpu {
	uint32_t vcpu;      /* the one on it; DVMI_NONE32: none */
	uint32_t next, prev; /* of the host's scheduler, in a switch */
	uint8_t step, how;  /* enum dvmi_pcpu_step, dvmi_sched_how */
	bool late;          /* its vCPU could not be interrupted: look again when it acts */
	unsigned dsb;
	uint64_t tick_ps, move_ps; /* when its next tick, its next forced move is due */
	struct dvmi_cpu handler;
	uint32_t sender;    /* of the handler's interrupt */
};

struct dvmi_host {
	struct dvmi_sched sched;
	struct dvmi_vcpu *vcpus;
	struct dvmi_pcpu *pcpus;
	uint32_t *last_ran;   /* [physical CPU * guests + VM]: the vCPU of it that ran there last */
	uint64_t *members;    /* per VM: physical CPUs its broadcasts must reach (vm_filter) */
	struct dvmi_rng move_rng;
};

/* ---- host.c ---- */
int dvmi_host_init(struct dvm_sim *s, struct dvm_error *err);
void dvmi_host_fini(struct dvm_sim *s);
void dvmi_host_collect(struct dvm_sim *s);
/* The action of physical CPU @p is due. */
int dvmi_host_act(struct dvm_sim *s, uint32_t p, uint64_t now);
/* A vCPU's own action is due. */
int dvmi_host_vcpu_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* Take the vCPU off @p: @how as in dvmi_sched_pick(). */
int dvmi_host_leave(struct dvm_sim *s, uint32_t p, unsigned how, uint64_t now);
/* Reschedule @p if its scheduler wants that, and it can be. */
int dvmi_host_resched(struct dvm_sim *s, uint32_t p, uint64_t now);
int dvmi_host_wake(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* Put a vCPU's own action aside, and back. */
void dvmi_host_suspend(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
void dvmi_host_resume(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
int dvmi_host_tick_arm(struct dvm_sim *s, uint32_t p, uint64_t now);
int dvmi_host_note(struct dvm_sim *s, const struct dvmi_sched_note *note, uint64_t now);

/* ---- host_irq.c ---- */
/* An exit and an entry: what every trap and physical interrupt costs a vCPU. */
static inline uint64_t dvmi_host_trap_ps(const struct dvm_sim *s)
{
	return (s->cfg->vm_exit_ns + s->cfg->vm_entry_ns) * 1000;
}

/* Can the vCPU on @p take an interrupt now? Not while it waits for the fabric. */
bool dvmi_host_interruptible(const struct dvm_sim *s, uint32_t p);
/* Interrupts that waited for the vCPU on @p, which is in the guest. */
int dvmi_host_inject(struct dvm_sim *s, uint32_t p, uint64_t now);
/* A handler on @p goes on. */
int dvmi_host_handler(struct dvm_sim *s, uint32_t p, uint64_t now);
/* The host's own messages, and those for vCPUs. */
int dvmi_host_message(struct dvm_sim *s, const struct dvmi_event *ev);
/* The ipi instruction of a guest: the sender spins until all have handled it. */
int dvmi_host_ipi(struct dvm_sim *s, struct dvmi_cpu *c, const uint64_t *mask, uint64_t arg,
		  uint64_t now, uint64_t *next);
/* The same with an empty handler, to the vCPUs s->targets[0 .. n - 1]. */
int dvmi_host_interrupt_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t n, uint64_t now,
			     uint64_t *next);

#endif
