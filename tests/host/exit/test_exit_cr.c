/* SPDX-License-Identifier: BSD-2-Clause */
/* core/exit/exit_cr.c and core/vp/guest_cr.c: writes of owned control-register bits, CR8, debug
 * registers.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "core/vp/guest_cr.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct vp *vp;
static u8 ram[0x4000];

#define QUAL_MOV_TO(cr, gpr)   ((u64)(cr) | (u64)(gpr) << 8)
#define QUAL_MOV_FROM(cr, gpr) (QUAL_MOV_TO(cr, gpr) | 1 << 4)
#define QUAL_CLTS              (2ull << 4)
#define QUAL_LMSW(src)         (3ull << 4 | (u64)(src) << 16)

static void init(void)
{
	fake_guest_init(&g, 1, NULL);
	vp = &g.vp[0];
	ctx_init(vp, 1, &exit_table_guest);
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_NE | CR0_ET;
	fake.vmcs[VMCS_CR0_READ_SHADOW] = CR0_PE | CR0_ET;
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | AR_TYPE_TSS_BUSY;
	fake.vmcs[VMCS_GUEST_CS_AR] = 0;
	fake.vmcs[VMCS_GUEST_EFER] = 0;
	fake.vmcs[VMCS_GUEST_CR4] = 0;
}

static enum exit_action access_cr(u64 qual)
{
	struct exit_info x = { .qual = qual };

	return exit_cr_access(vp, &x);
}

static enum exit_action write_cr0(u64 val)
{
	vp->regs.rcx = val;
	return access_cr(QUAL_MOV_TO(0, 1));
}

static void expect_gp(enum exit_action action)
{
	EXPECT_EQ(EXIT_RESUME, action);
	EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
	EXPECT_TRUE(vp->event.info & INTR_INFO_VALID);
}

static void test_owned_bits_are_shown_but_not_loaded(void)
{
	init();
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_CD | CR0_NW | CR0_WP | CR0_ET));
	EXPECT_EQ(CR0_PE | CR0_CD | CR0_NW | CR0_WP | CR0_ET, guest_cr0(vp));
	EXPECT_EQ(CR0_PE | CR0_NE | CR0_WP | CR0_ET, fake.vmcs[VMCS_GUEST_CR0]);
}

/* Rule M2: MTRRs that were written with CD = 1 take effect when it is cleared. */
static void test_caches_on_applies_the_mtrrs(void)
{
	init();
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_CD | CR0_ET));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_IA32_MTRR_FIX64K_00000, 0));
	EXPECT_EQ(0, vp->counters.c[COUNTER_MTRR_REBUILD]);
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_ET));
	EXPECT_EQ(1, vp->counters.c[COUNTER_MTRR_REBUILD]);
}

static void test_illegal_cr0_combinations_fault(void)
{
	static const u64 bad[] = { CR0_PG, CR0_PE | CR0_NW, CR0_PE | 1ull << 32 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		init();
		fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA;
		fake.vmcs[VMCS_GUEST_CS_AR] = AR_L; /* 64-bit operand */
		expect_gp(write_cr0(bad[i]));
	}
}

static void test_operand_has_32_bits_outside_64_bit_mode(void)
{
	init();
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_CD | 1ull << 40));
	EXPECT_EQ(CR0_PE | CR0_CD | CR0_ET, guest_cr0(vp));
}

/* MOV to CR0 that sets PG (and CD, so that it exits) in the four kinds of paging. */
static void test_paging_on_by_mode(void)
{
	init(); /* 32-bit */
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_PG | CR0_CD));
	EXPECT_EQ(1, fake.invvpids);

	init(); /* IA-32e */
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_PG | CR0_CD));
	EXPECT_EQ(EFER_LME | EFER_LMA, fake.vmcs[VMCS_GUEST_EFER]);
	EXPECT_TRUE(fake.vmcs[VMCS_VM_ENTRY_CTLS] & ENTRY_CTL_IA32E_GUEST);
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE)); /* and off again, from compatibility mode */
	EXPECT_EQ(EFER_LME, fake.vmcs[VMCS_GUEST_EFER]);
	EXPECT_FALSE(fake.vmcs[VMCS_VM_ENTRY_CTLS] & ENTRY_CTL_IA32E_GUEST);

	init(); /* IA-32e without PAE */
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME;
	expect_gp(write_cr0(CR0_PE | CR0_PG | CR0_CD));
	init(); /* IA-32e with CS.L */
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CS_AR] = AR_L;
	expect_gp(write_cr0(CR0_PE | CR0_PG | CR0_CD));
	init(); /* IA-32e with a 16-bit TSS */
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | AR_TYPE_TSS16_BUSY;
	expect_gp(write_cr0(CR0_PE | CR0_PG | CR0_CD));
}

static void test_pdptes_that_are_not_there_yet(void)
{
	u64 base, pdpte[4] = { 0x3001, 0, 0x5019, 0 };

	init();
	base = g.p.memory.e[0].base;
	fake_ram(ram, base, sizeof(ram));
	fake_far_add(&g.p, base + 0x1000, base + 0x2000);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = base + 0x1020;
	memcpy(ram + 0x1020, pdpte, sizeof(pdpte));
	for (u32 i = 0; i < 2; i++) {
		u64 cr0 = fake.vmcs[VMCS_GUEST_CR0], shadow = fake.vmcs[VMCS_CR0_READ_SHADOW];

		EXPECT_EQ(EXIT_RETRY, write_cr0(CR0_PE | CR0_PG | CR0_CD));
		EXPECT_EQ(cr0, fake.vmcs[VMCS_GUEST_CR0]);
		EXPECT_EQ(shadow, fake.vmcs[VMCS_CR0_READ_SHADOW]);
	}
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_PG | CR0_CD));
	EXPECT_EQ(0x3001, fake.vmcs[VMCS_GUEST_PDPTE0]);
}

static void test_pae_paging_loads_checked_pdptes(void)
{
	u64 pdpte[4] = { 0x3001, 0, 0x5019, 0 };

	init();
	fake_ram(ram, g.p.memory.e[0].base, sizeof(ram));
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = g.p.memory.e[0].base + 0x1020;
	memcpy(ram + 0x1020, pdpte, sizeof(pdpte));
	EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | CR0_PG | CR0_CD));
	EXPECT_EQ(0x3001, fake.vmcs[VMCS_GUEST_PDPTE0]);
	EXPECT_EQ(0x5019, fake.vmcs[VMCS_GUEST_PDPTE2]);

	init();
	fake_ram(ram, g.p.memory.e[0].base, sizeof(ram));
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = g.p.memory.e[0].base + 0x1020;
	pdpte[2] |= 2; /* reserved */
	memcpy(ram + 0x1020, pdpte, sizeof(pdpte));
	expect_gp(write_cr0(CR0_PE | CR0_PG | CR0_CD));
}

/* With PAE paging on, CD and NW load the PDPTEs again; other bits do not, nor other paging. */
static void test_cache_bits_load_pdptes_again(void)
{
	static const struct {
		u64 val;
		bool loads;
		u64 cr4, efer;
	} rows[] = {
		{ CR0_CD, true, CR4_PAE, 0 },
		{ CR0_CD | CR0_NW, true, CR4_PAE, 0 },
		{ CR0_WP, false, CR4_PAE, 0 },
		{ CR0_CD, false, 0, 0 },
		{ CR0_CD, false, CR4_PAE, EFER_LME | EFER_LMA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (u64 bad = 0; bad <= 2; bad += 2) {
			u64 pdpte[4] = { 0x3001 | bad }, on = CR0_PE | CR0_PG;

			init();
			fake_ram(ram, g.p.memory.e[0].base, sizeof(ram));
			fake.vmcs[VMCS_GUEST_CR0] |= CR0_PG;
			fake.vmcs[VMCS_CR0_READ_SHADOW] |= CR0_PG;
			fake.vmcs[VMCS_GUEST_CR4] = rows[i].cr4;
			fake.vmcs[VMCS_GUEST_EFER] = rows[i].efer;
			fake.vmcs[VMCS_GUEST_CR3] = g.p.memory.e[0].base + 0x1020;
			fake.vmcs[VMCS_GUEST_PDPTE0] = 0x5001;
			memcpy(ram + 0x1020, pdpte, sizeof(pdpte));
			if (rows[i].loads && bad != 0) {
				expect_gp(write_cr0(on | rows[i].val));
				EXPECT_EQ(on | CR0_ET, guest_cr0(vp));
				continue;
			}
			EXPECT_EQ(EXIT_NEXT, write_cr0(on | rows[i].val));
			EXPECT_EQ(rows[i].loads ? 0x3001 : 0x5001, fake.vmcs[VMCS_GUEST_PDPTE0]);
		}
	}
}

static void test_paging_off_rules(void)
{
	init();
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_PG;
	fake.vmcs[VMCS_CR0_READ_SHADOW] |= CR0_PG;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PCIDE;
	expect_gp(write_cr0(CR0_PE));
	init();
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_PG;
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME;
	fake.vmcs[VMCS_GUEST_CS_AR] = AR_L;
	expect_gp(write_cr0(CR0_PE));
}

/* SDM Vol. 3A "Operations that Invalidate TLBs and Paging-Structure Caches": a change of PG either
 * way, and CD that turns on. Nothing else that exits needs it. */
static void test_paging_and_cd_invalidate(void)
{
	static const struct {
		u64 from, to;
		u32 invvpids;
	} rows[] = {
		{ 0, CR0_PG, 1 },
		{ CR0_PG, 0, 1 },
		{ CR0_PG | CR0_CD, CR0_CD, 1 },
		{ CR0_PG, CR0_PG | CR0_CD, 1 },
		{ 0, CR0_CD, 1 },
		{ CR0_PG | CR0_CD, CR0_PG, 0 },
		{ CR0_PG | CR0_CD, CR0_PG | CR0_CD | CR0_NW, 0 },
		{ CR0_PG, CR0_PG | CR0_WP, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init();
		fake.vmcs[VMCS_GUEST_CR0] |= rows[i].from & CR0_PG;
		fake.vmcs[VMCS_CR0_READ_SHADOW] |= rows[i].from;
		EXPECT_EQ(EXIT_NEXT, write_cr0(CR0_PE | rows[i].to));
		EXPECT_EQ(rows[i].invvpids, fake.invvpids);
		if (rows[i].invvpids != 0)
			EXPECT_EQ(vp->ctx->vpid, fake.invvpid_vpid);
	}
}

static void test_any_exiting_cr4_write_is_illegal(void)
{
	init();
	vp->regs.rcx = CR4_VMXE;
	expect_gp(access_cr(QUAL_MOV_TO(4, 1)));
}

static void test_clts_and_lmsw(void)
{
	init();
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_TS;
	EXPECT_EQ(EXIT_NEXT, access_cr(QUAL_CLTS));
	EXPECT_FALSE(guest_cr0(vp) & CR0_TS);
	init();
	EXPECT_EQ(EXIT_NEXT, access_cr(QUAL_LMSW(0xfff6))); /* sets MP EM, clears TS, PE stays */
	EXPECT_EQ(CR0_PE | CR0_MP | CR0_EM | CR0_ET, guest_cr0(vp));
}

static void test_cr8_is_the_task_priority(void)
{
	init();
	vp->regs.rdx = 9;
	EXPECT_EQ(EXIT_NEXT, access_cr(QUAL_MOV_TO(8, 2)));
	EXPECT_EQ(0x90, vlapic_reg(&vp->apic, APIC_TPR));
	EXPECT_EQ(EXIT_NEXT, access_cr(QUAL_MOV_FROM(8, 8)));
	EXPECT_EQ(9, vp->regs.r8);
	vp->regs.rdx = 0x10;
	expect_gp(access_cr(QUAL_MOV_TO(8, 2)));
}

static enum exit_action access_dr(u64 qual)
{
	struct exit_info x = { .qual = qual };

	return exit_dr_access(vp, &x);
}

static void test_debug_registers_pass(void)
{
	init();
	vp->regs.rbx = 0x1234;
	EXPECT_EQ(EXIT_NEXT, access_dr(2 | 3 << 8));
	EXPECT_EQ(0x1234, fake.dr[2]);
	EXPECT_EQ(EXIT_NEXT, access_dr(2 | 1 << 4 | 6 << 8));
	EXPECT_EQ(0x1234, vp->regs.rsi);
	vp->regs.rbx = 0xffffffff;
	EXPECT_EQ(EXIT_NEXT, access_dr(7 | 3 << 8));
	EXPECT_EQ(0xffff2fff | DR7_FIXED, fake.vmcs[VMCS_GUEST_DR7]);
	EXPECT_EQ(EXIT_NEXT, access_dr(5 | 3 << 8)); /* DR5 is DR7 with CR4.DE = 0 */
	fake.dr[6] = 0xffff0ff2;
	EXPECT_EQ(EXIT_NEXT, access_dr(4 | 1 << 4 | 6 << 8)); /* and DR4 is DR6 */
	EXPECT_EQ(0xffff0ff2, vp->regs.rsi);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_DE;
	EXPECT_EQ(EXIT_RESUME, access_dr(5 | 3 << 8));
	EXPECT_EQ(EXC_UD, vp->event.info & 0xff);
}

/* SDM Vol. 2 "MOV - Move to/from Debug Registers": #GP for bits 63:32 of DR6 and DR7, by each of
 * their numbers; the addresses have 64 bits. */
static void test_high_bits_of_dr6_and_dr7_fault(void)
{
	for (u32 nr = 0; nr < 8; nr++) {
		for (u32 bit = 31; bit < 64; bit += 16) {
			init();
			fake.dr[6] = DR6_RESET;
			vp->regs.rbx = BIT64(bit);
			if (nr >= 4 && bit >= 32) {
				expect_gp(access_dr(nr | 3 << 8));
				EXPECT_EQ(DR6_RESET, fake.dr[6]);
				continue;
			}
			EXPECT_EQ(EXIT_NEXT, access_dr(nr | 3 << 8));
			if (nr < 4)
				EXPECT_EQ(BIT64(bit), fake.dr[nr]);
		}
	}
}

/* CR4 bits follow what CPUID shows, feature by feature. */
static void test_allowed_cr4_follows_cpuid(void)
{
	struct cpuid_regs r;
	u64 all;

	init();
	all = guest_cr4_allowed(vp);
	EXPECT_FALSE(all & (CR4_VMXE | CR4_SMXE | CR4_CET | CR4_PKS | CR4_UINTR | CR4_FRED));
	EXPECT_TRUE(all & CR4_PAE);
	cpuid_query(vp, 7, 0, &r);
	EXPECT_EQ((all & CR4_SMEP) != 0, (r.b & 1u << 7) != 0);
	cpuid_query(vp, 1, 0, &r);
	EXPECT_EQ((all & CR4_PCIDE) != 0, (r.c & 1u << 17) != 0);
	EXPECT_EQ((all & CR4_OSXSAVE) != 0, (r.c & 1u << 26) != 0);
}

TEST_MAIN(TEST(test_owned_bits_are_shown_but_not_loaded), TEST(test_caches_on_applies_the_mtrrs),
	  TEST(test_illegal_cr0_combinations_fault),
	  TEST(test_operand_has_32_bits_outside_64_bit_mode), TEST(test_paging_on_by_mode),
	  TEST(test_pdptes_that_are_not_there_yet), TEST(test_pae_paging_loads_checked_pdptes),
	  TEST(test_cache_bits_load_pdptes_again), TEST(test_paging_off_rules),
	  TEST(test_paging_and_cd_invalidate), TEST(test_any_exiting_cr4_write_is_illegal),
	  TEST(test_clts_and_lmsw), TEST(test_cr8_is_the_task_priority),
	  TEST(test_debug_registers_pass), TEST(test_high_bits_of_dr6_and_dr7_fault),
	  TEST(test_allowed_cr4_follows_cpuid))
