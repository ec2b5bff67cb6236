/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/file.h"
#include "base/json_scan.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dvmi_json {
	cJSON *root;
	char *name;
};

static int key_order(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* Sorting finds a key's twin in any number of keys without a quadratic walk. */
static int check_keys(const struct dvmi_json_at *at, struct dvm_error *err)
{
	size_t count = dvmi_json_count(at), n = 0;
	const cJSON **keys, *child;
	int ret = 0;

	if (count < 2)
		return 0;
	keys = dvmi_calloc(count, sizeof(const cJSON *));
	if (!keys)
		return dvmi_error_nomem(err);
	cJSON_ArrayForEach(child, at->node)
		keys[n++] = child;
	qsort(keys, count, sizeof(const cJSON *), key_order);
	for (size_t i = 1; i < count && !ret; i++) {
		if (!strcmp(keys[i - 1]->string, keys[i]->string))
			ret = dvmi_json_fail(at, err, "duplicate key \"%s\"", keys[i]->string);
	}
	dvmi_free(keys);
	return ret;
}

/* Depth is bounded by the scanner. */
static int check_tree(const struct dvmi_json_at *at, struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = 0;

	if (cJSON_IsNumber(at->node) && !isfinite(at->node->valuedouble))
		return dvmi_json_fail(at, err, "the number is too large");
	if (cJSON_IsObject(at->node))
		ret = check_keys(at, err);
	for (bool more = dvmi_json_first(at, &child); more && !ret; more = dvmi_json_next(&child))
		ret = check_tree(&child, err);
	return ret;
}

int dvmi_json_parse(const char *name, const char *text, size_t size, struct dvmi_json **doc,
		    struct dvm_error *err)
{
	int ret = dvmi_json_scan(name, text, size, err);
	struct dvmi_json *d = ret ? NULL : dvmi_zalloc(sizeof(*d));
	struct dvmi_json_at root;

	if (ret)
		return ret;
	if (!d)
		return dvmi_error_nomem(err);
	d->name = dvmi_strdup(name);
	/* The scanner has approved the text: what is left to fail is memory. */
	d->root = d->name ? cJSON_ParseWithLength(text, size) : NULL;
	if (!d->root) {
		dvmi_json_free(d);
		return dvmi_error_nomem(err);
	}
	root = dvmi_json_root(d);
	ret = check_tree(&root, err);
	if (ret)
		dvmi_json_free(d);
	else
		*doc = d;
	return ret;
}

int dvmi_json_load(const char *path, size_t max, struct dvmi_json **doc, struct dvm_error *err)
{
	char *text;
	size_t size;
	int ret = dvmi_file_load(path, max, &text, &size, err);

	if (ret)
		return ret;
	ret = dvmi_json_parse(path, text, size, doc, err);
	dvmi_free(text);
	return ret;
}

void dvmi_json_free(struct dvmi_json *doc)
{
	if (!doc)
		return;
	cJSON_Delete(doc->root);
	dvmi_free(doc->name);
	dvmi_free(doc);
}

const char *dvmi_json_name(const struct dvmi_json *doc)
{
	return doc->name;
}

struct dvmi_json_at dvmi_json_root(const struct dvmi_json *doc)
{
	return (struct dvmi_json_at){ .doc = doc, .node = doc->root };
}

enum dvmi_json_type dvmi_json_type(const struct dvmi_json_at *at)
{
	switch (at->node->type & 0xff) {
	case cJSON_False:
	case cJSON_True:
		return DVMI_JSON_BOOL;
	case cJSON_Number:
		return DVMI_JSON_NUMBER;
	case cJSON_String:
		return DVMI_JSON_STRING;
	case cJSON_Array:
		return DVMI_JSON_ARRAY;
	case cJSON_Object:
		return DVMI_JSON_OBJECT;
	default:
		return DVMI_JSON_NULL;
	}
}

/* RFC 6901: '~' and '/' of a key are spelled ~0 and ~1. */
static void add_token(char *buf, size_t size, size_t *len, const char *token)
{
	for (; *token && *len + 2 < size; token++) {
		if (*token == '~' || *token == '/') {
			buf[(*len)++] = '~';
			buf[(*len)++] = *token == '/' ? '1' : '0';
		} else {
			buf[(*len)++] = *token;
		}
	}
	buf[*len] = '\0';
}

static void pointer(const struct dvmi_json_at *at, char *buf, size_t size)
{
	const struct dvmi_json_at *chain[DVMI_JSON_DEPTH + 1];
	size_t depth = 0, len = 0;

	for (; at->parent && depth <= DVMI_JSON_DEPTH; at = at->parent)
		chain[depth++] = at;
	buf[0] = '\0';
	while (depth--) {
		char number[24];

		if (len + 2 < size)
			buf[len++] = '/';
		snprintf(number, sizeof(number), "%zu", chain[depth]->index);
		add_token(buf, size, &len, chain[depth]->key ? chain[depth]->key : number);
	}
	if (!len)
		snprintf(buf, size, "/");
}

int dvmi_json_fail(const struct dvmi_json_at *at, struct dvm_error *err, const char *fmt, ...)
{
	char where[256], path[128], text[400];
	const char *name = at->doc->name;
	size_t len = strlen(name), most = sizeof(where) - sizeof(path) - 8;
	bool cut = len > most;
	va_list ap;

	/* Of a long path the end says more than the beginning. */
	pointer(at, path, sizeof(path));
	snprintf(where, sizeof(where), "%s%s: %s", cut ? "..." : "", cut ? name + len - most : name,
		 path);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dvmi_error(err, DVM_EFORMAT, where, "%s", text);
}

bool dvmi_json_find(const struct dvmi_json_at *at, const char *key, struct dvmi_json_at *child)
{
	bool more = dvmi_json_type(at) == DVMI_JSON_OBJECT && dvmi_json_first(at, child);

	while (more && strcmp(child->key, key) != 0)
		more = dvmi_json_next(child);
	return more;
}

int dvmi_json_need(const struct dvmi_json_at *at, const char *key, struct dvmi_json_at *child,
		   struct dvm_error *err)
{
	int ret = dvmi_json_want(at, DVMI_JSON_OBJECT, err);

	if (!ret && !dvmi_json_find(at, key, child))
		ret = dvmi_json_fail(at, err, "\"%s\" is missing", key);
	return ret;
}

bool dvmi_json_first(const struct dvmi_json_at *at, struct dvmi_json_at *child)
{
	const cJSON *node = at->node->child;

	if (!node)
		return false;
	*child = (struct dvmi_json_at){ .doc = at->doc, .parent = at, .node = node,
					.key = cJSON_IsObject(at->node) ? node->string : NULL };
	return true;
}

bool dvmi_json_next(struct dvmi_json_at *child)
{
	const cJSON *node = child->node->next;

	if (!node)
		return false;
	child->node = node;
	child->key = child->key ? node->string : NULL;
	child->index++;
	return true;
}

size_t dvmi_json_count(const struct dvmi_json_at *at)
{
	size_t n = 0;

	for (const cJSON *c = at->node->child; c; c = c->next)
		n++;
	return n;
}

int dvmi_json_want(const struct dvmi_json_at *at, enum dvmi_json_type type, struct dvm_error *err)
{
	static const char *const names[] = { "null", "true or false", "a number", "a string",
					     "an array", "an object" };

	if (dvmi_json_type(at) == type)
		return 0;
	return dvmi_json_fail(at, err, "must be %s", names[type]);
}

int dvmi_json_string(const struct dvmi_json_at *at, const char **text, struct dvm_error *err)
{
	int ret = dvmi_json_want(at, DVMI_JSON_STRING, err);

	if (!ret)
		*text = at->node->valuestring;
	return ret;
}

int dvmi_json_bool(const struct dvmi_json_at *at, bool *value, struct dvm_error *err)
{
	int ret = dvmi_json_want(at, DVMI_JSON_BOOL, err);

	if (!ret)
		*value = cJSON_IsTrue(at->node);
	return ret;
}

int dvmi_json_double(const struct dvmi_json_at *at, double *value, struct dvm_error *err)
{
	int ret = dvmi_json_want(at, DVMI_JSON_NUMBER, err);

	if (!ret)
		*value = at->node->valuedouble;
	return ret;
}

int dvmi_json_u64(const struct dvmi_json_at *at, uint64_t min, uint64_t max, uint64_t *value,
		  struct dvm_error *err)
{
	double d;
	int ret = dvmi_json_double(at, &d, err);

	if (ret)
		return ret;
	if (d != floor(d) || fabs(d) > (double)DVMI_JSON_INT_MAX)
		return dvmi_json_fail(at, err, "must be a whole number");
	if (d < 0 || (uint64_t)d < min || (uint64_t)d > max)
		return dvmi_json_fail(at, err, "%.0f is outside %" PRIu64 " to %" PRIu64, d, min,
				      max);
	*value = (uint64_t)d;
	return 0;
}

int dvmi_json_i64(const struct dvmi_json_at *at, int64_t min, int64_t max, int64_t *value,
		  struct dvm_error *err)
{
	double d;
	int ret = dvmi_json_double(at, &d, err);

	if (ret)
		return ret;
	if (d != floor(d) || fabs(d) > (double)DVMI_JSON_INT_MAX)
		return dvmi_json_fail(at, err, "must be a whole number");
	if ((int64_t)d < min || (int64_t)d > max)
		return dvmi_json_fail(at, err, "%.0f is outside %" PRId64 " to %" PRId64, d, min,
				      max);
	*value = (int64_t)d;
	return 0;
}

const char *dvmi_json_mean(const char *word, const char *(*next)(const void *arg, size_t i),
			   const void *arg, char *buf, size_t size)
{
	const char *near = dvmi_suggest(word, next, arg);

	buf[0] = '\0';
	if (near)
		snprintf(buf, size, "; did you mean \"%s\"?", near);
	return buf;
}

int dvmi_json_only(const struct dvmi_json_at *at, const char *(*next)(const void *arg, size_t i),
		   const void *arg, struct dvm_error *err)
{
	struct dvmi_json_at child;
	char mean[128];

	if (dvmi_json_want(at, DVMI_JSON_OBJECT, err))
		return -DVM_EFORMAT;
	for (bool more = dvmi_json_first(at, &child); more; more = dvmi_json_next(&child)) {
		const char *key;
		size_t i = 0;

		while ((key = next(arg, i)) && strcmp(key, child.key) != 0)
			i++;
		if (!key)
			return dvmi_json_fail(&child, err, "unknown key%s",
					      dvmi_json_mean(child.key, next, arg, mean,
							     sizeof(mean)));
	}
	return 0;
}

static const char *list_item(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

int dvmi_json_only_keys(const struct dvmi_json_at *at, const char *const keys[],
			struct dvm_error *err)
{
	return dvmi_json_only(at, list_item, keys, err);
}
