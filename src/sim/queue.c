/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * Queues of work: clients put units in, servers take them out, and each unit knows when it began. A
 * unit that is put while somebody waits goes to who has waited longest, and wakes it (the kernel's
 * wait queues with exclusive waiters: sockets, futexes, epoll). Copies have queues of their own.
 */

static struct dvmi_queue *queue_of(struct dvm_sim *s, unsigned copy, uint32_t id)
{
	return &s->queues.queues[(size_t)copy * s->ids.queues + id - 1];
}

/* ---- before the run ---- */

static bool queues_kind(unsigned kind)
{
	return kind >= DVM_TRACE_THINK && kind <= DVM_TRACE_LOOP;
}

static int by_time(const void *a, const void *b)
{
	const struct dvmi_arrival *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return (x->record > y->record) - (x->record < y->record);
}

/* Units of each mark: how many ends there will be is known, but for those in loops. */
int dvmi_queues_init(struct dvm_sim *s, struct dvm_error *err)
{
	struct dvmi_queues *q = &s->queues;
	size_t count, arrivals = 0;

	dvm_trace_records(s->options.trace, &count);
	for (size_t i = 0; i < count; i++) {
		if (queues_kind(s->records[i].kind) && !s->simulated)
			return dvmi_error_record(err, DVM_EINVAL, "workload", i,
						 "%s: only a simulated schedule knows queues of work"
						 " and think times; give --schedule simulated",
						 dvm_trace_kind_name(s->records[i].kind));
		arrivals += s->records[i].kind == DVM_TRACE_ARRIVE;
	}
	q->queues = dvmi_calloc((size_t)s->copies * s->ids.queues + 1, sizeof(*q->queues));
	q->arrivals = dvmi_calloc(arrivals + 1, sizeof(*q->arrivals));
	q->marks = dvmi_calloc((size_t)s->env->nmarks + 1, sizeof(*q->marks));
	if (!q->queues || !q->arrivals || !q->marks)
		return dvmi_error_nomem(err);
	for (size_t i = 0; i < count; i++) {
		if (s->records[i].kind != DVM_TRACE_ARRIVE)
			continue;
		q->arrivals[q->arrivals_count++] =
			(struct dvmi_arrival){ s->records[i].amount, (uint32_t)i };
	}
	qsort(q->arrivals, q->arrivals_count, sizeof(*q->arrivals), by_time);
	return 0;
}

void dvmi_queues_fini(struct dvm_sim *s)
{
	struct dvmi_queues *q = &s->queues;

	for (uint32_t m = 0; q->marks && m < s->env->nmarks; m++)
		dvmi_free(q->marks[m].units);
	dvmi_free(q->marks);
	dvmi_free(q->queues);
	dvmi_free(q->items);
	dvmi_free(q->arrivals);
}

static int arrive_next(struct dvm_sim *s, unsigned copy, uint32_t arrival)
{
	if (arrival == s->queues.arrivals_count)
		return 0;
	return dvmi_evq_post(&s->evq, s->cpus[dvmi_copy_cpu(s, copy, 0)].start_ps +
			     s->queues.arrivals[arrival].ns * 1000, 0, DVMI_EV_ARRIVE, copy, arrival);
}

int dvmi_queues_start(struct dvm_sim *s)
{
	int ret = 0;

	for (unsigned copy = 0; copy < s->copies && !ret; copy++)
		ret = arrive_next(s, copy, 0);
	return ret;
}

/* ---- units ---- */

static int item_new(struct dvmi_queues *q, uint64_t born_ps, uint32_t reply, uint32_t *item)
{
	void *items = q->items;

	if (!q->free) {
		if (dvmi_grow(&items, &q->items_capacity, q->items_count + 2, sizeof(*q->items)))
			return -DVM_ENOMEM;
		q->items = items;
		q->items_count += !q->items_count; /* 0 means none */
		q->free = (uint32_t)q->items_count++;
		q->items[q->free].next = 0;
	}
	*item = q->free;
	q->free = q->items[*item].next;
	q->items[*item] = (struct dvmi_queue_item){ born_ps, reply, 0 };
	return 0;
}

static int append(struct dvmi_queues *q, struct dvmi_queue *queue, uint64_t born_ps, uint32_t reply)
{
	uint32_t item;
	int ret = item_new(q, born_ps, reply, &item);

	if (ret)
		return ret;
	if (queue->last)
		q->items[queue->last].next = item;
	else
		queue->first = item;
	queue->last = item;
	return 0;
}

/* The task that has waited longest, now with a unit born then; 0: nobody waits. */
static uint32_t hand_over(struct dvm_sim *s, struct dvmi_queue *queue, uint64_t born_ps,
			  uint32_t reply)
{
	uint32_t task = queue->waiter;

	if (!task)
		return 0;
	queue->waiter = s->tasks[task].queue_next;
	if (!queue->waiter)
		queue->last_waiter = 0;
	s->tasks[task].unit_ps = born_ps;
	s->tasks[task].unit_reply = reply;
	s->tasks[task].gets = false;
	return task;
}

int dvmi_queue_put(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   unsigned flags, uint64_t now, uint64_t *next)
{
	const struct dvmi_task *t = &s->tasks[c->task];
	uint32_t id = r->id ? r->id : t->unit_reply, task;
	uint64_t ps;
	int ret;

	if (!id)
		return dvmi_error_record(s->err, DVM_EFORMAT, "workload", (uint64_t)(r - s->records),
					 "put: nobody waits for an answer to this work unit");
	task = hand_over(s, queue_of(s, c->copy, id), t->unit_ps, t->unit_reply);
	if (!task)
		return append(&s->queues, queue_of(s, c->copy, id), t->unit_ps, t->unit_reply);
	ret = dvmi_task_wake(s, task, c->id, c->task, flags, now, &ps);
	*next = now + ps;
	return ret;
}

void dvmi_queue_get(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r)
{
	struct dvmi_queue *queue = queue_of(s, c->copy, r->id);
	struct dvmi_task *t = &s->tasks[c->task];
	struct dvmi_queues *q = &s->queues;
	uint32_t item = queue->first;

	if (item) {
		queue->first = q->items[item].next;
		if (!queue->first)
			queue->last = 0;
		t->unit_ps = q->items[item].born_ps;
		t->unit_reply = q->items[item].reply;
		q->items[item].next = q->free;
		q->free = item;
		return;
	}
	t->state = DVMI_TASK_BLOCKED;
	t->gets = true;
	t->queue_next = 0;
	if (queue->last_waiter)
		s->tasks[queue->last_waiter].queue_next = c->task;
	else
		queue->waiter = c->task;
	queue->last_waiter = c->task;
}

int dvmi_think(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
	       uint64_t now)
{
	s->tasks[c->task].state = DVMI_TASK_BLOCKED;
	return dvmi_evq_post(&s->evq, now + r->amount * 1000, 0, DVMI_EV_TIMER, c->task, 0);
}

int dvmi_queue_arrive(struct dvm_sim *s, unsigned copy, uint32_t arrival, uint64_t now,
		      struct dvmi_cpu **on, uint64_t *ps)
{
	const struct dvm_trace_record *r = &s->records[s->queues.arrivals[arrival].record];
	struct dvmi_queue *queue = queue_of(s, copy, r->id);
	uint32_t task = hand_over(s, queue, now, 0);
	int ret;

	*on = &s->cpus[dvmi_copy_cpu(s, copy, r->cpu)];
	*ps = 0;
	if (task)
		ret = dvmi_task_wake(s, task, (*on)->id, 0, DVMI_SCHED_WAKE_IRQ, now, ps);
	else
		ret = append(&s->queues, queue, now, 0);
	return ret ? ret : arrive_next(s, copy, arrival + 1);
}

int dvmi_unit_end(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
		  uint64_t now)
{
	struct dvmi_units *u = &s->queues.marks[r->id];
	void *units = u->units;

	if (dvmi_grow(&units, &u->capacity, u->count + 1, sizeof(*u->units)))
		return -DVM_ENOMEM;
	u->units = units;
	u->units[u->count++] =
		(struct dvmi_unit){ now, now - s->tasks[c->task].unit_ps };
	return 0;
}

/* ---- after it ---- */

static int by_latency(const void *a, const void *b)
{
	uint64_t x = ((const struct dvmi_unit *)a)->took_ps, y = ((const struct dvmi_unit *)b)->took_ps;

	return (x > y) - (x < y);
}

/* The least latency that at least @permille of 1000 units do not exceed; exact. */
static uint64_t quantile(const struct dvmi_unit *sorted, size_t n, unsigned permille)
{
	return sorted[(n * permille + 999) / 1000 - 1].took_ps;
}

/* Unit-time spent in [@from, @to) by all units: the mean number in the system times its length. */
static double unit_time(const struct dvmi_units *u, uint64_t from, uint64_t to)
{
	double sum = 0;

	for (size_t i = 0; i < u->count; i++) {
		uint64_t born = u->units[i].done_ps - u->units[i].took_ps, done = u->units[i].done_ps;

		born = born > from ? born : from;
		done = done < to ? done : to;
		sum += done > born ? (double)(done - born) : 0;
	}
	return sum;
}

/*
 * Does the backlog grow for as long as units come? Over the time in which units begin: more than one
 * in a hundred of all (and ten) are not done at its end, and in its last quarter half as many again
 * were in the system as in its second.
 */
static bool unstable(const struct dvmi_units *u, uint64_t *backlog)
{
	uint64_t first = UINT64_MAX, last = 0, quarter;

	*backlog = 0;
	for (size_t i = 0; i < u->count; i++) {
		uint64_t born = u->units[i].done_ps - u->units[i].took_ps;

		first = born < first ? born : first;
		last = born > last ? born : last;
	}
	for (size_t i = 0; i < u->count; i++)
		*backlog += u->units[i].done_ps > last;
	quarter = (last - first) / 4;
	return *backlog > 10 && *backlog * 100 > u->count &&
	       unit_time(u, last - quarter, last) >
		       1.5 * unit_time(u, first + quarter, first + 2 * quarter);
}

void dvmi_units_summary(struct dvm_sim *s)
{
	for (uint32_t m = 0; m < s->env->nmarks; m++) {
		struct dvmi_units *u = &s->queues.marks[m];
		struct dvm_unit_latency *l = &u->latency;
		struct dvmi_unit *window;
		size_t skip = u->count * DVM_SIM_TRIM_PERCENT / 100, n = u->count - 2 * skip;

		if (!u->count)
			continue;
		*l = (struct dvm_unit_latency){ .units = u->count, .count = n };
		l->unstable = unstable(u, &l->backlog);
		window = u->units + skip;
		l->window_ps = window[n - 1].done_ps - (skip ? window[-1].done_ps : 0);
		qsort(window, n, sizeof(*window), by_latency);
		for (size_t i = 0; i < n; i++)
			l->total_ps += window[i].took_ps;
		l->p50_ps = quantile(window, n, 500);
		l->p99_ps = quantile(window, n, 990);
		l->p999_ps = quantile(window, n, 999);
		l->max_ps = window[n - 1].took_ps;
		u->count = 0; /* they are not in order any more */
	}
}
