// SPDX-License-Identifier: BSD-2-Clause
// Memory as EPT shows it: RAM, ROM, video memory, holes; paging features of the guest.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"

/* Every 2-MiB frame of RAM is distinct memory: write all, then read all. */
static void mem_ram_distinct(void)
{
	u64 start = MIB(8);

	for (u32 pass = 0; pass < 2; pass++) {
		for (u64 at = start; at < GIB(2); at += MIB(2)) {
			volatile u64 *p = (volatile u64 *)(uintptr_t)(at + 0x1008);

			if (!boot_is_ram(at, MIB(2)))
				continue;
			if (pass == 0)
				*p = at ^ 0x5a5a5a5a00000000ull;
			else
				EXPECT_AT(*p == (at ^ 0x5a5a5a5a00000000ull), "frame 0x%llx", at);
		}
	}
}

static void mem_ram_edges(void)
{
	for (u32 i = 0; i < boot.mmap_count; i++) {
		const struct boot_range *r = &boot.mmap[i];
		volatile u64 *last = (volatile u64 *)(uintptr_t)(r->base + r->len - 8);

		if (r->type != 1 || r->base < MIB(1) || r->base + r->len > GIB(4))
			continue;
		*last = 0x0123456789abcdefull;
		EXPECT_EQ(0x0123456789abcdefull, *last);
	}
}

static void mem_rom(void)
{
	volatile u8 *reset = (volatile u8 *)(uintptr_t)0xffff0;
	u8 before = *reset;

	EXPECT_EQ(0xea, before); /* the far jump of a PC BIOS */
	EXPECT_EQ(0xea, *(volatile u8 *)(uintptr_t)0xfffffff0);
}

static void mem_vga_text(void)
{
	volatile u16 *cell = (volatile u16 *)(uintptr_t)(0xb8000 + 2 * (80 * 24 + 79));
	u16 old = *cell;

	*cell = 0x1f4b;
	EXPECT_EQ(0x1f4b, *cell);
	*cell = old;
}

/* Nothing decodes these addresses: reads are all ones, writes vanish, the machine goes on. */
static void mem_hole(void)
{
	static const u64 holes[] = { 0xd0000000ull, 0xdffff000ull, 0xf8000000ull };

	for (u32 i = 0; i < ARRAY_SIZE(holes); i++) {
		volatile u32 *p = (volatile u32 *)(uintptr_t)holes[i];

		EXPECT_EQ(0xffffffff, *p);
		*p = 0;
		EXPECT_EQ(0xffffffff, *p);
	}
}

/* Identity map beyond 4 GiB, up to the last page the CPU can address. */
static void mem_high_hole(void)
{
	u32 bits = cpuid(0x80000008).a & 0xff;
	const u64 at[] = { GIB(4) + MIB(512), GIB(64), BIT64(bits < 48 ? bits : 48) - 4096 };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		volatile u32 *p;

		if (boot_is_ram(at[i], 4096))
			continue;
		p = map_page(16, at[i], G_PTE_P | G_PTE_W);
		EXPECT_EQ(0xffffffff, *p);
		*p = 0;
	}
	map_page(16, 0, 0);
}

static void mem_accessed_dirty(void)
{
	static u64 page[512] ALIGNED(4096);
	volatile u64 *va = map_page(17, (u64)(uintptr_t)page, G_PTE_P | G_PTE_W);

	EXPECT_EQ(0, *map_pte(17) & 0x60);
	(void)*va;
	EXPECT_EQ(0x20, *map_pte(17) & 0x60);
	*va = 1;
	EXPECT_EQ(0x60, *map_pte(17) & 0x60);
}

static void mem_write_protect(void)
{
	static u64 page[512] ALIGNED(4096);
	u64 *va = map_page(18, (u64)(uintptr_t)page, G_PTE_P);

	trap_clear();
	asm volatile(TRY_BEGIN "movq $1, (%0)" TRY_END : : "r"(va) : "memory");
	EXPECT_EQ(EXC_PF, trap_vector());
	write_cr0(read_cr0() & ~CR0_WP);
	trap_clear();
	asm volatile(TRY_BEGIN "movq $1, (%0)" TRY_END : : "r"(va) : "memory");
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ(1, page[0]);
	write_cr0(read_cr0() | CR0_WP);
}

extern u64 page_pd[2048];
extern u8 guest_end[];

static void image_user(bool user)
{
	for (u64 at = MIB(4); at < (u64)(uintptr_t)guest_end; at += MIB(2)) {
		if (user)
			page_pd[at >> 21] |= G_PTE_U;
		else
			page_pd[at >> 21] &= ~G_PTE_U;
	}
	write_cr3(read_cr3());
}

static void mem_smep_smap(void)
{
	static u64 code[512] ALIGNED(4096);
	struct cpuid_regs l7 = cpuid(7);
	u64 *va;

	if ((l7.b & CPUID7_EBX_SMEP) == 0 || (l7.b & CPUID7_EBX_SMAP) == 0) {
		test_skip("no SMEP or SMAP");
		return;
	}
	code[0] = 0xc3; /* ret */
	va = map_page(19, (u64)(uintptr_t)code, G_PTE_P | G_PTE_W | G_PTE_U);
	image_user(false);
	EXPECT_EQ(NO_FAULT, trap_of((void (*)(u64))va, 0));
	write_cr4(read_cr4() | CR4_SMEP);
	EXPECT_EQ(EXC_PF, trap_of((void (*)(u64))va, 0));
	EXPECT_EQ(0x11, trap_last()->error);
	write_cr4(read_cr4() | CR4_SMAP);
	trap_clear();
	asm volatile(TRY_BEGIN "mov (%0), %%rax" TRY_END : : "r"(va) : "rax", "memory");
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(1, trap_last()->error);
	trap_clear();
	asm volatile("stac\n\t" TRY_BEGIN "mov (%0), %%rax" TRY_END "clac"
		     :
		     : "r"(va)
		     : "rax", "memory");
	EXPECT_EQ(NO_FAULT, trap_vector());
	write_cr4(0x20);
	image_user(true);
}

/* PCID: two address spaces keep their translations apart. */
static void mem_pcid(void)
{
	static u64 a[512] ALIGNED(4096), b[512] ALIGNED(4096);
	volatile u64 *va;
	u64 cr3 = read_cr3();

	if ((cpuid(1).c & CPUID1_ECX_PCID) == 0) {
		test_skip("no PCID");
		return;
	}
	a[0] = 0xa;
	b[0] = 0xb;
	va = map_page(21, (u64)(uintptr_t)a, G_PTE_P | G_PTE_W);
	write_cr4(read_cr4() | CR4_PCIDE);
	write_cr3(cr3 | 1);
	EXPECT_EQ(0xa, *va);
	*map_pte(21) = (u64)(uintptr_t)b | G_PTE_P | G_PTE_W;
	write_cr3(cr3 | 2);
	EXPECT_EQ(0xb, *va);
	write_cr3(cr3 | 1); /* without the no-flush bit: flushed */
	EXPECT_EQ(0xb, *va);
	write_cr3(cr3 | 2 | CR3_NO_FLUSH);
	EXPECT_EQ(cr3 | 2, read_cr3()); /* bit 63 is not stored */
	write_cr3(cr3);
	write_cr4(read_cr4() & ~CR4_PCIDE);
}

/* Page-table entries that point at device memory or holes: all-ones entries are reserved bits. */
static void mem_walk_through_hole(void)
{
	u64 old = *map_pde();
	u8 *va = (u8 *)(uintptr_t)TEST_VA;

	*map_pde() = 0xd0000000ull | G_PTE_P | G_PTE_W;
	write_cr3(read_cr3());
	trap_clear();
	asm volatile(TRY_BEGIN "movb (%0), %%al" TRY_END : : "r"(va) : "rax", "memory");
	*map_pde() = old;
	write_cr3(read_cr3());
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(9, trap_last()->error);
}

static void jump_to(u64 addr)
{
	((void (*)(void))(uintptr_t)addr)();
}

/* Rule M1b: executing device memory is a fault of the guest, not the end of the machine. */
static void mem_fetch_from_mmio(void)
{
	static const u64 at[] = { 0xb8000, 0xa0000, 0xfec00000ull, 0xd0000000ull };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		u32 vector = trap_of(jump_to, at[i]);

		EXPECT_AT(vector == EXC_UD || vector == EXC_GP || vector == EXC_PF,
			  "address 0x%llx, vector 0x%x", at[i], vector);
		EXPECT_EQ(at[i], trap_last()->rip);
	}
}

/* ROM is executable: call a RET inside the BIOS. */
static void mem_fetch_from_rom(void)
{
	const volatile u8 *rom = (const volatile u8 *)(uintptr_t)0xf0000;

	for (u32 i = 0; i < 0x10000; i++) {
		if (rom[i] == 0xc3) {
			EXPECT_EQ(NO_FAULT, trap_of(jump_to, 0xf0000 + i));
			return;
		}
	}
	test_skip("no C3h in the BIOS");
}

static const struct test t_mem_tests[] = {
	{ .name = "mem_ram_distinct", .run = mem_ram_distinct },
	{ .name = "mem_ram_edges", .run = mem_ram_edges },
	{ .name = "mem_rom", .run = mem_rom },
	{ .name = "mem_vga_text", .run = mem_vga_text },
	{ .name = "mem_hole", .run = mem_hole },
	{ .name = "mem_high_hole", .run = mem_high_hole },
	{ .name = "mem_accessed_dirty", .run = mem_accessed_dirty },
	{ .name = "mem_write_protect", .run = mem_write_protect },
	{ .name = "mem_smep_smap", .run = mem_smep_smap },
	{ .name = "mem_pcid", .run = mem_pcid },
	{ .name = "mem_walk_through_hole", .run = mem_walk_through_hole },
	{ .name = "mem_fetch_from_mmio", .run = mem_fetch_from_mmio, .flags = T_KENSHO },
	{ .name = "mem_fetch_from_rom", .run = mem_fetch_from_rom },
};
TEST_GROUP(t_mem);
