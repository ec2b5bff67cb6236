/* SPDX-License-Identifier: MIT */
/* sim/workset.h with every flush applied at once to every CPU it concerns. */
#include "sim/workset.h"

#include <stdlib.h>

#define RECENT 8

struct entry {
	uint32_t mm; /* 0: none yet */
	uint64_t held, rest;
};

struct dvmi_workset {
	struct dvmi_workset_rules rules;
	unsigned cpus;
	struct entry (*recent)[RECENT]; /* the last that ran first */
};

int dvmi_workset_new(unsigned cpus, uint32_t mms, const struct dvmi_workset_rules *rules,
		     struct dvmi_workset **ws)
{
	struct dvmi_workset *w = calloc(1, sizeof(*w));

	(void)mms;
	w->rules = *rules;
	w->cpus = cpus;
	w->recent = calloc(cpus, sizeof(*w->recent));
	*ws = w;
	return 0;
}

void dvmi_workset_free(struct dvmi_workset *w)
{
	if (!w)
		return;
	free(w->recent);
	free(w);
}

/* The address space that runs comes first; the others keep their order, the ninth is forgotten. */
static void ran(struct entry list[RECENT], uint32_t mm)
{
	struct entry first = { .mm = mm }, others[RECENT];
	unsigned n = 0;

	for (unsigned i = 0; i < RECENT; i++) {
		if (list[i].mm == mm)
			first = list[i];
		else
			others[n++] = list[i];
	}
	list[0] = first;
	for (unsigned i = 1; i < RECENT; i++)
		list[i] = others[i - 1];
}

uint64_t dvmi_workset_run(struct dvmi_workset *w, unsigned cpu, uint32_t mm, uint64_t ps)
{
	struct entry *list = w->recent[cpu / w->rules.sharers];
	uint64_t pages = w->rules.pages, room = w->rules.capacity, missing, walks;

	ran(list, mm);
	if (pages > room)
		pages = room;
	if (list[0].held >= pages)
		return 0;
	missing = pages - list[0].held;
	if (ps >= w->rules.period_ps) {
		walks = missing;
		list[0].rest = 0;
	} else {
		walks = (missing * ps + list[0].rest) / w->rules.period_ps;
		list[0].rest = (missing * ps + list[0].rest) % w->rules.period_ps;
	}
	if (walks > missing)
		walks = missing;
	list[0].held += walks;
	for (unsigned i = 0; i < RECENT; i++) {
		if (list[i].held > room)
			list[i].held = room;
		room -= list[i].held;
	}
	return walks;
}

void dvmi_workset_flush_local(struct dvmi_workset *w, unsigned cpu, uint32_t mm, uint64_t pages)
{
	for (unsigned i = 0; i < RECENT; i++) {
		struct entry *e = &w->recent[cpu / w->rules.sharers][i];

		if (e->mm == mm)
			e->held = pages < e->held ? e->held - pages : 0;
	}
}

void dvmi_workset_flush_all(struct dvmi_workset *w, uint32_t mm, uint64_t pages)
{
	for (unsigned c = 0; c < w->cpus; c += w->rules.sharers)
		dvmi_workset_flush_local(w, c, mm, pages);
}

void dvmi_workset_flush_cpu(struct dvmi_workset *w, unsigned cpu,
			    const struct dvmi_mm_group *group)
{
	for (unsigned i = 0; i < RECENT; i++)
		if (dvmi_mm_in_group(group, w->recent[cpu / w->rules.sharers][i].mm))
			w->recent[cpu / w->rules.sharers][i].held = 0;
}
