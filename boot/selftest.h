/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks of selftest=: each row measures something, adds its numbers to the report, and says
 * what is wrong. Context: boot CPU in VMX root operation, the other CPUs parked. */
#pragma once

#include "boot/report.h"
#include "core/lib/stats.h"

struct selftest {
	const struct boot_state *b;
	struct partition *p;
	struct vp *vp;
	const struct boot_vmx *vmx;
	/* selftest_vmx.c: the throw-away guest */
	u64 page_pa; /* low page for its code */
	u8 *saved;   /* its old contents */
	u8 *vmcs_page;
	u64 regs[2]; /* RAX, RBX */
	bool launched;
	u32 reason;         /* of the last exit */
	struct stats stats; /* too large for the stack */
};

/* A check. NULL: passed; else what is wrong. */
typedef const char *(*selftest_fn)(struct selftest *s);

struct selftest_row {
	const char *name;
	selftest_fn run;
};

/* selftest_vmx.c: checks inside the throw-away guest, between begin and end. */
extern const struct selftest_row selftest_vmx_rows[];
extern const u32 selftest_vmx_row_count;

/* selftest_begin() - set up a VMCS for the throw-away guest and a page of low memory for its
 * code. False: no such page. selftest_end() restores memory; the VMCS of VP 0 must be made anew. */
bool selftest_begin(struct selftest *s);
void selftest_end(struct selftest *s);

/* The result of a check that this machine has nothing to run on. */
extern const char selftest_not_here[];
