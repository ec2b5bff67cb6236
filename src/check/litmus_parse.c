/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include "base/mem.h"

#include "base/file.h"

#include <dvmsim/check.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The parts of a .litmus file: header, initial state, program, condition. */

#define LITMUS_BYTES_MAX (256 * 1024)

static void trim(char *s)
{
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
}

/* The rest of the line, without the newline. */
static void rest_of_line(struct dvmi_lex *lex, char *out, size_t size)
{
	size_t n = 0;

	while (lex->p < lex->end && *lex->p != '\n') {
		if (n + 1 < size)
			out[n++] = *lex->p;
		lex->p++;
	}
	out[n] = '\0';
	trim(out);
}

/* Tables=x,y: descriptors of these pages stand for table entries, not for last-level ones. */
static int tables(struct dvmi_litmus_parser *p, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ", ");
		char name[DVMI_NAME_MAX];
		unsigned page;
		int rc;

		if (n >= sizeof(name))
			return dvmi_lex_fail(&p->lex, "Tables=: a name is too long");
		memcpy(name, list, n);
		name[n] = 0;
		rc = n ? dvmi_litmus_var(p, name, &page) : 0;
		if (rc)
			return rc;
		if (n)
			p->test->tables |= UINT32_C(1) << page;
		list += n;
		list += *list != 0;
	}
	return 0;
}

/* Second-mm=x:y,z:w: in the second address space PTE(y) translates x. */
static int second_mm(struct dvmi_litmus_parser *p, const char *list)
{
	while (*list) {
		char a[DVMI_NAME_MAX], b[DVMI_NAME_MAX];
		unsigned x, y;
		int n = 0, rc;

		if (sscanf(list, " %31[A-Za-z0-9_]:%31[A-Za-z0-9_]%n", a, b, &n) != 2)
			return dvmi_lex_fail(&p->lex, "expected pairs of variables, as in "
						      "Second-mm=x:y");
		rc = dvmi_litmus_var(p, a, &x);
		if (!rc)
			rc = dvmi_litmus_var(p, b, &y);
		if (rc)
			return rc;
		if (x == y || p->test->twin[x])
			return dvmi_lex_fail(&p->lex, "Second-mm=: %s needs one other variable", a);
		p->test->twin[x] = (uint8_t)(y + 1);
		p->test->second_mm = true;
		list += n;
		list += strspn(list, ", ");
	}
	return 0;
}

/* TLBID=1,2: the TLBI domain of each thread in turn (FEAT_TLBID); 0 is none. */
static int domains(struct dvmi_litmus_parser *p, const char *list)
{
	for (unsigned n = 0; n < DVMI_PES_MAX; n++) {
		char *end;
		unsigned long v;

		if (!isdigit((unsigned char)*list))
			return dvmi_lex_fail(&p->lex, "TLBID= needs one number per thread, as in "
						      "TLBID=1,2");
		v = strtoul(list, &end, 10);
		if (v > UINT16_MAX)
			return dvmi_lex_fail(&p->lex, "TLBID=: a domain's number has 16 bits");
		p->test->domain[n] = (uint16_t)v;
		p->test->tlbid = true;
		if (*end != ',')
			return *end ? dvmi_lex_fail(&p->lex, "TLBID=: numbers are separated by "
							     "commas, as in TLBID=1,2") : 0;
		list = end + 1;
	}
	return dvmi_lex_fail(&p->lex, "TLBID=: more numbers than threads");
}

static int metadata(struct dvmi_litmus_parser *p, const char *line)
{
	if (!strncasecmp(line, "Variant=", 8)) {
		if (strstr(line, "skip"))
			p->test->skip = true;
		return 0;
	}
	if (!strncasecmp(line, "Erratum=", 8)) { /* beyond herd */
		if (!strstr(line, "repeat-tlbi"))
			return dvmi_lex_fail(&p->lex, "the only erratum known is repeat-tlbi");
		p->test->erratum = true;
		return 0;
	}
	if (!strncasecmp(line, "TLBID=", 6)) /* beyond herd */
		return domains(p, line + 6);
	if (!strncasecmp(line, "Tables=", 7)) /* beyond herd */
		return tables(p, line + 7);
	if (!strncasecmp(line, "Second-mm=", 10)) /* beyond herd */
		return second_mm(p, line + 10);
	if (!strncasecmp(line, "EL0=", 4)) {
		/* EL0=P0,P1: threads that run unprivileged */
		for (const char *c = line + 4; *c; c++)
			if (isdigit((unsigned char)*c) && (unsigned)(*c - '0') < DVMI_PES_MAX)
				p->test->thread[*c - '0'].el0 = true;
		return 0;
	}
	if (!strncasecmp(line, "TTHM=", 5))
		return dvmi_litmus_tthm(p, line + 5);
	return 0;
}

/* "AArch64 name", then anything up to the brace that opens the initial state. */
static int header(struct dvmi_litmus_parser *p)
{
	char line[512];
	int rc = dvmi_lex_blank(&p->lex);

	if (rc)
		return rc;
	if (p->lex.end - p->lex.p < 8 || strncmp(p->lex.p, "AArch64", 7) != 0 ||
	    !isspace((unsigned char)p->lex.p[7]))
		return dvmi_lex_fail(&p->lex, "a test begins with 'AArch64' and its name; other "
					      "architectures are not supported");
	p->lex.p += 7;
	while (p->lex.p < p->lex.end && (*p->lex.p == ' ' || *p->lex.p == '\t'))
		p->lex.p++;
	for (size_t n = 0; p->lex.p < p->lex.end && !isspace((unsigned char)*p->lex.p); p->lex.p++)
		if (n + 1 < sizeof(p->test->name))
			p->test->name[n++] = *p->lex.p;
	if (!p->test->name[0])
		return dvmi_lex_fail(&p->lex, "the test has no name");
	for (;;) {
		rc = dvmi_lex_blank(&p->lex);
		if (rc)
			return rc;
		if (dvmi_lex_peek(&p->lex) < 0)
			return dvmi_lex_fail(&p->lex, "expected '{' and the initial state");
		if (dvmi_lex_eat(&p->lex, "{"))
			return 0;
		rest_of_line(&p->lex, line, sizeof(line));
		rc = metadata(p, line);
		if (rc)
			return rc;
	}
}

/* ---- initial state ---- */

static bool is_type(const char *w)
{
	size_t n = strlen(w);

	return !strcmp(w, "int") || !strcmp(w, "long") || !strcmp(w, "unsigned") ||
	       !strcmp(w, "const") || !strcmp(w, "volatile") ||
	       (n > 2 && !strcmp(w + n - 2, "_t") &&
		(!strncmp(w, "int", 3) || !strncmp(w, "uint", 4) || !strncmp(w, "pteval", 6)));
}

static int init_reg(struct dvmi_litmus_parser *p, const char *thread)
{
	char word[DVMI_NAME_MAX];
	uint8_t r, width;
	uint64_t v = 0;
	unsigned t;
	int rc = dvmi_litmus_thread(p, thread, &t);

	if (rc)
		return rc;
	if (!dvmi_lex_word(&p->lex, word, sizeof(word), false) ||
	    !dvmi_litmus_reg(word, &r, &width) || r == DVMI_REG_ZR)
		return dvmi_lex_fail(&p->lex, "expected a register, as in 0:X1");
	if (dvmi_lex_eat(&p->lex, "=")) {
		rc = dvmi_litmus_value(p, DVMI_PAGES_MAX, &v);
		if (rc)
			return rc;
	}
	p->test->thread[t].reg[r] = width == 4 && !dvmi_is_desc(v) ? v & UINT32_MAX : v;
	return 0;
}

/* int x[2]={1,2}: after the location */
static int init_array(struct dvmi_litmus_parser *p, uint16_t loc, unsigned bytes)
{
	uint64_t v;
	int rc;

	while (!dvmi_lex_eat(&p->lex, "}")) {
		if (dvmi_lex_eat(&p->lex, ","))
			continue;
		rc = dvmi_litmus_value(p, DVMI_PAGES_MAX, &v);
		if (rc)
			return rc;
		if ((loc - DVMI_PAGES_MAX) % DVMI_CELLS + bytes / 4 > DVMI_CELLS)
			return dvmi_lex_fail(&p->lex, "an array fills at most %u bytes",
					     DVMI_CELLS * 4);
		p->test->init[loc] = v;
		loc = (uint16_t)(loc + bytes / 4);
	}
	return 0;
}

static int init_loc(struct dvmi_litmus_parser *p, unsigned bytes)
{
	struct dvmi_lex save = p->lex;
	char word[DVMI_NAME_MAX];
	uint16_t loc;
	uint64_t v;
	int rc;

	/* "int x[2]" declares; "[x]" and "x" set. */
	if (dvmi_lex_peek(&p->lex) != '[' && dvmi_lex_word(&p->lex, word, sizeof(word), false) &&
	    dvmi_lex_eat(&p->lex, "[")) {
		unsigned page;

		rc = dvmi_litmus_var(p, word, &page);
		if (rc)
			return rc;
		if (!dvmi_lex_number(&p->lex, &v) || v * bytes > DVMI_CELLS * 4 ||
		    !dvmi_lex_eat(&p->lex, "]"))
			return dvmi_lex_fail(&p->lex, "an array fills at most %u bytes",
					     DVMI_CELLS * 4);
		loc = dvmi_loc_of(dvmi_pa(page), p->test->space.pages);
		if (dvmi_lex_eat(&p->lex, "=") && dvmi_lex_eat(&p->lex, "{"))
			return init_array(p, loc, bytes);
		return 0;
	}
	p->lex = save;
	rc = dvmi_litmus_loc(p, &loc);
	if (rc || !dvmi_lex_eat(&p->lex, "="))
		return rc;
	rc = dvmi_litmus_value(p, loc < DVMI_PAGES_MAX ? loc : DVMI_PAGES_MAX, &v);
	if (rc)
		return rc;
	if ((loc < DVMI_PAGES_MAX) && !dvmi_is_desc(v))
		return dvmi_lex_fail(&p->lex,
				     "a descriptor's value is written (oa:PA(x), valid:1)");
	p->test->init[loc] = v;
	return 0;
}

static int initial_state(struct dvmi_litmus_parser *p)
{
	unsigned bytes = 4;
	int rc = 0;

	while (!rc && !dvmi_lex_eat(&p->lex, "}")) {
		struct dvmi_lex save = p->lex;
		char word[DVMI_NAME_MAX];

		if (dvmi_lex_peek(&p->lex) < 0)
			return dvmi_lex_fail(&p->lex, "the initial state has no closing '}'");
		if (dvmi_lex_eat(&p->lex, ";")) {
			bytes = 4;
			continue;
		}
		if (dvmi_lex_word(&p->lex, word, sizeof(word), false)) {
			if (is_type(word)) {
				if (strstr(word, "64") || !strcmp(word, "long"))
					bytes = 8;
				while (dvmi_lex_eat(&p->lex, "*"))
					;
				continue;
			}
			if (dvmi_lex_eat(&p->lex, ":")) {
				rc = init_reg(p, word);
				continue;
			}
			p->lex = save;
		}
		rc = init_loc(p, bytes);
		if (!rc && dvmi_lex_peek(&p->lex) != ';' && dvmi_lex_peek(&p->lex) != '}')
			rc = dvmi_lex_fail(&p->lex, "expected ; or } after an initial value");
	}
	return rc;
}

/* ---- program ---- */

struct columns {
	unsigned count;
	struct {
		uint8_t thread;
		bool handler;
	} col[2 * DVMI_PES_MAX];
	struct dvmi_thread *handlers; /* one per thread */
};

static int header_row(struct dvmi_litmus_parser *p, struct columns *c)
{
	char word[DVMI_NAME_MAX];
	unsigned t;
	int rc;

	do {
		bool handler = false;
		size_t n = dvmi_lex_word(&p->lex, word, sizeof(word), false);

		if (n > 2 && !strcmp(word + n - 2, ".F")) {
			handler = true;
			word[n - 2] = '\0';
		}
		if (!n || word[0] != 'P')
			return dvmi_lex_fail(&p->lex, "expected the program: P0 | P1 ;");
		rc = dvmi_litmus_thread(p, word, &t);
		if (rc)
			return rc;
		for (unsigned i = 0; i < c->count; i++)
			if (c->col[i].thread == t && c->col[i].handler == handler)
				return dvmi_lex_fail(&p->lex, "P%u has two columns", t);
		if (t >= p->test->threads)
			p->test->threads = t + 1;
		p->test->thread[t].has_handler |= handler;
		c->col[c->count].thread = (uint8_t)t;
		c->col[c->count++].handler = handler;
	} while (dvmi_lex_eat(&p->lex, "|"));
	if (!dvmi_lex_eat(&p->lex, ";"))
		return dvmi_lex_fail(&p->lex, "expected | or ;");
	return 0;
}

static bool at_condition(struct dvmi_litmus_parser *p)
{
	static const char *const starts[] = {"exists", "forall", "locations", "filter", "~", "not"};
	struct dvmi_lex save = p->lex;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (dvmi_lex_eat(&p->lex, starts[i])) {
			p->lex = save;
			return true;
		}
	return dvmi_lex_peek(&p->lex) < 0;
}

static int rows(struct dvmi_litmus_parser *p, struct columns *c)
{
	while (!at_condition(p)) {
		for (unsigned i = 0; i < c->count; i++) {
			unsigned t = c->col[i].thread;
			int rc = dvmi_litmus_cell(p, c->col[i].handler ? &c->handlers[t]
								       : &p->test->thread[t]);

			if (rc)
				return rc;
			if (i + 1 < c->count && !dvmi_lex_eat(&p->lex, "|")) {
				if (dvmi_lex_peek(&p->lex) == ';')
					break;
				return dvmi_lex_fail(&p->lex, "expected | between columns");
			}
		}
		if (!dvmi_lex_eat(&p->lex, ";"))
			return dvmi_lex_fail(&p->lex, "expected ; at the end of a row");
	}
	return 0;
}

/* A fault handler's instructions go after the thread's own; labels are shared. */
static int join_handler(struct dvmi_litmus_parser *p, struct dvmi_thread *t,
			const struct dvmi_thread *h)
{
	uint16_t map[DVMI_LABELS_MAX];

	t->handler = t->insns;
	for (unsigned i = 0; i < h->labels; i++) {
		unsigned k = 0;

		while (k < t->labels && strcmp(t->label[k].name, h->label[i].name) != 0)
			k++;
		if (k == DVMI_LABELS_MAX)
			return dvmi_lex_fail(&p->lex, "more than %d labels", DVMI_LABELS_MAX);
		if (k == t->labels)
			t->label[t->labels++] = h->label[i];
		if (h->label[i].at >= 0)
			t->label[k].at = h->label[i].at + (int)t->handler;
		map[i] = (uint16_t)k;
	}
	for (unsigned i = 0; i < h->insns; i++) {
		t->insn[t->insns] = h->insn[i];
		if (h->insn[i].op == DVMI_OP_B || h->insn[i].op == DVMI_OP_BCC ||
		    h->insn[i].op == DVMI_OP_CBZ || h->insn[i].op == DVMI_OP_CBNZ ||
		    h->insn[i].op == DVMI_OP_ADR)
			t->insn[t->insns].target = map[h->insn[i].target];
		t->insns++;
	}
	return 0;
}

static int program(struct dvmi_litmus_parser *p)
{
	struct columns c = {.count = 0};
	int rc;

	c.handlers = dvmi_calloc(DVMI_PES_MAX, sizeof(*c.handlers));
	if (!c.handlers)
		return dvmi_error_nomem(p->lex.err);
	rc = header_row(p, &c);
	if (!rc)
		rc = rows(p, &c);
	for (unsigned t = 0; t < p->test->threads && !rc; t++) {
		p->test->thread[t].handler = p->test->thread[t].insns;
		if (p->test->thread[t].has_handler)
			rc = join_handler(p, &p->test->thread[t], &c.handlers[t]);
	}
	dvmi_free(c.handlers);
	return rc;
}

/* ---- the whole ---- */

static int labels_defined(struct dvmi_litmus_parser *p)
{
	for (unsigned t = 0; t < p->test->threads; t++) {
		struct dvmi_thread *th = &p->test->thread[t];

		for (unsigned i = 0; i < th->labels; i++)
			if (th->label[i].at < 0)
				return dvmi_error_at(p->lex.err, DVM_EFORMAT, p->lex.file,
						     th->label[i].line, th->label[i].column,
						     "label %s of P%u is not defined",
						     th->label[i].name, t);
	}
	/* Code addresses of labels become addresses of instructions. */
	for (unsigned t = 0; t < p->test->threads; t++)
		for (unsigned r = 0; r < DVMI_REGS; r++) {
			uint64_t *v = &p->test->thread[t].reg[r], off = *v - DVMI_CODE_BASE;

			if (*v >= DVMI_CODE_BASE && off >> 20 < p->test->threads &&
			    !dvmi_is_desc(*v) && *v < DVMI_PA_BASE)
				*v = (*v & ~UINT64_C(0xfffff)) + 0x1000 +
				     4 * (uint64_t)p->test->thread[off >> 20].label[off & 0xfff].at;
		}
	return 0;
}

/* Every variable's page is mapped to its own physical page unless the test says otherwise. */
static void default_descriptors(struct dvm_litmus *test)
{
	for (unsigned i = 0; i < test->space.pages; i++)
		if (!test->init[i])
			test->init[i] = DVMI_DESC_DEFAULT | dvmi_pa(i);
}

static int parse(struct dvmi_litmus_parser *p)
{
	int rc = header(p);

	if (!rc)
		rc = initial_state(p);
	if (!rc)
		rc = program(p);
	if (!rc)
		rc = labels_defined(p);
	while (!rc && dvmi_lex_eat(&p->lex, "locations"))
		rc = dvmi_litmus_locations(p);
	if (!rc && dvmi_lex_eat(&p->lex, "filter"))
		rc = dvmi_litmus_filter(p);
	if (!rc)
		rc = dvmi_litmus_condition(p);
	if (!rc && dvmi_lex_peek(&p->lex) >= 0)
		rc = dvmi_lex_fail(&p->lex, "unexpected text after the condition");
	if (!rc)
		default_descriptors(p->test);
	if (!rc)
		rc = dvmi_litmus_age(p);
	return rc;
}

int dvm_litmus_parse(const char *file, const char *text, size_t size, struct dvm_litmus **test,
		     struct dvm_error *err)
{
	struct dvmi_litmus_parser p;
	int rc;

	if (memchr(text, 0, size))
		return dvmi_error(err, DVM_EFORMAT, file,
				  "a zero byte is not part of a litmus test");
	p.test = dvmi_zalloc(sizeof(*p.test));
	if (!p.test)
		return dvmi_error_nomem(err);
	p.test->filter = -1;
	for (unsigned t = 0; t < DVMI_PES_MAX; t++)
		p.test->thread[t].number = (int)t;
	strncpy(p.test->file, file, sizeof(p.test->file) - 1);
	dvmi_lex_init(&p.lex, p.test->file, text, size, err);
	rc = parse(&p);
	if (rc) {
		dvm_litmus_free(p.test);
		return rc;
	}
	*test = p.test;
	return 0;
}

int dvm_litmus_load(const char *path, struct dvm_litmus **test, struct dvm_error *err)
{
	size_t size;
	char *text;
	int rc = dvmi_file_load(path, LITMUS_BYTES_MAX, &text, &size, err);

	if (rc)
		return rc;
	rc = dvm_litmus_parse(path, text, size, test, err);
	dvmi_free(text);
	return rc;
}

void dvm_litmus_free(struct dvm_litmus *test)
{
	if (!test)
		return;
	for (unsigned i = 0; i < test->space.pages; i++)
		dvmi_free(test->space.names[i]);
	for (unsigned i = 1; i <= test->space.attr_sets; i++)
		dvmi_free(test->space.attrs[i]);
	dvmi_free(test);
}

const char *dvm_litmus_name(const struct dvm_litmus *test)
{
	return test->name;
}
