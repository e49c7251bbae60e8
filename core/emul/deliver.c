/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivery of an event through the IDT in software: the CPU cannot push the frame onto a stack that
 * lies on an emulated page. 64- and 32-bit protected mode; V86 mode is declined, task gates exit by
 * themselves. VP's CPU, with its VMCS current.
 *
 * Nothing of the guest changes before every check has passed: a fault on the way belongs to the
 * interrupted code, and merges with the event as any fault during delivery does.
 *
 * Spec: SDM Vol. 3A, "Exception- or Interrupt-Handler Procedures", "Exception Handling in 64-bit
 * Mode"; SDM Vol. 2, INT n.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/operand_internal.h"
#include "core/emul/segment.h"
#include "core/emul/system.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

#define GATE_S       BIT64(44)
#define GATE_IS_TRAP 1u /* in the type: IF stays */
#define GATE_IS_WIDE 8u /* 32 bits, and 64 in IA-32e mode; else 16 */
#define FRAME_WORDS  6u
#define STACK_ALIGN  16u /* IA-32e mode */

struct delivery {
	struct segment_user user;
	u32 event; /* as in the VM-entry interruption information */
	bool in_long;
	bool soft; /* INT n, INT3, INTO: the gate's DPL counts, the frame has the next instruction
		    */
	u64 gate[2];
	u32 cpl; /* of the handler */
	u64 rip;
	struct segment cs, ss;
	bool inner; /* more privileged: another stack segment, which is null in IA-32e mode */
	u64 sp;     /* before the first push */
};

static u32 gate_type(const struct delivery *d)
{
	return (u32)FIELD_GET(GATE_TYPE, d->gate[0]);
}

/* A fault that names the IDT entry. */
static err_t gate_fault(const struct delivery *d, u8 vector)
{
	u32 entry = (d->event & INTR_INFO_VECTOR) << 3;

	(void)vp_fault_code(d->user.vp, vector, entry | ERROR_CODE_IDT | d->user.ext);
	return ERR_FAULT;
}

static err_t read_gate(struct delivery *d)
{
	u32 size = d->in_long ? 16 : 8;
	u64 at = (u64)(d->event & INTR_INFO_VECTOR) * size;
	bool fits;

	if (at + size - 1 > hw_vmread(VMCS_GUEST_IDTR_LIMIT))
		return gate_fault(d, EXC_GP);
	TRY(system_read(d->user.vp, hw_vmread(VMCS_GUEST_IDTR_BASE) + at, d->gate, size));
	fits = (gate_type(d) | GATE_IS_TRAP) == DESC_TYPE_TRAP_GATE ||
	       (!d->in_long && (gate_type(d) | GATE_IS_TRAP) == DESC_TYPE_TRAP_GATE16);
	if ((d->gate[0] & GATE_S) || !fits)
		return gate_fault(d, EXC_GP);
	if (d->soft && FIELD_GET(GATE_DPL, d->gate[0]) < vp_cpl(d->user.vp))
		return gate_fault(d, EXC_GP);
	if (!(d->gate[0] & GATE_P))
		return gate_fault(d, EXC_NP);
	d->rip = FIELD_GET(GATE_OFFSET_LOW, d->gate[0]);
	if (gate_type(d) & GATE_IS_WIDE)
		d->rip |= FIELD_GET(GATE_OFFSET_MID, d->gate[0]) << 16;
	if (d->in_long)
		d->rip |= d->gate[1] << 32;
	return ERR_NONE;
}

static err_t find_code(struct delivery *d)
{
	u16 selector = (u16)FIELD_GET(GATE_SELECTOR, d->gate[0]);
	u32 cpl = vp_cpl(d->user.vp);

	TRY(segment_find(&d->user, EXC_GP, selector, &d->cs));
	if (!segment_is_code(&d->cs) || segment_dpl(&d->cs) > cpl ||
	    (d->in_long && !(d->cs.desc & DESC_L)))
		return segment_fault(&d->user, EXC_GP, selector);
	TRY(segment_check_cs(&d->user, &d->cs));
	d->cpl = segment_is_conforming(&d->cs) ? cpl : segment_dpl(&d->cs);
	d->inner = d->cpl < cpl;
	return ERR_NONE;
}

/* @len bytes of the TSS at @offset. */
static err_t read_tss(const struct delivery *d, u32 offset, void *buf, u32 len)
{
	if (offset + len - 1 > hw_vmread(VMCS_GUEST_TR_LIMIT))
		return segment_fault(&d->user, EXC_TS, (u32)hw_vmread(VMCS_GUEST_TR_SELECTOR));
	return system_read(d->user.vp, hw_vmread(VMCS_GUEST_TR_BASE) + offset, buf, len);
}

static err_t find_stack64(struct delivery *d)
{
	u32 ist = (u32)FIELD_GET(GATE_IST, d->gate[0]);

	if (ist != 0)
		TRY(read_tss(d, TSS64_IST1 + 8 * (ist - 1), &d->sp, 8));
	else if (d->inner)
		TRY(read_tss(d, TSS64_RSP0 + 8 * d->cpl, &d->sp, 8));
	d->sp &= ~(u64)(STACK_ALIGN - 1);
	return ERR_NONE;
}

/* The stacks of a TSS: a pointer and a selector for each privilege, behind the link. */
static err_t find_stack32(struct delivery *d)
{
	u32 type = (u32)FIELD_GET(AR_TYPE, hw_vmread(VMCS_GUEST_TR_AR));
	u32 width = type == DESC_TYPE_TSS_BUSY ? 4 : 2;
	u16 selector = 0;

	if (!d->inner)
		return ERR_NONE;
	d->sp = 0;
	TRY(read_tss(d, width + 2 * width * d->cpl, &d->sp, width));
	TRY(read_tss(d, 2 * width + 2 * width * d->cpl, &selector, sizeof(selector)));
	TRY(segment_find(&d->user, EXC_TS, selector, &d->ss));
	return segment_check_ss(&d->user, EXC_TS, &d->ss, d->cpl);
}

static u64 saved_flags(const struct delivery *d)
{
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS);
	bool exception = FIELD_GET(INTR_INFO_TYPE, d->event) == INTR_TYPE_HARD_EXCEPTION;

	if (exception && exception_sets_rf((u8)(d->event & INTR_INFO_VECTOR)))
		rflags |= RFLAGS_RF;
	return rflags;
}

/* The words to push, lowest address first. Returns how many. */
static u32 build_frame(const struct delivery *d, u64 word[FRAME_WORDS])
{
	struct vp *vp = d->user.vp;
	u32 n = 0;

	if (d->event & INTR_INFO_ERROR_CODE_VALID)
		word[n++] = vp->event.error;
	word[n++] = hw_vmread(VMCS_GUEST_RIP) + (d->soft ? vp->event.len : 0);
	word[n++] = hw_vmread(VMCS_GUEST_CS_SELECTOR);
	word[n++] = saved_flags(d);
	if (d->in_long || d->inner) {
		word[n++] = hw_vmread(VMCS_GUEST_RSP);
		word[n++] = hw_vmread(VMCS_GUEST_SS_SELECTOR);
	}
	return n;
}

/* Where @len bytes below the stack pointer are. *@mask: the bits of it that count. */
static err_t stack_linear(const struct delivery *d, u32 len, u64 *mask, u64 *linear)
{
	u64 base = hw_vmread(VMCS_GUEST_SS_BASE);
	u32 limit = (u32)hw_vmread(VMCS_GUEST_SS_LIMIT), ar = (u32)hw_vmread(VMCS_GUEST_SS_AR);
	u64 at = d->sp - len;
	bool fits;

	*mask = ~0ull;
	if (d->in_long) {
		*linear = at;
		fits = addr_is_canonical(at, emul_linear_width()) &&
		       addr_is_canonical(d->sp - 1, emul_linear_width());
	} else {
		if (d->inner) {
			base = desc_base(d->ss.desc);
			limit = desc_limit(d->ss.desc);
			ar = segment_ar(d->ss.desc);
		}
		*mask = (ar & AR_DB) ? 0xffffffff : 0xffff;
		*linear = (u32)(base + (at & *mask));
		fits = emul_inside_limit(ar, limit, at & *mask, len);
	}
	return fits ? ERR_NONE : segment_fault(&d->user, EXC_SS, d->inner ? d->ss.selector : 0);
}

static err_t write_frame(const struct delivery *d, u64 linear, const void *frame, u32 len)
{
	u32 access = WALK_WRITE | (d->cpl == 3 ? WALK_USER : 0);
	struct vp *vp = d->user.vp;
	struct walk_fault f;

	if (gva_write_waiting(vp, linear, access, frame, len, &f) != ERR_NONE)
		return system_page_fault(vp, access, &f);
	return ERR_NONE;
}

/* The handler runs next. */
static void enter_handler(const struct delivery *d)
{
	u64 drop = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPT_SHADOW;

	if (!(gate_type(d) & GATE_IS_TRAP))
		drop |= RFLAGS_IF;
	if (FIELD_GET(INTR_INFO_TYPE, d->event) == INTR_TYPE_NMI)
		blocking |= GUEST_INTR_BLOCKED_BY_NMI;
	hw_vmwrite(VMCS_GUEST_RFLAGS, hw_vmread(VMCS_GUEST_RFLAGS) & ~drop);
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking);
	hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	hw_vmwrite(VMCS_GUEST_RIP, d->rip);
	d->user.vp->event.info = 0;
}

static err_t push_and_enter(const struct delivery *d)
{
	u32 width = d->in_long ? 8 : (gate_type(d) & GATE_IS_WIDE) ? 4 : 2;
	u64 word[FRAME_WORDS], mask, linear;
	u8 frame[FRAME_WORDS * 8];
	u32 len = build_frame(d, word) * width;

	for (u32 i = 0; i * width < len; i++)
		(void)memcpy(frame + i * width, &word[i], width);
	TRY(stack_linear(d, len, &mask, &linear));
	TRY(segment_check_rip(&d->user, &d->cs, d->rip));
	TRY(segment_touch(d->user.vp, &d->cs));
	if (d->inner && !d->in_long)
		TRY(segment_touch(d->user.vp, &d->ss));
	TRY(write_frame(d, linear, frame, len));
	if (d->inner && d->in_long)
		segment_write_null(SEG_SS, (u16)d->cpl, d->cpl);
	else if (d->inner)
		segment_set(SEG_SS, &d->ss, d->cpl);
	segment_set(SEG_CS, &d->cs, d->cpl);
	hw_vmwrite(VMCS_GUEST_RSP, (hw_vmread(VMCS_GUEST_RSP) & ~mask) | ((d->sp - len) & mask));
	enter_handler(d);
	return ERR_NONE;
}

err_t emul_deliver(struct vp *vp)
{
	struct delivery d = {
		.user = { .vp = vp, .ext = ERROR_CODE_EXT },
		.event = vp->event.info,
		.in_long = segment_in_long_mode(),
		.sp = hw_vmread(VMCS_GUEST_RSP),
	};
	u64 type = FIELD_GET(INTR_INFO_TYPE, d.event);

	if (!segment_has_descriptors())
		return ERR_NODEV;
	d.soft = type == INTR_TYPE_SOFT_INT || type == INTR_TYPE_SOFT_EXCEPTION;
	if (d.soft)
		d.user.ext = 0;
	TRY(read_gate(&d));
	TRY(find_code(&d));
	TRY(d.in_long ? find_stack64(&d) : find_stack32(&d));
	return push_and_enter(&d);
}
