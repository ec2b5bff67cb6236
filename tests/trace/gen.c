/* SPDX-License-Identifier: MIT */
#include "gen.h"

#include <stdlib.h>
#include <string.h>

const char gen_header[] =
	"{\"format\":\"dvmsim.trace/1\",\"source\":\"test \\\"quoted\\\" \\u0007\","
	"\"kernel\":\"k\",\"machine\":\"m\",\"command\":\"c\",\"window\":\"w\",\"ncpus\":4,"
	"\"page_bytes\":4096,\"va_bits\":48,\"features\":{\"kpti\":true,\"tlbi_range\":false},"
	"\"clock\":\"ns\",\"recorded\":[\"a\",\"b\"],"
	"\"not_recorded\":[{\"what\":\"x\",\"filled\":\"y\"}],\"marks\":[\"forks\",\"batches\"],"
	"\"import\":[],\"recipe\":\"r\"}";

static uint64_t pick(struct dvmi_rng *rng, uint64_t bound)
{
	/* One in four at an edge: that is where coders break. */
	switch (dvmi_rng_below(rng, 8)) {
	case 0: return 0;
	case 1: return bound - 1;
	default: return dvmi_rng_below(rng, bound);
	}
}

static uint16_t subset(struct dvmi_rng *rng, unsigned flags)
{
	return (uint16_t)(dvmi_rng_next(rng) & flags);
}

static void gen_flush(struct dvmi_rng *rng, struct dvm_trace_record *r)
{
	r->request = (uint8_t)(1 + dvmi_rng_below(rng, DVM_TRACE_REQUESTS - 1));
	r->flags = subset(rng, 0xfe2);
	r->op = (uint8_t)pick(rng, DVM_TRACE_OPS);
	r->level = DVM_TRACE_LEVEL_UNKNOWN;
	if (r->request < DVM_TRACE_REQ_KERNEL)
		r->mm = 1 + (uint32_t)pick(rng, DVM_TRACE_MAX_TASKS);
	if (r->request == DVM_TRACE_REQ_ASID || r->request == DVM_TRACE_REQ_ALL)
		return;
	r->level = (uint8_t)pick(rng, 5);
	r->stride_shift = (uint8_t)(12 + pick(rng, 28));
	r->amount = r->request == DVM_TRACE_REQ_PAGE ? 1 : 1 + pick(rng, 1 << 20);
	r->va = pick(rng, (UINT64_C(1) << 36) - r->amount + 1) << 12;
	if (r->request == DVM_TRACE_REQ_KERNEL)
		r->va |= UINT64_C(0xffff) << 48;
}

struct dvm_trace_record gen_record(struct dvmi_rng *rng, uint64_t naccesses)
{
	struct dvm_trace_record r = { 0 };
	uint32_t id = 1 + (uint32_t)pick(rng, DVM_TRACE_MAX_TASKS);
	uint32_t id2 = 1 + (uint32_t)pick(rng, DVM_TRACE_MAX_TASKS);

	r.kind = (uint8_t)(1 + dvmi_rng_below(rng, DVM_TRACE_KINDS - 1));
	r.cpu = (uint16_t)dvmi_rng_below(rng, 4);
	r.time_ns = pick(rng, UINT64_C(1) << 62);
	if (r.kind != DVM_TRACE_SLEEP && r.kind != DVM_TRACE_LOST && r.kind != DVM_TRACE_ARRIVE)
		r.task = id;
	switch (r.kind) {
	case DVM_TRACE_TASK_NEW:
		r.mm = id2;
		r.id = id;
		r.flags = subset(rng, 15);
		break;
	case DVM_TRACE_MM_NEW:
	case DVM_TRACE_MM_EXIT:
	case DVM_TRACE_EXEC:
		r.mm = id2;
		break;
	case DVM_TRACE_SWITCH:
		r.mm = id2;
		r.id = (uint32_t)pick(rng, UINT64_C(1) << 32);
		r.flags = subset(rng, 3);
		break;
	case DVM_TRACE_MIGRATE:
		r.target = r.cpu;
		r.id = (uint32_t)pick(rng, 4);
		break;
	case DVM_TRACE_WAKE:
		r.id = 1 + (uint32_t)pick(rng, (UINT64_C(1) << 32) - 1);
		r.target = (uint16_t)pick(rng, 4);
		break;
	case DVM_TRACE_RUN:
		r.flags = subset(rng, DVM_TRACE_F_TIME);
		r.amount = pick(rng, (UINT64_C(1) << 40) + 1);
		break;
	case DVM_TRACE_SLEEP:
		r.amount = pick(rng, (UINT64_C(1) << 40) + 1);
		break;
	case DVM_TRACE_OP_BEGIN:
		r.va = 1 + pick(rng, UINT64_MAX - 1);
		r.amount = pick(rng, UINT64_MAX - r.va + 1);
		r.flags = subset(rng, DVM_TRACE_F_MODELLED | DVM_TRACE_F_INFERRED);
		/* fall through */
	case DVM_TRACE_OP_END:
		r.mm = id2;
		r.op = (uint8_t)(1 + pick(rng, DVM_TRACE_OPS - 1));
		break;
	case DVM_TRACE_FLUSH:
		gen_flush(rng, &r);
		break;
	case DVM_TRACE_ACCESS_RUN:
		r.va = pick(rng, naccesses + 1);
		r.amount = pick(rng, naccesses - r.va + 1);
		break;
	case DVM_TRACE_MARK:
		r.id = (uint32_t)pick(rng, 2);
		r.amount = pick(rng, UINT64_MAX);
		break;
	case DVM_TRACE_ARRIVE:
		r.flags = DVM_TRACE_F_INITIAL;
		r.amount = pick(rng, (UINT64_C(1) << 40) + 1);
		/* fall through */
	case DVM_TRACE_PUT:
	case DVM_TRACE_GET:
	case DVM_TRACE_UNIT_BEGIN:
		r.id = 1 + (uint32_t)pick(rng, DVM_TRACE_MAX_QUEUES);
		break;
	case DVM_TRACE_UNIT_END:
		r.id = (uint32_t)pick(rng, 2);
		break;
	case DVM_TRACE_THINK:
	case DVM_TRACE_LOOP:
		r.amount = 1 + pick(rng, UINT64_C(1) << 40);
		break;
	case DVM_TRACE_LOST:
		r.amount = pick(rng, UINT64_MAX);
		break;
	default:
		break;
	}
	return r;
}

struct dvm_trace *gen_trace(uint64_t seed, size_t count)
{
	struct dvm_trace *trace = NULL;
	struct dvmi_rng rng;

	dvmi_rng_init(&rng, seed, 1);
	if (dvm_trace_new(gen_header, &trace, NULL))
		abort();
	for (size_t i = 0; i < count; i++) {
		struct dvm_trace_record rec;
		uint64_t access = dvmi_rng_next(&rng) >> 14; /* 50 bits: all that are known */
		size_t n;

		if (dvm_trace_append_accesses(trace, &access, 1, NULL))
			abort();
		dvm_trace_accesses(trace, &n);
		rec = gen_record(&rng, n);
		if (dvm_trace_append(trace, &rec, 1, NULL))
			abort();
	}
	return trace;
}

int gen_equal(const struct dvm_trace *a, const struct dvm_trace *b)
{
	size_t na, nb, ma, mb;
	const struct dvm_trace_record *ra = dvm_trace_records(a, &na);
	const struct dvm_trace_record *rb = dvm_trace_records(b, &nb);
	const uint64_t *xa = dvm_trace_accesses(a, &ma), *xb = dvm_trace_accesses(b, &mb);

	return na == nb && ma == mb && !strcmp(dvm_trace_header(a), dvm_trace_header(b)) &&
	       (!na || !memcmp(ra, rb, na * sizeof(*ra))) &&
	       (!ma || !memcmp(xa, xb, ma * sizeof(*xa)));
}
