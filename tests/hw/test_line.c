/* SPDX-License-Identifier: MIT */
/* Hot cache lines: every transition of the table in hw/line.h, and turns. */
#include "check_main.h"

#include "base/mem.h"
#include "base/rng.h"
#include "hw/line.h"
#include "machine.h"

#include <dvmsim/error.h>
#include <string.h>

/*
 * 2 sockets x 2 dies x 2 clusters x 2 cores x 2 threads = 32 CPUs, 16 cores. From CPU 0: 1 is the
 * same core, 2 the same cluster, 4 the same die, 8 the same socket, 16 another socket.
 */
enum cost { LOCAL, CLUSTER, DIE, SOCKET, REMOTE };

static uint64_t cost_ps(const struct dvmi_hw *hw, enum cost cost)
{
	const uint64_t ps[] = {hw->line_local_ps, hw->line_cluster_ps, hw->line_die_ps,
			       hw->line_socket_ps, hw->line_remote_ps};

	return ps[cost];
}

/* A history of accesses, each 10 us after the other; the last one's cost is asserted. */
static const struct {
	const char *what;
	struct {
		uint32_t cpu;
		enum dvmi_access access;
	} history[4];
	unsigned accesses;
	enum cost cost;
} rows[] = {
#define L(cpu)                                                                                     \
	{                                                                                          \
		cpu, DVMI_LOAD                                                                     \
	}
#define S(cpu)                                                                                     \
	{                                                                                          \
		cpu, DVMI_STORE                                                                    \
	}
#define A(cpu)                                                                                     \
	{                                                                                          \
		cpu, DVMI_ATOMIC                                                                   \
	}
	{"load, nowhere", {L(0)}, 1, DIE},
	{"store, nowhere", {S(0)}, 1, DIE},
	{"atomic, nowhere", {A(0)}, 1, DIE},
	{"load, E here", {L(0), L(0)}, 2, LOCAL},
	{"load, M here", {S(0), L(0)}, 2, LOCAL},
	{"load, M of the other thread", {S(1), L(0)}, 2, LOCAL},
	{"load, M in the cluster", {S(2), L(0)}, 2, CLUSTER},
	{"load, M on the die", {S(4), L(0)}, 2, DIE},
	{"load, M in the socket", {S(8), L(0)}, 2, SOCKET},
	{"load, M in another socket", {S(16), L(0)}, 2, REMOTE},
	{"load, E in another socket", {L(16), L(0)}, 2, REMOTE},
	{"load, S here", {S(16), L(0), L(0)}, 3, LOCAL},
	{"load, S at the old owner", {S(16), L(0), L(16)}, 3, LOCAL},
	{"load, S: the nearest sharer is in the cluster", {S(16), L(2), L(0)}, 3, CLUSTER},
	{"load, S: the nearest sharer is on the die", {S(16), L(4), L(0)}, 3, DIE},
	{"load, S: the nearest sharer is in the socket", {S(16), L(8), L(0)}, 3, SOCKET},
	{"load, S: all sharers are remote", {S(16), L(20), L(0)}, 3, REMOTE},
	{"store, M here", {S(0), S(0)}, 2, LOCAL},
	{"store, E here", {L(0), S(0)}, 2, LOCAL},
	{"store, M in the cluster", {S(2), S(0)}, 2, CLUSTER},
	{"store, M on the die", {S(4), S(0)}, 2, DIE},
	{"store, M in the socket", {S(8), S(0)}, 2, SOCKET},
	{"store, M in another socket", {S(16), S(0)}, 2, REMOTE},
	{"store, S here and in the cluster", {S(0), L(2), S(0)}, 3, CLUSTER},
	{"store, S here and on the die", {S(0), L(4), S(0)}, 3, DIE},
	{"store, S here and in the socket", {S(0), L(8), S(0)}, 3, SOCKET},
	{"store, S here and in another socket", {S(0), L(16), S(0)}, 3, REMOTE},
	{"store, S: the farthest counts", {S(2), L(16), L(4), S(0)}, 4, REMOTE},
	{"store, S: not here at all", {S(2), L(4), S(0)}, 3, DIE},
	{"store makes the others miss", {L(2), L(0), S(0), L(2)}, 4, CLUSTER},
	{"store makes the writer hit", {L(2), L(0), S(0), S(0)}, 4, LOCAL},
	{"atomic, M here", {S(0), A(0)}, 2, LOCAL},
	{"atomic, M in another socket", {S(16), A(0)}, 2, REMOTE},
	{"atomic, S in the socket", {S(0), L(8), A(0)}, 3, SOCKET},
	{"load after an atomic elsewhere", {A(4), L(0)}, 2, DIE},
};

START_TEST(access_costs_what_state_and_distance_say)
{
	struct dvmi_hw hw = test_machine(2, 2, 2, 2, 2);
	unsigned last = rows[_i].accesses - 1;
	uint64_t expect = cost_ps(&hw, rows[_i].cost), done = 0;
	struct dvmi_topology topo;
	struct dvmi_line line;

	ck_assert_int_eq(dvmi_topology_init(&topo, &hw), 0);
	dvmi_line_init(&line);
	for (unsigned i = 0; i <= last; i++)
		ck_assert_int_eq(dvmi_line_access(&line, &topo, &hw, rows[_i].history[i].cpu,
						  rows[_i].history[i].access, i * 10000000, &done),
				 0);
	if (rows[_i].history[last].access == DVMI_ATOMIC)
		expect += hw.line_atomic_ps;
	ck_assert_msg(done - last * 10000000 == expect, "%s: %llu ps, not %llu", rows[_i].what,
		      (unsigned long long)(done - last * 10000000), (unsigned long long)expect);
	dvmi_line_fini(&line, &topo);
}
END_TEST

/* k cores add to one word at once: each waits for those before it. */
START_TEST(concurrent_atomics_take_turns)
{
	struct dvmi_hw hw = test_machine(1, 1, 1, 16, 1);
	uint64_t done, step = hw.line_cluster_ps + hw.line_atomic_ps;
	struct dvmi_topology topo;
	struct dvmi_line line;

	dvmi_topology_init(&topo, &hw);
	dvmi_line_init_owned(&line, &topo, 15);
	ck_assert(dvmi_line_held(&line, &topo, 15));
	for (uint32_t c = 0; c < 15; c++) {
		ck_assert(!dvmi_line_held(&line, &topo, c));
		dvmi_line_access(&line, &topo, &hw, c, DVMI_ATOMIC, 0, &done);
		ck_assert_uint_eq(done, (c + 1) * step);
	}
	/* At the edge of the last turn. */
	dvmi_line_access(&line, &topo, &hw, 14, DVMI_LOAD, 15 * step - 1, &done);
	ck_assert_uint_eq(done, 15 * step + hw.line_local_ps);
	dvmi_line_access(&line, &topo, &hw, 14, DVMI_LOAD, 15 * step, &done);
	ck_assert_uint_eq(done, 15 * step + hw.line_local_ps);
	/* Hits hold up nobody. */
	dvmi_line_access(&line, &topo, &hw, 14, DVMI_LOAD, 15 * step, &done);
	ck_assert_uint_eq(done, 15 * step + hw.line_local_ps);
	dvmi_line_fini(&line, &topo);
}
END_TEST

/* ---- against a plain list of holders ---- */

#define CORES_MAX 256

struct plain {
	bool holds[CORES_MAX];
	bool owned; /* by the one holder */
	uint64_t busy_ps;
};

static uint64_t plain_access(struct plain *p, const struct dvmi_topology *topo,
			     const struct dvmi_hw *hw, uint32_t cpu, enum dvmi_access access,
			     uint64_t now)
{
	uint32_t me = dvmi_cpu_core(topo, cpu), holders = 0;
	enum dvmi_distance near = DVMI_OTHER_SOCKET, far = DVMI_SAME_CORE, d;
	uint64_t t;

	for (uint32_t c = 0; c < topo->cores; c++) {
		if (!p->holds[c])
			continue;
		holders++;
		d = dvmi_distance(topo, cpu, c * topo->core_cpus);
		near = d < near ? d : near;
		far = d > far ? d : far;
	}
	d = access == DVMI_LOAD ? near : far;
	if (!holders)
		d = DVMI_SAME_DIE;
	t = cost_ps(hw, (enum cost)d) + (access == DVMI_ATOMIC ? hw->line_atomic_ps : 0);
	if (now < p->busy_ps)
		now = p->busy_ps;
	if (d != DVMI_SAME_CORE || access == DVMI_ATOMIC)
		p->busy_ps = now + t;
	if (access != DVMI_LOAD)
		memset(p->holds, 0, sizeof(p->holds));
	p->holds[me] = true;
	return now + t;
}

static const struct {
	uint64_t sockets, dies, clusters, cores, threads;
} shapes[] = {
	{1, 1, 1, 8, 1},  {2, 2, 3, 5, 2}, {1, 1, 8, 8, 1},
	{1, 1, 13, 5, 1}, {2, 2, 8, 8, 1}, {3, 1, 7, 11, 1},
};

START_TEST(random_accesses_agree_with_a_list_of_holders)
{
	struct dvmi_hw hw = test_machine(shapes[_i].sockets, shapes[_i].dies, shapes[_i].clusters,
					 shapes[_i].cores, shapes[_i].threads);
	uint64_t now = 0, done, expect;
	struct plain plain = {.busy_ps = 0};
	struct dvmi_topology topo;
	struct dvmi_line line;
	struct dvmi_rng rng;

	dvmi_topology_init(&topo, &hw);
	dvmi_line_init(&line);
	dvmi_rng_init(&rng, 1, (uint64_t)_i);
	for (int i = 0; i < 800; i++) {
		uint32_t cpu = (uint32_t)dvmi_rng_below(&rng, topo.cpus);
		uint64_t draw = dvmi_rng_below(&rng, 16);
		enum dvmi_access access = draw == 0   ? DVMI_ATOMIC
					  : draw == 1 ? DVMI_STORE
						      : DVMI_LOAD;

		now += dvmi_rng_below(&rng, 3) * 30000;
		expect = plain_access(&plain, &topo, &hw, cpu, access, now);
		ck_assert_int_eq(dvmi_line_access(&line, &topo, &hw, cpu, access, now, &done), 0);
		ck_assert_uint_eq(done, expect);
		for (uint32_t c = 0; c < topo.cpus; c++)
			ck_assert_int_eq(dvmi_line_held(&line, &topo, c),
					 plain.holds[dvmi_cpu_core(&topo, c)]);
	}
	dvmi_line_fini(&line, &topo);
}
END_TEST

/* Above 64 cores sharing needs memory; without it nothing changes. */
START_TEST(failed_allocation_leaves_the_line_as_it_was)
{
	struct dvmi_hw hw = test_machine(1, 1, 10, 8, 1);
	uint64_t done = 12345;
	struct dvmi_topology topo;
	struct dvmi_line line, before;

	dvmi_topology_init(&topo, &hw);
	dvmi_line_init_owned(&line, &topo, 70);
	before = line;
	dvmi_mem_fail_at(1);
	ck_assert_int_eq(dvmi_line_access(&line, &topo, &hw, 3, DVMI_LOAD, 0, &done), -DVM_ENOMEM);
	dvmi_mem_fail_at(0);
	ck_assert_uint_eq(done, 12345);
	ck_assert_uint_eq(line.owner, before.owner);
	ck_assert_uint_eq(line.busy_ps, before.busy_ps);
	ck_assert_int_eq(dvmi_line_access(&line, &topo, &hw, 3, DVMI_LOAD, 0, &done), 0);
	ck_assert_uint_eq(done, hw.line_die_ps);
	dvmi_line_fini(&line, &topo);
}
END_TEST

START_TEST(line_stays_small)
{
	ck_assert_uint_le(sizeof(struct dvmi_line), 64);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "line");

	tcase_add_loop_test(tc, access_costs_what_state_and_distance_say, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, concurrent_atomics_take_turns);
	tcase_add_loop_test(tc, random_accesses_agree_with_a_list_of_holders, 0,
			    (int)(sizeof(shapes) / sizeof(shapes[0])));
	tcase_add_test(tc, failed_allocation_leaves_the_line_as_it_was);
	tcase_add_test(tc, line_stays_small);
}

CHECK_MAIN("hw_line", add_cases)
