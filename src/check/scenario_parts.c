/* SPDX-License-Identifier: MIT */
/*
 * Pieces of columns: what the kernel does around the strategy's hooks. Steps and barriers are those
 * of check_and_switch_context() and context_switch(); docs/checker-scenarios.md lists them.
 */
#include "check/scenario_plan.h"

#include <inttypes.h>
#include <stdio.h>

/* The second operand of the program's ipi instructions, when it is a number. */
static uint64_t ipi_arg(const struct dvmi_program *p)
{
	for (unsigned i = 0; i < p->insns_count; i++)
		if (p->insns[i].op == DVMI_IPI && p->insns[i].src[1].kind == DVMI_IMM)
			return p->insns[i].src[1].imm;
	return 0;
}

/* TLBI domains: a guest has none (no hypervisor lets it name some), devices are in none. */
static unsigned domain_of_column(const struct dvmi_plan *pl, const char *title)
{
	unsigned cpu;

	if (!pl->env.domains || pl->env.vm)
		return 0;
	if (sscanf(title, "CPU %u", &cpu) == 1)
		return 1 + dvmi_scn_domain(pl->t, cpu);
	return 0;
}

static void fields(const struct dvmi_plan *pl, uint64_t *f, bool active_is_mm)
{
	f[DVMI_ENV_CPUS] = DVMI_SCN_CPUS;
	f[DVMI_REQ_KIND] = pl->whole_mm ? DVMI_KIND_MM : DVMI_KIND_PAGE;
	f[DVMI_REQ_FULLASID] = pl->whole_mm;
	f[DVMI_REQ_PAGES] = !pl->whole_mm;
	f[DVMI_REQ_OPS] = 1;
	f[DVMI_REQ_FOREIGN] = pl->foreign;
	f[DVMI_REQ_FREED_TABLES] = pl->freed;
	f[DVMI_REQ_FREES] = pl->frees && !pl->freed && !pl->fixup && !pl->batch &&
			   !pl->remap;
	f[DVMI_REQ_NOBROADCAST] = f[DVMI_REQ_NONOTIFY] = pl->fixup;
	f[DVMI_CUR_IS_MM] = !pl->foreign;
	f[DVMI_ACTIVE_IS_MM] = active_is_mm;
	f[DVMI_ENV_LAZY] = pl->foreign && active_is_mm;
	f[DVMI_ENV_IDLE] = pl->lazy_is_idle;
	f[DVMI_ENV_REPEAT_TLBI] = pl->env.erratum;
	f[DVMI_ENV_SMMU_BTM] = pl->env.btm;
	f[DVMI_ENV_VM] = pl->env.vm;
	f[DVMI_ENV_KPTI] = pl->env.kpti;
	f[DVMI_ENV_DVM_LOAD] = pl->env.loaded ? DVMI_SCN_LOAD : 0;
	f[DVMI_ENV_DOMAINS] = pl->env.vm ? 0 : pl->env.domains;
	f[DVMI_ALLOC_PATH] = pl->alloc_path;
	f[DVMI_IPI_ARG] = ipi_arg(pl->p);
}

struct dvmi_scn_hook dvmi_plan_hook(const struct dvmi_plan *pl, enum dvmi_hook which,
				    unsigned column, unsigned cpu, enum dvmi_scn_mm mm)
{
	struct dvmi_scn_hook h = {.hook = which,
				  .column = column,
				  .cpu = cpu,
				  .task = cpu,
				  .mm = mm,
				  .whole_mm = pl->whole_mm};

	fields(pl, h.fields, true);
	return h;
}

/* ---- before the test ---- */

void dvmi_plan_before(const struct dvmi_plan *pl, enum dvmi_hook which, unsigned cpu,
		      enum dvmi_scn_mm mm)
{
	struct dvmi_scn_hook h = dvmi_plan_hook(pl, which, 0, cpu, mm);

	dvmi_scn_before(pl->t, &h);
}

void dvmi_plan_first_run(const struct dvmi_plan *pl, unsigned cpu, enum dvmi_scn_mm mm)
{
	struct dvmi_plan fresh = *pl;

	fresh.alloc_path = DVMI_PATH_FRESH;
	dvmi_plan_before(&fresh, DVMI_HOOK_MM_NEW, cpu, mm);
	dvmi_plan_before(&fresh, DVMI_HOOK_ASID_ALLOC, cpu, mm);
	dvmi_plan_before(&fresh, DVMI_HOOK_SWITCH_IN, cpu, mm);
}

void dvmi_plan_left(const struct dvmi_plan *pl, unsigned cpu)
{
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, cpu, DVMI_SCN_OTHER_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_OUT, cpu, DVMI_SCN_THE_MM);
}

/* ---- pieces ---- */

unsigned dvmi_plan_column(struct dvmi_plan *pl, const char *title)
{
	struct dvmi_scn_test *t = pl->t;
	unsigned c = t->cols++;

	t->col[c].pending = -1;
	t->col[c].title = title;
	t->col[c].domain = domain_of_column(pl, title);
	t->col[c].stop = dvmi_scn_new_label(t, c);
	t->col[c].cpu = -1;
	/* Under KPTI a thread in user mode runs with the user-side ASID. */
	t->col[c].asid = pl->env.kpti ? DVMI_SCN_ASID_USER : DVMI_SCN_ASID_MM;
	dvmi_scn_line(t, c, "LSR X%d,X1,#12", DVMI_SCN_PAGE_X);
	return c;
}

/* The page-table store that makes the flush necessary. */
void dvmi_plan_unmap(struct dvmi_plan *pl, unsigned c)
{
	if (pl->remap && pl->env.no_break) {
		dvmi_scn_line(pl->t, c, "STR X6,[X2]");
		dvmi_scn_note(pl->t, c, "kernel: x is mapped to another page");
		return;
	}
	dvmi_scn_line(pl->t, c, "STR X3,[X2]");
	dvmi_scn_note(pl->t, c, pl->t->stored ? "kernel: store to the descriptor of x"
				: pl->freed   ? "kernel: clears table entry x, to free the table"
					      : "kernel: unmap x");
}

/* The flush has returned: the page gets new contents, through the kernel's linear map. */
void dvmi_plan_reuse(struct dvmi_plan *pl, unsigned c)
{
	if (pl->remap) {
		if (pl->env.no_break)
			return;
		dvmi_scn_line(pl->t, c, "STR X6,[X2]");
		dvmi_scn_note(pl->t, c, "kernel: x is mapped to another page");
		return;
	}
	dvmi_scn_line(pl->t, c, "MOV X6,#2");
	dvmi_scn_line(pl->t, c, "STR W6,[X5]");
	dvmi_scn_note(pl->t, c, pl->freed ? "kernel: the freed table has a new use"
					  : "kernel: the page has a new use");
}

void dvmi_plan_use(struct dvmi_plan *pl, unsigned c)
{
	bool device = pl->env.btm || pl->env.sva;

	if (pl->use == DVMI_USE_STORE || pl->use == DVMI_USE_OWN_STORE) {
		dvmi_scn_line(pl->t, c, "MOV X4,#1");
		dvmi_scn_line(pl->t, c, "STR W4,[X1]");
		dvmi_scn_note(pl->t, c, device ? "device: store to x" : "user: store to x");
	} else if (pl->use == DVMI_USE_WALK) {
		dvmi_scn_line(pl->t, c, "WALK X4,[X1]");
		dvmi_scn_note(pl->t, c, "table walker: reads the table");
	} else {
		dvmi_scn_line(pl->t, c, "LDR W4,[X1]");
		dvmi_scn_note(pl->t, c, device ? "device: load of x" : "user: load of x");
	}
}

void dvmi_plan_condition(struct dvmi_plan *pl, unsigned user, unsigned reuser)
{
	struct dvmi_scn_test *t = pl->t;

	if (pl->remap) {
		snprintf(t->condition, sizeof(t->condition), "clash(x)");
		snprintf(t->mark[0], sizeof(t->mark[0]), " Clash(x);");
		t->harm = "a TLB may hold the old and the new translation of the page side by side";
	} else if (pl->reissue) {
		bool store = pl->use == DVMI_USE_STORE;

		snprintf(t->condition, sizeof(t->condition), store ? "[x]=1" : "%u:X4=3", user);
		snprintf(t->mark[0], sizeof(t->mark[0]), store ? "[x]=1;" : "%u:X4=3;", user);
		t->harm = "an access of one mm goes to a page of another";
	} else if (pl->use == DVMI_USE_STORE || pl->use == DVMI_USE_OWN_STORE) {
		snprintf(t->condition, sizeof(t->condition), "[x]=1 /\\ %u:X6=2", reuser);
		snprintf(t->mark[0], sizeof(t->mark[0]), "[x]=1;");
		snprintf(t->mark[1], sizeof(t->mark[1]), "%u:X6=2;", reuser);
		t->harm = "a store through the old translation lands after the page's reuse";
	} else {
		snprintf(t->condition, sizeof(t->condition), "%u:X4=2", user);
		snprintf(t->mark[0], sizeof(t->mark[0]), "%u:X4=2;", user);
		t->harm = pl->use == DVMI_USE_WALK
				  ? "the table walker reads a freed table after its reuse"
				  : "a load through the old translation sees the page's new "
				    "contents";
	}
	if (pl->harm)
		t->harm = pl->harm;
}

/*
 * The IPI is taken here or at another point; the flag stands for the interrupt. Exception entry and
 * return are context synchronisation events.
 */
void dvmi_plan_irq(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_test *t = pl->t;
	struct dvmi_scn_hook h;
	char name[16];
	int skip;

	if (pl->p->hooks[DVMI_HOOK_IPI] < 0)
		return;
	if (pl->ipi_points[cpu]++ != pl->ipi_at[cpu])
		return;
	skip = dvmi_scn_new_label(t, c);
	snprintf(name, sizeof(name), "ipi%u", cpu);
	dvmi_scn_line(t, c, "LDAR X8,[X%u]", dvmi_scn_loc(t, c, name, 0));
	dvmi_scn_note(t, c, "kernel: the IPI arrives");
	dvmi_scn_use_label(t, c, skip);
	dvmi_scn_line(t, c, "CBZ X8,L%d", skip);
	dvmi_scn_line(t, c, "ISB");
	dvmi_scn_note(t, c, "kernel: exception entry");
	h = dvmi_plan_hook(pl, DVMI_HOOK_IPI, c, cpu, DVMI_SCN_THE_MM);
	dvmi_scn_hook(t, &h);
	snprintf(name, sizeof(name), "ack%u", cpu);
	dvmi_scn_line(t, c, "MOV X8,#1");
	dvmi_scn_line(t, c, "STLR X8,[X%u]", dvmi_scn_loc(t, c, name, 0));
	dvmi_scn_note(t, c, "kernel: the IPI is acknowledged");
	dvmi_scn_line(t, c, "ISB");
	dvmi_scn_note(t, c, "kernel: exception return");
	dvmi_scn_put_label(t, c, skip);
}

/* local_flush_tlb_all() */
void dvmi_plan_flush_all(struct dvmi_plan *pl, unsigned c)
{
	static const char *const lines[] = {"DSB NSHST", "TLBI VMALLE1", "DSB NSH", "ISB"};

	for (unsigned i = 0; i < 4; i++) {
		dvmi_scn_line(pl->t, c, "%s", lines[i]);
		dvmi_scn_note(pl->t, c, "kernel: local_flush_tlb_all()");
	}
}

static void scheduler(struct dvmi_plan *pl, unsigned c)
{
	dvmi_scn_line(pl->t, c, "DMB ISH");
	dvmi_scn_note(pl->t, c, "kernel: smp_mb__after_spinlock() in __schedule()");
}

void dvmi_plan_switch_to(struct dvmi_plan *pl, unsigned c)
{
	dvmi_scn_line(pl->t, c, "DSB ISH");
	dvmi_scn_note(pl->t, c, "kernel: DSB ISH in __switch_to()");
}

/*
 * check_and_switch_context()'s slow path: the allocator stores the ASID under its lock, and flushes
 * this CPU if a rollover asked for that.
 */
static void slow_path(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook h = dvmi_plan_hook(pl, DVMI_HOOK_ASID_ALLOC, c, cpu, DVMI_SCN_THE_MM);
	struct dvmi_scn_test *t = pl->t;

	dvmi_scn_line(t, c, "LDAR X8,[X%u]", dvmi_scn_loc(t, c, "asid_lock", 0));
	dvmi_scn_note(t, c, "kernel: takes cpu_asid_lock");
	dvmi_scn_hook(t, &h);
	if (pl->asid_in_memory) {
		dvmi_scn_line(t, c, "MOV X7,#%d", DVMI_SCN_ASID_NEW);
		dvmi_scn_line(t, c, "STR X7,[X%u]",
			      dvmi_scn_loc(t, c, "mm_id", DVMI_SCN_ASID_MM));
		dvmi_scn_note(t, c, "kernel: mm->context.id := the new ASID");
	}
	dvmi_scn_line(t, c, "DMB ISH"); /* of a value-returning atomic; orders no walk */
	dvmi_scn_note(t, c, "kernel: test_and_clear(tlb_flush_pending)");
	if (pl->pending_flush)
		dvmi_plan_flush_all(pl, c);
	dvmi_scn_line(t, c, "MOV X8,#0");
	dvmi_scn_line(t, c, "STLR X8,[X%u]", dvmi_scn_loc(t, c, "asid_lock", 0));
	dvmi_scn_note(t, c, "kernel: releases cpu_asid_lock");
}

/*
 * cpu_switch_mm() loads mm->pgd; what is written to TTBR0_EL1, and with it each walk, depends on that
 * ("the dependency on CPU 1" of the comment in asm/mmu.h). Only the slow path has a barrier
 * before the load; elsewhere it is left out.
 */
static void load_pgd(struct dvmi_plan *pl, unsigned c)
{
	dvmi_scn_line(pl->t, c, "LDR X%d,[X%u]", DVMI_SCN_SCRATCH,
		      dvmi_scn_loc(pl->t, c, "mm_pgd", 0));
	dvmi_scn_note(pl->t, c, "kernel: loads mm->pgd");
	if (pl->env.no_dependency) {
		dvmi_scn_line(pl->t, c, "MOV X%d,X%d", DVMI_SCN_SCRATCH, DVMI_SCN_PAGE_X);
		return;
	}
	dvmi_scn_line(pl->t, c, "EOR X%d,X%d,X%d", DVMI_SCN_SCRATCH, DVMI_SCN_SCRATCH,
		      DVMI_SCN_SCRATCH);
	dvmi_scn_line(pl->t, c, "ADD X%d,X%d,X%d", DVMI_SCN_SCRATCH, DVMI_SCN_SCRATCH,
		      DVMI_SCN_PAGE_X);
}

/*
 * "Nothing of this mm is in this TLB" is said by a local TLBI in the place of MSR TTBR0_EL1. It is
 * ordered as an MSR is, and completed by a DSB the kernel has there anyway.
 */
static void install_clean(struct dvmi_plan *pl, unsigned c)
{
	struct dvmi_scn_test *t = pl->t;

	dvmi_scn_line(t, c, "TLBI VAAE1,X%d", pl->slow_path ? DVMI_SCN_SCRATCH : DVMI_SCN_PAGE_X);
	dvmi_scn_note(t, c, "kernel: MSR TTBR0_EL1, the mm is installed");
	if (t->col[c].lines)
		t->col[c].line[t->col[c].lines - 1].installs = true;
}

/* MSR TTBR0_EL1: the ASID and the tables of one of two mms. */
void dvmi_plan_install(struct dvmi_plan *pl, unsigned c, uint64_t ttbr)
{
	dvmi_scn_line(pl->t, c, "MOV X7,#%" PRIu64, ttbr);
	dvmi_scn_line(pl->t, c, "MSR TTBR0_EL1,X7");
}

void dvmi_plan_switch_in(struct dvmi_plan *pl, unsigned c, unsigned cpu, enum dvmi_arrival how)
{
	struct dvmi_scn_hook in = dvmi_plan_hook(pl, DVMI_HOOK_SWITCH_IN, c, cpu, DVMI_SCN_THE_MM);
	struct dvmi_scn_hook out =
		dvmi_plan_hook(pl, DVMI_HOOK_SWITCH_OUT, c, cpu, DVMI_SCN_OTHER_MM);
	struct dvmi_scn_test *t = pl->t;

	t->col[c].asid = DVMI_SCN_ASID_MM;
	scheduler(pl, c);
	if (pl->slow_path)
		slow_path(pl, c, cpu);
	in.fields[DVMI_ENV_TLB_FLUSHED] = pl->slow_path && pl->pending_flush;
	dvmi_scn_hook(t, &in);
	if (pl->slow_path && !pl->reissue)
		load_pgd(pl, c);
	if (pl->reissue)
		dvmi_plan_install(pl, c, DVMI_SCN_TABLES_2 | (uint64_t)DVMI_SCN_ASID_MM << 48);
	else if (how == DVMI_FIRST_TIME || pl->slow_path)
		install_clean(pl, c);
	if (pl->slow_path && pl->asid_in_memory) {
		dvmi_scn_line(t, c, "MOV X7,#%" PRIu64, (uint64_t)DVMI_SCN_ASID_NEW << 48);
		dvmi_scn_line(t, c, "MSR TTBR0_EL1,X7");
	}
	dvmi_scn_line(t, c, "ISB");
	dvmi_scn_note(t, c, pl->reissue
				    ? "kernel: ISB, after MSR TTBR0_EL1: the second mm is installed"
				    : "kernel: ISB, after the write of TTBR0_EL1");
	dvmi_scn_hook(t, &out);
	dvmi_plan_switch_to(pl, c);
}

/* The CPU leaves the mm for another; the walker may be at work for it up to the MSR. */
void dvmi_plan_switch_away(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook in =
		dvmi_plan_hook(pl, DVMI_HOOK_SWITCH_IN, c, cpu, DVMI_SCN_OTHER_MM);
	struct dvmi_scn_hook out =
		dvmi_plan_hook(pl, DVMI_HOOK_SWITCH_OUT, c, cpu, DVMI_SCN_THE_MM);
	struct dvmi_scn_test *t = pl->t;

	scheduler(pl, c);
	dvmi_scn_hook(t, &in);
	if (pl->use == DVMI_USE_WALK)
		dvmi_plan_use(pl, c);
	dvmi_scn_line(t, c, "ISB");
	dvmi_scn_note(t, c, "kernel: ISB, after TTBR0_EL1 was given to the other mm");
	dvmi_scn_hook(t, &out);
	dvmi_plan_switch_to(pl, c);
}

void dvmi_plan_go_lazy(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook idle = dvmi_plan_hook(pl, DVMI_HOOK_IDLE, c, cpu, DVMI_SCN_THE_MM);

	idle.walker = pl->use == DVMI_USE_WALK;
	scheduler(pl, c);
	dvmi_scn_hook(pl->t, &idle);
	dvmi_plan_switch_to(pl, c);
}

bool dvmi_plan_parks(const struct dvmi_plan *pl)
{
	for (unsigned i = 0; i < pl->p->insns_count; i++)
		if (pl->p->insns[i].op == DVMI_PARK)
			return true;
	return false;
}

/*
 * prev == next: switch_mm() does nothing; hook switch-same. Only a CPU that was parked on the
 * reserved table has to install the mm again, after a rollover by the slow path with its flush.
 */
void dvmi_plan_come_back(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook same =
		dvmi_plan_hook(pl, DVMI_HOOK_SWITCH_SAME, c, cpu, DVMI_SCN_THE_MM);

	bool install = pl->pending_flush && pl->lazy_is_idle && dvmi_plan_parks(pl);

	scheduler(pl, c);
	if (install)
		dvmi_plan_flush_all(pl, c);
	same.fields[DVMI_ENV_TLB_FLUSHED] = install;
	dvmi_scn_hook(pl->t, &same);
	if (install) {
		load_pgd(pl, c);
		install_clean(pl, c);
		dvmi_scn_line(pl->t, c, "ISB");
	}
	dvmi_plan_switch_to(pl, c);
}

void dvmi_plan_to_user(struct dvmi_plan *pl, unsigned c)
{
	if (pl->env.kpti) { /* the trampoline installs the user-side ASID */
		uint64_t tables = pl->reissue ? DVMI_SCN_TABLES_2 : 0;

		dvmi_scn_line(pl->t, c, "MOV X7,#%" PRIu64,
			      (uint64_t)DVMI_SCN_ASID_USER << 48 | tables);
		dvmi_scn_line(pl->t, c, "MSR TTBR0_EL1,X7");
	}
	dvmi_scn_line(pl->t, c, "ISB");
	dvmi_scn_note(pl->t, c, "kernel: return to user mode");
}

void dvmi_plan_give(struct dvmi_plan *pl, unsigned c, const char *flag)
{
	dvmi_scn_line(pl->t, c, "MOV X8,#1");
	dvmi_scn_line(pl->t, c, "STLR X8,[X%u]", dvmi_scn_loc(pl->t, c, flag, 0));
	dvmi_scn_note(pl->t, c, flag[0] == 'f'
					? "kernel: the page is free"
					: "kernel: finish_task() clears on_cpu; the flusher may run "
					  "elsewhere");
}

void dvmi_plan_wait(struct dvmi_plan *pl, unsigned c, const char *flag)
{
	dvmi_scn_line(pl->t, c, "LDAR X8,[X%u]", dvmi_scn_loc(pl->t, c, flag, 0));
	dvmi_scn_note(pl->t, c, flag[0] == 'f' ? "kernel: the page is allocated"
					       : "kernel: the scheduler takes the task here");
	dvmi_scn_use_label(pl->t, c, pl->t->col[c].stop);
	dvmi_scn_line(pl->t, c, "CBZ X8,L%d", pl->t->col[c].stop);
}

/* ---- the flusher ---- */

void dvmi_plan_hooks(struct dvmi_plan *pl, unsigned c, unsigned cpu, bool active_is_mm,
		     const struct dvmi_scn_move *from, struct dvmi_scn_move *to)
{
	static const enum dvmi_hook one[] = {DVMI_HOOK_FLUSH},
				    two[] = {DVMI_HOOK_BATCH_ADD, DVMI_HOOK_BATCH_FLUSH};
	unsigned n = pl->batch ? 2 : 1, start = from ? from->hook : 0;
	struct dvmi_scn_test *t = pl->t;
	int moved = to ? dvmi_scn_new_label(t, c) : -1;

	for (unsigned i = start; i < n; i++) {
		struct dvmi_scn_hook h = dvmi_plan_hook(pl, pl->batch ? two[i] : one[i], c, cpu,
							DVMI_SCN_THE_MM);

		fields(pl, h.fields, active_is_mm);
		h.fields[DVMI_REQ_NOSYNC] = pl->batch && i == 0;
		h.task = 0;
		h.number = i;
		h.move = to;
		h.moved_label = moved;
		h.from_move = i == start ? from : NULL;
		if (h.hook == DVMI_HOOK_BATCH_FLUSH && pl->p->hooks[h.hook] < 0)
			dvmi_scn_sync(t, c);
		else
			dvmi_scn_hook(t, &h);
	}
	if (!to)
		return;
	/* It returned without a move: other scenarios show that. */
	dvmi_scn_use_label(t, c, t->col[c].stop);
	dvmi_scn_line(t, c, "B L%d", t->col[c].stop);
	dvmi_scn_put_label(t, c, moved);
}

void dvmi_plan_flush(struct dvmi_plan *pl, unsigned c, unsigned cpu, bool active_is_mm)
{
	dvmi_plan_unmap(pl, c);
	dvmi_plan_hooks(pl, c, cpu, active_is_mm, NULL, NULL);
	if (pl->remote)
		dvmi_plan_give(pl, c, "freed");
	else
		dvmi_plan_reuse(pl, c);
}

unsigned dvmi_plan_taker(struct dvmi_plan *pl)
{
	unsigned c = dvmi_plan_column(pl, "another CPU, which is given the freed page");

	dvmi_plan_wait(pl, c, "freed"); /* the page allocator's lock */
	dvmi_plan_reuse(pl, c);
	return c;
}
