/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/file.h"
#include "base/mem.h"

#include <dvmsim/model.h>

#include <stdio.h>
#include <string.h>

#define MODELS DVMSIM_SOURCE_DIR "/models"

/* Do @check for every model that ships. */
static void each(void (*check)(const struct dvm_model *m))
{
	for (int kind = DVM_MODEL_HW; kind <= DVM_MODEL_KERNEL; kind++) {
		char *names, *save = NULL;
		unsigned count = 0;

		ck_assert_int_eq(dvm_model_names((enum dvm_model_kind)kind, MODELS, &names, NULL),
				 0);
		for (char *n = strtok_r(names, "\n", &save); n; n = strtok_r(NULL, "\n", &save)) {
			struct dvm_model *m = NULL;
			struct dvm_error err = { 0 };

			ck_assert_msg(!dvm_model_find((enum dvm_model_kind)kind, n, MODELS, &m,
						      &err), "%s: %s", err.where, err.text);
			check(m);
			dvm_model_free(m);
			count++;
		}
		dvm_free(names);
		ck_assert_uint_ge(count, 12);
	}
}

static void print_finding(void *arg, const struct dvm_error *err)
{
	char text[1024];

	(void)arg;
	dvm_error_format(err, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
}

static void lint(const struct dvm_model *m)
{
	ck_assert_int_eq(dvm_model_lint(dvm_model_kind(m), dvm_model_file(m), print_finding, NULL,
					NULL), 0);
}

START_TEST(every_shipped_model_lints_clean)
{
	each(lint);
}
END_TEST

/* The parts of issue 2 and the configurations it names. */
static const struct {
	enum dvm_model_kind kind;
	const char *name;
	int status;
	uint64_t cpus; /* of a part */
} expected[] = {
	{ DVM_MODEL_HW, "phytium-ftc862-8", DVM_MODEL_CALIBRATED, 8 },
	{ DVM_MODEL_HW, "huawei-a", DVM_MODEL_CALIBRATED, 64 },
	{ DVM_MODEL_HW, "snapdragon-888", DVM_MODEL_CALIBRATED, 8 },
	{ DVM_MODEL_HW, "ampere-emag-32", DVM_MODEL_CALIBRATED, 32 },
	{ DVM_MODEL_HW, "ampereone-152", DVM_MODEL_CALIBRATED, 152 },
	{ DVM_MODEL_HW, "thunderx2-2s", DVM_MODEL_ESTIMATED, 64 },
	{ DVM_MODEL_HW, "neoverse-n1-80", DVM_MODEL_ESTIMATED, 80 },
	{ DVM_MODEL_HW, "neoverse-n1-128", DVM_MODEL_ESTIMATED, 128 },
	{ DVM_MODEL_HW, "neoverse-v1-64", DVM_MODEL_ESTIMATED, 64 },
	{ DVM_MODEL_HW, "neoverse-v2-96", DVM_MODEL_ESTIMATED, 96 },
	{ DVM_MODEL_HW, "generic-64", DVM_MODEL_ESTIMATED, 64 },
	{ DVM_MODEL_HW, "teaching-4", DVM_MODEL_TEACHING, 4 },
	{ DVM_MODEL_KERNEL, "linux-6.12-debian", DVM_MODEL_ESTIMATED, 0 },
	{ DVM_MODEL_KERNEL, "linux-7.1", DVM_MODEL_ESTIMATED, 0 },
	{ DVM_MODEL_KERNEL, "linux-7.2-guest", DVM_MODEL_ESTIMATED, 0 },
};

START_TEST(a_part_has_the_cpus_of_its_name)
{
	static const char *const levels[] = { "topology.sockets", "topology.dies",
					      "topology.clusters", "topology.cores",
					      "topology.threads" };
	uint64_t cpus = expected[_i].cpus ? 1 : 0;
	struct dvm_model *m;

	ck_assert_int_eq(dvm_model_find(expected[_i].kind, expected[_i].name, MODELS, &m, NULL), 0);
	ck_assert_int_eq((int)dvm_model_status(m), expected[_i].status);
	for (int i = 0; i < 5 && cpus; i++) {
		struct dvm_param p = { .size = sizeof(p) };

		ck_assert_int_eq(dvm_model_param_find(m, levels[i], &p, NULL), 0);
		cpus *= p.value;
	}
	ck_assert_uint_eq(cpus, expected[_i].cpus);
	dvm_model_free(m);
}
END_TEST

/* A study moves each estimate to both ends of its range: nothing may contradict it there. */
static void sweep(const struct dvm_model *m)
{
	for (size_t i = 0; i < dvm_model_param_count(m); i++) {
		struct dvm_param p = { .size = sizeof(p) };
		struct dvm_error err = { 0 };

		ck_assert_int_eq(dvm_model_param(m, i, &p), 0);
		ck_assert(p.ranged || strcmp(p.source, "estimate") != 0);
		for (int end = 0; end < 2 && p.ranged; end++) {
			struct dvm_model *copy;

			ck_assert_int_eq(dvm_model_clone(m, &copy), 0);
			ck_assert_msg(!dvm_model_set(copy, p.path, end ? p.hi : p.lo, &err),
				      "%s: %s: %s", dvm_model_name(m), p.path, err.text);
			dvm_model_free(copy);
		}
	}
}

START_TEST(every_estimate_can_be_swept)
{
	each(sweep);
}
END_TEST

/* docs/provenance.md#sweep-box: the value is the middle of the range, rounded down. */
static void middle(const struct dvm_model *m)
{
	for (size_t i = 0; i < dvm_model_param_count(m); i++) {
		struct dvm_param p = { .size = sizeof(p) };

		ck_assert_int_eq(dvm_model_param(m, i, &p), 0);
		if (!strcmp(p.ref, "docs/provenance.md#sweep-box"))
			ck_assert_msg(p.value == (p.lo + p.hi) / 2, "%s: %s", dvm_model_name(m),
				      p.path);
	}
}

START_TEST(an_unknown_of_the_sweep_box_has_its_middle)
{
	each(middle);
}
END_TEST

/* A reference into the documentation leads somewhere. */
static void references(const struct dvm_model *m)
{
	for (size_t i = 0; i < dvm_model_param_count(m); i++) {
		struct dvm_param p = { .size = sizeof(p) };
		char path[512], anchor[128], *text;
		const char *hash;
		size_t size;

		ck_assert_int_eq(dvm_model_param(m, i, &p), 0);
		hash = strchr(p.ref, '#');
		if (strncmp(p.ref, "docs/", 5) != 0)
			continue;
		ck_assert_msg(hash, "%s: %s has no anchor", p.path, p.ref);
		snprintf(path, sizeof(path), "%s/%.*s", DVMSIM_SOURCE_DIR, (int)(hash - p.ref),
			 p.ref);
		snprintf(anchor, sizeof(anchor), "<a id=\"%s\"></a>", hash + 1);
		ck_assert_int_eq(dvmi_file_load(path, 1 << 20, &text, &size, NULL), 0);
		ck_assert_msg(strstr(text, anchor), "%s: %s: no %s", dvm_model_name(m), p.path,
			      p.ref);
		dvmi_free(text);
	}
}

START_TEST(every_reference_to_the_documentation_exists)
{
	each(references);
}
END_TEST

/* REPEAT_TLBI lists of Linux commit cfd391e74134, as far as they name parts that ship. */
static const struct {
	const char *name;
	uint64_t repeat, range;
} errata[] = {
	{ "neoverse-n1-80", 1, 0 },   { "neoverse-n1-128", 1, 0 },  { "neoverse-v1-64", 1, 1 },
	{ "neoverse-v2-96", 1, 1 },   { "snapdragon-888", 1, 0 },   { "phytium-ftc862-8", 0, 0 },
	{ "ampere-emag-32", 0, 0 },   { "thunderx2-2s", 0, 0 },
};

START_TEST(errata_and_range_operations_are_as_published)
{
	struct dvm_param p = { .size = sizeof(p) };
	struct dvm_model *m;

	ck_assert_int_eq(dvm_model_find(DVM_MODEL_HW, errata[_i].name, MODELS, &m, NULL), 0);
	ck_assert_int_eq(dvm_model_param_find(m, "erratum.repeat_tlbi", &p, NULL), 0);
	ck_assert_uint_eq(p.value, errata[_i].repeat);
	ck_assert_int_eq(dvm_model_param_find(m, "feature.range_tlbi", &p, NULL), 0);
	ck_assert_uint_eq(p.value, errata[_i].range);
	dvm_model_free(m);
}
END_TEST

START_TEST(the_published_schema_is_the_readers)
{
	char *text, *file;
	size_t size;

	ck_assert_int_eq(dvm_model_schema(_i ? DVM_MODEL_KERNEL : DVM_MODEL_HW, &text), 0);
	ck_assert_int_eq(dvmi_file_load(_i ? MODELS "/kernel.schema.json" : MODELS "/hw.schema.json",
					1 << 20, &file, &size, NULL), 0);
	ck_assert_msg(!strcmp(text, file), "write it anew: dvmsim model schema %s",
		      _i ? "kernel" : "hw");
	dvmi_free(file);
	dvm_free(text);
}
END_TEST

START_TEST(the_schema_survives_failing_allocations)
{
	unsigned long total;
	char *text;

	dvmi_mem_fail_at(0);
	ck_assert_int_eq(dvm_model_schema(DVM_MODEL_KERNEL, &text), 0);
	dvm_free(text);
	total = dvmi_mem_count();
	for (unsigned long n = 1; n <= total; n++) {
		dvmi_mem_fail_at(n);
		ck_assert_int_eq(dvm_model_schema(DVM_MODEL_KERNEL, &text), -DVM_ENOMEM);
	}
	dvmi_mem_fail_at(0);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "shipped models");

	tcase_add_test(tc, every_shipped_model_lints_clean);
	tcase_add_loop_test(tc, a_part_has_the_cpus_of_its_name, 0, COUNT(expected));
	tcase_add_test(tc, every_estimate_can_be_swept);
	tcase_add_test(tc, an_unknown_of_the_sweep_box_has_its_middle);
	tcase_add_test(tc, every_reference_to_the_documentation_exists);
	tcase_add_loop_test(tc, errata_and_range_operations_are_as_published, 0, COUNT(errata));
	tcase_add_loop_test(tc, the_published_schema_is_the_readers, 0, 2);
	tcase_add_test(tc, the_schema_survives_failing_allocations);
}

CHECK_MAIN("shipped models", add_cases)
