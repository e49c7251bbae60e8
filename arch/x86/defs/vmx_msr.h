/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of the VMX capability MSRs; their numbers are in msr.h. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* IA32_VMX_BASIC: SDM Vol. 3D, App. A.1 "Basic VMX Information". */
#define VMX_BASIC_REVISION              GENMASK64(30, 0)
#define VMX_BASIC_REGION_BYTES          GENMASK64(44, 32)       /* 1..4096 */
#define VMX_BASIC_PHYS_32BIT            BIT64(48)
#define VMX_BASIC_DUAL_MONITOR          BIT64(49)
#define VMX_BASIC_MEMORY_TYPE           GENMASK64(53, 50)       /* MT_WB expected */
#define VMX_BASIC_INS_OUTS_INFO         BIT64(54)
#define VMX_BASIC_TRUE_CTLS             BIT64(55)
#define VMX_BASIC_NO_ERROR_CODE_CHECK   BIT64(56)       /* any vector, with or without code */
#define VMX_BASIC_NESTED_EXCEPTION      BIT64(58)       /* FRED */

/* Control capability MSRs, App. A.3 and following. PROC3, EXIT2: all allowed-1. */
#define VMX_CTLS_ALLOWED0               GENMASK64(31, 0)        /* bit 1: control must be 1 */
#define VMX_CTLS_ALLOWED1               GENMASK64(63, 32)       /* bit 0: control must be 0 */

/* IA32_VMX_MISC: App. A.6 "Miscellaneous Data". */
#define VMX_MISC_PREEMPTION_TIMER_RATE  GENMASK64(4, 0)         /* counts every 2^n TSC ticks */
#define VMX_MISC_EXIT_SAVES_LMA         BIT64(5)
#define VMX_MISC_ACTIVITY_HLT           BIT64(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN      BIT64(7)
#define VMX_MISC_ACTIVITY_WAIT_SIPI     BIT64(8)
#define VMX_MISC_PT_IN_VMX              BIT64(14)
#define VMX_MISC_RDMSR_SMBASE           BIT64(15)
#define VMX_MISC_CR3_TARGETS            GENMASK64(24, 16)
#define VMX_MISC_MSR_LIST_MAX           GENMASK64(27, 25)       /* 512 * (n + 1) entries */
#define VMX_MISC_SMM_CTL_BLOCK_SMI      BIT64(28)
#define VMX_MISC_VMWRITE_ALL            BIT64(29)       /* VMWRITE to exit-information fields */
#define VMX_MISC_INJECT_ZERO_LENGTH     BIT64(30)
#define VMX_MISC_MSEG_REVISION          GENMASK64(63, 32)

/* IA32_VMX_VMCS_ENUM: App. A.9 "VMCS Enumeration". */
#define VMX_VMCS_ENUM_MAX_INDEX         GENMASK64(9, 1)

/* IA32_VMX_EPT_VPID_CAP: App. A.10 "VPID and EPT Capabilities". */
#define EPT_VPID_CAP_EXECUTE_ONLY       BIT64(0)
#define EPT_VPID_CAP_WALK_4             BIT64(6)
#define EPT_VPID_CAP_WALK_5             BIT64(7)
#define EPT_VPID_CAP_UC                 BIT64(8)
#define EPT_VPID_CAP_WB                 BIT64(14)
#define EPT_VPID_CAP_2M                 BIT64(16)
#define EPT_VPID_CAP_1G                 BIT64(17)
#define EPT_VPID_CAP_INVEPT             BIT64(20)
#define EPT_VPID_CAP_AD                 BIT64(21)
#define EPT_VPID_CAP_ADVANCED_EXIT_INFO BIT64(22)
#define EPT_VPID_CAP_SUPERVISOR_SSTK    BIT64(23)
#define EPT_VPID_CAP_INVEPT_SINGLE      BIT64(25)
#define EPT_VPID_CAP_INVEPT_ALL         BIT64(26)
#define EPT_VPID_CAP_INVVPID            BIT64(32)
#define EPT_VPID_CAP_INVVPID_ADDRESS    BIT64(40)
#define EPT_VPID_CAP_INVVPID_SINGLE     BIT64(41)
#define EPT_VPID_CAP_INVVPID_ALL        BIT64(42)
#define EPT_VPID_CAP_INVVPID_RETAIN_GLOBAL BIT64(43)
#define EPT_VPID_CAP_HLAT_PREFIX_SIZE   GENMASK64(53, 48)

#ifndef __ASSEMBLER__

/* INVEPT and INVVPID types and their 16-byte descriptors. */
enum invept_type {
	INVEPT_SINGLE_CONTEXT = 1,
	INVEPT_ALL_CONTEXT    = 2,
};

enum invvpid_type {
	INVVPID_INDIVIDUAL_ADDRESS            = 0,
	INVVPID_SINGLE_CONTEXT                = 1,
	INVVPID_ALL_CONTEXT                   = 2,
	INVVPID_SINGLE_CONTEXT_RETAIN_GLOBALS = 3,
};

struct invept_desc {
	u64 eptp;
	u64 reserved;
};

struct invvpid_desc {
	u64 vpid;       /* bits 15:0; the rest is reserved */
	u64 linear_address;
};

static_assert(sizeof(struct invept_desc) == 16, "INVEPT descriptor");
static_assert(sizeof(struct invvpid_desc) == 16, "INVVPID descriptor");
static_assert(VMX_BASIC_REGION_BYTES == 0x00001fff00000000ull, "SDM A.1 bits 44:32");

#endif /* __ASSEMBLER__ */
