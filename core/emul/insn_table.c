/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opcode tables of the instruction subset. Pure data.
 *
 * Spec: SDM Vol. 2D, "Opcode Map".
 */
#include "core/emul/emul_internal.h"

/* clang-format off */

/* Short names for the columns below. */
#define OP(o)   INSN_OP(EMUL_##o)
#define RM      INSN_MODRM
#define B       INSN_BYTE
#define DST     INSN_MEM_DST
#define LK      INSN_LOCK
#define Ib      INSN_IMM8
#define Iz      INSN_IMMZ

/* The four forms of a two-operand instruction with r/m: Eb,Gb  Ev,Gv  Gb,Eb  Gv,Ev */
#define ALU(first, o, lock)                                     \
	[(first) + 0] = OP(o) | RM | B | DST | (lock),          \
	[(first) + 1] = OP(o) | RM | DST | (lock),              \
	[(first) + 2] = OP(o) | RM | B,                         \
	[(first) + 3] = OP(o) | RM

const u32 insn_one_byte[256] = {
	ALU(0x00, ADD, LK), ALU(0x08, OR, LK),  ALU(0x10, ADC, LK), ALU(0x18, SBB, LK),
	ALU(0x20, AND, LK), ALU(0x28, SUB, LK), ALU(0x30, XOR, LK), ALU(0x38, CMP, 0),

	[0x26] = INSN_PREFIX, [0x2e] = INSN_PREFIX, [0x36] = INSN_PREFIX, [0x3e] = INSN_PREFIX,
	[0x64] = INSN_PREFIX, [0x65] = INSN_PREFIX, [0x66] = INSN_PREFIX, [0x67] = INSN_PREFIX,
	[0xf0] = INSN_PREFIX, [0xf2] = INSN_PREFIX, [0xf3] = INSN_PREFIX,

	[0x50 ... 0x57] = OP(PUSH) | DST | INSN_REGOP | INSN_DEF64,
	[0x58 ... 0x5f] = OP(POP) | INSN_REGOP | INSN_DEF64,
	[0x68] = OP(PUSH) | DST | Iz | INSN_DEF64,
	[0x69] = OP(IMUL_REG) | RM | Iz,
	[0x6a] = OP(PUSH) | DST | Ib | INSN_DEF64,
	[0x6b] = OP(IMUL_REG) | RM | Ib,

	[0x63] = OP(MOV) | RM | INSN_MEM32 | INSN_SX | INSN_ONLY64,     /* MOVSXD */

	[0x6c] = OP(INS) | B | DST | INSN_STRING | INSN_DI,
	[0x6d] = OP(INS) | DST | INSN_MEM32 | INSN_STRING | INSN_DI,
	[0x6e] = OP(OUTS) | B | INSN_STRING,
	[0x6f] = OP(OUTS) | INSN_MEM32 | INSN_STRING,

	[0x80] = RM | B | DST | Ib | INSN_GRP(GRP_1),
	[0x81] = RM | DST | Iz | INSN_GRP(GRP_1),
	[0x82] = RM | B | DST | Ib | INSN_NO64 | INSN_GRP(GRP_1),
	[0x83] = RM | DST | Ib | INSN_GRP(GRP_1),
	[0x84] = OP(TEST) | RM | B,
	[0x85] = OP(TEST) | RM,
	[0x86] = OP(XCHG) | RM | B | DST | LK,
	[0x87] = OP(XCHG) | RM | DST | LK,
	[0x88] = OP(MOV) | RM | B | DST,
	[0x89] = OP(MOV) | RM | DST,
	[0x8a] = OP(MOV) | RM | B,
	[0x8b] = OP(MOV) | RM,
	[0x8c] = OP(MOV_FROM_SREG) | RM | DST | INSN_MEM16 | INSN_SREG,
	[0x8e] = OP(MOV_TO_SREG) | RM | INSN_MEM16 | INSN_SREG,
	[0x8f] = RM | DST | INSN_DEF64 | INSN_GRP(GRP_1A),

	[0xa0] = OP(MOV) | B | INSN_MOFFS,
	[0xa1] = OP(MOV) | INSN_MOFFS,
	[0xa2] = OP(MOV) | B | DST | INSN_MOFFS,
	[0xa3] = OP(MOV) | DST | INSN_MOFFS,
	[0xa4] = OP(MOVS) | B | DST | INSN_STRING,
	[0xa5] = OP(MOVS) | DST | INSN_STRING,
	[0xa6] = OP(CMPS) | B | INSN_STRING,
	[0xa7] = OP(CMPS) | INSN_STRING,
	[0xaa] = OP(STOS) | B | DST | INSN_STRING | INSN_DI,
	[0xab] = OP(STOS) | DST | INSN_STRING | INSN_DI,
	[0xac] = OP(LODS) | B | INSN_STRING,
	[0xad] = OP(LODS) | INSN_STRING,
	[0xae] = OP(SCAS) | B | INSN_STRING | INSN_DI,
	[0xaf] = OP(SCAS) | INSN_STRING | INSN_DI,

	[0xc2] = OP(RET) | INSN_IMM16 | INSN_8_IN_64,
	[0xc3] = OP(RET) | INSN_8_IN_64,
	[0xc6] = RM | B | DST | Ib | INSN_GRP(GRP_11),
	[0xc7] = RM | DST | Iz | INSN_GRP(GRP_11),
	[0xc8] = OP(ENTER) | DST | INSN_IMM16 | Ib | INSN_DEF64,
	[0xc9] = OP(LEAVE) | INSN_DEF64,
	[0xca] = OP(RET_FAR) | INSN_IMM16,
	[0xcb] = OP(RET_FAR),
	[0xcf] = OP(IRET),
	[0xe8] = OP(CALL) | DST | Iz | INSN_8_IN_64,

	[0xf6] = RM | B | DST | INSN_GRP(GRP_3),
	[0xf7] = RM | DST | INSN_GRP(GRP_3),
	[0xfe] = RM | B | DST | INSN_GRP(GRP_4),
	[0xff] = RM | INSN_GRP(GRP_5),
};

const u32 insn_two_byte[256] = {
	[0x00] = RM | INSN_MEM16 | INSN_GRP(GRP_6),
	[0x01] = RM | INSN_GRP(GRP_7),
	[0x40 ... 0x4f] = OP(CMOV) | RM,
	[0x90 ... 0x9f] = OP(SETCC) | RM | B | DST,
	[0xa3] = OP(BT) | RM | DST,
	[0xa4] = OP(SHLD) | RM | DST | Ib,
	[0xa5] = OP(SHLD) | RM | DST,
	[0xab] = OP(BTS) | RM | DST | LK,
	[0xac] = OP(SHRD) | RM | DST | Ib,
	[0xad] = OP(SHRD) | RM | DST,
	[0xaf] = OP(IMUL_REG) | RM,
	[0xb0] = OP(CMPXCHG) | RM | B | DST | LK,
	[0xb1] = OP(CMPXCHG) | RM | DST | LK,
	[0xb3] = OP(BTR) | RM | DST | LK,
	[0xb6] = OP(MOV) | RM | INSN_MEM8,
	[0xb7] = OP(MOV) | RM | INSN_MEM16,
	[0xba] = RM | DST | Ib | INSN_GRP(GRP_8),
	[0xbb] = OP(BTC) | RM | DST | LK,
	[0xbc] = OP(BSF) | RM | INSN_NO_F3,                             /* else TZCNT */
	[0xbd] = OP(BSR) | RM | INSN_NO_F3,                             /* else LZCNT */
	[0xbe] = OP(MOV) | RM | INSN_MEM8 | INSN_SX,
	[0xbf] = OP(MOV) | RM | INSN_MEM16 | INSN_SX,
	[0xc0] = OP(XADD) | RM | B | DST | LK,
	[0xc1] = OP(XADD) | RM | DST | LK,
};

const u32 insn_groups[GRP_COUNT][8] = {
	[GRP_1] = { OP(ADD) | LK, OP(OR) | LK,  OP(ADC) | LK, OP(SBB) | LK,
		    OP(AND) | LK, OP(SUB) | LK, OP(XOR) | LK, OP(CMP) },
	[GRP_1A] = { OP(POP) },
	/* /1 is an alias of /0. */
	[GRP_3] = { OP(TEST) | Iz, OP(TEST) | Iz, OP(NOT) | LK, OP(NEG) | LK,
		    OP(MUL), OP(IMUL), OP(DIV), OP(IDIV) },
	[GRP_4] = { OP(INC) | LK, OP(DEC) | LK },
	[GRP_5] = { OP(INC) | DST | LK, OP(DEC) | DST | LK, OP(CALL) | INSN_8_IN_64, OP(CALL_FAR),
		    OP(JMP) | INSN_8_IN_64, OP(JMP_FAR), OP(PUSH) | INSN_DEF64 },
	[GRP_6] = { OP(SLDT) | DST, OP(STR) | DST, OP(LLDT), OP(LTR) },
	[GRP_7] = { OP(SGDT) | DST | INSN_8_IN_64, OP(SIDT) | DST | INSN_8_IN_64,
		    OP(LGDT) | INSN_8_IN_64, OP(LIDT) | INSN_8_IN_64,
		    OP(SMSW) | DST | INSN_MEM16 },
	[GRP_8] = { [4] = OP(BT), OP(BTS) | LK, OP(BTR) | LK, OP(BTC) | LK },
	[GRP_11] = { OP(MOV) },
};

#define BOTH (BIT32(PP_NONE) | BIT32(PP_66))
#define ST   INSN_MEM_DST
#define MMX  (VEC_MMX | VEC_NO_VEX)

static const struct vec_row vec_rows[] = {
	/* map, opcode, prefixes, bytes, half, flags, attr */
	{ 1, 0x10, BOTH, 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) },                  /* MOVUPS, MOVUPD */
	{ 1, 0x11, BOTH, 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) | ST },
	{ 1, 0x10, BIT32(PP_F3), 4, VEC_WHOLE, 0, OP(VMOV) },                   /* MOVSS */
	{ 1, 0x11, BIT32(PP_F3), 4, VEC_WHOLE, 0, OP(VMOV) | ST },
	{ 1, 0x10, BIT32(PP_F2), 8, VEC_WHOLE, 0, OP(VMOV) },                   /* MOVSD */
	{ 1, 0x11, BIT32(PP_F2), 8, VEC_WHOLE, 0, OP(VMOV) | ST },
	{ 1, 0x12, BOTH, 8, VEC_LOW, VEC_NO_L, OP(VMOV) },                      /* MOVLPS, MOVLPD */
	{ 1, 0x13, BOTH, 8, VEC_LOW, VEC_NO_L, OP(VMOV) | ST },
	{ 1, 0x16, BOTH, 8, VEC_HIGH, VEC_NO_L, OP(VMOV) },                     /* MOVHPS, MOVHPD */
	{ 1, 0x17, BOTH, 8, VEC_HIGH, VEC_NO_L, OP(VMOV) | ST },
	{ 1, 0x28, BOTH, 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) },                  /* MOVAPS, MOVAPD */
	{ 1, 0x29, BOTH, 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) | ST },
	{ 1, 0x2b, BOTH, 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) | ST },             /* MOVNTPS, MOVNTPD */
	{ 1, 0x6e, BIT32(PP_NONE), 4, VEC_WHOLE, MMX | VEC_W, OP(VMOV) },       /* MOVD, MOVQ of MMX */
	{ 1, 0x7e, BIT32(PP_NONE), 4, VEC_WHOLE, MMX | VEC_W, OP(VMOV) | ST },
	{ 1, 0x6f, BIT32(PP_NONE), 8, VEC_WHOLE, MMX, OP(VMOV) },               /* MOVQ of MMX */
	{ 1, 0x7f, BIT32(PP_NONE), 8, VEC_WHOLE, MMX, OP(VMOV) | ST },
	{ 1, 0xe7, BIT32(PP_NONE), 8, VEC_WHOLE, MMX, OP(VMOV) | ST },          /* MOVNTQ */
	{ 1, 0x6e, BIT32(PP_66), 4, VEC_WHOLE, VEC_NO_L | VEC_W, OP(VMOV) },    /* MOVD, MOVQ */
	{ 1, 0x7e, BIT32(PP_66), 4, VEC_WHOLE, VEC_NO_L | VEC_W, OP(VMOV) | ST },
	{ 1, 0x6f, BIT32(PP_66) | BIT32(PP_F3), 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) }, /* MOVDQA, -U */
	{ 1, 0x7f, BIT32(PP_66) | BIT32(PP_F3), 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) | ST },
	{ 1, 0x7e, BIT32(PP_F3), 8, VEC_WHOLE, VEC_NO_L, OP(VMOV) },            /* MOVQ */
	{ 1, 0xd6, BIT32(PP_66), 8, VEC_WHOLE, VEC_NO_L, OP(VMOV) | ST },
	{ 1, 0xc3, BIT32(PP_NONE), 4, VEC_WHOLE, VEC_W | VEC_NO_VEX, OP(MOV) | ST }, /* MOVNTI */
	{ 1, 0xe7, BIT32(PP_66), 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) | ST },     /* MOVNTDQ */
	{ 1, 0xf0, BIT32(PP_F2), 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) },          /* LDDQU */
	{ 2, 0x2a, BIT32(PP_66), 16, VEC_WHOLE, VEC_ANY_L, OP(VMOV) },          /* MOVNTDQA */
};

/* clang-format on */

const struct vec_row *vec_row_find(u32 map, u8 opcode, enum vec_prefix pp)
{
	for (u32 i = 0; i < ARRAY_SIZE(vec_rows); i++) {
		const struct vec_row *r = &vec_rows[i];

		if (r->opcode == opcode && r->map == map && (r->prefixes & BIT32(pp)))
			return r;
	}
	return NULL;
}
