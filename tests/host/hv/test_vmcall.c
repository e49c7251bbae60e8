/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/vmcall.c and the hypercalls of hv/kvm/kvm.c, through the exit row. */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static const struct gpr_regs marks = { .rcx = 1,
				       .rdx = 2,
				       .rbx = 3,
				       .rbp = 4,
				       .rsi = 5,
				       .rdi = 6,
				       .r8 = 7,
				       .r9 = 8,
				       .r10 = 9,
				       .r15 = 10 };

static enum exit_action call(u64 nr)
{
	g.vp[0].regs = marks;
	g.vp[0].regs.rax = nr;
	return exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(&g.vp[0], NULL);
}

/* Result in RAX; no other register changes. */
static void expect_result(u64 want)
{
	struct gpr_regs r = g.vp[0].regs;

	EXPECT_EQ(want, r.rax);
	r.rax = marks.rax;
	EXPECT_MEMEQ(&marks, &r, sizeof(r));
}

static void set_cpl(u32 cpl)
{
	fake.vmcs[VMCS_GUEST_SS_AR] = (0xc093 & ~0x60u) | cpl << 5;
}

static void test_unknown_number_is_enosys(void)
{
	u64 unknown = 0;
	bool live;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(EXIT_NEXT, call(1));
	expect_result(0);
	for (u64 nr = 0; nr < HCALL_LOW; nr++) {
		(void)hcall_find(kvm_abi.calls, nr, &live);
		if (live)
			continue; /* test_kvm_hcall.c */
		EXPECT_EQ(EXIT_NEXT, call(nr));
		expect_result((u64)-1000);
		unknown++;
	}
	EXPECT_EQ(EXIT_NEXT, call(0xffffffff00000001ull)); /* 64-bit mode: all of RAX counts */
	expect_result((u64)-1000);
	EXPECT_EQ(unknown + 1, g.vp[0].counters.c[COUNTER_VMCALL_UNKNOWN]);
}

static void test_user_mode_is_eperm_without_fault(void)
{
	fake_guest_init(&g, 1, NULL);
	for (u32 cpl = 1; cpl < 4; cpl++) {
		set_cpl(cpl);
		EXPECT_EQ(EXIT_NEXT, call(1));
		expect_result((u64)-1);
		EXPECT_EQ(0, g.vp[0].event.info);
	}
	EXPECT_EQ(3, g.vp[0].counters.c[COUNTER_HCALL_DENIED]);
}

static void test_32_bit_callers_have_32_bits(void)
{
	fake_guest_init(&g, 1, NULL);
	for (int how = 0; how < 2; how++) {
		if (how == 0)
			fake.vmcs[VMCS_GUEST_CS_AR] &= ~(u64)AR_L; /* compatibility mode */
		else
			fake.vmcs[VMCS_GUEST_EFER] &= ~EFER_LMA; /* legacy mode */
		EXPECT_EQ(EXIT_NEXT, call(0xdeadbeef00000001ull));
		expect_result(0);
		EXPECT_EQ(EXIT_NEXT, call(2));
		expect_result((u32)-1000);
		set_cpl(3);
		EXPECT_EQ(EXIT_NEXT, call(1));
		expect_result((u32)-1);
		set_cpl(0);
	}
}

static void kvm_off(struct partition *p)
{
	p->config.cpu_features &= ~BIT64(FEATURE_KVM);
}

static void test_no_abi_is_ud(void)
{
	fake_guest_init(&g, 1, kvm_off);
	EXPECT_EQ(EXIT_RESUME, call(1));
	EXPECT_EQ(EXC_UD, g.vp[0].event.info & 0xff);
	EXPECT_EQ(1, g.vp[0].regs.rax); /* the instruction did nothing */
}

static void test_row_replaces_core_default(void)
{
	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(EXIT_CLASS_HANDLED, exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->class);
}

TEST_MAIN(TEST(test_unknown_number_is_enosys), TEST(test_user_mode_is_eperm_without_fault),
	  TEST(test_32_bit_callers_have_32_bits), TEST(test_no_abi_is_ud),
	  TEST(test_row_replaces_core_default))
