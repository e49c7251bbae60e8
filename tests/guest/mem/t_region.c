// SPDX-License-Identifier: BSD-2-Clause
// Rule M1: the hypervisor's memory reads all-ones, swallows writes, is not executable; and events
// whose delivery touches it arrive all the same.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

static u64 region, region_len;

/* The last pages of the region are for tests that may turn a page into a scratch page. */
#define SCRATCH_PAGE(n) (region + region_len - 4096ull * ((n) + 1))
#define SCRATCH_PAGES   32u

/* A reserved 2-MiB-aligned range in RAM in the memory map. */
static bool region_find(void)
{
	return boot_hv_region(&region, &region_len);
}

static void region_map(void)
{
	REQUIRE(region_find());
	EXPECT_TRUE(IS_ALIGNED(region, MIB(2)));
	EXPECT_TRUE(IS_ALIGNED(region_len, MIB(2)));
	EXPECT_LE(region_len, MIB(8));
	EXPECT_TRUE(!boot_is_ram(region, 4096));
	EXPECT_TRUE(!boot_is_ram(region + region_len - 4096, 4096));
}

static void region_reads_ones(void)
{
	REQUIRE(region_find());
	for (u64 at = region; at < region + region_len - SCRATCH_PAGES * 4096; at += 4096) {
		const volatile u8 *p = (const volatile u8 *)(uintptr_t)at;

		if (!EXPECT_AT(*(const volatile u64 *)p == ~0ull && p[4095] == 0xff, "page 0x%llx",
			       at))
			return;
	}
}

static void region_read_widths(void)
{
	u64 rax = 0;
	static u8 buf[256];

	REQUIRE(region_find());
	asm volatile("movb (%1), %b0" : "+a"(rax) : "r"(region + 1) : "memory");
	EXPECT_EQ(0xff, rax);
	rax = 0;
	asm volatile("movw (%1), %w0" : "+a"(rax) : "r"(region + 3) : "memory");
	EXPECT_EQ(0xffff, rax);
	asm volatile("movl (%1), %k0" : "=a"(rax) : "r"(region + 0xffe) : "memory");
	EXPECT_EQ(0xffffffff, rax);
	asm volatile("movzbl (%1), %k0" : "=a"(rax) : "r"(region) : "memory");
	EXPECT_EQ(0xff, rax);
	asm volatile("movsbq (%1), %0" : "=a"(rax) : "r"(region) : "memory");
	EXPECT_EQ(~0ull, rax);
	memcpy(buf, (const void *)(uintptr_t)(region + 4000), sizeof(buf)); /* rep movsb */
	for (u32 i = 0; i < sizeof(buf); i++)
		EXPECT_EQ(0xff, buf[i]);
	asm volatile("cmpq $-1, (%1); sete %b0" : "=a"(rax) : "r"(region) : "memory", "cc");
	EXPECT_EQ(1, rax & 0xff);
}

static void region_writes_vanish(void)
{
	static const u8 zeros[512];

	REQUIRE(region_find());
	for (u32 i = 0; i < 8; i++)
		mmio_write32(region + 4096ull * i + 4ull * i, 0x12345678);
	asm volatile("movb $0, (%0); movw $0, 2(%0); movq $0, 8(%0)" : : "r"(region) : "memory");
	memcpy((void *)(uintptr_t)(region + 8192 - 256), zeros, sizeof(zeros));
	memset((void *)(uintptr_t)(region + 16384), 0, 64);
	for (u64 at = region; at < region + 32768; at += 4) {
		if (!EXPECT_AT(mmio_read32(at) == 0xffffffff, "address 0x%llx", at))
			return;
	}
}

/* Writing instructions a small decoder does not know: no crash, and the page stays harmless. */
static void region_odd_writes(void)
{
	REQUIRE(region_find());
	asm volatile("lock incl (%0)" : : "r"(SCRATCH_PAGE(0)) : "memory", "cc");
	asm volatile("cmpxchg16b (%0)"
		     :
		     : "r"(SCRATCH_PAGE(1)), "a"(0), "b"(0), "c"(0), "d"(0)
		     : "memory", "cc");
	asm volatile("fnstcw (%0)" : : "r"(SCRATCH_PAGE(2)) : "memory");
	asm volatile("sgdt (%0)" : : "r"(SCRATCH_PAGE(3)) : "memory");
	asm volatile("btsl $3, (%0)" : : "r"(SCRATCH_PAGE(4)) : "memory", "cc");
	asm volatile("xaddl %%eax, (%0)" : : "r"(SCRATCH_PAGE(5)) : "rax", "memory", "cc");
	asm volatile("push (%0); pop (%1)"
		     :
		     : "r"(SCRATCH_PAGE(6)), "r"(SCRATCH_PAGE(7))
		     : "memory");
	asm volatile("mov %0, (%1)"
		     :
		     : "r"(0ull), "r"(SCRATCH_PAGE(8) - 4)
		     : "memory"); /* two pages */
	EXPECT_EQ(0xffffffff, mmio_read32(region));
	EXPECT_EQ(0xffffffff, mmio_read32(SCRATCH_PAGE(31)));
}

static void jump_to(u64 addr)
{
	((void (*)(void))(uintptr_t)addr)();
}

static void region_fetch(void)
{
	REQUIRE(region_find());
	for (u32 i = 0; i < 3; i++) {
		EXPECT_EQ(EXC_UD, trap_of(jump_to, region + 4096ull * i + 16));
		EXPECT_EQ(region + 4096ull * i + 16, trap_last()->rip);
	}
	EXPECT_EQ(EXC_UD, trap_of(jump_to, region + region_len - 1));
}

/* A page table inside the region: every entry is all ones, so reserved bits are set. */
static void region_page_walk(void)
{
	u64 old = *map_pde();

	REQUIRE(region_find());
	*map_pde() = region | G_PTE_P | G_PTE_W;
	write_cr3(read_cr3());
	trap_clear();
	asm volatile(TRY_BEGIN "movb (%0), %%al" TRY_END : : "r"(TEST_VA) : "rax", "memory");
	*map_pde() = old;
	write_cr3(read_cr3());
	EXPECT_EQ(EXC_PF, trap_vector());
	EXPECT_EQ(9, trap_last()->error);
}

static u32 event_count;
static u64 event_rsp;

static void event_handler(struct trap_regs *regs)
{
	event_count++;
	event_rsp = (u64)(uintptr_t)regs;
	if (regs->vector == EXC_UD)
		regs->rip += 2;
	if (regs->vector == 0x5a)
		apic_eoi();
}

/* Deliver @vector on a stack inside the region: the push faults in EPT while an event is on its
 * way. */
static void event_on_region(u32 vector, u32 scratch)
{
	trap_handle(vector, event_handler);
	cpu_set_ist((u8)vector, 4, SCRATCH_PAGE(scratch) + 4096);
	event_count = 0;
	switch (vector) {
	case EXC_UD:
		asm volatile("ud2" : : : "memory");
		break;
	case EXC_BP:
		asm volatile("int3" : : : "memory");
		break;
	case 0x59:
		asm volatile("int $0x59" : : : "memory");
		break;
	case EXC_NMI:
		apic_self_nmi();
		asm volatile("nop; nop");
		break;
	default:
		apic_self_ipi((u8)vector);
		sti_nop_cli();
	}
	cpu_set_ist((u8)vector, 0, 0);
	EXPECT_EQ(1, event_count);
	EXPECT_EQ(SCRATCH_PAGE(scratch), event_rsp & ~0xfffull);
}

static void region_exception_delivery(void)
{
	REQUIRE(region_find());
	event_on_region(EXC_UD, 10);
	event_on_region(EXC_UD, 10); /* now without a violation */
}

static void region_soft_int_delivery(void)
{
	REQUIRE(region_find());
	event_on_region(EXC_BP, 11);
	event_on_region(0x59, 12);
}

static void region_irq_delivery(void)
{
	REQUIRE(region_find());
	event_on_region(0x5a, 13);
	EXPECT_TRUE(!apic_in_service(0x5a));
}

static void region_nmi_delivery(void)
{
	REQUIRE(region_find());
	event_on_region(EXC_NMI, 14);
	event_on_region(EXC_NMI, 15); /* not left blocked */
}

static u64 string_in(u16 port, u64 to)
{
	void *di = (void *)(uintptr_t)to;
	u64 cx = 4;

	asm volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(port) : "memory");
	EXPECT_EQ(to + 4, (uintptr_t)di);
	return cx;
}

static u64 string_out(u16 port, u64 from)
{
	const void *si = (const void *)(uintptr_t)from;
	u64 cx = 4;

	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(port) : "memory");
	EXPECT_EQ(from + 4, (uintptr_t)si);
	return cx;
}

#define PORT_DELAY 0x80 /* the CPU's own access: a write to the region is one it does not know */
#define PORT_A20   0x92 /* the hypervisor emulates the instruction */

/* String I/O with its buffer in the region. */
static void region_string_io(void)
{
	REQUIRE(region_find());
	EXPECT_EQ(0, string_in(PORT_DELAY, SCRATCH_PAGE(16) + 64));
	EXPECT_EQ(0, string_out(PORT_DELAY, region));
	EXPECT_EQ(0, string_in(PORT_A20, region + 64));
	EXPECT_EQ(0xffffffff, mmio_read32(region + 64));
	EXPECT_EQ(0, string_in(PORT_A20, region + 4094)); /* two pages */
	EXPECT_EQ(0xffffffff, mmio_read32(region + 4092));
	EXPECT_EQ(0xffffffff, mmio_read32(region + 4096));
}

static const struct test t_region_tests[] = {
	{ .name = "region_map", .run = region_map, .flags = T_KENSHO },
	{ .name = "region_reads_ones", .run = region_reads_ones, .flags = T_KENSHO },
	{ .name = "region_read_widths", .run = region_read_widths, .flags = T_KENSHO },
	{ .name = "region_writes_vanish", .run = region_writes_vanish, .flags = T_KENSHO },
	{ .name = "region_fetch", .run = region_fetch, .flags = T_KENSHO },
	{ .name = "region_page_walk", .run = region_page_walk, .flags = T_KENSHO },
	{ .name = "region_string_io", .run = region_string_io, .flags = T_KENSHO },
	{ .name = "region_odd_writes", .run = region_odd_writes, .flags = T_KENSHO },
	{ .name = "region_exception_delivery",
	  .run = region_exception_delivery,
	  .flags = T_KENSHO },
	{ .name = "region_soft_int_delivery", .run = region_soft_int_delivery, .flags = T_KENSHO },
	{ .name = "region_irq_delivery", .run = region_irq_delivery, .flags = T_KENSHO },
	{ .name = "region_nmi_delivery", .run = region_nmi_delivery, .flags = T_KENSHO },
};
TEST_GROUP(t_region);
