// SPDX-License-Identifier: BSD-2-Clause
// Hardware task switches: the 64-bit side of tests/guest/pm32, which has the tests.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hidden_insns.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/pm32/pm32.h"

extern u8 pm32_blob[], pm32_blob_end[];

static void hidden_insn_exits(u32 places, u32 vmcalls)
{
	for (u32 i = 0; places != 0 && i < ARRAY_SIZE(hidden_insns); i++) {
		if (hidden_insns[i].exit != NULL)
			counter_want(hidden_insns[i].exit, places);
	}
	if (vmcalls != 0)
		counter_want(vmcall_insn.exit, vmcalls);
}

static bool with_hyperv;

static void pm32_run(u32 test, u32 paging)
{
	struct mailbox *mail = mode_mail();
	size_t size = (size_t)(pm32_blob_end - pm32_blob);
	u64 region, len;

	REQUIRE(PM_BASE + size <= PM_TABLES);
	memset(mail, 0, sizeof(*mail));
	memcpy((void *)(uintptr_t)PM_BASE, pm32_blob, size);
	mail->in[PM_IN_TEST] = test;
	mail->in[PM_IN_PAGING] = paging;
	mail->in[PM_IN_HYPERV] = with_hyperv;
	if (boot_hv_region(&region, &len))
		mail->in[PM_IN_REGION] = (u32)(region + len - 4096 * 30);
	mode_run_at(PM_BASE);
	cpu_reload_tr();
	EXPECT_EQ(PM_DONE, mail->out[PM_OUT_DONE]);
	hidden_insn_exits(mail->out[PM_OUT_HIDDEN], mail->out[PM_OUT_VMCALLS]);
	EXPECT_NE(0, mail->out[PM_OUT_CHECKS]);
	if (mail->out[PM_OUT_LINE] != 0)
		test_expect(false, "want", (const char *)(uintptr_t)mail->out[PM_OUT_EXPR],
			    mail->out[PM_OUT_GOT], mail->out[PM_OUT_WANT],
			    (const char *)(uintptr_t)mail->out[PM_OUT_FILE],
			    (int)mail->out[PM_OUT_LINE]);
}

#define MODE_FN(test, suffix, paging)             \
	static void task_##test##_##suffix(void)  \
	{                                         \
		pm32_run(PM_TEST_##test, paging); \
	}
#define X(test, row_flags, row_why)        \
	MODE_FN(test, flat, PM_PAGING_OFF) \
	MODE_FN(test, p32, PM_PAGING_32)   \
	MODE_FN(test, pae, PM_PAGING_PAE)
PM_TESTS(X)
#undef X
#define X(test, row_flags, row_why)      \
	MODE_FN(test, p32, PM_PAGING_32) \
	MODE_FN(test, pae, PM_PAGING_PAE)
PM_PAGING_TESTS(X)
#undef X
#define X(test, row_flags, row_why) MODE_FN(test, pae, PM_PAGING_PAE)
PM_PAE_TESTS(X)
#undef X
#define X(test, row_flags, row_why) MODE_FN(test, flat, PM_PAGING_OFF)
PM_FLAT_TESTS(X)
#undef X

/* VMCALL of the Hyper-V ABI from 16-bit and 32-bit protected mode and virtual-8086 mode. */
static void task_vmcall_hyperv(void)
{
	if (!hyperv_begin())
		return;
	with_hyperv = true;
	pm32_run(PM_TEST_hidden_insns, PM_PAGING_OFF);
	with_hyperv = false;
	hyperv_end();
}

#define ROW(test, suffix, row_flags, row_why)                                     \
	{                                                                         \
		.name = "task_" #test "_" #suffix, .run = task_##test##_##suffix, \
		.flags = row_flags, .why = row_why                                \
	}
static const struct test t_task_tests[] = {
#define X(test, row_flags, row_why)                                              \
	ROW(test, flat, row_flags, row_why), ROW(test, p32, row_flags, row_why), \
		ROW(test, pae, row_flags, row_why),
	PM_TESTS(X)
#undef X
#define X(test, row_flags, row_why) \
	ROW(test, p32, row_flags, row_why), ROW(test, pae, row_flags, row_why),
		PM_PAGING_TESTS(X)
#undef X
#define X(test, row_flags, row_why) ROW(test, pae, row_flags, row_why),
			PM_PAE_TESTS(X)
#undef X
#define X(test, row_flags, row_why) ROW(test, flat, row_flags, row_why),
				PM_FLAT_TESTS(X)
#undef X
					{ .name = "task_vmcall_hyperv",
					  .run = task_vmcall_hyperv,
					  .flags = T_NAMED },
};
TEST_GROUP(t_task);
