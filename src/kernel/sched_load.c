/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

#include <stddef.h>

/* 2^32 * 0.5^(n/32), rounded down: runnable_avg_yN_inv[] of kernel/sched/sched-pelt.h. */
static const uint32_t halves[32] = {
	0xffffffff, 0xfa83b2da, 0xf5257d14, 0xefe4b99a, 0xeac0c6e6, 0xe5b906e6, 0xe0ccdeeb,
	0xdbfbb796, 0xd744fcc9, 0xd2a81d91, 0xce248c14, 0xc9b9bd85, 0xc5672a10, 0xc12c4cc9,
	0xbd08a39e, 0xb8fbaf46, 0xb504f333, 0xb123f581, 0xad583ee9, 0xa9a15ab4, 0xa5fed6a9,
	0xa2704302, 0x9ef5325f, 0x9b8d39b9, 0x9837f050, 0x94f4efa8, 0x91c3d373, 0x8ea4398a,
	0x8b95c1e3, 0x88980e80, 0x85aac367, 0x82cd8698,
};

#define PERIOD_NS (UINT64_C(1) << 20) /* the kernel's 1,024 us, in its units of 1,024 ns */
#define UNIT_NS (UINT64_C(1) << 10)

/* 2^32 * 0.5^(ns / 32 periods), linear within a period. */
static uint64_t decay(uint64_t ns)
{
	uint64_t periods = ns / PERIOD_NS, part = ns % PERIOD_NS / UNIT_NS, whole;

	if (periods >= 32 * 32)
		return 0;
	whole = (uint64_t)halves[periods % 32] >> (periods / 32);
	/* y = 0xfa83b2da / 2^32; what a whole period more would take away */
	return whole - (whole * (UINT64_C(0x100000000) - halves[1]) >> 32) * part / UNIT_NS;
}

/* The value was @x since the average was last told. */
static void average(struct dvmi_sched_avg *avg, uint64_t x, uint64_t now_ns)
{
	uint64_t ns = now_ns > avg->at_ns ? now_ns - avg->at_ns : 0, d;

	if (ns < UNIT_NS)
		return;
	d = decay(ns);
	avg->at_ns = now_ns;
	if (avg->value >= x)
		avg->value = x + ((avg->value - x) * d >> 32);
	else
		avg->value = x - ((x - avg->value) * d >> 32);
}

uint64_t dvmi_sched_load_avg(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	average(&s->rqs[cpu].load_avg, s->rqs[cpu].seen_load * 1024, now_ns);
	return s->rqs[cpu].load_avg.value / 1024;
}

uint64_t dvmi_sched_util_avg(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	average(&s->rqs[cpu].util, s->rqs[cpu].seen_busy ? 1024 * 1024 : 0, now_ns);
	return s->rqs[cpu].util.value / 1024;
}

uint32_t dvmi_sched_running(const struct dvmi_sched_rq *rq)
{
	return rq->nr_fair - rq->nr_delayed + rq->nr_rt;
}

static void set(uint64_t *map, uint32_t cpu, bool on, uint32_t *count)
{
	if (dvmi_bitmap_test(map, cpu) == on)
		return;
	if (on) {
		dvmi_bitmap_set(map, cpu);
		*count += 1;
	} else {
		dvmi_bitmap_clear(map, cpu);
		*count -= 1;
	}
}

void dvmi_sched_refresh(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint32_t runnable = dvmi_sched_running(rq);
	bool idle = rq->online && !rq->current && !runnable && !rq->coming;
	bool was_idle = dvmi_sched_is_idle(s, cpu);
	uint32_t d_running = runnable - rq->seen_running;
	uint64_t d_load = rq->load - rq->seen_load;
	uint32_t d_idle = (uint32_t)idle - (uint32_t)was_idle;
	uint32_t d_online = (uint32_t)rq->online - (uint32_t)rq->seen_online;

	dvmi_sched_load_avg(s, cpu, now_ns);
	dvmi_sched_util_avg(s, cpu, now_ns);
	rq->seen_busy = rq->current != 0;
	set(s->overloaded, cpu, rq->online && runnable >= 2, &s->overloaded_count);
	set(s->rt_overloaded, cpu, rq->online && rq->rt != 0, &s->rt_overloaded_count);
	set(s->idle, cpu, idle, &s->idle_count);
	if (!d_running && !d_load && !d_idle && !d_online)
		return;
	if (s->omit & DVMI_SCHED_OMIT_COUNT && d_running == UINT32_MAX)
		d_running = 0;
	for (uint32_t l = 0; l < s->levels_count; l++) {
		struct dvmi_sched_group *g =
			&s->groups[s->levels[l].groups_at + cpu / s->levels[l].span];

		g->running += d_running;
		g->load += d_load;
		g->idle += d_idle;
		g->online += d_online;
	}
	rq->seen_running = runnable;
	rq->seen_load = rq->load;
	rq->seen_online = rq->online;
}

struct dvmi_sched_group dvmi_sched_group_of(const struct dvmi_sched *s, uint32_t level, uint32_t cpu)
{
	if (level) {
		const struct dvmi_sched_level *child = &s->levels[level - 1];

		return s->groups[child->groups_at + cpu / child->span];
	}
	return (struct dvmi_sched_group){ s->rqs[cpu].online, dvmi_sched_is_idle(s, cpu),
					  s->rqs[cpu].seen_running, s->rqs[cpu].seen_load };
}

/* group_has_capacity(), group_is_overloaded(), by the number of tasks. */
enum dvmi_sched_fit dvmi_sched_fit(const struct dvmi_sched_group *g)
{
	if (g->running > g->online)
		return DVMI_SCHED_OVERLOADED;
	return g->running == g->online ? DVMI_SCHED_FULLY_BUSY : DVMI_SCHED_HAS_SPARE;
}

uint32_t dvmi_sched_next(const uint64_t *map, uint32_t first, uint32_t end)
{
	while (first < end) {
		uint64_t word = map[first / 64] >> (first % 64);

		if (word) {
			first += (uint32_t)__builtin_ctzll(word);
			return first < end ? first : DVMI_SCHED_NONE;
		}
		first = (first / 64 + 1) * 64;
	}
	return DVMI_SCHED_NONE;
}
