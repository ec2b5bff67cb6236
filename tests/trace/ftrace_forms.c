/* SPDX-License-Identifier: MIT */
#include "ftrace_forms.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define CPUS 4

static void put_text(FILE *f, enum form form, const struct form_event *e)
{
	unsigned long long s = e->us / 1000000, us = e->us % 1000000;

	if (form == FORM_TRACEFS) {
		if (e->lost)
			fprintf(f, "CPU:%u [LOST %d EVENTS]\n", e->cpu, e->lost);
		fprintf(f, "     some task-%-6d [%03u] d.s.. %5llu.%06llu: %s: (f+0x0/0x10) %s\n", e->pid,
			e->cpu, s, us, e->name, e->fields);
	} else {
		fprintf(f, "some task %5d [%03u] %5llu.%06llu000:  %s:%s: (ffff800080381d18) %s\n",
			e->pid, e->cpu, s, us, e->system, e->name, e->fields);
	}
}

/* ---- trace.dat, version 6 (trace-cmd.dat.v6(5)), all fields u64 ---- */

static void put(FILE *f, uint64_t value, int bytes)
{
	while (bytes--) {
		fputc((int)(value & 255), f);
		value >>= 8;
	}
}

static void put_sized(FILE *f, const char *text, int bytes)
{
	put(f, strlen(text), bytes);
	fputs(text, f);
}

static const char header_page[] =
	"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
	"\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
	"\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
	"\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
static const char header_event[] =
	"# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n"
	"\tarray       :   32 bits\n\n\tpadding     : type == 29\n\ttime_extend : type == 30\n"
	"\ttime_stamp : type == 31\n\tdata max type_len  == 28\n";

static size_t key_length(const char *p)
{
	return strcspn(p, "=");
}

static const char *next_field(const char *p)
{
	p += strcspn(p, " ");
	return p + strspn(p, " ");
}

static void put_format(FILE *f, const struct form_event *e, size_t id)
{
	char *text = NULL;
	size_t size, offset = 8;
	FILE *m = open_memstream(&text, &size);

	fprintf(m, "name: %s\nID: %zu\nformat:\n"
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
		"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
		"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n", e->name, id);
	for (const char *p = e->fields; *p; p = next_field(p), offset += 8)
		fprintf(m, "\tfield:u64 %.*s;\toffset:%zu;\tsize:8;\tsigned:0;\n", (int)key_length(p), p,
			offset);
	fprintf(m, "\nprint fmt: \"\"\n");
	fclose(m);
	put_sized(f, text, 8);
	free(text);
}

/* The first event of this name; its index + 100 is the event's number. */
static size_t id_of(const struct form_event *events, const struct form_event *e)
{
	size_t i = 0;

	while (strcmp(events[i].name, e->name) || strcmp(events[i].system, e->system))
		i++;
	return i + 100;
}

static void put_formats(FILE *f, const struct form_event *events, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += id_of(events, &events[i]) == i + 100;
	put(f, n, 4); /* systems: one per event, which may repeat */
	for (size_t i = 0; i < count; i++) {
		if (id_of(events, &events[i]) != i + 100)
			continue;
		fputs(events[i].system, f);
		fputc(0, f);
		put(f, 1, 4);
		put_format(f, &events[i], i + 100);
	}
}

static void put_event(FILE *f, const struct form_event *e, size_t id, uint64_t delta)
{
	size_t fields = 0;

	for (const char *p = e->fields; *p; p = next_field(p))
		fields++;
	put(f, (2 + 2 * fields) | delta << 5, 4); /* type_len counts words */
	put(f, id, 2);
	put(f, 0, 2);
	put(f, (uint32_t)e->pid, 4);
	for (const char *p = e->fields; *p; p = next_field(p)) {
		const char *value = p + key_length(p) + 1;

		/* clone_flags is printed in hexadecimal */
		put(f, strtoull(value, NULL, strncmp(p, "clone_flags", 11) ? 0 : 16), 8);
	}
}

/* One page per CPU */
static void put_page(FILE *f, const struct form_event *events, size_t count, unsigned cpu)
{
	long start = ftell(f), commit;
	uint64_t now = 0;

	put(f, 0, 8); /* timestamp and commit come later */
	put(f, 0, 8);
	for (size_t i = 0; i < count; i++) {
		if (events[i].cpu != cpu)
			continue;
		if (!now) {
			now = events[i].us * 1000;
			fseek(f, start, SEEK_SET);
			put(f, now, 8);
			fseek(f, start + 16, SEEK_SET);
		}
		put_event(f, &events[i], id_of(events, &events[i]), events[i].us * 1000 - now);
		now = events[i].us * 1000;
	}
	commit = ftell(f) - start - 16;
	fseek(f, start + 8, SEEK_SET);
	put(f, (uint64_t)commit, 8);
	fseek(f, start + 16 + commit, SEEK_SET);
	while (ftell(f) < start + PAGE)
		fputc(0, f);
}

static void put_dat(FILE *f, const struct form_event *events, size_t count)
{
	long table;

	fwrite("\027\010\104tracing6\0\0\010", 1, 14, f);
	put(f, PAGE, 4);
	fwrite("header_page", 1, 12, f);
	put_sized(f, header_page, 8);
	fwrite("header_event", 1, 13, f);
	put_sized(f, header_event, 8);
	put(f, 0, 4); /* ftrace's own events */
	put_formats(f, events, count);
	put(f, 0, 4); /* kallsyms */
	put(f, 0, 4); /* printk formats */
	put_sized(f, "", 8); /* command lines */
	put(f, CPUS, 4);
	fwrite("flyrecord", 1, 10, f);
	table = ftell(f);
	for (unsigned i = 0; i < 2 * CPUS; i++)
		put(f, 0, 8);
	while (ftell(f) % PAGE)
		fputc(0, f);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		long at = ftell(f);

		fseek(f, table + 16 * (long)cpu, SEEK_SET);
		put(f, (uint64_t)at, 8);
		put(f, PAGE, 8);
		fseek(f, at, SEEK_SET);
		put_page(f, events, count, cpu);
	}
}

size_t form_write(const char *path, enum form form, const struct form_event *events, size_t count)
{
	FILE *f = fopen(path, "wb+");
	size_t size;

	if (!f)
		abort();
	if (form == FORM_TRACEFS)
		fputs("# tracer: nop\n#\n# entries-in-buffer/entries-written: 9/9   #P:4\n#\n", f);
	if (form == FORM_DAT)
		put_dat(f, events, count);
	else
		for (size_t i = 0; i < count; i++)
			put_text(f, form, &events[i]);
	fseek(f, 0, SEEK_END);
	size = (size_t)ftell(f);
	fclose(f);
	return size;
}
