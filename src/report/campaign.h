/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_CAMPAIGN_H
#define DVMI_REPORT_CAMPAIGN_H

#include "base/buf.h"
#include "campaign/campaign.h"
#include "report/doc.h"

/* One outcome and where it stands. */
struct dvmi_at {
	const struct dvmi_site *site;
	const struct dvmi_strategy_result *r;
	const struct dvmi_outcome *o; /* NULL: nowhere */
};

/* How outcomes are spread. */
struct dvmi_score {
	size_t words[DVMI_WORD_STALE + 1], compared; /* compared: all but none and stale */
	struct dvmi_at best, worst;  /* of those that are better or worse over all ranges */
	struct dvmi_at top, bottom;  /* of all */
	struct dvmi_at stale;        /* the first */
	double lo_pct, hi_pct;       /* over the ranges, of all */
};

/* What sites are grouped by. */
enum dvmi_axis {
	DVMI_AXIS_PREEMPT,
	DVMI_AXIS_VM,
	DVMI_AXIS_HW,
	DVMI_AXIS_CPUS,
	DVMI_AXIS_KERNEL,
	DVMI_AXIS_WORKLOAD,
	DVMI_AXIS_ENVIRONMENT,
	DVMI_AXIS_MIGRATE,
	DVMI_AXIS_VARY,
	DVMI_AXES,
};
extern const char *const dvmi_axis_names[DVMI_AXES];

/* Which outcomes to count. */
struct dvmi_pick {
	size_t question;      /* SIZE_MAX: all */
	const char *strategy; /* NULL: the subject of each question */
	enum dvmi_axis axis;
	const char *value;    /* on that axis; NULL: all */
};

/* ---- campaign_score.c ---- */
struct dvmi_score dvmi_campaign_score(const struct dvm_campaign *c, const struct dvmi_pick *pick);
/* Where a site stands on an axis: "guest, FB". */
const char *dvmi_axis_value(const struct dvm_campaign *c, const struct dvmi_site *site,
			    enum dvmi_axis axis, char buf[160]);
/* The values of an axis in the order of the sites; ends with NULL. */
int dvmi_axis_values(const struct dvm_campaign *c, size_t question, enum dvmi_axis axis,
		     char ***list);
void dvmi_axis_free(char **list);
/* "+0.3 % +-0.1 [+0.1 .. +0.9 %]", without a mark; and with it, on two lines. */
const char *dvmi_at_text(char buf[192], const struct dvmi_at *at);
const char *dvmi_at_cell(char buf[192], const struct dvmi_at *at);
/* "better 3, worse 0, ..." without what is none. */
const char *dvmi_score_text(char buf[192], const struct dvmi_score *s);
/* Every strategy of the study once, in the order of the questions; NULL beyond the last. */
const char *dvmi_campaign_strategy(const struct dvm_campaign *c, size_t index);
bool dvmi_campaign_is_baseline(const struct dvm_campaign *c, const char *name);
/* Has the question a site? Not when another one was asked for. */
bool dvmi_campaign_asked(const struct dvm_campaign *c, size_t question);

/* The result of the question's subject at a site; NULL before it is known. */
const struct dvmi_strategy_result *dvmi_campaign_subject(const struct dvm_campaign *c,
							 const struct dvmi_site *site);
/* What the sites of its question differ in: "fork, guest, FB, 8 CPUs". */
const char *dvmi_site_name(const struct dvm_campaign *c, const struct dvmi_site *site,
			   char buf[256]);

/* ---- the parts of a report ---- */
void dvmi_at_command(const struct dvm_campaign *c, const struct dvmi_at *at,
		     const struct dvmi_doc *d);
void dvmi_campaign_answers(const struct dvm_campaign *c, const struct dvmi_doc *d);
void dvmi_campaign_axes(const struct dvm_campaign *c, const struct dvmi_doc *d);
void dvmi_campaign_strategies(const struct dvm_campaign *c, const struct dvmi_doc *d);
void dvmi_campaign_losses(const struct dvm_campaign *c, const struct dvmi_doc *d);
void dvmi_campaign_parts(const struct dvm_campaign *c, const struct dvmi_doc *d);
void dvmi_campaign_question(const struct dvm_campaign *c, size_t question,
			    const struct dvmi_doc *d);
void dvmi_campaign_limits(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d);
void dvmi_campaign_latency(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d);
void dvmi_campaign_published(const struct dvm_campaign *c, size_t question,
			     const struct dvmi_doc *d);
/* "in flushes -0.3 %": where the CPU time of a strategy differs from the baseline's, in percent of it. */
const char *dvmi_at_why(char buf[192], const struct dvm_campaign *c, const struct dvmi_at *at);
void dvmi_campaign_csv(const struct dvm_campaign *c, struct dvmi_buf *out);
int dvmi_campaign_json(const struct dvm_campaign *c, char **text);

#endif
