/* SPDX-License-Identifier: MIT */
#include "sim/oracle.h"

#include "base/bitmap.h"
#include "base/mem.h"

#include <inttypes.h>

#define NO_OWNER UINT32_MAX

struct dvmi_oracle_flush {
	struct dvmi_oracle_flush *next_made;    /* all there are, to free them */
	struct dvmi_oracle_flush *next_unused;
	struct dvmi_oracle_flush *next_pending; /* on pending_cpu */
	struct dvmi_oracle_flush *next_deferred;
	uint32_t mm, owner;
	bool checked, whole_asid, returned;
	bool pending_some;                      /* broadcasts to the CPUs in a map only */
	bool pending_local, pending_broadcast;  /* TLBIs without their DSB yet, on pending_cpu */
	unsigned pending_cpu;
	uint64_t number;                        /* in the order in which they began */
	uint64_t record;
	uint64_t maps[];                        /* held when it began; covered so far; of pending_some */
};

struct mm {
	uint64_t stale_record;
	uint32_t installed_cpus;
};

/* Address spaces that a CPU may hold: so that a flush of all need not look at every one. */
struct holds {
	uint32_t *mms;
	size_t count, capacity;
};

struct dvmi_oracle {
	unsigned cpus;        /* the device, if there is one, has this number */
	unsigned threads;     /* CPUs that share translations */
	uint32_t mms;
	size_t words;
	bool *bound;          /* per mm: the device shares it; NULL: no device */
	bool hears;           /* it takes part in broadcasts */
	uint32_t behind;      /* an mm of which the device holds a stale translation; 0: none */
	struct mm *mm;
	uint64_t *maps;       /* per mm: held, stale, ever, listed */
	struct holds *holds;  /* per CPU: those with its bit in listed */
	uint32_t *current;    /* per CPU: the installed mm, or UINT32_MAX */
	struct dvmi_oracle_flush *made, *unused, *deferred;
	struct dvmi_oracle_flush **pending; /* per CPU: with TLBIs that no DSB has completed */
	uint64_t begun;
	bool failed;
};

enum { HELD, STALE, EVER, LISTED, MAPS };

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
	o->threads = 1;
	o->mms = mms;
	o->words = dvmi_bitmap_words(cpus + 1);
	o->mm = dvmi_calloc(mms, sizeof(*o->mm));
	o->maps = dvmi_calloc((size_t)mms * MAPS * o->words, sizeof(*o->maps));
	o->holds = dvmi_calloc(cpus, sizeof(*o->holds));
	o->current = dvmi_calloc(cpus, sizeof(*o->current));
	o->pending = dvmi_calloc(cpus, sizeof(struct dvmi_oracle_flush *));
	if (!o->mm || !o->maps || !o->holds || !o->current || !o->pending) {
		dvmi_oracle_free(o);
		return -DVM_ENOMEM;
	}
	for (unsigned c = 0; c < cpus; c++)
		o->current[c] = UINT32_MAX;
	*oracle = o;
	return 0;
}

void dvmi_oracle_free(struct dvmi_oracle *o)
{
	struct dvmi_oracle_flush *f, *next;

	if (!o)
		return;
	for (f = o->made; f; f = next) {
		next = f->next_made;
		dvmi_free(f);
	}
	for (unsigned c = 0; o->holds && c < o->cpus; c++)
		dvmi_free(o->holds[c].mms);
	dvmi_free(o->holds);
	dvmi_free(o->mm);
	dvmi_free(o->maps);
	dvmi_free(o->current);
	dvmi_free(o->pending);
	dvmi_free(o->bound);
	dvmi_free(o);
}

void dvmi_oracle_share(struct dvmi_oracle *o, unsigned threads)
{
	o->threads = threads;
}

/* The CPUs that share with @cpu, itself included: from *@first to before what is returned. */
static unsigned sharers(const struct dvmi_oracle *o, unsigned cpu, unsigned *first)
{
	*first = cpu - cpu % o->threads;
	return *first + o->threads < o->cpus ? *first + o->threads : o->cpus;
}

/* Is @mm installed on @cpu, or one that shares with it? */
static bool installed(const struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	unsigned n, end = sharers(o, cpu, &n);

	while (n < end && o->current[n] != mm)
		n++;
	return n < end;
}

static void list(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	uint64_t *listed = map_of(o, mm, LISTED);
	struct holds *h = &o->holds[cpu];
	void *p = h->mms;

	if (dvmi_bitmap_test(listed, cpu))
		return;
	if (dvmi_grow(&p, &h->capacity, h->count + 1, sizeof(*h->mms))) {
		o->failed = true;
		return;
	}
	h->mms = p;
	h->mms[h->count++] = mm;
	dvmi_bitmap_set(listed, cpu);
}

void dvmi_oracle_install(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	unsigned n, end = sharers(o, cpu, &n);

	o->current[cpu] = mm;
	for (; n < end; n++) {
		dvmi_bitmap_set(map_of(o, mm, HELD), n);
		list(o, n, mm);
	}
}

void dvmi_oracle_leave(struct dvmi_oracle *o, unsigned cpu)
{
	o->current[cpu] = UINT32_MAX;
}

void dvmi_oracle_ran(struct dvmi_oracle *o, unsigned cpu, uint32_t mm)
{
	uint64_t *ever = map_of(o, mm, EVER);

	if (dvmi_bitmap_test(ever, cpu))
		return;
	dvmi_bitmap_set(ever, cpu);
	o->mm[mm].installed_cpus++;
}

static uint64_t *held(struct dvmi_oracle_flush *f)
{
	return f->maps;
}

static uint64_t *covered(const struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	return f->maps + o->words;
}

/* By broadcasts to some, once they are complete. */
static uint64_t *reached(const struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	return f->maps + 2 * o->words;
}

static void flush_one(struct dvmi_oracle *o, unsigned cpu, const struct dvmi_mm_group *group)
{
	struct holds *h = &o->holds[cpu];
	size_t kept = 0;

	for (size_t i = 0; i < h->count; i++) {
		uint32_t mm = h->mms[i];

		if (dvmi_mm_in_group(group, mm))
			dvmi_bitmap_clear(map_of(o, mm, STALE), cpu);
		if (installed(o, cpu, mm) || !dvmi_mm_in_group(group, mm)) {
			h->mms[kept++] = mm;
			continue;
		}
		dvmi_bitmap_clear(map_of(o, mm, HELD), cpu);
		dvmi_bitmap_clear(map_of(o, mm, LISTED), cpu);
	}
	h->count = kept;
	for (struct dvmi_oracle_flush *f = o->made; f; f = f->next_made)
		if (!installed(o, cpu, f->mm) && dvmi_mm_in_group(group, f->mm))
			dvmi_bitmap_set(covered(o, f), cpu);
}

void dvmi_oracle_flush_cpu(struct dvmi_oracle *o, unsigned cpu, const struct dvmi_mm_group *group)
{
	unsigned n, end = sharers(o, cpu, &n);

	for (; n < end; n++)
		flush_one(o, n, group);
}

struct dvmi_oracle_flush *dvmi_oracle_begin(struct dvmi_oracle *o, uint32_t mm, bool checked,
					    bool whole_asid, uint64_t record)
{
	struct dvmi_oracle_flush *f = o->unused, *made;

	if (f) {
		o->unused = f->next_unused;
	} else {
		f = dvmi_alloc(sizeof(*f) + 3 * o->words * sizeof(f->maps[0]));
		if (!f) {
			o->failed = true;
			return NULL;
		}
		f->next_made = o->made;
		o->made = f;
	}
	made = f->next_made;
	*f = (struct dvmi_oracle_flush){ .next_made = made, .mm = mm, .owner = NO_OWNER,
					 .checked = checked, .whole_asid = whole_asid,
					 .number = o->begun++, .record = record };
	memcpy(held(f), map_of(o, mm, HELD), o->words * sizeof(f->maps[0]));
	memset(covered(o, f), 0, o->words * sizeof(f->maps[0]));
	if (o->bound && o->bound[mm])
		dvmi_bitmap_set(held(f), o->cpus);
	return f;
}

static bool is_pending(const struct dvmi_oracle_flush *f)
{
	return f->pending_local || f->pending_broadcast || f->pending_some;
}

static void unlink_pending(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	struct dvmi_oracle_flush **p = &o->pending[f->pending_cpu];

	while (*p != f)
		p = &(*p)->next_pending;
	*p = f->next_pending;
}

/*
 * TLBIs of @f are pending on @cpu. Completion belongs to the CPU that issued (Arm ARM), so what was
 * left pending on another one before a migration has lost its chance of a DSB there; the DSB ISH of
 * __switch_to has completed it by then.
 */
static void pend(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	bool linked = is_pending(f);

	if (linked && f->pending_cpu == cpu)
		return;
	if (linked)
		unlink_pending(o, f);
	f->pending_local = f->pending_broadcast = f->pending_some = false;
	f->pending_cpu = cpu;
	f->next_pending = o->pending[cpu];
	o->pending[cpu] = f;
}

void dvmi_oracle_local(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	if (!f)
		return;
	pend(o, f, cpu);
	f->pending_local = true;
}

void dvmi_oracle_broadcast(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	if (!f)
		return;
	pend(o, f, cpu);
	f->pending_broadcast = true;
}

void dvmi_oracle_broadcast_to(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu,
			      unsigned first, unsigned end)
{
	if (!f)
		return;
	pend(o, f, cpu);
	if (!f->pending_some)
		memset(reached(o, f), 0, o->words * sizeof(f->maps[0]));
	f->pending_some = true;
	for (unsigned c = first; c < end; c++)
		dvmi_bitmap_set(reached(o, f), c);
}

/* CPU @cpu holds nothing of what @f flushed any more. */
static void cover_one(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	dvmi_bitmap_set(covered(o, f), cpu);
	if (cpu == o->cpus)
		return;
	if (f->whole_asid || (f->checked && f->returned))
		dvmi_bitmap_clear(map_of(o, f->mm, STALE), cpu);
	if (!f->whole_asid)
		return;
	if (!installed(o, cpu, f->mm))
		dvmi_bitmap_clear(map_of(o, f->mm, HELD), cpu);
	/* Nothing older than @f's TLBIs is left there: so much is done for flushes that began before. */
	for (struct dvmi_oracle_flush *g = o->made; g; g = g->next_made)
		if (g->mm == f->mm && g->number < f->number)
			dvmi_bitmap_set(covered(o, g), cpu);
}

/* The same for those that share with it: a local operation was completed there. */
static void cover(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu)
{
	unsigned n, end = sharers(o, cpu, &n);

	for (; n < end; n++)
		cover_one(o, f, n);
}

void dvmi_oracle_whole(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, bool broadcast)
{
	struct dvmi_oracle_flush *f = dvmi_oracle_begin(o, mm, false, true, 0);

	if (!f)
		return;
	if (broadcast)
		dvmi_oracle_broadcast(o, f, cpu);
	else
		dvmi_oracle_local(o, f, cpu);
	f->returned = true;
}

void dvmi_oracle_whole_to(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, unsigned first,
			  unsigned end)
{
	struct dvmi_oracle_flush *f = dvmi_oracle_begin(o, mm, false, true, 0);

	if (!f)
		return;
	dvmi_oracle_broadcast_to(o, f, cpu, first, end);
	f->returned = true;
}

void dvmi_oracle_ipi(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned target)
{
	if (f)
		cover(o, f, target);
}

/* Nobody waits for @f any more? Then it can serve again. */
static void release(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	if (!f->returned || f->owner != NO_OWNER || is_pending(f))
		return;
	f->next_unused = o->unused;
	o->unused = f;
}

/* All that held it, or those of them in @map. */
static void cover_all(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, const uint64_t *map)
{
	for (size_t w = 0; w < o->words; w++)
		for (uint64_t bits = held(f)[w] & (map ? map[w] : UINT64_MAX); bits; bits &= bits - 1) {
			unsigned cpu = (unsigned)(w * 64) + (unsigned)__builtin_ctzll(bits);

			if (cpu != o->cpus || o->hears)
				cover_one(o, f, cpu);
		}
}

void dvmi_oracle_ipi_all(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	if (f)
		cover_all(o, f, NULL);
}

void dvmi_oracle_dsb(struct dvmi_oracle *o, unsigned cpu, bool inner)
{
	struct dvmi_oracle_flush **p = &o->pending[cpu], *f;

	while ((f = *p)) {
		if (f->pending_local)
			cover(o, f, cpu);
		f->pending_local = false;
		if (f->pending_some && inner) {
			cover_all(o, f, reached(o, f));
			f->pending_some = false;
		}
		if (f->pending_broadcast && inner) {
			cover_all(o, f, NULL);
			f->pending_broadcast = false;
		}
		if (f->pending_broadcast || f->pending_some) {
			p = &f->next_pending;
			continue;
		}
		*p = f->next_pending;
		release(o, f);
	}
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
	if (o->bound && dvmi_bitmap_test(held(f), o->cpus) &&
	    !dvmi_bitmap_test(covered(o, f), o->cpus))
		o->behind = f->mm;
}

void dvmi_oracle_end(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	if (!f)
		return;
	f->returned = true;
	judge(o, f);
	release(o, f);
}

void dvmi_oracle_defer(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, uint32_t owner)
{
	if (!f)
		return;
	f->returned = true;
	f->owner = owner;
	f->next_deferred = o->deferred;
	o->deferred = f;
}

void dvmi_oracle_batch(struct dvmi_oracle *o, uint32_t owner)
{
	struct dvmi_oracle_flush **p = &o->deferred, *f;

	while ((f = *p)) {
		if (f->owner != owner) {
			p = &f->next_deferred;
			continue;
		}
		*p = f->next_deferred;
		judge(o, f);
		f->owner = NO_OWNER;
		release(o, f);
	}
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

void dvmi_oracle_device(struct dvmi_oracle *o, uint32_t mm, bool bound, bool hears)
{
	if (!o->bound)
		o->bound = dvmi_calloc(o->mms, sizeof(*o->bound));
	if (!o->bound) {
		o->failed = true;
		return;
	}
	o->bound[mm] = bound;
	o->hears = hears;
}

void dvmi_oracle_notified(struct dvmi_oracle *o, struct dvmi_oracle_flush *f)
{
	if (f)
		cover_one(o, f, o->cpus);
}

int dvmi_oracle_device_use(const struct dvmi_oracle *o, struct dvm_error *err)
{
	if (!o->behind)
		return 0;
	return dvmi_error_record(err, DVM_EUNSAFE, "stale", o->mm[o->behind].stale_record,
				 "this flush of address space %" PRIu32 " returned, yet the device that"
				 " shares it was reached neither by a broadcast nor by the notifier: its"
				 " SMMU uses a stale translation", o->behind);
}

unsigned dvmi_oracle_cpus_of(const struct dvmi_oracle *o, uint32_t mm)
{
	return o->mm[mm].installed_cpus;
}

bool dvmi_oracle_only_cpu(const struct dvmi_oracle *o, uint32_t mm, unsigned cpu)
{
	unsigned n = o->mm[mm].installed_cpus;

	return n == 0 || (n == 1 && dvmi_bitmap_test(map_of(o, mm, EVER), cpu));
}

bool dvmi_oracle_failed(const struct dvmi_oracle *o)
{
	return o->failed;
}
