/* SPDX-License-Identifier: BSD-2-Clause */
/* core/dev/vioapic.c: its rules one by one, then random driving against a model that keeps each pin
 * as plain fields and decides from them. */
#include "tests/host/harness.h"

#include "core/dev/vioapic.h"

#define PINS   24u
#define MASKED 0x10000u
#define LEVEL  0x8000u
#define REMOTE 0x4000u
#define LOW    0x2000u /* polarity */

static struct vioapic v;

static void setup(void)
{
	vioapic_init(&v, PINS);
}

static u32 put(u32 reg, u32 val)
{
	v.select = reg;
	return vioapic_write_window(&v, val);
}

static u32 get(u32 reg)
{
	v.select = reg;
	return vioapic_read_window(&v);
}

static u32 route(u32 pin, u32 low)
{
	return put(0x10 + 2 * pin, low);
}

static bool remote_irr(u32 pin)
{
	return (get(0x10 + 2 * pin) & REMOTE) != 0;
}

static u32 line(u32 pin, bool on)
{
	return vioapic_set_line(&v, pin, on);
}

static void test_power_on(void)
{
	setup();
	EXPECT_EQ(0, get(0));
	EXPECT_EQ(0x170020, get(1));
	for (u32 i = 0; i < PINS; i++) {
		EXPECT_EQ(MASKED, get(0x10 + 2 * i));
		EXPECT_EQ(0, get(0x11 + 2 * i));
	}
	EXPECT_EQ(0, get(0x10 + 2 * PINS));
	EXPECT_EQ(0, get(0xff));
	EXPECT_EQ(0, get(3));
	EXPECT_EQ(0, put(0, 0xffffffff));
	EXPECT_EQ(0x0f000000, get(0));
	EXPECT_EQ(0, put(1, 0)); /* read-only */
	EXPECT_EQ(0x170020, get(1));
}

static void test_edge_sends_on_the_rise_only(void)
{
	setup();
	EXPECT_EQ(0, route(5, 0x51));
	EXPECT_EQ(1u << 5, line(5, true));
	EXPECT_FALSE(remote_irr(5));
	EXPECT_EQ(0, line(5, true));
	EXPECT_EQ(0, line(5, false));
	EXPECT_EQ(1u << 5, line(5, true));
	EXPECT_EQ(0, vioapic_eoi(&v, 0x51));
}

static void test_edge_on_a_masked_pin_is_lost(void)
{
	setup();
	EXPECT_EQ(0, route(5, 0x51 | MASKED));
	EXPECT_EQ(0, line(5, true));
	EXPECT_EQ(0, route(5, 0x51)); /* the line is still up: no edge any more */
	EXPECT_EQ(0, line(5, false));
	EXPECT_EQ(1u << 5, line(5, true));
}

static void test_level_waits_for_its_eoi(void)
{
	setup();
	EXPECT_EQ(0, route(7, 0x61 | LEVEL));
	EXPECT_EQ(1u << 7, line(7, true));
	EXPECT_TRUE(remote_irr(7));
	EXPECT_EQ(0, line(7, false));
	EXPECT_EQ(0, line(7, true)); /* coalesced */
	EXPECT_EQ(0, vioapic_eoi(&v, 0x60));
	EXPECT_EQ(1u << 7, vioapic_eoi(&v, 0x61)); /* still asserted: again */
	EXPECT_TRUE(remote_irr(7));
	EXPECT_EQ(0, line(7, false));
	EXPECT_TRUE(remote_irr(7)); /* the message is out */
	EXPECT_EQ(0, vioapic_eoi(&v, 0x61));
	EXPECT_FALSE(remote_irr(7));
}

static void test_level_that_waits_behind_the_mask(void)
{
	setup();
	EXPECT_EQ(0, route(7, 0x61 | LEVEL | MASKED));
	EXPECT_EQ(0, line(7, true));
	EXPECT_EQ(1u << 7, route(7, 0x61 | LEVEL));
	EXPECT_EQ(0, route(7, 0x61 | LEVEL)); /* Remote IRR is set: not twice */
	EXPECT_EQ(0, route(7, 0x61 | LEVEL | MASKED));
	EXPECT_EQ(0, vioapic_eoi(&v, 0x61));
	EXPECT_EQ(1u << 7, route(7, 0x61 | LEVEL));
}

static void test_polarity_has_no_effect(void)
{
	setup();
	EXPECT_EQ(0, route(7, 0x61 | LEVEL | LOW));
	EXPECT_EQ(1u << 7, line(7, true));
	EXPECT_EQ(0x61u | LEVEL | LOW | REMOTE, get(0x10 + 14));
	EXPECT_EQ(0, route(6, 0x62 | LOW));
	EXPECT_EQ(1u << 6, line(6, true));
}

static void test_switching_to_edge_frees_remote_irr(void)
{
	setup();
	EXPECT_EQ(0, route(7, 0x61 | LEVEL));
	EXPECT_EQ(1u << 7, line(7, true));
	EXPECT_EQ(0, route(7, 0x61 | MASKED));
	EXPECT_FALSE(remote_irr(7));
	EXPECT_EQ(1u << 7, route(7, 0x61 | LEVEL));
}

static void test_one_eoi_ends_all_pins_of_a_vector(void)
{
	setup();
	for (u32 i = 0; i < 3; i++) {
		EXPECT_EQ(0, route(i, 0x61 | LEVEL));
		EXPECT_EQ(1u << i, line(i, true));
	}
	EXPECT_EQ(0, line(1, false));
	EXPECT_EQ(5, vioapic_eoi(&v, 0x61));
	EXPECT_FALSE(remote_irr(1));
}

static void test_status_bits_are_read_only(void)
{
	setup();
	EXPECT_EQ(0, route(3, 0x61 | LEVEL | REMOTE | 0x1000));
	EXPECT_EQ(0x61u | LEVEL, get(0x16));
	EXPECT_EQ(1u << 3, line(3, true));
	EXPECT_EQ(0, route(3, 0x61 | LEVEL));
	EXPECT_TRUE(remote_irr(3));
	EXPECT_EQ(0, put(0x17, 0x55000000));
	EXPECT_EQ(0x55000000, get(0x17));
	EXPECT_TRUE(remote_irr(3));
}

static void test_nmi_and_friends_are_edges(void)
{
	static const u32 modes[] = { 2, 4, 5, 7 };

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		setup();
		EXPECT_EQ(0, route(9, 0x61 | LEVEL | modes[i] << 8));
		EXPECT_EQ(1u << 9, line(9, true));
		EXPECT_FALSE(remote_irr(9));
		EXPECT_EQ(0, line(9, false));
		EXPECT_EQ(1u << 9, line(9, true));
	}
}

static void test_pins_without_an_input(void)
{
	vioapic_init(&v, 100);
	EXPECT_EQ(0x630020, get(1));
	EXPECT_EQ(0, route(99, 0x61 | LEVEL));
	EXPECT_EQ(0x61u | LEVEL, get(0x10 + 198));
	EXPECT_EQ(0, line(99, true));
	EXPECT_EQ(0, line(24, true));
	EXPECT_EQ(0, vioapic_eoi(&v, 0x61));
	vioapic_init(&v, 1000);
	EXPECT_EQ(VIOAPIC_PINS_MAX, v.pins);
}

/* --- the model --- */

static struct pin {
	u8 vector;
	u8 mode;
	bool level, masked, waits; /* waits: for the EOI of its last message */
	bool up;
	u32 other, high; /* bits of the entry without a meaning here */
} model[PINS];

static bool has_eoi(const struct pin *p)
{
	return p->level && p->mode <= 1;
}

/* What a pin does when anything about it changed. */
static u32 settle(u32 i)
{
	struct pin *p = &model[i];

	if (!has_eoi(p)) {
		p->waits = false;
		return 0;
	}
	if (!p->up || p->masked || p->waits)
		return 0;
	p->waits = true;
	return 1u << i;
}

static u32 model_line(u32 i, bool up)
{
	bool rose = up && !model[i].up;

	model[i].up = up;
	if (has_eoi(&model[i]))
		return settle(i);
	return rose && !model[i].masked ? 1u << i : 0;
}

static u32 model_low(u32 i, u32 val)
{
	struct pin *p = &model[i];

	p->vector = val & 0xff;
	p->mode = val >> 8 & 7;
	p->level = val >> 15 & 1;
	p->masked = val >> 16 & 1;
	p->other = val & 0xfffe2800;
	return settle(i);
}

static u32 model_eoi(u8 vector)
{
	u32 fire = 0;

	for (u32 i = 0; i < PINS; i++) {
		if (model[i].waits && model[i].vector == vector) {
			model[i].waits = false;
			fire |= settle(i);
		}
	}
	return fire;
}

static u32 model_entry(u32 i)
{
	const struct pin *p = &model[i];

	return p->vector | p->mode << 8 | p->level << 15 | p->masked << 16 | p->waits << 14 |
	       p->other;
}

/* Few vectors, so that pins share them. */
static u32 random_entry(void)
{
	u32 val = (u32)test_rng();

	val = (val & ~0xffu) | (0x40 + (val & 3));
	if (test_rng() % 4 != 0)
		val &= ~0x600u; /* fixed and lowest priority */
	return test_rng() % 3 != 0 ? val & ~MASKED : val;
}

static void step(void)
{
	u32 i = (u32)(test_rng() % PINS), val;
	u8 vector = 0x40 + test_rng() % 4;
	bool up = test_rng() % 2;

	switch (test_rng() % 8) {
	case 0:
	case 1:
	case 2:
		EXPECT_EQ(model_line(i, up), line(i, up));
		break;
	case 3:
		val = random_entry();
		EXPECT_EQ(model_low(i, val), route(i, val));
		break;
	case 4:
		model[i].high = (u32)test_rng();
		EXPECT_EQ(0, put(0x11 + 2 * i, model[i].high));
		break;
	default:
		EXPECT_EQ(model_eoi(vector), vioapic_eoi(&v, vector));
		break;
	}
}

static void test_random_driving_agrees_with_the_model(void)
{
	setup();
	memset(model, 0, sizeof(model));
	for (u32 i = 0; i < PINS; i++)
		model[i].masked = true;
	for (u32 n = 0; n < 200000; n++) {
		step();
		for (u32 i = 0; i < PINS; i++) {
			EXPECT_EQ(model_entry(i), get(0x10 + 2 * i));
			EXPECT_EQ(model[i].high, get(0x11 + 2 * i));
		}
	}
}

TEST_MAIN(TEST(test_power_on), TEST(test_edge_sends_on_the_rise_only),
	  TEST(test_edge_on_a_masked_pin_is_lost), TEST(test_level_waits_for_its_eoi),
	  TEST(test_level_that_waits_behind_the_mask), TEST(test_polarity_has_no_effect),
	  TEST(test_switching_to_edge_frees_remote_irr),
	  TEST(test_one_eoi_ends_all_pins_of_a_vector), TEST(test_status_bits_are_read_only),
	  TEST(test_nmi_and_friends_are_edges), TEST(test_pins_without_an_input),
	  TEST(test_random_driving_agrees_with_the_model))
