/* SPDX-License-Identifier: MIT */
#include "study/study.h"

#include "base/error.h"
#include "base/mem.h"

void dvmi_run_fini(struct dvmi_run *run)
{
	dvmi_free(run->message);
	for (size_t i = 0; i < run->nwork; i++)
		dvmi_free((void *)(uintptr_t)run->work[i].name);
	for (size_t i = 0; run->unit_names && i < run->nwork; i++)
		for (size_t q = 0; q < DVMI_UNIT_METRICS; q++)
			dvmi_free(run->unit_names[i][q]);
	dvmi_free(run->unit_names);
	dvmi_free(run->work);
	for (size_t i = 0; i < run->nsteps; i++) {
		dvmi_free((void *)(uintptr_t)run->steps[i].hook);
		dvmi_free((void *)(uintptr_t)run->steps[i].text);
	}
	dvmi_free(run->steps);
	*run = (struct dvmi_run){ 0 };
}

static int copy_work(const struct dvmi_engine *e, const struct dvm_sim *sim, struct dvmi_run *run)
{
	struct dvm_work work;
	size_t capacity = 0;

	for (size_t i = 0; !e->work(sim, i, &work); i++) {
		if (!work.count)
			continue; /* the trace could count it, but it never happened */
		if (dvmi_grow((void **)&run->work, &capacity, run->nwork + 1, sizeof(work)))
			return -DVM_ENOMEM;
		work.name = dvmi_strdup(work.name);
		if (!work.name)
			return -DVM_ENOMEM;
		run->work[run->nwork++] = work;
	}
	return dvmi_metric_names(run);
}

static int copy_steps(const struct dvmi_engine *e, const struct dvm_sim *sim, struct dvmi_run *run)
{
	struct dvm_step step;
	size_t capacity = 0;

	while (!e->step(sim, run->nsteps, &step)) {
		if (dvmi_grow((void **)&run->steps, &capacity, run->nsteps + 1, sizeof(step)))
			return -DVM_ENOMEM;
		step.hook = dvmi_strdup(step.hook);
		step.text = dvmi_strdup(step.text);
		run->steps[run->nsteps++] = step; /* so that fini frees whichever was made */
		if (!step.hook || !step.text)
			return -DVM_ENOMEM;
	}
	return 0;
}

/* A failure that belongs to the cell, not to the study: what the cell then says. */
static bool status_of(int code, bool created, int *status)
{
	if (code == -DVM_EUNSAFE)
		*status = DVM_RUN_STALE;
	else if (code == -DVM_EBUDGET)
		*status = DVM_RUN_UNFINISHED;
	else if (!created && (code == -DVM_EINVAL || code == -DVM_ELIMIT))
		*status = DVM_RUN_IMPOSSIBLE;
	else
		return false;
	return true;
}

int dvmi_run_one(const struct dvm_study *s, const struct dvmi_job *job, struct dvmi_run *run,
		 struct dvm_error *err)
{
	struct dvm_sim_options options = {
		.size = sizeof(options),
		.hw = job->hw,
		.kernel = job->kernel,
		.strategy = job->strategy,
		.trace = job->trace,
		.copies = job->copies ? job->copies : s->options.copies,
		.seed = job->seed,
		.schedule = s->options.schedule,
		.offline_cpu = s->options.offline_cpu,
		.offline_ps = s->options.offline_ps,
		.forced_migrations_hz = s->options.forced_migrations_hz,
		.max_events = s->options.max_events,
		.observer = s->options.observer,
		.observer_arg = s->options.observer_arg,
	};
	const struct dvmi_engine *e = s->engine;
	struct dvm_error why = { 0 };
	struct dvm_sim *sim = NULL;
	bool created;
	int ret;

	*run = (struct dvmi_run){ 0 };
	ret = e->new(&options, &sim, &why);
	created = !ret;
	if (created) {
		ret = e->run(sim, &why);
		run->random = e->is_random(sim);
		run->stats = *e->stats(sim);
	}
	if (ret && status_of(ret, created, &run->status)) {
		run->message = dvmi_strdup(why.text);
		ret = run->message ? 0 : -DVM_ENOMEM;
	}
	if (!ret && created)
		ret = copy_work(e, sim, run);
	if (!ret && created && job->keep_steps)
		ret = copy_steps(e, sim, run);
	e->free(sim);
	run->done = !ret;
	if (!ret)
		return 0;
	dvmi_run_fini(run);
	if (ret == -DVM_ENOMEM)
		return dvmi_error_nomem(err);
	if (err)
		*err = why;
	return ret;
}
