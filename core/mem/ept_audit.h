/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Audit of the EPT: checks every entry against the rules of design.md, computed from the memory map
 * and the MTRRs, independently of the code that built the tables. ept_audit=on runs it after each
 * change, the key e on COM2 once; KVM had mmu_audit.
 */
#pragma once

#include "core/lib/types.h"

struct partition;

struct ept_audit {
	u64 leaves[3]; /* 4 KiB, 2 MiB, 1 GiB */
	u32 tables;
	const char *wrong; /* the first broken rule; NULL: none */
	u64 gpa;           /* where */
	u64 entry;
};

/* ept_audit() - look at all of it. LOCK: takes ept.lock. Any VP's CPU; some ten thousand entries.
 */
struct ept_audit ept_audit(struct partition *p);

/* ept_audit_log() - the same, and one line in the log. False: something is wrong. */
bool ept_audit_log(struct partition *p);

/* ept_audit_or_panic() - with ept_audit=on. */
void ept_audit_or_panic(struct partition *p);
