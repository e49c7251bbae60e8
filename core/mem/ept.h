/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended page tables: identity map of the machine with holes (rules M1, M1b, I8). Pure. */
#pragma once

#include "arch/x86/defs/ept.h"
#include "core/lib/err.h"
#include "core/lib/lock.h"
#include "core/lib/types.h"

struct partition;
struct vp;
struct mtrr_state;

struct ept {
	u64 *root; /* PML4, hypervisor virtual address */
	u64 eptp;  /* value for the VMCS */
	bool has_1g, has_2m, has_ad;
	u32 pages;  /* table pages in use */
	u64 *freed; /* unlinked tables that CPUs may still have cached the way to */
	u64 top;    /* nothing is mapped from here on */
	struct spinlock
		lock; /* LOCK: table changes after the first entry; taken by this module's users */
};

/* ept_init() - empty tables. Page sizes as the hardware has them. ERR_NOMEM. */
MUST_CHECK err_t ept_init(struct ept *e, bool has_1g, bool has_2m, bool has_ad, u32 mem_type_wb);

/**
 * ept_map() - map [gpa, gpa+len) to [hpa, ...) with @perms (EPT_R|EPT_W|EPT_X) and memory type
 * @type (MT_*), with the largest pages possible; replaces what was there; splits larger pages.
 * All page aligned. ERR_NOMEM leaves a correct map (parts may still have the old mapping).
 * The caller invalidates (hw_invept) on every CPU that runs the partition.
 */
MUST_CHECK err_t ept_map(struct ept *e, gpa_t gpa, hpa_t hpa, u64 len, u64 perms, u8 type);
MUST_CHECK err_t ept_unmap(struct ept *e, gpa_t gpa, u64 len);

struct ept_leaf {
	hpa_t hpa; /* of the byte asked for */
	u64 perms;
	u8 type;
	u64 size; /* 4 KiB, 2 MiB, 1 GiB; 0 = not mapped */
};
struct ept_leaf ept_walk(const struct ept *e, gpa_t gpa);

/**
 * ept_build_partition() - the whole map of design.md section 1 from p->memory and VP 0's MTRRs, in
 * tables that ept_init() made, with the overlays noted. Allocates ones_page when it is not set.
 *
 * Mapped at once: everything below 4 GiB and below the end of RAM. What lies above, out
 * to min(MAXPHYADDR, 48) bits, appears 1 GiB at a time on its first access: ept_map_lazy().
 * ERR_INVAL: the hypervisor region is not reserved in p->memory. ERR_NOMEM.
 */
MUST_CHECK err_t ept_build_partition(struct partition *p);

/* ept_map_lazy() - map the GiB around @gpa that nobody touched yet, or a page that was dropped from
 * it; of far memory the page at @gpa. ERR_RANGE: beyond the machine's addresses; ERR_BUSY: it is
 * mapped already, or emulated; ERR_AGAIN, ERR_FAULT: what the owner of far memory says. */
MUST_CHECK err_t ept_map_lazy(struct partition *p, gpa_t gpa);

/* ept_map_scratch() - rule M1: private, writable memory of 0xFF in place of one page; nothing when
 * it has some. */
MUST_CHECK err_t ept_map_scratch(struct partition *p, gpa_t gpa);

/* ept_drop_page() - unmap the identity-mapped page around @gpa on every CPU; the next access faults
 * and ept_map_lazy() maps it again. Other pages stay. The caller holds no lock. ERR_NOMEM. */
MUST_CHECK err_t ept_drop_page(struct partition *p, gpa_t gpa);

/* ept_is_built() - the GiB around @gpa has tables: what is not mapped in it is a hole. */
bool ept_is_built(const struct ept *e, gpa_t gpa);

/* ept_place() - for core/mem/overlay.c: @own in place of @page. ERR_NOMEM: the guest sees what it
 * saw. The caller calls ept_flush(). LOCK: ept.lock. */
MUST_CHECK err_t ept_place(struct partition *p, gpa_t page, hpa_t own, u64 perms);

/* ept_restore() - what belongs at @page, where an ept_place() was, comes back. As above. */
void ept_restore(struct partition *p, gpa_t page);

/* ept_retype() - recompute memory types from @m over the existing map (rule M2). Pages that are not
 * identity-mapped keep what they have. The caller calls ept_flush() when it holds no lock. */
MUST_CHECK err_t ept_retype(struct partition *p, const struct mtrr_state *m);

/**
 * ept_flush() - every CPU forgets what it cached of the EPT; returns when all have. Tables that
 * were unlinked before are the heap's again then. The caller holds no lock. CPUs in the guest are
 * kicked; the wait does this CPU's own share of others' flushes.
 */
void ept_flush(struct partition *p);

/*
 * ept_take_freed() - the tables that are unlinked so far; after an INVEPT on every CPU they go back
 * to the heap by ept_release_freed(). For ept_flush().
 */
u64 *ept_take_freed(struct ept *e);
void ept_release_freed(u64 *list);

/* ept_flush_local() - VP_WORK_FLUSH: this CPU's share. */
void ept_flush_local(struct vp *vp);
