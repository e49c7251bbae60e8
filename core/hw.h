/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port between the machine model and the machine: the only functions that pure code calls and
 * that touch hardware. arch/x86 implements them; tests/host/fakes implements them again.
 *
 * Context: unless a function says otherwise it acts on the calling CPU, in VMX root operation,
 * with interrupts disabled.
 */
#pragma once

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/tone.h"
#include "core/lib/types.h"

struct vp;

/* --- VMCS of the VP that runs on this CPU. A failing access is a hypervisor bug and panics. --- */
u64 hw_vmread(enum vmcs_field field);
void hw_vmwrite(enum vmcs_field field, u64 val);

/*
 * hw_vmread_hot()/hw_vmwrite_hot() - the same without the check, for the fields every exit touches
 * (reason, length, RIP, RFLAGS, interruptibility, access rights of CS and SS): boot
 * proved them accessible (arch/x86/vmcs.c).
 */
u64 hw_vmread_hot(enum vmcs_field field);
void hw_vmwrite_hot(enum vmcs_field field, u64 val);

/*
 * hw_vmcs_load() - VMPTRLD: the VMCS at @vmcs becomes the current one. hw_vmcs_clear() - VMCLEAR:
 * it is in memory as a whole, its launch state is clear, no VMCS is current if it was. A VMCS that
 * is no VMCS is a hypervisor bug and panics.
 */
void hw_vmcs_load(hpa_t vmcs);
void hw_vmcs_clear(hpa_t vmcs);

/* hw_vmread_safe() - for dumps: ERR_NODEV when this CPU lacks the field or has no current VMCS. */
MUST_CHECK err_t hw_vmread_safe(enum vmcs_field field, u64 *val);

/* --- Time --- */

/* hw_tsc() - the physical TSC, in ticks. */
u64 hw_tsc(void);

/**
 * hw_timer_arm() - program the VMX-preemption timer for the next VM entry.
 * @delta_tsc: TSC ticks from now; 0 exits before the first guest instruction. Longer spans than
 *             the timer can hold are clamped: the early exit is harmless.
 * Returns the span that was programmed, in TSC ticks. It runs anew from every VM entry.
 */
u64 hw_timer_arm(u64 delta_tsc);

/* --- Physical local APIC, registers by xAPIC offset (defs/apic.h) in both modes --- */
u32 hw_lapic_read(u32 reg);
void hw_lapic_write(u32 reg, u32 val);

/* hw_lapic_isr_tmr() - 32 vectors from @word * 32 on: ISR in the low half, TMR in the high half. */
u64 hw_lapic_isr_tmr(u32 word);

/* hw_lapic_eoi() - EOI of the highest vector in the physical ISR. */
void hw_lapic_eoi(void);

/**
 * hw_lapic_set_x2apic() - mirror the guest's APIC mode (rule I7); returns the mode that it is in
 * now. Back to xAPIC mode leads through EN = 0: all registers are reset, IPIs that arrive meanwhile
 * are lost, and it fails where the firmware has locked x2APIC mode. Not on Bochs.
 */
bool hw_lapic_set_x2apic(bool on);

/**
 * hw_irq_window() - let this CPU take physical interrupts for one instruction: sti; pause; cli.
 * Taken interrupts reach irq_fwd_accept() through the host IDT stubs (rule I4).
 */
void hw_irq_window(void);

/* --- Physical I/O APIC at FEC00000, by offset (defs/ioapic.h). Only for core/dev/lines.c. --- */
u32 hw_ioapic_read(u32 offset);
void hw_ioapic_write(u32 offset, u32 val);

/* --- Cross-CPU --- */

/* hw_kick() - NMI to the CPU that runs @vp. False: one is on its way already (rule K2). */
bool hw_kick(struct vp *vp);

/* hw_nmi_unblock() - rule K2: an IRET, after which this CPU accepts NMIs again. */
void hw_nmi_unblock(void);

/* hw_cpu_vp() - the VP of the calling CPU, NULL before it exists. Host interrupt stubs only. */
struct vp *hw_cpu_vp(void);

/* --- MSRs, CPUID, control registers --- */
MUST_CHECK err_t hw_rdmsr_safe(u32 msr, u64 *val); /* ERR_FAULT on #GP; *val only on success */
MUST_CHECK err_t hw_wrmsr_safe(u32 msr, u64 val);
void hw_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *out);
void hw_xsetbv(u64 xcr0); /* @xcr0 already validated against CPUID 0xD */
u64 hw_read_dr(u32 nr);   /* 0-3, 6; DR7 lives in the VMCS */
void hw_write_dr(u32 nr, u64 val);
u64 hw_read_cr2(void); /* the guest's: the hypervisor has no page faults */
void hw_write_cr2(u64 val);
void hw_wbinvd(void);

/*
 * hw_vector_read(), hw_vector_write() - a vector register: the guest's, the hypervisor has none.
 * Only while the guest could use it itself (CR0.EM and TS, CR4, XCR0).
 * HW_MMX: 0-7, 8 bytes; the x87 unit is in its MMX state afterwards. ERR_BUSY: an x87 exception is
 *         pending, which an MMX instruction raises; nothing has happened.
 * HW_XMM: 0-15, 16 bytes; the rest of the register is left alone.
 * HW_YMM: 0-15, 32 bytes; the write clears what the register has above them (VEX).
 * The rest of @val is left alone.
 */
enum hw_vector { HW_MMX, HW_XMM, HW_YMM };
MUST_CHECK err_t hw_vector_read(enum hw_vector kind, u32 nr, u64 val[4]);
MUST_CHECK err_t hw_vector_write(enum hw_vector kind, u32 nr, const u64 val[4]);

/* --- Memory --- */

/**
 * hw_phys_to_virt() - hypervisor mapping of physical memory.
 * @pa: an address inside RAM that the memory map names, or inside the hypervisor region.
 *
 * The mapping is writable and never executable. MMIO is not mapped here.
 */
void *hw_phys_to_virt(hpa_t pa);
hpa_t hw_virt_to_phys(const void *va); /* hypervisor image, heap or physmap address */
void hw_invept(u64 eptp);              /* single-context, this CPU */
void hw_invvpid(u16 vpid);             /* single-context, this CPU */

/* --- Port I/O of the real machine; @size 1, 2 or 4 bytes --- */
u32 hw_io_in(u16 port, u32 size);
void hw_io_out(u16 port, u32 size, u32 val);

/* --- Ends --- */
NORETURN void hw_reboot(
	void); /* reset the machine: ACPI reset register, 0xCF9, i8042, triple fault */
NORETURN void hw_halt(void); /* stop this CPU for ever */

/* hw_console_write() - bytes to every console that is ours now (boot), or all of them (@panic). */
void hw_console_write(const char *s, size_t len, bool panic);

/* hw_console_tone() - the boot ends here: what follows goes to every console, in the colour of
 * @tone; what is on a screen stays. */
void hw_console_tone(enum tone tone);

/* hw_crash_dump() - registers and backtrace of the running hypervisor code, through log_panic(). */
void hw_crash_dump(void);
