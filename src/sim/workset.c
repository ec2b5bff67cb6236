/* SPDX-License-Identifier: MIT */
#include "sim/workset.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#include <string.h>

#define RECENT 8 /* address spaces a CPU remembers */
#define NO_MM UINT32_MAX

struct entry {
	uint32_t mm;
	uint64_t held;      /* translations in the TLB */
	uint64_t rest;      /* part of a walk carried to the next run, in page-picoseconds */
	uint64_t seen;      /* the address space's flushed count when last settled */
	uint64_t epoch;     /* and its count of whole flushes */
};

struct mm {
	uint64_t flushed; /* pages taken away on every CPU, ever */
	uint64_t epoch;   /* flushes of the whole address space */
};

struct dvmi_workset {
	struct dvmi_workset_rules rules;
	struct mm *mms;
	struct entry *recent; /* RECENT per TLB, the last that ran first */
};

static struct entry *recent_of(const struct dvmi_workset *w, unsigned cpu)
{
	return w->recent + (size_t)(w->rules.sharers ? cpu / w->rules.sharers : cpu) * RECENT;
}

int dvmi_workset_new(unsigned cpus, uint32_t mms, const struct dvmi_workset_rules *rules,
		     struct dvmi_workset **ws)
{
	struct dvmi_workset *w = dvmi_zalloc(sizeof(*w));

	if (!w)
		return -DVM_ENOMEM;
	w->rules = *rules;
	w->mms = dvmi_calloc(mms, sizeof(*w->mms));
	w->recent = dvmi_calloc((size_t)cpus * RECENT, sizeof(*w->recent));
	if (!w->mms || !w->recent) {
		dvmi_workset_free(w);
		return -DVM_ENOMEM;
	}
	for (size_t i = 0; i < (size_t)cpus * RECENT; i++)
		w->recent[i].mm = NO_MM;
	*ws = w;
	return 0;
}

void dvmi_workset_free(struct dvmi_workset *w)
{
	if (!w)
		return;
	dvmi_free(w->mms);
	dvmi_free(w->recent);
	dvmi_free(w);
}

/* Apply the flushes that reached this CPU since the entry was last looked at. */
static void settle(const struct dvmi_workset *w, struct entry *e)
{
	const struct mm *mm = &w->mms[e->mm];
	uint64_t lost = mm->flushed - e->seen;

	if (mm->epoch != e->epoch)
		e->held = 0;
	e->held -= lost < e->held ? lost : e->held;
	e->seen = mm->flushed;
	e->epoch = mm->epoch;
}

/* The CPU's entry for @mm, moved to the front; the last one gives way to a new address space. */
static struct entry *to_front(struct dvmi_workset *w, unsigned cpu, uint32_t mm)
{
	struct entry *list = recent_of(w, cpu), found;
	unsigned i = 0;

	if (list[0].mm == mm)
		return list;
	while (i < RECENT - 1 && list[i].mm != mm)
		i++;
	found = list[i];
	if (found.mm != mm)
		found = (struct entry){ .mm = mm, .seen = w->mms[mm].flushed,
					.epoch = w->mms[mm].epoch };
	memmove(list + 1, list, i * sizeof(*list));
	list[0] = found;
	return list;
}

/*
 * Keep the sum within the TLB: the address spaces that ran longest ago lose first. What flushes have
 * taken away makes room.
 */
static void evict(const struct dvmi_workset *w, struct entry *list)
{
	uint64_t room = w->rules.capacity;

	for (unsigned i = 0; i < RECENT && list[i].mm != NO_MM; i++) {
		settle(w, &list[i]);
		if (list[i].held > room)
			list[i].held = room;
		room -= list[i].held;
	}
}

uint64_t dvmi_workset_run(struct dvmi_workset *w, unsigned cpu, uint32_t mm, uint64_t ps)
{
	struct entry *e = to_front(w, cpu, mm);
	uint64_t pages = w->rules.pages < w->rules.capacity ? w->rules.pages : w->rules.capacity;
	uint64_t missing, walks;

	settle(w, e);
	missing = pages > e->held ? pages - e->held : 0;
	if (!missing)
		return 0;
	if (ps >= w->rules.period_ps) {
		walks = missing;
		e->rest = 0;
	} else {
		uint64_t touched = missing * ps + e->rest;

		walks = touched / w->rules.period_ps;
		e->rest = touched % w->rules.period_ps;
		if (walks > missing)
			walks = missing;
	}
	e->held += walks;
	evict(w, e);
	return walks;
}

void dvmi_workset_flush_local(struct dvmi_workset *w, unsigned cpu, uint32_t mm, uint64_t pages)
{
	struct entry *list = recent_of(w, cpu);

	for (unsigned i = 0; i < RECENT; i++) {
		if (list[i].mm != mm)
			continue;
		settle(w, &list[i]);
		list[i].held -= pages < list[i].held ? pages : list[i].held;
		return;
	}
}

void dvmi_workset_flush_cpu(struct dvmi_workset *w, unsigned cpu,
			    const struct dvmi_mm_group *group)
{
	struct entry *recent = recent_of(w, cpu);

	for (unsigned i = 0; i < RECENT; i++)
		if (dvmi_mm_in_group(group, recent[i].mm))
			recent[i].held = 0;
}

void dvmi_workset_flush_all(struct dvmi_workset *w, uint32_t mm, uint64_t pages)
{
	if (pages == UINT64_MAX)
		w->mms[mm].epoch++;
	else
		w->mms[mm].flushed += pages;
}
