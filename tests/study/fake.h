/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_STUDY_FAKE_H
#define DVMSIM_TESTS_STUDY_FAKE_H

#include "study/study.h"

/*
 * A simulator whose results are known: the test says what a run gives, so that what a study makes of
 * it can be computed by hand.
 */
struct fake_result {
	int new_code, run_code; /* 0 or -DVM_E... */
	bool random;
	double per_second; /* of the only work kind, "jobs"; 0: the workload counts nothing */
	uint64_t elapsed_ps, cpus_used, idle_ps, run_ps;
	struct dvm_latency flush;
};

/* Called for every run, on any thread. */
extern struct fake_result (*fake_rule)(const struct dvm_sim_options *options);
extern const struct dvmi_engine fake_engine;

/* A model that ships, and a strategy with nothing in it but its name. */
struct dvm_model *fake_model(enum dvm_model_kind kind, const char *name);
struct dvm_strategy *fake_strategy(const char *name);
/* A study with the strategies named in @names (ends with NULL), one trace, generic-64, linux-7.1. */
struct dvm_study *fake_study(const struct dvm_study_options *options, const char *const *names);
/* The value of a parameter of the hardware model of a run. */
uint64_t fake_param(const struct dvm_sim_options *options, const char *path);

#endif
