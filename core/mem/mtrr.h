/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual MTRRs: the guest's copy of the memory type range registers (rule M2). Pure. */
#pragma once

#include "core/lib/types.h"
#include "core/surface/msr.h"

struct vp;

#define MTRR_VAR_MAX 16

struct mtrr_state {
	u64 cap;       /* IA32_MTRRCAP as the guest sees it (no SMRR) */
	u64 def_type;  /* IA32_MTRR_DEF_TYPE */
	u64 fixed[11]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000..4K_F8000 */
	u64 base[MTRR_VAR_MAX];
	u64 mask[MTRR_VAR_MAX];
	u32 var_count;
	u32 phys_bits;
};

/*
 * mtrr_init_from_host() - start as a copy of the machine's registers, cut to @phys_bits, the
 * guest's physical-address width.
 */
void mtrr_init_from_host(struct mtrr_state *m, u32 phys_bits);

/* mtrr_applied() - the registers that EPT's types follow: those that a VP enabled last. */
const struct mtrr_state *mtrr_applied(void);

/**
 * mtrr_type() - memory type of [@pa, @pa + @len) by the rules of SDM "MTRR Precedences".
 * @uniform: set false when the range has more than one type (then the type of @pa is returned); may
 * be NULL. Types: arch/x86/defs/ept.h MT_*. Disabled MTRRs: UC everywhere.
 */
u8 mtrr_type(const struct mtrr_state *m, u64 pa, u64 len, bool *uniform);

/* MSR row handlers; a write recomputes EPT types only when content changes and E=1, CD=0. */
extern const struct msr_row mtrr_msr_rows[];
extern const u32 mtrr_msr_row_count;

/* mtrr_cache_enabled() - the guest cleared CR0.CD: apply what it wrote while caching was off. */
void mtrr_cache_enabled(struct vp *vp);
