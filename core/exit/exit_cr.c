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

/* PAE paging keeps its four PDPTEs in registers; SDM "PDPTE Registers". ERR_AGAIN, else #GP. */
static err_t load_pdptes(struct vp *vp)
{
	u64 pdpte[4];

	TRY(guest_read_pdptes(vp, hw_vmread(VMCS_GUEST_CR3), pdpte));
	guest_set_pdptes(pdpte);
	return ERR_NONE;
}

static void set_long_mode(bool on)
{
	u64 efer = hw_vmread(VMCS_GUEST_EFER);

	ctx_set_long_mode(on);
	hw_vmwrite(VMCS_GUEST_EFER, on ? efer | EFER_LMA : efer & ~EFER_LMA);
}

/* CR0.PG turns on. SDM "MOV - Move to/from Control Registers", "Initializing IA-32e Mode". */
static bool paging_on(void)
{
	if (!(hw_vmread(VMCS_GUEST_EFER) & EFER_LME))
		return true;
	if (!(hw_vmread(VMCS_GUEST_CR4) & CR4_PAE) || (hw_vmread(VMCS_GUEST_CS_AR) & AR_L) ||
	    (hw_vmread(VMCS_GUEST_TR_AR) & AR_TYPE) == AR_TYPE_TSS16_BUSY)
		return false;
	set_long_mode(true);
	return true;
}

static bool paging_off(void)
{
	if (hw_vmread(VMCS_GUEST_CR4) & CR4_PCIDE)
		return false;
	if (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA) {
		if (hw_vmread(VMCS_GUEST_CS_AR) & AR_L)
			return false;
		set_long_mode(false);
	}
	return true;
}

/* The write turns PAE paging on, or changes a bit that reloads the PDPTEs while it is on. */
static bool loads_pdptes(u64 old, u64 val)
{
	return (val & CR0_PG) && ((old ^ val) & (CR0_PG | CR0_CD | CR0_NW)) &&
	       (hw_vmread(VMCS_GUEST_CR4) & CR4_PAE) && !(hw_vmread(VMCS_GUEST_EFER) & EFER_LMA);
}

/* MOV to CR0 that changes an owned bit (CD, NW or NE). The whole write is emulated. */
static enum exit_action cr0_write(struct vp *vp, u64 val)
{
	u64 old = guest_cr0(vp);

	if ((val >> 32) || ((val & CR0_PG) && !(val & CR0_PE)) ||
	    ((val & CR0_NW) && !(val & CR0_CD)))
		return vp_fault_gp0(vp);
	if ((val & ~old & CR0_PG) && !paging_on())
		return vp_fault_gp0(vp);
	if ((old & ~val & CR0_PG) && !paging_off())
		return vp_fault_gp0(vp);
	if (loads_pdptes(old, val)) { /* not in long mode: nothing has changed yet */
		err_t err = load_pdptes(vp);

		if (err != ERR_NONE)
			return err == ERR_AGAIN ? EXIT_RETRY : vp_fault_gp0(vp);
	}

	hw_vmwrite(VMCS_CR0_READ_SHADOW, (val & GUEST_CR0_VISIBLE) | CR0_ET);
	hw_vmwrite(VMCS_GUEST_CR0, (val & GUEST_CR0_VISIBLE & ~GUEST_CR0_OWNED) | CR0_NE | CR0_ET);
	if (((val ^ old) & CR0_PG) || (val & CR0_CD & ~old))
		hw_invvpid(vp->ctx->vpid);
	/*
	 * Rule M2: the caches stay on whatever CD says. What the guest relies on, that memory is up
	 * to date after WBINVD, holds by cache coherence. New MTRRs take effect when CD is cleared.
	 */
	if (old & ~val & CR0_CD)
		mtrr_cache_enabled(vp);
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
	if (a.from_dr) {
		gpr_write(vp, a.gpr, nr == 7 ? hw_vmread(VMCS_GUEST_DR7) : hw_read_dr(nr));
		return EXIT_NEXT;
	}
	if (nr >= 6 && (gpr_read(vp, a.gpr) >> 32))
		return vp_fault_gp0(vp);
	if (nr == 7)
		hw_vmwrite(VMCS_GUEST_DR7, (gpr_read(vp, a.gpr) & 0xffff2fff) | DR7_FIXED);
	else
		hw_write_dr(nr, gpr_read(vp, a.gpr));
	return EXIT_NEXT;
}
