/* SPDX-License-Identifier: MIT */
#include "check/litmus_operand.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Parsing the operands of one instruction, family by family. */

int dvmi_operand_reg(struct dvmi_litmus_parser *p, uint8_t *r, uint8_t *width)
{
	struct dvmi_lex save = p->lex;
	char word[DVMI_NAME_MAX];

	if (dvmi_lex_word(&p->lex, word, sizeof(word), false) && dvmi_litmus_reg(word, r, width) &&
	    *r <= DVMI_REG_ZR)
		return 0;
	p->lex = save;
	return dvmi_lex_fail(&p->lex, "expected a register: X0-X30, W0-W30, XZR or WZR");
}

int dvmi_operand_comma(struct dvmi_litmus_parser *p)
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
	int rc = dvmi_operand_comma(p);

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
	rc = dvmi_operand_reg(p, &in->rn, &width);
	if (!rc && width != 8)
		rc = dvmi_lex_fail(&p->lex, "the base of an address is an X register");
	in->rm = DVMI_REG_NONE;
	if (!rc && offset && dvmi_lex_eat(&p->lex, ",")) {
		if (at_immediate(p)) {
			rc = immediate(p, &in->imm);
		} else {
			rc = dvmi_operand_reg(p, &in->rm, &width);
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

int dvmi_operand_label_ref(struct dvmi_litmus_parser *p, struct dvmi_thread *t, uint16_t *target)
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

int dvmi_operand_rd_address(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool offset)
{
	int rc = dvmi_operand_reg(p, &in->rd, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	return rc ? rc : address(p, in, offset);
}

/* SWP Ws, Wt, [Xn]; CAS Ws, Wt, [Xn]; STADD Ws, [Xn] */
int dvmi_operand_atomic(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool no_result)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rs, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	in->rd = DVMI_REG_ZR;
	if (!rc && !no_result) {
		rc = dvmi_operand_reg(p, &in->rd, &width);
		if (!rc && width != in->width)
			rc = dvmi_lex_fail(&p->lex, "both registers must have the same width");
		if (!rc)
			rc = dvmi_operand_comma(p);
	}
	return rc ? rc : address(p, in, false);
}

int dvmi_operand_stxr(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rs, &width);

	if (!rc && width != 4)
		rc = dvmi_lex_fail(&p->lex, "the status register is a W register");
	if (!rc)
		rc = dvmi_operand_comma(p);
	return rc ? rc : dvmi_operand_rd_address(p, in, false);
}

int dvmi_operand_alu(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rd, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	if (!rc)
		rc = dvmi_operand_reg(p, &in->rn, &width);
	if (!rc)
		rc = dvmi_operand_comma(p);
	in->rm = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	rc = dvmi_operand_reg(p, &in->rm, &width);
	if (!rc && width == 4 && in->width == 8)
		in->ext = DVMI_EXT_UXTW;
	if (!rc && dvmi_lex_peek(&p->lex) == ',')
		rc = extension(p, in);
	return rc;
}

int dvmi_operand_mov(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rd, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	in->rn = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	return dvmi_operand_reg(p, &in->rn, &width);
}

int dvmi_operand_cmp(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rn, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	in->rm = DVMI_REG_NONE;
	if (rc || at_immediate(p))
		return rc ? rc : immediate(p, &in->imm);
	return dvmi_operand_reg(p, &in->rm, &width);
}

int dvmi_operand_condition_code(struct dvmi_litmus_parser *p, const char *word, uint8_t *code)
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

static int condition(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	char word[8];

	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a condition such as EQ");
	return dvmi_operand_condition_code(p, word, &in->cond);
}

int dvmi_operand_csel(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	uint8_t width;
	int rc = dvmi_operand_reg(p, &in->rd, &in->width);

	if (!rc)
		rc = dvmi_operand_comma(p);
	if (!rc)
		rc = dvmi_operand_reg(p, &in->rn, &width);
	if (!rc)
		rc = dvmi_operand_comma(p);
	if (!rc)
		rc = dvmi_operand_reg(p, &in->rm, &width);
	if (!rc)
		rc = dvmi_operand_comma(p);
	return rc ? rc : condition(p, in);
}

/* A select between 1 and the zero register. */
int dvmi_operand_cset(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
{
	int rc = dvmi_operand_reg(p, &in->rd, &in->width);

	in->imm = 1;
	in->rm = DVMI_REG_ZR;
	if (!rc)
		rc = dvmi_operand_comma(p);
	return rc ? rc : condition(p, in);
}

int dvmi_operand_barrier(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
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
int dvmi_operand_tlbi(struct dvmi_litmus_parser *p, struct dvmi_insn *in)
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
		return dvmi_operand_reg(p, &in->rn, &width);
	if (in->what != DVMI_TLBI_ALL)
		return dvmi_lex_fail(&p->lex,
				     "this TLB operation needs a register, as in TLBI %s,X9", word);
	return 0;
}

int dvmi_operand_sysreg(struct dvmi_litmus_parser *p, uint8_t *r)
{
	char word[DVMI_NAME_MAX];
	uint8_t width;

	if (dvmi_lex_word(&p->lex, word, sizeof(word), false) && dvmi_litmus_reg(word, r, &width) &&
	    *r > DVMI_REG_ZR)
		return 0;
	return dvmi_lex_fail(&p->lex, "unknown system register; known: TTBR0_EL1, ELR_EL1");
}
