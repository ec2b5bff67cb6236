/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "model/params.h"
#include "report/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- from how many CPUs on broadcasts cost more than so much ---- */

/* The change of the first metric there; NAN without one. */
static double change_at(const struct dvm_campaign *c, const struct dvmi_site *site)
{
	const struct dvmi_strategy_result *r = dvmi_campaign_subject(c, site);

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

/* ---- beside the formula: docs/model-hardware.md, "k issuers" ---- */

/* What the node does for an operation; valid with one socket of one die, without a filter. */
struct fabric {
	bool known;
	uint64_t nonsync_ps, sync_ps; /* the node's time for one */
	uint64_t flush_ps;            /* T(1): TLBI and DSB on an idle part */
};

static struct fabric fabric_of(const struct dvm_campaign *c, const struct dvmi_site *site)
{
	struct fabric f = { .known = false };
	struct dvm_model *hw, *kernel;
	const struct dvmi_hw *p;
	uint64_t spread, round, answer;

	if (dvmi_site_models(c, site, &hw, &kernel, NULL))
		return f;
	p = dvmi_model_hw(hw);
	spread = 2 * p->dvm_snoop_part_ps *
		 (p->topology_clusters * (p->dvm_snoop_unit == DVMI_SNOOP_CLUSTER ?
					  1 : p->topology_cores) - 1);
	answer = p->dvm_snoop_ps + p->dvm_target_sync_ps + p->dvm_response_ps;
	round = p->dvm_request_ps + spread + p->dvm_snoop_ps + p->dvm_response_ps + p->dvm_comp_ps;
	f.nonsync_ps = p->dvm_node_op_ps + spread;
	f.sync_ps = p->dvm_node_sync_ps + spread > answer ? p->dvm_node_sync_ps + spread : answer;
	f.flush_ps = p->tlbi_issue_broadcast_ps + round + p->dvm_node_op_ps + p->dvm_target_op_ps +
		     round + p->dvm_node_sync_ps + p->dvm_target_sync_ps + p->barrier_dsb_ish_ps;
	f.known = p->topology_sockets == 1 && p->topology_dies == 1 &&
		  p->dvm_filter == DVMI_FILTER_NONE && !p->dvm_early_comp;
	dvm_model_free(hw);
	dvm_model_free(kernel);
	return f;
}

static const struct dvmi_strategy_result *baseline_of(const struct dvm_campaign *c,
						      const struct dvmi_site *site)
{
	const struct dvmi_question *q = &c->questions[site->question];

	for (size_t i = 0; i < site->result.count; i++)
		if (!strcmp(q->strategies.names[i], q->baseline))
			return &site->result.strategies[i];
	return NULL;
}

static void formula_row(const struct dvm_campaign *c, const struct dvmi_site *site,
			struct dvmi_table *t)
{
	const struct dvmi_strategy_result *b = baseline_of(c, site);
	struct fabric f = fabric_of(c, site);
	double service = (double)(f.nonsync_ps + f.sync_ps), busy;
	char name[256], text[DVMI_NUM_MAX];

	if (!b || !b->count || !b->elapsed_ps || !f.known)
		return;
	busy = ((double)b->dvm_nonsyncs * (double)f.nonsync_ps +
		(double)b->dvm_syncs * (double)f.sync_ps) / (double)b->elapsed_ps;
	dvmi_table_add(t, "%s", dvmi_site_name(c, site, name));
	dvmi_table_add(t, "%s", dvmi_num_time(text, service));
	dvmi_table_add(t, "%.1f", (double)f.flush_ps / service);
	dvmi_table_add(t, "%s", dvmi_num_rate(text, 1e12 / service));
	dvmi_table_add(t, "%s", dvmi_num_rate(text, (double)b->dvm_syncs * 1e12 /
					      (double)b->elapsed_ps));
	dvmi_table_add(t, "%.0f %%", 100 * busy);
}

static void formula(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	static const char *const heads[] = { "series", "s", "saturating issuers", "flushes, at most",
					     "Syncs simulated", "node busy" };
	struct dvmi_table t;

	dvmi_table_init(&t, 6, false);
	for (size_t i = 0; i < 6; i++) {
		dvmi_table_add(&t, "%s", heads[i]);
		if (i)
			dvmi_table_right(&t, i);
	}
	for (size_t i = 0; i < c->nsites; i++)
		if (c->sites[i].question == question && c->sites[i].result.known)
			formula_row(c, &c->sites[i], &t);
	if (t.count == 6 && !t.failed) { /* none of one die without a filter */
		dvmi_table_fini(&t);
		return;
	}
	dvmi_doc_paragraph(d, "Beside the formula of docs/model-hardware.md (k issuers): s is the node's "
			   "time for a TLBI and its Sync; T(1) / s CPUs that do nothing but flush keep "
			   "it busy, and 1 / s flushes a second are the most there can be, whatever the "
			   "number of CPUs. Beside it the Syncs a second of the simulated %s, and the "
			   "share of the time that its Non-Syncs and Syncs occupy the node by the "
			   "formula.", c->questions[question].baseline);
	dvmi_doc_table(d, &t);
}

/* ---- the table of limits ---- */

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
	formula(c, question, d);
}
