/* SPDX-License-Identifier: MIT */
#include "hw/ptable.h"

#include "base/mem.h"

#include <string.h>

#define VA_MASK ((UINT64_C(1) << 48) - 1)

struct range {
	uint64_t start, end; /* bytes, in the half */
	struct dvmi_xlate x;
};

struct dvmi_ptable {
	struct dvmi_granule granule;
	struct dvmi_xlate fallback;
	uint32_t version;
	struct range *ranges; /* sorted, disjoint */
	size_t n, capacity;
};

int dvmi_ptable_new(struct dvmi_ptable **out, const struct dvmi_granule *g, int upper,
		    struct dvm_error *err)
{
	struct dvmi_ptable *pt = dvmi_zalloc(sizeof(*pt));

	if (!pt)
		return dvmi_error_nomem(err);
	pt->granule = *g;
	pt->fallback = (struct dvmi_xlate){ g->bits, 1, upper ? 1 : 0 };
	*out = pt;
	return 0;
}

void dvmi_ptable_free(struct dvmi_ptable *pt)
{
	if (!pt)
		return;
	dvmi_free(pt->ranges);
	dvmi_free(pt);
}

/* Index of the first range that ends after @va. */
static size_t first_after(const struct dvmi_ptable *pt, uint64_t va)
{
	size_t lo = 0, hi = pt->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (pt->ranges[mid].end <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int dvmi_ptable_set(struct dvmi_ptable *pt, uint64_t va, uint64_t pages, struct dvmi_xlate x,
		    struct dvm_error *err)
{
	uint64_t start = va & VA_MASK, end, room = (VA_MASK + 1 - start) >> pt->granule.bits;
	struct range parts[3];
	size_t first, last, nparts = 0;

	if (start & ((UINT64_C(1) << pt->granule.bits) - 1))
		return dvmi_error(err, DVM_EINVAL, "ptable", "address not aligned to the granule");
	if (x.size_bits && !dvmi_granule_class(&pt->granule, x.size_bits))
		return dvmi_error(err, DVM_EINVAL, "ptable", "2^%u bytes is no leaf size here",
				  x.size_bits);
	if (!pages || pages > room)
		return dvmi_error(err, DVM_EINVAL, "ptable", "empty range, or one past 2^48");
	end = start + (pages << pt->granule.bits);
	if (dvmi_grow((void **)&pt->ranges, &pt->capacity, pt->n + 2, sizeof(*pt->ranges)))
		return dvmi_error_nomem(err);

	/* [first, last) are the ranges touched: what sticks out left and right survives. */
	first = first_after(pt, start);
	for (last = first; last < pt->n && pt->ranges[last].start < end; last++)
		;
	if (first < last && pt->ranges[first].start < start)
		parts[nparts++] = (struct range){ pt->ranges[first].start, start,
						  pt->ranges[first].x };
	parts[nparts++] = (struct range){ start, end, x };
	if (first < last && pt->ranges[last - 1].end > end)
		parts[nparts++] = (struct range){ end, pt->ranges[last - 1].end,
						  pt->ranges[last - 1].x };
	memmove(pt->ranges + first + nparts, pt->ranges + last,
		(pt->n - last) * sizeof(*pt->ranges));
	memcpy(pt->ranges + first, parts, nparts * sizeof(*parts));
	pt->n = pt->n - (last - first) + nparts;
	return 0;
}

void dvmi_ptable_change(struct dvmi_ptable *pt, uint32_t version)
{
	if (version > pt->version)
		pt->version = version;
}

uint32_t dvmi_ptable_version(const struct dvmi_ptable *pt)
{
	return pt->version;
}

struct dvmi_xlate dvmi_ptable_lookup(const struct dvmi_ptable *pt, uint64_t va)
{
	size_t i;
	struct dvmi_xlate x;

	va &= VA_MASK;
	i = first_after(pt, va);
	if (i == pt->n || pt->ranges[i].start > va)
		return pt->fallback;
	x = pt->ranges[i].x;
	for (unsigned c = pt->granule.classes; x.size_bits && c > 1; c--) {
		uint64_t size = UINT64_C(1) << pt->granule.cls[c].shift;
		uint64_t base = va & ~(size - 1);

		if (pt->granule.cls[c].shift > x.size_bits)
			continue;
		x.size_bits = pt->granule.cls[c].shift;
		if (base >= pt->ranges[i].start && base + size <= pt->ranges[i].end)
			return x;
		x.size_bits = pt->granule.cls[c - 1].shift;
	}
	return x;
}
