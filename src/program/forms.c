/* SPDX-License-Identifier: MIT */
/* Instructions that are not a list of operands: barriers, asid, tlbi, sections. */
#include "program/parser.h"

static const char *barrier_candidate(const void *arg, size_t i)
{
	(void)arg;
	/* Longer names first: of two that are equally near, a swap of letters is likelier. */
	return i < 12 ? dvmi_barrier_names[(i / 4 + 1) % 3][i % 4] : NULL;
}

static int parse_barrier(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	const struct dvmi_token *t = dvmi_peek(ps);

	if (t->kind == DVMI_T_END)
		return dvmi_parse_fail(ps, t, "'%s' needs its domain and type; write for example "
				       "%s ish", dvmi_op_names[insn->op], dvmi_op_names[insn->op]);
	for (unsigned i = 0; i < 12; i++) {
		if (dvmi_token_is(t, dvmi_barrier_names[i / 4][i % 4])) {
			insn->type = (uint8_t)(i / 4);
			insn->domain = (uint8_t)(i % 4);
			ps->at++;
			return 0;
		}
	}
	return dvmi_parse_unknown(ps, t, "unknown barrier option", barrier_candidate, NULL,
				  "use nsh, ish, osh or sy, for stores nshst, ishst, oshst or st, "
				  "for loads nshld, ishld, oshld or ld");
}

static int parse_sync(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	insn->domain = DVMI_DOMAIN_ISH;
	if (!dvmi_token_is(dvmi_peek(ps), "ish"))
		return dvmi_parse_fail(ps, dvmi_peek(ps), "the kernel's sync(mm) is inner "
				       "shareable; write sync ish, or dsb for a bare barrier");
	ps->at++;
	return 0;
}

static int parse_asid(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	const struct dvmi_token *t = dvmi_peek(ps);

	insn->base = DVMI_BASE_MM;
	if (t->kind == DVMI_T_END)
		return 0;
	if (dvmi_token_is(t, "prev"))
		insn->base = DVMI_BASE_PREV;
	else if (dvmi_token_is(t, "next"))
		insn->base = DVMI_BASE_NEXT;
	else if (!dvmi_token_is(t, "mm"))
		return dvmi_parse_fail(ps, t, "asid reads the ASID of the hook's mm, or of prev or "
					      "next; write one of them or nothing");
	ps->at++;
	return 0;
}

static int parse_domain(struct dvmi_parser *ps, struct dvmi_insn *insn,
			const struct dvmi_token *t)
{
	if (insn->scope == DVMI_TLBI_LOCAL)
		return dvmi_parse_fail(ps, t, "a local TLBI reaches one CPU and has no domain; "
					      "remove the domain or write tlbi is");
	if (insn->what == DVMI_TLBI_REQUEST) /* pages, ranges: the operand has no spare bits */
		return dvmi_parse_fail(ps, t, "forms by address have no domain operand "
					      "(FEAT_TLBID); write tlbi is asid domain ...");
	if (dvmi_peek(ps)->kind != DVMI_T_NAME && dvmi_peek(ps)->kind != DVMI_T_NUMBER)
		return dvmi_parse_fail(ps, dvmi_peek(ps), "the domain's number is missing; add a "
							  "value");
	return dvmi_parse_value(ps, &insn->src[0]);
}

static const char *tlbi_candidate(const void *arg, size_t i)
{
	static const char *const words[] = { "local", "is",     "request", "asid",  "all",
					     "domain", "notwin", "leaf",   "badttl" };

	(void)arg;
	return i < sizeof(words) / sizeof(words[0]) ? words[i] : NULL;
}

static int parse_tlbi(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	const struct dvmi_token *t = dvmi_peek(ps);

	if (!dvmi_token_is(t, "local") && !dvmi_token_is(t, "is"))
		return dvmi_parse_fail(ps, t, "say whom the TLBI reaches: write tlbi local or "
					      "tlbi is");
	insn->scope = dvmi_token_is(t, "is") ? DVMI_TLBI_IS : DVMI_TLBI_LOCAL;
	ps->at++;
	for (t = dvmi_peek(ps); t->kind != DVMI_T_END; t = dvmi_peek(ps)) {
		int rc = 0;

		ps->at++;
		if (dvmi_token_is(t, "request") && insn->src[0].kind != DVMI_NONE)
			rc = dvmi_parse_fail(ps, t, "forms by address have no domain operand "
						    "(FEAT_TLBID); write tlbi is asid domain ...");
		else if (dvmi_token_is(t, "request"))
			insn->what = DVMI_TLBI_REQUEST;
		else if (dvmi_token_is(t, "asid"))
			insn->what = DVMI_TLBI_ASID;
		else if (dvmi_token_is(t, "all"))
			insn->what = DVMI_TLBI_ALL;
		else if (dvmi_token_is(t, "notwin"))
			insn->flags |= DVMI_TLBI_NOTWIN;
		else if (dvmi_token_is(t, "leaf"))
			insn->flags |= DVMI_TLBI_LEAF;
		else if (dvmi_token_is(t, "badttl"))
			insn->flags |= DVMI_TLBI_BADTTL;
		else if (dvmi_token_is(t, "domain"))
			rc = parse_domain(ps, insn, t);
		else
			rc = dvmi_parse_unknown(ps, t, "unknown word of tlbi", tlbi_candidate, NULL,
						"use request, asid or all");
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_trigger(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	const struct dvmi_token *t = dvmi_peek(ps);

	insn->flags = DVMI_SECTION_ON_SWITCH;
	if (!dvmi_take(ps, DVMI_T_COMMA))
		return 0;
	t = dvmi_peek(ps);
	if (dvmi_token_is(t, "on-migrate"))
		insn->flags = DVMI_SECTION_ON_MIGRATE;
	else if (!dvmi_token_is(t, "on-switch"))
		return dvmi_parse_fail(ps, t, "a section restarts on-switch or on-migrate; write "
					      "one of them");
	ps->at++;
	return 0;
}

int dvmi_parse_form(struct dvmi_parser *ps, struct dvmi_insn *insn)
{
	switch (insn->op) {
	case DVMI_DSB:
	case DVMI_DMB:
		return parse_barrier(ps, insn);
	case DVMI_SYNC:
		return parse_sync(ps, insn);
	case DVMI_ASID:
		return parse_asid(ps, insn);
	case DVMI_TLBI:
		return parse_tlbi(ps, insn);
	case DVMI_SECTION:
		return parse_trigger(ps, insn);
	default:
		return 0;
	}
}
