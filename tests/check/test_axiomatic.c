/* SPDX-License-Identifier: MIT */
#include "axioms.h"
#include "check_main.h"
#include "litmus_util.h"
#include "random_litmus.h"

#include "check/explore.h"

#include <time.h>

/* The machine must find what the axioms allow (axioms.h), and nothing else. */
enum { COST_MAX = 200000 };

static int collect(void *arg, const struct dvmi_program *prog, const struct dvmi_state *st)
{
	uint64_t mem[DVMI_LOCS_MAX];
	char text[4096];

	for (unsigned l = 0; l < DVMI_LOCS_MAX; l++)
		mem[l] = dvmi_state_memory(prog, st, (uint16_t)l);
	axioms_describe(prog, st->rval, mem, text, sizeof(text));
	axioms_remember(arg, text);
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct {
	unsigned compared, skipped;
	uint64_t tried, states;
	double slow, fast;
} total;

static void compare(const struct dvmi_program *prog, const char *text)
{
	struct axioms_found x, m = {0};
	struct dvmi_explorer ex = {.final = collect, .final_arg = &m};
	double start = now();

	ck_assert_int_eq(dvmi_explore(&ex, prog), 0);
	total.fast += now() - start;
	total.states += ex.states;
	start = now();
	axioms_enumerate(prog, &x);
	total.slow += now() - start;
	total.tried += x.tried;
	axioms_sort(&x);
	axioms_sort(&m);
	for (size_t i = 0; i < x.count || i < m.count; i++)
		ck_assert_msg(i < x.count && i < m.count && !strcmp(x.text[i], m.text[i]),
			      "axioms %zu, machine %zu; %s | %s in\n%s", x.count, m.count,
			      i < x.count ? x.text[i] : "-", i < m.count ? m.text[i] : "-", text);
	total.compared++;
	axioms_free(&x);
	axioms_free(&m);
	dvmi_explorer_fini(&ex);
}

static void one_way(void *arg, const struct dvmi_program *prog)
{
	if (axioms_events(prog) <= AXIOMS_EVENTS_MAX && axioms_cost(prog) <= COST_MAX)
		compare(prog, arg);
	else
		total.skipped++;
}

static void all_paths(const struct dvm_litmus *test, int ets2, char *text)
{
	ck_assert_int_eq(axioms_each_way(test, ets2, one_way, text), 0);
}

static void report(void)
{
	printf("%u ways compared, %u too large; axioms: %llu candidates, %.3f s; machine: %llu "
	       "states, "
	       "%.3f s\n",
	       total.compared, total.skipped, (unsigned long long)total.tried, total.slow,
	       (unsigned long long)total.states, total.fast);
}

START_TEST(the_machine_finds_what_the_axioms_allow)
{
	const char *env = getenv("DVMSIM_PROGRAMS");
	unsigned programs = env ? (unsigned)strtoul(env, NULL, 10) : 300;

	for (unsigned i = 0; i < programs; i++) {
		struct dvm_litmus *test = NULL;
		struct dvm_error err;
		struct dvmi_rng rng;
		char text[4096];

		dvmi_rng_init(&rng, 2, i);
		random_litmus(&rng, 3, text, sizeof(text));
		if (strstr(text, "WALK")) /* the axioms know accesses of instructions only */
			continue;
		if (dvm_litmus_parse("random", text, strlen(text), &test, &err))
			ck_abort_msg("%s in\n%s", err.text, text);
		all_paths(test, (int)dvmi_rng_below(&rng, 2), text);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(total.compared, programs / 4);
	report();
}
END_TEST

/* The corpus has the shapes that random programs seldom have. */
START_TEST(on_the_corpus_too)
{
	size_t count;
	char **list = litmus_list(DVMSIM_SOURCE_DIR "/tests/litmus", &count);

	memset(&total, 0, sizeof(total));
	for (size_t i = 0; i < 2 * count; i++) {
		struct dvm_litmus *test = litmus_load(list[i / 2]);

		if (!test->second_mm) /* the axioms know one mm */
			all_paths(test, (int)(i % 2), list[i / 2]);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(total.compared, count);
	report();
	litmus_free_list(list, count);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "axioms");

	tcase_add_test(tc, the_machine_finds_what_the_axioms_allow);
	tcase_add_test(tc, on_the_corpus_too);
}

CHECK_MAIN("axiomatic", add_cases)
