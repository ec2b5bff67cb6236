/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_SIM_H
#define DVMSIM_SIM_H

#include <dvmsim/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dvm_model;
struct dvm_strategy;
struct dvm_trace;
/** struct dvm_sim - one run of one strategy on one workload, part and kernel. One thread each. */
struct dvm_sim;

/** enum dvm_sim_event_kind - what happened to an address space. */
enum dvm_sim_event_kind {
	DVM_SIM_MM_NEW,     /* it begins to exist; @parent is what it was copied from */
	DVM_SIM_MM_INSTALL, /* a CPU installs its tables */
	DVM_SIM_MM_FLUSH,   /* a flush of it returned */
	DVM_SIM_MM_EXIT,    /* it is torn down */
	DVM_SIM_RECORD,     /* simulated schedule: its task begins a record of the trace */
};

/** enum dvm_sim_tlbi - how a flush was carried out; bits of dvm_sim_event.tlbi. */
enum dvm_sim_tlbi {
	DVM_SIM_TLBI_LOCAL = 1,
	DVM_SIM_TLBI_BROADCAST = 2,
	DVM_SIM_TLBI_IPI = 4,
};

/** enum dvm_sim_schedule - who says where a task runs, and when. */
enum dvm_sim_schedule {
	DVM_SIM_RECORDED,  /* the trace: every CPU executes its own records */
	DVM_SIM_SIMULATED, /* a scheduler: every task executes its own records */
};

/**
 * enum dvm_sim_reason - why a task is on the CPU where it is; dvm_sim_reason_name() has their names.
 * Sources: select_task_rq(), load_balance() and others of kernel/sched; docs/model.md.
 */
enum dvm_sim_reason {
	DVM_SIM_RECORDED_PLACE, /* the trace says so */
	DVM_SIM_WAKE_PREV,      /* woken where it last ran */
	DVM_SIM_WAKE_AFFINE,    /* woken on its waker's CPU */
	DVM_SIM_IDLE_SIBLING,   /* woken on an idle CPU that shares a cache with one of the two */
	DVM_SIM_WAKE_ON_CPU,    /* woken before it had left its CPU */
	DVM_SIM_WAKE_QUEUED,    /* woken before it had left its queue */
	DVM_SIM_WAKE_BOUND,     /* it may not run elsewhere */
	DVM_SIM_FORK,
	DVM_SIM_EXEC,
	DVM_SIM_NEWIDLE,        /* pulled by a CPU about to idle */
	DVM_SIM_PERIODIC,       /* pulled by periodic balancing */
	DVM_SIM_NOHZ,           /* the same, on behalf of an idle CPU */
	DVM_SIM_ACTIVE,         /* pushed off its CPU while it ran, as balancing kept failing */
	DVM_SIM_NUMA,           /* back to the node of its memory */
	DVM_SIM_AFFINITY,       /* its allowed CPUs changed: a forced migration */
	DVM_SIM_HOTPLUG,        /* its CPU went offline */
	DVM_SIM_RT_PUSH,
	DVM_SIM_RT_PULL,
	DVM_SIM_REASONS
};

/**
 * struct dvm_sim_event - one event in the life of an address space; fields that have no meaning for
 * a kind are 0.
 * @time_ps:  when it happened (FLUSH: when it returned)
 * @took_ps:  FLUSH: call to return
 * @pages:    FLUSH: of the request, 0 for the whole address space
 * @kind:     enum dvm_sim_event_kind
 * @mm:       address space: copy number * highest id of the trace + id in the trace
 * @parent:   MM_NEW: address space it was copied from, 0 for none
 * @task:     task that runs there, in the same way
 * @cpu:      where
 * @cpus:     CPUs that have installed it so far, this one included
 * @first:    INSTALL: this CPU installs it for the first time
 * @from_cpu: INSTALL: CPU its task ran on before, UINT32_MAX for none
 * @waker:    INSTALL: task that woke it for this stay, 0 when none is recorded
 * @waker_cpu: INSTALL: where that task ran
 * @op:       FLUSH: cause, enum dvm_trace_op
 * @tlbi:     FLUSH: enum dvm_sim_tlbi bits
 * @reason:   INSTALL: why its task is there, enum dvm_sim_reason
 * @record:   RECORD: number of the record in the trace
 */
struct dvm_sim_event {
	uint64_t time_ps, took_ps, pages;
	uint32_t kind, mm, parent, task, cpu, cpus, first, from_cpu, waker, waker_cpu, op, tlbi;
	uint32_t reason, record;
};

/** dvm_sim_observer - told of every event, in order; must not call into the simulation. */
typedef void (*dvm_sim_observer)(void *arg, const struct dvm_sim_event *event);

/**
 * struct dvm_sim_options - what to run.
 * @size:       sizeof(struct dvm_sim_options); lets the structure grow
 * @hw:         hardware model; borrowed, must outlive the simulation
 * @kernel:     kernel configuration; borrowed
 * @strategy:   strategy program; borrowed
 * @trace:      workload; borrowed
 * @copies:     how many copies of @trace run at once, each on CPUs of its own; 0 fills the part with
 *              as many whole copies as it has CPUs for, at least 1
 * @seed:       keys every random stream; only the phases of the copies are random, so one copy is
 *              deterministic whatever the seed (dvm_sim_is_random())
 * @max_events: stop with -DVM_EBUDGET after so many events; 0 means 2^40
 * @working_set_pages: pages an address space uses, for workloads that carry no memory accesses; 0
 *              means 64, an estimate (docs/model.md, "Working sets": plausible from 16 to 512)
 * @schedule:   enum dvm_sim_schedule; simulated: tasks of all copies share all CPUs of the part
 * @forced_migrations_hz: simulated: so many times a second each busy CPU sends its task to another
 *              CPU, drawn by @seed; 0: never; at most 1,000,000. For experiments
 * @offline_cpu: simulated: CPU that goes offline
 * @offline_ps: when, in picoseconds of simulated time; 0: none goes
 * @without_ticks: run a strategy that has a tick hook on a recorded schedule, where no tick ever comes:
 *              for measuring what is shorter than a tick
 * @observer:   told of the events of all address spaces; NULL for none
 * @observer_arg: passed to it
 * @strict_order: for tests: make the accesses of all CPUs one by one in the order of time, instead of
 *              letting CPUs run ahead as far as nothing can reach them. The results are the same
 */
struct dvm_sim_options {
	size_t size;
	const struct dvm_model *hw;
	const struct dvm_model *kernel;
	const struct dvm_strategy *strategy;
	const struct dvm_trace *trace;
	unsigned copies;
	uint64_t seed;
	uint64_t max_events;
	uint64_t working_set_pages;
	unsigned schedule;
	unsigned offline_cpu;
	uint64_t offline_ps;
	uint64_t forced_migrations_hz;
	dvm_sim_observer observer;
	void *observer_arg;
	bool strict_order;
	bool without_ticks;
};

/**
 * struct dvm_latency - the distribution of a time.
 * @count:    how many were measured
 * @total_ps: their sum, exact
 * @p50_ps:   median; quantiles are the upper edge of a bucket at most 1/64 wide, relative
 * @p99_ps:   99th percentile
 * @max_ps:   largest, exact
 */
struct dvm_latency {
	uint64_t count, total_ps, p50_ps, p99_ps, max_ps;
};

/** enum dvm_section_cause - what keeps a CPU from being preempted; dvm_section_cause_name(). */
enum dvm_section_cause {
	DVM_SECTION_KERNEL,  /* the preemption models none and voluntary: all kernel code */
	DVM_SECTION_LOCK,    /* a page-table lock, all models but rt */
	DVM_SECTION_PREEMPT, /* the strategy's preempt_disable */
	DVM_SECTION_IRQ,     /* its irq_disable */
	DVM_SECTION_IPI,     /* its ipi: sent and waited for */
	DVM_SECTION_HOOK,    /* a hook of the scheduler or a handler: interrupts are off */
	DVM_SECTION_CAUSES
};

/**
 * struct dvm_section - stretches in which a TLBI was executed, or a DSB waited for one, and in which
 * the CPU could not be preempted (or took no interrupts): what they add to the latency of a task that
 * is woken there. Of a flush that is called like that, the flush's own part.
 * @length:  how long they were; all else is of the longest, the first of equal ones
 * @end_ps:  when it ended
 * @tlbis:   TLBIs executed in it, by its own CPU
 * @record:  record of the trace that made the flush; UINT64_MAX: none, as for a switch
 * @cause:   enum dvm_section_cause
 * @line:    of the strategy's text, the instruction that began it; 0: its hook as a whole
 * @cpu:     where
 * @mm:      address space, as in dvm_sim_event
 * @op:      enum dvm_trace_op
 * @hook:    of the strategy
 */
struct dvm_section {
	struct dvm_latency length;
	uint64_t end_ps, tlbis, record;
	uint32_t cause, line, cpu, mm, op;
	char hook[16];
};

/**
 * struct dvm_stats - what one run did. All times are picoseconds of simulated time, summed over CPUs
 * unless said otherwise.
 * @elapsed_ps:        when the last event happened
 * @cpus:              CPUs of the part
 * @cpus_used:         CPUs that executed at least one record
 * @copies:            copies of the workload that ran
 * @run_ps:            recorded work (RUN records and costed operations)
 * @idle_ps:           idle, up to the moment each CPU finished its last record
 * @flush_ps:          inside the strategy's flush and batch hooks
 * @switch_ps:         inside the strategy's switch hooks: its book-keeping
 * @bystander_ps:      work that running CPUs lost to arriving DVM operations
 * @refill_ps:         page-table walks that refilled TLBs
 * @flushes:           flush requests of user address spaces
 * @flushes_local:     completed with local TLBIs only
 * @flushes_broadcast: that used a broadcast TLBI
 * @flushes_one_cpu:   of address spaces that had run on no other CPU than the flushing one: what a
 *                     strategy that counts CPUs could keep local
 * @flushes_both:      of these, those that had issued a local TLBI list first (wasted)
 * @flushes_ipi:       that interrupted other CPUs
 * @flushes_none:      that issued no TLBI at all
 * @flushes_kernel:    of kernel ranges; always broadcast, outside the strategy
 * @tlbi_local:        local TLBI operations executed
 * @tlbi_broadcast:    broadcast TLBI operations executed, erratum repeats included
 * @dvm_nonsyncs:      DVMOp Non-Syncs sent to a DVM node
 * @dvm_syncs:         DVMOp Syncs sent to a DVM node
 * @dvm_snoops:        snoops sent to targets, each of two flits
 * @switches:          context switches
 * @mm_switches:       of these, those that installed another address space
 * @migrations:        times a task ran on another CPU than before
 * @tlb_refills:       translations walked for
 * @tlb_accesses:      memory accesses replayed (0 when the trace carries none)
 * @tlb_l1_misses:     of these, misses of the first-level TLB
 * @tlb_l2_misses:     of these, misses of both levels
 * @mms:               address spaces that ran
 * @mms_one_cpu:       of these, those that ran on one CPU only
 * @events:            events of the simulated machine; a run of accesses counts as one
 * @asid_slow_paths:   switches to another address space that took the ASID allocator's lock
 * @asid_rollovers:    generations of ASIDs that were used up
 * @asid_flushes:      times a CPU flushed its whole TLB after a rollover
 * @notifier_calls:    calls of the MMU notifier for an address space that a device shares
 * @notifier_ps:       time in them
 * @sme_interrupts:    CPUs interrupted by the work-around for 4193714 (SME)
 * @moves:             migrations by enum dvm_sim_reason
 * @lost:              address spaces that came to their second CPU, by the reason that brought them
 * @wakeups:           simulated schedule, as all below: wake-ups that made a task runnable
 * @reschedules:       interrupts that told another CPU, or an idle one, to reschedule
 * @preemptions:       times a task that could go on was switched out
 * @preemptions_flush: of these, inside a flush
 * @migrations_flush:  flushes that went on on another CPU
 * @restarts:          restarts of restartable sections
 * @migrate_slow:      migrate_enable() that took the slow path
 * @lock_waits:        flushes that waited for a page-table lock whose holder was switched out (RT)
 * @ticks:             scheduler ticks that had something to do
 * @interrupt_ps:      work that ticks and reschedule interrupts took away
 * @quarantined:       flushes that left their promise to a quarantine
 * @quarantine_pages:  most pages that were in quarantine at once
 * @vms:               virtual machines on a host (vm_count), 0: none, and then all below is 0
 * @vcpus:             their vCPUs
 * @vm_exits:          from the guest to the host: WFI, interrupts, traps, preemption
 * @vm_switches:       the host's switches between vCPU threads, or between one and idle
 * @vm_moves:          vCPUs that came to another physical CPU
 * @vm_load_flushes:   flushes of a machine's VMID at vcpu_load
 * @vm_interrupts:     interrupts delivered to vCPUs
 * @vm_interrupts_waited: of these, those that found their vCPU not on a physical CPU
 * @vcpu_run_ps:       vCPUs in the guest; this and the next three are all of their time
 * @vcpu_host_ps:      the host at work to take them off or to bring them
 * @vcpu_steal_ps:     vCPUs that could run and had no physical CPU
 * @vcpu_blocked_ps:   vCPUs in WFI
 * @wake_latency:      from a wake-up to the moment the task runs
 * @flush:             time of a flush of a user address space, call to return
 * @dsb:               time of a DSB that completes broadcast TLBIs
 * @no_preemption:     stretches of TLB maintenance without preemption
 * @no_interrupts:     of these, those with interrupts off
 */
struct dvm_stats {
	uint64_t elapsed_ps;
	uint64_t cpus, cpus_used, copies;
	uint64_t run_ps, idle_ps, flush_ps, switch_ps, bystander_ps, refill_ps;
	uint64_t flushes, flushes_local, flushes_broadcast, flushes_both, flushes_ipi, flushes_none;
	uint64_t flushes_kernel, flushes_one_cpu;
	uint64_t tlbi_local, tlbi_broadcast;
	uint64_t dvm_nonsyncs, dvm_syncs, dvm_snoops;
	uint64_t switches, mm_switches, migrations;
	uint64_t tlb_refills, tlb_accesses, tlb_l1_misses, tlb_l2_misses;
	uint64_t mms, mms_one_cpu;
	uint64_t events;
	uint64_t asid_slow_paths, asid_rollovers, asid_flushes;
	uint64_t notifier_calls, notifier_ps, sme_interrupts;
	uint64_t moves[DVM_SIM_REASONS], lost[DVM_SIM_REASONS];
	uint64_t wakeups, reschedules, preemptions, preemptions_flush, migrations_flush, restarts;
	uint64_t migrate_slow, lock_waits, ticks, interrupt_ps;
	uint64_t quarantined, quarantine_pages;
	uint64_t vms, vcpus, vm_exits, vm_switches, vm_moves, vm_load_flushes;
	uint64_t vm_interrupts, vm_interrupts_waited;
	uint64_t vcpu_run_ps, vcpu_host_ps, vcpu_steal_ps, vcpu_blocked_ps;
	struct dvm_latency flush, dsb, wake_latency;
	struct dvm_section no_preemption, no_interrupts;
};

/**
 * DVM_SIM_TRIM_PERCENT - warm-up and drain. Of the work units of a kind, in the order in which they
 * are done, so many in a hundred at the beginning and at the end count for no rate and no latency.
 */
#define DVM_SIM_TRIM_PERCENT 10

/**
 * struct dvm_unit_latency - work units from begin to end (UNIT_BEGIN or ARRIVE to UNIT_END).
 * @units:     units done; 0 when the workload has none of this kind, and then all else is 0 as well
 * @count:     of these, those in the window: without warm-up and drain
 * @window_ps: length of the window, from the end of the last unit before it to that of its last one
 * @total_ps:  sum of the latencies in the window
 * @p50_ps:    median; this and the other quantiles are exact: the least latency that so many units of
 *             the window do not exceed
 * @p99_ps:    99th percentile
 * @p999_ps:   99.9th percentile
 * @max_ps:    largest
 * @backlog:   units begun and not done when the last one began
 * @unstable:  1: the backlog grew for as long as units began, so that latencies say only how long the
 *             workload is. The rule: @backlog is more than 10 and more than a hundredth of @units, and
 *             in the last quarter of the time in which units began 1.5 times as many were in the
 *             system, on average, as in the second quarter
 */
struct dvm_unit_latency {
	uint64_t units, count, window_ps;
	uint64_t total_ps, p50_ps, p99_ps, p999_ps, max_ps;
	uint64_t backlog, unstable;
};

/**
 * struct dvm_work - one kind of work the workload counts (a fork done, a request served).
 * @name:     as in the trace; borrowed from the simulation
 * @count:    how often it was done
 * @per_second: throughput: of marks, the sum over copies of count / time from the copy's start to the
 *              last time it did this work; of work units, those in the window / its length
 * @latency:    of work units
 */
struct dvm_work {
	const char *name;
	uint64_t count;
	double per_second;
	struct dvm_unit_latency latency;
};

/**
 * struct dvm_step - the time one line of the strategy took.
 * @hook:     "flush", "switch-in", ...; borrowed from the strategy
 * @line:     line in the strategy's text
 * @text:     that line, without comment; borrowed from the simulation
 * @count:    how often it executed
 * @total_ps: time spent in it, waiting included
 */
struct dvm_step {
	const char *hook;
	unsigned line;
	const char *text;
	uint64_t count, total_ps;
};

/**
 * dvm_sim_new() - set up a run; nothing is simulated yet.
 * @options: what to run
 * @sim:     out, freed with dvm_sim_free()
 * @err:     out, may be NULL
 *
 * Return: 0; -DVM_EINVAL (the workload needs more CPUs than the part has, a model of the wrong
 * kind); -DVM_ELIMIT (too many copies; the part has not more ASIDs than CPUs); -DVM_ENOMEM.
 */
DVM_API int dvm_sim_new(const struct dvm_sim_options *options, struct dvm_sim **sim,
			struct dvm_error *err);

/** dvm_sim_free() - release everything; NULL is allowed. */
DVM_API void dvm_sim_free(struct dvm_sim *sim);

/**
 * dvm_sim_run() - run to the end of the workload.
 *
 * Same options always leave the same statistics, bit for bit.
 *
 * Return: 0; -DVM_EUNSAFE when the oracle saw a stale translation used (@err says which, with the
 * word "stale"); -DVM_EBUDGET; -DVM_EFORMAT when the workload waits for itself; -DVM_ENOMEM.
 * Statistics up to that point stay readable; other CPUs may have made some of the accesses that come
 * after it.
 */
DVM_API int dvm_sim_run(struct dvm_sim *sim, struct dvm_error *err);

/** dvm_sim_is_random() - whether the seed can change the result. */
DVM_API bool dvm_sim_is_random(const struct dvm_sim *sim);

/** dvm_sim_stats() - totals; borrowed, valid until the simulation is freed. */
DVM_API const struct dvm_stats *dvm_sim_stats(const struct dvm_sim *sim);

/** dvm_sim_reason_name() - "wake-affine", ...; NULL from DVM_SIM_REASONS on. */
DVM_API const char *dvm_sim_reason_name(unsigned reason);

/** dvm_section_cause_name() - "preempt_disable", ...; NULL from DVM_SECTION_CAUSES on. */
DVM_API const char *dvm_section_cause_name(unsigned cause);

/** dvm_sim_work() - work kind @index; 0, or -DVM_ENOENT past the last. */
DVM_API int dvm_sim_work(const struct dvm_sim *sim, size_t index, struct dvm_work *work);

/** dvm_sim_step() - line @index of the strategy, in program order; 0, or -DVM_ENOENT past the last. */
DVM_API int dvm_sim_step(const struct dvm_sim *sim, size_t index, struct dvm_step *step);

/**
 * dvm_sim_cpus_needed() - CPUs that one copy of @trace occupies.
 */
DVM_API unsigned dvm_sim_cpus_needed(const struct dvm_trace *trace);

#ifdef __cplusplus
}
#endif
#endif
