/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_JSON_H
#define DVMI_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one door to JSON. cJSON builds the tree; before it does, a scanner refuses what cJSON 1.7.15
 * lets pass (integers it would round, trailing text, bad UTF-8, control characters, deep nesting)
 * and gives the line and column that cJSON does not; after it, duplicate keys and numbers that
 * overflowed are refused with their JSON pointer.
 *
 * cJSON's nodes come from malloc: routing them through dvmi_alloc would need cJSON_InitHooks, which
 * is state of the whole process and may be the host program's own.
 */
#define DVMI_JSON_DEPTH 64
#define DVMI_JSON_INT_MAX (INT64_C(1) << 53) /* beyond it a double rounds */

struct cJSON;
struct dvmi_json; /* a parsed document */

int dvmi_json_load(const char *path, size_t max, struct dvmi_json **doc, struct dvm_error *err);
/* @name stands for the file in messages. */
int dvmi_json_parse(const char *name, const char *text, size_t size, struct dvmi_json **doc,
		    struct dvm_error *err);
void dvmi_json_free(struct dvmi_json *doc);
const char *dvmi_json_name(const struct dvmi_json *doc);

/*
 * A place in a document: a cursor in the caller's frame. Its chain of parents (which must outlive
 * it) is what a message's JSON pointer is made of, so that reading needs no allocation.
 */
struct dvmi_json_at {
	const struct dvmi_json *doc;
	const struct dvmi_json_at *parent; /* NULL at the root */
	const struct cJSON *node;
	const char *key; /* in an object */
	size_t index;    /* in an array, and the position in an object */
};

enum dvmi_json_type {
	DVMI_JSON_NULL,
	DVMI_JSON_BOOL,
	DVMI_JSON_NUMBER,
	DVMI_JSON_STRING,
	DVMI_JSON_ARRAY,
	DVMI_JSON_OBJECT,
};

struct dvmi_json_at dvmi_json_root(const struct dvmi_json *doc);
enum dvmi_json_type dvmi_json_type(const struct dvmi_json_at *at);

/* Fail at a place: "file: /json/pointer: sentence". */
int dvmi_json_fail(const struct dvmi_json_at *at, struct dvm_error *err, const char *fmt, ...)
	DVMI_PRINTF(3, 4);

/* Member @key; dvmi_json_find says whether there is one, dvmi_json_need fails when there is none.
 * On anything but an object there is none. */
bool dvmi_json_find(const struct dvmi_json_at *at, const char *key, struct dvmi_json_at *child);
int dvmi_json_need(const struct dvmi_json_at *at, const char *key, struct dvmi_json_at *child,
		   struct dvm_error *err);
/* Members or elements in their order: begin, then next until it returns false. */
bool dvmi_json_first(const struct dvmi_json_at *at, struct dvmi_json_at *child);
bool dvmi_json_next(struct dvmi_json_at *child);
size_t dvmi_json_count(const struct dvmi_json_at *at);

/* Typed reading. A string is borrowed from the document. */
int dvmi_json_want(const struct dvmi_json_at *at, enum dvmi_json_type type, struct dvm_error *err);
int dvmi_json_string(const struct dvmi_json_at *at, const char **text, struct dvm_error *err);
int dvmi_json_bool(const struct dvmi_json_at *at, bool *value, struct dvm_error *err);
int dvmi_json_u64(const struct dvmi_json_at *at, uint64_t min, uint64_t max, uint64_t *value,
		  struct dvm_error *err);
int dvmi_json_i64(const struct dvmi_json_at *at, int64_t min, int64_t max, int64_t *value,
		  struct dvm_error *err);
int dvmi_json_double(const struct dvmi_json_at *at, double *value, struct dvm_error *err);
/* Refuse any member whose key is not offered by @next(arg, i) (as in dvmi_suggest). */
int dvmi_json_only(const struct dvmi_json_at *at, const char *(*next)(const void *arg, size_t i),
		   const void *arg, struct dvm_error *err);
/* The same for a list that ends with NULL. */
int dvmi_json_only_keys(const struct dvmi_json_at *at, const char *const keys[],
			struct dvm_error *err);
/* A sentence's " ; did you mean "x"?", or "". */
const char *dvmi_json_mean(const char *word, const char *(*next)(const void *arg, size_t i),
			   const void *arg, char *buf, size_t size);

/*
 * Writing: exact and the same everywhere. Integers as integers, doubles in the fewest digits that
 * read back to the same bits, tabs for indent. @key is NULL in an array. A reader of doubles rounds
 * integers beyond 2^53: write such values (hashes) with dvmi_jw_hex. Failures are remembered in buf.
 */
struct dvmi_jw {
	struct dvmi_buf buf;
	unsigned depth;
	unsigned flat; /* depth from which everything stays on one line; 0 is none */
	bool first;
};

void dvmi_jw_object(struct dvmi_jw *w, const char *key);
void dvmi_jw_array(struct dvmi_jw *w, const char *key);
/* The same, all of it on one line. */
void dvmi_jw_object_line(struct dvmi_jw *w, const char *key);
void dvmi_jw_array_line(struct dvmi_jw *w, const char *key);
void dvmi_jw_end_object(struct dvmi_jw *w);
void dvmi_jw_end_array(struct dvmi_jw *w);
void dvmi_jw_string(struct dvmi_jw *w, const char *key, const char *text);
void dvmi_jw_u64(struct dvmi_jw *w, const char *key, uint64_t value);
void dvmi_jw_i64(struct dvmi_jw *w, const char *key, int64_t value);
void dvmi_jw_double(struct dvmi_jw *w, const char *key, double value); /* null when not finite */
void dvmi_jw_hex(struct dvmi_jw *w, const char *key, uint64_t value); /* "0x0123456789abcdef" */
void dvmi_jw_bool(struct dvmi_jw *w, const char *key, bool value);
void dvmi_jw_null(struct dvmi_jw *w, const char *key);
/* A finished JSON text, as written by a dvmi_jw of its own, taken over with this one's indent. */
void dvmi_jw_raw(struct dvmi_jw *w, const char *key, const char *json);
/* End with a newline and hand over the text (dvmi_free). */
int dvmi_jw_take(struct dvmi_jw *w, char **text);
void dvmi_jw_fini(struct dvmi_jw *w);

#endif
