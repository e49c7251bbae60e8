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
