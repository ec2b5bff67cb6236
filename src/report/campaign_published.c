/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Figures that others published, beside what is simulated. */

struct span {
	double lo, hi, mid_lo, mid_hi;
	size_t sites;
	struct dvmi_at least, most;
};

static bool stands_for(const struct dvmi_published *p, const char *workload)
{
	for (size_t i = 0; i < p->workloads.count; i++)
		if (!strcmp(p->workloads.names[i], workload))
			return true;
	return false;
}

static struct span span_of(const struct dvm_campaign *c, size_t question,
			   const struct dvmi_published *p)
{
	struct span s = { INFINITY, -INFINITY, INFINITY, -INFINITY, 0, { 0 }, { 0 } };

	for (size_t i = 0; i < c->nsites; i++) {
		struct dvmi_at at = { &c->sites[i], NULL, NULL };

		if (at.site->question != question || !stands_for(p, at.site->workload))
			continue;
		at.r = dvmi_campaign_subject(c, at.site);
		for (size_t m = 0; at.r && m < at.r->count; m++) {
			enum dvmi_word word = dvmi_outcome_word(at.r, &at.r->outcomes[m]);

			at.o = &at.r->outcomes[m];
			if (word == DVMI_WORD_NONE || word == DVMI_WORD_STALE)
				continue;
			s.sites++;
			if (!s.least.o || at.o->change_pct < s.least.o->change_pct)
				s.least = at;
			if (!s.most.o || at.o->change_pct > s.most.o->change_pct)
				s.most = at;
			s.mid_lo = fmin(s.mid_lo, at.o->change_pct);
			s.mid_hi = fmax(s.mid_hi, at.o->change_pct);
			s.lo = fmin(s.lo, at.o->examined ? at.o->lo_pct : at.o->change_pct);
			s.hi = fmax(s.hi, at.o->examined ? at.o->hi_pct : at.o->change_pct);
		}
	}
	return s;
}

static void figure(const struct dvm_campaign *c, size_t question, const struct dvmi_published *p,
		   struct dvmi_table *t)
{
	struct span s = span_of(c, question, p);
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	dvmi_table_add(t, "%s", p->name);
	dvmi_table_add(t, "%s", dvmi_num_change(a, p->change_pct, 0.1));
	if (!s.sites) {
		dvmi_table_add(t, "-");
		dvmi_table_add(t, "-");
		dvmi_table_add(t, "-");
		return;
	}
	dvmi_table_add(t, "%s .. %s", dvmi_num_change(a, s.mid_lo, 0.1),
		       dvmi_num_change(b, s.mid_hi, 0.1));
	dvmi_table_add(t, "%s .. %s", dvmi_num_change(a, s.lo, 0.1), dvmi_num_change(b, s.hi, 0.1));
	dvmi_table_add(t, p->change_pct < s.lo || p->change_pct > s.hi ? "no" :
		       p->change_pct < s.mid_lo || p->change_pct > s.mid_hi ?
		       "only with the estimates' ranges" : "yes");
}

void dvmi_campaign_published(const struct dvm_campaign *c, size_t question,
			     const struct dvmi_doc *d)
{
	static const char *const heads[] = { "figure", "published", "parts and kernels as modelled",
					     "with the estimates' ranges", "inside" };
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_table t;

	if (!q->npublished)
		return;
	dvmi_table_init(&t, 5, false);
	for (size_t i = 0; i < 5; i++)
		dvmi_table_add(&t, "%s", heads[i]);
	for (size_t i = 0; i < q->npublished; i++)
		figure(c, question, &q->published[i], &t);
	dvmi_doc_table(d, &t);
	for (size_t i = 0; i < q->npublished; i++)
		dvmi_doc_item(d, "%s: %s", q->published[i].name, q->published[i].source);
	if (d->markdown)
		dvmi_buf_puts(d->out, "\n");
}
