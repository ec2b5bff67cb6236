/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"

#include "base/rng.h"

/*
 * The search with partial-order reduction must find exactly the final states that the search
 * without it finds. Random small programs over descriptors, data, barriers and TLBIs; with rules
 * switched off at random, so that unusual machines are compared too. DVMSIM_PROGRAMS says how many
 * (the "long" run: 10,000).
 */
static unsigned programs(void)
{
	const char *env = getenv("DVMSIM_PROGRAMS");

	return env ? (unsigned)strtoul(env, NULL, 10) : 500;
}

static const char *const pool[] = {
	"LDR W%u,[X10]",     "LDR W%u,[X11]",      "STR W1,[X10]",	"STR W2,[X11]",
	"STR X14,[X13]",     "STR X15,[X13]",	   "LDR X%u,[X13]",	"DMB SY",
	"DMB ST",	     "DMB LD",		   "DSB ISH",		"DSB ST",
	"DSB LD",	     "ISB",		   "TLBI VAAE1IS,X12",	"TLBI VMALLE1",
	"LDAR W%u,[X11]",    "STLR W1,[X11]",	   "SWP W1,W%u,[X11]",	"LDR W%u,[X10,X3]",
	"EOR X3,X4,X4",	     "CBNZ X4,L%u",	   "STR X15,[X13]",	"LDR W%u,[X10]",
	"CAS W4,W2,[X11]",   "TLBI VAE1IS,X12",	   "LDR W4,[X11]",	"STR X14,[X13]",
};

static void random_program(struct dvmi_rng *rng, char *text, size_t size)
{
	unsigned threads = 2 + (unsigned)dvmi_rng_below(rng, 2);
	unsigned rows = threads == 2 ? 4 : 3;
	size_t n = 0;

	n += (size_t)snprintf(text + n, size - n, "AArch64 random\n{ y=5; z=6;\n");
	for (unsigned t = 0; t < threads; t++)
		n += (size_t)snprintf(text + n, size - n,
				      "%u:X10=x; %u:X11=y; %u:X13=PTE(x); %u:X1=1; %u:X2=2; "
				      "%u:X12=%u; %u:X14=(oa:PA(x),valid:0); %u:X15=(oa:PA(z));\n",
				      t, t, t, t, t, t, 1 << 24, t, t);
	n += (size_t)snprintf(text + n, size - n, "}\n");
	for (unsigned t = 0; t < threads; t++)
		n += (size_t)snprintf(text + n, size - n, "%s P%u ", t ? "|" : "", t);
	n += (size_t)snprintf(text + n, size - n, ";\n");
	for (unsigned r = 0; r < rows; r++) {
		for (unsigned t = 0; t < threads; t++) {
			const char *op = pool[dvmi_rng_below(rng, sizeof(pool) / sizeof(pool[0]))];

			n += (size_t)snprintf(text + n, size - n, "%s ", t ? "|" : "");
			/* %u: a register of its own, or the label at the end. */
			n += (size_t)snprintf(text + n, size - n, op,
					      op[0] == 'C' && op[1] == 'B' ? t : 5 + r);
		}
		n += (size_t)snprintf(text + n, size - n, ";\n");
	}
	for (unsigned t = 0; t < threads; t++)
		n += (size_t)snprintf(text + n, size - n, "%sL%u: NOP ", t ? "|" : "", t);
	n += (size_t)snprintf(text + n, size - n, ";\nlocations [x; y; z; PTE(x);");
	for (unsigned t = 0; t < threads; t++)
		n += (size_t)snprintf(text + n, size - n, "%u:X4; %u:X5; %u:X6; %u:X7; fault(P%u,x);",
				      t, t, t, t, t);
	(void)snprintf(text + n, size - n, "]\nexists (true)\n");
}

static bool same(const struct dvm_litmus_result *a, const struct dvm_litmus_result *b)
{
	if (dvm_litmus_outcomes(a) != dvm_litmus_outcomes(b))
		return false;
	for (size_t i = 0; i < dvm_litmus_outcomes(a); i++)
		if (strcmp(dvm_litmus_outcome(a, i), dvm_litmus_outcome(b, i)) != 0)
			return false;
	return true;
}

START_TEST(reduced_and_full_search_find_the_same_final_states)
{
	uint64_t full_states = 0, reduced_states = 0;

	for (unsigned i = 0; i < programs(); i++) {
		struct dvm_litmus_result *reduced, *full;
		struct dvm_litmus *test = NULL;
		struct dvmi_rng rng;
		struct dvm_error err;
		uint64_t without = 0;
		char text[4096];
		int ets2;

		dvmi_rng_init(&rng, 1, i);
		random_program(&rng, text, sizeof(text));
		ets2 = (int)dvmi_rng_below(&rng, 2);
		if (dvmi_rng_below(&rng, 4) == 0)
			without = UINT64_C(1) << dvmi_rng_below(&rng, dvm_check_rules());
		if (dvm_litmus_parse("random", text, strlen(text), &test, &err))
			ck_abort_msg("%s in\n%s", err.text, text);
		reduced = litmus_run(test, ets2, without, 0, 0);
		full = litmus_run(test, ets2, without, 1, 0);
		ck_assert_msg(dvm_litmus_verdict(full) == DVM_CHECK_ALWAYS, "program %u", i);
		ck_assert_msg(same(reduced, full), "program %u (ets2 %d, without %s):\n%s", i, ets2,
			      without ? "a rule" : "none", text);
		full_states += dvm_litmus_states(full);
		reduced_states += dvm_litmus_states(reduced);
		dvm_litmus_result_free(reduced);
		dvm_litmus_result_free(full);
		dvm_litmus_free(test);
	}
	/* A reduction that reduces nothing would make the comparison empty. */
	ck_assert_uint_lt(reduced_states, full_states);
	printf("%u programs: %llu states reduced, %llu full\n", programs(),
	       (unsigned long long)reduced_states, (unsigned long long)full_states);
}
END_TEST

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "reduction"),
		       reduced_and_full_search_find_the_same_final_states);
}

CHECK_MAIN("reduction", add_cases)
