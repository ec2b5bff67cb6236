/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/table.h"
#include "report/text.h"

#include <stdio.h>
#include <string.h>

/* A study's first lines: who wins, who loses, where, how sure; and what the checker says. */

/* Every strategy of the study once, in the order of the questions. */
static const char *strategy_at(const struct dvm_campaign *c, size_t index)
{
	for (size_t q = 0; q < c->nquestions; q++) {
		for (size_t i = 0; i < c->questions[q].strategies.count; i++) {
			const char *name = c->questions[q].strategies.names[i];
			bool seen = false;

			for (size_t p = 0; p < q && !seen; p++)
				for (size_t k = 0; k < c->questions[p].strategies.count; k++)
					seen = seen ||
					       !strcmp(c->questions[p].strategies.names[k], name);
			if (!seen && !index--)
				return name;
		}
	}
	return NULL;
}

static bool is_baseline(const struct dvm_campaign *c, const char *name)
{
	for (size_t q = 0; q < c->nquestions; q++)
		if (!strcmp(c->questions[q].baseline, name))
			return true;
	return false;
}

static void extreme(const struct dvm_campaign *c, const char *name, const struct dvmi_site *site,
		    const struct dvmi_outcome *o, struct dvmi_table *t)
{
	const struct dvmi_list *list;
	struct dvmi_buf label = { 0 };
	char text[96], *where;

	if (!site) {
		dvmi_table_add(t, "-");
		return;
	}
	list = &c->questions[site->question].strategies;
	dvmi_site_label(c, site, &label);
	if (dvmi_buf_take(&label, &where)) {
		t->failed = 1;
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->names[i], name))
			dvmi_table_add(t, "%s %s", dvmi_outcome_text(text,
				       &site->result.strategies[i], o), where);
	dvm_free(where);
}

static void scores(const struct dvm_campaign *c, struct dvmi_buf *out)
{
	static const char *const heads[] = { "Strategy", "wins", "loses", "undecided",
					     "no difference", "STALE", "worst", "best" };
	struct dvmi_table t;
	const char *name;

	dvmi_table_init(&t, 8, false);
	for (size_t i = 0; i < 8; i++)
		dvmi_table_add(&t, "%s", heads[i]);
	dvmi_table_rule(&t, false);
	for (size_t i = 1; i < 6; i++)
		dvmi_table_right(&t, i);
	for (size_t i = 0; (name = strategy_at(c, i)) != NULL; i++) {
		struct dvmi_score s = dvmi_campaign_score(c, SIZE_MAX, name);

		if (is_baseline(c, name))
			continue;
		dvmi_table_add(&t, "%s", name);
		dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_WINS]);
		dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_LOSES]);
		dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_UNDECIDED]);
		dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_SAME]);
		dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_STALE]);
		extreme(c, name, s.worst, s.worst_outcome, &t);
		extreme(c, name, s.best, s.best_outcome, &t);
	}
	dvmi_table_print(&t, "  ", out);
	dvmi_table_fini(&t);
}

/* Everything that got slower within its ranges: a maintainer reads this first. */
static void losses(const struct dvm_campaign *c, struct dvmi_buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		const struct dvmi_list *list = &c->questions[site->question].strategies;

		for (size_t k = 0; k < site->result.count; k++) {
			const struct dvmi_strategy_result *r = &site->result.strategies[k];

			for (size_t m = 0; m < r->count; m++) {
				char text[96];

				if (dvmi_outcome_word(r, &r->outcomes[m]) != DVMI_WORD_LOSES)
					continue;
				if (n++ == 0)
					dvmi_buf_puts(out, "Losses whose sign holds over all ranges:\n");
				if (n > 20)
					continue;
				dvmi_buf_printf(out, "  %s %s, %s: ", list->names[k],
						dvmi_outcome_text(text, r, &r->outcomes[m]),
						r->outcomes[m].metric);
				dvmi_site_label(c, site, out);
				dvmi_buf_puts(out, "\n");
			}
		}
	}
	if (n > 20)
		dvmi_buf_printf(out, "  and %zu more; see the tables\n", n - 20);
	if (!n)
		dvmi_buf_puts(out, "No strategy loses anywhere with a sign that holds over all"
				   " ranges.\n");
}

static void safety(const struct dvm_campaign *c, struct dvmi_buf *out)
{
	const char *name;

	dvmi_report_safety_begin(out);
	for (size_t i = 0; (name = strategy_at(c, i)) != NULL; i++) {
		struct dvm_strategy *s;

		if (dvm_strategy_find(name, c->options.strategies, &s, NULL))
			continue;
		dvmi_report_safety_of(out, s);
		dvm_strategy_free(s);
	}
}

void dvmi_campaign_summary(const struct dvm_campaign *c, struct dvmi_buf *out)
{
	size_t known = 0, words[DVMI_WORD_STALE + 1] = { 0 };

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		known += site->result.known;
		for (size_t k = 0; k < site->result.count; k++)
			for (size_t m = 0; m < site->result.strategies[k].count; m++)
				words[dvmi_outcome_word(&site->result.strategies[k],
					&site->result.strategies[k].outcomes[m])]++;
	}
	dvmi_buf_printf(out, "Study %s: %s\n%zu sites", c->name, c->summary, c->nsites);
	if (known < c->nsites)
		dvmi_buf_printf(out, ", %zu of them run so far", known);
	dvmi_buf_printf(out, "; comparisons: %zu won (I), %zu lost (R), %zu undecided (?), %zu without"
			" a difference", words[DVMI_WORD_WINS], words[DVMI_WORD_LOSES],
			words[DVMI_WORD_UNDECIDED], words[DVMI_WORD_SAME]);
	if (words[DVMI_WORD_STALE])
		dvmi_buf_printf(out, ", %zu STALE", words[DVMI_WORD_STALE]);
	dvmi_buf_puts(out, "\nA change is positive when it is better; brackets: its least and greatest"
			   " value over the ranges\nof the estimated parameters. Undecided: the sign"
			   " turns within them; below each table stands where.\nAll of it is simulated;"
			   " docs/validation.md says what is validated, and what is not.\n\n");
	scores(c, out);
	losses(c, out);
	safety(c, out);
}

int dvm_campaign_print(const struct dvm_campaign *c, int format, char **text, struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };

	if (format == DVM_CAMPAIGN_JSON)
		return dvmi_campaign_json(c, text) ? dvmi_error_nomem(err) : 0;
	if (format == DVM_CAMPAIGN_CSV) {
		dvmi_campaign_csv(c, &out);
	} else if (format == DVM_CAMPAIGN_TEXT) {
		dvmi_campaign_summary(c, &out);
		for (size_t i = 0; i < c->nquestions; i++)
			dvmi_campaign_question(c, i, &out);
	} else {
		return dvmi_error(err, DVM_EINVAL, "study", "there is no format %d", format);
	}
	return dvmi_buf_take(&out, text) ? dvmi_error_nomem(err) : 0;
}
