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

/* exit_table_set() - any row of @t, in place of what was there. */
void exit_table_set(struct exit_table *t, u32 reason, const struct exit_row *row);

/* exit_table_row() - NULL where there is none. */
const struct exit_row *exit_table_row(const struct exit_table *t, u32 reason);

/* exit_info_read() - the same snapshot for a row that asks for nothing, to keep its usual case
 * short, and then needs it after all. */
const struct exit_info *exit_info_read(struct vp *vp, u32 needs);

/**
 * exit_dispatch() - run the row of the exit that just happened. Called by vmenter.S, first.
 * Context: VP's CPU, after the exit, before any other VMCS write.
 */
enum exit_action exit_dispatch(struct vp *vp);

/**
 * exit_complete() - act on what the handler wants and arm the timer. Called by vmenter.S, second.
 * Two calls instead of one: neither needs a stack frame, and vmenter.S keeps vp in a register.
 */
void exit_complete(struct vp *vp, enum exit_action action);

/**
 * exit_restart() - the instruction at RIP starts again; nothing to do when the exit interrupted the
 * delivery of an event. RF keeps a breakpoint on it from hitting twice: the CPU saves it set after
 * a fault-like exit when no event was on its way (SDM "Saving RIP, RSP, RFLAGS, and SSP").
 *
 * HW-ERRATUM: Bochs 2.7 saves RF clear, and with TF a single step as pending that has not happened.
 * Only what MOV SS holds back can be pending here.
 */
void exit_restart(void);

/* Handlers by family. Contract of all: see exit_fn; they touch vp, x and the hw port only. */
/* exit_cpu.c */
enum exit_action exit_hlt(struct vp *vp, const struct exit_info *x);
enum exit_action exit_xsetbv(struct vp *vp, const struct exit_info *x);
enum exit_action exit_invd(struct vp *vp, const struct exit_info *x);
enum exit_action exit_wbinvd(struct vp *vp, const struct exit_info *x);
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
enum exit_action exit_tpr_threshold(struct vp *vp, const struct exit_info *x);
enum exit_action exit_virtualized_eoi(struct vp *vp, const struct exit_info *x);
