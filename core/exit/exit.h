/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit table: one row per basic exit reason; a hole stops the guest with a report. */
#pragma once

#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/types.h"

struct vp;

/* Interruptibility bits that last for one instruction. */
#define INTERRUPT_SHADOW ((u64)(GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS))

/* What a handler wants to happen to the guest's instruction. Only exit.c acts on it. */
enum exit_action {
	EXIT_RESUME,       /* enter again at the same RIP: a fault is queued, or a restart */
	EXIT_NEXT,         /* emulated: retire it (RIP, RF, blocking, TF) */
	EXIT_NEXT_DECODED, /* the same, length from the decoder in vp->insn_len */
	EXIT_MSR_FAULT,    /* RDMSR or WRMSR that did not happen: #GP(0) */
	EXIT_ITERATION,    /* one of several of a repeated string instruction: RIP stays, RF, TF */
	EXIT_STOP,         /* stop the partition with a report */
};

/* Fields that the dispatcher snapshots for a row. */
#define NEEDS_QUAL   (1u << 0) /* exit qualification */
#define NEEDS_GPA    (1u << 1) /* guest-physical address */
#define NEEDS_GLA    (1u << 2) /* guest-linear address */
#define NEEDS_INTR   (1u << 3) /* VM-exit interruption information and error code */
#define NEEDS_VECTOR (1u << 4) /* the exit can interrupt event delivery: re-inject */
#define NEEDS_INSN   (1u << 5) /* VM-exit instruction information */

struct exit_info {
	u32 reason; /* basic reason */
	u32 intr_info;
	u32 intr_error;
	u32 insn_info;
	u64 qual;
	u64 gpa;
	u64 gla;
};

typedef enum exit_action (*exit_fn)(struct vp *vp, const struct exit_info *x);

/* How a row treats the guest, for the documentation dump and the closing lists. */
enum exit_class { EXIT_CLASS_STOP, EXIT_CLASS_HANDLED, EXIT_CLASS_UD, EXIT_CLASS_GP };

struct exit_row {
	exit_fn fn;
	u32 needs;
	enum exit_class class;
	const char *name;
};

/* A module's row: replaces the core row of that reason, which must be a default #UD/stop row. */
struct exit_module_row {
	u32 reason;
	struct exit_row row;
};

/* exit_table_init() - core rows; modules are merged by exit_table_add() before the first entry. */
void exit_table_init(void);
void exit_table_add(const struct exit_module_row *row);
const struct exit_row *exit_table_row(u32 reason); /* NULL beyond the table */

/* exit_info_read() - the same snapshot for a row that asks for nothing, to keep its usual case
 * short, and then needs it after all. exit_info.reason stays what it was. */
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

/* Handlers by family. Contract of all: see exit_fn; they touch vp, x and the hw port only. */
/* exit_cpu.c */
enum exit_action exit_cpuid(struct vp *vp, const struct exit_info *x);
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
/* msr.c */
enum exit_action exit_rdmsr(struct vp *vp, const struct exit_info *x);
enum exit_action exit_wrmsr(struct vp *vp, const struct exit_info *x);
/* exit_mem.c */
enum exit_action exit_ept_violation(struct vp *vp, const struct exit_info *x);
enum exit_action exit_ept_misconfig(struct vp *vp, const struct exit_info *x);
/* task/switch.c */
enum exit_action exit_task_switch(struct vp *vp, const struct exit_info *x);
/* exit_io.c */
enum exit_action exit_io(struct vp *vp, const struct exit_info *x);
/* exit_apic.c */
enum exit_action exit_apic_access(struct vp *vp, const struct exit_info *x);
enum exit_action exit_apic_write(struct vp *vp, const struct exit_info *x);
enum exit_action exit_tpr_threshold(struct vp *vp, const struct exit_info *x);
enum exit_action exit_virtualized_eoi(struct vp *vp, const struct exit_info *x);
