/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables, exceptions and interrupts, CPL 3, page mappings of the test guests. */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/insn.h"

#define USER_EXIT_VECTOR 0x81
#define SPURIOUS_VECTOR  0xff

struct trap_regs {
	u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct trap_info {
	u32 vector; /* NO_FAULT: none since trap_clear() */
	u32 error;
	u64 rip, rflags, cr2, cs, rcx, rdi, rsi;
	u64 dr6; /* #DB only */
};

struct jump {
	u64 rip, rsp, rbx, rbp, r12, r13, r14, r15;
};

typedef void (*trap_handler)(struct trap_regs *regs);

void cpu_init(void);
/* cpu_reload_tr() - CPU 0 had another TR in 32-bit mode. */
void cpu_reload_tr(void);
void cpu_init_ap(u32 cpu); /* tables and TR of another CPU; trap_of(), try_*() are CPU 0's only */

/* cpu_reset_handlers() - forget handlers, logs and catch points: before every test. */
void cpu_reset_handlers(void);

/* trap_handle() - @fn gets the vector; it must EOI interrupts itself. NULL: back to the default. */
void trap_handle(u32 vector, trap_handler fn);

const struct trap_info *trap_last(void);

/* Vectors >= 32 without a handler are logged in order and EOIed when they are in service. */
#define IRQ_LOG_MAX 64
extern volatile u32 irq_log_count;
extern volatile u8 irq_log[IRQ_LOG_MAX];
extern volatile u64 irq_log_rip[IRQ_LOG_MAX];
u32 irq_count(u8 vector);

/* trap_of() - run @fn(@arg); the vector of the first unhandled exception, or NO_FAULT. */
u32 trap_of(void (*fn)(u64), u64 arg);

/* user_call() - run @fn at CPL 3 on its own stack and return its result. */
u64 user_call(u64 (*fn)(u64), u64 arg);

int guest_setjmp(struct jump *j) __attribute__((returns_twice));
void trap_resume_jump(struct trap_regs *regs, const struct jump *j);

/* What an exception that nobody catches ends: the running test. */
extern struct jump *test_jump;
void test_trapped(const struct trap_regs *regs, u64 cr2);

/* cpu_set_ist() - deliver @vector on interrupt stack @ist (1..7) at @stack_top; 0: current stack.
 */
void cpu_set_ist(u8 vector, u8 ist, u64 stack_top);
void cpu_gate_present(u8 vector, bool present);

/* cpu_set_gate() - deliver @vector straight to @entry, which ends with IRETQ. */
void cpu_set_gate(u8 vector, void (*entry)(void));

/* cpu_set_gate_on() - the same on interrupt stack @ist at @stack_top. */
void cpu_set_gate_on(u8 vector, void (*entry)(void), u8 ist, u64 stack_top);

/* map_page() - map 4 KiB of the test window (TEST_VA..) to @pa with page-table flags @flags. */
#define TEST_VA    0x8000000000ull /* 512 GiB: the second PML4 entry */
#define TEST_PAGES 512u
void *map_page(u32 index, u64 pa, u64 flags);
u64 *map_pte(u32 index);
u64 *map_pde(void); /* the page-directory entry of the whole window */

#define G_PTE_P  0x001ull
#define G_PTE_W  0x002ull
#define G_PTE_U  0x004ull
#define G_PTE_NX (1ull << 63)
