/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Hyper-V paravirtual ABI by the names that Linux gives it; lint:constants compares them with
 * the kernel's headers.
 *
 * Spec: Hypervisor Top Level Functional Specification (TLFS) 6.0b.
 */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* CPUID, relative to the block, which hv_register() places: TLFS "Feature and Interface Discovery" */
#define HYPERV_CPUID_VENDOR_AND_MAX_FUNCTIONS   0x0u
#define HYPERV_CPUID_INTERFACE                  0x1u
#define HYPERV_CPUID_VERSION                    0x2u
#define HYPERV_CPUID_FEATURES                   0x3u
#define HYPERV_CPUID_ENLIGHTMENT_INFO           0x4u
#define HYPERV_CPUID_IMPLEMENT_LIMITS           0x5u
#define HYPERV_CPUID_NESTED_FEATURES            0xau
#define HYPERV_INTERFACE_SIGNATURE              0x31237648u /* "Hv#1" */
#define HYPERV_VENDOR_CHARS                     12u

/* EAX of the features leaf: access to MSRs */
#define HV_MSR_VP_RUNTIME_AVAILABLE             BIT32(0)
#define HV_MSR_TIME_REF_COUNT_AVAILABLE         BIT32(1)
#define HV_MSR_SYNIC_AVAILABLE                  BIT32(2)
#define HV_MSR_SYNTIMER_AVAILABLE               BIT32(3)
#define HV_MSR_APIC_ACCESS_AVAILABLE            BIT32(4)
#define HV_MSR_HYPERCALL_AVAILABLE              BIT32(5)
#define HV_MSR_VP_INDEX_AVAILABLE               BIT32(6)
#define HV_MSR_RESET_AVAILABLE                  BIT32(7)
#define HV_MSR_REFERENCE_TSC_AVAILABLE          BIT32(9)
#define HV_MSR_GUEST_IDLE_AVAILABLE             BIT32(10)
#define HV_ACCESS_FREQUENCY_MSRS                BIT32(11)
#define HV_ACCESS_REENLIGHTENMENT               BIT32(13)
#define HV_ACCESS_TSC_INVARIANT                 BIT32(15)

/* EBX: access to hypercalls */
#define HV_POST_MESSAGES                        BIT32(4)
#define HV_SIGNAL_EVENTS                        BIT32(5)
#define HV_DEBUGGING                            BIT32(11)
#define HV_ACCESS_VP_REGISTERS                  BIT32(17)
#define HV_FAST_HYPERCALL_OUTPUT                BIT32(19)
#define HV_ENABLE_EXTENDED_HYPERCALLS           BIT32(20)
#define HV_START_VIRTUAL_PROCESSOR              BIT32(21)

/* EDX: other features */
#define HV_X64_GUEST_DEBUGGING_AVAILABLE        BIT32(1)
#define HV_X64_CPU_DYNAMIC_PARTITIONING_AVAILABLE BIT32(3)
#define HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE    BIT32(4)
#define HV_X64_GUEST_IDLE_STATE_AVAILABLE       BIT32(5)
#define HV_FEATURE_FREQUENCY_MSRS_AVAILABLE     BIT32(8)
#define HV_FEATURE_GUEST_CRASH_MSR_AVAILABLE    BIT32(10)
#define HV_FEATURE_DEBUG_MSRS_AVAILABLE         BIT32(11)
#define HV_FEATURE_NPIEP_AVAILABLE              BIT32(12)
#define HV_FEATURE_EXT_GVA_RANGES_FLUSH         BIT32(14)
#define HV_X64_HYPERCALL_XMM_OUTPUT_AVAILABLE   BIT32(15)
#define HV_SINT_POLLING_MODE_AVAILABLE          BIT32(17)
#define HV_FEATURE_HYPERCALL_MSR_LOCK_AVAILABLE BIT32(18)
#define HV_STIMER_DIRECT_MODE_AVAILABLE         BIT32(19)
#define HV_TIME_UNHALTED_TIMER_AVAILABLE        BIT32(23)

/* EAX of the recommendations leaf; EBX: how often to try before HVCALL_NOTIFY_LONG_SPIN_WAIT */
#define HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED     BIT32(2)
#define HV_X64_APIC_ACCESS_RECOMMENDED          BIT32(3)
#define HV_X64_RELAXED_TIMING_RECOMMENDED       BIT32(5)
#define HV_DEPRECATING_AEOI_RECOMMENDED         BIT32(9)
#define HV_X64_CLUSTER_IPI_RECOMMENDED          BIT32(10)
#define HV_X64_EX_PROCESSOR_MASKS_RECOMMENDED   BIT32(11)
#define HV_X64_NO_NONARCH_CORESHARING           BIT32(18)
#define HV_SPIN_NEVER_NOTIFY                    0xffffffffu

/* The limits leaf. */
#define HV_MAX_VPS_UNLIMITED                    0xffffffffu
#define HV_MAX_LPS                              64u

/* TLFS "Appendix: Architecture-Specific MSR Definitions" */
#define HV_X64_MSR_GUEST_OS_ID                  0x40000000u
#define HV_X64_MSR_HYPERCALL                    0x40000001u
#define HV_X64_MSR_VP_INDEX                     0x40000002u
#define HV_X64_MSR_RESET                        0x40000003u
#define HV_X64_MSR_VP_RUNTIME                   0x40000010u
#define HV_X64_MSR_TIME_REF_COUNT               0x40000020u
#define HV_X64_MSR_REFERENCE_TSC                0x40000021u
#define HV_X64_MSR_TSC_FREQUENCY                0x40000022u
#define HV_X64_MSR_APIC_FREQUENCY               0x40000023u
#define HV_X64_MSR_NPIEP_CONFIG                 0x40000040u
#define HV_X64_MSR_EOI                          0x40000070u
#define HV_X64_MSR_ICR                          0x40000071u
#define HV_X64_MSR_TPR                          0x40000072u
#define HV_X64_MSR_VP_ASSIST_PAGE               0x40000073u
#define HV_X64_MSR_SCONTROL                     0x40000080u
#define HV_X64_MSR_SVERSION                     0x40000081u
#define HV_X64_MSR_SIEFP                        0x40000082u
#define HV_X64_MSR_SIMP                         0x40000083u
#define HV_X64_MSR_EOM                          0x40000084u
#define HV_X64_MSR_SINT0                        0x40000090u
#define HV_X64_MSR_SINT15                       0x4000009fu
#define HV_X64_MSR_STIMER0_CONFIG               0x400000b0u
#define HV_X64_MSR_STIMER3_COUNT                0x400000b7u
#define HV_X64_MSR_GUEST_IDLE                   0x400000f0u
#define HV_X64_MSR_CRASH_P0                     0x40000100u
#define HV_X64_MSR_CRASH_P4                     0x40000104u
#define HV_X64_MSR_CRASH_CTL                    0x40000105u
#define HV_X64_MSR_REENLIGHTENMENT_CONTROL      0x40000106u
#define HV_X64_MSR_TSC_EMULATION_CONTROL        0x40000107u
#define HV_X64_MSR_TSC_EMULATION_STATUS         0x40000108u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG  0x40000114u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT   0x40000115u
#define HV_X64_MSR_TSC_INVARIANT_CONTROL        0x40000118u

/* MSRs that name a page */
#define HV_X64_MSR_HYPERCALL_ENABLE             BIT64(0)
#define HV_X64_MSR_HYPERCALL_LOCKED             BIT64(1)
#define HV_X64_MSR_VP_ASSIST_PAGE_ENABLE        BIT64(0)
#define HV_X64_MSR_TSC_REFERENCE_ENABLE         BIT64(0)
#define HV_MSR_PAGE_ADDRESS                     GENMASK64(63, 12)

#define HV_RESET_NOW                            1u
#define HV_NPIEP_SGDT                           BIT64(0)
#define HV_NPIEP_SIDT                           BIT64(1)
#define HV_NPIEP_SLDT                           BIT64(2)
#define HV_NPIEP_STR                            BIT64(3)
#define HV_CRASH_CTL_CRASH_NOTIFY_MSG           BIT64(62)
#define HV_CRASH_CTL_CRASH_NOTIFY               BIT64(63)
#define HV_REENLIGHTENMENT_VECTOR               GENMASK64(7, 0)
#define HV_REENLIGHTENMENT_ENABLED              BIT64(16)
#define HV_REENLIGHTENMENT_TARGET_VP            GENMASK64(63, 32)
#define HV_TSC_EMULATION_ENABLED                BIT64(0)
#define HV_TSC_EMULATION_IN_PROGRESS            BIT64(0)
#define HV_TSC_INVARIANT_ENABLED                BIT64(0)

/* TLFS "SynIC MSRs"; polling: "SynIC Enlightenments" */
#define HV_SYNIC_SINT_COUNT                     16u
#define HV_SYNIC_VERSION_1                      1u
#define HV_SYNIC_FIRST_VALID_VECTOR             16u
#define HV_SYNIC_CONTROL_ENABLE                 BIT64(0)
#define HV_SYNIC_SIMP_ENABLE                    BIT64(0)
#define HV_SYNIC_SIEFP_ENABLE                   BIT64(0)
#define HV_SYNIC_SINT_VECTOR_MASK               GENMASK64(7, 0)
#define HV_SYNIC_SINT_MASKED                    BIT64(16)
#define HV_SYNIC_SINT_AUTO_EOI                  BIT64(17)
#define HV_SYNIC_SINT_POLLING                   BIT64(18)
#define HV_MESSAGE_PAYLOAD_BYTE_COUNT           240u
#define HV_MESSAGE_PAYLOAD_QWORD_COUNT          30u
#define HVMSG_TIMER_EXPIRED                     0x80000010u
#define HV_MESSAGE_TYPE_HYPERVISOR              BIT32(31) /* not for the guest to send */
#define HV_MESSAGE_PENDING                      1u /* hv_message_header.message_flags */
#define HV_EVENT_FLAGS_COUNT                    2048u
#define HV_CONNECTION_ID                        GENMASK32(23, 0)

/* TLFS "Synthetic Timer Configuration Register" */
#define HV_STIMER_ENABLE                        BIT32(0)
#define HV_STIMER_PERIODIC                      BIT32(1)
#define HV_STIMER_LAZY                          BIT32(2)
#define HV_STIMER_AUTO_ENABLE                   BIT32(3)
#define HV_STIMER_VECTOR                        GENMASK32(11, 4)
#define HV_STIMER_DIRECT                        BIT32(12)
#define HV_STIMER_SINT                          GENMASK32(19, 16)
#define HV_STIMER_CONFIG                        (GENMASK32(12, 0) | HV_STIMER_SINT) /* not reserved */

/* TLFS "Synthetic Time-Unhalted Timer Configuration Register" */
#define HV_UNHALTED_TIMER_VECTOR                GENMASK64(7, 0)
#define HV_UNHALTED_TIMER_ENABLED               BIT64(8)

/* TLFS "Appendix: Hypercall Code Reference" */
#define HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE      0x0002u
#define HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST       0x0003u
#define HVCALL_GET_LOGICAL_PROCESSOR_RUN_TIME   0x0004u
#define HVCALL_NOTIFY_LONG_SPIN_WAIT            0x0008u
#define HVCALL_INVOKE_HYPERVISOR_DEBUGGER       0x000au
#define HVCALL_SEND_IPI                         0x000bu
#define HVCALL_MODIFY_VTL_PROTECTION_MASK       0x000cu
#define HVCALL_ENABLE_PARTITION_VTL             0x000du
#define HVCALL_DISABLE_PARTITION_VTL            0x000eu
#define HVCALL_ENABLE_VP_VTL                    0x000fu
#define HVCALL_DISABLE_VP_VTL                   0x0010u
#define HVCALL_VTL_CALL                         0x0011u
#define HVCALL_VTL_RETURN                       0x0012u
#define HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX   0x0013u
#define HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX    0x0014u
#define HVCALL_SEND_IPI_EX                      0x0015u
#define HVCALL_GET_PARTITION_ID                 0x0046u
#define HVCALL_GET_VP_REGISTERS                 0x0050u
#define HVCALL_SET_VP_REGISTERS                 0x0051u
#define HVCALL_TRANSLATE_VIRTUAL_ADDRESS        0x0052u
#define HVCALL_POST_MESSAGE                     0x005cu
#define HVCALL_SIGNAL_EVENT                     0x005du
#define HVCALL_POST_DEBUG_DATA                  0x0069u
#define HVCALL_RETRIEVE_DEBUG_DATA              0x006au
#define HVCALL_RESET_DEBUG_SESSION              0x006bu
#define HVCALL_START_VP                         0x0099u
#define HVCALL_GET_VP_INDEX_FROM_APIC_ID        0x009au
#define HV_EXT_CALL_QUERY_CAPABILITIES          0x8001u
#define HV_EXT_CALL_GET_BOOT_ZEROED_MEMORY      0x8002u

/* TLFS "Appendix: Hypercall Status Code Reference" */
#define HV_STATUS_SUCCESS                       0x00u
#define HV_STATUS_INVALID_HYPERCALL_CODE        0x02u
#define HV_STATUS_INVALID_HYPERCALL_INPUT       0x03u
#define HV_STATUS_INVALID_ALIGNMENT             0x04u
#define HV_STATUS_INVALID_PARAMETER             0x05u
#define HV_STATUS_ACCESS_DENIED                 0x06u
#define HV_STATUS_OPERATION_DENIED              0x08u
#define HV_STATUS_INVALID_PARTITION_ID          0x0du
#define HV_STATUS_INVALID_VP_INDEX              0x0eu
#define HV_STATUS_INVALID_PORT_ID               0x11u
#define HV_STATUS_INVALID_CONNECTION_ID         0x12u
#define HV_STATUS_INSUFFICIENT_BUFFERS          0x13u
#define HV_STATUS_INVALID_VP_STATE              0x15u
#define HV_STATUS_INVALID_SYNIC_STATE           0x18u
#define HV_STATUS_INVALID_REGISTER_VALUE        0x50u
#define HV_STATUS_UNKNOWN_REGISTER_NAME         0x87u

#define HV_FLUSH_ALL_PROCESSORS                 BIT64(0)
#define HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES     BIT64(1)
#define HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY       BIT64(2)
#define HV_FLUSH_USE_EXTENDED_RANGE_FORMAT      BIT64(3)
#define HV_IPI_LOW_VECTOR                       0x10u
#define HV_IPI_HIGH_VECTOR                      0xffu
#define HV_PARTITION_ID_SELF                    0xffffffffffffffffull
#define HV_VP_INDEX_SELF                        0xfffffffeu
#define HV_GENERIC_SET_SPARSE_4K                0u
#define HV_GENERIC_SET_ALL                      1u

/* clang-format on */

/* The reference TSC page: TLFS "Partition Reference TSC Mechanism". */
struct ms_hyperv_tsc_page {
	u32 tsc_sequence; /* 0: use the MSR */
	u32 reserved1;
	u64 tsc_scale;  /* 64.64 fraction: its upper half is 0 */
	s64 tsc_offset; /* 100 ns */
};

#define HV_ASSIST_UNHALTED_TIMER_EXPIRED 56u /* a byte behind the structure */

/* The VP assist page, as far as it is used: TLFS "Virtual Processor Assist Page". */
struct hv_vp_assist_page {
	u32 apic_assist; /* bit 0: no EOI required */
	u32 reserved1;
	u64 vtl_control[3];
	u64 nested_control;
	u8 enlighten_vmentry;
	u8 reserved2[7];
	u64 current_nested_vmcs; /* GPA */
};

/* A sparse set of VPs; the banks are the variable header of the call: TLFS "Virtual Processor
 * Sets". */
struct hv_vpset {
	u64 format;
	u64 valid_bank_mask;
};

/* HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, _LIST */
struct hv_tlb_flush {
	u64 address_space;
	u64 flags;
	u64 processor_mask;
};

/* ..._SPACE_EX, _LIST_EX */
struct hv_tlb_flush_ex {
	u64 address_space;
	u64 flags;
	struct hv_vpset hv_vp_set;
};

struct hv_send_ipi {
	u32 vector;
	u32 reserved; /* byte 0: the target VTL */
	u64 cpu_mask;
};

struct hv_send_ipi_ex {
	u32 vector;
	u32 reserved;
	struct hv_vpset vp_set;
};

/* TLFS "HV_MESSAGE": what is in a slot of the SynIC's message page. */
struct hv_message_header {
	u32 message_type; /* 0: the slot is empty */
	u8 payload_size;  /* bytes */
	u8 message_flags;
	u8 reserved[2];
	u64 sender; /* a port's ID; 0: a timer */
};

struct hv_message {
	struct hv_message_header header;
	union {
		u64 payload[HV_MESSAGE_PAYLOAD_QWORD_COUNT];
	} u;
};

struct hv_message_page {
	struct hv_message sint_message[HV_SYNIC_SINT_COUNT];
};

/* Payload of HVMSG_TIMER_EXPIRED: TLFS "HV_TIMER_MESSAGE_PAYLOAD". */
struct hv_timer_message_payload {
	u32 timer_index;
	u32 reserved;
	u64 expiration_time; /* reference time */
	u64 delivery_time;
};

/* HVCALL_POST_MESSAGE */
struct hv_input_post_message {
	u32 connectionid;
	u32 reserved;
	u32 message_type;
	u32 payload_size;
	u64 payload[HV_MESSAGE_PAYLOAD_QWORD_COUNT];
};
static_assert(sizeof(struct hv_input_post_message) == 256, "TLFS");

/* TLFS "HV_X64_SEGMENT_REGISTER" */
struct hv_x64_segment_register {
	u64 base;
	u32 limit;
	u16 selector;
	u16 attributes;
};

struct hv_x64_table_register {
	u16 pad[3];
	u16 limit;
	u64 base;
};

/* TLFS "HV_INITIAL_VP_CONTEXT" */
struct hv_init_vp_context {
	u64 rip;
	u64 rsp;
	u64 rflags;
	struct hv_x64_segment_register cs, ds, es, fs, gs, ss, tr, ldtr;
	struct hv_x64_table_register idtr, gdtr;
	u64 efer, cr0, cr3, cr4, msr_cr_pat;
};
static_assert(sizeof(struct hv_init_vp_context) == 224, "TLFS");
