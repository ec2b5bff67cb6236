/* SPDX-License-Identifier: MIT */
/* hw/evq.h as plain arrays: the least is searched for every time. Nobody runs ahead. */
#include "hw/evq.h"

#include <stdlib.h>
#include <string.h>

struct dvmi_message {
	uint64_t time_ps, order;
	struct dvmi_event ev;
};

int dvmi_evq_init(struct dvmi_evq *q, uint32_t cpus)
{
	memset(q, 0, sizeof(*q));
	q->cpus = cpus;
	q->taken = UINT32_MAX;
	q->tree = calloc(cpus, sizeof(*q->tree)); /* .leaves is 0: CPU n is node n */
	for (uint32_t c = 0; c < cpus; c++)
		q->tree[c].time_ps = DVMI_NEVER;
	return 0;
}

void dvmi_evq_fini(struct dvmi_evq *q)
{
	free(q->tree);
	free(q->heap);
}

void dvmi_evq_cpu_set(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps)
{
	q->tree[cpu].time_ps = time_ps;
}

void dvmi_evq_cpu_set_reach(struct dvmi_evq *q, uint32_t cpu, uint64_t time_ps, uint64_t reach_ps)
{
	(void)reach_ps;
	dvmi_evq_cpu_set(q, cpu, time_ps);
}

uint64_t dvmi_evq_felt_ps(const struct dvmi_evq *q, uint32_t cpu)
{
	(void)q;
	(void)cpu;
	return 0;
}

int dvmi_evq_post(struct dvmi_evq *q, uint64_t time_ps, uint32_t prio, uint32_t kind, uint32_t who,
		  uint64_t data)
{
	if (q->messages == q->capacity) {
		q->capacity = 2 * q->capacity + 16;
		q->heap = realloc(q->heap, q->capacity * sizeof(*q->heap));
	}
	q->heap[q->messages++] = (struct dvmi_message){
		time_ps, (uint64_t)prio << 40 | q->seq++, { time_ps, kind, who, data } };
	return 0;
}

static size_t first_message(const struct dvmi_evq *q)
{
	size_t best = 0;

	for (size_t i = 1; i < q->messages; i++)
		if (q->heap[i].time_ps < q->heap[best].time_ps ||
		    (q->heap[i].time_ps == q->heap[best].time_ps &&
		     q->heap[i].order < q->heap[best].order))
			best = i;
	return best;
}

uint64_t dvmi_evq_next_message_ps(const struct dvmi_evq *q)
{
	return q->messages ? q->heap[first_message(q)].time_ps : DVMI_NEVER;
}

static uint32_t first_cpu(const struct dvmi_evq *q)
{
	uint32_t best = 0;

	for (uint32_t c = 1; c < q->cpus; c++)
		if (q->tree[c].time_ps < q->tree[best].time_ps)
			best = c;
	return best;
}

uint64_t dvmi_evq_next_ps(struct dvmi_evq *q)
{
	uint64_t message = dvmi_evq_next_message_ps(q), cpu = q->tree[first_cpu(q)].time_ps;

	return message < cpu ? message : cpu;
}

int dvmi_evq_pop(struct dvmi_evq *q, struct dvmi_event *ev)
{
	uint64_t message = dvmi_evq_next_message_ps(q);
	uint32_t cpu = first_cpu(q);

	if (message != DVMI_NEVER && message <= q->tree[cpu].time_ps) {
		size_t i = first_message(q);

		*ev = q->heap[i].ev;
		q->heap[i] = q->heap[--q->messages];
		return 1;
	}
	if (q->tree[cpu].time_ps == DVMI_NEVER)
		return 0;
	*ev = (struct dvmi_event){ q->tree[cpu].time_ps, DVMI_EV_CPU, cpu, 0 };
	q->tree[cpu].time_ps = DVMI_NEVER;
	return 1;
}

size_t dvmi_evq_bytes(const struct dvmi_evq *q)
{
	(void)q;
	return 0;
}
