/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the decoder, its tables and the executor: opcode attributes, helpers. core/emul only. */
#pragma once

#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/reg.h"
#include "core/emul/emul.h"
#include "core/lib/bits.h"
#include "core/mem/gpa.h"
#include "core/mem/walk.h"

/* clang-format off */

/* Attributes of one opcode, or of one ModRM.reg value of a group: OR-ed over the opcode's own. */
#define INSN_OP_MASK    GENMASK32(5, 0)  /* enum emul_op + 1; 0: not in the subset */
#define INSN_OP(op)     ((u32)(op) + 1u)
#define INSN_MODRM      BIT32(6)
#define INSN_BYTE       BIT32(7)        /* operand size is 1 */
#define INSN_MEM_DST    BIT32(8)        /* the r/m, moffs or string operand comes first */
#define INSN_IMM8       BIT32(9)        /* sign-extended byte */
#define INSN_IMMZ       BIT32(10)       /* operand size, at most 4 bytes */
#define INSN_STRING     BIT32(11)
#define INSN_MOFFS      BIT32(12)
#define INSN_MEM8       BIT32(13)       /* memory is narrower than the register: MOVZX, MOVSX */
#define INSN_MEM16      BIT32(14)
#define INSN_MEM32      BIT32(15)
#define INSN_SX         BIT32(16)
#define INSN_LOCK       BIT32(17)       /* LOCK is allowed */
#define INSN_DEF64      BIT32(18)       /* 64-bit mode: operand size is 8 or 2, never 4 */
#define INSN_NO64       BIT32(19)       /* not in 64-bit mode */
#define INSN_ONLY64     BIT32(20)
#define INSN_REGOP      BIT32(21)       /* register in opcode bits 2:0; the operand is the stack */
#define INSN_PREFIX     BIT32(22)       /* legacy prefix */
#define INSN_DI         BIT32(23)       /* string instruction with its operand at ES:DI */
#define INSN_NO_F3      BIT32(28)       /* F3 makes it another instruction */
#define INSN_8_IN_64    BIT32(29)       /* 64-bit mode: operand size is 8, whatever the prefix */
#define INSN_IMM16      BIT32(30)       /* unsigned; with INSN_IMM8 a byte follows */
#define INSN_SREG       BIT32(31)       /* ModRM.reg is a segment register */
#define INSN_GROUP      GENMASK32(27, 24)
#define INSN_GRP(n)     ((u32)(n) << 24)

/* Rows of insn_groups[]. */
enum insn_group { GRP_NONE, GRP_1, GRP_1A, GRP_3, GRP_4, GRP_5, GRP_6, GRP_7, GRP_8, GRP_11, GRP_COUNT };

/* clang-format on */

extern const u32 insn_one_byte[256];
extern const u32 insn_two_byte[256]; /* after 0F */
extern const u32 insn_groups[GRP_COUNT][8];

/* Mandatory prefixes, numbered as in VEX.pp. */
enum vec_prefix { PP_NONE, PP_66, PP_F3, PP_F2 };

/* Rows of the vector moves; a bit of @flags for what the encoding allows. */
#define VEC_ANY_L  BIT32(0) /* VEX.L doubles @bytes */
#define VEC_NO_L   BIT32(1) /* VEX.L must be 0; neither: it is ignored */
#define VEC_W      BIT32(2) /* REX.W, VEX.W double @bytes */
#define VEC_NO_VEX BIT32(3)
#define VEC_MMX    BIT32(4)

struct vec_row {
	u8 map; /* 1: 0F, 2: 0F 38 */
	u8 opcode;
	u8 prefixes; /* bit per enum vec_prefix */
	u8 bytes;    /* of memory */
	u8 half;     /* enum vec_half */
	u8 flags;
	u32 attr; /* INSN_OP and INSN_MEM_DST */
};

/* vec_row_find() - NULL: not in the subset. */
const struct vec_row *vec_row_find(u32 map, u8 opcode, enum vec_prefix pp);

/* Bytes at RIP, and where they came from. */
struct code {
	u64 raw[2];   /* 16 bytes, of which 15 count */
	u32 len;      /* valid bytes; if below 15 the next page does not translate: see @fault */
	bool again;   /* cut short by memory that is not there yet */
	const u8 *at; /* the 16 bytes in guest RAM; NULL: not in one piece there */
	struct walk_path path;
	struct walk_fault fault;
};

void fetch_code(struct vp *vp, enum emul_mode mode, struct code *code);

/*
 * Decoded instructions of hot places. Every lookup checks that page tables and bytes are unchanged.
 * 64-bit mode only. cache.c
 */
const struct insn *cache_find(const struct vp *vp); /* NULL: not there */
void cache_add(struct vp *vp, const struct code *code, const struct insn *in);

/*
 * alu_binary(), alu_unary() - result of @size bytes, zero-extended; updates the status flags that
 * the instruction defines in *@rflags. Ignores upper bits of the operands. alu.c
 */
u64 alu_binary(enum emul_op op, u32 size, u64 a, u64 b, u64 *rflags);
u64 alu_unary(enum emul_op op, u32 size, u64 a, u64 *rflags);

/* alu_bit() - BT, BTS, BTR, BTC of bit @bit (already below 8 * size); CF is the old bit. */
u64 alu_bit(enum emul_op op, u64 a, u32 bit, u64 *rflags);

/* alu_multiply() - low half of a * b, @size bytes; *@hi: the upper one. CF and OF: it counts. */
u64 alu_multiply(u32 size, u64 a, u64 b, bool is_signed, u64 *hi, u64 *rflags);

/* alu_divide() - *@hi:*@lo / @by, of @size bytes each: the quotient into *@lo, the remainder into
 * *@hi. ERR_RANGE: #DE, nothing has changed. */
MUST_CHECK err_t alu_divide(u32 size, u64 *hi, u64 *lo, u64 by, bool is_signed);

/* alu_double_shift() - SHLD, SHRD of @a by @by, which is 1 to 31, or 63 with 8 bytes. */
u64 alu_double_shift(enum emul_op op, u32 size, u64 a, u64 b, u32 by, u64 *rflags);

/* alu_condition() - condition @cc of Jcc, CMOVcc and SETcc, as in bits 3:0 of the opcode. */
bool alu_condition(u32 cc, u64 rflags);
