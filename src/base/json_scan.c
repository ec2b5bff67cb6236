/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include "base/json.h"

#include <string.h>

/* cJSON copies a number into 64 bytes and would cut a longer one in two. */
#define NUMBER_MAX 60

struct scan {
	const char *name, *text;
	size_t size, pos;
	struct dvm_error *err;
};

static int fail_at(const struct scan *s, size_t pos, int code, const char *text)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < pos; i++) {
		column = s->text[i] == '\n' ? 1 : column + 1;
		line += s->text[i] == '\n';
	}
	return dvmi_error_at(s->err, code, s->name, line, column, "%s", text);
}

static int fail(const struct scan *s, const char *text)
{
	return fail_at(s, s->pos, DVM_EFORMAT, text);
}

/* The next byte, or -1 at the end. */
static int peek(const struct scan *s)
{
	return s->pos < s->size ? (unsigned char)s->text[s->pos] : -1;
}

static void skip_space(struct scan *s)
{
	int c = peek(s);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		s->pos++;
		c = peek(s);
	}
}

static bool digit(int c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(struct scan *s)
{
	size_t start = s->pos;

	while (digit(peek(s)))
		s->pos++;
	return s->pos - start;
}

/* A plain integer is read exactly, or refused; a fraction or an exponent asks for a double. */
static int check_integer(const struct scan *s, size_t start, size_t first)
{
	uint64_t n = 0;

	for (size_t i = first; i < s->pos; i++) {
		n = n * 10 + (uint64_t)(s->text[i] - '0');
		if (n > (uint64_t)DVMI_JSON_INT_MAX)
			return fail_at(s, start, DVM_EFORMAT,
				       "an integer beyond 2^53 would be rounded; write it as text");
	}
	return 0;
}

static int number(struct scan *s)
{
	size_t start = s->pos, first;
	bool plain = true;

	if (peek(s) == '-')
		s->pos++;
	first = s->pos;
	if (!digits(s))
		return fail(s, "a digit was expected");
	if (s->text[first] == '0' && s->pos - first > 1)
		return fail_at(s, first, DVM_EFORMAT, "a number does not begin with 0");
	if (peek(s) == '.') {
		plain = false;
		s->pos++;
		if (!digits(s))
			return fail(s, "a digit was expected after the point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		plain = false;
		s->pos++;
		if (peek(s) == '+' || peek(s) == '-')
			s->pos++;
		if (!digits(s))
			return fail(s, "a digit was expected in the exponent");
	}
	if (s->pos - start > NUMBER_MAX)
		return fail_at(s, start, DVM_EFORMAT, "a number has too many digits");
	return plain ? check_integer(s, start, first) : 0;
}

static int hex4(struct scan *s, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, s->pos++) {
		static const char all[] = "0123456789abcdef0123456789ABCDEF";
		int c = peek(s);
		const char *p = c > 0 ? strchr(all, c) : NULL;

		if (!p)
			return fail(s, "\\u needs four hexadecimal digits");
		*code = *code * 16 + (unsigned)(p - all) % 16;
	}
	return 0;
}

/* After \u. Surrogates come in pairs; NUL would end the string early in C. */
static int unicode(struct scan *s)
{
	size_t start = s->pos - 2;
	unsigned code, low;
	int ret = hex4(s, &code);

	if (ret)
		return ret;
	if (!code)
		return fail_at(s, start, DVM_EFORMAT, "\\u0000 is not allowed in a string");
	if (code >= 0xdc00 && code <= 0xdfff)
		return fail_at(s, start, DVM_EFORMAT, "half of a surrogate pair");
	if (code < 0xd800 || code > 0xdbff)
		return 0;
	if (s->size - s->pos < 2 || s->text[s->pos] != '\\' || s->text[s->pos + 1] != 'u')
		return fail_at(s, start, DVM_EFORMAT, "half of a surrogate pair");
	s->pos += 2;
	ret = hex4(s, &low);
	if (!ret && (low < 0xdc00 || low > 0xdfff))
		ret = fail_at(s, start, DVM_EFORMAT, "half of a surrogate pair");
	return ret;
}

/* One UTF-8 sequence of more than one byte: no overlong form, no surrogate, at most U+10FFFF. */
static int utf8(struct scan *s)
{
	unsigned c = (unsigned char)s->text[s->pos];
	unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	unsigned low = 0x80, high = 0xbf;

	if (c < 0xc2 || c > 0xf4)
		return fail(s, "not UTF-8");
	low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
	high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
	s->pos++;
	while (more--) {
		int next = peek(s);

		if (next < (int)low || next > (int)high)
			return fail(s, "not UTF-8");
		low = 0x80;
		high = 0xbf;
		s->pos++;
	}
	return 0;
}

static int escape(struct scan *s)
{
	int c;

	s->pos++;
	c = peek(s);
	if (c <= 0 || !strchr("\"\\/bfnrtu", c))
		return fail(s, "no such escape in a string");
	s->pos++;
	return c == 'u' ? unicode(s) : 0;
}

static int string(struct scan *s)
{
	size_t start = s->pos++;
	int ret = 0;

	while (!ret) {
		int c = peek(s);

		if (c < 0)
			return fail_at(s, start, DVM_EFORMAT, "the string does not end");
		if (c == '"')
			break;
		if (c < 0x20)
			return fail(s, "a control character in a string; write it as an escape");
		if (c == '\\')
			ret = escape(s);
		else if (c >= 0x80)
			ret = utf8(s);
		else
			s->pos++;
	}
	if (!ret)
		s->pos++;
	return ret;
}

static int literal(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if (s->size - s->pos < len || memcmp(s->text + s->pos, word, len) != 0)
		return fail(s, "a value was expected: an object, an array, a string, a number, "
			       "true, false or null");
	s->pos += len;
	return 0;
}

static int scalar(struct scan *s)
{
	switch (peek(s)) {
	case '"':
		return string(s);
	case 't':
		return literal(s, "true");
	case 'f':
		return literal(s, "false");
	case 'n':
		return literal(s, "null");
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return number(s);
	default:
		return literal(s, "a value"); /* always fails */
	}
}

static int key(struct scan *s)
{
	int ret;

	skip_space(s);
	if (peek(s) != '"')
		return fail(s, "a key in quotes was expected");
	ret = string(s);
	if (ret)
		return ret;
	skip_space(s);
	if (peek(s) != ':')
		return fail(s, "':' was expected after the key");
	s->pos++;
	return 0;
}

/* Without recursion: open[] holds the closing brackets still owed. */
static int value(struct scan *s)
{
	char open[DVMI_JSON_DEPTH];
	unsigned depth = 0;
	int ret, c;

	for (;;) {
		skip_space(s);
		c = peek(s);
		if (c == '{' || c == '[') {
			if (depth == DVMI_JSON_DEPTH)
				return fail_at(s, s->pos, DVM_ELIMIT, "nested too deeply");
			open[depth++] = c == '{' ? '}' : ']';
			s->pos++;
			skip_space(s);
			if (peek(s) != open[depth - 1]) {
				ret = c == '{' ? key(s) : 0;
				if (ret)
					return ret;
				continue;
			}
			depth--;
			s->pos++;
		} else {
			ret = scalar(s);
			if (ret)
				return ret;
		}
		/* A value has ended: close what ends with it, or go on after a comma. */
		for (;;) {
			if (!depth)
				return 0;
			skip_space(s);
			c = peek(s);
			if (c == ',')
				break;
			if (c != open[depth - 1])
				return fail(s, open[depth - 1] == '}' ? "',' or '}' was expected" :
								       "',' or ']' was expected");
			depth--;
			s->pos++;
		}
		s->pos++;
		if (open[depth - 1] == '}') {
			ret = key(s);
			if (ret)
				return ret;
		}
	}
}

int dvmi_json_scan(const char *name, const char *text, size_t size, struct dvm_error *err)
{
	struct scan s = { .name = name, .text = text, .size = size, .err = err };
	int ret = value(&s);

	if (ret)
		return ret;
	skip_space(&s);
	return s.pos == s.size ? 0 : fail(&s, "text after the end of the document");
}
