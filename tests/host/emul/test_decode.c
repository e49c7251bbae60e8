/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder against the GNU assembler: each row is assembled at build time and decoded at run time,
 * so the encodings come from an independent source.
 */
#include "tests/host/harness.h"

#include "core/emul/emul_internal.h"

enum {
	F_DST = 1,
	F_IMM = 2,
	F_SX = 4,
	F_REP = 8,
	F_REPNE = 16,
	F_LOCK = 32,
	F_HIGH = 64,
	F_RIP = 128,
	F_REG = 256, /* in_register */
};

/* clang-format off */
/* X(mode, text, op, opsize, regsize, addrsize, reg, seg, base, index, scale, disp, flags, imm) */
#define ROWS(X) \
X(64, "movl %ebx, (%rcx)",               MOV, 4, 4, 8, 3, DS, 1, -1, 0, 0, F_DST, 0) \
X(64, "movl 0x390(%rax), %ecx",          MOV, 4, 4, 8, 1, DS, 0, -1, 0, 0x390, 0, 0) \
X(64, "movq %r15, -8(%r12)",             MOV, 8, 8, 8, 15, DS, 12, -1, 0, -8, F_DST, 0) \
X(64, "movw %dx, (%rsp)",                MOV, 2, 2, 8, 2, SS, 4, -1, 0, 0, F_DST, 0) \
X(64, "movb %ah, (%rdi)",                MOV, 1, 1, 8, 0, DS, 7, -1, 0, 0, F_DST | F_HIGH, 0) \
X(64, "movb %sil, (%rdi)",               MOV, 1, 1, 8, 6, DS, 7, -1, 0, 0, F_DST, 0) \
X(64, "movb (%r13,%r14,8), %r9b",        MOV, 1, 1, 8, 9, DS, 13, 14, 3, 0, 0, 0) \
X(64, "movl 4(%rbp,%rax,2), %edx",       MOV, 4, 4, 8, 2, SS, 5, 0, 1, 4, 0, 0) \
X(64, "movl -0x1000, %ecx",              MOV, 4, 4, 8, 1, DS, -1, -1, 0, -0x1000, 0, 0) \
X(64, "movabsl 0xfee00390, %eax",        MOV, 4, 4, 8, 0, DS, -1, -1, 0, 0xfee00390, 0, 0) \
X(64, "movabsq %rax, 0x123456789abcdef0", MOV, 8, 8, 8, 0, DS, -1, -1, 0, 0x123456789abcdef0, F_DST, 0) \
X(64, "movl $0x12345678, 0x300(%rdi)",   MOV, 4, 4, 8, 0, DS, 7, -1, 0, 0x300, F_DST | F_IMM, 0x12345678) \
X(64, "movq $-2, (%rdi)",                MOV, 8, 8, 8, 0, DS, 7, -1, 0, 0, F_DST | F_IMM, -2) \
X(64, "movw $0x1234, %gs:(%rax)",        MOV, 2, 2, 8, 0, GS, 0, -1, 0, 0, F_DST | F_IMM, 0x1234) \
X(64, "movl 0x10(%rip), %eax",           MOV, 4, 4, 8, 0, DS, -1, -1, 0, 0x10, F_RIP, 0) \
X(64, "movl $7, 0x10(%rip)",             MOV, 4, 4, 8, 0, DS, -1, -1, 0, 0x10, F_DST | F_IMM | F_RIP, 7) \
X(64, "movl (%eax), %ebx",               MOV, 4, 4, 4, 3, DS, 0, -1, 0, 0, 0, 0) \
X(64, "movl %fs:0x28, %eax",             MOV, 4, 4, 8, 0, FS, -1, -1, 0, 0x28, 0, 0) \
X(64, "movl (,%rcx,4), %eax",            MOV, 4, 4, 8, 0, DS, -1, 1, 2, 0, 0, 0) \
X(64, "movzbl (%rsi), %eax",             MOV, 1, 4, 8, 0, DS, 6, -1, 0, 0, 0, 0) \
X(64, "movzwl (%rsi), %r8d",             MOV, 2, 4, 8, 8, DS, 6, -1, 0, 0, 0, 0) \
X(64, "movsbq (%rsi), %rsp",             MOV, 1, 8, 8, 4, DS, 6, -1, 0, 0, F_SX, 0) \
X(64, "movswl (%rsi), %esi",             MOV, 2, 4, 8, 6, DS, 6, -1, 0, 0, F_SX, 0) \
X(64, "movslq (%rsi), %rdi",             MOV, 4, 8, 8, 7, DS, 6, -1, 0, 0, F_SX, 0) \
X(64, "stosl",                           STOS, 4, 4, 8, 0, ES, 7, -1, 0, 0, F_DST, 0) \
X(64, "rep stosq",                       STOS, 8, 8, 8, 0, ES, 7, -1, 0, 0, F_DST | F_REP, 0) \
X(64, "lodsb",                           LODS, 1, 1, 8, 0, DS, 6, -1, 0, 0, 0, 0) \
X(64, "rep movsw",                       MOVS, 2, 2, 8, 0, DS, 6, -1, 0, 0, F_DST | F_REP, 0) \
X(64, "addl %ecx, (%rax)",               ADD, 4, 4, 8, 1, DS, 0, -1, 0, 0, F_DST, 0) \
X(64, "adcb (%rax), %cl",                ADC, 1, 1, 8, 1, DS, 0, -1, 0, 0, 0, 0) \
X(64, "lock orq $-1, (%rax)",            OR, 8, 8, 8, 0, DS, 0, -1, 0, 0, F_DST | F_IMM | F_LOCK, -1) \
X(64, "sbbw $0x1234, (%rax)",            SBB, 2, 2, 8, 0, DS, 0, -1, 0, 0, F_DST | F_IMM, 0x1234) \
X(64, "andb $0x7f, 5(%rbx)",             AND, 1, 1, 8, 0, DS, 3, -1, 0, 5, F_DST | F_IMM, 0x7f) \
X(64, "subl (%rdx), %edi",               SUB, 4, 4, 8, 7, DS, 2, -1, 0, 0, 0, 0) \
X(64, "xorl %eax, (%rdx)",               XOR, 4, 4, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "cmpl $0, 0x10(%rdx)",             CMP, 4, 4, 8, 0, DS, 2, -1, 0, 0x10, F_DST | F_IMM, 0) \
X(64, "testb $1, 0x305(%rdx)",           TEST, 1, 1, 8, 0, DS, 2, -1, 0, 0x305, F_DST | F_IMM, 1) \
X(64, "testl $0x1000, 0x300(%rdx)",      TEST, 4, 4, 8, 0, DS, 2, -1, 0, 0x300, F_DST | F_IMM, 0x1000) \
X(64, "testl %esi, (%rdx)",              TEST, 4, 4, 8, 6, DS, 2, -1, 0, 0, 0, 0) \
X(64, "lock incl (%rdx)",                INC, 4, 4, 8, 0, DS, 2, -1, 0, 0, F_DST | F_LOCK, 0) \
X(64, "decb (%rdx)",                     DEC, 1, 1, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "notq (%rdx)",                     NOT, 8, 8, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "negw (%rdx)",                     NEG, 2, 2, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "xchgl %ecx, (%rdx)",              XCHG, 4, 4, 8, 1, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "lock cmpxchgl %ecx, (%rdx)",      CMPXCHG, 4, 4, 8, 1, DS, 2, -1, 0, 0, F_DST | F_LOCK, 0) \
X(64, "lock xaddq %rcx, (%rdx)",         XADD, 8, 8, 8, 1, DS, 2, -1, 0, 0, F_DST | F_LOCK, 0) \
X(64, "btl $31, (%rdx)",                 BT, 4, 4, 8, 0, DS, 2, -1, 0, 0, F_DST | F_IMM, 31) \
X(64, "lock btsl %ecx, (%rdx)",          BTS, 4, 4, 8, 1, DS, 2, -1, 0, 0, F_DST | F_LOCK, 0) \
X(64, "btrq $3, (%rdx)",                 BTR, 8, 8, 8, 0, DS, 2, -1, 0, 0, F_DST | F_IMM, 3) \
X(64, "btcw %cx, (%rdx)",                BTC, 2, 2, 8, 1, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "pushq (%rdx)",                    PUSH, 8, 8, 8, 0, DS, 2, -1, 0, 0, 0, 0) \
X(64, "pushw (%rdx)",                    PUSH, 2, 2, 8, 0, DS, 2, -1, 0, 0, 0, 0) \
X(64, "pushq %r11",                      PUSH, 8, 8, 8, 11, SS, 4, -1, 0, 0, F_DST, 0) \
X(64, "pushq $-3",                       PUSH, 8, 8, 8, 0, SS, 4, -1, 0, 0, F_DST | F_IMM, -3) \
X(64, "pushq $0x12345",                  PUSH, 8, 8, 8, 0, SS, 4, -1, 0, 0, F_DST | F_IMM, 0x12345) \
X(64, "popq 8(%rsp)",                    POP, 8, 8, 8, 0, SS, 4, -1, 0, 8, F_DST, 0) \
X(64, "popq %rbx",                       POP, 8, 8, 8, 3, SS, 4, -1, 0, 0, 0, 0) \
X(64, "sgdt (%rdx)",                     SGDT, 8, 8, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "data16 sidt 8(%rsp)",             SIDT, 8, 8, 8, 0, SS, 4, -1, 0, 8, F_DST, 0) \
X(64, "lgdt %gs:(%eax)",                 LGDT, 8, 8, 4, 0, GS, 0, -1, 0, 0, 0, 0) \
X(64, "rex.W lidt (%r9)",                LIDT, 8, 8, 8, 0, DS, 9, -1, 0, 0, 0, 0) \
X(64, "sldt (%rdx)",                     SLDT, 2, 4, 8, 0, DS, 2, -1, 0, 0, F_DST, 0) \
X(64, "sldt %cx",                        SLDT, 2, 2, 8, 1, DS, -1, -1, 0, 0, F_DST | F_REG, 0) \
X(64, "str %r9d",                        STR, 2, 4, 8, 9, DS, -1, -1, 0, 0, F_DST | F_REG, 0) \
X(64, ".byte 0x48; str %esp",            STR, 2, 8, 8, 4, DS, -1, -1, 0, 0, F_DST | F_REG, 0) \
X(64, "lldt %r15w",                      LLDT, 2, 4, 8, 15, DS, -1, -1, 0, 0, F_REG, 0) \
X(64, "ltr (%rdx)",                      LTR, 2, 4, 8, 0, DS, 2, -1, 0, 0, 0, 0) \
X(32, "data16 lgdt (%eax)",              LGDT, 2, 2, 4, 0, DS, 0, -1, 0, 0, 0, 0) \
X(32, "sidt (%ebp)",                     SIDT, 4, 4, 4, 0, SS, 5, -1, 0, 0, F_DST, 0) \
X(32, "ltr %ax",                         LTR, 2, 4, 4, 0, DS, -1, -1, 0, 0, F_REG, 0) \
X(16, "lgdtw (%bx)",                     LGDT, 2, 2, 2, 0, DS, 3, -1, 0, 0, 0, 0) \
X(16, "lidtl (%bx)",                     LIDT, 4, 4, 2, 0, DS, 3, -1, 0, 0, 0, 0) \
X(16, "sldt %eax",                       SLDT, 2, 4, 2, 0, DS, -1, -1, 0, 0, F_DST | F_REG, 0) \
X(32, "movl 0xfee00390, %eax",           MOV, 4, 4, 4, 0, DS, -1, -1, 0, (s32)0xfee00390, 0, 0) \
X(32, "movl %ebx, 0xfee000b0",           MOV, 4, 4, 4, 3, DS, -1, -1, 0, (s32)0xfee000b0, F_DST, 0) \
X(32, "movw %bx, %es:(%ebp)",            MOV, 2, 2, 4, 3, ES, 5, -1, 0, 0, F_DST, 0) \
X(32, "movl (%ebp), %ebx",               MOV, 4, 4, 4, 3, SS, 5, -1, 0, 0, 0, 0) \
X(32, "movb %bh, %cs:(%eax,%eax)",       MOV, 1, 1, 4, 3, CS, 0, 0, 0, 0, F_DST | F_HIGH, 0) \
X(32, "movl (%bx,%si), %eax",            MOV, 4, 4, 2, 0, DS, 3, 6, 0, 0, 0, 0) \
X(32, "pushl (%eax)",                    PUSH, 4, 4, 4, 0, DS, 0, -1, 0, 0, 0, 0) \
X(32, "pushl %ecx",                      PUSH, 4, 4, 4, 1, SS, 4, -1, 0, 0, F_DST, 0) \
X(16, "movw %ax, (%bp,%di)",             MOV, 2, 2, 2, 0, SS, 5, 7, 0, 0, F_DST, 0) \
X(16, "movw 0x1234, %bx",                MOV, 2, 2, 2, 3, DS, -1, -1, 0, 0x1234, 0, 0) \
X(16, "movb 2(%bp), %al",                MOV, 1, 1, 2, 0, SS, 5, -1, 0, 2, 0, 0) \
X(16, "movl %eax, (%di)",                MOV, 4, 4, 2, 0, DS, 7, -1, 0, 0, F_DST, 0) \
X(16, "movl (%ecx,%edx,4), %eax",        MOV, 4, 4, 4, 0, DS, 1, 2, 2, 0, 0, 0) \
X(16, "rep stosb",                       STOS, 1, 1, 2, 0, ES, 7, -1, 0, 0, F_DST | F_REP, 0) \
X(16, "lodsw %fs:(%si), %ax",            LODS, 2, 2, 2, 0, FS, 6, -1, 0, 0, 0, 0) \
X(16, "negb 0x1234(%bx)",                NEG, 1, 1, 2, 0, DS, 3, -1, 0, 0x1234, F_DST, 0)

struct row {
	u32 bits;
	const char *text;
	enum emul_op op;
	u8 opsize, regsize, addrsize, reg, seg;
	s8 base, index;
	u8 scale;
	s64 disp;
	u32 flags;
	s64 imm;
};

#define ROW(bits, text, op, osz, rsz, asz, reg, seg, base, index, scale, disp, flags, imm) \
	{ bits, text, EMUL_##op, osz, rsz, asz, reg, SEG_##seg, base, index, scale, (s64)(disp), flags, imm },
static const struct row rows[] = { ROWS(ROW) };

/* One record per row: length, bytes. */
#define EMIT(bits, text, ...)                                                      \
	__asm__(".pushsection insn_records,\"a\"\n.code" #bits "\n.byte 8f - 7f\n" \
		"7: " text "\n8:\n.code64\n.popsection");
ROWS(EMIT)
/* clang-format on */

extern const u8 __start_insn_records[], __stop_insn_records[];

static enum emul_mode mode_of(u32 bits)
{
	return bits == 64 ? EMUL_64 : bits == 32 ? EMUL_32 : EMUL_16;
}

static void expect_row(const struct row *r, const struct insn *in)
{
	EXPECT_EQ(r->op, in->op);
	EXPECT_EQ(r->opsize, in->opsize);
	EXPECT_EQ(r->regsize, in->regsize);
	EXPECT_EQ(r->addrsize, in->addrsize);
	EXPECT_EQ(r->reg, in->reg);
	EXPECT_EQ(r->seg, in->seg);
	EXPECT_EQ(r->base, in->base);
	EXPECT_EQ(r->index, in->index);
	EXPECT_EQ(r->scale, in->scale);
	EXPECT_EQ(r->disp, in->disp);
	EXPECT_EQ((r->flags & F_DST) != 0, in->mem_dst);
	EXPECT_EQ((r->flags & F_IMM) != 0, in->has_imm);
	EXPECT_EQ((r->flags & F_SX) != 0, in->sign_extend);
	EXPECT_EQ((r->flags & F_REP) != 0, in->rep);
	EXPECT_EQ((r->flags & F_REPNE) != 0, in->repne);
	EXPECT_EQ((r->flags & F_LOCK) != 0, in->lock);
	EXPECT_EQ((r->flags & F_HIGH) != 0, in->high_byte);
	EXPECT_EQ((r->flags & F_RIP) != 0, in->rip_relative);
	EXPECT_EQ((r->flags & F_REG) != 0, in->in_register);
	EXPECT_EQ((u64)r->imm, in->imm);
}

static void test_decode_agrees_with_assembler(void)
{
	const u8 *rec = __start_insn_records;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct insn in;

		if (getenv("V") != NULL)
			print_message("%s\n", rows[i].text); /* the last one is the culprit */
		EXPECT_EQ(ERR_NONE, emul_decode(rec + 1, rec[0], mode_of(rows[i].bits), &in));
		EXPECT_EQ(rec[0], in.len);
		expect_row(&rows[i], &in);
		rec += 1 + rec[0];
	}
	EXPECT_TRUE(rec == __stop_insn_records);
}

/* A strict prefix of an instruction needs more bytes; bytes behind it change nothing. */
static void test_decode_depends_on_its_bytes_only(void)
{
	const u8 *rec = __start_insn_records;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum emul_mode mode = mode_of(rows[i].bits);
		struct insn a, b;
		u8 buf[15];

		for (u32 n = 0; n < rec[0]; n++)
			EXPECT_EQ(ERR_RANGE, emul_decode(rec + 1, n, mode, &a));
		memset(buf, (int)test_rng(), sizeof(buf));
		memcpy(buf, rec + 1, rec[0]);
		EXPECT_EQ(ERR_NONE, emul_decode(buf, 15, mode, &a));
		EXPECT_EQ(ERR_NONE, emul_decode(buf, rec[0], mode, &b));
		EXPECT_MEMEQ(&a, &b, offsetof(struct insn, imm));
		EXPECT_EQ(a.len, rec[0]);
		rec += 1 + rec[0];
	}
}

static err_t decode_bytes(enum emul_mode mode, u32 n, const u8 *bytes)
{
	struct insn in;

	return emul_decode(bytes, n, mode, &in);
}

#define DECODE(mode, ...) \
	decode_bytes(mode, sizeof((const u8[]){ __VA_ARGS__ }), (const u8[]){ __VA_ARGS__ })

static void test_decode_refuses_what_is_outside(void)
{
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x89, 0xc0));             /* mov eax, eax: no memory */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf0, 0x89, 0x00));       /* lock mov */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf0, 0x39, 0x00));       /* lock cmp */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf0, 0x03, 0x00));       /* lock add reg, mem */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf0, 0x0f, 0xa3, 0x00)); /* lock bt */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x0f, 0x01, 0x38));       /* invlpg */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x0f, 0x01, 0xc1));       /* vmcall */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x0f, 0x01, 0xe0));       /* smsw eax */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf0, 0x0f, 0x00, 0xc0)); /* lock sldt */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xf3, 0x0f, 0xbc, 0x00)); /* tzcnt */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x8e, 0x08));             /* mov cs, [rax] */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x8c, 0x30));             /* segment register 6 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xff, 0x38));             /* FF /7: undefined */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xff, 0xff)); /* what unmapped memory reads */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xc7, 0x08, 0, 0, 0, 0)); /* C7 /1 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x0f, 0x60, 0x00));       /* punpcklbw */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x66, 0x0f, 0xc3, 0x00)); /* movnti has no 66 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x0f, 0xba, 0x00, 1));    /* BA /0 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x62, 0xf1, 0x7c, 0x48, 0x29, 0x00)); /* EVEX */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xc5, 0xf0, 0x29, 0x00));       /* VEX.vvvv not 1111 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x66, 0xc5, 0xf8, 0x29, 0x00)); /* 66 before VEX */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0xc5, 0xfc, 0x13, 0x00));       /* VEX.L = 1 */
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_64, 0x82, 0x00, 0x00)); /* not in 64-bit mode */
	EXPECT_EQ(ERR_NONE, DECODE(EMUL_32, 0x82, 0x00, 0x00));
	EXPECT_EQ(ERR_INVAL, DECODE(EMUL_32, 0x63, 0x00)); /* ARPL */
}

static void test_decode_prefix_rules(void)
{
	static const u8 stale_rex[] = { 0x48, 0x66, 0x89, 0x00 }; /* REX.W before 66 is dead */
	static const u8 rex_wins[] = { 0x66, 0x48, 0x89, 0x00 };
	static const u8 flat_seg[] = { 0x65, 0x2e, 0x8b, 0x00 }; /* CS does not cancel GS */
	struct insn in;

	EXPECT_EQ(ERR_NONE, emul_decode(stale_rex, 4, EMUL_64, &in));
	EXPECT_EQ(2, in.opsize);
	EXPECT_EQ(ERR_NONE, emul_decode(rex_wins, 4, EMUL_64, &in));
	EXPECT_EQ(8, in.opsize);
	EXPECT_EQ(ERR_NONE, emul_decode(flat_seg, 4, EMUL_64, &in));
	EXPECT_EQ(SEG_GS, in.seg);
	EXPECT_EQ(ERR_NONE, emul_decode(flat_seg, 4, EMUL_32, &in));
	EXPECT_EQ(SEG_CS, in.seg);
}

static void test_decode_stops_at_15_bytes(void)
{
	u8 bytes[32];
	struct insn in;

	memset(bytes, 0x66, sizeof(bytes));
	bytes[13] = 0x89;
	bytes[14] = 0x00;
	EXPECT_EQ(ERR_NONE, emul_decode(bytes, sizeof(bytes), EMUL_64, &in));
	EXPECT_EQ(15, in.len);
	bytes[14] = 0x40; /* needs a displacement byte: the 16th */
	EXPECT_EQ(ERR_INVAL, emul_decode(bytes, sizeof(bytes), EMUL_64, &in));
	EXPECT_EQ(ERR_RANGE, emul_decode(bytes, 14, EMUL_64, &in));
	memset(bytes, 0x66, sizeof(bytes));
	EXPECT_EQ(ERR_INVAL, emul_decode(bytes, sizeof(bytes), EMUL_64, &in));
}

/* Whatever the bytes are: bounded, and sane when accepted. */
static void test_decode_survives_random_bytes(void)
{
	u32 accepted = 0;

	for (u32 i = 0; i < 200000; i++) {
		u32 n = (u32)(test_rng() % 16);
		u8 *bytes = malloc(n == 0 ? 1 : n); /* exact: the sanitizer sees an overrun */
		struct insn in;

		for (u32 k = 0; k < n; k++)
			bytes[k] = (u8)test_rng();
		if (emul_decode(bytes, n, (enum emul_mode)(test_rng() % 3), &in) == ERR_NONE) {
			accepted++;
			EXPECT_TRUE(in.len >= 1 && in.len <= n);
			EXPECT_TRUE(in.reg < 16 && in.base < 16 && in.index < 16 && in.seg < 6);
			EXPECT_TRUE(in.opsize <= in.regsize && in.scale < 4);
		}
		free(bytes);
	}
	EXPECT_GE(accepted, 10000);
}

TEST_MAIN(TEST(test_decode_agrees_with_assembler), TEST(test_decode_depends_on_its_bytes_only),
	  TEST(test_decode_refuses_what_is_outside), TEST(test_decode_prefix_rules),
	  TEST(test_decode_stops_at_15_bytes), TEST(test_decode_survives_random_bytes))
