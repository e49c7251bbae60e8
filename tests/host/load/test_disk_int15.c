/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/disk.c's program, boot/disk_stub.S, hooks INT 15h and INT 12h: the memory map and the
 * older calls hide our region, Ctrl-Alt-Del is a reset of the machine, and everything else is the
 * firmware's.
 */
#include "tests/host/load/disk_bios.h"

#if HAVE_UNICORN

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

TEST_MAIN(TEST(test_e820), TEST(test_e820_full_map), TEST(test_e820_buffer_wraps),
	  TEST(test_e820_refused), TEST(test_other_maps_refused), TEST(test_chain),
	  TEST(test_ctrl_alt_del), TEST(test_e801), TEST(test_88), TEST(test_firmware_fails),
	  TEST(test_int12))

#else

TEST_MAIN(TEST(test_unicorn_is_installed))

#endif
