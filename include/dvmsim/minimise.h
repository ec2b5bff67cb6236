/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_MINIMISE_H
#define DVMSIM_MINIMISE_H

#include <dvmsim/scenario.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Which barriers, domains, protections and second looks of a strategy are needed, and what makes the
 * difference between two strategies: the program is changed in one place at a time and checked again.
 * docs/checker-scenarios.md ("Which of it is needed") says how to read the answers.
 */

/** enum dvm_need - what weakening one instruction showed. */
enum dvm_need {
	DVM_NEED_NEEDED = 0, /* a scenario that was SAFE becomes UNSAFE */
	DVM_NEED_LOSABLE,    /* every scenario keeps its verdict, and some test had the instruction */
	DVM_NEED_UNSEEN,     /* no test has the instruction: nothing is known */
	DVM_NEED_UNKNOWN,    /* some verdict got worse without being UNSAFE */
};

/** dvm_need_name() - "needed", "can be lost", "not seen", "not known". */
DVM_API const char *dvm_need_name(enum dvm_need need);

/**
 * struct dvm_weakening - one instruction, weakened.
 * @size:   sizeof(struct dvm_weakening), set by the caller
 * @line:   of the strategy's text
 * @insn:   the instruction as it is
 * @change: what was done to it: "dropped", "as dsb nsh"
 * @need:   what that showed, with everything else as it is
 * @lost:   not 0: it is among those that can be lost together (dvm_minimise())
 *
 * Strings are borrowed from the struct dvm_minimal.
 */
struct dvm_weakening {
	size_t size;
	unsigned line;
	const char *insn;
	const char *change;
	enum dvm_need need;
	int lost;
};

/** struct dvm_minimal - what weakening a strategy showed; opaque. */
struct dvm_minimal;

/**
 * dvm_minimise() - weaken each instruction of a strategy, one at a time, and check it again.
 * @s:         the strategy; not changed
 * @scenarios: numbers of the scenarios to check, @count of them
 * @count:     at least 1
 * @options:   as for dvm_scenario_check()
 * @minimal:   out, freed with dvm_minimal_free()
 * @err:       out on failure; may be NULL
 *
 * Barriers are dropped, become a DMB, wait for stores or for loads only, and get the smaller domain;
 * a broadcast TLBI becomes local, a TLBI is dropped; accesses lose acquire, release and full order;
 * protections and sections are dropped; a second load of a word by the same hook is dropped. After
 * that, what can be lost is taken away for good, in the order of the program, as long as no verdict
 * gets worse.
 *
 * Return: 0; -DVM_EBUDGET when options->stop() said so; as dvm_scenario_check().
 */
DVM_API int dvm_minimise(const struct dvm_strategy *s, const unsigned *scenarios, size_t count,
			 const struct dvm_check_options *options, struct dvm_minimal **minimal,
			 struct dvm_error *err);
/** dvm_minimal_free() - NULL is allowed. */
DVM_API void dvm_minimal_free(struct dvm_minimal *minimal);
/** dvm_minimal_count() - how many weakenings were tried. */
DVM_API size_t dvm_minimal_count(const struct dvm_minimal *minimal);
/** dvm_minimal_get() - weakening @index. Return: 0 or -DVM_EINVAL. */
DVM_API int dvm_minimal_get(const struct dvm_minimal *minimal, size_t index,
			    struct dvm_weakening *weakening);
/**
 * dvm_minimal_verdict() - of scenario @scenario (index into what dvm_minimise() was given) after
 * weakening @index; SIZE_MAX: of the strategy as it is.
 */
DVM_API enum dvm_scenario_verdict dvm_minimal_verdict(const struct dvm_minimal *minimal, size_t index,
						      size_t scenario);

/** struct dvm_difference - what the differences of two strategies do; opaque. */
struct dvm_difference;

/**
 * dvm_diff() - which difference between two strategies changes a verdict.
 * @a:         the strategy that is changed
 * @b:         where the changes come from
 * @scenarios: numbers of the scenarios to check, @count of them
 * @count:     at least 1
 * @options:   as for dvm_scenario_check()
 * @diff:      out, freed with dvm_diff_free()
 * @err:       out on failure; may be NULL
 *
 * The two texts, without comments, are aligned line by line; each run of lines that differ is one
 * difference, and is put into @a alone; when that is no program (a label is missing), together with as
 * few of its neighbours as make one.
 *
 * Return: 0, -DVM_EBUDGET, -DVM_ELIMIT (more than 64 differences), or as dvm_scenario_check().
 */
DVM_API int dvm_diff(const struct dvm_strategy *a, const struct dvm_strategy *b,
		     const unsigned *scenarios, size_t count, const struct dvm_check_options *options,
		     struct dvm_difference **diff, struct dvm_error *err);
/** dvm_diff_free() - NULL is allowed. */
DVM_API void dvm_diff_free(struct dvm_difference *diff);
/** dvm_diff_count() - how many differences there are. */
DVM_API size_t dvm_diff_count(const struct dvm_difference *diff);
/** dvm_diff_line() - line of @a's text before or at which difference @index begins; 0: none such. */
DVM_API unsigned dvm_diff_line(const struct dvm_difference *diff, size_t index);
/** dvm_diff_text() - "-" lines of @a, "+" lines of @b; borrowed; NULL: no such difference. */
DVM_API const char *dvm_diff_text(const struct dvm_difference *diff, size_t index);
/**
 * dvm_diff_with() - differences @first to @last were put in together to try @index.
 * Return: 0 or -DVM_EINVAL.
 */
DVM_API int dvm_diff_with(const struct dvm_difference *diff, size_t index, size_t *first,
			  size_t *last);
/** dvm_diff_why() - why difference @index can not stand alone in @a; "" when it can; borrowed. */
DVM_API const char *dvm_diff_why(const struct dvm_difference *diff, size_t index);
/**
 * dvm_diff_verdict() - of scenario @scenario (index into what dvm_diff() was given) with difference
 * @index, with those of dvm_diff_with(); SIZE_MAX: of @a; SIZE_MAX - 1: of @b.
 */
DVM_API enum dvm_scenario_verdict dvm_diff_verdict(const struct dvm_difference *diff, size_t index,
						   size_t scenario);

#ifdef __cplusplus
}
#endif
#endif
