/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/vlapic_apicv.c: virtual-interrupt delivery goes away and comes back while interrupts
 * are in service and pending.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/event.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

/* The guest runs with interrupts enabled on a CPU that delivers them by itself. */
static void set_up(void)
{
	apic_test_init(1, true);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	VP->event = (struct event_state){ 0 };
	VP->work = 0;
}

static u32 injected(void)
{
	return (u32)hw_vmread(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VECTOR;
}

/* SDM "Local APIC State After It Has Been Software Disabled": held, to be handled by the CPU. */
static void test_software_disabled_apic_delivers_what_it_holds(void)
{
	set_up();
	vlapic_set_irr(VP, 0x51, false);
	event_prepare_entry(VP);
	EXPECT_EQ(0, injected());
	vlapic_write(VP, APIC_SVR, 0xff);
	event_prepare_entry(VP);
	EXPECT_EQ(0x51, injected());
	EXPECT_EQ(-1, vlapic_pending_vector(VP));

	set_up(); /* and with IF = 0 it opens a window */
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	vlapic_set_irr(VP, 0x51, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	event_prepare_entry(VP);
	EXPECT_EQ(0, injected());
	EXPECT_TRUE(VP->proc_ctls & PROC_INTERRUPT_WINDOW_EXITING);
}

TEST_MAIN(TEST(test_software_disabled_apic_delivers_what_it_holds))
