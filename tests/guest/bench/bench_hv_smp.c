// SPDX-License-Identifier: BSD-2-Clause
// Rows of the Hyper-V ABI that need several CPUs, `hvsmp=1`. bench.c says what each is.

#include "core/lib/bits.h"
#include "tests/guest/bench/bench.h"
#include "tests/guest/lib/hyperv.h"

#define FLUSH_ALL (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES)

static volatile bool quit;
static volatile u64 vps;
static u64 in[4] ALIGNED(64);

static void say_vp(u64 unused)
{
	vps |= BIT64(rdmsr(HV_X64_MSR_VP_INDEX));
}

static void spin(u64 unused)
{
	sti();
	while (!quit)
		cpu_relax();
	cli();
}

static u32 call(u64 control, u64 rdx, u64 r8)
{
	register u64 third asm("r8") = r8;
	u64 start = rdtsc(), result;

	asm volatile("vmcall" : "=a"(result), "+c"(control), "+d"(rdx), "+r"(third) : : "memory");
	if (result != HV_STATUS_SUCCESS)
		tap_printf("# WRONG: status 0x%x\n", (u32)result);
	return (u32)(rdtsc() - start);
}

static void row(const char *name, u64 control, u64 rdx, u64 r8)
{
	quit = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, spin, 0);
	delay_us(1000);
	for (u32 i = 0; i < SAMPLES; i++) {
		for (u32 n = i % 32; n != 0; n--) /* anywhere in the emulator's turn */
			cpu_relax();
		bench_samples[i] = call(control, rdx, r8);
		delay_us(50);
	}
	quit = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		if (!smp_wait(cpu))
			tap_printf("# WRONG: CPU %d does not come back from %s\n", (int)cpu, name);
	}
	bench_report_mean(name);
}

void bench_hv_smp(void)
{
	if (smp_count() != 5 || !smp_start() || !hyperv_begin()) {
		tap_printf("# WRONG: not 5 CPUs and Hyper-V's interface\n");
		return;
	}
	cpu_set_gate(VEC, bench_irq_plain);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		(void)smp_run(cpu, say_vp, 0);
	row("hv_ipi_4", HVCALL_SEND_IPI | HYPERV_FAST, VEC, vps);
	row("hv_flush_4", HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HYPERV_FAST, 0, FLUSH_ALL);
	in[1] = FLUSH_ALL;
	row("hv_flush_4_memory", HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE, (u64)(uintptr_t)in, 0);
	hyperv_end();
	smp_stop();
}
