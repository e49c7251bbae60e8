/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/extint.c: states of the two 8259s that the random guest of test_extint.c rarely
 * reaches. */
#include "arch/x86/defs/vmcs.h"
#include "tests/host/apic/irq_sim.h"

static u8 isr[2];

static u32 chip_in(u16 port, u32 size)
{
	return isr[port == 0xa0];
}

static void set_up(u8 first, u8 second)
{
	apic_test_init(1, false);
	fake.io_in = chip_in;
	isr[0] = first;
	isr[1] = second;
}

/* Fully nested: inputs 0 and 1, then those behind the cascade, then 3 to 7. */
static void test_one_vector_of_both_chips_is_of_the_one_that_goes_first(void)
{
	struct extint *x = &at.vp[0].extint;

	for (u32 n = 0; n < 8; n++) {
		if (n == 2)
			continue;
		set_up((u8)(1u << n | 4), (u8)(1u << n));
		extint_put(&at.vp[0], (u8)(0x70 + n));
		extint_wait(&at.vp[0]);
		EXPECT_EQ(n < 2 ? n : 8 + n, x->input[x->head % EXTINT_FIFO]);
	}
}

/* An EOI of what is in service, while another input waits: it becomes specific, no more. */
static void test_an_eoi_keeps_its_rotation(void)
{
	static const u8 commands[][2] = { { 0x20, 0x63 }, { 0xa0, 0xe3 } };

	for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
		set_up(1u << 1 | 1u << 3, 0);
		extint_put(&at.vp[0], 0x31);
		extint_wait(&at.vp[0]);
		extint_write_command(&at.vp[0], 0, commands[i][0]);
		EXPECT_EQ(commands[i][1], fake.io_val[0x20]);
	}
}

TEST_MAIN(TEST(test_one_vector_of_both_chips_is_of_the_one_that_goes_first),
	  TEST(test_an_eoi_keeps_its_rotation))
