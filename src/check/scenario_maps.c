/* SPDX-License-Identifier: MIT */
/* What a TLB must not hold together: two translations of a page, two mms under one ASID. */
#include "check/scenario_plan.h"

/* ---- remap ---- */

/*
 * The stores are those of ptep_clear_flush() and set_pte(), of page migration, of a hugepage split and
 * of contpte_convert(): an invalid descriptor, the flush, the new descriptor. In the model the new
 * one differs in its output address.
 */
int dvmi_scn_remap(struct dvmi_plan *pl)
{
	int rc;

	pl->remap = true;
	pl->sub = "arrive";
	rc = dvmi_scn_arrive(pl);
	pl->sub = "second";
	rc = rc ? rc : dvmi_scn_second(pl);
	pl->sub = "own";
	rc = rc ? rc : dvmi_scn_stay(pl);
	return rc ? rc : dvmi_scn_foreign(pl);
}

/* ---- asid-reuse ---- */

static void flag(struct dvmi_plan *pl, unsigned c, const char *name, const char *note)
{
	dvmi_scn_line(pl->t, c, "MOV X8,#1");
	dvmi_scn_line(pl->t, c, "STLR X8,[X%u]", dvmi_scn_loc(pl->t, c, name, 0));
	dvmi_scn_note(pl->t, c, note);
}

static void wait_for(struct dvmi_plan *pl, unsigned c, const char *name, const char *note)
{
	dvmi_scn_line(pl->t, c, "LDAR X8,[X%u]", dvmi_scn_loc(pl->t, c, name, 0));
	dvmi_scn_note(pl->t, c, note);
	dvmi_scn_use_label(pl->t, c, pl->t->col[c].stop);
	dvmi_scn_line(pl->t, c, "CBZ X8,L%d", pl->t->col[c].stop);
}

/*
 * The first mm is left on CPU 1 and ends. CPU 0 begins a new generation and gives its ASID to the
 * second mm, whose thread then arrives on CPU 1, by the slow path and its pending flush.
 */
static void reuse_columns(struct dvmi_plan *pl)
{
	struct dvmi_scn_hook h;
	unsigned f, v;

	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	dvmi_plan_before(pl, DVMI_HOOK_MM_NEW, 0, DVMI_SCN_THE_MM);
	f = dvmi_plan_column(pl, "CPU 0, where an ASID generation begins");
	v = dvmi_plan_column(pl, "CPU 1, where the second mm arrives");
	wait_for(pl, f, "left", "kernel: flush_context() finds the first mm's ASID nowhere in use");
	h = dvmi_plan_hook(pl, DVMI_HOOK_ROLLOVER, f, 0, DVMI_SCN_OTHER_MM);
	dvmi_scn_hook(pl->t, &h);
	flag(pl, f, "asid_free", "kernel: the ASID of the first mm is given to the second");

	dvmi_plan_install(pl, v, (uint64_t)DVMI_SCN_ASID_OTHER << 48);
	dvmi_scn_line(pl->t, v, "ISB");
	dvmi_scn_note(pl->t, v,
		      "kernel: ISB, after MSR TTBR0_EL1: a third mm; the first is left, and ends");
	dvmi_plan_switch_to(pl, v);
	flag(pl, v, "left", "kernel: active_asids of this CPU is the third mm's");
	wait_for(pl, v, "asid_free", "kernel: mm->context.id of the second mm");
	pl->slow_path = true;
	pl->alloc_path = DVMI_PATH_FRESH;
	pl->pending_flush = !(pl->choice->env & DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH);
	dvmi_plan_switch_in(pl, v, 1, DVMI_FIRST_TIME);
	pl->t->col[v].asid = pl->env.kpti ? DVMI_SCN_ASID_USER : DVMI_SCN_ASID_MM;
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_asid_reuse(struct dvmi_plan *pl)
{
	int rc = 0;

	pl->reissue = true;
	pl->users = 1;
	pl->story = "an mm ran on CPU 1 and has ended; another gets its ASID and arrives there";
	for (unsigned u = DVMI_USE_LOAD; u <= DVMI_USE_STORE && !rc; u++) {
		pl->use = (enum dvmi_use)u;
		rc = dvmi_plan_run(pl, reuse_columns);
	}
	return rc;
}
