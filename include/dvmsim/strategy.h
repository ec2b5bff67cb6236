/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_STRATEGY_H
#define DVMSIM_STRATEGY_H

#include <dvmsim/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_strategy - a TLB maintenance strategy, read and checked.
 *
 * It never changes after it was made, so threads may share it. The language is described in
 * docs/strategy-author.md.
 */
struct dvm_strategy;

/**
 * dvm_strategy_load() - read a strategy from a file.
 * @path: file, by convention *.strategy; at most 64 KiB
 * @s:    out, freed with dvm_strategy_free()
 * @err:  out, may be NULL; carries file, line and column
 *
 * Return: 0, -DVM_ENOENT, -DVM_EIO, -DVM_EFORMAT, -DVM_ELIMIT or -DVM_ENOMEM.
 */
DVM_API int dvm_strategy_load(const char *path, struct dvm_strategy **s, struct dvm_error *err);

/**
 * dvm_strategy_parse() - read a strategy from memory.
 * @text: the text, NUL-terminated
 * @name: what errors call it, for example a file name
 * @s:    out, freed with dvm_strategy_free()
 * @err:  out, may be NULL
 *
 * Return: 0, -DVM_EFORMAT, -DVM_ELIMIT or -DVM_ENOMEM.
 */
DVM_API int dvm_strategy_parse(const char *text, const char *name, struct dvm_strategy **s,
			       struct dvm_error *err);

/**
 * dvm_strategy_set() - the same strategy with other values of its parameters ('param NAME = NUMBER').
 * @s:        the strategy; stays as it is
 * @settings: "NAME=NUMBER[,NAME=NUMBER]...", numbers decimal or hexadecimal
 * @set:      out, freed with dvm_strategy_free(); its text has the new numbers, its name says them
 * @err:      out, may be NULL
 *
 * Return: 0, -DVM_EINVAL (no such parameter, no number), -DVM_EFORMAT (the strategy can not be read
 * with these values) or -DVM_ENOMEM.
 */
DVM_API int dvm_strategy_set(const struct dvm_strategy *s, const char *settings,
			     struct dvm_strategy **set, struct dvm_error *err);

/**
 * dvm_strategy_find() - read a strategy by name or path, with or without parameters.
 * @name: "cpumask-ipi", "a/path.strategy", "cpumask-ipi:T=8"; what has a slash or the suffix .strategy
 *        is a path
 * @dir:  where strategies are that are given by name
 * @s:    out, freed with dvm_strategy_free()
 * @err:  out, may be NULL
 *
 * Return: as dvm_strategy_load() and dvm_strategy_set().
 */
DVM_API int dvm_strategy_find(const char *name, const char *dir, struct dvm_strategy **s,
			      struct dvm_error *err);

/** dvm_strategy_free() - release a strategy; NULL is legal. */
DVM_API void dvm_strategy_free(struct dvm_strategy *s);

/** dvm_strategy_name() - its name; borrowed, never NULL, at most 31 characters. */
DVM_API const char *dvm_strategy_name(const struct dvm_strategy *s);

/** dvm_strategy_summary() - one sentence; borrowed, never NULL, may be empty. */
DVM_API const char *dvm_strategy_summary(const struct dvm_strategy *s);

/** dvm_strategy_source() - where it was proposed, one reference a line; borrowed, never NULL. */
DVM_API const char *dvm_strategy_source(const struct dvm_strategy *s);

/** dvm_strategy_text() - the exact text it was read from; borrowed. */
DVM_API const char *dvm_strategy_text(const struct dvm_strategy *s);

/** dvm_strategy_hash() - FNV-1a, 64 bits, of dvm_strategy_text(); names it in results. */
DVM_API uint64_t dvm_strategy_hash(const struct dvm_strategy *s);

/**
 * dvm_strategy_print() - canonical text: one form of spaces, labels and numbers, no comments.
 * @s:    the strategy
 * @text: out, NUL-terminated, freed with dvm_free()
 * @err:  out, may be NULL
 *
 * Reading the canonical text gives the same instructions, and printing those the same text.
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_strategy_print(const struct dvm_strategy *s, char **text, struct dvm_error *err);

/**
 * struct dvm_strategy_word - a word or mask the strategy keeps.
 * @name: as it is written, for example "mm.active_cpu"
 * @init: initial value; of a mask 0 (no CPU) or 1 (all CPUs)
 * @mask: one bit per CPU instead of 64 bits
 */
struct dvm_strategy_word {
	char name[64];
	uint64_t init;
	bool mask;
};

/** dvm_strategy_words() - how many words it keeps; the kernel's own are not counted. */
DVM_API size_t dvm_strategy_words(const struct dvm_strategy *s);

/**
 * dvm_strategy_get_word() - one word.
 * @s:    the strategy
 * @i:    0 .. dvm_strategy_words() - 1
 * @word: out
 *
 * Return: 0 or -DVM_EINVAL.
 */
DVM_API int dvm_strategy_get_word(const struct dvm_strategy *s, size_t i,
				  struct dvm_strategy_word *word);

/**
 * struct dvm_strategy_line - one instruction.
 * @hook: hook it belongs to; "flush batch-add" when two share it
 * @label: a label before it, or ""
 * @text: the instruction in canonical form
 * @line: line of the source it was read from, from 1
 * @target: index of the instruction a branch goes to, else -1
 * @pure: it computes or branches only; neither memory nor order nor TLBs are involved
 */
struct dvm_strategy_line {
	char hook[64];
	char label[32];
	char text[192];
	unsigned line;
	int target;
	bool pure;
};

/** dvm_strategy_lines() - how many instructions it has; reports of time per step use the index. */
DVM_API size_t dvm_strategy_lines(const struct dvm_strategy *s);

/**
 * dvm_strategy_get_line() - one instruction.
 * @s:    the strategy
 * @i:    0 .. dvm_strategy_lines() - 1
 * @line: out
 *
 * Return: 0, -DVM_EINVAL or -DVM_ENOMEM.
 */
DVM_API int dvm_strategy_get_line(const struct dvm_strategy *s, size_t i,
				  struct dvm_strategy_line *line);

/**
 * struct dvm_strategy_builder - a strategy being written from C.
 *
 * Each call adds one line of the language; an error is remembered and reported by
 * dvm_strategy_builder_finish(), so calls need no check in between.
 */
struct dvm_strategy_builder;

/**
 * dvm_strategy_builder_new() - begin a strategy.
 * @name: its name: letters, digits, _ and -
 *
 * Return: a builder, ended by dvm_strategy_builder_finish(), or NULL when memory ran out.
 */
DVM_API struct dvm_strategy_builder *dvm_strategy_builder_new(const char *name);

/** dvm_strategy_builder_summary() - add the sentence that describes it. */
DVM_API void dvm_strategy_builder_summary(struct dvm_strategy_builder *b, const char *summary);

/** dvm_strategy_builder_source() - add a reference to where it was proposed. */
DVM_API void dvm_strategy_builder_source(struct dvm_strategy_builder *b, const char *source);

/** dvm_strategy_builder_const() - name a number. */
DVM_API void dvm_strategy_builder_const(struct dvm_strategy_builder *b, const char *name,
					uint64_t value);

/** dvm_strategy_builder_word() - declare a word such as "mm.active_cpu" with its first value. */
DVM_API void dvm_strategy_builder_word(struct dvm_strategy_builder *b, const char *name,
				       uint64_t init);

/** dvm_strategy_builder_mask() - declare a mask, at first empty or with all CPUs. */
DVM_API void dvm_strategy_builder_mask(struct dvm_strategy_builder *b, const char *name, bool all);

/** dvm_strategy_builder_hook() - begin a hook such as "flush". */
DVM_API void dvm_strategy_builder_hook(struct dvm_strategy_builder *b, const char *hook);

/** dvm_strategy_builder_label() - name the next instruction. */
DVM_API void dvm_strategy_builder_label(struct dvm_strategy_builder *b, const char *label);

/** dvm_strategy_builder_emit() - add an instruction, as printf() forms it. */
DVM_API void dvm_strategy_builder_emit(struct dvm_strategy_builder *b, const char *fmt, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 2, 3)))
#endif
	;

/**
 * dvm_strategy_builder_finish() - check the strategy and end the builder.
 * @b:   the builder; NULL (memory ran out at the start) gives -DVM_ENOMEM. Always freed.
 * @s:   out, freed with dvm_strategy_free(); NULL to drop everything
 * @err: out, may be NULL; line and column are those of the text built, dvm_strategy_text()
 *
 * Return: as dvm_strategy_parse().
 */
DVM_API int dvm_strategy_builder_finish(struct dvm_strategy_builder *b, struct dvm_strategy **s,
					struct dvm_error *err);

/**
 * enum dvm_order - order of a memory access.
 * @DVM_ORDER_FULL: as the kernel's value-returning atomics, a full barrier before and after
 */
enum dvm_order {
	DVM_ORDER_RELAXED,
	DVM_ORDER_ACQUIRE,
	DVM_ORDER_RELEASE,
	DVM_ORDER_FULL,
};

/**
 * struct dvm_strategy_ref - which word an instruction accesses.
 * @place: "mm" (the mm the hook is about), "prev", "next", "cpu", "task" or "" (one in the system)
 * @name:  the word's name; "mm_users" of an mm is the kernel's
 * @cpu:   of place "cpu": whose
 * @order: of the access
 */
struct dvm_strategy_ref {
	const char *place;
	const char *name;
	unsigned cpu;
	enum dvm_order order;
};

/** enum dvm_barrier_kind - @DVM_BARRIER_SYNC is the kernel's sync(mm), with its errata steps. */
enum dvm_barrier_kind { DVM_BARRIER_DSB, DVM_BARRIER_DMB, DVM_BARRIER_ISB, DVM_BARRIER_SYNC };

/**
 * struct dvm_strategy_tlbi - a TLBI step.
 * @broadcast: inner shareable form, else local
 * @what:      "request" (what the flush asked for: pages, ranges or the ASID), "asid" or "all"
 * @asid:      the ASID sampled by the last asid step; unused by "all"
 * @has_domain: restricted to @domain (FEAT_TLBID)
 * @domain:    TLBI domain
 * @no_twin, @leaf, @bad_ttl: deliberately wrong forms, used by self-test programs
 */
struct dvm_strategy_tlbi {
	bool broadcast;
	const char *what;
	uint64_t asid;
	bool has_domain;
	uint64_t domain;
	bool no_twin, leaf, bad_ttl;
};

/** enum dvm_protection - what protect() switches. */
enum dvm_protection { DVM_PROTECT_MIGRATION, DVM_PROTECT_PREEMPTION, DVM_PROTECT_IRQ };

/** DVM_STRATEGY_RESTART - a callback's answer: the task was switched out before this step. */
#define DVM_STRATEGY_RESTART 1

/**
 * struct dvm_strategy_env - the world a hook runs in, as callbacks.
 * @size:   sizeof(struct dvm_strategy_env); 0 or a smaller struct of an older header is refused
 * @arg:    passed to every callback
 * @cpus:   possible CPUs, 1 .. 4096
 * @cpu:    CPU that executes the next step, below @cpus; NULL means CPU 0 for ever
 * @field:  value of "req.nosync" and the like, asked once when the hook begins; NULL means all 0
 * @load, @store, @cas, @xchg, @fadd: scalar words; *old is the value before
 * @bit:    atomically read (*old) and, if @set >= 0, write bit @bit of a mask
 * @mask_load, @mask_store: whole masks, CPU c at bit c % 64 of word c / 64
 * @barrier: @option is "ishst" and the like, "" for ISB
 * @asid:   mm->context.id of "mm", "prev" or "next"
 * @tlbi:   a local or broadcast TLBI step
 * @ipi:    run hook ipi on these CPUs and wait; the executing CPU is not in the mask
 * @notify: the secondary-TLB notifier
 * @park:   TTBR0 := reserved table
 * @protect: enter or leave
 * @section: a restartable section begins or ends
 * @domain_of: TLBI domain of each of @cpus CPUs, below the value of field "env.domains"; may be NULL
 *
 * Callbacks return 0 to go on, a negative code to stop the run with it, or DVM_STRATEGY_RESTART to
 * say that the task was switched out before this step took place: inside a section the program
 * goes back to its restart label, elsewhere the step is done again. @notify, @park, @protect and
 * @section may be NULL (nothing happens); another NULL callback stops a program that needs it with
 * -DVM_EINVAL.
 */
struct dvm_strategy_env {
	size_t size;
	void *arg;
	unsigned cpus;
	unsigned (*cpu)(void *arg);
	uint64_t (*field)(void *arg, const char *name);
	int (*load)(void *arg, const struct dvm_strategy_ref *ref, uint64_t *value);
	int (*store)(void *arg, const struct dvm_strategy_ref *ref, uint64_t value);
	int (*cas)(void *arg, const struct dvm_strategy_ref *ref, uint64_t expected,
		   uint64_t desired, uint64_t *old);
	int (*xchg)(void *arg, const struct dvm_strategy_ref *ref, uint64_t value, uint64_t *old);
	int (*fadd)(void *arg, const struct dvm_strategy_ref *ref, uint64_t value, uint64_t *old);
	int (*bit)(void *arg, const struct dvm_strategy_ref *ref, unsigned bit, int set, bool *old);
	int (*mask_load)(void *arg, const struct dvm_strategy_ref *ref, uint64_t *mask,
			 size_t words);
	int (*mask_store)(void *arg, const struct dvm_strategy_ref *ref, const uint64_t *mask,
			  size_t words);
	int (*barrier)(void *arg, enum dvm_barrier_kind kind, const char *option);
	int (*asid)(void *arg, const char *place, uint64_t *asid);
	int (*tlbi)(void *arg, const struct dvm_strategy_tlbi *tlbi);
	int (*ipi)(void *arg, const uint64_t *mask, size_t words, uint64_t value, uint64_t asid);
	int (*notify)(void *arg);
	int (*park)(void *arg);
	int (*protect)(void *arg, enum dvm_protection what, bool enter);
	int (*section)(void *arg, bool begin, bool on_migrate);
	const uint16_t *domain_of;
};

/**
 * dvm_strategy_run() - run one hook in the caller's world.
 * @s:         the strategy
 * @hook:      "flush", "switch-in", ...; one it does not have returns at once, except that
 *             batch-add falls back to flush
 * @env:       callbacks
 * @asid:      the sender's ASID sample for hook "ipi", else ignored
 * @max_steps: instructions with an effect after which the run stops
 * @err:       out, may be NULL; names the line
 *
 * Return: 0 when the hook returned, -DVM_EBUDGET after @max_steps, -DVM_EINVAL for an argument out
 * of range or a missing callback, -DVM_ENOENT for an unknown hook, -DVM_EFORMAT when the program
 * computed the number of a CPU that does not exist, -DVM_ENOMEM, or what a callback returned.
 */
DVM_API int dvm_strategy_run(const struct dvm_strategy *s, const char *hook,
			     const struct dvm_strategy_env *env, uint64_t asid, uint64_t max_steps,
			     struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
