/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs as rows: an MSR without one is #GP. The MSR bitmap is derived from the rows, never set by
 * hand. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/vp/exit_info.h"

struct vp;
struct partition;

enum msr_result { MSR_OK, MSR_GP };

/* Flags of a row. */
#define MSR_PASS_READ  (1u << 0) /* RDMSR does not exit: the guest has the hardware register */
#define MSR_PASS_WRITE (1u << 1)
#define MSR_HOST_READ  (1u << 2) /* handled by reading the physical MSR: value & @keep | @value */
#define MSR_CONST      (1u << 3) /* reads @value; no .write: WRMSR is #GP */
#define MSR_WRITE_IGNORED \
	(1u << 4) /* WRMSR is dropped: read-only registers that guests write all the same */

/* Handlers. *val is written on success only: it may be the guest's RAX. */
typedef enum msr_result (*msr_read_fn)(struct vp *vp, u32 msr, u64 *val);
typedef enum msr_result (*msr_write_fn)(struct vp *vp, u32 msr, u64 val);
/* A read that succeeds whatever the state of the VP is, and changes none of it: the short exit of
 * rdmsr_value.S calls it when the instruction has retired already. */
typedef u64 (*msr_value_fn)(struct vp *vp);

struct msr_row {
	u32 first, last; /* inclusive range */
	const char *name;
	u32 flags;
	u64 keep;           /* MSR_HOST_READ: bits of the hardware value that show */
	u64 value;          /* MSR_CONST value, or bits OR-ed into a host read */
	u64 rsvdz;          /* WRMSR with one of these set is #GP before .write */
	msr_value_fn get;   /* instead of .read */
	msr_read_fn read;   /* NULL and no flag: RDMSR is #GP */
	msr_write_fn write; /* NULL and no flag: WRMSR is #GP */
	/* Asked at seal time: does the row exist? NULL: always. */
	bool (*present)(const struct partition *p);
};

/* How rows begin: { MSR_ONE(MSR_IA32_TSC, "TSC"), .flags = MSR_PASS_READ, ... } */
#define MSR_ONE(msr, text)        .first = (msr), .last = (msr), .name = (text)
#define MSR_RANGE(from, to, text) .first = (from), .last = (to), .name = (text)

extern const struct msr_row msr_arch_rows[];
extern const u32 msr_arch_row_count;

/* msr_add_rows() - Rows must stay valid for ever (static tables). Overlap is found by msr_seal().
 */
MUST_CHECK err_t msr_add_rows(struct partition *p, const struct msr_row *rows, u32 n);

/*
 * msr_seal() - drop absent rows, build the hashed index. After cpuid_seal(): presence depends on
 * CPUID. ERR_BUSY (both names are logged): two rows claim one MSR.
 */
MUST_CHECK err_t msr_seal(struct partition *p);

const struct msr_row *msr_lookup(const struct partition *p, u32 msr); /* NULL: no row */
enum msr_result msr_read(struct vp *vp, u32 msr, u64 *val);
enum msr_result msr_write(struct vp *vp, u32 msr, u64 val);

/* The handlers of RDMSR and WRMSR: see exit_fn. */
enum exit_action exit_rdmsr(struct vp *vp, const struct exit_info *x);
enum exit_action exit_wrmsr(struct vp *vp, const struct exit_info *x);

/*
 * msr_log_refused_write() - the WRMSR of this exit is #GP: if the MSR exists (reserved bit, bad
 * value, read-only), say so, or a guest that dies of it leaves no cause behind. An unknown MSR has
 * its own line.
 */
void msr_log_refused_write(struct vp *vp);

/**
 * msr_bitmap_build() - the 4-KiB MSR bitmap of SDM "MSR-Bitmap Address" from the rows: a bit is 0
 * (no exit) only where a row passes that direction through.
 */
void msr_bitmap_build(const struct partition *p, u8 bitmap[4096]);

/* msr_bitmap_intercept() - set whether accesses of one MSR exit, as for x2APIC virtualization. */
void msr_bitmap_intercept(u8 bitmap[4096], u32 msr, bool read, bool write);
