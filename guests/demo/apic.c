/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: the local APIC in either mode. */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "guests/demo/demo.h"

#define XAPIC_BASE   0xfee00000ull
#define SVR_SPURIOUS 0xffu
#define DIVIDE_BY_16 3u
#define LVT_PERIODIC BIT32(17)
#define ICR_BUSY     BIT32(12)
#define ICR_OTHERS   (3u << 18)

static bool is_x2;

bool apic_is_x2(void)
{
	return is_x2;
}

static u32 reg_read(u32 reg)
{
	u64 val = 0;

	if (is_x2)
		(void)msr_read(0x800 + (reg >> 4), &val);
	else
		val = *(volatile u32 *)(XAPIC_BASE + reg);
	return (u32)val;
}

static void reg_write(u32 reg, u32 val)
{
	if (is_x2)
		msr_write(0x800 + (reg >> 4), val);
	else
		*(volatile u32 *)(XAPIC_BASE + reg) = val;
}

void apic_init(void)
{
	u64 base = 0;

	(void)msr_read(MSR_IA32_APIC_BASE, &base);
	is_x2 = (base & APIC_BASE_EXTD) != 0;
	reg_write(APIC_SVR, APIC_SVR_ENABLE | SVR_SPURIOUS);
	reg_write(APIC_TPR, 0);
}

u32 apic_id(void)
{
	return is_x2 ? reg_read(APIC_ID) : reg_read(APIC_ID) >> 24;
}

void apic_send(u32 dest, u32 low)
{
	if (is_x2) {
		msr_write(0x800 + (APIC_ICR >> 4), (u64)dest << 32 | low);
		return;
	}
	reg_write(APIC_ICR + 0x10, dest << 24);
	reg_write(APIC_ICR, low);
	while (reg_read(APIC_ICR) & ICR_BUSY)
		;
}

void apic_send_others(u32 low)
{
	apic_send(0, low | ICR_OTHERS);
}

void apic_eoi(void)
{
	reg_write(APIC_EOI, 0);
}

/* The timer's rate is not documented: measure it against the TSC for 10 ms. */
void apic_timer_start(u32 hz, u64 tsc_hz)
{
	u64 end;
	u32 counted;

	reg_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
	reg_write(APIC_TDCR, DIVIDE_BY_16);
	reg_write(APIC_TMICT, ~0u);
	end = rdtsc() + tsc_hz / 100;
	while (rdtsc() < end)
		;
	counted = ~0u - reg_read(APIC_TMCCT);
	reg_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	reg_write(APIC_TMICT, (u32)((u64)counted * 100 / hz) | 1);
}
