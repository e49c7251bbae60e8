/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/npiep.c: the MSR, the control behind it, and who gets #GP. */
#include "tests/host/harness.h"

#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void npiep(struct partition *p)
{
	p->config.cpu_features |= BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_NPIEP);
}

static void npiep_without_control(struct partition *p)
{
	npiep(p);
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS2,
		     0xffffffff00000000ull & ~((u64)PROC2_DESCRIPTOR_TABLE_EXITING << 32));
}

static bool has_bit(void)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], 0x40000003, 0, &r);
	return (r.d & HV_FEATURE_NPIEP_AVAILABLE) != 0;
}

static bool is_exiting(const struct vp *vp)
{
	return (vp->ctx->word[CTX_PROC2] & PROC2_DESCRIPTOR_TABLE_EXITING) != 0;
}

static void test_off_is_gp(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], HV_X64_MSR_NPIEP_CONFIG, &val));
	EXPECT_EQ(EXIT_CLASS_STOP,
		  exit_table_row(&exit_table_guest, EXIT_REASON_GDTR_IDTR_ACCESS)->class);
	fake_guest_init(&g, 1, npiep_without_control);
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], HV_X64_MSR_NPIEP_CONFIG, 0));
	EXPECT_FALSE(has_bit());
}

static void test_msr(void)
{
	struct vp *vp = &g.vp[0];
	u64 val = 5;

	fake_guest_init(&g, 2, npiep);
	EXPECT_TRUE(has_bit());
	EXPECT_EQ(MSR_OK, msr_read(vp, HV_X64_MSR_NPIEP_CONFIG, &val));
	EXPECT_EQ(0, val);
	for (u32 bit = 4; bit < 64; bit++)
		EXPECT_EQ(MSR_GP, msr_write(vp, HV_X64_MSR_NPIEP_CONFIG, BIT64(bit)));
	for (u64 on = 1; on <= 15; on++) {
		EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_NPIEP_CONFIG, on));
		EXPECT_EQ(MSR_OK, msr_read(vp, HV_X64_MSR_NPIEP_CONFIG, &val));
		EXPECT_EQ(on, val);
		EXPECT_TRUE(is_exiting(vp));
		EXPECT_FALSE(is_exiting(&g.vp[1])); /* of one VP */
	}
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_NPIEP_CONFIG, 0));
	EXPECT_FALSE(is_exiting(vp));
}

static void test_reset(void)
{
	for (u32 init = 0; init < 2; init++) {
		u64 val = 5;

		fake_guest_init(&g, 1, npiep);
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_NPIEP_CONFIG, 15));
		vp_reset(&g.vp[0], init);
		EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], HV_X64_MSR_NPIEP_CONFIG, &val));
		EXPECT_EQ(0, val);
		EXPECT_FALSE(is_exiting(&g.vp[0]));
	}
}

/* The exits' rows, with @identity, at @cpl; the instruction at RIP is another: it starts again. */
static bool is_refused(u32 reason, u32 identity, u32 cpl)
{
	struct vp *vp = &g.vp[0];

	vp->event.info = 0;
	fake.vmcs[VMCS_EXIT_REASON] = reason;
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] = FIELD_PREP(INSTR_INFO_IDENTITY, identity);
	fake.vmcs[VMCS_GUEST_SS_AR] = (fake.vmcs[VMCS_GUEST_SS_AR] & ~0x60ull) | cpl << 5;
	fake.vmcs[VMCS_GUEST_CR3] = GUEST_RAM_BASE; /* no page tables: the fetch is #PF */
	memset(g.ram, 0, sizeof(g.ram));
	EXPECT_EQ(EXIT_RESUME, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
	EXPECT_NE(0, vp->event.info & INTR_INFO_VALID);
	return (vp->event.info & INTR_INFO_VECTOR) == EXC_GP;
}

/* Each bit forbids one instruction, above CPL 0; loads are never refused. */
static void test_who_gets_gp(void)
{
	fake_guest_init(&g, 1, npiep);
	for (u32 i = 0; i < 16 * 8 * 4; i++) {
		u32 bits = i & 15, which = i >> 4 & 3, ldtr = i >> 6 & 1, cpl = i >> 7;
		bool forbidden = which < 2 && (bits >> (which + 2 * ldtr) & 1) && cpl != 0;

		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_NPIEP_CONFIG, bits));
		EXPECT_EQ(forbidden, is_refused(ldtr ? EXIT_REASON_LDTR_TR_ACCESS
						     : EXIT_REASON_GDTR_IDTR_ACCESS,
						which, cpl));
	}
}

TEST_MAIN(TEST(test_off_is_gp), TEST(test_msr), TEST(test_reset), TEST(test_who_gets_gp))
