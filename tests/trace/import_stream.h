/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_TRACE_IMPORT_STREAM_H
#define DVMSIM_TESTS_TRACE_IMPORT_STREAM_H

#include "import.h"

#include <stdio.h>
#include <unistd.h>

/* A small stream, written as tools/capture/plugin.c would, and what must become of it. */
enum { MARK, SWITCH, NEW_MM, NEW_TASK, COPY, MM_SWITCH, FAULT, CLEAR, USER, EXIT, EXIT_MMAP,
       FINISH, GATHER, TRY, WOKEN, WORK, UNMAP_ONE, BATCH_ADD, BATCH_FLUSH, NUMA, ANON,
       BATCH_DIRTY };
static const char hooks_text[] =
	"1 __arm64_sys_sethostname 0\n2 __switch_to 2\n3 mm_init 2\n4 wake_up_new_task 1\n"
	"5 copy_page_range 2\n6 check_and_switch_context 1\n7 handle_mm_fault 3 0+16\n"
	"8 ptep_clear_flush 2 0+16\n9 ret_to_user 0\na do_exit 1\nb exit_mmap 1\n"
	"c tlb_finish_mmu 1\nd tlb_flush 1 0+0 0+16 0+24 0+32\ne try_to_wake_up 1\n"
	"f ttwu_do_activate 2\n10 __arm64_sys_prctl 0 0+0 0+8 0+16 0+24\n"
	"11 try_to_unmap_one 3 1+16\n12 set_tlb_ubc_flush_pending 1\n13 try_to_unmap_flush 0\n"
	"14 change_prot_numa 0\n15 do_anonymous_page 0\n16 try_to_unmap_flush_dirty 0\n";

#define VALE1IS 0xd50883a0u
#define ASIDE1IS 0xd5088340u
#define DUMMY 0xd50883bfu
#define RVALE1IS 0xd50882a0u
#define DSB_ISH 0xd5033b9fu
#define DSB_ISHST 0xd5033a9fu
#define CONTEXTIDR 0xd518d020u
#define TTBR1 0xd5182020u

static char stream[64], hooks[64];
static FILE *out;
static uint64_t now;
static unsigned cpu;

static inline void put(unsigned kind, uint64_t value, unsigned arg, uint32_t word)
{
	uint64_t words[4] = { now, now / 8, 0, value };
	unsigned char r[40];

	for (int i = 0; i < 32; i++)
		r[i] = (unsigned char)(words[i / 8] >> 8 * (i % 8));
	r[32] = (unsigned char)kind;
	r[33] = 0;
	r[34] = (unsigned char)cpu;
	r[35] = (unsigned char)arg;
	for (int i = 0; i < 4; i++)
		r[36 + i] = (unsigned char)(word >> 8 * i);
	ck_assert_uint_eq(fwrite(r, 1, sizeof(r), out), sizeof(r));
	now += 80;
}

/* @args registers, then @memory words */
static inline void hook(unsigned number, unsigned args, const uint64_t *values, unsigned memory)
{
	for (unsigned i = 0; i < args + memory; i++) {
		unsigned arg = i < args ? i : 16 + i - args;

		put(6, values[i], arg, number << 8 | arg);
	}
	if (!args && !memory)
		put(6, 0, 255, number << 8 | 255);
}
#define HOOK(number, args, memory, ...) hook(number, args, (const uint64_t[]){ __VA_ARGS__ }, memory)

static inline void switch_to(uint64_t from, uint64_t task, uint64_t pid)
{
	HOOK(SWITCH, 2, 0, from, task);
	put(5, pid, 0, CONTEXTIDR);
}

static inline void install(uint64_t mm, uint64_t asid)
{
	HOOK(MM_SWITCH, 1, 0, mm);
	put(5, asid << 48, 0, TTBR1);
}

static inline void flush(uint32_t op, uint64_t operand)
{
	put(2, 0, 0, DSB_ISHST);
	put(1, operand, 0, op);
	put(2, 0, 0, DSB_ISH);
	put(1, 0, 0, DUMMY);
	put(2, 0, 0, DSB_ISH);
}

#define IDLE0 0xffff000000000100u
#define IDLE1 0xffff000000000200u
#define PARENT 0xffff000000000300u
#define CHILD 0xffff000000000400u
#define MM1 0xffff000000001000u
#define MM2 0xffff000000002000u
#define VMA 0xffff000000003000u
#define KTHREAD 0xffff000000000500u

/* Before the window: a task with an mm. In it: fork, flush, COW fault, munmap-like range, exit. */
static inline void write_stream(void)
{
	cpu = 1;
	switch_to(0x10, IDLE1, 0);
	cpu = 0;
	switch_to(0x10, IDLE0, 0);
	HOOK(NEW_MM, 2, 0, MM1, PARENT);
	HOOK(NEW_TASK, 1, 0, PARENT);
	install(MM1, 0x10);
	switch_to(IDLE0, PARENT, 7);
	HOOK(MARK, 0, 0, 0);
	HOOK(NEW_MM, 2, 0, MM2, CHILD);
	HOOK(COPY, 2, 0, VMA, VMA);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	HOOK(NEW_TASK, 1, 0, CHILD);
	HOOK(USER, 0, 0, 0);
	cpu = 1;
	install(MM2, 0x12);
	switch_to(IDLE1, CHILD, 8);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM2);
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM2);
	flush(VALE1IS, UINT64_C(0x12) << 48 | 5);
	HOOK(USER, 0, 0, 0);
	HOOK(GATHER, 1, 4, 0x99, MM2, 0x10000, 0x13000, 1 << 4 | 1 << 2);
	flush(RVALE1IS, UINT64_C(0x12) << 48 | UINT64_C(1) << 46 | UINT64_C(1) << 39 | 0x10);
	HOOK(EXIT, 1, 0, 0);
	HOOK(EXIT_MMAP, 1, 0, MM2);
	HOOK(FINISH, 1, 0, 0x99);
	HOOK(GATHER, 1, 4, 0x99, MM2, 0, 0, 1);
	flush(ASIDE1IS, UINT64_C(0x12) << 48);
	HOOK(TRY, 1, 0, PARENT);
	switch_to(CHILD, IDLE1, 0);
	HOOK(MARK, 0, 0, 0);
}

static inline void setup(void)
{
	FILE *f;

	snprintf(stream, sizeof(stream), "trace-import-%d.bin", (int)getpid());
	snprintf(hooks, sizeof(hooks), "trace-import-%d.txt", (int)getpid());
	f = fopen(hooks, "w");
	ck_assert(f && fputs(hooks_text, f) >= 0 && !fclose(f));
	out = fopen(stream, "wb");
	ck_assert_ptr_nonnull(out);
	now = 8000;
	cpu = 0;
}

static inline void teardown(void)
{
	unlink(stream);
	unlink(hooks);
}

static inline struct dvm_trace *import(unsigned from, unsigned to, struct dvm_error *err)
{
	struct import_options opt = { .hooks = hooks, .from = from, .to = to };
	struct dvm_trace *t = NULL;

	return import_plugin(stream, &opt, NULL, &t, err) ? NULL : t;
}

/* Two CPUs, each with a task, an mm and an ASID, when the window begins. */
static inline void two_tasks(void)
{
	cpu = 1;
	switch_to(0x10, IDLE1, 0);
	HOOK(NEW_MM, 2, 0, MM2, CHILD);
	HOOK(NEW_TASK, 1, 0, CHILD);
	install(MM2, 0x12);
	switch_to(IDLE1, CHILD, 8);
	cpu = 0;
	switch_to(0x10, IDLE0, 0);
	HOOK(NEW_MM, 2, 0, MM1, PARENT);
	HOOK(NEW_TASK, 1, 0, PARENT);
	install(MM1, 0x10);
	switch_to(IDLE0, PARENT, 7);
	HOOK(MARK, 0, 0, 0);
}

/* The records of @kind in the trace of what was written; the trace is the caller's. */
static inline struct dvm_trace *import_all(uint8_t kind, const struct dvm_trace_record **found, size_t room,
				    size_t *n)
{
	const struct dvm_trace_record *r;
	struct dvm_error err;
	struct dvm_trace *t;
	size_t count;

	ck_assert_int_eq(fclose(out), 0);
	t = import(1, 0, &err);
	ck_assert_msg(t != NULL, "%s", err.text);
	ck_assert_msg(!dvm_trace_validate(t, &err), "record %d: %s", (int)err.record, err.text);
	r = dvm_trace_records(t, &count);
	*n = 0;
	for (size_t i = 0; i < count; i++)
		if (r[i].kind == kind && *n < room)
			found[(*n)++] = &r[i];
	return t;
}

#endif
