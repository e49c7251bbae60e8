/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder against Zydis, an independent one: whatever ours accepts, Zydis reads in the same way;
 * whatever docs/emulation.md lists, ours accepts. Swept opcodes, generated and random bytes, in all
 * three modes.
 *
 * Debian package libzydis-dev.
 */
#include "tests/host/harness.h"

#include "core/emul/emul_internal.h"

#if !__has_include(<Zydis/Zydis.h>)

static void test_zydis_is_installed(void)
{
	fail_msg("the decoder is not compared with Zydis: install Debian's libzydis-dev "
		 "(tools/setup.sh check does)");
}

TEST_MAIN(TEST(test_zydis_is_installed))

#else

#include <Zydis/Zydis.h>

#define BYTES      15u
#define PER_OPCODE 64u
#define GENERATED  1000000u /* of each kind */

struct rival {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	const ZydisDecodedOperand *mem, *reg, *imm;
};

static const u8 *now; /* the bytes under test, for messages */
static enum emul_mode now_mode;
static u64 accepted[EMUL_OPS], cases, vex_accepted;

static void complain(const char *what, u64 ours, u64 theirs)
{
	static const char *const modes[] = { "16", "32", "64" };
	char text[3 * BYTES + 1];

	for (u32 i = 0; i < BYTES; i++)
		(void)snprintf(text + 3 * i, 4, "%02x ", now[i]);
	fail_msg("%s-bit %s: %s is 0x%llx here, 0x%llx for Zydis", modes[now_mode], text, what,
		 (unsigned long long)ours, (unsigned long long)theirs);
}

#define SAME(what, ours, theirs)                                  \
	do {                                                      \
		u64 ours_ = (u64)(ours), theirs_ = (u64)(theirs); \
                                                                  \
		test_checks++;                                    \
		if (ours_ != theirs_)                             \
			complain(what, ours_, theirs_);           \
	} while (0)

/* --- What Zydis says --- */

static bool rival_decode(struct rival *r, enum emul_mode mode, const u8 *bytes)
{
	static const ZydisMachineMode machine[] = { ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
						    ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
						    ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
						 ZYDIS_STACK_WIDTH_64 };
	static ZydisDecoder decoder[3];
	static bool ready;

	for (u32 i = 0; !ready && i < 3; i++)
		EXPECT_TRUE(ZYAN_SUCCESS(ZydisDecoderInit(&decoder[i], machine[i], stack[i])));
	ready = true;
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder[mode], bytes, BYTES, &r->in, r->op)))
		return false;
	r->mem = r->reg = r->imm = NULL;
	for (u32 i = 0; i < r->in.operand_count; i++) {
		const ZydisDecodedOperand *o = &r->op[i];
		bool hidden = o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

		/* The explicit memory operand, else the stack; of MOVS and CMPS the one at SI. */
		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (r->mem == NULL || (r->in.meta.category == ZYDIS_CATEGORY_STRINGOP &&
					ZydisRegisterGetId(o->mem.base) == GPR_SI)))
			r->mem = o;
		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && r->reg == NULL && !hidden)
			r->reg = o;
		if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && r->imm == NULL)
			r->imm = o;
	}
	return true;
}

struct word {
	ZydisMnemonic mnemonic;
	enum emul_op op;
};

/* clang-format off */
#define GENERAL(m, o) { ZYDIS_MNEMONIC_##m, EMUL_##o }
#define CONDITIONS(m, o) \
	GENERAL(m##O, o), GENERAL(m##NO, o), GENERAL(m##B, o), GENERAL(m##NB, o), \
	GENERAL(m##Z, o), GENERAL(m##NZ, o), GENERAL(m##BE, o), GENERAL(m##NBE, o), \
	GENERAL(m##S, o), GENERAL(m##NS, o), GENERAL(m##P, o), GENERAL(m##NP, o), \
	GENERAL(m##L, o), GENERAL(m##NL, o), GENERAL(m##LE, o), GENERAL(m##NLE, o)
#define VECTOR(m)     { ZYDIS_MNEMONIC_##m, EMUL_VMOV }, { ZYDIS_MNEMONIC_V##m, EMUL_VMOV }

/* The classes of docs/emulation.md. */
static const struct word words[] = {
	GENERAL(MOV, MOV), GENERAL(MOVZX, MOV), GENERAL(MOVSX, MOV), GENERAL(MOVSXD, MOV), GENERAL(MOVNTI, MOV),
	GENERAL(STOSB, STOS), GENERAL(STOSW, STOS), GENERAL(STOSD, STOS), GENERAL(STOSQ, STOS),
	GENERAL(LODSB, LODS), GENERAL(LODSW, LODS), GENERAL(LODSD, LODS), GENERAL(LODSQ, LODS),
	GENERAL(CMPSB, CMPS), GENERAL(CMPSW, CMPS), GENERAL(CMPSQ, CMPS), /* CMPSD: below */
	GENERAL(SCASB, SCAS), GENERAL(SCASW, SCAS), GENERAL(SCASD, SCAS), GENERAL(SCASQ, SCAS),
	GENERAL(INSB, INS), GENERAL(INSW, INS), GENERAL(INSD, INS),
	GENERAL(OUTSB, OUTS), GENERAL(OUTSW, OUTS), GENERAL(OUTSD, OUTS),
	GENERAL(MOVSB, MOVS), GENERAL(MOVSW, MOVS), GENERAL(MOVSQ, MOVS), /* MOVSD: below */
	GENERAL(ADD, ADD), GENERAL(OR, OR), GENERAL(ADC, ADC), GENERAL(SBB, SBB), GENERAL(AND, AND),
	GENERAL(SUB, SUB), GENERAL(XOR, XOR), GENERAL(CMP, CMP), GENERAL(TEST, TEST),
	GENERAL(INC, INC), GENERAL(DEC, DEC), GENERAL(NOT, NOT), GENERAL(NEG, NEG),
	GENERAL(XCHG, XCHG), GENERAL(CMPXCHG, CMPXCHG), GENERAL(XADD, XADD),
	GENERAL(BT, BT), GENERAL(BTS, BTS), GENERAL(BTR, BTR), GENERAL(BTC, BTC),
	GENERAL(MUL, MUL), GENERAL(DIV, DIV), GENERAL(IDIV, IDIV), /* IMUL: below */
	GENERAL(SHLD, SHLD), GENERAL(SHRD, SHRD), GENERAL(BSF, BSF), GENERAL(BSR, BSR),
	CONDITIONS(CMOV, CMOV), CONDITIONS(SET, SETCC), GENERAL(SMSW, SMSW),
	GENERAL(ENTER, ENTER), GENERAL(LEAVE, LEAVE), GENERAL(JMP, JMP), GENERAL(CALL, CALL),
	GENERAL(RET, RET), GENERAL(IRET, IRET), GENERAL(IRETD, IRET), GENERAL(IRETQ, IRET),
	GENERAL(SGDT, SGDT), GENERAL(SIDT, SIDT), GENERAL(LGDT, LGDT), GENERAL(LIDT, LIDT),
	GENERAL(SLDT, SLDT), GENERAL(STR, STR), GENERAL(LLDT, LLDT), GENERAL(LTR, LTR), /* MOV of segment registers, far branches: below */
	GENERAL(PUSH, PUSH), GENERAL(POP, POP),
	VECTOR(MOVUPS), VECTOR(MOVUPD), VECTOR(MOVAPS), VECTOR(MOVAPD), VECTOR(MOVSS), VECTOR(MOVSD),
	VECTOR(MOVLPS), VECTOR(MOVLPD), VECTOR(MOVHPS), VECTOR(MOVHPD), VECTOR(MOVNTPS), VECTOR(MOVNTPD),
	VECTOR(MOVD), VECTOR(MOVQ), VECTOR(MOVDQA), VECTOR(MOVDQU), VECTOR(MOVNTDQ), VECTOR(MOVNTDQA),
	VECTOR(LDDQU), GENERAL(MOVNTQ, VMOV),
};
/* clang-format on */

static bool is_reg_class(const ZydisDecodedOperand *o, ZydisRegisterClass class)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetClass(o->reg.value) == class;
}

/* The operation it is for us, -1: outside the list. */
static int rival_op(const struct rival *r)
{
	static u8 table[ZYDIS_MNEMONIC_MAX_VALUE + 1]; /* op + 1 */

	for (size_t i = 0; table[ZYDIS_MNEMONIC_MOV] == 0 && i < ARRAY_SIZE(words); i++)
		table[words[ARRAY_SIZE(words) - 1 - i].mnemonic] =
			(u8)(words[ARRAY_SIZE(words) - 1 - i].op + 1); /* MOV comes last */
	if (r->in.mnemonic == ZYDIS_MNEMONIC_MOVSD &&
	    r->in.meta.category == ZYDIS_CATEGORY_STRINGOP)
		return EMUL_MOVS;
	if (r->in.mnemonic == ZYDIS_MNEMONIC_CMPSD &&
	    r->in.meta.category == ZYDIS_CATEGORY_STRINGOP)
		return EMUL_CMPS;
	if (r->in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && table[r->in.mnemonic] != 0)
		return r->in.mnemonic == ZYDIS_MNEMONIC_JMP    ? EMUL_JMP_FAR
		       : r->in.mnemonic == ZYDIS_MNEMONIC_CALL ? EMUL_CALL_FAR
		       : r->in.mnemonic == ZYDIS_MNEMONIC_RET  ? EMUL_RET_FAR
							       : EMUL_IRET;
	if (r->in.mnemonic == ZYDIS_MNEMONIC_MOV && is_reg_class(&r->op[0], ZYDIS_REGCLASS_SEGMENT))
		return EMUL_MOV_TO_SREG;
	if (r->in.mnemonic == ZYDIS_MNEMONIC_MOV && is_reg_class(&r->op[1], ZYDIS_REGCLASS_SEGMENT))
		return EMUL_MOV_FROM_SREG;
	if (r->in.mnemonic == ZYDIS_MNEMONIC_IMUL) /* with one operand, or into a register */
		return r->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? EMUL_IMUL : EMUL_IMUL_REG;
	return table[r->in.mnemonic] - 1;
}

/* These have a register where others have memory only. */
static bool may_be_register(int op)
{
	return op >= EMUL_SLDT && op <= EMUL_LTR;
}

/* In the list: its mnemonic, a memory operand, and no register of another kind. */
static bool rival_is_listed(const struct rival *r)
{
	int op = rival_op(r);

	if (op < 0 || (r->mem == NULL && !may_be_register(op)) ||
	    r->in.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ||
	    r->in.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX)
		return false;
	/* Registers are pushed and popped by their short opcodes. */
	if ((op == EMUL_PUSH || op == EMUL_POP) && r->in.raw.modrm.mod == 3 &&
	    (r->in.attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return false;
	if (r->op[0].type == ZYDIS_OPERAND_TYPE_POINTER)
		return false; /* a direct far CALL */
	for (u32 i = 0; i < r->in.operand_count; i++) {
		bool segment = is_reg_class(&r->op[i], ZYDIS_REGCLASS_SEGMENT);

		if (segment && (op == EMUL_PUSH || op == EMUL_POP))
			return false;
	}
	return true;
}

/* Number as in our struct insn; @high: one of AH..BH. */
static u32 reg_number(ZydisRegister reg, bool *high)
{
	*high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
	if (*high)
		return reg - ZYDIS_REGISTER_AH;
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return 4 + reg - ZYDIS_REGISTER_SPL;
	return (u32)ZydisRegisterGetId(reg);
}

static s32 address_reg(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(reg);
}

/* --- Comparison --- */

static void same_address(const struct insn *in, const struct rival *r)
{
	const ZydisDecodedOperand *m = r->mem;
	ZydisRegister base = m->mem.base;
	bool rip = base == ZYDIS_REGISTER_RIP || base == ZYDIS_REGISTER_EIP;
	u64 mask = size_mask(in->addrsize);
	/* Elements of the stack have no displacement of their own. */
	u64 disp = m->mem.disp.has_displacement ? (u64)m->mem.disp.value : 0;

	SAME("RIP-relative", in->rip_relative, rip);
	/* Zydis 4.0 takes R13 for the base here; SDM Vol. 2A, "Special Encodings of REX Prefixes":
	 * there is none, and bit B is not decoded. */
	if (in->addrsize == 4 && r->in.raw.modrm.mod == 0 && r->in.raw.modrm.rm == 4 &&
	    r->in.raw.sib.base == 5 && base == ZYDIS_REGISTER_R13D) {
		SAME("base", in->base, -1);
		return;
	}
	SAME("base", in->base, rip ? -1 : address_reg(base));
	SAME("index", in->index, address_reg(m->mem.index));
	if (in->index >= 0)
		SAME("scale", 1u << in->scale, m->mem.scale == 0 ? 1 : m->mem.scale);
	SAME("displacement", (u64)in->disp & mask, disp & mask);
	/* 3E before JMP and CALL: a CPU without CET has no other meaning for it than DS. */
	if (r->in.attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return;
	SAME("segment", in->seg, ZydisRegisterGetId(m->mem.segment));
}

static bool is_string(enum emul_op op)
{
	return op >= EMUL_STOS && op <= EMUL_OUTS;
}

/* An immediate is a byte and a count of bits. */
static bool is_bit_op(enum emul_op op)
{
	return (op >= EMUL_BT && op <= EMUL_BTC) || op == EMUL_SHLD || op == EMUL_SHRD;
}

/* How the memory operand is used. */
static bool rival_mem_dst(const struct insn *in, const struct rival *r)
{
	if (in->op == EMUL_TEST)
		return r->imm != NULL;
	if (in->op == EMUL_CMP || in->op == EMUL_BT || (in->op >= EMUL_MUL && in->op <= EMUL_IDIV))
		return r->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	return in->op == EMUL_MOVS || (r->mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

static void same_registers(const struct insn *in, const struct rival *r)
{
	bool high = false, vex = r->in.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;

	if (is_string(in->op) || in->op == EMUL_SETCC)
		return; /* the accumulator, or no register at all: then ModRM.reg is ignored */
	SAME("immediate operand", in->has_imm, r->imm != NULL);
	if (r->reg != NULL)
		SAME("register", in->reg, reg_number(r->reg->reg.value, &high));
	SAME("high byte", in->high_byte, high);
	if (in->op != EMUL_VMOV) {
		bool selector = in->in_register && !in->mem_dst; /* 16 bits count */

		if (r->reg != NULL && !selector)
			SAME("register size", in->regsize, r->reg->size / 8);
		return;
	}
	SAME("vector width", in->regsize,
	     vex                                        ? 32
	     : is_reg_class(r->reg, ZYDIS_REGCLASS_MMX) ? 8
							: 16);
	if (in->half != VEC_WHOLE && !in->mem_dst)
		SAME("merged register", in->vec_src, reg_number(r->op[vex].reg.value, &high));
	vex_accepted += vex;
}

static bool is_half_move(ZydisMnemonic m, bool high)
{
	if (high)
		return m == ZYDIS_MNEMONIC_MOVHPS || m == ZYDIS_MNEMONIC_MOVHPD ||
		       m == ZYDIS_MNEMONIC_VMOVHPS || m == ZYDIS_MNEMONIC_VMOVHPD;
	return m == ZYDIS_MNEMONIC_MOVLPS || m == ZYDIS_MNEMONIC_MOVLPD ||
	       m == ZYDIS_MNEMONIC_VMOVLPS || m == ZYDIS_MNEMONIC_VMOVLPD;
}

static bool has_prefix(const struct rival *r, u8 prefix)
{
	for (u32 i = r->in.raw.prefix_count; i-- > 0;) {
		u8 value = r->in.raw.prefixes[i].value;

		if (value == 0xf2 || value == 0xf3)
			return value == prefix; /* the last one counts */
	}
	return false;
}

/* Far transfers have several words of the operand's size. */
static u32 memory_bytes(const struct insn *in)
{
	if (in->op >= EMUL_SGDT && in->op <= EMUL_LIDT)
		return in->opsize == 8 ? 10 : 6;
	if (in->op == EMUL_JMP_FAR || in->op == EMUL_CALL_FAR)
		return in->opsize + 2;
	if (in->op == EMUL_RET_FAR)
		return 2 * in->opsize;
	return in->op == EMUL_IRET ? 5 * in->opsize : in->opsize;
}

static void same_insn(const struct insn *in, const struct rival *r)
{
	ZydisMnemonic m = r->in.mnemonic;
	bool sx = m == ZYDIS_MNEMONIC_MOVSX || m == ZYDIS_MNEMONIC_MOVSXD;
	u64 mask = in->opsize < 8 ? size_mask(in->opsize) : ~0ull;

	SAME("operation", in->op, rival_op(r));
	SAME("length", in->len, r->in.length);
	SAME("memory operand", !in->in_register, r->mem != NULL);
	if (in->in_register) {
		SAME("direction", in->mem_dst,
		     (r->reg->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0);
		same_registers(in, r);
		return;
	}
	/* SDM MOVSXD: "r16, r/m16"; Zydis has 32 bits there. */
	if (!(m == ZYDIS_MNEMONIC_MOVSXD && in->regsize == 2))
		SAME("memory size", memory_bytes(in), r->mem->size / 8);
	SAME("address size", in->addrsize, r->in.address_width / 8);
	SAME("direction", in->mem_dst, rival_mem_dst(in, r));
	SAME("sign extension", in->sign_extend && in->opsize < in->regsize,
	     sx && in->opsize < in->regsize);
	SAME("lock", in->lock, (r->in.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0);
	SAME("low half", in->half == VEC_LOW, is_half_move(m, false));
	SAME("high half", in->half == VEC_HIGH, is_half_move(m, true));
	if (is_string(in->op)) {
		SAME("register", in->reg, 0);
		SAME("REP", in->rep, has_prefix(r, 0xf3));
		SAME("REPNE", in->repne, has_prefix(r, 0xf2));
	}
	same_address(in, r);
	same_registers(in, r);
	if (is_bit_op(in->op))
		mask = 0xff;
	if (in->op == EMUL_CMOV || in->op == EMUL_SETCC)
		SAME("condition", in->detail, r->in.opcode & 0xf);
	if (in->op == EMUL_ENTER)
		SAME("level", in->imm >> 16, r->op[1].imm.value.u);
	if (in->op == EMUL_ENTER || in->op == EMUL_RET || in->op == EMUL_RET_FAR)
		mask = 0xffff;
	if (in->has_imm)
		SAME("immediate", in->imm & mask, r->imm->imm.value.u & mask);
}

static void compare(enum emul_mode mode, const u8 *bytes)
{
	struct rival r;
	struct insn in;
	err_t err = emul_decode(bytes, BYTES, mode, &in);
	bool valid = rival_decode(&r, mode, bytes);

	now = bytes;
	now_mode = mode;
	cases++;
	if (err != ERR_NONE) {
		SAME("error", err, ERR_INVAL); /* 15 bytes are all there can be */
		if (valid && rival_is_listed(&r))
			complain("accepted", false, true);
		return;
	}
	SAME("valid", true, valid);
	same_insn(&in, &r);
	accepted[in.op]++;
}

/* --- The bytes --- */

static void random_bytes(u8 *bytes)
{
	for (u32 i = 0; i < BYTES; i += 8) {
		u64 r = test_rng();

		memcpy(bytes + i, &r, i == 0 ? 8 : BYTES - 8);
	}
}

/* Every opcode of three maps behind every interesting set of prefixes. */
static void test_every_opcode_and_prefix(void)
{
	static const struct {
		u8 len, bytes[4];
	} prefixes[] = {
		{ 0, { 0 } },          { 1, { 0x66 } },       { 1, { 0x67 } },
		{ 1, { 0xf2 } },       { 1, { 0xf3 } },       { 1, { 0xf0 } },
		{ 1, { 0x48 } },       { 1, { 0x47 } },       { 2, { 0x66, 0x4d } },
		{ 2, { 0x66, 0xf3 } }, { 2, { 0xf2, 0xf3 } }, { 3, { 0x66, 0x67, 0xf2 } },
		{ 2, { 0xf3, 0x4a } }, { 2, { 0x40, 0x64 } }, { 2, { 0xf0, 0x41 } },
	};
	static const u8 escape[3][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 } };
	u8 bytes[BYTES];

	for (u32 i = 0; i < 3 * ARRAY_SIZE(prefixes) * 3 * 256 * PER_OPCODE; i++) {
		u32 n = i / PER_OPCODE, map = n / 256 % 3, p = n / 768 % ARRAY_SIZE(prefixes);
		u32 at = prefixes[p].len;

		random_bytes(bytes);
		memcpy(bytes, prefixes[p].bytes, at);
		memcpy(bytes + at, escape[map], map);
		bytes[at + map] = (u8)n;
		compare((enum emul_mode)(n / 768 / ARRAY_SIZE(prefixes)), bytes);
	}
}

/* Prefixes in any order and number, then an opcode, ModRM and SIB from the whole range. */
static void test_generated_prefixes(void)
{
	static const u8 legacy[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
				     0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48 };
	u8 bytes[BYTES];

	for (u32 i = 0; i < GENERATED; i++) {
		u32 n = (u32)(test_rng() % 5), at = 0;

		random_bytes(bytes);
		for (; at < n; at++)
			bytes[at] = legacy[bytes[at] % ARRAY_SIZE(legacy)];
		if (bytes[14] & 1)
			bytes[at++] = 0x40 | (bytes[13] & 15);
		if (bytes[14] & 2)
			bytes[at++] = 0x0f;
		compare((enum emul_mode)(i % 3), bytes);
	}
}

static void test_generated_vex(void)
{
	u8 bytes[BYTES];

	for (u32 i = 0; i < GENERATED; i++) {
		u32 at = 0;

		random_bytes(bytes);
		if (bytes[14] % 16 == 0) /* what must not stand before it */
			bytes[at++] =
				(u8[]){ 0x66, 0xf2, 0xf3, 0xf0, 0x41, 0x67, 0x64 }[bytes[13] % 7];
		bytes[at++] = 0xc4 + (bytes[14] >> 4 & 1);
		if (i % 3 != EMUL_64)
			bytes[at] |= 0xc0;
		if (bytes[at - 1] == 0xc4) {
			bytes[at] = (bytes[at] & 0xe0) | (1 + bytes[12] % 3);
			at++;
		}
		if (bytes[14] & 0x20) /* no third operand */
			bytes[at] |= 0x78;
		if (bytes[14] & 0x40) /* opcodes that we know */
			bytes[at + 1] = (u8[]){
				0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2a,
				0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7, 0xf0, 0xc3
			}[bytes[11] % 18];
		compare((enum emul_mode)(i % 3), bytes);
	}
}

static void test_random_bytes(void)
{
	u8 bytes[BYTES];

	for (u32 i = 0; i < GENERATED; i++) {
		random_bytes(bytes);
		compare((enum emul_mode)(i % 3), bytes);
	}
}

/* The tests before this one compared something, for every operation. */
static void test_everything_was_compared(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < ARRAY_SIZE(accepted); i++) {
		EXPECT_GE(accepted[i], 200);
		sum += accepted[i];
	}
	EXPECT_GE(vex_accepted, 10000);
	EXPECT_GE(cases, 3000000);
	print_message("# %llu cases, %llu of them accepted\n", (unsigned long long)cases,
		      (unsigned long long)sum);
}

TEST_MAIN(TEST(test_every_opcode_and_prefix), TEST(test_generated_prefixes),
	  TEST(test_generated_vex), TEST(test_random_bytes), TEST(test_everything_was_compared))

#endif
