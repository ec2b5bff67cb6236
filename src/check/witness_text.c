/* SPDX-License-Identifier: MIT */
/* A witness written down: columns per CPU, or JSON. */
#include "check/witness.h"

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
		 "of other pages, which are not shown. %u more end it.",
		 w->way.bad, w->way.length - w->way.bad);
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
	put_heading(&t);
	for (unsigned i = 0; i < rows; i++)
		put_row(&t, &row[i]);
	put_end(&t);
	dvmi_free(row);
	return dvmi_buf_take(&buf, text);
}

/* ---- JSON ---- */

/* What is printed is ASCII, names of files aside. */
static void put_string(struct dvmi_buf *buf, const char *text)
{
	dvmi_buf_puts(buf, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			dvmi_buf_printf(buf, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			dvmi_buf_printf(buf, "\\u%04x", (unsigned)*text);
		else
			dvmi_buf_add(buf, text, 1);
	}
	dvmi_buf_puts(buf, "\"");
}

static void put_member(struct dvmi_buf *buf, const char *key, const char *text)
{
	dvmi_buf_printf(buf, "\"%s\": ", key);
	put_string(buf, text);
}

static void put_tlbs(struct dvmi_buf *buf, const struct dvmi_witness_row *r, unsigned pes)
{
	dvmi_buf_puts(buf, "\"tlb\": [");
	for (unsigned p = 0; p < pes; p++) {
		dvmi_buf_puts(buf, p ? ", " : "");
		put_string(buf, r->tlb[p]);
	}
	dvmi_buf_puts(buf, "]");
}

static void json_step(struct dvmi_buf *buf, const struct dvm_witness *w,
		      const struct dvmi_witness_row *r)
{
	static const char *const kinds[] = {"walk", "read", "write", "fault",
					    "dmb",  "dsb",  "cse",   "tlbi"};
	const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);

	dvmi_buf_printf(buf, "{\"step\": %u, \"cpu\": %u, \"line\": %u, ", r->step, r->pe,
			o ? o->line : 0);
	put_member(buf, "source", r->source);
	dvmi_buf_puts(buf, ", ");
	put_member(buf, "instruction", dvmi_witness_insn(w, r->pe, r->ev)->text);
	dvmi_buf_puts(buf, ", ");
	put_member(buf, "event", kinds[w->run.prog->pe[r->pe].ev[r->ev].kind]);
	dvmi_buf_puts(buf, ", ");
	put_member(buf, "effect", r->effect);
	dvmi_buf_puts(buf, ", ");
	put_tlbs(buf, r, w->run.prog->pes);
	dvmi_buf_puts(buf, "}");
}

static void json_rules(struct dvmi_buf *buf, const struct dvm_witness *w)
{
	dvmi_buf_puts(buf, "\"rules\": [");
	for (unsigned i = 0; i < w->broken; i++) {
		dvmi_buf_printf(buf, "%s{\"rule\": \"R%u\", ", i ? ", " : "", w->broke[i].rule);
		put_member(buf, "says", dvm_safety_rule_text(w->broke[i].rule));
		dvmi_buf_puts(buf, ", ");
		put_member(buf, "broken", w->broke[i].text);
		dvmi_buf_puts(buf, "}");
	}
	dvmi_buf_puts(buf, "]");
}

int dvm_witness_json(const struct dvm_witness *w, char **json)
{
	struct dvmi_buf buf = {0};
	struct dvmi_witness_row *row;
	unsigned rows, pes = w->run.prog->pes;

	if (dvmi_witness_rows(w, &row, &rows))
		return -DVM_ENOMEM;
	dvmi_buf_puts(&buf, "{");
	put_member(&buf, "test", w->test->name);
	dvmi_buf_puts(&buf, ", \"cpus\": [");
	for (unsigned p = 0; p < pes; p++) {
		char cpu[32];

		dvmi_witness_cpu(w, p, cpu, sizeof(cpu));
		dvmi_buf_puts(&buf, p ? ", " : "");
		put_string(&buf, w->origins && p < w->origins->cols ? w->origins->title[p] : cpu);
	}
	dvmi_buf_printf(&buf, "], \"machine_steps\": %u, \"steps_to_the_end\": %u, ", w->way.bad,
			w->way.length - w->way.bad);
	put_member(&buf, "wrong", w->wrong);
	dvmi_buf_puts(&buf, ", ");
	json_rules(&buf, w);
	dvmi_buf_puts(&buf, ", \"start\": {");
	put_tlbs(&buf, &row[0], pes);
	dvmi_buf_puts(&buf, "}, \"steps\": [");
	for (unsigned i = 1; i < rows; i++) {
		dvmi_buf_puts(&buf, i > 1 ? ",\n " : "\n ");
		json_step(&buf, w, &row[i]);
	}
	dvmi_buf_puts(&buf, "]}");
	dvmi_free(row);
	return dvmi_buf_take(&buf, json);
}
