/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first page: each question answered for the strategy it is about, with a command to repeat one cell. */

void dvmi_at_command(const struct dvm_campaign *c, const struct dvmi_at *at,
		     const struct dvmi_doc *d)
{
	struct dvmi_buf command = { 0 };
	char *text;

	dvmi_site_command(c, at->site, &command);
	if (dvmi_buf_take(&command, &text)) {
		d->out->failed = 1;
		return;
	}
	dvmi_doc_command(d, text);
	dvm_free(text);
}

/* "+0.3 % +-0.1 [..] (fork, forks)" of an outcome within its question. */
static const char *place(char buf[480], const struct dvm_campaign *c, const struct dvmi_at *at)
{
	char text[192], name[256];

	dvmi_site_name(c, at->site, name);
	snprintf(buf, 480, "%s (%s: %s)", dvmi_at_text(text, at), name, at->o->metric);
	return buf;
}

static void sentence(const struct dvm_campaign *c, const char *subject, const char *baseline,
		     const struct dvmi_score *s, const struct dvmi_doc *d)
{
	char least[480], most[480], counts[192];

	if (!s->compared) {
		dvmi_doc_paragraph(d, "%s against %s: %s.", subject, baseline,
				   dvmi_score_text(counts, s));
		return;
	}
	if (!s->best.o)
		dvmi_doc_paragraph(d, "%s against %s: %s of %zu. No change is decided; they lie "
				   "between %s and %s.", subject, baseline, dvmi_score_text(counts, s),
				   s->compared, place(least, c, &s->bottom), place(most, c, &s->top));
	else if (s->best.o == s->worst.o)
		dvmi_doc_paragraph(d, "%s against %s: %s of %zu. The one decided change is %s.", subject,
				   baseline, dvmi_score_text(counts, s), s->compared,
				   place(most, c, &s->best));
	else
		dvmi_doc_paragraph(d, "%s against %s: %s of %zu. Decided changes go from %s to %s.",
				   subject, baseline, dvmi_score_text(counts, s), s->compared,
				   place(least, c, &s->worst), place(most, c, &s->best));
}

/* Undecided cells: what turns them, and how often. */
static void doubts(const struct dvm_campaign *c, size_t question, const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];
	const char *subject = dvmi_question_subject(q);
	const char *causes[8];
	size_t counts[8], n = 0;
	char text[640];
	size_t len = 0;

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		for (size_t k = 0; site->question == question && k < site->result.count; k++) {
			const struct dvmi_strategy_result *r = &site->result.strategies[k];

			for (size_t m = 0; !strcmp(q->strategies.names[k], subject) && m < r->count;
			     m++) {
				size_t at = 0;

				if (dvmi_outcome_word(r, &r->outcomes[m]) != DVMI_WORD_UNDECIDED ||
				    !r->outcomes[m].flip_at)
					continue;
				while (at < n && strcmp(causes[at], r->outcomes[m].flip_at) != 0)
					at++;
				if (at == 8)
					continue;
				if (at == n) {
					causes[n] = r->outcomes[m].flip_at;
					counts[n++] = 0;
				}
				counts[at]++;
			}
		}
	}
	for (size_t i = 0; i < n && len < sizeof(text) - 96; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.64s (%zu)",
					i ? ", " : "", causes[i], counts[i]);
	if (n)
		dvmi_doc_paragraph(d, "Undecided, because the sign turns with: %s.", text);
}

/* One item for each value of an axis that the question itself has. */
static void by_axis(const struct dvm_campaign *c, size_t question, enum dvmi_axis axis,
		    const struct dvmi_doc *d)
{
	char **values;

	if (dvmi_axis_values(c, question, axis, &values)) {
		d->out->failed = 1;
		return;
	}
	for (size_t i = 0; values && values[1] && values[i]; i++) {
		struct dvmi_pick pick = { question, NULL, axis, values[i] };
		struct dvmi_score s = dvmi_campaign_score(c, &pick);
		char counts[192], lo[192], hi[192];

		if (!s.compared)
			dvmi_doc_item(d, "%s%s: %s", axis == DVMI_AXIS_CPUS ? "CPUs: " : "", values[i],
				      dvmi_score_text(counts, &s));
		else if (s.top.o == s.bottom.o)
			dvmi_doc_item(d, "%s%s: %s; %s", axis == DVMI_AXIS_CPUS ? "CPUs: " : "",
				      values[i], dvmi_score_text(counts, &s),
				      dvmi_at_text(lo, &s.bottom));
		else
			dvmi_doc_item(d, "%s%s: %s; from %s to %s",
				      axis == DVMI_AXIS_CPUS ? "CPUs: " : "", values[i],
				      dvmi_score_text(counts, &s), dvmi_at_text(lo, &s.bottom),
				      dvmi_at_text(hi, &s.top));
	}
	dvmi_axis_free(values);
}

static void answer(const struct dvm_campaign *c, size_t question, size_t number,
		   const struct dvmi_doc *d)
{
	const struct dvmi_question *q = &c->questions[question];
	struct dvmi_pick pick = { question, NULL, DVMI_AXIS_HW, NULL };
	struct dvmi_score s = dvmi_campaign_score(c, &pick);
	const struct {
		bool has;
		enum dvmi_axis axis;
	} axes[] = {
		{ q->hw.count > 1, DVMI_AXIS_HW },
		{ q->ncpus > 1, DVMI_AXIS_CPUS },
		{ q->kernels.count > 1, DVMI_AXIS_KERNEL },
		{ q->nenvironments > 1, DVMI_AXIS_ENVIRONMENT },
		{ q->nmigrate > 1, DVMI_AXIS_MIGRATE },
		{ q->nvary > 1, DVMI_AXIS_VARY },
	};
	const struct dvmi_at *one = s.stale.o ? &s.stale : s.words[DVMI_WORD_LOSES] ? &s.worst :
				    s.best.o ? &s.best : &s.top;
	char heading[96];

	snprintf(heading, sizeof(heading), "%zu. %.80s", number, q->name);
	dvmi_doc_heading(d, 3, heading);
	dvmi_doc_paragraph(d, "%s%s%s%s", q->asks, q->source ? " (" : "", q->source ? q->source : "",
			   q->source ? ")" : "");
	sentence(c, dvmi_question_subject(q), q->baseline, &s, d);
	doubts(c, question, d);
	for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++)
		if (axes[i].has)
			by_axis(c, question, axes[i].axis, d);
	if (one->o) {
		char where[480];

		dvmi_doc_paragraph(d, "To repeat %s:", place(where, c, one));
		dvmi_at_command(c, one, d);
	}
}

void dvmi_campaign_answers(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	size_t number = 0;

	dvmi_doc_heading(d, 2, "Answers");
	for (size_t i = 0; i < c->nquestions; i++)
		if (dvmi_campaign_asked(c, i))
			answer(c, i, ++number, d);
}

/* ---- by axis, over all questions ---- */

void dvmi_campaign_axes(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	static const char *const heads[] = { "axis", "value", "better", "worse", "undecided", "open",
					     "same", "least decided", "greatest decided" };
	struct dvmi_table t;

	dvmi_table_init(&t, 9, false);
	for (size_t i = 0; i < 9; i++)
		dvmi_table_add(&t, "%s", heads[i]);
	for (size_t i = 2; i < 7; i++)
		dvmi_table_right(&t, i);
	for (enum dvmi_axis axis = DVMI_AXIS_PREEMPT; axis <= DVMI_AXIS_WORKLOAD; axis++) {
		char **values, lo[192], hi[192];

		if (dvmi_axis_values(c, SIZE_MAX, axis, &values)) {
			d->out->failed = 1;
			break;
		}
		for (size_t i = 0; values && values[1] && values[i]; i++) {
			struct dvmi_pick pick = { SIZE_MAX, NULL, axis, values[i] };
			struct dvmi_score s = dvmi_campaign_score(c, &pick);

			dvmi_table_add(&t, "%s", i ? "" : dvmi_axis_names[axis]);
			dvmi_table_add(&t, "%s", values[i]);
			dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_WINS]);
			dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_LOSES]);
			dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_UNDECIDED]);
			dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_OPEN]);
			dvmi_table_add(&t, "%zu", s.words[DVMI_WORD_SAME]);
			dvmi_table_add(&t, "%s", s.worst.o ? dvmi_at_text(lo, &s.worst) : "-");
			dvmi_table_add(&t, "%s", s.best.o ? dvmi_at_text(hi, &s.best) : "-");
		}
		dvmi_axis_free(values);
	}
	if (t.count <= 9 && !t.failed) {
		dvmi_table_fini(&t);
		return;
	}
	dvmi_doc_heading(d, 2, "By axis");
	dvmi_doc_paragraph(d, "The strategy in question, over all questions. Groups hold different "
			   "cells; like is compared with like within a question, above.");
	dvmi_doc_table(d, &t);
}
