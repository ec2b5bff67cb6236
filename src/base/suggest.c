/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <dvmsim/error.h>

#include <string.h>

#define WORD_MAX 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from @a to @b: a letter added, dropped or changed, or two neighbours swapped. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], la = strlen(a), lb = strlen(b);
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *next = before;

		before = last;
		last = row;
		row = next;
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(row[j], least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
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
