/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "trace/generate.h"

#include <stdio.h>
#include <string.h>

/* Every generator: its trace keeps the format's rules, and is the same for the same seed. */

static struct dvm_trace *generate(const char *spec, uint64_t seed)
{
	struct dvm_trace *t = NULL;
	struct dvm_error err = { 0 };

	ck_assert_msg(!dvm_workload_generate(spec, seed, &t, &err), "%s", err.text);
	return t;
}

START_TEST(a_generated_trace_keeps_the_rules)
{
	const struct dvm_workload_info *w;

	for (size_t i = 0; (w = dvm_workload_get(i)); i++) {
		struct dvm_trace *t = generate(w->name, 1);
		struct dvm_error err = { 0 };

		ck_assert_msg(!dvm_trace_validate(t, &err), "%s: record %llu: %s", w->name,
			      (unsigned long long)err.record, err.text);
		dvm_trace_free(t);
	}
}
END_TEST

START_TEST(a_seed_says_it_all)
{
	const struct dvm_workload_info *w;

	for (size_t i = 0; (w = dvm_workload_get(i)); i++) {
		struct dvm_trace *a = generate(w->name, 7), *b = generate(w->name, 7);

		ck_assert_msg(dvm_trace_hash(a) == dvm_trace_hash(b), "%s", w->name);
		dvm_trace_free(a);
		dvm_trace_free(b);
	}
}
END_TEST

static const char *const drawn[] = { "arrivals", "clients", "redis" };

START_TEST(another_seed_draws_other_times)
{
	struct dvm_trace *a = generate(drawn[_i], 1), *b = generate(drawn[_i], 2);

	ck_assert_uint_ne(dvm_trace_hash(a), dvm_trace_hash(b));
	dvm_trace_free(a);
	dvm_trace_free(b);
}
END_TEST

/* Parameters at their ends, where loops and purges are shortest and longest. */
static const char *const odd[] = {
	"clients:cpus=1,clients=1,threads=1,requests=1,think_ns=0,client_ns=0,purge_every=1",
	"clients:cpus=3,clients=7,threads=5,requests=3,jitter=100,purge_every=1000",
	"clients:jitter=0,purge_every=0",
	"arrivals:cpus=1,threads=1,requests=1,gap_ns=1,random=0,purge_every=33",
	"arrivals:cpus=1024,threads=1024,requests=10,purge_every=7",
};

START_TEST(odd_parameters_keep_the_rules)
{
	struct dvm_trace *t = generate(odd[_i], 1);
	struct dvm_error err = { 0 };

	ck_assert_msg(!dvm_trace_validate(t, &err), "record %llu: %s",
		      (unsigned long long)err.record, err.text);
	dvm_trace_free(t);
}
END_TEST

/* Exponential: mean m, standard deviation m, and exp(-2) of the draws beyond 2 m. */
START_TEST(exponential_gaps_have_their_mean_and_tail)
{
	struct dvmi_gen g = { 0 };
	double sum = 0, squares = 0, beyond = 0, n = 200000;

	dvmi_rng_init(&g.rng, 3, 1);
	for (int i = 0; i < (int)n; i++) {
		double x = (double)dvmi_gen_exponential(&g, 1000000) / 1e6;

		sum += x;
		squares += x * x;
		beyond += x > 2;
	}
	/* Four standard errors: 1 / sqrt(n) for the mean, and as for a proportion. */
	ck_assert_double_eq_tol(sum / n, 1, 4 * 0.00224);
	ck_assert_double_eq_tol(squares / n, 2, 4 * 0.01);
	ck_assert_double_eq_tol(beyond / n, 0.135335, 4 * 0.00077);
}
END_TEST

START_TEST(spread_stays_within_its_bounds)
{
	struct dvmi_gen g = { 0 };
	uint64_t least = UINT64_MAX, most = 0;

	dvmi_rng_init(&g.rng, 3, 1);
	ck_assert_uint_eq(dvmi_gen_spread(&g, 1000, 0), 1000);
	for (int i = 0; i < 20000; i++) {
		uint64_t x = dvmi_gen_spread(&g, 1000, 30);

		least = x < least ? x : least;
		most = x > most ? x : most;
	}
	ck_assert_uint_eq(least, 700);
	ck_assert_uint_eq(most, 1300);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "workloads");

	tcase_add_test(tc, a_generated_trace_keeps_the_rules);
	tcase_add_test(tc, a_seed_says_it_all);
	tcase_add_loop_test(tc, another_seed_draws_other_times, 0, 3);
	tcase_add_loop_test(tc, odd_parameters_keep_the_rules, 0, 5);
	tcase_add_test(tc, exponential_gaps_have_their_mean_and_tail);
	tcase_add_test(tc, spread_stays_within_its_bounds);
}

CHECK_MAIN("workloads", add_cases)
