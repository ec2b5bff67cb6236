/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/*
 * `quarantine N ticks`: a flush that frees pages or addresses returns before all TLBs have dropped them,
 * and the kernel does not reuse what was freed for N ticks. So the oracle may not judge at the
 * return: until the quarantine is over an old translation leads to the old page. All quarantines are
 * equally long, so they end in the order in which they began.
 */

bool dvmi_quarantine_applies(const struct dvm_sim *s, const struct dvmi_hook_run *h)
{
	return s->program->quarantine && h->frees && h->flush;
}

static uint64_t length_ps(const struct dvm_sim *s)
{
	return s->program->quarantine * (UINT64_C(1000000000000) / s->cfg->sched_tick_hz);
}

int dvmi_quarantine_begin(struct dvm_sim *s, const struct dvmi_hook_run *h, uint64_t now)
{
	struct dvmi_quarantine *q = &s->quarantine;
	const struct dvmi_request *r = &h->change.request;
	void *list = q->list;

	if (q->first == q->count)
		q->first = q->count = 0;
	if (dvmi_grow(&list, &q->capacity, q->count + 1, sizeof(*q->list)))
		return dvmi_error_nomem(s->err);
	q->list = list;
	q->list[q->count] = (struct dvmi_quarantined){
		.flush = h->flush, .change = h->change,
		.pages = r->kind == DVMI_REQUEST_ASID ? 0 :
			 (r->end - r->start) >> s->rules.page_shift };
	q->pages += q->list[q->count++].pages;
	s->stats.quarantined++;
	if (q->pages > s->stats.quarantine_pages)
		s->stats.quarantine_pages = q->pages;
	return dvmi_evq_post(&s->evq, now + length_ps(s), 0, DVMI_EV_QUARANTINE, 0, 0);
}

int dvmi_quarantine_over(struct dvm_sim *s, uint64_t now)
{
	struct dvmi_quarantined *e = &s->quarantine.list[s->quarantine.first++];

	s->quarantine.pages -= e->pages;
	dvmi_oracle_end(s->oracle, e->flush);
	return s->tlbs ? dvmi_tlbs_complete(s->tlbs, &e->change, now, s->err) : 0;
}

void dvmi_quarantine_fini(struct dvm_sim *s)
{
	dvmi_free(s->quarantine.list);
}
