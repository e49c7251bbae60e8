/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction subset that accesses memory-mapped registers and protected pages: decode it, then
 * execute it against a memory callback. Pure.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/ranges.h"
#include "core/vp/exit_info.h"

struct vp;

enum emul_mode { EMUL_16, EMUL_32, EMUL_64 }; /* default operand/address size of the code segment */

enum emul_op {
	EMUL_MOV, /* reg <-> mem, imm -> mem; all sizes, moffs forms, MOVZX, MOVSX, MOVSXD */
	EMUL_STOS,
	EMUL_MOVS,
	EMUL_LODS,
	EMUL_CMPS,
	EMUL_SCAS,
	EMUL_INS,
	EMUL_OUTS,
	EMUL_ADD,
	EMUL_OR,
	EMUL_ADC,
	EMUL_SBB,
	EMUL_AND,
	EMUL_SUB,
	EMUL_XOR,
	EMUL_CMP,
	EMUL_TEST,
	EMUL_INC,
	EMUL_DEC,
	EMUL_NOT,
	EMUL_NEG,
	EMUL_XCHG,
	EMUL_CMPXCHG,
	EMUL_XADD,
	EMUL_BT,
	EMUL_BTS,
	EMUL_BTR,
	EMUL_BTC,
	EMUL_MUL, /* of DX:AX, as the next three */
	EMUL_IMUL,
	EMUL_DIV,
	EMUL_IDIV,
	EMUL_IMUL_REG, /* two or three operands */
	EMUL_SHLD,
	EMUL_SHRD,
	EMUL_BSF,
	EMUL_BSR,
	EMUL_CMOV,
	EMUL_SETCC,
	EMUL_SMSW,
	EMUL_PUSH, /* mem_dst: of a register or immediate; else of the memory operand */
	EMUL_POP,  /* mem_dst: to the memory operand; else to a register */
	EMUL_ENTER,
	EMUL_LEAVE,
	EMUL_JMP,  /* near */
	EMUL_CALL, /* the same; mem_dst: by an immediate or a register, else the memory operand */
	EMUL_RET,
	EMUL_JMP_FAR, /* the operand is a far pointer of opsize + 2 bytes */
	EMUL_CALL_FAR,
	EMUL_RET_FAR,
	EMUL_IRET,
	EMUL_MOV_FROM_SREG, /* reg: the segment register */
	EMUL_MOV_TO_SREG,
	EMUL_SGDT, /* up to LTR: in the order of enum gdtr_idtr_identity and ldtr_tr_identity */
	EMUL_SIDT,
	EMUL_LGDT,
	EMUL_LIDT,
	EMUL_SLDT,
	EMUL_STR,
	EMUL_LLDT,
	EMUL_LTR,
	EMUL_VMOV, /* vector register <-> mem; MMX, SSE, and VEX with 128 or 256 bits */
	EMUL_OPS
};

enum vec_half { VEC_WHOLE, VEC_LOW, VEC_HIGH };

struct insn {
	enum emul_op op;
	u8 len;           /* bytes, 1..15 */
	u8 opsize;        /* bytes: 1, 2, 4, 8 of the memory access; VMOV: 4, 8, 16, 32 */
	u8 regsize;       /* bytes of the register operand (MOVZX/MOVSX differ from opsize); of VMOV
			   * what a load replaces: 8 (MMX), 16, or 32 and all above it (VEX) */
	u8 addrsize;      /* bytes: 2, 4, 8 */
	u8 reg;           /* register operand, 0-15 */
	bool high_byte;   /* register operand is AH..BH */
	bool mem_dst;     /* memory is the first operand: the destination, unless op is CMP or BT */
	bool in_register; /* SLDT, STR, LLDT, LTR: reg is the operand, no memory is */
	bool has_imm, sign_extend, rep, repne, lock;
	u64 imm; /* sign-extended to 64 bits */
	/* memory operand; of MOVS and CMPS the one at SI (the other is at ES:DI) */
	u8 seg;         /* enum segment_register, up to GS */
	s8 base, index; /* register numbers, -1 none */
	bool rip_relative;
	u8 scale; /* shift 0-3 */
	/* VMOV */
	u8 half;    /* enum vec_half: the 8 bytes of the register that move */
	u8 vec_src; /* MOVLPS and friends: a load takes the other half from this register */
	u8 detail;  /* CMOV, SETcc: the condition, as in the opcode */
	s64 disp;
};

/* emul_decode() - ERR_INVAL: not in the subset (or longer than 15 bytes); ERR_RANGE: needs more
 * bytes than @n. */
MUST_CHECK err_t emul_decode(const u8 *bytes, u32 n, enum emul_mode mode, struct insn *out);

/**
 * emul_linear() - linear address of @len bytes at @offset in segment @seg, one up to GS, with the
 * limit, type and canonical checks of the current mode. ERR_FAULT: #GP(0) or #SS(0) is queued.
 */
MUST_CHECK err_t emul_linear(struct vp *vp, u32 seg, u64 offset, u32 len, bool write, u64 *linear);

/* emul_inside_limit() - [@offset, +@len) is inside a segment with access rights @ar and @limit. */
bool emul_inside_limit(u32 ar, u32 limit, u64 offset, u32 len);

/* emul_linear_width() - bits of a linear address in 64-bit mode. */
u32 emul_linear_width(void);

/* emul_cpu_mode() - from EFER.LMA, CS.L, CS.D. */
enum emul_mode emul_cpu_mode(const struct vp *vp);

/**
 * emul_deliver() - deliver vp->event, whose delivery by the CPU exited: push the frame, enter the
 * handler. ERR_FAULT: a fault on the way is queued, merged with the event. ERR_NODEV: real or
 * virtual-8086 mode, nothing has changed.
 */
MUST_CHECK err_t emul_deliver(struct vp *vp);

/**
 * emul_execute() - fetch, decode and run the instruction at RIP whose memory operand hits @gpa. The
 * dispatcher completes every answer but the last (enum exit_action):
 *
 *   EXIT_NEXT_DECODED  done; vp->insn_len is set. EXIT_NEXT_MOV_SS, EXIT_NEXT_IRET: the same, for
 *                      what retires in its own way
 *   EXIT_ITERATION     one iteration of a string instruction, and more follow: RIP stays
 *   EXIT_RESUME        a fault is queued
 *   EXIT_RETRY         code or an operand is in memory that is not there yet; nothing has changed
 *   EXIT_STOP          it would write to a page whose class stops the guest; logged
 *   EXIT_UNHANDLED     not in the subset, or an operand is where it cannot be emulated; nothing has
 *                      changed, and the caller decides
 */
enum exit_action emul_execute(struct vp *vp, u64 gpa, const struct emul_mem *mem);

/*
 * emul_table_access() - the same for @op, one of SGDT to LTR, which exited before it touched its
 * operand: that may be anywhere, or a register. Mode and privilege were checked. EXIT_RESUME: also
 * if another instruction is at RIP by now.
 */
enum exit_action emul_table_access(struct vp *vp, enum emul_op op);

/* emul_monitor_length() - bytes of the MONITOR at RIP, prefixes included; 0: it is another
 * instruction. */
u32 emul_monitor_length(struct vp *vp);
