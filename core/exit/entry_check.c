/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest-state checks of VM entry, repeated in software to name the one that failed, or to
 * refuse state that would fail: predicates in the SDM's order. What each segment register must be
 * by itself is in entry_segment.c. CR0 and CR4 bits that VMX fixes are not checked: the guest
 * cannot change them. Pure.
 *
 * Spec: SDM Vol. 3C "Checking and Loading Guest State".
 */
#include "core/exit/entry_check.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_internal.h"
#include "core/hw.h"

#define RFLAGS_RESERVED (GENMASK64(63, 22) | BIT64(15) | BIT64(5) | BIT64(3))

static u64 rd(enum vmcs_field f)
{
	return hw_vmread(f);
}

static u64 phys_reserved(void)
{
	struct cpuid_regs r;

	hw_cpuid(CPUID_LEAF_EXT_ADDRESS, 0, &r);
	return ~0ull << FIELD_GET(CPUID80000008_EAX_PHYS_BITS, r.a);
}

/* By the width that the CPU supports: CR4.LA57 is about what is translated. */
static bool is_canonical(u64 va)
{
	struct cpuid_regs r;

	hw_cpuid(CPUID_LEAF_EXT_ADDRESS, 0, &r);
	return addr_is_canonical(va, FIELD_GET(CPUID80000008_EAX_LINEAR_BITS, r.a) >= 57 ? 57 : 48);
}

static bool is_v86(void)
{
	return (rd(VMCS_GUEST_RFLAGS) & RFLAGS_VM) != 0;
}

static bool is_ia32e(void)
{
	return (rd(VMCS_VM_ENTRY_CTLS) & ENTRY_CTL_IA32E_GUEST) != 0;
}

/* Each returns true when the state passes. */
static bool cr0_pg_needs_pe(void)
{
	u64 cr0 = rd(VMCS_GUEST_CR0);

	return !(cr0 & CR0_PG) || (cr0 & CR0_PE);
}

static bool cr0_ne_is_set(void)
{
	return (rd(VMCS_GUEST_CR0) & CR0_NE) != 0;
}

static bool cr4_vmxe_is_set(void)
{
	return (rd(VMCS_GUEST_CR4) & CR4_VMXE) != 0;
}

static bool ia32e_needs_pg_and_pae(void)
{
	return !is_ia32e() || ((rd(VMCS_GUEST_CR0) & CR0_PG) && (rd(VMCS_GUEST_CR4) & CR4_PAE));
}

static bool pcide_needs_ia32e(void)
{
	return is_ia32e() || !(rd(VMCS_GUEST_CR4) & CR4_PCIDE);
}

static bool cr3_fits_the_machine(void)
{
	return !(rd(VMCS_GUEST_CR3) & phys_reserved());
}

static bool dr7_is_32_bits(void)
{
	return (rd(VMCS_GUEST_DR7) >> 32) == 0;
}

static bool efer_bits_exist(void)
{
	struct cpuid_regs r;
	u64 exist = EFER_LME | EFER_LMA;

	hw_cpuid(CPUID_LEAF_EXT_SIGNATURE, 0, &r);
	exist |= (r.d & CPUID80000001_EDX_SYSCALL) ? EFER_SCE : 0;
	exist |= (r.d & CPUID80000001_EDX_NX) ? EFER_NXE : 0;
	return !(rd(VMCS_GUEST_EFER) & ~exist);
}

static bool sysenter_is_canonical(void)
{
	return is_canonical(rd(VMCS_GUEST_SYSENTER_ESP)) &&
	       is_canonical(rd(VMCS_GUEST_SYSENTER_EIP));
}

static bool pat_types_are_valid(void)
{
	u64 pat = rd(VMCS_GUEST_PAT);

	for (u32 i = 0; i < 8; i++, pat >>= 8) {
		u8 type = (u8)pat;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool efer_matches_mode(void)
{
	u64 efer = rd(VMCS_GUEST_EFER);

	if (((efer & EFER_LMA) != 0) != is_ia32e())
		return false;
	return !(rd(VMCS_GUEST_CR0) & CR0_PG) ||
	       ((efer & EFER_LMA) != 0) == ((efer & EFER_LME) != 0);
}

static bool tr_is_usable_tss(void)
{
	u32 ar = (u32)rd(VMCS_GUEST_TR_AR);
	u32 type = ar & AR_TYPE;

	if ((ar & (AR_UNUSABLE | AR_S)) || !(ar & AR_P))
		return false;
	return type == AR_TYPE_TSS_BUSY || (type == AR_TYPE_TSS16_BUSY && !is_ia32e());
}

static bool ldtr_is_ldt_or_unusable(void)
{
	u32 ar = (u32)rd(VMCS_GUEST_LDTR_AR);

	return (ar & AR_UNUSABLE) || ((ar & AR_TYPE) == AR_TYPE_LDT && (ar & AR_P));
}

static bool cs_type_is_code(void)
{
	u32 ar = (u32)rd(VMCS_GUEST_CS_AR);
	u32 type = ar & AR_TYPE;

	/* 3: an unrestricted guest may have a data segment in CS. */
	return is_v86() || type == 9 || type == 11 || type == 13 || type == 15 || type == 3;
}

static bool ss_dpl_matches_cs(void)
{
	u32 cs = (u32)rd(VMCS_GUEST_CS_AR), ss = (u32)rd(VMCS_GUEST_SS_AR);

	if (is_v86() || !(rd(VMCS_GUEST_CR0) & CR0_PE))
		return true;
	if ((cs & AR_TYPE) == 9 || (cs & AR_TYPE) == 11)
		return FIELD_GET(AR_DPL, cs) == FIELD_GET(AR_DPL, ss);
	return (cs & AR_TYPE) == 3 || FIELD_GET(AR_DPL, cs) <= FIELD_GET(AR_DPL, ss);
}

static bool cs_l_excludes_d(void)
{
	u32 ar = (u32)rd(VMCS_GUEST_CS_AR);

	return !is_ia32e() || !((ar & AR_L) && (ar & AR_DB));
}

/* Limit and granularity must agree: low bits all ones with G = 1, high bits zero with G = 0. */
static bool granularity_is_consistent(enum vmcs_field ar_field, enum vmcs_field limit_field)
{
	u32 ar = (u32)rd(ar_field), limit = (u32)rd(limit_field);

	if (ar & AR_UNUSABLE)
		return true;
	if ((limit & 0xfff) != 0xfff && (ar & AR_G))
		return false;
	return !(limit & 0xfff00000) || (ar & AR_G);
}

static bool limits_match_granularity(void)
{
	return granularity_is_consistent(VMCS_GUEST_CS_AR, VMCS_GUEST_CS_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_SS_AR, VMCS_GUEST_SS_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_DS_AR, VMCS_GUEST_DS_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_ES_AR, VMCS_GUEST_ES_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_FS_AR, VMCS_GUEST_FS_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_GS_AR, VMCS_GUEST_GS_LIMIT) &&
	       granularity_is_consistent(VMCS_GUEST_TR_AR, VMCS_GUEST_TR_LIMIT);
}

static bool table_limits_fit(void)
{
	return ((rd(VMCS_GUEST_GDTR_LIMIT) | rd(VMCS_GUEST_IDTR_LIMIT)) >> 16) == 0;
}

static bool table_bases_are_canonical(void)
{
	return is_canonical(rd(VMCS_GUEST_GDTR_BASE)) && is_canonical(rd(VMCS_GUEST_IDTR_BASE)) &&
	       is_canonical(rd(VMCS_GUEST_TR_BASE)) && is_canonical(rd(VMCS_GUEST_FS_BASE)) &&
	       is_canonical(rd(VMCS_GUEST_GS_BASE)) &&
	       ((rd(VMCS_GUEST_LDTR_AR) & AR_UNUSABLE) || is_canonical(rd(VMCS_GUEST_LDTR_BASE)));
}

static bool rip_fits_mode(void)
{
	if (!is_ia32e() || !(rd(VMCS_GUEST_CS_AR) & AR_L))
		return (rd(VMCS_GUEST_RIP) >> 32) == 0;
	return is_canonical(rd(VMCS_GUEST_RIP));
}

static bool rflags_reserved_are_fixed(void)
{
	u64 f = rd(VMCS_GUEST_RFLAGS);

	return !(f & RFLAGS_RESERVED) && (f & RFLAGS_FIXED);
}

static bool rflags_vm_needs_protected_mode(void)
{
	return !is_v86() || (!is_ia32e() && (rd(VMCS_GUEST_CR0) & CR0_PE));
}

static bool external_interrupt_needs_if(void)
{
	u64 info = rd(VMCS_VM_ENTRY_INTR_INFO);

	return !(info & INTR_INFO_VALID) || FIELD_GET(INTR_INFO_TYPE, info) != INTR_TYPE_EXTERNAL ||
	       (rd(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
}

static bool hlt_has_no_shadow(void)
{
	return rd(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_ACTIVE ||
	       !(rd(VMCS_GUEST_INTERRUPTIBILITY) &
		 (GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS));
}

static bool hlt_is_at_cpl0(void)
{
	return rd(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_ACTIVE || !(rd(VMCS_GUEST_SS_AR) & AR_DPL);
}

static bool sti_shadow_needs_if(void)
{
	return !(rd(VMCS_GUEST_INTERRUPTIBILITY) & GUEST_INTR_BLOCKED_BY_STI) ||
	       (rd(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
}

static bool one_shadow_at_a_time(void)
{
	const u64 both = GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS;

	return (rd(VMCS_GUEST_INTERRUPTIBILITY) & both) != both;
}

static bool single_step_in_shadow_is_pending(void)
{
	const u64 shadow = GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS;
	bool trap = (rd(VMCS_GUEST_RFLAGS) & RFLAGS_TF) && !(rd(VMCS_GUEST_DEBUGCTL) & 2);

	if (!(rd(VMCS_GUEST_INTERRUPTIBILITY) & shadow) &&
	    rd(VMCS_GUEST_ACTIVITY_STATE) != ACTIVITY_HLT)
		return true;
	return ((rd(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DBG_BS) != 0) == trap;
}

static bool error_code_needs_pe(void)
{
	u64 info = rd(VMCS_VM_ENTRY_INTR_INFO);

	return !(info & INTR_INFO_VALID) || !(info & INTR_INFO_ERROR_CODE_VALID) ||
	       (rd(VMCS_GUEST_CR0) & CR0_PE);
}

/* SDM "Checks on Guest Page-Directory-Pointer-Table Entries": with EPT they are in the VMCS. */
static bool pdptes_are_valid(void)
{
	static const enum vmcs_field field[4] = { VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
						  VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3 };
	u64 reserved = PDPTE_PAE_RSVD | phys_reserved();

	if (is_ia32e() || !(rd(VMCS_GUEST_CR0) & CR0_PG) || !(rd(VMCS_GUEST_CR4) & CR4_PAE))
		return true;
	for (u32 i = 0; i < 4; i++) {
		if ((rd(field[i]) & PTE_P) && (rd(field[i]) & reserved))
			return false;
	}
	return true;
}

static bool link_pointer_is_none(void)
{
	return rd(VMCS_VMCS_LINK_POINTER) == VMCS_LINK_POINTER_NONE;
}

/* clang-format off */
static const struct {
	bool (*passes)(void);
	const char *text;
} checks[] = {
	{ cr0_pg_needs_pe,               "CR0.PG is 1 with CR0.PE 0" },
	{ cr0_ne_is_set,                 "CR0.NE is 0" },
	{ cr4_vmxe_is_set,               "CR4.VMXE is 0" },
	{ ia32e_needs_pg_and_pae,        "IA-32e mode without CR0.PG and CR4.PAE" },
	{ pcide_needs_ia32e,             "CR4.PCIDE outside IA-32e mode" },
	{ cr3_fits_the_machine,          "CR3 has bits beyond the physical addresses" },
	{ dr7_is_32_bits,                "DR7 has bits above 31" },
	{ efer_bits_exist,               "EFER has reserved bits" },
	{ sysenter_is_canonical,         "SYSENTER_ESP or SYSENTER_EIP is not canonical" },
	{ pat_types_are_valid,           "IA32_PAT has a reserved memory type" },
	{ efer_matches_mode,             "EFER.LMA and EFER.LME do not match the mode" },
	{ rflags_vm_needs_protected_mode, "RFLAGS.VM outside protected mode" },
	{ cs_type_is_code,               "CS is not a code segment" },
	{ ss_dpl_matches_cs,             "SS.DPL does not match CS" },
	{ cs_l_excludes_d,               "CS.L and CS.D are both 1" },
	{ limits_match_granularity,      "a segment limit does not match its granularity" },
	{ tr_is_usable_tss,              "TR is not a busy TSS" },
	{ ldtr_is_ldt_or_unusable,       "LDTR is neither an LDT nor unusable" },
	{ table_bases_are_canonical,     "a descriptor-table or segment base is not canonical" },
	{ table_limits_fit,              "a descriptor-table limit has more than 16 bits" },
	{ rip_fits_mode,                 "RIP does not fit the mode" },
	{ rflags_reserved_are_fixed,     "RFLAGS has reserved bits" },
	{ external_interrupt_needs_if,   "an external interrupt is injected with RFLAGS.IF 0" },
	{ hlt_has_no_shadow,             "activity state HLT with blocking by STI or MOV SS" },
	{ hlt_is_at_cpl0,                "activity state HLT with SS.DPL not 0" },
	{ sti_shadow_needs_if,           "blocking by STI with RFLAGS.IF 0" },
	{ one_shadow_at_a_time,          "blocking by STI and by MOV SS at once" },
	{ single_step_in_shadow_is_pending,
	  "single-step and pending debug exceptions do not match in a shadow" },
	{ link_pointer_is_none,          "the VMCS link pointer is not all ones" },
	{ error_code_needs_pe,           "an error code is injected in real mode" },
	{ pdptes_are_valid,              "a PDPTE has reserved bits" },
};
/* clang-format on */

static const char *first_failure(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		if (!checks[i].passes())
			return checks[i].text;
	}
	return entry_check_segments(is_v86());
}

const char *entry_check_guest_state(void)
{
	const char *text = first_failure();

	return text != NULL ? text : "no check known to this version fails";
}

bool entry_check_passes(void)
{
	return first_failure() == NULL;
}
