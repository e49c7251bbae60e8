/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual processor: register access, faults, work and kicks. Pure. */
#include "core/vp/vp.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/reg.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/stop_all.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/time/tsc_emul.h"

u64 gpr_read(const struct vp *vp, u32 nr)
{
	if (nr == GPR_SP)
		return hw_vmread(VMCS_GUEST_RSP);
	return vp->regs.r[nr > GPR_SP ? nr - 1 : nr];
}

void gpr_write(struct vp *vp, u32 nr, u64 val)
{
	if (nr == GPR_SP)
		hw_vmwrite(VMCS_GUEST_RSP, val);
	else
		vp->regs.r[nr > GPR_SP ? nr - 1 : nr] = val;
}

static_assert(offsetof(struct gpr_regs, rbp) == 4 * 8, "RBP takes the slot of RSP");
static_assert(offsetof(struct gpr_regs, r15) == 14 * 8, "15 registers, RSP is not among them");

const char *vp_state_name(enum vp_run_state state)
{
	static const char *const names[] = { "halted", "idle", "running", "waiting for SIPI",
					     "shut down" };

	return names[state];
}

void vp_post_work(struct vp *vp, u32 work)
{
	struct vp *self = hw_cpu_vp();

	(void)__atomic_fetch_or(&vp->work, work, __ATOMIC_RELEASE);
	if (vp != self && hw_kick(vp) && self != NULL)
		COUNT(self, KICK_SENT);
}

bool vp_unhalt(struct vp *vp)
{
	bool halted;

	(void)__atomic_exchange_n(&vp->unhalted, 1, __ATOMIC_SEQ_CST);
	halted = vp_is_halted(vp);
	if (halted)
		vp_post_work(vp, VP_WORK_EVENT);
	return halted;
}

#define PORT_NMI_STATUS    0x61
#define NMI_STATUS_SOURCES 0xc0 /* SERR#, IOCHK# */
#define NO_SUCH_PORT       0xff

bool vp_probe_nmi_status(void)
{
	return hw_io_in(PORT_NMI_STATUS, 1) != NO_SUCH_PORT;
}

static bool passes_nmis(const struct vp *vp, u32 lvt)
{
	u32 val = vlapic_reg(&vp->apic, lvt);

	return !(val & APIC_LVT_MASKED) && FIELD_GET(APIC_LVT_MODE, val) == APIC_MODE_NMI;
}

/*
 * SERR# and IOCHK# reach a CPU by LINT1, or LINT0, as the guest has set them (rule I7); without an
 * APIC LINT1 is the NMI pin. Where both are closed, as on Linux' application processors, a kick
 * costs no port read: under an outer hypervisor that is an exit of its own.
 */
static bool device_claims_nmi(const struct vp *vp)
{
	if (!vp->partition->machine.has_nmi_status)
		return false;
	if (vlapic_is_hw_enabled(&vp->apic) && !passes_nmis(vp, APIC_LVT_LINT1) &&
	    !passes_nmis(vp, APIC_LVT_LINT0))
		return false;
	return (hw_io_in(PORT_NMI_STATUS, 1) & NMI_STATUS_SOURCES) != 0;
}

void vp_nmi_received(struct vp *vp)
{
	bool was_kick = __atomic_exchange_n(&vp->kicked, 0, __ATOMIC_ACQ_REL) != 0;

	if (unlikely(stop_all_wanted()))
		stop_all_obey();
	if (was_kick)
		COUNT(vp, KICK_RECEIVED);
	if (!was_kick || device_claims_nmi(vp))
		event_nmi(vp);
}

/*
 * While the mark is set no CPU sends us an NMI (rule K2). If it is set already, an NMI is in flight
 * and its handler clears the mark: wait for that. Work that is posted while we hold the mark is
 * visible once it is released.
 */
void vp_hold_kicks(struct vp *vp)
{
	while (__atomic_exchange_n(&vp->kicked, 1, __ATOMIC_SEQ_CST) != 0)
		__builtin_ia32_pause();
}

void vp_release_kicks(struct vp *vp)
{
	(void)__atomic_exchange_n(&vp->kicked, 0, __ATOMIC_SEQ_CST);
	if (unlikely(stop_all_wanted()))
		stop_all_obey();
}

void vp_restore_if(struct vp *vp)
{
	if (!vp->event.if_aside)
		return;
	vp->event.if_aside = false;
	vlapic_apicv_uninhibit(vp, APICV_INHIBIT_REASON_BLOCKIRQ);
	hw_vmwrite(VMCS_GUEST_RFLAGS, hw_vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_IF);
}

void vp_left_hlt(struct vp *vp)
{
	if (likely(vp->state == VP_RUNNING))
		return;
	vp_restore_if(vp);
	vp_set_work(vp, VP_WORK_EVENT); /* decides anew: sleep on, or wake */
}

enum exit_action vp_fault(struct vp *vp, u8 vector)
{
	event_exception(vp, vector, false, 0);
	return EXIT_RESUME;
}

enum exit_action vp_fault_code(struct vp *vp, u8 vector, u32 code)
{
	event_exception(vp, vector, true, code);
	return EXIT_RESUME;
}

enum exit_action vp_fault_gp0(struct vp *vp)
{
	return vp_fault_code(vp, EXC_GP, 0);
}

enum exit_action vp_fault_page(struct vp *vp, u64 gva, u32 code)
{
	hw_write_cr2(gva);
	return vp_fault_code(vp, EXC_PF, code);
}

u32 vp_cpl(const struct vp *vp)
{
	return (u32)FIELD_GET(AR_DPL, hw_vmread(VMCS_GUEST_SS_AR));
}

bool vp_is_long64(const struct vp *vp)
{
	return (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA) && (hw_vmread(VMCS_GUEST_CS_AR) & AR_L);
}

u64 vp_guest_tsc(const struct vp *vp)
{
	return partition_tsc(vp->partition) + vp->tsc_offset;
}
