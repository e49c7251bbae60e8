/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/cpuid_host_rows.c, core/surface/cpuid_xsave.c: what each leaf shows and hides. */
#include "tests/host/surface/cpuid_sim.h"

/* The host above has every bit set: what the design hides must be 0 all the same. */
static void test_hidden_features_stay_hidden(void)
{
	struct cpuid_regs r;

	init();
	fake.vmcs[VMCS_GUEST_CR4] = ~0ull;
	r = ask(1, 0);
	EXPECT_EQ(0, r.c & (CPUID1_ECX_VMX | CPUID1_ECX_SMX | CPUID1_ECX_MONITOR |
			    CPUID1_ECX_DTES64 | CPUID1_ECX_DS_CPL | CPUID1_ECX_PDCM |
			    CPUID1_ECX_EIST | CPUID1_ECX_TM2 | CPUID1_ECX_SDBG | CPUID1_ECX_DCA |
			    CPUID1_ECX_XTPR | CPUID1_ECX_CNXT_ID | BIT32(16)));
	EXPECT_EQ(0, r.d & (CPUID1_EDX_DS | CPUID1_EDX_ACPI | CPUID1_EDX_TM | CPUID1_EDX_PBE |
			    CPUID1_EDX_PSN | BIT32(10) | BIT32(20) | BIT32(30)));
	r = ask(7, 0);
	EXPECT_EQ(2, r.a);
	EXPECT_EQ(0, r.b & (CPUID7_EBX_SGX | CPUID7_EBX_PT | CPUID7_EBX_HLE | CPUID7_EBX_RTM |
			    CPUID7_EBX_MPX | CPUID7_EBX_RDT_M | CPUID7_EBX_RDT_A));
	EXPECT_EQ(0, r.c & (CPUID7_ECX_WAITPKG | CPUID7_ECX_CET_SS | CPUID7_ECX_TME |
			    CPUID7_ECX_KEY_LOCKER | CPUID7_ECX_ENQCMD | CPUID7_ECX_PKS |
			    CPUID7_ECX_SGX_LC | CPUID7_ECX_BUS_LOCK_DETECT));
	EXPECT_EQ(0, r.d & (CPUID7_EDX_UINTR | CPUID7_EDX_ARCH_LBR | CPUID7_EDX_CET_IBT |
			    CPUID7_EDX_AMX_BF16 | CPUID7_EDX_AMX_TILE | CPUID7_EDX_AMX_INT8 |
			    CPUID7_EDX_CORE_CAPABILITIES | CPUID7_EDX_PCONFIG | CPUID7_EDX_HYBRID |
			    CPUID7_EDX_SRBDS_CTRL));
	r = ask(7, 1);
	EXPECT_EQ(0, r.a & (CPUID7_1_EAX_LASS | CPUID7_1_EAX_LAM | CPUID7_1_EAX_FRED |
			    CPUID7_1_EAX_MSRLIST | CPUID7_1_EAX_AMX_FP16 | CPUID7_1_EAX_WRMSRNS));
	r = ask(6, 0);
	EXPECT_EQ(CPUID6_EAX_ARAT, r.a);
	EXPECT_EQ(0, r.b | r.c | r.d);
	EXPECT_EQ(0, ask(0xd, 1).a & CPUIDD_1_EAX_XFD);
}

static void test_leaves_without_row_are_zero(void)
{
	static const u32 leaves[] = { 3,    5,    8,          9,          0xa,       0xc,
				      0xe,  0xf,  0x10,       0x11,       0x12,      0x13,
				      0x14, 0x17, 0x19,       0x1a,       0x1b,      0x1c,
				      0x1d, 0x1e, 0x80000005, 0x40000002, 0x400001ff };

	init();
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = ask(leaves[i], 0);

		EXPECT_EQ(0, r.a | r.b | r.c | r.d);
	}
}

static void with_mwait(struct partition *p)
{
	p->config.mwait = MWAIT_C1;
}

/* mwait=c1: the host has sub-states of C0 to C7, the guest sees those of C0 and C1. */
static void test_mwait_c1_offers_no_deeper_state(void)
{
	struct cpuid_regs r;
	u64 val;

	fake_guest_init(&g, 1, with_mwait);
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_MONITOR);
	r = ask(5, 0);
	EXPECT_EQ(0xffff, r.a);
	EXPECT_EQ(0xffff, r.b);
	EXPECT_EQ(3, r.c);
	EXPECT_EQ(0xff, r.d);
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], MSR_IA32_MISC_ENABLE, &val));
	EXPECT_NE(0, val & MISC_ENABLE_MONITOR_FSM);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_MISC_ENABLE, val));
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_MONITOR);
	misc_enable(0, val & ~MISC_ENABLE_MONITOR_FSM);
	EXPECT_EQ(0, ask(1, 0).c & CPUID1_ECX_MONITOR);
	misc_enable(0, val);
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_MONITOR);
	init();
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], MSR_IA32_MISC_ENABLE, &val));
	EXPECT_EQ(0, val & MISC_ENABLE_MONITOR_FSM);
	misc_enable(0, val | MISC_ENABLE_MONITOR_FSM); /* kept, but what is hidden stays hidden */
	EXPECT_EQ(0, ask(1, 0).c & CPUID1_ECX_MONITOR);
}

static u32 rng_seed;

static void random_host(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u32 x = rng_seed ^ (leaf * 2654435761u) ^ (subleaf * 40503u);

	*r = (struct cpuid_regs){ x * 0x9e3779b1u, x * 0x85ebca6bu, x * 0xc2b2ae35u,
				  x * 0x27d4eb2fu };
	if (leaf == 0)
		r->a = 0x1f;
	if (leaf == 0x80000000)
		r->a = 0x80000008;
}

/* Nothing but APIC, timer, TSC_ADJUST, ARAT and hypervisor bits is shown that the host lacks. */
static void test_shown_is_subset_of_host(void)
{
	for (int round = 0; round < 50; round++) {
		struct cpuid_regs h, r;

		init();
		rng_seed = (u32)test_rng();
		g.p.cpuid = NULL;
		fake.cpuid_fn = random_host;
		EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
		EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
		random_host(1, 0, &h);
		r = ask(1, 0);
		EXPECT_EQ(0, r.d & ~h.d);
		EXPECT_EQ(0, r.c & ~(h.c | CPUID1_ECX_TSC_DEADLINE | CPUID1_ECX_X2APIC |
				     CPUID1_ECX_HYPERVISOR));
		random_host(7, 0, &h);
		r = ask(7, 0);
		EXPECT_EQ(0, r.b & ~(h.b | CPUID7_EBX_TSC_ADJUST));
		EXPECT_EQ(0, r.c & ~h.c);
		EXPECT_EQ(0, r.d & ~h.d);
		random_host(0x80000001, 0, &h);
		r = ask(0x80000001, 0);
		EXPECT_EQ(0, (r.c & ~h.c) | (r.d & ~h.d));
	}
}

static void test_per_vp_bits_follow_the_vp(void)
{
	init();
	g.vp[0].apic_id = 0x15;
	EXPECT_EQ(0x15, ask(1, 0).b >> 24);
	EXPECT_EQ(0x15, ask(0xb, 0).d);
	EXPECT_EQ(0, ask(1, 0).c & CPUID1_ECX_OSXSAVE);
	EXPECT_EQ(0, ask(7, 0).c & CPUID7_ECX_OSPKE);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_OSXSAVE | CR4_PKE;
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_OSXSAVE);
	EXPECT_NE(0, ask(7, 0).c & CPUID7_ECX_OSPKE);
	EXPECT_NE(0, ask(1, 0).d & CPUID1_EDX_APIC);
	g.vp[0].apic.base_msr &= ~APIC_BASE_EN;
	EXPECT_EQ(0, ask(1, 0).d & CPUID1_EDX_APIC);
	EXPECT_NE(0, ask(0x80000001, 0).d & CPUID80000001_EDX_SYSCALL);
	fake.vmcs[VMCS_GUEST_CS_AR] &= ~(u64)AR_L;
	EXPECT_EQ(0, ask(0x80000001, 0).d & CPUID80000001_EDX_SYSCALL);
}

static void bare(struct partition *p)
{
	p->config.cpu_features = 0;
	p->machine.x2apic = false;
	p->machine.cpuid_tsc_trusted = false;
}

static void test_configuration_decides(void)
{
	struct cpuid_regs r;

	init();
	r = ask(0x40000000, 0);
	EXPECT_EQ(0x40000010, r.a);
	EXPECT_MEMEQ("KVMKVMKVM\0\0\0", &r.b, 12);
	EXPECT_NE(0, ask(0x40000001, 0).a); /* which bits: test_kvm_leaf.c */
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_HYPERVISOR);
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_X2APIC);
	EXPECT_NE(0, ask(0x15, 0).a);

	fake_guest_init(&g, 1, bare);
	EXPECT_EQ(0, ask(0x40000000, 0).a | ask(0x40000000, 0).b | ask(0x40000001, 0).a);
	EXPECT_EQ(0, ask(1, 0).c & (CPUID1_ECX_HYPERVISOR | CPUID1_ECX_X2APIC));
	EXPECT_NE(0, ask(1, 0).c & CPUID1_ECX_TSC_DEADLINE);
	EXPECT_EQ(0, ask(0x15, 0).a | ask(0x15, 0).b | ask(0x16, 0).a);
}

static void no_controls(struct partition *p)
{
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS2, 0);
}

static void test_instructions_need_their_control(void)
{
	init();
	EXPECT_NE(0, ask(7, 0).b & CPUID7_EBX_INVPCID);
	EXPECT_NE(0, ask(0xd, 1).a & CPUIDD_1_EAX_XSAVES);
	fake_guest_init(&g, 1, no_controls);
	EXPECT_EQ(0, ask(7, 0).b & CPUID7_EBX_INVPCID);
	EXPECT_EQ(0, ask(7, 0).c & CPUID7_ECX_RDPID);
	EXPECT_EQ(0, ask(0x80000001, 0).d & CPUID80000001_EDX_RDTSCP);
	EXPECT_EQ(0, ask(0xd, 1).a & CPUIDD_1_EAX_XSAVES);
	EXPECT_NULL(msr_lookup(&g.p, MSR_IA32_TSC_AUX));
	EXPECT_NULL(msr_lookup(&g.p, MSR_IA32_XSS));
}

static void test_xd_disable_hides_nx(void)
{
	init();
	EXPECT_NE(0, ask(0x80000001, 0).d & CPUID80000001_EDX_NX);
	misc_enable(0, MISC_ENABLE_XD_DISABLE);
	EXPECT_EQ(0, ask(0x80000001, 0).d & CPUID80000001_EDX_NX);
	misc_enable(0, 0);
	EXPECT_NE(0, ask(0x80000001, 0).d & CPUID80000001_EDX_NX);
}

/* Sizes of the SDM's own examples: legacy and header 576, with AVX 832, with AVX-512 2688. */
static void test_xsave_sizes_follow_xcr0(void)
{
	init();
	EXPECT_EQ(0x2e7, ask(0xd, 0).a);
	EXPECT_EQ(2696, ask(0xd, 0).c);
	EXPECT_EQ(576, ask(0xd, 0).b);
	g.vp[0].xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	EXPECT_EQ(832, ask(0xd, 0).b);
	EXPECT_EQ(832, ask(0xd, 1).b);
	g.vp[0].xcr0 |= XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM;
	EXPECT_EQ(2688, ask(0xd, 0).b);
	EXPECT_EQ(832 + 64 + 512 + 1024, ask(0xd, 1).b); /* compacted: no hole of MPX */
	g.vp[0].xcr0 |= XCR0_PKRU;
	EXPECT_EQ(2696, ask(0xd, 0).b);
	EXPECT_EQ(256, ask(0xd, 2).a);
	EXPECT_EQ(576, ask(0xd, 2).b);
	for (u32 i = 2; i < 70; i++) {
		bool shown = ask(0xd, i).a != 0;

		EXPECT_EQ(i < 32 && (0x2e7 >> i & 1), shown);
	}
}

static void no_pkru(struct partition *p)
{
	fake_cpuid_set(0xd, 9, 0, 0, 0, 0);
}

static void no_opmask(struct partition *p)
{
	fake_cpuid_set(0xd, 5, 0, 0, 0, 0);
}

/* What the host enumerates without a size would be written past the guest's XSAVE area. */
static void test_xsave_components_without_size_are_hidden(void)
{
	fake_guest_init(&g, 1, no_pkru);
	EXPECT_EQ(0xe7, ask(0xd, 0).a);
	EXPECT_EQ(2688, ask(0xd, 0).c);
	EXPECT_EQ(0, ask(7, 0).c & CPUID7_ECX_PKU);
	fake_guest_init(&g, 1, no_opmask);
	EXPECT_EQ(0x207, ask(0xd, 0).a);
	EXPECT_EQ(0, ask(7, 0).b & CPUID7_EBX_AVX512F);
}

static void on_bochs(struct partition *p)
{
	p->machine.is_bochs = true;
}

static void test_compacted_format_is_hidden_on_bochs(void)
{
	init();
	EXPECT_EQ(0xf, ask(0xd, 1).a & 0xf);
	fake_guest_init(&g, 1, on_bochs);
	EXPECT_EQ(CPUIDD_1_EAX_XSAVEOPT | CPUIDD_1_EAX_XGETBV_ECX1, ask(0xd, 1).a);
	EXPECT_EQ(0, ask(0xd, 1).b);
}

TEST_MAIN(TEST(test_hidden_features_stay_hidden), TEST(test_leaves_without_row_are_zero),
	  TEST(test_mwait_c1_offers_no_deeper_state), TEST(test_shown_is_subset_of_host),
	  TEST(test_per_vp_bits_follow_the_vp), TEST(test_configuration_decides),
	  TEST(test_instructions_need_their_control), TEST(test_xd_disable_hides_nx),
	  TEST(test_xsave_sizes_follow_xcr0), TEST(test_xsave_components_without_size_are_hidden),
	  TEST(test_compacted_format_is_hidden_on_bochs))
