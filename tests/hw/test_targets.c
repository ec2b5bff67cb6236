/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/rng.h"
#include "hw/targets.h"
#include "machine.h"

#include <string.h>

/*
 * Lines against loops: two sets of targets get the same distributions, one of them forbidden to
 * use lines. Loads of several kinds, so that lines begin, close their gaps, break and begin again.
 */
#define ROUNDS 400
#define STEPS 60

static struct dvmi_hw random_costs(struct dvmi_rng *rng)
{
	static const uint64_t ps[] = {0, 1, 100, 500, 1000, 20000, 300000};
	struct dvmi_hw hw = test_machine(1, 1, 1, 1, 1);

	hw.dvm_snoop_part_ps = ps[dvmi_rng_below(rng, 5)];
	hw.dvm_snoop_ps = ps[dvmi_rng_below(rng, 7)];
	hw.dvm_response_ps = ps[dvmi_rng_below(rng, 7)];
	hw.dvm_target_op_ps = ps[dvmi_rng_below(rng, 7)];
	hw.dvm_target_sync_ps = ps[dvmi_rng_below(rng, 7)];
	hw.dvm_die_link_ps = dvmi_rng_below(rng, 3) ? 0 : ps[dvmi_rng_below(rng, 7)];
	return hw;
}

/* All but @only are answered for, or none is any longer. */
static void spare_others(struct dvmi_targets *t, uint32_t only, uint8_t spared)
{
	for (uint32_t j = 0; j < t->count; j++)
		if (j != only && t->spared[j] != spared)
			dvmi_targets_spare(t, j, 1, spared);
}

/*
 * Some operations for one target alone, then a Sync for all, which it answers later than others:
 * the next distribution, which leaves it out, must remember that.
 */
static uint64_t make_late(struct dvmi_targets *t, uint32_t only, uint64_t now)
{
	spare_others(t, only, 1);
	for (int i = 0; i < 3; i++)
		now = dvmi_targets_op(t, now, DVMI_TARGET_NONE).free_ps;
	spare_others(t, only, 0);
	return dvmi_targets_sync(t, now, DVMI_TARGET_NONE).free_ps;
}

/* How many distributions were lines, in all. */
static uint64_t straight[2], distributions;

static void one_round(uint64_t seed)
{
	struct dvmi_targets line, plain;
	struct dvmi_rng rng;
	struct dvmi_hw hw;
	uint64_t now = 0, pause, gap_ps, skips;
	uint32_t n, dies, last = 0;

	dvmi_rng_init(&rng, seed, 7);
	hw = random_costs(&rng);
	n = 9 + (uint32_t)dvmi_rng_below(&rng, 40);
	dies = hw.dvm_die_link_ps ? (n + 1) / 2 : n;
	skips = dvmi_rng_below(&rng, 3);
	pause = (uint64_t[]){0, 3000, 700000}[dvmi_rng_below(&rng, 3)];
	/* Targets just as slow as the distributor, give or take a step: lines touch. */
	if (dvmi_rng_below(&rng, 3) == 0) {
		uint64_t parts = 2 * hw.dvm_snoop_part_ps * (n - 2 + dvmi_rng_below(&rng, 4));

		hw.dvm_target_op_ps = parts;
		hw.dvm_target_sync_ps = parts;
		hw.dvm_snoop_ps = hw.dvm_response_ps = 0;
	}
	ck_assert_int_eq(dvmi_targets_init(&line, &hw, n, dies), 0);
	ck_assert_int_eq(dvmi_targets_init(&plain, &hw, n, dies), 0);
	plain.plain = 1;
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t skip =
			i && dvmi_rng_below(&rng, 2) ? last : (uint32_t)dvmi_rng_below(&rng, n);
		bool sync = dvmi_rng_below(&rng, 2);
		struct dvmi_distribution a, b;

		if (skips == 0 || (skips == 1 && dvmi_rng_below(&rng, 4)))
			skip = DVMI_TARGET_NONE;
		last = skip;
		if (dvmi_rng_below(&rng, 60) == 0) {
			uint32_t at = (uint32_t)dvmi_rng_below(&rng, n);
			uint8_t spared = !line.spared[at];

			dvmi_targets_spare(&line, at, 1, spared);
			dvmi_targets_spare(&plain, at, 1, spared);
		} else if (skip != DVMI_TARGET_NONE && dvmi_rng_below(&rng, 10) == 0) {
			make_late(&line, skip, now);
			now = make_late(&plain, skip, now);
		}
		a = sync ? dvmi_targets_sync(&line, now, skip) : dvmi_targets_op(&line, now, skip);
		b = sync ? dvmi_targets_sync(&plain, now, skip)
			 : dvmi_targets_op(&plain, now, skip);
		ck_assert_msg(a.free_ps == b.free_ps && a.answer_ps == b.answer_ps &&
				      a.snooped == b.snooped,
			      "seed %u step %u: free %llu answer %llu, loop %llu %llu",
			      (unsigned)seed, i, (unsigned long long)a.free_ps,
			      (unsigned long long)a.answer_ps, (unsigned long long)b.free_ps,
			      (unsigned long long)b.answer_ps);
		distributions++;
		straight[sync] += sync ? line.sync_line.on : line.busy_line.on;
		gap_ps = dvmi_rng_below(&rng, 3) ? 0 : dvmi_rng_below(&rng, pause + 1);
		now = a.free_ps + gap_ps;
	}
	dvmi_targets_fini(&line);
	dvmi_targets_fini(&plain);
}

START_TEST(lines_and_loops_give_equal_times)
{
	straight[0] = straight[1] = distributions = 0;
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		one_round(seed);
	/* Both ways were taken often enough for the test to mean something. */
	ck_assert_uint_gt(straight[0], distributions / 10);
	ck_assert_uint_gt(straight[1], distributions / 10);
	ck_assert_uint_lt(straight[0] + straight[1], distributions * 9 / 10);
}
END_TEST

/* The second part to target j of n leaves at begin + step * (j + 1); the last answers last. */
START_TEST(idle_targets_answer_in_closed_form)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 1, 1);
	uint32_t n = 2u << _i;
	uint64_t parts = 2 * hw.dvm_snoop_part_ps * (n - 1);
	struct dvmi_distribution d;
	struct dvmi_targets t;

	ck_assert_int_eq(dvmi_targets_init(&t, &hw, n, n), 0);
	d = dvmi_targets_op(&t, 1000, 0);
	ck_assert_uint_eq(d.snooped, n - 1);
	ck_assert_uint_eq(d.free_ps, 1000 + parts);
	ck_assert_uint_eq(d.answer_ps, 1000 + parts + hw.dvm_snoop_ps + hw.dvm_target_op_ps +
					       hw.dvm_response_ps);
	dvmi_targets_fini(&t);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "targets");

	tcase_add_test(tc, lines_and_loops_give_equal_times);
	tcase_add_loop_test(tc, idle_targets_answer_in_closed_form, 0, 10);
}

CHECK_MAIN("hw_targets", add_cases)
