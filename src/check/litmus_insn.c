/* SPDX-License-Identifier: MIT */
#include "check/litmus_operand.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Parsing one cell of the program: labels, then at most one instruction. */

/* ---- mnemonics ---- */

/* A, L and AL after an atomic's name; what is left must be nothing. */
static bool order_suffix(const char *s, uint8_t *flags)
{
	if (!strcasecmp(s, "A") || !strcasecmp(s, "AL"))
		*flags |= DVMI_F_ACQ;
	if (!strcasecmp(s, "L") || !strcasecmp(s, "AL"))
		*flags |= DVMI_F_REL;
	return !*s || *flags;
}

static bool amo_name(const char *w, struct dvmi_insn *in, bool *no_result)
{
	static const struct {
		const char *name;
		uint8_t alu;
		bool no_result;
	} amos[] = {
		{"SWP", DVMI_AMO_SWP, false},	{"LDADD", DVMI_AMO_ADD, false},
		{"LDCLR", DVMI_AMO_CLR, false}, {"LDEOR", DVMI_AMO_EOR, false},
		{"LDSET", DVMI_AMO_SET, false}, {"STADD", DVMI_AMO_ADD, true},
		{"STCLR", DVMI_AMO_CLR, true},	{"STEOR", DVMI_AMO_EOR, true},
		{"STSET", DVMI_AMO_SET, true},
	};

	for (size_t i = 0; i < sizeof(amos) / sizeof(amos[0]); i++)
		if (!strncasecmp(w, amos[i].name, strlen(amos[i].name)) &&
		    order_suffix(w + strlen(amos[i].name), &in->flags)) {
			in->alu = amos[i].alu;
			*no_result = amos[i].no_result;
			return true;
		}
	return false;
}

enum form { F_PLAIN, F_LD, F_ST, F_LDX, F_STX, F_ALU, F_MOV, F_CMP, F_CB, F_BRANCH, F_BARRIER };

static const struct mnemonic {
	const char *name;
	uint8_t op, alu, flags, form;
} mnemonics[] = {
	{"NOP", DVMI_OP_NOP, 0, 0, F_PLAIN},
	{"ISB", DVMI_OP_ISB, 0, 0, F_PLAIN},
	{"ERET", DVMI_OP_ERET, 0, 0, F_PLAIN},
	{"LDR", DVMI_OP_LD, 0, 0, F_LD},
	{"WALK", DVMI_OP_WALK, 0, 0, F_LDX}, /* beyond herd */
	{"LDAR", DVMI_OP_LD, 0, DVMI_F_ACQ, F_LDX},
	{"LDAPR", DVMI_OP_LD, 0, DVMI_F_ACQPC, F_LDX},
	{"LDXR", DVMI_OP_LDX, 0, 0, F_LDX},
	{"LDAXR", DVMI_OP_LDX, 0, DVMI_F_ACQ, F_LDX},
	{"STR", DVMI_OP_ST, 0, 0, F_ST},
	{"STLR", DVMI_OP_ST, 0, DVMI_F_REL, F_LDX},
	{"STXR", DVMI_OP_STX, 0, 0, F_STX},
	{"STLXR", DVMI_OP_STX, 0, DVMI_F_REL, F_STX},
	{"MOV", DVMI_OP_MOV, 0, 0, F_MOV},
	{"ADD", DVMI_OP_ALU, DVMI_N_ADD, 0, F_ALU},
	{"SUB", DVMI_OP_ALU, DVMI_N_SUB, 0, F_ALU},
	{"AND", DVMI_OP_ALU, DVMI_N_AND, 0, F_ALU},
	{"ORR", DVMI_OP_ALU, DVMI_N_ORR, 0, F_ALU},
	{"EOR", DVMI_OP_ALU, DVMI_N_EOR, 0, F_ALU},
	{"BIC", DVMI_OP_ALU, DVMI_N_BIC, 0, F_ALU},
	{"LSL", DVMI_OP_ALU, DVMI_N_LSL, 0, F_ALU},
	{"LSR", DVMI_OP_ALU, DVMI_N_LSR, 0, F_ALU},
	{"ASR", DVMI_OP_ALU, DVMI_N_ASR, 0, F_ALU},
	{"CMP", DVMI_OP_CMP, 0, 0, F_CMP},
	{"CBZ", DVMI_OP_CBZ, 0, 0, F_CB},
	{"CBNZ", DVMI_OP_CBNZ, 0, 0, F_CB},
	{"B", DVMI_OP_B, 0, 0, F_BRANCH},
	{"DMB", DVMI_OP_DMB, 0, 0, F_BARRIER},
	{"DSB", DVMI_OP_DSB, 0, 0, F_BARRIER},
};

static int operands(struct dvmi_litmus_parser *p, struct dvmi_thread *t, struct dvmi_insn *in,
		    enum form form)
{
	int rc;

	switch (form) {
	case F_LD:
	case F_ST:
		return dvmi_operand_rd_address(p, in, true);
	case F_LDX:
		return dvmi_operand_rd_address(p, in, false);
	case F_STX:
		return dvmi_operand_stxr(p, in);
	case F_ALU:
		return dvmi_operand_alu(p, in);
	case F_MOV:
		return dvmi_operand_mov(p, in);
	case F_CMP:
		return dvmi_operand_cmp(p, in);
	case F_CB:
		rc = dvmi_operand_reg(p, &in->rn, &in->width);
		if (!rc)
			rc = dvmi_operand_comma(p);
		return rc ? rc : dvmi_operand_label_ref(p, t, &in->target);
	case F_BRANCH:
		return dvmi_operand_label_ref(p, t, &in->target);
	case F_BARRIER:
		return dvmi_operand_barrier(p, in);
	default:
		return 0;
	}
}

/* Mnemonics with parts of their own; 1: not one of them. */
static int special(struct dvmi_litmus_parser *p, struct dvmi_thread *t, const char *w,
		   struct dvmi_insn *in)
{
	bool no_result;
	uint8_t width;
	int rc;

	if (!strncasecmp(w, "B.", 2)) {
		in->op = DVMI_OP_BCC;
		rc = dvmi_operand_condition_code(p, w + 2, &in->cond);
		return rc ? rc : dvmi_operand_label_ref(p, t, &in->target);
	}
	if (!strcasecmp(w, "CSEL")) {
		in->op = DVMI_OP_CSEL;
		return dvmi_operand_csel(p, in);
	}
	if (!strcasecmp(w, "CSET")) {
		in->op = DVMI_OP_CSEL;
		return dvmi_operand_cset(p, in);
	}
	if (!strcasecmp(w, "TLBI")) {
		in->op = DVMI_OP_TLBI;
		return dvmi_operand_tlbi(p, in);
	}
	if (!strcasecmp(w, "MSR") || !strcasecmp(w, "MRS")) {
		bool write = toupper((unsigned char)w[1]) == 'S';

		in->op = write ? DVMI_OP_MSR : DVMI_OP_MRS;
		rc = write ? dvmi_operand_sysreg(p, &in->sysreg)
			   : dvmi_operand_reg(p, &in->rd, &width);
		if (!rc)
			rc = dvmi_operand_comma(p);
		if (!rc)
			rc = write ? dvmi_operand_reg(p, &in->rn, &width)
				   : dvmi_operand_sysreg(p, &in->sysreg);
		return rc;
	}
	if (!strcasecmp(w, "ADR")) {
		in->op = DVMI_OP_ADR;
		rc = dvmi_operand_reg(p, &in->rd, &width);
		if (!rc)
			rc = dvmi_operand_comma(p);
		return rc ? rc : dvmi_operand_label_ref(p, t, &in->target);
	}
	if (amo_name(w, in, &no_result)) {
		in->op = DVMI_OP_AMO;
		return dvmi_operand_atomic(p, in, no_result);
	}
	if (!strncasecmp(w, "CAS", 3) && order_suffix(w + 3, &in->flags)) {
		in->op = DVMI_OP_CAS;
		return dvmi_operand_atomic(p, in, false);
	}
	return 1;
}

static int instruction(struct dvmi_litmus_parser *p, struct dvmi_thread *t, const char *w,
		       const struct dvmi_lex *at)
{
	struct dvmi_insn in = {.width = 8,
			       .rd = DVMI_REG_ZR,
			       .rn = DVMI_REG_NONE,
			       .rm = DVMI_REG_NONE,
			       .rs = DVMI_REG_NONE};
	int rc;

	in.line = (uint16_t)(at->line > UINT16_MAX ? UINT16_MAX : at->line);
	rc = special(p, t, w, &in);
	for (size_t i = 0; rc == 1 && i < sizeof(mnemonics) / sizeof(mnemonics[0]); i++)
		if (!strcasecmp(w, mnemonics[i].name)) {
			in.op = mnemonics[i].op;
			in.alu = mnemonics[i].alu;
			in.flags = mnemonics[i].flags;
			rc = operands(p, t, &in, (enum form)mnemonics[i].form);
		}
	if (rc == 1) {
		p->lex = *at;
		return dvmi_lex_fail(&p->lex,
				     "instruction '%s' is not supported; supported: LDR LDAR "
				     "LDAPR LDXR LDAXR STR STLR STXR STLXR SWP CAS LDADD LDCLR "
				     "LDEOR LDSET (and A, "
				     "L, AL, ST forms) MOV ADD SUB AND ORR EOR BIC LSL LSR ASR CMP "
				     "CSEL CSET CBZ CBNZ B "
				     "B.cond NOP DMB DSB ISB TLBI ADR ERET MSR MRS",
				     w);
	}
	if (rc)
		return rc;
	if (t->insns == DVMI_INSNS_MAX)
		return dvmi_lex_fail(&p->lex, "more than %d instructions in a thread",
				     DVMI_INSNS_MAX);
	t->insn[t->insns++] = in;
	return 0;
}

static int define_label(struct dvmi_litmus_parser *p, struct dvmi_thread *t, const char *name)
{
	unsigned i = 0;

	while (i < t->labels && strcmp(t->label[i].name, name) != 0)
		i++;
	if (i == DVMI_LABELS_MAX)
		return dvmi_lex_fail(&p->lex, "more than %d labels", DVMI_LABELS_MAX);
	if (i < t->labels && t->label[i].at >= 0)
		return dvmi_lex_fail(&p->lex, "label %s is defined twice", name);
	if (i == t->labels) {
		strcpy(t->label[i].name, name);
		t->labels++;
	}
	t->label[i].at = (int)t->insns;
	return 0;
}

/* Keep what an instruction looks like, blanks made single. */
static void keep_text(struct dvmi_insn *in, const char *from, const char *end)
{
	size_t n = 0;

	for (; from < end && n + 1 < sizeof(in->text); from++) {
		bool blank = *from == ' ' || *from == '\t' || *from == '\n' || *from == '\r';

		if (!blank)
			in->text[n++] = *from;
		else if (n && in->text[n - 1] != ' ')
			in->text[n++] = ' ';
	}
	while (n && in->text[n - 1] == ' ')
		n--;
	in->text[n] = 0;
}

int dvmi_litmus_cell(struct dvmi_litmus_parser *p, struct dvmi_thread *t)
{
	for (;;) {
		struct dvmi_lex at = p->lex;
		char word[DVMI_NAME_MAX];
		int rc;

		if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
			return 0;
		if (dvmi_lex_peek(&p->lex) != ':') {
			rc = instruction(p, t, word, &at);
			if (!rc)
				keep_text(&t->insn[t->insns - 1], at.p, p->lex.p);
			return rc;
		}
		(void)dvmi_lex_eat(&p->lex, ":");
		rc = define_label(p, t, word);
		if (rc)
			return rc;
	}
}
