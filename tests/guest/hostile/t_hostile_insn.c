// SPDX-License-Identifier: BSD-2-Clause
// Instructions that the guest is not offered, in 64-bit, compatibility and real mode;
// pm32/t_illegal.c has protected and virtual-8086 mode. What exits is counted.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hidden_insns.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/str.h"

static u8 slot[16];

/* A place where code runs: the vector of its exception, and EAX when it had none. */
typedef u32 (*place_fn)(u64 *eax);

static u64 call_slot(u64 eax)
{
	trap_clear();
	asm volatile("mov %%rsp, %%rbx;" TRY_BEGIN "call *%1" TRY_END "mov %%rbx, %%rsp"
		     : "+a"(eax)
		     : "r"(slot), "D"(slot)
		     : "rbx", "memory", "cc");
	return (u32)eax;
}

static u32 in_long0(u64 *eax)
{
	*eax = call_slot(VMCALL_UNKNOWN_NR);
	return trap_vector();
}

static u32 in_long3(u64 *eax)
{
	*eax = user_call(call_slot, VMCALL_UNKNOWN_NR);
	return trap_vector();
}

static u32 in_compat0(u64 *eax)
{
	trap_clear();
	*eax = compat_call((u64)(uintptr_t)slot, G_CODE32, G_CODE64, VMCALL_UNKNOWN_NR);
	return trap_vector();
}

static u64 user_compat(u64 unused)
{
	return compat_call((u64)(uintptr_t)slot, G_USER32, G_UCODE64, VMCALL_UNKNOWN_NR);
}

static u32 in_compat3(u64 *eax)
{
	trap_clear();
	*eax = user_call(user_compat, 0);
	return trap_vector();
}

static u32 in_real(u64 *eax)
{
	struct mailbox *mail = mode_mail();

	memset(mail->in, 0, sizeof(mail->in));
	memcpy(mail->in, slot, sizeof(slot));
	mail->in[4] = VMCALL_UNKNOWN_NR;
	mode_run(MODE_REAL, rm_try);
	*eax = mail->out[1];
	return mail->out[0] == 0 ? NO_FAULT : mail->out[0] - 1;
}

static void expect_in(const char *where, place_fn run, const struct hidden_insn *insn, u32 want,
		      u32 want_eax)
{
	u64 eax;
	u32 got;

	memset(slot, 0x90, sizeof(slot));
	memcpy(slot, insn->code, insn->len);
	slot[insn->len] = 0xc3; /* RET */
	got = run(&eax);
	EXPECT_AT(got == want && (want != NO_FAULT || eax == want_eax),
		  "%s: %s: vector %x, eax 0x%llx", where, insn->name, got, eax);
}

static void all_in(const char *where, place_fn run, bool exits, u32 cpl)
{
	static const struct hidden_insn nop = { "nop", NULL, 1, { 0x90 } };

	for (u32 i = 0; i < ARRAY_SIZE(hidden_insns); i++) {
		expect_in(where, run, &hidden_insns[i], EXC_UD, 0);
		if (exits && hidden_insns[i].exit != NULL)
			counter_want(hidden_insns[i].exit, 1);
	}
	expect_in(where, run, &nop, NO_FAULT, VMCALL_UNKNOWN_NR);
	if (cpuid(0x40000000).b != 0x4b4d564b) { /* "KVMK" */
		expect_in(where, run, &vmcall_insn, EXC_UD, 0);
		return;
	}
	expect_in(where, run, &vmcall_insn, NO_FAULT, cpl == 0 ? VMCALL_ENOSYS : VMCALL_EPERM);
	counter_want(vmcall_insn.exit, 1);
}

static void hostile_insn_long(void)
{
	all_in("64-bit CPL 0", in_long0, true, 0);
	all_in("64-bit CPL 3", in_long3, true, 3);
}

static void hostile_insn_compat(void)
{
	all_in("compatibility CPL 0", in_compat0, false, 0);
	all_in("compatibility CPL 3", in_compat3, false, 3);
}

static void hostile_insn_real(void)
{
	all_in("real", in_real, false, 0);
}

#define ROW(test)                                            \
	{                                                    \
		.name = #test, .run = test, .flags = T_NAMED \
	}

static const struct test t_hostile_insn_tests[] = {
	ROW(hostile_insn_long),
	ROW(hostile_insn_compat),
	ROW(hostile_insn_real),
};
TEST_GROUP(t_hostile_insn);
