/* SPDX-License-Identifier: MIT */
#include "program/strategy.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "program/parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct dvm_strategy {
	struct dvmi_program *program;
};

struct dvm_strategy_builder {
	struct dvmi_buf text;
};

const struct dvmi_program *dvmi_strategy_program(const struct dvm_strategy *s)
{
	return s->program;
}

int dvmi_strategy_wrap(struct dvmi_program *program, struct dvm_strategy **s)
{
	struct dvm_strategy *made = dvmi_zalloc(sizeof(*made));

	if (!made)
		return -DVM_ENOMEM;
	made->program = program;
	*s = made;
	return 0;
}

static int parse(const char *text, size_t len, const char *where, struct dvm_strategy **s,
		 struct dvm_error *err)
{
	struct dvm_strategy *made = dvmi_zalloc(sizeof(*made));
	int rc;

	if (!made)
		return dvmi_error_nomem(err);
	rc = dvmi_program_parse(text, len, where, &made->program, err);
	if (rc)
		dvmi_free(made);
	else
		*s = made;
	return rc;
}

int dvm_strategy_load(const char *path, struct dvm_strategy **s, struct dvm_error *err)
{
	char *text;
	size_t size;
	int rc = dvmi_file_load(path, DVMI_TEXT_MAX, &text, &size, err);

	if (rc)
		return rc;
	rc = parse(text, size, path, s, err);
	dvmi_free(text);
	return rc;
}

int dvm_strategy_parse(const char *text, const char *name, struct dvm_strategy **s,
		       struct dvm_error *err)
{
	return parse(text, strlen(text), name, s, err);
}

void dvm_strategy_free(struct dvm_strategy *s)
{
	if (!s)
		return;
	dvmi_program_free(s->program);
	dvmi_free(s);
}

const char *dvm_strategy_name(const struct dvm_strategy *s)
{
	return s->program->name;
}

const char *dvm_strategy_summary(const struct dvm_strategy *s)
{
	return s->program->summary;
}

const char *dvm_strategy_source(const struct dvm_strategy *s)
{
	return s->program->source;
}

const char *dvm_strategy_text(const struct dvm_strategy *s)
{
	return s->program->text;
}

uint64_t dvm_strategy_hash(const struct dvm_strategy *s)
{
	return s->program->hash;
}

int dvm_strategy_print(const struct dvm_strategy *s, char **text, struct dvm_error *err)
{
	struct dvmi_buf buf = { 0 };

	dvmi_program_print(s->program, &buf);
	return dvmi_buf_take(&buf, text) ? dvmi_error_nomem(err) : 0;
}

/* Kernel words come and go with their use; the strategy's own are counted without them. */
static const struct dvmi_word *own_word(const struct dvmi_program *p, size_t i)
{
	for (unsigned w = 0; w < p->words_count; w++)
		if (!p->words[w].kernel && !i--)
			return &p->words[w];
	return NULL;
}

size_t dvm_strategy_words(const struct dvm_strategy *s)
{
	size_t n = 0;

	while (own_word(s->program, n))
		n++;
	return n;
}

int dvm_strategy_get_word(const struct dvm_strategy *s, size_t i, struct dvm_strategy_word *word)
{
	const struct dvmi_word *w = own_word(s->program, i);
	const char *base;

	if (!w)
		return -DVM_EINVAL;
	base = dvmi_base_names[w->base];
	snprintf(word->name, sizeof(word->name), "%s%s%s", base, base[0] ? "." : "", w->name);
	word->init = w->init;
	word->mask = w->mask;
	return 0;
}

size_t dvm_strategy_lines(const struct dvm_strategy *s)
{
	return s->program->insns_count;
}

/* The hooks whose body holds instruction @i: those that begin last before it. */
static void hooks_of(const struct dvmi_program *p, int i, char *text, size_t size)
{
	int start = -1;
	size_t len = 0;

	text[0] = '\0';
	for (unsigned h = 0; h < DVMI_HOOKS; h++)
		if (p->hooks[h] <= i && p->hooks[h] > start)
			start = p->hooks[h];
	for (unsigned h = 0; h < DVMI_HOOKS; h++)
		if (p->hooks[h] == start && start >= 0 && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "",
						dvmi_hook_names[h]);
}

int dvm_strategy_get_line(const struct dvm_strategy *s, size_t i, struct dvm_strategy_line *line)
{
	const struct dvmi_program *p = s->program;
	const struct dvmi_insn *insn;
	struct dvmi_buf buf = { 0 };
	char *text;

	if (i >= p->insns_count)
		return -DVM_EINVAL;
	insn = &p->insns[i];
	dvmi_insn_print(p, insn, &buf);
	if (dvmi_buf_take(&buf, &text))
		return -DVM_ENOMEM;
	memset(line, 0, sizeof(*line));
	snprintf(line->text, sizeof(line->text), "%s", text);
	dvmi_free(text);
	hooks_of(p, (int)i, line->hook, sizeof(line->hook));
	for (unsigned l = 0; l < p->labels_count; l++)
		if (p->labels[l].insn == i && !line->label[0])
			snprintf(line->label, sizeof(line->label), "%s", p->labels[l].name);
	line->line = insn->line;
	line->target = dvmi_op_is_branch(insn->op) ? insn->target : -1;
	line->pure = dvmi_op_is_computed(insn->op);
	return 0;
}

struct dvm_strategy_builder *dvm_strategy_builder_new(const char *name)
{
	struct dvm_strategy_builder *b = dvmi_zalloc(sizeof(*b));

	if (b)
		dvmi_buf_printf(&b->text, "strategy %s\n", name);
	return b;
}

void dvm_strategy_builder_summary(struct dvm_strategy_builder *b, const char *summary)
{
	if (b)
		dvmi_buf_printf(&b->text, "summary \"%s\"\n", summary);
}

void dvm_strategy_builder_source(struct dvm_strategy_builder *b, const char *source)
{
	if (b)
		dvmi_buf_printf(&b->text, "source \"%s\"\n", source);
}

void dvm_strategy_builder_const(struct dvm_strategy_builder *b, const char *name, uint64_t value)
{
	if (b)
		dvmi_buf_printf(&b->text, "const %s = %" PRIu64 "\n", name, value);
}

void dvm_strategy_builder_word(struct dvm_strategy_builder *b, const char *name, uint64_t init)
{
	if (b)
		dvmi_buf_printf(&b->text, "word %s = %" PRIu64 "\n", name, init);
}

void dvm_strategy_builder_mask(struct dvm_strategy_builder *b, const char *name, bool all)
{
	if (b)
		dvmi_buf_printf(&b->text, "mask %s = %s\n", name, all ? "all" : "none");
}

void dvm_strategy_builder_hook(struct dvm_strategy_builder *b, const char *hook)
{
	if (b)
		dvmi_buf_printf(&b->text, "on %s:\n", hook);
}

void dvm_strategy_builder_label(struct dvm_strategy_builder *b, const char *label)
{
	if (b)
		dvmi_buf_printf(&b->text, "%s:\n", label);
}

void dvm_strategy_builder_emit(struct dvm_strategy_builder *b, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	if (!b)
		return;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* An instruction never needs that much; a cut one must not pass for another. */
	if (len < 0 || (size_t)len >= sizeof(line))
		snprintf(line, sizeof(line), "(instruction longer than %zu bytes)", sizeof(line));
	dvmi_buf_printf(&b->text, "\t%s\n", line);
}

int dvm_strategy_builder_finish(struct dvm_strategy_builder *b, struct dvm_strategy **s,
				struct dvm_error *err)
{
	char *text = NULL;
	int rc;

	if (!b)
		return dvmi_error_nomem(err);
	rc = dvmi_buf_take(&b->text, &text);
	if (rc)
		rc = dvmi_error_nomem(err);
	else if (s)
		rc = dvm_strategy_parse(text, "built strategy", s, err);
	dvmi_free(text);
	dvmi_buf_fini(&b->text);
	dvmi_free(b);
	return rc;
}
