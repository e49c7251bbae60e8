/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the task switch. core/task only; VP's CPU, with its VMCS current. */
#pragma once

#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/reg.h"
#include "core/emul/segment.h"
#include "core/emul/system.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

/* A task's registers as in its TSS, 16-bit fields widened. */
struct task_image {
	u32 cr3; /* 32-bit TSS */
	u32 eip, eflags;
	u32 gpr[8];
	u16 selector[SEG_LDTR + 1];
	bool trap; /* T flag */
};

/* Offsets in a TSS; `width` is the size of a register and the distance between selectors. */
struct tss_layout {
	u8 width, ip, flags, gpr, es, segs, ldt;
	u8 saved_end; /* a switch away from the task writes [ip, saved_end) */
	u8 bytes;     /* smallest TSS */
};

#define TSS_BYTES_MAX 0x68

extern const struct tss_layout tss16, tss32;

/* A task switch in progress. */
struct task_switching {
	struct segment_user user;
	enum task_switch_source source;
	u32 event; /* IDT-vectoring information of the event that met a task gate, else 0 */
	u32 event_error;
	u16 selector; /* of the new TSS */
	u64 desc;
	const struct tss_layout *layout, *old_layout;
	bool loads_cr3, loads_pdptes;
	u64 pdpte[4];
	struct task_image image;
};

/* --- memory.c --- */

/* task_push() - the error code of the event, on the stack of the new task. */
MUST_CHECK err_t task_push(const struct task_switching *t, u32 val);

/* --- image.c --- */

/* task_image_put() - the running task's registers into its TSS at @tss. */
void task_image_put(const struct vp *vp, const struct tss_layout *l, u8 *tss, u32 eip, u32 eflags);
void task_image_get(const struct tss_layout *l, const u8 *tss, struct task_image *out);

/* --- load.c --- */

/* task_load_segments() - steps 12 and 13 for LDTR and the segment registers of t->image: selectors
 * first, then each descriptor as its checks pass. ERR_FAULT: the fault is queued, in the context of
 * the new task. */
MUST_CHECK err_t task_load_segments(const struct task_switching *t);
