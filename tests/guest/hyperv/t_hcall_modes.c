// SPDX-License-Identifier: BSD-2-Clause
// Who may make a Hyper-V call, from which mode, and in which registers.

#include "arch/x86/defs/cr.h"
#include "tests/guest/hyperv/hcall.h"
#include "tests/guest/lib/modes.h"

static u8 page[4096] ALIGNED(4096);

typedef u32 (*place_fn)(u64 *result);

static u32 in_long0(u64 *result)
{
	*result = call_slot(UNKNOWN);
	return trap_vector();
}

static u32 in_long3(u64 *result)
{
	*result = user_call(call_slot, UNKNOWN);
	return trap_vector();
}

static u32 in_compat0(u64 *result)
{
	trap_clear();
	*result = compat_call(at(slot), G_CODE32, G_CODE64, UNKNOWN);
	return trap_vector();
}

static u64 user_compat(u64 unused)
{
	return compat_call(at(slot), G_USER32, G_UCODE64, UNKNOWN);
}

static u32 in_compat3(u64 *result)
{
	trap_clear();
	*result = user_call(user_compat, 0);
	return trap_vector();
}

static u32 in_real(u64 *result)
{
	struct mailbox *mail = mode_mail();

	memset(mail->in, 0, sizeof(mail->in));
	memcpy(mail->in, slot, 16);
	mail->in[4] = UNKNOWN;
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
			u32 got = places[i].run(&result);

			EXPECT_AT(got == want && (want == EXC_UD || result == 2),
				  "%s, page %u: vector 0x%x, result 0x%llx", places[i].name, on,
				  got, result);
		}
	}
	hyperv_end();
}

/* --- 32-bit callers --- */

/*
 * Calls the page with EAX and EDX, EBX:ECX and EDI:ESI from `in`, and stores EDX:EAX and ECX: code
 * for any address below 4 GiB.
 */
struct regs32 {
	u32 edx, ebx, ecx, edi, esi, page;
	u32 result_eax, result_edx, result_ecx;
};
static struct regs32 r32;

static u8 *put32(u8 *p, u8 op, u8 modrm, const void *addr)
{
	u32 val = (u32)at(addr);

	*p++ = op;
	if (modrm != 0)
		*p++ = modrm;
	memcpy(p, &val, 4);
	return p + 4;
}

static u64 make_code32(void)
{
	static u8 code[128] ALIGNED(16);
	u8 *p = code;

	memcpy(p, (const u8[]){ 0x53, 0x56, 0x57 }, 3); /* push ebx, esi, edi */
	p = put32(p + 3, 0x8b, 0x15, &r32.edx);
	p = put32(p, 0x8b, 0x1d, &r32.ebx);
	p = put32(p, 0x8b, 0x0d, &r32.ecx);
	p = put32(p, 0x8b, 0x3d, &r32.edi);
	p = put32(p, 0x8b, 0x35, &r32.esi);
	p = put32(p, 0xff, 0x15, &r32.page); /* call [page] */
	p = put32(p, 0xa3, 0, &r32.result_eax);
	p = put32(p, 0x89, 0x15, &r32.result_edx);
	p = put32(p, 0x89, 0x0d, &r32.result_ecx);
	memcpy(p, (const u8[]){ 0x5f, 0x5e, 0x5b, 0xc3 }, 4);
	return at(code);
}

static u64 call32(u64 control, u64 in, u64 out)
{
	u64 code = make_code32();

	r32 = (struct regs32){ .edx = (u32)(control >> 32),
			       .ebx = (u32)(in >> 32),
			       .ecx = (u32)in,
			       .edi = (u32)(out >> 32),
			       .esi = (u32)out,
			       .page = (u32)(hyperv_rip() - 3) };
	trap_clear();
	(void)compat_call(code, G_CODE32, G_CODE64, (u32)control);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ((u32)in, r32.result_ecx);
	return (u64)r32.result_edx << 32 | r32.result_eax;
}

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
		EXPECT_EQ(6, call32(HVCALL_POST_MESSAGE, 0, 0));
	}
	hyperv_end();
}

static const struct test t_hcall_modes_tests[] = {
	ROW(hcall_environments),
	ROW(hcall_32bit),
};
TEST_GROUP(t_hcall_modes);
