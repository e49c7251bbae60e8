/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/irq_fwd.c: a random guest with random devices on the model of the physical hardware,
 * with and without virtual-interrupt delivery; its invariants hold after each step, nothing is
 * lost.
 */
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "tests/host/apic/irq_sim.h"

static bool virtual_isr(u32 vector)
{
	return (vlapic_reg(&VP->apic, APIC_ISR + vector / 32 * 16) >> (vector % 32)) & 1;
}

static const u8 level_vectors[] = { 0x31, 0x42, 0x43, 0x61, 0x85 };     /* pins 0.. */
static const u8 edge_vectors[] = { 0x44, 0x51, 0x71 };                  /* pins 5.. */
static const u8 msi_vectors[] = { 0x33, 0x45, 0x62, 0x91, 0xe1, 0xef }; /* no pin */
static const u8 level_msi_vectors[] = { 0x32, 0x63, 0x61, 0xd5 };       /* one with a level pin's */

#define LEVEL_PINS ARRAY_SIZE(level_vectors)
#define EDGE_PINS  ARRAY_SIZE(edge_vectors)

static struct {
	bool intr_flag;
	bool accepting; /* the guest's APIC is enabled both ways */
	u32 isr[8];     /* the guest's own book of what it handles */
	u8 extint[64];
	u32 extint_count;
	u64 delivered, level_msis, redelivered, extints, windows, nested_eois;
} g;

/* For every acknowledge: the token moves to the virtual IRR, merges with it, or is dropped. */
static void count_accept(u8 vector, bool extint)
{
	if (extint) {
		if (g.extint_count == ARRAY_SIZE(g.extint))
			fail_msg("harness FIFO");
		g.extint[g.extint_count++] = vector;
		return;
	}
	if (!g.accepting || virtual_irr(vector))
		irqhw.tokens[vector]--;
}

static void check_invariants(void)
{
	for (u32 v = 0; v < 256; v++) {
		EXPECT_EQ((u32)model_bit(irqhw.irr, v) + virtual_irr(v), irqhw.tokens[v]);
		/* Between exits the physical ISR is what is held: no more, no less. */
		EXPECT_EQ(irq_fwd_is_held(&VP->fwd, (u8)v), model_bit(irqhw.isr, v));
		EXPECT_EQ(model_bit(g.isr, v), virtual_isr(v));
	}
	EXPECT_TRUE(apic_test_check_caches(&VP->apic));
	EXPECT_EQ(VP->apic.apicv_inhibit == 0, VP->apic.vid);
}

static s32 pin_of(u8 vector)
{
	for (u32 i = 0; i < LEVEL_PINS; i++)
		if (level_vectors[i] == vector)
			return (s32)i;
	return -1;
}

/* The CPU enters the handler: the device is served now or later. */
static void handler_entered(u8 vector)
{
	s32 pin = pin_of(vector);

	if (irqhw.tokens[vector] == 0)
		fail_msg("vector 0x%x delivered more often than sent", vector);
	irqhw.tokens[vector]--;
	g.isr[vector / 32] |= 1u << (vector % 32);
	g.delivered++;
	if (pin >= 0 && test_rng() % 4 != 0)
		model_line((u32)pin, false);
	g.intr_flag = test_rng() % 4 != 0;
}

/* SDM "Virtual-Interrupt Delivery": what the CPU does by itself. */
static void vid_deliver(void)
{
	u64 status = hw_vmread(VMCS_GUEST_INTERRUPT_STATUS);
	u8 rvi = (u8)status, svi = (u8)(status >> 8);
	u32 tpr = vlapic_reg(&VP->apic, APIC_TPR) & 0xf0;
	u32 ppr = (u32)(svi & 0xf0) > tpr ? svi & 0xf0u : tpr;
	u32 *irr = (u32 *)(void *)(VP->apic.page + APIC_IRR + rvi / 32 * 16);
	u32 *isr = (u32 *)(void *)(VP->apic.page + APIC_ISR + rvi / 32 * 16);
	u8 next = 0;

	if (!g.intr_flag || (rvi & 0xf0u) <= ppr)
		return;
	EXPECT_TRUE(virtual_irr(rvi));
	*irr &= ~(1u << (rvi % 32));
	*isr |= 1u << (rvi % 32);
	for (u32 v = 0; v < 256; v++)
		if (virtual_irr(v))
			next = (u8)v;
	hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (u64)rvi << 8 | next);
	handler_entered(rvi);
}

/* SDM "EOI Virtualization", then the exit that the EOI-exit bitmap asks for. */
static void vid_eoi(u8 vector)
{
	u64 status = hw_vmread(VMCS_GUEST_INTERRUPT_STATUS);
	u32 *isr = (u32 *)(void *)(VP->apic.page + APIC_ISR + vector / 32 * 16);
	struct exit_info x = { .qual = vector };
	u8 next = 0;

	EXPECT_EQ(vector, (status >> 8) & 0xff);
	*isr &= ~(1u << (vector % 32));
	for (u32 v = 0; v < 256; v++)
		if (virtual_isr(v))
			next = (u8)v;
	hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (status & 0xff) | (u64)next << 8);
	if ((hw_vmread((enum vmcs_field)(VMCS_EOI_EXIT0 + 2 * (vector / 64))) >> (vector % 64)) & 1)
		EXPECT_CALL(EXIT_RESUME, exit_virtualized_eoi(VP, &x));
}

static void guest_takes_interrupt(void)
{
	s32 vector;

	if (!g.intr_flag)
		return;
	if (VP->event.extint) {
		vector = extint_take(VP);
		EXPECT_EQ(g.extint[0], vector);
		memmove(g.extint, g.extint + 1, --g.extint_count);
		g.extints++;
		if (vector >= 0x30 && vector < 0x38)
			model_pic_eoi();
		return;
	}
	if (VP->apic.vid) { /* not while the APIC is disabled */
		vid_deliver();
		return;
	}
	vector = vlapic_pending_vector(VP);
	if (vector < 0)
		return;
	EXPECT_TRUE((vector & 0xf0) > (s32)(vlapic_reg(&VP->apic, APIC_TPR) & 0xf0));
	EXPECT_TRUE((vector & 0xf0) > (model_highest(g.isr) & 0xf0) || !any(g.isr));
	vlapic_accept(VP, (u8)vector);
	handler_entered((u8)vector);
}

static void guest_finishes_handler(void)
{
	s32 vector = model_highest(g.isr);
	s32 pin;
	u64 sent;

	if (vector < 0)
		return;
	pin = pin_of((u8)vector);
	g.isr[vector / 32] &= ~(1u << (vector % 32));
	irqhw.guest_done[vector] = true;
	g.nested_eois += any(g.isr);
	sent = irqhw.tokens[vector];
	if (VP->apic.vid)
		vid_eoi((u8)vector);
	else
		vlapic_write(VP, APIC_EOI, 0);
	/* Directed EOI: the guest tells the I/O APIC itself. */
	if (pin >= 0 && (irqhw.reg[APIC_SVR >> 4] & APIC_SVR_EOI_SUPPRESS) != 0)
		model_ioapic_eoi((u8)vector);
	g.redelivered += irqhw.tokens[vector] > sent;
	if (pin >= 0 && test_rng() % 2 == 0)
		model_line((u32)pin, false);
}

static void forget_virtual_irr(void)
{
	for (u32 v = 0; v < 256; v++)
		irqhw.tokens[v] -= virtual_irr(v);
	memset(g.isr, 0, sizeof(g.isr));
	g.accepting = false;
}

static void guest_svr(bool enable)
{
	u32 suppress = test_rng() % 2 ? APIC_SVR_EOI_SUPPRESS : 0;

	/* Like system software, it changes the EOI protocol with nothing in service only. */
	if (any(g.isr) || any(irqhw.isr))
		suppress = vlapic_reg(&VP->apic, APIC_SVR) & APIC_SVR_EOI_SUPPRESS;
	if (!vlapic_is_hw_enabled(&VP->apic))
		return;
	vlapic_write(VP, APIC_SVR, 0xff | suppress | (enable ? APIC_SVR_ENABLE : 0));
	g.accepting = enable;
	if (enable)
		vlapic_write(VP, APIC_LVT_LINT0, APIC_MODE_EXTINT << 8);
}

static void guest_resets_apic(void)
{
	forget_virtual_irr();
	if (test_rng() % 2) {
		vlapic_reset(VP, true);
		g.extint_count = 0;
		irqhw.pic_isr = 0;
	} else {
		apic_test_mode(VP, '0');
		check_invariants();
		if (test_rng() % 2)
			(void)model_exit(test_rng() % 2);
		apic_test_mode(VP, test_rng() % 2 ? 'x' : '2');
	}
	check_invariants();
	guest_svr(true);
}

static void device_step(void)
{
	u32 pin = (u32)(test_rng() % LEVEL_PINS);
	u32 what = (u32)(test_rng() % 16);

	if (what < 6) {
		model_line(pin, true);
	} else if (what < 8) {
		g.level_msis += model_msi_level(
			level_msi_vectors[test_rng() % ARRAY_SIZE(level_msi_vectors)]);
	} else if (what < 11) {
		(void)model_msi(msi_vectors[test_rng() % ARRAY_SIZE(msi_vectors)]);
	} else if (what < 13) {
		pin = (u32)(LEVEL_PINS + test_rng() % EDGE_PINS);
		model_line(pin, !irqhw.pin[pin].line);
	} else if (what < 14) {
		model_pic_irq((u32)(test_rng() % MODEL_PIC_IRQS));
	} else if (test_rng() % 4 == 0) {
		model_line(pin, false); /* the device changes its mind */
	}
}

/* Rule I6, also where the CPU answers from the page. What nothing blocks has exited before. */
static void guest_reads_irr(void)
{
	bool virtual;

	while (model_intr())
		EXPECT_TRUE(model_exit(false));
	virtual = (VP->ctx->word[CTX_PROC2] & PROC2_APIC_REGISTER_VIRT) != 0;
	for (u32 reg = APIC_IRR; reg < APIC_ESR; reg += APIC_REG_STRIDE) {
		u32 page = vlapic_reg(&VP->apic, reg);

		EXPECT_EQ(irqhw.irr[(reg - APIC_IRR) >> 4] | page,
			  virtual ? page : vlapic_read(VP, reg));
	}
}

static void guest_rare_step(void)
{
	u32 pin = (u32)(test_rng() % LEVEL_PINS);

	switch (test_rng() % 6) {
	case 0:
		guest_svr(false);
		EXPECT_FALSE(any(irqhw.isr));
		check_invariants();
		guest_svr(true);
		guest_reads_irr();
		break;
	case 1:
		guest_resets_apic();
		break;
	case 2: /* the trick that clears Remote IRR: edge and back */
		model_rte(pin, level_vectors[pin], false, true);
		model_rte(pin, level_vectors[pin], true, false);
		break;
	case 3:
		guest_reads_irr();
		break;
	case 4: /* who delivers changes in the middle of everything */
		if (VP->apic.apicv_inhibit & APICV_INHIBIT_REASON_BLOCKIRQ)
			vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
		else
			vlapic_apicv_inhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
		break;
	default: {
		u8 vector = level_vectors[test_rng() % LEVEL_PINS];

		if (!virtual_irr(vector) && g.accepting)
			irqhw.tokens[vector]++;
		vlapic_set_irr(VP, vector, false); /* an IPI with the number of a level vector */
		break;
	}
	}
}

static void guest_step(void)
{
	u32 pin = (u32)(test_rng() % (LEVEL_PINS + EDGE_PINS));
	struct model_pin *p = &irqhw.pin[pin];
	u32 what = (u32)(test_rng() % 32);

	if (what < 14) {
		guest_takes_interrupt();
	} else if (what < 22) {
		guest_finishes_handler();
	} else if (what < 25) {
		g.intr_flag = true;
	} else if (what < 26) {
		g.intr_flag = false;
	} else if (what < 28) {
		vlapic_write(VP, APIC_TPR, test_rng() % 3 == 0 ? 0x40 : 0);
	} else if (what < 31) {
		model_rte(pin, p->vector, p->level, test_rng() % 8 == 0);
	} else if (test_rng() % 8 == 0) {
		guest_rare_step();
	}
}

static void machine_step(void)
{
	if (test_rng() % 8 == 0) {
		g.windows++;
		hw_irq_window();
	} else {
		(void)model_exit(test_rng() % 2);
	}
}

/* Everything enabled, devices quiet, handlers serve: nothing may stay behind. */
static void quiesce(void)
{
	vlapic_write(VP, APIC_TPR, 0);
	guest_svr(true);
	vlapic_apicv_uninhibit(VP, APICV_INHIBIT_REASON_BLOCKIRQ);
	for (u32 i = 0; i < LEVEL_PINS + EDGE_PINS; i++)
		model_rte(i, irqhw.pin[i].vector, irqhw.pin[i].level, false);
	for (u32 i = 0; i < 2000; i++) {
		(void)model_exit(i % 2);
		g.intr_flag = true;
		guest_takes_interrupt();
		guest_finishes_handler();
		check_invariants();
	}
	for (u32 i = 0; i < LEVEL_PINS; i++) {
		if (irqhw.pin[i].line)
			fail_msg("level vector 0x%x is lost: remote IRR %d, masked %d",
				 level_vectors[i], irqhw.pin[i].remote_irr, irqhw.pin[i].masked);
		EXPECT_FALSE(irqhw.pin[i].remote_irr);
	}
	for (u32 v = 0; v < 256; v++)
		EXPECT_EQ(0, irqhw.tokens[v]);
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_FALSE(any_held());
	EXPECT_EQ(0, irqhw.pic_irr);
	EXPECT_EQ(0, g.extint_count);
	irq_fwd_drain(VP);
	EXPECT_FALSE(any_held());
}

static void random_run(bool vid, u32 steps)
{
	apic_test_init(1, vid);
	memset(&g, 0, sizeof(g));
	g.accepting = true;
	irqhw.before_accept = count_accept;
	irqhw.pin_mode = test_rng() % 4 == 0;
	for (u32 i = 0; i < LEVEL_PINS; i++)
		model_rte(i, level_vectors[i], true, false);
	for (u32 i = 0; i < EDGE_PINS; i++)
		model_rte((u32)LEVEL_PINS + i, edge_vectors[i], false, false);
	for (u32 i = 0; i < steps; i++) {
		switch (test_rng() % 4) {
		case 0:
			device_step();
			break;
		case 1:
			machine_step();
			break;
		default:
			guest_step();
			break;
		}
		check_invariants();
	}
	quiesce();
}

static void random_runs(bool vid)
{
	u64 delivered = 0, redelivered = 0, extints = 0, nested = 0, held = 0, level_msis = 0;

	for (u32 run = 0; run < 50; run++) {
		random_run(vid, 2500);
		delivered += g.delivered;
		redelivered += g.redelivered;
		extints += g.extints;
		nested += g.nested_eois;
		held += VP->counters.c[COUNTER_IRQ_LEVEL];
		level_msis += g.level_msis;
	}
	print_message("delivered %llu redelivered %llu extint %llu nested %llu held %llu level "
		      "MSIs %llu\n",
		      delivered, redelivered, extints, nested, held, level_msis);
	/* The driver must not become tame unnoticed. */
	EXPECT_GE(delivered, 5000);
	EXPECT_GE(redelivered, 400);
	EXPECT_GE(extints, 1000);
	EXPECT_GE(nested, 400);
	EXPECT_GE(held, 1500);
	EXPECT_GE(level_msis, 1500);
}

static void test_random_guest(void)
{
	random_runs(false);
}

static void test_random_guest_with_virtual_delivery(void)
{
	random_runs(true);
}

TEST_MAIN(TEST(test_random_guest), TEST(test_random_guest_with_virtual_delivery))
