/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "base/mem.h"
#include "model/params.h"
#include "report/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const dvmi_axis_names[DVMI_AXES] = {
	"preemption model", "native or VM", "part", "CPUs", "kernel",
	"workload", "environment", "moves a second", "value",
};

/* ---- texts ---- */

/* The outcome as a comparison's report has it, so that both print the same. */
static struct dvm_metric metric_of(const struct dvmi_outcome *o)
{
	double side = o->higher_is_better ? 1 : -1;
	struct dvm_metric m = { .name = o->metric, .unit = o->unit,
				.higher_is_better = o->higher_is_better, .unstable = o->unstable,
				.n = o->n, .mean = o->mean, .change_pct = side * o->change_pct,
				.change_ci95 = o->ci95_pct, .verdict = o->verdict };

	m.ranges.examined = o->examined;
	m.ranges.holds = o->holds;
	m.ranges.runs = o->examined;
	m.ranges.lo_pct = side > 0 ? o->lo_pct : -o->hi_pct;
	m.ranges.hi_pct = side > 0 ? o->hi_pct : -o->lo_pct;
	return m;
}

const char *dvmi_at_cell(char buf[192], const struct dvmi_at *at)
{
	struct dvm_cell cell = { .status = at->r->status };
	struct dvm_metric m = metric_of(at->o);
	char change[64], ranges[96];

	dvmi_change_text(change, &cell, &m);
	if (at->r->status != DVM_RUN_OK || !m.ranges.examined || m.verdict == DVM_VERDICT_NONE)
		snprintf(buf, 192, "%s", change);
	else
		snprintf(buf, 192, "%s\n%s", change, dvmi_ranges_text(ranges, &m));
	return buf;
}

const char *dvmi_at_text(char buf[192], const struct dvmi_at *at)
{
	char cell[192], *end;
	const char *begin = dvmi_at_cell(cell, at);

	if (*begin == '(')
		begin += 4;
	end = strchr(begin, '\n');
	if (end)
		*end = '\0';
	snprintf(buf, 192, end ? "%s [%s]" : "%s", begin, end ? end + 1 : "");
	return buf;
}

const char *dvmi_score_text(char buf[192], const struct dvmi_score *s)
{
	static const char *const words[] = { NULL, "better", "worse", "undecided", "no difference",
					     "open", "STALE" };
	size_t len = 0;

	strcpy(buf, "nothing to compare");
	for (size_t i = 1; i <= DVMI_WORD_STALE; i++)
		if (s->words[i])
			len += (size_t)snprintf(buf + len, 192 - len, "%s%zu %s", len ? ", " : "",
						s->words[i], words[i]);
	return buf;
}

/* ---- axes ---- */

static const char *kernel_word(const char *path, uint64_t value, char word[DVMI_PARAM_WORD_MAX])
{
	size_t i = 0;

	while (i + 1 < dvmi_kernel_def_count && strcmp(dvmi_kernel_defs[i].path, path) != 0)
		i++;
	return dvmi_param_word(&dvmi_kernel_defs[i], value, word);
}

static const char *model_axis(const struct dvmi_site *site, enum dvmi_axis axis, char buf[160])
{
	char word[DVMI_PARAM_WORD_MAX];

	if (axis == DVMI_AXIS_CPUS)
		snprintf(buf, 160, "%" PRIu64, site->ncpus);
	else if (axis == DVMI_AXIS_PREEMPT)
		snprintf(buf, 160, "%s", kernel_word("preempt", site->preempt, word));
	else
		snprintf(buf, 160, "%s%s", kernel_word("vm", site->vm, word),
			 !site->vm ? "" : site->vm_fb ? ", FB" : ", no FB");
	return buf;
}

static const char *vary_value(const struct dvmi_question *q, uint64_t value, char buf[160])
{
	const struct dvmi_param_def *defs = q->vary_kernel ? dvmi_kernel_defs : dvmi_hw_defs;
	size_t i = 0, n = q->vary_kernel ? dvmi_kernel_def_count : dvmi_hw_def_count;
	char word[DVMI_PARAM_WORD_MAX], at[192], place[192];

	while (i + 1 < n && strcmp(defs[i].path, q->vary_path) != 0)
		i++;
	if (defs[i].type == DVMI_PARAM_INT)
		snprintf(at, sizeof(at), "%.120s=%" PRIu64, q->vary_path, value);
	else
		snprintf(at, sizeof(at), "%.120s=%s", q->vary_path,
			 dvmi_param_word(&defs[i], value, word));
	snprintf(buf, 160, "%.159s", dvmi_place_text(place, sizeof(place), at));
	return buf;
}

const char *dvmi_axis_value(const struct dvm_campaign *c, const struct dvmi_site *site,
			    enum dvmi_axis axis, char buf[160])
{
	const struct dvmi_question *q = &c->questions[site->question];
	bool trace = !strncmp(site->workload, "trace:", 6);

	switch (axis) {
	case DVMI_AXIS_HW:
		snprintf(buf, 160, "%s", q->hw.names[site->hw]);
		return buf;
	case DVMI_AXIS_KERNEL:
		snprintf(buf, 160, "%s", q->kernels.names[site->kernel]);
		return buf;
	case DVMI_AXIS_WORKLOAD:
		snprintf(buf, 160, "%s %.*s", trace ? "trace" : "generator",
			 (int)strcspn(site->workload + (trace ? 6 : 0), ":"),
			 site->workload + (trace ? 6 : 0));
		return buf;
	case DVMI_AXIS_ENVIRONMENT:
		snprintf(buf, 160, "%s", q->environments[site->environment].name);
		return buf;
	case DVMI_AXIS_MIGRATE:
		snprintf(buf, 160, "moved %" PRIu64 "/s",
			 q->migrate_hz ? q->migrate_hz[site->migrate] : 0);
		return buf;
	case DVMI_AXIS_VARY:
		return q->vary_path ? vary_value(q, q->vary[site->vary], buf) : strcpy(buf, "");
	default:
		return model_axis(site, axis, buf);
	}
}

static void sort_numbers(char **values, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k && values[k]; k--) {
			char *greater = values[k - 1];

			if (strtoull(greater, NULL, 10) <= strtoull(values[k], NULL, 10))
				break;
			values[k - 1] = values[k];
			values[k] = greater;
		}
	}
}

int dvmi_axis_values(const struct dvm_campaign *c, size_t question, enum dvmi_axis axis,
		     char ***list)
{
	size_t n = 0, capacity = 0;
	char **values = NULL;

	for (size_t i = 0; i < c->nsites; i++) {
		char buf[160];
		size_t k = 0;

		if ((question != SIZE_MAX && c->sites[i].question != question) ||
		    !c->sites[i].result.known)
			continue;
		dvmi_axis_value(c, &c->sites[i], axis, buf);
		while (k < n && strcmp(values[k], buf) != 0)
			k++;
		if (k < n)
			continue;
		if (dvmi_grow((void **)&values, &capacity, n + 2, sizeof(*values))) {
			dvmi_axis_free(values);
			return -DVM_ENOMEM;
		}
		values[n + 1] = NULL;
		values[n] = dvmi_strdup(buf);
		if (!values[n++])
			break;
	}
	if (axis == DVMI_AXIS_CPUS)
		sort_numbers(values, n);
	*list = values;
	if (n && !values[n - 1]) {
		dvmi_axis_free(values);
		return -DVM_ENOMEM;
	}
	return 0;
}

void dvmi_axis_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		dvmi_free(list[i]);
	dvmi_free(list);
}

static size_t add(char buf[256], size_t len, const char *separator, const char *text)
{
	int n = len < 256 ? snprintf(buf + len, 256 - len, "%s%s", *text ? separator : "", text) : 0;

	return len + (size_t)(n > 0 ? n : 0);
}

const char *dvmi_site_name(const struct dvm_campaign *c, const struct dvmi_site *site, char buf[256])
{
	const struct dvmi_question *q = &c->questions[site->question];
	bool trace = !strncmp(site->workload, "trace:", 6);
	char text[160], cpus[176];
	size_t len = add(buf, 0, "", site->workload + (trace ? 6 : 0));

	if (q->hw.count > 1)
		len = add(buf, len, ", ", q->hw.names[site->hw]);
	if (q->cpus) {
		snprintf(cpus, sizeof(cpus), "%" PRIu64 " CPUs", q->cpus[site->cpus]);
		len = add(buf, len, ", ", cpus);
	}
	if (q->kernels.count > 1)
		len = add(buf, len, ", ", q->kernels.names[site->kernel]);
	if (q->migrate_hz)
		len = add(buf, len, ", ", dvmi_axis_value(c, site, DVMI_AXIS_MIGRATE, text));
	len = add(buf, len, ", ", q->environments[site->environment].name);
	if (q->vary_path)
		add(buf, len, ", ", dvmi_axis_value(c, site, DVMI_AXIS_VARY, text));
	return buf;
}

/* ---- counting ---- */

const char *dvmi_campaign_strategy(const struct dvm_campaign *c, size_t index)
{
	for (size_t q = 0; q < c->nquestions; q++) {
		for (size_t i = 0; i < c->questions[q].strategies.count; i++) {
			const char *name = c->questions[q].strategies.names[i];
			bool seen = !dvmi_campaign_asked(c, q);

			for (size_t p = 0; p < q && !seen; p++)
				for (size_t k = 0; k < c->questions[p].strategies.count; k++)
					seen = seen || (dvmi_campaign_asked(c, p) &&
					       !strcmp(c->questions[p].strategies.names[k], name));
			if (!seen && !index--)
				return name;
		}
	}
	return NULL;
}

bool dvmi_campaign_is_baseline(const struct dvm_campaign *c, const char *name)
{
	for (size_t q = 0; q < c->nquestions; q++)
		if (!strcmp(c->questions[q].baseline, name))
			return true;
	return false;
}

bool dvmi_campaign_asked(const struct dvm_campaign *c, size_t question)
{
	for (size_t i = 0; i < c->nsites; i++)
		if (c->sites[i].question == question)
			return true;
	return false;
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

const struct dvmi_strategy_result *dvmi_campaign_subject(const struct dvm_campaign *c,
							 const struct dvmi_site *site)
{
	return result_of(c, site, dvmi_question_subject(&c->questions[site->question]));
}

static void note_extremes(struct dvmi_at *top, struct dvmi_at *bottom, const struct dvmi_at *at)
{
	if (!top->o || at->o->change_pct > top->o->change_pct)
		*top = *at;
	if (!bottom->o || at->o->change_pct < bottom->o->change_pct)
		*bottom = *at;
}

static void count(struct dvmi_score *s, const struct dvmi_at *at)
{
	enum dvmi_word word = dvmi_outcome_word(at->r, at->o);

	s->words[word]++;
	if (word == DVMI_WORD_STALE && !s->stale.o)
		s->stale = *at;
	if (word == DVMI_WORD_NONE || word == DVMI_WORD_STALE)
		return;
	s->lo_pct = fmin(s->compared ? s->lo_pct : INFINITY,
			 at->o->examined ? at->o->lo_pct : at->o->change_pct);
	s->hi_pct = fmax(s->compared ? s->hi_pct : -INFINITY,
			 at->o->examined ? at->o->hi_pct : at->o->change_pct);
	s->compared++;
	note_extremes(&s->top, &s->bottom, at);
	if (word == DVMI_WORD_WINS || word == DVMI_WORD_LOSES)
		note_extremes(&s->best, &s->worst, at);
}

struct dvmi_score dvmi_campaign_score(const struct dvm_campaign *c, const struct dvmi_pick *pick)
{
	struct dvmi_score score = { .compared = 0 };

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		struct dvmi_at at = { .site = site };
		char buf[160];

		if (pick->question != SIZE_MAX && site->question != pick->question)
			continue;
		at.r = result_of(c, site, pick->strategy ? pick->strategy :
				 dvmi_question_subject(&c->questions[site->question]));
		if (!at.r || (pick->value && strcmp(dvmi_axis_value(c, site, pick->axis, buf),
						    pick->value) != 0))
			continue;
		for (size_t m = 0; m < at.r->count; m++) {
			at.o = &at.r->outcomes[m];
			count(&score, &at);
		}
	}
	return score;
}

/* ---- why ---- */

static uint64_t busy(const struct dvmi_strategy_result *r)
{
	return r->run_ps + r->flush_ps + r->switch_ps + r->bystander_ps + r->refill_ps +
	       r->interrupt_ps;
}

const char *dvmi_at_why(char buf[192], const struct dvm_campaign *c, const struct dvmi_at *at)
{
	const struct dvmi_strategy_result *b =
		result_of(c, at->site, c->questions[at->site->question].baseline);
	const struct {
		const char *name;
		uint64_t now, was;
	} parts[] = {
		{ "in flushes", at->r->flush_ps, b ? b->flush_ps : 0 },
		{ "in switch hooks", at->r->switch_ps, b ? b->switch_ps : 0 },
		{ "lost to DVM operations", at->r->bystander_ps, b ? b->bystander_ps : 0 },
		{ "TLB refills", at->r->refill_ps, b ? b->refill_ps : 0 },
		{ "interrupts", at->r->interrupt_ps, b ? b->interrupt_ps : 0 },
	};
	size_t len = 0;

	strcpy(buf, "no part of the CPU time differs");
	for (size_t i = 0; b && busy(b) && i < sizeof(parts) / sizeof(parts[0]); i++) {
		double pct = ((double)parts[i].now - (double)parts[i].was) / (double)busy(b) * 100;
		char text[DVMI_NUM_MAX];

		if (fabs(pct) < 0.005)
			continue;
		len += (size_t)snprintf(buf + len, 192 - len, "%s%s %s", len ? ", " : "", parts[i].name,
					dvmi_num_change(text, pct, fabs(pct) / 10));
	}
	return buf;
}
