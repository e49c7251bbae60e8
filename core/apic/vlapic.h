/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual local APIC: xAPIC and x2APIC register semantics over one 4-KiB register page that doubles
 * as the virtual-APIC page of the hardware (SDM "Advanced Programmable Interrupt Controller").
 *
 * Own CPU only, except vlapic_post_*(), which any CPU may call.
 */
#pragma once

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/lib/types.h"
#include "core/mem/overlay.h"
#include "core/mem/shared_area.h"
#include "core/surface/msr.h"
#include "core/time/timer.h"

struct tsc_emul;
struct vp;

/* Frequency of the APIC timer before the divider when the machine's crystal is not trusted. */
#define VLAPIC_TIMER_HZ 1000000000ull

/* vlapic.signals: events other than vectors, in one word to keep their order. */
#define SIGNAL_SIPI BIT32(8) /* bits 7:0 are its vector */
#define SIGNAL_INIT BIT32(9) /* acts before the others */
#define SIGNAL_NMI  BIT32(10)
#define SIGNAL_NMI2 BIT32(11) /* a second one before the first was seen */

/*
 * Why the CPU does not deliver this VP's interrupts by itself, although it could; one bit per
 * reason. KVM's names where it has one.
 */
#define APICV_INHIBIT_REASON_DISABLED    BIT32(0) /* apicv=, or the CPU cannot */
#define APICV_INHIBIT_REASON_ABSENT      BIT32(1) /* IA32_APIC_BASE.EN = 0 */
#define APICV_INHIBIT_REASON_SW_DISABLED BIT32(2) /* SVR: the CPU's self-IPIs do not look at it */
#define APICV_INHIBIT_REASON_BLOCKIRQ    BIT32(3) /* RFLAGS.IF in the VMCS is not the guest's */
#define APICV_INHIBIT_REASON_HYPERV      BIT32(4) /* vlapic_set_auto_eoi(): the CPU has no such EOI */
#define APICV_INHIBIT_REASON_LAZY_EOI    BIT32(5) /* lazy_not_cpu */

struct vlapic {
	u8 *page;     /* 4 KiB, zeroed; registers at their xAPIC offsets */
	u64 base_msr; /* IA32_APIC_BASE as the guest sees it */

	/* Posted by other CPUs (remote, atomic); folded into IRR by vlapic_fold_posted(). */
	u64 posted[4];
	u32 posted_words; /* bit i: posted[i] may have bits */

	u32 signals; /* remote: SIGNAL_* */

	u32 apicv_inhibit; /* APICV_INHIBIT_REASON_*; none: vid is true */

	/*
	 * Caches for the hot path; the page is the truth. With virtual-interrupt delivery the CPU
	 * changes the page behind our back: then both highest_* stay -1 and min_vector 256, which
	 * sends every function to its slow path.
	 */
	s32 highest_isr; /* -1: none */
	s32 highest_irr; /* -1: none */
	union {
		struct {
			union {
				struct {
					bool isr_many; /* more than one ISR bit may be set:
							* search for the next */
					bool irr_many; /* stays true while auto_eoi is */
				};
				u16 many; /* either */
			};
			bool vid;        /* virtual-interrupt delivery is in use */
			bool tpr_shadow; /* a TPR shadow is: entries need a threshold */
			union {
				struct {
					bool lazy_eoi; /* core/apic/lazy_eoi.h */
					bool auto_eoi; /* auto_eoi_vectors has some */
				};
				u16 special_eoi; /* either */
			};
		};
		u64 unusual; /* any of the above: event.c takes the long way */
	};
	bool xapic_virt;      /* the CPU answers the guest's reads in xAPIC mode from the page */
	bool lazy_armed;      /* highest_isr is -1 then, in place of lazy_vector */
	bool lazy_own_by_msr; /* of lazy_eoi_enable_own() */
	bool lazy_not_cpu;    /* lazy EOIs are worth more than the CPU's delivery */
	u32 lazy_vector;
	struct shared_area lazy_word;
	struct shared_area lazy_other; /* used when the owner of that takes it back */
	u32 min_vector;                /* below: vlapic_set_irr_slow() */
	u32 auto_eoi_vectors[8];       /* they end when the guest takes them */
	u64 self_icr; /* ICR value of a plain fixed interrupt to this APIC, vector 0 */

	/* Copies: a virtualized write replaces the page's value before we see it. */
	u32 svr;
	u32 lvt_timer;
	u32 timer_shift; /* divider of the running count */

	struct timer timer;
	u64 timer_hz;       /* APIC timer frequency before the divider */
	u64 tsc_deadline;   /* guest TSC, 0 = disarmed */
	u64 advance_tsc;    /* fire earlier by this: lapic_timer_advance_ns= */
	u64 deadline_moves; /* not 0: a deadline is no time of the queue, even with no offset */
	u32 advance_ns;
	u64 period_start_tsc;   /* physical TSC at the last reload, for TMCCT */
	u64 period_tsc;         /* length of one count-down in TSC ticks, 0 = stopped */
	u32 esr_pending;        /* errors since the last ESR write */
	struct overlay overlay; /* core/apic/apic_page.c */
};

static inline u32 vlapic_reg(const struct vlapic *a, u32 reg)
{
	return *(const volatile u32 *)(const void *)(a->page + reg);
}

static inline bool vlapic_is_x2apic(const struct vlapic *a)
{
	return (a->base_msr & APIC_BASE_EXTD) != 0;
}

static inline bool vlapic_is_hw_enabled(const struct vlapic *a)
{
	return (a->base_msr & APIC_BASE_EN) != 0;
}

/* vlapic_accepts_fixed() - enabled in IA32_APIC_BASE and SVR. Any CPU. */
static inline bool vlapic_accepts_fixed(const struct vlapic *a)
{
	return (READ_ONCE(a->base_msr) & APIC_BASE_EN) != 0 &&
	       (READ_ONCE(a->svr) & APIC_SVR_ENABLE) != 0;
}

/* vlapic_init() - @page zeroed, owned for ever. Any CPU; the physical LAPIC is not touched. */
void vlapic_init(struct vp *vp, u8 *page);

/**
 * vlapic_reset() - power-on or INIT. INIT drains (rule I5) and mirrors. Power-on touches the
 * virtual state only: vlapic_copy_physical() must still find the physical state as firmware left
 * it.
 */
void vlapic_reset(struct vp *vp, bool init);

/**
 * vlapic_copy_physical() - rule I7: start as a copy of the physical LAPIC (virtual wire, x2APIC);
 * drains (rule I5). Once, on the VP's CPU, VMCS current, host interrupt stubs live, after power-on
 * vp_reset().
 */
void vlapic_copy_physical(struct vp *vp);

/**
 * vlapic_read()/vlapic_write() - register access by xAPIC offset (16-byte aligned), after mode and
 * size checks; x2APIC reserved-bit faults are the MSR rows' job. Never fail: what does not exist
 * reads 0, ignores writes and sets the ESR's illegal-register bit.
 */
u32 vlapic_read(struct vp *vp, u32 reg);
void vlapic_write(struct vp *vp, u32 reg, u32 val);

/* x2APIC MSRs 0x800-0x8FF, IA32_APIC_BASE, IA32_TSC_DEADLINE as MSR rows. */
extern const struct msr_row vlapic_msr_rows[];
extern const u32 vlapic_msr_row_count;

/* vlapic_write_icr() - send by ICR: both modes end here. @icr: bits 63:32 hold the destination
 * (x2APIC: 32 bits; xAPIC: bits 63:56). */
void vlapic_write_icr(struct vp *vp, u64 icr);

/**
 * vlapic_send() - an IPI from @vp to one VP, itself included, without the ICR: vector, delivery
 * mode, level and trigger mode of @icr count. False: @target's APIC does not take it.
 */
bool vlapic_send(struct vp *vp, struct vp *target, u32 icr);

/* vlapic_set_irr() - make @vector pending on the own VP. @level sets the TMR bit. Vectors below 16
 * set the ESR bit instead. Dropped when the APIC is disabled. */
void vlapic_set_irr(struct vp *vp, u8 vector, bool level);

/* vlapic_post_irq() - the same from any CPU: edge; kicks a remote target. */
void vlapic_post_irq(struct vp *target, u8 vector);
void vlapic_post_nmi(struct vp *target);
void vlapic_post_init(struct vp *target);            /* forgets the signals before it */
void vlapic_post_sipi(struct vp *target, u8 vector); /* no effect behind another SIPI */

/* vlapic_fold_posted() - VP_WORK_POSTED: take over what other CPUs posted. The caller delivers. */
void vlapic_fold_posted(struct vp *vp);

/* vlapic_take_signals() - VP_WORK_SIGNAL: SIGNAL_* since the last call. */
u32 vlapic_take_signals(struct vp *vp);

/**
 * vlapic_pending_vector() - highest vector that the processor priority lets through now, -1: none.
 * Does not look at RFLAGS.IF.
 *
 * While vlapic.vid is set the CPU delivers it by itself (vlapic_set_irr() keeps RVI): then this
 * only tells whether to wake from HLT. Injecting it and calling vlapic_accept() would be correct,
 * too; an interrupt window would be wasted.
 */
s32 vlapic_pending_vector(struct vp *vp);

/* vlapic_has_request() - an interrupt is requested, let through or not. */
bool vlapic_has_request(const struct vp *vp);

/* vlapic_accept() - the guest takes @vector: IRR -> ISR. Call when the injection is committed. */
void vlapic_accept(struct vp *vp, u8 vector);

/**
 * vlapic_eoi() - the one EOI function: clears the highest ISR bit and finishes a held physical
 * level vector (rule I3).
 */
void vlapic_eoi(struct vp *vp);

/*
 * vlapic_set_auto_eoi() - from now on, interrupts with @vectors (one bit each) end when the guest
 * takes them; the CPU delivers no interrupts by itself while there are any. Own CPU, VMCS current.
 */
void vlapic_set_auto_eoi(struct vp *vp, const u32 vectors[8]);

/* vlapic_has_auto_eoi() - @vector is one of them. */
static inline bool vlapic_has_auto_eoi(const struct vlapic *a, u32 vector)
{
	return a->auto_eoi && (a->auto_eoi_vectors[vector >> 5] & (1u << (vector & 31))) != 0;
}

/* vlapic_tpr_threshold() - TPR-shadow threshold for the next entry (rule K2b). */
u32 vlapic_tpr_threshold(struct vp *vp);

/**
 * vlapic_apicv_inhibit()/vlapic_apicv_uninhibit() - add or drop a reason to deliver this VP's
 * interrupts in software; idempotent. Keeps ISR and IRR. A change posts VP_WORK_EVENT. Own CPU,
 * VMCS current.
 */
void vlapic_apicv_inhibit(struct vp *vp, u32 reasons);
void vlapic_apicv_uninhibit(struct vp *vp, u32 reasons);

/* vlapic_ctx_changed() - another context is current: while the CPU delivers this VP's interrupts,
 * its VMCS says what is requested, in service and held. Own CPU. */
void vlapic_ctx_changed(struct vp *vp);

/*
 * vlapic_xapic_reads_exit() - until the next change of mode, as a level vector is held (rule I6):
 * only then does the physical IRR keep what the guest must see in its own, since all that nothing
 * blocks exits at once. In x2APIC mode the MSR bitmap has reads of IRR exit. Not undone at the EOI:
 * a VMWRITE per interrupt would cost more than the exits of a guest with such devices. Own CPU,
 * VMCS current.
 */
void vlapic_xapic_reads_exit(struct vp *vp);

/* vlapic_mode_changed() - VMCS controls and MSR bitmap follow the mode of the virtual APIC. Own
 * CPU, VMCS current. */
void vlapic_mode_changed(struct vp *vp);

/* vlapic_mode.c */

/* vlapic_write_base() - WRMSR IA32_APIC_BASE: legal transitions only. */
enum msr_result vlapic_write_base(struct vp *vp, u64 val);

/* apic_page_init() - allocate the page that all APIC pages of @p map to. Before
 * apic_page_remap(). ERR_NOMEM. */
MUST_CHECK err_t apic_page_init(struct partition *p);

/* apic_page_remap() - make the APIC page follow base, enable and mode: mapped in xAPIC mode
 * only, and only where an overlay may be. Ends with ept_flush(). VP's CPU. */
void apic_page_remap(struct vp *vp);

/* vlapic_timer.c */
void vlapic_timer_init(struct vp *vp);
/* vlapic_timer_adapt() - lapic_timer_advance_ns=-1: the next advance after the timer had fired
 * @late_ns after the guest's deadline, or before it when negative. Pure. */
u32 vlapic_timer_adapt(u32 advance_ns, s64 late_ns);
u32 vlapic_timer_current(struct vp *vp); /* TMCCT */
void vlapic_timer_write_initial(struct vp *vp, u32 count);
void vlapic_timer_lvt_changed(struct vp *vp, u32 old_lvt);
void vlapic_timer_divider_changed(struct vp *vp);
/* vlapic_timer_rate_changed() - the machine's TSC changed its frequency as @e says: the count in
 * progress goes on at its own. */
void vlapic_timer_rate_changed(struct vp *vp, const struct tsc_emul *e);

/* vlapic_timer_tsc_changed() - the guest's TSC is another function of the machine's. */
void vlapic_timer_tsc_changed(struct vp *vp);

/* vlapic_timer_write_deadline() - call again with the same value when the TSC offset changes. */
void vlapic_timer_write_deadline(struct vp *vp, u64 guest_tsc);
u64 vlapic_timer_read_deadline(struct vp *vp);
