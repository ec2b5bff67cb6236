/* SPDX-License-Identifier: MIT */
/* A strategy with other values of its parameters: its text is rewritten and read again. */
#include "program/strategy.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "program/parse.h"

#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789abcdefABCDEFxX"

/* A piece of the settings: "T=8". */
struct setting {
	const char *name, *value;
	size_t name_len, value_len;
};

static int next_setting(const char **at, struct setting *out, const char *all,
			struct dvm_error *err)
{
	size_t len = strcspn(*at, ","), equals = strcspn(*at, "=");

	*out = (struct setting){ *at, *at + equals + 1, equals, len - equals - 1 };
	if (equals >= len || !equals || strspn(out->value, DIGITS) != out->value_len ||
	    !out->value_len)
		return dvmi_error(err, DVM_EINVAL, all, "parameters of a strategy are written"
				  " NAME=NUMBER[,NAME=NUMBER]...");
	*at += len + ((*at)[len] == ',');
	return 0;
}

static const struct dvmi_const *find_param(const struct dvmi_program *p, const struct setting *s)
{
	for (unsigned i = 0; i < p->consts_count; i++)
		if (p->consts[i].param && strlen(p->consts[i].name) == s->name_len &&
		    !memcmp(p->consts[i].name, s->name, s->name_len))
			return &p->consts[i];
	return NULL;
}

static int no_param(const struct dvmi_program *p, const struct setting *s, struct dvm_error *err)
{
	struct dvmi_buf list = { 0 };
	int ret;

	for (unsigned i = 0; i < p->consts_count; i++)
		if (p->consts[i].param)
			dvmi_buf_printf(&list, "%s%s", list.len ? ", " : "", p->consts[i].name);
	ret = dvmi_error(err, DVM_EINVAL, p->name, "has no parameter '%.*s'; %s%s", (int)s->name_len,
			 s->name, list.len ? "it has " : "it has none ('param NAME = NUMBER')",
			 list.len ? list.data : "");
	dvmi_buf_fini(&list);
	return ret;
}

/* Replace @len bytes at @at of *@text. */
static int splice(char **text, size_t at, size_t len, const char *with, size_t with_len)
{
	size_t rest = strlen(*text + at + len) + 1;
	char *made = dvmi_alloc(at + with_len + rest);

	if (!made)
		return -DVM_ENOMEM;
	memcpy(made, *text, at);
	memcpy(made + at, with, with_len);
	memcpy(made + at + with_len, *text + at + len, rest);
	dvmi_free(*text);
	*text = made;
	return 0;
}

static size_t line_at(const char *text, unsigned line)
{
	size_t at = 0;

	while (--line)
		at += strcspn(text + at, "\n") + 1;
	return at;
}

/* No line is added or taken away, so places of the original hold. */
static int set_one(char **text, const struct dvmi_const *c, const struct setting *s)
{
	size_t at = line_at(*text, c->line);

	at += strcspn(*text + at, "=") + 1;
	at += strspn(*text + at, " \t");
	return splice(text, at, strspn(*text + at, DIGITS), s->value, s->value_len);
}

/* Its name, after the first word of the first line that is no comment. */
static size_t name_at(const char *text)
{
	size_t at = 0;

	for (;;) {
		at += strspn(text + at, " \t\r\n");
		if (text[at] != '#')
			break;
		at += strcspn(text + at, "\n");
	}
	at += strlen("strategy");
	return at + strspn(text + at, " \t");
}

/* strategy NAME -> strategy NAME-T8; when that is too long: NAME- and a hash of the settings. */
static int rename_it(char **text, const struct dvmi_program *p, const char *settings)
{
	char name[4 * DVMI_NAME];
	size_t at = name_at(*text), used;

	used = (size_t)snprintf(name, sizeof(name), "%s-", p->name);
	for (const char *s = settings; *s && used < sizeof(name) - 1; s++)
		if (*s != '=')
			name[used++] = *s == ',' ? '-' : *s;
	name[used] = '\0';
	if (used >= DVMI_NAME)
		snprintf(name, sizeof(name), "%.*s-%08x", DVMI_NAME - 10, p->name,
			 (unsigned)dvmi_hash_bytes(DVMI_HASH_INIT, settings, strlen(settings)));
	return splice(text, at, strlen(p->name), name, strlen(name));
}

int dvm_strategy_set(const struct dvm_strategy *s, const char *settings, struct dvm_strategy **set,
		     struct dvm_error *err)
{
	const struct dvmi_program *p = dvmi_strategy_program(s);
	char *text = dvmi_strdup(p->text);
	const char *at = settings;
	int ret = text ? 0 : dvmi_error_nomem(err);

	do {
		const struct dvmi_const *c;
		struct setting one;

		if (!ret)
			ret = next_setting(&at, &one, settings, err);
		if (ret)
			break;
		c = find_param(p, &one);
		ret = c ? set_one(&text, c, &one) : no_param(p, &one, err);
		if (ret == -DVM_ENOMEM)
			dvmi_error_nomem(err);
	} while (!ret && *at);
	if (!ret && rename_it(&text, p, settings))
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = dvm_strategy_parse(text, p->name, set, err);
	dvmi_free(text);
	return ret;
}

int dvm_strategy_find(const char *name, const char *dir, struct dvm_strategy **s,
		      struct dvm_error *err)
{
	const char *equals = strchr(name, '='), *colon = equals;
	struct dvm_strategy *plain;
	struct dvmi_buf path = { 0 };
	size_t len;
	int ret;

	while (colon && colon > name && *colon != ':')
		colon--;
	len = colon && *colon == ':' ? (size_t)(colon - name) : strlen(name);
	if (memchr(name, '/', len) || (len > 9 && !memcmp(name + len - 9, ".strategy", 9)))
		dvmi_buf_printf(&path, "%.*s", (int)len, name);
	else
		dvmi_buf_printf(&path, "%s/%.*s.strategy", dir, (int)len, name);
	ret = path.failed ? dvmi_error_nomem(err) : dvm_strategy_load(path.data, &plain, err);
	dvmi_buf_fini(&path);
	if (ret || !name[len]) {
		if (!ret)
			*s = plain;
		return ret;
	}
	ret = dvm_strategy_set(plain, name + len + 1, s, err);
	dvm_strategy_free(plain);
	return ret;
}
