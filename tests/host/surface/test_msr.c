/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/msr.c, core/surface/msr_arch_rows.c */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log_internal.h"
#include "core/exit/exit.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"
#include "core/surface/msr_internal.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void init(void)
{
	fake_guest_init(&g, 2, NULL);
	log_reset();
}

static enum msr_result rd(u32 msr, u64 *val)
{
	return msr_read(&g.vp[0], msr, val);
}

static enum msr_result wr(u32 msr, u64 val)
{
	return msr_write(&g.vp[0], msr, val);
}

/* --- Registry --- */

static const struct msr_row *const tables[] = { msr_arch_rows, mtrr_msr_rows, vlapic_msr_rows };

/* Slow model: walk every table. */
static const struct msr_row *linear_lookup(u32 msr)
{
	const u32 counts[] = { msr_arch_row_count, mtrr_msr_row_count, vlapic_msr_row_count };

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (u32 i = 0; i < counts[t]; i++) {
			const struct msr_row *r = &tables[t][i];

			if (msr >= r->first && msr <= r->last &&
			    (r->present == NULL || r->present(&g.p)))
				return r;
		}
	}
	return NULL;
}

static void test_lookup_equals_linear_search(void)
{
	init();
	for (u32 msr = 0; msr < 0x2000; msr++) {
		if (msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME)
			continue;
		EXPECT_EQ(linear_lookup(msr), msr_lookup(&g.p, msr));
		EXPECT_EQ(linear_lookup(msr + 0xc0000000), msr_lookup(&g.p, msr + 0xc0000000));
	}
	for (u32 i = 0; i < 100000; i++) {
		u32 msr = (u32)test_rng();

		if (msr >> 8 != MSR_KVM_WALL_CLOCK_NEW >> 8)
			EXPECT_EQ(linear_lookup(msr), msr_lookup(&g.p, msr));
	}
	EXPECT_NULL(msr_lookup(&g.p, ~0u));
}

/* The index is only short if probing is. */
static void test_probes_are_short(void)
{
	static const u32 hot[] = { MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW,
				   MSR_IA32_TSC_DEADLINE, X2APIC_MSR(APIC_ICR) };
	u32 probes = 0;

	init();
	for (u32 i = 0; i < MSR_INDEX_SLOTS; i++) {
		if (g.p.msr->row_of[i] != 0)
			probes += (u32)(i - msr_hash(g.p.msr->msr[i])) % MSR_INDEX_SLOTS + 1;
	}
	EXPECT_LE(probes, g.p.msr->used * 3 / 2);
	for (size_t i = 0; i < ARRAY_SIZE(hot); i++)
		EXPECT_EQ(hot[i], g.p.msr->msr[msr_hash(hot[i])]);
}

/* rdmsr_value.S looks at one slot, and must not find there what is not its MSR. */
static void test_short_reads(void)
{
	u32 rows = 0, found = 0;

	init();
	for (u32 i = 0; i < g.p.msr->count; i++) {
		const struct msr_row *row = g.p.msr->row[i];

		rows += row->get != NULL && msr_lookup(&g.p, row->first) == row;
	}
	for (u32 i = 0; i < MSR_INDEX_SLOTS; i++) {
		u32 msr = msr_values.msr[i];

		if (msr_hash(msr) != i)
			continue;
		found++;
		EXPECT_EQ(msr, g.p.msr->msr[i]);
		EXPECT_TRUE(msr_lookup(&g.p, msr)->get == msr_values.value[i]);
	}
	EXPECT_EQ(rows, found);
	EXPECT_GE(found, 5); /* KVM's clock, APIC_BASE */
}

static void test_overlap_is_refused_by_name(void)
{
	static const struct msr_row intruder = { .first = MSR_IA32_PAT - 5,
						 .last = MSR_IA32_PAT + 1,
						 .name = "intruder" };

	init();
	g.p.msr = NULL;
	EXPECT_EQ(ERR_NONE, msr_add_rows(&g.p, msr_arch_rows, msr_arch_row_count));
	EXPECT_EQ(ERR_NONE, msr_add_rows(&g.p, &intruder, 1));
	EXPECT_EQ(ERR_BUSY, msr_seal(&g.p));
	EXPECT_CONTAINS(fake.console, "intruder");
	EXPECT_CONTAINS(fake.console, "PAT");
}

static bool bitmap_bit(const u8 *map, u32 part, u32 nr)
{
	return map[part * 1024 + nr / 8] >> (nr % 8) & 1;
}

/* An exit is skipped only where a row passes the direction through, and never for what has no row.
 */
static void test_bitmap_is_the_rows(void)
{
	u8 map[4096];

	init();
	msr_bitmap_build(&g.p, map);
	for (u32 nr = 0; nr < 0x2000; nr++) {
		for (u32 high = 0; high < 2; high++) {
			const struct msr_row *r = msr_lookup(&g.p, nr + (high ? 0xc0000000 : 0));
			u32 flags = r != NULL ? r->flags : 0;

			EXPECT_EQ(!(flags & MSR_PASS_READ), bitmap_bit(map, high, nr));
			EXPECT_EQ(!(flags & MSR_PASS_WRITE), bitmap_bit(map, 2 + high, nr));
		}
	}
	msr_bitmap_intercept(map, MSR_IA32_FS_BASE, true, false);
	EXPECT_TRUE(bitmap_bit(map, 1, 0x100));
	EXPECT_FALSE(bitmap_bit(map, 3, 0x100));
	msr_bitmap_intercept(map, MSR_KVM_SYSTEM_TIME_NEW, false,
			     false); /* not covered: no effect */
}

/* Hypervisor memory is behind these: they must never pass. */
static void test_dangerous_msrs_never_pass(void)
{
	static const u32 msrs[] = { MSR_IA32_RTIT_CTL,
				    MSR_IA32_DS_AREA,
				    MSR_IA32_BIOS_UPDT_TRIG,
				    MSR_IA32_SMRR_PHYSBASE,
				    MSR_IA32_DEBUGCTL,
				    MSR_IA32_APIC_BASE,
				    MSR_IA32_MTRR_DEF_TYPE,
				    MSR_IA32_PERF_GLOBAL_CTRL,
				    MSR_IA32_VMX_BASIC,
				    MSR_IA32_FEATURE_CONTROL,
				    MSR_IA32_XSS,
				    MSR_IA32_TSC_ADJUST };
	u8 map[4096];

	init();
	msr_bitmap_build(&g.p, map);
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		EXPECT_TRUE(bitmap_bit(map, 2, msrs[i]));
}

/* --- Exits --- */

static void test_exit_registers(void)
{
	struct vp *vp = &g.vp[0];

	init();
	vp->regs.rcx = 0xffffffff00000000ull | MSR_IA32_TSC_ADJUST;
	vp->regs.rax = 0x1111111122222222ull;
	vp->regs.rdx = 0x3333333344444444ull;
	EXPECT_EQ(EXIT_NEXT, exit_wrmsr(vp, NULL));
	EXPECT_EQ(0x4444444422222222ull, vp->tsc_adjust);
	EXPECT_EQ(EXIT_NEXT, exit_rdmsr(vp, NULL));
	EXPECT_EQ(0x22222222, vp->regs.rax);
	EXPECT_EQ(0x44444444, vp->regs.rdx);
}

static void test_unknown_msr_faults_and_keeps_registers(void)
{
	struct vp *vp = &g.vp[0];

	init();
	vp->regs = (struct gpr_regs){ .rcx = 0x12345678, .rax = 0xaaaabbbbccccddddull, .rdx = 7 };
	EXPECT_EQ(EXIT_MSR_FAULT, exit_rdmsr(vp, NULL));
	EXPECT_EQ(0xaaaabbbbccccddddull, vp->regs.rax);
	EXPECT_EQ(7, vp->regs.rdx);
	EXPECT_EQ(EXIT_MSR_FAULT, exit_wrmsr(vp, NULL));
	exit_complete(vp, EXIT_MSR_FAULT);
	EXPECT_EQ(EXC_GP, vp->event.info & 0xff);
	EXPECT_EQ(1, vp->counters.c[COUNTER_MSR_GP]);
	EXPECT_CONTAINS(fake.console, "0x12345678");
}

static void exit_write(u32 vp, u32 msr, u64 val, enum exit_action want)
{
	g.vp[vp].regs = (struct gpr_regs){ .rcx = msr, .rax = (u32)val, .rdx = val >> 32 };
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_WRMSR;
	EXPECT_EQ(want, exit_wrmsr(&g.vp[vp], NULL));
	if (want != EXIT_NEXT)
		exit_complete(&g.vp[vp], want);
	g.vp[vp].event = (struct event_state){ 0 };
}

/* Who, what, where: else a guest's death by #GP has no cause in the log. */
static void test_refused_write_names_msr_value_and_rip(void)
{
	init();
	fake.vmcs[VMCS_GUEST_RIP] = 0xffffffff81001234ull;
	exit_write(1, MSR_IA32_MISC_ENABLE, 0x8000000000000002ull, EXIT_MSR_FAULT);
	EXPECT_CONTAINS(fake.console, "vp1: write of 0x8000000000000002 to MISC_ENABLE (MSR 0x1a0) "
				      "at RIP 0xffffffff81001234: #GP");
	exit_write(0, MSR_IA32_PAT, 2, EXIT_MSR_FAULT); /* refused by its function */
	EXPECT_CONTAINS(fake.console, "vp0: write of 0x2 to PAT (MSR 0x277)");
	exit_write(0, MSR_IA32_FEATURE_CONTROL, 5, EXIT_MSR_FAULT); /* read-only */
	EXPECT_CONTAINS(fake.console, "vp0: write of 0x5 to FEATURE_CONTROL (MSR 0x3a)");
}

static u32 lines_with(const char *text)
{
	u32 n = 0;

	for (const char *at = fake.console; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* An unknown MSR has its line, an accepted write has none, and a flood ends after ten lines. */
static void test_refused_writes_are_one_line_each_and_limited(void)
{
	init();
	exit_write(0, 0x12345678, 1, EXIT_MSR_FAULT);
	EXPECT_EQ(1, lines_with("vp0: write of"));
	exit_write(0, MSR_IA32_PAT, PAT_RESET, EXIT_NEXT);
	EXPECT_EQ(1, lines_with("vp0: write of"));
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_RDMSR;
	g.vp[0].regs.rcx = MSR_IA32_PRED_CMD; /* write-only */
	EXPECT_EQ(EXIT_MSR_FAULT, exit_rdmsr(&g.vp[0], NULL));
	exit_complete(&g.vp[0], EXIT_MSR_FAULT);
	EXPECT_EQ(1, lines_with("vp0: write of"));
	log_reset();
	fake.console[0] = '\0';
	fake.console_len = 0;
	for (u32 i = 0; i < 1000; i++)
		exit_write(0, MSR_IA32_MCG_STATUS, 1, EXIT_MSR_FAULT);
	EXPECT_EQ(10, lines_with("to MCG_STATUS"));
}

static void ignore(struct partition *p)
{
	p->config.ignore_msrs = true;
	p->config.report_ignored_msrs = true;
}

static void test_ignore_msrs(void)
{
	u64 val = 5;

	fake_guest_init(&g, 1, ignore);
	log_reset();
	EXPECT_EQ(MSR_OK, rd(0x12345678, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(MSR_OK, wr(0x12345678, 1));
	EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_MSR_IGNORED]);
	EXPECT_CONTAINS(fake.console, "ignored");
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_FEATURE_CONTROL, 1)); /* known rows keep their rules */
}

static void test_every_row_answers_without_host_msr(void)
{
	init();
	fake.msr_count = 0; /* every physical MSR faults */
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct msr_row *r = tables[t];
		     r < tables[t] + (t == 0 ? msr_arch_row_count : 1); r++) {
			u64 val = 0x5a5a;
			enum msr_result res = rd(r->first, &val);

			if (res == MSR_GP) /* nothing written on failure: it may be RAX */
				EXPECT_EQ(0x5a5a, val);
		}
	}
}

/* --- Single registers --- */

static void test_identity_registers(void)
{
	u64 val;

	init();
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_FEATURE_CONTROL, &val));
	EXPECT_EQ(1, val);
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_FEATURE_CONTROL, 5));
	fake_msr_set(MSR_PLATFORM_INFO, PLATFORM_INFO_CPUID_FAULTING | 0x1800);
	EXPECT_EQ(MSR_OK, rd(MSR_PLATFORM_INFO, &val));
	EXPECT_EQ(0, val); /* the machine's promises are not kept here */
	EXPECT_EQ(MSR_GP, wr(MSR_PLATFORM_INFO, 0));
	EXPECT_EQ(MSR_GP, rd(MSR_MISC_FEATURES_ENABLES, &val));
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_BIOS_SIGN_ID, &val));
	EXPECT_EQ(0, val); /* the fake CPU has none */
	fake_msr_set(MSR_IA32_BIOS_SIGN_ID, 0x2006e0500000000ull);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_BIOS_SIGN_ID, 0));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_BIOS_UPDT_TRIG, 0x1000));
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MCG_CAP, &val));
	EXPECT_EQ(0, val & 0xff);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MCG_STATUS, 0));
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_MCG_STATUS, 1));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_XSS, 0));
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_XSS, 0x100));
	EXPECT_EQ(MSR_GP, rd(MSR_IA32_VMX_BASIC, &val));
	EXPECT_EQ(MSR_GP, rd(MSR_IA32_PERF_GLOBAL_CTRL, &val));
}

/* A machine check in the guest: MCIP left set would turn the next one into a shutdown. */
static void test_clearing_mcip_reaches_the_cpu(void)
{
	u64 val;

	init();
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MCG_STATUS, &val)); /* the fake CPU has no such register */
	EXPECT_EQ(0, val);
	fake_msr_set(MSR_IA32_MCG_STATUS, ~0ull);
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MCG_STATUS, &val));
	EXPECT_EQ(MCG_STATUS_RIPV | MCG_STATUS_EIPV | MCG_STATUS_MCIP, val);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MCG_STATUS, 0));
	EXPECT_EQ(0, fake_msr_find(MSR_IA32_MCG_STATUS)->val);
	for (u32 bit = 0; bit < 64; bit++)
		EXPECT_EQ(MSR_GP, wr(MSR_IA32_MCG_STATUS, BIT64(bit)));
	EXPECT_EQ(0, fake_msr_find(MSR_IA32_MCG_STATUS)->val);
}

static void test_arch_capabilities_promise_no_msr(void)
{
	u64 val;

	init();
	fake_msr_set(MSR_IA32_ARCH_CAPABILITIES, ~0ull);
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_ARCH_CAPABILITIES, &val));
	EXPECT_EQ(0, val & (ARCH_CAP_TSX_CTRL | ARCH_CAP_MCU_CONTROL | ARCH_CAP_MISC_PACKAGE_CTLS |
			    ARCH_CAP_XAPIC_DISABLE_STATUS | ARCH_CAP_FB_CLEAR_CTRL |
			    ARCH_CAP_GDS_CTRL | ARCH_CAP_OVERCLOCKING_STATUS));
	EXPECT_NE(0, val & ARCH_CAP_RDCL_NO);
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_ARCH_CAPABILITIES, 0));
}

static bool canonical48(u64 va)
{
	return va < 1ull << 47 || va >= ~0ull << 47;
}

static void test_bases_must_be_canonical(void)
{
	static const u32 msrs[] = { MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_SYSENTER_ESP,
				    MSR_IA32_SYSENTER_EIP };
	static const u64 edges[] = { 0,          1ull << 46,  (1ull << 47) - 1,  1ull << 47,
				     1ull << 55, ~0ull << 47, (~0ull << 47) - 1, ~0ull };

	init();
	for (size_t m = 0; m < ARRAY_SIZE(msrs); m++) {
		for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
			u64 val = 0;

			EXPECT_EQ(canonical48(edges[i]) ? MSR_OK : MSR_GP, wr(msrs[m], edges[i]));
			if (canonical48(edges[i])) {
				EXPECT_EQ(MSR_OK, rd(msrs[m], &val));
				EXPECT_EQ(edges[i], val);
			}
		}
	}
}

static void linear_57(struct partition *p)
{
	fake_cpuid_set(0x80000008, 0, 0x3934, 0, 0, 0);
}

/* With 5-level paging in the CPU 57 bits count, whatever CR4.LA57 says. */
static void test_bases_of_a_cpu_with_57_bits(void)
{
	fake_guest_init(&g, 1, linear_57);
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(MSR_OK, wr(MSR_IA32_FS_BASE, 1ull << 55));
		EXPECT_EQ(MSR_OK, wr(MSR_IA32_SYSENTER_EIP, ~0ull << 56));
		EXPECT_EQ(MSR_GP, wr(MSR_IA32_FS_BASE, 1ull << 56));
		EXPECT_EQ(MSR_GP, wr(MSR_IA32_SYSENTER_EIP, (~0ull << 56) - 1));
		fake.vmcs[VMCS_GUEST_CR4] |= CR4_LA57;
	}
}

static void test_efer_pat_debugctl_rules(void)
{
	u64 efer = EFER_SCE | EFER_LME | EFER_NXE;

	init();
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_EFER, efer)); /* LMA stays: read only */
	EXPECT_EQ(efer | EFER_LMA, fake.vmcs[VMCS_GUEST_EFER]);
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_EFER, EFER_SCE)); /* LME with paging on */
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_EFER, efer | BIT64(12)));
	fake.vmcs[VMCS_GUEST_CR0] &= ~CR0_PG;
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_EFER, EFER_SCE));
	for (u32 type = 0; type < 256; type++) {
		bool good = type <= 7 && type != 2 && type != 3;
		u64 pat = (PAT_RESET & ~0xff0000ull) | (u64)type << 16;

		EXPECT_EQ(good ? MSR_OK : MSR_GP, wr(MSR_IA32_PAT, pat));
	}
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTF | DEBUGCTL_LBR));
	EXPECT_EQ(DEBUGCTL_BTF, fake.vmcs[VMCS_GUEST_DEBUGCTL]);
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTS));
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_DEBUGCTL, DEBUGCTL_TR));
}

TEST_MAIN(TEST(test_lookup_equals_linear_search), TEST(test_probes_are_short),
	  TEST(test_short_reads), TEST(test_overlap_is_refused_by_name),
	  TEST(test_bitmap_is_the_rows), TEST(test_dangerous_msrs_never_pass),
	  TEST(test_exit_registers), TEST(test_unknown_msr_faults_and_keeps_registers),
	  TEST(test_refused_write_names_msr_value_and_rip),
	  TEST(test_refused_writes_are_one_line_each_and_limited), TEST(test_ignore_msrs),
	  TEST(test_every_row_answers_without_host_msr), TEST(test_identity_registers),
	  TEST(test_clearing_mcip_reaches_the_cpu), TEST(test_arch_capabilities_promise_no_msr),
	  TEST(test_bases_must_be_canonical), TEST(test_bases_of_a_cpu_with_57_bits),
	  TEST(test_efer_pat_debugctl_rules))
