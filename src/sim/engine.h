/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_ENGINE_H
#define DVMI_SIM_ENGINE_H

#include "base/rng.h"
#include "hw/core.h"
#include "hw/evq.h"
#include "hw/fabric.h"
#include "hw/ipi.h"
#include "kernel/asid.h"
#include "kernel/asid_check.h"
#include "kernel/event.h"
#include "kernel/request.h"
#include "kernel/sched.h"
#include "kernel/script.h"
#include "kernel/words.h"
#include "model/params.h"
#include "program/program.h"
#include "sim/latency.h"
#include "sim/oracle.h"
#include "sim/stage2.h"
#include "sim/tlbs.h"
#include "sim/workset.h"

#include <dvmsim/sim.h>
#include <dvmsim/trace.h>

/*
 * The timing machine. Time advances from event to event, in one total order (hw/evq.h). A CPU acts:
 * it does what its current phase says until that takes time or must wait. CPUs see one another only
 * through the event order, so words behave as sequentially consistent memory; the barriers' costs
 * are those of the hardware model, their effects are the checker's subject.
 */

#define DVMI_NONE32 UINT32_MAX

/* A stretch without preemption or without interrupts (section.c). */
struct dvmi_section {
	uint64_t since_ps, tlbis, syncs; /* at its begin */
	uint32_t depth, line;           /* 0 deep: none; line of the strategy, 0: its whole hook */
	uint8_t cause;                  /* enum dvm_section_cause */
};

struct dvmi_sections {
	struct dvmi_latency lengths;
	struct dvm_section worst;
};

/* One hook of a strategy on its way through the timing machine. */
struct dvmi_hook_run {
	const struct dvmi_program *program;
	struct dvmi_frame frame;
	struct dvmi_prog_env env;
	uint64_t fields[DVMI_FIELDS];
	uint32_t mm, prev, next;        /* machine-wide ids; 0: none */
	struct dvmi_request request;
	bool user;                      /* a flush of a user address space, run by the strategy */
	struct dvmi_oracle_flush *flush;
	bool checked;                   /* its return is a promise: nothing stale is used after it */
	struct dvmi_change change;      /* of the page tables */
	uint64_t refill_pages;          /* of the flushed ones, used again: to be walked for */
	uint32_t cause;                 /* enum dvm_trace_op */
	uint64_t record;                /* UINT64_MAX: none */
	bool frees;                     /* the request: pages and addresses are given up */
	uint64_t tlbis, syncs;          /* executed so far; DSBs that waited for TLBIs */
	struct dvmi_section preempt, irqs;
	/* The instruction under way. */
	unsigned stage;
	bool ops_begun;
	struct dvmi_expansion ops;
	struct dvmi_tlbi_op op;
	uint64_t begin_ps;              /* when the hook, the instruction, the barrier began */
	uint64_t insn_ps, dsb_ps;
	bool dsb_waits_tlbi;
	bool local, broadcast, ipi;     /* TLBIs used so far */
	bool completed;                 /* an ipi hook's: local ones, by a DSB */
	/* Simulated schedule. */
	bool irqs_off;
	bool locked;                    /* under the page-table lock of .request.start */
};

enum dvmi_phase {
	DVMI_PHASE_RECORD,  /* take the next record of the stream */
	DVMI_PHASE_HOOK,    /* a hook runs; then `after` */
	DVMI_PHASE_SWITCH,  /* a context switch, by `stage` */
	DVMI_PHASE_DONE,    /* the stream is over */
};

/* A handler's work, which its CPU loses from the moment it enters it. */
struct dvmi_interrupt {
	uint64_t at_ps, lost_ps;
};

struct dvmi_cpu {
	/*
	 * Three numbers, equal where the kernel runs on the part itself: of all CPUs that kernels
	 * see (place in s->cpus, and in the event queue); the one its own kernel knows; and that of the
	 * physical CPU it is on, which the fabric, TLBs, cache lines and the oracle know.
	 */
	unsigned id, vcpu, pcpu, copy;
	struct dvmi_guest *guest;
	const uint32_t *stream;         /* record numbers of this CPU's own */
	uint32_t next, count;
	bool again;                     /* the record is not over: execute it once more */
	uint32_t task, mm;              /* current and current->mm; 0: none */
	uint32_t active_mm;             /* what TTBR0 holds */
	enum dvmi_phase phase, after;
	unsigned stage;                 /* of the context switch */
	uint32_t in_task, in_mm;        /* the task being switched in */
	uint32_t in_waker, in_waker_cpu; /* who woke it, 0 when nobody is recorded */
	bool exec;                      /* the switch is an exec's: same task, new mm */
	unsigned asid_stage;            /* of the ASID part of the switch; 0 outside it */
	uint64_t asid_id;               /* context id, and how the slow path found it */
	enum dvmi_asid_path asid_path;
	bool tlb_flushed;               /* the slow path has flushed this CPU's whole TLB */
	uint16_t asid;                  /* what TTBR holds */
	bool idle, waiting;
	uint32_t next_waiter;           /* the CPU that waits for the same thing, DVMI_NONE32 */
	uint64_t idle_since_ps, start_ps;
	uint64_t sync_ps;               /* moving average of its syncs that waited for broadcasts */
	uint64_t lost_seen_ps;          /* bystander and interrupt losses already settled */
	uint64_t handler_lost_ps;       /* lost to IPI handlers that have begun, ever */
	struct dvmi_interrupt *interrupts; /* to come, by time */
	size_t interrupts_count, interrupts_capacity;
	bool spins;                     /* waits for another CPU, and can be interrupted */
	uint32_t ipi_left;              /* targets that have not handled its IPI yet */
	uint64_t ipi_arg;
	uint64_t accesses_done;         /* of the ACCESS_RUN under way */
	uint64_t accesses_left;         /* of it; 0 when none has begun */
	bool stale;                     /* the next one uses a stale translation */
	uint64_t starts_ps;             /* when each access began, in one sum modulo 2^64: for tests */
	uint64_t *masks;                /* mask registers */
	/* Simulated schedule. */
	const struct dvmi_script *script; /* of its task */
	bool parked;                    /* idle, and acts when told to */
	bool running;                   /* in recorded work that may be cut short, until: */
	bool interrupted;               /* in the midst of accesses */
	bool must_switch;               /* a reschedule that nothing can put off any more */
	uint64_t run_end_ps;
	bool used;                      /* some task has run here */
	uint64_t tick_ps, force_ps;     /* when its next tick, its next forced migration is due */
	struct dvmi_hook_run hook;
};

/* With kernel/sched.h's part at most 200 bytes (src/sim/task.c). */
struct dvmi_task {
	uint32_t on_cpu, last_cpu;      /* DVMI_NONE32: none */
	uint32_t waiters;               /* recorded: CPUs whose SWITCH waits for it: the last one */
	uint32_t mm;
	uint32_t stints;                /* SWITCH records to this task executed so far */
	/* Simulated schedule. */
	uint32_t operation;             /* 1 + where its operation's state is; 0: none */
	uint32_t step;                  /* of its script: the next one */
	uint32_t saved;                 /* 1 + where the hook is that it was switched out of; 0 */
	uint32_t waker, waker_cpu;      /* of its last wake-up; 0: a timer */
	uint32_t lock_next, lock_waiters; /* page-table lock held while switched out; who waits */
	uint64_t remaining_ps;          /* of the work it was cut off from */
	uint64_t accesses_done;         /* of the ACCESS_RUN it was switched out of */
	uint64_t woken_ps;              /* runnable since */
	uint64_t unit_ps;               /* when the work unit it works on began */
	uint32_t unit_reply;            /* the queue its answer goes to; 0: none */
	uint32_t queue_next;            /* waits behind it in a queue */
	uint16_t ops;                   /* operations begun and not over: it is in the kernel */
	uint8_t state;                  /* enum dvmi_task_state */
	bool fresh;                     /* never woken: its first wake-up is its parent's fork */
	bool placed;                    /* exec: has looked for a better CPU */
	bool forced;                    /* on its way to where a forced migration sends it */
	bool gets;                      /* waits in a queue */
	bool exists;
	bool sme;                       /* uses SME in user mode */
	bool deferred;                  /* has flushes that its next batch flush will complete */
};

enum dvmi_task_state { DVMI_TASK_ABSENT, DVMI_TASK_BLOCKED, DVMI_TASK_READY, DVMI_TASK_OVER };

/* Hooks that tasks were switched out of; they grow to as many as there ever are at once. */
struct dvmi_saved_hooks {
	struct dvmi_hook_run *hooks;
	uint64_t *masks;
	uint32_t *free;
	size_t count, hooks_capacity, masks_capacity, free_capacity, free_count;
};

/* An operation of the simulated kernel on its way, and where such states are kept. */
struct dvmi_op_run {
	struct dvmi_mm_event event;
	struct dvmi_call call;
	unsigned stage, dsb;
	uint32_t next_free;             /* 1 + its number; 0: none */
};

struct dvmi_op_pool {
	struct dvmi_op_run *runs;
	size_t count, capacity;
	uint32_t free;
};

/* Flushes whose pages wait to be reused, in the order of their ends. */
struct dvmi_quarantined {
	struct dvmi_oracle_flush *flush;
	struct dvmi_change change;
	uint64_t pages;
};

struct dvmi_quarantine {
	struct dvmi_quarantined *list;
	size_t first, count, capacity;
	uint64_t pages;
};

/* The engine's own messages. */
enum dvmi_sim_message {
	DVMI_EV_TIMER = DVMI_EV_USER, /* who: a task; its sleep is over */
	DVMI_EV_ARRIVE,               /* who: a copy; data: which arrival */
	DVMI_EV_RESCHED,              /* who: a CPU, by interrupt */
	DVMI_EV_TICK,                 /* who: a CPU; data: its due time, or it is stale */
	DVMI_EV_KICK,                 /* who: an idle CPU that balances for all idle ones */
	DVMI_EV_FORCE,                /* who: a CPU whose task is moved away; data: as TICK */
	DVMI_EV_OFFLINE,              /* who: a CPU that goes */
	DVMI_EV_QUARANTINE,           /* what the first in quarantine gave up may be reused */
	/* Beneath virtual machines (sim/host.h); who: a physical CPU */
	DVMI_EV_HOST_RESCHED,
	DVMI_EV_HOST_TICK,            /* data: as TICK */
	DVMI_EV_HOST_KICK,
	DVMI_EV_HOST_MOVE,            /* data: as TICK */
	DVMI_EV_HOST_BOOT,            /* who: a vCPU */
	DVMI_EV_HOST_IPI,             /* who: a vCPU; data: the sender, bit 32: an empty handler */
};

/* ---- queues of work (simulated schedule) ---- */
struct dvmi_queue_item {
	uint64_t born_ps;
	uint32_t reply;                 /* queue its answer goes to; 0: none */
	uint32_t next;                  /* in its queue, or free; 0: none */
};

struct dvmi_queue {
	uint32_t first, last;           /* units, in the order of coming; 0: none */
	uint32_t waiter, last_waiter;   /* tasks, through queue_next; 0: nobody */
};

struct dvmi_arrival {
	uint64_t ns;
	uint32_t record;
};

struct dvmi_unit {
	uint64_t done_ps, took_ps;
};

/* Of one mark, all copies together, in the order in which they were done. */
struct dvmi_units {
	struct dvmi_unit *units;
	size_t count, capacity;
	struct dvm_unit_latency latency; /* after the run */
};

struct dvmi_queues {
	struct dvmi_queue *queues;      /* per copy */
	struct dvmi_queue_item *items;  /* of all of them; [0] is none */
	size_t items_count, items_capacity;
	uint32_t free;
	struct dvmi_arrival *arrivals;  /* of one copy, by time */
	uint32_t arrivals_count;
	struct dvmi_units *marks;
};

struct dvmi_wake {
	uint32_t waiters;               /* CPUs; simulated: the task */
	uint32_t task, cpu;             /* who executed it, once done */
	bool done;
};

struct dvmi_work {
	uint64_t count, last_ps;
};

/* cpu_asid_lock: a queued spinlock. */
struct dvmi_asid_lock {
	struct dvmi_line line;
	bool held;
	uint32_t first, last;           /* CPUs that wait, through next_waiter; DVMI_NONE32: none */
};

struct dvmi_host;

/*
 * One kernel and what it keeps: the one on the part itself, or that of a virtual machine. Its CPUs
 * are s->cpus[first_cpu .. first_cpu + cpus_count - 1].
 */
struct dvmi_guest {
	unsigned vm, first_cpu, cpus_count;
	uint8_t vmid;                   /* of the exact TLBs; 0: no virtual machine */
	struct dvmi_asids asids;
	struct dvmi_asid_check *asid_check;
	struct dvmi_asid_lock asid_lock;
	struct dvmi_line *asid_active;  /* per CPU: the line of its active ASID */
	struct dvmi_sched sched;        /* simulated schedule */
	uint32_t lock_holders;          /* tasks switched out under a page-table lock (RT) */
};

struct dvmi_step_time {
	uint64_t count, total_ps;
};

struct dvm_sim {
	struct dvm_sim_options options;
	const struct dvmi_hw *hw;
	const struct dvmi_kernel_cfg *cfg;
	const struct dvmi_program *program;
	/* What stays outside the strategy. */
	struct dvmi_program *kernel_flush, *kernel_batch, *kernel_flush_all;
	const struct dvm_trace_record *records;
	const uint64_t *accesses;
	const struct dvm_trace_env *env;
	struct dvm_trace_ids ids;
	struct dvmi_flush_rules rules;
	bool repeat_new, repeat_old;    /* erratum workaround, by form */
	uint64_t kinsn_ps;              /* of 1000 instructions */
	uint64_t access_ps;             /* of an access that hits */
	uint64_t refill_ps;             /* of a walk, where accesses are not known */
	struct dvmi_stage2 stage2;      /* of a guest with one (cfg->vm_stage2) */
	uint64_t reach_ps;              /* from an act of a CPU to the least effect on another's accesses */

	struct dvmi_evq evq;
	struct dvmi_fabric *fabric;
	struct dvmi_core core;
	unsigned domains_count;         /* TLBI domains that the kernel may name */
	uint16_t *domain_of;            /* of each of its CPUs; NULL: none */
	struct dvmi_ipi ipi;
	struct dvmi_words words;
	struct dvmi_oracle *oracle;
	struct dvmi_workset *workset;
	struct dvmi_tlbs *tlbs;       /* exact TLBs; NULL when the workload carries no accesses */

	struct dvmi_mms mms;            /* address spaces, when the workload has such operations */
	struct dvmi_event_rules event_rules;
	struct dvmi_op_pool operations;
	uint32_t *targets;              /* of an interrupt, and when each enters its handler */
	uint64_t *arrivals;
	bool *bound;                    /* per mm: a device shares it */
	uint64_t smmu_free_ps;          /* when its command queue is empty */
	uint64_t *sme_batches;          /* per task: CPUs its batch must interrupt; may be NULL */

	bool simulated;                 /* the schedule; all below is of it */
	struct dvmi_scripts scripts;
	struct dvmi_saved_hooks saved;
	struct dvmi_rng force_rng;
	uint64_t *tick_masks;           /* mask registers of the tick hook */
	struct dvmi_latency wake_latency;
	struct dvmi_queues queues;

	unsigned cpus_count;            /* of the part */
	unsigned copies;
	struct dvmi_guest *guests;
	unsigned guests_count;
	struct dvmi_host *host;         /* beneath virtual machines; NULL: there is none */
	unsigned slot_base;             /* of CPU 0 in the event queue */
	uint64_t inject_ps;             /* what the interrupt under way costs beyond its handler */
	uint32_t injecting;             /* the vCPU it is delivered to; DVMI_NONE32 */
	struct dvmi_cpu *cpus;          /* those the workload uses: copies * env->ncpus */
	unsigned cpus_used;
	struct dvmi_task *tasks;
	struct dvmi_wake *wakes;
	uint32_t *streams;              /* all CPUs' record numbers, one after the other */
	uint32_t *stints;               /* per record: of a SWITCH, how many precede it for its task */
	uint64_t *mask_storage;
	struct dvmi_work *work;         /* per copy and mark */
	bool *mm_ran;
	uint32_t mms_count, tasks_count;

	struct dvmi_step_time *steps;   /* per instruction of the strategy */
	char (*step_text)[128];
	struct dvmi_latency flush_latency, dsb_latency;
	struct dvmi_sections no_preemption, no_interrupts;
	struct dvmi_quarantine quarantine;
	struct dvm_stats stats;
	struct dvm_error *err;          /* of the run under way */
};

/* Tell the observer, if there is one; fills in mm's CPU count. */
void dvmi_observe(const struct dvm_sim *s, struct dvm_sim_event event);

/* Ids of the trace, machine-wide: those of the copy whose records @c executes. */
static inline uint32_t dvmi_task_id(const struct dvm_sim *s, const struct dvmi_cpu *c,
				    uint32_t task)
{
	return task ? c->copy * s->ids.tasks + task : 0;
}

static inline uint32_t dvmi_mm_id(const struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t mm)
{
	return mm ? c->copy * s->ids.mms + mm : 0;
}

/* The VMID that tags what @c runs. */
static inline uint8_t dvmi_cpu_vmid(const struct dvmi_cpu *c)
{
	return c->guest->vmid;
}

/* ---- guests.c: copies, kernels, CPUs ---- */
int dvmi_guests_init(struct dvm_sim *s, struct dvm_error *err);
int dvmi_cpus_init(struct dvm_sim *s);

/* ---- cpu.c: one CPU acts ---- */
int dvmi_cpu_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
void dvmi_cpu_set_idle(struct dvm_sim *s, struct dvmi_cpu *c, bool idle, uint64_t now);
/* @c enters an interrupt handler at @at_ps, which takes @lost_ps of its work. */
int dvmi_cpu_interrupt(const struct dvm_sim *s, struct dvmi_cpu *c, uint64_t at_ps,
		       uint64_t lost_ps);
/* Work lost to snoops and interrupts that has not delayed @c yet; it has now. */
uint64_t dvmi_cpu_take_lost(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* Another CPU lets @c go on at @at_ps: at once, or when it runs again. host.c */
void dvmi_cpu_resume(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t at_ps);
/* Say why nothing can happen any more. */
int dvmi_cpu_stuck(const struct dvm_sim *s, struct dvm_error *err);

/* ---- replay.c: the recorded schedule ---- */
/* @c executes the next record of its stream. */
int dvmi_replay_next(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);

/* ---- record.c: what a record does, whoever schedules it ---- */
/* Every kind but SWITCH, SLEEP and WAKE; *@next: when it is over, or its phase goes on. */
int dvmi_record_execute(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			uint64_t now, uint64_t *next);

/* ---- run.c: work of a task ---- */
int dvmi_run(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t ps, uint64_t now, uint64_t *next);
/* What a task was cut off from, perhaps on another CPU. */
int dvmi_run_rest(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t ps, uint64_t now,
		  uint64_t *next);
/* The work under way goes on, perhaps on another CPU: *@ps more than it has left. */
int dvmi_run_elsewhere(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t *ps);
/* How long a RUN record takes; the kernel's own work in an operation. */
uint64_t dvmi_run_time(const struct dvm_sim *s, const struct dvm_trace_record *r);
uint64_t dvmi_operation_ps(const struct dvm_sim *s, const struct dvm_trace_record *r);

/* ---- access.c: runs of memory accesses, ahead of other CPUs ---- */
int dvmi_access_run(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now, uint64_t *next);
uint64_t dvmi_reach_ps(const struct dvmi_hw *hw);
/* @c acts next at @next: when that can be felt elsewhere (dvmi_evq_cpu_set_reach()). */
uint64_t dvmi_cpu_reach(const struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t next);

/* ---- flush.c: from a record, or a call of the simulated kernel, to its hook ---- */
struct dvmi_flush_call {
	struct dvmi_request request;    /* not normalised */
	uint32_t mm, cause;             /* machine-wide; enum dvm_trace_op */
	bool frees;                     /* pages or addresses are given up, no tables */
	uint64_t record;                /* to blame */
};
/* 1, and the hook begins; 0: a task that is switched out holds the page-table lock, try again. */
int dvmi_flush_call(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_flush_call *f,
		    uint64_t now, uint64_t *next);
void dvmi_flush(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		uint64_t now, uint64_t *next);
void dvmi_batch_flush(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);

/* ---- operation.c: operations whose flushes the simulated kernel makes ---- */
int dvmi_operations_init(struct dvm_sim *s, size_t count, struct dvm_error *err);
void dvmi_operations_fini(struct dvm_sim *s);
/* One stretch of work or one call further; c->again until it is over. */
int dvmi_operation(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now, uint64_t *next);
/* MM_NEW and MM_EXIT; *@ps: the copy's cost. */
int dvmi_operation_fork(struct dvm_sim *s, uint32_t parent, uint32_t mm, uint64_t *ps);
int dvmi_operation_mm_exit(struct dvm_sim *s, uint32_t mm);
/* Interrupt the CPUs in s->targets[0..n) with an empty handler, and wait for them. */
int dvmi_interrupt_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t n, uint64_t now,
			uint64_t *next);

/* ---- domain.c: TLBI domains (FEAT_TLBID) ---- */
int dvmi_sim_domains_init(struct dvm_sim *s);
/* The domain that a TLBI names: DVMI_NO_DOMAIN where it names none. */
int dvmi_sim_domain(const struct dvm_sim *s, const struct dvmi_hook_run *h,
		    const struct dvmi_insn *i, uint32_t *domain);

/* ---- device.c: devices that share address spaces, and SME's work-around ---- */
int dvmi_devices_init(struct dvm_sim *s);
void dvmi_devices_fini(struct dvm_sim *s);
int dvmi_device_bind(struct dvm_sim *s, uint32_t mm, bool bind);
/* What a call of the notifier for @r takes from @now on, behind those before it. */
uint64_t dvmi_notifier_ps(struct dvm_sim *s, const struct dvmi_request *r, uint64_t now);
/* Is 4193714 there and worked around? Step 3 of a sync; a batch add. */
bool dvmi_sme_applies(const struct dvm_sim *s);
int dvmi_sme_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
void dvmi_sme_note(struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t mm);

/* ---- switch.c: context switches ---- */
/* 1: it may begin; 0: the CPU has registered to be woken. */
int dvmi_switch_may_begin(struct dvm_sim *s, struct dvmi_cpu *c,
			  const struct dvm_trace_record *r);
void dvmi_switch_begin(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t task, uint32_t mm,
		       bool exec);
int dvmi_switch_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
/* Run @program's @hook about @mm (0: none); then the switch goes on. */
void dvmi_switch_hook(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_program *program,
		      enum dvmi_hook hook, uint32_t mm, uint64_t now);
/* Let those that wait for @task to leave its CPU or to be born try again at @now. */
void dvmi_task_moved(struct dvm_sim *s, uint32_t task, uint64_t now);
/* Those that wait for wake-up @wake, which @c has just executed. */
void dvmi_wake_done(struct dvm_sim *s, struct dvmi_wake *wake, const struct dvmi_cpu *c,
		    uint64_t now);

/* ---- asid.c: the ASID part of a switch ---- */
int dvmi_sim_asids_init(struct dvm_sim *s, struct dvm_error *err);
void dvmi_sim_asids_fini(struct dvm_sim *s);
/* 1: it is over; 0: call again at *@next. */
int dvmi_switch_asid(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
/* TTBR := in_mm and its ASID. */
int dvmi_switch_ttbr(struct dvm_sim *s, struct dvmi_cpu *c);

/* ---- dispatch.c: the simulated schedule ---- */
int dvmi_sim_schedule_init(struct dvm_sim *s, struct dvm_error *err);
void dvmi_sim_schedule_fini(struct dvm_sim *s);
/* @c goes on with its task's script, or with another task. */
int dvmi_dispatch_next(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
/* __schedule(); @how: enum dvmi_sched_how. */
int dvmi_dispatch_switch(struct dvm_sim *s, struct dvmi_cpu *c, unsigned how, uint64_t now,
			 uint64_t *next);
/* The switch is over; @prev may run elsewhere. */
int dvmi_dispatch_switched(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t prev, uint64_t now);
int dvmi_dispatch_stuck(const struct dvm_sim *s, struct dvm_error *err);

/* ---- interrupt.c: ticks and other interrupts of the simulated schedule ---- */
int dvmi_dispatch_message(struct dvm_sim *s, const struct dvmi_event *ev);
/* The CPU that a message is an interrupt of. */
unsigned dvmi_interrupted_cpu(const struct dvm_sim *s, const struct dvmi_event *ev);
/* Tell the CPU of @g that @note names, at @now. */
int dvmi_dispatch_note(struct dvm_sim *s, const struct dvmi_guest *g,
		       const struct dvmi_sched_note *note, uint64_t now);
/* Have the next tick of @c come, when there is one. */
int dvmi_tick_arm(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* The task on @c may have been sent there; from now on it may go anywhere. */
int dvmi_force_arrived(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now);
int dvmi_offline_arm(struct dvm_sim *s);

/* ---- task.c: births, sleeps and wake-ups of the simulated schedule ---- */
/* TASK_NEW was executed on @c. */
int dvmi_task_born(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t task,
		   const struct dvm_trace_record *r, uint64_t now);
/* Go through steps that block: true when @task can not run now. */
int dvmi_task_blocks(struct dvm_sim *s, uint32_t task, uint64_t now, bool *blocks);
/* try_to_wake_up() from @cpu; @waker 0: by an interrupt there. *@ps: its cost for the waker. */
int dvmi_task_wake(struct dvm_sim *s, uint32_t task, unsigned cpu, uint32_t waker, unsigned flags,
		   uint64_t now, uint64_t *ps);
/* A WAKE record. */
int dvmi_task_wakes(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now, uint64_t *next);
/* Does the task on @c sleep right after this step, or after a little more work? */
bool dvmi_task_about_to_sleep(const struct dvm_sim *s, uint32_t task);

/* ---- queue.c: queues of work, think times, work units ---- */
/* Refuses queues in a recorded schedule. */
int dvmi_queues_init(struct dvm_sim *s, struct dvm_error *err);
int dvmi_queues_start(struct dvm_sim *s);
void dvmi_queues_fini(struct dvm_sim *s);
/* @flags of the wake-up, if there is one; *@next: when it is over. */
int dvmi_queue_put(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   unsigned flags, uint64_t now, uint64_t *next);
/* The task is blocked when it has to wait. */
void dvmi_queue_get(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r);
int dvmi_think(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
	       uint64_t now);
/* An arrival: by an interrupt of *@on, which takes *@ps for waking somebody. */
int dvmi_queue_arrive(struct dvm_sim *s, unsigned copy, uint32_t arrival, uint64_t now,
		      struct dvmi_cpu **on, uint64_t *ps);
int dvmi_unit_end(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
		  uint64_t now);
void dvmi_units_summary(struct dvm_sim *s);

static inline unsigned dvmi_copy_of(const struct dvm_sim *s, uint32_t task)
{
	return (task - 1) / s->ids.tasks;
}

/* A CPU's place in the event queue: behind those of the physical ones, if there is a host. */
static inline uint32_t dvmi_slot(const struct dvm_sim *s, const struct dvmi_cpu *c)
{
	return s->slot_base + c->id;
}

/* Which address spaces are @g's. */
static inline struct dvmi_mm_group dvmi_guest_mms(const struct dvm_sim *s,
						  const struct dvmi_guest *g)
{
	return (struct dvmi_mm_group){ s->ids.mms, s->guests_count, g->vm };
}

/* Copies are dealt to the kernels in turn. */
static inline struct dvmi_guest *dvmi_guest_of_copy(const struct dvm_sim *s, unsigned copy)
{
	return &s->guests[copy % s->guests_count];
}

/* Where CPU @n of @copy is, in s->cpus. */
static inline unsigned dvmi_copy_cpu(const struct dvm_sim *s, unsigned copy, unsigned n)
{
	return dvmi_guest_of_copy(s, copy)->first_cpu + copy / s->guests_count * s->env->ncpus + n;
}

static inline struct dvmi_guest *dvmi_guest_of_task(const struct dvm_sim *s, uint32_t task)
{
	return dvmi_guest_of_copy(s, dvmi_copy_of(s, task));
}

static inline struct dvmi_guest *dvmi_guest_of_mm(const struct dvm_sim *s, uint32_t mm)
{
	return dvmi_guest_of_copy(s, (mm - 1) / s->ids.mms);
}

/* A task's number in its kernel's scheduler: tasks of other kernels have none there. */
static inline uint32_t dvmi_sched_id(const struct dvm_sim *s, uint32_t task)
{
	return task ? dvmi_copy_of(s, task) / s->guests_count * s->ids.tasks +
		      (task - 1) % s->ids.tasks + 1 : 0;
}

/* And back. */
static inline uint32_t dvmi_sched_task_of(const struct dvm_sim *s, const struct dvmi_guest *g,
					  uint32_t id)
{
	unsigned copy = id ? (id - 1) / s->ids.tasks * s->guests_count + g->vm : 0;

	return id ? copy * s->ids.tasks + (id - 1) % s->ids.tasks + 1 : 0;
}

static inline struct dvmi_sched_task *dvmi_sched_entry(const struct dvm_sim *s, uint32_t task)
{
	return &dvmi_guest_of_task(s, task)->sched.tasks[dvmi_sched_id(s, task)];
}

static inline const struct dvmi_script *dvmi_script_of(const struct dvm_sim *s, uint32_t task)
{
	return &s->scripts.tasks[(task - 1) % s->ids.tasks + 1];
}

/* Why @task is where it is: enum dvm_sim_reason. */
static inline enum dvm_sim_reason dvmi_sim_reason(const struct dvm_sim *s, uint32_t task)
{
	return s->simulated ? (enum dvm_sim_reason)(dvmi_sched_entry(s, task)->reason + 1) :
			      DVM_SIM_RECORDED_PLACE;
}

/* ---- preempt.c: hooks of tasks that may be switched out ---- */
/* May the task in @c's hook be switched out at this instruction? */
bool dvmi_hook_may_leave(const struct dvmi_cpu *c);
/* Put @c's hook aside for its task; and back, wherever it runs now. */
int dvmi_hook_save(struct dvm_sim *s, struct dvmi_cpu *c);
void dvmi_hook_restore(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
void dvmi_saved_hooks_fini(struct dvm_sim *s);
/* migrate_disable() and its kin, by the task on @c: *@ps more than their usual cost. */
void dvmi_hook_protect(struct dvm_sim *s, struct dvmi_cpu *c, unsigned op, uint64_t now,
		       uint64_t *ps);
/* The page-table lock around a flush. 0: it is held by a task that is switched out, wait. */
int dvmi_hook_lock(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_flush_call *f);
int dvmi_hook_unlock(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);

/* ---- quarantine.c: flushes that promise something later than at their return ---- */
/* Is this flush one? Then its promise begins when the quarantine is over. */
bool dvmi_quarantine_applies(const struct dvm_sim *s, const struct dvmi_hook_run *h);
int dvmi_quarantine_begin(struct dvm_sim *s, const struct dvmi_hook_run *h, uint64_t now);
int dvmi_quarantine_over(struct dvm_sim *s, uint64_t now);
void dvmi_quarantine_fini(struct dvm_sim *s);

/* ---- section.c: how long preemption and interrupts are off around TLBIs ---- */
/* A hook begins, with what its context keeps off; its CPU's hook is over. */
void dvmi_sections_begin(const struct dvm_sim *s, struct dvmi_hook_run *h, uint64_t now);
void dvmi_sections_end(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* @cause: enum dvm_section_cause; nested ones are part of the outer one. */
void dvmi_section_open(struct dvmi_hook_run *h, struct dvmi_section *of, unsigned cause,
		       unsigned line, uint64_t now);
void dvmi_section_ipi_over(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now);
/* A protecting instruction, from @now to @done. */
void dvmi_section_protect(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			  uint64_t now, uint64_t done);
void dvmi_sections_summary(const struct dvm_sim *s, struct dvm_stats *st);

/* ---- hook.c: a strategy's hook on the timing machine ---- */
/* Prepare @c->hook; the phase is set to HOOK and returns to @after. Without that hook: nothing. */
void dvmi_hook_begin(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_program *program,
		     enum dvmi_hook hook, uint64_t now, enum dvmi_phase after);
/* An ipi or tick hook in @self.hook, from its beginning to its end. */
int dvmi_handler_run(struct dvm_sim *s, struct dvmi_cpu *self, uint64_t now, uint64_t *end);
/* *@next: when to go on; the phase is @after once the hook has returned. */
int dvmi_hook_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
/* A DSB of the kernel's own (__switch_to): stages 0 and up; *@stage is 0 again when it is over. */
int dvmi_dsb_act(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
		 enum dvmi_dsb_domain domain, uint64_t now, unsigned *stage, uint64_t *next);

static inline bool dvmi_sim_guest_fb(const struct dvm_sim *s)
{
	return s->cfg->vm == DVMI_VM_GUEST && s->cfg->vm_fb;
}

#endif
