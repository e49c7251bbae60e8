// SPDX-License-Identifier: BSD-2-Clause
// Rule M1, access by access: what each kind of load, store and fetch does to the hypervisor's
// region, over both of its edges, and how often Kensho counts it. The row guest-hostile compares
// the counts.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hostile/region.h"
#include "tests/guest/lib/str.h"

#define DF 0x400u

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

static u64 low_bytes(u64 val, u32 bytes)
{
	return bytes == 8 ? val : val & (BIT64(8 * bytes) - 1);
}

/* Every size at every offset over the edges of pages and of the region. */
static void hostile_region_mov_read(void)
{
	REQUIRE(region_ready());
	region_edges_begin();
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
	region_edges_end();
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
	EXPECT_TRUE(region_all_ones(region, 64));
	EXPECT_TRUE(region_all_ones(region + MIDDLE + 4096 - 64, 128));
	EXPECT_TRUE(region_all_ones(region_end - 64, 64));
	region_dropped(count);
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

			region_edges_begin();
			poke(region - in_ram, size, STORED);
			EXPECT_EQ((RAM_PATTERN & keep) | STORED << (64 - 8 * in_ram),
				  region_peek(region - 8));
			poke(region_end - (size - in_ram), size, STORED);
			EXPECT_EQ((RAM_PATTERN & ~(ONES64 >> (64 - 8 * in_ram))) |
					  low_bytes(high, in_ram),
				  region_peek(region_end));
			region_edges_end();
		}
	}
	EXPECT_TRUE(region_all_ones(region, 16));
	EXPECT_TRUE(region_all_ones(region_end - 16, 16));
	region_dropped(count);
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
	EXPECT_TRUE(region_all_ones(region, 64));
	memcpy((void *)(uintptr_t)(region - 32), old, sizeof(old));
	region_dropped(n - in_ram / size);
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
		region_dropped(32);
		for (u32 in_ram = 0; in_ram <= 24; in_ram += size == 1 ? 8 : size / 2)
			stos_over_edge(size, in_ram);
	}
	EXPECT_TRUE(region_all_ones(region + MIDDLE + 4096 - 256, 512));
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
		EXPECT_TRUE(region_all_ones((uintptr_t)target, 64));
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
		region_dropped(3ull * n);
	}
	EXPECT_TRUE(region_all_ones(region + MIDDLE - 128, 256));
	EXPECT_TRUE(region_all_ones(region + MIDDLE + 4096 - 128, 256));
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
		EXPECT_TRUE(region_all_ones((uintptr_t)target, 32));
		EXPECT_EQ(0, memcmp(target + 32, source + 32, 32));
		region_dropped(32 / size);
	}
	memcpy((void *)(uintptr_t)region_end, old, sizeof(old));
	EXPECT_TRUE(region_all_ones(region_end - 64, 64));
}

/* --- read, modify, write --- */

#define RMW(text, n)                                                           \
	({                                                                     \
		asm volatile(text                                              \
			     :                                                 \
			     : "r"(region + MIDDLE + 64), "a"(5ull), "c"(7ull) \
			     : "memory", "cc", "rdx");                         \
		EXPECT_TRUE(region_all_ones(region + MIDDLE, 256));            \
		region_dropped(n);                                             \
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
	region_dropped(3);
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
	at = region_scratch_page(); /* PUSHF is not in the decoder's subset */
	counter_want("DECODE_FAILED", 1);
	asm volatile("mov %%rsp, %%r8; mov %1, %%rsp; pushf; pop %0; mov %%r8, %%rsp"
		     : "=&r"(popped)
		     : "r"(at + 4096)
		     : "r8", "memory");
	EXPECT_NE(ONES64, popped);
	EXPECT_TRUE(region_all_ones(at, 4088));
}

#define ROW(test)                                                                            \
	{                                                                                    \
		.name = "hostile_" #test, .run = hostile_##test, .flags = T_KENSHO | T_NAMED \
	}

static const struct test t_hostile_region_tests[] = {
	ROW(region_mov_read), ROW(region_mov_write),  ROW(region_mov_edges), ROW(region_stos),
	ROW(region_movs),     ROW(region_movs_edges), ROW(region_lock),      ROW(region_stack),
};
TEST_GROUP(t_hostile_region);
