/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/bitmap.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernel/asid.h"
#include "kernel/asid_check.h"
#include "program/program.h"

#include <dvmsim/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- single steps, against arch/arm64/mm/context.c ---- */

static void init(struct dvmi_asids *a, unsigned bits, bool kpti, uint32_t mms)
{
	struct dvmi_asid_rules rules = { .bits = bits, .cpus = 2, .kpti = kpti };

	ck_assert_int_eq(dvmi_asids_init(a, &rules, mms), 0);
}

/* The slow path without its lock. */
static enum dvmi_asid_path allocate(struct dvmi_asids *a, unsigned cpu, uint32_t mm)
{
	enum dvmi_asid_path path;
	uint64_t id;

	if (!dvmi_asid_find(a, mm, &id, &path)) {
		dvmi_asid_rollover(a);
		dvmi_asid_find_after(a, &id, &path);
	}
	dvmi_asid_write(a, mm, id);
	dvmi_asid_take_flush(a, cpu);
	dvmi_asid_activate(a, cpu, id);
	return path;
}

static const struct {
	unsigned bits;
	bool kpti;
	unsigned usable; /* ASID 0 is nobody's; under KPTI the odd half is the user side */
} sizes[] = {
	{ 8, false, 255 }, { 8, true, 127 }, { 16, false, 65535 }, { 16, true, 32767 },
};

START_TEST(a_generation_hands_out_every_usable_asid_once)
{
	struct dvmi_asids a;
	uint64_t *seen = calloc(65536 / 64, sizeof(*seen));
	unsigned usable = sizes[_i].usable;

	init(&a, sizes[_i].bits, sizes[_i].kpti, usable + 2);
	for (uint32_t mm = 1; mm <= usable; mm++) {
		uint16_t asid;

		ck_assert_int_eq(allocate(&a, 0, mm), DVMI_ASID_FRESH);
		asid = dvmi_asid_number(&a, dvmi_asid_id(&a, mm));
		ck_assert_uint_ne(asid, 0);
		ck_assert(!sizes[_i].kpti || asid % 2 == 0);
		ck_assert(!dvmi_bitmap_test(seen, asid));
		dvmi_bitmap_set(seen, asid);
	}
	ck_assert_int_eq(allocate(&a, 0, usable + 1), DVMI_ASID_ROLLOVER);
	ck_assert_uint_eq(a.generation, UINT64_C(2) << sizes[_i].bits);
	dvmi_asids_fini(&a);
	free(seen);
}
END_TEST

START_TEST(kpti_is_assumed_until_the_first_rollover)
{
	struct dvmi_asid_rules rules = { .bits = 8, .cpus = 2, .kpti_at_boot = true };
	struct dvmi_asids a;

	ck_assert_int_eq(dvmi_asids_init(&a, &rules, 500), 0);
	for (uint32_t mm = 1; mm <= 127; mm++)
		ck_assert_int_eq(allocate(&a, 0, mm), DVMI_ASID_FRESH);
	ck_assert_int_eq(allocate(&a, 0, 128), DVMI_ASID_ROLLOVER);
	/* Now 255, less the one that CPU 0 ran and the one just given. */
	for (uint32_t mm = 129; mm < 129 + 253; mm++)
		ck_assert_int_eq(allocate(&a, 0, mm), DVMI_ASID_FRESH);
	ck_assert_int_eq(allocate(&a, 0, 129 + 253), DVMI_ASID_ROLLOVER);
	dvmi_asids_fini(&a);
}
END_TEST

START_TEST(fast_path_needs_this_generation_and_an_active_asid)
{
	struct dvmi_asids a;

	init(&a, 8, false, 4);
	ck_assert(!dvmi_asid_fast(&a, 0, 1)); /* no id */
	allocate(&a, 0, 1);
	allocate(&a, 0, 2);
	ck_assert(dvmi_asid_fast(&a, 0, 1));
	ck_assert_uint_eq(a.active[0], dvmi_asid_id(&a, 1));
	ck_assert(!dvmi_asid_fast(&a, 1, 1)); /* CPU 1 has nothing active */
	dvmi_asid_rollover(&a);
	ck_assert(!dvmi_asid_fast(&a, 0, 1));
	dvmi_asids_fini(&a);
}
END_TEST

START_TEST(each_path_of_new_context_is_taken_when_its_condition_holds)
{
	struct dvmi_asids a;
	uint16_t asid[6];

	init(&a, 8, false, 8);
	for (uint32_t mm = 1; mm <= 4; mm++) {
		allocate(&a, mm % 2, mm);
		asid[mm] = dvmi_asid_number(&a, dvmi_asid_id(&a, mm));
	}
	ck_assert_uint_eq(dvmi_asid_pin(&a, 1), asid[1]);
	dvmi_asid_rollover(&a); /* CPU 1 runs mm 3, CPU 0 mm 4 */
	ck_assert_uint_eq(a.flush_pending[0], 3);
	ck_assert_int_eq(allocate(&a, 0, 3), DVMI_ASID_RESERVED);
	ck_assert_uint_eq(a.flush_pending[0], 2); /* CPU 0 has flushed itself, CPU 1 has not */
	ck_assert_int_eq(allocate(&a, 0, 1), DVMI_ASID_PINNED);
	ck_assert_int_eq(allocate(&a, 0, 2), DVMI_ASID_BIT_FREE);
	for (uint32_t mm = 1; mm <= 3; mm++)
		ck_assert_uint_eq(dvmi_asid_number(&a, dvmi_asid_id(&a, mm)), asid[mm]);
	ck_assert_int_eq(allocate(&a, 0, 5), DVMI_ASID_FRESH);
	dvmi_asids_fini(&a);
}
END_TEST

START_TEST(a_cpu_that_never_switches_keeps_its_asid_over_many_rollovers)
{
	struct dvmi_asids a;
	uint16_t asid;

	init(&a, 8, false, 4);
	allocate(&a, 1, 1);
	asid = dvmi_asid_number(&a, dvmi_asid_id(&a, 1));
	for (int i = 0; i < 5; i++)
		dvmi_asid_rollover(&a);
	ck_assert(dvmi_bitmap_test(a.map, asid));
	ck_assert_int_eq(allocate(&a, 0, 1), DVMI_ASID_RESERVED);
	ck_assert_uint_eq(dvmi_asid_number(&a, dvmi_asid_id(&a, 1)), asid);
	dvmi_asids_fini(&a);
}
END_TEST

/* max_pinned = usable - CPUs - 2: what is left can not run out. */
START_TEST(pins_are_limited_and_survive_rollovers_until_dropped)
{
	struct dvmi_asids a;
	uint16_t asid;

	init(&a, 8, true, 200);
	for (uint32_t mm = 1; mm <= 128 - 2 - 2; mm++)
		ck_assert_uint_eq(dvmi_asid_pin(&a, mm) % 2, 1); /* the user half */
	ck_assert_uint_eq(dvmi_asid_pin(&a, 150), 0);
	asid = dvmi_asid_number(&a, dvmi_asid_id(&a, 7));
	dvmi_asid_rollover(&a);
	ck_assert(dvmi_bitmap_test(a.map, asid));
	ck_assert_uint_ne(dvmi_asid_pin(&a, 7), 0); /* a second user of the same pin */
	dvmi_asid_unpin(&a, 7);
	ck_assert_uint_eq(dvmi_asid_pin(&a, 150), 0);
	dvmi_asid_unpin(&a, 7);
	ck_assert_uint_ne(dvmi_asid_pin(&a, 150), 0);
	dvmi_asids_fini(&a);
}
END_TEST

static const struct {
	struct dvmi_asid_rules rules;
	int ret;
} refused[] = {
	{ { .bits = 8, .cpus = 255 }, -DVM_ELIMIT },
	{ { .bits = 8, .cpus = 254 }, 0 },
	{ { .bits = 8, .cpus = 126, .kpti = true }, 0 },
	{ { .bits = 8, .cpus = 127, .kpti = true }, -DVM_ELIMIT },
	{ { .bits = 8, .cpus = 127, .kpti_at_boot = true }, -DVM_ELIMIT },
	{ { .bits = 17, .cpus = 2 }, -DVM_EINVAL },
	{ { .bits = 64, .cpus = 2 }, -DVM_EINVAL },
	{ { .bits = 2, .cpus = 1 }, -DVM_EINVAL },
	{ { .bits = 8, .cpus = 0 }, -DVM_EINVAL },
};

START_TEST(fewer_asids_than_cpus_are_refused)
{
	struct dvmi_asids a;

	ck_assert_int_eq(dvmi_asids_init(&a, &refused[_i].rules, 2), refused[_i].ret);
	if (!refused[_i].ret)
		dvmi_asids_fini(&a);
}
END_TEST

START_TEST(failing_allocations_are_reported)
{
	struct dvmi_asid_rules rules = { .bits = 8, .cpus = 2 };
	struct dvmi_asid_check *k;
	struct dvmi_asids a;
	unsigned long n;

	for (n = 1; n < 100; n++) {
		int ret;

		dvmi_mem_fail_at(n);
		ret = dvmi_asids_init(&a, &rules, 2);
		if (!ret) {
			dvmi_asids_fini(&a);
			ret = dvmi_asid_check_new(2, 2, &k);
		}
		if (!ret) {
			ret = dvmi_asid_check_install(k, 0, 1, 1);
			dvmi_asid_check_free(k);
		}
		dvmi_mem_fail_at(0);
		if (!ret)
			break;
		ck_assert_int_eq(ret, -DVM_ENOMEM);
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, 100);
}
END_TEST

START_TEST(paths_have_the_numbers_that_strategies_know)
{
	ck_assert_int_eq((int)DVMI_ASID_RESERVED, (int)DVMI_PATH_RESERVED);
	ck_assert_int_eq((int)DVMI_ASID_PINNED, (int)DVMI_PATH_PINNED);
	ck_assert_int_eq((int)DVMI_ASID_BIT_FREE, (int)DVMI_PATH_BIT_FREE);
	ck_assert_int_eq((int)DVMI_ASID_FRESH, (int)DVMI_PATH_FRESH);
	ck_assert_int_eq((int)DVMI_ASID_ROLLOVER, (int)DVMI_PATH_ROLLOVER);
}
END_TEST

/* ---- random steps of several CPUs ---- */

#define CPUS 5
#define MMS 24

/* What a CPU does next; each is one step of the kernel that others see as a whole. */
enum at { RUNS, ACTIVE, MATCH, SWAP, LOCK, FIND, ROLL, AFTER, WRITE, FLUSH, STORE, INSTALL,
	  SAMPLE, TLBI, OVER };

/* Lines the caller of the allocator owes it; left out like those in dvmi_asids.omit. */
enum { NO_LOCAL_FLUSH = 1 << 16, NO_RECHECK = 1 << 17 };

struct cpu {
	enum at at;
	uint32_t mm, in, of; /* in TTBR, being switched in, being flushed */
	struct dvmi_asid_try try;
	uint64_t id;
	unsigned roll;
	uint32_t change;
	uint16_t asid;
};

struct world {
	struct dvmi_asids a;
	struct dvmi_asid_check *check;
	struct dvmi_rng rng;
	struct cpu cpu[CPUS];
	int owner; /* of the lock, or -1 */
	unsigned omit;
	uint64_t rollovers, paths[5];
	int broken;
};

static void world_init(struct world *w, unsigned bits, bool kpti, unsigned omit, uint64_t seed)
{
	struct dvmi_asid_rules rules = { .bits = bits, .cpus = CPUS, .kpti = kpti,
					 .kpti_at_boot = true };

	memset(w, 0, sizeof(*w));
	ck_assert_int_eq(dvmi_asids_init(&w->a, &rules, MMS + 1), 0);
	ck_assert_int_eq(dvmi_asid_check_new(CPUS, MMS + 1, &w->check), 0);
	dvmi_rng_init(&w->rng, seed, bits);
	w->a.omit = omit & 0xffff;
	w->omit = omit;
	w->owner = -1;
}

static void world_fini(struct world *w)
{
	dvmi_asids_fini(&w->a);
	dvmi_asid_check_free(w->check);
}

static uint32_t below(struct world *w, uint32_t n)
{
	return (uint32_t)(dvmi_rng_next(&w->rng) >> 33) % n;
}

/* An address space nobody uses ends; another begins in its place. Often, to use ASIDs up. */
static void rebirth(struct world *w)
{
	uint32_t mm = 1 + below(w, MMS);

	if (w->a.mms[mm].pins)
		return;
	for (unsigned c = 0; c < CPUS; c++)
		if (w->cpu[c].mm == mm || w->cpu[c].in == mm || w->cpu[c].of == mm)
			return;
	w->a.mms[mm].id = 0;
}

static void pin(struct world *w)
{
	uint32_t mm = 1 + below(w, MMS);

	if (w->owner >= 0) /* under the lock */
		return;
	if (w->a.mms[mm].pins) {
		dvmi_asid_unpin(&w->a, mm);
	} else if (below(w, 8) == 0) {
		uint64_t generation = w->a.generation;

		dvmi_asid_pin(&w->a, mm);
		if (w->a.generation != generation)
			dvmi_asid_check_rollover(w->check);
	}
}

static void begin(struct world *w, struct cpu *c, unsigned n)
{
	/* Some run on many CPUs at once, most on one. */
	uint32_t mm = 1 + below(w, below(w, 2) ? MMS : 3), what = below(w, 16);

	if (what == 0) {
		pin(w);
	} else if (what < 5) {
		rebirth(w);
	} else if (what < 8) {
		c->of = mm;
		c->change = dvmi_asid_check_change(w->check, mm);
		c->at = SAMPLE;
	} else if (mm != c->mm) {
		c->in = mm;
		dvmi_asid_check_leave(w->check, n);
		dvmi_asid_read(&w->a, mm, &c->try);
		c->at = ACTIVE;
	}
}

/* Under the lock. */
static void slow(struct world *w, struct cpu *c, unsigned n)
{
	struct dvmi_asids *a = &w->a;
	enum dvmi_asid_path path;

	switch (c->at) {
	case FIND:
		c->id = dvmi_asid_id(a, c->in);
		c->at = FLUSH;
		if (w->omit & NO_RECHECK ? dvmi_asid_current(a, c->try.id) :
					   dvmi_asid_current(a, c->id))
			break;
		c->at = WRITE;
		if (dvmi_asid_find(a, c->in, &c->id, &path)) {
			w->paths[path]++;
			break;
		}
		dvmi_asid_rollover_begin(a);
		c->roll = 0;
		c->at = ROLL;
		break;
	case ROLL:
		dvmi_asid_rollover_cpu(a, c->roll++);
		c->at = c->roll < CPUS ? ROLL : AFTER;
		break;
	case AFTER:
		dvmi_asid_rollover_end(a);
		dvmi_asid_check_rollover(w->check);
		dvmi_asid_find_after(a, &c->id, &path);
		w->paths[path]++;
		w->rollovers++;
		c->at = WRITE;
		break;
	case WRITE:
		dvmi_asid_write(a, c->in, c->id);
		c->at = FLUSH;
		break;
	case FLUSH:
		if (dvmi_asid_take_flush(a, n) && !(w->omit & NO_LOCAL_FLUSH))
			dvmi_asid_check_flush(w->check, n);
		c->at = STORE;
		break;
	default:
		dvmi_asid_activate(a, n, c->id);
		w->owner = -1;
		c->at = INSTALL;
		break;
	}
}

static void step(struct world *w)
{
	/* Two CPUs are slow: whole generations pass between their switches. */
	unsigned n = below(w, 16) ? below(w, CPUS - 2) : CPUS - 2 + below(w, 2);
	struct cpu *c = &w->cpu[n];
	struct dvmi_asids *a = &w->a;

	switch (c->at) {
	case RUNS:
		begin(w, c, n);
		break;
	case ACTIVE:
		dvmi_asid_read_active(a, n, &c->try);
		c->at = MATCH;
		break;
	case MATCH:
		c->at = dvmi_asid_current(a, c->try.id) ? SWAP : LOCK;
		break;
	case SWAP:
		c->at = dvmi_asid_swap(a, n, &c->try) ? INSTALL : LOCK;
		break;
	case LOCK:
		if (w->owner < 0) {
			w->owner = (int)n;
			c->at = FIND;
		}
		break;
	case INSTALL: /* cpu_switch_mm() reads mm.context.id again */
		c->mm = c->in;
		c->in = 0;
		w->broken = dvmi_asid_check_install(w->check, n, c->mm,
						    dvmi_asid_number(a, dvmi_asid_id(a, c->mm)));
		c->at = RUNS;
		break;
	case SAMPLE:
		c->asid = dvmi_asid_number(a, dvmi_asid_id(a, c->of));
		c->at = TLBI;
		break;
	case TLBI:
		dvmi_asid_check_tlbi(w->check, c->asid);
		c->at = OVER;
		break;
	case OVER:
		w->broken = (int)dvmi_asid_check_completed(
			w->check, c->of, dvmi_asid_number(a, dvmi_asid_id(a, c->of)), c->change);
		c->of = 0;
		c->at = RUNS;
		break;
	default:
		slow(w, c, n);
		break;
	}
}

/* Steps until a rule is broken, at most @max. */
static uint64_t walk(struct world *w, uint64_t max)
{
	uint64_t i;

	for (i = 0; i < max && !w->broken; i++)
		step(w);
	return i;
}

/* KPTI halves 16 ASIDs to 8: with 5 CPUs and ASID 0 nearly the tightest there is. */
static const struct {
	unsigned bits;
	bool kpti;
} worlds[] = { { 4, false }, { 4, true }, { 5, true }, { 8, false }, { 8, true } };

#define WORLDS (sizeof(worlds) / sizeof(worlds[0]))

static uint64_t steps_each(void)
{
	const char *text = getenv("DVMSIM_ASID_STEPS");

	return text ? strtoull(text, NULL, 10) : 1000000;
}

START_TEST(rules_hold_after_every_step)
{
	struct world w;

	world_init(&w, worlds[_i].bits, worlds[_i].kpti, 0, 1);
	walk(&w, steps_each());
	ck_assert_msg(!w.broken, "%s", dvmi_asid_rule_names[w.broken]);
	ck_assert_uint_gt(w.rollovers, 20);
	for (int p = 0; p < 5; p++)
		ck_assert_msg(w.paths[p] > 10, "path %d was hardly taken", p);
	world_fini(&w);
}
END_TEST

/* A line less, and a rule breaks: the checker sees what each line is for. */
static const struct {
	const char *what;
	unsigned omit;
} mutants[] = {
	{ "active ASIDs are not exchanged for 0", DVMI_ASID_OMIT_XCHG },
	{ "reserved ASIDs are not carried over", DVMI_ASID_OMIT_CARRY },
	{ "reserved ASIDs are handed out", DVMI_ASID_OMIT_RESERVED_BIT },
	{ "no flush is asked for", DVMI_ASID_OMIT_PENDING },
	{ "reserved ASIDs are not looked up", DVMI_ASID_OMIT_RESERVED },
	{ "one copy of a reserved ASID is updated", DVMI_ASID_OMIT_ALL_COPIES },
	{ "the fast path stores blindly", DVMI_ASID_OMIT_CAS },
	{ "pinned ASIDs are handed out", DVMI_ASID_OMIT_PINNED_MAP },
	{ "the flush asked for is not made", NO_LOCAL_FLUSH },
	{ "the generation is not read again under the lock", NO_RECHECK },
};

START_TEST(allocator_without_one_line_breaks_a_rule)
{
	uint64_t steps = 0;
	struct world w;

	for (unsigned n = 0; n < WORLDS; n++) {
		world_init(&w, worlds[n].bits, worlds[n].kpti, mutants[_i].omit, 2);
		steps = walk(&w, 2000000);
		world_fini(&w);
		if (w.broken)
			break;
	}
	ck_assert_msg(w.broken, "%s: nothing noticed in %llu steps", mutants[_i].what,
		      (unsigned long long)steps);
	if (getenv("DVMSIM_ASID_VERBOSE"))
		printf("%s: %s (%llu)\n", mutants[_i].what, dvmi_asid_rule_names[w.broken],
		       (unsigned long long)steps);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "asid");

	tcase_add_loop_test(tc, a_generation_hands_out_every_usable_asid_once, 0,
			    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, kpti_is_assumed_until_the_first_rollover);
	tcase_add_test(tc, fast_path_needs_this_generation_and_an_active_asid);
	tcase_add_test(tc, each_path_of_new_context_is_taken_when_its_condition_holds);
	tcase_add_test(tc, a_cpu_that_never_switches_keeps_its_asid_over_many_rollovers);
	tcase_add_test(tc, pins_are_limited_and_survive_rollovers_until_dropped);
	tcase_add_loop_test(tc, fewer_asids_than_cpus_are_refused, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, failing_allocations_are_reported);
	tcase_add_test(tc, paths_have_the_numbers_that_strategies_know);
	tc = check_case(suite, "asid-random");
	tcase_add_loop_test(tc, rules_hold_after_every_step, 0, WORLDS);
	tcase_add_loop_test(tc, allocator_without_one_line_breaks_a_rule, 0,
			    sizeof(mutants) / sizeof(mutants[0]));
}

CHECK_MAIN("kernel asid", add_cases)
