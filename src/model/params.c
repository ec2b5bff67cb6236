/* SPDX-License-Identifier: MIT */
#include "model/params.h"

#include <string.h>

const struct dvmi_param_def dvmi_hw_defs[] = {
#define INT(group, name, unit, min, max, doc)                                                      \
	{ #group "." #name, #group, #name, DVMI_PARAM_INT, unit, min, max, NULL, doc },
#define BOOL(group, name, doc)                                                                     \
	{ #group "." #name, #group, #name, DVMI_PARAM_BOOL, "bool", 0, 1, NULL, doc },
#define ENUM(group, name, words, doc)                                                              \
	{ #group "." #name, #group, #name, DVMI_PARAM_ENUM, "enum", 0, 0, words, doc },
#include "model/hw_params.def"
#undef INT
#undef BOOL
#undef ENUM
};

const struct dvmi_param_def dvmi_kernel_defs[] = {
#define INT(name, unit, min, max, doc) { #name, "", #name, DVMI_PARAM_INT, unit, min, max, NULL, doc },
#define BOOL(name, doc) { #name, "", #name, DVMI_PARAM_BOOL, "bool", 0, 1, NULL, doc },
#define ENUM(name, words, doc) { #name, "", #name, DVMI_PARAM_ENUM, "enum", 0, 0, words, doc },
#include "model/kernel_params.def"
#undef INT
#undef BOOL
#undef ENUM
};

const size_t dvmi_hw_def_count = sizeof(dvmi_hw_defs) / sizeof(dvmi_hw_defs[0]);
const size_t dvmi_kernel_def_count = sizeof(dvmi_kernel_defs) / sizeof(dvmi_kernel_defs[0]);

/* Row i of a table is field i of its struct; the reader relies on it. */
_Static_assert(sizeof(struct dvmi_hw) == sizeof(uint64_t) * (sizeof(dvmi_hw_defs) /
							     sizeof(dvmi_hw_defs[0])),
	       "struct dvmi_hw is its table");
_Static_assert(sizeof(struct dvmi_kernel_cfg) ==
		       sizeof(uint64_t) * (sizeof(dvmi_kernel_defs) / sizeof(dvmi_kernel_defs[0])),
	       "struct dvmi_kernel_cfg is its table");

uint64_t dvmi_param_max(const struct dvmi_param_def *def)
{
	uint64_t bars = 0;

	if (def->type != DVMI_PARAM_ENUM)
		return def->max;
	for (const char *c = def->words; *c; c++)
		bars += *c == '|';
	return bars;
}

const char *dvmi_param_word(const struct dvmi_param_def *def, uint64_t value,
			    char buf[DVMI_PARAM_WORD_MAX])
{
	const char *words = def->type == DVMI_PARAM_BOOL ? "false|true" : def->words;
	size_t len;

	while (value-- && strchr(words, '|'))
		words = strchr(words, '|') + 1;
	len = strcspn(words, "|");
	if (len > DVMI_PARAM_WORD_MAX - 1)
		len = DVMI_PARAM_WORD_MAX - 1;
	memcpy(buf, words, len);
	buf[len] = '\0';
	return buf;
}

bool dvmi_param_number(const struct dvmi_param_def *def, const char *word, uint64_t *value)
{
	uint64_t last = dvmi_param_max(def);
	char buf[DVMI_PARAM_WORD_MAX];

	for (uint64_t i = 0; i <= last; i++) {
		if (!strcmp(dvmi_param_word(def, i, buf), word)) {
			*value = i;
			return true;
		}
	}
	return false;
}
