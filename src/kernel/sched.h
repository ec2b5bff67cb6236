/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_SCHED_H
#define DVMI_KERNEL_SCHED_H

#include "model/params.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The scheduler's decisions: kernel/sched/{core,fair,rt,topology}.c without their time. The caller
 * says what happens when (now_ps never goes back on one CPU) and is told what the kernel would
 * decide, and why; what a decision costs is the caller's. Same calls, same answers.
 *
 *	place = dvmi_sched_place_wake(s, task, cpu, flags, now);   select_task_rq()
 *	note = dvmi_sched_enqueue(s, task, place.cpu, now);	   ttwu_do_activate()
 *	... note.need on place.cpu, by interrupt if note.ipi ...
 *	if (dvmi_sched_may_switch(s, cpu, DVMI_SCHED_AT_USER))
 *		pick = dvmi_sched_pick(s, cpu, DVMI_SCHED_PREEMPTED, now); __schedule()
 *	... the switch takes its time ...
 *	note = dvmi_sched_switched(s, cpu, now);		   finish_task_switch()
 *
 * Task 0 is idle. Calls that move tasks leave what they moved in s->moves[0 .. moves_count - 1],
 * until the next call. docs/model.md says what is simplified.
 */

#define DVMI_SCHED_NONE UINT32_MAX

/* Why a task is where it is. */
enum dvmi_sched_reason {
	DVMI_SCHED_WAKE_PREV,	 /* where it last ran */
	DVMI_SCHED_WAKE_AFFINE,	 /* on its waker's CPU */
	DVMI_SCHED_IDLE_SIBLING, /* an idle CPU that shares a cache with one of the two */
	DVMI_SCHED_WAKE_ON_CPU,	 /* it had not left its CPU yet: stays in that queue */
	DVMI_SCHED_WAKE_QUEUED,	 /* its dequeue was delayed: it never left its queue */
	DVMI_SCHED_WAKE_BOUND,	 /* it may run on this CPU only, or is pinned to it */
	DVMI_SCHED_FORK,
	DVMI_SCHED_EXEC,
	DVMI_SCHED_NEWIDLE,	 /* pulled by a CPU about to idle */
	DVMI_SCHED_PERIODIC,	 /* pulled by periodic balancing */
	DVMI_SCHED_NOHZ,	 /* the same, on behalf of an idle CPU */
	DVMI_SCHED_ACTIVE,	 /* pushed off its CPU while it ran, as balancing kept failing */
	DVMI_SCHED_NUMA,	 /* back to the node of its memory */
	DVMI_SCHED_AFFINITY,
	DVMI_SCHED_HOTPLUG,
	DVMI_SCHED_RT_PUSH,	 /* a real-time task to a CPU of lower priority */
	DVMI_SCHED_RT_PULL,
	DVMI_SCHED_REASONS
};
extern const char *const dvmi_sched_reason_names[]; /* "wake-prev", ... */

enum dvmi_sched_policy { DVMI_SCHED_FAIR, DVMI_SCHED_FIFO };

/* Domain levels, from the inside out; those that span no more than the one below are left out. */
enum dvmi_sched_kind {
	DVMI_SCHED_SMT,
	DVMI_SCHED_CLUSTER,
	DVMI_SCHED_LLC,
	DVMI_SCHED_NODE,
	DVMI_SCHED_SYSTEM,
	DVMI_SCHED_LEVELS
};

struct dvmi_sched_rules {
	uint32_t cpus;
	uint32_t span[DVMI_SCHED_LEVELS]; /* CPUs of one domain of that level; ascending multiples */
	enum dvmi_preempt preempt;
	bool delay_dequeue, run_to_parity, numa_balancing;
	uint64_t tick_ns, base_slice_ns, quantum_ns, migration_cost_ns; /* quantum: least slice */
	uint64_t min_interval_ns;	  /* of balancing, for each CPU of the domain */
	uint32_t busy_factor, imbalance_pct, smt_imbalance_pct, nr_migrate;
	uint64_t numa_scan_ns;		  /* between two looks at a task's node */
	uint64_t balance_cpu_ns;	  /* cost of looking at one CPU: bounds newly-idle balancing */
};

/*
 * Lines of the scheduler that a test can leave out, to see that the checker notices. No other code
 * sets dvmi_sched.omit.
 */
enum {
	DVMI_SCHED_OMIT_ON_CPU = 1,	 /* balancing takes a task that is still switching out */
	DVMI_SCHED_OMIT_PINNED = 2,	 /* balancing does not look at migrate_disable */
	DVMI_SCHED_OMIT_AFFINITY = 4,	 /* nor at the allowed CPUs */
	DVMI_SCHED_OMIT_NARROW = 8,	 /* switching out does not narrow a pinned task's CPUs */
	DVMI_SCHED_OMIT_DEQUEUE = 16,	 /* a moved task stays in its old queue */
	DVMI_SCHED_OMIT_OFFLINE = 32,	 /* placement does not look at online */
	DVMI_SCHED_OMIT_ACCOUNT = 64,	 /* run time is not added to the virtual time */
	DVMI_SCHED_OMIT_HEAP = 128,	 /* the tree's least virtual times are not kept */
	DVMI_SCHED_OMIT_COUNT = 256,	 /* a group's count misses a departure */
	DVMI_SCHED_OMIT_PENDING = 512,	 /* an affinity change does not wait for migrate_enable */
};

enum dvmi_sched_state {
	DVMI_SCHED_ABSENT,
	DVMI_SCHED_BLOCKED,
	DVMI_SCHED_WAKING,  /* placed, on its way to a queue */
	DVMI_SCHED_QUEUED,
	DVMI_SCHED_RUNNING, /* current of t->cpu */
	DVMI_SCHED_PUSHED,  /* off its queue, to be put on another when its CPU has switched */
};

/* At most 96 bytes; the engine's part of a task has the rest of the 200. */
struct dvmi_sched_task {
	int64_t vruntime_ns, deadline_ns; /* of a FIFO task, deadline_ns is its place in the queue */
	union {
		int64_t min_vruntime_ns;  /* of its subtree, while queued */
		int64_t lag_ns;		  /* while not */
	};
	uint64_t ran_ns;		  /* up to when its run time is accounted; last ran */
	uint64_t numa_ns;		  /* when its node is looked at again */
	uint32_t left, right;		  /* tree; 0: none */
	uint32_t newer, older;		  /* ring of its CPU's tasks, by when they were picked */
	uint32_t last_wakee, flip_s;
	uint16_t flips;
	uint16_t cpu, recent_cpu;	  /* where it is or last was; and before that */
	uint16_t first_cpu, last_cpu;	  /* allowed */
	uint16_t want_first, want_last;	  /* asked for while pinned */
	uint16_t home_cpu;		  /* first ran there: stands for the node of its memory */
	uint16_t migrate_disabled, preempt_count;
	int8_t nice;
	uint8_t policy, priority, state;  /* priority: of FIFO, 1 .. 99 */
	bool on_cpu : 1, delayed : 1, relative : 1, narrowed : 1, waits : 1, bound : 1, fresh : 1;
	uint8_t reason;			  /* of its last placement */
};

/* A running average with the kernel's half-life of 32 periods of 1,024 us, of 1,024ths. */
struct dvmi_sched_avg {
	uint64_t at_ns, value;
};

struct dvmi_sched_rq {
	uint32_t current;	/* 0: idle */
	uint32_t fair, rt;	/* roots of the trees of those that wait */
	uint32_t newest;	/* in the ring of fair tasks, current included */
	uint32_t nr_fair, nr_rt, nr_delayed; /* current included; delayed ones are in nr_fair */
	uint32_t nr_pinned;
	uint32_t push_task;	/* is to leave when it is switched out; 0: none */
	uint32_t push_cpu;
	uint64_t load;		/* weights of runnable fair tasks, current included */
	/* Of the waiting fair tasks: sum of weight * (vruntime - zero), sum of weight. */
	int64_t sum, sum_weight, zero_ns;
	int64_t protect_ns;	/* current is not preempted by its like before this vruntime */
	uint64_t idle_since_ns, avg_idle_ns;
	uint64_t next_balance_ns;
	struct dvmi_sched_avg util, load_avg;
	uint8_t need, push_reason;
	bool online;
	/* What the sums over groups hold of this CPU. */
	uint32_t coming; /* placed here, not yet queued */
	uint32_t seen_running;
	uint64_t seen_load;
	bool seen_online, seen_busy;
};

/* What balancing remembers of one level of one CPU. */
struct dvmi_sched_domain {
	uint64_t next_ns, interval_ns, newidle_ns, decayed_ns;
	uint32_t failed;
};

/* Sums over the CPUs of one group. */
struct dvmi_sched_group {
	uint32_t online, idle, running; /* runnable tasks, RT ones included */
	uint64_t load;
};

struct dvmi_sched_level {
	enum dvmi_sched_kind kind;
	uint32_t span, child;	/* CPUs of a domain, and of each of its groups */
	uint32_t groups_at;	/* of spans of this level, in s->groups */
	uint32_t imbalance_pct, nice_tries, imb_numa;
	bool share_llc, prefer_sibling;
};

struct dvmi_sched_move {
	uint32_t task, from, to;
	enum dvmi_sched_reason reason;
};

#define DVMI_SCHED_MOVES_MAX 64

struct dvmi_sched {
	struct dvmi_sched_rules rules;
	uint32_t tasks_count, levels_count;
	unsigned omit;
	uint64_t fifo_seq;
	struct dvmi_sched_task *tasks; /* by id; [0] is nobody */
	struct dvmi_sched_rq *rqs;
	struct dvmi_sched_level levels[DVMI_SCHED_LEVELS];
	struct dvmi_sched_domain *domains; /* [cpu * levels_count + level] */
	struct dvmi_sched_group *groups;
	uint64_t *idle, *overloaded, *rt_overloaded; /* CPU sets */
	uint32_t llc;		/* CPUs that share a last-level cache */
	uint32_t cluster;	/* ... a cluster */
	uint32_t *idle_scan;	/* per LLC: how many CPUs a search looks at */
	uint64_t nohz_next_ns;
	uint32_t overloaded_count, rt_overloaded_count, idle_count;
	struct dvmi_sched_move moves[DVMI_SCHED_MOVES_MAX];
	uint32_t moves_count;
	uint64_t counts[DVMI_SCHED_REASONS]; /* placements that changed the CPU, by reason */
};

/* The rules of a kernel configuration on a part, for the first @cpus CPUs of it (0: all). */
void dvmi_sched_rules_get(struct dvmi_sched_rules *rules, const struct dvmi_hw *hw,
			  const struct dvmi_kernel_cfg *cfg, uint32_t cpus);

/* The same on @cpus CPUs of which nothing is known: a virtual machine's, all behind one cache. */
void dvmi_sched_rules_flat(struct dvmi_sched_rules *rules, const struct dvmi_kernel_cfg *cfg,
			   uint32_t cpus);

/* Task ids 1 .. @tasks. 0, -DVM_EINVAL (spans that do not nest, a 0 where none may be) or -DVM_ENOMEM. */
int dvmi_sched_init(struct dvmi_sched *s, const struct dvmi_sched_rules *rules, uint32_t tasks);
void dvmi_sched_fini(struct dvmi_sched *s);
uint64_t dvmi_sched_bytes(const struct dvmi_sched *s);

/* What a CPU is to do: nothing, reschedule when convenient (lazy), or reschedule. */
enum dvmi_sched_need { DVMI_SCHED_NEED_NONE, DVMI_SCHED_NEED_LAZY, DVMI_SCHED_NEED_NOW };

struct dvmi_sched_note {
	uint32_t cpu;		/* DVMI_SCHED_NONE: nobody need be told */
	enum dvmi_sched_need need;
	bool ipi;		/* it takes an interrupt to tell it, unless it is the CPU that calls */
};

/* ---- tasks ---- */

struct dvmi_sched_attr {
	int nice;		/* -20 .. 19 */
	enum dvmi_sched_policy policy;
	unsigned priority;	/* of FIFO, 1 .. 99 */
	uint32_t first_cpu, last_cpu; /* allowed */
	uint32_t cpu;		/* where it is taken to have run last; clamped into the allowed ones */
};

/* A task that is blocked, as it was before the run began. */
void dvmi_sched_task_new(struct dvmi_sched *s, uint32_t task, const struct dvmi_sched_attr *attr);

/* Its last placement's reason, also of one that left it where it was. */
static inline enum dvmi_sched_reason dvmi_sched_reason(const struct dvmi_sched *s, uint32_t task)
{
	return (enum dvmi_sched_reason)s->tasks[task].reason;
}

/* ---- placement ---- */

struct dvmi_sched_place {
	uint32_t cpu, from;	/* from: where it last was; of a fork, the parent's CPU */
	enum dvmi_sched_reason reason;
	uint32_t scanned;	/* CPUs looked at */
	bool queued;		/* it is in its queue already: enqueue() only clears the sleep */
};

enum {
	DVMI_SCHED_WAKE_SYNC = 1, /* the waker is about to sleep (WF_SYNC) */
	DVMI_SCHED_WAKE_IRQ = 2,  /* by a timer or device interrupt on @cpu, not by its task */
};

/* try_to_wake_up() up to the choice of CPU. @task is blocked; then it is waking. */
struct dvmi_sched_place dvmi_sched_place_wake(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					      unsigned flags, uint64_t now_ps);
/* wake_up_new_task(): @task is new, forked on @cpu. It inherits nothing but the place. */
struct dvmi_sched_place dvmi_sched_place_fork(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					      uint64_t now_ps);
/*
 * sched_exec(): where @cpu's current would rather go. When that is elsewhere, it is to be
 * rescheduled at once: dvmi_sched_pick(PREEMPTED) takes it off, switched() puts it there.
 */
struct dvmi_sched_place dvmi_sched_place_exec(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps);
/* Put a waking task into the queue of the CPU chosen for it. */
struct dvmi_sched_note dvmi_sched_enqueue(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					  uint64_t now_ps);
/* place_wake() and enqueue() at once, for a caller that charges no time between them. */
struct dvmi_sched_note dvmi_sched_wake(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
				       unsigned flags, uint64_t now_ps,
				       struct dvmi_sched_place *place);

/* ---- dispatch ---- */

enum dvmi_sched_how { /* what becomes of the current task */
	DVMI_SCHED_PREEMPTED,
	DVMI_SCHED_YIELDED,
	DVMI_SCHED_SLEPT,
	DVMI_SCHED_EXITED,
};

struct dvmi_sched_pick {
	uint32_t task;		/* 0: idle */
	uint32_t scanned;	/* CPUs looked at by newly-idle balancing */
	uint32_t pulled;	/* tasks it pulled */
	bool narrowed;		/* the old task is pinned: migrate_disable_switch() did its work */
};

/* __schedule(). A new current != the old one is on two feet until switched() is called. */
struct dvmi_sched_pick dvmi_sched_pick(struct dvmi_sched *s, uint32_t cpu, enum dvmi_sched_how how,
				       uint64_t now_ps);
/* finish_task_switch(): the task switched out may run elsewhere; a pushed one is queued there. */
struct dvmi_sched_note dvmi_sched_switched(struct dvmi_sched *s, uint32_t cpu, uint32_t prev,
					   uint64_t now_ps);

static inline uint32_t dvmi_sched_current(const struct dvmi_sched *s, uint32_t cpu)
{
	return s->rqs[cpu].current;
}

/* ---- preemption ---- */

enum dvmi_sched_point { /* where @cpu's current is */
	DVMI_SCHED_AT_USER,   /* on the way to user space, or in it */
	DVMI_SCHED_AT_KERNEL, /* in the kernel, preemption enabled; also the end of an interrupt there */
	DVMI_SCHED_AT_COND,   /* cond_resched() */
	DVMI_SCHED_AT_MIGHT_SLEEP,
};

/* May (and must) it be switched out now? Idle always when there is something to do. */
bool dvmi_sched_may_switch(const struct dvmi_sched *s, uint32_t cpu, enum dvmi_sched_point point);
/* The table alone. @counted: preempt_count is not 0. */
bool dvmi_sched_rule(enum dvmi_preempt model, enum dvmi_sched_need need,
		     enum dvmi_sched_point point, bool counted);

void dvmi_sched_preempt_disable(struct dvmi_sched *s, uint32_t task);
/* True: the count is 0 again and a reschedule was put off; call pick(PREEMPTED) now. */
bool dvmi_sched_preempt_enable(struct dvmi_sched *s, uint32_t task);

/* migrate_disable() of a running task. True: the outermost. */
bool dvmi_sched_migrate_disable(struct dvmi_sched *s, uint32_t task);

struct dvmi_sched_enabled {
	bool outermost;
	bool slow;     /* it was switched out in between: set_cpus_allowed() puts its CPUs back */
	bool resched;  /* an affinity change had waited, or its CPU goes: call pick(PREEMPTED) */
};
struct dvmi_sched_enabled dvmi_sched_migrate_enable(struct dvmi_sched *s, uint32_t task,
						    uint64_t now_ps);

/* A spinlock that on RT is a sleeping one: migrate_disable(), else preempt_disable(). */
void dvmi_sched_lock(struct dvmi_sched *s, uint32_t task);
/* True: call pick(PREEMPTED) now. */
bool dvmi_sched_unlock(struct dvmi_sched *s, uint32_t task, uint64_t now_ps);
/* May a task that finds such a lock taken block instead of spinning? */
static inline bool dvmi_sched_lock_sleeps(const struct dvmi_sched *s)
{
	return s->rules.preempt == DVMI_PREEMPT_RT;
}

/* ---- the tick and balancing ---- */

struct dvmi_sched_ticked {
	enum dvmi_sched_need need; /* of this CPU, slice and balancing considered */
	uint32_t scanned, pulled;  /* by periodic balancing */
	struct dvmi_sched_note push; /* a CPU whose running task is to be pushed: reschedule it */
	uint32_t kick; /* idle CPU to be interrupted for dvmi_sched_nohz(); DVMI_SCHED_NONE: none */
};

/* sched_tick() and, when it is time, the balancing softirq, on a CPU that is not idle. */
struct dvmi_sched_ticked dvmi_sched_tick(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps);
/*
 * The next tick at or after @now_ps that can change anything on @cpu, on the grid of tick_ns;
 * UINT64_MAX while it is idle. All ticks before it may be left out.
 */
uint64_t dvmi_sched_next_tick_ps(const struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps);
/*
 * Balance on behalf of all idle CPUs, from the kicked idle CPU @cpu. Each CPU in s->moves[].to is
 * to be rescheduled; in need and pulled, @cpu itself. At most DVMI_SCHED_MOVES_MAX tasks move.
 */
struct dvmi_sched_ticked dvmi_sched_nohz(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps);

/* ---- affinity and hotplug ---- */

struct dvmi_sched_allowed {
	bool waits;		  /* the task is pinned: from its migrate_enable() on */
	struct dvmi_sched_note note; /* a CPU to reschedule: where it runs, or where it went */
};

/* set_cpus_allowed_ptr(): [@first, @last] must hold a CPU that is online. */
struct dvmi_sched_allowed dvmi_sched_set_allowed(struct dvmi_sched *s, uint32_t task,
						 uint32_t first, uint32_t last, uint64_t now_ps);

/*
 * Take @cpu down: no task is placed there any more, and those waiting there go elsewhere, up to
 * DVMI_SCHED_MOVES_MAX a call; the running one goes when it is next switched out. Call again until
 * *@left is 0: then it is offline, and idle. Tasks allowed nowhere else may then run anywhere. The
 * last online CPU stays: -DVM_EINVAL.
 */
int dvmi_sched_offline(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps, uint32_t *left,
		       struct dvmi_sched_note *note);
void dvmi_sched_online(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps);

/* ---- for tests ---- */

/* NULL, or the sentence that says which invariant does not hold. O(tasks + CPUs). */
const char *dvmi_sched_check(const struct dvmi_sched *s);

#endif
