/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_MAX 1000
#define AXIS_MAX 256 /* entries of one axis; the product of four and the seeds stays far from overflow */

static void workload_fini(struct dvmi_workload *w, size_t seeds)
{
	for (size_t i = 0; w->traces && i < seeds; i++)
		if (i == 0 || w->traces[i] != w->traces[0])
			dvm_trace_free(w->traces[i]);
	dvmi_free(w->traces);
	dvmi_free(w->source);
	dvmi_free(w->label);
}

void dvm_study_free(struct dvm_study *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->runs && i < dvmi_study_cells(s) * s->options.seeds; i++)
		dvmi_run_fini(&s->runs[i]);
	dvmi_free(s->runs);
	dvmi_spreads_free(s);
	dvmi_boxes_free(s);
	for (size_t i = 0; i < s->nworkloads; i++)
		workload_fini(&s->workloads[i], s->options.seeds);
	for (size_t i = 0; i < s->nhw; i++)
		dvm_model_free(s->hw[i]);
	for (size_t i = 0; i < s->nkernels; i++)
		dvm_model_free(s->kernels[i]);
	for (size_t i = 0; i < s->nstrategies; i++)
		dvm_strategy_free(s->strategies[i]);
	dvmi_free(s->workloads);
	dvmi_free(s->hw);
	dvmi_free(s->kernels);
	dvmi_free(s->strategies);
	dvmi_free((void *)(uintptr_t)s->options.baseline);
	dvmi_free(s);
}

static unsigned host_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static int set_options(struct dvm_study *s, const struct dvm_study_options *options)
{
	struct dvm_study_options *o = &s->options;

	if (options)
		memcpy(o, options, options->size < sizeof(*o) ? options->size : sizeof(*o));
	o->size = sizeof(*o);
	o->seeds = o->seeds ? o->seeds : 5;
	o->first_seed = o->first_seed ? o->first_seed : 1;
	o->budget = o->budget ? o->budget : UINT64_C(20000000);
	if (o->observer)
		o->threads = 1; /* it is told of events in order */
	o->threads = o->threads ? o->threads : host_cpus();
	if (!o->baseline)
		return 0;
	o->baseline = dvmi_strdup(o->baseline);
	return o->baseline ? 0 : -DVM_ENOMEM;
}

int dvm_study_new(const struct dvm_study_options *options, struct dvm_study **study,
		  struct dvm_error *err)
{
	struct dvm_study *s;

	if (options && (options->seeds > SEEDS_MAX || options->sensitivity < DVM_SENSITIVITY_SIGNS ||
			options->sensitivity > DVM_SENSITIVITY_ALL))
		return dvmi_error(err, DVM_EINVAL, "study", "an option is out of its range");
	s = dvmi_zalloc(sizeof(*s));
	if (!s)
		return dvmi_error_nomem(err);
	s->engine = &dvmi_engine_sim;
	if (set_options(s, options)) {
		dvm_study_free(s);
		return dvmi_error_nomem(err);
	}
	*study = s;
	return 0;
}

static int given_twice(struct dvm_error *err, const char *what, const char *name)
{
	return dvmi_error(err, DVM_EINVAL, name, "this %s is given twice", what);
}

int dvm_study_take_model(struct dvm_study *s, struct dvm_model *model, struct dvm_error *err)
{
	bool hw = dvm_model_kind(model) == DVM_MODEL_HW;
	struct dvm_model ***list = hw ? &s->hw : &s->kernels;
	size_t *count = hw ? &s->nhw : &s->nkernels;
	size_t *capacity = hw ? &s->cap_hw : &s->cap_kernels;
	int ret = 0;

	for (size_t i = 0; i < *count && !ret; i++)
		if (!strcmp(dvm_model_name((*list)[i]), dvm_model_name(model)))
			ret = given_twice(err, hw ? "hardware model" : "kernel configuration",
					  dvm_model_name(model));
	if (!ret && *count >= AXIS_MAX)
		ret = dvmi_error(err, DVM_ELIMIT, "study", "more than %d models", AXIS_MAX);
	if (!ret && dvmi_grow((void **)list, capacity, *count + 1, sizeof(**list)))
		ret = dvmi_error_nomem(err);
	if (ret)
		dvm_model_free(model);
	else
		(*list)[(*count)++] = model;
	return ret;
}

int dvm_study_take_strategy(struct dvm_study *s, struct dvm_strategy *strategy,
			    struct dvm_error *err)
{
	const char *name = dvm_strategy_name(strategy);
	int ret = 0;

	for (size_t i = 0; i < s->nstrategies && !ret; i++)
		if (!strcmp(dvm_strategy_name(s->strategies[i]), name))
			ret = given_twice(err, "strategy", name);
	if (!ret && s->nstrategies >= AXIS_MAX)
		ret = dvmi_error(err, DVM_ELIMIT, "study", "more than %d strategies", AXIS_MAX);
	if (!ret && dvmi_grow((void **)&s->strategies, &s->cap_strategies, s->nstrategies + 1,
			      sizeof(*s->strategies)))
		ret = dvmi_error_nomem(err);
	if (ret)
		dvm_strategy_free(strategy);
	else
		s->strategies[s->nstrategies++] = strategy;
	return ret;
}

/* "path/redis.dvt" is "redis" in a table, unless that name is taken. */
static char *label_of(const struct dvm_study *s, const char *source, bool generated)
{
	const char *slash = generated ? NULL : strrchr(source, '/');
	char *label = dvmi_strdup(slash && slash[1] ? slash + 1 : source);
	size_t len;

	if (!label || generated)
		return label;
	len = strlen(label);
	if (len > 4 && !strcmp(label + len - 4, ".dvt"))
		label[len - 4] = '\0';
	for (size_t i = 0; i < s->nworkloads; i++) {
		if (strcmp(s->workloads[i].label, label) != 0)
			continue;
		dvmi_free(label);
		return dvmi_strdup(source);
	}
	return label;
}

/* Takes @traces (one per seed) in any case. */
static int add_workload(struct dvm_study *s, const char *source, bool generated,
			struct dvm_trace **traces, struct dvm_error *err)
{
	struct dvmi_workload w = { .generated = generated, .traces = traces };
	int ret = 0;

	for (size_t i = 0; i < s->nworkloads && !ret; i++)
		if (!strcmp(s->workloads[i].source, source))
			ret = given_twice(err, "workload", source);
	if (!ret && s->nworkloads >= AXIS_MAX)
		ret = dvmi_error(err, DVM_ELIMIT, "study", "more than %d workloads", AXIS_MAX);
	w.source = dvmi_strdup(source);
	w.label = label_of(s, source, generated);
	if (!ret && (!w.source || !w.label ||
		     dvmi_grow((void **)&s->workloads, &s->cap_workloads, s->nworkloads + 1,
			       sizeof(w))))
		ret = dvmi_error_nomem(err);
	w.random = s->options.seeds > 1 && traces[1] != traces[0];
	if (ret)
		workload_fini(&w, s->options.seeds);
	else
		s->workloads[s->nworkloads++] = w;
	return ret;
}

int dvm_study_take_trace(struct dvm_study *s, const char *name, struct dvm_trace *trace,
			 struct dvm_error *err)
{
	struct dvm_trace **traces = dvmi_calloc(s->options.seeds, sizeof(struct dvm_trace *));

	if (!traces) {
		dvm_trace_free(trace);
		return dvmi_error_nomem(err);
	}
	for (size_t i = 0; i < s->options.seeds; i++)
		traces[i] = trace;
	return add_workload(s, name, false, traces, err);
}

int dvm_study_add_trace(struct dvm_study *s, const char *name, const char *dir,
			struct dvm_error *err)
{
	size_t len = strlen(name);
	bool is_path = strchr(name, '/') || (len > 4 && !strcmp(name + len - 4, ".dvt"));
	struct dvm_trace *trace;
	char path[4096];
	int ret;

	if (snprintf(path, sizeof(path), is_path ? "%s" : "%s/%s.dvt", is_path ? name : dir, name) >=
	    (int)sizeof(path))
		return dvmi_error(err, DVM_EINVAL, "trace", "the name is too long");
	ret = dvm_trace_load(path, 0, &trace, err);
	return ret ? ret : dvm_study_take_trace(s, name, trace, err);
}

/* The header may say with which seed it was made; only what is replayed counts. */
static bool same_work(const struct dvm_trace *a, const struct dvm_trace *b)
{
	size_t na, nb;
	const void *ra = dvm_trace_records(a, &na), *rb = dvm_trace_records(b, &nb);

	if (na != nb || (na && memcmp(ra, rb, na * sizeof(struct dvm_trace_record)) != 0))
		return false;
	ra = dvm_trace_accesses(a, &na);
	rb = dvm_trace_accesses(b, &nb);
	return na == nb && (!na || !memcmp(ra, rb, na * sizeof(uint64_t)));
}

static int generate(const struct dvm_study *s, const char *spec, struct dvm_trace **traces,
		    struct dvm_error *err)
{
	bool random = true;
	int ret = 0;

	for (size_t i = 0; i < s->options.seeds && !ret; i++) {
		if (!random) {
			traces[i] = traces[0];
			continue;
		}
		ret = dvm_workload_generate(spec, s->options.first_seed + i, &traces[i], err);
		if (!ret && i == 1 && same_work(traces[0], traces[1])) {
			dvm_trace_free(traces[1]);
			traces[1] = traces[0];
			random = false;
		}
	}
	return ret;
}

int dvm_study_add_workload(struct dvm_study *s, const char *spec, struct dvm_error *err)
{
	struct dvm_trace **traces = dvmi_calloc(s->options.seeds, sizeof(struct dvm_trace *));
	struct dvmi_workload partial = { .traces = traces };
	int ret;

	if (!traces)
		return dvmi_error_nomem(err);
	ret = generate(s, spec, traces, err);
	if (!ret)
		return add_workload(s, spec, true, traces, err);
	workload_fini(&partial, s->options.seeds);
	return ret;
}
