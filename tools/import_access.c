/* SPDX-License-Identifier: MIT */
/*
 * Memory accesses of one program: the text of 'valgrind --tool=lackey --trace-mem=yes', and words of
 * 8 bytes, which docs/capture.md specifies. An access to the page of the last access of its kind (data
 * or fetch) can not miss a TLB that the last one did not miss, and is left out; the instructions are
 * counted all the same.
 */
#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12
#define CHUNK 4096 /* accesses per record: switches and instructions stand between */
#define THREADS 4096
#define MAX_ACCESSES (UINT64_C(1) << 28) /* 2 GiB */
#define PAGES(va) ((va) >> PAGE_SHIFT)

/* Words of the binary form: bit 63 clear, an access; set, one of these in bits 62 to 56. */
enum { WORD_RUN, WORD_CPU, WORD_THREAD };

struct access_import {
	uint64_t *accesses;
	size_t naccesses, capacity, first; /* first: of those not yet told in a record */
	struct dvm_trace_record *records;
	size_t nrecords, records_capacity;
	struct cpu { uint64_t run, data_page, fetch_page; uint32_t thread; bool begun; } *cpus;
	unsigned cpu, ncpus;
	struct thread { uint16_t cpu; bool known, runs; } threads[THREADS];
	uint64_t all, instructions, malformed;
	bool nomem, full;
};

static int fail(struct dvm_error *err, int code, const char *where, const char *fmt, ...)
{
	va_list ap;

	*err = (struct dvm_error){ .code = code, .record = UINT64_MAX };
	snprintf(err->where, sizeof(err->where), "%s", where);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

static struct dvm_trace_record *emit(struct access_import *im, uint8_t kind)
{
	struct dvm_trace_record *r;

	if (im->nrecords == im->records_capacity) {
		size_t n = im->records_capacity ? 2 * im->records_capacity : 1024;

		r = realloc(im->records, n * sizeof(*r));
		if (!r) {
			im->nomem = true;
			return NULL;
		}
		im->records = r;
		im->records_capacity = n;
	}
	r = &im->records[im->nrecords++];
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->cpu = (uint16_t)im->cpu;
	r->time_ns = im->all; /* information only: accesses so far */
	return r;
}

/* What the CPU did since its last record. */
static void flush(struct access_import *im)
{
	struct cpu *c = &im->cpus[im->cpu];
	struct dvm_trace_record *r;

	if (c->run && (r = emit(im, DVM_TRACE_RUN))) {
		r->task = c->thread;
		r->amount = c->run;
	}
	c->run = 0;
	if (im->naccesses > im->first && (r = emit(im, DVM_TRACE_ACCESS_RUN))) {
		r->task = c->thread;
		r->mm = 1;
		r->va = im->first;
		r->amount = im->naccesses - im->first;
	}
	im->first = im->naccesses;
}

static void begin(struct access_import *im, unsigned cpu, unsigned thread)
{
	struct thread *t = &im->threads[thread];
	struct dvm_trace_record *r;

	flush(im);
	im->cpu = cpu;
	if (cpu >= im->ncpus)
		im->ncpus = cpu + 1;
	if (im->cpus[cpu].thread == thread)
		return;
	if (im->cpus[cpu].thread)
		im->threads[im->cpus[cpu].thread].runs = false;
	if (!t->known) {
		r = emit(im, DVM_TRACE_TASK_NEW);
		if (r) {
			r->task = thread;
			r->mm = 1;
			r->flags = DVM_TRACE_F_THREAD;
		}
	} else if (t->runs) { /* told to run elsewhere without leaving: it leaves now */
		im->cpu = t->cpu;
		emit(im, DVM_TRACE_SWITCH);
		im->cpus[t->cpu].thread = 0;
		im->cpu = cpu;
	}
	if (t->known && t->cpu != cpu && (r = emit(im, DVM_TRACE_MIGRATE))) {
		r->task = thread;
		r->id = t->cpu;
		r->target = (uint16_t)cpu;
	}
	*t = (struct thread){ .cpu = (uint16_t)cpu, .known = true, .runs = true };
	im->cpus[cpu].thread = thread;
	r = emit(im, DVM_TRACE_SWITCH);
	if (r) {
		r->task = thread;
		r->mm = 1;
	}
}

static void add(struct access_import *im, uint64_t access)
{
	struct cpu *c = &im->cpus[im->cpu];
	bool fetch = access & DVM_TRACE_ACCESS_FETCH;
	uint64_t page = PAGES(access & DVM_TRACE_ACCESS_VA) + 1, *last;
	void *p;

	im->all++;
	/* a write after a read of the same page may take a fault of its own: kept */
	last = fetch ? &c->fetch_page : &c->data_page;
	page |= access & DVM_TRACE_ACCESS_WRITE ? UINT64_C(1) << 63 : 0;
	if (*last == page || (*last & ~(UINT64_C(1) << 63)) == page)
		return;
	*last = page;
	if (!c->thread)
		begin(im, im->cpu, im->cpu + 1);
	if (im->naccesses == im->capacity) {
		size_t n = im->capacity ? 2 * im->capacity : 1 << 16;

		p = n <= MAX_ACCESSES ? realloc(im->accesses, n * sizeof(*im->accesses)) : NULL;
		if (!p) {
			im->nomem = n <= MAX_ACCESSES;
			im->full = true;
			return;
		}
		im->accesses = p;
		im->capacity = n;
	}
	im->accesses[im->naccesses++] = access;
	if (im->naccesses - im->first == CHUNK)
		flush(im);
}

static void run(struct access_import *im, uint64_t instructions)
{
	struct cpu *c = &im->cpus[im->cpu];

	if (!c->thread)
		begin(im, im->cpu, im->cpu + 1);
	im->instructions += instructions;
	c->run += instructions;
	if (c->run > UINT64_C(1) << 39) /* a record holds 2^40 */
		flush(im);
}

/* ---- lackey: "I  04025310,3", " S 1ffefffc58,8", " L ...", " M ..." (a load, then a store) ---- */

static bool take_line(struct access_import *im, const char *line)
{
	char kind = '\0', *end;
	uint64_t va;

	if (line[0] == 'I')
		kind = 'I';
	else if (line[0] == ' ')
		kind = line[1];

	if (!strchr("ISLM", kind) || !kind || !line[1] || !line[2])
		return false;
	va = strtoull(line + 2, &end, 16);
	if (*end != ',' || end == line + 2 || va & ~DVM_TRACE_ACCESS_VA)
		return false;
	if (kind == 'I') {
		run(im, 1);
		add(im, va | DVM_TRACE_ACCESS_FETCH);
	} else {
		add(im, va | (kind == 'L' ? 0 : DVM_TRACE_ACCESS_WRITE));
	}
	return true;
}

static int read_lackey(struct access_import *im, FILE *f, const char *path, struct dvm_error *err)
{
	char line[512];

	while (!im->nomem && !im->full && fgets(line, sizeof(line), f))
		if (strncmp(line, "==", 2) != 0 && !take_line(im, line))
			im->malformed += line[0] != '\n';
	if (!im->all)
		return fail(err, DVM_EFORMAT, path, "holds no line of valgrind's lackey ('I  04025310,3', "
			    "' S 1ffefffc58,8'); record with --tool=lackey --trace-mem=yes");
	return 0;
}

/* ---- words ---- */

static const char *take_word(struct access_import *im, uint64_t word)
{
	uint64_t value = word & DVM_TRACE_ACCESS_VA;

	if (!(word >> 63)) {
		if (word & ~(DVM_TRACE_ACCESS_VA | DVM_TRACE_ACCESS_WRITE | DVM_TRACE_ACCESS_FETCH))
			return "bits 50 to 62 of an access must be 0";
		add(im, word);
		return NULL;
	}
	switch (word >> 48) {
	case 0x8000 | WORD_RUN << 8:
		if (value > UINT64_C(1) << 39)
			return "more than 2^39 instructions in one word";
		run(im, value);
		return NULL;
	case 0x8000 | WORD_CPU << 8:
		if (value >= 1024)
			return "a CPU number above 1023";
		flush(im);
		im->cpu = (unsigned)value;
		if (im->cpu >= im->ncpus)
			im->ncpus = im->cpu + 1;
		return NULL;
	case 0x8000 | WORD_THREAD << 8:
		if (value < 1 || value >= THREADS)
			return "a thread number that is not from 1 to 4095";
		begin(im, im->cpu, (unsigned)value);
		return NULL;
	default:
		return "a control word of an unknown kind";
	}
}

static int read_words(struct access_import *im, FILE *f, const char *path, struct dvm_error *err)
{
	unsigned char b[8];
	uint64_t number = 0;
	const char *bad = NULL;
	size_t n = 0;

	while (!bad && !im->nomem && !im->full && (n = fread(b, 1, sizeof(b), f)) == sizeof(b)) {
		uint64_t word = 0;

		for (int i = 8; i--;)
			word = word << 8 | b[i];
		bad = take_word(im, word);
		number += !bad;
	}
	if (bad || (!im->full && n && n < sizeof(b)))
		return fail(err, DVM_EFORMAT, path, "word %" PRIu64 ": %s", number,
			    bad ? bad : "the file ends within it");
	if (!im->all)
		return fail(err, DVM_EFORMAT, path, "holds no accesses");
	return 0;
}

/* ---- the trace ---- */

static void put_text(FILE *f, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(f, "\"%s\":\"", key);
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20)
			continue;
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
	fputs("\",", f);
}

static char *make_header(const struct access_import *im, const struct import_options *opt,
			 const char *source)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "{\"format\":\"dvmsim.trace/1\",\"source\":\"%s\",", source);
	put_text(f, "kernel", opt->kernel);
	put_text(f, "machine", opt->machine);
	put_text(f, "command", opt->command);
	put_text(f, "window", opt->window);
	put_text(f, "recipe", opt->recipe);
	fprintf(f, "\"ncpus\":%u,\"page_bytes\":4096,\"va_bits\":48,\"clock\":\"accesses so far\","
		"\"recorded\":[\"memory accesses of one program: addresses, reads, writes, fetches\"],"
		"\"not_recorded\":[{\"what\":\"accesses to the page of the last access of that kind\","
		"\"filled\":\"left out: they can not miss where the last one did not\"},"
		"{\"what\":\"the kernel: faults, flushes, switches\",\"filled\":\"none\"}],"
		"\"import\":[\"%" PRIu64 " accesses, %zu of them kept; %" PRIu64 " instructions; %" PRIu64
		" lines passed over\"]}", im->ncpus, im->all, im->naccesses, im->instructions,
		im->malformed);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int make_trace(struct access_import *im, const struct import_options *opt, const char *source,
		      struct dvm_trace **trace, struct dvm_error *err)
{
	struct dvm_trace_record mm = { .kind = DVM_TRACE_MM_NEW, .flags = DVM_TRACE_F_INITIAL, .mm = 1 };
	char *header = make_header(im, opt, source);
	struct dvm_trace *t = NULL;
	int ret = header ? dvm_trace_new(header, &t, err) :
			   fail(err, DVM_ENOMEM, "", "out of memory");

	free(header);
	if (!ret)
		ret = dvm_trace_append_accesses(t, im->accesses, im->naccesses, err);
	if (!ret)
		ret = dvm_trace_append(t, &mm, 1, err);
	if (!ret)
		ret = dvm_trace_append(t, im->records, im->nrecords, err);
	if (ret)
		dvm_trace_free(t);
	else
		*trace = t;
	return ret;
}

static int import(const char *path, const struct import_options *opt, bool words, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err)
{
	struct access_import *im = calloc(1, sizeof(*im));
	FILE *f = fopen(path, "rb");
	int ret = 0;

	if (im)
		im->cpus = calloc(1024, sizeof(*im->cpus));
	if (!im || !im->cpus) {
		ret = fail(err, DVM_ENOMEM, path, "out of memory");
	} else if (!f) {
		ret = fail(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, "%s", strerror(errno));
	} else {
		im->ncpus = 1;
		ret = (words ? read_words : read_lackey)(im, f, path, err);
		flush(im);
	}
	if (!ret && im && im->nomem)
		ret = fail(err, DVM_ENOMEM, path, "out of memory");
	if (!ret && im && im->full)
		ret = fail(err, DVM_ELIMIT, path, "more than 2^28 accesses; record a shorter part");
	if (!ret && im)
		ret = make_trace(im, opt, words ? "memory accesses, 8-byte words" :
				 "valgrind lackey", trace, err);
	if (!ret && im && report)
		fprintf(report, "%" PRIu64 " accesses, %zu kept; %" PRIu64 " instructions; %" PRIu64
			" lines passed over\n", im->all, im->naccesses, im->instructions,
			im->malformed);
	if (f)
		fclose(f);
	if (im) {
		free(im->accesses);
		free(im->records);
		free(im->cpus);
	}
	free(im);
	return ret;
}

int import_lackey(const char *path, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err)
{
	return import(path, options, false, report, trace, err);
}

int import_accesses(const char *path, const struct import_options *options, FILE *report,
		    struct dvm_trace **trace, struct dvm_error *err)
{
	return import(path, options, true, report, trace, err);
}
