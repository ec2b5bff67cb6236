/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- from how many CPUs on broadcasts cost more than so much ---- */

static const struct dvmi_strategy_result *subject_of(const struct dvm_campaign *c,
						     const struct dvmi_site *site)
{
	const struct dvmi_question *q = &c->questions[site->question];

	for (size_t i = 0; i < site->result.count; i++)
		if (!strcmp(q->strategies.names[i], dvmi_question_subject(q)))
			return &site->result.strategies[i];
	return NULL;
}

/* The change of the first metric there; NAN without one. */
static double change_at(const struct dvm_campaign *c, const struct dvmi_site *site)
{
	const struct dvmi_strategy_result *r = subject_of(c, site);

	return r && r->count && dvmi_outcome_word(r, &r->outcomes[0]) != DVMI_WORD_NONE ?
	       r->outcomes[0].change_pct : NAN;
}

/* The same but for the number of CPUs. */
static bool is_sibling(const struct dvmi_site *a, const struct dvmi_site *b)
{
	return a->question == b->question && a->hw == b->hw && a->kernel == b->kernel &&
	       a->environment == b->environment && a->vary == b->vary && a->migrate == b->migrate &&
	       !strcmp(a->workload, b->workload);
}

/* The least number of CPUs with a change of @limit percent or more, and so for all greater ones. */
static uint64_t least_cpus(const struct dvm_campaign *c, const struct dvmi_site *like,
			   uint64_t limit, uint64_t *most)
{
	uint64_t least = 0, below = 0;

	*most = 0;
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		double change = is_sibling(site, like) ? change_at(c, site) : NAN;

		if (isnan(change))
			continue;
		if (site->ncpus > *most)
			*most = site->ncpus;
		if (change < (double)limit && site->ncpus > below)
			below = site->ncpus;
	}
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		if (is_sibling(site, like) && !isnan(change_at(c, site)) && site->ncpus > below &&
		    (!least || site->ncpus < least))
			least = site->ncpus;
	}
	return least;
}

static bool is_first(const struct dvm_campaign *c, const struct dvmi_site *site)
{
	for (const struct dvmi_site *s = c->sites; s < site; s++)
		if (is_sibling(s, site))
			return false;
	return true;
}

/* The site's name without its number of CPUs. */
static const char *series_name(const struct dvm_campaign *c, const struct dvmi_site *site,
			       char buf[256])
{
	const struct dvmi_question *q = &c->questions[site->question];
	char cpus[32], *at;

	dvmi_site_name(c, site, buf);
	snprintf(cpus, sizeof(cpus), ", %" PRIu64 " CPUs", q->cpus[site->cpus]);
	at = strstr(buf, cpus);
	if (at)
		memmove(at, at + strlen(cpus), strlen(at + strlen(cpus)) + 1);
	return buf;
}

void dvmi_campaign_limits(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_table t;

	if (!q->nlimits || !q->cpus)
		return;
	dvmi_doc_paragraph(d, "Least number of CPUs, of those looked at, from which on %s costs so many "
			   "percent of throughput against %s:", q->baseline, dvmi_question_subject(q));
	dvmi_table_init(&t, 1 + q->nlimits, false);
	dvmi_table_add(&t, "series");
	for (size_t i = 0; i < q->nlimits; i++) {
		dvmi_table_add(&t, "%" PRIu64 " %%", q->limits[i]);
		dvmi_table_right(&t, 1 + i);
	}
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		char name[256];

		if (site->question != question || !site->result.known || !is_first(c, site))
			continue;
		dvmi_table_add(&t, "%s", series_name(c, site, name));
		for (size_t k = 0; k < q->nlimits; k++) {
			uint64_t most, least = least_cpus(c, site, q->limits[k], &most);

			dvmi_table_add(&t, least ? "%" PRIu64 : "> %" PRIu64, least ? least : most);
		}
	}
	dvmi_doc_table(d, &t);
}

/* ---- published figures ---- */

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
		at.r = subject_of(c, at.site);
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
	static const char *const heads[] = { "figure", "published", "all parts and kernels as modelled",
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
