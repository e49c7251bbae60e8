/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/event.c: what must not be delivered yet, on the short way to the entry and in a halt. */
#include "core/exit/exit.h"
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/fakes/fake.h"

static struct vp *vp;

static void set_up(void)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	vp->work = 0;
}

static s32 injected(void)
{
	u64 info = fake.vmcs[VMCS_VM_ENTRY_INTR_INFO];

	return (info & INTR_INFO_VALID) ? (s32)(info & INTR_INFO_VECTOR) : -1;
}

/* SDM "Task and Processor Priorities": a class above the TPR's, whatever the low four bits. */
static void test_a_request_of_the_tpr_s_class_waits(void)
{
	for (u32 vector = 0x10; vector < 0x100; vector += 0x11) {
		for (u32 tpr = 0; tpr < 0x100; tpr += 5) {
			set_up();
			vlapic_write(vp, APIC_TPR, tpr);
			vp->work = 0;
			vlapic_set_irr(vp, (u8)vector, false);
			(void)vp_prepare_entry(vp);
			EXPECT_EQ(vector >> 4 > tpr >> 4 ? (s32)vector : -1, injected());
		}
	}
}

/* A handler of an NMI that halts: the next NMI comes after its IRET, an interrupt wakes it. */
static void test_a_blocked_nmi_does_not_end_a_halt(void)
{
	set_up();
	vp->state = VP_HALTED;
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	event_nmi(vp);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_HALTED, vp->state);
	EXPECT_EQ(-1, injected());
	vlapic_set_irr(vp, 0x50, false);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(0x50, injected());
}

/* What another VP has posted is injected at this entry, whatever else there is to do. */
static void test_a_posted_vector_goes_with_other_work(void)
{
	set_up();
	vlapic_post_irq(vp, 0x50);
	vp_set_work(vp, VP_WORK_LINES);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(0x50, injected());
}

TEST_MAIN(TEST(test_a_posted_vector_goes_with_other_work),
	  TEST(test_a_request_of_the_tpr_s_class_waits),
	  TEST(test_a_blocked_nmi_does_not_end_a_halt))
