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
	u32 pages;      /* table pages in use */
	u64 *freed;     /* unlinked tables that CPUs may still walk from their caches */
	u64 top;        /* nothing is mapped from here on */
	u64 lazy_from;  /* ept_map_lazy() alone maps from here on */
	u64 recycle_at; /* where ept_make_room() searches next */
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
 * Maps everything below 4 GiB and below the end of RAM. The rest, up to min(MAXPHYADDR, 48) bits,
 * is mapped by ept_map_lazy(), 1 GiB at a time, on the first access. ERR_INVAL: the hypervisor
 * region is not reserved in p->memory. ERR_NOMEM.
 */
MUST_CHECK err_t ept_build_partition(struct partition *p);

/*
 * ept_map_lazy() - on the first access: map the GiB around @gpa, or only its page if that was
 * dropped from a mapped GiB, or is far memory. ERR_RANGE: beyond the machine's addresses; ERR_BUSY:
 * mapped already, or emulated; ERR_AGAIN, ERR_FAULT: from the owner of far memory; ERR_NOMEM: and
 * no GiB was left to unmap. The caller holds no lock.
 */
MUST_CHECK err_t ept_map_lazy(struct partition *p, gpa_t gpa);

/* ept_map_scratch() - rule M1: replace one page by private, writable memory of 0xFF. Does
 * nothing if that has happened. */
MUST_CHECK err_t ept_map_scratch(struct partition *p, gpa_t gpa);

/* ept_drop_page() - unmap the identity-mapped page around @gpa on every CPU; the next access faults
 * and ept_map_lazy() maps it again. Other pages stay. The caller holds no lock. ERR_NOMEM. */
MUST_CHECK err_t ept_drop_page(struct partition *p, gpa_t gpa);

/* ept_is_built() - the GiB around @gpa has tables: a page not mapped in it is a hole. */
bool ept_is_built(const struct ept *e, gpa_t gpa);

/* ept_next_gib() - the first GiB from @at on, of 1 GiB alignment, that is built; e->top or more:
 * none. */
u64 ept_next_gib(const struct ept *e, u64 at);

/* ept_unmap_gib() - unmap the built GiB at @gpa; its tables are freed, it is no longer built. */
void ept_unmap_gib(struct ept *e, gpa_t gpa);

/**
 * ept_make_room() - when the heap is nearly used up, unmap some GiBs that ept_map_lazy() has mapped
 * in whole. The next access maps them again. Call it before a change that may take tables, with no
 * lock held: it ends with ept_flush().
 */
void ept_make_room(struct partition *p);

/* ept_place() - for core/mem/overlay.c: map @own in place of @page. ERR_NOMEM: nothing has
 * changed. The caller must ept_flush(). LOCK: ept.lock. */
MUST_CHECK err_t ept_place(struct partition *p, gpa_t page, hpa_t own, u64 perms);

/* ept_restore() - undo ept_place() at @page. The caller must ept_flush(). */
void ept_restore(struct partition *p, gpa_t page);

/* ept_retype() - recompute the memory types of all identity-mapped pages from @m (rule M2). The
 * caller must ept_flush() once it holds no lock. */
MUST_CHECK err_t ept_retype(struct partition *p, const struct mtrr_state *m);

/**
 * ept_flush() - INVEPT on every CPU; returns when all have done it. Tables unlinked before are then
 * freed. Hold no lock: this kicks CPUs out of the guest and waits for all, and one that spins on
 * the lock would never answer. While waiting it serves the flushes of others.
 */
void ept_flush(struct partition *p);

/*
 * ept_take_freed() - detach the list of tables unlinked so far; only after an INVEPT on every CPU
 * may ept_release_freed() give them back to the heap. For ept_flush().
 */
u64 *ept_take_freed(struct ept *e);
void ept_release_freed(u64 *list);

/* ept_flush_local() - VP_WORK_FLUSH: this CPU's share. */
void ept_flush_local(struct vp *vp);
