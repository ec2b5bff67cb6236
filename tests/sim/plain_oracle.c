/* SPDX-License-Identifier: MIT */
/*
 * sim/oracle.h as tables of yes and no, one for each pair of address space and CPU; flushes are kept
 * for ever, and every rule looks at all of them.
 */
#include "sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CPUS 64
#define NOBODY UINT32_MAX

struct dvmi_oracle_flush {
	uint32_t mm, owner;
	bool checked, whole, returned, local, broadcast;
	unsigned cpu; /* that issued what no DSB has completed */
	uint64_t record;
	bool held[CPUS], covered[CPUS], device, reached;
	bool domain[CPUS]; /* broadcasts to a domain that no DSB has completed reach these */
};

struct mm {
	bool held[CPUS], stale[CPUS], ever[CPUS], bound;
	uint64_t stale_record;
};

struct dvmi_oracle {
	unsigned cpus, threads;
	uint32_t mms, current[CPUS];
	struct mm *mm;
	struct dvmi_oracle_flush **flushes;
	size_t count;
	bool hears;
	uint32_t behind;
};

int dvmi_oracle_new(unsigned cpus, uint32_t mms, struct dvmi_oracle **oracle)
{
	struct dvmi_oracle *o = calloc(1, sizeof(*o));

	if (cpus > CPUS)
		abort();
	o->cpus = cpus;
	o->threads = 1;
	o->mms = mms;
	o->mm = calloc(mms, sizeof(*o->mm));
	for (unsigned c = 0; c < cpus; c++)
		o->current[c] = NOBODY;
	*oracle = o;
	return 0;
}

void dvmi_oracle_free(struct dvmi_oracle *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		free(o->flushes[i]);
	free(o->flushes);
	free(o->mm);
	free(o);
}

void dvmi_oracle_share(struct dvmi_oracle *o, unsigned threads)
{
	o->threads = threads;
}

static bool share(const struct dvmi_oracle *o, unsigned a, unsigned b)
{
	return a / o->threads == b / o->threads;
}

static bool installed(const struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	for (unsigned c = 0; c < o->cpus; c++)
		if (share(o, c, cpu) && o->current[c] == mm)
			return true;
	return false;
}

void dvmi_oracle_install(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	o->current[cpu] = mm;
	for (unsigned c = 0; c < o->cpus; c++)
		if (share(o, c, cpu))
			o->mm[mm].held[c] = true;
}

void dvmi_oracle_leave(struct dvmi_oracle *o, unsigned cpu)
{
	o->current[cpu] = NOBODY;
}

void dvmi_oracle_ran(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	o->mm[mm].ever[cpu] = true;
}

static void flush_one(struct dvmi_oracle *o, unsigned cpu, const struct dvmi_mm_group *group)
{
	for (uint32_t mm = 0; mm < o->mms; mm++) {
		if (!dvmi_mm_in_group(group, mm))
			continue;
		o->mm[mm].stale[cpu] = false;
		if (!installed(o, cpu, mm))
			o->mm[mm].held[cpu] = false;
	}
	for (size_t i = 0; i < o->count; i++)
		if (!installed(o, cpu, o->flushes[i]->mm) &&
		    dvmi_mm_in_group(group, o->flushes[i]->mm))
			o->flushes[i]->covered[cpu] = true;
}

void dvmi_oracle_flush_cpu(struct dvmi_oracle *o, unsigned cpu, const struct dvmi_mm_group *group)
{
	for (unsigned c = 0; c < o->cpus; c++)
		if (share(o, c, cpu))
			flush_one(o, c, group);
}

struct dvmi_oracle_flush *dvmi_oracle_begin(struct dvmi_oracle *o, uint32_t mm, bool checked,
					    bool whole_asid, uint64_t record)
{
	struct dvmi_oracle_flush *f = calloc(1, sizeof(*f));

	*f = (struct dvmi_oracle_flush){ .mm = mm, .owner = NOBODY, .checked = checked,
					 .whole = whole_asid, .record = record };
	memcpy(f->held, o->mm[mm].held, sizeof(f->held));
	f->device = o->mm[mm].bound;
	o->flushes = realloc(o->flushes, (o->count + 1) * sizeof(struct dvmi_oracle_flush *));
	return o->flushes[o->count++] = f;
}

static void issued(struct dvmi_oracle_flush *f, unsigned cpu)
{
	if (f->cpu != cpu) {
		f->local = f->broadcast = false;
		memset(f->domain, 0, sizeof(f->domain));
	}
	f->cpu = cpu;
}

void dvmi_oracle_local(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	(void)o;
	if (!f)
		return;
	issued(f, cpu);
	f->local = true;
}

void dvmi_oracle_broadcast(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	(void)o;
	if (!f)
		return;
	issued(f, cpu);
	f->broadcast = true;
}

void dvmi_oracle_broadcast_to(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu,
			      unsigned first, unsigned end)
{
	(void)o;
	if (!f)
		return;
	issued(f, cpu);
	for (unsigned c = first; c < end; c++)
		f->domain[c] = true;
}

static void cover(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned target)
{
	struct mm *mm = &o->mm[f->mm];

	f->covered[target] = true;
	if (f->whole || (f->checked && f->returned))
		mm->stale[target] = false;
	if (f->whole && !installed(o, target, f->mm))
		mm->held[target] = false;
	for (size_t i = 0; f->whole && o->flushes[i] != f; i++)
		if (o->flushes[i]->mm == f->mm)
			o->flushes[i]->covered[target] = true;
}

void dvmi_oracle_ipi(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned target)
{
	for (unsigned c = 0; f && c < o->cpus; c++)
		if (share(o, c, target))
			cover(o, f, c);
}

void dvmi_oracle_whole(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, bool broadcast)
{
	struct dvmi_oracle_flush *f = dvmi_oracle_begin(o, mm, false, true, 0);

	f->cpu = cpu;
	f->local = !broadcast;
	f->broadcast = broadcast;
	f->returned = true;
}

void dvmi_oracle_ipi_all(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	for (unsigned c = 0; f && c < o->cpus; c++)
		dvmi_oracle_ipi(o, f, c);
}

void dvmi_oracle_whole_to(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, unsigned first,
			  unsigned end)
{
	struct dvmi_oracle_flush *f = dvmi_oracle_begin(o, mm, false, true, 0);

	dvmi_oracle_broadcast_to(o, f, cpu, first, end);
	f->returned = true;
}

void dvmi_oracle_dsb(struct dvmi_oracle *o, unsigned cpu, bool inner)
{
	for (size_t i = 0; i < o->count; i++) {
		struct dvmi_oracle_flush *f = o->flushes[i];

		if (f->cpu != cpu)
			continue;
		if (f->local)
			dvmi_oracle_ipi(o, f, cpu);
		f->local = false;
		for (unsigned c = 0; c < o->cpus && inner; c++) {
			if (f->held[c] && (f->broadcast || f->domain[c]))
				cover(o, f, c);
			f->domain[c] = false;
		}
		f->reached |= f->broadcast && inner && o->hears;
		f->broadcast = f->broadcast && !inner;
	}
}

static void judge(struct dvmi_oracle *o, const struct dvmi_oracle_flush *f)
{
	for (unsigned c = 0; c < o->cpus && f->checked; c++) {
		if (!f->held[c] || f->covered[c])
			continue;
		o->mm[f->mm].stale[c] = true;
		o->mm[f->mm].stale_record = f->record;
	}
	if (f->checked && f->device && !f->reached)
		o->behind = f->mm;
}

void dvmi_oracle_end(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	if (!f)
		return;
	f->returned = true;
	judge(o, f);
}

void dvmi_oracle_defer(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, uint32_t owner)
{
	(void)o;
	if (!f)
		return;
	f->returned = true;
	f->owner = owner;
}

/* The flush made first is judged last: it is the one that is named. */
void dvmi_oracle_batch(struct dvmi_oracle *o, uint32_t owner)
{
	for (size_t i = o->count; i-- > 0;) {
		if (o->flushes[i]->owner != owner)
			continue;
		o->flushes[i]->owner = NOBODY;
		judge(o, o->flushes[i]);
	}
}

int dvmi_oracle_use(struct dvmi_oracle *o, unsigned cpu, uint32_t mm, struct dvm_error *err)
{
	if (!o->mm[mm].stale[cpu])
		return 0;
	return dvmi_error_record(err, DVM_EUNSAFE, "stale", o->mm[mm].stale_record,
				 "this flush of address space %" PRIu32
				 " returned, yet CPU %u, which may still hold the old translation,"
				 " runs it again: a stale translation is used", mm, cpu);
}

void dvmi_oracle_device(struct dvmi_oracle *o, uint32_t mm, bool bound, bool hears)
{
	o->mm[mm].bound = bound;
	o->hears = hears;
}

void dvmi_oracle_notified(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	(void)o;
	if (f)
		f->reached = true;
}

int dvmi_oracle_device_use(const struct dvmi_oracle *o, struct dvm_error *err)
{
	return o->behind ? dvmi_error(err, DVM_EUNSAFE, "stale", "device of %" PRIu32, o->behind) : 0;
}

unsigned dvmi_oracle_cpus_of(const struct dvmi_oracle *o, uint32_t mm)
{
	unsigned n = 0;

	for (unsigned c = 0; c < o->cpus; c++)
		n += o->mm[mm].ever[c];
	return n;
}

bool dvmi_oracle_only_cpu(const struct dvmi_oracle *o, uint32_t mm, unsigned cpu)
{
	for (unsigned c = 0; c < o->cpus; c++)
		if (c != cpu && o->mm[mm].ever[c])
			return false;
	return true;
}

bool dvmi_oracle_failed(const struct dvmi_oracle *o)
{
	(void)o;
	return false;
}
