/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/mem.h"
#include "model/params.h"

#include <dvmsim/sim.h>

#include <string.h>

/* The study file, read strictly: docs/study.md. */

struct reading {
	struct dvm_campaign *c;
	struct dvmi_question *q;
	struct dvmi_environment *env;
	struct dvm_error *err;
};

static int need_string(const struct dvmi_json_at *at, const char *key, const char **text,
		       struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_string(&child, text, err);
}

static int optional_string(const struct dvmi_json_at *at, const char *key, const char **text,
			   struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? dvmi_json_string(&child, text, err) : 0;
}

static int optional_u64(const struct dvmi_json_at *at, const char *key, uint64_t min, uint64_t max,
			uint64_t *value, struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? dvmi_json_u64(&child, min, max, value, err) : 0;
}

static int check_count(const struct dvmi_json_at *list, struct dvm_error *err)
{
	size_t n = dvmi_json_count(list);

	if (!n || n > DVMI_CAMPAIGN_LIST_MAX)
		return dvmi_json_fail(list, err, "%zu elements; from 1 to %u are allowed", n,
				      DVMI_CAMPAIGN_LIST_MAX);
	return 0;
}

/* A list of different strings; a missing one keeps what @out has. */
static int read_names(const struct dvmi_json_at *at, const char *key, struct dvmi_list *out,
		      struct dvm_error *err)
{
	struct dvmi_json_at list, item;
	int ret;

	if (!dvmi_json_find(at, key, &list))
		return 0;
	ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (!ret)
		ret = check_count(&list, err);
	if (ret)
		return ret;
	dvmi_free(out->names);
	*out = (struct dvmi_list){ .names = dvmi_calloc(dvmi_json_count(&list), sizeof(char *)) };
	if (!out->names)
		return dvmi_error_nomem(err);
	dvmi_json_first(&list, &item);
	do {
		ret = dvmi_json_string(&item, &out->names[out->count], err);
		for (size_t i = 0; i < out->count && !ret; i++)
			if (!strcmp(out->names[i], out->names[out->count]))
				ret = dvmi_json_fail(&item, err, "\"%s\" is there twice",
						     out->names[i]);
		out->count++;
	} while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_numbers(const struct dvmi_json_at *at, const char *key, uint64_t max,
			uint64_t **out, size_t *count, struct dvm_error *err)
{
	struct dvmi_json_at list, item;
	int ret = dvmi_json_need(at, key, &list, err);

	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (!ret)
		ret = check_count(&list, err);
	if (ret)
		return ret;
	dvmi_free(*out);
	*count = 0;
	*out = dvmi_calloc(dvmi_json_count(&list), sizeof(**out));
	if (!*out)
		return dvmi_error_nomem(err);
	dvmi_json_first(&list, &item);
	do
		ret = dvmi_json_u64(&item, 0, max, &(*out)[(*count)++], err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

/* ---- settings ---- */

static const struct dvmi_param_def *find_def(const char *path, bool kernel)
{
	const struct dvmi_param_def *defs = kernel ? dvmi_kernel_defs : dvmi_hw_defs;
	size_t n = kernel ? dvmi_kernel_def_count : dvmi_hw_def_count;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(defs[i].path, path))
			return &defs[i];
	return NULL;
}

/* A number, true or false, or one of an enum's words. */
static int read_value(const struct dvmi_json_at *at, const struct dvmi_param_def *def,
		      uint64_t *value, struct dvm_error *err)
{
	const char *word;
	bool flag;
	int ret;

	if (def->type == DVMI_PARAM_INT)
		return dvmi_json_u64(at, def->min, def->max, value, err);
	if (def->type == DVMI_PARAM_BOOL) {
		ret = dvmi_json_bool(at, &flag, err);
		*value = !ret && flag;
		return ret;
	}
	ret = dvmi_json_string(at, &word, err);
	if (!ret && !dvmi_param_number(def, word, value))
		ret = dvmi_json_fail(at, err, "\"%s\" is none of %s", word, def->words);
	return ret;
}

static int read_settings(const struct reading *r, const struct dvmi_json_at *at, bool kernel)
{
	struct dvmi_json_at object, item;
	int ret;

	if (!dvmi_json_find(at, kernel ? "kernel" : "hw", &object))
		return 0;
	ret = dvmi_json_want(&object, DVMI_JSON_OBJECT, r->err);
	if (ret || !dvmi_json_first(&object, &item))
		return ret;
	do {
		const struct dvmi_param_def *def = find_def(item.key, kernel);
		struct dvmi_setting *s;
		size_t capacity = r->env->count;

		if (!def)
			return dvmi_json_fail(&item, r->err, "no parameter of a %s is called that",
					      kernel ? "kernel configuration" : "part");
		if (dvmi_grow((void **)&r->env->settings, &capacity, r->env->count + 1, sizeof(*s)))
			return dvmi_error_nomem(r->err);
		s = &r->env->settings[r->env->count++];
		*s = (struct dvmi_setting){ .path = def->path, .kernel = kernel };
		ret = read_value(&item, def, &s->value, r->err);
	} while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_environment(struct reading *r, const struct dvmi_json_at *at)
{
	static const char *const keys[] = { "name", "note", "kernel", "hw", NULL };
	const char *note;
	int ret = dvmi_json_only_keys(at, keys, r->err);

	r->env = &r->q->environments[r->q->nenvironments++];
	if (!ret)
		ret = need_string(at, "name", &r->env->name, r->err);
	for (size_t i = 0; i + 1 < r->q->nenvironments && !ret; i++)
		if (!strcmp(r->q->environments[i].name, r->env->name))
			ret = dvmi_json_fail(at, r->err, "the name \"%s\" is there twice",
					     r->env->name);
	if (!ret)
		ret = optional_string(at, "note", &note, r->err);
	if (!ret)
		ret = read_settings(r, at, true);
	if (!ret)
		ret = read_settings(r, at, false);
	return ret;
}

static int read_environments(struct reading *r, const struct dvmi_json_at *at)
{
	struct dvmi_json_at list, item;
	bool given = dvmi_json_find(at, "environments", &list);
	size_t n = 1;
	int ret = 0;

	if (given) {
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, r->err);
		if (!ret)
			ret = check_count(&list, r->err);
		n = dvmi_json_count(&list);
	}
	if (ret)
		return ret;
	r->q->environments = dvmi_calloc(n, sizeof(*r->q->environments));
	if (!r->q->environments)
		return dvmi_error_nomem(r->err);
	if (!given) {
		r->q->environments[0].name = "";
		r->q->nenvironments = 1;
		return 0;
	}
	dvmi_json_first(&list, &item);
	do
		ret = read_environment(r, &item);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_vary(struct reading *r, const struct dvmi_json_at *at)
{
	static const char *const keys[] = { "kernel", "hw", "values", NULL };
	struct dvmi_question *q = r->q;
	const struct dvmi_param_def *def;
	struct dvmi_json_at vary, child, item;
	int ret = 0;

	q->nvary = 1;
	if (!dvmi_json_find(at, "vary", &vary))
		return 0;
	ret = dvmi_json_only_keys(&vary, keys, r->err);
	q->vary_kernel = dvmi_json_find(&vary, "kernel", &child);
	if (!ret)
		ret = dvmi_json_need(&vary, q->vary_kernel ? "kernel" : "hw", &child, r->err);
	if (!ret)
		ret = dvmi_json_string(&child, &q->vary_path, r->err);
	if (ret)
		return ret;
	def = find_def(q->vary_path, q->vary_kernel);
	if (!def)
		return dvmi_json_fail(&child, r->err, "there is no parameter \"%s\"", q->vary_path);
	ret = dvmi_json_need(&vary, "values", &child, r->err);
	if (!ret)
		ret = dvmi_json_want(&child, DVMI_JSON_ARRAY, r->err);
	if (!ret)
		ret = check_count(&child, r->err);
	if (ret)
		return ret;
	q->vary = dvmi_calloc(dvmi_json_count(&child), sizeof(*q->vary));
	if (!q->vary)
		return dvmi_error_nomem(r->err);
	q->nvary = 0;
	dvmi_json_first(&child, &item);
	do
		ret = read_value(&item, def, &q->vary[q->nvary++], r->err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

/* ---- the rest of a question ---- */

static int read_word(const struct dvmi_json_at *at, const char *key, const char *const *words,
		     int *value, struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *word;
	int ret;

	if (!dvmi_json_find(at, key, &child))
		return 0;
	ret = dvmi_json_string(&child, &word, err);
	for (int i = 0; words[i] && !ret; i++) {
		if (!strcmp(words[i], word)) {
			*value = i;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, err, "\"%s\" is none of its words", word);
}

static int read_search(struct reading *r, const struct dvmi_json_at *at)
{
	static const char *const keys[] = { "strategy", "params", "rounds", "keep", NULL };
	struct dvmi_search *s = &r->q->search;
	struct dvmi_json_at search;
	int ret;

	if (!dvmi_json_find(at, "search", &search))
		return 0;
	s->rounds = 4;
	s->keep = 10;
	ret = dvmi_json_only_keys(&search, keys, r->err);
	if (!ret)
		ret = need_string(&search, "strategy", &s->strategy, r->err);
	if (!ret)
		ret = optional_u64(&search, "rounds", 0, 100, &s->rounds, r->err);
	if (!ret)
		ret = optional_u64(&search, "keep", 1, 100, &s->keep, r->err);
	if (!ret)
		ret = read_names(&search, "params", &s->params, r->err);
	for (size_t i = 0; i < r->q->strategies.count && !ret; i++)
		if (!strcmp(r->q->strategies.names[i], s->strategy))
			return 0;
	return ret ? ret : dvmi_json_fail(&search, r->err, "\"%s\" is none of the strategies",
					  s->strategy);
}

/* What may stand in a question, or above all questions as their default. */
static int read_common(const struct dvmi_json_at *at, struct dvmi_question *q,
		       struct dvm_error *err)
{
	static const char *const sensitivities[] = { "signs", "off", "all", NULL };
	static const char *const schedules[] = { "recorded", "simulated", NULL };
	int ret = read_names(at, "strategies", &q->strategies, err);

	if (!ret)
		ret = read_names(at, "workloads", &q->workloads, err);
	if (!ret)
		ret = read_names(at, "hardware", &q->hw, err);
	if (!ret)
		ret = read_names(at, "kernels", &q->kernels, err);
	if (!ret)
		ret = optional_string(at, "baseline", &q->baseline, err);
	if (!ret)
		ret = optional_string(at, "subject", &q->subject, err);
	if (!ret)
		ret = optional_u64(at, "seeds", 1, 1000, &q->seeds, err);
	if (!ret)
		ret = optional_u64(at, "first_seed", 1, UINT64_C(1) << 53, &q->first_seed, err);
	if (!ret)
		ret = optional_u64(at, "budget", 1, UINT64_C(1) << 53, &q->budget, err);
	if (!ret)
		ret = optional_u64(at, "copies", 1, 65536, &q->copies, err);
	if (!ret)
		ret = read_word(at, "sensitivity", sensitivities, &q->sensitivity, err);
	if (!ret)
		ret = read_word(at, "schedule", schedules, &q->schedule, err);
	return ret;
}

static int copy_list(struct dvmi_list *to, const struct dvmi_list *from)
{
	*to = *from;
	if (!from->count)
		return 0;
	to->names = dvmi_calloc(from->count, sizeof(char *));
	if (!to->names) {
		to->count = 0;
		return -DVM_ENOMEM;
	}
	memcpy(to->names, from->names, from->count * sizeof(char *));
	return 0;
}

static int inherit(struct dvmi_question *q, const struct dvmi_question *from)
{
	*q = (struct dvmi_question){ .baseline = from->baseline, .subject = from->subject,
				     .seeds = from->seeds,
				     .first_seed = from->first_seed, .budget = from->budget,
				     .copies = from->copies, .sensitivity = from->sensitivity,
				     .schedule = from->schedule };
	return copy_list(&q->workloads, &from->workloads) || copy_list(&q->hw, &from->hw) ||
	       copy_list(&q->kernels, &from->kernels) ||
	       copy_list(&q->strategies, &from->strategies) ? -DVM_ENOMEM : 0;
}

static int check_question(const struct dvmi_json_at *at, const struct dvmi_question *q,
			  struct dvm_error *err)
{
	if (!q->workloads.count || !q->hw.count || !q->kernels.count)
		return dvmi_json_fail(at, err, "it needs workloads, hardware and kernels, its own or"
				      " above all questions");
	if (q->strategies.count < 2)
		return dvmi_json_fail(at, err, "it needs two strategies at least");
	if (!q->baseline)
		return dvmi_json_fail(at, err, "it needs a baseline");
	for (size_t i = 0; q->subject && i <= q->strategies.count; i++) {
		if (i == q->strategies.count)
			return dvmi_json_fail(at, err, "the subject \"%s\" is none of the strategies",
					      q->subject);
		if (!strcmp(q->strategies.names[i], q->subject))
			break;
	}
	for (size_t i = 0; i < q->strategies.count; i++)
		if (!strcmp(q->strategies.names[i], q->baseline))
			return 0;
	return dvmi_json_fail(at, err, "the baseline \"%s\" is none of the strategies", q->baseline);
}

static int read_figure(const struct dvmi_json_at *at, struct dvmi_published *p,
		       struct dvm_error *err)
{
	static const char *const keys[] = { "name", "change_pct", "source", "workloads", NULL };
	struct dvmi_json_at child;
	int ret = dvmi_json_only_keys(at, keys, err);

	if (!ret)
		ret = need_string(at, "name", &p->name, err);
	if (!ret)
		ret = need_string(at, "source", &p->source, err);
	if (!ret)
		ret = dvmi_json_need(at, "change_pct", &child, err);
	if (!ret)
		ret = dvmi_json_double(&child, &p->change_pct, err);
	if (!ret)
		ret = dvmi_json_need(at, "workloads", &child, err);
	return ret ? ret : read_names(at, "workloads", &p->workloads, err);
}

static int read_published(const struct dvmi_json_at *at, struct dvmi_question *q,
			  struct dvm_error *err)
{
	struct dvmi_json_at list, item;
	int ret;

	if (!dvmi_json_find(at, "published", &list))
		return 0;
	ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (!ret)
		ret = check_count(&list, err);
	if (ret)
		return ret;
	q->published = dvmi_calloc(dvmi_json_count(&list), sizeof(*q->published));
	if (!q->published)
		return dvmi_error_nomem(err);
	dvmi_json_first(&list, &item);
	do
		ret = read_figure(&item, &q->published[q->npublished++], err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_question(struct dvm_campaign *c, const struct dvmi_json_at *at,
			 const struct dvmi_question *defaults, struct dvm_error *err)
{
	static const char *const keys[] = {
		"name", "asks", "source", "workloads", "hardware", "kernels", "environments", "cpus",
		"migrate_hz", "vary", "strategies", "baseline", "copies", "seeds", "first_seed", "budget",
		"sensitivity", "schedule", "search", "note", "subject", "published", "limits",
		"latency", NULL,
	};
	struct dvmi_question *q = &c->questions[c->nquestions++];
	struct reading r = { .c = c, .q = q, .err = err };
	struct dvmi_json_at child;
	int ret = inherit(q, defaults) ? dvmi_error_nomem(err) : dvmi_json_only_keys(at, keys, err);

	if (!ret)
		ret = need_string(at, "name", &q->name, err);
	for (size_t i = 0; i + 1 < c->nquestions && !ret; i++)
		if (!strcmp(c->questions[i].name, q->name))
			ret = dvmi_json_fail(at, err, "the name \"%s\" is there twice", q->name);
	if (!ret)
		ret = need_string(at, "asks", &q->asks, err);
	if (!ret)
		ret = optional_string(at, "source", &q->source, err);
	if (!ret)
		ret = optional_string(at, "note", &q->note, err);
	if (!ret)
		ret = read_common(at, q, err);
	if (!ret)
		ret = read_environments(&r, at);
	if (!ret)
		ret = read_vary(&r, at);
	q->ncpus = 1;
	if (!ret && dvmi_json_find(at, "cpus", &child))
		ret = read_numbers(at, "cpus", 4096, &q->cpus, &q->ncpus, err);
	q->nmigrate = 1;
	if (!ret && dvmi_json_find(at, "migrate_hz", &child))
		ret = read_numbers(at, "migrate_hz", 1000000, &q->migrate_hz, &q->nmigrate, err);
	if (!ret)
		ret = check_question(at, q, err);
	if (!ret)
		ret = read_search(&r, at);
	if (!ret && dvmi_json_find(at, "latency", &child))
		ret = dvmi_json_bool(&child, &q->latency, err);
	if (!ret && dvmi_json_find(at, "limits", &child))
		ret = read_numbers(at, "limits", 1000000, &q->limits, &q->nlimits, err);
	if (!ret)
		ret = read_published(at, q, err);
	return ret;
}

void dvmi_question_fini(struct dvmi_question *q)
{
	for (size_t i = 0; i < q->nenvironments; i++)
		dvmi_free(q->environments[i].settings);
	dvmi_free(q->environments);
	dvmi_free(q->workloads.names);
	dvmi_free(q->hw.names);
	dvmi_free(q->kernels.names);
	dvmi_free(q->strategies.names);
	dvmi_free(q->search.params.names);
	for (size_t i = 0; i < q->npublished; i++)
		dvmi_free(q->published[i].workloads.names);
	dvmi_free(q->published);
	dvmi_free(q->limits);
	dvmi_free(q->cpus);
	dvmi_free(q->migrate_hz);
	dvmi_free(q->vary);
}

static int read_questions(struct dvm_campaign *c, const struct dvmi_json_at *root,
			  const struct dvmi_question *defaults, struct dvm_error *err)
{
	struct dvmi_json_at list, item;
	int ret = dvmi_json_need(root, "questions", &list, err);

	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (!ret)
		ret = check_count(&list, err);
	if (ret)
		return ret;
	c->questions = dvmi_calloc(dvmi_json_count(&list), sizeof(*c->questions));
	if (!c->questions)
		return dvmi_error_nomem(err);
	dvmi_json_first(&list, &item);
	do
		ret = read_question(c, &item, defaults, err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

int dvmi_campaign_read(struct dvm_campaign *c, struct dvm_error *err)
{
	static const char *const keys[] = {
		"schema", "name", "summary", "workloads", "hardware", "kernels", "strategies",
		"baseline", "subject", "copies", "seeds", "first_seed", "budget", "sensitivity",
		"schedule", "questions", NULL,
	};
	struct dvmi_question defaults = { .seeds = 3, .first_seed = 1, .schedule = 1 };
	struct dvmi_json_at root = dvmi_json_root(c->doc);
	const char *schema;
	int ret = dvmi_json_only_keys(&root, keys, err);

	if (!ret)
		ret = need_string(&root, "schema", &schema, err);
	if (!ret && strcmp(schema, "dvmsim.study/1") != 0)
		ret = dvmi_json_fail(&root, err, "schema must be \"dvmsim.study/1\"");
	if (!ret)
		ret = need_string(&root, "name", &c->name, err);
	if (!ret)
		ret = need_string(&root, "summary", &c->summary, err);
	if (!ret)
		ret = read_common(&root, &defaults, err);
	if (!ret)
		ret = read_questions(c, &root, &defaults, err);
	dvmi_question_fini(&defaults);
	return ret;
}
