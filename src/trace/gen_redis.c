/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* A single-threaded server with a client, and snapshots by fork (BGSAVE). */
enum { BATCHES, BATCH, REQUEST_NS, CLIENT_NS, SET_PERCENT, PAGES, SNAPSHOT_EVERY, SNAPSHOT_NS };

static const struct dvm_workload_param params[] = {
	{ "batches", "", "batches of requests served", 2000, 1, 1000000 },
	{ "batch", "", "requests per batch (one turn of the event loop)", 8, 1, 10000 },
	{ "request_ns", "ns", "the server's work per request", 5000, 1, 1000000000 },
	{ "client_ns", "ns", "the client's work between two batches; drawn from [half, 3/2]", 20000,
	  0, 1000000000 },
	{ "set_percent", "%", "share of requests that write one random page", 50, 0, 100 },
	{ "pages", "pages", "pages of the data set", 4096, 1, 1048576 },
	{ "snapshot_every", "", "batches between two snapshots; 0: none", 500, 0, 1000000 },
	{ "snapshot_ns", "ns", "the snapshot child's work", 5000000, 0, 1000000000000 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

#define VA DVMI_GEN_VA

struct redis {
	struct dvmi_gen *g;
	struct dvmi_gen_task server, client, child;
	uint64_t child_ends; /* batch after which the snapshot is done; 0: none is running */
};

static void snapshot_begins(struct redis *r, uint64_t batch)
{
	struct dvmi_gen *g = r->g;
	const uint64_t *v = g->values;
	uint64_t per_batch = v[BATCH] * v[REQUEST_NS] + v[CLIENT_NS] + 1;
	uint32_t wake;

	r->child = dvmi_gen_fork_child(g, &r->server, 2);
	wake = dvmi_gen_wake(g, &r->server, &r->child);
	dvmi_gen_switch(g, &r->child, wake);
	dvmi_gen_run(g, &r->child, v[SNAPSHOT_NS]);
	r->child_ends = batch + 1 + v[SNAPSHOT_NS] / per_batch;
}

/* The child exits; the server, between two batches, reaps it. */
static void snapshot_ends(struct redis *r)
{
	struct dvmi_gen *g = r->g;
	uint32_t wake = dvmi_gen_wake(g, &r->child, &r->server);

	dvmi_gen_exit(g, &r->child);
	dvmi_gen_idle(g, r->child.cpu);
	dvmi_gen_switch(g, &r->server, wake);
	dvmi_gen_idle(g, r->server.cpu);
	r->child_ends = 0;
}

static void request(struct redis *r)
{
	struct dvmi_gen *g = r->g;
	const uint64_t *v = g->values;
	uint64_t page = dvmi_rng_below(&g->rng, v[PAGES]);
	bool set = dvmi_rng_below(&g->rng, 100) < v[SET_PERCENT];

	if (set)
		dvmi_gen_write(g, &r->server, VA + page * g->page_bytes, 1);
	dvmi_gen_run(g, &r->server, v[REQUEST_NS]);
	dvmi_gen_mark(g, &r->server, 0);
}

/* The client sends a batch and sleeps; the server serves it, answers and sleeps. */
static void batch(struct redis *r)
{
	struct dvmi_gen *g = r->g;
	uint64_t half = g->values[CLIENT_NS] / 2;
	uint32_t wake;

	dvmi_gen_run(g, &r->client, half + dvmi_rng_below(&g->rng, g->values[CLIENT_NS] + 1));
	wake = dvmi_gen_wake(g, &r->client, &r->server);
	dvmi_gen_idle(g, r->client.cpu);
	dvmi_gen_switch(g, &r->server, wake);
	for (uint64_t i = 0; i < g->values[BATCH]; i++)
		request(r);
	wake = dvmi_gen_wake(g, &r->server, &r->client);
	dvmi_gen_idle(g, r->server.cpu);
	dvmi_gen_switch(g, &r->client, wake);
}

static void write_redis(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;
	struct redis r = { .g = g };

	r.client = dvmi_gen_initial(g, 0);
	r.server = dvmi_gen_initial(g, 1);
	dvmi_gen_region(g, &r.server, VA, v[PAGES], DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	dvmi_gen_idle(g, r.server.cpu);
	for (uint64_t b = 0; b < v[BATCHES] && !g->ret; b++) {
		batch(&r);
		if (r.child_ends && b >= r.child_ends)
			snapshot_ends(&r);
		if (v[SNAPSHOT_EVERY] && !r.child_ends && b % v[SNAPSHOT_EVERY] == 0) {
			/* The server's own timer (serverCron) wakes it, and it forks. */
			dvmi_gen_switch(g, &r.server, 0);
			snapshot_begins(&r, b);
			dvmi_gen_idle(g, r.server.cpu);
		}
	}
	if (r.child_ends)
		snapshot_ends(&r);
}

const struct dvmi_generator dvmi_gen_redis = {
	.info = {
		.name = "redis",
		.summary = "a single-threaded server and its client, with snapshots by fork",
		.details =
"After redis-server under redis-benchmark or memtier with constant snapshots. Client on CPU 0, "
"server on CPU 1, snapshot child on CPU 2. The client works, wakes the server and sleeps; the "
"server serves a batch of requests (request_ns each), wakes the client and sleeps. set_percent of "
"the requests write one random page of the data set. Every snapshot_every batches the server forks: "
"its ASID is flushed; from then on its first write to each page is a copy-on-write fault with a page "
"flush; once the child has exited, the first write to a page it shares with nobody is a "
"write-protect reuse (the simulated kernel decides, by who shares the page then). The server's mm runs on one CPU only, the child has its own. The snapshot's "
"end is tied to a batch number, so the order of operations is the same under every strategy.",
		.params = params,
	},
	.ncpus = 3,
	.marks = "[\"requests\"]",
	.write = write_redis,
};
