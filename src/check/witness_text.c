/* SPDX-License-Identifier: MIT */
/* A witness written down: columns per CPU, or JSON. */
#include "check/witness.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PAGE_WIDTH = 100, STEP_WIDTH = 5, GAP = 2, COLUMN_MIN = 24, CELL_MAX = 700 };

struct table {
	const struct dvm_witness *w;
	struct dvmi_buf *buf;
	unsigned pes, width;
};

/* How much of @text fits on a line of @width: up to a blank, if there is one. */
static size_t fits(const char *text, size_t width)
{
	size_t n = 0, blank = 0;

	for (; text[n] && text[n] != '\n' && n < width; n++)
		if (text[n] == ' ')
			blank = n;
	if (!text[n] || text[n] == '\n' || text[n] == ' ')
		return n;
	return blank ? blank : n;
}

/* One row of cells, each with as many lines as it needs; continued lines are indented by one. */
static void put_cells(struct table *t, const char *step, char cell[][CELL_MAX])
{
	const char *rest[DVMI_PES_MAX];
	bool more = true, fresh[DVMI_PES_MAX];

	for (unsigned p = 0; p < t->pes; p++) {
		rest[p] = cell[p];
		fresh[p] = true;
	}
	while (more) {
		char line[DVMI_PES_MAX * 128 + 32];
		size_t n = (size_t)snprintf(line, sizeof(line), "%*s", STEP_WIDTH, step);

		more = false;
		step = "";
		for (unsigned p = 0; p < t->pes; p++) {
			size_t k = fits(rest[p], t->width - !fresh[p]);

			n += (size_t)snprintf(line + n, sizeof(line) - n, "%*s%s%-*.*s", GAP, "",
					      fresh[p] ? "" : " ", (int)t->width - !fresh[p],
					      (int)k, rest[p]);
			rest[p] += k;
			fresh[p] = *rest[p] == '\n';
			while (*rest[p] == ' ' || *rest[p] == '\n') {
				bool end = *rest[p]++ == '\n';

				if (end)
					break;
			}
			more |= *rest[p] != 0;
		}
		while (n && line[n - 1] == ' ')
			n--;
		dvmi_buf_add(t->buf, line, n);
		dvmi_buf_puts(t->buf, "\n");
	}
}

static void put_row(struct table *t, const struct dvmi_witness_row *r)
{
	char cell[DVMI_PES_MAX][CELL_MAX] = {{0}}, step[16] = "";

	for (unsigned p = 0; p < t->pes; p++) {
		size_t n = 0;

		if (r->step && r->pe == p)
			n = (size_t)snprintf(cell[p], CELL_MAX, "%s%s%s", r->source,
					     r->effect[0] ? "\n " : "", r->effect);
		if (r->tlb_changed >> p & 1)
			snprintf(cell[p] + n, CELL_MAX - n, "%s[TLB may hold: %s]", n ? "\n" : "",
				 r->tlb[p][0] ? r->tlb[p] : "nothing of these pages");
	}
	if (r->step)
		snprintf(step, sizeof(step), "%u", r->step);
	else
		snprintf(step, sizeof(step), "start");
	if (r->step || r->tlb_changed)
		put_cells(t, step, cell);
}

static void put_heading(struct table *t)
{
	char cell[DVMI_PES_MAX][CELL_MAX] = {{0}};

	for (unsigned p = 0; p < t->pes; p++)
		if (t->w->origins && p < t->w->origins->cols)
			snprintf(cell[p], CELL_MAX, "%s", t->w->origins->title[p]);
		else
			snprintf(cell[p], CELL_MAX, "P%d", t->w->test->thread[p].number);
	put_cells(t, "step", cell);
}

/* A paragraph, broken into lines. */
static void put_text(struct dvmi_buf *buf, const char *fmt, ...) DVMI_PRINTF(2, 3);

static void put_text(struct dvmi_buf *buf, const char *fmt, ...)
{
	char text[1200], *rest = text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	while (*rest) {
		size_t k = fits(rest, PAGE_WIDTH);

		dvmi_buf_add(buf, rest, k);
		dvmi_buf_puts(buf, "\n");
		rest += k;
		rest += *rest == ' ';
	}
}

/* How to read the table, for whoever meets one for the first time. */
static void put_legend(struct table *t)
{
	if (!t->w->origins)
		return;
	put_text(t->buf, "[PTE(x)]: the %s of x; (oa:PA(x)): it points to x's own page. [x]: that page. "
			 "[mm_w], [cpu1_w]: words. early: before what precedes it in program order.",
		 t->w->test->tables ? "table entry" : "descriptor");
	dvmi_buf_puts(t->buf, "\n");
}

static void put_end(struct table *t)
{
	const struct dvm_witness *w = t->w;

	dvmi_buf_puts(t->buf, "\n");
	put_text(t->buf, "What went wrong: %s", w->wrong);
	for (unsigned i = 0; i < w->broken; i++)
		put_text(t->buf, "Rule R%u, %s: %s.", w->broke[i].rule,
			 dvm_safety_rule_text(w->broke[i].rule), w->broke[i].text);
	put_text(t->buf,
		 "No execution gets there in fewer steps: %u of the machine, with the translations "
		 "of other pages, which are not shown.",
		 w->way.bad);
}

int dvm_witness_text(const struct dvm_witness *w, char **text)
{
	struct dvmi_buf buf = {0};
	struct table t = {.w = w, .buf = &buf, .pes = w->run.prog->pes};
	struct dvmi_witness_row *row;
	unsigned rows;

	if (dvmi_witness_rows(w, &row, &rows))
		return -DVM_ENOMEM;
	t.width = (PAGE_WIDTH - STEP_WIDTH) / t.pes - GAP;
	if (t.width < COLUMN_MIN)
		t.width = COLUMN_MIN;
	put_legend(&t);
	put_heading(&t);
	for (unsigned i = 0; i < rows; i++)
		put_row(&t, &row[i]);
	put_end(&t);
	dvmi_free(row);
	return dvmi_buf_take(&buf, text);
}

/* ---- JSON ---- */

static void write_tlbs(struct dvmi_jw *j, const struct dvmi_witness_row *r, unsigned pes)
{
	dvmi_jw_array_line(j, "tlb");
	for (unsigned p = 0; p < pes; p++)
		dvmi_jw_string(j, NULL, r->tlb[p]);
	dvmi_jw_end_array(j);
}

static void write_step(struct dvmi_jw *j, const struct dvm_witness *w,
		       const struct dvmi_witness_row *r)
{
	static const char *const kinds[] = {"walk", "read", "write", "fault",
					    "dmb",  "dsb",  "cse",   "tlbi"};
	const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);

	dvmi_jw_object_line(j, NULL);
	dvmi_jw_u64(j, "step", r->step);
	dvmi_jw_u64(j, "cpu", r->pe);
	dvmi_jw_u64(j, "line", o ? o->line : 0);
	dvmi_jw_string(j, "source", r->source);
	dvmi_jw_string(j, "instruction", dvmi_witness_insn(w, r->pe, r->ev)->text);
	dvmi_jw_string(j, "event", kinds[w->run.prog->pe[r->pe].ev[r->ev].kind]);
	dvmi_jw_string(j, "effect", r->effect);
	write_tlbs(j, r, w->run.prog->pes);
	dvmi_jw_end_object(j);
}

static void write_rules(struct dvmi_jw *j, const struct dvm_witness *w)
{
	dvmi_jw_array(j, "rules");
	for (unsigned i = 0; i < w->broken; i++) {
		char rule[16];

		snprintf(rule, sizeof(rule), "R%u", w->broke[i].rule);
		dvmi_jw_object(j, NULL);
		dvmi_jw_string(j, "rule", rule);
		dvmi_jw_string(j, "says", dvm_safety_rule_text(w->broke[i].rule));
		dvmi_jw_string(j, "broken", w->broke[i].text);
		dvmi_jw_end_object(j);
	}
	dvmi_jw_end_array(j);
}

int dvm_witness_json(const struct dvm_witness *w, char **json)
{
	struct dvmi_jw j = {.first = true};
	struct dvmi_witness_row *row;
	unsigned rows, pes = w->run.prog->pes;

	if (dvmi_witness_rows(w, &row, &rows))
		return -DVM_ENOMEM;
	dvmi_jw_object(&j, NULL);
	dvmi_jw_string(&j, "test", w->test->name);
	dvmi_jw_array(&j, "cpus");
	for (unsigned p = 0; p < pes; p++) {
		char cpu[32];

		dvmi_witness_cpu(w, p, cpu, sizeof(cpu));
		dvmi_jw_string(&j, NULL,
			       w->origins && p < w->origins->cols ? w->origins->title[p] : cpu);
	}
	dvmi_jw_end_array(&j);
	dvmi_jw_u64(&j, "machine_steps", w->way.bad);
	dvmi_jw_u64(&j, "steps_to_the_end", w->way.length - w->way.bad);
	dvmi_jw_string(&j, "wrong", w->wrong);
	write_rules(&j, w);
	dvmi_jw_object(&j, "start");
	write_tlbs(&j, &row[0], pes);
	dvmi_jw_end_object(&j);
	dvmi_jw_array(&j, "steps");
	for (unsigned i = 1; i < rows; i++)
		write_step(&j, w, &row[i]);
	dvmi_jw_end_array(&j);
	dvmi_jw_end_object(&j);
	dvmi_free(row);
	return dvmi_jw_take(&j, json);
}
