/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/vmx_ctls.c: APIC virtualization on CPUs that have half of it. */
#include "arch/x86/vmx_ctls.h"

#include "arch/x86/defs/vmcs.h"
#include "tests/host/harness.h"

static struct vmx_caps everything(void)
{
	u64 all = 0xffffffff00000000ull;

	return (struct vmx_caps){
		.pin = all, .proc = all, .proc2 = all, .exit = all, .entry = all
	};
}

/* Without a TPR shadow the guest's CR8 would be the machine's: both directions exit. */
static void test_cr8_exits_without_a_tpr_shadow(void)
{
	const u32 cr8 = PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING;
	const struct vmx_guest_features none = { false };
	struct vmx_caps caps = everything();
	struct vmx_apicv a = { false };
	struct vmx_ctls c;

	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &none, &a, true, &c));
	EXPECT_EQ(cr8, c.proc & (cr8 | PROC_USE_TPR_SHADOW));
	a.tpr_shadow = true;
	EXPECT_EQ(ERR_NONE, vmx_ctls_init(&caps, &none, &a, true, &c));
	EXPECT_EQ(PROC_USE_TPR_SHADOW, c.proc & (cr8 | PROC_USE_TPR_SHADOW));
}

/* Reads from the page are no use where accesses do not say which register. */
static void test_register_virtualization_needs_the_access_page(void)
{
	struct vmx_caps caps = everything();
	const char *why = NULL;
	struct vmx_apicv a;

	caps.proc2 &= ~((u64)PROC2_VIRTUALIZE_APIC_ACCESSES << 32);
	EXPECT_EQ(ERR_NONE, vmx_apicv_decide(&caps, APICV_AUTO, false, &a, &why));
	EXPECT_TRUE(a.tpr_shadow && a.virt_x2apic);
	EXPECT_FALSE(a.apic_accesses || a.register_virt || a.virt_intr_delivery);
}

TEST_MAIN(TEST(test_cr8_exits_without_a_tpr_shadow),
	  TEST(test_register_virtualization_needs_the_access_page))
