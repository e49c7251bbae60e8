// SPDX-License-Identifier: BSD-2-Clause
// Control transfers and segment loads whose pointer, selector or stack lies in the emulated RAM of
// testdev=on do what the CPU does on ordinary RAM, faults included.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/emul/both.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

#define TO_1 "lea 1f(%%rip), %%rax; "
#define AT_1 "; ud2; 1: "

static void flow_near(void)
{
	BOTH_STACK(TO_1 "mov %%rax, (%%rbx); jmp *(%%rbx)" AT_1, ARITH);
	BOTH_STACK(TO_1 "mov %%rax, (%%rbx); call *(%%rbx)" AT_1, ARITH);
	BOTH(TO_1 "mov %%rax, (%%rbx); call *(%%rbx)" AT_1 "pop %%rcx", ARITH);
	BOTH_STACK(TO_1 "call *%%rax; ud2; 1: call 1f; ud2; 1: ", 0);
	BOTH_STACK("call 1f" AT_1, ARITH);
	BOTH_STACK(TO_1 "push %%rax; ret" AT_1, ARITH);
	BOTH_STACK(TO_1 "push %%rax; ret $24" AT_1, ARITH);
	BOTH_STACK(TO_1 "push %%rax; data16 ret" AT_1, ARITH);
}

#define NOT_CANONICAL "movabs $0x8000000000000000, %%rax; mov %%rax, (%%rbx); "

/* Nothing has moved when the target is not canonical. */
static void flow_near_faults(void)
{
	BOTH(NOT_CANONICAL "jmp *(%%rbx)", ARITH);
	BOTH(NOT_CANONICAL "call *(%%rbx)", ARITH);
	BOTH(NOT_CANONICAL "mov %%cs, 8(%%rbx); rex.W ljmp *(%%rbx)", ARITH);
}

#define FAR_POINTER TO_1 "mov %%rax, (%%rbx); mov %%cs, 8(%%rbx); "
#define FAR_32      TO_1 "mov %%eax, (%%rbx); mov %%cs, 4(%%rbx); "
#define PUSH_CS     "mov %%cs, %%eax; push %%rax; "

static void flow_far(void)
{
	BOTH(FAR_POINTER "rex.W ljmp *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_32 "ljmp *(%%rbx)" AT_1, ARITH);
	BOTH_AT(FAR_POINTER "rex.W ljmp *(%%rbx)" AT_1, ARITH, BOTH_EDGE - 3, false);
	BOTH_STACK(FAR_POINTER "rex.W lcall *(%%rbx)" AT_1, ARITH);
	BOTH_STACK(FAR_32 "lcall *(%%rbx)" AT_1, ARITH);
	BOTH_STACK(PUSH_CS TO_1 "push %%rax; lretq" AT_1, ARITH);
	BOTH_STACK(PUSH_CS TO_1 "push %%rax; lretq $24" AT_1, ARITH);
}

/* No code at CPL 0: null, data, beyond the table, a TSS in its place. */
static void flow_far_faults(void)
{
	BOTH(FAR_POINTER "movw $0, 8(%%rbx); rex.W ljmp *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_POINTER "movw $3, 8(%%rbx); rex.W lcall *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_POINTER "movw $0xfff0, 8(%%rbx); rex.W ljmp *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_POINTER "movw $0xfff4, 8(%%rbx); rex.W lcall *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_POINTER "orw $3, 8(%%rbx); rex.W ljmp *(%%rbx)" AT_1, ARITH);
	BOTH(FAR_POINTER "mov %%ss, 8(%%rbx); rex.W ljmp *(%%rbx)" AT_1, ARITH);
}

#define IRET_FRAME(flags)                                            \
	"mov %%ss, %%eax; push %%rax; push %%r12; push $" flags "; " \
	"mov %%cs, %%eax; push %%rax; lea 1f(%%rip), %%rax; push %%rax; "

static void flow_iret(void)
{
	BOTH_STACK(IRET_FRAME("0x2") "iretq" AT_1, ~0ull);
	BOTH_STACK(IRET_FRAME("0x203cd7") "iretq" AT_1 "pushfq; pop %%rcx", ~0ull);
	BOTH_STACK(IRET_FRAME("0x40897") "iretq" AT_1 "pushfq; pop %%rcx", ~0ull);
}

static void flow_enter_leave(void)
{
	BOTH_STACK("mov %%rbp, %%r14; mov %%rsi, %%rcx; sub %%rbx, %%rcx; mov %%rcx, %%rbp;"
		   "enter $16, $0; mov %%rbp, %%rdx; sub %%rbx, %%rdx; mov %%r14, %%rbp",
		   0);
	BOTH_STACK("mov %%rbp, %%r14; push %%rdx; mov %%rsp, %%rbp; sub $32, %%rsp; leave;"
		   "mov %%rbp, %%rcx; mov %%r14, %%rbp",
		   0);
}

/* --- Segment registers --- */

#define OLD_ENTRIES 32u /* of the suite's own table, kept */

enum entry {
	E_DATA = OLD_ENTRIES,
	E_READ_ONLY,
	E_USER_DATA,
	E_ABSENT_DATA,
	E_CODE,
	E_EXECUTE_ONLY,
	E_CONFORMING,
	E_TSS, /* the rest: two entries each */
	E_BUSY_TSS = E_TSS + 2,
	E_ABSENT_TSS = E_BUSY_TSS + 2,
	E_TSS16 = E_ABSENT_TSS + 2,
	E_LDT = E_TSS16 + 2,
	E_HIGH_TYPE = E_LDT + 2,
	E_NOT_CANONICAL = E_HIGH_TYPE + 2,
	E_END = E_NOT_CANONICAL + 2
};

static u64 table[E_END] ALIGNED(16);

static void fill_table(const struct desc_ptr *old)
{
	const u64 flat = 0x00cf90000000ffff; /* present, S, type 0 */
	u16 tr;
	u64 tss;

	memset(table, 0, sizeof(table));
	memcpy(table, (const void *)(uintptr_t)old->base, old->limit + 1u);
	asm volatile("str %0" : "=r"(tr));
	tss = table[tr >> 3] & ~FIELD_PREP(DESC_TYPE, 2);
	table[tr >> 3] = tss; /* to be loaded again */
	table[E_DATA] = flat | FIELD_PREP(DESC_TYPE, 2);
	table[E_READ_ONLY] = flat;
	table[E_USER_DATA] = flat | FIELD_PREP(DESC_TYPE, 2) | DESC_DPL;
	table[E_ABSENT_DATA] = (flat | FIELD_PREP(DESC_TYPE, 2)) & ~DESC_P;
	table[E_CODE] = flat | FIELD_PREP(DESC_TYPE, 0xa);
	table[E_EXECUTE_ONLY] = flat | FIELD_PREP(DESC_TYPE, 0x8);
	table[E_CONFORMING] = flat | FIELD_PREP(DESC_TYPE, 0xe);
	table[E_TSS] = tss;
	table[E_BUSY_TSS] = tss | FIELD_PREP(DESC_TYPE, 2);
	table[E_ABSENT_TSS] = tss & ~DESC_P;
	table[E_TSS16] = tss & ~FIELD_PREP(DESC_TYPE, 8);
	table[E_LDT] = desc_system_low(0x1000, 0x1f, DESC_TYPE_LDT);
	table[E_HIGH_TYPE] = tss;
	table[E_HIGH_TYPE + 1] = BIT64(40);
	table[E_NOT_CANONICAL] = tss;
	table[E_NOT_CANONICAL + 1] = 0x12345678;
}

struct outcome {
	u32 vector, error;
	u64 selector, fs_base;
	u64 desc;
};

/* X(name, load from %1, read what it holds into %0) */
#define LOADERS(X)                                 \
	X(L_DS, "mov (%1), %%ds", "mov %%ds, %w0") \
	X(L_ES, "mov (%1), %%es", "mov %%es, %w0") \
	X(L_FS, "mov (%1), %%fs", "mov %%fs, %w0") \
	X(L_SS, "mov (%1), %%ss", "mov %%ss, %w0") \
	X(L_LTR, "ltr (%1)", "str %w0")            \
	X(L_LLDT, "lldt (%1)", "sldt %w0")

#define LOADER_NAME(name, load, read) name,
enum loader { LOADERS(LOADER_NAME) L_COUNT };

static void load_from(enum loader how, const volatile u16 *at, struct outcome *o)
{
	u16 sel = 0, tr;

	asm volatile("str %0" : "=r"(tr));
	trap_clear();
#define LOADER_CASE(name, load, read)                                                       \
	case name:                                                                          \
		asm volatile(TRY_BEGIN load TRY_END read : "=r"(sel) : "r"(at) : "memory"); \
		break;
	switch (how) {
		LOADERS(LOADER_CASE)
	case L_COUNT:
		break;
	}
	o->vector = trap_vector();
	o->error = o->vector == NO_FAULT ? 0 : trap_last()->error;
	o->selector = sel;
	o->fs_base = rdmsr(0xc0000100);
	o->desc = (*at >> 3) < E_END ? table[*at >> 3] : 0;
	if (how == L_LTR && o->vector == NO_FAULT) /* the suite tells its CPUs apart by TR */
		asm volatile("ltr %0" : : "r"(tr));
}

/* Load @selector from emulated and from plain memory; the table is as before each time. */
static void compare_load(enum loader how, u16 selector, const struct desc_ptr *old)
{
	static u16 plain;
	volatile u16 *at[2] = { (volatile u16 *)(uintptr_t)(BOTH_MMIO + 0x3ffe), &plain };
	struct outcome o[2];
	u16 ds, ss;

	asm volatile("mov %%ds, %0; mov %%ss, %1" : "=r"(ds), "=r"(ss));
	for (u32 i = 0; i < 2; i++) {
		fill_table(old);
		*at[i] = selector;
		load_from(how, at[i], &o[i]);
		asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %1, %%ss"
			     :
			     : "r"(ds), "r"(ss));
	}
	EXPECT_AT(o[0].vector == o[1].vector && o[0].error == o[1].error,
		  "loader %u, selector 0x%x: vector 0x%x error 0x%x, CPU 0x%x 0x%x", how, selector,
		  o[0].vector, o[0].error, o[1].vector, o[1].error);
	EXPECT_EQ(o[1].selector, o[0].selector);
	EXPECT_EQ(o[1].fs_base, o[0].fs_base);
	EXPECT_EQ(o[1].desc, o[0].desc);
}

static void flow_segment_loads(void)
{
	const struct desc_ptr mine = { sizeof(table) - 1, (u64)(uintptr_t)table };
	struct desc_ptr old;

	asm volatile("sgdt %0" : "=m"(old));
	REQUIRE(old.limit < 8 * OLD_ENTRIES);
	fill_table(&old);
	asm volatile("lgdt %0" : : "m"(mine));
	for (enum loader how = L_DS; how < L_COUNT; how++) {
		for (u32 e = OLD_ENTRIES; e < E_END; e++) {
			compare_load(how, (u16)(e * 8), &old);
			compare_load(how, (u16)(e * 8 + 3), &old);
			compare_load(how, (u16)(e * 8 + SEL_TI), &old);
		}
		compare_load(how, 0, &old);
		compare_load(how, 3, &old);
	}
	asm volatile("lgdt %0; lldt %w1" : : "m"(old), "r"(0));
	cpu_reload_tr();
	wrmsr(0xc0000100, 0);
}

static void flow_segment_stores(void)
{
	BOTH("mov %%ds, (%%rbx)", ARITH);
	BOTH("rex.W mov %%ss, (%%rbx)", ARITH);
	BOTH_AT("mov %%cs, (%%rbx)", ARITH, 0x1000 - 0x41, false);
}

static void flow_descriptor_tables(void)
{
	BOTH("sgdt (%%rbx)", ARITH);
	BOTH_AT("sidt (%%rbx)", ARITH, BOTH_EDGE - 3, false);
	BOTH("sldt (%%rbx); str 2(%%rbx)", ARITH);
	BOTH("sgdt (%%rbx); lgdt (%%rbx); sidt 16(%%rbx); lidt 16(%%rbx); sidt 32(%%rbx)", ARITH);
	BOTH("movabs $0x8000000000000000, %%rax; mov %%rax, 2(%%rbx); lidt (%%rbx)", ARITH);
}

static u64 trapped_rcx;

static void on_step(struct trap_regs *regs)
{
	trapped_rcx = regs->rcx;
	regs->rflags &= ~RFLAGS_TF;
}

/* MOV SS holds a single-step trap back for one instruction. */
static void flow_mov_ss_shadow(void)
{
	volatile u16 *at = (volatile u16 *)(uintptr_t)(BOTH_MMIO + 0x40);
	u64 rcx = 0;

	asm volatile("mov %%ss, %0" : "=m"(*at));
	trap_handle(EXC_DB, on_step);
	asm volatile("pushfq; orl $0x100, (%%rsp); popfq; mov %1, %%ss; inc %0; inc %0; inc %0"
		     : "+c"(rcx)
		     : "m"(*at)
		     : "memory", "cc");
	EXPECT_EQ(3, rcx);
	EXPECT_EQ(1, trapped_rcx);
}

static const struct test t_testdev_flow_tests[] = {
	TESTDEV_ROW(flow_near),
	TESTDEV_ROW(flow_near_faults),
	TESTDEV_ROW(flow_far),
	TESTDEV_ROW(flow_far_faults),
	TESTDEV_ROW(flow_iret),
	TESTDEV_ROW(flow_enter_leave),
	TESTDEV_ROW(flow_segment_loads),
	TESTDEV_ROW(flow_segment_stores),
	TESTDEV_ROW(flow_descriptor_tables),
	TESTDEV_ROW(flow_mov_ss_shadow),
};
TEST_GROUP(t_testdev_flow);
