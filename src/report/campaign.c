/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/num.h"
#include "report/table.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const marks[] = { "", "(I) ", "(R) ", "(?) ", "", "" };

const char *dvmi_outcome_text(char buf[96], const struct dvmi_strategy_result *r,
			      const struct dvmi_outcome *o)
{
	enum dvmi_word word = dvmi_outcome_word(r, o);
	char change[DVMI_NUM_MAX], lo[DVMI_NUM_MAX], hi[DVMI_NUM_MAX];
	double uncertainty = o->ci95_pct > 0 ? o->ci95_pct : fabs(o->change_pct) / 20;

	if (word == DVMI_WORD_STALE)
		return strcpy(buf, "STALE");
	if (word == DVMI_WORD_NONE)
		return strcpy(buf, r->status == DVM_RUN_IMPOSSIBLE ? "does not fit" :
				   r->status == DVM_RUN_UNFINISHED ? "unfinished" : "-");
	if (o->verdict == DVM_VERDICT_UNCHANGED)
		return strcpy(buf, "same");
	dvmi_num_change(change, o->change_pct, uncertainty);
	if (o->examined)
		snprintf(buf, 96, "%s%s [%s .. %s]", marks[word], change,
			 dvmi_num_change(lo, o->lo_pct, uncertainty),
			 dvmi_num_change(hi, o->hi_pct, uncertainty));
	else
		snprintf(buf, 96, "%s%s", marks[word], change);
	return buf;
}

static const struct dvmi_strategy_result *result_of(const struct dvm_campaign *c,
						    const struct dvmi_site *site,
						    const char *strategy)
{
	const struct dvmi_list *list = &c->questions[site->question].strategies;

	for (size_t i = 0; i < list->count && i < site->result.count; i++)
		if (!strcmp(list->names[i], strategy))
			return &site->result.strategies[i];
	return NULL;
}

struct dvmi_score dvmi_campaign_score(const struct dvm_campaign *c, size_t question,
				      const char *strategy)
{
	struct dvmi_score score = { { 0 }, NULL, NULL, NULL, NULL };

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		const struct dvmi_strategy_result *r = result_of(c, site, strategy);

		if (!r || (question != SIZE_MAX && site->question != question))
			continue;
		for (size_t m = 0; m < r->count; m++) {
			const struct dvmi_outcome *o = &r->outcomes[m];
			enum dvmi_word word = dvmi_outcome_word(r, o);

			score.words[word]++;
			if (word == DVMI_WORD_NONE || word == DVMI_WORD_STALE)
				continue;
			if (!score.best || o->change_pct > score.best_outcome->change_pct) {
				score.best = site;
				score.best_outcome = o;
			}
			if (!score.worst || o->change_pct < score.worst_outcome->change_pct) {
				score.worst = site;
				score.worst_outcome = o;
			}
		}
	}
	return score;
}

/* ---- a question's table ---- */

/* What the sites of a question differ in, for the first column. */
static void site_name(const struct dvm_campaign *c, const struct dvmi_site *site,
		      struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[site->question];
	const char *name = strncmp(site->workload, "trace:", 6) ? site->workload :
								   site->workload + 6;

	dvmi_buf_puts(out, name);
	if (q->hw.count > 1)
		dvmi_buf_printf(out, ", %s", q->hw.names[site->hw]);
	if (q->cpus)
		dvmi_buf_printf(out, ", %llu CPUs", (unsigned long long)q->cpus[site->cpus]);
	if (q->kernels.count > 1)
		dvmi_buf_printf(out, ", %s", q->kernels.names[site->kernel]);
	if (q->migrate_hz)
		dvmi_buf_printf(out, ", moved %llu/s",
				(unsigned long long)q->migrate_hz[site->migrate]);
	if (*q->environments[site->environment].name)
		dvmi_buf_printf(out, ", %s", q->environments[site->environment].name);
	if (q->vary_path)
		dvmi_buf_printf(out, ", %llu", (unsigned long long)q->vary[site->vary]);
}

static void list_line(struct dvmi_buf *out, const char *title, const struct dvmi_list *list)
{
	dvmi_buf_printf(out, "  %s", title);
	for (size_t i = 0; i < list->count; i++)
		dvmi_buf_printf(out, "%s %s", i ? "," : "", list->names[i]);
	dvmi_buf_puts(out, "\n");
}

static void head(const struct dvmi_question *q, struct dvmi_buf *out)
{
	dvmi_buf_printf(out, "\n== %s ==\n  Asks: %s\n", q->name, q->asks);
	if (q->source)
		dvmi_buf_printf(out, "  Source: %s\n", q->source);
	if (q->hw.count == 1)
		list_line(out, "Part:", &q->hw);
	if (q->kernels.count == 1)
		list_line(out, "Kernel:", &q->kernels);
	if (q->vary_path)
		dvmi_buf_printf(out, "  Varied: %s, the last number of each line\n", q->vary_path);
}

static void answer(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[question];

	for (size_t i = 0; i < q->strategies.count; i++) {
		struct dvmi_score s;

		if (!strcmp(q->strategies.names[i], q->baseline))
			continue;
		s = dvmi_campaign_score(c, question, q->strategies.names[i]);
		dvmi_buf_printf(out, "  %s: wins %zu, loses %zu, undecided %zu, no difference %zu",
				q->strategies.names[i], s.words[DVMI_WORD_WINS],
				s.words[DVMI_WORD_LOSES], s.words[DVMI_WORD_UNDECIDED],
				s.words[DVMI_WORD_SAME]);
		if (s.words[DVMI_WORD_STALE])
			dvmi_buf_printf(out, ", STALE %zu", s.words[DVMI_WORD_STALE]);
		dvmi_buf_puts(out, "\n");
	}
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
	struct dvmi_buf name = { 0 };
	char text[96], *label;

	site_name(c, site, &name);
	if (dvmi_buf_take(&name, &label)) {
		t->failed = 1;
		return;
	}
	dvmi_table_add(t, "%s", metric ? "" : label);
	dvm_free(label);
	for (size_t i = 0; i < q->strategies.count; i++) {
		const struct dvmi_strategy_result *r = &site->result.strategies[i];
		const struct dvmi_outcome *o = metric < r->count ? &r->outcomes[metric] : NULL;
		struct dvm_metric m = { 0 };

		if (i == 0)
			dvmi_table_add(t, "%s", o ? o->metric : "-");
		if (!o) {
			dvmi_table_add(t, "-");
		} else if (!strcmp(q->strategies.names[i], q->baseline)) {
			char value[DVMI_NUM_MAX];

			m.name = o->metric;
			m.unit = o->unit;
			m.n = isnan(o->mean) ? 0u : 1u;
			m.mean = isnan(o->mean) ? 0 : o->mean;
			dvmi_table_add(t, "%s", m.n ? dvmi_value_text(value, &m) : "-");
		} else {
			dvmi_table_add(t, "%s", dvmi_outcome_text(text, r, o));
		}
	}
}

static void table(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_table t;

	dvmi_table_init(&t, 2 + q->strategies.count, false);
	dvmi_table_add(&t, "Workload");
	dvmi_table_add(&t, "Metric");
	for (size_t i = 0; i < q->strategies.count; i++)
		dvmi_table_add(&t, "%s", q->strategies.names[i]);
	dvmi_table_rule(&t, false);
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		if (site->question != question || !site->result.known || site->result.error)
			continue;
		for (size_t m = 0; m < metric_count(site); m++)
			add_row(c, site, m, &t);
	}
	dvmi_table_print(&t, "  ", out);
	dvmi_table_fini(&t);
}

static void flip_line(const struct dvm_campaign *c, const struct dvmi_site *site, size_t strategy,
		      const struct dvmi_outcome *o, struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[site->question];
	char place[160], at[192];
	unsigned long long from = o->flip_from, to = o->flip_to;

	dvmi_buf_printf(out, "  (?) %s, ", q->strategies.names[strategy]);
	site_name(c, site, out);
	if (!o->flip_single) {
		dvmi_buf_printf(out, ", %s: turns only with %s\n", o->metric, o->flip_at);
		return;
	}
	snprintf(at, sizeof(at), "%.120s=%llu", o->flip_at, to);
	dvmi_place_text(place, sizeof(place), at);
	dvmi_buf_printf(out, ", %s: turns before %s", o->metric, place);
	if (from != to) {
		snprintf(at, sizeof(at), "%.120s=%llu", o->flip_at, from);
		dvmi_place_text(place, sizeof(place), at);
		dvmi_buf_printf(out, ", holds at %s", place);
	}
	dvmi_buf_puts(out, "\n");
}

static void notes(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out)
{
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		if (site->question != question || !site->result.known)
			continue;
		if (site->result.error) {
			dvmi_buf_puts(out, "  ");
			site_name(c, site, out);
			dvmi_buf_printf(out, ": can not be run: %s\n", site->result.error);
		}
		for (size_t k = 0; k < site->result.count; k++) {
			const struct dvmi_strategy_result *r = &site->result.strategies[k];

			for (size_t m = 0; m < r->count; m++)
				if (dvmi_outcome_word(r, &r->outcomes[m]) == DVMI_WORD_UNDECIDED &&
				    r->outcomes[m].flip_at)
					flip_line(c, site, k, &r->outcomes[m], out);
		}
	}
}

/* Of a search: the worst sites, worst first. */
static void worst_list(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out)
{
	const struct dvmi_search *search = &c->questions[question].search;
	double above = -INFINITY;
	const struct dvmi_site *last = NULL;

	if (!search->strategy)
		return;
	dvmi_buf_printf(out, "  Where %s loses most:\n", search->strategy);
	for (uint64_t n = 0; n < search->keep; n++) {
		const struct dvmi_site *next = NULL;
		const struct dvmi_outcome *outcome = NULL;
		char text[96];

		for (size_t i = 0; i < c->nsites; i++) {
			const struct dvmi_site *site = &c->sites[i];
			const struct dvmi_strategy_result *r =
				site->question == question ?
				result_of(c, site, search->strategy) : NULL;

			for (size_t m = 0; r && m < r->count; m++) {
				const struct dvmi_outcome *o = &r->outcomes[m];
				enum dvmi_word word = dvmi_outcome_word(r, o);

				if (word == DVMI_WORD_NONE || word == DVMI_WORD_STALE ||
				    o->change_pct < above ||
				    (!(o->change_pct > above) && site <= last))
					continue;
				if (!outcome || o->change_pct < outcome->change_pct) {
					next = site;
					outcome = o;
				}
			}
		}
		if (!next)
			break;
		above = outcome->change_pct;
		last = next;
		dvmi_buf_printf(out, "    %s, %s: ", dvmi_outcome_text(text,
				result_of(c, next, search->strategy), outcome), outcome->metric);
		dvmi_site_label(c, next, out);
		dvmi_buf_puts(out, "\n");
	}
}

void dvmi_campaign_question(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out)
{
	bool any = false;

	for (size_t i = 0; i < c->nsites && !any; i++)
		any = c->sites[i].question == question;
	if (!any)
		return;
	head(&c->questions[question], out);
	answer(c, question, out);
	worst_list(c, question, out);
	table(c, question, out);
	notes(c, question, out);
}
