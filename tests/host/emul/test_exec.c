/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executor against the processor this test runs on: the same bytes run natively on a buffer and
 * emulated on an emulated page; registers, memory and defined flags must agree. Then what does not
 * run natively: stack operands, and code of 16 and 32 bits. test_exec_vector.c has the vector
 * registers.
 */
#include "arch/x86/defs/cr.h"
#include "tests/host/emul/exec_native.h"

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

static void native(struct native *n, const u8 *bytes, u32 len)
{
	native_run(n, native_code(bytes, len));
}

#define ALL_FLAGS  (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define LOGIC      (ALL_FLAGS & ~RFLAGS_AF)
#define WIDE_FLAGS (RFLAGS_CF | RFLAGS_OF)
#define BIT_FLAGS  (RFLAGS_CF | RFLAGS_ZF)

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

#define LOADS_WLQ(X, op, flags) \
	X(op "w (%rbx), %cx", flags) X(op "l (%rbx), %edx", flags) X(op "q (%rbx), %rax", flags)
#define CMOVS(X, cc) LOADS_WLQ(X, "cmov" cc, ALL_FLAGS) X("set" cc " (%rbx)", ALL_FLAGS)

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
	UNARY(X, "mul", WIDE_FLAGS) UNARY(X, "imul", WIDE_FLAGS) \
	LOADS_WLQ(X, "imul", WIDE_FLAGS) X("imull $-7, (%rbx), %edx", WIDE_FLAGS) \
	X("imulw $0x1234, (%rbx), %ax", WIDE_FLAGS) X("imulq $0x12345678, (%rbx), %rcx", WIDE_FLAGS) \
	X("shldw $1, %cx, (%rbx)", LOGIC) X("shldl $31, %ecx, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shldq $63, %rdx, (%rbx)", LOGIC & ~RFLAGS_OF) X("shldw $15, %dx, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shldl %cl, %edx, (%rbx)", LOGIC & ~RFLAGS_OF) X("shldq %cl, %rax, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shrdw $1, %cx, (%rbx)", LOGIC) X("shrdl $31, %ecx, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shrdq $63, %rdx, (%rbx)", LOGIC & ~RFLAGS_OF) X("shrdw $15, %dx, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shrdl %cl, %edx, (%rbx)", LOGIC & ~RFLAGS_OF) X("shrdq %cl, %rax, (%rbx)", LOGIC & ~RFLAGS_OF) \
	X("shldl $0, %ecx, (%rbx)", ALL_FLAGS) X("shrdw $16, %cx, (%rbx)", 0) \
	LOADS_WLQ(X, "bsf", RFLAGS_ZF) LOADS_WLQ(X, "bsr", RFLAGS_ZF) \
	CMOVS(X, "o") CMOVS(X, "no") CMOVS(X, "b") CMOVS(X, "nb") CMOVS(X, "z") CMOVS(X, "nz") \
	CMOVS(X, "be") CMOVS(X, "nbe") CMOVS(X, "s") CMOVS(X, "ns") CMOVS(X, "p") CMOVS(X, "np") \
	CMOVS(X, "l") CMOVS(X, "nl") CMOVS(X, "le") CMOVS(X, "nle") \
	X("lock xaddl %ecx, (%rbx)", ALL_FLAGS) X("lock decq (%rbx)", ALL_FLAGS) \
	X("movntil %ecx, (%rbx)", ALL_FLAGS) X("movntiq %rdx, (%rbx)", ALL_FLAGS)

#define STRINGS(X) \
	X("stosb", 0) X("stosw", 0) X("stosl", 0) X("stosq", 0) \
	X("rep stosb", 0) X("rep stosl", 0) X("repne stosw", 0) X("rep stosq", 0) \
	X("lodsb", 0) X("lodsw", 0) X("lodsl", 0) X("lodsq", 0) X("rep lodsl", 0) \
	X("movsb", 0) X("movsq", 0) X("rep movsb", 0) X("rep movsw", 0) X("rep movsl", 0) \
	X("cmpsb", 1) X("cmpsw", 1) X("cmpsl", 1) X("cmpsq", 1) \
	X("repe cmpsb", 1) X("repe cmpsl", 1) X("repne cmpsw", 1) X("repne cmpsq", 1) \
	X("scasb", 1) X("scasw", 1) X("scasl", 1) X("scasq", 1) \
	X("repe scasb", 1) X("repe scasq", 1) X("repne scasw", 1) X("repne scasl", 1)

#define BITREGS(X) \
	X("btw %cx, (%rbx)", BIT_FLAGS) X("btsl %ecx, (%rbx)", BIT_FLAGS) \
	X("btrq %rcx, (%rbx)", BIT_FLAGS) X("btcw %cx, (%rbx)", BIT_FLAGS)

#define EMIT_ROW(text, flags)    EMIT("exec_rows", text)
#define EMIT_STRING(text, flags) EMIT("exec_strings", text)
#define EMIT_BITREG(text, flags) EMIT("exec_bitregs", text)

static const struct row rows[] = { ROWS(ROW) };
static const struct row strings[] = { STRINGS(ROW) };
static const struct row bitregs[] = { BITREGS(ROW) };
ROWS(EMIT_ROW)
STRINGS(EMIT_STRING)
BITREGS(EMIT_BITREG)
/* clang-format on */

extern const u8 __start_exec_rows[], __start_exec_strings[], __start_exec_bitregs[];

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

/* Comparisons want elements that are often equal. */
static void fill_alike(void)
{
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = test_rng() % 16 == 0;
	copy_to_guest();
}

static void compare_string(const struct row *r, const u8 *rec, u32 k)
{
	u64 in_page = PAGE_GVA + 0x400 + test_rng() % 0x800;
	u64 in_ram = NEXT_GVA + 0x400 + test_rng() % 0x800;
	bool load = strstr(r->text, "lods") != NULL ||
		    ((strstr(r->text, "movs") != NULL || strstr(r->text, "cmps") != NULL) &&
		     k % 2 == 0);
	struct native n = { .rax = r->flags ? test_rng() % 2 : test_rng(),
			    .rcx = 1 + test_rng() % 20,
			    .rsi = load ? in_page : in_ram,
			    .rdi = load ? in_ram : in_page,
			    .flags = RFLAGS_FIXED | (k % 4 == 0 ? RFLAGS_DF : 0) };
	u64 count = n.rcx;

	if (r->flags)
		fill_alike();
	else
		fill_random();
	paged_code(0x100, rec + 1, rec[0]);
	guest_regs(&n);
	n.rsi = host_of(n.rsi);
	n.rdi = host_of(n.rdi);
	native(&n, rec + 1, rec[0]);
	EXPECT_EQ(strncmp(r->text, "rep", 3) == 0 ? count - n.rcx : 1, emulate_string());
	EXPECT_EQ(n.rax, paged_vp.regs.rax);
	EXPECT_EQ(n.rcx, paged_vp.regs.rcx);
	EXPECT_EQ(gva_of(n.rsi), paged_vp.regs.rsi);
	EXPECT_EQ(gva_of(n.rdi), paged_vp.regs.rdi);
	EXPECT_EQ(n.flags & ALL_FLAGS, fake.vmcs[VMCS_GUEST_RFLAGS] & ALL_FLAGS);
	expect_same_memory();
}

static void test_exec_strings_agree_with_the_cpu(void)
{
	const u8 *rec = __start_exec_strings;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++, rec += 1 + rec[0]) {
		for (u32 k = 0; k < 40; k++)
			compare_string(&strings[i], rec, k);
	}
}

/* --- What only the emulated side can show --- */

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

/* A bit offset is signed; across the page's end the emulator computes the address itself. */
static void test_exec_bit_offset_backwards(void)
{
	setup();
	memset(page, 0, sizeof(page));
	memset(paged_ram + NEXT_GPA, 0, 8);
	paged_vp.regs.rbx = PAGE_GVA + PAGE_SIZE + 2;
	paged_vp.regs.rcx = 0xffffffff;
	CODE(0x0f, 0xab, 0x0b); /* bts dword [rbx], ecx */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + PAGE_SIZE - 2));
	EXPECT_EQ(0x80, paged_ram[NEXT_GPA + 1]);
}

/* SDM POP: an address that uses ESP is computed after the increment. */
static void test_exec_pop_to_its_stack(void)
{
	setup();
	memset(page, 0x11, sizeof(page));
	memset(paged_ram + PREV_GPA + PAGE_SIZE - 8, 0x33, 8);
	fake.vmcs[VMCS_GUEST_RSP] = PAGE_GVA - 8;
	CODE(0x8f, 0x44, 0x24, 0x08); /* pop [rsp+8] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 8));
	EXPECT_EQ(PAGE_GVA, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x11, page[7]);
	EXPECT_EQ(0x33, page[8]);
	EXPECT_EQ(0x33, page[15]);
	EXPECT_EQ(0x11, page[16]);
}

/* The override is for the source only: the destination stays ES:DI. */
static void test_exec_movs_with_an_override(void)
{
	setup();
	fake.vmcs[VMCS_GUEST_FS_BASE] = 0x40;
	fake.vmcs[VMCS_GUEST_GS_BASE] = 0x80;
	paged_ram[NEXT_GPA + 0x10] = 0xa0;
	paged_ram[NEXT_GPA + 0x50] = 0xa4;
	paged_ram[NEXT_GPA + 0x90] = 0xa8;
	paged_vp.regs.rsi = NEXT_GVA + 0x10;
	paged_vp.regs.rdi = PAGE_GVA;
	CODE(0x64, 0xa4); /* movsb es:[rdi], fs:[rsi] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA));
	EXPECT_EQ(0xa4, page[0]);
	paged_vp.regs.rsi = NEXT_GVA + 0x10;
	CODE(0x65, 0xa4); /* gs */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 1));
	EXPECT_EQ(0xa8, page[1]);
	paged_vp.regs.rsi = NEXT_GVA + 0x10;
	CODE(0xa4);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 2));
	EXPECT_EQ(0xa0, page[2]);
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

TEST_MAIN(TEST(test_exec_agrees_with_the_cpu), TEST(test_exec_straddles_pages),
	  TEST(test_exec_bit_offset_selects_the_operand),
	  TEST(test_exec_strings_agree_with_the_cpu), TEST(test_exec_push_and_pop),
	  TEST(test_exec_pop_to_its_stack), TEST(test_exec_bit_offset_backwards),
	  TEST(test_exec_movs_with_an_override), TEST(test_exec_16_and_32_bit))
