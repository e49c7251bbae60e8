/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-VP state of the KVM module and what its files show each other. */
#pragma once

#include "core/msr.h"
#include "core/partition.h"
#include "core/vp.h"
#include "hv/hv.h"

struct kvm_vp {
	u64 system_time;   /* MSR_KVM_SYSTEM_TIME(_NEW) as written */
	u32 clock_version; /* of the pvclock page; even */
	bool clock_live;   /* enabled, and the page passed the checks */
};

/* By VP index. LOCK: partition lock for clock_version and clock_live. */
extern struct kvm_vp kvm_vps[VP_MAX];

static inline struct kvm_vp *kvm_state(const struct vp *vp)
{
	return &kvm_vps[vp->index];
}

/* clock.c */
#define KVM_CLOCK_MSR_COUNT 4u
extern const struct msr_row kvm_clock_msrs[KVM_CLOCK_MSR_COUNT];

/* kvm_clock_features() - CPUID bits that follow from the rows of clock.c. */
u32 kvm_clock_features(void);
void kvm_clock_reset(struct vp *vp);

/* kvm_clock_changed() - rewrite every live pvclock page. Any CPU. */
void kvm_clock_changed(struct partition *p);
