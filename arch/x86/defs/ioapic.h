/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC registers. Source: Intel 82093AA data sheet; EOI register: version 0x20. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

#define IOAPIC_ADDR             UL64(0xfec00000)

/* In memory: */
#define IOAPIC_SELECT           0x00
#define IOAPIC_WINDOW           0x10
#define IOAPIC_EOI              0x40            /* version 0x20 */

/* Behind the window: */
#define IOAPIC_ID               0x00
#define IOAPIC_VERSION          0x01
#define IOAPIC_ARBITRATION      0x02
#define IOAPIC_RTE(pin)         (0x10 + 2 * (pin))      /* low half; the high half is next */

#define IOAPIC_ID_ID            GENMASK32(27, 24)
#define IOAPIC_VERSION_VERSION  GENMASK32(7, 0)
#define IOAPIC_VERSION_MAX_PIN  GENMASK32(23, 16)
#define IOAPIC_VERSION_EOI      0x20                    /* the first with the EOI register */

/* Redirection entry */
#define IOAPIC_RTE_VECTOR       GENMASK64(7, 0)
#define IOAPIC_RTE_MODE         GENMASK64(10, 8)        /* APIC_MODE_* */
#define IOAPIC_RTE_LOGICAL      BIT64(11)
#define IOAPIC_RTE_PENDING      BIT64(12)               /* read-only */
#define IOAPIC_RTE_ACTIVE_LOW   BIT64(13)
#define IOAPIC_RTE_REMOTE_IRR   BIT64(14)               /* read-only */
#define IOAPIC_RTE_LEVEL        BIT64(15)
#define IOAPIC_RTE_MASKED       BIT64(16)
#define IOAPIC_RTE_DEST         GENMASK64(63, 56)

/* clang-format on */
