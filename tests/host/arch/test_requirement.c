/* SPDX-License-Identifier: BSD-2-Clause */
/* The requirement and feature tables as the machine report walks them: arch/x86/vmx_caps.c,
 * vmx_optional.c. */
#include "tests/host/harness.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "arch/x86/vmx_caps.h"
#include "arch/x86/vmx_ctls.h"
#include "arch/x86/vmx_optional.h"

static struct vmx_caps generous(void)
{
	return (struct vmx_caps){ .basic = ~0ull,
				  .misc = ~0ull,
				  .ept_vpid = ~0ull,
				  .pin = ~0ull,
				  .proc = ~0ull,
				  .proc2 = ~0ull,
				  .exit = ~0ull,
				  .entry = ~0ull };
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

static u32 count(const struct vmx_cpu *cpu, const struct vmx_caps *c,
		 enum vmx_requirement_state state)
{
	struct vmx_requirement r;
	u32 n = 0;

	for (u32 i = 0; vmx_requirement(i, cpu, c, &r); i++)
		n += r.state == state;
	return n;
}

static enum vmx_requirement_state state_of(const char *name, const struct vmx_cpu *cpu,
					   const struct vmx_caps *c)
{
	struct vmx_requirement r;

	for (u32 i = 0; vmx_requirement(i, cpu, c, &r); i++) {
		if (strcmp(r.name, name) == 0)
			return r.state;
	}
	EXPECT_TRUE(false);
	return VMX_REQUIREMENT_UNKNOWN;
}

static void test_every_row_is_one_word_with_a_reason_and_a_remedy(void)
{
	struct vmx_caps caps = generous();
	struct vmx_cpu cpu = good_cpu();
	struct vmx_requirement r, other;

	for (u32 i = 0; vmx_requirement(i, &cpu, &caps, &r); i++) {
		EXPECT_EQ(VMX_REQUIREMENT_MET, r.state);
		EXPECT_EQ(strlen(r.name), strspn(r.name, "abcdefghijklmnopqrstuvwxyz0123456789-"));
		EXPECT_TRUE(strlen(r.what) > 2 && strlen(r.why) > 5 && strlen(r.remedy) > 5);
		for (u32 j = 0; j < i; j++) {
			EXPECT_TRUE(vmx_requirement(j, &cpu, &caps, &other));
			EXPECT_TRUE(strcmp(other.name, r.name) != 0);
		}
	}
}

/* SDM App. A: the bits that Kensho cannot do without, by their numbers, with the register's place
 * in struct vmx_caps. A control counts in the upper half: it must be possible to set it. */
static const struct {
	size_t reg;
	u32 bit;
	const char *what;
} required[] = {
#define REG(name) offsetof(struct vmx_caps, name)
	{ REG(basic), 54, "instruction information for INS and OUTS" },
	{ REG(basic), 55, "true VMX controls" },
	{ REG(misc), 5, "saving of EFER.LMA on exit" },
	{ REG(misc), 6, "the HLT activity state" },
	{ REG(ept_vpid), 6, "4-level EPT" },
	{ REG(ept_vpid), 14, "write-back EPT tables" },
	{ REG(ept_vpid), 16, "2-MiB EPT pages" },
	{ REG(ept_vpid), 20, "single-context INVEPT" },
	{ REG(ept_vpid), 25, "single-context INVEPT" },
	{ REG(ept_vpid), 32, "single-context INVVPID" },
	{ REG(ept_vpid), 41, "single-context INVVPID" },
	{ REG(pin), 32 + 0, "external-interrupt exiting" },
	{ REG(pin), 32 + 3, "NMI exiting" },
	{ REG(pin), 32 + 5, "virtual NMIs" },
	{ REG(proc), 32 + 2, "interrupt-window exiting" },
	{ REG(proc), 32 + 3, "TSC offsetting" },
	{ REG(proc), 32 + 7, "HLT exiting" },
	{ REG(proc), 32 + 22, "NMI-window exiting" },
	{ REG(proc), 32 + 25, "I/O bitmaps" },
	{ REG(proc), 32 + 28, "MSR bitmaps" },
	{ REG(proc), 32 + 31, "secondary processor-based controls" },
	{ REG(proc2), 32 + 1, "EPT" },
	{ REG(proc2), 32 + 5, "VPID" },
	{ REG(proc2), 32 + 7, "unrestricted guest" },
	{ REG(exit), 32 + 9, "64-bit host" },
	{ REG(exit), 32 + 15, "acknowledge interrupt on exit" },
	{ REG(exit), 32 + 18, "PAT switching" },
	{ REG(exit), 32 + 19, "PAT switching" },
	{ REG(exit), 32 + 20, "EFER switching" },
	{ REG(exit), 32 + 21, "EFER switching" },
	{ REG(entry), 32 + 9, "EFER, PAT and long-mode entry controls" },
	{ REG(entry), 32 + 14, "EFER, PAT and long-mode entry controls" },
	{ REG(entry), 32 + 15, "EFER, PAT and long-mode entry controls" },
#undef REG
};

/* What the refusal without this bit says first; NULL: it is not required. */
static const char *what_is_missing(size_t reg, u32 bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (required[i].reg == reg && required[i].bit == bit)
			return required[i].what;
	}
	return NULL;
}

static void test_each_required_capability_is_named(void)
{
	char why[400], want[100];

	for (size_t reg = 0; reg < sizeof(struct vmx_caps); reg += sizeof(u64)) {
		for (u32 bit = 0; bit < 64; bit++) {
			const char *what = what_is_missing(reg, bit);
			struct vmx_caps c = generous();
			u64 val;

			memcpy(&val, (u8 *)&c + reg, sizeof(val));
			val &= ~(1ull << bit);
			memcpy((u8 *)&c + reg, &val, sizeof(val));
			EXPECT_EQ(what != NULL ? ERR_NODEV : ERR_NONE,
				  vmx_check_caps(&c, false, why, sizeof(why)));
			if (what == NULL)
				continue;
			snprintf(want, sizeof(want), "lacks %s (needed because ", what);
			EXPECT_CONTAINS(why, want);
		}
	}
}

/* The report says "missing" exactly when the boot is refused, whatever bit is taken away. */
static void test_report_and_refusal_agree_on_every_bit(void)
{
	struct vmx_caps c = generous();
	u64 *const reg[] = { &c.basic, &c.misc,  &c.ept_vpid, &c.pin,
			     &c.proc,  &c.proc2, &c.exit,     &c.entry };
	struct vmx_cpu cpu = good_cpu();
	char why[400];

	for (size_t i = 0; i < ARRAY_SIZE(reg); i++) {
		for (u32 bit = 0; bit < 64; bit++) {
			bool refused;

			*reg[i] &= ~(1ull << bit);
			refused = vmx_check_caps(&c, false, why, sizeof(why)) != ERR_NONE;
			EXPECT_EQ(refused, count(&cpu, &c, VMX_REQUIREMENT_MISSING));
			*reg[i] = ~0ull;
		}
	}
}

/* Of the class that a CPU with true controls may still not clear: none may lack it (SDM Vol. 3D,
 * "VM-Exit Controls", "VM-Entry Controls"). */
static bool is_always_there(const u64 *reg, const struct vmx_caps *c, u32 control)
{
	return (reg == &c->exit && control == EXIT_CTL_SAVE_DEBUG) ||
	       (reg == &c->entry && control == ENTRY_CTL_LOAD_DEBUG);
}

/* What no row requires the boot does without, whatever control a CPU or an outer hypervisor lacks.
 */
static void test_the_boot_does_without_what_no_row_requires(void)
{
	static const struct vmx_guest_features plain;
	struct vmx_caps c = generous();
	u64 *const reg[] = { &c.pin, &c.proc, &c.proc2, &c.exit, &c.entry };
	struct vmx_apicv apicv;
	struct vmx_ctls ctls;
	const char *no;
	char why[400];

	for (size_t i = 0; i < ARRAY_SIZE(reg); i++) {
		for (u32 bit = 0; bit < 32; bit++) {
			bool timer = reg[i] != &c.pin || BIT32(bit) != PIN_PREEMPTION_TIMER;

			*reg[i] = 0xffffffff00000000ull & ~(1ull << (32 + bit));
			if (vmx_check_caps(&c, false, why, sizeof(why)) == ERR_NONE &&
			    !is_always_there(reg[i], &c, BIT32(bit))) {
				EXPECT_EQ(ERR_NONE,
					  vmx_apicv_decide(&c, APICV_AUTO, false, &apicv, &no));
				EXPECT_EQ(ERR_NONE,
					  vmx_ctls_init(&c, &plain, &apicv, timer, &ctls));
			}
			*reg[i] = ~0ull;
		}
	}
}

/* Controls that are switched on later, when a guest asks for it. */
static void test_controls_of_the_run_are_required(void)
{
	static const u32 later[] = { PROC_USE_TSC_OFFSETTING, PROC_INTERRUPT_WINDOW_EXITING,
				     PROC_NMI_WINDOW_EXITING, PROC_HLT_EXITING };
	struct vmx_caps c = generous();
	char why[400];

	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		c.proc = ~((u64)later[i] << 32);
		EXPECT_EQ(ERR_NODEV, vmx_check_caps(&c, false, why, sizeof(why)));
	}
}

static void test_without_vmx_the_registers_are_unknown(void)
{
	struct vmx_cpu cpu = good_cpu();
	char why[400];

	cpu.has_vmx = false;
	cpu.feature_control = 0;
	EXPECT_EQ(1, count(&cpu, NULL, VMX_REQUIREMENT_MISSING));
	EXPECT_EQ(1, count(&cpu, NULL, VMX_REQUIREMENT_MET)); /* vendor */
	EXPECT_EQ(VMX_REQUIREMENT_MISSING, state_of("vmx", &cpu, NULL));
	EXPECT_EQ(VMX_REQUIREMENT_UNKNOWN, state_of("vmx-not-locked-off", &cpu, NULL));
	EXPECT_EQ(VMX_REQUIREMENT_UNKNOWN, state_of("ept", &cpu, NULL));
	EXPECT_EQ(ERR_NODEV, vmx_check_cpu(&cpu, why, sizeof(why)));

	cpu = good_cpu();
	cpu.feature_control = FEATURE_CONTROL_LOCK;
	EXPECT_EQ(1, count(&cpu, NULL, VMX_REQUIREMENT_MISSING));
	EXPECT_EQ(VMX_REQUIREMENT_MISSING, state_of("vmx-not-locked-off", &cpu, NULL));
	memcpy(cpu.vendor, "AuthenticAMD", 12);
	EXPECT_EQ(VMX_REQUIREMENT_MISSING, state_of("vendor", &cpu, NULL));
}

static bool find_optional(const char *name, const struct vmx_caps *c, const struct vmx_ctls *ctls,
			  struct vmx_optional *out)
{
	for (u32 i = 0; vmx_optional(i, c, ctls, out); i++) {
		if (strcmp(out->name, name) == 0)
			return true;
	}
	return false;
}

static void test_optional_features_are_used_when_their_control_is_on(void)
{
	struct vmx_caps c = { .proc2 = (u64)(PROC2_ENABLE_INVPCID | PROC2_ENABLE_PML) << 32,
			      .ept_vpid = EPT_VPID_CAP_1G | EPT_VPID_CAP_AD };
	struct vmx_ctls ctls = { .proc2 = PROC2_ENABLE_INVPCID };
	struct vmx_optional o;

	EXPECT_TRUE(find_optional("invpcid", &c, &ctls, &o) && o.present && o.used);
	EXPECT_TRUE(find_optional("pml", &c, &ctls, &o) && o.present && !o.used);
	EXPECT_TRUE(find_optional("xsaves", &c, &ctls, &o) && !o.present && !o.used);
	EXPECT_TRUE(find_optional("tpr-shadow", &c, &ctls, &o) && !o.present && !o.used);
	EXPECT_TRUE(find_optional("ept-1g", &c, &ctls, &o) && o.present && o.used);
	EXPECT_TRUE(find_optional("ept-accessed-dirty", &c, &ctls, &o) && o.present && !o.used);
	c.ept_vpid = 0;
	EXPECT_TRUE(find_optional("ept-1g", &c, &ctls, &o) && !o.present && !o.used);
}

TEST_MAIN(TEST(test_every_row_is_one_word_with_a_reason_and_a_remedy),
	  TEST(test_each_required_capability_is_named),
	  TEST(test_report_and_refusal_agree_on_every_bit),
	  TEST(test_the_boot_does_without_what_no_row_requires),
	  TEST(test_controls_of_the_run_are_required),
	  TEST(test_without_vmx_the_registers_are_unknown),
	  TEST(test_optional_features_are_used_when_their_control_is_on))
