/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's control registers as it sees them. Pure. */
#pragma once

#include "arch/x86/defs/cr.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

/* CR0 bits the hypervisor owns: caching (rule M2) and NE, which VMX keeps 1. */
#define GUEST_CR0_OWNED (CR0_CD | CR0_NW | CR0_NE)

/* CR0 bits that exist. Writes to other bits of the low half are ignored. */
#define GUEST_CR0_VISIBLE                                                                          \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)

u64 guest_cr0(const struct vp *vp);

/* guest_cr4_allowed() - CR4 bits that the guest may set, derived from the CPUID it sees. */
u64 guest_cr4_allowed(const struct vp *vp);

/* guest_read_pdptes() - the four PDPTEs that PAE paging with @cr3 keeps in registers. ERR_INVAL:
 * one that is present has reserved bits set; ERR_FAULT: not in memory. */
MUST_CHECK err_t guest_read_pdptes(const struct vp *vp, u64 cr3, u64 pdpte[4]);
void guest_set_pdptes(const u64 pdpte[4]);

/*
 * What MOV to the register does, and XSETBV, at CPL 0: the same checks, with paging, modes, TLBs
 * and PDPTEs kept in step. ERR_INVAL: #GP; nothing has changed. ERR_FAULT (CR0, CR3, CR4): the
 * PDPTEs are not in memory: #GP; ERR_AGAIN: not yet. What only the CPU checks when it enters, such
 * as CS and SS for the new mode, is left to it: see core/exit/entry_check.h. Context: VP's CPU.
 */
MUST_CHECK err_t guest_set_cr0(struct vp *vp, u64 val);
MUST_CHECK err_t guest_set_cr3(struct vp *vp, u64 val);
MUST_CHECK err_t guest_set_cr4(struct vp *vp, u64 val);
MUST_CHECK err_t guest_set_xcr0(struct vp *vp, u64 val);

/* guest_cr4() - as the guest reads it. */
u64 guest_cr4(const struct vp *vp);

/* guest_dr(), guest_set_dr() - 0 to 3, 6, 7. ERR_INVAL: DR6 and DR7 have 32 bits. */
u64 guest_dr(u32 nr);
MUST_CHECK err_t guest_set_dr(u32 nr, u64 val);
