/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hv.c: which CPUID base each ABI gets, and whose a VMCALL is. This file brings its own list:
 * KVM behind one that a Hyper-V module will be like, and a third.
 */
#include "tests/host/harness.h"

#include "core/surface/cpuid.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"
#include "tests/host/fakes/rig.h"

/* The interfaces as a whole have numbers beyond the features that exist. */
#define FIRST 62u
#define THIRD 63u

static bool first_on, third_on, kvm_on, first_claims_calls;

static enum exit_action first_vmcall(struct vp *vp, const struct exit_info *x)
{
	vp->regs.rax = 0xf157;
	return EXIT_NEXT;
}

static bool first_claims(const struct partition *p, exit_fn *fn)
{
	if (first_claims_calls)
		*fn = first_vmcall;
	return first_claims_calls;
}

static const struct cpuid_row first_cpuid[] = {
	{ .leaf = 0, .subleaf = CPUID_ANY, .name = "first", .set = { .a = 0x40000005, .b = 1 } },
	{ .leaf = 5, .subleaf = CPUID_ANY, .name = "first 5", .set = { .b = 5 } },
};

static const struct cpuid_row third_cpuid[] = {
	{ .leaf = 0, .subleaf = CPUID_ANY, .name = "third", .set = { .b = 3 } },
};

static const struct hv_abi first = {
	.name = "first",
	.cpuid = first_cpuid,
	.cpuid_count = ARRAY_SIZE(first_cpuid),
	.whole = FIRST,
	.vmcall = first_claims,
};

static const struct hv_abi third = {
	.name = "third",
	.cpuid = third_cpuid,
	.cpuid_count = ARRAY_SIZE(third_cpuid),
	.whole = THIRD,
	.vmcall = first_claims,
};

/* Instead of hv/abis.c. */
const struct hv_abi *const hv_abis[] = { &first, &kvm_abi, &third, NULL };

static struct fake_guest g;

static void switch_abis(struct partition *p)
{
	p->config.cpu_features &= ~(BIT64(FIRST) | BIT64(THIRD) | BIT64(FEATURE_KVM));
	p->config.cpu_features |=
		(u64)first_on << FIRST | (u64)third_on << THIRD | (u64)kvm_on << FEATURE_KVM;
}

static void start(bool first_is_on, bool kvm_is_on, bool third_is_on)
{
	first_on = first_is_on;
	kvm_on = kvm_is_on;
	third_on = third_is_on;
	first_claims_calls = false;
	fake_guest_init(&g, 1, switch_abis);
}

static struct cpuid_regs leaf(u32 nr)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], nr, 0, &r);
	return r;
}

static bool is_zero(u32 nr)
{
	struct cpuid_regs r = leaf(nr);

	return (r.a | r.b | r.c | r.d) == 0;
}

/* "KVMKVMKVM\0\0\0" at @base; the features one leaf further, the frequencies last. */
static void expect_kvm_at(u32 base)
{
	struct cpuid_regs r = leaf(base);

	EXPECT_EQ(base + 0x10, r.a);
	EXPECT_EQ(0x4b4d564b, r.b);
	EXPECT_EQ(0x564b4d56, r.c);
	EXPECT_EQ(0x0000004d, r.d);
	EXPECT_NE(0, leaf(base + 1).a & 1 << 3);
	EXPECT_TRUE(is_zero(base + 2));
}

static void test_kvm_alone_is_first(void)
{
	start(false, true, false);
	expect_kvm_at(0x40000000);
	EXPECT_TRUE(is_zero(0x40000100));
	EXPECT_TRUE(is_zero(0x40000101));
}

/* As QEMU does with any hv_ feature. */
static void test_kvm_moves_behind_another_one(void)
{
	start(true, true, false);
	EXPECT_EQ(0x40000005, leaf(0x40000000).a);
	EXPECT_EQ(5, leaf(0x40000005).b);
	EXPECT_TRUE(is_zero(0x40000001));
	expect_kvm_at(0x40000100);
}

static void test_one_that_is_off_takes_no_base(void)
{
	start(false, true, true);
	expect_kvm_at(0x40000000);
	EXPECT_EQ(3, leaf(0x40000100).b);
	start(false, false, true);
	EXPECT_EQ(3, leaf(0x40000000).b);
	EXPECT_TRUE(is_zero(0x40000100));
}

static void test_none(void)
{
	start(false, false, false);
	for (u32 nr = 0x40000000; nr < 0x40000200; nr++)
		EXPECT_TRUE(is_zero(nr));
}

/* The bits of the features are there without any ABI, too. */
static void test_hypervisor_bit_is_of_no_abi(void)
{
	start(false, false, false);
	EXPECT_NE(0, leaf(1).c & 1u << 31);
}

static u64 vmcall(u64 nr)
{
	g.vp[0].regs.rax = nr;
	g.vp[0].event.info = 0;
	(void)exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(&g.vp[0], NULL);
	return g.vp[0].regs.rax;
}

/* One that claims by what the guest has said of itself goes before one that takes what is left. */
static void test_who_claims_a_vmcall(void)
{
	start(true, true, false);
	EXPECT_EQ((u64)-1000, vmcall(99));
	first_claims_calls = true;
	hv_choose_vmcall(&g.p);
	EXPECT_EQ(0xf157, vmcall(99));
	start(true, false, false);
	EXPECT_EQ(99, vmcall(99));
	EXPECT_EQ(6 /* #UD */, g.vp[0].event.info & 0xff);
	first_claims_calls = true;
	hv_choose_vmcall(&g.p);
	EXPECT_EQ(0xf157, vmcall(99));
}

TEST_MAIN(TEST(test_kvm_alone_is_first), TEST(test_kvm_moves_behind_another_one),
	  TEST(test_one_that_is_off_takes_no_base), TEST(test_none),
	  TEST(test_hypervisor_bit_is_of_no_abi), TEST(test_who_claims_a_vmcall))
