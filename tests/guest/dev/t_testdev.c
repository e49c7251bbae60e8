// SPDX-License-Identifier: BSD-2-Clause
// The devices of testdev=on as a program written for QEMU sees them. Named runs only: without the
// option these ports and addresses belong to the machine.

#include "core/lib/bits.h"
#include "tests/guest/dev/testdev.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/smp/t_smp.h"

#define PORT_LATCH  0xe0
#define PORT_FLUSH  0xe4
#define PORT_BYTES  0xe8
#define PORT_EXIT   0xf4
#define PORT_SELECT 0x510
#define PORT_DATA   0x511
#define RAM         0xff000000ull
#define RAM_BYTES   0x10000u

static u64 fw_read(u16 item)
{
	u64 val = 0;

	outw(PORT_SELECT, item);
	for (u32 i = 0; i < 8; i++)
		val |= (u64)inb(PORT_DATA) << (8 * i);
	return val;
}

static void fw_cfg(void)
{
	EXPECT_EQ(0x554d4551, fw_read(0)); /* "QEMU" */
	EXPECT_EQ(smp_count(), fw_read(5));
	EXPECT_EQ(MIB(1) + ((u64)boot.mem_upper << 10), fw_read(3));
	EXPECT_EQ(0, fw_read(0x11));
	EXPECT_EQ(0, fw_read(0x1234));
}

/* Such programs write to COM1 without having programmed it. */
static void com1_works(void)
{
	EXPECT_EQ(3, boot.com1_lcr); /* 8N1 */
	EXPECT_EQ(1, boot.com1_divisor);
}

static void latch(void)
{
	outl(PORT_LATCH, 0x44332211);
	EXPECT_EQ(0x44332211, inl(PORT_LATCH));
	for (u32 i = 0; i < 4; i++)
		EXPECT_EQ(0x11 * (i + 1), inb((u16)(PORT_BYTES + i)));
	EXPECT_EQ(0x3322, inw(PORT_LATCH + 1));
	outw(PORT_LATCH + 2, 0xabcd);
	outb(PORT_LATCH + 1, 0x99);
	EXPECT_EQ(0xabcd9911, inl(PORT_LATCH));
	for (u32 i = 0; i < 4; i++)
		outb((u16)(PORT_BYTES + i), (u8)(0x81 + i));
	EXPECT_EQ(0x84838281, inl(PORT_LATCH));
	EXPECT_EQ(0x84838281, inl(PORT_BYTES));
}

static void latch_string(void)
{
	static const u8 out[4] = { 1, 2, 3, 4 };
	static u8 in[8];
	const void *si = out;
	void *di = in;
	u64 cx = 4;

	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_LATCH) : "memory");
	EXPECT_EQ(4, inb(PORT_LATCH));
	outl(PORT_LATCH, 0x0d0c0b0a);
	cx = 2;
	asm volatile("rep insl" : "+D"(di), "+c"(cx) : "d"(PORT_LATCH) : "memory");
	EXPECT_EQ(0x0a, in[0]);
	EXPECT_EQ(0x0d, in[7]);
}

static u32 flush_page[1024] ALIGNED(4096);

static void flush(void)
{
	for (u32 i = 0; i < 1024; i++)
		flush_page[i] = i * 3;
	for (u32 round = 0; round < 3; round++) {
		EXPECT_LE(cost_of_read(&flush_page[7]), EXIT_COST);
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page + 0x123);
		EXPECT_GE(cost_of_read(&flush_page[7]), EXIT_COST);
		EXPECT_LE(cost_of_read(&flush_page[8]), EXIT_COST);
	}
	for (u32 i = 0; i < 1024; i++)
		EXPECT_EQ(i * 3, flush_page[i]);
}

/* The page with the stack, the code and the page tables in turn: all come back by themselves. */
static void flush_anything(void)
{
	u32 here;

	outl(PORT_FLUSH, (u32)(uintptr_t)&here);
	outl(PORT_FLUSH, (u32)(uintptr_t)flush_anything);
	outl(PORT_FLUSH, (u32)read_cr3());
	apic_self_ipi(VEC);
	outl(PORT_FLUSH, (u32)(uintptr_t)&here);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	outl(PORT_FLUSH, 0xfffffffc);
	outl(PORT_FLUSH, (u32)RAM);
	outl(PORT_FLUSH, 0xfee00000);
	EXPECT_EQ(0x14, apic_read(APIC_VERSION) & 0xff);
}

static void memory(void)
{
	volatile u8 *at = (volatile u8 *)(uintptr_t)RAM;

	for (u32 i = 0; i < RAM_BYTES; i += 0xff8)
		*(volatile u64 *)(volatile void *)(at + i) = 0x0123456789abcdefull ^ i;
	for (u32 i = 0; i < RAM_BYTES; i += 0xff8)
		EXPECT_EQ(0x0123456789abcdefull ^ i, *(volatile u64 *)(volatile void *)(at + i));
	for (u32 i = 0; i < 3; i++)
		EXPECT_GE(cost_of_read((volatile u32 *)(volatile void *)at), EXIT_COST);
	*(volatile u32 *)(volatile void *)(at + 0xffe) = 0x44332211; /* over a page boundary */
	EXPECT_EQ(0x2211, *(volatile u16 *)(volatile void *)(at + 0xffe));
	EXPECT_EQ(0x44332211, *(volatile u32 *)(volatile void *)(at + 0xffe));
	at[0x1000] += 1;
	EXPECT_EQ(0x34, at[0x1000]);
	EXPECT_EQ(0x34, __atomic_exchange_n(at + 0x1000, 0x77, __ATOMIC_SEQ_CST));
	EXPECT_EQ(0x77, at[0x1000]);
}

static void memory_string(void)
{
	static u8 buf[64];
	const void *si = (const void *)(uintptr_t)(RAM + 0x1ff0);
	void *di = (void *)(uintptr_t)(RAM + 0x1ff0);
	u64 cx = 32;

	asm volatile("rep stosb" : "+D"(di), "+c"(cx) : "a"(0x5a) : "memory");
	cx = 8;
	di = buf;
	asm volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(cx) : : "memory");
	EXPECT_EQ(0x5a, buf[0]);
	EXPECT_EQ(0x5a, buf[31]);
	EXPECT_EQ(0, buf[32]);
}

static volatile u32 flush_costs;

static void read_flushed(u64 unused)
{
	flush_costs = (u32)cost_of_read(&flush_page[9]);
}

/* The page is dropped on every CPU, however well the others have cached it. */
static void smp_flush(void)
{
	if (!line_smp_begin())
		return;
	flush_page[9] = 0x1234;
	for (u32 n = 0; n < 5; n++) {
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_LE(flush_costs, EXIT_COST);
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page);
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_GE(flush_costs, EXIT_COST);
	}
	EXPECT_EQ(0x1234, flush_page[9]);
}

static void touch_forever(u64 unused)
{
	while (!smp_quit) {
		__atomic_add_fetch(&flush_page[10], 1, __ATOMIC_RELAXED);
		smp_beat[smp_self()]++;
	}
}

/* Both touch the page while it goes away and comes back; nothing is lost. */
static void smp_flush_storm(void)
{
	u32 mine = 0, others = 0;

	if (!line_smp_begin())
		return;
	flush_page[10] = 0;
	REQUIRE(smp_all(touch_forever, 0));
	for (u32 n = 0; n < 300; n++) {
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page);
		__atomic_add_fetch(&flush_page[10], 1, __ATOMIC_RELAXED);
		mine++;
	}
	EXPECT_TRUE(smp_end());
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		others += smp_beat[cpu];
	EXPECT_EQ(mine + others, flush_page[10]);
}

static void exit_code(void)
{
	outl(PORT_EXIT, 3);
	EXPECT_TRUE(false);
}

static const struct test t_testdev_tests[] = {
	{ .name = "testdev_fw_cfg", .run = fw_cfg, .flags = T_NAMED },
	{ .name = "testdev_com1", .run = com1_works, .flags = T_NAMED },
	{ .name = "testdev_latch", .run = latch, .flags = T_NAMED },
	{ .name = "testdev_latch_string", .run = latch_string, .flags = T_NAMED },
	{ .name = "testdev_flush", .run = flush, .flags = T_NAMED },
	{ .name = "testdev_flush_anything", .run = flush_anything, .flags = T_NAMED },
	{ .name = "testdev_memory", .run = memory, .flags = T_NAMED },
	{ .name = "testdev_memory_string", .run = memory_string, .flags = T_NAMED },
	{ .name = "testdev_smp_flush", .run = smp_flush, .flags = T_NAMED },
	{ .name = "testdev_smp_flush_storm", .run = smp_flush_storm, .flags = T_NAMED },
	{ .name = "testdev_exit_code", .run = exit_code, .flags = T_SOLO },
};
TEST_GROUP(t_testdev);
