/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SCENARIO_PLAN_H
#define DVMI_CHECK_SCENARIO_PLAN_H

#include "check/scenario.h"

/* How the page is used by whoever must not use its old translation. */
enum dvmi_use {
	DVMI_USE_LOAD,
	DVMI_USE_STORE,
	DVMI_USE_OWN_LOAD, /* by the flusher itself */
	DVMI_USE_OWN_STORE,
	DVMI_USE_WALK, /* by the table walker: x stands for a table entry, its page for the table */
};

/* One story: what is the same in all columns of a test. */
struct dvmi_plan {
	struct dvmi_scn_test *t;
	const struct dvmi_program *p;
	const struct dvmi_scn_choice *choice;
	struct dvmi_scn_env env;
	bool whole_mm;
	bool foreign; /* the flusher is no thread of the mm */
	bool freed;   /* page tables were freed */
	bool batch;   /* add, later complete */
	bool frees;   /* the page is given up: req.frees */
	bool fixup;   /* NOBROADCAST: the descriptor became more permissive */
	bool remote;  /* the page goes to a task on another CPU before it is reused */
	bool remap;   /* break-before-make: x gets another page */
	bool reissue; /* the mm that arrives has got the ASID of another one */
	bool lazy_is_idle;
	bool asid_in_memory;
	bool unfolded;
	unsigned alloc_path; /* of the slow path in this story */
	bool slow_path;	     /* arrivals go through new_context() and its pending flush */
	bool pending_flush;
	enum dvmi_use use;
	unsigned users;
	const char *scenario, *sub, *story, *harm;
	unsigned variant; /* the scenario's own */
	unsigned moves;
	struct dvmi_scn_move move[DVMI_SCN_MOVES];
	/* At which of its interruptible points each CPU takes the IPI, and how many it has. */
	unsigned ipi_at[DVMI_SCN_CPUS], ipi_points[DVMI_SCN_CPUS];
	dvmi_scn_emit_fn *emit;
	void *arg;
	const char *why; /* what the scenario lacks */
};

/* ---- scenario_parts.c ---- */
struct dvmi_scn_hook dvmi_plan_hook(const struct dvmi_plan *pl, enum dvmi_hook which,
				    unsigned column, unsigned cpu, enum dvmi_scn_mm mm);
/* What happened before the test: a hook; an mm made and installed for the first time. */
void dvmi_plan_before(const struct dvmi_plan *pl, enum dvmi_hook which, unsigned cpu,
		      enum dvmi_scn_mm mm);
void dvmi_plan_first_run(const struct dvmi_plan *pl, unsigned cpu, enum dvmi_scn_mm mm);
void dvmi_plan_left(const struct dvmi_plan *pl, unsigned cpu); /* for the other mm */

unsigned dvmi_plan_column(struct dvmi_plan *pl, const char *title);
void dvmi_plan_unmap(struct dvmi_plan *pl, unsigned c);
void dvmi_plan_reuse(struct dvmi_plan *pl, unsigned c);
void dvmi_plan_use(struct dvmi_plan *pl, unsigned c);
/* @user: column of the use; @reuser: of the reuse. */
void dvmi_plan_condition(struct dvmi_plan *pl, unsigned user, unsigned reuser);
/* Interrupts are on here: an IPI may be taken. */
void dvmi_plan_irq(struct dvmi_plan *pl, unsigned c, unsigned cpu);
enum dvmi_arrival {
	DVMI_FIRST_TIME, /* nothing of the mm is in this TLB */
	DVMI_AGAIN,	 /* entries may have stayed */
};
void dvmi_plan_switch_in(struct dvmi_plan *pl, unsigned c, unsigned cpu, enum dvmi_arrival how);
void dvmi_plan_install(struct dvmi_plan *pl, unsigned c, uint64_t ttbr);
void dvmi_plan_switch_away(struct dvmi_plan *pl, unsigned c, unsigned cpu);
void dvmi_plan_switch_to(struct dvmi_plan *pl, unsigned c); /* __switch_to(): DSB ISH */
void dvmi_plan_flush_all(struct dvmi_plan *pl, unsigned c);
void dvmi_plan_go_lazy(struct dvmi_plan *pl, unsigned c, unsigned cpu);
void dvmi_plan_come_back(struct dvmi_plan *pl, unsigned c, unsigned cpu);
bool dvmi_plan_parks(const struct dvmi_plan *pl); /* does the program use `park`? */
void dvmi_plan_to_user(struct dvmi_plan *pl, unsigned c);
void dvmi_plan_give(struct dvmi_plan *pl, unsigned c, const char *flag); /* store-release */
void dvmi_plan_wait(struct dvmi_plan *pl, unsigned c, const char *flag); /* load-acquire */
/* The flusher's hooks on @cpu, from after @from (NULL: the beginning) up to @to (NULL: the end). */
void dvmi_plan_hooks(struct dvmi_plan *pl, unsigned c, unsigned cpu, bool active_is_mm,
		     const struct dvmi_scn_move *from, struct dvmi_scn_move *to);
/* unmap, hooks, reuse; with @remote the page goes elsewhere first. */
void dvmi_plan_flush(struct dvmi_plan *pl, unsigned c, unsigned cpu, bool active_is_mm);
/* The column of the CPU where the page goes, with @remote. */
unsigned dvmi_plan_taker(struct dvmi_plan *pl);

/* ---- scenario_build.c ---- */
/* Build with @columns once for each point at which each CPU can take IPIs; emit what is made. */
typedef void dvmi_columns_fn(struct dvmi_plan *pl);
int dvmi_plan_run(struct dvmi_plan *pl, dvmi_columns_fn *columns);
/* The same for page and whole mm, and for each use in @uses (bit per enum dvmi_use). */
int dvmi_plan_uses(struct dvmi_plan *pl, unsigned uses, dvmi_columns_fn *columns);
#define DVMI_USES(u) (1u << (u))

/* A scenario: makes all its tests. */
typedef int dvmi_scenario_fn(struct dvmi_plan *pl);
dvmi_scenario_fn dvmi_scn_arrive, dvmi_scn_second, dvmi_scn_stay, dvmi_scn_return, dvmi_scn_foreign,
	dvmi_scn_fork, dvmi_scn_lazy, dvmi_scn_reuse;
/* scenario_moves.c */
dvmi_scenario_fn dvmi_scn_migrate, dvmi_scn_migrate_twice, dvmi_scn_preempted,
	dvmi_scn_foreign_migrate, dvmi_scn_batch, dvmi_scn_vm, dvmi_scn_vm_no_fb;
/* scenario_special.c */
dvmi_scenario_fn dvmi_scn_fixup, dvmi_scn_tables, dvmi_scn_rollover, dvmi_scn_new_asid,
	dvmi_scn_kpti, dvmi_scn_remap, dvmi_scn_asid_reuse, dvmi_scn_btm, dvmi_scn_sva,
	dvmi_scn_erratum, dvmi_scn_erratum_vm;
/* scenario_quarantine.c */
dvmi_scenario_fn dvmi_scn_quarantine, dvmi_scn_tickless;

#endif
