// SPDX-License-Identifier: BSD-2-Clause
// Rule P1: however the guest asks for it, A20 stays on.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define PORT_92  0x92
#define KBC_DATA 0x60
#define KBC_CMD  0x64

#define KBC_WRITE_OUTPUT 0xd1
#define KBC_A20_OFF      0xdd
#define OUT_A20_OFF      0xdd /* the output port without bit 1, not in reset */
#define OUT_A20_ON       0xdf

/* Nothing at 1 MiB + x is at x: our memory, where the kernel of a PC would be, and the image. */
static bool a20_is_on(void)
{
	static const u32 at[] = { 0x6f000, 0x6e000 };

	for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
		volatile u32 *low = (volatile u32 *)(uintptr_t)at[i];
		volatile u32 *high = (volatile u32 *)(uintptr_t)(at[i] + MIB(1));
		u32 old = *high;
		bool on;

		*low = 0x11111111;
		*high = 0x22222222;
		on = *low == 0x11111111;
		*high = old;
		if (!on)
			return false;
	}
	return true;
}

/* The controller has taken the byte, and what it answered is read. */
static void kbc_settle(void)
{
	(void)WAIT_FOR((inb(KBC_CMD) & 2) == 0, 100000);
	while ((inb(KBC_CMD) & 1) != 0)
		(void)inb(KBC_DATA);
}

static void send(u16 port, u8 val)
{
	kbc_settle();
	outb(port, val);
}

static void check(const char *what)
{
	kbc_settle();
	(void)cpuid(0); /* the hypervisor is in memory, too */
	EXPECT_AT(a20_is_on(), "%s", what);
}

static void platform_a20_commands(void)
{
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	send(KBC_DATA, OUT_A20_OFF);
	check("D1 and its byte");
	send(KBC_CMD, KBC_A20_OFF);
	check("DD");
	/* DD between D1 and its byte: the byte is the keyboard's, or A20 stays on all the same. */
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	send(KBC_CMD, KBC_A20_OFF);
	send(KBC_DATA, OUT_A20_OFF);
	check("D1, DD, byte");
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	send(KBC_DATA, OUT_A20_OFF);
	check("D1 twice");
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	send(KBC_DATA, OUT_A20_ON);
	send(KBC_DATA, OUT_A20_OFF); /* to the keyboard */
	check("a byte too many");
	send(KBC_CMD, 0xfd); /* pulse A20 only */
	check("FD");
	send(KBC_CMD, 0xf1);
	check("F1");
	send(KBC_CMD, KBC_WRITE_OUTPUT);
	outb(PORT_92, 0); /* another way in between */
	send(KBC_DATA, OUT_A20_OFF);
	check("port 92h in between");
}

/* The same in one instruction, and wider than the port. */
static void platform_a20_split(void)
{
	static const u8 commands[] = { KBC_WRITE_OUTPUT, KBC_A20_OFF, KBC_WRITE_OUTPUT };
	const void *si = commands;
	u64 cx = sizeof(commands);

	kbc_settle();
	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(KBC_CMD) : "memory");
	send(KBC_DATA, OUT_A20_OFF);
	check("rep outsb");
	kbc_settle();
	outw(KBC_CMD, KBC_WRITE_OUTPUT); /* and port 65h */
	send(KBC_DATA, OUT_A20_OFF);
	check("word to 64h");
	kbc_settle();
	outl(0x61, (u32)KBC_A20_OFF << 24 | (inl(0x61) & 0xffffff)); /* 61h to 64h */
	check("dword to 61h");
	outw(0x91, 0);
	check("word to 91h");
	outl(0x90, 0);
	check("dword to 90h");
	outl(0x8f, 0);
	check("dword to 8Fh");
}

#define RACES 3000u

/* Data bytes all the time: as the byte of a D1 they would turn A20 off. */
static void data_bytes(u64 unused)
{
	for (u32 i = 0; !smp_quit; i++) {
		smp_beat[smp_self()]++;
		outb(KBC_DATA, OUT_A20_OFF);
		for (u32 n = i % 16; n != 0; n--)
			asm volatile("nop");
	}
}

static void smp_a20_race(void)
{
	bool on = true;

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_all(data_bytes, 0));
	for (u32 i = 0; i < RACES && on; i++) {
		outb(KBC_CMD, i % 3 == 2 ? KBC_A20_OFF : KBC_WRITE_OUTPUT);
		for (u32 n = i % 13; n != 0; n--)
			asm volatile("nop");
		on = a20_is_on();
	}
	EXPECT_TRUE(on);
	EXPECT_TRUE(smp_end());
	kbc_settle();
	send(KBC_DATA, OUT_A20_ON);
	kbc_settle();
}

static const struct test t_platform_tests[] = {
	{ .name = "platform_a20_commands", .run = platform_a20_commands, .flags = T_KENSHO },
	{ .name = "platform_a20_split", .run = platform_a20_split, .flags = T_KENSHO },
	{ .name = "smp_a20_race", .run = smp_a20_race, .flags = T_KENSHO },
};
TEST_GROUP(t_platform);
