/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of VPs as the TLFS names them, and the calls that take them. Linux' user headers have
 * none of these.
 *
 * Spec: TLFS "Virtual Processor Register Names", "HvCallGetVpRegisters", "HvCallSetVpRegisters",
 *       "HvCallTranslateVirtualAddress", "HvCallStartVirtualProcessor",
 *       "HvCallGetVpIndexFromApicId".
 */
#pragma once

#include "hv/hyperv/hyperv_abi.h"

/* clang-format off */

#define HV_REGISTER_HYPERVISOR_VERSION          0x00000100u
#define HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO 0x00000200u /* then features, limits, hardware */
#define HV_REGISTER_CRASH_P0                    0x00000210u /* to P4, then CTL */
#define HV_REGISTER_PENDING_INTERRUPTION        0x00010002u
#define HV_REGISTER_INTERRUPT_STATE             0x00010003u
#define HV_X64_REGISTER_RAX                     0x00020000u /* and on, by instruction encoding */
#define HV_X64_REGISTER_RIP                     0x00020010u
#define HV_X64_REGISTER_RFLAGS                  0x00020011u
#define HV_X64_REGISTER_XMM0                    0x00030000u /* to XMM15 */
#define HV_X64_REGISTER_CR0                     0x00040000u
#define HV_X64_REGISTER_CR2                     0x00040001u
#define HV_X64_REGISTER_CR3                     0x00040002u
#define HV_X64_REGISTER_CR4                     0x00040003u
#define HV_X64_REGISTER_CR8                     0x00040004u
#define HV_X64_REGISTER_XFEM                    0x00040005u
#define HV_X64_REGISTER_DR0                     0x00050000u /* to DR3 */
#define HV_X64_REGISTER_DR6                     0x00050004u /* and DR7 */
#define HV_X64_REGISTER_ES                      0x00060000u /* CS, SS, DS, FS, GS, LDTR, TR */
#define HV_X64_REGISTER_CS                      0x00060001u
#define HV_X64_REGISTER_SS                      0x00060002u
#define HV_X64_REGISTER_DS                      0x00060003u
#define HV_X64_REGISTER_FS                      0x00060004u
#define HV_X64_REGISTER_GS                      0x00060005u
#define HV_X64_REGISTER_LDTR                    0x00060006u
#define HV_X64_REGISTER_TR                      0x00060007u
#define HV_X64_REGISTER_IDTR                    0x00070000u
#define HV_X64_REGISTER_GDTR                    0x00070001u
#define HV_X64_REGISTER_TSC                     0x00080000u
#define HV_X64_REGISTER_EFER                    0x00080001u
#define HV_X64_REGISTER_KERNEL_GS_BASE          0x00080002u
#define HV_X64_REGISTER_APIC_BASE               0x00080003u
#define HV_X64_REGISTER_PAT                     0x00080004u
#define HV_X64_REGISTER_SYSENTER_CS             0x00080005u
#define HV_X64_REGISTER_SYSENTER_EIP            0x00080006u
#define HV_X64_REGISTER_SYSENTER_ESP            0x00080007u
#define HV_X64_REGISTER_STAR                    0x00080008u /* LSTAR, CSTAR, SFMASK */
#define HV_X64_REGISTER_MTRR_CAP                0x0008000du
#define HV_X64_REGISTER_MTRR_DEF_TYPE           0x0008000eu
#define HV_X64_REGISTER_MTRR_PHYS_BASE0         0x00080010u /* to 15 */
#define HV_X64_REGISTER_MTRR_PHYS_MASK0         0x00080040u /* to 15 */
#define HV_X64_REGISTER_MTRR_FIX64K00000        0x00080070u
#define HV_X64_REGISTER_MTRR_FIX16K80000        0x00080071u /* and A0000 */
#define HV_X64_REGISTER_MTRR_FIX4KC0000         0x00080073u /* to F8000 */
#define HV_X64_REGISTER_TSC_AUX                 0x0008007bu
#define HV_REGISTER_VP_RUNTIME                  0x00090000u
#define HV_X64_REGISTER_HYPERCALL               0x00090001u
#define HV_REGISTER_GUEST_OSID                  0x00090002u
#define HV_REGISTER_VP_INDEX                    0x00090003u
#define HV_REGISTER_TIME_REF_COUNT              0x00090004u
#define HV_X64_REGISTER_EOI                     0x00090010u /* ICR, TPR */
#define HV_REGISTER_VP_ASSIST_PAGE              0x00090013u
#define HV_REGISTER_REFERENCE_TSC               0x00090017u
#define HV_REGISTER_SINT0                       0x000a0000u /* to SINT15 */
#define HV_REGISTER_SCONTROL                    0x000a0010u /* SVERSION, SIEFP, SIMP, EOM */
#define HV_REGISTER_STIMER0_CONFIG              0x000b0000u /* its count, the other timers' */
#define HV_REGISTER_STIME_UNHALTED_TIMER_CONFIG 0x000b0100u /* and its count */

/* HV_REGISTER_PENDING_INTERRUPTION */
#define HV_X64_PENDING_INTERRUPTION             BIT64(0)
#define HV_X64_PENDING_TYPE                     GENMASK64(3, 1)
#define HV_X64_PENDING_HAS_ERROR                BIT64(4)
#define HV_X64_PENDING_VECTOR                   GENMASK64(31, 16)
#define HV_X64_PENDING_ERROR                    GENMASK64(63, 32)

/* HV_REGISTER_INTERRUPT_STATE */
#define HV_X64_INTERRUPT_SHADOW                 BIT64(0)
#define HV_X64_NMI_MASKED                       BIT64(1)

/* HV_INPUT_VTL */
#define HV_INPUT_VTL_TARGET                     0x0fu
#define HV_INPUT_VTL_USE_TARGET                 0x10u
#define HV_INPUT_VTL_RESERVED                   0xe0u

/* HV_TRANSLATE_GVA_CONTROL_FLAGS */
#define HV_TRANSLATE_GVA_VALIDATE_READ          BIT64(0)
#define HV_TRANSLATE_GVA_VALIDATE_WRITE         BIT64(1)
#define HV_TRANSLATE_GVA_VALIDATE_EXECUTE       BIT64(2)
#define HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT       BIT64(3)
#define HV_TRANSLATE_GVA_INPUT_VTL              GENMASK64(63, 56)

/* HV_TRANSLATE_GVA_RESULT_CODE */
#define HV_TRANSLATE_GVA_SUCCESS                0u
#define HV_TRANSLATE_GVA_PAGE_NOT_PRESENT       1u
#define HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION    2u
#define HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS 3u
#define HV_TRANSLATE_GVA_GPA_UNMAPPED           4u
#define HV_TRANSLATE_GVA_GPA_NO_WRITE_ACCESS    6u
#define HV_TRANSLATE_GVA_ILLEGAL_OVERLAY_ACCESS 7u

/* The cache type is in bits 7:0. */
#define HV_TRANSLATE_GVA_OVERLAY_PAGE           BIT32(8)

/* clang-format on */

union hv_register_value {
	struct {
		u64 low, high;
	};
	struct hv_x64_segment_register segment;
	struct hv_x64_table_register table;
};
static_assert(sizeof(union hv_register_value) == 16, "TLFS");

struct hv_vp_registers {
	u64 partition_id;
	u32 vp_index;
	u8 input_vtl;
	u8 padding[3];
};
static_assert(sizeof(struct hv_vp_registers) == 16, "TLFS");

struct hv_register_assoc {
	u32 name;
	u32 reserved[3];
	union hv_register_value value;
};
static_assert(sizeof(struct hv_register_assoc) == 32, "TLFS");

struct hv_translate_virtual_address {
	u64 partition_id;
	u32 vp_index;
	u32 reserved;
	u64 control_flags;
	u64 gva_page;
};
static_assert(sizeof(struct hv_translate_virtual_address) == 32, "TLFS");

struct hv_translate_virtual_address_out {
	u32 result;
	u32 flags;
	u64 gpa_page;
};
static_assert(sizeof(struct hv_translate_virtual_address_out) == 16, "TLFS");

struct hv_start_virtual_processor {
	u64 partition_id;
	u32 vp_index;
	u8 target_vtl;
	u8 padding[3];
	struct hv_init_vp_context context;
};
static_assert(sizeof(struct hv_start_virtual_processor) == 240, "TLFS");

/*
 * SPEC-GAP: the TLFS has list elements of 8 bytes here, an APIC ID and padding, and indices alike.
 * Linux (hv_vtl.c) and OpenVMM, which call and implement it, pack u32: as the hypervisor does.
 */
struct hv_get_vp_index_from_apic_id {
	u64 partition_id;
	u8 target_vtl;
	u8 padding[7];
};
static_assert(sizeof(struct hv_get_vp_index_from_apic_id) == 16, "TLFS");
