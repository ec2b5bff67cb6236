/* SPDX-License-Identifier: MIT */
/* The stream of tools/capture/plugin.c: 40-byte records, in the order they happened. */
#include "import.h"
#include "import_tlbi.h"
#include "import_world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 40
#define PAGE UINT64_C(4096)
#define HOOKS 256
#define NEW_MMS 256 /* that are between mm_init() and wake_up_new_task() at a time */
#define DSB_ISH 0xd5033b9fu
#define DSB_ISHST 0xd5033a9fu

enum { TLBI = 1, DSB, MSR = 5, HOOK };

/* Functions that mean something here; HOOK_OTHER are passed over. */
enum hook {
	HOOK_OTHER, HOOK_MARK, HOOK_SWITCH, HOOK_MM_SWITCH, HOOK_TRY_WAKE, HOOK_WOKEN,
	HOOK_NEW_TASK, HOOK_NEW_MM, HOOK_EXEC, HOOK_COMM, HOOK_EXIT, HOOK_EXIT_MMAP, HOOK_USER,
	HOOK_FAULT, HOOK_CLEAR_FLUSH, HOOK_ACCESS, HOOK_PMD, HOOK_CONTPTE, HOOK_FLUSH,
	HOOK_FINISH, HOOK_MIGRATE_PAGES, HOOK_BATCH_ADD, HOOK_BATCH_FLUSH, HOOK_MMAP,
	HOOK_MUNMAP, HOOK_MPROTECT, HOOK_MADVISE, HOOK_MREMAP, HOOK_BRK, HOOK_EPOLL,
};

static const struct {
	const char *name;
	enum hook hook;
} known[] = {
	{ "__arm64_sys_sethostname", HOOK_MARK }, { "__switch_to", HOOK_SWITCH },
	{ "check_and_switch_context", HOOK_MM_SWITCH }, { "try_to_wake_up", HOOK_TRY_WAKE },
	{ "ttwu_do_activate", HOOK_WOKEN }, { "wake_up_new_task", HOOK_NEW_TASK },
	{ "mm_init", HOOK_NEW_MM }, { "begin_new_exec", HOOK_EXEC },
	{ "__set_task_comm", HOOK_COMM }, { "do_exit", HOOK_EXIT },
	{ "exit_mmap", HOOK_EXIT_MMAP }, { "ret_to_user", HOOK_USER },
	{ "handle_mm_fault", HOOK_FAULT }, { "ptep_clear_flush", HOOK_CLEAR_FLUSH },
	{ "__ptep_set_access_flags", HOOK_ACCESS }, { "pmdp_invalidate", HOOK_PMD },
	{ "contpte_convert", HOOK_CONTPTE }, { "tlb_flush", HOOK_FLUSH },
	{ "tlb_finish_mmu", HOOK_FINISH }, { "migrate_pages", HOOK_MIGRATE_PAGES },
	{ "set_tlb_ubc_flush_pending", HOOK_BATCH_ADD },
	{ "try_to_unmap_flush", HOOK_BATCH_FLUSH }, { "__arm64_sys_mmap", HOOK_MMAP },
	{ "__arm64_sys_munmap", HOOK_MUNMAP }, { "__arm64_sys_mprotect", HOOK_MPROTECT },
	{ "__arm64_sys_madvise", HOOK_MADVISE }, { "__arm64_sys_mremap", HOOK_MREMAP },
	{ "__arm64_sys_brk", HOOK_BRK }, { "__arm64_sys_epoll_pwait", HOOK_EPOLL },
};

/* What the next flush of a task is about (world_about.what). */
enum { ABOUT_NOTHING, ABOUT_CLEAR_FLUSH, ABOUT_ACCESS, ABOUT_PMD, ABOUT_CONTPTE, ABOUT_GATHER,
       ABOUT_BATCH };

/* struct mmu_gather of 6.12, the word after start and end. */
enum { GATHER_FULLMM = 1 << 0, GATHER_FREED_TABLES = 1 << 2, GATHER_PTES = 1 << 4,
       GATHER_PMDS = 1 << 5, GATHER_PUDS = 1 << 6 };

enum { MARK_FORKS, MARK_MUNMAPS, MARK_REDIS_BATCHES, MARKS };
static const char *const mark_names[MARKS] = { "forks", "munmaps", "redis_batches" };

struct event {
	uint64_t time_ns, insns, value;
	unsigned kind, cpu, arg;
	uint32_t word;
};

/* TLBIs of one request, from the first to the DSB that completes them. */
struct group {
	bool open, leaf, asid_wide;
	enum tlbi_scope scope;
	size_t at; /* its FLUSH record */
	uint64_t low, high, count;
	uint16_t asid;
	uint8_t level;
	struct world_task *task;
};

struct counts {
	uint64_t tlbis, dummies, local, other, user, user_mm, user_cause, kernel, requests;
	uint64_t disagree; /* the hook's mm and the ASID's differ */
};

struct import {
	struct world world;
	const struct import_options *opt;
	struct { enum hook hook; unsigned pieces; } hooks[HOOKS];
	unsigned nhooks;
	uint64_t args[4], memory[4]; /* of the hook being collected */
	unsigned got, marks;
	struct {
		struct world_task *switch_to;
		struct world_mm *installing;
		struct group group;
	} cpus[WORLD_CPUS];
	struct world_mm *asids[65536];
	struct counts counts;
};

static struct world_task *current(struct import *im, unsigned cpu)
{
	return im->world.cpus[cpu].current;
}

/* ---- flushes ---- */

static uint8_t fault_cause(const struct world_task *t)
{
	return t->depth ? t->ops[t->depth - 1].op : DVM_TRACE_OP_NONE;
}

/* A fault whose kind has become known: its OP_BEGIN says so, and its OP_END will. */
static uint8_t know_fault(struct import *im, struct world_task *t, uint8_t op)
{
	struct world_op *last = t->depth ? &t->ops[t->depth - 1] : NULL;

	if (last && last->op == DVM_TRACE_OP_FAULT && last->begin != NONE) {
		last->op = op;
		im->world.records[last->begin].op = op;
	}
	return op;
}

static uint8_t cause_of(struct import *im, struct world_task *t, const struct group *g)
{
	uint8_t op;

	if (g->scope == TLBI_VA_ALL_ASIDS)
		return DVM_TRACE_OP_KERNEL_MAP;
	switch (t->about.what) {
	case ABOUT_CLEAR_FLUSH:
		return t->migrating ? DVM_TRACE_OP_MIGRATE_PAGE :
				      know_fault(im, t, DVM_TRACE_OP_FAULT_COW);
	case ABOUT_ACCESS:
		return know_fault(im, t, DVM_TRACE_OP_FAULT_WP_REUSE);
	case ABOUT_PMD:
		return DVM_TRACE_OP_THP_SPLIT;
	case ABOUT_CONTPTE:
		return DVM_TRACE_OP_CONTPTE;
	case ABOUT_BATCH:
		return t->migrating ? DVM_TRACE_OP_MIGRATE_PAGE : DVM_TRACE_OP_RECLAIM;
	default:
		break;
	}
	op = world_op(t);
	if (!op)
		op = fault_cause(t);
	return op ? op : DVM_TRACE_OP_OTHER;
}

static struct world_mm *mm_of(struct import *im, const struct world_task *t,
			      const struct group *g)
{
	struct world_mm *by_asid = im->asids[g->asid], *by_hook = NULL;

	if (t->about.mm)
		by_hook = world_mm(&im->world, t->about.mm);
	if (by_hook && by_asid && g->asid && by_hook != by_asid)
		im->counts.disagree += im->world.active;
	return by_hook ? by_hook : g->asid ? by_asid : NULL;
}

/* A mmu_gather knows exactly what was asked for; otherwise it is what the operands cover. */
static void fill_range(const struct world_task *t, const struct group *g,
		       struct dvm_trace_record *r)
{
	uint64_t low = g->low, high = g->high;

	r->stride_shift = t->about.what == ABOUT_PMD ? 21 : 12;
	if (t->about.what == ABOUT_GATHER) {
		low = t->about.start;
		high = t->about.end;
		r->stride_shift = t->about.bits & GATHER_PTES ? 12 :
				  t->about.bits & GATHER_PMDS ? 21 :
				  t->about.bits & GATHER_PUDS ? 30 : 12;
	}
	if (t->about.what == ABOUT_PMD)
		high = low + (UINT64_C(1) << 21);
	low &= ~(PAGE - 1);
	high = (high + PAGE - 1) & ~(PAGE - 1);
	r->va = low;
	r->amount = high > low ? (high - low) / PAGE : 1;
	r->request = r->amount == 1 && t->about.what != ABOUT_GATHER ? DVM_TRACE_REQ_PAGE :
								  DVM_TRACE_REQ_RANGE;
	r->level = g->level;
}

static void fill_flush(struct import *im, struct world_task *t, const struct group *g,
		       struct dvm_trace_record *r)
{
	struct world_mm *mm = mm_of(im, t, g);

	r->kind = DVM_TRACE_FLUSH;
	r->task = world_task_id(&im->world, t);
	r->op = cause_of(im, t, g);
	r->level = DVM_TRACE_LEVEL_UNKNOWN;
	im->counts.requests++;
	if (g->leaf)
		r->flags |= DVM_TRACE_F_LEAF;
	if (g->scope == TLBI_ALL || g->scope == TLBI_VA_ALL_ASIDS) {
		r->request = DVM_TRACE_REQ_ALL;
		if (g->scope == TLBI_VA_ALL_ASIDS) {
			fill_range(t, g, r);
			r->request = DVM_TRACE_REQ_KERNEL;
		}
		return;
	}
	im->counts.user_cause += r->op != DVM_TRACE_OP_OTHER ? g->count : 0;
	if (!mm || mm->dead) {
		r->kind = 0; /* the report says how many */
		return;
	}
	im->counts.user_mm += g->count;
	r->mm = world_mm_id(&im->world, mm);
	if (t->about.what == ABOUT_GATHER && t->about.bits & GATHER_FULLMM)
		r->flags |= DVM_TRACE_F_FULLMM;
	else if (mm != t->mm)
		r->flags |= DVM_TRACE_F_FOREIGN;
	if (t->about.what == ABOUT_GATHER && t->about.bits & GATHER_FREED_TABLES)
		r->flags |= DVM_TRACE_F_FREED_TABLES;
	/* A range too long for single operations is flushed by ASID; what was asked for is the range. */
	if (g->asid_wide && (t->about.what != ABOUT_GATHER || r->flags & DVM_TRACE_F_FULLMM))
		r->request = DVM_TRACE_REQ_ASID;
	else
		fill_range(t, g, r);
}

static void group_close(struct import *im, unsigned cpu, bool synced)
{
	struct group *g = &im->cpus[cpu].group;
	struct world_task *t = g->task;
	struct dvm_trace_record *r;

	if (!g->open)
		return;
	g->open = false;
	if (im->world.active && g->at != NONE) {
		struct dvm_trace_record filled = im->world.records[g->at];

		/* Ids given here must not move the record under our feet. */
		fill_flush(im, t, g, &filled);
		r = &im->world.records[g->at];
		if (!synced && filled.kind) {
			filled.flags |= DVM_TRACE_F_NOSYNC;
			if (t->about.what != ABOUT_BATCH)
				filled.op = DVM_TRACE_OP_YOUNG_CLEAR;
			else
				t->batch = true;
		}
		*r = filled;
	}
	t->about = t->outer;
	t->outer = (struct world_about){ 0 };
}

static void on_tlbi(struct import *im, const struct event *e)
{
	struct tlbi op = tlbi_decode(e->word, e->value);
	struct group *g = &im->cpus[e->cpu].group;
	bool user = op.scope == TLBI_ASID || op.scope == TLBI_VA;
	struct world_task *t = current(im, e->cpu);

	if (im->world.active) {
		im->counts.tlbis++;
		im->counts.dummies += op.dummy;
		im->counts.local += !op.dummy && op.local;
		im->counts.other += op.scope == TLBI_NOT_MODELLED;
		im->counts.user += !op.dummy && user;
		im->counts.kernel += !op.dummy && !user && op.scope != TLBI_NOT_MODELLED;
	}
	if (op.dummy || op.local || op.scope == TLBI_NOT_MODELLED || !t)
		return;
	if (g->open && g->scope != op.scope)
		group_close(im, e->cpu, false);
	if (!g->open) {
		*g = (struct group){ .open = true, .leaf = op.leaf, .scope = op.scope, .task = t,
				     .asid = op.asid, .level = op.level, .low = UINT64_MAX };
		world_emit(&im->world, e->cpu, 0);
		g->at = world_last(&im->world);
	}
	g->count++;
	g->asid_wide = op.scope == TLBI_ASID;
	g->leaf &= op.leaf;
	if (op.level != g->level)
		g->level = DVM_TRACE_LEVEL_UNKNOWN;
	if (op.va < g->low)
		g->low = op.va;
	if (op.va + op.bytes > g->high)
		g->high = op.va + op.bytes;
}

static void on_dsb(struct import *im, const struct event *e)
{
	if (e->word == DSB_ISH || e->word == DSB_ISHST)
		group_close(im, e->cpu, e->word == DSB_ISH);
}

/* ---- tasks, mms, CPUs ---- */

/* The mm is gone once the task goes on to something else. */
static void finish_exit(struct import *im, unsigned cpu)
{
	struct world_task *t = current(im, cpu);
	struct dvm_trace_record *r;
	uint32_t mm, task;

	if (!t || !t->exit_ready || !t->exit_mm)
		return;
	mm = t->exit_mm->id || t->exit_mm->born ? world_mm_id(&im->world, t->exit_mm) : 0;
	task = world_task_id(&im->world, t);
	if (mm) {
		r = world_emit(&im->world, cpu, DVM_TRACE_MM_EXIT);
		r->mm = mm;
		r->task = task;
	}
	t->exit_mm->dead = true;
	t->exit_mm = NULL;
	t->exit_ready = false;
}

/* CONTEXTIDR_EL1 is written with the PID inside __switch_to(): 0 is idle. */
static void on_contextidr(struct import *im, const struct event *e)
{
	struct world_task *next = im->cpus[e->cpu].switch_to;

	im->cpus[e->cpu].switch_to = NULL;
	if (!next)
		return;
	if (!e->value)
		next->idle = true;
	world_switch(&im->world, e->cpu, next);
}

static void on_msr(struct import *im, const struct event *e)
{
	struct world_mm *mm = im->cpus[e->cpu].installing;
	unsigned crn = e->word >> 12 & 15, op2 = e->word >> 5 & 7;

	if (crn == 13)
		on_contextidr(im, e);
	else if (op2 == 1 && mm) { /* TTBR1_EL1 holds the ASID (TCR_EL1.A1) */
		im->asids[e->value >> 48] = mm;
		im->cpus[e->cpu].installing = NULL;
	}
}

static void on_mm_switch(struct import *im, unsigned cpu, uint64_t address)
{
	struct world_task *t = current(im, cpu);
	struct world_mm *mm = world_mm(&im->world, address);
	struct dvm_trace_record *r;
	uint32_t task, id;

	im->cpus[cpu].installing = mm;
	if (!mm || !t || !t->execing || mm->owner != t->address || mm == t->mm)
		return;
	t->execing = false;
	task = world_task_id(&im->world, t);
	id = world_mm_id(&im->world, mm);
	t->mm = mm;
	r = world_emit(&im->world, cpu, DVM_TRACE_EXEC);
	r->task = task;
	r->mm = id;
}

/* mm_init(mm, task): of a task that is being made (fork), or of the task itself (exec). */
static void on_new_mm(struct import *im, unsigned cpu, uint64_t address, uint64_t owner)
{
	struct world_task *t = current(im, cpu);
	struct world_mm *mm = world_new_mm(&im->world, address), *parent = NULL;
	struct dvm_trace_record *r;
	uint32_t id, from;

	mm->owner = owner;
	if (t && t->address != owner) {
		parent = t->mm;
		mm->unborn = true;
		world_op_begin(&im->world, cpu, DVM_TRACE_OP_FORK, parent, 0, 0);
	}
	id = world_mm_id(&im->world, mm);
	from = world_mm_id(&im->world, parent);
	r = world_emit(&im->world, cpu, DVM_TRACE_MM_NEW);
	r->mm = id;
	r->id = from;
}

static void mark(struct import *im, unsigned cpu, uint32_t which)
{
	uint32_t task = world_task_id(&im->world, current(im, cpu));
	struct dvm_trace_record *r = world_emit(&im->world, cpu, DVM_TRACE_MARK);

	r->task = task;
	r->id = which;
	r->amount = 1;
}

/* The mm made last for a task that did not exist yet; a thread has its parent's. */
static struct world_mm *mm_of_new_task(struct import *im, uint64_t address,
				       const struct world_task *parent, bool *fork)
{
	const struct world *w = &im->world;

	for (size_t i = w->nmms; i-- > 0 && w->nmms - i <= NEW_MMS;) {
		struct world_mm *mm = w->mms[i];

		if (mm->owner != address || !mm->unborn)
			continue;
		mm->unborn = false;
		*fork = true;
		return mm;
	}
	*fork = false;
	return parent ? parent->mm : NULL;
}

static void on_new_task(struct import *im, unsigned cpu, uint64_t address)
{
	struct world_task *parent = current(im, cpu), *t;
	struct dvm_trace_record *r;
	uint32_t id, from, mm;
	bool fork;

	t = world_new_task(&im->world, address);
	t->mm = mm_of_new_task(im, address, parent, &fork);
	if (parent)
		memcpy(t->comm, parent->comm, sizeof(t->comm));
	from = world_task_id(&im->world, parent);
	id = world_task_id(&im->world, t);
	mm = world_mm_id(&im->world, t->mm);
	r = world_emit(&im->world, cpu, DVM_TRACE_TASK_NEW);
	r->task = id;
	r->mm = mm;
	r->id = from;
	r->flags = !t->mm ? DVM_TRACE_F_KTHREAD : fork ? 0 : DVM_TRACE_F_THREAD;
	world_try_wake(&im->world, cpu, t);
	world_woken(&im->world, t);
	if (fork && parent && parent->mm)
		mark(im, cpu, MARK_FORKS);
	if (fork && parent && parent->depth &&
	    parent->ops[parent->depth - 1].op == DVM_TRACE_OP_FORK)
		world_op_end(&im->world, cpu, 0);
}

static bool is_fault(uint8_t op)
{
	return op >= DVM_TRACE_OP_FAULT && op <= DVM_TRACE_OP_FAULT_SPURIOUS;
}

/* A fault taken by the kernel itself does not return to user mode: the next event ends it. */
static void end_fault(struct import *im, unsigned cpu)
{
	struct world_task *t = current(im, cpu);

	while (t && t->depth && is_fault(t->ops[t->depth - 1].op))
		world_op_end(&im->world, cpu, DVM_TRACE_F_INFERRED);
}

static void on_user(struct import *im, unsigned cpu)
{
	struct world_task *t = current(im, cpu);

	if (!t)
		return;
	t->about = t->outer = (struct world_about){ 0 };
	t->migrating = false;
	while (t->depth)
		world_op_end(&im->world, cpu, 0);
}

static void on_fault(struct import *im, unsigned cpu)
{
	end_fault(im, cpu);
	world_op_begin(&im->world, cpu, DVM_TRACE_OP_FAULT, world_mm(&im->world, im->memory[0]),
		       im->args[1] & ~(PAGE - 1), PAGE);
}

static void on_syscall(struct import *im, unsigned cpu, uint8_t op)
{
	struct world_task *t = current(im, cpu);

	end_fault(im, cpu);
	world_op_begin(&im->world, cpu, op, t ? t->mm : NULL, im->memory[0], im->memory[1]);
}

static void about(struct import *im, unsigned cpu, int what, uint64_t mm)
{
	struct world_task *t = current(im, cpu);

	group_close(im, cpu, false);
	if (!t)
		return;
	/* Contiguous entries are taken apart inside the others. */
	t->outer = what == ABOUT_CONTPTE ? t->about : (struct world_about){ 0 };
	t->about = (struct world_about){ what, mm, im->memory[1], im->memory[2], im->memory[3] };
}

static void on_batch_flush(struct import *im, unsigned cpu)
{
	struct world_task *t = current(im, cpu);
	struct dvm_trace_record *r;
	uint32_t task;

	group_close(im, cpu, false);
	if (!t || !t->batch)
		return;
	t->batch = false;
	task = world_task_id(&im->world, t);
	r = world_emit(&im->world, cpu, DVM_TRACE_BATCH_FLUSH);
	r->task = task;
	r->op = t->migrating ? DVM_TRACE_OP_MIGRATE_PAGE : DVM_TRACE_OP_RECLAIM;
}

static void on_exit_task(struct import *im, unsigned cpu)
{
	struct world_task *t = current(im, cpu);

	if (!t)
		return;
	end_fault(im, cpu);
	t->exiting = true;
	world_op_begin(&im->world, cpu, DVM_TRACE_OP_EXIT, t->mm, 0, 0);
}

static void on_mark(struct import *im)
{
	im->marks++;
	if (im->marks == im->opt->from)
		world_begin(&im->world);
	if (im->opt->to && im->marks == im->opt->to)
		im->world.active = false;
}

static void on_comm(struct import *im)
{
	struct world_task *t = world_task(&im->world, im->args[0]);

	memcpy(t->comm, im->memory, sizeof(t->comm));
	t->comm[sizeof(t->comm) - 1] = '\0';
}

static void on_epoll(struct import *im, unsigned cpu)
{
	const struct world_task *t = current(im, cpu);

	if (t && !strcmp(t->comm, "redis-server"))
		mark(im, cpu, MARK_REDIS_BATCHES);
}

/* Hooks that can fire in an interrupt say nothing about what the task is doing. */
static bool from_interrupt(enum hook hook)
{
	return hook == HOOK_TRY_WAKE || hook == HOOK_WOKEN || hook == HOOK_OTHER;
}

static void on_hook(struct import *im, unsigned cpu, enum hook hook)
{
	struct world_task *t = current(im, cpu);

	if (hook != HOOK_FLUSH && !from_interrupt(hook))
		finish_exit(im, cpu);
	switch (hook) {
	case HOOK_MARK: on_mark(im); break;
	case HOOK_SWITCH:
		group_close(im, cpu, false);
		im->cpus[cpu].switch_to = world_task(&im->world, im->args[1]);
		break;
	case HOOK_MM_SWITCH: on_mm_switch(im, cpu, im->args[0]); break;
	case HOOK_TRY_WAKE:
		world_try_wake(&im->world, cpu, world_task(&im->world, im->args[0]));
		break;
	case HOOK_WOKEN: world_woken(&im->world, world_task(&im->world, im->args[1])); break;
	case HOOK_NEW_TASK: on_new_task(im, cpu, im->args[0]); break;
	case HOOK_NEW_MM: on_new_mm(im, cpu, im->args[0], im->args[1]); break;
	case HOOK_EXEC:
		if (t) {
			end_fault(im, cpu);
			t->execing = true;
			world_op_begin(&im->world, cpu, DVM_TRACE_OP_EXEC, t->mm, 0, 0);
		}
		break;
	case HOOK_COMM: on_comm(im); break;
	case HOOK_EXIT: on_exit_task(im, cpu); break;
	case HOOK_EXIT_MMAP:
		if (t)
			t->exit_mm = world_mm(&im->world, im->args[0]);
		break;
	case HOOK_FINISH:
		if (t && t->exit_mm)
			t->exit_ready = true;
		break;
	case HOOK_USER: group_close(im, cpu, false); on_user(im, cpu); break;
	case HOOK_FAULT: on_fault(im, cpu); break;
	case HOOK_CLEAR_FLUSH: about(im, cpu, ABOUT_CLEAR_FLUSH, im->memory[0]); break;
	case HOOK_ACCESS: about(im, cpu, ABOUT_ACCESS, im->memory[0]); break;
	case HOOK_PMD: about(im, cpu, ABOUT_PMD, im->memory[0]); break;
	case HOOK_CONTPTE: about(im, cpu, ABOUT_CONTPTE, im->args[0]); break;
	case HOOK_FLUSH: about(im, cpu, ABOUT_GATHER, im->memory[0]); break;
	case HOOK_MIGRATE_PAGES:
		if (t)
			t->migrating = true;
		break;
	case HOOK_BATCH_ADD: about(im, cpu, ABOUT_BATCH, im->args[0]); break;
	case HOOK_BATCH_FLUSH: on_batch_flush(im, cpu); break;
	case HOOK_MMAP: on_syscall(im, cpu, DVM_TRACE_OP_MMAP); break;
	case HOOK_MUNMAP:
		on_syscall(im, cpu, DVM_TRACE_OP_MUNMAP);
		mark(im, cpu, MARK_MUNMAPS);
		break;
	case HOOK_MPROTECT: on_syscall(im, cpu, DVM_TRACE_OP_MPROTECT); break;
	case HOOK_MADVISE: on_syscall(im, cpu, DVM_TRACE_OP_MADVISE); break;
	case HOOK_MREMAP: on_syscall(im, cpu, DVM_TRACE_OP_MREMAP); break;
	case HOOK_BRK: im->memory[1] = 0; on_syscall(im, cpu, DVM_TRACE_OP_BRK); break;
	case HOOK_EPOLL: on_epoll(im, cpu); break;
	default: break;
	}
}

/* ---- the stream ---- */

static int fail(struct dvm_error *err, int code, const char *where, uint64_t record,
		const char *fmt, ...)
{
	va_list ap;

	*err = (struct dvm_error){ .code = code, .record = record };
	snprintf(err->where, sizeof(err->where), "%s", where);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

/* "address name arguments [register+offset ...]", in the order of the plugin's hook numbers */
static int read_hooks(struct import *im, struct dvm_error *err)
{
	const char *name = im->opt->hooks;
	FILE *f = fopen(name, "r");
	char line[256], word[64];
	bool has_switch = false;

	if (!f)
		return fail(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, name, UINT64_MAX, "%s",
			    strerror(errno));
	while (im->nhooks < HOOKS && fgets(line, sizeof(line), f)) {
		int args = 0, used = 0;

		if (sscanf(line, "%*x %63s %d%n", word, &args, &used) < 2 || args < 0 || args > 5)
			continue;
		for (const char *p = line + used; (p = strchr(p, '+')); p++)
			args++;
		im->hooks[im->nhooks].pieces = args ? (unsigned)args : 1;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strcmp(known[i].name, word))
				im->hooks[im->nhooks].hook = known[i].hook;
		has_switch |= im->hooks[im->nhooks].hook == HOOK_SWITCH;
		im->nhooks++;
	}
	fclose(f);
	return has_switch ? 0 :
		fail(err, DVM_EFORMAT, name, UINT64_MAX, "has no __switch_to; without it nobody "
		     "knows which task runs on which CPU. Capture with tools/capture/hooks");
}

static uint64_t get(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void take_piece(struct import *im, const struct event *e)
{
	uint32_t number = e->word >> 8;

	if (number >= im->nhooks)
		return;
	if (e->arg < 4)
		im->args[e->arg] = e->value;
	else if (e->arg >= 16 && e->arg < 20)
		im->memory[e->arg - 16] = e->value;
	if (++im->got < im->hooks[number].pieces)
		return;
	im->got = 0;
	on_hook(im, e->cpu, im->hooks[number].hook);
	memset(im->memory, 0, sizeof(im->memory));
}

static const char *take_event(struct import *im, const unsigned char *p)
{
	struct event e = { get(p, 8), get(p + 8, 8), get(p + 24, 8), (unsigned)get(p + 32, 2),
			   p[34], p[35], (uint32_t)get(p + 36, 4) };
	struct world_cpu *c;

	if (e.cpu >= WORLD_CPUS)
		return "CPU number too large";
	c = &im->world.cpus[e.cpu];
	if (e.time_ns < im->world.now || e.time_ns >> 60)
		return "time goes back: not a stream of tools/capture/plugin.c";
	if (e.insns < c->insns)
		return "an instruction count goes back: not a stream of tools/capture/plugin.c";
	im->world.now = e.time_ns;
	c->insns = e.insns;
	if (e.cpu >= im->world.ncpus)
		im->world.ncpus = e.cpu + 1;
	if (e.kind == TLBI)
		on_tlbi(im, &e);
	else if (e.kind == DSB)
		on_dsb(im, &e);
	else if (e.kind == MSR)
		on_msr(im, &e);
	else if (e.kind == HOOK)
		take_piece(im, &e);
	return NULL;
}

static int read_stream(struct import *im, const char *path, struct dvm_error *err)
{
	enum { BATCH = 4096 };
	static unsigned char buf[BATCH * RECORD_BYTES];
	FILE *f = fopen(path, "rb");
	uint64_t record = 0;
	const char *bad = NULL;
	size_t n = 0;

	if (!f)
		return fail(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, UINT64_MAX, "%s",
			    strerror(errno));
	while (!bad && (n = fread(buf, 1, sizeof(buf), f)) > 0) {
		for (size_t i = 0; i + RECORD_BYTES <= n && !bad; i += RECORD_BYTES, record++)
			bad = take_event(im, buf + i);
		if (!bad && n % RECORD_BYTES)
			bad = "the stream ends in the middle of a record";
	}
	if (ferror(f))
		bad = strerror(errno);
	fclose(f);
	if (bad)
		return fail(err, DVM_EFORMAT, path, record, "%s", bad);
	for (unsigned i = 0; i < im->world.ncpus; i++)
		group_close(im, i, false);
	if (!im->world.nrecords)
		return fail(err, DVM_ENOENT, path, UINT64_MAX,
			    "the window is empty: the stream has %u marks", im->marks);
	return 0;
}

/* ---- the trace ---- */

static void put_text(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 7 < size; text++) {
		if ((unsigned char)*text < 0x20)
			continue;
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n] = '\0';
}

static void put_key(FILE *f, const char *key, const char *text)
{
	char escaped[4096];

	if (!text)
		return;
	put_text(escaped, sizeof(escaped), text);
	fprintf(f, "\"%s\":\"%s\",", key, escaped);
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static void put_counts(FILE *f, const struct counts *c, const char *begin, const char *end,
		       const char *sep)
{
	fprintf(f, "%s%" PRIu64 " TLBIs: %" PRIu64 " of user addresses, %" PRIu64 " of kernel "
		"addresses, %" PRIu64 " dummies of the repeated-TLBI workaround (dropped), %" PRIu64
		" local (dropped), %" PRIu64 " not of EL1 (dropped)%s%s", begin, c->tlbis, c->user,
		c->kernel, c->dummies, c->local, c->other, end, sep);
	fprintf(f, "%suser TLBIs attributed to an mm: %" PRIu64 " (%.2f %%), to a cause: %" PRIu64
		" (%.2f %%); %" PRIu64 " requests whose ASID and hook name different mms%s%s", begin,
		c->user_mm, share(c->user_mm, c->user), c->user_cause,
		share(c->user_cause, c->user), c->disagree, end, sep);
	fprintf(f, "%s%" PRIu64 " flush requests%s", begin, c->requests, end);
}

static const char fixed_keys[] =
"\"page_bytes\":4096,\"va_bits\":48,"
"\"features\":{\"tlbi_range\":true,\"kpti\":false,\"cnp\":true,\"repeat_tlbi\":true},"
"\"clock\":\"virtual time of the emulator: 8 ns per instruction, shared by all CPUs, of which one "
"runs at a time; information only\","
"\"recorded\":[\"every TLBI with its operand, every DSB\",\"task switches, wake-ups with waker, "
"births and ends of tasks and mms, exec\",\"operations: fault, fork, exec, exit, mmap, munmap, "
"mprotect, madvise, mremap, brk\",\"per CPU, instructions executed; those of the flush sequences "
"are part of RUN\"],"
"\"not_recorded\":["
"{\"what\":\"true compute time\",\"filled\":\"RUN holds instruction counts (exact to one translated "
"block, CPU changes to 64 instructions); the simulated CPU turns them into time\"},"
"{\"what\":\"why an idle CPU took an interrupt\",\"filled\":\"when an idle CPU wakes a task, it "
"SLEEPs for the virtual time since it became idle (or since its last such wake-up): a timer or a "
"device\"},"
"{\"what\":\"why a task starts on an idle CPU without a wake-up (balancing)\",\"filled\":\"a SLEEP, "
"flagged inferred, of the virtual time since the CPU became idle\"},"
"{\"what\":\"interrupts and work done by idle CPUs\",\"filled\":\"not in the trace; an interrupt's "
"instructions count for the task it interrupts\"},"
"{\"what\":\"ends of faults taken by the kernel itself\",\"filled\":\"OP_END at the next event, "
"flagged inferred\"},"
"{\"what\":\"kinds of faults that flush nothing\",\"filled\":\"operation fault\"},"
"{\"what\":\"memory accesses\",\"filled\":\"none\"},"
"{\"what\":\"true concurrency\",\"filled\":\"one CPU runs at a time under -icount; the records of "
"one CPU are exact, their order against those of others is that of the emulator\"}],";

static bool wanted(const struct import *im, unsigned mark)
{
	const char *const *list = im->opt->marks;

	if (!list || !*list)
		return true;
	for (; *list; list++)
		if (!strcmp(*list, mark_names[mark]))
			return true;
	return false;
}

/* Keep the marks that are wanted and occur, numbered anew; @f gets their names. */
static void select_marks(struct import *im, FILE *f)
{
	struct world *w = &im->world;
	unsigned number[MARKS], n = 0;
	bool occurs[MARKS] = { false };
	size_t kept = 0;

	for (size_t i = 0; i < w->nrecords; i++)
		if (w->records[i].kind == DVM_TRACE_MARK)
			occurs[w->records[i].id] = true;
	fputs("\"marks\":[", f);
	for (unsigned i = 0; i < MARKS; i++) {
		number[i] = n;
		if (occurs[i] && wanted(im, i))
			fprintf(f, "%s\"%s\"", n++ ? "," : "", mark_names[i]);
		else
			number[i] = MARKS;
	}
	fputs("],", f);
	for (size_t i = 0; i < w->nrecords; i++) {
		struct dvm_trace_record r = w->records[i];

		if (r.kind == DVM_TRACE_MARK) {
			r.id = number[r.id];
			if (r.id == MARKS)
				continue;
		}
		w->records[kept++] = r;
	}
	w->nrecords = kept;
}

static char *make_header(struct import *im)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "{\"format\":\"dvmsim.trace/1\",\"source\":\"emulated arm64 system, TCG plugin "
		"tools/capture/plugin.c\",\"ncpus\":%u,", im->world.ncpus);
	put_key(f, "kernel", im->opt->kernel);
	put_key(f, "machine", im->opt->machine);
	put_key(f, "command", im->opt->command);
	put_key(f, "window", im->opt->window);
	put_key(f, "recipe", im->opt->recipe);
	fputs(fixed_keys, f);
	select_marks(im, f);
	fputs("\"import\":[", f);
	put_counts(f, &im->counts, "\"", "\"", ",");
	fputs("]}", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int make_trace(struct import *im, struct dvm_trace **trace, struct dvm_error *err)
{
	char *header = make_header(im);
	struct dvm_trace *t = NULL;
	int ret;

	if (!header)
		longjmp(*im->world.nomem, 1);
	ret = dvm_trace_new(header, &t, err);
	free(header);
	if (!ret)
		ret = dvm_trace_append(t, im->world.initial, im->world.ninitial, err);
	if (!ret)
		ret = dvm_trace_append(t, im->world.records, im->world.nrecords, err);
	if (ret)
		dvm_trace_free(t);
	else
		*trace = t;
	return ret;
}

int import_plugin(const char *path, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err)
{
	struct import *im = calloc(1, sizeof(*im));
	jmp_buf nomem;
	int ret;

	if (!im)
		return fail(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
	im->opt = options;
	im->world.nomem = &nomem;
	if (setjmp(nomem)) {
		ret = fail(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
		goto out;
	}
	if (!options->from)
		world_begin(&im->world);
	ret = read_hooks(im, err);
	if (!ret)
		ret = read_stream(im, path, err);
	if (!ret) {
		world_end(&im->world);
		ret = make_trace(im, trace, err);
	}
	if (!ret && report)
		put_counts(report, &im->counts, "", "\n", "");
out:
	world_fini(&im->world);
	free(im);
	return ret;
}
