/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/*
 * What must hold after every call, worked out anew from the tasks and the trees: for the property
 * tests. One sentence for each rule.
 */

struct seen {
	uint32_t count, delayed;
	int64_t sum, weight, last_deadline;
	uint64_t load;
	const char *fault;
};

static void walk(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq, uint32_t cpu,
		 uint32_t node, struct seen *k)
{
	const struct dvmi_sched_task *t = &s->tasks[node];
	int64_t least = t->vruntime_ns;
	uint64_t w;

	if (!node || k->fault)
		return;
	if (k->count++ > s->tasks_count) {
		k->fault = "a queue has a cycle";
		return;
	}
	walk(s, rq, cpu, t->left, k);
	if (t->deadline_ns < k->last_deadline)
		k->fault = "a queue is not in the order of deadlines";
	k->last_deadline = t->deadline_ns;
	if (t->cpu != cpu)
		k->fault = "a task waits on a CPU that is not its own";
	if (t->delayed ? t->state != DVMI_SCHED_BLOCKED : t->state != DVMI_SCHED_QUEUED)
		k->fault = "a task that does not wait is in a queue";
	if (!t->delayed && !t->migrate_disabled && !t->on_cpu &&
	    (cpu < t->first_cpu || cpu > t->last_cpu))
		k->fault = "a task waits on a CPU it may not run on";
	if (t->left && s->tasks[t->left].min_vruntime_ns < least)
		least = s->tasks[t->left].min_vruntime_ns;
	if (t->right && s->tasks[t->right].min_vruntime_ns < least)
		least = s->tasks[t->right].min_vruntime_ns;
	if (t->min_vruntime_ns != least)
		k->fault = "a subtree's least virtual time is wrong";
	w = dvmi_sched_weight(t);
	k->sum += (int64_t)w * (t->vruntime_ns - rq->zero_ns);
	k->weight += (int64_t)w;
	k->delayed += t->delayed;
	k->load += t->delayed ? 0 : w;
	walk(s, rq, cpu, t->right, k);
}

static const char *check_rq(const struct dvmi_sched *s, uint32_t cpu)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];
	const struct dvmi_sched_task *current = &s->tasks[rq->current];
	struct seen fair = { .last_deadline = INT64_MIN }, rt = { .last_deadline = INT64_MIN };
	bool runs = rq->current && current->policy == DVMI_SCHED_FAIR;

	walk(s, rq, cpu, rq->fair, &fair);
	walk(s, rq, cpu, rq->rt, &rt);
	if (fair.fault || rt.fault)
		return fair.fault ? fair.fault : rt.fault;
	if (rq->current && (current->state != DVMI_SCHED_RUNNING || current->cpu != cpu ||
			    !current->on_cpu))
		return "the current task does not run here";
	if (rq->nr_fair != fair.count + runs || rq->nr_delayed != fair.delayed ||
	    rq->nr_rt != rt.count + (rq->current && !runs))
		return "a queue's counts are wrong";
	if (rq->sum_weight != fair.weight || rq->sum != fair.sum)
		return "a queue's sums are wrong";
	if (rq->load != fair.load + (runs ? dvmi_sched_weight(current) : 0))
		return "a queue's load is wrong";
	if (dvmi_sched_is_idle(s, cpu) !=
	    (rq->online && !rq->current && !dvmi_sched_running(rq) && !rq->coming))
		return "the set of idle CPUs is wrong";
	if (rq->seen_running != dvmi_sched_running(rq) || rq->seen_load != rq->load)
		return "a CPU's part of the sums is out of date";
	return NULL;
}

static const char *check_groups(const struct dvmi_sched *s)
{
	for (uint32_t l = 0; l < s->levels_count; l++) {
		for (uint32_t c = 0; c < s->rules.cpus; c += s->levels[l].span) {
			const struct dvmi_sched_group *g =
				&s->groups[s->levels[l].groups_at + c / s->levels[l].span];
			struct dvmi_sched_group sum = { 0 };
			uint32_t first, end;

			dvmi_sched_span(s, c, s->levels[l].span, &first, &end);
			for (uint32_t i = first; i < end; i++) {
				sum.online += s->rqs[i].online;
				sum.idle += dvmi_sched_is_idle(s, i);
				sum.running += dvmi_sched_running(&s->rqs[i]);
				sum.load += s->rqs[i].load;
			}
			if (sum.online != g->online || sum.idle != g->idle ||
			    sum.running != g->running || sum.load != g->load)
				return "a group's sums are wrong";
		}
	}
	return NULL;
}

static const char *check_task(const struct dvmi_sched *s, uint32_t task)
{
	const struct dvmi_sched_task *t = &s->tasks[task];
	const struct dvmi_sched_rq *rq = &s->rqs[t->cpu];

	if (t->state == DVMI_SCHED_RUNNING && rq->current != task)
		return "a running task is not its CPU's current";
	if (t->state == DVMI_SCHED_RUNNING && !t->migrate_disabled && !rq->push_task &&
	    rq->online && (t->cpu < t->first_cpu || t->cpu > t->last_cpu))
		return "a task runs where it may not";
	/* migrate_disable() means: by nobody, in no way. */
	if (t->narrowed && !t->migrate_disabled)
		return "a task is narrowed without migrate_disable";
	return NULL;
}

const char *dvmi_sched_check(const struct dvmi_sched *s)
{
	uint64_t queued = 0, in_trees = 0;
	const char *fault = NULL;

	for (uint32_t task = 1; task <= s->tasks_count && !fault; task++) {
		const struct dvmi_sched_task *t = &s->tasks[task];

		fault = check_task(s, task);
		queued += t->state == DVMI_SCHED_QUEUED || t->state == DVMI_SCHED_RUNNING ||
			  t->delayed;
	}
	for (uint32_t cpu = 0; cpu < s->rules.cpus && !fault; cpu++) {
		fault = check_rq(s, cpu);
		in_trees += s->rqs[cpu].nr_fair + s->rqs[cpu].nr_rt;
	}
	if (!fault && queued != in_trees)
		fault = "a task waits in two queues, or in none";
	return fault ? fault : check_groups(s);
}
