// SPDX-License-Identifier: BSD-2-Clause
// What the tests of several CPUs share.

#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/tap.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

volatile u32 smp_hits[SMP_MAX];
volatile u32 smp_beat[SMP_MAX];
volatile bool smp_quit;

void smp_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	apic_eoi();
}

bool smp_begin(void)
{
	if (smp_count() < 2) {
		test_skip("there is 1 CPU");
		return false;
	}
	for (u32 i = 0; i < SMP_MAX; i++)
		smp_hits[i] = smp_beat[i] = 0;
	smp_quit = false;
	trap_handle(SMP_VEC, smp_irq);
	if (!smp_start()) {
		test_fail("a CPU does not start", __FILE__, __LINE__);
		return false;
	}
	return true;
}

void smp_spin(u64 interrupts)
{
	if (interrupts)
		sti();
	while (!smp_quit) {
		smp_beat[smp_self()]++;
		cpu_relax();
	}
	cli();
}

bool smp_all(void (*fn)(u64), u64 arg)
{
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, fn, arg);
	for (u32 i = 1; i < smp_count(); i++) {
		u32 before = smp_beat[i];

		if (fn == smp_spin && !WAIT_FOR(smp_beat[i] != before, 100000))
			return false;
	}
	return true;
}

bool smp_end(void)
{
	bool all = true;

	smp_quit = true;
	for (u32 i = 1; i < smp_count(); i++)
		all &= smp_wait(i);
	return all;
}

bool smp_beats(u32 cpu)
{
	u32 before = smp_beat[cpu];

	return WAIT_FOR(smp_beat[cpu] != before, 20000);
}

bool smp_call_beats(u32 cpu, void (*fn)(u64), u64 arg)
{
	u32 before = smp_beat[cpu];

	smp_call(cpu, fn, arg);
	return WAIT_FOR(smp_beat[cpu] != before, 20000);
}

bool smp_is_still(u32 cpu)
{
	u32 before = smp_beat[cpu];

	delay_us(300);
	return smp_beat[cpu] == before;
}

void smp_halts(u64 interrupts)
{
	u32 self = smp_self();

	while (!smp_quit) {
		smp_beat[self]++;
		if (interrupts)
			asm volatile("sti; hlt; cli" : : : "memory");
		else
			asm volatile("cli; hlt" : : : "memory");
	}
}

void smp_expect_ipi(const char *what, u32 dest, u32 low, u32 mask)
{
	u32 before[SMP_MAX], got = 0, more = 0;

	for (u32 i = 0; i < smp_count(); i++)
		before[i] = smp_hits[i];
	sti();
	apic_icr(dest, low);
	for (u32 i = 0; i < smp_count(); i++) {
		if ((mask >> i & 1) != 0)
			(void)WAIT_FOR(smp_hits[i] != before[i], 10000);
	}
	if (mask == 0 || (low & LOWEST) != 0)
		delay_us(SETTLE_US);
	cli();
	for (u32 i = 0; i < smp_count(); i++) {
		got |= (u32)(smp_hits[i] != before[i]) << i;
		more |= smp_hits[i] - before[i] > 1;
	}
	test_expect(got == mask && more == 0, more ? "sent too often, to" : "wanted by CPUs", what,
		    got, mask, __FILE__, __LINE__);
}

u32 smp_all_mask(void)
{
	return (1u << smp_count()) - 1;
}

bool smp_ipi_begin(void)
{
	if (!smp_begin())
		return false;
	if (apic_mode() == APIC_XAPIC)
		apic_write(APIC_LDR, 1u << 24);
	if (!smp_all(smp_spin, 1)) {
		test_fail("a CPU does not run", __FILE__, __LINE__);
		return false;
	}
	return true;
}

u32 smp_hits_total(void)
{
	u32 n = 0;

	for (u32 i = 0; i < smp_count(); i++)
		n += smp_hits[i];
	return n;
}

u32 smp_logical_of(u32 mask)
{
	u32 dest = 0;

	if (apic_mode() == APIC_XAPIC)
		return mask;
	for (u32 i = 0; i < smp_count(); i++) {
		if ((mask >> i & 1) != 0)
			dest |= x2apic_ldr(smp_ids[i]);
	}
	return dest;
}
