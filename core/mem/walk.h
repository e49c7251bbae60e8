/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest-linear addresses: translation as the CPU does it, and memory operands of instructions that
 * the hypervisor executes. VP's CPU, with its VMCS current.
 *
 * All may return ERR_AGAIN: a paging structure or the operand is in a page that is not there yet
 * (core/mem/ranges.h). Nothing has happened then; see core/vp/page_wait.h.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

#define WALK_READ                0u
#define WALK_WRITE               (1u << 0)
#define WALK_FETCH               (1u << 1)
#define WALK_USER                (1u << 2) /* access at CPL 3 (or implicit user) */
#define WALK_IMPLICIT_SUPERVISOR (1u << 3) /* descriptor tables, TSS: SMAP's AC does not apply */
#define WALK_EXEMPT              (1u << 4) /* user pages are open to supervisor: no SMEP, no SMAP */

/* walk_user() - WALK_USER while the guest runs at CPL 3, else 0. */
u32 walk_user(const struct vp *vp);

struct walk_fault {
	bool page_fault; /* true: #PF with @code at @gva. false: the tables lie outside guest RAM,
			  * or @protected */
	bool protected;  /* #GP(0): overlay_forbids_write() there. Only gva_write(), gva_check() */
	u32 code;
	u64 gva;
};

/**
 * walk_gva() - translate one guest-linear address as the CPU would for @access: paging modes off,
 * 32-bit, PAE, 4- and 5-level; R/W, U/S, NX, SMEP, SMAP, reserved bits. Does not check protection
 * keys nor set accessed and dirty bits (the SPEC-GAP notes in walk.c say why that is harmless).
 * Returns ERR_FAULT with @fault filled; *gpa only on success.
 */
MUST_CHECK err_t walk_gva(struct vp *vp, u64 gva, u32 access, gpa_t *gpa, struct walk_fault *fault);

#define WALK_PATH_SLOTS 5u

/*
 * The paging-structure entries that a translation used. While they, CR3 and CR4.LA57 are unchanged,
 * another walk gives the same page: a cache of walks that needs no flush by the guest.
 *
 * The slots are pointers to plain guest RAM, good while the guest-physical map is the one that the
 * walk saw. Hazard: after an ept_flush() a slot may point to memory in other use. So a path records
 * the VP's flush_done, which must be compared before any slot is read.
 */
struct walk_path {
	u64 cr3;
	u32 map;                          /* vp->flush_done */
	u32 count;                        /* 0: nothing recorded */
	const u64 *slot[WALK_PATH_SLOTS]; /* unused: points to a constant */
	u64 entry[WALK_PATH_SLOTS];
};

/* walk_gva_path() - walk_gva() that records its path; only 4- and 5-level walks through RAM have
 * one. */
MUST_CHECK err_t walk_gva_path(struct vp *vp, u64 gva, u32 access, gpa_t *gpa,
			       struct walk_fault *fault, struct walk_path *path);

/*
 * walk_path_holds() - the entries are unchanged; false if none is recorded. The caller must have
 * compared @cr3 and @map. SPEED(path-unrolled): reads all slots, used or not.
 */
static inline bool walk_path_holds(const struct walk_path *path)
{
#define SLOT_DIFFERS(i) (READ_ONCE(*path->slot[i]) ^ path->entry[i])
	return (SLOT_DIFFERS(0) | SLOT_DIFFERS(1) | SLOT_DIFFERS(2) | SLOT_DIFFERS(3) |
		SLOT_DIFFERS(4)) == 0;
#undef SLOT_DIFFERS
}

/*
 * gva_read()/gva_write() - the memory operand of an emulated instruction: at most PAGE_SIZE bytes,
 * across pages; first failing page reported, nothing written before both pages translate. RAM,
 * firmware memory and emulated pages (core/mem/ranges.h) are really accessed: the hypervisor region
 * (rule M1), the I8 window and device memory read all-ones and swallow writes; counted, or
 * reported. A write to a class of all-ones that does not drop it stops the guest.
 */
MUST_CHECK err_t gva_read(struct vp *vp, u64 gva, u32 access, void *buf, u32 len,
			  struct walk_fault *fault);
MUST_CHECK err_t gva_write(struct vp *vp, u64 gva, u32 access, const void *buf, u32 len,
			   struct walk_fault *fault);

/* gva_check() - would gva_read() (or gva_write(), with WALK_WRITE) succeed now? The access
 * itself may still return ERR_AGAIN: far memory can go again. */
MUST_CHECK err_t gva_check(struct vp *vp, u64 gva, u32 access, u32 len, struct walk_fault *fault);
