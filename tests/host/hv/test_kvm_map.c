/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/kvm: pages that are registered where the guest then moves its APIC (invariant 6). */
#include "arch/x86/defs/msr.h"
#include "core/apic/vlapic.h"
#include "core/mem/shared_area.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

#define AT GUEST_RAM_BASE

static struct fake_guest g;

static void move_apic(u64 to)
{
	EXPECT_EQ(MSR_OK,
		  msr_write(&g.vp[0], MSR_IA32_APIC_BASE, to | APIC_BASE_EN | APIC_BASE_BSP));
}

static void test_an_apic_on_registered_pages_stops_their_writes(void)
{
	struct vp *vp = &g.vp[0];
	u8 before[4096];
	u64 begin_tsc;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(ERR_NONE, apic_page_init(&g.p));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_PV_EOI_EN, AT | 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_STEAL_TIME, (AT + 0x40) | 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_SYSTEM_TIME_NEW, (AT + 0x80) | 1));
	EXPECT_TRUE(shared_area_is_live(&vp->apic.lazy_word));
	memcpy(before, g.ram, sizeof(before));
	move_apic(AT);
	EXPECT_FALSE(shared_area_is_live(&vp->apic.lazy_word));
	begin_tsc = steal_begin();
	fake.tsc += 1000000;
	steal_end(vp, STEAL_CALL, begin_tsc);
	g.p.hooks->clock_changed(&g.p);
	EXPECT_MEMEQ(before, g.ram, sizeof(before));
	move_apic(0xfee00000);
	EXPECT_TRUE(shared_area_is_live(&vp->apic.lazy_word));
	g.p.hooks->clock_changed(&g.p);
	EXPECT_NE(0, memcmp(before, g.ram, sizeof(before)));
}

TEST_MAIN(TEST(test_an_apic_on_registered_pages_stops_their_writes))
