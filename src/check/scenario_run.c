/* SPDX-License-Identifier: MIT */
/* Running the tests of a scenario through the litmus front end, and what they showed. */
#include "check/scenario.h"

#include "base/error.h"
#include "base/mem.h"
#include "check/origin.h"
#include "program/strategy.h"

#include <stdio.h>
#include <string.h>

struct one {
	char name[96], what[DVMI_SCN_WHY], why[DVMI_SCN_WHY];
	char *text;
	struct dvmi_origins *origins; /* of an UNSAFE test's lines */
	enum dvm_scenario_verdict verdict;
	unsigned rules; /* that its stale uses break */
};

struct dvm_scenario_result {
	struct one *tests;
	size_t count, capacity, worst;
	enum dvm_scenario_verdict verdict;
	bool spent;
	const char *reason; /* NOT_APPLICABLE: why; INCONCLUSIVE: why tests are missing */
	uint64_t states;
	struct dvm_check_options options;
};

unsigned dvm_scenarios(void)
{
	return dvmi_scn_count();
}

const char *dvm_scenario_name(unsigned index)
{
	return index < dvmi_scn_count() ? dvmi_scn_info[index].name : NULL;
}

const char *dvm_scenario_text(unsigned index)
{
	return index < dvmi_scn_count() ? dvmi_scn_info[index].text : NULL;
}

int dvm_scenario_quick(unsigned index)
{
	return index < dvmi_scn_count() && dvmi_scn_info[index].quick;
}

int dvm_scenario_concerns(const struct dvm_strategy *s, unsigned index)
{
	static const char *const names[] = {"quarantine", "tickless"};
	const char *name = dvm_scenario_name(index);

	for (unsigned i = 0; i < 2 && name && !dvmi_strategy_program(s)->quarantine; i++)
		if (!strcmp(name, names[i]))
			return 0;
	return name != NULL;
}

const char *dvm_scenario_verdict_name(enum dvm_scenario_verdict verdict)
{
	static const char *const names[] = {"SAFE", "UNSAFE", "INCONCLUSIVE", "UNSUPPORTED",
					    "n/a"};

	return names[verdict];
}

/* The first final state that satisfies the condition. */
static void stale_state(struct one *one, const struct dvm_litmus_result *res,
			const struct dvmi_scn_test *t)
{
	const char *line;

	for (size_t i = 0; (line = dvm_litmus_outcome(res, i)); i++)
		if (strstr(line, t->mark[0]) && strstr(line, t->mark[1])) {
			snprintf(one->why, sizeof(one->why), "%s: final state %s", t->harm, line);
			return;
		}
}

/* Executions that the search left out make a verdict of "never" worthless. */
static int judge(struct one *one, const struct dvm_litmus_result *res,
		 const struct dvmi_scn_test *t)
{
	char *text;

	one->verdict = DVM_SCENARIO_SAFE;
	switch (dvm_litmus_verdict(res)) {
	case DVM_CHECK_INCONCLUSIVE:
		one->verdict = DVM_SCENARIO_INCONCLUSIVE;
		snprintf(one->why, sizeof(one->why), "a limit ended the search");
		return 0;
	case DVM_CHECK_NEVER:
		break;
	default:
		one->verdict = DVM_SCENARIO_UNSAFE;
		stale_state(one, res, t);
		return 0;
	}
	if (dvm_litmus_result_text(res, &text))
		return -DVM_ENOMEM;
	if (strstr(text, "Loops-cut-short")) {
		one->verdict = DVM_SCENARIO_INCONCLUSIVE;
		snprintf(one->why, sizeof(one->why),
			 "a loop was followed to the unroll limit only");
	}
	dvm_free(text);
	return 0;
}

static int explore(struct one *one, const struct dvmi_scn_test *t,
		   const struct dvm_check_options *o, uint64_t *states, struct dvm_error *err)
{
	struct dvm_litmus_result *res;
	struct dvm_litmus *test;
	struct dvm_error why;
	int rc;

	rc = dvm_litmus_parse(one->name, one->text, strlen(one->text), &test, &why);
	if (!rc) {
		rc = dvm_litmus_run(test, o, &res, &why);
		dvm_litmus_free(test);
	}
	if (rc == -DVM_EFORMAT || rc == -DVM_ELIMIT) { /* more than the front end takes */
		char text[512];

		dvm_error_format(&why, text, sizeof(text));
		one->verdict = DVM_SCENARIO_UNSUPPORTED;
		snprintf(one->why, sizeof(one->why), "%.230s", text);
		return 0;
	}
	if (rc) {
		if (err)
			*err = why;
		return rc;
	}
	rc = judge(one, res, t);
	*states += dvm_litmus_states(res);
	dvm_litmus_result_free(res);
	return rc ? dvmi_error_nomem(err) : 0;
}

/* Where an UNSAFE test's lines come from, and all safety rules that its stale uses break. */
static int what_broke(struct one *one, const struct dvmi_scn_test *t,
		      const struct dvm_check_options *o)
{
	struct dvm_litmus *test;
	int rc;

	if (dvmi_scn_origins(t, &one->origins))
		return -DVM_ENOMEM;
	if (o->first_unsafe)
		return 0;
	rc = dvm_litmus_parse(one->name, one->text, strlen(one->text), &test, NULL);
	if (!rc) {
		rc = dvmi_witness_rules(test, one->origins, o, &one->rules);
		dvm_litmus_free(test);
	}
	return rc;
}

static int add(struct dvm_scenario_result *r, const struct dvmi_scn_test *t,
	       const struct dvm_check_options *o, struct dvm_error *err)
{
	struct one *one;
	int rc;

	if (dvmi_grow((void **)&r->tests, &r->capacity, r->count + 1, sizeof(*r->tests)))
		return dvmi_error_nomem(err);
	one = &r->tests[r->count];
	memset(one, 0, sizeof(*one));
	snprintf(one->name, sizeof(one->name), "%s", t->name);
	snprintf(one->what, sizeof(one->what), "%s", t->what);
	if (t->why[0]) {
		one->verdict = DVM_SCENARIO_UNSUPPORTED;
		snprintf(one->why, sizeof(one->why), "%s", t->why);
	} else {
		rc = dvmi_scn_text(t, &one->text);
		if (rc)
			return dvmi_error_nomem(err);
		rc = explore(one, t, o, &r->states, err);
		if (!rc && one->verdict == DVM_SCENARIO_UNSAFE && what_broke(one, t, o))
			rc = dvmi_error_nomem(err);
		if (rc) {
			dvmi_free(one->origins);
			dvmi_free(one->text);
			return rc;
		}
	}
	r->count++;
	return 0;
}

/* UNSAFE was shown; UNSUPPORTED and INCONCLUSIVE say that nobody knows; else SAFE. */
static void conclude(struct dvm_scenario_result *r)
{
	static const int rank[] = {[DVM_SCENARIO_SAFE] = 0,
				   [DVM_SCENARIO_INCONCLUSIVE] = 1,
				   [DVM_SCENARIO_UNSUPPORTED] = 2,
				   [DVM_SCENARIO_UNSAFE] = 3};

	/* Nothing explored is nothing shown. */
	r->verdict = r->count ? DVM_SCENARIO_SAFE : DVM_SCENARIO_INCONCLUSIVE;
	if (r->reason)
		r->verdict = DVM_SCENARIO_NOT_APPLICABLE;
	for (size_t i = 0; i < r->count; i++)
		if (rank[r->tests[i].verdict] > rank[r->verdict]) {
			r->verdict = r->tests[i].verdict;
			r->worst = i;
		}
	if (r->spent && r->verdict == DVM_SCENARIO_SAFE) {
		r->verdict = DVM_SCENARIO_INCONCLUSIVE;
		r->reason = "a limit ended the check between two tests: those explored show no stale "
			    "use, the others are missing";
	}
}

struct making {
	struct dvm_scenario_result *r;
	const struct dvm_check_options *o;
	struct dvm_error *err;
};

enum { ENOUGH = 1 }; /* of emit: no further test is needed */

static int emit(void *arg, const struct dvmi_scn_test *t)
{
	struct making *m = arg;
	const struct one *last;
	int rc = add(m->r, t, m->o, m->err);

	if (rc)
		return rc;
	last = &m->r->tests[m->r->count - 1];
	/* The reason why it can not be translated is the same in all other tests. */
	if (t->why[0] || (m->o->first_unsafe && last->verdict == DVM_SCENARIO_UNSAFE))
		return ENOUGH;
	if (m->o->stop && m->o->stop(m->o->stop_arg))
		m->r->spent = true;
	if (m->o->total_states && m->r->states >= m->o->total_states)
		m->r->spent = true;
	return m->r->spent ? ENOUGH : 0;
}

static int all_tests(struct dvm_scenario_result *r, const struct dvmi_program *p, unsigned scenario,
		     const struct dvm_check_options *o, struct dvm_error *err)
{
	struct dvmi_scn_choice choice = {.preempt = o->preempt, .env = o->env};
	struct dvmi_scn_test *t = dvmi_alloc(sizeof(*t));
	struct making m = {.r = r, .o = o, .err = err};
	const char *why = NULL;
	int rc;

	if (!t)
		return dvmi_error_nomem(err);
	rc = dvmi_scn_make(p, scenario, &choice, t, emit, &m, &why);
	dvmi_free(t);
	if (!r->count)
		r->reason = why;
	return rc == ENOUGH ? 0 : rc;
}

int dvm_scenario_check(const struct dvm_strategy *s, unsigned scenario,
		       const struct dvm_check_options *options, struct dvm_scenario_result **result,
		       struct dvm_error *err)
{
	struct dvm_check_options o = {.size = sizeof(o)};
	struct dvm_scenario_result *r;
	int rc;

	if (scenario >= dvmi_scn_count())
		return dvmi_error(err, DVM_EINVAL, dvm_strategy_name(s), "there is no scenario %u",
				  scenario);
	if (options && options->size < sizeof(o))
		return dvmi_error(err, DVM_EINVAL, dvm_strategy_name(s),
				  "struct dvm_check_options: set size");
	if (options && (options->preempt > DVM_PREEMPT_NONE || options->env > 127))
		return dvmi_error(err, DVM_EINVAL, dvm_strategy_name(s),
				  "struct dvm_check_options: unknown preempt or env");
	if (options)
		o = *options;
	o.dsb_domain = 1;
	r = dvmi_zalloc(sizeof(*r));
	if (!r)
		return dvmi_error_nomem(err);
	r->options = o;
	rc = all_tests(r, dvmi_strategy_program(s), scenario, &o, err);
	if (rc) {
		dvm_scenario_free(r);
		return rc;
	}
	conclude(r);
	*result = r;
	return 0;
}

void dvm_scenario_free(struct dvm_scenario_result *result)
{
	if (!result)
		return;
	for (size_t i = 0; i < result->count; i++) {
		dvmi_free(result->tests[i].text);
		dvmi_free(result->tests[i].origins);
	}
	dvmi_free(result->tests);
	dvmi_free(result);
}

const struct dvmi_origins *dvmi_scenario_origins(const struct dvm_scenario_result *r, size_t index,
						 struct dvm_check_options *options)
{
	*options = r->options;
	return index < r->count ? r->tests[index].origins : NULL;
}

enum dvm_scenario_verdict dvm_scenario_verdict(const struct dvm_scenario_result *result)
{
	return result->verdict;
}

const char *dvm_scenario_reason(const struct dvm_scenario_result *result)
{
	return result->reason;
}

uint64_t dvm_scenario_states(const struct dvm_scenario_result *result)
{
	return result->states;
}

size_t dvm_scenario_tests(const struct dvm_scenario_result *result)
{
	return result->count;
}

size_t dvm_scenario_worst(const struct dvm_scenario_result *result)
{
	return result->worst;
}

const char *dvm_scenario_test_name(const struct dvm_scenario_result *r, size_t index)
{
	return index < r->count ? r->tests[index].name : NULL;
}

const char *dvm_scenario_test_what(const struct dvm_scenario_result *r, size_t index)
{
	return index < r->count ? r->tests[index].what : NULL;
}

const char *dvm_scenario_test_text(const struct dvm_scenario_result *r, size_t index)
{
	if (index >= r->count)
		return NULL;
	return r->tests[index].text ? r->tests[index].text : "";
}

enum dvm_scenario_verdict dvm_scenario_test_verdict(const struct dvm_scenario_result *r,
						    size_t index)
{
	return index < r->count ? r->tests[index].verdict : DVM_SCENARIO_UNSUPPORTED;
}

unsigned dvm_scenario_test_rules(const struct dvm_scenario_result *r, size_t index)
{
	return index < r->count ? r->tests[index].rules : 0;
}

const char *dvm_scenario_test_why(const struct dvm_scenario_result *r, size_t index)
{
	return index < r->count ? r->tests[index].why : NULL;
}
