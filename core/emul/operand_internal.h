/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory operands (operand.c) and vector registers (vector.c) of emulated instructions. core/emul
 * only. */
#pragma once

#include "core/emul/emul_internal.h"

enum place {
	PLACE_RAM,
	PLACE_EMULATED,
	PLACE_OTHER, /* emulated, too, but by another model */
	PLACE_ONES,  /* rules M1, I8: reads all-ones, drops writes */
};

/* One memory operand: a piece per page it touches. */
struct operand {
	gpa_t gpa[2];
	u32 len[2]; /* bytes; the second is 0 unless the operand straddles */
	enum place place[2];
};

enum resolve {
	RESOLVE_OK,
	RESOLVE_FAULT,   /* a fault is queued */
	RESOLVE_AGAIN,   /* not there yet: EXIT_RETRY */
	RESOLVE_FOREIGN, /* part of it is in a device or a scratch page (rule M1) */
	RESOLVE_STOP,    /* a write to a class that stops the guest */
};

/* operand_offset() - effective address of the instruction's memory operand, before segmentation. */
u64 operand_offset(const struct vp *vp, const struct insn *in);

/* operand_resolve() - translate [@linear, +@size); @page: an address on the emulated page. */
enum resolve operand_resolve(struct vp *vp, u64 page, u64 linear, u32 size, bool write,
			     struct operand *op);

/* operand_load(), operand_store() - operands of at most 8 bytes; _wide: of at most 32. */
u64 operand_load(struct vp *vp, const struct emul_mem *mem, const struct operand *op);
void operand_store(struct vp *vp, const struct emul_mem *mem, const struct operand *op, u64 val);
void operand_load_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op,
		       u8 *buf);
void operand_store_wide(struct vp *vp, const struct emul_mem *mem, const struct operand *op,
			const u8 *buf);

/*
 * Vector moves, vector.c. vec_fault() - the guest has its vector state off: #UD or #NM is queued.
 * The CPU checks that before the access, so this only happens if the code changed meanwhile.
 */
MUST_CHECK err_t vec_fault(struct vp *vp, const struct insn *in);

/* vec_get() - the bytes that a store writes; vec_set() - load @buf, which is 0 beyond opsize.
 * ERR_FAULT: #MF is queued. */
MUST_CHECK err_t vec_get(struct vp *vp, const struct insn *in, u64 buf[4]);
MUST_CHECK err_t vec_set(struct vp *vp, const struct insn *in, const u64 buf[4]);
