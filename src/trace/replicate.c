/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* Canonical headers have each top-level key on a line of its own, and no newline inside a text. */
#define NCPUS_KEY "\n  \"ncpus\": "

static int new_trace(const struct dvm_trace *trace, uint32_t ncpus, struct dvm_trace **out,
		     struct dvm_error *err)
{
	const char *text = trace->header.text, *at = strstr(text, NCPUS_KEY);
	struct dvmi_buf buf = { 0 };
	char *json;
	int ret;

	dvmi_buf_add(&buf, text, (size_t)(at - text));
	dvmi_buf_printf(&buf, NCPUS_KEY "%u", ncpus);
	at += strlen(NCPUS_KEY);
	dvmi_buf_puts(&buf, at + strspn(at, "0123456789"));
	if (dvmi_buf_take(&buf, &json))
		return dvmi_error_nomem(err);
	ret = dvm_trace_new(json, out, err);
	dvmi_free(json);
	return ret;
}

static void shift(uint32_t *id, uint32_t by)
{
	if (*id)
		*id += by;
}

static struct dvm_trace_record rebase(const struct dvm_trace *trace, struct dvm_trace_record r,
				      uint32_t copy)
{
	uint32_t cpus = copy * trace->header.env.ncpus;

	r.cpu = (uint16_t)(r.cpu + cpus);
	shift(&r.task, copy * trace->ids.tasks);
	shift(&r.mm, copy * trace->ids.mms);
	switch (r.kind) {
	case DVM_TRACE_TASK_NEW:
		shift(&r.id, copy * trace->ids.tasks);
		break;
	case DVM_TRACE_MM_NEW:
		shift(&r.id, copy * trace->ids.mms);
		break;
	case DVM_TRACE_SWITCH:
		shift(&r.id, copy * trace->ids.wakes);
		break;
	case DVM_TRACE_WAKE:
		shift(&r.id, copy * trace->ids.wakes);
		r.target = (uint16_t)(r.target + cpus);
		break;
	case DVM_TRACE_UNIT_BEGIN:
	case DVM_TRACE_PUT:
	case DVM_TRACE_GET:
	case DVM_TRACE_ARRIVE:
		shift(&r.id, copy * trace->ids.queues);
		break;
	case DVM_TRACE_MIGRATE:
		r.id += cpus;
		r.target = (uint16_t)(r.target + cpus);
		break;
	default:
		break;
	}
	return r;
}

static int check_limits(const struct dvm_trace *trace, uint32_t copies, uint64_t stagger_ns,
			struct dvm_error *err)
{
	uint64_t cpus = (uint64_t)copies * trace->header.env.ncpus;

	if (!copies)
		return dvmi_error(err, DVM_EINVAL, "replicate", "copies: must not be 0");
	if (cpus > DVM_TRACE_MAX_CPUS)
		return dvmi_error(err, DVM_ELIMIT, "replicate", "more than %u CPUs",
				  DVM_TRACE_MAX_CPUS);
	if ((uint64_t)copies * trace->ids.tasks > DVM_TRACE_MAX_TASKS ||
	    (uint64_t)copies * trace->ids.mms > DVM_TRACE_MAX_TASKS ||
	    (uint64_t)copies * trace->ids.wakes > UINT32_MAX ||
	    (uint64_t)copies * trace->ids.queues > DVM_TRACE_MAX_QUEUES)
		return dvmi_error(err, DVM_ELIMIT, "replicate",
				  "too many tasks, mms, wake-ups or queues");
	if (trace->nrecords * copies + cpus > DVM_TRACE_MAX_REPLICATED)
		return dvmi_error(err, DVM_ELIMIT, "replicate",
				  "%u copies of %zu records exceed the limit of %llu; use fewer "
				  "copies or a shorter window", copies, trace->nrecords,
				  (unsigned long long)DVM_TRACE_MAX_REPLICATED);
	if (stagger_ns > DVMI_TRACE_MAX_SPAN / copies)
		return dvmi_error(err, DVM_ELIMIT, "replicate",
				  "the last copy would sleep longer than 2^40 ns");
	return 0;
}

static int copy_record(const struct dvm_trace *trace, size_t index, uint32_t copies,
		       uint64_t stagger_ns, unsigned char *begun, struct dvm_trace *out,
		       struct dvm_error *err)
{
	const struct dvm_trace_record *from = &trace->records[index];
	int first = !(from->flags & DVM_TRACE_F_INITIAL) && !begun[from->cpu], ret = 0;

	if (first)
		begun[from->cpu] = 1;
	for (uint32_t k = 0; k < copies && !ret; k++) {
		struct dvm_trace_record r = rebase(trace, *from, k);
		struct dvm_trace_record sleep = { .time_ns = r.time_ns, .cpu = r.cpu,
						  .kind = DVM_TRACE_SLEEP,
						  .amount = k * stagger_ns };

		if (first && sleep.amount)
			ret = dvmi_trace_push(out, &sleep, 1, err);
		if (!ret)
			ret = dvmi_trace_push(out, &r, 1, err);
	}
	return ret;
}

int dvm_trace_replicate(const struct dvm_trace *trace, uint32_t copies, uint64_t stagger_ns,
			struct dvm_trace **out, struct dvm_error *err)
{
	struct dvm_trace *t = NULL;
	unsigned char *begun = NULL;
	int ret = check_limits(trace, copies, stagger_ns, err);

	if (ret)
		return ret;
	ret = new_trace(trace, copies * trace->header.env.ncpus, &t, err);
	if (!ret) {
		begun = dvmi_calloc(trace->header.env.ncpus, 1);
		ret = begun ? 0 : dvmi_error_nomem(err);
	}
	if (!ret)
		ret = dvmi_trace_push_accesses(t, trace->accesses, trace->naccesses, err);
	for (size_t i = 0; i < trace->nrecords && !ret; i++)
		ret = copy_record(trace, i, copies, stagger_ns, begun, t, err);
	dvmi_free(begun);
	if (ret)
		dvm_trace_free(t);
	else
		*out = t;
	return ret;
}
