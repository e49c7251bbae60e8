/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic debugger. Linux' headers have none of these.
 *
 * Spec: none: the TLFS names only the privileges. Names and values are those of KVM
 *       (arch/x86/kvm/hyperv.h) and QEMU (hyperv-proto.h).
 */
#pragma once

#include "hv/hyperv/hyperv_abi.h"

/* clang-format off */

/* CPUID, relative to the block: "Microsoft VS", "VS#1", what is allowed */
#define HYPERV_CPUID_SYNDBG_VENDOR_AND_MAX_FUNCTIONS 0x80u
#define HYPERV_CPUID_SYNDBG_INTERFACE           0x81u
#define HYPERV_CPUID_SYNDBG_PLATFORM_CAPABILITIES 0x82u
#define HV_SYNDBG_VENDOR_B                      0x7263694du
#define HV_SYNDBG_VENDOR_C                      0x666f736fu
#define HV_SYNDBG_VENDOR_D                      0x53562074u
#define HV_SYNDBG_INTERFACE_SIGNATURE           0x31235356u
#define HV_X64_SYNDBG_CAP_ALLOW_KERNEL_DEBUGGING BIT32(1)

#define HV_ACCESS_DEBUG_MSRS                    BIT32(12) /* EAX of the features leaf */

#define HV_X64_MSR_SYNDBG_CONTROL               0x400000f1u
#define HV_X64_MSR_SYNDBG_STATUS                0x400000f2u
#define HV_X64_MSR_SYNDBG_SEND_BUFFER           0x400000f3u
#define HV_X64_MSR_SYNDBG_RECV_BUFFER           0x400000f4u
#define HV_X64_MSR_SYNDBG_PENDING_BUFFER        0x400000f5u
#define HV_X64_MSR_SYNDBG_OPTIONS               0x400000ffu

#define HV_SYNDBG_CONTROL_SEND                  BIT64(0)
#define HV_SYNDBG_CONTROL_RECV                  BIT64(1)
#define HV_SYNDBG_STATUS_INVALID                0u
#define HV_SYNDBG_STATUS_SEND_SUCCESS           BIT64(0)
#define HV_SYNDBG_STATUS_RECV_SUCCESS           BIT64(2)
#define HV_SYNDBG_SIZE                          GENMASK64(31, 16) /* of CONTROL and STATUS: bytes */
#define HV_X64_SYNDBG_OPTION_USE_HCALLS         BIT64(2)

/* Options of the calls. */
#define HV_DEBUG_POST_LOOP                      BIT32(0)
#define HV_DEBUG_RETRIEVE_LOOP                  BIT32(0)
#define HV_DEBUG_RETRIEVE_TEST_ACTIVITY         BIT32(1)
#define HV_DEBUG_PURGE_INCOMING_DATA            BIT32(0)
#define HV_DEBUG_PURGE_OUTGOING_DATA            BIT32(1)
#define HV_STATUS_NO_DATA                       0x1bu

/* clang-format on */

/* HVCALL_POST_DEBUG_DATA; its output is the number of bytes that were not taken. */
struct hv_post_debug_data {
	u32 count; /* bytes */
	u32 options;
	u8 data[4088];
};
static_assert(sizeof(struct hv_post_debug_data) == 4096, "a page");

/* HVCALL_RETRIEVE_DEBUG_DATA */
struct hv_retrieve_debug_data {
	u32 count; /* bytes */
	u32 options;
	u64 timeout; /* 100 ns */
};
static_assert(sizeof(struct hv_retrieve_debug_data) == 16, "QEMU");

struct hv_retrieve_debug_data_out {
	u32 retrieved_count;
	u32 remaining_count; /* of what was asked for */
	u8 data[4088];
};
static_assert(sizeof(struct hv_retrieve_debug_data_out) == 4096, "a page");

/* HVCALL_RESET_DEBUG_SESSION; its input is a u32 of options. */
struct hv_reset_debug_session_out {
	u32 host_ip, target_ip;
	u16 host_port, target_port;
	u8 host_mac[6], target_mac[6];
};
static_assert(sizeof(struct hv_reset_debug_session_out) == 24, "QEMU");
