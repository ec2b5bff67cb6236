/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_TEXT_H
#define DVMI_REPORT_TEXT_H

#include <dvmsim/report.h>

#include "base/buf.h"
#include "report/num.h"
#include "report/table.h"

/* How a metric's change is marked in a table. */
enum dvmi_mark {
	DVMI_MARK_NONE,
	DVMI_MARK_IMPROVED,
	DVMI_MARK_REGRESSED,
	DVMI_MARK_SIGN, /* the interval excludes zero, but the sign turns within the ranges */
	DVMI_MARK_STALE,
	DVMI_MARK_MISSING,
};

enum dvmi_mark dvmi_mark_of(const struct dvm_cell *cell, const struct dvm_metric *metric);
/* Percent, positive when the strategy is better, whatever the metric's direction. */
double dvmi_improvement(const struct dvm_metric *metric, double change_pct);
/* "(I) +3.25 %", "(R) -1.10 %", "(?) +0.4 %", "STALE", "-". */
const char *dvmi_change_text(char buf[64], const struct dvm_cell *cell,
			     const struct dvm_metric *metric);
/* A place in the box, its value with a unit: "barrier.dsb_nsh_ps=200000" is "barrier.dsb_nsh = 200 ns". */
const char *dvmi_place_text(char *buf, size_t size, const char *at);
/* "+0.3 .. +4.1 %" of a metric's ranges, as improvements. */
const char *dvmi_ranges_text(char buf[96], const struct dvm_metric *metric);
/* The value of a metric with its unit. */
const char *dvmi_value_text(char buf[DVMI_NUM_MAX], const struct dvm_metric *metric);
/* What the metric is called in a table: "forks (ops/sec)". */
const char *dvmi_class_text(char buf[96], const struct dvm_metric *metric);

/* "part: status, calibrated by ...; n of m parameters are estimates" and its note, two lines. */
void dvmi_report_hw(struct dvmi_buf *out, const struct dvm_study *s, size_t hw);
/*
 * where.c: where the time went at one site (its first cell given), strategies side by side; @broken:
 * also of cells that were stale or not finished.
 */
void dvmi_report_where(struct dvmi_buf *out, const struct dvm_study *s, size_t cell, bool broken);
/* The dearest @most lines of a cell's strategy; 0: every line that ran. */
void dvmi_report_steps(struct dvmi_buf *out, const struct dvm_cell *cell, size_t most);
/* summary.c: how many improved and regressed, and the worst, by strategy. */
void dvmi_report_summary(struct dvmi_buf *out, const struct dvm_study *s);
/* safety.c: what the checker says of each strategy. */
void dvmi_report_safety(struct dvmi_buf *out, const struct dvm_study *s);
/* The same of one strategy, without its name: "SAFE"; no kernel is known. */
void dvmi_report_safety_words(struct dvmi_buf *out, const struct dvm_strategy *s);
/* The same as member "safety" of the document under way; 0 or a negative code. */
struct dvmi_jw;
int dvmi_report_safety_json(struct dvmi_jw *w, const struct dvm_study *s);

#endif
