/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor tables and TSSs as the CPU accesses them by itself: implicit supervisor accesses, at
 * any CPL. VP's CPU, with its VMCS current.
 *
 * They wait in place for memory that is not there yet: most callers are past the point where the
 * instruction could start over.
 *
 * Spec: SDM Vol. 3A, "Determination of Access Rights".
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;
struct walk_fault;

/*
 * system_check(), system_read(), system_write() - ERR_FAULT: a #PF is queued. system_check(): would
 * an access of the kind WALK_* succeed?
 */
MUST_CHECK err_t system_check(struct vp *vp, u64 linear, u32 access, u32 len);
MUST_CHECK err_t system_read(struct vp *vp, u64 linear, void *buf, u32 len);
MUST_CHECK err_t system_write(struct vp *vp, u64 linear, const void *buf, u32 len);

/* system_set_type() - change the type, with a locked access, of the descriptor at @linear, which
 * read as @desc. ERR_BUSY: it has changed since. ERR_FAULT: a #PF is queued. */
MUST_CHECK err_t system_set_type(struct vp *vp, u64 linear, u64 desc, u32 type);

/* system_page_fault() - queue the #PF of an access of the kind WALK_*. Returns ERR_FAULT. */
err_t system_page_fault(struct vp *vp, u32 access, const struct walk_fault *f);
