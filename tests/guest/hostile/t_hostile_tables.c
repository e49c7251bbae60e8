// SPDX-License-Identifier: BSD-2-Clause
// Rule M1: fetches from the hypervisor's region, and the CPU's own tables in it.

#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hostile/region.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/str.h"

extern u64 page_pml4[512];

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
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
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
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
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
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
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
		if (!EXPECT_AT(region_peek(at) == ONES64, "address 0x%llx", at))
			return;
	}
}

#define ROW(test)                                                                            \
	{                                                                                    \
		.name = "hostile_" #test, .run = hostile_##test, .flags = T_KENSHO | T_NAMED \
	}

static const struct test t_hostile_tables_tests[] = {
	ROW(region_fetch), ROW(region_fetch_edge), ROW(region_page_tables), ROW(region_gdt),
	ROW(region_ldt),   ROW(region_io_bitmap),  ROW(region_intact),
};
TEST_GROUP(t_hostile_tables);
