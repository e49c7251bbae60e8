/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option test_fault: break the hypervisor deliberately, to test what a bug looks like.
 *
 * Context: boot, after the move.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/insn.h"
#include "arch/x86/layout.h"
#include "arch/x86/mitigation.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx_caps.h"
#include "boot/boot.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/compiler.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp/pause.h"
#include "core/vp/vp.h"

#define FAULT_MS 300u /* of the guest's time until the fault */

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

/* The next VM entry fails when it loads the guest state: paging without protection. */
static void fault_entry(void)
{
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PG | CR0_NE);
}

/* The next VM entry fails before that: NMI-window exiting without virtual NMIs. */
static void fault_vmfail(void)
{
	hw_vmwrite(VMCS_PIN_BASED_CTLS, hw_vmread(VMCS_PIN_BASED_CTLS) & ~(u64)PIN_VIRTUAL_NMIS);
	hw_vmwrite(VMCS_PROC_BASED_CTLS, hw_vmread(VMCS_PROC_BASED_CTLS) | PROC_NMI_WINDOW_EXITING);
}

static bool is_lost;

/* An IDT of its own, whose NMI gate leads to this: the CPU of VP 1 does not stop. */
static void ignore_nmi(void)
{
	for (;;)
		__builtin_ia32_pause();
}

static void lose_cpu(struct vp *vp, struct timer *t)
{
	static struct idt_gate idt[EXC_COUNT] ALIGNED(16);
	const struct desc_ptr ptr = { .limit = sizeof(idt) - 1, .base = (u64)idt };

	idt[EXC_NMI] = idt_gate_make((u64)ignore_nmi, SEL_CODE64, IST_NMI);
	lidt(&ptr);
	WRITE_ONCE(is_lost, true);
	ignore_nmi();
}

static void fault_lost_cpu(void)
{
	while (!READ_ONCE(is_lost) && the_partition.vp_count > 1)
		__builtin_ia32_pause();
	panic("test_fault=lost_cpu: the CPU of VP 1 takes no NMI");
}

static const struct fault {
	const char *name;
	void (*run)(void);
	bool in_guest_only;
} faults[] = {
	{ "page_fault", fault_page, false },
	{ "write_text", fault_text, false },
	{ "exec_data", fault_exec, false },
	{ "assert", fault_assert, false },
	{ "stack", fault_stack, false },
	{ "smash", fault_smash, false },
	{ "ud", fault_ud, false },
	{ "double_fault", fault_double, false },
	{ "entry", fault_entry, true },
	{ "vmfail", fault_vmfail, true },
	{ "lost_cpu", fault_lost_cpu, true },
};

static const struct fault *wanted_fault(const struct options *o)
{
	for (u32 i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(o->test_fault, faults[i].name) == 0)
			return &faults[i];
	}
	return NULL;
}

static const struct fault *in_guest; /* what VP 0 is to do */

static void run_in_guest(struct vp *vp, struct timer *t)
{
	in_guest->run();
}

static void arm(struct vp *vp, timer_fn fn, u64 ms)
{
	static struct timer timers[2];
	struct timer *t = &timers[vp->index];

	t->fn = fn;
	timer_set(vp, t, hw_tsc() + vp->partition->clock.tsc_hz / 1000 * ms);
}

static void arm_fault(const struct options *o, struct vp *vp)
{
	const struct fault *f = wanted_fault(o);

	if (!f || vp->index > 1)
		return;
	if (vp->index == 1) {
		if (f->run == fault_lost_cpu)
			arm(vp, lose_cpu, FAULT_MS / 2);
		return;
	}
	in_guest = f;
	log_info("test_fault: %s in %u ms", f->name, FAULT_MS);
	arm(vp, run_in_guest, FAULT_MS);
}

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
	const struct fault *f = wanted_fault(o);

	caps_differ = strcmp(o->test_fault, "caps1") == 0;
	vmx_is_locked = strcmp(o->test_fault, "vmxoff1") == 0;
	cpus_are_lost = strcmp(o->test_fault, "lost1") == 0;
	if (strcmp(o->test_fault, "far1") == 0)
		move_cpu(&b->acpi);
	if (f && o->test_fault_at == FAULT_AT_BOOT && !f->in_guest_only) {
		log_info("test_fault: %s", f->name);
		f->run();
	}
}

void boot_test_selftest(const struct options *o, struct partition *p)
{
	/* The flag says that an NMI is on its way: none is, and none will be sent (rule K2). */
	if (strcmp(o->test_fault, "selftest_kick") == 0 && p->vp_count > 1)
		p->vp[1]->kicked = 1;
	/* Our own memory in the guest's reach. */
	if (strcmp(o->test_fault, "selftest_region") == 0 &&
	    ept_map(&p->ept, gpa(p->region_base.v), p->region_base, PAGE_SIZE, EPT_RWX, MT_WB) !=
		    ERR_NONE)
		panic("test_fault=selftest_region: no memory");
}

void boot_test_window(const struct options *o)
{
	if (strcmp(o->test_fault, "wide_window") == 0)
		vmenter_widen();
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

void boot_test_cpu(const struct options *o, struct vp *vp)
{
	static u32 here;

	if (strcmp(o->test_fault, "cpus") == 0) { /* on all of them at once */
		(void)__atomic_add_fetch(&here, 1, __ATOMIC_ACQ_REL);
		while (LOAD_ACQUIRE(here) != the_partition.vp_count)
			__builtin_ia32_pause();
		fault_page();
	}
	if (strncmp(o->test_fault, "cpu", 3) == 0 && o->test_fault[3] == (char)('0' + vp->index))
		panic("test_fault=%s: this CPU stops, and with it all others", o->test_fault);
	if (o->test_fault_at == FAULT_IN_GUEST)
		arm_fault(o, vp);
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
