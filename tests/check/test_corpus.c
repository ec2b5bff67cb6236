/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"

/*
 * tests/litmus: every test gives what its comment says, for the reason the comment says: results
 * were derived from the rules named there, before the first run. And the corpus is strong enough:
 * a machine with any one rule switched off fails it.
 */
#define DIR_LITMUS DVMSIM_SOURCE_DIR "/tests/litmus"
#define TESTS_MAX 400

static struct entry {
	char *path;
	struct dvm_litmus *test;
	int want[3]; /* plain, ETS2, domains; -1: not said */
} entries[TESTS_MAX];
static size_t count;

static const char *const words[] = {"Never", "Sometimes", "Always"};

static int wanted(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	for (int v = 0; at && v < 3; v++)
		if (!strncmp(at + strlen(key), words[v], strlen(words[v])))
			return v;
	return -1;
}

static void load(void)
{
	size_t n;
	char **list = litmus_list(DIR_LITMUS, &n);

	ck_assert_uint_le(n, TESTS_MAX);
	for (count = 0; count < n; count++) {
		struct entry *e = &entries[count];
		char text[8192] = "";
		FILE *f = fopen(list[count], "r");

		ck_assert_ptr_nonnull(f);
		ck_assert_uint_lt(fread(text, 1, sizeof(text) - 1, f), sizeof(text) - 1);
		fclose(f);
		e->path = strdup(list[count]);
		e->test = litmus_load(e->path);
		e->want[0] = wanted(text, "* Result: ");
		e->want[1] = wanted(text, "* Result-ETS2: ");
		e->want[2] = wanted(text, "* Result-domain: ");
		ck_assert_msg(e->want[0] >= 0 && e->want[1] >= 0, "%s: no Result", e->path);
		ck_assert_msg(strstr(text, "* Shows: ") && strstr(text, "* Rules: "),
			      "%s: no Shows or Rules", e->path);
	}
	litmus_free_list(list, n);
}

static void unload(void)
{
	for (size_t i = 0; i < count; i++) {
		dvm_litmus_free(entries[i].test);
		free(entries[i].path);
	}
}

static int verdict(const struct entry *e, int setting, uint64_t without)
{
	struct dvm_litmus_result *res = litmus_run(e->test, setting == 1, without, 0, setting == 2);
	int v = (int)dvm_litmus_verdict(res);

	dvm_litmus_result_free(res);
	return v;
}

START_TEST(every_test_gives_its_result)
{
	ck_assert_uint_ge(count, 100);
	for (size_t i = 0; i < count; i++)
		for (int s = 0; s < 3; s++) {
			int v;

			if (entries[i].want[s] < 0)
				continue;
			v = verdict(&entries[i], s, 0);
			ck_assert_msg(v == entries[i].want[s], "%s: setting %d gives %d, not %s",
				      entries[i].path, s, v, words[entries[i].want[s]]);
		}
}
END_TEST

START_TEST(every_rule_is_needed)
{
	const unsigned rule = (unsigned)_i;
	bool killed = false;

	for (size_t i = 0; i < count && !killed; i++)
		for (int s = 0; s < 3 && !killed; s++)
			killed = entries[i].want[s] >= 0 &&
				 verdict(&entries[i], s, UINT64_C(1) << rule) != entries[i].want[s];
	ck_assert_msg(killed, "no test notices that '%s' is off", dvm_check_rule_name(rule));
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "corpus");

	tcase_add_unchecked_fixture(tc, load, unload);
	tcase_add_test(tc, every_test_gives_its_result);
	tcase_add_loop_test(tc, every_rule_is_needed, 0, (int)dvm_check_rules());
}

CHECK_MAIN("corpus", add_cases)
