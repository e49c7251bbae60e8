/* SPDX-License-Identifier: BSD-2-Clause */
/* Bring-up of application processors. */
#pragma once

#include "arch/x86/defs/paging.h"
#include "arch/x86/percpu.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

/* What a started CPU runs: interrupts off, on pc->stacks, GS not set yet. Never returns. */
typedef NORETURN void (*smp_entry)(struct percpu *pc);

/**
 * smp_begin() - borrow the page at @page_pa (RAM below 1 MiB; rule M4: smp_end() restores it) and
 * build tables that map it in @pages: SMP_PAGES of them, zeroed, owned for ever.
 * Context: boot CPU, after the move, before any AP runs.
 */
void smp_begin(u64 page_pa, u64 (*pages)[PAGE_SIZE / 8]);
#define SMP_PAGES 4u

/**
 * smp_start_cpu() - INIT-SIPI-SIPI to one CPU, once for ever.
 * @pc: its block, with stacks and apic_id set. It has one second to come up.
 * ERR_NODEV: it did not; it was stopped by another INIT and must not be tried again.
 */
MUST_CHECK err_t smp_start_cpu(struct percpu *pc, smp_entry entry, u64 tsc_hz);

/* smp_end() - give the borrowed page back. */
void smp_end(void);

/* smp_arrived() - first act of an AP: on the hypervisor's own tables. */
void smp_arrived(struct percpu *pc);
