// SPDX-License-Identifier: BSD-2-Clause
// The exception conditions of a task switch, one after the other. Runs at PM_BASE.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/pm32/env.h"

static const struct tss32 *fresh_a(void)
{
	static struct tss32 copy;
	static bool have;

	if (!have)
		copy = tss_a.t;
	have = true;
	tss_a.t = copy;
	gdt[S_A >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 1, 0x89, 0);
	return &copy;
}

/* Before the commit point: nothing changed. */
static void expect_refused(void (*op)(void), u32 selector, u32 vector, u32 error)
{
	u32 main_eip = tss_main.t.eip, type = desc_type(S_A);

	asm volatile("clts");
	EXPECT_EQ(vector, try_far(op, selector));
	EXPECT_EQ(error, caught.error);
	EXPECT_EQ(S_MAIN, caught.tr);
	EXPECT_EQ(S_CODE, caught.cs);
	EXPECT_EQ(main_eip, tss_main.t.eip);
	EXPECT_EQ(type, desc_type(S_A));
	EXPECT_EQ(RFLAGS_RF, caught.eflags & RFLAGS_RF);
	EXPECT_EQ(0, runs_of(S_A));
}

static void expect_both_refused(u32 selector, u32 vector, u32 error)
{
	expect_refused(op_call, selector, vector, error);
	expect_refused(op_jmp, selector, vector, error);
}

void test_bad_tss(void)
{
	expect_both_refused(S_BEYOND, EXC_GP, S_BEYOND);
	expect_both_refused(S_BEYOND | 4, EXC_GP, S_BEYOND | 4);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 1, 0x8b, 0);
	expect_both_refused(S_X, EXC_GP, S_X); /* busy */
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 1, 0x09, 0);
	expect_both_refused(S_X, EXC_NP, S_X);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 2, 0x89, 0);
	expect_both_refused(S_X, EXC_TS, S_X);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS16_BYTES - 2, 0x81, 0);
	expect_both_refused(S_X, EXC_TS, S_X);
	expect_both_refused(S_A | 1, EXC_GP, S_A); /* RPL above DPL */
}

static void set_gate(u32 selector, u32 type_byte)
{
	gdt[S_X >> 3] = FIELD_PREP(GATE_SELECTOR, (u64)selector) | (u64)type_byte << 40;
}

void test_bad_gate(void)
{
	set_gate(S_A, 0x05);
	expect_both_refused(S_X, EXC_NP, S_X);
	set_gate(S_A, 0x85);
	expect_both_refused(S_X | 3, EXC_GP, S_X);
	set_gate(S_A | 4, 0x85);
	expect_both_refused(S_X, EXC_GP, S_A | 4);
	set_gate(S_BEYOND, 0x85);
	expect_both_refused(S_X, EXC_GP, S_BEYOND);
	set_gate(S_DATA, 0x85);
	expect_both_refused(S_X, EXC_GP, S_DATA);
	set_gate(S_MAIN, 0x85);
	expect_both_refused(S_X, EXC_GP, S_MAIN);
	desc_clear(S_A, DESC_P);
	set_gate(S_A, 0x85);
	expect_both_refused(S_X, EXC_NP, S_A);
	/* A gate may ask for less privilege than the TSS it names. */
	desc_or(S_A, DESC_P);
	set_gate(S_A, 0xe5);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_X | 3));
	EXPECT_EQ(1, runs_of(S_A));
}

static u32 return_to(u32 link)
{
	tss_main.t.link = link;
	asm volatile("pushf; orl $0x4000, (%%esp); popf" : : : "memory", "cc");
	return try_op(op_iret);
}

static void expect_no_return(u32 link, u32 vector)
{
	EXPECT_EQ(vector, return_to(link));
	EXPECT_EQ(link & 0xfffc, caught.error);
	EXPECT_EQ(S_MAIN, caught.tr);
	EXPECT_ADDR(op_iret_at, caught.eip);
	EXPECT_EQ(RFLAGS_NT, caught.eflags & RFLAGS_NT);
	EXPECT_EQ(0, runs_of(S_A));
}

void test_bad_link(void)
{
	expect_no_return(S_A | 4, EXC_TS);
	expect_no_return(S_BEYOND, EXC_TS);
	expect_no_return(S_A, EXC_TS); /* not busy */
	expect_no_return(S_DATA, EXC_TS);
	expect_no_return(S_LDT, EXC_TS);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 1, 0x0b, 0);
	expect_no_return(S_X, EXC_NP);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 2, 0x8b, 0);
	expect_no_return(S_X, EXC_TS);
	/* and one that is good: no link, no busy flag changes but main's */
	desc_or(S_A, FIELD_PREP(DESC_TYPE, 2ull));
	tss_a.t.link = 0x9999;
	task_on(S_A, task_leave);
	EXPECT_EQ(NO_TRAP, return_to(S_A));
	EXPECT_EQ(1, runs_of(S_A));
	EXPECT_EQ(0x9999, tss_a.t.link);
	EXPECT_EQ(0, tss_main.t.eflags & RFLAGS_NT);
	EXPECT_EQ(0, seen_of(S_A)->eflags & RFLAGS_NT);
	EXPECT_ADDR(op_iret_next, tss_main.t.eip);
}

/* EXT tells INT n from what comes from outside the program. */
void test_bad_event_gate(void)
{
	gate_to_task(0x30, S_MAIN, 3);
	gate_to_task(EXC_UD, S_MAIN, 3);
	expect_refused(op_int30, 0, EXC_GP, S_MAIN);
	expect_refused(op_ud2, 0, EXC_GP, S_MAIN | ERROR_CODE_EXT);
	gate_to_task(0x30, S_X, 3);
	gate_to_task(EXC_UD, S_X, 3);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 1, 0x09, 0);
	expect_refused(op_int30, 0, EXC_NP, S_X);
	expect_refused(op_ud2, 0, EXC_NP, S_X | ERROR_CODE_EXT);
	gdt[S_X >> 3] = desc_make((u32)(uintptr_t)&tss_a, TSS32_BYTES - 2, 0x89, 0);
	expect_refused(op_int30, 0, EXC_TS, S_X);
	expect_refused(op_ud2, 0, EXC_TS, S_X | ERROR_CODE_EXT);
	EXPECT_ADDR(op_ud2_at, caught.eip);
}

/* What does not fit into the old TSS cannot be saved. */
void test_old_tss_small(void)
{
	u64 good = gdt[S_MAIN >> 3];

	gdt[S_MAIN >> 3] = desc_make((u32)(uintptr_t)&tss_main, 0x5c, 0x89, 0);
	asm volatile("ltr %w0" : : "r"(S_MAIN) : "memory");
	gdt[S_MAIN >> 3] = good; /* task_leave() restores it from here */
	expect_refused(op_call, S_A, EXC_TS, S_MAIN);
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
}

/* --- behind the commit point: the fault is the new task's --- */

static void expect_broken(u32 vector, u32 error)
{
	EXPECT_EQ(vector, try_far(op_call, S_A));
	EXPECT_EQ(error, caught.error);
	EXPECT_EQ(S_A, caught.tr);
	EXPECT_EQ(tss_a.t.eip, caught.eip);
	EXPECT_EQ(RFLAGS_NT | RFLAGS_RF, caught.eflags & (RFLAGS_NT | RFLAGS_RF));
	EXPECT_EQ(S_MAIN, tss_a.t.link & 0xffff);
	EXPECT_EQ(0xb, desc_type(S_A));
	EXPECT_ADDR(op_call_next, tss_main.t.eip);
	EXPECT_EQ(PATTERN(3), tss_main.t.gpr[3]);
	EXPECT_EQ(0, runs_of(S_A));
	(void)fresh_a();
}

#define BROKEN(field, selector, vector)                   \
	do {                                              \
		tss_a.t.field = (selector);               \
		expect_broken(vector, (selector)&0xfffc); \
	} while (0)

static void set_x(u32 type_byte)
{
	gdt[S_X >> 3] = desc_make(0, 0xfffff, type_byte, 0xc);
}

void test_bad_ldt(void)
{
	(void)fresh_a();
	BROKEN(ldt, S_LDT | 4, EXC_TS);
	BROKEN(ldt, S_BEYOND, EXC_TS);
	BROKEN(ldt, S_DATA, EXC_TS);
	BROKEN(ldt, S_B, EXC_TS);
	desc_clear(S_LDT, DESC_P);
	BROKEN(ldt, S_LDT, EXC_TS);
}

void test_bad_ss(void)
{
	(void)fresh_a();
	BROKEN(ss, 0, EXC_TS);
	BROKEN(ss, S_BEYOND, EXC_TS);
	BROKEN(ss, S_CODE, EXC_TS);
	BROKEN(ss, S_LDT, EXC_TS);
	BROKEN(ss, L_DATA, EXC_TS); /* no LDT */
	set_x(0x91);
	BROKEN(ss, S_X, EXC_TS); /* read-only */
	set_x(0x13);
	BROKEN(ss, S_X, EXC_SS);           /* not present */
	BROKEN(ss, S_UDATA & ~3u, EXC_TS); /* DPL 3, CPL 0 */
	BROKEN(ss, S_UDATA, EXC_TS);
	BROKEN(ss, S_DATA | 1, EXC_TS); /* RPL 1, DPL 0 */
}

void test_bad_cs(void)
{
	(void)fresh_a();
	BROKEN(cs, 0, EXC_TS);
	BROKEN(cs, S_BEYOND, EXC_TS);
	BROKEN(cs, S_DATA, EXC_TS);
	BROKEN(cs, S_B, EXC_TS);
	BROKEN(cs, L_CODE, EXC_TS);
	set_x(0x1b);
	BROKEN(cs, S_X, EXC_NP);
	set_x(0xfb);
	BROKEN(cs, S_X, EXC_TS); /* DPL 3, RPL 0 */
	set_x(0xff);
	BROKEN(cs, S_X, EXC_TS); /* conforming, DPL 3, RPL 0 */
	tss_a.t.ss = tss_a.t.ds = tss_a.t.es = tss_a.t.fs = S_UDATA;
	BROKEN(cs, S_CODE | 3, EXC_TS); /* DPL 0, RPL 3 */
}

static void bad_data(u32 *field)
{
	static const struct {
		u32 type_byte, selector, vector;
	} c[] = {
		{ 0x99, S_X, EXC_TS },                                 /* execute-only */
		{ 0x82, S_X, EXC_TS },                                 /* a system segment */
		{ 0x13, S_X, EXC_NP },      { 0x93, S_X | 1, EXC_TS }, /* RPL above DPL */
		{ 0x93, S_BEYOND, EXC_TS }, { 0x93, L_DATA, EXC_TS },  /* no LDT */
	};

	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		set_x(c[i].type_byte);
		*field = c[i].selector;
		expect_broken(c[i].vector, c[i].selector & 0xfffc);
	}
}

void test_bad_data(void)
{
	(void)fresh_a();
	bad_data(&tss_a.t.ds);
	bad_data(&tss_a.t.es);
	bad_data(&tss_a.t.fs);
	bad_data(&tss_a.t.gs);
	/* CPL 3 above a segment's DPL 0 */
	tss_a.t.cs = S_UCODE;
	tss_a.t.ss = S_UDATA;
	tss_a.t.ds = S_UDATA;
	tss_a.t.es = S_DATA;
	expect_broken(EXC_TS, S_DATA);
}

/* The first instruction lies beyond CS: all of the task is loaded. */
void test_bad_eip(void)
{
	(void)fresh_a();
	gdt[S_X >> 3] = desc_make(0, 0xffff, 0x9a, 4);
	tss_a.t.cs = S_X;
	tss_a.t.fs = S_UDATA;
	EXPECT_EQ(EXC_GP, try_far(op_call, S_A));
	EXPECT_EQ(0, caught.error);
	EXPECT_EQ(S_A, caught.tr);
	EXPECT_EQ(S_X, caught.cs);
	EXPECT_ADDR(task_entry, caught.eip);
	EXPECT_EQ(0xb, desc_type(S_X)); /* accessed */
}

void test_bad_segment_ext(void)
{
	(void)fresh_a();
	gate_to_task(0x30, S_A, 3);
	gate_to_task(EXC_UD, S_A, 0);
	tss_a.t.fs = S_BEYOND;
	EXPECT_EQ(EXC_TS, try_op(op_int30));
	EXPECT_EQ(S_BEYOND, caught.error);
	(void)fresh_a();
	tss_a.t.fs = S_BEYOND;
	EXPECT_EQ(EXC_TS, try_op(op_ud2));
	EXPECT_EQ(S_BEYOND | ERROR_CODE_EXT, caught.error);
	(void)fresh_a();
	gdt[S_X >> 3] = desc_make(0, 0xffff, 0x9b, 4);
	tss_a.t.cs = S_X;
	EXPECT_EQ(EXC_GP, try_op(op_ud2));
	EXPECT_EQ(ERROR_CODE_EXT, caught.error);
	EXPECT_EQ(S_A, caught.tr);
}

/* Segments that look odd and are allowed; descriptors get their accessed bits. */
void test_good_segments(void)
{
	gdt[S_X >> 3] = desc_make(0, 0xfffff, 0x9e, 0xc); /* conforming, readable, DPL 0 */
	gdt[S_Y >> 3] = desc_make(0, 0, 0x96, 0xc);       /* expand-down, writable */
	tss_a.t.ds = S_X | 3;                             /* conforming: RPL does not matter */
	tss_a.t.es = S_Y;
	tss_a.t.fs = S_CODE;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(S_X | 3, seen_of(S_A)->ds);
	EXPECT_EQ(S_Y, seen_of(S_A)->es);
	EXPECT_EQ(S_CODE, seen_of(S_A)->fs);
	EXPECT_EQ(0xf, desc_type(S_X));
	EXPECT_EQ(0x7, desc_type(S_Y));
	tss_a.t.eip = (u32)(uintptr_t)task_entry;
	tss_a.t.cs = S_X;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(S_X, seen_of(S_A)->cs);
}

void test_ldt_segments(void)
{
	ldt[L_DATA >> 3] = desc_make(0, 0xfffff, 0x92, 0xc);
	tss_a.t.ldt = S_LDT;
	tss_a.t.cs = L_CODE;
	tss_a.t.ss = L_DATA;
	tss_a.t.ds = L_DATA | 0;
	EXPECT_EQ(NO_TRAP, try_far(op_call, S_A));
	EXPECT_EQ(L_CODE, seen_of(S_A)->cs);
	EXPECT_EQ(L_DATA, seen_of(S_A)->ss);
	EXPECT_EQ(S_LDT, seen_of(S_A)->ldtr);
	EXPECT_EQ(0x93, ldt[L_DATA >> 3] >> 40 & 0xff);
	EXPECT_EQ(0, back.ldtr);
	/* a task gate in the LDT */
	asm volatile("lldt %w0" : : "r"(S_LDT));
	EXPECT_EQ(NO_TRAP, try_far(op_call, L_GATE));
	EXPECT_EQ(2, runs_of(S_A));
}
