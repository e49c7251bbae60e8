/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the stress test: the books of each CPU. t_stress.c has the rounds, stress_act.c what a CPU
 * does in one step, stress_wait.c the handlers and the waiting for them.
 */
#pragma once

#include "core/lib/bits.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"

#define LANES      8 /* vectors of one sender */
#define SERVE_LANE 7 /* for those who sleep until an IPI comes */
#define IPI_VEC    0x40
#define IPIS       (SMP_MAX * LANES)
#define LOWEST_VEC 0xb0 /* + sender */
#define TIMER_LOW  0x38
#define TIMER_HIGH 0xc8

#define NOBODY  SMP_MAX
#define WAIT_US 400000

enum sleep { AWAKE, UNTIL_NMI, UNTIL_IPI };

/* One CPU's books; written by that CPU unless it says otherwise. */
struct stress_cpu {
	u32 random;
	const char *volatile doing;
	volatile u32 steps;
	volatile bool finished;
	volatile enum sleep sleep;
	u64 served_tsc; /* by who woke it last */
	volatile u32 got[IPIS];
	volatile u32 want[IPIS]; /* by the sender */
	volatile u32 nmis;
	volatile u32 nmis_sent; /* under nmi_lock; in a flood: atomic, by anybody */
	volatile u32 nmi_lock;
	volatile u32 timer, timer_want;
	volatile u32 timer_vec;
	volatile u32 low_got, low_want, low_mask; /* lowest-priority IPIs it sent; got: atomic */
};

extern struct stress_cpu stress_cpu[SMP_MAX];

struct stress {
	volatile bool quit, is_flood, is_cluster;
	bool hlt_ends; /* a kick ends CLI; HLT: tests/run/suites/smp.cfg says where and why */
	u32 victim;    /* the last CPU: INIT hits it again and again; or NOBODY */
	volatile u32 text_taken;
	char text[200]; /* the first complaint */
};

extern struct stress stress;

u32 stress_rnd(struct stress_cpu *c, u32 limit);

/* The first complaint of all CPUs is the one that counts; it ends the run. */
void stress_complain(const char *fmt, ...) PRINTF(1, 2);
const char *stress_doing(u32 cpu); /* for complaints */

void stress_handlers(void); /* install them */

/* stress_serve() - wake those who sleep until somebody does. Who waits calls it again and again. */
void stress_serve(void);

/* True: it came; also when the run is over, so that there is one complaint only. */
#define WAIT(cond)                                          \
	({                                                  \
		u64 end_ = rdtsc() + us_to_tsc(WAIT_US);    \
		bool came_;                                 \
		while (!(came_ = (cond)) && !stress.quit) { \
			if (rdtsc() > end_)                 \
				break;                      \
			stress_serve();                     \
			cpu_relax();                        \
		}                                           \
		came_ || stress.quit;                       \
	})

/* stress_send_nmi() - and count it; stress_nmi_exact(): wait for it, so that it arrives once. */
void stress_send_nmi(u32 to);
void stress_nmi_exact(struct stress_cpu *c, u32 to);

/* stress_step() - one random act of this CPU. */
void stress_step(struct stress_cpu *c, u32 self);
