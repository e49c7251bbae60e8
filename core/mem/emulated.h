/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Emulated ranges: guest-physical pages that EPT never maps, because a device model answers every
 * access. The device registers its range here; EPT, violations and the emulator look it up. Pure.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;
struct vp;

#define EMULATED_RANGES_MAX 4u

/* A device model. @size: 1, 2, 4 or 8; an access never crosses a page. Called on the VP's CPU,
 * for several VPs at a time. */
struct emul_mem {
	u64 (*read)(struct vp *vp, u64 gpa, u32 size);
	void (*write)(struct vp *vp, u64 gpa, u32 size, u64 val);
};

struct emulated_range {
	u64 base, end; /* whole pages */
	const struct emul_mem *mem;
};

/* emulated_add() - before the EPT is built. ERR_INVAL: not whole pages; ERR_BUSY: overlap;
 * ERR_NOMEM: EMULATED_RANGES_MAX. */
MUST_CHECK err_t emulated_add(struct partition *p, const struct emulated_range *r);

/* emulated_at() - the model behind [@at, @at + @len), which must not leave its page; else NULL. */
const struct emul_mem *emulated_at(const struct partition *p, u64 at, u64 len);
