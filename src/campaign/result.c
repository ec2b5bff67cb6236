/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A site's result as text: what is kept, and what a resumed campaign reads. */

#define FIELD(name) { #name, offsetof(struct dvmi_strategy_result, name) }
static const struct {
	const char *name;
	size_t at;
} fields[] = {
	FIELD(flush_p99_ps), FIELD(flush_max_ps), FIELD(unpreemptible_max_ps),
	FIELD(interrupts_off_max_ps), FIELD(run_ps), FIELD(flush_ps), FIELD(switch_ps),
	FIELD(bystander_ps), FIELD(refill_ps), FIELD(interrupt_ps), FIELD(elapsed_ps),
	FIELD(dvm_nonsyncs), FIELD(dvm_syncs),
};
#undef FIELD
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void write_outcome(struct dvmi_jw *w, const struct dvmi_outcome *o)
{
	dvmi_jw_object(w, NULL);
	dvmi_jw_string(w, "metric", o->metric);
	dvmi_jw_string(w, "unit", o->unit);
	dvmi_jw_bool(w, "higher_is_better", o->higher_is_better);
	dvmi_jw_bool(w, "unstable", o->unstable);
	dvmi_jw_u64(w, "n", o->n);
	dvmi_jw_double(w, "mean", o->mean);
	dvmi_jw_double(w, "change_pct", o->change_pct);
	dvmi_jw_double(w, "ci95_pct", o->ci95_pct);
	dvmi_jw_string(w, "verdict", dvm_verdict_name((unsigned)o->verdict));
	if (o->examined) {
		dvmi_jw_bool(w, "holds", o->holds);
		dvmi_jw_double(w, "lo_pct", o->lo_pct);
		dvmi_jw_double(w, "hi_pct", o->hi_pct);
		dvmi_jw_u64(w, "params", o->params);
	}
	if (o->flip_at) {
		dvmi_jw_string(w, "flip_at", o->flip_at);
		dvmi_jw_bool(w, "flip_single", o->flip_single);
		dvmi_jw_u64(w, "flip_from", o->flip_from);
		dvmi_jw_u64(w, "flip_to", o->flip_to);
	}
	dvmi_jw_end_object(w);
}

static void write_strategy(struct dvmi_jw *w, const struct dvmi_strategy_result *s)
{
	dvmi_jw_object(w, NULL);
	dvmi_jw_string(w, "status", dvm_run_status_name((unsigned)s->status));
	if (s->message)
		dvmi_jw_string(w, "message", s->message);
	dvmi_jw_double(w, "local_share", s->local_share);
	dvmi_jw_double(w, "one_cpu_share", s->one_cpu_share);
	for (size_t i = 0; i < FIELDS; i++)
		dvmi_jw_u64(w, fields[i].name, *(const uint64_t *)((const char *)s + fields[i].at));
	dvmi_jw_array(w, "metrics");
	for (size_t i = 0; i < s->count; i++)
		write_outcome(w, &s->outcomes[i]);
	dvmi_jw_end_array(w);
	dvmi_jw_end_object(w);
}

int dvmi_result_write(const struct dvmi_site_result *r, char **text)
{
	struct dvmi_jw w = { .first = true };

	dvmi_jw_object(&w, NULL);
	if (r->error)
		dvmi_jw_string(&w, "error", r->error);
	dvmi_jw_array(&w, "strategies");
	for (size_t i = 0; i < r->count; i++)
		write_strategy(&w, &r->strategies[i]);
	dvmi_jw_end_array(&w);
	dvmi_jw_end_object(&w);
	return dvmi_jw_take(&w, text);
}

/* ---- and back ---- */

static int get_string(const struct dvmi_json_at *at, const char *key, char **out,
		      struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *text;
	int ret = dvmi_json_need(at, key, &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &text, err);
	if (ret)
		return ret;
	*out = dvmi_strdup(text);
	return *out ? 0 : dvmi_error_nomem(err);
}

static int get_double(const struct dvmi_json_at *at, const char *key, double *out,
		      struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	*out = NAN;
	if (ret || dvmi_json_type(&child) == DVMI_JSON_NULL)
		return ret;
	return dvmi_json_double(&child, out, err);
}

static int get_u64(const struct dvmi_json_at *at, const char *key, uint64_t *out,
		   struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_u64(&child, 0, DVMI_JSON_INT_MAX, out, err);
}

static int get_bool(const struct dvmi_json_at *at, const char *key, bool *out,
		    struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_bool(&child, out, err);
}

static int get_name(const struct dvmi_json_at *at, const char *key, const char *(*name)(unsigned),
		    int *out, struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *text;
	int ret = dvmi_json_need(at, key, &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &text, err);
	for (unsigned i = 0; !ret && name(i); i++) {
		if (!strcmp(name(i), text)) {
			*out = (int)i;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, err, "\"%s\" is not known", text);
}

static int read_outcome(const struct dvmi_json_at *at, struct dvmi_outcome *o,
			struct dvm_error *err)
{
	struct dvmi_json_at child;
	uint64_t n = 0;
	int ret = get_string(at, "metric", &o->metric, err);

	if (!ret)
		ret = get_string(at, "unit", &o->unit, err);
	if (!ret)
		ret = get_bool(at, "higher_is_better", &o->higher_is_better, err);
	if (!ret)
		ret = get_bool(at, "unstable", &o->unstable, err);
	if (!ret)
		ret = get_u64(at, "n", &n, err);
	o->n = (unsigned)n;
	if (!ret)
		ret = get_double(at, "mean", &o->mean, err);
	if (!ret)
		ret = get_double(at, "change_pct", &o->change_pct, err);
	if (!ret)
		ret = get_double(at, "ci95_pct", &o->ci95_pct, err);
	if (!ret)
		ret = get_name(at, "verdict", dvm_verdict_name, &o->verdict, err);
	o->examined = dvmi_json_find(at, "holds", &child);
	if (!ret && o->examined) {
		ret = get_bool(at, "holds", &o->holds, err);
		if (!ret)
			ret = get_double(at, "lo_pct", &o->lo_pct, err);
		if (!ret)
			ret = get_double(at, "hi_pct", &o->hi_pct, err);
		if (!ret)
			ret = get_u64(at, "params", &o->params, err);
	}
	if (ret || !dvmi_json_find(at, "flip_at", &child))
		return ret;
	ret = get_string(at, "flip_at", &o->flip_at, err);
	if (!ret)
		ret = get_bool(at, "flip_single", &o->flip_single, err);
	if (!ret)
		ret = get_u64(at, "flip_from", &o->flip_from, err);
	if (!ret)
		ret = get_u64(at, "flip_to", &o->flip_to, err);
	return ret;
}

static int read_strategy(const struct dvmi_json_at *at, struct dvmi_strategy_result *s,
			 struct dvm_error *err)
{
	struct dvmi_json_at list, item, child;
	int ret = get_name(at, "status", dvm_run_status_name, &s->status, err);

	if (!ret && dvmi_json_find(at, "message", &child))
		ret = get_string(at, "message", &s->message, err);
	if (!ret)
		ret = get_double(at, "local_share", &s->local_share, err);
	if (!ret)
		ret = get_double(at, "one_cpu_share", &s->one_cpu_share, err);
	for (size_t i = 0; i < FIELDS && !ret; i++)
		ret = get_u64(at, fields[i].name, (uint64_t *)((char *)s + fields[i].at), err);
	if (!ret)
		ret = dvmi_json_need(at, "metrics", &list, err);
	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (ret || !dvmi_json_first(&list, &item))
		return ret;
	s->outcomes = dvmi_calloc(dvmi_json_count(&list), sizeof(*s->outcomes));
	if (!s->outcomes)
		return dvmi_error_nomem(err);
	do
		ret = read_outcome(&item, &s->outcomes[s->count++], err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_result(const struct dvmi_json_at *root, struct dvmi_site_result *r,
		       struct dvm_error *err)
{
	struct dvmi_json_at list, item, child;
	int ret = dvmi_json_need(root, "strategies", &list, err);

	if (!ret && dvmi_json_find(root, "error", &child))
		ret = get_string(root, "error", &r->error, err);
	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
	if (ret || !dvmi_json_first(&list, &item))
		return ret;
	r->strategies = dvmi_calloc(dvmi_json_count(&list), sizeof(*r->strategies));
	if (!r->strategies)
		return dvmi_error_nomem(err);
	do
		ret = read_strategy(&item, &r->strategies[r->count++], err);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

int dvmi_result_read(const char *text, struct dvmi_site_result *r, struct dvm_error *err)
{
	struct dvmi_json *doc;
	struct dvmi_json_at root;
	int ret = dvmi_json_parse("kept result", text, strlen(text), &doc, err);

	*r = (struct dvmi_site_result){ 0 };
	if (ret)
		return ret;
	root = dvmi_json_root(doc);
	ret = read_result(&root, r, err);
	dvmi_json_free(doc);
	if (ret)
		dvmi_result_fini(r);
	r->known = !ret;
	return ret;
}

void dvmi_result_fini(struct dvmi_site_result *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct dvmi_strategy_result *s = &r->strategies[i];

		for (size_t m = 0; m < s->count; m++) {
			dvmi_free(s->outcomes[m].metric);
			dvmi_free(s->outcomes[m].unit);
			dvmi_free(s->outcomes[m].flip_at);
		}
		dvmi_free(s->outcomes);
		dvmi_free(s->message);
	}
	dvmi_free(r->strategies);
	dvmi_free(r->error);
	*r = (struct dvmi_site_result){ 0 };
}

enum dvmi_word dvmi_outcome_word(const struct dvmi_strategy_result *r,
				 const struct dvmi_outcome *o)
{
	if (r->status == DVM_RUN_STALE)
		return DVMI_WORD_STALE;
	if (r->status != DVM_RUN_OK || o->verdict == DVM_VERDICT_NONE ||
	    o->verdict == DVM_VERDICT_BASELINE)
		return DVMI_WORD_NONE;
	if (o->verdict == DVM_VERDICT_UNCHANGED || fabs(o->change_pct) < 0.005)
		return DVMI_WORD_SAME;
	if (o->verdict == DVM_VERDICT_UNDECIDED)
		return DVMI_WORD_OPEN;
	if (o->examined && !o->holds)
		return DVMI_WORD_UNDECIDED;
	return o->change_pct > 0 ? DVMI_WORD_WINS : DVMI_WORD_LOSES;
}
