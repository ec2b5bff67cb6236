/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include "base/error.h"
#include "base/mem.h"

/*
 * Operations whose flushes the simulated kernel makes (OP_BEGIN flagged SIMULATED): the record is
 * executed again and again, each time one stretch of work or one flush call further, until
 * kernel/event.h says that it is over. The state belongs to the task, which may be switched out in
 * between.
 */

/* What a task's operation waits for. */
enum { CALL_NEXT, CALL_MADE, CALL_DSB, CALL_LAST };

static struct dvmi_op_run *run_of(struct dvm_sim *s, uint32_t task)
{
	uint32_t n = s->tasks[task].operation;

	return n ? &s->operations.runs[n - 1] : NULL;
}

/* As many states as there ever are operations at once. */
static struct dvmi_op_run *begin(struct dvm_sim *s, uint32_t task)
{
	struct dvmi_op_pool *p = &s->operations;
	uint32_t n = p->free;

	if (n) {
		p->free = p->runs[n - 1].next_free;
	} else {
		void *runs = p->runs;

		if (dvmi_grow(&runs, &p->capacity, p->count + 1, sizeof(*p->runs)))
			return NULL;
		p->runs = runs;
		n = (uint32_t)++p->count;
	}
	s->tasks[task].operation = n;
	return &p->runs[n - 1];
}

static void end(struct dvm_sim *s, uint32_t task)
{
	struct dvmi_op_pool *p = &s->operations;
	uint32_t n = s->tasks[task].operation;

	p->runs[n - 1].next_free = p->free;
	p->free = n;
	s->tasks[task].operation = 0;
}

/* Addresses in the trace to pages of the kernel, which may be larger ones. */
static struct dvmi_operation describe(const struct dvm_sim *s, unsigned copy,
				      const struct dvm_trace_record *r)
{
	unsigned shift = s->rules.page_shift;
	struct dvmi_operation o = { .op = r->op, .mm = r->mm ? copy * s->ids.mms + r->mm : 0,
				    .first = r->va >> shift, .detail = r->id };
	uint64_t bytes = (r->va & ((UINT64_C(1) << shift) - 1)) + r->amount;

	o.end = o.first + (bytes >> shift) + !!(bytes & ((UINT64_C(1) << shift) - 1));
	o.ending = r->kind == DVM_TRACE_OP_END;
	if (r->op == DVM_TRACE_OP_MREMAP) {
		o.to = (r->va + (uint64_t)((int64_t)(int32_t)r->id *
					   (int64_t)s->env->page_bytes)) >> shift;
		o.detail = 0;
	}
	return o;
}

static uint64_t work_ps(const struct dvm_sim *s, const struct dvmi_event_work *w)
{
	const struct dvmi_hw *hw = s->hw;
	uint64_t fill = hw->kernel_page_fill_ps * (s->cfg->page_bytes / 4096);

	return w->faults * hw->kernel_fault_ps + w->filled * fill +
	       w->copied * hw->kernel_fork_page_ps + w->zapped * hw->kernel_zap_page_ps +
	       w->ptes * hw->kernel_pte_ps + w->rmaps * hw->kernel_rmap_page_ps;
}

/* The part that does not depend on pages; none for what is not a system call, and for faults. */
static uint64_t base_ps(const struct dvm_sim *s, const struct dvm_trace_record *r)
{
	struct dvm_trace_record fixed = *r;

	fixed.amount = 0;
	switch (r->op) {
	case DVM_TRACE_OP_FAULT:
	case DVM_TRACE_OP_FAULT_ANON:
	case DVM_TRACE_OP_FAULT_FILE:
	case DVM_TRACE_OP_FAULT_COW:
	case DVM_TRACE_OP_FAULT_WP_REUSE:
	case DVM_TRACE_OP_FAULT_SPURIOUS:
		return 0; /* by the number of faults */
	case DVM_TRACE_OP_SVA_BIND:
	case DVM_TRACE_OP_SVA_UNBIND:
	case DVM_TRACE_OP_PTRACE:
	case DVM_TRACE_OP_CLEAR_REFS:
	case DVM_TRACE_OP_UFFD_WP:
		return s->hw->kernel_syscall_ps;
	default:
		return r->kind == DVM_TRACE_OP_BEGIN ? dvmi_operation_ps(s, &fixed) : 0;
	}
}

/* ---- calls ---- */

/* Whose pages go back to the allocator. After MADV_FREE they stay, only clean. */
static bool gives_up(enum dvmi_row row)
{
	return row == DVMI_ROW_ZAP || row == DVMI_ROW_ZAP_FULL || row == DVMI_ROW_ZAP_DIRTY ||
	       row == DVMI_ROW_OOM_REAP;
}

static int flush(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		 const struct dvmi_call *call, uint64_t now, uint64_t *next)
{
	struct dvmi_flush_call f = { .request = call->request, .mm = call->mm, .cause = r->op,
				     .record = (uint64_t)(r - s->records),
				     .frees = gives_up(call->id) };

	return dvmi_flush_call(s, c, &f, now, next);
}

/* Kernel mappings: over the limit, everything. */
static int flush_kernel(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			struct dvmi_call *call, uint64_t now, uint64_t *next)
{
	call->mm = 0;
	return flush(s, c, r, call, now, next);
}

int dvmi_interrupt_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t n, uint64_t now,
			uint64_t *next)
{
	struct dvmi_ipi_times times;
	int ret = 0;

	if (s->host)
		return dvmi_host_interrupt_wait(s, c, n, now, next);
	times = dvmi_ipi_send(&s->ipi, now, s->targets, n, s->arrivals);
	for (uint32_t i = 0; i < n && !ret; i++)
		if (s->targets[i] < s->cpus_used)
			ret = dvmi_cpu_interrupt(s, &s->cpus[s->targets[i]], s->arrivals[i],
						 s->hw->ipi_handle_ps);
	*next = times.done_ps > times.sent_ps ? times.done_ps : times.sent_ps;
	return ret;
}

/* tlb_remove_table_sync_one(): an empty interrupt to every other CPU, waited for. */
static int walkers(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	uint32_t n = 0;

	for (unsigned t = 0; t < c->guest->cpus_count; t++)
		if (t != c->vcpu)
			s->targets[n++] = t;
	return dvmi_interrupt_wait(s, c, n, now, next);
}

/* 1: made; 0: a page-table lock is in the way, and the task waits for it. */
static int make(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		struct dvmi_call *call, uint64_t now, uint64_t *next)
{
	switch (call->kind) {
	case DVMI_CALL_FLUSH:
		return flush(s, c, r, call, now, next);
	case DVMI_CALL_KERNEL:
		return flush_kernel(s, c, r, call, now, next);
	case DVMI_CALL_BATCH:
		dvmi_batch_flush(s, c, now);
		return 1;
	case DVMI_CALL_WALKERS:
		return walkers(s, c, now, next) ? -DVM_ENOMEM : 1;
	default:
		return 1;
	}
}

/* ---- the record ---- */

/* Work first, then the call that follows it. */
static int next_call(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_op_run *run, uint64_t now,
		     uint64_t *next)
{
	int ret = dvmi_mm_event_next(&run->event, &s->mms, &s->event_rules, &run->call);
	uint64_t ps;

	if (ret)
		return ret;
	run->stage = run->call.kind == DVMI_CALL_NONE ? CALL_LAST : CALL_MADE;
	ps = work_ps(s, &run->call.work);
	return ps ? dvmi_run(s, c, ps, now, next) : 0;
}

int dvmi_operation(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now, uint64_t *next)
{
	struct dvmi_op_run *run = run_of(s, c->task);
	struct dvmi_operation o;
	uint64_t ps;
	int ret;

	c->again = true;
	if (!run) {
		run = begin(s, c->task);
		if (!run)
			return -DVM_ENOMEM;
		o = describe(s, c->copy, r);
		o.foreign = o.mm && o.mm != c->mm;
		dvmi_mm_event_begin(&run->event, &o);
		run->stage = CALL_NEXT;
		run->dsb = 0;
		if (r->op == DVM_TRACE_OP_SVA_BIND || r->op == DVM_TRACE_OP_SVA_UNBIND) {
			ret = dvmi_device_bind(s, o.mm, r->op == DVM_TRACE_OP_SVA_BIND);
			if (ret)
				return ret;
		}
		ps = base_ps(s, r);
		return ps ? dvmi_run(s, c, ps, now, next) : 0;
	}
	if (run->stage == CALL_NEXT)
		return next_call(s, c, run, now, next);
	if (run->stage == CALL_MADE) {
		ret = make(s, c, r, &run->call, now, next);
		if (ret > 0)
			run->stage = run->call.id == DVMI_ROW_BATCH_ADD && s->sme_batches ? CALL_DSB :
											    CALL_NEXT;
		return ret < 0 ? ret : 0;
	}
	if (run->stage == CALL_DSB) { /* the older form of 4193714's work-around, in every add */
		ret = dvmi_dsb_act(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, &run->dsb, next);
		if (!run->dsb)
			run->stage = CALL_NEXT;
		return ret;
	}
	end(s, c->task);
	c->again = false;
	return 0;
}

/* State that is there when the trace begins: before anything runs, and flushing nothing. */
static int initial(struct dvm_sim *s, unsigned copy, const struct dvm_trace_record *r)
{
	struct dvmi_operation o = describe(s, copy, r);
	struct dvmi_mm_event e;
	struct dvmi_call call;
	int ret;

	dvmi_mm_event_begin(&e, &o);
	do
		ret = dvmi_mm_event_next(&e, &s->mms, &s->event_rules, &call);
	while (!ret && call.kind != DVMI_CALL_NONE);
	return ret;
}

/* fork copies what the parent has; *@ps: for its entries. */
int dvmi_operation_fork(struct dvm_sim *s, uint32_t parent, uint32_t mm, uint64_t *ps)
{
	uint64_t pages = 0;
	int ret = 0;

	if (s->mms.mms && parent)
		ret = dvmi_mm_event_dup(&s->mms, parent, mm, &pages);
	*ps = pages * s->hw->kernel_fork_page_ps;
	return ret;
}

int dvmi_operation_mm_exit(struct dvm_sim *s, uint32_t mm)
{
	return s->mms.mms ? dvmi_mm_event_drop(&s->mms, mm) : 0;
}

/* ---- setting up ---- */

static bool any(const struct dvm_sim *s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (s->records[i].flags & DVM_TRACE_F_SIMULATED)
			return true;
	return false;
}

int dvmi_operations_init(struct dvm_sim *s, size_t count, struct dvm_error *err)
{
	size_t cpus = s->cpus_used > s->cpus_count ? s->cpus_used : s->cpus_count;
	int ret;

	s->targets = dvmi_calloc(cpus, sizeof(*s->targets));
	s->arrivals = dvmi_calloc(cpus, sizeof(*s->arrivals));
	if (!s->targets || !s->arrivals)
		return dvmi_error_nomem(err);
	if (!any(s, count))
		return 0;
	dvmi_event_rules(&s->event_rules, &s->rules, s->cfg, s->hw);
	ret = dvmi_mms_init(&s->mms, s->mms_count, s->rules.page_shift);
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < s->copies && !ret; k++)
			if (s->records[i].kind == DVM_TRACE_OP_BEGIN &&
			    s->records[i].flags & DVM_TRACE_F_INITIAL)
				ret = initial(s, k, &s->records[i]);
	return ret == -DVM_ELIMIT ? dvmi_error(err, DVM_ELIMIT, "simulation",
					       "too many pages with different states") :
	       ret ? dvmi_error_nomem(err) : 0;
}

void dvmi_operations_fini(struct dvm_sim *s)
{
	dvmi_mms_fini(&s->mms);
	dvmi_free(s->operations.runs);
	dvmi_free(s->targets);
	dvmi_free(s->arrivals);
}
