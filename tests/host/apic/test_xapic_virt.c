/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xAPIC mode with APIC-register virtualization: when it is on, and that a register write which the
 * CPU has done in the page already has the same effect as one that we emulate.
 */
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "tests/host/apic/irq_sim.h"

#define STEPS 400

static bool cpu_answers(void)
{
	bool on = (VP->ctx->word[CTX_PROC2] & PROC2_APIC_REGISTER_VIRT) != 0;

	EXPECT_EQ(VP->ctx->word[CTX_PROC2], hw_vmread(VMCS_PROC_BASED_CTLS2));
	return on;
}

/* Rule I6: while a level vector is held, reads of IRR must find what waits in the physical APIC. */
static void test_reads_exit_from_the_first_held_vector_on(void)
{
	apic_test_init(1, true);
	model_rte(0, 0x61, true, false);
	EXPECT_TRUE(cpu_answers());
	EXPECT_TRUE(model_msi(0x51)); /* an edge is nothing to remember */
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(cpu_answers());
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(irq_fwd_is_held(&VP->fwd, 0x61));
	EXPECT_FALSE(cpu_answers());
	EXPECT_TRUE(model_msi(0x52)); /* blocked by the physical ISR */
	EXPECT_EQ(BIT32(0x11) | BIT32(0x12), vlapic_read(VP, APIC_IRR + 0x20));
}

/* A VMWRITE per interrupt would cost more: only a change of mode brings it back. */
static void test_it_stays_off_until_the_mode_changes(void)
{
	apic_test_init(1, true);
	model_rte(0, 0x61, true, false);
	for (u32 i = 0; i < 2; i++) {
		model_line(0, true);
		EXPECT_TRUE(model_exit(false));
		model_line(0, false);
		irqhw.guest_done[0x61] = true;
		vlapic_accept(VP, 0x61);
		vlapic_write(VP, APIC_EOI, 0);
		EXPECT_FALSE(irq_fwd_holds_any(&VP->fwd));
		EXPECT_FALSE(cpu_answers());
	}
	vlapic_write(VP, APIC_SVR, 0xff);
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_TRUE(cpu_answers());
	apic_test_mode(VP, '2');
	EXPECT_FALSE(cpu_answers()); /* the machine has no virtual x2APIC mode */
}

static void test_a_cpu_without_it_never_has_it(void)
{
	apic_test_init(1, false);
	EXPECT_FALSE(cpu_answers());
	vlapic_write(VP, APIC_SVR, 0xff);
	EXPECT_FALSE(cpu_answers());
}

/* --- writes --- */

/* SDM "Virtualizing Writes to the APIC-Access Page": those that the CPU does in the page. */
static const u16 written[] = { APIC_ID,        APIC_TPR,       APIC_EOI,      APIC_LDR,
			       APIC_DFR,       APIC_SVR,       APIC_ESR,      APIC_ICR,
			       APIC_ICR2,      APIC_LVT_TIMER, APIC_LVT_PERF, APIC_LVT_LINT0,
			       APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TMICT,    APIC_TDCR };

/* Emulated, or as the CPU does it: the page first, then an exit behind the instruction. */
static void write(u32 reg, u32 val, bool virtual)
{
	struct exit_info x = { .qual = reg };

	if (!virtual) {
		vlapic_write(VP, reg, val);
		return;
	}
	/* "APIC-Write Emulation": no exit, bytes 2:0 are cleared. */
	*(u32 *)(void *)(VP->apic.page + reg) = reg == APIC_ICR2 ? val & 0xff000000 : val;
	if (reg != APIC_ICR2)
		EXPECT_CALL(EXIT_RESUME, exit_apic_write(VP, &x));
}

static u32 some_value(u32 reg)
{
	u32 val = (u32)test_rng();

	switch (reg) {
	case APIC_ICR: /* to itself, of any vector */
		return (val & 0xff) | BIT32(18) | APIC_ICR_ASSERT;
	case APIC_SVR:
		return val | (test_rng() % 4 ? APIC_SVR_ENABLE : 0);
	case APIC_LVT_LINT0: /* the model has no other modes */
	case APIC_LVT_LINT1:
		return APIC_LVT_MASKED | (val & 0xff);
	default:
		return val;
	}
}

static struct {
	u32 reg, val, pause_tsc;
} script[STEPS];

static u32 state[STEPS][64];

static void make_script(void)
{
	for (u32 i = 0; i < STEPS; i++) {
		script[i].reg = written[test_rng() % ARRAY_SIZE(written)];
		script[i].val = some_value(script[i].reg);
		script[i].pause_tsc = (u32)(test_rng() % 1000);
	}
}

static void run(bool virtual, void (*after)(u32 step))
{
	apic_test_init(1, true);
	for (u32 i = 0; i < STEPS; i++) {
		write(script[i].reg, script[i].val, virtual);
		fake.tsc += script[i].pause_tsc;
		after(i);
	}
}

/* What the guest can read in xAPIC mode after each write. */
static void note(u32 step)
{
	for (u32 i = 0; i < 64; i++)
		state[step][i] = vlapic_read(VP, i * APIC_REG_STRIDE);
}

static void compare(u32 step)
{
	for (u32 i = 0; i < 64; i++) {
		if (state[step][i] != vlapic_read(VP, i * APIC_REG_STRIDE))
			fail_msg("step %u, register 0x%x: 0x%x, emulated 0x%x", step, i * 16,
				 vlapic_read(VP, i * APIC_REG_STRIDE), state[step][i]);
		/* The CPU reads the page; what exits instead is not in it. */
		if (i * 16 != APIC_PPR && i * 16 != APIC_TMCCT &&
		    state[step][i] != vlapic_reg(&VP->apic, i * APIC_REG_STRIDE))
			fail_msg("step %u, register 0x%x: 0x%x in the page, emulated 0x%x", step,
				 i * 16, vlapic_reg(&VP->apic, i * APIC_REG_STRIDE),
				 state[step][i]);
	}
}

static void test_a_write_in_the_page_has_the_same_effect(void)
{
	for (u32 i = 0; i < 40; i++) {
		make_script();
		run(false, note);
		run(true, compare);
	}
}

TEST_MAIN(TEST(test_reads_exit_from_the_first_held_vector_on),
	  TEST(test_it_stays_off_until_the_mode_changes), TEST(test_a_cpu_without_it_never_has_it),
	  TEST(test_a_write_in_the_page_has_the_same_effect))
