/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_HW_RIG_H
#define DVMSIM_TESTS_HW_RIG_H

#include "check_main.h"

#include "hw/core.h"
#include "machine.h"

/* The timing hardware without an engine: tests say what each CPU does. */
struct rig {
	struct dvmi_hw hw;
	struct dvmi_evq q;
	struct dvmi_fabric *f;
	struct dvmi_core core;
	uint32_t cpus;
};

static inline void rig_init(struct rig *rig, const struct dvmi_hw *hw)
{
	rig->hw = *hw;
	rig->cpus = (uint32_t)dvmi_hw_cpus(hw);
	ck_assert_int_eq(dvmi_evq_init(&rig->q, rig->cpus), 0);
	ck_assert_int_eq(dvmi_fabric_new(hw, &rig->q, &rig->f), 0);
	ck_assert_int_eq(dvmi_core_init(&rig->core, &rig->hw, rig->f), 0);
	for (uint32_t c = 0; c < rig->cpus; c++)
		dvmi_fabric_set_idle(rig->f, c, false);
}

static inline void rig_fini(struct rig *rig)
{
	dvmi_core_fini(&rig->core);
	dvmi_fabric_free(rig->f);
	dvmi_evq_fini(&rig->q);
}

/* Run messages until a CPU acts: its number, with the time in *@now. */
static inline uint32_t rig_next(struct rig *rig, uint64_t *now)
{
	struct dvmi_event ev;

	while (dvmi_evq_pop(&rig->q, &ev)) {
		*now = ev.time_ps;
		if (ev.kind == DVMI_EV_CPU)
			return ev.who;
		ck_assert_int_eq(dvmi_fabric_message(rig->f, &ev), 0);
	}
	*now = DVMI_NEVER;
	return UINT32_MAX;
}

/* A CPU that flushes again and again: @ops TLBIs, DSB ISH, and so on. */
struct flusher {
	unsigned ops, issued, flushes;
	bool dsb;
	uint64_t end_ps; /* of the last flush */
};

/* One step of @fl on @cpu at @now; true when a flush has just ended (it goes on at end_ps). */
static inline bool flusher_step(struct rig *rig, struct flusher *fl, uint32_t cpu, uint64_t now)
{
	uint64_t done;

	if (fl->dsb) {
		fl->dsb = false;
		fl->end_ps = dvmi_core_dsb_end(&rig->core, cpu, now);
	} else if (fl->issued < fl->ops) {
		int ret = dvmi_core_tlbi_broadcast(&rig->core, cpu, now, 0, &done);

		ck_assert_int_ge(ret, 0);
		if (ret == DVMI_FABRIC_DONE) {
			fl->issued++;
			dvmi_evq_cpu_set(&rig->q, cpu, done);
		}
		return false;
	} else {
		int ret = dvmi_core_dsb(&rig->core, cpu, now, DVMI_DSB_ALL, DVMI_DSB_ISH, &done);

		ck_assert_int_ge(ret, 0);
		if (ret == DVMI_FABRIC_BLOCKED) {
			fl->dsb = true;
			return false;
		}
		fl->end_ps = done;
	}
	fl->issued = 0;
	fl->flushes++;
	return true;
}

/* One flush of @ops TLBIs by @cpu from @now on; when it is over. */
static inline uint64_t rig_flush(struct rig *rig, uint32_t cpu, unsigned ops, uint64_t now)
{
	struct flusher fl = {.ops = ops};

	dvmi_evq_cpu_set(&rig->q, cpu, now);
	do
		ck_assert_uint_eq(rig_next(rig, &now), cpu);
	while (!flusher_step(rig, &fl, cpu, now));
	/* Late messages (freed entries) do not matter for the times that follow. */
	return fl.end_ps;
}

#endif
