/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vectors of the machine's 8259s (rule I1). The exit acknowledges them, also while the guest has
 * IF = 0; bare metal would not. So they wait in a FIFO, and until the guest takes them the 8259s
 * must look as if nobody had acknowledged anything: a guest that polls the request register with IF
 * = 0 sees its request. Their command ports exit only meanwhile, and only on the VP that the vector
 * waits for.
 *
 * Context: VP's own CPU. Spec: Intel 8259A data sheet.
 */
#pragma once

#include "core/apic/i8259.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct pio_table;
struct vp;

#define EXTINT_FIFO     16u /* power of two */
#define EXTINT_SPURIOUS 0xffu

struct extint {
	u8 vector[EXTINT_FIFO]; /* in the order of their acknowledgement */
	u8 input[EXTINT_FIFO];  /* 0-15, or EXTINT_SPURIOUS. Known while @watched */
	u32 head, tail;
	u32 known;    /* entries below have their input */
	bool watched; /* the command ports exit */
	/* As the guest has set the chips, while @watched. */
	bool read_isr[I8259_CHIPS];
	bool poll[I8259_CHIPS]; /* poll command: the next read acknowledges */
	u8 polled2; /* inputs of the second chip that only a poll of the first has acknowledged */
};

/* extint_put() - queue an acknowledged vector for direct injection: only IF and the interrupt
 * shadow delay it. */
void extint_put(struct vp *vp, u8 vector);

/* extint_take() - the next one that is still wanted; -1: none. */
s32 extint_take(struct vp *vp);

/* extint_wait() - one stays in the FIFO for longer than this entry: watch the chips' ports. */
void extint_wait(struct vp *vp);

/* extint_forget() - INIT and our own start. */
void extint_forget(struct vp *vp);

/* extint_read_command(), extint_write_command() - the guest's access to @chip's command port. */
u8 extint_read_command(struct vp *vp, u32 chip);
void extint_write_command(struct vp *vp, u32 chip, u8 val);

/* extint_add_ports() - rows for the command ports; not if somebody else owns them and calls the two
 * functions above. */
MUST_CHECK err_t extint_add_ports(struct pio_table *t);
