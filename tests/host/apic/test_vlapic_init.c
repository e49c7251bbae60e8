/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/vlapic.c, vlapic_reset(): what an INIT must not leave behind, and the TPR threshold of
 * every pair of classes. */
#include "core/apic/irq_msg.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

static void test_init_forgets_errors_not_yet_latched(void)
{
	apic_test_init(1, false);
	vlapic_set_irr(VP, 3, false); /* an illegal vector */
	vlapic_reset(VP, true);
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(0, vlapic_read(VP, APIC_ESR));
}

static void test_init_forgets_level_messages_on_their_way(void)
{
	static const struct irq_msg m = {
		.vector = 0x51, .mode = APIC_MODE_FIXED, .dest = 1, .level = true
	};
	struct vp *other = &at.vp[1];

	for (u32 init = 0; init < 2; init++) {
		apic_test_init(2, false);
		vlapic_write(other, APIC_SVR, 0x1ff);
		irq_msg_send(VP, &m);
		fake.cpu_vp = other;
		if (init != 0)
			vlapic_reset(other, true);
		vlapic_write(other, APIC_SVR, 0x1ff);
		irq_msg_work(other);
		EXPECT_EQ(init != 0 ? -1 : 0x51, vlapic_pending_vector(other));
	}
}

/* SDM "TPR Virtualization": the exit comes when bits 7:4 of the TPR fall below the threshold. */
static void test_threshold_of_every_pair_of_classes(void)
{
	for (u32 irr = 1; irr < 16; irr++) {
		for (u32 tpr = 0; tpr < 16; tpr++) {
			apic_test_init(1, false);
			vlapic_set_irr(VP, (u8)(irr << 4 | 0xf), false);
			vlapic_write(VP, APIC_TPR, tpr << 4);
			EXPECT_EQ(irr <= tpr ? irr : 0, vlapic_tpr_threshold(VP));
		}
	}
}

/* One class in service and the same requested: an EOI must come first, whatever the TPR. */
static void test_no_threshold_before_the_eoi(void)
{
	apic_test_init(1, false);
	vlapic_set_irr(VP, 0x51, false);
	vlapic_accept(VP, 0x51);
	vlapic_set_irr(VP, 0x52, false);
	vlapic_write(VP, APIC_TPR, 0x60);
	EXPECT_EQ(0, vlapic_tpr_threshold(VP));
	vlapic_eoi(VP);
	EXPECT_EQ(5, vlapic_tpr_threshold(VP));
}

TEST_MAIN(TEST(test_init_forgets_errors_not_yet_latched),
	  TEST(test_init_forgets_level_messages_on_their_way),
	  TEST(test_threshold_of_every_pair_of_classes), TEST(test_no_threshold_before_the_eoi))
