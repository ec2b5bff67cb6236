/* SPDX-License-Identifier: MIT */
#ifndef DVMI_TRACE_CODEC_H
#define DVMI_TRACE_CODEC_H

#include <dvmsim/trace.h>

#include <stddef.h>
#include <stdint.h>

/* The file: docs/trace-format.md is the specification of what these constants and codecs do. */
#define DVMI_TRACE_MAGIC "\x89" "DVT\r\n\x1a\n"
#define DVMI_TRACE_MAGIC_BYTES 8
#define DVMI_TRACE_VERSION 2u /* 1: without the kinds from THINK on */
#define DVMI_TRACE_PREAMBLE_BYTES 16 /* magic, version, CRC */
#define DVMI_TRACE_CHUNK_HEAD_BYTES 20

#define DVMI_TRACE_HEAD UINT32_C(0x44414548) /* "HEAD" */
#define DVMI_TRACE_RECS UINT32_C(0x53434552) /* "RECS" */
#define DVMI_TRACE_ACCS UINT32_C(0x53434341) /* "ACCS" */
#define DVMI_TRACE_DONE UINT32_C(0x454e4f44) /* "DONE" */
#define DVMI_TRACE_DONE_BYTES 16

#define DVMI_TRACE_CHUNK_RECORDS 65536u
#define DVMI_TRACE_CHUNK_ACCESSES 262144u
#define DVMI_TRACE_MAX_RECORD_BYTES 96u /* encoded: at most 14 varints of 10 bytes or less */
#define DVMI_TRACE_MAX_ACCESS_BYTES 10u
#define DVMI_TRACE_MAX_RAW_BYTES (DVMI_TRACE_CHUNK_RECORDS * DVMI_TRACE_MAX_RECORD_BYTES)

static inline void dvmi_put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static inline uint32_t dvmi_get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void dvmi_put64(unsigned char *p, uint64_t v)
{
	dvmi_put32(p, (uint32_t)v);
	dvmi_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint64_t dvmi_get64(const unsigned char *p)
{
	return dvmi_get32(p) | (uint64_t)dvmi_get32(p + 4) << 32;
}

/* Encode into @out (large enough: MAX_RECORD_BYTES each); returns the bytes used. */
size_t dvmi_trace_encode_records(const struct dvm_trace_record *records, size_t count,
				 unsigned char *out);
size_t dvmi_trace_encode_accesses(const uint64_t *accesses, size_t count, unsigned char *out);

/* Decode exactly @count items from exactly @size bytes; 0, or -1 when they do not fit. */
int dvmi_trace_decode_records(const unsigned char *in, size_t size, size_t count,
			      struct dvm_trace_record *records);
int dvmi_trace_decode_accesses(const unsigned char *in, size_t size, size_t count,
			       uint64_t *accesses);

#endif
