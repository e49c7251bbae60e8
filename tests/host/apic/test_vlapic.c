/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/vlapic.c and vlapic_reg.c: priorities, EOI order, posting, register semantics. */
#include "arch/x86/defs/vmcs.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

static bool page_bit(u32 reg, u32 vector)
{
	return (vlapic_reg(&VP->apic, reg + vector / 32 * 16) >> (vector % 32)) & 1;
}

static void test_reset_state(void)
{
	apic_test_init(1, false);
	vlapic_reset(VP, true);
	EXPECT_EQ(0xff, vlapic_read(VP, APIC_SVR));
	EXPECT_EQ(0xffffffff, vlapic_read(VP, APIC_DFR));
	EXPECT_EQ(0, vlapic_read(VP, APIC_LDR));
	EXPECT_EQ(0, vlapic_read(VP, APIC_TPR));
	EXPECT_EQ(0x01060014, vlapic_read(VP, APIC_VERSION)); /* 7 LVTs, EOI suppression */
	for (u32 reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 16)
		EXPECT_EQ(APIC_LVT_MASKED, vlapic_read(VP, reg));
	EXPECT_EQ(APIC_LVT_MASKED, vlapic_read(VP, APIC_LVT_CMCI));
}

static void test_version_follows_the_machine(void)
{
	apic_test_init(1, false);
	irqhw.reg[APIC_VERSION >> 4] = 0x15 | 5 << 16;
	vlapic_init(VP, at.page[0]);
	EXPECT_EQ(0x00050014, vlapic_read(VP, APIC_VERSION));
	vlapic_write(VP, APIC_SVR, 0x1ff | APIC_SVR_EOI_SUPPRESS);
	EXPECT_EQ(0x1ff, vlapic_read(VP, APIC_SVR)); /* not there: not writable */
	vlapic_write(VP, APIC_LVT_CMCI, 0xf9);
	EXPECT_EQ(0, vlapic_reg(&VP->apic, APIC_LVT_CMCI));
}

/* The whole priority rule against the SDM's words, for random IRR, ISR and TPR. */
static void test_delivery_obeys_processor_priority(void)
{
	for (u32 run = 0; run < 3000; run++) {
		u32 tpr = (u32)(test_rng() & 0xff);
		s32 irr = -1, isr = -1, want;
		u32 ppr;

		apic_test_init(1, false);
		for (u32 i = (u32)(test_rng() % 4); i > 0; i--) {
			u8 v = (u8)(16 + test_rng() % 240);

			vlapic_set_irr(VP, v, false);
			vlapic_accept(VP, v);
			isr = v > isr ? v : isr;
		}
		for (u32 i = (u32)(test_rng() % 4); i > 0; i--) {
			u8 v = (u8)(16 + test_rng() % 240);

			vlapic_set_irr(VP, v, false);
			irr = v > irr ? v : irr;
		}
		vlapic_write(VP, APIC_TPR, tpr);
		ppr = isr >= 0 && (u32)(isr & 0xf0) > (tpr & 0xf0) ? (u32)isr & 0xf0 : tpr;
		want = irr >= 0 && (u32)(irr & 0xf0) > (ppr & 0xf0) ? irr : -1;
		EXPECT_EQ(ppr, vlapic_read(VP, APIC_PPR));
		EXPECT_EQ(want, vlapic_pending_vector(VP));
		EXPECT_TRUE(apic_test_check_caches(&VP->apic));
	}
}

static void test_eoi_clears_the_highest_only(void)
{
	static const u8 vectors[] = { 0x22, 0x41, 0x4f, 0x80, 0xfe };
	s32 n = ARRAY_SIZE(vectors);

	apic_test_init(1, false);
	for (s32 i = 0; i < n; i++) {
		vlapic_set_irr(VP, vectors[i], false);
		vlapic_accept(VP, vectors[i]);
	}
	while (n-- > 0) {
		EXPECT_TRUE(page_bit(APIC_ISR, vectors[n]));
		vlapic_write(VP, APIC_EOI, (u32)test_rng()); /* any value in xAPIC mode */
		for (s32 i = 0; i < (s32)ARRAY_SIZE(vectors); i++)
			EXPECT_EQ(i < n, page_bit(APIC_ISR, vectors[i]));
		EXPECT_TRUE(apic_test_check_caches(&VP->apic));
	}
	vlapic_write(VP, APIC_EOI, 0); /* nothing in service: no effect */
	EXPECT_EQ(5, VP->counters.c[COUNTER_EOI]);
	EXPECT_EQ(0, irqhw.eois);
}

static void test_eoi_asks_for_another_look(void)
{
	apic_test_init(1, false);
	vlapic_set_irr(VP, 0x50, false);
	vlapic_accept(VP, 0x50);
	vlapic_set_irr(VP, 0x51, false);
	VP->work = 0;
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	vlapic_eoi(VP);
	EXPECT_TRUE(VP->work & VP_WORK_EVENT);
	EXPECT_EQ(0x51, vlapic_pending_vector(VP));
}

static void test_tmr_follows_the_last_acceptance(void)
{
	apic_test_init(1, false);
	vlapic_set_irr(VP, 0x50, true);
	EXPECT_TRUE(page_bit(APIC_TMR, 0x50));
	vlapic_set_irr(VP, 0x50, false);
	EXPECT_FALSE(page_bit(APIC_TMR, 0x50));
}

static void test_illegal_vectors_are_errors(void)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_LVT_ERROR, 0xf0);
	vlapic_set_irr(VP, 15, false);
	EXPECT_EQ(0, vlapic_read(VP, APIC_IRR));
	EXPECT_EQ(0, vlapic_read(VP, APIC_ESR)); /* latched by a write only */
	vlapic_write(VP, APIC_ESR, 0xffff);
	EXPECT_EQ(APIC_ESR_RECEIVE_ILLEGAL, vlapic_read(VP, APIC_ESR));
	EXPECT_EQ(0xf0, vlapic_pending_vector(VP));
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(0, vlapic_read(VP, APIC_ESR));
	/* An error LVT with an illegal vector must not recurse for ever. */
	vlapic_write(VP, APIC_LVT_ERROR, 3);
	vlapic_set_irr(VP, 2, false);
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(APIC_ESR_RECEIVE_ILLEGAL, vlapic_read(VP, APIC_ESR));
}

static void test_disabled_apic_takes_nothing(void)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	vlapic_set_irr(VP, 0x50, false);
	vlapic_set_irr(VP, 3, false);
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(0, vlapic_read(VP, APIC_ESR));
	vlapic_write(VP, APIC_SVR, 0x1ff);
	vlapic_set_irr(VP, 0x50, false);
	EXPECT_EQ(0x50, vlapic_pending_vector(VP));
}

static void test_software_disable_masks_every_lvt(void)
{
	static const u32 lvts[] = { APIC_LVT_CMCI,  APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERF,
				    APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR };

	apic_test_init(1, false);
	for (u32 i = 0; i < ARRAY_SIZE(lvts); i++)
		vlapic_write(VP, lvts[i], 0x40 + i);
	vlapic_set_irr(VP, 0x51, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	for (u32 i = 0; i < ARRAY_SIZE(lvts); i++) {
		EXPECT_EQ((0x40 + i) | APIC_LVT_MASKED, vlapic_read(VP, lvts[i]));
		vlapic_write(VP, lvts[i], 0x50 + i); /* cannot be unmasked now */
		EXPECT_EQ((0x50 + i) | APIC_LVT_MASKED, vlapic_read(VP, lvts[i]));
	}
	EXPECT_EQ(0x51, vlapic_pending_vector(VP)); /* the IRR is kept */
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_EQ(0x51 | APIC_LVT_MASKED, vlapic_read(VP, APIC_LVT_TIMER)); /* stays masked */
	EXPECT_EQ(irqhw.reg[APIC_LVT_LINT0 >> 4], vlapic_read(VP, APIC_LVT_LINT0));
}

static void test_writable_bits(void)
{
	static const struct {
		u32 reg, mask;
	} rows[] = {
		{ APIC_TPR, 0xff },          { APIC_LDR, 0xff000000 },
		{ APIC_LVT_TIMER, 0x700ff }, { APIC_LVT_THERMAL, 0x107ff },
		{ APIC_LVT_PERF, 0x107ff },  { APIC_LVT_CMCI, 0x107ff },
		{ APIC_LVT_LINT0, 0x1a7ff }, { APIC_LVT_LINT1, 0x1a7ff },
		{ APIC_LVT_ERROR, 0x100ff }, { APIC_TDCR, 0xb },
		{ APIC_ICR2, 0xff000000 },   { APIC_SVR, 0x13ff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		apic_test_init(1, false);
		vlapic_write(VP, rows[i].reg, 0xffffffff);
		EXPECT_EQ(rows[i].mask, vlapic_read(VP, rows[i].reg));
	}
	apic_test_init(1, false);
	vlapic_write(VP, APIC_DFR, 0x12345678);
	EXPECT_EQ(0x1fffffff, vlapic_read(VP, APIC_DFR));
}

static void test_read_only_and_absent_registers(void)
{
	static const u32 read_only[] = { APIC_ID,  APIC_VERSION,    APIC_APR,
					 APIC_PPR, APIC_RRD,        APIC_ISR,
					 APIC_TMR, APIC_IRR + 0x70, APIC_TMCCT };

	apic_test_init(2, false);
	EXPECT_EQ(1u << 24, vlapic_read(&at.vp[1], APIC_ID));
	for (u32 i = 0; i < ARRAY_SIZE(read_only); i++) {
		u32 before = vlapic_read(VP, read_only[i]);

		vlapic_write(VP, read_only[i], 0xffffffff);
		EXPECT_EQ(before, vlapic_read(VP, read_only[i]));
		vlapic_write(VP, APIC_ESR, 0);
		EXPECT_EQ(0, vlapic_read(VP, APIC_ESR));
	}
	for (u32 reg = 0; reg < 0x1000; reg += 16) {
		static const u32 absent[] = { 0x00, 0x10, 0x40, 0x70, 0x290, 0x2e0, 0x3a0, 0x3f0 };
		bool is_absent = reg >= 0x400;

		for (u32 i = 0; i < ARRAY_SIZE(absent); i++)
			is_absent |= reg == absent[i];
		if (!is_absent)
			continue;
		EXPECT_EQ(0, vlapic_read(VP, reg));
		vlapic_write(VP, APIC_ESR, 0);
		EXPECT_EQ(APIC_ESR_ILLEGAL_REGISTER, vlapic_read(VP, APIC_ESR));
		vlapic_write(VP, reg, 1);
		vlapic_write(VP, APIC_ESR, 0);
		EXPECT_EQ(APIC_ESR_ILLEGAL_REGISTER, vlapic_read(VP, APIC_ESR));
	}
}

/* Exit exactly when a lower TPR would let the highest pending vector through. */
static void test_tpr_threshold_wakes_when_it_matters(void)
{
	for (u32 run = 0; run < 3000; run++) {
		u32 tpr = (u32)(test_rng() & 0xff), threshold;
		bool pending;

		apic_test_init(1, false);
		for (u32 i = 0; i < 2; i++) {
			u8 v = (u8)(16 + test_rng() % 240);

			if (test_rng() % 2)
				vlapic_set_irr(VP, v, false);
			if (test_rng() % 4 == 0) {
				vlapic_set_irr(VP, v, false);
				vlapic_accept(VP, v);
			}
		}
		vlapic_write(VP, APIC_TPR, tpr);
		threshold = vlapic_tpr_threshold(VP);
		EXPECT_TRUE(threshold <= tpr >> 4); /* rule K2b */
		pending = vlapic_pending_vector(VP) >= 0;
		if (pending)
			EXPECT_EQ(0, threshold);
		for (u32 lower = 0; lower <= tpr; lower += 16) {
			vlapic_write(VP, APIC_TPR, lower);
			EXPECT_EQ(pending || lower >> 4 < threshold,
				  vlapic_pending_vector(VP) >= 0);
		}
	}
}

static void test_posting_reaches_and_kicks_the_other_vp(void)
{
	struct vp *other = &at.vp[1];

	apic_test_init(2, false);
	vlapic_write(other, APIC_SVR, 0x1ff);
	other->work = 0;
	irqhw.vp = VP;
	vlapic_post_irq(other, 0x41);
	vlapic_post_irq(other, 0xfd);
	vlapic_post_irq(other, 0x41);
	EXPECT_GE(fake.kick_count, 1);
	EXPECT_TRUE(fake.kicked[0] == other);
	EXPECT_TRUE(other->work & VP_WORK_POSTED);
	EXPECT_EQ(-1, vlapic_pending_vector(other));
	fake.cpu_vp = other;
	vlapic_fold_posted(other);
	EXPECT_EQ(0xfd, vlapic_pending_vector(other));
	vlapic_accept(other, 0xfd);
	vlapic_eoi(other);
	EXPECT_EQ(0x41, vlapic_pending_vector(other));
	vlapic_accept(other, 0x41);
	vlapic_eoi(other);
	vlapic_fold_posted(other);
	EXPECT_EQ(-1, vlapic_pending_vector(other));
}

static void test_init_forgets_what_was_posted(void)
{
	apic_test_init(1, false);
	vlapic_post_irq(VP, 0x41);
	EXPECT_EQ(0, fake.kick_count); /* nobody kicks itself */
	vlapic_reset(VP, true);
	vlapic_write(VP, APIC_SVR, 0x1ff);
	vlapic_fold_posted(VP);
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
}

static void test_virtual_delivery_keeps_rvi_and_svi(void)
{
	apic_test_init(1, true);
	vlapic_set_irr(VP, 0x41, false);
	vlapic_set_irr(VP, 0x91, false);
	EXPECT_EQ(0x91, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
	EXPECT_EQ(0x91, vlapic_pending_vector(VP)); /* wakes a halted VP */
	vlapic_accept(VP, 0x91);
	EXPECT_EQ(0x9141, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
	EXPECT_EQ(0x90, vlapic_read(VP, APIC_PPR));
	EXPECT_EQ(0, vlapic_tpr_threshold(VP));
	vlapic_eoi(VP); /* an EOI that is not the CPU's own: hypercall ABIs */
	EXPECT_EQ(0x0041, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
	vlapic_reset(VP, true);
	EXPECT_EQ(0, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
}

TEST_MAIN(TEST(test_reset_state), TEST(test_version_follows_the_machine),
	  TEST(test_delivery_obeys_processor_priority), TEST(test_eoi_clears_the_highest_only),
	  TEST(test_eoi_asks_for_another_look), TEST(test_tmr_follows_the_last_acceptance),
	  TEST(test_illegal_vectors_are_errors), TEST(test_disabled_apic_takes_nothing),
	  TEST(test_software_disable_masks_every_lvt), TEST(test_writable_bits),
	  TEST(test_read_only_and_absent_registers), TEST(test_tpr_threshold_wakes_when_it_matters),
	  TEST(test_posting_reaches_and_kicks_the_other_vp),
	  TEST(test_init_forgets_what_was_posted), TEST(test_virtual_delivery_keeps_rvi_and_svi))
