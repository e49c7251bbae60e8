/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's control registers, and which CR4 bits its CPUID gives it. Pure. */
#include "core/vp/guest_cr.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/mem/gpa.h"
#include "core/partition.h"
#include "core/vp/vp.h"

enum cpuid_reg { REG_A, REG_B, REG_C, REG_D };

/* clang-format off */
/* SDM Vol. 3A "Control Registers": a CR4 bit exists with the feature it controls. */
static const struct {
	u64 cr4;
	u32 leaf;
	enum cpuid_reg reg;
	u32 feature;
} cr4_features[] = {
	{ CR4_VME | CR4_PVI,                1, REG_D, CPUID1_EDX_VME },
	{ CR4_TSD,                          1, REG_D, CPUID1_EDX_TSC },
	{ CR4_DE,                           1, REG_D, CPUID1_EDX_DE },
	{ CR4_PSE,                          1, REG_D, CPUID1_EDX_PSE },
	{ CR4_PAE,                          1, REG_D, CPUID1_EDX_PAE },
	{ CR4_MCE,                          1, REG_D, CPUID1_EDX_MCE },
	{ CR4_PGE,                          1, REG_D, CPUID1_EDX_PGE },
	{ CR4_OSFXSR,                       1, REG_D, CPUID1_EDX_FXSR },
	{ CR4_OSXMMEXCPT,                   1, REG_D, CPUID1_EDX_SSE },
	{ CR4_PCIDE,                        1, REG_C, CPUID1_ECX_PCID },
	{ CR4_OSXSAVE,                      1, REG_C, CPUID1_ECX_XSAVE },
	{ CR4_FSGSBASE,                     7, REG_B, CPUID7_EBX_FSGSBASE },
	{ CR4_SMEP,                         7, REG_B, CPUID7_EBX_SMEP },
	{ CR4_SMAP,                         7, REG_B, CPUID7_EBX_SMAP },
	{ CR4_UMIP,                         7, REG_C, CPUID7_ECX_UMIP },
	{ CR4_PKE,                          7, REG_C, CPUID7_ECX_PKU },
	{ CR4_LA57,                         7, REG_C, CPUID7_ECX_LA57 },
};
/* clang-format on */

u64 guest_cr0(const struct vp *vp)
{
	return (hw_vmread(VMCS_GUEST_CR0) & ~GUEST_CR0_OWNED) |
	       (hw_vmread(VMCS_CR0_READ_SHADOW) & GUEST_CR0_OWNED);
}

/* Bits @mask in register @reg of @leaf are all visible. */
static bool has_feature(const struct vp *vp, u32 leaf, u32 reg, u32 mask)
{
	struct cpuid_regs r;
	u32 val;

	cpuid_query(vp, leaf, 0, &r);
	val = reg == REG_A ? r.a : reg == REG_B ? r.b : reg == REG_C ? r.c : r.d;
	return (val & mask) == mask;
}

u64 guest_cr4_allowed(const struct vp *vp)
{
	/* Harmless without a PMU: RDPMC exits anyway. */
	u64 allowed = CR4_PCE;

	for (size_t i = 0; i < ARRAY_SIZE(cr4_features); i++) {
		if (has_feature(vp, cr4_features[i].leaf, cr4_features[i].reg,
				cr4_features[i].feature))
			allowed |= cr4_features[i].cr4;
	}
	return allowed;
}

err_t guest_read_pdptes(const struct vp *vp, u64 cr3, u64 pdpte[4])
{
	u64 reserved = PDPTE_PAE_RSVD | ~(BIT64(vp->partition->machine.phys_bits) - 1);

	TRY(gpa_read_any(vp->partition, gpa(cr3 & CR3_PAE_ADDR), pdpte, 4 * sizeof(*pdpte)));
	for (u32 i = 0; i < 4; i++) {
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return ERR_INVAL;
	}
	return ERR_NONE;
}

void guest_set_pdptes(const u64 pdpte[4])
{
	hw_vmwrite(VMCS_GUEST_PDPTE0, pdpte[0]);
	hw_vmwrite(VMCS_GUEST_PDPTE1, pdpte[1]);
	hw_vmwrite(VMCS_GUEST_PDPTE2, pdpte[2]);
	hw_vmwrite(VMCS_GUEST_PDPTE3, pdpte[3]);
}

/* --- Writes, as instructions do them --- */

/* PAE paging keeps its four PDPTEs in registers; SDM "PDPTE Registers". */
static err_t load_pdptes(struct vp *vp, u64 cr3)
{
	u64 pdpte[4];

	TRY(guest_read_pdptes(vp, cr3, pdpte));
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
static bool cr0_loads_pdptes(u64 old, u64 val)
{
	return (val & CR0_PG) && ((old ^ val) & (CR0_PG | CR0_CD | CR0_NW)) &&
	       (hw_vmread(VMCS_GUEST_CR4) & CR4_PAE) && !(hw_vmread(VMCS_GUEST_EFER) & EFER_LMA);
}

err_t guest_set_cr0(struct vp *vp, u64 val)
{
	u64 old = guest_cr0(vp);

	if ((val >> 32) || ((val & CR0_PG) && !(val & CR0_PE)) ||
	    ((val & CR0_NW) && !(val & CR0_CD)))
		return ERR_INVAL;
	if ((val & ~old & CR0_PG) && !paging_on())
		return ERR_INVAL;
	if ((old & ~val & CR0_PG) && !paging_off())
		return ERR_INVAL;
	if (cr0_loads_pdptes(old, val)) /* not in long mode: nothing has changed yet */
		TRY(load_pdptes(vp, hw_vmread(VMCS_GUEST_CR3)));

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
	return ERR_NONE;
}

static bool has_pae_paging(u64 cr4)
{
	return (hw_vmread(VMCS_GUEST_CR0) & CR0_PG) && (cr4 & CR4_PAE) &&
	       !(hw_vmread(VMCS_GUEST_EFER) & EFER_LMA);
}

err_t guest_set_cr3(struct vp *vp, u64 val)
{
	u64 reserved = ~(BIT64(vp->partition->machine.phys_bits) - 1);
	u64 cr4 = hw_vmread(VMCS_GUEST_CR4);

	if (cr4 & CR4_PCIDE)
		val &= ~CR3_NO_FLUSH;
	if (val & reserved)
		return ERR_INVAL;
	if (has_pae_paging(cr4))
		TRY(load_pdptes(vp, val));
	hw_vmwrite(VMCS_GUEST_CR3, val);
	hw_invvpid(vp->ctx->vpid);
	return ERR_NONE;
}

/* SDM "MOV - Move to/from Control Registers": what #GPs besides bits that do not exist. */
static bool cr4_fits_mode(u64 old, u64 val)
{
	bool long_mode = (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA) != 0;

	if (long_mode && (!(val & CR4_PAE) || ((old ^ val) & CR4_LA57)))
		return false;
	return !(val & ~old & CR4_PCIDE) || (long_mode && !(hw_vmread(VMCS_GUEST_CR3) & CR3_PCID));
}

u64 guest_cr4(const struct vp *vp)
{
	return hw_vmread(VMCS_GUEST_CR4) & vp->partition->machine.cr4_allowed;
}

err_t guest_set_cr4(struct vp *vp, u64 val)
{
	u64 old = guest_cr4(vp);

	if ((val & ~vp->partition->machine.cr4_allowed) || !cr4_fits_mode(old, val))
		return ERR_INVAL;
	if (((old ^ val) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && has_pae_paging(val))
		TRY(load_pdptes(vp, hw_vmread(VMCS_GUEST_CR3)));
	hw_vmwrite(VMCS_GUEST_CR4, val | CR4_VMXE);
	hw_invvpid(vp->ctx->vpid);
	return ERR_NONE;
}

/*
 * SDM Vol. 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features": x87 is always on; AVX
 * needs SSE; the three AVX-512 components come together and need AVX; the two MPX components
 * together.
 */
static bool xcr0_is_valid(u64 val, u64 supported)
{
	const u64 avx512 = XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM;
	const u64 mpx = XCR0_BNDREGS | XCR0_BNDCSR;

	if ((val & ~supported) || !(val & XCR0_X87))
		return false;
	if ((val & XCR0_AVX) && !(val & XCR0_SSE))
		return false;
	if ((val & avx512) && ((val & avx512) != avx512 || !(val & XCR0_AVX)))
		return false;
	return !(val & mpx) || (val & mpx) == mpx;
}

err_t guest_set_xcr0(struct vp *vp, u64 val)
{
	if (!xcr0_is_valid(val, vp->partition->machine.xcr0_supported))
		return ERR_INVAL;
	vp->xcr0 = val;
	TRACE(vp, XCR0, 0, val, 0);
	hw_xsetbv(val); /* root mode has no XSAVE state of its own */
	return ERR_NONE;
}

u64 guest_dr(u32 nr)
{
	return nr == 7 ? hw_vmread(VMCS_GUEST_DR7) : hw_read_dr(nr);
}

err_t guest_set_dr(u32 nr, u64 val)
{
	if (nr >= 6 && (val >> 32))
		return ERR_INVAL;
	if (nr == 7)
		hw_vmwrite(VMCS_GUEST_DR7, (val & 0xffff2fff) | DR7_FIXED);
	else
		hw_write_dr(nr, val);
	return ERR_NONE;
}
