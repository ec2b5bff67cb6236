/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <cjson/cJSON.h>
#include <string.h>

#define WHERE "trace header"

/* The keys, in canonical order. PAIRS is a list of { "what", "filled" } objects. */
enum type { STRING, NUMBER, STRINGS, FEATURES, PAIRS };

static const struct key {
	const char *name;
	enum type type;
	int required;
} keys[] = {
	{ "format", STRING, 1 },   { "source", STRING, 1 },	  { "kernel", STRING, 0 },
	{ "machine", STRING, 0 },  { "command", STRING, 0 },	  { "window", STRING, 0 },
	{ "ncpus", NUMBER, 1 },	   { "page_bytes", NUMBER, 1 },	  { "va_bits", NUMBER, 1 },
	{ "features", FEATURES, 0 }, { "clock", STRING, 0 },	  { "recorded", STRINGS, 0 },
	{ "not_recorded", PAIRS, 0 }, { "marks", STRINGS, 0 },	  { "import", STRINGS, 0 },
	{ "recipe", STRING, 0 },
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static const char *const features[] = { "tlbi_range", "kpti", "cnp", "repeat_tlbi" };
#define NFEATURES (sizeof(features) / sizeof(features[0]))

static const char *next_key(const void *arg, size_t i)
{
	(void)arg;
	return i < NKEYS ? keys[i].name : NULL;
}

static const char *next_feature(const void *arg, size_t i)
{
	(void)arg;
	return i < NFEATURES ? features[i] : NULL;
}

static int bad(struct dvm_error *err, const char *key, const char *what)
{
	return dvmi_error(err, DVM_EFORMAT, WHERE, "/%s: %s", key, what);
}

static int unknown_key(struct dvm_error *err, const char *prefix, const char *key,
		       const char *(*next)(const void *, size_t))
{
	const char *near = dvmi_suggest(key, next, NULL);

	return dvmi_error(err, DVM_EFORMAT, WHERE, "/%s%.100s: unknown key%s%s%s", prefix, key,
			  near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static int check_features(const cJSON *object, struct dvm_error *err)
{
	const cJSON *item;

	if (!cJSON_IsObject(object))
		return bad(err, "features", "must be an object");
	cJSON_ArrayForEach(item, object) {
		size_t i = 0;

		while (i < NFEATURES && strcmp(features[i], item->string) != 0)
			i++;
		if (i == NFEATURES)
			return unknown_key(err, "features/", item->string, next_feature);
		if (!cJSON_IsBool(item))
			return bad(err, "features", "values must be true or false");
	}
	return 0;
}

static int check_pairs(const cJSON *array, const char *name, struct dvm_error *err)
{
	const cJSON *item;

	if (!cJSON_IsArray(array))
		return bad(err, name, "must be a list");
	cJSON_ArrayForEach(item, array) {
		const cJSON *what = cJSON_GetObjectItemCaseSensitive(item, "what");
		const cJSON *filled = cJSON_GetObjectItemCaseSensitive(item, "filled");

		if (cJSON_GetArraySize(item) != 2 || !cJSON_IsString(what) ||
		    !cJSON_IsString(filled))
			return bad(err, name,
				   "items must be objects of two texts, \"what\" and \"filled\"");
	}
	return 0;
}

static int check_strings(const cJSON *array, const char *name, struct dvm_error *err)
{
	const cJSON *item;

	if (!cJSON_IsArray(array))
		return bad(err, name, "must be a list");
	cJSON_ArrayForEach(item, array)
		if (!cJSON_IsString(item))
			return bad(err, name, "items must be texts");
	return 0;
}

static int check_value(const struct key *key, const cJSON *item, struct dvm_error *err)
{
	switch (key->type) {
	case STRING:
		return cJSON_IsString(item) ? 0 : bad(err, key->name, "must be a text");
	case NUMBER:
		return cJSON_IsNumber(item) ? 0 : bad(err, key->name, "must be a number");
	case STRINGS:
		return check_strings(item, key->name, err);
	case FEATURES:
		return check_features(item, err);
	default:
		return check_pairs(item, key->name, err);
	}
}

static int check_keys(const cJSON *root, struct dvm_error *err)
{
	const cJSON *item;
	int ret;

	if (!cJSON_IsObject(root))
		return dvmi_error(err, DVM_EFORMAT, WHERE, "must be one JSON object");
	cJSON_ArrayForEach(item, root) {
		const struct key *key = find_key(item->string);

		if (!key)
			return unknown_key(err, "", item->string, next_key);
		ret = check_value(key, item, err);
		if (ret)
			return ret;
	}
	for (size_t i = 0; i < NKEYS; i++)
		if (keys[i].required && !cJSON_GetObjectItemCaseSensitive(root, keys[i].name))
			return bad(err, keys[i].name, "is missing");
	return 0;
}

static int get_number(const cJSON *root, const char *name, uint32_t min, uint32_t max,
		      uint32_t *out, struct dvm_error *err)
{
	double v = cJSON_GetObjectItemCaseSensitive(root, name)->valuedouble;

	if (!(v >= min && v <= max) || v != (double)(uint32_t)v)
		return dvmi_error(err, DVM_EFORMAT, WHERE,
				  "/%s: must be a whole number from %u to %u", name, min, max);
	*out = (uint32_t)v;
	return 0;
}

static int get_env(const cJSON *root, struct dvm_trace_env *env, struct dvm_error *err)
{
	const cJSON *f = cJSON_GetObjectItemCaseSensitive(root, "features");
	int ret = get_number(root, "ncpus", 1, DVM_TRACE_MAX_CPUS, &env->ncpus, err);

	if (!ret)
		ret = get_number(root, "page_bytes", 4096, 65536, &env->page_bytes, err);
	if (!ret)
		ret = get_number(root, "va_bits", 36, 52, &env->va_bits, err);
	if (ret)
		return ret;
	if (env->page_bytes != 4096 && env->page_bytes != 16384 && env->page_bytes != 65536)
		return bad(err, "page_bytes", "must be 4096, 16384 or 65536");
	env->tlbi_range = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(f, features[0]));
	env->kpti = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(f, features[1]));
	env->cnp = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(f, features[2]));
	env->repeat_tlbi = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(f, features[3]));
	return 0;
}

/* Names of work marks become names in results: lower case, digits, '_' and '-'. */
static int check_mark(const cJSON *marks, const cJSON *item, struct dvm_error *err)
{
	const cJSON *other;
	size_t len = strlen(item->valuestring);

	if (!len || len > 63 ||
	    strspn(item->valuestring, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return bad(err, "marks", "a name has 1 to 63 of a-z, 0-9, '_' and '-'");
	cJSON_ArrayForEach(other, marks)
		if (other == item)
			return 0;
		else if (!strcmp(other->valuestring, item->valuestring))
			return bad(err, "marks", "a name is given twice");
	return 0;
}

static int get_marks(const cJSON *root, struct dvmi_trace_header *header, struct dvm_error *err)
{
	const cJSON *marks = cJSON_GetObjectItemCaseSensitive(root, "marks"), *item;
	int n = cJSON_GetArraySize(marks), ret;

	if (n > (int)DVM_TRACE_MAX_MARKS)
		return dvmi_error(err, DVM_ELIMIT, WHERE, "/marks: more than %u",
				  DVM_TRACE_MAX_MARKS);
	header->marks = dvmi_calloc((size_t)n, sizeof(char *));
	if (!header->marks)
		return dvmi_error_nomem(err);
	cJSON_ArrayForEach(item, marks) {
		ret = check_mark(marks, item, err);
		if (ret)
			return ret;
		header->marks[header->env.nmarks] = dvmi_strdup(item->valuestring);
		if (!header->marks[header->env.nmarks])
			return dvmi_error_nomem(err);
		header->env.nmarks++;
	}
	return 0;
}

static void put_string(struct dvmi_buf *out, const char *s)
{
	dvmi_buf_puts(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			dvmi_buf_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			dvmi_buf_printf(out, "\\u%04x", (unsigned)*s);
		else
			dvmi_buf_add(out, s, 1);
	}
	dvmi_buf_puts(out, "\"");
}

static void put_list(struct dvmi_buf *out, const cJSON *array)
{
	const cJSON *item;

	dvmi_buf_puts(out, "[");
	cJSON_ArrayForEach(item, array) {
		dvmi_buf_puts(out, item == array->child ? "\n    " : ",\n    ");
		if (cJSON_IsString(item)) {
			put_string(out, item->valuestring);
			continue;
		}
		dvmi_buf_puts(out, "{ \"what\": ");
		put_string(out, cJSON_GetObjectItemCaseSensitive(item, "what")->valuestring);
		dvmi_buf_puts(out, ",\n      \"filled\": ");
		put_string(out, cJSON_GetObjectItemCaseSensitive(item, "filled")->valuestring);
		dvmi_buf_puts(out, " }");
	}
	dvmi_buf_puts(out, array->child ? "\n  ]" : "]");
}

static void put_features(struct dvmi_buf *out, const cJSON *object)
{
	const char *sep = "{ ";

	for (size_t i = 0; i < NFEATURES; i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, features[i]);

		if (!item)
			continue;
		dvmi_buf_printf(out, "%s\"%s\": %s", sep, features[i],
				cJSON_IsTrue(item) ? "true" : "false");
		sep = ", ";
	}
	dvmi_buf_puts(out, sep[0] == '{' ? "{}" : " }");
}

static int put_header(const cJSON *root, char **text, struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };
	const char *sep = "{\n  ";

	for (size_t i = 0; i < NKEYS; i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, keys[i].name);

		if (!item)
			continue;
		dvmi_buf_printf(&out, "%s\"%s\": ", sep, keys[i].name);
		sep = ",\n  ";
		if (keys[i].type == STRING)
			put_string(&out, item->valuestring);
		else if (keys[i].type == NUMBER)
			dvmi_buf_printf(&out, "%u", (unsigned)item->valuedouble);
		else if (keys[i].type == FEATURES)
			put_features(&out, item);
		else
			put_list(&out, item);
	}
	dvmi_buf_puts(&out, "\n}\n");
	return dvmi_buf_take(&out, text) ? dvmi_error_nomem(err) : 0;
}

static int read_header(const cJSON *root, struct dvmi_trace_header *header, struct dvm_error *err)
{
	int ret = check_keys(root, err);

	if (ret)
		return ret;
	if (strcmp(cJSON_GetObjectItemCaseSensitive(root, "format")->valuestring,
		   "dvmsim.trace/1") != 0)
		return bad(err, "format", "must be \"dvmsim.trace/1\"");
	ret = get_env(root, &header->env, err);
	if (!ret)
		ret = get_marks(root, header, err);
	return ret ? ret : put_header(root, &header->text, err);
}

int dvmi_trace_header_parse(const char *json, struct dvmi_trace_header *header,
			    struct dvm_error *err)
{
	struct dvmi_trace_header h = { 0 };
	size_t size = strlen(json);
	struct dvmi_json *doc;
	int ret;

	if (size > DVM_TRACE_MAX_HEADER_BYTES)
		return dvmi_error(err, DVM_ELIMIT, WHERE, "larger than %u bytes",
				  DVM_TRACE_MAX_HEADER_BYTES);
	ret = dvmi_json_parse(WHERE, json, size, &doc, err);
	if (ret)
		return ret;
	ret = read_header(dvmi_json_root(doc).node, &h, err);
	dvmi_json_free(doc);
	if (ret)
		dvmi_trace_header_fini(&h);
	else
		*header = h;
	return ret;
}

void dvmi_trace_header_fini(struct dvmi_trace_header *header)
{
	for (uint32_t i = 0; i < header->env.nmarks; i++)
		dvmi_free(header->marks[i]);
	dvmi_free(header->marks);
	dvmi_free(header->text);
	*header = (struct dvmi_trace_header){ 0 };
}
