/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction decoder: bytes to struct insn. Pure.
 *
 * Spec: SDM Vol. 2A, "Instruction Format".
 */
#include "core/emul/emul_internal.h"

#define INSN_BYTES_MAX 15u

#define REX_MASK 0xf0u
#define REX      0x40u
#define REX_W    BIT32(3)
#define REX_R    BIT32(2)
#define REX_X    BIT32(1)
#define REX_B    BIT32(0)

#define NO_OVERRIDE 0xffu

struct decoder {
	const u8 *at, *end;
	err_t overrun; /* returned when the bytes run out */
	enum emul_mode mode;
	u32 attr;
	u32 rex; /* 0: none */
	bool opsize_prefix, addrsize_prefix;
	u8 seg_override;
	u8 opcode;
	/* vector moves */
	const struct vec_row *vec; /* NULL: none */
	bool vex;
	u8 vex_l;
	u8 vvvv; /* register; 0 when VEX says none */
};

static inline MUST_CHECK err_t next_byte(struct decoder *d, u8 *out)
{
	if (unlikely(d->at == d->end))
		return d->overrun;
	*out = *d->at++;
	return ERR_NONE;
}

/* Little-endian value of @size bytes, sign-extended. */
static inline MUST_CHECK err_t next_signed(struct decoder *d, u32 size, u64 *out)
{
	u64 val = 0;

	if (unlikely((size_t)(d->end - d->at) < size))
		return d->overrun;
	for (u32 i = 0; i < size; i++)
		val |= (u64)d->at[i] << (8 * i);
	d->at += size;
	*out = size_extend(val, size);
	return ERR_NONE;
}

static void apply_prefix(struct decoder *d, struct insn *in, u8 prefix)
{
	/* 64-bit mode ignores the overrides of the four flat segments. */
	bool legacy_seg = d->mode != EMUL_64;

	if (prefix == 0x66) {
		d->opsize_prefix = true;
	} else if (prefix == 0x67) {
		d->addrsize_prefix = true;
	} else if (prefix == 0xf0) {
		in->lock = true;
	} else if (prefix >= 0xf2) {
		in->rep = prefix == 0xf3;
		in->repne = prefix == 0xf2;
	} else if (prefix >= 0x64) {
		d->seg_override = prefix == 0x64 ? SEG_FS : SEG_GS;
	} else if (legacy_seg) {
		d->seg_override = prefix >> 3 & 3; /* 26 ES, 2E CS, 36 SS, 3E DS */
	}
}

/* Opcode of a vector move, behind @map and with prefix @pp. */
static MUST_CHECK err_t decode_vector(struct decoder *d, u32 map, enum vec_prefix pp)
{
	const struct vec_row *row = vec_row_find(map, d->opcode, pp);

	if (row == NULL)
		return ERR_INVAL;
	if (d->vex) {
		/* An unused vvvv must name no register, or #UD. */
		bool merges = row->half != VEC_WHOLE && !(row->attr & INSN_MEM_DST);

		if ((row->flags & VEC_NO_VEX) || (!merges && d->vvvv != 0) ||
		    ((row->flags & VEC_NO_L) && d->vex_l != 0))
			return ERR_INVAL;
	}
	d->vec = row;
	d->attr = row->attr | INSN_MODRM;
	return ERR_NONE;
}

/* SDM Vol. 2A, "The VEX Prefix". Outside 64-bit mode C4 and C5 are LES and LDS of a memory operand.
 */
static MUST_CHECK err_t decode_vex(struct decoder *d, const struct insn *in)
{
	u32 map = 1;
	u8 first, last;

	TRY(next_byte(d, &first));
	if (d->mode != EMUL_64 && first < 0xc0)
		return ERR_INVAL;
	if (d->rex != 0 || d->opsize_prefix || in->rep || in->repne || in->lock)
		return ERR_INVAL; /* #UD */
	d->rex = REX | ((first & 0x80) ? 0 : REX_R);
	last = first;
	if (d->opcode == 0xc4) {
		TRY(next_byte(d, &last));
		map = first & 0x1f;
		d->rex |= ((first & 0x40) ? 0 : REX_X) | ((first & 0x20) ? 0 : REX_B) |
			  ((last & 0x80) ? REX_W : 0);
	}
	d->vvvv = ~(last >> 3) & 0xf;
	if (d->mode != EMUL_64) { /* only eight registers: ignore those bits */
		d->rex = 0;
	}
	d->vex = true;
	d->vex_l = last >> 2 & 1;
	TRY(next_byte(d, &d->opcode));
	return decode_vector(d, map, last & 3);
}

/* Opcodes that are not in the general tables. */
static MUST_CHECK err_t decode_other(struct decoder *d, const struct insn *in, u32 map)
{
	enum vec_prefix pp = d->opsize_prefix ? PP_66 : PP_NONE;

	if (in->rep || in->repne) /* F2 and F3 take precedence over 66; of both, the last counts */
		pp = in->rep ? PP_F3 : PP_F2;
	if (map == 0)
		return (d->opcode & 0xfe) == 0xc4 ? decode_vex(d, in) : ERR_INVAL;
	if (d->opcode == 0x38) {
		map = 2;
		TRY(next_byte(d, &d->opcode));
	}
	return decode_vector(d, map, pp);
}

/* Prefixes and opcode; leaves the opcode's attributes in d->attr. */
static MUST_CHECK err_t decode_opcode(struct decoder *d, struct insn *in)
{
	u32 map = 0;

	for (;;) {
		TRY(next_byte(d, &d->opcode));
		d->attr = insn_one_byte[d->opcode];
		if (d->mode == EMUL_64 && (d->opcode & REX_MASK) == REX) {
			d->rex = d->opcode; /* counts only right before the opcode */
			continue;
		}
		if (likely(!(d->attr & INSN_PREFIX)))
			break;
		d->rex = 0;
		apply_prefix(d, in, d->opcode);
	}
	if (d->opcode == 0x0f) {
		map = 1;
		TRY(next_byte(d, &d->opcode));
		d->attr = insn_two_byte[d->opcode];
	}
	if (d->attr == 0)
		return decode_other(d, in, map);
	if (d->attr & (d->mode == EMUL_64 ? INSN_NO64 : INSN_ONLY64))
		return ERR_INVAL;
	return ERR_NONE;
}

static void decode_sizes(const struct decoder *d, struct insn *in)
{
	u8 size;

	if (d->mode == EMUL_64) {
		in->addrsize = d->addrsize_prefix ? 4 : 8;
		size = d->opsize_prefix ? 2 : 4;
		if (d->rex & REX_W)
			size = 8;
		if (((d->attr & INSN_DEF64) && size == 4) || (d->attr & INSN_8_IN_64))
			size = 8;
	} else {
		in->addrsize = (d->mode == EMUL_32) != d->addrsize_prefix ? 4 : 2;
		size = (d->mode == EMUL_32) != d->opsize_prefix ? 4 : 2;
	}
	if (d->attr & INSN_BYTE)
		size = 1;
	in->opsize = size;
	in->regsize = size;
	if (d->attr & INSN_SREG)
		in->regsize = 2;
	if (d->attr & INSN_MEM8)
		in->opsize = 1;
	else if (d->attr & INSN_MEM16)
		in->opsize = 2;
	else if ((d->attr & INSN_MEM32) && size == 8)
		in->opsize = 4; /* MOVSXD without REX.W is a plain move; ports have no more */
}

/* SDM Vol. 2A, "16-Bit Addressing Forms with the ModR/M Byte". */
static MUST_CHECK err_t decode_mem16(struct decoder *d, struct insn *in, u32 mod, u32 rm)
{
	static const s8 base[8] = {
		GPR_BX, GPR_BX, GPR_BP, GPR_BP, GPR_SI, GPR_DI, GPR_BP, GPR_BX
	};
	static const s8 index[4] = { GPR_SI, GPR_DI, GPR_SI, GPR_DI };
	u32 disp_size = mod;
	u64 disp = 0;

	if (mod == 0 && rm == 6) {
		disp_size = 2;
	} else {
		in->base = base[rm];
		if (rm < 4)
			in->index = index[rm];
	}
	if (disp_size != 0)
		TRY(next_signed(d, disp_size, &disp));
	in->disp = (s64)disp;
	in->seg = in->base == GPR_BP ? SEG_SS : SEG_DS;
	return ERR_NONE;
}

static MUST_CHECK err_t decode_sib(struct decoder *d, struct insn *in, u32 mod, bool *disp32)
{
	u32 index, base;
	u8 sib;

	TRY(next_byte(d, &sib));
	index = (sib >> 3 & 7) | ((d->rex & REX_X) ? 8 : 0);
	base = sib & 7;
	in->scale = sib >> 6;
	if (index != GPR_SP)
		in->index = (s8)index;
	*disp32 = base == GPR_BP && mod == 0;
	if (!*disp32)
		in->base = (s8)(base | ((d->rex & REX_B) ? 8 : 0));
	return ERR_NONE;
}

/* SDM Vol. 2A, "32-Bit Addressing Forms with the ModR/M Byte", and "Addressing" with REX. */
static MUST_CHECK err_t decode_mem32(struct decoder *d, struct insn *in, u32 mod, u32 rm)
{
	bool disp32 = false;
	u32 disp_size;
	u64 disp = 0;

	if (rm == GPR_SP) {
		TRY(decode_sib(d, in, mod, &disp32));
	} else if (mod == 0 && rm == GPR_BP) {
		disp32 = true;
		in->rip_relative = d->mode == EMUL_64;
	} else {
		in->base = (s8)(rm | ((d->rex & REX_B) ? 8 : 0));
	}
	disp_size = (mod == 2 || disp32) ? 4 : mod;
	if (disp_size != 0)
		TRY(next_signed(d, disp_size, &disp));
	in->disp = (s64)disp;
	in->seg = (in->base == GPR_BP || in->base == GPR_SP) ? SEG_SS : SEG_DS;
	return ERR_NONE;
}

/* The stack, which no prefix overrides: the operand that is written, if ModRM has a register. */
static void stack_operand(struct decoder *d, struct insn *in)
{
	d->attr |= (d->attr & INSN_MODRM) ? INSN_MEM_DST : 0;
	d->seg_override = NO_OVERRIDE;
	in->base = (d->attr & INSN_OP_MASK) == INSN_OP(EMUL_LEAVE) ? GPR_BP : GPR_SP;
	in->seg = SEG_SS;
}

/* ModRM names a register, where others have memory. */
static MUST_CHECK err_t register_operand(struct decoder *d, struct insn *in, u8 modrm)
{
	u32 op = d->attr & INSN_OP_MASK;

	in->reg = (u8)((modrm & 7) | ((d->rex & REX_B) ? 8 : 0));
	in->in_register = op >= INSN_OP(EMUL_SLDT) && op <= INSN_OP(EMUL_LTR);
	if (op == INSN_OP(EMUL_CALL))
		stack_operand(d, in);
	else if (!in->in_register)
		return ERR_INVAL;
	return ERR_NONE;
}

static MUST_CHECK err_t decode_modrm(struct decoder *d, struct insn *in)
{
	u32 group = (u32)FIELD_GET(INSN_GROUP, d->attr);
	u8 modrm;
	u32 reg;

	TRY(next_byte(d, &modrm));
	reg = modrm >> 3 & 7;
	if (group != GRP_NONE) {
		u32 attr = insn_groups[group][reg];

		if (attr == 0)
			return ERR_INVAL;
		d->attr |= attr;
	} else if (d->attr & INSN_SREG) {
		bool load = !(d->attr & INSN_MEM_DST);

		if (reg > SEG_GS || (load && reg == SEG_CS))
			return ERR_INVAL; /* #UD */
		in->reg = (u8)reg;        /* REX.R is ignored */
	} else {
		in->reg = (u8)(reg | ((d->rex & REX_R) ? 8 : 0));
	}
	decode_sizes(d, in);
	if (modrm >= 0xc0)
		return register_operand(d, in, modrm);
	if (in->addrsize == 2)
		return decode_mem16(d, in, modrm >> 6, modrm & 7);
	return decode_mem32(d, in, modrm >> 6, modrm & 7);
}

/* Operands without a ModRM byte: strings, moffs, the stack. */
static MUST_CHECK err_t decode_implicit(struct decoder *d, struct insn *in)
{
	u64 disp = 0;

	decode_sizes(d, in);
	if (d->attr & INSN_MOFFS) {
		TRY(next_signed(d, in->addrsize, &disp));
		in->disp = (s64)disp;
	} else if (d->attr & INSN_STRING) {
		in->base = (d->attr & INSN_DI) ? GPR_DI : GPR_SI;
		if (d->attr & INSN_DI) {
			in->seg = SEG_ES;
			d->seg_override = NO_OVERRIDE;
		}
	} else {
		in->reg = (d->attr & INSN_REGOP)
				  ? (u8)((d->opcode & 7) | ((d->rex & REX_B) ? 8 : 0))
				  : 0;
		stack_operand(d, in);
	}
	return ERR_NONE;
}

static MUST_CHECK err_t decode_imm(struct decoder *d, struct insn *in)
{
	u64 level = 0;
	u32 size = 0;

	if (unlikely(d->attr & INSN_IMM16)) {
		in->has_imm = true;
		TRY(next_signed(d, 2, &in->imm));
		in->imm &= 0xffff;
		if (d->attr & INSN_IMM8) /* ENTER */
			TRY(next_signed(d, 1, &level));
		in->imm |= (level & 0xff) << 16;
		return ERR_NONE;
	}
	if (d->attr & INSN_IMM8)
		size = 1;
	else if (d->attr & INSN_IMMZ)
		size = umin32(in->opsize, 4);
	if (likely(size == 0))
		return ERR_NONE;
	in->has_imm = true;
	return next_signed(d, size, &in->imm);
}

static void vector_sizes(const struct decoder *d, struct insn *in)
{
	const struct vec_row *row = d->vec;

	in->opsize = row->bytes;
	if ((row->flags & VEC_W) && (d->rex & REX_W))
		in->opsize *= 2;
	if ((row->flags & VEC_ANY_L) && d->vex_l != 0)
		in->opsize *= 2;
	in->regsize = in->opsize;
	if (row->flags & VEC_MMX) {
		in->regsize = 8;
		in->reg &= 7; /* REX.R is ignored */
	} else if (!(row->flags & VEC_NO_VEX)) {
		in->regsize = d->vex ? 32 : 16;
		in->half = row->half;
		in->vec_src = d->vex ? d->vvvv & (d->mode == EMUL_64 ? 15 : 7) : in->reg;
	}
}

err_t emul_decode(const u8 *bytes, u32 n, enum emul_mode mode, struct insn *out)
{
	struct decoder d = {
		.at = bytes,
		.end = bytes + umin32(n, INSN_BYTES_MAX),
		.overrun = n >= INSN_BYTES_MAX ? ERR_INVAL : ERR_RANGE,
		.mode = mode,
		.seg_override = NO_OVERRIDE,
	};
	struct insn in = { .base = -1, .index = -1, .seg = SEG_DS };

	TRY(decode_opcode(&d, &in));
	if (likely(d.attr & INSN_MODRM))
		TRY(decode_modrm(&d, &in));
	else
		TRY(decode_implicit(&d, &in));
	if (unlikely(d.vec != NULL))
		vector_sizes(&d, &in);
	TRY(decode_imm(&d, &in));
	if (in.lock && !(d.attr & INSN_LOCK))
		return ERR_INVAL; /* #UD */
	if (in.rep && (d.attr & INSN_NO_F3))
		return ERR_INVAL;

	in.op = (enum emul_op)((d.attr & INSN_OP_MASK) - 1);
	in.mem_dst = (d.attr & INSN_MEM_DST) != 0;
	in.sign_extend = (d.attr & INSN_SX) != 0;
	if (d.seg_override != NO_OVERRIDE)
		in.seg = d.seg_override;
	/* Without REX, byte registers 4-7 are AH, CH, DH and BH. */
	if (in.regsize == 1 && d.rex == 0 && in.reg >= 4) {
		in.high_byte = true;
		in.reg -= 4;
	}
	in.detail = d.opcode & 0xf;
	in.len = (u8)(d.at - bytes);
	*out = in;
	return ERR_NONE;
}
