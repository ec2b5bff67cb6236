/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"
#include "random_litmus.h"

/*
 * The search with partial-order reduction must find exactly the final states that the search
 * without it finds. Random small programs over descriptors, data, barriers and TLBIs; with rules
 * switched off at random, so that unusual machines are compared too. DVMSIM_PROGRAMS says how many
 * (the "long" run: 10,000).
 */
static unsigned programs(void)
{
	const char *env = getenv("DVMSIM_PROGRAMS");

	return env ? (unsigned)strtoul(env, NULL, 10) : 500;
}

static bool same(const struct dvm_litmus_result *a, const struct dvm_litmus_result *b)
{
	if (dvm_litmus_outcomes(a) != dvm_litmus_outcomes(b))
		return false;
	for (size_t i = 0; i < dvm_litmus_outcomes(a); i++)
		if (strcmp(dvm_litmus_outcome(a, i), dvm_litmus_outcome(b, i)) != 0)
			return false;
	return true;
}

START_TEST(reduced_and_full_search_find_the_same_final_states)
{
	uint64_t full_states = 0, reduced_states = 0;

	for (unsigned i = 0; i < programs(); i++) {
		struct dvm_litmus_result *reduced, *full;
		struct dvm_litmus *test = NULL;
		struct dvmi_rng rng;
		struct dvm_error err;
		uint64_t without = 0;
		char text[4096];
		int ets2;

		dvmi_rng_init(&rng, 1, i);
		random_litmus(&rng, 0, text, sizeof(text));
		ets2 = (int)dvmi_rng_below(&rng, 2);
		if (dvmi_rng_below(&rng, 4) == 0)
			without = UINT64_C(1) << dvmi_rng_below(&rng, dvm_check_rules());
		if (dvmi_rng_below(&rng, 8) == 0) /* as with the erratum */
			without |= UINT64_C(1) << dvm_check_rule_find("tlbi-drain-write");
		if (dvm_litmus_parse("random", text, strlen(text), &test, &err))
			ck_abort_msg("%s in\n%s", err.text, text);
		reduced = litmus_run(test, ets2, without, 0, 0);
		full = litmus_run(test, ets2, without, 1, 0);
		ck_assert_msg(dvm_litmus_verdict(full) == DVM_CHECK_ALWAYS, "program %u", i);
		ck_assert_msg(same(reduced, full), "program %u (ets2 %d, without %s):\n%s", i, ets2,
			      without ? "a rule" : "none", text);
		full_states += dvm_litmus_states(full);
		reduced_states += dvm_litmus_states(reduced);
		dvm_litmus_result_free(reduced);
		dvm_litmus_result_free(full);
		dvm_litmus_free(test);
	}
	/* A reduction that reduces nothing would make the comparison empty. */
	ck_assert_uint_lt(reduced_states, full_states);
	printf("%u programs: %llu states reduced, %llu full\n", programs(),
	       (unsigned long long)reduced_states, (unsigned long long)full_states);
}
END_TEST

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "reduction"),
		       reduced_and_full_search_find_the_same_final_states);
}

CHECK_MAIN("reduction", add_cases)
