/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

/* Time that a task spends on a CPU: recorded work, the kernel's own part of an operation. */

static uint64_t walk_ps(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t ps)
{
	uint64_t walks, cost;

	if (!c->mm || s->tlbs)
		return 0;
	walks = dvmi_workset_run(s->workset, c->pcpu, c->mm, ps);
	if (!walks)
		return 0;
	/* Misses of one stretch of work overlap in the walkers; stage2.h has the cost of one. */
	cost = (walks + s->hw->tlb_walkers - 1) / s->hw->tlb_walkers * s->refill_ps;
	s->stats.tlb_refills += walks;
	s->stats.refill_ps += cost;
	return cost;
}

static int use(struct dvm_sim *s, const struct dvmi_cpu *c)
{
	return c->mm && !s->tlbs ? dvmi_oracle_use(s->oracle, c->pcpu, c->mm, s->err) : 0;
}

int dvmi_run(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t ps, uint64_t now, uint64_t *next)
{
	int ret = use(s, c);

	if (ret)
		return ret;
	s->stats.run_ps += ps;
	*next = now + ps + walk_ps(s, c, ps);
	return 0;
}

int dvmi_run_rest(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t ps, uint64_t now, uint64_t *next)
{
	int ret = use(s, c);

	if (ret)
		return ret;
	*next = now + ps + walk_ps(s, c, ps);
	return 0;
}

int dvmi_run_elsewhere(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t *ps)
{
	int ret = use(s, c);

	*ps += ret ? 0 : walk_ps(s, c, *ps);
	return ret;
}

uint64_t dvmi_run_time(const struct dvm_sim *s, const struct dvm_trace_record *r)
{
	return r->flags & DVM_TRACE_F_TIME ? r->amount * 1000 :
	       r->amount / 1000 * s->kinsn_ps + r->amount % 1000 * s->kinsn_ps / 1000;
}

/* The kernel's own work in an operation that the trace does not spell out as instructions. */
uint64_t dvmi_operation_ps(const struct dvm_sim *s, const struct dvm_trace_record *r)
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
