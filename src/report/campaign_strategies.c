/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <stdio.h>
#include <string.h>

/* The strategies of a study, with what the checker says of each; and everything that got slower. */

#define LOSSES_MAX 12

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

/* The next worse than *@at is bad, of all strategies; nothing in *@at when there is none. */
static const char *next_loss(const struct dvm_campaign *c, struct dvmi_at *at)
{
	const char *strategy = NULL;
	struct dvmi_at next = { 0 };

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		for (size_t k = 0; k < site->result.count; k++) {
			const struct dvmi_strategy_result *r = &site->result.strategies[k];

			for (size_t m = 0; m < r->count; m++) {
				const struct dvmi_outcome *o = &r->outcomes[m];
				bool tie = at->o && !(o->change_pct > at->o->change_pct) &&
					   !(o->change_pct < at->o->change_pct);

				if (dvmi_outcome_word(r, o) != DVMI_WORD_LOSES ||
				    (at->o && o->change_pct < at->o->change_pct) ||
				    (tie && (site < at->site || (site == at->site && r < at->r) ||
					     (r == at->r && o <= at->o))))
					continue;
				if (next.o && !(o->change_pct < next.o->change_pct))
					continue;
				next = (struct dvmi_at){ site, r, o };
				strategy = c->questions[site->question].strategies.names[k];
			}
		}
	}
	*at = next;
	return strategy;
}

/* Everything that got slower within its ranges, worst first: a maintainer reads this first. */
void dvmi_campaign_losses(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	const char *strategy;
	struct dvmi_at at = { 0 };
	size_t n = 0;

	dvmi_doc_heading(d, 2, "Losses");
	while ((strategy = next_loss(c, &at)) != NULL) {
		if (n++ == 0)
			dvmi_doc_paragraph(d, "Decided ones, of all strategies, worst first; the CPU time "
					   "is that of the first seed against the baseline's, in percent "
					   "of it.");
		if (n <= LOSSES_MAX)
			loss(c, &at, strategy, d);
	}
	if (n > LOSSES_MAX)
		dvmi_doc_paragraph(d, "And %zu more; see the tables.", n - LOSSES_MAX);
	if (!n)
		dvmi_doc_paragraph(d, "No strategy loses anywhere with a sign that holds over all seeds "
				   "and ranges.");
}
