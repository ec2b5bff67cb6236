/* SPDX-License-Identifier: MIT */
/*
 * How fast the TLBs are. bench_tlb [FILE...]: without files, synthetic streams and broadcasts; a
 * file is an access stream of 8-byte little-endian records: VA[47:0], bit 48 write, bit 49 fetch,
 * bit 50 upper half. docs/performance.md explains the lines.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "hw/tlb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEATS 7

static const struct dvmi_tlb_geometry geometry = {
	.granule_bits = 12,
	.va_bits = 48,
	.l1i_entries = 48,
	.l1d_entries = 48,
	.l2_entries = 2048,
	.l2_ways = 8,
	.walk_cache_entries = 64,
	.walkers = 2,
	.l2_hit_ps = 2000,
	.walk_step_ps = 5000,
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void die(const char *what)
{
	fprintf(stderr, "bench_tlb: %s\n", what);
	exit(2);
}

/* ---- streams ---- */

/*
 * Rank r of a page is drawn with probability proportional to 1/r (uniform over octaves, then
 * within the octave); each visit makes a sequential run of 1..15 accesses of 8 bytes, mean 8, and
 * each data access follows two instruction fetches that go on where the last ones stopped and
 * jump to another page after 1..63 fetches.
 */
struct locality {
	const char *name;
	unsigned data_octaves, code_octaves; /* log2 of the pages */
};

static const struct locality localities[] = {
	{ "tight", 6, 5 },
	{ "small", 8, 5 },
	{ "medium", 11, 7 },
	{ "large", 15, 9 },
};

static uint64_t zipf_page(struct dvmi_rng *rng, unsigned octaves)
{
	unsigned k = (unsigned)dvmi_rng_below(rng, octaves);
	uint64_t rank = (UINT64_C(1) << k) + dvmi_rng_below(rng, UINT64_C(1) << k);

	/* Spread the ranks over the pages: popular pages are not neighbours. */
	return rank * 2654435761u % (UINT64_C(1) << octaves);
}

static uint64_t *make_stream(const struct locality *l, size_t n)
{
	uint64_t *r = dvmi_calloc(n, sizeof(*r)), data = 0, code = 0;
	unsigned data_left = 0, code_left = 0;
	struct dvmi_rng rng;

	if (!r)
		die("out of memory");
	dvmi_rng_init(&rng, 1, l->data_octaves);
	for (size_t i = 0; i < n; i++) {
		if (i % 3 < 2) {
			if (!code_left--) {
				code = UINT64_C(0x400000000000) +
				       (zipf_page(&rng, l->code_octaves) << 12) +
				       dvmi_rng_below(&rng, 900) * 4;
				code_left = (unsigned)dvmi_rng_below(&rng, 63);
			}
			r[i] = code | DVMI_ACCESS_FETCH;
			code += 4;
		} else {
			if (!data_left--) {
				data = UINT64_C(0x7f0000000000) +
				       (zipf_page(&rng, l->data_octaves) << 12) +
				       dvmi_rng_below(&rng, 490) * 8;
				data_left = (unsigned)dvmi_rng_below(&rng, 15);
			}
			r[i] = data | (dvmi_rng_next(&rng) % 4 ? 0 : DVMI_ACCESS_WRITE);
			data += 8;
		}
	}
	return r;
}

static void replay(const char *name, const uint64_t *records, size_t n)
{
	const struct dvmi_tlb_context context = { .asid = 1 };
	struct dvmi_tlb_stats stats = { 0 };
	double rate[REPEATS];

	for (int k = 0; k < REPEATS; k++) {
		struct dvmi_tlb_clock clock = { 0, UINT64_MAX, 300, 0 };
		enum dvmi_tlb_stop stop;
		struct dvmi_tlb *tlb;
		double start;

		if (dvmi_tlb_new(&tlb, &geometry, NULL, 0, NULL))
			die("out of memory");
		start = now_ns();
		if (dvmi_tlb_run(tlb, &context, records, n, &clock, &stop) != n)
			die("the stream stopped early");
		rate[k] = (double)n / (now_ns() - start) * 1e3;
		stats = *dvmi_tlb_stats(tlb);
		dvmi_tlb_free(tlb);
	}
	median(rate, REPEATS);
	printf("tlb-replay stream=%s accesses=%zu l1_miss_pct=%.3f l2_miss_pct=%.3f "
	       "maccess_per_s_median=%.0f min=%.0f max=%.0f\n",
	       name, n, 100.0 * (double)(stats.l1i_misses + stats.l1d_misses) / (double)n,
	       100.0 * (double)stats.walks / (double)n, rate[REPEATS / 2], rate[0],
	       rate[REPEATS - 1]);
	fflush(stdout);
}

/* ---- broadcasts ---- */

#define CPUS_MAX 1024

struct machine {
	struct dvmi_tlb_log *log;
	struct dvmi_tlb *tlb[CPUS_MAX];
	unsigned cpus;
};

static void machine_init(struct machine *m, unsigned cpus, int full)
{
	static uint64_t pages[4096];
	const struct dvmi_tlb_context context = { .asid = 1 };
	struct dvmi_granule g;

	m->cpus = cpus;
	if (dvmi_granule_init(&g, 12, 48, NULL) || dvmi_tlb_log_new(&m->log, &g, NULL))
		die("out of memory");
	for (unsigned i = 0; i < 4096; i++)
		pages[i] = (uint64_t)i << 12 | (i & 1 ? DVMI_ACCESS_FETCH : 0);
	for (unsigned c = 0; c < cpus; c++) {
		struct dvmi_tlb_clock clock = { 0, UINT64_MAX, 0, 0 };
		enum dvmi_tlb_stop stop;

		if (dvmi_tlb_new(&m->tlb[c], &geometry, m->log, c * 10, NULL))
			die("out of memory");
		/* Full: all slots hold pages of the very address space that is flushed. */
		if (full && c)
			dvmi_tlb_run(m->tlb[c], &context, pages, 4096, &clock, &stop);
	}
}

static void machine_fini(struct machine *m)
{
	for (unsigned c = 0; c < m->cpus; c++)
		dvmi_tlb_free(m->tlb[c]);
	dvmi_tlb_log_free(m->log);
}

enum flushes { LOOP, DISTINCT, WHOLE };
static const char *const flush_names[] = { "64-pages", "distinct", "asid" };

static struct dvmi_inval flush_of(enum flushes kind, unsigned i)
{
	struct dvmi_inval inval = { .kind = DVMI_INVAL_VA,
				    .asid = 1,
				    .leaf_only = 1,
				    .ttl = DVMI_TTL_NONE };

	/* Addresses the full TLBs do not hold: they stay full for the whole measurement. */
	inval.va = (UINT64_C(1) << 32) + ((uint64_t)(kind == LOOP ? i % 64 : i) << 12);
	if (kind == WHOLE) {
		inval.kind = DVMI_INVAL_ASID;
		inval.asid = 2;
	}
	return inval;
}

/* @acting: CPUs that act after each broadcast, hence apply it; the others idle. */
static void broadcasts(unsigned cpus, unsigned acting, int full, enum flushes kind)
{
	enum { POSTS = 200000 };
	unsigned posts = acting > 1 ? POSTS / 20 : POSTS;
	struct machine m;
	double ns[3];

	for (int k = 0; k < 3; k++) {
		uint64_t now = 1000000;
		double start;

		machine_init(&m, cpus, full);
		start = now_ns();
		for (unsigned i = 0; i < posts; i++) {
			struct dvmi_inval inval = flush_of(kind, i);

			if (dvmi_tlb_log_post(m.log, &inval, now, NULL))
				die("post");
			now += 100000;
			dvmi_tlb_log_horizon(m.log, now);
			for (unsigned c = 0; c < acting; c++)
				dvmi_tlb_settle(m.tlb[c], now);
		}
		/* The idle ones wake up in the end: nothing stays unpaid. */
		for (unsigned c = acting; c < cpus; c++)
			dvmi_tlb_settle(m.tlb[c], now);
		ns[k] = (now_ns() - start) / posts;
		if (k == 2)
			printf("tlb-broadcast cpus=%u acting=%u idle_tlbs=%s flushes=%s "
			       "ns_per_broadcast=%.1f bytes_per_cpu=%zu log_bytes=%zu\n",
			       cpus, acting, full ? "full" : "empty", flush_names[kind],
			       median(ns, 3), dvmi_tlb_bytes(m.tlb[0]), dvmi_tlb_log_bytes(m.log));
		machine_fini(&m);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct dvm_error err;
		char *data;
		size_t size;

		if (dvmi_file_load(argv[i], (size_t)1 << 31, &data, &size, &err))
			die(err.text);
		replay(argv[i], (const uint64_t *)(const void *)data, size / 8);
		dvmi_free(data);
	}
	if (argc > 1)
		return 0;
	for (size_t i = 0; i < sizeof(localities) / sizeof(*localities); i++) {
		size_t n = 20000000;
		uint64_t *records = make_stream(&localities[i], n);

		replay(localities[i].name, records, n);
		dvmi_free(records);
	}
	for (unsigned cpus = 8; cpus <= CPUS_MAX; cpus *= 2) {
		for (int kind = LOOP; kind <= WHOLE; kind++) {
			broadcasts(cpus, 1, 0, (enum flushes)kind);
			broadcasts(cpus, 1, 1, (enum flushes)kind);
		}
		broadcasts(cpus, cpus, 1, LOOP);
	}
	return 0;
}
