/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#include <string.h>

_Static_assert(sizeof(struct dvmi_sched_task) <= 96, "the engine has the rest of 200 bytes");

const char *const dvmi_sched_reason_names[DVMI_SCHED_REASONS] = {
	[DVMI_SCHED_WAKE_PREV] = "wake-prev",	    [DVMI_SCHED_WAKE_AFFINE] = "wake-affine",
	[DVMI_SCHED_IDLE_SIBLING] = "idle-sibling", [DVMI_SCHED_WAKE_ON_CPU] = "wake-on-cpu",
	[DVMI_SCHED_WAKE_QUEUED] = "wake-queued",   [DVMI_SCHED_WAKE_BOUND] = "wake-bound",
	[DVMI_SCHED_FORK] = "fork",		    [DVMI_SCHED_EXEC] = "exec",
	[DVMI_SCHED_NEWIDLE] = "newidle-pull",	    [DVMI_SCHED_PERIODIC] = "periodic",
	[DVMI_SCHED_NOHZ] = "nohz",		    [DVMI_SCHED_ACTIVE] = "active-balance",
	[DVMI_SCHED_NUMA] = "numa",		    [DVMI_SCHED_AFFINITY] = "affinity",
	[DVMI_SCHED_HOTPLUG] = "hotplug",	    [DVMI_SCHED_RT_PUSH] = "rt-push",
	[DVMI_SCHED_RT_PULL] = "rt-pull",
};

static const struct dvmi_sched_note nobody = { DVMI_SCHED_NONE, DVMI_SCHED_NEED_NONE, false };

/* ---- making one ---- */

static bool spans_nest(const struct dvmi_sched_rules *r)
{
	uint32_t inner = 1;

	if (!r->cpus || r->cpus > UINT16_MAX)
		return false;
	for (unsigned k = 0; k < DVMI_SCHED_LEVELS; k++) {
		if (!r->span[k] || r->span[k] % inner)
			return false;
		inner = r->span[k];
	}
	return inner >= r->cpus && r->tick_ns && r->base_slice_ns && r->min_interval_ns &&
	       r->busy_factor && r->imbalance_pct >= 100 && r->smt_imbalance_pct >= 100 &&
	       r->nr_migrate && r->numa_scan_ns;
}

/* Domains that span no more than the one below them are left out, as the kernel does. */
static uint32_t levels_init(struct dvmi_sched *s)
{
	const struct dvmi_sched_rules *r = &s->rules;
	uint32_t below = 1, groups = 0, nodes;

	for (unsigned k = 0; k < DVMI_SCHED_LEVELS && below < r->cpus; k++) {
		struct dvmi_sched_level *l = &s->levels[s->levels_count];

		if (r->span[k] == below)
			continue;
		nodes = r->span[DVMI_SCHED_NODE] / r->span[DVMI_SCHED_LLC];
		*l = (struct dvmi_sched_level){
			.kind = (enum dvmi_sched_kind)k,
			.span = r->span[k],
			.child = below,
			.groups_at = groups,
			.imbalance_pct = k == DVMI_SCHED_SMT ? r->smt_imbalance_pct :
							       r->imbalance_pct,
			/* sd_init() of kernel/sched/topology.c */
			.nice_tries = k == DVMI_SCHED_SMT ? 0 : k == DVMI_SCHED_SYSTEM ? 2 : 1,
			/* An eighth of a node's CPUs, or one task for each last-level cache in it. */
			.imb_numa = nodes > 1 ? nodes : r->span[DVMI_SCHED_NODE] / 8,
			.share_llc = k <= DVMI_SCHED_LLC,
			.prefer_sibling = s->levels_count > 0,
		};
		if (!l->imb_numa)
			l->imb_numa = 1;
		below = r->span[k];
		groups += (r->cpus + below - 1) / below;
		s->levels_count++;
	}
	return groups;
}

static void rqs_init(struct dvmi_sched *s)
{
	for (uint32_t cpu = 0; cpu < s->rules.cpus; cpu++) {
		struct dvmi_sched_rq *rq = &s->rqs[cpu];

		rq->online = true;
		rq->push_cpu = DVMI_SCHED_NONE;
		rq->avg_idle_ns = 2 * s->rules.migration_cost_ns; /* sched_init() */
		dvmi_sched_refresh(s, cpu, 0);
	}
	for (uint32_t i = 0; i < (s->rules.cpus + s->llc - 1) / s->llc; i++)
		s->idle_scan[i] = s->llc;
	dvmi_sched_domains_init(s);
}

int dvmi_sched_init(struct dvmi_sched *s, const struct dvmi_sched_rules *rules, uint32_t tasks)
{
	size_t words;
	uint32_t groups;

	if (!spans_nest(rules))
		return -DVM_EINVAL;
	memset(s, 0, sizeof(*s));
	s->rules = *rules;
	s->tasks_count = tasks;
	s->llc = rules->span[DVMI_SCHED_LLC];
	s->cluster = rules->span[DVMI_SCHED_CLUSTER];
	groups = levels_init(s);
	words = dvmi_bitmap_words(rules->cpus);
	s->tasks = dvmi_calloc((size_t)tasks + 1, sizeof(*s->tasks));
	s->rqs = dvmi_calloc(rules->cpus, sizeof(*s->rqs));
	s->domains = dvmi_calloc((size_t)rules->cpus * s->levels_count + 1, sizeof(*s->domains));
	s->groups = dvmi_calloc((size_t)groups + 1, sizeof(*s->groups));
	s->idle = dvmi_calloc(3 * words, sizeof(*s->idle));
	s->idle_scan = dvmi_calloc((rules->cpus + s->llc - 1) / s->llc, sizeof(*s->idle_scan));
	if (!s->tasks || !s->rqs || !s->domains || !s->groups || !s->idle || !s->idle_scan) {
		dvmi_sched_fini(s);
		return -DVM_ENOMEM;
	}
	s->overloaded = s->idle + words;
	s->rt_overloaded = s->overloaded + words;
	rqs_init(s);
	return 0;
}

void dvmi_sched_fini(struct dvmi_sched *s)
{
	dvmi_free(s->tasks);
	dvmi_free(s->rqs);
	dvmi_free(s->domains);
	dvmi_free(s->groups);
	dvmi_free(s->idle);
	dvmi_free(s->idle_scan);
	memset(s, 0, sizeof(*s));
}

uint64_t dvmi_sched_bytes(const struct dvmi_sched *s)
{
	return sizeof(*s) + ((uint64_t)s->tasks_count + 1) * sizeof(*s->tasks) +
	       (uint64_t)s->rules.cpus *
		       (sizeof(*s->rqs) + s->levels_count * sizeof(*s->domains));
}

/* ---- tasks ---- */

static uint32_t clamp(uint32_t x, uint32_t lo, uint32_t hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

void dvmi_sched_task_new(struct dvmi_sched *s, uint32_t task, const struct dvmi_sched_attr *a)
{
	uint32_t top = s->rules.cpus - 1, last = a->last_cpu < top ? a->last_cpu : top;
	uint32_t first = a->first_cpu < last ? a->first_cpu : last;

	s->tasks[task] = (struct dvmi_sched_task){
		.cpu = (uint16_t)clamp(a->cpu, first, last),
		.recent_cpu = (uint16_t)clamp(a->cpu, first, last),
		.home_cpu = UINT16_MAX,
		.first_cpu = (uint16_t)first,
		.last_cpu = (uint16_t)last,
		.nice = (int8_t)(a->nice < -20 ? -20 : a->nice > 19 ? 19 : a->nice),
		.policy = (uint8_t)a->policy,
		.priority = (uint8_t)clamp(a->priority, 1, 99),
		.bound = first == last,
		.state = DVMI_SCHED_BLOCKED,
		.fresh = true,
	};
}

bool dvmi_sched_may_run(const struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu)
{
	if (!s->rqs[cpu].online && !(s->omit & DVMI_SCHED_OMIT_OFFLINE))
		return false;
	return cpu >= t->first_cpu && cpu <= t->last_cpu;
}

/* select_fallback_rq() */
uint32_t dvmi_sched_fallback(struct dvmi_sched *s, struct dvmi_sched_task *t, uint32_t cpu)
{
	for (int pass = 0; pass < 2; pass++) {
		uint32_t size = s->rules.span[DVMI_SCHED_NODE], first, end;

		dvmi_sched_span(s, cpu, size, &first, &end);
		for (uint32_t c = first; c < end; c++)
			if (dvmi_sched_may_run(s, t, c))
				return c;
		for (uint32_t c = t->first_cpu; c <= t->last_cpu; c++)
			if (dvmi_sched_may_run(s, t, c))
				return c;
		t->first_cpu = 0; /* "no longer affine to" */
		t->last_cpu = (uint16_t)(s->rules.cpus - 1);
		t->bound = t->first_cpu == t->last_cpu;
	}
	return cpu;
}

/* ---- queues ---- */

/* A FIFO task's place: by priority, then in the order of coming. */
static void rt_add(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	t->deadline_ns = (int64_t)((uint64_t)(99 - t->priority) << 56 | s->fifo_seq++);
	dvmi_sched_tree_add(s, &rq->rt, task);
	rq->nr_rt++;
}

static void rt_del(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task)
{
	if (rq->current == task)
		rq->current = 0;
	else
		dvmi_sched_tree_del(s, &rq->rt, task);
	rq->nr_rt--;
}

static void queue_add(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	t->cpu = (uint16_t)cpu;
	t->state = DVMI_SCHED_QUEUED;
	if (t->policy == DVMI_SCHED_FAIR)
		dvmi_sched_fair_add(s, cpu, task, now_ns);
	else
		rt_add(s, &s->rqs[cpu], task);
	dvmi_sched_refresh(s, cpu, now_ns);
}

static void queue_del(struct dvmi_sched *s, uint32_t task, bool sleep, uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	uint32_t cpu = t->cpu;

	if (t->policy == DVMI_SCHED_FAIR)
		dvmi_sched_fair_del(s, cpu, task, sleep, now_ns);
	else
		rt_del(s, &s->rqs[cpu], task);
	dvmi_sched_refresh(s, cpu, now_ns);
}

/* Reasons are counted where they change the CPU. */
static void placed(struct dvmi_sched *s, struct dvmi_sched_task *t, uint32_t to,
		   enum dvmi_sched_reason reason)
{
	t->reason = (uint8_t)reason;
	s->counts[reason] += t->cpu != to;
}

void dvmi_sched_move(struct dvmi_sched *s, uint32_t task, uint32_t to,
		     enum dvmi_sched_reason reason, uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	uint32_t from = t->cpu;

	placed(s, t, to, reason);
	if (t->state == DVMI_SCHED_QUEUED) {
		struct dvmi_sched_rq saved = s->rqs[from];

		queue_del(s, task, false, now_ns);
		if (s->omit & DVMI_SCHED_OMIT_DEQUEUE)
			s->rqs[from].nr_fair = saved.nr_fair;
	}
	t->recent_cpu = (uint16_t)from;
	queue_add(s, to, task, now_ns);
	if (s->moves_count < DVMI_SCHED_MOVES_MAX)
		s->moves[s->moves_count++] =
			(struct dvmi_sched_move){ task, from, to, reason };
}

struct dvmi_sched_note dvmi_sched_resched(struct dvmi_sched *s, uint32_t cpu, bool lazy)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	enum dvmi_sched_need need = DVMI_SCHED_NEED_NOW;

	/* resched_curr_lazy() is resched_curr() but in the lazy model; idle is never left waiting. */
	if (lazy && rq->current && s->rules.preempt == DVMI_PREEMPT_LAZY)
		need = DVMI_SCHED_NEED_LAZY;
	if (rq->need >= need)
		return nobody;
	rq->need = (uint8_t)need;
	return (struct dvmi_sched_note){ cpu, need, need == DVMI_SCHED_NEED_NOW };
}

struct dvmi_sched_note dvmi_sched_preempts(struct dvmi_sched *s, uint32_t cpu, uint32_t task,
					   uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	const struct dvmi_sched_task *t = &s->tasks[task], *current = &s->tasks[rq->current];

	if (!rq->current)
		return dvmi_sched_resched(s, cpu, false);
	if (t->policy == DVMI_SCHED_FIFO) {
		if (current->policy == DVMI_SCHED_FAIR || current->priority < t->priority)
			return dvmi_sched_resched(s, cpu, false);
		return nobody;
	}
	if (current->policy == DVMI_SCHED_FIFO)
		return nobody;
	if (dvmi_sched_update_curr(s, rq, now_ns) || dvmi_sched_fair_pick(s, rq) == task)
		return dvmi_sched_resched(s, cpu, true);
	return nobody;
}

struct dvmi_sched_note dvmi_sched_enqueue(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					  uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t now_ns = now_ps / 1000, idle_ns;

	s->moves_count = 0;
	if (t->state == DVMI_SCHED_QUEUED) /* its dequeue had been delayed */
		return dvmi_sched_preempts(s, t->cpu, task, now_ns);
	s->rqs[t->cpu].coming--;
	if (t->cpu != cpu)
		dvmi_sched_refresh(s, t->cpu, now_ns);
	/* It went down in the meantime. */
	if (!rq->online && !t->migrate_disabled && !t->on_cpu && !(s->omit & DVMI_SCHED_OMIT_OFFLINE)) {
		cpu = dvmi_sched_fallback(s, t, cpu);
		rq = &s->rqs[cpu];
		placed(s, t, cpu, DVMI_SCHED_HOTPLUG);
	}
	if (rq->idle_since_ns && !rq->current) { /* ttwu_do_activate(): rq->avg_idle */
		idle_ns = now_ns - rq->idle_since_ns;
		rq->avg_idle_ns += idle_ns / 8;
		rq->avg_idle_ns -= rq->avg_idle_ns / 8;
		if (rq->avg_idle_ns > 2 * s->rules.migration_cost_ns)
			rq->avg_idle_ns = 2 * s->rules.migration_cost_ns;
		rq->idle_since_ns = 0;
	}
	queue_add(s, cpu, task, now_ns);
	return dvmi_sched_preempts(s, cpu, task, now_ns);
}

struct dvmi_sched_note dvmi_sched_wake(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
				       unsigned flags, uint64_t now_ps,
				       struct dvmi_sched_place *place)
{
	struct dvmi_sched_place p = dvmi_sched_place_wake(s, task, cpu, flags, now_ps);

	if (place)
		*place = p;
	return dvmi_sched_enqueue(s, task, p.cpu, now_ps);
}

/* ---- dispatch ---- */

struct dvmi_sched_note dvmi_sched_push(struct dvmi_sched *s, uint32_t cpu, uint32_t to,
				       enum dvmi_sched_reason reason)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];

	rq->push_task = rq->current;
	rq->push_cpu = to;
	rq->push_reason = (uint8_t)reason;
	return dvmi_sched_resched(s, cpu, false);
}

/* Must the running task leave @cpu, now that it is switched out? */
static bool pushed_off(struct dvmi_sched *s, uint32_t cpu, uint32_t task)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];
	bool wanted = rq->push_task == task;

	rq->push_task = 0;
	if (t->migrate_disabled)
		return false;
	if (wanted && dvmi_sched_may_run(s, t, rq->push_cpu))
		return true;
	if (dvmi_sched_may_run(s, t, cpu))
		return false;
	rq->push_reason = rq->online ? DVMI_SCHED_AFFINITY : DVMI_SCHED_HOTPLUG;
	rq->push_cpu = dvmi_sched_fallback(s, t, cpu);
	return rq->push_cpu != cpu;
}

/* put_prev_task() of a task that could go on. */
static void put_back(struct dvmi_sched *s, uint32_t cpu, uint32_t task, bool yields, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];

	if (pushed_off(s, cpu, task)) {
		queue_del(s, task, false, now_ns);
		t->state = DVMI_SCHED_PUSHED;
		return;
	}
	t->state = DVMI_SCHED_QUEUED;
	if (t->policy == DVMI_SCHED_FAIR) {
		/* yield_task_fair(): what is left of the slice is given up. */
		if (yields && dvmi_sched_eligible(s, rq, t->vruntime_ns)) {
			t->vruntime_ns = t->deadline_ns;
			t->deadline_ns += (int64_t)(s->rules.base_slice_ns * 1024 /
						    dvmi_sched_weight(t));
		}
		dvmi_sched_fair_put(s, rq, task);
		return;
	}
	rq->current = 0;
	if (yields) /* behind its like; a preempted one stays before them */
		t->deadline_ns = (int64_t)((uint64_t)(99 - t->priority) << 56 | s->fifo_seq++);
	dvmi_sched_tree_add(s, &rq->rt, task);
}

/* try_to_block_task(): with DELAY_DEQUEUE, who is ahead of V stays until V has caught up. */
static void put_away(struct dvmi_sched *s, uint32_t cpu, uint32_t task, bool exits, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];

	rq->push_task = rq->push_task == task ? 0 : rq->push_task;
	if (!exits && s->rules.delay_dequeue && t->policy == DVMI_SCHED_FAIR &&
	    !dvmi_sched_eligible(s, rq, t->vruntime_ns)) {
		t->delayed = true;
		rq->nr_delayed++;
		rq->load -= dvmi_sched_weight(t);
		dvmi_sched_fair_put(s, rq, task);
	} else {
		queue_del(s, task, true, now_ns);
	}
	t->state = exits ? DVMI_SCHED_ABSENT : DVMI_SCHED_BLOCKED;
}

/* pick_next_task() without balancing; 0: nobody. The one picked is still in its tree. */
static uint32_t pick_waiting(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint32_t task;

	if (rq->rt)
		return dvmi_sched_tree_first(s, rq->rt);
	while ((task = dvmi_sched_fair_pick(s, rq)) && s->tasks[task].delayed)
		queue_del(s, task, true, now_ns);
	return task;
}

static void set_next(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];

	if (!task) {
		rq->idle_since_ns = rq->idle_since_ns ? rq->idle_since_ns : now_ns;
		return;
	}
	rq->idle_since_ns = 0;
	if (t->policy == DVMI_SCHED_FAIR) {
		dvmi_sched_fair_set(s, rq, task, now_ns);
	} else {
		dvmi_sched_tree_del(s, &rq->rt, task);
		rq->current = task;
		t->ran_ns = now_ns;
	}
	t->state = DVMI_SCHED_RUNNING;
	t->on_cpu = true;
	if (t->home_cpu == UINT16_MAX) {
		t->home_cpu = (uint16_t)cpu;
		t->numa_ns = now_ns + s->rules.numa_scan_ns;
	}
}

/* migrate_disable_switch(): a pinned task that is switched out keeps to this CPU. */
static bool narrow(struct dvmi_sched *s, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	if (!task || !t->migrate_disabled || t->narrowed || s->omit & DVMI_SCHED_OMIT_NARROW)
		return false;
	t->narrowed = true;
	return true;
}

struct dvmi_sched_pick dvmi_sched_pick(struct dvmi_sched *s, uint32_t cpu, enum dvmi_sched_how how,
				       uint64_t now_ps)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t now_ns = now_ps / 1000;
	uint32_t prev = rq->current;
	struct dvmi_sched_pick p = { 0 };
	bool keep;

	s->moves_count = 0;
	dvmi_sched_update_curr(s, rq, now_ns);
	/* Nobody may take the CPU from it, only itself can give it up. */
	keep = prev && how == DVMI_SCHED_PREEMPTED && s->tasks[prev].policy == DVMI_SCHED_FAIR &&
	       !rq->rt && dvmi_sched_fair_pick(s, rq) == prev && rq->push_task != prev &&
	       (s->tasks[prev].migrate_disabled || dvmi_sched_may_run(s, &s->tasks[prev], cpu));
	rq->need = DVMI_SCHED_NEED_NONE;
	if (keep) {
		p.task = prev;
		return p;
	}
	if (prev && how <= DVMI_SCHED_YIELDED)
		put_back(s, cpu, prev, how == DVMI_SCHED_YIELDED, now_ns);
	else if (prev)
		put_away(s, cpu, prev, how == DVMI_SCHED_EXITED, now_ns);
	if (!rq->rt && s->rt_overloaded_count && rq->online)
		p.pulled = dvmi_sched_rt_pull(s, cpu, now_ns, &p.scanned);
	p.task = pick_waiting(s, cpu, now_ns);
	if (!p.task && rq->online) {
		rq->idle_since_ns = now_ns;
		p.pulled += dvmi_sched_newidle(s, cpu, now_ns, &p.scanned);
		p.task = pick_waiting(s, cpu, now_ns);
	}
	if (prev != p.task)
		p.narrowed = narrow(s, prev);
	set_next(s, cpu, p.task, now_ns);
	dvmi_sched_refresh(s, cpu, now_ns);
	return p;
}

struct dvmi_sched_note dvmi_sched_switched(struct dvmi_sched *s, uint32_t cpu, uint32_t prev,
					   uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[prev];
	uint32_t to = s->rqs[cpu].push_cpu;
	enum dvmi_sched_reason reason = (enum dvmi_sched_reason)s->rqs[cpu].push_reason;

	s->moves_count = 0;
	if (!prev || s->rqs[cpu].current == prev)
		return nobody;
	t->on_cpu = false;
	if (t->state == DVMI_SCHED_QUEUED && t->cpu == cpu && !t->migrate_disabled &&
	    !dvmi_sched_may_run(s, t, cpu)) { /* its CPUs changed while it was switched out */
		to = dvmi_sched_fallback(s, t, cpu);
		reason = s->rqs[cpu].online ? DVMI_SCHED_AFFINITY : DVMI_SCHED_HOTPLUG;
	} else if (t->state != DVMI_SCHED_PUSHED) {
		return nobody;
	} else if (!dvmi_sched_may_run(s, t, to)) {
		to = dvmi_sched_fallback(s, t, cpu);
	}
	dvmi_sched_move(s, prev, to, reason, now_ps / 1000);
	return dvmi_sched_preempts(s, to, prev, now_ps / 1000);
}
