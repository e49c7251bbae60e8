/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt descriptor table and the C side of host exceptions.
 *
 * Context: root operation, interrupts disabled, on an IST stack for vectors below 32.
 */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/extable.h"
#include "arch/x86/insn.h"
#include "arch/x86/isr.h"
#include "arch/x86/percpu.h"
#include "core/apic/irq_fwd.h"
#include "core/diag/panic.h"
#include "core/hw.h"

struct idt_gate host_idt[VECTOR_COUNT] ALIGNED(16);

static u8 vector_ist(u32 vector)
{
	switch (vector) {
	case EXC_NMI:
		return IST_NMI;
	case EXC_DF:
		return IST_DF;
	case EXC_MC:
		return IST_MC;
	default:
		return vector < EXC_COUNT ? IST_EXC : IST_NONE;
	}
}

void idt_init(void)
{
	for (u32 v = 0; v < VECTOR_COUNT; v++) {
		u64 stub = v == EXC_NMI ? (u64)isr_nmi : (u64)isr_stubs + v * ISR_STUB_BYTES;

		host_idt[v] = idt_gate_make(stub, SEL_CODE64, vector_ist(v));
	}
}

void idt_load(void)
{
	struct desc_ptr ptr = { .limit = sizeof(host_idt) - 1, .base = (u64)host_idt };

	lidt(&ptr);
}

/* A machine check inside the interrupt window must not pass for an interrupt with vector 18. */
static bool is_machine_check(u64 vector)
{
	return vector == EXC_MC && (rdmsr(MSR_IA32_MCG_STATUS) & MCG_STATUS_MCIP) != 0;
}

/*
 * The vector does not tell an interrupt from an exception: LAPIC vectors start at 16, and an 8259
 * delivers whatever the guest programs (BIOS: 8-15). The place does: interrupts are enabled in one
 * place only, whose instructions cannot fault.
 */
static bool is_interrupt(const struct exc_frame *f)
{
	return f->rip >= (u64)irq_window_start && f->rip < (u64)irq_window_end &&
	       !is_machine_check(f->vector);
}

static NORETURN void page_fault_panic(const struct percpu *pc, const struct exc_frame *f)
{
	u64 addr = read_cr2();
	const char *stack = percpu_guard_name(pc, addr);
	const char *access = "read";

	if ((f->error & PFEC_I) != 0)
		access = "fetch";
	else if ((f->error & PFEC_W) != 0)
		access = "write";
	if (stack != NULL)
		panic("stack overflow: #PF in the guard page of the %s stack at rip %016llx", stack,
		      f->rip);
	panic("#PF page fault: %s of %016llx at rip %016llx, error code 0x%llx", access, addr,
	      f->rip, f->error);
}

static NORETURN void exception_panic(struct exc_frame *f)
{
	struct percpu *pc = this_cpu();
	u8 vector = (u8)f->vector;

	/* A fault during the report is reported, too; a fault during that ends it all. */
	if (pc->crash_depth++ >= 2)
		panic_end();
	pc->crash = f;
	if (vector == EXC_PF)
		page_fault_panic(pc, f);
	panic("exception %u (%s) at rip %016llx, error code 0x%llx", vector, exception_name(vector),
	      f->rip, f->error);
}

void exception_entry(struct exc_frame *f)
{
	u64 fixup;

	if (is_interrupt(f)) {
		host_interrupt((u32)f->vector);
		return;
	}
	fixup = f->vector == EXC_GP ? extable_fixup(f->rip) : 0;
	if (fixup == 0)
		exception_panic(f);
	f->rip = fixup;
}

void host_interrupt(u32 vector)
{
	struct vp *vp = hw_cpu_vp();

	if (vp != NULL) {
		irq_fwd_accept(vp, (u8)vector);
		return;
	}
	/* No VP yet: send an EOI only for what the LAPIC delivered. */
	if ((hw_lapic_read(APIC_ISR + (vector >> 5) * APIC_REG_STRIDE) & BIT32(vector & 31)) != 0)
		hw_lapic_eoi();
}
