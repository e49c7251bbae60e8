/* SPDX-License-Identifier: BSD-2-Clause */
/* Between t_tss_race.c and its 32-bit code: where everything lies while they run. */
#pragma once

#define RACE_CODE 0x20000 /* page 0x20: the SIPI starts CPUs there */
#define RACE_DATA 0x22000 /* struct race */

#define RACE_S_CODE 0x08
#define RACE_S_DATA 0x10
#define RACE_S_TASK 0x18
#define RACE_S_MAIN 0x20 /* TSS of CPU 0; the others follow */

/* Offsets in struct race */
#define RACE_NEXT       0x00
#define RACE_READY      0x04
#define RACE_DONE       0x08
#define RACE_CPUS       0x0c
#define RACE_ROUNDS     0x10
#define RACE_OWNER      0x14
#define RACE_TOGETHER   0x18
#define RACE_RUNS       0x1c
#define RACE_REFUSED    0x20
#define RACE_BAD        0x24
#define RACE_LATE       0x28
#define RACE_SAVED_GDTR 0x30
#define RACE_GDTR       0x38
#define RACE_IDTR       0x40
#define RACE_STACKS     0x1000
#define RACE_STACK      0x100 /* bytes, by CPU; the task has the one behind */

#define RACE_SPIN  40       /* how long the task keeps to itself */
#define RACE_LIMIT 20000000 /* loops until a CPU is given up */
