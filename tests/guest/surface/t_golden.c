// SPDX-License-Identifier: BSD-2-Clause
// What cpu=host shows, printed for tests/run/golden.py, which compares it with what QEMU on KVM
// shows.

#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/insn.h"

#define WAKE_VECTOR 0x41

struct range {
	u32 first, last;
};

/* The leaves and MSRs of tests/golden/cpuid.tsv and msr.tsv, and their neighbours. */
static const struct range leaves[] = {
	{ 1, 1 },
	{ 0x40000000, 0x4000000b },
	{ 0x40000080, 0x40000082 },
	{ 0x40000100, 0x40000101 },
};

static const struct range msrs[] = {
	{ 0x11, 0x12 },
	{ 0x1b, 0x1b },
	{ 0x3a, 0x3a },
	{ 0x10a, 0x10a },
	{ 0x480, 0x492 },
	{ 0x40000000, 0x40000003 },
	{ 0x40000010, 0x40000010 },
	{ 0x40000020, 0x40000023 },
	{ 0x40000070, 0x40000073 },
	{ 0x40000080, 0x40000084 },
	{ 0x40000090, 0x40000092 },
	{ 0x4000009f, 0x4000009f },
	{ 0x400000b0, 0x400000b2 },
	{ 0x400000f0, 0x400000f0 },
	{ 0x40000100, 0x40000100 },
	{ 0x40000105, 0x40000108 },
	{ 0x40000114, 0x40000114 },
	{ 0x40000118, 0x40000118 },
	{ 0x4b564d00, 0x4b564d08 },
};

/* All that is for hypervisors: what is there is printed, too, for nothing may be that KVM has not.
 */
static const struct range hypervisor_leaves = { 0x40000000, 0x400003ff };
static const struct range hypervisor_msrs[] = {
	{ 0x40000000, 0x400003ff },
	{ 0x4b564d00, 0x4b564dff },
};

static void end_interrupt(struct trap_regs *regs)
{
	(void)regs;
	apic_eoi();
}

static void print_leaf(u32 leaf, const struct cpuid_regs *r)
{
	tap_printf("# cpuid %08x 0 %08x %08x %08x %08x\n", leaf, r->a, r->b, r->c, r->d);
}

static void golden_cpuid(void)
{
	const struct range *all = &hypervisor_leaves;
	struct cpuid_regs r;

	for (u32 i = 0; i < ARRAY_SIZE(leaves); i++) {
		for (u32 leaf = leaves[i].first; leaf <= leaves[i].last; leaf++) {
			r = cpuid(leaf);
			print_leaf(leaf, &r);
		}
	}
	for (u32 leaf = all->first; leaf <= all->last; leaf++) {
		r = cpuid(leaf);
		if ((r.a | r.b | r.c | r.d) != 0)
			print_leaf(leaf, &r);
	}
}

/* With an interrupt that stays pending: who reads GUEST_IDLE sleeps until there is one. */
static void golden_msr(void)
{
	apic_self_ipi(WAKE_VECTOR);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		for (u32 msr = msrs[i].first; msr <= msrs[i].last; msr++) {
			u64 val = 0;

			if (try_rdmsr(msr, &val) == NO_FAULT)
				tap_printf("# msr %08x %016llx\n", msr, val);
			else
				tap_printf("# msr %08x #GP\n", msr);
		}
	}
	for (u32 i = 0; i < ARRAY_SIZE(hypervisor_msrs); i++) {
		for (u32 msr = hypervisor_msrs[i].first; msr <= hypervisor_msrs[i].last; msr++) {
			u64 val;

			if (try_rdmsr(msr, &val) == NO_FAULT)
				tap_printf("# msr %08x %016llx\n", msr, val);
		}
	}
	trap_handle(WAKE_VECTOR, end_interrupt);
	sti_nop_cli();
}

static const struct test t_golden_tests[] = {
	{ .name = "golden_cpuid", .run = golden_cpuid, .flags = T_NAMED | T_OUTSIDE },
	{ .name = "golden_msr", .run = golden_msr, .flags = T_NAMED | T_OUTSIDE },
};
TEST_GROUP(t_golden);
