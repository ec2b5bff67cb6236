/* SPDX-License-Identifier: MIT */
/*
 * trace.dat files, through libtracecmd. It is not made for damaged files: it runs in a process of its
 * own, which may fail, and hands over what it read; what came before a failure is used.
 */
#define _DEFAULT_SOURCE
#include "import_ftrace.h"

#include <errno.h>
#include <string.h>

#ifndef DVMSIM_HAVE_TRACECMD
int ft_read_dat(struct ft *ft, const char *path, struct dvm_error *err)
{
	(void)ft;
	return ft_error(err, DVM_EINVAL, path, UINT64_MAX, "this dvmsim was built without libtracecmd: "
			"install libtracecmd-dev and build again, or import the text of 'perf script' "
			"or of tracefs (record-arm64 --text)");
}
#else

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <event-parse.h>
#include <trace-cmd.h>
#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#define EVENT_IDS 65536
#define MAX_EVENTS (UINT64_C(1) << 26)
#define CPU_SECONDS(bytes) (20 + (rlim_t)((bytes) >> 20)) /* it may never end on a damaged file */
#define TEXT 1024

/* What the reading process writes: one of these, and for KIND and TEXT @length bytes of text. */
enum { MSG_EVENT = 1, MSG_KIND, MSG_TEXT, MSG_PAGE, MSG_DONE, MSG_BAD };
struct message {
	uint64_t time_ns, v[FT_FIELDS];
	uint32_t type, kind, length, lost;
	int32_t pid;
	uint16_t cpu, has;
};

/* ---- the reading process ---- */

struct reader {
	struct ft *ft;
	FILE *out;
	struct binding {
		struct tep_event *event;
		struct ft_kind *kind;
		uint32_t number;
		struct tep_format_field *fields[FT_FIELDS], *text;
	} *by_id[EVENT_IDS];
	uint32_t kinds;
	uint64_t events;
};

static void put(struct reader *r, const struct message *m, const char *text)
{
	if (fwrite(m, sizeof(*m), 1, r->out) != 1 ||
	    (m->length && fwrite(text, m->length, 1, r->out) != 1))
		_exit(3); /* the other side is gone */
}

static struct binding *bind(struct reader *r, struct tep_event *event)
{
	struct binding *b;
	char name[FT_NAME];
	struct message m = { .type = MSG_KIND };

	if (event->id < 0 || event->id >= EVENT_IDS)
		return NULL;
	b = r->by_id[event->id];
	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		_exit(3);
	snprintf(name, sizeof(name), "%.40s:%.54s", event->system, event->name);
	b->kind = ft_kind(r->ft, name, strlen(name));
	b->event = event;
	b->number = r->kinds++;
	for (int i = 0; i < FT_FIELDS && b->kind->fields[i]; i++)
		b->fields[i] = tep_find_any_field(event, b->kind->fields[i]);
	if (b->kind->id == FT_PRINT)
		b->text = tep_find_any_field(event, "buf");
	m.length = (uint32_t)strlen(name);
	put(r, &m, name);
	r->by_id[event->id] = b;
	return b;
}

static void put_text(struct reader *r, const struct binding *b, const struct tep_record *record)
{
	struct message m = { .type = MSG_TEXT };
	const char *text = (const char *)record->data + b->text->offset;
	size_t room;

	if (b->text->offset < 0 || b->text->offset >= record->size)
		return;
	room = (size_t)(record->size - b->text->offset);
	m.length = (uint32_t)strnlen(text, room < TEXT ? room : TEXT);
	put(r, &m, text);
}

static int take(struct tracecmd_input *input, struct tep_record *record, int cpu, void *data)
{
	struct tep_handle *tep = tracecmd_get_tep(input);
	struct reader *r = data;
	struct tep_event *event = tep_find_event_by_record(tep, record);
	struct binding *b = event ? bind(r, event) : NULL;
	struct message m = { .type = MSG_EVENT };

	if (!b || cpu < 0 || cpu >= (int)WORLD_CPUS || ++r->events > MAX_EVENTS)
		return r->events > MAX_EVENTS;
	if (b->text)
		put_text(r, b, record);
	m.time_ns = record->ts;
	m.kind = b->number;
	m.cpu = (uint16_t)cpu;
	m.pid = tep_data_pid(tep, record);
	m.lost = record->missed_events > 0 ? (uint32_t)record->missed_events :
		 record->missed_events < 0;
	for (int i = 0; i < FT_FIELDS; i++) {
		unsigned long long value;
		struct tep_format_field *f = b->fields[i];

		if (f && f->offset >= 0 && f->offset + f->size <= record->size &&
		    !tep_read_number_field(f, record->data, &value)) {
			m.v[i] = value;
			m.has |= (uint16_t)(1u << i);
		}
	}
	put(r, &m, "");
	return 0;
}

static void read_input(struct reader *r, const char *path)
{
	struct tracecmd_input *input = tracecmd_open(path, 0);
	struct message m = { .type = MSG_BAD };
	int ret;

	if (input) {
		m = (struct message){ .type = MSG_PAGE };
		m.v[0] = (uint64_t)tep_get_page_size(tracecmd_get_tep(input));
		put(r, &m, "");
		ret = tracecmd_iterate_events(input, NULL, 0, take, r);
		m = (struct message){ .type = ret ? MSG_BAD : MSG_DONE };
	}
	put(r, &m, "");
	fflush(r->out);
}

static void child(struct ft *ft, const char *path, int fd, off_t bytes)
{
	struct rlimit cpu = { CPU_SECONDS(bytes), CPU_SECONDS(bytes) };
	struct reader *r = calloc(1, sizeof(*r));
	int null = open("/dev/null", O_WRONLY);
	jmp_buf nomem;

	if (setjmp(nomem))
		_exit(3);
	ft->world.nomem = &nomem;
	setrlimit(RLIMIT_CPU, &cpu);
	if (null >= 0) {
		dup2(null, 1);
		dup2(null, 2);
	}
	if (!r)
		_exit(3);
	r->ft = ft;
	r->out = fdopen(fd, "wb");
	if (r->out)
		read_input(r, path);
	_exit(0);
}

/* ---- the other side ---- */

static void take_text(struct ft *ft, const char *text, size_t length)
{
	static const char prefix[] = "dvmsim: ", mark[] = "mark ";

	if (length <= sizeof(prefix) || strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return;
	text += sizeof(prefix) - 1;
	length -= sizeof(prefix) - 1;
	if (length > sizeof(mark) && !strncmp(text, mark, sizeof(mark) - 1))
		ft->next_mark = ft_mark(ft, text + sizeof(mark) - 1, length - sizeof(mark) + 1);
	else
		ft_about(ft, text, length);
}

static void take_event(struct ft *ft, const struct message *m, struct ft_kind *kind)
{
	struct ft_event *e = ft_push(ft, kind);

	memcpy(e->v, m->v, sizeof(e->v));
	e->time_ns = m->time_ns;
	e->pid = m->pid;
	e->cpu = m->cpu;
	e->has = m->has;
	e->lost = m->lost;
	if (kind->id == FT_PRINT) {
		e->mark = ft->next_mark + 1;
		ft->next_mark = -1;
	}
}

/* True at the end that the reading process says; @kinds by its numbers. */
static bool take_messages(struct ft *ft, FILE *in, struct ft_kind **kinds)
{
	uint32_t nkinds = 0;
	struct message m;
	char text[TEXT];

	while (fread(&m, sizeof(m), 1, in) == 1) {
		if (m.length > sizeof(text) || (m.length && fread(text, m.length, 1, in) != 1))
			return false;
		if (m.type == MSG_KIND && nkinds < EVENT_IDS)
			kinds[nkinds++] = ft_kind(ft, text, m.length);
		else if (m.type == MSG_TEXT)
			take_text(ft, text, m.length);
		else if (m.type == MSG_PAGE)
			ft->page = m.v[0] ? m.v[0] : ft->page;
		else if (m.type == MSG_EVENT && m.kind < nkinds && m.cpu < WORLD_CPUS)
			take_event(ft, &m, kinds[m.kind]);
		else
			return m.type == MSG_DONE;
	}
	return false;
}

int ft_read_dat(struct ft *ft, const char *path, struct dvm_error *err)
{
	struct stat st;
	bool whole = false;
	int fds[2], status = 0;
	pid_t pid;
	FILE *in;

	if (stat(path, &st))
		return ft_error(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, UINT64_MAX, "%s",
				strerror(errno));
	ft->bindings = calloc(EVENT_IDS, sizeof(struct ft_kind *));
	if (!ft->bindings || pipe(fds))
		longjmp(*ft->world.nomem, 1);
	ft->next_mark = -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		child(ft, path, fds[1], st.st_size);
	}
	close(fds[1]);
	in = pid > 0 ? fdopen(fds[0], "rb") : NULL;
	if (in) {
		whole = take_messages(ft, in, ft->bindings);
		fclose(in);
	} else {
		close(fds[0]);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (whole)
		return 0;
	if (!ft->nevents)
		return ft_error(err, DVM_EFORMAT, path, UINT64_MAX, "is not a trace.dat of trace-cmd, or "
				"is damaged");
	return ft_error(err, DVM_ETRUNC, path, ft->nevents, "is damaged: libtracecmd %s",
			WIFSIGNALED(status) ? "failed on it" : "could not read all of it");
}
#endif
