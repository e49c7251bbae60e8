// SPDX-License-Identifier: BSD-2-Clause
// I/O ports: the few owned ones, A20, string I/O with faults, privilege.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define PORT_92  0x92
#define KBC_DATA 0x60
#define KBC_CMD  0x64

/* True when addresses with bit 20 set are distinct from those without. */
static bool a20_is_on(void)
{
	volatile u32 *low = (volatile u32 *)(uintptr_t)0x6f000;
	volatile u32 *high = (volatile u32 *)(uintptr_t)(0x6f000 + MIB(1));
	u32 old = *high;
	bool on;

	*low = 0x11111111;
	*high = 0x22222222;
	on = *low == 0x11111111;
	*high = old;
	return on;
}

static void io_port_92_read(void)
{
	u8 val = inb(PORT_92);

	EXPECT_EQ(val, inb(PORT_92));
	EXPECT_EQ(0, val & 1);
	EXPECT_TRUE(a20_is_on());
}

/* Writing back what was read, and the fast A20 bit: neither resets nor moves memory. */
static void io_port_92_a20(void)
{
	u8 val = inb(PORT_92);

	outb(PORT_92, val);
	outb(PORT_92, (u8)(val & ~3u));
	EXPECT_TRUE(a20_is_on());
	(void)cpuid(0);
	outb(PORT_92, (u8)((val | 2u) & ~1u));
	EXPECT_TRUE(a20_is_on());
}

static bool kbc_wait_input(void)
{
	return WAIT_FOR((inb(KBC_CMD) & 2) == 0, 100000);
}

static void io_kbc_status(void)
{
	EXPECT_NE(0xff, inb(KBC_CMD));
	EXPECT_TRUE(kbc_wait_input());
	EXPECT_EQ(0, inb(KBC_CMD) & 2);
}

/* A20 gate through the output port: command D1h with bit 1 clear and bit 0 (reset) set. */
static void io_kbc_a20(void)
{
	REQUIRE(kbc_wait_input());
	outb(KBC_CMD, 0xd1);
	REQUIRE(kbc_wait_input());
	outb(KBC_DATA, 0xdd);
	REQUIRE(kbc_wait_input());
	EXPECT_TRUE(a20_is_on());
	outb(KBC_CMD, 0xd1);
	REQUIRE(kbc_wait_input());
	outb(KBC_DATA, 0xdf);
	REQUIRE(kbc_wait_input());
	EXPECT_TRUE(a20_is_on());
	outb(KBC_CMD, 0xdd); /* the direct command of some controllers */
	REQUIRE(kbc_wait_input());
	EXPECT_TRUE(a20_is_on());
	outb(KBC_CMD, 0xdf);
	REQUIRE(kbc_wait_input());
}

/* Commands that have nothing to do with A20 pass: read the command byte. */
static void io_kbc_command(void)
{
	u8 byte;

	REQUIRE(kbc_wait_input());
	while ((inb(KBC_CMD) & 1) != 0)
		(void)inb(KBC_DATA);
	outb(KBC_CMD, 0x20);
	REQUIRE(WAIT_FOR((inb(KBC_CMD) & 1) != 0, 100000));
	byte = inb(KBC_DATA);
	outb(KBC_CMD, 0x60);
	REQUIRE(kbc_wait_input());
	outb(KBC_DATA, byte);
	REQUIRE(kbc_wait_input());
	outb(KBC_CMD, 0x20);
	REQUIRE(WAIT_FOR((inb(KBC_CMD) & 1) != 0, 100000));
	EXPECT_EQ(byte, inb(KBC_DATA));
	outb(KBC_CMD, 0xd0); /* read the output port */
	REQUIRE(WAIT_FOR((inb(KBC_CMD) & 1) != 0, 100000));
	EXPECT_NE(0, inb(KBC_DATA) & 1);
}

static void io_string_in(void)
{
	static u8 buf[16];
	u16 port = PORT_92;
	u8 val = inb(port);
	void *di = buf + 2;
	u64 cx = 8;

	asm volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(port) : "memory");
	EXPECT_EQ(0, cx);
	EXPECT_EQ((u64)(uintptr_t)(buf + 10), (u64)(uintptr_t)di);
	EXPECT_EQ(0, buf[1] | buf[10]);
	for (u32 i = 2; i < 10; i++)
		EXPECT_EQ(val, buf[i]);
	/* backwards */
	cx = 3;
	di = buf + 15;
	asm volatile("std; rep insb; cld" : "+D"(di), "+c"(cx) : "d"(port) : "memory");
	EXPECT_EQ(0, cx);
	EXPECT_EQ((u64)(uintptr_t)(buf + 12), (u64)(uintptr_t)di);
	EXPECT_EQ(val, buf[13]);
	EXPECT_EQ(0, buf[12]);
	/* count 0 does nothing */
	cx = 0;
	di = buf;
	asm volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(port) : "memory");
	EXPECT_EQ((u64)(uintptr_t)buf, (u64)(uintptr_t)di);
	asm volatile("insb" : "+D"(di) : "d"(port) : "memory");
	EXPECT_EQ((u64)(uintptr_t)(buf + 1), (u64)(uintptr_t)di);
	EXPECT_EQ(val, buf[0]);
}

static void io_string_out(void)
{
	static u8 buf[4];
	const void *si = buf;
	u64 cx = 4;

	for (u32 i = 0; i < 4; i++)
		buf[i] = (u8)((inb(PORT_92) & ~3u) | (i & 1) << 1);
	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_92) : "memory");
	EXPECT_EQ(0, cx);
	EXPECT_EQ((u64)(uintptr_t)(buf + 4), (u64)(uintptr_t)si);
	EXPECT_TRUE(a20_is_on());
	outb(PORT_92, 2);
}

/* REP INS into an unmapped page: #PF with the registers of the element that faulted. */
static void io_string_fault(void)
{
	static const u16 ports[] = { 0x80, PORT_92 };
	static u8 page[4096] ALIGNED(4096);
	u8 *va = map_page(8, (u64)(uintptr_t)page, G_PTE_P | G_PTE_W);

	map_page(9, 0, 0);
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		void *di = va + 4093;
		u64 cx = 8;

		trap_clear();
		asm volatile(TRY_BEGIN "rep insb" TRY_END
			     : "+D"(di), "+c"(cx)
			     : "d"(ports[i])
			     : "memory");
		EXPECT_EQ(EXC_PF, trap_vector());
		EXPECT_EQ(2, trap_last()->error);
		EXPECT_EQ((u64)(uintptr_t)va + 4096, trap_last()->cr2);
		EXPECT_EQ(5, trap_last()->rcx);
		EXPECT_EQ((u64)(uintptr_t)va + 4096, trap_last()->rdi);
	}
}

static void io_string_out_fault(void)
{
	static const u16 ports[] = { 0x80, PORT_92 };
	const void *si = map_page(9, 0, 0);

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		u64 cx = 2;
		const void *p = si;

		trap_clear();
		asm volatile(TRY_BEGIN "rep outsb" TRY_END
			     : "+S"(p), "+c"(cx)
			     : "d"(ports[i])
			     : "memory");
		EXPECT_EQ(EXC_PF, trap_vector());
		EXPECT_EQ(0, trap_last()->error);
		EXPECT_EQ(2, trap_last()->rcx);
	}
}

/* A wider access that covers an owned port; the bare emulator does not split these. */
static void io_wide_access(void)
{
	u16 w = inw(0x91);

	EXPECT_EQ(inb(PORT_92), w >> 8);
	w = inw(PORT_92);
	EXPECT_EQ(inb(PORT_92), w & 0xff);
	EXPECT_EQ(inb(PORT_92), (inl(0x90) >> 16) & 0xff);
	outw(0x91, (u16)((inb(PORT_92) & ~3u) << 8));
	EXPECT_TRUE(a20_is_on());
}

static void io_register_parts(void)
{
	/* only AL is written by IN AL; the upper part of RAX stays */
	u64 rax = 0x1122334455667788ull;

	asm volatile("inb $0x92, %%al" : "+a"(rax));
	EXPECT_EQ(0x1122334455667700ull, rax & ~0xffull);
	rax = 0x1122334455667788ull;
	asm volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(PORT_92));
	EXPECT_EQ(0x1122334455660000ull, rax & ~0xffffull);
	rax = ~0ull;
	asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(PORT_92));
	EXPECT_EQ(0, rax >> 32);
}

static void io_pm1_control(void)
{
	u16 port = (u16)(pm_base() + 4), val = inw(port);

	EXPECT_EQ(val, inw(port));
	outw(port, (u16)(val & ~0x3c00u)); /* no SLP_EN: nothing happens */
	EXPECT_EQ(val & 1, inw(port) & 1);
	EXPECT_EQ(inw(port) & 0xff, inb(port));
}

static u64 user_in(u64 port)
{
	trap_clear();
	asm volatile(TRY_BEGIN "inb %%dx, %%al" TRY_END : : "d"(port) : "rax", "memory");
	return trap_vector();
}

static u64 user_ins(u64 port)
{
	static u8 buf[4];
	void *di = buf;

	trap_clear();
	asm volatile(TRY_BEGIN "insb" TRY_END : "+D"(di) : "d"(port) : "memory");
	return trap_vector();
}

/* No I/O permission: #GP before the hypervisor gets to see the access. */
static void io_at_cpl3(void)
{
	static const u16 ports[] = { 0x80, PORT_92, KBC_CMD };

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		EXPECT_EQ(EXC_GP, user_call(user_in, ports[i]));
		EXPECT_EQ(EXC_GP, user_call(user_ins, ports[i]));
	}
}

static void io_pci_config(void)
{
	outl(0xcf8, 0x80000000);
	EXPECT_EQ(0x8086, inl(0xcfc) & 0xffff);
	EXPECT_EQ(0x80000000, inl(0xcf8));
	EXPECT_EQ(0x86, inb(0xcfc));
}

static const struct test t_io_tests[] = {
	{ .name = "io_port_92_read", .run = io_port_92_read },
	{ .name = "io_port_92_a20", .run = io_port_92_a20, .flags = T_KENSHO },
	{ .name = "io_kbc_status", .run = io_kbc_status },
	{ .name = "io_kbc_a20", .run = io_kbc_a20, .flags = T_KENSHO },
	{ .name = "io_kbc_command", .run = io_kbc_command },
	{ .name = "io_string_in", .run = io_string_in },
	{ .name = "io_string_out", .run = io_string_out, .flags = T_KENSHO },
	{ .name = "io_string_fault", .run = io_string_fault },
	{ .name = "io_string_out_fault", .run = io_string_out_fault },
	{ .name = "io_wide_access", .run = io_wide_access, .flags = T_KENSHO },
	{ .name = "io_register_parts", .run = io_register_parts },
	{ .name = "io_pm1_control", .run = io_pm1_control },
	{ .name = "io_at_cpl3", .run = io_at_cpl3 },
	{ .name = "io_pci_config", .run = io_pci_config },
};
TEST_GROUP(t_io);
