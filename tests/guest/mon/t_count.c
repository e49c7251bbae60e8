// SPDX-License-Identifier: BSD-2-Clause
// A guest whose exits are known in number: once so many of each, then the same round for ever. The
// monitor's user counts them too: tests/run/request.py. It never ends: the run ends it.

#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/tap.h"

#define LEAF     0x5a5a0000u /* nobody else asks for it */
#define SUBLEAF  0x77u
#define MTRRCAP  0xfeu
#define PORT     0x92
#define CPUIDS   1000u
#define RDMSRS   500u
#define READS    200u
#define VMCALLS  100u /* a round */
#define ROUND_US 20000

static void count_for_ever(void)
{
	for (u32 i = 0; i < CPUIDS; i++)
		(void)cpuid2(LEAF, SUBLEAF);
	for (u32 i = 0; i < RDMSRS; i++)
		(void)rdmsr(MTRRCAP);
	for (u32 i = 0; i < READS; i++)
		(void)inb(PORT);
	tap_printf("# count cpuid_leaf=0x%x_subleaf=0x%x %u\n", LEAF, SUBLEAF, CPUIDS);
	tap_printf("# count rdmsr_msr=0x%x %u\n", MTRRCAP, RDMSRS);
	tap_printf("# count io_port=0x%x_in_size=1 %u\n", PORT, READS);
	for (u32 tick = 0;; tick++) {
		u64 rax = 0x5a5a; /* no hypercall has this number */

		for (u32 i = 0; i < VMCALLS; i++)
			asm volatile("vmcall" : "+a"(rax)::"memory");
		tap_printf("# tick %u\n", tick);
		delay_us(ROUND_US);
	}
}

static const struct test t_count_tests[] = {
	{ .name = "count_for_ever", .run = count_for_ever, .flags = T_SOLO },
};
TEST_GROUP(t_count);
