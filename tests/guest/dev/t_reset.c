// SPDX-License-Identifier: BSD-2-Clause
// Ends of the machine, one per run: each row must be named in full by `test=`.
//
// A reset row leaves a mark in CMOS RAM and resets; the second boot of the same image finds the
// mark and reports. Power-off is the end of every run; `poweroff_early` is for the runner to see
// it.

#include "tests/guest/dev/reset.h"

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"

#define MARK_INDEX 0x6a
#define MARK_FIRST 0x5a
#define MARK_MODES 0x5b

void reset_by(u8 id, void (*reset)(void))
{
	bool was_reset = cmos_read(MARK_INDEX) == MARK_FIRST && cmos_read(MARK_INDEX + 1) == id;

	cmos_write(MARK_INDEX, was_reset ? 0 : MARK_FIRST);
	cmos_write(MARK_INDEX + 1, was_reset ? 0 : id);
	if (!was_reset) {
		tap_printf("# resetting\n");
		reset();
		delay_us(500000);
		cmos_write(MARK_INDEX, 0);
	}
	EXPECT_TRUE(was_reset);
}

static void by_cf9(void)
{
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
}

static void reset_cf9(void)
{
	reset_by(1, by_cf9);
}

static void by_kbc(void)
{
	(void)WAIT_FOR((inb(0x64) & 2) == 0, 10000);
	outb(0x64, 0xfe);
}

static void reset_kbc(void)
{
	reset_by(2, by_kbc);
}

static void by_port_92(void)
{
	outb(0x92, (u8)(inb(0x92) | 1));
}

static void reset_port_92(void)
{
	reset_by(3, by_port_92);
}

static void by_triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	asm volatile("lidt %0; int3" : : "m"(idt));
}

static void reset_triple_fault(void)
{
	reset_by(4, by_triple_fault);
}

/* Output port of the keyboard controller with bit 0 clear: the reset line. */
static void by_kbc_output_port(void)
{
	(void)WAIT_FOR((inb(0x64) & 2) == 0, 10000);
	outb(0x64, 0xd1);
	(void)WAIT_FOR((inb(0x64) & 2) == 0, 10000);
	outb(0x60, 0xde);
}

static void reset_kbc_output_port(void)
{
	reset_by(5, by_kbc_output_port);
}

static void no_idt(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	asm volatile("lidt %0" : : "m"(idt));
}

static void triple_long(void)
{
	no_idt();
	asm volatile("ud2");
}

static u64 user_ud(u64 unused)
{
	asm volatile("ud2");
	return 0;
}

static void triple_user(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	/* Only the gate of #UD goes, and those of what its absence raises. */
	asm volatile("sidt %0" : "=m"(idt));
	memset((void *)(uintptr_t)idt.base, 0, 32 * 16);
	(void)user_call(user_ud, 0);
}

static void triple_real(void)
{
	mode_run(MODE_REAL, rm_triple);
}

static void triple_pm16(void)
{
	mode_run(MODE_PM32, pm16_triple);
}

static void triple_pm32(void)
{
	mode_run(MODE_PM32, pm_triple);
}

static void triple_paging32(void)
{
	u32 *pd = (u32 *)(uintptr_t)(LOW_BASE + LOW_TABLES);

	for (u32 i = 0; i < 1024; i++)
		pd[i] = i << 22 | 0x83;
	mode_mail()->in[0] = LOW_BASE + LOW_TABLES;
	mode_run(MODE_PM32, pse_triple);
}

static void triple_pae(void)
{
	u64 *pdpt = (u64 *)(uintptr_t)(LOW_BASE + LOW_TABLES), *pd = pdpt + 512;

	memset(pdpt, 0, 4096);
	pdpt[0] = (u64)(uintptr_t)pd | 1;
	for (u64 i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
	mode_mail()->in[0] = LOW_BASE + LOW_TABLES;
	mode_run(MODE_PM32, pae_triple);
}

static void triple_compat(void)
{
	mode_run(MODE_COMPAT, cm_triple);
}

/* One after the other, a reset in between; checks.triple_faults() knows the names. */
static void reset_triple_fault_modes(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{ "real", triple_real },        { "protected16", triple_pm16 },
		{ "protected32", triple_pm32 }, { "paging32", triple_paging32 },
		{ "pae", triple_pae },          { "compatibility", triple_compat },
		{ "long", triple_long },        { "user", triple_user },
	};
	u32 next = cmos_read(MARK_INDEX) == MARK_MODES ? cmos_read(MARK_INDEX + 1) : 0;

	if (next < ARRAY_SIZE(modes)) {
		tap_printf("# crashing in %s\n", modes[next].name);
		cmos_write(MARK_INDEX, MARK_MODES);
		cmos_write(MARK_INDEX + 1, (u8)(next + 1));
		modes[next].run();
	}
	cmos_write(MARK_INDEX, 0);
	EXPECT_EQ(ARRAY_SIZE(modes), next);
}

static void poweroff_early(void)
{
	tap_printf("# powering off\n");
	platform_poweroff();
}

/* Rule P1: S3 is refused, the guest goes on. PIIX4: sleep type 1 is suspend to RAM. */
static void sleep_s3_refused(void)
{
	u16 port = (u16)(pm_base() + 4);
	static const u16 word = 0x2000 | 1 << 10;
	const void *si = &word;
	u64 cx = 1;

	outw(port, word);
	delay_us(100000);
	outb((u16)(port + 1), word >> 8);
	asm volatile("rep outsw" : "+S"(si), "+c"(cx) : "d"(port) : "memory");
	outl(port, word);
	delay_us(100000);
	EXPECT_EQ(0, inw(port) & 0x2000);
}

/* Triple fault for on_crash=halt: no second boot, the runner looks at the hypervisor's report. */
static void crash_triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	tap_printf("# crashing\n");
	asm volatile("lidt %0; ud2" : : "m"(idt));
}

extern const u8 crash_loop[], crash_loop_end[];

static NOINLINE void loop_for_ever(u64 unused)
{
	asm volatile(".globl crash_loop, crash_loop_end\n"
		     "crash_loop: xor %%eax, %%eax\n\t"
		     "cpuid\n\t"
		     "jmp crash_loop\n"
		     "crash_loop_end:"
		     :
		     :
		     : "rax", "rbx", "rcx", "rdx");
}

/* For test_fault=: something to report about. Exits on all CPUs, rare events before that. */
static void crash_wait(void)
{
	u64 val;

	if (smp_count() > 1 && smp_start()) {
		for (u32 i = 1; i < smp_count(); i++)
			smp_call(i, loop_for_ever, 0);
	}
	for (u32 i = 0; i < 100; i++)
		(void)try_rdmsr(0xdeadbeef, &val);
	tap_printf("# loops from %llx to %llx\n", (u64)(uintptr_t)crash_loop,
		   (u64)(uintptr_t)crash_loop_end);
	loop_for_ever(0);
}

static const struct test t_reset_tests[] = {
	{ .name = "reset_cf9", .run = reset_cf9, .flags = T_SOLO },
	{ .name = "reset_kbc", .run = reset_kbc, .flags = T_SOLO },
	{ .name = "reset_kbc_output_port", .run = reset_kbc_output_port, .flags = T_SOLO },
	{ .name = "reset_port_92", .run = reset_port_92, .flags = T_SOLO },
	{ .name = "reset_triple_fault", .run = reset_triple_fault, .flags = T_SOLO },
	{ .name = "reset_triple_fault_modes", .run = reset_triple_fault_modes, .flags = T_SOLO },
	{ .name = "crash_triple_fault", .run = crash_triple_fault, .flags = T_SOLO },
	{ .name = "crash_wait", .run = crash_wait, .flags = T_SOLO | T_KENSHO },
	{ .name = "poweroff_early", .run = poweroff_early, .flags = T_SOLO },
	{ .name = "sleep_s3_refused", .run = sleep_s3_refused, .flags = T_SOLO | T_KENSHO },
};
TEST_GROUP(t_reset);
