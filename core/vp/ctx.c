/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills and switches the contexts of a VP, and writes their controls. Pure. Context: VP's CPU. */
#include "core/vp/ctx.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"

/* clang-format off */
static const enum vmcs_field word_fields[CTX_WORDS] = {
	[CTX_PIN] = VMCS_PIN_BASED_CTLS,
	[CTX_PROC] = VMCS_PROC_BASED_CTLS,
	[CTX_PROC2] = VMCS_PROC_BASED_CTLS2,
	[CTX_EXIT] = VMCS_VM_EXIT_CTLS,
	[CTX_EXCEPTIONS] = VMCS_EXCEPTION_BITMAP,
	[CTX_TPR_THRESHOLD] = VMCS_TPR_THRESHOLD,
};

/* Controls that are the same on every VP and never change. */
static const struct {
	enum vmcs_field field;
	u64 value;
} fixed_controls[] = {
	{ VMCS_PAGE_FAULT_ERROR_CODE_MASK,        0 },
	{ VMCS_PAGE_FAULT_ERROR_CODE_MATCH,       0 },
	{ VMCS_CR3_TARGET_COUNT,          0 },
	{ VMCS_VM_EXIT_MSR_STORE_COUNT,   0 },
	{ VMCS_VM_EXIT_MSR_LOAD_COUNT,    0 },
	{ VMCS_VM_ENTRY_MSR_LOAD_COUNT,   0 },
	{ VMCS_VM_ENTRY_INTR_INFO,        0 },
	{ VMCS_TSC_OFFSET,                0 },
	{ VMCS_CR0_GUEST_HOST_MASK,       GUEST_CR0_OWNED },
	{ VMCS_VMCS_LINK_POINTER,         VMCS_LINK_POINTER_NONE },
};
/* clang-format on */

static enum vmcs_field eoi_exit_field(u32 word)
{
	return (enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * word);
}

static void fill_words(const struct vp *vp, struct vcpu_ctx *ctx, const struct vp_ctls *ctls,
		       bool tpr_shadow)
{
	const u32 words[CTX_WORDS] = {
		[CTX_PIN] = ctls->pin,
		[CTX_PROC] = ctls->proc,
		[CTX_PROC2] = ctls->proc2,
		[CTX_EXIT] = ctls->exit,
		[CTX_EXCEPTIONS] = exc_bitmap(vp),
	};

	for (u32 i = 0; i < CTX_WORDS; i++) {
		if (i != CTX_TPR_THRESHOLD || tpr_shadow) /* else the field need not exist */
			ctx_set_slow(ctx, i, words[i]);
	}
}

/* Virtual-interrupt delivery: nothing is requested or held. */
static void fill_delivery(struct vcpu_ctx *ctx)
{
	for (u32 i = 0; i < ARRAY_SIZE(ctx->eoi_exit); i++) {
		ctx->eoi_exit[i] = 0;
		hw_vmwrite(eoi_exit_field(i), 0);
	}
	hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0);
}

void ctx_fill(struct vp *vp, const struct vp_ctls *ctls)
{
	const struct partition *p = vp->partition;
	const struct machine *m = &p->machine;
	struct vcpu_ctx *ctx = vp->ctx;

	for (size_t i = 0; i < ARRAY_SIZE(fixed_controls); i++)
		hw_vmwrite(fixed_controls[i].field, fixed_controls[i].value);

	/* HW-ERRATUM: an open window does not end a HLT in Bochs, so that HLT must exit. */
	ctx_init_windows(ctx, p->config.hlt == HLT_PASSTHROUGH ? PROC_HLT_EXITING : 0);
	ctx->eptp = p->ept.eptp;
	ctx->io_bitmap = p->io_bitmap;
	fill_words(vp, ctx, ctls, m->tpr_shadow);
	ctx->tsc_offset = 0;
	ctx_set_tsc_offset(ctx, vp->tsc_offset);
	hw_vmwrite(VMCS_CR4_GUEST_HOST_MASK, ~p->machine.cr4_allowed);
	hw_vmwrite(VMCS_VM_ENTRY_CTLS, ctls->entry);
	hw_vmwrite(VMCS_VPID, ctx->vpid);
	hw_vmwrite(VMCS_EPTP, ctx->eptp);
	hw_vmwrite(VMCS_IO_BITMAP_A, hw_virt_to_phys(ctx->io_bitmap).v);
	hw_vmwrite(VMCS_IO_BITMAP_B, hw_virt_to_phys(ctx->io_bitmap + 4096).v);
	hw_vmwrite(VMCS_MSR_BITMAP, hw_virt_to_phys(ctx->msr_bitmap).v);
	if (m->apic_accesses)
		hw_vmwrite(VMCS_APIC_ACCESS_ADDR, p->apic_access_page.v);
	if (m->tpr_shadow)
		hw_vmwrite(VMCS_VIRTUAL_APIC_ADDR, hw_virt_to_phys(vp->apic.page).v);
	if (m->virt_intr_delivery)
		fill_delivery(ctx);
	if (ctls->proc2 & PROC2_ENABLE_XSAVES)
		hw_vmwrite(VMCS_XSS_EXIT_BITMAP, ~0ull);
	if (ctls->proc2 & PROC2_ENCLS_EXITING)
		hw_vmwrite(VMCS_ENCLS_EXIT_BITMAP, ~0ull);
	if (ctls->proc2 & PROC2_ENCLV_EXITING)
		hw_vmwrite(VMCS_ENCLV_EXIT_BITMAP, ~0ull);
	ctx->launched = false;
	vp_set_work(vp, VP_WORK_LAUNCH | VP_WORK_EVENT);
}

void ctx_set_slow(struct vcpu_ctx *ctx, enum ctx_word word, u32 val)
{
	ctx->word[word] = val;
	hw_vmwrite(word_fields[word], val);
}

void ctx_set_tsc_offset(struct vcpu_ctx *ctx, u64 offset)
{
	if (ctx->tsc_offset == offset)
		return;
	ctx->tsc_offset = offset;
	hw_vmwrite(VMCS_TSC_OFFSET, offset);
	ctx_set_bits(ctx, CTX_PROC, PROC_USE_TSC_OFFSETTING, true);
}

bool ctx_proc2_allows(u32 ctls)
{
	u64 cap;

	if (hw_rdmsr_safe(MSR_IA32_VMX_PROCBASED_CTLS2, &cap) != ERR_NONE)
		return false;
	return ((u32)(cap >> 32) & ctls) == ctls;
}

void ctx_set_eoi_exit(struct vcpu_ctx *ctx, u32 word, u64 bits)
{
	if (ctx->eoi_exit[word] == bits)
		return;
	ctx->eoi_exit[word] = bits;
	hw_vmwrite(eoi_exit_field(word), bits);
}

void ctx_init(struct vp *vp, u16 vpid, const struct exit_table *exits)
{
	vp->ctx = &vp->guest_ctx;
	vp->ctx->vpid = vpid;
	ctx_init_windows(vp->ctx, 0);
	ctx_set_exits(vp, exits);
}

void ctx_init_windows(struct vcpu_ctx *ctx, u32 with)
{
	ctx->window_open = PROC_INTERRUPT_WINDOW_EXITING | with;
	ctx->windows_keep = ~(ctx->window_open | PROC_NMI_WINDOW_EXITING);
}

void ctx_set_long_mode(bool on)
{
	u64 entry = hw_vmread(VMCS_VM_ENTRY_CTLS) & ~(u64)ENTRY_CTL_IA32E_GUEST;

	hw_vmwrite(VMCS_VM_ENTRY_CTLS, entry | (on ? ENTRY_CTL_IA32E_GUEST : 0));
}

void ctx_watch_ports(const struct vcpu_ctx *ctx, bool on)
{
	const u8 *bitmap = ctx->io_bitmap + (on ? 2 * 4096 : 0);

	hw_vmwrite(VMCS_IO_BITMAP_A, hw_virt_to_phys(bitmap).v);
}

void ctx_set_exits(struct vp *vp, const struct exit_table *table)
{
	vp->ctx->exits = table;
	vp->dispatch = table->entry;
}

void ctx_switch(struct vp *vp, struct vcpu_ctx *to)
{
	struct vcpu_ctx *from = vp->ctx;

	if (from == to)
		return;
	vp_restore_if(vp); /* rule K3: our stand-in for the guest's IF is in the VMCS we leave */
	from->queued = vp->event.queued;
	hw_vmcs_load(to->vmcs);
	vp->ctx = to;
	vp->dispatch = to->exits->entry;
	vp->event.queued = to->queued;
	/* All this may have changed since. */
	ctx_set(to, CTX_EXCEPTIONS, exc_bitmap(vp));
	ctx_set_tsc_offset(to, vp->tsc_offset);
	vlapic_ctx_changed(vp);
	vp->rearm_tsc = 0; /* the preemption timer is in the VMCS */
	if (to->launched)
		(void)__atomic_fetch_and(&vp->work, ~(u32)VP_WORK_LAUNCH, __ATOMIC_RELAXED);
	vp_set_work(vp, VP_WORK_EVENT | (to->launched ? 0 : VP_WORK_LAUNCH));
}

void ctx_release(struct vp *vp, struct vcpu_ctx *ctx)
{
	ASSERT(ctx != vp->ctx);
	hw_vmcs_clear(ctx->vmcs);
	ctx->launched = false;
}
