/* SPDX-License-Identifier: MIT */
/* The language: what is accepted, what is refused, where and with which cure. */
#include "check_main.h"

#include "base/file.h"
#include "base/mem.h"
#include "program/parse.h"

#include <stdio.h>
#include <string.h>

#define DIR_NAME DVMSIM_SOURCE_DIR "/tests/program/"

/* invalid/NAME.strategy holds one mistake: its line, its column, the message's beginning. */
static const struct {
	const char *name;
	unsigned line, column;
	const char *text;
} invalid[] = {
	{ "empty", 1, 1,
	  "the file holds no strategy; write strategy NAME first" },
	{ "no-name-first", 1, 1,
	  "the file does not begin with its name; write strategy NAME first" },
	{ "second-strategy", 2, 1,
	  "a second strategy line; one file holds one strategy" },
	{ "name-missing", 1, 9,
	  "a name is missing here; write one, of letters, digits and _" },
	{ "name-too-long", 1, 10,
	  "the name is too long; shorten it to 31 characters" },
	{ "rest-of-line", 3, 6,
	  "the line should end here; remove the rest or put # before it" },
	{ "bad-character", 3, 9,
	  "'!' has no meaning here; a comment begins with #" },
	{ "control-character", 3, 6,
	  "a control or non-ASCII character outside a comment; remove it" },
	{ "bad-number", 2, 11,
	  "not a number; write decimal digits or 0x and hexadecimal digits, below 2^64" },
	{ "number-too-big", 2, 11,
	  "not a number; write decimal digits or 0x and hexadecimal digits, below 2^64" },
	{ "open-string", 2, 9,
	  "the string does not end; close it with \"" },
	{ "string-backslash", 2, 11,
	  "a string holds printable ASCII without backslashes; rewrite this character" },
	{ "no-string", 2, 9,
	  "a string is missing here; write it in \"quotes\"" },
	{ "two-summaries", 3, 1,
	  "a second summary; write one sentence" },
	{ "const-twice", 3, 7,
	  "constant 'A' is declared on line 2 already; remove one of the two" },
	{ "const-unused", 2, 7,
	  "'A' is declared and never used; remove it" },
	{ "const-no-value", 2, 11,
	  "a constant's value is a number; write const A = NUMBER" },
	{ "const-no-equals", 2, 9,
	  "write const A = NUMBER" },
	{ "const-reserved", 2, 7,
	  "'self' has a meaning already; choose another name" },
	{ "const-hyphen", 2, 7,
	  "'a-b' has a dot or a hyphen; use letters, digits and _" },
	{ "param-no-value", 2, 11,
	  "a constant's value is a number; write const A = NUMBER" },
	{ "quarantine-zero", 2, 12,
	  "a quarantine lasts 1 to 1000 ticks" },
	{ "quarantine-long", 2, 12,
	  "a quarantine lasts 1 to 1000 ticks" },
	{ "quarantine-unit", 2, 14,
	  "a quarantine is told in ticks; write quarantine NUMBER ticks" },
	{ "quarantine-twice", 3, 12,
	  "a second quarantine; write one" },
	{ "quarantine-unknown", 2, 12,
	  "write quarantine NUMBER ticks, or a constant that was declared above" },
	{ "word-place", 2, 6,
	  "a word lives in mm, cpu, task or, without a prefix, once in the system; write for "
	  "example word mm.name" },
	{ "word-prev", 2, 6,
	  "a word lives in mm, cpu, task or, without a prefix, once in the system; write for "
	  "example word mm.name" },
	{ "word-twice", 3, 6,
	  "'x' is declared on line 2 already; remove one of the two" },
	{ "word-unused", 2, 6,
	  "'x' is declared and never used; remove it" },
	{ "word-init", 2, 13,
	  "a word begins as a number or a constant that was declared above; write one" },
	{ "mask-init", 2, 13,
	  "a mask begins as none or all; write one of them" },
	{ "word-kernel", 2, 6,
	  "the kernel keeps mm.mm_users; use it without declaring it" },
	{ "late-declaration", 4, 1,
	  "a declaration stands below the first hook; move it above" },
	{ "unknown-hook", 2, 4,
	  "unknown hook 'flsh'; did you mean 'flush'?" },
	{ "hook-no-name", 2, 3,
	  "the hook's name is missing; write for example on flush:" },
	{ "hook-no-colon", 2, 9,
	  "a colon is missing; write on flush:" },
	{ "hook-twice", 4, 4,
	  "hook 'flush' begins on line 2 already; merge the two" },
	{ "hook-empty", 4, 1,
	  "hook 'idle' is empty; write ret in it" },
	{ "no-flush", 0, 0,
	  "the strategy has no flush hook; write on flush: and what a flush does" },
	{ "batch-without-flush", 4, 1,
	  "nothing completes what batch-add begins; write on batch-flush:" },
	{ "code-before-hook", 2, 2,
	  "an instruction stands before the first hook; write on flush: above it" },
	{ "label-before-hook", 2, 1,
	  "a label stands before the first hook; write on flush: above it" },
	{ "label-twice", 5, 1,
	  "label 'a' is on line 3 of this hook already; rename one of the two" },
	{ "label-dangling", 4, 1,
	  "no instruction follows label 'a' in its hook; add one, such as ret" },
	{ "label-unknown", 3, 4,
	  "unknown label 'dne'; did you mean 'done'?" },
	{ "label-other-hook", 3, 4,
	  "label 'done' is in another hook (line 5); a branch stays in its hook, repeat the "
	  "code here" },
	{ "unknown-instruction", 3, 2,
	  "unknown instruction 'retn'; did you mean 'ret'?" },
	{ "not-an-instruction", 3, 2,
	  "a line begins with an instruction, a label: or a declaration; write one of them" },
	{ "bad-suffix", 4, 2,
	  "'st' does not take '.acq'; use a barrier beside it" },
	{ "operand-missing", 3, 13,
	  "'beq' needs a label here; add it" },
	{ "operand-kind", 3, 6,
	  "'mov' needs a register to set here; add it" },
	{ "comma-missing", 3, 8,
	  "a comma is missing here; operands are separated by commas" },
	{ "name-unknown", 6, 9,
	  "unknown name 'NONEE'; did you mean 'NONE'?" },
	{ "field-unknown", 3, 6,
	  "unknown field 'req.nosink'; did you mean 'req.nosync'?" },
	{ "word-as-value", 4, 6,
	  "'mm.x' is in memory; load it into a register first (ld r, mm.x)" },
	{ "register-reserved", 3, 6,
	  "'self' can not be a register; use a plain name that means nothing else" },
	{ "register-kinds", 6, 5,
	  "'m' is a mask register above and can not be a number here; use another name" },
	{ "undeclared-word", 4, 8,
	  "undeclared word 'active_cpo'; did you mean 'active_cpu'?" },
	{ "word-elsewhere", 4, 5,
	  "'mm.seen' is not declared; did you mean 'cpu.seen'?" },
	{ "place-unknown", 3, 5,
	  "no such place; a word is mm.x, prev.x, next.x, cpu.x, cpu[r].x, task.x or x" },
	{ "mask-as-word", 4, 8,
	  "'mm.m' is a mask; use ldmask, stmask or the bit instructions" },
	{ "word-as-mask", 4, 9,
	  "'mm.x' is a word of 64 bits; use ld, st, cas, xchg or fadd, or declare it as a "
	  "mask" },
	{ "kernel-word-written", 3, 5,
	  "'mm.mm_users' is the kernel's; a strategy may only load it" },
	{ "cpu-self", 4, 9,
	  "cpu[self] is the own CPU's word; write cpu.name" },
	{ "cpu-open", 4, 10,
	  "another CPU's word is written cpu[register].name; complete it" },
	{ "barrier-missing", 3, 5,
	  "'dsb' needs its domain and type; write for example dsb ish" },
	{ "barrier-unknown", 3, 6,
	  "unknown barrier option 'ishts'; did you mean 'ishst'?" },
	{ "sync-domain", 3, 7,
	  "the kernel's sync(mm) is inner shareable; write sync ish, or dsb for a bare "
	  "barrier" },
	{ "asid-place", 3, 7,
	  "asid reads the ASID of the hook's mm, or of prev or next; write one of them or "
	  "nothing" },
	{ "tlbi-scope", 4, 7,
	  "say whom the TLBI reaches: write tlbi local or tlbi is" },
	{ "tlbi-word", 4, 10,
	  "unknown word of tlbi 'asids'; did you mean 'asid'?" },
	{ "tlbi-domain-local", 4, 18,
	  "a local TLBI reaches one CPU and has no domain; remove the domain or write tlbi is" },
	{ "domains-unasked", 4, 2,
	  "a part without FEAT_TLBID has no TLBI domains; branch on env.domains and write tlbi is "
	  "where it is 0" },
	{ "mask-kinds", 6, 2,
	  "mask register 'm' holds TLBI domains elsewhere and CPUs here; use another register" },
	{ "mask-kinds-ipi", 5, 2,
	  "mask register 'm' holds TLBI domains elsewhere and CPUs here; use another register" },
	{ "mask-of-what", 2, 14,
	  "a mask has one bit per CPU, or per TLBI domain; write of domains or nothing" },
	{ "word-of-domains", 2, 11, "a word has 64 bits; write mask for one bit per domain" },
	{ "tlbi-domain-request", 5, 24,
	  "forms by address have no domain operand (FEAT_TLBID); write tlbi is asid domain ..." },
	{ "tlbi-domain-va", 4, 10,
	  "forms by address have no domain operand (FEAT_TLBID); write tlbi is asid domain "
	  "..." },
	{ "tlbi-without-asid", 4, 2,
	  "no ASID was read on some path from 'on flush:' to here; write asid after the "
	  "barrier and before the TLBI" },
	{ "tlbi-asid-one-path", 6, 2,
	  "no ASID was read on some path from 'on flush:' to here; write asid after the "
	  "barrier and before the TLBI" },
	{ "section-trigger", 3, 14,
	  "a section restarts on-switch or on-migrate; write one of them" },
	{ "unset-register", 6, 2,
	  "register 'r' may not be set on every path from 'on flush:' to here; set it first" },
	{ "unset-mask", 7, 2,
	  "register 'm' may not be set on every path from 'on flush:' to here; set it first" },
	{ "unread-register", 4, 2,
	  "register 'r' is set and never read; write _ in its place" },
	{ "unread-mask", 4, 2,
	  "mask register 'm' is set and never read; remove the instruction" },
	{ "unreachable", 4, 2,
	  "no path leads to this instruction; remove it or branch to it" },
	{ "no-ret", 3, 2,
	  "a path runs past the end of hook 'flush'; end it with ret" },
	{ "no-ret-next-hook", 3, 2,
	  "a path runs past the end of hook 'flush'; end it with ret" },
	{ "md-not-enabled", 4, 2,
	  "the hook returns after migrate_disable; write migrate_enable before ret" },
	{ "me-without-md", 3, 2,
	  "migrate_enable without migrate_disable before it; remove it or add the other" },
	{ "md-one-path", 6, 2,
	  "the path from line " },
	{ "pdis-not-enabled", 4, 2,
	  "the hook returns after preempt_disable; write preempt_enable before ret" },
	{ "irq-wrong-pair", 4, 2,
	  "preempt_enable without preempt_disable before it; remove it or add the other" },
	{ "section-nested", 5, 2,
	  "a section begins inside a section; end the first with section_end" },
	{ "section-not-ended", 5, 2,
	  "the hook returns inside a section; write section_end before ret" },
	{ "section-end-alone", 3, 2,
	  "section_end without section before it; remove it or begin one" },
	{ "section-unbalanced", 5, 2,
	  "the path from line " },
	{ "pure-loop", 6, 2,
	  "this loop only computes and may never end; load a word in it or unroll it" },
	{ "pure-loop-self", 4, 2,
	  "this loop only computes and may never end; load a word in it or unroll it" },
	{ "prev-in-flush", 4, 2,
	  "hook 'flush' has no prev and next mm; they exist in switch-in and switch-out" },
	{ "mm-in-rollover", 6, 2,
	  "hook 'rollover' is about no mm; use words of cpu, task or the system" },
	{ "request-in-switch", 5, 2,
	  "hook 'switch-in' has no req.nosync; ask for it in a hook that has it" },
	{ "tlbi-request-in-switch", 6, 2,
	  "hook 'switch-in' has no request to expand; write tlbi local asid or tlbi local all" },
	{ "notify-in-idle", 5, 2,
	  "hook 'idle' has no request to notify of; remove it" },
	{ "park-in-flush", 3, 2,
	  "TTBR0 can be parked in the idle hook only; move it there" },
	{ "ipi-without-hook", 5, 2,
	  "nothing says what the targets do; write on ipi:" },
	{ "ipi-irq-off", 6, 2,
	  "waiting for other CPUs with interrupts off can deadlock; send the IPI where they "
	  "are on" },
	{ "ipi-in-switch", 7, 2,
	  "waiting for other CPUs with interrupts off can deadlock; send the IPI where they "
	  "are on" },
	{ "too-many-words", 3, 21,
	  "too many words on one line; one instruction a line" },
	{ "too-many-registers", 15, 6,
	  "more than 12 scalar registers; use one again" },
};

static char *read_text(const char *dir, const char *name, size_t *size)
{
	char path[512], *text;

	snprintf(path, sizeof(path), DIR_NAME "%s/%s.strategy", dir, name);
	ck_assert_msg(!dvmi_file_load(path, 1 << 20, &text, size, NULL), "%s", path);
	return text;
}

START_TEST(mistake_is_named_with_place_and_cure)
{
	struct dvmi_program *p = NULL;
	struct dvm_error err;
	size_t size;
	char *text = read_text("invalid", invalid[_i].name, &size), begin[512];

	ck_assert_int_eq(dvmi_program_parse(text, size, "f", &p, &err) < 0, 1);
	ck_assert_ptr_null(p);
	snprintf(begin, sizeof(begin), "%.*s", (int)strlen(invalid[_i].text), err.text);
	ck_assert_str_eq(begin, invalid[_i].text);
	ck_assert_str_eq(err.where, "f");
	ck_assert_msg(err.line == invalid[_i].line && err.column == invalid[_i].column,
		      "%s: at %u:%u, not %u:%u", invalid[_i].name, err.line, err.column,
		      invalid[_i].line, invalid[_i].column);
	/* The error is optional. */
	ck_assert_int_eq(dvmi_program_parse(text, size, "f", &p, NULL) < 0, 1);
	dvmi_free(text);
}
END_TEST

static const char *const valid[] = { "everything", "crlf", "no-newline", "comments", "spin" };

START_TEST(valid_text_is_read_and_its_print_reads_the_same)
{
	size_t size;
	char *text = read_text("valid", valid[_i], &size), *first, *second;
	struct dvmi_program *p = NULL, *q = NULL;
	struct dvmi_buf a = { 0 }, b = { 0 };
	struct dvm_error err = { 0 };
	int rc = dvmi_program_parse(text, size, "f", &p, &err);

	ck_assert_msg(!rc, "%s:%u:%u: %s", valid[_i], err.line, err.column, err.text);
	ck_assert_str_eq(p->name, valid[_i]);
	dvmi_program_print(p, &a);
	ck_assert_int_eq(dvmi_buf_take(&a, &first), 0);
	rc = dvmi_program_parse(first, strlen(first), "printed", &q, &err);
	ck_assert_msg(!rc, "printed %u:%u: %s", err.line, err.column, err.text);
	ck_assert_uint_eq(p->insns_count, q->insns_count);
	dvmi_program_print(q, &b);
	ck_assert_int_eq(dvmi_buf_take(&b, &second), 0);
	ck_assert_str_eq(first, second);
	dvmi_program_free(p);
	dvmi_program_free(q);
	dvmi_free(text);
	dvmi_free(first);
	dvmi_free(second);
}
END_TEST

START_TEST(every_instruction_is_in_the_valid_texts)
{
	bool seen[DVMI_OPS] = { false };
	struct dvmi_program *p = NULL;
	size_t size;
	char *text = read_text("valid", "everything", &size);

	ck_assert_int_eq(dvmi_program_parse(text, size, "f", &p, NULL), 0);
	for (unsigned i = 0; i < p->insns_count; i++)
		seen[p->insns[i].op] = true;
	for (unsigned op = 0; op < DVMI_OPS; op++)
		ck_assert_msg(seen[op] || op == DVMI_B, "%s is not tried", dvmi_op_names[op]);
	dvmi_program_free(p);
	dvmi_free(text);
}
END_TEST

/* One line of text -> what it means */
static const struct {
	const char *line;
	unsigned op, order, base, type, domain, scope, what, flags;
} meanings[] = {
	{ "ld.acq r, mm.x", DVMI_LD, DVMI_ACQUIRE, DVMI_BASE_MM, 0, 0, 0, 0, 0 },
	{ "st.rel mm.x, r", DVMI_ST, DVMI_RELEASE, DVMI_BASE_MM, 0, 0, 0, 0, 0 },
	{ "cas.full r, mm.x, 0, 1", DVMI_CAS, DVMI_FULL, DVMI_BASE_MM, 0, 0, 0, 0, 0 },
	{ "fadd r, cpu.x, 1", DVMI_FADD, DVMI_RELAXED, DVMI_BASE_CPU, 0, 0, 0, 0, 0 },
	{ "st task.x, 1", DVMI_ST, DVMI_RELAXED, DVMI_BASE_TASK, 0, 0, 0, 0, 0 },
	{ "st x, 1", DVMI_ST, DVMI_RELAXED, DVMI_BASE_GLOBAL, 0, 0, 0, 0, 0 },
	{ "dsb ishst", DVMI_DSB, 0, 0, DVMI_BARRIER_ST, DVMI_DOMAIN_ISH, 0, 0, 0 },
	{ "dsb nsh", DVMI_DSB, 0, 0, DVMI_BARRIER_ALL, DVMI_DOMAIN_NSH, 0, 0, 0 },
	{ "dmb oshld", DVMI_DMB, 0, 0, DVMI_BARRIER_LD, DVMI_DOMAIN_OSH, 0, 0, 0 },
	{ "dsb st", DVMI_DSB, 0, 0, DVMI_BARRIER_ST, DVMI_DOMAIN_SY, 0, 0, 0 },
	{ "sync ish", DVMI_SYNC, 0, 0, DVMI_BARRIER_ALL, DVMI_DOMAIN_ISH, 0, 0, 0 },
	{ "tlbi local", DVMI_TLBI, 0, 0, 0, 0, DVMI_TLBI_LOCAL, DVMI_TLBI_REQUEST, 0 },
	{ "tlbi is asid", DVMI_TLBI, 0, 0, 0, 0, DVMI_TLBI_IS, DVMI_TLBI_ASID, 0 },
	{ "tlbi local all", DVMI_TLBI, 0, 0, 0, 0, DVMI_TLBI_LOCAL, DVMI_TLBI_ALL, 0 },
	{ "tlbi is notwin", DVMI_TLBI, 0, 0, 0, 0, DVMI_TLBI_IS, 0, DVMI_TLBI_NOTWIN },
	{ "tlbi is badttl leaf", DVMI_TLBI, 0, 0, 0, 0, DVMI_TLBI_IS, 0,
	  DVMI_TLBI_BADTTL | DVMI_TLBI_LEAF },
};

START_TEST(text_means_what_the_reference_says)
{
	struct dvmi_program *p = NULL;
	const struct dvmi_insn *insn = NULL;
	struct dvm_error err = { 0 };
	char text[1024];

	/* The words are used beside it so that only the line in question varies. */
	snprintf(text, sizeof(text),
		 "strategy x\nword mm.x\nword cpu.x\nword task.x\nword x\non flush:\n\tasid\n"
		 "\tmov r, 1\n\tst mm.x, 1\n\tst cpu.x, 1\n\tst task.x, 1\n\tst x, r\n\t%s\n\tret\n",
		 meanings[_i].line);
	ck_assert_msg(!dvmi_program_parse(text, strlen(text), "f", &p, &err), "%s", err.text);
	insn = &p->insns[p->insns_count - 2];
	ck_assert_uint_eq(insn->op, meanings[_i].op);
	ck_assert_uint_eq(insn->order, meanings[_i].order);
	ck_assert_uint_eq(insn->type, meanings[_i].type);
	ck_assert_uint_eq(insn->scope, meanings[_i].scope);
	ck_assert_uint_eq(insn->what, meanings[_i].what);
	ck_assert_uint_eq(insn->flags, meanings[_i].flags);
	if (dvmi_op_is_memory(insn->op))
		ck_assert_uint_eq(insn->base, meanings[_i].base);
	else
		ck_assert_uint_eq(insn->domain, meanings[_i].domain);
	ck_assert(!insn->pure);
	dvmi_program_free(p);
}
END_TEST

/* A text that repeats one line until it passes a limit. */
static const struct {
	const char *before, *line, *after;
	unsigned count;
	int code;
} limits[] = {
	{ "strategy x\non flush:\n", "\tisb\n", "\tret\n", DVMI_INSNS_MAX - 1, 0 },
	{ "strategy x\non flush:\n", "\tisb\n", "\tret\n", DVMI_INSNS_MAX, -DVM_ELIMIT },
	{ "strategy x\non flush:\n\tret\n", "# 345678901234567890123456789012\n", "", 1900, 0 },
	{ "strategy x\non flush:\n\tret\n", "# 345678901234567890123456789012\n", "", 2000,
	  -DVM_ELIMIT },
};

START_TEST(limit_is_exact)
{
	struct dvmi_buf buf = { 0 };
	struct dvmi_program *p = NULL;
	char *text;
	int rc;

	dvmi_buf_puts(&buf, limits[_i].before);
	for (unsigned n = 0; n < limits[_i].count; n++)
		dvmi_buf_puts(&buf, limits[_i].line);
	dvmi_buf_puts(&buf, limits[_i].after);
	ck_assert_int_eq(dvmi_buf_take(&buf, &text), 0);
	rc = dvmi_program_parse(text, strlen(text), "f", &p, NULL);
	ck_assert_int_eq(rc, limits[_i].code);
	if (!rc)
		dvmi_program_free(p);
	dvmi_free(text);
}
END_TEST

/* NAME%u: one declaration more than the limit, each used. */
static const struct {
	const char *declare, *use;
	unsigned limit;
} names[] = {
	{ "word mm.n%u\n", "\tst mm.n%u, 1\n", DVMI_WORDS_MAX },
	{ "const N%u = 1\n", "\tbeq self, N%u, out\n", DVMI_CONSTS_MAX },
	{ "", "l%u:\n\tisb\n", DVMI_LABELS_MAX - 1 }, /* and out: */
};

START_TEST(number_of_names_is_limited)
{
	for (unsigned over = 0; over < 2; over++) {
		struct dvmi_buf buf = { 0 };
		struct dvmi_program *p = NULL;
		char *text, line[64];
		int rc;

		dvmi_buf_puts(&buf, "strategy x\n");
		for (unsigned n = 0; n < names[_i].limit + over; n++) {
			snprintf(line, sizeof(line), names[_i].declare, n);
			dvmi_buf_puts(&buf, line);
		}
		dvmi_buf_puts(&buf, "on flush:\n");
		for (unsigned n = 0; n < names[_i].limit + over; n++) {
			snprintf(line, sizeof(line), names[_i].use, n);
			dvmi_buf_puts(&buf, line);
		}
		dvmi_buf_puts(&buf, "out:\n\tret\n");
		ck_assert_int_eq(dvmi_buf_take(&buf, &text), 0);
		rc = dvmi_program_parse(text, strlen(text), "f", &p, NULL);
		ck_assert_int_eq(rc, over ? -DVM_ELIMIT : 0);
		if (!rc)
			dvmi_program_free(p);
		dvmi_free(text);
	}
}
END_TEST

START_TEST(clone_can_be_changed_and_checked_apart)
{
	static const char text[] = "strategy x\non flush:\n\tdsb ishst\n\tisb\n\tret\n";
	struct dvmi_program *p = NULL, *q = NULL;
	struct dvmi_buf buf = { 0 };
	char *printed;

	ck_assert_int_eq(dvmi_program_parse(text, strlen(text), "f", &p, NULL), 0);
	for (unsigned long n = 1; !q; n++) {
		ck_assert_uint_lt(n, 20);
		dvmi_mem_fail_at(n);
		q = dvmi_program_clone(p);
	}
	dvmi_mem_fail_at(0);
	q->insns[0].domain = DVMI_DOMAIN_NSH;
	q->insns[1] = (struct dvmi_insn){ .op = DVMI_B, .dst = DVMI_NOREG, .target = 2 };
	dvmi_insn_classify(&q->insns[1]);
	ck_assert(q->insns[1].pure);
	ck_assert_int_eq(dvmi_program_check(q, "f", NULL), 0);
	q->insns[2].op = DVMI_ISB;
	ck_assert_int_eq(dvmi_program_check(q, "f", NULL), -DVM_EFORMAT);
	dvmi_insn_print(p, &p->insns[0], &buf);
	ck_assert_int_eq(dvmi_buf_take(&buf, &printed), 0);
	ck_assert_str_eq(printed, "dsb ishst");
	dvmi_free(printed);
	dvmi_program_free(p);
	dvmi_program_free(q);
}
END_TEST

START_TEST(nul_byte_is_refused)
{
	struct dvmi_program *p = NULL;
	static const char text[] = "strategy x\0\non flush:\n\tret\n";

	ck_assert_int_eq(dvmi_program_parse(text, sizeof(text) - 1, "f", &p, NULL), -DVM_EFORMAT);
}
END_TEST

#define ROWS(t) ((int)(sizeof(t) / sizeof((t)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "grammar");

	tcase_add_loop_test(tc, mistake_is_named_with_place_and_cure, 0, ROWS(invalid));
	tcase_add_loop_test(tc, valid_text_is_read_and_its_print_reads_the_same, 0, ROWS(valid));
	tcase_add_test(tc, every_instruction_is_in_the_valid_texts);
	tcase_add_loop_test(tc, text_means_what_the_reference_says, 0, ROWS(meanings));
	tcase_add_loop_test(tc, limit_is_exact, 0, ROWS(limits));
	tcase_add_loop_test(tc, number_of_names_is_limited, 0, ROWS(names));
	tcase_add_test(tc, clone_can_be_changed_and_checked_apart);
	tcase_add_test(tc, nul_byte_is_refused);
}

CHECK_MAIN("program_grammar", add_cases)
