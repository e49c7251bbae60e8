// SPDX-License-Identifier: BSD-2-Clause
// Rule M1, access by access: what each kind of load, store and fetch does to the hypervisor's
// region, over both of its edges, and how often Kensho counts it. The row guest-hostile compares
// the counts.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/str.h"

#define ONES64 ~0ull
#define DF     0x400u
#define MIDDLE 0x40000ull /* of the region: pages that never become scratch pages */

/* Pages that do, counted from the end; other tests of a whole run use the last 32. */
#define SCRATCH_FIRST 40u

extern u64 page_pml4[512];

static u64 region, region_end;
static u32 scratch_used;

static bool region_ready(void)
{
	u64 len = 0;

	write_cr4(read_cr4() | CR4_OSFXSR);
	if (!boot_hv_region(&region, &len)) {
		test_fail("no hypervisor region", __FILE__, __LINE__);
		return false;
	}
	region_end = region + len;
	if (!boot_is_ram(region - 4096, 4096) || !boot_is_ram(region_end, 4096)) {
		test_fail("no RAM on both sides of the region", __FILE__, __LINE__);
		return false;
	}
	return true;
}

static void dropped(u64 n)
{
	counter_want("REGION_WRITE_DROPPED", n);
}

/* A page for one undecodable write. */
static u64 scratch_page(void)
{
	counter_want("REGION_WRITE_SCRATCH", 1);
	return region_end - 4096ull * (SCRATCH_FIRST + scratch_used++);
}

static u64 peek64(u64 at)
{
	return *(volatile u64 *)(uintptr_t)at;
}

static void poke64(u64 at, u64 val)
{
	*(volatile u64 *)(uintptr_t)at = val;
}

static bool all_ones(u64 at, u64 len)
{
	for (u64 i = 0; i < len; i++) {
		if (*(volatile u8 *)(uintptr_t)(at + i) != 0xff)
			return false;
	}
	return true;
}

/* --- MOV --- */

static u64 peek(u64 at, u32 size)
{
	u64 rax = 0;

	if (size == 1)
		asm volatile("movb (%1), %b0" : "+a"(rax) : "r"(at) : "memory");
	else if (size == 2)
		asm volatile("movw (%1), %w0" : "+a"(rax) : "r"(at) : "memory");
	else if (size == 4)
		asm volatile("movl (%1), %k0" : "+a"(rax) : "r"(at) : "memory");
	else
		asm volatile("movq (%1), %0" : "+a"(rax) : "r"(at) : "memory");
	return rax;
}

static void poke(u64 at, u32 size, u64 val)
{
	if (size == 1)
		asm volatile("movb %b0, (%1)" : : "a"(val), "r"(at) : "memory");
	else if (size == 2)
		asm volatile("movw %w0, (%1)" : : "a"(val), "r"(at) : "memory");
	else if (size == 4)
		asm volatile("movl %k0, (%1)" : : "a"(val), "r"(at) : "memory");
	else
		asm volatile("movq %0, (%1)" : : "a"(val), "r"(at) : "memory");
}

#define RAM_PATTERN 0x1122334455667788ull

/* RAM on both sides holds a pattern; what a test leaves there is checked and put back. */
static u64 saved[2];

static void edges_begin(void)
{
	saved[0] = peek64(region - 8);
	saved[1] = peek64(region_end);
	poke64(region - 8, RAM_PATTERN);
	poke64(region_end, RAM_PATTERN);
}

static void edges_end(void)
{
	poke64(region - 8, saved[0]);
	poke64(region_end, saved[1]);
}

static u64 low_bytes(u64 val, u32 bytes)
{
	return bytes == 8 ? val : val & (BIT64(8 * bytes) - 1);
}

/* Every size at every offset over the edges of pages and of the region. */
static void hostile_region_mov_read(void)
{
	REQUIRE(region_ready());
	edges_begin();
	for (u32 size = 1; size <= 8; size *= 2) {
		u64 ones = low_bytes(ONES64, size);

		for (u32 i = 0; i < 8; i++) {
			EXPECT_EQ(ones, peek(region + i, size));
			EXPECT_EQ(ones, peek(region + MIDDLE + 4096 - i, size));
			EXPECT_EQ(ones, peek(region_end - 8 - i, size));
		}
		for (u32 in_ram = 1; in_ram < size; in_ram++) {
			u64 below = low_bytes(RAM_PATTERN >> (64 - 8 * in_ram), in_ram);
			u64 above = low_bytes(RAM_PATTERN, in_ram) << 8 * (size - in_ram);

			EXPECT_EQ(low_bytes(ones << 8 * in_ram, size) | below,
				  peek(region - in_ram, size));
			EXPECT_EQ(above | low_bytes(ONES64, size - in_ram),
				  peek(region_end - (size - in_ram), size));
		}
	}
	edges_end();
}

#define STORED 0xa1a2a3a4a5a6a7a8ull

static void hostile_region_mov_write(void)
{
	u64 count = 0;

	REQUIRE(region_ready());
	for (u32 size = 1; size <= 8; size *= 2) {
		for (u32 i = 0; i < 8; i++, count += 3) {
			poke(region + i, size, 0);
			poke(region + MIDDLE + 4096 - i, size, 0);
			poke(region_end - 8 - i, size, 0);
		}
	}
	EXPECT_TRUE(all_ones(region, 64));
	EXPECT_TRUE(all_ones(region + MIDDLE + 4096 - 64, 128));
	EXPECT_TRUE(all_ones(region_end - 64, 64));
	dropped(count);
}

/* Half in RAM, half in the region: the one is stored, the other dropped. */
static void hostile_region_mov_edges(void)
{
	u64 count = 0;

	REQUIRE(region_ready());
	for (u32 size = 2; size <= 8; size *= 2) {
		for (u32 in_ram = 1; in_ram < size; in_ram++, count += 2) {
			u64 keep = ONES64 >> 8 * in_ram;
			u64 high = STORED >> 8 * (size - in_ram);

			edges_begin();
			poke(region - in_ram, size, STORED);
			EXPECT_EQ((RAM_PATTERN & keep) | STORED << (64 - 8 * in_ram),
				  peek64(region - 8));
			poke(region_end - (size - in_ram), size, STORED);
			EXPECT_EQ((RAM_PATTERN & ~(ONES64 >> (64 - 8 * in_ram))) |
					  low_bytes(high, in_ram),
				  peek64(region_end));
			edges_end();
		}
	}
	EXPECT_TRUE(all_ones(region, 16));
	EXPECT_TRUE(all_ones(region_end - 16, 16));
	dropped(count);
}

/* --- strings --- */

struct string_regs {
	u64 cx, si, di;
};

#define STRING(insn, r, rax, flags)                                \
	asm volatile("push %4; popf; " insn "; cld"                \
		     : "+c"((r)->cx), "+S"((r)->si), "+D"((r)->di) \
		     : "a"(rax), "r"((u64)(flags) | 2)             \
		     : "memory", "cc")

static u8 source[256], target[256];

static void stos(u32 size, struct string_regs *r, u64 rax, u32 flags)
{
	if (size == 1)
		STRING("rep stosb", r, rax, flags);
	else if (size == 2)
		STRING("rep stosw", r, rax, flags);
	else if (size == 4)
		STRING("rep stosl", r, rax, flags);
	else
		STRING("rep stosq", r, rax, flags);
}

static void movs(u32 size, struct string_regs *r, u32 flags)
{
	if (size == 1)
		STRING("rep movsb", r, 0, flags);
	else if (size == 2)
		STRING("rep movsw", r, 0, flags);
	else if (size == 4)
		STRING("rep movsl", r, 0, flags);
	else
		STRING("rep movsq", r, 0, flags);
}

/* Start @in_ram bytes in front of the region: whole elements in RAM need no exit. */
static void stos_over_edge(u32 size, u32 in_ram)
{
	u32 n = 64 / size;
	struct string_regs r = { .cx = n, .di = region - in_ram };
	u64 old[4];

	memcpy(old, (void *)(uintptr_t)(region - 32), sizeof(old));
	stos(size, &r, 0x5555555555555555ull, 0);
	EXPECT_EQ(0, r.cx);
	EXPECT_EQ(region - in_ram + 64, r.di);
	for (u32 i = 1; i <= in_ram; i++)
		EXPECT_EQ(0x55, *(volatile u8 *)(uintptr_t)(region - i));
	EXPECT_TRUE(all_ones(region, 64));
	memcpy((void *)(uintptr_t)(region - 32), old, sizeof(old));
	dropped(n - in_ram / size);
}

static void hostile_region_stos(void)
{
	REQUIRE(region_ready());
	for (u32 size = 1; size <= 8; size *= 2) {
		struct string_regs up = { .cx = 16, .di = region + MIDDLE + 4096 - 20 };
		struct string_regs down = { .cx = 16, .di = region + MIDDLE + 4096 + 20 };

		stos(size, &up, 0, 0);
		EXPECT_EQ(0, up.cx);
		EXPECT_EQ(region + MIDDLE + 4096 - 20 + 16 * size, up.di);
		stos(size, &down, 0, DF);
		EXPECT_EQ(0, down.cx);
		EXPECT_EQ(region + MIDDLE + 4096 + 20 - 16 * size, down.di);
		dropped(32);
		for (u32 in_ram = 0; in_ram <= 24; in_ram += size == 1 ? 8 : size / 2)
			stos_over_edge(size, in_ram);
	}
	EXPECT_TRUE(all_ones(region + MIDDLE + 4096 - 256, 512));
}

static void hostile_region_movs(void)
{
	REQUIRE(region_ready());
	for (u32 size = 1; size <= 8; size *= 2) {
		u32 n = 64 / size;
		struct string_regs out = { n, region + MIDDLE - 20, (uintptr_t)target };
		struct string_regs in = { n, (uintptr_t)source, region + MIDDLE - 20 };
		struct string_regs both = { n, region + MIDDLE - 9, region + MIDDLE + 4096 - 23 };
		struct string_regs back = { n, (uintptr_t)source + 64, region + MIDDLE + 64 };

		memset(target, 0, sizeof(target));
		movs(size, &out, 0); /* reads do not exit */
		EXPECT_TRUE(all_ones((uintptr_t)target, 64));
		EXPECT_EQ(0, target[64]);
		EXPECT_EQ(region + MIDDLE - 20 + 64, out.si);
		movs(size, &in, 0);
		EXPECT_EQ(0, in.cx);
		EXPECT_EQ((uintptr_t)source + 64, in.si);
		EXPECT_EQ(region + MIDDLE - 20 + 64, in.di);
		movs(size, &both, 0);
		EXPECT_EQ(0, both.cx);
		EXPECT_EQ(region + MIDDLE + 4096 - 23 + 64, both.di);
		movs(size, &back, DF);
		EXPECT_EQ(0, back.cx);
		EXPECT_EQ((uintptr_t)source, back.si);
		EXPECT_EQ(region + MIDDLE, back.di);
		dropped(3ull * n);
	}
	EXPECT_TRUE(all_ones(region + MIDDLE - 128, 256));
	EXPECT_TRUE(all_ones(region + MIDDLE + 4096 - 128, 256));
}

/* From RAM over the upper edge of the region and back to RAM. */
static void hostile_region_movs_edges(void)
{
	static u8 old[64];

	REQUIRE(region_ready());
	for (u32 i = 0; i < sizeof(source); i++)
		source[i] = (u8)(i + 1);
	memcpy(old, (void *)(uintptr_t)region_end, sizeof(old));
	for (u32 size = 1; size <= 8; size *= 2) {
		struct string_regs in = { 64 / size, (uintptr_t)source, region_end - 32 };
		struct string_regs out = { 64 / size, region_end - 32, (uintptr_t)target };

		memset((void *)(uintptr_t)region_end, 0, 32);
		movs(size, &in, 0);
		EXPECT_EQ(0, memcmp((void *)(uintptr_t)region_end, source + 32, 32));
		movs(size, &out, 0);
		EXPECT_TRUE(all_ones((uintptr_t)target, 32));
		EXPECT_EQ(0, memcmp(target + 32, source + 32, 32));
		dropped(32 / size);
	}
	memcpy((void *)(uintptr_t)region_end, old, sizeof(old));
	EXPECT_TRUE(all_ones(region_end - 64, 64));
}

/* --- read, modify, write --- */

#define RMW(text, n)                                                           \
	({                                                                     \
		asm volatile(text                                              \
			     :                                                 \
			     : "r"(region + MIDDLE + 64), "a"(5ull), "c"(7ull) \
			     : "memory", "cc", "rdx");                         \
		EXPECT_TRUE(all_ones(region + MIDDLE, 256));                   \
		dropped(n);                                                    \
	})

static void hostile_region_lock(void)
{
	REQUIRE(region_ready());
	RMW("lock addb $1, (%0)", 1);
	RMW("lock addw $1, (%0)", 1);
	RMW("lock addl $1, (%0)", 1);
	RMW("lock addq $1, (%0)", 1);
	RMW("lock orl %%ecx, (%0)", 1);
	RMW("lock adcl %%ecx, (%0)", 1);
	RMW("lock sbbl %%ecx, (%0)", 1);
	RMW("lock andl %%ecx, (%0)", 1);
	RMW("lock subl %%ecx, (%0)", 1);
	RMW("lock xorl %%ecx, (%0)", 1);
	RMW("lock incl (%0); lock decq (%0)", 2);
	RMW("lock notl (%0); lock negb (%0)", 2);
	RMW("mov $9, %%edx; xchgl %%edx, (%0)", 1);
	RMW("mov $9, %%edx; lock xaddl %%edx, (%0)", 1);
	RMW("push %%rax; lock cmpxchgb %%cl, (%0); pop %%rax", 1); /* not equal: writes what was */
	RMW("push %%rax; mov $-1, %%rax; lock cmpxchgq %%rcx, (%0); pop %%rax", 1); /* equal */
	RMW("lock btsl $3, (%0); lock btrl $3, (%0); lock btcq $40, (%0)", 3);
	RMW("lock addq $1, 60(%0)", 1);   /* over the edge of two lines: a split lock */
	RMW("lock addl $1, 4030(%0)", 1); /* over the edge of two pages */
	RMW("cmpl $1, (%0); testb $1, (%0); btl $3, (%0)", 0);
}

/* What the decoder does not know gets the page a scratch page, once; then the CPU does it alone. */
#define SCRATCH(text)                                                           \
	({                                                                      \
		u64 at_ = scratch_page() + 512, a_ = 0, b_ = 0, c_ = 0, d_ = 0; \
		asm volatile(text "; " text                                     \
			     : "+a"(a_), "+b"(b_), "+c"(c_), "+d"(d_)           \
			     : "r"(at_)                                         \
			     : "memory", "cc");                                 \
		counter_want("DECODE_FAILED", 1);                               \
	})

static void hostile_region_undecodable(void)
{
	u64 at;

	REQUIRE(region_ready());
	at = scratch_page();
	counter_want("DECODE_FAILED", 1);
	EXPECT_EQ(ONES64, peek64(at + 512));
	asm volatile("lock cmpxchg16b (%0)"
		     :
		     : "r"(at + 512), "a"(ONES64), "d"(ONES64), "b"(1ull), "c"(2ull)
		     : "memory", "cc");
	EXPECT_EQ(1, peek64(at + 512)); /* its own memory now */
	EXPECT_EQ(2, peek64(at + 520));
	EXPECT_TRUE(all_ones(at, 512));
	SCRATCH("cmpxchg8b (%4)");
	SCRATCH("cmpxchg16b (%4)");
	SCRATCH("fnstcw (%4)");
	SCRATCH("fnstenv (%4)");
	SCRATCH("fnsave (%4)");
	SCRATCH("fldz; fstpt (%4)");
	SCRATCH("sgdt (%4)");
	SCRATCH("sidt (%4)");
	SCRATCH("sldt (%4)");
	SCRATCH("str (%4)");
	SCRATCH("smsw (%4)");
	SCRATCH("mov %%ds, (%4)");
	SCRATCH("stmxcsr (%4)");
	SCRATCH("setz (%4)");
	SCRATCH("shll $1, (%4)");
	SCRATCH("shldl $3, %%eax, (%4)");
	SCRATCH("movq %%mm0, (%4); emms");
	SCRATCH("pextrw $1, %%xmm0, (%4)");
	SCRATCH("fxsave64 (%4)");
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096));
}

/* The stack in the region: what is pushed there is gone. */
static void hostile_region_stack(void)
{
	u64 popped = 0, at;

	REQUIRE(region_ready());
	asm volatile("mov %%rsp, %%r8; mov %1, %%rsp; push $0; push %%rax; pushw $0; pop %0;"
		     "mov %%r8, %%rsp"
		     : "=&r"(popped)
		     : "r"(region + MIDDLE + 2048)
		     : "r8", "memory");
	EXPECT_EQ(ONES64, popped);
	dropped(3);
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096));
	at = scratch_page(); /* CALL is not in the decoder's subset */
	counter_want("DECODE_FAILED", 1);
	asm volatile("mov %%rsp, %%r8; mov %0, %%rsp; call 1f; jmp 2f; 1: ret; 2: mov %%r8, %%rsp"
		     :
		     : "r"(at + 4096)
		     : "r8", "memory");
	EXPECT_TRUE(all_ones(at, 4088));
}

/* --- vector registers and their images --- */

static u64 vec[8] ALIGNED(64);

static void hostile_region_sse(void)
{
	REQUIRE(region_ready());
	asm volatile("movups (%0), %%xmm1; movups %%xmm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0] & vec[1]);
	asm volatile("pxor %%xmm1, %%xmm1; movlps (%0), %%xmm1; movups %%xmm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0]);
	EXPECT_EQ(0, vec[1]);
	asm volatile("pxor %%xmm1, %%xmm1; movups %%xmm1, (%0); movaps %%xmm1, 16(%0);"
		     "movdqu %%xmm1, 33(%0); movss %%xmm1, (%0); movsd %%xmm1, (%0);"
		     "movntdq %%xmm1, 16(%0); movhps %%xmm1, (%0); movd %%xmm1, (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	dropped(8);
	EXPECT_TRUE(all_ones(region + MIDDLE, 128));
	edges_begin();
	asm volatile("pxor %%xmm1, %%xmm1; movups %%xmm1, -8(%0); movups %%xmm1, -8(%1)"
		     :
		     : "r"(region), "r"(region_end)
		     : "memory");
	dropped(2);
	EXPECT_EQ(0, peek64(region - 8));
	EXPECT_EQ(0, peek64(region_end));
	EXPECT_TRUE(all_ones(region, 16) && all_ones(region_end - 16, 16));
	edges_end();
}

static bool avx_on(void)
{
	if (!region_ready())
		return false;
	if ((cpuid(1).c & CPUID1_ECX_AVX) == 0) {
		test_skip("no AVX");
		return false;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	return try_xsetbv(0, XCR0_X87 | XCR0_SSE | XCR0_AVX) == NO_FAULT;
}

static void hostile_region_avx(void)
{
	u64 old[4];

	if (!avx_on())
		return;
	asm volatile("vmovups (%0), %%ymm1; vmovups %%ymm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0] & vec[1] & vec[2] & vec[3]);
	asm volatile("vpxor %%xmm1, %%xmm1, %%xmm1; vmovups %%ymm1, 5(%0); vmovaps %%ymm1, (%0);"
		     "vmovdqu %%ymm1, 4080(%0); vmovntdq %%ymm1, 64(%0); vmovsd %%xmm1, (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	dropped(5);
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096 + 64));
	memcpy(old, (void *)(uintptr_t)(region - 24), 24);
	asm volatile("vmovups %%ymm1, -24(%0)" : : "r"(region) : "memory");
	dropped(1);
	EXPECT_EQ(0, peek64(region - 24) | peek64(region - 16) | peek64(region - 8));
	EXPECT_TRUE(all_ones(region, 64));
	memcpy((void *)(uintptr_t)(region - 24), old, 24);
	SCRATCH("vextractf128 $1, %%ymm1, (%4)");
	asm volatile("vpcmpeqd %%xmm2, %%xmm2, %%xmm2" : : : "memory");
	SCRATCH("vmaskmovps %%ymm1, %%ymm2, (%4)");
	try_xsetbv(0, XCR0_X87);
}

/* All-ones is no image: MXCSR and the XSAVE header have reserved bits. */
static void hostile_region_xsave(void)
{
	u64 at, pages;

	if (!avx_on())
		return;
	trap_clear();
	asm volatile(TRY_BEGIN "fxrstor64 (%0)" TRY_END : : "r"(region + MIDDLE) : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	trap_clear();
	asm volatile(TRY_BEGIN "xrstor64 (%0)" TRY_END
		     :
		     : "r"(region + MIDDLE), "a"(7), "d"(0)
		     : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	at = scratch_page();
	counter_want("DECODE_FAILED", 1);
	asm volatile("vzeroall; xsave64 (%0)" : : "r"(at), "a"(7), "d"(0) : "memory");
	EXPECT_EQ(0, peek64(at + 160)); /* XMM0 */
	EXPECT_TRUE(all_ones(at + 2048, 2048));
	/* Over two pages: one scratch page each. */
	pages = scratch_page();
	pages = scratch_page();
	counter_want("DECODE_FAILED", 2);
	asm volatile("fxsave64 (%0)" : : "r"(pages + 4096 - 256) : "memory");
	EXPECT_EQ(0, peek64(pages + 4096 - 256 + 160));
	EXPECT_EQ(0, peek64(pages + 4096));
	EXPECT_TRUE(all_ones(pages, 4096 - 256) && all_ones(pages + 4096 + 256, 4096 - 256));
	try_xsetbv(0, XCR0_X87);
}

/* Loads that are not loads. */
static void hostile_region_hints(void)
{
	REQUIRE(region_ready());
	asm volatile("prefetcht0 (%0); prefetchnta (%0); clflush (%0); lfence; invlpg (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	if ((cpuid(7).b & BIT32(23)) != 0) /* CLFLUSHOPT */
		asm volatile("clflushopt (%0)" : : "r"(region + MIDDLE) : "memory");
	if ((cpuid(1).c & CPUID1_ECX_MONITOR) == 0) {
		trap_clear();
		asm volatile(TRY_BEGIN "monitor" TRY_END
			     :
			     : "a"(region + MIDDLE), "c"(0), "d"(0)
			     : "memory");
		EXPECT_EQ(EXC_UD, trap_vector());
	}
	EXPECT_TRUE(all_ones(region + MIDDLE, 64));
}

/* --- fetches --- */

static void jump_to(u64 addr)
{
	((void (*)(void))(uintptr_t)addr)();
}

static void expect_ud(u64 from, u64 rip)
{
	EXPECT_EQ(EXC_UD, trap_of(jump_to, from));
	EXPECT_EQ(rip, trap_last()->rip);
	counter_want("REGION_FETCH", 1);
}

static void hostile_region_fetch(void)
{
	static const u32 offsets[] = { 0, 1, 15, 16, 4080, 4081, 4095 };

	REQUIRE(region_ready());
	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		expect_ud(region + offsets[i], region + offsets[i]);
		expect_ud(region + MIDDLE + offsets[i], region + MIDDLE + offsets[i]);
	}
	expect_ud(region_end - 16, region_end - 16);
	expect_ud(region_end - 1, region_end - 1);
}

/* Instructions of 1 to 10 bytes whose last bytes are the region's: the fault is the instruction's.
 */
static void hostile_region_fetch_edge(void)
{
	static const u8 mov[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0 }; /* mov $imm64, %rax */
	u64 old[2], at;

	REQUIRE(region_ready());
	memcpy(old, (void *)(uintptr_t)(region - 16), sizeof(old));
	for (u32 in_ram = 1; in_ram < sizeof(mov); in_ram++) {
		at = region - in_ram;
		memcpy((void *)(uintptr_t)at, mov, in_ram);
		expect_ud(at, at);
	}
	/* The last one ends at the edge: the next one faults, or none when it jumps away. */
	memset((void *)(uintptr_t)(region - 16), 0x90, 16);
	expect_ud(region - 16, region);
	*(volatile u8 *)(uintptr_t)(region - 1) = 0xc3;
	EXPECT_EQ(NO_FAULT, trap_of(jump_to, region - 16));
	memcpy((void *)(uintptr_t)(region - 16), old, sizeof(old));
}

/* --- tables --- */

/* Each level of the page tables: reserved bits are set, so reads and writes fault alike. */
static void expect_rsvd(void)
{
	trap_clear();
	asm volatile(TRY_BEGIN "movb (%0), %%al" TRY_END : : "r"(TEST_VA) : "rax", "memory");
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(9, trap_last()->error);
	trap_clear();
	asm volatile(TRY_BEGIN "movb $0, (%0)" TRY_END : : "r"(TEST_VA) : "memory");
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(11, trap_last()->error);
	EXPECT_EQ(EXC_PF, trap_of(jump_to, TEST_VA));
	EXPECT_EQ(25, trap_last()->error);
}

static void hostile_region_page_tables(void)
{
	u64 *pdpt = (u64 *)(uintptr_t)(page_pml4[1] & ~0xfffull);
	u64 *const slots[] = { &page_pml4[1], &pdpt[0], map_pde() };

	REQUIRE(region_ready());
	for (u32 i = 0; i < ARRAY_SIZE(slots); i++) {
		u64 old = *slots[i];

		*slots[i] = (region + MIDDLE) | G_PTE_P | G_PTE_W;
		write_cr3(read_cr3());
		expect_rsvd();
		*slots[i] = old;
		write_cr3(read_cr3());
	}
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096));
}

#define SEL_LDT (G_TSS + 16 * (SMP_MAX - 1)) /* the TSS of a CPU that is not there */

/* A GDT that lies in the region altogether survives no event: only loads, which do not fault. */
static void hostile_region_gdt(void)
{
	struct desc_ptr old, gdt = { .limit = 0xffff };

	REQUIRE(region_ready());
	gdt.base = region + MIDDLE;
	asm volatile("sgdt %0" : "=m"(old));
	asm volatile("lgdt %0; mov $0x18, %%eax; mov %%eax, %%es; mov $0xfff8, %%eax;"
		     "mov %%eax, %%fs; lar %%ax, %%eax; lgdt %1; mov %2, %%es; mov %3, %%fs"
		     :
		     : "m"(gdt), "m"(old), "r"(G_DATA), "r"(0)
		     : "rax", "memory", "cc");
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096));
}

/* All-ones is a conforming code segment with DPL 3: good for data, for SS and CS it is not. */
static void hostile_region_ldt(void)
{
	struct desc_ptr ptr;
	u64 *ldt, old[2];

	REQUIRE(region_ready());
	asm volatile("sgdt %0" : "=m"(ptr));
	ldt = (u64 *)(uintptr_t)(ptr.base + SEL_LDT);
	old[0] = ldt[0];
	old[1] = ldt[1];
	ldt[0] = desc_system_low(region + MIDDLE, 0xffff, DESC_TYPE_LDT);
	ldt[1] = 0;
	asm volatile("lldt %w0" : : "r"(SEL_LDT) : "memory");
	EXPECT_EQ(NO_FAULT, TRY_INSN("mov $0xc, %%eax; mov %%eax, %%es"));
	EXPECT_EQ(EXC_GP, TRY_INSN("mov $0xc, %%eax; mov %%eax, %%ss"));
	EXPECT_EQ(0xc, trap_last()->error);
	EXPECT_EQ(EXC_GP, TRY_INSN("mov $0x1c, %%eax; ltr %%ax"));
	EXPECT_EQ(0x1c, trap_last()->error);
	trap_clear();
	asm volatile("mov %%rsp, %%rbx; push $0x24; push $0;" TRY_BEGIN "lretq" TRY_END
		     "mov %%rbx, %%rsp"
		     :
		     :
		     : "rbx", "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	EXPECT_EQ(0x24, trap_last()->error);
	asm volatile("mov %0, %%es; lldt %w1" : : "r"(G_DATA), "r"(0));
	ldt[0] = old[0];
	ldt[1] = old[1];
	EXPECT_TRUE(all_ones(region + MIDDLE, 4096));
}

/* A TSS there: its I/O bitmap lies beyond the limit, so every port is #GP at CPL 3. */
static u64 user_in(u64 port)
{
	u8 val;

	trap_clear();
	asm volatile(TRY_BEGIN "inb %%dx, %0" TRY_END : "=a"(val) : "d"((u16)port) : "memory");
	return trap_vector();
}

static void hostile_region_io_bitmap(void)
{
	struct desc_ptr gdt_ptr;
	static u8 frame[8192] ALIGNED(4096);
	u64 *gdt, old[2], at;
	u8 *va;

	REQUIRE(region_ready());
	/* RSP0 to IST7 in RAM, the bitmap's offset at the page's end, its bits in the region. */
	va = map_page(20, (u64)(uintptr_t)frame, G_PTE_P | G_PTE_W);
	(void)map_page(21, region + MIDDLE, G_PTE_P | G_PTE_W);
	asm volatile("sgdt %0" : "=m"(gdt_ptr));
	gdt = (u64 *)(uintptr_t)gdt_ptr.base;
	old[0] = gdt[G_TSS >> 3];
	old[1] = gdt[(G_TSS >> 3) + 1];
	at = FIELD_GET(DESC_BASE_LOW, old[0]) | FIELD_GET(DESC_BASE_HIGH, old[0]) << 24;
	memcpy(va + 4096 - TSS64_BYTES, (void *)(uintptr_t)at, TSS64_BYTES);
	*(u16 *)(uintptr_t)(va + 4096 - 2) = TSS64_BYTES;
	at = (u64)(uintptr_t)va + 4096 - TSS64_BYTES;
	gdt[G_TSS >> 3] = desc_system_low(at, TSS64_LIMIT + 0x1000, DESC_TYPE_TSS_AVAIL);
	gdt[(G_TSS >> 3) + 1] = at >> 32;
	asm volatile("ltr %w0" : : "r"(G_TSS) : "memory");
	EXPECT_EQ(EXC_GP, user_call(user_in, 0x80)); /* bit 1: not allowed */
	EXPECT_EQ(EXC_GP, user_call(user_in, 0x3f8));
	gdt[G_TSS >> 3] = old[0];
	gdt[(G_TSS >> 3) + 1] = old[1];
	cpu_reload_tr();
}

/* Whatever was written, pages that are no scratch pages show all-ones. */
static void hostile_region_intact(void)
{
	REQUIRE(region_ready());
	for (u64 at = region; at < region_end - 4096 * 128; at += 8) {
		if (peek64(at) != ONES64) {
			EXPECT_EQ(0, at);
			return;
		}
	}
}

#define ROW(test)                                                                            \
	{                                                                                    \
		.name = "hostile_" #test, .run = hostile_##test, .flags = T_KENSHO | T_NAMED \
	}

/* The first 16 scratch pages are private to their page: those that are looked at come first. */
static const struct test t_hostile_region_tests[] = {
	ROW(region_mov_read),    ROW(region_mov_write), ROW(region_mov_edges),
	ROW(region_stos),        ROW(region_movs),      ROW(region_movs_edges),
	ROW(region_lock),        ROW(region_stack),     ROW(region_xsave),
	ROW(region_undecodable), ROW(region_sse),       ROW(region_avx),
	ROW(region_hints),       ROW(region_fetch),     ROW(region_fetch_edge),
	ROW(region_page_tables), ROW(region_gdt),       ROW(region_ldt),
	ROW(region_io_bitmap),   ROW(region_intact),
};
TEST_GROUP(t_hostile_region);
