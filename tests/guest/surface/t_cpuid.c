// SPDX-License-Identifier: BSD-2-Clause
// CPUID: identity, KVM leaves, what must be hidden, bits that follow control registers.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/insn.h"

static void cpuid_vendor(void)
{
	struct cpuid_regs r = cpuid(0);

	EXPECT_GE(r.a, 0xd);
	EXPECT_EQ(0x756e6547, r.b); /* Genu */
	EXPECT_EQ(0x49656e69, r.d); /* ineI */
	EXPECT_EQ(0x6c65746e, r.c); /* ntel */
}

static void cpuid_hypervisor_bit(void)
{
	EXPECT_TRUE((cpuid(1).c & CPUID1_ECX_HYPERVISOR) != 0);
}

static void cpuid_kvm_signature(void)
{
	struct cpuid_regs r = cpuid(0x40000000);

	EXPECT_EQ(0x40000010, r.a);
	EXPECT_EQ(0x4b4d564b, r.b);
	EXPECT_EQ(0x564b4d56, r.c);
	EXPECT_EQ(0x0000004d, r.d);
}

/* The default is the profile kvm: docs/profiles.md. */
static void cpuid_kvm_features(void)
{
	struct cpuid_regs r = cpuid(0x40000001);

	EXPECT_EQ(cmdline_number("features", 0x01003aeb), r.a);
	EXPECT_EQ(0, r.b);
	EXPECT_EQ(0, r.c);
	EXPECT_EQ(cmdline_number("hints", 0), r.d);
}

static void cpuid_hypervisor_holes(void)
{
	static const u32 leaves[] = { 0x40000002, 0x400000ff, 0x40000100, 0x40001000, 0x4fffffff };

	for (u32 i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = cpuid(leaves[i]);

		EXPECT_EQ(0, r.a | r.b | r.c | r.d);
	}
}

static void cpuid_hidden(void)
{
	struct cpuid_regs l1 = cpuid(1), l7 = cpuid(7), ld1 = cpuid2(0xd, 1);

	EXPECT_EQ(0,
		  l1.c & (CPUID1_ECX_VMX | CPUID1_ECX_SMX | CPUID1_ECX_PDCM | CPUID1_ECX_DTES64 |
			  CPUID1_ECX_DS_CPL | CPUID1_ECX_EIST | CPUID1_ECX_TM2 | CPUID1_ECX_SDBG));
	EXPECT_EQ(0, l1.d & CPUID1_EDX_DS);
	EXPECT_EQ(0, l7.b & (CPUID7_EBX_SGX | CPUID7_EBX_PT | CPUID7_EBX_RDT_M | CPUID7_EBX_RDT_A));
	EXPECT_EQ(0, l7.c & (CPUID7_ECX_CET_SS | CPUID7_ECX_ENQCMD | CPUID7_ECX_PKS |
			     CPUID7_ECX_SGX_LC | CPUID7_ECX_KEY_LOCKER));
	EXPECT_EQ(0, l7.d & (CPUID7_EDX_CET_IBT | CPUID7_EDX_AMX_TILE | CPUID7_EDX_AMX_INT8 |
			     CPUID7_EDX_AMX_BF16 | CPUID7_EDX_UINTR | CPUID7_EDX_PCONFIG |
			     CPUID7_EDX_ARCH_LBR));
	EXPECT_EQ(0, ld1.a & CPUIDD_1_EAX_XFD);
	EXPECT_EQ(0, cpuid(0xa).a & 0xff);
	EXPECT_EQ(0, cpuid(6).a & (CPUID6_EAX_HWP | CPUID6_EAX_HDC | CPUID6_EAX_HW_FEEDBACK));
	if (cpuid(0).a >= 0x14) /* else these are the highest leaf again */
		EXPECT_EQ(0, cpuid2(0x12, 0).a | cpuid2(0x14, 0).b);
}

/* MONITOR is either offered with its leaf (C1 only, rule T1) or hidden with an empty leaf. */
static void cpuid_monitor_consistent(void)
{
	struct cpuid_regs r = cpuid(5);

	if ((cpuid(1).c & CPUID1_ECX_MONITOR) == 0) {
		EXPECT_EQ(0, r.a | r.b | r.c | r.d);
		return;
	}
	EXPECT_EQ(0, r.d & ~0xffu);
}

static void cpuid_osxsave(void)
{
	if ((cpuid(1).c & CPUID1_ECX_XSAVE) == 0) {
		test_skip("no XSAVE");
		return;
	}
	EXPECT_EQ(0, cpuid(1).c & CPUID1_ECX_OSXSAVE);
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT_NE(0, cpuid(1).c & CPUID1_ECX_OSXSAVE);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	EXPECT_EQ(0, cpuid(1).c & CPUID1_ECX_OSXSAVE);
}

static void cpuid_ospke(void)
{
	if ((cpuid(7).c & CPUID7_ECX_PKU) == 0) {
		test_skip("no PKU");
		return;
	}
	EXPECT_EQ(0, cpuid(7).c & CPUID7_ECX_OSPKE);
	write_cr4(read_cr4() | CR4_PKE);
	EXPECT_NE(0, cpuid(7).c & CPUID7_ECX_OSPKE);
	write_cr4(read_cr4() & ~CR4_PKE);
	EXPECT_EQ(0, cpuid(7).c & CPUID7_ECX_OSPKE);
}

/* SDM CPUID: a leaf above the highest basic or extended one answers as the highest basic leaf. */
static void cpuid_out_of_range(void)
{
	u32 max = cpuid(0).a, ext = cpuid(0x80000000).a;
	static const u32 subleaves[] = { 0, 1, 7 };
	u32 leaves[] = { max + 1, max + 0x100, 0x3fffffff, ext + 1, 0x8fffffff, 0xc0000000 };

	for (u32 i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (u32 j = 0; j < ARRAY_SIZE(subleaves); j++) {
			struct cpuid_regs want = cpuid2(max, subleaves[j]);
			struct cpuid_regs r = cpuid2(leaves[i], subleaves[j]);

			EXPECT_AT(r.a == want.a && r.b == want.b && r.c == want.c && r.d == want.d,
				  "leaf 0x%x, subleaf %u", leaves[i], subleaves[j]);
		}
	}
}

static void cpuid_apic_id(void)
{
	EXPECT_EQ(apic_id(), cpuid(1).b >> 24);
	if (cpuid(0).a >= 0xb)
		EXPECT_EQ(apic_id(), cpuid2(0xb, 0).d);
}

/* CPUID.1:EDX.APIC follows IA32_APIC_BASE.EN. */
static void cpuid_apic_bit(void)
{
	EXPECT_NE(0, cpuid(1).d & CPUID1_EDX_APIC);
	REQUIRE(apic_enter(APIC_OFF));
	EXPECT_EQ(0, cpuid(1).d & CPUID1_EDX_APIC);
	EXPECT_TRUE(apic_enter(APIC_XAPIC));
	EXPECT_NE(0, cpuid(1).d & CPUID1_EDX_APIC);
}

static void cpuid_needed(void)
{
	struct cpuid_regs l1 = cpuid(1), ext = cpuid(0x80000001);

	EXPECT_NE(0, l1.c & CPUID1_ECX_TSC_DEADLINE);
	EXPECT_EQ(CPUID1_EDX_APIC | CPUID1_EDX_MTRR | CPUID1_EDX_PAT | CPUID1_EDX_MSR,
		  l1.d & (CPUID1_EDX_APIC | CPUID1_EDX_MTRR | CPUID1_EDX_PAT | CPUID1_EDX_MSR));
	EXPECT_EQ(
		CPUID80000001_EDX_LM | CPUID80000001_EDX_NX | CPUID80000001_EDX_SYSCALL,
		ext.d & (CPUID80000001_EDX_LM | CPUID80000001_EDX_NX | CPUID80000001_EDX_SYSCALL));
	EXPECT_GE(cpuid(0x80000008).a & 0xff, 36);
}

/* Upper halves of RAX and RCX do not take part; all four results have clear upper halves. */
static void cpuid_upper_halves(void)
{
	u64 rax = 0xdeadbeef00000000ull, rbx = ~0ull, rcx = 0x1234567800000000ull, rdx = ~0ull;
	struct cpuid_regs r = cpuid2(0, 0);

	asm volatile("cpuid" : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx));
	EXPECT_EQ(r.a, rax);
	EXPECT_EQ(r.b, rbx);
	EXPECT_EQ(r.c, rcx);
	EXPECT_EQ(r.d, rdx);
}

static u64 user_cpuid(u64 leaf)
{
	return cpuid((u32)leaf).b;
}

static void cpuid_at_cpl3(void)
{
	EXPECT_EQ(cpuid(0).b, user_call(user_cpuid, 0));
	EXPECT_EQ(cpuid(0x40000000).b, user_call(user_cpuid, 0x40000000));
}

/* The KVM interface is there with its signature, clock MSRs and hypercalls, or nothing of it is. */
static void expect_kvm(bool there)
{
	u32 readable = 0, vector = TRY_INSN("mov $1, %%eax; vmcall");
	struct cpuid_regs r = cpuid(0x40000000);
	u64 val;

	for (u32 msr = 0x4b564d00; msr <= 0x4b564d08; msr++)
		readable += try_rdmsr(msr, &val) == NO_FAULT;
	readable += try_rdmsr(0x11, &val) == NO_FAULT;
	readable += try_rdmsr(0x12, &val) == NO_FAULT;
	if (there) {
		EXPECT_EQ(0x4b4d564b, r.b);
		EXPECT_EQ(NO_FAULT, vector);
		EXPECT_GE(readable, 4);
		return;
	}
	EXPECT_EQ(EXC_UD, vector);
	EXPECT_EQ(0, readable);
	for (u32 leaf = 0x40000000; leaf <= 0x40000201; leaf++) {
		r = cpuid(leaf);
		EXPECT_EQ(0, r.a | r.b | r.c | r.d);
	}
}

static void option_bare(void)
{
	EXPECT_EQ(0, cpuid(1).c & CPUID1_ECX_HYPERVISOR);
	expect_kvm(false);
}

static void option_kvm_off(void)
{
	EXPECT_NE(0, cpuid(1).c & CPUID1_ECX_HYPERVISOR);
	expect_kvm(false);
}

/* As QEMU: whoever looks all the same finds it. */
static void option_hypervisor_off(void)
{
	EXPECT_EQ(0, cpuid(1).c & CPUID1_ECX_HYPERVISOR);
	expect_kvm(true);
}

static const struct test t_cpuid_tests[] = {
	{ .name = "cpuid_vendor", .run = cpuid_vendor },
	{ .name = "cpuid_hypervisor_bit", .run = cpuid_hypervisor_bit, .flags = T_KENSHO },
	{ .name = "cpuid_kvm_signature", .run = cpuid_kvm_signature, .flags = T_KENSHO },
	{ .name = "cpuid_kvm_features", .run = cpuid_kvm_features, .flags = T_KENSHO },
	{ .name = "cpuid_hypervisor_holes", .run = cpuid_hypervisor_holes, .flags = T_KENSHO },
	{ .name = "cpuid_hidden", .run = cpuid_hidden, .flags = T_KENSHO },
	{ .name = "cpuid_monitor_consistent", .run = cpuid_monitor_consistent, .flags = T_KENSHO },
	{ .name = "cpuid_osxsave", .run = cpuid_osxsave },
	{ .name = "cpuid_ospke", .run = cpuid_ospke },
	{ .name = "cpuid_out_of_range", .run = cpuid_out_of_range },
	{ .name = "cpuid_apic_id", .run = cpuid_apic_id },
	{ .name = "cpuid_apic_bit", .run = cpuid_apic_bit, .flags = T_KENSHO },
	{ .name = "cpuid_needed", .run = cpuid_needed },
	{ .name = "cpuid_upper_halves", .run = cpuid_upper_halves },
	{ .name = "cpuid_user", .run = cpuid_at_cpl3 },
	{ .name = "option_bare", .run = option_bare, .flags = T_NAMED },
	{ .name = "option_kvm_off", .run = option_kvm_off, .flags = T_NAMED },
	{ .name = "option_hypervisor_off", .run = option_hypervisor_off, .flags = T_NAMED },
};
TEST_GROUP(t_cpuid);
