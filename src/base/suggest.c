/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <dvmsim/error.h>

#include <string.h>

#define WORD_MAX 64

static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *dvmi_suggest(const char *word, const char *(*next)(const void *arg, size_t i),
			 const void *arg)
{
	size_t best = strlen(word) / 3 + 2;
	const char *found = NULL, *c;

	for (size_t i = 0; (c = next(arg, i)); i++) {
		size_t d = distance(word, c);

		if (d < best) {
			best = d;
			found = c;
		}
	}
	return found;
}

static const char *word_at(const void *words, size_t i)
{
	return ((const char *const *)words)[i];
}

const char *dvm_suggest(const char *word, const char *const *words)
{
	return dvmi_suggest(word, word_at, words);
}
