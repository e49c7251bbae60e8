// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: EPT changes and their shoot-down, in every state of the target. A page of the
// hypervisor's region becomes memory (rule M1).

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static u64 region, region_len;
static volatile u32 changed; /* bit n: CPU n sees the new page */
static u32 next_page;

/* From the end of the region, where t_region.c has pages 10 to 16 changed, too. */
static volatile u16 *change_page(u32 n)
{
	return (volatile u16 *)(uintptr_t)(region + region_len - 4096ull * (n + 1));
}

/* A store that is not emulated: the page gets memory of its own. */
static void change(volatile u16 *page)
{
	asm volatile("fnstcw (%0)" : : "r"(page) : "memory");
}

static void say_changed(void)
{
	__atomic_or_fetch(&changed, 1u << smp_self(), __ATOMIC_RELEASE);
}

enum state { ROOT, SPIN_CLI, SPIN_STI, HALT_STI, HALT_CLI, IN_NMI, WAIT_SIPI, STATES };

static volatile u16 *watched;

static void watch(bool exits)
{
	while (*watched == 0xffff && !smp_quit) {
		smp_beat[smp_self()]++;
		if (exits)
			(void)cpuid(0);
	}
	say_changed();
}

static void nmi_watch(struct trap_regs *regs)
{
	if (*watched == 0xffff) /* else it only wakes a HLT */
		watch(false);
}

static void hold(u64 state)
{
	(void)*watched; /* the old translation is cached */
	smp_beat[smp_self()]++;
	switch (state) {
	case HALT_STI:
		asm volatile("sti; hlt; cli" : : : "memory");
		break;
	case HALT_CLI:
		asm volatile("hlt" : : : "memory");
		break;
	case SPIN_STI:
		sti();
		break;
	case IN_NMI: /* the NMI of the caller */
	case WAIT_SIPI:
		while (!smp_quit)
			cpu_relax();
		return;
	default:
		break;
	}
	watch(state == ROOT);
}

static void shoot_down(u32 state)
{
	u32 others = (1u << smp_count()) - 2;

	watched = change_page(next_page++);
	changed = 0;
	smp_quit = false;
	EXPECT_EQ(0xffff, *watched);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_call_beats(i, hold, state));
	delay_us(SETTLE_US);
	for (u32 i = 1; i < smp_count(); i++) {
		u32 before = smp_beat[i];

		if (state == IN_NMI) {
			apic_icr(smp_ids[i], NMI);
			EXPECT_TRUE(WAIT_FOR(smp_beat[i] != before, 20000));
		}
		if (state == WAIT_SIPI)
			smp_send_init(i);
	}
	change(watched); /* returns when all have flushed */
	EXPECT_NE(0xffff, *watched);
	if (state == WAIT_SIPI) {
		EXPECT_TRUE(smp_start());
		for (u32 i = 1; i < smp_count(); i++)
			EXPECT_TRUE(smp_call_beats(i, hold, SPIN_CLI));
	} else if (state == HALT_STI || state == HALT_CLI) {
		EXPECT_EQ(0, changed);
		for (u32 i = 1; i < smp_count(); i++)
			apic_icr(smp_ids[i], state == HALT_CLI ? NMI : SMP_VEC | ASSERT);
	}
	EXPECT_AT(WAIT_FOR(changed == others, 20000), "state %u, CPUs 0x%x of 0x%x", state, changed,
		  others);
	EXPECT_TRUE(smp_end());
}

static void ept_shoot_down(void)
{
	if (!smp_begin())
		return;
	REQUIRE(boot_hv_region(&region, &region_len));
	trap_handle(EXC_NMI, nmi_watch);
	next_page = 17;
	for (u32 state = 0; state < STATES; state++)
		shoot_down(state);
}

static volatile u32 mtrr_rounds[SMP_MAX];

/* Another type for a MiB of device memory, and back: two changes of the EPT. */
static void change_types(u64 rounds)
{
	u32 last = MSR_IA32_MTRR_PHYSBASE0 + 2 * (u32)((rdmsr(MSR_IA32_MTRRCAP) & 0xff) - 1);
	u64 bits = (1ull << (cpuid(0x80000008).a & 0xff)) - BIT64(20);

	wrmsr(last, 0xf0000000 | 1);
	for (u32 i = 0; i < rounds; i++) {
		wrmsr(last + 1, bits | BIT64(11));
		wrmsr(last + 1, 0);
		mtrr_rounds[smp_self()]++;
	}
	wrmsr(last, 0);
}

/* All CPUs change the EPT at once: each waits for all others, which wait for it. */
static void ept_all_change(void)
{
	const u32 rounds = 20;

	if (!smp_begin())
		return;
	for (u32 i = 0; i < smp_count(); i++)
		mtrr_rounds[i] = 0;
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, change_types, rounds);
	change_types(rounds);
	EXPECT_TRUE(smp_end());
	for (u32 i = 0; i < smp_count(); i++)
		EXPECT_EQ(rounds, mtrr_rounds[i]);
}

static const struct test t_smp_ept_tests[] = {
	{ .name = "smp_ept_shoot_down", .run = ept_shoot_down, .flags = T_KENSHO },
	{ .name = "smp_ept_all_change", .run = ept_all_change, .flags = T_KENSHO },
};
TEST_GROUP(t_smp_ept);
