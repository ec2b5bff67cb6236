/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Conditions: exists, ~exists and forall over registers, memory and faults. */

static int find_thread(struct dvmi_litmus_parser *p, const char *word, unsigned *index)
{
	unsigned number;
	int rc = dvmi_litmus_thread(p, word, &number);

	if (rc)
		return rc;
	for (unsigned i = 0; i < p->test->threads; i++)
		if (p->test->thread[i].number == (int)number) {
			*index = i;
			return 0;
		}
	return dvmi_lex_fail(&p->lex, "there is no thread P%u", number);
}

static bool same_atom(const struct dvmi_atom *a, const struct dvmi_atom *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == DVMI_ATOM_LOC)
		return a->loc == b->loc;
	if (a->kind == DVMI_ATOM_CLASH)
		return a->page == b->page;
	if (a->thread != b->thread)
		return false;
	if (a->kind == DVMI_ATOM_REG)
		return a->reg == b->reg;
	return a->page == b->page && a->desc == b->desc && a->fault == b->fault && !strcmp(a->label, b->label);
}

static int add_atom(struct dvmi_litmus_parser *p, const struct dvmi_atom *atom, uint16_t *index)
{
	struct dvm_litmus *t = p->test;

	for (unsigned i = 0; i < t->atoms; i++)
		if (same_atom(&t->atom[i], atom)) {
			*index = (uint16_t)i;
			return 0;
		}
	if (t->atoms == DVMI_ATOMS_MAX)
		return dvmi_lex_fail(&p->lex,
				     "more than %d registers, locations and faults in the "
				     "condition",
				     DVMI_ATOMS_MAX);
	t->atom[t->atoms] = *atom;
	*index = (uint16_t)t->atoms++;
	return 0;
}

static int fault_kind(struct dvmi_litmus_parser *p, uint8_t *kind)
{
	static const struct {
		const char *name;
		uint8_t kind;
	} kinds[] = {
		{"Translation", DVMI_OUT_TRANSLATION},
		{"AccessFlag", DVMI_OUT_ACCESS_FLAG},
		{"Permission", DVMI_OUT_PERMISSION},
	};
	char word[DVMI_NAME_MAX];

	if (!dvmi_lex_word(&p->lex, word, sizeof(word), true))
		return dvmi_lex_fail(&p->lex, "expected a fault kind, as in MMU:Permission");
	if (!strcasecmp(word, "MMU") || !strcasecmp(word, "D-MMU")) {
		if (!dvmi_lex_eat(&p->lex, ":")) {
			*kind = DVMI_OUT_OK;
			return 0;
		}
		if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
			word[0] = '\0';
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcasecmp(word, kinds[i].name)) {
			*kind = kinds[i].kind;
			return 0;
		}
	return dvmi_lex_fail(&p->lex,
			     "unknown fault kind '%s'; known: MMU:Translation, "
			     "MMU:AccessFlag, MMU:Permission",
			     word);
}

static int known_label(struct dvmi_litmus_parser *p, const struct dvmi_thread *t, const char *name)
{
	for (unsigned i = 0; i < t->labels; i++)
		if (!strcmp(t->label[i].name, name) && t->label[i].at >= 0)
			return 0;
	return dvmi_lex_fail(&p->lex, "P%d has no label %s", t->number, name);
}

/* After "fault": (P0:L0,x,MMU:Permission) */
static int fault_atom(struct dvmi_litmus_parser *p, uint16_t *index)
{
	struct dvmi_atom atom = {.kind = DVMI_ATOM_FAULT, .page = DVMI_NONE};
	char word[DVMI_NAME_MAX];
	unsigned thread = 0, page = 0;
	int rc;

	if (!dvmi_lex_eat(&p->lex, "(") || !dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected fault(P0:L0,x)");
	rc = find_thread(p, word, &thread);
	if (rc)
		return rc;
	atom.thread = (uint8_t)thread;
	if (dvmi_lex_eat(&p->lex, ":")) {
		if (!dvmi_lex_word(&p->lex, atom.label, sizeof(atom.label), false))
			return dvmi_lex_fail(&p->lex, "expected a label");
		rc = known_label(p, &p->test->thread[thread], atom.label);
		if (rc)
			return rc;
	}
	while (dvmi_lex_eat(&p->lex, ",")) {
		struct dvmi_lex save = p->lex;

		if (dvmi_lex_word(&p->lex, word, sizeof(word), true) && atom.page == DVMI_NONE &&
		    strcasecmp(word, "MMU") != 0 && strcasecmp(word, "D-MMU") != 0) {
			rc = dvmi_litmus_fault_place(p, word, &page, &atom.desc);
			atom.page = (uint8_t)page;
		} else {
			p->lex = save;
			rc = fault_kind(p, &atom.fault);
		}
		if (rc)
			return rc;
	}
	if (!dvmi_lex_eat(&p->lex, ")"))
		return dvmi_lex_fail(&p->lex, "expected )");
	return add_atom(p, &atom, index);
}

/* After "clash(", beyond herd: x). Old and new translation of x were in use side by side. */
static int clash_atom(struct dvmi_litmus_parser *p, uint16_t *index)
{
	struct dvmi_atom atom = {.kind = DVMI_ATOM_CLASH};
	char word[DVMI_NAME_MAX];
	unsigned page;
	int rc;

	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected clash(x)");
	rc = dvmi_litmus_var(p, word, &page);
	if (rc)
		return rc;
	atom.page = (uint8_t)page;
	p->test->watch |= UINT32_C(1) << page;
	if (!dvmi_lex_eat(&p->lex, ")"))
		return dvmi_lex_fail(&p->lex, "expected )");
	return add_atom(p, &atom, index);
}

static int reg_atom(struct dvmi_litmus_parser *p, const char *thread_word, uint16_t *index)
{
	struct dvmi_atom atom = {.kind = DVMI_ATOM_REG};
	char word[DVMI_NAME_MAX];
	unsigned thread = 0;
	uint8_t width;
	int rc = find_thread(p, thread_word, &thread);

	if (rc)
		return rc;
	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false) ||
	    !dvmi_litmus_reg(word, &atom.reg, &width))
		return dvmi_lex_fail(&p->lex, "expected a register, as in 0:X1");
	atom.thread = (uint8_t)thread;
	return add_atom(p, &atom, index);
}

/* 0:X1, P0:X1, x, [x], PTE(x): a place whose value is shown. */
static int place_atom(struct dvmi_litmus_parser *p, uint16_t *index)
{
	struct dvmi_atom atom = {.kind = DVMI_ATOM_LOC};
	struct dvmi_lex save = p->lex;
	char word[DVMI_NAME_MAX];
	int rc;

	if (dvmi_lex_word(&p->lex, word, sizeof(word), false) && dvmi_lex_eat(&p->lex, ":"))
		return reg_atom(p, word, index);
	p->lex = save;
	rc = dvmi_litmus_loc(p, &atom.loc);
	return rc ? rc : add_atom(p, &atom, index);
}

static int new_cond(struct dvmi_litmus_parser *p, struct dvmi_cond cond, int *index)
{
	struct dvm_litmus *t = p->test;

	if (t->conds == DVMI_CONDS_MAX)
		return dvmi_lex_fail(&p->lex, "the condition has more than %d terms",
				     DVMI_CONDS_MAX);
	t->cond[t->conds] = cond;
	*index = (int)t->conds++;
	return 0;
}

static int parse_or(struct dvmi_litmus_parser *p, unsigned depth, int *index);

static int equality(struct dvmi_litmus_parser *p, int *index)
{
	struct dvmi_cond c = {.kind = DVMI_COND_EQ};
	bool negated = false;
	unsigned own = DVMI_PAGES_MAX;
	int rc = place_atom(p, &c.atom);

	if (rc)
		return rc;
	if (dvmi_lex_eat(&p->lex, "!="))
		negated = true;
	else if (!dvmi_lex_eat(&p->lex, "==") && !dvmi_lex_eat(&p->lex, "="))
		return dvmi_lex_fail(&p->lex, "expected = and a value");
	if (p->test->atom[c.atom].kind == DVMI_ATOM_LOC &&
	    p->test->atom[c.atom].loc < DVMI_PAGES_MAX)
		own = p->test->atom[c.atom].loc;
	if (dvmi_lex_peek(&p->lex) == '[') {
		c.kind = DVMI_COND_ATOM_EQ;
		rc = place_atom(p, &c.other);
	} else {
		rc = dvmi_litmus_value(p, own, &c.value);
	}
	if (!rc)
		rc = new_cond(p, c, index);
	if (!rc && negated) {
		struct dvmi_cond not = {.kind = DVMI_COND_NOT, .a = *index};

		rc = new_cond(p, not, index);
	}
	return rc;
}

static int parse_unary(struct dvmi_litmus_parser *p, unsigned depth, int *index)
{
	struct dvmi_cond c = {.kind = DVMI_COND_NOT};
	int rc;

	if (depth > 100)
		return dvmi_lex_fail(&p->lex, "the condition is nested too deeply");
	if (dvmi_lex_eat(&p->lex, "~") || dvmi_lex_eat(&p->lex, "not")) {
		rc = parse_unary(p, depth + 1, &c.a);
		return rc ? rc : new_cond(p, c, index);
	}
	if (dvmi_lex_eat(&p->lex, "(")) {
		rc = parse_or(p, depth + 1, index);
		if (!rc && !dvmi_lex_eat(&p->lex, ")"))
			rc = dvmi_lex_fail(&p->lex, "expected )");
		return rc;
	}
	if (dvmi_lex_eat(&p->lex, "fault")) {
		c.kind = DVMI_COND_FAULT;
		rc = fault_atom(p, &c.atom);
		return rc ? rc : new_cond(p, c, index);
	}
	if (dvmi_lex_eat(&p->lex, "clash(")) {
		c.kind = DVMI_COND_FAULT;
		rc = clash_atom(p, &c.atom);
		return rc ? rc : new_cond(p, c, index);
	}
	if (dvmi_lex_eat(&p->lex, "true")) {
		c.kind = DVMI_COND_TRUE;
		return new_cond(p, c, index);
	}
	if (dvmi_lex_eat(&p->lex, "false")) {
		c.kind = DVMI_COND_FALSE;
		return new_cond(p, c, index);
	}
	return equality(p, index);
}

static int parse_and(struct dvmi_litmus_parser *p, unsigned depth, int *index)
{
	int rc = parse_unary(p, depth, index);

	while (!rc && dvmi_lex_eat(&p->lex, "/\\")) {
		struct dvmi_cond c = {.kind = DVMI_COND_AND, .a = *index};

		rc = parse_unary(p, depth, &c.b);
		if (!rc)
			rc = new_cond(p, c, index);
	}
	return rc;
}

static int parse_or(struct dvmi_litmus_parser *p, unsigned depth, int *index)
{
	int rc = parse_and(p, depth, index);

	while (!rc) {
		struct dvmi_cond c = {.kind = DVMI_COND_OR, .a = *index};

		if (dvmi_lex_eat(&p->lex, "=>"))
			c.kind = DVMI_COND_IMPLIES;
		else if (!dvmi_lex_eat(&p->lex, "\\/"))
			break;
		rc = parse_and(p, depth, &c.b);
		if (!rc)
			rc = new_cond(p, c, index);
	}
	return rc;
}

int dvmi_litmus_filter(struct dvmi_litmus_parser *p)
{
	return parse_or(p, 0, &p->test->filter);
}

int dvmi_litmus_condition(struct dvmi_litmus_parser *p)
{
	if (dvmi_lex_eat(&p->lex, "exists")) {
		p->test->quantifier = DVMI_EXISTS;
	} else if (dvmi_lex_eat(&p->lex, "forall")) {
		p->test->quantifier = DVMI_FORALL;
	} else if (dvmi_lex_eat(&p->lex, "~") || dvmi_lex_eat(&p->lex, "not")) {
		if (!dvmi_lex_eat(&p->lex, "exists"))
			return dvmi_lex_fail(&p->lex, "expected exists after ~");
		p->test->quantifier = DVMI_NOT_EXISTS;
	} else {
		return dvmi_lex_fail(&p->lex, "expected a condition: exists, ~exists or forall");
	}
	return parse_or(p, 0, &p->test->root);
}

/* locations [0:X1; x; fault(P0:L0,x);] */
int dvmi_litmus_locations(struct dvmi_litmus_parser *p)
{
	uint16_t atom;
	int rc;

	if (!dvmi_lex_eat(&p->lex, "["))
		return dvmi_lex_fail(&p->lex, "expected locations [...]");
	while (!dvmi_lex_eat(&p->lex, "]")) {
		if (dvmi_lex_eat(&p->lex, ";"))
			continue;
		rc = dvmi_lex_eat(&p->lex, "fault") ? fault_atom(p, &atom) : place_atom(p, &atom);
		if (rc)
			return rc;
		/* A type after a location only says how to print it. */
		while (isalpha(dvmi_lex_peek(&p->lex)) || dvmi_lex_peek(&p->lex) == '*') {
			char word[DVMI_NAME_MAX];

			if (!dvmi_lex_eat(&p->lex, "*") &&
			    !dvmi_lex_word(&p->lex, word, sizeof(word), false))
				break;
		}
	}
	return 0;
}

bool dvmi_cond_holds(const struct dvm_litmus *test, int cond, const uint64_t *shown)
{
	const struct dvmi_cond *c = &test->cond[cond];

	switch (c->kind) {
	case DVMI_COND_TRUE:
		return true;
	case DVMI_COND_EQ:
		/* Integers are shown cut to the width they were written with. */
		if (!dvmi_is_desc(c->value) && test->atom[c->atom].kind != DVMI_ATOM_FAULT &&
		    (int64_t)c->value < 0)
			return shown[c->atom] == c->value ||
			       shown[c->atom] == (c->value & UINT32_MAX);
		return shown[c->atom] == c->value;
	case DVMI_COND_ATOM_EQ:
		return shown[c->atom] == shown[c->other];
	case DVMI_COND_FAULT:
		return shown[c->atom] != 0;
	case DVMI_COND_NOT:
		return !dvmi_cond_holds(test, c->a, shown);
	case DVMI_COND_AND:
		return dvmi_cond_holds(test, c->a, shown) && dvmi_cond_holds(test, c->b, shown);
	case DVMI_COND_OR:
		return dvmi_cond_holds(test, c->a, shown) || dvmi_cond_holds(test, c->b, shown);
	case DVMI_COND_IMPLIES:
		return !dvmi_cond_holds(test, c->a, shown) || dvmi_cond_holds(test, c->b, shown);
	default:
		return false;
	}
}

void dvmi_fault_place_print(struct dvmi_buf *buf, const struct dvm_litmus *test,
			    const struct dvmi_atom *a)
{
	if (a->page == DVMI_NONE)
		return;
	dvmi_buf_puts(buf, a->desc ? ",PTE(" : ",");
	dvmi_buf_puts(buf, test->space.names[a->page]);
	dvmi_buf_puts(buf, a->desc ? ")" : "");
}

void dvmi_atom_print(struct dvmi_buf *buf, const struct dvm_litmus *test, unsigned atom)
{
	static const char *const kinds[DVMI_OUT_COUNT] = {NULL, "Translation", "AccessFlag",
							  "Permission"};
	const struct dvmi_atom *a = &test->atom[atom];

	if (a->kind == DVMI_ATOM_LOC) {
		dvmi_space_print_loc(buf, &test->space, a->loc);
	} else if (a->kind == DVMI_ATOM_REG) {
		dvmi_buf_printf(buf, "%d:", test->thread[a->thread].number);
		if (a->reg == DVMI_REG_ELR)
			dvmi_buf_puts(buf, "ELR_EL1");
		else
			dvmi_buf_printf(buf, "X%u", a->reg);
	} else if (a->kind == DVMI_ATOM_CLASH) {
		dvmi_buf_puts(buf, test->space.names[a->page]);
	} else {
		dvmi_buf_printf(buf, "P%d", test->thread[a->thread].number);
		if (a->label[0])
			dvmi_buf_printf(buf, ":%s", a->label);
		dvmi_fault_place_print(buf, test, a);
		if (a->fault)
			dvmi_buf_printf(buf, ",MMU:%s", kinds[a->fault]);
	}
}

static void print_operand(struct dvmi_buf *buf, const struct dvm_litmus *test, int cond, int parent)
{
	int kind = test->cond[cond].kind;
	bool parens = kind > DVMI_COND_NOT && kind != parent;

	if (parens)
		dvmi_buf_puts(buf, "(");
	dvmi_cond_print(buf, test, cond);
	if (parens)
		dvmi_buf_puts(buf, ")");
}

void dvmi_cond_print(struct dvmi_buf *buf, const struct dvm_litmus *test, int cond)
{
	const struct dvmi_cond *c = &test->cond[cond];

	switch (c->kind) {
	case DVMI_COND_TRUE:
	case DVMI_COND_FALSE:
		dvmi_buf_puts(buf, c->kind == DVMI_COND_TRUE ? "true" : "false");
		break;
	case DVMI_COND_EQ:
	case DVMI_COND_ATOM_EQ:
		dvmi_atom_print(buf, test, c->atom);
		dvmi_buf_puts(buf, "=");
		if (c->kind == DVMI_COND_EQ)
			dvmi_space_print(buf, &test->space, c->value);
		else
			dvmi_atom_print(buf, test, c->other);
		break;
	case DVMI_COND_FAULT:
		dvmi_buf_puts(buf, test->atom[c->atom].kind == DVMI_ATOM_CLASH ? "clash("
									      : "fault(");
		dvmi_atom_print(buf, test, c->atom);
		dvmi_buf_puts(buf, ")");
		break;
	case DVMI_COND_NOT:
		dvmi_buf_puts(buf, "not (");
		dvmi_cond_print(buf, test, c->a);
		dvmi_buf_puts(buf, ")");
		break;
	default:
		print_operand(buf, test, c->a, c->kind);
		dvmi_buf_puts(buf, c->kind == DVMI_COND_AND  ? " /\\ "
				   : c->kind == DVMI_COND_OR ? " \\/ "
							     : " => ");
		print_operand(buf, test, c->b, c->kind);
	}
}
