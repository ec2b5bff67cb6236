/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include <stdio.h>

static void head(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	struct dvmi_pick pick = { SIZE_MAX, NULL, DVMI_AXIS_HW, NULL };
	struct dvmi_score s = dvmi_campaign_score(c, &pick);
	char title[512], counts[192], so_far[64] = "";
	size_t known = 0;

	for (size_t i = 0; i < c->nsites; i++)
		known += c->sites[i].result.known;
	snprintf(title, sizeof(title), "Study %.64s: %.400s", c->name, c->summary);
	if (known < c->nsites)
		snprintf(so_far, sizeof(so_far), ", %zu of them run so far", known);
	dvmi_doc_heading(d, 1, title);
	dvmi_doc_paragraph(d, "%zu sites%s. The strategy in question: %s.", c->nsites, so_far,
			   dvmi_score_text(counts, &s));
	dvmi_doc_paragraph(d, "A change is against the baseline, in percent, and positive when it is "
			   "better; +- is half of its 95 %% interval over the seeds; brackets hold its "
			   "least and greatest value over the ranges of the estimated parameters.");
	dvmi_doc_paragraph(d, "better (I), worse (R): the interval excludes zero and the sign holds over all "
			   "ranges. undecided (?): the sign turns within the ranges; where, stands "
			   "below each table. open: the interval includes zero.");
	dvmi_doc_paragraph(d, "All of it is simulated; docs/validation.md says what is validated, and "
			   "what is not.");
}

static void report(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	head(c, d);
	dvmi_campaign_answers(c, d);
	dvmi_campaign_axes(c, d);
	dvmi_campaign_losses(c, d);
	dvmi_campaign_strategies(c, d);
	dvmi_campaign_parts(c, d);
	for (size_t i = 0; i < c->nquestions; i++)
		dvmi_campaign_question(c, i, d);
}

int dvm_campaign_print(const struct dvm_campaign *c, int format, char **text, struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };
	struct dvmi_doc d = { &out, format == DVM_CAMPAIGN_MARKDOWN };

	if (format == DVM_CAMPAIGN_JSON)
		return dvmi_campaign_json(c, text) ? dvmi_error_nomem(err) : 0;
	if (format == DVM_CAMPAIGN_CSV)
		dvmi_campaign_csv(c, &out);
	else if (format == DVM_CAMPAIGN_TEXT || format == DVM_CAMPAIGN_MARKDOWN)
		report(c, &d);
	else
		return dvmi_error(err, DVM_EINVAL, "study", "there is no format %d", format);
	return dvmi_buf_take(&out, text) ? dvmi_error_nomem(err) : 0;
}
