// SPDX-License-Identifier: BSD-2-Clause
// A guest for the monitor to look at: VP 0 counts aloud, VP 1 runs a loop and VP 0 has told in
// which order a debugger must see its instructions. It never ends: the run ends it.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define TICK_US     20000
#define LOOP_VECTOR 0x60

/* Addresses in the order of the steps, and what a step must not show. */
extern const u64 loop_steps[];
extern const u64 loop_steps_end[];
u64 loop_flags; /* all that PUSHF has ever pushed */
u64 loop_syscall_flags;

/* Handlers that one instruction, or two, can be. */
void loop_int(void);
void loop_ud(void);
void loop_syscall(void);
void loop_run(void);

asm(".text\n"
    ".globl loop_run, loop_int, loop_ud, loop_syscall, loop_steps, loop_steps_end\n"
    "loop_run:\n"
    "1:	nop\n"
    "2:	xor %eax, %eax\n"
    "3:	cpuid\n" /* exits */
    "4:	pushf\n"
    "5:	pop %rbx\n"
    "6:	or %rbx, loop_flags(%rip)\n"
    "7:	int $0x60\n"
    "8:	mov %ss, %ecx\n"
    "9:	mov %ecx, %ss\n" /* the next one belongs to its step */
    "	nop\n"
    "10:	ud2\n" /* faults */
    "11:	pushf\n"
    "12:	popf\n"
    "13:	syscall\n"
    "14:	or %r11, loop_syscall_flags(%rip)\n"
    "15:	jmp 1b\n"
    "loop_int:\n"
    "16:	iretq\n"
    "loop_ud:\n"
    "17:	addq $2, (%rsp)\n"
    "18:	iretq\n"
    "loop_syscall:\n"
    "19:	jmp *%rcx\n"
    ".section .rodata\n"
    ".balign 8\n"
    "loop_steps:\n"
    ".quad 1b, 2b, 3b, 4b, 5b, 6b, 7b, 16b, 8b, 9b, 10b, 10b, 17b, 18b, 11b, 12b, 13b, 19b\n"
    ".quad 14b, 15b\n"
    "loop_steps_end:\n"
    ".text\n");

static void run_loop(u64 unused)
{
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SCE);
	wrmsr(MSR_IA32_STAR, (u64)G_CODE64 << 32);
	wrmsr(MSR_IA32_LSTAR, (u64)(uintptr_t)loop_syscall);
	wrmsr(MSR_IA32_FMASK, RFLAGS_TF);
	loop_run();
}

static void loop_for_ever(void)
{
	REQUIRE(smp_begin());
	cpu_set_gate(LOOP_VECTOR, loop_int);
	cpu_set_gate(EXC_UD, loop_ud);
	smp_call(1, run_loop, 0);
	for (const u64 *at = loop_steps; at != loop_steps_end; at++)
		tap_printf("# step %llx\n", *at);
	for (u32 i = 0;; i++) {
		tap_printf("# tick %u%s\n", i,
			   ((READ_ONCE(loop_flags) | READ_ONCE(loop_syscall_flags)) & RFLAGS_TF)
				   ? ", and has seen TF"
				   : "");
		delay_us(TICK_US);
	}
}

static const struct test t_loop_tests[] = {
	{ .name = "loop_for_ever", .run = loop_for_ever, .flags = T_SOLO },
};
TEST_GROUP(t_loop);
