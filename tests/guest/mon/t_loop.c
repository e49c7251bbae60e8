// SPDX-License-Identifier: BSD-2-Clause
// A guest for the monitor to look at: VP 0 counts aloud, VP 1 runs a loop whose addresses VP 0 has
// told. It never ends: the run ends it.

#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define TICK_US 20000

extern const u8 loop_begin[], loop_cpuid[], loop_end[];

/* Five instructions, one of them with an exit. */
static void run_loop(u64 unused)
{
	asm volatile(".globl loop_begin, loop_cpuid, loop_end\n"
		     "loop_begin:\n\t"
		     "nop\n\t"
		     "xor %%eax, %%eax\n"
		     "loop_cpuid:\n\t"
		     "cpuid\n\t"
		     "nop\n"
		     "loop_end:\n\t"
		     "jmp loop_begin"
		     :
		     :
		     : "rax", "rbx", "rcx", "rdx");
}

static void loop_for_ever(void)
{
	REQUIRE(smp_begin());
	smp_call(1, run_loop, 0);
	tap_printf("# loop at %llx %llx %llx\n", (u64)(uintptr_t)loop_begin,
		   (u64)(uintptr_t)loop_cpuid, (u64)(uintptr_t)loop_end);
	for (u32 i = 0;; i++) {
		tap_printf("# tick %u\n", i);
		delay_us(TICK_US);
	}
}

static const struct test t_loop_tests[] = {
	{ .name = "loop_for_ever", .run = loop_for_ever, .flags = T_SOLO },
};
TEST_GROUP(t_loop);
