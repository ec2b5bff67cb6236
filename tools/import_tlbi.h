/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_IMPORT_TLBI_H
#define DVMSIM_TOOLS_IMPORT_TLBI_H

#include <stdbool.h>
#include <stdint.h>

/* What a TLBI instruction asks for (Arm ARM, C5.5 "A64 system instructions for TLB maintenance"). */
enum tlbi_scope {
	TLBI_NOT_MODELLED, /* EL2, stage 2 and the like */
	TLBI_ALL,	   /* VMALLE1* */
	TLBI_ASID,	   /* ASIDE1* */
	TLBI_VA,	   /* VAE1*, VALE1*, RVAE1*, RVALE1*: of one ASID */
	TLBI_VA_ALL_ASIDS, /* VAAE1*, VAALE1*, and their range forms */
};

struct tlbi {
	enum tlbi_scope scope;
	bool local;	/* this PE only */
	bool leaf;	/* last level only */
	bool range;
	bool dummy;	/* register 31 of an operation that takes an operand: an erratum's repeat */
	uint16_t asid;
	uint8_t level;	/* 0 to 3, or 4: no hint */
	uint64_t va;	/* sign-extended from bit 55 (bit 48 of a range's address) */
	uint64_t bytes; /* of the operand's pages: one, or those of the range */
};

/* Decode @word (a SYS instruction with CRn 8 or 9) and its operand, with 4 KiB pages. */
struct tlbi tlbi_decode(uint32_t word, uint64_t operand);

#endif
