/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps instructions that reveal system addresses from code at CPL > 0. By descriptor-table
 * exiting, and only while a bit is set: CR4.UMIP would be the guest's own, and takes SMSW, too.
 * Those that the control takes along are emulated. Context: VP's own CPU.
 *
 * Spec: TLFS "Non-Privileged Instruction Execution Prevention"; SDM Vol. 3C "Instructions That
 * Cause VM Exits Conditionally", "Relative Priority of Faults and VM Exits": #UD in real mode and
 * #GP by privilege or UMIP come before the exit.
 */
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/emul/emul.h"
#include "hv/hyperv/hyperv_internal.h"

#define CONFIG_BITS (HV_NPIEP_SGDT | HV_NPIEP_SIDT | HV_NPIEP_SLDT | HV_NPIEP_STR)

/* HV_X64_MSR_NPIEP_CONFIG */
static struct hv_vp_state state = { .size = sizeof(u64) };

static u64 *config_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

static bool is_available(const struct partition *p)
{
	return ctx_proc2_allows(PROC2_DESCRIPTOR_TABLE_EXITING);
}

static void configure(struct vp *vp, u64 config)
{
	*config_of(vp) = config;
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING, config != 0);
}

static enum msr_result config_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = *config_of(vp);
	return MSR_OK;
}

static enum msr_result config_write(struct vp *vp, u32 msr, u64 val)
{
	configure(vp, val);
	return MSR_OK;
}

static void npiep_reset(struct vp *vp, bool init)
{
	configure(vp, 0);
}

static enum exit_action access(struct vp *vp, enum emul_op op, u64 forbids)
{
	enum exit_action action;

	if ((*config_of(vp) & forbids) && vp_cpl(vp) != 0)
		return vp_fault_gp0(vp);
	action = emul_table_access(vp, op);
	if (action != EXIT_UNHANDLED)
		return action;
	log_guest("a descriptor-table access outside RAM is not emulated: #UD, rip 0x%llx",
		  hw_vmread(VMCS_GUEST_RIP));
	return vp_fault(vp, EXC_UD);
}

static u32 identity(void)
{
	return (u32)FIELD_GET(INSTR_INFO_IDENTITY, hw_vmread(VMCS_VMX_INSTRUCTION_INFO));
}

static enum exit_action gdtr_idtr_access(struct vp *vp, const struct exit_info *x)
{
	static const u64 forbids[] = { [IDENTITY_SGDT] = HV_NPIEP_SGDT,
				       [IDENTITY_SIDT] = HV_NPIEP_SIDT,
				       [IDENTITY_LIDT] = 0 };
	u32 which = identity();

	return access(vp, EMUL_SGDT + which, forbids[which]);
}

static enum exit_action ldtr_tr_access(struct vp *vp, const struct exit_info *x)
{
	static const u64 forbids[] = {
		[IDENTITY_SLDT] = HV_NPIEP_SLDT, [IDENTITY_STR] = HV_NPIEP_STR, [IDENTITY_LTR] = 0
	};
	u32 which = identity();

	return access(vp, EMUL_SLDT + which, forbids[which]);
}

static const struct exit_module_row exits[] = {
	{ EXIT_REASON_GDTR_IDTR_ACCESS, { gdtr_idtr_access, 0, EXIT_CLASS_HANDLED, "gdtr-idtr" } },
	{ EXIT_REASON_LDTR_TR_ACCESS, { ldtr_tr_access, 0, EXIT_CLASS_HANDLED, "ldtr-tr" } },
};

static const struct msr_row msrs[] = {
	/* Manual: | - | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_NPIEP_CONFIG, "HV_X64_MSR_NPIEP_CONFIG"), .rsvdz = ~CONFIG_BITS,
	  .read = config_read, .write = config_write },
};

/*
 * Manual: a bit each makes SGDT, SIDT, SLDT or STR at CPL > 0 #GP(0). While one is set these and
 * LGDT, LIDT, LLDT and LTR exit at every CPL and are emulated; one with its operand outside RAM
 * is #UD. Not offered where the CPU lacks descriptor-table exiting
 */
const struct hv_feature hv_npiep_feature = {
	.name = "hv-npiep",
	.help = "the kernel forbids SGDT, SIDT, SLDT and STR in user mode",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.is_available = is_available,
	.bits = { HV_PRIVILEGES(.d = HV_FEATURE_NPIEP_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.exits = exits,
	.exit_count = ARRAY_SIZE(exits),
	.vp_state = &state,
	.vp_reset = npiep_reset,
};
