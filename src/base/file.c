/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t max, char **data, size_t *size,
		    struct dvm_error *err)
{
	size_t capacity = 0, len = 0;
	char *buf = NULL;
	ssize_t n;

	for (;;) {
		void *p = buf;

		if (dvmi_grow(&p, &capacity, len + 65536 + 1, 1)) {
			dvmi_free(buf);
			return dvmi_error_nomem(err);
		}
		buf = p;
		n = read(fd, buf + len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > max) {
			dvmi_free(buf);
			return dvmi_error(err, DVM_ELIMIT, path, "larger than the limit of %zu bytes",
					  max);
		}
	}
	if (n < 0) {
		dvmi_free(buf);
		return dvmi_error(err, DVM_EIO, path, "%s", strerror(errno));
	}
	buf[len] = '\0';
	*data = buf;
	*size = len;
	return 0;
}

int dvmi_file_load(const char *path, size_t max, char **data, size_t *size, struct dvm_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return dvmi_error(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, "%s",
				  strerror(errno));
	ret = read_all(fd, path, max, data, size, err);
	close(fd);
	return ret;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return fsync(fd) && errno != EINVAL ? -1 : 0;
}

/* A device or a pipe (/dev/stdout) can not be renamed over: write it in place. */
static int save_special(const char *path, const void *data, size_t size, struct dvm_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || write_all(fd, data, size))
		ret = dvmi_error(err, DVM_EIO, path, "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

int dvmi_file_save(const char *path, const void *data, size_t size, struct dvm_error *err)
{
	size_t len = strlen(path) + sizeof(".XXXXXX");
	struct stat st;
	char *tmp;
	int fd, ret = 0;

	if (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return save_special(path, data, size, err);
	tmp = dvmi_alloc(len);
	if (!tmp)
		return dvmi_error_nomem(err);
	snprintf(tmp, len, "%s.XXXXXX", path);
	fd = mkstemp(tmp);
	if (fd < 0) {
		ret = dvmi_error(err, DVM_EIO, path, "%s", strerror(errno));
		dvmi_free(tmp);
		return ret;
	}
	if (fchmod(fd, 0644) || write_all(fd, data, size) || rename(tmp, path)) {
		ret = dvmi_error(err, DVM_EIO, path, "%s", strerror(errno));
		unlink(tmp);
	}
	close(fd);
	dvmi_free(tmp);
	return ret;
}
