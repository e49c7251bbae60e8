/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of testdev=on and the I/O APIC that they go to, as its tests use them. */
#pragma once

#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define PORT_LINES 0x2000

#define VEC  0x55
#define HIGH 0x75

/* Pins without a device that could interfere. */
#define PIN   20u
#define PIN_2 21u

#define REMOTE  0x4000u
#define LOW     0x2000u
#define LOGICAL 0x800u
#define LOWEST  0x100u
#define NMI     0x400u

static inline void line(u32 n, u32 level)
{
	outb((u16)(PORT_LINES + n), (u8)level);
}

static inline void pulse(u32 n)
{
	line(n, 1);
	line(n, 0);
}

static inline void lines_down(void)
{
	for (u32 n = 0; n < 24; n++)
		line(n, 0);
}

static inline u32 entry(u32 pin)
{
	return ioapic_read(0x10 + 2 * pin);
}

static inline bool remote_irr(u32 pin)
{
	return (entry(pin) & REMOTE) != 0;
}

static inline u32 logical_id(u32 cpu)
{
	return apic_mode() == APIC_X2APIC ? x2apic_ldr(smp_ids[cpu]) & 0xff : 1u << cpu;
}

static inline bool line_smp_begin(void)
{
	lines_down();
	return smp_begin();
}

/* The emulator's TSC counts instructions: an access that exits costs more than a hundred. */
#define EXIT_COST 100u

/* The jump ends a trace: some builds of the emulator count whole traces. */
static inline u64 tsc_now(void)
{
	asm volatile("jmp 1f\n1:" : : : "memory");
	return rdtsc();
}

static inline u64 cost_of_read(const volatile u32 *at)
{
	u64 start = tsc_now();

	(void)*at;
	return tsc_now() - start;
}
