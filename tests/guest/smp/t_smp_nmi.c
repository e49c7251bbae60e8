// SPDX-License-Identifier: BSD-2-Clause
// NMIs and INIT: what INIT ends, and what comes after it.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 nmis;
static volatile bool stays;

static void nmi_trap(struct trap_regs *regs)
{
	nmis++;
	while (stays)
		cpu_relax();
}

static bool nmi_arrives(u32 cpu)
{
	u32 before = nmis;

	apic_icr(smp_ids[cpu], NMI);
	return WAIT_FOR(nmis != before, 20000) && nmis == before + 1;
}

/*
 * INIT reaches a CPU in its NMI handler: no IRET ends the blocking, INIT does. The next NMIs find
 * it with IF = 0, where nothing else runs an IRET.
 * Spec: SDM "Handling Multiple NMIs"; "Processor State After Reset or INIT".
 */
static void init_in_nmi(void)
{
	if (!smp_begin())
		return;
	trap_handle(EXC_NMI, nmi_trap);
	for (u32 i = 1; i < smp_count(); i++) {
		stays = true;
		EXPECT_TRUE(nmi_arrives(i));
		EXPECT_TRUE(smp_restart(i));
		stays = false;
		EXPECT_TRUE(nmi_arrives(i));
		EXPECT_TRUE(nmi_arrives(i));
	}
}

/* A CPU takes one NMI and latches the next: of two, sent at once, none is lost. */
static void nmi_pairs(void)
{
	if (!smp_begin())
		return;
	trap_handle(EXC_NMI, nmi_trap);
	for (u32 interrupts = 0; interrupts < 2; interrupts++) {
		EXPECT_TRUE(smp_call_beats(1, smp_spin, interrupts));
		for (u32 i = 0; i < 50; i++) {
			u32 before = nmis;

			apic_icr(smp_ids[1], NMI);
			apic_icr(smp_ids[1], NMI);
			EXPECT_TRUE(WAIT_FOR(nmis == before + 2, 20000));
		}
		smp_quit = true;
		EXPECT_TRUE(smp_wait(1));
		smp_quit = false;
	}
}

static void sti_hlt(u64 unused)
{
	while (!smp_quit) {
		smp_beat[1]++;
		asm volatile("cli; sti; nop; hlt" ::: "memory");
	}
}

/*
 * NMIs at every point of a loop that is often in the shadow of STI, where a CPU may open the window
 * for NMIs or not, and asleep else.
 * Spec: SDM Vol. 3C "Other Causes of VM Exits" (NMI window).
 */
static void nmi_flood_in_sti_shadow(void)
{
	if (!smp_begin())
		return;
	trap_handle(EXC_NMI, nmi_trap);
	EXPECT_TRUE(smp_call_beats(1, sti_hlt, 0));
	for (u32 i = 0; i < 300; i++) {
		EXPECT_TRUE(nmi_arrives(1));
		for (u32 k = 0; k < i % 32; k++)
			cpu_relax();
	}
	smp_quit = true;
	EXPECT_TRUE(nmi_arrives(1));
	EXPECT_TRUE(smp_wait(1));
}

static const struct test t_smp_nmi_tests[] = {
	{ .name = "smp_init_in_nmi", .run = init_in_nmi, .flags = T_KENSHO },
	{ .name = "smp_x2_init_in_nmi", .run = init_in_nmi, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_nmi_pairs", .run = nmi_pairs, .flags = T_KENSHO },
	{ .name = "smp_x2_nmi_pairs", .run = nmi_pairs, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_nmi_flood_in_sti_shadow", .run = nmi_flood_in_sti_shadow },
};
TEST_GROUP(t_smp_nmi);
