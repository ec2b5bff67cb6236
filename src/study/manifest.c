/* SPDX-License-Identifier: MIT */
/* Reading back the manifest of a result; report/json.c writes it. */
#include "study/study.h"

#include "base/error.h"
#include "base/json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "dvmsim.compare/1"

/* Everything reading needs, so that the steps have short signatures. */
struct reading {
	struct dvm_study *study;
	const char *name, *dir;
	struct dvm_error *err;
};

static int check_hash(const struct dvmi_json_at *at, uint64_t hash, const char *what,
		      struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *text;
	char now[32];
	int ret = dvmi_json_need(at, "hash", &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &text, err);
	if (ret)
		return ret;
	snprintf(now, sizeof(now), "0x%016llx", (unsigned long long)hash);
	if (!strcmp(text, now))
		return 0;
	dvmi_json_fail(&child, err, "the %s found has the hash %s, not %s: it is not the one the "
		       "result was made with", what, now, text);
	if (err)
		err->code = DVM_EINVAL;
	return -DVM_EINVAL;
}

static int need_string(const struct dvmi_json_at *at, const char *key, const char **text,
		       struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_string(&child, text, err);
}

static int need_u64(const struct dvmi_json_at *at, const char *key, uint64_t max, uint64_t *value,
		    struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_u64(&child, 0, max, value, err);
}

static int read_model(const struct reading *r, const struct dvmi_json_at *at,
		      enum dvm_model_kind kind)
{
	struct dvmi_json_at child;
	struct dvm_model *model = NULL;
	uint64_t hash;
	char *text;
	int ret = dvmi_json_need(at, "model", &child, r->err);

	if (ret)
		return ret;
	text = cJSON_PrintUnformatted(child.node);
	if (!text)
		return dvmi_error_nomem(r->err);
	ret = dvm_model_parse(kind, r->name, text, strlen(text), &model, r->err);
	cJSON_free(text);
	if (!ret && dvm_model_hash(model, &hash))
		ret = dvmi_error_nomem(r->err);
	if (!ret)
		ret = check_hash(at, hash, "model", r->err);
	if (ret)
		dvm_model_free(model);
	return ret ? ret : dvm_study_take_model(r->study, model, r->err);
}

static int read_hw(const struct reading *r, const struct dvmi_json_at *at)
{
	return read_model(r, at, DVM_MODEL_HW);
}

static int read_kernel(const struct reading *r, const struct dvmi_json_at *at)
{
	return read_model(r, at, DVM_MODEL_KERNEL);
}

static int read_strategy(const struct reading *r, const struct dvmi_json_at *at)
{
	struct dvm_strategy *strategy = NULL;
	const char *name, *text;
	int ret = need_string(at, "name", &name, r->err);

	if (!ret)
		ret = need_string(at, "text", &text, r->err);
	if (!ret)
		ret = dvm_strategy_parse(text, name, &strategy, r->err);
	if (!ret)
		ret = check_hash(at, dvm_strategy_hash(strategy), "strategy", r->err);
	if (ret)
		dvm_strategy_free(strategy);
	return ret ? ret : dvm_study_take_strategy(r->study, strategy, r->err);
}

static int read_workload(const struct reading *r, const struct dvmi_json_at *at)
{
	const struct dvm_study *s = r->study;
	struct dvmi_json_at child;
	bool generated = dvmi_json_find(at, "generator", &child);
	const char *source;
	int ret = need_string(at, generated ? "generator" : "trace", &source, r->err);

	if (ret)
		return ret;
	if (generated)
		ret = dvm_study_add_workload(r->study, source, r->err);
	else
		ret = dvm_study_add_trace(r->study, source, r->dir, r->err);
	if (ret)
		return ret;
	return check_hash(at, dvm_trace_hash(s->workloads[s->nworkloads - 1].traces[0]),
			  generated ? "generated workload" : "trace", r->err);
}

static int read_list(const struct reading *r, const struct dvmi_json_at *manifest, const char *key,
		     int (*read)(const struct reading *r, const struct dvmi_json_at *at))
{
	struct dvmi_json_at list, at;
	int ret = dvmi_json_need(manifest, key, &list, r->err);

	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, r->err);
	if (ret || !dvmi_json_first(&list, &at))
		return ret;
	do
		ret = read(r, &at);
	while (!ret && dvmi_json_next(&at));
	return ret;
}

static int read_schedule(const struct dvmi_json_at *options, unsigned *schedule,
			 struct dvm_error *err)
{
	const char *word;
	int ret = need_string(options, "schedule", &word, err);

	if (ret)
		return ret;
	*schedule = !strcmp(word, "simulated") ? DVM_SIM_SIMULATED : DVM_SIM_RECORDED;
	if (*schedule == DVM_SIM_RECORDED && strcmp(word, "recorded") != 0)
		return dvmi_json_fail(options, err, "schedule is \"recorded\" or \"simulated\"");
	return 0;
}

static int read_options(const struct dvmi_json_at *manifest, struct dvm_study_options *o,
			struct dvm_error *err)
{
	static const char *const words[] = { "signs", "off", "all" };
	struct dvmi_json_at at;
	uint64_t seeds = 0, copies = 0, cpu = 0;
	const char *word;
	int ret = need_string(manifest, "baseline", &o->baseline, err);

	if (!ret)
		ret = dvmi_json_need(manifest, "options", &at, err);
	if (!ret)
		ret = need_u64(&at, "seeds", 1000, &seeds, err);
	if (!ret)
		ret = need_u64(&at, "first_seed", DVMI_JSON_INT_MAX, &o->first_seed, err);
	if (!ret)
		ret = need_u64(&at, "copies", 65536, &copies, err);
	if (!ret)
		ret = read_schedule(&at, &o->schedule, err);
	if (!ret)
		ret = need_u64(&at, "forced_migrations_hz", 1000000, &o->forced_migrations_hz, err);
	if (!ret)
		ret = need_u64(&at, "offline_cpu", 65535, &cpu, err);
	if (!ret)
		ret = need_u64(&at, "offline_ps", DVMI_JSON_INT_MAX, &o->offline_ps, err);
	if (!ret)
		ret = need_u64(&at, "max_events", DVMI_JSON_INT_MAX, &o->max_events, err);
	if (!ret)
		ret = need_u64(&at, "sensitivity_budget", DVMI_JSON_INT_MAX, &o->budget, err);
	if (!ret)
		ret = need_string(&at, "sensitivity", &word, err);
	if (ret)
		return ret;
	o->seeds = (unsigned)seeds;
	o->copies = (unsigned)copies;
	o->offline_cpu = (unsigned)cpu;
	for (int i = 0; i < 3; i++) {
		if (!strcmp(word, words[i])) {
			o->sensitivity = i;
			return 0;
		}
	}
	return dvmi_json_fail(&at, err, "sensitivity is \"signs\", \"off\" or \"all\"");
}

static int read_manifest(const struct dvmi_json_at *root, struct reading *r,
			 struct dvm_study_options *options)
{
	struct dvmi_json_at at;
	const char *schema;
	int ret = need_string(root, "schema", &schema, r->err);

	if (!ret && strcmp(schema, SCHEMA) != 0)
		return dvmi_json_fail(root, r->err, "the schema is \"%s\", not \"" SCHEMA "\"",
				      schema);
	if (!ret)
		ret = dvmi_json_need(root, "manifest", &at, r->err);
	if (!ret)
		ret = read_options(&at, options, r->err);
	if (!ret)
		ret = dvm_study_new(options, &r->study, r->err);
	if (!ret)
		ret = read_list(r, &at, "hardware", read_hw);
	if (!ret)
		ret = read_list(r, &at, "kernels", read_kernel);
	if (!ret)
		ret = read_list(r, &at, "strategies", read_strategy);
	return ret ? ret : read_list(r, &at, "workloads", read_workload);
}

int dvm_study_from_json(const char *text, size_t size, const char *name, const char *dir,
			const struct dvm_study_options *options, struct dvm_study **study,
			struct dvm_error *err)
{
	struct dvm_study_options o = { .size = sizeof(o) };
	struct reading r = { .name = name, .dir = dir, .err = err };
	struct dvmi_json_at root;
	struct dvmi_json *doc;
	int ret = dvmi_json_parse(name, text, size, &doc, err);

	if (ret)
		return ret;
	if (options) {
		o.threads = options->threads;
		o.progress = options->progress;
		o.progress_arg = options->progress_arg;
	}
	root = dvmi_json_root(doc);
	ret = read_manifest(&root, &r, &o);
	dvmi_json_free(doc);
	if (ret)
		dvm_study_free(r.study);
	else
		*study = r.study;
	return ret;
}
