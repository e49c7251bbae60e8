/* SPDX-License-Identifier: BSD-2-Clause */
/* The test disk's program: real mode, segment 0, compiled with gcc -m16. */
#pragma once

#include <stdbool.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define PACKED __attribute__((packed))

/* In the order in which POPW, POPAL and POPFL take them. */
struct bios_regs {
	u16 es, ds;
	u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;
	u32 flags;
};

/* start.S */
void bios_call(u32 number, struct bios_regs *r);
void v86_call(u32 number, struct bios_regs *r);
u32 high_memory(u32 address, u32 value);

extern struct {
	u32 eax, edx;
	u16 es, di, ss, sp;
	u32 flags;
	u16 cs;
} at_entry;

extern const u8 ends_by_reset;

/* tap.c */
void com1_init(void);
void print(const char *s);
void print_number(u32 n);
void print_hex64(u32 hi, u32 lo);
void print_answer(const char *name, u32 a, u32 b);
void test_check(bool ok, const char *what, u32 line);
void test_skip(const char *why);             /* there is nothing to check here */
void test_end(u32 number, const char *name); /* without a check before it failed */

#define EXPECT(cond) test_check(cond, #cond, __LINE__)

bool has_hypervisor(void);
u32 read_high(u32 address); /* after high_memory(): through FS */
void halt(void);
void power_off(void);
void disk_main(void);
