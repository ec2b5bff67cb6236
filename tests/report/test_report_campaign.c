/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"
#include "check_main.h"
#include "report/campaign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A study's report from results that the test makes up: what is counted, what is said, and that it
 * follows from the numbers.
 */

#define TREE DVMSIM_SOURCE_DIR
#define TOP(questions) \
	"{\"schema\":\"dvmsim.study/1\",\"name\":\"t\",\"summary\":\"s\"," \
	"\"baseline\":\"always-broadcast\",\"strategies\":[\"always-broadcast\",\"active-cpu-v2\"]," \
	"\"hardware\":[\"generic-64\"],\"kernels\":[\"linux-7.1\"],\"questions\":[" questions "]}"

static struct dvm_campaign *load(const char *text)
{
	struct dvm_campaign_options o = { .size = sizeof(o), .models = TREE "/models",
					  .strategies = TREE "/models/strategies",
					  .traces = TREE "/traces", .threads = 1 };
	char path[] = "/tmp/dvmsim-report-XXXXXX";
	struct dvm_campaign *c;
	struct dvm_error err;
	int fd = mkstemp(path);
	FILE *f;

	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
	ck_assert_msg(dvm_campaign_load(path, &o, &c, &err) == 0, "%s: %s", err.where, err.text);
	unlink(path);
	return c;
}

/* One site's result: the change, half its interval, its ranges. */
static void give(struct dvm_campaign *c, size_t site, double change, double ci, double lo, double hi)
{
	static const char head[] = "{\"status\":\"ok\",\"local_share\":0,\"one_cpu_share\":0,"
				   "\"flush_p99_ps\":1,\"flush_max_ps\":1,\"unpreemptible_max_ps\":0,"
				   "\"interrupts_off_max_ps\":0,\"run_ps\":1000,\"flush_ps\":%d,"
				   "\"switch_ps\":0,\"bystander_ps\":0,\"refill_ps\":0,\"interrupt_ps\":0,"
				   "\"elapsed_ps\":1340000,\"dvm_nonsyncs\":50,\"dvm_syncs\":50,"
				   "\"metrics\":[{\"metric\":\"ops\",\"unit\":\"/s\",\"higher_is_better\":true,"
				   "\"unstable\":false,\"n\":5,\"mean\":1000,\"change_pct\":%g,"
				   "\"ci95_pct\":%g,\"verdict\":\"%s\",\"holds\":%s,\"lo_pct\":%g,"
				   "\"hi_pct\":%g,\"params\":3%s}]}";
	const char *verdict = change > ci ? "improved" : change < -ci ? "regressed" : "undecided";
	bool holds = change > 0 ? lo > 0 : hi < 0;
	char text[4096], one[1024], two[1024];

	snprintf(one, sizeof(one), head, 0, 0.0, 0.0, "baseline", "true", 0.0, 0.0, "");
	snprintf(two, sizeof(two), head, 100, change, ci, verdict, holds ? "true" : "false", lo, hi,
		 holds ? "" : ",\"flip_at\":\"dvm.comp_ps\",\"flip_single\":true,\"flip_from\":1000,"
			      "\"flip_to\":2000");
	snprintf(text, sizeof(text), "{\"strategies\":[%s,%s]}", one, two);
	dvmi_result_fini(&c->sites[site].result);
	ck_assert_int_eq(dvmi_result_read(text, &c->sites[site].result, NULL), 0);
}

static char *print(const struct dvm_campaign *c, int format)
{
	char *text;

	ck_assert_int_eq(dvm_campaign_print(c, format, &text, NULL), 0);
	return text;
}

/* The words of @want stand in @text one after the other, whatever blanks and line ends are between. */
static bool says(const char *text, const char *want)
{
	for (; *text; text++) {
		const char *t = text, *w = want;

		while (*w && *t) {
			if (strchr(" \n", *w) && strchr(" \n", *t)) {
				w += strspn(w, " \n");
				t += strspn(t, " \n");
			} else if (*w++ != *t++) {
				w = want;
				break;
			}
		}
		if (!*w)
			return true;
	}
	return false;
}

#define ck_says(text, want) ck_assert_msg(says(text, want), "\"%s\" is not in\n%s", want, text)

#define FOUR TOP("{\"name\":\"q\",\"asks\":\"What?\",\"source\":\"Who\",\"note\":\"Not simulated: x.\"," \
		 "\"workloads\":[\"fork:forks=1|2|3|4\"]}")

START_TEST(an_answer_counts_and_names_the_extremes)
{
	struct dvm_campaign *c = load(FOUR);
	char *text;

	give(c, 0, 5, 1, 2, 9);     /* better */
	give(c, 1, -2, 0.5, -4, -1); /* worse */
	give(c, 2, 3, 1, -1, 5);    /* undecided */
	give(c, 3, 1, 2, 0.5, 3);   /* open: 1 +- 2 */
	text = print(c, DVM_CAMPAIGN_TEXT);
	ck_says(text, "active-cpu-v2 against always-broadcast: 1 better, 1 worse, 1 undecided, 1 open of 4.");
	ck_says(text, "Decided changes go from -2.0 % +-0.5 [-4.0 .. -1.0 %] (fork:forks=2: ops) to "
		      "+5.0 % +-1.0 [+2.0 .. +9.0 %] (fork:forks=1: ops).");
	ck_says(text, "the sign turns with: dvm.comp_ps (1).");
	/* The loss is what is repeated, and it is listed with where its time went: 100 of 1000. */
	ck_says(text, "To repeat -2.0 % +-0.5 [-4.0 .. -1.0 %] (fork:forks=2: ops): $ dvmsim compare -w "
		      "fork:forks=2 -m generic-64 -k linux-7.1 -s active-cpu-v2 -n 3");
	ck_says(text, "CPU time: in flushes +10.0 %");
	ck_says(text, "turns before dvm.comp = 2.00 ns, holds at dvm.comp = 1.00 ns");
	ck_says(text, "Not simulated: x.");
	dvm_free(text);
	/* Losses stand worst first. */
	give(c, 0, -1, 0.5, -4, -0.5);
	text = print(c, DVM_CAMPAIGN_TEXT);
	ck_says(text, "worst first; the CPU time is that of the first seed against the baseline's, in percent "
		      "of it. - active-cpu-v2 -2.0 %");
	dvm_free(text);
	dvm_campaign_free(c);
}
END_TEST

START_TEST(markdown_says_the_same)
{
	struct dvm_campaign *c = load(FOUR);
	char *text;

	for (size_t i = 0; i < 4; i++)
		give(c, i, 5, 1, 2, 9);
	text = print(c, DVM_CAMPAIGN_MARKDOWN);
	ck_says(text, "# Study t: s");
	ck_says(text, "## Answers");
	ck_says(text, "| fork:forks=2 | ops | 1.00 k/s | (I) +5.0 % +-1.0<br>+2.0 .. +9.0 % |");
	ck_says(text, "|---|---|---|---|");
	dvm_free(text);
	dvm_campaign_free(c);
}
END_TEST

/* change at 8, 32, 128 CPUs -> least CPUs with 10 % and with 50 %; "> 128" when there are none. */
static const struct {
	double change[3];
	const char *ten, *fifty;
} sizes[] = {
	{ { 1, 20, 60 }, "32", "128" },
	{ { 11, 20, 40 }, "8", "> 128" },
	{ { 11, 5, 60 }, "128", "128" }, /* from there on, not somewhere below */
	{ { 1, 2, 3 }, "> 128", "> 128" },
};

START_TEST(the_least_number_of_cpus_holds_for_all_greater_ones)
{
	struct dvm_campaign *c = load(TOP("{\"name\":\"q\",\"asks\":\"?\",\"workloads\":[\"fork\"],"
					  "\"cpus\":[8,32,128],\"limits\":[10,50]}"));
	static const uint64_t cpus[] = { 8, 32, 128 };
	char *text, want[128];

	for (size_t i = 0; i < 3; i++) {
		give(c, i, sizes[_i].change[i], 0.1, 0.5, 99);
		c->sites[i].ncpus = cpus[i];
	}
	text = print(c, DVM_CAMPAIGN_MARKDOWN);
	ck_says(text, "| series | 10 % | 50 % |");
	snprintf(want, sizeof(want), "| fork | %s | %s |", sizes[_i].ten, sizes[_i].fifty);
	ck_says(text, want);
	dvm_free(text);
	dvm_campaign_free(c);
}
END_TEST

/*
 * docs/model-hardware.md, k issuers, with 7 targets: spread = 2 * 100 * 7 = 1.4 ns; Non-Sync 1 + 1.4 ns;
 * Sync max(2 + 1.4, 0.5 + 10 + 0.5) = 11 ns; 50 of each in 1.34 us keep the node busy half the time.
 */
START_TEST(the_formula_stands_beside_the_simulation)
{
	struct dvm_campaign *c = load(TOP("{\"name\":\"q\",\"asks\":\"?\",\"workloads\":[\"fork\"],"
		"\"cpus\":[8],\"limits\":[10],\"latency\":true,\"environments\":[{\"name\":\"\",\"hw\":{"
		"\"dvm.node_op_ps\":1000,\"dvm.snoop_part_ps\":100,\"dvm.node_sync_ps\":2000,"
		"\"dvm.snoop_ps\":500,\"dvm.target_sync_ps\":10000,\"dvm.response_ps\":500}}]}"));
	char *text;

	give(c, 0, 5, 1, 2, 9);
	c->sites[0].ncpus = 8;
	c->sites[0].result.strategies[1].unpreemptible_max_ps = 7000;
	text = print(c, DVM_CAMPAIGN_MARKDOWN);
	ck_says(text, "| fork, 8 CPUs | 13.4 ns |");
	ck_says(text, "| 50 % |");
	ck_says(text, "| | active-cpu-v2 | 7.00 ns | - |");
	dvm_free(text);
	dvm_campaign_free(c);
}
END_TEST

/* published; changes and ranges simulated -> what stands in the last column */
static const struct {
	double published, change[2], lo[2], hi[2];
	const char *inside;
} figures[] = {
	{ 3, { 1, 5 }, { 0.5, 2 }, { 2, 9 }, "yes" },
	{ 7, { 1, 5 }, { 0.5, 2 }, { 2, 9 }, "only with the estimates' ranges" },
	{ 10, { 1, 5 }, { 0.5, 2 }, { 2, 9 }, "no" },
	{ -1, { 1, 5 }, { 0.5, 2 }, { 2, 9 }, "no" },
};

START_TEST(a_published_figure_is_inside_or_not)
{
	struct dvm_campaign *c;
	char text[1024], *out;

	snprintf(text, sizeof(text), TOP("{\"name\":\"q\",\"asks\":\"?\",\"workloads\":[\"fork:forks=1\","
		 "\"fork:forks=2\",\"mmap\"],\"published\":[{\"name\":\"F\",\"change_pct\":%g,\"source\":"
		 "\"S\",\"workloads\":[\"fork:forks=1\",\"fork:forks=2\"]}]}"), figures[_i].published);
	c = load(text);
	for (size_t i = 0; i < 2; i++)
		give(c, i, figures[_i].change[i], 0.1, figures[_i].lo[i], figures[_i].hi[i]);
	give(c, 2, 1000, 0.1, 900, 1100); /* another workload: does not count */
	out = print(c, DVM_CAMPAIGN_MARKDOWN);
	snprintf(text, sizeof(text), "| +1.00 %% .. +5.00 %% | +0.50 %% .. +9.00 %% | %s |",
		 figures[_i].inside);
	ck_says(out, text);
	ck_says(out, "- F: S");
	dvm_free(out);
	dvm_campaign_free(c);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "report");

	tcase_add_test(tc, an_answer_counts_and_names_the_extremes);
	tcase_add_test(tc, markdown_says_the_same);
	tcase_add_loop_test(tc, the_least_number_of_cpus_holds_for_all_greater_ones, 0,
			    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, the_formula_stands_beside_the_simulation);
	tcase_add_loop_test(tc, a_published_figure_is_inside_or_not, 0,
			    sizeof(figures) / sizeof(figures[0]));
}

CHECK_MAIN("report_campaign", add_cases)
