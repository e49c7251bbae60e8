/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID leaves and feature bits; bits usable from .S files.
 *
 * Longer than usual: one row per bit, named CPUID<leaf>[_<subleaf>]_<register>_<SDM name>.
 *
 * Spec: SDM Vol. 2A, "CPUID - CPU Identification".
 */
#pragma once

#include "core/lib/bits.h"

#ifndef __ASSEMBLER__

struct cpuid_regs {
	u32 a;
	u32 b;
	u32 c;
	u32 d;
};

#endif /* __ASSEMBLER__ */

/* clang-format off */

/* Leaf numbers */
#define CPUID_LEAF_VENDOR               0x00
#define CPUID_LEAF_FEATURES             0x01
#define CPUID_LEAF_CACHE_TLB            0x02
#define CPUID_LEAF_SERIAL               0x03
#define CPUID_LEAF_CACHE                0x04    /* subleaf: cache */
#define CPUID_LEAF_MWAIT                0x05
#define CPUID_LEAF_THERMAL_POWER        0x06
#define CPUID_LEAF_EXT_FEATURES         0x07    /* subleaves 0..2 */
#define CPUID_LEAF_DCA                  0x09
#define CPUID_LEAF_PERFMON              0x0a
#define CPUID_LEAF_TOPOLOGY             0x0b    /* subleaf: level */
#define CPUID_LEAF_XSAVE                0x0d    /* subleaf: component */
#define CPUID_LEAF_RDT_MONITORING       0x0f
#define CPUID_LEAF_RDT_ALLOCATION       0x10
#define CPUID_LEAF_SGX                  0x12
#define CPUID_LEAF_PT                   0x14
#define CPUID_LEAF_TSC                  0x15    /* b / a * c = TSC Hz */
#define CPUID_LEAF_FREQUENCY            0x16
#define CPUID_LEAF_SOC_VENDOR           0x17
#define CPUID_LEAF_TLB                  0x18
#define CPUID_LEAF_KEY_LOCKER           0x19
#define CPUID_LEAF_HYBRID               0x1a
#define CPUID_LEAF_PCONFIG              0x1b
#define CPUID_LEAF_LBR                  0x1c
#define CPUID_LEAF_TILE                 0x1d
#define CPUID_LEAF_TMUL                 0x1e
#define CPUID_LEAF_TOPOLOGY_V2          0x1f
#define CPUID_LEAF_HRESET               0x20
#define CPUID_LEAF_PERFMON_EXT          0x23
#define CPUID_LEAF_HYPERVISOR           0x40000000      /* .. 0x4fffffff: software */
#define CPUID_LEAF_EXT_MAX              0x80000000
#define CPUID_LEAF_EXT_SIGNATURE        0x80000001
#define CPUID_LEAF_BRAND_FIRST          0x80000002
#define CPUID_LEAF_BRAND_LAST           0x80000004
#define CPUID_LEAF_EXT_CACHE            0x80000006
#define CPUID_LEAF_EXT_POWER            0x80000007
#define CPUID_LEAF_EXT_ADDRESS          0x80000008

/* Leaf 1, EAX and EBX */
#define CPUID1_EAX_STEPPING            GENMASK32(3, 0)
#define CPUID1_EAX_MODEL               GENMASK32(7, 4)
#define CPUID1_EAX_FAMILY              GENMASK32(11, 8)
#define CPUID1_EAX_TYPE                GENMASK32(13, 12)
#define CPUID1_EAX_EXT_MODEL           GENMASK32(19, 16)
#define CPUID1_EAX_EXT_FAMILY          GENMASK32(27, 20)
#define CPUID1_EBX_BRAND               GENMASK32(7, 0)
#define CPUID1_EBX_CLFLUSH             GENMASK32(15, 8)     /* 8 bytes */
#define CPUID1_EBX_MAX_IDS             GENMASK32(23, 16)
#define CPUID1_EBX_APIC_ID             GENMASK32(31, 24)

/* Leaf 1, ECX */
#define CPUID1_ECX_SSE3                BIT32(0)
#define CPUID1_ECX_PCLMULQDQ           BIT32(1)
#define CPUID1_ECX_DTES64              BIT32(2)
#define CPUID1_ECX_MONITOR             BIT32(3)
#define CPUID1_ECX_DS_CPL              BIT32(4)
#define CPUID1_ECX_VMX                 BIT32(5)
#define CPUID1_ECX_SMX                 BIT32(6)
#define CPUID1_ECX_EIST                BIT32(7)
#define CPUID1_ECX_TM2                 BIT32(8)
#define CPUID1_ECX_SSSE3               BIT32(9)
#define CPUID1_ECX_CNXT_ID             BIT32(10)
#define CPUID1_ECX_SDBG                BIT32(11)
#define CPUID1_ECX_FMA                 BIT32(12)
#define CPUID1_ECX_CMPXCHG16B          BIT32(13)
#define CPUID1_ECX_XTPR                BIT32(14)
#define CPUID1_ECX_PDCM                BIT32(15)
#define CPUID1_ECX_PCID                BIT32(17)
#define CPUID1_ECX_DCA                 BIT32(18)
#define CPUID1_ECX_SSE4_1              BIT32(19)
#define CPUID1_ECX_SSE4_2              BIT32(20)
#define CPUID1_ECX_X2APIC              BIT32(21)
#define CPUID1_ECX_MOVBE               BIT32(22)
#define CPUID1_ECX_POPCNT              BIT32(23)
#define CPUID1_ECX_TSC_DEADLINE        BIT32(24)
#define CPUID1_ECX_AES                 BIT32(25)
#define CPUID1_ECX_XSAVE               BIT32(26)
#define CPUID1_ECX_OSXSAVE             BIT32(27)            /* follows CR4.OSXSAVE */
#define CPUID1_ECX_AVX                 BIT32(28)
#define CPUID1_ECX_F16C                BIT32(29)
#define CPUID1_ECX_RDRAND              BIT32(30)
#define CPUID1_ECX_HYPERVISOR          BIT32(31)            /* reserved for software */

/* Leaf 1, EDX */
#define CPUID1_EDX_FPU                 BIT32(0)
#define CPUID1_EDX_VME                 BIT32(1)
#define CPUID1_EDX_DE                  BIT32(2)
#define CPUID1_EDX_PSE                 BIT32(3)
#define CPUID1_EDX_TSC                 BIT32(4)
#define CPUID1_EDX_MSR                 BIT32(5)
#define CPUID1_EDX_PAE                 BIT32(6)
#define CPUID1_EDX_MCE                 BIT32(7)
#define CPUID1_EDX_CX8                 BIT32(8)
#define CPUID1_EDX_APIC                BIT32(9)             /* follows IA32_APIC_BASE.EN */
#define CPUID1_EDX_SEP                 BIT32(11)
#define CPUID1_EDX_MTRR                BIT32(12)
#define CPUID1_EDX_PGE                 BIT32(13)
#define CPUID1_EDX_MCA                 BIT32(14)
#define CPUID1_EDX_CMOV                BIT32(15)
#define CPUID1_EDX_PAT                 BIT32(16)
#define CPUID1_EDX_PSE36               BIT32(17)
#define CPUID1_EDX_PSN                 BIT32(18)
#define CPUID1_EDX_CLFSH               BIT32(19)
#define CPUID1_EDX_DS                  BIT32(21)
#define CPUID1_EDX_ACPI                BIT32(22)
#define CPUID1_EDX_MMX                 BIT32(23)
#define CPUID1_EDX_FXSR                BIT32(24)
#define CPUID1_EDX_SSE                 BIT32(25)
#define CPUID1_EDX_SSE2                BIT32(26)
#define CPUID1_EDX_SS                  BIT32(27)
#define CPUID1_EDX_HTT                 BIT32(28)
#define CPUID1_EDX_TM                  BIT32(29)
#define CPUID1_EDX_PBE                 BIT32(31)

/* Leaf 4 */
#define CPUID4_EAX_TYPE                GENMASK32(4, 0)      /* 0: no more caches */
#define CPUID4_EAX_LEVEL               GENMASK32(7, 5)
#define CPUID4_EAX_SELF_INIT           BIT32(8)
#define CPUID4_EAX_FULLY_ASSOC         BIT32(9)
#define CPUID4_EAX_MAX_SHARING         GENMASK32(25, 14)    /* ids - 1 */
#define CPUID4_EAX_MAX_CORES           GENMASK32(31, 26)    /* ids - 1 */
#define CPUID4_EBX_LINE                GENMASK32(11, 0)     /* bytes - 1 */
#define CPUID4_EBX_PARTITIONS          GENMASK32(21, 12)
#define CPUID4_EBX_WAYS                GENMASK32(31, 22)

/* Leaf 5 */
#define CPUID5_EAX_SMALLEST_LINE       GENMASK32(15, 0)
#define CPUID5_EBX_LARGEST_LINE        GENMASK32(15, 0)
#define CPUID5_ECX_EXTENSIONS          BIT32(0)
#define CPUID5_ECX_BREAK_ON_INTR       BIT32(1)

/* Leaf 6 */
#define CPUID6_EAX_DTS                 BIT32(0)
#define CPUID6_EAX_TURBO               BIT32(1)
#define CPUID6_EAX_ARAT                BIT32(2)             /* APIC timer never stops */
#define CPUID6_EAX_PLN                 BIT32(4)
#define CPUID6_EAX_ECMD                BIT32(5)
#define CPUID6_EAX_PTM                 BIT32(6)
#define CPUID6_EAX_HWP                 BIT32(7)
#define CPUID6_EAX_HWP_NOTIFICATION    BIT32(8)
#define CPUID6_EAX_HWP_ACTIVITY_WINDOW BIT32(9)
#define CPUID6_EAX_HWP_EPP             BIT32(10)
#define CPUID6_EAX_HWP_PACKAGE         BIT32(11)
#define CPUID6_EAX_HDC                 BIT32(13)
#define CPUID6_EAX_TURBO_MAX_3         BIT32(14)
#define CPUID6_EAX_HWP_HIGHEST_CHANGE  BIT32(15)
#define CPUID6_EAX_HWP_PECI            BIT32(16)
#define CPUID6_EAX_HWP_FLEXIBLE        BIT32(17)
#define CPUID6_EAX_HWP_FAST_ACCESS     BIT32(18)
#define CPUID6_EAX_HW_FEEDBACK         BIT32(19)
#define CPUID6_EAX_HWP_IGNORE_IDLE     BIT32(20)
#define CPUID6_EAX_THREAD_DIRECTOR     BIT32(23)
#define CPUID6_EAX_THERM_INTERRUPT_25  BIT32(24)
#define CPUID6_ECX_APERFMPERF          BIT32(0)
#define CPUID6_ECX_ENERGY_PERF_BIAS    BIT32(3)

/* Leaf 7 subleaf 0, EBX */
#define CPUID7_EBX_FSGSBASE            BIT32(0)
#define CPUID7_EBX_TSC_ADJUST          BIT32(1)
#define CPUID7_EBX_SGX                 BIT32(2)
#define CPUID7_EBX_BMI1                BIT32(3)
#define CPUID7_EBX_HLE                 BIT32(4)
#define CPUID7_EBX_AVX2                BIT32(5)
#define CPUID7_EBX_FDP_EXCPTN_ONLY     BIT32(6)
#define CPUID7_EBX_SMEP                BIT32(7)
#define CPUID7_EBX_BMI2                BIT32(8)
#define CPUID7_EBX_ERMS                BIT32(9)
#define CPUID7_EBX_INVPCID             BIT32(10)
#define CPUID7_EBX_RTM                 BIT32(11)
#define CPUID7_EBX_RDT_M               BIT32(12)
#define CPUID7_EBX_FCS_FDS_DEPRECATED  BIT32(13)
#define CPUID7_EBX_MPX                 BIT32(14)
#define CPUID7_EBX_RDT_A               BIT32(15)
#define CPUID7_EBX_AVX512F             BIT32(16)
#define CPUID7_EBX_AVX512DQ            BIT32(17)
#define CPUID7_EBX_RDSEED              BIT32(18)
#define CPUID7_EBX_ADX                 BIT32(19)
#define CPUID7_EBX_SMAP                BIT32(20)
#define CPUID7_EBX_AVX512_IFMA         BIT32(21)
#define CPUID7_EBX_CLFLUSHOPT          BIT32(23)
#define CPUID7_EBX_CLWB                BIT32(24)
#define CPUID7_EBX_PT                  BIT32(25)
#define CPUID7_EBX_AVX512PF            BIT32(26)
#define CPUID7_EBX_AVX512ER            BIT32(27)
#define CPUID7_EBX_AVX512CD            BIT32(28)
#define CPUID7_EBX_SHA                 BIT32(29)
#define CPUID7_EBX_AVX512BW            BIT32(30)
#define CPUID7_EBX_AVX512VL            BIT32(31)

/* Leaf 7 subleaf 0, ECX */
#define CPUID7_ECX_PREFETCHWT1         BIT32(0)
#define CPUID7_ECX_AVX512_VBMI         BIT32(1)
#define CPUID7_ECX_UMIP                BIT32(2)
#define CPUID7_ECX_PKU                 BIT32(3)
#define CPUID7_ECX_OSPKE               BIT32(4)             /* follows CR4.PKE */
#define CPUID7_ECX_WAITPKG             BIT32(5)
#define CPUID7_ECX_AVX512_VBMI2        BIT32(6)
#define CPUID7_ECX_CET_SS              BIT32(7)
#define CPUID7_ECX_GFNI                BIT32(8)
#define CPUID7_ECX_VAES                BIT32(9)
#define CPUID7_ECX_VPCLMULQDQ          BIT32(10)
#define CPUID7_ECX_AVX512_VNNI         BIT32(11)
#define CPUID7_ECX_AVX512_BITALG       BIT32(12)
#define CPUID7_ECX_TME                 BIT32(13)
#define CPUID7_ECX_AVX512_VPOPCNTDQ    BIT32(14)
#define CPUID7_ECX_LA57                BIT32(16)
#define CPUID7_ECX_RDPID               BIT32(22)
#define CPUID7_ECX_KEY_LOCKER          BIT32(23)
#define CPUID7_ECX_BUS_LOCK_DETECT     BIT32(24)
#define CPUID7_ECX_CLDEMOTE            BIT32(25)
#define CPUID7_ECX_MOVDIRI             BIT32(27)
#define CPUID7_ECX_MOVDIR64B           BIT32(28)
#define CPUID7_ECX_ENQCMD              BIT32(29)
#define CPUID7_ECX_SGX_LC              BIT32(30)
#define CPUID7_ECX_PKS                 BIT32(31)
#define CPUID7_ECX_MAWAU               GENMASK32(21, 17)

/* Leaf 7 subleaf 0, EDX */
#define CPUID7_EDX_SGX_KEYS            BIT32(1)
#define CPUID7_EDX_AVX512_4VNNIW       BIT32(2)
#define CPUID7_EDX_AVX512_4FMAPS       BIT32(3)
#define CPUID7_EDX_FSRM                BIT32(4)
#define CPUID7_EDX_UINTR               BIT32(5)
#define CPUID7_EDX_AVX512_VP2INTERSECT BIT32(8)
#define CPUID7_EDX_SRBDS_CTRL          BIT32(9)
#define CPUID7_EDX_MD_CLEAR            BIT32(10)
#define CPUID7_EDX_RTM_ALWAYS_ABORT    BIT32(11)
#define CPUID7_EDX_RTM_FORCE_ABORT     BIT32(13)
#define CPUID7_EDX_SERIALIZE           BIT32(14)
#define CPUID7_EDX_HYBRID              BIT32(15)
#define CPUID7_EDX_TSXLDTRK            BIT32(16)
#define CPUID7_EDX_PCONFIG             BIT32(18)
#define CPUID7_EDX_ARCH_LBR            BIT32(19)
#define CPUID7_EDX_CET_IBT             BIT32(20)
#define CPUID7_EDX_AMX_BF16            BIT32(22)
#define CPUID7_EDX_AVX512_FP16         BIT32(23)
#define CPUID7_EDX_AMX_TILE            BIT32(24)
#define CPUID7_EDX_AMX_INT8            BIT32(25)
#define CPUID7_EDX_SPEC_CTRL           BIT32(26)
#define CPUID7_EDX_STIBP               BIT32(27)
#define CPUID7_EDX_L1D_FLUSH           BIT32(28)
#define CPUID7_EDX_ARCH_CAPABILITIES   BIT32(29)
#define CPUID7_EDX_CORE_CAPABILITIES   BIT32(30)
#define CPUID7_EDX_SSBD                BIT32(31)

/* Leaf 7 subleaf 1 */
#define CPUID7_1_EAX_SHA512            BIT32(0)
#define CPUID7_1_EAX_SM3               BIT32(1)
#define CPUID7_1_EAX_SM4               BIT32(2)
#define CPUID7_1_EAX_RAO_INT           BIT32(3)
#define CPUID7_1_EAX_AVX_VNNI          BIT32(4)
#define CPUID7_1_EAX_AVX512_BF16       BIT32(5)
#define CPUID7_1_EAX_LASS              BIT32(6)
#define CPUID7_1_EAX_CMPCCXADD         BIT32(7)
#define CPUID7_1_EAX_ARCH_PERFMON_EXT  BIT32(8)
#define CPUID7_1_EAX_FZLRM             BIT32(10)
#define CPUID7_1_EAX_FSRS              BIT32(11)
#define CPUID7_1_EAX_FSRC              BIT32(12)
#define CPUID7_1_EAX_FRED              BIT32(17)
#define CPUID7_1_EAX_LKGS              BIT32(18)
#define CPUID7_1_EAX_WRMSRNS           BIT32(19)
#define CPUID7_1_EAX_NMI_SRC           BIT32(20)
#define CPUID7_1_EAX_AMX_FP16          BIT32(21)
#define CPUID7_1_EAX_HRESET            BIT32(22)
#define CPUID7_1_EAX_AVX_IFMA          BIT32(23)
#define CPUID7_1_EAX_LAM               BIT32(26)
#define CPUID7_1_EAX_MSRLIST           BIT32(27)
#define CPUID7_1_EAX_INVD_DISABLE      BIT32(30)
#define CPUID7_1_EBX_PPIN              BIT32(0)
#define CPUID7_1_ECX_LEGACY_REDUCED_ISA BIT32(2)
#define CPUID7_1_EDX_AVX_VNNI_INT8     BIT32(4)
#define CPUID7_1_EDX_AVX_NE_CONVERT    BIT32(5)
#define CPUID7_1_EDX_AMX_COMPLEX       BIT32(8)
#define CPUID7_1_EDX_AVX_VNNI_INT16    BIT32(10)
#define CPUID7_1_EDX_UTMR              BIT32(13)
#define CPUID7_1_EDX_PREFETCHI         BIT32(14)
#define CPUID7_1_EDX_USER_MSR          BIT32(15)
#define CPUID7_1_EDX_UIRET_UIF         BIT32(17)
#define CPUID7_1_EDX_CET_SSS           BIT32(18)
#define CPUID7_1_EDX_AVX10             BIT32(19)
#define CPUID7_1_EDX_APX_F             BIT32(21)
#define CPUID7_1_EDX_MWAIT             BIT32(23)

/* Leaf 7 subleaf 2 */
#define CPUID7_2_EDX_PSFD              BIT32(0)
#define CPUID7_2_EDX_IPRED_CTRL        BIT32(1)
#define CPUID7_2_EDX_RRSBA_CTRL        BIT32(2)
#define CPUID7_2_EDX_DDPD_U            BIT32(3)
#define CPUID7_2_EDX_BHI_CTRL          BIT32(4)
#define CPUID7_2_EDX_MCDT_NO           BIT32(5)
#define CPUID7_2_EDX_UC_LOCK_DISABLE   BIT32(6)
#define CPUID7_2_EDX_MONITOR_MITG_NO   BIT32(7)

/* Leaf 0xa */
#define CPUIDA_EAX_VERSION             GENMASK32(7, 0)
#define CPUIDA_EAX_GP_COUNTERS         GENMASK32(15, 8)
#define CPUIDA_EAX_GP_WIDTH            GENMASK32(23, 16)
#define CPUIDA_EAX_EVENTS              GENMASK32(31, 24)    /* bits valid in EBX */
#define CPUIDA_EDX_FIXED_COUNTERS      GENMASK32(4, 0)
#define CPUIDA_EDX_FIXED_WIDTH         GENMASK32(12, 5)
#define CPUIDA_EDX_ANYTHREAD_DEPRECATED BIT32(15)

/* Leaves 0xb and 0x1f */
#define CPUIDB_EAX_SHIFT               GENMASK32(4, 0)
#define CPUIDB_EBX_LOGICAL_CPUS        GENMASK32(15, 0)
#define CPUIDB_ECX_LEVEL               GENMASK32(7, 0)
#define CPUIDB_ECX_TYPE                GENMASK32(15, 8)     /* CPUID_LEVEL_* */

#define CPUID_LEVEL_INVALID             0
#define CPUID_LEVEL_SMT                 1
#define CPUID_LEVEL_CORE                2
#define CPUID_LEVEL_MODULE              3
#define CPUID_LEVEL_TILE                4
#define CPUID_LEVEL_DIE                 5

/* Leaf 0xd; subleaf 0 holds the XCR0 mask (EDX:EAX) and sizes */
#define CPUIDD_1_EAX_XSAVEOPT          BIT32(0)
#define CPUIDD_1_EAX_XSAVEC            BIT32(1)
#define CPUIDD_1_EAX_XGETBV_ECX1       BIT32(2)
#define CPUIDD_1_EAX_XSAVES            BIT32(3)
#define CPUIDD_1_EAX_XFD               BIT32(4)
#define CPUIDD_N_ECX_SUPERVISOR        BIT32(0)             /* in IA32_XSS, not XCR0 */
#define CPUIDD_N_ECX_ALIGN64           BIT32(1)
#define CPUIDD_N_ECX_XFD               BIT32(2)

/* Leaf 0x14 subleaf 0 */
#define CPUID14_EBX_CR3_FILTER         BIT32(0)
#define CPUID14_EBX_PSB_CYC            BIT32(1)
#define CPUID14_EBX_IP_FILTER          BIT32(2)
#define CPUID14_EBX_MTC                BIT32(3)
#define CPUID14_EBX_PTWRITE            BIT32(4)
#define CPUID14_EBX_POWER_EVENT        BIT32(5)
#define CPUID14_ECX_TOPA               BIT32(0)
#define CPUID14_ECX_TOPA_MULTI         BIT32(1)
#define CPUID14_ECX_SINGLE_RANGE       BIT32(2)
#define CPUID14_ECX_LIP                BIT32(31)

/* Leaf 0x19 */
#define CPUID19_EAX_CPL0_ONLY          BIT32(0)
#define CPUID19_EAX_NO_ENCRYPT         BIT32(1)
#define CPUID19_EAX_NO_DECRYPT         BIT32(2)
#define CPUID19_EBX_AESKLE             BIT32(0)
#define CPUID19_EBX_WIDE_KL            BIT32(2)
#define CPUID19_EBX_MSR_BACKUP         BIT32(4)
#define CPUID19_ECX_NO_BACKUP          BIT32(0)
#define CPUID19_ECX_RANDOM             BIT32(1)

/* Leaf 0x80000001 */
#define CPUID80000001_ECX_LAHF64       BIT32(0)
#define CPUID80000001_ECX_LZCNT        BIT32(5)
#define CPUID80000001_ECX_PREFETCHW    BIT32(8)
#define CPUID80000001_EDX_SYSCALL      BIT32(11)            /* reported in 64-bit mode only */
#define CPUID80000001_EDX_NX           BIT32(20)
#define CPUID80000001_EDX_PAGE1GB      BIT32(26)
#define CPUID80000001_EDX_RDTSCP       BIT32(27)
#define CPUID80000001_EDX_LM           BIT32(29)

/* Leaf 0x80000006 */
#define CPUID80000006_ECX_L2_LINE      GENMASK32(7, 0)
#define CPUID80000006_ECX_L2_ASSOC     GENMASK32(15, 12)
#define CPUID80000006_ECX_L2_KIB       GENMASK32(31, 16)

/* Leaf 0x80000007 */
#define CPUID80000007_EDX_INVARIANT_TSC BIT32(8)

/* Leaf 0x80000008 */
#define CPUID80000008_EAX_PHYS_BITS    GENMASK32(7, 0)
#define CPUID80000008_EAX_LINEAR_BITS  GENMASK32(15, 8)
#define CPUID80000008_EBX_WBNOINVD     BIT32(9)

/* clang-format on */

#ifndef __ASSEMBLER__

/* Family and model with the extended fields folded in. */
static inline u32 cpuid_family(u32 eax)
{
	u32 family = (u32)FIELD_GET(CPUID1_EAX_FAMILY, eax);

	return family == 0xf ? family + (u32)FIELD_GET(CPUID1_EAX_EXT_FAMILY, eax) : family;
}

static inline u32 cpuid_model(u32 eax)
{
	u32 family = (u32)FIELD_GET(CPUID1_EAX_FAMILY, eax);
	u32 model = (u32)FIELD_GET(CPUID1_EAX_MODEL, eax);

	if (family == 0x6 || family == 0xf)
		model |= (u32)FIELD_GET(CPUID1_EAX_EXT_MODEL, eax) << 4;
	return model;
}

#endif /* __ASSEMBLER__ */
