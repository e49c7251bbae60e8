/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of core/hw.h that is one instruction or a call each: link-time optimisation inlines
 * these. The VMCS, the timer and the invalidations are in hw_vmx.c, memory in paging.c, the LAPIC
 * in lapic.c.
 */
#include "core/hw.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "core/diag/panic.h"
#include "core/vp/vp.h"

u64 hw_tsc(void)
{
	return rdtsc();
}

struct vp *hw_cpu_vp(void)
{
	return this_cpu()->vp;
}

/* Rule K2: if the mark is already set, an NMI is in flight; do not send another. */
bool hw_kick(struct vp *vp)
{
	if (__atomic_exchange_n(&vp->kicked, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	lapic_send(vp->apic_id, (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_NMI) | APIC_ICR_ASSERT);
	return true;
}

err_t hw_rdmsr_safe(u32 msr, u64 *val)
{
	return rdmsr_safe(msr, val);
}

err_t hw_wrmsr_safe(u32 msr, u64 val)
{
	return wrmsr_safe(msr, val);
}

void hw_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	*out = cpuid(leaf, subleaf);
}

void hw_xsetbv(u64 xcr0)
{
	xsetbv(0, xcr0);
}

u64 hw_read_dr(u32 nr)
{
	switch (nr) {
	case 0:
		return read_dr0();
	case 1:
		return read_dr1();
	case 2:
		return read_dr2();
	case 3:
		return read_dr3();
	default:
		ASSERT(nr == 6);
		return read_dr6();
	}
}

void hw_write_dr(u32 nr, u64 val)
{
	switch (nr) {
	case 0:
		write_dr0(val);
		break;
	case 1:
		write_dr1(val);
		break;
	case 2:
		write_dr2(val);
		break;
	case 3:
		write_dr3(val);
		break;
	default:
		ASSERT(nr == 6);
		write_dr6(val);
		break;
	}
}

u64 hw_read_cr2(void)
{
	return read_cr2();
}

void hw_write_cr2(u64 val)
{
	write_cr2(val);
}

void hw_wbinvd(void)
{
	wbinvd();
}

u32 hw_io_in(u16 port, u32 size)
{
	switch (size) {
	case 1:
		return inb(port);
	case 2:
		return inw(port);
	default:
		ASSERT(size == 4);
		return inl(port);
	}
}

void hw_io_out(u16 port, u32 size, u32 val)
{
	switch (size) {
	case 1:
		outb(port, (u8)val);
		break;
	case 2:
		outw(port, (u16)val);
		break;
	default:
		ASSERT(size == 4);
		outl(port, val);
		break;
	}
}

void hw_halt(void)
{
	for (;;) {
		cpu_cli();
		cpu_hlt();
	}
}
