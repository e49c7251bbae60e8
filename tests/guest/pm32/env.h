/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Environment of the 32-bit task tests: descriptor tables, tasks, traps. Everything is in its
 * initial state when a test starts: main runs in TSS_MAIN at CPL 0, the others are available.
 */
#pragma once

#include "arch/x86/defs/seg.h"
#include "core/lib/bits.h"
#include "core/lib/types.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/pm32/pm32.h"

/* Selectors. CODE and DATA are where the 64-bit side has its own. */
#define S_DATA     G_DATA
#define S_CODE     G_CODE32
#define S_UCODE    0x23
#define S_UDATA    0x2b
#define S_CODE_LOW 0x30 /* 32-bit code with base PM_BASE: its offsets fit into a 16-bit TSS */
#define S_DATA_LOW 0x38 /* 16-bit stack with base `stack` */
#define S_MAIN     0x40 /* 32-bit TSSs */
#define S_A        0x48
#define S_B        0x50
#define S_H        0x58 /* handler of events */
#define S_A16      0x60 /* 16-bit TSS */
#define S_GATE     0x68 /* task gate to A */
#define S_LDT      0x70
#define S_X        0x78 /* for the test */
#define S_Y        0x80
#define S_BEYOND   0x400
#define GDT_SLOTS  32
#define L_CODE     0x04 /* in the LDT */
#define L_DATA     0x0c
#define L_GATE     0x14 /* task gate to A */

struct tss32 {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	u32 gpr[8];
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
};

struct tss16 {
	u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
	u16 gpr[8];
	u16 es, cs, ss, ds, ldt;
};

static_assert(sizeof(struct tss32) == TSS32_BYTES, "TSS layout");
static_assert(sizeof(struct tss16) == TSS16_BYTES, "TSS layout");

struct tss_room {
	struct tss32 t;
	u8 iomap[4096 - sizeof(struct tss32)]; /* behind the limit by default */
};

extern struct tss_room tss_main, tss_a, tss_b, tss_h;
extern struct tss16 tss_a16;
extern u64 gdt[512], idt[256], ldt[8];
extern u8 stack[6][1024]; /* of A 1, B 2, H 3, A16 4; 5: CPL 0 of all */
extern u32 paging;        /* PM_PAGING_* */

/* region_page() - a page of the hypervisor's region as main's page tables show it. */
u32 region_page(void);

/* What a task found in its registers when it began; index: its TSS. */
struct regs {
	u32 gpr[8], eflags;
	u32 es, cs, ss, ds, fs, gs, ldtr, tr;
};

struct trap {
	u32 vector; /* NO_TRAP */
	u32 error, eip, cs, eflags, tr, ldtr, cr2, dr6, esp;
};
#define NO_TRAP 0x100

struct frame {
	u32 ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, vector, error, eip, cs, eflags, user_esp,
		user_ss;
};

extern struct trap caught;
extern struct regs seen, back; /* the last task that began; main after its operation */
struct regs *seen_of(u32 selector);
u32 runs_of(u32 selector);

/* task_on() - what the task of TSS @selector does; then it executes IRET. */
void task_on(u32 selector, void (*fn)(void));

/* trap_on() - what an interrupt or trap gate does; it returns with IRET. */
void trap_on(u32 vector, void (*fn)(struct frame *f));

void gate_to_task(u32 vector, u32 selector, u32 dpl);
u64 desc_make(u32 base, u32 limit, u32 type_byte, u32 flags); /* flags: G 8, D 4 */
void desc_or(u32 selector, u64 bits);
void desc_clear(u32 selector, u64 bits);
u32 desc_type(u32 selector);

/* Operations of main, each between patterns in the registers: entry.S. */
#define PATTERN(reg) (0xa0b0c000u + (reg)*0x11u)
void op_call(void), op_jmp(void), op_int30(void), op_int3(void), op_ud2(void), op_iret(void),
	op_wrmsr(void), op_nmi(void), op_sti(void), op_step(void), op_mov_ss(void), op_load(void),
	op_load_ds(void);
extern u8 op_call_next[], op_jmp_next[], op_int30_next[], op_int3_next[], op_ud2_at[],
	op_ud2_next[], op_iret_at[], op_iret_next[], op_wrmsr_at[], op_wrmsr_next[], op_nmi_next[],
	op_sti_next[], op_step_at[], op_step_next[], op_mov_ss_next[], op_load_at[], op_load_next[],
	op_load_ds_at[], op_load_ds_next[];
extern u32 far_ptr[2]; /* op_call, op_jmp: offset, selector */
extern u32 op_addr;    /* op_load */

/* try_op() - the vector that nobody handled while it ran, and main restored; or NO_TRAP. */
u32 try_op(void (*op)(void));
u32 try_far(void (*op)(void), u32 selector);

/* task_leave() - from any task straight back to main's try_op(), as if nothing had trapped. */
NORETURN void task_leave(void);
void far_jmp(u32 selector);
void far_call(u32 selector);

extern u8 task_entry[], task16_entry[], task16_nest[], user_task[], user_io_task[], region_task[],
	misaligned_task[], v86_task[], v86_int30_next[], v86_end[];
extern struct regs seen16;

void page_set(u32 linear, u32 frame, u32 flags, bool second); /* second: of cr3_second() */
u32 cr3_main(void);
u32 cr3_second(void);

/* check() - counted; when it is not @ok, and the first, reported. */
void check(bool ok, const char *expr, u32 want, u32 got, const char *file, u32 line);

#define EXPECT_EQ(want, got)                                                 \
	({                                                                   \
		u32 want_ = (u32)(want), got_ = (u32)(got);                  \
		check(want_ == got_, #got, want_, got_, __FILE__, __LINE__); \
	})
#define EXPECT_ADDR(want, got) EXPECT_EQ((uintptr_t)(want), got)

static inline u32 rd_cr0(void)
{
	u32 v;

	asm volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline u32 rd_cr3(void)
{
	u32 v;

	asm volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline u32 rd_dr6(void)
{
	u32 v;

	asm volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

static inline u32 rd_dr7(void)
{
	u32 v;

	asm volatile("mov %%dr7, %0" : "=r"(v));
	return v;
}

static inline void wr_dr7(u32 v)
{
	asm volatile("mov %0, %%dr7" : : "r"(v));
}

/* Tests by their number. */
typedef void (*pm_test_fn)(void);
#define X(name, flags, why) void test_##name(void);
PM_TESTS(X)
PM_PAGING_TESTS(X)
PM_PAE_TESTS(X)
PM_FLAT_TESTS(X)
#undef X
