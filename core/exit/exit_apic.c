/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits of APIC virtualization: accesses to the APIC page, virtualized writes that need emulation
 * after the fact, TPR below the threshold, EOIs of held vectors.
 *
 * Spec: SDM Vol. 3C, "APIC Virtualization and Virtual Interrupts".
 */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/apic/vlapic.h"
#include "core/diag/log.h"
#include "core/emul/emul.h"
#include "core/exit/exit.h"
#include "core/vp/vp.h"

#define REG_BYTES 4u /* of each 16-byte slot */

/*
 * Only aligned 32-bit accesses are architectural. Smaller reads return their part of the register,
 * as on CPUs; bytes 4-15 of a slot read 0. Other writes are dropped.
 */
static u64 apic_page_read(struct vp *vp, u64 gpa, u32 size)
{
	u32 offset = (u32)gpa & 0xfff;
	u32 in_slot = offset & (APIC_REG_STRIDE - 1);
	u64 val;

	if (in_slot >= REG_BYTES)
		return 0;
	val = vlapic_read(vp, offset - in_slot) >> (8 * in_slot);
	return size >= 8 ? val : val & (BIT64(8 * size) - 1);
}

static void apic_page_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
	u32 offset = (u32)gpa & 0xfff;

	if (size >= REG_BYTES && (offset & (APIC_REG_STRIDE - 1)) == 0)
		vlapic_write(vp, offset, (u32)val);
}

static const struct emul_mem apic_page = { apic_page_read, apic_page_write };

static NOINLINE enum exit_action not_emulated(struct vp *vp, u32 offset)
{
	/* MONITOR on a register would never trigger. Some CPUs report it as a read. */
	vp->insn_len = emul_monitor_length(vp);
	if (vp->insn_len != 0)
		return EXIT_NEXT_DECODED;
	log_guest("vp%u: an instruction on the APIC page at offset 0x%x is not emulated: #UD",
		  vp->index, offset);
	return vp_fault(vp, EXC_UD);
}

enum exit_action exit_apic_page(struct vp *vp, u32 offset)
{
	u64 page_gpa = vp->apic.base_msr & APIC_BASE_ADDR;
	enum exit_action action = emul_execute(vp, page_gpa + offset, &apic_page);

	return likely(action != EXIT_UNHANDLED) ? action : not_emulated(vp, offset);
}

/* The length field is undefined here: SDM Vol. 3C "Information for VM Exits Due to Instruction
 * Execution". Only the decoder knows. */
enum exit_action exit_apic_access(struct vp *vp, const struct exit_info *x)
{
	struct apic_access access = apic_access_decode(x->qual);

	switch (access.type) {
	case APIC_ACCESS_LINEAR_READ:
	case APIC_ACCESS_LINEAR_WRITE:
	case APIC_ACCESS_LINEAR_MONITOR:
		return exit_apic_page(vp, access.offset);
	case APIC_ACCESS_LINEAR_FETCH:
		/* Rule M1: registers are not code. */
		COUNT(vp, APIC_WINDOW);
		return vp_fault(vp, EXC_UD);
	case APIC_ACCESS_LINEAR_EVENT:
	case APIC_ACCESS_PHYSICAL_EVENT:
	case APIC_ACCESS_PHYSICAL_MONITOR_PT:
	case APIC_ACCESS_PHYSICAL_INSTRUCTION:
		break;
	}
	/* A stack, descriptor or page table in the APIC page crashes the bare machine, too. */
	log_guest("vp%u: page table or event delivery on the APIC page (qualification 0x%llx)",
		  vp->index, x->qual);
	return EXIT_STOP;
}

/* Trap-like: the write is in the page and the instruction is complete. */
enum exit_action exit_apic_write(struct vp *vp, const struct exit_info *x)
{
	u32 reg = (u32)FIELD_GET(APIC_WRITE_QUAL_OFFSET, x->qual) & ~(APIC_REG_STRIDE - 1);
	u32 val = vlapic_reg(&vp->apic, reg);

	if (reg == APIC_SELF_IPI)
		vlapic_set_irr(vp, (u8)val, false);
	else
		vlapic_write(vp, reg, val);
	return EXIT_RESUME;
}

/* Trap-like: the guest lowered its TPR; event_prepare_entry() decides what that unblocks. */
enum exit_action exit_tpr_threshold(struct vp *vp, const struct exit_info *x)
{
	vp_set_work(vp, VP_WORK_EVENT);
	return EXIT_RESUME;
}

/* Trap-like: the CPU has done the virtual EOI of a vector in the EOI-exit bitmap. */
enum exit_action exit_virtualized_eoi(struct vp *vp, const struct exit_info *x)
{
	COUNT(vp, EOI);
	irq_fwd_eoi(vp, (u8)FIELD_GET(EOI_QUAL_VECTOR, x->qual));
	vp_set_work(vp, VP_WORK_EVENT);
	return EXIT_RESUME;
}
