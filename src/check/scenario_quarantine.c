/* SPDX-License-Identifier: MIT */
/*
 * Strategies with a quarantine: a flush that frees something returns early, and the page has its new use
 * once so many ticks have passed. Ticks are told by the clock and order nothing. That a tick has
 * passed everywhere is taken to mean that a tick hook that began after the flush returned is over, and
 * that both CPUs see so much of each other: a tick is a million times longer than a store takes. Of N
 * ticks the first may be under way at the return and the last at the end, so N - 1 are complete; one
 * complete tick stands for any number.
 */
#include "check/scenario_plan.h"

#include <stdio.h>

#define LOAD_STORE (DVMI_USES(DVMI_USE_LOAD) | DVMI_USES(DVMI_USE_STORE))

static void give(struct dvmi_plan *pl, unsigned c, const char *flag, const char *note)
{
	dvmi_scn_line(pl->t, c, "MOV X8,#1");
	dvmi_scn_line(pl->t, c, "STLR X8,[X%u]", dvmi_scn_loc(pl->t, c, flag, 0));
	dvmi_scn_note(pl->t, c, note);
}

static void wait(struct dvmi_plan *pl, unsigned c, const char *flag, const char *note)
{
	dvmi_scn_line(pl->t, c, "LDAR X8,[X%u]", dvmi_scn_loc(pl->t, c, flag, 0));
	dvmi_scn_note(pl->t, c, note);
	dvmi_scn_use_label(pl->t, c, pl->t->col[c].stop);
	dvmi_scn_line(pl->t, c, "CBZ X8,L%d", pl->t->col[c].stop);
}

static void hook_of_tick(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook h = dvmi_plan_hook(pl, DVMI_HOOK_TICK, c, cpu, DVMI_SCN_THE_MM);

	dvmi_scn_line(pl->t, c, "ISB");
	dvmi_scn_note(pl->t, c, "kernel: exception entry, the tick");
	dvmi_scn_hook(pl->t, &h);
	dvmi_scn_line(pl->t, c, "ISB");
	dvmi_scn_note(pl->t, c, "kernel: exception return");
}

/* A tick in the quarantine. */
static void complete_tick(struct dvmi_plan *pl, unsigned c, unsigned cpu)
{
	wait(pl, c, "returned", "clock: a tick comes after the flush has returned");
	hook_of_tick(pl, c, cpu);
	give(pl, c, "ticked", "clock: the tick is over");
}

/* unmap, flush, and the reuse when the quarantine is over; @ticks: the other CPU ticks in it. */
static void flush(struct dvmi_plan *pl, unsigned c, unsigned cpu, bool ticks)
{
	dvmi_plan_unmap(pl, c);
	dvmi_plan_hooks(pl, c, cpu, cpu == 0, NULL, NULL);
	give(pl, c, "returned", "kernel: the flush returns; the quarantine begins");
	if (ticks && pl->p->quarantine > 1)
		wait(pl, c, "ticked", "clock: a tick of the quarantine is over");
	dvmi_plan_reuse(pl, c);
}

/* What a story has; each is a bit of the plan's variant. */
enum {
	FOREIGN = 1,  /* the flusher is on CPU 2, the mm runs on CPU 0 */
	ARRIVES = 2,  /* the mm comes to CPU 1 during the flush */
	EARLIER = 4,  /* something was flushed before, and a tick may be under way */
	AFTER = 8,    /* the page is used after the tick, not before */
	TICKLESS = 16 /* the CPU that runs the mm has no ticks */
};

static void running_columns(struct dvmi_plan *pl)
{
	const unsigned v = pl->variant, flusher = v & FOREIGN ? 2 : 0, cpu = v & FOREIGN ? 0 : 1;
	unsigned f, u;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (v & ARRIVES)
		dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	else if (cpu)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, cpu, DVMI_SCN_THE_MM);
	if (v & EARLIER)
		dvmi_plan_before(pl, DVMI_HOOK_FLUSH, flusher, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = 1u << cpu;
	f = dvmi_plan_column(pl, flusher ? "CPU 2, the flusher" : "CPU 0, the flusher");
	pl->t->col[f].away = flusher != 0;
	u = dvmi_plan_column(pl, cpu ? "CPU 1, where the mm runs" : "CPU 0, where the mm runs");
	flush(pl, f, flusher, !(v & TICKLESS));
	if (v & ARRIVES)
		dvmi_plan_switch_in(pl, u, cpu, DVMI_FIRST_TIME);
	if (v & EARLIER)
		hook_of_tick(pl, u, cpu);
	dvmi_plan_irq(pl, u, cpu);
	dvmi_plan_to_user(pl, u);
	if (v & AFTER)
		complete_tick(pl, u, cpu);
	dvmi_plan_use(pl, u);
	if (!(v & (AFTER | TICKLESS)))
		complete_tick(pl, u, cpu);
	dvmi_plan_condition(pl, u, f);
}

/*
 * CPU 1 holds entries of the mm and does not run it: it idles with it (variant 1), with its tick stopped,
 * or runs a kernel thread (2), or another mm (0). It comes back after the flush returned: one that comes
 * back before ticks from then on.
 */
static void absent_columns(struct dvmi_plan *pl)
{
	unsigned f, u;

	pl->lazy_is_idle = pl->variant == 1;
	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	if (pl->variant)
		dvmi_plan_before(pl, DVMI_HOOK_IDLE, 1, DVMI_SCN_THE_MM);
	else
		dvmi_plan_left(pl, 1);
	pl->t->ipi_cpus = 1u << 1;
	f = dvmi_plan_column(pl, "CPU 0, the flusher");
	u = dvmi_plan_column(pl, "CPU 1, to which the mm returns");
	flush(pl, f, 0, false);
	dvmi_plan_irq(pl, u, 1);
	wait(pl, u, "returned", "clock: it comes back after the flush has returned");
	if (pl->variant)
		dvmi_plan_come_back(pl, u, 1);
	else
		dvmi_plan_switch_in(pl, u, 1, DVMI_AGAIN);
	dvmi_plan_irq(pl, u, 1);
	dvmi_plan_to_user(pl, u);
	dvmi_plan_use(pl, u);
	dvmi_plan_condition(pl, u, f);
}

/* The flusher itself, by a tick or by its own TLBI. */
static void own_columns(struct dvmi_plan *pl)
{
	unsigned c;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	c = dvmi_plan_column(pl, "CPU 0, the flusher and user");
	dvmi_plan_unmap(pl, c);
	dvmi_plan_hooks(pl, c, 0, true, NULL, NULL);
	if (pl->p->quarantine > 1)
		hook_of_tick(pl, c, 0);
	dvmi_plan_reuse(pl, c);
	dvmi_plan_to_user(pl, c);
	dvmi_plan_use(pl, c);
	dvmi_plan_condition(pl, c, c);
}

struct story {
	const char *sub, *story;
	dvmi_columns_fn *columns;
	unsigned variant, uses;
};

static int tell(struct dvmi_plan *pl, const struct story *v, unsigned count)
{
	int rc = 0;

	if (!pl->p->quarantine) {
		pl->why = "the strategy declares no quarantine: its flushes are complete when they return";
		return 0;
	}
	pl->frees = true;
	for (unsigned i = 0; i < count && !rc; i++) {
		pl->variant = v[i].variant;
		pl->foreign = v[i].columns == running_columns && v[i].variant & FOREIGN;
		pl->users = 2;
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		rc = dvmi_plan_uses(pl, v[i].uses, v[i].columns);
	}
	return rc;
}

int dvmi_scn_quarantine(struct dvmi_plan *pl)
{
	static const struct story v[] = {
		{"running", "another thread of the mm runs on CPU 1 and ticks afterwards",
		 running_columns, 0, LOAD_STORE},
		{"ticked", "another thread of the mm runs on CPU 1, ticks and goes on",
		 running_columns, AFTER, LOAD_STORE},
		{"earlier", "a tick is under way on CPU 1 for an earlier flush", running_columns,
		 EARLIER, LOAD_STORE},
		{"earlier-ticked", "a tick is under way on CPU 1 for an earlier flush; it ticks and goes on",
		 running_columns, EARLIER | AFTER, LOAD_STORE},
		{"arrive", "the mm arrives on CPU 1 during the flush and ticks there", running_columns,
		 ARRIVES, LOAD_STORE},
		{"arrive-ticked", "the mm arrives on CPU 1 during the flush, ticks there and goes on",
		 running_columns, ARRIVES | AFTER, LOAD_STORE},
		{"foreign", "a task on CPU 2 flushes, the mm runs on CPU 0", running_columns, FOREIGN,
		 LOAD_STORE},
		{"left", "CPU 1 runs another mm through the quarantine and comes back", absent_columns, 0,
		 LOAD_STORE},
		{"idle", "CPU 1 idles through the quarantine, its tick stopped, and comes back",
		 absent_columns, 1, LOAD_STORE},
		{"kthread", "CPU 1 runs a kernel thread with the mm kept, and comes back",
		 absent_columns, 2, LOAD_STORE},
		{"own", "the flusher uses the page itself", own_columns, 0,
		 DVMI_USES(DVMI_USE_OWN_LOAD)},
	};

	return tell(pl, v, sizeof(v) / sizeof(v[0]));
}

int dvmi_scn_tickless(struct dvmi_plan *pl)
{
	static const struct story v[] = {
		{"running", "another thread of the mm runs on CPU 1, whose tick is stopped (nohz_full)",
		 running_columns, TICKLESS, LOAD_STORE},
	};

	return tell(pl, v, 1);
}
