/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/mem.h"
#include "base/rng.h"
#include "model/model.h"
#include "model/params.h"

#include <dvmsim/model.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Paths in messages are as given, so the tests run where the data are. */
static void enter(void)
{
	ck_assert_int_eq(chdir(DVMSIM_SOURCE_DIR "/tests/model"), 0);
}

static struct dvm_model *load(const char *path)
{
	struct dvm_model *model = NULL;
	struct dvm_error err = { 0 };

	enter();
	ck_assert_msg(!dvm_model_load(DVM_MODEL_ANY, path, &model, &err), "%s: %s", err.where,
		      err.text);
	return model;
}

static uint64_t value(const struct dvm_model *m, const char *path)
{
	struct dvm_param p = { .size = sizeof(p) };

	ck_assert_int_eq(dvm_model_param_find(m, path, &p, NULL), 0);
	return p.value;
}

/* invalid/expected.tsv: file, the message a user sees. */
static int message_of(const char *name, char *message, size_t size)
{
	FILE *f = fopen("invalid/expected.tsv", "r");
	char line[1024];
	int found = 0;

	ck_assert_ptr_nonnull(f);
	while (!found && fgets(line, sizeof(line), f)) {
		char *tab = strchr(line, '\t');

		ck_assert_ptr_nonnull(tab);
		*tab = '\0';
		found = !strcmp(line, name);
		tab[strcspn(tab + 1, "\n") + 1] = '\0';
		snprintf(message, size, "%s", tab + 1);
	}
	fclose(f);
	return found;
}

START_TEST(every_mistake_is_refused_with_its_place_and_cure)
{
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	enter();
	dir = opendir("invalid");
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		char path[300], name[256], expected[1024], message[1024];
		struct dvm_model *model = NULL;
		struct dvm_error err;
		char *dot = strstr(entry->d_name, ".json");

		/* What the others inherit is not a mistake. */
		if (!dot || !strcmp(entry->d_name, "base.json") ||
		    !strcmp(entry->d_name, "kernel.json") || !strcmp(entry->d_name, "ring.json"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(dot - entry->d_name), entry->d_name);
		ck_assert_msg(message_of(name, expected, sizeof(expected)), "%s has no line", name);
		snprintf(path, sizeof(path), "invalid/%s", entry->d_name);
		ck_assert_msg(dvm_model_load(DVM_MODEL_ANY, path, &model, &err) == -DVM_EFORMAT,
			      "%s was accepted", path);
		ck_assert_ptr_null(model);
		dvm_error_format(&err, message, sizeof(message));
		/* The line may stop before the words of the documentation. */
		ck_assert_msg(!strncmp(message, expected, strlen(expected)),
			      "\"%s\", expected \"%s\"", message, expected);
		count++;
	}
	closedir(dir);
	ck_assert_uint_ge(count, 60);
}
END_TEST

START_TEST(a_chain_of_files_is_bounded)
{
	char dir[] = "/tmp/dvmsim-model-XXXXXX", path[64];
	struct dvm_model *model = NULL;
	struct dvm_error err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (int i = 0; i <= DVMI_MODEL_CHAIN_MAX; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%d.json", dir, i);
		f = fopen(path, "w");
		ck_assert_ptr_nonnull(f);
		fprintf(f, "{\"schema\":\"dvmsim.hw/1\",\"inherits\":\"%d.json\"}", i + 1);
		fclose(f);
	}
	snprintf(path, sizeof(path), "%s/0.json", dir);
	ck_assert_int_eq(dvm_model_load(DVM_MODEL_HW, path, &model, &err), -DVM_EFORMAT);
	ck_assert_str_eq(err.text, "more than 8 files inherit one from another");
	for (int i = 0; i <= DVMI_MODEL_CHAIN_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%d.json", dir, i);
		unlink(path);
	}
	rmdir(dir);
}
END_TEST

/* What is set nearer wins; what is not set comes from further away, with the file that gave it. */
START_TEST(inheritance_takes_the_nearest_value)
{
	struct dvm_model *m = load("valid/grandchild.json");
	struct dvm_param p = { .size = sizeof(p) };

	ck_assert_uint_eq(value(m, "dvm.comp_ps"), 9);
	ck_assert_uint_eq(value(m, "dvm.request_ps"), 7);
	ck_assert_uint_eq(value(m, "dvm.snoop_ps"), 100000);
	ck_assert_uint_eq(value(m, "dvm.early_comp"), 1);
	ck_assert_uint_eq(value(m, "dvm.snoop_unit"), DVMI_SNOOP_CLUSTER);
	ck_assert_int_eq(dvm_model_param_find(m, "dvm.comp_ps", &p, NULL), 0);
	ck_assert_str_eq(p.file, "valid/grandchild.json");
	ck_assert_str_eq(p.source, "measured");
	ck_assert_str_eq(p.note, "\xc3\xa9");
	ck_assert_uint_eq(p.lo, 8);
	ck_assert_uint_eq(p.hi, 10);
	ck_assert_int_eq(dvm_model_param_find(m, "dvm.request_ps", &p, NULL), 0);
	ck_assert_str_eq(p.file, "valid/child.json");
	ck_assert_int_eq(p.ranged, 0);
	ck_assert_int_eq(dvm_model_param_find(m, "dvm.snoop_ps", &p, NULL), 0);
	ck_assert_str_eq(p.file, "valid/full-hw.json");
	ck_assert_str_eq(dvm_model_name(m), "grandchild");
	dvm_model_free(m);
}
END_TEST

START_TEST(the_head_is_not_inherited)
{
	struct dvm_model *m = load("valid/only-a-head.json");

	ck_assert_str_eq(dvm_model_name(m), "only-a-head");
	ck_assert_str_eq(dvm_model_status_name(m), "calibrated");
	ck_assert_int_eq((int)dvm_model_status(m), DVM_MODEL_CALIBRATED);
	ck_assert_str_eq(dvm_model_calibrated_by(m), "C1, C10");
	ck_assert_str_eq(dvm_model_note(m), "n");
	ck_assert_str_eq(dvm_model_file(m), "valid/only-a-head.json");
	dvm_model_free(m);
}
END_TEST

START_TEST(structs_hold_what_the_paths_say)
{
	struct dvm_model *hw = load("valid/full-hw.json"), *k = load("valid/full-kernel.json");

	ck_assert_ptr_null(dvmi_model_kernel(hw));
	ck_assert_ptr_null(dvmi_model_hw(k));
	ck_assert_uint_eq(dvmi_model_hw(hw)->topology_sockets, value(hw, "topology.sockets"));
	ck_assert_uint_eq(dvmi_model_hw(hw)->dvm_target_sync_ps, 110000);
	ck_assert_uint_eq(dvmi_model_hw(hw)->feature_asid_bits, 8);
	ck_assert_uint_eq(dvmi_model_kernel(k)->version, 701);
	ck_assert_uint_eq(dvmi_model_kernel(k)->preempt, DVMI_PREEMPT_LAZY);
	ck_assert_uint_eq(dvmi_model_kernel(k)->vm, DVMI_VM_NATIVE);
	ck_assert_uint_eq(dvmi_hw_cpus(dvmi_model_hw(hw)), 4);
	dvm_model_free(hw);
	dvm_model_free(k);
}
END_TEST

static const char *const valid[] = {
	"valid/full-hw.json", "valid/full-kernel.json", "valid/child.json",
	"valid/grandchild.json", "valid/only-a-head.json",
};
#define VALIDS ((int)(sizeof(valid) / sizeof(valid[0])))

START_TEST(resolved_json_reads_back_to_the_same_bytes)
{
	struct dvm_model *m = load(valid[_i]), *again;
	char *text, *twice;
	uint64_t h1, h2;

	ck_assert_int_eq(dvm_model_to_json(m, &text), 0);
	ck_assert_int_eq(dvm_model_parse(dvm_model_kind(m), "result", text, strlen(text), &again,
					 NULL), 0);
	ck_assert_int_eq(dvm_model_to_json(again, &twice), 0);
	ck_assert_str_eq(text, twice);
	ck_assert_int_eq(dvm_model_hash(m, &h1), 0);
	ck_assert_int_eq(dvm_model_hash(again, &h2), 0);
	ck_assert_uint_eq(h1, h2);
	dvm_free(text);
	dvm_free(twice);
	dvm_model_free(m);
	dvm_model_free(again);
}
END_TEST

START_TEST(set_changes_one_value_of_one_copy)
{
	struct dvm_model *m = load("valid/full-hw.json"), *copy;
	struct dvm_param p = { .size = sizeof(p) };
	uint64_t before, after, original;
	char *text;

	ck_assert_int_eq(dvm_model_clone(m, &copy), 0);
	ck_assert_int_eq(dvm_model_hash(copy, &before), 0);
	ck_assert_int_eq(dvm_model_set(copy, "dvm.request_ps", 123, NULL), 0);
	ck_assert_int_eq(dvm_model_hash(copy, &after), 0);
	ck_assert_int_eq(dvm_model_hash(m, &original), 0);
	ck_assert_uint_ne(before, after);
	ck_assert_uint_eq(before, original);
	ck_assert_uint_eq(dvmi_model_hw(copy)->dvm_request_ps, 123);
	ck_assert_uint_eq(dvmi_model_hw(m)->dvm_request_ps, 100000);
	ck_assert_int_eq(dvm_model_param_find(copy, "dvm.request_ps", &p, NULL), 0);
	ck_assert_str_eq(p.source, "set");
	/* A changed model goes into results too, and must read back. */
	ck_assert_int_eq(dvm_model_to_json(copy, &text), 0);
	dvm_model_free(m);
	ck_assert_int_eq(dvm_model_parse(DVM_MODEL_HW, "r", text, strlen(text), &m, NULL), 0);
	ck_assert_uint_eq(dvmi_model_hw(m)->dvm_request_ps, 123);
	dvm_free(text);
	dvm_model_free(m);
	dvm_model_free(copy);
}
END_TEST

/* path, value -> code, sentence */
static const struct {
	const char *path;
	uint64_t value;
	int ret;
	const char *text;
} sets[] = {
	{ "dvm.request_pss", 1, -DVM_ENOENT,
	  "no parameter \"dvm.request_pss\"; did you mean \"dvm.request_ps\"?" },
	{ "dvm.request_ps", 100000001, -DVM_EINVAL, "100000001 is outside 0 to 100000000" },
	{ "dvm.early_comp", 2, -DVM_EINVAL, "2 is outside 0 to 1" },
	{ "dvm.snoop_unit", 2, -DVM_EINVAL, "2 is outside 0 to 1" },
	{ "feature.asid_bits", 9, -DVM_EINVAL, "an ASID has 8 or 16 bits" },
	{ "topology.clusters", 4096, -DVM_EINVAL,
	  "sockets * dies * clusters * cores * threads is more than 4096 CPUs" },
};

START_TEST(a_refused_set_changes_nothing)
{
	struct dvm_model *m = load("valid/full-hw.json");
	struct dvm_error err;
	uint64_t before, after;

	ck_assert_int_eq(dvm_model_hash(m, &before), 0);
	ck_assert_int_eq(dvm_model_set(m, sets[_i].path, sets[_i].value, &err), sets[_i].ret);
	ck_assert_str_eq(err.text, sets[_i].text);
	ck_assert_int_eq(dvm_model_hash(m, &after), 0);
	ck_assert_uint_eq(before, after);
	dvm_model_free(m);
}
END_TEST

static const struct {
	const char *path, *text;
	int ret;
	uint64_t value; /* or what the message is */
	const char *message;
} set_texts[] = {
	{ "dvm.request_ps", "123", 0, 123, NULL },
	{ "dvm.snoop_unit", "cluster", 0, DVMI_SNOOP_CLUSTER, NULL },
	{ "dvm.early_comp", "true", 0, 1, NULL },
	{ "dvm.early_comp", "1", -DVM_EINVAL, 0, "\"1\" is neither true nor false" },
	{ "dvm.snoop_unit", "socket", -DVM_EINVAL, 0, "\"socket\" is none of its words" },
	{ "dvm.request_ps", "", -DVM_EINVAL, 0, "\"\" is no whole number" },
	{ "dvm.request_ps", "-1", -DVM_EINVAL, 0, "\"-1\" is no whole number" },
	{ "dvm.request_ps", "18446744073709551617", -DVM_EINVAL, 0,
	  "\"18446744073709551617\" is no whole number" },
	{ "dvm.none", "1", -DVM_ENOENT, 0, "no parameter \"dvm.none\"" },
};

START_TEST(a_value_is_set_as_a_file_writes_it)
{
	struct dvm_param p = { .size = sizeof(p) };
	struct dvm_model *m = load("valid/full-hw.json");
	struct dvm_error err;

	ck_assert_int_eq(dvm_model_set_text(m, set_texts[_i].path, set_texts[_i].text, &err),
			 set_texts[_i].ret);
	if (set_texts[_i].ret) {
		ck_assert_str_eq(err.text, set_texts[_i].message);
	} else {
		ck_assert_int_eq(dvm_model_param_find(m, set_texts[_i].path, &p, NULL), 0);
		ck_assert_uint_eq(p.value, set_texts[_i].value);
	}
	dvm_model_free(m);
}
END_TEST

/* generic-64 has 64 clusters of 1 core, phytium-ftc862-8 2 of 4. */
static const struct {
	const char *part;
	uint64_t cpus;
	int ret;
	uint64_t clusters, cores;
} sized[] = {
	{ "generic-64", 512, 0, 512, 1 },
	{ "phytium-ftc862-8", 16, 0, 4, 4 },
	{ "phytium-ftc862-8", 4, 0, 1, 4 },
	{ "generic-64", 0, -DVM_EINVAL, 0, 0 },
	{ "generic-64", 4100, -DVM_EINVAL, 0, 0 },
	{ "phytium-ftc862-8", 5, 0, 1, 5 },
};

START_TEST(a_part_gets_the_clusters_that_make_so_many_cpus)
{
	struct dvm_model *m;
	int ret;

	ck_assert_int_eq(dvm_model_find(DVM_MODEL_HW, sized[_i].part, DVMSIM_SOURCE_DIR "/models", &m,
					NULL), 0);
	ret = dvm_model_set_cpus(m, sized[_i].cpus, NULL);
	ck_assert_int_eq(ret, sized[_i].ret);
	if (!ret) {
		ck_assert_uint_eq(dvmi_hw_cpus(dvmi_model_hw(m)), sized[_i].cpus);
		ck_assert_uint_eq(dvmi_model_hw(m)->topology_clusters, sized[_i].clusters);
		ck_assert_uint_eq(dvmi_model_hw(m)->topology_cores, sized[_i].cores);
	}
	dvm_model_free(m);
}
END_TEST

/* An older caller's struct is shorter: nothing beyond its size is written. */
START_TEST(param_fills_no_more_than_the_callers_size)
{
	struct dvm_model *m = load("valid/full-hw.json");
	struct dvm_param p;

	memset(&p, 0x5a, sizeof(p));
	p.size = offsetof(struct dvm_param, value);
	ck_assert_int_eq(dvm_model_param(m, 0, &p), 0);
	ck_assert_str_eq(p.path, "topology.sockets");
	ck_assert_uint_eq(p.value, UINT64_C(0x5a5a5a5a5a5a5a5a));
	p.size = 0;
	ck_assert_int_eq(dvm_model_param(m, 0, &p), -DVM_EINVAL);
	p.size = sizeof(p);
	ck_assert_int_eq(dvm_model_param(m, dvm_model_param_count(m), &p), -DVM_EINVAL);
	dvm_model_free(m);
}
END_TEST

struct findings {
	unsigned count;
	char text[8][1024];
};

static void note_finding(void *arg, const struct dvm_error *err)
{
	struct findings *f = arg;

	if (f->count < 8)
		dvm_error_format(err, f->text[f->count], sizeof(f->text[0]));
	f->count++;
}

START_TEST(lint_reports_every_mistake)
{
	struct findings f = { 0 };

	enter();
	ck_assert_int_eq(dvm_model_lint(DVM_MODEL_ANY, "lint/four-mistakes.json", note_finding, &f,
					NULL), 4);
	ck_assert_uint_eq(f.count, 4);
	ck_assert_str_eq(f.text[0], "lint/four-mistakes.json: /params/dvm/request_pss: unknown "
				    "key; did you mean \"request_ps\"?");
	ck_assert_str_eq(f.text[1],
			 "lint/four-mistakes.json: /params/dvm/comp_ps: must be an object");
	ck_assert_str_eq(f.text[2], "lint/four-mistakes.json: /params/dvmm: unknown key; did you "
				    "mean \"dvm\"?");
	ck_assert_str_eq(f.text[3], "lint/four-mistakes.json: /params/clock/core_khz/value: 5 is "
				    "outside 100000 to 10000000");
}
END_TEST

START_TEST(lint_looks_beyond_what_a_reader_refuses)
{
	struct findings f = { 0 };
	struct dvm_error err;

	enter();
	ck_assert_int_eq(dvm_model_lint(DVM_MODEL_ANY, "lint/renamed.json", note_finding, &f, NULL),
			 2);
	ck_assert_str_eq(f.text[0], "lint/renamed.json: /name: the name is \"another-name\", the "
				    "file is \"renamed.json\"");
	ck_assert_str_eq(f.text[1],
			 "lint/renamed.json: dvm.request_ps: was set by a study: it has no source");
	ck_assert_int_eq(dvm_model_lint(DVM_MODEL_ANY, "lint/base.json", note_finding, &f, NULL),
			 0);
	ck_assert_int_eq(dvm_model_lint(DVM_MODEL_ANY, "lint/nothing.json", note_finding, &f, &err),
			 -DVM_ENOENT);
}
END_TEST

static int load_all(void)
{
	struct dvm_model *m = NULL, *copy = NULL;
	char *text = NULL;
	int ret = dvm_model_load(DVM_MODEL_HW, "valid/grandchild.json", &m, NULL);

	if (!ret)
		ret = dvm_model_clone(m, &copy);
	if (!ret)
		ret = dvm_model_set(copy, "dvm.request_ps", 1, NULL);
	if (!ret)
		ret = dvm_model_to_json(copy, &text);
	dvm_free(text);
	dvm_model_free(copy);
	dvm_model_free(m);
	return ret;
}

START_TEST(every_failing_allocation_is_reported)
{
	unsigned long total;

	enter();
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(load_all(), 0);
	total = dvmi_mem_count();
	ck_assert_uint_gt(total, 300);
	for (unsigned long n = 1; n <= total; n++) {
		dvmi_mem_fail_at(n);
		ck_assert_msg(load_all() == -DVM_ENOMEM, "allocation %lu of %lu", n, total);
	}
	dvmi_mem_fail_at(0);
}
END_TEST

START_TEST(a_truncated_file_is_refused)
{
	struct dvm_model *m = load("valid/full-kernel.json"), *part;
	char *text;
	size_t len;

	ck_assert_int_eq(dvm_model_to_json(m, &text), 0);
	len = strlen(text) - 1; /* the last newline may go */
	for (size_t n = 0; n < len; n += 7) {
		part = NULL;
		ck_assert_int_eq(dvm_model_parse(DVM_MODEL_KERNEL, "p", text, n, &part, NULL),
				 -DVM_EFORMAT);
		ck_assert_ptr_null(part);
	}
	dvm_free(text);
	dvm_model_free(m);
}
END_TEST

/* One to three bytes replaced, taken out or put in. */
static size_t mutate(struct dvmi_rng *rng, char *text, size_t len)
{
	static const char bytes[] = "{}[]\",:0123456789eE+-.\\u\x80\xfftfn\n";

	for (uint64_t n = 1 + dvmi_rng_below(rng, 3); n; n--) {
		size_t at = (size_t)dvmi_rng_below(rng, len);
		char byte = bytes[dvmi_rng_below(rng, sizeof(bytes))];

		switch (dvmi_rng_below(rng, 3)) {
		case 0:
			text[at] = byte;
			break;
		case 1:
			memmove(text + at, text + at + 1, --len - at);
			break;
		default:
			memmove(text + at + 1, text + at, len++ - at);
			text[at] = byte;
		}
	}
	return len;
}

START_TEST(a_damaged_file_is_refused_or_reads_back)
{
	struct dvm_model *m = load("valid/full-kernel.json"), *again;
	unsigned refused = 0, rounds = 500;
	char *text, *copy, *out;
	struct dvmi_rng rng;
	size_t len;

	dvmi_rng_init(&rng, 1, 0);
	ck_assert_int_eq(dvm_model_to_json(m, &text), 0);
	dvm_model_free(m);
	len = strlen(text);
	copy = malloc(len + 8);
	for (unsigned i = 0; i < rounds; i++) {
		memcpy(copy, text, len);
		if (dvm_model_parse(DVM_MODEL_ANY, "p", copy, mutate(&rng, copy, len), &m, NULL)) {
			refused++;
			continue;
		}
		ck_assert_int_eq(dvm_model_to_json(m, &out), 0);
		ck_assert_int_eq(dvm_model_parse(DVM_MODEL_KERNEL, "p", out, strlen(out), &again,
						 NULL), 0);
		dvm_free(out);
		dvm_model_free(again);
		dvm_model_free(m);
	}
	ck_assert_uint_gt(refused, rounds / 2);
	ck_assert_uint_lt(refused, rounds);
	free(copy);
	dvm_free(text);
}
END_TEST

START_TEST(an_unknown_name_is_answered_with_the_nearest)
{
	struct dvm_model *m = NULL;
	struct dvm_error err;
	char text[1024];

	ck_assert_int_eq(dvm_model_find(DVM_MODEL_HW, "neoverse-n1-8O",
					DVMSIM_SOURCE_DIR "/models", &m, &err), -DVM_ENOENT);
	dvm_error_format(&err, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "did you mean \"neoverse-n1-80\"?"));
	/* A kernel configuration is not a part. */
	ck_assert_int_eq(dvm_model_find(DVM_MODEL_HW, "linux-7.1", DVMSIM_SOURCE_DIR "/models", &m,
					&err), -DVM_ENOENT);
	ck_assert_int_eq(dvm_model_find(DVM_MODEL_ANY, "linux-7.1", DVMSIM_SOURCE_DIR "/models", &m,
					&err), 0);
	ck_assert_int_eq((int)dvm_model_kind(m), DVM_MODEL_KERNEL);
	dvm_model_free(m);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "model");

	tcase_add_test(tc, every_mistake_is_refused_with_its_place_and_cure);
	tcase_add_test(tc, a_chain_of_files_is_bounded);
	tcase_add_test(tc, inheritance_takes_the_nearest_value);
	tcase_add_test(tc, the_head_is_not_inherited);
	tcase_add_test(tc, structs_hold_what_the_paths_say);
	tcase_add_loop_test(tc, resolved_json_reads_back_to_the_same_bytes, 0, VALIDS);
	tcase_add_test(tc, set_changes_one_value_of_one_copy);
	tcase_add_loop_test(tc, a_refused_set_changes_nothing, 0,
			    (int)(sizeof(sets) / sizeof(sets[0])));
	tcase_add_loop_test(tc, a_value_is_set_as_a_file_writes_it, 0,
			    sizeof(set_texts) / sizeof(set_texts[0]));
	tcase_add_loop_test(tc, a_part_gets_the_clusters_that_make_so_many_cpus, 0,
			    sizeof(sized) / sizeof(sized[0]));
	tcase_add_test(tc, param_fills_no_more_than_the_callers_size);
	tcase_add_test(tc, lint_reports_every_mistake);
	tcase_add_test(tc, lint_looks_beyond_what_a_reader_refuses);
	tcase_add_test(tc, every_failing_allocation_is_reported);
	tcase_add_test(tc, a_truncated_file_is_refused);
	tcase_add_test(tc, a_damaged_file_is_refused_or_reads_back);
	tcase_add_test(tc, an_unknown_name_is_answered_with_the_nearest);
}

CHECK_MAIN("model", add_cases)
