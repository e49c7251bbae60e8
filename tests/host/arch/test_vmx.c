/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/vmx_caps.c, vmx_ctls.c, mitigation.c: requirements, control words, decisions. */
#include "tests/host/harness.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "arch/x86/mitigation.h"
#include "arch/x86/vmx_caps.h"
#include "arch/x86/vmx_ctls.h"

/* Everything may be set, nothing must be. */
static struct vmx_caps generous(void)
{
	const u64 any = 0xffffffff00000000ull;

	return (struct vmx_caps){ .basic = VMX_BASIC_TRUE_CTLS | VMX_BASIC_INS_OUTS_INFO,
				  .misc = ~0ull,
				  .ept_vpid = ~0ull,
				  .pin = any,
				  .proc = any,
				  .proc2 = any,
				  .exit = any,
				  .entry = any };
}

static struct vmx_cpu good_cpu(void)
{
	return (struct vmx_cpu){ .vendor = "GenuineIntel",
				 .has_vmx = true,
				 .family = 6,
				 .model = 0x55,
				 .feature_control =
					 FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX };
}

static void expect_refused(const struct vmx_cpu *cpu, const char *word)
{
	char why[400] = "";

	EXPECT_EQ(ERR_NODEV, vmx_check_cpu(cpu, why, sizeof(why)));
	EXPECT_CONTAINS(why, word);
}

static void test_cpu_refusals_name_cause_and_remedy(void)
{
	struct vmx_cpu cpu = good_cpu();
	char why[400];

	EXPECT_EQ(ERR_NONE, vmx_check_cpu(&cpu, why, sizeof(why)));
	cpu.feature_control = 0; /* unlocked: ours to set */
	EXPECT_EQ(ERR_NONE, vmx_check_cpu(&cpu, why, sizeof(why)));
	cpu.feature_control = FEATURE_CONTROL_LOCK;
	expect_refused(&cpu, "locked off");
	cpu = good_cpu();
	memcpy(cpu.vendor, "AuthenticAMD", 12);
	expect_refused(&cpu, "AuthenticAMD");
	cpu = good_cpu();
	cpu.has_vmx = false;
	expect_refused(&cpu, "firmware setup");
	cpu.has_hypervisor = true;
	expect_refused(&cpu, "-cpu host,+vmx");
}

/* Each refusal says what to do; in a virtual machine what its owner can do comes first. */
static void test_the_remedy_of_a_virtual_machine_comes_first(void)
{
	static const struct vmx_caps none;
	struct vmx_cpu cpu = good_cpu();
	char why[400];

	cpu.has_vmx = false;
	EXPECT_EQ(ERR_NODEV, vmx_check_cpu(&cpu, why, sizeof(why)));
	EXPECT_CONTAINS(why, "; do this: enable \"Intel Virtualization Technology\"");
	cpu.has_hypervisor = true;
	EXPECT_EQ(ERR_NODEV, vmx_check_cpu(&cpu, why, sizeof(why)));
	EXPECT_CONTAINS(why, "; do this: start this virtual machine with VMX");
	EXPECT_CONTAINS(why, "kvm_intel.nested=1); else enable \"Intel");

	EXPECT_EQ(ERR_NODEV, vmx_check_caps(&none, false, why, sizeof(why)));
	EXPECT_CONTAINS(why, "; do this: use a CPU from 2010");
	EXPECT_EQ(ERR_NODEV, vmx_check_caps(&none, true, why, sizeof(why)));
	EXPECT_CONTAINS(why, "; do this: start this virtual machine with VMX");
	EXPECT_CONTAINS(why, "kvm_intel.nested=1); else use a CPU from 2010");
}

/*
 * By CPUID.1:EAX. All but the Xeon 5600 are in Linux's list, KVM's
 * vmx_preemption_cpu_tfms[], which names the specification update of each.
 */
static void test_each_broken_preemption_timer_is_known(void)
{
	static const u32 broken[] = { 0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e5,
				      0x20652, 0x20655, 0x206c2, 0x206e6, 0x306a8 };
	u32 found = 0;

	for (u32 model = 0; model < 0x100; model++) {
		for (u32 stepping = 0; stepping < 16; stepping++) {
			u32 eax = model >> 4 << 16 | 6u << 8 | (model & 0xf) << 4 | stepping;
			struct vmx_cpu cpu = good_cpu();
			bool want = false;

			for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
				want |= broken[i] == eax;
			cpu.model = (u8)model;
			cpu.stepping = (u8)stepping;
			EXPECT_EQ(want, vmx_timer_is_broken(&cpu));
			found += want;
			cpu.family = 15;
			EXPECT_FALSE(vmx_timer_is_broken(&cpu));
		}
	}
	EXPECT_EQ(ARRAY_SIZE(broken), found);
}

/* RDPMC: there is no PMU. DR7 and IA32_DEBUGCTL are the guest's on both ways (SDM Vol. 3C, "VM-Exit
 * Controls", "VM-Entry Controls"). All numbers are the SDM's. */
static void test_debug_registers_and_rdpmc_have_their_controls(void)
{
	const struct vmx_guest_features none = { 0 };
	const struct vmx_apicv off = { 0 };
	struct vmx_caps caps = generous();
	struct vmx_ctls c;

	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &none, &off, true, &c));
	EXPECT_TRUE(c.proc & 1u << 11);
	EXPECT_TRUE(c.exit & 1u << 2);
	EXPECT_TRUE(c.entry & 1u << 2);
	caps.proc &= ~(1ull << (32 + 11)); /* RDPMC exiting is wanted, not required */
	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &none, &off, true, &c));
	caps.exit &= ~(1ull << (32 + 2));
	EXPECT_EQ(ERR_NODEV, vmx_ctls_init(&caps, &none, &off, true, &c));
	caps = generous();
	caps.entry &= ~(1ull << (32 + 2));
	EXPECT_EQ(ERR_NODEV, vmx_ctls_init(&caps, &none, &off, true, &c));
}

/* A CPU that is not like the boot CPU is left out, with the register that differs. */
static void test_each_difference_is_named(void)
{
	struct vmx_caps boot = generous(), c = boot;
	const char *last = "";

	EXPECT_TRUE(vmx_caps_difference(&c, &boot) == NULL);
	for (size_t i = 0; i < sizeof(c) / sizeof(u64); i++) {
		const char *text;
		u64 val;

		memcpy(&val, (u8 *)&c + 8 * i, 8);
		val ^= BIT64(test_rng() % 64);
		memcpy((u8 *)&c + 8 * i, &val, 8);
		text = vmx_caps_difference(&c, &boot);
		EXPECT_TRUE(text != NULL && strcmp(text, last) != 0);
		EXPECT_CONTAINS(text, "its IA32_VMX_");
		last = text;
		c = boot;
	}
	c.misc ^= 1;
	EXPECT_CONTAINS(vmx_caps_difference(&c, &boot), "IA32_VMX_MISC");
}

/* SDM App. A.3: the value respects must-be-1 and may-be-1, and has all that must be on. */
static void test_adjusted_controls_respect_the_capability(void)
{
	for (u32 i = 0; i < 20000; i++) {
		u32 low = (u32)test_rng() & (u32)test_rng();
		u32 high = (u32)test_rng() | low;
		u32 want = (u32)test_rng(), must = (u32)(test_rng() & test_rng() & test_rng());
		u32 out = 0x12345678;
		err_t err = vmx_adjust_ctls(want, must, (u64)high << 32 | low, &out);

		if (must & ~high) {
			EXPECT_EQ(ERR_NODEV, err);
			EXPECT_EQ(0x12345678, out);
			continue;
		}
		EXPECT_EQ(ERR_NONE, err);
		EXPECT_EQ(0, out & ~high);
		EXPECT_EQ(low, out & low);
		EXPECT_EQ(must, out & must);
		EXPECT_EQ(want & high, out & want);
	}
}

static void test_controls_follow_guest_features(void)
{
	struct vmx_caps caps = generous();
	struct vmx_guest_features none = { 0 }, all = { true, true, true, true, true, true };
	const struct vmx_apicv off = { 0 }, on = { .tpr_shadow = true };
	const u32 idle = PROC_HLT_EXITING | PROC_MWAIT_EXITING | PROC_MONITOR_EXITING;
	struct vmx_ctls c;

	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &none, &off, true, &c));
	EXPECT_TRUE(c.pin & PIN_PREEMPTION_TIMER);
	EXPECT_EQ(0, c.proc2 & (PROC2_ENABLE_RDTSCP | PROC2_ENABLE_INVPCID | PROC2_ENABLE_XSAVES |
				PROC2_ENABLE_USER_WAIT_PAUSE));
	EXPECT_TRUE(c.proc & PROC_CR8_LOAD_EXITING);
	EXPECT_EQ(idle, c.proc & idle);
	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &all, &on, false, &c));
	EXPECT_FALSE(c.pin & PIN_PREEMPTION_TIMER);
	EXPECT_TRUE(c.proc2 & PROC2_ENABLE_RDTSCP);
	EXPECT_TRUE(c.proc2 & PROC2_ENABLE_INVPCID);
	EXPECT_TRUE(c.proc2 & PROC2_ENABLE_XSAVES);
	EXPECT_TRUE(c.proc2 & PROC2_ENABLE_USER_WAIT_PAUSE);
	EXPECT_TRUE(c.proc & PROC_USE_TPR_SHADOW);
	EXPECT_FALSE(c.proc & PROC_CR8_LOAD_EXITING);
	EXPECT_EQ(0, c.proc & idle);
	caps.proc2 &= ~((u64)PROC2_ENABLE_INVPCID << 32);
	EXPECT_EQ(ERR_NODEV, vmx_ctls_init(&caps, &all, &on, true, &c));
}

static void test_apicv_decisions(void)
{
	struct vmx_caps caps = generous();
	struct vmx_apicv a;
	const char *why = NULL;

	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_OFF, false, &a, &why));
	EXPECT_FALSE(a.tpr_shadow || a.register_virt || a.virt_intr_delivery || a.virt_x2apic);
	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_AUTO, false, &a, &why));
	EXPECT_TRUE(a.tpr_shadow && a.register_virt && a.virt_intr_delivery && a.virt_x2apic);
	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_AUTO, true, &a, &why));
	EXPECT_TRUE(a.register_virt && !a.virt_intr_delivery);
	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_ON, true, &a, &why));
	EXPECT_TRUE(a.virt_intr_delivery);
	caps.proc2 &= ~((u64)PROC2_VIRTUAL_INTR_DELIVERY << 32);
	EXPECT_EQ(ERR_NODEV, vmx_apicv_decide(&caps, APICV_ON, false, &a, &why));
	EXPECT_CONTAINS(why, "apicv=auto");
	caps.proc &= ~((u64)PROC_USE_TPR_SHADOW << 32);
	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_AUTO, false, &a, &why));
	EXPECT_FALSE(a.tpr_shadow || a.register_virt || a.virt_x2apic);
}

static void test_mitigation_table(void)
{
	struct mitigation_input in = { .arch_capabilities_present = true, .md_clear = true };
	char text[80];

	EXPECT_TRUE(mitigation_decide(&in) & MITIGATION_VERW);
	EXPECT_TRUE(mitigation_decide(&in) & MITIGATION_L1TF);
	in.arch_capabilities = ARCH_CAP_MDS_NO;
	EXPECT_FALSE(mitigation_decide(&in) & MITIGATION_VERW);
	in.arch_capabilities_present = false; /* the value is not there: affected */
	EXPECT_TRUE(mitigation_decide(&in) & MITIGATION_VERW);
	in.md_clear = false; /* VERW would do nothing */
	EXPECT_FALSE(mitigation_decide(&in) & MITIGATION_VERW);
	in.arch_capabilities_present = true;
	in.arch_capabilities = ARCH_CAP_SKIP_L1DFL_VMENTRY;
	EXPECT_FALSE(mitigation_decide(&in) & MITIGATION_L1TF);
	EXPECT_TRUE(mitigation_decide(&in) & MITIGATION_RETPOLINE);
	mitigation_describe(mitigation_decide(&in), text, sizeof(text));
	EXPECT_STREQ("retpoline rsb-fill", text);
	in.hidden = true;
	EXPECT_EQ(0, mitigation_decide(&in));
	mitigation_describe(0, text, sizeof(text));
	EXPECT_STREQ("none", text);
}

/*
 * Every combination of the inputs that matter, written out. Intel, "Microarchitectural Data
 * Sampling": VERW clears buffers on CPUs with MD_CLEAR, which MDS_NO makes unnecessary; "L1
 * Terminal Fault": RDCL_NO or SKIP_L1DFL_VMENTRY. Branch target injection has no "not affected" bit
 * here.
 */
static void test_every_mitigation_decision(void)
{
	enum { BTI = MITIGATION_RETPOLINE | MITIGATION_RSB_FILL };
	static const struct {
		bool md_clear, mds_no, rdcl_no, skip_flush;
		u32 want;
	} rows[] = {
		{ 0, 0, 0, 0, BTI | MITIGATION_L1TF },
		{ 0, 0, 0, 1, BTI },
		{ 0, 0, 1, 0, BTI },
		{ 0, 0, 1, 1, BTI },
		{ 0, 1, 0, 0, BTI | MITIGATION_L1TF },
		{ 0, 1, 0, 1, BTI },
		{ 0, 1, 1, 0, BTI },
		{ 0, 1, 1, 1, BTI },
		{ 1, 0, 0, 0, BTI | MITIGATION_VERW | MITIGATION_L1TF },
		{ 1, 0, 0, 1, BTI | MITIGATION_VERW },
		{ 1, 0, 1, 0, BTI | MITIGATION_VERW },
		{ 1, 0, 1, 1, BTI | MITIGATION_VERW },
		{ 1, 1, 0, 0, BTI | MITIGATION_L1TF },
		{ 1, 1, 0, 1, BTI },
		{ 1, 1, 1, 0, BTI },
		{ 1, 1, 1, 1, BTI },
	};
	/* SDM Vol. 4, IA32_ARCH_CAPABILITIES: RDCL_NO 0, SKIP_L1DFL_VMENTRY 3, MDS_NO 5,
	 * FB_CLEAR 17, RFDS_CLEAR 28. */
	const u64 known = 1u << 0 | 1u << 3 | 1u << 5 | 1u << 17 | 1u << 28;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mitigation_input in = { .arch_capabilities_present = true,
					       .md_clear = rows[i].md_clear };

		in.arch_capabilities = (u64)rows[i].rdcl_no | (u64)rows[i].skip_flush << 3 |
				       (u64)rows[i].mds_no << 5;
		EXPECT_EQ(rows[i].want, mitigation_decide(&in));
		in.arch_capabilities |= test_rng() & ~known; /* no other bit matters */
		EXPECT_EQ(rows[i].want, mitigation_decide(&in));
		in.arch_capabilities_present = false; /* affected by everything */
		EXPECT_EQ(rows[rows[i].md_clear ? 8 : 0].want, mitigation_decide(&in));
		in.all = true;
		EXPECT_EQ(BTI | MITIGATION_VERW, mitigation_decide(&in));
		in.hidden = true;
		EXPECT_EQ(0, mitigation_decide(&in));
	}
}

/*
 * What else VERW is for, on CPUs that MDS does not affect. Intel, "TSX Asynchronous Abort": TAA_NO
 * 8, with RTM; "Processor MMIO Stale Data": SBDR_SSDP_NO 13, FBSDP_NO 14, PSDP_NO 15, FB_CLEAR 17.
 */
static void test_verw_for_newer_problems(void)
{
	const u64 mds_no = 1u << 5, taa_no = 1u << 8, fb_clear = 1u << 17;

	for (u32 i = 0; i < 64; i++) {
		struct mitigation_input in = { .arch_capabilities_present = true,
					       .rtm = i & 1,
					       .md_clear = i >> 1 & 1 };
		u64 stale_no = (u64)(i >> 3) << 13;
		bool taa = (i & 1) && (i >> 1 & 1);

		in.arch_capabilities = mds_no | stale_no | (i & 4 ? fb_clear : 0);
		EXPECT_EQ(taa || ((i & 4) && i >> 3 != 7),
			  (mitigation_decide(&in) & MITIGATION_VERW) != 0);
		in.arch_capabilities |= taa_no;
		EXPECT_EQ((i & 4) && i >> 3 != 7, (mitigation_decide(&in) & MITIGATION_VERW) != 0);
	}
}

/* Intel, "Register File Data Sampling": RFDS_NO 27; VERW clears the files with RFDS_CLEAR 28. */
static void test_verw_for_register_files(void)
{
	const u64 mds_no = 1u << 5;

	for (u64 i = 0; i < 4; i++) {
		struct mitigation_input in = { .arch_capabilities_present = true,
					       .arch_capabilities = mds_no | i << 27 };

		EXPECT_EQ(i == 2, (mitigation_decide(&in) & MITIGATION_VERW) != 0);
	}
}

static bool is_open(const char *name, const struct mitigation_input *in)
{
	struct mitigation_gap gap;

	for (u32 i = 0; mitigation_gap(i, in, &gap); i++) {
		if (strcmp(gap.name, name) == 0)
			return gap.is_open;
	}
	EXPECT_TRUE(false);
	return false;
}

/* PSCHANGE_MC_NO 6; RRSBA 19, BHI_NO 20. Without IA32_ARCH_CAPABILITIES nothing is promised. */
static void test_gaps_are_reported(void)
{
	for (u64 i = 0; i < 8; i++) {
		struct mitigation_input in = { .arch_capabilities_present = true,
					       .arch_capabilities = (i & 1) << 6 | i >> 1 << 19 };

		EXPECT_EQ((i & 1) == 0, is_open("itlb_multihit", &in));
		EXPECT_EQ(i >> 1 == 1, is_open("bhi", &in));
		in.hidden = true; /* mitigations=off: no thunks either */
		EXPECT_EQ(i >> 1 < 2, is_open("bhi", &in));
		in.hidden = in.arch_capabilities_present = false;
		EXPECT_TRUE(is_open("itlb_multihit", &in));
		EXPECT_FALSE(is_open("bhi", &in));
	}
}

static void expect_left_out(const struct vmx_cpu *cpu, const char *word)
{
	const char *why = vmx_left_out(cpu, true);

	EXPECT_TRUE(why != NULL);
	EXPECT_CONTAINS(why, word);
}

static void test_another_cpu_is_left_out_by_name(void)
{
	struct vmx_cpu cpu = good_cpu();

	EXPECT_TRUE(vmx_left_out(&cpu, true) == NULL);
	cpu.feature_control = 0; /* unlocked */
	EXPECT_TRUE(vmx_left_out(&cpu, true) == NULL);
	cpu.feature_control = FEATURE_CONTROL_LOCK;
	expect_left_out(&cpu, "locked off");
	cpu.feature_control_faults = true;
	expect_left_out(&cpu, "cannot be read");
	cpu.has_vmx = false;
	expect_left_out(&cpu, "no VMX");
	cpu = good_cpu();
	cpu.model = 0x1a;
	cpu.stepping = 4;
	expect_left_out(&cpu, "wrong rate");
	EXPECT_TRUE(vmx_left_out(&cpu, false) == NULL);
}

static void test_feature_control_is_locked_with_vmx_on(void)
{
	const u64 on = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	const u64 sgx = 1ull << 18;

	EXPECT_EQ(on, vmx_feature_control(0));
	EXPECT_EQ(on | sgx, vmx_feature_control(sgx));
	EXPECT_EQ(on, vmx_feature_control(on)); /* locked: writing it would fault */
	EXPECT_EQ(FEATURE_CONTROL_LOCK, vmx_feature_control(FEATURE_CONTROL_LOCK));
}

TEST_MAIN(TEST(test_cpu_refusals_name_cause_and_remedy),
	  TEST(test_the_remedy_of_a_virtual_machine_comes_first),
	  TEST(test_each_broken_preemption_timer_is_known),
	  TEST(test_debug_registers_and_rdpmc_have_their_controls),
	  TEST(test_each_difference_is_named), TEST(test_adjusted_controls_respect_the_capability),
	  TEST(test_controls_follow_guest_features), TEST(test_apicv_decisions),
	  TEST(test_mitigation_table), TEST(test_every_mitigation_decision),
	  TEST(test_verw_for_newer_problems), TEST(test_verw_for_register_files),
	  TEST(test_gaps_are_reported), TEST(test_another_cpu_is_left_out_by_name),
	  TEST(test_feature_control_is_locked_with_vmx_on))
