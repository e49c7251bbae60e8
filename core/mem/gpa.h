/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: the only way for handlers to touch it. Memory is read once into a private buffer;
 * it is never a C pointer in a handler. GPA = HPA for RAM.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;
struct partition;

/*
 * gpa_is_ram() - the whole range is RAM the guest owns: not device memory, not the hypervisor
 * region. This is the security check for every address a guest registers.
 */
bool gpa_is_ram(const struct partition *p, gpa_t gpa, u64 len);

/* gpa_read()/gpa_write() - ERR_FAULT when not all of it is guest RAM; nothing is copied then. */
MUST_CHECK err_t gpa_read(const struct partition *p, gpa_t gpa, void *buf, u64 len);
MUST_CHECK err_t gpa_write(const struct partition *p, gpa_t gpa, const void *buf, u64 len);

/**
 * gpa_read_any() - what the CPU itself may read besides RAM: instruction fetches and page tables in
 * ACPI memory or the BIOS below 1 MiB; all-ones in the hypervisor region (rule M1). Never for
 * addresses that a guest registers. ERR_FAULT: device memory or nothing.
 */
MUST_CHECK err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len);

/* gpa_write_any() - what the CPU may write: ERR_FAULT also in the hypervisor region. */
MUST_CHECK err_t gpa_write_any(const struct partition *p, gpa_t gpa, const void *buf, u64 len);

/* gpa_fetch16() - the same as gpa_read_any() for 16 bytes, without a call to memcpy: the
 * instruction fetch. *@ram: where they are in guest RAM, to see later whether they changed; NULL:
 * not in RAM. */
MUST_CHECK err_t gpa_fetch16(const struct partition *p, gpa_t gpa, u64 out[2], const u8 **ram);

/* gpa_swap8() - one locked compare-and-exchange of a byte that the CPU may write. ERR_BUSY: it was
 * not @old. */
MUST_CHECK err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val);

/* --- Guest-linear addresses: core/mem/walk.c --- */

#define WALK_READ                0u
#define WALK_WRITE               (1u << 0)
#define WALK_FETCH               (1u << 1)
#define WALK_USER                (1u << 2) /* access at CPL 3 (or implicit user) */
#define WALK_IMPLICIT_SUPERVISOR (1u << 3) /* descriptor tables, TSS: SMAP's AC does not apply */

struct walk_fault {
	bool page_fault; /* true: #PF with @code at @gva. false: the tables lie outside guest RAM */
	u32 code;
	u64 gva;
};

/**
 * walk_gva() - translate one guest-linear address as the CPU would for @access: paging modes off,
 * 32-bit, PAE, 4- and 5-level; R/W, U/S, NX, SMEP, SMAP, PKU, reserved bits. Accessed and dirty
 * bits are not set (SPEC-GAP note in walk.c says why it is harmless). Returns ERR_FAULT with @fault
 * filled; *gpa only on success.
 */
MUST_CHECK err_t walk_gva(struct vp *vp, u64 gva, u32 access, gpa_t *gpa, struct walk_fault *fault);

/*
 * The paging-structure entries that a translation came from. As long as CR3, CR4.LA57 and they are
 * what they were, walking again gives the same page: a cache of a walk that never needs a flush.
 */
struct walk_path {
	u64 cr3;
	const u64 *slot[5];
	u64 entry[5];
	u32 count; /* 0: nothing recorded */
};

/* walk_gva_path() - walk_gva() that records its path; only 4- and 5-level walks through RAM have
 * one. */
MUST_CHECK err_t walk_gva_path(struct vp *vp, u64 gva, u32 access, gpa_t *gpa,
			       struct walk_fault *fault, struct walk_path *path);

/* walk_path_holds() - the entries are unchanged; the caller compares cr3. */
static inline bool walk_path_holds(const struct walk_path *path)
{
	u32 i = 0;

	while (i < path->count && READ_ONCE(*path->slot[i]) == path->entry[i])
		i++;
	return i == path->count && i != 0;
}

/*
 * gva_read()/gva_write() - the memory operand of an emulated instruction: at most PAGE_SIZE bytes,
 * across pages; first failing page reported, nothing written before both pages translate. Only RAM
 * and firmware memory are really accessed: the hypervisor region (rule M1), the I8 window and
 * device memory read all-ones and swallow writes; counted, or reported.
 */
MUST_CHECK err_t gva_read(struct vp *vp, u64 gva, u32 access, void *buf, u32 len,
			  struct walk_fault *fault);
MUST_CHECK err_t gva_write(struct vp *vp, u64 gva, u32 access, const void *buf, u32 len,
			   struct walk_fault *fault);

/* gva_check() - would gva_read() (or gva_write(), with WALK_WRITE) succeed now? */
MUST_CHECK err_t gva_check(struct vp *vp, u64 gva, u32 access, u32 len, struct walk_fault *fault);
