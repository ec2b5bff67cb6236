/* SPDX-License-Identifier: MIT */
/* The event queue's total order, against a sorted list. */
#include "check_main.h"

#include "base/mem.h"
#include "base/rng.h"
#include "hw/evq.h"

#include <dvmsim/error.h>
#include <stdbool.h>
#include <string.h>

START_TEST(messages_come_before_cpus_at_one_instant)
{
	struct dvmi_event ev;
	struct dvmi_evq q;

	ck_assert_int_eq(dvmi_evq_init(&q, 3), 0);
	ck_assert_uint_eq(dvmi_evq_next_ps(&q), DVMI_NEVER);
	ck_assert_int_eq(dvmi_evq_pop(&q, &ev), 0);
	dvmi_evq_cpu_set(&q, 2, 100);
	dvmi_evq_cpu_set(&q, 1, 100);
	dvmi_evq_cpu_set(&q, 0, 101);
	/* By prio, then as posted; later times last. */
	dvmi_evq_post(&q, 100, 7, DVMI_EV_USER, 10, 1);
	dvmi_evq_post(&q, 100, 3, DVMI_EV_USER, 11, 2);
	dvmi_evq_post(&q, 100, 3, DVMI_EV_USER + 1, 12, 3);
	dvmi_evq_post(&q, 101, 0, DVMI_EV_USER, 13, UINT64_MAX);
	{
		static const struct dvmi_event order[] = {
			{100, DVMI_EV_USER, 11, 2}, {100, DVMI_EV_USER + 1, 12, 3},
			{100, DVMI_EV_USER, 10, 1}, {100, DVMI_EV_CPU, 1, 0},
			{100, DVMI_EV_CPU, 2, 0},   {101, DVMI_EV_USER, 13, UINT64_MAX},
			{101, DVMI_EV_CPU, 0, 0},
		};

		for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
			ck_assert_uint_eq(dvmi_evq_next_ps(&q), order[i].time_ps);
			ck_assert_int_eq(dvmi_evq_pop(&q, &ev), 1);
			ck_assert_uint_eq(ev.time_ps, order[i].time_ps);
			ck_assert_uint_eq(ev.kind, order[i].kind);
			ck_assert_uint_eq(ev.who, order[i].who);
			ck_assert_uint_eq(ev.data, order[i].data);
		}
	}
	ck_assert_int_eq(dvmi_evq_pop(&q, &ev), 0);
	dvmi_evq_fini(&q);
}
END_TEST

START_TEST(cpu_has_one_action_which_can_be_moved)
{
	struct dvmi_event ev;
	struct dvmi_evq q;

	ck_assert_int_eq(dvmi_evq_init(&q, 5), 0);
	dvmi_evq_cpu_set(&q, 4, 50);
	dvmi_evq_cpu_set(&q, 4, 70);
	dvmi_evq_cpu_set(&q, 3, 60);
	ck_assert_uint_eq(dvmi_evq_cpu_get(&q, 4), 70);
	dvmi_evq_pop(&q, &ev);
	ck_assert_uint_eq(ev.who, 3);
	ck_assert_uint_eq(dvmi_evq_cpu_get(&q, 3), DVMI_NEVER);
	dvmi_evq_cpu_set(&q, 4, DVMI_NEVER);
	ck_assert_int_eq(dvmi_evq_pop(&q, &ev), 0);
	dvmi_evq_fini(&q);
}
END_TEST

/* The plain queue: an array, searched for the least every time. */
struct item {
	uint64_t time_ps, order, data;
	uint32_t kind, who;
	bool used;
};

#define ITEMS 2048
static struct item items[ITEMS];
static uint64_t plain_cpu[1024], plain_reach[1024];

/* far: delays reach beyond anything a bounded structure could hold */
static const struct {
	uint32_t cpus, messages;
	uint64_t near, far;
} mixes[] = {
	{1, 10, 10, 100},
	{3, 50, 1, 1},
	{8, 200, 1000, 100000},
	{64, 5, 50000, 5000000000},
	{200, 1500, 20000, 1000000000000},
	{1024, 100, 300, 4000000},
};

static void plain_post(uint64_t time_ps, uint64_t order, uint32_t kind, uint32_t who, uint64_t data)
{
	unsigned i = 0;

	while (items[i].used)
		ck_assert_uint_lt(++i, ITEMS);
	items[i] = (struct item){time_ps, order, data, kind, who, true};
}

static bool plain_pop(uint32_t cpus, struct dvmi_event *ev)
{
	struct item *best = NULL;
	uint32_t cpu = 0;

	for (unsigned i = 0; i < ITEMS; i++)
		if (items[i].used &&
		    (!best || items[i].time_ps < best->time_ps ||
		     (items[i].time_ps == best->time_ps && items[i].order < best->order)))
			best = &items[i];
	for (uint32_t c = 1; c < cpus; c++)
		if (plain_cpu[c] < plain_cpu[cpu])
			cpu = c;
	if (best && best->time_ps <= plain_cpu[cpu]) {
		*ev = (struct dvmi_event){best->time_ps, best->kind, best->who, best->data};
		best->used = false;
		return true;
	}
	if (plain_cpu[cpu] == DVMI_NEVER)
		return false;
	*ev = (struct dvmi_event){plain_cpu[cpu], DVMI_EV_CPU, cpu, 0};
	plain_cpu[cpu] = plain_reach[cpu] = DVMI_NEVER;
	return true;
}

/* The least of all messages and of what the other CPUs reach. */
static uint64_t plain_felt(uint32_t cpus, uint32_t cpu)
{
	uint64_t felt = DVMI_NEVER;

	for (unsigned i = 0; i < ITEMS; i++)
		if (items[i].used && items[i].time_ps < felt)
			felt = items[i].time_ps;
	for (uint32_t c = 0; c < cpus; c++)
		if (c != cpu && plain_reach[c] < felt)
			felt = plain_reach[c];
	return felt;
}

START_TEST(queue_and_plain_list_give_one_order)
{
	uint32_t cpus = mixes[_i].cpus;
	uint64_t now = 0, seq = 0;
	struct dvmi_rng rng;
	struct dvmi_evq q;

	memset(items, 0, sizeof(items));
	for (uint32_t c = 0; c < cpus; c++)
		plain_cpu[c] = plain_reach[c] = DVMI_NEVER;
	dvmi_rng_init(&rng, 3, (uint64_t)_i);
	ck_assert_int_eq(dvmi_evq_init(&q, cpus), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct dvmi_event a, b;
		unsigned posts = i < mixes[_i].messages ? 2 : (unsigned)dvmi_rng_below(&rng, 3);

		for (unsigned p = 0; p < posts && q.messages < ITEMS; p++) {
			uint64_t span = dvmi_rng_below(&rng, 8) ? mixes[_i].near : mixes[_i].far;
			uint64_t t = now + dvmi_rng_below(&rng, span + 1);
			uint32_t prio = (uint32_t)dvmi_rng_below(&rng, 3);
			uint32_t who = (uint32_t)dvmi_rng_below(&rng, 100);

			if (dvmi_rng_below(&rng, 3) == 0) {
				who = (uint32_t)dvmi_rng_below(&rng, cpus);
				plain_cpu[who] = plain_reach[who] = t;
				if (dvmi_rng_below(&rng, 2))
					plain_reach[who] += dvmi_rng_below(&rng, span + 1);
				if (plain_reach[who] == t)
					dvmi_evq_cpu_set(&q, who, t);
				else
					dvmi_evq_cpu_set_reach(&q, who, t, plain_reach[who]);
			} else {
				ck_assert_int_eq(dvmi_evq_post(&q, t, prio, DVMI_EV_USER, who, i),
						 0);
				plain_post(t, (uint64_t)prio << 40 | seq++, DVMI_EV_USER, who, i);
			}
		}
		if (!plain_pop(cpus, &b)) {
			ck_assert_int_eq(dvmi_evq_pop(&q, &a), 0);
			continue;
		}
		ck_assert_uint_eq(dvmi_evq_next_ps(&q), b.time_ps);
		ck_assert_int_eq(dvmi_evq_pop(&q, &a), 1);
		ck_assert_uint_eq(a.time_ps, b.time_ps);
		ck_assert_uint_eq(a.kind, b.kind);
		ck_assert_uint_eq(a.who, b.who);
		ck_assert_uint_eq(a.data, b.data);
		if (a.kind == DVMI_EV_CPU)
			ck_assert_uint_eq(dvmi_evq_felt_ps(&q, a.who), plain_felt(cpus, a.who));
		now = a.time_ps;
	}
	dvmi_evq_fini(&q);
}
END_TEST

START_TEST(failed_allocations_are_reported)
{
	struct dvmi_evq q;

	for (unsigned long n = 1; n <= 1; n++) {
		dvmi_mem_fail_at(n);
		ck_assert_int_eq(dvmi_evq_init(&q, 8), -DVM_ENOMEM);
	}
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(dvmi_evq_init(&q, 8), 0);
	dvmi_mem_fail_at(1);
	ck_assert_int_eq(dvmi_evq_post(&q, 1, 0, DVMI_EV_USER, 0, 0), -DVM_ENOMEM);
	dvmi_mem_fail_at(0);
	ck_assert_uint_eq(dvmi_evq_next_ps(&q), DVMI_NEVER);
	ck_assert_int_eq(dvmi_evq_post(&q, 1, 0, DVMI_EV_USER, 0, 0), 0);
	dvmi_evq_fini(&q);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "order");

	tcase_add_test(tc, messages_come_before_cpus_at_one_instant);
	tcase_add_test(tc, cpu_has_one_action_which_can_be_moved);
	tcase_add_loop_test(tc, queue_and_plain_list_give_one_order, 0,
			    (int)(sizeof(mixes) / sizeof(mixes[0])));
	tcase_add_test(tc, failed_allocations_are_reported);
}

CHECK_MAIN("hw_evq", add_cases)
