/* SPDX-License-Identifier: MIT */
/* What running a litmus test gave: final states, verdict, and herd's lines. */
#include "check/litmus_result.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int dvmi_litmus_result_add(struct dvm_litmus_result *res, unsigned atoms, const uint64_t *shown,
			   uint64_t count)
{
	size_t size = atoms * sizeof(shown[0]), i = 0;

	while (i < res->outcomes && memcmp(res->outcome[i].shown, shown, size) != 0)
		i++;
	if (i < res->outcomes) {
		res->outcome[i].count += count;
		return 0;
	}
	if (dvmi_grow((void **)&res->outcome, &res->capacity, i + 1, sizeof(*res->outcome)))
		return -DVM_ENOMEM;
	memset(&res->outcome[i], 0, sizeof(res->outcome[i]));
	memcpy(res->outcome[i].shown, shown, size);
	res->outcome[i].count = count;
	res->outcomes++;
	return 0;
}

/* Registers, then memory. */
static void line_values(struct dvmi_buf *buf, const struct dvm_litmus *test,
			const struct dvmi_outcome_line *o)
{
	const char *sep = "";

	for (unsigned kind = DVMI_ATOM_REG; kind <= DVMI_ATOM_LOC; kind++)
		for (unsigned i = 0; i < test->atoms; i++) {
			if (test->atom[i].kind != kind)
				continue;
			dvmi_buf_puts(buf, sep);
			dvmi_atom_print(buf, test, i);
			dvmi_buf_puts(buf, "=");
			dvmi_space_print(buf, &test->space, o->shown[i]);
			dvmi_buf_puts(buf, ";");
			sep = " ";
		}
}

/* Was the fault of atom @i printed for an earlier one, which named it in other words? */
static bool printed_before(const struct dvm_litmus *test, const struct dvmi_outcome_line *o,
			   unsigned i)
{
	const struct dvmi_atom *a = &test->atom[i];

	for (unsigned j = 0; j < i; j++) {
		const struct dvmi_atom *b = &test->atom[j];

		if (b->kind == DVMI_ATOM_FAULT && o->shown[j] == o->shown[i] &&
		    b->thread == a->thread && b->page == a->page && b->desc == a->desc && !strcmp(b->label, a->label))
			return true;
	}
	return false;
}

/* Then faults that happened, then those that did not, each after a blank, as herd. */
static void line_faults(struct dvmi_buf *buf, const struct dvm_litmus *test,
			const struct dvmi_outcome_line *o, bool happened)
{
	static const char *const kinds[DVMI_OUT_COUNT] = {NULL, "Translation", "AccessFlag",
							  "Permission"};

	for (unsigned i = 0; i < test->atoms; i++) {
		const struct dvmi_atom *a = &test->atom[i];

		if (a->kind == DVMI_ATOM_CLASH && (o->shown[i] != 0) == happened)
			dvmi_buf_printf(buf, " %sClash(%s);", happened ? "" : "~",
					test->space.names[a->page]);
		if (a->kind != DVMI_ATOM_FAULT || (o->shown[i] != 0) != happened ||
		    (happened && printed_before(test, o, i)))
			continue;
		dvmi_buf_puts(buf, happened ? " Fault(" : " ~Fault(");
		if (happened) {
			dvmi_buf_printf(buf, "P%d", test->thread[a->thread].number);
			if (a->label[0])
				dvmi_buf_printf(buf, ":%s", a->label);
			dvmi_fault_place_print(buf, test, a);
			dvmi_buf_printf(buf, ",D-MMU:%s", kinds[o->shown[i]]);
		} else {
			dvmi_atom_print(buf, test, i);
		}
		dvmi_buf_puts(buf, ");");
	}
}

static int make_line(const struct dvm_litmus *test, struct dvmi_outcome_line *o)
{
	struct dvmi_buf buf = {0};

	line_values(&buf, test, o);
	line_faults(&buf, test, o, true);
	line_faults(&buf, test, o, false);
	dvmi_buf_puts(&buf, "");
	return dvmi_buf_take(&buf, &o->line);
}

static int by_line(const void *a, const void *b)
{
	return strcmp(((const struct dvmi_outcome_line *)a)->line,
		      ((const struct dvmi_outcome_line *)b)->line);
}

int dvmi_litmus_result_finish(struct dvm_litmus_result *res, const struct dvm_litmus *test)
{
	struct dvmi_buf buf = {0};
	int rc = 0;

	for (size_t i = 0; i < res->outcomes && !rc; i++)
		rc = make_line(test, &res->outcome[i]);
	if (rc)
		return rc;
	if (res->outcomes)
		qsort(res->outcome, res->outcomes, sizeof(*res->outcome), by_line);
	dvmi_cond_print(&buf, test, test->root);
	return dvmi_buf_take(&buf, &res->condition);
}

void dvm_litmus_result_free(struct dvm_litmus_result *res)
{
	if (!res)
		return;
	for (size_t i = 0; i < res->outcomes; i++)
		dvmi_free(res->outcome[i].line);
	dvmi_free(res->outcome);
	dvmi_free(res->condition);
	dvmi_free(res);
}

enum dvm_check_verdict dvm_litmus_verdict(const struct dvm_litmus_result *res)
{
	if (res->positive && res->negative)
		return DVM_CHECK_SOMETIMES;
	if (res->incomplete)
		return DVM_CHECK_INCONCLUSIVE;
	return res->positive ? DVM_CHECK_ALWAYS : DVM_CHECK_NEVER;
}

int dvm_litmus_ok(const struct dvm_litmus_result *res)
{
	if (res->quantifier == DVMI_EXISTS)
		return res->positive != 0;
	if (res->incomplete)
		return 0;
	return res->quantifier == DVMI_FORALL ? res->negative == 0 : res->positive == 0;
}

uint64_t dvm_litmus_states(const struct dvm_litmus_result *res)
{
	return res->states;
}

uint64_t dvm_litmus_memory(const struct dvm_litmus_result *res)
{
	return res->memory;
}

size_t dvm_litmus_outcomes(const struct dvm_litmus_result *res)
{
	return res->outcomes;
}

const char *dvm_litmus_outcome(const struct dvm_litmus_result *res, size_t index)
{
	return index < res->outcomes ? res->outcome[index].line : NULL;
}

int dvm_litmus_result_text(const struct dvm_litmus_result *res, char **text)
{
	static const char *const kinds[] = {"Allowed", "Forbidden", "Required"};
	static const char *const quantifiers[] = {"exists", "~exists", "forall"};
	static const char *const words[] = {"Never", "Sometimes", "Always", "Inconclusive"};
	bool swap = res->quantifier == DVMI_NOT_EXISTS;
	struct dvmi_buf buf = {0};

	dvmi_buf_printf(&buf, "Test %s %s\nStates %zu\n", res->name, kinds[res->quantifier],
			res->outcomes);
	for (size_t i = 0; i < res->outcomes; i++)
		dvmi_buf_printf(&buf, "%s\n", res->outcome[i].line);
	dvmi_buf_printf(&buf, "%s\nWitnesses\nPositive: %" PRIu64 " Negative: %" PRIu64 "\n",
			dvm_litmus_ok(res) ? "Ok" : "No", swap ? res->negative : res->positive,
			swap ? res->positive : res->negative);
	if (res->narrow_domain)
		dvmi_buf_puts(&buf, "Flag Assuming-common-inner-shareable-domain\n");
	if (res->cut)
		dvmi_buf_puts(&buf, "Flag Loops-cut-short\n");
	if (res->clash && res->bbm)
		dvmi_buf_puts(&buf, "Flag Warning-BBM-expected\n");
	if (res->incomplete)
		dvmi_buf_puts(&buf, "Flag Limit-reached\n");
	dvmi_buf_printf(&buf, "Condition %s (%s)\nObservation %s %s %" PRIu64 " %" PRIu64 "\n",
			quantifiers[res->quantifier], res->condition, res->name,
			words[dvm_litmus_verdict(res)], res->positive, res->negative);
	return dvmi_buf_take(&buf, text);
}
