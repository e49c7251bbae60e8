/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32, polynomial 0x04C11DB7 reflected. Pure. */
#pragma once

#include "core/lib/types.h"

/* crc32_update() - no inversion at either end: start with ~0. Not for concurrent use. */
u32 crc32_update(u32 crc, const u8 *data, u64 len);
