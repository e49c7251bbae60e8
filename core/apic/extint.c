/* SPDX-License-Identifier: BSD-2-Clause */
/* See extint.h. Pure. */
#include "core/apic/extint.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "core/vp/vp.h"

#define INPUTS 8u /* of a chip */

/* Command words, by their fixed bits. */
#define ICW1          0x10u
#define OCW3          0x08u /* with ICW1's bit clear */
#define OCW3_POLL     0x04u
#define OCW3_READ     0x02u /* select what reads give, by bit 0: 1: ISR */
#define OCW2_EOI      0x20u
#define OCW2_SPECIFIC 0x40u /* of the input in bits 2:0 */
#define OCW2_ROTATE   0x80u
#define OCW2_INPUT    0x07u
#define POLL_FOUND    0x80u

NOINLINE void extint_put(struct vp *vp, u8 vector)
{
	struct extint *x = &vp->extint;

	if (x->tail - x->head == EXTINT_FIFO) {
		COUNT(vp, IRQ_EXTINT_LOST);
		TRACE(vp, EXTINT_LOST, vector, 0, 0);
		return;
	}
	x->vector[x->tail++ % EXTINT_FIFO] = vector;
	vp->event.extint = true;
	COUNT(vp, IRQ_EXTINT);
	vp_set_work(vp, VP_WORK_EVENT);
}

/* --- What waits, by input of the chips --- */

/* Inputs of @chip that are acknowledged, and must not look so. */
static u8 waiting(const struct extint *x, u32 chip)
{
	u32 inputs = chip == 1 ? x->polled2 : 0;

	for (u32 i = x->head; i != x->known; i++) {
		u32 input = x->input[i % EXTINT_FIFO];

		if (input / INPUTS == chip)
			inputs |= BIT32(input % INPUTS);
		else if (input / INPUTS == 1)
			inputs |= BIT32(I8259_CASCADE);
	}
	return (u8)inputs;
}

/*
 * The input that @vector came from. Its low bits say which of a chip's, the in-service bits which
 * chip; with both possible the cascade, when its priority is the higher one: the chips have
 * acknowledged nothing below what was in service.
 */
static u8 input_of(const struct extint *x, u8 vector, const u8 isr[I8259_CHIPS])
{
	u32 n = vector % INPUTS;
	bool first = n != I8259_CASCADE && (isr[0] & ~waiting(x, 0) & BIT32(n)) != 0;
	bool second =
		(isr[0] & BIT32(I8259_CASCADE)) != 0 && (isr[1] & ~waiting(x, 1) & BIT32(n)) != 0;

	if (second && !(first && n < I8259_CASCADE))
		return (u8)(INPUTS + n);
	return first ? (u8)n : EXTINT_SPURIOUS;
}

static void watch(struct vp *vp, bool on)
{
	struct extint *x = &vp->extint;

	for (u32 chip = 0; on && chip < I8259_CHIPS; chip++) {
		x->read_isr[chip] = i8259_reads_isr(chip);
		x->poll[chip] = false;
	}
	x->watched = on;
	x->known = x->head;
	x->polled2 = 0;
	ctx_watch_ports(vp->ctx, on);
}

void extint_wait(struct vp *vp)
{
	struct extint *x = &vp->extint;
	u8 isr[I8259_CHIPS];

	if (!x->watched)
		watch(vp, true);
	if (x->known == x->tail)
		return;
	for (u32 chip = 0; chip < I8259_CHIPS; chip++)
		isr[chip] = i8259_in_service(chip, x->read_isr[chip]);
	while (x->known != x->tail) {
		u32 slot = x->known % EXTINT_FIFO;

		x->input[slot] = input_of(x, x->vector[slot], isr);
		x->known++;
	}
}

/* The guest has taken it, or never will. */
static void remove(struct vp *vp, u32 at)
{
	struct extint *x = &vp->extint;

	for (u32 i = at; i != x->head; i--) {
		x->vector[i % EXTINT_FIFO] = x->vector[(i - 1) % EXTINT_FIFO];
		x->input[i % EXTINT_FIFO] = x->input[(i - 1) % EXTINT_FIFO];
	}
	if (x->known == x->head)
		x->known++;
	x->head++;
	vp->event.extint = x->head != x->tail;
	if (x->watched && x->head == x->tail && x->polled2 == 0)
		watch(vp, false);
}

void extint_forget(struct vp *vp)
{
	struct extint *x = &vp->extint;

	x->head = x->known = x->tail;
	vp->event.extint = false;
	if (x->watched)
		watch(vp, false);
}

/* --- The way into the guest --- */

static u8 in_service(const struct extint *x, u32 chip)
{
	return i8259_in_service(chip, x->watched ? x->read_isr[chip] : i8259_reads_isr(chip));
}

/*
 * A vector acknowledged under the firmware's set-up (IRQ 0 = vector 8 = #DF) may still wait after
 * the guest has initialised the 8259 anew or masked the line: delivering it would be fatal. Ask the
 * 8259: initialisation clears its in-service bits. An input that is masked by now gets its EOI from
 * us, since the guest will never see the interrupt.
 */
static bool is_stale(const struct vp *vp, u8 vector)
{
	u32 input = vector % INPUTS, any = 0;

	if (vector >= EXC_COUNT || (hw_vmread(VMCS_GUEST_CR0) & CR0_PE) == 0)
		return false;
	for (u32 chip = 0; chip < I8259_CHIPS; chip++) {
		u32 isr = in_service(&vp->extint, chip);

		any |= isr;
		if (chip == 0 && input == I8259_CASCADE)
			continue;
		if ((isr & BIT32(input)) && (hw_io_in(i8259_mask(chip), 1) & BIT32(input))) {
			i8259_end(chip, input);
			return true;
		}
	}
	return any == 0;
}

s32 extint_take(struct vp *vp)
{
	struct extint *x = &vp->extint;

	while (x->head != x->tail) {
		u8 vector = x->vector[x->head % EXTINT_FIFO];
		bool stale = is_stale(vp, vector);

		remove(vp, x->head);
		if (!stale)
			return vector;
		COUNT(vp, IRQ_EXTINT_STALE);
	}
	return -1;
}

/* --- The command ports --- */

/* Entry @at of @chip, which the CPU has not taken from the guest's point of view. Nor has it taken
 * anything of the first chip, when it was the second one's. */
static void withdraw(struct vp *vp, u32 at, u32 chip)
{
	if (chip == 1)
		hw_io_out(I8259_COMMAND1, 1, OCW2_EOI | OCW2_SPECIFIC | I8259_CASCADE);
	remove(vp, at);
}

/* The guest's poll is the acknowledgement: the vector will not come. */
static u8 poll(struct vp *vp, u32 chip)
{
	struct extint *x = &vp->extint;
	u32 inputs = waiting(x, chip), n;

	x->poll[chip] = false;
	if (inputs == 0)
		return 0;
	n = (u32)__builtin_ctz(inputs);
	for (u32 i = x->head; i != x->known; i++) {
		u32 input = x->input[i % EXTINT_FIFO];
		bool cascade = chip == 0 && n == I8259_CASCADE && input / INPUTS == 1;

		if (cascade)
			x->polled2 |= (u8)BIT32(input % INPUTS);
		if (cascade || input == chip * INPUTS + n) {
			withdraw(vp, i, chip);
			return (u8)(POLL_FOUND | n);
		}
	}
	x->polled2 &= (u8)~BIT32(n);
	if (x->head == x->tail && x->polled2 == 0)
		watch(vp, false);
	return (u8)(POLL_FOUND | n);
}

u8 extint_read_command(struct vp *vp, u32 chip)
{
	struct extint *x = &vp->extint;
	u8 inputs = waiting(x, chip), val;

	if (x->poll[chip])
		return poll(vp, chip);
	val = (u8)hw_io_in(i8259_command(chip), 1);
	if (!x->watched)
		return val;
	return x->read_isr[chip] ? val & ~inputs : val | inputs;
}

/* Initialisation clears what the chip has latched: the requests are gone. */
static void drop(struct vp *vp, u32 chip)
{
	struct extint *x = &vp->extint;
	u32 i = x->head;

	if (chip == 1)
		x->polled2 = 0;
	while (i != x->known) {
		u32 input = x->input[i % EXTINT_FIFO];

		if (input / INPUTS == chip) {
			COUNT(vp, IRQ_EXTINT_STALE);
			withdraw(vp, i, chip);
			if (!x->watched)
				return;
		}
		i++;
	}
	x->read_isr[chip] = x->poll[chip] = false;
}

/* What the guest has in service is to end, not what only we have acknowledged. @val: what the chip
 * must be told. False: nothing. */
static bool end(struct vp *vp, u32 chip, u8 *val)
{
	const struct extint *x = &vp->extint;
	u8 inputs = waiting(x, chip), isr;

	if (*val & OCW2_SPECIFIC)
		return (inputs & BIT32(*val & OCW2_INPUT)) == 0;
	isr = i8259_in_service(chip, x->read_isr[chip]) & (u8)~inputs;
	if (isr == 0)
		return false;
	*val = (u8)((*val & OCW2_ROTATE) | OCW2_EOI | OCW2_SPECIFIC | (u32)__builtin_ctz(isr));
	return true;
}

void extint_write_command(struct vp *vp, u32 chip, u8 val)
{
	struct extint *x = &vp->extint;

	if (x->watched) {
		if (val & ICW1) {
			drop(vp, chip);
		} else if (val & OCW3) {
			if (val & OCW3_READ)
				x->read_isr[chip] = val & 1;
			x->poll[chip] = (val & OCW3_POLL) && waiting(x, chip) != 0;
			if (x->poll[chip])
				return;
		} else if ((val & OCW2_EOI) && waiting(x, chip) != 0 && !end(vp, chip, &val)) {
			return;
		}
	}
	hw_io_out(i8259_command(chip), 1, val);
}

static void command_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	u32 chip = port == I8259_COMMAND2;

	(void)size; /* a row of one port gets bytes */
	if (write)
		extint_write_command(vp, chip, (u8)*val);
	else
		*val = extint_read_command(vp, chip);
}

err_t extint_add_ports(struct pio_table *t)
{
	static const struct pio_row rows[] = {
		{ I8259_COMMAND1, I8259_COMMAND1, command_access, "8259" },
		{ I8259_COMMAND2, I8259_COMMAND2, command_access, "8259-slave" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		TRY(pio_add_watched(t, &rows[i]));
	return ERR_NONE;
}
