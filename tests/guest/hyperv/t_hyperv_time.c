// SPDX-License-Identifier: BSD-2-Clause
// Hyper-V's clocks, one by one: reference time by MSR and page, frequencies, run time, the
// invariant TSC. What KVM's selftests hyperv_clock and hyperv_features assert of them.

#include "tests/guest/hyperv/hvtime.h"

static void hvtime_msrs_follow_cpuid(void)
{
	static const struct {
		u32 msr, privilege;
		u64 refused;
	} rows[] = {
		{ VP_RUNTIME, ACCESS_VP_RUNTIME, 1 },
		{ TIME_REF_COUNT, ACCESS_REFERENCE_COUNT, 1 },
		{ TSC_FREQUENCY, ACCESS_FREQUENCIES, 1 },
		{ APIC_FREQUENCY, ACCESS_FREQUENCIES, 1 },
		{ TSC_INVARIANT_CONTROL, ACCESS_TSC_INVARIANT, 0xdeadbeef },
		{ TSC_EMULATION_STATUS, ACCESS_REENLIGHTENMENT, 1 },
		/* 0: take any value */
		{ REFERENCE_TSC, ACCESS_REFERENCE_TSC, 0 },
		{ REENLIGHTENMENT_CONTROL, ACCESS_REENLIGHTENMENT, 0 },
		{ TSC_EMULATION_CONTROL, ACCESS_REENLIGHTENMENT, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 val;

		if ((privileges() & rows[i].privilege) == 0) {
			EXPECT_REFUSED(try_rdmsr(rows[i].msr, &val) == EXC_GP);
			EXPECT_REFUSED(try_wrmsr(rows[i].msr, rows[i].refused) == EXC_GP);
			continue;
		}
		EXPECT_AT(try_rdmsr(rows[i].msr, &val) == NO_FAULT, "MSR 0x%x", rows[i].msr);
		if (rows[i].refused != 0)
			EXPECT_AT(try_wrmsr(rows[i].msr, rows[i].refused) == EXC_GP, "MSR 0x%x",
				  rows[i].msr);
	}
	EXPECT_EQ((privileges() & ACCESS_FREQUENCIES) != 0, cpuid(0x40000003).d >> 8 & 1);
}

static void hvtime_reenlightenment(void)
{
	if (!has(ACCESS_REENLIGHTENMENT))
		return;
	wrmsr(REENLIGHTENMENT_CONTROL, 1ull << 32 | BIT32(16) | 0xee);
	EXPECT_EQ(1ull << 32 | BIT32(16) | 0xee, rdmsr(REENLIGHTENMENT_CONTROL));
	wrmsr(TSC_EMULATION_CONTROL, 1);
	EXPECT_EQ(1, rdmsr(TSC_EMULATION_CONTROL));
	EXPECT_EQ(0, rdmsr(TSC_EMULATION_STATUS));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_EMULATION_STATUS, 0));
	wrmsr(TSC_EMULATION_CONTROL, 0);
	wrmsr(REENLIGHTENMENT_CONTROL, 0);
}

/* Set once; CPUID follows. */
static void hvtime_invariant(void)
{
	u64 val;

	if (!has(ACCESS_TSC_INVARIANT))
		return;
	EXPECT_EQ(0, rdmsr(TSC_INVARIANT_CONTROL));
	EXPECT_EQ(0, cpuid(0x80000007).d & CPUID80000007_EDX_INVARIANT_TSC);
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 0));
	EXPECT_EQ(EXC_GP, try_wrmsr(TSC_INVARIANT_CONTROL, 3));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 1));
	EXPECT_EQ(NO_FAULT, try_rdmsr(TSC_INVARIANT_CONTROL, &val));
	EXPECT_EQ(1, val);
	EXPECT_NE(0, cpuid(0x80000007).d & CPUID80000007_EDX_INVARIANT_TSC);
	if (machine_is_kensho()) /* KVM: may be taken back */
		EXPECT_EQ(EXC_GP, try_wrmsr(TSC_INVARIANT_CONTROL, 0));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 1));
}

static u32 try_write(volatile void *at)
{
	trap_clear();
	asm volatile(TRY_BEGIN "movl $1, (%0)" TRY_END : : "r"(at) : "memory");
	return trap_vector();
}

static void hvtime_page_is_msr(void)
{
	if (!has(ACCESS_REFERENCE_TSC | ACCESS_REFERENCE_COUNT))
		return;
	page_on();
	EXPECT_EQ((u64)(uintptr_t)&page | 1, rdmsr(REFERENCE_TSC));
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
}

static void hvtime_page(void)
{
	if (!has(ACCESS_REFERENCE_TSC))
		return;
	fill(0x5a);
	wrmsr(REFERENCE_TSC, (u64)(uintptr_t)&page); /* not enabled: not touched */
	EXPECT_TRUE(is_filled(0x5a));
	page_on();
	EXPECT_EQ((u64)(uintptr_t)&page | 1, rdmsr(REFERENCE_TSC));
	EXPECT_EQ(0, page.reserved);
	expect_page_is_msr();
	EXPECT_EQ(EXC_GP, try_write(&page));
	EXPECT_EQ(EXC_GP, try_write(&page.rest[508]));
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
	EXPECT_TRUE(is_filled(0x5a)); /* what it covered */
	EXPECT_EQ(NO_FAULT, try_write(&page));
	fill(0);
	wrmsr(MSR_IA32_TSC_ADJUST, 1000);
	EXPECT_TRUE(is_filled(0));
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
}

/* Places where no page can be are accepted, and the page is nowhere. */
static void hvtime_page_nowhere(void)
{
	static const u64 bad[] = { 0xfffffffffffff000, 0xfee00000 };

	if (!has(ACCESS_REFERENCE_TSC))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		page_on();
		EXPECT_NE(0, page.sequence);
		EXPECT_EQ(NO_FAULT, try_wrmsr(REFERENCE_TSC, bad[i] | 1));
		EXPECT_EQ(bad[i] | 1, rdmsr(REFERENCE_TSC));
		EXPECT_EQ(NO_FAULT, try_write(&page));
	}
	wrmsr(REFERENCE_TSC, 0xffe); /* reserved bits keep what is written */
	EXPECT_EQ(0xffe, rdmsr(REFERENCE_TSC));
	wrmsr(REFERENCE_TSC, 0);
}

/* The guest's TSC moves: the page has a new sequence, the time does not move. */
static void hvtime_tsc_write(void)
{
	static const u64 values[] = { 0, 1000000, 1ull << 40, 0x7000000000000000, 12345 };
	u64 last;

	if (!has(ACCESS_REFERENCE_TSC | ACCESS_REFERENCE_COUNT))
		return;
	page_on();
	last = page_time();
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		u32 sequence = page.sequence;
		u64 now;

		wrmsr(MSR_IA32_TSC, values[i]);
		now = page_time();
		EXPECT_NE(sequence, page.sequence);
		EXPECT_GE(now, last);
		EXPECT_LE(now, last + UNITS_PER_S / 100);
		expect_page_is_msr();
		last = page_time();
	}
	wrmsr(MSR_IA32_TSC, 1ull << 63); /* about to wrap: only the MSR can follow */
	EXPECT_EQ(0, page.sequence);
	EXPECT_GE(msr_time(), last);
	EXPECT_LE(msr_time(), last + UNITS_PER_S / 100);
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
}

static void hvtime_runtime(void)
{
	u64 run, ref;

	if (!has(ACCESS_VP_RUNTIME | ACCESS_REFERENCE_COUNT))
		return;
	run = rdmsr(VP_RUNTIME);
	ref = msr_time();
	EXPECT_LE(run, ref + KVM_UNITS);
	while (msr_time() - ref < UNITS_PER_S / 100)
		cpu_relax();
	run = rdmsr(VP_RUNTIME) - run;
	ref = msr_time() - ref;
	EXPECT_LE(run, ref + KVM_UNITS);
	if (machine_is_kensho()) /* elsewhere the host may have been busy */
		EXPECT_GE(run, ref - ref / 10);
}

static const struct test t_hyperv_time_tests[] = {
	{ .name = "hvtime_msrs_follow_cpuid",
	  .run = hvtime_msrs_follow_cpuid,
	  .flags = T_ABI | T_NAMED },
	{ .name = "hvtime_reenlightenment",
	  .run = hvtime_reenlightenment,
	  .flags = T_ABI | T_NAMED },
	{ .name = "hvtime_invariant", .run = hvtime_invariant, .flags = T_ABI | T_NAMED },
	{ .name = "hvtime_page_is_msr", .run = hvtime_page_is_msr, .flags = T_ABI | T_NAMED },
	/* KVM's page is no overlay, and may be invalid whenever a TSC was written. */
	{ .name = "hvtime_page", .run = hvtime_page, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_page_nowhere", .run = hvtime_page_nowhere, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_tsc_write", .run = hvtime_tsc_write, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_runtime", .run = hvtime_runtime, .flags = T_ABI | T_NAMED },
};
TEST_GROUP(t_hyperv_time);
