/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A kernel of five functions, and the probes that tools/capture/arm64-probes must make of it. The
 * instruction words are those of the Arm ARM (C5.5 for TLBI, C6.2 for BL and DSB).
 */
#define TEXT UINT64_C(0xffff800080000000)
#define STEXT (TEXT + 0x100)
#define NOP 0xd503201fu
#define RET 0xd65f03c0u
#define DSB_ISH 0xd5033b9fu
#define VALE1IS(reg) (0xd50883a0u | (reg))
#define VAE1IS(reg) (0xd5088320u | (reg))
#define IPAS2E1IS 0xd50c8020u /* op1 4: stage 2, not the kernel's */
#define BL(words) (0x94000000u | ((uint32_t)(words) & 0x3ffffff))

static const struct {
	const char *name;
	uint32_t words[4];
	bool traceable;
} functions[] = {
	{ "ptep_clear_flush", { NOP, VALE1IS(1), DSB_ISH, RET }, true },
	{ "tlb_flush", { VAE1IS(0), DSB_ISH, RET, NOP }, false },
	{ "unmap_it", { NOP, BL(-5), RET, NOP }, true }, /* from word 9 to word 4 */
	{ "ubc_pending", { VALE1IS(2), VALE1IS(31), RET, NOP }, true },
	{ "stage_two", { IPAS2E1IS, RET, NOP, NOP }, true },
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static char dir[64];

static FILE *create(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	return f;
}

static void put(FILE *f, uint64_t value, int bytes)
{
	for (; bytes--; value >>= 8)
		fputc((int)(value & 255), f);
}

static void write_kernel(void)
{
	FILE *f = create("kallsyms");

	fprintf(f, "%llx T _text\n%llx T _stext\n%llx T _etext\n", (unsigned long long)TEXT,
		(unsigned long long)STEXT, (unsigned long long)(STEXT + 16 * FUNCTIONS));
	for (size_t i = 0; i < FUNCTIONS; i++)
		fprintf(f, "%llx t %s\n", (unsigned long long)(STEXT + 16 * i), functions[i].name);
	fprintf(f, "ffff800000000000 t of_a_module [m]\n");
	fclose(f);
	f = create("functions");
	for (size_t i = 0; i < FUNCTIONS; i++)
		if (functions[i].traceable)
			fprintf(f, "%s\n", functions[i].name);
	fclose(f);
	f = create("Image"); /* Documentation/arch/arm64/booting.rst: magic at byte 56 */
	for (int i = 0; i < 56; i++)
		fputc(0, f);
	fputs("ARM\x64", f);
	while (ftell(f) < 0x100)
		fputc(0, f);
	for (size_t i = 0; i < FUNCTIONS; i++)
		for (int j = 0; j < 4; j++)
			put(f, functions[i].words[j], 4);
	fclose(f);
}

/* BTF (Documentation/bpf/btf.rst): struct mmu_gather { mm, start at byte 16, fullmm: bit 0 of byte 32 } */
static void write_btf(void)
{
	static const char strings[] = "\0mmu_gather\0mm\0start\0fullmm\0u64";
	enum { MMU_GATHER = 1, MM = 12, START = 15, FULLMM = 21, U64 = 28 };
	FILE *f = create("btf");

	put(f, 0xeb9f, 2);
	put(f, 1, 2); /* version 1, no flags */
	put(f, 24, 4);
	put(f, 0, 4); /* types: offset, length */
	put(f, 16 + 12 + 3 * 12, 4);
	put(f, 16 + 12 + 3 * 12, 4);
	put(f, sizeof(strings), 4);
	put(f, U64, 4); /* 1: INT */
	put(f, 1 << 24, 4);
	put(f, 8, 4);
	put(f, 64, 4);
	put(f, MMU_GATHER, 4); /* 2: STRUCT with bit-fields, 3 members */
	put(f, 1u << 31 | 4 << 24 | 3, 4);
	put(f, 40, 4);
	put(f, MM, 4);
	put(f, 1, 4);
	put(f, 0, 4);
	put(f, START, 4);
	put(f, 1, 4);
	put(f, 16 * 8, 4);
	put(f, FULLMM, 4);
	put(f, 1, 4);
	put(f, 1 << 24 | 32 * 8, 4);
	fwrite(strings, 1, sizeof(strings), f);
	fclose(f);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/dvmsim-probes-%d", (int)getpid());
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	write_kernel();
	write_btf();
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int generate(const char *options, char *out, size_t size)
{
	char command[512];
	size_t n;
	FILE *p;

	snprintf(command, sizeof(command), "cd %s && %s --text Image --kallsyms kallsyms --functions "
		 "functions --btf btf %s 2>&1", dir, PROBES, options);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	n = fread(out, 1, size - 1, p);
	out[n] = '\0';
	return pclose(p);
}

static const struct {
	const char *rule, *line;
} lines[] = {
	{ "a TLBI in a function that takes probes: its operand register",
	  "p:tlbi/vale1is_ptep_clear_flush_4 ptep_clear_flush+0x4 op=%x1:x64\n" },
	{ "no DSB after it in the function: told as such",
	  "p:tlbi_nosync/vale1is_ubc_pending_0 ubc_pending+0x0 op=%x2:x64\n" },
	{ "a TLBI in a function that takes none: its callers, with the gather's members by BTF",
	  "p:tlbcall/tf__unmap_it_4 unmap_it+0x4 mm=+0(%x0):x64 start=+16(%x0):x64 "
	  "fullmm=+32(%x0):b1@0/32\n" },
	{ "the dummy (XZR) takes no probe; stage 2 is not the kernel's own",
	  "# found: 2 TLBI instructions that take a probe, 1 functions with TLBIs that do not, 1 calls of "
	  "those, 0 calls uncovered, 1 dummies of the repeat erratum\n" },
};

START_TEST(text_becomes_probes)
{
	char out[8192];

	ck_assert_int_eq(generate("", out, sizeof(out)), 0);
	ck_assert_msg(strstr(out, lines[_i].line) != NULL, "%s:\n%s", lines[_i].rule, out);
}
END_TEST

/* A wrong BTF, text or symbol table gives an error or fewer fields, never a crash: 2 or 0. */
START_TEST(damaged_input_is_survived)
{
	static const char *const files[] = { "btf", "Image", "kallsyms" };
	uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
	char out[8192], path[128];

	for (int i = 0; i < 60; i++) {
		FILE *f;
		long size;
		int status;

		write_kernel();
		write_btf();
		snprintf(path, sizeof(path), "%s/%s", dir, files[i % 3]);
		f = fopen(path, "rb+");
		fseek(f, 0, SEEK_END);
		size = ftell(f);
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		fseek(f, (long)(random % (uint64_t)size), SEEK_SET);
		fputc((int)(random >> 40 & 255), f);
		fclose(f);
		status = generate("", out, sizeof(out));
		ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
			      WEXITSTATUS(status) == 2), "round %d: %#x\n%s", i, status, out);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "probes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, text_becomes_probes, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, damaged_input_is_survived);
}

CHECK_MAIN("probes", add_cases)
