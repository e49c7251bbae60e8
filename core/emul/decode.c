/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction decoder: bytes to struct insn, for instructions with a memory operand. Pure.
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
	err_t overrun; /* what running out of bytes means */
	enum emul_mode mode;
	u32 attr;
	u32 rex; /* 0: none */
	bool opsize_prefix, addrsize_prefix;
	u8 seg_override;
	u8 opcode;
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

/* Prefixes and opcode; leaves the opcode's attributes in d->attr. */
static MUST_CHECK err_t decode_opcode(struct decoder *d, struct insn *in)
{
	for (;;) {
		TRY(next_byte(d, &d->opcode));
		d->attr = insn_one_byte[d->opcode];
		if (d->mode == EMUL_64 && (d->opcode & REX_MASK) == REX) {
			d->rex = d->opcode; /* counts only if nothing but the opcode follows */
			continue;
		}
		if (likely(!(d->attr & INSN_PREFIX)))
			break;
		d->rex = 0;
		apply_prefix(d, in, d->opcode);
	}
	if (d->opcode == 0x0f) {
		TRY(next_byte(d, &d->opcode));
		d->attr = insn_two_byte[d->opcode];
	}
	if (d->attr & (d->mode == EMUL_64 ? INSN_NO64 : INSN_ONLY64))
		return ERR_INVAL;
	return d->attr == 0 ? ERR_INVAL : ERR_NONE;
}

static void decode_sizes(const struct decoder *d, struct insn *in)
{
	u8 size;

	if (d->mode == EMUL_64) {
		in->addrsize = d->addrsize_prefix ? 4 : 8;
		size = d->opsize_prefix ? 2 : 4;
		if (d->rex & REX_W)
			size = 8;
		if ((d->attr & INSN_DEF64) && size == 4)
			size = 8;
	} else {
		in->addrsize = (d->mode == EMUL_32) != d->addrsize_prefix ? 4 : 2;
		size = (d->mode == EMUL_32) != d->opsize_prefix ? 4 : 2;
	}
	if (d->attr & INSN_BYTE)
		size = 1;
	in->opsize = size;
	in->regsize = size;
	if (d->attr & INSN_MEM8)
		in->opsize = 1;
	else if (d->attr & INSN_MEM16)
		in->opsize = 2;
	else if ((d->attr & INSN_MEM32) && size == 8)
		in->opsize = 4; /* MOVSXD without REX.W is a plain move */
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
	} else {
		in->reg = (u8)(reg | ((d->rex & REX_R) ? 8 : 0));
	}
	decode_sizes(d, in);
	if (modrm >= 0xc0)
		return ERR_INVAL; /* no memory operand */
	if (in->addrsize == 2)
		return decode_mem16(d, in, modrm >> 6, modrm & 7);
	return decode_mem32(d, in, modrm >> 6, modrm & 7);
}

/* Operands that no ModRM byte names: strings, moffs, the stack. */
static MUST_CHECK err_t decode_implicit(struct decoder *d, struct insn *in)
{
	u64 disp;

	decode_sizes(d, in);
	if (d->attr & INSN_MOFFS) {
		TRY(next_signed(d, in->addrsize, &disp));
		in->disp = (s64)disp;
	} else if (d->attr & INSN_STRING) {
		bool stos = (d->attr & INSN_OP_MASK) == INSN_OP(EMUL_STOS);

		in->base = stos ? GPR_DI : GPR_SI; /* MOVS: the source */
		if (stos) {
			in->seg = SEG_ES;
			d->seg_override = NO_OVERRIDE;
		}
	} else {
		in->reg = (d->attr & INSN_REGOP)
				  ? (u8)((d->opcode & 7) | ((d->rex & REX_B) ? 8 : 0))
				  : 0;
		in->base = GPR_SP;
		in->seg = SEG_SS;
		d->seg_override = NO_OVERRIDE;
	}
	return ERR_NONE;
}

static MUST_CHECK err_t decode_imm(struct decoder *d, struct insn *in)
{
	u32 size = 0;

	if (d->attr & INSN_IMM8)
		size = 1;
	else if (d->attr & INSN_IMMZ)
		size = umin32(in->opsize, 4);
	if (likely(size == 0))
		return ERR_NONE;
	in->has_imm = true;
	return next_signed(d, size, &in->imm);
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
	TRY(decode_imm(&d, &in));
	if (in.lock && !(d.attr & INSN_LOCK))
		return ERR_INVAL; /* #UD */

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
	in.len = (u8)(d.at - bytes);
	*out = in;
	return ERR_NONE;
}
