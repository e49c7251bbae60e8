// SPDX-License-Identifier: BSD-2-Clause
// CPUs that never take an interrupt again: IF = 0 for ever, in every way a program can spin. Each
// test ends the run; what counts is what the hypervisor can still do.

#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"

static u64 region;

/* One instruction that is its own successor. */
static void jump_in_place(u64 unused)
{
	asm volatile("1: jmp 1b");
}

static void pause_for_ever(u64 unused)
{
	for (;;)
		cpu_relax();
}

/* Never out of exits for long. */
static void exit_for_ever(u64 unused)
{
	for (;;)
		(void)cpuid(0);
}

static void emulate_for_ever(u64 unused)
{
	for (;;)
		mmio_write32(region, 0);
}

static void copy_for_ever(u64 unused)
{
	static u8 from[65536], to[65536];

	for (;;)
		memcpy(to, from, sizeof(to));
}

static void stay_in_nmi(struct trap_regs *regs)
{
	jump_in_place(0);
}

/* In its NMI handler: no further NMI of the guest's arrives, either. */
static void nmi_for_ever(u64 unused)
{
	apic_self_nmi();
	jump_in_place(0);
}

static void halt_for_ever(u64 unused)
{
	for (;;)
		asm volatile("cli; hlt");
}

static void (*const ways[])(u64) = { jump_in_place, pause_for_ever, exit_for_ever, emulate_for_ever,
				     copy_for_ever, nmi_for_ever,   halt_for_ever };

/* All others go deaf; what waits for them never arrives. */
static bool deafen(void)
{
	u64 len;

	if (!smp_begin() || !boot_hv_region(&region, &len))
		return false;
	trap_handle(EXC_NMI, stay_in_nmi);
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, ways[(i - 1) % ARRAY_SIZE(ways)], 0);
	delay_us(1000);
	for (u32 i = 1; i < smp_count(); i++)
		apic_icr(smp_ids[i], 0x55 | APIC_ICR_ASSERT);
	delay_us(1000);
	return true;
}

static void deaf_for_ever(void)
{
	REQUIRE(deafen());
	tap_printf("# deaf\n");
	cli();
	jump_in_place(0);
}

static void triple_fault(void)
{
	const struct desc_ptr none = { 0 };

	asm volatile("lidt %0; int3" : : "m"(none));
}

static void deaf_crash(void)
{
	REQUIRE(deafen());
	tap_printf("# crashing\n");
	triple_fault();
}

static const struct test t_deaf_tests[] = {
	{ .name = "deaf_for_ever", .run = deaf_for_ever, .flags = T_SOLO },
	{ .name = "deaf_crash", .run = deaf_crash, .flags = T_SOLO },
};
TEST_GROUP(t_deaf);
