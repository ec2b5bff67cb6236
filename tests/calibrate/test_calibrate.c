/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"
#include "base/mem.h"
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODELS DVMSIM_SOURCE_DIR "/models"
#define STRATEGIES MODELS "/strategies"
#define HEAD "id,platform,workload,metric,x,value,unit,grade,origin,source\n"

/* ---- the data file ---- */

static int parse(const char *text, struct dvmi_data *data, struct dvm_error *err)
{
	char *copy = strdup(text);
	int ret;

	*data = (struct dvmi_data){ 0 };
	ret = dvmi_data_parse("d.csv", copy, data, err);
	free(copy);
	return ret;
}

static const struct {
	const char *text, *message;
	unsigned line;
} bad_data[] = {
	{ "", "no measurements", 0 },
	{ HEAD, "no measurements", 0 },
	{ "id,x\nA,1\n", "the first line must be", 1 },
	{ HEAD "A,p,w,m,1,2,ns,A,R\n", "fewer than 10 columns", 2 },
	{ HEAD "A,p,w,m,1,2,ns,A,R,s,t\n", "more than 10 columns", 2 },
	{ HEAD "A,p,w,m,1,two,ns,A,R,s\n", "\"two\" is not a positive number", 2 },
	{ HEAD "A,p,w,m,1,0,ns,A,R,s\n", "\"0\" is not a positive number", 2 },
	{ HEAD "A,p,w,m,1,-3,ns,A,R,s\n", "not a positive number", 2 },
	{ HEAD "A,p,w,m,1,nan,ns,A,R,s\n", "not a positive number", 2 },
	{ HEAD "A,p,w,m,1,1e999,ns,A,R,s\n", "not a positive number", 2 },
	{ HEAD "A,p,\"w,m,1,2,ns,A,R,s\n", "a quoted field", 2 },
	{ HEAD "A,p,\"w\"x,m,1,2,ns,A,R,s\n", "a quoted field", 2 },
	{ HEAD "A,p,w\",m,1,2,ns,A,R,s\n", "a quoted field", 2 },
};

START_TEST(bad_data_are_refused_with_their_line)
{
	struct dvmi_data data;
	struct dvm_error err = { 0 };

	ck_assert_int_eq(parse(bad_data[_i].text, &data, &err), -DVM_EFORMAT);
	ck_assert_msg(strstr(err.text, bad_data[_i].message) != NULL, "%s", err.text);
	ck_assert_uint_eq(err.line, bad_data[_i].line);
	dvmi_data_fini(&data);
}
END_TEST

START_TEST(quotes_and_empty_lines_are_read)
{
	struct dvmi_data data;
	struct dvm_error err;

	ck_assert_int_eq(parse(HEAD "A,\"p, \"\"q\"\"\",w,m,quiet,2.5,ns,A,R,\"a,b\"\r\n\n"
			       "B,p,w,m,1e2,3,us,A,R,s", &data, &err), 0);
	ck_assert_uint_eq(data.count, 2);
	ck_assert_str_eq(data.rows[0].platform, "p, \"q\"");
	ck_assert(isnan(data.rows[0].number));
	ck_assert_double_eq(data.rows[0].value, 2.5);
	ck_assert_double_eq(data.rows[1].number, 100);
	dvmi_data_fini(&data);
}
END_TEST

/* ---- least squares ---- */

/* y_i = a + b * x_i, against data that lie on 3 + 0.5 x; a third parameter does nothing, a fourth
 * stands beside the second in a sum. */
static const double xs[] = { 1, 2, 4, 8, 16 };
#define ROWS (sizeof(xs) / sizeof(xs[0]))

static int line(void *arg, const double *p, size_t skip, double *out)
{
	size_t params = *(const size_t *)arg;

	for (size_t i = 0; i < ROWS; i++) {
		double slope = p[1] + (params > 3 ? p[3] : 0);

		if (i != skip)
			out[i] = (p[0] + slope * xs[i]) / (3 + 0.5 * xs[i]) - 1;
	}
	return 0;
}

START_TEST(the_fit_finds_the_line)
{
	size_t params = 3;
	struct dvmi_fit_problem problem = { ROWS, 3, line, &params };
	struct dvmi_fit_param p[3] = { { 100, 0, 1000, 0 }, { 20, 0, 1000, 0 }, { 7, 0, 1000, 0 } };

	ck_assert_int_eq(dvmi_fit(&problem, p, SIZE_MAX), 0);
	ck_assert_double_eq_tol(p[0].value, 3, 1e-6);
	ck_assert_double_eq_tol(p[1].value, 0.5, 1e-6);
	ck_assert_double_eq(p[2].value, 7);
	ck_assert_int_eq(p[0].state, DVM_CALIBRATION_DETERMINED);
	ck_assert_int_eq(p[1].state, DVM_CALIBRATION_DETERMINED);
	ck_assert_int_eq(p[2].state, DVM_CALIBRATION_NO_EFFECT);
}
END_TEST

START_TEST(a_sum_is_said_to_be_one)
{
	size_t params = 4;
	struct dvmi_fit_problem problem = { ROWS, 4, line, &params };
	struct dvmi_fit_param p[4] = { { 9, 0, 1000, 0 }, { 20, 0, 1000, 0 }, { 7, 0, 1000, 0 },
				       { 1, 0, 1000, 0 } };

	ck_assert_int_eq(dvmi_fit(&problem, p, SIZE_MAX), 0);
	ck_assert_double_eq_tol(p[1].value + p[3].value, 0.5, 1e-4);
	ck_assert_int_eq(p[1].state, DVM_CALIBRATION_SUM);
	ck_assert_int_eq(p[3].state, DVM_CALIBRATION_SUM);
}
END_TEST

START_TEST(a_fit_stays_within_its_bounds_and_says_so)
{
	size_t params = 2;
	struct dvmi_fit_problem problem = { ROWS, 2, line, &params };
	struct dvmi_fit_param p[2] = { { 9, 5, 1000, 0 }, { 2, 0, 1000, 0 } };

	ck_assert_int_eq(dvmi_fit(&problem, p, SIZE_MAX), 0);
	ck_assert_double_eq(p[0].value, 5);
	ck_assert_int_eq(p[0].state, DVM_CALIBRATION_BOUND);
}
END_TEST

/* A row that is left out does not pull: with an outlier skipped the line is exact. */
static int with_outlier(void *arg, const double *p, size_t skip, double *out)
{
	line(arg, p, skip, out);
	if (skip != 2)
		out[2] = (p[0] + p[1] * xs[2]) / 1 - 1;
	return 0;
}

START_TEST(a_row_left_out_does_not_pull)
{
	size_t params = 2;
	struct dvmi_fit_problem problem = { ROWS, 2, with_outlier, &params };
	struct dvmi_fit_param p[2] = { { 9, 0, 1000, 0 }, { 2, 0, 1000, 0 } };

	ck_assert_int_eq(dvmi_fit(&problem, p, 2), 0);
	ck_assert_double_eq_tol(p[0].value, 3, 1e-6);
	p[0].value = 9;
	ck_assert_int_eq(dvmi_fit(&problem, p, SIZE_MAX), 0);
	ck_assert(fabs(p[0].value - 3) > 0.1);
}
END_TEST

/* ---- from end to end ---- */

static void write_file(char *path, const char *text)
{
	FILE *f;
	int fd;

	strcpy(path, "/tmp/dvmsim-calibrate-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static int load(const char *data, const char *sets, const char *model,
		struct dvm_calibration **cal, struct dvm_error *err)
{
	char csv[64], json[64];
	int ret;

	write_file(csv, data);
	write_file(json, sets);
	ret = dvm_calibration_load(csv, json, MODELS, STRATEGIES, model, cal, err);
	unlink(csv);
	unlink(json);
	return ret;
}

/*
 * teaching-4 with range TLBI off: T(n) = flush_call + dsb_st + drain + T(n) of provenance.md. The rows
 * are T(n) = 5000 ns + 100 ns * n, made from a line, so the fitted model must lie on that line.
 */
static const char line_data[] = HEAD
	"T1,made up,call,m,1,5100,ns,A,D,a line\n"
	"T1,made up,call,m,10,6000,ns,A,D,a line\n"
	"T1,made up,call,m,100,15000,ns,A,D,a line\n"
	"T1,made up,other,m,x,3,ns,A,D,none\n";
static const char line_sets[] =
	"{\"schema\":\"dvmsim.calibration/1\",\"fits\":[{\"name\":\"t\",\"model\":\"teaching-4\","
	"\"kernel\":\"linux-6.6\",\"note\":\"n\","
	"\"free\":[\"tlbi.issue_broadcast_ps\",\"dvm.target_sync_ps\"],"
	"\"rows\":[{\"id\":\"T1\",\"workload\":\"call\",\"use\":\"fit\",\"experiment\":\"flush\"},"
	"{\"id\":\"T1\",\"workload\":\"other\",\"use\":\"none\",\"note\":\"why\"}]}]}";

START_TEST(a_model_is_fitted_to_measurements_and_written)
{
	struct dvm_calibration_info info;
	struct dvm_calibration_row row;
	struct dvm_calibration_param param;
	struct dvm_calibration *cal;
	struct dvm_param value = { .size = sizeof(value) };
	struct dvm_model *model;
	struct dvm_error err = { 0 };
	char *text;

	ck_assert_msg(load(line_data, line_sets, NULL, &cal, &err) == 0, "%s: %s", err.where, err.text);
	ck_assert_int_eq(dvm_calibration_model(cal, 0, "x", &text, &err), -DVM_EINVAL);
	ck_assert_msg(dvm_calibration_fit(cal, 0, true, &err) == 0, "%s", err.text);
	ck_assert_int_eq(dvm_calibration_get(cal, 0, &info), 0);
	ck_assert_uint_eq(info.rows, 4);
	ck_assert_double_lt(info.worst, 0.0005); /* whole picoseconds */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(dvm_calibration_get_row(cal, 0, i, &row), 0);
		ck_assert_double_eq_tol(row.fitted, row.measured, row.measured * 0.0005);
		ck_assert_double_eq_tol(row.left_out, row.measured, row.measured * 0.002);
		ck_assert(fabs(row.shipped - row.measured) > row.measured * 0.01);
	}
	ck_assert_int_eq(dvm_calibration_get_row(cal, 0, 3, &row), 0);
	ck_assert(isnan(row.fitted) && isnan(row.shipped));
	ck_assert_str_eq(row.note, "why");
	ck_assert_int_eq(dvm_calibration_get_param(cal, 0, 0, &param), 0);
	ck_assert_int_eq(param.state, DVM_CALIBRATION_DETERMINED);

	ck_assert_int_eq(dvm_calibration_model(cal, 0, "fitted", &text, &err), 0);
	ck_assert_msg(dvm_model_parse(DVM_MODEL_HW, "fitted", text, strlen(text), &model, &err) == 0,
		      "%s: %s", err.where, err.text);
	dvm_free(text);
	ck_assert_str_eq(dvm_model_name(model), "fitted");
	ck_assert_str_eq(dvm_model_calibrated_by(model), "T1");
	ck_assert_int_eq(dvm_model_param_find(model, "tlbi.issue_broadcast_ps", &value, NULL), 0);
	ck_assert_str_eq(value.source, "derived");
	ck_assert_double_eq_tol((double)value.value, param.fitted, 1);
	ck_assert_uint_eq(dvm_calibration_unused(cal), 0);
	dvm_model_free(model);
	dvm_calibration_free(cal);
}
END_TEST

START_TEST(the_same_input_gives_the_same_bits)
{
	double first = 0;

	for (int i = 0; i < 2; i++) {
		struct dvm_calibration_param param;
		struct dvm_calibration *cal;

		ck_assert_int_eq(load(line_data, line_sets, NULL, &cal, NULL), 0);
		ck_assert_int_eq(dvm_calibration_fit(cal, 0, false, NULL), 0);
		dvm_calibration_get_param(cal, 0, 1, &param);
		ck_assert(!i || memcmp(&first, &param.fitted, sizeof(first)) == 0);
		first = param.fitted;
		dvm_calibration_free(cal);
	}
}
END_TEST

#define FIT(free, row) \
	"{\"schema\":\"dvmsim.calibration/1\",\"fits\":[{\"name\":\"t\",\"model\":\"teaching-4\"," \
	"\"kernel\":\"linux-6.6\",\"note\":\"n\",\"free\":[" free "],\"rows\":[" row "]}]}"
#define ROW(more) "{\"id\":\"T1\",\"workload\":\"call\"" more "}"
#define USE(more) ROW(",\"use\":\"fit\",\"experiment\":" more)

static const struct {
	const char *sets, *message;
} bad_sets[] = {
	{ "{}", "schema" },
	{ "{\"schema\":\"x\",\"fits\":[]}", "schema must be" },
	{ "{\"schema\":\"dvmsim.calibration/1\",\"fits\":[]}", "no fit has a row" },
	{ FIT("\"dvm.none\"", USE("\"flush\"")), "no number \"dvm.none\"" },
	{ FIT("\"dvm.early_comp\"", USE("\"flush\"")), "no number" },
	{ FIT("\"dvm.comp_ps\",\"dvm.comp_ps\"", USE("\"flush\"")), "there twice" },
	{ FIT("", USE("\"flash\"")), "no experiment \"flash\"" },
	{ FIT("", ROW(",\"use\":\"guess\"")), "not fit, check or none" },
	{ FIT("", ROW("")), "use" },
	{ FIT("", "{\"id\":\"T9\",\"workload\":\"call\",\"use\":\"none\"}"), "no such row" },
	{ FIT("", USE("\"syscall\",\"op\":\"explode\"")), "no operation \"explode\"" },
	{ FIT("", USE("\"issuers\",\"work\":\"@w\"")), "not among this fit's unknowns" },
	{ FIT("", USE("\"sum\",\"sum\":[\"dvm.none\"]")), "no parameter \"dvm.none\"" },
	{ FIT("", USE("\"bystander\"")), "gives no \"ns\"" },
	{ FIT("", USE("\"flush\",\"per_x\":-1")), "must be positive" },
	{ FIT("", USE("\"flush\",\"loops\":0")), "loops" },
	{ FIT("", USE("\"flush\",\"colour\":1")), "colour" },
	{ FIT("", USE("\"flush\",\"strategy\":\"none-such\"")), "" },
	{ FIT("", "{\"id\":\"T1\",\"workload\":\"other\",\"use\":\"fit\",\"experiment\":\"flush\"}"),
	  "needs a number as x" },
};

START_TEST(bad_sets_are_refused)
{
	struct dvm_calibration *cal;
	struct dvm_error err = { 0 };
	int ret = load(line_data, bad_sets[_i].sets, NULL, &cal, &err);

	ck_assert_int_lt(ret, 0);
	ck_assert_msg(strstr(err.text, bad_sets[_i].message) || strstr(err.where, bad_sets[_i].message),
		      "%s: %s", err.where, err.text);
}
END_TEST

/* What the part has too few CPUs for is an error of the fit, not a crash. */
START_TEST(an_experiment_that_does_not_fit_the_part_says_so)
{
	struct dvm_calibration *cal;
	struct dvm_error err = { 0 };

	ck_assert_int_eq(load(line_data, FIT("", USE("\"issuers\"")), NULL, &cal, &err), 0);
	ck_assert_int_eq(dvm_calibration_fit(cal, 0, false, &err), -DVM_EINVAL);
	ck_assert_msg(strstr(err.text, "CPUs") != NULL, "%s", err.text);
	dvm_calibration_free(cal);
}
END_TEST

START_TEST(memory_that_runs_out_is_reported)
{
	for (unsigned long n = 1; n < 100000; n += n < 400 ? 1 : 97) {
		struct dvm_calibration *cal = NULL;
		int ret;

		dvmi_mem_fail_at(n);
		ret = load(line_data, line_sets, NULL, &cal, NULL);
		if (!ret)
			ret = dvm_calibration_fit(cal, 0, false, NULL);
		dvmi_mem_fail_at(0);
		dvm_calibration_free(cal);
		ck_assert(ret == 0 || ret == -DVM_ENOMEM);
		if (!ret)
			return;
	}
	ck_abort_msg("it never succeeded");
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "data");

	tcase_add_loop_test(tc, bad_data_are_refused_with_their_line, 0,
			    sizeof(bad_data) / sizeof(bad_data[0]));
	tcase_add_test(tc, quotes_and_empty_lines_are_read);
	tc = check_case(suite, "fit");
	tcase_add_test(tc, the_fit_finds_the_line);
	tcase_add_test(tc, a_sum_is_said_to_be_one);
	tcase_add_test(tc, a_fit_stays_within_its_bounds_and_says_so);
	tcase_add_test(tc, a_row_left_out_does_not_pull);
	tc = check_case(suite, "sets");
	tcase_add_test(tc, a_model_is_fitted_to_measurements_and_written);
	tcase_add_test(tc, the_same_input_gives_the_same_bits);
	tcase_add_loop_test(tc, bad_sets_are_refused, 0, sizeof(bad_sets) / sizeof(bad_sets[0]));
	tcase_add_test(tc, an_experiment_that_does_not_fit_the_part_says_so);
	tcase_add_test(tc, memory_that_runs_out_is_reported);
}

CHECK_MAIN("calibrate", add_cases)
