/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/mem.h"

#include <string.h>

/* Where an mm has run: nowhere, on one CPU (number + 1), or on several. */
#define NOWHERE 0u
#define SEVERAL UINT32_MAX

struct state {
	const struct dvm_trace *trace;
	uint32_t *so_far, *ever; /* by mm */
};

static void runs_on(uint32_t *where, uint32_t mm, uint32_t cpu)
{
	if (!mm)
		return;
	if (where[mm] == NOWHERE)
		where[mm] = cpu + 1;
	else if (where[mm] != cpu + 1)
		where[mm] = SEVERAL;
}

static void note_place(uint32_t *where, const struct dvm_trace_record *r)
{
	if (r->kind == DVM_TRACE_SWITCH || r->kind == DVM_TRACE_EXEC)
		runs_on(where, r->mm, r->cpu);
}

static void count_flush(const struct state *s, const struct dvm_trace_record *r,
			struct dvm_trace_info *info)
{
	info->requests[r->request]++;
	info->causes[r->op]++;
	info->foreign += !!(r->flags & DVM_TRACE_F_FOREIGN);
	if (!r->mm)
		return;
	info->flushes++;
	info->flushed_pages += r->amount;
	info->one_cpu_so_far += s->so_far[r->mm] != SEVERAL;
	info->own_cpu_so_far += s->so_far[r->mm] == r->cpu + 1u;
	info->one_cpu_ever += s->ever[r->mm] != SEVERAL;
}

static void count_record(const struct state *s, const struct dvm_trace_record *r,
			 struct dvm_trace_info *info)
{
	info->kinds[r->kind]++;
	switch (r->kind) {
	case DVM_TRACE_TASK_NEW:
		info->tasks++;
		info->threads += !!(r->flags & DVM_TRACE_F_THREAD);
		info->kthreads += !!(r->flags & DVM_TRACE_F_KTHREAD);
		break;
	case DVM_TRACE_MM_NEW:
		info->mms++;
		break;
	case DVM_TRACE_SWITCH:
		info->switches += !(r->flags & DVM_TRACE_F_INITIAL);
		break;
	case DVM_TRACE_MIGRATE:
		info->migrations++;
		break;
	case DVM_TRACE_WAKE:
		info->wakes++;
		info->inferred_wakes += !!(r->flags & DVM_TRACE_F_INFERRED);
		break;
	case DVM_TRACE_RUN:
		if (r->flags & DVM_TRACE_F_TIME)
			info->run_ns += r->amount;
		else
			info->run_insns += r->amount;
		break;
	case DVM_TRACE_SLEEP:
		info->sleep_ns += r->amount;
		break;
	case DVM_TRACE_FLUSH:
		count_flush(s, r, info);
		break;
	case DVM_TRACE_MARK:
		info->marks[r->id] += r->amount;
		break;
	default:
		break;
	}
}

int dvm_trace_get_info(const struct dvm_trace *trace, struct dvm_trace_info *info,
		       struct dvm_error *err)
{
	struct state s = { .trace = trace };
	size_t n = (size_t)trace->ids.mms + 1;
	int ret = 0;

	s.so_far = dvmi_calloc(n, sizeof(*s.so_far));
	s.ever = dvmi_calloc(n, sizeof(*s.ever));
	if (!s.so_far || !s.ever) {
		ret = dvmi_error_nomem(err);
		goto out;
	}
	memset(info, 0, sizeof(*info));
	info->records = trace->nrecords;
	info->accesses = trace->naccesses;
	for (size_t i = 0; i < trace->nrecords; i++)
		note_place(s.ever, &trace->records[i]);
	for (size_t i = 0; i < trace->nrecords; i++) {
		const struct dvm_trace_record *r = &trace->records[i];

		note_place(s.so_far, r);
		count_record(&s, r, info);
		if (!i || r->time_ns < info->first_ns)
			info->first_ns = r->time_ns;
		if (r->time_ns > info->last_ns)
			info->last_ns = r->time_ns;
	}
out:
	dvmi_free(s.so_far);
	dvmi_free(s.ever);
	return ret;
}
