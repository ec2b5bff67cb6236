/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <stdio.h>
#include <string.h>

/* The strategies of a study, with what the checker says of each; and everything that got slower. */

#define LOSSES_MAX 30

static void add_safety(const struct dvm_campaign *c, const char *name, struct dvmi_table *t)
{
	struct dvmi_buf text = { 0 };
	struct dvm_strategy *s;
	char *verdict;

	if (dvm_strategy_find(name, c->options.strategies, &s, NULL)) {
		dvmi_table_add(t, "not found");
		return;
	}
	dvmi_report_safety_words(&text, s);
	dvm_strategy_free(s);
	if (dvmi_buf_take(&text, &verdict)) {
		t->failed = 1;
		return;
	}
	dvmi_table_add(t, "%s", verdict);
	dvm_free(verdict);
}

static void add_strategy(const struct dvm_campaign *c, const char *name, struct dvmi_table *t)
{
	static const enum dvmi_word words[] = { DVMI_WORD_WINS, DVMI_WORD_LOSES, DVMI_WORD_UNDECIDED,
						DVMI_WORD_OPEN, DVMI_WORD_SAME, DVMI_WORD_STALE };
	struct dvmi_pick pick = { SIZE_MAX, name, DVMI_AXIS_HW, NULL };
	struct dvmi_score s = dvmi_campaign_score(c, &pick);
	bool baseline = dvmi_campaign_is_baseline(c, name);

	dvmi_table_add(t, "%s", name);
	for (size_t i = 0; i < 6; i++) {
		if (baseline)
			dvmi_table_add(t, "%s", "");
		else
			dvmi_table_add(t, "%zu", s.words[words[i]]);
	}
	add_safety(c, name, t);
}

void dvmi_campaign_strategies(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	static const char *const heads[] = { "strategy", "better", "worse", "undecided", "open",
					     "same", "STALE", "checker" };
	struct dvmi_table t;
	const char *name;

	dvmi_doc_heading(d, 2, "Strategies");
	dvmi_doc_paragraph(d, "The checker ('dvmsim check', docs/checker-scenarios.md) reads DSB ST as "
			   "in Arm's cat model and as in the instruction's prose, named where they "
			   "differ. Compare a verdict with the baseline's: what is unsafe there as "
			   "well is not the patch's doing.");
	dvmi_table_init(&t, 8, false);
	for (size_t i = 0; i < 8; i++)
		dvmi_table_add(&t, "%s", heads[i]);
	for (size_t i = 1; i < 7; i++)
		dvmi_table_right(&t, i);
	for (size_t i = 0; (name = dvmi_campaign_strategy(c, i)) != NULL; i++)
		add_strategy(c, name, &t);
	dvmi_doc_table(d, &t);
}

/* ---- losses ---- */

static void loss(const struct dvm_campaign *c, const struct dvmi_at *at, const char *strategy,
		 const struct dvmi_doc *d)
{
	struct dvmi_buf label = { 0 };
	char change[192], why[192], *where;

	dvmi_site_label(c, at->site, &label);
	if (dvmi_buf_take(&label, &where)) {
		d->out->failed = 1;
		return;
	}
	dvmi_doc_item(d, "%s %s, %s: %s. CPU time: %s", strategy, dvmi_at_text(change, at),
		      at->o->metric, where, dvmi_at_why(why, c, at));
	dvm_free(where);
	dvmi_at_command(c, at, d);
}

/* Everything that got slower within its ranges: a maintainer reads this first. */
void dvmi_campaign_losses(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	size_t n = 0;

	dvmi_doc_heading(d, 2, "Losses");
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		const struct dvmi_list *list = &c->questions[site->question].strategies;

		for (size_t k = 0; k < site->result.count; k++) {
			struct dvmi_at at = { site, &site->result.strategies[k], NULL };

			for (size_t m = 0; m < at.r->count; m++) {
				at.o = &at.r->outcomes[m];
				if (dvmi_outcome_word(at.r, at.o) != DVMI_WORD_LOSES)
					continue;
				if (n++ == 0)
					dvmi_doc_paragraph(d, "Decided ones, of all strategies; the CPU "
							   "time is that of the first seed against the "
							   "baseline's, in percent of it.");
				if (n <= LOSSES_MAX)
					loss(c, &at, list->names[k], d);
			}
		}
	}
	if (n > LOSSES_MAX)
		dvmi_doc_paragraph(d, "And %zu more; see the tables.", n - LOSSES_MAX);
	if (!n)
		dvmi_doc_paragraph(d, "No strategy loses anywhere with a sign that holds over all seeds "
				   "and ranges.");
}
