/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that reset the machine and go on in its second boot. */
#pragma once

#include "core/lib/types.h"

/*
 * reset_by() - @reset ends the first boot; the second one finds the mark @id, not 0, in CMOS RAM
 * and returns. Expects that there was a reset.
 */
void reset_by(u8 id, void (*reset)(void));
