/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_PTABLE_H
#define DVMI_HW_PTABLE_H

#include "hw/granule.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What the page tables of one half (TTBR0 of an mm, or TTBR1) say, as far as a TLB cares: ranges
 * with a wanted leaf size and two permissions. Everything not set is a writable base page.
 *
 * The version numbers PTE changes. The caller draws them from one counter for the whole run, so
 * that they stay comparable when an ASID is reused. An entry keeps the version its table had when
 * the entry was filled; it is stale for a change of version v if that is smaller than v.
 */
struct dvmi_xlate {
	uint8_t size_bits; /* log2 of the bytes; 0: not mapped (a fault is never cached) */
	uint8_t writable;
	uint8_t global; /* nG = 0 */
};

struct dvmi_ptable;

/* @upper: the default is global, as for the kernel half. */
int dvmi_ptable_new(struct dvmi_ptable **out, const struct dvmi_granule *g, int upper,
		    struct dvm_error *err);
void dvmi_ptable_free(struct dvmi_ptable *pt);

/*
 * Let [@va, @va + @pages granules) be mapped as @x, replacing what was set there. A leaf is as
 * large as @x says only where its naturally aligned unit lies inside the range; elsewhere the next
 * smaller size is taken. Does not change the version.
 * Return: 0, -DVM_EINVAL (unaligned, size not of this granule), -DVM_ENOMEM.
 */
int dvmi_ptable_set(struct dvmi_ptable *pt, uint64_t va, uint64_t pages, struct dvmi_xlate x,
		    struct dvm_error *err);

/* Note a PTE change; @version must not go down (a smaller one is ignored). */
void dvmi_ptable_change(struct dvmi_ptable *pt, uint32_t version);
uint32_t dvmi_ptable_version(const struct dvmi_ptable *pt);

/* The leaf for @va (bits 47:0 count); its size_bits is a size of the granule, or 0. */
struct dvmi_xlate dvmi_ptable_lookup(const struct dvmi_ptable *pt, uint64_t va);

#endif
