// SPDX-License-Identifier: BSD-2-Clause
// An MSR is there exactly when its privilege is. With that, what the guests of Linux' selftests
// (tools/testing/selftests/kvm/x86) assert, stage by stage, has these tests; "off" is the row that
// switches the feature off:
//
// hyperv_features, MSRs
//   0-1    no interface: #GP                 hvfeat_msrs (guest-suite)
//   2-4    GUEST_OS_ID, HYPERCALL            hcall_msrs
//   5-10   VP_RUNTIME, TIME_REF_COUNT        hvtime_msrs_follow_cpuid (on, off)
//   11-13  VP_INDEX                          hvfeat_msrs, hvfeat_vp_index
//   14-16  RESET                             hv_vapic_msrs_follow_cpuid (on, off), reset_hyperv
//   17-19  REFERENCE_TSC                     hvtime_msrs_follow_cpuid (on, off)
//   20-28  EOM, STIMER0_CONFIG              hvsynic_msrs_follow_cpuid (on, off),
//                                            hvstimer_msrs_follow_cpuid (on, off)
//   29-30  EOI                               hv_vapic_msrs_follow_cpuid (on, off)
//   31-37  frequencies, reenlightenment      hvtime_msrs_follow_cpuid (on, off)
//   38-40  CRASH_P0                          hv_vapic_msrs_follow_cpuid (on, off)
//   41-43  SYNDBG_STATUS                     hvfeat_msrs, hvsyndbg_registers (on)
//   44-47  TSC_INVARIANT_CONTROL             hvtime_msrs_follow_cpuid (on, off), hvtime_invariant
// hyperv_features, hypercalls
//   0      unknown                           hcall_codes
//   1-7    messages, events, debugger        hvsynic_calls_follow_cpuid, hcall_codes,
//                                            hvsyndbg_calls (on). KVM answers 3 while the SynIC
//                                            is off; here what is wrong with the input: 5, 18
//   8-11   flush, plain and Ex               hvflush_follows_cpuid (on, off). Ex has no own word
//   12-14  IPI, plain and Ex                 hvipi_follows_cpuid (on, off)
//   15-16  NotifyLongSpinWait                hcall_spin_wait (on, off)
//   17-18  XMM input                         hcall_xmm_input (on, off)
//   19-20  extended calls                    ext_follows_cpuid (on, off)
// hyperv_ipi: memory, registers, Ex by one bank, by several, all   smp_hvipi_running, _halted
//        and hyperv_tlb_flush to VP 65       host: test_hyperv_calls_reach_vps_2_and_65
// hyperv_tlb_flush: 20 forms of the call     smp_hvflush_one, smp_hvflush_all (24 forms)
// hyperv_clock
//   2      the MSR against the TSC           hvtime_one_time
//   3-5    the page: off, on, against the MSR    hvtime_page
//   6-7    the clock is set: the page changes    hvtime_tsc_write
//   8-9    with reenlightenment it stays     hvfreq_emulation
//   10     off, it is not touched            hvtime_page
// hyperv_cpuid                               guest-golden-hv*
// hyperv_extended_hypercalls                 ext_query, ext_others

#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/tap.h"

/* Restated from the TLFS: bits of EAX of leaf 0x40000003, or of EDX + 32. */
static const struct {
	u32 first, last, privilege;
	bool no_read; /* write-only, or reading it does something */
} rows[] = {
	{ 0x000, 0x001, 5, false },       /* GUEST_OS_ID, HYPERCALL */
	{ 0x002, 0x002, 6, false },       /* VP_INDEX */
	{ 0x003, 0x003, 7, false },       /* RESET */
	{ 0x010, 0x010, 0, false },       /* VP_RUNTIME */
	{ 0x020, 0x020, 1, false },       /* TIME_REF_COUNT */
	{ 0x021, 0x021, 9, false },       /* REFERENCE_TSC */
	{ 0x022, 0x023, 11, false },      /* frequencies */
	{ 0x040, 0x040, 32 + 12, false }, /* NPIEP_CONFIG */
	{ 0x070, 0x070, 4, true },        /* EOI */
	{ 0x071, 0x073, 4, false },       /* ICR, TPR, VP_ASSIST_PAGE */
	{ 0x080, 0x084, 2, false },       /* SCONTROL to EOM */
	{ 0x090, 0x09f, 2, false },       /* SINTs */
	{ 0x0b0, 0x0b7, 3, false },       /* timers */
	{ 0x0f0, 0x0f0, 10, true },       /* GUEST_IDLE */
	{ 0x0f1, 0x0f5, 32 + 11, false }, /* the debugger's */
	{ 0x0ff, 0x0ff, 32 + 11, false }, { 0x100, 0x105, 32 + 10, false }, /* CRASH_P0 to CTL */
	{ 0x106, 0x108, 13, false },                                        /* reenlightenment */
	{ 0x114, 0x115, 32 + 23, false }, /* the timer of unhalted time */
	{ 0x118, 0x118, 15, false },      /* TSC_INVARIANT_CONTROL */
};

#define BASE 0x40000000u

/* How a read of BASE + @nr ends; 0 with @nr that may not be read. */
static u32 wanted(u32 nr)
{
	u64 privileges = hyperv_features_a() | (u64)hyperv_features_d() << 32;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (nr < rows[i].first || nr > rows[i].last)
			continue;
		if (!(privileges >> rows[i].privilege & 1))
			return EXC_GP;
		return rows[i].no_read ? 0 : NO_FAULT;
	}
	return EXC_GP;
}

/* All of the ABI's numbers; without the interface every one of them is #GP. */
static void hvfeat_msrs(void)
{
	u64 val;

	for (u32 nr = 0; nr < 0x200; nr++) {
		u32 want = wanted(nr);

		if (want != 0)
			EXPECT_AT(try_rdmsr(BASE + nr, &val) == want, "MSR 0x%x", BASE + nr);
		if (want == EXC_GP)
			EXPECT_AT(try_wrmsr(BASE + nr, 0) == EXC_GP, "MSR 0x%x", BASE + nr);
	}
}

/* Read-only; that of the first CPU is 0. */
static void hvfeat_vp_index(void)
{
	bool on = (hyperv_features_a() >> 6 & 1) != 0;
	u64 val = 0;

	EXPECT_EQ(on ? NO_FAULT : EXC_GP, try_rdmsr(BASE + 2, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(EXC_GP, try_wrmsr(BASE + 2, 1));
	EXPECT_EQ(EXC_GP, try_wrmsr(BASE + 2, 0));
}

static const struct test t_hv_features_tests[] = {
	{ .name = "hvfeat_msrs", .run = hvfeat_msrs, .flags = T_KENSHO },
	{ .name = "hvfeat_vp_index", .run = hvfeat_vp_index, .flags = T_KENSHO },
};
TEST_GROUP(t_hv_features);
