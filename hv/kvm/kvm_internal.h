/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-VP state of the KVM module, its features as rows, and what its files show each other. */
#pragma once

#include "core/mem/shared_area.h"
#include "core/msr.h"
#include "core/option.h"
#include "core/partition.h"
#include "core/vp.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"

struct kvm_vp {
	u64 system_time;          /* MSR_KVM_SYSTEM_TIME(_NEW) as written */
	struct shared_area clock; /* struct pvclock_vcpu_time_info */
	u32 clock_version;        /* of that page; even */
	bool stopped;             /* GUEST_STOPPED is to be set */
};

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

extern const struct kvm_feature kvm_clock_feature; /* clock.c */

/* clock.c. kvm_clock_changed() - rewrite every live pvclock page. Any CPU. */
void kvm_clock_changed(struct partition *p);

/* kvm_clock_map_changed() - check the addresses again. Any CPU. */
void kvm_clock_map_changed(struct partition *p);

/* kvm_clock_paused() - GUEST_STOPPED on @vp's page. VP's CPU. */
void kvm_clock_paused(struct vp *vp);
