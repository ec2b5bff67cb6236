/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include <string.h>

/* From a FLUSH or BATCH_FLUSH record, or a call of the simulated kernel, to the hook for it. */

/*
 * Is the flush of a record made under the page-table lock? Linux mm/{memory,mremap,rmap,huge_memory,
 * khugepaged}.c; the batch of reclaim and migration: its adds are, its sync is not.
 */
static bool under_lock(unsigned cause)
{
	switch (cause) {
	case DVM_TRACE_OP_FAULT_COW:
	case DVM_TRACE_OP_FAULT_WP_REUSE:
	case DVM_TRACE_OP_FAULT_SPURIOUS:
	case DVM_TRACE_OP_MREMAP:
	case DVM_TRACE_OP_RECLAIM:
	case DVM_TRACE_OP_MIGRATE_PAGE:
	case DVM_TRACE_OP_YOUNG_CLEAR:
	case DVM_TRACE_OP_CONTPTE:
	case DVM_TRACE_OP_THP_SPLIT:
	case DVM_TRACE_OP_THP_COLLAPSE:
		return true;
	default:
		return false;
	}
}

static unsigned request_flags(const struct dvm_sim *s, const struct dvm_trace_record *r)
{
	static const struct {
		unsigned trace, request;
	} map[] = {
		{ DVM_TRACE_F_LEAF, DVMI_REQUEST_LEAF },
		{ DVM_TRACE_F_NOSYNC, DVMI_REQUEST_NOSYNC },
		{ DVM_TRACE_F_NONOTIFY, DVMI_REQUEST_NONOTIFY },
		{ DVM_TRACE_F_NOBROADCAST, DVMI_REQUEST_NOBROADCAST },
		{ DVM_TRACE_F_FREED_TABLES, DVMI_REQUEST_FREED_TABLES },
		{ DVM_TRACE_F_FOREIGN, DVMI_REQUEST_FOREIGN },
	};
	bool upgrade = r->op == DVM_TRACE_OP_FAULT_WP_REUSE || r->op == DVM_TRACE_OP_FAULT_SPURIOUS;
	unsigned flags = r->mm && under_lock(r->op) ? DVMI_REQUEST_PTL : 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (r->flags & map[i].trace)
			flags |= map[i].request;
	/* RO -> RW, access flag, dirty: since 6.19 a fix-up of the CPU that faults. */
	if (upgrade) {
		flags |= DVMI_REQUEST_PERMISSIVE;
		flags &= ~(unsigned)DVMI_REQUEST_NOBROADCAST;
		if (s->cfg->spurious_local)
			flags |= DVMI_REQUEST_NOBROADCAST;
	}
	return flags;
}

/* Are the flushed pages used again, so that their translations are walked for? */
static bool used_again(unsigned op)
{
	switch (op) {
	case DVM_TRACE_OP_MUNMAP:
	case DVM_TRACE_OP_MADVISE:
	case DVM_TRACE_OP_MREMAP:
	case DVM_TRACE_OP_EXIT:
	case DVM_TRACE_OP_RECLAIM:
	case DVM_TRACE_OP_OOM_REAP:
		return false;
	default:
		return true;
	}
}

static void fill_request(const struct dvm_sim *s, const struct dvm_trace_record *r,
			 struct dvmi_request *q)
{
	*q = (struct dvmi_request){ .kind = DVMI_REQUEST_RANGE, .flags = request_flags(s, r),
				    .start = r->va, .level = r->level,
				    .end = r->va + r->amount * s->env->page_bytes,
				    .stride_shift = r->stride_shift };
	if (r->request == DVM_TRACE_REQ_ASID || r->request == DVM_TRACE_REQ_ALL)
		q->kind = DVMI_REQUEST_ASID;
	else if (r->request == DVM_TRACE_REQ_PAGE)
		q->kind = DVMI_REQUEST_PAGE;
}

int dvmi_flush_call(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_flush_call *f,
		    uint64_t now, uint64_t *next)
{
	const struct dvmi_program *program = f->mm ? s->program : s->kernel_flush;
	struct dvmi_hook_run *h = &c->hook;
	enum dvmi_hook hook = DVMI_HOOK_FLUSH;

	if (s->simulated && !dvmi_hook_lock(s, c, f))
		return 0;
	h->request = f->request;
	dvmi_request_normalise(&h->request, &s->rules);
	h->user = f->mm != 0;
	h->mm = f->mm;
	h->prev = h->next = 0;
	h->flush = NULL;
	h->cause = f->cause;
	h->record = f->record;
	h->frees = f->frees && !(h->request.flags & (DVMI_REQUEST_FREED_TABLES |
						     DVMI_REQUEST_NOSYNC | DVMI_REQUEST_PERMISSIVE));
	h->refill_pages = used_again(f->cause) ? UINT64_MAX : 0;
	h->checked = !(h->request.flags & DVMI_REQUEST_PERMISSIVE) &&
		     f->cause != DVM_TRACE_OP_YOUNG_CLEAR;
	if (h->user)
		h->flush = dvmi_oracle_begin(s->oracle, h->mm, h->checked,
					     h->request.kind == DVMI_REQUEST_ASID, f->record);
	if ((h->request.flags & DVMI_REQUEST_NOSYNC) && program->hooks[DVMI_HOOK_BATCH_ADD] >= 0)
		hook = DVMI_HOOK_BATCH_ADD;
	h->change = (struct dvmi_change){ .ps = now, .cpu = c->pcpu, .mm = h->mm,
					  .vmid = dvmi_cpu_vmid(c), .request = h->request };
	/* The page-table stores that made the flush necessary are still in the store buffer. */
	dvmi_core_store(&s->core, c->pcpu, now);
	dvmi_hook_begin(s, c, program, hook, now, DVMI_PHASE_RECORD);
	*next = now + s->hw->kernel_flush_call_ps;
	h->insn_ps = *next;
	return 1;
}

void dvmi_flush(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		uint64_t now, uint64_t *next)
{
	struct dvmi_flush_call f = { .mm = dvmi_mm_id(s, c, r->mm), .cause = r->op,
				     .record = (uint64_t)(r - s->records) };

	/* A recorded madvise() does not say which it was. */
	f.frees = r->op == DVM_TRACE_OP_MUNMAP || r->op == DVM_TRACE_OP_OOM_REAP;
	fill_request(s, r, &f.request);
	c->again = !dvmi_flush_call(s, c, &f, now, next);
}

void dvmi_batch_flush(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	const struct dvmi_program *program = s->program;
	struct dvmi_hook_run *h = &c->hook;

	memset(&h->request, 0, sizeof(h->request));
	h->user = false;
	h->flush = NULL;
	h->mm = h->prev = h->next = 0;
	h->cause = DVM_TRACE_OP_NONE;
	h->record = UINT64_MAX;
	h->frees = false;
	if (program->hooks[DVMI_HOOK_BATCH_FLUSH] < 0)
		program = s->kernel_batch;
	dvmi_hook_begin(s, c, program, DVMI_HOOK_BATCH_FLUSH, now, DVMI_PHASE_RECORD);
}
