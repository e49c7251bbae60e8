/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors, segment and gate descriptors, and the 64-bit TSS; constants usable from .S files. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

/*
 * Layout of Kensho's own GDT. SEL_CODE32 is for the 32-bit part of boot only; the hypervisor
 * never leaves CPL 0.
 */
#define SEL_NULL        0x00
#define SEL_CODE64      0x08
#define SEL_DATA        0x10
#define SEL_CODE32      0x18
#define SEL_TSS         0x20                    /* 16 bytes */
#define GDT_BYTES       0x30

/* Selector fields */
#define SEL_RPL         0x0003
#define SEL_TI          0x0004
#define SEL_INDEX       0xfff8

/* Segment descriptor: SDM Vol. 3A, "Segment Descriptors". */
#define DESC_LIMIT_LOW  GENMASK64(15, 0)
#define DESC_BASE_LOW   GENMASK64(39, 16)       /* base 23:0 */
#define DESC_TYPE       GENMASK64(43, 40)
#define DESC_S          BIT64(44)
#define DESC_DPL        GENMASK64(46, 45)
#define DESC_P          BIT64(47)
#define DESC_LIMIT_HIGH GENMASK64(51, 48)
#define DESC_AVL        BIT64(52)
#define DESC_L          BIT64(53)
#define DESC_DB         BIT64(54)
#define DESC_G          BIT64(55)
#define DESC_BASE_HIGH  GENMASK64(63, 56)       /* base 31:24 */

/* Flat descriptors with the accessed bit set, so that the GDT can be read-only. */
#define DESC_FLAT_CODE64 UL64(0x00af9b000000ffff)
#define DESC_FLAT_CODE32 UL64(0x00cf9b000000ffff)
#define DESC_FLAT_DATA   UL64(0x00cf93000000ffff)

/* DESC_TYPE of system descriptors and gates (S = 0) */
#define DESC_TYPE_TSS16_AVAIL   0x1
#define DESC_TYPE_LDT           0x2
#define DESC_TYPE_TSS16_BUSY    0x3
#define DESC_TYPE_CALL_GATE16   0x4
#define DESC_TYPE_TASK_GATE     0x5
#define DESC_TYPE_INTR_GATE16   0x6
#define DESC_TYPE_TRAP_GATE16   0x7
#define DESC_TYPE_TSS_AVAIL     0x9
#define DESC_TYPE_TSS_BUSY      0xb
#define DESC_TYPE_CALL_GATE     0xc
#define DESC_TYPE_INTR_GATE     0xe
#define DESC_TYPE_TRAP_GATE     0xf

/* 64-bit gate, first quadword; the second holds offset 63:32. */
#define GATE_OFFSET_LOW  GENMASK64(15, 0)
#define GATE_SELECTOR    GENMASK64(31, 16)
#define GATE_IST         GENMASK64(34, 32)
#define GATE_TYPE        GENMASK64(43, 40)
#define GATE_DPL         GENMASK64(46, 45)
#define GATE_P           BIT64(47)
#define GATE_OFFSET_MID  GENMASK64(63, 48)

/* 64-bit TSS: SDM Vol. 3A, "Task Management in 64-bit Mode". */
#define TSS64_RSP0       0x04
#define TSS64_IST1       0x24
#define TSS64_IOMAP_BASE 0x66
#define TSS64_BYTES      0x68
#define TSS64_LIMIT      0x67

/*
 * 32- and 16-bit TSS: SDM Vol. 3A, "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)".
 * The general registers lie in the order of their numbers, the selectors as ES CS SS DS (FS GS).
 */
#define TSS32_CR3        0x1c
#define TSS32_EIP        0x20
#define TSS32_EFLAGS     0x24
#define TSS32_EAX        0x28
#define TSS32_ES         0x48
#define TSS32_LDT        0x60
#define TSS32_TRAP       0x64                    /* bit 0: T flag */
#define TSS32_IOMAP_BASE 0x66
#define TSS32_BYTES      0x68
#define TSS16_IP         0x0e
#define TSS16_FLAGS      0x10
#define TSS16_AX         0x12
#define TSS16_ES         0x22
#define TSS16_LDT        0x2a
#define TSS16_BYTES      0x2c
#define TSS_LINK         0x00                    /* selector of the previous task */

#define DESC_TYPE_BYTE   5                       /* of the descriptor: type, S, DPL and P */
#define DESC_TYPE_TSS_IS_BUSY 0x2                /* in the type of either TSS */

/* clang-format on */

#ifndef __ASSEMBLER__

struct tss64 {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap_base;
} PACKED;

/* Operand of LGDT, LIDT, SGDT and SIDT in 64-bit mode. */
struct desc_ptr {
	u16 limit;
	u64 base;
} PACKED;

struct idt_gate {
	u64 low;
	u64 high;
};

static_assert(sizeof(struct tss64) == TSS64_BYTES, "TSS layout");
static_assert(offsetof(struct tss64, ist) == TSS64_IST1, "TSS layout");
static_assert(offsetof(struct tss64, iomap_base) == TSS64_IOMAP_BASE, "TSS layout");
static_assert(sizeof(struct desc_ptr) == 10, "LGDT operand");

static inline u64 desc_base(u64 desc)
{
	return FIELD_GET(DESC_BASE_LOW, desc) | FIELD_GET(DESC_BASE_HIGH, desc) << 24;
}

/* Limit in bytes, granularity applied. */
static inline u32 desc_limit(u64 desc)
{
	u32 limit = (u32)(FIELD_GET(DESC_LIMIT_LOW, desc) | FIELD_GET(DESC_LIMIT_HIGH, desc) << 16);

	return (desc & DESC_G) ? (limit << 12 | 0xfff) : limit;
}

/* First quadword of a system descriptor; the second holds base >> 32. */
static inline u64 desc_system_low(u64 base, u32 limit, u32 type)
{
	return FIELD_PREP(DESC_LIMIT_LOW, limit) | FIELD_PREP(DESC_LIMIT_HIGH, limit >> 16) |
	       FIELD_PREP(DESC_BASE_LOW, base) | FIELD_PREP(DESC_BASE_HIGH, base >> 24) |
	       FIELD_PREP(DESC_TYPE, type) | DESC_P;
}

static inline struct idt_gate idt_gate_make(u64 offset, u16 selector, u8 ist)
{
	return (struct idt_gate){
		.low = FIELD_PREP(GATE_OFFSET_LOW, offset) | FIELD_PREP(GATE_SELECTOR, selector) |
		       FIELD_PREP(GATE_IST, ist) | FIELD_PREP(GATE_TYPE, DESC_TYPE_INTR_GATE) |
		       FIELD_PREP(GATE_OFFSET_MID, offset >> 16) | GATE_P,
		.high = offset >> 32,
	};
}

#endif /* __ASSEMBLER__ */
