/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <string.h>

/* Of each strategy at each site: the longest flush, and the longest that a CPU could not be preempted. */

static void add_times(const struct dvmi_strategy_result *r, struct dvmi_table *t)
{
	const uint64_t times[] = { r->unpreemptible_max_ps, r->interrupts_off_max_ps,
				   r->flush_p99_ps, r->flush_max_ps };
	char text[DVMI_NUM_MAX];

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		dvmi_table_add(t, "%s", times[i] ? dvmi_num_time(text, (double)times[i]) : "-");
}

static void add_site(const struct dvm_campaign *c, const struct dvmi_site *site,
		     struct dvmi_table *t)
{
	const struct dvmi_question *q = &c->questions[site->question];
	bool first = true;

	for (size_t k = 0; k < site->result.count; k++) {
		char name[256];

		if (site->result.strategies[k].status != DVM_RUN_OK)
			continue;
		dvmi_table_add(t, "%s", first ? dvmi_site_name(c, site, name) : "");
		dvmi_table_add(t, "%s", q->strategies.names[k]);
		add_times(&site->result.strategies[k], t);
		first = false;
	}
}

void dvmi_campaign_latency(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	static const char *const heads[] = { "workload", "strategy", "unpreemptible", "interrupts off",
					     "flush p99", "flush max" };
	struct dvmi_table t;

	if (!c->questions[question].latency)
		return;
	dvmi_doc_paragraph(d, "Latency, of the first seed: the longest stretch with a TLBI and its DSB in "
			   "which a CPU could not be preempted, or took no interrupt ('-': there was none; "
			   "docs/model.md, latency), and the time of a flush from call to return, with "
			   "its waits and, where it can be preempted, the time it was switched out.");
	dvmi_table_init(&t, 6, false);
	for (size_t i = 0; i < 6; i++) {
		dvmi_table_add(&t, "%s", heads[i]);
		if (i > 1)
			dvmi_table_right(&t, i);
	}
	for (size_t i = 0; i < c->nsites; i++)
		if (c->sites[i].question == question && c->sites[i].result.known)
			add_site(c, &c->sites[i], &t);
	dvmi_doc_table(d, &t);
}
