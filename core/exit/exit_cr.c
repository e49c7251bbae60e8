/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control- and debug-register accesses that exit: CR0 and CR4 bits the hypervisor owns, CR8 without
 * a TPR shadow. Pure.
 */
#include "core/exit/exit.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"

/* MOV to CR0 that changes an owned bit (CD, NW or NE). The whole write is emulated. */
static enum exit_action cr0_write(struct vp *vp, u64 val)
{
	err_t err = guest_set_cr0(vp, val);

	if (err != ERR_NONE)
		return err == ERR_AGAIN ? EXIT_RETRY : vp_fault_gp0(vp);
	return EXIT_NEXT;
}

static enum exit_action cr8_access(struct vp *vp, const struct cr_access *a)
{
	if (a->type == CR_ACCESS_FROM_CR) {
		gpr_write(vp, a->gpr, vlapic_reg(&vp->apic, APIC_TPR) >> 4);
		return EXIT_NEXT;
	}
	if (gpr_read(vp, a->gpr) & ~CR8_TPL)
		return vp_fault_gp0(vp);
	vlapic_write(vp, APIC_TPR, (u32)gpr_read(vp, a->gpr) << 4);
	return EXIT_NEXT;
}

enum exit_action exit_cr_access(struct vp *vp, const struct exit_info *x)
{
	struct cr_access a = cr_access_decode(x->qual);
	u64 cr0;

	switch (a.type) {
	case CR_ACCESS_TO_CR:
		if (a.cr == 0) {
			u64 val = gpr_read(vp, a.gpr);

			return cr0_write(vp, vp_is_long64(vp) ? val : (u32)val);
		}
		if (a.cr == 4) /* exits only for a bit that the guest does not have */
			return vp_fault_gp0(vp);
		if (a.cr == 8)
			return cr8_access(vp, &a);
		return EXIT_STOP;
	case CR_ACCESS_FROM_CR:
		return a.cr == 8 ? cr8_access(vp, &a) : EXIT_STOP;
	case CR_ACCESS_CLTS:
		return cr0_write(vp, guest_cr0(vp) & ~CR0_TS);
	case CR_ACCESS_LMSW: /* PE can be set, not cleared */
		cr0 = guest_cr0(vp);
		return cr0_write(vp, (cr0 & ~(u64)0xe) | (a.lmsw_source & 0xf));
	}
	return EXIT_STOP;
}

/* MOV DR: not intercepted by default; the registers are the guest's own. */
enum exit_action exit_dr_access(struct vp *vp, const struct exit_info *x)
{
	struct dr_access a = dr_access_decode(x->qual);
	u32 nr = a.dr;

	if (nr == 4 || nr == 5) {
		if (hw_vmread(VMCS_GUEST_CR4) & CR4_DE)
			return vp_fault(vp, EXC_UD);
		nr += 2;
	}
	if (a.from_dr)
		gpr_write(vp, a.gpr, guest_dr(nr));
	else if (guest_set_dr(nr, gpr_read(vp, a.gpr)) != ERR_NONE)
		return vp_fault_gp0(vp);
	return EXIT_NEXT;
}
