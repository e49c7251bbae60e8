/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's architectural MSRs. All others are #GP: a CPUID bit that promises an MSR is shown
 * only if its row is live.
 *
 * Reads and writes pass through where VM entry and exit switch the register (EFER, PAT, SYSENTER,
 * FS and GS base; the CPU validates the values, and every EFER bit that exists is shown), or where
 * the hypervisor never uses it (STAR and friends, KERNEL_GS_BASE, TSC_AUX, SPEC_CTRL). Left out on
 * purpose: PMU, LBR, DS, PT, SGX, CET, XFD, SMM (SMBASE, SMRR), thermal and power control, RAPL,
 * TSX_CTRL, MCU_OPT_CTRL, CORE_CAPABILITIES, DEBUG_INTERFACE, VMX.
 * Context: VP's own CPU.
 *
 * Spec: SDM Vol. 4 "Architectural MSRs".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/surface/cpuid.h"
#include "core/surface/misc_enable.h"
#include "core/surface/msr.h"
#include "core/time/guest_tsc.h"
#include "core/vp/vp.h"

#define PASS (MSR_PASS_READ | MSR_PASS_WRITE)

/* --- Registers that live in the VMCS: reached only when something intercepts them --- */

static bool vmcs_field_of(u32 msr, enum vmcs_field *field)
{
	/* clang-format off */
	static const struct {
		u32 msr;
		enum vmcs_field field;
	} map[] = {
		{ MSR_IA32_SYSENTER_CS,  VMCS_GUEST_SYSENTER_CS },
		{ MSR_IA32_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
		{ MSR_IA32_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP },
		{ MSR_IA32_PAT,          VMCS_GUEST_PAT },
		{ MSR_IA32_EFER,         VMCS_GUEST_EFER },
		{ MSR_IA32_FS_BASE,      VMCS_GUEST_FS_BASE },
		{ MSR_IA32_GS_BASE,      VMCS_GUEST_GS_BASE },
		{ MSR_IA32_DEBUGCTL,     VMCS_GUEST_DEBUGCTL },
	};
	/* clang-format on */

	for (u32 i = 0; i < ARRAY_SIZE(map); i++) {
		if (map[i].msr == msr) {
			*field = map[i].field;
			return true;
		}
	}
	return false;
}

static enum msr_result vmcs_read(struct vp *vp, u32 msr, u64 *val)
{
	enum vmcs_field field;

	if (!vmcs_field_of(msr, &field))
		return MSR_GP;
	*val = hw_vmread(field);
	return MSR_OK;
}

/*
 * By the width that the CPU supports, 57 bits with 5-level paging, whatever CR4.LA57 says (Intel,
 * "5-Level Paging and 5-Level EPT"): so does the CPU where these MSRs pass through.
 */
static bool is_canonical(const struct vp *vp, u64 va)
{
	u32 sizes = cpuid_base(vp->partition, CPUID_LEAF_EXT_ADDRESS, 0).a;

	return addr_is_canonical(va,
				 FIELD_GET(CPUID80000008_EAX_LINEAR_BITS, sizes) >= 57 ? 57 : 48);
}

static enum msr_result base_write(struct vp *vp, u32 msr, u64 val)
{
	enum vmcs_field field;

	if (!is_canonical(vp, val) || !vmcs_field_of(msr, &field))
		return MSR_GP;
	hw_vmwrite(field, val);
	return MSR_OK;
}

static enum msr_result sysenter_cs_write(struct vp *vp, u32 msr, u64 val)
{
	hw_vmwrite(VMCS_GUEST_SYSENTER_CS, (u32)val);
	return MSR_OK;
}

static bool pat_is_valid(u64 val)
{
	for (u32 i = 0; i < 64; i += 8) {
		u8 type = (u8)(val >> i);

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static enum msr_result pat_write(struct vp *vp, u32 msr, u64 val)
{
	if (!pat_is_valid(val))
		return MSR_GP;
	hw_vmwrite(VMCS_GUEST_PAT, val);
	return MSR_OK;
}

/*
 * SDM "IA32_EFER": LMA is read only, LME cannot change while paging is on. NXE is reserved while
 * XD BIT DISABLE hides NX; this write exits only then. SPEC-GAP: an NXE that was set before stays.
 */
static enum msr_result efer_write(struct vp *vp, u32 msr, u64 val)
{
	u64 old = hw_vmread(VMCS_GUEST_EFER);

	if ((val & EFER_NXE) && misc_enable_differs(vp, MISC_ENABLE_XD_DISABLE))
		return MSR_GP;
	if ((hw_vmread(VMCS_GUEST_CR0) & CR0_PG) && ((old ^ val) & EFER_LME))
		return MSR_GP;
	hw_vmwrite(VMCS_GUEST_EFER, (val & ~EFER_LMA) | (old & EFER_LMA));
	return MSR_OK;
}

/*
 * BTF single-steps branches (Linux: PTRACE_SINGLEBLOCK). LBR is accepted but not stored: there are
 * no LBR registers, yet some guests set it blindly and would crash on a #GP.
 */
static enum msr_result debugctl_write(struct vp *vp, u32 msr, u64 val)
{
	hw_vmwrite(VMCS_GUEST_DEBUGCTL, val & DEBUGCTL_BTF);
	return MSR_OK;
}

/* --- Time (rule T2) --- */

static enum msr_result tsc_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp_guest_tsc(vp);
	return MSR_OK;
}

static enum msr_result tsc_write(struct vp *vp, u32 msr, u64 val)
{
	guest_tsc_shift(vp, val - vp_guest_tsc(vp));
	return MSR_OK;
}

static enum msr_result tsc_adjust_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->tsc_adjust;
	return MSR_OK;
}

static enum msr_result tsc_adjust_write(struct vp *vp, u32 msr, u64 val)
{
	guest_tsc_shift(vp, val - vp->tsc_adjust);
	return MSR_OK;
}

/* --- Machine checks --- */

#define MCG_STATUS_SHOWN (MCG_STATUS_RIPV | MCG_STATUS_EIPV | MCG_STATUS_MCIP)

static enum msr_result mcg_status_read(struct vp *vp, u32 msr, u64 *val)
{
	u64 host;

	*val = hw_rdmsr_safe(MSR_IA32_MCG_STATUS, &host) == ERR_NONE ? host & MCG_STATUS_SHOWN : 0;
	return MSR_OK;
}

/*
 * Clear only: a machine check goes straight to the guest, whose handler ends with this write. MCIP
 * must be clear in the CPU then, or the next machine check shuts the machine down (SDM Vol. 3B
 * "IA32_MCG_STATUS MSR"). Never set: by MCIP the host's handler tells a machine check from a
 * vector.
 */
static enum msr_result mcg_status_write(struct vp *vp, u32 msr, u64 val)
{
	(void)!hw_wrmsr_safe(MSR_IA32_MCG_STATUS, val); /* absent: nothing to clear */
	return MSR_OK;
}

/* --- Identity and configuration --- */

/* The revision appears after CPUID leaf 1: SDM "Determining the Signature". 0 where it is unknown.
 */
static enum msr_result bios_sign_id_read(struct vp *vp, u32 msr, u64 *val)
{
	struct cpuid_regs r;
	u64 host;

	*val = 0;
	if (hw_wrmsr_safe(MSR_IA32_BIOS_SIGN_ID, 0) != ERR_NONE)
		return MSR_OK;
	hw_cpuid(CPUID_LEAF_FEATURES, 0, &r);
	if (hw_rdmsr_safe(MSR_IA32_BIOS_SIGN_ID, &host) == ERR_NONE)
		*val = host & BIOS_SIGN_ID_REVISION;
	return MSR_OK;
}

static enum msr_result platform_id_read(struct vp *vp, u32 msr, u64 *val)
{
	u64 host;

	*val = hw_rdmsr_safe(MSR_IA32_PLATFORM_ID, &host) == ERR_NONE ? host : 0;
	return MSR_OK;
}

/* Facts about the CPU; bits that promise an MSR (TSX_CTRL, MCU_OPT_CTRL, ...) are hidden. */
#define ARCH_CAP_SHOWN                                                                        \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA | ARCH_CAP_SKIP_L1DFL_VMENTRY | \
	 ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | ARCH_CAP_IF_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO |   \
	 ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR |   \
	 ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO |             \
	 ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR)

/* --- Presence follows CPUID --- */

static bool has_leaf7_edx(const struct partition *p, u32 bits)
{
	return (cpuid_base(p, CPUID_LEAF_EXT_FEATURES, 0).d & bits) != 0;
}

static bool spec_ctrl_present(const struct partition *p)
{
	return has_leaf7_edx(p, CPUID7_EDX_SPEC_CTRL | CPUID7_EDX_STIBP | CPUID7_EDX_SSBD);
}

static bool pred_cmd_present(const struct partition *p)
{
	return has_leaf7_edx(p, CPUID7_EDX_SPEC_CTRL);
}

static bool flush_cmd_present(const struct partition *p)
{
	return has_leaf7_edx(p, CPUID7_EDX_L1D_FLUSH);
}

static bool arch_cap_present(const struct partition *p)
{
	return has_leaf7_edx(p, CPUID7_EDX_ARCH_CAPABILITIES);
}

static bool mca_present(const struct partition *p)
{
	return (cpuid_base(p, CPUID_LEAF_FEATURES, 0).d & CPUID1_EDX_MCA) != 0;
}

static bool xss_present(const struct partition *p)
{
	return (cpuid_base(p, CPUID_LEAF_XSAVE, 1).a & CPUIDD_1_EAX_XSAVES) != 0;
}

static bool tsc_aux_present(const struct partition *p)
{
	return (cpuid_base(p, CPUID_LEAF_EXT_SIGNATURE, 0).d & CPUID80000001_EDX_RDTSCP) ||
	       (cpuid_base(p, CPUID_LEAF_EXT_FEATURES, 0).c & CPUID7_ECX_RDPID);
}

/* clang-format off */
const struct msr_row msr_arch_rows[] = {
	/* Never an error. Pentium code may read these on any later CPU. */
	{ MSR_RANGE(MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE, "P5_MC"),
	  .flags = MSR_CONST },
	{ MSR_ONE(MSR_IA32_TSC, "TSC"), .flags = MSR_PASS_READ, .read = tsc_read, .write = tsc_write },
	{ MSR_ONE(MSR_IA32_PLATFORM_ID, "PLATFORM_ID"), .read = platform_id_read },
	/* Locked, VMX off. */
	{ MSR_ONE(MSR_IA32_FEATURE_CONTROL, "FEATURE_CONTROL"), .flags = MSR_CONST,
	  .value = FEATURE_CONTROL_LOCK },
	{ MSR_ONE(MSR_IA32_TSC_ADJUST, "TSC_ADJUST"), .read = tsc_adjust_read,
	  .write = tsc_adjust_write },
	{ MSR_ONE(MSR_IA32_SPEC_CTRL, "SPEC_CTRL"), .flags = PASS, .present = spec_ctrl_present },
	{ MSR_ONE(MSR_IA32_PRED_CMD, "PRED_CMD"), .flags = MSR_PASS_WRITE,
	  .present = pred_cmd_present },
	/*
	 * Read-only, as in KVM. No ratio: the TSC's frequency is in CPUID 15H and in the ABIs' clocks. No
	 * CPUID faulting (bit 31): its switch, MISC_FEATURES_ENABLES, has no row.
	 */
	{ MSR_ONE(MSR_PLATFORM_INFO, "PLATFORM_INFO"), .flags = MSR_CONST },
	/* Rule P5: microcode is firmware's job; a load has no effect, as that of an old image. */
	{ MSR_ONE(MSR_IA32_BIOS_UPDT_TRIG, "BIOS_UPDT_TRIG"), .flags = MSR_WRITE_IGNORED },
	{ MSR_ONE(MSR_IA32_BIOS_SIGN_ID, "BIOS_SIGN_ID"), .flags = MSR_WRITE_IGNORED,
	  .read = bios_sign_id_read },
	{ MSR_ONE(MSR_IA32_ARCH_CAPABILITIES, "ARCH_CAPABILITIES"), .flags = MSR_HOST_READ,
	  .keep = ARCH_CAP_SHOWN, .present = arch_cap_present },
	{ MSR_ONE(MSR_IA32_FLUSH_CMD, "FLUSH_CMD"), .flags = MSR_PASS_WRITE,
	  .present = flush_cmd_present },
	{ MSR_ONE(MSR_IA32_SYSENTER_CS, "SYSENTER_CS"), .flags = PASS, .read = vmcs_read,
	  .write = sysenter_cs_write },
	{ MSR_RANGE(MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, "SYSENTER_ESP/EIP"),
	  .flags = PASS, .read = vmcs_read, .write = base_write },
	/* MCA without banks: the guest can handle #MC, the machine's banks are firmware's. */
	{ MSR_ONE(MSR_IA32_MCG_CAP, "MCG_CAP"), .flags = MSR_CONST, .present = mca_present },
	{ MSR_ONE(MSR_IA32_MCG_STATUS, "MCG_STATUS"), .rsvdz = ~0ull,
	  .read = mcg_status_read, .write = mcg_status_write, .present = mca_present },
	{ MSR_ONE(MSR_IA32_MISC_ENABLE, "MISC_ENABLE"), .rsvdz = MISC_ENABLE_RSVDZ,
	  .read = misc_enable_read, .write = misc_enable_write },
	{ MSR_ONE(MSR_IA32_DEBUGCTL, "DEBUGCTL"), .rsvdz = ~(DEBUGCTL_BTF | DEBUGCTL_LBR),
	  .read = vmcs_read, .write = debugctl_write },
	{ MSR_ONE(MSR_IA32_PAT, "PAT"), .flags = PASS, .read = vmcs_read, .write = pat_write },
	{ MSR_ONE(MSR_IA32_XSS, "XSS"), .flags = MSR_CONST | MSR_WRITE_IGNORED, .rsvdz = ~0ull,
	  .present = xss_present },
	{ MSR_ONE(MSR_IA32_EFER, "EFER"), .flags = PASS,
	  .rsvdz = ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE),
	  .read = vmcs_read, .write = efer_write },
	{ MSR_RANGE(MSR_IA32_STAR, MSR_IA32_FMASK, "STAR/LSTAR/CSTAR/FMASK"),
	  .flags = PASS },
	{ MSR_RANGE(MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, "FS/GS_BASE"),
	  .flags = PASS, .read = vmcs_read, .write = base_write },
	{ MSR_ONE(MSR_IA32_KERNEL_GS_BASE, "KERNEL_GS_BASE"), .flags = PASS },
	{ MSR_ONE(MSR_IA32_TSC_AUX, "TSC_AUX"), .flags = PASS, .present = tsc_aux_present },
};
/* clang-format on */

const u32 msr_arch_row_count = ARRAY_SIZE(msr_arch_rows);
