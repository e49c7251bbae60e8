/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed-width integers and the typed guest and host physical addresses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/lib/compiler.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64; /* not uint64_t: %llu must fit on every host */

typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;

static_assert(sizeof(u64) == 8 && sizeof(s64) == 8, "64-bit integers");

/* Address in the guest's physical space, before EPT. */
typedef struct gpa_t {
	u64 v;
} gpa_t;

/* Address in the machine's physical space, after EPT. */
typedef struct hpa_t {
	u64 v;
} hpa_t;

static inline gpa_t gpa(u64 v)
{
	return (gpa_t){ .v = v };
}

static inline hpa_t hpa(u64 v)
{
	return (hpa_t){ .v = v };
}
