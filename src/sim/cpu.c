/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

/* One CPU replays its stream of records; the contract is in <dvmsim/trace.h>. */

/* So many actions without time passing can only be a program that loops. */
#define INSTANT_MAX 1000000

static uint32_t task_id(const struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t task)
{
	return task ? c->copy * s->ids.tasks + task : 0;
}

static uint32_t mm_id(const struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t mm)
{
	return mm ? c->copy * s->ids.mms + mm : 0;
}

void dvmi_cpu_set_idle(struct dvm_sim *s, struct dvmi_cpu *c, bool idle, uint64_t now)
{
	if (idle == c->idle)
		return;
	if (idle)
		c->idle_since_ps = now;
	else
		s->stats.idle_ps += now - c->idle_since_ps;
	c->idle = idle;
	dvmi_fabric_set_idle(s->fabric, c->id, idle);
}

/* ---- losses ---- */

static uint64_t lost_so_far(const struct dvm_sim *s, const struct dvmi_cpu *c)
{
	return dvmi_fabric_lost_ps(s->fabric, c->id) + c->handler_lost_ps;
}

/*
 * Work lost to snoops and interrupts since the CPU last acted delays what it does next. An idle CPU,
 * or one that waits, had nothing to lose.
 */
static uint64_t settle(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t lost = lost_so_far(s, c), debt = lost - c->lost_seen_ps;

	c->lost_seen_ps = lost;
	if (c->idle || c->waiting || !debt)
		return now;
	s->stats.bystander_ps += debt;
	return now + debt;
}

/* ---- running ---- */

static uint64_t walk_ps(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t ps)
{
	uint64_t walks, cost;

	if (!c->mm || s->tlbs)
		return 0;
	walks = dvmi_workset_run(s->workset, c->id, c->mm, ps);
	if (!walks)
		return 0;
	/* Misses of one stretch of work overlap in the walkers; the walk cache leaves one fetch. */
	cost = (walks + s->hw->tlb_walkers - 1) / s->hw->tlb_walkers * s->hw->tlb_walk_step_ps;
	s->stats.tlb_refills += walks;
	s->stats.refill_ps += cost;
	return cost;
}

static int use(struct dvm_sim *s, const struct dvmi_cpu *c)
{
	return c->mm && !s->tlbs ? dvmi_oracle_use(s->oracle, c->id, c->mm, s->err) : 0;
}

static int run(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t ps, uint64_t now, uint64_t *next)
{
	int ret = use(s, c);

	if (ret)
		return ret;
	s->stats.run_ps += ps;
	*next = now + ps + walk_ps(s, c, ps);
	return 0;
}

static uint64_t run_time(const struct dvm_sim *s, const struct dvm_trace_record *r)
{
	return r->flags & DVM_TRACE_F_TIME ? r->amount * 1000 :
	       r->amount / 1000 * s->kinsn_ps + r->amount % 1000 * s->kinsn_ps / 1000;
}

/* The kernel's own work in an operation that the trace does not spell out as instructions. */
static uint64_t operation_ps(const struct dvm_sim *s, const struct dvm_trace_record *r)
{
	const struct dvmi_hw *hw = s->hw;
	uint64_t pages = (r->amount + s->env->page_bytes - 1) / s->env->page_bytes;

	switch (r->op) {
	case DVM_TRACE_OP_FORK:
		return hw->kernel_syscall_ps + hw->kernel_fork_ps + pages * hw->kernel_fork_page_ps;
	case DVM_TRACE_OP_EXEC:
		return hw->kernel_syscall_ps + hw->kernel_exec_ps;
	case DVM_TRACE_OP_EXIT:
		return hw->kernel_syscall_ps + hw->kernel_exit_ps + pages * hw->kernel_zap_page_ps;
	case DVM_TRACE_OP_MMAP:
	case DVM_TRACE_OP_BRK:
		return hw->kernel_syscall_ps + hw->kernel_mmap_ps;
	case DVM_TRACE_OP_MUNMAP:
	case DVM_TRACE_OP_MADVISE:
	case DVM_TRACE_OP_MREMAP:
		return hw->kernel_syscall_ps + hw->kernel_munmap_ps +
		       pages * hw->kernel_zap_page_ps;
	case DVM_TRACE_OP_MPROTECT:
		return hw->kernel_syscall_ps + hw->kernel_mprotect_ps + pages * hw->kernel_pte_ps;
	case DVM_TRACE_OP_FAULT_ANON:
	case DVM_TRACE_OP_FAULT_COW:
		return hw->kernel_fault_ps + pages * hw->kernel_page_fill_ps;
	case DVM_TRACE_OP_FAULT:
	case DVM_TRACE_OP_FAULT_FILE:
	case DVM_TRACE_OP_FAULT_WP_REUSE:
	case DVM_TRACE_OP_FAULT_SPURIOUS:
		return hw->kernel_fault_ps;
	default:
		return pages * hw->kernel_pte_ps;
	}
}

/* ---- flushes ---- */

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
	unsigned flags = 0;

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
	dvmi_request_normalise(q, &s->rules);
}

static int flush(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		 uint64_t now, uint64_t *next)
{
	const struct dvmi_program *program = r->mm ? s->program : s->kernel_flush;
	struct dvmi_hook_run *h = &c->hook;
	enum dvmi_hook hook = DVMI_HOOK_FLUSH;
	int ret = 0;

	fill_request(s, r, &h->request);
	h->user = r->mm != 0;
	h->mm = mm_id(s, c, r->mm);
	h->prev = h->next = 0;
	h->flush = NULL;
	h->cause = r->op;
	h->refill_pages = used_again(r->op) ? UINT64_MAX : 0;
	h->checked = !(h->request.flags & DVMI_REQUEST_PERMISSIVE) &&
		     r->op != DVM_TRACE_OP_YOUNG_CLEAR;
	if (h->user)
		h->flush = dvmi_oracle_begin(s->oracle, h->mm, h->checked,
					     h->request.kind == DVMI_REQUEST_ASID,
					     (uint64_t)(r - s->records));
	if ((h->request.flags & DVMI_REQUEST_NOSYNC) && program->hooks[DVMI_HOOK_BATCH_ADD] >= 0)
		hook = DVMI_HOOK_BATCH_ADD;
	if (h->user && s->tlbs)
		ret = dvmi_tlbs_change(s->tlbs, h->mm, &h->version);
	/* The page-table stores that made the flush necessary are still in the store buffer. */
	dvmi_core_store(&s->core, c->id, now);
	dvmi_hook_begin(s, c, program, hook, now, DVMI_PHASE_RECORD);
	*next = now + s->hw->kernel_flush_call_ps;
	h->insn_ps = *next;
	return ret;
}

/* As far as the next event; the rest of the run comes when this CPU acts again. */
static int access_run(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		      uint64_t now, uint64_t *next)
{
	struct dvmi_tlbs_span span = {
		.accesses = s->accesses + r->va + c->accesses_done,
		.count = r->amount - c->accesses_done,
		.mm = r->mm ? mm_id(s, c, r->mm) : c->mm, .cpu = c->id, .asid = c->asid,
		.now_ps = now, .limit_ps = dvmi_evq_next_ps(&s->evq),
	};
	int ret = dvmi_tlbs_run(s->tlbs, &span, s->err);

	if (ret)
		return ret;
	s->stats.run_ps += span.done_ps - now;
	*next = span.done_ps;
	c->accesses_done += span.done;
	if (c->accesses_done < r->amount)
		c->next--;
	else
		c->accesses_done = 0;
	return 0;
}

static void batch_flush(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	const struct dvmi_program *program = s->program;
	struct dvmi_hook_run *h = &c->hook;

	memset(&h->request, 0, sizeof(h->request));
	h->user = false;
	h->flush = NULL;
	h->mm = h->prev = h->next = 0;
	if (program->hooks[DVMI_HOOK_BATCH_FLUSH] < 0)
		program = s->kernel_batch;
	dvmi_hook_begin(s, c, program, DVMI_HOOK_BATCH_FLUSH, now, DVMI_PHASE_RECORD);
}

/* ---- life ---- */

static void mm_new(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now)
{
	struct dvmi_hook_run *h = &c->hook;
	uint32_t mm = mm_id(s, c, r->mm);

	dvmi_words_reset(&s->words, DVMI_BASE_MM, mm, c->id);
	memset(&h->request, 0, sizeof(h->request));
	h->user = false;
	h->flush = NULL;
	h->mm = mm;
	h->prev = h->next = 0;
	dvmi_observe(s, (struct dvm_sim_event){ .kind = DVM_SIM_MM_NEW, .time_ps = now, .mm = mm,
						.parent = mm_id(s, c, r->id), .task = c->task,
						.cpu = c->id });
	dvmi_hook_begin(s, c, s->program, DVMI_HOOK_MM_NEW, now, DVMI_PHASE_RECORD);
}

static void mm_exit(const struct dvm_sim *s, const struct dvmi_cpu *c,
		    const struct dvm_trace_record *r, uint64_t now)
{
	dvmi_observe(s, (struct dvm_sim_event){ .kind = DVM_SIM_MM_EXIT, .time_ps = now,
						.mm = mm_id(s, c, r->mm), .task = c->task,
						.cpu = c->id });
}

static void task_new(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		     uint64_t now)
{
	uint32_t task = task_id(s, c, r->task);

	s->tasks[task].exists = true;
	s->tasks[task].mm = mm_id(s, c, r->mm);
	dvmi_words_reset(&s->words, DVMI_BASE_TASK, task, c->id);
	/* A new mm starts with one user. */
	if (r->flags & DVM_TRACE_F_THREAD)
		dvmi_words_mm_users(&s->words, s->tasks[task].mm, 1);
	dvmi_task_moved(s, task, now);
}

static void task_exit(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r)
{
	uint32_t mm = s->tasks[task_id(s, c, r->task)].mm;

	if (mm)
		dvmi_words_mm_users(&s->words, mm, -1);
}

/* ---- the stream ---- */

/* The record can not be executed yet: the CPU idles until it is told to try again. */
static void wait_here(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	c->waiting = true;
	c->next--;
	dvmi_cpu_set_idle(s, c, true, now);
	*next = DVMI_NEVER;
}

static int switch_record(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			 uint64_t now, uint64_t *next)
{
	if (!dvmi_switch_may_begin(s, c, r)) {
		wait_here(s, c, now, next);
		return 0;
	}
	dvmi_cpu_set_idle(s, c, false, now);
	dvmi_switch_begin(s, c, task_id(s, c, r->task), mm_id(s, c, r->mm), false);
	return 0;
}

static void sleep_record(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			 uint64_t now, uint64_t *next)
{
	dvmi_cpu_set_idle(s, c, true, now);
	*next = now + r->amount * 1000;
}

static void mark(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
		 uint64_t now)
{
	struct dvmi_work *w = &s->work[(size_t)c->copy * s->env->nmarks + r->id];

	w->count += r->amount;
	w->last_ps = now;
}

static int execute(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now, uint64_t *next)
{
	if (c->idle && c->task)
		dvmi_cpu_set_idle(s, c, false, now);
	switch (r->kind) {
	case DVM_TRACE_RUN:
		return run(s, c, run_time(s, r), now, next);
	case DVM_TRACE_OP_BEGIN:
		return r->flags & DVM_TRACE_F_MODELLED ?
			run(s, c, operation_ps(s, r), now, next) : 0;
	case DVM_TRACE_ACCESS_RUN:
		return r->amount ? access_run(s, c, r, now, next) : 0;
	case DVM_TRACE_FLUSH:
		return flush(s, c, r, now, next);
	case DVM_TRACE_BATCH_FLUSH:
		batch_flush(s, c, now);
		return 0;
	case DVM_TRACE_SWITCH:
		return switch_record(s, c, r, now, next);
	case DVM_TRACE_SLEEP:
		sleep_record(s, c, r, now, next);
		return 0;
	case DVM_TRACE_WAKE:
		dvmi_wake_done(s, &s->wakes[(size_t)c->copy * s->ids.wakes + r->id], c, now);
		return 0;
	case DVM_TRACE_MM_NEW:
		mm_new(s, c, r, now);
		return 0;
	case DVM_TRACE_MM_EXIT:
		mm_exit(s, c, r, now);
		return 0;
	case DVM_TRACE_TASK_NEW:
		task_new(s, c, r, now);
		return 0;
	case DVM_TRACE_TASK_EXIT:
		task_exit(s, c, r);
		return 0;
	case DVM_TRACE_EXEC:
		dvmi_switch_begin(s, c, c->task, mm_id(s, c, r->mm), true);
		return 0;
	case DVM_TRACE_MARK:
		mark(s, c, r, now);
		return 0;
	default:
		return 0; /* MIGRATE is said again by its SWITCH; OP_END and LOST take no time */
	}
}

static int record(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	c->waiting = false;
	if (c->next == c->count) {
		c->phase = DVMI_PHASE_DONE;
		dvmi_cpu_set_idle(s, c, true, now);
		*next = DVMI_NEVER;
		return 0;
	}
	return execute(s, c, &s->records[c->stream[c->next++]], now, next);
}

int dvmi_cpu_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t next = settle(s, c, now);
	int ret = 0;

	for (unsigned i = 0; next == now; i++) {
		if (i == INSTANT_MAX)
			return dvmi_error(s->err, DVM_EBUDGET, s->program->name,
					  "CPU %u executed %u steps without time passing", c->id,
					  INSTANT_MAX);
		if (c->phase == DVMI_PHASE_HOOK)
			ret = dvmi_hook_act(s, c, now, &next);
		else if (c->phase == DVMI_PHASE_SWITCH)
			ret = dvmi_switch_act(s, c, now, &next);
		else
			ret = record(s, c, now, &next);
		if (ret)
			return ret;
	}
	if (next != DVMI_NEVER)
		dvmi_evq_cpu_set(&s->evq, c->id, next);
	return 0;
}

int dvmi_cpu_stuck(const struct dvm_sim *s, struct dvm_error *err)
{
	for (unsigned n = 0; n < s->cpus_used; n++) {
		const struct dvmi_cpu *c = &s->cpus[n];

		if (c->phase != DVMI_PHASE_DONE)
			return dvmi_error_record(err, DVM_EFORMAT, "workload",
						 c->next < c->count ? c->stream[c->next] : 0,
						 "CPU %u waits here for ever: the wake-up, the birth or"
						 " the switch-out it needs never happens ('dvmsim trace"
						 " validate' may say more)", c->id);
	}
	return 0;
}
