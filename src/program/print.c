/* SPDX-License-Identifier: MIT */
#include "program/parse.h"

#include <inttypes.h>
#include <string.h>

/* "mm.", "cpu.", or nothing for a word of the system */
static void print_base(unsigned base, struct dvmi_buf *buf)
{
	if (base != DVMI_BASE_GLOBAL)
		dvmi_buf_printf(buf, "%s.", dvmi_base_names[base]);
}

static void value(const struct dvmi_program *p, const struct dvmi_operand *v,
		  struct dvmi_buf *buf)
{
	switch (v->kind) {
	case DVMI_REG:
		dvmi_buf_puts(buf, p->regs[v->n]);
		break;
	case DVMI_MASK:
		dvmi_buf_puts(buf, p->mask_regs[v->n]);
		break;
	case DVMI_SELF:
		dvmi_buf_puts(buf, "self");
		break;
	case DVMI_FIELD:
		dvmi_buf_puts(buf, dvmi_field_names[v->n]);
		break;
	default:
		if (v->n)
			dvmi_buf_puts(buf, p->consts[v->n - 1].name);
		else
			dvmi_buf_printf(buf, "%" PRIu64, v->imm);
	}
}

static void word(const struct dvmi_program *p, const struct dvmi_insn *insn, struct dvmi_buf *buf)
{
	if (insn->index.kind != DVMI_NONE) {
		dvmi_buf_puts(buf, "cpu[");
		value(p, &insn->index, buf);
		dvmi_buf_puts(buf, "].");
	} else {
		print_base(insn->base, buf);
	}
	dvmi_buf_puts(buf, p->words[insn->word].name);
}

/* The label a branch went to; two labels at one place are the same to a machine. */
static const char *label_at(const struct dvmi_program *p, unsigned insn)
{
	for (unsigned i = 0; i < p->labels_count; i++)
		if (p->labels[i].insn == insn)
			return p->labels[i].name;
	return "?";
}

static void operands(const struct dvmi_program *p, const struct dvmi_insn *insn,
		     struct dvmi_buf *buf)
{
	const char *sep = " ";
	unsigned src = 0;

	for (const char *s = dvmi_syntax[insn->op].operands; *s; s++) {
		if (*s == '?') {
			if (insn->src[src].kind == DVMI_NONE)
				return;
			continue;
		}
		dvmi_buf_puts(buf, sep);
		sep = ", ";
		if (*s == 'd')
			dvmi_buf_puts(buf, insn->dst == DVMI_NOREG ? "_" : p->regs[insn->dst]);
		else if (*s == 'w' || *s == 'k')
			word(p, insn, buf);
		else if (*s == 'L')
			dvmi_buf_puts(buf, label_at(p, insn->target));
		else
			value(p, &insn->src[src++], buf);
	}
}

static void tlbi(const struct dvmi_program *p, const struct dvmi_insn *insn, struct dvmi_buf *buf)
{
	static const char *const what[] = { "", " asid", " all" };

	dvmi_buf_puts(buf, insn->scope == DVMI_TLBI_IS ? " is" : " local");
	dvmi_buf_puts(buf, what[insn->what]);
	if (insn->src[0].kind != DVMI_NONE) {
		dvmi_buf_puts(buf, " domain ");
		value(p, &insn->src[0], buf);
	}
	if (insn->flags & DVMI_TLBI_NOTWIN)
		dvmi_buf_puts(buf, " notwin");
	if (insn->flags & DVMI_TLBI_LEAF)
		dvmi_buf_puts(buf, " leaf");
	if (insn->flags & DVMI_TLBI_BADTTL)
		dvmi_buf_puts(buf, " badttl");
}

void dvmi_insn_print(const struct dvmi_program *p, const struct dvmi_insn *insn,
		     struct dvmi_buf *buf)
{
	static const char *const orders[] = { "", ".acq", ".rel", ".full" };

	dvmi_buf_printf(buf, "%s%s", dvmi_op_names[insn->op], orders[insn->order]);
	operands(p, insn, buf);
	switch (insn->op) {
	case DVMI_DSB:
	case DVMI_DMB:
	case DVMI_SYNC:
		dvmi_buf_printf(buf, " %s", dvmi_barrier_names[insn->type][insn->domain]);
		break;
	case DVMI_ASID:
		if (insn->base != DVMI_BASE_MM)
			dvmi_buf_puts(buf, insn->base == DVMI_BASE_PREV ? " prev" : " next");
		break;
	case DVMI_TLBI:
		tlbi(p, insn, buf);
		break;
	case DVMI_SECTION:
		if (insn->flags == DVMI_SECTION_ON_MIGRATE)
			dvmi_buf_puts(buf, ", on-migrate");
		break;
	default:
		break;
	}
}

static void print_sources(const char *source, struct dvmi_buf *buf)
{
	while (*source) {
		size_t len = strcspn(source, "\n");

		dvmi_buf_printf(buf, "source \"%.*s\"\n", (int)len, source);
		source += len + (source[len] == '\n');
	}
}

static void print_header(const struct dvmi_program *p, struct dvmi_buf *buf)
{
	dvmi_buf_printf(buf, "strategy %s\n", p->name);
	if (p->summary[0])
		dvmi_buf_printf(buf, "summary \"%s\"\n", p->summary);
	print_sources(p->source, buf);
	for (unsigned i = 0; i < p->consts_count; i++)
		if (!p->consts[i].builtin)
			dvmi_buf_printf(buf, "%s %s = %" PRIu64 "\n",
					p->consts[i].param ? "param" : "const",
					p->consts[i].name, p->consts[i].value);
	for (unsigned i = 0; i < p->words_count; i++) {
		const struct dvmi_word *w = &p->words[i];

		if (w->kernel)
			continue;
		dvmi_buf_puts(buf, w->mask ? "mask " : "word ");
		print_base(w->base, buf);
		dvmi_buf_printf(buf, "%s%s = ", w->name, w->domains ? " of domains" : "");
		if (w->mask)
			dvmi_buf_puts(buf, w->init ? "all" : "none");
		else if (w->init_const)
			dvmi_buf_puts(buf, p->consts[w->init_const - 1].name);
		else
			dvmi_buf_printf(buf, "%" PRIu64, w->init);
		dvmi_buf_puts(buf, "\n");
	}
}

static void print_quarantine(const struct dvmi_program *p, struct dvmi_buf *buf)
{
	if (p->quarantine_const)
		dvmi_buf_printf(buf, "quarantine %s ticks\n",
				p->consts[p->quarantine_const - 1].name);
	else if (p->quarantine)
		dvmi_buf_printf(buf, "quarantine %" PRIu32 " ticks\n", p->quarantine);
}

void dvmi_program_print(const struct dvmi_program *p, struct dvmi_buf *buf)
{
	print_header(p, buf);
	print_quarantine(p, buf);
	for (unsigned i = 0; i < p->insns_count; i++) {
		const char *gap = "\n";

		for (unsigned h = 0; h < DVMI_HOOKS; h++)
			if (p->hooks[h] == (int)i) {
				dvmi_buf_printf(buf, "%son %s:\n", gap, dvmi_hook_names[h]);
				gap = "";
			}
		for (unsigned l = 0; l < p->labels_count; l++)
			if (p->labels[l].insn == i)
				dvmi_buf_printf(buf, "%s:\n", p->labels[l].name);
		dvmi_buf_puts(buf, "\t");
		dvmi_insn_print(p, &p->insns[i], buf);
		dvmi_buf_puts(buf, "\n");
	}
}
