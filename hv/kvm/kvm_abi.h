/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM paravirtual ABI by its own names. tests/host/hv/test_kvm_layout.c compares this file with
 * the kernel's headers.
 *
 * Spec: Linux Documentation/virt/kvm/x86/{cpuid,msr,hypercalls}.rst.
 */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* CPUID: leaf 0 of the block is the signature "KVMKVMKVM\0\0\0", leaf 1 the features, leaf 10H the
 * frequencies: EAX TSC kHz, EBX APIC timer kHz.
 * hv_register() places the block. */
#define KVM_CPUID_SIGNATURE             0x0u
#define KVM_CPUID_FEATURES              0x1u
#define KVM_CPUID_FREQUENCIES           0x10u
#define KVM_SIGNATURE_EBX               0x4b4d564bu
#define KVM_SIGNATURE_ECX               0x564b4d56u
#define KVM_SIGNATURE_EDX               0x0000004du

/* EAX of the features leaf */
#define KVM_FEATURE_CLOCKSOURCE         BIT32(0)
#define KVM_FEATURE_NOP_IO_DELAY        BIT32(1)
#define KVM_FEATURE_CLOCKSOURCE2        BIT32(3)
#define KVM_FEATURE_STEAL_TIME          BIT32(5)
#define KVM_FEATURE_PV_EOI              BIT32(6)
#define KVM_FEATURE_PV_UNHALT           BIT32(7)
#define KVM_FEATURE_PV_TLB_FLUSH        BIT32(9)
#define KVM_FEATURE_PV_SEND_IPI         BIT32(11)
#define KVM_FEATURE_POLL_CONTROL        BIT32(12)
#define KVM_FEATURE_PV_SCHED_YIELD      BIT32(13)
#define KVM_FEATURE_CLOCKSOURCE_STABLE  BIT32(24)

/* EDX of the features leaf */
#define KVM_HINTS_REALTIME              BIT32(0)

#define MSR_KVM_WALL_CLOCK              0x11u
#define MSR_KVM_SYSTEM_TIME             0x12u
#define MSR_KVM_WALL_CLOCK_NEW          0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW         0x4b564d01u

#define MSR_KVM_STEAL_TIME              0x4b564d03u
#define MSR_KVM_PV_EOI_EN               0x4b564d04u
#define MSR_KVM_POLL_CONTROL            0x4b564d05u

#define KVM_MSR_ENABLED                 BIT64(0)
#define KVM_STEAL_ADDRESS               GENMASK64(63, 6)
#define KVM_STEAL_RESERVED              GENMASK64(5, 1)
#define KVM_PV_EOI_ADDRESS              GENMASK64(63, 2)
#define KVM_PV_EOI_RESERVED             BIT64(1)
#define KVM_POLL_ALLOWED                BIT64(0) /* the host may poll */

/* Hypercalls: number in RAX, arguments in RBX, RCX, RDX, RSI, result in RAX; errors are negative. */
#define KVM_HC_VAPIC_POLL_IRQ           1u
#define KVM_HC_KICK_CPU                 5u
#define KVM_HC_CLOCK_PAIRING            9u
#define KVM_HC_SEND_IPI                 10u
#define KVM_HC_SCHED_YIELD              11u
#define KVM_CLOCK_PAIRING_WALLCLOCK     0u
#define KVM_EPERM                       1
#define KVM_EFAULT                      14
#define KVM_EINVAL                      22
#define KVM_EOPNOTSUPP                  95
#define KVM_ENOSYS                      1000

/* struct kvm_steal_time.preempted */
#define KVM_VCPU_PREEMPTED              BIT32(0)
#define KVM_VCPU_FLUSH_TLB              BIT32(1)

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

struct kvm_steal_time {
	u64 steal;   /* ns */
	u32 version; /* odd: an update is in progress */
	u32 flags;   /* 0 */
	u8 preempted;
	u8 u8_pad[3];
	u32 pad[11];
};
static_assert(sizeof(struct kvm_steal_time) == 64, "steal time ABI");

struct kvm_clock_pairing {
	s64 sec;
	s64 nsec;
	u64 tsc; /* of the caller */
	u32 flags;
	u32 pad[9];
};
static_assert(sizeof(struct kvm_clock_pairing) == 64, "clock pairing ABI");
