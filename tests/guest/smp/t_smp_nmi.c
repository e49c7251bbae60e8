// SPDX-License-Identifier: BSD-2-Clause
// NMIs and INIT: what INIT ends, and what comes after it.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 nmis;
static volatile bool stays;

static void nmi_trap(struct trap_regs *regs)
{
	nmis++;
	while (stays)
		cpu_relax();
}

static bool nmi_arrives(u32 cpu)
{
	u32 before = nmis;

	apic_icr(smp_ids[cpu], NMI);
	return WAIT_FOR(nmis != before, 20000) && nmis == before + 1;
}

/*
 * INIT reaches a CPU in its NMI handler: no IRET ends the blocking, INIT does. The next NMIs find
 * it with IF = 0, where nothing else runs an IRET.
 * Spec: SDM "Handling Multiple NMIs"; "Processor State After Reset or INIT".
 */
static void init_in_nmi(void)
{
	if (!smp_begin())
		return;
	trap_handle(EXC_NMI, nmi_trap);
	for (u32 i = 1; i < smp_count(); i++) {
		stays = true;
		EXPECT_TRUE(nmi_arrives(i));
		EXPECT_TRUE(smp_restart(i));
		stays = false;
		EXPECT_TRUE(nmi_arrives(i));
		EXPECT_TRUE(nmi_arrives(i));
	}
}

static const struct test t_smp_nmi_tests[] = {
	{ .name = "smp_init_in_nmi", .run = init_in_nmi, .flags = T_KENSHO },
	{ .name = "smp_x2_init_in_nmi", .run = init_in_nmi, .flags = T_KENSHO | T_X2APIC },
};
TEST_GROUP(t_smp_nmi);
