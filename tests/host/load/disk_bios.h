/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/disk_stub.S on a CPU that is not ours: Unicorn, in real mode. The plan of boot/load/disk.c
 * is executed into its memory; the firmware's services are functions here.
 *
 * Debian package libunicorn-dev. Without it HAVE_UNICORN is 0, and a test says that it did not run.
 */
#pragma once

#include "tests/host/load/load_sim.h"

#include "boot/load/disk.h"
#include "boot/load/disk_stub.h"

#if !__has_include(<unicorn/unicorn.h>)
#define HAVE_UNICORN 0

static inline void test_unicorn_is_installed(void)
{
	fail_msg("the real-mode code was not run: install Debian's libunicorn-dev (tools/setup.sh "
		 "check does)");
}

#else
#define HAVE_UNICORN 1

#include <unicorn/unicorn.h>

extern const u8 disk_stub[], disk_stub_end[];

#define FIRMWARE  0xf0000u /* service n: INT n; IRET at n * 4 */
#define PROGRAM   0x20000u /* where the interrupted program stands, and its stack */
#define BUFFER    0x31000u /* segment 3000, offset 1000 */
#define STUB      0x9ec00u
#define CF        1u
#define SMAP      0x534d4150u
#define STEPS_MAX 200000u

enum { AX, BX, CX, DX, SI, DI, BP, SP, GPRS };

static const int reg_ids[GPRS] = { UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX,
				   UC_X86_REG_ESI, UC_X86_REG_EDI, UC_X86_REG_EBP, UC_X86_REG_ESP };

static uc_engine *uc;
static struct e820_map map, told;
static struct bios_info bios;

/* What the firmware does. */
static u32 calls[256];   /* by interrupt */
static u32 fw_ax, fw_bx; /* answer of INT 15h and 12h; CX and DX are the same */
static bool fw_fails;
static u32 fw_seen[GPRS], fw_seen_flags;
static u32 read_errors; /* INT 13h: so many reads fail */
static char screen[1024], com1[1024];
static u32 screen_len, com1_len;
static u16 fw_signature;
static u32 machine_resets;

static inline u32 reg(int id)
{
	u32 v = 0;

	EXPECT_EQ(UC_ERR_OK, uc_reg_read(uc, id, &v));
	return v;
}

static inline void set_reg(int id, u32 v)
{
	EXPECT_EQ(UC_ERR_OK, uc_reg_write(uc, id, &v));
}

static inline u16 peek(u32 at)
{
	u16 v;

	EXPECT_EQ(UC_ERR_OK, uc_mem_read(uc, at, &v, 2));
	return v;
}

static inline void poke(u32 at, u16 v)
{
	EXPECT_EQ(UC_ERR_OK, uc_mem_write(uc, at, &v, 2));
}

static inline u32 stack_at(u32 offset)
{
	return (reg(UC_X86_REG_SS) << 4) + ((reg(UC_X86_REG_ESP) + offset) & 0xffff);
}

static inline void push(u32 v)
{
	u32 sp = reg(UC_X86_REG_ESP);

	set_reg(UC_X86_REG_ESP, (sp & ~0xffffu) | ((sp - 2) & 0xffff));
	poke(stack_at(0), (u16)v);
}

static inline void set_carry(bool on)
{
	u16 flags = peek(stack_at(4)); /* IP, CS, FLAGS */

	poke(stack_at(4), (u16)(on ? flags | CF : flags & ~CF));
}

static inline void serve_disk(void)
{
	u32 ax = reg(UC_X86_REG_EAX);

	EXPECT_EQ(0x80, reg(UC_X86_REG_EDX) & 0xff);
	if ((ax >> 8 & 0xff) == 0) { /* reset */
		set_carry(false);
		return;
	}
	EXPECT_EQ(0x0201, ax & 0xffff);
	EXPECT_EQ(1, reg(UC_X86_REG_ECX) & 0xffff);
	EXPECT_EQ(0, reg(UC_X86_REG_EDX) >> 8 & 0xff);
	EXPECT_EQ(0x7c00, (reg(UC_X86_REG_ES) << 4) + (reg(UC_X86_REG_EBX) & 0xffff));
	if (read_errors != 0) {
		read_errors--;
		set_reg(UC_X86_REG_EAX, 0x2000 | (ax & 0xff));
		set_carry(true);
		return;
	}
	poke(0x7dfe, fw_signature);
	set_carry(false);
}

/* INT 15h and INT 12h. */
static inline void serve_memory(void)
{
	for (u32 i = 0; i < GPRS; i++)
		fw_seen[i] = reg(reg_ids[i]);
	fw_seen_flags = peek(stack_at(4));
	set_reg(UC_X86_REG_EAX, fw_ax);
	if (calls[0x15] != 0 && (fw_seen[AX] & 0xffff) == 0xe801) {
		set_reg(UC_X86_REG_EBX, fw_bx);
		set_reg(UC_X86_REG_ECX, fw_ax);
		set_reg(UC_X86_REG_EDX, fw_bx);
	}
	set_carry(fw_fails);
}

static inline void serve_screen(void)
{
	u32 ax = reg(UC_X86_REG_EAX) & 0xffff;

	if (ax >> 8 == 0x0e && screen_len + 1 < sizeof(screen))
		screen[screen_len++] = (char)ax;
	else
		EXPECT_EQ(3, ax);
}

/* An INT instruction: of the stub, through the vector table; of the firmware's pages, a service. */
static inline void on_interrupt(uc_engine *engine, uint32_t number, void *unused)
{
	u32 cs = reg(UC_X86_REG_CS);

	(void)unused;
	EXPECT_TRUE(engine == uc);
	if (cs != FIRMWARE >> 4) {
		push(reg(UC_X86_REG_EFLAGS));
		push(cs);
		push(reg(UC_X86_REG_EIP));
		set_reg(UC_X86_REG_CS, peek(number * 4 + 2));
		set_reg(UC_X86_REG_EIP, peek(number * 4));
		return;
	}
	calls[number]++;
	if (number == 0x10)
		serve_screen();
	else if (number == 0x13)
		serve_disk();
	else
		serve_memory();
}

static inline void on_out(uc_engine *engine, uint32_t port, int size, uint32_t value, void *unused)
{
	(void)engine;
	(void)unused;
	EXPECT_EQ(1, size);
	if (port == 0xcf9 && value == 6)
		machine_resets++;
	if (port == 0xcf9 || port == 0x64)
		return;
	EXPECT_EQ(0x3f8, port);
	if (com1_len + 1 < sizeof(com1))
		com1[com1_len++] = (char)value;
}

static inline uint32_t on_in(uc_engine *engine, uint32_t port, int size, void *unused)
{
	(void)engine;
	(void)unused;
	EXPECT_EQ(1, size);
	EXPECT_EQ(0x3fd, port);
	return 0x60;
}

static inline void write_firmware(void)
{
	static const u8 used[] = { 0x10, 0x12, 0x13, 0x15 };

	memset(sim, 0, 1u << 20);
	for (u32 i = 0; i < sizeof(used); i++) {
		u32 n = used[i];
		const u8 code[] = { 0xcd, (u8)n, 0xcf };
		const u32 vector = (u32)FIRMWARE << 12 | n * 4;

		memcpy(sim + FIRMWARE + n * 4, code, sizeof(code));
		memcpy(sim + n * 4, &vector, 4);
	}
	memcpy(sim + 0x413, "\x7f\x02", 2); /* 639 KiB */
	sim[0x475] = 1;
}

static inline void start(const struct e820_map *m, u16 com)
{
	struct disk_input in = {
		.memory = m,
		.hook.what = "guest=disk0",
		.hook.bios = &bios,
		.hook.stub = disk_stub,
		.hook.stub_len = (u32)(disk_stub_end - disk_stub),
		.hook.com1 = com,
	};
	uc_hook intr, hook_in, hook_out;

	sim_machine(64);
	write_firmware();
	bios_read(sim, &bios);
	bios.pnp = 0xf000bc40;
	EXPECT_EQ(ERR_NONE, disk_plan(&in, &told, &sim_plan));
	EXPECT_EQ(STUB, sim_plan.rip);
	load_execute(&sim_plan);
	if (uc != NULL)
		uc_close(uc);
	EXPECT_EQ(UC_ERR_OK, uc_open(UC_ARCH_X86, UC_MODE_16, &uc));
	EXPECT_EQ(UC_ERR_OK, uc_mem_map(uc, 0, 2u << 20, UC_PROT_ALL));
	EXPECT_EQ(UC_ERR_OK, uc_mem_write(uc, 0, sim, 1u << 20));
	uc_hook_add(uc, &intr, UC_HOOK_INTR, (void *)on_interrupt, NULL, 1, 0);
	uc_hook_add(uc, &hook_in, UC_HOOK_INSN, (void *)on_in, NULL, 1, 0, UC_X86_INS_IN);
	uc_hook_add(uc, &hook_out, UC_HOOK_INSN, (void *)on_out, NULL, 1, 0, UC_X86_INS_OUT);
	memset(calls, 0, sizeof(calls));
	memset(screen, 0, sizeof(screen));
	memset(com1, 0, sizeof(com1));
	screen_len = com1_len = read_errors = machine_resets = 0;
	fw_ax = fw_bx = 0;
	fw_fails = false;
	fw_signature = 0xaa55;
}

/* RAM as in most machines, the hypervisor's region at the end of it. */
static inline void start_usual(void)
{
	map = (struct e820_map){
		.count = 6,
		.e = { { 0, 0x9fc00, E820_RAM },
		       { 0x9fc00, 0x400, E820_RESERVED },
		       { 0xe0000, 0x20000, E820_RESERVED },
		       { 0x100000, 0x1f900000, E820_RAM },
		       { 0x1fa00000, 0x400000, E820_RESERVED },
		       { 0x100000000, 0x80000000, E820_RAM } },
	};
	start(&map, 0x3f8);
}

#endif
