/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Task switches. VMX non-root operation cannot do them: each one exits. VP's CPU, with its VMCS
 * current.
 *
 * The steps are those of the SDM. Before the commit point nothing of the guest changes and a fault
 * belongs to the old task; after it, to the new one. The CPU has checked privileges and the new TSS
 * descriptor before the exit; the latter we check again, as we read it again.
 *
 * RIP is not retired but replaced, like every register: the old task's TSS gets the address after
 * the instruction. A single-step trap due to the old task's TF is dropped.
 *
 * Spec: SDM Vol. 3A, "Task Switching", "Task Linking"; SDM Vol. 3C, "Treatment of Task Switches".
 */
#include "core/task/task_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bytes.h"
#include "core/mem/walk.h"
#include "core/task/task.h"
#include "core/vp/guest_cr.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

static u64 event_type(const struct task_switching *t)
{
	return FIELD_GET(INTR_INFO_TYPE, t->event);
}

/* CALL and events: the new task links back to the old one, which stays busy. */
static bool nests(const struct task_switching *t)
{
	return t->source == TASK_SWITCH_CALL || t->source == TASK_SWITCH_IDT_GATE;
}

static u32 gdt_slot(u32 selector)
{
	return (u32)hw_vmread(VMCS_GUEST_GDTR_BASE) + (selector & SEL_INDEX);
}

static bool is_in_gdt(u32 selector)
{
	return !(selector & SEL_TI) &&
	       (selector & SEL_INDEX) + 7 <= hw_vmread(VMCS_GUEST_GDTR_LIMIT);
}

/* Steps 1 to 4. IRET needs a busy TSS, and faults with #TS. */
static err_t find_new_task(struct task_switching *t)
{
	bool returns = t->source == TASK_SWITCH_IRET;
	u8 vector = returns ? EXC_TS : EXC_GP;
	u32 type;

	if (!is_in_gdt(t->selector))
		return segment_fault(&t->user, vector, t->selector);
	TRY(system_read(t->user.vp, gdt_slot(t->selector), &t->desc, sizeof(t->desc)));
	type = (u32)FIELD_GET(DESC_TYPE, t->desc);
	if ((t->desc & DESC_S) || (type & ~0x8u) != (returns ? 3 : 1))
		return segment_fault(&t->user, vector, t->selector);
	if (!(t->desc & DESC_P))
		return segment_fault(&t->user, EXC_NP, t->selector);
	t->layout = (type & 0x8) ? &tss32 : &tss16;
	if (desc_limit(t->desc) < t->layout->bytes - 1u)
		return segment_fault(&t->user, EXC_TS, t->selector);
	return ERR_NONE;
}

/* The old TSS must have room for what is saved, and its descriptor be in the GDT still. */
static err_t find_old_task(struct task_switching *t)
{
	u32 selector = (u32)hw_vmread(VMCS_GUEST_TR_SELECTOR);

	t->old_layout =
		(hw_vmread(VMCS_GUEST_TR_AR) & AR_TYPE) == AR_TYPE_TSS_BUSY ? &tss32 : &tss16;
	if (hw_vmread(VMCS_GUEST_TR_LIMIT) < t->old_layout->saved_end - 1u ||
	    (!nests(t) && !is_in_gdt(selector)))
		return segment_fault(&t->user, EXC_TS, selector);
	return ERR_NONE;
}

/* Step 5: check everything that is read or written before the commit point. */
static err_t check_pages(const struct task_switching *t)
{
	const struct tss_layout *old = t->old_layout;
	u32 tr = (u32)hw_vmread(VMCS_GUEST_TR_SELECTOR);
	u32 tr_base = (u32)hw_vmread(VMCS_GUEST_TR_BASE);
	u32 base = (u32)desc_base(t->desc);

	TRY(system_check(t->user.vp, tr_base + old->ip, WALK_WRITE, old->saved_end - old->ip));
	TRY(system_check(t->user.vp, base, WALK_READ, t->layout->bytes));
	if (nests(t))
		TRY(system_check(t->user.vp, base + TSS_LINK, WALK_WRITE, sizeof(u16)));
	else
		TRY(system_check(t->user.vp, gdt_slot(tr) + DESC_TYPE_BYTE, WALK_WRITE, 1));
	if (t->source != TASK_SWITCH_IRET)
		TRY(system_check(t->user.vp, gdt_slot(t->selector) + DESC_TYPE_BYTE, WALK_WRITE,
				 1));
	return ERR_NONE;
}

/*
 * The page tables of the new task: only a 32-bit TSS has a CR3.
 * SPEC-GAP: the fault for invalid PDPTEs in a task switch is undefined. We raise #GP(0), as MOV to
 * CR3 does, before anything has changed: the SDM wants such errors handled in the old task.
 * SPEC-GAP: without paging CR3 is left alone.
 */
static err_t check_cr3(struct task_switching *t)
{
	err_t err;
	u32 cr3;

	if (t->layout->width != 4 || !(hw_vmread(VMCS_GUEST_CR0) & CR0_PG))
		return ERR_NONE;
	TRY(system_read(t->user.vp, (u32)desc_base(t->desc) + TSS32_CR3, &cr3, sizeof(cr3)));
	t->loads_cr3 = cr3 != hw_vmread(VMCS_GUEST_CR3);
	t->loads_pdptes = t->loads_cr3 && (hw_vmread(VMCS_GUEST_CR4) & CR4_PAE);
	if (!t->loads_pdptes)
		return ERR_NONE;
	do
		err = guest_read_pdptes(t->user.vp, cr3, t->pdpte);
	while (page_retry(t->user.vp, err));
	return err != ERR_NONE ? segment_fault(&t->user, EXC_GP, 0) : ERR_NONE;
}

/* Step 10. ERR_BUSY: another CPU has taken the task meanwhile; start over. */
static err_t claim_new_task(const struct task_switching *t)
{
	u32 type = (u32)FIELD_GET(DESC_TYPE, t->desc);

	if (t->source == TASK_SWITCH_IRET) /* still busy */
		return ERR_NONE;
	return system_set_type(t->user.vp, gdt_slot(t->selector), t->desc,
			       type | DESC_TYPE_TSS_IS_BUSY);
}

/*
 * Step 6, but after step 8: once it is not busy another CPU may take the task, and must find all of
 * its state saved. Nothing in between can fail: pages and limits were checked.
 */
static err_t release_old_task(const struct task_switching *t)
{
	u32 tr = (u32)hw_vmread(VMCS_GUEST_TR_SELECTOR);
	u64 old;
	u32 type;

	if (nests(t))
		return ERR_NONE;
	TRY(system_read(t->user.vp, gdt_slot(tr), &old, sizeof(old)));
	type = (u32)FIELD_GET(DESC_TYPE, old) & ~(u32)DESC_TYPE_TSS_IS_BUSY;
	return system_set_type(t->user.vp, gdt_slot(tr), old, type) == ERR_FAULT ? ERR_FAULT
										 : ERR_NONE;
}

/* RIP and RFLAGS with which the old task will resume. */
static void resume_state(const struct task_switching *t, u32 *eip, u32 *eflags)
{
	u32 len = t->user.vp->event.len; /* of INT n and its kin; else 0 */

	*eflags = (u32)hw_vmread(VMCS_GUEST_RFLAGS);
	if (t->source != TASK_SWITCH_IDT_GATE) {
		len = (u32)hw_vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
		*eflags &= ~(u32)RFLAGS_RF;
	} else if (event_type(t) == INTR_TYPE_HARD_EXCEPTION &&
		   exception_sets_rf((u8)(t->event & INTR_INFO_VECTOR))) {
		*eflags |= RFLAGS_RF;
	}
	if (t->source == TASK_SWITCH_IRET)
		*eflags &= ~(u32)RFLAGS_NT; /* step 7 */
	*eip = (u32)hw_vmread(VMCS_GUEST_RIP) + len;
}

/* Step 8, and the link. Bytes between the fields are kept. */
static err_t save_old_task(const struct task_switching *t)
{
	const struct tss_layout *l = t->old_layout;
	u32 base = (u32)hw_vmread(VMCS_GUEST_TR_BASE);
	u16 tr = (u16)hw_vmread(VMCS_GUEST_TR_SELECTOR);
	u8 tss[TSS_BYTES_MAX];
	u32 eip, eflags;

	resume_state(t, &eip, &eflags);
	TRY(system_read(t->user.vp, base + l->ip, tss + l->ip, l->saved_end - l->ip));
	task_image_put(t->user.vp, l, tss, eip, eflags);
	TRY(system_write(t->user.vp, base + l->ip, tss + l->ip, l->saved_end - l->ip));
	return nests(t) ? system_write(t->user.vp, (u32)desc_base(t->desc) + TSS_LINK, &tr,
				       sizeof(tr))
			: ERR_NONE;
}

/* The event cannot be lost any more. Keep an exception: faults from here on still merge with it. */
static void accept_event(const struct task_switching *t)
{
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPT_SHADOW;

	if (t->event != 0 && event_type(t) == INTR_TYPE_NMI)
		blocking |= GUEST_INTR_BLOCKED_BY_NMI;
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking);
	if (event_type(t) == INTR_TYPE_NMI || event_type(t) == INTR_TYPE_EXTERNAL ||
	    event_type(t) == INTR_TYPE_SOFT_INT)
		t->user.vp->event.info = 0;
}

/* Steps 9, 11 and 12: from here on the guest is the new task. */
static void commit(struct task_switching *t)
{
	struct task_image *in = &t->image;
	u32 type = (u32)FIELD_GET(DESC_TYPE, t->desc);

	accept_event(t);
	if (nests(t))
		in->eflags |= RFLAGS_NT;
	segment_write(SEG_TR, t->selector, t->desc, type | DESC_TYPE_TSS_IS_BUSY);
	hw_vmwrite(VMCS_GUEST_CR0, hw_vmread(VMCS_GUEST_CR0) | CR0_TS);
	/* SPEC-GAP: the SDM names L0-L3 only; LE belongs with them. */
	hw_vmwrite(VMCS_GUEST_DR7, hw_vmread(VMCS_GUEST_DR7) & ~DR7_LOCAL);
	hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	if (t->loads_cr3) {
		hw_vmwrite(VMCS_GUEST_CR3, in->cr3);
		hw_invvpid(t->user.vp->ctx->vpid);
	}
	if (t->loads_pdptes)
		guest_set_pdptes(t->pdpte);
	hw_vmwrite(VMCS_GUEST_RFLAGS, (in->eflags & RFLAGS_DEFINED) | RFLAGS_FIXED);
	hw_vmwrite(VMCS_GUEST_RIP, in->eip);
	for (u32 i = 0; i < ARRAY_SIZE(in->gpr); i++)
		gpr_write(t->user.vp, i, in->gpr[i]);
}

/* SDM "Task-Switch Exception Condition": a trap in the new task, before its first instruction. */
static void trap(const struct task_switching *t)
{
	hw_write_dr(6, hw_read_dr(6) | DR6_BT);
	hw_vmwrite(VMCS_GUEST_DR7, hw_vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	hw_vmwrite(VMCS_GUEST_DEBUGCTL,
		   hw_vmread(VMCS_GUEST_DEBUGCTL) & ~(u64)(DEBUGCTL_LBR | DEBUGCTL_BTF));
	(void)vp_fault(t->user.vp, EXC_DB);
}

/* Step 13, and the extras of INT and CALL. */
static err_t start_new_task(const struct task_switching *t)
{
	TRY(task_load_segments(t));
	if (t->event & INTR_INFO_ERROR_CODE_VALID)
		TRY(task_push(t, t->event_error));
	TRY(segment_check_rip(&t->user, NULL, t->image.eip));
	t->user.vp->event.info = 0;
	if (t->image.trap)
		trap(t);
	return ERR_NONE;
}

static err_t switch_tasks(struct task_switching *t)
{
	u8 tss[TSS_BYTES_MAX];

	TRY(find_new_task(t));
	TRY(find_old_task(t));
	TRY(check_pages(t));
	TRY(check_cr3(t));
	TRY(claim_new_task(t));
	TRY(save_old_task(t));
	TRY(release_old_task(t));
	TRY(system_read(t->user.vp, (u32)desc_base(t->desc), tss, t->layout->bytes));
	task_image_get(t->layout, tss, &t->image);
	commit(t);
	return start_new_task(t);
}

/* If an event met a task gate NEEDS_VECTOR has queued it again: it stays queued until delivered. */
static void describe_event(struct task_switching *t)
{
	if (t->source != TASK_SWITCH_IDT_GATE)
		return;
	t->event = (u32)hw_vmread(VMCS_IDT_VECTORING_INFO);
	t->event_error = (u32)hw_vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	/* SDM Vol. 2, "INT n/INTO/INT3/INT1": EXT is 0 for software interrupts and exceptions. */
	if (event_type(t) != INTR_TYPE_SOFT_INT && event_type(t) != INTR_TYPE_SOFT_EXCEPTION)
		t->user.ext = ERROR_CODE_EXT;
}

enum exit_action exit_task_switch(struct vp *vp, const struct exit_info *x)
{
	struct task_switch how = task_switch_decode(x->qual);
	struct task_switching t = {
		.user = { .vp = vp },
		.source = how.source,
		.selector = how.selector,
		.layout = &tss32, /* until the descriptor is read */
	};

	if (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA)
		return EXIT_STOP; /* IA-32e mode has no task switches: #GP before any exit */
	describe_event(&t);
	/* SDM "Non-Maskable Interrupt (NMI)": IRET unblocks NMIs even when it faults. */
	if (t.source == TASK_SWITCH_IRET)
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) &
								~(u64)GUEST_INTR_BLOCKED_BY_NMI);
	(void)!switch_tasks(&t); /* faults are queued; ERR_BUSY: enter again, which retries */
	return EXIT_RESUME;
}
