/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC register offsets and fields; usable from .S files. IA32_APIC_BASE: msr.h. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/* SDM Vol. 3A, "Local APIC Register Address Map". */
#define APIC_ID                 0x020
#define APIC_VERSION            0x030
#define APIC_TPR                0x080
#define APIC_APR                0x090           /* not in x2APIC mode */
#define APIC_PPR                0x0a0
#define APIC_EOI                0x0b0
#define APIC_RRD                0x0c0           /* not in x2APIC mode */
#define APIC_LDR                0x0d0
#define APIC_DFR                0x0e0           /* not in x2APIC mode */
#define APIC_SVR                0x0f0
#define APIC_ISR                0x100           /* 8 registers, 0x10 apart */
#define APIC_TMR                0x180
#define APIC_IRR                0x200
#define APIC_ESR                0x280
#define APIC_LVT_CMCI           0x2f0
#define APIC_ICR                0x300           /* 64 bits wide in x2APIC mode */
#define APIC_ICR2               0x310           /* not in x2APIC mode */
#define APIC_LVT_TIMER          0x320
#define APIC_LVT_THERMAL        0x330
#define APIC_LVT_PERF           0x340
#define APIC_LVT_LINT0          0x350
#define APIC_LVT_LINT1          0x360
#define APIC_LVT_ERROR          0x370
#define APIC_TMICT              0x380
#define APIC_TMCCT              0x390
#define APIC_TDCR               0x3e0
#define APIC_SELF_IPI           0x3f0           /* x2APIC mode only */
#define APIC_REG_STRIDE         0x10

#define X2APIC_MSR_BASE         0x800
#define X2APIC_MSR(offset)      (X2APIC_MSR_BASE + ((offset) >> 4))

/* APIC_ID and the destination field, xAPIC mode */
#define APIC_ID_XAPIC           GENMASK32(31, 24)

#define APIC_VERSION_VERSION    GENMASK32(7, 0)
#define APIC_VERSION_MAX_LVT    GENMASK32(23, 16)       /* entries - 1 */
#define APIC_VERSION_EOI_SUPPRESS BIT32(24)

/* APIC_TPR, APIC_PPR, APIC_APR */
#define APIC_PRIORITY_SUBCLASS  GENMASK32(3, 0)
#define APIC_PRIORITY_CLASS     GENMASK32(7, 4)

#define APIC_LDR_XAPIC          GENMASK32(31, 24)
#define APIC_LDR_X2APIC_ID      GENMASK32(15, 0)        /* one bit in the cluster */
#define APIC_LDR_X2APIC_CLUSTER GENMASK32(31, 16)

#define APIC_DFR_MODEL          GENMASK32(31, 28)
#define APIC_DFR_FLAT           0xffffffff
#define APIC_DFR_CLUSTER        0x0fffffff

#define APIC_SVR_VECTOR         GENMASK32(7, 0)
#define APIC_SVR_ENABLE         BIT32(8)
#define APIC_SVR_FOCUS_DISABLE  BIT32(9)
#define APIC_SVR_EOI_SUPPRESS   BIT32(12)
#define APIC_SVR_RESET          0xff

#define APIC_ESR_SEND_CHECKSUM     BIT32(0)     /* bits 0..3: P6 and Pentium only */
#define APIC_ESR_RECEIVE_CHECKSUM  BIT32(1)
#define APIC_ESR_SEND_ACCEPT       BIT32(2)
#define APIC_ESR_RECEIVE_ACCEPT    BIT32(3)
#define APIC_ESR_REDIRECTABLE_IPI  BIT32(4)
#define APIC_ESR_SEND_ILLEGAL      BIT32(5)
#define APIC_ESR_RECEIVE_ILLEGAL   BIT32(6)
#define APIC_ESR_ILLEGAL_REGISTER  BIT32(7)

/* Local vector table; not every entry has every field. */
#define APIC_LVT_VECTOR         GENMASK32(7, 0)
#define APIC_LVT_MODE           GENMASK32(10, 8)        /* APIC_MODE_* */
#define APIC_LVT_PENDING        BIT32(12)
#define APIC_LVT_ACTIVE_LOW     BIT32(13)
#define APIC_LVT_REMOTE_IRR     BIT32(14)
#define APIC_LVT_LEVEL          BIT32(15)
#define APIC_LVT_MASKED         BIT32(16)
#define APIC_LVT_TIMER_MODE     GENMASK32(18, 17)
#define APIC_LVT_RESET          0x10000

#define APIC_TIMER_ONE_SHOT     0
#define APIC_TIMER_PERIODIC     1
#define APIC_TIMER_TSC_DEADLINE 2

/* Interrupt command register, low dword; ICR2 or bits 63:32 hold the destination. */
#define APIC_ICR_VECTOR         GENMASK32(7, 0)
#define APIC_ICR_MODE           GENMASK32(10, 8)        /* APIC_MODE_* */
#define APIC_ICR_LOGICAL        BIT32(11)
#define APIC_ICR_PENDING        BIT32(12)               /* xAPIC mode only */
#define APIC_ICR_ASSERT         BIT32(14)
#define APIC_ICR_LEVEL          BIT32(15)
#define APIC_ICR_SHORTHAND      GENMASK32(19, 18)       /* APIC_SHORTHAND_* */
#define APIC_ICR_DEST_XAPIC     GENMASK64(63, 56)
#define APIC_ICR_DEST_X2APIC    GENMASK64(63, 32)
#define APIC_ICR2_DEST          GENMASK32(31, 24)

#define APIC_SHORTHAND_NONE     0
#define APIC_SHORTHAND_SELF     1
#define APIC_SHORTHAND_ALL      2
#define APIC_SHORTHAND_OTHERS   3

#define APIC_BROADCAST_XAPIC    0xff
#define APIC_BROADCAST_X2APIC   0xffffffff

/* Delivery modes of LVT entries, the ICR, MSIs and I/O APIC redirection entries */
#define APIC_MODE_FIXED         0
#define APIC_MODE_LOWEST        1
#define APIC_MODE_SMI           2
#define APIC_MODE_NMI           4
#define APIC_MODE_INIT          5
#define APIC_MODE_STARTUP       6                       /* ICR only */
#define APIC_MODE_EXTINT        7                       /* LVT and I/O APIC only */

/* Divide configuration: bits 3, 1 and 0 form the divider; 7 means divide by 1. */
#define APIC_TDCR_LOW           GENMASK32(1, 0)
#define APIC_TDCR_HIGH          BIT32(3)
#define APIC_TDCR_BY_1          0xb

/* MSI address: SDM Vol. 3A, "Message Address Register Format". */
#define MSI_ADDR_BASE           GENMASK32(31, 20)
#define MSI_ADDR_BASE_VALUE     0xfee
#define MSI_ADDR_DEST           GENMASK32(19, 12)
#define MSI_ADDR_EXT_DEST       GENMASK32(11, 5)        /* destination 14:8, where offered */
#define MSI_ADDR_REDIRECT       BIT32(3)
#define MSI_ADDR_LOGICAL        BIT32(2)
#define MSI_DATA_VECTOR         GENMASK32(7, 0)
#define MSI_DATA_MODE           GENMASK32(10, 8)
#define MSI_DATA_ASSERT         BIT32(14)
#define MSI_DATA_LEVEL          BIT32(15)

/* clang-format on */

#ifndef __ASSEMBLER__

/* Shift equivalent to the divider: 0 for "by 1" ... 7 for "by 128". */
static inline u32 apic_tdcr_shift(u32 tdcr)
{
	u32 enc = (tdcr & 3) | ((tdcr >> 1) & 4);

	return (enc + 1) & 7;
}

/* Logical destination an x2APIC derives from its ID. */
static inline u32 x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | 1u << (id & 0xf);
}

#endif /* __ASSEMBLER__ */
