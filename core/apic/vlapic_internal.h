/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the virtual APIC share: register and bitmap access. Own CPU only. */
#pragma once

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/apic/irq_bits.h"
#include "core/apic/vlapic.h"
#include "core/lib/bits.h"
#include "core/vp/vp.h"

#define VECTOR_REGS 8u /* 32-bit registers of ISR, TMR and IRR */

static inline void vlapic_reg_set(struct vlapic *a, u32 reg, u32 val)
{
	*(u32 *)(void *)(a->page + reg) = val;
}

/* The 32-bit register of bitmap @reg that holds @vector. Plain access: own CPU, in root. */
static inline u32 *vlapic_bitmap(const struct vlapic *a, size_t reg, size_t vector)
{
	return irq_word(a->page, reg, vector);
}

/* vlapic_set_irr_slow() - disabled, an illegal vector, or the CPU delivers by itself. */
void vlapic_set_irr_slow(struct vp *vp, u8 vector, bool level);

/*
 * vlapic_request() - vlapic_set_irr() for callers that count instructions. False: the slow half did
 * it, work included. True: the caller delivers, or sets VP_WORK_EVENT.
 */
static inline bool vlapic_request(struct vp *vp, u32 vector, bool level)
{
	struct vlapic *a = &vp->apic;

	if (unlikely(vector < a->min_vector)) {
		vlapic_set_irr_slow(vp, (u8)vector, level);
		return false;
	}
	irq_request(a->page, vector, level);
	if (likely(a->highest_irr < 0)) {
		a->highest_irr = (s32)vector;
	} else {
		a->irr_many = true;
		if ((s32)vector > a->highest_irr)
			a->highest_irr = (s32)vector;
	}
	return true;
}

static inline void vlapic_set_irr_inline(struct vp *vp, u32 vector, bool level)
{
	if (vlapic_request(vp, vector, level))
		vp_set_work(vp, VP_WORK_EVENT);
}

/* vlapic_find_highest() - highest bit of bitmap @reg up to the register of @from; -1: none. */
s32 vlapic_find_highest(const struct vlapic *a, u32 reg, u32 from);

/* vlapic_highest_isr() - the vector in service, also when the CPU delivers by itself; -1: none. */
static inline s32 vlapic_highest_isr(const struct vlapic *a)
{
	return a->vid ? vlapic_find_highest(a, APIC_ISR, VECTOR_COUNT - 1) : a->highest_isr;
}

/* vlapic_sync_status() - RVI and SVI are the highest bits of IRR and ISR, 0 for none: SDM Vol. 3C
 * "Guest Non-Register State". */
void vlapic_sync_status(const struct vlapic *a);

static inline bool vlapic_is_sw_enabled(const struct vlapic *a)
{
	return (a->svr & APIC_SVR_ENABLE) != 0;
}

static inline bool vlapic_has_cmci(const struct vlapic *a)
{
	return FIELD_GET(APIC_VERSION_MAX_LVT, vlapic_reg(a, APIC_VERSION)) >= 6;
}

/* vlapic_enable_changed() - after a change of SVR or IA32_APIC_BASE: the caches that follow. */
void vlapic_enable_changed(struct vp *vp);

/* vlapic_clear() - registers as after power-on: SDM "Local APIC State After Power-Up or Reset". */
void vlapic_clear(struct vp *vp);

/* vlapic_id_changed() - ID, LDR and the ICR's own destination for the current mode. */
void vlapic_id_changed(struct vp *vp);

/* vlapic_error() - set an ESR bit and raise the error LVT. */
void vlapic_error(struct vp *vp, u32 esr_bit);

/* vlapic_write_tpr() - the guest's write, of either mode. */
void vlapic_write_tpr(struct vp *vp, u32 val);

/* WRMSR of the x2APIC ICR: the function of an MSR row. */
enum msr_result vlapic_x2apic_icr_write(struct vp *vp, u32 msr, u64 val);

/* vlapic_x2apic_is_readable() - RDMSR of this register number works in x2APIC mode. */
bool vlapic_x2apic_is_readable(const struct vlapic *a, u32 reg);
