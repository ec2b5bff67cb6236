/* SPDX-License-Identifier: MIT */
#include "program/parser.h"

#include "base/mem.h"

#include <string.h>

static const char *op_candidate(const void *arg, size_t i)
{
	(void)arg;
	return i < DVMI_OPS ? dvmi_op_names[i] : NULL;
}

/* The mnemonic, with a suffix .acq, .rel or .full where the operation takes one. */
static int parse_op(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	static const char *const suffixes[] = { "", ".acq", ".rel", ".full" };
	const struct dvmi_token *t = dvmi_peek(ps);

	if (t->kind != DVMI_T_NAME)
		return dvmi_parse_fail(ps, t, "a line begins with an instruction, a label: or a "
					      "declaration; write one of them");
	for (unsigned op = 0; op < DVMI_OPS; op++) {
		size_t len = strlen(dvmi_op_names[op]);

		if (t->len < len || memcmp(t->text, dvmi_op_names[op], len) != 0)
			continue;
		for (unsigned o = 0; o < 4; o++) {
			bool plain = !suffixes[o][0];

			if (t->len - len != strlen(suffixes[o]) ||
			    memcmp(t->text + len, suffixes[o], t->len - len) != 0)
				continue;
			if (!plain && !strchr(dvmi_syntax[op].orders, suffixes[o][1]))
				return dvmi_parse_fail(ps, t, "'%s' does not take '%s'; use a "
						       "barrier beside it",
						       dvmi_op_names[op], suffixes[o]);
			insn->op = (uint8_t)op;
			insn->order = (uint8_t)o;
			ps->at++;
			return 0;
		}
	}
	return dvmi_parse_unknown(ps, t, "unknown instruction", op_candidate, NULL,
				  "docs/strategy-author.md lists them");
}

static int find_reg(char (*regs)[DVMI_NAME], unsigned count, const struct dvmi_token *t)
{
	for (unsigned i = 0; i < count; i++)
		if (dvmi_token_is(t, regs[i]))
			return (int)i;
	return -1;
}

/* Index of register @t of the wanted kind, created on first sight. */
static int reg_index(struct dvmi_parser *ps, const struct dvmi_token *t, bool mask, uint8_t *n)
{
	struct dvmi_program *p = ps->p;
	char(*regs)[DVMI_NAME] = mask ? p->mask_regs : p->regs;
	unsigned *count = mask ? &p->mask_regs_count : &p->regs_count;
	unsigned limit = mask ? DVMI_MASK_REGS : DVMI_REGS;
	struct dvmi_reg_use *use = mask ? ps->mask_regs : ps->regs;
	char name[DVMI_NAME];
	int i = find_reg(regs, *count, t), rc;

	if (i >= 0) {
		*n = (uint8_t)i;
		return 0;
	}
	rc = dvmi_parse_name(ps, t, name);
	if (rc)
		return rc;
	if (find_reg(mask ? p->regs : p->mask_regs, mask ? p->regs_count : p->mask_regs_count,
		     t) >= 0)
		return dvmi_parse_fail(ps, t, "'%s' is a %s register above and can not be a %s "
				       "here; use another name", name, mask ? "number" : "mask",
				       mask ? "mask" : "number");
	if (strpbrk(name, ".-") || dvmi_name_reserved(name) || dvmi_parse_const(ps, t) != -1)
		return dvmi_parse_fail(ps, t, "'%s' can not be a register; use a plain name that "
				       "means nothing else", name);
	if (*count == limit)
		return dvmi_error_at(ps->err, DVM_ELIMIT, ps->lx.where, ps->lx.line, t->column,
				     "more than %u %s registers; use one again", limit,
				     mask ? "mask" : "scalar");
	memcpy(regs[*count], name, sizeof(name));
	use[*count] = (struct dvmi_reg_use){ .line = ps->lx.line, .column = t->column };
	*n = (uint8_t)(*count)++;
	return 0;
}

static int parse_dst(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	int rc;

	ps->at++;
	if (dvmi_token_is(t, "_")) {
		insn->dst = DVMI_NOREG;
		return 0;
	}
	rc = reg_index(ps, t, false, &insn->dst);
	if (!rc)
		ps->regs[insn->dst].set = true;
	return rc;
}

static const char *field_candidate(const void *arg, size_t i)
{
	(void)arg;
	return i < DVMI_FIELDS ? dvmi_field_names[i] : NULL;
}

static bool names_word(const struct dvmi_parser *ps, const struct dvmi_token *t)
{
	const char *name;
	size_t len;
	int base = dvmi_parse_base(t, &name, &len);

	if (base == DVMI_BASE_PREV || base == DVMI_BASE_NEXT)
		base = DVMI_BASE_MM;
	for (unsigned i = 0; i < ps->p->words_count; i++)
		if (ps->p->words[i].base == base && strlen(ps->p->words[i].name) == len &&
		    !memcmp(ps->p->words[i].name, name, len))
			return true;
	return dvmi_token_is(t, "mm.mm_users");
}

int dvmi_parse_value(struct dvmi_parser *ps, struct dvmi_operand *v)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	int c;

	ps->at++;
	if (t->kind == DVMI_T_NUMBER) {
		*v = (struct dvmi_operand){ .kind = DVMI_IMM, .imm = t->number };
		return 0;
	}
	if (dvmi_token_is(t, "self")) {
		v->kind = DVMI_SELF;
		return 0;
	}
	for (unsigned i = 0; i < DVMI_FIELDS; i++) {
		if (dvmi_token_is(t, dvmi_field_names[i])) {
			*v = (struct dvmi_operand){ .kind = DVMI_FIELD, .n = (uint8_t)i };
			return 0;
		}
	}
	c = dvmi_parse_const(ps, t);
	if (c == -2)
		return -DVM_ELIMIT;
	if (c >= 0) {
		ps->const_used[c] = true;
		*v = (struct dvmi_operand){ .kind = DVMI_IMM, .n = (uint8_t)(c + 1),
					    .imm = ps->p->consts[c].value };
		return 0;
	}
	if (names_word(ps, t))
		return dvmi_parse_fail(ps, t, "'%.*s' is in memory; load it into a register first "
				       "(ld r, %.*s)", (int)t->len, t->text, (int)t->len, t->text);
	if (memchr(t->text, '.', t->len))
		return dvmi_parse_unknown(ps, t, "unknown field", field_candidate, NULL,
					  "docs/strategy-author.md lists the fields");
	v->kind = DVMI_REG;
	return reg_index(ps, t, false, &v->n);
}

/* cpu[r].x: what follows "cpu" */
static int parse_index(struct dvmi_parser *ps, struct dvmi_insn *insn, struct dvmi_token *t)
{
	int rc = dvmi_parse_value(ps, &insn->index);

	if (rc)
		return rc;
	if (insn->index.kind == DVMI_SELF)
		return dvmi_parse_fail(ps, dvmi_peek(ps) - 1, "cpu[self] is the own CPU's word; "
				       "write cpu.name");
	if (!dvmi_take(ps, DVMI_T_CLOSE) || dvmi_peek(ps)->kind != DVMI_T_NAME ||
	    dvmi_peek(ps)->text[0] != '.')
		return dvmi_parse_fail(ps, dvmi_peek(ps), "another CPU's word is written "
				       "cpu[register].name; complete it");
	*t = *dvmi_peek(ps);
	t->text++;
	t->len--;
	ps->at++;
	return 0;
}

/* mm.mm_users: declared by the kernel, added when a program first uses it. */
static int kernel_word(struct dvmi_parser *ps, const struct dvmi_token *t)
{
	struct dvmi_program *p = ps->p;
	struct dvmi_word *w = &p->words[p->words_count];

	if (p->words_count == DVMI_WORDS_MAX)
		return dvmi_error_at(ps->err, DVM_ELIMIT, ps->lx.where, ps->lx.line, t->column,
				     "more than %d words; drop some", DVMI_WORDS_MAX);
	*w = (struct dvmi_word){ .name = "mm_users", .base = DVMI_BASE_MM, .init = 1, .kernel = 1,
				 .line = ps->lx.line, .column = t->column };
	p->words_count++;
	return 0;
}

static const char *word_candidate(const void *arg, size_t i)
{
	const struct dvmi_program *p = arg;

	return i < p->words_count ? p->words[i].name : NULL;
}

static int find_word(struct dvmi_parser *ps, unsigned base, const struct dvmi_token *t,
		     const char *shown, size_t shown_len)
{
	struct dvmi_token name = *t;

	if (base == DVMI_BASE_MM && dvmi_token_is(t, "mm_users") &&
	    dvmi_program_word(ps->p, DVMI_BASE_MM, "mm_users") < 0) {
		int rc = kernel_word(ps, t);

		if (rc)
			return rc;
	}
	for (unsigned i = 0; i < ps->p->words_count; i++)
		if (ps->p->words[i].base == base && dvmi_token_is(t, ps->p->words[i].name))
			return (int)i;
	for (unsigned i = 0; i < ps->p->words_count; i++)
		if (dvmi_token_is(t, ps->p->words[i].name)) {
			const char *place = dvmi_base_names[ps->p->words[i].base];

			return dvmi_parse_fail(ps, t, "'%.*s' is not declared; did you mean "
					       "'%s%s%s'?", (int)shown_len, shown, place,
					       place[0] ? "." : "", ps->p->words[i].name);
		}
	return dvmi_parse_unknown(ps, &name, "undeclared word", word_candidate, ps->p,
				  "declare it above the first hook, for example word mm.name = 0");
}

static int parse_word(struct dvmi_parser *ps, struct dvmi_insn *insn, bool mask)
{
	struct dvmi_token t = *dvmi_peek(ps), name = t;
	bool store = insn->op != DVMI_LD && insn->op != DVMI_LDMASK && insn->op != DVMI_TSTBIT;
	const char *p = NULL;
	size_t len = 0;
	int base, rc;

	ps->at++;
	if (dvmi_token_is(&t, "cpu") && dvmi_take(ps, DVMI_T_OPEN)) {
		base = DVMI_BASE_CPU;
		rc = parse_index(ps, insn, &name);
		if (rc)
			return rc;
	} else {
		base = dvmi_parse_base(&t, &p, &len);
		if (base < 0)
			return dvmi_parse_fail(ps, &t, "no such place; a word is mm.x, prev.x, "
					       "next.x, cpu.x, cpu[r].x, task.x or x");
		name.text = p;
		name.len = len;
		name.column = t.column;
	}
	insn->base = (uint8_t)base;
	if (base == DVMI_BASE_PREV || base == DVMI_BASE_NEXT)
		base = DVMI_BASE_MM;
	rc = find_word(ps, (unsigned)base, &name, t.text, t.len);
	if (rc < 0)
		return rc;
	insn->word = (uint16_t)rc;
	if (ps->p->words[rc].mask != mask)
		return dvmi_parse_fail(ps, &t, mask ? "'%.*s' is a word of 64 bits; use ld, st, "
				       "cas, xchg or fadd, or declare it as a mask" :
				       "'%.*s' is a mask; use ldmask, stmask or the bit "
				       "instructions", (int)t.len, t.text);
	if (ps->p->words[rc].kernel && store)
		return dvmi_parse_fail(ps, &t, "'%.*s' is the kernel's; a strategy may only load "
				       "it", (int)t.len, t.text);
	return 0;
}

static int parse_mask_reg(struct dvmi_parser *ps, struct dvmi_operand *v, bool sets)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	int rc;

	ps->at++;
	v->kind = DVMI_MASK;
	rc = reg_index(ps, t, true, &v->n);
	if (!rc && sets)
		ps->mask_regs[v->n].set = true;
	return rc;
}

static int parse_target(struct dvmi_parser *ps)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	struct dvmi_fixup fix = { .insn = ps->p->insns_count, .body = ps->body,
				  .line = ps->lx.line, .column = t->column };
	int rc = dvmi_parse_name(ps, t, fix.name);

	if (rc)
		return rc;
	ps->at++;
	if (dvmi_grow((void **)&ps->fixups, &ps->fixups_cap, ps->fixups_count + 1,
		      sizeof(*ps->fixups)))
		return dvmi_error_nomem(ps->err);
	ps->fixups[ps->fixups_count++] = fix;
	return 0;
}

static const char *operand_help(char kind)
{
	switch (kind) {
	case 'd':
		return "a register to set";
	case 'w':
		return "a word";
	case 'k':
		return "a mask in memory";
	case 'm':
	case 'M':
		return "a mask register";
	case 'L':
		return "a label";
	default:
		return "a value";
	}
}

static int parse_operand(struct dvmi_parser *ps, struct dvmi_insn *insn, char kind, unsigned *src)
{
	const struct dvmi_token *t = dvmi_peek(ps);

	if (t->kind != DVMI_T_NAME && !(t->kind == DVMI_T_NUMBER && kind == 'v'))
		return dvmi_parse_fail(ps, t, "'%s' needs %s here; add it", dvmi_op_names[insn->op],
				       operand_help(kind));
	switch (kind) {
	case 'd':
		return parse_dst(ps, insn);
	case 'w':
	case 'k':
		return parse_word(ps, insn, kind == 'k');
	case 'm':
	case 'M':
		return parse_mask_reg(ps, &insn->src[(*src)++], kind == 'M');
	case 'L':
		return parse_target(ps);
	default:
		return dvmi_parse_value(ps, &insn->src[(*src)++]);
	}
}

static int parse_operands(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	unsigned src = 0;
	bool first = true;

	for (const char *s = dvmi_syntax[insn->op].operands; *s; s++, first = false) {
		int rc;

		if (*s == '?') {
			if (dvmi_peek(ps)->kind == DVMI_T_END)
				return 0;
			s++;
		}
		if (!first && !dvmi_take(ps, DVMI_T_COMMA)) {
			if (dvmi_peek(ps)->kind == DVMI_T_END)
				return dvmi_parse_fail(ps, dvmi_peek(ps), "'%s' needs %s here; add "
						       "it", dvmi_op_names[insn->op],
						       operand_help(*s));
			return dvmi_parse_fail(ps, dvmi_peek(ps), "a comma is missing here; "
					       "operands are separated by commas");
		}
		rc = parse_operand(ps, insn, *s, &src);
		if (rc)
			return rc;
	}
	return 0;
}

int dvmi_parse_insn(struct dvmi_parser *ps)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	struct dvmi_insn insn = { .dst = DVMI_NOREG, .line = ps->lx.line, .column = t->column };
	struct dvmi_program *p = ps->p;
	int rc = parse_op(ps, &insn);

	if (rc)
		return rc;
	if (!ps->body)
		return dvmi_parse_fail(ps, t, "an instruction stands before the first hook; write "
					      "on flush: above it");
	if (p->insns_count == DVMI_INSNS_MAX)
		return dvmi_error_at(ps->err, DVM_ELIMIT, ps->lx.where, ps->lx.line, t->column,
				     "more than %d instructions; split the program",
				     DVMI_INSNS_MAX);
	rc = parse_operands(ps, &insn);
	if (!rc)
		rc = dvmi_parse_form(ps, &insn);
	if (rc)
		return rc;
	if (dvmi_peek(ps)->kind != DVMI_T_END)
		return dvmi_parse_fail(ps, dvmi_peek(ps), "the line should end here; remove the "
							  "rest or put # before it");
	if (dvmi_grow((void **)&p->insns, &ps->insns_cap, p->insns_count + 1, sizeof(*p->insns)))
		return dvmi_error_nomem(ps->err);
	dvmi_insn_classify(&insn);
	p->insns[p->insns_count++] = insn;
	ps->body_empty = false;
	return 0;
}
