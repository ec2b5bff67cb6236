/* SPDX-License-Identifier: MIT */
/* Several scenarios of one strategy on several threads: each is a search of its own. */
#include "base/error.h"
#include "base/mem.h"
#include "base/pool.h"

#include <dvmsim/scenario.h>

#include <string.h>
#include <time.h>

struct many {
	const struct dvm_strategy *s;
	const struct dvm_scenario_job *jobs;
	struct dvm_scenario_result **results;
	double *seconds;
	struct dvm_error *errors; /* one a job: threads do not share */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int job(void *arg, size_t i)
{
	struct many *m = arg;
	double start = now();
	struct dvm_check_options options = m->jobs[i].options;
	int rc;

	options.threads = 1; /* the scenarios share the threads; their tests are small */
	rc = dvm_scenario_check(m->s, m->jobs[i].scenario, &options, &m->results[i],
				&m->errors[i]);

	if (m->seconds)
		m->seconds[i] = now() - start;
	return rc;
}

int dvm_scenario_check_many(const struct dvm_strategy *s, const struct dvm_scenario_job *jobs,
			    size_t count, unsigned threads, struct dvm_scenario_result **results,
			    double *seconds, struct dvm_error *err)
{
	struct many m = {.s = s, .jobs = jobs, .results = results, .seconds = seconds};
	int rc;

	m.errors = dvmi_calloc(count ? count : 1, sizeof(*m.errors));
	if (!m.errors)
		return dvmi_error_nomem(err);
	memset(results, 0, count * sizeof(struct dvm_scenario_result *));
	rc = dvmi_pool_run(threads ? threads : 1, count, job, NULL, &m);
	for (size_t i = 0; i < count && rc; i++) {
		/* The least job that failed is the one whose code this is. */
		if (err && m.errors[i].code == -rc) {
			*err = m.errors[i];
			err = NULL;
		}
		dvm_scenario_free(results[i]);
		results[i] = NULL;
	}
	dvmi_free(m.errors);
	return rc;
}
