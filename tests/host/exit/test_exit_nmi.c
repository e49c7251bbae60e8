/* SPDX-License-Identifier: BSD-2-Clause */
/* core/exit/exit_event.c, core/vp/vp.c: NMI exits (rule K2), whose it was, and when port 61h is
 * asked. */
#include "core/exit/exit.h"
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/apic/vlapic_internal.h"
#include "tests/host/fakes/fake.h"

static struct vp *vp;

static void init(void)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	vp->event = (struct event_state){ 0 };
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE;
	exit_table_init(&exit_table_guest);
}

#define LINT_NMI (APIC_MODE_NMI << 8)

/* Port 61h exists unless it reads 0xff; @lvt, if not 0, passes NMIs. */
static void nmi_exit(u32 kicked, u32 port61, u32 lvt)
{
	init();
	vp->kicked = kicked;
	fake.io_val[0x61] = port61;
	at.p.machine.has_nmi_status = vp_probe_nmi_status();
	vlapic_reg_set(&vp->apic, APIC_LVT_LINT0, APIC_LVT_MASKED);
	vlapic_reg_set(&vp->apic, APIC_LVT_LINT1, APIC_LVT_MASKED);
	if (lvt != 0)
		vlapic_reg_set(&vp->apic, lvt, LINT_NMI);
	else
		vp->apic.base_msr &= ~APIC_BASE_EN; /* LINT1 is the NMI pin */
	fake.io_count = 0;
	fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = INTR_INFO_VALID | INTR_TYPE_NMI << 8 | EXC_NMI;
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_EXCEPTION_NMI;
	exit_complete(vp, exit_dispatch(vp, NULL, hw_vmread(VMCS_EXIT_REASON)));
	EXPECT_EQ(1, fake.nmi_unblocks);
	EXPECT_EQ(0, vp->kicked);
}

/* Rule K2: a kick is ours; an NMI that nobody sent, or that port 61h claims as well, is the
 * guest's. */
static void test_nmi_is_a_kick_or_the_guests_or_both(void)
{
	static const u32 ways[] = { APIC_LVT_LINT1, APIC_LVT_LINT0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		nmi_exit(1, 0, ways[i]);
		EXPECT_FALSE(vp->event.nmis_pending);
		nmi_exit(0, 0, ways[i]);
		EXPECT_TRUE(vp->event.nmis_pending);
		nmi_exit(1, 0x80, ways[i]);
		EXPECT_TRUE(vp->event.nmis_pending);
		nmi_exit(1, 0x40, ways[i]);
		EXPECT_TRUE(vp->event.nmis_pending);
	}
}

/* A machine without port 61h answers 0xff: not each kick is an NMI of a device, too. */
static void test_kick_without_port_61h_is_only_a_kick(void)
{
	nmi_exit(1, 0xff, APIC_LVT_LINT1);
	EXPECT_FALSE(vp->event.nmis_pending);
	EXPECT_EQ(0, fake.io_count);
	nmi_exit(0, 0xff, APIC_LVT_LINT1);
	EXPECT_TRUE(vp->event.nmis_pending);
}

/* The port is read only for a kick that can hide an NMI of a device. */
static void test_port_61h_is_read_only_with_reason(void)
{
	nmi_exit(1, 0, APIC_LVT_LINT1);
	EXPECT_EQ(1, fake.io_count);
	nmi_exit(0, 0, APIC_LVT_LINT1); /* no kick: the guest's in any case */
	EXPECT_EQ(0, fake.io_count);
	nmi_exit(1, 0xc0, APIC_LVT_THERMAL); /* LINT0 and LINT1 are masked: it never got here */
	EXPECT_EQ(0, fake.io_count);
	EXPECT_FALSE(vp->event.nmis_pending);
	nmi_exit(1, 0xc0, APIC_LVT_LINT1);
	vlapic_reg_set(&vp->apic, APIC_LVT_LINT1, LINT_NMI | APIC_LVT_MASKED);
	vlapic_reg_set(&vp->apic, APIC_LVT_LINT0, APIC_MODE_EXTINT << 8); /* virtual wire */
	vp->kicked = 1;
	fake.io_count = 0;
	vp_nmi_received(vp);
	EXPECT_EQ(0, fake.io_count);
}

TEST_MAIN(TEST(test_nmi_is_a_kick_or_the_guests_or_both),
	  TEST(test_kick_without_port_61h_is_only_a_kick),
	  TEST(test_port_61h_is_read_only_with_reason))
