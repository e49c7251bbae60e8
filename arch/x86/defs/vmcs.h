/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCS field encodings, control bits and field layouts; field encodings work in .S files too. */
#pragma once

#include "core/lib/bits.h"

#ifdef __ASSEMBLER__

/* Absolute symbols, one per field: $VMCS_HOST_RSP is an immediate. */
#define X(name, encoding, width, class) .set VMCS_##name, encoding;
#include "arch/x86/defs/vmcs_fields.def"

#else

enum vmcs_field {
#define X(name, encoding, width, class) VMCS_##name = (encoding),
#include "arch/x86/defs/vmcs_fields.def"
};

/* Values of the width and class parts of an encoding. */
enum vmcs_width { VMCS_WIDTH_U16, VMCS_WIDTH_U64, VMCS_WIDTH_U32, VMCS_WIDTH_NAT };
enum vmcs_class { VMCS_CLASS_CTL, VMCS_CLASS_RO, VMCS_CLASS_GUEST, VMCS_CLASS_HOST };

/* Field encoding: SDM Vol. 3C, "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
#define VMCS_FIELD_HIGH     BIT32(0)
#define VMCS_FIELD_INDEX    GENMASK32(9, 1)
#define VMCS_FIELD_CLASS    GENMASK32(11, 10)
#define VMCS_FIELD_WIDTH    GENMASK32(14, 13)
#define VMCS_FIELD_RESERVED (GENMASK32(31, 15) | BIT32(12))

/* @seg: enum segment_register. */
static inline enum vmcs_field vmcs_segment_field(enum vmcs_field es, u32 seg)
{
	return (enum vmcs_field)(es + 2 * seg);
}

static inline enum vmcs_width vmcs_field_width(u32 encoding)
{
	return (enum vmcs_width)FIELD_GET(VMCS_FIELD_WIDTH, encoding);
}

static inline enum vmcs_class vmcs_field_class(u32 encoding)
{
	return (enum vmcs_class)FIELD_GET(VMCS_FIELD_CLASS, encoding);
}

/* Every row of the table agrees with its own encoding. */
#define X(name, encoding, width, class)                                                    \
	static_assert(FIELD_GET(VMCS_FIELD_WIDTH, encoding) == VMCS_WIDTH_##width &&       \
			      FIELD_GET(VMCS_FIELD_CLASS, encoding) == VMCS_CLASS_##class, \
		      #name);
#include "arch/x86/defs/vmcs_fields.def"

/* First dword of a VMCS region. */
#define VMCS_REVISION_ID GENMASK32(30, 0)
#define VMCS_SHADOW      BIT32(31)

#define VMCS_LINK_POINTER_NONE GENMASK64(63, 0)

/* clang-format off */

/* Pin-based VM-execution controls */
#define PIN_EXTERNAL_INTERRUPT_EXITING  BIT32(0)
#define PIN_NMI_EXITING                 BIT32(3)
#define PIN_VIRTUAL_NMIS                BIT32(5)
#define PIN_PREEMPTION_TIMER            BIT32(6)
#define PIN_POSTED_INTERRUPTS           BIT32(7)

#define TPR_THRESHOLD_CLASS GENMASK32(3, 0) /* SDM "TPR Threshold" */

/* Primary processor-based VM-execution controls */
#define PROC_INTERRUPT_WINDOW_EXITING   BIT32(2)
#define PROC_USE_TSC_OFFSETTING         BIT32(3)
#define PROC_HLT_EXITING                BIT32(7)
#define PROC_INVLPG_EXITING             BIT32(9)
#define PROC_MWAIT_EXITING              BIT32(10)
#define PROC_RDPMC_EXITING              BIT32(11)
#define PROC_RDTSC_EXITING              BIT32(12)
#define PROC_CR3_LOAD_EXITING           BIT32(15)
#define PROC_CR3_STORE_EXITING          BIT32(16)
#define PROC_ACTIVATE_TERTIARY          BIT32(17)
#define PROC_CR8_LOAD_EXITING           BIT32(19)
#define PROC_CR8_STORE_EXITING          BIT32(20)
#define PROC_USE_TPR_SHADOW             BIT32(21)
#define PROC_NMI_WINDOW_EXITING         BIT32(22)
#define PROC_MOV_DR_EXITING             BIT32(23)
#define PROC_UNCONDITIONAL_IO_EXITING   BIT32(24)
#define PROC_USE_IO_BITMAPS             BIT32(25)
#define PROC_MONITOR_TRAP_FLAG          BIT32(27)
#define PROC_USE_MSR_BITMAPS            BIT32(28)
#define PROC_MONITOR_EXITING            BIT32(29)
#define PROC_PAUSE_EXITING              BIT32(30)
#define PROC_ACTIVATE_SECONDARY         BIT32(31)

/* Secondary processor-based VM-execution controls */
#define PROC2_VIRTUALIZE_APIC_ACCESSES  BIT32(0)
#define PROC2_ENABLE_EPT                BIT32(1)
#define PROC2_DESCRIPTOR_TABLE_EXITING  BIT32(2)
#define PROC2_ENABLE_RDTSCP             BIT32(3)
#define PROC2_VIRTUALIZE_X2APIC_MODE    BIT32(4)
#define PROC2_ENABLE_VPID               BIT32(5)
#define PROC2_WBINVD_EXITING            BIT32(6)
#define PROC2_UNRESTRICTED_GUEST        BIT32(7)
#define PROC2_APIC_REGISTER_VIRT        BIT32(8)
#define PROC2_VIRTUAL_INTR_DELIVERY     BIT32(9)
#define PROC2_PAUSE_LOOP_EXITING        BIT32(10)
#define PROC2_RDRAND_EXITING            BIT32(11)
#define PROC2_ENABLE_INVPCID            BIT32(12)
#define PROC2_ENABLE_VM_FUNCTIONS       BIT32(13)
#define PROC2_VMCS_SHADOWING            BIT32(14)
#define PROC2_ENCLS_EXITING             BIT32(15)
#define PROC2_RDSEED_EXITING            BIT32(16)
#define PROC2_ENABLE_PML                BIT32(17)
#define PROC2_EPT_VIOLATION_VE          BIT32(18)
#define PROC2_CONCEAL_VMX_FROM_PT       BIT32(19)
#define PROC2_ENABLE_XSAVES             BIT32(20)
#define PROC2_PASID_TRANSLATION         BIT32(21)
#define PROC2_MODE_BASED_EXECUTE        BIT32(22)
#define PROC2_SUB_PAGE_WRITE            BIT32(23)
#define PROC2_PT_USES_GPA               BIT32(24)
#define PROC2_USE_TSC_SCALING           BIT32(25)
#define PROC2_ENABLE_USER_WAIT_PAUSE    BIT32(26)
#define PROC2_ENABLE_PCONFIG            BIT32(27)
#define PROC2_ENCLV_EXITING             BIT32(28)
#define PROC2_BUS_LOCK_DETECTION        BIT32(30)
#define PROC2_NOTIFICATION_EXITING      BIT32(31)       /* SDM: "instruction timeout" */

/* Tertiary processor-based VM-execution controls (64 bits, all allowed to be 0) */
#define PROC3_LOADIWKEY_EXITING         BIT64(0)
#define PROC3_ENABLE_HLAT               BIT64(1)
#define PROC3_EPT_PAGING_WRITE          BIT64(2)
#define PROC3_GUEST_PAGING_VERIFICATION BIT64(3)
#define PROC3_IPI_VIRTUALIZATION        BIT64(4)
#define PROC3_ENABLE_MSR_LIST           BIT64(6)
#define PROC3_VIRTUALIZE_SPEC_CTRL      BIT64(7)

/* VM-exit controls */
#define EXIT_CTL_SAVE_DEBUG             BIT32(2)
#define EXIT_CTL_HOST_64                BIT32(9)
#define EXIT_CTL_LOAD_PERF_GLOBAL_CTRL  BIT32(12)
#define EXIT_CTL_ACK_INTERRUPT          BIT32(15)
#define EXIT_CTL_SAVE_PAT               BIT32(18)
#define EXIT_CTL_LOAD_PAT               BIT32(19)
#define EXIT_CTL_SAVE_EFER              BIT32(20)
#define EXIT_CTL_LOAD_EFER              BIT32(21)
#define EXIT_CTL_SAVE_PREEMPTION_TIMER  BIT32(22)
#define EXIT_CTL_CLEAR_BNDCFGS          BIT32(23)
#define EXIT_CTL_CONCEAL_VMX_FROM_PT    BIT32(24)
#define EXIT_CTL_CLEAR_RTIT_CTL         BIT32(25)
#define EXIT_CTL_CLEAR_LBR_CTL          BIT32(26)
#define EXIT_CTL_CLEAR_UINV             BIT32(27)
#define EXIT_CTL_LOAD_CET               BIT32(28)
#define EXIT_CTL_LOAD_PKRS              BIT32(29)
#define EXIT_CTL_SAVE_PERF_GLOBAL_CTRL  BIT32(30)
#define EXIT_CTL_ACTIVATE_SECONDARY     BIT32(31)

/* VM-entry controls */
#define ENTRY_CTL_LOAD_DEBUG            BIT32(2)
#define ENTRY_CTL_IA32E_GUEST           BIT32(9)
#define ENTRY_CTL_ENTRY_TO_SMM          BIT32(10)
#define ENTRY_CTL_DEACTIVATE_DUAL_MON   BIT32(11)
#define ENTRY_CTL_LOAD_PERF_GLOBAL_CTRL BIT32(13)
#define ENTRY_CTL_LOAD_PAT              BIT32(14)
#define ENTRY_CTL_LOAD_EFER             BIT32(15)
#define ENTRY_CTL_LOAD_BNDCFGS          BIT32(16)
#define ENTRY_CTL_CONCEAL_VMX_FROM_PT   BIT32(17)
#define ENTRY_CTL_LOAD_RTIT_CTL         BIT32(18)
#define ENTRY_CTL_LOAD_UINV             BIT32(19)
#define ENTRY_CTL_LOAD_CET              BIT32(20)
#define ENTRY_CTL_LOAD_LBR_CTL          BIT32(21)
#define ENTRY_CTL_LOAD_PKRS             BIT32(22)

/* VM_FUNCTION_CTLS */
#define VM_FUNCTION_EPTP_SWITCHING      BIT64(0)

/*
 * Interruption information: VM-entry, VM-exit and IDT-vectoring share the layout.
 * Bit 12 means "NMI unblocking due to IRET" in VM-exit information only.
 */
#define INTR_INFO_VECTOR                GENMASK32(7, 0)
#define INTR_INFO_TYPE                  GENMASK32(10, 8)
#define INTR_INFO_ERROR_CODE_VALID      BIT32(11)
#define INTR_INFO_NMI_UNBLOCKING_IRET   BIT32(12)
#define INTR_INFO_VALID                 BIT32(31)

enum intr_type {
	INTR_TYPE_EXTERNAL            = 0,
	INTR_TYPE_RESERVED            = 1,
	INTR_TYPE_NMI                 = 2,
	INTR_TYPE_HARD_EXCEPTION      = 3,
	INTR_TYPE_SOFT_INT            = 4,      /* INT n */
	INTR_TYPE_PRIV_SOFT_EXCEPTION = 5,      /* INT1 */
	INTR_TYPE_SOFT_EXCEPTION      = 6,      /* INT3, INTO */
	INTR_TYPE_OTHER               = 7,      /* VM entry: pending MTF VM exit, vector 0 */
};

/* Guest interruptibility state */
#define GUEST_INTR_BLOCKED_BY_STI       BIT32(0)
#define GUEST_INTR_BLOCKED_BY_MOV_SS    BIT32(1)
#define GUEST_INTR_BLOCKED_BY_SMI       BIT32(2)
#define GUEST_INTR_BLOCKED_BY_NMI       BIT32(3)
#define GUEST_INTR_ENCLAVE_INTERRUPTION BIT32(4)
#define GUEST_INTR_RESERVED             GENMASK32(31, 5)

/* Guest activity state */
#define ACTIVITY_ACTIVE                 0u
#define ACTIVITY_HLT                    1u
#define ACTIVITY_SHUTDOWN               2u
#define ACTIVITY_WAIT_SIPI              3u

/* Guest pending debug exceptions */
#define PENDING_DBG_B0_B3               GENMASK64(3, 0)
#define PENDING_DBG_BLD                 BIT64(11)       /* inverse of DR6: 1 = bus lock */
#define PENDING_DBG_ENABLED_BP          BIT64(12)
#define PENDING_DBG_BS                  BIT64(14)
#define PENDING_DBG_RTM                 BIT64(16)

/* GUEST_INTERRUPT_STATUS */
#define INTR_STATUS_RVI                 GENMASK32(7, 0)
#define INTR_STATUS_SVI                 GENMASK32(15, 8)

/* Segment access rights */
#define AR_TYPE                         GENMASK32(3, 0)
#define AR_S                            BIT32(4)
#define AR_DPL                          GENMASK32(6, 5)
#define AR_P                            BIT32(7)
#define AR_AVL                          BIT32(12)
#define AR_L                            BIT32(13)
#define AR_DB                           BIT32(14)
#define AR_G                            BIT32(15)
#define AR_UNUSABLE                     BIT32(16)
#define AR_RESERVED                     (GENMASK32(31, 17) | GENMASK32(11, 8))

/* AR_TYPE bits of code and data segments (S = 1) */
#define AR_TYPE_ACCESSED                BIT32(0)
#define AR_TYPE_WRITABLE                BIT32(1)        /* data */
#define AR_TYPE_READABLE                BIT32(1)        /* code */
#define AR_TYPE_EXPAND_DOWN             BIT32(2)        /* data */
#define AR_TYPE_CONFORMING              BIT32(2)        /* code */
#define AR_TYPE_CODE                    BIT32(3)

/* AR_TYPE values of system segments (S = 0) */
#define AR_TYPE_TSS16_BUSY              0x3u
#define AR_TYPE_LDT                     0x2u
#define AR_TYPE_TSS_BUSY                0xbu            /* 32-bit and 64-bit */

/* X(name, number, "text"): SDM Vol. 3C, "VM Instruction Error Numbers". */
#define VM_INSTRUCTION_ERRORS(X)                                                                   \
	X(VMCALL_IN_ROOT,                  1, "VMCALL executed in VMX root operation")             \
	X(VMCLEAR_INVALID_ADDRESS,         2, "VMCLEAR with invalid physical address")             \
	X(VMCLEAR_VMXON_POINTER,           3, "VMCLEAR with VMXON pointer")                        \
	X(VMLAUNCH_NON_CLEAR_VMCS,         4, "VMLAUNCH with non-clear VMCS")                      \
	X(VMRESUME_NON_LAUNCHED_VMCS,      5, "VMRESUME with non-launched VMCS")                   \
	X(VMRESUME_AFTER_VMXOFF,           6, "VMRESUME after VMXOFF")                             \
	X(ENTRY_INVALID_CONTROL,           7, "VM entry with invalid control field")               \
	X(ENTRY_INVALID_HOST_STATE,        8, "VM entry with invalid host-state field")            \
	X(VMPTRLD_INVALID_ADDRESS,         9, "VMPTRLD with invalid physical address")             \
	X(VMPTRLD_VMXON_POINTER,          10, "VMPTRLD with VMXON pointer")                        \
	X(VMPTRLD_INCORRECT_REVISION,     11, "VMPTRLD with incorrect VMCS revision identifier")   \
	X(UNSUPPORTED_COMPONENT,          12, "VMREAD or VMWRITE of unsupported VMCS component")   \
	X(VMWRITE_READ_ONLY_COMPONENT,    13, "VMWRITE to read-only VMCS component")               \
	X(VMXON_IN_ROOT,                  15, "VMXON executed in VMX root operation")              \
	X(ENTRY_INVALID_EXECUTIVE_VMCS,   16, "VM entry with invalid executive-VMCS pointer")      \
	X(ENTRY_NON_LAUNCHED_EXECUTIVE,   17, "VM entry with non-launched executive VMCS")         \
	X(ENTRY_EXECUTIVE_NOT_VMXON,      18, "VM entry, executive-VMCS pointer not VMXON pointer")\
	X(VMCALL_NON_CLEAR_VMCS,          19, "VMCALL with non-clear VMCS")                        \
	X(VMCALL_INVALID_EXIT_CTLS,       20, "VMCALL with invalid VM-exit control fields")        \
	X(VMCALL_INCORRECT_MSEG_REVISION, 22, "VMCALL with incorrect MSEG revision identifier")    \
	X(VMXOFF_UNDER_DUAL_MONITOR,      23, "VMXOFF under dual-monitor treatment")               \
	X(VMCALL_INVALID_SMM_FEATURES,    24, "VMCALL with invalid SMM-monitor features")          \
	X(ENTRY_INVALID_EXECUTIVE_CTLS,   25, "VM entry with invalid controls in executive VMCS")  \
	X(ENTRY_EVENTS_BLOCKED_BY_MOV_SS, 26, "VM entry with events blocked by MOV SS")            \
	X(INVALID_INVEPT_INVVPID_OPERAND, 28, "invalid operand to INVEPT/INVVPID")

enum vm_instruction_error {
	VM_ERROR_NONE = 0,
#define VM_INSTRUCTION_ERROR_ENUM(name, number, text) VM_ERROR_##name = (number),
	VM_INSTRUCTION_ERRORS(VM_INSTRUCTION_ERROR_ENUM)
#undef VM_INSTRUCTION_ERROR_ENUM
};

/* clang-format on */

/* vmcs_instruction_error_name() - the SDM's sentence for VM_INSTRUCTION_ERROR. */
static inline const char *vmcs_instruction_error_name(u32 number)
{
	switch (number) {
#define VM_INSTRUCTION_ERROR_CASE(name, nr, text) \
	case nr:                                  \
		return text;
		VM_INSTRUCTION_ERRORS(VM_INSTRUCTION_ERROR_CASE)
#undef VM_INSTRUCTION_ERROR_CASE
	default: /* a number from hardware, not an enum */
		return "?";
	}
}

/* Why VM entry failed late (exit reasons 33 and 34): exit qualification. */
#define ENTRY_FAILURE_QUAL_PDPTE        2u
#define ENTRY_FAILURE_QUAL_NMI          3u
#define ENTRY_FAILURE_QUAL_LINK_POINTER 4u

#endif /* __ASSEMBLER__ */
