/* SPDX-License-Identifier: MIT */
/* What stands above the hooks: summary, source, constants, words and masks. */
#include "program/parser.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	uint64_t value;
} builtins[] = {
	{ "KIND_MM", DVMI_KIND_MM },		 { "KIND_RANGE", DVMI_KIND_RANGE },
	{ "KIND_PAGE", DVMI_KIND_PAGE },	 { "PATH_RESERVED", DVMI_PATH_RESERVED },
	{ "PATH_PINNED", DVMI_PATH_PINNED },	 { "PATH_BIT_FREE", DVMI_PATH_BIT_FREE },
	{ "PATH_FRESH", DVMI_PATH_FRESH },	 { "PATH_ROLLOVER", DVMI_PATH_ROLLOVER },
};

bool dvmi_name_reserved(const char *name)
{
	static const char *const words[] = { "self", "mm", "prev", "next", "cpu", "task", "_" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (!strcmp(name, words[i]))
			return true;
	for (size_t i = 0; i < DVMI_FIELDS; i++)
		if (!strcmp(name, dvmi_field_names[i]))
			return true;
	return false;
}

static int add_const(struct dvmi_parser *ps, const char *name, uint64_t value, bool builtin,
		     const struct dvmi_token *t)
{
	struct dvmi_program *p = ps->p;
	struct dvmi_const *c = &p->consts[p->consts_count];

	if (p->consts_count == DVMI_CONSTS_MAX)
		return dvmi_parse_over(ps, t, "constants", DVMI_CONSTS_MAX);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->value = value;
	c->builtin = builtin;
	c->line = ps->lx.line;
	c->column = t->column;
	p->consts_count++;
	return 0;
}

int dvmi_parse_const(struct dvmi_parser *ps, const struct dvmi_token *t)
{
	for (unsigned i = 0; i < ps->p->consts_count; i++)
		if (dvmi_token_is(t, ps->p->consts[i].name))
			return (int)i;
	for (size_t i = 0; i < COUNT(builtins); i++) {
		if (!dvmi_token_is(t, builtins[i].name))
			continue;
		if (add_const(ps, builtins[i].name, builtins[i].value, true, t))
			return -2;
		return (int)ps->p->consts_count - 1;
	}
	return -1;
}

static bool is_builtin(const char *name)
{
	for (size_t i = 0; i < COUNT(builtins); i++)
		if (!strcmp(name, builtins[i].name))
			return true;
	return false;
}

int dvmi_parse_fresh(struct dvmi_parser *ps, const struct dvmi_token *t, char *name)
{
	int rc = dvmi_parse_name(ps, t, name);

	if (rc)
		return rc;
	if (strpbrk(name, ".-"))
		return dvmi_parse_fail(ps, t, "'%s' has a dot or a hyphen; use letters, digits and _",
				       name);
	if (dvmi_name_reserved(name) || is_builtin(name))
		return dvmi_parse_fail(ps, t, "'%s' has a meaning already; choose another name",
				       name);
	return 0;
}

static int parse_const(struct dvmi_parser *ps, bool param)
{
	const struct dvmi_token *t = &ps->lx.tok[ps->at++], *v;
	char name[DVMI_NAME];
	int rc = dvmi_parse_fresh(ps, t, name);

	if (rc)
		return rc;
	for (unsigned i = 0; i < ps->p->consts_count; i++)
		if (!strcmp(ps->p->consts[i].name, name))
			return dvmi_parse_fail(ps, t, "constant '%s' is declared on line %u "
					       "already; remove one of the two",
					       name, ps->p->consts[i].line);
	if (!dvmi_take(ps, DVMI_T_EQUALS))
		return dvmi_parse_fail(ps, dvmi_peek(ps), "write %s %s = NUMBER",
				       param ? "param" : "const", name);
	v = dvmi_peek(ps);
	if (!dvmi_take(ps, DVMI_T_NUMBER))
		return dvmi_parse_fail(ps, v, "a constant's value is a number; write const %s = "
				       "NUMBER", name);
	rc = add_const(ps, name, v->number, false, t);
	if (!rc)
		ps->p->consts[ps->p->consts_count - 1].param = param;
	return rc;
}

int dvmi_parse_base(const struct dvmi_token *t, const char **name, size_t *len)
{
	static const struct {
		const char *text;
		int base;
	} bases[] = {
		{ "mm.", DVMI_BASE_MM },     { "prev.", DVMI_BASE_PREV },
		{ "next.", DVMI_BASE_NEXT }, { "cpu.", DVMI_BASE_CPU },
		{ "task.", DVMI_BASE_TASK },
	};

	for (size_t i = 0; i < COUNT(bases); i++) {
		size_t n = strlen(bases[i].text);

		if (t->len > n && !memcmp(t->text, bases[i].text, n)) {
			*name = t->text + n;
			*len = t->len - n;
			return bases[i].base;
		}
	}
	if (memchr(t->text, '.', t->len))
		return -1;
	*name = t->text;
	*len = t->len;
	return DVMI_BASE_GLOBAL;
}

/* of domains: a mask with one bit per TLBI domain */
static int parse_of(struct dvmi_parser *ps, struct dvmi_word *w)
{
	if (!dvmi_token_is(dvmi_peek(ps), "of"))
		return 0;
	if (!w->mask)
		return dvmi_parse_fail(ps, dvmi_peek(ps), "a word has 64 bits; write mask for one "
				       "bit per domain");
	ps->at++;
	if (!dvmi_token_is(dvmi_peek(ps), "domains"))
		return dvmi_parse_fail(ps, dvmi_peek(ps), "a mask has one bit per CPU, or per TLBI "
				       "domain; write of domains or nothing");
	ps->at++;
	w->domains = 1;
	return 0;
}

/* = value of a word, = none|all of a mask */
static int parse_init(struct dvmi_parser *ps, struct dvmi_word *w)
{
	const struct dvmi_token *v;
	int c;

	if (!dvmi_take(ps, DVMI_T_EQUALS))
		return 0;
	v = &ps->lx.tok[ps->at];
	if (v->kind != DVMI_T_END)
		ps->at++;
	if (w->mask) {
		if (!dvmi_token_is(v, "none") && !dvmi_token_is(v, "all"))
			return dvmi_parse_fail(ps, v, "a mask begins as none or all; write one of "
						      "them");
		w->init = dvmi_token_is(v, "all");
		return 0;
	}
	if (v->kind == DVMI_T_NUMBER) {
		w->init = v->number;
		return 0;
	}
	c = v->kind == DVMI_T_NAME ? dvmi_parse_const(ps, v) : -1;
	if (c == -2)
		return -DVM_ELIMIT;
	if (c < 0)
		return dvmi_parse_fail(ps, v, "a word begins as a number or a constant that was "
					      "declared above; write one");
	ps->const_used[c] = true;
	w->init = ps->p->consts[c].value;
	w->init_const = (uint8_t)(c + 1);
	return 0;
}

static int parse_word(struct dvmi_parser *ps, bool mask)
{
	struct dvmi_program *p = ps->p;
	struct dvmi_word w = { .mask = mask, .line = ps->lx.line };
	struct dvmi_token t = ps->lx.tok[ps->at];
	const char *name = NULL;
	size_t len = 0;
	int base, rc;

	if (t.kind != DVMI_T_END)
		ps->at++;
	base = t.kind == DVMI_T_NAME ? dvmi_parse_base(&t, &name, &len) : -1;
	if (base < 0 || base == DVMI_BASE_PREV || base == DVMI_BASE_NEXT)
		return dvmi_parse_fail(ps, &t, "a word lives in mm, cpu, task or, without a prefix, "
				       "once in the system; write for example %s mm.name",
				       mask ? "mask" : "word");
	w.base = (uint8_t)base;
	w.column = t.column;
	t.text = name;
	t.len = len;
	rc = dvmi_parse_fresh(ps, &t, w.name);
	if (rc)
		return rc;
	if (base == DVMI_BASE_MM && !strcmp(w.name, "mm_users"))
		return dvmi_parse_fail(ps, &t, "the kernel keeps mm.mm_users; use it without "
					       "declaring it");
	rc = dvmi_program_word(p, (enum dvmi_base)base, w.name);
	if (rc >= 0)
		return dvmi_parse_fail(ps, &t, "'%s' is declared on line %u already; remove one of "
				       "the two", w.name, p->words[rc].line);
	if (p->words_count == DVMI_WORDS_MAX)
		return dvmi_parse_over(ps, &t, "words", DVMI_WORDS_MAX);
	rc = parse_of(ps, &w);
	if (!rc)
		rc = parse_init(ps, &w);
	if (!rc)
		p->words[p->words_count++] = w;
	return rc;
}

/* summary and source: a string; a second source goes on a line of its own */
static int parse_text(struct dvmi_parser *ps, char **text)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	size_t old = *text ? strlen(*text) + 1 : 0;
	char *s;

	if (!dvmi_take(ps, DVMI_T_STRING))
		return dvmi_parse_fail(ps, t, "a string is missing here; write it in \"quotes\"");
	s = dvmi_alloc(old + t->len + 1);
	if (!s)
		return dvmi_error_nomem(ps->err);
	if (old) {
		memcpy(s, *text, old - 1);
		s[old - 1] = '\n';
	}
	memcpy(s + old, t->text, t->len);
	s[old + t->len] = '\0';
	dvmi_free(*text);
	*text = s;
	return 0;
}

/* quarantine N ticks */
static int parse_quarantine(struct dvmi_parser *ps)
{
	const struct dvmi_token *v = dvmi_peek(ps);
	struct dvmi_program *p = ps->p;
	uint64_t ticks;
	int c = -1;

	if (p->quarantine)
		return dvmi_parse_fail(ps, v, "a second quarantine; write one");
	if (v->kind == DVMI_T_NAME)
		c = dvmi_parse_const(ps, v);
	if (c == -2)
		return -DVM_ELIMIT;
	if (c < 0 && v->kind != DVMI_T_NUMBER)
		return dvmi_parse_fail(ps, v, "write quarantine NUMBER ticks, or a constant that was"
				       " declared above");
	ticks = c < 0 ? v->number : p->consts[c].value;
	if (!ticks || ticks > DVMI_QUARANTINE_MAX)
		return dvmi_parse_fail(ps, v, "a quarantine lasts 1 to %d ticks",
				       DVMI_QUARANTINE_MAX);
	ps->at++;
	if (!dvmi_token_is(dvmi_peek(ps), "ticks"))
		return dvmi_parse_fail(ps, dvmi_peek(ps), "a quarantine is told in ticks; write"
				       " quarantine NUMBER ticks");
	ps->at++;
	p->quarantine = (uint32_t)ticks;
	if (c >= 0) {
		ps->const_used[c] = true;
		p->quarantine_const = (uint8_t)(c + 1);
	}
	return 0;
}

int dvmi_parse_header(struct dvmi_parser *ps, const struct dvmi_token *t)
{
	if (dvmi_token_is(t, "summary")) {
		if (ps->p->summary)
			return dvmi_parse_fail(ps, t, "a second summary; write one sentence");
		return parse_text(ps, &ps->p->summary);
	}
	if (dvmi_token_is(t, "source"))
		return parse_text(ps, &ps->p->source);
	if (dvmi_token_is(t, "const") || dvmi_token_is(t, "param"))
		return parse_const(ps, dvmi_token_is(t, "param"));
	if (dvmi_token_is(t, "quarantine"))
		return parse_quarantine(ps);
	return parse_word(ps, dvmi_token_is(t, "mask"));
}

bool dvmi_is_header(const struct dvmi_token *t)
{
	static const char *const words[] = { "summary", "source", "const", "param", "word", "mask",
					      "quarantine" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (dvmi_token_is(t, words[i]))
			return true;
	return false;
}
