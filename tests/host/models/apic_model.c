/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical local APIC, I/O APIC and 8259, and the EOI judge. Context: host tests, one thread. */
#include "tests/host/models/apic_model.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/apic/irq_fwd.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/harness.h"

struct apic_model irqhw;

static NORETURN void model_fail(const char *what, s32 vector)
{
	print_error("apic model: %s (vector 0x%x)\n", what, (u32)vector);
	_fail(__FILE__, __LINE__);
	abort();
}

static void bit_set(u32 *bitmap, u32 vector, bool on)
{
	u32 bit = 1u << (vector & 31);

	bitmap[vector >> 5] = on ? bitmap[vector >> 5] | bit : bitmap[vector >> 5] & ~bit;
}

s32 model_highest(const u32 *bitmap)
{
	for (s32 v = 255; v >= 0; v--)
		if (model_bit(bitmap, (u32)v))
			return v;
	return -1;
}

static void reset_registers(void)
{
	memset(irqhw.reg, 0, sizeof(irqhw.reg));
	irqhw.reg[APIC_SVR >> 4] = APIC_SVR_RESET;
	irqhw.reg[APIC_VERSION >> 4] = 0x14 | 6 << 16 | APIC_VERSION_EOI_SUPPRESS;
	irqhw.reg[APIC_DFR >> 4] = APIC_DFR_FLAT;
	for (u32 reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += APIC_REG_STRIDE)
		irqhw.reg[reg >> 4] = APIC_LVT_MASKED;
	irqhw.reg[APIC_LVT_CMCI >> 4] = APIC_LVT_MASKED;
}

void apic_model_reset(struct vp *vp)
{
	memset(&irqhw, 0, sizeof(irqhw));
	irqhw.vp = vp;
	irqhw.unfinished_edge = -1;
	irqhw.pic_base = 0x30;
	reset_registers();
	for (u32 i = 0; i < MODEL_PINS; i++)
		irqhw.pin[i].masked = true;
}

void apic_model_enable(void)
{
	hw_lapic_write(APIC_SVR, APIC_SVR_RESET | APIC_SVR_ENABLE);
	hw_lapic_write(APIC_LVT_LINT0, APIC_MODE_EXTINT << 8);
	hw_lapic_write(APIC_LVT_LINT1, APIC_MODE_NMI << 8);
}

static bool is_enabled(const struct apic_model *cpu)
{
	return (cpu->reg[APIC_SVR >> 4] & APIC_SVR_ENABLE) != 0;
}

static bool sw_enabled(void)
{
	return is_enabled(&irqhw);
}

/* --- sources --- */

bool model_accept(struct apic_model *cpu, u8 vector, bool level)
{
	if (!is_enabled(cpu))
		return false;
	if (!model_bit(cpu->irr, vector))
		cpu->tokens[vector]++;
	bit_set(cpu->irr, vector, true);
	bit_set(cpu->tmr, vector, level);
	return true;
}

bool model_msi(u8 vector)
{
	return model_accept(&irqhw, vector, false);
}

bool model_msi_level(u8 vector)
{
	return model_accept(&irqhw, vector, true);
}

static bool send(const struct model_pin *p)
{
	struct model_message m = { p->dest, p->mode, p->vector, p->logical, p->level };

	return irqhw.bus != NULL ? irqhw.bus(&m) : model_accept(&irqhw, p->vector, p->level);
}

/* A level message that no APIC takes is sent again when one can: the line is still there. */
static void poll_lines(void)
{
	for (u32 i = 0; i < MODEL_PINS; i++) {
		struct model_pin *p = &irqhw.pin[i];

		if (p->level && p->line && !p->masked && !p->remote_irr)
			p->remote_irr = send(p);
	}
}

static bool timer_is_due(void)
{
	u32 lvt = irqhw.reg[APIC_LVT_TIMER >> 4];
	const struct fake_msr *deadline = fake_msr_find(MSR_IA32_TSC_DEADLINE);

	if (FIELD_GET(APIC_LVT_TIMER_MODE, lvt) == APIC_TIMER_TSC_DEADLINE) {
		if (deadline->val != irqhw.timer_fired_tsc)
			irqhw.timer_fired_tsc = 0;
		return deadline->val != 0 && irqhw.timer_fired_tsc == 0 &&
		       fake.tsc + irqhw.timer_early_tsc >= deadline->val;
	}
	return irqhw.timer_start_tsc != 0 &&
	       (fake.tsc - irqhw.timer_start_tsc) / irqhw.timer_tsc_per_tick >=
		       irqhw.reg[APIC_TMICT >> 4];
}

void model_timer(void)
{
	u32 lvt = irqhw.reg[APIC_LVT_TIMER >> 4];
	u32 ticks = 0;

	if (timer_is_due()) {
		irqhw.timer_start_tsc = 0;
		if (irqhw.timer_keeps_msr)
			irqhw.timer_fired_tsc = fake_msr_find(MSR_IA32_TSC_DEADLINE)->val;
		else
			fake_msr_set(MSR_IA32_TSC_DEADLINE, 0);
		if ((lvt & APIC_LVT_MASKED) == 0) {
			irqhw.timer_irqs++;
			(void)model_accept(&irqhw, (u8)lvt, false);
		}
	}
	if (irqhw.timer_start_tsc != 0)
		ticks = irqhw.reg[APIC_TMICT >> 4] -
			(u32)((fake.tsc - irqhw.timer_start_tsc) / irqhw.timer_tsc_per_tick);
	irqhw.reg[APIC_TMCCT >> 4] = ticks;
}

void model_line(u32 pin, bool asserted)
{
	struct model_pin *p = &irqhw.pin[pin];
	bool rises = asserted && !p->line;

	p->line = asserted;
	if (p->level)
		poll_lines();
	else if (rises && !p->masked)
		(void)send(p);
}

void model_rte(u32 pin, u8 vector, bool level, bool masked)
{
	struct model_pin *p = &irqhw.pin[pin];

	p->vector = vector;
	p->level = level;
	p->masked = masked;
	if (!level)
		p->remote_irr = false;
	poll_lines();
}

void model_ioapic_eoi(u8 vector)
{
	for (u32 i = 0; i < MODEL_PINS; i++)
		if (irqhw.pin[i].level && irqhw.pin[i].vector == vector)
			irqhw.pin[i].remote_irr = false;
	poll_lines();
}

void model_pic_irq(u32 irq)
{
	irqhw.pic_irr |= (u8)(1u << irq);
}

void model_pic_eoi(void)
{
	irqhw.pic_isr &= (u8)(irqhw.pic_isr - 1); /* lowest bit: highest priority */
}

/* --- CPU side --- */

static s32 deliverable(void)
{
	s32 irr = model_highest(irqhw.irr);
	s32 isr = model_highest(irqhw.isr);
	u32 ppr = irqhw.reg[APIC_TPR >> 4] & 0xf0;

	if (isr >= 0 && (u32)(isr & 0xf0) > ppr)
		ppr = (u32)isr & 0xf0;
	return irr >= 0 && (u32)(irr & 0xf0) > ppr ? irr : -1;
}

static bool pic_intr(void)
{
	u32 lint0 = irqhw.reg[APIC_LVT_LINT0 >> 4];
	u8 in_service = irqhw.pic_isr & (u8)-irqhw.pic_isr;
	u8 request = irqhw.pic_irr & (u8)-irqhw.pic_irr;

	if ((lint0 & APIC_LVT_MASKED) != 0 && !irqhw.pin_mode)
		return false;
	if (((lint0 >> 8) & 7) != APIC_MODE_EXTINT && !irqhw.pin_mode)
		return false;
	return request != 0 && (in_service == 0 || request < in_service);
}

bool model_intr(void)
{
	return deliverable() >= 0 || pic_intr();
}

u8 model_ack(bool pic_first)
{
	s32 vector = deliverable();

	irqhw.acks++;
	if (irqhw.unfinished_edge >= 0)
		model_fail("accepted before the EOI of an edge vector (I2)", irqhw.unfinished_edge);
	if (pic_intr() && (pic_first || vector < 0)) {
		u32 irq = (u32)__builtin_ctz(irqhw.pic_irr);

		irqhw.pic_irr &= (u8) ~(1u << irq);
		irqhw.pic_isr |= (u8)(1u << irq);
		if (irqhw.before_accept != NULL)
			irqhw.before_accept((u8)(irqhw.pic_base + irq), true);
		return (u8)(irqhw.pic_base + irq);
	}
	if (vector < 0) { /* it went away: spurious */
		vector = (s32)(irqhw.reg[APIC_SVR >> 4] & 0xff);
		if (irqhw.before_accept != NULL)
			irqhw.before_accept((u8)vector, true);
		return (u8)vector;
	}
	bit_set(irqhw.irr, (u32)vector, false);
	bit_set(irqhw.isr, (u32)vector, true);
	if (!model_bit(irqhw.tmr, (u32)vector))
		irqhw.unfinished_edge = vector;
	irqhw.guest_done[vector] = false;
	if (irqhw.before_accept != NULL)
		irqhw.before_accept((u8)vector, false);
	return (u8)vector;
}

bool model_exit(bool pic_first)
{
	if (!model_intr())
		return false;
	irq_fwd_accept(irqhw.vp, model_ack(pic_first));
	if (irqhw.unfinished_edge >= 0)
		model_fail("edge vector accepted without a physical EOI (I2)",
			   irqhw.unfinished_edge);
	return true;
}

/* --- the port --- */

u64 hw_lapic_isr_tmr(u32 word)
{
	return (u64)irqhw.tmr[word] << 32 | irqhw.isr[word];
}

u32 hw_lapic_read(u32 reg)
{
	u32 w = (reg & 0x7f) >> 4;

	model_timer();
	if (reg >= APIC_ISR && reg < APIC_TMR)
		return irqhw.isr[w];
	if (reg >= APIC_TMR && reg < APIC_IRR)
		return irqhw.tmr[w];
	if (reg >= APIC_IRR && reg < APIC_ESR)
		return irqhw.irr[w];
	return irqhw.reg[reg >> 4];
}

void hw_lapic_write(u32 reg, u32 val)
{
	if (irqhw.x2apic && (reg == APIC_LDR || reg == APIC_DFR || reg == APIC_ICR2))
		model_fail("write of a register that x2APIC mode does not have", (s32)reg);
	if (irqhw.x2apic && reg == APIC_SVR && (val & ~0x11ffu) != 0)
		model_fail("reserved bits of the SVR", (s32)reg);
	if (reg == APIC_EOI || reg == APIC_ID)
		model_fail("write of a register that is never mirrored", (s32)reg);
	if (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR && !sw_enabled())
		val |= APIC_LVT_MASKED;
	irqhw.reg[reg >> 4] = val;
	irqhw.writes[reg >> 4]++;
	if (reg == APIC_TMICT)
		irqhw.timer_start_tsc = val != 0 ? fake.tsc : 0;
	if (reg != APIC_SVR)
		return;
	if (!sw_enabled())
		for (u32 lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += APIC_REG_STRIDE)
			irqhw.reg[lvt >> 4] |= APIC_LVT_MASKED;
	poll_lines();
}

void hw_lapic_eoi(void)
{
	s32 vector = model_highest(irqhw.isr);
	bool level = vector >= 0 && model_bit(irqhw.tmr, (u32)vector);

	irqhw.eois++;
	if (vector < 0)
		model_fail("physical EOI with an empty ISR", vector);
	if (!irqhw.draining && irqhw.vp->fwd.look_from != 0) {
		if (irqhw.unfinished_edge >= 0 && vector != irqhw.unfinished_edge)
			model_fail("EOI of an edge vector retired another one", vector);
		if (irqhw.unfinished_edge < 0 && !irqhw.guest_done[vector])
			model_fail("EOI retired a level vector that the guest has not done",
				   vector);
	}
	bit_set(irqhw.isr, (u32)vector, false);
	irqhw.unfinished_edge = -1;
	/* The broadcast goes by the TMR bit; a newer message of the same vector may have changed
	 * it. */
	if (level && (irqhw.reg[APIC_SVR >> 4] & APIC_SVR_EOI_SUPPRESS) == 0)
		model_ioapic_eoi((u8)vector);
}

/* Of some VP: several share the model. */
static bool kicks_are_held(const struct partition *p)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i]->kicked != 0)
			return true;
	}
	return false;
}

/* Back leads through EN = 0, which resets everything. What it still had would be lost. */
bool hw_lapic_set_x2apic(bool on)
{
	if (on || !irqhw.x2apic || irqhw.x2apic_locked) {
		irqhw.x2apic |= on;
		return irqhw.x2apic;
	}
	if (irqhw.vp->partition->machine.is_bochs)
		model_fail("Bochs cannot enable its APIC again", -1);
	if (sw_enabled())
		model_fail("disabled while it may accept interrupts", -1);
	if (model_highest(irqhw.irr) >= 0 || model_highest(irqhw.isr) >= 0)
		model_fail("disabled with a vector in it", model_highest(irqhw.irr));
	if (!kicks_are_held(irqhw.vp->partition))
		model_fail("disabled while kicks may come", -1);
	irqhw.x2apic = false;
	memset(irqhw.tmr, 0, sizeof(irqhw.tmr));
	reset_registers();
	return false;
}

void hw_irq_window(void)
{
	u32 max = 1 + irqhw.acks % 3; /* an instruction, or a few */

	irqhw.window = true;
	for (u32 i = 0; i < max && model_intr(); i++) {
		irqhw.drained += irqhw.vp->fwd.look_from == 0;
		(void)model_exit(irqhw.acks % 2 != 0);
	}
	irqhw.window = false;
}
