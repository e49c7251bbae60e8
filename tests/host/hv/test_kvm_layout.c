/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/kvm/kvm_abi.h against the kernel's kvm_para.h (linux-libc-dev). Both define the same
 * names: ours are saved as constants first. pvclock-abi.h is not exported to user space: its layout
 * is compared with the numbers of the specification.
 */
#include "tests/host/harness.h"

#include <errno.h>

#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"

/* clang-format off */
#define SHARED(X)                                                                                  \
	X(KVM_CPUID_SIGNATURE_LEAF, HV_CPUID_BASE + KVM_CPUID_SIGNATURE)                           \
	X(KVM_CPUID_FEATURES_LEAF,  HV_CPUID_BASE + KVM_CPUID_FEATURES)                            \
	X(CLOCKSOURCE,              KVM_FEATURE_CLOCKSOURCE)                                       \
	X(CLOCKSOURCE2,             KVM_FEATURE_CLOCKSOURCE2)                                      \
	X(CLOCKSOURCE_STABLE,       KVM_FEATURE_CLOCKSOURCE_STABLE)                                \
	X(WALL_CLOCK,               MSR_KVM_WALL_CLOCK)                                            \
	X(SYSTEM_TIME,              MSR_KVM_SYSTEM_TIME)                                           \
	X(WALL_CLOCK_NEW,           MSR_KVM_WALL_CLOCK_NEW)                                        \
	X(SYSTEM_TIME_NEW,          MSR_KVM_SYSTEM_TIME_NEW)                                       \
	X(VAPIC_POLL_IRQ,           KVM_HC_VAPIC_POLL_IRQ)                                         \
	X(NOP_IO_DELAY,               KVM_FEATURE_NOP_IO_DELAY)                                        \
	X(STEAL_TIME,                 KVM_FEATURE_STEAL_TIME)                                          \
	X(PV_EOI,                     KVM_FEATURE_PV_EOI)                                              \
	X(PV_UNHALT,                  KVM_FEATURE_PV_UNHALT)                                           \
	X(PV_TLB_FLUSH,               KVM_FEATURE_PV_TLB_FLUSH)                                        \
	X(PV_SEND_IPI,                KVM_FEATURE_PV_SEND_IPI)                                         \
	X(POLL_CONTROL,               KVM_FEATURE_POLL_CONTROL)                                        \
	X(PV_SCHED_YIELD,             KVM_FEATURE_PV_SCHED_YIELD)                                      \
	X(REALTIME,                   KVM_HINTS_REALTIME)                                              \
	X(MSR_STEAL,                  MSR_KVM_STEAL_TIME)                                              \
	X(MSR_EOI,                    MSR_KVM_PV_EOI_EN)                                               \
	X(MSR_POLL,                   MSR_KVM_POLL_CONTROL)                                            \
	X(KICK_CPU,                   KVM_HC_KICK_CPU)                                                 \
	X(CLOCK_PAIRING,              KVM_HC_CLOCK_PAIRING)                                            \
	X(SEND_IPI,                   KVM_HC_SEND_IPI)                                                 \
	X(SCHED_YIELD,                KVM_HC_SCHED_YIELD)                                              \
	X(PAIRING_WALL,               KVM_CLOCK_PAIRING_WALLCLOCK)                                     \
	X(ERR_FAULT_,                 KVM_EFAULT)                                                      \
	X(ERR_INVAL_,                 KVM_EINVAL)                                                      \
	X(ERR_OPNOTSUPP,              KVM_EOPNOTSUPP)                                                  \
	X(PREEMPTED,                  KVM_VCPU_PREEMPTED)                                              \
	X(FLUSH_TLB,                  KVM_VCPU_FLUSH_TLB)                                              \
	X(ERR_PERM,                 KVM_EPERM)                                                     \
	X(ERR_NOSYS,                KVM_ENOSYS)
/* clang-format on */

#define X(name, value) static const u64 our_##name = (value);
SHARED(X)
#undef X

#undef KVM_CPUID_SIGNATURE
#undef KVM_CPUID_FEATURES
#undef KVM_FEATURE_CLOCKSOURCE
#undef KVM_FEATURE_CLOCKSOURCE2
#undef MSR_KVM_WALL_CLOCK
#undef MSR_KVM_SYSTEM_TIME
#undef MSR_KVM_WALL_CLOCK_NEW
#undef MSR_KVM_SYSTEM_TIME_NEW
#undef KVM_HC_VAPIC_POLL_IRQ
#undef KVM_FEATURE_NOP_IO_DELAY
#undef KVM_FEATURE_STEAL_TIME
#undef KVM_FEATURE_PV_EOI
#undef KVM_FEATURE_PV_UNHALT
#undef KVM_FEATURE_PV_TLB_FLUSH
#undef KVM_FEATURE_PV_SEND_IPI
#undef KVM_FEATURE_POLL_CONTROL
#undef KVM_FEATURE_PV_SCHED_YIELD
#undef KVM_HINTS_REALTIME
#undef MSR_KVM_STEAL_TIME
#undef MSR_KVM_PV_EOI_EN
#undef MSR_KVM_POLL_CONTROL
#undef KVM_HC_KICK_CPU
#undef KVM_HC_CLOCK_PAIRING
#undef KVM_HC_SEND_IPI
#undef KVM_HC_SCHED_YIELD
#undef KVM_CLOCK_PAIRING_WALLCLOCK
#undef KVM_EFAULT
#undef KVM_EINVAL
#undef KVM_EOPNOTSUPP
#undef KVM_VCPU_PREEMPTED
#undef KVM_VCPU_FLUSH_TLB
#undef KVM_EPERM
#undef KVM_ENOSYS

/* Structures, too: the kernel's get other names. */
#define kvm_steal_time    linux_steal_time
#define kvm_clock_pairing linux_clock_pairing
#include <linux/kvm_para.h>
#undef kvm_steal_time
#undef kvm_clock_pairing

static void test_numbers_are_the_kernels(void)
{
	EXPECT_EQ(KVM_CPUID_SIGNATURE, our_KVM_CPUID_SIGNATURE_LEAF);
	EXPECT_EQ(KVM_CPUID_FEATURES, our_KVM_CPUID_FEATURES_LEAF);
	EXPECT_EQ(1u << KVM_FEATURE_CLOCKSOURCE, our_CLOCKSOURCE);
	EXPECT_EQ(1u << KVM_FEATURE_CLOCKSOURCE2, our_CLOCKSOURCE2);
	EXPECT_EQ(1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT, our_CLOCKSOURCE_STABLE);
	EXPECT_EQ(MSR_KVM_WALL_CLOCK, our_WALL_CLOCK);
	EXPECT_EQ(MSR_KVM_SYSTEM_TIME, our_SYSTEM_TIME);
	EXPECT_EQ(MSR_KVM_WALL_CLOCK_NEW, our_WALL_CLOCK_NEW);
	EXPECT_EQ(MSR_KVM_SYSTEM_TIME_NEW, our_SYSTEM_TIME_NEW);
	EXPECT_EQ(KVM_HC_VAPIC_POLL_IRQ, our_VAPIC_POLL_IRQ);
	EXPECT_EQ(1u << KVM_FEATURE_NOP_IO_DELAY, our_NOP_IO_DELAY);
	EXPECT_EQ(1u << KVM_FEATURE_STEAL_TIME, our_STEAL_TIME);
	EXPECT_EQ(1u << KVM_FEATURE_PV_EOI, our_PV_EOI);
	EXPECT_EQ(1u << KVM_FEATURE_PV_UNHALT, our_PV_UNHALT);
	EXPECT_EQ(1u << KVM_FEATURE_PV_TLB_FLUSH, our_PV_TLB_FLUSH);
	EXPECT_EQ(1u << KVM_FEATURE_PV_SEND_IPI, our_PV_SEND_IPI);
	EXPECT_EQ(1u << KVM_FEATURE_POLL_CONTROL, our_POLL_CONTROL);
	EXPECT_EQ(1u << KVM_FEATURE_PV_SCHED_YIELD, our_PV_SCHED_YIELD);
	EXPECT_EQ(1u << KVM_HINTS_REALTIME, our_REALTIME);
	EXPECT_EQ(MSR_KVM_STEAL_TIME, our_MSR_STEAL);
	EXPECT_EQ(MSR_KVM_PV_EOI_EN, our_MSR_EOI);
	EXPECT_EQ(MSR_KVM_POLL_CONTROL, our_MSR_POLL);
	EXPECT_EQ(KVM_HC_KICK_CPU, our_KICK_CPU);
	EXPECT_EQ(KVM_HC_CLOCK_PAIRING, our_CLOCK_PAIRING);
	EXPECT_EQ(KVM_HC_SEND_IPI, our_SEND_IPI);
	EXPECT_EQ(KVM_HC_SCHED_YIELD, our_SCHED_YIELD);
	EXPECT_EQ(KVM_CLOCK_PAIRING_WALLCLOCK, our_PAIRING_WALL);
	EXPECT_EQ(KVM_EFAULT, our_ERR_FAULT_);
	EXPECT_EQ(KVM_EINVAL, our_ERR_INVAL_);
	EXPECT_EQ(KVM_EOPNOTSUPP, our_ERR_OPNOTSUPP);
	EXPECT_EQ(KVM_VCPU_PREEMPTED, our_PREEMPTED);
	EXPECT_EQ(KVM_VCPU_FLUSH_TLB, our_FLUSH_TLB);
	EXPECT_EQ(KVM_EPERM, our_ERR_PERM);
	EXPECT_EQ(KVM_ENOSYS, our_ERR_NOSYS);
}

static void test_signature_spells_itself(void)
{
	static const u32 words[] = { KVM_SIGNATURE_EBX, KVM_SIGNATURE_ECX, KVM_SIGNATURE_EDX };

	EXPECT_MEMEQ("KVMKVMKVM\0\0\0", words, 12);
}

static void test_pvclock_offsets(void)
{
	EXPECT_EQ(0, offsetof(struct pvclock_vcpu_time_info, version));
	EXPECT_EQ(8, offsetof(struct pvclock_vcpu_time_info, tsc_timestamp));
	EXPECT_EQ(16, offsetof(struct pvclock_vcpu_time_info, system_time));
	EXPECT_EQ(24, offsetof(struct pvclock_vcpu_time_info, tsc_to_system_mul));
	EXPECT_EQ(28, offsetof(struct pvclock_vcpu_time_info, tsc_shift));
	EXPECT_EQ(29, offsetof(struct pvclock_vcpu_time_info, flags));
	EXPECT_EQ(4, offsetof(struct pvclock_wall_clock, sec));
	EXPECT_EQ(8, offsetof(struct pvclock_wall_clock, nsec));
}

#define SAME_OFFSET(type, member) \
	EXPECT_EQ(offsetof(struct linux_##type, member), offsetof(struct kvm_##type, member))

static void test_structures_are_the_kernels(void)
{
	SAME_OFFSET(steal_time, steal);
	SAME_OFFSET(steal_time, version);
	SAME_OFFSET(steal_time, flags);
	SAME_OFFSET(steal_time, preempted);
	EXPECT_EQ(sizeof(struct linux_steal_time), sizeof(struct kvm_steal_time));
	SAME_OFFSET(clock_pairing, sec);
	SAME_OFFSET(clock_pairing, nsec);
	SAME_OFFSET(clock_pairing, tsc);
	SAME_OFFSET(clock_pairing, flags);
	EXPECT_EQ(sizeof(struct linux_clock_pairing), sizeof(struct kvm_clock_pairing));
}

TEST_MAIN(TEST(test_structures_are_the_kernels), TEST(test_numbers_are_the_kernels),
	  TEST(test_signature_spells_itself), TEST(test_pvclock_offsets))
