/* SPDX-License-Identifier: MIT */
#include "trace/codec.h"

#include <string.h>

/*
 * Records are stored column by column: equal things lie beside each other, which is what makes both
 * the varints short and zstd effective. Each column but the first two is coded as the difference to
 * the same field of the previous record of the same kind.
 */

static size_t put_varint(unsigned char *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (unsigned char)v;
	return n;
}

struct in {
	const unsigned char *p, *end;
	int bad;
};

static uint64_t get_varint(struct in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned char b;

		if (in->p == in->end)
			break;
		b = *in->p++;
		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	in->bad = 1;
	return 0;
}

static uint64_t zigzag(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag(uint64_t v)
{
	return v >> 1 ^ (0 - (v & 1));
}

/* Fields in the order of their columns, after kind. */
enum { CPU, TIME, TASK, MM, VA, AMOUNT, ID, TARGET, FLAGS, OP, REQUEST, LEVEL, STRIDE, FIELDS };

static uint64_t get_field(const struct dvm_trace_record *r, int field)
{
	switch (field) {
	case CPU: return r->cpu;
	case TIME: return r->time_ns;
	case TASK: return r->task;
	case MM: return r->mm;
	case VA: return r->va;
	case AMOUNT: return r->amount;
	case ID: return r->id;
	case TARGET: return r->target;
	case FLAGS: return r->flags;
	case OP: return r->op;
	case REQUEST: return r->request;
	case LEVEL: return r->level;
	default: return r->stride_shift;
	}
}

/* Store @v, which must fit the field; returns 0 when it does. */
static int set_field(struct dvm_trace_record *r, int field, uint64_t v)
{
	switch (field) {
	case CPU: r->cpu = (uint16_t)v; return v >> 16 != 0;
	case TIME: r->time_ns = v; return 0;
	case TASK: r->task = (uint32_t)v; return v >> 32 != 0;
	case MM: r->mm = (uint32_t)v; return v >> 32 != 0;
	case VA: r->va = v; return 0;
	case AMOUNT: r->amount = v; return 0;
	case ID: r->id = (uint32_t)v; return v >> 32 != 0;
	case TARGET: r->target = (uint16_t)v; return v >> 16 != 0;
	case FLAGS: r->flags = (uint16_t)v; return v >> 16 != 0;
	case OP: r->op = (uint8_t)v; return v >> 8 != 0;
	case REQUEST: r->request = (uint8_t)v; return v >> 8 != 0;
	case LEVEL: r->level = (uint8_t)v; return v >> 8 != 0;
	default: r->stride_shift = (uint8_t)v; return v >> 8 != 0;
	}
}

/* Time runs through all kinds together; amounts and CPUs are not like their predecessors. */
static uint64_t *context(uint64_t last[DVM_TRACE_KINDS], uint64_t *zero, int field, unsigned kind)
{
	if (field == CPU || field == AMOUNT) {
		*zero = 0;
		return zero;
	}
	return &last[field == TIME ? 0 : kind];
}

static size_t encode_column(const struct dvm_trace_record *records, size_t count, int field,
			    unsigned char *out)
{
	uint64_t last[DVM_TRACE_KINDS] = { 0 }, zero = 0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t *ctx = context(last, &zero, field, records[i].kind);
		uint64_t v = get_field(&records[i], field);

		n += put_varint(out + n, ctx == &zero ? v : zigzag(v - *ctx));
		*ctx = v;
	}
	return n;
}

size_t dvmi_trace_encode_records(const struct dvm_trace_record *records, size_t count,
				 unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		out[n++] = records[i].kind;
	for (int field = 0; field < FIELDS; field++)
		n += encode_column(records, count, field, out + n);
	return n;
}

static int decode_column(struct in *in, size_t count, int field, struct dvm_trace_record *records)
{
	uint64_t last[DVM_TRACE_KINDS] = { 0 }, zero = 0;
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t *ctx = context(last, &zero, field, records[i].kind);
		uint64_t v = get_varint(in);

		if (ctx != &zero)
			v = unzigzag(v) + *ctx;
		*ctx = v;
		wrong |= set_field(&records[i], field, v);
	}
	return wrong | in->bad;
}

int dvmi_trace_decode_records(const unsigned char *in, size_t size, size_t count,
			      struct dvm_trace_record *records)
{
	struct in s = { in, in + size, 0 };

	if (size < count)
		return -1;
	memset(records, 0, count * sizeof(*records));
	for (size_t i = 0; i < count; i++) {
		if (!*s.p || *s.p >= DVM_TRACE_KINDS)
			return -1;
		records[i].kind = *s.p++;
	}
	for (int field = 0; field < FIELDS; field++)
		if (decode_column(&s, count, field, records))
			return -1;
	return s.p == s.end ? 0 : -1;
}

size_t dvmi_trace_encode_accesses(const uint64_t *accesses, size_t count, unsigned char *out)
{
	uint64_t last = 0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		n += put_varint(out + n, zigzag(accesses[i] - last));
		last = accesses[i];
	}
	return n;
}

int dvmi_trace_decode_accesses(const unsigned char *in, size_t size, size_t count,
			       uint64_t *accesses)
{
	struct in s = { in, in + size, 0 };
	uint64_t last = 0;

	for (size_t i = 0; i < count; i++) {
		last += unzigzag(get_varint(&s));
		accesses[i] = last;
	}
	return s.bad || s.p != s.end ? -1 : 0;
}
