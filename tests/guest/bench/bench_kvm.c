// SPDX-License-Identifier: BSD-2-Clause
// Rows of the KVM ABI, and what `kvm=1` registers. bench.c says what each is.

#include "tests/guest/bench/bench.h"
#include "tests/guest/lib/pvclock.h"

/* Restated from the KVM documentation. */
#define SYSTEM_TIME   0x4b564d01u
#define STEAL_TIME    0x4b564d03u
#define PV_EOI_EN     0x4b564d04u
#define KICK_CPU      5
#define CLOCK_PAIRING 9
#define SEND_IPI      10
#define FEATURES      (BIT32(5) | BIT32(6) | BIT32(7) | BIT32(11))
#define HALT_US       100

static u8 page[4096] ALIGNED(4096);

static bool has_features(void)
{
	return machine_is_kensho() && (cpuid(0x40000001).a & FEATURES) == FEATURES;
}

bool bench_with_kvm(void)
{
	return cmdline_number("kvm", 0) != 0 && has_features();
}

void bench_kvm_register(u64 cpu)
{
	u64 base = (u64)(uintptr_t)page + cpu * 128;

	wrmsr(STEAL_TIME, base | 1);
	wrmsr(SYSTEM_TIME, (base + 64) | 1);
	wrmsr(PV_EOI_EN, (u64)(uintptr_t)&bench_word[cpu] | 1);
}

void bench_kvm_unregister(u64 cpu)
{
	wrmsr(STEAL_TIME, 0);
	wrmsr(SYSTEM_TIME, 0);
	wrmsr(PV_EOI_EN, 0);
	bench_word[cpu] = 0;
}

/* --- one CPU --- */

PAIR(pairing, "mov $9, %%eax\n\t", "vmcall")

/* Linux's pvclock_clocksource_read(), on whatever page there is: a bare machine has one of zeros.
 */
static u64 clock_read(const volatile struct pvclock *pv)
{
	u32 version;
	u64 delta, ns;

	do {
		version = pv->version & ~1u;
		delta = rdtsc() - pv->tsc_timestamp;
		delta <<= pv->shift & 31;
		ns = pv->system_time + (u64)(((unsigned __int128)delta * pv->mul) >> 32);
	} while (version != pv->version);
	return ns;
}

static volatile u64 sink;

static u32 clock_op(const struct regs *r)
{
	u64 start = rdtsc();

	sink = clock_read((const volatile struct pvclock *)(uintptr_t)r->rbx);
	return (u32)(rdtsc() - start);
}

static u32 clock_nop(const struct regs *r)
{
	u64 start = rdtsc();

	return (u32)(rdtsc() - start);
}

void bench_kvm(void)
{
	const struct regs clock = { .rbx = (u64)(uintptr_t)page + 2048 },
			  pair = { .rbx = (u64)(uintptr_t)page + 1024 };

	if (machine_is_kensho())
		wrmsr(SYSTEM_TIME, clock.rbx | 1);
	bench_simple("kvmclock_read", clock_op, clock_nop, &clock);
	if (has_features())
		bench_simple("clock_pairing", pairing_op, pairing_nop, &pair);
}

/* --- several CPUs: CPU 0 calls --- */

static volatile bool quit;

static void spin(u64 unused)
{
	sti();
	while (!quit)
		cpu_relax();
	cli();
}

static void halt(u64 unused)
{
	while (!quit)
		asm volatile("cli; hlt" : : : "memory");
}

static u32 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	u64 start = rdtsc();
	s64 result;

	asm volatile("vmcall"
		     : "=a"(result)
		     : "a"(nr), "b"(a0), "c"(a1), "d"(a2), "S"(a3)
		     : "memory");
	return (u32)(rdtsc() - start);
}

static void row(const char *name, u32 cpus, void (*fn)(u64), const u64 args[5], u32 pause_us)
{
	quit = false;
	for (u32 cpu = 1; cpu <= cpus; cpu++)
		smp_call(cpu, fn, 0);
	delay_us(1000);
	for (u32 i = 0; i < SAMPLES; i++) {
		for (u32 n = i % 32; n != 0; n--) /* anywhere in the emulator's turn */
			cpu_relax();
		bench_samples[i] = call(args[0], args[1], args[2], args[3], args[4]);
		delay_us(pause_us);
	}
	quit = true;
	for (u32 cpu = 1; cpu <= cpus; cpu++) {
		(void)call(KICK_CPU, 0, smp_ids[cpu], 0, 0);
		if (!smp_wait(cpu))
			tap_printf("# WRONG: CPU %d does not come back from %s\n", (int)cpu, name);
	}
	bench_report_mean(name);
}

void bench_kvm_smp(void)
{
	const u64 kick[5] = { KICK_CPU, 0, smp_ids[1] };
	u64 ipi[5] = { SEND_IPI, 0, 0, smp_ids[0], VEC };

	if (!has_features())
		return;
	row("kick_running", 1, spin, kick, 10);
	row("kick_halted", 1, halt, kick, HALT_US);
	if (smp_count() < 5)
		return;
	if (bench_with_kvm()) /* its word is not for all */
		(void)smp_run(1, bench_kvm_unregister, 1);
	cpu_set_gate(VEC, bench_irq_plain);
	for (u32 cpu = 1; cpu <= 4; cpu++)
		ipi[1] |= BIT64(smp_ids[cpu] - smp_ids[0]);
	row("send_ipi_4", 4, spin, ipi, 50);
}
