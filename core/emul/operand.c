/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory operands of emulated instructions: effective address, segmentation, and the pieces of an
 * operand on the emulated page and in RAM. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 3A, "Limit Checking", "Type Checking"; SDM Vol. 1, "Canonical Addressing".
 */
#include "core/emul/operand_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/overlay.h"
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

static err_t fault_segment(struct vp *vp, u32 seg)
{
	(void)vp_fault_code(vp, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
	return ERR_FAULT;
}

bool emul_inside_limit(u32 ar, u32 limit, u64 offset, u32 len)
{
	u64 last = offset + len - 1;
	u64 top = (ar & AR_DB) ? 0xffffffff : 0xffff;
	bool data = !(ar & AR_TYPE_CODE);

	if (data && (ar & AR_TYPE_EXPAND_DOWN))
		return offset > limit && last <= top;
	return last <= limit;
}

u32 emul_linear_width(void)
{
	return (hw_vmread(VMCS_GUEST_CR4) & CR4_LA57) ? 57 : 48;
}

err_t emul_linear(struct vp *vp, u32 seg, u64 offset, u32 len, bool write, u64 *linear)
{
	u64 base = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg));
	bool real = !(hw_vmread(VMCS_GUEST_CR0) & CR0_PE);
	u32 ar;

	if (emul_cpu_mode(vp) == EMUL_64) {
		u32 width = emul_linear_width();
		u64 at = offset + (seg >= SEG_FS ? base : 0);

		if (!addr_is_canonical(at, width) || !addr_is_canonical(at + len - 1, width))
			return fault_segment(vp, seg);
		*linear = at;
		return ERR_NONE;
	}
	ar = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_AR, seg));
	if (ar & AR_UNUSABLE)
		return fault_segment(vp, seg);
	if (!real && (ar & AR_TYPE_CODE) && (write || !(ar & AR_TYPE_READABLE)))
		return fault_segment(vp, seg);
	if (!real && write && !(ar & AR_TYPE_WRITABLE))
		return fault_segment(vp, seg);
	if (!emul_inside_limit(ar, (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_LIMIT, seg)),
			       offset, len))
		return fault_segment(vp, seg);
	*linear = (u32)(base + offset);
	return ERR_NONE;
}

u64 operand_offset(const struct vp *vp, const struct insn *in)
{
	u64 at = (u64)in->disp;

	if (in->rip_relative)
		at += hw_vmread(VMCS_GUEST_RIP) + in->len;
	if (in->base >= 0)
		at += gpr_read(vp, (u32)in->base);
	if (in->index >= 0)
		at += gpr_read(vp, (u32)in->index) << in->scale;
	return at & size_mask(in->addrsize);
}

/* Not RAM. A scratch page is foreign, too: the CPU can write it. */
static enum resolve find_other_place(struct vp *vp, u64 at, bool write, enum place *place)
{
	u64 end;
	enum page_kind kind = page_kind_at(vp->partition, at, &end);
	const struct page_class *class = &page_class[kind];

	if (write && overlay_forbids_write(vp->partition, at)) {
		(void)vp_fault_gp0(vp);
		return RESOLVE_FAULT;
	}
	if (kind == PAGE_EMULATED) {
		*place = PLACE_OTHER;
		return RESOLVE_OK;
	}
	if (class->backing != BACKING_ONES)
		return RESOLVE_FOREIGN;
	if (write && page_write_stops(class))
		return RESOLVE_STOP;
	*place = PLACE_ONES;
	return RESOLVE_OK;
}

/* Only check that RAM is there: the instruction's other operand comes first. */
static enum resolve find_place(struct vp *vp, u64 page, gpa_t at, u32 len, bool write,
			       enum place *place)
{
	const struct partition *p = vp->partition;
	struct gpa_pin pin;

	if ((at.v & PAGE_MASK) == (page & PAGE_MASK)) {
		*place = PLACE_EMULATED;
		return RESOLVE_OK;
	}
	switch (gpa_pin(p, at, len, GPA_NAMED, &pin)) {
	case ERR_NONE:
		gpa_unpin(p, &pin);
		*place = PLACE_RAM;
		return RESOLVE_OK;
	case ERR_AGAIN:
		return RESOLVE_AGAIN;
	default: /* not RAM */
		return find_other_place(vp, at.v, write, place);
	}
}

static enum resolve walk_failed(struct vp *vp, err_t err, const struct walk_fault *f)
{
	if (err == ERR_AGAIN)
		return RESOLVE_AGAIN;
	if (!f->page_fault)
		return RESOLVE_FOREIGN;
	(void)vp_fault_page(vp, f->gva, f->code);
	return RESOLVE_FAULT;
}

enum resolve operand_resolve(struct vp *vp, u64 page, u64 linear, u32 size, bool write,
			     struct operand *op)
{
	u32 access = walk_user(vp) | (write ? WALK_WRITE : WALK_READ);
	u32 first = umin32(size, (u32)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	struct walk_fault f;

	*op = (struct operand){ .len = { first, size - first } };
	for (u32 i = 0; i < 2 && op->len[i] != 0; i++) {
		err_t err = walk_gva(vp, linear + (i == 0 ? 0 : first), access, &op->gpa[i], &f);
		enum resolve res;

		if (err != ERR_NONE)
			return walk_failed(vp, err, &f);
		res = find_place(vp, page, op->gpa[i], op->len[i], write, &op->place[i]);
		if (res != RESOLVE_OK)
			return res;
	}
	return RESOLVE_OK;
}

/* The owner of an emulated page; PLACE_OTHER says that there is one. */
static const struct emul_mem *mem_of(const struct vp *vp, const struct emul_mem *mem,
				     const struct operand *op, u32 i)
{
	if (op->place[i] == PLACE_OTHER)
		mem = emulated_at(vp->partition, op->gpa[i].v);
	ASSERT(mem != NULL);
	return mem;
}

void operand_load_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op, u8 *buf)
{
	for (u32 i = 0; i < 2 && op->len[i] != 0; buf += op->len[i++]) {
		/* A page of RAM may have gone again: wait for it. If it is no longer RAM:
		 * all-ones. */
		if (op->place[i] == PLACE_ONES ||
		    (op->place[i] == PLACE_RAM &&
		     page_wait_read(vp, op->gpa[i], buf, op->len[i]) != ERR_NONE))
			(void)memset(buf, 0xff, op->len[i]);
		else if (op->place[i] != PLACE_RAM)
			emul_mem_read(vp, mem_of(vp, mem, op, i), op->gpa[i].v, buf, op->len[i]);
	}
}

void operand_store_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op,
			const u8 *buf)
{
	for (u32 i = 0; i < 2 && op->len[i] != 0; buf += op->len[i++]) {
		if (op->place[i] == PLACE_RAM)
			(void)!page_wait_write(vp, op->gpa[i], buf, op->len[i]);
		else if (op->place[i] != PLACE_ONES)
			emul_mem_write(vp, mem_of(vp, mem, op, i), op->gpa[i].v, buf, op->len[i]);
	}
}

u64 operand_load(struct vp *vp, const struct emul_mem *mem, const struct operand *op)
{
	u64 val = 0;

	operand_load_wide(vp, mem, op, (u8 *)&val);
	return val;
}

void operand_store(struct vp *vp, const struct emul_mem *mem, const struct operand *op, u64 val)
{
	operand_store_wide(vp, mem, op, (const u8 *)&val);
}
