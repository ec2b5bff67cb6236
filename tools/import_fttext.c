/* SPDX-License-Identifier: MIT */
/*
 * Kernel events as text: the trace file of tracefs ("comm-pid [cpu] flags time: event: ..."), or what
 * perf script prints ("comm pid [cpu] time: system:event: ...").
 */
#include "import_ftrace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE 16384

struct line {
	const char *at, *end;
};

static const char *skip_spaces(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool number(const char **p, unsigned base, uint64_t *value)
{
	const char *start;

	if (base == 16 || ((*p)[0] == '0' && (*p)[1] == 'x')) {
		*p += (*p)[0] == '0' && (*p)[1] == 'x' ? 2 : 0;
		base = 16;
	}
	*value = 0;
	for (start = *p; **p; ++*p) {
		unsigned c = (unsigned char)**p, digit = c - '0';

		if (digit > 9)
			digit = (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
		if (digit >= base)
			break;
		*value = *value * base + digit;
	}
	return *p != start;
}

/* " [003] " */
static const char *find_cpu(const char *line, uint64_t *cpu, const char **before)
{
	for (const char *p = strchr(line, '['); p; p = strchr(p + 1, '[')) {
		const char *q = p + 1;

		if (p > line && p[-1] == ' ' && number(&q, 10, cpu) && *q == ']' && q[1] == ' ' &&
		    *cpu < WORLD_CPUS) {
			*before = p;
			return q + 2;
		}
	}
	return NULL;
}

/* "comm-123 " or "comm-123 (  456) " (tracefs), "comm 123 " or "comm 456/123 " (perf) */
static bool read_pid(const char *line, const char *end, struct ft_event *e)
{
	const char *p = end, *q;
	uint64_t pid, tgid;

	while (p > line && p[-1] == ' ')
		p--;
	if (p > line && p[-1] == ')') {
		while (p > line && *p != '(')
			p--;
		q = skip_spaces(p + 1);
		if (number(&q, 10, &tgid) && *q == ')')
			e->tgid = (int32_t)tgid;
		while (p > line && p[-1] == ' ')
			p--;
	}
	q = p;
	while (q > line && q[-1] >= '0' && q[-1] <= '9')
		q--;
	if (q == p || q == line || !strchr("- /", q[-1]) || !number(&q, 10, &pid) ||
	    pid > INT32_MAX)
		return false;
	e->pid = (int32_t)pid;
	return true;
}

/* "12.345678:", after flags or not */
static const char *read_time(const char *p, uint64_t *ns)
{
	for (int token = 0; token < 3; token++) {
		const char *q = p = skip_spaces(p);
		uint64_t s, fraction = 0, scale = 100000000;

		if (number(&q, 10, &s) && *q == '.' && s < UINT64_C(1) << 32) {
			for (q++; *q >= '0' && *q <= '9'; q++, scale /= 10)
				fraction += (uint64_t)(*q - '0') * scale;
			if (*q == ':') {
				*ns = s * 1000000000u + fraction;
				return skip_spaces(q + 1);
			}
		}
		p += strcspn(p, " \t");
	}
	return NULL;
}

/* The event's name, and where its fields begin. tracefs prints "sys_mmap(addr: ..." and "sys_mmap ->" */
static const char *read_name(const char *p, char *name)
{
	size_t n = strcspn(p, " \t(\n");

	if (!strncmp(p, "sys_", 4) && (p[n] == '(' || !strncmp(p + n, " -> ", 4)) &&
	    n < FT_NAME - 8) {
		snprintf(name, FT_NAME, "sys_%s_%.*s", p[n] == '(' ? "enter" : "exit", (int)n - 4, p + 4);
		return p + n + 1;
	}
	if (n < 2 || p[n - 1] != ':' || n >= FT_NAME)
		return NULL;
	memcpy(name, p, n - 1);
	name[n - 1] = '\0';
	return p + n;
}

static void take_field(struct ft_event *e, const char *key, size_t length, const char *value)
{
	const struct ft_kind *k = e->kind;

	for (unsigned i = 0; i < FT_FIELDS && k->fields[i]; i++) {
		bool minus = *value == '-';
		uint64_t n;

		if (strncmp(k->fields[i], key, length) != 0 || k->fields[i][length])
			continue;
		value += minus;
		if (!number(&value, k->hex >> i & 1 ? 16 : 10, &n))
			return;
		e->v[i] = minus ? 0 - n : n;
		e->has |= (uint16_t)(1u << i);
		return;
	}
}

/* "key=value", "key: value", "key:value" */
static void read_fields(struct ft_event *e, const char *p)
{
	while (*(p = skip_spaces(p))) {
		size_t token = strcspn(p, " \t\n"), key = strcspn(p, "=: \t\n");

		if (key < token && (p[key] == '=' || p[key] == ':')) {
			const char *value = p + key + 1;

			if (p[key] == ':' && key + 1 == token)
				value = skip_spaces(value);
			take_field(e, p, key, value);
		}
		p += token + (p[token] != '\0');
	}
}

/* tlb_flush tells the reason in words, and its number in brackets */
static void read_reason(struct ft_event *e, const char *p)
{
	const char *open = strrchr(p, '(');
	uint64_t n;

	if (e->has & 2 || !open)
		return;
	open++;
	if (number(&open, 10, &n)) {
		e->v[1] = n;
		e->has |= 2;
	}
}

static void read_print(struct ft *ft, struct ft_event *e, const char *p)
{
	const char *text = strstr(p, "dvmsim: ");

	if (!text)
		return;
	text += strlen("dvmsim: ");
	if (!strncmp(text, "mark ", 5))
		e->mark = ft_mark(ft, text + 5, strlen(text + 5)) + 1;
	else
		ft_about(ft, text, strlen(text));
}

static bool read_event(struct ft *ft, const char *line, uint32_t *lost)
{
	struct ft_event head = { .tgid = -1 }, *e;
	const char *before, *p;
	char name[FT_NAME];
	uint64_t cpu;

	p = find_cpu(line, &cpu, &before);
	if (!p || !read_pid(line, before, &head))
		return false;
	p = read_time(p, &head.time_ns);
	p = p ? read_name(p, name) : NULL;
	if (!p)
		return false;
	head.kind = ft_kind(ft, name, strlen(name));
	head.cpu = (uint16_t)cpu;
	head.lost = lost[cpu];
	lost[cpu] = 0;
	read_fields(&head, p);
	if (head.kind->id == FT_X86_FLUSH)
		read_reason(&head, p);
	if (head.kind->id == FT_PRINT)
		read_print(ft, &head, p);
	e = ft_push(ft, head.kind);
	*e = head;
	return true;
}

/* "CPU:2 [LOST 123 EVENTS]" */
static bool read_lost(const char *line, uint32_t *lost)
{
	const char *p = line + 4;
	uint64_t cpu, n;

	if (strncmp(line, "CPU:", 4) != 0 || !number(&p, 10, &cpu) || cpu >= WORLD_CPUS ||
	    strncmp(p, " [LOST ", 7) != 0)
		return false;
	p += 7;
	if (!number(&p, 10, &n) || n > UINT32_MAX)
		n = 1;
	lost[cpu] = (uint32_t)n;
	return true;
}

/* "# entries-in-buffer/entries-written: 70/100": the first 30 were overwritten */
static void read_comment(struct ft *ft, const char *line)
{
	static const char key[] = "entries-written: ";
	const char *p = strstr(line, key);
	uint64_t in, written;
	char text[128];

	if (!p)
		return;
	p += sizeof(key) - 1;
	if (!number(&p, 10, &in) || *p++ != '/' || !number(&p, 10, &written) || written <= in)
		return;
	snprintf(text, sizeof(text), "lacks=the first %llu events: the buffers were too small",
		 (unsigned long long)(written - in));
	ft_about(ft, text, strlen(text));
	ft->counts.lost += written - in;
}

static const char *what_else(const char *line)
{
	if (!strncmp(line, "PERFILE2", 8))
		return "is a perf.data file; give the output of 'perf script'";
	if (!strncmp(line, "\027\010\104tracing", 10))
		return "is a trace.dat file; use --from trace-cmd";
	if (!strncmp(line, "cpus=", 5))
		return "is the output of trace-cmd report; import the trace.dat itself, --from "
		       "trace-cmd";
	return NULL;
}

static int read_lines(struct ft *ft, FILE *f, const char *path, uint32_t *lost,
		      struct dvm_error *err)
{
	uint64_t number_of_line = 0, first_bad = 0;
	static char line[LINE];

	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);
		const char *other = number_of_line++ ? NULL : what_else(line);
		bool whole = n && line[n - 1] == '\n';

		if (other)
			return ft_error(err, DVM_EFORMAT, path, UINT64_MAX, "%s", other);
		if (!whole && n + 1 == sizeof(line))
			for (int c = fgetc(f); c != EOF && c != '\n';)
				c = fgetc(f);
		if (line[0] == '#')
			read_comment(ft, line);
		else if (line[0] && line[0] != '\n' && !read_lost(line, lost) &&
			 !(whole && read_event(ft, line, lost))) {
			ft->counts.malformed++;
			first_bad = first_bad ? first_bad : number_of_line;
		}
	}
	if (ferror(f))
		return ft_error(err, DVM_EIO, path, UINT64_MAX, "%s", strerror(errno));
	if (!ft->nevents && first_bad)
		return ft_error(err, DVM_EFORMAT, path, UINT64_MAX, "line %llu is not an event of perf "
				"script or tracefs", (unsigned long long)first_bad);
	return 0;
}

int ft_read_text(struct ft *ft, const char *path, struct dvm_error *err)
{
	static uint32_t lost[WORLD_CPUS];
	FILE *f = fopen(path, "r");
	int ret;

	if (!f)
		return ft_error(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, UINT64_MAX, "%s",
				strerror(errno));
	memset(lost, 0, sizeof(lost));
	ft->input = f; /* so that it is closed when memory runs out */
	ret = read_lines(ft, f, path, lost, err);
	ft->input = NULL;
	fclose(f);
	return ret;
}
