// SPDX-License-Identifier: BSD-2-Clause
// Prints entry state and boot information in hexadecimal, for tests/run/multiboot.py to compare.

#include "boot/load/mb1_abi.h"
#include "boot/load/mb2_abi.h"
#include "core/lib/types.h"

#define COM1       0x3f8
#define LSR_EMPTY  0x20
#define LSR_SENT   0x40
#define PM1A_CNT   0xb004 /* Bochs */
#define BOCHS_OFF  0x8900
#define A20_LOW    0x500u /* nothing lives there after the boot */
#define STRING_MAX 4096u
#define BSS_LEN    200000u

void mb_main(u32 magic, u32 info, u32 cr0, u32 eflags);

extern u8 image_begin[] __attribute__((visibility("hidden"))); /* not by a table of addresses */
static u8 zeros[BSS_LEN];

static void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" ::"a"(val), "Nd"(port));
}

static u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static void put(char c)
{
	while ((inb(COM1 + 5) & LSR_EMPTY) == 0)
		;
	outb(COM1, (u8)c);
}

static void text(const char *s)
{
	while (*s != '\0')
		put(*s++);
}

static void hex(u32 val, u32 digits)
{
	while (digits-- > 0) {
		u32 digit = val >> (digits * 4) & 15;

		put((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	}
}

static void number(const char *name, u32 val)
{
	text(name);
	hex(val, 8);
	put('\n');
}

/* Not by a pointer that the compiler knows to be none. */
static u32 get(u32 at)
{
	u32 val;

	asm volatile("mov (%1), %0" : "=r"(val) : "r"(at) : "memory");
	return val;
}

static void set(u32 at, u32 val)
{
	asm volatile("mov %0, (%1)" ::"r"(val), "r"(at) : "memory");
}

/* "mem ADDRESS BYTES" */
static void dump(u32 at, u32 len)
{
	text("mem ");
	hex(at, 8);
	put(' ');
	for (u32 i = 0; i < len; i++)
		hex(*(volatile u8 *)(uintptr_t)(at + i), 2);
	put('\n');
}

static void dump_string(u32 at)
{
	u32 len = 0;

	while (len < STRING_MAX && *(volatile u8 *)(uintptr_t)(at + len) != 0)
		len++;
	dump(at, len + 1);
}

static void module(u32 start, u32 end)
{
	u32 sum = 0;

	for (u32 i = start; i < end; i++)
		sum = sum * 31 + *(volatile u8 *)(uintptr_t)i;
	number("module ", sum);
}

static void modules2(u32 info)
{
	for (u32 at = info + 8; get(at) != MB2I_END; at += (get(at + 4) + 7) & ~7u) {
		if (get(at) == MB2I_MODULE)
			module(get(at + 8), get(at + 12));
	}
}

static void info1(u32 info)
{
	u32 flags = get(info), mods = get(info + MB1_MODS_ADDR_OFF);

	dump(info, MB1_INFO_LEN);
	if (flags & MB1_INFO_CMDLINE)
		dump_string(get(info + MB1_CMDLINE_OFF));
	if (flags & MB1_INFO_MMAP)
		dump(get(info + MB1_MMAP_ADDR_OFF), get(info + MB1_MMAP_LENGTH_OFF));
	if (flags & MB1_INFO_ELF)
		dump(get(info + MB1_ELF_OFF + 8),
		     get(info + MB1_ELF_OFF) * get(info + MB1_ELF_OFF + 4));
	if (flags & MB1_INFO_LOADER)
		dump_string(get(info + MB1_LOADER_NAME_OFF));
	if (flags & MB1_INFO_APM)
		dump(get(info + MB1_APM_OFF), 20);
	for (u32 i = 0; (flags & MB1_INFO_MODULES) && i < get(info + MB1_MODS_COUNT_OFF); i++) {
		u32 mod = mods + MB1_MODULE_LEN * i;

		dump(mod, MB1_MODULE_LEN);
		dump_string(get(mod + 8));
		module(get(mod), get(mod + 4));
	}
}

static void state(u32 magic, u32 cr0, u32 eflags)
{
	u32 dirty = 0, low, high;

	number("magic ", magic);
	number("cr0 ", cr0 & 0x80000001);
	number("eflags ", eflags & 0x00020200);
	number("base ", (u32)(uintptr_t)image_begin);
	low = get(A20_LOW);
	high = get(A20_LOW + (1u << 20));
	set(A20_LOW, 1);
	set(A20_LOW + (1u << 20), 2);
	number("a20 ", get(A20_LOW));
	set(A20_LOW + (1u << 20), high);
	set(A20_LOW, low);
	for (u32 i = 0; i < sizeof(zeros); i++)
		dirty |= ((volatile u8 *)zeros)[i];
	number("bss ", dirty);
}

void mb_main(u32 magic, u32 info, u32 cr0, u32 eflags)
{
	const char off[] = { 'S', 'h', 'u', 't', 'd', 'o', 'w', 'n' };

	outb(COM1 + 3, 0x83); /* 115200 8N1 */
	outb(COM1, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	text("mb: begin\n");
	state(magic, cr0, eflags);
	number("info ", info);
	if (magic == MB1_BOOT_MAGIC) {
		info1(info);
	} else if (magic == MB2H_BOOT_MAGIC) {
		dump(info, get(info));
		modules2(info);
	}
	text("mb: end\n");
	while ((inb(COM1 + 5) & LSR_SENT) == 0)
		;
	asm volatile("outw %0, %1" ::"a"((u16)0x2000), "Nd"((u16)PM1A_CNT));
	for (u32 i = 0; i < sizeof(off); i++)
		outb(BOCHS_OFF, (u8)off[i]);
}
