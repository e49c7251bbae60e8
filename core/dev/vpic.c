/* SPDX-License-Identifier: BSD-2-Clause */
/* See vpic.h. Pure. */
#include "core/dev/vpic.h"

#include "core/lib/bits.h"

#define CASCADE 2u
#define NONE    8u

#define ICW1          BIT32(4)
#define ICW1_ICW4     BIT32(0)
#define ICW1_SINGLE   BIT32(1)
#define ICW4_AUTO_EOI BIT32(1)
#define OCW3          BIT32(3)
#define OCW3_READ     BIT32(1)
#define OCW3_READ_ISR BIT32(0)
#define OCW2_EOI      BIT32(5)
#define OCW2_SPECIFIC BIT32(6)
#define OCW2_LEVEL    GENMASK32(2, 0)
#define ICW2_BASE     GENMASK32(7, 3)

/* Inputs by priority: 0 is the highest. */
static u32 highest(u32 bits)
{
	return bits != 0 ? (u32)__builtin_ctz(bits) : NONE;
}

void vpic_set_line(struct vpic *v, u32 line, bool asserted)
{
	struct vpic_chip *c = &v->chip[line >> 3 & 1];
	u8 bit = (u8)BIT32(line & 7);
	bool rises = asserted && !(c->lines & bit);

	if (line >= VPIC_LINES || line == CASCADE)
		return;
	c->lines = (u8)(asserted ? c->lines | bit : c->lines & ~bit);
	if (c->elcr & bit)
		c->irr = (u8)(asserted ? c->irr | bit : c->irr & ~bit);
	else if (rises) /* latched, even if masked, and even if the line drops again */
		c->irr |= bit;
}

static void start_initialisation(struct vpic_chip *c, u8 icw1)
{
	c->irr &= c->elcr;
	c->isr = 0;
	c->imr = 0;
	c->lines &= c->elcr; /* the edge detector is reset */
	c->auto_eoi = false;
	c->read_isr = false;
	c->icw4 = (icw1 & ICW1_ICW4) != 0;
	c->single = (icw1 & ICW1_SINGLE) != 0;
	c->step = 2;
}

/* True: pass it on to the machine's chip. */
static bool end_of_interrupt(struct vpic_chip *c, u8 ocw2, u8 hw_isr)
{
	u32 level = ocw2 & OCW2_SPECIFIC ? (u32)(ocw2 & OCW2_LEVEL) : highest(c->isr | hw_isr);
	u8 bit = (u8)(1u << level);

	if (level == NONE || !(c->isr & bit))
		return true;
	c->isr = (u8)(c->isr & ~bit);
	return false;
}

bool vpic_write_command(struct vpic *v, u32 chip, u8 val, u8 hw_isr)
{
	struct vpic_chip *c = &v->chip[chip];

	if (val & ICW1) {
		start_initialisation(c, val);
		return true;
	}
	if (val & OCW3) {
		if (val & OCW3_READ)
			c->read_isr = (val & OCW3_READ_ISR) != 0;
		return true;
	}
	return !(val & OCW2_EOI) || end_of_interrupt(c, val, hw_isr);
}

void vpic_write_data(struct vpic *v, u32 chip, u8 val)
{
	struct vpic_chip *c = &v->chip[chip];

	switch (c->step) {
	case 2:
		c->base = val & (u8)ICW2_BASE;
		c->step = c->single ? 4 : 3;
		break;
	case 3:
		c->step = 4;
		break;
	case 4:
		c->auto_eoi = (val & ICW4_AUTO_EOI) != 0;
		c->step = 0;
		return;
	default: /* not initialising */
		c->imr = val;
		return;
	}
	if (c->step == 4 && !c->icw4)
		c->step = 0;
}

u8 vpic_read_command(const struct vpic *v, u32 chip)
{
	const struct vpic_chip *c = &v->chip[chip];

	return c->read_isr ? c->isr : c->irr;
}

bool vpic_is_active(const struct vpic *v)
{
	return (v->chip[0].irr | v->chip[0].isr | v->chip[1].irr | v->chip[1].isr) != 0;
}

/* The input to interrupt for; NONE: none requested above what is in service. */
static u32 request(const struct vpic_chip *c, u32 irr, u8 hw_isr)
{
	u32 want = highest(irr & ~(u32)c->imr);

	return c->step == 0 && want < highest(c->isr | hw_isr) ? want : NONE;
}

static void take(struct vpic_chip *c, u32 input)
{
	u8 bit = (u8)BIT32(input);

	if (!(c->elcr & bit))
		c->irr = (u8)(c->irr & ~bit);
	if (!c->auto_eoi)
		c->isr |= bit;
}

s32 vpic_acknowledge(struct vpic *v, const u8 hw_isr[2])
{
	struct vpic_chip *master = &v->chip[0], *slave = &v->chip[1];
	u32 behind = request(slave, slave->irr, hw_isr[1]);
	u32 input = request(master, master->irr | (behind != NONE ? BIT32(CASCADE) : 0), hw_isr[0]);

	if (input == NONE)
		return -1;
	take(master, input);
	if (input != CASCADE)
		return master->base + (s32)input;
	take(slave, behind);
	return slave->base + (s32)behind;
}
