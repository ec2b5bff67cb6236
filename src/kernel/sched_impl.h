/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_SCHED_IMPL_H
#define DVMI_KERNEL_SCHED_IMPL_H

#include "base/bitmap.h"
#include "kernel/sched.h"

/* Shared by the scheduler's files only; kernel names are those of kernel/sched/. */

/* ---- sched_tree.c: those that wait, by (deadline, id), with the least vruntime of each subtree ---- */
void dvmi_sched_tree_add(struct dvmi_sched *s, uint32_t *root, uint32_t task);
void dvmi_sched_tree_del(struct dvmi_sched *s, uint32_t *root, uint32_t task);
uint32_t dvmi_sched_tree_first(const struct dvmi_sched *s, uint32_t root);

/* ---- sched_fair.c: virtual time (EEVDF) ---- */
uint64_t dvmi_sched_weight(const struct dvmi_sched_task *t);
/* avg_vruntime(): V, the virtual time at which the queue's lags add up to 0. */
int64_t dvmi_sched_avg_vruntime(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq);
bool dvmi_sched_eligible(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq, int64_t vruntime);
/* Charge the current task; true: its slice is used up. */
bool dvmi_sched_update_curr(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint64_t now_ns);
void dvmi_sched_fair_add(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns);
/* Off its queue, current or not; @sleep: its deadline is forgotten. */
void dvmi_sched_fair_del(struct dvmi_sched *s, uint32_t cpu, uint32_t task, bool sleep,
			 uint64_t now_ns);
/* Current goes back among those that wait; and the other way round. */
void dvmi_sched_fair_put(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task);
void dvmi_sched_fair_set(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task,
			 uint64_t now_ns);
/* !protect_slice() of the current task */
bool dvmi_sched_protection_over(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq);
/* pick_eevdf(), current included while it has one; 0: nobody. */
uint32_t dvmi_sched_fair_pick(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq);
/* A delayed task that is woken: as if it had just come. */
void dvmi_sched_fair_requeue(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns);

/* ---- sched_load.c: sums and averages that balancing and placement read ---- */
uint32_t dvmi_sched_running(const struct dvmi_sched_rq *rq);
/* After any change of a CPU's queue, current or online state. */
void dvmi_sched_refresh(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns);
uint64_t dvmi_sched_load_avg(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns);
uint64_t dvmi_sched_util_avg(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns);
/* Group of @level that @cpu is in; below the first level, the CPU. */
struct dvmi_sched_group dvmi_sched_group_of(const struct dvmi_sched *s, uint32_t level, uint32_t cpu);
enum dvmi_sched_fit { DVMI_SCHED_HAS_SPARE, DVMI_SCHED_FULLY_BUSY, DVMI_SCHED_OVERLOADED };
enum dvmi_sched_fit dvmi_sched_fit(const struct dvmi_sched_group *g);
/* The lowest CPU of the set in [@first, @end); DVMI_SCHED_NONE. */
uint32_t dvmi_sched_next(const uint64_t *map, uint32_t first, uint32_t end);

/* ---- sched.c ---- */
bool dvmi_sched_may_run(const struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu);
/* An allowed CPU that is online, near @cpu; widens what is allowed when there is none. */
uint32_t dvmi_sched_fallback(struct dvmi_sched *s, struct dvmi_sched_task *t, uint32_t cpu);
/* A waiting (or pushed) task goes from its CPU to another. */
void dvmi_sched_move(struct dvmi_sched *s, uint32_t task, uint32_t to,
		     enum dvmi_sched_reason reason, uint64_t now_ns);
/* resched_curr() or, @lazy, resched_curr_lazy(). */
struct dvmi_sched_note dvmi_sched_resched(struct dvmi_sched *s, uint32_t cpu, bool lazy);
/* wakeup_preempt(): @task has just been queued on @cpu. */
struct dvmi_sched_note dvmi_sched_preempts(struct dvmi_sched *s, uint32_t cpu, uint32_t task,
					   uint64_t now_ns);
/* Have the running task of @cpu put on @to. */
struct dvmi_sched_note dvmi_sched_push(struct dvmi_sched *s, uint32_t cpu, uint32_t to,
				       enum dvmi_sched_reason reason);

/* ---- sched_place.c ---- */
/* The least busy CPU of the levels from the outermost in (sched_balance_find_dst_cpu()). */
uint32_t dvmi_sched_idlest(struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu,
			   uint64_t now_ns, uint32_t *scanned);
uint32_t dvmi_sched_rt_lowest(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			      uint32_t near);

/* ---- sched_balance.c ---- */
enum dvmi_sched_idle { DVMI_SCHED_BUSY, DVMI_SCHED_IDLE, DVMI_SCHED_NEWLY_IDLE };
/* Pull to @cpu, about to idle. Returns how many; adds to *@scanned. */
uint32_t dvmi_sched_newidle(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns,
			    uint32_t *scanned);
/* A waiting RT task of another CPU to @cpu, if its priority is above what @cpu has. */
uint32_t dvmi_sched_rt_pull(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns,
			    uint32_t *scanned);
void dvmi_sched_domains_init(struct dvmi_sched *s);

static inline struct dvmi_sched_domain *dvmi_sched_domain(struct dvmi_sched *s, uint32_t cpu,
							  uint32_t level)
{
	return &s->domains[(size_t)cpu * s->levels_count + level];
}

/* CPUs [*first, *end) of the span of @size that @cpu is in. */
static inline void dvmi_sched_span(const struct dvmi_sched *s, uint32_t cpu, uint32_t size,
				   uint32_t *first, uint32_t *end)
{
	*first = cpu / size * size;
	*end = *first + size < s->rules.cpus ? *first + size : s->rules.cpus;
}

static inline bool dvmi_sched_same(uint32_t a, uint32_t b, uint32_t size)
{
	return a / size == b / size;
}

static inline bool dvmi_sched_is_idle(const struct dvmi_sched *s, uint32_t cpu)
{
	return dvmi_bitmap_test(s->idle, cpu);
}

#endif
