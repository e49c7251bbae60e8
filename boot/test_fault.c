/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option test_fault=: what each row of TEST_FAULTS does.
 *
 * Context: as enum test_point says.
 */
#include "boot/test_fault.h"

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
#include "boot/boot.h"
#include "core/apic/phys_mode.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/compiler.h"
#include "core/partition.h"
#include "core/vp/hold.h"
#include "core/vp/vp.h"
#include "drivers/console.h"
#include "hv/hv.h"

#define GUEST_MS 300u /* until TEST_GUEST, of guest time */

#define DECLARE(name, point, help) static void strike_##name(void *arg);
TEST_FAULTS(DECLARE)
#undef DECLARE

static const struct row {
	const char *name;
	const char *help;
	enum test_point point;
	void (*strike)(void *arg);
} rows[] = {
#define ROW(name, point, help) { #name, help, TEST_##point, strike_##name },
	TEST_FAULTS(ROW)
#undef ROW
};

static void strike_help(void *arg)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		log_info("  %-15s %s", rows[i].name, rows[i].help);
	log_info(HALTED);
	console_flush();
	hw_halt();
}

/* volatile throughout: the compiler must not optimise the bugs away. */

static void strike_page_fault(void *arg)
{
	volatile u64 addr = 16; /* a member of a NULL structure */

	*(volatile u32 *)addr = 1;
}

static void strike_write_text(void *arg)
{
	*(volatile u8 *)text_start = 0xcc; /* text is not writable */
}

static void strike_exec_data(void *arg)
{
	static u8 code[] = { 0xc3 };
	void (*volatile f)(void) = (void (*)(void))(u64)code; /* data is not executable */

	f();
}

static void strike_assert(void *arg)
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

static void strike_stack(void *arg)
{
	(void)recurse(0); /* into the guard page */
}

static NOINLINE void strike_smash(void *arg)
{
	volatile char buf[16];
	volatile char *volatile p = buf;

	for (u32 i = 0; i < 64; i++)
		p[i] = 0x55; /* over the canary */
}

static void strike_ud(void *arg)
{
	__builtin_trap();
}

/* A #PF whose gate is not present: #NP while delivering a page fault is a double fault. */
static void strike_double_fault(void *arg)
{
	host_idt[14].low = 0;
	strike_page_fault(NULL);
}

/* The next VM entry fails when it loads the guest state: paging without protection. */
static void strike_entry(void *arg)
{
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PG | CR0_NE);
}

/* The next VM entry fails before that: NMI-window exiting without virtual NMIs. */
static void strike_vmfail(void *arg)
{
	hw_vmwrite(VMCS_PIN_BASED_CTLS, hw_vmread(VMCS_PIN_BASED_CTLS) & ~(u64)PIN_VIRTUAL_NMIS);
	hw_vmwrite(VMCS_PROC_BASED_CTLS, hw_vmread(VMCS_PROC_BASED_CTLS) | PROC_NMI_WINDOW_EXITING);
}

static bool is_lost; /* lost_cpu: VP 1 runs where no NMI stops it */

/* The NMI gate of VP 1's own IDT leads here: its CPU does not stop. */
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

static void panic_without_it(struct vp *vp, struct timer *t)
{
	while (!READ_ONCE(is_lost) && the_partition.vp_count > 1)
		__builtin_ia32_pause();
	panic("test_fault=lost_cpu: the CPU of VP 1 takes no NMI");
}

static void arm(struct vp *vp, timer_fn fn, u64 ms)
{
	static struct timer timers[2];
	struct timer *t = &timers[vp->index];

	t->fn = fn;
	timer_set(vp, t, rdtsc() + vp->partition->clock.tsc_hz / 1000 * ms);
}

static void strike_lost_cpu(void *arg)
{
	struct vp *vp = arg;

	if (vp->index == 0)
		arm(vp, panic_without_it, GUEST_MS);
	else if (vp->index == 1)
		arm(vp, lose_cpu, GUEST_MS / 2);
}

static void panic_on(const struct vp *vp, u32 index)
{
	if (vp->index == index)
		panic("test_fault=cpu%u: this CPU stops, and with it all others", index);
}

static void strike_cpu0(void *arg)
{
	panic_on(arg, 0);
}

static void strike_cpu1(void *arg)
{
	panic_on(arg, 1);
}

static void strike_cpu2(void *arg)
{
	panic_on(arg, 2);
}

static void strike_cpu3(void *arg)
{
	panic_on(arg, 3);
}

static void strike_cpus(void *arg)
{
	static u32 here;

	(void)__atomic_add_fetch(&here, 1, __ATOMIC_ACQ_REL);
	while (LOAD_ACQUIRE(here) != the_partition.vp_count)
		__builtin_ia32_pause();
	strike_page_fault(NULL);
}

static void pause_due(struct vp *vp, struct timer *t)
{
	u64 hz = vp->partition->clock.tsc_hz;

	partition_pause(vp->partition, hz / 2);
	timer_set(vp, t, rdtsc() + 5 * hz);
}

static void strike_pause(void *arg)
{
	struct vp *vp = arg;

	if (vp->index == 0)
		arm(vp, pause_due, 1000);
}

/* The TSC stays as it is; what everybody thinks of it changes. */
static void strike_tsc_frequency(void *arg)
{
	struct partition *p = ((struct vp *)arg)->partition;

	hv_tsc_frequency(p, p->clock.tsc_hz / 3 * 4);
}

/* Of all that speaks for x2APIC mode nothing but the CPU is left. */
static void strike_xapic(void *arg)
{
	*(struct phys_apic_facts *)arg = (struct phys_apic_facts){ .has_x2apic = true };
}

/* --- Other CPUs, during their bring-up --- */

static void strike_caps1(void *arg)
{
	struct vmx_caps *caps = arg;

	if (this_cpu()->apic_id == 1)
		caps->misc ^= 1; /* the rate of the preemption timer */
}

static void strike_no_apic_access(void *arg)
{
	struct vmx_apicv *apicv = arg;

	apicv->apic_accesses = apicv->register_virt = apicv->virt_intr_delivery = false;
}

static void strike_apic_timer(void *arg)
{
	((struct run_timer_facts *)arg)->has_vmx_timer = false;
}

static void strike_apic_one_shot(void *arg)
{
	*(struct run_timer_facts *)arg = (struct run_timer_facts){ 0 };
}

static void strike_vmxoff1(void *arg)
{
	struct vmx_cpu *cpu = arg;

	if (this_cpu()->apic_id == 1)
		cpu->feature_control = FEATURE_CONTROL_LOCK;
}

/* In xAPIC mode the low byte of this ID would reach the CPU. */
static void strike_far1(void *arg)
{
	struct acpi_info *acpi = &((struct boot_state *)arg)->acpi;

	for (u32 i = 0; i < acpi->cpu_count; i++) {
		if (acpi->cpu[i].apic_id == 1)
			acpi->cpu[i].apic_id = 0x101;
	}
}

/* Strikes the CPU whose APIC ID is the number of the step. The partition's clock runs by now. */
static void strike_lost1(void *arg)
{
	u64 start = rdtsc(), span = the_partition.clock.tsc_hz / 2 * 3;

	while (this_cpu()->apic_id == *(const u32 *)arg && rdtsc() - start < span)
		__builtin_ia32_pause();
}

static void strike_drift1(void *arg)
{
	if (this_cpu()->apic_id == 1)
		wrmsr(MSR_IA32_TSC, rdtsc() + the_partition.clock.tsc_hz / 500);
}

static void strike_skew1(void *arg)
{
	if (*(const u32 *)arg == 0)
		strike_drift1(arg);
}

/* --- For selftest= to find, and rule K1 --- */

/* The mark says that an NMI is in flight, but none is: so none will ever be sent (rule K2). */
static void strike_selftest_kick(void *arg)
{
	struct partition *p = arg;

	if (p->vp_count > 1)
		p->vp[1]->kicked = 1;
}

static void strike_selftest_region(void *arg)
{
	struct partition *p = arg;

	if (ept_map(&p->ept, gpa(p->region_base.v), p->region_base, PAGE_SIZE, EPT_RWX, MT_WB) !=
	    ERR_NONE)
		panic("test_fault=selftest_region: no memory");
}

static void strike_selftest_timer(void *arg)
{
	struct vp *vp = arg;
	u64 now_tsc = rdtsc();

	if (vp_uses_apic_timer(vp)) {
		vp->deadline_tsc += vp->deadline_tsc - now_tsc;
		apic_timer_arm(vp, now_tsc);
	} else {
		hw_vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE,
			   2 * hw_vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE));
	}
}

static void strike_wide_window(void *arg)
{
	vmenter_detour(test_wide_window, test_wide_rdmsr);
}

/* --- Points --- */

static struct row chosen = { .point = TEST_ANY_TIME }; /* strikes nowhere */

void test_fault_choose(const struct options *o)
{
	if (o->test_fault == 0)
		return;
	chosen = rows[o->test_fault - 1];
	if (chosen.point == TEST_ANY_TIME)
		chosen.point = o->test_fault_at == FAULT_AT_BOOT ? TEST_BOOT : TEST_GUEST;
	log_info("test_fault=%s: %s", chosen.name, chosen.help);
}

static void guest_runs(struct vp *vp, struct timer *t)
{
	test_point(TEST_GUEST, vp);
}

void test_point(enum test_point point, void *arg)
{
	struct vp *vp = arg;

	if (point == chosen.point)
		chosen.strike(arg);
	else if (point == TEST_ENTRY && chosen.point == TEST_GUEST && vp->index == 0)
		arm(vp, guest_runs, GUEST_MS);
}
