/* SPDX-License-Identifier: MIT */
/* Whole documents: what they must say, and that their JSON is what the published schema says. */
#include "check_main.h"
#include "fake.h"

#include <dvmsim/report.h>
#include <dvmsim/scenario.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const three[] = { "base", "better", "worse", NULL };

static struct fake_result rule(const struct dvm_sim_options *options)
{
	const char *name = dvm_strategy_name(options->strategy);
	double rate = !strcmp(name, "base") ? 1000 : !strcmp(name, "better") ? 1050 : 989;

	if (!strcmp(name, "stale"))
		return (struct fake_result){ .run_code = -DVM_EUNSAFE, .per_second = 5000 };
	return (struct fake_result){ .per_second = rate };
}

static struct dvm_study *ran(const char *const *names, int sensitivity)
{
	struct dvm_study_options o = { .size = sizeof(o), .threads = 1, .sensitivity = sensitivity };
	struct dvm_study *s = fake_study(&o, names);

	fake_rule = rule;
	ck_assert_int_eq(dvm_study_run(s, NULL), 0);
	return s;
}

static char *text_of(struct dvm_study *s)
{
	char *text;

	ck_assert_int_eq(dvm_report_text(s, NULL, &text, NULL), 0);
	dvm_study_free(s);
	return text;
}

static void says(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "does not say '%s':\n%s", what, text);
}

START_TEST(regressions_stand_beside_gains)
{
	char *text = text_of(ran(three, DVM_SENSITIVITY_SIGNS));

	says(text, "Summary: 1 regressed (R), 1 improved (I), 0 whose sign depends on an estimate");
	says(text, "(I) +5.00 %");
	says(text, "(R) -1.10 %");
	says(text, "jobs (ops/sec)");
	says(text, "1.00 k/s");
	says(text, "deterministic, n=1");
	says(text, "+5.00 .. +5.00 %");
	says(text, "Model: estimated");
	dvm_free(text);
}
END_TEST

START_TEST(ranges_not_looked_at_are_said_to_be)
{
	char *text = text_of(ran(three, DVM_SENSITIVITY_OFF));

	says(text, "NOT EXAMINED");
	dvm_free(text);
}
END_TEST

START_TEST(a_stale_strategy_gets_no_number)
{
	static const char *const names[] = { "base", "stale", NULL };
	char *text = text_of(ran(names, DVM_SENSITIVITY_OFF));

	says(text, "STALE");
	says(text, "stale: as the test wanted");
	ck_assert_ptr_null(strstr(text, "400 %")); /* 5000 against 1000 */
	ck_assert_ptr_null(strstr(text, "(I) +"));
	dvm_free(text);
}
END_TEST

START_TEST(what_has_not_run_can_not_be_reported)
{
	struct dvm_study_options o = { .size = sizeof(o) };
	struct dvm_study *s = fake_study(&o, three);
	char *text;

	ck_assert_int_eq(dvm_report_text(s, NULL, &text, NULL), -DVM_EINVAL);
	ck_assert_int_eq(dvm_report_json(s, &text, NULL), -DVM_EINVAL);
	ck_assert_int_eq(dvm_report_run_text(s, &text, NULL), -DVM_EINVAL);
	dvm_study_free(s);
}
END_TEST

/* ---- The schema: the keywords that docs/compare.schema.json uses ---- */

static const cJSON *schema_root;

static bool has_type(const cJSON *value, const char *type)
{
	if (!strcmp(type, "integer"))
		return cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble);
	return !strcmp(type, "object") ? cJSON_IsObject(value) :
	       !strcmp(type, "array") ? cJSON_IsArray(value) :
	       !strcmp(type, "string") ? cJSON_IsString(value) :
	       !strcmp(type, "number") ? cJSON_IsNumber(value) :
	       !strcmp(type, "boolean") ? cJSON_IsBool(value) : cJSON_IsNull(value);
}

static bool conforms(const cJSON *value, const cJSON *schema, char why[256]);

static bool object_conforms(const cJSON *value, const cJSON *schema, char why[256])
{
	const cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties"), *item;
	const cJSON *others = cJSON_GetObjectItemCaseSensitive(schema, "additionalProperties");
	bool closed = cJSON_IsFalse(others);

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(schema, "required")) {
		if (cJSON_GetObjectItemCaseSensitive(value, item->valuestring))
			continue;
		snprintf(why, 256, "%s is missing", item->valuestring);
		return false;
	}
	cJSON_ArrayForEach(item, value) {
		const cJSON *rule_of = cJSON_GetObjectItemCaseSensitive(properties, item->string);

		if (!rule_of && closed) {
			snprintf(why, 256, "%s is not in the schema", item->string);
			return false;
		}
		if (!rule_of && cJSON_IsObject(others))
			rule_of = others;
		if (rule_of && !conforms(item, rule_of, why))
			return false;
	}
	return true;
}

static bool type_conforms(const cJSON *value, const cJSON *type)
{
	const cJSON *item;

	if (!type || cJSON_IsString(type))
		return !type || has_type(value, type->valuestring);
	cJSON_ArrayForEach(item, type)
		if (has_type(value, item->valuestring))
			return true;
	return false;
}

static bool one_of(const cJSON *value, const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (cJSON_Compare(value, item, true))
			return true;
	return !list;
}

static bool any_of(const cJSON *value, const cJSON *list, char why[256])
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (conforms(value, item, why))
			return true;
	return !list;
}

static bool conforms(const cJSON *value, const cJSON *schema, char why[256])
{
	const cJSON *ref = cJSON_GetObjectItemCaseSensitive(schema, "$ref"), *item;
	const cJSON *constant = cJSON_GetObjectItemCaseSensitive(schema, "const");

	if (ref) {
		const cJSON *defs = cJSON_GetObjectItemCaseSensitive(schema_root, "$defs");

		schema = cJSON_GetObjectItemCaseSensitive(defs, ref->valuestring + strlen("#/$defs/"));
		ck_assert_ptr_nonnull(schema);
	}
	snprintf(why, 256, "%s has a wrong value", value->string ? value->string : "an element");
	if (!type_conforms(value, cJSON_GetObjectItemCaseSensitive(schema, "type")) ||
	    !one_of(value, cJSON_GetObjectItemCaseSensitive(schema, "enum")) ||
	    (constant && !cJSON_Compare(value, constant, true)) ||
	    !any_of(value, cJSON_GetObjectItemCaseSensitive(schema, "anyOf"), why))
		return false;
	if (cJSON_IsObject(value))
		return object_conforms(value, schema, why);
	if (!cJSON_IsArray(value) || !cJSON_GetObjectItemCaseSensitive(schema, "items"))
		return true;
	cJSON_ArrayForEach(item, value)
		if (!conforms(item, cJSON_GetObjectItemCaseSensitive(schema, "items"), why))
			return false;
	return true;
}

static cJSON *load_schema(void)
{
	FILE *f = fopen(DVMSIM_SOURCE_DIR "/docs/compare.schema.json", "r");
	static char text[65536];
	cJSON *schema;
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	schema = cJSON_Parse(text);
	ck_assert_ptr_nonnull(schema);
	return schema;
}

static cJSON *document(const char *const *names, int sensitivity)
{
	struct dvm_study *s = ran(names, sensitivity);
	cJSON *doc;
	char *text;

	ck_assert_int_eq(dvm_report_json(s, &text, NULL), 0);
	doc = cJSON_Parse(text);
	ck_assert_ptr_nonnull(doc);
	dvm_free(text);
	dvm_study_free(s);
	return doc;
}

static const char *const with_stale[] = { "base", "better", "stale", NULL };

START_TEST(json_is_what_the_schema_says)
{
	cJSON *schema = load_schema(), *doc = document(_i ? with_stale : three, _i);
	char why[256] = "";

	schema_root = schema;
	ck_assert_msg(conforms(doc, schema, why), "%s", why);
	cJSON_Delete(doc);
	cJSON_Delete(schema);
}
END_TEST

/* The test of the test: each of these breaks a rule that the checker must know. */
static const char *const broken[] = {
	"{}",
	"{\"schema\":\"dvmsim.compare/2\",\"cells\":[],\"runs\":[],\"manifest\":{}}",
	"{\"schema\":\"dvmsim.compare/1\",\"cells\":[{}],\"runs\":[],\"manifest\":{}}",
	"{\"schema\":\"dvmsim.compare/1\",\"cells\":[],\"runs\":[],\"manifest\":{},\"date\":1}",
	"[]",
};

START_TEST(schema_refuses_what_is_no_result)
{
	cJSON *schema = load_schema(), *doc = cJSON_Parse(broken[_i]);
	char why[256];

	schema_root = schema;
	ck_assert(!conforms(doc, schema, why));
	cJSON_Delete(doc);
	cJSON_Delete(schema);
}
END_TEST

static const char *direct_verdict(const cJSON *doc, const char *strategy, unsigned scenario)
{
	const cJSON *manifest = cJSON_GetObjectItem(doc, "manifest"), *item;
	struct dvm_scenario_result *r;
	struct dvm_strategy *s = NULL;
	const char *verdict;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(manifest, "strategies"))
		if (!strcmp(cJSON_GetObjectItem(item, "name")->valuestring, strategy))
			ck_assert_int_eq(dvm_strategy_parse(cJSON_GetObjectItem(item, "text")->valuestring,
							    "t", &s, NULL), 0);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(dvm_scenario_check(s, scenario, NULL, &r, NULL), 0);
	verdict = dvm_scenario_verdict_name(dvm_scenario_verdict(r));
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	return verdict;
}

/* No number without the checker's word on the strategy: in the document as in the text. */
START_TEST(every_strategy_has_the_checkers_verdicts)
{
	cJSON *doc = document(with_stale, DVM_SENSITIVITY_OFF);
	const cJSON *item;
	int strategies = 0, quick = 0;

	for (unsigned i = 0; i < dvm_scenarios(); i++)
		quick += dvm_scenario_quick(i) != 0;
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(doc, "safety")) {
		const char *name = cJSON_GetObjectItem(item, "strategy")->valuestring;
		const cJSON *cat = cJSON_GetObjectItem(item, "cat");

		strategies++;
		/* This kernel is no guest, has no KPTI and repeats no TLBI. */
		ck_assert_int_eq(cJSON_GetArraySize(cat), quick - 3);
		for (unsigned k = 0; k < 3; k++)
			ck_assert_str_eq(cJSON_GetObjectItem(cat, dvm_scenario_name(k))->valuestring,
					 direct_verdict(doc, name, k));
	}
	ck_assert_int_eq(strategies, 3);
	cJSON_Delete(doc);
}
END_TEST

/* The values of the cell the issue asks for. */
START_TEST(cells_carry_the_numbers)
{
	cJSON *doc = document(three, DVM_SENSITIVITY_OFF);
	const cJSON *cell;
	int found = 0;

	cJSON_ArrayForEach(cell, cJSON_GetObjectItem(doc, "cells")) {
		if (strcmp(cJSON_GetObjectItem(cell, "strategy")->valuestring, "worse") ||
		    strcmp(cJSON_GetObjectItem(cell, "metric")->valuestring, "jobs"))
			continue;
		found++;
		ck_assert_double_eq(cJSON_GetObjectItem(cell, "mean")->valuedouble, 989);
		ck_assert_double_eq_tol(cJSON_GetObjectItem(cell, "change_pct")->valuedouble, -1.1,
					1e-12);
		ck_assert_str_eq(cJSON_GetObjectItem(cell, "verdict")->valuestring, "regressed");
		ck_assert_str_eq(cJSON_GetObjectItem(cell, "workload")->valuestring, "fork");
		ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(cell, "deterministic")));
	}
	ck_assert_int_eq(found, 1);
	cJSON_Delete(doc);
}
END_TEST

/* What from_json() must refuse: a change of the document, and what the error names. */
static const struct {
	const char *from, *to, *says;
	int code;
} forged[] = {
	{ "dvmsim.compare/1", "dvmsim.compare/9", "dvmsim.compare/9", -DVM_EFORMAT },
	{ "\"manifest\"", "\"manifold\"", "manifest", -DVM_EFORMAT },
	{ "\"first_seed\"", "\"worst_seed\"", "first_seed", -DVM_EFORMAT },
	{ "sensitivity\": \"off\"", "sensitivity\": \"on!\"", "signs", -DVM_EFORMAT },
	{ "strategy better", "strategy bettor", "hash", -DVM_EINVAL },
	{ "tlbi is\\n", "tlbi xx\\n", "", -DVM_EFORMAT },
	{ "\"generator\": \"mmap:loops=2\"", "\"generator\": \"mmap:loops=3\"", "hash",
	  -DVM_EINVAL },
	{ "\"generator\"", "\"trace\"    ", "", -DVM_ENOENT },
	{ "Linux 7.1", "Linux 7.0", "hash", -DVM_EINVAL },
};

static char *forge(const char *text, const char *from, const char *to)
{
	char *copy = strdup(text), *at, *last = NULL;

	/* The last occurrence: the manifest's. */
	for (at = copy; (at = strstr(at, from)); at++)
		last = at;
	ck_assert_msg(last, "'%s' is not in the document", from);
	memmove(last + strlen(to), last + strlen(from), strlen(last + strlen(from)) + 1);
	memcpy(last, to, strlen(to));
	return copy;
}

START_TEST(a_forged_result_is_not_repeated)
{
	struct dvm_study_options o = { .size = sizeof(o), .sensitivity = DVM_SENSITIVITY_OFF };
	struct dvm_study *s = NULL, *again = NULL;
	struct dvm_error err = { 0 };
	char *text, *copy, message[1024];

	ck_assert_int_eq(dvm_study_new(&o, &s, NULL), 0);
	s->engine = &fake_engine;
	fake_rule = rule;
	dvm_study_take_strategy(s, fake_strategy("base"), NULL);
	dvm_study_take_strategy(s, fake_strategy("better"), NULL);
	dvm_study_take_model(s, fake_model(DVM_MODEL_HW, "generic-64"), NULL);
	dvm_study_take_model(s, fake_model(DVM_MODEL_KERNEL, "linux-7.1"), NULL);
	ck_assert_int_eq(dvm_study_add_workload(s, "mmap:loops=2", NULL), 0);
	ck_assert_int_eq(dvm_study_run(s, NULL), 0);
	ck_assert_int_eq(dvm_report_json(s, &text, NULL), 0);
	dvm_study_free(s);
	ck_assert_int_eq(dvm_study_from_json(text, strlen(text), "r.json", "/none", NULL, &again, NULL),
			 0);
	dvm_study_free(again);
	copy = forge(text, forged[_i].from, forged[_i].to);
	ck_assert_int_eq(dvm_study_from_json(copy, strlen(copy), "r.json", "/none", NULL, &again,
					     &err), forged[_i].code);
	dvm_error_format(&err, message, sizeof(message));
	says(message, forged[_i].says);
	free(copy);
	dvm_free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "documents");

	tcase_add_test(tc, regressions_stand_beside_gains);
	tcase_add_test(tc, ranges_not_looked_at_are_said_to_be);
	tcase_add_test(tc, a_stale_strategy_gets_no_number);
	tcase_add_test(tc, what_has_not_run_can_not_be_reported);
	tcase_add_loop_test(tc, json_is_what_the_schema_says, 0, 2);
	tcase_add_loop_test(tc, schema_refuses_what_is_no_result, 0,
			    sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(tc, every_strategy_has_the_checkers_verdicts);
	tcase_add_test(tc, cells_carry_the_numbers);
	tcase_add_loop_test(tc, a_forged_result_is_not_repeated, 0,
			    sizeof(forged) / sizeof(forged[0]));
}

CHECK_MAIN("report_study", add_cases)
