/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include "base/json.h"

#include "study/study.h"

#include <dvmsim/scenario.h>

#include <string.h>

/*
 * What the checker says of each strategy of a comparison: no time is praised without it. Both
 * readings of a store-type DSB are checked, because that is what the strategies differ in.
 */

/*
 * States per test and per scenario: what ships needs fewer; a newcomer's program must not hold up a
 * report. Counted, not timed: the same report on every machine.
 */
#define STATES_MAX 1000000
#define STATES_TOTAL 4000000

static const char *const readings[] = { "cat", "prose" };
#define READINGS (sizeof(readings) / sizeof(readings[0]))

/* The scenarios with verdict @which, one bit each. */
struct verdicts {
	unsigned of[DVM_SCENARIO_NOT_APPLICABLE + 1], all;
};

/* Has one of the kernels that are compared this parameter at @value or above? */
static bool any_kernel(const struct dvm_study *study, const char *path, uint64_t value)
{
	for (size_t k = 0; k < study->nkernels; k++) {
		struct dvm_param p = { .size = sizeof(p) };

		if (!dvm_model_param_find(study->kernels[k], path, &p, NULL) && p.value >= value)
			return true;
	}
	return false;
}

/* Quick scenarios; those about a configuration only when it is among the compared ones. */
static bool wanted(const struct dvm_study *study, const struct dvm_strategy *s, unsigned scenario)
{
	const char *name = dvm_scenario_name(scenario);

	if (!strcmp(name, "quarantine") || !strcmp(name, "tickless"))
		return dvm_scenario_concerns(s, scenario);
	if (!study) /* which kernels there were is not known here */
		return dvm_scenario_quick(scenario);
	if (!strcmp(name, "kpti"))
		return any_kernel(study, "kpti", 1);
	if (!strcmp(name, "vm"))
		return any_kernel(study, "vm_fb", 1);
	if (!strcmp(name, "erratum"))
		return any_kernel(study, "repeat_tlbi", 2); /* "new" */
	return dvm_scenario_quick(scenario);
}

static int check(const struct dvm_study *study, const struct dvm_strategy *s, size_t reading,
		 struct verdicts *v)
{
	struct dvm_check_options o = { .size = sizeof(o),
				       .max_states = STATES_MAX,
				       .total_states = STATES_TOTAL,
				       .first_unsafe = 1 };
	struct dvm_scenario_result *result;
	int rule = dvm_check_rule_find("dsb-st-read"), ret = 0;

	*v = (struct verdicts){ .all = 0 };
	if (reading && rule >= 0)
		o.without = UINT64_C(1) << rule;
	for (unsigned i = 0; i < dvm_scenarios() && !ret; i++) {
		if (!wanted(study, s, i))
			continue;
		v->all |= 1u << i;
		ret = dvm_scenario_check(s, i, &o, &result, NULL);
		if (ret)
			break;
		v->of[dvm_scenario_verdict(result)] |= 1u << i;
		dvm_scenario_free(result);
	}
	return ret;
}

static void put_scenarios(struct dvmi_buf *out, unsigned which, unsigned all)
{
	const char *sep = " in ";

	if (which == all) {
		dvmi_buf_puts(out, " in every scenario");
		return;
	}
	for (unsigned i = 0; i < dvm_scenarios(); i++) {
		if (!(which >> i & 1))
			continue;
		dvmi_buf_printf(out, "%s%s", sep, dvm_scenario_name(i));
		sep = ", ";
	}
}

static void put_verdicts(struct dvmi_buf *out, const struct verdicts *v)
{
	unsigned unknown = v->of[DVM_SCENARIO_INCONCLUSIVE] | v->of[DVM_SCENARIO_UNSUPPORTED];

	if (v->of[DVM_SCENARIO_UNSAFE]) {
		dvmi_buf_puts(out, "UNSAFE");
		put_scenarios(out, v->of[DVM_SCENARIO_UNSAFE], v->all);
	} else if (!unknown) {
		dvmi_buf_puts(out, "SAFE");
	}
	if (unknown) {
		dvmi_buf_puts(out, v->of[DVM_SCENARIO_UNSAFE] ? "; not known" : "not known");
		put_scenarios(out, unknown, v->all);
	}
}

static void put_words(struct dvmi_buf *out, const struct dvm_study *study,
		      const struct dvm_strategy *s)
{
	struct verdicts v[READINGS];

	for (size_t r = 0; r < READINGS; r++) {
		if (check(study, s, r, &v[r])) {
			out->failed = 1;
			return;
		}
	}
	if (!memcmp(&v[0], &v[1], sizeof(v[0]))) {
		put_verdicts(out, &v[0]);
		return;
	}
	for (size_t r = 0; r < READINGS; r++) {
		dvmi_buf_printf(out, "%s%s: ", r ? "; " : "", readings[r]);
		put_verdicts(out, &v[r]);
	}
}

static void put_strategy(struct dvmi_buf *out, const struct dvm_study *study,
			 const struct dvm_strategy *s)
{
	dvmi_buf_printf(out, "  %-24s  ", dvm_strategy_name(s));
	put_words(out, study, s);
	dvmi_buf_puts(out, "\n");
}

/* ---- the same, as JSON ---- */

static void write_reading(struct dvmi_jw *w, const char *reading, const struct verdicts *v)
{
	dvmi_jw_object(w, reading);
	for (unsigned i = 0; i < dvm_scenarios(); i++)
		for (unsigned k = 0; k <= DVM_SCENARIO_NOT_APPLICABLE; k++)
			if (v->of[k] >> i & 1)
				dvmi_jw_string(w, dvm_scenario_name(i),
					       dvm_scenario_verdict_name(
						       (enum dvm_scenario_verdict)k));
	dvmi_jw_end_object(w);
}

int dvmi_report_safety_json(struct dvmi_jw *w, const struct dvm_study *s)
{
	int ret = 0;

	dvmi_jw_array(w, "safety");
	for (size_t i = 0; i < s->nstrategies && !ret; i++) {
		struct verdicts v[READINGS];

		for (size_t r = 0; r < READINGS && !ret; r++)
			ret = check(s, s->strategies[i], r, &v[r]);
		if (ret)
			break;
		dvmi_jw_object(w, NULL);
		dvmi_jw_string(w, "strategy", dvm_strategy_name(s->strategies[i]));
		for (size_t r = 0; r < READINGS; r++)
			write_reading(w, readings[r], &v[r]);
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
	return ret;
}

void dvmi_report_safety_words(struct dvmi_buf *out, const struct dvm_strategy *s)
{
	put_words(out, NULL, s);
}

void dvmi_report_safety(struct dvmi_buf *out, const struct dvm_study *s)
{
	dvmi_buf_puts(out, "Checker ('dvmsim check', docs/checker-scenarios.md); DSB ST is read as in"
			   " Arm's cat model and as\nin the instruction's prose, which are named"
			   " where they differ:\n");
	for (size_t i = 0; i < s->nstrategies && !out->failed; i++)
		put_strategy(out, s, s->strategies[i]);
}
