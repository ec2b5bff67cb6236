/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct list {
	char **names;
	size_t count, capacity;
};

static void list_fini(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		dvmi_free(list->names[i]);
	dvmi_free(list->names);
}

static bool is_json(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".json") && name[0] != '.';
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_add(struct list *list, const char *file)
{
	void *p = list->names;
	char *name;

	if (dvmi_grow(&p, &list->capacity, list->count + 1, sizeof(char *)))
		return -DVM_ENOMEM;
	list->names = p;
	name = dvmi_strdup(file);
	if (!name)
		return -DVM_ENOMEM;
	name[strlen(name) - 5] = '\0';
	list->names[list->count++] = name;
	return 0;
}

/* On failure too, the caller ends it with list_fini(). */
static int list_dir(enum dvm_model_kind kind, const char *dir, struct list *list,
		    struct dvm_error *err)
{
	char path[4096];
	struct dirent *entry;
	DIR *d;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, kind == DVM_MODEL_HW ? "hw" : "kernel");
	d = opendir(path);
	if (!d)
		return dvmi_error(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, "%s",
				  strerror(errno));
	while (!ret && (entry = readdir(d))) {
		if (is_json(entry->d_name) && list_add(list, entry->d_name))
			ret = dvmi_error_nomem(err);
	}
	closedir(d);
	/* The order of a folder is the file system's own. */
	if (list->count)
		qsort(list->names, list->count, sizeof(char *), name_order);
	return ret;
}

int dvm_model_names(enum dvm_model_kind kind, const char *dir, char **names,
		    struct dvm_error *err)
{
	struct list list = { 0 };
	struct dvmi_buf buf = { 0 };
	int ret;

	if (kind != DVM_MODEL_HW && kind != DVM_MODEL_KERNEL)
		return dvmi_error(err, DVM_EINVAL, "", "no such kind of model");
	ret = list_dir(kind, dir, &list, err);
	for (size_t i = 0; i < list.count && !ret; i++)
		dvmi_buf_printf(&buf, "%s\n", list.names[i]);
	list_fini(&list);
	if (ret)
		return ret;
	return dvmi_buf_take(&buf, names) ? dvmi_error_nomem(err) : 0;
}

static const char *list_item(const void *arg, size_t i)
{
	const struct list *list = arg;

	return i < list->count ? list->names[i] : NULL;
}

/* An unreadable folder gives no suggestion, not another error. */
static int unknown(enum dvm_model_kind kind, const char *name, const char *dir,
		   struct dvm_error *err)
{
	struct list list = { 0 };
	char mean[256] = "";

	for (int k = DVM_MODEL_HW; k <= DVM_MODEL_KERNEL; k++) {
		if (kind == DVM_MODEL_ANY || kind == (enum dvm_model_kind)k)
			list_dir((enum dvm_model_kind)k, dir, &list, NULL);
	}
	if (list.count)
		dvmi_json_mean(name, list_item, &list, mean, sizeof(mean));
	list_fini(&list);
	return dvmi_error(err, DVM_ENOENT, name, "no such %s in %s%s",
			  kind == DVM_MODEL_HW	   ? "hardware model" :
			  kind == DVM_MODEL_KERNEL ? "kernel configuration" : "model",
			  dir, mean);
}

int dvm_model_find(enum dvm_model_kind kind, const char *name, const char *dir,
		   struct dvm_model **model, struct dvm_error *err)
{
	char path[4096];

	if (strchr(name, '/') || is_json(name))
		return dvm_model_load(kind, name, model, err);
	for (int k = DVM_MODEL_HW; k <= DVM_MODEL_KERNEL; k++) {
		if (kind != DVM_MODEL_ANY && kind != (enum dvm_model_kind)k)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s/%s.json", dir,
			     k == DVM_MODEL_HW ? "hw" : "kernel", name) >= (int)sizeof(path))
			return dvmi_error(err, DVM_EINVAL, name, "the name is too long");
		if (!access(path, F_OK))
			return dvm_model_load((enum dvm_model_kind)k, path, model, err);
	}
	return unknown(kind, name, dir, err);
}

/* What a reader accepts and a shipped file should not have. */
static void lint_more(const struct dvm_model *m, struct dvmi_findings *findings)
{
	const char *slash = strrchr(m->file, '/'), *base = slash ? slash + 1 : m->file;
	size_t len = strlen(m->name);
	struct dvm_error err;
	char where[256];

	if (strncmp(base, m->name, len) != 0 || strcmp(base + len, ".json") != 0) {
		snprintf(where, sizeof(where), "%.150s: /name", m->file);
		dvmi_error(&err, DVM_EFORMAT, where, "the name is \"%s\", the file is \"%s\"",
			   m->name, base);
		findings->count++;
		findings->report(findings->arg, &err);
	}
	for (size_t i = 0; i < m->count; i++) {
		if (m->leaves[i].source != DVMI_SOURCE_SET)
			continue;
		snprintf(where, sizeof(where), "%.150s: %s", m->leaves[i].file, m->defs[i].path);
		dvmi_error(&err, DVM_EFORMAT, where, "was set by a study: it has no source");
		findings->count++;
		findings->report(findings->arg, &err);
	}
}

int dvm_model_lint(enum dvm_model_kind kind, const char *path,
		   void (*report)(void *arg, const struct dvm_error *finding), void *arg,
		   struct dvm_error *err)
{
	struct dvmi_findings findings = { report, arg, 0 };
	struct dvm_model *model = NULL;
	struct dvm_error own, *e = err ? err : &own;
	int ret = dvmi_model_read(kind, path, NULL, 0, &findings, &model, e);

	/* What stopped the reader is a finding as well, unless the file is out of reach. */
	if (ret == -DVM_EFORMAT || ret == -DVM_ELIMIT) {
		findings.count++;
		report(arg, e);
		ret = 0;
	}
	if (ret)
		return ret;
	if (model)
		lint_more(model, &findings);
	dvm_model_free(model);
	return findings.count;
}
