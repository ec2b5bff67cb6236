/* SPDX-License-Identifier: MIT */
#include "program/parser.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool dvmi_token_is(const struct dvmi_token *t, const char *text)
{
	return t->kind == DVMI_T_NAME && strlen(text) == t->len && !memcmp(t->text, text, t->len);
}

bool dvmi_take(struct dvmi_parser *ps, unsigned kind)
{
	if (dvmi_peek(ps)->kind != kind)
		return false;
	ps->at++;
	return true;
}

int dvmi_parse_fail(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dvmi_error_at(ps->err, DVM_EFORMAT, ps->lx.where, ps->lx.line, t->column, "%s",
			     text);
}

int dvmi_parse_over(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *what,
		    unsigned limit)
{
	return dvmi_error_at(ps->err, DVM_ELIMIT, ps->lx.where, ps->lx.line, t->column,
			     "more than %u %s; split the program or drop some", limit, what);
}

int dvmi_parse_unknown(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *what,
		       const char *(*next)(const void *arg, size_t i), const void *arg,
		       const char *cure)
{
	int len = (int)(t->len < 64 ? t->len : 64);
	const char *found;
	char word[65];

	snprintf(word, sizeof(word), "%.*s", len, t->text);
	found = dvmi_suggest(word, next, arg);
	if (found)
		return dvmi_parse_fail(ps, t, "%s '%s'; did you mean '%s'?", what, word, found);
	return dvmi_parse_fail(ps, t, "%s '%s'; %s", what, word, cure);
}

int dvmi_parse_name(const struct dvmi_parser *ps, const struct dvmi_token *t, char *name)
{
	if (t->kind != DVMI_T_NAME)
		return dvmi_parse_fail(ps, t, "a name is missing here; write one, of letters, "
					      "digits and _");
	if (t->len >= DVMI_NAME)
		return dvmi_parse_fail(ps, t, "the name is too long; shorten it to %d characters",
				       DVMI_NAME - 1);
	memcpy(name, t->text, t->len);
	name[t->len] = '\0';
	return 0;
}

static int end_of_line(struct dvmi_parser *ps)
{
	if (dvmi_peek(ps)->kind == DVMI_T_END)
		return 0;
	return dvmi_parse_fail(ps, dvmi_peek(ps),
			       "the line should end here; remove the rest or put # before it");
}

static const char *hook_candidate(const void *arg, size_t i)
{
	(void)arg;
	return i < DVMI_HOOKS ? dvmi_hook_names[i] : NULL;
}

/* A label must stand before an instruction of its own hook. */
static int dangling_label(struct dvmi_parser *ps)
{
	const struct dvmi_program *p = ps->p;

	for (unsigned i = 0; i < p->labels_count; i++)
		if (p->labels[i].insn == p->insns_count)
			return dvmi_error_at(ps->err, DVM_EFORMAT, ps->lx.where, p->labels[i].line,
					     p->labels[i].column, "no instruction follows label "
					     "'%s' in its hook; add one, such as ret",
					     p->labels[i].name);
	return 0;
}

static int parse_hook(struct dvmi_parser *ps)
{
	const struct dvmi_token *t = &ps->lx.tok[ps->at];
	struct dvmi_program *p = ps->p;
	unsigned h = 0;
	int rc = dangling_label(ps);

	if (rc)
		return rc;
	while (h < DVMI_HOOKS && !dvmi_token_is(t, dvmi_hook_names[h]))
		h++;
	if (t->kind != DVMI_T_NAME)
		return dvmi_parse_fail(ps, t, "the hook's name is missing; write for example "
					      "on flush:");
	if (h == DVMI_HOOKS)
		return dvmi_parse_unknown(ps, t, "unknown hook", hook_candidate, NULL,
					  "see docs/strategy-author.md for the list");
	ps->at++;
	if (!dvmi_take(ps, DVMI_T_COLON))
		return dvmi_parse_fail(ps, dvmi_peek(ps), "a colon is missing; write on %s:",
				       dvmi_hook_names[h]);
	if (p->hooks[h] >= 0)
		return dvmi_parse_fail(ps, t, "hook '%s' begins on line %u already; merge the two",
				       dvmi_hook_names[h], p->hook_lines[h]);
	/* Two hooks with nothing between them share one body. */
	if (!ps->body || !ps->body_empty)
		ps->body++;
	ps->body_empty = true;
	p->hooks[h] = (int)p->insns_count;
	p->hook_lines[h] = ps->lx.line;
	return 0;
}

static int parse_label(struct dvmi_parser *ps)
{
	const struct dvmi_token *t = &ps->lx.tok[ps->at];
	struct dvmi_program *p = ps->p;
	struct dvmi_label l = { .line = ps->lx.line, .column = t->column,
				.insn = (uint16_t)p->insns_count };
	size_t cap = ps->bodies_cap;
	int rc = dvmi_parse_fresh(ps, t, l.name);

	if (rc)
		return rc;
	if (!ps->body)
		return dvmi_parse_fail(ps, t, "a label stands before the first hook; write on "
					      "flush: above it");
	for (unsigned i = 0; i < p->labels_count; i++)
		if (ps->bodies[i] == ps->body && !strcmp(p->labels[i].name, l.name))
			return dvmi_parse_fail(ps, t, "label '%s' is on line %u of this hook "
					       "already; rename one of the two",
					       l.name, p->labels[i].line);
	if (p->labels_count == DVMI_LABELS_MAX)
		return dvmi_parse_over(ps, t, "labels", DVMI_LABELS_MAX);
	if (dvmi_grow((void **)&p->labels, &ps->labels_cap, p->labels_count + 1,
		      sizeof(*p->labels)) ||
	    dvmi_grow((void **)&ps->bodies, &cap, p->labels_count + 1, sizeof(*ps->bodies)))
		return dvmi_error_nomem(ps->err);
	ps->bodies_cap = cap;
	ps->bodies[p->labels_count] = ps->body;
	p->labels[p->labels_count++] = l;
	ps->body_empty = false;
	ps->at += 2;
	return 0;
}

static int parse_name(struct dvmi_parser *ps)
{
	char name[DVMI_NAME];
	int rc = dvmi_parse_name(ps, dvmi_peek(ps), name);

	if (rc)
		return rc;
	ps->at++;
	ps->p->name = dvmi_strdup(name);
	return ps->p->name ? 0 : dvmi_error_nomem(ps->err);
}

static int parse_line(struct dvmi_parser *ps)
{
	const struct dvmi_token *t = dvmi_peek(ps);
	int rc;

	if (t->kind == DVMI_T_END)
		return 0;
	if (dvmi_token_is(t, "strategy") != !ps->p->name)
		return dvmi_parse_fail(ps, t, ps->p->name ?
				       "a second strategy line; one file holds one strategy" :
				       "the file does not begin with its name; write strategy NAME "
				       "first");
	if (t->kind == DVMI_T_NAME && ps->lx.tok[1].kind == DVMI_T_COLON) {
		rc = parse_label(ps);
		if (rc || dvmi_peek(ps)->kind == DVMI_T_END)
			return rc;
		return dvmi_parse_insn(ps);
	}
	ps->at++;
	if (!ps->p->name) {
		rc = parse_name(ps);
	} else if (dvmi_is_header(t)) {
		if (ps->body)
			return dvmi_parse_fail(ps, t, "a declaration stands below the first hook; "
						      "move it above");
		rc = dvmi_parse_header(ps, t);
	} else if (dvmi_token_is(t, "on")) {
		rc = parse_hook(ps);
	} else {
		ps->at--;
		rc = dvmi_parse_insn(ps);
	}
	return rc ? rc : end_of_line(ps);
}

static const char *label_candidate(const void *arg, size_t i)
{
	const struct dvmi_parser *ps = arg;
	const struct dvmi_fixup *fix = &ps->fixups[ps->at];

	for (unsigned n = 0; n < ps->p->labels_count; n++)
		if (ps->bodies[n] == fix->body && !i--)
			return ps->p->labels[n].name;
	return NULL;
}

static int no_label(struct dvmi_parser *ps, const struct dvmi_fixup *fix)
{
	struct dvmi_token t = { .text = fix->name, .len = strlen(fix->name),
				.column = fix->column, .kind = DVMI_T_NAME };

	ps->lx.line = fix->line;
	for (unsigned i = 0; i < ps->p->labels_count; i++)
		if (!strcmp(ps->p->labels[i].name, fix->name))
			return dvmi_parse_fail(ps, &t, "label '%s' is in another hook (line %u); a "
					       "branch stays in its hook, repeat the code here",
					       fix->name, ps->p->labels[i].line);
	ps->at = (unsigned)(fix - ps->fixups);
	return dvmi_parse_unknown(ps, &t, "unknown label", label_candidate, ps,
				  "write the label, followed by a colon, in this hook");
}

static int resolve_labels(struct dvmi_parser *ps)
{
	for (unsigned i = 0; i < ps->fixups_count; i++) {
		const struct dvmi_fixup *fix = &ps->fixups[i];
		unsigned l = 0;

		while (l < ps->p->labels_count && (ps->bodies[l] != fix->body ||
						   strcmp(ps->p->labels[l].name, fix->name) != 0))
			l++;
		if (l == ps->p->labels_count)
			return no_label(ps, fix);
		ps->p->insns[fix->insn].target = ps->p->labels[l].insn;
	}
	return 0;
}

static const char *value_candidate(const void *arg, size_t i)
{
	const struct dvmi_parser *ps = arg;

	if (i < ps->p->consts_count)
		return ps->p->consts[i].name;
	i -= ps->p->consts_count;
	for (unsigned r = 0; r < ps->p->regs_count; r++)
		if (ps->regs[r].set && !i--)
			return ps->p->regs[r];
	return i < DVMI_FIELDS ? dvmi_field_names[i] : !(i - DVMI_FIELDS) ? "self" : NULL;
}

/* A name that nothing sets is no register: most likely it is misspelt. */
static int names_without_value(struct dvmi_parser *ps)
{
	for (unsigned i = 0; i < ps->p->regs_count; i++) {
		const struct dvmi_reg_use *u = &ps->regs[i];
		struct dvmi_token t = { .text = ps->p->regs[i], .len = strlen(ps->p->regs[i]),
					.column = u->column, .kind = DVMI_T_NAME };

		if (u->set)
			continue;
		ps->lx.line = u->line;
		return dvmi_parse_unknown(ps, &t, "unknown name", value_candidate, ps,
					  "it is no constant and no register that is ever set");
	}
	return 0;
}

static int unused_names(struct dvmi_parser *ps)
{
	struct dvmi_program *p = ps->p;
	bool used[DVMI_WORDS_MAX] = { false };

	for (unsigned i = 0; i < p->insns_count; i++)
		if (dvmi_op_is_memory(p->insns[i].op))
			used[p->insns[i].word] = true;
	for (unsigned i = 0; i < p->words_count; i++)
		if (!used[i])
			return dvmi_error_at(ps->err, DVM_EFORMAT, ps->lx.where, p->words[i].line,
					     p->words[i].column,
					     "'%s' is declared and never used; remove it",
					     p->words[i].name);
	for (unsigned i = 0; i < p->consts_count; i++)
		if (!ps->const_used[i] && !p->consts[i].builtin)
			return dvmi_error_at(ps->err, DVM_EFORMAT, ps->lx.where, p->consts[i].line,
					     p->consts[i].column,
					     "'%s' is declared and never used; remove it",
					     p->consts[i].name);
	return 0;
}

static int finish(struct dvmi_parser *ps)
{
	struct dvmi_program *p = ps->p;
	int rc;

	if (!p->name)
		return dvmi_error_at(ps->err, DVM_EFORMAT, ps->lx.where, 1, 1,
				     "the file holds no strategy; write strategy NAME first");
	rc = dangling_label(ps);
	if (!rc)
		rc = resolve_labels(ps);
	if (!rc)
		rc = names_without_value(ps);
	if (!rc)
		rc = unused_names(ps);
	if (rc)
		return rc;
	if (!p->summary)
		p->summary = dvmi_strdup("");
	if (!p->source)
		p->source = dvmi_strdup("");
	if (!p->summary || !p->source)
		return dvmi_error_nomem(ps->err);
	return dvmi_program_check(p, ps->lx.where, ps->err);
}

static int parse_lines(struct dvmi_parser *ps)
{
	int rc = dvmi_lex_line(&ps->lx, ps->err);

	while (rc > 0) {
		ps->at = 0;
		rc = parse_line(ps);
		if (!rc)
			rc = dvmi_lex_line(&ps->lx, ps->err);
	}
	return rc ? rc : finish(ps);
}

static struct dvmi_program *new_program(const char *text, size_t len)
{
	struct dvmi_program *p = dvmi_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	for (unsigned i = 0; i < DVMI_HOOKS; i++)
		p->hooks[i] = -1;
	p->text = dvmi_alloc(len + 1);
	if (!p->text) {
		dvmi_program_free(p);
		return NULL;
	}
	memcpy(p->text, text, len);
	p->text[len] = '\0';
	p->text_len = len;
	p->hash = dvmi_hash_bytes(DVMI_HASH_INIT, text, len);
	return p;
}

int dvmi_program_parse(const char *text, size_t len, const char *where,
		       struct dvmi_program **program, struct dvm_error *err)
{
	struct dvmi_parser ps = { .err = err, .lx = { .where = where } };
	int rc;

	if (len > DVMI_TEXT_MAX)
		return dvmi_error(err, DVM_ELIMIT, where, "the text is longer than %d bytes; a "
				  "strategy is short, is this the right file?", DVMI_TEXT_MAX);
	if (memchr(text, '\0', len))
		return dvmi_error(err, DVM_EFORMAT, where, "the text holds a NUL byte; is this a "
							   "text file?");
	ps.p = new_program(text, len);
	if (!ps.p)
		return dvmi_error_nomem(err);
	ps.lx.next = ps.p->text;
	ps.lx.end = ps.p->text + len;
	rc = parse_lines(&ps);
	dvmi_free(ps.fixups);
	dvmi_free(ps.bodies);
	if (rc)
		dvmi_program_free(ps.p);
	else
		*program = ps.p;
	return rc;
}
