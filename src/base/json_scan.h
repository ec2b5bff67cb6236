/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_JSON_SCAN_H
#define DVMI_BASE_JSON_SCAN_H

#include "base/error.h"

/* Is @text one JSON value as RFC 8259 has it, within the limits of json.h? */
int dvmi_json_scan(const char *name, const char *text, size_t size, struct dvm_error *err);

#endif
