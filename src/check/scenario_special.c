/* SPDX-License-Identifier: MIT */
/* Fix-ups, freed tables, ASIDs, KPTI, SMMUs and the erratum. */
#include "check/scenario_plan.h"

#include <stdio.h>

#define LOAD_STORE (DVMI_USES(DVMI_USE_LOAD) | DVMI_USES(DVMI_USE_STORE))
#define LOAD DVMI_USES(DVMI_USE_LOAD)
#define WALK DVMI_USES(DVMI_USE_WALK)

/* ---- fixup ---- */

/*
 * variant 0: a write fault on CPU 0 makes the page writable; 1: CPU 1 did, and CPU 0 takes a
 * spurious fault, sees that the descriptor permits the store and repairs its TLB.
 */
static void fixup_columns(struct dvmi_plan *pl)
{
	struct dvmi_scn_test *t = pl->t;
	unsigned c, other;
	int again;

	t->first = "(oa:PA(x),db:0)";
	t->stored = "(oa:PA(x))";
	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->variant)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	c = dvmi_plan_column(pl, "CPU 0, in its page-fault handler");
	if (!pl->variant) {
		dvmi_plan_unmap(pl, c);
	} else {
		other = dvmi_plan_column(pl, "CPU 1, which makes the page writable");
		dvmi_plan_unmap(pl, other);
		dvmi_scn_line(t, c, "LDR X8,[X2]");
		dvmi_scn_line(t, c, "CMP X8,X3");
		dvmi_scn_use_label(t, c, t->col[c].stop);
		dvmi_scn_line(t, c, "B.NE L%d", t->col[c].stop);
	}
	dvmi_plan_hooks(pl, c, 0, true, NULL, NULL);
	dvmi_plan_to_user(pl, c);
	again = dvmi_scn_new_label(t, c);
	dvmi_scn_use_label(t, c, again);
	dvmi_scn_line(t, c, "MOV X4,#1");
	dvmi_scn_put_label(t, c, again);
	dvmi_scn_line(t, c, "STR W4,[X1]");
	t->harm = "the retried store faults again on the CPU that executed the fix-up";
	snprintf(t->condition, sizeof(t->condition), "fault(P%u:L%d,x)", c, again);
	snprintf(t->mark[0], sizeof(t->mark[0]), " Fault(P%u:L%d", c, again);
}

int dvmi_scn_fixup(struct dvmi_plan *pl)
{
	int rc;

	pl->fixup = true;
	pl->use = DVMI_USE_OWN_STORE;
	pl->sub = "write-fault";
	pl->story = "a write fault makes the page writable";
	rc = dvmi_plan_run(pl, fixup_columns);
	pl->variant = 1;
	pl->users = 2;
	pl->sub = "spurious";
	pl->story = "another CPU made the page writable; a spurious fault is repaired";
	return rc ? rc : dvmi_plan_run(pl, fixup_columns);
}

/* ---- tables ---- */

enum tables {
	TABLES_RUNNING,	 /* the other CPU runs a thread of the mm */
	TABLES_LAZY,	 /* its thread has gone (exited or asleep); the CPU keeps the mm installed */
	TABLES_LEAVING,	 /* it switches to another mm just now */
	TABLES_EXITING,	 /* the same, and the thread has ended: mm_users goes down */
	TABLES_TO_IDLE,	 /* it goes idle just now */
	TABLES_OWN,	 /* the walker is that of the flusher's own CPU */
	TABLES_EXIT_MMAP, /* the last user is gone; a CPU keeps the mm lazily */
	TABLES_COUNT,
};

/* atomic_dec_and_test(&mm->mm_users) of a thread that ends: fully ordered. */
static void drop_user(struct dvmi_plan *pl, unsigned c)
{
	for (unsigned i = 0; i < pl->p->words_count; i++) {
		if (!pl->p->words[i].kernel)
			continue;
		dvmi_scn_line(pl->t, c, "DMB ISH");
		dvmi_scn_line(pl->t, c, "MOV X8,#18446744073709551615");
		dvmi_scn_line(pl->t, c, "LDADD X8,X7,[X%u]",
			      dvmi_scn_loc(pl->t, c, "mm_mm_users", pl->users));
		dvmi_scn_line(pl->t, c, "DMB ISH");
	}
}

static void tables_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->variant != TABLES_OWN)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	if (pl->variant == TABLES_LAZY || pl->variant == TABLES_EXIT_MMAP)
		dvmi_plan_before(pl, DVMI_HOOK_IDLE, 1, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = pl->variant == TABLES_OWN ? 0 : 2;
	f = dvmi_plan_column(pl, "CPU 0, the flusher");
	dvmi_plan_flush(pl, f, 0, true);
	if (pl->variant == TABLES_OWN) {
		dvmi_plan_use(pl, f);
		dvmi_plan_condition(pl, f, f);
		return;
	}
	v = dvmi_plan_column(pl, "CPU 1, whose walker reads tables");
	dvmi_plan_irq(pl, v, 1);
	if (pl->variant == TABLES_EXITING)
		drop_user(pl, v);
	if (pl->variant == TABLES_LEAVING || pl->variant == TABLES_EXITING)
		dvmi_plan_switch_away(pl, v, 1);
	else if (pl->variant == TABLES_TO_IDLE)
		dvmi_plan_go_lazy(pl, v, 1);
	else
		dvmi_plan_use(pl, v);
	/* The walker goes on while the mm is installed. */
	if (pl->variant == TABLES_TO_IDLE && !dvmi_plan_parks(pl))
		dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_tables(struct dvmi_plan *pl)
{
	static const struct {
		const char *sub, *story;
		unsigned users;
		bool foreign;
	} v[TABLES_COUNT] = {
		[TABLES_RUNNING] = {"running", "tables are freed, CPU 1 runs the mm", 2, false},
		[TABLES_LAZY] = {"lazy", "tables are freed, CPU 1 runs a kernel thread with the mm", 1, false},
		[TABLES_LEAVING] = {"leaving", "tables are freed, CPU 1 leaves the mm", 2, false},
		[TABLES_EXITING] = {"exiting", "tables are freed, the thread on CPU 1 has ended", 2,
				    false},
		[TABLES_TO_IDLE] = {"to-idle", "tables are freed, CPU 1 goes idle", 2, false},
		[TABLES_OWN] = {"own", "tables are freed, the mm runs on CPU 0 only", 1, false},
		[TABLES_EXIT_MMAP] = {"exit", "exit_mmap() frees tables, CPU 1 runs a kernel thread with the mm",
				      0, true},
	};
	int rc = 0;

	pl->freed = true;
	for (unsigned i = 0; i < TABLES_COUNT && !rc; i++) {
		pl->variant = i;
		/* An idle CPU may have been parked on the reserved table; a kernel thread's is not. */
		pl->lazy_is_idle = i == TABLES_TO_IDLE;
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		pl->users = v[i].users;
		pl->foreign = v[i].foreign;
		rc = dvmi_plan_uses(pl, WALK, tables_columns);
	}
	return rc;
}

/* ---- rollover and new ASIDs ---- */

static void rolled_over(struct dvmi_plan *pl)
{
	dvmi_plan_before(pl, DVMI_HOOK_ROLLOVER, 2, DVMI_SCN_OTHER_MM);
}

/* The mm runs on CPU 0 through the rollover and keeps its ASID; it arrives on CPU 1. */
static void reserved_arrive_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	rolled_over(pl);
	pl->slow_path = pl->pending_flush = true;
	pl->alloc_path = DVMI_PATH_RESERVED;
	pl->t->ipi_cpus = 2;
	f = dvmi_plan_column(pl, "CPU 0, the flusher");
	v = dvmi_plan_column(pl, "CPU 1, where the mm arrives by the slow path");
	dvmi_plan_flush(pl, f, 0, true);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_switch_in(pl, v, 1, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_condition(pl, v, f);
}

/* CPU 0 has run the mm since before the rollover; the flusher came to CPU 1 after it. */
static void reserved_running_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	rolled_over(pl);
	pl->alloc_path = DVMI_PATH_RESERVED;
	dvmi_plan_before(pl, DVMI_HOOK_ASID_ALLOC, 1, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = 1;
	f = dvmi_plan_column(pl, "CPU 1, the flusher, which came after the rollover");
	v = dvmi_plan_column(pl, "CPU 0, which has run the mm since before");
	dvmi_plan_flush(pl, f, 1, true);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_condition(pl, v, f);
}

/*
 * No CPU ran the mm at the rollover. On CPU 1 it got a generation's ASID; CPU 0, which ran it
 * before, has a pending flush and gets it again.
 */
static void again_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_left(pl, 0);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	rolled_over(pl);
	pl->alloc_path = pl->variant ? DVMI_PATH_FRESH : DVMI_PATH_BIT_FREE;
	dvmi_plan_before(pl, DVMI_HOOK_ASID_ALLOC, 1, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_OUT, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = 1;
	f = dvmi_plan_column(pl, "CPU 1, the flusher");
	v = dvmi_plan_column(pl, "CPU 0, to which the mm returns by its pending flush");
	dvmi_plan_flush(pl, f, 1, true);
	dvmi_plan_irq(pl, v, 0);
	/* The mm has its ASID: this CPU's slow path only flushes. */
	dvmi_plan_flush_all(pl, v);
	pl->slow_path = false;
	dvmi_plan_switch_in(pl, v, 0, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_condition(pl, v, f);
}

/*
 * CPU 0 idles with the mm, through the rollover: its ASID is reserved, and coming back takes no
 * slow path. CPU 1 flushes; on CPU 2 the mm arrives by the slow path, which may touch its words.
 */
static void reserved_lazy_columns(struct dvmi_plan *pl)
{
	unsigned f, v, a;

	pl->lazy_is_idle = true;
	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 2, DVMI_SCN_OTHER_MM);
	rolled_over(pl);
	pl->slow_path = pl->pending_flush = true;
	pl->alloc_path = DVMI_PATH_RESERVED;
	pl->t->ipi_cpus = 1;
	f = dvmi_plan_column(pl, "CPU 1, the flusher");
	v = dvmi_plan_column(pl, "CPU 0, which idled with the mm");
	a = dvmi_plan_column(pl, "CPU 2, where the mm arrives by the slow path");
	dvmi_plan_flush(pl, f, 1, true);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_come_back(pl, v, 0);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_switch_in(pl, a, 2, DVMI_FIRST_TIME);
	dvmi_plan_condition(pl, v, f);
}

/*
 * asm/mmu.h: a foreign flush reads mm->context.id while CPU 1 gives the mm a new ASID and switches
 * to it. TLBI of the old one is nothing to the new; then CPU 1's walker must see the store.
 */
static void new_asid_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	if (pl->variant != 1) {
		dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
		dvmi_plan_left(pl, 0);
	}
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	if (pl->variant == 1)
		dvmi_plan_first_run(pl, 1, DVMI_SCN_THE_MM);
	else if (pl->variant == 2)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	if (pl->variant)
		dvmi_plan_left(pl, 1);
	rolled_over(pl);
	pl->slow_path = true;
	pl->alloc_path = DVMI_PATH_FRESH;
	pl->t->ipi_cpus = 2;
	f = dvmi_plan_column(pl, "CPU 2, the flusher");
	pl->t->col[f].away = true;
	v = dvmi_plan_column(pl, "CPU 1, where the mm gets a new ASID and runs");
	dvmi_plan_flush(pl, f, 2, false);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_switch_in(pl, v, 1, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_condition(pl, v, f);
}

/* The mm ran on CPU 0, or on CPU 1, or on both: its words differ. */
static int new_asid(struct dvmi_plan *pl, bool pending)
{
	static const char *const ran[] = {"cpu0", "cpu1", "both"};
	int rc = 0;

	pl->foreign = true;
	pl->users = 1;
	pl->asid_in_memory = true;
	pl->pending_flush = pending;
	for (unsigned i = 0; i < 3 && !rc; i++) {
		char sub[32];

		snprintf(sub, sizeof(sub), "%sran-%s", pending ? "pending-" : "", ran[i]);
		pl->sub = sub;
		pl->variant = i;
		rc = dvmi_plan_uses(pl, LOAD, new_asid_columns);
	}
	return rc;
}

int dvmi_scn_rollover(struct dvmi_plan *pl)
{
	static const struct {
		const char *sub, *story;
		dvmi_columns_fn *columns;
		unsigned variant;
	} v[] = {
		{"arrive", "the mm keeps its ASID through a rollover and arrives on CPU 1",
		 reserved_arrive_columns, 0},
		{"running", "CPU 0 runs the mm through a rollover, the flusher came to CPU 1 later",
		 reserved_running_columns, 0},
		{"bit-free", "the mm got its old ASID again on CPU 1 and returns to CPU 0",
		 again_columns, 0},
		{"fresh", "the mm got another ASID on CPU 1 and returns to CPU 0", again_columns, 1},
		{"lazy", "CPU 0 idles with the mm through a rollover; the mm arrives on CPU 2",
		 reserved_lazy_columns, 0},
	};
	const struct dvmi_plan clean = *pl;
	int rc = 0;

	for (unsigned i = 0; i < 5 && !rc; i++) {
		*pl = clean;
		pl->users = 2;
		pl->variant = v[i].variant;
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		rc = dvmi_plan_uses(pl, LOAD, v[i].columns);
	}
	return rc;
}

int dvmi_scn_new_asid(struct dvmi_plan *pl)
{
	int rc;

	pl->story = "a foreign flush meets the allocation of a new ASID after a rollover";
	rc = new_asid(pl, true);
	pl->story = "a foreign flush meets the allocation of a new ASID; nothing is pending";
	return rc ? rc : new_asid(pl, false);
}

/* ---- KPTI ---- */

int dvmi_scn_kpti(struct dvmi_plan *pl)
{
	int rc;

	pl->env.kpti = true;
	pl->sub = "arrive";
	rc = dvmi_scn_arrive(pl);
	pl->sub = "second";
	rc = rc ? rc : dvmi_scn_second(pl);
	pl->sub = "own";
	return rc ? rc : dvmi_scn_stay(pl);
}

/* ---- SMMU ---- */

static void smmu_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	f = dvmi_plan_column(pl, "CPU 0, the flusher");
	v = dvmi_plan_column(pl, "a device behind the SMMU");
	if (pl->env.sva)
		pl->t->col[v].asid = DVMI_SCN_ASID_SMMU;
	dvmi_plan_flush(pl, f, 0, true);
	dvmi_plan_use(pl, v);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_btm(struct dvmi_plan *pl)
{
	pl->env.btm = true;
	pl->story = "the mm runs on CPU 0 only; a device uses the page through the SMMU";
	return dvmi_plan_uses(pl, LOAD_STORE, smmu_columns);
}

int dvmi_scn_sva(struct dvmi_plan *pl)
{
	pl->env.sva = true;
	pl->story = "the mm runs on CPU 0 only; a device uses the page through the SMMU";
	return dvmi_plan_uses(pl, LOAD_STORE, smmu_columns);
}

/* ---- erratum ---- */

int dvmi_scn_erratum(struct dvmi_plan *pl)
{
	int rc;

	pl->env.erratum = true;
	pl->sub = "arrive";
	rc = dvmi_scn_arrive(pl);
	pl->sub = "second";
	rc = rc ? rc : dvmi_scn_second(pl);
	pl->sub = "own";
	rc = rc ? rc : dvmi_scn_stay(pl);
	pl->sub = "foreign";
	pl->foreign = true;
	pl->variant = 1;
	pl->users = 1;
	return rc ? rc : dvmi_scn_foreign(pl);
}
