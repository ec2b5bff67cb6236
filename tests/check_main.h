/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_CHECK_MAIN_H
#define DVMSIM_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/*
 * Every Check program ends with CHECK_MAIN("name", add_cases): add_cases(Suite *) adds its test
 * cases. Forking is left to CK_FORK; the timeout is ours (ctest's), as sanitizers are slow.
 */
#define CHECK_MAIN(name, add_cases)                                                                \
	int main(void)                                                                             \
	{                                                                                          \
		Suite *suite = suite_create(name);                                                 \
		SRunner *runner;                                                                   \
		int failed;                                                                        \
                                                                                                   \
		add_cases(suite);                                                                  \
		runner = srunner_create(suite);                                                    \
		srunner_run_all(runner, CK_ENV);                                                   \
		failed = srunner_ntests_failed(runner);                                            \
		srunner_free(runner);                                                              \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                       \
	}

static inline TCase *check_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 0);
	suite_add_tcase(suite, tc);
	return tc;
}

#endif
