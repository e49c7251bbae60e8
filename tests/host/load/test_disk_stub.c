/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/disk_stub.S on a CPU that is not ours: Unicorn, in real mode. The plan of boot/load/disk.c
 * is executed into its memory; the firmware's services are functions here.
 *
 * Debian package libunicorn-dev.
 */
#include "tests/host/load/load_sim.h"

#include "boot/load/disk.h"
#include "boot/load/disk_stub.h"

#if !__has_include(<unicorn/unicorn.h>)

static void test_unicorn_is_installed(void)
{
	fail_msg("the real-mode code was not run: install Debian's libunicorn-dev (tools/setup.sh "
		 "check does)");
}

TEST_MAIN(TEST(test_unicorn_is_installed))

#else

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

static u32 reg(int id)
{
	u32 v = 0;

	EXPECT_EQ(UC_ERR_OK, uc_reg_read(uc, id, &v));
	return v;
}

static void set_reg(int id, u32 v)
{
	EXPECT_EQ(UC_ERR_OK, uc_reg_write(uc, id, &v));
}

static u16 peek(u32 at)
{
	u16 v;

	EXPECT_EQ(UC_ERR_OK, uc_mem_read(uc, at, &v, 2));
	return v;
}

static void poke(u32 at, u16 v)
{
	EXPECT_EQ(UC_ERR_OK, uc_mem_write(uc, at, &v, 2));
}

static u32 stack_at(u32 offset)
{
	return (reg(UC_X86_REG_SS) << 4) + ((reg(UC_X86_REG_ESP) + offset) & 0xffff);
}

static void push(u32 v)
{
	u32 sp = reg(UC_X86_REG_ESP);

	set_reg(UC_X86_REG_ESP, (sp & ~0xffffu) | ((sp - 2) & 0xffff));
	poke(stack_at(0), (u16)v);
}

static void set_carry(bool on)
{
	u16 flags = peek(stack_at(4)); /* IP, CS, FLAGS */

	poke(stack_at(4), (u16)(on ? flags | CF : flags & ~CF));
}

static void serve_disk(void)
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
static void serve_memory(void)
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

static void serve_screen(void)
{
	u32 ax = reg(UC_X86_REG_EAX) & 0xffff;

	if (ax >> 8 == 0x0e && screen_len + 1 < sizeof(screen))
		screen[screen_len++] = (char)ax;
	else
		EXPECT_EQ(3, ax);
}

/* An INT instruction: of the stub, through the vector table; of the firmware's pages, a service. */
static void on_interrupt(uc_engine *engine, uint32_t number, void *unused)
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

static void on_out(uc_engine *engine, uint32_t port, int size, uint32_t value, void *unused)
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

static uint32_t on_in(uc_engine *engine, uint32_t port, int size, void *unused)
{
	(void)engine;
	(void)unused;
	EXPECT_EQ(1, size);
	EXPECT_EQ(0x3fd, port);
	return 0x60;
}

static void write_firmware(void)
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

static void start(const struct e820_map *m, u16 com)
{
	struct disk_input in = {
		.memory = m,
		.bios = &bios,
		.stub = disk_stub,
		.stub_len = (u32)(disk_stub_end - disk_stub),
		.com1 = com,
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
static void start_usual(void)
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

struct call {
	u32 gpr[GPRS];
	u32 flags;
	u32 ds, es;
};

static struct call call_of(u32 eax)
{
	return (struct call){
		.gpr = { eax, 0x1b1bb1b1, 0x2c2cc2c2, 0x3d3dd3d3, 0x4e4ee4e4, 0x00001000,
			 0x6f6ff6f6, 0x0000fff0 },
		.flags = 0x0202 | 0x0400 | 0x08d4, /* IF, DF, OF and the arithmetic ones but CF */
		.ds = 0x1234,
		.es = BUFFER >> 4 & 0xf000,
	};
}

/* The program executes INT @n; what it finds afterwards is in *c. */
static void interrupt(u32 n, struct call *c)
{
	for (u32 i = 0; i < GPRS; i++)
		set_reg(reg_ids[i], c->gpr[i]);
	set_reg(UC_X86_REG_DS, c->ds);
	set_reg(UC_X86_REG_ES, c->es);
	set_reg(UC_X86_REG_SS, PROGRAM >> 4);
	set_reg(UC_X86_REG_EFLAGS, c->flags);
	push(c->flags);
	push(PROGRAM >> 4);
	push(0x100);
	/* As the CPU enters a handler: IF and TF clear. */
	set_reg(UC_X86_REG_EFLAGS, c->flags & ~0x300u);
	set_reg(UC_X86_REG_CS, peek(n * 4 + 2));
	EXPECT_EQ(UC_ERR_OK, uc_emu_start(uc, ((u64)peek(n * 4 + 2) << 4) + peek(n * 4),
					  PROGRAM + 0x100, 0, STEPS_MAX));
	EXPECT_EQ(PROGRAM >> 4, reg(UC_X86_REG_CS));
	EXPECT_EQ(0x100, reg(UC_X86_REG_EIP) & 0xffff);
	for (u32 i = 0; i < GPRS; i++)
		c->gpr[i] = reg(reg_ids[i]);
	c->flags = reg(UC_X86_REG_EFLAGS);
	EXPECT_EQ(c->ds, reg(UC_X86_REG_DS));
	EXPECT_EQ(c->es, reg(UC_X86_REG_ES));
}

/* Of what is not an answer every bit stays: @changed has a bit per register. */
static void expect_kept(const struct call *before, const struct call *after, u32 changed)
{
	for (u32 i = 0; i < GPRS; i++) {
		if ((changed >> i & 1) == 0)
			EXPECT_EQ(before->gpr[i], after->gpr[i]);
	}
	EXPECT_EQ(before->flags & 0xffff & ~CF, after->flags & 0xffff & ~CF);
}

static u32 query(u32 index, u32 size, struct call *c)
{
	struct call before;

	*c = call_of(0x0000e820);
	c->gpr[BX] = index;
	c->gpr[CX] = size;
	c->gpr[DX] = SMAP;
	c->flags |= index & 1; /* with CF set and clear */
	before = *c;
	interrupt(0x15, c);
	expect_kept(&before, c, 1u << AX | 1u << BX | 1u << CX);
	return c->gpr[CX];
}

static void expect_refused(const struct call *before, const struct call *after, u32 changed)
{
	expect_kept(before, after, 1u << AX | changed);
	EXPECT_EQ((before->gpr[AX] & ~0xff00u) | 0x8600, after->gpr[AX]);
	EXPECT_TRUE(after->flags & CF);
	EXPECT_EQ(0, calls[0x15]);
}

static void check_map(u32 size, u32 want_bytes)
{
	struct call c;
	u32 index = 0;

	for (u32 i = 0; i < told.count; i++) {
		u8 got[32], want[32];

		memset(want, 0xcc, sizeof(want));
		memcpy(want, &told.e[i].base, 8);
		memcpy(want + 8, &told.e[i].len, 8);
		memcpy(want + 16, &told.e[i].type, 4);
		if (want_bytes == 24)
			memcpy(want + 20, "\1\0\0", 4);
		memset(got, 0xcc, sizeof(got));
		EXPECT_EQ(UC_ERR_OK, uc_mem_write(uc, BUFFER, got, sizeof(got)));
		EXPECT_EQ(want_bytes, query(index, size, &c));
		EXPECT_EQ(SMAP, c.gpr[AX]);
		EXPECT_FALSE(c.flags & CF);
		EXPECT_EQ(UC_ERR_OK, uc_mem_read(uc, BUFFER, got, sizeof(got)));
		EXPECT_MEMEQ(want, got, sizeof(got));
		index = c.gpr[BX];
		EXPECT_EQ(i + 1 == told.count, index == 0);
	}
	EXPECT_EQ(0, calls[0x15]);
}

static void test_e820(void)
{
	start_usual();
	EXPECT_EQ(6, told.count); /* the stub joins the EBDA */
	check_map(20, 20);
	check_map(23, 20);
	check_map(24, 24);
	check_map(25, 24);
	check_map(0x7fffffff, 24);
}

static void test_e820_full_map(void)
{
	struct e820_map m = { .count = 1, .e = { { 0, 0xa0000, E820_RAM } } };

	while (m.count < E820_MAX - 2) {
		m.e[m.count] = (struct e820_entry){ m.count * 0x123456789ull + 0x100000, 0x7777,
						    m.count % 5 + 1 };
		m.count++;
	}
	start(&m, 0);
	EXPECT_EQ(E820_MAX, told.count);
	check_map(20, 20);
	check_map(24, 24);
}

static void test_e820_buffer_wraps(void)
{
	struct call c, before;
	u8 got[24];

	start_usual();
	c = call_of(0xffffe820); /* the upper half of EAX does not matter to old programs */
	c.gpr[BX] = 0;
	c.gpr[CX] = 24;
	c.gpr[DX] = SMAP;
	c.gpr[DI] = 0xfff6;
	before = c;
	interrupt(0x15, &c);
	expect_kept(&before, &c, 1u << AX | 1u << BX | 1u << CX);
	EXPECT_EQ(UC_ERR_OK, uc_mem_read(uc, 0x3fff6, got, 10));
	EXPECT_EQ(UC_ERR_OK, uc_mem_read(uc, 0x30000, got + 10, 14));
	EXPECT_MEMEQ(&told.e[0].base, got, 8);
	EXPECT_MEMEQ(&told.e[0].len, got + 8, 8);
	EXPECT_EQ(1, got[16]);
	EXPECT_EQ(1, got[20]);
}

static void test_e820_refused(void)
{
	static const u32 bad[][3] = {
		/* EBX, ECX, EDX */
		{ 0, 19, SMAP },       { 0, 0, SMAP },        { 6, 20, SMAP },
		{ 128, 20, SMAP },     { 0x10000, 20, SMAP }, { ~0u, 20, SMAP },
		{ 0, 20, 0x534d4151 }, { 0, 20, 0x50414d53 }, { 0, 20, SMAP & 0xffff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		struct call c = call_of(0x5555e820), before;

		start_usual();
		c.gpr[BX] = bad[i][0];
		c.gpr[CX] = bad[i][1];
		c.gpr[DX] = bad[i][2];
		before = c;
		interrupt(0x15, &c);
		expect_refused(&before, &c, 0);
	}
}

/* What else tells about memory does not exist. */
static void test_other_maps_refused(void)
{
	static const u32 functions[] = { 0xe881, 0xda88, 0x8a00, 0x8a55, 0xc700, 0xc7ff };

	for (u32 i = 0; i < ARRAY_SIZE(functions); i++) {
		struct call c = call_of(0xabcd0000 | functions[i]), before = c;

		start_usual();
		interrupt(0x15, &c);
		expect_refused(&before, &c, 0);
	}
}

/* Everything else is the firmware's, as the program called it. */
static void test_chain(void)
{
	static const u32 functions[] = { 0x2400, 0x2402, 0x2403, 0x4f00, 0x5300, 0x8300, 0x8600,
					 0x8700, 0x8900, 0x9000, 0xc000, 0xc100, 0xe800, 0xe802,
					 0xe821, 0xec00, 0xda89, 0x0088, 0x0000 };

	for (u32 i = 0; i < ARRAY_SIZE(functions); i++) {
		struct call c = call_of(0xabcd0000 | functions[i]), before = c;

		start_usual();
		fw_ax = 0x13579bdf;
		fw_fails = (i & 1) != 0;
		interrupt(0x15, &c);
		EXPECT_EQ(1, calls[0x15]);
		for (u32 r = 0; r < GPRS; r++) { /* SP: with the frame of the program, none more */
			u32 frame = r == SP ? 6 : 0;

			EXPECT_EQ(before.gpr[r] - frame, fw_seen[r]);
		}
		EXPECT_EQ(before.flags & 0xffff, fw_seen_flags);
		expect_kept(&before, &c, 1u << AX);
		EXPECT_EQ(0x13579bdf, c.gpr[AX]);
		EXPECT_EQ(fw_fails, c.flags & CF);
	}
}

/* Keys go to the firmware, but for Del with Ctrl and Alt: that is a reset of the machine. */
static void test_ctrl_alt_del(void)
{
	static const struct {
		u16 ax, shift;
		bool resets;
	} keys[] = { { 0x4f53, 0x0c, true },  { 0x4f53, 0xff, true },  { 0x4f53, 0x08, false },
		     { 0x4f53, 0x04, false }, { 0x4f53, 0x00, false }, { 0x4fd3, 0x0c, false },
		     { 0x4f1e, 0x0c, false } };

	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		struct call c = call_of(keys[i].ax), before = c;

		start_usual();
		poke(0x417, keys[i].shift);
		fw_ax = keys[i].ax;
		if (keys[i].resets) {
			for (u32 r = 0; r < GPRS; r++)
				set_reg(reg_ids[r], c.gpr[r]);
			set_reg(UC_X86_REG_CS, peek(0x56));
			EXPECT_EQ(UC_ERR_OK, uc_emu_start(uc, ((u64)peek(0x56) << 4) + peek(0x54),
							  PROGRAM + 0x100, 0, STEPS_MAX));
		} else {
			interrupt(0x15, &c);
			expect_kept(&before, &c, 0);
		}
		EXPECT_EQ(keys[i].resets, machine_resets);
		EXPECT_EQ(!keys[i].resets, calls[0x15]);
	}
}

static void memory_answer(u32 function, u32 ax, u32 bx, struct call *c)
{
	struct call before = call_of(function);

	*c = before;
	start_usual();
	fw_ax = ax;
	fw_bx = bx;
	interrupt(0x15, c);
	EXPECT_EQ(1, calls[0x15]);
	EXPECT_FALSE(c->flags & CF);
	expect_kept(&before, c,
		    1u << AX | (function == 0xe801 ? 1u << BX | 1u << CX | 1u << DX : 0));
}

/* The map ends at 506 MiB: 490 MiB above 16. */
static void test_e801(void)
{
	struct call c;

	memory_answer(0xe801, 0x3c00, 0x1f00, &c);
	EXPECT_EQ(0x3c00, c.gpr[AX]);
	EXPECT_EQ(0x3c00, c.gpr[CX]);
	EXPECT_EQ(490 * 16, c.gpr[BX]);
	EXPECT_EQ(490 * 16, c.gpr[DX]);
	memory_answer(0xe801, 0x2000, 0x0100, &c); /* firmware that says less is believed */
	EXPECT_EQ(0x2000, c.gpr[AX]);
	EXPECT_EQ(0x2000, c.gpr[CX]);
	EXPECT_EQ(0x0100, c.gpr[BX]);
	EXPECT_EQ(0x0100, c.gpr[DX]);
}

static void test_88(void)
{
	struct call c;

	memory_answer(0x8800, 0xfc00, 0, &c);
	EXPECT_EQ(0xfc00, c.gpr[AX]);
	map = (struct e820_map){
		.count = 2, .e = { { 0, 0x9fc00, E820_RAM }, { 0x100000, 0x700000, E820_RAM } }
	};
	start(&map, 0);
	fw_ax = 0xfc00;
	c = call_of(0x8812);
	interrupt(0x15, &c);
	EXPECT_EQ(7 << 10, c.gpr[AX]);
	EXPECT_FALSE(c.flags & CF);
	fw_ax = 0x3c00;
	fw_bx = 0x1f00;
	c = call_of(0xe801);
	interrupt(0x15, &c);
	EXPECT_EQ(7 << 10, c.gpr[AX]);
	EXPECT_EQ(7 << 10, c.gpr[CX]);
	EXPECT_EQ(0, c.gpr[BX]);
	EXPECT_EQ(0, c.gpr[DX]);
}

/* Firmware without the function says so itself. */
static void test_firmware_fails(void)
{
	static const u32 functions[] = { 0xe801, 0x8800 };

	for (u32 i = 0; i < ARRAY_SIZE(functions); i++) {
		struct call c = call_of(functions[i]);

		start_usual();
		fw_ax = 0x8699;
		fw_bx = 0xffff;
		fw_fails = true;
		interrupt(0x15, &c);
		EXPECT_EQ(0x8699, c.gpr[AX]);
		EXPECT_TRUE(c.flags & CF);
	}
}

static void test_int12(void)
{
	struct call c = call_of(0xbeef1212), before = c;

	start_usual();
	fw_ax = 639;
	interrupt(0x12, &c);
	expect_kept(&before, &c, 1u << AX);
	EXPECT_EQ(before.flags & CF, c.flags & CF);
	EXPECT_EQ(STUB >> 10, c.gpr[AX]);
	fw_ax = 600; /* another hook took more */
	interrupt(0x12, &c);
	EXPECT_EQ(600, c.gpr[AX]);
	EXPECT_EQ(2, calls[0x12]);
}

/* From VP 0's first instruction until the boot sector's, or a line that says why not. */
static void boot(void)
{
	for (u32 i = 0; i < GPRS; i++)
		set_reg(reg_ids[i], 0xdead0000 | i);
	set_reg(UC_X86_REG_EFLAGS, 2);
	set_reg(UC_X86_REG_CS, STUB >> 4);
	EXPECT_EQ(UC_ERR_OK, uc_emu_start(uc, STUB, 0x7c00, 0, STEPS_MAX));
}

static void test_boot(void)
{
	static const u32 zero[] = { BX, CX, SI, BP };

	for (u32 errors = 0; errors < 3; errors++) {
		start_usual();
		read_errors = errors;
		boot();
		EXPECT_EQ(0x7c00, (reg(UC_X86_REG_CS) << 4) + (reg(UC_X86_REG_EIP) & 0xffff));
		EXPECT_EQ(0, reg(UC_X86_REG_CS));
		EXPECT_EQ(0, reg(UC_X86_REG_DS));
		EXPECT_EQ(0, reg(UC_X86_REG_SS));
		EXPECT_EQ(0x7c00, reg(UC_X86_REG_ESP) & 0xffff);
		EXPECT_EQ(0xaa55, reg(UC_X86_REG_EAX) & 0xffff);
		EXPECT_EQ(0x80, reg(UC_X86_REG_EDX) & 0xffff);
		EXPECT_EQ(0xf000, reg(UC_X86_REG_ES));
		EXPECT_EQ(0xbc40, reg(UC_X86_REG_EDI) & 0xffff);
		EXPECT_EQ(0x200, reg(UC_X86_REG_EFLAGS) & 0x600);
		for (u32 i = 0; i < ARRAY_SIZE(zero); i++)
			EXPECT_EQ(0, reg(reg_ids[zero[i]]) & 0xffff);
		EXPECT_EQ(errors * 2 + 1, calls[0x13]);
		EXPECT_EQ(1, calls[0x10]);
		EXPECT_EQ(0, com1_len);
	}
}

static void expect_message(const char *text)
{
	EXPECT_CONTAINS(screen, text);
	EXPECT_STREQ(screen, com1);
	EXPECT_EQ('\n', screen[screen_len - 1]);
	EXPECT_NE(0x7c00, (reg(UC_X86_REG_CS) << 4) + (reg(UC_X86_REG_EIP) & 0xffff));
}

static void test_boot_fails(void)
{
	start_usual();
	read_errors = 3;
	boot();
	expect_message("cannot read the first sector of disk 80h (INT 13h status 20h); check");
	EXPECT_EQ(6, calls[0x13]);

	start_usual();
	poke(0x475, 0);
	boot();
	expect_message("knows no hard disk; attach one");
	EXPECT_EQ(0, calls[0x13]);

	start_usual();
	fw_signature = 0x55aa;
	boot();
	expect_message("does not end with 55 AA");
	EXPECT_EQ(1, calls[0x13]);
}

static void test_boot_fails_without_com1(void)
{
	start_usual();
	start(&map, 0);
	poke(0x475, 0);
	boot();
	EXPECT_CONTAINS(screen, "knows no hard disk");
	EXPECT_EQ(0, com1_len);
}

TEST_MAIN(TEST(test_e820), TEST(test_e820_full_map), TEST(test_e820_buffer_wraps),
	  TEST(test_e820_refused), TEST(test_other_maps_refused), TEST(test_chain),
	  TEST(test_ctrl_alt_del), TEST(test_e801), TEST(test_88), TEST(test_firmware_fails),
	  TEST(test_int12), TEST(test_boot), TEST(test_boot_fails),
	  TEST(test_boot_fails_without_com1))

#endif
