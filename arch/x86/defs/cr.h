/* SPDX-License-Identifier: BSD-2-Clause */
/* Control, flag, debug and extended-control register bits; usable from .S files. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

#define CR0_PE          BIT64(0)
#define CR0_MP          BIT64(1)
#define CR0_EM          BIT64(2)
#define CR0_TS          BIT64(3)
#define CR0_ET          BIT64(4)
#define CR0_NE          BIT64(5)
#define CR0_WP          BIT64(16)
#define CR0_AM          BIT64(18)
#define CR0_NW          BIT64(29)
#define CR0_CD          BIT64(30)
#define CR0_PG          BIT64(31)

#define CR3_PWT         BIT64(3)
#define CR3_PCD         BIT64(4)
#define CR3_PCID        GENMASK64(11, 0)        /* with CR4.PCIDE */
#define CR3_ADDR        GENMASK64(51, 12)
#define CR3_PAE_ADDR    UL64(0xffffffe0)        /* PAE paging: 32 bytes of PDPTEs */
#define CR3_LAM_U57     BIT64(61)
#define CR3_LAM_U48     BIT64(62)
#define CR3_NO_FLUSH    BIT64(63)               /* MOV to CR3 only; never stored */

#define CR4_VME         BIT64(0)
#define CR4_PVI         BIT64(1)
#define CR4_TSD         BIT64(2)
#define CR4_DE          BIT64(3)
#define CR4_PSE         BIT64(4)
#define CR4_PAE         BIT64(5)
#define CR4_MCE         BIT64(6)
#define CR4_PGE         BIT64(7)
#define CR4_PCE         BIT64(8)
#define CR4_OSFXSR      BIT64(9)
#define CR4_OSXMMEXCPT  BIT64(10)
#define CR4_UMIP        BIT64(11)
#define CR4_LA57        BIT64(12)
#define CR4_VMXE        BIT64(13)
#define CR4_SMXE        BIT64(14)
#define CR4_FSGSBASE    BIT64(16)
#define CR4_PCIDE       BIT64(17)
#define CR4_OSXSAVE     BIT64(18)
#define CR4_KL          BIT64(19)
#define CR4_SMEP        BIT64(20)
#define CR4_SMAP        BIT64(21)
#define CR4_PKE         BIT64(22)
#define CR4_CET         BIT64(23)
#define CR4_PKS         BIT64(24)
#define CR4_UINTR       BIT64(25)
#define CR4_LASS        BIT64(27)
#define CR4_LAM_SUP     BIT64(28)
#define CR4_FRED        BIT64(32)

#define CR8_TPL         GENMASK64(3, 0)

/* IA32_EFER */
#define EFER_SCE        BIT64(0)
#define EFER_LME        BIT64(8)
#define EFER_LMA        BIT64(10)
#define EFER_NXE        BIT64(11)

#define RFLAGS_CF       BIT64(0)
#define RFLAGS_FIXED    BIT64(1)                /* always 1 */
#define RFLAGS_PF       BIT64(2)
#define RFLAGS_AF       BIT64(4)
#define RFLAGS_ZF       BIT64(6)
#define RFLAGS_SF       BIT64(7)
#define RFLAGS_TF       BIT64(8)
#define RFLAGS_IF       BIT64(9)
#define RFLAGS_DF       BIT64(10)
#define RFLAGS_OF       BIT64(11)
#define RFLAGS_IOPL     GENMASK64(13, 12)
#define RFLAGS_NT       BIT64(14)
#define RFLAGS_RF       BIT64(16)
#define RFLAGS_VM       BIT64(17)
#define RFLAGS_AC       BIT64(18)
#define RFLAGS_VIF      BIT64(19)
#define RFLAGS_VIP      BIT64(20)
#define RFLAGS_ID       BIT64(21)
#define RFLAGS_DEFINED  UL64(0x3f7fd5)          /* every flag above but FIXED */

/* Also the component numbers of the XSAVE area; XSS_ bits live in IA32_XSS instead. */
#define XCR0_X87        BIT64(0)
#define XCR0_SSE        BIT64(1)
#define XCR0_AVX        BIT64(2)
#define XCR0_BNDREGS    BIT64(3)
#define XCR0_BNDCSR     BIT64(4)
#define XCR0_OPMASK     BIT64(5)
#define XCR0_ZMM_HI256  BIT64(6)
#define XCR0_HI16_ZMM   BIT64(7)
#define XCR0_PKRU       BIT64(9)
#define XCR0_TILECFG    BIT64(17)
#define XCR0_TILEDATA   BIT64(18)
#define XCR0_APX        BIT64(19)

#define XSS_PT          BIT64(8)
#define XSS_PASID       BIT64(10)
#define XSS_CET_U       BIT64(11)
#define XSS_CET_S       BIT64(12)
#define XSS_HDC         BIT64(13)
#define XSS_UINTR       BIT64(14)
#define XSS_LBR         BIT64(15)
#define XSS_HWP         BIT64(16)

/* BLD and RTM read 0 when their condition was met. */
#define DR6_B0          BIT64(0)
#define DR6_B1          BIT64(1)
#define DR6_B2          BIT64(2)
#define DR6_B3          BIT64(3)
#define DR6_B0_B3       GENMASK64(3, 0)
#define DR6_BLD         BIT64(11)
#define DR6_BD          BIT64(13)
#define DR6_BS          BIT64(14)
#define DR6_BT          BIT64(15)
#define DR6_RTM         BIT64(16)
#define DR6_RESET       0xffff0ff0

#define DR7_L0          BIT64(0)
#define DR7_G0          BIT64(1)
#define DR7_L1          BIT64(2)
#define DR7_G1          BIT64(3)
#define DR7_L2          BIT64(4)
#define DR7_G2          BIT64(5)
#define DR7_L3          BIT64(6)
#define DR7_G3          BIT64(7)
#define DR7_ENABLES     GENMASK64(7, 0)
#define DR7_LOCAL       (DR7_L0 | DR7_L1 | DR7_L2 | DR7_L3 | DR7_LE)
#define DR7_LE          BIT64(8)
#define DR7_GE          BIT64(9)
#define DR7_FIXED       BIT64(10)               /* always 1 */
#define DR7_RTM         BIT64(11)
#define DR7_GD          BIT64(13)
#define DR7_RW0         GENMASK64(17, 16)
#define DR7_LEN0        GENMASK64(19, 18)
#define DR7_RW1         GENMASK64(21, 20)
#define DR7_LEN1        GENMASK64(23, 22)
#define DR7_RW2         GENMASK64(25, 24)
#define DR7_LEN2        GENMASK64(27, 26)
#define DR7_RW3         GENMASK64(29, 28)
#define DR7_LEN3        GENMASK64(31, 30)
#define DR7_RESET       0x400

/* DR7_RWn and DR7_LENn values */
#define DR7_RW_EXECUTE  0
#define DR7_RW_WRITE    1
#define DR7_RW_IO       2                       /* with CR4.DE */
#define DR7_RW_ACCESS   3
#define DR7_LEN_1       0
#define DR7_LEN_2       1
#define DR7_LEN_8       2
#define DR7_LEN_4       3
