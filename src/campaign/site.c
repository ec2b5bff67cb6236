/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/hash.h"
#include "base/mem.h"
#include "model/params.h"
#include "study/study.h"

#include <dvmsim/version.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int dvmi_site_add(struct dvm_campaign *c, const struct dvmi_site *like, char *workload)
{
	if (!workload || c->nsites == DVMI_CAMPAIGN_SITES_MAX ||
	    dvmi_grow((void **)&c->sites, &c->capacity, c->nsites + 1, sizeof(*c->sites))) {
		dvmi_free(workload);
		return c->nsites == DVMI_CAMPAIGN_SITES_MAX ? -DVM_ELIMIT : -DVM_ENOMEM;
	}
	c->sites[c->nsites] = *like;
	c->sites[c->nsites].workload = workload;
	c->sites[c->nsites].result = (struct dvmi_site_result){ 0 };
	c->nsites++;
	return 0;
}

void dvmi_site_fini(struct dvmi_site *site)
{
	dvmi_result_fini(&site->result);
	dvmi_free(site->workload);
}

static void part(struct dvmi_buf *out, const char *separator, const char *text)
{
	if (text && *text)
		dvmi_buf_printf(out, "%s%s", separator, text);
}

void dvmi_site_label(const struct dvm_campaign *c, const struct dvmi_site *site,
		     struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[site->question];

	part(out, "", strncmp(site->workload, "trace:", 6) ? site->workload : site->workload + 6);
	part(out, " on ", q->hw.names[site->hw]);
	part(out, ", ", q->kernels.names[site->kernel]);
	part(out, ", ", q->environments[site->environment].name);
	if (q->cpus)
		dvmi_buf_printf(out, ", %" PRIu64 " CPUs", q->cpus[site->cpus]);
	if (q->migrate_hz)
		dvmi_buf_printf(out, ", moved %" PRIu64 " times/s", q->migrate_hz[site->migrate]);
	if (q->vary_path)
		dvmi_buf_printf(out, ", %s=%" PRIu64, q->vary_path, q->vary[site->vary]);
}

/* ---- models ---- */

static int apply(const struct dvmi_question *q, const struct dvmi_site *site, struct dvm_model *hw,
		 struct dvm_model *kernel, struct dvm_error *err)
{
	const struct dvmi_environment *env = &q->environments[site->environment];
	int ret = 0;

	for (size_t i = 0; i < env->count && !ret; i++)
		ret = dvm_model_set(env->settings[i].kernel ? kernel : hw, env->settings[i].path,
				    env->settings[i].value, err);
	if (!ret && q->vary_path)
		ret = dvm_model_set(q->vary_kernel ? kernel : hw, q->vary_path,
				    q->vary[site->vary], err);
	if (!ret && q->cpus && q->cpus[site->cpus])
		ret = dvm_model_set_cpus(hw, q->cpus[site->cpus], err);
	return ret;
}

int dvmi_site_models(const struct dvm_campaign *c, const struct dvmi_site *site,
		     struct dvm_model **hw, struct dvm_model **kernel, struct dvm_error *err)
{
	const struct dvmi_question *q = &c->questions[site->question];
	int ret;

	*hw = *kernel = NULL;
	ret = dvm_model_find(DVM_MODEL_HW, q->hw.names[site->hw], c->options.models, hw, err);
	if (!ret)
		ret = dvm_model_find(DVM_MODEL_KERNEL, q->kernels.names[site->kernel],
				     c->options.models, kernel, err);
	if (!ret)
		ret = apply(q, site, *hw, *kernel, err);
	if (ret) {
		dvm_model_free(*hw);
		dvm_model_free(*kernel);
	}
	return ret;
}

/* ---- the comparison of one site ---- */

static int add_strategies(const struct dvm_campaign *c, const struct dvmi_question *q,
			  struct dvm_study *study, struct dvm_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < q->strategies.count && !ret; i++) {
		struct dvm_strategy *strategy = NULL;
		const char *name = q->strategies.names[i];

		ret = dvm_strategy_find(name, c->options.strategies, &strategy, err);
		if (!ret)
			ret = dvm_study_take_strategy(study, strategy, err);
	}
	return ret;
}

static int add_workload(const struct dvm_campaign *c, const struct dvmi_site *site,
			struct dvm_study *study, struct dvm_error *err)
{
	if (!strncmp(site->workload, "trace:", 6))
		return dvm_study_add_trace(study, site->workload + 6, c->options.traces, err);
	return dvm_study_add_workload(study, site->workload, err);
}

static int build(const struct dvm_campaign *c, const struct dvmi_site *site,
		 struct dvm_study **out, struct dvm_error *err)
{
	const struct dvmi_question *q = &c->questions[site->question];
	struct dvm_study_options options = {
		.size = sizeof(options), .seeds = (unsigned)q->seeds, .first_seed = q->first_seed,
		.copies = (unsigned)q->copies, .sensitivity = q->sensitivity, .budget = q->budget,
		.baseline = q->baseline, .threads = 1, .schedule = (unsigned)q->schedule,
		.forced_migrations_hz = q->migrate_hz ? q->migrate_hz[site->migrate] : 0,
	};
	struct dvm_model *hw, *kernel;
	struct dvm_study *study = NULL;
	int ret = dvmi_site_models(c, site, &hw, &kernel, err);

	if (ret)
		return ret;
	ret = dvm_study_new(&options, &study, err);
	if (ret) {
		dvm_model_free(hw);
		dvm_model_free(kernel);
		return ret;
	}
	ret = dvm_study_take_model(study, hw, err);
	if (ret)
		dvm_model_free(kernel);
	else
		ret = dvm_study_take_model(study, kernel, err);
	if (!ret)
		ret = add_strategies(c, q, study, err);
	if (!ret)
		ret = add_workload(c, site, study, err);
	if (ret)
		dvm_study_free(study);
	else
		*out = study;
	return ret;
}

/* Everything that decides the result, in one number. */
static int key_of(const struct dvm_campaign *c, const struct dvmi_site *site,
		  const struct dvm_study *s, char key[17])
{
	const struct dvmi_question *q = &c->questions[site->question];
	uint64_t hash = dvmi_hash_bytes(DVMI_HASH_INIT, DVM_VERSION, sizeof(DVM_VERSION));
	uint64_t numbers[] = { q->seeds, q->first_seed, q->budget, q->copies,
			       (uint64_t)q->sensitivity, (uint64_t)q->schedule, 0, 0,
			       dvm_trace_hash(s->workloads[0].traces[0]),
			       s->options.forced_migrations_hz };

	if (dvm_model_hash(s->hw[0], &numbers[6]) || dvm_model_hash(s->kernels[0], &numbers[7]))
		return -DVM_ENOMEM;
	hash = dvmi_hash_bytes(hash, numbers, sizeof(numbers));
	hash = dvmi_hash_bytes(hash, q->baseline, strlen(q->baseline));
	for (size_t i = 0; i < s->nstrategies; i++) {
		uint64_t one = dvm_strategy_hash(s->strategies[i]);

		hash = dvmi_hash_bytes(hash, &one, sizeof(one));
	}
	snprintf(key, 17, "%016" PRIx64, hash);
	return 0;
}

/* ---- from the study to the site's result ---- */

static double share(uint64_t part_of, uint64_t whole)
{
	return whole ? (double)part_of / (double)whole : NAN;
}

static int take_outcome(const struct dvm_study *study, size_t cell, size_t metric,
			struct dvmi_outcome *o)
{
	struct dvm_metric m;
	double side;

	if (dvm_study_metric(study, cell, metric, &m))
		return -DVM_ENOMEM;
	side = m.higher_is_better ? 1 : -1;
	*o = (struct dvmi_outcome){
		.metric = dvmi_strdup(m.name), .unit = dvmi_strdup(m.unit),
		.higher_is_better = m.higher_is_better, .mean = m.n ? m.mean : NAN,
		.unstable = m.unstable, .n = m.n,
		.change_pct = side * m.change_pct + 0.0, .ci95_pct = m.change_ci95,
		.verdict = m.verdict, .examined = m.ranges.examined, .holds = m.ranges.holds,
		.params = m.ranges.params,
	};
	if (!o->metric || !o->unit)
		return -DVM_ENOMEM;
	o->lo_pct = (side > 0 ? m.ranges.lo_pct : -m.ranges.hi_pct) + 0.0;
	o->hi_pct = (side > 0 ? m.ranges.hi_pct : -m.ranges.lo_pct) + 0.0;
	/*
	 * One run that a scheduler placed, and no ranges to move it: a move of one task to another CPU
	 * makes a change of either sign. Its sign says nothing.
	 */
	if (study->options.schedule == DVM_SIM_SIMULATED && !o->examined && o->n == 1 &&
	    (o->verdict == DVM_VERDICT_IMPROVED || o->verdict == DVM_VERDICT_REGRESSED))
		o->verdict = DVM_VERDICT_UNDECIDED;
	return o->examined && !o->holds ? dvmi_flip_find(study, cell, metric, o) : 0;
}

static int take_strategy(const struct dvm_study *study, size_t cell, struct dvmi_strategy_result *r)
{
	struct dvm_cell c;
	int ret = 0;

	dvm_study_cell(study, cell, &c);
	r->status = c.status;
	r->local_share = r->one_cpu_share = NAN;
	if (c.message) {
		r->message = dvmi_strdup(c.message);
		if (!r->message)
			return -DVM_ENOMEM;
	}
	if (c.stats) {
		r->local_share = share(c.stats->flushes_local, c.stats->flushes);
		r->one_cpu_share = share(c.stats->flushes_one_cpu, c.stats->flushes);
		r->flush_p99_ps = c.stats->flush.p99_ps;
		r->flush_max_ps = c.stats->flush.max_ps;
		r->unpreemptible_max_ps = c.stats->no_preemption.length.max_ps;
		r->interrupts_off_max_ps = c.stats->no_interrupts.length.max_ps;
		r->run_ps = c.stats->run_ps;
		r->flush_ps = c.stats->flush_ps;
		r->switch_ps = c.stats->switch_ps;
		r->bystander_ps = c.stats->bystander_ps;
		r->refill_ps = c.stats->refill_ps;
		r->interrupt_ps = c.stats->interrupt_ps;
		r->elapsed_ps = c.stats->elapsed_ps;
		r->dvm_nonsyncs = c.stats->dvm_nonsyncs;
		r->dvm_syncs = c.stats->dvm_syncs;
	}
	r->outcomes = dvmi_calloc(c.primary, sizeof(*r->outcomes));
	if (!r->outcomes)
		return -DVM_ENOMEM;
	for (size_t m = 0; m < c.primary && !ret; m++)
		ret = take_outcome(study, cell, m, &r->outcomes[r->count++]);
	return ret;
}

static int take_study(const struct dvm_study *study, struct dvmi_site_result *r)
{
	size_t n = dvm_study_cell_count(study);
	int ret = 0;

	r->strategies = dvmi_calloc(n, sizeof(*r->strategies));
	if (!r->strategies)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < n && !ret; i++)
		ret = take_strategy(study, i, &r->strategies[r->count++]);
	return ret;
}

/* A workload that does not fit a part is an answer; a broken file is not. */
static int compute(struct dvm_study *study, char **text, struct dvm_error *err)
{
	struct dvmi_site_result r = { 0 };
	struct dvm_error local = { 0 };
	int ret = dvm_study_run(study, &local);

	if (!ret) {
		ret = take_study(study, &r);
	} else if (ret == -DVM_EINVAL || ret == -DVM_ELIMIT) {
		r.error = dvmi_strdup(local.text);
		ret = r.error ? 0 : -DVM_ENOMEM;
	} else if (ret != -DVM_ENOMEM) {
		if (err)
			*err = local;
		dvmi_result_fini(&r);
		return ret;
	}
	if (!ret && dvmi_result_write(&r, text))
		ret = -DVM_ENOMEM;
	dvmi_result_fini(&r);
	return ret == -DVM_ENOMEM ? dvmi_error_nomem(err) : ret;
}

static int from_store(struct dvm_campaign *c, struct dvmi_site *site, const char *key)
{
	char *kept = c->options.lookup ? c->options.lookup(c->options.arg, key) : NULL;
	int ret = kept ? dvmi_result_read(kept, &site->result, NULL) : -DVM_ENOENT;

	free(kept);
	return ret;
}

static void note_models(struct dvmi_site *site, const struct dvm_study *study)
{
	const struct dvmi_kernel_cfg *kernel = dvmi_model_kernel(study->kernels[0]);

	site->ncpus = dvmi_hw_cpus(dvmi_model_hw(study->hw[0]));
	site->preempt = kernel->preempt;
	site->vm = kernel->vm;
	site->vm_fb = kernel->vm_fb != 0;
}

int dvmi_site_run(struct dvm_campaign *c, struct dvmi_site *site, struct dvm_error *err)
{
	struct dvm_study *study = NULL;
	char key[17], *text = NULL;
	int ret = build(c, site, &study, err);

	if (ret)
		return ret;
	note_models(site, study);
	if (key_of(c, site, study, key))
		ret = dvmi_error_nomem(err);
	if (!ret && from_store(c, site, key)) {
		ret = compute(study, &text, err);
		/* Read back, so that a fresh result and a kept one are the same. */
		if (!ret)
			ret = dvmi_result_read(text, &site->result, err);
		if (!ret && c->options.keep && c->options.keep(c->options.arg, key, text))
			ret = dvmi_error(err, DVM_EBUDGET, "study",
					 "stopped: a result could not be kept");
		dvmi_free(text);
	}
	dvm_study_free(study);
	return ret;
}
