/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/mem.h"
#include "base/pool.h"

#include <string.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

/* ---- the grid ---- */

/* Every point of the other axes for one workload. */
static int add_workload(struct dvm_campaign *c, size_t question, const char *workload)
{
	const struct dvmi_question *q = &c->questions[question];
	size_t axes[] = { q->hw.count, q->ncpus, q->kernels.count, q->nenvironments, q->nmigrate,
			  q->nvary };
	size_t points = 1;
	int ret = 0;

	for (size_t i = 0; i < 6; i++)
		points *= axes[i]; /* at most 256 each */
	for (size_t n = 0; n < points && !ret; n++) {
		struct dvmi_site at = { .question = question };
		char *text = dvmi_strdup(workload);
		size_t rest = n;

		at.vary = rest % q->nvary;
		rest /= q->nvary;
		at.migrate = rest % q->nmigrate;
		rest /= q->nmigrate;
		at.environment = rest % q->nenvironments;
		rest /= q->nenvironments;
		at.kernel = rest % q->kernels.count;
		rest /= q->kernels.count;
		at.cpus = rest % q->ncpus;
		at.hw = rest / q->ncpus;
		ret = text ? dvmi_site_add(c, &at, text) : -DVM_ENOMEM;
	}
	return ret;
}

/* "mmap:pages=1|64,loops=10" stands for one workload per alternative. @text is taken. */
static int add_expanded(struct dvm_campaign *c, size_t question, char *text)
{
	char *bar = strchr(text, '|'), *begin, *rest;
	int ret = 0;

	if (!bar) {
		ret = add_workload(c, question, text);
		dvmi_free(text);
		return ret;
	}
	for (begin = bar; begin > text && begin[-1] != '='; begin--)
		;
	rest = bar + strcspn(bar, ",");
	for (char *at = begin; at < rest && !ret;) {
		size_t head = (size_t)(begin - text), len = strcspn(at, "|,");
		size_t tail = strlen(rest);
		char *one = dvmi_alloc(head + len + tail + 1);

		if (!one) {
			ret = -DVM_ENOMEM;
			break;
		}
		memcpy(one, text, head);
		memcpy(one + head, at, len);
		memcpy(one + head + len, rest, tail + 1);
		ret = add_expanded(c, question, one);
		at += len + 1;
	}
	dvmi_free(text);
	return ret;
}

static int add_sites(struct dvm_campaign *c, size_t question)
{
	const struct dvmi_list *list = &c->questions[question].workloads;
	int ret = 0;

	for (size_t w = 0; w < list->count && !ret; w++) {
		char *text = dvmi_strdup(list->names[w]);

		ret = text ? add_expanded(c, question, text) : -DVM_ENOMEM;
	}
	return ret;
}

/* Names that do not exist are errors of the file, found before anything runs. */
static int check_names(const struct dvm_campaign *c, const struct dvmi_question *q,
		       struct dvm_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < q->hw.count && !ret; i++) {
		struct dvm_model *m;

		ret = dvm_model_find(DVM_MODEL_HW, q->hw.names[i], c->options.models, &m, err);
		if (!ret)
			dvm_model_free(m);
	}
	for (size_t i = 0; i < q->kernels.count && !ret; i++) {
		struct dvm_model *m;

		ret = dvm_model_find(DVM_MODEL_KERNEL, q->kernels.names[i], c->options.models, &m,
				     err);
		if (!ret)
			dvm_model_free(m);
	}
	return ret;
}

static int expand(struct dvm_campaign *c, struct dvm_error *err)
{
	bool any = false;
	int ret = 0;

	for (size_t i = 0; i < c->nquestions && !ret; i++) {
		if (c->options.question && strcmp(c->questions[i].name, c->options.question) != 0)
			continue;
		any = true;
		ret = check_names(c, &c->questions[i], err);
		if (ret)
			return ret;
		ret = add_sites(c, i);
	}
	if (ret == -DVM_ELIMIT)
		return dvmi_error(err, DVM_ELIMIT, c->name, "more than %u sites",
				  DVMI_CAMPAIGN_SITES_MAX);
	if (ret)
		return dvmi_error_nomem(err);
	if (!any)
		return dvmi_error(err, DVM_ENOENT, c->name, "it has no question \"%s\"",
				  c->options.question);
	return 0;
}

int dvm_campaign_load(const char *path, const struct dvm_campaign_options *options,
		      struct dvm_campaign **out, struct dvm_error *err)
{
	struct dvm_campaign *c;
	int ret;

	if (!options || options->size < sizeof(*options) || !options->models ||
	    !options->strategies || !options->traces)
		return dvmi_error(err, DVM_EINVAL, "study",
				  "size and the three folders must be given");
	c = dvmi_zalloc(sizeof(*c));
	if (!c)
		return dvmi_error_nomem(err);
	c->options = *options;
	if (!c->options.threads) {
		long n = sysconf(_SC_NPROCESSORS_ONLN);

		c->options.threads = n > 0 ? (unsigned)n : 1;
	}
	ret = dvmi_json_load(path, FILE_MAX, &c->doc, err);
	if (!ret)
		ret = dvmi_campaign_read(c, err);
	if (!ret)
		ret = expand(c, err);
	if (ret)
		dvm_campaign_free(c);
	else
		*out = c;
	return ret;
}

void dvm_campaign_free(struct dvm_campaign *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nsites; i++)
		dvmi_site_fini(&c->sites[i]);
	for (size_t i = 0; i < c->nquestions; i++)
		dvmi_question_fini(&c->questions[i]);
	dvmi_free(c->sites);
	dvmi_free(c->questions);
	dvmi_json_free(c->doc);
	dvmi_free(c);
}

const char *dvm_campaign_name(const struct dvm_campaign *c)
{
	return c->name;
}

size_t dvm_campaign_sites(const struct dvm_campaign *c)
{
	return c->nsites;
}

/* ---- running ---- */

struct batch {
	struct dvm_campaign *c;
	size_t first;
	struct dvm_error *errors;
};

static int job(void *arg, size_t i)
{
	struct batch *b = arg;
	struct dvmi_site *site = &b->c->sites[b->first + i];
	int ret = site->result.known ? 0 : dvmi_site_run(b->c, site, &b->errors[i]);

	atomic_fetch_add(&b->c->done, 1);
	return ret;
}

static int tick(void *arg)
{
	struct dvm_campaign *c = ((struct batch *)arg)->c;

	return c->options.progress ? c->options.progress(c->options.arg, atomic_load(&c->done),
							 c->nsites) : 0;
}

/* The sites from @first on. */
static int run_from(struct dvm_campaign *c, size_t first, struct dvm_error *err)
{
	size_t n = c->nsites - first;
	struct batch b = { .c = c, .first = first, .errors = dvmi_calloc(n, sizeof(*b.errors)) };
	int ret;

	if (!b.errors)
		return dvmi_error_nomem(err);
	ret = dvmi_pool_run(c->options.threads, n, job, tick, &b);
	if (ret == -DVM_ENOMEM)
		dvmi_error_nomem(err);
	else if (ret == -DVM_EBUDGET)
		dvmi_error(err, DVM_EBUDGET, c->name, "stopped after %zu of %zu sites",
			   (size_t)atomic_load(&c->done), c->nsites);
	for (size_t i = 0; ret && ret != -DVM_ENOMEM && i < n; i++) {
		if (b.errors[i].code != -ret)
			continue;
		if (err)
			*err = b.errors[i];
		break;
	}
	dvmi_free(b.errors);
	return ret;
}

static int search(struct dvm_campaign *c, size_t question, struct dvm_error *err)
{
	int ret = 0;

	for (uint64_t round = 0; round < c->questions[question].search.rounds && !ret; round++) {
		size_t first = c->nsites, added;

		ret = dvmi_search_step(c, question, &added, err);
		if (ret || !added)
			break;
		ret = run_from(c, first, err);
	}
	return ret;
}

int dvm_campaign_run(struct dvm_campaign *c, struct dvm_error *err)
{
	int ret = c->nsites ? run_from(c, 0, err) : 0;

	for (size_t i = 0; i < c->nquestions && !ret; i++)
		if (c->questions[i].search.strategy)
			ret = search(c, i, err);
	return ret;
}
