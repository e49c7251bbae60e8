/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hv.c: which CPUID base each module gets. This file brings its own list of modules: KVM behind
 * one that a Hyper-V module will be like, and a third.
 */
#include "tests/host/harness.h"

#include "core/surface/cpuid.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"
#include "tests/host/fakes/rig.h"

static bool first_on, third_on;

static bool first_is_enabled(const struct partition *p)
{
	return first_on;
}

static bool third_is_enabled(const struct partition *p)
{
	return third_on;
}

static const struct cpuid_row first_cpuid[] = {
	{ .leaf = 0, .subleaf = CPUID_ANY, .name = "first", .set = { .a = 0x40000005, .b = 1 } },
	{ .leaf = 5, .subleaf = CPUID_ANY, .name = "first 5", .set = { .b = 5 } },
};

static const struct cpuid_row third_cpuid[] = {
	{ .leaf = 0, .subleaf = CPUID_ANY, .name = "third", .set = { .b = 3 } },
};

static const struct hv_module first = {
	.name = "first",
	.cpuid = first_cpuid,
	.cpuid_count = ARRAY_SIZE(first_cpuid),
	.is_enabled = first_is_enabled,
};

static const struct hv_module third = {
	.name = "third",
	.cpuid = third_cpuid,
	.cpuid_count = ARRAY_SIZE(third_cpuid),
	.is_enabled = third_is_enabled,
};

/* Instead of hv/modules.c. */
const struct hv_module *const hv_modules[] = { &first, &kvm_module, &third, NULL };

static struct fake_guest g;

static void kvm_off(struct partition *p)
{
	p->config.cpu_features &= ~BIT64(CPU_KVM);
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

/* "KVMKVMKVM\0\0\0" at @base; the features one leaf further, which is also the last. */
static void expect_kvm_at(u32 base)
{
	struct cpuid_regs r = leaf(base);

	EXPECT_EQ(base + 1, r.a);
	EXPECT_EQ(0x4b4d564b, r.b);
	EXPECT_EQ(0x564b4d56, r.c);
	EXPECT_EQ(0x0000004d, r.d);
	EXPECT_NE(0, leaf(base + 1).a & 1 << 3);
	EXPECT_TRUE(is_zero(base + 2));
}

static void test_kvm_alone_is_first(void)
{
	first_on = third_on = false;
	fake_guest_init(&g, 1, NULL);
	expect_kvm_at(0x40000000);
	EXPECT_TRUE(is_zero(0x40000100));
	EXPECT_TRUE(is_zero(0x40000101));
}

/* As QEMU does with any hv_ feature. */
static void test_kvm_moves_behind_another_one(void)
{
	first_on = true;
	third_on = false;
	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(0x40000005, leaf(0x40000000).a);
	EXPECT_EQ(5, leaf(0x40000005).b);
	EXPECT_TRUE(is_zero(0x40000001));
	expect_kvm_at(0x40000100);
}

static void test_one_that_is_off_takes_no_base(void)
{
	first_on = false;
	third_on = true;
	fake_guest_init(&g, 1, NULL);
	expect_kvm_at(0x40000000);
	EXPECT_EQ(3, leaf(0x40000100).b);
	fake_guest_init(&g, 1, kvm_off);
	EXPECT_EQ(3, leaf(0x40000000).b);
	EXPECT_TRUE(is_zero(0x40000100));
}

static void test_none(void)
{
	first_on = third_on = false;
	fake_guest_init(&g, 1, kvm_off);
	for (u32 nr = 0x40000000; nr < 0x40000200; nr++)
		EXPECT_TRUE(is_zero(nr));
}

TEST_MAIN(TEST(test_kvm_alone_is_first), TEST(test_kvm_moves_behind_another_one),
	  TEST(test_one_that_is_off_takes_no_base), TEST(test_none))
