// SPDX-License-Identifier: BSD-2-Clause
// MSRs: what has no row is #GP, reserved bits, EFER, PAT, MTRRs, TSC and TSC_ADJUST.

#include "arch/x86/defs/msr.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

static void expect_gp_rdmsr(u32 msr)
{
	u64 val = 0;

	if (EXPECT_AT(try_rdmsr(msr, &val) == EXC_GP, "MSR 0x%x reads 0x%llx", msr, val))
		EXPECT_EQ(0, trap_last()->error);
}

static void expect_gp_wrmsr(u32 msr, u64 val)
{
	EXPECT_AT(try_wrmsr(msr, val) == EXC_GP, "MSR 0x%x takes 0x%llx", msr, val);
}

static void msr_unknown(void)
{
	static const u32 msrs[] = { 0x00000002, 0x00000005, 0x00001fff, 0x00002000,
				    0x00012345, 0x3fffffff, 0xbfffffff, 0xc0000fff,
				    0xc0002000, 0xc0010015, 0xdeadbeef, 0xffffffff };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		expect_gp_rdmsr(msrs[i]);
		expect_gp_wrmsr(msrs[i], 0);
	}
}

static void msr_vmx_hidden(void)
{
	u64 val;

	for (u32 msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_EXIT_CTLS2; msr++) {
		expect_gp_rdmsr(msr);
		expect_gp_wrmsr(msr, 0);
	}
	/* IA32_FEATURE_CONTROL: absent, or locked without VMX. */
	if (try_rdmsr(MSR_IA32_FEATURE_CONTROL, &val) == NO_FAULT)
		EXPECT_EQ(FEATURE_CONTROL_LOCK, val);
	expect_gp_wrmsr(MSR_IA32_FEATURE_CONTROL, 5);
}

/* An MSR exists exactly when the CPUID bit that announces it is set. */
static void msr_follows_cpuid(void)
{
	struct cpuid_regs l1 = cpuid(1), l7 = cpuid(7), ld = cpuid2(0xd, 1);
	const struct {
		u32 msr;
		bool have;
	} rows[] = {
		{ MSR_IA32_ARCH_CAPABILITIES, l7.d & CPUID7_EDX_ARCH_CAPABILITIES },
		{ MSR_IA32_SPEC_CTRL,
		  l7.d & (CPUID7_EDX_SPEC_CTRL | CPUID7_EDX_STIBP | CPUID7_EDX_SSBD) },
		{ MSR_IA32_XSS, ld.a & CPUIDD_1_EAX_XSAVES },
		{ MSR_IA32_TSC_ADJUST, l7.b & CPUID7_EBX_TSC_ADJUST },
		{ MSR_IA32_MTRRCAP, l1.d & CPUID1_EDX_MTRR },
		{ MSR_IA32_PAT, l1.d & CPUID1_EDX_PAT },
		{ MSR_IA32_TSC_DEADLINE, l1.c & CPUID1_ECX_TSC_DEADLINE },
		/* the bare emulator announces counters it does not have */
		{ MSR_IA32_PERF_GLOBAL_CTRL, machine_is_kensho() && (cpuid(0xa).a & 0xff) >= 2 },
		{ MSR_IA32_RTIT_CTL, l7.b & CPUID7_EBX_PT },
		{ MSR_IA32_U_CET, l7.c & CPUID7_ECX_CET_SS },
		{ MSR_IA32_PASID, l7.c & CPUID7_ECX_ENQCMD },
		{ MSR_IA32_UINTR_RR, l7.d & CPUID7_EDX_UINTR },
		{ MSR_IA32_XFD, ld.a & CPUIDD_1_EAX_XFD },
		{ MSR_IA32_UMWAIT_CONTROL, l7.c & CPUID7_ECX_WAITPKG },
		{ MSR_IA32_PM_ENABLE, cpuid(6).a & CPUID6_EAX_HWP },
		{ MSR_IA32_BNDCFGS, l7.b & CPUID7_EBX_MPX },
		{ MSR_IA32_PKRS, l7.c & CPUID7_ECX_PKS },
		{ MSR_IA32_TSC_AUX, cpuid(0x80000001).d & CPUID80000001_EDX_RDTSCP },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 val;
		u32 vector = try_rdmsr(rows[i].msr, &val);

		EXPECT_AT((vector == NO_FAULT) == rows[i].have, "MSR 0x%x, CPUID says %u",
			  rows[i].msr, rows[i].have);
	}
}

static void msr_efer(void)
{
	u64 efer = rdmsr(MSR_IA32_EFER);

	EXPECT_EQ(EFER_LMA | EFER_LME, efer & (EFER_LMA | EFER_LME));
	expect_gp_wrmsr(MSR_IA32_EFER, efer & ~EFER_LME);
	expect_gp_wrmsr(MSR_IA32_EFER, efer | BIT64(1));
	expect_gp_wrmsr(MSR_IA32_EFER, efer | BIT64(9));
	expect_gp_wrmsr(MSR_IA32_EFER, efer | BIT64(12)); /* SVME */
	expect_gp_wrmsr(MSR_IA32_EFER, efer | BIT64(63));
	EXPECT_EQ(efer, rdmsr(MSR_IA32_EFER));
	wrmsr(MSR_IA32_EFER, efer ^ EFER_SCE);
	EXPECT_EQ(efer ^ EFER_SCE, rdmsr(MSR_IA32_EFER));
	wrmsr(MSR_IA32_EFER, efer & ~EFER_NXE);
	EXPECT_EQ(efer & ~EFER_NXE, rdmsr(MSR_IA32_EFER));
	wrmsr(MSR_IA32_EFER, efer & ~EFER_LMA); /* read-only: ignored */
	EXPECT_EQ(efer, rdmsr(MSR_IA32_EFER));
	wrmsr(MSR_IA32_EFER, efer);
}

/* With NXE clear bit 63 of a page-table entry is reserved: the CPU must see the guest's EFER. */
static void msr_efer_nxe_works(void)
{
	u64 efer = rdmsr(MSR_IA32_EFER);
	u64 *page = map_page(0, 0x400000, G_PTE_P | G_PTE_W | G_PTE_NX);

	trap_clear();
	asm volatile(TRY_BEGIN "mov (%0), %%rax" TRY_END : : "r"(page) : "rax", "memory");
	EXPECT_EQ(NO_FAULT, trap_vector());
	wrmsr(MSR_IA32_EFER, efer & ~EFER_NXE);
	write_cr3(read_cr3());
	trap_clear();
	asm volatile(TRY_BEGIN "mov (%0), %%rax" TRY_END : : "r"(page) : "rax", "memory");
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(9, trap_last()->error); /* P and RSVD */
	wrmsr(MSR_IA32_EFER, efer);
	map_page(0, 0, 0);
}

static void msr_pat(void)
{
	u64 pat = rdmsr(MSR_IA32_PAT);
	static const u8 bad[] = { 2, 3, 8, 0x10, 0x80, 0xff };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		expect_gp_wrmsr(MSR_IA32_PAT, (pat & ~0xffull) | bad[i]);
		expect_gp_wrmsr(MSR_IA32_PAT, (pat & ~(0xffull << 56)) | (u64)bad[i] << 56);
	}
	EXPECT_EQ(pat, rdmsr(MSR_IA32_PAT));
	wrmsr(MSR_IA32_PAT, 0x0001040506070600ull);
	EXPECT_EQ(0x0001040506070600ull, rdmsr(MSR_IA32_PAT));
	wrmsr(MSR_IA32_PAT, pat);
}

static void msr_mtrr_variable(void)
{
	u64 cap = rdmsr(MSR_IA32_MTRRCAP), addr_bits;
	u32 vcnt = (u32)(cap & MTRRCAP_VCNT);
	u32 last = MSR_IA32_MTRR_PHYSBASE0 + 2 * (vcnt - 1);
	u64 base = rdmsr(last), mask = rdmsr(last + 1);

	REQUIRE(vcnt >= 2);
	expect_gp_wrmsr(MSR_IA32_MTRRCAP, cap);
	addr_bits = GENMASK64((cpuid(0x80000008).a & 0xff) - 1, 12);
	wrmsr(last + 1, 0);
	wrmsr(last, 0xf0000000 | 1);
	EXPECT_EQ(0xf0000001, rdmsr(last));
	wrmsr(last + 1, (addr_bits & ~0xfffffull) | MTRR_PHYSMASK_V);
	EXPECT_EQ((addr_bits & ~0xfffffull) | MTRR_PHYSMASK_V, rdmsr(last + 1));
	wrmsr(last + 1, 0);
	EXPECT_EQ(0, rdmsr(last + 1));
	wrmsr(last, base);
	wrmsr(last + 1, mask);
	EXPECT_EQ(base, rdmsr(last));
	expect_gp_rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * vcnt);
}

/* SDM "IA32_MTRR_PHYSBASEn and PHYSMASKn": reserved bits and undefined types are #GP. */
static void msr_mtrr_reserved(void)
{
	u32 bits = cpuid(0x80000008).a & 0xff;
	u64 def = rdmsr(MSR_IA32_MTRR_DEF_TYPE);

	expect_gp_wrmsr(MSR_IA32_MTRR_PHYSBASE0, 0xf0000000 | 2);
	expect_gp_wrmsr(MSR_IA32_MTRR_PHYSBASE0, 0xf0000000 | 7);
	expect_gp_wrmsr(MSR_IA32_MTRR_PHYSBASE0, BIT64(bits) | 6);
	expect_gp_wrmsr(MSR_IA32_MTRR_PHYSMASK0, BIT64(bits) | MTRR_PHYSMASK_V);
	expect_gp_wrmsr(MSR_IA32_MTRR_DEF_TYPE, MTRR_DEF_TYPE_E | 2);
	expect_gp_wrmsr(MSR_IA32_MTRR_DEF_TYPE, MTRR_DEF_TYPE_E | 7);
	expect_gp_wrmsr(MSR_IA32_MTRR_DEF_TYPE, def | BIT64(12));
	expect_gp_wrmsr(MSR_IA32_MTRR_DEF_TYPE, def | BIT64(63));
	expect_gp_wrmsr(MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060602ull);
	expect_gp_wrmsr(MSR_IA32_MTRR_FIX4K_F8000, 0x0306060606060606ull);
}

/* What Linux does on every CPU start: rewrite everything with MTRRs and caches off. */
static void msr_mtrr_rewrite(void)
{
	static const u32 fixed[] = {
		MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000,
		MSR_IA32_MTRR_FIX4K_C0000,  MSR_IA32_MTRR_FIX4K_C8000,  MSR_IA32_MTRR_FIX4K_D0000,
		MSR_IA32_MTRR_FIX4K_D8000,  MSR_IA32_MTRR_FIX4K_E0000,  MSR_IA32_MTRR_FIX4K_E8000,
		MSR_IA32_MTRR_FIX4K_F0000,  MSR_IA32_MTRR_FIX4K_F8000,
	};
	u64 saved[ARRAY_SIZE(fixed)], def = rdmsr(MSR_IA32_MTRR_DEF_TYPE), cr0 = read_cr0();

	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		saved[i] = rdmsr(fixed[i]);
	write_cr0(cr0 | CR0_CD);
	asm volatile("wbinvd" : : : "memory");
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, 0);
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		wrmsr(fixed[i], 0x0606060606060606ull);
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		EXPECT_EQ(0x0606060606060606ull, rdmsr(fixed[i]));
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		wrmsr(fixed[i], saved[i]);
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE | 6);
	EXPECT_EQ(MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE | 6, rdmsr(MSR_IA32_MTRR_DEF_TYPE));
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, def);
	asm volatile("wbinvd" : : : "memory");
	write_cr0(cr0);
	EXPECT_EQ(def, rdmsr(MSR_IA32_MTRR_DEF_TYPE));
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		EXPECT_EQ(saved[i], rdmsr(fixed[i]));
}

#define TSC_SLACK 200000ull

/* Writing the TSC moves TSC_ADJUST by the same amount. */
static void msr_tsc_write(void)
{
	u64 adjust = rdmsr(MSR_IA32_TSC_ADJUST), before = rdtsc(), target = before + (1ull << 40);
	u64 now, moved;

	wrmsr(MSR_IA32_TSC, target);
	now = rdtsc();
	EXPECT_GE(now, target);
	EXPECT_LE(now, target + TSC_SLACK);
	EXPECT_LE(rdmsr(MSR_IA32_TSC) - now, TSC_SLACK);
	moved = rdmsr(MSR_IA32_TSC_ADJUST) - adjust;
	EXPECT_LE((1ull << 40) - moved, TSC_SLACK); /* before was sampled a little earlier */
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
	now = rdtsc();
	EXPECT_GE(now, before);
	EXPECT_LE(now, before + TSC_SLACK);
}

static void msr_tsc_adjust(void)
{
	u64 adjust = rdmsr(MSR_IA32_TSC_ADJUST), before, now;

	before = rdtsc();
	wrmsr(MSR_IA32_TSC_ADJUST, adjust + (1ull << 50));
	now = rdtsc();
	EXPECT_EQ(adjust + (1ull << 50), rdmsr(MSR_IA32_TSC_ADJUST));
	EXPECT_GE(now, before + (1ull << 50));
	EXPECT_LE(now, before + (1ull << 50) + TSC_SLACK);
	wrmsr(MSR_IA32_TSC_ADJUST, adjust - 1000);
	EXPECT_EQ(adjust - 1000, rdmsr(MSR_IA32_TSC_ADJUST));
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
	now = rdtsc();
	EXPECT_GE(now, before);
	EXPECT_LE(now, before + TSC_SLACK);
	EXPECT_EQ(adjust, rdmsr(MSR_IA32_TSC_ADJUST));
}

/* A deadline is compared with the TSC the guest reads, whatever it wrote there. */
static void msr_tsc_write_and_deadline(void)
{
	u64 adjust = rdmsr(MSR_IA32_TSC_ADJUST), deadline;

	wrmsr(MSR_IA32_TSC, 1000);
	apic_timer(APIC_TIMER_TSC_DEADLINE, 0x50, APIC_TDCR_BY_1);
	deadline = rdtsc() + 100000;
	apic_deadline(deadline);
	sti();
	EXPECT_TRUE(WAIT_FOR(irq_log_count != 0, 100000));
	EXPECT_GE(rdtsc(), deadline);
	EXPECT_LE(rdtsc(), deadline + TSC_SLACK);
	cli();
	EXPECT_EQ(1, irq_log_count);
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
}

static void msr_canonical(void)
{
	static const u32 msrs[] = { MSR_IA32_FS_BASE,     MSR_IA32_GS_BASE, MSR_IA32_KERNEL_GS_BASE,
				    MSR_IA32_LSTAR,       MSR_IA32_CSTAR,   MSR_IA32_SYSENTER_ESP,
				    MSR_IA32_SYSENTER_EIP };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 old = rdmsr(msrs[i]);

		expect_gp_wrmsr(msrs[i], 0x0000800000000000ull);
		expect_gp_wrmsr(msrs[i], 0x8000000000000000ull);
		wrmsr(msrs[i], 0xffff800012345678ull);
		EXPECT_EQ(0xffff800012345678ull, rdmsr(msrs[i]));
		wrmsr(msrs[i], old);
	}
}

static void msr_plain(void)
{
	static const struct {
		u32 msr;
		u64 val;
	} rows[] = {
		{ MSR_IA32_STAR, 0x001b000800000000ull },
		{ MSR_IA32_FMASK, 0x47700 },
		{ MSR_IA32_SYSENTER_CS, 0x8 },
		{ MSR_IA32_TSC_AUX, 0x12345678 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 old = rdmsr(rows[i].msr);

		wrmsr(rows[i].msr, rows[i].val);
		EXPECT_EQ(rows[i].val, rdmsr(rows[i].msr));
		wrmsr(rows[i].msr, old);
	}
}

/* RDTSCP returns the guest's TSC_AUX; FS.base really moved. */
static void msr_take_effect(void)
{
	static u64 word = 0x1122334455667788ull;
	u64 aux, fs, old = rdmsr(MSR_IA32_TSC_AUX);

	wrmsr(MSR_IA32_TSC_AUX, 0xabcd1234);
	asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	EXPECT_EQ(0xabcd1234, aux);
	wrmsr(MSR_IA32_TSC_AUX, old);
	wrmsr(MSR_IA32_FS_BASE, (u64)(uintptr_t)&word - 0x100);
	asm volatile("mov %%fs:0x100, %0" : "=r"(fs));
	EXPECT_EQ(word, fs);
	wrmsr(MSR_IA32_FS_BASE, 0);
}

/* Upper halves of RAX, RDX and RCX do not take part; RDMSR clears the upper halves of its result.
 */
static void msr_upper_halves(void)
{
	u64 rax = ~0ull, rdx = ~0ull, rcx = 0xffffffff00000000ull | MSR_IA32_SYSENTER_CS;
	u64 old = rdmsr(MSR_IA32_SYSENTER_CS);
	u64 apic = 0xffffffff00000000ull | MSR_IA32_APIC_BASE;

	asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(rcx));
	EXPECT_EQ(old & 0xffffffff, rax);
	EXPECT_EQ(old >> 32, rdx);
	asm volatile("wrmsr" : : "a"(0xdeadbeef00000010ull), "d"(0xdeadbeef00000000ull), "c"(rcx));
	EXPECT_EQ(0x10, rdmsr(MSR_IA32_SYSENTER_CS));
	wrmsr(MSR_IA32_SYSENTER_CS, old);
	rax = rdx = ~0ull;
	asm volatile("rdmsr" : "+a"(rax), "+d"(rdx) : "c"(apic)); /* one that exits */
	EXPECT_EQ(rdmsr(MSR_IA32_APIC_BASE), rdx << 32 | rax);
	EXPECT_EQ(0, (rdx | rax) >> 32);
}

static u64 user_rdmsr(u64 msr)
{
	u64 val;

	return try_rdmsr((u32)msr, &val);
}

static u64 user_wrmsr(u64 msr)
{
	return try_wrmsr((u32)msr, 0);
}

static void msr_at_cpl3(void)
{
	static const u32 msrs[] = { MSR_IA32_TSC, MSR_IA32_APIC_BASE, MSR_IA32_EFER, 0x12345,
				    0x4b564d01 };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		EXPECT_EQ(EXC_GP, user_call(user_rdmsr, msrs[i]));
		EXPECT_EQ(EXC_GP, user_call(user_wrmsr, msrs[i]));
	}
}

/* Linux touches these without an exception handler or with a warning. The model lacks some. */
static void msr_linux_needs(void)
{
	u64 val;

	EXPECT_EQ(NO_FAULT, try_rdmsr(MSR_IA32_BIOS_SIGN_ID, &val));
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_BIOS_SIGN_ID, 0));
	EXPECT_EQ(NO_FAULT, try_rdmsr(MSR_IA32_MISC_ENABLE, &val));
}

/* SDM "IA32_MISC_ENABLE": what software may write stays, and 0 as well. */
static void msr_misc_enable(void)
{
	static const u64 bits[] = { MISC_ENABLE_FAST_STRINGS,       MISC_ENABLE_TCC,
				    MISC_ENABLE_ENHANCED_SPEEDSTEP, MISC_ENABLE_MONITOR_FSM,
				    MISC_ENABLE_LIMIT_CPUID,        MISC_ENABLE_XTPR_DISABLE,
				    MISC_ENABLE_XD_DISABLE,         MISC_ENABLE_TURBO_DISABLE };
	const u64 fixed = MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
	u64 old = rdmsr(MSR_IA32_MISC_ENABLE);

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		u64 val;

		wrmsr(MSR_IA32_MISC_ENABLE, bits[i]);
		val = rdmsr(MSR_IA32_MISC_ENABLE);
		wrmsr(MSR_IA32_MISC_ENABLE, 0);
		EXPECT_EQ(fixed | bits[i], val);
		EXPECT_EQ(fixed, rdmsr(MSR_IA32_MISC_ENABLE));
	}
	wrmsr(MSR_IA32_MISC_ENABLE, old);
	expect_gp_wrmsr(MSR_IA32_MISC_ENABLE, old | BIT64(1));
	expect_gp_wrmsr(MSR_IA32_MISC_ENABLE, old | BIT64(63));
	EXPECT_EQ(old, rdmsr(MSR_IA32_MISC_ENABLE));
}

/* Bits that take a feature out of CPUID, on this CPU and at once. */
static void msr_misc_enable_cpuid(void)
{
	u64 old = rdmsr(MSR_IA32_MISC_ENABLE), efer = rdmsr(MSR_IA32_EFER);
	struct cpuid_regs l0 = cpuid(0), l1 = cpuid(1), l2 = cpuid(2), l7 = cpuid(7), e, r;

	wrmsr(MSR_IA32_MISC_ENABLE, old | MISC_ENABLE_LIMIT_CPUID);
	r = cpuid(0);
	e = cpuid(7);
	wrmsr(MSR_IA32_MISC_ENABLE, old);
	EXPECT_EQ(2, r.a);
	EXPECT_EQ(l0.b, r.b);
	EXPECT_EQ(l2.a, e.a); /* out of range: the highest basic leaf */
	EXPECT_EQ(l2.d, e.d);
	EXPECT_EQ(l0.a, cpuid(0).a);
	EXPECT_EQ(l7.b, cpuid(7).b);

	wrmsr(MSR_IA32_MISC_ENABLE, old & ~MISC_ENABLE_MONITOR_FSM);
	EXPECT_EQ(0, cpuid(1).c & CPUID1_ECX_MONITOR);
	wrmsr(MSR_IA32_MISC_ENABLE, old | MISC_ENABLE_MONITOR_FSM);
	EXPECT_EQ(l1.c, cpuid(1).c);

	wrmsr(MSR_IA32_MISC_ENABLE, old | MISC_ENABLE_XD_DISABLE);
	EXPECT_EQ(0, cpuid(0x80000001).d & CPUID80000001_EDX_NX);
	expect_gp_wrmsr(MSR_IA32_EFER, efer | EFER_NXE);
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_EFER, efer & ~EFER_NXE));
	wrmsr(MSR_IA32_MISC_ENABLE, old);
	EXPECT_TRUE((cpuid(0x80000001).d & CPUID80000001_EDX_NX) != 0);
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_EFER, efer));
	EXPECT_EQ(efer, rdmsr(MSR_IA32_EFER));
	EXPECT_EQ(old, rdmsr(MSR_IA32_MISC_ENABLE));
}

/* Linux reads it for CPUID faulting, tools for frequencies: no #GP, and nothing promised. */
static void msr_platform_info(void)
{
	u64 val = rdmsr(MSR_PLATFORM_INFO);

	EXPECT_EQ(0, val);
	expect_gp_wrmsr(MSR_PLATFORM_INFO, val);
	expect_gp_rdmsr(MSR_MISC_FEATURES_ENABLES);
}

static void msr_debugctl(void)
{
	u64 val;

	if (try_rdmsr(MSR_IA32_DEBUGCTL, &val) == EXC_GP) {
		test_skip("no IA32_DEBUGCTL");
		return;
	}
	EXPECT_EQ(0, val);
	expect_gp_wrmsr(MSR_IA32_DEBUGCTL, BIT64(63));
	EXPECT_EQ(NO_FAULT, try_wrmsr(MSR_IA32_DEBUGCTL, 0));
}

static const struct test t_msr_tests[] = {
	{ .name = "msr_unknown", .run = msr_unknown },
	{ .name = "msr_vmx_hidden", .run = msr_vmx_hidden, .flags = T_KENSHO },
	{ .name = "msr_follows_cpuid", .run = msr_follows_cpuid },
	{ .name = "msr_efer", .run = msr_efer },
	{ .name = "msr_efer_nxe_works", .run = msr_efer_nxe_works },
	{ .name = "msr_pat", .run = msr_pat },
	{ .name = "msr_mtrr_variable", .run = msr_mtrr_variable },
	{ .name = "msr_mtrr_reserved", .run = msr_mtrr_reserved },
	{ .name = "msr_mtrr_rewrite", .run = msr_mtrr_rewrite },
	{ .name = "msr_tsc_write", .run = msr_tsc_write },
	{ .name = "msr_tsc_adjust", .run = msr_tsc_adjust },
	{ .name = "msr_tsc_write_and_deadline",
	  .run = msr_tsc_write_and_deadline,
	  .flags = T_BOCHS,
	  .why = "the emulator compares the deadline with its own tick count" },
	{ .name = "msr_canonical", .run = msr_canonical },
	{ .name = "msr_plain", .run = msr_plain },
	{ .name = "msr_take_effect", .run = msr_take_effect },
	{ .name = "msr_upper_halves", .run = msr_upper_halves },
	{ .name = "msr_at_cpl3", .run = msr_at_cpl3 },
	{ .name = "msr_linux_needs", .run = msr_linux_needs, .flags = T_KENSHO },
	{ .name = "msr_misc_enable", .run = msr_misc_enable, .flags = T_KENSHO },
	{ .name = "msr_misc_enable_cpuid", .run = msr_misc_enable_cpuid, .flags = T_KENSHO },
	{ .name = "msr_platform_info", .run = msr_platform_info, .flags = T_KENSHO },
	{ .name = "msr_debugctl", .run = msr_debugctl },
};
TEST_GROUP(t_msr);
