/* SPDX-License-Identifier: MIT */
/* dvmsim compare and dvmsim run from outside, on the real simulator. */
#include "check_main.h"
#include "run_command.h"

#define SMALL "-w mmap:loops=5,pages=2 -w fork:forks=4,pages=4 -s recheck -s active-cpu-v2"

static struct run ok(struct run run)
{
	ck_assert_msg(run.status == 0, "exit %d: %s", run.status, run.err);
	ck_assert_msg(!run.err[0], "%s", run.err);
	return run;
}

/* The same document from its own manifest, whatever has become of the data folder. */
START_TEST(a_result_repeats_byte_for_byte)
{
	struct run run = ok(run_shell("d=$(mktemp -d) && dvmsim compare " SMALL " -m teaching-4 -m "
				      "neoverse-n1-80 --seeds 2 -j -o $d/r && DVMSIM_DATA=/nowhere "
				      "dvmsim compare --repeat $d/r > $d/again && cmp $d/r $d/again && "
				      "rm -r $d"));

	run_free(&run);
}
END_TEST

START_TEST(a_result_that_was_changed_is_told)
{
	struct run run = run_shell("d=$(mktemp -d) && dvmsim compare -w mmap:loops=5 --sensitivity off "
				   "-j > $d/r && sed -i '0,/\"mean\": [0-9]/s//&9/' $d/r && dvmsim "
				   "compare --repeat $d/r > $d/again; s=$?; rm -r $d; exit $s");

	ck_assert_int_eq(run.status, 1);
	ck_assert_ptr_nonnull(strstr(run.err, "differs from line"));
	run_free(&run);
}
END_TEST

START_TEST(threads_change_no_byte)
{
	struct run one = ok(run_shell("dvmsim compare " SMALL " -j -T 1"));
	struct run many = ok(run_shell("dvmsim compare " SMALL " -j -T 4"));
	struct run text = ok(run_shell("dvmsim compare " SMALL " -T 1"));
	struct run texts = ok(run_shell("dvmsim compare " SMALL " -T 3"));

	ck_assert_str_eq(one.out, many.out);
	ck_assert_str_eq(text.out, texts.out);
	run_free(&one);
	run_free(&many);
	run_free(&text);
	run_free(&texts);
}
END_TEST

/* The strategy that never flushes, and its pair: one that does. */
START_TEST(the_oracle_decides_the_exit_status)
{
	struct run bad = run_shell("dvmsim run -s null -w fork:forks=4");
	struct run good = ok(run_shell("dvmsim run -s always-broadcast -w fork:forks=4"));
	struct run both = run_shell("dvmsim compare -s null -w fork:forks=4");

	ck_assert_int_eq(bad.status, 1);
	ck_assert_ptr_nonnull(strstr(bad.err, "stale"));
	ck_assert_int_eq(both.status, 1);
	ck_assert_ptr_nonnull(strstr(both.out, "STALE"));
	ck_assert_ptr_null(strstr(both.out, "(I) +"));
	run_free(&bad);
	run_free(&good);
	run_free(&both);
}
END_TEST

/* Not before the command has said that it wants to know: bit 14 of SigCgt is SIGTERM. */
#define UNTIL_IT_LISTENS                                                                           \
	"until grep -Eq '^SigCgt:.*[4-7c-f][0-9a-f]{3}$' /proc/$!/status || ! kill -0 $!; "        \
	"do sleep 0.02; done; "

START_TEST(an_interrupt_leaves_nothing_behind)
{
	struct run run = run_shell("d=$(mktemp -d); '" DVMSIM_BIN "' compare -w redis -m "
				   "neoverse-n1-80 --sensitivity all -o $d/r & " UNTIL_IT_LISTENS
				   "kill -TERM $!; wait $!; s=$?; ls -A $d; rm -r $d; exit $s");

	ck_assert_msg(run.status == 3, "exit %d: %s", run.status, run.err);
	ck_assert_str_eq(run.out, "");
	ck_assert_ptr_nonnull(strstr(run.err, "interrupted"));
	run_free(&run);
}
END_TEST

/* Every strategy named in the table, and the statement about ranges beside the numbers. */
START_TEST(a_table_says_how_far_to_believe_it)
{
	static const char *const words[] = { "| active-cpu-v2", "| recheck", "Model: calibrated by C1",
					     "Ranges:", "(ops/sec)", "Where the time went",
					     "Summary:", "tlbi" };
	struct run run = ok(run_shell("dvmsim compare " SMALL));

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ck_assert_msg(strstr(run.out, words[i]) != NULL, "no '%s' in:\n%s", words[i], run.out);
	run_free(&run);
}
END_TEST

START_TEST(a_workload_that_does_not_fit_somewhere_is_told)
{
	struct run run = ok(run_shell("dvmsim compare -w tlb-shootdown:cpus=8 -m teaching-4 -m "
				      "phytium-ftc862-8 -s recheck"));

	ck_assert_ptr_nonnull(strstr(run.out, "does not fit"));
	run_free(&run);
}
END_TEST

#define ARRIVALS "dvmsim run --schedule simulated -m teaching-4 -s always-broadcast " \
		 "-w arrivals:requests=2000,gap_ns="

/* At twice the rate that four workers can serve there is no latency to be told, only a rate. */
START_TEST(a_saturated_run_gives_no_latency)
{
	struct run text = ok(run_shell(ARRIVALS "%d", 1250)), json = ok(run_shell(ARRIVALS "1250 -j"));

	ck_assert_ptr_nonnull(strstr(text.out, "requests p99 (time)          unstable"));
	ck_assert_ptr_nonnull(strstr(text.out, "requests (ops/sec)"));
	ck_assert_ptr_nonnull(strstr(json.out, "\"unstable\": true"));
	ck_assert_ptr_null(strstr(json.out, "p999_ps"));
	run_free(&text);
	run_free(&json);
}
END_TEST

START_TEST(a_run_that_keeps_up_gives_latencies)
{
	struct run text = ok(run_shell(ARRIVALS "%d", 8000)), json = ok(run_shell(ARRIVALS "8000 -j"));

	ck_assert_ptr_null(strstr(text.out, "unstable"));
	ck_assert_ptr_nonnull(strstr(text.out, "requests p99.9 (time)"));
	ck_assert_ptr_null(strstr(json.out, "\"unstable\": true"));
	ck_assert_ptr_nonnull(strstr(json.out, "p999_ps"));
	run_free(&text);
	run_free(&json);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "compare");

	tcase_add_test(tc, a_saturated_run_gives_no_latency);
	tcase_add_test(tc, a_run_that_keeps_up_gives_latencies);

	tcase_add_test(tc, a_result_repeats_byte_for_byte);
	tcase_add_test(tc, a_result_that_was_changed_is_told);
	tcase_add_test(tc, threads_change_no_byte);
	tcase_add_test(tc, the_oracle_decides_the_exit_status);
	tcase_add_test(tc, an_interrupt_leaves_nothing_behind);
	tcase_add_test(tc, a_table_says_how_far_to_believe_it);
	tcase_add_test(tc, a_workload_that_does_not_fit_somewhere_is_told);
}

CHECK_MAIN("cli_compare", add_cases)
