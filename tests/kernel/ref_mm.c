/* SPDX-License-Identifier: MIT */
#include "ref_mm.h"

#include "check_main.h"

#include <dvmsim/trace.h>

#include <string.h>

enum { NO_VMA, READ_ONLY, WRITABLE };

struct ref_page {
	uint8_t vma, write, dirty, shared;
	bool present;
};

struct ref_mm {
	uint64_t first, span;
	bool pte[64], pmd[8]; /* tables, from that of page 0x3f000 and of page 0 on */
	struct ref_page page[];
};

#define PTE_BASE (0x3f000u >> 9)

struct ref_mm *ref_mm_new(uint64_t first, uint64_t span)
{
	struct ref_mm *ref = calloc(1, sizeof(*ref) + span * sizeof(ref->page[0]));

	ck_assert_ptr_nonnull(ref);
	ref->first = first;
	ref->span = span;
	return ref;
}

void ref_mm_free(struct ref_mm *ref)
{
	free(ref);
}

static struct ref_page *at(struct ref_mm *ref, uint64_t n)
{
	return &ref->page[n - ref->first];
}

static struct ref_call *add(struct ref_calls *calls)
{
	ck_assert_uint_lt(calls->count, 8192);
	return &calls->call[calls->count++];
}

static void range(struct ref_calls *calls, uint64_t first, uint64_t end)
{
	*add(calls) = (struct ref_call){ .kind = DVMI_REQUEST_RANGE, .flags = DVMI_REQUEST_LEAF,
					 .level = 3, .first = first, .end = end };
}

static void page(struct ref_calls *calls, unsigned flags, uint64_t n)
{
	*add(calls) = (struct ref_call){ .kind = DVMI_REQUEST_PAGE,
					 .flags = DVMI_REQUEST_LEAF | DVMI_REQUEST_PTL | flags,
					 .level = 3, .first = n, .end = n + 1 };
}

/* A VMA is a run of pages of one protection. */
static uint64_t vma_end(struct ref_mm *ref, uint64_t n, uint64_t end)
{
	uint64_t e = n;

	while (e < end && at(ref, e)->vma == at(ref, n)->vma)
		e++;
	return e;
}

static void zap(struct ref_mm *ref, uint64_t first, uint64_t end, struct ref_calls *calls)
{
	for (uint64_t n = first, e; n < end; n = e) {
		uint64_t lo = 0, hi = 0;

		e = vma_end(ref, n, end);
		for (uint64_t i = n; i < e; i++) {
			if (!at(ref, i)->present)
				continue;
			lo = hi ? lo : i;
			hi = i + 1;
			at(ref, i)->present = false;
		}
		if (hi)
			range(calls, lo, hi);
	}
}

static bool unused(struct ref_mm *ref, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages, last = ref->first + ref->span;

	for (uint64_t n = first > ref->first ? first : ref->first; n < end && n < last; n++)
		if (at(ref, n)->vma)
			return false;
	return true;
}

/* Which tables of [first, end) does no VMA need? One flush for all that go. */
static void free_tables(struct ref_mm *ref, uint64_t first, uint64_t end, struct ref_calls *calls)
{
	uint64_t lo = UINT64_MAX, hi = 0;
	bool pte = false;

	for (uint64_t t = first >> 9; t <= (end - 1) >> 9; t++) {
		if (!ref->pte[t - PTE_BASE] || !unused(ref, t << 9, 512))
			continue;
		ref->pte[t - PTE_BASE] = false;
		pte = true;
		lo = t << 9 < lo ? t << 9 : lo;
		hi = (t << 9) + 1 > hi ? (t << 9) + 1 : hi;
	}
	for (uint64_t t = first >> 18; t <= (end - 1) >> 18; t++) {
		if (!ref->pmd[t] || !unused(ref, t << 18, 1 << 18))
			continue;
		ref->pmd[t] = false;
		lo = t << 18 < lo ? t << 18 : lo;
		hi = (t << 18) + 1 > hi ? (t << 18) + 1 : hi;
	}
	if (hi)
		*add(calls) = (struct ref_call){ .kind = DVMI_REQUEST_RANGE,
						 .flags = DVMI_REQUEST_FREED_TABLES,
						 .level = DVMI_LEVEL_UNKNOWN, .stride = pte ? 9 : 18,
						 .first = lo, .end = hi };
}

static void unmap(struct ref_mm *ref, uint64_t first, uint64_t end, struct ref_calls *calls)
{
	zap(ref, first, end, calls);
	for (uint64_t n = first; n < end; n++)
		at(ref, n)->vma = NO_VMA;
	free_tables(ref, first, end, calls);
}

static void fault(struct ref_mm *ref, uint64_t n, bool write, struct ref_calls *calls)
{
	struct ref_page *p = at(ref, n);

	if (!p->vma || (write && p->vma != WRITABLE))
		return;
	if (!p->present) {
		*p = (struct ref_page){ .vma = p->vma, .present = true, .write = write,
					.dirty = write };
		ref->pte[(n >> 9) - PTE_BASE] = ref->pmd[n >> 18] = true;
		return;
	}
	if (!write)
		return;
	if (!p->write)
		page(calls, p->shared ? 0 : DVMI_REQUEST_NOBROADCAST | DVMI_REQUEST_PERMISSIVE, n);
	p->shared = false;
	p->write = p->dirty = true;
}

static void protect(struct ref_mm *ref, uint64_t first, uint64_t end, bool write,
		    struct ref_calls *calls)
{
	for (uint64_t n = first, e; n < end; n = e) {
		uint64_t lo = 0, hi = 0;
		uint8_t vma = at(ref, n)->vma;

		e = vma_end(ref, n, end);
		for (uint64_t i = n; i < e; i++) {
			struct ref_page *p = at(ref, i);
			bool may = write && !p->shared && p->dirty;

			if (!vma || vma == (write ? WRITABLE : READ_ONLY))
				continue;
			p->vma = write ? WRITABLE : READ_ONLY;
			/* To writable: only entries that need no COW; the others stay. */
			if (!p->present || p->write == (write ? p->write || may : 0))
				continue;
			p->write = write;
			lo = hi ? lo : i;
			hi = i + 1;
		}
		if (hi)
			range(calls, lo, hi);
	}
}

static void reclaim(struct ref_mm *ref, uint64_t first, uint64_t end, struct ref_calls *calls)
{
	unsigned batch = 0;

	for (uint64_t n = first; n < end; n++) {
		if (!at(ref, n)->present)
			continue;
		at(ref, n)->present = false;
		page(calls, DVMI_REQUEST_NOSYNC, n);
		if (++batch % 32 == 0)
			add(calls)->batch = true;
	}
	if (batch % 32)
		add(calls)->batch = true;
}

void ref_mm_do(struct ref_mm *ref, unsigned op, uint64_t first, uint64_t pages, uint32_t detail,
	       struct ref_calls *calls)
{
	bool write = detail & DVM_TRACE_D_WRITE;
	uint64_t end = first + pages;

	switch (op) {
	case DVM_TRACE_OP_MMAP:
		unmap(ref, first, end, calls);
		for (uint64_t n = first; n < end; n++)
			at(ref, n)->vma = write ? WRITABLE : READ_ONLY;
		break;
	case DVM_TRACE_OP_MUNMAP:
		unmap(ref, first, end, calls);
		break;
	case DVM_TRACE_OP_FAULT:
		for (uint64_t n = first; n < end; n++)
			fault(ref, n, write, calls);
		break;
	case DVM_TRACE_OP_FORK:
	case DVM_TRACE_OP_OTHER:
		for (uint64_t n = ref->first; n < ref->first + ref->span; n++) {
			at(ref, n)->shared = op == DVM_TRACE_OP_FORK;
			if (op == DVM_TRACE_OP_FORK)
				at(ref, n)->write = false;
		}
		if (op == DVM_TRACE_OP_FORK)
			*add(calls) = (struct ref_call){ .kind = DVMI_REQUEST_ASID,
							 .level = DVMI_LEVEL_UNKNOWN };
		break;
	case DVM_TRACE_OP_MPROTECT:
		protect(ref, first, end, write, calls);
		break;
	case DVM_TRACE_OP_MADVISE:
		zap(ref, first, end, calls);
		break;
	default:
		reclaim(ref, first, end, calls);
		break;
	}
}

static bool page_is(const struct dvmi_mms *mms, uint32_t mm, uint64_t n, const struct ref_page *p)
{
	struct dvmi_extent run, vma;
	bool there = dvmi_mm_page(mms, &mms->mms[mm], n, n + 1, &run);
	bool mapped = dvmi_mm_vma(mms, &mms->mms[mm], n, n + 1, &vma);

	return mapped == (p->vma != NO_VMA) && there == p->present &&
	       (!mapped || vma.flags == (p->vma == WRITABLE ? DVMI_VMA_WRITE : 0)) &&
	       (!there || (run.flags & DVMI_PAGE_WRITE) == p->write);
}

void ref_mm_assert_equal(const struct ref_mm *ref, const struct dvmi_mms *mms, uint32_t mm)
{
	uint64_t bad = UINT64_MAX;
	struct dvmi_extent e;

	for (uint64_t n = 0; n < ref->span; n++)
		if (!page_is(mms, mm, ref->first + n, &ref->page[n]))
			bad = n;
	ck_assert_msg(bad == UINT64_MAX, "page %llx differs", (unsigned long long)(ref->first + bad));
	for (uint64_t t = 0; t < 64; t++)
		if (dvmi_extent_within(&mms->pool, &mms->mms[mm].ptes, PTE_BASE + t,
				       PTE_BASE + t + 1, &e) != ref->pte[t])
			bad = t;
	ck_assert_msg(bad == UINT64_MAX, "PTE table %llx differs",
		      (unsigned long long)(PTE_BASE + bad));
}
