// SPDX-License-Identifier: BSD-2-Clause
// Who may make a Hyper-V call, from which mode, and in which registers.

#include "arch/x86/defs/cr.h"
#include "tests/guest/hyperv/hcall.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/lib/modes.h"

static u8 page[4096] ALIGNED(4096);

typedef u32 (*place_fn)(u64 control, u64 *result);

static u64 user_control;

static u32 in_long0(u64 control, u64 *result)
{
	*result = call_slot(control);
	return trap_vector();
}

static u32 in_long3(u64 control, u64 *result)
{
	*result = user_call(call_slot, control);
	return trap_vector();
}

static u32 in_compat0(u64 control, u64 *result)
{
	trap_clear();
	*result = compat_call(at(slot), G_CODE32, G_CODE64, (u32)control);
	return trap_vector();
}

static u64 user_compat(u64 unused)
{
	return compat_call(at(slot), G_USER32, G_UCODE64, (u32)user_control);
}

static u32 in_compat3(u64 control, u64 *result)
{
	user_control = control;
	trap_clear();
	*result = user_call(user_compat, 0);
	return trap_vector();
}

static u32 in_real(u64 control, u64 *result)
{
	struct mailbox *mail = mode_mail();

	memset(mail->in, 0, sizeof(mail->in));
	memcpy(mail->in, slot, 16);
	mail->in[4] = (u32)control;
	mode_run(MODE_REAL, rm_try);
	*result = mail->out[1];
	return mail->out[0] == 0 ? NO_FAULT : mail->out[0] - 1;
}

/* VMCALL; RET. 16-bit and 32-bit protected mode, virtual-8086 mode: task_vmcall_hyperv. */
static void hcall_environments(void)
{
	static const struct {
		const char *name;
		place_fn run;
		bool legal;
	} places[] = { { "64-bit CPL 0", in_long0, true },
		       { "64-bit CPL 3", in_long3, false },
		       { "compatibility CPL 0", in_compat0, true },
		       { "compatibility CPL 3", in_compat3, false },
		       { "real", in_real, false } };

	if (!hyperv_begin())
		return;
	slot_begin();
	/* KVM answers without the page, too. */
	for (u32 on = is_strict() ? 0 : 1; on < 2; on++) {
		if (!on)
			wrmsr(HCALL, at(page));
		else
			wrmsr(HCALL, at(page) | ENABLE);
		for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
			u32 want = on && places[i].legal ? NO_FAULT : EXC_UD;
			u64 result = 0;
			u32 got = places[i].run(UNKNOWN, &result);

			EXPECT_AT(got == want && (want == EXC_UD || result == 2),
				  "%s, page %u: vector 0x%x, result 0x%llx", places[i].name, on,
				  got, result);
		}
	}
	hyperv_end();
}

/* --- 32-bit callers --- */

static void hcall_32bit(void)
{
	u64 end = machine_end();

	if (!hyperv_begin())
		return;
	EXPECT_EQ(2, call32(UNKNOWN, 0, 0));
	if (is_strict() || spin_status(0) == 0) {
		EXPECT_EQ(spin_status(0), call32(SPIN | HYPERV_FAST, 5, 0));
		EXPECT_EQ(spin_status(0), call32(SPIN, at(area), ~0ull));
		EXPECT_EQ(spin_status(3), call32(SPIN | BIT64(63), at(area), 0)); /* EDX counts */
	}
	if (is_strict()) {
		EXPECT_EQ(spin_status(3), call32(SPIN, at(area) | end, 0)); /* so does EBX */
		EXPECT_EQ(spin_status(4), call32(SPIN, at(area) + 4, 0));
		EXPECT_EQ(6, call32(HVCALL_GET_PARTITION_ID, 0, 0));
	}
	hyperv_end();
}

/* In pieces, with the next element's index in EDX (CVE-2023-46842: the upper halves do not count).
 */
static void hcall_32bit_long(void)
{
	const union hv_register_value *vals = (const void *)page;
	struct hv_vp_registers header = { .partition_id = HV_PARTITION_ID_SELF,
					  .vp_index = HV_VP_INDEX_SELF };
	u32 *names = (u32 *)(void *)((u8 *)area + sizeof(header)), bad = 0;

	if (!reg_begin(HV_ACCESS_VP_REGISTERS))
		return;
	memset(area, 0, sizeof(area));
	memcpy(area, &header, sizeof(header));
	write_cr2(0x123456789000);
	for (u32 i = 0; i < 200; i++)
		names[i] = HV_X64_REGISTER_CR2;
	EXPECT_EQ(HYPERV_REPS(200),
		  call32(HVCALL_GET_VP_REGISTERS | HYPERV_REPS(200), at(area), at(page)));
	for (u32 i = 0; i < 200; i++)
		bad += vals[i].low != 0x123456789000;
	EXPECT_EQ(0, bad);
	hyperv_end();
}

/*
 * Where no call is legal every word is #UD; in compatibility mode each has a result. 16-bit and
 * 32-bit protected mode, virtual-8086 mode: task_vmcall_hyperv.
 */
static void hcall_random_modes(void)
{
	static const place_fn illegal[] = { in_long3, in_compat3, in_real };
	bool xmm = has_d(HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE);

	if (!hyperv_begin())
		return;
	slot_begin();
	for (u32 i = 0; i < 500; i++) {
		u64 control = random_control(), result;

		for (u32 j = 0; i % 10 == 0 && j < ARRAY_SIZE(illegal); j++)
			EXPECT_AT(illegal[j](control, &result) == EXC_UD,
				  "place %u, control 0x%llx: vector %u", j, control, trap_vector());
		if (!xmm)
			control &= ~HYPERV_FAST;
		result = call32(control, random_place(), at(area));
		EXPECT_AT((result & ~(GENMASK64(43, 32) | 0xffull)) == 0,
			  "control 0x%llx: result 0x%llx", control, result);
	}
	hyperv_end();
}

static const struct test t_hcall_modes_tests[] = {
	ROW(hcall_environments),
	ROW(hcall_32bit),
	OURS(hcall_32bit_long),
	OURS(hcall_random_modes),
};
TEST_GROUP(t_hcall_modes);
