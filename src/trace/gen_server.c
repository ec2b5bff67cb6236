/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

#include "base/mem.h"

/*
 * A server with worker threads, and who asks: clients that wait for their answers (a closed loop), or
 * requests that come when they come (an open one). Queue 1 holds requests; queue 1 + n the answers to
 * client n.
 */
#define REQUESTS 1u
#define VA UINT64_C(0x100000000000)

/* ---- the server ---- */

struct server {
	uint64_t cpus, threads, service_ns, jitter, purge_every, purge_pages;
};

/* Bodies of a worker's loop: as many requests as it takes for all of them to have been drawn. */
#define BODIES 32u

static uint64_t arena(const struct dvmi_gen_task *t)
{
	return VA + t->task * (UINT64_C(1) << 30);
}

/* It is needed again at once. */
static void purge(struct dvmi_gen *g, const struct server *s, const struct dvmi_gen_task *t)
{
	dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, arena(t), s->purge_pages, 0);
	dvmi_gen_write(g, t, arena(t), s->purge_pages);
}

static void serve(struct dvmi_gen *g, const struct server *s, const struct dvmi_gen_task *t,
		  uint64_t n)
{
	dvmi_gen_get(g, t, REQUESTS);
	dvmi_gen_run(g, t, dvmi_gen_spread(g, s->service_ns, s->jitter));
	/* The allocator gives memory back. */
	if (s->purge_every && n % s->purge_every == s->purge_every - 1)
		purge(g, s, t);
}

/* How many of a loop's requests: a multiple of purge_every. */
static uint64_t bodies(const struct server *s)
{
	return s->purge_every > BODIES ? s->purge_every :
	       s->purge_every ? BODIES / s->purge_every * s->purge_every : BODIES;
}

/* ---- clients ---- */

enum { C_CPUS, C_CLIENTS, C_THREADS, C_REQUESTS, C_THINK, C_SERVICE, C_CLIENT, C_JITTER, C_PURGE,
       C_PAGES };

static const struct dvm_workload_param client_params[] = {
	{ "cpus", "", "CPUs of one copy, on which tasks begin", 4, 1, 1024 },
	{ "clients", "", "clients, each with one request at a time", 16, 1, 10000 },
	{ "threads", "", "the server's worker threads", 4, 1, 1024 },
	{ "requests", "", "requests of each client", 200, 1, 1000000 },
	{ "think_ns", "ns", "a client's sleep between an answer and its next request", 100000, 0,
	  1000000000 },
	{ "service_ns", "ns", "a worker's work on a request", 10000, 1, 1000000000 },
	{ "client_ns", "ns", "a client's own work for a request", 2000, 0, 1000000000 },
	{ "jitter", "%", "times are drawn from so much below to so much above their value", 50, 0,
	  100 },
	{ "purge_every", "", "requests of a worker between two MADV_DONTNEED; 0: none", 8, 0, 1000 },
	{ "purge_pages", "pages", "pages of one of them", 16, 1, 65536 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static void client(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t number)
{
	const uint64_t *v = g->values;

	dvmi_gen_switch(g, t, 0);
	for (uint64_t i = 0; i < v[C_REQUESTS] && !g->ret; i++) {
		dvmi_gen_think(g, t, dvmi_gen_spread(g, v[C_THINK], v[C_JITTER]));
		dvmi_gen_run(g, t, dvmi_gen_spread(g, v[C_CLIENT], v[C_JITTER]));
		dvmi_gen_unit_begin(g, t, REQUESTS + 1 + number);
		dvmi_gen_put(g, t, REQUESTS);
		dvmi_gen_get(g, t, REQUESTS + 1 + number);
		dvmi_gen_unit_end(g, t, 0);
	}
}

/* A worker takes the oldest request, serves it, and answers whoever asked. */
static void worker(struct dvmi_gen *g, const struct server *s, const struct dvmi_gen_task *t,
		   bool answers)
{
	uint32_t begin;

	dvmi_gen_switch(g, t, 0);
	begin = g->count;
	for (uint64_t i = 0; i < bodies(s) && !g->ret; i++) {
		serve(g, s, t, i);
		if (answers)
			dvmi_gen_put(g, t, 0);
		else
			dvmi_gen_unit_end(g, t, 0);
	}
	dvmi_gen_loop(g, t, begin);
}

/* What the workers' allocators give back, mapped when the workload begins. */
static void arenas(struct dvmi_gen *g, const struct server *s, const struct dvmi_gen_task *workers)
{
	for (uint64_t i = 0; workers && s->purge_every && i < s->threads; i++) {
		struct dvmi_gen_task nobody = { 0, workers[i].mm, workers[i].cpu };

		dvmi_gen_region(g, &nobody, arena(&workers[i]), s->purge_pages,
				DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	}
}

/* All of them are born before anybody runs. */
static struct dvmi_gen_task *threads(struct dvmi_gen *g, uint64_t count, uint64_t cpus,
				     uint64_t first)
{
	struct dvmi_gen_task *list = dvmi_calloc(count, sizeof(*list));

	if (!list) {
		g->ret = dvmi_error_nomem(g->err);
		return NULL;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint16_t cpu = (uint16_t)((first + i) % cpus);

		list[i] = i ? dvmi_gen_thread(g, &list[0], cpu) : dvmi_gen_present(g, cpu);
	}
	return list;
}

/* The records of a task stand on the CPU on which it begins, so one is switched out for the next. */
static void write_clients(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;
	const struct server s = { v[C_CPUS], v[C_THREADS], v[C_SERVICE], v[C_JITTER], v[C_PURGE],
				  v[C_PAGES] };
	struct dvmi_gen_task *workers = threads(g, v[C_THREADS], v[C_CPUS], 0);
	struct dvmi_gen_task *clients =
		workers ? threads(g, v[C_CLIENTS], v[C_CPUS], v[C_THREADS]) : NULL;

	arenas(g, &s, workers);
	for (uint64_t i = 0; clients && i < v[C_THREADS]; i++)
		worker(g, &s, &workers[i], true);
	for (uint64_t i = 0; clients && i < v[C_CLIENTS]; i++)
		client(g, &clients[i], (uint32_t)i);
	dvmi_free(workers);
	dvmi_free(clients);
}

const struct dvmi_generator dvmi_gen_clients = {
	.info = {
		.name = "clients",
		.summary = "a server with worker threads and clients that wait for answers (closed loop)",
		.details =
"Only with --schedule simulated. Each client sleeps for think_ns, works for client_ns, puts a request "
"into the server's queue and waits for the answer: one work unit, whose latency is the time from the "
"request to the answer. A worker takes the oldest request, works for service_ns, and puts the answer "
"into the queue of the client that asked. Every purge_every requests it also gives memory back "
"(MADV_DONTNEED of purge_pages pages: one range flush) and writes it again, which faults. The workers "
"are threads of one process, the clients of another. With N clients the throughput is at most N / (think + client + service) and at "
"most threads / service. Times are drawn evenly from jitter per cent below to jitter per cent above.",
		.params = client_params,
	},
	.marks = "[\"requests\"]",
	.write = write_clients,
};

/* ---- arrivals ---- */

enum { A_CPUS, A_THREADS, A_REQUESTS, A_GAP, A_RANDOM, A_SERVICE, A_JITTER, A_PURGE, A_PAGES };

static const struct dvm_workload_param arrival_params[] = {
	{ "cpus", "", "CPUs of one copy, on which tasks begin and requests come in", 4, 1, 1024 },
	{ "threads", "", "the server's worker threads", 4, 1, 1024 },
	{ "requests", "", "requests that arrive", 4000, 1, 10000000 },
	{ "gap_ns", "ns", "between two arrivals, on average", 5000, 1, 1000000000 },
	{ "random", "", "1: exponential gaps (a Poisson process); 0: even ones", 1, 0, 1 },
	{ "service_ns", "ns", "a worker's work on a request", 10000, 1, 1000000000 },
	{ "jitter", "%", "service times are drawn from so much below to so much above", 50, 0, 100 },
	{ "purge_every", "", "requests of a worker between two MADV_DONTNEED; 0: none", 8, 0, 1000 },
	{ "purge_pages", "pages", "pages of one of them", 16, 1, 65536 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static void write_arrivals(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;
	const struct server s = { v[A_CPUS], v[A_THREADS], v[A_SERVICE], v[A_JITTER], v[A_PURGE],
				  v[A_PAGES] };
	struct dvmi_gen_task *workers = threads(g, v[A_THREADS], v[A_CPUS], 0);
	uint64_t ns = 0;

	arenas(g, &s, workers);
	for (uint64_t i = 0; workers && i < v[A_REQUESTS] && !g->ret; i++) {
		ns += v[A_RANDOM] ? dvmi_gen_exponential(g, v[A_GAP]) : v[A_GAP];
		dvmi_gen_arrive(g, (uint16_t)(i % v[A_CPUS]), REQUESTS, ns);
	}
	for (uint64_t i = 0; workers && i < v[A_THREADS]; i++)
		worker(g, &s, &workers[i], false);
	dvmi_free(workers);
}

const struct dvmi_generator dvmi_gen_arrivals = {
	.info = {
		.name = "arrivals",
		.summary = "a server with worker threads and requests at a given rate (open loop)",
		.details =
"Only with --schedule simulated. Requests arrive by interrupts, on the CPUs in turn, gap_ns apart, "
"whether the server keeps up or not. A worker takes the oldest one and works for service_ns; then the "
"work unit is done, and its latency is the time since its arrival. Every purge_every requests a "
"worker also gives memory back (MADV_DONTNEED of purge_pages pages: one range flush) and writes it "
"again, which faults. The load is "
"service_ns / (gap_ns * threads); from 1 on, with what the kernel needs added, the backlog grows as "
"long as requests come, and reports say \"unstable\" instead of latencies.",
		.params = arrival_params,
	},
	.marks = "[\"requests\"]",
	.write = write_arrivals,
};
