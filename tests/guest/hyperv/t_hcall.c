// SPDX-License-Identifier: BSD-2-Clause
// The Hyper-V hypercall interface: its two MSRs, the page, and the status of every wrong control
// word.

#include "tests/guest/hyperv/hcall.h"
#include "tests/guest/lib/boot.h"

static u8 pages[2][4096] ALIGNED(4096);

/* --- the MSRs and the page --- */

static void hcall_msrs(void)
{
	if (!hyperv_begin())
		return;
	hyperv_end();
	wrmsr(HCALL, at(pages[0]) | ENABLE); /* nobody is there yet */
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(OS_ID, 0x8100123456789abc);
	EXPECT_EQ(0x8100123456789abc, rdmsr(OS_ID));
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(HCALL, at(pages[0]) | ENABLE | 0xffc);
	EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, machine_end() | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, BIT64(63) | at(pages[1]) | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, 0xfee00000 | ENABLE));
	EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
	wrmsr(OS_ID, 0); /* takes the page away */
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(HCALL, 0);
}

static void page_store(u64 page)
{
	*(volatile u8 *)page = 1;
}

static void expect_page(const u8 *page)
{
	static const u8 code[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	EXPECT_EQ(0, memcmp(page, code, sizeof(code)));
	for (u32 i = sizeof(code); i < 4096; i++)
		EXPECT_AT(page[i] == 0xcc, "byte %u", i);
	EXPECT_EQ(EXC_GP, trap_of(page_store, at(page)));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(0x0f, page[0]);
}

static void fill(void)
{
	memset(pages[0], 0x11, 4096);
	memset(pages[1], 0x22, 4096);
}

static void hcall_page(void)
{
	if (!hyperv_begin())
		return;
	fill();
	wrmsr(HCALL, at(pages[0]) | ENABLE);
	expect_page(pages[0]);
	wrmsr(HCALL, at(pages[1]) | ENABLE); /* moved: what it covered is back */
	EXPECT_EQ(0x11, pages[0][0]);
	EXPECT_EQ(0x11, pages[0][4095]);
	expect_page(pages[1]);
	wrmsr(HCALL, at(pages[1]));
	EXPECT_EQ(0x22, pages[1][0]);
	pages[1][0] = 0x33;
	wrmsr(HCALL, at(pages[1]) | ENABLE);
	expect_page(pages[1]);
	wrmsr(OS_ID, 0);
	EXPECT_EQ(0x33, pages[1][0]);
	EXPECT_EQ(0x22, pages[1][4095]);
	hyperv_end();
}

/* Until the machine is reset: the last test of its boot. */
static void hcall_lock(void)
{
	u64 locked = at(pages[0]) | ENABLE | LOCKED;

	if (!hyperv_begin())
		return;
	wrmsr(HCALL, locked);
	if (!has_d(HV_FEATURE_HYPERCALL_MSR_LOCK_AVAILABLE)) {
		EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
		hyperv_end();
		return;
	}
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, locked));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, at(pages[1]) | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, 0));
	wrmsr(OS_ID, 0);
	EXPECT_EQ(locked, rdmsr(HCALL));
	expect_page(pages[0]);
}

/* --- statuses --- */

static void hcall_codes(void)
{
	static const u16 unknown[] = { 0,     1,     5,     7,      9,      0x16,   0x40,  0xff,
				       0x100, 0x103, 0x107, 0x7fff, 0x8000, 0xbeef, 0xffff };
	/* KVM looks at the form of these before it looks for them. */
	static const u16 not_here[] = { 0x69, 0x6a, 0x6b, 0x800f, 0x8010 };
	static const u16 denied[] = { HVCALL_GET_PARTITION_ID, HVCALL_DISABLE_VP_VTL,
				      HVCALL_ENABLE_VP_VTL };

	if (!hyperv_begin())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_AT(hyperv_call(unknown[i], at(area), 0) == 2, "0x%x", unknown[i]);
		EXPECT_AT(hyperv_call(unknown[i] | HYPERV_FAST, 0, 0) == 2, "0x%x", unknown[i]);
	}
	for (u32 i = 0; is_strict() && i < ARRAY_SIZE(not_here); i++) {
		EXPECT_AT(hyperv_call(not_here[i], at(area), 0) == 2, "0x%x", not_here[i]);
		EXPECT_AT(hyperv_call(not_here[i] | HYPERV_FAST, 0, 0) == 2, "0x%x", not_here[i]);
	}
	for (u32 i = 0; is_strict() && i < ARRAY_SIZE(denied); i++) {
		EXPECT_AT(hyperv_call(denied[i], at(area), 0) == 6, "0x%x", denied[i]);
		EXPECT_AT(hyperv_call(denied[i] | BIT64(63), 1, 1) == 6, "0x%x", denied[i]);
	}
	hyperv_end();
}

static void hcall_spin_wait(void)
{
	static const u64 reserved = GENMASK64(31, 27) | GENMASK64(47, 44) | GENMASK64(63, 60);

	if (!hyperv_begin())
		return;
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN | HYPERV_FAST, 0x1000, ~0ull));
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN, at(area), ~0ull));
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN, at(area) + 4088, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_REPS(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_START(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_VAR(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_VAR(1023), at(area), 0));
	for (u32 bit = 0; bit < 64; bit++) {
		if (reserved >> bit & 1)
			EXPECT_AT(hyperv_call(SPIN | BIT64(bit), at(area), 0) == spin_status(3),
				  "bit %u", bit);
	}
	for (u64 off = 1; is_strict() && off < 8; off++)
		EXPECT_EQ(spin_status(4), hyperv_call(SPIN, at(area) + off, 0));
	hyperv_end();
}

/* Where input may not lie: devices, the hypervisor, beyond the machine, under the page. */
static void hcall_places(void)
{
	u64 region, len;

	if (!hyperv_begin())
		return;
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, 0xfee00000, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, machine_end(), 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, ~0ull & ~7ull, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, hyperv_rip() - 3, 0));
	if (boot_hv_region(&region, &len))
		EXPECT_EQ(spin_status(3), hyperv_call(SPIN, region, 0));
	hyperv_end();
}

/* Lists, and header sizes that disagree: the flush of a list takes both. */
static void hcall_lists(void)
{
	u64 list = HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST;

	if ((hyperv_hints() & HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) == 0)
		return test_skip("hv-tlbflush is off");
	if (!hyperv_begin())
		return;
	memset(area, 0, sizeof(area));
	area[1] = HV_FLUSH_ALL_PROCESSORS;
	EXPECT_EQ(HYPERV_REPS(9), hyperv_call(list | HYPERV_REPS(9), at(area), 0));
	EXPECT_EQ(HYPERV_REPS(509), hyperv_call(list | HYPERV_REPS(509), at(area), 0));
	if (is_strict()) { /* KVM has no list that begins behind its start, and reads no long one */
		EXPECT_EQ(HYPERV_REPS(9),
			  hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(8), at(area), 0));
		EXPECT_EQ(4, hyperv_call(list | HYPERV_REPS(510), at(area), 0) & 0xffff);
		EXPECT_EQ(4, hyperv_call(list | HYPERV_REPS(4095), at(area), 0) & 0xffff);
	}
	EXPECT_EQ(3, hyperv_call(list, at(area), 0));
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(9), at(area), 0) & 0xffff);
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(4095), at(area), 0) & 0xffff);
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_VAR(1), at(area), 0) & 0xffff);
	hyperv_end();
}

static void xmm_flush(u64 reps)
{
	static const u64 words[HYPERV_FAST_WORDS] = { 0, HV_FLUSH_ALL_PROCESSORS };
	u64 control = reps != 0 ? HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST | HYPERV_REPS(reps)
				: HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE;
	u64 want = reps > 11 ? 3 : HYPERV_REPS(reps);

	EXPECT_AT((hyperv_xmm_call(control, words) & (reps > 11 ? 0xffff : ~0ull)) == want,
		  "%llu elements", reps);
}

/* 112 bytes with hv-xmm-input; without it #UD as soon as the input needs XMM0. */
static void hcall_xmm_input(void)
{
	static const u64 words[HYPERV_FAST_WORDS] = { 0, HV_FLUSH_ALL_PROCESSORS };

	if ((hyperv_hints() & HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) == 0)
		return test_skip("hv-tlbflush is off");
	if (!hyperv_begin())
		return;
	if (has_d(HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE)) {
		static const u64 reps[] = { 0, 1, 2, 11, 12, 4095 };

		for (u32 i = 0; i < ARRAY_SIZE(reps); i++) {
			if (is_strict() || reps[i] <= 12)
				xmm_flush(reps[i]);
		}
	} else {
		slot_begin();
		(void)words;
		(void)call_slot(HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HYPERV_FAST);
		if (EXPECT_REFUSED(trap_vector() == EXC_UD))
			EXPECT_EQ(at(slot), trap_last()->rip);
	}
	hyperv_end();
}

static const struct test t_hcall_tests[] = {
	OURS(hcall_msrs),
	OURS(hcall_page),
	ROW(hcall_codes),
	ROW(hcall_spin_wait),
	OURS(hcall_places),
	ROW(hcall_lists),
	ROW(hcall_xmm_input),
	{ .name = "hcall_lock", .run = hcall_lock, .flags = T_KENSHO | T_SOLO },
};
TEST_GROUP(t_hcall);
