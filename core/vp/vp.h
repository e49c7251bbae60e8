/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual processor: everything the hypervisor knows about one VP. A VP is pinned to one physical
 * CPU; only that CPU touches it, except for the fields marked "remote", which are atomic.
 */
#pragma once

#include "core/apic/extint.h"
#include "core/apic/irq_fwd.h"
#include "core/apic/vlapic.h"
#include "core/diag/counters.h"
#include "core/diag/trace.h"
#include "core/hw.h"
#include "core/lib/types.h"
#include "core/mem/mtrr.h"
#include "core/time/apic_timer.h"
#include "core/time/timer.h"
#include "core/vp/ctx.h"
#include "core/vp/event.h"
#include "core/vp/exception.h"
#include "core/vp/exit_info.h"
#include "core/vp/halt_poll.h"
#include "core/vp/hold.h"
#include "core/vp/park.h"
#include "core/vp/remote_call.h"
#include "core/vp/step.h"

struct emul_cache;
struct partition;

/*
 * General registers as the entry and exit assembly lays them out (asm_offsets). RSP is not here:
 * it lives in the VMCS. Use gpr_read()/gpr_write() for register numbers from instructions.
 */
struct gpr_regs {
	union {
		struct {
			u64 rax, rcx, rdx, rbx, rbp, rsi, rdi;
			u64 r8, r9, r10, r11, r12, r13, r14, r15;
		};
		u64 r[15];
		u32 half[30]; /* low half first */
	};
};

/* Work that must be done before the next VM entry. Set with vp_post_work(), atomic, any CPU. */
enum vp_work {
	VP_WORK_EVENT = 1u << 0,  /* something may have become deliverable: event_prepare_entry() */
	VP_WORK_TIMER = 1u << 1,  /* the deadline queue's head changed or expired */
	VP_WORK_POSTED = 1u << 2, /* vectors wait in vlapic.posted (remote) */
	VP_WORK_SIGNAL = 1u << 3, /* INIT, SIPI or NMI wait in vlapic.signals (remote) */
	VP_WORK_LAUNCH = 1u << 4, /* the VMCS is clear: VMLAUNCH instead of VMRESUME */
	VP_WORK_CALL = 1u << 5,   /* another CPU wants a function to run here */
	VP_WORK_FLUSH = 1u << 6,  /* INVEPT: another CPU changed the EPT */
	VP_WORK_HOLD = 1u << 7,   /* somebody holds this VP: hold_serve() */
	VP_WORK_PERIODIC = 1u << 8, /* partition_hooks.periodic is due */
	VP_WORK_LINES = 1u << 9,    /* software lines: irq_fwd.posted_level (remote), or the 8259 */
	VP_WORK_TLB = 1u << 10,     /* INVVPID: tlb_flush() on another CPU */
};

/* SPEED(state-running): VP_RUNNING is not 0, so that the exit path compares with an immediate.
 * VP_IDLE: halted until any interrupt is requested, whatever blocks it: vp_idle(). */
enum vp_run_state { VP_HALTED, VP_IDLE, VP_RUNNING, VP_WAIT_SIPI, VP_SHUTDOWN };

/* vp_state_name() - for reports. */
const char *vp_state_name(enum vp_run_state state);

struct vp {
	/* hot: first cache lines; offsets known to vmenter.S */
	struct gpr_regs regs;
	u32 work;         /* remote; enum vp_work */
	u32 kicked;       /* remote; 1 while a kick NMI is on its way (rule K2) */
	bool entered;     /* remote reads: the VP is about to run its guest for the first time */
	u32 flush_done;   /* remote reads: generation of the last INVEPT, see ept_flush() */
	u64 deadline_tsc; /* head of the deadline queue, ~0 when empty; timer.c */
	u64 rearm_tsc;    /* the run timer must be programmed again at this TSC; 0: now */
	u64 near_tsc; /* a nearer deadline is programmed exactly, at every entry: TIMER_NEAR_TSC; 0
		       * if vp_uses_apic_timer(), which is good across entries */
	struct partition *partition;
	struct vcpu_ctx *ctx;    /* current context: core/vp/ctx.h */
	const exit_fn *dispatch; /* its exit table's handlers */
	void *host_stack_top;

	struct exit_info exit; /* what the row of the current exit needs */

	enum vp_run_state state; /* remote reads */
	u32 index;               /* 0..vp_count-1 */
	u32 apic_id;             /* initial APIC ID = physical APIC ID */

	struct event_state event;
	struct vlapic apic;
	struct irq_fwd fwd;
	struct extint extint;
	struct timer_queue timers;
	struct apic_timer apic_timer;
	u64 periodic_tsc; /* the modules' periodic work is due with the first timer after this;
			   * 0: never */
	struct mtrr_state mtrr;

	/* Guest state that neither the VMCS nor the hardware holds. */
	u64 xcr0;
	u64 tsc_offset; /* 0 until the guest writes TSC or TSC_ADJUST */
	u64 tsc_adjust;
	u64 misc_enable_flips; /* remote reads; bits unlike their value at reset: misc_enable.h */
	u32 insn_len;          /* of the last decoded instruction, for EXIT_NEXT_DECODED */
	u64 iret_rflags;       /* what the last emulated IRET loads, for EXIT_NEXT_IRET */
	struct emul_cache *emul_cache; /* core/emul/cache.c; NULL until the first emulation */
	bool asleep;                   /* activity state HLT was entered since the VP halted */
	u32 unhalted;                  /* remote; the next wake is due: vp_unhalt() */
	struct park park;
	struct hold hold;
	struct step step;
	u32 exc_want[EXC_OWNER_COUNT]; /* core/vp/exception.h */
	struct halt_poll halt_poll;

	struct vcpu_ctx guest_ctx; /* the guest's context: every VP has one */

	u8 *abi_state; /* state of the paravirtual ABIs; hv/feature.h */
	struct vp_counters counters;
	struct vp_counters dumped; /* the counters as the dump in progress found them */
	struct trace_ring trace;
	struct remote_call remote;
};

/* vp_uses_apic_timer() - the run timer is the local APIC's (core/time/run_timer.h), which has a
 * vector, and not the CPU's VMX-preemption timer. After timer_init(). */
static inline bool vp_uses_apic_timer(const struct vp *vp)
{
	return vp->near_tsc == 0;
}

/* gpr_read() - general register by its instruction encoding, 0 to 15: enum gpr. 64 bits. */
u64 gpr_read(const struct vp *vp, u32 nr);
void gpr_write(struct vp *vp, u32 nr, u64 val);

/* gpr_merge() - write @size bytes of it as an instruction does: 4 clear the upper half, 1 or 2
 * leave the rest. */
static inline void gpr_merge(struct vp *vp, u32 nr, u32 size, u64 val)
{
	val &= size_mask(size);
	if (size < 4)
		val |= gpr_read(vp, nr) & ~size_mask(size);
	gpr_write(vp, nr, val);
}

/* edx_eax() - the 64-bit operand of WRMSR/XSETBV: low halves only. */
static inline u64 edx_eax(const struct gpr_regs *r)
{
	return (r->rdx << 32) | (u32)r->rax;
}

/* split_rax() - RAX to EDX:EAX; both upper halves become 0. */
static inline void split_rax(struct gpr_regs *r)
{
	r->rdx = r->half[1];
	r->half[1] = 0;
}

/* set_edx_eax() - the result of RDMSR: both upper halves become 0. */
static inline void set_edx_eax(struct gpr_regs *r, u64 val)
{
	r->rax = (u32)val;
	r->rdx = val >> 32;
}

/* vp_post_work() - make @vp do @work before its next entry. Any CPU; kicks a remote VP. */
void vp_post_work(struct vp *vp, u32 work);

/**
 * vp_hold_kicks()/vp_release_kicks() - no kick is in flight to this CPU between them, so none is
 * lost while it cannot take NMIs. Keep it short. The VP looks for work before its next entry
 * anyway.
 */
void vp_hold_kicks(struct vp *vp);
void vp_release_kicks(struct vp *vp);

/* vp_set_work() - vp_post_work() for the calling CPU's own VP: no kick. */
static inline void vp_set_work(struct vp *vp, u32 work)
{
	(void)__atomic_fetch_or(&vp->work, work, __ATOMIC_RELAXED);
}

/* vp_is_halted() - by HLT or vp_idle(). Any CPU. */
static inline bool vp_is_halted(const struct vp *vp)
{
	return READ_ONCE(vp->state) <= VP_IDLE;
}

/**
 * vp_idle() - for the handler of an instruction that waits like HLT, but until any interrupt is
 * requested: even one that RFLAGS.IF or the processor priority blocks ends it. Does not sleep if
 * one is requested already. The handler then answers EXIT_NEXT: the instruction completes at the
 * wake. VP's CPU.
 */
void vp_idle(struct vp *vp);

/**
 * vp_unhalt() - end the HLT of @vp, or its next one if it runs, even with no event pending and
 * IF = 0. Any CPU. True: it was halted.
 */
bool vp_unhalt(struct vp *vp);

/*
 * Faults for the guest. They queue the exception and return EXIT_RESUME, so a handler can write:
 * return vp_fault_gp0(vp);
 */
enum exit_action vp_fault(struct vp *vp, u8 vector);                /* no error code: #UD, #DB... */
enum exit_action vp_fault_code(struct vp *vp, u8 vector, u32 code); /* with error code */
enum exit_action vp_fault_gp0(struct vp *vp);
enum exit_action vp_fault_page(struct vp *vp, u64 gva, u32 code); /* #PF: sets CR2 */

/* vp_cpl() - current privilege level (SS.DPL). */
u32 vp_cpl(const struct vp *vp);

/* vp_is_long64() - the guest executes in 64-bit mode (EFER.LMA and CS.L). */
bool vp_is_long64(const struct vp *vp);

/* vp_guest_tsc() - the TSC as this VP reads it now. */
u64 vp_guest_tsc(const struct vp *vp);

/* vp_restore_if() - put the guest's own IF back in the VMCS (rule K3). */
void vp_restore_if(struct vp *vp);

/* vp_left_hlt() - call first in the handler of any exit that can end activity state HLT. */
void vp_left_hlt(struct vp *vp);

/* vp_nmi_received() - an NMI reached this CPU, in the guest or in root: a kick, the guest's, or
 * both (rule K2). Safe in NMI context. */
void vp_nmi_received(struct vp *vp);

/*
 * vp_probe_nmi_status() - does the machine have port 61h, which names NMIs of devices? A machine
 * without legacy ports answers 0xFF: each kick would look like an NMI of the guest's as well. Boot.
 */
bool vp_probe_nmi_status(void);

/* vp_reset.c: architectural state after power-on or INIT (SDM "Processor State After Reset"). */
void vp_reset(struct vp *vp, bool init);

/* vp_start() - a VP that waits for a SIPI runs from now on, from the state in the VMCS. Its CPU. */
void vp_start(struct vp *vp);

/* vp_startup() - a SIPI starts a VP that waits for one, in real mode at @vector * 4 KiB. */
void vp_startup(struct vp *vp, u8 vector);

/* vp_run.c */

/* vp_program_timer() - slow half of vp_arm_timer(). */
void vp_program_timer(struct vp *vp, u64 now_tsc);

/*
 * vp_arm_timer() - before every entry: make the run timer fire at vp->deadline_tsc at the latest.
 * The preemption timer's count restarts at each entry, so one VMWRITE is good until vp->rearm_tsc.
 * SPEED(timer-far): for a distant deadline most entries need none (vp_program_timer()).
 */
static inline void vp_arm_timer(struct vp *vp)
{
	u64 now_tsc = hw_tsc();

	if (unlikely(now_tsc >= vp->rearm_tsc))
		vp_program_timer(vp, now_tsc);
}

/**
 * vp_prepare_entry() - do pending work until none is left. vmenter.S calls it when it finds
 * @vp->work non-zero in the restartable window (rule K1). Returns true when the entry must be a
 * VMLAUNCH.
 */
bool vp_prepare_entry(struct vp *vp);

/* vp_entry_failed() - VMLAUNCH/VMRESUME failed with VMfail. Reports and stops. */
NORETURN void vp_entry_failed(struct vp *vp);
