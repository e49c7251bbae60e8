/* SPDX-License-Identifier: BSD-2-Clause */
/* Output, results, and the few instructions. */
#include "tests/guest/disk/disk.h"

#define COM1       0x3f8
#define COM1_LSR   (COM1 + 5)
#define LSR_THRE   0x20
#define LSR_TEMT   0x40
#define PM1_CNT    0xb004 /* the emulator's PIIX4; S5 is type 0 */
#define PM1_SLP_EN 0x2000

static const char *failed, *skipped;
static u32 failed_line, checks;

static void out8(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static u8 in8(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

void com1_init(void)
{
	out8(COM1 + 3, 0x80); /* divisor 1: 115200 */
	out8(COM1, 1);
	out8(COM1 + 1, 0);
	out8(COM1 + 3, 3); /* 8N1 */
}

void print(const char *s)
{
	for (; *s != '\0'; s++) {
		while ((in8(COM1_LSR) & LSR_THRE) == 0)
			;
		out8(COM1, (u8)*s);
	}
}

void print_number(u32 n)
{
	char text[11];
	u32 at = sizeof(text) - 1;

	text[at] = '\0';
	do {
		text[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	print(&text[at]);
}

static void print_hex(u32 n)
{
	char text[9];

	for (u32 i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[n >> (28 - 4 * i) & 15];
	text[8] = '\0';
	print(text);
}

void print_hex64(u32 hi, u32 lo)
{
	print_hex(hi);
	print_hex(lo);
}

void print_answer(const char *name, u32 a, u32 b)
{
	print("# ");
	print(name);
	print(" ");
	print_hex(a);
	print(" ");
	print_hex(b);
	print("\n");
}

void test_check(bool ok, const char *what, u32 line)
{
	checks++;
	if (!ok && !failed) {
		failed = what;
		failed_line = line;
	}
}

void test_skip(const char *why)
{
	skipped = why;
}

void test_end(u32 number, const char *name)
{
	if (checks == 0 && !skipped)
		test_check(false, "no EXPECT was reached", 0);
	print(!failed ? "ok " : "not ok ");
	print_number(number);
	print(" - ");
	print(name);
	if (failed) {
		print(" # ");
		print(failed);
		print(" line ");
		print_number(failed_line);
	} else if (skipped) {
		print(" # SKIP ");
		print(skipped);
	}
	print("\n");
	failed = skipped = (void *)0;
	checks = 0;
}

bool has_hypervisor(void)
{
	u32 a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 31 != 0;
}

u32 read_high(u32 address)
{
	u32 v;

	asm volatile("addr32 movl %%fs:(%1), %0" : "=r"(v) : "r"(address));
	return v;
}

void halt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

void power_off(void)
{
	while ((in8(COM1_LSR) & LSR_TEMT) == 0)
		;
	asm volatile("outw %0, %1" : : "a"((u16)PM1_SLP_EN), "Nd"((u16)PM1_CNT));
}
