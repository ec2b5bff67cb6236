/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_SUGGEST_H
#define DVMI_BASE_SUGGEST_H

#include <stddef.h>

/*
 * "did you mean": the candidate nearest to @word, at most a third of its length plus one edit away,
 * or NULL. An edit adds, drops or changes a letter, or swaps two neighbours. Candidates are offered
 * one by one through @next(arg, i), which returns NULL after the last.
 */
const char *dvmi_suggest(const char *word, const char *(*next)(const void *arg, size_t i),
			 const void *arg);

#endif
