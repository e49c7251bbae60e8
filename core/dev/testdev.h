/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test devices (option testdev=on): the registers that conformance programs for QEMU use, so that
 * they run unmodified as guests. Without testdev_add() none of it exists: no port is owned, no page
 * unmapped. docs/testdev.md lists the registers.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;

/**
 * testdev_add() - allocate the devices, own their ports and pages, and give @p software lines.
 * @exit_powers_off: a write to the exit port powers the machine off, else the CPU halts.
 * Boot, before the I/O bitmap and the EPT are built. ERR_NOMEM; ERR_BUSY: a port is owned already.
 */
MUST_CHECK err_t testdev_add(struct partition *p, bool exit_powers_off);
