/* SPDX-License-Identifier: MIT */
#include "hw/evq.h"

#include "base/mem.h"

#include <dvmsim/error.h>
#include <string.h>

struct dvmi_message {
	uint64_t time_ps;
	uint64_t order; /* prio, then posting order: 24 + 40 bits */
	uint64_t data;
	uint32_t kind, who;
};

int dvmi_evq_init(struct dvmi_evq *q, uint32_t cpus)
{
	uint32_t leaves = 1;

	while (leaves < cpus)
		leaves <<= 1;
	memset(q, 0, sizeof(*q));
	q->tree = dvmi_calloc(2 * (size_t)leaves, sizeof(*q->tree));
	if (!q->tree)
		return -DVM_ENOMEM;
	q->cpus = cpus;
	q->taken = UINT32_MAX;
	q->leaves = leaves;
	/* All equal: of two, the left one, with the lower CPU numbers, is first. */
	for (uint32_t i = 2 * leaves; i-- > 1;)
		q->tree[i] = i >= leaves ? (struct dvmi_evq_node){DVMI_NEVER, DVMI_NEVER,
								  i - leaves}
					 : q->tree[2 * i];
	return 0;
}

void dvmi_evq_fini(struct dvmi_evq *q)
{
	dvmi_free(q->tree);
	dvmi_free(q->heap);
	memset(q, 0, sizeof(*q));
}

static void set(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps, uint64_t reach_ps)
{
	struct dvmi_evq_node win = {time_ps, reach_ps, cpu}, *tree = q->tree;
	uint32_t i = q->leaves + cpu;

	tree[i] = win;
	for (; i > 1; i >>= 1) {
		struct dvmi_evq_node other = tree[i ^ 1];
		/* The left of two equals: the other one, if we are the right. No branches: which
		   one wins is as good as random. */
		uint64_t take = (other.time_ps < win.time_ps) |
				((other.time_ps == win.time_ps) & (i & 1));
		uint64_t mask = 0 - take;

		win.time_ps ^= (win.time_ps ^ other.time_ps) & mask;
		win.cpu ^= (win.cpu ^ other.cpu) & (uint32_t)mask;
		win.reach_ps = other.reach_ps < win.reach_ps ? other.reach_ps : win.reach_ps;
		tree[i >> 1] = win;
	}
}

/*
 * A CPU that was taken usually has its next action set before anything else is asked: its leaf is
 * left as it was until then, which saves one walk of the two.
 */
static void settle(struct dvmi_evq *q)
{
	uint32_t cpu = q->taken;

	q->taken = UINT32_MAX;
	if (cpu != UINT32_MAX)
		set(q, cpu, DVMI_NEVER, DVMI_NEVER);
}

void dvmi_evq_cpu_set_reach(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps, uint64_t reach_ps)
{
	if (cpu == q->taken)
		q->taken = UINT32_MAX;
	else
		settle(q);
	set(q, cpu, time_ps, reach_ps);
}

void dvmi_evq_cpu_set(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps)
{
	dvmi_evq_cpu_set_reach(q, cpu, time_ps, time_ps);
}

/* The other CPUs are what hangs beside the way from the leaf to the root. */
uint64_t dvmi_evq_felt_ps(const struct dvmi_evq *q, uint32_t cpu)
{
	uint64_t felt = dvmi_evq_next_message_ps(q);

	for (uint32_t i = q->leaves + cpu; i > 1; i >>= 1) {
		uint64_t reach = q->tree[i ^ 1].reach_ps;

		felt = reach < felt ? reach : felt;
	}
	return felt;
}

static int before(const struct dvmi_message *a, const struct dvmi_message *b)
{
	if (a->time_ps != b->time_ps)
		return a->time_ps < b->time_ps;
	return a->order < b->order;
}

int dvmi_evq_post(struct dvmi_evq *q, uint64_t time_ps, uint32_t prio, uint32_t kind, uint32_t who,
		  uint64_t data)
{
	struct dvmi_message m = {
		.time_ps = time_ps,
		.order = (uint64_t)prio << 40 | q->seq,
		.data = data,
		.kind = kind,
		.who = who,
	};
	size_t i = q->messages;
	int ret = dvmi_grow((void **)&q->heap, &q->capacity, i + 1, sizeof(*q->heap));

	if (ret)
		return ret;
	q->seq++;
	q->messages++;
	for (; i && before(&m, &q->heap[(i - 1) / 4]); i = (i - 1) / 4)
		q->heap[i] = q->heap[(i - 1) / 4];
	q->heap[i] = m;
	return 0;
}

static void heap_remove_first(struct dvmi_evq *q)
{
	size_t n = --q->messages, i = 0;
	struct dvmi_message m = q->heap[n];

	for (;;) {
		size_t best = 4 * i + 1, end = best + 4 < n ? best + 4 : n;

		if (best >= n)
			break;
		for (size_t c = best + 1; c < end; c++)
			if (before(&q->heap[c], &q->heap[best]))
				best = c;
		if (!before(&q->heap[best], &m))
			break;
		q->heap[i] = q->heap[best];
		i = best;
	}
	q->heap[i] = m;
}

uint64_t dvmi_evq_next_message_ps(const struct dvmi_evq *q)
{
	return q->messages ? q->heap[0].time_ps : DVMI_NEVER;
}

uint64_t dvmi_evq_next_ps(struct dvmi_evq *q)
{
	uint64_t msg = dvmi_evq_next_message_ps(q), cpu;

	settle(q);
	cpu = q->tree[1].time_ps;

	return msg < cpu ? msg : cpu;
}

int dvmi_evq_pop(struct dvmi_evq *q, struct dvmi_event *ev)
{
	struct dvmi_evq_node first;

	settle(q);
	first = q->tree[1];
	if (q->messages && q->heap[0].time_ps <= first.time_ps) {
		const struct dvmi_message *m = &q->heap[0];

		*ev = (struct dvmi_event){m->time_ps, m->kind, m->who, m->data};
		heap_remove_first(q);
		return 1;
	}
	if (first.time_ps == DVMI_NEVER)
		return 0;
	*ev = (struct dvmi_event){first.time_ps, DVMI_EV_CPU, first.cpu, 0};
	q->taken = first.cpu;
	return 1;
}

size_t dvmi_evq_bytes(const struct dvmi_evq *q)
{
	return 2 * (size_t)q->leaves * sizeof(*q->tree) + q->capacity * sizeof(*q->heap);
}
