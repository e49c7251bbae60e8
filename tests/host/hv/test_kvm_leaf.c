/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line to what the guest finds: the KVM leaf, which MSRs fault, which hypercalls
 * are unknown, for every profile and with every feature off. Bits and numbers are restated from
 * KVM's cpuid.rst, msr.rst and hypercalls.rst.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/vector.h"
#include "boot/option/option.h"
#include "hv/hv.h"
#include "tests/host/fakes/rig.h"

#define KVM_ENOSYS (-1000ll)

/* hypercall 0: the feature has none */
static const struct {
	enum hv_feature_id id;
	u32 eax, edx;
	u32 msr[4];
	u32 hypercall;
} rows[] = {
	{ FEATURE_KVMCLOCK, 1u << 0 | 1u << 3, 0, { 0x11, 0x12, 0x4b564d00, 0x4b564d01 }, 0 },
	{ FEATURE_KVMCLOCK_STABLE_BIT, 1u << 24, 0, { 0 }, 0 },
	{ FEATURE_KVM_NOPIODELAY, 1u << 1, 0, { 0 }, 0 },
	{ FEATURE_KVM_STEAL_TIME, 1u << 5, 0, { 0x4b564d03 }, 0 },
	{ FEATURE_KVM_PV_EOI, 1u << 6, 0, { 0x4b564d04 }, 0 },
	{ FEATURE_KVM_PV_UNHALT, 1u << 7, 0, { 0 }, 5 },
	{ FEATURE_KVM_PV_TLB_FLUSH, 1u << 9, 0, { 0 }, 0 },
	{ FEATURE_KVM_PV_IPI, 1u << 11, 0, { 0 }, 10 },
	{ FEATURE_KVM_POLL_CONTROL, 1u << 12, 0, { 0x4b564d05 }, 0 },
	{ FEATURE_KVM_PV_SCHED_YIELD, 1u << 13, 0, { 0 }, 11 },
	{ FEATURE_KVM_HINT_DEDICATED, 0, 1u << 0, { 0 }, 0 },
	{ FEATURE_KVM_CPUID_FREQ, 0, 0, { 0 }, 0 },
};

/* Of no feature: asynchronous page faults, migration control and what was never assigned. */
static const u32 never[] = { 0x13, 0x4b564d02, 0x4b564d06, 0x4b564d07, 0x4b564d08, 0x4b564dff };

static struct fake_guest g;
static struct options o;

static void use_options(struct partition *p)
{
	p->config.cpu_features = o.config.cpu_features;
}

static void start(const char *cmdline)
{
	char msg[256] = "";

	options_default(&o);
	if (options_parse(&o, cmdline, msg, sizeof(msg)) != ERR_NONE)
		print_error("%s: %s\n", cmdline, msg);
	EXPECT_STREQ("", msg);
	fake_guest_init(&g, 1, use_options);
}

static struct cpuid_regs leaf(u32 nr)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], nr, 0, &r);
	return r;
}

static bool msr_faults(u32 msr)
{
	u64 val;

	return msr_read(&g.vp[0], msr, &val) == MSR_GP && msr_write(&g.vp[0], msr, 0) == MSR_GP;
}

/* Without the interface VMCALL is #UD. */
static bool call_is_unknown(u32 nr)
{
	g.vp[0].regs = (struct gpr_regs){ .rax = nr, .rcx = ~0ull };
	g.vp[0].event.info = 0;
	exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(&g.vp[0], NULL);
	if (!(o.config.cpu_features & BIT64(FEATURE_KVM)))
		return (g.vp[0].event.info & 0xff) == EXC_UD;
	return (s64)g.vp[0].regs.rax == KVM_ENOSYS;
}

/* Leaf 10H, and the maximum that leads to it. The fake machine's crystal counts 0xffffffff Hz. */
static void expect_frequencies(bool on)
{
	struct cpuid_regs r = leaf(0x40000010);
	bool kvm = (o.config.cpu_features & BIT64(FEATURE_KVM)) != 0;

	EXPECT_EQ(!kvm ? 0 : on ? 0x40000010 : 0x40000001, leaf(0x40000000).a);
	EXPECT_EQ(on ? GUEST_TSC_HZ / 1000 : 0, r.a);
	EXPECT_EQ(on ? 4294967 : 0, r.b);
	EXPECT_EQ(0, r.c | r.d);
}

/* What is advertised is there, and nothing else. */
static void expect_features(void)
{
	u32 eax = 0, edx = 0;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bool on = (o.config.cpu_features & BIT64(rows[i].id)) != 0;

		eax |= on ? rows[i].eax : 0;
		edx |= on ? rows[i].edx : 0;
		for (u32 k = 0; k < 4 && rows[i].msr[k] != 0; k++)
			EXPECT_EQ(!on, msr_faults(rows[i].msr[k]));
		if (rows[i].hypercall != 0)
			EXPECT_EQ(!on, call_is_unknown(rows[i].hypercall));
	}
	EXPECT_EQ(eax, leaf(0x40000001).a);
	EXPECT_EQ(0, leaf(0x40000001).b | leaf(0x40000001).c);
	EXPECT_EQ(edx, leaf(0x40000001).d);
	expect_frequencies((o.config.cpu_features & BIT64(FEATURE_KVM_CPUID_FREQ)) != 0);
	for (u32 i = 0; i < ARRAY_SIZE(never); i++)
		EXPECT_TRUE(msr_faults(never[i]));
}

/* The numbers of docs/profiles.md; golden `plain` is 0x01007afb. */
static void test_profiles(void)
{
	static const char *const same[] = { "", "cpu=host", "profile=kvm", "profile=kvm-test" };

	for (u32 i = 0; i < ARRAY_SIZE(same); i++) {
		start(same[i]);
		EXPECT_EQ(0x01007afb & ~(1u << 4 | 1u << 14), leaf(0x40000001).a);
		EXPECT_EQ(0, leaf(0x40000001).d);
		EXPECT_NE(0, leaf(1).c & 1u << 31);
		expect_features();
	}
	start("profile=bare");
	EXPECT_EQ(0, leaf(1).c & 1u << 31);
	expect_features();
	start("cpu=host,kvm-hint-dedicated");
	EXPECT_EQ(1, leaf(0x40000001).d);
	expect_features();
}

static void test_each_feature_off(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		options_default(&o);
		o.config.cpu_features = BIT64(FEATURE_KVM);
		for (u32 k = 0; k < ARRAY_SIZE(rows); k++)
			o.config.cpu_features |= k != i ? BIT64(rows[k].id) : 0;
		fake_guest_init(&g, 1, use_options);
		expect_features();
	}
}

static void test_each_feature_alone(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		options_default(&o);
		o.config.cpu_features = BIT64(FEATURE_KVM) | BIT64(rows[i].id);
		fake_guest_init(&g, 1, use_options);
		expect_features();
	}
}

/* As the command line drops it: the hypercall and the MSR are gone with the bit. */
static void test_dropped_features_are_gone(void)
{
	start("hlt=passthrough");
	EXPECT_EQ(0, leaf(0x40000001).a & (1u << 7 | 1u << 12));
	expect_features();
	start("cpu=host,-kvm-steal-time");
	EXPECT_EQ(0, leaf(0x40000001).a & (1u << 5 | 1u << 9 | 1u << 13));
	expect_features();
	start("cpu=host,-vmware-cpuid-freq");
	EXPECT_EQ(0x40000001, leaf(0x40000000).a);
	expect_features();
}

TEST_MAIN(TEST(test_profiles), TEST(test_each_feature_off), TEST(test_each_feature_alone),
	  TEST(test_dropped_features_are_gone))
