/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks, samples and handlers that the rows of the benchmark guest share: bench.c says how. */
#pragma once

#include "core/lib/bits.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/tap.h"

#define SAMPLES 512
#define VEC     0x60

struct regs {
	u64 rbx, rcx, rsi, rdi;
};

/* EAX and EDX are the counter's: @setup loads them from ESI, EDI or constants. */
#define BLOCK(name, setup, op)                                                 \
	static NOINLINE u32 name(const struct regs *r)                         \
	{                                                                      \
		u64 b = r->rbx, c = r->rcx, s = r->rsi, d = r->rdi;            \
		u32 ticks;                                                     \
                                                                               \
		asm volatile("jmp 1f\n"                                        \
			     "1: rdtsc\n\t"                                    \
			     "mov %%eax, %%r8d\n\t" setup op "\n\t"            \
			     "jmp 2f\n"                                        \
			     "2: rdtsc\n\t"                                    \
			     "sub %%r8d, %%eax"                                \
			     : "=a"(ticks), "+b"(b), "+c"(c), "+S"(s), "+D"(d) \
			     :                                                 \
			     : "rdx", "r8", "memory", "cc");                   \
		return ticks;                                                  \
	}
#define PAIR(name, setup, op)       \
	BLOCK(name##_op, setup, op) \
	BLOCK(name##_nop, setup, "nop")

typedef u32 (*block_fn)(const struct regs *r);

extern u32 bench_samples[SAMPLES];
extern volatile u32 bench_irqs;
extern volatile u64 bench_tsc;

/* bench_report() - the median of the samples, less @floor; bench_report_mean(): their mean. */
void bench_report(const char *name, u32 floor);
void bench_report_mean(const char *name);
u32 bench_floor(block_fn nop, const struct regs *r);

/* bench_run() - @before and @after run around every sample, outside of what is counted. */
void bench_run(const char *name, block_fn op, block_fn nop, const struct regs *r,
	       void (*before)(void), void (*after)(void));
void bench_simple(const char *name, block_fn op, block_fn nop, const struct regs *r);
void bench_nothing(void);

/*
 * Interrupt handlers, as short as can be. Each ends its interrupt as Linux does: it tests and
 * clears bit 0 of a word, which is set only where the word was registered for PV EOI, and writes
 * the register otherwise. The word is a CPU's own: those with _1 are CPU 1's, _plain has none.
 */
void bench_irq(void);
void bench_irq_1(void);
void bench_irq_plain(void);
void bench_irq_xapic(void);
void bench_irq_level(void);
void bench_irq_tsc(void);
void bench_irq_tsc_1(void);
void bench_irq_reply_1(void); /* answers by writing bench_reply to the ICR */
extern u64 bench_reply;
extern u32 bench_word[2];

/* bench_smp.c, bench_kvm.c */
void bench_smp(void);
void bench_deaf(void);
void bench_outer(void);           /* bench_outer.c */
void bench_kvm_register(u64 cpu); /* `kvm=1`: the calling CPU's pages, before the rows */
void bench_kvm_unregister(u64 cpu);
void bench_kvm(void);
void bench_kvm_smp(void);
void bench_hv(void);     /* bench_hv.c */
void bench_stimer(void); /* bench_stimer.c */
void bench_hv_smp(void); /* bench_hv_smp.c */
bool bench_with_kvm(void);
