/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit table: one row per basic exit reason; a hole stops the guest with a report. */
#pragma once

#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/types.h"
#include "core/vp/exit_info.h"

struct vp;

/* exit_table_guest - the table of every VP's own context. */
extern struct exit_table exit_table_guest;

/* exit_table_init(&exit_table_guest) - fill @t with core's rows; exit_table_add() merges a module's
 * before the first entry. */
void exit_table_init(struct exit_table *t);
void exit_table_add(struct exit_table *t, const struct exit_module_row *row);

/* exit_table_set() - replace any row of @t. */
void exit_table_set(struct exit_table *t, u32 reason, const struct exit_row *row);

/* exit_table_row() - NULL where there is none. */
const struct exit_row *exit_table_row(const struct exit_table *t, u32 reason);

/* exit_info_read() - read the fields late: for a handler whose row asks for none, to keep its
 * usual case short. */
const struct exit_info *exit_info_read(struct vp *vp, u32 needs);

/**
 * exit_dispatch() - run the row of the exit that just happened; @reason: VMCS_EXIT_REASON.
 * vmenter.S calls it first. @none takes the place of the handler's second argument, so that nothing
 * moves: a row without needs has none, and one with needs gets it in dispatch_with_info().
 * Context: VP's CPU, after the exit, before any other VMCS write.
 */
enum exit_action exit_dispatch(struct vp *vp, const struct exit_info *none, u64 reason);

/**
 * exit_complete() - act on the handler's answer and arm the timer. vmenter.S calls it second. Two
 * calls because then neither needs a stack frame: vmenter.S keeps vp in a register.
 * exit_next(), exit_resume() - the same for these two actions, which vmenter.S knows.
 */
void exit_complete(struct vp *vp, enum exit_action action);
void exit_next(struct vp *vp);
void exit_resume(struct vp *vp);

/**
 * exit_restart() - prepare to restart the instruction at RIP; nothing to do if the exit interrupted
 * event delivery. RF must be set, or a breakpoint on it would hit twice: the CPU saves it set after
 * a fault-like exit outside event delivery (SDM "Saving RIP, RSP, RFLAGS, and SSP").
 *
 * HW-ERRATUM: Bochs 2.7 saves RF clear and, with TF, a pending single step that has not happened.
 * Here only debug exceptions held back by MOV SS can be pending.
 */
void exit_restart(void);

/* Handlers by family. Contract of all: see exit_fn; they touch vp, x and the hw port only. */
/* exit_cpu.c */
enum exit_action exit_hlt(struct vp *vp, const struct exit_info *x);
enum exit_action exit_xsetbv(struct vp *vp, const struct exit_info *x);
enum exit_action exit_invd(struct vp *vp, const struct exit_info *x);
enum exit_action exit_wbinvd(struct vp *vp, const struct exit_info *x);
enum exit_action exit_rdtsc(struct vp *vp, const struct exit_info *x);
enum exit_action exit_rdtscp(struct vp *vp, const struct exit_info *x);
enum exit_action exit_pause(struct vp *vp, const struct exit_info *x);
enum exit_action exit_ud(struct vp *vp, const struct exit_info *x);
enum exit_action exit_gp(struct vp *vp, const struct exit_info *x);
enum exit_action exit_stop(struct vp *vp, const struct exit_info *x);
/* exit_cr.c */
enum exit_action exit_cr_access(struct vp *vp, const struct exit_info *x);
enum exit_action exit_dr_access(struct vp *vp, const struct exit_info *x);
/* exit_event.c */
enum exit_action exit_exception_nmi(struct vp *vp, const struct exit_info *x);
enum exit_action exit_external_interrupt(struct vp *vp, const struct exit_info *x);
enum exit_action exit_interrupt_window(struct vp *vp, const struct exit_info *x);
enum exit_action exit_nmi_window(struct vp *vp, const struct exit_info *x);
enum exit_action exit_triple_fault(struct vp *vp, const struct exit_info *x);
enum exit_action exit_init(struct vp *vp, const struct exit_info *x);
enum exit_action exit_preemption_timer(struct vp *vp, const struct exit_info *x);
enum exit_action exit_entry_failure(struct vp *vp, const struct exit_info *x);
enum exit_action exit_notify(struct vp *vp, const struct exit_info *x);
/* exit_mem.c */
enum exit_action exit_ept_violation(struct vp *vp, const struct exit_info *x);
enum exit_action exit_ept_misconfig(struct vp *vp, const struct exit_info *x);
/* exit_io.c */
enum exit_action exit_io(struct vp *vp, const struct exit_info *x);
/* exit_apic.c */
enum exit_action exit_apic_access(struct vp *vp, const struct exit_info *x);
enum exit_action exit_apic_write(struct vp *vp, const struct exit_info *x);

/* exit_apic_page() - emulate the instruction at RIP, which accesses the APIC page at @offset. */
enum exit_action exit_apic_page(struct vp *vp, u32 offset);
enum exit_action exit_tpr_threshold(struct vp *vp, const struct exit_info *x);
enum exit_action exit_virtualized_eoi(struct vp *vp, const struct exit_info *x);
