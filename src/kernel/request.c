/* SPDX-License-Identifier: MIT */
#include "kernel/request.h"

#include <string.h>

void dvmi_request_normalise(struct dvmi_request *r, const struct dvmi_flush_rules *rules)
{
	uint64_t stride, pages, limit;

	if (r->kind == DVMI_REQUEST_ASID)
		return;
	if (r->kind == DVMI_REQUEST_PAGE) {
		r->flags |= DVMI_REQUEST_LEAF;
		r->stride_shift = rules->page_shift;
		r->end = r->start + 1;
	}
	if (r->stride_shift < rules->page_shift)
		r->stride_shift = rules->page_shift;
	stride = UINT64_C(1) << r->stride_shift;
	r->start &= ~(stride - 1);
	r->end = (r->end + stride - 1) & ~(stride - 1);
	pages = (r->end - r->start) >> rules->page_shift;
	limit = rules->max_dvm_ops << (r->stride_shift - rules->page_shift);
	if (rules->range ? pages > rules->range_limit_pages : pages >= limit) {
		r->kind = DVMI_REQUEST_ASID;
		r->flags &= DVMI_REQUEST_FOREIGN | DVMI_REQUEST_FREED_TABLES |
			    DVMI_REQUEST_PTL;
	}
}

void dvmi_expand(struct dvmi_expansion *x, const struct dvmi_request *request,
		 const struct dvmi_flush_rules *rules)
{
	memset(x, 0, sizeof(*x));
	x->request = *request;
	x->rules = *rules;
	x->addr = request->start;
	x->scale = rules->ascending ? 0 : 3;
}

static void single(struct dvmi_expansion *x, struct dvmi_tlbi_op *op)
{
	op->form = DVMI_FORM_VA;
	op->start = x->addr;
	op->pages = 1;
	/* Single-address operations carry the hint only with FEAT_TTL. */
	if (!x->rules.ttl)
		op->level = DVMI_LEVEL_UNKNOWN;
	x->addr += UINT64_C(1) << x->request.stride_shift;
}

/* One turn of the kernel's loop over scales; false when this scale has nothing to do. */
static bool ranged(struct dvmi_expansion *x, uint64_t pages, struct dvmi_tlbi_op *op)
{
	unsigned shift = (unsigned)(5 * x->scale + 1);
	/* Upwards, higher bits are left to higher scales; downwards they are gone already. */
	uint64_t num = x->rules.ascending ? pages >> shift & 31 : pages >> shift;

	x->scale += x->rules.ascending ? 1 : -1;
	if (!num)
		return false;
	op->form = DVMI_FORM_RANGE;
	op->start = x->addr;
	op->pages = num << shift;
	/* Range operations have no code for level 0: it is written as "any level". */
	if (!op->level)
		op->level = DVMI_LEVEL_UNKNOWN;
	x->addr += op->pages << x->rules.page_shift;
	return true;
}

static bool next_in_range(struct dvmi_expansion *x, struct dvmi_tlbi_op *op)
{
	while (x->addr < x->request.end) {
		uint64_t pages = (x->request.end - x->addr) >> x->rules.page_shift;
		bool aligned = !x->rules.lpa2 || !(x->addr & 0xffff);

		if (!x->rules.range || pages == 1 || !aligned ||
		    (x->rules.ascending && pages % 2)) {
			single(x, op);
			return true;
		}
		if (ranged(x, pages, op))
			return true;
	}
	return false;
}

bool dvmi_expand_next(struct dvmi_expansion *x, struct dvmi_tlbi_op *op)
{
	if (x->twin_due) {
		x->twin_due = false;
		*op = x->last;
		op->user_twin = true;
		return true;
	}
	memset(op, 0, sizeof(*op));
	op->leaf = x->request.flags & DVMI_REQUEST_LEAF;
	op->level = x->request.level;
	if (x->request.kind == DVMI_REQUEST_ASID) {
		if (x->done)
			return false;
		x->done = true;
		op->form = DVMI_FORM_ASID;
		op->leaf = false;
		op->level = DVMI_LEVEL_UNKNOWN;
	} else if (!next_in_range(x, op)) {
		return false;
	}
	x->twin_due = x->rules.kpti;
	x->last = *op;
	return true;
}

uint64_t dvmi_request_ops(const struct dvmi_request *request, const struct dvmi_flush_rules *rules)
{
	struct dvmi_expansion x;
	struct dvmi_tlbi_op op;
	uint64_t n = 0;

	dvmi_expand(&x, request, rules);
	while (dvmi_expand_next(&x, &op))
		n++;
	return n;
}
