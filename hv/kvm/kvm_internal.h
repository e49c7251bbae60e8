/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-VP state of the KVM module, its features as rows, and what its files show each other. */
#pragma once

#include "core/mem/shared_area.h"
#include "core/partition.h"
#include "core/surface/msr.h"
#include "core/vp/vp.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"

/* Its size is a power of two: the index of a VP becomes an address by a shift. */
struct kvm_vp {
	u64 system_time;          /* MSR_KVM_SYSTEM_TIME(_NEW) as written */
	struct shared_area clock; /* struct pvclock_vcpu_time_info */
	u32 clock_version;        /* of that page; even */
	bool stopped;             /* GUEST_STOPPED is to be set */

	u64 steal_msr;            /* MSR_KVM_STEAL_TIME as written */
	struct shared_area steal; /* struct kvm_steal_time */
	u64 steal_base_ns;        /* the guest's count begins here */

	u64 pv_eoi_msr; /* MSR_KVM_PV_EOI_EN as written */
} ALIGNED(128);

/* By VP index. LOCK: partition lock for the clock page. */
extern struct kvm_vp kvm_vps[VP_MAX];

static inline struct kvm_vp *kvm_state(const struct vp *vp)
{
	return &kvm_vps[vp->index];
}

/*
 * A feature: CPUID bits and the MSR rows behind them. Hypercalls are in hcall.c, by feature, too.
 * Offered when the configuration has it: advertised and answered go together.
 */
struct kvm_feature {
	enum cpu_feature id;
	u32 bits; /* EAX of the features leaf */
	const struct msr_row *msrs;
	u32 msr_count;
	void (*vp_reset)(struct vp *vp, bool init); /* NULL: nothing to drop */
};

extern const struct kvm_feature kvm_clock_feature;      /* clock.c */
extern const struct kvm_feature kvm_steal_time_feature; /* steal_time.c */
extern const struct kvm_feature kvm_pv_eoi_feature;     /* pv_eoi.c */
extern const struct kvm_feature kvm_poll_feature;       /* poll.c */

/* clock.c. kvm_clock_changed() - rewrite every live pvclock page. Any CPU. */
void kvm_clock_changed(struct partition *p);

/* kvm_clock_map_changed(), kvm_steal_map_changed() - check the addresses again. Any CPU. */
void kvm_clock_map_changed(struct partition *p);
void kvm_steal_map_changed(struct partition *p);

/* kvm_clock_paused() - GUEST_STOPPED on @vp's page. VP's CPU. */
void kvm_clock_paused(struct vp *vp);

/* kvm_steal_update() - show the guest what was stolen from @vp. VP's CPU. */
void kvm_steal_update(struct vp *vp);

/* kvm_hypercall() - 64-bit numbers, arguments and results. */
s64 kvm_hypercall(struct vp *vp, u64 nr, const u64 args[4]);

/* The hypercalls themselves: hcall_*.c. */
s64 kvm_hc_kick_cpu(struct vp *vp, const u64 args[4]);
s64 kvm_hc_clock_pairing(struct vp *vp, const u64 args[4]);
s64 kvm_hc_send_ipi(struct vp *vp, const u64 args[4]);
s64 kvm_hc_sched_yield(struct vp *vp, const u64 args[4]);
