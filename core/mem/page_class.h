/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page classes: the one answer to "what is at this guest-physical address, and who may use it". The
 * EPT, violations, the page walk and the emulator all go by it. Pure.
 */
#pragma once

#include "core/lib/types.h"

struct partition;

enum page_kind {
	PAGE_RAM,      /* the guest's own */
	PAGE_FIRMWARE, /* RAM in use by firmware: ACPI, EFI runtime services, EBDA, BIOS */
	PAGE_FAR,      /* RAM fetched on demand: core/mem/ranges.h */
	PAGE_ROM,      /* flash, and memory that firmware reserves: certainly no registers */
	PAGE_DEVICE,   /* registers, or nothing: we cannot tell */
	PAGE_REGION,   /* the hypervisor's (rule M1) */
	PAGE_WINDOW,   /* local APICs and MSIs (rule I8) */
	PAGE_EMULATED, /* core/mem/ranges.h */
	PAGE_SCRATCH,  /* private memory in place of a page of all-ones (rule M1) */
	PAGE_APIC,     /* overlay: the CPU virtualizes accesses to it, or they exit */
	PAGE_OVERLAY,  /* any other overlay: core/mem/overlay.h */
	PAGE_ABSENT,   /* beyond the addresses of the machine or of EPT */
	PAGE_KINDS
};

/* What EPT maps there. The memory type follows: a page at its own address has that of the virtual
 * MTRRs (rule M2), any other is write-back. */
enum page_backing {
	BACKING_NONE,
	BACKING_SAME, /* HPA = GPA */
	BACKING_LATE, /* the same, page by page, once the owner has fetched it */
	BACKING_ONES, /* partition.ones_page */
	BACKING_OWN,  /* a page of the hypervisor's heap */
};

/* How the hypervisor may access it on behalf of the guest. */
enum page_access {
	ACCESS_NEVER,
	ACCESS_ONES,     /* read all-ones */
	ACCESS_CPU,      /* in place of the CPU: operands, fetches, page tables */
	ACCESS_REGISTER, /* also for what the guest registers: clock pages, hypercall buffers */
};

struct page_class {
	const char *name;
	u64 perms; /* EPT_*; for an overlay, the most it may have */
	enum page_backing backing;
	enum page_access access;
	bool drops_writes; /* of all-ones: rules M1, I8. Else a write stops the guest */
};

/* page_write_stops() - a write that the hypervisor would have to drop is none that may be lost. */
static inline bool page_write_stops(const struct page_class *c)
{
	return c->backing == BACKING_ONES && !c->drops_writes;
}

/* By enum page_kind. The handlers of violations: core/exit/exit_mem.c. */
extern const struct page_class page_class[PAGE_KINDS];

/* page_address_limit() - where PAGE_ABSENT begins. */
u64 page_address_limit(const struct partition *p);

/**
 * page_kind_at() - the class of @at now. *@end: where it ends, to the byte: memory-map entries may
 * meet inside a page. Any CPU; may miss a concurrent change of the map.
 */
enum page_kind page_kind_at(const struct partition *p, u64 at, u64 *end);

/* page_ground_at() - the same without overlays and scratch pages, for whole pages: the first
 * memory-map entry in a page decides. @at, *@end: page aligned. */
enum page_kind page_ground_at(const struct partition *p, u64 at, u64 *end);

/* page_is() - page_kind_at() without the extent. */
bool page_is(const struct partition *p, u64 at, enum page_kind kind);
