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
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

static err_t fault_segment(struct vp *vp, u32 seg)
{
	(void)vp_fault_code(vp, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
	return ERR_FAULT;
}

static bool is_inside_limit(u32 ar, u32 limit, u64 offset, u32 len)
{
	u64 last = offset + len - 1;
	u64 top = (ar & AR_DB) ? 0xffffffff : 0xffff;
	bool data = !(ar & AR_TYPE_CODE);

	if (data && (ar & AR_TYPE_EXPAND_DOWN))
		return offset > limit && last <= top;
	return last <= limit;
}

err_t emul_linear(struct vp *vp, u32 seg, u64 offset, u32 len, bool write, u64 *linear)
{
	u64 base = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg));
	bool real = !(hw_vmread(VMCS_GUEST_CR0) & CR0_PE);
	u32 ar;

	if (emul_cpu_mode(vp) == EMUL_64) {
		u32 width = (hw_vmread(VMCS_GUEST_CR4) & CR4_LA57) ? 57 : 48;
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
	if (!is_inside_limit(ar, (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_LIMIT, seg)),
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

static u32 cpl_access(const struct vp *vp)
{
	return vp_cpl(vp) == 3 ? WALK_USER : 0;
}

/* False: RESOLVE_FOREIGN. So is a scratch page: it can be written. */
static bool find_other_place(enum page_kind kind, enum place *place)
{
	if (kind == PAGE_EMULATED)
		*place = PLACE_OTHER;
	else if (page_class[kind].backing == BACKING_ONES)
		*place = PLACE_ONES;
	else
		return false;
	return true;
}

/* Only check that RAM is there: the instruction's other operand comes first. */
static enum resolve find_place(const struct partition *p, u64 page, gpa_t at, u32 len,
			       enum place *place)
{
	struct gpa_pin pin;
	u64 end;

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
		return find_other_place(page_kind_at(p, at.v, &end), place) ? RESOLVE_OK
									    : RESOLVE_FOREIGN;
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
	u32 access = cpl_access(vp) | (write ? WALK_WRITE : WALK_READ);
	u32 first = umin32(size, (u32)(PAGE_SIZE - (linear & (PAGE_SIZE - 1))));
	struct walk_fault f;

	*op = (struct operand){ .len = { first, size - first } };
	for (u32 i = 0; i < 2 && op->len[i] != 0; i++) {
		err_t err = walk_gva(vp, linear + (i == 0 ? 0 : first), access, &op->gpa[i], &f);
		enum resolve res;

		if (err != ERR_NONE)
			return walk_failed(vp, err, &f);
		res = find_place(vp->partition, page, op->gpa[i], op->len[i], &op->place[i]);
		if (res != RESOLVE_OK)
			return res;
	}
	return RESOLVE_OK;
}

/* Largest access of 1, 2, 4 or 8 bytes in @left. */
static u32 access_size(u32 left)
{
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* The owner of another emulated page: PLACE_OTHER says that there is one. */
static const struct emul_mem *other_mem(const struct vp *vp, u64 at)
{
	const struct emul_mem *mem = emulated_at(vp->partition, at);

	ASSERT(mem != NULL);
	return mem;
}

void operand_load_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op, u8 *buf)
{
	for (u32 i = 0; i < 2; i++) {
		for (u32 at = 0, n; at < op->len[i]; at += n, buf += n) {
			u64 part = ~0ull;

			n = access_size(op->len[i] - at);
			if (op->place[i] == PLACE_EMULATED)
				part = mem->read(vp, op->gpa[i].v + at, n);
			else if (op->place[i] == PLACE_OTHER)
				part = other_mem(vp, op->gpa[i].v)->read(vp, op->gpa[i].v + at, n);
			else if (op->place[i] == PLACE_RAM)
				/* The page may have gone again: wait for it. If it is no longer
				 * RAM: all-ones. */
				(void)!page_wait_read(vp, gpa(op->gpa[i].v + at), &part, n);
			for (u32 b = 0; b < n; b++)
				buf[b] = (u8)(part >> 8 * b);
		}
	}
}

void operand_store_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op,
			const u8 *buf)
{
	for (u32 i = 0; i < 2; i++) {
		for (u32 at = 0, n; at < op->len[i]; at += n, buf += n) {
			u64 part = 0;

			n = access_size(op->len[i] - at);
			for (u32 b = 0; b < n; b++)
				part |= (u64)buf[b] << 8 * b;
			if (op->place[i] == PLACE_EMULATED)
				mem->write(vp, op->gpa[i].v + at, n, part);
			else if (op->place[i] == PLACE_OTHER)
				other_mem(vp, op->gpa[i].v)->write(vp, op->gpa[i].v + at, n, part);
			else if (op->place[i] == PLACE_RAM)
				(void)!page_wait_write(vp, gpa(op->gpa[i].v + at), &part, n);
		}
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
