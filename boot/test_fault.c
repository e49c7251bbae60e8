/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option test_fault: break the hypervisor deliberately, to test what a bug looks like.
 *
 * Context: boot, after the move.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/layout.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx_caps.h"
#include "boot/boot.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/compiler.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/partition.h"
#include "core/pause.h"
#include "core/vp.h"

/* volatile throughout: the compiler must not see through the crime. */

static void fault_page(void)
{
	volatile u64 addr = 16; /* a member of a NULL structure */

	*(volatile u32 *)addr = 1;
}

static void fault_text(void)
{
	*(volatile u8 *)text_start = 0xcc; /* text is not writable */
}

static void fault_exec(void)
{
	static u8 code[] = { 0xc3 };
	void (*volatile f)(void) = (void (*)(void))(u64)code; /* data is not executable */

	f();
}

static void fault_assert(void)
{
	volatile u32 two = 2;

	ASSERT(two + two == 5);
}

static NOINLINE u32 recurse(u32 depth)
{
	volatile u8 frame[512];

	frame[0] = (u8)depth;
	return depth == ~0u ? 0 : recurse(depth + 1) + frame[0];
}

static void fault_stack(void)
{
	(void)recurse(0); /* into the guard page */
}

static NOINLINE void fault_smash(void)
{
	volatile char buf[16];
	volatile char *volatile p = buf;

	for (u32 i = 0; i < 64; i++)
		p[i] = 0x55; /* over the canary */
}

static void fault_ud(void)
{
	__builtin_trap();
}

/* A #PF whose gate is not present: #NP while delivering a page fault is a double fault. */
static void fault_double(void)
{
	host_idt[14].low = 0;
	fault_page();
}

static const struct {
	const char *name;
	void (*run)(void);
} faults[] = {
	{ "page_fault", fault_page }, { "write_text", fault_text },     { "exec_data", fault_exec },
	{ "assert", fault_assert },   { "stack", fault_stack },         { "smash", fault_smash },
	{ "ud", fault_ud },           { "double_fault", fault_double },
};

/* What test_fault= does to other CPUs while they are brought up. */
static bool caps_differ;   /* caps1 */
static bool vmx_is_locked; /* vmxoff1 */
static bool cpus_are_lost; /* lost1 */

/* far1: the MADT gives the CPU an ID whose low byte is right. */
static void move_cpu(struct acpi_info *acpi)
{
	for (u32 i = 0; i < acpi->cpu_count; i++) {
		if (acpi->cpu[i].apic_id == 1)
			acpi->cpu[i].apic_id = 0x101;
	}
}

void boot_test_fault(struct boot_state *b)
{
	const struct options *o = &b->options;

	caps_differ = strcmp(o->test_fault, "caps1") == 0;
	vmx_is_locked = strcmp(o->test_fault, "vmxoff1") == 0;
	cpus_are_lost = strcmp(o->test_fault, "lost1") == 0;
	if (strcmp(o->test_fault, "far1") == 0)
		move_cpu(&b->acpi);
	for (u32 i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(o->test_fault, faults[i].name) == 0) {
			log_info("test_fault: %s", o->test_fault);
			faults[i].run();
		}
	}
}

void boot_test_entry(const struct options *o)
{
	if (strcmp(o->test_fault, "entry") == 0) {
		log_info("test_fault: %s", o->test_fault);
		hw_vmwrite(VMCS_GUEST_CR0, CR0_PG | CR0_NE); /* paging without protection */
	}
}

void boot_test_caps(u32 apic_id, struct vmx_caps *caps)
{
	if (caps_differ && apic_id == 1)
		caps->misc ^= 1; /* the rate of the preemption timer */
}

void boot_test_vmx_cpu(u32 apic_id, struct vmx_cpu *cpu)
{
	if (vmx_is_locked && apic_id == 1)
		cpu->feature_control = FEATURE_CONTROL_LOCK;
}

void boot_test_lost(u32 apic_id, u32 step, u64 tsc_hz)
{
	u64 start = hw_tsc();

	while (cpus_are_lost && apic_id == step && hw_tsc() - start < tsc_hz / 2 * 3)
		__builtin_ia32_pause();
}

void boot_test_cpu(const struct options *o, u32 index)
{
	static u32 here;

	if (strcmp(o->test_fault, "cpus") == 0) { /* on all of them at once */
		(void)__atomic_add_fetch(&here, 1, __ATOMIC_ACQ_REL);
		while (LOAD_ACQUIRE(here) != the_partition.vp_count)
			__builtin_ia32_pause();
		fault_page();
	}
	if (o->test_fault[0] == 'c' && o->test_fault[3] == (char)('0' + index))
		panic("test_fault=%s: this CPU stops, and with it all others", o->test_fault);
}

static void pause_due(struct vp *vp, struct timer *t)
{
	u64 hz = vp->partition->clock.tsc_hz;

	partition_pause(vp->partition, hz / 2);
	timer_set(vp, t, hw_tsc() + 5 * hz);
}

void boot_test_pause(const struct options *o, struct vp *vp)
{
	static struct timer timer = { .fn = pause_due };

	if (strcmp(o->test_fault, "pause") == 0)
		timer_set(vp, &timer, hw_tsc() + vp->partition->clock.tsc_hz);
}
