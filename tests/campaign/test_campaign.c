/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "campaign/campaign.h"
#include "model/params.h"
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TREE DVMSIM_SOURCE_DIR

struct memory {
	char keys[64][17];
	char *texts[64];
	size_t count, lookups, hits;
	size_t stop_after; /* keep() fails after so many; 0: never */
};

static char *lookup(void *arg, const char *key)
{
	struct memory *m = arg;

	m->lookups++;
	for (size_t i = 0; i < m->count; i++) {
		if (!strcmp(m->keys[i], key)) {
			m->hits++;
			return strdup(m->texts[i]);
		}
	}
	return NULL;
}

static int keep(void *arg, const char *key, const char *text)
{
	struct memory *m = arg;

	ck_assert_uint_lt(m->count, 64);
	strcpy(m->keys[m->count], key);
	m->texts[m->count++] = strdup(text);
	return m->stop_after && m->count >= m->stop_after;
}

static void forget(struct memory *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->texts[i]);
}

static int load(const char *text, const struct dvm_campaign_options *extra,
		struct dvm_campaign **c, struct dvm_error *err)
{
	struct dvm_campaign_options o = { .size = sizeof(o), .models = TREE "/models",
					  .strategies = TREE "/models/strategies",
					  .traces = TREE "/traces", .threads = 1 };
	char path[] = "/tmp/dvmsim-campaign-XXXXXX";
	int fd = mkstemp(path), ret;
	FILE *f;

	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
	if (extra) {
		o.threads = extra->threads;
		o.lookup = extra->lookup;
		o.keep = extra->keep;
		o.arg = extra->arg;
		o.question = extra->question;
	}
	ret = dvm_campaign_load(path, &o, c, err);
	unlink(path);
	return ret;
}

#define TOP(more, questions) \
	"{\"schema\":\"dvmsim.study/1\",\"name\":\"t\",\"summary\":\"s\",\"sensitivity\":\"off\"," \
	"\"baseline\":\"always-broadcast\",\"strategies\":[\"always-broadcast\",\"active-cpu-v2\"]," \
	"\"hardware\":[\"teaching-4\"],\"kernels\":[\"linux-7.1\"]," more \
	"\"questions\":[" questions "]}"
#define Q(more) "{\"name\":\"q\",\"asks\":\"a\",\"workloads\":[\"mmap:loops=3\"]" more "}"

static const struct {
	const char *text, *message;
} bad[] = {
	{ "{}", "schema" },
	{ TOP("", ""), "from 1 to 256" },
	{ TOP("\"colour\":1,", Q("")), "colour" },
	{ TOP("", Q(",\"colour\":1")), "colour" },
	{ TOP("", Q("") "," Q("")), "there twice" },
	{ TOP("", Q(",\"strategies\":[\"active-cpu-v2\"]")), "two strategies" },
	{ TOP("", Q(",\"strategies\":[\"a\",\"a\"]")), "there twice" },
	{ TOP("", Q(",\"baseline\":\"null\"")), "none of the strategies" },
	{ TOP("", Q(",\"hardware\":[\"none-such\"]")), "no such hardware model" },
	{ TOP("", Q(",\"kernels\":[\"teaching-4\"]")), "" },
	{ TOP("", Q(",\"environments\":[{\"name\":\"e\",\"kernel\":{\"none\":1}}]")), "is called that" },
	{ TOP("", Q(",\"environments\":[{\"name\":\"e\",\"kernel\":{\"vm\":\"moon\"}}]")), "none of" },
	{ TOP("", Q(",\"environments\":[{\"name\":\"e\",\"hw\":{\"dvm.comp_ps\":true}}]")), "" },
	{ TOP("", Q(",\"environments\":[{\"name\":\"e\"},{\"name\":\"e\"}]")), "there twice" },
	{ TOP("", Q(",\"vary\":{\"hw\":\"dvm.none\",\"values\":[1]}")), "no parameter" },
	{ TOP("", Q(",\"vary\":{\"hw\":\"dvm.comp_ps\",\"values\":[]}")), "from 1 to 256" },
	{ TOP("", Q(",\"cpus\":[99999]")), "" },
	{ TOP("", Q(",\"seeds\":0")), "" },
	{ TOP("", Q(",\"sensitivity\":\"some\"")), "none of its words" },
	{ TOP("", Q(",\"subject\":\"null\"")), "none of the strategies" },
	{ TOP("", Q(",\"latency\":1")), "" },
	{ TOP("", Q(",\"limits\":[]")), "from 1 to 256" },
	{ TOP("", Q(",\"published\":[{\"name\":\"f\"}]")), "source" },
	{ TOP("", Q(",\"search\":{\"strategy\":\"null\"}")), "none of the strategies" },
};

START_TEST(bad_files_are_refused_with_their_place)
{
	struct dvm_campaign *c;
	struct dvm_error err = { 0 };

	ck_assert_msg(load(bad[_i].text, NULL, &c, &err) < 0, "%s", bad[_i].text);
	ck_assert_msg(strstr(err.text, bad[_i].message) || strstr(err.where, bad[_i].message),
		      "%s: %s", err.where, err.text);
}
END_TEST

START_TEST(a_grid_has_the_product_of_its_axes)
{
	struct dvm_campaign *c;
	struct dvm_error err;

	/* 2 * 3 workloads and 1, 2 CPU counts, 2 environments, 3 values */
	ck_assert_msg(load(TOP("", "{\"name\":\"q\",\"asks\":\"a\",\"workloads\":"
			       "[\"mmap:loops=1|2,pages=1|2|3\",\"fork\"],\"cpus\":[2,4],\"migrate_hz\":[0,100],"
			       "\"environments\":[{\"name\":\"x\"},{\"name\":\"y\"}],"
			       "\"vary\":{\"hw\":\"dvm.comp_ps\",\"values\":[1,2,3]}}"),
			   NULL, &c, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(dvm_campaign_sites(c), (2 * 3 + 1) * 2 * 2 * 2 * 3);
	ck_assert_str_eq(c->sites[0].workload, "mmap:loops=1,pages=1");
	ck_assert_str_eq(c->sites[5 * 24].workload, "mmap:loops=2,pages=3");
	dvm_campaign_free(c);
}
END_TEST

START_TEST(models_are_as_the_site_says)
{
	struct dvm_param p = { .size = sizeof(p) };
	struct dvm_model *hw, *kernel;
	struct dvm_campaign *c;

	ck_assert_int_eq(load(TOP("", Q(",\"cpus\":[8],\"environments\":[{\"name\":\"g\",\"kernel\":"
				   "{\"vm\":\"guest\"},\"hw\":{\"dvm.comp_ps\":77}}],"
				   "\"vary\":{\"kernel\":\"kpti\",\"values\":[true]}")), NULL, &c, NULL),
			 0);
	ck_assert_int_eq(dvmi_site_models(c, &c->sites[0], &hw, &kernel, NULL), 0);
	ck_assert_int_eq(dvm_model_param_find(hw, "dvm.comp_ps", &p, NULL), 0);
	ck_assert_uint_eq(p.value, 77);
	ck_assert_int_eq(dvm_model_param_find(kernel, "kpti", &p, NULL), 0);
	ck_assert_uint_eq(p.value, 1);
	ck_assert_int_eq(dvm_model_param_find(kernel, "vm", &p, NULL), 0);
	ck_assert_uint_eq(p.value, 1);
	ck_assert_uint_eq(dvmi_hw_cpus(dvmi_model_hw(hw)), 8);
	dvm_model_free(hw);
	dvm_model_free(kernel);
	dvm_campaign_free(c);
}
END_TEST

static char *print(const struct dvm_campaign *c, int format)
{
	char *text;

	ck_assert_int_eq(dvm_campaign_print(c, format, &text, NULL), 0);
	return text;
}

#define GRID TOP("", "{\"name\":\"q\",\"asks\":\"a\",\"workloads\":" \
		 "[\"mmap:loops=3,pages=1|2|4|8\",\"fork:forks=2\"]}")

/* Interrupted after any number of results, resumed, on one thread or several: the same bytes. */
START_TEST(a_resumed_campaign_gives_the_same_bytes)
{
	char *whole[4], *resumed;
	struct dvm_campaign *c;

	ck_assert_int_eq(load(GRID, NULL, &c, NULL), 0);
	ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
	for (int f = 0; f < 4; f++)
		whole[f] = print(c, f);
	dvm_campaign_free(c);
	for (size_t stop = 1; stop <= 5; stop++) {
		struct memory m = { .stop_after = stop };
		struct dvm_campaign_options o = { .lookup = lookup, .keep = keep, .arg = &m,
						  .threads = 1 };

		ck_assert_int_eq(load(GRID, &o, &c, NULL), 0);
		ck_assert_int_eq(dvm_campaign_run(c, NULL), -DVM_EBUDGET);
		dvm_campaign_free(c);
		m.stop_after = 0;
		ck_assert_int_eq(load(GRID, &o, &c, NULL), 0);
		ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
		ck_assert_uint_eq(m.hits, stop);
		ck_assert_uint_eq(m.count, 5);
		for (int f = 0; f < 4; f++) {
			resumed = print(c, f);
			ck_assert_str_eq(resumed, whole[f]);
			dvm_free(resumed);
		}
		dvm_campaign_free(c);
		forget(&m);
	}
	for (int f = 0; f < 4; f++)
		dvm_free(whole[f]);
}
END_TEST

START_TEST(the_number_of_threads_changes_nothing)
{
	struct dvm_campaign_options o = { .threads = 3 };
	struct dvm_campaign *c;
	char *one, *three;

	ck_assert_int_eq(load(GRID, NULL, &c, NULL), 0);
	ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
	one = print(c, DVM_CAMPAIGN_JSON);
	dvm_campaign_free(c);
	ck_assert_int_eq(load(GRID, &o, &c, NULL), 0);
	ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
	three = print(c, DVM_CAMPAIGN_JSON);
	ck_assert_str_eq(one, three);
	dvm_free(one);
	dvm_free(three);
	dvm_campaign_free(c);
}
END_TEST

/* A changed strategy list, seed or value is another site: its kept result is not taken. */
START_TEST(a_key_holds_everything_that_decides)
{
	static const char *const variants[] = {
		TOP("", Q("")),
		TOP("", Q(",\"seeds\":4")),
		TOP("", Q(",\"first_seed\":7")),
		TOP("", Q(",\"copies\":1")),
		TOP("", Q(",\"migrate_hz\":[1000]")),
		TOP("", Q(",\"schedule\":\"recorded\"")),
		TOP("", Q(",\"kernels\":[\"linux-6.6\"]")),
		TOP("", Q(",\"baseline\":\"active-cpu-v2\"")),
		TOP("", Q(",\"strategies\":[\"always-broadcast\",\"active-cpu-v1\"]")),
		TOP("", Q(",\"environments\":[{\"name\":\"e\",\"hw\":{\"dvm.comp_ps\":1}}]")),
		TOP("", "{\"name\":\"q\",\"asks\":\"a\",\"workloads\":[\"mmap:loops=4\"]}"),
	};
	struct memory m = { 0 };
	struct dvm_campaign_options o = { .lookup = lookup, .keep = keep, .arg = &m, .threads = 1 };

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct dvm_campaign *c;
		struct dvm_error err;

		ck_assert_msg(load(variants[i], &o, &c, &err) == 0, "%s", err.text);
		ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
		ck_assert_uint_eq(m.hits, 0);
		ck_assert_uint_eq(m.count, i + 1);
		dvm_campaign_free(c);
	}
	forget(&m);
}
END_TEST

/* Results survive being written and read, also without a value. */
START_TEST(a_result_survives_its_text)
{
	struct dvmi_outcome outcomes[2] = {
		{ .metric = "m \"x\"", .unit = "ps", .mean = 1.0 / 3, .change_pct = -0.1,
		  .ci95_pct = 0.2, .verdict = DVM_VERDICT_REGRESSED, .examined = true, .holds = false,
		  .lo_pct = -5, .hi_pct = 7, .params = 9, .flip_at = "dvm.comp_ps",
		  .flip_single = true, .flip_from = 3, .flip_to = 4 },
		{ .metric = "n", .unit = "", .higher_is_better = true, .mean = NAN },
	};
	struct dvmi_strategy_result strategy = { .status = DVM_RUN_STALE, .message = "stale",
						 .outcomes = outcomes, .count = 2,
						 .local_share = 0.25, .one_cpu_share = NAN,
						 .flush_max_ps = 12, .unpreemptible_max_ps = 5,
						 .interrupts_off_max_ps = 4, .run_ps = 7,
						 .interrupt_ps = 3 };
	struct dvmi_site_result r = { .strategies = &strategy, .count = 1, .error = "e" }, back;
	char *text, *again;

	ck_assert_int_eq(dvmi_result_write(&r, &text), 0);
	ck_assert_int_eq(dvmi_result_read(text, &back, NULL), 0);
	ck_assert(back.known);
	ck_assert_int_eq(dvmi_result_write(&back, &again), 0);
	ck_assert_str_eq(text, again);
	ck_assert_uint_eq(back.strategies[0].outcomes[0].flip_to, 4);
	ck_assert_uint_eq(back.strategies[0].flush_max_ps, 12);
	ck_assert_uint_eq(back.strategies[0].run_ps, 7);
	ck_assert_uint_eq(back.strategies[0].interrupt_ps, 3);
	ck_assert(isnan(back.strategies[0].outcomes[1].mean));
	ck_assert_int_eq(dvmi_outcome_word(&back.strategies[0], &outcomes[0]), DVMI_WORD_STALE);
	dvmi_result_fini(&back);
	dvm_free(text);
	dvm_free(again);
	ck_assert_int_lt(dvmi_result_read("{\"strategies\":[{}]}", &back, NULL), 0);
	ck_assert_int_lt(dvmi_result_read("", &back, NULL), 0);
}
END_TEST

static const struct {
	int status, verdict;
	double change;
	bool examined, holds;
	enum dvmi_word word;
} judged[] = {
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, 1, false, false, DVMI_WORD_WINS },
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, 1, true, true, DVMI_WORD_WINS },
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, 1, true, false, DVMI_WORD_UNDECIDED },
	{ DVM_RUN_OK, DVM_VERDICT_REGRESSED, -1, true, true, DVMI_WORD_LOSES },
	{ DVM_RUN_OK, DVM_VERDICT_REGRESSED, -0.001, true, true, DVMI_WORD_SAME },
	{ DVM_RUN_OK, DVM_VERDICT_UNDECIDED, 1, true, true, DVMI_WORD_OPEN },
	{ DVM_RUN_OK, DVM_VERDICT_UNDECIDED, 0.004, true, true, DVMI_WORD_SAME },
	{ DVM_RUN_OK, DVM_VERDICT_UNCHANGED, 0, true, true, DVMI_WORD_SAME },
	{ DVM_RUN_OK, DVM_VERDICT_BASELINE, 0, false, false, DVMI_WORD_NONE },
	{ DVM_RUN_OK, DVM_VERDICT_NONE, 0, false, false, DVMI_WORD_NONE },
	{ DVM_RUN_IMPOSSIBLE, DVM_VERDICT_NONE, 0, false, false, DVMI_WORD_NONE },
	{ DVM_RUN_STALE, DVM_VERDICT_IMPROVED, 9, true, true, DVMI_WORD_STALE },
};

START_TEST(an_outcome_is_called_what_it_is)
{
	struct dvmi_strategy_result r = { .status = judged[_i].status };
	struct dvmi_outcome o = { .verdict = judged[_i].verdict, .change_pct = judged[_i].change,
				  .examined = judged[_i].examined, .holds = judged[_i].holds };

	ck_assert_int_eq(dvmi_outcome_word(&r, &o), judged[_i].word);
}
END_TEST

/*
 * active-cpu-v1's extra DSB ISH costs a Sync where dvm.idle_sync is set: on the FTC862 that is the one
 * parameter that turns its sign (docs/provenance.md, "Switches of the fabric"), and being a switch it
 * turns between off and on.
 */
START_TEST(an_undecided_cell_names_what_turns_it)
{
	struct dvm_campaign *c;
	const struct dvmi_outcome *o;

	ck_assert_int_eq(load("{\"schema\":\"dvmsim.study/1\",\"name\":\"t\",\"summary\":\"s\","
			      "\"baseline\":\"always-broadcast\",\"strategies\":"
			      "[\"always-broadcast\",\"active-cpu-v1\"],"
			      "\"hardware\":[\"phytium-ftc862-8\"],\"kernels\":[\"linux-7.1\"],"
			      "\"schedule\":\"recorded\",\"questions\":[{\"name\":\"q\",\"asks\":\"a\","
			      "\"workloads\":[\"mmap:loops=5,pages=1\"],\"copies\":1}]}",
			      NULL, &c, NULL), 0);
	ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
	o = &c->sites[0].result.strategies[1].outcomes[0];
	ck_assert(o->examined && !o->holds);
	ck_assert_str_eq(o->flip_at, "dvm.idle_sync");
	ck_assert(o->flip_single);
	ck_assert_uint_eq(o->flip_from, 0);
	ck_assert_uint_eq(o->flip_to, 1);
	dvm_campaign_free(c);
}
END_TEST

/*
 * One run that a scheduler placed, without its ranges, tells no sign: one task elsewhere turns it. The
 * same run in a recorded schedule has nothing to move.
 */
START_TEST(one_scheduled_run_decides_nothing)
{
	static const char *const schedules[] = { "simulated", "recorded" };

	for (size_t i = 0; i < 2; i++) {
		struct dvm_campaign *c;
		const struct dvmi_outcome *o;
		char text[1024];

		snprintf(text, sizeof(text), TOP("\"schedule\":\"%s\",", Q(",\"copies\":1")), schedules[i]);
		ck_assert_int_eq(load(text, NULL, &c, NULL), 0);
		ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
		o = &c->sites[0].result.strategies[1].outcomes[0];
		ck_assert_uint_eq(o->n, 1);
		ck_assert_int_eq(dvmi_outcome_word(&c->sites[0].result.strategies[1], o),
				 i ? DVMI_WORD_WINS : DVMI_WORD_OPEN);
		dvm_campaign_free(c);
	}
}
END_TEST

/* mmap's gain falls with the pages per call (their work is not the flush's): the search goes there. */
START_TEST(a_search_goes_downhill)
{
	struct dvm_campaign *c;
	double first, last;

	ck_assert_int_eq(load(TOP("", Q(",\"search\":{\"strategy\":\"active-cpu-v2\",\"params\":"
				   "[\"pages\"],\"rounds\":5}")), NULL, &c, NULL), 0);
	ck_assert_int_eq(dvm_campaign_run(c, NULL), 0);
	ck_assert_uint_gt(c->nsites, 3);
	first = c->sites[0].result.strategies[1].outcomes[0].change_pct;
	last = first;
	for (size_t i = 1; i < c->nsites; i++) {
		double x = c->sites[i].result.strategies[1].outcomes[0].change_pct;

		last = x < last ? x : last;
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(c->sites[i].workload, c->sites[k].workload);
	}
	ck_assert(last < first);
	dvm_campaign_free(c);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "file");

	tcase_add_loop_test(tc, bad_files_are_refused_with_their_place, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, a_grid_has_the_product_of_its_axes);
	tcase_add_test(tc, models_are_as_the_site_says);
	tc = check_case(suite, "run");
	tcase_add_test(tc, a_resumed_campaign_gives_the_same_bytes);
	tcase_add_test(tc, the_number_of_threads_changes_nothing);
	tcase_add_test(tc, a_key_holds_everything_that_decides);
	tcase_add_test(tc, a_result_survives_its_text);
	tcase_add_loop_test(tc, an_outcome_is_called_what_it_is, 0,
			    sizeof(judged) / sizeof(judged[0]));
	tcase_add_test(tc, an_undecided_cell_names_what_turns_it);
	tcase_add_test(tc, one_scheduled_run_decides_nothing);
	tcase_add_test(tc, a_search_goes_downhill);
}

CHECK_MAIN("campaign", add_cases)
