/* SPDX-License-Identifier: BSD-2-Clause */
/* Rule P1: whatever the guest writes, A20 stays on, S3 never happens, endings are announced first.
 */
#include "tests/host/harness.h"

#include "core/surface/pio.h"
#include "tests/host/fakes/paged.h"

#define PM1A 0x604u
#define PM1B 0x704u

static bool announced_before_out;

/* The announcement is on the console by the time the port is written. */
static void note_order(u16 port, u32 size, u32 val)
{
	announced_before_out = strstr(fake.console, "guest ends") != NULL;
}

static void setup(void)
{
	paged_reset(EMUL_64);
	the_partition.machine.s3_slp_typ = 1;
	the_partition.machine.s5_slp_typ = 0;
	EXPECT_EQ(ERR_NONE, platform_ports_add(&the_partition.pio, PM1A, PM1B, true, true));
	fake.io_out = note_order;
	announced_before_out = false;
}

static void out(u16 port, u32 size, u32 val)
{
	pio_access(&paged_vp, port, size, true, &val);
}

static u32 in(u16 port, u32 size)
{
	u32 val = 0;

	pio_access(&paged_vp, port, size, false, &val);
	return val;
}

static u64 a20_blocked(void)
{
	return paged_vp.counters.c[COUNTER_A20_BLOCKED];
}

static bool announced(void)
{
	return strstr(fake.console, "guest ends") != NULL;
}

static void test_port92_every_value(void)
{
	for (u32 val = 0; val < 256; val++) {
		setup();
		out(0x92, 1, val);
		EXPECT_EQ(1, fake.io_count);
		EXPECT_EQ(val | 2, fake.io[0].val);
		EXPECT_EQ(!(val & 2), a20_blocked());
		EXPECT_EQ(val & 1, announced());
		EXPECT_EQ(val & 1, announced_before_out);
	}
	setup();
	fake.io_val[0x92] = 0x5b;
	EXPECT_EQ(0x5b, in(0x92, 1));
}

static void test_kbc_every_command(void)
{
	for (u32 cmd = 0; cmd < 256; cmd++) {
		setup();
		out(0x64, 1, cmd);
		EXPECT_EQ(1, fake.io_count);
		if (cmd == 0xdd) { /* A20 off becomes A20 on */
			EXPECT_EQ(0xdf, fake.io[0].val);
			EXPECT_EQ(1, a20_blocked());
			continue;
		}
		if (cmd >= 0xf0) {
			EXPECT_EQ(cmd | 2, fake.io[0].val); /* never pulse A20 */
			EXPECT_EQ(!(cmd & 1), announced());
			EXPECT_EQ(!(cmd & 1), announced_before_out);
		} else {
			EXPECT_EQ(cmd, fake.io[0].val);
			EXPECT_FALSE(announced());
		}
	}
}

static void test_kbc_output_port_every_value(void)
{
	for (u32 val = 0; val < 256; val++) {
		setup();
		out(0x64, 1, 0xd1);
		out(0x60, 1, val);
		EXPECT_EQ(2, fake.io_count);
		EXPECT_EQ(val | 2, fake.io[1].val);
		EXPECT_EQ(!(val & 2), a20_blocked());
		EXPECT_EQ(!(val & 1), announced());
		out(0x60, 1, val); /* the second byte is data for the keyboard */
		EXPECT_EQ(val, fake.io[2].val);
	}
}

/* Another command in between: the data byte belongs to that one. */
static void test_kbc_other_command_cancels(void)
{
	setup();
	out(0x64, 1, 0xd1);
	out(0x64, 1, 0x60);
	out(0x60, 1, 0x00);
	EXPECT_EQ(0, fake.io[2].val);
	EXPECT_FALSE(announced());
	fake.io_val[0x60] = 0x77;
	EXPECT_EQ(0x77, in(0x60, 1));
	fake.io_val[0x64] = 0x1d;
	EXPECT_EQ(0x1d, in(0x64, 1));
}

/* What an 8042 does with what reaches it: only the command before a data byte matters. */
static bool controller_a20(void)
{
	bool on = true, expects = false;

	for (u32 i = 0; i < fake.io_count; i++) {
		u32 val = fake.io[i].val;

		if (fake.io[i].port == 0x60) {
			if (expects)
				on = (val & 2) != 0;
			expects = false;
			continue;
		}
		expects = val == 0xd1;
		if (val == 0xdd || val == 0xdf)
			on = val == 0xdf;
		if (val >= 0xf0 && !(val & 2))
			on = false;
	}
	return on;
}

/* D1, then any other command, then the data byte; D1 twice; a byte too many. */
static void test_kbc_no_sequence_turns_a20_off(void)
{
	static const u8 commands[] = { 0xd1, 0xdd, 0xdf, 0xd0, 0x60, 0xad, 0xf0, 0xfd, 0xff, 0 };

	for (u32 run = 0; run < 20000; run++) {
		setup();
		for (u32 i = 0; i < 8; i++) {
			u64 r = test_rng();

			if (r % 2 != 0)
				out(0x64, 1, commands[r / 2 % sizeof(commands)]);
			else
				out(0x60, 1, (u32)(r >> 8 & 0xff));
			EXPECT_TRUE(controller_a20());
		}
	}
	setup();
	out(0x64, 1, 0xd1);
	out(0x64, 1, 0xdd);
	out(0x60, 1, 0x01);
	EXPECT_TRUE(controller_a20());
}

/* Two VPs: nothing comes between what is remembered of a write and the write. */
static void lock_is_held(u16 port, u32 size, u32 val)
{
	const struct spinlock *l = &the_partition.pio.platform.kbc_lock;

	EXPECT_EQ(1, l->next - l->owner);
}

static void test_kbc_writes_are_in_one_order(void)
{
	struct spinlock *l = &the_partition.pio.platform.kbc_lock;

	setup();
	fake.io_out = lock_is_held;
	out(0x64, 1, 0xd1);
	out(0x60, 1, 0xdf);
	out(0x64, 1, 0xdd);
	out(0x60, 1, 0xed);
	EXPECT_EQ(4, fake.io_count);
	EXPECT_EQ(l->next, l->owner);
}

static void test_pm1_every_sleep_type(void)
{
	static const u16 ports[] = { PM1A, PM1B };

	for (u32 i = 0; i < 16; i++) {
		u16 port = ports[i / 8];
		u32 typ = i % 8;
		u32 val = typ << 10 | 1 << 13 | 1;

		for (u32 bytes = 0; bytes < 2; bytes++) {
			setup();
			if (bytes)
				out((u16)(port + 1), 1, val >> 8);
			else
				out(port, 2, val);
			EXPECT_EQ(typ == 1 ? 0 : 1, fake.io_count);
			EXPECT_EQ(typ == 1, paged_vp.counters.c[COUNTER_S3_REFUSED]);
			EXPECT_EQ(typ != 1, announced());
			EXPECT_EQ(typ != 1, announced_before_out);
			if (typ != 1)
				EXPECT_EQ(bytes ? val >> 8 : val, fake.io[0].val);
		}
		setup();
		out(port, 2, val & ~(1u << 13)); /* without SLP_EN nothing sleeps */
		EXPECT_EQ(1, fake.io_count);
		EXPECT_FALSE(announced());
		out(port, 1, 0xff); /* nor does the low byte */
		EXPECT_EQ(2, fake.io_count);
		EXPECT_FALSE(announced());
	}
	setup(); /* a 32-bit write: the upper half is not PM1's */
	out(PM1A, 4, 0xabcd2401);
	EXPECT_EQ(1, fake.io_count);
	EXPECT_EQ(PM1A + 2, fake.io[0].port);
	EXPECT_EQ(0xabcd, fake.io[0].val);
	EXPECT_EQ(1, paged_vp.counters.c[COUNTER_S3_REFUSED]);
}

/* No \_S3 object: no sleep type is S3. */
static void test_pm1_without_s3(void)
{
	for (u32 typ = 0; typ < 8; typ++) {
		setup();
		the_partition.machine.s3_slp_typ = -1;
		out(PM1A, 2, typ << 10 | 1 << 13);
		EXPECT_EQ(1, fake.io_count);
	}
}

static void test_our_uarts_are_absent(void)
{
	setup();
	for (u16 base = 0x2f8; base <= 0x3f8; base = (u16)(base + 0x100)) {
		for (u16 port = base; port < base + 8; port++) {
			EXPECT_EQ(0xff, in(port, 1));
			out(port, 1, 0x12);
		}
		EXPECT_EQ(0xffff, in(base, 2));
	}
	EXPECT_EQ(0, fake.io_count);
}

static void test_rows_follow_the_machine(void)
{
	struct pio_table t = { 0 };

	EXPECT_EQ(ERR_NONE, platform_ports_add(&t, 0, 0, false, false));
	EXPECT_NULL(pio_lookup(&t, 0x2f8));
	EXPECT_NULL(pio_lookup(&t, 0x3f8));
	EXPECT_NULL(pio_lookup(&t, 0));
	EXPECT_NOT_NULL(pio_lookup(&t, 0x92));
	t = (struct pio_table){ 0 };
	EXPECT_EQ(ERR_NONE, platform_ports_add(&t, PM1A, PM1A, true, false));
	EXPECT_NULL(pio_lookup(&t, 0x2f8));
	EXPECT_NOT_NULL(pio_lookup(&t, 0x3f8));
	t = (struct pio_table){ 0 };
	EXPECT_EQ(ERR_BUSY, platform_ports_add(&t, 0x91, 0, false, false));
}

TEST_MAIN(TEST(test_port92_every_value), TEST(test_kbc_every_command),
	  TEST(test_kbc_output_port_every_value), TEST(test_kbc_other_command_cancels),
	  TEST(test_kbc_no_sequence_turns_a20_off), TEST(test_kbc_writes_are_in_one_order),
	  TEST(test_pm1_every_sleep_type), TEST(test_pm1_without_s3),
	  TEST(test_our_uarts_are_absent), TEST(test_rows_follow_the_machine))
