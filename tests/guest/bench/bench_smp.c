// SPDX-License-Identifier: BSD-2-Clause
// Rows of several CPUs: IPIs and changes of the EPT. bench.c says what each is.

#include "tests/guest/bench/bench.h"

#define IPI_HALT_US 100 /* longer than the halt polling goes on */

static volatile bool ipi_quit;
static volatile u32 ipi_ready;

static void ipi_spin(u64 halt)
{
	sti();
	while (!ipi_quit) {
		ipi_ready++;
		if (halt)
			asm volatile("hlt" : : : "memory");
	}
	cli();
}

/* CPU 1 works or halts, with @handler on its side; @irq: CPU 0 waits for bench_tsc. */
static void ipi_run(const char *name, void (*handler)(void), bool halt, bool irq)
{
	u64 icr = (u64)smp_ids[1] << 32 | APIC_ICR_ASSERT | VEC;

	cpu_set_gate(VEC, handler);
	cpu_set_gate(VEC + 1, bench_irq_tsc);
	bench_reply = (u64)smp_ids[0] << 32 | APIC_ICR_ASSERT | (VEC + 1);
	ipi_quit = false;
	ipi_ready = 0;
	smp_call(1, ipi_spin, halt);
	if (!WAIT_FOR(ipi_ready != 0, 10000))
		tap_printf("# WRONG: CPU 1 does not run %s\n", name);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start, end;

		if (halt)
			delay_us(IPI_HALT_US);
		for (u32 n = i % 32; n != 0; n--) /* anywhere in the emulator's turn */
			cpu_relax();
		bench_irqs = 0;
		sti();
		start = rdtsc();
		wrmsr(X2APIC_MSR(APIC_ICR), icr);
		end = rdtsc();
		if (irq && !WAIT_FOR(READ_ONCE(bench_irqs) != 0, 10000))
			tap_printf("# WRONG: no interrupt in %s\n", name);
		cli();
		bench_samples[i] = (u32)((irq ? bench_tsc : end) - start);
		if (!irq) /* its handler is done before the next one */
			delay_us(50);
	}
	ipi_quit = true;
	if (halt)
		wrmsr(X2APIC_MSR(APIC_ICR), icr);
	if (!smp_wait(1))
		tap_printf("# WRONG: CPU 1 does not come back from %s\n", name);
	sti_nop_cli();
	bench_report_mean(name);
}

/*
 * Two places where no other VP has its APIC: leaving one and entering the other is the same work
 * for any number of VPs, so that what 8 take longer is the shoot-down.
 */
#define APIC_ELSEWHERE 0xfed80000ull
#define APIC_APART     0x10000ull

static void bench_ept_change(void)
{
	u64 home = rdmsr(MSR_IA32_APIC_BASE), away = (home & 0xfff) | APIC_ELSEWHERE;

	ipi_quit = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, ipi_spin, false);
	delay_us(1000);
	wrmsr(MSR_IA32_APIC_BASE, away);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		wrmsr(MSR_IA32_APIC_BASE, i % 2 != 0 ? away : away + APIC_APART);
		bench_samples[i] = (u32)(rdtsc() - start);
	}
	wrmsr(MSR_IA32_APIC_BASE, home);
	ipi_quit = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		if (!smp_wait(cpu))
			tap_printf("# WRONG: CPU %d does not come back\n", (int)cpu);
	}
	bench_report_mean("ept_change");
}

void bench_smp(void)
{
	if (smp_count() > 1 && !smp_start())
		tap_printf("# WRONG: not all CPUs start\n");
	bench_ept_change();
	smp_stop();
	apic_enter(APIC_X2APIC);
	apic_quiesce();
	if (smp_count() < 2)
		return;
	if (!smp_start()) {
		tap_printf("# WRONG: not all CPUs start\n");
		return;
	}
	if (bench_with_kvm()) {
		bench_kvm_register(0);
		(void)smp_run(1, bench_kvm_register, 1);
	}
	ipi_run("ipi_send", bench_irq_1, false, false);
	ipi_run("ipi_round_trip", bench_irq_reply_1, false, true);
	ipi_run("ipi_wake_hlt", bench_irq_tsc_1, true, true);
	bench_kvm_smp();
	if (bench_with_kvm())
		(void)smp_run(1, bench_kvm_unregister, 1);
	smp_stop();
}

static void deaf_spin(u64 unused)
{
	asm volatile("cli; 1: jmp 1b");
}

void bench_deaf(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED none = { 0 };

	if (!smp_start())
		tap_printf("# WRONG: not all CPUs start\n");
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, deaf_spin, 0);
	delay_us(1000);
	asm volatile("lidt %0; int3" : : "m"(none));
}
