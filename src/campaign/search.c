/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/mem.h"

#include <dvmsim/workload.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Looking for what a strategy is worst at. From the worst site so far, each of the named parameters of
 * its workload's generator is doubled and halved, within the generator's limits; what is not there yet
 * is run. It ends when no neighbour is new. Deterministic; it finds a local extreme, not the extreme.
 */

static size_t strategy_index(const struct dvmi_question *q)
{
	for (size_t i = 0; i < q->strategies.count; i++)
		if (!strcmp(q->strategies.names[i], q->search.strategy))
			return i;
	return 0;
}

/* The least primary change of the strategy there; NAN without one. */
static double change_of(const struct dvmi_site *site, size_t strategy)
{
	double least = NAN;

	if (!site->result.known || strategy >= site->result.count)
		return NAN;
	for (size_t m = 0; m < site->result.strategies[strategy].count; m++) {
		const struct dvmi_outcome *o = &site->result.strategies[strategy].outcomes[m];

		if (o->verdict == DVM_VERDICT_NONE || o->verdict == DVM_VERDICT_BASELINE)
			continue;
		if (isnan(least) || o->change_pct < least)
			least = o->change_pct;
	}
	return least;
}

static const struct dvmi_site *worst_site(const struct dvm_campaign *c, size_t question)
{
	size_t strategy = strategy_index(&c->questions[question]);
	const struct dvmi_site *worst = NULL;
	double least = NAN;

	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];
		double change = site->question == question ? change_of(site, strategy) : NAN;

		if (!isnan(change) && (isnan(least) || change < least)) {
			least = change;
			worst = site;
		}
	}
	return worst;
}

static const struct dvm_workload_param *find_param(const char *workload, const char *name)
{
	size_t len = strcspn(workload, ":");
	const struct dvm_workload_info *info;

	for (size_t i = 0; (info = dvm_workload_get(i)) != NULL; i++) {
		if (strlen(info->name) != len || strncmp(info->name, workload, len) != 0)
			continue;
		for (size_t p = 0; info->params[p].name; p++)
			if (!strcmp(info->params[p].name, name))
				return &info->params[p];
	}
	return NULL;
}

/* Where "name=" stands in the specification, or NULL. */
static const char *find_value(const char *workload, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = strchr(workload, ':'); at; at = strchr(at, ',')) {
		at++;
		if (!strncmp(at, name, len) && at[len] == '=')
			return at + len + 1;
	}
	return NULL;
}

/* The specification with @name set to @value. */
static char *with_value(const char *workload, const char *name, uint64_t value)
{
	const char *old = find_value(workload, name);
	size_t head = old ? (size_t)(old - workload) : strlen(workload);
	size_t size = strlen(workload) + strlen(name) + 24;
	char *text = dvmi_alloc(size);

	if (!text)
		return NULL;
	if (old)
		snprintf(text, size, "%.*s%" PRIu64 "%s", (int)head, workload, value,
			 old + strspn(old, "0123456789"));
	else
		snprintf(text, size, "%s%c%s=%" PRIu64, workload, strchr(workload, ':') ? ',' : ':',
			 name, value);
	return text;
}

static bool is_there(const struct dvm_campaign *c, const struct dvmi_site *like,
		     const char *workload)
{
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *s = &c->sites[i];

		if (s->question == like->question && s->hw == like->hw && s->kernel == like->kernel &&
		    s->environment == like->environment && s->cpus == like->cpus &&
		    s->vary == like->vary && s->migrate == like->migrate && !strcmp(s->workload, workload))
			return true;
	}
	return false;
}

static int add_neighbour(struct dvm_campaign *c, const struct dvmi_site *like, const char *workload,
			 const struct dvm_workload_param *p, uint64_t value, size_t *added)
{
	char *text;
	int ret;

	if (value < p->min || value > p->max)
		return 0;
	text = with_value(workload, p->name, value);
	if (!text)
		return -DVM_ENOMEM;
	if (is_there(c, like, text)) {
		dvmi_free(text);
		return 0;
	}
	ret = dvmi_site_add(c, like, text);
	*added += !ret;
	return ret;
}

int dvmi_search_step(struct dvm_campaign *c, size_t question, size_t *added, struct dvm_error *err)
{
	const struct dvmi_search *search = &c->questions[question].search;
	const struct dvmi_site *worst = worst_site(c, question);
	struct dvmi_site like;
	char *workload;
	int ret = 0;

	*added = 0;
	if (!worst)
		return 0;
	like = *worst; /* the list of sites moves as it grows */
	workload = dvmi_strdup(worst->workload);
	if (!workload)
		return dvmi_error_nomem(err);
	for (size_t i = 0; i < search->params.count && !ret; i++) {
		const char *name = search->params.names[i], *text = find_value(workload, name);
		const struct dvm_workload_param *p = find_param(workload, name);
		uint64_t value;

		if (!p)
			continue; /* another generator's */
		value = text ? strtoull(text, NULL, 10) : p->value;
		ret = add_neighbour(c, &like, workload, p, value ? value * 2 : 1, added);
		if (!ret && value)
			ret = add_neighbour(c, &like, workload, p, value / 2, added);
	}
	dvmi_free(workload);
	return ret == -DVM_ENOMEM ? dvmi_error_nomem(err) :
	       ret ? dvmi_error(err, DVM_ELIMIT, c->name, "the search makes too many sites") : 0;
}
