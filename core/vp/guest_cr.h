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
