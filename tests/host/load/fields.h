/* SPDX-License-Identifier: BSD-2-Clause */
/* Little-endian fields at any address, by the names of our bytes.h, which needs our string.h.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"
#include "tests/host/harness.h"

#define FIELD(type, bits)                             \
	static UNUSED type get_u##bits(const u8 *p)   \
	{                                             \
		type v;                               \
                                                      \
		memcpy(&v, p, sizeof(v));             \
		return v;                             \
	}                                             \
	static UNUSED void put_u##bits(u8 *p, type v) \
	{                                             \
		memcpy(p, &v, sizeof(v));             \
	}

FIELD(u16, 16)
FIELD(u32, 32)
FIELD(u64, 64)

#undef FIELD
