/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/mem.h"

#include <string.h>

int dvm_trace_new(const char *header, struct dvm_trace **trace, struct dvm_error *err)
{
	struct dvm_trace *t = dvmi_zalloc(sizeof(*t));
	int ret;

	if (!t)
		return dvmi_error_nomem(err);
	ret = dvmi_trace_header_parse(header, &t->header, err);
	if (ret) {
		dvmi_free(t);
		return ret;
	}
	*trace = t;
	return 0;
}

void dvm_trace_free(struct dvm_trace *trace)
{
	if (!trace)
		return;
	dvmi_trace_header_fini(&trace->header);
	dvmi_free(trace->records);
	dvmi_free(trace->accesses);
	dvmi_free(trace);
}

int dvm_trace_set_header(struct dvm_trace *trace, const char *header, struct dvm_error *err)
{
	struct dvmi_trace_header next = { 0 };
	int ret = dvmi_trace_header_parse(header, &next, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < trace->nrecords; i++) {
		const char *bad = dvmi_trace_record_check(&trace->records[i], &next.env,
							  trace->naccesses);

		if (bad) {
			dvmi_trace_header_fini(&next);
			return dvmi_error_record(err, DVM_EINVAL, "header", i,
						 "does not fit the records: %s", bad);
		}
	}
	dvmi_trace_header_fini(&trace->header);
	trace->header = next;
	return 0;
}

const char *dvm_trace_header(const struct dvm_trace *trace)
{
	return trace->header.text;
}

const struct dvm_trace_env *dvm_trace_get_env(const struct dvm_trace *trace)
{
	return &trace->header.env;
}

const char *dvm_trace_mark_name(const struct dvm_trace *trace, uint32_t mark)
{
	return mark < trace->header.env.nmarks ? trace->header.marks[mark] : NULL;
}

static void max_into(uint32_t *max, uint32_t value)
{
	if (value > *max)
		*max = value;
}

static void note_ids(struct dvm_trace_ids *ids, const struct dvm_trace_record *rec)
{
	max_into(&ids->tasks, rec->task);
	max_into(&ids->mms, rec->mm);
	if (rec->kind == DVM_TRACE_WAKE || rec->kind == DVM_TRACE_SWITCH)
		max_into(&ids->wakes, rec->id);
	else if (rec->kind == DVM_TRACE_PUT || rec->kind == DVM_TRACE_GET ||
		 rec->kind == DVM_TRACE_ARRIVE || rec->kind == DVM_TRACE_UNIT_BEGIN)
		max_into(&ids->queues, rec->id);
	else if (rec->kind == DVM_TRACE_TASK_NEW)
		max_into(&ids->tasks, rec->id);
	else if (rec->kind == DVM_TRACE_MM_NEW)
		max_into(&ids->mms, rec->id);
}

int dvmi_trace_push(struct dvm_trace *trace, const struct dvm_trace_record *records, size_t count,
		    struct dvm_error *err)
{
	void *p = trace->records;

	if (count > DVM_TRACE_MAX_RECORDS - trace->nrecords)
		return dvmi_error(err, DVM_ELIMIT, "trace", "more than %llu records",
				  (unsigned long long)DVM_TRACE_MAX_RECORDS);
	if (dvmi_grow(&p, &trace->records_capacity, trace->nrecords + count, sizeof(*records)))
		return dvmi_error_nomem(err);
	trace->records = p;
	if (count)
		memcpy(trace->records + trace->nrecords, records, count * sizeof(*records));
	trace->nrecords += count;
	for (size_t i = 0; i < count; i++)
		note_ids(&trace->ids, &records[i]);
	return 0;
}

int dvmi_trace_push_accesses(struct dvm_trace *trace, const uint64_t *accesses, size_t count,
			     struct dvm_error *err)
{
	void *p = trace->accesses;

	if (count > DVM_TRACE_MAX_ACCESSES - trace->naccesses)
		return dvmi_error(err, DVM_ELIMIT, "trace", "more than %llu accesses",
				  (unsigned long long)DVM_TRACE_MAX_ACCESSES);
	if (dvmi_grow(&p, &trace->accesses_capacity, trace->naccesses + count, sizeof(*accesses)))
		return dvmi_error_nomem(err);
	trace->accesses = p;
	if (count)
		memcpy(trace->accesses + trace->naccesses, accesses, count * sizeof(*accesses));
	trace->naccesses += count;
	return 0;
}

int dvm_trace_append(struct dvm_trace *trace, const struct dvm_trace_record *records, size_t count,
		     struct dvm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *bad = dvmi_trace_record_check(&records[i], &trace->header.env,
							  trace->naccesses);

		if (bad)
			return dvmi_error_record(err, DVM_EINVAL, "record", i, "%s", bad);
	}
	return dvmi_trace_push(trace, records, count, err);
}

int dvm_trace_append_accesses(struct dvm_trace *trace, const uint64_t *accesses, size_t count,
			      struct dvm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *bad = dvmi_trace_access_check(accesses[i]);

		if (bad)
			return dvmi_error_record(err, DVM_EINVAL, "access", i, "%s", bad);
	}
	return dvmi_trace_push_accesses(trace, accesses, count, err);
}

const struct dvm_trace_record *dvm_trace_records(const struct dvm_trace *trace, size_t *count)
{
	*count = trace->nrecords;
	return trace->records;
}

const uint64_t *dvm_trace_accesses(const struct dvm_trace *trace, size_t *count)
{
	*count = trace->naccesses;
	return trace->accesses;
}

struct dvm_trace_ids dvm_trace_get_ids(const struct dvm_trace *trace)
{
	return trace->ids;
}

/*
 * FNV-1a over 64-bit words; the shift lets high bits reach low ones, which multiplication alone
 * does not.
 */
static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x100000001b3);
	return h ^ (h >> 32);
}

static uint64_t mix_record(uint64_t h, const struct dvm_trace_record *rec)
{
	h = mix(h, rec->time_ns);
	h = mix(h, rec->va);
	h = mix(h, rec->amount);
	h = mix(h, (uint64_t)rec->task << 32 | rec->mm);
	h = mix(h, (uint64_t)rec->id << 32 | (uint32_t)rec->cpu << 16 | rec->target);
	return mix(h, (uint64_t)rec->flags << 40 | (uint64_t)rec->kind << 32 |
			      (uint32_t)rec->op << 24 | (uint32_t)rec->request << 16 |
			      (uint32_t)rec->level << 8 | rec->stride_shift);
}

uint64_t dvm_trace_hash(const struct dvm_trace *trace)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (const char *p = trace->header.text; *p; p++)
		h = mix(h, (unsigned char)*p);
	h = mix(h, trace->nrecords);
	for (size_t i = 0; i < trace->nrecords; i++)
		h = mix_record(h, &trace->records[i]);
	h = mix(h, trace->naccesses);
	for (size_t i = 0; i < trace->naccesses; i++)
		h = mix(h, trace->accesses[i]);
	return h;
}
