/* SPDX-License-Identifier: MIT */
#include "trace/codec.h"
#include "trace/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

struct dvm_trace_reader {
	char *path;
	FILE *file;
	uint64_t offset; /* of the chunk being read */
	struct dvmi_trace_header header;
	struct dvm_trace_record *records;
	uint64_t *accesses;
	size_t records_capacity, accesses_capacity;
	uint64_t records_total, accesses_total;
	unsigned char *raw, *packed;
	size_t raw_capacity, packed_capacity;
	int ended; /* DONE was seen, or an error was returned */
	struct dvm_error error;
};

struct chunk {
	uint32_t type, stored, size, count, crc;
};

static int room(void *array, size_t *capacity, size_t need, size_t size, struct dvm_error *err)
{
	void *p;
	int ret;

	memcpy(&p, array, sizeof(p));
	ret = dvmi_grow(&p, capacity, need, size);
	memcpy(array, &p, sizeof(p));
	return ret ? dvmi_error_nomem(err) : 0;
}

static int damaged(struct dvm_trace_reader *r, struct dvm_error *err, const char *what)
{
	return dvmi_error(err, DVM_ETRUNC, r->path,
			  "byte %llu: %s; the %llu records before it are good",
			  (unsigned long long)r->offset, what,
			  (unsigned long long)r->records_total);
}

/* Read exactly @size bytes. */
static int take(struct dvm_trace_reader *r, void *data, size_t size, struct dvm_error *err)
{
	if (fread(data, 1, size, r->file) == size)
		return 0;
	if (ferror(r->file))
		return dvmi_error(err, DVM_EIO, r->path, "%s", strerror(errno));
	return damaged(r, err, "the file ends early");
}

/* The largest a chunk's content can be; 0 for a type that is not known. */
static size_t max_size(const struct chunk *c)
{
	switch (c->type) {
	case DVMI_TRACE_HEAD:
		return DVM_TRACE_MAX_HEADER_BYTES;
	case DVMI_TRACE_RECS:
		return c->count <= DVMI_TRACE_CHUNK_RECORDS ?
			c->count * (size_t)DVMI_TRACE_MAX_RECORD_BYTES : 0;
	case DVMI_TRACE_ACCS:
		return c->count <= DVMI_TRACE_CHUNK_ACCESSES ?
			c->count * (size_t)DVMI_TRACE_MAX_ACCESS_BYTES : 0;
	case DVMI_TRACE_DONE:
		return DVMI_TRACE_DONE_BYTES;
	default:
		return 0;
	}
}

/*
 * Read one chunk and leave its content at r->raw. Nothing is believed before the CRC held, except
 * the stored length, which is bounded by what any chunk can have.
 */
static int read_chunk(struct dvm_trace_reader *r, struct chunk *c, struct dvm_error *err)
{
	unsigned char head[DVMI_TRACE_CHUNK_HEAD_BYTES];
	int ret = take(r, head, sizeof(head), err);

	if (ret)
		return ret;
	*c = (struct chunk){ dvmi_get32(head), dvmi_get32(head + 4), dvmi_get32(head + 8),
			     dvmi_get32(head + 12), dvmi_get32(head + 16) };
	if (c->stored > ZSTD_compressBound(DVMI_TRACE_MAX_RAW_BYTES))
		return damaged(r, err, "a chunk has an impossible length");
	ret = room(&r->packed, &r->packed_capacity, c->stored, 1, err);
	if (!ret)
		ret = take(r, r->packed, c->stored, err);
	if (ret)
		return ret;
	if (dvmi_crc32c(dvmi_crc32c(0, head, 16), r->packed, c->stored) != c->crc)
		return damaged(r, err, "a chunk's checksum does not match");
	if (!max_size(c) || c->size > max_size(c))
		return dvmi_error(err, DVM_EFORMAT, r->path,
				  "byte %llu: unknown or oversized chunk; was it written by a newer "
				  "version?", (unsigned long long)r->offset);
	ret = room(&r->raw, &r->raw_capacity, (size_t)c->size + 1, 1, err);
	if (ret)
		return ret;
	if (ZSTD_decompress(r->raw, c->size, r->packed, c->stored) != c->size)
		return dvmi_error(err, DVM_EFORMAT, r->path,
				  "byte %llu: a chunk is not a zstd frame of %u bytes",
				  (unsigned long long)r->offset, c->size);
	return 0;
}

static int read_header(struct dvm_trace_reader *r, struct dvm_error *err)
{
	unsigned char p[DVMI_TRACE_PREAMBLE_BYTES];
	struct chunk c;
	int ret;

	if (fread(p, 1, sizeof(p), r->file) != sizeof(p) ||
	    memcmp(p, DVMI_TRACE_MAGIC, DVMI_TRACE_MAGIC_BYTES) != 0 ||
	    dvmi_get32(p + 12) != dvmi_crc32c(0, p, 12))
		return ferror(r->file) ?
			dvmi_error(err, DVM_EIO, r->path, "%s", strerror(errno)) :
			dvmi_error(err, DVM_EFORMAT, r->path,
				   "not a binary trace; a text trace is read with 'dvmsim trace "
				   "import --from text'");
	if (dvmi_get32(p + 8) < 1 || dvmi_get32(p + 8) > DVMI_TRACE_VERSION)
		return dvmi_error(err, DVM_EFORMAT, r->path,
				  "trace format version %u, and this program reads versions 1 to %u",
				  dvmi_get32(p + 8), DVMI_TRACE_VERSION);
	r->offset = sizeof(p);
	ret = read_chunk(r, &c, err);
	/* Without a header there is nothing to salvage. */
	if (ret == -DVM_ETRUNC || (!ret && c.type != DVMI_TRACE_HEAD))
		return dvmi_error(err, DVM_EFORMAT, r->path, "the header is damaged");
	if (ret)
		return ret;
	r->offset += DVMI_TRACE_CHUNK_HEAD_BYTES + c.stored;
	r->raw[c.size] = '\0';
	if (strlen((char *)r->raw) != c.size)
		return dvmi_error(err, DVM_EFORMAT, r->path, "the header has a zero byte");
	return dvmi_trace_header_parse((char *)r->raw, &r->header, err);
}

int dvm_trace_reader_open(const char *path, struct dvm_trace_reader **reader,
			  struct dvm_error *err)
{
	struct dvm_trace_reader *r = dvmi_zalloc(sizeof(*r));
	int ret = 0;

	if (!r)
		return dvmi_error_nomem(err);
	r->path = dvmi_strdup(path);
	if (!r->path)
		ret = dvmi_error_nomem(err);
	if (!ret) {
		r->file = fopen(path, "rb");
		if (!r->file)
			ret = dvmi_error(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, "%s",
					 strerror(errno));
	}
	if (!ret)
		ret = read_header(r, err);
	if (ret)
		dvm_trace_reader_close(r);
	else
		*reader = r;
	return ret;
}

const char *dvm_trace_reader_header(const struct dvm_trace_reader *reader)
{
	return reader->header.text;
}

static int take_records(struct dvm_trace_reader *r, const struct chunk *c, struct dvm_error *err)
{
	int ret = room(&r->records, &r->records_capacity, c->count, sizeof(*r->records), err);

	if (ret)
		return ret;
	if (dvmi_trace_decode_records(r->raw, c->size, c->count, r->records))
		return dvmi_error(err, DVM_EFORMAT, r->path, "byte %llu: malformed records",
				  (unsigned long long)r->offset);
	for (uint32_t i = 0; i < c->count; i++) {
		const char *bad = dvmi_trace_record_check(&r->records[i], &r->header.env,
							  r->accesses_total);

		if (bad)
			return dvmi_error_record(err, DVM_EFORMAT, r->path, r->records_total + i,
						 "%s", bad);
	}
	r->records_total += c->count;
	if (r->records_total > DVM_TRACE_MAX_RECORDS)
		return dvmi_error(err, DVM_ELIMIT, r->path, "more than %llu records",
				  (unsigned long long)DVM_TRACE_MAX_RECORDS);
	return 0;
}

static int take_accesses(struct dvm_trace_reader *r, const struct chunk *c, struct dvm_error *err)
{
	int ret = room(&r->accesses, &r->accesses_capacity, c->count, sizeof(*r->accesses), err);

	if (ret)
		return ret;
	if (dvmi_trace_decode_accesses(r->raw, c->size, c->count, r->accesses))
		return dvmi_error(err, DVM_EFORMAT, r->path, "byte %llu: malformed accesses",
				  (unsigned long long)r->offset);
	for (uint32_t i = 0; i < c->count; i++)
		if (dvmi_trace_access_check(r->accesses[i]))
			return dvmi_error(err, DVM_EFORMAT, r->path, "byte %llu: %s",
					  (unsigned long long)r->offset,
					  dvmi_trace_access_check(r->accesses[i]));
	r->accesses_total += c->count;
	if (r->accesses_total > DVM_TRACE_MAX_ACCESSES)
		return dvmi_error(err, DVM_ELIMIT, r->path, "more than %llu accesses",
				  (unsigned long long)DVM_TRACE_MAX_ACCESSES);
	return 0;
}

static int take_done(struct dvm_trace_reader *r, const struct chunk *c, struct dvm_error *err)
{
	if (c->size != DVMI_TRACE_DONE_BYTES || dvmi_get64(r->raw) != r->records_total ||
	    dvmi_get64(r->raw + 8) != r->accesses_total)
		return damaged(r, err, "the totals do not agree; chunks are missing");
	r->offset += DVMI_TRACE_CHUNK_HEAD_BYTES + c->stored;
	if (fgetc(r->file) != EOF)
		return damaged(r, err, "something follows the end of the trace");
	return 0;
}

static int next(struct dvm_trace_reader *r, struct dvm_trace_chunk *out, struct dvm_error *err)
{
	struct dvm_trace_chunk got = { 0 };
	struct chunk c;
	int ret = read_chunk(r, &c, err);

	if (ret)
		return ret;
	if (c.type == DVMI_TRACE_DONE)
		return take_done(r, &c, err);
	if (c.type == DVMI_TRACE_RECS)
		ret = take_records(r, &c, err);
	else if (c.type == DVMI_TRACE_ACCS)
		ret = take_accesses(r, &c, err);
	else
		ret = dvmi_error(err, DVM_EFORMAT, r->path, "byte %llu: a second header",
				 (unsigned long long)r->offset);
	if (ret)
		return ret;
	r->offset += DVMI_TRACE_CHUNK_HEAD_BYTES + c.stored;
	if (c.type == DVMI_TRACE_RECS) {
		got.records = r->records;
		got.nrecords = c.count;
	} else {
		got.accesses = r->accesses;
		got.naccesses = c.count;
	}
	*out = got;
	return 1;
}

int dvm_trace_reader_next(struct dvm_trace_reader *reader, struct dvm_trace_chunk *chunk,
			  struct dvm_error *err)
{
	int ret;

	if (!reader->ended) {
		ret = next(reader, chunk, &reader->error);
		if (ret > 0)
			return ret;
		reader->ended = 1;
		if (!ret)
			reader->error.code = 0;
	}
	if (reader->error.code && err)
		*err = reader->error;
	return -reader->error.code;
}

void dvm_trace_reader_close(struct dvm_trace_reader *r)
{
	if (!r)
		return;
	if (r->file)
		fclose(r->file);
	dvmi_trace_header_fini(&r->header);
	dvmi_free(r->path);
	dvmi_free(r->records);
	dvmi_free(r->accesses);
	dvmi_free(r->raw);
	dvmi_free(r->packed);
	dvmi_free(r);
}

static int load_chunks(struct dvm_trace_reader *r, struct dvm_trace *trace, struct dvm_error *err)
{
	struct dvm_trace_chunk c;
	int ret;

	while ((ret = dvm_trace_reader_next(r, &c, err)) > 0) {
		ret = dvmi_trace_push_accesses(trace, c.accesses, c.naccesses, err);
		if (!ret)
			ret = dvmi_trace_push(trace, c.records, c.nrecords, err);
		if (ret)
			break;
	}
	return ret;
}

int dvm_trace_load(const char *path, unsigned flags, struct dvm_trace **trace,
		   struct dvm_error *err)
{
	struct dvm_trace_reader *r = NULL;
	struct dvm_trace *t = NULL;
	int ret = dvm_trace_reader_open(path, &r, err);

	if (ret)
		return ret;
	ret = dvm_trace_new(r->header.text, &t, err);
	if (!ret)
		ret = load_chunks(r, t, err);
	dvm_trace_reader_close(r);
	if (!ret || (ret == -DVM_ETRUNC && flags & DVM_TRACE_LOAD_SALVAGE)) {
		*trace = t;
		t = NULL;
	}
	dvm_trace_free(t);
	return ret;
}
