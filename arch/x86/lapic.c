/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical local APIC access, xAPIC and x2APIC. Context: root operation, the CPU itself. */
#include "arch/x86/lapic.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "core/hw.h"
#include "core/lib/mul128.h"

static u8 *lapic_regs; /* all CPUs have their APIC at the same address */

/* Mode of the physical APIC; one instruction on the interrupt path. */
static inline bool is_x2apic(void)
{
	bool on;

	asm("cmpb $0, %%gs:%c[field]"
	    : "=@ccne"(on)
	    : [field] "i"(offsetof(struct percpu, x2apic)));
	return on;
}

u32 hw_lapic_read(u32 reg)
{
	if (is_x2apic())
		return (u32)rdmsr(X2APIC_MSR(reg));
	return mmio_read32(lapic_regs + reg);
}

void hw_lapic_write(u32 reg, u32 val)
{
	if (is_x2apic())
		wrmsr(X2APIC_MSR(reg), val);
	else
		mmio_write32(lapic_regs + reg, val);
}

u64 hw_lapic_isr_tmr(u32 word)
{
	u32 isr, tmr;

	if (likely(is_x2apic())) {
		isr = (u32)rdmsr(X2APIC_MSR(APIC_ISR) + word);
		tmr = (u32)rdmsr(X2APIC_MSR(APIC_TMR) + word);
	} else {
		isr = mmio_read32(lapic_regs + APIC_ISR + word * APIC_REG_STRIDE);
		tmr = mmio_read32(lapic_regs + APIC_TMR + word * APIC_REG_STRIDE);
	}
	return (u64)tmr << 32 | isr;
}

void hw_lapic_eoi(void)
{
	hw_lapic_write(APIC_EOI, 0);
}

/* SDM Vol. 3A, "x2APIC State Transitions". Interrupts are off, so nothing uses the APIC in
 * between. */
bool hw_lapic_set_x2apic(bool on)
{
	struct percpu *pc = this_cpu();
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if (on == pc->x2apic)
		return on;
	if (on) {
		wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EXTD);
	} else {
		/* #GP: locked, IA32_XAPIC_DISABLE_STATUS bit 0. */
		if (wrmsr_safe(MSR_IA32_APIC_BASE, base & ~(APIC_BASE_EN | APIC_BASE_EXTD)) !=
		    ERR_NONE)
			return true;
		wrmsr(MSR_IA32_APIC_BASE, (base & ~APIC_BASE_EXTD) | APIC_BASE_EN);
	}
	pc->x2apic = on;
	return on;
}

err_t lapic_init(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);
	struct percpu *pc = this_cpu();

	if ((base & APIC_BASE_EN) == 0)
		return ERR_NODEV;
	if (lapic_regs == NULL)
		lapic_regs = mmio_map(hpa(base & APIC_BASE_ADDR), 0x1000);
	pc->x2apic = (base & APIC_BASE_EXTD) != 0;
	pc->apic_id = hw_lapic_read(APIC_ID);
	if (!pc->x2apic)
		pc->apic_id = (u32)FIELD_GET(APIC_ID_XAPIC, pc->apic_id);
	return ERR_NONE;
}

bool lapic_is_locked(void)
{
	u64 caps, status;

	return (cpuid_if(CPUID_LEAF_EXT_FEATURES, 0).d & CPUID7_EDX_ARCH_CAPABILITIES) != 0 &&
	       rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &caps) == ERR_NONE &&
	       (caps & ARCH_CAP_XAPIC_DISABLE_STATUS) != 0 &&
	       rdmsr_safe(MSR_IA32_XAPIC_DISABLE_STATUS, &status) == ERR_NONE &&
	       (status & LEGACY_XAPIC_DISABLED) != 0;
}

u64 lapic_timer_hz(u64 tsc_hz)
{
	u64 start_tsc, span_tsc;
	u32 ticks;

	hw_lapic_write(APIC_TDCR, APIC_TDCR_BY_1);
	hw_lapic_write(APIC_TMICT, 0xffffffff);
	start_tsc = rdtsc();
	do
		span_tsc = rdtsc() - start_tsc;
	while (span_tsc < tsc_hz / 100);
	ticks = 0xffffffff - hw_lapic_read(APIC_TMCCT);
	span_tsc = rdtsc() - start_tsc;
	hw_lapic_write(APIC_TMICT, 0);
	return mul_u64_u64_div_u64(ticks, tsc_hz, span_tsc);
}

bool lapic_reaches(u32 apic_id)
{
	return this_cpu()->x2apic || apic_id < APIC_BROADCAST_XAPIC;
}

void lapic_send(u32 dest, u32 icr_low)
{
	if (this_cpu()->x2apic) {
		/* Unlike a store, this WRMSR does not wait for earlier stores to be visible. */
		memory_fence();
		wrmsr(X2APIC_MSR(APIC_ICR), FIELD_PREP(APIC_ICR_DEST_X2APIC, dest) | icr_low);
		return;
	}
	while ((mmio_read32(lapic_regs + APIC_ICR) & APIC_ICR_PENDING) != 0)
		cpu_pause();
	mmio_write32(lapic_regs + APIC_ICR2, (u32)FIELD_PREP(APIC_ICR2_DEST, dest));
	mmio_write32(lapic_regs + APIC_ICR, icr_low);
}
