/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_CAMPAIGN_H
#define DVMI_REPORT_CAMPAIGN_H

#include "base/buf.h"
#include "campaign/campaign.h"

/* The parts of a study's text: what it comes to, then a table for each question. */
void dvmi_campaign_summary(const struct dvm_campaign *c, struct dvmi_buf *out);
void dvmi_campaign_question(const struct dvm_campaign *c, size_t question, struct dvmi_buf *out);
void dvmi_campaign_csv(const struct dvm_campaign *c, struct dvmi_buf *out);
int dvmi_campaign_json(const struct dvm_campaign *c, char **text);

/* "(?) +0.34 % [-0.3 .. +0.7]". */
const char *dvmi_outcome_text(char buf[96], const struct dvmi_strategy_result *r,
			      const struct dvmi_outcome *o);

/* How the outcomes of one strategy are spread. */
struct dvmi_score {
	size_t words[DVMI_WORD_STALE + 1];
	const struct dvmi_site *best, *worst;
	const struct dvmi_outcome *best_outcome, *worst_outcome;
};

/* @question: SIZE_MAX for all; @strategy by name, as questions may have lists of their own. */
struct dvmi_score dvmi_campaign_score(const struct dvm_campaign *c, size_t question,
				      const char *strategy);

#endif
