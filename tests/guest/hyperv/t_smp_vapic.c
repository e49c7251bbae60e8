// SPDX-License-Identifier: BSD-2-Clause
// The VP assist page and the APIC's MSRs between CPUs.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/hv_abi.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"

static u8 pages[SMP_MAX][4096] ALIGNED(4096);

static u64 addr(u32 n)
{
	return (u64)(uintptr_t)pages[n];
}

static void enable(u64 page)
{
	wrmsr(HV_ASSIST, addr((u32)page) | 1);
}

static void disable(u64 unused)
{
	wrmsr(HV_ASSIST, 0);
}

static volatile u64 seen;

static void look(u64 page)
{
	seen = *(volatile u64 *)(void *)&pages[page][16];
}

/* All CPUs see every page; INIT takes the CPU's own away, and only that. */
static void smp_hv_assist(void)
{
	if (!hv_need(HV_BIT_APIC) || !smp_begin())
		return;
	memset(pages, 0xa5, sizeof(pages));
	for (u32 cpu = 0; cpu < smp_count(); cpu++) {
		if (cpu == 0)
			enable(0);
		else
			EXPECT_TRUE(smp_run(cpu, enable, cpu));
		EXPECT_EQ(0, *(volatile u64 *)(void *)pages[cpu]);
		*(volatile u64 *)(void *)&pages[cpu][16] = 0x1234 + cpu;
	}
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		EXPECT_TRUE(smp_run(cpu, look, cpu - 1));
		EXPECT_EQ(0x1234 + cpu - 1, seen);
	}
	wrmsr(HV_ASSIST, addr(1) | 1); /* over another CPU's: the last one is seen */
	EXPECT_EQ(0, *(volatile u64 *)(void *)&pages[1][16]);
	wrmsr(HV_ASSIST, addr(0) | 1);
	EXPECT_EQ(0x1235, *(volatile u64 *)(void *)&pages[1][16]);
	*(volatile u64 *)(void *)&pages[0][16] = 0x1234;
	EXPECT_TRUE(smp_restart(1));
	EXPECT_EQ(0xa5, READ_ONCE(pages[1][16]));
	EXPECT_EQ(0x1234, *(volatile u64 *)(void *)&pages[0][16]);
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_ASSIST, addr(1) | 1)); /* free now */
	EXPECT_EQ(0xa5, READ_ONCE(pages[0][16]));
	for (u32 cpu = 2; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_run(cpu, disable, 0));
	disable(0);
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(0xa5, READ_ONCE(pages[cpu][16]));
	smp_stop();
}

/* The destination of the ICR, in the mode that the APICs have. */
static void icr_to_each(void)
{
	u32 shift = apic_mode() == APIC_X2APIC ? 32 : 56;

	trap_handle(SMP_VEC, smp_irq);
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		smp_call(cpu, smp_spin, 1);
		for (u32 i = 0; i < 20; i++) {
			wrmsr(HV_ICR, (u64)smp_ids[cpu] << shift | APIC_ICR_ASSERT | SMP_VEC);
			EXPECT_TRUE(WAIT_FOR(READ_ONCE(smp_hits[cpu]) == i + 1, 2000));
		}
	}
	EXPECT_EQ(0, smp_hits[0]);
	EXPECT_TRUE(smp_end());
}

static void smp_hv_icr(void)
{
	if (hv_need(HV_BIT_APIC) && smp_begin())
		icr_to_each();
}

static void smp_hv_icr_x2apic(void)
{
	if (hv_need(HV_BIT_APIC) && smp_begin())
		icr_to_each();
}

static const struct test t_smp_vapic_tests[] = {
	{ "smp_hv_assist", smp_hv_assist, T_KENSHO | T_NAMED, NULL },
	{ "smp_hv_icr", smp_hv_icr, T_ABI | T_NAMED, NULL },
	{ "smp_hv_icr_x2apic", smp_hv_icr_x2apic, T_ABI | T_NAMED | T_X2APIC, NULL },
};
TEST_GROUP(t_smp_vapic);
