// SPDX-License-Identifier: BSD-2-Clause
// `outer=1`: single operations between magic breakpoints. The emulator's debugger lists their
// instructions; tests/run/bench_outer.py says what it counts in the list. Each operation runs a few
// times before, so that nothing happens for the first time. With a second CPU: IPIs to it.

#include "tests/guest/bench/bench.h"

#define WARM_UP  8
#define ROUNDS   3 /* bracketed */
#define SOON     3000
#define HALT_US  300
#define COM1_IER 0x3f9
#define COM1_IIR 0x3fa

static void magic(void)
{
	asm volatile("xchg %%bx, %%bx" : : : "memory");
}

static void outer(const char *name, void (*before)(void), void (*op)(void), void (*after)(void))
{
	for (u32 i = 0; i < WARM_UP; i++) {
		before();
		op();
		after();
	}
	for (u32 i = 0; i < ROUNDS; i++) {
		tap_printf("outer %s\n", name);
		delay_us(3000); /* the line has left the UART */
		before();
		magic();
		op();
		magic();
		after();
	}
}

/* --- one CPU --- */

static void op_nothing(void)
{
}

static void op_cpuid(void)
{
	(void)cpuid(0);
}

static void op_rdmsr(void)
{
	(void)rdmsr(MSR_IA32_APIC_BASE);
}

static void wait_irq(void)
{
	while (READ_ONCE(bench_irqs) == 0)
		;
}

static u32 own_id;

static void irqs_on(void)
{
	bench_irqs = 0;
	sti();
}

static void op_self_ipi(void)
{
	wrmsr(X2APIC_MSR(APIC_ICR), VEC | BIT32(18) | APIC_ICR_ASSERT);
	wait_irq();
}

/* As software without shorthands does it: by the ID, and waits for the IPI before. */
static void op_self_ipi_xapic(void)
{
	volatile u32 *icr = (volatile u32 *)(APIC_BASE_DEFAULT + APIC_ICR);

	while (*icr & APIC_ICR_PENDING)
		;
	icr[(APIC_ICR2 - APIC_ICR) / 4] = own_id << 24;
	*icr = VEC | APIC_ICR_ASSERT;
	wait_irq();
}

static void op_timer(void)
{
	apic_deadline(rdtsc() + SOON);
	wait_irq();
}

static void op_hlt(void)
{
	apic_deadline(rdtsc() + SOON);
	cli();
	sti_hlt_cli();
}

/* Longer than the halt polling goes on. */
static void op_hlt_long(void)
{
	apic_deadline(rdtsc() + tsc_hz() / 1000000 * HALT_US);
	cli();
	sti_hlt_cli();
}

static void op_device(void)
{
	outb(COM1_IER, 2);
	wait_irq();
}

static void device_quiet(void)
{
	cli();
	outb(COM1_IER, 0);
	(void)inb(COM1_IIR);
}

static void one_device(const char *name, u32 rte, void (*handler)(void))
{
	cpu_set_gate(VEC, handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC | rte, apic_id());
	outer(name, irqs_on, op_device, device_quiet);
	ioapic_route(IOAPIC_PIN_COM1, IOAPIC_RTE_MASKED, 0);
}

static void far(void)
{
	cli();
	apic_deadline(rdtsc() + (1ull << 40));
}

static void outer_xapic(void)
{
	own_id = apic_id();
	cpu_set_gate(VEC, bench_irq_xapic);
	outer("self_ipi_xapic", irqs_on, op_self_ipi_xapic, cli);
}

static void outer_x2apic(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	far();
	cpu_set_gate(VEC, bench_irq);
	outer("nothing", op_nothing, op_nothing, op_nothing);
	outer("cpuid", op_nothing, op_cpuid, op_nothing);
	outer("rdmsr", op_nothing, op_rdmsr, op_nothing);
	outer("self_ipi", irqs_on, op_self_ipi, cli);
	one_device("irq_edge", 0, bench_irq);
	one_device("irq_level", IOAPIC_RTE_LEVEL, bench_irq_level);
	cpu_set_gate(VEC, bench_irq);
	outer("timer", irqs_on, op_timer, far);
	outer("hlt_wake", irqs_on, op_hlt, far);
	outer("hlt_sleep", irqs_on, op_hlt_long, far);
}

/* --- two CPUs; the debugger shows the registers of CPU 0 only ----------------------------------
 */

static volatile bool quit, go;
static volatile u32 pause_us;

static u64 ipi_to(u32 cpu)
{
	return (u64)smp_ids[cpu] << 32 | APIC_ICR_ASSERT | VEC;
}

static void spin(u64 unused)
{
	sti();
	while (!quit)
		cpu_relax();
	cli();
}

static void answer(u64 unused)
{
	while (!quit) {
		if (go) {
			go = false;
			delay_us(pause_us);
			wrmsr(X2APIC_MSR(APIC_ICR), ipi_to(0));
		}
	}
}

static void no_irq_yet(void)
{
	delay_us(HALT_US); /* CPU 1 is where it was */
	bench_irqs = 0;
}

static void op_send(void)
{
	wrmsr(X2APIC_MSR(APIC_ICR), ipi_to(1));
	wait_irq();
}

static void op_receive(void)
{
	go = true;
	wait_irq();
}

static void op_receive_asleep(void)
{
	go = true;
	cli();
	sti_hlt_cli();
}

static void with_other(const char *name, void (*fn)(u64), void (*before)(void), void (*op)(void))
{
	quit = false;
	smp_call(1, fn, 0);
	outer(name, before, op, cli);
	quit = true;
	if (!smp_wait(1))
		tap_printf("# WRONG: CPU 1 does not come back from %s\n", name);
}

static void outer_smp(void)
{
	if (!smp_start()) {
		tap_printf("# WRONG: not all CPUs start\n");
		return;
	}
	far();
	cpu_set_gate(VEC, bench_irq_1);
	with_other("ipi_send", spin, no_irq_yet, op_send);
	cpu_set_gate(VEC, bench_irq);
	with_other("ipi_receive", answer, irqs_on, op_receive);
	pause_us = HALT_US;
	with_other("ipi_receive_asleep", answer, irqs_on, op_receive_asleep);
	smp_stop();
}

void bench_outer(void)
{
	apic_enter(APIC_XAPIC);
	apic_quiesce();
	(void)smp_count();
	outer_xapic();
	apic_enter(APIC_X2APIC);
	apic_quiesce();
	outer_x2apic();
	if (smp_count() > 1)
		outer_smp();
}
