/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The measurements: RFC 4180 without line breaks in fields; ten columns in a fixed order. */
#define COLUMNS 10
#define DATA_MAX (4u << 20)
#define ROWS_MAX 65536u

static const char header[] = "id,platform,workload,metric,x,value,unit,grade,origin,source";

enum { ID, PLATFORM, WORKLOAD, METRIC, X, VALUE, UNIT };

/* Take the field at *@at in place; false when it is malformed. *@at is then its end. */
static bool field(char **at, char **text)
{
	char *from = *at, *to = *at;
	bool closed = false;

	if (*from != '"') {
		*text = from;
		*at += strcspn(from, ",");
		return !memchr(*text, '"', (size_t)(*at - *text));
	}
	*text = to;
	for (from++; *from; from++) {
		closed = *from == '"' && *++from != '"';
		if (closed)
			break;
		*to++ = *from;
	}
	*at = from;
	if (!closed || (*from && *from != ','))
		return false;
	*to = '\0';
	return true;
}

static int split(const char *name, unsigned line, char *text, char **fields, struct dvm_error *err)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		bool last = i == COLUMNS - 1;

		if (!field(&text, &fields[i]))
			return dvmi_error_at(err, DVM_EFORMAT, name, line, 0,
					     "column %u: a quoted field must be \"...\", with quotes"
					     " doubled inside", i + 1);
		if (last ? *text != '\0' : *text != ',')
			return dvmi_error_at(err, DVM_EFORMAT, name, line, 0,
					     "%s than %d columns; the first line names them",
					     last ? "more" : "fewer", COLUMNS);
		if (!last)
			*text++ = '\0';
	}
	return 0;
}

static bool number(const char *text, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return *text && !*end && !errno && isfinite(*value) &&
	       strspn(text, "+-.0123456789eE") == strlen(text);
}

static int add(struct dvmi_data *data, char *const *f, struct dvm_error *err)
{
	struct dvmi_measurement *m;

	if (dvmi_grow((void **)&data->rows, &data->capacity, data->count + 1, sizeof(*m)))
		return dvmi_error_nomem(err);
	m = &data->rows[data->count++];
	*m = (struct dvmi_measurement){
		.id = dvmi_strdup(f[ID]), .platform = dvmi_strdup(f[PLATFORM]),
		.workload = dvmi_strdup(f[WORKLOAD]), .x = dvmi_strdup(f[X]),
		.unit = dvmi_strdup(f[UNIT]),
	};
	if (!m->id || !m->platform || !m->workload || !m->x || !m->unit)
		return dvmi_error_nomem(err);
	if (!number(f[X], &m->number))
		m->number = NAN;
	return 0;
}

static int read_line(const char *name, unsigned line, char *text, struct dvmi_data *data,
		     struct dvm_error *err)
{
	char *fields[COLUMNS];
	double value;
	int ret = split(name, line, text, fields, err);

	if (ret)
		return ret;
	if (!number(fields[VALUE], &value) || value <= 0)
		return dvmi_error_at(err, DVM_EFORMAT, name, line, 0,
				     "column 6: \"%.40s\" is not a positive number", fields[VALUE]);
	if (data->count == ROWS_MAX)
		return dvmi_error_at(err, DVM_ELIMIT, name, line, 0, "more than %u measurements",
				     ROWS_MAX);
	ret = add(data, fields, err);
	if (!ret)
		data->rows[data->count - 1].value = value;
	return ret;
}

int dvmi_data_parse(const char *name, char *text, struct dvmi_data *data, struct dvm_error *err)
{
	unsigned line = 1;
	int ret = 0;

	for (char *next; *text && !ret; text = next, line++) {
		size_t len = strcspn(text, "\n");

		next = text + len + (text[len] == '\n');
		text[len] = '\0';
		if (len && text[len - 1] == '\r')
			text[len - 1] = '\0';
		if (line == 1 && strcmp(text, header) != 0)
			ret = dvmi_error_at(err, DVM_EFORMAT, name, 1, 0,
					    "the first line must be \"%s\"", header);
		else if (line > 1 && *text)
			ret = read_line(name, line, text, data, err);
	}
	if (!ret && !data->count)
		ret = dvmi_error(err, DVM_EFORMAT, name, "there are no measurements in it");
	return ret;
}

int dvmi_data_load(const char *path, struct dvmi_data *data, struct dvm_error *err)
{
	char *text;
	size_t size;
	int ret = dvmi_file_load(path, DATA_MAX, &text, &size, err);

	if (ret)
		return ret;
	if (memchr(text, '\0', size))
		ret = dvmi_error(err, DVM_EFORMAT, path, "it holds a NUL byte; this is not a CSV file");
	else
		ret = dvmi_data_parse(path, text, data, err);
	dvmi_free(text);
	return ret;
}

void dvmi_data_fini(struct dvmi_data *data)
{
	for (size_t i = 0; i < data->count; i++) {
		struct dvmi_measurement *m = &data->rows[i];

		dvmi_free(m->id);
		dvmi_free(m->platform);
		dvmi_free(m->workload);
		dvmi_free(m->x);
		dvmi_free(m->unit);
	}
	dvmi_free(data->rows);
	*data = (struct dvmi_data){ 0 };
}
