/* SPDX-License-Identifier: BSD-2-Clause */
/* See segment.h. */
#include "core/emul/segment.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/emul_internal.h"
#include "core/emul/system.h"
#include "core/hw.h"
#include "core/vp/vp.h"

#define AR_FROM_DESC 0xf0ffu           /* of bits 55:40 */
#define SYSTEM_HIGH  GENMASK64(44, 40) /* must be 0 in the second half of a system descriptor */

err_t segment_fault(const struct segment_user *u, u8 vector, u32 selector)
{
	(void)vp_fault_code(u->vp, vector, (selector & ~(u32)SEL_RPL) | u->ext);
	return ERR_FAULT;
}

bool segment_in_long_mode(void)
{
	return (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA) != 0;
}

bool segment_has_descriptors(void)
{
	return (hw_vmread(VMCS_GUEST_CR0) & CR0_PE) && !(hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM);
}

err_t segment_fetch(struct vp *vp, const struct desc_table *table, struct segment *s)
{
	u32 index = s->selector & SEL_INDEX;

	if (index + sizeof(s->desc) - 1 > table->limit)
		return ERR_RANGE;
	s->at = table->base + index;
	return system_read(vp, s->at, &s->desc, sizeof(s->desc));
}

err_t segment_find(const struct segment_user *u, u8 vector, u16 selector, struct segment *out)
{
	bool local = (selector & SEL_TI) != 0;
	struct desc_table table = {
		.base = hw_vmread(local ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE),
		.limit = hw_vmread(local ? VMCS_GUEST_LDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT),
	};
	err_t err;

	if (selector_is_null(selector))
		return segment_fault(u, vector, 0);
	if (local && (hw_vmread(VMCS_GUEST_LDTR_AR) & AR_UNUSABLE))
		return segment_fault(u, vector, selector);
	out->selector = selector;
	err = segment_fetch(u->vp, &table, out);
	return err == ERR_RANGE ? segment_fault(u, vector, selector) : err;
}

void segment_write_hidden(u32 seg, u64 base, u32 limit, u32 ar)
{
	hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg), base);
	hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_LIMIT, seg), limit);
	hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_AR, seg), ar);
}

static void write_fields(u32 seg, u16 selector, u64 base, u32 limit, u32 ar)
{
	hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, seg), selector);
	segment_write_hidden(seg, base, limit, ar);
}

u32 segment_ar(u64 desc)
{
	return (u32)(desc >> 8 * DESC_TYPE_BYTE) & AR_FROM_DESC;
}

void segment_write(u32 seg, u16 selector, u64 desc, u32 type)
{
	write_fields(seg, selector, desc_base(desc), desc_limit(desc),
		     (segment_ar(desc) & ~AR_TYPE) | type);
}

void segment_write_null(u32 seg, u16 selector, u32 dpl)
{
	write_fields(seg, selector, 0, 0, AR_UNUSABLE | (u32)FIELD_PREP(AR_DPL, dpl));
}

err_t segment_touch(struct vp *vp, const struct segment *s)
{
	/* ERR_BUSY: another CPU has written the descriptor meanwhile. Load what was checked. */
	u32 type = segment_type(s);

	if (!(type & AR_TYPE_ACCESSED) &&
	    system_set_type(vp, s->at, s->desc, type | AR_TYPE_ACCESSED) == ERR_FAULT)
		return ERR_FAULT;
	return ERR_NONE;
}

void segment_set(u32 seg, const struct segment *s, u32 rpl)
{
	segment_write(seg, (u16)((s->selector & ~SEL_RPL) | rpl), s->desc,
		      segment_type(s) | AR_TYPE_ACCESSED);
}

static err_t commit(struct vp *vp, u32 seg, const struct segment *s)
{
	TRY(segment_touch(vp, s));
	segment_set(seg, s, segment_rpl(s));
	return ERR_NONE;
}

err_t segment_check_ss(const struct segment_user *u, u8 vector, const struct segment *s, u32 cpl)
{
	if (segment_rpl(s) != cpl || segment_dpl(s) != cpl || !segment_is_stack(s))
		return segment_fault(u, vector, s->selector);
	return segment_is_present(s) ? ERR_NONE : segment_fault(u, EXC_SS, s->selector);
}

static err_t load_ss(const struct segment_user *u, u16 selector)
{
	u32 cpl = vp_cpl(u->vp);
	struct segment s;

	if (selector_is_null(selector) && vp_is_long64(u->vp) && cpl != 3 &&
	    (selector & SEL_RPL) == cpl) {
		segment_write_null(SEG_SS, selector, cpl);
		return ERR_NONE;
	}
	TRY(segment_find(u, EXC_GP, selector, &s));
	TRY(segment_check_ss(u, EXC_GP, &s, cpl));
	return commit(u->vp, SEG_SS, &s);
}

static err_t load_data(const struct segment_user *u, u32 seg, u16 selector)
{
	struct segment s;

	if (selector_is_null(selector)) {
		segment_write_null(seg, selector, 0);
		return ERR_NONE;
	}
	TRY(segment_find(u, EXC_GP, selector, &s));
	if (!segment_is_readable(&s) || !segment_opens_to(&s, vp_cpl(u->vp)))
		return segment_fault(u, EXC_GP, selector);
	if (!segment_is_present(&s))
		return segment_fault(u, EXC_NP, selector);
	return commit(u->vp, seg, &s);
}

err_t segment_load(struct vp *vp, u32 seg, u16 selector)
{
	struct segment_user u = { .vp = vp };

	if (!segment_has_descriptors()) {
		hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, seg), selector);
		hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg), (u64)selector << 4);
		return ERR_NONE;
	}
	return seg == SEG_SS ? load_ss(&u, selector) : load_data(&u, seg, selector);
}

/* The base above 4 GiB, in the second half of a descriptor of IA-32e mode. */
static err_t read_high_base(const struct segment_user *u, const struct segment *s, u64 *base)
{
	u64 high;

	if ((s->selector & SEL_INDEX) + 15ull > hw_vmread(VMCS_GUEST_GDTR_LIMIT))
		return segment_fault(u, EXC_GP, s->selector);
	TRY(system_read(u->vp, s->at + 8, &high, sizeof(high)));
	if (high & SYSTEM_HIGH)
		return segment_fault(u, EXC_GP, s->selector);
	*base |= high << 32;
	if (!addr_is_canonical(*base, emul_linear_width()))
		return segment_fault(u, EXC_GP, s->selector); /* SPEC-GAP: as Bochs does */
	return ERR_NONE;
}

err_t segment_load_system(struct vp *vp, bool ltr, u16 selector)
{
	u32 seg = ltr ? SEG_TR : SEG_LDTR, kind;
	struct segment_user u = { .vp = vp };
	struct segment s;
	u64 base;

	if (!ltr && selector_is_null(selector)) {
		segment_write_null(seg, selector, 0);
		return ERR_NONE;
	}
	if (selector & SEL_TI)
		return segment_fault(&u, EXC_GP, selector);
	TRY(segment_find(&u, EXC_GP, selector, &s));
	kind = (u32)FIELD_GET(DESC_S | DESC_TYPE, s.desc);
	if (ltr ? kind != DESC_TYPE_TSS_AVAIL &&
			    (kind != DESC_TYPE_TSS16_AVAIL || segment_in_long_mode())
		: kind != DESC_TYPE_LDT)
		return segment_fault(&u, EXC_GP, selector);
	if (!segment_is_present(&s))
		return segment_fault(&u, EXC_NP, selector);
	base = desc_base(s.desc);
	if (segment_in_long_mode())
		TRY(read_high_base(&u, &s, &base));
	if (ltr) {
		kind |= DESC_TYPE_TSS_IS_BUSY;
		if (system_set_type(vp, s.at, s.desc, kind) == ERR_FAULT)
			return ERR_FAULT;
	}
	segment_write(seg, selector, s.desc, kind);
	hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg), base);
	return ERR_NONE;
}

err_t segment_check_cs(const struct segment_user *u, const struct segment *s)
{
	bool both = segment_in_long_mode() && (s->desc & DESC_L) && (s->desc & DESC_DB);

	if (!segment_is_code(s) || both)
		return segment_fault(u, EXC_GP, s->selector);
	return segment_is_present(s) ? ERR_NONE : segment_fault(u, EXC_NP, s->selector);
}

err_t segment_check_rip(const struct segment_user *u, const struct segment *cs, u64 rip)
{
	u32 ar = cs != NULL ? segment_ar(cs->desc) : (u32)hw_vmread(VMCS_GUEST_CS_AR);
	bool ok;

	if (segment_in_long_mode() && (ar & AR_L))
		ok = addr_is_canonical(rip, emul_linear_width());
	else
		ok = rip <= (cs != NULL ? desc_limit(cs->desc) : hw_vmread(VMCS_GUEST_CS_LIMIT));
	return ok ? ERR_NONE : segment_fault(u, EXC_GP, 0);
}
