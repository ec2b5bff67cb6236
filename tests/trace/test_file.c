/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "gen.h"

#include "base/file.h"
#include "base/mem.h"
#include "trace/codec.h"
#include "trace/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64], other[64];

static void setup(void)
{
	snprintf(path, sizeof(path), "trace-test-%d.dvt", (int)getpid());
	snprintf(other, sizeof(other), "trace-test-%d-b.dvt", (int)getpid());
}

static void teardown(void)
{
	unlink(path);
	unlink(other);
}

/* RFC 3720, appendix B.4: 32 bytes of 0, of 0xff, and counting up; and the usual check word. */
START_TEST(crc32c_gives_the_published_values)
{
	unsigned char zero[32] = { 0 }, ones[32], up[32];

	for (int i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = (unsigned char)i;
	}
	ck_assert_uint_eq(dvmi_crc32c(0, zero, 32), 0x8a9136aa);
	ck_assert_uint_eq(dvmi_crc32c(0, ones, 32), 0x62a8ab43);
	ck_assert_uint_eq(dvmi_crc32c(0, up, 32), 0x46dd794e);
	ck_assert_uint_eq(dvmi_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(dvmi_crc32c(dvmi_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}
END_TEST

START_TEST(a_record_is_48_bytes)
{
	ck_assert_uint_eq(sizeof(struct dvm_trace_record), 48);
}
END_TEST

/* Sizes around a chunk, and none. */
static const size_t sizes[] = { 0, 1, 2, 1000, DVMI_TRACE_CHUNK_RECORDS,
				DVMI_TRACE_CHUNK_RECORDS + 1 };

START_TEST(what_was_saved_is_loaded)
{
	struct dvm_trace *a = gen_trace((uint64_t)_i, sizes[_i]), *b = NULL;

	ck_assert_int_eq(dvm_trace_save(a, path, NULL), 0);
	ck_assert_int_eq(dvm_trace_load(path, 0, &b, NULL), 0);
	ck_assert(gen_equal(a, b));
	ck_assert_uint_eq(dvm_trace_hash(a), dvm_trace_hash(b));
	dvm_trace_free(a);
	dvm_trace_free(b);
}
END_TEST

START_TEST(same_trace_same_bytes)
{
	struct dvm_trace *a = gen_trace(7, 300), *b = NULL;
	char *x, *y;
	size_t n, m;

	ck_assert_int_eq(dvm_trace_save(a, path, NULL), 0);
	ck_assert_int_eq(dvm_trace_load(path, 0, &b, NULL), 0);
	ck_assert_int_eq(dvm_trace_save(b, other, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 20, &x, &n, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(other, 1 << 20, &y, &m, NULL), 0);
	ck_assert(n == m && !memcmp(x, y, n));
	dvmi_free(x);
	dvmi_free(y);
	dvm_trace_free(a);
	dvm_trace_free(b);
}
END_TEST

START_TEST(hash_depends_on_every_field)
{
	struct dvm_trace_record rec = { .time_ns = 1, .task = 1, .mm = 1, .kind = DVM_TRACE_FLUSH,
					.request = DVM_TRACE_REQ_RANGE, .amount = 3, .va = 1 << 12,
					.stride_shift = 12, .level = 3, .cpu = 1 }, c;
	uint64_t seen[11];

	for (int i = 0; i < 11; i++) {
		struct dvm_trace *t = NULL;

		c = rec;
		switch (i) {
		case 1: c.time_ns++; break;
		case 2: c.task++; break;
		case 3: c.mm++; break;
		case 4: c.request = DVM_TRACE_REQ_PAGE; c.amount = 1; break;
		case 5: c.amount++; break;
		case 6: c.va += UINT64_C(1) << 40; break;
		case 7: c.stride_shift = 21; break;
		case 8: c.level = 4; break;
		case 9: c.cpu++; break;
		case 10: c.flags |= DVM_TRACE_F_LEAF; break;
		}
		ck_assert_int_eq(dvm_trace_new(gen_header, &t, NULL), 0);
		ck_assert_int_eq(dvm_trace_append(t, &c, 1, NULL), 0);
		seen[i] = dvm_trace_hash(t);
		dvm_trace_free(t);
		for (int j = 0; j < i; j++)
			ck_assert(seen[i] != seen[j]);
	}
}
END_TEST

static void write_bytes(const char *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	ck_assert(f && fwrite(data, 1, size, f) == size && !fclose(f));
}

/* The header damaged: nothing. Anything later: what precedes it, in order, and the error says so. */
static void check_damaged(const struct dvm_trace *good)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *t = NULL;
	size_t n, m;
	int ret = dvm_trace_load(path, 0, &t, &err);

	ck_assert(ret == -DVM_ETRUNC || ret == -DVM_EFORMAT);
	ck_assert_int_eq(err.code, -ret);
	ck_assert_ptr_null(t);
	ck_assert_int_eq(dvm_trace_load(path, DVM_TRACE_LOAD_SALVAGE, &t, NULL), ret);
	ck_assert_int_eq(t != NULL, ret == -DVM_ETRUNC);
	if (t) {
		const struct dvm_trace_record *a = dvm_trace_records(good, &n);
		const struct dvm_trace_record *b = dvm_trace_records(t, &m);

		ck_assert(m <= n && (!m || !memcmp(a, b, m * sizeof(*a))));
	}
	dvm_trace_free(t);
}

START_TEST(every_damaged_byte_is_noticed)
{
	struct dvm_trace *t = gen_trace(3, 12);
	char *data;
	size_t size;

	ck_assert_int_eq(dvm_trace_save(t, path, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 20, &data, &size, NULL), 0);
	for (size_t i = 0; i < size; i++) {
		data[i] = (char)(data[i] ^ (1 << i % 8));
		write_bytes(data, size);
		check_damaged(t);
		data[i] = (char)(data[i] ^ (1 << i % 8));
	}
	dvmi_free(data);
	dvm_trace_free(t);
}
END_TEST

START_TEST(every_truncation_is_noticed)
{
	struct dvm_trace *t = gen_trace(4, 12);
	char *data;
	size_t size;

	ck_assert_int_eq(dvm_trace_save(t, path, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 20, &data, &size, NULL), 0);
	for (size_t i = 0; i < size; i++) {
		write_bytes(data, i);
		check_damaged(t);
	}
	dvmi_free(data);
	dvm_trace_free(t);
}
END_TEST

START_TEST(bytes_after_the_end_are_noticed_and_all_is_salvaged)
{
	struct dvm_trace *t = gen_trace(4, 12), *s = NULL;
	FILE *f;

	ck_assert_int_eq(dvm_trace_save(t, path, NULL), 0);
	f = fopen(path, "ab");
	ck_assert(f && fputc(0, f) == 0 && !fclose(f));
	ck_assert_int_eq(dvm_trace_load(path, DVM_TRACE_LOAD_SALVAGE, &s, NULL), -DVM_ETRUNC);
	ck_assert(gen_equal(t, s));
	dvm_trace_free(t);
	dvm_trace_free(s);
}
END_TEST

START_TEST(a_missing_last_chunk_leaves_the_first_ones)
{
	size_t n = DVMI_TRACE_CHUNK_RECORDS, m;
	struct dvm_trace *t = gen_trace(4, n + 10), *s = NULL;
	char *data;
	size_t size;

	ck_assert_int_eq(dvm_trace_save(t, path, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 26, &data, &size, NULL), 0);
	write_bytes(data, size - 60);
	ck_assert_int_eq(dvm_trace_load(path, DVM_TRACE_LOAD_SALVAGE, &s, NULL), -DVM_ETRUNC);
	dvm_trace_records(s, &m);
	ck_assert_uint_eq(m, n);
	dvmi_free(data);
	dvm_trace_free(t);
	dvm_trace_free(s);
}
END_TEST

/* Hostile lengths: each names a place in the chunk head of the first RECS chunk. */
START_TEST(a_chunk_with_a_right_checksum_and_wrong_lengths_is_refused)
{
	static const struct { unsigned at; uint32_t value; } cases[] = {
		{ 8, 0xffffffff },  /* raw size */
		{ 8, 0 }, { 8, 1 },
		{ 12, 0xffffffff }, /* count */
		{ 12, 0 }, { 12, 5 },
		{ 0, 0x41414141 },  /* type */
		{ 0, DVMI_TRACE_HEAD }, { 0, DVMI_TRACE_DONE }, { 0, DVMI_TRACE_ACCS },
	};
	struct dvm_trace *t = NULL, *s = NULL;
	struct dvmi_rng rng;
	struct dvm_trace_record rec;
	unsigned char *p;
	char *data;
	size_t size;
	int ret;

	dvmi_rng_init(&rng, 1, 1);
	ck_assert_int_eq(dvm_trace_new(gen_header, &t, NULL), 0);
	for (int i = 0; i < 4; i++) {
		rec = gen_record(&rng, 0);
		ck_assert_int_eq(dvm_trace_append(t, &rec, 1, NULL), 0);
	}
	ck_assert_int_eq(dvm_trace_save(t, path, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 20, &data, &size, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char saved[DVMI_TRACE_CHUNK_HEAD_BYTES];

		p = (unsigned char *)data + DVMI_TRACE_PREAMBLE_BYTES;
		p += DVMI_TRACE_CHUNK_HEAD_BYTES + dvmi_get32(p + 4);
		memcpy(saved, p, sizeof(saved));
		dvmi_put32(p + cases[i].at, cases[i].value);
		dvmi_put32(p + 16, dvmi_crc32c(dvmi_crc32c(0, p, 16), p + 20, dvmi_get32(p + 4)));
		write_bytes(data, size);
		ret = dvm_trace_load(path, 0, &s, NULL);
		ck_assert_msg(ret == -DVM_EFORMAT || ret == -DVM_ETRUNC, "case %zu: %d", i, ret);
		memcpy(p, saved, sizeof(saved));
	}
	dvmi_free(data);
	dvm_trace_free(t);
}
END_TEST

START_TEST(other_files_are_refused_with_a_cure)
{
	struct dvm_error err;
	struct dvm_trace *t = NULL;

	ck_assert_int_eq(dvm_trace_load("no/such/file", 0, &t, &err), -DVM_ENOENT);
	ck_assert_int_eq(dvm_trace_load(".", 0, &t, &err), -DVM_EIO);
	write_bytes("dvmsim-trace-text 1\n{}\nrecords\n", 30);
	ck_assert_int_eq(dvm_trace_load(path, 0, &t, &err), -DVM_EFORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "--from text"));
	ck_assert_int_eq(dvm_trace_save(NULL == t ? (t = gen_trace(1, 1)) : t, "no/such/dir/x",
					&err), -DVM_EIO);
	dvm_trace_free(t);
}
END_TEST

START_TEST(an_abandoned_writer_leaves_no_file)
{
	struct dvm_trace_writer *w = NULL;

	ck_assert_int_eq(dvm_trace_writer_open(path, gen_header, &w, NULL), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	dvm_trace_writer_abort(w);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(the_streamed_file_equals_the_saved_one)
{
	struct dvm_trace *t = gen_trace(9, 5000);
	struct dvm_trace_writer *w = NULL;
	size_t n, m, size, size2;
	const struct dvm_trace_record *r = dvm_trace_records(t, &n);
	const uint64_t *a = dvm_trace_accesses(t, &m);
	char *x, *y;

	ck_assert_int_eq(dvm_trace_writer_open(path, gen_header, &w, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(dvm_trace_writer_append_accesses(w, a + i, 1, NULL), 0);
		ck_assert_int_eq(dvm_trace_writer_append(w, r + i, 1, NULL), 0);
	}
	ck_assert_int_eq(dvm_trace_writer_commit(w, NULL), 0);
	ck_assert_int_eq(dvm_trace_save(t, other, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(path, 1 << 24, &x, &size, NULL), 0);
	ck_assert_int_eq(dvmi_file_load(other, 1 << 24, &y, &size2, NULL), 0);
	ck_assert(size == size2 && !memcmp(x, y, size));
	dvmi_free(x);
	dvmi_free(y);
	dvm_trace_free(t);
}
END_TEST

/* Each allocation fails in turn: a clean -DVM_ENOMEM, nothing leaked (ASan), nothing written. */
START_TEST(running_out_of_memory_is_an_error)
{
	struct dvm_trace *t = gen_trace(5, 20), *b = NULL;
	unsigned long n;
	int ret;

	for (n = 1;; n++) {
		dvmi_mem_fail_at(n);
		ret = dvm_trace_save(t, path, NULL);
		dvmi_mem_fail_at(0);
		if (!ret)
			break;
		ck_assert_int_eq(ret, -DVM_ENOMEM);
		ck_assert_int_ne(access(path, F_OK), 0);
	}
	ck_assert_uint_gt(n, 5);
	for (n = 1;; n++) {
		dvmi_mem_fail_at(n);
		ret = dvm_trace_load(path, DVM_TRACE_LOAD_SALVAGE, &b, NULL);
		dvmi_mem_fail_at(0);
		if (!ret)
			break;
		ck_assert_int_eq(ret, -DVM_ENOMEM);
		ck_assert_ptr_null(b);
	}
	ck_assert_uint_gt(n, 5);
	dvm_trace_free(t);
	dvm_trace_free(b);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, crc32c_gives_the_published_values);
	tcase_add_test(tc, a_record_is_48_bytes);
	tcase_add_loop_test(tc, what_was_saved_is_loaded, 0, (int)(sizeof(sizes) / sizeof(sizes[0])));
	tcase_add_test(tc, same_trace_same_bytes);
	tcase_add_test(tc, hash_depends_on_every_field);
	tcase_add_test(tc, every_damaged_byte_is_noticed);
	tcase_add_test(tc, every_truncation_is_noticed);
	tcase_add_test(tc, bytes_after_the_end_are_noticed_and_all_is_salvaged);
	tcase_add_test(tc, a_missing_last_chunk_leaves_the_first_ones);
	tcase_add_test(tc, a_chunk_with_a_right_checksum_and_wrong_lengths_is_refused);
	tcase_add_test(tc, other_files_are_refused_with_a_cure);
	tcase_add_test(tc, an_abandoned_writer_leaves_no_file);
	tcase_add_test(tc, the_streamed_file_equals_the_saved_one);
	tcase_add_test(tc, running_out_of_memory_is_an_error);
}

CHECK_MAIN("trace file", add_cases)
