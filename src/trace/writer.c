/* SPDX-License-Identifier: MIT */
#include "trace/codec.h"
#include "trace/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* Traces ship with the tree: small matters more than fast (bench/bench_trace.c measures both). */
#define LEVEL 12

struct dvm_trace_writer {
	char *path, *tmp; /* tmp is NULL when a device or pipe is written in place */
	FILE *file;
	ZSTD_CCtx *zstd;
	struct dvmi_trace_header header;
	struct dvm_trace_record *records; /* pending, less than a chunk */
	uint64_t *accesses;
	size_t nrecords, naccesses;
	uint64_t records_total, accesses_total;
	unsigned char *raw, *packed;
	size_t raw_capacity, packed_capacity;
	int failed; /* a code that every further call returns */
};

static int fail_io(struct dvm_trace_writer *w, struct dvm_error *err)
{
	w->failed = dvmi_error(err, DVM_EIO, w->path, "%s", strerror(errno));
	return w->failed;
}

static int fail_nomem(struct dvm_trace_writer *w, struct dvm_error *err)
{
	w->failed = dvmi_error_nomem(err);
	return w->failed;
}

static int room(void *array, size_t *capacity, size_t need)
{
	void *p;
	int ret;

	memcpy(&p, array, sizeof(p));
	ret = dvmi_grow(&p, capacity, need, 1);
	memcpy(array, &p, sizeof(p));
	return ret;
}

static int write_chunk(struct dvm_trace_writer *w, uint32_t type, const void *raw, size_t size,
		       size_t count, struct dvm_error *err)
{
	unsigned char head[DVMI_TRACE_CHUNK_HEAD_BYTES];
	size_t n;

	if (room(&w->packed, &w->packed_capacity, ZSTD_compressBound(size)))
		return fail_nomem(w, err);
	n = ZSTD_compressCCtx(w->zstd, w->packed, w->packed_capacity, raw, size, LEVEL);
	if (ZSTD_isError(n))
		return fail_nomem(w, err); /* the buffer fits, so memory is all that can be short */
	dvmi_put32(head, type);
	dvmi_put32(head + 4, (uint32_t)n);
	dvmi_put32(head + 8, (uint32_t)size);
	dvmi_put32(head + 12, (uint32_t)count);
	dvmi_put32(head + 16, dvmi_crc32c(dvmi_crc32c(0, head, 16), w->packed, n));
	if (fwrite(head, 1, sizeof(head), w->file) != sizeof(head) ||
	    fwrite(w->packed, 1, n, w->file) != n)
		return fail_io(w, err);
	return 0;
}

static int flush_records(struct dvm_trace_writer *w, struct dvm_error *err)
{
	size_t n = w->nrecords;

	if (!n)
		return 0;
	if (room(&w->raw, &w->raw_capacity, n * DVMI_TRACE_MAX_RECORD_BYTES))
		return fail_nomem(w, err);
	w->nrecords = 0;
	return write_chunk(w, DVMI_TRACE_RECS, w->raw,
			   dvmi_trace_encode_records(w->records, n, w->raw), n, err);
}

static int flush_accesses(struct dvm_trace_writer *w, struct dvm_error *err)
{
	size_t n = w->naccesses;

	if (!n)
		return 0;
	if (room(&w->raw, &w->raw_capacity, n * DVMI_TRACE_MAX_ACCESS_BYTES))
		return fail_nomem(w, err);
	w->naccesses = 0;
	return write_chunk(w, DVMI_TRACE_ACCS, w->raw,
			   dvmi_trace_encode_accesses(w->accesses, n, w->raw), n, err);
}

static int open_file(struct dvm_trace_writer *w, struct dvm_error *err)
{
	size_t len = strlen(w->path) + sizeof(".XXXXXX");
	struct stat st;
	int fd;

	if (!stat(w->path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		w->file = fopen(w->path, "wb");
		return w->file ? 0 : fail_io(w, err);
	}
	w->tmp = dvmi_alloc(len);
	if (!w->tmp)
		return fail_nomem(w, err);
	snprintf(w->tmp, len, "%s.XXXXXX", w->path);
	fd = mkstemp(w->tmp);
	if (fd < 0) {
		dvmi_free(w->tmp);
		w->tmp = NULL;
		return fail_io(w, err);
	}
	w->file = fdopen(fd, "wb");
	if (!w->file) {
		close(fd);
		return fail_io(w, err);
	}
	return fchmod(fd, 0644) ? fail_io(w, err) : 0;
}

static int write_preamble(struct dvm_trace_writer *w, struct dvm_error *err)
{
	unsigned char p[DVMI_TRACE_PREAMBLE_BYTES];

	memcpy(p, DVMI_TRACE_MAGIC, DVMI_TRACE_MAGIC_BYTES);
	dvmi_put32(p + 8, DVMI_TRACE_VERSION);
	dvmi_put32(p + 12, dvmi_crc32c(0, p, 12));
	if (fwrite(p, 1, sizeof(p), w->file) != sizeof(p))
		return fail_io(w, err);
	return write_chunk(w, DVMI_TRACE_HEAD, w->header.text, strlen(w->header.text), 1, err);
}

static int init(struct dvm_trace_writer *w, const char *path, const char *header,
		struct dvm_error *err)
{
	int ret = dvmi_trace_header_parse(header, &w->header, err);

	if (ret)
		return ret;
	w->path = dvmi_strdup(path);
	w->records = dvmi_calloc(DVMI_TRACE_CHUNK_RECORDS, sizeof(*w->records));
	w->accesses = dvmi_calloc(DVMI_TRACE_CHUNK_ACCESSES, sizeof(*w->accesses));
	w->zstd = ZSTD_createCCtx();
	if (!w->path || !w->records || !w->accesses || !w->zstd)
		return fail_nomem(w, err);
	ret = open_file(w, err);
	return ret ? ret : write_preamble(w, err);
}

int dvm_trace_writer_open(const char *path, const char *header, struct dvm_trace_writer **writer,
			  struct dvm_error *err)
{
	struct dvm_trace_writer *w = dvmi_zalloc(sizeof(*w));
	int ret;

	if (!w)
		return dvmi_error_nomem(err);
	ret = init(w, path, header, err);
	if (ret)
		dvm_trace_writer_abort(w);
	else
		*writer = w;
	return ret;
}

int dvm_trace_writer_append(struct dvm_trace_writer *w, const struct dvm_trace_record *records,
			    size_t count, struct dvm_error *err)
{
	int ret = w->failed;

	for (size_t i = 0; i < count && !ret; i++) {
		const char *bad = dvmi_trace_record_check(&records[i], &w->header.env,
							  w->accesses_total);

		if (bad)
			return dvmi_error_record(err, DVM_EINVAL, "record", i, "%s", bad);
	}
	if (!ret && count > DVM_TRACE_MAX_RECORDS - w->records_total)
		return dvmi_error(err, DVM_ELIMIT, w->path, "more than %llu records",
				  (unsigned long long)DVM_TRACE_MAX_RECORDS);
	while (count && !ret) {
		size_t n = DVMI_TRACE_CHUNK_RECORDS - w->nrecords;

		n = n < count ? n : count;
		memcpy(w->records + w->nrecords, records, n * sizeof(*records));
		w->nrecords += n;
		w->records_total += n;
		records += n;
		count -= n;
		if (w->nrecords == DVMI_TRACE_CHUNK_RECORDS) {
			/* Records refer to accesses that precede them in the file. */
			ret = flush_accesses(w, err);
			if (!ret)
				ret = flush_records(w, err);
		}
	}
	return ret;
}

int dvm_trace_writer_append_accesses(struct dvm_trace_writer *w, const uint64_t *accesses,
				     size_t count, struct dvm_error *err)
{
	int ret = w->failed;

	for (size_t i = 0; i < count && !ret; i++) {
		const char *bad = dvmi_trace_access_check(accesses[i]);

		if (bad)
			return dvmi_error_record(err, DVM_EINVAL, "access", i, "%s", bad);
	}
	if (!ret && count > DVM_TRACE_MAX_ACCESSES - w->accesses_total)
		return dvmi_error(err, DVM_ELIMIT, w->path, "more than %llu accesses",
				  (unsigned long long)DVM_TRACE_MAX_ACCESSES);
	while (count && !ret) {
		size_t n = DVMI_TRACE_CHUNK_ACCESSES - w->naccesses;

		n = n < count ? n : count;
		memcpy(w->accesses + w->naccesses, accesses, n * sizeof(*accesses));
		w->naccesses += n;
		w->accesses_total += n;
		accesses += n;
		count -= n;
		if (w->naccesses == DVMI_TRACE_CHUNK_ACCESSES)
			ret = flush_accesses(w, err);
	}
	return ret;
}

static int finish(struct dvm_trace_writer *w, struct dvm_error *err)
{
	unsigned char totals[DVMI_TRACE_DONE_BYTES];
	FILE *file;
	int ret = w->failed;

	if (!ret)
		ret = flush_accesses(w, err);
	if (!ret)
		ret = flush_records(w, err);
	dvmi_put64(totals, w->records_total);
	dvmi_put64(totals + 8, w->accesses_total);
	if (!ret)
		ret = write_chunk(w, DVMI_TRACE_DONE, totals, sizeof(totals), 1, err);
	if (ret)
		return ret;
	if (fflush(w->file) || (fsync(fileno(w->file)) && errno != EINVAL && errno != EROFS))
		return fail_io(w, err);
	file = w->file;
	w->file = NULL;
	if (fclose(file))
		return fail_io(w, err);
	if (w->tmp && rename(w->tmp, w->path))
		return fail_io(w, err);
	dvmi_free(w->tmp);
	w->tmp = NULL;
	return 0;
}

int dvm_trace_writer_commit(struct dvm_trace_writer *writer, struct dvm_error *err)
{
	int ret = finish(writer, err);

	dvm_trace_writer_abort(writer);
	return ret;
}

void dvm_trace_writer_abort(struct dvm_trace_writer *w)
{
	if (!w)
		return;
	if (w->file)
		fclose(w->file);
	if (w->tmp)
		unlink(w->tmp);
	ZSTD_freeCCtx(w->zstd);
	dvmi_trace_header_fini(&w->header);
	dvmi_free(w->path);
	dvmi_free(w->tmp);
	dvmi_free(w->records);
	dvmi_free(w->accesses);
	dvmi_free(w->raw);
	dvmi_free(w->packed);
	dvmi_free(w);
}

int dvm_trace_save(const struct dvm_trace *trace, const char *path, struct dvm_error *err)
{
	struct dvm_trace_writer *w;
	int ret = dvm_trace_writer_open(path, trace->header.text, &w, err);

	if (ret)
		return ret;
	ret = dvm_trace_writer_append_accesses(w, trace->accesses, trace->naccesses, err);
	if (!ret)
		ret = dvm_trace_writer_append(w, trace->records, trace->nrecords, err);
	if (ret) {
		dvm_trace_writer_abort(w);
		return ret;
	}
	return dvm_trace_writer_commit(w, err);
}
