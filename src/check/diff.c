/* SPDX-License-Identifier: MIT */
/* Two strategies, aligned line by line; each difference alone in the first. */
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "check/verdicts.h"

#include <dvmsim/minimise.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 1500, DIFFERENCES_MAX = 64 };

/* A line without comment and outer blanks; empty ones and what only describes are left out. */
struct line {
	const char *at;
	size_t len;
	unsigned number;
};

struct text {
	struct line line[LINES_MAX];
	size_t count;
};

/* a[from, to) is replaced by b[b_from, b_to). */
struct one {
	size_t from, to, b_from, b_to;
	unsigned line;
	size_t first, last; /* differences it was tried with: alone, or with its neighbours */
	char *text, *why;
	enum dvm_scenario_verdict verdict[DVMI_VERDICTS_MAX];
};

struct dvm_difference {
	struct one one[DIFFERENCES_MAX];
	size_t count, scenarios;
	enum dvm_scenario_verdict a[DVMI_VERDICTS_MAX], b[DVMI_VERDICTS_MAX];
};

static bool describes(const char *at, size_t len)
{
	static const char *const words[] = {"strategy ", "summary ", "source "};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (len > strlen(words[i]) && !strncmp(at, words[i], strlen(words[i])))
			return true;
	return false;
}

static bool split(const char *text, struct text *t)
{
	unsigned number = 1;

	t->count = 0;
	for (; *text; number++) {
		size_t len = strcspn(text, "\n"), body = strcspn(text, "#\n");
		const char *at = text;

		while (body && isspace((unsigned char)*at)) {
			at++;
			body--;
		}
		while (body && isspace((unsigned char)at[body - 1]))
			body--;
		if (body && !describes(at, body)) {
			if (t->count == LINES_MAX)
				return false;
			t->line[t->count++] = (struct line){at, body, number};
		}
		text += len + (text[len] == '\n');
	}
	return true;
}

/* Equal but for the number of blanks between words. */
static bool equal(const struct line *x, const struct line *y)
{
	size_t i = 0, k = 0;

	while (i < x->len && k < y->len) {
		bool bx = isspace((unsigned char)x->at[i]), by = isspace((unsigned char)y->at[k]);

		if (bx != by || (!bx && x->at[i] != y->at[k]))
			return false;
		i++;
		k++;
		while (bx && i < x->len && isspace((unsigned char)x->at[i]))
			i++;
		while (by && k < y->len && isspace((unsigned char)y->at[k]))
			k++;
	}
	return i == x->len && k == y->len;
}

/* length[i][k]: the longest common subsequence of a[i...] and b[k...]. */
static uint16_t *common(const struct text *a, const struct text *b)
{
	size_t w = b->count + 1;
	uint16_t *length = dvmi_calloc((a->count + 1) * w, sizeof(*length));

	for (size_t i = a->count; length && i-- > 0;)
		for (size_t k = b->count; k-- > 0;) {
			uint16_t skip = length[(i + 1) * w + k], take = length[i * w + k + 1];

			if (equal(&a->line[i], &b->line[k]))
				length[i * w + k] = (uint16_t)(length[(i + 1) * w + k + 1] + 1);
			else
				length[i * w + k] = skip > take ? skip : take;
		}
	return length;
}

static int add(struct dvm_difference *d, const struct text *a, size_t from, size_t to,
	       const struct text *b, size_t b_from, size_t b_to, struct dvm_error *err)
{
	struct one *o = &d->one[d->count];
	struct dvmi_buf buf = {0};

	if (from == to && b_from == b_to)
		return 0;
	if (d->count == DIFFERENCES_MAX)
		return dvmi_error(err, DVM_ELIMIT, "diff", "more than %d differences",
				  DIFFERENCES_MAX);
	o->from = from;
	o->to = to;
	o->b_from = b_from;
	o->b_to = b_to;
	o->line = from < a->count ? a->line[from].number : 0;
	for (size_t i = from; i < to; i++)
		dvmi_buf_printf(&buf, "- %.*s\n", (int)a->line[i].len, a->line[i].at);
	for (size_t i = b_from; i < b_to; i++)
		dvmi_buf_printf(&buf, "+ %.*s\n", (int)b->line[i].len, b->line[i].at);
	if (dvmi_buf_take(&buf, &o->text))
		return dvmi_error_nomem(err);
	d->count++;
	return 0;
}

static int align(struct dvm_difference *d, const struct text *a, const struct text *b,
		 struct dvm_error *err)
{
	size_t i = 0, k = 0, from = 0, b_from = 0, w = b->count + 1;
	uint16_t *length = common(a, b);
	int rc = length ? 0 : dvmi_error_nomem(err);

	while (!rc && i < a->count && k < b->count) {
		if (equal(&a->line[i], &b->line[k])) {
			rc = add(d, a, from, i, b, b_from, k, err);
			from = ++i;
			b_from = ++k;
		} else if (length[(i + 1) * w + k] >= length[i * w + k + 1]) {
			i++;
		} else {
			k++;
		}
	}
	if (!rc)
		rc = add(d, a, from, a->count, b, b_from, b->count, err);
	dvmi_free(length);
	return rc;
}

/* @a's text with differences first..last of @b. */
static int patched(const struct dvm_difference *d, const struct text *t, size_t first, size_t last,
		   char **text)
{
	const struct text *a = &t[0], *b = &t[1];
	struct dvmi_buf buf = {0};

	dvmi_buf_puts(&buf, "strategy changed\n");
	for (size_t i = 0, n = first; i <= a->count; i++) {
		const struct one *o = n <= last ? &d->one[n] : NULL;

		if (o && i == o->from) {
			for (size_t k = o->b_from; k < o->b_to; k++)
				dvmi_buf_printf(&buf, "%.*s\n", (int)b->line[k].len, b->line[k].at);
			n++;
			i = o->to;
		}
		if (i < a->count)
			dvmi_buf_printf(&buf, "%.*s\n", (int)a->line[i].len, a->line[i].at);
	}
	return dvmi_buf_take(&buf, text);
}

/* 1: it is a program, and was checked; 0: it is none. */
static int try_some(struct dvm_difference *d, const struct dvmi_bench *bench, const struct text *t,
		    struct one *o, size_t first, size_t last, struct dvm_error *err)
{
	struct dvm_strategy *s;
	struct dvm_error why;
	char *text;
	bool same;
	int rc;

	if (patched(d, t, first, last, &text))
		return dvmi_error_nomem(err);
	rc = dvm_strategy_parse(text, "changed", &s, &why);
	dvmi_free(text);
	if (rc == -DVM_ENOMEM)
		return dvmi_error_nomem(err);
	if (rc) {
		if (!o->why)
			o->why = dvmi_strdup(why.text);
		return o->why ? 0 : dvmi_error_nomem(err);
	}
	o->first = first;
	o->last = last;
	rc = dvmi_bench_check(bench, s, o->verdict, &same, err);
	dvm_strategy_free(s);
	return rc ? rc : 1;
}

/* A difference alone; if that is no program, with as few of those after it, or around it, as needed. */
static int try_one(struct dvm_difference *d, const struct dvmi_bench *bench, const struct text *t,
		   size_t index, struct dvm_error *err)
{
	int rc = 0;

	for (size_t more = 0; more < d->count && !rc; more++)
		for (size_t back = 0; back <= more && back <= index && !rc; back++)
			if (index - back + more < d->count)
				rc = try_some(d, bench, t, &d->one[index], index - back,
					      index - back + more, err);
	return rc < 0 ? rc : 0;
}

static int run(struct dvm_difference *d, struct dvmi_bench *bench, struct text *t,
	       const struct dvm_strategy *a, const struct dvm_strategy *b, struct dvm_error *err)
{
	bool same;
	int rc;

	if (!split(dvm_strategy_text(a), &t[0]) || !split(dvm_strategy_text(b), &t[1]))
		return dvmi_error(err, DVM_ELIMIT, "diff", "a strategy has more than %d lines",
				  LINES_MAX);
	d->scenarios = bench->count;
	for (size_t i = 0; i < bench->count; i++)
		d->a[i] = dvm_scenario_verdict(bench->base[i]);
	rc = dvmi_bench_check(bench, b, d->b, &same, err);
	if (!rc)
		rc = align(d, &t[0], &t[1], err);
	for (size_t i = 0; i < d->count && !rc; i++)
		rc = try_one(d, bench, t, i, err);
	return rc;
}

int dvm_diff(const struct dvm_strategy *a, const struct dvm_strategy *b, const unsigned *scenarios,
	     size_t count, const struct dvm_check_options *options, struct dvm_difference **diff,
	     struct dvm_error *err)
{
	struct dvm_difference *d = dvmi_zalloc(sizeof(*d));
	struct text *t = dvmi_calloc(2, sizeof(*t));
	struct dvmi_bench bench;
	int rc = d && t ? 0 : dvmi_error_nomem(err);

	if (!rc)
		rc = dvmi_bench_open(&bench, a, scenarios, count, options, err);
	if (!rc) {
		rc = run(d, &bench, t, a, b, err);
		dvmi_bench_close(&bench);
	}
	dvmi_free(t);
	if (rc)
		dvm_diff_free(d);
	else
		*diff = d;
	return rc;
}

void dvm_diff_free(struct dvm_difference *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++) {
		dvmi_free(d->one[i].text);
		dvmi_free(d->one[i].why);
	}
	dvmi_free(d);
}

size_t dvm_diff_count(const struct dvm_difference *d)
{
	return d->count;
}

unsigned dvm_diff_line(const struct dvm_difference *d, size_t index)
{
	return index < d->count ? d->one[index].line : 0;
}

const char *dvm_diff_text(const struct dvm_difference *d, size_t index)
{
	return index < d->count ? d->one[index].text : NULL;
}

int dvm_diff_with(const struct dvm_difference *d, size_t index, size_t *first, size_t *last)
{
	if (index >= d->count)
		return -DVM_EINVAL;
	*first = d->one[index].first;
	*last = d->one[index].last;
	return 0;
}

const char *dvm_diff_why(const struct dvm_difference *d, size_t index)
{
	return index < d->count && d->one[index].why ? d->one[index].why : "";
}

enum dvm_scenario_verdict dvm_diff_verdict(const struct dvm_difference *d, size_t index,
					   size_t scenario)
{
	if (scenario >= d->scenarios)
		return DVM_SCENARIO_UNSUPPORTED;
	if (index == SIZE_MAX)
		return d->a[scenario];
	if (index == SIZE_MAX - 1)
		return d->b[scenario];
	return index < d->count ? d->one[index].verdict[scenario] : DVM_SCENARIO_UNSUPPORTED;
}
