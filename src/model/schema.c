/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <string.h>

static void text_type(struct dvmi_jw *w, const char *key, const char *doc)
{
	dvmi_jw_object_line(w, key);
	dvmi_jw_string(w, "type", "string");
	dvmi_jw_u64(w, "minLength", 1);
	dvmi_jw_string(w, "description", doc);
	dvmi_jw_end_object(w);
}

static void names(struct dvmi_jw *w, const char *key, const char *const list[])
{
	dvmi_jw_array_line(w, key);
	for (size_t i = 0; list[i]; i++)
		dvmi_jw_string(w, NULL, list[i]);
	dvmi_jw_end_array(w);
}

static void empty(struct dvmi_jw *w, const char *key)
{
	dvmi_jw_object_line(w, key);
	dvmi_jw_end_object(w);
}

/* What a value and a range's bounds look like. */
static void value_type(struct dvmi_jw *w, const struct dvmi_param_def *def)
{
	char word[DVMI_PARAM_WORD_MAX];

	if (def->type == DVMI_PARAM_BOOL) {
		dvmi_jw_string(w, "type", "boolean");
	} else if (def->type == DVMI_PARAM_INT) {
		dvmi_jw_string(w, "type", "integer");
		dvmi_jw_u64(w, "minimum", def->min);
		dvmi_jw_u64(w, "maximum", def->max);
	} else {
		dvmi_jw_array_line(w, "enum");
		for (uint64_t i = 0; i <= dvmi_param_max(def); i++)
			dvmi_jw_string(w, NULL, dvmi_param_word(def, i, word));
		dvmi_jw_end_array(w);
	}
}

/* The rules that hold for every leaf, whatever its type. */
static void leaf_def(struct dvmi_jw *w)
{
	static const char *const required[] = { "value", "source", "ref", NULL };

	dvmi_jw_object(w, "leaf");
	dvmi_jw_string(w, "type", "object");
	names(w, "required", required);
	dvmi_jw_bool(w, "additionalProperties", false);
	dvmi_jw_object(w, "properties");
	empty(w, "value");
	empty(w, "unit");
	dvmi_jw_object_line(w, "source");
	names(w, "enum", dvmi_source_names);
	dvmi_jw_end_object(w);
	text_type(w, "ref", "Where the value can be looked up");
	dvmi_jw_object_line(w, "range");
	dvmi_jw_string(w, "type", "array");
	dvmi_jw_u64(w, "minItems", 2);
	dvmi_jw_u64(w, "maxItems", 2);
	dvmi_jw_string(w, "description", "Least and greatest plausible value");
	dvmi_jw_end_object(w);
	text_type(w, "formula", "How a derived value follows from others");
	text_type(w, "note", "A remark");
	dvmi_jw_end_object(w);
	dvmi_jw_array(w, "allOf");
	for (int i = 0; i < 2; i++) {
		const char *const need[] = { i ? "formula" : "range", NULL };

		dvmi_jw_object_line(w, NULL);
		dvmi_jw_object(w, "if");
		dvmi_jw_object(w, "properties");
		dvmi_jw_object(w, "source");
		dvmi_jw_string(w, "const", i ? "derived" : "estimate");
		dvmi_jw_end_object(w);
		dvmi_jw_end_object(w);
		dvmi_jw_end_object(w);
		dvmi_jw_object(w, "then");
		names(w, "required", need);
		dvmi_jw_end_object(w);
		dvmi_jw_end_object(w);
	}
	dvmi_jw_end_array(w);
	dvmi_jw_end_object(w);
}

static void param(struct dvmi_jw *w, const struct dvmi_param_def *def)
{
	static const char *const unit[] = { "unit", NULL };

	dvmi_jw_object(w, def->name);
	dvmi_jw_string(w, "description", def->doc);
	dvmi_jw_string(w, "$ref", "#/$defs/leaf");
	if (def->type == DVMI_PARAM_INT)
		names(w, "required", unit);
	dvmi_jw_object(w, "properties");
	dvmi_jw_object_line(w, "value");
	value_type(w, def);
	dvmi_jw_end_object(w);
	dvmi_jw_object_line(w, "unit");
	dvmi_jw_string(w, "const", def->unit);
	dvmi_jw_end_object(w);
	dvmi_jw_object_line(w, "range");
	dvmi_jw_object(w, "items");
	value_type(w, def);
	dvmi_jw_end_object(w);
	dvmi_jw_end_object(w);
	dvmi_jw_end_object(w);
	dvmi_jw_end_object(w);
}

static void open_group(struct dvmi_jw *w, const char *key)
{
	dvmi_jw_object(w, key);
	dvmi_jw_string(w, "type", "object");
	dvmi_jw_bool(w, "additionalProperties", false);
	dvmi_jw_object(w, "properties");
}

static void close_group(struct dvmi_jw *w)
{
	dvmi_jw_end_object(w);
	dvmi_jw_end_object(w);
}

static void params(struct dvmi_jw *w, const struct dvmi_param_def *defs, size_t count)
{
	const char *group = "";

	open_group(w, "params");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(defs[i].group, group) != 0) {
			if (*group)
				close_group(w);
			group = defs[i].group;
			open_group(w, group);
		}
		param(w, &defs[i]);
	}
	if (*group)
		close_group(w);
	close_group(w);
}

static void head(struct dvmi_jw *w, enum dvm_model_kind kind)
{
	text_type(w, "$schema", "For editors; not read");
	dvmi_jw_object_line(w, "schema");
	dvmi_jw_string(w, "const", dvmi_model_schema_name(kind));
	dvmi_jw_end_object(w);
	text_type(w, "name", "The file's name without .json");
	text_type(w, "summary", "One line");
	text_type(w, "inherits", "A file beside this one, whose values hold where this one has none");
	dvmi_jw_object_line(w, "status");
	names(w, "enum", dvmi_status_names);
	dvmi_jw_end_object(w);
	dvmi_jw_object_line(w, "calibrated_by");
	dvmi_jw_string(w, "type", "array");
	dvmi_jw_object(w, "items");
	dvmi_jw_string(w, "type", "string");
	dvmi_jw_end_object(w);
	dvmi_jw_string(w, "description", "The measurements (docs/provenance.md) it reproduces");
	dvmi_jw_end_object(w);
	text_type(w, "calibration_note", "What is fitted, and what stays estimated");
}

int dvm_model_schema(enum dvm_model_kind kind, char **text)
{
	static const char *const required[] = { "schema", "name", "summary", "status",
						"calibration_note", NULL };
	bool hw = kind == DVM_MODEL_HW;
	struct dvmi_jw w = { 0 };

	dvmi_jw_object(&w, NULL);
	dvmi_jw_string(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	dvmi_jw_string(&w, "title", hw ? "dvmsim hardware model" : "dvmsim kernel configuration");
	dvmi_jw_string(&w, "type", "object");
	names(&w, "required", required);
	dvmi_jw_bool(&w, "additionalProperties", false);
	dvmi_jw_object(&w, "properties");
	head(&w, kind);
	params(&w, hw ? dvmi_hw_defs : dvmi_kernel_defs,
	       hw ? dvmi_hw_def_count : dvmi_kernel_def_count);
	dvmi_jw_end_object(&w);
	dvmi_jw_object(&w, "$defs");
	leaf_def(&w);
	dvmi_jw_end_object(&w);
	dvmi_jw_end_object(&w);
	return dvmi_jw_take(&w, text);
}
