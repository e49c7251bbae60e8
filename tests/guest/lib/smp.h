/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs of the machine: found and started by INIT-SIPI-SIPI to all but self, each with its
 * own stack, TSS and mailbox. Between tests they wait for a SIPI. CPU 0 is the one that boots.
 */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"

/* What a CPU finds after INIT and SIPI; ap.S fills it in. */
struct ap_state {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, esp;
	u32 ds, ss, cs, eflags;
	u32 cr0, cr2, cr3, cr4, dr6, dr7, efer, pad;
	u16 idt_limit;
	u32 idt_base;
} PACKED;

/* Local APIC as the CPU found it. */
struct ap_apic {
	u64 base;
	u32 svr, tpr, ldr, dfr, esr, tmict, tmcct, icr;
	u32 lvt[6];
	u32 isr, irr, tmr; /* ORed over all vectors */
};

struct smp_cpu {
	volatile u32 starts;      /* how often ap_main() was reached */
	void (*volatile fn)(u64); /* mailbox: not NULL while something runs */
	volatile u64 arg;
	struct ap_apic found;
};

extern struct smp_cpu smp_cpu[SMP_MAX];
extern u32 smp_ids[SMP_MAX]; /* APIC IDs */

/* smp_count() - CPUs that answer, this one included; looks for them at the first call. */
u32 smp_count(void);

/* smp_self() - the index of the calling CPU. */
static inline u32 smp_self(void)
{
	u16 tr;

	asm volatile("str %0" : "=r"(tr));
	return tr <= G_TSS ? 0 : (u32)(tr - G_TSS) / 16;
}

/*
 * smp_start() - all CPUs anew: APIC in the mode of CPU 0, enabled, logical ID 1 << index (xAPIC),
 * IF = 0, waiting for smp_call(). False: one did not come.
 */
bool smp_start(void);
void smp_stop(void); /* INIT to all others, if any run */

void smp_send_init(u32 cpu);
void smp_send_sipi(u32 cpu, u8 vector);
bool smp_restart(u32 cpu); /* INIT and one SIPI; true when it is back in its mailbox loop */

/* smp_call() - have @fn(@arg) run there; smp_wait(): until it has returned. False: not in 2 s. */
void smp_call(u32 cpu, void (*fn)(u64), u64 arg);
bool smp_wait(u32 cpu);
bool smp_run(u32 cpu, void (*fn)(u64), u64 arg);

const struct ap_state *smp_state(void);

/* An exception or interrupt without handler on another CPU: reported, the CPU stops. */
void smp_trap(struct trap_regs *regs);
