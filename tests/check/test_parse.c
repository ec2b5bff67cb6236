/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "litmus_util.h"

#include "base/mem.h"

#define HEAD "AArch64 t\n{ 0:X1=x; 0:X2=PTE(x); }\n"

/* Each names the place of the mistake and what would be right. */
static const struct {
	const char *text;
	unsigned line, column;
	const char *says;
} bad[] = {
	{"", 1, 1, "AArch64"},
	{"X86 t\n{}\n P0;\nexists(0:X0=0)", 1, 1, "AArch64"},
	{"AArch64 \n{}\n P0;\nexists(0:X0=0)", 1, 9, "no name"},
	{"AArch64 t\nP0;\n", 3, 1, "initial state"},
	{"AArch64 t\nTTHM=P0:HB\n{}\n", 2, 11, "TTHM"},
	{"AArch64 t\nTTHM=P9:HA\n{}\n", 2, 11, "TTHM"},
	{"AArch64 t\n{ x=1\n", 3, 1, "; or }"},
	{"AArch64 t\n{ (* x=1; }\n P0;\n", 2, 3, "comment"},
	{"AArch64 t\n{ 0:Q1=x; }\n", 2, 7, "register"},
	{"AArch64 t\n{ 9:X1=x; }\n", 2, 5, "P0 to P7"},
	{"AArch64 t\n{ [PTE(x)]=(oa:x); }\n", 2, 17, "physical"},
	{"AArch64 t\n{ [PTE(x)]=(valid:2); }\n", 2, 20, "0 or 1"},
	{"AArch64 t\n{ [PTE(x)]=(dirty:1); }\n", 2, 18, "dbm"},
	{"AArch64 t\n{ [PTE(x)]=1; }\n", 2, 13, "oa:PA(x)"},
	{"AArch64 t\n{ 0:X1=(valid:0); }\n", 2, 17, "output address"},
	{"AArch64 t\n{ int x[40]; }\n", 2, 11, "64 bytes"},
	{HEAD " LDR X1;\nexists(0:X0=0)", 3, 6, "P0 | P1"},
	{HEAD " P0 | P0;\nexists(0:X0=0)", 3, 9, "two columns"},
	{HEAD " P0;\n LDRB W1,[X1];\nexists(0:X0=0)", 4, 2, "not supported"},
	{HEAD " P0;\n LDR X31,[X1];\nexists(0:X0=0)", 4, 6, "X0-X30"},
	{HEAD " P0;\n LDR X3,X1;\nexists(0:X0=0)", 4, 9, "brackets"},
	{HEAD " P0;\n LDR X3,[W1];\nexists(0:X0=0)", 4, 12, "X register"},
	{HEAD " P0;\n DMB ISHX;\nexists(0:X0=0)", 4, 6, "ISHST"},
	{HEAD " P0;\n TLBI VAAE2IS,X1;\nexists(0:X0=0)", 4, 7, "VMALLE1"},
	{HEAD " P0;\n TLBI VAE1IS;\nexists(0:X0=0)", 4, 13, "register"},
	{HEAD " P0;\n B.XX L0;\nexists(0:X0=0)", 4, 7, "EQ"},
	{HEAD " P0;\n CBZ X1,L0;\nexists(0:X0=0)", 4, 9, "not defined"},
	{HEAD " P0;\n L0: L0: NOP;\nexists(0:X0=0)", 4, 10, "twice"},
	{HEAD " P0;\n LDR X3,[X1]\nexists(0:X0=0)", 5, 1, "end of a row"},
	{HEAD " P0;\n LDR X3,[X1];\n", 5, 1, "condition"},
	{HEAD " P0;\n LDR X3,[X1];\nexists(1:X0=0)", 5, 10, "no thread P1"},
	{HEAD " P0;\n LDR X3,[X1];\nexists(fault(P0:L9,x))", 5, 19, "no label L9"},
	{HEAD " P0;\n L0: LDR X3,[X1];\nexists(fault(P0:L0,x,MMU:Odd))", 5, 29, "Permission"},
	{HEAD " P0;\n LDR X3,[X1];\nexists(0:X3)", 5, 12, "expected ="},
	{HEAD " P0;\n LDR X3,[X1];\nexists(0:X3=1", 5, 14, "expected )"},
	{HEAD " P0;\n LDR X3,[X1];\nexists(0:X3=1) more", 5, 16, "unexpected"},
};

START_TEST(bad_input_is_refused_with_place_and_cure)
{
	struct dvm_litmus *test = NULL;
	struct dvm_error err;
	int rc = dvm_litmus_parse("t.litmus", bad[_i].text, strlen(bad[_i].text), &test, &err);

	ck_assert_int_eq(rc, -DVM_EFORMAT);
	ck_assert_ptr_null(test);
	ck_assert_msg(err.line == bad[_i].line && err.column == bad[_i].column, "row %d: %u:%u %s",
		      _i, err.line, err.column, err.text);
	ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "row %d: %s", _i, err.text);
}
END_TEST

/* What one thread on its own computes: the final state that the text alone determines. */
static const struct {
	const char *init, *code, *regs, *state;
} alone[] = {
	{"", "MOV X0,#5 ; ADD X1,X0,#3 ; SUB X2,X1,X0 ;", "0:X1;0:X2;", "0:X1=8; 0:X2=3;"},
	{"", "MOV W0,#-1 ; MOV X1,X0 ;", "0:X1;", "0:X1=4294967295;"},
	{"", "MOV X0,#6 ; AND X1,X0,#3 ; ORR X2,X0,#1 ; EOR X3,X0,X0 ;", "0:X1;0:X2;0:X3;",
	 "0:X1=2; 0:X2=7; 0:X3=0;"},
	{"", "MOV X0,#6 ; BIC X1,X0,#2 ; LSL X2,X0,#2 ; LSR X3,X0,#1 ;", "0:X1;0:X2;0:X3;",
	 "0:X1=4; 0:X2=24; 0:X3=3;"},
	{"0:X1=x; x=7;", "LDR W0,[X1] ;", "0:X0;", "0:X0=7;"},
	{"0:X1=x; x=7;", "MOV W0,#9 ; STR W0,[X1] ;", "x;", "[x]=9;"},
	{"0:X1=x; int x[2]={4,5};", "LDR W0,[X1,#4] ;", "0:X0;", "0:X0=5;"},
	{"0:X1=x; 0:X2=4; int x[2]={4,5};", "LDR W0,[X1,W2,SXTW] ;", "0:X0;", "0:X0=5;"},
	{"0:X1=x; x=7;", "MOV W2,#1 ; SWP W2,W3,[X1] ;", "0:X3;x;", "0:X3=7; [x]=1;"},
	{"0:X1=x; x=7;", "MOV W2,#7 ; MOV W3,#8 ; CAS W2,W3,[X1] ;", "0:X2;x;", "0:X2=7; [x]=8;"},
	{"0:X1=x; x=7;", "MOV W2,#6 ; MOV W3,#8 ; CASAL W2,W3,[X1] ;", "0:X2;x;", "0:X2=7; [x]=7;"},
	{"0:X1=x; x=7;", "MOV W2,#6 ; LDADD W2,W3,[X1] ; LDR W4,[X1] ;", "0:X3;0:X4;",
	 "0:X3=7; 0:X4=13;"},
	{"0:X1=x; x=7;", "MOV W2,#3 ; STCLR W2,[X1] ;", "x;", "[x]=4;"},
	{"", "MOV X0,#1 ; CBZ X0,L1 ; MOV X2,#5 ; L1: NOP ;", "0:X2;", "0:X2=5;"},
	{"", "MOV X0,#1 ; CMP X0,#1 ; B.EQ L1 ; MOV X2,#5 ; L1: NOP ;", "0:X2;", "0:X2=0;"},
	{"", "MOV X0,#1 ; CMP X0,#2 ; B.LT L1 ; MOV X2,#5 ; L1: NOP ;", "0:X2;", "0:X2=0;"},
	{"", "MOV X0,#1 ; MOV X3,#4 ; CMP X0,#2 ; CSEL X2,X0,X3,EQ ;", "0:X2;", "0:X2=4;"},
	{"", "MOV X0,#1 ; CMP X0,#1 ; CSET W2,EQ ; CSET X3,NE ;", "0:X2;0:X3;", "0:X2=1; 0:X3=0;"},
	{"0:X1=x; 0:X2=pte_x;", "LDR X0,[X2] ;", "0:X0;", "0:X0=(oa:PA(x));"},
	{"0:X2=PTE(x); [PTE(x)]=(valid:0,db:0);", "LDR X0,[X2] ;", "0:X0;",
	 "0:X0=(oa:PA(x), db:0, valid:0);"},
	{"0:X1=x; pte_x=(oa:phy_y); y=3;", "LDR W0,[X1] ;", "0:X0;", "0:X0=3;"},
	{"0:X1=x; pte_x=(valid:0);", "L0: LDR W0,[X1] ;", "fault(P0:L0,x);",
	 " Fault(P0:L0,x,D-MMU:Translation);"},
	{"0:X1=x; pte_x=(af:0);", "L0: STR W0,[X1] ;", "fault(P0:L0,x);",
	 " Fault(P0:L0,x,D-MMU:AccessFlag);"},
	{"0:X1=x; pte_x=(db:0);", "L0: STR W0,[X1] ;", "fault(P0:L0,x);",
	 " Fault(P0:L0,x,D-MMU:Permission);"},
	{"0:X1=x; pte_x=(db:0);", "L0: LDR W0,[X1] ;", "fault(P0:L0,x);", " ~Fault(P0:L0,x);"},
	/* One fault, though two atoms name it. */
	{"0:X1=x; pte_x=(af:0);", "L0: LDR W0,[X1] ;",
	 "fault(P0:L0,x); fault(P0:L0,x,MMU:AccessFlag);",
	 " Fault(P0:L0,x,D-MMU:AccessFlag);"},
};

START_TEST(one_thread_alone_computes)
{
	struct dvm_litmus_result *res;
	struct dvm_litmus *test = NULL;
	struct dvm_error err;
	char text[1024];

	snprintf(text, sizeof(text), "AArch64 t\n{ %s }\n P0;\n%s\nlocations[%s]\nexists(true)",
		 alone[_i].init, alone[_i].code, alone[_i].regs);
	err.text[0] = '\0';
	(void)dvm_litmus_parse("t", text, strlen(text), &test, &err);
	ck_assert_msg(test != NULL, "%s", err.text);
	res = litmus_run(test, 0, 0, 0, 0);
	ck_assert_uint_eq(dvm_litmus_outcomes(res), 1);
	ck_assert_str_eq(dvm_litmus_outcome(res, 0), alone[_i].state);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
}
END_TEST

static const char whole[] =
	"AArch64 whole (* a comment (* inside *) *)\n\"text\"\nHash=1\n"
	"{ int64_t x=1; uint64_t y; 0:X1=x; P1:X1=y; [PTE(y)]=(oa:PA(x),af:1); }\n"
	" P0 | P1 ;\nL0: LDR X2,[X1] | ; | L1: STR XZR,[X1] ;\nNOP | ISB ;\n"
	"locations [0:X2; y;]\nforall (0:X2=1 /\\ ~fault(P0:L0,x)) \\/ 0:X2=0";

START_TEST(every_part_of_the_grammar_is_read)
{
	struct dvm_litmus *test = NULL;
	struct dvm_litmus_result *res;
	struct dvm_error err;
	char *text = NULL;

	ck_assert_int_eq(dvm_litmus_parse("w", whole, strlen(whole), &test, &err), 0);
	res = litmus_run(test, 1, 0, 0, 0);
	ck_assert_int_eq(dvm_litmus_result_text(res, &text), 0);
	ck_assert_ptr_nonnull(strstr(text, "Condition forall ("));
	ck_assert_int_eq(dvm_litmus_verdict(res), DVM_CHECK_ALWAYS);
	dvm_free(text);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
}
END_TEST

/* Cut anywhere, a test is refused or read, never worse (run with sanitizers). */
START_TEST(truncated_input_is_harmless)
{
	for (size_t n = 0; n < sizeof(whole); n++) {
		struct dvm_litmus *test = NULL;
		char *copy = malloc(n + 1);

		memcpy(copy, whole, n);
		(void)dvm_litmus_parse("w", copy, n, &test, NULL);
		dvm_litmus_free(test);
		free(copy);
	}
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	for (unsigned long n = 1; n < 1000; n++) {
		struct dvm_litmus *test = NULL;
		struct dvm_litmus_result *res = NULL;
		int rc;

		dvmi_mem_fail_at(n);
		rc = dvm_litmus_parse("w", whole, strlen(whole), &test, NULL);
		if (!rc)
			rc = dvm_litmus_run(test, NULL, &res, NULL);
		dvmi_mem_fail_at(0);
		dvm_litmus_result_free(res);
		dvm_litmus_free(test);
		if (!rc)
			return;
		ck_assert_int_eq(rc, -DVM_ENOMEM);
	}
	ck_abort_msg("never succeeded");
}
END_TEST

START_TEST(a_filter_leaves_executions_out)
{
	const char *text = "AArch64 f\n{ 0:X1=x; 1:X1=x; x=3; }\n P0 | P1;\n"
			   "LDR W0,[X1] | STR WZR,[X1];\nfilter (0:X0=3)\nforall (0:X0=3)";
	struct dvm_litmus *test = NULL;
	struct dvm_litmus_result *res;

	ck_assert_int_eq(dvm_litmus_parse("f", text, strlen(text), &test, NULL), 0);
	res = litmus_run(test, 0, 0, 0, 0);
	ck_assert_int_eq(dvm_litmus_verdict(res), DVM_CHECK_ALWAYS);
	ck_assert_uint_eq(dvm_litmus_outcomes(res), 1);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
}
END_TEST

/* 2 to the 30 ways through branches that no value decides in advance. */
START_TEST(too_many_ways_are_refused)
{
	char text[4096] = "AArch64 w\n{ 0:X1=x; 1:X1=x; 2:X1=x; }\n P0|P1|P2;\n"
			  "NOP|NOP|NOP;\n";
	struct dvm_litmus *test = NULL;
	struct dvm_litmus_result *res = NULL;
	struct dvm_error err;

	for (int i = 0; i < 10; i++)
		sprintf(text + strlen(text),
			"LDR W0,[X1]|LDR W0,[X1]|LDR W0,[X1];\n"
			"CBZ W0,L%d|CBZ W0,L%d|CBZ W0,L%d;\n"
			"L%d:|L%d:|L%d:;\n",
			i, i, i, i, i, i);
	strcat(text, "exists(true)");
	ck_assert_int_eq(dvm_litmus_parse("w", text, strlen(text), &test, &err), 0);
	ck_assert_int_eq(dvm_litmus_run(test, NULL, &res, &err), -DVM_ELIMIT);
	dvm_litmus_free(test);
}
END_TEST

static const char loop[] = "AArch64 loop\n{ 0:X1=x; }\n P0;\nL0: LDR W0,[X1];\nCBZ W0,L0;\n"
			   "exists(0:X0=1)";

START_TEST(an_endless_loop_is_an_error)
{
	struct dvm_litmus *test = NULL;
	struct dvm_litmus_result *res = NULL;
	struct dvm_error err;
	const char *text = "AArch64 e\n{ }\n P0;\nL0: B L0;\nexists(0:X0=1)";

	ck_assert_int_eq(dvm_litmus_parse("e", text, strlen(text), &test, &err), 0);
	ck_assert_int_eq(dvm_litmus_run(test, NULL, &res, &err), -DVM_ELIMIT);
	dvm_litmus_free(test);
	ck_assert_int_eq(dvm_litmus_parse("l", loop, strlen(loop), &test, &err), 0);
	ck_assert_int_eq(dvm_litmus_run(test, NULL, &res, &err), 0);
	ck_assert_uint_eq(dvm_litmus_outcomes(res), 0);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
}
END_TEST

START_TEST(a_limit_gives_inconclusive_never_forbidden)
{
	const char *text =
		"AArch64 big\n{ 0:X1=x; 1:X1=x; 2:X1=x; }\n P0|P1|P2;\n"
		"MOV W0,#1 | MOV W0,#2 | MOV W0,#3;\nSTR W0,[X1]|STR W0,[X1]|STR W0,[X1];\n"
		"LDR W2,[X1]|LDR W2,[X1]|LDR W2,[X1];\nexists(0:X2=9)";
	struct dvm_check_options o = {.size = sizeof(o), .max_states = 20};
	struct dvm_litmus *test = NULL;
	struct dvm_litmus_result *res = NULL;

	ck_assert_int_eq(dvm_litmus_parse("b", text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_run(test, &o, &res, NULL), 0);
	ck_assert_int_eq(dvm_litmus_verdict(res), DVM_CHECK_INCONCLUSIVE);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "litmus reader");

	tcase_add_loop_test(tc, bad_input_is_refused_with_place_and_cure, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_loop_test(tc, one_thread_alone_computes, 0,
			    (int)(sizeof(alone) / sizeof(alone[0])));
	tcase_add_test(tc, every_part_of_the_grammar_is_read);
	tcase_add_test(tc, truncated_input_is_harmless);
	tcase_add_test(tc, every_allocation_may_fail);
	tcase_add_test(tc, a_filter_leaves_executions_out);
	tcase_add_test(tc, too_many_ways_are_refused);
	tcase_add_test(tc, an_endless_loop_is_an_error);
	tcase_add_test(tc, a_limit_gives_inconclusive_never_forbidden);
}

CHECK_MAIN("litmus", add_cases)
