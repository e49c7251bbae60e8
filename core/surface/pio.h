/* SPDX-License-Identifier: BSD-2-Clause */
/* Owned I/O ports (rule P1): a short table of ranges; every port without a row is passed through.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/lock.h"
#include "core/lib/types.h"

struct vp;

/*
 * @size 1, 2 or 4. A read fills *val, a write takes it. A handler that owns only some bits of its
 * ports does the rest with hw_io_in/out.
 */
typedef void (*pio_fn)(struct vp *vp, u16 port, u32 size, bool write, u32 *val);

struct pio_row {
	u16 first, last;
	pio_fn fn;
	const char *name;
};

#define PIO_ROWS_MAX 32

/*
 * State of platform_ports.c. LOCK: hold kbc_lock from recording a write until it is done: else,
 * with two VPs, the controller might see another order than we do.
 */
struct platform_ports {
	u16 pm1_cnt[2]; /* PM1a and PM1b control, 0 = absent */
	struct spinlock kbc_lock;
	bool kbc_output_port_next; /* command D1 was sent: the next data byte is the output port */
};

struct pio_table {
	u32 count;
	struct pio_row row[PIO_ROWS_MAX];
	u32 watched; /* bit i: row[i] exits only where a VP watches */
	struct platform_ports platform;
};

MUST_CHECK err_t pio_add(struct pio_table *t, const struct pio_row *row); /* ERR_BUSY: overlap */

/* pio_add_watched() - the same for ports that exit only between ctx_watch_ports() on and off. */
MUST_CHECK err_t pio_add_watched(struct pio_table *t, const struct pio_row *row);

const struct pio_row *pio_lookup(const struct pio_table *t, u16 port);

/**
 * pio_access() - one access as the guest made it, @size 1, 2 or 4 bytes: each owned piece goes to
 * its row, the rest to hardware. Ports wrap at 16 bits. *@val holds @size bytes, zero-extended.
 */
void pio_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val);

#define PIO_BITMAP_BYTES 12288u

/* pio_bitmap_build() - I/O bitmaps A and B: 1 where a row exists that is not watched; behind them
 * an A that has the watched rows, too (they are all below 8000h). */
void pio_bitmap_build(const struct pio_table *t, u8 bitmap[PIO_BITMAP_BYTES]);

struct machine;

/* platform_power_off() - ACPI soft-off. Returns if the machine has none or is slow. */
void platform_power_off(const struct machine *m);

/* platform_ports.c: port 92h, the keyboard controller, PM1 control, serial ports that are ours. */
MUST_CHECK err_t platform_ports_add(struct pio_table *t, u16 pm1a_cnt, u16 pm1b_cnt, bool own_com1,
				    bool own_com2);
