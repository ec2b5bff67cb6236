/* SPDX-License-Identifier: MIT */
/* Variants of a strategy in the same scenarios. */
#include "check/verdicts.h"

#include "base/error.h"

#include <string.h>

static int check_all(const struct dvmi_bench *b, const struct dvm_strategy *s,
		     struct dvm_scenario_result **results, struct dvm_error *err)
{
	struct dvm_scenario_job jobs[DVMI_VERDICTS_MAX];

	for (size_t i = 0; i < b->count; i++) {
		jobs[i].scenario = b->scenarios[i];
		jobs[i].options = b->options;
	}
	return dvm_scenario_check_many(s, jobs, b->count, b->options.threads, results, NULL, err);
}

int dvmi_bench_open(struct dvmi_bench *b, const struct dvm_strategy *s, const unsigned *scenarios,
		    size_t count, const struct dvm_check_options *options, struct dvm_error *err)
{
	int rc;

	memset(b, 0, sizeof(*b));
	if (!count || count > DVMI_VERDICTS_MAX)
		return dvmi_error(err, DVM_EINVAL, dvm_strategy_name(s),
				  "from 1 to %d scenarios can be checked", DVMI_VERDICTS_MAX);
	if (options && options->size != sizeof(*options))
		return dvmi_error(err, DVM_EINVAL, dvm_strategy_name(s),
				  "struct dvm_check_options: set size");
	b->scenarios = scenarios;
	b->count = count;
	b->options.size = sizeof(b->options);
	if (options)
		b->options = *options;
	b->options.first_unsafe = 1; /* the verdict is what is asked */
	rc = check_all(b, s, b->base, err);
	if (rc)
		b->count = 0;
	return rc;
}

void dvmi_bench_close(struct dvmi_bench *b)
{
	for (size_t i = 0; i < b->count; i++)
		dvm_scenario_free(b->base[i]);
	memset(b, 0, sizeof(*b));
}

static bool same_tests(const struct dvm_scenario_result *a, const struct dvm_scenario_result *b)
{
	if (dvm_scenario_tests(a) != dvm_scenario_tests(b))
		return false;
	for (size_t i = 0; i < dvm_scenario_tests(a); i++)
		if (strcmp(dvm_scenario_test_text(a, i), dvm_scenario_test_text(b, i)) != 0)
			return false;
	return true;
}

int dvmi_bench_check(const struct dvmi_bench *b, const struct dvm_strategy *s,
		     enum dvm_scenario_verdict *verdict, bool *same, struct dvm_error *err)
{
	struct dvm_scenario_result *results[DVMI_VERDICTS_MAX];
	int rc;

	*same = true;
	if (b->options.stop && b->options.stop(b->options.stop_arg))
		return dvmi_error(err, DVM_EBUDGET, dvm_strategy_name(s),
				  "stopped before every change was checked");
	rc = check_all(b, s, results, err);
	for (size_t i = 0; i < b->count && !rc; i++) {
		verdict[i] = dvm_scenario_verdict(results[i]);
		*same &= same_tests(results[i], b->base[i]);
		dvm_scenario_free(results[i]);
	}
	return rc;
}
