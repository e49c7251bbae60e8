/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM paravirtual ABI by its own names. tests/host/test_kvm_layout.c compares this file with
 * the kernel's headers.
 *
 * Spec: Linux Documentation/virt/kvm/x86/{cpuid,msr,hypercalls}.rst.
 */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* CPUID: leaf 0 of the block is the signature "KVMKVMKVM\0\0\0", leaf 1 the features. */
#define KVM_CPUID_BASE                  0x40000000u
#define KVM_CPUID_SIGNATURE             0x0u
#define KVM_CPUID_FEATURES              0x1u
#define KVM_SIGNATURE_EBX               0x4b4d564bu
#define KVM_SIGNATURE_ECX               0x564b4d56u
#define KVM_SIGNATURE_EDX               0x0000004du

/* EAX of the features leaf */
#define KVM_FEATURE_CLOCKSOURCE         BIT32(0)
#define KVM_FEATURE_CLOCKSOURCE2        BIT32(3)
#define KVM_FEATURE_CLOCKSOURCE_STABLE  BIT32(24)

#define MSR_KVM_WALL_CLOCK              0x11u
#define MSR_KVM_SYSTEM_TIME             0x12u
#define MSR_KVM_WALL_CLOCK_NEW          0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW         0x4b564d01u

#define KVM_MSR_ENABLED                 BIT64(0)

/* Hypercalls: number in RAX, result in RAX; errors are negative. */
#define KVM_HC_VAPIC_POLL_IRQ           1u
#define KVM_EPERM                       1
#define KVM_ENOSYS                      1000

/* struct pvclock_vcpu_time_info */
#define PVCLOCK_TSC_STABLE_BIT          BIT32(0)
#define PVCLOCK_GUEST_STOPPED           BIT32(1)

/* clang-format on */

struct pvclock_vcpu_time_info {
	u32 version; /* odd: an update is in progress */
	u32 pad0;
	u64 tsc_timestamp;
	u64 system_time;
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags;
	u8 pad[2];
};
static_assert(sizeof(struct pvclock_vcpu_time_info) == 32, "pvclock ABI");

struct pvclock_wall_clock {
	u32 version;
	u32 sec;
	u32 nsec;
};
static_assert(sizeof(struct pvclock_wall_clock) == 12, "pvclock ABI");
