/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

/* Which fields and flags each kind has; all others are 0. */
enum {
	VA = 1 << 0,
	AMOUNT = 1 << 1,
	TASK = 1 << 2,
	MM = 1 << 3,
	ID = 1 << 4,
	TARGET = 1 << 5,
	OP = 1 << 6,
	REQUEST = 1 << 7, /* and level and stride_shift */
};

#define INITIAL DVM_TRACE_F_INITIAL
#define INFERRED DVM_TRACE_F_INFERRED
#define FLUSH_FLAGS                                                                                \
	(DVM_TRACE_F_LEAF | DVM_TRACE_F_NOSYNC | DVM_TRACE_F_NOBROADCAST | DVM_TRACE_F_NONOTIFY |  \
	 DVM_TRACE_F_FREED_TABLES | DVM_TRACE_F_FOREIGN | DVM_TRACE_F_FULLMM)

static const struct {
	unsigned fields, flags;
} shapes[DVM_TRACE_KINDS] = {
	[DVM_TRACE_TASK_NEW] = { TASK | MM | ID,
				 INITIAL | INFERRED | DVM_TRACE_F_THREAD | DVM_TRACE_F_KTHREAD |
				 DVM_TRACE_F_SME },
	[DVM_TRACE_TASK_EXIT] = { TASK, INFERRED },
	[DVM_TRACE_MM_NEW] = { MM | ID | TASK, INITIAL | INFERRED },
	[DVM_TRACE_MM_EXIT] = { MM | TASK, INFERRED },
	[DVM_TRACE_EXEC] = { TASK | MM, INFERRED },
	[DVM_TRACE_SWITCH] = { TASK | MM | ID, INITIAL | INFERRED },
	[DVM_TRACE_MIGRATE] = { TASK | ID | TARGET, INFERRED },
	[DVM_TRACE_WAKE] = { TASK | ID | TARGET, INFERRED },
	[DVM_TRACE_RUN] = { TASK | AMOUNT, INFERRED | DVM_TRACE_F_TIME },
	[DVM_TRACE_SLEEP] = { AMOUNT, INFERRED },
	[DVM_TRACE_OP_BEGIN] = { TASK | MM | OP | VA | AMOUNT | ID,
				 INFERRED | INITIAL | DVM_TRACE_F_MODELLED | DVM_TRACE_F_SIMULATED },
	[DVM_TRACE_OP_END] = { TASK | MM | OP | VA | AMOUNT | ID, INFERRED | DVM_TRACE_F_SIMULATED },
	[DVM_TRACE_FLUSH] = { TASK | MM | OP | VA | AMOUNT | REQUEST, INFERRED | FLUSH_FLAGS },
	[DVM_TRACE_BATCH_FLUSH] = { TASK | MM | OP, INFERRED },
	[DVM_TRACE_ACCESS_RUN] = { TASK | MM | VA | AMOUNT, INFERRED },
	[DVM_TRACE_MARK] = { TASK | ID | AMOUNT, INFERRED },
	[DVM_TRACE_LOST] = { AMOUNT, 0 },
	[DVM_TRACE_THINK] = { TASK | AMOUNT, INFERRED },
	[DVM_TRACE_UNIT_BEGIN] = { TASK | ID, INFERRED },
	[DVM_TRACE_UNIT_END] = { TASK | ID, INFERRED },
	[DVM_TRACE_PUT] = { TASK | ID, INFERRED },
	[DVM_TRACE_GET] = { TASK | ID, INFERRED },
	[DVM_TRACE_ARRIVE] = { ID | AMOUNT, INITIAL | INFERRED },
	[DVM_TRACE_LOOP] = { TASK | AMOUNT, 0 },
};

static const char *check_shape(const struct dvm_trace_record *rec)
{
	unsigned fields = shapes[rec->kind].fields;

	if ((rec->va && !(fields & VA)) || (rec->amount && !(fields & AMOUNT)) ||
	    (rec->task && !(fields & TASK)) || (rec->mm && !(fields & MM)) ||
	    (rec->id && !(fields & ID)) || (rec->target && !(fields & TARGET)) ||
	    (rec->op && !(fields & OP)) || rec->reserved ||
	    ((rec->request || rec->level || rec->stride_shift) && !(fields & REQUEST)))
		return "a field is set that this kind does not have; it must be 0";
	if (rec->flags & ~shapes[rec->kind].flags)
		return "a flag is set that this kind does not have";
	return NULL;
}

static const char *check_operands(const struct dvm_trace_record *rec,
				  const struct dvm_trace_env *env)
{
	bool kernel = rec->request == DVM_TRACE_REQ_KERNEL;
	uint64_t span;

	if (rec->amount < 1 || rec->amount > (UINT64_C(1) << 40))
		return "amount: a flush of pages has from 1 to 2^40 of them";
	if (rec->request == DVM_TRACE_REQ_PAGE && rec->amount != 1)
		return "amount: a page flush has one page";
	if (rec->stride_shift < 12 || rec->stride_shift > 39)
		return "stride_shift: must be from 12 to 39";
	if (rec->va % env->page_bytes)
		return "va: must be a multiple of the page size";
	span = rec->amount * env->page_bytes;
	if (kernel && rec->va > UINT64_MAX - (span - 1))
		return "va: the range wraps around";
	if (!kernel && (rec->va >= UINT64_C(1) << env->va_bits ||
			span > (UINT64_C(1) << env->va_bits) - rec->va))
		return "va: the range leaves the user address space (va_bits)";
	return NULL;
}

static const char *check_flush(const struct dvm_trace_record *rec,
			       const struct dvm_trace_env *env)
{
	if (rec->request < DVM_TRACE_REQ_ASID || rec->request >= DVM_TRACE_REQUESTS)
		return "request: unknown value";
	if (rec->level > DVM_TRACE_LEVEL_UNKNOWN)
		return "level: must be 0 to 3, or 4 (unknown)";
	if (rec->request >= DVM_TRACE_REQ_KERNEL ? rec->mm != 0 : rec->mm == 0)
		return "mm: kernel and all requests have no mm, the others have one";
	if (rec->request == DVM_TRACE_REQ_ASID || rec->request == DVM_TRACE_REQ_ALL)
		return rec->va || rec->amount || rec->stride_shift ||
		       rec->level != DVM_TRACE_LEVEL_UNKNOWN ?
			"asid and all requests have no operand and level 4" : NULL;
	return check_operands(rec, env);
}

static const char *check_numbers(const struct dvm_trace_record *rec,
				 const struct dvm_trace_env *env)
{
	if (rec->time_ns > DVMI_TRACE_MAX_TIME)
		return "time_ns: larger than 2^62";
	if (rec->cpu >= env->ncpus)
		return "cpu: not below the header's ncpus";
	if (rec->task > DVM_TRACE_MAX_TASKS || rec->mm > DVM_TRACE_MAX_TASKS)
		return "task or mm: larger than the limit of 2^24";
	if (rec->target >= env->ncpus && rec->target)
		return "target: not below the header's ncpus";
	if (rec->op >= DVM_TRACE_OPS)
		return "op: unknown value";
	return NULL;
}

static const char *check_queueing(const struct dvm_trace_record *rec,
				  const struct dvm_trace_env *env)
{
	bool arrives = rec->kind == DVM_TRACE_ARRIVE;

	if (!arrives && !rec->task)
		return "task: must not be 0";
	if (rec->kind == DVM_TRACE_UNIT_END)
		return rec->id < env->nmarks ? NULL : "id: the header names no such mark";
	if (rec->id > DVM_TRACE_MAX_QUEUES || (!rec->id && (arrives || rec->kind == DVM_TRACE_GET)))
		return "id: queues are numbered from 1 to 2^20";
	if (arrives && !(rec->flags & INITIAL))
		return "flags: arrivals are initial";
	if (rec->kind == DVM_TRACE_LOOP && !rec->amount)
		return "amount: a loop goes back by at least 1 record";
	return rec->amount <= DVMI_TRACE_MAX_SPAN ? NULL : "amount: larger than 2^40";
}

/* Operations that touch every page of their range: so many at most. */
#define SIMULATED_TOUCH_PAGES (UINT64_C(1) << 20)

static const char *check_simulated(const struct dvm_trace_record *rec,
				   const struct dvm_trace_env *env)
{
	uint64_t user = UINT64_C(1) << env->va_bits;
	bool touches = (rec->op >= DVM_TRACE_OP_FAULT && rec->op <= DVM_TRACE_OP_FAULT_SPURIOUS) ||
		       rec->op == DVM_TRACE_OP_PTRACE ||
		       (rec->op == DVM_TRACE_OP_MMAP && rec->id & DVM_TRACE_D_POPULATE);

	if (rec->op != DVM_TRACE_OP_MREMAP && rec->id & ~(uint32_t)DVM_TRACE_D_ALL)
		return "id: unknown detail of a simulated operation";
	if (rec->op != DVM_TRACE_OP_KERNEL_MAP &&
	    (!rec->mm || rec->va >= user || rec->amount > user - rec->va))
		return "va: a simulated operation is about a range of some mm's user addresses";
	if (rec->op == DVM_TRACE_OP_MREMAP) {
		int64_t to = (int64_t)rec->va + (int64_t)(int32_t)rec->id * (int64_t)env->page_bytes;

		if (to < 0 || (uint64_t)to >= user || rec->amount > user - (uint64_t)to)
			return "id: the new place is outside the user addresses";
	}
	if (touches && rec->amount / env->page_bytes > SIMULATED_TOUCH_PAGES)
		return "amount: a simulated fault or populate has at most 2^20 pages";
	if (!(rec->flags & INITIAL) && !rec->task)
		return "task: a simulated operation has one";
	return NULL;
}

static const char *check_op(const struct dvm_trace_record *rec, const struct dvm_trace_env *env)
{
	if (!rec->op)
		return "op: must not be none";
	if (rec->amount > UINT64_MAX - rec->va)
		return "va: the range wraps around";
	if (rec->flags & DVM_TRACE_F_SIMULATED)
		return check_simulated(rec, env);
	if (rec->flags & INITIAL)
		return "flags: only simulated operations can be initial";
	if (rec->id || (rec->kind == DVM_TRACE_OP_END && (rec->va || rec->amount)))
		return "a field is set that only simulated operations have; it must be 0";
	return NULL;
}

const char *dvmi_trace_record_check(const struct dvm_trace_record *rec,
				    const struct dvm_trace_env *env, uint64_t naccesses)
{
	const char *bad;

	if (rec->kind < 1 || rec->kind >= DVM_TRACE_KINDS)
		return "kind: unknown value";
	bad = check_shape(rec);
	if (!bad)
		bad = check_numbers(rec, env);
	if (bad)
		return bad;
	switch (rec->kind) {
	case DVM_TRACE_TASK_NEW:
	case DVM_TRACE_TASK_EXIT:
		return !rec->task ? "task: must not be 0" :
		       rec->id > DVM_TRACE_MAX_TASKS ? "id: larger than the limit of 2^24" : NULL;
	case DVM_TRACE_MM_NEW:
	case DVM_TRACE_MM_EXIT:
		return !rec->mm ? "mm: must not be 0" :
		       rec->id > DVM_TRACE_MAX_TASKS ? "id: larger than the limit of 2^24" : NULL;
	case DVM_TRACE_EXEC:
		return rec->task && rec->mm ? NULL : "task and mm: must not be 0";
	case DVM_TRACE_SWITCH:
		return rec->mm && !rec->task ? "mm: idle has none" : NULL;
	case DVM_TRACE_MIGRATE:
		return !rec->task ? "task: must not be 0" :
		       rec->target != rec->cpu ? "target: must be the CPU of the record" :
		       rec->id >= env->ncpus ? "id: not below the header's ncpus" : NULL;
	case DVM_TRACE_WAKE:
		return rec->id ? NULL : "id: wake-ups are numbered from 1";
	case DVM_TRACE_RUN:
	case DVM_TRACE_SLEEP:
		return rec->amount <= DVMI_TRACE_MAX_SPAN ? NULL : "amount: larger than 2^40";
	case DVM_TRACE_OP_BEGIN:
	case DVM_TRACE_OP_END:
		return check_op(rec, env);
	case DVM_TRACE_FLUSH:
		return check_flush(rec, env);
	case DVM_TRACE_ACCESS_RUN:
		return rec->va > naccesses || rec->amount > naccesses - rec->va ?
			"accesses: beyond those that precede this record" : NULL;
	case DVM_TRACE_THINK:
	case DVM_TRACE_UNIT_BEGIN:
	case DVM_TRACE_UNIT_END:
	case DVM_TRACE_PUT:
	case DVM_TRACE_GET:
	case DVM_TRACE_ARRIVE:
	case DVM_TRACE_LOOP:
		return check_queueing(rec, env);
	case DVM_TRACE_MARK:
		return rec->id < env->nmarks ? NULL : "id: the header names no such mark";
	default:
		return NULL;
	}
}

const char *dvmi_trace_access_check(uint64_t access)
{
	uint64_t known = DVM_TRACE_ACCESS_VA | DVM_TRACE_ACCESS_WRITE | DVM_TRACE_ACCESS_FETCH;

	return access & ~known ? "an access has unknown bits set" : NULL;
}
