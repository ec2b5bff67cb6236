/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include "base/mem.h"
#include "study/study.h"

#include <stdio.h>

struct extreme {
	size_t cell, metric;
	double improvement;
	bool found;
};

struct tally {
	size_t regressed, improved, sign, unmarked, stale, missing;
	struct extreme worst, best;
};

static void count(struct tally *t, enum dvmi_mark mark)
{
	t->regressed += mark == DVMI_MARK_REGRESSED;
	t->improved += mark == DVMI_MARK_IMPROVED;
	t->sign += mark == DVMI_MARK_SIGN;
	t->unmarked += mark == DVMI_MARK_NONE;
	t->stale += mark == DVMI_MARK_STALE;
	t->missing += mark == DVMI_MARK_MISSING;
}

static struct tally tally_of(const struct dvm_study *s, size_t strategy)
{
	struct tally t = { 0 };
	struct dvm_metric m;
	struct dvm_cell c;

	for (size_t cell = strategy; !dvm_study_cell(s, cell, &c); cell += s->nstrategies) {
		for (size_t i = 0; i < c.primary; i++) {
			enum dvmi_mark mark;
			double x;

			dvm_study_metric(s, cell, i, &m);
			mark = dvmi_mark_of(&c, &m);
			count(&t, mark);
			if (mark == DVMI_MARK_STALE || mark == DVMI_MARK_MISSING)
				continue;
			x = dvmi_improvement(&m, m.change_pct);
			if (!t.worst.found || x < t.worst.improvement)
				t.worst = (struct extreme){ cell, i, x, true };
			if (!t.best.found || x > t.best.improvement)
				t.best = (struct extreme){ cell, i, x, true };
		}
	}
	return t;
}

static void add_extreme(struct dvmi_table *table, const struct dvm_study *s,
			const struct extreme *e)
{
	struct dvm_metric m;
	struct dvm_cell c;
	char text[64];

	if (!e->found) {
		dvmi_table_add(table, "-");
		return;
	}
	dvm_study_cell(s, e->cell, &c);
	dvm_study_metric(s, e->cell, e->metric, &m);
	dvmi_table_add(table, "%s %s, %s", dvmi_change_text(text, &c, &m), c.workload, c.hw);
}

void dvmi_report_summary(struct dvmi_buf *out, const struct dvm_study *s)
{
	static const char *const heads[] = { "Strategy", "(R)", "(I)", "(?)", "unmarked",
					     "STALE", "no value", "worst", "best" };
	struct tally all = { 0 };
	struct dvmi_table table;

	dvmi_table_init(&table, 9, false);
	for (size_t i = 0; i < 9; i++)
		dvmi_table_add(&table, "%s", heads[i]);
	dvmi_table_rule(&table, false);
	for (size_t i = 1; i < 7; i++)
		dvmi_table_right(&table, i);
	for (size_t i = 0; i < s->nstrategies; i++) {
		struct tally t;

		if (i == s->baseline)
			continue;
		t = tally_of(s, i);
		dvmi_table_add(&table, "%s", dvm_strategy_name(s->strategies[i]));
		dvmi_table_add(&table, "%zu", t.regressed);
		dvmi_table_add(&table, "%zu", t.improved);
		dvmi_table_add(&table, "%zu", t.sign);
		dvmi_table_add(&table, "%zu", t.unmarked);
		dvmi_table_add(&table, "%zu", t.stale);
		dvmi_table_add(&table, "%zu", t.missing);
		add_extreme(&table, s, &t.worst);
		add_extreme(&table, s, &t.best);
		all.regressed += t.regressed;
		all.improved += t.improved;
		all.sign += t.sign;
		all.unmarked += t.unmarked;
		all.stale += t.stale;
		if (t.worst.found &&
		    (!all.worst.found || t.worst.improvement < all.worst.improvement))
			all.worst = t.worst;
	}
	dvmi_buf_printf(out, "Summary: %zu regressed (R), %zu improved (I), %zu whose sign depends "
			     "on an estimate (?), %zu unmarked", all.regressed, all.improved,
			all.sign, all.unmarked);
	if (all.stale)
		dvmi_buf_printf(out, ", %zu STALE", all.stale);
	dvmi_buf_puts(out, "\n");
	dvmi_table_print(&table, "  ", out);
	dvmi_table_fini(&table);
}
