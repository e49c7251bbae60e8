/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line to what the guest finds of Hyper-V: its leaves, which MSRs fault, where
 * KVM's leaves are. Numbers are restated from the TLFS and from what QEMU shows (tests/golden).
 */
#include "tests/host/harness.h"

#include "boot/option/option.h"
#include "hv/hv.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct options o;

static void use_options(struct partition *p)
{
	p->config = o.config;
}

static void start(const char *cmdline)
{
	char msg[256] = "";

	options_default(&o);
	if (options_parse(&o, cmdline, msg, sizeof(msg)) != ERR_NONE)
		print_error("%s: %s\n", cmdline, msg);
	EXPECT_STREQ("", msg);
	fake_guest_init(&g, 2, use_options);
}

static void expect_leaf(u32 leaf, u32 a, u32 b, u32 c, u32 d)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], leaf, 0, &r);
	EXPECT_EQ(a, r.a);
	EXPECT_EQ(b, r.b);
	EXPECT_EQ(c, r.c);
	EXPECT_EQ(d, r.d);
}

static void test_identity(void)
{
	start("profile=bare cpu=host,hv_relaxed,hv_vpindex");
	expect_leaf(0x40000000, 0x40000005, 0x7263694d, 0x666f736f, 0x76482074);
	expect_leaf(0x40000001, 0x31237648, 0, 0, 0);
	expect_leaf(0x40000002, 0x3839, 0x000a0000, 0, 0);
	expect_leaf(0x40000003, 0x60, 0, 0, 8);
	expect_leaf(0x40000004, 0x20, 0xffffffff, 0, 0);
	expect_leaf(0x40000005, 0xffffffff, 0x40, 0, 0);
	for (u32 leaf = 0x40000006; leaf < 0x40000200; leaf++)
		expect_leaf(leaf, 0, 0, 0, 0);
}

static void test_values(void)
{
	start("profile=bare cpu=host,hv-spinlocks=0x1fff,hv-vendor-id=Kensho,hv-version-id-build="
	      "22621,hv-version-id-major=11,hv-version-id-minor=3,hv-version-id-spack=7,"
	      "hv-version-id-sbranch=0xfe,hv-version-id-snumber=0x123456");
	expect_leaf(0x40000000, 0x40000005, 0x736e654b, 0x00006f68, 0);
	expect_leaf(0x40000002, 22621, 0x000b0003, 7, 0xfe123456);
	expect_leaf(0x40000004, 0, 0x1fff, 0, 0);
}

/* With virtual-interrupt delivery, auto-EOI is deprecated besides the other hints. */
static void use_delivery(struct partition *p)
{
	use_options(p);
	p->machine.virt_intr_delivery = true;
}

static void test_hints_with_delivery(void)
{
	struct cpuid_regs without, with;

	start("profile=hv-test");
	cpuid_query(&g.vp[0], 0x40000004, 0, &without);
	EXPECT_EQ(0, without.a & 0x200);
	EXPECT_EQ(0xc2c,
		  without.a & 0xc2c); /* flush, APIC access, relaxed, cluster IPI, Ex masks */
	fake_guest_init(&g, 2, use_delivery);
	cpuid_query(&g.vp[0], 0x40000004, 0, &with);
	EXPECT_EQ(without.a | 0x200, with.a);
	EXPECT_EQ(without.b, with.b);
}

static void test_kvm_moves(void)
{
	start("cpu=host,hv_relaxed");
	expect_leaf(0x40000001, 0x31237648, 0, 0, 0);
	expect_leaf(0x40000100, 0x40000110, 0x4b4d564b, 0x564b4d56, 0x4d);
	start("profile=hv");
	expect_leaf(0x40000100, 0, 0, 0, 0);
	start("profile=kvm");
	expect_leaf(0x40000000, 0x40000010, 0x4b4d564b, 0x564b4d56, 0x4d);
}

static void test_vp_index(void)
{
	u64 val;

	start("cpu=host,hv_vpindex");
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[1], 0x40000002, &val));
	EXPECT_EQ(1, val);
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[1], 0x40000002, 1));
	start("cpu=host,hv_relaxed");
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[1], 0x40000002, &val));
}

TEST_MAIN(TEST(test_identity), TEST(test_values), TEST(test_hints_with_delivery),
	  TEST(test_kvm_moves), TEST(test_vp_index))
