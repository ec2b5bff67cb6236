/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_LINE "dvmsim-trace-text 1\n"
#define RECORDS_LINE "records\n"

static void print_flags(struct dvmi_buf *out, unsigned flags)
{
	const char *sep = " flags=";

	for (unsigned bit = 0; flags >> bit; bit++) {
		if (!(flags >> bit & 1))
			continue;
		dvmi_buf_printf(out, "%s%s", sep, dvm_trace_flag_name(bit));
		sep = "+";
	}
}

static void print_record(struct dvmi_buf *out, const struct dvm_trace_record *r)
{
	dvmi_buf_printf(out, "%" PRIu64 " cpu%u %s", r->time_ns, r->cpu,
			dvm_trace_kind_name(r->kind));
	if (r->task)
		dvmi_buf_printf(out, " task=%u", r->task);
	if (r->mm)
		dvmi_buf_printf(out, " mm=%u", r->mm);
	if (r->id)
		dvmi_buf_printf(out, " id=%u", r->id);
	if (r->target)
		dvmi_buf_printf(out, " target=%u", r->target);
	if (r->op)
		dvmi_buf_printf(out, " op=%s", dvm_trace_op_name(r->op));
	if (r->request)
		dvmi_buf_printf(out, " request=%s", dvm_trace_request_name(r->request));
	if (r->va)
		dvmi_buf_printf(out, r->kind == DVM_TRACE_ACCESS_RUN ? " first=%" PRIu64 :
				" va=0x%" PRIx64, r->va);
	if (r->amount)
		dvmi_buf_printf(out, " n=%" PRIu64, r->amount);
	if (r->stride_shift)
		dvmi_buf_printf(out, " stride=%u", r->stride_shift);
	if (r->level)
		dvmi_buf_printf(out, " level=%u", r->level);
	print_flags(out, r->flags);
	dvmi_buf_puts(out, "\n");
}

int dvm_trace_print_text(const struct dvm_trace *trace, char **text, size_t *size,
			 struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };
	size_t len;

	dvmi_buf_puts(&out, MAGIC_LINE);
	dvmi_buf_puts(&out, trace->header.text);
	dvmi_buf_puts(&out, RECORDS_LINE);
	for (size_t i = 0; i < trace->nrecords && !out.failed; i++)
		print_record(&out, &trace->records[i]);
	dvmi_buf_puts(&out, "accesses\n");
	for (size_t i = 0; i < trace->naccesses && !out.failed; i++) {
		uint64_t a = trace->accesses[i];

		dvmi_buf_printf(&out, "0x%" PRIx64 " %s%s\n", a & DVM_TRACE_ACCESS_VA,
				a & DVM_TRACE_ACCESS_FETCH ? "f" : "",
				a & DVM_TRACE_ACCESS_WRITE ? "w" :
				a & DVM_TRACE_ACCESS_FETCH ? "" : "r");
	}
	dvmi_buf_puts(&out, "end\n");
	len = out.len;
	if (dvmi_buf_take(&out, text))
		return dvmi_error_nomem(err);
	*size = len;
	return 0;
}

void dvm_trace_text_free(char *text)
{
	dvmi_free(text);
}

/* The line being read: [p, end), number @line; @start is where it began. */
struct in {
	const char *name, *start, *p, *end, *stop;
	unsigned line;
	struct dvm_error *err;
};

static int bad(const struct in *in, const char *at, const char *what, const char *cure)
{
	return dvmi_error_at(in->err, DVM_EFORMAT, in->name, in->line,
			     (unsigned)(at - in->start) + 1, "%s%s%s%s", what,
			     cure ? "; did you mean \"" : "", cure ? cure : "", cure ? "\"?" : "");
}

/* Step to the next line; 0 at the end of the text. */
static int next_line(struct in *in)
{
	const char *nl;

	if (in->start)
		in->p = in->end < in->stop ? in->end + 1 : in->stop;
	if (in->p >= in->stop)
		return 0;
	nl = memchr(in->p, '\n', (size_t)(in->stop - in->p));
	in->start = in->p;
	in->end = nl ? nl : in->stop;
	in->line++;
	return 1;
}

/* The next word of the line, copied; its length, 0 at the end, or -1 when it is too long. */
static int next_word(struct in *in, char *word, size_t size)
{
	const char *p;
	size_t n;

	while (in->p < in->end && *in->p == ' ')
		in->p++;
	for (p = in->p; p < in->end && *p != ' '; p++)
		;
	n = (size_t)(p - in->p);
	if (n >= size || memchr(in->p, '\0', n))
		return -1;
	memcpy(word, in->p, n);
	word[n] = '\0';
	in->p = p;
	return (int)n;
}

/* Decimal, or hexadecimal after 0x; nothing else. */
static int parse_number(const char *s, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	*out = strtoull(s, &end, s[1] == 'x' ? 16 : 10);
	return errno || *end ? -1 : 0;
}

static const char *nth_flag(const void *arg, size_t i)
{
	(void)arg;
	return dvm_trace_flag_name((unsigned)i);
}

static const char *nth_name(const void *arg, size_t i)
{
	const char *(*name)(unsigned) = *(const char *(*const *)(unsigned))arg;
	const char *s;

	/* kinds begin at 1; suggestions need no hole */
	if (name == dvm_trace_kind_name)
		i++;
	s = name((unsigned)i);
	return s;
}

static int parse_name(struct in *in, const char *at, const char *word,
		      const char *(*name)(unsigned), unsigned first, unsigned end, uint8_t *out)
{
	for (unsigned i = first; i < end; i++)
		if (!strcmp(name(i), word)) {
			*out = (uint8_t)i;
			return 0;
		}
	return bad(in, at, "unknown name", dvmi_suggest(word, nth_name, &name));
}

static int parse_flags(struct in *in, const char *at, char *word, uint16_t *out)
{
	for (char *s = word, *plus; s; s = plus) {
		unsigned bit = 0;

		plus = strchr(s, '+');
		if (plus)
			*plus++ = '\0';
		while (dvm_trace_flag_name(bit) && strcmp(dvm_trace_flag_name(bit), s) != 0)
			bit++;
		if (!dvm_trace_flag_name(bit))
			return bad(in, at, "unknown flag", dvmi_suggest(s, nth_flag, NULL));
		*out = (uint16_t)(*out | 1u << bit);
	}
	return 0;
}

enum { K_TASK, K_MM, K_ID, K_TARGET, K_VA, K_FIRST, K_N, K_STRIDE, K_LEVEL, K_NUMBERS,
       K_OP = K_NUMBERS, K_REQUEST, K_FLAGS, K_KEYS };
static const char *const keys[] = { "task", "mm", "id", "target", "va", "first", "n", "stride",
				    "level", "op", "request", "flags" };
static const uint64_t limits[K_NUMBERS] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT16_MAX,
					    UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT8_MAX,
					    UINT8_MAX };

static const char *nth_key(const void *arg, size_t i)
{
	(void)arg;
	return i < K_KEYS ? keys[i] : NULL;
}

static void set_number(struct dvm_trace_record *r, int key, uint64_t v)
{
	switch (key) {
	case K_TASK: r->task = (uint32_t)v; break;
	case K_MM: r->mm = (uint32_t)v; break;
	case K_ID: r->id = (uint32_t)v; break;
	case K_TARGET: r->target = (uint16_t)v; break;
	case K_VA:
	case K_FIRST: r->va = v; break;
	case K_N: r->amount = v; break;
	case K_STRIDE: r->stride_shift = (uint8_t)v; break;
	default: r->level = (uint8_t)v; break;
	}
}

static int parse_field(struct in *in, const char *at, char *word, struct dvm_trace_record *r,
		       unsigned *seen)
{
	char *value = strchr(word, '=');
	uint64_t v;
	int key = 0;

	if (!value)
		return bad(in, at, "expected KEY=VALUE", NULL);
	*value++ = '\0';
	while (key < K_KEYS && strcmp(keys[key], word) != 0)
		key++;
	if (key == K_KEYS)
		return bad(in, at, "unknown key", dvmi_suggest(word, nth_key, NULL));
	if (*seen >> key & 1)
		return bad(in, at, "key given twice", NULL);
	*seen |= 1u << key;
	if (key == K_OP)
		return parse_name(in, at, value, dvm_trace_op_name, 0, DVM_TRACE_OPS, &r->op);
	if (key == K_REQUEST)
		return parse_name(in, at, value, dvm_trace_request_name, 0, DVM_TRACE_REQUESTS,
				  &r->request);
	if (key == K_FLAGS)
		return parse_flags(in, at, value, &r->flags);
	if (parse_number(value, &v) || v > limits[key])
		return bad(in, at, "not a number, or too large for this key", NULL);
	set_number(r, key, v);
	return 0;
}

static int parse_record(struct in *in, struct dvm_trace *trace)
{
	struct dvm_trace_record r = { 0 };
	char word[160];
	uint64_t v;
	unsigned seen = 0;
	const char *at = in->p, *what;
	int n = next_word(in, word, sizeof(word)), ret;

	if (n <= 0 || parse_number(word, &r.time_ns))
		return bad(in, at, "expected a time in nanoseconds, 'accesses' or 'end'", NULL);
	at = in->p;
	n = next_word(in, word, sizeof(word));
	if (n <= 3 || strncmp(word, "cpu", 3) != 0 || parse_number(word + 3, &v) || v > UINT16_MAX)
		return bad(in, at, "expected cpuN", NULL);
	r.cpu = (uint16_t)v;
	at = in->p;
	if (next_word(in, word, sizeof(word)) <= 0)
		return bad(in, at, "expected the kind of the record", NULL);
	ret = parse_name(in, at, word, dvm_trace_kind_name, 1, DVM_TRACE_KINDS, &r.kind);
	while (!ret) {
		at = in->p;
		n = next_word(in, word, sizeof(word));
		if (n < 0)
			return bad(in, at, "word too long", NULL);
		if (!n)
			break;
		ret = parse_field(in, at, word, &r, &seen);
	}
	if (ret)
		return ret;
	/* Accesses follow the records, so ranges of them are checked at the end. */
	what = dvmi_trace_record_check(&r, &trace->header.env, UINT64_MAX);
	if (what)
		return bad(in, in->start, what, NULL);
	return dvmi_trace_push(trace, &r, 1, in->err);
}

static int parse_access(struct in *in, struct dvm_trace *trace)
{
	static const struct { const char *name; uint64_t bits; } types[] = {
		{ "r", 0 }, { "w", DVM_TRACE_ACCESS_WRITE }, { "f", DVM_TRACE_ACCESS_FETCH },
		{ "fw", DVM_TRACE_ACCESS_FETCH | DVM_TRACE_ACCESS_WRITE },
	};
	char va[32], type[8], more[2];
	uint64_t v;

	if (next_word(in, va, sizeof(va)) <= 0 || parse_number(va, &v) || v > DVM_TRACE_ACCESS_VA)
		return bad(in, in->start, "expected a 48-bit address, or 'end'", NULL);
	if (next_word(in, type, sizeof(type)) <= 0 || next_word(in, more, sizeof(more)) != 0)
		return bad(in, in->p, "expected one of r, w, f, fw", NULL);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, type)) {
			v |= types[i].bits;
			return dvmi_trace_push_accesses(trace, &v, 1, in->err);
		}
	return bad(in, in->p, "expected one of r, w, f, fw", NULL);
}

static int is_line(const struct in *in, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(in->end - in->start) == n && !memcmp(in->start, word, n);
}

/* The header runs up to the line "records"; its text can not hold such a line. */
static int parse_header(struct in *in, struct dvm_trace **trace)
{
	const char *begin;
	unsigned line;
	char *json;
	int ret;

	if (!next_line(in) || !is_line(in, "dvmsim-trace-text 1"))
		return dvmi_error_at(in->err, DVM_EFORMAT, in->name, 1, 1,
				     "not a text trace: the first line must be "
				     "'dvmsim-trace-text 1'");
	begin = in->end < in->stop ? in->end + 1 : in->stop;
	line = in->line;
	do {
		if (!next_line(in))
			return bad(in, in->start, "no line 'records' after the header", NULL);
	} while (!is_line(in, "records"));
	if (memchr(begin, '\0', (size_t)(in->start - begin)))
		return bad(in, in->start, "a zero byte in the header", NULL);
	json = dvmi_alloc((size_t)(in->start - begin) + 1);
	if (!json)
		return dvmi_error_nomem(in->err);
	memcpy(json, begin, (size_t)(in->start - begin));
	json[in->start - begin] = '\0';
	ret = dvm_trace_new(json, trace, in->err);
	dvmi_free(json);
	if (ret && in->err && ret != -DVM_ENOMEM) {
		snprintf(in->err->where, sizeof(in->err->where), "%s", in->name);
		in->err->line += line;
	}
	return ret;
}

static int check_access_runs(const struct in *in, const struct dvm_trace *trace)
{
	for (size_t i = 0; i < trace->nrecords; i++) {
		const char *what = dvmi_trace_record_check(&trace->records[i], &trace->header.env,
							   trace->naccesses);

		if (what)
			return dvmi_error_record(in->err, DVM_EFORMAT, in->name, i, "%s", what);
	}
	return 0;
}

static int parse_body(struct in *in, struct dvm_trace *trace)
{
	int accesses = 0, ret = 0;

	while (!ret) {
		if (!next_line(in))
			return bad(in, in->start, "the text ends without 'end'", NULL);
		if (is_line(in, "end"))
			break;
		if (in->start == in->end || *in->start == '#')
			continue;
		if (!accesses && is_line(in, "accesses"))
			accesses = 1;
		else
			ret = accesses ? parse_access(in, trace) : parse_record(in, trace);
	}
	if (!ret && next_line(in))
		ret = bad(in, in->start, "something follows 'end'", NULL);
	return ret ? ret : check_access_runs(in, trace);
}

int dvm_trace_parse_text(const char *name, const char *text, size_t size, struct dvm_trace **trace,
			 struct dvm_error *err)
{
	struct in in = { .name = name, .p = text, .stop = text + size, .err = err };
	struct dvm_trace *t = NULL;
	int ret = parse_header(&in, &t);

	if (!ret)
		ret = parse_body(&in, t);
	if (ret)
		dvm_trace_free(t);
	else
		*trace = t;
	return ret;
}
