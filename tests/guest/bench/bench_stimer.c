// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timer 0, direct: part of `hv=1`. bench.c says what each row is.

#include "tests/guest/bench/bench.h"
#include "tests/guest/lib/hyperv.h"

PAIR(set, "mov %%esi, %%eax; mov %%edi, %%edx\n\t", "wrmsr")

#define CONFIG  HV_X64_MSR_STIMER0_CONFIG
#define COUNT   (HV_X64_MSR_STIMER0_CONFIG + 1)
#define DIRECT  (HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT | VEC << 4)
#define PERIOD  10000u /* 1 ms */
#define PERIODS 100u

static struct ms_hyperv_tsc_page page ALIGNED(4096);

static u64 time_at(u64 tsc)
{
	const volatile struct ms_hyperv_tsc_page *p = &page;

	return (u64)(((unsigned __int128)tsc * p->tsc_scale) >> 64) + (u64)p->tsc_offset;
}

static void wait(bool halt)
{
	if (halt)
		return sti_hlt_cli();
	sti();
	while (READ_ONCE(bench_irqs) == 0)
		;
	cli();
}

/* From the first TSC at which the time is reached. */
static void bench_expiry(const char *name, bool halt)
{
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 tsc = rdtsc() + 20000 + i % 64, time = time_at(tsc) + 1;

		while (time_at(tsc) < time)
			tsc++;
		bench_irqs = 0;
		wrmsr(COUNT, time);
		wait(halt);
		bench_samples[i] = (u32)(bench_tsc - tsc);
	}
	bench_report(name, 0);
}

/* How far a period is off, at most: in units of 100 ns. */
static void bench_jitter(void)
{
	u64 last = 0, worst = 0;

	wrmsr(CONFIG, DIRECT | HV_STIMER_PERIODIC);
	wrmsr(COUNT, PERIOD);
	for (u32 i = 0; i < PERIODS; i++) {
		u64 time, length;

		bench_irqs = 0;
		wait(false);
		time = time_at(bench_tsc);
		length = time - last;
		last = time;
		if (i != 0)
			worst = umax64(worst, length > PERIOD ? length - PERIOD : PERIOD - length);
	}
	wrmsr(COUNT, 0);
	tap_printf("bench stimer_jitter %llu ticks\n", worst);
}

void bench_stimer(void)
{
	const u64 far = 1ull << 50;
	const struct regs set = { .rcx = COUNT, .rsi = (u32)far, .rdi = far >> 32 },
			  clear = { .rcx = COUNT };

	if (!(hyperv_features_d() & HV_STIMER_DIRECT_MODE_AVAILABLE))
		return;
	wrmsr(HV_X64_MSR_REFERENCE_TSC, (u64)(uintptr_t)&page | HV_X64_MSR_TSC_REFERENCE_ENABLE);
	cpu_set_gate(VEC, bench_irq_tsc);
	apic_deadline(0); /* the far one is the timer's */
	wrmsr(CONFIG, DIRECT);
	bench_simple("stimer_count", set_op, set_nop, &set);
	bench_simple("stimer_count_0", set_op, set_nop, &clear);
	bench_expiry("stimer_spin", false);
	bench_expiry("stimer_hlt", true);
	bench_jitter();
	wrmsr(CONFIG, 0);
	wrmsr(HV_X64_MSR_REFERENCE_TSC, 0);
}
