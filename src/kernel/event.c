/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

#include <dvmsim/trace.h>

#include <string.h>

/*
 * Operations, one at a time, each a walk that stops at every flush call. What another CPU changes in
 * between is seen when the walk goes on, as in the kernel where a lock is dropped; the locks
 * themselves (mmap_lock, the PTL) are not taken here. A step makes one bounded change, after
 * dvmi_mms_reserve().
 */

static void whole_step(struct dvmi_walk *w, enum dvmi_row id)
{
	w->over = w->e->stage != DVMI_STAGE_FIRST;
	if (w->over)
		return;
	w->e->stage = DVMI_STAGE_OVER;
	dvmi_walk_emit(w, id, w->e->o.first, w->e->o.end);
}

/* setup_arg_pages(): the stack moves down by a random amount, before anything has run. */
static void exec_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (!(e->o.detail & DVM_TRACE_D_SHIFT) || !e->o.ending) {
		w->over = true;
		return;
	}
	switch (e->stage++) {
	case 0:
		dvmi_walk_emit(w, DVMI_ROW_EXEC_STACK, e->o.first, e->o.first + 1);
		break;
	case 1:
		dvmi_walk_gather(&e->gather, e->o.first, e->o.first + 1, 2);
		e->gather.freed = true;
		dvmi_walk_gather_flush(w, DVMI_ROW_EXEC_STACK_TABLES);
		break;
	default:
		w->over = true;
		break;
	}
}

static void step(struct dvmi_walk *w)
{
	uint32_t detail = w->e->o.detail;

	switch (w->e->o.op) {
	case DVM_TRACE_OP_MMAP:
		dvmi_mmap_step(w);
		break;
	case DVM_TRACE_OP_MUNMAP:
	case DVM_TRACE_OP_BRK:
		dvmi_munmap_step(w);
		break;
	case DVM_TRACE_OP_MREMAP:
		dvmi_mremap_step(w);
		break;
	case DVM_TRACE_OP_EXIT:
		dvmi_exit_step(w);
		break;
	case DVM_TRACE_OP_EXEC:
		exec_step(w);
		break;
	case DVM_TRACE_OP_FORK:
		if (w->e->o.ending)
			whole_step(w, DVMI_ROW_FORK);
		else
			w->over = true;
		break;
	case DVM_TRACE_OP_MADVISE:
		if (detail & DVM_TRACE_D_PAGEOUT) {
			dvmi_reclaim_step(w);
		} else if (detail & (DVM_TRACE_D_FREE | DVM_TRACE_D_COLD)) {
			dvmi_change_step(w);
		} else {
			if (w->e->stage == DVMI_STAGE_FIRST)
				dvmi_zap_step(w, DVMI_STAGE_OVER);
			else
				w->over = true;
		}
		break;
	case DVM_TRACE_OP_OOM_REAP:
		if (w->e->stage == DVMI_STAGE_FIRST)
			dvmi_zap_step(w, DVMI_STAGE_OVER);
		else
			w->over = true;
		break;
	case DVM_TRACE_OP_MPROTECT:
	case DVM_TRACE_OP_NUMA_HINT:
	case DVM_TRACE_OP_UFFD_WP:
		dvmi_change_step(w);
		break;
	case DVM_TRACE_OP_CLEAR_REFS:
		whole_step(w, DVMI_ROW_CLEAR_REFS);
		break;
	case DVM_TRACE_OP_FAULT_SPURIOUS:
		dvmi_spurious_step(w);
		break;
	case DVM_TRACE_OP_FAULT:
	case DVM_TRACE_OP_FAULT_ANON:
	case DVM_TRACE_OP_FAULT_FILE:
	case DVM_TRACE_OP_FAULT_COW:
	case DVM_TRACE_OP_FAULT_WP_REUSE:
	case DVM_TRACE_OP_PTRACE:
		dvmi_fault_step(w);
		break;
	case DVM_TRACE_OP_RECLAIM:
	case DVM_TRACE_OP_MIGRATE_PAGE:
		dvmi_reclaim_step(w);
		break;
	case DVM_TRACE_OP_YOUNG_CLEAR:
		dvmi_young_step(w);
		break;
	case DVM_TRACE_OP_MKCLEAN:
		dvmi_mkclean_step(w);
		break;
	case DVM_TRACE_OP_KSM:
		dvmi_ksm_step(w);
		break;
	case DVM_TRACE_OP_THP_SPLIT:
	case DVM_TRACE_OP_CONTPTE:
		dvmi_split_step(w);
		break;
	case DVM_TRACE_OP_THP_COLLAPSE:
		dvmi_collapse_step(w);
		break;
	case DVM_TRACE_OP_KERNEL_MAP:
		whole_step(w, DVMI_ROW_KERNEL);
		break;
	default:
		w->over = true;
		break;
	}
}

void dvmi_mm_event_begin(struct dvmi_mm_event *e, const struct dvmi_operation *o)
{
	memset(e, 0, sizeof(*e));
	e->o = *o;
	if (o->op == DVM_TRACE_OP_EXIT) {
		e->o.first = 0;
		e->o.end = UINT64_MAX;
	}
	e->at = e->batch_first = e->o.first;
	e->on = true;
}

int dvmi_mm_event_next(struct dvmi_mm_event *e, struct dvmi_mms *m, const struct dvmi_event_rules *rules,
		    struct dvmi_call *call)
{
	struct dvmi_walk w = { .e = e, .m = m, .mm = &m->mms[e->o.mm], .rules = rules, .call = call };

	memset(call, 0, sizeof(*call));
	while (e->on && !w.emitted && !w.over && !w.ret)
		step(&w);
	if (w.over)
		e->on = false;
	return w.ret;
}

int dvmi_mm_event_dup(struct dvmi_mms *m, uint32_t parent, uint32_t child, uint64_t *pages)
{
	uint64_t at = 0, n;

	*pages = 0;
	do {
		int ret = dvmi_mms_reserve(m);

		if (ret)
			return ret;
		if (!dvmi_mm_copy(m, &m->mms[parent], &m->mms[child], &at, &n))
			return 0;
		*pages += n;
	} while (true);
}

int dvmi_mm_event_drop(struct dvmi_mms *m, uint32_t mm)
{
	struct dvmi_operation o = { .op = DVM_TRACE_OP_EXIT, .mm = mm };
	struct dvmi_event_rules rules = { 0 };
	struct dvmi_mm_event e;
	struct dvmi_call call;
	int ret;

	dvmi_mm_event_begin(&e, &o);
	do
		ret = dvmi_mm_event_next(&e, m, &rules, &call);
	while (!ret && call.kind != DVMI_CALL_NONE);
	return ret;
}
