/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <string.h>

static void write_value(struct dvmi_jw *w, const char *key, const struct dvmi_param_def *def,
			uint64_t value)
{
	char word[DVMI_PARAM_WORD_MAX];

	if (def->type == DVMI_PARAM_INT)
		dvmi_jw_u64(w, key, value);
	else if (def->type == DVMI_PARAM_BOOL)
		dvmi_jw_bool(w, key, value != 0);
	else
		dvmi_jw_string(w, key, dvmi_param_word(def, value, word));
}

static void write_leaf(struct dvmi_jw *w, const struct dvmi_param_def *def, uint64_t value,
		       const struct dvmi_leaf *leaf)
{
	dvmi_jw_object_line(w, def->name);
	write_value(w, "value", def, value);
	if (def->type == DVMI_PARAM_INT)
		dvmi_jw_string(w, "unit", def->unit);
	dvmi_jw_string(w, "source", dvmi_source_names[leaf->source]);
	if (leaf->ranged) {
		dvmi_jw_array(w, "range");
		write_value(w, NULL, def, leaf->lo);
		write_value(w, NULL, def, leaf->hi);
		dvmi_jw_end_array(w);
	}
	dvmi_jw_string(w, "ref", leaf->ref);
	if (leaf->formula)
		dvmi_jw_string(w, "formula", leaf->formula);
	if (leaf->note)
		dvmi_jw_string(w, "note", leaf->note);
	dvmi_jw_end_object(w);
}

/* "C1, C2" becomes ["C1", "C2"]. */
static void write_sets(struct dvmi_jw *w, const char *sets)
{
	dvmi_jw_array_line(w, "calibrated_by");
	while (*sets) {
		size_t len = strcspn(sets, ",");
		char set[64];

		if (len < sizeof(set)) {
			memcpy(set, sets, len);
			set[len] = '\0';
			dvmi_jw_string(w, NULL, set);
		}
		sets += len;
		sets += strspn(sets, ", ");
	}
	dvmi_jw_end_array(w);
}

static void write_params(struct dvmi_jw *w, const struct dvm_model *m)
{
	const char *group = "";

	dvmi_jw_object(w, "params");
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->defs[i].group, group) != 0) {
			if (*group)
				dvmi_jw_end_object(w);
			group = m->defs[i].group;
			dvmi_jw_object(w, group);
		}
		write_leaf(w, &m->defs[i], m->values[i], &m->leaves[i]);
	}
	if (*group)
		dvmi_jw_end_object(w);
	dvmi_jw_end_object(w);
}

int dvm_model_to_json(const struct dvm_model *model, char **text)
{
	struct dvmi_jw w = { 0 };

	dvmi_jw_object(&w, NULL);
	dvmi_jw_string(&w, "schema", dvmi_model_schema_name(model->kind));
	dvmi_jw_string(&w, "name", model->name);
	dvmi_jw_string(&w, "summary", model->summary);
	dvmi_jw_string(&w, "status", dvm_model_status_name(model));
	write_sets(&w, model->calibrated_by);
	dvmi_jw_string(&w, "calibration_note", model->note);
	write_params(&w, model);
	dvmi_jw_end_object(&w);
	return dvmi_jw_take(&w, text);
}
