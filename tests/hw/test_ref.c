/* SPDX-License-Identifier: MIT */
/*
 * The fast fabric against the plain one: random machines, random programs on every CPU. Every
 * instant at which a CPU acts, what it had lost by then, every delivery and every statistic agree.
 */
#include "check_main.h"

#include "base/rng.h"
#include "machine.h"
#include "ref_fabric.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 100
#define CPU_STEPS 24
#define MAX_CPUS 64
#define MAX_LOG (MAX_CPUS * CPU_STEPS * 3)
#define MAX_TAGS (MAX_CPUS * CPU_STEPS)

struct entry {
	uint64_t time_ps, lost_ps;
	uint32_t cpu;
};

/* One engine's run: what the test compares. */
struct run {
	struct entry log[MAX_LOG];
	uint32_t entries;
	uint64_t delivery_ps[MAX_TAGS][MAX_CPUS];
	uint64_t bad_bounds;
	struct dvmi_fabric_stats stats;
};

struct engine {
	/* the fast one, or else the plain one */
	struct dvmi_fabric *fast;
	struct dvmi_evq q;
	struct ref *ref;
	struct run *run;
};

static void fast_deliver(void *arg, const struct dvmi_fabric *f, const struct dvmi_delivery *d)
{
	struct run *run = arg;

	for (uint32_t c = d->reach_first; c < d->reach_end; c++) {
		uint64_t t = dvmi_fabric_delivery_ps(f, d, c);

		run->delivery_ps[d->tag][c] = t;
		run->bad_bounds += t < d->first_ps || t > d->last_ps || d->first_ps < d->start_ps;
	}
}

static void ref_deliver(void *arg, uint64_t tag, uint32_t cpu, uint64_t time_ps)
{
	struct run *run = arg;

	run->delivery_ps[tag][cpu] = time_ps;
}

static bool next(struct engine *e, uint32_t *cpu, uint64_t *now)
{
	struct dvmi_event ev;

	if (e->ref)
		return ref_next(e->ref, cpu, now);
	while (dvmi_evq_pop(&e->q, &ev)) {
		if (ev.kind == DVMI_EV_CPU) {
			*cpu = ev.who;
			*now = ev.time_ps;
			return true;
		}
		ck_assert_int_eq(dvmi_fabric_message(e->fast, &ev), 0);
	}
	return false;
}

static void at(struct engine *e, uint32_t cpu, uint64_t time_ps)
{
	if (e->ref)
		ref_cpu_at(e->ref, cpu, time_ps);
	else
		dvmi_evq_cpu_set(&e->q, cpu, time_ps);
}

static int tlbi(struct engine *e, uint32_t cpu, uint64_t now, uint64_t tag, uint32_t domain,
		uint64_t *until)
{
	return e->ref ? ref_tlbi_in(e->ref, cpu, now, tag, domain, until)
		      : dvmi_fabric_tlbi_in(e->fast, cpu, now, tag, domain, until);
}

static int sync_round(struct engine *e, uint32_t cpu, uint64_t now)
{
	return e->ref ? ref_sync(e->ref, cpu, now) : dvmi_fabric_sync(e->fast, cpu, now);
}

static void set_idle(struct engine *e, uint32_t cpu, bool idle)
{
	if (e->ref)
		ref_set_idle(e->ref, cpu, idle);
	else
		dvmi_fabric_set_idle(e->fast, cpu, idle);
}

static uint64_t lost(struct engine *e, uint32_t cpu)
{
	return e->ref ? ref_lost_ps(e->ref, cpu) : dvmi_fabric_lost_ps(e->fast, cpu);
}

/* What a CPU does next: drawn from its own stream, so both engines see the same programs. */
struct script {
	struct dvmi_rng rng;
	uint32_t steps, load;
	uint32_t domains, domain; /* how many there are; the TLBI's */
	bool retry;		  /* the TLBI that was blocked */
};

static void act(struct engine *e, struct script *s, uint32_t cpu, uint64_t now)
{
	uint64_t until = now, tag = (uint64_t)cpu * CPU_STEPS + s->steps, what;

	ck_assert_uint_lt(e->run->entries, MAX_LOG);
	e->run->log[e->run->entries++] = (struct entry){now, lost(e, cpu), cpu};
	set_idle(e, cpu, false);
	if (!s->retry && s->steps == CPU_STEPS - 1) {
		set_idle(e, cpu, true);
		return;
	}
	what = s->retry ? 0 : dvmi_rng_below(&s->rng, 10);
	if (what < s->load) {
		/* The domain is the program's: a TLBI that was blocked keeps it. */
		if (!s->retry && s->domains)
			s->domain = (uint32_t)dvmi_rng_below(&s->rng, 2 * s->domains);
		s->retry = tlbi(e, cpu, now, tag,
				s->domain < s->domains ? s->domain : DVMI_NO_DOMAIN, &until) == DVMI_FABRIC_BLOCKED;
		if (!s->retry) {
			s->steps++;
			at(e, cpu, until);
		}
		return;
	}
	s->steps++;
	if (what < 7) {
		if (sync_round(e, cpu, now) == DVMI_FABRIC_DONE)
			at(e, cpu, now + 1000);
		return;
	}
	/* Work, or sleep; round times make ties. */
	set_idle(e, cpu, what == 9);
	at(e, cpu, now + 1000 * dvmi_rng_below(&s->rng, 400));
}

static void run_all(struct engine *e, uint64_t seed, uint32_t cpus, uint32_t domains)
{
	static struct script scripts[MAX_CPUS];
	uint64_t now;
	uint32_t cpu;

	for (cpu = 0; cpu < cpus; cpu++) {
		dvmi_rng_init(&scripts[cpu].rng, seed, cpu);
		scripts[cpu].steps = 0;
		scripts[cpu].retry = false;
		scripts[cpu].domains = domains;
		scripts[cpu].domain = 0;
		scripts[cpu].load = (uint32_t)dvmi_rng_below(&scripts[cpu].rng, 7);
		at(e, cpu, 1000 * dvmi_rng_below(&scripts[cpu].rng, 50));
	}
	while (next(e, &cpu, &now))
		act(e, &scripts[cpu], cpu, now);
}

static uint64_t pick(struct dvmi_rng *rng, const uint64_t *values, uint64_t n)
{
	return values[dvmi_rng_below(rng, n)];
}

/* Costs of every order of magnitude against each other, zeros and equal values among them. */
static struct dvmi_hw random_machine(struct dvmi_rng *rng)
{
	static const uint64_t ps[] = {0, 1, 500, 1000, 2000, 10000, 50000, 300000};
	static const uint64_t bits[] = {0, 0, 1, 2, 3, 16}; /* of a domain's number */
	static const uint64_t depths[] = {1, 1, 2, 5, 16}, entries[] = {1, 2, 3, 16, 4096};
	uint64_t shape[5];
	struct dvmi_hw hw;

	/* One draw after the other: arguments have no order. */
	for (int i = 0; i < 5; i++)
		shape[i] = 1 + dvmi_rng_below(rng, i == 1 || i == 4 ? 2 : 3);
	hw = test_machine(shape[0], shape[1], shape[2], shape[3], shape[4]);
	hw.tlbi_issue_broadcast_ps = pick(rng, ps, 8);
	hw.tlbi_post_depth = pick(rng, depths, 5);
	hw.dvm_request_ps = pick(rng, ps, 8);
	hw.dvm_snoop_ps = pick(rng, ps, 8) + 1;
	hw.dvm_response_ps = pick(rng, ps, 8);
	hw.dvm_comp_ps = pick(rng, ps, 8);
	hw.dvm_node_op_ps = pick(rng, ps, 7);
	hw.dvm_node_sync_ps = pick(rng, ps, 7);
	hw.dvm_snoop_part_ps = pick(rng, ps, 6);
	hw.dvm_target_op_ps = pick(rng, ps, 8);
	hw.dvm_target_sync_ps = pick(rng, ps, 8);
	hw.dvm_node_entries = pick(rng, entries, 5);
	hw.dvm_early_comp = dvmi_rng_below(rng, 2);
	hw.dvm_idle_sync = dvmi_rng_below(rng, 2);
	hw.dvm_snoop_unit = dvmi_rng_below(rng, 2);
	hw.dvm_filter = dvmi_rng_below(rng, 2);
	hw.dvm_die_link_ps = pick(rng, ps, 8);
	hw.dvm_socket_link_ps = pick(rng, ps, 8);
	hw.tlbid_nis = pick(rng, bits, 6);
	hw.tlbid_unit = dvmi_rng_below(rng, 4);
	hw.tlbid_sync = dvmi_rng_below(rng, 2);
	return hw;
}

static void compare(const struct run *a, const struct run *b, uint64_t seed, uint32_t cpus)
{
	for (uint32_t i = 0; i < a->entries && i < b->entries; i++) {
		ck_assert_msg(!memcmp(&a->log[i].time_ps, &b->log[i].time_ps, sizeof(uint64_t)) &&
				      a->log[i].cpu == b->log[i].cpu &&
				      a->log[i].lost_ps == b->log[i].lost_ps,
			      "seed %llu, entry %u: cpu %u at %llu lost %llu, reference cpu %u at "
			      "%llu lost %llu",
			      (unsigned long long)seed, i, a->log[i].cpu,
			      (unsigned long long)a->log[i].time_ps,
			      (unsigned long long)a->log[i].lost_ps, b->log[i].cpu,
			      (unsigned long long)b->log[i].time_ps,
			      (unsigned long long)b->log[i].lost_ps);
	}
	ck_assert_uint_eq(a->entries, b->entries);
	ck_assert_uint_eq(a->bad_bounds, 0);
	for (uint32_t t = 0; t < MAX_TAGS; t++)
		for (uint32_t c = 0; c < cpus; c++)
			ck_assert_msg(a->delivery_ps[t][c] == b->delivery_ps[t][c],
				      "seed %llu, op %u at cpu %u: %llu, reference %llu",
				      (unsigned long long)seed, t, c,
				      (unsigned long long)a->delivery_ps[t][c],
				      (unsigned long long)b->delivery_ps[t][c]);
	for (size_t i = 0; i < sizeof(a->stats) / sizeof(uint64_t); i++)
		ck_assert_msg(((const uint64_t *)&a->stats)[i] == ((const uint64_t *)&b->stats)[i],
			      "seed %llu, statistic %zu: %llu, reference %llu",
			      (unsigned long long)seed, i,
			      (unsigned long long)((const uint64_t *)&a->stats)[i],
			      (unsigned long long)((const uint64_t *)&b->stats)[i]);
}

static struct run fast_run, ref_run;

static void one_round(uint64_t seed, struct dvmi_fabric_stats *sum)
{
	struct engine fast = {.run = &fast_run}, plain = {.run = &ref_run};
	struct dvmi_rng rng;
	struct dvmi_hw hw;
	uint32_t cpus;

	memset(&fast_run, 0, sizeof(fast_run));
	memset(&ref_run, 0, sizeof(ref_run));
	dvmi_rng_init(&rng, seed, 1000);
	do {
		hw = random_machine(&rng);
		cpus = (uint32_t)(hw.topology_sockets * hw.topology_dies * hw.topology_clusters *
				  hw.topology_cores * hw.topology_threads);
	} while (cpus > MAX_CPUS);
	ck_assert_int_eq(dvmi_evq_init(&fast.q, cpus), 0);
	ck_assert_int_eq(dvmi_fabric_new(&hw, &fast.q, &fast.fast), 0);
	dvmi_fabric_on_delivery(fast.fast, fast_deliver, &fast_run);
	plain.ref = ref_new(&hw, ref_deliver, &ref_run);
	ck_assert_uint_eq(dvmi_fabric_domains(fast.fast)->count, ref_domains(plain.ref));
	for (uint32_t c = 0; ref_domains(plain.ref) && c < cpus; c++)
		ck_assert_uint_eq(dvmi_domain_of(dvmi_fabric_domains(fast.fast), c),
				  ref_domain_of(plain.ref, c));
	run_all(&fast, seed, cpus, ref_domains(plain.ref));
	run_all(&plain, seed, cpus, ref_domains(plain.ref));
	dvmi_fabric_get_stats(fast.fast, &fast_run.stats);
	ref_run.stats = *ref_stats(plain.ref);
	compare(&fast_run, &ref_run, seed, cpus);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((uint64_t *)&fast_run.stats)[i];
	dvmi_fabric_free(fast.fast);
	dvmi_evq_fini(&fast.q);
	ref_free(plain.ref);
}

START_TEST(fast_and_plain_fabric_agree)
{
	struct dvmi_fabric_stats sum = {0};

	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		one_round(seed, &sum);
	/* The test would prove little if its programs had not met every mechanism. */
	ck_assert_uint_gt(sum.forwards, 1000);
	ck_assert_uint_gt(sum.spared, 1000);
	ck_assert_uint_gt(sum.retries, 1000);
	ck_assert_uint_gt(sum.issue_blocks, 1000);
	ck_assert_uint_gt(sum.sync_waits, 1000);
	ck_assert_uint_gt(sum.queue_wait_ps, 1000);
}
END_TEST

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "reference"), fast_and_plain_fabric_agree);
}

CHECK_MAIN("hw_ref", add_cases)
