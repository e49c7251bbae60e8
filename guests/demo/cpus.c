/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: the other CPUs, started the way every operating system starts them. */
#include "arch/x86/defs/apic.h"
#include "core/lib/string.h"
#include "guests/demo/demo.h"
#include "guests/demo/layout.h"

#define ICR_INIT     0x4500u
#define ICR_STARTUP  (0x4600u | AP_PAGE >> 12)
#define ICR_FIXED    0x4000u
#define INIT_US      200
#define FIRST_US     20000
#define ANSWER_US    100000
#define OFFSET_TRIES 16

extern u8 ap_page[], ap_page_end[];
extern volatile u32 ap_next;
void ap_main(u32 cpu);

u32 demo_cpus = 1;
u32 demo_cpu_id[DEMO_CPUS];

/* One mailbox per CPU: the first CPU asks, the other answers. */
static struct {
	volatile u32 asked, answered;
	volatile u64 tsc;
} box[DEMO_CPUS];
static volatile u32 started, phase; /* phase 1: answer with the TSC; 2: sleep until an interrupt */

void ap_main(u32 cpu)
{
	traps_init();
	apic_init();
	demo_cpu_id[cpu] = apic_id();
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	while (phase < 2) {
		if (box[cpu].asked != box[cpu].answered) {
			box[cpu].tsc = rdtsc();
			box[cpu].answered = box[cpu].asked;
		}
		asm volatile("pause");
	}
	for (;;)
		halt_until_interrupt();
}

static void start_others(void)
{
	memcpy((void *)(u64)AP_PAGE, ap_page, (u64)(ap_page_end - ap_page));
	apic_send_others(ICR_INIT);
	delay_us(INIT_US);
	apic_send_others(ICR_STARTUP);
	delay_us(INIT_US);
	apic_send_others(ICR_STARTUP);
	delay_us(FIRST_US);
	demo_cpus = (u32)umin64(1 + started, DEMO_CPUS);
}

/* Its TSC minus ours, at the middle of the fastest exchange; *trip: its duration. */
static s64 tsc_offset(u32 cpu, u64 *trip)
{
	s64 offset = 0;

	*trip = ~0ull;
	for (u32 i = 0; i < OFFSET_TRIES; i++) {
		u64 before = rdtsc(), after;

		box[cpu].asked++;
		while (box[cpu].answered != box[cpu].asked)
			asm volatile("pause");
		after = rdtsc();
		if (after - before >= *trip)
			continue;
		*trip = after - before;
		offset = (s64)(box[cpu].tsc - before - (after - before) / 2);
	}
	return offset;
}

u64 ipi_round_trip(u32 cpu)
{
	u32 seen = ipis_received;
	u64 begin = rdtsc(), end = begin + demo_tsc_hz / 1000000 * ANSWER_US;

	apic_send(demo_cpu_id[cpu], ICR_FIXED | VECTOR_IPI);
	if (cpu == 0)
		asm volatile("sti; nop; cli" ::: "memory");
	while (ipis_received == seen) {
		if (rdtsc() > end)
			return 0;
		if (cpu == 0)
			asm volatile("sti; nop; cli" ::: "memory");
	}
	return rdtsc() - begin;
}

void show_cpus(void)
{
	u64 trip;

	page_begin("processors");
	apic_init();
	demo_cpu_id[0] = apic_id();
	start_others();
	if (demo_boot.has_acpi)
		print("CPUs: %u answer; the firmware's MADT has %u enabled\n", demo_cpus,
		      demo_boot.acpi.cpu_count);
	else
		print("CPUs: %u answer\n", demo_cpus);
	print("local APIC mode: %s\n", apic_is_x2() ? "x2APIC" : "xAPIC");
	print("CPU 0: APIC ID %u, started us\n", demo_cpu_id[0]);
	for (u32 i = 1; i < demo_cpus; i++) {
		s64 offset = tsc_offset(i, &trip);

		print("CPU %u: APIC ID %u, its TSC is %lld ticks off ours (+-%llu)\n", i,
		      demo_cpu_id[i], offset, trip / 2);
	}
	phase = 2;
}
