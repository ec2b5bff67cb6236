/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "fake.h"

#include "base/mem.h"

#include <dvmsim/report.h>

#include <string.h>

static const char *const two[] = { "base", "other", NULL };

static bool is(const struct dvm_sim_options *options, const char *strategy)
{
	return !strcmp(dvm_strategy_name(options->strategy), strategy);
}

/* The seed moves both strategies by a lot; "other" is always 2 % faster than "base". */
static struct fake_result paired(const struct dvm_sim_options *options)
{
	double base = 1000.0 * (double)options->seed;

	return (struct fake_result){ .random = true,
				     .per_second = is(options, "base") ? base : base * 1.02 };
}

static struct dvm_study *run_study(struct fake_result (*rule)(const struct dvm_sim_options *),
				   const struct dvm_study_options *options,
				   const char *const *names)
{
	struct dvm_study *s = fake_study(options, names);
	struct dvm_error err;

	fake_rule = rule;
	ck_assert_msg(!dvm_study_run(s, &err), "%s", err.text);
	return s;
}

static struct dvm_study_options plain(unsigned seeds)
{
	return (struct dvm_study_options){ .size = sizeof(struct dvm_study_options), .seeds = seeds,
					   .threads = 1, .sensitivity = DVM_SENSITIVITY_OFF };
}

START_TEST(cells_are_paired_by_seed)
{
	struct dvm_study_options o = plain(3);
	struct dvm_study *s = run_study(paired, &o, two);
	struct dvm_metric m;
	struct dvm_cell c;

	ck_assert_uint_eq(dvm_study_cell_count(s), 2);
	ck_assert_int_eq(dvm_study_cell(s, 1, &c), 0);
	ck_assert_str_eq(c.workload, "fork");
	ck_assert_uint_eq(c.n, 3);
	ck_assert(c.random);
	ck_assert_uint_eq(c.primary, 1);
	ck_assert_int_eq(dvm_study_metric(s, 1, 0, &m), 0);
	ck_assert_str_eq(m.name, "jobs");
	ck_assert_double_eq_tol(m.mean, 2040, 1e-9);
	ck_assert_double_eq_tol(m.change_pct, 2, 1e-9);
	ck_assert_double_lt(m.change_ci95, 1e-9);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_IMPROVED);
	/* The means themselves overlap: 2040 +- 2533. */
	ck_assert_double_gt(m.ci95, 2000);
	ck_assert_int_eq(dvm_study_cell(s, 2, &c), -DVM_ENOENT);
	ck_assert_int_eq(dvm_study_metric(s, 1, c.metrics, &m), -DVM_ENOENT);
	dvm_study_free(s);
}
END_TEST

static struct fake_result steady(const struct dvm_sim_options *options)
{
	return (struct fake_result){ .per_second = is(options, "base") ? 1000 : 990,
				     .flush = { 1, is(options, "base") ? 500 : 400, 1, 1, 1 } };
}

START_TEST(what_is_not_random_runs_once)
{
	struct dvm_study_options o = plain(5);
	struct dvm_study *s = run_study(steady, &o, two);
	struct dvm_metric m;
	struct dvm_cell c;

	dvm_study_cell(s, 1, &c);
	ck_assert(!c.random);
	ck_assert_uint_eq(c.n, 1);
	dvm_study_metric(s, 1, 0, &m);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_REGRESSED);
	ck_assert_double_eq_tol(m.change_pct, -1, 1e-9);
	dvm_study_metric(s, 0, 0, &m);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_BASELINE);
	dvm_study_free(s);
}
END_TEST

/* "flush mean" falls from 500 to 400 ps: less is better, so that is an improvement. */
START_TEST(direction_belongs_to_the_metric)
{
	struct dvm_study_options o = plain(1);
	struct dvm_study *s = run_study(steady, &o, two);
	struct dvm_metric m = { 0 };
	struct dvm_cell c;

	dvm_study_cell(s, 1, &c);
	for (size_t i = 0; i < c.metrics; i++) {
		dvm_study_metric(s, 1, i, &m);
		if (!strcmp(m.name, "flush mean"))
			break;
	}
	ck_assert_str_eq(m.name, "flush mean");
	ck_assert(!m.higher_is_better);
	ck_assert_double_eq_tol(m.change_pct, -20, 1e-9);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_IMPROVED);
	dvm_study_free(s);
}
END_TEST

static struct fake_result no_work(const struct dvm_sim_options *options)
{
	return (struct fake_result){ .elapsed_ps = is(options, "base") ? 1000 : 2000 };
}

START_TEST(without_work_marks_the_elapsed_time_counts)
{
	struct dvm_study_options o = plain(1);
	struct dvm_study *s = run_study(no_work, &o, two);
	struct dvm_metric m;
	struct dvm_cell c;

	dvm_study_cell(s, 1, &c);
	ck_assert_uint_eq(c.primary, 1);
	dvm_study_metric(s, 1, 0, &m);
	ck_assert_str_eq(m.name, "elapsed");
	ck_assert_double_eq(m.change_pct, 100);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_REGRESSED);
	/* No flush happened: there is no mean of nothing. */
	dvm_study_metric(s, 1, 2, &m);
	ck_assert_str_eq(m.name, "flush mean");
	ck_assert_uint_eq(m.n, 0);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_NONE);
	dvm_study_free(s);
}
END_TEST

/* Half of 2 CPUs' 1000 ps is 1000: one more is mostly idle. */
static uint64_t idle_ps;

static struct fake_result waits(const struct dvm_sim_options *options)
{
	return (struct fake_result){ .per_second = 1000, .elapsed_ps = 1000, .cpus_used = 2,
				     .idle_ps = idle_ps,
				     .run_ps = is(options, "base") ? 400 : 300 };
}

START_TEST(work_that_waits_is_judged_by_its_cpu_time_too)
{
	struct dvm_study_options o = plain(1);
	struct dvm_study *s;
	struct dvm_metric m;
	struct dvm_cell c;

	idle_ps = 1000 + (uint64_t)_i;
	s = run_study(waits, &o, two);
	dvm_study_cell(s, 1, &c);
	ck_assert_uint_eq(c.primary, _i ? 2 : 1);
	dvm_study_metric(s, 1, 1, &m);
	ck_assert_str_eq(m.name, "cpu time");
	ck_assert_double_eq_tol(m.change_pct, -25, 1e-9);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_IMPROVED);
	dvm_study_free(s);
}
END_TEST

/* One run's failure, and what the two cells then are. */
static const struct {
	const char *who;
	int new_code, run_code;
	uint64_t seed; /* the run it happens in */
	int ret, status[2], verdict;
} failures[] = {
	{ "other", 0, -DVM_EUNSAFE, 1, 0, { DVM_RUN_OK, DVM_RUN_STALE }, DVM_VERDICT_NONE },
	{ "other", 0, -DVM_EUNSAFE, 3, 0, { DVM_RUN_OK, DVM_RUN_STALE }, DVM_VERDICT_NONE },
	{ "base", 0, -DVM_EUNSAFE, 2, 0, { DVM_RUN_STALE, DVM_RUN_OK }, DVM_VERDICT_NONE },
	{ "other", 0, -DVM_EBUDGET, 1, 0, { DVM_RUN_OK, DVM_RUN_UNFINISHED }, DVM_VERDICT_NONE },
	{ "other", -DVM_EINVAL, 0, 1, 0, { DVM_RUN_OK, DVM_RUN_IMPOSSIBLE }, DVM_VERDICT_NONE },
	{ "both", -DVM_EINVAL, 0, 1, -DVM_EINVAL, { 0 }, 0 }, /* nothing can run: say so */
	{ "other", 0, -DVM_EFORMAT, 2, -DVM_EFORMAT, { 0 }, 0 },
	{ "other", -DVM_ENOMEM, 0, 1, -DVM_ENOMEM, { 0 }, 0 },
};
static int failing;

static struct fake_result fails(const struct dvm_sim_options *options)
{
	struct fake_result r = paired(options);

	if (options->seed == failures[failing].seed &&
	    (is(options, failures[failing].who) || !strcmp(failures[failing].who, "both"))) {
		r.new_code = failures[failing].new_code;
		r.run_code = failures[failing].run_code;
	}
	return r;
}

START_TEST(a_failed_run_speaks_for_its_cell)
{
	struct dvm_study_options o = plain(3);
	struct dvm_study *s = fake_study(&o, two);
	struct dvm_metric m;
	struct dvm_cell c;

	failing = _i;
	fake_rule = fails;
	ck_assert_int_eq(dvm_study_run(s, NULL), failures[_i].ret);
	for (size_t i = 0; i < 2 && !failures[_i].ret; i++) {
		ck_assert_int_eq(dvm_study_cell(s, i, &c), 0);
		ck_assert_int_eq(c.status, failures[_i].status[i]);
		ck_assert_int_eq(c.message != NULL, c.status != DVM_RUN_OK);
	}
	if (!failures[_i].ret) {
		ck_assert_int_eq(dvm_study_metric(s, 1, 0, &m), 0);
		ck_assert_int_eq(m.verdict, failures[_i].verdict);
		ck_assert_double_eq(m.change_pct, 0);
		ck_assert(c.status == DVM_RUN_OK || m.n == 0);
	} else {
		ck_assert_uint_eq(dvm_study_cell_count(s), 0);
	}
	dvm_study_free(s);
}
END_TEST

/* ---- Ranges ---- */

/*
 * "other" gains 1000 minus what a local DSB costs in ns, "base" stands still: with dsb_nsh at its
 * high end (generic-64: 20..200 ns) "other" is below. Nothing else matters.
 */
static struct fake_result depends_on_dsb(const struct dvm_sim_options *options)
{
	uint64_t ns = fake_param(options, "barrier.dsb_nsh_ps") / 1000;

	return (struct fake_result){ .per_second = is(options, "base") ? 1000 :
						   1000 + 150 - (double)ns };
}

static struct dvm_ranges ranges_of(const struct dvm_study *s, size_t cell)
{
	struct dvm_metric m;

	ck_assert_int_eq(dvm_study_metric(s, cell, 0, &m), 0);
	return m.ranges;
}

START_TEST(ranges_find_where_the_sign_turns)
{
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1 };
	struct dvm_study *s = run_study(depends_on_dsb, &o, two);
	struct dvm_ranges r = ranges_of(s, 1);
	struct dvm_point p;
	bool found = false;

	ck_assert(r.examined);
	ck_assert(!r.holds);
	ck_assert_double_eq_tol(r.lo_pct, -5, 1e-9);  /* 150 - 200 of 1000 */
	ck_assert_double_eq_tol(r.hi_pct, 13, 1e-9); /* 150 - 20 */
	for (size_t i = 0; !dvm_study_point(s, 1, 0, i, &p); i++) {
		if (strcmp(p.at, "barrier.dsb_nsh_ps=200000") != 0)
			continue;
		found = true;
		ck_assert(p.single && p.turns);
		ck_assert_double_eq_tol(p.change_pct, -5, 1e-9);
	}
	ck_assert(found);
	/* High: all, against local, itself. */
	ck_assert_uint_eq(r.turns, 3);
	/* One copy shows that nothing else is used: nothing else is varied alone. */
	ck_assert_uint_eq(r.varied, 1);
	ck_assert_uint_eq(r.inert, r.params - 1);
	/* Four corners, itself, all others. */
	ck_assert_uint_eq(r.runs, 8);
	ck_assert(!ranges_of(s, 0).examined);
	dvm_study_free(s);
}
END_TEST

/* The same, but at the high end "other" is @least below or above "base". */
static double least;

static struct fake_result vanishes(const struct dvm_sim_options *options)
{
	bool high = fake_param(options, "barrier.dsb_nsh_ps") == 200000;

	return (struct fake_result){ .per_second = is(options, "base") ? 1000 :
						   high ? 1000 * (1 + least / 100) : 1100 };
}

START_TEST(vanishing_is_not_turning)
{
	static const double at[] = { 0.0049, -0.0049, -0.0051 };
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1 };
	struct dvm_study *s;

	least = at[_i];
	s = run_study(vanishes, &o, two);
	ck_assert_int_eq(ranges_of(s, 1).holds, _i < 2);
	dvm_study_free(s);
}
END_TEST

static struct fake_result flat(const struct dvm_sim_options *options)
{
	return (struct fake_result){ .per_second = is(options, "base") ? 1000 : 1100 };
}

START_TEST(a_sign_that_holds_is_said_to_hold)
{
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1 };
	struct dvm_study *s = run_study(flat, &o, two);
	struct dvm_ranges r = ranges_of(s, 1);

	ck_assert(r.examined && r.holds);
	ck_assert_uint_eq(r.turns, 0);
	ck_assert_double_eq_tol(r.lo_pct, 10, 1e-9);
	ck_assert_double_eq_tol(r.hi_pct, 10, 1e-9);
	dvm_study_free(s);
}
END_TEST

static struct fake_result stale_at_a_point(const struct dvm_sim_options *options)
{
	struct fake_result r = flat(options);

	if (!is(options, "base") && fake_param(options, "barrier.dsb_nsh_ps") == 20000)
		r.run_code = -DVM_EUNSAFE;
	return r;
}

START_TEST(stale_anywhere_in_the_box_is_kept)
{
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1 };
	struct dvm_study *s = run_study(stale_at_a_point, &o, two);

	ck_assert_str_eq(ranges_of(s, 1).stale_at, "all estimates low");
	dvm_study_free(s);
}
END_TEST

/* Every parameter matters a little, so that all of them are worth a look. */
static struct fake_result all_matter(const struct dvm_sim_options *options)
{
	struct fake_result r = flat(options);
	struct dvm_param p = { .size = sizeof(p) };
	uint64_t sum = 0;

	for (size_t i = 0; !dvm_model_param(options->hw, i, &p); i++)
		sum += p.value;
	r.per_second += (double)(sum % 1000003) / 1e6;
	return r;
}

START_TEST(budget_limits_single_parameters_only)
{
	/* A run is 1000 events, a parameter costs 2 ends x 2 strategies: 10 fit into 40,100. */
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1, .budget = 40100 };
	struct dvm_study *s = run_study(all_matter, &o, two);
	struct dvm_ranges few = ranges_of(s, 1), all;

	dvm_study_free(s);
	o.sensitivity = DVM_SENSITIVITY_ALL;
	s = run_study(all_matter, &o, two);
	all = ranges_of(s, 1);
	dvm_study_free(s);
	ck_assert_uint_eq(few.varied, 10);
	ck_assert_uint_eq(all.varied, all.params);
}
END_TEST

/* ---- The study as a whole ---- */

START_TEST(threads_change_no_byte)
{
	static const unsigned threads[] = { 1, 2, 4, 13 };
	char *first = NULL;

	for (size_t i = 0; i < 4; i++) {
		struct dvm_study_options o = { .size = sizeof(o), .threads = threads[i] };
		struct dvm_study *s = run_study(paired, &o, two);
		char *text;

		ck_assert_int_eq(dvm_report_json(s, &text, NULL), 0);
		dvm_study_free(s);
		if (first)
			ck_assert_str_eq(first, text);
		else
			first = strdup(text);
		dvm_free(text);
	}
	free(first);
}
END_TEST

static int stop(void *arg, uint64_t done, uint64_t total)
{
	ck_assert_uint_le(done, total);
	return ++*(int *)arg == 3;
}

START_TEST(progress_stops_a_study)
{
	int calls = 0;
	struct dvm_study_options o = plain(5);
	struct dvm_study *s;

	o.progress = stop;
	o.progress_arg = &calls;
	s = fake_study(&o, two);
	fake_rule = paired;
	ck_assert_int_eq(dvm_study_run(s, NULL), -DVM_EBUDGET);
	ck_assert_int_eq(calls, 3);
	ck_assert_uint_eq(dvm_study_cell_count(s), 0);
	dvm_study_free(s);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	struct dvm_study_options o = plain(1001);
	struct dvm_study *s = NULL;
	struct dvm_error err;

	ck_assert_int_eq(dvm_study_new(&o, &s, &err), -DVM_EINVAL);
	o = plain(1);
	ck_assert_int_eq(dvm_study_new(&o, &s, &err), 0);
	ck_assert_int_eq(dvm_study_run(s, &err), -DVM_EINVAL); /* empty */
	dvm_study_free(s);
	o.baseline = "nobody";
	s = fake_study(&o, two);
	ck_assert_int_eq(dvm_study_run(s, &err), -DVM_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "nobody"));
	ck_assert_int_eq(dvm_study_take_strategy(s, fake_strategy("base"), &err), -DVM_EINVAL);
	ck_assert_int_eq(dvm_study_take_model(s, fake_model(DVM_MODEL_HW, "generic-64"), &err),
			 -DVM_EINVAL);
	ck_assert_int_eq(dvm_study_add_workload(s, "no-such-generator", &err), -DVM_ENOENT);
	ck_assert_int_eq(dvm_study_add_trace(s, "no-such", "/nowhere", &err), -DVM_ENOENT);
	dvm_study_free(s);
}
END_TEST

START_TEST(another_baseline_turns_the_sign)
{
	struct dvm_study_options o = plain(1);
	struct dvm_study *s;
	struct dvm_metric m;

	o.baseline = "other";
	s = run_study(steady, &o, two);
	dvm_study_metric(s, 0, 0, &m);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_IMPROVED);
	dvm_study_metric(s, 1, 0, &m);
	ck_assert_int_eq(m.verdict, DVM_VERDICT_BASELINE);
	dvm_study_free(s);
}
END_TEST

/* Everything from filling to printing, with the n-th allocation failing, for every n. */
static int whole(const char *json, size_t size)
{
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1 };
	struct dvm_study *s = NULL;
	struct dvm_error err;
	char *text = NULL;
	int ret = dvm_study_from_json(json, size, "test", "", &o, &s, &err);

	if (ret)
		return ret;
	s->engine = &fake_engine;
	ret = dvm_study_run(s, &err);
	if (!ret)
		ret = dvm_report_text(s, NULL, &text, &err);
	dvm_free(text);
	dvm_study_free(s);
	return ret;
}

START_TEST(lost_memory_is_reported_and_leaks_nothing)
{
	struct dvm_study_options o = plain(2);
	struct dvm_study *s = fake_study(&o, two);
	unsigned long n, count;
	char *json;

	fake_rule = paired;
	s->nworkloads = 0; /* a generator instead of the trace: it can be repeated from anywhere */
	dvm_trace_free(s->workloads[0].traces[0]);
	dvmi_free(s->workloads[0].traces);
	dvmi_free(s->workloads[0].source);
	dvmi_free(s->workloads[0].label);
	ck_assert_int_eq(dvm_study_add_workload(s, "mmap:loops=2,pages=2", NULL), 0);
	ck_assert_int_eq(dvm_study_run(s, NULL), 0);
	ck_assert_int_eq(dvm_report_json(s, &json, NULL), 0);
	dvm_study_free(s);
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(whole(json, strlen(json)), 0);
	count = dvmi_mem_count();
	/* All of them would take a minute: the first hundreds, then samples. */
	for (n = 1; n <= count; n += n < 200 ? 1 : 37) {
		dvmi_mem_fail_at(n);
		ck_assert_int_eq(whole(json, strlen(json)), -DVM_ENOMEM);
	}
	dvmi_mem_fail_at(0);
	dvm_free(json);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "study");

	tcase_add_test(tc, cells_are_paired_by_seed);
	tcase_add_test(tc, what_is_not_random_runs_once);
	tcase_add_test(tc, direction_belongs_to_the_metric);
	tcase_add_test(tc, without_work_marks_the_elapsed_time_counts);
	tcase_add_loop_test(tc, work_that_waits_is_judged_by_its_cpu_time_too, 0, 2);
	tcase_add_loop_test(tc, a_failed_run_speaks_for_its_cell, 0,
			    sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(tc, ranges_find_where_the_sign_turns);
	tcase_add_loop_test(tc, vanishing_is_not_turning, 0, 3);
	tcase_add_test(tc, a_sign_that_holds_is_said_to_hold);
	tcase_add_test(tc, stale_anywhere_in_the_box_is_kept);
	tcase_add_test(tc, budget_limits_single_parameters_only);
	tcase_add_test(tc, threads_change_no_byte);
	tcase_add_test(tc, progress_stops_a_study);
	tcase_add_test(tc, what_makes_no_sense_is_refused);
	tcase_add_test(tc, another_baseline_turns_the_sign);
	tcase_add_test(tc, lost_memory_is_reported_and_leaks_nothing);
}

CHECK_MAIN("study", add_cases)
