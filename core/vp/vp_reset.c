/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Architectural state after power-on and INIT, as a table. Pure.
 *
 * Spec: SDM Vol. 3A "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
 */
#include "core/vp/vp.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/surface/misc_enable.h"
#include "core/vp/guest_cr.h"
#include "core/vp/hold.h"

#define AR_CODE16 0x9bu /* present, code, readable, accessed */
#define AR_DATA16 0x93u
#define AR_LDT    0x82u
#define AR_TSS    0x8bu /* busy: VM entry requires it */

/* clang-format off */
static const struct {
	enum vmcs_field field;
	u64 value;
} reset_state[] = {
	{ VMCS_GUEST_ES_SELECTOR, 0 },      { VMCS_GUEST_ES_BASE, 0 },
	{ VMCS_GUEST_ES_LIMIT, 0xffff },    { VMCS_GUEST_ES_AR, AR_DATA16 },
	{ VMCS_GUEST_CS_SELECTOR, 0xf000 }, { VMCS_GUEST_CS_BASE, 0xffff0000 },
	{ VMCS_GUEST_CS_LIMIT, 0xffff },    { VMCS_GUEST_CS_AR, AR_CODE16 },
	{ VMCS_GUEST_SS_SELECTOR, 0 },      { VMCS_GUEST_SS_BASE, 0 },
	{ VMCS_GUEST_SS_LIMIT, 0xffff },    { VMCS_GUEST_SS_AR, AR_DATA16 },
	{ VMCS_GUEST_DS_SELECTOR, 0 },      { VMCS_GUEST_DS_BASE, 0 },
	{ VMCS_GUEST_DS_LIMIT, 0xffff },    { VMCS_GUEST_DS_AR, AR_DATA16 },
	{ VMCS_GUEST_FS_SELECTOR, 0 },      { VMCS_GUEST_FS_BASE, 0 },
	{ VMCS_GUEST_FS_LIMIT, 0xffff },    { VMCS_GUEST_FS_AR, AR_DATA16 },
	{ VMCS_GUEST_GS_SELECTOR, 0 },      { VMCS_GUEST_GS_BASE, 0 },
	{ VMCS_GUEST_GS_LIMIT, 0xffff },    { VMCS_GUEST_GS_AR, AR_DATA16 },
	{ VMCS_GUEST_LDTR_SELECTOR, 0 },    { VMCS_GUEST_LDTR_BASE, 0 },
	{ VMCS_GUEST_LDTR_LIMIT, 0xffff },  { VMCS_GUEST_LDTR_AR, AR_LDT },
	{ VMCS_GUEST_TR_SELECTOR, 0 },      { VMCS_GUEST_TR_BASE, 0 },
	{ VMCS_GUEST_TR_LIMIT, 0xffff },    { VMCS_GUEST_TR_AR, AR_TSS },
	{ VMCS_GUEST_GDTR_BASE, 0 },        { VMCS_GUEST_GDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_IDTR_BASE, 0 },        { VMCS_GUEST_IDTR_LIMIT, 0xffff },
	{ VMCS_GUEST_CR3, 0 },              { VMCS_GUEST_DR7, DR7_RESET },
	{ VMCS_GUEST_CR4, CR4_VMXE },       { VMCS_CR4_READ_SHADOW, 0 },
	{ VMCS_GUEST_RSP, 0 },              { VMCS_GUEST_RIP, 0xfff0 },
	{ VMCS_GUEST_RFLAGS, RFLAGS_FIXED },
	{ VMCS_GUEST_EFER, 0 },
	{ VMCS_GUEST_SYSENTER_CS, 0 },
	{ VMCS_GUEST_SYSENTER_ESP, 0 },
	{ VMCS_GUEST_SYSENTER_EIP, 0 },
	{ VMCS_GUEST_DEBUGCTL, 0 },
	{ VMCS_GUEST_INTERRUPTIBILITY, 0 },
	{ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE },
	{ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 },
};
/* clang-format on */

void vp_start(struct vp *vp)
{
	vp->state = VP_RUNNING;
	vp->asleep = false;
	vp_resume(vp); /* it has waited for this */
	vp_restore_if(vp);
	hw_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	hold_started(vp);
}

void vp_startup(struct vp *vp, u8 vector)
{
	vp_start(vp);
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, (u64)vector << 8);
	hw_vmwrite(VMCS_GUEST_CS_BASE, (u64)vector << 12);
	hw_vmwrite(VMCS_GUEST_RIP, 0);
	COUNT(vp, SIPI);
	TRACE(vp, SIPI, vector, 0, 0);
}

void vp_reset(struct vp *vp, bool init)
{
	u64 cr0_cache = init ? guest_cr0(vp) & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;
	bool nmi_blocked =
		init && (hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) & GUEST_INTR_BLOCKED_BY_NMI);
	struct cpuid_regs id;

	for (size_t i = 0; i < ARRAY_SIZE(reset_state); i++)
		hw_vmwrite(reset_state[i].field, reset_state[i].value);
	hw_vmwrite(VMCS_GUEST_CR0, CR0_ET | CR0_NE);
	hw_vmwrite(VMCS_CR0_READ_SHADOW, CR0_ET | cr0_cache);
	ctx_set_long_mode(false);

	vp->regs = (struct gpr_regs){ 0 };
	cpuid_query(vp, 1, 0, &id);
	vp->regs.rdx = id.a; /* processor signature */
	hw_write_cr2(0);
	for (u32 i = 0; i < 4; i++)
		hw_write_dr(i, 0);
	hw_write_dr(6, DR6_RESET);
	if (!init) {
		hw_vmwrite(VMCS_GUEST_PAT, PAT_RESET);
		misc_enable_reset(vp);
		vp->xcr0 = XCR0_X87;
		/* Without XSAVE there is no XCR0, and CR4.OSXSAVE is clear in root, too: #UD. */
		if (vp->partition->machine.xcr0_supported != 0)
			hw_xsetbv(vp->xcr0);
	}
	step_forget(vp);
	vp->unhalted = 0;
	if (vp_is_halted(vp)) { /* no event ended this block */
		halt_poll_end(&vp->halt_poll, &vp->partition->config, 0, false);
		vp->halt_poll.start_tsc = 0;
	}
	vp->asleep = false;
	vp_resume(vp); /* whatever it has waited for */
	/* SDM "Local APIC Operation After INIT": an application processor waits for a SIPI. */
	vp->state = vp->index == 0 ? VP_RUNNING : VP_WAIT_SIPI;
	event_reset(vp, nmi_blocked);
	vlapic_reset(vp, init);
	vlapic_mode_changed(vp);
	hw_invvpid(vp->ctx->vpid);
	if (init) {
		COUNT(vp, INIT);
		TRACE(vp, INIT, 0, 0, 0);
	}
	partition_vp_reset(vp, init);
}
