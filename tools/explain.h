/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_EXPLAIN_H
#define DVMSIM_TOOLS_EXPLAIN_H

#include <dvmsim/sim.h>

#include <stdio.h>

/*
 * The life of one address space in readable lines, or a line for each address space: what
 * 'dvmsim run --explain' prints. Feed it the events of one run with explain_event().
 */
struct explain;

/* @mm: which address space; 0: all, a line each. NULL when memory runs out. */
struct explain *explain_new(uint32_t mm);
void explain_event(void *arg, const struct dvm_sim_event *event);
/* What it prints, to be freed with free(); NULL when memory ran out. */
char *explain_text(struct explain *x);
void explain_free(struct explain *x);

#endif
