/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/extint.c against a model of the two 8259s. Twice the same chips and the same guest:
 * once as bare metal has them, acknowledged when the guest has IF = 1, and once as they are behind
 * Kensho, acknowledged at once. What the guest reads, and what it takes, must be equal.
 *
 * Spec: Intel 8259A data sheet, "Operation Command Words", "Poll Command", "Fully Nested Mode".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/surface/pio.h"
#include "tests/host/apic/irq_sim.h"

struct chip {
	u8 irr, isr, base;
	bool read_isr, poll;
};

struct chips {
	struct chip c[2];
	bool cascade; /* the second one's INT */
};

static struct chips bare, real;
static u8 bitmap[PIO_BITMAP_BYTES] ALIGNED(4096);

/* --- the data sheet --- */

/* The request that goes before all that is in service; -1: none. */
static s32 request(const struct chip *c)
{
	for (s32 i = 0; i < 8; i++) {
		if (c->isr & 1 << i)
			return -1;
		if (c->irr & 1 << i)
			return i;
	}
	return -1;
}

/* The first chip latches the rising edge of the second one's INT, while that stays high. */
static void update(struct chips *p)
{
	bool level = request(&p->c[1]) >= 0;

	if (level && !p->cascade)
		p->c[0].irr |= 4;
	else if (!level)
		p->c[0].irr &= (u8)~4;
	p->cascade = level;
}

static s32 accept(struct chip *c, s32 input)
{
	c->irr &= (u8) ~(1 << input);
	c->isr |= (u8)(1 << input);
	return input;
}

/* INTA; -1: INTR is not asserted. */
static s32 acknowledge(struct chips *p)
{
	s32 vector, input = request(&p->c[0]);

	if (input < 0)
		return -1;
	vector = p->c[0].base + accept(&p->c[0], input);
	if (input == 2)
		vector = p->c[1].base + accept(&p->c[1], request(&p->c[1]));
	update(p);
	return vector;
}

static void raise(struct chips *p, u32 line)
{
	p->c[line / 8].irr |= (u8)(1 << line % 8);
	update(p);
}

static u8 command_read(struct chips *p, u32 chip)
{
	struct chip *c = &p->c[chip];
	s32 input;

	if (!c->poll)
		return c->read_isr ? c->isr : c->irr;
	c->poll = false;
	input = request(c);
	if (input < 0)
		return 0;
	(void)accept(c, input);
	update(p);
	return (u8)(0x80 | input);
}

static void command_write(struct chips *p, u32 chip, u8 val)
{
	struct chip *c = &p->c[chip];

	if (val & 0x10) {
		*c = (struct chip){ .base = c->base };
	} else if (val & 8) {
		if (val & 2)
			c->read_isr = val & 1;
		c->poll = val & 4;
	} else if ((val & 0x60) == 0x60) {
		c->isr &= (u8) ~(1 << (val & 7));
	} else if ((val & 0x60) == 0x20) {
		c->isr &= (u8)(c->isr - 1);
	}
	update(p);
}

/* --- Kensho's side of it --- */

static u32 real_in(u16 port, u32 size)
{
	EXPECT_EQ(1, size);
	EXPECT_TRUE(port == 0x20 || port == 0xa0);
	return command_read(&real, port == 0xa0);
}

static void real_out(u16 port, u32 size, u32 val)
{
	EXPECT_EQ(1, size);
	EXPECT_TRUE(port == 0x20 || port == 0xa0);
	command_write(&real, port == 0xa0, (u8)val);
}

static bool is_watched(void)
{
	u64 a = hw_virt_to_phys(bitmap).v;

	EXPECT_TRUE(fake.vmcs[VMCS_IO_BITMAP_A] == a || fake.vmcs[VMCS_IO_BITMAP_A] == a + 8192);
	return fake.vmcs[VMCS_IO_BITMAP_A] != a;
}

/* Through the ports while they exit, else at the chip. */
static u8 guest_read(u32 chip)
{
	return is_watched() ? extint_read_command(VP, chip) : command_read(&real, chip);
}

static void guest_write(u32 chip, u8 val)
{
	if (is_watched())
		extint_write_command(VP, chip, val);
	else
		command_write(&real, chip, val);
}

static void init(void)
{
	apic_test_init(1, false);
	VP->ctx->io_bitmap = bitmap;
	ctx_watch_ports(VP->ctx, false);
	fake.io_in = real_in;
	fake.io_out = real_out;
	bare = (struct chips){ .c = { { .base = 0x20 }, { .base = 0x28 } } };
	real = bare;
}

/* The exit with IF = 0: acknowledged, and not taken. */
static void arrives(u32 line)
{
	s32 vector;

	raise(&bare, line);
	raise(&real, line);
	vector = acknowledge(&real);
	if (vector < 0)
		return;
	extint_put(VP, (u8)vector);
	extint_wait(VP);
	EXPECT_TRUE(is_watched());
}

/* IF = 1: what the guest gets. */
static s32 takes(void)
{
	s32 expected = acknowledge(&bare), vector = extint_take(VP);

	if (vector < 0)
		vector = acknowledge(&real);
	EXPECT_EQ(expected, vector);
	return vector;
}

static void expect_equal(void)
{
	EXPECT_FALSE(is_watched());
	EXPECT_MEMEQ(&bare, &real, sizeof(bare));
}

static void both_write(u32 chip, u8 val)
{
	command_write(&bare, chip, val);
	guest_write(chip, val);
}

static void test_a_poll_of_the_request_register_sees_the_request(void)
{
	init();
	arrives(0);
	EXPECT_EQ(1, guest_read(0));
	both_write(0, 0x0b);
	EXPECT_EQ(0, guest_read(0));
	EXPECT_EQ(0x20, takes());
	EXPECT_EQ(1, command_read(&real, 0)); /* the guest's selection is kept */
	expect_equal();
	both_write(0, 0x20);
	arrives(12);
	EXPECT_EQ(0, guest_read(0));
	EXPECT_EQ(0x10, guest_read(1));
	both_write(0, 0x0a);
	EXPECT_EQ(4, guest_read(0));
	EXPECT_EQ(0x2c, takes());
	expect_equal();
}

static u8 random_command(u32 chip)
{
	switch (test_rng() % 8) {
	case 0:
		return 0x20;
	case 1:
		return (u8)(0x60 | test_rng() % 8);
	case 2:
		return 0x0a;
	case 3:
		return 0x0b;
	case 4:
		/* An initialised first chip forgets the second's request: not modelled. */
		return chip == 1 || real.c[1].isr == 0 ? 0x11 : 0x20;
	default:
		return 0x0c; /* poll */
	}
}

/* What interrupts the guest has in service already, lowest priority first. */
static void begin_services(void)
{
	static const u8 lines[] = { 7, 5, 3, 15, 13, 10, 8 };

	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		if (test_rng() % 4 == 0) {
			arrives(lines[i]);
			(void)takes();
		}
	}
}

static void test_random_guests_see_bare_chips(void)
{
	u32 waited = 0, polled = 0;

	for (u32 round = 0; round < 20000; round++) {
		init();
		begin_services();
		arrives((u32)(test_rng() % 4 == 0 ? 8 + test_rng() % 2 : test_rng() % 2));
		waited += is_watched();
		for (u64 i = test_rng() % 6; i != 0; i--) {
			u32 chip = (u32)test_rng() & 1;

			if (test_rng() % 2) {
				u8 expected = command_read(&bare, chip);

				EXPECT_EQ(expected, guest_read(chip));
				polled += expected >> 7;
			} else {
				both_write(chip, random_command(chip));
			}
		}
		for (u32 chip = 0; chip < 2; chip++) /* no poll is left open */
			EXPECT_EQ(command_read(&bare, chip), guest_read(chip));
		(void)takes();
		if (!is_watched())
			expect_equal();
	}
	EXPECT_GE(waited, 5000);
	EXPECT_GE(polled, 1000);
}

TEST_MAIN(TEST(test_a_poll_of_the_request_register_sees_the_request),
	  TEST(test_random_guests_see_bare_chips))
