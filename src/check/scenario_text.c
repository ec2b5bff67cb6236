/* SPDX-License-Identifier: MIT */
/* Columns of a generated litmus test, and how it is written down. */
#include "check/scenario.h"

#include "base/mem.h"
#include "check/origin.h"
#include "program/parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void dvmi_scn_unsupported(struct dvmi_scn_test *t, const struct dvmi_insn *insn, const char *what)
{
	if (t->why[0])
		return;
	if (insn)
		snprintf(t->why, sizeof(t->why), "line %u, '%s': %s", (unsigned)insn->line,
			 dvmi_op_names[insn->op], what);
	else
		snprintf(t->why, sizeof(t->why), "%s", what);
}

void dvmi_scn_line(struct dvmi_scn_test *t, unsigned column, const char *fmt, ...)
{
	struct dvmi_scn_column *c = &t->col[column];
	struct dvmi_scn_line *line = &c->line[c->lines];
	va_list ap;

	if (c->lines == DVMI_SCN_LINES) {
		dvmi_scn_unsupported(t, NULL, "more than 128 instructions on one CPU");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line->text, sizeof(line->text), fmt, ap);
	va_end(ap);
	line->label = c->pending;
	line->origin = t->origin;
	line->installs = false;
	line->note = NULL;
	c->pending = -1;
	c->lines++;
}

void dvmi_scn_note(struct dvmi_scn_test *t, unsigned column, const char *note)
{
	struct dvmi_scn_column *c = &t->col[column];

	if (c->lines && !t->why[0])
		c->line[c->lines - 1].note = note;
}

int dvmi_scn_new_label(struct dvmi_scn_test *t, unsigned column)
{
	struct dvmi_scn_column *c = &t->col[column];

	if (c->labels < DVMI_SCN_LABELS)
		return (int)c->labels++;
	dvmi_scn_unsupported(t, NULL, "more than 64 labels on one CPU");
	return 0;
}

void dvmi_scn_put_label(struct dvmi_scn_test *t, unsigned column, int label)
{
	if (t->col[column].pending >= 0)
		dvmi_scn_line(t, column, "NOP");
	t->col[column].pending = label;
}

void dvmi_scn_use_label(struct dvmi_scn_test *t, unsigned column, int label)
{
	t->col[column].used[label] = true;
}

/* X10 .. X30, then X0. */
static unsigned give_register(struct dvmi_scn_test *t, struct dvmi_scn_column *c)
{
	if (c->registers > DVMI_SCN_X_COUNT) {
		dvmi_scn_unsupported(t, NULL, "more than 22 registers in use on one CPU");
		return DVMI_SCN_X_FIRST;
	}
	if (c->registers++ == DVMI_SCN_X_COUNT)
		return 0;
	return DVMI_SCN_X_FIRST + c->registers - 1;
}

/* Registers are noted with 1 added: 0 means none. */
unsigned dvmi_scn_reg(struct dvmi_scn_test *t, unsigned column, unsigned slot)
{
	struct dvmi_scn_column *c = &t->col[column];

	if (!c->slot[slot])
		c->slot[slot] = (uint8_t)(give_register(t, c) + 1);
	return c->slot[slot] - 1u;
}

unsigned dvmi_scn_loc(struct dvmi_scn_test *t, unsigned column, const char *name, uint64_t init)
{
	struct dvmi_scn_column *c = &t->col[column];
	unsigned l = 0;

	while (l < t->locs && strcmp(t->loc[l].name, name) != 0)
		l++;
	if (l == DVMI_SCN_LOCS) {
		dvmi_scn_unsupported(t, NULL, "more than 20 words in use");
		return DVMI_SCN_X_FIRST;
	}
	if (l == t->locs) {
		snprintf(t->loc[l].name, sizeof(t->loc[l].name), "%s", name);
		t->loc[l].init = init;
		t->locs++;
	}
	if (!c->loc[l])
		c->loc[l] = (uint8_t)(give_register(t, c) + 1);
	return c->loc[l] - 1u;
}

/*
 * The kernel's words are reached by their physical address: the linear map does not change, and a
 * walk that always gives the same is none.
 */
static void initial_state(struct dvmi_buf *b, const struct dvmi_scn_test *t)
{
	dvmi_buf_puts(b, "{\n");
	for (unsigned l = 0; l < t->locs; l++)
		dvmi_buf_printf(b, " uint64_t %s=%" PRIu64 ";\n", t->loc[l].name, t->loc[l].init);
	if (t->first)
		dvmi_buf_printf(b, " [PTE(x)]=%s;\n", t->first);
	if (t->second_mm)
		dvmi_buf_puts(b, " x=3; y=4;\n");
	for (unsigned c = 0; c < t->cols; c++) {
		dvmi_buf_printf(b, " %u:X1=x; %u:X2=PTE(x); %u:X3=%s; %u:X5=PA(x);", c, c, c,
				t->stored ? t->stored : "(oa:PA(x),valid:0)", c);
		if (t->col[c].asid)
			dvmi_buf_printf(b, " %u:TTBR0_EL1=%" PRIu64 ";", c,
					(uint64_t)t->col[c].asid << 48);
		if (t->remaps)
			dvmi_buf_printf(b, " %u:X6=(oa:PA(y));", c);
		for (unsigned l = 0; l < t->locs; l++)
			if (t->col[c].loc[l])
				dvmi_buf_printf(b, " %u:X%u=PA(%s);", c, t->col[c].loc[l] - 1u,
						t->loc[l].name);
		dvmi_buf_puts(b, "\n");
	}
	dvmi_buf_puts(b, "}\n");
}

static void cell(struct dvmi_buf *b, const struct dvmi_scn_column *c, unsigned row)
{
	char text[64] = "";

	if (row < c->lines && c->line[row].label >= 0 && c->used[c->line[row].label])
		snprintf(text, sizeof(text), "L%d: %s", c->line[row].label, c->line[row].text);
	else if (row < c->lines)
		snprintf(text, sizeof(text), "%s", c->line[row].text);
	dvmi_buf_printf(b, " %-24s", text);
}

int dvmi_scn_text(const struct dvmi_scn_test *t, char **text)
{
	struct dvmi_buf b = {0};
	unsigned rows = 0;

	dvmi_buf_printf(&b, "AArch64 %s\n(*\n * Strategy %s, made by dvmsim check:\n * %s.\n",
			t->name, t->p->name, t->what);
	for (unsigned c = 0; c < t->cols; c++) {
		dvmi_buf_printf(&b, " * P%u: %s.\n", c, t->col[c].title);
		rows = t->col[c].lines > rows ? t->col[c].lines : rows;
	}
	dvmi_buf_printf(&b, " * The condition: %s.\n *)\n", t->harm);
	if (t->tables)
		dvmi_buf_puts(&b, "Tables=x\n");
	if (t->second_mm)
		dvmi_buf_puts(&b, "Second-mm=x:y\n");
	if (t->env.erratum)
		dvmi_buf_puts(&b, "Erratum=repeat-tlbi\n");
	for (unsigned c = 0; t->domains && c < t->cols; c++)
		dvmi_buf_printf(&b, "%s%u%s", c ? "," : "TLBID=", t->col[c].domain,
				c + 1 < t->cols ? "" : "\n");
	initial_state(&b, t);
	for (unsigned row = 0; row <= rows; row++)
		for (unsigned c = 0; c < t->cols; c++) {
			if (row)
				cell(&b, &t->col[c], row - 1);
			else
				dvmi_buf_printf(&b, " P%-23u", c);
			dvmi_buf_puts(&b, c + 1 < t->cols ? " |" : " ;\n");
		}
	dvmi_buf_printf(&b, "exists (%s)\n", t->condition);
	return dvmi_buf_take(&b, text);
}

static void origin_of(const struct dvmi_scn_test *t, const struct dvmi_scn_line *line,
		      struct dvmi_origin *o)
{
	struct dvmi_buf b = {0};

	o->note = line->note;
	o->installs = line->installs;
	if (!line->origin)
		return;
	o->line = t->p->insns[line->origin - 1].line;
	dvmi_insn_print(t->p, &t->p->insns[line->origin - 1], &b);
	snprintf(o->source, sizeof(o->source), "%s", b.data ? b.data : "");
	dvmi_buf_fini(&b);
}

/* The first instruction of the flush hook, as it is written, that asks for `self`. */
static unsigned sampled(const struct dvmi_program *p)
{
	int from = p->hooks[DVMI_HOOK_FLUSH];

	for (unsigned i = from < 0 ? p->insns_count : (unsigned)from; i < p->insns_count; i++)
		if (p->insns[i].src[0].kind == DVMI_SELF || p->insns[i].src[1].kind == DVMI_SELF ||
		    p->insns[i].index.kind == DVMI_SELF)
			return p->insns[i].line;
	return 0;
}

int dvmi_scn_origins(const struct dvmi_scn_test *t, struct dvmi_origins **origins)
{
	struct dvmi_origins *o = dvmi_zalloc(sizeof(*o));

	if (!o)
		return -DVM_ENOMEM;
	o->cols = t->cols;
	o->moves = t->moves;
	o->sampled = sampled(t->p);
	o->kpti = t->env.kpti;
	o->erratum = t->env.erratum;
	for (unsigned c = 0; c < t->cols && c < DVMI_ORIGIN_CPUS; c++) {
		o->title[c] = t->col[c].title;
		o->away[c] = t->col[c].away;
		for (unsigned l = 0; l < t->col[c].lines && l < DVMI_ORIGIN_LINES; l++)
			origin_of(t, &t->col[c].line[l], &o->at[c][l]);
	}
	*origins = o;
	return 0;
}
