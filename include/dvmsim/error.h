/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_ERROR_H
#define DVMSIM_ERROR_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define DVM_API __attribute__((visibility("default")))
#else
#define DVM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum dvm_errno - what went wrong; functions return 0 or the negative of one of these.
 * @DVM_ENOMEM:   memory ran out
 * @DVM_EINVAL:   the caller passed an argument outside its documented range
 * @DVM_EIO:      the operating system refused a read or a write
 * @DVM_EFORMAT:  an input (model, strategy, trace, litmus test) is malformed
 * @DVM_ENOENT:   a named thing does not exist
 * @DVM_ELIMIT:   an input exceeds a stated limit
 * @DVM_ETRUNC:   a trace ends early; what was read up to there is valid
 * @DVM_EUNSAFE:  the oracle saw a stale translation used
 * @DVM_EBUDGET:  an event, state or time budget is spent
 */
enum dvm_errno {
	DVM_ENOMEM = 1,
	DVM_EINVAL,
	DVM_EIO,
	DVM_EFORMAT,
	DVM_ENOENT,
	DVM_ELIMIT,
	DVM_ETRUNC,
	DVM_EUNSAFE,
	DVM_EBUDGET,
};

/**
 * struct dvm_error - one sentence on what went wrong, where, and how to mend it.
 * @code:   enum dvm_errno, positive; 0 when no error was recorded
 * @line:   line in a text input, from 1; 0 when not applicable
 * @column: column in a text input, from 1; 0 when not applicable
 * @record: record number in a trace, from 0; UINT64_MAX when not applicable
 * @where:  file name, or file name and JSON pointer
 * @text:   the sentence, with the cure where one is known
 *
 * Owned by the caller, who need not initialise it. Every function that takes one accepts NULL, and
 * writes it only when it fails.
 */
struct dvm_error {
	int code;
	unsigned line;
	unsigned column;
	uint64_t record;
	char where[256];
	char text[512];
};

/**
 * dvm_error_format() - "where:line:column: text", the way compilers print it.
 * @err:  a filled error; never NULL
 * @buf:  out, always NUL-terminated when @size is not 0
 * @size: bytes at @buf
 *
 * Return: the length the whole message has, as snprintf() does.
 */
DVM_API int dvm_error_format(const struct dvm_error *err, char *buf, size_t size);

/** dvm_strerror() - a short constant text for a code, positive or negative; never NULL. */
DVM_API const char *dvm_strerror(int code);

/**
 * dvm_suggest() - "did you mean": the word nearest to a mistyped one.
 * @word:  what was given; never NULL
 * @words: the words that would have been right; ends with NULL
 *
 * Return: one of @words, at most about a third of the letters of @word apart, or NULL.
 */
DVM_API const char *dvm_suggest(const char *word, const char *const *words);

/** dvm_free() - free text that a function of this library handed over; NULL is legal. */
DVM_API void dvm_free(void *ptr);

/** dvm_version() - the version of the library that was linked, e.g. "0.1.0". */
DVM_API const char *dvm_version(void);

#ifdef __cplusplus
}
#endif
#endif
