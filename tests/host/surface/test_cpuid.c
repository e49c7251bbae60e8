/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/cpuid.c, core/surface/cpuid_host_rows.c, core/surface/cpuid_xsave.c,
 * core/surface/exit_cpuid.c */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log_internal.h"
#include "core/surface/cpuid.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static struct cpuid_regs ask(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], leaf, subleaf, &r);
	return r;
}

static void init(void)
{
	fake_guest_init(&g, 1, NULL);
}

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

static void misc_enable(u32 vp, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[vp], MSR_IA32_MISC_ENABLE, val));
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

/* SDM: out of range answers as the highest basic leaf; hypervisor leaves are ours. */
static void test_out_of_range_is_highest_basic_leaf(void)
{
	static const u32 leaves[] = { 0x20, 0x3fffffff, 0x80000009, 0x8000ffff, 0xc0000000, ~0u };
	struct cpuid_regs top;

	init();
	top = ask(0x1f, 1);
	EXPECT_EQ(0x1f, ask(0, 0).a);
	EXPECT_NE(0, top.b);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = ask(leaves[i], 1);

		EXPECT_MEMEQ(&top, &r, sizeof(r));
	}
	EXPECT_EQ(0, ask(0x40000200, 0).a | ask(0x7fffffff, 0).a);
}

static void expect_leaf(struct vp *vp, u32 leaf, u32 subleaf, const struct cpuid_regs *want)
{
	struct cpuid_regs r;

	cpuid_query(vp, leaf, subleaf, &r);
	EXPECT_MEMEQ(want, &r, sizeof(r));
	vp->regs.rax = leaf;
	vp->regs.rcx = subleaf;
	EXPECT_EQ(EXIT_NEXT, exit_cpuid(vp, NULL));
	r = (struct cpuid_regs){ (u32)vp->regs.rax, (u32)vp->regs.rbx, (u32)vp->regs.rcx,
				 (u32)vp->regs.rdx };
	EXPECT_MEMEQ(want, &r, sizeof(r));
}

/* Host leaves that differ from each other. */
static void numbered_host(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	fake_host_cpuid(leaf, subleaf, r);
	if (leaf == 2 || leaf == 4)
		*r = (struct cpuid_regs){ leaf, leaf << 8, leaf << 16, subleaf };
}

static void numbered(struct partition *p)
{
	fake.cpuid_fn = numbered_host;
}

/*
 * IA32_MISC_ENABLE[22], SDM: "CPUID.00H returns a maximum value in EAX[7:0] of 2", "CPUID leaves
 * above 2 and below 80000000 are visible only when [it] has its default value of 0". On that VP.
 */
static void test_limit_cpuid_is_one_vps(void)
{
	static const u32 leaves[] = { 0, 1, 2, 3, 4, 7, 0xb, 0xd, 0x1f, 0x20, 0x8000ffff };
	struct cpuid_regs before[ARRAY_SIZE(leaves)], ext, two, zero;

	fake_guest_init(&g, 2, numbered);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		cpuid_query(&g.vp[1], leaves[i], 1, &before[i]);
	ext = ask(0x80000008, 0);
	zero = ask(0, 0);
	zero.a = 2;
	misc_enable(0, MISC_ENABLE_LIMIT_CPUID);
	two = ask(2, 0);
	EXPECT_EQ(0x200, two.b);
	expect_leaf(&g.vp[0], 0, 0, &zero);
	for (size_t i = 2; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[0], leaves[i], 0, &two);
	expect_leaf(&g.vp[0], 0x80000008, 0, &ext);
	EXPECT_NE(0, ask(0x40000001, 0).a); /* hypervisor leaves are not the CPU's */
	EXPECT_EQ(0x1f, cpuid_base(&g.p, 0, 0).a);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[1], leaves[i], 1, &before[i]);
	misc_enable(1, MISC_ENABLE_LIMIT_CPUID);
	misc_enable(0, 0);
	EXPECT_EQ(0x1f, ask(0, 0).a);
	expect_leaf(&g.vp[1], 4, 0, &two);
	misc_enable(1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[1], leaves[i], 1, &before[i]);
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

static void small_host(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	*r = (struct cpuid_regs){ leaf, leaf, leaf, leaf };
	if (leaf == 0)
		r->a = 2;
	/* A CPU answers what it does not have with rubbish: nobody may ask. */
	if ((leaf > 2 && leaf < 0x80000000) || leaf > 0x80000004)
		fail_msg("host was asked for leaf 0x%x", leaf);
	if (leaf == 0x80000000)
		r->a = 0x80000004;
}

static void test_absent_host_leaves_are_not_asked(void)
{
	init();
	fake.cpuid_fn = small_host;
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	for (u32 leaf = 0; leaf < 0x40; leaf++)
		(void)ask(leaf, 0);
	for (u32 leaf = 0x80000000; leaf < 0x80000040; leaf++)
		(void)ask(leaf, 0);
	EXPECT_EQ(2, ask(0, 0).a);
	EXPECT_EQ(2, ask(7, 0).a);
	EXPECT_EQ(2, ask(0x80000008, 0).b);
	EXPECT_EQ(0, ask(1, 0).c & CPUID1_ECX_XSAVE);
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

/* The exit handler's short path and the query agree, for every leaf and random subleaves. */
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

static void test_exit_equals_query(void)
{
	struct vp *vp = &g.vp[0];

	init();
	for (u32 i = 0; i < 20000; i++) {
		static const u32 bases[] = { 0, 0x40000000, 0x80000000, 0x40000100, 0xc0000000 };
		u32 leaf = bases[test_rng() % ARRAY_SIZE(bases)] + (u32)(test_rng() % 0x30);
		u32 subleaf = (u32)(test_rng() % 12);
		struct cpuid_regs r = ask(leaf, subleaf);

		vp->regs.rax = 0xdead000000000000ull | leaf;
		vp->regs.rcx = 0xbeef000000000000ull | subleaf;
		EXPECT_EQ(EXIT_NEXT, exit_cpuid(vp, NULL));
		EXPECT_EQ(r.a, vp->regs.rax);
		EXPECT_EQ(r.b, vp->regs.rbx);
		EXPECT_EQ(r.c, vp->regs.rcx);
		EXPECT_EQ(r.d, vp->regs.rdx);
	}
}

/* The bench's leaves may not touch the VMCS: a VMREAD costs a nested exit. */
static void test_static_leaves_cost_no_vmread(void)
{
	init();
	fake.vmreads = 0;
	fake.cpuid_calls = 0;
	g.vp[0].regs.rax = 0;
	(void)exit_cpuid(&g.vp[0], NULL);
	g.vp[0].regs.rax = 0x40000001;
	(void)exit_cpuid(&g.vp[0], NULL);
	EXPECT_EQ(0, fake.vmreads + fake.cpuid_calls);
}

static void test_overlap_is_refused_by_name(void)
{
	static const struct cpuid_row mine = { .leaf = 7,
					       .subleaf = CPUID_ANY,
					       .name = "intruder" };

	init();
	log_reset();
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_BUSY, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_CONTAINS(fake.console, "intruder");
	EXPECT_CONTAINS(fake.console, "extended features");
}

/* Bits come from whoever is live; a leaf must exist, and a bit is one feature's. */
static void test_bits_are_added_to_rows(void)
{
	static const struct cpuid_row mine = {
		.leaf = 0x40000003, .subleaf = CPUID_ANY, .name = "mine", .set = { .b = 1 }
	};
	static const struct cpuid_regs none = { 0 };
	static const struct cpuid_regs a = { .a = 2 }, ad = { .a = 2, .d = 4 }, b = { .b = 1 },
				       d = { .d = 4 };

	init();
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 1, &a, &none, "late"));
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_EQ(ERR_NOENT, cpuid_add_bits(&g.p, 0x40000004, &a, &none, "nowhere"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, 0x40000003, &a, &none, "first"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 0x40000003, &ad, &none, "second"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 0x40000003, &b, &none, "the row's own"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, 0x40000003, &d, &none, "third"));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	EXPECT_EQ(2, ask(0x40000003, 0).a);
	EXPECT_EQ(1, ask(0x40000003, 0).b);
	EXPECT_EQ(4, ask(0x40000003, 0).d);
}

/* A bit that several features have is theirs only: each must say so, the first one too. */
static void test_shared_bits(void)
{
	static const struct cpuid_row mine = {
		.leaf = 0x40000003, .subleaf = CPUID_ANY, .name = "mine", .set = { .a = 8 }
	};
	static const struct cpuid_regs none = { 0 }, one = { .a = 1 }, two = { .a = 2 },
				       both = { .a = 3 }, own = { .a = 4 }, own_one = { .a = 5 },
				       row = { .a = 8 };
	const u32 leaf = 0x40000003;

	init();
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &both, &one, "first"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &own_one, &one, "second"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &one, &one, "third"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &one, &none, "shares nothing"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &two, &two, "wants the first's"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &own, &own, "wants the second's"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &row, &row, "wants the row's"));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	EXPECT_EQ(15, ask(leaf, 0).a);
}

TEST_MAIN(TEST(test_mwait_c1_offers_no_deeper_state), TEST(test_hidden_features_stay_hidden),
	  TEST(test_leaves_without_row_are_zero), TEST(test_shown_is_subset_of_host),
	  TEST(test_per_vp_bits_follow_the_vp), TEST(test_configuration_decides),
	  TEST(test_instructions_need_their_control), TEST(test_out_of_range_is_highest_basic_leaf),
	  TEST(test_absent_host_leaves_are_not_asked), TEST(test_xsave_sizes_follow_xcr0),
	  TEST(test_xsave_components_without_size_are_hidden),
	  TEST(test_compacted_format_is_hidden_on_bochs), TEST(test_exit_equals_query),
	  TEST(test_static_leaves_cost_no_vmread), TEST(test_overlap_is_refused_by_name),
	  TEST(test_bits_are_added_to_rows), TEST(test_shared_bits),
	  TEST(test_limit_cpuid_is_one_vps), TEST(test_xd_disable_hides_nx))
