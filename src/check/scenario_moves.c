/* SPDX-License-Identifier: MIT */
/* Scenarios in which the flusher is switched out or moved in the middle of its hooks. */
#include "check/scenario_plan.h"

#include <stdio.h>

#define LOAD_STORE (DVMI_USES(DVMI_USE_LOAD) | DVMI_USES(DVMI_USE_STORE))
#define OWN_LOAD DVMI_USES(DVMI_USE_OWN_LOAD)
#define OWN (OWN_LOAD | DVMI_USES(DVMI_USE_OWN_STORE))

/* May a task be switched out inside a flush routine at all? It does not sleep. */
static bool preemptible(struct dvmi_plan *pl)
{
	bool ptl = pl->choice->env & DVM_SCENARIO_ENV_PTL;

	if (pl->choice->preempt == DVM_PREEMPT_NONE || pl->choice->preempt == DVM_PREEMPT_VOLUNTARY)
		pl->why = "without kernel preemption a flush is never switched out";
	else if (ptl && pl->choice->preempt != DVM_PREEMPT_RT)
		pl->why = "under the page-table lock preemption is off";
	return !pl->why;
}

/* With PREEMPT_RT the page-table lock sleeps, and whoever holds it is not migrated. */
static bool migratable(struct dvmi_plan *pl)
{
	if (!preemptible(pl))
		return false;
	if (pl->choice->env & DVM_SCENARIO_ENV_PTL)
		pl->why = "under the page-table lock a task is not migrated";
	return !pl->why;
}

/* Moving before a pure instruction is moving before the next effect. */
static bool place(const struct dvmi_plan *pl, unsigned at)
{
	return !pl->p->insns[at].pure || pl->p->insns[at].op == DVMI_RET;
}

/* By the flusher, when the mm has one user; by another thread, when it has two. */
static int both(struct dvmi_plan *pl, unsigned uses, dvmi_columns_fn *columns)
{
	int rc;

	pl->users = 1;
	rc = dvmi_plan_uses(pl, uses & OWN, columns);
	pl->users = pl->foreign ? 1 : 2;
	return rc ? rc : dvmi_plan_uses(pl, uses & ~OWN, columns);
}

static int move_once(struct dvmi_plan *pl, const char *sub, const char *story, unsigned uses,
		     dvmi_columns_fn *columns)
{
	char subs[64], stories[200];
	int rc = 0;

	pl->moves = 1;
	for (unsigned at = 0; at < pl->p->insns_count && !rc; at++) {
		const struct dvmi_insn *insn = &pl->p->insns[at];

		if (!place(pl, at))
			continue;
		pl->move[0].at = at;
		snprintf(subs, sizeof(subs), "%s%sline%u", sub, sub[0] ? "-" : "",
			 (unsigned)insn->line);
		snprintf(stories, sizeof(stories), "%s before line %u ('%s')", story,
			 (unsigned)insn->line, dvmi_op_names[insn->op]);
		pl->sub = subs;
		pl->story = stories;
		rc = both(pl, uses, columns);
	}
	pl->moves = 0;
	return rc;
}

/* ---- migrate, foreign-migrate, batch ---- */

/* CPU 0 up to the move; then, unless it is the flusher that uses the page, the mm's other thread. */
static void migrate_columns(struct dvmi_plan *pl)
{
	bool own = pl->use == DVMI_USE_OWN_LOAD;
	unsigned c0, c1;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->foreign)
		dvmi_plan_before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = 3;
	c0 = dvmi_plan_column(pl, "CPU 0, the flusher until it moves; then the mm's other thread");
	c1 = dvmi_plan_column(pl, "CPU 1, the flusher after its move");
	pl->t->col[c1].away = pl->foreign;
	dvmi_plan_unmap(pl, c0);
	dvmi_plan_hooks(pl, c0, 0, true, NULL, &pl->move[0]);
	dvmi_plan_come_back(pl, c0, 0); /* prev == next: the other thread is of this mm */
	dvmi_plan_give(pl, c0, "off_cpu"); /* finish_task(): on_cpu = 0 */
	dvmi_plan_irq(pl, c0, 0);
	dvmi_plan_to_user(pl, c0);
	if (!own)
		dvmi_plan_use(pl, c0);
	dvmi_plan_irq(pl, c0, 0);
	if (!pl->move[0].reached)
		return;
	dvmi_plan_irq(pl, c1, 1);
	dvmi_plan_wait(pl, c1, "off_cpu");
	if (pl->foreign)
		dvmi_plan_switch_to(pl, c1); /* the mm does not come along */
	else
		dvmi_plan_switch_in(pl, c1, 1, DVMI_FIRST_TIME);
	dvmi_plan_hooks(pl, c1, 1, !pl->foreign, &pl->move[0], NULL);
	dvmi_plan_reuse(pl, c1);
	if (own) {
		dvmi_plan_to_user(pl, c1);
		dvmi_plan_use(pl, c1);
	}
	dvmi_plan_condition(pl, own ? c1 : c0, c1);
}

int dvmi_scn_migrate(struct dvmi_plan *pl)
{
	if (!migratable(pl))
		return 0;
	return move_once(pl, "", "the flusher moves from CPU 0 to CPU 1", LOAD_STORE | OWN_LOAD,
			 migrate_columns);
}

int dvmi_scn_foreign_migrate(struct dvmi_plan *pl)
{
	if (!migratable(pl))
		return 0;
	pl->foreign = true;
	return move_once(pl, "", "the flusher moves from CPU 0 to CPU 1", LOAD_STORE,
			 migrate_columns);
}

/* ---- migrate-twice ---- */

/* variant: 0 back to CPU 0; 1: on to CPU 2. The page is used by the flusher, or on CPU 1 or 0. */
static void twice_columns(struct dvmi_plan *pl)
{
	bool own = pl->use == DVMI_USE_OWN_LOAD;
	unsigned c0, c1, last, cpu = pl->variant ? 2 : 0;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	if (pl->variant)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 2, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = pl->variant ? 7 : 3;
	c0 = dvmi_plan_column(pl, "CPU 0, the flusher until it moves");
	c1 = dvmi_plan_column(pl, "CPU 1, the flusher until it moves on; then the other thread");
	dvmi_plan_unmap(pl, c0);
	dvmi_plan_hooks(pl, c0, 0, true, NULL, &pl->move[0]);
	if (own)
		dvmi_plan_switch_away(pl, c0, 0); /* another mm */
	else
		dvmi_plan_come_back(pl, c0, 0);
	dvmi_plan_give(pl, c0, "off_cpu0");
	dvmi_plan_irq(pl, c0, 0);
	if (!pl->move[0].reached)
		return;
	dvmi_plan_wait(pl, c1, "off_cpu0");
	dvmi_plan_switch_in(pl, c1, 1, DVMI_FIRST_TIME);
	dvmi_plan_hooks(pl, c1, 1, true, &pl->move[0], &pl->move[1]);
	if (own)
		dvmi_plan_switch_away(pl, c1, 1);
	else
		dvmi_plan_come_back(pl, c1, 1);
	dvmi_plan_give(pl, c1, "off_cpu1");
	dvmi_plan_irq(pl, c1, 1);
	dvmi_plan_to_user(pl, c1);
	if (!own) {
		dvmi_plan_use(pl, c1);
		dvmi_plan_irq(pl, c1, 1);
	}
	if (!pl->move[1].reached)
		return;
	last = cpu ? dvmi_plan_column(pl, "CPU 2, the flusher after its second move") : c0;
	if (cpu)
		pl->t->ipi_cpus = 3; /* the flusher ends there: it sends itself nothing */
	dvmi_plan_wait(pl, last, "off_cpu1");
	if (cpu || own)
		dvmi_plan_switch_in(pl, last, cpu, cpu ? DVMI_FIRST_TIME : DVMI_AGAIN);
	else
		dvmi_plan_come_back(pl, last, cpu);
	dvmi_plan_hooks(pl, last, cpu, true, &pl->move[1], NULL);
	dvmi_plan_reuse(pl, last);
	if (own) {
		dvmi_plan_to_user(pl, last);
		dvmi_plan_use(pl, last);
	}
	dvmi_plan_condition(pl, own ? last : c1, last);
}

int dvmi_scn_migrate_twice(struct dvmi_plan *pl)
{
	const struct dvmi_program *p = pl->p;
	char sub[48], story[200];
	int rc = 0;

	if (!migratable(pl))
		return 0;
	pl->moves = 2;
	pl->move[1].number = 1;
	pl->sub = sub;
	pl->story = story;
	for (unsigned i = 0; i < p->insns_count * p->insns_count * 2 && !rc; i++) {
		unsigned a = i / 2 / p->insns_count, b = i / 2 % p->insns_count;

		if (!place(pl, a) || !place(pl, b))
			continue;
		pl->variant = i % 2;
		pl->move[0].at = a;
		pl->move[1].at = b;
		snprintf(sub, sizeof(sub), "%s-line%u-line%u", pl->variant ? "on" : "back",
			 (unsigned)p->insns[a].line, (unsigned)p->insns[b].line);
		snprintf(story, sizeof(story),
			 "the flusher moves to CPU 1 before line %u and %s before line %u",
			 (unsigned)p->insns[a].line, pl->variant ? "to CPU 2" : "back to CPU 0",
			 (unsigned)p->insns[b].line);
		rc = both(pl, OWN_LOAD | DVMI_USES(DVMI_USE_LOAD), twice_columns);
	}
	return rc;
}

/* ---- preempted ---- */

/* The flusher's CPU runs another mm for a while; with LOAD and STORE the mm arrives on CPU 1. */
static void preempted_columns(struct dvmi_plan *pl)
{
	bool own = pl->use == DVMI_USE_OWN_LOAD;
	unsigned c0, c1 = 0;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = own ? 0 : 2;
	c0 = dvmi_plan_column(pl, "CPU 0, the flusher, then another mm, then the flusher again");
	dvmi_plan_unmap(pl, c0);
	dvmi_plan_hooks(pl, c0, 0, true, NULL, &pl->move[0]);
	dvmi_plan_switch_away(pl, c0, 0);
	if (!pl->move[0].reached)
		return;
	dvmi_plan_switch_in(pl, c0, 0, DVMI_AGAIN);
	dvmi_plan_hooks(pl, c0, 0, true, &pl->move[0], NULL);
	dvmi_plan_reuse(pl, c0);
	if (own) {
		dvmi_plan_to_user(pl, c0);
		dvmi_plan_use(pl, c0);
	} else {
		c1 = dvmi_plan_column(pl, "CPU 1, where the mm arrives");
		dvmi_plan_irq(pl, c1, 1);
		dvmi_plan_switch_in(pl, c1, 1, DVMI_FIRST_TIME);
		dvmi_plan_irq(pl, c1, 1);
		dvmi_plan_to_user(pl, c1);
		dvmi_plan_use(pl, c1);
		dvmi_plan_irq(pl, c1, 1);
	}
	dvmi_plan_condition(pl, own ? c0 : c1, c0);
}

int dvmi_scn_preempted(struct dvmi_plan *pl)
{
	if (!preemptible(pl))
		return 0;
	pl->move[0].kind = DVMI_SCN_PREEMPTED;
	return move_once(pl, "", "the flusher is switched out for another mm",
			 DVMI_USES(DVMI_USE_LOAD) | OWN_LOAD, preempted_columns);
}

/* ---- batch ---- */

/* variant 0: own thread on CPU 0, another on CPU 1; 1: foreign on CPU 2, the mm on CPU 0 */
static void batch_columns(struct dvmi_plan *pl)
{
	unsigned cpu = pl->variant ? 2 : 0, user = pl->variant ? 0 : 1, f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (user)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, user, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = 1u << user;
	f = dvmi_plan_column(pl, cpu ? "CPU 2, the flusher" : "CPU 0, the flusher");
	v = dvmi_plan_column(pl, user ? "CPU 1, where the mm runs" : "CPU 0, where the mm runs");
	dvmi_plan_flush(pl, f, cpu, cpu == 0);
	dvmi_plan_irq(pl, v, user);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, user);
	dvmi_plan_condition(pl, v, f);
}

static void batch_own_columns(struct dvmi_plan *pl)
{
	unsigned c;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	c = dvmi_plan_column(pl, "CPU 0, the flusher and user");
	dvmi_plan_flush(pl, c, 0, true);
	dvmi_plan_to_user(pl, c);
	dvmi_plan_use(pl, c);
	dvmi_plan_condition(pl, c, c);
}

int dvmi_scn_batch(struct dvmi_plan *pl)
{
	int rc;

	pl->batch = true;
	pl->users = 2;
	pl->sub = "second";
	pl->story = "a thread on CPU 0 adds to a batch and completes it, another runs on CPU 1";
	rc = dvmi_plan_uses(pl, LOAD_STORE, batch_columns);
	pl->users = 1;
	pl->sub = "own";
	pl->story = "a thread on CPU 0 adds to a batch and completes it";
	rc = rc ? rc : dvmi_plan_uses(pl, OWN_LOAD, batch_own_columns);
	pl->variant = 1;
	pl->foreign = true;
	pl->sub = "foreign";
	pl->story = "reclaim on CPU 2 adds to a batch and completes it, the mm runs on CPU 0";
	rc = rc ? rc : dvmi_plan_uses(pl, LOAD_STORE, batch_columns);
	/* Where nothing can be switched out, that was all. */
	if (rc || !migratable(pl)) {
		pl->why = NULL;
		return rc;
	}
	rc = move_once(pl, "foreign-moves", "reclaim moves from CPU 0 to CPU 1", LOAD_STORE,
		       migrate_columns);
	pl->foreign = false;
	return rc ? rc
		  : move_once(pl, "moves", "the flusher moves from CPU 0 to CPU 1",
			      LOAD_STORE | OWN_LOAD, migrate_columns);
}

/* ---- virtual machines ---- */

/*
 * vCPU 0 runs the flusher on physical CPU 0, is moved to CPU 1 and, with variant 1, back. `self`
 * stays 0, and no hook of the guest runs. It ran on both CPUs before: entries may be on either, and
 * since no other vCPU of the VM ran there, the host flushes nothing (kvm, vcpu_load).
 */
static void vcpu_columns(struct dvmi_plan *pl)
{
	bool early = pl->use == DVMI_USE_OWN_STORE;
	unsigned c0, c1, last;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	c0 = dvmi_plan_column(pl, "physical CPU 0, which runs vCPU 0");
	c1 = dvmi_plan_column(pl, "physical CPU 1, to which vCPU 0 moves");
	if (early) /* a store of the user, still on its way when the flush begins */
		dvmi_plan_use(pl, c0);
	dvmi_plan_unmap(pl, c0);
	dvmi_plan_hooks(pl, c0, 0, true, NULL, &pl->move[0]);
	dvmi_plan_switch_to(pl, c0); /* the host's */
	dvmi_plan_give(pl, c0, "off_cpu0");
	if (!pl->move[0].reached)
		return;
	dvmi_plan_wait(pl, c1, "off_cpu0");
	dvmi_scn_line(pl->t, c1, "ISB");
	dvmi_scn_note(pl->t, c1, "host: ERET to the guest");
	dvmi_plan_hooks(pl, c1, 0, true, &pl->move[0], NULL);
	dvmi_plan_reuse(pl, c1);
	last = pl->variant ? c0 : c1;
	if (pl->variant) {
		dvmi_plan_switch_to(pl, c1);
		dvmi_plan_give(pl, c1, "off_cpu1");
		dvmi_plan_wait(pl, c0, "off_cpu1");
	}
	dvmi_plan_to_user(pl, last);
	if (!early)
		dvmi_plan_use(pl, last);
	dvmi_plan_condition(pl, last, c1);
}

/*
 * vCPU 0 leaves physical CPU 0 in the middle of its flush; vCPU 1 of the same VM is loaded there
 * and runs a thread of the mm. The host flushes this VMID locally, because another of its vCPUs ran
 * here last (__kvm_flush_cpu_context()).
 */
static void vcpu_other_columns(struct dvmi_plan *pl)
{
	unsigned c0, c1;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = 2;
	c0 = dvmi_plan_column(pl, "physical CPU 0, which runs vCPU 0, then vCPU 1");
	c1 = dvmi_plan_column(pl, "physical CPU 1, to which vCPU 0 moves");
	dvmi_plan_unmap(pl, c0);
	dvmi_plan_hooks(pl, c0, 0, true, NULL, &pl->move[0]);
	dvmi_plan_switch_to(pl, c0);
	dvmi_plan_give(pl, c0, "off_cpu0");
	dvmi_scn_line(pl->t, c0, "TLBI VMALLE1");
	dvmi_scn_note(pl->t, c0, "host: __kvm_flush_cpu_context()");
	dvmi_scn_line(pl->t, c0, "DSB NSH");
	dvmi_scn_line(pl->t, c0, "ISB");
	dvmi_scn_note(pl->t, c0, "host: ERET to the guest, vCPU 1");
	dvmi_plan_irq(pl, c0, 1);
	dvmi_plan_switch_in(pl, c0, 1, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, c0, 1);
	dvmi_plan_to_user(pl, c0);
	dvmi_plan_use(pl, c0);
	dvmi_plan_irq(pl, c0, 1);
	if (!pl->move[0].reached)
		return;
	dvmi_plan_wait(pl, c1, "off_cpu0");
	dvmi_scn_line(pl->t, c1, "ISB");
	dvmi_scn_note(pl->t, c1, "host: ERET to the guest");
	dvmi_plan_hooks(pl, c1, 0, true, &pl->move[0], NULL);
	dvmi_plan_reuse(pl, c1);
	dvmi_plan_condition(pl, c0, c1);
}

static int vm(struct dvmi_plan *pl, bool fb)
{
	int rc;

	pl->env.vm = true;
	pl->env.fb = fb;
	pl->move[0].kind = DVMI_SCN_HOST;
	pl->users = 1;
	pl->variant = 0;
	rc = move_once(pl, "moves", "the host moves vCPU 0 from CPU 0 to CPU 1",
		       OWN_LOAD | DVMI_USES(DVMI_USE_OWN_STORE), vcpu_columns);
	pl->variant = 1;
	rc = rc ? rc
		: move_once(pl, "back", "the host moves vCPU 0 to CPU 1, and back after the flush,",
			    OWN_LOAD, vcpu_columns);
	pl->variant = 0;
	return rc ? rc
		  : move_once(pl, "other", "the host moves vCPU 0 to CPU 1 and runs vCPU 1 on CPU 0",
			      LOAD_STORE, vcpu_other_columns);
}

int dvmi_scn_vm(struct dvmi_plan *pl)
{
	int rc;

	pl->env.vm = pl->env.fb = true;
	rc = dvmi_scn_arrive(pl);
	pl->sub = "second";
	rc = rc ? rc : dvmi_scn_second(pl);
	pl->sub = "";
	rc = rc ? rc : dvmi_scn_stay(pl);
	return rc ? rc : vm(pl, true);
}

int dvmi_scn_vm_no_fb(struct dvmi_plan *pl)
{
	return vm(pl, false);
}

int dvmi_scn_erratum_vm(struct dvmi_plan *pl)
{
	pl->env.erratum = true;
	return dvmi_scn_vm(pl);
}
