/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of several CPUs share. */
#pragma once

#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/tap.h"

#define SMP_VEC 0x55

extern volatile u32 smp_hits[SMP_MAX]; /* interrupts handled, by CPU */
extern volatile u32 smp_beat[SMP_MAX]; /* grows while a CPU is in smp_spin() */
extern volatile bool smp_quit;         /* smp_spin() and the like return */

void smp_irq(struct trap_regs *regs); /* handler of SMP_VEC: counts in smp_hits */
u32 smp_hits_total(void);

/* smp_begin() - start all CPUs, counts 0. False: the test is skipped or has failed. */
bool smp_begin(void);
void smp_spin(u64 interrupts);

/* smp_all() - @fn(@arg) on all others; smp_end(): make it return. False: somebody did not. */
bool smp_all(void (*fn)(u64), u64 arg);
bool smp_end(void);

/* smp_call_beats() - start @fn there and wait until its beat says that it runs. */
bool smp_call_beats(u32 cpu, void (*fn)(u64), u64 arg);
bool smp_beats(u32 cpu);        /* its beat grows */
bool smp_is_still(u32 cpu);     /* it does not */
void smp_halts(u64 interrupts); /* HLT again and again, with IF = 1 or 0 */
