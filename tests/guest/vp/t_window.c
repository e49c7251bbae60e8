// SPDX-License-Identifier: BSD-2-Clause
// Rule K1: a kick that arrives anywhere between an exit and the next entry is not late. CPU 1 exits
// once, by CPUID or by an RDMSR of rdmsr_value.S, and then spins without exits; CPU 0 sends it an
// interrupt after 0, 1, 2... instructions, so that the NMI of the kick meets each instruction of
// the exit, the restartable window included. An entry that is not restarted would deliver the
// interrupt at the next exit: after the spin.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define STEPS  400u /* more than CPU 0's WRMSR and CPU 1's exit take together */
#define ROUNDS 4000u
#define LEAD   200u /* loops of CPU 1 before its exit: about CPU 0's way to the kick */
#define SPIN   3000u

static volatile u32 window_ready, window_got, window_done, window_late, window_seen;

static void window_irq(struct trap_regs *regs)
{
	window_got = window_ready;
	apic_eoi();
}

static void window_target(u64 unused)
{
	u32 round = 0;

	sti();
	while (!smp_quit && round < ROUNDS) {
		u32 spin = SPIN;

		window_ready = ++round;
		for (u32 n = 0; n < LEAD / 2; n++)
			asm volatile("" : : : "memory");
		if (round / STEPS % 2 == 0)
			(void)cpuid(0);
		else
			(void)rdmsr(MSR_IA32_APIC_BASE);
		while (window_got != round && --spin != 0)
			asm volatile("" : : : "memory");
		if (window_got == round)
			window_seen++;
		else
			window_late++;
		while (window_got != round && !smp_quit) /* it comes with one of these exits */
			(void)cpuid(0);
		window_done = round;
	}
	cli();
}

static void smp_kick_window(void)
{
	u64 icr;

	if (!smp_begin())
		return;
	trap_handle(SMP_VEC, window_irq);
	window_ready = window_got = window_done = window_late = window_seen = 0;
	icr = (u64)smp_ids[1] << 32 | APIC_ICR_ASSERT | SMP_VEC;
	smp_call(1, window_target, 0);
	for (u32 round = 1; round <= ROUNDS; round++) {
		if (!EXPECT_AT(WAIT_FOR(window_ready == round, 100000), "round %u", round))
			break;
		for (u32 n = round % STEPS; n != 0; n--)
			asm volatile("nop");
		wrmsr(X2APIC_MSR(APIC_ICR), icr);
		if (!EXPECT_AT(WAIT_FOR(window_done == round, 100000), "round %u", round))
			break;
	}
	EXPECT_TRUE(smp_end());
	EXPECT_EQ(0, window_late);
	EXPECT_EQ(ROUNDS, window_seen);
}

static const struct test t_window_tests[] = {
	{ .name = "smp_x2_kick_window", .run = smp_kick_window, .flags = T_KENSHO | T_X2APIC },
};
TEST_GROUP(t_window);
