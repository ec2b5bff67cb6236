/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/json.h"
#include "base/mem.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* RFC 8259, and our limits: text -> the beginning of the message. */
static const struct {
	const char *text, *message;
} refused[] = {
	{ "", "f:1:1: a value was expected" },
	{ "{", "f:1:2: a key in quotes" },
	{ "{\"a\"}", "f:1:5: ':' was expected" },
	{ "{\"a\":1,}", "f:1:8: a key in quotes" },
	{ "[1 2]", "f:1:4: ',' or ']'" },
	{ "{\"a\":1 \"b\":2}", "f:1:8: ',' or '}'" },
	{ "[1,\n 2,\n x]", "f:3:2: a value was expected" },
	{ "[1] 2", "f:1:5: text after the end" },
	{ "[1]]", "f:1:4: text after the end" },
	{ "[01]", "f:1:2: a number does not begin with 0" },
	{ "[1.]", "f:1:4: a digit was expected after" },
	{ "[1e]", "f:1:4: a digit was expected in" },
	{ "[-]", "f:1:3: a digit was expected" },
	{ "[+1]", "f:1:2: a value was expected" },
	{ "[NaN]", "f:1:2: a value was expected" },
	{ "[Infinity]", "f:1:2: a value was expected" },
	{ "[nul]", "f:1:2: a value was expected" },
	{ "[9007199254740993]", "f:1:2: an integer beyond 2^53" },
	{ "[-9007199254740993]", "f:1:2: an integer beyond 2^53" },
	{ "[99999999999999999999999999]", "f:1:2: an integer beyond 2^53" },
	{ "[1e400]", "f: /0: the number is too large" },
	{ "{\"a\":{\"b\":[0,-1e999]}}", "f: /a/b/1: the number is too large" },
	{ "{\"a\":1,\"a\":1}", "f: /: duplicate key \"a\"" },
	{ "{\"x\":[{\"a\":1,\"b\":2,\"\\u0061\":3}]}", "f: /x/0: duplicate key \"a\"" },
	{ "[\"a\tb\"]", "f:1:4: a control character" },
	{ "[\"a", "f:1:2: the string does not end" },
	{ "[\"\\x\"]", "f:1:4: no such escape" },
	{ "[\"\\u12g4\"]", "f:1:7: \\u needs four" },
	{ "[\"\\u0000\"]", "f:1:3: \\u0000 is not allowed" },
	{ "[\"\\ud800x\"]", "f:1:3: half of a surrogate pair" },
	{ "[\"\\udc00\"]", "f:1:3: half of a surrogate pair" },
	{ "[\"\xc0\x80\"]", "f:1:3: not UTF-8" },
	{ "[\"\xed\xa0\x80\"]", "f:1:4: not UTF-8" },
	{ "[\"\xf5\x80\x80\x80\"]", "f:1:3: not UTF-8" },
	{ "[\"\xe2\x82\"]", "f:1:5: not UTF-8" },
	{ "\xef\xbb\xbf[]", "f:1:1: a value was expected" },
	{ "[1234567890.1234567890123456789023456789012345678901234567890123456789]",
	  "f:1:2: a number has too many digits" },
};

static int parse(const char *text, struct dvmi_json **doc, struct dvm_error *err)
{
	return dvmi_json_parse("f", text, strlen(text), doc, err);
}

START_TEST(malformed_text_is_refused_with_its_place)
{
	struct dvmi_json *doc = NULL;
	struct dvm_error err;
	char text[1024];

	ck_assert_int_eq(parse(refused[_i].text, &doc, &err), -DVM_EFORMAT);
	ck_assert_ptr_null(doc);
	dvm_error_format(&err, text, sizeof(text));
	ck_assert_msg(!strncmp(text, refused[_i].message, strlen(refused[_i].message)),
		      "%s: \"%s\", expected \"%s...\"", refused[_i].text, text,
		      refused[_i].message);
}
END_TEST

static const char *const accepted[] = {
	"0",	 "-0",	   "[]",   "{}",    " [ ] \n", "[9007199254740992]", "[1e-400]", "[1.5E+3]",
	"\"\"",	 "[true]", "null", "false", "{\"\":{\"\":[]}}", "[\"\\ud83d\\ude00\xf0\x9f\x98\x80\"]",
	"[{},{},[[]],{\"a\":[]}]",
};

START_TEST(well_formed_text_is_accepted)
{
	struct dvmi_json *doc = NULL;
	struct dvm_error err;

	ck_assert_msg(!parse(accepted[_i], &doc, &err), "%s: %s", accepted[_i], err.text);
	dvmi_json_free(doc);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char text[2 * DVMI_JSON_DEPTH + 3];
	struct dvmi_json *doc;

	for (int depth = DVMI_JSON_DEPTH; depth <= DVMI_JSON_DEPTH + 1; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		text[2 * depth] = '\0';
		if (depth > DVMI_JSON_DEPTH) {
			ck_assert_int_eq(parse(text, &doc, NULL), -DVM_ELIMIT);
			continue;
		}
		ck_assert_int_eq(parse(text, &doc, NULL), 0);
		dvmi_json_free(doc);
	}
}
END_TEST

/* RFC 6901, section 5: '~' is ~0 and '/' is ~1. */
START_TEST(pointer_escapes_keys)
{
	struct dvmi_json_at root, a, b;
	struct dvmi_json *doc;
	struct dvm_error err;
	uint64_t n;

	ck_assert_int_eq(parse("{\"m~n/o\":[1,-1]}", &doc, NULL), 0);
	root = dvmi_json_root(doc);
	ck_assert(dvmi_json_find(&root, "m~n/o", &a));
	ck_assert(dvmi_json_first(&a, &b) && dvmi_json_next(&b));
	ck_assert_int_eq(dvmi_json_u64(&b, 0, 9, &n, &err), -DVM_EFORMAT);
	ck_assert_str_eq(err.where, "f: /m~0n~1o/1");
	ck_assert_str_eq(err.text, "-1 is outside 0 to 9");
	dvmi_json_free(doc);
}
END_TEST

/* text -> is it a whole number from 3 to 2^53? */
static const struct {
	const char *text;
	int ret;
	uint64_t value;
} wholes[] = {
	{ "3", 0, 3 },
	{ "2", -DVM_EFORMAT, 0 },
	{ "3.5", -DVM_EFORMAT, 0 },
	{ "4e0", 0, 4 },
	{ "1e300", -DVM_EFORMAT, 0 },
	{ "9007199254740992", 0, UINT64_C(1) << 53 },
	{ "9007199254740994.0", -DVM_EFORMAT, 0 },
	{ "-3", -DVM_EFORMAT, 0 },
	{ "\"3\"", -DVM_EFORMAT, 0 },
	{ "null", -DVM_EFORMAT, 0 },
};

START_TEST(whole_numbers_are_exact_or_refused)
{
	struct dvmi_json *doc;
	struct dvmi_json_at root;
	uint64_t value = 77;

	ck_assert_int_eq(parse(wholes[_i].text, &doc, NULL), 0);
	root = dvmi_json_root(doc);
	ck_assert_int_eq(dvmi_json_u64(&root, 3, UINT64_MAX, &value, NULL), wholes[_i].ret);
	ck_assert_uint_eq(value, wholes[_i].ret ? 77 : wholes[_i].value);
	dvmi_json_free(doc);
}
END_TEST

/* The shortest digits that read back to the same double; Steele and White's problem. */
static const struct {
	double value;
	const char *text;
} doubles[] = {
	{ 0.1, "0.1" },	   { 1.0 / 3.0, "0.3333333333333333" }, { 5e-324, "5e-324" },
	{ 100.0, "1e+02" }, { -2.5, "-2.5" },			 { INFINITY, "null" },
	{ NAN, "null" },
};

START_TEST(doubles_are_written_shortest)
{
	struct dvmi_jw w = { 0 };
	char *text;

	dvmi_jw_double(&w, NULL, doubles[_i].value);
	ck_assert_int_eq(dvmi_jw_take(&w, &text), 0);
	text[strlen(text) - 1] = '\0';
	ck_assert_str_eq(text, doubles[_i].text);
	dvmi_free(text);
}
END_TEST

static int write_sample(char **text)
{
	struct dvmi_jw w = { 0 };

	dvmi_jw_object(&w, NULL);
	dvmi_jw_string(&w, "text", "a\"\\\n\t\x01\xc3\xa9");
	dvmi_jw_u64(&w, "big", UINT64_C(9007199254740992));
	dvmi_jw_i64(&w, "negative", -7);
	dvmi_jw_hex(&w, "hash", UINT64_C(0xcbf29ce484222325));
	dvmi_jw_array_line(&w, "line");
	dvmi_jw_bool(&w, NULL, true);
	dvmi_jw_null(&w, NULL);
	dvmi_jw_end_array(&w);
	dvmi_jw_object(&w, "empty");
	dvmi_jw_end_object(&w);
	dvmi_jw_raw(&w, "raw", "[\n\t1\n]\n");
	dvmi_jw_end_object(&w);
	return dvmi_jw_take(&w, text);
}

START_TEST(writing_is_exact_and_laid_out)
{
	struct dvmi_json *doc;
	char *text;

	ck_assert_int_eq(write_sample(&text), 0);
	ck_assert_str_eq(text, "{\n"
			       "\t\"text\": \"a\\\"\\\\\\n\\t\\u0001\xc3\xa9\",\n"
			       "\t\"big\": 9007199254740992,\n"
			       "\t\"negative\": -7,\n"
			       "\t\"hash\": \"0xcbf29ce484222325\",\n"
			       "\t\"line\": [true, null],\n"
			       "\t\"empty\": {},\n"
			       "\t\"raw\": [\n\t\t1\n\t]\n"
			       "}\n");
	ck_assert_int_eq(parse(text, &doc, NULL), 0);
	dvmi_json_free(doc);
	dvmi_free(text);
}
END_TEST

START_TEST(writing_survives_failing_allocations)
{
	unsigned long total;
	char *text;

	dvmi_mem_fail_at(0);
	ck_assert_int_eq(write_sample(&text), 0);
	dvmi_free(text);
	total = dvmi_mem_count();
	for (unsigned long n = 1; n <= total; n++) {
		dvmi_mem_fail_at(n);
		ck_assert_int_eq(write_sample(&text), -DVM_ENOMEM);
	}
	dvmi_mem_fail_at(0);
}
END_TEST

START_TEST(parsing_survives_failing_allocations)
{
	static const char text[] = "{\"a\":[1,{\"b\":2,\"c\":3}],\"d\":4}";
	struct dvmi_json *doc;
	unsigned long total;

	dvmi_mem_fail_at(0);
	ck_assert_int_eq(parse(text, &doc, NULL), 0);
	dvmi_json_free(doc);
	total = dvmi_mem_count();
	ck_assert_uint_gt(total, 0);
	for (unsigned long n = 1; n <= total; n++) {
		dvmi_mem_fail_at(n);
		ck_assert_int_eq(parse(text, &doc, NULL), -DVM_ENOMEM);
	}
	dvmi_mem_fail_at(0);
}
END_TEST

START_TEST(unknown_keys_are_named_with_the_nearest)
{
	static const char *const keys[] = { "value", "unit", NULL };
	struct dvmi_json_at root;
	struct dvmi_json *doc;
	struct dvm_error err;

	ck_assert_int_eq(parse("{\"unit\":1,\"valeu\":2}", &doc, NULL), 0);
	root = dvmi_json_root(doc);
	ck_assert_int_eq(dvmi_json_only_keys(&root, keys, &err), -DVM_EFORMAT);
	ck_assert_str_eq(err.where, "f: /valeu");
	ck_assert_str_eq(err.text, "unknown key; did you mean \"value\"?");
	dvmi_json_free(doc);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "json");

	tcase_add_loop_test(tc, malformed_text_is_refused_with_its_place, 0, COUNT(refused));
	tcase_add_loop_test(tc, well_formed_text_is_accepted, 0, COUNT(accepted));
	tcase_add_test(tc, nesting_is_bounded);
	tcase_add_test(tc, pointer_escapes_keys);
	tcase_add_loop_test(tc, whole_numbers_are_exact_or_refused, 0, COUNT(wholes));
	tcase_add_loop_test(tc, doubles_are_written_shortest, 0, COUNT(doubles));
	tcase_add_test(tc, writing_is_exact_and_laid_out);
	tcase_add_test(tc, writing_survives_failing_allocations);
	tcase_add_test(tc, parsing_survives_failing_allocations);
	tcase_add_test(tc, unknown_keys_are_named_with_the_nearest);
}

CHECK_MAIN("json", add_cases)
