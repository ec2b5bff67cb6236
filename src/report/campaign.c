/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a question's table ---- */

static void list_line(const struct dvmi_doc *d, const char *title, const struct dvmi_list *list)
{
	char text[1024];
	size_t len = 0;

	for (size_t i = 0; i < list->count && len < sizeof(text) - 96; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.80s", i ? ", " : "",
					list->names[i]);
	dvmi_doc_paragraph(d, "%s: %s.", title, text);
}

static void head(const struct dvmi_question *q, const struct dvmi_doc *d)
{
	dvmi_doc_heading(d, 2, q->name);
	dvmi_doc_paragraph(d, "%s%s%s%s", q->asks, q->source ? " (" : "", q->source ? q->source : "",
			   q->source ? ")" : "");
	if (q->note)
		dvmi_doc_paragraph(d, "%s", q->note);
	list_line(d, q->hw.count > 1 ? "Parts" : "Part", &q->hw);
	list_line(d, q->kernels.count > 1 ? "Kernels" : "Kernel", &q->kernels);
	dvmi_doc_paragraph(d, "Seeds where something is random: %llu.%s",
			   (unsigned long long)q->seeds, q->sensitivity == DVM_SENSITIVITY_OFF ?
			   " The ranges of estimates are not looked at: every line holds for the "
			   "numbers of the part as they are, and no line is marked undecided." : "");
}

static void answer(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];

	for (size_t i = 0; i < q->strategies.count; i++) {
		struct dvmi_pick pick = { question, q->strategies.names[i], DVMI_AXIS_HW, NULL };
		struct dvmi_score s;
		char text[192];

		if (!strcmp(q->strategies.names[i], q->baseline))
			continue;
		s = dvmi_campaign_score(c, &pick);
		dvmi_doc_item(d, "%s: %s", q->strategies.names[i], dvmi_score_text(text, &s));
	}
	if (d->markdown)
		dvmi_buf_puts(d->out, "\n");
}

/* The metrics of a site are those of its first strategy that has any. */
static size_t metric_count(const struct dvmi_site *site)
{
	size_t most = 0;

	for (size_t i = 0; i < site->result.count; i++)
		if (site->result.strategies[i].count > most)
			most = site->result.strategies[i].count;
	return most;
}

static void add_row(const struct dvm_campaign *c, const struct dvmi_site *site, size_t metric,
		    struct dvmi_table *t)
{
	const struct dvmi_question *q = &c->questions[site->question];
	char text[256];

	dvmi_table_add(t, "%s", metric ? "" : dvmi_site_name(c, site, text));
	for (size_t i = 0; i < q->strategies.count; i++) {
		struct dvmi_at at = { site, &site->result.strategies[i], NULL };

		if (metric < at.r->count)
			at.o = &at.r->outcomes[metric];
		if (i == 0)
			dvmi_table_add(t, "%s", at.o ? at.o->metric : "-");
		if (!at.o) {
			dvmi_table_add(t, "-");
		} else if (!strcmp(q->strategies.names[i], q->baseline)) {
			struct dvm_metric m = { .name = at.o->metric, .unit = at.o->unit,
						.n = isnan(at.o->mean) ? 0u : 1u,
						.mean = isnan(at.o->mean) ? 0 : at.o->mean };
			char value[DVMI_NUM_MAX];

			dvmi_table_add(t, "%s", m.n ? dvmi_value_text(value, &m) : "-");
		} else {
			dvmi_table_add(t, "%s", dvmi_at_cell(text, &at));
		}
	}
}

static void table(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_table t;

	dvmi_table_init(&t, 2 + q->strategies.count, false);
	dvmi_table_add(&t, "workload");
	dvmi_table_add(&t, "metric");
	for (size_t i = 0; i < q->strategies.count; i++)
		dvmi_table_add(&t, "%s", q->strategies.names[i]);
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		if (site->question != question || !site->result.known || site->result.error)
			continue;
		for (size_t m = 0; m < metric_count(site); m++)
			add_row(c, site, m, &t);
	}
	dvmi_doc_table(d, &t);
}

static void flip_line(const struct dvm_campaign *c, const struct dvmi_at *at, const char *strategy,
		      const struct dvmi_doc *d)
{
	const struct dvmi_outcome *o = at->o;
	char place[192], holds[192], text[192], name[256];
	unsigned long long from = o->flip_from, to = o->flip_to;

	dvmi_site_name(c, at->site, name);
	if (!o->flip_single) {
		dvmi_doc_item(d, "(?) %s, %s, %s: turns only with %s", strategy, name, o->metric,
			      o->flip_at);
		return;
	}
	snprintf(text, sizeof(text), "%.120s=%llu", o->flip_at, to);
	dvmi_place_text(place, sizeof(place), text);
	snprintf(text, sizeof(text), "%.120s=%llu", o->flip_at, from);
	dvmi_place_text(holds, sizeof(holds), text);
	dvmi_doc_item(d, "(?) %s, %s, %s: turns before %s%s%s", strategy, name, o->metric, place,
		      from != to ? ", holds at " : "", from != to ? holds : "");
}

static void notes(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		char name[256];

		if (site->question != question || !site->result.known)
			continue;
		if (site->result.error)
			dvmi_doc_item(d, "%s: can not be run: %s", dvmi_site_name(c, site, name),
				      site->result.error);
		for (size_t k = 0; k < site->result.count; k++) {
			struct dvmi_at at = { site, &site->result.strategies[k], NULL };

			for (size_t m = 0; m < at.r->count; m++) {
				at.o = &at.r->outcomes[m];
				if (dvmi_outcome_word(at.r, at.o) == DVMI_WORD_UNDECIDED &&
				    at.o->flip_at)
					flip_line(c, &at, c->questions[question].strategies.names[k],
						  d);
			}
		}
	}
}

static void commands(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	for (size_t i = 0; c->options.commands && i < c->nsites; i++) {
		struct dvmi_at at = { .site = &c->sites[i] };

		if (at.site->question == question)
			dvmi_at_command(c, &at, d);
	}
}

/* ---- of a search: the worst sites, worst first ---- */

/* The next worse than *@at is bad, or nothing in it when there is none. */
static void next_worst(const struct dvm_campaign *c, size_t question, size_t strategy,
		       struct dvmi_at *at)
{
	struct dvmi_at next = { 0 };

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		const struct dvmi_strategy_result *r = &site->result.strategies[strategy];

		for (size_t m = 0; site->question == question && strategy < site->result.count &&
				   m < r->count; m++) {
			const struct dvmi_outcome *o = &r->outcomes[m];
			enum dvmi_word word = dvmi_outcome_word(r, o);

			if (word == DVMI_WORD_NONE || word == DVMI_WORD_STALE)
				continue;
			if (at->o && (o->change_pct < at->o->change_pct ||
				      (!(o->change_pct > at->o->change_pct) &&
				       (site < at->site || (site == at->site && o <= at->o)))))
				continue;
			if (!next.o || o->change_pct < next.o->change_pct)
				next = (struct dvmi_at){ site, r, o };
		}
	}
	*at = next;
}

static void worst_list(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_at at = { 0 };
	size_t strategy = 0;

	if (!q->search.strategy)
		return;
	while (strcmp(q->strategies.names[strategy], q->search.strategy) != 0)
		strategy++;
	dvmi_doc_paragraph(d, "Where %s loses most, as far as the search went:", q->search.strategy);
	for (uint64_t n = 0; n < q->search.keep; n++) {
		char text[192], name[256], why[192];

		next_worst(c, question, strategy, &at);
		if (!at.o)
			break;
		dvmi_doc_item(d, "%s, %s: %s. CPU time: %s", dvmi_at_text(text, &at), at.o->metric,
			      dvmi_site_name(c, at.site, name), dvmi_at_why(why, c, &at));
		if (n == 0)
			dvmi_at_command(c, &at, d);
	}
	if (d->markdown)
		dvmi_buf_puts(d->out, "\n");
}

void dvmi_campaign_question(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	if (!dvmi_campaign_asked(c, question))
		return;
	head(&c->questions[question], d);
	answer(c, question, d);
	worst_list(c, question, d);
	dvmi_campaign_published(c, question, d);
	dvmi_campaign_limits(c, question, d);
	table(c, question, d);
	dvmi_campaign_latency(c, question, d);
	notes(c, question, d);
	commands(c, question, d);
}
