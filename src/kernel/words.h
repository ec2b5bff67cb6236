/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_WORDS_H
#define DVMI_KERNEL_WORDS_H

#include "hw/line.h"
#include "program/program.h"

/*
 * The words a strategy keeps: one block per mm, CPU and task and one global block per kernel, each on a cache
 * line of its own, as mm_context_t, per-CPU variables and task_struct are. The words of one block
 * share that line (and so does mm.context.id, which every mm switch reads).
 */
struct dvmi_words {
	const struct dvmi_program *program;
	unsigned cpus, mask_words;
	unsigned domains;		      /* TLBI domains: bits of masks of domains */
	uint32_t counts[DVMI_BASE_TASK + 1];  /* blocks, by enum dvmi_base */
	unsigned sizes[DVMI_BASE_TASK + 1];   /* 64-bit cells per block */
	unsigned offsets[DVMI_WORDS_MAX];     /* of each word in its block */
	uint64_t *cells[DVMI_BASE_TASK + 1];
	struct dvmi_line *lines[DVMI_BASE_TASK + 1];
	const struct dvmi_topology *topology;
};

/* How many kernels keep words, of how many CPUs each; the mms and tasks of all. */
struct dvmi_words_size {
	uint32_t kernels, cpus, mms, tasks;
	uint32_t domains; /* TLBI domains that each kernel may name */
};

/*
 * @program is borrowed. Returns 0 or -DVM_ENOMEM. The CPU blocks of kernel k are those from
 * k * cpus on; CPUs in masks are each kernel's own.
 */
int dvmi_words_init(struct dvmi_words *w, const struct dvmi_program *program,
		    const struct dvmi_topology *topology, const struct dvmi_words_size *size);
void dvmi_words_fini(struct dvmi_words *w);

/* Bits of mask @word: one per CPU or per TLBI domain; and the 64-bit cells they are in. */
static inline unsigned dvmi_words_bits(const struct dvmi_words *w, unsigned word)
{
	return w->program->words[word].domains ? w->domains : w->cpus;
}

static inline unsigned dvmi_words_cells(const struct dvmi_words *w, unsigned word)
{
	return (dvmi_words_bits(w, word) + 63) / 64;
}

/* Initial values of block @index (a new mm, a new task); its line belongs to @cpu. */
void dvmi_words_reset(struct dvmi_words *w, enum dvmi_base base, uint32_t index, unsigned cpu);

/* The first cell of word @word in block @index. */
uint64_t *dvmi_words_cell(struct dvmi_words *w, unsigned word, uint32_t index);
struct dvmi_line *dvmi_words_line(struct dvmi_words *w, enum dvmi_base base, uint32_t index);

/* The kernel's own word mm.mm_users, when the program reads it: add @delta. */
void dvmi_words_mm_users(struct dvmi_words *w, uint32_t mm, int delta);

#endif
