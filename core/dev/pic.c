/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Software lines at the machine's 8259s. The guest's writes still go to the chips, and a software
 * half (vpic.c) follows the same set-up for software lines 0-15. Its vectors enter the FIFO of
 * acknowledged ExtINT vectors (rule I1), like those of the chips.
 *
 *  - Reads of IRR and ISR show both halves.
 *  - A non-specific EOI ends the highest interrupt in service of both; if that is a software one
 *    the EOI must not reach the chip. Line 2 is the cascade, not an input.
 *  - The interrupt goes to the first VP whose LINT0 takes ExtINT, or whose APIC is off.
 *
 * Context: VP's CPU.
 */
#include "core/dev/pic.h"

#include "arch/x86/defs/apic.h"
#include "core/apic/extint.h"
#include "core/apic/i8259.h"
#include "core/dev/lines.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "core/vp/vp.h"

/* Where PC firmware puts them. Only matters to a guest that never initialises them. */
#define FIRMWARE_BASE1 0x08
#define FIRMWARE_BASE2 0x70

/* In service in the machine's chip. Never ask between ICWs: it would take the OCW for one. */
static u8 hw_in_service(const struct vpic *v, u32 chip)
{
	const struct vpic_chip *c = &v->chip[chip];

	return c->step != 0 ? 0 : i8259_in_service(chip, c->read_isr);
}

void pic_init(struct vpic *v)
{
	*v = (struct vpic){ 0 };
	v->chip[0].base = FIRMWARE_BASE1;
	v->chip[1].base = FIRMWARE_BASE2;
	for (u32 i = 0; i < I8259_CHIPS; i++) {
		u32 elcr = hw_io_in((u16)(I8259_ELCR + i), 1);

		v->chip[i].imr = (u8)hw_io_in(i8259_mask(i), 1);
		v->chip[i].elcr = elcr == 0xff ? 0 : (u8)elcr; /* not there */
	}
}

static bool takes_extint(const struct vp *vp)
{
	u32 lint0;

	if (!vlapic_is_hw_enabled(&vp->apic))
		return true;
	lint0 = vlapic_reg(&vp->apic, APIC_LVT_LINT0);
	return !(lint0 & APIC_LVT_MASKED) && FIELD_GET(APIC_LVT_MODE, lint0) == APIC_MODE_EXTINT;
}

/* Something may need acknowledging: have the CPU look that INTR goes to. */
static void raise(const struct partition *p, const struct vpic *v)
{
	if (!vpic_is_active(v))
		return;
	for (u32 i = 0; i < p->vp_count; i++) {
		if (takes_extint(p->vp[i])) {
			vp_post_work(p->vp[i], VP_WORK_LINES);
			return;
		}
	}
}

void pic_set_line(struct vp *vp, struct vpic *v, u32 line, bool asserted)
{
	vpic_set_line(v, line, asserted);
	raise(vp->partition, v);
}

void pic_deliver(struct vp *vp)
{
	struct lines *l = lines_of(vp->partition);
	s32 vector = 0;

	if (!takes_extint(vp))
		return;
	spin_lock(&l->lock);
	/* Bounded: a level line with automatic EOI requests for ever. */
	for (u32 n = 0; n < VPIC_LINES && vector >= 0 && vpic_is_active(&l->pic); n++) {
		u8 isr[2] = { hw_in_service(&l->pic, 0), hw_in_service(&l->pic, 1) };

		vector = vpic_acknowledge(&l->pic, isr);
		if (vector >= 0)
			extint_put(vp, (u8)vector);
	}
	spin_unlock(&l->lock);
}

static void chip_write(struct vp *vp, struct vpic *v, u16 port, u8 val)
{
	u32 chip = port >= I8259_COMMAND2;

	if (port & 1) {
		vpic_write_data(v, chip, val);
		hw_io_out(port, 1, val);
	} else {
		u8 isr = vpic_is_active(v) ? hw_in_service(v, chip) : 0;

		if (vpic_write_command(v, chip, val, isr))
			extint_write_command(vp, chip, val);
	}
}

static u8 chip_read(struct vp *vp, const struct vpic *v, u16 port)
{
	u32 chip = port >= I8259_COMMAND2;

	if (port & 1)
		return (u8)hw_io_in(port, 1);
	return extint_read_command(vp, chip) | vpic_read_command(v, chip);
}

/* Split wide accesses: the chips are 8 bits wide. */
static void chip_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct lines *l = lines_of(vp->partition);
	u32 result = 0;

	spin_lock(&l->lock);
	for (u32 i = 0; i < size; i++) {
		if (write)
			chip_write(vp, &l->pic, (u16)(port + i), (u8)(*val >> (8 * i)));
		else
			result |= (u32)chip_read(vp, &l->pic, (u16)(port + i)) << (8 * i);
	}
	raise(vp->partition, &l->pic);
	spin_unlock(&l->lock);
	if (!write)
		*val = result;
}

static void elcr_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct lines *l = lines_of(vp->partition);

	if (!write) {
		*val = hw_io_in(port, size);
		return;
	}
	spin_lock(&l->lock);
	for (u32 i = 0; i < size; i++)
		l->pic.chip[port - I8259_ELCR + i].elcr = (u8)(*val >> (8 * i));
	spin_unlock(&l->lock);
	hw_io_out(port, size, *val);
}

err_t pic_add(struct pio_table *t)
{
	static const struct pio_row rows[] = {
		{ I8259_COMMAND1, I8259_COMMAND1 + 1, chip_access, "8259" },
		{ I8259_COMMAND2, I8259_COMMAND2 + 1, chip_access, "8259-slave" },
		{ I8259_ELCR, I8259_ELCR + 1, elcr_access, "elcr" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		TRY(pio_add(t, &rows[i]));
	return ERR_NONE;
}
