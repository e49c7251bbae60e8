/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition with VPs and RAM, ready for handlers: what boot/start.c makes, in host memory. */
#pragma once

#include "core/partition.h"
#include "core/vp/vp.h"
#include "hv/hv.h"
#include "tests/host/fakes/fake.h"

#define GUEST_RAM_BASE  0x100000ull
#define GUEST_RAM_BYTES 0x10000ull
#define GUEST_VPS       4u
#define GUEST_TSC_HZ    2400000000ull

struct fake_vp_pages {
	u8 apic_page[4096] ALIGNED(4096);
	u8 msr_bitmap[4096];
	u8 abi_state[HV_VP_STATE_BYTES];
};

struct fake_guest {
	struct partition p;
	struct vp vp[GUEST_VPS];
	struct fake_vp_pages pages[GUEST_VPS];
	u8 ram[GUEST_RAM_BYTES] ALIGNED(4096);
};

/**
 * fake_guest_init() - reset the fake machine, then build the guest: @vps VPs in 64-bit mode at CPL
 * 0, with KVM's features. @change (may be NULL) edits machine and config before anything is sealed.
 */
void fake_guest_init(struct fake_guest *g, u32 vps, void (*change)(struct partition *p));

/* To call from @change: add the features of @abi and of no ABI; those of all. */
void fake_guest_features(struct partition *p, const struct hv_abi *abi);
void fake_guest_everything(struct partition *p);

/* fake_vp_init() - make @vp one of @p's VPs, with APIC ID 2 * @index; the caller counts it. */
void fake_vp_init(struct vp *vp, struct fake_vp_pages *pages, struct partition *p, u32 index);

/* fake_host_cpuid() - a believable CPU: every feature bit set, known sizes and maxima. */
void fake_host_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *r);
