/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum dvmi_mark dvmi_mark_of(const struct dvm_cell *cell, const struct dvm_metric *m)
{
	if (cell->status == DVM_RUN_STALE || (m->ranges.examined && m->ranges.stale_at))
		return DVMI_MARK_STALE;
	if (cell->status != DVM_RUN_OK || m->verdict == DVM_VERDICT_NONE)
		return DVMI_MARK_MISSING;
	if (m->verdict != DVM_VERDICT_IMPROVED && m->verdict != DVM_VERDICT_REGRESSED)
		return DVMI_MARK_NONE;
	if (fabs(m->change_pct) < 0.005) /* shows as nothing, whatever its interval */
		return DVMI_MARK_NONE;
	if (m->ranges.examined && !m->ranges.holds)
		return DVMI_MARK_SIGN;
	return m->verdict == DVM_VERDICT_IMPROVED ? DVMI_MARK_IMPROVED : DVMI_MARK_REGRESSED;
}

double dvmi_improvement(const struct dvm_metric *m, double change_pct)
{
	return change_pct == 0 ? 0 : m->higher_is_better ? change_pct : -change_pct;
}

/* Half the width of what is not known: the interval, or the estimates' ranges if that is more. */
static double uncertainty(const struct dvm_metric *m)
{
	double box = m->ranges.examined ? (m->ranges.hi_pct - m->ranges.lo_pct) / 2 : 0;

	return fmax(box, m->change_ci95);
}

static int digits_of(const char *number)
{
	const char *point = strchr(number, '.');

	return point ? (int)strspn(point + 1, "0123456789") : 0;
}

const char *dvmi_change_text(char buf[64], const struct dvm_cell *cell, const struct dvm_metric *m)
{
	static const char *const marks[] = { "", "(I) ", "(R) ", "(?) " };
	enum dvmi_mark mark = dvmi_mark_of(cell, m);
	char change[DVMI_NUM_MAX], ci[DVMI_NUM_MAX] = "";

	if (mark == DVMI_MARK_STALE)
		return strcpy(buf, "STALE");
	if (mark == DVMI_MARK_MISSING)
		return strcpy(buf, cell->status == DVM_RUN_IMPOSSIBLE ? "does not fit" :
				   cell->status == DVM_RUN_UNFINISHED ? "unfinished" :
				   m->unstable ? "unstable" : "-");
	if (m->verdict == DVM_VERDICT_UNCHANGED)
		return strcpy(buf, "same");
	dvmi_num_change(change, dvmi_improvement(m, m->change_pct), uncertainty(m));
	/* The interval with the digits of the change, where it is not nothing at these digits. */
	if (m->n > 1)
		snprintf(ci, sizeof(ci), " +-%.*f", digits_of(change), m->change_ci95);
	if (strspn(ci, " +-0.") == strlen(ci))
		ci[0] = '\0';
	snprintf(buf, 64, "%s%s%s", marks[mark], change, ci);
	return buf;
}

const char *dvmi_place_text(char *buf, size_t size, const char *at)
{
	const char *eq = strstr(at, "_ps=");
	char time[DVMI_NUM_MAX];

	if (eq)
		snprintf(buf, size, "%.*s = %s", (int)(eq - at), at,
			 dvmi_num_time(time, strtod(eq + 4, NULL)));
	else if ((eq = strchr(at, '=')))
		snprintf(buf, size, "%.*s = %s", (int)(eq - at), at, eq + 1);
	else
		snprintf(buf, size, "%s", at);
	return buf;
}

const char *dvmi_ranges_text(char buf[96], const struct dvm_metric *m)
{
	double a = dvmi_improvement(m, m->ranges.lo_pct), b = dvmi_improvement(m, m->ranges.hi_pct);
	char lo[DVMI_NUM_MAX], hi[DVMI_NUM_MAX];

	if (m->ranges.lo_pct == m->ranges.hi_pct && m->ranges.runs == 0)
		return strcpy(buf, "no estimates");
	dvmi_num_change(lo, fmin(a, b), uncertainty(m));
	dvmi_num_change(hi, fmax(a, b), uncertainty(m));
	lo[strcspn(lo, " ")] = '\0'; /* one percent sign is enough */
	snprintf(buf, 96, "%s .. %s", lo, hi);
	return buf;
}

const char *dvmi_value_text(char buf[DVMI_NUM_MAX], const struct dvm_metric *m)
{
	if (!m->n)
		return strcpy(buf, m->unstable ? "unstable" : "-");
	return strcmp(m->unit, "ps") ? dvmi_num_rate(buf, m->mean) : dvmi_num_time(buf, m->mean);
}

const char *dvmi_class_text(char buf[96], const struct dvm_metric *m)
{
	if (!strcmp(m->unit, "/s"))
		snprintf(buf, 96, "%s (ops/sec)", m->name);
	else
		snprintf(buf, 96, "%s (%s)", m->name, !strcmp(m->name, "cpu time") ? "sum" : "time");
	return buf;
}
