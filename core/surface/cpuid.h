/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID as rows: what the guest sees is an allow-list over the host's leaves plus modules' leaves.
 */
#pragma once

#include "arch/x86/defs/cpuid.h"
#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/vp/exit_info.h"

struct vp;
struct partition;

#define CPUID_ANY 0xffffffffu /* subleaf does not matter */

/* The highest basic leaf under LIMIT CPUID MAXVAL. Older editions of the SDM say 3. */
#define CPUID_LIMIT_MAX 2u

/*
 * One leaf (and subleaf). The base value is (host & keep) | set | what cpuid_add_bits() added, then
 * @init, computed once per partition; @fn then adjusts the copy per VP and per access (OSXSAVE,
 * APIC ID...). keep = 0 everywhere: independent of the host. A leaf that the host lacks counts as
 * 0.
 */
struct cpuid_row {
	u32 leaf;
	u32 subleaf;
	struct cpuid_regs keep;
	struct cpuid_regs set;
	void (*init)(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r);
	void (*fn)(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r);
	const char *name;
};

/* cpuid_host_rows.c */
extern const struct cpuid_row cpuid_host_rows[];
extern const u32 cpuid_host_row_count;

/**
 * cpuid_add_rows() - register rows; hypervisor leaves relative to @base (0 for absolute rows).
 * Returns ERR_BUSY (and logs both names) when a row overlaps one that exists, ERR_NOMEM when the
 * table is full.
 */
MUST_CHECK err_t cpuid_add_rows(struct partition *p, u32 base, const struct cpuid_row *rows, u32 n);

/**
 * cpuid_add_bits() - set @bits in subleaf 0 of an existing leaf: a live feature advertises itself.
 * Those in @shared may be added again by others who share them. ERR_NOENT: no row has the leaf;
 * ERR_BUSY: a bit is taken. Both are logged with @name. Before cpuid_seal().
 */
MUST_CHECK err_t cpuid_add_bits(struct partition *p, u32 leaf, const struct cpuid_regs *bits,
				const struct cpuid_regs *shared, const char *name);

/* cpuid_seal() - sort, evaluate host leaves, build the direct index. Once, before the first VP. */
MUST_CHECK err_t cpuid_seal(struct partition *p);

/**
 * cpuid_query() - the leaf as @vp sees it now. Never fails: a basic or extended leaf out of range
 * answers as the highest basic leaf (SDM CPUID, Intel behaviour), a hypervisor leaf without a row
 * 0.
 */
void cpuid_query(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *out);

/**
 * cpuid_base() - the part of a leaf that is the same on all VPs at all times. For decisions that
 * follow from what is advertised (control bits, MSR rows). After cpuid_seal().
 */
struct cpuid_regs cpuid_base(const struct partition *p, u32 leaf, u32 subleaf);

/**
 * cpuid_limit_changed() - a VP has set or cleared LIMIT CPUID MAXVAL in its IA32_MISC_ENABLE. While
 * one has it set, basic leaves take the slow path on all VPs; without it, the exit pays nothing.
 */
void cpuid_limit_changed(struct partition *p);

/* The handler of CPUID: see exit_fn. */
enum exit_action exit_cpuid(struct vp *vp, const struct exit_info *x);
