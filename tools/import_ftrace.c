/* SPDX-License-Identifier: MIT */
/* What the events of a kernel event trace mean: switches, wake-ups, lives, operations. */
#include "import_ftrace.h"

#include <stdlib.h>
#include <string.h>

#define MARK_OPTION 0x44564d53 /* as in import_plugin.h */
#define RECENT 4096
#define FAULT_FLAG_USER 0x40u /* include/linux/mm_types.h */

/* ---- the first pass: what existed when the trace began ---- */

static int by_pid(const void *a, const void *b)
{
	const struct ft_task *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

struct ft_task *ft_learned(const struct ft *ft, int32_t pid)
{
	struct ft_task key = { .pid = pid };

	return ft->ntasks ? bsearch(&key, ft->tasks, ft->ntasks, sizeof(key), by_pid) : NULL;
}

/* @recent keeps most of those that are there already out. */
static size_t collect_pid(struct ft *ft, size_t n, int32_t pid, int32_t *recent)
{
	if (recent[pid & (RECENT - 1)] == ~pid)
		return n;
	recent[pid & (RECENT - 1)] = ~pid;
	ft->tasks[n] = (struct ft_task){ .pid = pid, .tgid = -1 };
	return n + 1;
}

/* All pids that run or are switched to, once each. */
static void collect_pids(struct ft *ft)
{
	int32_t recent[RECENT] = { 0 };
	size_t n = 0;

	ft->tasks = calloc(2 * ft->nevents + 1, sizeof(*ft->tasks));
	if (!ft->tasks)
		longjmp(*ft->world.nomem, 1);
	for (size_t i = 0; i < ft->nevents; i++) {
		const struct ft_event *e = &ft->events[i];

		if (e->pid >= 0)
			n = collect_pid(ft, n, e->pid, recent);
		if ((e->kind->id == FT_WAKING || e->kind->id == FT_SWITCH) && e->has & 1 &&
		    e->v[0] < INT32_MAX)
			n = collect_pid(ft, n, (int32_t)e->v[0], recent);
	}
	qsort(ft->tasks, n, sizeof(*ft->tasks), by_pid);
	for (size_t i = 0; i < n; i++)
		if (!ft->ntasks || ft->tasks[ft->ntasks - 1].pid != ft->tasks[i].pid)
			ft->tasks[ft->ntasks++] = ft->tasks[i];
}

static void learn_mm(struct ft *ft, int32_t pid, uint64_t mm)
{
	struct ft_task *t = ft_learned(ft, pid);

	if (!t || t->born || t->known)
		return;
	t->mm = mm;
	t->known = true;
}

static void learn(struct ft *ft, const struct ft_event *e)
{
	int32_t *next_pid = &ft->cpus[e->cpu].next_pid;
	struct ft_task *t = ft_learned(ft, e->pid);

	if (t && t->tgid < 0)
		t->tgid = e->tgid;
	switch (e->kind->id) {
	case FT_SWITCH: *next_pid = (int32_t)e->v[0]; break;
	case FT_NEXT:
		learn_mm(ft, (int32_t)e->v[0], e->v[2]);
		*next_pid = -1;
		ft->shape = false;
		break;
	case FT_CPU_MM:
	case FT_SWITCH_MM:
		if (*next_pid > 0 && *next_pid != e->pid)
			learn_mm(ft, *next_pid, e->v[0]);
		if (e->has & 2 && !ft->owners[e->v[1] & 0xffff])
			ft->owners[e->v[1] & 0xffff] = e->v[0];
		*next_pid = -1;
		ft->shape = false;
		break;
	case FT_NEWTASK:
	case FT_NEW_TASK:
		t = ft_learned(ft, (int32_t)e->v[0]);
		if (t)
			t->born = true;
		break;
	case FT_EXEC_MM: /* what it had before is not known from here on */
		if (t && !t->known)
			t->user = true;
		break;
	case FT_MM_INIT: ft->shape = false; break;
	case FT_FAULT:
		ft->shape = false;
		if (!t || !t->user)
			learn_mm(ft, e->pid, e->v[0]);
		break;
	case FT_PAGE_FAULT:
	case FT_SYS_ENTER:
		if (t)
			t->user = true;
		break;
	case FT_BATCH_FLUSH: ft->tells_batches = true; break;
	default: break;
	}
}

/* ---- switches ---- */

static void force_out(struct ft *ft, const struct world_task *t, unsigned cpu)
{
	for (unsigned i = 0; i < ft->world.ncpus; i++)
		if (i != cpu && ft->world.cpus[i].current == t) {
			ft_close_group(ft, i);
			world_switch(&ft->world, i, ft_task(ft, 0, i));
			ft->counts.resync++;
		}
}

static void switch_to(struct ft *ft, unsigned cpu, struct world_task *next)
{
	ft_close_group(ft, cpu);
	ft->cpus[cpu].pending = NULL;
	if (next == ft_current(ft, cpu))
		return;
	if (!next->idle)
		force_out(ft, next, cpu);
	world_switch(&ft->world, cpu, next);
}

static void on_context(struct ft *ft, struct world_mm *mm, uint64_t context)
{
	mm->context = context;
	ft->asids[context & 0xffff] = mm;
	if (context >> 16 > ft->generation) {
		ft->counts.rollovers += ft->generation && ft->world.active;
		ft->generation = context >> 16;
	}
}

/* cpu_do_switch_mm() and its kin: of the task that comes, or of the one that runs, in an exec. */
static void on_mm(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu), *next = ft->cpus[e->cpu].pending;
	struct world_mm *mm = ft_mm(ft, e->v[0]);

	if (!mm)
		return;
	if (e->kind->id == FT_CPU_MM && e->has & 2)
		on_context(ft, mm, e->v[1]);
	if (!next && t && t->execing && mm != t->mm && mm->owner == t->address)
		ft_exec_to(ft, e->cpu, mm);
}

static void on_next(struct ft *ft, const struct ft_event *e)
{
	struct world_task *next = ft_task(ft, (int32_t)e->v[0], e->cpu);

	if (e->has & 4 && !next->idle && (next->mm ? next->mm->address : 0) != e->v[2] &&
	    !next->exiting)
		ft->counts.disagree++;
	switch_to(ft, e->cpu, next);
}

/* Between sched_switch and the task's arrival the kernel does these, as the task that leaves. */
static bool within_switch(enum ft_id id)
{
	return id == FT_NEXT || id == FT_CPU_MM || id == FT_SWITCH_MM || id == FT_TLBI ||
	       id == FT_X86_FLUSH;
}

/* A thread that execs goes on with the pid of its process, whose first thread is gone. */
static bool took_over(const struct world_task *running, const struct world_task *leader)
{
	return running && running->execing && leader->mm == running->mm && leader->exiting;
}

/* The task that an event says it came from is the one that runs, unless events were lost. */
static void resync(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t;

	if (ft->cpus[e->cpu].pending && !(within_switch(e->kind->id) &&
	    ft_task(ft, e->pid, e->cpu) == ft_current(ft, e->cpu)))
		switch_to(ft, e->cpu, ft->cpus[e->cpu].pending);
	if (ft->cpus[e->cpu].pending)
		return;
	t = ft_task(ft, e->pid, e->cpu);
	if (t == ft_current(ft, e->cpu))
		return;
	if (took_over(ft_current(ft, e->cpu), t)) {
		world_name_task(&ft->world, FT_KEY(e->pid), ft_current(ft, e->cpu));
		return;
	}
	ft->counts.resync += ft_current(ft, e->cpu) != NULL;
	switch_to(ft, e->cpu, t);
}

static void lost(struct ft *ft, const struct ft_event *e)
{
	ft->counts.lost += e->lost;
	world_emit(&ft->world, e->cpu, DVM_TRACE_LOST)->amount = e->lost;
}

static void begin_window(struct ft *ft)
{
	world_begin(&ft->world);
	ft->generation = 0;
}

static void on_hostname(struct ft *ft)
{
	ft->marks++;
	if (ft->marks == ft->opt->from)
		begin_window(ft);
	if (ft->opt->to && ft->marks == ft->opt->to)
		ft->world.active = false;
}

/* prctl(MARK_OPTION, amount, name, name): work done, as tools/capture/workload.c counts it */
static void on_prctl(struct ft *ft, const struct ft_event *e)
{
	char name[17] = "";
	int mark;

	if (e->v[0] != MARK_OPTION || !e->v[1] || e->v[1] >> 32)
		return;
	memcpy(name, &e->v[2], sizeof(name) - 1);
	mark = ft_mark(ft, name, strlen(name));
	if (mark >= 0)
		ft_count_work(ft, e->cpu, (uint32_t)mark, e->v[1]);
}

static void complete_batch(struct ft *ft, unsigned cpu, uint16_t flags)
{
	struct world_task *t = ft_current(ft, cpu);
	struct dvm_trace_record *r;
	uint32_t task;

	if (!t || !t->batch)
		return;
	task = world_task_id(&ft->world, t);
	t->batch = false;
	r = world_emit(&ft->world, cpu, DVM_TRACE_BATCH_FLUSH);
	r->task = task;
	r->op = t->migrating ? DVM_TRACE_OP_MIGRATE_PAGE : DVM_TRACE_OP_RECLAIM;
	r->flags = flags;
}

/* Flushes whose completion is beyond the end of the window: each is taken as complete by itself. */
static void settle_batches(struct ft *ft)
{
	struct world *w = &ft->world;
	bool *open = calloc((size_t)w->task_ids + 1, sizeof(*open));

	if (!open)
		longjmp(*w->nomem, 1);
	for (size_t i = 0; i < w->ntasks; i++)
		open[w->tasks[i]->id] |= w->tasks[i]->batch;
	for (size_t i = w->nrecords; i-- > 0;) {
		struct dvm_trace_record *r = &w->records[i];

		if (r->kind == DVM_TRACE_BATCH_FLUSH)
			open[r->task] = false;
		if (r->kind != DVM_TRACE_FLUSH || !open[r->task] ||
		    !(r->flags & DVM_TRACE_F_NOSYNC) || r->op == DVM_TRACE_OP_YOUNG_CLEAR)
			continue;
		r->flags &= (uint16_t)~DVM_TRACE_F_NOSYNC;
		r->flags |= DVM_TRACE_F_INFERRED;
	}
	free(open);
}

static bool from_interrupt(enum ft_id id)
{
	return id == FT_WAKING || id == FT_WAKEUP || id == FT_OTHER || id == FT_SILENT ||
	       id == FT_PRINT;
}

static void meaning(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu);

	switch (e->kind->id) {
	case FT_SWITCH:
		ft->cpus[e->cpu].pending = ft_task(ft, (int32_t)e->v[0], e->cpu);
		break;
	case FT_NEXT: on_next(ft, e); break;
	case FT_CPU_MM:
	case FT_SWITCH_MM: on_mm(ft, e); break;
	case FT_WAKING:
		world_try_wake(&ft->world, e->cpu, ft_task(ft, (int32_t)e->v[0], e->cpu));
		break;
	case FT_WAKEUP: world_woken(&ft->world, ft_task(ft, (int32_t)e->v[0], e->cpu)); break;
	case FT_NEWTASK: ft_on_new_task(ft, e->cpu, (int32_t)e->v[0], (unsigned)e->v[1]); break;
	case FT_NEW_TASK: {
		const struct world_task *n = ft_task(ft, (int32_t)e->v[0], e->cpu);

		ft->counts.disagree += (n->mm ? n->mm->address : 0) != e->v[2];
		break;
	}
	case FT_MM_INIT: ft_on_mm_init(ft, e); break;
	case FT_EXEC_MM:
		if (t) {
			ft_end_all(ft, e->cpu);
			t->execing = true;
			world_op_begin(&ft->world, e->cpu, DVM_TRACE_OP_EXEC, t->mm, 0, 0);
		}
		break;
	case FT_EXEC: ft_on_exec(ft, e); break;
	case FT_EXIT:
	case FT_DO_EXIT: ft_on_exit(ft, e->cpu); break;
	case FT_EXIT_MMAP: ft_on_exit_mmap(ft, e); break;
	case FT_EXIT_MMAP_END: ft_on_exit_mmap_end(ft, e->cpu); break;
	case FT_FINISH: /* the mm's last flush follows; what comes after that ends it */
		if (t && t->exit_mm)
			t->exit_ready = true;
		break;
	case FT_FAULT:
		ft_begin_fault(ft, e->cpu, ft_mm(ft, e->v[0]), e->v[1],
			    e->has & 4 && e->v[2] & FAULT_FLAG_USER);
		break;
	case FT_PAGE_FAULT: ft_begin_fault(ft, e->cpu, t ? t->mm : NULL, e->v[0], true); break;
	case FT_CLEAR_FLUSH: ft->cpus[e->cpu].about_mm = e->v[0]; break;
	case FT_BATCH_FLUSH: complete_batch(ft, e->cpu, 0); break;
	case FT_MIGRATE_START:
	case FT_MIGRATE_END:
		if (t)
			t->migrating = e->kind->id == FT_MIGRATE_START;
		break;
	case FT_SYS_ENTER: ft_begin_call(ft, e); break;
	case FT_SYS_EXIT: ft_end_op(ft, e->cpu, e->kind->op); break;
	case FT_TLBI: ft_tlbi(ft, e); break;
	case FT_GATHER:
	case FT_RANGE: ft_call(ft, e); break;
	case FT_X86_FLUSH: ft_x86_flush(ft, e); break;
	case FT_HOSTNAME: on_hostname(ft); break;
	case FT_PRCTL: on_prctl(ft, e); break;
	default: break;
	}
}

static void take(struct ft *ft, struct ft_event *e)
{
	struct world_cpu *c = &ft->world.cpus[e->cpu];
	struct ft_kind *k = e->kind;
	struct world_task *t;

	/* clocks of different CPUs may differ by a little; one CPU's does not go back */
	if (e->time_ns < c->insns)
		e->time_ns = c->insns;
	ft->world.now = c->insns = e->time_ns;
	if (e->lost)
		lost(ft, e);
	if (e->pid >= 0)
		resync(ft, e);
	t = ft_current(ft, e->cpu);
	if (k->id != FT_TLBI && !from_interrupt(k->id)) {
		ft_close_group(ft, e->cpu);
		if (t && t->exit_ready && k->id != FT_GATHER && k->id != FT_RANGE)
			ft_on_exit_mmap_end(ft, e->cpu);
		/* No probe on what completes a batch: it is complete when the task goes on. */
		if (!ft->tells_batches)
			complete_batch(ft, e->cpu, DVM_TRACE_F_INFERRED);
	}
	meaning(ft, e);
	if (k->work >= 0)
		ft_count_work(ft, e->cpu, (uint32_t)k->work, 1);
	if (e->mark)
		ft_count_work(ft, e->cpu, (uint32_t)e->mark - 1, 1);
	if (ft->world.active) {
		ft->counts.events++;
		ft->counts.unknown += k->id == FT_OTHER && k->work < 0;
		k->used++;
	}
}

/* What ran when the trace began, as far as its own events tell. */
static void set_first(struct ft *ft)
{
	for (size_t i = 0; i < ft->nevents; i++) {
		const struct ft_event *e = &ft->events[i];

		if (e->cpu >= ft->world.ncpus)
			ft->world.ncpus = e->cpu + 1u;
		if (ft->cpus[e->cpu].begun || e->pid < 0)
			continue;
		ft->cpus[e->cpu].begun = true;
		ft->world.cpus[e->cpu].current = ft_task(ft, e->pid, e->cpu);
		ft->world.cpus[e->cpu].insns = ft->events[0].time_ns;
	}
	for (unsigned i = 0; i < ft->world.ncpus; i++)
		if (!ft->world.cpus[i].current)
			ft->world.cpus[i].current = ft_task(ft, 0, i);
	/* A pid can not run on two CPUs: where it came later, its switch was not seen. */
	for (unsigned i = 0; i < ft->world.ncpus; i++)
		for (unsigned j = 0; j < i; j++)
			if (ft->world.cpus[i].current == ft->world.cpus[j].current)
				ft->world.cpus[i].current = ft_task(ft, 0, i);
	for (unsigned i = 0; i < ft->world.ncpus; i++)
		ft->world.cpus[i].current->cpu = (int)i;
}

static int understand(struct ft *ft, const char *path, struct dvm_error *err)
{
	ft->cpus = calloc(WORLD_CPUS, sizeof(*ft->cpus));
	if (!ft->cpus)
		longjmp(*ft->world.nomem, 1);
	collect_pids(ft);
	ft->shape = true;
	for (size_t i = 0; i < ft->nevents; i++)
		learn(ft, &ft->events[i]);
	ft->world.timed = true;
	ft->world.now = ft->events[0].time_ns;
	set_first(ft);
	if (!ft->opt->from)
		begin_window(ft);
	for (size_t i = 0; i < ft->nevents; i++)
		take(ft, &ft->events[i]);
	for (unsigned i = 0; i < ft->world.ncpus; i++)
		ft_close_group(ft, i);
	settle_batches(ft);
	if (!ft->world.nrecords)
		return ft_error(err, DVM_ENOENT, path, UINT64_MAX, "the window is empty: the trace has "
				"%u marks (sys_enter_sethostname events)", ft->marks);
	return 0;
}

/* ---- the whole ---- */

static void fini(struct ft *ft)
{
	world_fini(&ft->world);
	for (size_t i = 0; i < ft->nkinds; i++)
		free(ft->kinds[i]);
	for (size_t i = 0; i < ft->functions.n; i++)
		free(ft->functions.names[i]);
	free(ft->functions.names);
	free(ft->kinds);
	free(ft->events);
	free(ft->tasks);
	free(ft->cpus);
	free(ft->lacks);
	free(ft->bindings);
	if (ft->input)
		fclose(ft->input);
	free(ft);
}

/* "NAME=EVENT", EVENT as "event" or "system:event" */
static int read_works(struct ft *ft, struct dvm_error *err)
{
	for (const char *const *w = ft->opt->works; w && *w; w++) {
		const char *event = strchr(*w, '=');
		int i = event ? ft_mark(ft, *w, (size_t)(event - *w)) : -1;

		if (i < 0 || !event[1] || strlen(event + 1) >= FT_NAME)
			return ft_error(err, DVM_EINVAL, "--work", UINT64_MAX, "'%.100s': is not "
					"NAME=EVENT, NAME of a-z 0-9 _ -", *w);
		snprintf(ft->works[i].event, FT_NAME, "%s", event + 1);
	}
	return 0;
}

static int read_input(struct ft *ft, const char *path, bool text, FILE *report,
		      struct dvm_error *err)
{
	int ret = text ? ft_read_text(ft, path, err) : ft_read_dat(ft, path, err);

	if (ret == -DVM_ETRUNC && ft->nevents) {
		if (report)
			fprintf(report, "%s: %s; %zu events before it are used\n", path, err->text,
				ft->nevents);
		ft->salvaged = true;
		ret = 0;
	}
	if (!ret && !ft->nevents)
		ret = ft_error(err, DVM_EFORMAT, path, UINT64_MAX, "holds no events");
	if (!ret && (ft->page < 4096 || ft->page > 65536 || ft->page & (ft->page - 1)))
		ret = ft_error(err, DVM_EFORMAT, path, UINT64_MAX, "says that pages have %llu bytes",
			       (unsigned long long)ft->page);
	for (uint64_t page = ft->page; page > 1; page /= 2)
		ft->page_shift++;
	return ret;
}

int import_ftrace(const char *path, bool text, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err)
{
	struct ft *ft = calloc(1, sizeof(*ft));
	jmp_buf nomem;
	int ret;

	if (!ft)
		return ft_error(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
	ft->opt = options;
	ft->page = 4096;
	ft->va_bits = 48;
	ft->tlbi_range = ft->kpti = ft->cnp = ft->repeat = -1;
	ft->world.nomem = &nomem;
	if (setjmp(nomem)) {
		ret = ft_error(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
		goto out;
	}
	ret = read_works(ft, err);
	if (!ret)
		ret = read_input(ft, path, text, report, err);
	if (!ret)
		ret = understand(ft, path, err);
	if (!ret) {
		world_end(&ft->world);
		ret = ft_make_trace(ft, trace, err);
	}
	if (!ret && report)
		ft_report(ft, report);
	if (!ret && ft->salvaged)
		ret = 1;
out:
	fini(ft);
	return ret;
}
