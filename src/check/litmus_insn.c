/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Parsing one cell of the program: labels, then at most one instruction. */

static int reg(struct dvmi_litmus_parser *p, uint8_t *r, uint8_t *width)
{
	struct dvmi_lex save = p->lex;
	char word[DVMI_NAME_MAX];

	if (dvmi_lex_word(&p->lex, word, sizeof(word), false) && dvmi_litmus_reg(word, r, width) &&
	    *r <= DVMI_REG_ZR)
		return 0;
	p->lex = save;
	return dvmi_lex_fail(&p->lex, "expected a register: X0-X30, W0-W30, XZR or WZR");
}

static int comma(struct dvmi_litmus_parser *p)
{
	return dvmi_lex_eat(&p->lex, ",") ? 0 : dvmi_lex_fail(&p->lex, "expected ','");
}

static int immediate(struct dvmi_litmus_parser *p, int64_t *imm)
{
	uint64_t v;

	(void)dvmi_lex_eat(&p->lex, "#");
	if (!dvmi_lex_number(&p->lex, &v))
		return dvmi_lex_fail(&p->lex, "expected a number, as in #1");
	*imm = (int64_t)v;
	return 0;
}

static bool at_immediate(const struct dvmi_litmus_parser *p)
{
	int c = dvmi_lex_peek(&p->lex);

	return c == '#' || c == '-' || isdigit(c);
}

/* ", SXTW", ", UXTW #2", ", LSL #3": how the last register is widened or shifted. */
static int extension(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	static const struct {
		const char *name;
		uint8_t ext, kind;
	} forms[] = {
		{"SXTW", DVMI_EXT_SXTW, DVMI_N_LSL}, {"UXTW", DVMI_EXT_UXTW, DVMI_N_LSL},
		{"SXTX", DVMI_EXT_NONE, DVMI_N_LSL}, {"UXTX", DVMI_EXT_NONE, DVMI_N_LSL},
		{"LSL", DVMI_EXT_NONE, DVMI_N_LSL},  {"LSR", DVMI_EXT_NONE, DVMI_N_LSR},
		{"ASR", DVMI_EXT_NONE, DVMI_N_ASR},
	};
	int64_t n = 0;
	int rc = comma(p);

	if (rc)
		return rc;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (dvmi_lex_eat(&p->lex, forms[i].name)) {
			in->ext = forms[i].ext;
			in->shift_kind = forms[i].kind;
			if (at_immediate(p)) {
				rc = immediate(p, &n);
				if (!rc && (n < 0 || n > 63))
					rc = dvmi_lex_fail(&p->lex, "shift amounts are 0 to 63");
			}
			in->shift = (uint8_t)n;
			return rc;
		}
	return dvmi_lex_fail(&p->lex, "expected SXTW, UXTW, LSL, LSR or ASR");
}

/* [Xn], [Xn,#8], [Xn,Xm], [Xn,Wm,SXTW] */
static int address(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool offset)
{
	uint8_t width;
	int rc;

	if (!dvmi_lex_eat(&p->lex, "["))
		return dvmi_lex_fail(&p->lex, "expected an address in brackets, as in [X1]");
	rc = reg(p, &in->rn, &width);
	if (!rc && width != 8)
		rc = dvmi_lex_fail(&p->lex, "the base of an address is an X register");
	in->rm = DVMI_REG_NONE;
	if (!rc && offset && dvmi_lex_eat(&p->lex, ",")) {
		if (at_immediate(p)) {
			rc = immediate(p, &in->imm);
		} else {
			rc = reg(p, &in->rm, &width);
			if (!rc && width == 4)
				in->ext = DVMI_EXT_UXTW;
			if (!rc && dvmi_lex_peek(&p->lex) == ',')
				rc = extension(p, in);
		}
	}
	if (rc)
		return rc;
	if (!dvmi_lex_eat(&p->lex, "]"))
		return dvmi_lex_fail(&p->lex, "expected ]");
	return 0;
}

static int label_ref(struct dvmi_litmus_parser *p, struct dvmi_thread *t, uint16_t *target)
{
	char name[DVMI_NAME_MAX];
	unsigned line = p->lex.line, column = dvmi_lex_column(&p->lex);

	if (!dvmi_lex_word(&p->lex, name, sizeof(name), false))
		return dvmi_lex_fail(&p->lex, "expected a label");
	for (unsigned i = 0; i < t->labels; i++)
		if (!strcmp(t->label[i].name, name)) {
			*target = (uint16_t)i;
			return 0;
		}
	if (t->labels == DVMI_LABELS_MAX)
		return dvmi_lex_fail(&p->lex, "more than %d labels", DVMI_LABELS_MAX);
	strcpy(t->label[t->labels].name, name);
	t->label[t->labels].at = -1;
	t->label[t->labels].line = line;
	t->label[t->labels].column = column;
	*target = (uint16_t)t->labels++;
	return 0;
}

/* ---- the families of instructions ---- */

static int rd_address(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool offset)
{
	int rc = reg(p, &in->rd, &in->width);

	if (!rc)
		rc = comma(p);
	return rc ? rc : address(p, in, offset);
}

/* SWP Ws, Wt, [Xn]; CAS Ws, Wt, [Xn]; STADD Ws, [Xn] */
static int atomic(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool no_result)
{
	uint8_t width;
	int rc = reg(p, &in->rs, &in->width);

	if (!rc)
		rc = comma(p);
	in->rd = DVMI_REG_ZR;
	if (!rc && !no_result) {
		rc = reg(p, &in->rd, &width);
		if (!rc && width != in->width)
			rc = dvmi_lex_fail(&p->lex, "both registers must have the same width");
		if (!rc)
			rc = comma(p);
	}
	return rc ? rc : address(p, in, false);
}

static int stxr(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = reg(p, &in->rs, &width);

	if (!rc && width != 4)
		rc = dvmi_lex_fail(&p->lex, "the status register is a W register");
	if (!rc)
		rc = comma(p);
	return rc ? rc : rd_address(p, in, false);
}

static int alu(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = reg(p, &in->rd, &in->width);

	if (!rc)
		rc = comma(p);
	if (!rc)
		rc = reg(p, &in->rn, &width);
	if (!rc)
		rc = comma(p);
	in->rm = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	rc = reg(p, &in->rm, &width);
	if (!rc && width == 4 && in->width == 8)
		in->ext = DVMI_EXT_UXTW;
	if (!rc && dvmi_lex_peek(&p->lex) == ',')
		rc = extension(p, in);
	return rc;
}

static int mov(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = reg(p, &in->rd, &in->width);

	if (!rc)
		rc = comma(p);
	in->rn = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	return reg(p, &in->rn, &width);
}

static int cmp(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = reg(p, &in->rn, &in->width);

	if (!rc)
		rc = comma(p);
	in->rm = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	return reg(p, &in->rm, &width);
}

static int condition_code(struct dvmi_litmus_parser *p, const char *word, uint8_t *code)
{
	static const char *const names[] = {"EQ", "NE", "CS", "CC", "MI", "PL", "VS", "VC",
					    "HI", "LS", "GE", "LT", "GT", "LE", "AL"};

	for (uint8_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(word, names[i])) {
			*code = i;
			return 0;
		}
	return dvmi_lex_fail(&p->lex,
			     "unknown condition '%s'; known: EQ NE CS CC MI PL VS VC HI "
			     "LS GE LT GT LE AL",
			     word);
}

static int csel(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	char word[8];
	uint8_t width;
	int rc = reg(p, &in->rd, &in->width);

	if (!rc)
		rc = comma(p);
	if (!rc)
		rc = reg(p, &in->rn, &width);
	if (!rc)
		rc = comma(p);
	if (!rc)
		rc = reg(p, &in->rm, &width);
	if (!rc)
		rc = comma(p);
	if (rc)
		return rc;
	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a condition such as EQ");
	return condition_code(p, word, &in->cond);
}

static int barrier(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	static const struct {
		const char *name;
		uint8_t domain, barrier;
	} options[] = {
		{"SY", DVMI_DOMAIN_SY, DVMI_BARRIER_FULL},
		{"LD", DVMI_DOMAIN_SY, DVMI_BARRIER_LD},
		{"ST", DVMI_DOMAIN_SY, DVMI_BARRIER_ST},
		{"ISH", DVMI_DOMAIN_ISH, DVMI_BARRIER_FULL},
		{"ISHLD", DVMI_DOMAIN_ISH, DVMI_BARRIER_LD},
		{"ISHST", DVMI_DOMAIN_ISH, DVMI_BARRIER_ST},
		{"NSH", DVMI_DOMAIN_NSH, DVMI_BARRIER_FULL},
		{"NSHLD", DVMI_DOMAIN_NSH, DVMI_BARRIER_LD},
		{"NSHST", DVMI_DOMAIN_NSH, DVMI_BARRIER_ST},
		{"OSH", DVMI_DOMAIN_OSH, DVMI_BARRIER_FULL},
		{"OSHLD", DVMI_DOMAIN_OSH, DVMI_BARRIER_LD},
		{"OSHST", DVMI_DOMAIN_OSH, DVMI_BARRIER_ST},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (dvmi_lex_eat(&p->lex, options[i].name)) {
			in->domain = options[i].domain;
			in->barrier = options[i].barrier;
			if (in->domain != DVMI_DOMAIN_SY)
				p->test->narrow_domain = true;
			return 0;
		}
	return dvmi_lex_fail(&p->lex, "unknown barrier option; known: SY LD ST ISH ISHLD ISHST NSH "
				      "NSHLD NSHST OSH OSHLD OSHST");
}

/* TLBI {R}{V|VA|VAA|VAL|VAAL|ASID|VMALL}E1{IS|OS}{NXS} */
static int tlbi(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	static const struct {
		const char *name;
		uint8_t what, leaf;
	} ops[] = {
		{"VMALLE1", DVMI_TLBI_ALL, 0}, {"ASIDE1", DVMI_TLBI_ASID, 0},
		{"VAE1", DVMI_TLBI_VA, 0},     {"VALE1", DVMI_TLBI_VA, 1},
		{"VAAE1", DVMI_TLBI_VAA, 0},   {"VAALE1", DVMI_TLBI_VAA, 1},
	};
	struct dvmi_lex save = p->lex;
	char word[DVMI_NAME_MAX];
	const char *rest = NULL, *start = word;
	uint8_t width;

	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a TLB operation, as in TLBI VAAE1IS,X9");
	if (toupper((unsigned char)word[0]) == 'R') {
		in->range = 1;
		start++;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]) && !rest; i++)
		if (!strncasecmp(start, ops[i].name, strlen(ops[i].name)) &&
		    (!in->range || ops[i].what >= DVMI_TLBI_VA)) {
			in->what = ops[i].what;
			in->leaf = ops[i].leaf;
			rest = start + strlen(ops[i].name);
		}
	in->domain = DVMI_DOMAIN_NSH;
	if (rest && !strncasecmp(rest, "IS", 2)) {
		in->domain = DVMI_DOMAIN_ISH;
		rest += 2;
	} else if (rest && !strncasecmp(rest, "OS", 2)) {
		in->domain = DVMI_DOMAIN_OSH;
		rest += 2;
	}
	if (rest && !strcasecmp(rest, "NXS")) /* no page of a test has XS = 1 */
		rest += 3;
	if (!rest || *rest) {
		p->lex = save;
		return dvmi_lex_fail(&p->lex,
				     "unknown TLB operation; known: VMALLE1, ASIDE1, VAE1, "
				     "VALE1, VAAE1, VAALE1, RVAE1, RVALE1, RVAAE1, RVAALE1 "
				     "with IS, OS or nothing after them");
	}
	in->rn = DVMI_REG_NONE;
	if (dvmi_lex_eat(&p->lex, ","))
		return reg(p, &in->rn, &width);
	if (in->what != DVMI_TLBI_ALL)
		return dvmi_lex_fail(&p->lex,
				     "this TLB operation needs a register, as in TLBI %s,X9", word);
	return 0;
}

static int sysreg(struct dvmi_litmus_parser *p, uint8_t *r)
{
	char word[DVMI_NAME_MAX];
	uint8_t width;

	if (dvmi_lex_word(&p->lex, word, sizeof(word), false) && dvmi_litmus_reg(word, r, &width) &&
	    *r > DVMI_REG_ZR)
		return 0;
	return dvmi_lex_fail(&p->lex, "unknown system register; known: TTBR0_EL1, ELR_EL1");
}

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
		return rd_address(p, in, true);
	case F_LDX:
		return rd_address(p, in, false);
	case F_STX:
		return stxr(p, in);
	case F_ALU:
		return alu(p, in);
	case F_MOV:
		return mov(p, in);
	case F_CMP:
		return cmp(p, in);
	case F_CB:
		rc = reg(p, &in->rn, &in->width);
		if (!rc)
			rc = comma(p);
		return rc ? rc : label_ref(p, t, &in->target);
	case F_BRANCH:
		return label_ref(p, t, &in->target);
	case F_BARRIER:
		return barrier(p, in);
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
		rc = condition_code(p, w + 2, &in->cond);
		return rc ? rc : label_ref(p, t, &in->target);
	}
	if (!strcasecmp(w, "CSEL")) {
		in->op = DVMI_OP_CSEL;
		return csel(p, in);
	}
	if (!strcasecmp(w, "TLBI")) {
		in->op = DVMI_OP_TLBI;
		return tlbi(p, in);
	}
	if (!strcasecmp(w, "MSR") || !strcasecmp(w, "MRS")) {
		bool write = toupper((unsigned char)w[1]) == 'S';

		in->op = write ? DVMI_OP_MSR : DVMI_OP_MRS;
		rc = write ? sysreg(p, &in->sysreg) : reg(p, &in->rd, &width);
		if (!rc)
			rc = comma(p);
		if (!rc)
			rc = write ? reg(p, &in->rn, &width) : sysreg(p, &in->sysreg);
		return rc;
	}
	if (!strcasecmp(w, "ADR")) {
		in->op = DVMI_OP_ADR;
		rc = reg(p, &in->rd, &width);
		if (!rc)
			rc = comma(p);
		return rc ? rc : label_ref(p, t, &in->target);
	}
	if (amo_name(w, in, &no_result)) {
		in->op = DVMI_OP_AMO;
		return atomic(p, in, no_result);
	}
	if (!strncasecmp(w, "CAS", 3) && order_suffix(w + 3, &in->flags)) {
		in->op = DVMI_OP_CAS;
		return atomic(p, in, false);
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
				     "CSEL CBZ CBNZ B "
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
