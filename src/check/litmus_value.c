/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_name(const char *name)
{
	if (!isalpha((unsigned char)name[0]) && name[0] != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '.')
			return false;
	return true;
}

int dvmi_litmus_var(struct dvmi_litmus_parser *p, const char *name, unsigned *page)
{
	struct dvm_litmus *t = p->test;

	for (unsigned i = 0; i < t->space.pages; i++)
		if (!strcmp(t->space.names[i], name)) {
			*page = i;
			return 0;
		}
	if (!is_name(name) || strlen(name) >= DVMI_NAME_MAX)
		return dvmi_lex_fail(&p->lex, "'%s' is not the name of a variable", name);
	if (t->space.pages == DVMI_PAGES_MAX)
		return dvmi_lex_fail(&p->lex, "more than %u variables", DVMI_PAGES_MAX);
	t->space.names[t->space.pages] = dvmi_strdup(name);
	if (!t->space.names[t->space.pages])
		return dvmi_error_nomem(p->lex.err);
	*page = t->space.pages++;
	return 0;
}

bool dvmi_litmus_reg(const char *word, uint8_t *reg, uint8_t *width)
{
	char *end;
	unsigned long n;

	if (!strcasecmp(word, "XZR") || !strcasecmp(word, "WZR")) {
		*reg = DVMI_REG_ZR;
		*width = toupper((unsigned char)word[0]) == 'W' ? 4 : 8;
		return true;
	}
	if (!strcasecmp(word, "ELR_EL1") || !strcasecmp(word, "TTBR0_EL1")) {
		*reg = toupper((unsigned char)word[0]) == 'E' ? DVMI_REG_ELR : DVMI_REG_TTBR;
		*width = 8;
		return true;
	}
	if (toupper((unsigned char)word[0]) != 'X' && toupper((unsigned char)word[0]) != 'W')
		return false;
	if (!isdigit((unsigned char)word[1]))
		return false;
	n = strtoul(word + 1, &end, 10);
	if (*end || n > 30)
		return false;
	*reg = (uint8_t)n;
	*width = toupper((unsigned char)word[0]) == 'W' ? 4 : 8;
	return true;
}

int dvmi_litmus_thread(struct dvmi_litmus_parser *p, const char *word, unsigned *thread)
{
	const char *digits = word[0] == 'P' ? word + 1 : word;
	char *end;
	unsigned long n = strtoul(digits, &end, 10);

	if (end == digits || *end || n >= DVMI_PES_MAX)
		return dvmi_lex_fail(&p->lex, "'%s' is not a thread P0 to P%d", word,
				     DVMI_PES_MAX - 1);
	*thread = (unsigned)n;
	return 0;
}

enum place { PLACE_VA, PLACE_PTE, PLACE_PA };

/* x, pte_x, PTE(x), TTD(x), phy_x, PA(x): the word is already read. */
static int place(struct dvmi_litmus_parser *p, const char *word, enum place *kind, unsigned *page)
{
	char name[DVMI_NAME_MAX];

	*kind = PLACE_VA;
	if (!strcasecmp(word, "PTE") || !strcasecmp(word, "TTD"))
		*kind = PLACE_PTE;
	else if (!strcasecmp(word, "PA"))
		*kind = PLACE_PA;
	if (*kind != PLACE_VA && dvmi_lex_eat(&p->lex, "(")) {
		if (!dvmi_lex_word(&p->lex, name, sizeof(name), false) ||
		    !dvmi_lex_eat(&p->lex, ")"))
			return dvmi_lex_fail(&p->lex, "expected %s(variable)", word);
		return dvmi_litmus_var(p, name, page);
	}
	*kind = PLACE_VA;
	if (!strncmp(word, "pte_", 4) || !strncmp(word, "phy_", 4)) {
		*kind = word[1] == 't' ? PLACE_PTE : PLACE_PA;
		word += 4;
	}
	return dvmi_litmus_var(p, word, page);
}

int dvmi_litmus_fault_place(struct dvmi_litmus_parser *p, const char *word, unsigned *page, bool *desc)
{
	enum place kind;
	int rc = place(p, word, &kind, page);

	if (!rc && kind == PLACE_PA)
		return dvmi_lex_fail(&p->lex, "a fault is about a variable or its descriptor");
	*desc = kind == PLACE_PTE;
	return rc;
}

static int flag(struct dvmi_litmus_parser *p, const char *field, uint64_t *desc)
{
	static const struct {
		const char *name;
		uint64_t bit;
		bool inverted;
	} fields[] = {
		{"valid", DVMI_DESC_VALID, false}, {"af", DVMI_DESC_AF, false},
		{"db", DVMI_DESC_RDONLY, true},	   {"dbm", DVMI_DESC_DBM, false},
		{"el0", DVMI_DESC_EL0, false},
	};
	uint64_t v;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(field, fields[i].name) != 0)
			continue;
		if (!dvmi_lex_eat(&p->lex, ":") || !dvmi_lex_number(&p->lex, &v) || v > 1)
			return dvmi_lex_fail(&p->lex, "%s takes 0 or 1, as in %s:0", field, field);
		if ((v != 0) != fields[i].inverted)
			*desc |= fields[i].bit;
		else
			*desc &= ~fields[i].bit;
		return 0;
	}
	return 1;
}

/* Memory attributes do not change what is allowed here; they are kept to tell values apart. */
static int attribute_set(struct dvmi_litmus_parser *p, const char *text, uint64_t *desc)
{
	struct dvmi_space *s = &p->test->space;
	unsigned i = 1;

	while (i <= s->attr_sets && strcmp(s->attrs[i], text) != 0)
		i++;
	if (i > s->attr_sets) {
		if (i > 7)
			return dvmi_lex_fail(&p->lex, "more than 7 different attribute lists");
		s->attrs[i] = dvmi_strdup(text);
		if (!s->attrs[i])
			return dvmi_error_nomem(p->lex.err);
		s->attr_sets = i;
	}
	*desc = (*desc & ~DVMI_DESC_ATTR_MASK) | (uint64_t)i << DVMI_DESC_ATTR_SHIFT;
	return 0;
}

static int output_address(struct dvmi_litmus_parser *p, uint64_t *desc)
{
	char word[DVMI_NAME_MAX];
	enum place kind;
	unsigned page;
	int rc;

	if (!dvmi_lex_eat(&p->lex, ":") || !dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a physical address, as in oa:PA(x)");
	rc = place(p, word, &kind, &page);
	if (rc)
		return rc;
	if (kind != PLACE_PA)
		return dvmi_lex_fail(&p->lex, "oa takes a physical address: PA(x) or phy_x");
	*desc = (*desc & ~DVMI_DESC_OA_MASK) | dvmi_pa(page);
	return 0;
}

/* After "(": oa:PA(x), valid:0, ..., attrs:(...), or attributes by name. */
static int descriptor(struct dvmi_litmus_parser *p, unsigned own_page, uint64_t *value)
{
	uint64_t desc = DVMI_DESC_DEFAULT | (own_page < DVMI_PAGES_MAX ? dvmi_pa(own_page) : 0);
	char word[DVMI_NAME_MAX], attrs[128] = "";
	int rc;

	while (!dvmi_lex_eat(&p->lex, ")")) {
		if (dvmi_lex_eat(&p->lex, ",") || dvmi_lex_eat(&p->lex, "("))
			continue;
		if (!dvmi_lex_word(&p->lex, word, sizeof(word), true))
			return dvmi_lex_fail(&p->lex, "expected a field: oa, valid, af, db, dbm, "
						      "el0 or attrs, then )");
		if (!strcmp(word, "attrs")) {
			if (!dvmi_lex_eat(&p->lex, ":"))
				return dvmi_lex_fail(&p->lex, "expected attrs:(...)");
			(void)dvmi_lex_eat(&p->lex, "(");
			continue;
		}
		if (!strcmp(word, "oa")) {
			rc = output_address(p, &desc);
		} else {
			rc = flag(p, word, &desc);
			if (rc == 1 && dvmi_lex_peek(&p->lex) == ':')
				return dvmi_lex_fail(&p->lex,
						     "unknown field '%s'; known: oa, valid, "
						     "af, db, dbm, el0, attrs",
						     word);
			if (rc == 1) {
				if (strlen(attrs) + strlen(word) + 3 > sizeof(attrs))
					return dvmi_lex_fail(&p->lex, "too many attributes");
				if (attrs[0])
					strcat(attrs, ", ");
				strcat(attrs, word);
				rc = 0;
				if (dvmi_lex_peek(&p->lex) == ')') {
					/* "attrs:(a, b)" closes twice, "(oa:.., a)" once. */
					(void)dvmi_lex_eat(&p->lex, ")");
					if (dvmi_lex_peek(&p->lex) != ')' &&
					    dvmi_lex_peek(&p->lex) != ',')
						break;
				}
			}
		}
		if (rc)
			return rc;
	}
	if (attrs[0]) {
		rc = attribute_set(p, attrs, &desc);
		if (rc)
			return rc;
	}
	if (!(desc & DVMI_DESC_OA_MASK))
		return dvmi_lex_fail(&p->lex, "this descriptor needs an output address, as in "
					      "(oa:PA(x), valid:0)");
	*value = desc;
	return 0;
}

static int plus_offset(struct dvmi_litmus_parser *p, uint64_t *value)
{
	uint64_t off;

	if (dvmi_lex_peek(&p->lex) != '+')
		return 0;
	(void)dvmi_lex_eat(&p->lex, "+");
	if (!dvmi_lex_number(&p->lex, &off) || off % 4 || off / 4 >= DVMI_CELLS)
		return dvmi_lex_fail(&p->lex, "offsets are multiples of 4 below %u",
				     DVMI_CELLS * 4);
	*value += off;
	return 0;
}

/* P0:L0 or 0:L0 as a value: the address of an instruction. */
static int code_label(struct dvmi_litmus_parser *p, const char *word, uint64_t *value)
{
	struct dvmi_thread *t;
	char name[DVMI_NAME_MAX];
	unsigned n = 0;
	int rc = dvmi_litmus_thread(p, word, &n);

	if (rc)
		return rc;
	t = &p->test->thread[n];
	if (!dvmi_lex_word(&p->lex, name, sizeof(name), false))
		return dvmi_lex_fail(&p->lex, "expected a label");
	for (unsigned i = 0; i < t->labels; i++)
		if (!strcmp(t->label[i].name, name)) {
			*value = DVMI_CODE_BASE + (n << 20) + i;
			return 0;
		}
	if (t->labels == DVMI_LABELS_MAX)
		return dvmi_lex_fail(&p->lex, "more than %d labels", DVMI_LABELS_MAX);
	strcpy(t->label[t->labels].name, name);
	t->label[t->labels].at = -1;
	t->label[t->labels].line = p->lex.line;
	t->label[t->labels].column = dvmi_lex_column(&p->lex);
	*value = DVMI_CODE_BASE + (n << 20) + t->labels++;
	return 0;
}

int dvmi_litmus_value(struct dvmi_litmus_parser *p, unsigned own_page, uint64_t *value)
{
	char word[DVMI_NAME_MAX];
	enum place kind;
	unsigned page;
	int rc;

	if (dvmi_lex_eat(&p->lex, "("))
		return descriptor(p, own_page, value);
	if (dvmi_lex_number(&p->lex, value)) {
		if (dvmi_lex_peek(&p->lex) == ':') {
			char number[24];

			(void)dvmi_lex_eat(&p->lex, ":");
			number[0] = (char)('0' + *value % 10);
			number[1] = '\0';
			return code_label(p, number, value);
		}
		return 0;
	}
	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a value: a number, a variable, PTE(x), "
					      "PA(x) or (oa:PA(x), ...)");
	if (dvmi_lex_peek(&p->lex) == ':') {
		(void)dvmi_lex_eat(&p->lex, ":");
		return code_label(p, word, value);
	}
	rc = place(p, word, &kind, &page);
	if (rc)
		return rc;
	*value = kind == PLACE_VA   ? dvmi_va(page)
		 : kind == PLACE_PA ? dvmi_pa(page)
				    : dvmi_pte(page);
	return plus_offset(p, value);
}

int dvmi_litmus_loc(struct dvmi_litmus_parser *p, uint16_t *loc)
{
	bool bracket = dvmi_lex_eat(&p->lex, "[");
	char word[DVMI_NAME_MAX];
	enum place kind;
	unsigned page;
	uint64_t a, index;
	int rc;

	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false))
		return dvmi_lex_fail(&p->lex, "expected a location: x, [x], PTE(x) or PA(x)");
	rc = place(p, word, &kind, &page);
	if (rc)
		return rc;
	a = kind == PLACE_PTE ? dvmi_pte(page) : dvmi_pa(page);
	if (bracket) {
		rc = plus_offset(p, &a);
		if (rc)
			return rc;
		if (!dvmi_lex_eat(&p->lex, "]"))
			return dvmi_lex_fail(&p->lex, "expected ]");
	} else if (kind != PLACE_PTE && dvmi_lex_eat(&p->lex, "[")) {
		if (!dvmi_lex_number(&p->lex, &index) || index * 4 >= DVMI_CELLS * 4 ||
		    !dvmi_lex_eat(&p->lex, "]"))
			return dvmi_lex_fail(&p->lex, "expected an array index below %u",
					     DVMI_CELLS);
		a += index * 4;
	}
	*loc = dvmi_loc_of(a, p->test->space.pages);
	return *loc == DVMI_LOC_NONE ? dvmi_lex_fail(&p->lex, "not a location") : 0;
}
