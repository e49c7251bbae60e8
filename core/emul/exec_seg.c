/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment and descriptor-table registers: MOV, SLDT, STR, LLDT, LTR, SGDT, SIDT, LGDT, LIDT. VP's
 * CPU, with its VMCS current.
 *
 * Mode and privilege have been checked by the CPU. Instructions that load check again, as the code
 * may have changed.
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/vp/guest_cr.h"

enum exit_action exec_mov_from_sreg(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, true, &op));
	operand_store(x->vp, x->mem, &op,
		      hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, x->in->reg)));
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_mov_to_sreg(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, false, &op));
	if (segment_load(x->vp, x->in->reg, (u16)operand_load(x->vp, x->mem, &op)) != ERR_NONE)
		return EXIT_RESUME;
	return x->in->reg == SEG_SS ? EXIT_NEXT_MOV_SS : EXIT_NEXT_DECODED;
}

/*
 * SLDT, STR, SGDT and SIDT are a user's, too: does their store fault with #AC? An exit for the
 * instruction comes before that check.
 */
static bool is_misaligned(const struct exec *x, const struct operand *op, u32 offset, u32 align)
{
	return (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC) && (guest_cr0(x->vp) & CR0_AM) &&
	       vp_cpl(x->vp) == 3 && !IS_ALIGNED(op->gpa[0].v + offset, (u64)align);
}

/* SLDT, STR: two bytes of memory; a register is zero-extended. */
enum exit_action exec_store_system(const struct exec *x)
{
	u64 selector = hw_vmread(x->in->op == EMUL_STR ? VMCS_GUEST_TR_SELECTOR
						       : VMCS_GUEST_LDTR_SELECTOR);
	struct operand op;

	if (!segment_has_descriptors())
		return vp_fault(x->vp, EXC_UD);
	if (x->in->in_register) {
		reg_set(x, x->in->regsize, selector);
		return EXIT_NEXT_DECODED;
	}
	TRY_ACTION(resolve_main(x, true, &op));
	if (is_misaligned(x, &op, 0, 2))
		return vp_fault_code(x->vp, EXC_AC, 0);
	operand_store(x->vp, x->mem, &op, selector);
	return EXIT_NEXT_DECODED;
}

static enum resolve source_selector(const struct exec *x, u16 *selector)
{
	struct operand op;

	if (x->in->in_register) {
		*selector = (u16)gpr_read(x->vp, x->in->reg);
		return RESOLVE_OK;
	}
	TRY_RESOLVE(resolve_main(x, false, &op));
	*selector = (u16)operand_load(x->vp, x->mem, &op);
	return RESOLVE_OK;
}

/* LTR, LLDT */
enum exit_action exec_load_system(const struct exec *x)
{
	u16 selector;

	if (!segment_has_descriptors())
		return vp_fault(x->vp, EXC_UD);
	if (vp_cpl(x->vp) != 0)
		return vp_fault_gp0(x->vp);
	TRY_ACTION(source_selector(x, &selector));
	if (segment_load_system(x->vp, x->in->op == EMUL_LTR, selector) != ERR_NONE)
		return EXIT_RESUME;
	return EXIT_NEXT_DECODED;
}

/* A table register in memory: the limit, then the base. */
#define TABLE_BASE_AT 2u
#define TABLE_BYTES   10u

static u32 table_base_bytes(const struct insn *in)
{
	return in->opsize == 8 ? 8 : 4;
}

static enum resolve table_operand(const struct exec *x, bool write, struct operand *op)
{
	return resolve_bytes(x, x->in->seg, operand_offset(x->vp, x->in),
			     TABLE_BASE_AT + table_base_bytes(x->in), write, op);
}

/* SGDT, SIDT. SPEC-GAP: with an operand size of 16 bits the SDM has 24 bits of the base stored;
 * processors since the 386 store all 32. */
enum exit_action exec_store_table(const struct exec *x)
{
	bool idt = x->in->op == EMUL_SIDT;
	u64 limit = hw_vmread(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
	u64 base = hw_vmread(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE);
	u8 bytes[TABLE_BYTES];
	struct operand op;

	memcpy(bytes, &limit, TABLE_BASE_AT);
	memcpy(bytes + TABLE_BASE_AT, &base, sizeof(base));
	TRY_ACTION(table_operand(x, true, &op));
	if (is_misaligned(x, &op, 0, TABLE_BASE_AT) ||
	    is_misaligned(x, &op, TABLE_BASE_AT, table_base_bytes(x->in)))
		return vp_fault_code(x->vp, EXC_AC, 0);
	operand_store_wide(x->vp, x->mem, &op, bytes);
	return EXIT_NEXT_DECODED;
}

/* LGDT, LIDT: an operand size of 16 bits loads 24 bits of the base. */
enum exit_action exec_load_table(const struct exec *x)
{
	bool idt = x->in->op == EMUL_LIDT;
	u8 bytes[TABLE_BYTES] = { 0 };
	struct operand op;
	u16 limit;
	u64 base;

	if (vp_cpl(x->vp) != 0)
		return vp_fault_gp0(x->vp);
	TRY_ACTION(table_operand(x, false, &op));
	operand_load_wide(x->vp, x->mem, &op, bytes);
	memcpy(&limit, bytes, sizeof(limit));
	memcpy(&base, bytes + TABLE_BASE_AT, sizeof(base));
	if (x->in->opsize == 2)
		base &= GENMASK64(23, 0);
	if (x->in->opsize == 8 && !addr_is_canonical(base, emul_linear_width()))
		return vp_fault_gp0(x->vp);
	hw_vmwrite(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE, base);
	hw_vmwrite(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT, limit);
	return EXIT_NEXT_DECODED;
}
