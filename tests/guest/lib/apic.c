// SPDX-License-Identifier: BSD-2-Clause
// Local APIC access for the test guests.

#include "tests/guest/lib/apic.h"

#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/tap.h"

static u64 apic_page(u64 base_msr)
{
	return base_msr & APIC_BASE_ADDR;
}

enum apic_mode apic_mode(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if ((base & APIC_BASE_EN) == 0)
		return APIC_OFF;
	return (base & APIC_BASE_EXTD) != 0 ? APIC_X2APIC : APIC_XAPIC;
}

bool apic_enter(enum apic_mode mode)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);
	u64 off = base & ~(APIC_BASE_EN | APIC_BASE_EXTD);

	if (apic_mode() == mode)
		return true;
	if (mode == APIC_X2APIC && (cpuid(1).c & CPUID1_ECX_X2APIC) == 0)
		return false;
	if (apic_mode() != APIC_XAPIC) {
		if (!machine_has_hypervisor()) /* the bare emulator has no way back */
			return false;
		wrmsr(MSR_IA32_APIC_BASE, off);
		if (mode != APIC_OFF)
			wrmsr(MSR_IA32_APIC_BASE, off | APIC_BASE_EN);
	}
	if (mode == APIC_OFF)
		wrmsr(MSR_IA32_APIC_BASE, off);
	if (mode == APIC_X2APIC)
		wrmsr(MSR_IA32_APIC_BASE, off | APIC_BASE_EN | APIC_BASE_EXTD);
	return apic_mode() == mode;
}

u32 apic_read(u32 reg)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if ((base & APIC_BASE_EXTD) != 0)
		return (u32)rdmsr(X2APIC_MSR(reg));
	return mmio_read32(apic_page(base) + reg);
}

void apic_write(u32 reg, u32 val)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if ((base & APIC_BASE_EXTD) != 0)
		wrmsr(X2APIC_MSR(reg), val);
	else
		mmio_write32(apic_page(base) + reg, val);
}

void apic_icr(u32 dest, u32 low)
{
	if (apic_mode() == APIC_X2APIC) {
		wrmsr(X2APIC_MSR(APIC_ICR), (u64)dest << 32 | low);
		return;
	}
	while ((apic_read(APIC_ICR) & APIC_ICR_PENDING) != 0)
		cpu_relax();
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
}

u32 apic_id(void)
{
	u32 id = apic_read(APIC_ID);

	return apic_mode() == APIC_X2APIC ? id : id >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static bool apic_bit(u32 reg, u8 vector)
{
	return (apic_read(reg + (vector >> 5) * APIC_REG_STRIDE) >> (vector & 31)) & 1;
}

bool apic_in_service(u8 vector)
{
	return apic_mode() != APIC_OFF && apic_bit(APIC_ISR, vector);
}

bool apic_requested(u8 vector)
{
	return apic_bit(APIC_IRR, vector);
}

bool apic_level(u8 vector)
{
	return apic_bit(APIC_TMR, vector);
}

void apic_self_ipi(u8 vector)
{
	apic_icr(0, vector | FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF) | APIC_ICR_ASSERT);
}

void apic_self_nmi(void)
{
	apic_icr(apic_id(), FIELD_PREP(APIC_ICR_MODE, APIC_MODE_NMI) | APIC_ICR_ASSERT);
}

void apic_timer(u32 mode, u8 vector, u32 tdcr)
{
	apic_write(APIC_TDCR, tdcr);
	apic_write(APIC_LVT_TIMER, vector | (u32)FIELD_PREP(APIC_LVT_TIMER_MODE, mode));
}

void apic_deadline(u64 tsc)
{
	/* SDM "TSC-Deadline Mode": the LVT write (MMIO) and the WRMSR need a fence. */
	asm volatile("mfence" : : : "memory");
	wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
}

static void apic_drain(void)
{
	/* Everything pending is delivered to the logging default handler, which EOIs. */
	for (u32 i = 0; i < 16; i++)
		sti_nop_cli();
	for (u32 i = 0; i < VECTOR_COUNT; i++) {
		bool busy = false;

		for (u32 reg = 0; reg < 8; reg++)
			busy |= apic_read(APIC_ISR + reg * APIC_REG_STRIDE) != 0;
		if (!busy)
			break;
		apic_eoi();
	}
}

void apic_quiesce(void)
{
	static const u16 lvts[] = { APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERF,
				    APIC_LVT_LINT0, APIC_LVT_LINT1,   APIC_LVT_ERROR };

	cli();
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	for (u32 i = 0; i < ARRAY_SIZE(lvts); i++)
		apic_write(lvts[i], APIC_LVT_MASKED);
	if ((cpuid(1).c & CPUID1_ECX_TSC_DEADLINE) != 0)
		wrmsr(MSR_IA32_TSC_DEADLINE, 0);
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_TPR, 0);
	apic_drain();
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	if (apic_mode() == APIC_XAPIC) {
		apic_write(APIC_DFR, APIC_DFR_FLAT);
		apic_write(APIC_LDR, 0x01000000);
	}
}
