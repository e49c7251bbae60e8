/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual local APIC: interrupt bitmaps, priorities, EOI, reset.
 *
 * The register page is the truth. highest_isr and highest_irr follow every change here, and a
 * search is needed only when more than one bit was set. With virtual-interrupt delivery the CPU
 * changes the page, too: the caches then hold what sends every function to its slow path, which
 * searches the page and hands RVI and SVI back.
 *
 * Context: VP's own CPU, VMX root, interrupts disabled.
 * Spec:    SDM Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "core/apic/vlapic.h"

#include "core/apic/irq_msg.h"
#include "core/apic/lazy_eoi.h"
#include "core/apic/vlapic_internal.h"
#include "core/lib/string.h"
#include "core/partition.h"

#define LVT_COPIED   (~(APIC_LVT_PENDING | APIC_LVT_REMOTE_IRR)) /* the guest may write these */
#define SET_IRR_SLOW VECTOR_COUNT /* vlapic.min_vector: no vector takes the fast path */

s32 vlapic_find_highest(const struct vlapic *a, u32 reg, u32 from)
{
	for (s32 w = (s32)from / 32; w >= 0; w--) {
		u32 bits = *vlapic_bitmap(a, reg, (size_t)w * 32);

		if (bits != 0)
			return w * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

void vlapic_sync_status(const struct vlapic *a)
{
	s32 rvi = vlapic_find_highest(a, APIC_IRR, VECTOR_COUNT - 1);
	s32 svi = vlapic_find_highest(a, APIC_ISR, VECTOR_COUNT - 1);

	hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS,
		   FIELD_PREP(INTR_STATUS_RVI, rvi < 0 ? 0 : rvi) |
			   FIELD_PREP(INTR_STATUS_SVI, svi < 0 ? 0 : svi));
}

/* One more bit of IRR: the CPU has kept RVI at the highest of the others. */
static void raise_rvi(u8 vector)
{
	u64 status = hw_vmread(VMCS_GUEST_INTERRUPT_STATUS);

	if (vector > FIELD_GET(INTR_STATUS_RVI, status))
		hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS,
			   (status & ~INTR_STATUS_RVI) | FIELD_PREP(INTR_STATUS_RVI, vector));
}

/* After the page was written as a whole. */
static void reset_caches(struct vlapic *a)
{
	a->highest_isr = -1;
	a->highest_irr = -1;
	a->isr_many = false;
	a->irr_many = a->auto_eoi;
	if (a->vid)
		vlapic_sync_status(a);
}

void vlapic_error(struct vp *vp, u32 esr_bit)
{
	struct vlapic *a = &vp->apic;
	u32 lvt = vlapic_reg(a, APIC_LVT_ERROR);

	if ((a->esr_pending & esr_bit) != 0)
		return; /* also ends the recursion of an error LVT with an illegal vector */
	a->esr_pending |= esr_bit;
	TRACE(vp, APIC_ERROR, esr_bit, 0, 0);
	if ((lvt & APIC_LVT_MASKED) == 0)
		vlapic_set_irr(vp, (u8)lvt, false);
}

void vlapic_set_irr_slow(struct vp *vp, u8 vector, bool level)
{
	struct vlapic *a = &vp->apic;

	if (!vlapic_is_hw_enabled(a) || !vlapic_is_sw_enabled(a))
		return;
	if (vector < VECTOR_MIN_APIC) {
		vlapic_error(vp, APIC_ESR_RECEIVE_ILLEGAL);
		return;
	}
	irq_request(a->page, vector, level);
	irq_fwd_set_eoi_exit(vp, vector);
	raise_rvi(vector);
	vp_set_work(vp, VP_WORK_EVENT);
}

void vlapic_set_irr(struct vp *vp, u8 vector, bool level)
{
	vlapic_set_irr_inline(vp, vector, level);
}

/* @irr if it is in a higher priority class than @isr and the TPR, else -1. */
static inline s32 deliverable(const struct vlapic *a, s32 irr, s32 isr)
{
	s32 limit = (s32)vlapic_reg(a, APIC_TPR); /* the guest's, with a TPR shadow, too */

	if (isr > limit)
		limit = isr;
	return irr > (limit | 0xf) ? irr : -1; /* same class: blocked */
}

s32 vlapic_pending_vector(struct vp *vp)
{
	const struct vlapic *a = &vp->apic;

	if (unlikely(a->vid))
		return deliverable(a, vlapic_find_highest(a, APIC_IRR, VECTOR_COUNT - 1),
				   vlapic_highest_isr(a));
	return a->highest_irr < 0 ? -1 : deliverable(a, a->highest_irr, a->highest_isr);
}

bool vlapic_has_request(const struct vp *vp)
{
	return vlapic_find_highest(&vp->apic, APIC_IRR, VECTOR_COUNT - 1) >= 0;
}

void vlapic_accept(struct vp *vp, u8 vector)
{
	struct vlapic *a = &vp->apic;

	irq_accept(a->page, vector);
	if (unlikely(a->vid)) {
		vlapic_sync_status(a);
		return;
	}
	if (likely(!a->irr_many)) { /* SPEED(one-request): no search for the next */
		a->highest_irr = -1;
	} else {
		a->highest_irr = vlapic_find_highest(a, APIC_IRR, (u32)a->highest_irr);
		a->irr_many = a->highest_irr >= 0 || a->auto_eoi;
	}
	if (likely(a->highest_isr < 0)) {
		a->highest_isr = vector;
	} else {
		a->isr_many = true;
		if (vector > a->highest_isr)
			a->highest_isr = vector;
	}
}

/* The caches do not say what is in service. */
static NOINLINE void eoi_slow(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	s32 vector;

	if (a->lazy_armed) { /* the guest writes the register all the same */
		lazy_eoi_sync(vp);
		return vlapic_eoi(vp);
	}
	if (!a->vid)
		return; /* nothing is */
	vector = vlapic_highest_isr(a);
	if (vector < 0)
		return;
	irq_end(a->page, (u32)vector);
	COUNT(vp, EOI);
	vlapic_sync_status(a);
	irq_fwd_eoi(vp, (u8)vector);
	vp_set_work(vp, VP_WORK_EVENT);
}

/* More than one bit may be in service: search for the next. */
static NOINLINE void eoi_many(struct vlapic *a)
{
	a->highest_isr = vlapic_find_highest(a, APIC_ISR, (u32)a->highest_isr);
	a->isr_many = a->highest_isr >= 0;
}

void vlapic_eoi(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	s32 vector = a->highest_isr;

	if (unlikely(vector < 0))
		return eoi_slow(vp);
	irq_end(a->page, (u32)vector);
	if (likely(!a->isr_many)) /* SPEED(one-in-service): no search for the next */
		a->highest_isr = -1;
	else
		eoi_many(a);
	COUNT(vp, EOI);
	if (unlikely(a->highest_irr >= 0))
		vp_set_work(vp, VP_WORK_EVENT);
	/* Last, so that nothing must be saved across the call. */
	if (unlikely(vp->fwd.eoi_count != 0))
		irq_fwd_eoi(vp, (u8)vector);
}

u32 vlapic_tpr_threshold(struct vp *vp)
{
	const struct vlapic *a = &vp->apic;
	u32 tpr_class = (vlapic_reg(a, APIC_TPR) & 0xf0) >> 4;
	u32 irr_class;

	if (a->highest_irr < 0)
		return 0; /* also when the CPU delivers by itself: it needs no threshold */
	irr_class = (u32)a->highest_irr >> 4;
	if (a->highest_isr >= 0 && (u32)a->highest_isr >> 4 >= irr_class)
		return 0; /* an EOI must come first, whatever the TPR */
	return irr_class <= tpr_class ? irr_class : 0;
}

/* --- Posting: any CPU --- */

void vlapic_post_irq(struct vp *target, u8 vector)
{
	struct vlapic *a = &target->apic;

	(void)__atomic_fetch_or(&a->posted[vector >> 6], BIT64(vector & 63), __ATOMIC_RELAXED);
	/* After the bit: a CPU that sees the word's mark must see the bit, too. */
	(void)__atomic_fetch_or(&a->posted_words, BIT32(vector >> 6), __ATOMIC_RELEASE);
	vp_post_work(target, VP_WORK_POSTED);
}

void vlapic_post_nmi(struct vp *target)
{
	u32 *signals = &target->apic.signals;

	/* The target may take the first meanwhile: then this is one that came alone. */
	if (__atomic_fetch_or(signals, SIGNAL_NMI, __ATOMIC_RELAXED) & SIGNAL_NMI)
		(void)__atomic_fetch_or(signals, SIGNAL_NMI2, __ATOMIC_RELAXED);
	vp_post_work(target, VP_WORK_SIGNAL);
}

void vlapic_post_init(struct vp *target)
{
	STORE_RELEASE(target->apic.signals, SIGNAL_INIT);
	vp_post_work(target, VP_WORK_SIGNAL);
}

void vlapic_post_sipi(struct vp *target, u8 vector)
{
	u32 *signals = &target->apic.signals;
	u32 old = READ_ONCE(*signals);

	do {
		if ((old & SIGNAL_SIPI) != 0)
			return;
	} while (!__atomic_compare_exchange_n(signals, &old, old | SIGNAL_SIPI | vector, false,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	vp_post_work(target, VP_WORK_SIGNAL);
}

void vlapic_fold_posted(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	u32 words = __atomic_exchange_n(&a->posted_words, 0, __ATOMIC_ACQUIRE);

	for (; words != 0; words &= words - 1) {
		u32 i = (u32)__builtin_ctz(words);
		u64 bits = __atomic_exchange_n(&a->posted[i], 0, __ATOMIC_ACQUIRE);

		for (; bits != 0; bits &= bits - 1)
			(void)vlapic_request(vp, i * 64 + (u32)__builtin_ctzll(bits), false);
	}
}

u32 vlapic_take_signals(struct vp *vp)
{
	return __atomic_exchange_n(&vp->apic.signals, 0, __ATOMIC_ACQUIRE);
}

/* --- Reset and hand-over --- */

void vlapic_enable_changed(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	a->min_vector = !a->vid && vlapic_is_hw_enabled(a) && vlapic_is_sw_enabled(a)
				? VECTOR_MIN_APIC
				: SET_IRR_SLOW;
}

void vlapic_id_changed(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	if (vlapic_is_x2apic(a)) {
		vlapic_reg_set(a, APIC_ID, vp->apic_id);
		vlapic_reg_set(a, APIC_LDR, x2apic_ldr(vp->apic_id));
		a->self_icr = FIELD_PREP(APIC_ICR_DEST_X2APIC, vp->apic_id);
	} else {
		vlapic_reg_set(a, APIC_ID, vp->apic_id << 24);
		a->self_icr = FIELD_PREP(APIC_ICR_DEST_XAPIC, vp->apic_id);
	}
}

void vlapic_clear(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u32 version = vlapic_reg(a, APIC_VERSION);

	timer_cancel(vp, &a->timer);
	a->tsc_deadline = 0;
	a->period_tsc = 0;
	a->timer_shift = apic_tdcr_shift(0);
	a->esr_pending = 0;

	irq_msg_forget(vp);
	memset(a->page, 0, 4096);
	vlapic_reg_set(a, APIC_VERSION, version);
	vlapic_reg_set(a, APIC_DFR, APIC_DFR_FLAT);
	vlapic_reg_set(a, APIC_SVR, APIC_SVR_RESET);
	for (u32 reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += APIC_REG_STRIDE)
		vlapic_reg_set(a, reg, APIC_LVT_RESET);
	if (vlapic_has_cmci(a))
		vlapic_reg_set(a, APIC_LVT_CMCI, APIC_LVT_RESET);
	a->svr = APIC_SVR_RESET;
	a->lvt_timer = APIC_LVT_RESET;

	vlapic_id_changed(vp);
	vlapic_enable_changed(vp);
	lazy_eoi_forget(vp);
	reset_caches(a);
}

void vlapic_init(struct vp *vp, u8 *page)
{
	struct vlapic *a = &vp->apic;
	u32 phys = hw_lapic_read(APIC_VERSION);
	u32 max_lvt = umin32((u32)FIELD_GET(APIC_VERSION_MAX_LVT, phys), 6);

	a->page = page;
	a->base_msr = APIC_BASE_DEFAULT | APIC_BASE_EN | (vp->index == 0 ? APIC_BASE_BSP : 0);
	/* Offer EOI suppression if the machine has it: SVR bit 12 is mirrored. */
	vlapic_reg_set(a, APIC_VERSION,
		       (u32)(0x14 | FIELD_PREP(APIC_VERSION_MAX_LVT, umax32(max_lvt, 5)) |
			     (phys & APIC_VERSION_EOI_SUPPRESS)));
	irq_fwd_init(vp);
	vlapic_timer_init(vp);
	vlapic_clear(vp);
	a->vid = false; /* vlapic_mode_changed() says more */
	a->apicv_inhibit = APICV_INHIBIT_REASON_SW_DISABLED;
	a->tpr_shadow = vp->partition->machine.tpr_shadow;
	vlapic_enable_changed(vp);
}

void vlapic_reset(struct vp *vp, bool init)
{
	struct vlapic *a = &vp->apic;

	/* SDM "Local APIC State After It Receives an INIT Reset": the base stays. */
	if (!init)
		a->base_msr = APIC_BASE_DEFAULT | APIC_BASE_EN | (a->base_msr & APIC_BASE_BSP);
	for (u32 i = 0; i < ARRAY_SIZE(a->posted); i++)
		__atomic_store_n(&a->posted[i], 0, __ATOMIC_RELAXED);
	for (u32 i = 0; i < ARRAY_SIZE(vp->fwd.posted_level); i++) {
		__atomic_store_n(&vp->fwd.posted_level[i], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&vp->fwd.posted_watch[i], 0, __ATOMIC_RELAXED);
	}
	vlapic_clear(vp);
	if (init) {
		irq_fwd_reset(vp);
		irq_fwd_mirror_all(vp);
	}
	vp_set_work(vp, VP_WORK_EVENT);
}

/* LVT entries that the guest never gets: masked for good, unless one is the run timer. */
static void vlapic_quiet_physical(void)
{
	hw_lapic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	hw_lapic_write(APIC_TMICT, 0);
	hw_lapic_write(APIC_LVT_PERF, APIC_LVT_MASKED);
	hw_lapic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
}

void vlapic_copy_physical(struct vp *vp)
{
	static const u32 copied[] = { APIC_LVT_THERMAL, APIC_LVT_LINT0, APIC_LVT_LINT1 };
	struct vlapic *a = &vp->apic;
	u64 base;

	if (hw_rdmsr_safe(MSR_IA32_APIC_BASE, &base) == ERR_NONE && (base & APIC_BASE_EXTD) != 0) {
		a->base_msr |= APIC_BASE_EXTD;
		vp->fwd.phys_x2apic = true;
	}
	vlapic_clear(vp);
	vlapic_quiet_physical();
	irq_fwd_note_firmware(vp);
	for (u32 i = 0; i < ARRAY_SIZE(copied); i++)
		vlapic_reg_set(a, copied[i], hw_lapic_read(copied[i]) & LVT_COPIED);
	if (vlapic_has_cmci(a))
		vlapic_reg_set(a, APIC_LVT_CMCI, hw_lapic_read(APIC_LVT_CMCI) & LVT_COPIED);
	if (!vlapic_is_x2apic(a)) {
		vlapic_reg_set(a, APIC_LDR, hw_lapic_read(APIC_LDR));
		vlapic_reg_set(a, APIC_DFR, hw_lapic_read(APIC_DFR));
	}
	vlapic_reg_set(a, APIC_TPR, hw_lapic_read(APIC_TPR) & 0xff);
	hw_lapic_write(APIC_TPR, 0); /* priorities are the virtual APIC's business */
	irq_fwd_reset(vp); /* firmware's timer ticks, before the guest's SVR accepts them */
	a->svr = hw_lapic_read(APIC_SVR);
	apic_timer_open(vp, a->svr);
	vlapic_reg_set(a, APIC_SVR, a->svr);
	vlapic_enable_changed(vp);
	vlapic_mode_changed(vp);
	apic_page_remap(vp);
}
