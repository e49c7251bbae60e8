/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/kvm/kvm_abi.h against the kernel's kvm_para.h (linux-libc-dev). Both define the same
 * names: ours are saved as constants first. pvclock-abi.h is not exported to user space: its layout
 * is compared with the numbers of the specification.
 */
#include "tests/host/harness.h"

#include <errno.h>

#include "hv/kvm/kvm_abi.h"

/* clang-format off */
#define SHARED(X)                                                                                  \
	X(KVM_CPUID_SIGNATURE_LEAF, KVM_CPUID_BASE + KVM_CPUID_SIGNATURE)                          \
	X(KVM_CPUID_FEATURES_LEAF,  KVM_CPUID_BASE + KVM_CPUID_FEATURES)                           \
	X(CLOCKSOURCE,              KVM_FEATURE_CLOCKSOURCE)                                       \
	X(CLOCKSOURCE2,             KVM_FEATURE_CLOCKSOURCE2)                                      \
	X(CLOCKSOURCE_STABLE,       KVM_FEATURE_CLOCKSOURCE_STABLE)                                \
	X(WALL_CLOCK,               MSR_KVM_WALL_CLOCK)                                            \
	X(SYSTEM_TIME,              MSR_KVM_SYSTEM_TIME)                                           \
	X(WALL_CLOCK_NEW,           MSR_KVM_WALL_CLOCK_NEW)                                        \
	X(SYSTEM_TIME_NEW,          MSR_KVM_SYSTEM_TIME_NEW)                                       \
	X(VAPIC_POLL_IRQ,           KVM_HC_VAPIC_POLL_IRQ)                                         \
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
#undef KVM_EPERM
#undef KVM_ENOSYS

#include <linux/kvm_para.h>

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

TEST_MAIN(TEST(test_numbers_are_the_kernels), TEST(test_signature_spells_itself),
	  TEST(test_pvclock_offsets))
