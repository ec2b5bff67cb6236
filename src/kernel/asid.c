/* SPDX-License-Identifier: MIT */
#include "kernel/asid.h"

#include "base/bitmap.h"
#include "base/mem.h"

#include <dvmsim/error.h>

/* Odd bits taken, so that only even ASIDs are handed out (set_kpti_asid_bits()). */
static void fill_kpti(const struct dvmi_asids *a, uint64_t *map)
{
	memset(map, 0xaa, dvmi_bitmap_words(a->count) * sizeof(*map));
}

static int allocate(struct dvmi_asids *a)
{
	size_t words = dvmi_bitmap_words(a->count);

	a->map = dvmi_calloc(words, sizeof(*a->map));
	a->pinned_map = dvmi_calloc(words, sizeof(*a->pinned_map));
	a->flush_pending = dvmi_calloc(dvmi_bitmap_words(a->rules.cpus), sizeof(uint64_t));
	a->active = dvmi_calloc(a->rules.cpus, sizeof(*a->active));
	a->reserved = dvmi_calloc(a->rules.cpus, sizeof(*a->reserved));
	a->mms = dvmi_calloc(a->mms_count, sizeof(*a->mms));
	return a->map && a->pinned_map && a->flush_pending && a->active && a->reserved && a->mms ?
	       0 : -DVM_ENOMEM;
}

int dvmi_asids_init(struct dvmi_asids *a, const struct dvmi_asid_rules *rules, uint32_t mms)
{
	uint32_t count = UINT32_C(1) << (rules->bits & 31);
	uint32_t available = rules->kpti || rules->kpti_at_boot ? count / 2 : count;

	if (rules->bits < 3 || rules->bits > 16 || !rules->cpus || !mms)
		return -DVM_EINVAL;
	if (available - 1 <= rules->cpus)
		return -DVM_ELIMIT;
	*a = (struct dvmi_asids){ .rules = *rules, .generation = count, .count = count,
				  .cur_idx = 1, .mms_count = mms };
	if (allocate(a)) {
		dvmi_asids_fini(a);
		return -DVM_ENOMEM;
	}
	available = rules->kpti ? count / 2 : count;
	if (available > rules->cpus + 2)
		a->max_pinned = available - rules->cpus - 2;
	if (rules->kpti)
		fill_kpti(a, a->pinned_map);
	if (rules->kpti || rules->kpti_at_boot)
		fill_kpti(a, a->map);
	return 0;
}

void dvmi_asids_fini(struct dvmi_asids *a)
{
	dvmi_free(a->map);
	dvmi_free(a->pinned_map);
	dvmi_free(a->flush_pending);
	dvmi_free(a->active);
	dvmi_free(a->reserved);
	dvmi_free(a->mms);
	memset(a, 0, sizeof(*a));
}

/* ---- fast path ---- */

void dvmi_asid_read(const struct dvmi_asids *a, uint32_t mm, struct dvmi_asid_try *try)
{
	try->id = a->mms[mm].id;
}

void dvmi_asid_read_active(const struct dvmi_asids *a, unsigned cpu, struct dvmi_asid_try *try)
{
	try->active = a->active[cpu];
}

bool dvmi_asid_swap(struct dvmi_asids *a, unsigned cpu, const struct dvmi_asid_try *try)
{
	uint64_t now = a->active[cpu];

	if (!try->active)
		return false;
	if (now == try->active || (a->omit & DVMI_ASID_OMIT_CAS)) {
		a->active[cpu] = try->id;
		return true;
	}
	return now != 0;
}

bool dvmi_asid_fast(struct dvmi_asids *a, unsigned cpu, uint32_t mm)
{
	struct dvmi_asid_try try;

	dvmi_asid_read(a, mm, &try);
	dvmi_asid_read_active(a, cpu, &try);
	return dvmi_asid_current(a, try.id) && dvmi_asid_swap(a, cpu, &try);
}

/* ---- new_context() ---- */

/* check_update_reserved_asid(): every copy, or the others would be out of date next time. */
static bool update_reserved(struct dvmi_asids *a, uint64_t id, uint64_t now)
{
	bool hit = false;

	if (a->omit & DVMI_ASID_OMIT_RESERVED)
		return false;
	for (unsigned c = 0; c < a->rules.cpus; c++) {
		if (a->reserved[c] != id)
			continue;
		a->reserved[c] = now;
		hit = true;
		if (a->omit & DVMI_ASID_OMIT_ALL_COPIES)
			break;
	}
	return hit;
}

/* The first ASID from @from on that is free in this generation, or count. */
static uint32_t next_free(const struct dvmi_asids *a, uint32_t from)
{
	for (size_t w = from / 64; w < dvmi_bitmap_words(a->count); w++) {
		uint64_t taken = a->map[w];
		uint32_t n;

		if (w == from / 64)
			taken |= (UINT64_C(1) << from % 64) - 1;
		if (!~taken)
			continue;
		n = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(~taken);
		return n < a->count ? n : a->count;
	}
	return a->count;
}

static uint64_t take(struct dvmi_asids *a, uint32_t asid)
{
	dvmi_bitmap_set(a->map, asid);
	a->cur_idx = asid;
	return a->generation | asid;
}

bool dvmi_asid_find(struct dvmi_asids *a, uint32_t mm, uint64_t *id, enum dvmi_asid_path *path)
{
	uint64_t old = a->mms[mm].id;
	uint16_t asid = dvmi_asid_number(a, old);
	uint32_t fresh;

	if (old) {
		*id = a->generation | asid;
		/* Reserved comes before pinned: the generation of reserved_asids must follow. */
		*path = DVMI_ASID_RESERVED;
		if (update_reserved(a, old, *id))
			return true;
		*path = DVMI_ASID_PINNED;
		if (a->mms[mm].pins)
			return true;
		*path = DVMI_ASID_BIT_FREE;
		if (!dvmi_bitmap_test(a->map, asid)) {
			dvmi_bitmap_set(a->map, asid);
			return true;
		}
	}
	fresh = next_free(a, a->cur_idx);
	if (fresh == a->count)
		return false;
	*path = DVMI_ASID_FRESH;
	*id = take(a, fresh);
	return true;
}

void dvmi_asid_find_after(struct dvmi_asids *a, uint64_t *id, enum dvmi_asid_path *path)
{
	*path = DVMI_ASID_ROLLOVER;
	*id = take(a, next_free(a, 1)); /* more ASIDs than CPUs and pins: one is free */
}

/* ---- flush_context() ---- */

void dvmi_asid_rollover_begin(struct dvmi_asids *a)
{
	size_t bytes = dvmi_bitmap_words(a->count) * sizeof(*a->map);

	a->generation += a->count;
	/* The pinned map has the KPTI pattern in it. */
	if (!(a->omit & DVMI_ASID_OMIT_PINNED_MAP))
		memcpy(a->map, a->pinned_map, bytes);
	else if (a->rules.kpti)
		fill_kpti(a, a->map);
	else
		memset(a->map, 0, bytes);
}

void dvmi_asid_rollover_cpu(struct dvmi_asids *a, unsigned cpu)
{
	uint64_t id = a->active[cpu];

	if (!(a->omit & DVMI_ASID_OMIT_XCHG))
		a->active[cpu] = 0;
	/* 0: no switch since the last rollover; the CPU still runs what was reserved then. */
	if (!id && !(a->omit & DVMI_ASID_OMIT_CARRY))
		id = a->reserved[cpu];
	if (!(a->omit & DVMI_ASID_OMIT_RESERVED_BIT))
		dvmi_bitmap_set(a->map, dvmi_asid_number(a, id));
	a->reserved[cpu] = id;
}

void dvmi_asid_rollover_end(struct dvmi_asids *a)
{
	if (a->omit & DVMI_ASID_OMIT_PENDING)
		return;
	for (unsigned c = 0; c < a->rules.cpus; c++)
		dvmi_bitmap_set(a->flush_pending, c);
}

void dvmi_asid_rollover(struct dvmi_asids *a)
{
	dvmi_asid_rollover_begin(a);
	for (unsigned c = 0; c < a->rules.cpus; c++)
		dvmi_asid_rollover_cpu(a, c);
	dvmi_asid_rollover_end(a);
}

/* ---- the rest of the slow path ---- */

void dvmi_asid_write(struct dvmi_asids *a, uint32_t mm, uint64_t id)
{
	a->mms[mm].id = id;
}

bool dvmi_asid_take_flush(struct dvmi_asids *a, unsigned cpu)
{
	bool pending = dvmi_bitmap_test(a->flush_pending, cpu);

	dvmi_bitmap_clear(a->flush_pending, cpu);
	return pending;
}

void dvmi_asid_activate(struct dvmi_asids *a, unsigned cpu, uint64_t id)
{
	a->active[cpu] = id;
}

/* ---- pinning ---- */

uint16_t dvmi_asid_pin(struct dvmi_asids *a, uint32_t mm)
{
	struct dvmi_asid_mm *m = &a->mms[mm];
	enum dvmi_asid_path path;
	uint16_t asid;

	if (!m->pins) {
		if (a->pinned >= a->max_pinned)
			return 0;
		/* It went through a rollover: a valid one, or another. */
		if (!dvmi_asid_current(a, m->id)) {
			uint64_t id;

			if (!dvmi_asid_find(a, mm, &id, &path)) {
				dvmi_asid_rollover(a);
				dvmi_asid_find_after(a, &id, &path);
			}
			m->id = id;
		}
		a->pinned++;
		dvmi_bitmap_set(a->pinned_map, dvmi_asid_number(a, m->id));
	}
	m->pins++;
	asid = dvmi_asid_number(a, m->id);
	return a->rules.kpti ? asid | 1 : asid;
}

void dvmi_asid_unpin(struct dvmi_asids *a, uint32_t mm)
{
	struct dvmi_asid_mm *m = &a->mms[mm];

	if (!m->pins || --m->pins)
		return;
	dvmi_bitmap_clear(a->pinned_map, dvmi_asid_number(a, m->id));
	a->pinned--;
}
