/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executor against the processor this test runs on: the same bytes run natively on a buffer and
 * emulated on an emulated page; registers, memory and defined flags must agree. Then what the
 * native run cannot show: faults, the code cache, straddling operands.
 */
#include "tests/host/harness.h"

#include <sys/mman.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/emul_internal.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/paged.h"

#define PAGE_GPA 0xfee00000ull
#define PAGE_GVA 0x7000000000ull
#define NEXT_GVA (PAGE_GVA + PAGE_SIZE) /* RAM behind it */
#define NEXT_GPA 0x80000ull
#define PREV_GVA (PAGE_GVA - PAGE_SIZE) /* RAM before it */
#define PREV_GPA 0x81000ull
#define RW       (PTE_P | PTE_W | PTE_U)

static u8 page[PAGE_SIZE];
static u32 page_reads, page_writes;

static u64 page_read(struct vp *vp, u64 gpa, u32 size)
{
	u64 val = 0;

	page_reads++;
	EXPECT_EQ(PAGE_GPA, gpa & PAGE_MASK);
	EXPECT_LE((gpa & ~PAGE_MASK) + size, PAGE_SIZE);
	memcpy(&val, page + (gpa & ~PAGE_MASK), size);
	return val;
}

static void page_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
	page_writes++;
	EXPECT_EQ(PAGE_GPA, gpa & PAGE_MASK);
	EXPECT_LE((gpa & ~PAGE_MASK) + size, PAGE_SIZE);
	memcpy(page + (gpa & ~PAGE_MASK), &val, size);
}

static const struct emul_mem mem = { page_read, page_write };

static void setup(void)
{
	paged_reset(EMUL_64);
	paged_map(PAGE_GVA, PAGE_GPA, RW);
	paged_map(NEXT_GVA, NEXT_GPA, RW);
	paged_map(PREV_GVA, PREV_GPA, RW);
	page_reads = 0;
	page_writes = 0;
}

/* --- The same instruction natively --- */

struct native {
	u64 rax, rcx, rdx, rbx, rsi, rdi, flags;
};

void native_run(struct native *n, const void *code);

__asm__(".pushsection .text\n"
	"native_run:\n\t"
	"push %rbx\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rdi, %r15\n\tmov %rsi, %r14\n\t"
	"mov 0(%r15), %rax\n\tmov 8(%r15), %rcx\n\tmov 16(%r15), %rdx\n\t"
	"mov 24(%r15), %rbx\n\tmov 32(%r15), %rsi\n\tmov 40(%r15), %rdi\n\t"
	"push 48(%r15)\n\tpopfq\n\t"
	"call *%r14\n\t"
	"pushfq\n\tpop 48(%r15)\n\tcld\n\t"
	"mov %rax, 0(%r15)\n\tmov %rcx, 8(%r15)\n\tmov %rdx, 16(%r15)\n\t"
	"mov %rbx, 24(%r15)\n\tmov %rsi, 32(%r15)\n\tmov %rdi, 40(%r15)\n\t"
	"pop %r15\n\tpop %r14\n\tpop %rbx\n\tret\n"
	".popsection");

static const void *native_code(const u8 *bytes, u32 len)
{
	static u8 *code;

	if (code == NULL) {
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		EXPECT_TRUE(code != MAP_FAILED);
	}
	memcpy(code, bytes, len);
	code[len] = 0xc3; /* ret */
	return code;
}

static void native(struct native *n, const u8 *bytes, u32 len)
{
	native_run(n, native_code(bytes, len));
}

#define ALL_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define LOGIC     (ALL_FLAGS & ~RFLAGS_AF)
#define BIT_FLAGS (RFLAGS_CF | RFLAGS_ZF)

/* clang-format off */
#define SIZES(X, op, flags) \
	X(op "b %al, (%rbx)", flags) X(op "w %cx, (%rbx)", flags) \
	X(op "l %edx, (%rbx)", flags) X(op "q %rax, (%rbx)", flags) \
	X(op "b %ch, (%rbx)", flags) X(op "b %sil, (%rbx)", flags)
#define LOADS(X, op, flags) \
	X(op "b (%rbx), %al", flags) X(op "w (%rbx), %cx", flags) \
	X(op "l (%rbx), %edx", flags) X(op "q (%rbx), %rax", flags) \
	X(op "b (%rbx), %dh", flags)
#define IMMS(X, op, flags) \
	X(op "b $0x85, (%rbx)", flags) X(op "w $0x8123, (%rbx)", flags) \
	X(op "l $-7, (%rbx)", flags) X(op "q $-0x12345678, (%rbx)", flags)
#define UNARY(X, op, flags) \
	X(op "b (%rbx)", flags) X(op "w (%rbx)", flags) X(op "l (%rbx)", flags) X(op "q (%rbx)", flags)
#define ALU(X, op, flags) SIZES(X, op, flags) LOADS(X, op, flags) IMMS(X, op, flags)
#define BITS(X, op) \
	X(op "w $13, (%rbx)", BIT_FLAGS) X(op "l $31, (%rbx)", BIT_FLAGS) X(op "q $63, (%rbx)", BIT_FLAGS)

#define ROWS(X) \
	ALU(X, "add", ALL_FLAGS) ALU(X, "adc", ALL_FLAGS) ALU(X, "sub", ALL_FLAGS) \
	ALU(X, "sbb", ALL_FLAGS) ALU(X, "cmp", ALL_FLAGS) ALU(X, "or", LOGIC) \
	ALU(X, "and", LOGIC) ALU(X, "xor", LOGIC) ALU(X, "mov", ALL_FLAGS) \
	SIZES(X, "test", LOGIC) IMMS(X, "test", LOGIC) \
	SIZES(X, "xchg", ALL_FLAGS) SIZES(X, "xadd", ALL_FLAGS) SIZES(X, "cmpxchg", ALL_FLAGS) \
	UNARY(X, "inc", ALL_FLAGS) UNARY(X, "dec", ALL_FLAGS) UNARY(X, "neg", ALL_FLAGS) \
	UNARY(X, "not", ALL_FLAGS) \
	BITS(X, "bt") BITS(X, "bts") BITS(X, "btr") BITS(X, "btc") \
	X("movzbl (%rbx), %eax", ALL_FLAGS) X("movzbw (%rbx), %ax", ALL_FLAGS) \
	X("movzwq (%rbx), %rcx", ALL_FLAGS) X("movsbw (%rbx), %dx", ALL_FLAGS) \
	X("movsbl (%rbx), %edx", ALL_FLAGS) X("movsbq (%rbx), %rdx", ALL_FLAGS) \
	X("movswl (%rbx), %eax", ALL_FLAGS) X("movslq (%rbx), %rax", ALL_FLAGS) \
	X("lock xaddl %ecx, (%rbx)", ALL_FLAGS) X("lock decq (%rbx)", ALL_FLAGS) \
	X("movntil %ecx, (%rbx)", ALL_FLAGS) X("movntiq %rdx, (%rbx)", ALL_FLAGS)

#define STRINGS(X) \
	X("stosb", 0) X("stosw", 0) X("stosl", 0) X("stosq", 0) \
	X("rep stosb", 0) X("rep stosl", 0) X("repne stosw", 0) X("rep stosq", 0) \
	X("lodsb", 0) X("lodsw", 0) X("lodsl", 0) X("lodsq", 0) X("rep lodsl", 0) \
	X("movsb", 0) X("movsq", 0) X("rep movsb", 0) X("rep movsw", 0) X("rep movsl", 0)

/* X(text, alignment of the operand) */
#define VECTORS(X) \
	X("movups (%rbx), %xmm1", 1) X("movups %xmm9, (%rbx)", 1) \
	X("movupd (%rbx), %xmm15", 1) X("movupd %xmm0, (%rbx)", 1) \
	X("movaps (%rbx), %xmm8", 16) X("movaps %xmm7, (%rbx)", 16) \
	X("movapd (%rbx), %xmm2", 16) X("movapd %xmm10, (%rbx)", 16) \
	X("movdqu (%rbx), %xmm3", 1) X("movdqu %xmm11, (%rbx)", 1) \
	X("movdqa (%rbx), %xmm4", 16) X("movdqa %xmm12, (%rbx)", 16) \
	X("movss (%rbx), %xmm5", 1) X("movss %xmm13, (%rbx)", 1) \
	X("movsd (%rbx), %xmm6", 1) X("movsd %xmm14, (%rbx)", 1) \
	X("movlps (%rbx), %xmm7", 1) X("movlps %xmm15, (%rbx)", 1) \
	X("movhps (%rbx), %xmm8", 1) X("movhps %xmm1, (%rbx)", 1) \
	X("movlpd (%rbx), %xmm9", 1) X("movhpd %xmm2, (%rbx)", 1) \
	X("movd (%rbx), %xmm10", 1) X("movd %xmm3, (%rbx)", 1) \
	X("movq (%rbx), %xmm11", 1) X("movq %xmm4, (%rbx)", 1) \
	X(".byte 0x66, 0x48, 0x0f, 0x6e, 0x03 # movq r/m64", 1) \
	X(".byte 0x66, 0x48, 0x0f, 0x7e, 0x03 # movq r/m64", 1) \
	X("movntps %xmm5, (%rbx)", 16) X("movntpd %xmm6, (%rbx)", 16) X("movntdq %xmm7, (%rbx)", 16) \
	X("lddqu (%rbx), %xmm12", 1) X("movntdqa (%rbx), %xmm13", 16) \
	X("vmovups (%rbx), %xmm1", 1) X("vmovups %xmm9, (%rbx)", 1) \
	X("vmovups (%rbx), %ymm2", 1) X("vmovups %ymm10, (%rbx)", 1) \
	X("vmovupd (%rbx), %ymm14", 1) X("vmovupd %ymm11, (%rbx)", 1) \
	X("vmovaps (%rbx), %ymm3", 32) X("vmovapd %ymm12, (%rbx)", 32) \
	X("vmovdqu (%rbx), %ymm4", 1) X("vmovdqu %ymm13, (%rbx)", 1) \
	X("vmovdqu (%rbx), %xmm5", 1) X("vmovdqa %xmm14, (%rbx)", 16) \
	X("vmovdqa (%rbx), %ymm6", 32) X("vmovss (%rbx), %xmm7", 1) X("vmovsd (%rbx), %xmm8", 1) \
	X("vmovss %xmm7, (%rbx)", 1) X("vmovsd %xmm8, (%rbx)", 1) \
	X("vmovlps (%rbx), %xmm9, %xmm10", 1) X("vmovhps (%rbx), %xmm11, %xmm3", 1) \
	X("vmovlpd %xmm12, (%rbx)", 1) X("vmovhpd %xmm13, (%rbx)", 1) \
	X("vmovd (%rbx), %xmm14", 1) X("vmovd %xmm15, (%rbx)", 1) \
	X("vmovq (%rbx), %xmm0", 1) X("vmovq %xmm1, (%rbx)", 1) \
	X("vmovntps %ymm2, (%rbx)", 32) X("vmovntdq %ymm4, (%rbx)", 32) \
	X("vlddqu (%rbx), %ymm5", 1) X("vmovntdqa (%rbx), %xmm6", 16)

#define BITREGS(X) \
	X("btw %cx, (%rbx)", BIT_FLAGS) X("btsl %ecx, (%rbx)", BIT_FLAGS) \
	X("btrq %rcx, (%rbx)", BIT_FLAGS) X("btcw %cx, (%rbx)", BIT_FLAGS)

struct row {
	const char *text;
	u64 flags;
};

#define ROW(text, flags) { text, flags },
#define EMIT(section, text) \
	__asm__(".pushsection " section ",\"a\"\n.byte 8f - 7f\n7: " text "\n8:\n.popsection");
#define EMIT_ROW(text, flags)    EMIT("exec_rows", text)
#define EMIT_STRING(text, flags) EMIT("exec_strings", text)
#define EMIT_BITREG(text, flags) EMIT("exec_bitregs", text)
#define EMIT_VECTOR(text, align) EMIT("exec_vectors", text)

static const struct row rows[] = { ROWS(ROW) };
static const struct row strings[] = { STRINGS(ROW) };
static const struct row bitregs[] = { BITREGS(ROW) };
static const struct row vectors[] = { VECTORS(ROW) };
ROWS(EMIT_ROW)
STRINGS(EMIT_STRING)
BITREGS(EMIT_BITREG)
VECTORS(EMIT_VECTOR)
/* clang-format on */

extern const u8 __start_exec_rows[], __start_exec_strings[], __start_exec_bitregs[];
extern const u8 __start_exec_vectors[];

/* Three pages: RAM, the emulated one, RAM. */
static u8 buffer[3 * PAGE_SIZE] ALIGNED(4096);

static void fill_random(void)
{
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (u8)test_rng();
	memcpy(paged_ram + PREV_GPA, buffer, PAGE_SIZE);
	memcpy(page, buffer + PAGE_SIZE, PAGE_SIZE);
	memcpy(paged_ram + NEXT_GPA, buffer + 2 * PAGE_SIZE, PAGE_SIZE);
}

static void expect_same_memory(void)
{
	EXPECT_MEMEQ(paged_ram + PREV_GPA, buffer, PAGE_SIZE);
	EXPECT_MEMEQ(page, buffer + PAGE_SIZE, PAGE_SIZE);
	EXPECT_MEMEQ(paged_ram + NEXT_GPA, buffer + 2 * PAGE_SIZE, PAGE_SIZE);
}

/* Random values, with the interesting ones often. */
static u64 random_value(void)
{
	static const u64 edges[] = {
		0,      1,          0x7f,       0x80,       0xff,       0x7fff,
		0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull
	};
	u64 r = test_rng();

	return (r & 1) ? edges[(r >> 8) % ARRAY_SIZE(edges)] : test_rng();
}

/* GVA @linear as the buffer sees it. */
static u64 host_of(u64 linear)
{
	return (u64)(uintptr_t)buffer + (linear - PREV_GVA);
}

static u64 gva_of(u64 host)
{
	return PREV_GVA + (host - (u64)(uintptr_t)buffer);
}

static void guest_regs(const struct native *n)
{
	paged_vp.regs.rax = n->rax;
	paged_vp.regs.rcx = n->rcx;
	paged_vp.regs.rdx = n->rdx;
	paged_vp.regs.rbx = n->rbx;
	paged_vp.regs.rsi = n->rsi;
	paged_vp.regs.rdi = n->rdi;
	fake.vmcs[VMCS_GUEST_RFLAGS] = n->flags;
}

/* The address the CPU reports for an access at @linear: the first byte on the emulated page. */
static u64 reported_gpa(u64 linear)
{
	return linear < PAGE_GVA ? PAGE_GPA : PAGE_GPA + (linear - PAGE_GVA);
}

static enum exit_action emulate(u64 gpa)
{
	enum exit_action action = emul_execute(&paged_vp, gpa, &mem);

	EXPECT_NE(EXIT_UNHANDLED, action);
	return action;
}

static void compare_row(const struct row *r, const u8 *rec, u64 linear)
{
	struct native n = { .rax = random_value(),
			    .rcx = random_value(),
			    .rdx = random_value(),
			    .rsi = random_value(),
			    .rdi = random_value(),
			    .flags = RFLAGS_FIXED | (test_rng() & ALL_FLAGS) };

	fill_random();
	n.rbx = linear;
	paged_code(0x100, rec + 1, rec[0]);
	guest_regs(&n);
	n.rbx = host_of(linear);
	if (test_rng() & 1)
		memcpy(&n.rax, buffer + (linear - PREV_GVA), 8); /* CMPXCHG: equal */
	paged_vp.regs.rax = n.rax;
	native(&n, rec + 1, rec[0]);

	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(reported_gpa(linear)));
	EXPECT_EQ(rec[0], paged_vp.insn_len);
	EXPECT_EQ(n.rax, paged_vp.regs.rax);
	EXPECT_EQ(n.rcx, paged_vp.regs.rcx);
	EXPECT_EQ(n.rdx, paged_vp.regs.rdx);
	EXPECT_EQ(n.rsi, paged_vp.regs.rsi);
	EXPECT_EQ(linear, paged_vp.regs.rbx);
	EXPECT_EQ(n.flags & r->flags, fake.vmcs[VMCS_GUEST_RFLAGS] & r->flags);
	expect_same_memory();
}

static void test_exec_agrees_with_the_cpu(void)
{
	const u8 *rec = __start_exec_rows;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++, rec += 1 + rec[0]) {
		if (getenv("V") != NULL)
			print_message("%s\n", rows[i].text);
		for (u32 k = 0; k < 60; k++)
			compare_row(&rows[i], rec, PAGE_GVA + test_rng() % (PAGE_SIZE - 8));
	}
}

/* Operands that reach into the RAM page before or behind the emulated one. */
static void test_exec_straddles_pages(void)
{
	const u8 *rec = __start_exec_rows;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++, rec += 1 + rec[0]) {
		struct insn in;

		EXPECT_EQ(ERR_NONE, emul_decode(rec + 1, rec[0], EMUL_64, &in));
		for (u32 k = 1; k < in.opsize; k++) {
			compare_row(&rows[i], rec, PAGE_GVA - k);
			compare_row(&rows[i], rec, NEXT_GVA - k);
		}
	}
}

static void test_exec_bit_offset_selects_the_operand(void)
{
	const u8 *rec = __start_exec_bitregs;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(bitregs); i++, rec += 1 + rec[0]) {
		for (u32 k = 0; k < 200; k++) {
			s64 bit = (s64)(test_rng() % 16000) - 8000;
			struct native n = { .rbx = PAGE_GVA + 0x800,
					    .rcx = (u64)bit,
					    .flags = RFLAGS_FIXED };
			struct insn in;
			s64 bits;

			EXPECT_EQ(ERR_NONE, emul_decode(rec + 1, rec[0], EMUL_64, &in));
			bits = 8 * in.opsize;
			fill_random();
			paged_code(0x100, rec + 1, rec[0]);
			guest_regs(&n);
			n.rbx = host_of(n.rbx);
			native(&n, rec + 1, rec[0]);
			EXPECT_EQ(EXIT_NEXT_DECODED,
				  emulate(PAGE_GPA + 0x800 + (u64)((bit & ~(bits - 1)) / 8)));
			EXPECT_EQ(n.flags & BIT_FLAGS, fake.vmcs[VMCS_GUEST_RFLAGS] & BIT_FLAGS);
			expect_same_memory();
		}
	}
}

/* Runs a string instruction as the CPU would: again while it restarts. */
static u32 emulate_string(void)
{
	enum exit_action action;
	u32 iterations = 0;

	do {
		bool src_in_page = (paged_vp.regs.rsi & PAGE_MASK) == PAGE_GVA;
		u64 at = src_in_page ? paged_vp.regs.rsi : paged_vp.regs.rdi;

		action = emulate(reported_gpa(at));
		iterations++;
		EXPECT_LE(iterations, 100);
	} while (action == EXIT_ITERATION && paged_exception() < 0);
	EXPECT_EQ(EXIT_NEXT_DECODED, action);
	return iterations;
}

static void test_exec_strings_agree_with_the_cpu(void)
{
	const u8 *rec = __start_exec_strings;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++, rec += 1 + rec[0]) {
		bool rep = strncmp(strings[i].text, "rep", 3) == 0;

		for (u32 k = 0; k < 40; k++) {
			u64 in_page = PAGE_GVA + 0x400 + test_rng() % 0x800;
			u64 in_ram = NEXT_GVA + 0x400 + test_rng() % 0x800;
			bool load = strstr(strings[i].text, "lods") != NULL ||
				    (strstr(strings[i].text, "movs") != NULL && k % 2 == 0);
			struct native n = { .rax = test_rng(),
					    .rcx = 1 + test_rng() % 20,
					    .rsi = load ? in_page : in_ram,
					    .rdi = load ? in_ram : in_page,
					    .flags = RFLAGS_FIXED | (k % 4 == 0 ? RFLAGS_DF : 0) };
			u64 count = n.rcx;

			fill_random();
			paged_code(0x100, rec + 1, rec[0]);
			guest_regs(&n);
			n.rsi = host_of(n.rsi);
			n.rdi = host_of(n.rdi);
			native(&n, rec + 1, rec[0]);
			EXPECT_EQ(rep ? count : 1, emulate_string());
			EXPECT_EQ(n.rax, paged_vp.regs.rax);
			EXPECT_EQ(n.rcx, paged_vp.regs.rcx);
			EXPECT_EQ(gva_of(n.rsi), paged_vp.regs.rsi);
			EXPECT_EQ(gva_of(n.rdi), paged_vp.regs.rdi);
			expect_same_memory();
		}
	}
}

/* --- Vector registers --- */

/* Run @code with YMM0-15 = @regs, stored back, and RBX = @rbx. */
void native_vectors(u64 regs[16][4], const void *code, u64 rbx);

#define EACH_YMM(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_YMM(n)  "vmovdqu 32*" #n "(%r12), %ymm" #n "\n\t"
#define STORE_YMM(n) "vmovdqu %ymm" #n ", 32*" #n "(%r12)\n\t"

__asm__(".pushsection .text\n"
	"native_vectors:\n\t"
	"push %rbx\n\tpush %r12\n\tpush %r13\n\t"
	"mov %rdi, %r12\n\tmov %rdx, %rbx\n\t" EACH_YMM(LOAD_YMM) "call *%rsi\n\t" EACH_YMM(
		STORE_YMM) "vzeroupper\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tret\n"
			   ".popsection");

/* Vector state is on in the guest. */
static void setup_vectors(void)
{
	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_OSFXSR | CR4_OSXSAVE;
	paged_vp.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
}

static void compare_vector(const u8 *rec, u64 linear)
{
	u64 regs[16][4];

	fill_random();
	for (u32 i = 0; i < 64; i++)
		regs[i / 4][i % 4] = test_rng();
	memcpy(fake.vector, regs, sizeof(regs));
	paged_code(0x100, rec + 1, rec[0]);
	paged_vp.regs.rbx = linear;
	native_vectors(regs, native_code(rec + 1, rec[0]), host_of(linear));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(reported_gpa(linear)));
	EXPECT_EQ(rec[0], paged_vp.insn_len);
	EXPECT_MEMEQ(fake.vector, regs, sizeof(regs));
	expect_same_memory();
}

static void test_exec_vectors_agree_with_the_cpu(void)
{
	const u8 *rec = __start_exec_vectors;

	if (!__builtin_cpu_supports("avx2")) {
		print_message("this CPU has no AVX2\n");
		skip();
	}
	setup_vectors();
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++, rec += 1 + rec[0]) {
		u64 align = vectors[i].flags;
		struct insn in;

		if (getenv("V") != NULL)
			print_message("%s\n", vectors[i].text);
		EXPECT_EQ(ERR_NONE, emul_decode(rec + 1, rec[0], EMUL_64, &in));
		EXPECT_EQ(EMUL_VMOV, in.op);
		for (u32 k = 0; k < 40; k++)
			compare_vector(rec,
				       PAGE_GVA + (test_rng() % (PAGE_SIZE - 32) & ~(align - 1)));
		for (u32 k = 1; align == 1 && k < in.opsize; k++) {
			compare_vector(rec, PAGE_GVA - k);
			compare_vector(rec, NEXT_GVA - k);
		}
	}
}

/* State that the guest has switched off is not touched: what the CPU says before any access. */
static void expect_vector_fault(bool vex, int vector)
{
	static const u8 legacy[] = { 0x0f, 0x10, 0x03 }, coded[] = { 0xc5, 0xfc, 0x10, 0x03 };

	paged_code(0x100, vex ? coded : legacy, vex ? sizeof(coded) : sizeof(legacy));
	paged_vp.event.info = 0;
	EXPECT_EQ(vector < 0 ? EXIT_NEXT_DECODED : EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(vector, paged_exception());
}

static void test_exec_vectors_must_be_on(void)
{
	setup_vectors();
	expect_vector_fault(false, -1);
	expect_vector_fault(true, -1);
	page_reads = 0;
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_TS;
	expect_vector_fault(false, EXC_NM);
	expect_vector_fault(true, EXC_NM);
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_EM;
	expect_vector_fault(false, EXC_UD);
	expect_vector_fault(true, EXC_NM); /* VEX does not look at EM */
	fake.vmcs[VMCS_GUEST_CR0] &= ~(CR0_EM | CR0_TS);
	fake.vmcs[VMCS_GUEST_CR4] &= ~CR4_OSFXSR;
	expect_vector_fault(false, EXC_UD);
	fake.vmcs[VMCS_GUEST_CR4] &= ~CR4_OSXSAVE;
	expect_vector_fault(true, EXC_UD);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_OSXSAVE;
	paged_vp.xcr0 = XCR0_X87 | XCR0_SSE;
	expect_vector_fault(true, EXC_UD);
	paged_vp.xcr0 |= XCR0_AVX;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_VM;
	expect_vector_fault(true, EXC_UD);
	EXPECT_EQ(0, page_reads);
}

/* --- What only the emulated side can show --- */

static void code(const void *bytes, u32 len)
{
	paged_code(0x100, bytes, len);
}

#define CODE(...) code((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static void test_exec_push_and_pop(void)
{
	setup();
	memset(page, 0x11, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x80;
	fake.vmcs[VMCS_GUEST_RSP] = NEXT_GVA + 0x100;

	CODE(0xff, 0x33); /* push [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x80));
	EXPECT_EQ(NEXT_GVA + 0xf8, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_MEMEQ(page, paged_ram + NEXT_GPA + 0xf8, 8);

	memset(paged_ram + NEXT_GPA + 0xf8, 0x22, 8);
	CODE(0x8f, 0x03); /* pop [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x80));
	EXPECT_EQ(NEXT_GVA + 0x100, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x22, page[0x80]);
	EXPECT_EQ(0x22, page[0x87]);

	fake.vmcs[VMCS_GUEST_RSP] = PAGE_GVA + 0x208;
	paged_vp.regs.rdx = 0x1122334455667788;
	CODE(0x52); /* push rdx, the stack on the emulated page */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x200));
	EXPECT_EQ(PAGE_GVA + 0x200, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x88, page[0x200]);

	CODE(0x5c); /* pop rsp: the loaded value wins */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x200));
	EXPECT_EQ(0x1122334455667788, fake.vmcs[VMCS_GUEST_RSP]);
}

static void test_exec_second_operand_faults(void)
{
	setup();
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x123456000; /* not mapped */
	CODE(0xa4);                      /* movsb */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_W, paged_error());
	EXPECT_EQ(0x123456000, fake.cr2);
	EXPECT_EQ(0, page_reads); /* no side effect before the fault */
	EXPECT_EQ(PAGE_GVA, paged_vp.regs.rsi);

	setup();
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x800000000000; /* not canonical */
	CODE(0xa4);
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_GP, paged_exception());

	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	fake.vmcs[VMCS_GUEST_RSP] = 0x800000000010;
	CODE(0xff, 0x33); /* push [rbx] */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_SS, paged_exception());
	EXPECT_EQ(0x800000000010, fake.vmcs[VMCS_GUEST_RSP]);
}

static void test_exec_reports_what_it_cannot_do(void)
{
	setup();
	CODE(0xd9, 0x38); /* fnstcw [rax] */
	EXPECT_EQ(EXIT_UNHANDLED, emul_execute(&paged_vp, PAGE_GPA, &mem));
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(1, paged_vp.counters.c[COUNTER_DECODE_FAILED]);

	setup(); /* the other operand of MOVS is a device */
	paged_map(0x5000000, 0xfd000000, RW);
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x5000000;
	CODE(0xa4);
	EXPECT_EQ(EXIT_UNHANDLED, emul_execute(&paged_vp, PAGE_GPA, &mem));
	EXPECT_EQ(0, page_reads);
}

/* The instruction ends on a page that is gone: the CPU would fault on the fetch. */
static void test_exec_fetch_faults(void)
{
	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	paged_code(0xffe, (const u8[]){ 0x8b, 0x83 }, 2); /* mov eax, [rbx + disp32] */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_I, paged_error());
	EXPECT_EQ(PAGED_CODE_GPA + 0x1000, fake.cr2);

	setup(); /* and when it is there, not contiguous, the instruction runs */
	paged_code(0xffe, (const u8[]){ 0x8b, 0x83 }, 2);
	paged_map(PAGED_CODE_GPA + 0x1000, 0x90000, RW);
	memcpy(paged_ram + 0x90000, (const u8[]){ 0x40, 0, 0, 0 }, 4);
	memset(page + 0x40, 0x5a, 4);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x5a5a5a5a, paged_vp.regs.rax);
	EXPECT_EQ(6, paged_vp.insn_len);
}

/* A cached instruction is used only while its bytes and its translation are what they were. */
static void test_exec_cache_sees_changes(void)
{
	setup();
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	for (u32 i = 0; i < 3; i++) {
		u64 before = fake.vmreads;

		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
		EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);
		if (i != 0)
			EXPECT_LE(fake.vmreads - before, 5); /* hits */
	}
	paged_ram[PAGED_CODE_GPA + 0x100] = 0x8a; /* now mov al, [rbx] */
	paged_vp.regs.rax = 0;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3, paged_vp.regs.rax);

	/* The page table moves the code page elsewhere: mov [rbx], eax is there. */
	memcpy(paged_ram + 0x90100, (const u8[]){ 0x89, 0x03 }, 2);
	*paged_entry(PAGED_CODE_GPA, 1) = 0x90000 | RW;
	paged_vp.regs.rax = 0x12345678;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x78, page[0x40]);

	/* Bytes behind the instruction do not matter. */
	paged_ram[0x90102] ^= 0xff;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
}

/* Its pointers end with the VP's share of a flush: what is there now is an overlay. */
static void test_exec_cache_ends_with_the_map(void)
{
	struct overlay o = { .perms = EPT_RWX, .kind = PAGE_OVERLAY };
	u8 *over;

	setup();
	over = page_alloc();
	o.page = hw_virt_to_phys(over);
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);

	memcpy(over + 0x100, (const u8[]){ 0x89, 0x03 }, 2); /* mov [rbx], eax */
	EXPECT_EQ(ERR_NONE, overlay_map(&the_partition, &o, PAGED_CODE_GPA));
	paged_vp.flush_done++;
	paged_vp.regs.rax = 0x12345678;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x78, page[0x40]);

	/* Gone again, and nothing of the overlay stays in the cache. */
	overlay_unmap(&the_partition, &o);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x12345678, paged_vp.regs.rax);
	EXPECT_EQ(0x78, page[0x40]);
}

static void test_exec_16_and_32_bit(void)
{
	paged_reset(EMUL_32);
	memset(page, 0x77, sizeof(page));
	paged_vp.regs.rax = ~0ull;
	CODE(0xa1, 0x90, 0x03, 0xe0, 0xfe); /* mov eax, [0xfee00390] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x390));
	EXPECT_EQ(0x77777777, paged_vp.regs.rax);
	EXPECT_EQ(5, paged_vp.insn_len);

	paged_reset(EMUL_16);
	paged_vp.regs.rax = 0x1122334455660000;
	CODE(0x8b, 0x07); /* mov ax, [bx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x10));
	EXPECT_EQ(0x1122334455667777, paged_vp.regs.rax);

	/* 16-bit string registers wrap inside 64 KiB and keep their upper part. */
	paged_vp.regs.rdi = 0xabcd0000ffff;
	paged_vp.regs.rcx = 0x5555000000000002;
	CODE(0xf3, 0xaa); /* rep stosb */
	EXPECT_EQ(EXIT_ITERATION, emulate(PAGE_GPA + 0x10));
	EXPECT_EQ(0xabcd00000000, paged_vp.regs.rdi);
	EXPECT_EQ(0x5555000000000001, paged_vp.regs.rcx);
}

/* Limits, types and the expand-down rule of the second operand outside 64-bit mode. */
static void test_linear_checks_segments(void)
{
	u64 lin;

	paged_reset(EMUL_32);
	fake.vmcs[VMCS_GUEST_DS_BASE] = 0x1000;
	fake.vmcs[VMCS_GUEST_DS_LIMIT] = 0xfff;
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_DS, 0xffc, 4, true, &lin));
	EXPECT_EQ(0x1ffc, lin);
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xffd, 4, true, &lin));
	EXPECT_EQ(EXC_GP, paged_exception());

	fake.vmcs[VMCS_GUEST_DS_AR] |= AR_TYPE_EXPAND_DOWN;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xfff, 1, false, &lin));
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_DS, 0x1000, 4, false, &lin));
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xfffffffe, 4, false, &lin));

	fake.vmcs[VMCS_GUEST_ES_AR] &= ~(u64)AR_TYPE_WRITABLE;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_ES, 0, 4, false, &lin));
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_ES, 0, 4, true, &lin));
	fake.vmcs[VMCS_GUEST_SS_AR] |= AR_UNUSABLE;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_SS, 0, 4, false, &lin));
	EXPECT_EQ(EXC_SS, paged_exception());
}

static void expect_retries(u64 at)
{
	struct gpr_regs before = paged_vp.regs;
	u32 reads = page_reads, writes = page_writes;

	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(EXIT_RETRY, emulate(at));
		EXPECT_MEMEQ(&before, &paged_vp.regs, sizeof(before));
		EXPECT_EQ(reads, page_reads);
		EXPECT_EQ(writes, page_writes);
		EXPECT_EQ(-1, paged_exception());
	}
}

/* The page that RIP is in, and the next one when the instruction reaches into it. */
static void test_exec_waits_for_code(void)
{
	setup();
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	fake_far_add(&the_partition, PAGED_CODE_GPA, PAGED_CODE_GPA + PAGE_SIZE);
	expect_retries(PAGE_GPA + 0x40);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);
	fake_far_again(); /* not from the cache */
	expect_retries(PAGE_GPA + 0x40);

	setup();
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	paged_map(PAGED_CODE_GPA + PAGE_SIZE, PAGED_CODE_GPA + PAGE_SIZE, RW);
	paged_code(PAGE_SIZE - 1, (const u8[]){ 0x8b, 0x03 }, 2);
	fake_far_add(&the_partition, PAGED_CODE_GPA + PAGE_SIZE, PAGED_CODE_GPA + 2 * PAGE_SIZE);
	expect_retries(PAGE_GPA + 0x40);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));

	paged_code(PAGE_SIZE - 2, (const u8[]){ 0x8b, 0x03 }, 2); /* ends with its page */
	fake_far_again();
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0, fake_far.pinned);
}

/* The other operand of MOVS: its page, or a paging structure on the way to it. */
static void test_exec_waits_for_operands(void)
{
	u64 far[2];

	for (u32 i = 0; i < ARRAY_SIZE(far); i++) {
		setup();
		page[0] = 0x5a;
		far[0] = NEXT_GPA;
		far[1] = ALIGN_DOWN((u64)((u8 *)paged_entry(NEXT_GVA, 1) - paged_ram), PAGE_SIZE);
		fake_far_add(&the_partition, far[i], far[i] + PAGE_SIZE);
		paged_vp.regs.rsi = PAGE_GVA;
		paged_vp.regs.rdi = NEXT_GVA;
		CODE(0xa4); /* movsb */
		expect_retries(PAGE_GPA);
		EXPECT_EQ(0, paged_ram[NEXT_GPA]);
		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA));
		EXPECT_EQ(0x5a, paged_ram[NEXT_GPA]);
		EXPECT_EQ(1, page_reads);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

TEST_MAIN(TEST(test_exec_agrees_with_the_cpu), TEST(test_exec_straddles_pages),
	  TEST(test_exec_bit_offset_selects_the_operand),
	  TEST(test_exec_strings_agree_with_the_cpu), TEST(test_exec_vectors_agree_with_the_cpu),
	  TEST(test_exec_vectors_must_be_on), TEST(test_exec_push_and_pop),
	  TEST(test_exec_second_operand_faults), TEST(test_exec_reports_what_it_cannot_do),
	  TEST(test_exec_fetch_faults), TEST(test_exec_cache_sees_changes),
	  TEST(test_exec_cache_ends_with_the_map), TEST(test_exec_16_and_32_bit),
	  TEST(test_linear_checks_segments), TEST(test_exec_waits_for_code),
	  TEST(test_exec_waits_for_operands))
