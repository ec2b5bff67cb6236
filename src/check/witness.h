/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_WITNESS_H
#define DVMI_CHECK_WITNESS_H

#include "check/origin.h"
#include "check/run.h"
#include "check/shortest.h"

#include <dvmsim/witness.h>

enum { DVMI_BROKEN_MAX = 4 };

struct dvm_witness {
	struct dvm_litmus *owned; /* the test, when nobody else keeps it */
	const struct dvm_litmus *test;
	const struct dvmi_origins *origins; /* NULL: a litmus test */
	struct dvmi_run run;		    /* its program is that of the ways taken */
	size_t choice[DVMI_PES_MAX];
	uint64_t need[DVMI_PES_MAX];
	struct dvmi_way way;
	struct dvmi_state end; /* after way.bad steps */
	unsigned when[DVMI_PES_MAX][DVMI_EVENTS_MAX]; /* step at which it happened, from 1; 0: not */
	char wrong[400];
	unsigned broken;
	struct dvmi_broken {
		unsigned rule;
		char text[300];
	} broke[DVMI_BROKEN_MAX];
};

/* ---- witness.c ---- */
/* @rule: only executions that break this safety rule; 0: any. */
int dvmi_witness_find(const struct dvm_litmus *test, const struct dvmi_origins *origins,
		      unsigned rule, const struct dvm_check_options *options,
		      struct dvm_witness **witness, struct dvm_error *err);
/* Does a state show what the test asks for? */
bool dvmi_witness_wanted(const struct dvmi_run *r, const struct dvmi_state *st);
/* Events after which that is known, with all that come before them. Returns how many there are. */
unsigned dvmi_witness_needed(const struct dvmi_run *r, uint64_t *need);
/* The instruction of an event, and where it comes from (NULL: a litmus test). */
const struct dvmi_insn *dvmi_witness_insn(const struct dvm_witness *w, unsigned pe, unsigned ev);
const struct dvmi_origin *dvmi_witness_origin(const struct dvm_witness *w, unsigned pe,
					      unsigned ev);
/* Walks of pages whose descriptor nobody writes say nothing: they are not shown. */
bool dvmi_witness_silent(const struct dvm_witness *w, unsigned pe, unsigned ev);
/* "CPU 1", "P1". */
void dvmi_witness_cpu(const struct dvm_witness *w, unsigned pe, char *text, size_t size);

/* ---- witness_use.c: the stale use in the state w->end ---- */
/* How far a TLBI came towards preventing it; the higher the closer. */
enum dvmi_reach {
	DVMI_REACH_NONE,
	DVMI_REACH_OTHER, /* it is for another page or ASID */
	DVMI_REACH_TWIN,  /* for the other ASID of a KPTI pair */
	DVMI_REACH_LEVEL,
	DVMI_REACH_SCOPE, /* local, on another CPU; or for another TLBI domain */
	DVMI_REACH_EARLY, /* before the store to the descriptor */
	DVMI_REACH_LATE,
	DVMI_REACH_DONE, /* complete, and yet: the erratum */
};
struct dvmi_use {
	unsigned pe, ev, walk;	/* the access and the event of its walk */
	unsigned writer, write; /* PE and event of the store that made the translation stale */
	uint16_t loc, asid;
	bool clash;   /* the walk used it while memory held another: break-before-make */
	bool foreign; /* it is of the mm that had the ASID before */
	bool fault;   /* what it got is a fault */
	enum dvmi_reach how; /* of the TLBI that came closest */
	unsigned tlbi;
};
/* TLBI @t is a broadcast to a TLBI domain (FEAT_TLBID) in which the user is not. */
bool dvmi_witness_other_domain(const struct dvm_witness *w, const struct dvmi_use *u, unsigned t);
/* false: there is none. */
bool dvmi_witness_use(const struct dvm_witness *w, struct dvmi_use *u);
bool dvmi_witness_done(const struct dvm_witness *w, unsigned pe, unsigned ev);

/* ---- witness_rules.c: fills wrong and broke from the state w->end ---- */
void dvmi_witness_judge(struct dvm_witness *w);
/* The same for a state on the way: the broken rules, bit n for rule n. */
unsigned dvmi_witness_broken(struct dvm_witness *w, const struct dvmi_state *st);

/* ---- witness_steps.c: one step in words ---- */
struct dvmi_witness_row {
	unsigned step; /* from 1, as it is printed */
	unsigned pe, ev;
	char source[96], effect[240];
	char tlb[DVMI_PES_MAX][120]; /* what it may hold after the step */
	unsigned tlb_changed;	     /* bit per PE */
};
/* @row[0] is before the first step. @count: rows with it. Freed with dvmi_free(). */
int dvmi_witness_rows(const struct dvm_witness *w, struct dvmi_witness_row **row, unsigned *count);

#endif
