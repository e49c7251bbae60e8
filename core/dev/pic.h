/* SPDX-License-Identifier: BSD-2-Clause */
/* Software lines at the machine's 8259s: see pic.c. For lines.c; but for pic_deliver() the caller
 * holds the lock of struct lines. */
#pragma once

#include "core/dev/vpic.h"
#include "core/lib/err.h"

struct pio_table;
struct vp;

/* pic_init() - start as firmware has set the chips up, as far as that can be read. */
void pic_init(struct vpic *v);

/* pic_add() - own the ports of the 8259s. */
MUST_CHECK err_t pic_add(struct pio_table *t);

/* pic_set_line() - the level of line @line; posts work to the VP that takes the interrupt. */
void pic_set_line(struct vp *vp, struct vpic *v, u32 line, bool asserted);

/* pic_deliver() - acknowledge what is requested, if @vp's INTR input is open. */
void pic_deliver(struct vp *vp);
