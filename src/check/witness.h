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
int dvmi_witness_find(const struct dvm_litmus *test, const struct dvmi_origins *origins,
		      const struct dvm_check_options *options, struct dvm_witness **witness,
		      struct dvm_error *err);
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

/* ---- witness_rules.c: fills wrong and broke ---- */
void dvmi_witness_judge(struct dvm_witness *w);

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
