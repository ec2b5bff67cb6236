/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CAMPAIGN_CAMPAIGN_H
#define DVMI_CAMPAIGN_CAMPAIGN_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#include <dvmsim/campaign.h>
#include <dvmsim/model.h>
#include <dvmsim/strategy.h>
#include <dvmsim/study.h>

#include <stdatomic.h>

#define DVMI_CAMPAIGN_SITES_MAX 100000u
#define DVMI_CAMPAIGN_LIST_MAX 256u

/* One value of a model, as a study file sets it. */
struct dvmi_setting {
	const char *path;
	bool kernel;
	uint64_t value;
};

/* An environment: what it changes of part and kernel. */
struct dvmi_environment {
	const char *name;
	struct dvmi_setting *settings;
	size_t count;
};

/* Strings of a file; the document owns them. */
struct dvmi_list {
	const char **names;
	size_t count;
};

/* A figure that somebody published, shown beside what is simulated; nothing is fitted to it. */
struct dvmi_published {
	const char *name, *source;
	double change_pct;
	struct dvmi_list workloads; /* which of the question's stand for it */
};

/* Climbing from the worst site of a strategy to worse ones. */
struct dvmi_search {
	const char *strategy; /* NULL: none */
	struct dvmi_list params;
	uint64_t rounds, keep;
};

struct dvmi_question {
	const char *name, *asks, *source, *baseline;
	const char *note;    /* what is simulated of it and what is not, or NULL */
	const char *subject; /* the strategy that is in question; NULL: the first but the baseline */
	struct dvmi_list workloads, hw, kernels, strategies;
	struct dvmi_environment *environments;
	size_t nenvironments; /* at least one, with an empty name */
	uint64_t *cpus;       /* 0: as the part is */
	size_t ncpus;
	uint64_t *migrate_hz; /* forced migrations; NULL: none */
	size_t nmigrate;      /* at least 1 */
	const char *vary_path; /* NULL: none */
	bool vary_kernel;
	uint64_t *vary;
	size_t nvary; /* at least 1 */
	uint64_t seeds, first_seed, budget, copies;
	int sensitivity;
	int schedule; /* enum dvm_sim_schedule */
	struct dvmi_search search;
	struct dvmi_published *published;
	size_t npublished;
	bool latency;     /* print the worst latencies too */
	uint64_t *limits; /* percent: the least number of CPUs with that change is looked for */
	size_t nlimits;
};

/* What one strategy's metric came to at one site. */
struct dvmi_outcome {
	char *metric, *unit;
	bool higher_is_better, unstable;
	unsigned n; /* runs; 1: nothing is random */
	double mean, change_pct, ci95_pct; /* change: positive is better */
	int verdict;                       /* enum dvm_verdict */
	bool examined, holds;
	double lo_pct, hi_pct; /* as improvements */
	uint64_t params;
	char *flip_at;         /* what turns the sign, or NULL */
	bool flip_single;      /* one parameter alone does, between @flip_from and @flip_to */
	uint64_t flip_from, flip_to;
};

struct dvmi_strategy_result {
	int status; /* enum dvm_run_status */
	char *message;
	struct dvmi_outcome *outcomes;
	size_t count;
	double local_share, one_cpu_share; /* of the flushes; NAN without flushes */
	uint64_t flush_p99_ps, flush_max_ps;
	uint64_t unpreemptible_max_ps, interrupts_off_max_ps; /* 0: none with a TLBI */
	/* CPU time of the run with the first seed: struct dvm_stats */
	uint64_t run_ps, flush_ps, switch_ps, bystander_ps, refill_ps, interrupt_ps;
	/* And what the DVM fabric had to do. */
	uint64_t elapsed_ps, dvm_nonsyncs, dvm_syncs;
};

struct dvmi_site_result {
	bool known;
	char *error;             /* why the site could not be run, or NULL */
	struct dvmi_strategy_result *strategies; /* by the question's list */
	size_t count;
};

struct dvmi_site {
	size_t question, hw, kernel, environment, cpus, vary, migrate; /* indices into the question's lists */
	char *workload;
	/* Of its models, once it is run: numbers of the words of vm and preempt. */
	uint64_t ncpus, preempt, vm;
	bool vm_fb;
	struct dvmi_site_result result;
};

struct dvm_campaign {
	struct dvm_campaign_options options;
	struct dvmi_json *doc;
	const char *name, *summary;
	struct dvmi_question *questions;
	size_t nquestions;
	struct dvmi_site *sites;
	size_t nsites, capacity;
	_Atomic size_t done;
};

/* ---- file.c ---- */
int dvmi_campaign_read(struct dvm_campaign *c, struct dvm_error *err);
void dvmi_question_fini(struct dvmi_question *q);

/* ---- site.c: one point of a question's grid ---- */
/* A new site at the end; takes @workload, also on failure. */
int dvmi_site_add(struct dvm_campaign *c, const struct dvmi_site *like, char *workload);
void dvmi_site_fini(struct dvmi_site *site);
/* Run it, or take a kept result; only errors that end the campaign are returned. */
int dvmi_site_run(struct dvm_campaign *c, struct dvmi_site *site, struct dvm_error *err);
/* "redis on neoverse-n1-80, linux-7.1, guest, 64 CPUs, dvm.request_ps=1"; parts of one value only. */
void dvmi_site_label(const struct dvm_campaign *c, const struct dvmi_site *site,
		     struct dvmi_buf *out);
/* The 'dvmsim compare' that repeats it, with the question's strategies; one line without its end. */
void dvmi_site_command(const struct dvm_campaign *c, const struct dvmi_site *site,
		       struct dvmi_buf *out); /* command.c */
/* The part's and the kernel's models as the site has them. */
int dvmi_site_models(const struct dvm_campaign *c, const struct dvmi_site *site,
		     struct dvm_model **hw, struct dvm_model **kernel, struct dvm_error *err);

/* ---- result.c: a site's result as text and back ---- */
int dvmi_result_write(const struct dvmi_site_result *result, char **text);
int dvmi_result_read(const char *text, struct dvmi_site_result *result, struct dvm_error *err);
void dvmi_result_fini(struct dvmi_site_result *result);

/* ---- flip.c: where a sign turns ---- */
/* For a metric whose sign does not hold; @study has one site. */
int dvmi_flip_find(const struct dvm_study *study, size_t cell, size_t metric,
		   struct dvmi_outcome *outcome);

/* ---- search.c ---- */
/* Add the sites one step from the worst one so far; 0 added: the search is over. */
int dvmi_search_step(struct dvm_campaign *c, size_t question, size_t *added,
		     struct dvm_error *err);

/* The strategy a question is about. */
const char *dvmi_question_subject(const struct dvmi_question *q);

/* What an outcome amounts to. */
enum dvmi_word {
	DVMI_WORD_NONE,      /* no value, or the baseline */
	DVMI_WORD_WINS,
	DVMI_WORD_LOSES,
	DVMI_WORD_UNDECIDED, /* the sign turns within the ranges of estimates */
	DVMI_WORD_SAME, /* no difference, or less than 0.005 % */
	DVMI_WORD_OPEN, /* the 95 % interval over the seeds includes zero */
	DVMI_WORD_STALE,
};
enum dvmi_word dvmi_outcome_word(const struct dvmi_strategy_result *r,
				 const struct dvmi_outcome *o); /* result.c */

#endif
