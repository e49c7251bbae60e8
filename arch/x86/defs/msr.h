/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific register numbers and their bits; usable from .S files. VMX bits: vmx_msr.h. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* SDM Vol. 4, "Architectural MSRs"; MSR_ without IA32 where the MSR is model specific. */
#define MSR_IA32_P5_MC_ADDR                     0x000
#define MSR_IA32_P5_MC_TYPE                     0x001
#define MSR_IA32_MONITOR_FILTER_SIZE            0x006
#define MSR_IA32_TSC                            0x010
#define MSR_IA32_PLATFORM_ID                    0x017
#define MSR_IA32_APIC_BASE                      0x01b
#define MSR_EBL_CR_POWERON                      0x02a
#define MSR_IA32_BARRIER                        0x02f
#define MSR_TEST_CTRL                           0x033
#define MSR_SMI_COUNT                           0x034
#define MSR_CORE_THREAD_COUNT                   0x035
#define MSR_IA32_FEATURE_CONTROL                0x03a
#define MSR_IA32_TSC_ADJUST                     0x03b
#define MSR_IA32_SPEC_CTRL                      0x048
#define MSR_IA32_PRED_CMD                       0x049
#define MSR_PPIN_CTL                            0x04e
#define MSR_PPIN                                0x04f
#define MSR_IA32_BIOS_UPDT_TRIG                 0x079
#define MSR_IA32_BIOS_SIGN_ID                   0x08b
#define MSR_IA32_SGXLEPUBKEYHASH0               0x08c   /* .. 0x08f */
#define MSR_IA32_SMM_MONITOR_CTL                0x09b
#define MSR_IA32_SMBASE                         0x09e
#define MSR_IA32_MISC_PACKAGE_CTLS              0x0bc
#define MSR_IA32_XAPIC_DISABLE_STATUS           0x0bd
#define LEGACY_XAPIC_DISABLED                   BIT64(0)  /* x2APIC mode is locked */
#define MSR_IA32_PMC0                           0x0c1   /* .. 0x0c8 */
#define MSR_FSB_FREQ                            0x0cd
#define MSR_PLATFORM_INFO                       0x0ce
#define MSR_IA32_CORE_CAPABILITIES              0x0cf
#define MSR_IA32_UMWAIT_CONTROL                 0x0e1
#define MSR_PKG_CST_CONFIG_CONTROL              0x0e2
#define MSR_PMG_IO_CAPTURE_BASE                 0x0e4
#define MSR_IA32_MPERF                          0x0e7
#define MSR_IA32_APERF                          0x0e8
#define MSR_IA32_MTRRCAP                        0x0fe
#define MSR_IA32_ARCH_CAPABILITIES              0x10a
#define MSR_IA32_FLUSH_CMD                      0x10b
#define MSR_TSX_FORCE_ABORT                     0x10f
#define MSR_BBL_CR_CTL3                         0x11e
#define MSR_IA32_TSX_CTRL                       0x122
#define MSR_IA32_MCU_OPT_CTRL                   0x123
#define MSR_FEATURE_CONFIG                      0x13c
#define MSR_MISC_FEATURES_ENABLES               0x140
#define MSR_IA32_SYSENTER_CS                    0x174
#define MSR_IA32_SYSENTER_ESP                   0x175
#define MSR_IA32_SYSENTER_EIP                   0x176
#define MSR_IA32_MCG_CAP                        0x179
#define MSR_IA32_MCG_STATUS                     0x17a
#define MSR_IA32_MCG_CTL                        0x17b
#define MSR_IA32_PERFEVTSEL0                    0x186   /* .. 0x18d */
#define MSR_IA32_OVERCLOCKING_STATUS            0x195
#define MSR_IA32_PERF_STATUS                    0x198
#define MSR_IA32_PERF_CTL                       0x199
#define MSR_IA32_CLOCK_MODULATION               0x19a
#define MSR_IA32_THERM_INTERRUPT                0x19b
#define MSR_IA32_THERM_STATUS                   0x19c
#define MSR_THERM2_CTL                          0x19d
#define MSR_IA32_MISC_ENABLE                    0x1a0
#define MSR_TEMPERATURE_TARGET                  0x1a2
#define MSR_MISC_FEATURE_CONTROL                0x1a4
#define MSR_OFFCORE_RSP_0                       0x1a6
#define MSR_OFFCORE_RSP_1                       0x1a7
#define MSR_MISC_PWR_MGMT                       0x1aa
#define MSR_TURBO_RATIO_LIMIT                   0x1ad
#define MSR_IA32_ENERGY_PERF_BIAS               0x1b0
#define MSR_IA32_PACKAGE_THERM_STATUS           0x1b1
#define MSR_IA32_PACKAGE_THERM_INTERRUPT        0x1b2
#define MSR_IA32_XFD                            0x1c4
#define MSR_IA32_XFD_ERR                        0x1c5
#define MSR_LBR_SELECT                          0x1c8
#define MSR_LASTBRANCH_TOS                      0x1c9
#define MSR_IA32_DEBUGCTL                       0x1d9
#define MSR_LASTBRANCH_FROM_IP                  0x1db   /* P6 and QEMU/KVM "LASTBRANCHFROMIP" */
#define MSR_LASTBRANCH_TO_IP                    0x1dc
#define MSR_LER_FROM_LIP                        0x1dd
#define MSR_LER_TO_LIP                          0x1de
#define MSR_IA32_SMRR_PHYSBASE                  0x1f2
#define MSR_IA32_SMRR_PHYSMASK                  0x1f3
#define MSR_IA32_PLATFORM_DCA_CAP               0x1f8
#define MSR_IA32_CPU_DCA_CAP                    0x1f9
#define MSR_IA32_DCA_0_CAP                      0x1fa
#define MSR_POWER_CTL                           0x1fc
#define MSR_IA32_MTRR_PHYSBASE0                 0x200   /* + 2 * n */
#define MSR_IA32_MTRR_PHYSMASK0                 0x201   /* + 2 * n */
#define MSR_IA32_MTRR_FIX64K_00000              0x250
#define MSR_IA32_MTRR_FIX16K_80000              0x258
#define MSR_IA32_MTRR_FIX16K_A0000              0x259
#define MSR_IA32_MTRR_FIX4K_C0000               0x268
#define MSR_IA32_MTRR_FIX4K_C8000               0x269
#define MSR_IA32_MTRR_FIX4K_D0000               0x26a
#define MSR_IA32_MTRR_FIX4K_D8000               0x26b
#define MSR_IA32_MTRR_FIX4K_E0000               0x26c
#define MSR_IA32_MTRR_FIX4K_E8000               0x26d
#define MSR_IA32_MTRR_FIX4K_F0000               0x26e
#define MSR_IA32_MTRR_FIX4K_F8000               0x26f
#define MSR_IA32_PAT                            0x277
#define MSR_IA32_MC0_CTL2                       0x280   /* + n */
#define MSR_IA32_MTRR_DEF_TYPE                  0x2ff
#define MSR_IA32_FIXED_CTR0                     0x309   /* + n */
#define MSR_IA32_PERF_METRICS                   0x329
#define MSR_IA32_PERF_CAPABILITIES              0x345
#define MSR_IA32_FIXED_CTR_CTRL                 0x38d
#define MSR_IA32_PERF_GLOBAL_STATUS             0x38e
#define MSR_IA32_PERF_GLOBAL_CTRL               0x38f
#define MSR_IA32_PERF_GLOBAL_STATUS_RESET       0x390   /* was PERF_GLOBAL_OVF_CTRL */
#define MSR_IA32_PERF_GLOBAL_STATUS_SET         0x391
#define MSR_IA32_PERF_GLOBAL_INUSE              0x392
#define MSR_IA32_PEBS_ENABLE                    0x3f1
#define MSR_PEBS_DATA_CFG                       0x3f2
#define MSR_PEBS_LD_LAT_THRESHOLD               0x3f6
#define MSR_PEBS_FRONTEND                       0x3f7
#define MSR_IA32_MC0_CTL                        0x400   /* + 4 * n */
#define MSR_IA32_MC0_STATUS                     0x401   /* + 4 * n */
#define MSR_IA32_MC0_ADDR                       0x402   /* + 4 * n */
#define MSR_IA32_MC0_MISC                       0x403   /* + 4 * n */
#define MSR_IA32_VMX_BASIC                      0x480
#define MSR_IA32_VMX_PINBASED_CTLS              0x481
#define MSR_IA32_VMX_PROCBASED_CTLS             0x482
#define MSR_IA32_VMX_EXIT_CTLS                  0x483
#define MSR_IA32_VMX_ENTRY_CTLS                 0x484
#define MSR_IA32_VMX_MISC                       0x485
#define MSR_IA32_VMX_CR0_FIXED0                 0x486
#define MSR_IA32_VMX_CR0_FIXED1                 0x487
#define MSR_IA32_VMX_CR4_FIXED0                 0x488
#define MSR_IA32_VMX_CR4_FIXED1                 0x489
#define MSR_IA32_VMX_VMCS_ENUM                  0x48a
#define MSR_IA32_VMX_PROCBASED_CTLS2            0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP               0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS         0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS        0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS             0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS            0x490
#define MSR_IA32_VMX_VMFUNC                     0x491
#define MSR_IA32_VMX_PROCBASED_CTLS3            0x492
#define MSR_IA32_VMX_EXIT_CTLS2                 0x493
#define MSR_IA32_A_PMC0                         0x4c1   /* + n */
#define MSR_IA32_MCG_EXT_CTL                    0x4d0
#define MSR_IA32_SGX_SVN_STATUS                 0x500
#define MSR_IA32_RTIT_OUTPUT_BASE               0x560
#define MSR_IA32_RTIT_OUTPUT_MASK_PTRS          0x561
#define MSR_IA32_RTIT_CTL                       0x570
#define MSR_IA32_RTIT_STATUS                    0x571
#define MSR_IA32_RTIT_CR3_MATCH                 0x572
#define MSR_IA32_RTIT_ADDR0_A                   0x580   /* .. ADDR3_B 0x587 */
#define MSR_IA32_DS_AREA                        0x600
#define MSR_RAPL_POWER_UNIT                     0x606
#define MSR_PKG_POWER_LIMIT                     0x610
#define MSR_PKG_ENERGY_STATUS                   0x611
#define MSR_PKG_POWER_INFO                      0x614
#define MSR_DRAM_ENERGY_STATUS                  0x619
#define MSR_PP0_ENERGY_STATUS                   0x639
#define MSR_PP1_ENERGY_STATUS                   0x641
#define MSR_PLATFORM_ENERGY_COUNTER             0x64d
#define MSR_PPERF                               0x64e
#define MSR_IA32_U_CET                          0x6a0
#define MSR_IA32_S_CET                          0x6a2
#define MSR_IA32_PL0_SSP                        0x6a4
#define MSR_IA32_PL1_SSP                        0x6a5
#define MSR_IA32_PL2_SSP                        0x6a6
#define MSR_IA32_PL3_SSP                        0x6a7
#define MSR_IA32_INTERRUPT_SSP_TABLE_ADDR       0x6a8
#define MSR_IA32_TSC_DEADLINE                   0x6e0
#define MSR_IA32_PKRS                           0x6e1
#define MSR_IA32_PM_ENABLE                      0x770
#define MSR_IA32_HWP_CAPABILITIES               0x771
#define MSR_IA32_HWP_REQUEST_PKG                0x772
#define MSR_IA32_HWP_INTERRUPT                  0x773
#define MSR_IA32_HWP_REQUEST                    0x774
#define MSR_IA32_HWP_STATUS                     0x777
#define MSR_IA32_X2APIC_FIRST                   0x800   /* register numbers: apic.h */
#define MSR_IA32_X2APIC_LAST                    0x8ff
#define MSR_IA32_TME_CAPABILITY                 0x981
#define MSR_IA32_TME_ACTIVATE                   0x982
#define MSR_IA32_UINTR_RR                       0x985
#define MSR_IA32_UINTR_HANDLER                  0x986
#define MSR_IA32_UINTR_STACKADJUST              0x987
#define MSR_IA32_UINTR_MISC                     0x988
#define MSR_IA32_UINTR_PD                       0x989
#define MSR_IA32_UINTR_TT                       0x98a
#define MSR_IA32_DEBUG_INTERFACE                0xc80
#define MSR_IA32_L3_QOS_CFG                     0xc81
#define MSR_IA32_L2_QOS_CFG                     0xc82
#define MSR_IA32_QM_EVTSEL                      0xc8d
#define MSR_IA32_QM_CTR                         0xc8e
#define MSR_IA32_PQR_ASSOC                      0xc8f
#define MSR_IA32_BNDCFGS                        0xd90
#define MSR_IA32_PASID                          0xd93
#define MSR_IA32_XSS                            0xda0
#define MSR_IA32_PKG_HDC_CTL                    0xdb0
#define MSR_IA32_PM_CTL1                        0xdb1
#define MSR_IA32_THREAD_STALL                   0xdb2
#define MSR_IA32_LBR_INFO0                      0x1200  /* + n */
#define MSR_IA32_LBR_CTL                        0x14ce
#define MSR_IA32_LBR_DEPTH                      0x14cf
#define MSR_IA32_LBR_FROM_IP0                   0x1500  /* + n */
#define MSR_IA32_LBR_TO_IP0                     0x1600  /* + n */
#define MSR_IA32_HW_FEEDBACK_PTR                0x17d0
#define MSR_IA32_HW_FEEDBACK_CONFIG             0x17d1
#define MSR_IA32_EFER                           0xc0000080
#define MSR_IA32_STAR                           0xc0000081
#define MSR_IA32_LSTAR                          0xc0000082
#define MSR_IA32_CSTAR                          0xc0000083
#define MSR_IA32_FMASK                          0xc0000084
#define MSR_IA32_FS_BASE                        0xc0000100
#define MSR_IA32_GS_BASE                        0xc0000101
#define MSR_IA32_KERNEL_GS_BASE                 0xc0000102
#define MSR_IA32_TSC_AUX                        0xc0000103

/* Ranges the MSR bitmap covers; an access outside always exits. */
#define MSR_BITMAP_LOW_FIRST                    0x00000000
#define MSR_BITMAP_LOW_LAST                     0x00001fff
#define MSR_BITMAP_HIGH_FIRST                   0xc0000000
#define MSR_BITMAP_HIGH_LAST                    0xc0001fff

/* IA32_APIC_BASE */
#define APIC_BASE_BSP                           BIT64(8)
#define APIC_BASE_EXTD                          BIT64(10)       /* x2APIC mode */
#define APIC_BASE_EN                            BIT64(11)       /* xAPIC global enable */
#define APIC_BASE_ADDR                          GENMASK64(51, 12)
#define APIC_BASE_DEFAULT                       0xfee00000

/* IA32_FEATURE_CONTROL */
#define FEATURE_CONTROL_LOCK                    BIT64(0)
#define FEATURE_CONTROL_VMX_IN_SMX              BIT64(1)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX         BIT64(2)
#define FEATURE_CONTROL_SENTER_LOCAL            GENMASK64(14, 8)
#define FEATURE_CONTROL_SENTER_GLOBAL           BIT64(15)
#define FEATURE_CONTROL_SGX_LC                  BIT64(17)
#define FEATURE_CONTROL_SGX                     BIT64(18)
#define FEATURE_CONTROL_LMCE                    BIT64(20)

/* IA32_SPEC_CTRL */
#define SPEC_CTRL_IBRS                          BIT64(0)
#define SPEC_CTRL_STIBP                         BIT64(1)
#define SPEC_CTRL_SSBD                          BIT64(2)
#define SPEC_CTRL_IPRED_DIS_U                   BIT64(3)
#define SPEC_CTRL_IPRED_DIS_S                   BIT64(4)
#define SPEC_CTRL_RRSBA_DIS_U                   BIT64(5)
#define SPEC_CTRL_RRSBA_DIS_S                   BIT64(6)
#define SPEC_CTRL_PSFD                          BIT64(7)
#define SPEC_CTRL_DDPD_U                        BIT64(8)
#define SPEC_CTRL_BHI_DIS_S                     BIT64(10)

/* IA32_PRED_CMD, IA32_FLUSH_CMD (both write only) */
#define PRED_CMD_IBPB                           BIT64(0)
#define FLUSH_CMD_L1D                           BIT64(0)

/* IA32_BIOS_SIGN_ID: microcode revision, valid after CPUID leaf 1 */
#define BIOS_SIGN_ID_REVISION                   GENMASK64(63, 32)

/* MSR_PLATFORM_INFO */
#define PLATFORM_INFO_MAX_NON_TURBO_RATIO       GENMASK64(15, 8)
#define PLATFORM_INFO_CPUID_FAULTING            BIT64(31)

/* MSR_MISC_FEATURES_ENABLES */
#define MISC_FEATURES_CPUID_FAULTING            BIT64(0)
#define MISC_FEATURES_RING3_MWAIT               BIT64(1)

/* IA32_UMWAIT_CONTROL */
#define UMWAIT_CONTROL_C02_DISABLED             BIT64(0)
#define UMWAIT_CONTROL_MAX_TIME                 GENMASK64(31, 2)

/* IA32_MTRRCAP, IA32_MTRR_DEF_TYPE, IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn */
#define MTRRCAP_VCNT                            GENMASK64(7, 0)
#define MTRRCAP_FIX                             BIT64(8)
#define MTRRCAP_WC                              BIT64(10)
#define MTRRCAP_SMRR                            BIT64(11)
#define MTRRCAP_PRMRR                           BIT64(12)
#define MTRR_DEF_TYPE_TYPE                      GENMASK64(7, 0)
#define MTRR_DEF_TYPE_FE                        BIT64(10)
#define MTRR_DEF_TYPE_E                         BIT64(11)
#define MTRR_PHYSBASE_TYPE                      GENMASK64(7, 0)
#define MTRR_PHYSBASE_ADDR                      GENMASK64(51, 12)
#define MTRR_PHYSMASK_V                         BIT64(11)
#define MTRR_PHYSMASK_MASK                      GENMASK64(51, 12)

/* IA32_PAT: entry n is byte n; power-on value WB WT UC- UC, twice */
#define PAT_RESET                               0x0007040600070406
/* Ours: entry 1, which nothing else uses, is WC. */
#define PAT_HOST                                0x0007040600070106

/* IA32_ARCH_CAPABILITIES */
#define ARCH_CAP_RDCL_NO                        BIT64(0)
#define ARCH_CAP_IBRS_ALL                       BIT64(1)
#define ARCH_CAP_RSBA                           BIT64(2)
#define ARCH_CAP_SKIP_L1DFL_VMENTRY             BIT64(3)
#define ARCH_CAP_SSB_NO                         BIT64(4)
#define ARCH_CAP_MDS_NO                         BIT64(5)
#define ARCH_CAP_IF_PSCHANGE_MC_NO              BIT64(6)
#define ARCH_CAP_TSX_CTRL                       BIT64(7)
#define ARCH_CAP_TAA_NO                         BIT64(8)
#define ARCH_CAP_MCU_CONTROL                    BIT64(9)
#define ARCH_CAP_MISC_PACKAGE_CTLS              BIT64(10)
#define ARCH_CAP_ENERGY_FILTERING_CTL           BIT64(11)
#define ARCH_CAP_DOITM                          BIT64(12)
#define ARCH_CAP_SBDR_SSDP_NO                   BIT64(13)
#define ARCH_CAP_FBSDP_NO                       BIT64(14)
#define ARCH_CAP_PSDP_NO                        BIT64(15)
#define ARCH_CAP_FB_CLEAR                       BIT64(17)
#define ARCH_CAP_FB_CLEAR_CTRL                  BIT64(18)
#define ARCH_CAP_RRSBA                          BIT64(19)
#define ARCH_CAP_BHI_NO                         BIT64(20)
#define ARCH_CAP_XAPIC_DISABLE_STATUS           BIT64(21)
#define ARCH_CAP_MCU_EXTENDED_SERVICE           BIT64(22)
#define ARCH_CAP_OVERCLOCKING_STATUS            BIT64(23)
#define ARCH_CAP_PBRSB_NO                       BIT64(24)
#define ARCH_CAP_GDS_CTRL                       BIT64(25)
#define ARCH_CAP_GDS_NO                         BIT64(26)
#define ARCH_CAP_RFDS_NO                        BIT64(27)
#define ARCH_CAP_RFDS_CLEAR                     BIT64(28)

/* IA32_TSX_CTRL, IA32_MCU_OPT_CTRL */
#define TSX_CTRL_RTM_DISABLE                    BIT64(0)
#define TSX_CTRL_CPUID_CLEAR                    BIT64(1)
#define MCU_OPT_CTRL_RNGDS_MITG_DIS             BIT64(0)
#define MCU_OPT_CTRL_RTM_ALLOW                  BIT64(1)
#define MCU_OPT_CTRL_RTM_LOCKED                 BIT64(2)
#define MCU_OPT_CTRL_FB_CLEAR_DIS               BIT64(3)
#define MCU_OPT_CTRL_GDS_MITG_DIS               BIT64(4)
#define MCU_OPT_CTRL_GDS_MITG_LOCK              BIT64(5)

/* IA32_MCG_CAP, IA32_MCG_STATUS, IA32_MCi_STATUS */
#define MCG_CAP_COUNT                           GENMASK64(7, 0)
#define MCG_CAP_CTL_P                           BIT64(8)
#define MCG_CAP_EXT_P                           BIT64(9)
#define MCG_CAP_CMCI_P                          BIT64(10)
#define MCG_CAP_TES_P                           BIT64(11)
#define MCG_CAP_EXT_CNT                         GENMASK64(23, 16)
#define MCG_CAP_SER_P                           BIT64(24)
#define MCG_CAP_LMCE_P                          BIT64(27)
#define MCG_STATUS_RIPV                         BIT64(0)
#define MCG_STATUS_EIPV                         BIT64(1)
#define MCG_STATUS_MCIP                         BIT64(2)
#define MCG_STATUS_LMCE_S                       BIT64(3)
#define MCI_STATUS_MCA_CODE                     GENMASK64(15, 0)
#define MCI_STATUS_PCC                          BIT64(57)
#define MCI_STATUS_ADDRV                        BIT64(58)
#define MCI_STATUS_MISCV                        BIT64(59)
#define MCI_STATUS_EN                           BIT64(60)
#define MCI_STATUS_UC                           BIT64(61)
#define MCI_STATUS_OVER                         BIT64(62)
#define MCI_STATUS_VAL                          BIT64(63)

/* IA32_MISC_ENABLE */
#define MISC_ENABLE_FAST_STRINGS                BIT64(0)
#define MISC_ENABLE_TCC                         BIT64(3)
#define MISC_ENABLE_PERFMON_AVAILABLE           BIT64(7)
#define MISC_ENABLE_BTS_UNAVAILABLE             BIT64(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE            BIT64(12)
#define MISC_ENABLE_ENHANCED_SPEEDSTEP          BIT64(16)
#define MISC_ENABLE_MONITOR_FSM                 BIT64(18)
#define MISC_ENABLE_LIMIT_CPUID                 BIT64(22)
#define MISC_ENABLE_XTPR_DISABLE                BIT64(23)
#define MISC_ENABLE_XD_DISABLE                  BIT64(34)
#define MISC_ENABLE_TURBO_DISABLE               BIT64(38)

/* IA32_DEBUGCTL */
#define DEBUGCTL_LBR                            BIT64(0)
#define DEBUGCTL_BTF                            BIT64(1)
#define DEBUGCTL_BLD                            BIT64(2)        /* bus-lock detection */
#define DEBUGCTL_TR                             BIT64(6)
#define DEBUGCTL_BTS                            BIT64(7)
#define DEBUGCTL_BTINT                          BIT64(8)
#define DEBUGCTL_BTS_OFF_OS                     BIT64(9)
#define DEBUGCTL_BTS_OFF_USR                    BIT64(10)
#define DEBUGCTL_FREEZE_LBRS_ON_PMI             BIT64(11)
#define DEBUGCTL_FREEZE_PERFMON_ON_PMI          BIT64(12)
#define DEBUGCTL_ENABLE_UNCORE_PMI              BIT64(13)
#define DEBUGCTL_FREEZE_WHILE_SMM               BIT64(14)
#define DEBUGCTL_RTM                            BIT64(15)

/* IA32_S_CET, IA32_U_CET */
#define CET_SH_STK_EN                           BIT64(0)
#define CET_WR_SHSTK_EN                         BIT64(1)
#define CET_ENDBR_EN                            BIT64(2)
#define CET_LEG_IW_EN                           BIT64(3)
#define CET_NO_TRACK_EN                         BIT64(4)
#define CET_SUPPRESS_DIS                        BIT64(5)
#define CET_SUPPRESS                            BIT64(10)
#define CET_TRACKER                             BIT64(11)

/* IA32_STAR */
#define STAR_SYSCALL_CS                         GENMASK64(47, 32)
#define STAR_SYSRET_CS                          GENMASK64(63, 48)
