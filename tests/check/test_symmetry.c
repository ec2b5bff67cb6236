/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"
#include "random_litmus.h"

#include "check/run.h"

/*
 * Threads that are the same may change places: the search that makes use of it must find the final
 * states that the search without it finds, and as many executions of each. Random small programs in
 * which threads have the same instructions; DVMSIM_PROGRAMS says how many (the "long" run: 10,000).
 */
static unsigned programs(unsigned few)
{
	const char *env = getenv("DVMSIM_PROGRAMS");

	return env ? (unsigned)strtoul(env, NULL, 10) : few;
}

struct program {
	char text[4096];
	struct dvm_litmus *test;
	struct dvm_check_options options;
};

static void make(struct program *p, unsigned i)
{
	struct dvmi_rng rng;
	struct dvm_error err;

	dvmi_rng_init(&rng, 3, i);
	random_equal(&rng, p->text, sizeof(p->text));
	if (dvm_litmus_parse("random", p->text, strlen(p->text), &p->test, &err))
		ck_abort_msg("%s in\n%s", err.text, p->text);
	memset(&p->options, 0, sizeof(p->options));
	p->options.size = sizeof(p->options);
	p->options.ets2 = (int)dvmi_rng_below(&rng, 2);
	if (dvmi_rng_below(&rng, 4) == 0)
		p->options.without = UINT64_C(1) << dvmi_rng_below(&rng, dvm_check_rules());
	if (dvmi_rng_below(&rng, 8) == 0) /* as with the erratum */
		p->options.without |= UINT64_C(1) << dvm_check_rule_find("tlbi-drain-write");
}

/* All that the search says: final states, numbers of executions. */
static char *result(const struct program *p, int unreduced, int without_symmetry, uint64_t *states)
{
	struct dvm_check_options o = p->options;
	struct dvm_litmus_result *res;
	char *text;

	o.unreduced = unreduced;
	o.without_symmetry = without_symmetry;
	ck_assert_int_eq(dvm_litmus_run(p->test, &o, &res, NULL), 0);
	ck_assert_int_eq(dvm_litmus_verdict(res), DVM_CHECK_ALWAYS);
	*states += dvm_litmus_states(res);
	ck_assert_int_eq(dvm_litmus_result_text(res, &text), 0);
	dvm_litmus_result_free(res);
	return text;
}

/* The final states only: partial-order reduction keeps these, not the number of ways to them. */
static void cut_counts(char *text)
{
	char *end = strstr(text, "\nOk\n");

	ck_assert_ptr_nonnull(end);
	*end = '\0';
}

START_TEST(with_and_without_symmetry_the_results_are_the_same)
{
	unsigned count = programs(200);
	uint64_t both = 0, order = 0, symmetry = 0, none = 0;

	for (unsigned i = 0; i < count; i++) {
		struct program p;
		char *a, *b, *c, *d;

		make(&p, i);
		a = result(&p, 0, 0, &both);
		b = result(&p, 0, 1, &order);
		c = result(&p, 1, 0, &symmetry);
		d = result(&p, 1, 1, &none);
		ck_assert_msg(!strcmp(a, b), "program %u:\n%s%s%s", i, p.text, a, b);
		ck_assert_msg(!strcmp(c, d), "program %u, full:\n%s%s%s", i, p.text, c, d);
		cut_counts(a);
		cut_counts(d);
		ck_assert_msg(!strcmp(a, d), "program %u, reduced:\n%s%s\n%s", i, p.text, a, d);
		dvm_free(a);
		dvm_free(b);
		dvm_free(c);
		dvm_free(d);
		dvm_litmus_free(p.test);
	}
	/* A reduction that reduces nothing would make the comparison empty. */
	ck_assert_uint_lt(both, order);
	ck_assert_uint_lt(symmetry, none);
	printf("%u programs, states: %llu; without symmetry %llu; without partial order %llu; "
	       "without either %llu\n",
	       count, (unsigned long long)both, (unsigned long long)order,
	       (unsigned long long)symmetry, (unsigned long long)none);
}
END_TEST

/* ---- wrong symmetries ---- */

/* A symmetry that looks away from something must not pass for right. */
enum blind {
	BLIND_NOT,
	BLIND_REGISTER,
	BLIND_TLB,
	BLIND_READS,
	BLIND_ORDER,
	BLIND_WAYS,
	BLIND_MEMORY,
	BLIND_NAMES
};

#define SHOWN_MAX 4096

struct seen {
	struct dvmi_run *run;
	uint64_t shown[SHOWN_MAX][DVMI_ATOMS_MAX];
	unsigned count[SHOWN_MAX], n;
};

static int see(void *arg, const struct dvmi_program *prog, const struct dvmi_state *st)
{
	struct seen *s = arg;
	size_t size = s->run->test->atoms * sizeof(uint64_t);
	uint8_t which[DVMI_SYMMETRIES_MAX];
	unsigned images = dvmi_images_of(&s->run->sym, &s->run->images, prog, st, which);

	for (unsigned i = 0; i < images; i++) {
		uint64_t shown[DVMI_ATOMS_MAX];
		unsigned k = 0;

		dvmi_run_show(s->run, st, &s->run->sym.one[which[i]], shown);
		while (k < s->n && memcmp(s->shown[k], shown, size) != 0)
			k++;
		ck_assert_uint_lt(k, SHOWN_MAX);
		if (k == s->n) {
			memcpy(s->shown[s->n], shown, size);
			s->count[s->n++] = 0;
		}
		s->count[k]++;
	}
	return 0;
}

static void spoil(enum blind blind, const struct dvmi_program *prog, struct dvmi_images *images)
{
	for (unsigned i = 0; i < images->count; i++) {
		struct dvmi_image *im = &images->one[i];

		for (unsigned k = 0; k < prog->walks && blind == BLIND_TLB; k++)
			im->walk[k] = (uint8_t)k;
		for (unsigned k = 0; k < prog->reads && blind == BLIND_READS; k++)
			im->read[k] = (uint8_t)k;
		for (unsigned k = 0; k < prog->writes && blind == BLIND_ORDER; k++)
			im->write[k] = (uint8_t)k;
	}
}

/* The run of a program with symmetries found on @model, which is the program or resembles it. */
static void explore(const struct program *p, const struct dvm_litmus *model, enum blind blind,
		    struct seen *seen)
{
	struct dvmi_run *r = calloc(1, sizeof(*r));
	size_t choice[DVMI_PES_MAX] = {0};

	ck_assert_int_eq(dvmi_run_open(r, p->test, &p->options, NULL), 0);
	dvmi_symmetries_find(model, r->paths, true, &r->sym);
	for (unsigned g = 0; g < r->sym.count && blind == BLIND_NAMES; g++)
		memcpy(r->sym.one[g].page, r->sym.one[0].page, sizeof(r->sym.one[0].page));
	seen->run = r;
	seen->n = 0;
	r->ex.final = see;
	r->ex.final_arg = seen;
	for (bool more = dvmi_run_first(r, choice); more; more = dvmi_run_next(r, choice)) {
		bool least = dvmi_symmetries_least(&r->sym, choice);

		if (blind == BLIND_WAYS) /* as if the first two threads were the only ones */
			least = choice[0] <= choice[1];
		if (!least || dvmi_run_build(r, choice))
			continue;
		dvmi_images_find(&r->sym, choice, r->prog, &r->images);
		spoil(blind, r->prog, &r->images);
		r->ex.images = &r->images;
		ck_assert_int_eq(dvmi_explore(&r->ex, r->prog), 0);
	}
	dvmi_run_close(r);
	free(r);
}

static bool differ(const struct seen *a, const struct seen *b, unsigned atoms)
{
	if (a->n != b->n)
		return true;
	for (unsigned i = 0; i < a->n; i++) {
		unsigned k = 0;

		while (k < b->n && memcmp(a->shown[i], b->shown[k], atoms * sizeof(uint64_t)) != 0)
			k++;
		if (k == b->n || a->count[i] != b->count[k])
			return true;
	}
	return false;
}

/* @model: as the program, but for what must not be seen. */
static void look_away(const struct dvm_litmus *test, enum blind blind, struct dvm_litmus *model)
{
	*model = *test;
	if (blind == BLIND_REGISTER) /* x1, which a thread may store */
		model->thread[1].reg[1] = model->thread[0].reg[1];
	for (unsigned k = 0; k < test->space.pages && blind == BLIND_MEMORY; k++)
		for (unsigned c = 0; c < DVMI_CELLS; c++)
			model->init[DVMI_PAGES_MAX + k * DVMI_CELLS + c] = 0;
}

START_TEST(a_wrong_symmetry_is_noticed)
{
	struct seen *right = malloc(sizeof(*right)), *wrong = malloc(sizeof(*wrong));
	struct dvm_litmus *model = malloc(sizeof(*model));
	unsigned noticed = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct program p;

		make(&p, i);
		explore(&p, p.test, BLIND_NOT, right);
		look_away(p.test, (enum blind)_i, model);
		explore(&p, model, (enum blind)_i, wrong);
		noticed += differ(right, wrong, p.test->atoms);
		dvm_litmus_free(p.test);
	}
	if (_i == BLIND_NOT)
		ck_assert_uint_eq(noticed, 0);
	else
		ck_assert_uint_gt(noticed, 0);
	printf("blindness %d: %u of 300 programs\n", _i, noticed);
	free(model);
	free(right);
	free(wrong);
}
END_TEST

/*
 * Two threads that would be the same if x and y changed names. A value that is computed, cut or
 * compared, or an address that leaves its page, may come to something else then.
 */
static const struct {
	const char *code;
	bool may;
} renamed[] = {
	{"STR W3,[X1]| STR W3,[X1]; LDR W4,[X2]| LDR W4,[X2];", true},
	{"LDR W4,[X1]| LDR W4,[X1]; EOR X5,X4,X4| EOR X5,X4,X4;", true},
	{"LDR W4,[X1]| LDR W4,[X1]; CBNZ W4,A| CBNZ W4,B; STR W3,[X2]| STR W3,[X2]; A:| B:;", true},
	{"STR X6,[X5]| STR X6,[X5]; DSB ISH| DSB ISH; TLBI VAAE1IS,X1| TLBI VAAE1IS,X1;", true},
	{"STR X5,[X2]| STR X5,[X2]; LDR X7,[X2]| LDR X7,[X2];", true},
	{"SWP X6,X7,[X5]| SWP X6,X7,[X5]; CAS X7,X3,[X1]| CAS X7,X3,[X1];", true},
	{"LDR W4,[X1]| LDR W4,[X1]; EOR X9,X4,X4| EOR X9,X4,X4; LDR W7,[X2,X9]| LDR W7,[X2,X9];",
	 true},
	{"ADD X4,X3,#1| ADD X4,X3,#1; STR W3,[X1]| STR W3,[X1];", false},
	{"LDADD W3,W4,[X1]| LDADD W3,W4,[X1];", false},
	{"LDR W4,[X1,#4096]| LDR W4,[X1,#4096];", false},
	{"LDR W4,[X5]| LDR W4,[X5];", false},
	{"STR W1,[X2]| STR W1,[X2];", false},
	{"STR X5,[X2]| STR X5,[X2]; LDR W7,[X2]| LDR W7,[X2];", false},
	{"LDR X4,[X5]| LDR X4,[X5]; CBNZ X4,A| CBNZ X4,B; STR W3,[X2]| STR W3,[X2]; A:| B:;",
	 false},
	{"CMP X1,X3| CMP X1,X3;", false},
	{"LDR X4,[X1]| LDR X4,[X1]; LDR W7,[X4]| LDR W7,[X4];", false},
	{"LDR W4,[X1,X3]| LDR W4,[X1,X3];", false},
	{"LSR X9,X1,#12| LSR X9,X1,#12; TLBI VAAE1IS,X9| TLBI VAAE1IS,X9;", false},
	{"TLBI VAAE1IS,X8| TLBI VAAE1IS,X8;", false},
};

START_TEST(variables_change_names_only_where_values_are_moved_about)
{
	struct dvmi_run *r = calloc(1, sizeof(*r));
	struct dvm_litmus *test;
	struct dvm_error err;
	char text[1024];

	snprintf(text, sizeof(text),
		 "AArch64 renamed\n{ 0:X1=x; 0:X2=y; 1:X1=y; 1:X2=x; 0:X3=1; 1:X3=1; 0:X5=PTE(x); "
		 "1:X5=PTE(y); 0:X6=(oa:PA(x),valid:0); 1:X6=(oa:PA(y),valid:0); 0:X8=0x1000000; "
		 "1:X8=0x1000000; }\nP0|P1;\n%s\nexists (true)\n",
		 renamed[_i].code);
	if (dvm_litmus_parse("renamed", text, strlen(text), &test, &err))
		ck_abort_msg("%s in\n%s", err.text, text);
	ck_assert_int_eq(dvmi_run_open(r, test, NULL, NULL), 0);
	dvmi_symmetries_find(test, r->paths, true, &r->sym);
	ck_assert_uint_eq(r->sym.count, renamed[_i].may ? 2 : 1);
	dvmi_symmetries_find(test, r->paths, false, &r->sym);
	ck_assert_uint_eq(r->sym.count, 1);
	dvmi_run_close(r);
	free(r);
	dvm_litmus_free(test);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "symmetry");

	tcase_add_test(tc, with_and_without_symmetry_the_results_are_the_same);
	tcase_add_loop_test(tc, variables_change_names_only_where_values_are_moved_about, 0,
			    sizeof(renamed) / sizeof(renamed[0]));
	tcase_add_loop_test(tc, a_wrong_symmetry_is_noticed, BLIND_NOT, BLIND_NAMES + 1);
}

CHECK_MAIN("symmetry", add_cases)
