/* SPDX-License-Identifier: MIT */
#include "sim/oracle.h"

#include "base/bitmap.h"
#include "base/mem.h"

#include <inttypes.h>

#define NO_OWNER UINT32_MAX

struct dvmi_oracle_flush {
	struct dvmi_oracle_flush *next;         /* of all that live, or of the free list */
	uint32_t mm, owner;
	bool checked, whole_asid, returned;
	bool pending_local, pending_broadcast;  /* TLBIs without their DSB yet, on pending_cpu */
	unsigned pending_cpu;
	uint64_t record;
	uint64_t maps[];                        /* held when it began; covered so far */
};

struct mm {
	uint64_t stale_record;
	uint32_t installed_cpus;
};

struct dvmi_oracle {
	unsigned cpus;
	uint32_t mms;
	size_t words;
	struct mm *mm;
	uint64_t *maps;       /* per mm: held, stale, ever */
	uint32_t *current;    /* per CPU: the installed mm, or UINT32_MAX */
	struct dvmi_oracle_flush *live, *unused;
	bool failed;
};

enum { HELD, STALE, EVER, MAPS };

static uint64_t *map_of(const struct dvmi_oracle *o, uint32_t mm, unsigned which)
{
	return o->maps + ((size_t)mm * MAPS + which) * o->words;
}

int dvmi_oracle_new(unsigned cpus, uint32_t mms, struct dvmi_oracle **oracle)
{
	struct dvmi_oracle *o = dvmi_zalloc(sizeof(*o));

	if (!o)
		return -DVM_ENOMEM;
	o->cpus = cpus;
	o->mms = mms;
	o->words = dvmi_bitmap_words(cpus);
	o->mm = dvmi_calloc(mms, sizeof(*o->mm));
	o->maps = dvmi_calloc((size_t)mms * MAPS * o->words, sizeof(*o->maps));
	o->current = dvmi_calloc(cpus, sizeof(*o->current));
	if (!o->mm || !o->maps || !o->current) {
		dvmi_oracle_free(o);
		return -DVM_ENOMEM;
	}
	for (unsigned c = 0; c < cpus; c++)
		o->current[c] = UINT32_MAX;
	*oracle = o;
	return 0;
}

static void free_list(struct dvmi_oracle_flush *f)
{
	while (f) {
		struct dvmi_oracle_flush *next = f->next;

		dvmi_free(f);
		f = next;
	}
}

void dvmi_oracle_free(struct dvmi_oracle *o)
{
	if (!o)
		return;
	free_list(o->live);
	free_list(o->unused);
	dvmi_free(o->mm);
	dvmi_free(o->maps);
	dvmi_free(o->current);
	dvmi_free(o);
}

void dvmi_oracle_install(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	uint64_t *ever = map_of(o, mm, EVER);

	o->current[cpu] = mm;
	dvmi_bitmap_set(map_of(o, mm, HELD), cpu);
	if (!dvmi_bitmap_test(ever, cpu)) {
		dvmi_bitmap_set(ever, cpu);
		o->mm[mm].installed_cpus++;
	}
}

void dvmi_oracle_flush_cpu(struct dvmi_oracle *o, unsigned cpu)
{
	for (uint32_t mm = 0; mm < o->mms; mm++) {
		dvmi_bitmap_clear(map_of(o, mm, STALE), cpu);
		if (o->current[cpu] != mm)
			dvmi_bitmap_clear(map_of(o, mm, HELD), cpu);
	}
}

static uint64_t *held(struct dvmi_oracle_flush *f)
{
	return f->maps;
}

static uint64_t *covered(const struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	return f->maps + o->words;
}

struct dvmi_oracle_flush *dvmi_oracle_begin(struct dvmi_oracle *o, uint32_t mm, bool checked,
					    bool whole_asid, uint64_t record)
{
	struct dvmi_oracle_flush *f = o->unused;

	if (f) {
		o->unused = f->next;
	} else {
		f = dvmi_alloc(sizeof(*f) + 2 * o->words * sizeof(f->maps[0]));
		if (!f) {
			o->failed = true;
			return NULL;
		}
	}
	*f = (struct dvmi_oracle_flush){ .next = o->live, .mm = mm, .owner = NO_OWNER,
					 .checked = checked, .whole_asid = whole_asid,
					 .record = record };
	memcpy(held(f), map_of(o, mm, HELD), o->words * sizeof(f->maps[0]));
	memset(covered(o, f), 0, o->words * sizeof(f->maps[0]));
	o->live = f;
	return f;
}

void dvmi_oracle_local(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	(void)o;
	if (!f)
		return;
	/* Operations issued on another CPU before a migration lose their chance of a DSB here:
	   completion belongs to the CPU that issued. __switch_to's DSB ISH has completed them. */
	f->pending_local = true;
	f->pending_cpu = cpu;
}

void dvmi_oracle_broadcast(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	(void)o;
	if (!f)
		return;
	f->pending_broadcast = true;
	f->pending_cpu = cpu;
}

/* CPU @cpu holds nothing of what @f flushed any more. */
static void cover(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	dvmi_bitmap_set(covered(o, f), cpu);
	if (!f->checked)
		return;
	if (f->returned || f->whole_asid)
		dvmi_bitmap_clear(map_of(o, f->mm, STALE), cpu);
	if (f->whole_asid && o->current[cpu] != f->mm)
		dvmi_bitmap_clear(map_of(o, f->mm, HELD), cpu);
}

void dvmi_oracle_ipi(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned target)
{
	if (f)
		cover(o, f, target);
}

/* Unlink flushes that nobody waits for any more. */
static void sweep(struct dvmi_oracle *o)
{
	struct dvmi_oracle_flush **p = &o->live;

	while (*p) {
		struct dvmi_oracle_flush *f = *p;

		if (f->returned && f->owner == NO_OWNER && !f->pending_local &&
		    !f->pending_broadcast) {
			*p = f->next;
			f->next = o->unused;
			o->unused = f;
		} else {
			p = &f->next;
		}
	}
}

void dvmi_oracle_dsb(struct dvmi_oracle *o, unsigned cpu, bool inner)
{
	bool returned = false;

	for (struct dvmi_oracle_flush *f = o->live; f; f = f->next) {
		if (f->pending_cpu != cpu)
			continue;
		if (f->pending_local)
			cover(o, f, cpu);
		f->pending_local = false;
		if (f->pending_broadcast && inner) {
			for (size_t w = 0; w < o->words; w++) {
				uint64_t bits = held(f)[w];

				for (; bits; bits &= bits - 1)
					cover(o, f, (unsigned)(w * 64) +
						    (unsigned)__builtin_ctzll(bits));
			}
			f->pending_broadcast = false;
		}
		returned |= f->returned;
	}
	if (returned)
		sweep(o);
}

static void judge(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	uint64_t *stale = map_of(o, f->mm, STALE);

	if (!f->checked)
		return;
	for (size_t w = 0; w < o->words; w++) {
		uint64_t left = held(f)[w] & ~covered(o, f)[w];

		if (left)
			o->mm[f->mm].stale_record = f->record;
		stale[w] |= left;
	}
}

void dvmi_oracle_end(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, bool deferred)
{
	if (!f)
		return;
	f->returned = true;
	if (!deferred)
		judge(o, f);
	sweep(o);
}

void dvmi_oracle_defer(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, uint32_t owner)
{
	(void)o;
	if (f)
		f->owner = owner;
}

void dvmi_oracle_batch(struct dvmi_oracle *o, uint32_t owner)
{
	for (struct dvmi_oracle_flush *f = o->live; f; f = f->next) {
		if (f->owner != owner)
			continue;
		judge(o, f);
		f->owner = NO_OWNER;
	}
	sweep(o);
}

int dvmi_oracle_use(struct dvmi_oracle *o, unsigned cpu, uint32_t mm, struct dvm_error *err)
{
	if (!dvmi_bitmap_test(map_of(o, mm, STALE), cpu))
		return 0;
	return dvmi_error_record(err, DVM_EUNSAFE, "stale",
				 o->mm[mm].stale_record,
				 "this flush of address space %" PRIu32
				 " returned, yet CPU %u, which may still hold the old translation,"
				 " runs it again: a stale translation is used", mm, cpu);
}

unsigned dvmi_oracle_cpus_of(const struct dvmi_oracle *o, uint32_t mm)
{
	return o->mm[mm].installed_cpus;
}

bool dvmi_oracle_failed(const struct dvmi_oracle *o)
{
	return o->failed;
}
