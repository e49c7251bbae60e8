/* SPDX-License-Identifier: BSD-2-Clause */
/* Features that cpu=host,... switches, by the names that QEMU gives them. Data only. */
#pragma once

#include "core/lib/bits.h"
#include "core/lib/types.h"

/*
 * Bits of options.cpu_features and config.cpu_features. A feature needs earlier ones only. What
 * each does: docs/profiles.md.
 */
enum cpu_feature {
	CPU_HYPERVISOR, /* CPUID.1:ECX.31 */
	CPU_KVM,        /* the KVM interface as a whole: its leaves, MSRs and VMCALL */
	CPU_KVMCLOCK,
	CPU_KVMCLOCK_STABLE_BIT,
	CPU_KVM_NOPIODELAY,
	CPU_KVM_STEAL_TIME,
	CPU_KVM_PV_EOI,
	CPU_KVM_PV_UNHALT,
	CPU_KVM_PV_TLB_FLUSH,
	CPU_KVM_PV_IPI,
	CPU_KVM_POLL_CONTROL,
	CPU_KVM_PV_SCHED_YIELD,
	CPU_KVM_HINT_DEDICATED,
	CPU_FEATURE_COUNT
};

static_assert(CPU_FEATURE_COUNT <= 64, "sets of them are u64");
