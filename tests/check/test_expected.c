/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"

#include <unistd.h>

/*
 * Agreement with Arm's published model on tests nobody here wrote. They are not part of the tree:
 * DVMSIM_SHARED names a folder with litmus/expected.tsv (file, verdict, verdict with FEAT_ETS2).
 */
static bool shared_dir(char *path, size_t size)
{
	const char *env = getenv("DVMSIM_SHARED");
	char probe[4200];

	if (env && *env)
		snprintf(path, size, "%s/litmus", env);
	else
		snprintf(path, size, "%s/../shared/litmus", DVMSIM_SOURCE_DIR);
	snprintf(probe, sizeof(probe), "%s/expected.tsv", path);
	return access(probe, R_OK) == 0;
}

/* The file, or the one beside it whose test has that name. */
static struct dvm_litmus *find(const char *top, const char *file)
{
	char path[8192], folder[8192], *slash, *name, *dot;
	struct dvm_litmus *test = NULL;
	char **list;
	size_t count;

	snprintf(path, sizeof(path), "%s/%s", top, file);
	if (!access(path, R_OK))
		return litmus_load(path);
	memcpy(folder, path, sizeof(folder));
	slash = strrchr(folder, '/');
	*slash = '\0';
	name = slash + 1;
	dot = strstr(name, ".litmus");
	if (dot)
		*dot = '\0';
	list = litmus_list(folder, &count);
	for (size_t i = 0; i < count && !test; i++) {
		test = litmus_load(list[i]);
		if (strcmp(dvm_litmus_name(test), name) != 0) {
			dvm_litmus_free(test);
			test = NULL;
		}
	}
	litmus_free_list(list, count);
	return test;
}

static int compare(const char *folder, const char *file, const char *expected, int ets2)
{
	struct dvm_litmus *test = find(folder, file);
	enum dvm_check_verdict v;
	const char *got;

	if (!test) {
		printf("%s: missing\n", file);
		return 1;
	}
	v = litmus_verdict(test, ets2, 0);
	got = v == DVM_CHECK_NEVER ? "Forbidden" : v == DVM_CHECK_INCONCLUSIVE ? "?" : "Allowed";
	dvm_litmus_free(test);
	if (!strcmp(got, expected))
		return 0;
	printf("%s%s: expected %s, got %s\n", file, ets2 ? " (ETS2)" : "", expected, got);
	return 1;
}

static char dir[4096];

START_TEST(verdicts_agree_with_the_published_model)
{
	char path[4200], line[1024];
	unsigned rows = 0;
	int differ = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/expected.tsv", dir);
	f = fopen(path, "r");
	ck_assert(f != NULL && fgets(line, sizeof(line), f) != NULL);
	while (fgets(line, sizeof(line), f)) {
		char file[512], plain[32], ets2[32];

		ck_assert_msg(sscanf(line, "%511[^\t]\t%31[^\t]\t%31[^\t]", file, plain, ets2) == 3,
			      "%s", line);
		differ += compare(dir, file, plain, 0) + compare(dir, file, ets2, 1);
		rows++;
	}
	fclose(f);
	printf("%u tests in both settings, %d differ\n", rows, differ);
	ck_assert_uint_gt(rows, 0);
	ck_assert_int_eq(differ, 0);
}
END_TEST

int main(void)
{
	Suite *suite;
	SRunner *runner;
	int failed;

	if (!shared_dir(dir, sizeof(dir)))
		return 77;
	suite = suite_create("expected");
	tcase_add_test(check_case(suite, "agreement"), verdicts_agree_with_the_published_model);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
