/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test devices (option testdev=on): the registers that conformance programs written for QEMU drive,
 * so that they run unmodified as guests. Off, nothing here exists: p->testdev is NULL, no port is
 * owned, no page is taken out of the EPT. docs/testdev.md lists the registers.
 */
#pragma once

#include "core/dev/lines.h"
#include "core/dev/vpic.h"
#include "core/emul/emul.h"
#include "core/lib/err.h"
#include "core/lib/lock.h"
#include "core/lib/types.h"

struct partition;
struct vp;

/* Pages that every access exits from. */
#define TESTDEV_RAM       0xff000000ull
#define TESTDEV_RAM_BYTES 0x10000ull

struct testdev {
	struct spinlock lock; /* LOCK: all fields below; a leaf but for vp_post_work() */
	u32 latch;
	u16 fw_select; /* fw_cfg: item and the next byte of it */
	u32 fw_offset;
	struct lines lines;
	struct vpic pic;
	u8 *ram; /* TESTDEV_RAM_BYTES */
};

/* testdev_add() - allocate the devices and own their ports. Boot, before the I/O bitmap is built
 * and the EPT is. ERR_NOMEM; ERR_BUSY: a port is owned already. */
MUST_CHECK err_t testdev_add(struct partition *p);

/* testdev_owns() - [@gpa, @gpa + @len) lies in one emulated page of ours. */
bool testdev_owns(const struct partition *p, u64 gpa, u64 len);

/* testdev_eoi() - the EOI of a level vector of a software line. VP's CPU. */
void testdev_eoi(struct vp *vp, u8 vector);

/* How the emulated pages behave: testdev_mem.c. */
extern const struct emul_mem testdev_mem;
