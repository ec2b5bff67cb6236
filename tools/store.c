/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdio.h>
#include <string.h>

static int fail(struct dvm_error *err, int code, const char *path, const char *text)
{
	*err = (struct dvm_error){ .code = code, .record = UINT64_MAX };
	snprintf(err->where, sizeof(err->where), "%s", path);
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -code;
}

#ifdef DVMSIM_SQLITE
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

struct store {
	sqlite3 *db;
	sqlite3_stmt *get, *put;
	pthread_mutex_t lock;
};

/* FNV-1a of the running program: results of another one may differ. */
static void program_hash(char hash[17])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	FILE *f = fopen("/proc/self/exe", "rb");
	unsigned char buf[65536];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		for (size_t i = 0; i < n; i++)
			h = (h ^ buf[i]) * UINT64_C(0x100000001b3);
	if (f)
		fclose(f);
	snprintf(hash, 17, "%016" PRIx64, h);
}

static int exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* Make the tables; results of another program go. */
static int prepare(struct store *s)
{
	char hash[17], sql[256];
	int ret = exec(s, "PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL;"
			  "CREATE TABLE IF NOT EXISTS program (hash TEXT PRIMARY KEY);"
			  "CREATE TABLE IF NOT EXISTS result (key TEXT PRIMARY KEY, text TEXT)");

	program_hash(hash);
	if (ret == SQLITE_OK) {
		snprintf(sql, sizeof(sql),
			 "DELETE FROM result WHERE NOT EXISTS (SELECT 1 FROM program WHERE hash = '%s');"
			 "DELETE FROM program; INSERT INTO program VALUES ('%s')", hash, hash);
		ret = exec(s, sql);
	}
	if (ret == SQLITE_OK)
		ret = sqlite3_prepare_v2(s->db, "SELECT text FROM result WHERE key = ?", -1, &s->get,
					 NULL);
	if (ret == SQLITE_OK)
		ret = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO result VALUES (?, ?)", -1,
					 &s->put, NULL);
	return ret;
}

static size_t count(struct store *s)
{
	sqlite3_stmt *stmt;
	size_t n = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT count(*) FROM result", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		n = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

int store_open(const char *path, struct store **out, size_t *kept, struct dvm_error *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return fail(err, DVM_ENOMEM, path, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	ret = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (ret == SQLITE_OK)
		ret = prepare(s);
	if (ret != SQLITE_OK) {
		ret = fail(err, DVM_EIO, path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(ret));
		store_close(s);
		return ret;
	}
	*kept = count(s);
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_finalize(s->get);
	sqlite3_finalize(s->put);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

char *store_lookup(void *arg, const char *key)
{
	struct store *s = arg;
	char *text = NULL;

	pthread_mutex_lock(&s->lock);
	sqlite3_bind_text(s->get, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(s->get) == SQLITE_ROW)
		text = strdup((const char *)sqlite3_column_text(s->get, 0));
	sqlite3_reset(s->get);
	pthread_mutex_unlock(&s->lock);
	return text;
}

int store_keep(void *arg, const char *key, const char *result)
{
	struct store *s = arg;
	int ret;

	pthread_mutex_lock(&s->lock);
	sqlite3_bind_text(s->put, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(s->put, 2, result, -1, SQLITE_STATIC);
	ret = sqlite3_step(s->put) != SQLITE_DONE;
	sqlite3_reset(s->put);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

#else

int store_open(const char *path, struct store **store, size_t *kept, struct dvm_error *err)
{
	(void)store;
	(void)kept;
	return fail(err, DVM_EINVAL, path, "this program was built without SQLite; it can not keep"
					   " results (leave out --store)");
}

void store_close(struct store *store)
{
	(void)store;
}

char *store_lookup(void *arg, const char *key)
{
	(void)arg;
	(void)key;
	return NULL;
}

int store_keep(void *arg, const char *key, const char *result)
{
	(void)arg;
	(void)key;
	(void)result;
	return 0;
}
#endif
