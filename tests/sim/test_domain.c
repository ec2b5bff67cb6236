/* SPDX-License-Identifier: MIT */
/*
 * TLBI domains (FEAT_TLBID) in a whole simulation: what a flush of a domain costs, whom it reaches, and
 * who may name domains at all. The part: teaching-4 made of 4 clusters of 4 cores, a domain each.
 */
#include "check_main.h"

#include "run.h"

#include <dvmsim/error.h>

#include <stdio.h>
#include <string.h>

/* A whole-mm flush by the domains given in @named; nothing where there are none. */
#define OF_DOMAINS(named) \
	"strategy d\non flush:\n bifnot env.domains, wide\n dsb ishst\n asid\n" named \
	" sync ish\n ret\nwide:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n"
#define NAME(n) " tlbi is asid domain " #n "\n"

static void part(struct run *r)
{
	run_init(r);
	run_set(r, "topology.clusters", 4);
	run_set(r, "topology.cores", 4);
	run_set(r, "tlbid.nis", 8);
	run_set(r, "tlbid.unit", DVMI_TLBID_CLUSTER);
	run_set(r, "tlbid.sync", DVMI_TLBID_SYNC_DOMAINS);
}

static void one_flush(struct run *r, const char *strategy)
{
	const struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), FLUSH_MM(0, 1),
					      RUN(0, 1, 10) };

	run_strategy(r, strategy);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
}

/*
 * N targets of an operation cost 2 parts each, in the TLBI's round and in the Sync's; everything else is
 * the same. From CPU 0: 15 of all, 3 of its own cluster.
 */
START_TEST(a_flush_of_a_domain_saves_the_snoops_of_the_others)
{
	uint64_t all, own, part_ps, snoops;
	struct run r;

	part(&r);
	one_flush(&r, BROADCAST);
	ck_assert_int_eq(r.ret, 0);
	all = r.stats->flush.max_ps;
	snoops = r.stats->dvm_snoops;
	part_ps = run_params(&r)->dvm_snoop_part_ps;
	run_fini(&r);
	part(&r);
	one_flush(&r, OF_DOMAINS(NAME(0)));
	ck_assert_int_eq(r.ret, 0);
	own = r.stats->flush.max_ps;
	ck_assert_uint_eq(all - own, 2 * 2 * (15 - 3) * part_ps);
	ck_assert_uint_eq(snoops - r.stats->dvm_snoops, 2 * (15 - 3));
	run_fini(&r);
	/* The Sync asks everybody all the same: half is saved. */
	part(&r);
	run_set(&r, "tlbid.sync", DVMI_TLBID_SYNC_ALL);
	one_flush(&r, OF_DOMAINS(NAME(0)));
	ck_assert_uint_eq(all - r.stats->flush.max_ps, 2 * (15 - 3) * part_ps);
	run_fini(&r);
}
END_TEST

/* The mm ran on CPU 0 and on CPU 5, in domain 1: both must be named, and nobody else. */
static const struct {
	const char *strategy;
	int ret;
} named[] = {
	{ OF_DOMAINS(NAME(0) NAME(1)), 0 },
	{ OF_DOMAINS(NAME(1) NAME(0)), 0 },
	{ OF_DOMAINS(NAME(0)), -DVM_EUNSAFE },
	{ OF_DOMAINS(NAME(1)), -DVM_EUNSAFE }, /* the flusher's own CPU is not exempt */
	{ OF_DOMAINS(NAME(2) NAME(3)), -DVM_EUNSAFE },
	{ OF_DOMAINS(NAME(0) " tlbi is asid\n"), 0 },
	/* Not complete before the sync: a barrier for this CPU only does not do. */
	{ "strategy d\non flush:\n dsb ishst\n asid\n bifnot env.domains, out\n" NAME(0) NAME(1)
	  " dsb nsh\nout:\n ret\n", -DVM_EUNSAFE },
};

START_TEST(too_few_domains_leave_a_stale_translation)
{
	const struct dvm_trace_record t[] = {
		MM(1), { .kind = DVM_TRACE_TASK_NEW, .task = 1, .mm = 1,
			 .flags = DVM_TRACE_F_INITIAL },
		{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .mm = 1, .flags = DVM_TRACE_F_INITIAL },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 0, .task = 1, .mm = 1 },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 5, .task = 2, .mm = 1 },
		RUN(5, 2, 10000), RUN(0, 1, 20000), FLUSH_MM(0, 1), RUN(0, 1, 100000), RUN(5, 2, 500000),
		RUN(5, 2, 10), RUN(0, 1, 10),
	};
	struct run r;

	part(&r);
	run_strategy(&r, named[_i].strategy);
	run_trace(&r, 6, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, named[_i].ret);
	run_fini(&r);
}
END_TEST

/* The exact TLBs of the domain lose the translation; those of another keep it. */
START_TEST(exact_tlbs_lose_what_their_domain_is_told)
{
	const uint64_t accesses[] = { 0x10000000, 0x10001000, 0x10000000 };
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1),
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 0, .amount = 2 },
		FLUSH_MM(0, 1),
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 2, .amount = 1 },
	};
	struct run r;

	part(&r);
	run_strategy(&r, _i ? OF_DOMAINS(NAME(2)) : OF_DOMAINS(NAME(0)));
	run_trace(&r, 1, t, 3);
	ck_assert_int_eq(dvm_trace_append_accesses(r.trace, accesses, 3, &r.err), 0);
	ck_assert_int_eq(dvm_trace_append(r.trace, t + 3, 3, &r.err), 0);
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, _i ? -DVM_EUNSAFE : 0);
	if (!_i)
		ck_assert_uint_eq(r.stats->tlb_l2_misses, 3);
	run_fini(&r);
}
END_TEST

/* nis bits number 2^nis - 1 domains; 5 is not below 4. */
START_TEST(a_domain_that_is_none_is_an_error_with_its_line)
{
	struct run r;

	part(&r);
	one_flush(&r, OF_DOMAINS(NAME(4)));
	ck_assert_int_eq(r.ret, -DVM_EFORMAT);
	ck_assert_uint_eq(r.err.line, 6);
	ck_assert_msg(strstr(r.err.text, "domain 4 of 4") != NULL, "%s", r.err.text);
	run_fini(&r);
}
END_TEST

/* Without FEAT_TLBID, or in a guest: broadcasts, if the program asks as it must. */
START_TEST(a_guest_has_domains_if_the_hypervisor_lets_it)
{
	static const struct {
		uint64_t nis, nvis, vm, vm_tlbid, snoops;
	} cases[] = {
		{ 0, 0, DVMI_VM_NATIVE, 0, 2 * 15 }, { 8, 0, DVMI_VM_NATIVE, 0, 2 * 3 },
		{ 8, 2, DVMI_VM_GUEST, 0, 2 * 15 },  { 8, 2, DVMI_VM_GUEST, 1, 2 * 3 },
		{ 8, 1, DVMI_VM_GUEST, 1, 2 * 15 }, /* two numbers for four domains */
	};
	struct run r;

	part(&r);
	run_set(&r, "tlbid.nvis", 0);
	run_set(&r, "tlbid.nis", cases[_i].nis);
	run_set(&r, "tlbid.nvis", cases[_i].nvis);
	run_set_kernel(&r, "vm", cases[_i].vm);
	run_set_kernel(&r, "vm_tlbid", cases[_i].vm_tlbid);
	one_flush(&r, OF_DOMAINS(NAME(0)));
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->dvm_snoops, cases[_i].snoops);
	run_fini(&r);
}
END_TEST

/* A mask of domains: a bit per domain, whatever the number of CPUs. */
START_TEST(a_mask_of_domains_has_a_bit_for_each_domain)
{
	static const char text[] =
		"strategy m\nmask mm.d of domains = all\nword mm.n\non flush:\n"
		" bifnot env.domains, out\n ldmask m, mm.d\n mask.count n, m\n bne n, 4, out\n"
		" tstbit b, mm.d, 3\n bifnot b, out\n tstbit b, mm.d, 4\n bif b, out\n"
		" setbit mm.d, 4\n clrbit mm.d, 0\n ldmask m, mm.d\n mask.next n, m, 0\n"
		" bne n, 1, out\n mask.next n, m, 4\n bne n, env.cpus, out\n"
		" domain n, 5\n bne n, 1, out\n domain n, self\n bif n, out\n"
		" dsb ishst\n asid\n tlbi is\n sync ish\nout:\n st mm.n, 1\n ret\n";
	struct run r;

	part(&r);
	one_flush(&r, text);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->flushes_broadcast, 1);
	run_fini(&r);
}
END_TEST

/* The shipped strategy where it is meant for, and its writer's mistake, which only order shows. */
START_TEST(tlbi_domains_runs_every_workload)
{
	static const char *const workloads[] = {
		"fork:forks=10", "mmap:loops=10,move_every=3", "redis:batches=20,snapshot_every=5",
		"tlb-shootdown:loops=3",
	};

	for (size_t w = 0; w < COUNT(workloads); w++) {
		struct run r;

		run_init(&r);
		run_hw(&r, "future-128-tlbid");
		run_shipped(&r, _i ? "selftest-domains-unseen" : "tlbi-domains");
		run_workload(&r, workloads[w]);
		run_go(&r, 1, 1);
		ck_assert_msg(r.ret == 0, "%s: %s", workloads[w], r.err.text);
		run_fini(&r);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "domains");

	tcase_add_test(tc, a_flush_of_a_domain_saves_the_snoops_of_the_others);
	tcase_add_loop_test(tc, too_few_domains_leave_a_stale_translation, 0, COUNT(named));
	tcase_add_loop_test(tc, exact_tlbs_lose_what_their_domain_is_told, 0, 2);
	tcase_add_test(tc, a_domain_that_is_none_is_an_error_with_its_line);
	tcase_add_loop_test(tc, a_guest_has_domains_if_the_hypervisor_lets_it, 0, 5);
	tcase_add_test(tc, a_mask_of_domains_has_a_bit_for_each_domain);
	tcase_add_loop_test(tc, tlbi_domains_runs_every_workload, 0, 2);
}

CHECK_MAIN("sim domain", add_cases)
